/*
 * The attempts, as a table; src/selftest only. Agents read what to do from it, the selftest what to
 * expect.
 */
#ifndef SELFTEST_ATTEMPTS_H
#define SELFTEST_ATTEMPTS_H

#include "agent.h"
#include "sandbox/sandbox.h"

/* Which of the port's processes, as bits. */
#define ROLE_WORKER    1u /* of a port with TLS */
#define ROLE_KEYHOLDER 2u
#define ROLE_PLAIN     4u /* the worker of a port without TLS */
#define ROLE_VERIFIER  8u /* of either port */
#define ROLE_CONNECTOR 16u
#define ROLE_RESOLVER  32u
#define ROLE_LOCAL     64u /* the connector of port B, which has a Unix socket, too */

/* The conditions of a round: all layers, or all but the roles' lists of system calls, so that the
 * layers under them are tested alone. */
enum attempt_round { ROUND_WHOLE, ROUND_ASIDE, ROUNDS };

/* The target process; its pid is in the order. */
enum attempt_target {
	TARGET_NONE,
	TARGET_MASTER,
	TARGET_OTHER_WORKER,    /* of port B */
	TARGET_OTHER_KEYHOLDER, /* of port B */
	TARGET_OTHER_VERIFIER,  /* of port B */
	TARGET_KEYHOLDER,       /* of its own port */
	TARGET_VERIFIER         /* of its own port */
};

/* The path in the order. */
enum attempt_path {
	PATH_NONE,
	PATH_PASSWD,
	PATH_OWN_KEY,
	PATH_OTHER_KEY,
	PATH_OWN_PASSWORDS,
	PATH_OTHER_PASSWORDS,
	PATH_PASSWORD,      /* none, but a password */
	PATH_TARGET_MEMORY, /* /proc/PID/mem */
	PATH_NEW,           /* a file that does not exist */
	PATH_SOCKET,        /* a listening unix socket */
	PATH_ABSTRACT,      /* an abstract name of one */
	PATH_DATAGRAM,      /* a unix datagram socket */
	PATH_ROOT,          /* none; it is about document roots */
	PATH_HASH,          /* none; it looks for the password's hash, not for keys */
	PATH_LOCAL,         /* a listening unix socket that every user may connect to */
	PATH_UPSTREAM       /* none; it needs a port with upstreams */
};

enum expect_kind {
	EXPECT_NO_ROW,     /* not tried in this case */
	EXPECT_END,        /* the sandbox ends the process for that system call */
	EXPECT_ERROR,      /* one of the errors */
	EXPECT_REFUSAL,    /* the keyholder refuses to sign */
	EXPECT_KILL,       /* the master kills it for abusing a holder */
	EXPECT_UNRECORDED, /* the kernel ends the process: the crash recorder could not run */
	EXPECT_SUCCESS,    /* it succeeds: the control for the others */
	EXPECT_CONNECTED,  /* it is connected: the control */
	EXPECT_RIGHT,      /* the verifier says that the password is right: the control */
	EXPECT_WRONG,      /* … that it is wrong */
	EXPECT_READ,       /* something is read: the control for others */
	EXPECT_ABSENCE,    /* the key or hash is not in the memory */
	EXPECT_PRESENCE,   /* the key or hash is in the memory: the control */
	EXPECT_UNTESTED    /* no layer refuses it here, for this reason */
};

struct expectation {
	enum expect_kind kind;
	/* for EXPECT_END; -1: a call that the machine's table does not have. For EXPECT_ERROR of
	 * the first round: the table refuses it with that error if it lists the call; else it is an
	 * EXPECT_END. 0: whatever the table says */
	long call;
	int errors[2]; /* for EXPECT_ERROR; 0: none */
	/* for EXPECT_ERROR: refused from this Landlock version on; 0: refused by another layer */
	unsigned landlock;
	bool mount; /* refused only where document roots are mounts of their own */
	const char *reason;
};

/* Who started the selftest: only root can change users and roots. */
enum expect_starter { BY_ROOT, BY_USER, STARTERS };

struct attempt {
	const char *name; /* the text for people */
	unsigned roles;
	attempt_fn *try;
	enum attempt_target target;
	enum attempt_path path;
	struct expectation expect[ROUNDS][STARTERS];
};

/* Adapts an expectation of the first round to a process of that role with these needs: a call that
 * its table does not list ends it. */
void attempt_adapt(struct expectation *, enum sandbox_role, unsigned needs);

extern const struct attempt attempts[];
extern const size_t attempts_count;

#endif
