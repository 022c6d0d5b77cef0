/*
 * The head parser and its callees. Any bytes, in one piece and byte by byte, give the same
 * result, and every slice of it lies inside the head.
 */
#include <stdlib.h>
#include <string.h>

#include "../http_path.h"
#include "http/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define REQUIRE(condition)        \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

static void slice_check(const struct http_request *r, struct http_slice s, size_t known)
{
	REQUIRE(s.off <= known && s.len <= known - s.off);
	for (uint32_t i = 0; i < s.len; i++) {
		char c = http_slice_at(r, s)[i];
		REQUIRE(c != '\r' && c != '\n' && c != '\0');
	}
}

/* The path that a location is sought for, its map, and the rest after any location. */
static void request_path_check(const struct http_request *r)
{
	static struct http_loop loop;
	struct exchange *ex = exchange_acquire(&loop, NULL, NULL);
	REQUIRE(ex != NULL);
	ex->request.head = r->head;
	ex->request.path = r->path;
	(void)path_check(ex);
	exchange_drop(ex);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct http_request whole, split;
	const size_t head_max = 2048;
	const char *text = (const char *)data;
	size_t scan = 0;
	long n = http_request_parse(text, len, head_max, &scan, &whole), m = 0;
	size_t known = len < head_max ? len : head_max;

	REQUIRE(n <= (long)known);
	if (n != 0) {
		slice_check(&whole, whole.method_text, known);
		slice_check(&whole, whole.target, known);
		slice_check(&whole, whole.path, known);
		slice_check(&whole, whole.query, known);
		slice_check(&whole, whole.host, known);
		slice_check(&whole, whole.version, known);
		REQUIRE(whole.excerpt.off <= known &&
			whole.excerpt.len <= known - whole.excerpt.off);
		for (unsigned i = 0; i < whole.fields_count; i++) {
			slice_check(&whole, whole.fields[i].name, known);
			slice_check(&whole, whole.fields[i].value, known);
		}
	}
	if (n > 0)
		request_path_check(&whole);

	scan = 0;
	for (size_t i = 0; i <= len && m == 0; i++)
		m = http_request_parse(text, i, head_max, &scan, &split);
	REQUIRE(m == n);
	REQUIRE(n > -(long)HTTP_REFUSALS);
	if (n < 0) { /* the access record is the same, too */
		REQUIRE(split.excerpt.off == whole.excerpt.off);
		REQUIRE(split.excerpt.len == whole.excerpt.len);
		REQUIRE(split.excerpt_cut == whole.excerpt_cut);
		REQUIRE(split.target.len == whole.target.len);
	}
	if (n > 0)
		REQUIRE(split.framing == whole.framing && split.fields_count == whole.fields_count);
	return 0;
}
