/* A port whose configuration is made by hand, served to a peer (tests/http_peer.h). */
#ifndef UNIT_SERVED_H
#define UNIT_SERVED_H

#include "../http_peer.h"
#include "handler/route.h"

#define TEXT(text) ((char *)(uintptr_t)(text))

/* Each location answers with its name. */
#define LOCATION(where, name, is_exact)                                                     \
	{                                                                                   \
		.path = TEXT(where), .handler = CONF_RESPOND, .methods = CONF_METHODS_ANY,  \
		.exact = (is_exact), .options = &(const struct conf_respond)                \
		{                                                                           \
			.body = (name), .body_len = sizeof(name) - 1, .type = "text/plain", \
			.status = 200                                                       \
		}                                                                           \
	}
#define AT(where, name)      LOCATION(where, name, false)
#define EXACTLY(where, name) LOCATION(where, name, true)

struct served {
	struct conf_port port;
	struct routes routes;
	struct peer *peer;
};

static inline void serve_errors(struct served *s, struct conf_host *hosts, size_t count,
				struct conf_error *errors, size_t errors_count)
{
	static const struct handler_body bodies[] = {{"<p>file</p>\n", 12, "text/html"}};
	static const struct handler_means means = {.port = 8443, .bodies = bodies};
	*s = (struct served){.port = {.hosts = hosts,
				      .hosts_count = count,
				      .errors = errors,
				      .errors_count = errors_count}};
	assert_int_equal(routes_init(&s->routes, &s->port, &means), 0);
	s->peer = peer_new();
	s->peer->loop.routes = &s->routes.http;
}

static inline void serve(struct served *s, struct conf_host *hosts, size_t count)
{
	serve_errors(s, hosts, count, NULL, 0);
}

static inline void serve_end(struct served *s)
{
	peer_free(s->peer);
	routes_release(&s->routes);
}

/* Sends a request; returns the body of its response. */
static inline const char *ask(struct served *s, const char *request)
{
	peer_out_clear(s->peer);
	peer_send(s->peer, request);
	const char *body = strstr(peer_out(s->peer), "\r\n\r\n");
	assert_non_null(body);
	return body + 4;
}

static inline const char *ask_host(struct served *s, const char *host)
{
	static char request[2048];
	(void)snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", host);
	return ask(s, request);
}

static inline const char *ask_path(struct served *s, const char *path)
{
	static char request[2048];
	(void)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
	return ask(s, request);
}

#endif
