/*
 * Which clients of an event loop have tried wrong passwords; src/worker only.
 *
 * A client (of IPv6 a /64) has a number of tries, which come back one by one. One that has none
 * left may still send a password that is known to be right, since a neighbour with a wrong one may
 * have the same address. But whether a password is known costs no hash to find out. So a client
 * that has no tries left and sends many others, which are refused, is not told that either.
 *
 * Pure: the caller passes the time.
 */
#ifndef WORKER_TRIES_H
#define WORKER_TRIES_H

#include "base/bucket.h"
#include "filter/authenticate.h"
#include "ipc/channel.h" /* IPC_DIGEST_BYTES */

#define TRIES_CLIENTS 1024 /* that are remembered: those that tried last */
/* A client may be refused so often at once, and then once each second, and still be told. */
#define TRIES_REFUSALS   60
#define TRIES_REFUSAL_MS 1000

struct tries {
	uint8_t key[IPC_DIGEST_BYTES]; /* random */
	uint64_t told_all_ms;          /* from then on, every client is told */
	struct tries_client {
		uint64_t client; /* a keyed hash; 0: none */
		struct bucket left, refusals;
	} clients[TRIES_CLIENTS];
};

/* A keyed hash, so that nobody can choose another's place; never 0. */
uint64_t tries_client(const struct tries *, const struct http_client *);
/* Is one of the clients told nothing? If not, there is no need to know whose request it is. */
bool tries_guessed(const struct tries *, uint64_t now_ms);
/* May it find out that a password is known? */
bool tries_may_know(struct tries *, uint64_t client, uint64_t now_ms);
/* Takes a try: 0; or when it has one again, in ms. */
uint64_t tries_take(struct tries *, uint64_t client, uint64_t now_ms);
void tries_give_back(struct tries *, uint64_t client);

#endif
