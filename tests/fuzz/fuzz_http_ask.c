/*
 * Conditions, ranges and what a client accepts, from any fields of a request; and tables of media
 * types from any text. The ranges of a set are in the representation, in no byte twice, and their
 * parts have the length that was promised. Conditions and codings do not depend on other fields.
 */
#include <stdlib.h>
#include <string.h>

#include "http/accept.h"
#include "http/condition.h"
#include "http/media.h"
#include "http/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define REQUIRE(condition)        \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

#define HEAD_MAX 4096

static void ranges_check(const char *value, size_t len, uint64_t size)
{
	struct http_range list[HTTP_RANGES_MAX];
	const int count = http_ranges_read(value, len, size, list);
	const struct http_parts parts = {.boundary = "0123456789abcdef0123456789abcdef",
					 .type = "text/plain",
					 .type_len = 10,
					 .size = size};
	char head[HTTP_PART_MAX];
	uint64_t length = http_part_head(&parts, NULL, false, head);
	REQUIRE(count >= HTTP_RANGE_UNSATISFIABLE && count <= HTTP_RANGES_MAX);
	for (int i = 0; i < count; i++) {
		REQUIRE(list[i].first <= list[i].last && list[i].last < size);
		for (int k = 0; k < i; k++)
			REQUIRE(list[i].first > list[k].last + 1 ||
				list[k].first > list[i].last + 1);
		length += http_part_head(&parts, &list[i], i == 0, head) +
			  (list[i].last - list[i].first + 1);
	}
	REQUIRE(length == http_parts_length(&parts, list, count > 0 ? (size_t)count : 0));
}

static void asks_check(const struct http_request *r, uint64_t size)
{
	static const struct http_validators files[] = {
	    {.etag = "\"a\"", .etag_len = 3, .modified = 784111777, .has_modified = true},
	    {.etag = NULL},
	};
	struct http_asks asks;
	struct http_codings codings;
	size_t len;
	http_asks_read(r, &asks);
	for (size_t i = 0; i < 2; i++) {
		const unsigned status = http_conditions_judge(r, &asks, &files[i], 1795996800);
		REQUIRE(status == 0 || status == 304 || status == 412);
		const bool holds = http_if_range_holds(r, &asks, &files[i], 1795996800);
		REQUIRE(holds || asks.count[ASK_IF_RANGE] > 0);
		if (asks.count[ASK_IF_MATCH] + asks.count[ASK_IF_UNMODIFIED_SINCE] == 0)
			REQUIRE(status != 412);
	}
	http_codings_read(r, &asks, &codings);
	for (unsigned i = 0; i < HTTP_CODINGS; i++)
		REQUIRE(codings.quality[i] <= 2000);
	(void)http_accepts_json(r, &asks);
	const char *range = http_asks_value(r, &asks, ASK_RANGE, &len);
	if (range != NULL)
		ranges_check(range, len, size);
}

static void types_check(const char *text, size_t len)
{
	struct media_table t = {0};
	REQUIRE(media_read(&t, text, len) == 0);
	REQUIRE(t.count == 0 || t.count <= t.size / 2 + 1);
	const struct media_row *row = media_find(&t, text, len);
	if (row != NULL)
		for (size_t i = 0; i < row->type_len; i++)
			REQUIRE(row->type[i] >= ' ' && row->type[i] < 0x7f);
	media_release(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char line[] = "GET / HTTP/1.1\r\nHost: a\r\n";
	char head[sizeof(line) + HEAD_MAX];
	struct http_request r;
	size_t scan = 0, used = sizeof(line) - 1;
	uint64_t size = 0;
	if (len < 8 || len > HEAD_MAX)
		return 0;
	memcpy(&size, data, 8);
	size >>= size & 63;
	if (size == UINT64_MAX)
		size--;
	data += 8;
	len -= 8;
	memcpy(head, line, used);
	memcpy(head + used, data, len);
	used += len;
	if (http_request_parse(head, used, sizeof(head), &scan, &r) > 0)
		asks_check(&r, size);
	ranges_check((const char *)data, len, size);
	types_check((const char *)data, len);
	return 0;
}
