/* What the files on top of all floors share: one turn, one end. */
#ifndef MASTER_TOP_H
#define MASTER_TOP_H

#include "master/control/open.h"
#include "master/systemd/notify.h"
#include "master/upgrade/upgrade.h"

/* turn.c: what follows from the facts that the last events have left. */
void turn_look(struct master *);
void seconds_start(struct master *);
void second_expired(struct loop *, struct loop_timer *);

/* settle.c: if all ports are decided: reports it, once. */
void master_settle(struct master *);

/* end.c: the end of the server. why: static text. */
void master_drain(struct master *, const char *why);
void master_kill_all(struct master *);
void drain_deadline_expired(struct loop *, struct loop_timer *);
bool master_is_done(const struct master *);

/* signal.c */
int signals_start(struct master *);

/* terminal.c: call it after signals_start(). Does this SIGHUP mean that the terminal of the start
 * is gone? */
void terminal_open(struct master *);
bool terminal_is_gone(const struct master *, const struct signalfd_siginfo *);

/* status.c: logs the state of each port. */
void master_tell_status(struct master *);

#endif
