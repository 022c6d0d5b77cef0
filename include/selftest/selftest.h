/*
 * `bulkhead selftest`: what a worker or keyholder that was taken over gets, tried out.
 *
 * A real master serves the configuration on other ports with throwaway keys; in its children, once
 * they are sealed, an agent makes the attempts of the table src/selftest/attempts.c and reports
 * what the kernel said. Every attempt has an expectation; what does not meet it is a FAIL, and what
 * this kernel or this user cannot show is "not tested" and no pass.
 *
 * Three processes, three entries: the one that the user starts (selftest_main), its master (which
 * is a master as any other, but hands an argument on to its children), and the children (to whose
 * role selftest_hook() is given). A process that serves others has no hook.
 */
#ifndef SELFTEST_SELFTEST_H
#define SELFTEST_SELFTEST_H

#include <stdbool.h>

#include "conf/conf.h"
#include "role/role.h"

/* What can be left out, to see that the proof can fail. */
enum selftest_without {
	SELFTEST_WITHOUT_NOTHING,
	SELFTEST_WITHOUT_SECCOMP,
	SELFTEST_WITHOUT_LANDLOCK,
	SELFTEST_WITHOUT_USER,
	SELFTEST_WITHOUT_CHROOT,
	SELFTEST_WITHOUT_KEYHOLDER, /* the worker reads its port's key */
};

struct selftest_options {
	bool json;
	enum selftest_without without;
};

/* By the layer's name on the command line; false: there is none of that name. */
bool selftest_without_parse(const char *name, enum selftest_without *ret);

/* Runs all attempts and prints what became of them. conf is the caller's and not changed. 0: none
 * has failed; 1: some have; 2: this layer cannot be left out here; else as in sysexits(3). */
int selftest_main(const struct conf *, const struct selftest_options *);

/* Was this process started by a bulkhead, of this very program? A master is given agents by a
 * selftest alone. */
bool selftest_is_parent(void);

/* In a child that was begun with an argument behind --child: what its role is given. Ends the
 * process when the argument is not one of selftest_main's. */
const struct role_hook *selftest_hook(const char *argument);

#endif
