/* net/proxy_header: the PROXY protocol as one table, each header whole, cut at every byte, and with
 * bytes after it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/proxy_header.h"

#define BYTES(text) (text), sizeof(text) - 1
#define SIGNATURE   "\r\n\r\n\0\r\nQUIT\n"
#define IPV4        "\xc0\0\x02\x01\xcb\0\x71\x07\xdc\x04\x01\xbb"
#define IPV6                                                                                       \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\xdc" \
	"\x04\x01\xbb"
#define MAPPED                                                                             \
	"\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\x02\x01\0\0\0\0\0\0\0\0\0\0\xff\xff\xcb\0\x71" \
	"\x07\xdc\x04\x01\xbb"
#define TEN        "0123456789"
#define FIFTY      TEN TEN TEN TEN TEN
#define LOCAL_NAME FIFTY FIFTY "\0\0\0\0\0\0\0\0" /* 108 bytes */
#define FULL       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"

#define FROM_V4 "192.0.2.1 56324 203.0.113.7 443"
#define FROM_V6 "2001:db8::1 56324 2001:db8::2 443"

struct header_case {
	const char *data;
	size_t len;
	const char *from; /* addresses and ports; "own"; NULL: broken */
	size_t header;    /* its length; 0: all of the data */
};

static const struct header_case good[] = {
    {BYTES("PROXY TCP4 192.0.2.1 203.0.113.7 56324 443\r\n"), FROM_V4, 0},
    {BYTES("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"),
     "255.255.255.255 65535 255.255.255.255 65535", 0},
    {BYTES("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n"), "0.0.0.0 0 0.0.0.0 0", 0},
    {BYTES("PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n"), FROM_V6, 0},
    {BYTES("PROXY TCP6 2001:DB8:0:0:0:0:0:1 2001:0db8:0000::2 56324 443\r\n"), FROM_V6, 0},
    {BYTES("PROXY TCP6 " FULL " " FULL " 65535 65535\r\n"), FULL " 65535 " FULL " 65535", 0},
    /* an IPv4 client of a socket for both families is one of IPv4 */
    {BYTES("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:203.0.113.7 56324 443\r\n"), FROM_V4, 0},
    {BYTES("PROXY TCP6 ::ffff:c000:201 ::ffff:cb00:7107 56324 443\r\n"), FROM_V4, 0},
    {BYTES("PROXY UNKNOWN\r\n"), "own", 0},
    {BYTES("PROXY UNKNOWN \r\n"), "own", 0},
    {BYTES("PROXY UNKNOWN 192.0.2.1 203.0.113.7 56324 443\r\n"), "own", 0},
    {BYTES("PROXY UNKNOWN whatever \x80\0\xff it is\r\n"), "own", 0},
    {BYTES("PROXY UNKNOWN " FULL " " FULL " 65535 65535\r\n"), "own", 0}, /* 107 bytes */
    {BYTES(SIGNATURE "\x21\x11\0\x0c" IPV4), FROM_V4, 0},
    {BYTES(SIGNATURE "\x21\x12\0\x0c" IPV4), FROM_V4, 0}, /* of a datagram */
    {BYTES(SIGNATURE "\x21\x21\0\x24" IPV6), FROM_V6, 0},
    {BYTES(SIGNATURE "\x21\x22\0\x24" IPV6), FROM_V6, 0},
    {BYTES(SIGNATURE "\x21\x21\0\x24" MAPPED), FROM_V4, 0},
    {BYTES(SIGNATURE "\x21\x11\0\x14" IPV4 "\x02\0\x05host."), FROM_V4, 0},
    {BYTES(SIGNATURE "\x21\x11\0\x0d" IPV4 "\x20"), FROM_V4, 0},          /* half a TLV */
    {BYTES(SIGNATURE "\x21\x11\0\x10" IPV4 "\x02\xff\xffx"), FROM_V4, 0}, /* a false length */
    {BYTES(SIGNATURE "\x21\x11\xff\xff" IPV4), FROM_V4, 16 + 65535},
    {BYTES(SIGNATURE "\x21\x21\xff\xff" IPV6), FROM_V6, 16 + 65535},
    {BYTES(SIGNATURE "\x20\0\0\0"), "own", 0},
    {BYTES(SIGNATURE "\x20\0\0\x03xyz"), "own", 0},
    {BYTES(SIGNATURE "\x20\x11\0\x0c" IPV4), "own", 0},
    {BYTES(SIGNATURE "\x20\x11\0\0"), "own", 0},
    {BYTES(SIGNATURE "\x20\xff\0\0"), "own", 0}, /* its family is ignored */
    {BYTES(SIGNATURE "\x20\0\xff\xff"), "own", 16 + 65535},
    {BYTES(SIGNATURE "\x21\0\0\0"), "own", 0},
    {BYTES(SIGNATURE "\x21\0\0\x0c" IPV4), "own", 0},
    {BYTES(SIGNATURE "\x21\x10\0\x0c" IPV4), "own", 0},
    {BYTES(SIGNATURE "\x21\x01\0\0"), "own", 0},
    {BYTES(SIGNATURE "\x21\x02\0\0"), "own", 0},
    {BYTES(SIGNATURE "\x21\x30\0\xd8" LOCAL_NAME LOCAL_NAME), "own", 0},
    {BYTES(SIGNATURE "\x21\x31\0\xd8" LOCAL_NAME LOCAL_NAME), "own", 0},
    {BYTES(SIGNATURE "\x21\x32\0\xdb" LOCAL_NAME LOCAL_NAME "\x04\0\0"), "own", 0},
};

