/*
 * How far the processes of a server are confined, as one sentence for all of them, and which of
 * them have less than others. Pure: no process, no log.
 */
#ifndef MASTER_CONFINEMENT_H
#define MASTER_CONFINEMENT_H

#include <stdbool.h>

#include "base/text.h"
#include "sandbox/sandbox.h"

/* All zero: of no process. */
struct confinement {
	unsigned count;
	unsigned all;               /* the layers that each of them has, a bit for each */
	unsigned some;              /* the layers that at least one of them has */
	int errors[SANDBOX_LAYERS]; /* why one does not have a layer; 0: it was not asked for */
};

/* A level may come from a child: any bytes will do. */
void confinement_add(struct confinement *, const struct sandbox_level *);

/* "no new privileges, Landlock and a list of system calls; a start as root adds an empty root, a
 * user of its own and an empty capability bounding set". plain: this server was not started as
 * root, so that what root has and it has not is no failure. */
void confinement_describe(const struct confinement *, bool plain, struct text *);

/* The layers that were tried for this process and that failed, although others have them: had is
 * what any process of the role has or had. */
unsigned confinement_less(unsigned had, const struct sandbox_level *);

#endif
