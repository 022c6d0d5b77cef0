/*
 * Runs in the workers, on bytes of any client: conditions. Must never take a malformed entity tag
 * for the one of a file.
 */
#include "http/condition.h"

#include <string.h>

#include "internal.h"

/* --- which fields there are ------------------------------------------------------------------- */

static int ask_of(const char *name, size_t len)
{
	switch (len) { /* the length alone excludes most fields */
	case 5:
		return http_name_is(name, len, "range") ? ASK_RANGE : -1;
	case 6:
		return http_name_is(name, len, "accept") ? ASK_ACCEPT : -1;
	case 8:
		if (http_name_is(name, len, "if-match"))
			return ASK_IF_MATCH;
		return http_name_is(name, len, "if-range") ? ASK_IF_RANGE : -1;
	case 13:
		return http_name_is(name, len, "if-none-match") ? ASK_IF_NONE_MATCH : -1;
	case 15:
		return http_name_is(name, len, "accept-encoding") ? ASK_ACCEPT_ENCODING : -1;
	case 17:
		return http_name_is(name, len, "if-modified-since") ? ASK_IF_MODIFIED_SINCE : -1;
	case 19:
		return http_name_is(name, len, "if-unmodified-since") ? ASK_IF_UNMODIFIED_SINCE
								      : -1;
	}
	return -1;
}

_Static_assert(HTTP_HEADERS_MAX <= UINT8_MAX, "the number of a field has its place");

void http_asks_read(const struct http_request *r, struct http_asks *ret)
{
	*ret = (struct http_asks){.count = {0}};
	for (unsigned i = 0; i < r->fields_count; i++) {
		const struct http_field *f = &r->fields[i];
		const int ask = ask_of(http_slice_at(r, f->name), f->name.len);
		if (ask >= 0 && ret->count[ask]++ == 0)
			ret->first[ask] = (uint8_t)i;
	}
}

const char *http_asks_value(const struct http_request *r, const struct http_asks *asks,
			    enum http_ask ask, size_t *ret_len)
{
	if (asks->count[ask] != 1)
		return NULL;
	const struct http_field *f = &r->fields[asks->first[ask]];
	*ret_len = f->value.len;
	return http_slice_at(r, f->value);
}

/* --- entity tags ------------------------------------------------------------------------------ */

/* The length of the entity tag at the front; 0: there is none. */
static size_t etag_len(const char *s, size_t len)
{
	size_t i = len >= 2 && s[0] == 'W' && s[1] == '/' ? 2 : 0;
	if (i >= len || s[i] != '"')
		return 0;
	for (i++; i < len && s[i] != '"'; i++)
		if ((unsigned char)s[i] <= ' ' || s[i] == 0x7f)
			return 0;
	return i < len ? i + 1 : 0;
}

/* The weak comparison ignores W/, the strong one is false for a weak tag (RFC 9110, 8.8.3.2). */
static bool etag_equal(const char *a, size_t a_len, const char *b, size_t b_len, bool weak)
{
	const bool a_weak = a_len > 0 && a[0] == 'W', b_weak = b_len > 0 && b[0] == 'W';
	if (!weak && (a_weak || b_weak))
		return false;
	if (a_weak) {
		a += 2;
		a_len -= 2;
	}
	if (b_weak) {
		b += 2;
		b_len -= 2;
	}
	return a_len == b_len && memcmp(a, b, a_len) == 0;
}

/* Is tag an element of this list? */
static bool etag_in(const char *s, size_t len, const char *tag, size_t tag_len, bool weak)
{
	size_t i = 0;
	while (i < len) {
		if (s[i] == ' ' || s[i] == '\t' || s[i] == ',') {
			i++;
			continue;
		}
		const size_t n = etag_len(s + i, len - i);
		size_t after = i + n;
		while (after < len && (s[after] == ' ' || s[after] == '\t'))
			after++;
		if (n > 0 && (after == len || s[after] == ',') &&
		    etag_equal(s + i, n, tag, tag_len, weak))
			return true;
		i = after;
		while (i < len && s[i] != ',')
			i++;
	}
	return false;
}

bool http_etag_listed(const struct http_request *r, const struct http_asks *asks, enum http_ask ask,
		      const char *tag, size_t tag_len, bool weak)
{
	size_t len;
	const char *value = http_asks_value(r, asks, ask, &len);
	if (value != NULL && len == 1 && value[0] == '*')
		return true;
	if (tag == NULL)
		return false;
	unsigned left = asks->count[ask];
	for (unsigned i = asks->first[ask]; left > 0 && i < r->fields_count; i++) {
		const struct http_field *f = &r->fields[i];
		if (ask_of(http_slice_at(r, f->name), f->name.len) != (int)ask)
			continue;
		left--;
		if (etag_in(http_slice_at(r, f->value), f->value.len, tag, tag_len, weak))
			return true;
	}
	return false;
}

/* --- conditions ------------------------------------------------------------------------------- */

static bool ask_date(const struct http_request *r, const struct http_asks *asks, enum http_ask ask,
		     int64_t now, int64_t *ret)
{
	size_t len;
	const char *value = http_asks_value(r, asks, ask, &len);
	return value != NULL && http_date_parse(value, len, now, ret);
}

unsigned http_conditions_judge(const struct http_request *r, const struct http_asks *asks,
			       const struct http_validators *v, int64_t now)
{
	int64_t date;
	if (asks->count[ASK_IF_MATCH] > 0) {
		if (!http_etag_listed(r, asks, ASK_IF_MATCH, v->etag, v->etag_len, false))
			return 412;
	} else if (v->has_modified && ask_date(r, asks, ASK_IF_UNMODIFIED_SINCE, now, &date) &&
		   v->modified > date) {
		return 412;
	}
	if (asks->count[ASK_IF_NONE_MATCH] > 0)
		return http_etag_listed(r, asks, ASK_IF_NONE_MATCH, v->etag, v->etag_len, true)
			   ? 304
			   : 0;
	if (v->has_modified && ask_date(r, asks, ASK_IF_MODIFIED_SINCE, now, &date) &&
	    v->modified <= date)
		return 304;
	return 0;
}

bool http_if_range_holds(const struct http_request *r, const struct http_asks *asks,
			 const struct http_validators *v, int64_t now)
{
	size_t len;
	int64_t date;
	if (asks->count[ASK_IF_RANGE] == 0)
		return true;
	const char *value = http_asks_value(r, asks, ASK_IF_RANGE, &len);
	if (value == NULL)
		return false;
	if (etag_len(value, len) == len)
		return v->etag != NULL && etag_equal(value, len, v->etag, v->etag_len, false);
	return v->has_modified && http_date_parse(value, len, now, &date) && date == v->modified &&
	       date < now;
}
