/*
 * Declarations that the files of src/sandbox and their tests share.
 */
#ifndef SANDBOX_INTERNAL_H
#define SANDBOX_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sandbox/sandbox.h"

/*
 * One step of the drop. It records in the level what it reached or why that is missing. Returns 0,
 * or -1 and a sentence in err when something failed that should have worked.
 */
typedef int sandbox_step(const struct sandbox_plan *, struct sandbox_level *, struct err *);

/* roots.c */
sandbox_step roots_look; /* can a path leave them? Before the root directory changes */

/* limits.c */
sandbox_step limits_offer_to_oom_killer; /* before the process loses access to /proc/self */
sandbox_step limits_set;
sandbox_step limits_no_processes;

/* capability.c */
sandbox_step capabilities_unbound; /* the bounding set; needs CAP_SETPCAP */
sandbox_step capabilities_keep;    /* before the ids: keeps them over the change */
sandbox_step capabilities_narrow;  /* after the ids: to what the change of the root needs */
sandbox_step capabilities_give_up; /* all sets but the bounding one */
/* Can the root directory change after the ids? Not if its owner alone may search the new one, and
 * the process has no capability to do so as another user. */
bool capabilities_let_root_wait(const struct sandbox_plan *);
int capabilities_keep_for_master(struct sandbox_level *, struct err *);
int capabilities_keep_one(unsigned capability, struct sandbox_level *, struct err *);
bool capabilities_have(unsigned capability); /* is it in the effective set? */

/* landlock.c */
sandbox_step landlock_confine;
#define LANDLOCK_TRUNCATE 3 /* the first version that can deny to empty a file that may be read */

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

/* --- calls.c: the tables of system calls ----------------------------------------------------- */

enum check_kind {
	CHECK_NONE,    /* no further condition */
	CHECK_EQUAL,   /* the argument's low 32 bits are the value */
	CHECK_OWN_PID, /* the argument is this process's id */
	CHECK_UNEQUAL, /* the argument is not the value */
	CHECK_AT_MOST, /* the argument, all 64 bits of it, is at most the value */
	CHECK_CLEAR,   /* the argument has none of the value's bits */
	/* the argument has all bits of the value's low half, and otherwise only bits of its high
	 * half */
	CHECK_FLAGS,
	/* the argument has at least one of the value's bits; must be the only check */
	CHECK_ANY,
	CHECK_OTHER, /* the argument is not a descriptor of the guarded block; must be first */
	CHECK_PLACE  /* the argument points to a place in the plan's block of addresses */
};

struct check {
	enum check_kind kind;
	unsigned argument; /* from 0 */
	uint64_t value;
};

#define RULE_CHECKS 3

/* A rule fits if all checks do. A name is in a table once, or in rows that follow each other: then
 * the call is allowed if one of them fits, and the first has the condition of all, the others
 * NULL. */
struct rule {
	struct sandbox_call call;
	struct check checks[RULE_CHECKS];
	/* the errno that the call fails with; 0: EPERM in a master's rule, and in others the call
	 * is allowed */
	int error;
	unsigned needs; /* only for a process with one of these; 0: for all */
};

/* With one of the bits in that argument the call fails with the error, where without this row it
 * would end the process. */
struct refusal {
	const char *name;
	unsigned needs; /* as of a rule */
	unsigned argument;
	uint64_t bits;
	int error;
};

/* The row for a process with these needs; NULL: there is none. */
const struct refusal *calls_refusal(const char *name, unsigned needs);

/* The i-th rule for a process of that role with these needs; NULL after the last. */
const struct rule *calls_rule(enum sandbox_role, unsigned needs, size_t index);

/* From calls_extra_none.c or calls_extra_sanitizer.c, chosen by the makefile's SAN. */
extern const bool calls_sanitized;      /* no chroot, Landlock, limit of memory or processes */
extern const struct rule calls_extra[]; /* more rows for these roles' table */
extern const size_t calls_extra_count;
/* exempt from the master's list; NULL after the last */
extern const char *const calls_not_denied[];

#endif
