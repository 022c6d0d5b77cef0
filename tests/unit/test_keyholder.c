/* keyholder: it signs TLS's content with the right key, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "keys.h"
#include "tls/scheme.h"

static const uint8_t sha256_info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
				      0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
static const uint8_t sha384_info[] = {0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
				      0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0x04, 0x30};
static const uint8_t sha512_info[] = {0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
				      0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04, 0x40};

/* prefix, then len bytes of a digest */
static struct ipc_key_request request(int key, uint16_t scheme, const void *prefix,
				      size_t prefix_len, size_t len)
{
	struct ipc_key_request r = {
	    .id = 7, .key = (uint16_t)key, .scheme = scheme, .len = (uint16_t)(prefix_len + len)};
	if (prefix_len > 0)
		memcpy(r.data, prefix, prefix_len);
	for (size_t i = 0; i < len; i++)
		r.data[prefix_len + i] = (uint8_t)i;
	return r;
}

static void every_scheme_makes_a_signature_that_its_public_key_takes(void **state)
{
	static const struct {
		int key;
		uint16_t scheme;
		gnutls_sign_algorithm_t verify;
		const void *prefix;
		size_t prefix_len;
		size_t len;
	} good[] = {
	    {KEY_P256, 0x0403, GNUTLS_SIGN_ECDSA_SECP256R1_SHA256, NULL, 0, 32},
	    {KEY_P256, 0x0503, GNUTLS_SIGN_ECDSA_SHA384, NULL, 0, 48}, /* TLS 1.2 */
	    {KEY_P384, 0x0503, GNUTLS_SIGN_ECDSA_SECP384R1_SHA384, NULL, 0, 48},
	    {KEY_RSA, 0x0804, GNUTLS_SIGN_RSA_PSS_RSAE_SHA256, NULL, 0, 32},
	    {KEY_RSA, 0x0805, GNUTLS_SIGN_RSA_PSS_RSAE_SHA384, NULL, 0, 48},
	    {KEY_RSA, 0x0806, GNUTLS_SIGN_RSA_PSS_RSAE_SHA512, NULL, 0, 64},
	    {KEY_RSA, 0x0401, GNUTLS_SIGN_RSA_SHA256, sha256_info, 19, 32},
	    {KEY_RSA, 0x0501, GNUTLS_SIGN_RSA_SHA384, sha384_info, 19, 48},
	    {KEY_RSA, 0x0601, GNUTLS_SIGN_RSA_SHA512, sha512_info, 19, 64},
	    {KEY_ED25519, 0x0807, GNUTLS_SIGN_EDDSA_ED25519, tls_verify_prefixes[TLS_SIDE_SERVER],
	     TLS_VERIFY_PREFIX, 32},
	    {KEY_ED25519, 0x0807, GNUTLS_SIGN_EDDSA_ED25519, tls_verify_prefixes[TLS_SIDE_SERVER],
	     TLS_VERIFY_PREFIX, 48},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct ipc_key_request r = request(good[i].key, good[i].scheme, good[i].prefix,
						   good[i].prefix_len, good[i].len);
		struct ipc_key_answer a;
		const char *why = keyring_sign(&ring, &r, &a);
		if (why != NULL)
			fail_msg("%04x with key %d: %s", good[i].scheme, good[i].key, why);
		assert_int_equal(a.status, IPC_KEY_SIGNED);
		assert_int_equal(a.id, 7);
		gnutls_pubkey_t public = public_of(ring.keys[good[i].key]);
		gnutls_datum_t signature = {a.signature, a.len};
		bool whole = good[i].key == KEY_ED25519;
		gnutls_datum_t data = {r.data + (whole ? 0 : good[i].prefix_len),
				       (unsigned)(r.len - (whole ? 0 : good[i].prefix_len))};
		int error =
		    whole
			? gnutls_pubkey_verify_data2(public, good[i].verify, 0, &data, &signature)
			: gnutls_pubkey_verify_hash2(public, good[i].verify, 0, &data, &signature);
		if (error < 0)
			fail_msg("%04x: %s", good[i].scheme, gnutls_strerror(error));
		gnutls_pubkey_deinit(public);
	}
}

