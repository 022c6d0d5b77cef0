/*
 * A real master with agents in its children, seen from the selftest: src/selftest only.
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

#define BENCH_PATIENCE_MS 10000 /* for one thing that has to happen */
#define BENCH_LOG_MAX     (8 << 20)

struct peer {
	struct loop_io io; /* first; fd -1: the process is gone */
	struct bench *bench;
	LIST_ENTRY(peer) link; /* the newest first */
	bool known;            /* it has said who it is */
	bool answered;
	struct hello hello;
	struct answer answer;
};

LIST_HEAD(peer_list, peer);

struct bench {
	const struct stage *stage;
	struct loop loop;
	struct loop_io signals;  /* that end the selftest */
	struct loop_io listener; /* agents report here */
	struct loop_io sink;     /* the log's datagrams; thrown away */
	struct loop_io target;   /* where nobody should get: a path ... */
	struct loop_io abstract; /* ... and a name */
	struct loop_io output;   /* what the master and its children say */
	char abstract_name[64];  /* "@" in place of the 0 */
	struct peer_list peers;
	struct buf log;  /* all of it, of this master */
	pid_t master;    /* -1: none */
	int interrupted; /* the signal; 0: none */
};

int bench_init(struct bench *, const struct stage *, struct err *);
void bench_release(struct bench *);

/* Starts a master on the stage's configuration, whose children leave out these layers, and waits
 * until both processes of both ports have reported. 0, or -1 and a sentence. */
int bench_start(struct bench *, unsigned leave_out, bool keep_key, struct err *);
void bench_stop(struct bench *);

/* All that the master and its children have said. */
void bench_show_log(struct bench *, FILE *);

/* The process of that port; waits for it, NULL when it does not come. */
struct peer *bench_peer(struct bench *, enum ipc_role, unsigned port);

/* Is that process, which has reported, still there? */
bool bench_lives(struct bench *, pid_t);

enum trial_end {
	TRIAL_ANSWERED,
	TRIAL_ENDED,  /* the process; how, is in what the master says */
	TRIAL_SILENT, /* neither within the time */
};

struct trial {
	enum trial_end end;
	int result;
	bool abused;    /* the master says that it has abused its keyholder */
	char said[128]; /* "was killed by signal 9 (SIGKILL)"; "" if nothing */
};

/* Has the order carried out in that process. */
void bench_try(struct bench *, struct peer *, const struct order *, struct trial *ret);

#endif
