/*
 * Time. Every timeout uses CLOCK_MONOTONIC; the wall clock is only shown to people
 * (clock_gettime(2)).
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_ns(void); /* CLOCK_MONOTONIC, nanoseconds */
uint64_t clock_ms(void); /* CLOCK_MONOTONIC, milliseconds */

#endif
