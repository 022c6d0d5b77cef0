/*
 * Confinement: what a process gives up before it processes input that may be hostile.
 *
 * There are seven roles. All but the master and the mounter are confined in two steps, since
 * threads can only be made between them:
 *
 *   sandbox_drop()   groups, ids → capabilities, but for one → no new privileges → not dumpable →
 *                    parent-death signal | → chroot → the last capability → Landlock → limits
 *   sandbox_seal()   no more processes → seccomp, for all threads: from here on only what the
 *                    role's table of system calls allows
 *
 * Objects may be loaded into the process at the bar: there it is another user, which cannot become
 * root again, and it still sees the system's files. Before it, their constructors would run as
 * root; after it, there is nothing to load.
 *
 * The master keeps the privileges to start children (sandbox_master()). A mounter keeps one
 * privilege for the master, to make document roots (sandbox/mounter.h).
 *
 * A layer that is not available here (no root, an older kernel, a container without a capability)
 * is not an error: the level says which layers are missing and why, and a caller with strict
 * privileges checks it with sandbox_level_missing(). A step that should have worked and failed is
 * an error, and the caller must end its process.
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

enum sandbox_role {
	SANDBOX_MASTER,
	SANDBOX_WORKER,
	SANDBOX_KEYHOLDER,
	SANDBOX_MOUNTER,
	SANDBOX_VERIFIER,
	SANDBOX_CONNECTOR,
	SANDBOX_RESOLVER
};

/*
 * What a process must be able to do beyond what every child must, as bits. A row of the tables that
 * names needs is only there for a process that has one of them. So a port's processes may do what
 * its configuration needs, and not what another port's needs.
 */
enum sandbox_need {
	SANDBOX_CLIENTS = 1, /* accept connections and end them */
	SANDBOX_THREADS = 2, /* run more than one thread */
	SANDBOX_FILES = 4,   /* read files beneath its document roots */
	SANDBOX_TLS = 8,     /* speak TLS to clients */
	SANDBOX_HASHES = 16, /* hash passwords, which takes memory */
	/* The next ones have a block of addresses (plan.pinned), and connect to nothing else. */
	SANDBOX_CONNECTS = 32, /* connect to upstreams, and hand over the connections */
	SANDBOX_LOCAL = 64,    /* … to Unix sockets, too, which an empty root does not show */
	SANDBOX_NAMES = 128    /* ask name servers */
};
#define SANDBOX_PINNED      (SANDBOX_CONNECTS | SANDBOX_LOCAL | SANDBOX_NAMES)
#define SANDBOX_PLACE_BYTES 128 /* of an address in the block */
/* The only length that connect(2) gets: that of struct sockaddr_un. The kernel takes longer
 * addresses of IPv4 and IPv6 than it needs, but less than all of a path would be another path. */
#define SANDBOX_ADDRESS_BYTES 110

/* All needs that a process of this role can have. */
unsigned sandbox_needs_of(enum sandbox_role);

/* In the order in which they are applied. */
enum sandbox_layer {
	SANDBOX_CHROOT,       /* an empty root directory */
	SANDBOX_USER,         /* another user than before, not root; only its own group */
	SANDBOX_CAPABILITIES, /* all sets are empty, the bounding set too */
	SANDBOX_NO_NEW_PRIVS,
	SANDBOX_LANDLOCK, /* all rights that the kernel's version knows */
	SANDBOX_SECCOMP,
	SANDBOX_LAYERS
};

#define SANDBOX_ALL_LAYERS ((1u << SANDBOX_LAYERS) - 1) /* a bit for each */

struct sandbox_plan {
	enum sandbox_role role; /* none of SANDBOX_MASTER and SANDBOX_MOUNTER */
	unsigned needs;         /* enum sandbox_need; the role must be able to have them */
	pid_t parent_pid;       /* the process dies with this one */
	int chroot_fd;          /* O_PATH of the empty directory; -1: no chroot */
	/* Open directories: what lies beneath them may be read. Only with SANDBOX_FILES. */
	const int *roots;
	size_t roots_count;
	bool change_user;
	uid_t uid;
	gid_t gid;
	/* RLIMIT_NOFILE: the highest number needed, plus one. No limit exceeds the inherited hard
	 * one */
	uint64_t descriptors;
	uint64_t memory_bytes; /* RLIMIT_AS; 0: as inherited */
	uint64_t core_bytes;   /* RLIMIT_CORE; 0 for all but a worker */
	/* The block of descriptors from sandbox_guard_block() whose options no call may change once
	 * the process is sealed: the listeners. Count 0: none. */
	unsigned guarded_first, guarded_count;
	/*
	 * With one of SANDBOX_PINNED: the block of addresses (ipc/addresses.h), set before the
	 * seal: its size is a power of two, its address a multiple of it. A sealed process can call
	 * connect(2) only with a pointer to a multiple of SANDBOX_PLACE_BYTES in it and with one
	 * length, and cannot put other memory there. The process must be unable to write it.
	 */
	const void *pinned;
	size_t pinned_bytes;
	uint32_t addresses, names; /* that are in it, for the level */
	const uint16_t *tcp_ports; /* to which it may connect by TCP; set before the drop */
	size_t tcp_ports_count;
	unsigned leave_out; /* a bit per layer; 0 in every process that serves */
};

