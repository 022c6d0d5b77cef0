/* base/json: structures and their commas. Strings of any bytes are in test_handlers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../json_check.h"
#include "base/json.h"

static void commas_stand_between_members_only(void **state)
{
	struct buf out = BUF_INIT(1000);
	struct jsonout j = {.out = &out};
	(void)state;
	jsonout_open(&j, NULL, '{');
	jsonout_open(&j, "empty", '[');
	jsonout_close(&j, ']');
	jsonout_open(&j, "list", '[');
	jsonout_uint(&j, NULL, 1);
	jsonout_open(&j, NULL, '{');
	jsonout_close(&j, '}');
	jsonout_text(&j, NULL, NULL);
	jsonout_close(&j, ']');
	jsonout_text(&j, "text", "a\"b\n");
	jsonout_int(&j, "least", INT64_MIN);
	jsonout_int(&j, "most", INT64_MAX);
	jsonout_bool(&j, "yes", true);
	jsonout_bool(&j, "no", false);
	jsonout_null(&j, "nothing");
	jsonout_tenths(&j, "tenths", 1234);
	jsonout_tenths(&j, "zero", 0);
	jsonout_close(&j, '}');
	jsonout_add(&j, "\n");
	assert_false(j.failed);
	const char *wanted = "{\"empty\":[],\"list\":[1,{},null],\"text\":\"a\\\"b\\u000a\","
			     "\"least\":-9223372036854775808,\"most\":9223372036854775807,"
			     "\"yes\":true,\"no\":false,\"nothing\":null,\"tenths\":123.4,"
			     "\"zero\":0.0}\n";
	assert_int_equal(buf_len(&out), strlen(wanted));
	assert_memory_equal(buf_head(&out), wanted, strlen(wanted));
	assert_true(json_check(buf_head(&out), buf_len(&out)));
	buf_release(&out);
}

static void what_does_not_fit_is_told(void **state)
{
	struct buf out = BUF_INIT(8);
	struct jsonout j = {.out = &out};
	(void)state;
	jsonout_open(&j, NULL, '{');
	jsonout_text(&j, "name", "value");
	assert_true(j.failed);
	assert_true(buf_len(&out) <= 8);
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(commas_stand_between_members_only),
	    cmocka_unit_test(what_does_not_fit_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