/* Each of them is refused at the latest with its last byte. */
static const struct header_case bad[] = {
    /* lines and their ends */
    {BYTES("PROXY TCP4 192.0.2.1 203.0.113.7 56324 443\n"), NULL, 0},
    {BYTES("PROXY TCP4 192.0.2.1 203.0.113.7 56324 443\r\r"), NULL, 0},
    {BYTES("PROXY TCP4 192.0.2.1 203.0.113.7 56324 443\rx"), NULL, 0},
    {BYTES("PROXY TCP4 192.0.2.1 203.0.113.7\r56324 443\r\n"), NULL, 0},
    {BYTES("PROXY TCP4 192.0.2.1 203.0.113.7\n56324 443\r\n"), NULL, 0},
    {BYTES("PROXY \n"), NULL, 0},
    {BYTES("PROXY \r\n"), NULL, 0},
    {BYTES("PROXY UNKNOWN " FULL " " FULL " 65535 65535 \r\n"), NULL, 0}, /* 108 bytes */
    {BYTES("PROXY UNKNOWN " FIFTY FIFTY), NULL, 0},
    {BYTES("PROXY TCP4 " FIFTY FIFTY), NULL, 0},
    /* families */
    {BYTES("PROXY TCP 192.0.2.1 203.0.113.7 56324 443\r\n"), NULL, 0},
    {BYTES("PROXY tcp4 192.0.2.1 203.0.113.7 56324 443\r\n"), NULL, 0},
    {BYTES("PROXY UDP4 192.0.2.1 203.0.113.7 56324 443\r\n"), NULL, 0},
    {BYTES("PROXY TCP5 192.0.2.1 203.0.113.7 56324 443\r\n"), NULL, 0},
    {BYTES("PROXY unknown\r\n"), NULL, 0},
    {BYTES("PROXY UNKNOWNX\r\n"), NULL, 0},
    {BYTES("PROXY  UNKNOWN\r\n"), NULL, 0},
    {BYTES("PROXY / HTTP/1.1\r\n"), NULL, 0},
    {BYTES("PROXY TCP4\r\n"), NULL, 0},
    {BYTES("PROXY TCP4 \r\n"), NULL, 0},
    /* addresses */
    {BYTES("PROXY TCP4 2001:db8::1 2001:db8::2 56324 443\r\n"), NULL, 0},
    {BYTES("PROXY TCP6 192.0.2.1 203.0.113.7 56324 443\r\n"), NULL, 0},
    {BYTES("PROXY TCP4 192.0.2.1 2001:db8::2 56324 443\r\n"), NULL, 0},
    {BYTES("PROXY TCP4 192.0.2.01 203.0.113.7 56324 443\r\n"), NULL, 0},
    {BYTES("PROXY TCP4 0192.0.2.1 203.0.113.7 56324 443\r\n"), NULL, 0},
    {BYTES("PROXY TCP4 0xc0.0.2.1 203.0.113.7 56324 443\r\n"), NULL, 0},
    {BYTES("PROXY TCP4 192.0.513 203.0.113.7 56324 443\r\n"), NULL, 0},
    {BYTES("PROXY TCP4 192.0.2.256 203.0.113.7 56324 443\r\n"), NULL, 0},
    {BYTES("PROXY TCP4 192.0.2.1. 203.0.113.7 56324 443\r\n"), NULL, 0},
    {BYTES("PROXY TCP4 192.0.2 203.0.113.7 56324 443\r\n"), NULL, 0},
    {BYTES("PROXY TCP4 192.0.2.1\0 203.0.113.7 56324 443\r\n"), NULL, 0},
    {BYTES("PROXY TCP4 -1.0.2.1 203.0.113.7 56324 443\r\n"), NULL, 0},
    {BYTES("PROXY TCP6 2001:db8:::1 2001:db8::2 56324 443\r\n"), NULL, 0},
    {BYTES("PROXY TCP6 2001::db8::1 2001:db8::2 56324 443\r\n"), NULL, 0},
    {BYTES("PROXY TCP6 2001:db8:1 2001:db8::2 56324 443\r\n"), NULL, 0},
    {BYTES("PROXY TCP6 fe80::1%eth0 2001:db8::2 56324 443\r\n"), NULL, 0},
    {BYTES("PROXY TCP6 [2001:db8::1] [2001:db8::2] 56324 443\r\n"), NULL, 0},
    {BYTES("PROXY TCP6 20010:db8::1 2001:db8::2 56324 443\r\n"), NULL, 0},
    {BYTES("PROXY TCP4 localhost 203.0.113.7 56324 443\r\n"), NULL, 0},
    /* ports */
    {BYTES("PROXY TCP4 192.0.2.1 203.0.113.7 65536 443\r\n"), NULL, 0},
    {BYTES("PROXY TCP4 192.0.2.1 203.0.113.7 56324 65536\r\n"), NULL, 0},
    {BYTES("PROXY TCP4 192.0.2.1 203.0.113.7 056324 443\r\n"), NULL, 0},
    {BYTES("PROXY TCP4 192.0.2.1 203.0.113.7 56324 00\r\n"), NULL, 0},
    {BYTES("PROXY TCP4 192.0.2.1 203.0.113.7 +56324 443\r\n"), NULL, 0},
    {BYTES("PROXY TCP4 192.0.2.1 203.0.113.7 -1 443\r\n"), NULL, 0},
    {BYTES("PROXY TCP4 192.0.2.1 203.0.113.7 1e3 443\r\n"), NULL, 0},
    {BYTES("PROXY TCP4 192.0.2.1 203.0.113.7 56324\r\n"), NULL, 0},
    {BYTES("PROXY TCP4 192.0.2.1 203.0.113.7 56324 \r\n"), NULL, 0},
    {BYTES("PROXY TCP4 192.0.2.1 203.0.113.7\r\n"), NULL, 0},
    {BYTES("PROXY TCP4 192.0.2.1 203.0.113.7 18446744073709551617 443\r\n"), NULL, 0},
    /* blanks */
    {BYTES("PROXY  TCP4 192.0.2.1 203.0.113.7 56324 443\r\n"), NULL, 0},
    {BYTES("PROXY TCP4  192.0.2.1 203.0.113.7 56324 443\r\n"), NULL, 0},
    {BYTES("PROXY TCP4 192.0.2.1  203.0.113.7 56324 443\r\n"), NULL, 0},
    {BYTES("PROXY TCP4 192.0.2.1 203.0.113.7  56324 443\r\n"), NULL, 0},
    {BYTES("PROXY TCP4 192.0.2.1 203.0.113.7 56324  443\r\n"), NULL, 0},
    {BYTES("PROXY TCP4 192.0.2.1 203.0.113.7 56324 443 \r\n"), NULL, 0},
    {BYTES("PROXY TCP4 192.0.2.1 203.0.113.7 56324 443 x\r\n"), NULL, 0},
    {BYTES("PROXY TCP4\t192.0.2.1 203.0.113.7 56324 443\r\n"), NULL, 0},
    {BYTES("PROXY TCP4 192.0.2.1\t203.0.113.7 56324 443\r\n"), NULL, 0},
    /* version 2 */
    {BYTES(SIGNATURE "\x01\x11\0\x0c"), NULL, 0},
    {BYTES(SIGNATURE "\x11\x11\0\x0c"), NULL, 0},
    {BYTES(SIGNATURE "\x31\x11\0\x0c"), NULL, 0},
    {BYTES(SIGNATURE "\xf1"), NULL, 0},
    {BYTES(SIGNATURE "\x22\x11\0\x0c"), NULL, 0},
    {BYTES(SIGNATURE "\x2f"), NULL, 0},
    {BYTES(SIGNATURE "\x21\x41\0\x0c"), NULL, 0},
    {BYTES(SIGNATURE "\x21\xf1\xff\xff"), NULL, 0},
    {BYTES(SIGNATURE "\x21\x13\0\x0c"), NULL, 0},
    {BYTES(SIGNATURE "\x21\x1f\0\x0c"), NULL, 0},
    {BYTES(SIGNATURE "\x21\x03\0\0"), NULL, 0},
    {BYTES(SIGNATURE "\x21\x11\0\0"), NULL, 0},
    {BYTES(SIGNATURE "\x21\x11\0\x0b"), NULL, 0},
    {BYTES(SIGNATURE "\x21\x10\0\x0b"), NULL, 0},
    {BYTES(SIGNATURE "\x21\x21\0\x23"), NULL, 0},
    {BYTES(SIGNATURE "\x21\x21\0\x0c" IPV4), NULL, 0},
    {BYTES(SIGNATURE "\x21\x31\0\xd7"), NULL, 0},
    {BYTES(SIGNATURE "\x21\x31\0\0"), NULL, 0},
};