/* Finds the first block of descriptors, at number from or above, that a plan can guard and that has
 * room for count (not 0): its size is a power of two, and its first number a multiple of the
 * size. */
void sandbox_guard_block(unsigned from, unsigned count, struct sandbox_plan *);

/* The level that was reached. It crosses the channel to the master in this form. */
struct sandbox_level {
	uint32_t role;         /* enum sandbox_role */
	uint32_t reached;      /* a bit per layer */
	uint32_t landlock_abi; /* 0: none */
	/* in the seccomp table, counting those that this machine has */
	uint32_t system_calls;
	uint32_t uid, gid;              /* the effective ids after the drop */
	int32_t errors[SANDBOX_LAYERS]; /* why a layer is missing, an errno; 0: it was not wanted */
	uint32_t roots;                 /* directories beneath which it may read files */
	/* 0: each is a read-only mount of its own, which no path leaves (sandbox/mounter.h); else
	 * why one is not, an errno */
	int32_t roots_error;
	/* a bit per layer that this process cannot have, and that is not missing therefore: an
	 * empty root, if it connects to Unix sockets */
	uint32_t waived;
	uint32_t addresses, names; /* to which it may connect */
};

/*
 * The steps of all these roles, in this order. The first fills *ret_level, the
 * second completes it. Return 0, or -1 and a sentence in err: the process cannot go on. If the
 * parent has already ended, they call _exit(EX_UNAVAILABLE).
 *
 * The drop needs a process with one thread that has no directory open except the roots and
 * chroot_fd (which the caller closes) and that will open nothing by name. The seal applies to all
 * threads, and each must run its own code by then: the library's calls to start a thread are
 * forbidden afterwards. A forbidden call raises SIGSYS (crash/recorder.h records it).
 *
 * A build with sanitizers leaves out chroot, Landlock and the limits of memory and processes, since
 * its run-time needs /proc, and allows more system calls.
 */
int sandbox_drop(const struct sandbox_plan *, struct sandbox_level *ret_level, struct err *);
int sandbox_seal(const struct sandbox_plan *, struct sandbox_level *level, struct err *);

/*
 * Confines the master, before its first child and while it has one thread: no new privileges, only
 * the capabilities to start children, bind and signal (if it is not root also as inheritable and
 * ambient ones, so that its children can drop them themselves), and a seccomp list of calls that no
 * version of the master should need. Its children inherit all of this, and so does its next
 * version. in_force is the sandbox_master_mark() of the version before (0: none): the same list is
 * not loaded twice, because the kernel would run both. Returns 0, or -1 and a sentence in err.
 */
int sandbox_master(struct sandbox_level *ret_level, uint64_t in_force, struct err *);
uint64_t sandbox_master_mark(void); /* a hash of this version's list; never 0 */

/* May this process start children as other users (capabilities)? */
bool sandbox_may_change_user(void);

/* May this process start a mounter (sandbox/mounter.h)? And neither it nor a program that it
 * executes from now on: returns 0 or -errno. */
bool sandbox_may_mount(void);
int sandbox_forgo_mounts(void);

/* The version of the kernel's Landlock (landlock_create_ruleset(2)), or -errno. */
int sandbox_landlock_version(void);

/* Writes one line for people: "user 999:999, empty root, no capabilities, no new privileges,
 * Landlock 7, 41 system calls", followed by "; without ..., ..." with the reasons. */
void sandbox_level_describe(const struct sandbox_level *, struct text *);

/* Describes the layers that are missing for the full confinement of the role, with the reasons;
 * true if any is missing. The level may come from a child: any bytes are safe. A capability
 * bounding set that could not be emptied counts as missing. Roots that are no mounts of their own
 * count if there is no Landlock either, or one before version 3, which lets the process empty files
 * there; otherwise an older Landlock does not count. */
bool sandbox_level_missing(const struct sandbox_level *, struct text *);

/* The name of a layer, and the reason why a process lacks it: the text of an errno; 0: "not asked
 * for". */
const char *sandbox_layer_name(enum sandbox_layer);
const char *sandbox_reason(int error);

/* The name of a system call of this machine; "?" for an unknown number. Valid until this thread
 * calls it again. */
const char *sandbox_call_name(uint64_t number);

/*
 * The tables of system calls, for documents and tests: name and condition of the i-th entry; NULL
 * after the last. SANDBOX_MASTER has the denied calls, the other roles those that are allowed, or
 * fail without ending the process, if it has these needs.
 */
struct sandbox_call {
	const char *name;
	const char *condition; /* for people, "without PROT_EXEC"; "" if there is none */
};
const struct sandbox_call *sandbox_calls(enum sandbox_role, unsigned needs, size_t index);
/* Is a call of this name in that table? */
bool sandbox_lists(enum sandbox_role, unsigned needs, const char *name);

#endif
