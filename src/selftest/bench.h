/*
 * A real master with agents in its children, as the selftest sees it; src/selftest only.
 */
#ifndef SELFTEST_BENCH_H
#define SELFTEST_BENCH_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "agent.h"
#include "base/buf.h"
#include "base/err.h"
#include "stage.h"

#define BENCH_PATIENCE_MS 10000 /* for one event that must happen */
#define BENCH_LOG_MAX     (8 << 20)

struct peer {
	struct loop_io io; /* first; fd -1: the process has ended */
	struct bench *bench;
	LIST_ENTRY(peer) link; /* in the list, the newest first */
	bool known;            /* it has introduced itself */
	bool answered;
	struct hello hello;
	struct answer answer;
};

LIST_HEAD(peer_list, peer);

struct bench {
	const struct stage *stage;
	/* of the master that is started next; the caller sets them */
	unsigned leave_out; /* the layers that its children leave out, a bit for each */
	unsigned keep;      /* what a worker reads, bits of enum agent_kept */
	bool no_mounts;     /* it cannot make document roots mounts of their own */
	struct loop loop;
	struct loop_io signals;  /* signals that end the selftest */
	struct loop_io listener; /* agents connect here */
	struct loop_io sink;     /* the log's datagrams; discarded */
	struct loop_io target;   /* targets that no attempt must reach: a path ... */
	struct loop_io abstract; /* ... and a name */
	struct loop_io output;   /* the output of the master and its children */
	char abstract_name[64];  /* "@" in place of the leading 0 */
	struct peer_list peers;
	struct buf log;  /* all output of this master */
	pid_t master;    /* -1: none */
	int interrupted; /* the signal; 0: none */
};

int bench_init(struct bench *, const struct stage *, struct err *);
void bench_release(struct bench *);

/* Starts a master on the stage's configuration, as leave_out and so on say, and waits until the
 * processes of all ports that are tried have connected. Returns 0, or -1 and a sentence. */
int bench_start(struct bench *, struct err *);
void bench_stop(struct bench *);

/* Prints the output of the master and its children. */
void bench_show_log(struct bench *, FILE *);

/* The process of that port; waits for it. NULL: it does not come. */
struct peer *bench_peer(struct bench *, enum ipc_role, unsigned port);

/* Is that process, which has connected, still there? */
bool bench_lives(struct bench *, pid_t);

enum trial_end {
	TRIAL_ANSWERED,
	TRIAL_ENDED,  /* the process ended; the master's log says how */
	TRIAL_SILENT, /* neither within the time */
};

struct trial {
	enum trial_end end;
	int result;
	bool abused;    /* the master says that it abused its keyholder or verifier */
	char said[128]; /* "was killed by signal 9 (SIGKILL)"; "" if nothing was said */
};

/* Has the order carried out in that process. */
void bench_try(struct bench *, struct peer *, const struct order *, struct trial *ret);

#endif
