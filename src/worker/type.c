/* Runs in the worker before it serves: the media types of files. Must never keep the system's table
 * open, nor read more of it than HTTP_MEDIA_TEXT. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "tls/digest.h"
#include "worker/loop.h"

/* Reads from the first byte on: other workers have read the same open file. What cannot be read is
 * as if it were not there. Returns how many bytes there are. */
static size_t types_read(int fd, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n = 1;
	while (n > 0 && len < size) {
		n = pread(fd, text + len, size - len, (off_t)len);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			len += (size_t)n;
	}
	return len;
}

void worker_types_make(struct worker *w)
{
	int error = 0;
	if (role_count(w->role, IPC_FD_TYPES) > 0) {
		int fd = role_take(w->role, IPC_FD_TYPES, 0);
		char *text = malloc(HTTP_MEDIA_TEXT); /* its pages are used as far as it is long */
		if (text != NULL) {
			const size_t len = types_read(fd, text, HTTP_MEDIA_TEXT);
			tls_digest(text, len, w->types_digest);
			error = media_read(&w->types, text, len);
		} else {
			error = -ENOMEM;
		}
		free(text);
		fd_close(&fd);
	}
	if (error == 0)
		error = media_add_known(&w->types);
	if (error < 0)
		role_fail(w->role, role_status(w->role, ENOMEM), "out of memory");
	w->means.types = &w->types;
}
