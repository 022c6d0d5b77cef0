/*
 * Passwords of an event loop's clients, between the filter authenticate and the port's verifier;
 * src/worker only.
 *
 *   known ──> right
 *   tries ──> refused
 *   asks  ──> sent to the verifier ──> answered
 *
 * One is with the verifier at a time, and the others wait here (asks.h): so a verifier that dies
 * loses at most one, which is sent again, once.
 */
#ifndef WORKER_PASSWORDS_H
#define WORKER_PASSWORDS_H

#include "filter/authenticate.h"
#include "worker/loop.h"

/* Then a password counts as not checked. While the worker drains, it does so in the middle of the
 * time for that: nobody replaces a verifier that ends meanwhile, and the client shall get an
 * answer.
 */
#define PASSWORDS_WAIT_MS 30000

/* Takes the channel. Returns 0 or -errno, and then the descriptor is closed. */
int passwords_open(struct worker_loop *, int fd);
/* The worker begins to drain. */
void passwords_drain(struct worker_loop *);
void passwords_close(struct worker_loop *);

#endif
