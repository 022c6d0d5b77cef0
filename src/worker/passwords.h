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

#define PASSWORDS_WAIT_MS 30000 /* then a password counts as not checked */

/* Takes the channel. Returns 0 or -errno, and then the descriptor is closed. */
int passwords_open(struct worker_loop *, int fd);
void passwords_close(struct worker_loop *);

#endif
