/*
 * Which addresses an endpoint has now: the one that its configuration says, or those that the
 * resolver has found for its name. Which of them is tried first, changes each time, so that all are
 * used; those that have failed lately are tried last.
 */
#ifndef CONNECTOR_ENDPOINTS_H
#define CONNECTOR_ENDPOINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"
#include "ipc/addresses.h"

/* How long an address that has failed is tried after the others. */
#define ENDPOINTS_BAD_MS 10000

struct endpoints {
	const struct conf_port *port;
	struct ipc_block block;
	struct endpoints_row *rows; /* by endpoint; owned */
};

struct endpoints_row {
	uint32_t place;        /* of a number or Unix path: in the block */
	uint32_t name;         /* of a name: its number */
	uint32_t next;         /* which address is the first, the next time */
	uint32_t bad;          /* a bit for each address that has failed … */
	uint32_t bad_turn;     /* … of the list with this turn */
	uint64_t bad_until_ms; /* … and counts as good again */
};

/* The addresses of all endpoints without a name, in the order of the endpoints. Returns how many.
 * ret NULL: only counts them. */
size_t endpoints_fixed(const struct conf_port *, union ipc_address *ret);
size_t endpoints_names(const struct conf_port *); /* endpoints with a name */

/* The block is the caller's, whose names may be NULL. 0 or -ENOMEM. */
int endpoints_init(struct endpoints *, const struct conf_port *, const struct ipc_block *);
void endpoints_release(struct endpoints *);

/* What dial.h connects to, one after the other. */
struct endpoints_list {
	uint8_t count;
	uint8_t index[IPC_NAME_ADDRESSES_MAX]; /* of each: its number in the resolver's list */
	const union ipc_address *places[IPC_NAME_ADDRESSES_MAX];
	uint32_t turn;
};

enum endpoints_found {
	ENDPOINTS_FOUND,
	ENDPOINTS_WAIT,      /* the resolver has not answered for the first time */
	ENDPOINTS_UNRESOLVED /* the name has no address */
};
enum endpoints_found endpoints_find(struct endpoints *, uint32_t endpoint, uint64_t now_ms,
				    struct endpoints_list *ret);
/* How many there are now, without using them. */
size_t endpoints_count(const struct endpoints *, uint32_t endpoint);

/* The i-th address of a list has failed or works. */
void endpoints_mark(struct endpoints *, uint32_t endpoint, const struct endpoints_list *,
		    unsigned i, bool bad, uint64_t now_ms);

/* The family of an address, for a socket that is connected to it; AF_UNSPEC: it is none that the
 * endpoint can have. What is in a place of a name may be anything, and may change at any time: so
 * this is the only look at the family, and a name never has a socket of AF_UNIX. */
sa_family_t endpoints_family(const struct endpoints *, uint32_t endpoint,
			     const union ipc_address *);

#endif
