/*
 * The clients of a port, as one event loop knows them: how many connections each has, and what is
 * left of its rates.
 *
 * A client is an IPv4 address, also where an IPv6 address maps it, or the first 64 bits of an IPv6
 * address: its owner has all of the rest (RFC 6177). The table has a fixed number of places and
 * allocates nothing after its start. Places are found by a hash with a secret key (SipHash-2-4), so
 * nobody can choose addresses that are slow to find.
 *
 * A client with a connection keeps its place. The others are remembered until what they may take is
 * full again, and forgetting them then changes nothing. Only if there is no other place, the one
 * that was here longest ago is forgotten before. That favours it: it may take as much as a new
 * client. So others, however many addresses they have, can never make a client be refused; and a
 * client gains by being forgotten only if so many others came after it as the table has places.
 *
 * Pure: the caller passes the time, in milliseconds of a clock that does not go back. One thread.
 */
#ifndef NET_CLIENT_TABLE_H
#define NET_CLIENT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bucket.h"
#include "base/limits.h"
#include "base/network.h"

struct client {
	uint64_t key;
	struct bucket requests, handshakes;
	uint32_t connections;  /* open ones */
	uint32_t told_s;       /* client_now_s() when its refusal was last logged; 0: never */
	uint32_t refused;      /* since then */
	uint32_t next;         /* in its chain, or of the free places */
	uint32_t newer, older; /* of those without connections, by when they had one */
};

struct client_table {
	struct client *places; /* owned */
	uint32_t *chains;      /* owned: the first of each */
	uint32_t chains_mask;
	uint32_t places_count;
	uint32_t used;
	uint32_t free;
	uint32_t newest, oldest;
	uint64_t secret[2];
	struct limit_rate requests, handshakes;
	uint64_t forgotten; /* clients that were forgotten before their time */
};

#define CLIENT_TABLE_SECRET 16 /* bytes, random */
#define CLIENT_TOLD_S       60 /* a client is logged at most once in that time */

/* Bytes of memory for so many places, which are at most 2^31. */
uint64_t client_table_bytes(uint64_t places);

/* Rates of zeros are without a limit. 0 or -ENOMEM. A table of zeros has no places, and may be
 * released. */
int client_table_init(struct client_table *, uint32_t places, const struct limit_rate *requests,
		      const struct limit_rate *handshakes,
		      const uint8_t secret[CLIENT_TABLE_SECRET]);
void client_table_release(struct client_table *);

/* A connection of the client begins: it keeps its place until client_leave(). NULL: all places are
 * kept, which does not happen if the table has more than there are connections. */
struct client *client_enter(struct client_table *, const struct network_address *, uint64_t now_ms);
void client_leave(struct client_table *, struct client *);

/* Seconds for told_s, never 0; and may its refusal be logged again? */
uint32_t client_now_s(uint64_t now_ms);
bool client_may_tell(const struct client *, uint64_t now_ms);

/* May the client have one more now? If so, it is taken. */
bool client_take(struct bucket *, const struct limit_rate *, uint64_t now_ms);
/* After a refusal: the milliseconds until it may. */
uint64_t client_wait_ms(const struct bucket *, const struct limit_rate *);

#endif
