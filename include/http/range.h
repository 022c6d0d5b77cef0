/*
 * Ranges of bytes (RFC 9110, 14), and the body that has several of them (multipart/byteranges).
 *
 * Pure: bytes in, numbers and text out.
 */
#ifndef HTTP_RANGE_H
#define HTTP_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_RANGES_MAX 32 /* that one request can ask for; with more it gets the whole */

/* Both ends belong to it; first <= last < size. */
struct http_range {
	uint64_t first, last;
};

enum {
	HTTP_RANGE_WHOLE = 0,         /* Range is ignored: 200 */
	HTTP_RANGE_UNSATISFIABLE = -1 /* 416 */
};

/*
 * Reads the value of Range for a representation of that size. Returns how many ranges are to be
 * sent, or one of the two above. Ranges that overlap or touch are made one, at the place of the
 * first of them; those that lie after the end are left out.
 *
 * Ignored are: a unit other than bytes, a set that is malformed in any of its ranges, more than
 * HTTP_RANGES_MAX ranges, and the last bytes of an empty representation, of which there are none.
 */
int http_ranges_read(const char *value, size_t len, uint64_t size,
		     struct http_range ret[HTTP_RANGES_MAX]);

#define HTTP_CONTENT_RANGE_MAX 72 /* "bytes 18446744073709551614-…/…", and a NUL */

/* Writes the value of Content-Range; of NULL, which is for 416, only the size. Returns its
 * length. */
size_t http_content_range(const struct http_range *, uint64_t size,
			  char out[HTTP_CONTENT_RANGE_MAX]);

/* --- several ranges in one body: RFC 9110, 14.6 ----------------------------------------------- */

#define HTTP_BOUNDARY_LEN 32
#define HTTP_PART_MAX     512 /* bytes of what stands before a part, or after the last one */

/* What all parts have in common; the texts are borrowed. */
struct http_parts {
	const char *boundary; /* HTTP_BOUNDARY_LEN characters */
	const char *type;     /* of the representation; at most HTTP_TYPE_MAX bytes */
	size_t type_len;
	uint64_t size; /* of the representation */
};

/* Writes what stands before this part, or, for NULL, after the last; first: it is the first part.
 * Returns the length. */
size_t http_part_head(const struct http_parts *, const struct http_range *, bool first,
		      char out[HTTP_PART_MAX]);

/* The length of the whole body. */
uint64_t http_parts_length(const struct http_parts *, const struct http_range *, size_t count);

#endif
