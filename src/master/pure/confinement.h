/*
 * The confinement of all processes of a server as one sentence, and processes that have less than
 * others of their role. Pure: no process, no log.
 */
#ifndef MASTER_CONFINEMENT_H
#define MASTER_CONFINEMENT_H

#include <stdbool.h>

#include "base/text.h"
#include "sandbox/sandbox.h"

/* All zero: no process yet. */
struct confinement {
	unsigned count;
	unsigned all;               /* a bit for each layer that all of them have */
	unsigned some;              /* a bit for each layer that at least one of them has */
	unsigned waived;            /* that at least one of them cannot have, by its task */
	int errors[SANDBOX_LAYERS]; /* why a process lacks a layer; 0: it was not asked for */
};

/* Adds a level, which may come from a child: any bytes are safe. */
void confinement_add(struct confinement *, const struct sandbox_level *);

/* Writes "no new privileges, Landlock and a list of system calls; a start as root adds an empty
 * root, a user of its own and an empty capability bounding set". plain: the server was not started
 * as root, so the layers that need root are not failures. */
void confinement_describe(const struct confinement *, bool plain, struct text *);

/* The layers that this process should have and lacks, although another process of its role has or
 * had them (had). */
unsigned confinement_less(unsigned had, const struct sandbox_level *);

#endif
