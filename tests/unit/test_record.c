#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "master/upgrade/record.h"

static void what_is_written_is_read_again(void **state)
{
	char *text = NULL, line[300], all[256];
	size_t len = 0;
	struct record r = {.line = 0};
	struct err err;
	(void)state;
	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	FILE *f = open_memstream(&text, &len);
	record_begin(f, "port");
	record_put(f, "number", 8000);
	record_put(f, "least", INT64_MIN);
	record_put(f, "most", INT64_MAX);
	record_put_text(f, "reason", "a \"b\" \\ \n\x01\xff c=d");
	record_put_text(f, "none", "");
	record_put_bytes(f, "all", all, sizeof(all));
	record_end(f);
	record_begin(f, "end");
	record_end(f);
	fclose(f);
	const char *at = text;
	assert_true(record_next(&r, &at, &len, &err));
	assert_true(record_is(&r, "port"));
	assert_false(record_is(&r, "por"));
	assert_false(record_is(&r, "ports"));
	record_bytes(&r, "all", line, sizeof(all));
	assert_memory_equal(line, all, sizeof(all));
	record_text(&r, "reason", line, sizeof(line));
	assert_string_equal(line, "a \"b\" \\ \n\x01\xff c=d");
	record_text(&r, "none", line, 1);
	assert_string_equal(line, "");
	assert_int_equal(record_number(&r, "number", 1, 65535), 8000);
	assert_true(record_number(&r, "least", INT64_MIN, 0) == INT64_MIN);
	assert_false(record_done(&r)); /* most is not read */
	assert_string_equal(err.text, "line 1: says more than this version understands");
	assert_true(record_next(&r, &at, &len, &err));
	assert_true(record_is(&r, "end") && record_done(&r));
	assert_false(record_next(&r, &at, &len, &err));
	assert_false(r.failed);
	free(text);
}

static void refused(const char *text, const char *message)
{
	struct record r = {.line = 0};
	struct err err = {""};
	size_t len = strlen(text);
	char room[4];
	assert_true(record_next(&r, &text, &len, &err) == (message[0] == ':'));
	if (!r.failed) {
		(void)record_number(&r, "n", 0, 9);
		record_text(&r, "t", room, sizeof(room));
		(void)record_done(&r);
	}
	assert_true(r.failed);
	assert_string_equal(err.text, message + (message[0] == ':'));
}

static void what_has_another_form_is_refused(void **state)
{
	(void)state;
	refused("port n=1 t=\"\"", "line 1: is cut off");
	refused(" n=1\n", "line 1: has no kind");
	refused("\n", "line 1: has no kind");
	refused("8 n=1\n", "line 1: has no kind");
	refused("port  n=1\n", "line 1: is not of the form");
	refused("port n\n", "line 1: is not of the form");
	refused("port n=\n", "line 1: is not of the form");
	refused("port =1\n", "line 1: is not of the form");
	refused("port N=1\n", "line 1: is not of the form");
	refused("port t=\"a b\" n=1\n", "line 1: is not of the form");
	refused("port t=\"\"\n", ":line 1: lacks n");
	refused("port n=1\n", ":line 1: lacks t");
	refused("port n=1 t=\"\" n=1\n", ":line 1: says more than this version understands");
	refused("port n=10 t=\"\"\n", ":line 1: has no such number in n");
	refused("port n=-1 t=\"\"\n", ":line 1: has no such number in n");
	refused("port n=1x t=\"\"\n", ":line 1: has no such number in n");
	refused("port n=+1 t=\"\"\n", ":line 1: has no number in n");
	refused("port n=\"1\" t=\"\"\n", ":line 1: has no such number in n");
	refused("port n=99999999999999999999 t=\"\"\n", ":line 1: has no such number in n");
	refused("port n=999999999999999999999999 t=\"\"\n", ":line 1: has no number in n");
	refused("port n=1 t=\"abcd\"\n", ":line 1: has no such text in t");
	refused("port n=1 t=\"\\00\"\n", ":line 1: has no such text in t");
	refused("port n=1 t=\"\\0\"\n", ":line 1: has no such text in t");
	refused("port n=1 t=\"\\xx\"\n", ":line 1: has no such text in t");
	refused("port n=1 t=\"\n", ":line 1: has no such text in t");
	refused("port n=1 t=a\n", ":line 1: has no such text in t");
}

