/* The Certificate message of a client: its numbers and sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "tls/client_message.h"

static uint8_t message[200000];
static size_t message_len;

static void put(const void *bytes, size_t len)
{
	assert_true(message_len + len <= sizeof(message));
	if (len > 0)
		memcpy(message + message_len, bytes, len);
	message_len += len;
}

static void put_number(size_t number, unsigned bytes)
{
	for (unsigned i = bytes; i > 0; i--) {
		const uint8_t byte = (uint8_t)(number >> (8 * (i - 1)));
		put(&byte, 1);
	}
}

/* Wraps what was put since begin as the content of an element of DER. */
static void wrap(uint8_t tag, size_t begin)
{
	const size_t len = message_len - begin;
	const uint8_t head[] = {tag, 0x83, (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len};
	assert_true(message_len + sizeof(head) <= sizeof(message));
	memmove(message + begin + sizeof(head), message + begin, len);
	memcpy(message + begin, head, sizeof(head));
	message_len += sizeof(head);
}

static void put_element(uint8_t tag, size_t len)
{
	static const uint8_t bytes[20000] = {[0] = 0x7f};
	const size_t begin = message_len;
	put(bytes, len);
	wrap(tag, begin);
}

/* A key: RSA with numbers of so many bytes, or another one with so many bits as a key. */
struct key {
	size_t modulus, exponent, other;
};

static void put_key(const struct key *key)
{
	static const uint8_t rsa[] = {0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1};
	static const uint8_t other[] = {0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1};
	const size_t begin = message_len;
	put(key->modulus > 0 ? rsa : other, key->modulus > 0 ? sizeof(rsa) : sizeof(other));
	wrap(0x30, begin);
	const size_t bits = message_len;
	put_number(0, 1);
	if (key->modulus > 0) {
		const size_t numbers = message_len;
		put_element(0x02, key->modulus);
		put_element(0x02, key->exponent);
		wrap(0x30, numbers);
	} else {
		put_element(0x04, key->other);
	}
	wrap(0x03, bits);
	wrap(0x30, begin);
}

static void put_certificate(const struct key *key, size_t more)
{
	const size_t begin = message_len;
	put_element(0x02, 8); /* without a version, which is optional */
	for (int i = 0; i < 4; i++)
		put_element(0x30, i == 3 ? more : 20);
	put_key(key);
	put_element(0xa3, 50);
	wrap(0x30, begin);
	put_element(0x30, 12);
	put_element(0x03, 70);
	wrap(0x30, begin);
}

/* Puts the length before what was put since begin. */
static void measure(size_t begin)
{
	const size_t len = message_len - begin;
	assert_true(message_len + 3 <= sizeof(message));
	memmove(message + begin + 3, message + begin, len);
	message[begin] = (uint8_t)(len >> 16);
	message[begin + 1] = (uint8_t)(len >> 8);
	message[begin + 2] = (uint8_t)len;
	message_len += 3;
}

static void message_make(bool is_13, const struct key *key, size_t more, unsigned count)
{
	message_len = 0;
	if (is_13)
		put_number(0, 1);
	const size_t list = message_len;
	for (unsigned i = 0; i < count; i++) {
		const size_t begin = message_len;
		put_certificate(key, more);
		measure(begin);
		if (is_13)
			put_number(0, 2);
	}
	measure(list);
}

static const struct key p256 = {.other = 65};

static void sizes_are_bounded(void **state)
{
	static const struct {
		struct key key;
		size_t more; /* bytes of the subject */
		unsigned count;
		enum tls_client_fault fault;
	} rows[] = {
	    {{.other = 65}, 20, 0, TLS_CLIENT_GOOD},
	    {{.other = 65}, 20, 5, TLS_CLIENT_GOOD},
	    {{.other = 65}, 20, 6, TLS_CLIENT_DEEP},
	    {{.other = 65}, 20, 20, TLS_CLIENT_DEEP},
	    {{.other = 65}, 15900, 1, TLS_CLIENT_GOOD},
	    {{.other = 65}, 16384, 1, TLS_CLIENT_COSTLY},
	    {{.other = 400}, 20, 1, TLS_CLIENT_GOOD},
	    {{.other = 512}, 20, 1, TLS_CLIENT_COSTLY}, /* DSA, perhaps */
	    {{.modulus = 256, .exponent = 3}, 20, 5, TLS_CLIENT_GOOD},
	    {{.modulus = 1024, .exponent = 8}, 20, 1, TLS_CLIENT_GOOD},
	    {{.modulus = 1025, .exponent = 3}, 20, 1, TLS_CLIENT_COSTLY},
	    {{.modulus = 2048, .exponent = 3}, 20, 1, TLS_CLIENT_COSTLY},
	    {{.modulus = 256, .exponent = 9}, 20, 1, TLS_CLIENT_COSTLY},
	    {{.modulus = 2048, .exponent = 2048}, 20, 20, TLS_CLIENT_COSTLY},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (int is_13 = 0; is_13 < 2; is_13++) {
			enum tls_client_fault fault;
			message_make(is_13, &rows[i].key, rows[i].more, rows[i].count);
			assert_true(
			    tls_client_message_check(message, message_len, is_13, 5, &fault));
			assert_int_equal(fault, rows[i].fault);
		}
}

/* In the exact bytes, so that a sanitizer sees a read of any other. */
static bool check_copy(size_t len, bool is_13, enum tls_client_fault *ret)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	assert_non_null(copy);
	memcpy(copy, message, len);
	const bool formed = tls_client_message_check(copy, len, is_13, 5, ret);
	free(copy);
	return formed;
}

static void a_message_that_is_cut_off_is_malformed(void **state)
{
	(void)state;
	for (int is_13 = 0; is_13 < 2; is_13++) {
		enum tls_client_fault fault;
		message_make(is_13, &p256, 20, 2);
		const size_t whole = message_len;
		for (size_t len = 0; len < whole; len++)
			assert_false(check_copy(len, is_13, &fault));
		message[whole] = 0;
		assert_false(check_copy(whole + 1, is_13, &fault));
	}
}

/* What is no certificate is not left to the next parser, which may see another one in it. */
static void a_certificate_without_a_key_is_bad(void **state)
{
	enum tls_client_fault fault;
	(void)state;
	message_make(true, &p256, 20, 1);
	for (size_t i = 7; i < 30; i++) {
		const uint8_t byte = message[i];
		message[i] = 0xff;
		assert_true(check_copy(message_len, true, &fault));
		message[i] = byte;
	}
	message[7] = 0x31; /* of the certificate: SET */
	assert_true(check_copy(message_len, true, &fault));
	assert_int_equal(fault, TLS_CLIENT_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sizes_are_bounded),
	    cmocka_unit_test(a_message_that_is_cut_off_is_malformed),
	    cmocka_unit_test(a_certificate_without_a_key_is_bad),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
