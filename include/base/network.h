/*
 * Addresses as numbers, and the networks that they are in: "10.0.0.0/8", "2001:db8::/32", and which
 * of many networks an address is in.
 *
 * An IPv4 address is the same as the IPv6 address that maps it (RFC 4291, 2.5.5.2): a client is the
 * same, whichever socket took its connection.
 */
#ifndef BASE_NETWORK_H
#define BASE_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"

/* An address, its first byte the highest. IPv4: ::ffff:a.b.c.d. */
struct network_address {
	uint64_t high, low;
};

/* From 16 bytes in the order of the network, like those of struct in6_addr; from 4. */
struct network_address network_address_v6(const void *bytes);
struct network_address network_address_v4(const void *bytes);
/* Reads a numeric address without a zone. 0 or -EINVAL. */
int network_address_parse(const char *text, size_t len, struct network_address *ret);
static inline bool network_address_is_v4(const struct network_address *a)
{
	return a->high == 0 && a->low >> 32 == 0xffff;
}

/* Who it is, for what is counted by client: an IPv4 address, or the first 64 bits of an IPv6
 * address, since its owner has all of the rest (RFC 6177). */
static inline uint64_t network_address_client(const struct network_address *a)
{
	return network_address_is_v4(a) ? a->low : a->high;
}

/* The addresses that begin with the same bits as first. */
struct network {
	struct network_address first;
	unsigned bits; /* 0 to 128; of IPv4 96 and more */
};

/*
 * Reads "10.0.0.0/8", "2001:db8::/32", an address alone (all of its bits), or "*", which is every
 * address of both families. Returns 0, or:
 *
 *  - -EINVAL: it is none of these;
 *  - -ERANGE: the length is more than the address has bits;
 *  - -EDOM: the address has bits after its length, as in 10.0.0.1/8. *ret is the network that it is
 *    in; it is untouched after the other errors.
 */
int network_parse(const char *text, size_t len, struct network *ret);

/* Writes it as network_parse() reads it, an address alone without its length. */
#define NETWORK_TEXT_MAX (ADDRESS_TEXT_MAX + 4)
const char *network_format(const struct network *, char out[NETWORK_TEXT_MAX]);

bool network_has(const struct network *, const struct network_address *);

/*
 * Many networks in which an address is sought by bisection, so that their number does not make a
 * request slow. Of those that have the address, the first in the order of the list counts.
 */
struct network_table {
	struct network_span {
		struct network_address from; /* up to the next one's */
		uint32_t index;              /* in the list, or NETWORK_NONE */
	} * spans;                           /* owned */
	size_t count;
};

#define NETWORK_NONE UINT32_MAX

/* The list is not needed afterwards. 0 or -ENOMEM. */
int network_table_init(struct network_table *, const struct network *list, size_t count);
void network_table_release(struct network_table *);
/* The index of the network that has the address; NETWORK_NONE: none has it. */
uint32_t network_table_find(const struct network_table *, const struct network_address *);

#endif
