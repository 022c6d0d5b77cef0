/* Runs in the master, and in bulkhead -t. Must never open a file. */
#include "base/beneath.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/same.h"

/* As strcmp(3), but a slash is less than every other byte: so what lies beneath a directory follows
 * it at once. */
static int beneath_order(const char *a, const char *b)
{
	while (*a == *b && *a != '\0') {
		a++;
		b++;
	}
	const int left = *a == '/' ? 1 : *a == '\0' ? 0 : (unsigned char)*a + 1;
	const int right = *b == '/' ? 1 : *b == '\0' ? 0 : (unsigned char)*b + 1;
	return left - right;
}

static int beneath_compare(const void *a, const void *b)
{
	const struct beneath_file *f = a, *g = b;
	return beneath_order(f->real, g->real);
}

int beneath_init(struct beneath *ret, const char *const *paths, size_t count)
{
	struct beneath_file *files = calloc(count + 1, sizeof(*files));
	uint32_t *firsts = calloc(count + 1, sizeof(*firsts));
	struct beneath all = {.files = files};
	int error = files == NULL || firsts == NULL ? -ENOMEM : same_texts(paths, count, firsts);
	for (size_t i = 0; i < count && error == 0; i++) {
		char *real = firsts[i] == i ? realpath(paths[i], NULL) : NULL;
		if (real != NULL)
			files[all.count++] = (struct beneath_file){real, paths[i]};
		else if (firsts[i] == i && errno == ENOMEM)
			error = -ENOMEM;
	}
	free(firsts);
	if (error < 0) {
		beneath_release(&all);
		return error;
	}
	beneath_take(ret, files, all.count);
	return 0;
}

void beneath_take(struct beneath *ret, struct beneath_file *files, size_t count)
{
	if (count > 1)
		qsort(files, count, sizeof(*files), beneath_compare);
	*ret = (struct beneath){files, count};
}

void beneath_release(struct beneath *b)
{
	for (size_t i = 0; i < b->count; i++)
		free(b->files[i].real);
	free(b->files);
	*b = (struct beneath){.files = NULL};
}

static size_t beneath_len(const char *real)
{
	return strcmp(real, "/") == 0 ? 0 : strlen(real);
}

bool beneath_covers(const char *real, const char *path)
{
	const size_t len = beneath_len(real);
	return strncmp(real, path, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* The first from low on that is not before the directory (end false), or is after all that is
 * beneath it. */
static size_t beneath_bound(const struct beneath *b, size_t low, const char *real, bool end)
{
	const bool is_root = beneath_len(real) == 0;
	size_t high = b->count;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const char *path = b->files[middle].real;
		const bool before =
		    end ? beneath_covers(real, path) : !is_root && beneath_order(path, real) < 0;
		if (before)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t beneath_find(const struct beneath *b, const char *real, const struct beneath_file **ret)
{
	const size_t first = beneath_bound(b, 0, real, false);
	const size_t count = beneath_bound(b, first, real, true) - first;
	if (count > 0)
		*ret = &b->files[first];
	return count;
}
