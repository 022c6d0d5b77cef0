/* tls/names: the form of names, and the table that finds them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "tls/names.h"

static void names_are_folded(void **state)
{
	static const struct {
		const char *from, *to; /* NULL: none */
	} cases[] = {
	    {"shop.example", "shop.example"},
	    {"SHOP.Example", "shop.example"},
	    {"shop.example.", "shop.example"},
	    {"shop.example..", "shop.example."},
	    {"_a-b.1.example", "_a-b.1.example"},
	    {"*.Shop.example", "*.shop.example"},
	    {"a", "a"},
	    {"", NULL},
	    {".", NULL},
	    {"a b.example", NULL},
	    {"a\tb", NULL},
	    {"b\303\274cher.example", NULL},
	    {"a\177", NULL},
	    {"192.0.2.1", "192.0.2.1"},
	    {"2001:DB8:0::1", "[2001:db8::1]"},
	    {"[2001:db8::1]", "[2001:db8::1]"},
	    {"[2001:db8:0:0::0001]", "[2001:db8::1]"},
	    {"::ffff:192.0.2.1", "[::ffff:192.0.2.1]"},
	    {"[::1", "[::1"},
	    {"1:2", "1:2"},
	    {":", ":"},
	    {"[:", "[:"},
	};
	char folded[TLS_NAME_MAX + 1];
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const bool is = tls_name_fold(cases[i].from, strlen(cases[i].from), folded);
		assert_int_equal(is, cases[i].to != NULL);
		if (is)
			assert_string_equal(folded, cases[i].to);
	}
	assert_false(tls_name_fold("a\0b", 3, folded));
}

static void names_have_a_most(void **state)
{
	char name[TLS_NAME_MAX + 3], folded[TLS_NAME_MAX + 1];
	(void)state;
	memset(name, 'a', sizeof(name));
	assert_true(tls_name_fold(name, TLS_NAME_MAX, folded));
	assert_int_equal(strlen(folded), TLS_NAME_MAX);
	assert_false(tls_name_fold(name, TLS_NAME_MAX + 1, folded));
	name[TLS_NAME_MAX] = '.';
	assert_true(tls_name_fold(name, TLS_NAME_MAX + 1, folded));
	memset(name, ':', sizeof(name));
	assert_true(tls_name_fold(name, TLS_NAME_MAX, folded));
}

static void a_wildcard_covers_one_label(void **state)
{
	static const struct {
		const char *name, *wildcard; /* NULL: none */
	} cases[] = {
	    {"www.shop.example", "*.shop.example"},
	    {"a.www.shop.example", "*.www.shop.example"},
	    {"shop.example", "*.example"},
	    {"example", NULL},
	    {".example", NULL},
	    {"192.0.2.1", NULL},
	    {"[2001:db8::1]", NULL},
	    {"[::ffff:192.0.2.1]", NULL},
	    {"192.0.2.1.example", "*.0.2.1.example"},
	};
	char wildcard[TLS_NAME_MAX + 1];
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const bool is = tls_name_wildcard(cases[i].name, wildcard);
		assert_int_equal(is, cases[i].wildcard != NULL);
		if (is)
			assert_string_equal(wildcard, cases[i].wildcard);
	}
	memset(wildcard, 'a', TLS_NAME_MAX);
	wildcard[TLS_NAME_MAX] = '\0';
	wildcard[0] = 'b';
	wildcard[1] = '.';
	char longest[TLS_NAME_MAX + 1];
	assert_true(tls_name_wildcard(wildcard, longest));
	assert_int_equal(strlen(longest), TLS_NAME_MAX);
}

static void each_name_is_found_in_its_set(void **state)
{
	enum { COUNT = 2000 };
	struct tls_names names = {0};
	const struct tls_name *found;
	char name[32];
	(void)state;
	for (uint32_t i = 0; i < COUNT; i++) {
		snprintf(name, sizeof(name), "h%u.example", (i * 7919) % COUNT);
		assert_int_equal(tls_names_add(&names, i % 3, name, i, 0), 0);
	}
	tls_names_seal(&names);
	for (uint32_t i = 0; i < COUNT; i++) {
		snprintf(name, sizeof(name), "h%u.example", (i * 7919) % COUNT);
		for (uint32_t set = 0; set < 4; set++)
			assert_int_equal(tls_names_find(&names, set, name, &found), set == i % 3);
		assert_int_equal(tls_names_find(&names, i % 3, name, &found), 1);
		assert_int_equal(found->value, i);
	}
	assert_int_equal(tls_names_find(&names, 0, "h", &found), 0);
	assert_int_equal(tls_names_find(&names, 0, "zzz", &found), 0);
	assert_int_equal(tls_names_of(&names, 0, &found) + tls_names_of(&names, 1, &found) +
			     tls_names_of(&names, 2, &found),
			 COUNT);
	assert_int_equal(tls_names_of(&names, 3, &found), 0);
	tls_names_release(&names);
}

static void equal_names_keep_their_order_and_one_of_each_kind(void **state)
{
	struct tls_names names = {0};
	const struct tls_name *found;
	(void)state;
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(tls_names_add(&names, 0, "a.example", i, i < 10 ? 4 : i % 3), 0);
	assert_int_equal(tls_names_add(&names, 0, "b.example", 200, 4), 0);
	tls_names_seal(&names);
	assert_int_equal(tls_names_find(&names, 0, "a.example", &found), 4);
	assert_int_equal(found[0].value, 0);
	assert_int_equal(found[1].value, 10);
	assert_int_equal(found[2].value, 11);
	assert_int_equal(found[3].value, 12);
	assert_int_equal(tls_names_find(&names, 0, "b.example", &found), 1);
	tls_names_release(&names);
}

static void an_empty_table_finds_nothing(void **state)
{
	struct tls_names names = {0};
	const struct tls_name *found;
	(void)state;
	tls_names_seal(&names);
	assert_int_equal(tls_names_find(&names, 0, "a", &found), 0);
	assert_int_equal(tls_names_of(&names, 0, &found), 0);
	tls_names_release(&names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_are_folded),
	    cmocka_unit_test(names_have_a_most),
	    cmocka_unit_test(a_wildcard_covers_one_label),
	    cmocka_unit_test(each_name_is_found_in_its_set),
	    cmocka_unit_test(equal_names_keep_their_order_and_one_of_each_kind),
	    cmocka_unit_test(an_empty_table_finds_nothing),
	};
	return cmocka_run_group_tests_name("tls names", tests, NULL, NULL);
}
