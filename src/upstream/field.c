/*
 * Runs in the workers, on fields of any client or upstream. Must never let a field pass that a
 * proxy makes, because its name is spelled in another way.
 */
#include "upstream/field.h"

#include <string.h>
#include <strings.h>

#include "http/message.h"

static const struct {
	const char *name;
	bool hop;
} known[] = {
#define FIELD(constant, name, hop) [UPSTREAM_##constant] = {name, hop},
    UPSTREAM_FIELDS(FIELD)
#undef FIELD
};

static const char prefix[] = "x-forwarded-";
#define PREFIX_LEN (sizeof(prefix) - 1)

/* A byte of a name as it is compared. */
static inline char plain(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c | 0x20);
	return (char)((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '-');
}

/* Is it this one, or like it? name is plain. */
static bool field_is(const char *s, const char *name, size_t len, bool *ret_alike)
{
	bool alike = false;
	for (size_t i = 0; i < len; i++) {
		if (plain(s[i]) != name[i])
			return false;
		alike = alike || (name[i] == '-' && s[i] != '-');
	}
	*ret_alike = alike;
	return true;
}

/* Those of one length, each plus 1; 0 ends them. */
#define SAME_MAX 6
static const uint8_t by_length[32][SAME_MAX] = {
#define F(constant) (UPSTREAM_##constant + 1)
    [2] = {F(TE)},
    [3] = {F(VIA), F(AGE)},
    [4] = {F(HOST), F(DATE), F(VARY)},
    [5] = {F(RANGE), F(PROXY)},
    [6] = {F(COOKIE), F(SERVER), F(EXPECT), F(PRAGMA)},
    [7] = {F(UPGRADE), F(TRAILER), F(EXPIRES)},
    [8] = {F(LOCATION), F(IF_MATCH), F(IF_RANGE)},
    [9] = {F(FORWARDED)},
    [10] = {F(CONNECTION), F(KEEP_ALIVE), F(SET_COOKIE), F(TRACESTATE)},
    [11] = {F(TRACEPARENT), F(RETRY_AFTER)},
    [12] = {F(CONTENT_TYPE), F(X_REQUEST_ID), F(MAX_FORWARDS), F(X_FORWARDED_OTHER)},
    [13] = {F(CACHE_CONTROL), F(AUTHORIZATION), F(IF_NONE_MATCH), F(CONTENT_RANGE)},
    [14] = {F(CONTENT_LENGTH), F(HTTP2_SETTINGS)},
    [15] = {F(X_FORWARDED_FOR)},
    [16] = {F(CONTENT_ENCODING), F(X_FORWARDED_HOST), F(X_FORWARDED_PORT), F(WWW_AUTHENTICATE),
	    F(CONTENT_LOCATION), F(PROXY_CONNECTION)},
    [17] = {F(TRANSFER_ENCODING), F(IF_MODIFIED_SINCE), F(X_FORWARDED_PROTO)},
    [18] = {F(PROXY_AUTHENTICATE), F(X_FORWARDED_PREFIX)},
    [19] = {F(PROXY_AUTHORIZATION), F(IF_UNMODIFIED_SINCE)},
    [25] = {F(PROXY_AUTHENTICATION)},
#undef F
};

enum upstream_field upstream_field_find(const char *name, size_t len, bool *ret_alike)
{
	*ret_alike = false;
	for (unsigned i = 0; len < 32 && i < SAME_MAX && by_length[len][i] != 0; i++) {
		const unsigned at = by_length[len][i] - 1u;
		if (field_is(name, known[at].name, len, ret_alike))
			return (enum upstream_field)at;
	}
	if (len > PREFIX_LEN && field_is(name, prefix, PREFIX_LEN, ret_alike))
		return UPSTREAM_X_FORWARDED_OTHER;
	return UPSTREAM_NO_FIELD;
}

bool upstream_names_alike(const char *a, size_t a_len, const char *b, size_t b_len)
{
	if (a_len != b_len)
		return false;
	for (size_t i = 0; i < a_len; i++)
		if (plain(a[i]) != plain(b[i]))
			return false;
	return true;
}

bool upstream_field_is_hop(enum upstream_field field)
{
	return field < UPSTREAM_NO_FIELD && known[field].hop;
}

/* --- Connection ------------------------------------------------------------------------------- */

static void named_add(const char *head, const struct http_field *fields, unsigned count,
		      const char *option, size_t len, struct upstream_named *ret)
{
	for (unsigned i = 0; i < count; i++)
		if (fields[i].name.len == len &&
		    strncasecmp(head + fields[i].name.off, option, len) == 0)
			ret->bits[i / 64] |= UINT64_C(1) << i % 64;
}

static bool is_connection(const char *head, const struct http_field *f)
{
	return f->name.len == 10 && http_name_is(head + f->name.off, 10, "connection");
}

bool upstream_named_read(const char *head, const struct http_field *fields, unsigned count,
			 struct upstream_named *ret)
{
	unsigned options = 0;
	*ret = (struct upstream_named){0};
	for (unsigned i = 0; i < count; i++) {
		const struct http_field *f = &fields[i];
		if (!is_connection(head, f))
			continue;
		const char *value = head + f->value.off, *at = value, *option;
		size_t n;
		while (http_list_next(&at, value + f->value.len, &option, &n)) {
			if (++options > UPSTREAM_OPTIONS_MAX)
				return false;
			if (n > 0)
				named_add(head, fields, count, option, n, ret);
		}
	}
	return true;
}

/* --- trailers --------------------------------------------------------------------------------- */

static bool options_name(const struct upstream_options *o, const struct http_header *h)
{
	for (unsigned i = 0; i < o->count; i++) {
		const struct http_field *f = &o->fields[i];
		if (!is_connection(o->head, f))
			continue;
		const char *at = o->head + f->value.off, *const end = at + f->value.len, *option;
		size_t n;
		while (http_list_next(&at, end, &option, &n))
			if (n == h->name_len && strncasecmp(option, h->name, n) == 0)
				return true;
	}
	return false;
}

bool upstream_trailer_passes(const struct http_header *h, const struct upstream_options *connection)
{
	bool alike;
	return upstream_field_find(h->name, h->name_len, &alike) == UPSTREAM_NO_FIELD &&
	       (connection == NULL || !options_name(connection, h));
}
