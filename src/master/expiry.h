/*
 * When somebody is to be told that a certificate ends. Pure: the clock is the caller's.
 */
#ifndef MASTER_EXPIRY_H
#define MASTER_EXPIRY_H

#include <stdbool.h>
#include <stdint.h>

#define EXPIRY_DAY     ((int64_t)86400)
#define EXPIRY_WARNING (14 * EXPIRY_DAY) /* before its end; status says so, too */

/* Does it end soon, or has it? ends, now: seconds since the epoch; ends 0: unknown. */
bool expiry_is_near(int64_t ends, int64_t now);

/* Whole days that are left; negative once it has ended: -1 on its first day. */
int64_t expiry_days(int64_t ends, int64_t now);

/* Is the log to be told now? Once a day, told being when it was last told; 0: never. A clock that
 * was set back does not silence it. */
bool expiry_is_due(int64_t ends, int64_t now, int64_t told);

#endif
