/* base/same: equal texts of a list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/same.h"

static void each_text_finds_its_first(void **state)
{
	static const char *const texts[] = {"b", "a", "b", "", "a", "b", "aa", ""};
	static const uint32_t wanted[] = {0, 1, 0, 3, 1, 0, 6, 3};
	enum { COUNT = sizeof(texts) / sizeof(texts[0]) };
	uint32_t firsts[COUNT];
	(void)state;
	assert_int_equal(same_texts(texts, COUNT, firsts), 0);
	assert_memory_equal(firsts, wanted, sizeof(wanted));
	assert_int_equal(same_texts(texts, 0, firsts), 0);
}

static void many_are_no_trouble(void **state)
{
	enum { COUNT = 20000, EACH = 7 };
	static char data[COUNT][16];
	static const char *texts[COUNT];
	static uint32_t firsts[COUNT];
	(void)state;
	for (unsigned i = 0; i < COUNT; i++) {
		snprintf(data[i], sizeof(data[i]), "%u", i % (COUNT / EACH));
		texts[i] = data[i];
	}
	assert_int_equal(same_texts(texts, COUNT, firsts), 0);
	for (unsigned i = 0; i < COUNT; i++)
		assert_int_equal(firsts[i], i % (COUNT / EACH));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_text_finds_its_first),
	    cmocka_unit_test(many_are_no_trouble),
	};
	return cmocka_run_group_tests_name("base same", tests, NULL, NULL);
}
