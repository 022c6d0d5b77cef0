/*
 * Runs in the workers: the CORS protocol of the Fetch standard, for browsers that ask from pages of
 * other sites. Must never name an origin in an answer that the configuration does not have.
 */
#include <stdlib.h>
#include <string.h>

#include "base/chars.h"
#include "base/text.h"
#include "filter/kinds.h"

#define NUMBER_MAX  12
#define METHODS_MAX 72 /* every method: 64 */

/* Fields that are the same in all answers; a name of 0 bytes: there is none. */
struct cors {
	const struct conf_cors *conf;
	struct http_header methods, headers, expose, max_age;
	char texts[]; /* of their values */
};

static const struct http_header any_origin = HTTP_HEADER("Access-Control-Allow-Origin", "*");
static const struct http_header with_credentials =
    HTTP_HEADER("Access-Control-Allow-Credentials", "true");
static const struct http_header varies = HTTP_HEADER("Vary", "Origin");
static const struct http_header varies_asked =
    HTTP_HEADER("Vary", "Access-Control-Request-Headers");

/* The origin that the request names; NULL: it names none. */
static const struct http_field *origin_of(const struct exchange *ex)
{
	return http_request_field(&ex->request, "origin");
}

static bool origin_is_allowed(const struct conf_cors *conf, const struct exchange *ex,
			      const struct http_field *origin)
{
	const char *text = http_slice_at(&ex->request, origin->value);
	for (uint32_t i = 0; i < conf->origins.count; i++)
		if (strlen(conf->origins.list[i]) == origin->value.len &&
		    memcmp(conf->origins.list[i], text, origin->value.len) == 0)
			return true;
	return conf->any;
}

/* --- preflights ------------------------------------------------------------------------------- */

/* What the location takes, where the configuration names no methods. */
static void methods_add(struct exchange *ex)
{
	const struct http_location *l = ex->location;
	const uint32_t taken = l->methods != 0 ? l->methods : l->handler->methods;
	char value[METHODS_MAX];
	struct text t;
	text_init(&t, value, sizeof(value));
	for (unsigned m = 0; m < HTTP_METHODS; m++) {
		if ((taken & HTTP_METHOD_BIT(m)) == 0 || m == HTTP_CONNECT || m == HTTP_TRACE ||
		    m == HTTP_OTHER)
			continue;
		if (t.len > 0)
			text_add_str(&t, ", ");
		text_add_str(&t, http_method_name((enum http_method)m));
	}
	(void)exchange_add_field(ex, "Access-Control-Allow-Methods", 28, t.data, t.len);
}

static void field_borrow(struct exchange *ex, const struct http_header *field)
{
	if (field->name_len > 0)
		exchange_borrow_field(ex, field);
}

/* Names, commas and blanks (RFC 9110, 5.6.1). */
static bool is_list(const char *text, size_t len)
{
	while (len > 0) {
		const size_t name = chars_token_len(text, len);
		if (name == 0 && *text != ',' && *text != ' ' && *text != '\t')
			return false;
		text += name > 0 ? name : 1;
		len -= name > 0 ? name : 1;
	}
	return true;
}

/* With `any`, those that it asks for: `*` is no permission for Authorization, nor for anything with
 * credentials (Fetch, 4.9). */
static void headers_add(struct exchange *ex, const struct cors *cors)
{
	const struct http_field *asked;
	if (!cors->conf->any_header) {
		field_borrow(ex, &cors->headers);
		return;
	}
	exchange_borrow_field(ex, &varies_asked);
	asked = http_request_field(&ex->request, "access-control-request-headers");
	if (asked == NULL)
		return;
	const struct http_header allowed = {"Access-Control-Allow-Headers",
					    http_slice_at(&ex->request, asked->value), 28,
					    asked->value.len};
	if (allowed.value_len > 0 && is_list(allowed.value, allowed.value_len))
		exchange_borrow_field(ex, &allowed);
}

/* A preflight is answered before anything that a browser sends no credentials for. One from another
 * origin is an OPTIONS like any other. */
static enum filter_verdict cors_begin(struct exchange *ex, struct filter_use *use)
{
	const struct cors *cors = use->config;
	const struct http_field *origin;
	if (ex->request.method != HTTP_OPTIONS)
		return FILTER_LEAVES;
	origin = origin_of(ex);
	if (origin == NULL || !origin_is_allowed(cors->conf, ex, origin) ||
	    http_request_field(&ex->request, "access-control-request-method") == NULL)
		return FILTER_LEAVES;
	if (cors->methods.name_len > 0)
		exchange_borrow_field(ex, &cors->methods);
	else
		methods_add(ex);
	headers_add(ex, cors);
	field_borrow(ex, &cors->max_age);
	exchange_answer(ex, 204, 0);
	return FILTER_ANSWERS;
}

