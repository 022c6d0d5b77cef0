/* What is mounted beneath a folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "master/pure/mounts.h"

static struct mounts parsed(const char *text)
{
	struct mounts m;
	assert_int_equal(mounts_parse(&m, strdup(text)), 0);
	return m;
}

static uint64_t mark(const char *text, const char *real)
{
	struct mounts m = parsed(text);
	const uint64_t found = mounts_mark(&m, real);
	mounts_release(&m);
	return found;
}

#define ROOT  "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
#define MEDIA "40 22 8:2 / /srv/shop/media rw - ext4 /dev/sdb1 rw\n"
#define SHOP2 "41 22 8:3 / /srv/shop2/media rw - ext4 /dev/sdc1 rw\n"

static void what_is_beneath_a_folder_counts_and_nothing_else(void **state)
{
	(void)state;
	assert_int_equal(mark(ROOT, "/srv/shop"), 0);
	assert_int_equal(mark(ROOT SHOP2, "/srv/shop"), 0);
	assert_int_not_equal(mark(ROOT MEDIA, "/srv/shop"), 0);
	assert_int_equal(mark(ROOT MEDIA, "/srv/shop"), mark(MEDIA SHOP2 ROOT, "/srv/shop"));
	assert_int_equal(mark(ROOT MEDIA, "/srv/shop/media/more"), 0);
	assert_int_not_equal(mark(ROOT MEDIA, "/"), mark(ROOT, "/"));
}

static void the_folder_itself_counts(void **state)
{
	(void)state;
	assert_int_not_equal(mark(ROOT MEDIA, "/srv/shop/media"), 0);
}

static void another_mount_at_the_same_place_is_another_mark(void **state)
{
	static const char *const others[] = {
	    "42 22 8:2 / /srv/shop/media rw - ext4 /dev/sdb1 rw\n",
	    "40 22 8:9 / /srv/shop/media rw - ext4 /dev/sdb1 rw\n",
	    "40 22 8:2 /sub /srv/shop/media rw - ext4 /dev/sdb1 rw\n",
	    "40 22 8:2 / /srv/shop/medium rw - ext4 /dev/sdb1 rw\n",
	    MEDIA "42 40 8:5 / /srv/shop/media rw - ext4 /dev/sde1 rw\n",
	};
	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_not_equal(mark(MEDIA, "/srv/shop"), mark(others[i], "/srv/shop"));
}

static void other_options_are_no_other_mount(void **state)
{
	(void)state;
	assert_int_equal(
	    mark(MEDIA, "/srv/shop"),
	    mark("40 22 8:2 / /srv/shop/media ro,nosuid shared:7 - ext4 /dev/x ro\n", "/srv/shop"));
}

static void escaped_names_are_read(void **state)
{
	(void)state;
	const char text[] = "40 22 8:2 / /srv/a\\040shop\\134n/media rw - ext4 /dev/sdb1 rw\n";
	assert_int_not_equal(mark(text, "/srv/a shop\\n"), 0);
	assert_int_equal(mark(text, "/srv/a"), 0);
}

static void lines_that_are_none_are_left_out(void **state)
{
	(void)state;
	assert_int_equal(mark("", "/"), 0);
	assert_int_equal(mark("\n\n40\n40 22 8:2 /\n40 22 8:2 / relative rw\n", "/"), 0);
	assert_int_not_equal(mark("40 22 8:2 / /srv/shop", "/srv"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_beneath_a_folder_counts_and_nothing_else),
	    cmocka_unit_test(the_folder_itself_counts),
	    cmocka_unit_test(another_mount_at_the_same_place_is_another_mark),
	    cmocka_unit_test(other_options_are_no_other_mount),
	    cmocka_unit_test(escaped_names_are_read),
	    cmocka_unit_test(lines_that_are_none_are_left_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
