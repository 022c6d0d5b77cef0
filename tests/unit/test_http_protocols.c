/* The list of protocols: the names that ALPN offers are those that are found again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "http/http1.h"
#include "http/proto.h"

static void every_name_that_is_offered_is_found(void **state)
{
	const char *names[HTTP_PROTOCOL_NAMES_MAX];
	const size_t count = http_protocol_names(names);
	(void)state;
	assert_true(count > 0);
	for (size_t i = 0; i < count; i++) {
		assert_true(strlen(names[i]) > 0 && strlen(names[i]) <= 255); /* RFC 7301, 3.1 */
		assert_non_null(http_protocol(names[i], strlen(names[i])));
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(names[i], names[k]);
	}
}

static void http1_has_both_names_and_needs_none(void **state)
{
	(void)state;
	assert_ptr_equal(http_protocol("http/1.1", 8), &http1_ops);
	assert_ptr_equal(http_protocol("http/1.0", 8), &http1_ops);
	assert_ptr_equal(http_protocol(NULL, 0), &http1_ops);
}

static void other_names_are_not_found(void **state)
{
	static const char *const others[] = {"h2", "http/1", "http/1.11", "HTTP/1.1", "spdy/3"};
	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_null(http_protocol(others[i], strlen(others[i])));
	assert_null(http_protocol("http/1.1\0", 9));
}

static void the_room_holds_every_protocol(void **state)
{
	(void)state;
	for (size_t i = 0; http_protocols[i] != NULL; i++) {
		assert_true(http_protocols[i]->size >= sizeof(struct proto));
		assert_true(http_protocols[i]->size <= http_protocol_size());
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_name_that_is_offered_is_found),
	    cmocka_unit_test(http1_has_both_names_and_needs_none),
	    cmocka_unit_test(other_names_are_not_found),
	    cmocka_unit_test(the_room_holds_every_protocol),
	};
	return cmocka_run_group_tests_name("http protocols", tests, NULL, NULL);
}
