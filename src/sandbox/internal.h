/*
 * What the files of src/sandbox share with each other and with their tests.
 */
#ifndef SANDBOX_INTERNAL_H
#define SANDBOX_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sandbox/sandbox.h"

/*
 * A step of the way down: what it reached or could not have goes into the level. 0, or -1 and a
 * sentence in err when something failed that should have worked.
 */
typedef int sandbox_step(const struct sandbox_plan *, struct sandbox_level *, struct err *);

/* limits.c */
sandbox_step limits_offer_to_oom_killer; /* before the process loses its own /proc/self */
sandbox_step limits_set;
sandbox_step limits_no_processes;

/* capability.c */
sandbox_step capabilities_unbound; /* the bounding set; needs CAP_SETPCAP */
sandbox_step capabilities_give_up; /* all other sets */
int capabilities_keep_for_master(struct sandbox_level *, struct err *);
bool capabilities_have(unsigned capability); /* effective */

/* landlock.c */
sandbox_step landlock_confine;

/* seccomp.c */
sandbox_step seccomp_confine;
int seccomp_confine_master(struct sandbox_level *, uint64_t in_force, struct err *);

/* --- level.c --------------------------------------------------------------------------------- */

void level_init(struct sandbox_level *, enum sandbox_role);
void level_reach(struct sandbox_level *, enum sandbox_layer);
void level_lack(struct sandbox_level *, enum sandbox_layer, int error);

static inline bool layer_left_out(const struct sandbox_plan *p, enum sandbox_layer layer)
{
	return (p->leave_out & 1u << layer) != 0;
}

/* --- calls.c: the tables of system calls ------------------------------------------------------ */

enum check_kind {
	CHECK_NONE,    /* no (further) condition */
	CHECK_EQUAL,   /* the argument's low 32 bits are the value */
	CHECK_OWN_PID, /* ... are this process's id */
	CHECK_UNEQUAL, /* the argument is not the value */
	CHECK_AT_MOST, /* the argument, all of its bits, is not more than the value */
	CHECK_CLEAR,   /* the argument has none of the value's bits */
	CHECK_FLAGS,   /* the argument has the bits of the value's low half, and beside them at
			  most some of its high half */
	CHECK_ANY,     /* the argument has at least one of the value's bits; only by itself */
	CHECK_OTHER    /* the argument is no descriptor of the plan's guarded block; only first */
};

struct check {
	enum check_kind kind;
	unsigned argument; /* from 0 */
	uint64_t value;
};

#define RULE_CHECKS 3

/* Fits if all checks do. A name is in a table once. */
struct rule {
	struct sandbox_call call;
	struct check checks[RULE_CHECKS];
	int error; /* what the call fails with: 0 is EPERM for a master's rule, and none for others
		    */
};

/* The i-th rule for that role, NULL behind the last. */
const struct rule *calls_rule(enum sandbox_role, size_t index);

/* calls_extra_none.c or calls_extra_sanitizer.c, by the makefile's SAN. */
extern const bool calls_sanitized;      /* no chroot, Landlock, limit of memory or processes */
extern const struct rule calls_extra[]; /* allowed to a worker and a keyholder, too */
extern const size_t calls_extra_count;
extern const char *const calls_not_denied[]; /* to a master; NULL behind the last */

#endif
