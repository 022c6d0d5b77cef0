/* tls/first: the client's protocol, recognised by its first bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tls/first.h"

#define BYTES(text) text, sizeof(text) - 1

static const struct {
	const char *bytes;
	size_t len;
	enum tls_first first;
} table[] = {
    {BYTES("\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"), TLS_FIRST_RECORD},
    {BYTES("\x16"), TLS_FIRST_RECORD},
    {BYTES("\x15\x03\x01\0\x02\x02\x28"), TLS_FIRST_RECORD},
    {BYTES("\x17\x03\x03\0\x05hello"), TLS_FIRST_RECORD},
    {BYTES("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), TLS_FIRST_HTTP},
    {BYTES("GET /\r\n"), TLS_FIRST_HTTP},
    {BYTES("GET no-path HTTP/1.1\r\n"), TLS_FIRST_HTTP},
    {BYTES("get / http/1.1\r\n"), TLS_FIRST_HTTP},
    {BYTES("HEAD /a HTTP/1.0\r\n"), TLS_FIRST_HTTP},
    {BYTES("POST /upload HTTP/1.1\r\n"), TLS_FIRST_HTTP},
    {BYTES("OPTIONS * HTTP/1.1\r\n"), TLS_FIRST_HTTP},
    {BYTES("CONNECT a.example:443 HTTP/1.1\r\n"), TLS_FIRST_HTTP},
    {BYTES("PROPFIND http://a/ HTTP/1.1\r\n"), TLS_FIRST_HTTP},
    {BYTES("PATCH HTTPS://a/ HTTP/1.1\r\n"), TLS_FIRST_HTTP},
    {BYTES("BASELINE-CONTROL /a HTTP/1.1\r\n"), TLS_FIRST_HTTP},
    {BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), TLS_FIRST_HTTP},
    {BYTES("\r\nGET / HTTP/1.1\r\n"), TLS_FIRST_HTTP},
    {BYTES("\n\nOPTIONS / HTTP/1.1\r\n"), TLS_FIRST_HTTP},
    {BYTES("SSH-2.0-OpenSSH_9.2\r\n"), TLS_FIRST_SSH},
    {BYTES("EHLO mail.example\r\n"), TLS_FIRST_SMTP},
    {BYTES("HELO mail.example\r\n"), TLS_FIRST_SMTP},
    {BYTES("LHLO mail.example\r\n"), TLS_FIRST_SMTP},
    {BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n"), TLS_FIRST_PROXY},
    {BYTES("PROXY UNKNOWN\r\n\x16\x03\x01"), TLS_FIRST_PROXY},
    {BYTES("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"), TLS_FIRST_PROXY},
    {BYTES("\x80\x2e\x01\x03\x01\0\x15\0\0\0\x10"), TLS_FIRST_SSL2},
    {BYTES("\x80\x2e\x01\0\x02\0\x15\0\0\0\x10"), TLS_FIRST_SSL2},
    {BYTES("\xff\xff\xff\xff"), TLS_FIRST_OTHER},
    {BYTES("\x80\x2e\x01\x07\x01"), TLS_FIRST_OTHER},
    {BYTES("\0\0\0\0\0"), TLS_FIRST_OTHER},
    {BYTES("\x03\0\0\x13\x0e\xe0"), TLS_FIRST_OTHER}, /* remote desktops */
    {BYTES("\x05\x01\0"), TLS_FIRST_OTHER},           /* SOCKS */
    {BYTES("USER anonymous\r\n"), TLS_FIRST_OTHER},   /* FTP */
    {BYTES("HELLO\r\n"), TLS_FIRST_OTHER},
    {BYTES(" GET / HTTP/1.1\r\n"), TLS_FIRST_OTHER},
    {BYTES("OPTIONS rtsp://a RTSP/1.0\r\n"), TLS_FIRST_OTHER},
    {BYTES("\r\n\r\n\r\nGET / HTTP/1.1\r\n"), TLS_FIRST_OTHER},
    {BYTES("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
     TLS_FIRST_OTHER},
    {BYTES("AMETHODOF33BYTESAAAAAAAAAAAAAAAAA / HTTP/1.1\r\n"), TLS_FIRST_OTHER},
    {BYTES("1.2.3.4\xe2\x82\xac"), TLS_FIRST_OTHER},
};

static void every_beginning_has_its_word(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const uint8_t *bytes = (const uint8_t *)table[i].bytes;
		enum tls_first first = tls_first_of(bytes, table[i].len, false);
		if (first != table[i].first)
			print_message("%s\n", table[i].bytes);
		assert_int_equal(first, table[i].first);
		assert_int_equal(tls_first_of(bytes, table[i].len, true), table[i].first);
	}
}

/* However few bytes come at once, there is no decision before it is certain, and no change
 * after it. */
static void a_beginning_that_comes_byte_by_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		for (size_t len = 0; len <= table[i].len; len++) {
			enum tls_first first =
			    tls_first_of((const uint8_t *)table[i].bytes, len, false);
			assert_true(first == table[i].first ||
				    (first == TLS_FIRST_MORE && len < TLS_FIRST_MAX));
		}
}

static void what_ends_too_early_is_nothing(void **state)
{
	(void)state;
	assert_int_equal(tls_first_of((const uint8_t *)"SS", 2, true), TLS_FIRST_OTHER);
	assert_int_equal(tls_first_of((const uint8_t *)"GET", 3, true), TLS_FIRST_OTHER);
	assert_int_equal(tls_first_of((const uint8_t *)"", 0, true), TLS_FIRST_OTHER);
}

static void each_has_a_sentence(void **state)
{
	(void)state;
	for (int i = TLS_FIRST_RECORD; i <= TLS_FIRST_OTHER; i++) {
		const char *text = tls_first_text((enum tls_first)i);
		assert_true((text == NULL) == (i == TLS_FIRST_RECORD || i == TLS_FIRST_MORE));
		assert_true(text == NULL || text[strlen(text) - 1] == '.');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_beginning_has_its_word),
	    cmocka_unit_test(a_beginning_that_comes_byte_by_byte),
	    cmocka_unit_test(what_ends_too_early_is_nothing),
	    cmocka_unit_test(each_has_a_sentence),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
