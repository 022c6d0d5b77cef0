/*
 * From a request to its host and location, against walks of the lists; and where redirections lead:
 * never to a host that the configuration does not name, never into another line.
 */
#include "../http_peer.h"
#include "handler/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define REQUIRE(condition)        \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

#define TEXT(text)  ((char *)(uintptr_t)(text))
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

#define TO(where, to, is_exact)                                                       \
	{                                                                             \
		.path = TEXT(where), .exact = (is_exact), .handler = CONF_REDIRECT,   \
		.methods = CONF_METHODS_ANY, .options = &(const struct conf_redirect) \
		{                                                                     \
			308, (to)                                                     \
		}                                                                     \
	}

static struct conf_location at_default[] = {
    TO("/", "https://${host}${target}", false),
    TO("/", "https://a.example${path}?${query}", true),
    TO("/a", "${remainder}?${query}", false),
    TO("/a/b", "https://a.example${remainder}${query}", false),
    TO("/a/b", "${target}", true),
    TO("/a/b/", "/${query}", true)};
static struct conf_location at_host[] = {TO("/a", "${path}", false),
					 TO("/ab", "https://${host}:${port}${target}", false)};
static char *names[] = {TEXT("a"), TEXT("a.b"), TEXT("[::1]"), TEXT("127.0.0.1")};
static char *stars[] = {TEXT("*.b"), TEXT("*.a.b")};
static struct conf_host hosts[] = {
    {.locations = at_default, .locations_count = COUNT(at_default)},
    {.names = names, .names_count = COUNT(names), .locations = at_host, .locations_count = 2},
    {.names = stars, .names_count = COUNT(stars), .locations = at_default, .locations_count = 1}};
static struct conf_port port = {.hosts = hosts, .hosts_count = COUNT(hosts)};

static size_t host_walk(const char *name, size_t len)
{
	const char *dot = memchr(name, '.', len);
	for (size_t i = 1; i < COUNT(hosts); i++)
		for (size_t k = 0; k < hosts[i].names_count; k++)
			if (strlen(hosts[i].names[k]) == len &&
			    memcmp(hosts[i].names[k], name, len) == 0)
				return i;
	if (dot == NULL || dot == name)
		return 0;
	const size_t rest = len - (size_t)(dot - name);
	for (size_t k = 0; k < COUNT(stars); k++)
		if (strlen(stars[k]) == rest + 1 && memcmp(stars[k] + 1, dot, rest) == 0)
			return 2;
	return 0;
}

static const struct conf_location *location_walk(const struct conf_host *host, const char *path,
						 size_t len)
{
	const struct conf_location *best = NULL;
	size_t most = 0;
	for (size_t i = 0; i < host->locations_count; i++) {
		const struct conf_location *l = &host->locations[i];
		const size_t n = strlen(l->path);
		if (n > len || memcmp(l->path, path, n) != 0)
			continue;
		if (l->exact && n == len)
			return l;
		if (!l->exact && n > most && (n == len || n == 1 || path[n] == '/')) {
			best = l;
			most = n;
		}
	}
	return best;
}

/* The options of a location tell which one it is. */
static void route_check(const struct routes *routes, const struct http_request *r)
{
	const struct http_routes *http = &routes->http;
	char name[HTTP_HOST_NAME_MAX + 1], path[4096];
	const size_t len = http_host_name(r, name);
	for (size_t i = 0; i < len; i++)
		REQUIRE(name[i] > ' ' && name[i] < 0x7f && strchr("/?#@\\", name[i]) == NULL);
	const size_t walked = host_walk(name, len);
	const struct http_host *host = http->find_host(http, r);
	REQUIRE(host == &routes->hosts[walked].http);
	const long n =
	    http_path_normalize(http_slice_at(r, r->path), r->path.len, path, NULL, sizeof(path));
	if (n <= 0)
		return;
	const struct conf_location *want = location_walk(&hosts[walked], path, (size_t)n);
	const struct http_location *got = http->find(http, host, path, (size_t)n);
	REQUIRE((want == NULL) == (got == NULL));
	if (got == NULL)
		return;
	size_t index = (size_t)(want - hosts[walked].locations);
	for (size_t i = 0; i < walked; i++)
		index += hosts[i].locations_count;
	REQUIRE(got == &routes->list[index].location);
}

static void location_check(const char *url, size_t len)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "-._~!$&'()*+,;=:@/?%[]";
	REQUIRE(len > 0 && len <= 8192 && strspn(url, plain) == len);
	if (url[0] == '/') {
		REQUIRE(len == 1 || url[1] != '/');
		return;
	}
	REQUIRE(len > 8 && memcmp(url, "https://", 8) == 0);
	const size_t authority = strcspn(url + 8, "/?");
	REQUIRE(authority > 0);
	REQUIRE(memchr(url + 8, '@', authority) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct handler_means means = {.port = 8443};
	static struct routes routes;
	static struct http_request request;
	size_t scan = 0;
	if (routes.list == NULL)
		REQUIRE(routes_init(&routes, &port, &means) == 0);
	if (http_request_parse((const char *)data, len, 4096, &scan, &request) > 0)
		route_check(&routes, &request);
	struct peer *p = peer_new();
	p->loop.routes = &routes.http;
	peer_give(p, data, len);
	peer_run(p);
	for (const char *at = peer_out(p); (at = strstr(at, "\r\nLocation: ")) != NULL;) {
		at += sizeof("\r\nLocation: ") - 1;
		location_check(at, strcspn(at, "\r\n"));
	}
	peer_free(p);
	return 0;
}
