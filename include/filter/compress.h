/*
 * Compression as a filter: responses whose type and length are worth it, in the coding that the
 * client wants most (RFC 9110, 8.4 and 12.5.3).
 *
 * A response that is compressed becomes a stream of unknown length. Its entity tag becomes weak:
 * the bytes are others than those that the handler has it for (RFC 9110, 8.8.1), so it still serves
 * If-None-Match, and If-Range and If-Match do not hold, which compare strongly. Ranges are of the
 * uncompressed form, and are sent as that; Accept-Ranges is not in a compressed response.
 *
 * What could have been compressed says "Vary: Accept-Encoding", even if it was not.
 *
 * The streams of an event loop share its coders (struct compress_loop, in http_loop.compress):
 * their memory is bounded, and so is what they read in one turn of the loop.
 */
#ifndef FILTER_COMPRESS_H
#define FILTER_COMPRESS_H

#include "base/compression.h"
#include "http/filter.h"

struct compress {
	uint8_t codings[COMPRESSIONS_COUNT]; /* enum compression; the first comes first */
	uint8_t levels[COMPRESSIONS_COUNT];  /* by enum compression */
	uint32_t codings_count;
	uint64_t
	    least; /* bytes of a response that is compressed; a length that is unknown is enough */
	/* media types without parameters; one "*" in each may stand for any part of it */
	const char *const *types;
	size_t types_count;
};

/* config: struct compress. */
extern const struct filter filter_compress;

/* Does such a type cover this value of Content-Type? */
bool compress_type_covers(const char *type, const char *value, size_t len);

#endif
