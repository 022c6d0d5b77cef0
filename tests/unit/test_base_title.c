/* The title of a process, as the kernel will show it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/title.h"

/* What the kernel shows of it, fs/proc/base.c: the arguments, unless their last byte is no NUL. */
static size_t shown(const char *room, size_t arguments, size_t size, char *out)
{
	if (room[arguments - 1] == '\0') {
		memcpy(out, room, arguments);
		return arguments;
	}
	const size_t len = strnlen(room, size);
	assert_true(len < size); /* else it would read on after the room */
	memcpy(out, room, len + 1);
	return len + 1;
}

static void nothing_is_shown_after_the_title(void **state)
{
	static const char text[] = "bulkhead: master";
	char out[256];
	(void)state;
	for (size_t arguments = 1; arguments < 60; arguments++)
		for (size_t size = arguments; size < 80; size++) {
			char *room = malloc(size);
			memset(room, 'x', size);
			title_write(room, arguments, size, text);
			const size_t len = shown(room, arguments, size, out);
			const size_t fits = size < sizeof(text) ? size : sizeof(text);
			assert_int_equal(len, fits);
			assert_memory_equal(out, text, fits - 1);
			assert_int_equal(out[fits - 1], '\0');
			free(room);
		}
}

static void a_shorter_title_leaves_nothing_of_a_longer_one(void **state)
{
	char room[40], out[40];
	(void)state;
	for (size_t arguments = 1; arguments <= sizeof(room); arguments++) {
		title_write(room, arguments, sizeof(room), "bulkhead: port 65535 worker 12");
		title_write(room, arguments, sizeof(room), "a");
		assert_int_equal(shown(room, arguments, sizeof(room), out), 2);
		assert_string_equal(out, "a");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_is_shown_after_the_title),
	    cmocka_unit_test(a_shorter_title_leaves_nothing_of_a_longer_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
