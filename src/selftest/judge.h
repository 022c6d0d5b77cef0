/*
 * From what was expected and what happened to a row of the report: src/selftest only. Pure.
 */
#ifndef SELFTEST_JUDGE_H
#define SELFTEST_JUDGE_H

#include "attempts.h"
#include "bench.h"
#include "report.h"

/* Nothing has to be tried to know that this is not tested here: fills in the reason and returns
 * true. landlock: the kernel's version, 0 without. */
bool judge_beforehand(const struct expectation *, unsigned landlock, struct row *);

/* Fills in what was expected, what happened, and the verdict. */
void judge(const struct expectation *, const struct trial *, struct row *);

#endif
