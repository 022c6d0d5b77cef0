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
 * tick, at least a hundred times in a second, and exFAT keeps hundredths of a second. From 6.13 on
 * it gives a change a time of its own if somebody has looked at the one before, on ext4, XFS, Btrfs
 * and tmpfs: 0 there. For a process that may still call uname(2).
 */
#define CLOCK_TICK_NS UINT64_C(20000000)
uint64_t clock_file_grain_ns(void);
/* The same for a release as uname(2) says it; of one that cannot be read as for an old one. */
uint64_t clock_file_grain_of(const char *release);

#endif
