/*
 * Base64 of RFC 4648, section 4: strictly, with padding and without line breaks.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stddef.h>
#include <stdint.h>

/* Bytes that a text of this length can become. */
#define BASE64_BYTES_MAX(len) ((len) / 4 * 3)

/* Decodes; ret has room for BASE64_BYTES_MAX(len). Returns the number of bytes; SIZE_MAX: it is not
 * base64, or its last bits are not zero. */
size_t base64_decode(const char *text, size_t len, uint8_t *ret);

#endif
