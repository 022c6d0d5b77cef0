/* Keys of every kind for tests: made once, in memory. */
#ifndef TESTS_UNIT_KEYS_H
#define TESTS_UNIT_KEYS_H

#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <stdlib.h>

#include "keyholder/sign.h"

enum { KEY_P256, KEY_P384, KEY_RSA, KEY_ED25519, KEYS };

static inline gnutls_privkey_t key_make(int kind)
{
	static const struct {
		gnutls_pk_algorithm_t pk;
		unsigned bits;
	} kinds[KEYS] = {{GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1)},
			 {GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP384R1)},
			 {GNUTLS_PK_RSA, 2048},
			 {GNUTLS_PK_EDDSA_ED25519, 0}};
	gnutls_privkey_t key;
	assert_int_equal(gnutls_privkey_init(&key), 0);
	assert_int_equal(gnutls_privkey_generate(key, kinds[kind].pk, kinds[kind].bits, 0), 0);
	return key;
}

static inline gnutls_pubkey_t public_of(gnutls_privkey_t key)
{
	gnutls_pubkey_t public;
	assert_int_equal(gnutls_pubkey_init(&public), 0);
	assert_int_equal(gnutls_pubkey_import_privkey(public, key, 0, 0), 0);
	return public;
}

/* One key of each kind, in the order of the enumeration; for a group of tests. */
static struct keyring ring;

static inline int ring_setup(void **state)
{
	(void)state;
	ring.keys = calloc(KEYS, sizeof(*ring.keys));
	assert_non_null(ring.keys);
	for (ring.count = 0; ring.count < KEYS; ring.count++)
		ring.keys[ring.count] = key_make((int)ring.count);
	return 0;
}

static inline int ring_teardown(void **state)
{
	(void)state;
	keyring_release(&ring);
	return 0;
}

#endif
