/*
 * Checked numbers: text to integers within a range, durations and sizes with units.
 *
 * All functions read len bytes that need no terminator and refuse signs, blanks and trailing bytes.
 * They return 0, -EINVAL (not such a number) or -ERANGE (a number outside min..max), and leave the
 * output untouched on failure.
 */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include <stddef.h>
#include <stdint.h>

int num_parse(const char *s, size_t len, uint64_t min, uint64_t max, uint64_t *ret);

/* "250ms", "10s", "5m", "2h", "1d"; a bare number is seconds. The result is in milliseconds. */
int num_parse_duration(const char *s, size_t len, uint64_t min_ms, uint64_t max_ms,
		       uint64_t *ret_ms);

/* "16K", "1M", "2G" (powers of 1024); a bare number is bytes. */
int num_parse_size(const char *s, size_t len, uint64_t min, uint64_t max, uint64_t *ret_bytes);

/* "50/s", "5/m", "1/h": how often in an hour; a bare number is none. */
int num_parse_rate(const char *s, size_t len, uint64_t min, uint64_t max, uint64_t *ret_per_hour);

static inline uint64_t num_least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The value of a hexadecimal digit of either case; -1: it is none. */
static inline int num_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#define NUM_TEXT_MAX 32

/* The shortest text that parses back to the same value, e.g. 10s, 100ms, 16K; returns out. */
char *num_format_duration(uint64_t ms, char out[NUM_TEXT_MAX]);
char *num_format_size(uint64_t bytes, char out[NUM_TEXT_MAX]);
char *num_format_rate(uint64_t per_hour, char out[NUM_TEXT_MAX]);

#endif
