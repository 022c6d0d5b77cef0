/* The master writes, a new worker reads. Must never read beyond the memory. */
#include "ipc/places.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"

#define PLACES_BYTES_MAX ((size_t)1 << 30)

static void place_write(FILE *f, const char *text)
{
	(void)fwrite(text, 1, strlen(text) + 1, f);
}

int ipc_places_create(const struct root *roots, size_t count)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	if (f == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		place_write(f, roots[i].rest);
		place_write(f, roots[i].written);
		place_write(f, roots[i].real);
	}
	const int fd = fclose(f) == 0 ? fd_sealed_memory("bulkhead-roots", text, len) : -ENOMEM;
	free(text);
	return fd;
}

/* NULL: there is no text left. */
static const char *place_next(const char **at, const char *end)
{
	const char *text = *at;
	const char *nul = text < end ? memchr(text, '\0', (size_t)(end - text)) : NULL;
	*at = nul != NULL ? nul + 1 : end;
	return nul != NULL ? text : NULL;
}

int ipc_places_read(int fd, struct root *roots, size_t count, char **ret)
{
	char *text = NULL;
	size_t len = 0;
	int error = fd_read_all(fd, PLACES_BYTES_MAX, &text, &len);
	if (error < 0)
		return error;
	const char *at = text, *end = text + len;
	for (size_t i = 0; i < count && error == 0; i++) {
		roots[i].rest = place_next(&at, end);
		roots[i].written = place_next(&at, end);
		roots[i].real = place_next(&at, end);
		if (roots[i].real == NULL)
			error = -EBADMSG;
	}
	if (at != end)
		error = -EBADMSG;
	if (error < 0) {
		free(text);
		return error;
	}
	*ret = text;
	return 0;
}
