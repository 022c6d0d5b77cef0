/* Runs in the master. Pure: what it decides depends on its arguments alone. */
#include "master/pure/mounts.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define POINT_FIELD \
	4 /* after the numbers of the mount, of its parent and its device, and its root */

static bool is_octal(const char *text)
{
	return text[0] >= '0' && text[0] <= '3' && text[1] >= '0' && text[1] <= '7' &&
	       text[2] >= '0' && text[2] <= '7';
}

/* Blanks, newlines and backslashes are written as \ooo. NULL: no memory. */
static char *point_copy(const char *text, size_t len)
{
	unsigned char *point = malloc(len + 1);
	size_t n = 0;
	for (size_t i = 0; point != NULL && i < len; n++) {
		const bool escaped = text[i] == '\\' && i + 3 < len && is_octal(text + i + 1);
		const unsigned octal = escaped ? (unsigned)(text[i + 1] - '0') << 6 |
						     (unsigned)(text[i + 2] - '0') << 3 |
						     (unsigned)(text[i + 3] - '0')
					       : (unsigned char)text[i];
		point[n] = (unsigned char)octal;
		i += escaped ? 4 : 1;
	}
	if (point != NULL)
		point[n] = '\0';
	return (char *)point;
}

/* The field of the mount's place in this line, or NULL. */
static const char *point_find(const char *line, size_t *ret_len)
{
	for (unsigned i = 0; i < POINT_FIELD && line != NULL; i++) {
		line = strchr(line, ' ');
		line = line != NULL ? line + 1 : NULL;
	}
	if (line == NULL || line[0] != '/')
		return NULL;
	*ret_len = strcspn(line, " ");
	return line;
}

static size_t lines_count(const char *text)
{
	size_t count = 1;
	for (; *text != '\0'; text++)
		count += *text == '\n';
	return count;
}

/* Each line ends after the field of the place: what follows changes without a mount. */
int mounts_parse(struct mounts *ret, char *text)
{
	struct beneath_file *files = calloc(lines_count(text), sizeof(*files));
	char *rest = text, *line;
	size_t count = 0, len = 0;
	int error = files == NULL ? -ENOMEM : 0;
	while (error == 0 && (line = strsep(&rest, "\n")) != NULL) {
		const char *point = point_find(line, &len);
		if (point == NULL)
			continue;
		line[point - line + (ptrdiff_t)len] = '\0';
		files[count] = (struct beneath_file){point_copy(point, len), line};
		error = files[count++].real == NULL ? -ENOMEM : 0;
	}
	struct mounts mounts = {.text = text};
	beneath_take(&mounts.points, files, count);
	if (error < 0)
		mounts_release(&mounts);
	else
		*ret = mounts;
	return error;
}

void mounts_release(struct mounts *m)
{
	beneath_release(&m->points);
	free(m->text);
	m->text = NULL;
}

/* FNV-1a (RFC 9923, 64 bits). */
static uint64_t text_hash(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325;
	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3;
	return hash;
}

/* A sum, since mounts at one place have no order. */
uint64_t mounts_mark(const struct mounts *m, const char *real)
{
	const struct beneath_file *first = NULL;
	const size_t count = beneath_find(&m->points, real, &first);
	uint64_t mark = 0;
	for (size_t i = 0; i < count; i++)
		mark += text_hash(first[i].path);
	return mark;
}
