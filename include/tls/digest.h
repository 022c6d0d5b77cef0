/*
 * One digest for all the files that a process received, to find out whether they changed: SHA-256
 * (FIPS 180-4) over the SHA-256 of each file, in their order. It reveals nothing about a key except
 * whether it is the same.
 */
#ifndef TLS_DIGEST_H
#define TLS_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/channel.h" /* IPC_DIGEST_BYTES */

/* The digest of the content of one file; false, and zeros: it could not be computed. */
bool tls_digest(const void *data, size_t len, uint8_t ret[IPC_DIGEST_BYTES]);

/* HMAC-SHA-256 (RFC 2104) of the data under a key of IPC_DIGEST_BYTES; false: out of memory. */
bool tls_digest_keyed(const uint8_t key[IPC_DIGEST_BYTES], const void *data, size_t len,
		      uint8_t ret[IPC_DIGEST_BYTES]);

/* Adds one more file to all, which begins as zeros. False as above. */
bool tls_digest_add(uint8_t all[IPC_DIGEST_BYTES], const uint8_t one[IPC_DIGEST_BYTES]);

#endif