static const struct filter filter_cors = {.begin = cors_begin};

/* --- all responses ---------------------------------------------------------------------------- */

/* A response that depends on the origin says so also to those that name none: it may be kept for
 * others. */
static void cors_finish(struct exchange *ex, const void *config)
{
	const struct cors *cors = config;
	const struct conf_cors *conf = cors->conf;
	(void)exchange_remove_field(ex, any_origin.name, any_origin.name_len);
	(void)exchange_remove_field(ex, with_credentials.name, with_credentials.name_len);
	if (conf->any) {
		exchange_borrow_field(ex, &any_origin);
	} else {
		const struct http_field *origin = origin_of(ex);
		exchange_borrow_field(ex, &varies);
		if (origin == NULL || !origin_is_allowed(conf, ex, origin))
			return;
		(void)exchange_add_field(ex, any_origin.name, any_origin.name_len,
					 http_slice_at(&ex->request, origin->value),
					 origin->value.len);
		if (conf->credentials)
			exchange_borrow_field(ex, &with_credentials);
	}
	field_borrow(ex, &cors->expose);
}

/* --- at the start ----------------------------------------------------------------------------- */

static size_t words_len(const struct conf_cors_words *words)
{
	size_t len = 0;
	for (uint32_t i = 0; i < words->count; i++)
		len += strlen(words->list[i]) + 2;
	return len;
}

static void field_init(struct http_header *field, const char *name, const struct text *t)
{
	if (t->len == 0)
		return;
	*field = (struct http_header){name, t->data, (uint32_t)strlen(name), (uint32_t)t->len};
}

/* Each takes its part of the texts, whose rest is at *at. */
static void words_init(struct http_header *field, const char *name,
		       const struct conf_cors_words *words, char **at)
{
	struct text t;
	text_init(&t, *at, words_len(words) + 1);
	for (uint32_t i = 0; i < words->count; i++) {
		if (i > 0)
			text_add_str(&t, ", ");
		text_add_str(&t, words->list[i]);
	}
	field_init(field, name, &t);
	*at += words_len(words) + 1;
}

static void methods_init(struct http_header *field, unsigned set, char **at)
{
	static const char *const names[CONF_METHODS] = {
	    [CONF_GET] = "GET",     [CONF_HEAD] = "HEAD",     [CONF_POST] = "POST",
	    [CONF_PUT] = "PUT",     [CONF_DELETE] = "DELETE", [CONF_OPTIONS] = "OPTIONS",
	    [CONF_PATCH] = "PATCH",
	};
	struct text t;
	text_init(&t, *at, METHODS_MAX);
	for (unsigned m = 0; m < CONF_METHODS; m++) {
		if ((set & CONF_METHOD_BIT(m)) == 0)
			continue;
		if (t.len > 0)
			text_add_str(&t, ", ");
		text_add_str(&t, names[m]);
	}
	field_init(field, "Access-Control-Allow-Methods", &t);
	*at += METHODS_MAX;
}

static void *cors_make(const void *options, const struct filter_means *means)
{
	const struct conf_cors *conf = options;
	struct text t;
	struct cors *cors = calloc(1, sizeof(*cors) + METHODS_MAX + NUMBER_MAX +
					  words_len(&conf->headers) + words_len(&conf->expose) + 2);
	(void)means;
	if (cors == NULL)
		return NULL;
	char *at = cors->texts;
	cors->conf = conf;
	methods_init(&cors->methods, conf->methods, &at);
	words_init(&cors->headers, "Access-Control-Allow-Headers", &conf->headers, &at);
	words_init(&cors->expose, "Access-Control-Expose-Headers", &conf->expose, &at);
	text_init(&t, at, NUMBER_MAX);
	if (conf->has_max_age)
		text_add_uint(&t, conf->max_age_s);
	field_init(&cors->max_age, "Access-Control-Max-Age", &t);
	return cors;
}

static bool cors_is_off(const void *options)
{
	return ((const struct conf_cors *)options)->off;
}

const struct filter_kind filter_kind_cors = {
    .filter = &filter_cors,
    .is_off = cors_is_off,
    .finish = cors_finish,
    .make = cors_make,
};
