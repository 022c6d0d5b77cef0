/*
 * Runs in the workers, on bytes of any client: sends clients to another URL, in which parts of the
 * request may stand. Must never let such a part end the host of the URL, begin another line of the
 * response, or make a path of this site a URL of another one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "filter/variable.h"
#include "handler/handlers.h"

#define URL_MAX 8192 /* bytes of a URL with its parts; a longer one is answered with 414 */

struct redirect {
	unsigned status;
	bool is_local; /* it has no scheme, so the result is a path of this site */
	char port[8];
	size_t count;
	struct variable_part parts[];
};

/* --- writing a URL ---------------------------------------------------------------------------- */

struct url {
	char text[URL_MAX];
	size_t len;
	bool full;
};

static void url_add(struct url *u, const char *s, size_t len)
{
	u->full = u->full || len > URL_MAX - u->len;
	if (u->full)
		return;
	memcpy(u->text + u->len, s, len);
	u->len += len;
}

/* What cannot stand in a URL is percent-encoded. */
static void url_add_encoded(struct url *u, const char *s, size_t len)
{
	char spelled[3];
	for (size_t i = 0; i < len && !u->full; i++)
		url_add(u, spelled, http_url_spell(s + i, len - i, spelled));
}

/* Names in a certificate are chosen by others than the one who wrote the URL: none of their
 * characters may have a meaning in it, such as that of `&` in a query. */
