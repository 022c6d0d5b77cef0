/* Runs in the selftest. Must never leave a port an upstream of the configuration. */
#include "targets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

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

bool targets_put(struct conf_port *p, uint16_t port, bool tried, struct copies *copies)
{
	const size_t count = p->upstreams_count;
	struct conf_upstream *all =
	    copies_add(copies, p->upstreams, count * sizeof(*all), sizeof(*all));
	struct conf_endpoint *endpoints =
	    copies_add(copies, NULL, 0, (count + own.endpoints_count) * sizeof(*endpoints));
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
		done = endpoint_put(&endpoints[count], "127.0.0.1", port, false, copies) &&
		       endpoint_put(&endpoints[count + 1], "localhost", port, true, copies);
	}
	if (!done)
		return false;
	p->upstreams = all;
	p->upstreams_count = count + tried;
	p->endpoints = endpoints;
	p->endpoints_count = count + (tried ? own.endpoints_count : 0);
	p->upstream_authorities_count = 0;
	return true;
}
