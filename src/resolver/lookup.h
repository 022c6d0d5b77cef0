/*
 * The search for the addresses of a name: c-ares asks the name servers, over sockets that are made
 * here, because only the place of a server's address in the block can be connected to.
 *
 * A and AAAA are asked for at the same time, with the domains of resolv.conf(5), over UDP and, if
 * an answer does not fit, over TCP. c-ares reads no file, and keeps no answers.
 */
#ifndef RESOLVER_LOOKUP_H
#define RESOLVER_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/network.h"
#include "ipc/addresses.h"
#include "net/loop.h"
#include "servers.h"

#define LOOKUP_SOCKETS_MAX 32

struct lookups;
struct ares_channeldata;

struct lookup_socket {
	struct loop_io io; /* first; fd -1: it is not in use */
	struct lookups *owner;
};

/* What all lookups of a process share. */
struct lookups {
	struct ares_channeldata *channel;
	struct loop *loop;
	const union ipc_address *places; /* of the servers: in the block */
	size_t places_count;
	struct loop_timer timer;
	struct lookup_socket sockets[LOOKUP_SOCKETS_MAX];
};

/* Before the process is confined: c-ares reads random bytes from a file here, for its ids. It takes
 * nothing from the environment, nor from a file of the system. 0, or -1 and a sentence in err. */
int lookups_init(struct lookups *, const struct servers *, struct err *);
/* places: of the servers, in their order. 0 or -ENOMEM. */
int lookups_begin(struct lookups *, struct loop *, const union ipc_address *places, size_t count);
/* Lookups that are under way are not called back. Their memory must be there until then. */
void lookups_end(struct lookups *);

enum lookup_verdict {
	LOOKUP_FOUND,     /* one address or more */
	LOOKUP_UNKNOWN,   /* the name does not exist, or has no address that can be used */
	LOOKUP_NO_ANSWER, /* no server has answered in time, or they cannot say */
	LOOKUP_FAILED     /* the answer is malformed, or this process lacks memory */
};

struct lookup_result {
	enum lookup_verdict verdict;
	/* IPv6 and IPv4 in turns (RFC 8305, 4), each ascending, so the same addresses are always
	 * the same list. Those beyond the most that a name can have are left out. */
	struct network_address list[IPC_NAME_ADDRESSES_MAX];
	size_t count;
	uint32_t ttl; /* seconds, the least of all records that were used */
};

struct lookup {
	struct lookups *all;
	/* Called once, from the loop or from within lookup_begin(). */
	void (*done)(struct lookup *, const struct lookup_result *);
};

void lookup_begin(struct lookups *, struct lookup *, const char *name,
		  void (*done)(struct lookup *, const struct lookup_result *));

/* Can a connection go there? Not to "any" address (0.0.0.0/8, ::), to many (multicast, broadcast),
 * nor, if it was said to be of IPv6, to one of IPv4 (::ffff:0:0/96). Pure. */
bool lookup_is_usable(const struct network_address *, bool v6);

#endif
