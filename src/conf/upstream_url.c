/*
 * The URLs of upstreams, and their names. Runs in the master and in the child of the port. Must
 * never resolve a name, nor look for a socket.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/num.h"
#include "parser.h"

#define URL_MAX   1024
#define HTTP_PORT 80
#define TLS_PORT  443

/* --- names ------------------------------------------------------------------------------------ */

bool conf_upstream_is_url(const struct conf_value *value)
{
	return strpbrk(value->data, ":/") != NULL;
}

bool conf_upstream_name(struct conf_parser *p, const struct conf_value *value,
			const struct conf_where *at)
{
	char shown[CONF_SHOWN_MAX];
	if (!conf_plain(p, "an upstream's name", CONF_UPSTREAM_NAME_MAX, value, at))
		return false;
	for (const char *c = value->data; *c != '\0'; c++)
		if (!isalnum((unsigned char)*c) && strchr("-_.", *c) == NULL) {
			conf_error(p, at,
				   conf_upstream_is_url(value)
				       ? "an upstream has a name of your choice, and the URL "
					 "stands in its block: `to \"%s\"`"
				       : "an upstream's name is of letters, digits, `-`, `_` and "
					 "`.`; \"%s\" has others",
				   conf_show(value, shown));
			return false;
		}
	return true;
}

/* --- Unix sockets ----------------------------------------------------------------------------- */

static bool socket_read(struct conf_parser *p, const char *path, const struct conf_where *at,
			struct conf_endpoint_draft *ret)
{
	const size_t len = strlen(path);
	const struct conf_value value = {.data = path, .len = len};
	char shown[CONF_SHOWN_MAX];
	(void)conf_show(&value, shown);
	if (strncmp(path, "//", 2) == 0)
		conf_error(p, at, "a Unix socket is written \"unix:/run/app.sock\", with one `/`");
	else if (path[0] != '/' || path[len - 1] == '/')
		conf_error(p, at,
			   "after `unix:` stands the absolute path of a socket: "
			   "\"unix:/run/app.sock\"");
	else if (len > CONF_SOCKET_PATH_MAX)
		conf_error(p, at, "a socket's path has at most %d bytes, this one has %zu",
			   CONF_SOCKET_PATH_MAX, len);
	else {
		const char *copy = conf_copy(p, path, len);
		char *url = conf_alloc(p, len + sizeof("unix:"));
		if (copy == NULL || url == NULL)
			return false;
		(void)snprintf(url, len + sizeof("unix:"), "unix:%s", path);
		ret->endpoint.path = copy;
		ret->endpoint.url = url;
		return true;
	}
	return false;
}

/* --- hosts ------------------------------------------------------------------------------------ */

/* Digits and dots alone, as in "10.1" or "127.0.0.256": some programs take it for a number. */
static bool is_numeric(const char *host)
{
	const char *last = strrchr(host, '.');
	last = last != NULL ? last + 1 : host;
	return *last != '\0' && last[strspn(last, "0123456789")] == '\0';
}

static bool v6_read(struct conf_parser *p, const char *host, size_t len,
		    const struct conf_where *at, const char **ret)
{
	struct in6_addr v6;
	char text[INET6_ADDRSTRLEN] = "", out[INET6_ADDRSTRLEN];
	if (memchr(host, '%', len) != NULL) {
		conf_error(p, at, "the address of an upstream has no zone");
		return false;
	}
	if (len < sizeof(text))
		memcpy(text, host, len);
	if (inet_pton(AF_INET6, text, &v6) != 1 ||
	    inet_ntop(AF_INET6, &v6, out, sizeof(out)) == NULL) {
		conf_error(p, at, "in brackets stands an IPv6 address: \"http://[::1]:9000\"");
		return false;
	}
	if (IN6_IS_ADDR_V4MAPPED(&v6)) {
		conf_error(p, at, "an IPv4 address is written without brackets, as four numbers");
		return false;
	}
	if (IN6_IS_ADDR_LINKLOCAL(&v6)) {
		conf_error(p, at,
			   "%s is on one link of this machine, and the address of an upstream has "
			   "no zone",
			   out);
		return false;
	}
	*ret = conf_copy(p, out, strlen(out));
	return *ret != NULL;
}

