/* base/base64: what RFC 4648, section 4, has in exactly one form is read, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"

#define DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

/* With exactly the room that the header asks for, so that a sanitizer sees a byte too many. */
static size_t decode(const char *text, size_t len, uint8_t *ret)
{
	char *exact = malloc(len > 0 ? len : 1);
	const size_t room = BASE64_BYTES_MAX(len);
	uint8_t *bytes = malloc(room > 0 ? room : 1);
	assert_non_null(exact);
	assert_non_null(bytes);
	memcpy(exact, text, len);
	const size_t n = base64_decode(exact, len, bytes);
	assert_true(n <= room || n == SIZE_MAX);
	if (n != SIZE_MAX)
		memcpy(ret, bytes, n);
	free(exact);
	free(bytes);
	return n;
}

static void the_vectors_of_the_rfc(void **state)
{
	static const char *const rows[][2] = {
	    {"", ""},
	    {"Zg==", "f"},
	    {"Zm8=", "fo"},
	    {"Zm9v", "foo"},
	    {"Zm9vYg==", "foob"},
	    {"Zm9vYmE=", "fooba"},
	    {"Zm9vYmFy", "foobar"},
	    {"QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin:open sesame"}, /* RFC 7617 */
	    {"dGVzdDoxMjPCow==", "test:123\xc2\xa3"},
	};
	uint8_t got[64];
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(decode(rows[i][0], strlen(rows[i][0]), got), strlen(rows[i][1]));
		assert_memory_equal(got, rows[i][1], strlen(rows[i][1]));
	}
}

static size_t encode(const uint8_t *from, size_t len, char *out)
{
	size_t used = 0;
	for (size_t i = 0; i < len; i += 3) {
		const size_t left = len - i;
		const uint32_t bits = (uint32_t)from[i] << 16 |
				      (left > 1 ? (uint32_t)from[i + 1] << 8 : 0) |
				      (left > 2 ? from[i + 2] : 0);
		out[used++] = DIGITS[bits >> 18];
		out[used++] = DIGITS[bits >> 12 & 63];
		out[used++] = left > 1 ? DIGITS[bits >> 6 & 63] : '=';
		out[used++] = left > 2 ? DIGITS[bits & 63] : '=';
	}
	return used;
}

static void every_length_and_byte_comes_back(void **state)
{
	uint8_t from[300], got[300];
	char text[400];
	(void)state;
	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = (uint8_t)(i * 167 + 13);
	for (size_t len = 0; len <= sizeof(from); len++) {
		const size_t n = encode(from, len, text);
		assert_int_equal(decode(text, n, got), len);
		assert_memory_equal(got, from, len);
	}
}

static void other_bytes_are_no_digits(void **state)
{
	uint8_t got[3];
	(void)state;
	for (unsigned c = 0; c < 256; c++)
		for (unsigned at = 0; at < 4; at++) {
			char text[] = "AAAA";
			text[at] = (char)c;
			const bool digit = c != 0 && strchr(DIGITS, (int)c) != NULL;
			const size_t want = digit ? 3 : at == 3 && c == '=' ? 2 : SIZE_MAX;
			assert_int_equal(decode(text, 4, got), want);
		}
}

static void other_forms_are_refused(void **state)
{
	static const char *const rows[] = {
	    /* its length */
	    "Z", "Zg", "Zm8", "Zm9vY", "Zm9vYg", "Zm9vYmE",
	    "Zg=", "Zm9vYmFy=", "Zm9v==", "Zm9v====", "=", "==", "===",
	    /* padding that is all, too much or inside */
	    "====", "Z===", "A=AA", "AA=A", "=AAA", "Zg==Zg==", "Zm8=Zm8=", "Zm9v=AAA",
	    /* line breaks and spaces */
	    "Zm9v\r\nYmFy", "Zm9v\n===", " Zm9", "Zm9 ", "Zm 9v==", "\tZm9",
	    /* that of section 5 */
	    "Zm9-", "Zm9_",
	    /* the last bits are not zero */
	    "Zh==", "Zv==", "Z/==", "Zm9=", "Zm+=", "Zm9vYh==", "Zm9vYmF="};
	uint8_t got[64];
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (decode(rows[i], strlen(rows[i]), got) != SIZE_MAX)
			fail_msg("`%s` was read", rows[i]);
	}
}

/* Of all texts with one or two digits before the padding, those with last bits of zero alone. */
static void each_text_is_the_only_one_of_its_bytes(void **state)
{
	uint8_t got[3];
	(void)state;
	for (unsigned i = 0; i < 64; i++) {
		const char one[] = {'A', DIGITS[i], '=', '='};
		const char two[] = {'A', 'A', DIGITS[i], '='};
		assert_int_equal(decode(one, 4, got), i % 16 == 0 ? 1 : SIZE_MAX);
		assert_int_equal(decode(two, 4, got), i % 4 == 0 ? 2 : SIZE_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_vectors_of_the_rfc),
	    cmocka_unit_test(every_length_and_byte_comes_back),
	    cmocka_unit_test(other_bytes_are_no_digits),
	    cmocka_unit_test(other_forms_are_refused),
	    cmocka_unit_test(each_text_is_the_only_one_of_its_bytes),
	};
	return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}
