/* The first bytes of a client: read within their bounds (each prefix has a copy of its own),
 * decided within TLS_FIRST_MAX, and later bytes never change a decision. */
#include <stdlib.h>
#include <string.h>

#include "tls/first.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum tls_first before = TLS_FIRST_MORE;
	for (size_t len = 0; len <= size && len <= (size_t)2 * TLS_FIRST_MAX; len++) {
		uint8_t *copy = malloc(len);
		if (copy == NULL && len > 0)
			abort();
		if (len > 0)
			memcpy(copy, data, len);
		enum tls_first first = tls_first_of(copy, len, false);
		if ((before != TLS_FIRST_MORE && first != before) ||
		    (first == TLS_FIRST_MORE && len >= TLS_FIRST_MAX) ||
		    tls_first_of(copy, len, true) == TLS_FIRST_MORE)
			abort();
		before = first;
		free(copy);
	}
	return 0;
}
