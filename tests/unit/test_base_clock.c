/* How far apart the times of two changes of a file are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

static void a_kernel_gives_each_change_a_time_from_6_13_on(void **state)
{
	static const struct {
		const char *release;
		uint64_t grain_ns;
	} cases[] = {
	    {"6.13.0", 0},
	    {"6.13-rc1", 0},
	    {"6.18.2-amd64", 0},
	    {"7.0", 0},
	    {"10.1.2", 0},
	    {"6.12.43+deb13-amd64", CLOCK_TICK_NS},
	    {"6.1.0-38-amd64", CLOCK_TICK_NS},
	    {"6.2", CLOCK_TICK_NS},
	    {"5.15.0", CLOCK_TICK_NS},
	    {"4.19", CLOCK_TICK_NS},
	    {"6", CLOCK_TICK_NS},
	    {"", CLOCK_TICK_NS},
	    {"generic", CLOCK_TICK_NS},
	    {"99999999999999999999.1", CLOCK_TICK_NS},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (clock_file_grain_of(cases[i].release) != cases[i].grain_ns)
			fail_msg("%s", cases[i].release);
	assert_true(clock_file_grain_ns() <= CLOCK_TICK_NS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_kernel_gives_each_change_a_time_from_6_13_on),
	};
	return cmocka_run_group_tests_name("base clock", tests, NULL, NULL);
}
