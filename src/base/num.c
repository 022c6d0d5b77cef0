/* Runs in every process, on configuration and client bytes alike. */
#include "base/num.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

/* Largest unit first: num_format_*() takes the first one that divides the value. */
static const struct unit duration_units[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1},
};
static const struct unit size_units[] = {
    {"G", UINT64_C(1) << 30},
    {"M", UINT64_C(1) << 20},
    {"K", UINT64_C(1) << 10},
    {"", 1},
};

static const struct unit rate_units[] = {
    {"/s", 3600},
    {"/m", 60},
    {"/h", 1},
};

/* Reads the leading digits and returns how many there are. *ret_over: the value does not fit. */
static size_t digits_parse(const char *s, size_t len, uint64_t *ret, bool *ret_over)
{
	uint64_t value = 0;
	bool over = false;
	size_t i = 0;
	for (; i < len && s[i] >= '0' && s[i] <= '9'; i++) {
		unsigned digit = (unsigned)(s[i] - '0');
		over = over || value > (UINT64_MAX - digit) / 10;
		value = value * 10 + digit;
	}
	*ret = value;
	*ret_over = over;
	return i;
}

int num_parse(const char *s, size_t len, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t value;
	bool over;
	size_t used = digits_parse(s, len, &value, &over);
	if (used == 0 || used != len)
		return -EINVAL;
	if (over || value < min || value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}

static int unit_parse(const char *s, size_t len, const struct unit *units, size_t count,
		      uint64_t bare_factor, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t value, factor = 0;
	bool over;
	size_t used = digits_parse(s, len, &value, &over);
	if (used == 0)
		return -EINVAL;
	if (used == len)
		factor = bare_factor;
	for (size_t i = 0; factor == 0 && i < count; i++)
		if (strlen(units[i].name) == len - used &&
		    memcmp(units[i].name, s + used, len - used) == 0)
			factor = units[i].factor;
	if (factor == 0)
		return -EINVAL;
	if (over || value > UINT64_MAX / factor || value * factor < min || value * factor > max)
		return -ERANGE;
	*ret = value * factor;
	return 0;
}

static char *unit_format(uint64_t value, const struct unit *units, size_t count,
			 char out[NUM_TEXT_MAX])
{
	size_t i = 0;
	while (i + 1 < count && (value == 0 || value % units[i].factor != 0))
		i++;
	(void)snprintf(out, NUM_TEXT_MAX, "%" PRIu64 "%s", value / units[i].factor, units[i].name);
	return out;
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int num_parse_duration(const char *s, size_t len, uint64_t min_ms, uint64_t max_ms,
		       uint64_t *ret_ms)
{
	return unit_parse(s, len, duration_units, COUNT(duration_units), 1000, min_ms, max_ms,
			  ret_ms);
}

int num_parse_size(const char *s, size_t len, uint64_t min, uint64_t max, uint64_t *ret_bytes)
{
	return unit_parse(s, len, size_units, COUNT(size_units), 1, min, max, ret_bytes);
}

int num_parse_rate(const char *s, size_t len, uint64_t min, uint64_t max, uint64_t *ret_per_hour)
{
	return unit_parse(s, len, rate_units, COUNT(rate_units), 0, min, max, ret_per_hour);
}

char *num_format_rate(uint64_t per_hour, char out[NUM_TEXT_MAX])
{
	return unit_format(per_hour, rate_units, COUNT(rate_units), out);
}

char *num_format_duration(uint64_t ms, char out[NUM_TEXT_MAX])
{
	return unit_format(ms, duration_units, COUNT(duration_units), out);
}

char *num_format_size(uint64_t bytes, char out[NUM_TEXT_MAX])
{
	return unit_format(bytes, size_units, COUNT(size_units), out);
}
