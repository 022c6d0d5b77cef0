/*
 * The header that a proxy puts in front of a connection, to say where the connection comes from:
 * the PROXY protocol, versions 1 and 2 (HAProxy's doc/proxy-protocol.txt).
 *
 * Pure: bytes in, facts out; nothing is kept and nothing allocated. Who may send a header is
 * decided elsewhere: whoever sends one says what address it likes.
 */
#ifndef NET_PROXY_HEADER_H
#define NET_PROXY_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/network.h"

/* How many of a connection's first bytes are enough for every decision: a whole line of version 1
 * (2.1, with its CRLF). Of version 2 (2.2) it takes 16 bytes and the addresses, at most 52. */
#define PROXY_HEADER_MAX 107

enum proxy_header_result {
	PROXY_HEADER_OK,
	PROXY_HEADER_MORE,   /* undecided: it takes more bytes, at most PROXY_HEADER_MAX in all */
	PROXY_HEADER_NONE,   /* they do not begin as a header does */
	PROXY_HEADER_BROKEN, /* they do, but it is none that the protocol allows */
};

struct proxy_header {
	/* Of the whole header. With version 2 fields of any kind follow the addresses (TLVs, 2.2):
	 * so it may be more than the bytes that have come, up to 65551. The caller skips them all.
	 */
	size_t len;
	unsigned version; /* 1 or 2 */
	/* The header names no addresses of the internet, so those of the connection itself stay:
	 * the proxy speaks for itself (LOCAL), or does not know (UNKNOWN, UNSPEC), or its client
	 * came by a local socket (UNIX). */
	bool own;
	/* Otherwise: where the client is, and what it has connected to. */
	struct network_address source, destination;
	uint16_t source_port, destination_port;
	const char *fault; /* BROKEN: a sentence for people; static */
};

/* Judges the bytes received so far. *ret is set with OK and BROKEN. */
enum proxy_header_result proxy_header_read(const uint8_t *data, size_t len,
					   struct proxy_header *ret);

/* Do these bytes begin a header, of whatever content? OK, MORE or NONE; at most 13 bytes are
 * needed. Requests of HTTP with the method PROXY are none. */
enum proxy_header_result proxy_header_recognize(const uint8_t *data, size_t len);

#endif
