/*
 * Runs in the workers, on bytes of any client: ranges of bytes. Must never make a range that
 * reaches past the representation, nor let one request ask for the same byte twice.
 */
#include "http/range.h"

#include <string.h>

#include "base/text.h"
#include "http/media.h"
#include "internal.h"

static void blanks_skip(const char **at, const char *end)
{
	while (*at < end && (**at == ' ' || **at == '\t'))
		(*at)++;
}

/* Reads digits, as many as there are; a number that is too large becomes UINT64_MAX. False: there
 * is none. */
static bool position_read(const char **at, const char *end, uint64_t *ret)
{
	const char *from = *at;
	uint64_t value = 0;
	for (; *at < end && char_is_digit(**at); (*at)++) {
		const uint64_t digit = (uint64_t)(**at - '0');
		value = value > (UINT64_MAX - digit) / 10 ? UINT64_MAX : value * 10 + digit;
	}
	*ret = value;
	return *at > from;
}

enum spec { SPEC_MALFORMED, SPEC_OUTSIDE, SPEC_EMPTY, SPEC_RANGE };

/* "-5": the last bytes. */
static enum spec suffix_read(const char **at, const char *end, uint64_t size,
			     struct http_range *ret)
{
	uint64_t length;
	if (!position_read(at, end, &length))
		return SPEC_MALFORMED;
	if (length == 0)
		return SPEC_OUTSIDE;
	if (size == 0)
		return SPEC_EMPTY;
	*ret = (struct http_range){length < size ? size - length : 0, size - 1};
	return SPEC_RANGE;
}

/* "5-9", "5-", "-5" */
static enum spec spec_read(const char **at, const char *end, uint64_t size, struct http_range *ret)
{
	uint64_t first, last;
	if (*at < end && **at == '-') {
		(*at)++;
		return suffix_read(at, end, size, ret);
	}
	if (!position_read(at, end, &first) || *at == end || **at != '-')
		return SPEC_MALFORMED;
	(*at)++;
	if (!position_read(at, end, &last))
		last = UINT64_MAX;
	if (last < first)
		return SPEC_MALFORMED;
	if (first >= size)
		return SPEC_OUTSIDE;
	*ret = (struct http_range){first, last < size ? last : size - 1};
	return SPEC_RANGE;
}

/* Do they overlap or touch? Neither end is UINT64_MAX. */
static bool ranges_meet(const struct http_range *a, const struct http_range *b)
{
	return a->first <= b->last + 1 && b->first <= a->last + 1;
}

/* Adds a range to those that do not meet each other; returns the new count. */
static int range_add(struct http_range *list, int count, struct http_range range)
{
	int place = count, left = 0;
	for (int i = 0; i < count; i++) { /* it becomes one with each that it meets */
		if (!ranges_meet(&list[i], &range))
			continue;
		if (place == count)
			place = i;
		if (list[i].first < range.first)
			range.first = list[i].first;
		if (list[i].last > range.last)
			range.last = list[i].last;
	}
	for (int i = 0; i < count; i++) /* which have gone into it, but for the first */
		if (i <= place || !ranges_meet(&list[i], &range))
			list[left++] = list[i];
	list[place] = range;
	return place == count ? left + 1 : left;
}

int http_ranges_read(const char *value, size_t len, uint64_t size,
		     struct http_range ret[HTTP_RANGES_MAX])
{
	const char *at = value, *const end = value + len;
	int count = 0, specs = 0;
	bool empty = false;
	if (len < 6 || !http_name_is(value, 6, "bytes="))
		return HTTP_RANGE_WHOLE;
	at += 6;
	while (at < end) {
		struct http_range range;
		if (*at == ',') { /* elements may be empty (RFC 9110, 5.6.1.2) */
			at++;
			blanks_skip(&at, end);
			continue;
		}
		const enum spec spec = spec_read(&at, end, size, &range);
		if (spec == SPEC_MALFORMED || ++specs > HTTP_RANGES_MAX)
			return HTTP_RANGE_WHOLE;
		empty |= spec == SPEC_EMPTY;
		if (spec == SPEC_RANGE)
			count = range_add(ret, count, range);
		blanks_skip(&at, end);
		if (at < end && *at != ',')
			return HTTP_RANGE_WHOLE;
	}
	if (count > 0)
		return count;
	return specs == 0 || empty ? HTTP_RANGE_WHOLE : HTTP_RANGE_UNSATISFIABLE;
}

size_t http_content_range(const struct http_range *r, uint64_t size,
			  char out[HTTP_CONTENT_RANGE_MAX])
{
	struct text t;
	text_init(&t, out, HTTP_CONTENT_RANGE_MAX);
	text_add_str(&t, "bytes ");
	if (r != NULL) {
		text_add_uint(&t, r->first);
		text_add_char(&t, '-');
		text_add_uint(&t, r->last);
	} else {
		text_add_char(&t, '*');
	}
	text_add_char(&t, '/');
	text_add_uint(&t, size);
	return t.len;
}

/* --- several ranges in one body --------------------------------------------------------------- */

_Static_assert(HTTP_PART_MAX > HTTP_BOUNDARY_LEN + HTTP_TYPE_MAX + HTTP_CONTENT_RANGE_MAX + 64,
	       "the head of a part has its place");

size_t http_part_head(const struct http_parts *p, const struct http_range *r, bool first,
		      char out[HTTP_PART_MAX])
{
	char range[HTTP_CONTENT_RANGE_MAX];
	struct text t;
	text_init(&t, out, HTTP_PART_MAX);
	text_add_str(&t, first ? "--" : "\r\n--");
	text_add(&t, p->boundary, HTTP_BOUNDARY_LEN);
	if (r == NULL) {
		text_add_str(&t, "--\r\n");
		return t.len;
	}
	text_add_str(&t, "\r\nContent-Type: ");
	text_add(&t, p->type, p->type_len);
	text_add_str(&t, "\r\nContent-Range: ");
	text_add(&t, range, http_content_range(r, p->size, range));
	text_add_str(&t, "\r\n\r\n");
	return t.len;
}

uint64_t http_parts_length(const struct http_parts *p, const struct http_range *list, size_t count)
{
	char head[HTTP_PART_MAX];
	uint64_t length = http_part_head(p, NULL, false, head);
	for (size_t i = 0; i < count; i++)
		length +=
		    http_part_head(p, &list[i], i == 0, head) + list[i].last - list[i].first + 1;
	return length;
}
