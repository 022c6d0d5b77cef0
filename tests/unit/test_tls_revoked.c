/* tls/revoked: a list of revoked certificates, whole and in pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tls/revoked.h"

static gnutls_x509_privkey_t key;
static gnutls_x509_crt_t authority, other;

static gnutls_x509_crt_t certificate_make(const char *name, const void *serial, size_t len)
{
	gnutls_x509_crt_t crt;
	const time_t now = time(NULL);
	assert_int_equal(gnutls_x509_crt_init(&crt), 0);
	assert_int_equal(gnutls_x509_crt_set_version(crt, 3), 0);
	assert_int_equal(gnutls_x509_crt_set_dn(crt, name, NULL), 0);
	assert_int_equal(gnutls_x509_crt_set_serial(crt, serial, len), 0);
	assert_int_equal(gnutls_x509_crt_set_activation_time(crt, now - 10), 0);
	assert_int_equal(gnutls_x509_crt_set_expiration_time(crt, now + 1000), 0);
	assert_int_equal(gnutls_x509_crt_set_key(crt, key), 0);
	return crt;
}

static int all_open(void **state)
{
	(void)state;
	assert_int_equal(gnutls_x509_privkey_init(&key), 0);
	assert_int_equal(
	    gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
					 GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
	    0);
	authority = certificate_make("CN=authority", "\x01", 1);
	other = certificate_make("CN=other", "\x02", 1);
	assert_int_equal(gnutls_x509_crt_sign2(authority, authority, key, GNUTLS_DIG_SHA256, 0), 0);
	assert_int_equal(gnutls_x509_crt_sign2(other, other, key, GNUTLS_DIG_SHA256, 0), 0);
	return 0;
}

static int all_close(void **state)
{
	(void)state;
	gnutls_x509_crt_deinit(authority);
	gnutls_x509_crt_deinit(other);
	gnutls_x509_privkey_deinit(key);
	return 0;
}

/* Of the serial numbers 00 01 .. to .. count - 1, in two bytes behind a leading one. */
static gnutls_datum_t list_make(gnutls_x509_crt_t issuer, unsigned count)
{
	gnutls_x509_crl_t crl;
	gnutls_datum_t der;
	const time_t now = time(NULL);
	assert_int_equal(gnutls_x509_crl_init(&crl), 0);
	assert_int_equal(gnutls_x509_crl_set_version(crl, 2), 0);
	for (unsigned i = 0; i < count; i++) {
		const uint8_t serial[] = {0x7f, (uint8_t)(i >> 8), (uint8_t)i};
		assert_int_equal(
		    gnutls_x509_crl_set_crt_serial(crl, serial, sizeof(serial), now - 5), 0);
	}
	assert_int_equal(gnutls_x509_crl_set_this_update(crl, now - 5), 0);
	assert_int_equal(gnutls_x509_crl_set_next_update(crl, now + 500), 0);
	assert_int_equal(gnutls_x509_crl_sign2(crl, issuer, key, GNUTLS_DIG_SHA256, 0), 0);
	assert_int_equal(gnutls_x509_crl_export2(crl, GNUTLS_X509_FMT_DER, &der), 0);
	gnutls_x509_crl_deinit(crl);
	return der;
}

static bool has(const struct tls_revoked *list, gnutls_x509_crt_t issuer, const void *serial,
		size_t len)
{
	gnutls_x509_crt_t crt = certificate_make("CN=client", serial, len);
	assert_int_equal(gnutls_x509_crt_sign2(crt, issuer, key, GNUTLS_DIG_SHA256, 0), 0);
	const bool found = tls_revoked_has(list, crt);
	gnutls_x509_crt_deinit(crt);
	return found;
}

static void a_number_is_found(void **state)
{
	(void)state;
	struct tls_revoked list;
	const char *why = NULL;
	gnutls_datum_t der = list_make(authority, 300);
	const gnutls_x509_crt_t both[] = {other, authority};
	assert_int_equal(tls_revoked_read(&der, both, 2, &list, &why), 0);
	assert_int_equal(list.count, 300);
	assert_true(list.next > time(NULL));
	assert_true(has(&list, authority, "\x7f\x00\x00", 3));
	assert_true(has(&list, authority, "\x7f\x01\x2b", 3));
	assert_false(has(&list, authority, "\x7f\x01\x2c", 3));
	assert_false(has(&list, authority, "\x7f", 1));
	assert_false(has(&list, other, "\x7f\x00\x00", 3)); /* another issuer's */
	tls_revoked_release(&list);
	gnutls_free(der.data);
	der = list_make(authority, 0);
	assert_int_equal(tls_revoked_read(&der, both, 2, &list, &why), 0);
	assert_int_equal(list.count, 0);
	assert_false(has(&list, authority, "\x7f\x00\x00", 3));
	tls_revoked_release(&list);
	gnutls_free(der.data);
}

static void only_an_authority_s_list_counts(void **state)
{
	(void)state;
	struct tls_revoked list;
	const char *why = NULL;
	gnutls_datum_t der = list_make(other, 3);
	assert_true(tls_revoked_read(&der, &authority, 1, &list, &why) < 0);
	assert_string_equal(why, "none of the authorities has issued it");
	gnutls_free(der.data);
	der = list_make(authority, 3);
	der.data[der.size - 1] ^= 1;
	assert_true(tls_revoked_read(&der, &authority, 1, &list, &why) < 0);
	gnutls_free(der.data);
}

/* Cut off at each byte, and with each byte changed: refused, and never read past its end. */
static void a_spoiled_list_is_refused(void **state)
{
	(void)state;
	struct tls_revoked list;
	const char *why = NULL;
	const gnutls_datum_t der = list_make(authority, 5);
	for (unsigned len = 0; len < der.size; len++) {
		uint8_t *copy = malloc(len + 1);
		assert_non_null(copy);
		memcpy(copy, der.data, len);
		const gnutls_datum_t cut = {copy, len};
		assert_true(tls_revoked_read(&cut, &authority, 1, &list, &why) < 0);
		free(copy);
	}
	for (unsigned i = 0; i < der.size; i++) {
		der.data[i] ^= 0xff;
		if (tls_revoked_read(&der, &authority, 1, &list, &why) >= 0)
			tls_revoked_release(&list); /* of what the signature does not cover */
		der.data[i] ^= 0xff;
	}
	gnutls_free(der.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_number_is_found),
	    cmocka_unit_test(only_an_authority_s_list_counts),
	    cmocka_unit_test(a_spoiled_list_is_refused),
	};
	return cmocka_run_group_tests(tests, all_open, all_close);
}
