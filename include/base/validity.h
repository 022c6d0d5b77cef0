/*
 * When a certificate's end is near. Pure: the clock is the caller's.
 *
 * Near is the last third of its lifetime, and 14 days at the most: one of 90 days is renewed a
 * month before its end, one of six days two days before, and only who has missed that is to be
 * warned.
 */
#ifndef BASE_VALIDITY_H
#define BASE_VALIDITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

#define VALIDITY_DAY         ((int64_t)86400)
#define VALIDITY_WARNING_MAX (14 * VALIDITY_DAY)

/* Seconds before the end from which on it is near. begins, ends: time(2); where one of them is not
 * known (0) or they are not in order, 14 days. */
int64_t validity_warning(int64_t begins, int64_t ends);

/* Does it end soon, or has it? ends 0: unknown, so not. */
bool validity_ends_soon(int64_t begins, int64_t ends, int64_t now);

/* Whole days that are left; negative once it has ended: -1 on its first day. */
int64_t validity_days(int64_t ends, int64_t now);

/* "expires in 5 days", "expires in less than a day", "has expired". */
void validity_describe(int64_t days, struct text *);

#endif
