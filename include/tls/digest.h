/*
 * Are these the same files? What a process was handed, as one number: SHA-256 (FIPS 180-4) over the
 * SHA-256 of each file, in their order. It tells nothing of a key but whether it is the same.
 */
#ifndef TLS_DIGEST_H
#define TLS_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define TLS_DIGEST_BYTES 32

/* Of one file's content. */
void tls_digest(const void *data, size_t len, uint8_t ret[TLS_DIGEST_BYTES]);

/* One more file: all begins as zeros. */
void tls_digest_add(uint8_t all[TLS_DIGEST_BYTES], const uint8_t one[TLS_DIGEST_BYTES]);

#endif
