/* The next version of this program takes over in this process. */
#ifndef MASTER_UPGRADE_H
#define MASTER_UPGRADE_H

#include "master/change/change.h"

/* upgrade.c */
int upgrade_start(struct master *);
void master_upgrade(struct master *, struct asker *); /* asker NULL: SIGUSR2 */
bool upgrade_next(struct master *);                   /* begins a waiting one, if any */
void upgrade_look(struct master *);                   /* after each turn: has the check ended? */
void upgrade_continue(struct master *);               /* after each turn */
void upgrade_give_up(struct master *);                /* ends the check */

/* adopt.c: takes over the state of the earlier version. Returns 0, or -1 and a sentence. */
int master_adopt(struct master *, int state_fd, struct err *);
/* Frees the layouts that were handed over, once no child is left. */
void layouts_forget(struct master *);
void master_adopted(struct master *); /* after it is confined: continues with the processes */

#endif