/* These are no headers at all, from the byte on that says so. */
static const struct header_case others[] = {
    {BYTES("\x16\x03\x01\x02\0\x01"), NULL, 1},
    {BYTES("GET / HTTP/1.1\r\n"), NULL, 1},
    {BYTES("POST / HTTP/1.1\r\n"), NULL, 2},
    {BYTES("PROXYTCP4 192.0.2.1 "), NULL, 6},
    {BYTES("PROXX TCP4"), NULL, 5},
    {BYTES("proxy TCP4"), NULL, 1},
    {BYTES(" PROXY TCP4"), NULL, 1},
    {BYTES("\r\nPROXY TCP4"), NULL, 3},
    {BYTES("\r\n\r\nGET / HTTP/1.1\r\n"), NULL, 5},
    {BYTES("\r\n\r\n\0\r\nQUIT\r\n\x21\x11"), NULL, 12},
    {BYTES("\0"), NULL, 1},
};

/* A copy that ends where its memory does. */
static enum proxy_header_result header_of(const char *data, size_t len, struct proxy_header *h)
{
	uint8_t *copy = malloc(len + 1);
	assert_non_null(copy);
	memcpy(copy + 1, data, len);
	const enum proxy_header_result result = proxy_header_read(copy + 1, len, h);
	free(copy);
	return result;
}