static void bytes_are_exactly_so_many(void **state)
{
	char room[3];
	struct err err;
	(void)state;
	for (int n = 0; n < 5; n++) {
		char text[64];
		(void)snprintf(text, sizeof(text), "a b=\"%.*s\"\n", n, "xyzw");
		const char *at = text;
		size_t len = strlen(text);
		struct record r = {.line = 0};
		assert_true(record_next(&r, &at, &len, &err));
		record_bytes(&r, "b", room, sizeof(room));
		assert_true(r.failed == (n != 3));
	}
}

static void more_values_than_there_is_room_for_are_refused(void **state)
{
	char text[16 * RECORD_VALUES_MAX] = "a";
	struct record r = {.line = 0};
	struct err err;
	(void)state;
	for (int i = 0; i <= RECORD_VALUES_MAX; i++)
		strcat(text, " a=1");
	strcat(text, "\n");
	const char *at = text;
	size_t len = strlen(text);
	assert_false(record_next(&r, &at, &len, &err));
	assert_true(r.failed);
}

/* A later version marks what an earlier one may leave out. */
static void what_is_optional_is_read_or_skipped(void **state)
{
	static const char all[] =
	    "port n=1 more?=2 words?=\"x\"\nnews? a=1 b?=2\nnews a=1\nport n=1 more=2\n";
	const char *text = all;
	size_t len = strlen(all);
	struct record r = {.line = 0};
	struct err err = {""};
	char room[4];
	(void)state;
	assert_true(record_next(&r, &text, &len, &err));
	assert_true(record_has(&r, "more") && record_has(&r, "words") && !record_has(&r, "mor"));
	assert_int_equal(record_number(&r, "n", 0, 9), 1);
	assert_int_equal(record_number(&r, "more", 0, 9), 2); /* it is known here … */
	assert_false(record_has(&r, "more"));
	assert_true(record_done(&r)); /* … and the other one is not */
	assert_true(record_next(&r, &text, &len, &err));
	assert_true(record_is(&r, "news"));
	record_skip(&r);
	assert_true(record_done(&r));
	assert_true(record_next(&r, &text, &len, &err));
	record_skip(&r);
	assert_false(record_done(&r));
	assert_string_equal(err.text, "line 3: is of a kind that this version does not know");
	assert_true(record_next(&r, &text, &len, &err));
	(void)record_number(&r, "n", 0, 9);
	assert_false(record_done(&r));
	assert_string_equal(err.text, "line 4: says more than this version understands");
	refused("port ?=1\n", "line 1: is not of the form");
	refused("port n?"
		"?=1\n",
		"line 1: is not of the form");
	refused("port n?\n", "line 1: is not of the form");
	refused("port? ?\n", "line 1: is not of the form");
	refused("? n=1\n", "line 1: has no kind");
	text = "a s=\"abcdef\"\n";
	len = strlen(text);
	r = (struct record){.line = 0};
	assert_true(record_next(&r, &text, &len, &err));
	record_sentence(&r, "s", room, sizeof(room));
	assert_string_equal(room, "abc");
	assert_true(record_done(&r));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_written_is_read_again),
	    cmocka_unit_test(what_has_another_form_is_refused),
	    cmocka_unit_test(bytes_are_exactly_so_many),
	    cmocka_unit_test(what_is_optional_is_read_or_skipped),
	    cmocka_unit_test(more_values_than_there_is_room_for_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
