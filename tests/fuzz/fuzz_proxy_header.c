/* The header of the PROXY protocol: read within its bounds (each prefix has a copy of its own),
 * decided within PROXY_HEADER_MAX, and later bytes never change a decision. */
#include <stdlib.h>
#include <string.h>

#include "net/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static bool same(const struct network_address *a, const struct network_address *b)
{
	return a->high == b->high && a->low == b->low;
}

/* Once the header is whole, more bytes are those of its client. */
static void compare(const struct proxy_header *a, const struct proxy_header *b)
{
	check(a->len == b->len && a->version == b->version && a->own == b->own);
	check(a->own ||
	      (same(&a->source, &b->source) && same(&a->destination, &b->destination) &&
	       a->source_port == b->source_port && a->destination_port == b->destination_port));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum proxy_header_result before = PROXY_HEADER_MORE, seen = PROXY_HEADER_MORE;
	struct proxy_header first = {0};
	for (size_t len = 0; len <= size && len <= (size_t)2 * PROXY_HEADER_MAX; len++) {
		struct proxy_header h = {0};
		uint8_t *copy = malloc(len);
		check(copy != NULL || len == 0);
		if (len > 0)
			memcpy(copy, data, len);
		const enum proxy_header_result result = proxy_header_read(copy, len, &h);
		const enum proxy_header_result recognized = proxy_header_recognize(copy, len);
		check(before == PROXY_HEADER_MORE || result == before);
		check(result != PROXY_HEADER_MORE || len < PROXY_HEADER_MAX);
		check(seen == PROXY_HEADER_MORE || recognized == seen);
		check(recognized != PROXY_HEADER_MORE || len < 13);
		check(result != PROXY_HEADER_OK || recognized == PROXY_HEADER_OK);
		check(recognized != PROXY_HEADER_NONE || result != PROXY_HEADER_OK);
		check((result == PROXY_HEADER_BROKEN) == (h.fault != NULL));
		if (result == PROXY_HEADER_OK) {
			check(h.version == 2 || h.len <= len);
			check(h.len >= 15 && h.len <= 16 + 65535);
			if (before == PROXY_HEADER_OK)
				compare(&first, &h);
			first = h;
		}
		before = result;
		seen = recognized;
		free(copy);
	}
	return 0;
}
