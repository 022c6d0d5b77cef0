/* Runs in the worker before it serves: reads the files that its handlers send. Must never keep one
 * open, nor read more than the configuration allows. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/fd.h"
#include "http/media.h"
#include "tls/digest.h"
#include "worker/loop.h"

static void __attribute__((noreturn)) body_fail(struct worker *w, size_t i, int error)
{
	role_fail(w->role, role_status(w->role, error), "file \"%s\" cannot be read: %s",
		  w->port->bodies[i].path, strerror(error));
}

/* Reads from its first byte on: other workers have read the same open file. What is appended at
 * this moment is not read. */
static struct handler_body body_read(struct worker *w, size_t i, int fd)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		body_fail(w, i, errno);
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > w->bodies_left)
		body_fail(w, i, EFBIG);
	const size_t size = (size_t)st.st_size;
	struct handler_body body = {.len = 0};
	char *data = malloc(size + 1);
	if (data == NULL)
		body_fail(w, i, ENOMEM);
	while (body.len < size) {
		const ssize_t n = pread(fd, data + body.len, size - body.len, (off_t)body.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			body_fail(w, i, errno);
		if (n == 0)
			break;
		body.len += (size_t)n;
	}
	w->bodies_left -= body.len;
	body.data = data;
	return body;
}

/* By the extension of its name; the charset is UTF-8, as that of all texts here. */
static char *body_type(struct worker *w, size_t i)
{
	const char *path = w->port->bodies[i].path, *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;
	const struct media_row *row = media_find(w->means.types, name, strlen(name));
	const char *type = row != NULL ? row->type : "application/octet-stream";
	const size_t len = row != NULL ? row->type_len : strlen(type);
	char *text = NULL;
	if (asprintf(&text, "%.*s%s", (int)len, type,
		     media_has_charset(type, len) ? "; charset=utf-8" : "") < 0)
		body_fail(w, i, ENOMEM);
	return text;
}

void worker_bodies_digest(const struct worker *w, uint8_t all[IPC_DIGEST_BYTES])
{
	for (size_t i = 0; i < w->port->bodies_count; i++) {
		uint8_t one[IPC_DIGEST_BYTES];
		tls_digest(w->bodies[i].data, w->bodies[i].len, one);
		tls_digest_add(all, one);
	}
}

void worker_bodies_take(struct worker *w)
{
	const size_t count = w->port->bodies_count;
	if (role_count(w->role, IPC_FD_BODY) != count)
		role_fail(w->role, EX_SOFTWARE, "its files do not fit the configuration");
	if (count == 0)
		return;
	w->bodies = calloc(count, sizeof(*w->bodies));
	w->bodies_left = CONF_BODIES_BYTES_MAX;
	if (w->bodies == NULL)
		body_fail(w, 0, ENOMEM);
	for (size_t i = 0; i < count; i++) {
		int fd = role_take(w->role, IPC_FD_BODY, i);
		w->bodies[i] = body_read(w, i, fd);
		w->bodies[i].type = body_type(w, i);
		fd_close(&fd);
	}
	w->memory_own += CONF_BODIES_BYTES_MAX - w->bodies_left;
	w->means.bodies = w->bodies;
}

void worker_bodies_release(struct worker *w)
{
	for (size_t i = 0; w->bodies != NULL && i < w->port->bodies_count; i++) {
		free((char *)(uintptr_t)w->bodies[i].data);
		free((char *)(uintptr_t)w->bodies[i].type);
	}
	free(w->bodies);
	w->bodies = NULL;
}
