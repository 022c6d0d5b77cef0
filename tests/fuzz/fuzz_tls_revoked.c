/* The reader of a list of revoked certificates: it reads within bounds, and believes no list that
 * no authority has signed. Its numbers are read before the signature is. */
#include <stdlib.h>
#include <string.h>

#include "tls/revoked.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tls_revoked list;
	const char *why = NULL;
	unsigned char *copy = malloc(size); /* so that a sanitizer reports a read after it */
	if (copy == NULL && size > 0)
		abort();
	if (size > 0)
		memcpy(copy, data, size);
	const gnutls_datum_t der = {copy, (unsigned)size};
	if (tls_revoked_read(&der, NULL, 0, &list, &why) >= 0 || why == NULL ||
	    list.serials != NULL || list.issuer.data != NULL)
		abort();
	free(copy);
	return 0;
}
