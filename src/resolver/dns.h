/*
 * Questions to a name server and its answers, as bytes: RFC 1035 for A, RFC 3596 for AAAA. Pure.
 *
 * A question is answered by a message with the same id and question; any other is not the answer,
 * whoever sent it. Names are compared without regard to case (RFC 4343). CNAMEs in the answer are
 * followed; records of other names, and other sections, are not believed.
 */
#ifndef RESOLVER_DNS_H
#define RESOLVER_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/network.h"
#include "ipc/addresses.h"

#define DNS_NAME_TEXT_MAX 253 /* without a final dot */
#define DNS_NAME_MAX      255 /* as bytes of a message: RFC 1035, 2.3.4 */
#define DNS_QUERY_MAX     (12 + DNS_NAME_MAX + 4)
#define DNS_MESSAGE_MAX   65535

enum dns_type { DNS_A = 1, DNS_AAAA = 28 };

/* Writes a question for a name like "api.example.org" or "api.example.org.". Returns its length, or
 * -EINVAL: it is no name (an empty label, one above 63 bytes, or all above 253). */
int dns_query(uint16_t id, const char *name, enum dns_type, uint8_t ret[DNS_QUERY_MAX]);

enum dns_verdict {
	DNS_FOREIGN,   /* not the answer to this question, or malformed */
	DNS_FOUND,     /* one address or more */
	DNS_NONE,      /* the name has none of this type, or none that can be connected to */
	DNS_UNKNOWN,   /* there is no such name (NXDOMAIN) */
	DNS_TRUNCATED, /* ask again over TCP: RFC 7766 */
	DNS_FAILED     /* the server cannot say: SERVFAIL, REFUSED … */
};

struct dns_answer {
	struct network_address list[IPC_NAME_ADDRESSES_MAX];
	size_t count; /* the others are left out */
	uint32_t ttl; /* seconds, the least of all records that were used */
};

/* *ret is only valid after DNS_FOUND. */
enum dns_verdict dns_parse(const uint8_t *message, size_t len, const uint8_t *query,
			   size_t query_len, struct dns_answer *ret);

/* Can a connection go there? Not to "any" address (0.0.0.0/8, ::), to many (multicast, broadcast),
 * nor to IPv4 in the disguise of IPv6 (::ffff:0:0/96), which is judged by whether v6 is said. */
bool dns_is_usable(const struct network_address *, bool v6);

#endif
