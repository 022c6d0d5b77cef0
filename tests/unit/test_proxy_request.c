/* The head of a request that goes upstream: rebuilt from what was parsed, whatever a client sent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../proxy_head.h"

/* --- without anything that the proxy adds ------------------------------------------------------
 */

#define REFUSED "refused" /* by the parser, before any handler */

struct request_case {
	const char *sent; /* the head, without its blank line */
	const char *want; /* what goes upstream, without it; or the status; or REFUSED */
};

#define H "Host: a\r\n"
#define GET(fields, want)                                                  \
	{                                                                  \
		"GET / HTTP/1.1\r\n" H fields, "GET / HTTP/1.1\r\n" H want \
	}
#define SAME(text)         \
	{                  \
		text, text \
	}
/* The target alone. */
#define TARGET(sent, want)                                                   \
	{                                                                    \
		"GET " sent " HTTP/1.1\r\n" H, "GET " want " HTTP/1.1\r\n" H \
	}

static const struct request_case cases[] = {
    SAME("GET / HTTP/1.1\r\n" H),
    SAME("HEAD / HTTP/1.1\r\n" H),
    SAME("DELETE /a HTTP/1.1\r\n" H),
    SAME("PATCH /a HTTP/1.1\r\n" H "Content-Length: 5\r\n"),
};

static void check(struct proxy_head *p, const struct request_case *c, unsigned *failed)
{
	char sent[4096], got[8192];
	const int len = snprintf(sent, sizeof(sent), "%s\r\n", c->sent);
	if (!proxy_head_begin(p, sent, (size_t)len)) {
		(void)snprintf(got, sizeof(got), "%s", REFUSED);
	} else {
		const unsigned status = proxy_head_make(p, false);
		if (status != 0)
			(void)snprintf(got, sizeof(got), "%u", status);
		else
			(void)snprintf(got, sizeof(got), "%.*s", (int)p->len - 2, p->out);
	}
	if (strcmp(got, c->want) == 0)
		return;
	(*failed)++;
	print_message("--- sent\n%s--- got\n%s\n--- want\n%s\n", c->sent, got, c->want);
}

static void each_request_goes_upstream_as_exactly_one(void **state)
{
	(void)state;
	struct proxy_head *p = proxy_head_new(NULL);
	unsigned failed = 0;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check(p, &cases[i], &failed);
	proxy_head_free(p);
	assert_int_equal(failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_request_goes_upstream_as_exactly_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
