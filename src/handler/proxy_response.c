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
	if (h->value_len > 0 && h->value[0] == '/' && (h->value_len == 1 || h->value[1] != '/'))
		return LEADS_HERE;
	size_t len = authority_find(h, t->tls ? "https://" : "http://", &authority);
	if (len > 0 && authority_is(authority, len, t->authority, t->authority_len)) {
		*ret_path = (size_t)(authority - h->value) + len;
		return LEADS_UPSTREAM;
	}
	len = authority_find(h, w->ex->client->tls != NULL ? "https://" : "http://", &authority);
	if (len > 0 && r->host.len > 0 &&
	    authority_is(authority, len, http_slice_at(r, r->host), r->host.len)) {
		*ret_path = (size_t)(authority - h->value) + len;
		return LEADS_HERE;
	}
	return LEADS_ELSEWHERE;
}

/* Does the path begin with this one, as a location does? */
static bool begins(const char *path, size_t len, const char *with)
{
	const size_t n = strlen(with);
	if (len < n || memcmp(path, with, n) != 0)
		return false;
	return len == n || (n > 0 && with[n - 1] == '/') || strchr("/?#", path[n]) != NULL;
}

/* What of the path `path replace` takes back, and what it puts in its place. 0 and "": nothing. */
static size_t replaced_find(const struct conf_proxy *conf, const char *path, size_t len,
			    const char **ret_by)
{
	*ret_by = "";
	if (conf->path_from == NULL || !begins(path, len, conf->path_to) ||
	    (strcmp(conf->path_from, conf->path_to) != 0 && begins(path, len, conf->path_from)))
		return 0; /* it knows where it is for clients */
	const size_t n = strlen(conf->path_to);
	*ret_by = conf->path_from;
	return n;
}

/* With exactly one slash between the two. */
static bool location_make(struct proxy_walk *w, struct http_header *h, size_t path, size_t from,
			  const char *by, bool keeps_authority)
{
	const char *rest = h->value + path + from;
	size_t rest_len = h->value_len - path - from, by_len = strlen(by);
	const size_t kept = keeps_authority ? path : 0;
	if (by_len > 0 && by[by_len - 1] == '/' && rest_len > 0 && rest[0] == '/')
		by_len--;
	const bool slash = rest_len > 0 && strchr("/?#", rest[0]) == NULL &&
			   (by_len == 0 || by[by_len - 1] != '/');
	const bool root = by_len == 0 && (rest_len == 0 || rest[0] != '/') && !slash;
	char *text = arena_take(&w->ex->arena, kept + 3 * by_len + 1 + rest_len);
	if (text == NULL)
		return false;
	struct proxy_out o = {text, text + kept + 3 * by_len + 1 + rest_len, false};
	proxy_put(&o, h->value, kept);
	proxy_put_decoded(&o, by, by_len);
	if (slash || root)
		PROXY_PUT(&o, "/");
	proxy_put(&o, rest, rest_len);
	h->value = text;
	h->value_len = (uint32_t)(o.at - text);
	return true;
}

/* A URL of the upstream itself becomes one of this server, without its name; and a path that the
 * upstream has made is put where the client finds it. Out of memory it stays as it is. */
static void location_rewrite(struct proxy_walk *w, struct http_header *h)
{
	size_t path;
	const char *by;
	const enum leads leads = url_leads(w, h, &path);
	if (leads == LEADS_ELSEWHERE)
		return;
	const size_t from =
	    replaced_find(w->place->conf, h->value + path, h->value_len - path, &by);
	if (leads == LEADS_UPSTREAM || from > 0)
		(void)location_make(w, h, path, from, by, leads == LEADS_HERE);
}

/* --- the fields ------------------------------------------------------------------------------- */

/* 101 says what it switches to, and 426 what it asks for; elsewhere it is an offer to whoever is on
 * this connection. */
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
