/*
 * `bulkhead selftest`: tries what a worker, keyholder or verifier could do after it was taken
 * over.
 *
 * A real master serves the configuration on other ports with throwaway keys and passwords. In its
 * children, once they are sealed, an agent makes the attempts of the table in
 * src/selftest/attempts.c and reports the kernel's answers. Every attempt has an expectation. An
 * attempt that does not meet it is a FAIL; attempts that this kernel or this user cannot make are
 * reported as "not tested", not as passed.
 *
 * Three processes have an entry here: the one that the user starts (selftest_main), its master (an
 * ordinary master that passes an argument on to its children), and the children (whose role gets
 * selftest_hook()). A process that serves real clients has no hook.
 */
#ifndef SELFTEST_SELFTEST_H
#define SELFTEST_SELFTEST_H

#include <stdbool.h>

#include "conf/conf.h"
#include "role/role.h"

/* A layer that is left out to show that the test can fail. */
enum selftest_without {
	SELFTEST_WITHOUT_NOTHING,
	SELFTEST_WITHOUT_SECCOMP,
	SELFTEST_WITHOUT_LANDLOCK,
	SELFTEST_WITHOUT_USER,
	SELFTEST_WITHOUT_CHROOT,
	SELFTEST_WITHOUT_KEYHOLDER, /* the worker reads its port's key */
	SELFTEST_WITHOUT_VERIFIER,  /* the worker reads its port's password file */
	SELFTEST_WITHOUT_MOUNTS,    /* document roots are plain directories */
};

struct selftest_options {
	bool json;
	enum selftest_without without;
};

/* Finds a layer by its name on the command line; false: there is no such name. */
bool selftest_without_parse(const char *name, enum selftest_without *ret);

/* Runs all attempts and prints the results. The caller owns conf; it is not changed. Returns 0:
 * none failed; 1: some failed; 2: this layer cannot be left out here; else a status of
 * sysexits(3). */
int selftest_main(const struct conf *, const struct selftest_options *);

/* Was this process started by a bulkhead, of this same program? Only a selftest gives agents to a
 * master. */
bool selftest_is_parent(void);

/* In a child that was started with an argument after --child: the hook for its role. Ends the
 * process if the argument is not from selftest_main(). */
const struct role_hook *selftest_hook(const char *argument);

#endif
