/*
 * From an expectation and a result to a row of the report; src/selftest only. Pure.
 */
#ifndef SELFTEST_JUDGE_H
#define SELFTEST_JUDGE_H

#include "attempts.h"
#include "bench.h"
#include "report.h"

/* If it is known beforehand that this cannot be tested here, fills in the reason and returns true.
 * landlock: the kernel's version; 0: none. mounted: are document roots mounts of their own, or to
 * be judged as such? */
bool judge_beforehand(const struct expectation *, unsigned landlock, bool mounted, struct row *);

/* Fills in the expectation, the result, and the verdict. */
void judge(const struct expectation *, const struct trial *, struct row *);

#endif
