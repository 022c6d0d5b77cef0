/*
 * When the end of a certificate is near. Pure: the caller passes the time.
 *
 * The end is near in the last third of the lifetime, but at most 14 days before it. A 90-day
 * certificate is usually renewed a month before its end and a six-day one two days before, so the
 * warning appears only when that renewal did not happen.
 */
#ifndef BASE_VALIDITY_H
#define BASE_VALIDITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

#define VALIDITY_DAY         ((int64_t)86400)
#define VALIDITY_WARNING_MAX (14 * VALIDITY_DAY)

/* How many seconds before the end it counts as near. begins and ends are time(2) values; where one
 * is unknown (0) or they are out of order, the answer is 14 days. */
int64_t validity_warning(int64_t begins, int64_t ends);

/* Has the certificate ended, or is its end near? ends 0 means unknown: false. */
bool validity_ends_soon(int64_t begins, int64_t ends, int64_t now);

/* Whole days that are left; negative after the end: -1 on the first day after it. */
int64_t validity_days(int64_t ends, int64_t now);

/* "expires in 5 days", "expires in less than a day", "has expired". */
void validity_describe(int64_t days, struct text *);

#endif
