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
	uint8_t len;
	bool hop;
} known[] = {
#define FIELD(constant, name, hop) [UPSTREAM_##constant] = {name, sizeof(name) - 1, hop},
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
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '-';
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

/* The lengths that no known name has, besides the prefix: most fields are done with at once. */
#define LENGTH(n) (UINT32_C(1) << (n))
static const uint32_t lengths =
#define FIELD(constant, name, hop) LENGTH(sizeof(name) - 1) |
    UPSTREAM_FIELDS(FIELD) 0;
#undef FIELD

enum upstream_field upstream_field_find(const char *name, size_t len, bool *ret_alike)
{
	*ret_alike = false;
	if (len < 32 && (lengths & LENGTH(len)) != 0) {
		const char first = plain(name[0]);
		for (unsigned i = 0; i < UPSTREAM_NO_FIELD; i++)
			if (known[i].len == len && known[i].name[0] == first &&
			    field_is(name, known[i].name, len, ret_alike))
				return (enum upstream_field)i;
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

bool upstream_trailer_passes(const struct http_header *h)
{
	bool alike;
	return upstream_field_find(h->name, h->name_len, &alike) == UPSTREAM_NO_FIELD;
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

bool upstream_named_read(const char *head, const struct http_field *fields, unsigned count,
			 struct upstream_named *ret)
{
	unsigned options = 0;
	*ret = (struct upstream_named){0};
	for (unsigned i = 0; i < count; i++) {
		const struct http_field *f = &fields[i];
		if (f->name.len != 10 || !http_name_is(head + f->name.off, 10, "connection"))
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
