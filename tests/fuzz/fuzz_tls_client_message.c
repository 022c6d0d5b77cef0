/* The parser of a client's Certificate message that runs before GnuTLS's own: it reads within
 * bounds, and a smaller number of certificates never lets more in. The first byte is the version.
 */
#include <stdlib.h>
#include <string.h>

#include "tls/client_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum tls_client_fault few = TLS_CLIENT_FAULTS, many = TLS_CLIENT_FAULTS;
	if (size == 0)
		return 0;
	uint8_t *copy = malloc(size); /* so that a sanitizer reports a read of any byte after it */
	if (copy == NULL)
		abort();
	memcpy(copy, data + 1, size - 1);
	const bool is_13 = (data[0] & 1) != 0;
	const bool formed = tls_client_message_check(copy, size - 1, is_13, 2, &few);
	const bool formed_too = tls_client_message_check(copy, size - 1, is_13, 18, &many);
	if (few >= TLS_CLIENT_FAULTS || many >= TLS_CLIENT_FAULTS ||
	    (formed && few == TLS_CLIENT_GOOD && (!formed_too || many != TLS_CLIENT_GOOD)))
		abort();
	free(copy);
	return 0;
}
