/*
 * Runs in the workers, on bytes of any client: what it accepts. Must never send it a coding that it
 * has excluded.
 */
#include "http/accept.h"

#include <string.h>

#include "internal.h"

#define QUALITY_MAX 1000

static const struct {
	const char *name, *suffix;
} codings[HTTP_CODINGS] = {
    [HTTP_IDENTITY] = {"identity", ""},
    [HTTP_BR] = {"br", ".br"},
    [HTTP_ZSTD] = {"zstd", ".zst"},
    [HTTP_GZIP] = {"gzip", ".gz"},
};

const char *http_coding_name(enum http_coding coding)
{
	return codings[coding].name;
}

const char *http_coding_suffix(enum http_coding coding)
{
	return codings[coding].suffix;
}

/* --- elements with parameters and a weight ---------------------------------------------------- */

struct element {
	const char *name;
	size_t name_len;
	unsigned quality; /* in thousandths */
	bool narrower;    /* it has parameters, so it is about less than its name says */
};

static void blanks_trim(const char **from, const char **to)
{
	while (*from < *to && (**from == ' ' || **from == '\t'))
		(*from)++;
	while (*to > *from && ((*to)[-1] == ' ' || (*to)[-1] == '\t'))
		(*to)--;
}

/* qvalue (RFC 9110, 12.4.2), in thousandths; malformed: 0. */
static unsigned quality_read(const char *s, size_t len)
{
	unsigned value = 0, factor = 100;
	if (len == 0 || len > 5 || (s[0] != '0' && s[0] != '1') || (len > 1 && s[1] != '.'))
		return 0;
	for (size_t i = 2; i < len; i++, factor /= 10) {
		if (!char_is_digit(s[i]))
			return 0;
		value += (unsigned)(s[i] - '0') * factor;
	}
	if (s[0] == '1')
		return value == 0 ? QUALITY_MAX : 0;
	return value;
}

/* Where the text up to a separator ends; a quoted string (RFC 9110, 5.6.4) has none in it. */
static const char *separator_find(const char *at, const char *end, char separator)
{
	bool quoted = false;
	for (; at < end; at++) {
		if (quoted && *at == '\\' && end - at > 1)
			at++;
		else if (*at == '"')
			quoted = !quoted;
		else if (*at == separator && !quoted)
			return at;
	}
	return end;
}

/* The text that this server makes is UTF-8: a wish for that is one for all of it. */
static bool is_utf8(const char *parameter, size_t len)
{
	return http_name_is(parameter, len, "charset=utf-8") ||
	       http_name_is(parameter, len, "charset=\"utf-8\"");
}

static void element_read(const char *from, const char *to, struct element *ret)
{
	const char *at = separator_find(from, to, ';'), *name_end = at;
	*ret = (struct element){.quality = QUALITY_MAX};
	blanks_trim(&from, &name_end);
	ret->name = from;
	ret->name_len = (size_t)(name_end - from);
	while (at < to) {
		const char *parameter = at + 1;
		const char *parameter_end = at = separator_find(parameter, to, ';');
		blanks_trim(&parameter, &parameter_end);
		const size_t len = (size_t)(parameter_end - parameter);
		if (len >= 2 && (parameter[0] | 0x20) == 'q' && parameter[1] == '=') {
			ret->quality = quality_read(parameter + 2, len - 2);
			return;
		}
		ret->narrower |= len > 0 && !is_utf8(parameter, len);
	}
}

/* Goes over the elements of all fields of that kind. */
struct elements {
	const struct http_request *request;
	unsigned field, left; /* fields not yet begun: from which on, and how many */
	const char *name;     /* of these fields, in lower case */
	const char *at, *end;
};

static bool elements_next(struct elements *e, struct element *ret)
{
	const struct http_request *r = e->request;
	for (;;) {
		while (e->at < e->end) {
			const char *from = e->at;
			const char *to = separator_find(from, e->end, ',');
			e->at = to < e->end ? to + 1 : to;
			blanks_trim(&from, &to);
			if (from == to)
				continue;
			element_read(from, to, ret);
			return true;
		}
		if (e->left == 0 || e->field >= r->fields_count)
			return false;
		const struct http_field *f = &r->fields[e->field++];
		if (!http_name_is(http_slice_at(r, f->name), f->name.len, e->name))
			continue;
		e->left--;
		e->at = http_slice_at(r, f->value);
		e->end = e->at + f->value.len;
	}
}

static struct elements elements_of(const struct http_request *r, const struct http_asks *asks,
				   enum http_ask ask, const char *name)
{
	return (struct elements){
	    .request = r, .field = asks->first[ask], .left = asks->count[ask], .name = name};
}

/* --- content codings -------------------------------------------------------------------------- */

/* "x-gzip" is gzip (RFC 9110, 8.4.1.3). */
static enum http_coding coding_of(const struct element *e)
{
	unsigned coding = 0;
	while (coding < HTTP_CODINGS && !http_name_is(e->name, e->name_len, codings[coding].name))
		coding++;
	if (coding == HTTP_CODINGS && http_name_is(e->name, e->name_len, "x-gzip"))
		coding = HTTP_GZIP;
	return (enum http_coding)coding;
}

/* Twice the quality, so that identity has a place below all that is mentioned. */
void http_codings_read(const struct http_request *r, const struct http_asks *asks,
		       struct http_codings *ret)
{
	struct elements all = elements_of(r, asks, ASK_ACCEPT_ENCODING, "accept-encoding");
	struct element e;
	unsigned named = 0, others = 0;
	bool has_others = false;
	*ret = (struct http_codings){.quality = {[HTTP_IDENTITY] = 1}};
	while (elements_next(&all, &e)) {
		if (e.name_len == 1 && e.name[0] == '*') {
			others = has_others ? others : e.quality;
			has_others = true;
			continue;
		}
		const enum http_coding coding = coding_of(&e);
		if (coding == HTTP_CODINGS || (named & 1U << coding) != 0)
			continue;
		named |= 1U << coding;
		ret->quality[coding] = (uint16_t)(2 * e.quality);
	}
	for (unsigned i = 0; has_others && i < HTTP_CODINGS; i++)
		if ((named & 1U << i) == 0)
			ret->quality[i] = (uint16_t)(2 * others);
}

/* --- media types ------------------------------------------------------------------------------ */

struct type_wish {
	const char *type, *range; /* "text/html", "text/" and "*" */
	unsigned quality, precision;
};

static void wish_take(struct type_wish *w, const struct element *e)
{
	unsigned precision = 0;
	if (e->narrower)
		return;
	if (http_name_is(e->name, e->name_len, w->type))
		precision = 3;
	else if (http_name_is(e->name, e->name_len, w->range))
		precision = 2;
	else if (http_name_is(e->name, e->name_len, "*/*"))
		precision = 1;
	if (precision <= w->precision)
		return;
	w->precision = precision;
	w->quality = e->quality;
}

bool http_accepts_json(const struct http_request *r, const struct http_asks *asks)
{
	struct elements all = elements_of(r, asks, ASK_ACCEPT, "accept");
	struct type_wish json = {.type = "application/json", .range = "application/*"};
	struct type_wish html = {.type = "text/html", .range = "text/*"};
	struct element e;
	while (elements_next(&all, &e)) {
		wish_take(&json, &e);
		wish_take(&html, &e);
	}
	return json.quality > html.quality;
}
