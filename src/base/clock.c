/* Runs in every process. */
#include "base/clock.h"

#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/num.h"

uint64_t clock_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

uint64_t clock_ms(void)
{
	return clock_ns() / 1000000;
}

uint64_t clock_file_grain_of(const char *release)
{
	const size_t major_len = strspn(release, "0123456789");
	const char *minor_at = release + major_len + (release[major_len] == '.');
	uint64_t major, minor;
	if (num_parse(release, major_len, 0, 1000, &major) < 0 ||
	    num_parse(minor_at, strspn(minor_at, "0123456789"), 0, 100000, &minor) < 0)
		return CLOCK_TICK_NS;
	return major > 6 || (major == 6 && minor >= 13) ? 0 : CLOCK_TICK_NS;
}

uint64_t clock_file_grain_ns(void)
{
	struct utsname name;
	return uname(&name) == 0 ? clock_file_grain_of(name.release) : CLOCK_TICK_NS;
}