static void url_add_name(struct url *u, const char *s)
{
	static const char plain[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
	char spelled[4];
	for (; *s != '\0' && !u->full; s++)
		if (strchr(plain, *s) != NULL) {
			url_add(u, s, 1);
		} else {
			(void)snprintf(spelled, sizeof(spelled), "%%%02X", (unsigned char)*s);
			url_add(u, spelled, 3);
		}
}

static void url_add_query(struct url *u, const struct http_request *r)
{
	if (r->query_present)
		url_add_encoded(u, http_slice_at(r, r->query), r->query.len);
}

/* Without a query, the mark before it is left out. Where only a host is before it, the query
 * would continue the host's name. */
static void url_add_bare_query(struct url *u, const struct http_request *r)
{
	const char *authority = memmem(u->text, u->len, "://", 3);
	if (u->full)
		return;
	if ((!r->query_present || r->query.len == 0) && u->len > 0 && u->text[u->len - 1] == '?') {
		u->len--;
		return;
	}
	if (authority != NULL) {
		const size_t from = (size_t)(authority - u->text) + 3;
		size_t n = from;
		while (n < u->len && strchr("/?#", u->text[n]) == NULL)
			n++;
		if (n == u->len)
			url_add(u, "/?", 2);
	}
	url_add_query(u, r);
}

static void url_add_target(struct url *u, const struct http_request *r)
{
	if (r->path.len == 0) /* of an absolute target */
		url_add(u, "/", 1);
	url_add_encoded(u, http_slice_at(r, r->path), r->path.len);
	if (r->query_present)
		url_add(u, "?", 1);
	url_add_query(u, r);
}

/* Begins with "/", or is empty. */
static void url_add_path(struct url *u, const struct exchange *ex, size_t from)
{
	char spelled[URL_MAX];
	const size_t n = exchange_path_spell(ex, from, spelled, sizeof(spelled));
	u->full = u->full || n == SIZE_MAX;
	if (!u->full)
		url_add_encoded(u, spelled, n);
}

/* Returns false if the request names no host. Its characters can all stand in a URL. */
static bool url_add_host(struct url *u, const struct http_request *r)
{
	char name[HTTP_HOST_NAME_MAX + 1];
	const size_t len = http_host_name(r, name);
	url_add(u, name, len);
	return len > 0;
}

/* "//a" would be another site, and a result without "/" relative to the path of the request. */
static const char *url_local(struct url *u, size_t *ret_len)
{
	size_t from = 0;
	while (from < u->len && u->text[from] == '/')
		from++;
	if (from > 0) {
		*ret_len = u->len - from + 1;
		return u->text + from - 1;
	}
	if (u->len == URL_MAX) {
		u->full = true;
		return NULL;
	}
	memmove(u->text + 1, u->text, u->len);
	u->text[0] = '/';
	*ret_len = u->len + 1;
	return u->text;
}

/* --- the handler ------------------------------------------------------------------------------ */

static bool part_add(struct url *u, const struct variable_part *p, const struct exchange *ex)
{
	const struct redirect *redirect = ex->config;
	const struct http_request *r = &ex->request;
	switch (p->variable) {
	case CONF_NO_VARIABLE:
		url_add(u, p->text, p->len);
		break;
	case CONF_VARIABLE_HOST:
		return url_add_host(u, r);
	case CONF_VARIABLE_TARGET:
		url_add_target(u, r);
		break;
	case CONF_VARIABLE_PATH:
		url_add_path(u, ex, 0);
		break;
	case CONF_VARIABLE_QUERY:
		url_add_bare_query(u, r);
		break;
	case CONF_VARIABLE_REMAINDER: /* a location ends before a separator, except "/" */
		url_add_path(u, ex, ex->path.matched > 1 ? ex->path.matched : 0);
		break;
	case CONF_VARIABLE_SCHEME:
		if (ex->client->tls != NULL)
			url_add(u, "https", 5);
		else
			url_add(u, "http", 4);
		break;
	case CONF_VARIABLE_PORT:
		url_add(u, redirect->port, strlen(redirect->port));
		break;
	case CONF_VARIABLE_CLIENT:
		url_add(u, ex->client->address, strlen(ex->client->address));
		break;
	case CONF_VARIABLE_REQUEST_ID:
		url_add_encoded(u, ex->id, strlen(ex->id));
		break;
	case CONF_VARIABLE_CERTIFICATE_SUBJECT:
	case CONF_VARIABLE_CERTIFICATE_ISSUER:
	case CONF_VARIABLE_CERTIFICATE_SERIAL:
	case CONF_VARIABLE_CERTIFICATE_FINGERPRINT:
	case CONF_VARIABLE_CERTIFICATE_SAN:
		url_add_name(u, variable_of_certificate(p->variable, ex));
		break;
	}
	return true;
}

static void redirect_refuse(struct exchange *ex, enum http_refusal why)
{
	ex->refusal = why;
	exchange_answer(ex, http_refusal_facts(why)->status, 0);
}

static void redirect_varied(struct exchange *ex)
{
	const struct redirect *r = ex->config;
	struct url u;
	u.len = 0;
	u.full = false;
	for (size_t i = 0; i < r->count; i++)
		if (!part_add(&u, &r->parts[i], ex)) {
			redirect_refuse(ex, ex->request.host.len == 0 ? REFUSE_HOST_MISSING
								      : REFUSE_HOST_FORM);
			return;
		}
	const char *url = u.text;
	size_t len = u.len;
	if (r->is_local && !u.full)
		url = url_local(&u, &len);
	if (u.full) {
		redirect_refuse(ex, REFUSE_REDIRECT_TOO_LONG);
		return;
	}
	(void)exchange_add_field(ex, "Location", 8, url, len);
	exchange_respond(ex, r->status, 0, NULL, 0);
}

/* At once: a client that waits for "100 Continue" then sends its body to the other URL only. */
static void redirect_begin(struct exchange *ex)
{
	const struct redirect *r = ex->config;
	if (r->count > 1 || r->parts[0].variable != CONF_NO_VARIABLE) {
		redirect_varied(ex);
		return;
	}
	(void)exchange_add_field(ex, "Location", 8, r->parts[0].text, r->parts[0].len);
	exchange_respond(ex, r->status, 0, NULL, 0);
}

static const struct handler handler_redirect = {
    .methods = HTTP_METHODS_KNOWN,
    .begin = redirect_begin,
};

/* --- the parts of a URL ----------------------------------------------------------------------- */

static bool is_local(const char *url)
{
	return strncmp(url, "${scheme}", 9) != 0 && url[strcspn(url, ":/?#$")] != ':';
}

static void *redirect_make(const struct conf_location *location, const struct handler_means *means)
{
	const struct conf_redirect *conf = location->options;
	struct redirect *r =
	    calloc(1, sizeof(*r) + variable_parts_most(conf->url) * sizeof(r->parts[0]));
	if (r == NULL)
		return NULL;
	r->status = conf->status;
	r->is_local = is_local(conf->url);
	(void)snprintf(r->port, sizeof(r->port), "%u", means->port);
	r->count = variable_parts(conf->url, r->parts);
	return r;
}

const struct handler_kind handler_kind_redirect = {.handler = &handler_redirect,
						   .make = redirect_make};
