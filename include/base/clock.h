/*
 * Time. Every timeout uses CLOCK_MONOTONIC; the wall clock is only shown to people, and compared to
 * the times of files (clock_gettime(2)).
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_ns(void); /* CLOCK_MONOTONIC, nanoseconds */
uint64_t clock_ms(void); /* CLOCK_MONOTONIC, milliseconds */

/*
 * How long after a change of a file another one may have the same time, in nanoseconds, on file
 * systems that do not keep whole seconds. The kernel stamps files by a clock that moves on at each
 * tick, at least a hundred times in a second, and exFAT keeps hundredths of a second. From Linux
 * 6.13 on some file systems give a change that somebody has looked at a time of its own; which ones
 * do, none of them says.
 */
#define CLOCK_FILE_GRAIN_NS UINT64_C(20000000)

#endif
