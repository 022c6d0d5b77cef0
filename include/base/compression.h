/*
 * Compressing responses: what the configuration and the worker have to agree on.
 */
#ifndef BASE_COMPRESSION_H
#define BASE_COMPRESSION_H

#include <stddef.h>
#include <stdint.h>

/*
 * CODING(constant, word, least level, most, default). Higher levels of the libraries take many
 * times the memory or the time.
 */
#define COMPRESSIONS(CODING)          \
	CODING(GZIP, "gzip", 1, 9, 5) \
	CODING(ZSTD, "zstd", 1, 9, 3) \
	CODING(BR, "br", 1, 6, 4)

#define COMPRESSION_CONSTANT(constant, word, least, most, preset) COMPRESSION_##constant,
enum compression { COMPRESSIONS(COMPRESSION_CONSTANT) COMPRESSIONS_COUNT };
#undef COMPRESSION_CONSTANT

#define COMPRESSION_LEAST_DEFAULT 1024 /* bytes */

/* The memory that all responses that are being compressed in one event loop have, with what is
 * kept for the next ones. A response for which there is no room is sent as it is. */
#define COMPRESSION_BYTES_MAX ((size_t)64 << 20)

#endif
