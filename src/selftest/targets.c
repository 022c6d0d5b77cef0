/* Runs in the selftest. Must never leave a port an upstream of the configuration. */
#include "targets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"

#define TARGET_NAME "bulkhead-selftest"
#define URL_ROOM    64
#define BACKLOG     512 /* nobody accepts */

int targets_listen(uint16_t *ret_port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) < 0 || listen(fd, BACKLOG) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) < 0) {
		const int error = -errno;
		fd_close(&fd);
		return error;
	}
	*ret_port = ntohs(a.sin_port);
	return fd;
}

/* --- Unix sockets ----------------------------------------------------------------------------- */

static int local_listen(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	memcpy(a.sun_path, path, strnlen(path, sizeof(a.sun_path) - 1));
	if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
	    chmod(path, S_IRWXU | S_IRWXG | S_IRWXO) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	const int error = -errno;
	fd_close(&fd);
	return error;
}

static bool can_be_entered(const char *folder)
{
	char path[PATH_ROOM];
	struct stat st;
	(void)snprintf(path, sizeof(path), "%s", folder);
	for (char *slash; (slash = strrchr(path, '/')) != NULL; *slash = '\0')
		if (stat(path, &st) < 0 || (st.st_mode & S_IXOTH) == 0)
			return false;
	return true;
}

int targets_local_make(struct targets_local *t, const char *base, struct err *err)
{
	static const char *const names[TARGETS_LOCAL] = {("api" TARGETS_END), "api", "other"};
	(void)snprintf(t->folder, sizeof(t->folder), "%s/bulkhead-sockets-XXXXXX", base);
	int error = mkdtemp(t->folder) == NULL ? -errno : 0;
	if (error < 0)
		t->folder[0] = '\0';
	else if (chmod(t->folder, S_IRWXU | S_IXGRP | S_IXOTH) < 0)
		error = -errno;
	for (unsigned i = 0; i < TARGETS_LOCAL && error >= 0; i++) {
		(void)snprintf(t->paths[i], PATH_ROOM, "%s/%s", t->folder, names[i]);
		error = t->fds[i] = local_listen(t->paths[i]);
	}
	t->reachable = error >= 0 && can_be_entered(t->folder);
	if (error < 0)
		err_set(err, "cannot listen in \"%s\": %s", base, strerror(-error));
	return error < 0 ? -1 : 0;
}

void targets_local_remove(struct targets_local *t)
{
	for (unsigned i = 0; i < TARGETS_LOCAL; i++) {
		if (t->fds[i] >= 0)
			(void)unlink(t->paths[i]);
		fd_close(&t->fds[i]);
	}
	if (t->folder[0] != '\0')
		(void)rmdir(t->folder);
	t->folder[0] = '\0';
}

/* --- the configuration ------------------------------------------------------------------------ */

static bool local_put(struct conf_endpoint *e, const char *path, struct copies *copies)
{
	const size_t room = sizeof("unix:") + strlen(path);
	char *url = copies_add(copies, NULL, 0, room);
	if (url == NULL)
		return false;
	(void)snprintf(url, room, "unix:%s", path);
	*e = (struct conf_endpoint){.url = url, .path = url + strlen("unix:")};
	return true;
}

static bool endpoint_put(struct conf_endpoint *e, const char *host, uint16_t port, bool named,
			 struct copies *copies)
{
	char *url = copies_add(copies, NULL, 0, URL_ROOM);
	if (url == NULL)
		return false;
	(void)snprintf(url, URL_ROOM, "http://%s:%u", host, port);
	*e = (struct conf_endpoint){.url = url, .host = host, .port = port, .named = named};
	return true;
}

static const struct conf_upstream own = {.name = TARGET_NAME,
					 .endpoints_count = 2,
					 .fail_after = 3,
					 .fail_pause_ms = 10000,
					 .connect_ms = 2000,
					 .head_ms = 30000,
					 .between_ms = 60000,
					 .connections = 1,
					 .probe_every_ms = 5000,
					 .probe_ms = 2000,
					 .probe_least = 200,
					 .probe_most = 200,
					 .queue_ms = 1000,
					 .keep_ms = 60000,
					 .retry_percent = 20};

bool targets_put(struct conf_port *p, uint16_t port, bool tried, const char *path,
		 struct copies *copies)
{
	const size_t count = p->upstreams_count;
	const uint32_t added = own.endpoints_count + (path != NULL);
	struct conf_upstream *all =
	    copies_add(copies, p->upstreams, count * sizeof(*all), sizeof(*all));
	struct conf_endpoint *endpoints =
	    copies_add(copies, NULL, 0, (count + added) * sizeof(*endpoints));
	bool done = all != NULL && endpoints != NULL;
	for (size_t i = 0; done && i < count; i++) {
		all[i].endpoints_first = (uint32_t)i;
		all[i].endpoints_count = 1;
		all[i].probe = CONF_PROBE_OFF;
		all[i].probe_target = NULL;
		all[i].tls = false;
		all[i].certificate = 0;
		done = endpoint_put(&endpoints[i], "127.0.0.1", port, false, copies);
	}
	if (done && tried) {
		all[count] = own;
		all[count].endpoints_first = (uint32_t)count;
		all[count].endpoints_count = added;
		done = endpoint_put(&endpoints[count], "127.0.0.1", port, false, copies) &&
		       endpoint_put(&endpoints[count + 1], "localhost", port, true, copies) &&
		       (path == NULL || local_put(&endpoints[count + 2], path, copies));
	}
	if (!done)
		return false;
	p->upstreams = all;
	p->upstreams_count = count + tried;
	p->endpoints = endpoints;
	p->endpoints_count = count + (tried ? added : 0);
	p->upstream_authorities_count = 0;
	return true;
}
