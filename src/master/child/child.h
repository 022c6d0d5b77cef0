/*
 * One process of a port: made, handed its descriptors, heard, watched, and its end explained. What
 * follows for its port is decided above: this floor only changes the child, and facts about it.
 */
#ifndef MASTER_CHILD_H
#define MASTER_CHILD_H

#include "master/ground/state.h"

/* spawn.c: starts a process in an empty place. Returns 0 or -errno. */
int child_spawn(struct child *);
/* The child did not get ready, to its end or to an answer in time. */
void child_deadline_expired(struct loop *, struct loop_timer *);

/* environment.c: the environment of children. NULL: no memory. */
char **environment_for_children(void);

/* A worker's ends of its loops' channels: by the holder's role, by loop; -1: none. */
struct child_ends {
	int of[IPC_ROLES][CONF_THREADS_MAX];
};

/* handover.c: sends a new child START and descriptors. Returns 0 or -errno. If there is more than
 * one message can carry, the rest follows while the child reads. */
int child_hand_over(struct child *, int channel_fd, int board_fd, const struct child_ends *);
void child_hand_on(struct loop *, struct loop_timer *); /* the callback of the timer */
void child_handing_end(struct child *);
/* Is there a child that has not been handed everything? The next version of this program could not
 * go on with it. */
bool handing_is_under_way(const struct master *);
/* Kills such children, so that they are replaced. */
void handing_give_up(struct master *);

/* send.c: sends a child a message without descriptors, once it has been handed everything. The
 * payload is struct ipc_settings or none. Returns 0 or an error of ipc_send(). */
int child_send(struct child *, enum ipc_type, const void *payload, size_t len);

/* The time in which a verifier returns to its event loop, and answers. */
#define HASH_TIMEOUT_MS 60000
/* watchdog.c: how long the child's loops may take for a turn; 0: as long as they want. */
uint64_t child_watchdog_ms(const struct child *);

/* keys.c: the channels between the workers' loops and the holders that serve them: keyholders,
 * verifier, connector. */
/* the kind of a worker's end of a channel to a holder of that role; IPC_FD_KINDS: there is none */
enum ipc_handed channel_handed(enum ipc_role);
/* new ones, where the port has such holders: 0 or -errno; the caller closes *ret */
int child_channels(struct child *, struct child_ends *ret);
void child_ends_close(struct child_ends *);
void child_channels_close(struct child *);
/* sends this worker's channels to the holders */
void holders_tell(const struct child *worker);
/* sends all workers' channels to this holder */
void holder_tell_all(struct child *);
void holder_lost(const struct child *holder); /* has lost requests asked again */
void holders_ping(struct port *);             /* kills those that do not answer */
/* passes a fault on to the keyholders */
void keyholders_fault(const struct port *, const struct ipc_fault *);
void holders_dismiss(struct port *); /* ends them if no worker is left */
bool holders_ready(const struct port *);

/* channel.c: messages from children. */
void child_channel_ready(struct loop *, struct loop_io *, uint32_t events);
void child_channel_close(struct child *);
/* Reads the remaining messages of a child that has ended, which may say why it failed. */
void child_last_words(struct child *);
/* Logs one record about the confinement of all processes. */
void confinement_tell(struct master *);

/* end.c: sends SIGKILL if the child exists. why: static text that follows "because it ". */
void child_kill(struct child *, const char *why);
/* Sends any signal; thread 0: to the whole process. */
void child_signal(const struct child *, int thread, int number);
/* Orders a worker to finish its requests and end; a keyholder goes on until no worker is left.
 * how: IPC_DRAIN, or IPC_RETIRE for a generation that was replaced. */
void child_drain(struct child *, enum ipc_type how);

/* report.c: what a child has counted, in all its loops; open connections are at most its port's
 * limit. */
void child_counters(const struct child *, struct ipc_counters *ret);
/* Why a child has ended. */
void end_gather(struct end *, const struct child *, int status);
void report_make(struct report *, const struct child *, const struct end *);
/* sequel: text after the sentence that says what happens to the place; "" for none. */
void report_log(const struct report *, const struct child *, int priority, const char *sequel);
void report_keep(struct port *, const struct report *);

/* watchdog.c: aborts hanging processes, and kills those that cannot be aborted. */
void watchdog_look(struct master *, uint64_t elapsed_ms); /* once a second */

/* oom.c */
void oom_start(struct master *);
void oom_look(struct master *); /* once a second, so that old kills are forgotten */
/* Has the kernel just ended a process for lack of memory? Each kill explains one end.
 * *ret_uncounted: unknown, since the counter cannot be read. */
void oom_ask(struct master *, bool *ret_struck, bool *ret_uncounted);

/* relay.c: makes the pipe for a new child's standard error and log. Returns 0 or -errno. */
int relay_make(struct child *, int *ret_child_end);
void relay_begin(struct child *); /* its pid is known */
int relay_watch(struct child *);  /* 0 or -errno */
/* The child has ended: passes on its last records. */
void relay_finish(struct child *);
void relay_close(struct child *);
void relay_timer_expired(struct loop *, struct loop_timer *);
/* Once a second while drops must be reported or records are kept. */
void relay_tick_expired(struct loop *, struct loop_timer *);

#endif
