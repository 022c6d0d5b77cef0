/*
 * Confinement: what a process gives up before it meets anything that may be hostile.
 *
 * Three roles, three shapes. A worker and a keyholder are confined in two steps, since threads can
 * only be made between them:
 *
 *   sandbox_drop()   chroot → groups, ids → capabilities → no new privileges → not dumpable →
 *                    parent-death signal → Landlock → limits
 *   sandbox_seal()   no more processes → seccomp, for all threads: from here on only what the
 *                    role's table of system calls allows
 *
 * The master keeps what it needs to go on starting children (sandbox_master()).
 *
 * What cannot be had here (no root, an older kernel, a container without a capability) is no error:
 * the level that was reached says what is missing and why, and whoever asked for the privileges to
 * be strict compares it with sandbox_level_missing(). What should have worked and did not is an
 * error, and the caller must end its process.
 *
 * Sources: capabilities(7), credentials(7), prctl(2), landlock(7), seccomp(2), setrlimit(2).
 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/text.h"

enum sandbox_role { SANDBOX_MASTER, SANDBOX_WORKER, SANDBOX_KEYHOLDER };

/* In the order in which they are put on. */
enum sandbox_layer {
	SANDBOX_CHROOT,       /* an empty root directory */
	SANDBOX_USER,         /* another user than before, not root; its group and no other */
	SANDBOX_CAPABILITIES, /* all sets empty, the bounding set too */
	SANDBOX_NO_NEW_PRIVS,
	SANDBOX_LANDLOCK, /* at the kernel's version, best effort downwards */
	SANDBOX_SECCOMP,
	SANDBOX_LAYERS
};

struct sandbox_plan {
	enum sandbox_role role; /* not SANDBOX_MASTER */
	pid_t parent_pid;       /* dies with it */
	int chroot_fd;          /* O_PATH of the empty directory; -1: none is wanted */
	bool change_user;
	uid_t uid;
	gid_t gid;
	uint64_t descriptors;  /* RLIMIT_NOFILE: the highest number that is needed, plus one. No
				* limit is ever raised above the hard one that was inherited */
	uint64_t memory_bytes; /* RLIMIT_AS; 0: as inherited */
	uint64_t core_bytes;   /* RLIMIT_CORE; a keyholder has 0 whatever stands here */
	/* The block of descriptors, as sandbox_guard_block() makes it, whose options no call may
	 * change once the process is sealed: the listeners. Count 0: there is none. */
	unsigned guarded_first, guarded_count;
	unsigned leave_out; /* a bit per layer; 0 in every process that serves */
};

/* The first block of descriptors from that number on that a plan can guard and that has room for
 * count (not 0): its size is a power of two, and its first number a multiple of that. */
void sandbox_guard_block(unsigned from, unsigned count, struct sandbox_plan *);

/* What was reached. Crosses the channel to the master as it is. */
struct sandbox_level {
	uint32_t role;                  /* enum sandbox_role */
	uint32_t reached;               /* a bit per layer */
	uint32_t landlock_abi;          /* 0: none */
	uint32_t system_calls;          /* in the seccomp table, of those that this machine has */
	uint32_t uid, gid;              /* effective, afterwards */
	int32_t errors[SANDBOX_LAYERS]; /* errno of what could not be had; 0: it was not wanted */
};

/*
 * Steps of a worker or keyholder, in this order; *ret_level is filled by the first and completed by
 * the second. 0, or -1 and a sentence in err: the process cannot go on. Without the parent it has
 * already been ended: _exit(EX_UNAVAILABLE).
 *
 * The drop is for a process with one thread, that has no directory open but chroot_fd (which stays
 * the caller's, to be closed) and that will open nothing by name. The seal holds for all threads,
 * and each must have come to its own code by then: what the library does to start one is not
 * allowed afterwards. Who makes a forbidden call gets SIGSYS (crash/recorder.h takes it down).
 *
 * A sanitizer's build goes without chroot, Landlock and the limits of memory and processes, since
 * its run-time needs /proc, and with a longer table.
 */
int sandbox_drop(const struct sandbox_plan *, struct sandbox_level *ret_level, struct err *);
int sandbox_seal(const struct sandbox_plan *, struct sandbox_level *level, struct err *);

/*
 * The master, before its first child and while it has one thread: no new privileges, the
 * capabilities that starting, binding and signalling need and no others (also as inheritable and
 * ambient ones where it is not root, so that its children can still drop them by themselves), and a
 * seccomp list of what no version of it should need. All of this is inherited by its children, and
 * by its next version, which tells by in_force (sandbox_master_mark() of the version before; 0: of
 * none) which list it has already: the kernel adds them up. 0, or -1 and a sentence in err.
 */
int sandbox_master(struct sandbox_level *ret_level, uint64_t in_force, struct err *);
uint64_t sandbox_master_mark(void); /* of this version's list; never 0 */

/* May this process start children as other users, confine them to another root? (capabilities) */
bool sandbox_may_change_user(void);

/* One line for people: "user 999:999, empty root, no capabilities, no new privileges, Landlock 7,
 * 41 system calls", and behind it "; without ..., ..." with the reasons. */
void sandbox_level_describe(const struct sandbox_level *, struct text *);

/* What of the full confinement of its role is missing, described with its reason as above; true if
 * anything is. The level may come from a child: any bytes will do. A capability bounding set that
 * could not be emptied counts; a Landlock older than the newest does not. */
bool sandbox_level_missing(const struct sandbox_level *, struct text *);

/* A layer in words, and why a process does not have it: an errno; 0: "not asked for". */
const char *sandbox_layer_name(enum sandbox_layer);
const char *sandbox_reason(int error);

/* The name of a system call of this machine, "?" for a number that is none. Good until this
 * thread asks again. */
const char *sandbox_call_name(uint64_t number);

/*
 * The tables of system calls, for documents and tests: name and condition of the i-th entry, NULL
 * behind the last. For SANDBOX_MASTER they are what is denied, else what is allowed.
 */
struct sandbox_call {
	const char *name;
	const char *condition; /* for people, "without PROT_EXEC"; "" if it has none */
};
const struct sandbox_call *sandbox_calls(enum sandbox_role, size_t index);

#endif
