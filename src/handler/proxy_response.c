/*
 * Runs in the workers, on bytes of any upstream: which fields of a response go to the client. Must
 * never pass on a field that is about the connection to the upstream, or that frames its body
 * there.
 */
#include <string.h>
#include <strings.h>

#include "http/condition.h"
#include "http/message.h"
#include "net/transport.h"
#include "proxy.h"

bool proxy_walk_begin(struct proxy_walk *w, struct exchange *ex, const struct proxy_place *place,
		      const struct proxy_target *target, const struct upstream_response *response)
{
	*w = (struct proxy_walk){.ex = ex, .place = place, .target = target, .response = response};
	return upstream_named_read(response->head, response->fields, response->fields_count,
				   &w->named);
}

/* --- Location and Content-Location: back through this location -------------------------------- */

/* The authority of an absolute URL with this scheme; 0: it is no such one. */
static size_t authority_find(const struct http_header *h, const char *scheme, const char **ret)
{
	const size_t n = strlen(scheme);
	if (h->value_len < n || strncasecmp(h->value, scheme, n) != 0)
		return 0;
	size_t len = 0;
	while (n + len < h->value_len && strchr("/?#", h->value[n + len]) == NULL)
		len++;
	*ret = h->value + n;
	return len;
}

static bool authority_is(const char *s, size_t len, const char *other, size_t other_len)
{
	return len == other_len && len > 0 && strncasecmp(s, other, len) == 0;
}

static bool is_slash(char c)
{
	return c == '/' || c == '\\'; /* to browsers */
}

/* Does the URL lead to the upstream by its own name, or to this server by the name that the client
 * has used? Then *ret_path is where its path begins. */
enum leads { LEADS_ELSEWHERE, LEADS_UPSTREAM, LEADS_HERE };

static enum leads url_leads(const struct proxy_walk *w, const struct http_header *h,
			    size_t *ret_path)
{
	const struct http_request *r = &w->ex->request;
	const struct proxy_target *t = w->target;
	const char *authority = NULL;
	*ret_path = 0;
	if (h->value_len > 0 && h->value[0] == '/')
		return h->value_len > 1 && is_slash(h->value[1]) ? LEADS_ELSEWHERE : LEADS_HERE;
	size_t len = authority_find(h, t->tls ? "https://" : "http://", &authority);
	*ret_path = len > 0 ? (size_t)(authority - h->value) + len : 0;
	if (authority_is(authority, len, t->authority, t->authority_len))
		return LEADS_UPSTREAM;
	len = authority_find(h, w->ex->client->tls != NULL ? "https://" : "http://", &authority);
	*ret_path = len > 0 ? (size_t)(authority - h->value) + len : 0;
	return authority_is(authority, len, http_slice_at(r, r->host), r->host.len)
		   ? LEADS_HERE
		   : LEADS_ELSEWHERE;
}

/* Without a slash at its end: "/" is empty. */
static size_t trimmed(const char *path)
{
	const size_t len = strlen(path);
	return len > 0 && path[len - 1] == '/' ? len - 1 : len;
}

/* Does the path begin with this one, as a location does? */
static bool begins(const char *path, size_t len, const char *with, size_t with_len)
{
	return len >= with_len && memcmp(path, with, with_len) == 0 &&
	       (len == with_len || strchr("/?#", path[with_len]) != NULL);
}

/* Does `path replace` have to take the beginning of it back? Not if the upstream knows already
 * where it is for clients. */
static bool is_replaced(const struct conf_proxy *conf, const char *path, size_t len)
{
	if (conf->path_from == NULL)
		return false;
	const size_t from = trimmed(conf->path_from), to = trimmed(conf->path_to);
	if (from > 0 && begins(path, len, conf->path_from, from) &&
	    !begins(conf->path_to, to, conf->path_from, from))
		return false;
	return begins(path, len, conf->path_to, to);
}

/* What follows the authority, of which kept bytes stay. A path of its own must not become the name
 * of another server ("//evil"). */
