/*
 * A table from host names to numbers; src/tls only. It is filled and sealed before the sessions
 * begin, and only read afterwards. A lookup compares a name with about as many others as the number
 * of names has binary digits.
 *
 * Names are in the form that tls_name_fold() makes. "*.example.org" stands for each name with one
 * label in place of "*" (RFC 9525, 6.3). A table can hold the names of several sets: the names of
 * the hosts of a port are one set, and the names in the certificates of each host are another.
 */
#ifndef TLS_NAMES_H
#define TLS_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TLS_NAME_MAX 255 /* bytes; RFC 1035, 2.3.4 */

struct tls_name {
	char *name;
	uint32_t set;
	uint32_t order; /* of names that are equal: the one that was added first comes first */
	uint32_t value;
	uint8_t kind; /* of two equal names of one kind, only the first is kept; below 32 */
};

struct tls_names {
	struct tls_name *all;
	size_t count;
	size_t room;
};

/* Copies a name in the form in which names are compared: ASCII in lower case, without the final
 * dot. An IPv6 address gets brackets and its canonical form (RFC 5952). Returns false for what no
 * host or certificate can have as its name: nothing, more than TLS_NAME_MAX bytes, bytes that are
 * not visible ASCII. */
bool tls_name_fold(const void *name, size_t len, char ret[TLS_NAME_MAX + 1]);

/* Is the folded name an address? */
bool tls_name_is_address(const char *name);

/* Writes the wildcard that covers the name: its first label becomes "*". Returns false if there is
 * none, because the name has one label only or is an address. */
bool tls_name_wildcard(const char *name, char ret[TLS_NAME_MAX + 1]);

/* Copies a folded name. Returns 0 or -ENOMEM. */
int tls_names_add(struct tls_names *, uint32_t set, const char *name, uint32_t value, uint8_t kind);
void tls_names_seal(struct tls_names *);
void tls_names_release(struct tls_names *);

/* Finds exactly this name in the set. Returns how many there are; *ret is the first of them. */
size_t tls_names_find(const struct tls_names *, uint32_t set, const char *name,
		      const struct tls_name **ret);

/* All names of the set, in the same way. */
size_t tls_names_of(const struct tls_names *, uint32_t set, const struct tls_name **ret);

#endif