static bool host_read(struct conf_parser *p, const char *host, const struct conf_where *at,
		      struct conf_endpoint *ret)
{
	struct in_addr v4;
	const struct conf_value value = {.data = host, .len = strlen(host)};
	char shown[CONF_SHOWN_MAX];
	(void)conf_show(&value, shown);
	if (inet_pton(AF_INET, host, &v4) == 1) {
		ret->host = host;
		return true;
	}
	if (is_numeric(host)) {
		conf_error(p, at, "`%s` is not an IPv4 address, which has four numbers", shown);
		return false;
	}
	if (strchr(host, '*') != NULL || host[0] == '.') {
		conf_error(p, at, "`%s` is not the name of one host", shown);
		return false;
	}
	ret->host = conf_host_name_normalize(p, &value, at);
	ret->named = true;
	return ret->host != NULL;
}

/* --- URLs of HTTP ----------------------------------------------------------------------------- */

static void authority_tell(struct conf_parser *p, const struct conf_value *value,
			   const char *authority, const char *rest, const struct conf_where *at)
{
	const struct conf_value bare = {.data = value->data, .len = (size_t)(rest - value->data)};
	char url[CONF_SHOWN_MAX], path[CONF_SHOWN_MAX];
	(void)conf_show(&bare, url);
	if (memchr(authority, '@', (size_t)(rest - authority)) != NULL)
		conf_error(p, at,
			   "the URL of an upstream has no user in it; write `request header set "
			   "\"Authorization\" \"Basic ...\"` in the location");
	else if (*rest == '/' && rest[1] == '\0')
		conf_error(p, at,
			   "the URL of an upstream has no path: write \"%s\"; a path that clients "
			   "ask for is passed on as it is, and `path replace` or `path strip` in "
			   "the location changes it",
			   url);
	else if (*rest == '/')
		conf_error(p, at,
			   "the URL of an upstream has no path: write \"%s\", and in the location "
			   "`path replace \"/its/path\" \"%s\"`",
			   url, conf_show_text(rest, path));
	else
		conf_error(p, at,
			   "the URL of an upstream has no query and no fragment: write "
			   "\"%s\"",
			   url);
}

/* Splits "host:port", in a copy. */
static bool authority_read(struct conf_parser *p, char *authority, uint16_t usual,
			   const struct conf_where *at, struct conf_endpoint *ret)
{
	char *close = authority[0] == '[' ? strchr(authority, ']') : NULL;
	char *colon = strrchr(close != NULL ? close : authority, ':');
	uint64_t port = usual;
	const struct conf_value value = {.data = authority, .len = strlen(authority)};
	char shown[CONF_SHOWN_MAX];
	(void)conf_show(&value, shown);
	if (authority[0] == '[' && (close == NULL || (close[1] != '\0' && close[1] != ':'))) {
		conf_error(p, at, "`%s` is not an IPv6 address in brackets", shown);
		return false;
	}
	if (close == NULL && colon != NULL && strchr(authority, ':') != colon) {
		conf_error(p, at, "an IPv6 address stands in brackets: \"http://[::1]:9000\"");
		return false;
	}
	if (colon != NULL &&
	    (colon[1] == '0' || num_parse(colon + 1, strlen(colon + 1), 1, 65535, &port) < 0)) {
		conf_error(p, at, "the port in `%s` is not a number from 1 to 65535", shown);
		return false;
	}
	if (colon != NULL)
		*colon = '\0';
	ret->port = (uint16_t)port;
	return close != NULL
		   ? v6_read(p, authority + 1, (size_t)(close - authority) - 1, at, &ret->host)
		   : host_read(p, authority, at, ret);
}

/* The usual port is left out, as in the form of RFC 3986, 6.2.3. */
static bool url_make(struct conf_parser *p, const char *scheme, uint16_t usual,
		     struct conf_endpoint *e)
{
	const bool v6 = strchr(e->host, ':') != NULL;
	const size_t size = strlen(e->host) + sizeof("https://[]:65535");
	char *url = conf_alloc(p, size);
	if (url == NULL)
		return false;
	(void)snprintf(url, size, "%s://%s%s%s", scheme, v6 ? "[" : "", e->host, v6 ? "]" : "");
	if (e->port != usual)
		(void)snprintf(url + strlen(url), size - strlen(url), ":%u", e->port);
	e->url = url;
	return true;
}

static bool http_read(struct conf_parser *p, const struct conf_value *value, size_t scheme_len,
		      const struct conf_where *at, struct conf_endpoint_draft *ret)
{
	const char *authority = value->data + scheme_len + 3;
	const char *rest = authority + strcspn(authority, "/?#");
	const uint16_t usual = ret->tls ? TLS_PORT : HTTP_PORT;
	if (strncasecmp(authority, "unix:", 5) == 0) {
		conf_error(p, at, "a Unix socket is written \"unix:/run/app.sock\"");
		return false;
	}
	if (*rest != '\0' || strchr(authority, '@') != NULL) {
		authority_tell(p, value, authority, rest, at);
		return false;
	}
	char *copy = conf_copy(p, authority, strlen(authority));
	if (copy == NULL)
		return false;
	if (copy[0] == '\0' || (copy[0] == ':' && strchr(copy + 1, ':') == NULL)) {
		conf_error(p, at,
			   "the URL has no host: write one such as \"http://127.0.0.1:9000\"");
		return false;
	}
	return authority_read(p, copy, usual, at, &ret->endpoint) &&
	       url_make(p, ret->tls ? "https" : "http", usual, &ret->endpoint);
}