static void address_say(const struct network_address *a, unsigned port, char *out, size_t size)
{
	char text[NETWORK_TEXT_MAX];
	const struct network alone = {*a, 128};
	(void)snprintf(out, size, "%s %u", network_format(&alone, text), port);
}

static void header_check(const struct proxy_header *h, const struct header_case *c)
{
	char from[64], to[64], both[130] = "own";
	address_say(&h->source, h->source_port, from, sizeof(from));
	address_say(&h->destination, h->destination_port, to, sizeof(to));
	if (!h->own)
		(void)snprintf(both, sizeof(both), "%s %s", from, to);
	assert_string_equal(both, c->from);
	assert_int_equal(h->len, c->header != 0 ? c->header : c->len);
	assert_int_equal(h->version, c->data[0] == 'P' ? 1 : 2);
}

/* The bytes that decide: all of a line, but of version 2 only those up to the addresses. */
static size_t needed(const struct header_case *c, const struct proxy_header *h)
{
	static const uint8_t with[] = {0, 12, 36, 0};
	if (h->version == 1)
		return c->len;
	return h->own ? 16 : 16 + (size_t)with[(unsigned char)c->data[13] >> 4];
}

static void every_header_of_the_protocol_is_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		const struct header_case *c = &good[i];
		struct proxy_header h = {0};
		assert_int_equal(header_of(c->data, c->len, &h), PROXY_HEADER_OK);
		header_check(&h, c);
		const size_t enough = needed(c, &h);
		assert_in_range(enough, 1, PROXY_HEADER_MAX);
		for (size_t len = 0; len < c->len; len++) {
			struct proxy_header part = {.fault = "untouched"};
			assert_int_equal(header_of(c->data, len, &part),
					 len < enough ? PROXY_HEADER_MORE : PROXY_HEADER_OK);
			if (len >= enough)
				header_check(&part, c);
			else
				assert_string_equal(part.fault, "untouched");
		}
	}
}

