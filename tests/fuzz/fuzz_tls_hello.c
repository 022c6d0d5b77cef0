/* The parser of a ClientHello that runs before GnuTLS's own: it reads within bounds, and more
 * bytes only add findings. */
#include <stdlib.h>
#include <string.h>

#include "tls/hello.h"
#include "tls/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct tls_offer offer = {
    .suites = {{{0xc0, 0x2b}, SUITES_ECDSA}, {{0xc0, 0x2f}, SUITES_RSA}}, .suites_count = 2};

static struct tls_hello hello_read(const uint8_t *data, size_t size)
{
	struct tls_hello hello = {.count = 1};
	uint8_t *copy = malloc(size); /* so that a sanitizer reports a read of any byte after it */
	if (copy == NULL && size > 0)
		abort();
	if (size > 0)
		memcpy(copy, data, size);
	tls_hello_read(&hello, &offer, copy, size);
	free(copy);
	if (hello.count != 2 || (hello.suites & ~(SUITES_ECDSA | SUITES_RSA)) != 0)
		abort();
	return hello;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tls_hello all = hello_read(data, size), part = hello_read(data, size / 2);
	if ((part.suites & ~all.suites) != 0 || (part.repeated && !all.repeated))
		abort();
	return 0;
}
