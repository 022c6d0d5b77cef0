/* What is a media type. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/media_type.h"

static void a_type_has_two_tokens_and_parameters(void **state)
{
	static const struct {
		const char *type;
		enum media_type_fault want;
	} cases[] = {
	    {"text/html", MEDIA_TYPE_GOOD},
	    {"application/vnd.debian.binary-package", MEDIA_TYPE_GOOD},
	    {"model/x+y.z-1_!#$&^", MEDIA_TYPE_GOOD},
	    {"text/html; charset=utf-8", MEDIA_TYPE_GOOD},
	    {"text/html;charset=utf-8", MEDIA_TYPE_GOOD},
	    {"text/html \t;\ta=b ; c=\"d; \\\" e\"", MEDIA_TYPE_GOOD},
	    {"", MEDIA_TYPE_NAME},
	    {"text", MEDIA_TYPE_NAME},
	    {"/", MEDIA_TYPE_NAME},
	    {"text/", MEDIA_TYPE_NAME},
	    {"/html", MEDIA_TYPE_NAME},
	    {"a@b/c", MEDIA_TYPE_NAME},
	    {"a/b@", MEDIA_TYPE_NAME},
	    {"a/b/c", MEDIA_TYPE_NAME},
	    {"a /b", MEDIA_TYPE_NAME},
	    {" a/b", MEDIA_TYPE_NAME},
	    {"a/b,c/d", MEDIA_TYPE_NAME},
	    {"\xc3\xa4/b", MEDIA_TYPE_NAME},
	    {"a/b ", MEDIA_TYPE_PARAMETERS},
	    {"a/b;", MEDIA_TYPE_PARAMETERS},
	    {"a/b c", MEDIA_TYPE_PARAMETERS},
	    {"a/b; c", MEDIA_TYPE_PARAMETERS},
	    {"a/b; c=", MEDIA_TYPE_PARAMETERS},
	    {"a/b; =c", MEDIA_TYPE_PARAMETERS},
	    {"a/b; c=\"d", MEDIA_TYPE_PARAMETERS},
	    {"a/b; c=\"d\\\"", MEDIA_TYPE_PARAMETERS},
	    {"a/b; c=\"\n\"", MEDIA_TYPE_PARAMETERS},
	    {"a/b; c=\"\\\n\"", MEDIA_TYPE_PARAMETERS},
	    {"a/b; c=d e", MEDIA_TYPE_PARAMETERS},
	    {"a/b; c = d", MEDIA_TYPE_PARAMETERS},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (media_type_check(cases[i].type, strlen(cases[i].type)) != cases[i].want)
			fail_msg("%s", cases[i].type);
	assert_int_equal(media_type_check("a/b\0", 4), MEDIA_TYPE_NAME);
	assert_int_equal(media_type_check("a/b; c=\0", 8), MEDIA_TYPE_PARAMETERS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_type_has_two_tokens_and_parameters),
	};
	return cmocka_run_group_tests_name("base media type", tests, NULL, NULL);
}
