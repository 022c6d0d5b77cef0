/* The chains of clients that were good a short time ago. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "tls/client_known.h"

#define NOW 1000000

/* They are compared, and never looked into. */
static const char a[1], b[1];
static const struct tls_clients *const one = (const void *)a, *const two = (const void *)b;
static const struct transport_certificate shown = {.subject = "CN=a"};

static void name_of(const char *first, const char *second, uint8_t ret[IPC_DIGEST_BYTES])
{
	gnutls_datum_t chain[2] = {{(void *)(uintptr_t)first, (unsigned)strlen(first)}};
	if (second != NULL)
		chain[1] = (gnutls_datum_t){(void *)(uintptr_t)second, (unsigned)strlen(second)};
	assert_true(tls_known_name(chain, second != NULL ? 2 : 1, ret));
}

static void a_chain_is_known_by_all_of_it(void **state)
{
	static const char *const chains[][2] = {{"ab", "cd"}, {"a", "bcd"}, {"abcd", NULL},
						{"cd", "ab"}, {"ab", NULL}, {"ab", ""}};
	uint8_t names[6][IPC_DIGEST_BYTES];
	(void)state;
	for (size_t i = 0; i < 6; i++) {
		name_of(chains[i][0], chains[i][1], names[i]);
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(names[i], names[k], IPC_DIGEST_BYTES);
	}
}

/* Counts down to the digest that fails (tests.mk). */
int __wrap_gnutls_hash_fast(gnutls_digest_algorithm_t, const void *, size_t, void *);
int __real_gnutls_hash_fast(gnutls_digest_algorithm_t, const void *, size_t, void *);
static unsigned fails_at;

int __wrap_gnutls_hash_fast(gnutls_digest_algorithm_t kind, const void *data, size_t len, void *ret)
{
	if (fails_at > 0 && --fails_at == 0)
		return GNUTLS_E_MEMORY_ERROR;
	return __real_gnutls_hash_fast(kind, data, len, ret);
}

/* Or all chains of such a moment would be one. */
static void a_chain_without_all_its_digests_has_no_name(void **state)
{
	const gnutls_datum_t chain[2] = {{(void *)(uintptr_t) "ab", 2},
					 {(void *)(uintptr_t) "cd", 2}};
	uint8_t name[IPC_DIGEST_BYTES];
	(void)state;
	for (unsigned at = 1; at <= 4; at++) {
		fails_at = at;
		assert_false(tls_known_name(chain, 2, name));
	}
	assert_int_equal(fails_at, 0);
	assert_true(tls_known_name(chain, 2, name));
	assert_false(tls_known_name(chain, 0, name));
}

static void it_is_good_for_its_authorities_and_for_a_time(void **state)
{
	struct tls_known *k = tls_known_new();
	uint8_t name[IPC_DIGEST_BYTES], other[IPC_DIGEST_BYTES];
	(void)state;
	assert_non_null(k);
	name_of("leaf", "issuer", name);
	memcpy(other, name, sizeof(other));
	other[IPC_DIGEST_BYTES - 1] ^= 1; /* in the same place of the table */
	assert_null(tls_known_find(k, one, name, NOW));
	assert_null(tls_known_find(k, NULL, (const uint8_t[IPC_DIGEST_BYTES]){0}, NOW));
	tls_known_add(k, one, name, NOW, NOW + 60, &shown);
	assert_string_equal(tls_known_find(k, one, name, NOW)->subject, "CN=a");
	assert_non_null(tls_known_find(k, one, name, NOW + 59));
	assert_null(tls_known_find(k, one, name, NOW + 60)); /* a certificate has expired */
	assert_null(tls_known_find(k, one, name, NOW - 1));  /* the clock was put back */
	assert_null(tls_known_find(k, two, name, NOW));
	assert_null(tls_known_find(k, one, other, NOW));
	tls_known_add(k, one, name, NOW, INT64_MAX, &shown);
	assert_non_null(tls_known_find(k, one, name, NOW + TLS_KNOWN_MAX_S - 1));
	assert_null(tls_known_find(k, one, name, NOW + TLS_KNOWN_MAX_S));
	tls_known_add(k, one, other, NOW, INT64_MAX, &shown);
	assert_non_null(tls_known_find(k, one, other, NOW));
	assert_null(tls_known_find(k, one, name, NOW));
	tls_known_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_chain_is_known_by_all_of_it),
	    cmocka_unit_test(a_chain_without_all_its_digests_has_no_name),
	    cmocka_unit_test(it_is_good_for_its_authorities_and_for_a_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
