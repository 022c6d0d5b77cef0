/*
 * The attempts, as a table: src/selftest only. Both sides read it: an agent for what to do, the
 * selftest for what to expect.
 */
#ifndef SELFTEST_ATTEMPTS_H
#define SELFTEST_ATTEMPTS_H

#include "agent.h"

/* Which of the port's processes, as bits. */
#define ROLE_WORKER    1u
#define ROLE_KEYHOLDER 2u

/* What is made true before the attempts: everything on, or the roles' lists of system calls aside,
 * so that what is below has to stand by itself. */
enum attempt_round { ROUND_WHOLE, ROUND_ASIDE, ROUNDS };

/* Whom it is about; which pid the order has. */
enum attempt_target {
	TARGET_NONE,
	TARGET_MASTER,
	TARGET_OTHER_WORKER,    /* of port B */
	TARGET_OTHER_KEYHOLDER, /* of port B */
	TARGET_PARTNER          /* a worker's keyholder, a keyholder's worker */
};

/* Which path the order has. */
enum attempt_path {
	PATH_NONE,
	PATH_PASSWD,
	PATH_OWN_KEY,
	PATH_OTHER_KEY,
	PATH_TARGET_MEMORY, /* /proc/PID/mem */
	PATH_NEW,           /* of a file that does not exist */
	PATH_SOCKET,        /* of a listening unix socket */
	PATH_ABSTRACT,      /* name of one without a path */
	PATH_DATAGRAM       /* of a unix datagram socket */
};

enum expect_kind {
	EXPECT_NO_ROW,     /* not tried here */
	EXPECT_END,        /* ended by its sandbox for that system call */
	EXPECT_ERROR,      /* one of the errors */
	EXPECT_REFUSAL,    /* the keyholder refuses */
	EXPECT_KILL,       /* the master kills it for abusing its keyholder */
	EXPECT_UNRECORDED, /* ended by the kernel: the crash recorder could not run */
	EXPECT_SUCCESS,    /* it works: the control of the others */
	EXPECT_ABSENCE,    /* of the key in the memory */
	EXPECT_PRESENCE,   /* the control */
	EXPECT_UNTESTED    /* nothing that was put on here refuses it, for this reason */
};

struct expectation {
	enum expect_kind kind;
	long call;         /* EXPECT_END; -1: one that the machine's table does not have */
	int errors[2];     /* EXPECT_ERROR; 0: none */
	unsigned landlock; /* EXPECT_ERROR: from this version on; 0: another layer refuses it */
	const char *reason;
};

/* Who has started it: nobody else than root can change users and roots. */
enum expect_starter { BY_ROOT, BY_USER, STARTERS };

struct attempt {
	const char *name; /* what a person reads */
	unsigned roles;
	attempt_fn *try;
	enum attempt_target target;
	enum attempt_path path;
	struct expectation expect[ROUNDS][STARTERS];
};

extern const struct attempt attempts[];
extern const size_t attempts_count;

#endif
