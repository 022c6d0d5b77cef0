/* Networks: their texts, and the table of many against a list that is walked. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/network.h"

static int parse(const char *text, struct network *ret)
{
	return network_parse(text, strlen(text), ret);
}

static struct network_address address_of(const char *text)
{
	struct network_address a;
	assert_int_equal(network_address_parse(text, strlen(text), &a), 0);
	return a;
}

static void test_reads_and_writes(void **state)
{
	static const struct {
		const char *text, *canonical;
		int error;
	} rows[] = {
	    {"10.0.0.0/8", "10.0.0.0/8", 0},
	    {"0.0.0.0/0", "0.0.0.0/0", 0},
	    {"::/0", "*", 0},
	    {"*", "*", 0},
	    {"192.0.2.1", "192.0.2.1", 0},
	    {"192.0.2.1/32", "192.0.2.1", 0},
	    {"::ffff:192.0.2.1", "192.0.2.1", 0},
	    {"::ffff:192.0.2.0/120", "192.0.2.0/24", 0},
	    {"::ffff:0:0/96", "0.0.0.0/0", 0},
	    {"2001:DB8::/32", "2001:db8::/32", 0},
	    {"::1", "::1", 0},
	    {"::1/128", "::1", 0},
	    {"::/1", "::/1", 0},
	    {"8000::/1", "8000::/1", 0},
	    {"fe80::/10", "fe80::/10", 0},
	    {"1:2:3:4::/64", "1:2:3:4::/64", 0},
	    {"1:2:3:4:8000::/65", "1:2:3:4:8000::/65", 0},
	    {"10.0.0.1/8", "10.0.0.0/8", -EDOM},
	    {"192.0.2.1/0", "0.0.0.0/0", -EDOM},
	    {"2001:db8::1/32", "2001:db8::/32", -EDOM},
	    {"10.0.0.0/33", NULL, -ERANGE},
	    {"::/129", NULL, -ERANGE},
	    {"10.0.0.0/", NULL, -EINVAL},
	    {"10.0.0.0/+8", NULL, -EINVAL},
	    {"10.0.0.0/8/8", NULL, -EINVAL},
	    {"10.0.0/8", NULL, -EINVAL},
	    {"10/8", NULL, -EINVAL},
	    {"10.0.0.0/255.0.0.0", NULL, -EINVAL},
	    {"", NULL, -EINVAL},
	    {"/8", NULL, -EINVAL},
	    {"*/8", NULL, -EINVAL},
	    {"fe80::1%eth0", NULL, -EINVAL},
	    {"localhost", NULL, -EINVAL},
	    {"1:2:3:4:5:6:7:8:9", NULL, -EINVAL},
	    {"[::1]", NULL, -EINVAL},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct network n = {.bits = 77}, again;
		char text[NETWORK_TEXT_MAX];
		assert_int_equal(parse(rows[i].text, &n), rows[i].error);
		if (rows[i].canonical == NULL) {
			assert_int_equal(n.bits, 77);
			continue;
		}
		assert_string_equal(network_format(&n, text), rows[i].canonical);
		assert_int_equal(parse(text, &again), 0);
		assert_true(n.first.high == again.first.high && n.first.low == again.first.low &&
			    n.bits == again.bits);
	}
}

static void test_a_nul_byte_is_no_end(void **state)
{
	struct network n;
	(void)state;
	assert_int_equal(network_parse("10.0.0.0\0/8", 11, &n), -EINVAL);
	assert_int_equal(network_parse("10.0.0.0/8\0", 11, &n), -EINVAL);
}