static void location_put(struct proxy_out *o, const struct proxy_walk *w,
			 const struct http_header *h, size_t path, size_t kept)
{
	const struct conf_proxy *conf = w->place->conf;
	const char *rest = h->value + path, *by = "";
	size_t rest_len = h->value_len - path, by_len = 0;
	if (is_replaced(conf, rest, rest_len)) {
		const size_t n = trimmed(conf->path_to);
		by = conf->path_from;
		by_len = trimmed(by);
		rest += n;
		rest_len -= n;
		if (n > 0 && by_len > 0 && (rest_len == 0 || rest[0] != '/')) {
			proxy_put_decoded(o, by, by_len); /* "/app" itself, and "/app?a" */
			proxy_put(o, rest, rest_len);
			return;
		}
	}
	proxy_put_decoded(o, by, by_len);
	if (by_len == 0 && kept == 0 && rest_len > 1 && rest[0] == '/' && is_slash(rest[1]))
		PROXY_PUT(o, "/.");
	if (rest_len == 0 || rest[0] != '/')
		PROXY_PUT(o, "/");
	proxy_put(o, rest, rest_len);
}

/* A URL of the upstream itself becomes one of this server, without its name; and a path that the
 * upstream has made is put where the client finds it. Out of memory it stays as it is. */
static void location_rewrite(struct proxy_walk *w, struct http_header *h)
{
	size_t path;
	const struct conf_proxy *conf = w->place->conf;
	const enum leads leads = url_leads(w, h, &path);
	if (leads == LEADS_ELSEWHERE ||
	    (leads == LEADS_HERE && !is_replaced(conf, h->value + path, h->value_len - path)))
		return;
	const size_t kept = leads == LEADS_HERE ? path : 0;
	const size_t from_len = conf->path_from != NULL ? strlen(conf->path_from) : 0;
	const size_t room = h->value_len + 3 * from_len + 3;
	char *text = arena_take(&w->ex->arena, room);
	if (text == NULL)
		return;
	struct proxy_out o = {text, text + room, false};
	proxy_put(&o, h->value, kept);
	location_put(&o, w, h, path, kept);
	h->value = text;
	h->value_len = (uint32_t)(o.at - text);
}

/* --- the fields ------------------------------------------------------------------------------- */

/* 101 says what it switches to, and 426 what it asks for; elsewhere it is an offer to the peer of
 * this connection alone. */
static bool upgrade_passes(const struct proxy_walk *w)
{
	return w->response->status == 101 || w->response->status == 426;
}

static bool date_passes(struct proxy_walk *w, const struct http_header *h)
{
	int64_t date;
	if (w->has_date ||
	    !http_date_parse(h->value, h->value_len, w->ex->loop->date_seconds, &date))
		return false;
	w->has_date = true;
	return true;
}

static bool field_passes(struct proxy_walk *w, unsigned index, struct http_header *h)
{
	bool alike;
	const enum upstream_field kind = upstream_field_find(h->name, h->name_len, &alike);
	if (upstream_is_named(&w->named, index) && kind != UPSTREAM_UPGRADE &&
	    kind != UPSTREAM_CONTENT_LENGTH)
		return false;
	if (alike)
		return !upstream_field_is_hop(kind);
	switch (kind) {
	case UPSTREAM_CONTENT_LENGTH:
		return w->response->status == 304;
	case UPSTREAM_UPGRADE:
		return upgrade_passes(w);
	case UPSTREAM_TRAILER:
		return w->response->framing == UPSTREAM_BODY_CHUNKED;
	case UPSTREAM_DATE:
		return date_passes(w, h);
	case UPSTREAM_SERVER:
		return w->place->conf->keep_server;
	case UPSTREAM_LOCATION:
	case UPSTREAM_CONTENT_LOCATION:
		location_rewrite(w, h);
		return true;
	default:
		return !upstream_field_is_hop(kind);
	}
}

/* RFC 9110, 7.6.3: the version of what was received. */
static bool via_next(struct proxy_walk *w, struct http_header *ret)
{
	if (w->via_done || !w->place->conf->via)
		return false;
	w->via_done = true;
	memcpy(w->via, w->response->version_minor > 0 ? "1.1 " : "1.0 ", 4);
	memcpy(w->via + 4, PROXY_NAME, sizeof(PROXY_NAME));
	*ret = (struct http_header){"Via", w->via, 3, 3 + sizeof(PROXY_NAME)};
	return true;
}

bool proxy_walk_next(struct proxy_walk *w, struct http_header *ret)
{
	while (w->at < w->response->fields_count) {
		const unsigned index = w->at++;
		*ret = upstream_response_field(w->response, index);
		if (field_passes(w, index, ret))
			return true;
	}
	return via_next(w, ret);
}