static void what_is_no_step_of_tls_is_refused(void **state)
{
	static const char text[] = "pay 1000000 to the bearer of this";
	uint8_t client[TLS_VERIFY_PREFIX], sha1_info[19];
	(void)state;
	memcpy(client, tls_verify_prefixes[TLS_SIDE_SERVER], sizeof(client));
	memcpy(client + 64, "TLS 1.3, client", 15);
	memcpy(sha1_info, sha256_info, sizeof(sha1_info));
	sha1_info[14] = 4; /* SHA-224 */
	const struct {
		const char *what;
		struct ipc_key_request request;
	} bad[] = {
	    {"a key that is not there", request(KEYS, 0x0403, NULL, 0, 32)},
	    {"the last index there can be", request(0xffff, 0x0403, NULL, 0, 32)},
	    {"an RSA scheme with an ECDSA key", request(KEY_P256, 0x0804, NULL, 0, 32)},
	    {"an ECDSA scheme with an RSA key", request(KEY_RSA, 0x0403, NULL, 0, 32)},
	    {"an EdDSA scheme with an RSA key",
	     request(KEY_RSA, 0x0807, tls_verify_prefixes[TLS_SIDE_SERVER], TLS_VERIFY_PREFIX, 32)},
	    {"rsa_pss_pss with an rsaEncryption key", request(KEY_RSA, 0x0809, NULL, 0, 32)},
	    {"SHA-1", request(KEY_P256, 0x0203, NULL, 0, 20)},
	    {"rsa_pkcs1_sha1", request(KEY_RSA, 0x0201, NULL, 0, 20)},
	    {"no scheme at all", request(KEY_RSA, 0, NULL, 0, 32)},
	    {"a digest too short", request(KEY_P256, 0x0403, NULL, 0, 31)},
	    {"a digest too long", request(KEY_P256, 0x0403, NULL, 0, 33)},
	    {"a digest of another length", request(KEY_RSA, 0x0804, NULL, 0, 48)},
	    {"PKCS#1 without a DigestInfo", request(KEY_RSA, 0x0401, NULL, 0, 32)},
	    {"PKCS#1 with another's DigestInfo", request(KEY_RSA, 0x0401, sha384_info, 19, 48)},
	    {"PKCS#1 with a DigestInfo that TLS has not",
	     request(KEY_RSA, 0x0401, sha1_info, 19, 32)},
	    {"PKCS#1 with something behind", request(KEY_RSA, 0x0401, sha256_info, 19, 33)},
	    {"which ECDSA key it is", request(KEY_P256, IPC_KEY_WHICH, NULL, 0, 1)},
	    {"which key it is, with a digest", request(KEY_RSA, IPC_KEY_WHICH, NULL, 0, 32)},
	    {"which key it is, with another byte", request(KEY_RSA, IPC_KEY_WHICH, "x", 1, 0)},
	    {"a text", request(KEY_ED25519, 0x0807, text, sizeof(text), 0)},
	    {"a client's CertificateVerify",
	     request(KEY_ED25519, 0x0807, client, sizeof(client), 32)},
	    {"a CertificateVerify without a hash",
	     request(KEY_ED25519, 0x0807, tls_verify_prefixes[TLS_SIDE_SERVER], TLS_VERIFY_PREFIX,
		     0)},
	    {"a CertificateVerify with half a hash",
	     request(KEY_ED25519, 0x0807, tls_verify_prefixes[TLS_SIDE_SERVER], TLS_VERIFY_PREFIX,
		     16)},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct ipc_key_answer a;
		if (keyring_sign(&ring, &bad[i].request, &a) == NULL)
			fail_msg("%s was signed", bad[i].what);
		assert_int_equal(a.status, IPC_KEY_REFUSED);
		assert_int_equal(a.len, 0);
		assert_int_equal(a.id, 7);
	}
}

/* EdDSA signs the content, which shows the side; the other kinds sign a digest, which does not. */
static void a_key_signs_for_its_own_side(void **state)
{
	uint8_t sides[KEYS];
	(void)state;
	ring.sides = sides;
	for (unsigned of = 1; of < 1u << TLS_SIDES; of++)
		for (unsigned side = 0; side < TLS_SIDES; side++) {
			struct ipc_key_answer a;
			memset(sides, (int)of, sizeof(sides));
			const struct ipc_key_request verify = request(
			    KEY_ED25519, 0x0807, tls_verify_prefixes[side], TLS_VERIFY_PREFIX, 32);
			const struct ipc_key_request digest =
			    request(KEY_P256, 0x0403, NULL, 0, 32);
			const bool is_own = (of & 1u << side) != 0;
			assert_int_equal(keyring_sign(&ring, &verify, &a) == NULL, is_own);
			assert_int_equal(a.status, is_own ? IPC_KEY_SIGNED : IPC_KEY_REFUSED);
			assert_null(keyring_sign(&ring, &digest, &a));
		}
	ring.sides = NULL;
}

static void an_rsa_key_says_which_it_is(void **state)
{
	static const uint8_t zero[1];
	const struct ipc_key_request r = request(KEY_RSA, IPC_KEY_WHICH, zero, 1, 0);
	struct ipc_key_answer a;
	uint8_t id[IPC_KEY_ID_BYTES];
	size_t len = sizeof(id);
	(void)state;
	assert_null(keyring_sign(&ring, &r, &a));
	assert_int_equal(a.status, IPC_KEY_SIGNED);
	assert_int_equal(a.id, 7);
	gnutls_pubkey_t public = public_of(ring.keys[KEY_RSA]);
	assert_int_equal(gnutls_pubkey_get_key_id(public, GNUTLS_KEYID_USE_SHA256, id, &len), 0);
	gnutls_pubkey_deinit(public);
	assert_int_equal(a.len, len);
	assert_memory_equal(a.signature, id, len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_rsa_key_says_which_it_is),
	    cmocka_unit_test(a_key_signs_for_its_own_side),
	    cmocka_unit_test(every_scheme_makes_a_signature_that_its_public_key_takes),
	    cmocka_unit_test(what_is_no_step_of_tls_is_refused),
	};
	return cmocka_run_group_tests_name("keyholder", tests, ring_setup, ring_teardown);
}
