/*
 * Passwords that an event loop's clients have shown to be right not long ago; src/worker only. They
 * are remembered as digests under a key that only this loop has. If somebody takes over the worker,
 * he can test guesses with the key, as fast as he likes: so a digest is erased when its time is
 * over.
 *
 * Pure: the caller passes the time.
 */
#ifndef WORKER_KNOWN_H
#define WORKER_KNOWN_H

#include "filter/authenticate.h"
#include "ipc/channel.h" /* IPC_DIGEST_BYTES */

#define KNOWN_MAX  1024
#define KNOWN_MS   300000
#define KNOWN_STEP 1000 /* milliseconds after its time in which a digest is erased */

struct known {
	uint8_t key[IPC_DIGEST_BYTES]; /* random */
	struct known_one {
		uint8_t digest[IPC_DIGEST_BYTES];
		uint64_t until_ms; /* 0: none */
	} all[KNOWN_MAX];
};

bool known_has(const struct known *, const struct authenticate_ask *, uint64_t now_ms);
/* In the place of one that would be forgotten soon, if there is none. Out of memory, it is not
 * remembered. */
void known_add(struct known *, const struct authenticate_ask *, uint64_t now_ms);
/* Erases those whose time is over. Returns when to do so the next time, 0: none is left. */
uint64_t known_expire(struct known *, uint64_t now_ms);

#endif