const char *conf_upstream_host(struct conf_parser *p, const struct conf_value *value,
			       const struct conf_where *at)
{
	struct conf_endpoint e = {.port = 0};
	char *copy = conf_copy(p, value->data, value->len), *out;
	if (copy == NULL || !conf_plain(p, "the value of Host", URL_MAX, value, at))
		return NULL;
	if (strpbrk(copy, "/?#@ ") != NULL) {
		conf_error(p, at,
			   "the value of Host is a name, or a name and a port: \"a.example\"");
		return NULL;
	}
	if (!authority_read(p, copy, 0, at, &e))
		return NULL;
	const bool v6 = strchr(e.host, ':') != NULL;
	const size_t size = strlen(e.host) + sizeof("[]:65535");
	out = conf_alloc(p, size);
	if (out == NULL)
		return NULL;
	(void)snprintf(out, size, "%s%s%s", v6 ? "[" : "", e.host, v6 ? "]" : "");
	if (e.port != 0)
		(void)snprintf(out + strlen(out), size - strlen(out), ":%u", e.port);
	return out;
}

static void scheme_tell(struct conf_parser *p, const struct conf_value *value,
			const struct conf_where *at)
{
	static const struct {
		const char *scheme, *hint;
	} others[] = {
	    {"ws", "WebSockets go through `http://`"},
	    {"wss", "WebSockets go through `https://`"},
	    {"h2c", "upstreams are asked with HTTP/1.1: write `http://`"},
	    {"grpc", "upstreams are asked with HTTP/1.1, which gRPC does not speak"},
	    {"fastcgi", "upstreams speak HTTP: put a server between that speaks FastCGI"},
	    {"fcgi", "upstreams speak HTTP: put a server between that speaks FastCGI"},
	    {"uwsgi", "upstreams speak HTTP: start uWSGI with `--http-socket`"},
	    {"tcp", "upstreams speak HTTP: write `http://`"},
	};
	const size_t len = strcspn(value->data, ":");
	const struct conf_value scheme = {.data = value->data, .len = len};
	char shown[CONF_SHOWN_MAX], named[CONF_SHOWN_MAX];
	(void)conf_show(value, shown);
	(void)conf_show(&scheme, named);
	for (size_t i = 0; i < CONF_COUNT(others); i++)
		if (strlen(others[i].scheme) == len &&
		    strncasecmp(value->data, others[i].scheme, len) == 0 &&
		    value->data[len + 1] == '/') {
			conf_error(p, at, "`%s:` cannot be asked: %s", named, others[i].hint);
			return;
		}
	if (strstr(value->data, "://") != NULL)
		conf_error(p, at,
			   "`%s:` cannot be asked; the URL of an upstream begins with `http://`, "
			   "`https://` or `unix:`",
			   named);
	else if (value->data[0] == '/')
		conf_error(p, at, "a Unix socket is written \"unix:%s\"", shown);
	else
		conf_error(p, at, "\"%s\" is not a URL: write \"http://%s\"", shown, shown);
}

bool conf_upstream_url(struct conf_parser *p, const struct conf_value *value,
		       const struct conf_where *at, struct conf_endpoint_draft *ret)
{
	*ret = (struct conf_endpoint_draft){.at = *at};
	if (!conf_plain(p, "the URL of an upstream", URL_MAX, value, at))
		return false;
	for (const char *c = value->data; *c != '\0'; c++)
		if (strchr(" \"<>\\^`{|}", *c) != NULL) {
			conf_error(p, at, "a URL cannot contain `%c`", *c);
			return false;
		}
	if (strncasecmp(value->data, "unix:", 5) == 0)
		return socket_read(p, value->data + 5, at, ret);
	if (strncasecmp(value->data, "http://", 7) == 0)
		return http_read(p, value, 4, at, ret);
	ret->tls = strncasecmp(value->data, "https://", 8) == 0;
	if (ret->tls)
		return http_read(p, value, 5, at, ret);
	scheme_tell(p, value, at);
	return false;
}
