/*
 * Passwords of an event loop's clients, between the filter authenticate and the port's verifier;
 * src/worker only.
 *
 *   ask ──> waiting ──> sent to the verifier ──> answered
 *
 * One is with the verifier at a time, and the others wait here in their order: so a verifier that
 * dies loses at most one, which is sent again.
 */
#ifndef WORKER_PASSWORDS_H
#define WORKER_PASSWORDS_H

#include "filter/authenticate.h"
#include "worker/loop.h"

#define PASSWORDS_WAIT_MAX  64    /* of a loop; more are refused with 503 */
#define PASSWORDS_WAIT_MS   30000 /* then a password counts as not checked */
#define PASSWORDS_KNOWN_MS  300000
#define PASSWORDS_KNOWN_MAX 1024 /* right ones that a loop remembers, as keyed digests */
#define PASSWORDS_TRIES_MAX 1024 /* clients with wrong ones that a loop remembers */

/* Takes the channel. Returns 0 or -errno, and then the descriptor is closed. */
int passwords_open(struct worker_loop *, int fd);
void passwords_close(struct worker_loop *);

#endif
