/*
 * The results of the attempts, for people and for programs; src/selftest only.
 */
#ifndef SELFTEST_REPORT_H
#define SELFTEST_REPORT_H

#include <stddef.h>
#include <stdio.h>

enum verdict {
	VERDICT_PASS,
	VERDICT_FAIL,
	VERDICT_UNTESTED, /* never counts as a pass; the result says why */
	VERDICTS
};

struct row {
	const char *process; /* "worker"; static text, like the next two */
	const char *round;   /* "" or what was left out in this round */
	const char *attempt;
	char expected[48];
	char result[160];
	enum verdict verdict;
};

struct report {
	struct row *rows; /* owned */
	size_t count;
};

/* Ends the process if memory runs out: a missing row must not look like a pass. */
void report_add(struct report *, const struct row *);
size_t report_count(const struct report *, enum verdict);
void report_print(const struct report *, FILE *); /* at most 110 columns */
void report_print_json(const struct report *, FILE *);
void report_release(struct report *);

#endif