static void what_follows_a_header_is_not_part_of_it(void **state)
{
	static const char *const rest[] = {
	    "G",        "\x16\x03\x01", "\r\n", "\n", "PROXY TCP4 192.0.2.9 192.0.2.9 9 9\r\n",
	    FIFTY FIFTY};
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		for (size_t k = 0; k < sizeof(rest) / sizeof(rest[0]); k++) {
			char data[512];
			struct proxy_header h = {0};
			memcpy(data, good[i].data, good[i].len);
			memcpy(data + good[i].len, rest[k], strlen(rest[k]));
			assert_int_equal(header_of(data, good[i].len + strlen(rest[k]), &h),
					 PROXY_HEADER_OK);
			header_check(&h, &good[i]);
		}
}

static void a_broken_header_is_refused_however_it_is_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct proxy_header h = {0};
		assert_int_equal(header_of(bad[i].data, bad[i].len, &h), PROXY_HEADER_BROKEN);
		assert_non_null(h.fault);
		bool broken = false;
		for (size_t len = 0; len <= bad[i].len; len++) {
			const enum proxy_header_result r = header_of(bad[i].data, len, &h);
			assert_true(r == PROXY_HEADER_BROKEN ||
				    (!broken && r == PROXY_HEADER_MORE));
			broken = r == PROXY_HEADER_BROKEN;
		}
	}
}

static void other_bytes_are_no_header_from_the_first_that_differs(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		for (size_t len = 0; len <= others[i].len; len++) {
			struct proxy_header h;
			assert_int_equal(header_of(others[i].data, len, &h),
					 len < others[i].header ? PROXY_HEADER_MORE
								: PROXY_HEADER_NONE);
		}
}

static enum proxy_header_result recognized(const char *data, size_t len)
{
	return proxy_header_recognize((const uint8_t *)data, len);
}

/* Of clients that may send none. */
static void a_header_is_recognized_by_its_beginning(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		for (size_t len = 0; len <= good[i].len; len++)
			assert_int_equal(recognized(good[i].data, len),
					 len < (good[i].data[0] != 'P'   ? 12
						: good[i].data[6] == 'U' ? 13
									 : 11)
					     ? PROXY_HEADER_MORE
					     : PROXY_HEADER_OK);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(recognized(others[i].data, others[i].len), PROXY_HEADER_NONE);
	assert_int_equal(recognized(BYTES("PROXY / HTTP/1.1\r\n")), PROXY_HEADER_NONE);
	assert_int_equal(recognized(BYTES("PROXY * HTTP/1.1\r\n")), PROXY_HEADER_NONE);
	assert_int_equal(recognized(BYTES("P")), PROXY_HEADER_MORE);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_header_of_the_protocol_is_read),
	    cmocka_unit_test(what_follows_a_header_is_not_part_of_it),
	    cmocka_unit_test(a_broken_header_is_refused_however_it_is_cut),
	    cmocka_unit_test(other_bytes_are_no_header_from_the_first_that_differs),
	    cmocka_unit_test(a_header_is_recognized_by_its_beginning),
	};
	return cmocka_run_group_tests_name("proxy_header", tests, NULL, NULL);
}