static void test_has(void **state)
{
	static const struct {
		const char *network, *address;
		bool has;
	} rows[] = {
	    {"10.0.0.0/8", "10.255.255.255", true},
	    {"10.0.0.0/8", "::ffff:10.1.2.3", true},
	    {"10.0.0.0/8", "11.0.0.0", false},
	    {"10.0.0.0/8", "::a00:1", false},
	    {"0.0.0.0/0", "255.1.2.3", true},
	    {"0.0.0.0/0", "::1", false},
	    {"0.0.0.0/0", "2001:db8::1", false},
	    {"*", "2001:db8::1", true},
	    {"*", "1.2.3.4", true},
	    {"192.0.2.1", "192.0.2.1", true},
	    {"192.0.2.1", "192.0.2.2", false},
	    {"2001:db8::/33", "2001:db8:7fff::", true},
	    {"2001:db8::/33", "2001:db8:8000::", false},
	    {"1:2:3:4::/64", "1:2:3:4:ffff::1", true},
	    {"1:2:3:4::/64", "1:2:3:5::", false},
	    {"1:2:3:4::/65", "1:2:3:4:8000::", false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct network n;
		struct network_table t;
		const struct network_address a = address_of(rows[i].address);
		assert_int_equal(parse(rows[i].network, &n), 0);
		assert_int_equal(network_has(&n, &a), rows[i].has);
		assert_int_equal(network_table_init(&t, &n, 1), 0);
		assert_int_equal(network_table_find(&t, &a), rows[i].has ? 0 : NETWORK_NONE);
		network_table_release(&t);
	}
}

static uint32_t walk(const struct network *list, size_t count, const struct network_address *a)
{
	for (size_t i = 0; i < count; i++)
		if (network_has(&list[i], a))
			return (uint32_t)i;
	return NETWORK_NONE;
}

static void check_around(const struct network_table *t, const struct network *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (int step = -1; step <= 1; step++) {
			struct network_address a = list[i].first;
			a.low += (uint64_t)(int64_t)step;
			assert_int_equal(network_table_find(t, &a), walk(list, count, &a));
			a.high ^= UINT64_C(1) << 63;
			assert_int_equal(network_table_find(t, &a), walk(list, count, &a));
		}
}

/* Networks that are often in each other, equal, or at the ends of all numbers. */
static struct network any_network(unsigned *seed)
{
	struct network n;
	int error;
	do {
		const unsigned root = (unsigned)rand_r(seed) % 5;
		const unsigned a = (unsigned)rand_r(seed) % 4, b = (unsigned)rand_r(seed) % 4,
			       c = (unsigned)rand_r(seed) % 256;
		const unsigned bits = (unsigned)rand_r(seed) % (root < 2 ? 33 : 129);
		char text[64];
		if (root < 2)
			snprintf(text, sizeof(text), "%s.%u.%u.%u/%u", root == 0 ? "10" : "255", a,
				 b, c, bits);
		else
			snprintf(text, sizeof(text), "%s::%x:%x:%x/%u",
				 root == 2   ? ""
				 : root == 3 ? "ffff"
					     : "fff0:0",
				 a, b, c, bits);
		error = parse(text, &n);
	} while (error != 0 && error != -EDOM);
	return n;
}

static void test_a_table_finds_as_a_walk_does(void **state)
{
	struct network list[64];
	unsigned seed = 7;
	(void)state;
	for (unsigned round = 0; round < 400; round++) {
		const size_t count = round % 64;
		struct network_table t;
		for (size_t i = 0; i < count; i++)
			list[i] = any_network(&seed);
		assert_int_equal(network_table_init(&t, list, count), 0);
		assert_true(t.count <= 2 * count + 1);
		check_around(&t, list, count);
		for (unsigned i = 0; i < 50; i++) {
			const struct network_address a = any_network(&seed).first;
			assert_int_equal(network_table_find(&t, &a), walk(list, count, &a));
		}
		network_table_release(&t);
	}
}

static void test_an_empty_table_has_nothing(void **state)
{
	struct network_table t = {0};
	const struct network_address a = address_of("::1");
	(void)state;
	assert_int_equal(network_table_find(&t, &a), NETWORK_NONE);
	network_table_release(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_reads_and_writes),
	    cmocka_unit_test(test_a_nul_byte_is_no_end),
	    cmocka_unit_test(test_has),
	    cmocka_unit_test(test_a_table_finds_as_a_walk_does),
	    cmocka_unit_test(test_an_empty_table_has_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
