/*
 * The keyholder's side of the key channel: a packet of arbitrary bytes, as a taken-over worker
 * may send it. Signed content must have one of TLS's forms, and the signature must be good.
 */
#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "keyholder/sign.h"
#include "tls/scheme.h"

enum { P256, RSA, ED25519, KEYS };

static struct keyring ring;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const struct {
		gnutls_pk_algorithm_t pk;
		unsigned bits;
	} kinds[KEYS] = {{GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1)},
			 {GNUTLS_PK_RSA, 2048},
			 {GNUTLS_PK_EDDSA_ED25519, 0}};
	(void)argc;
	(void)argv;
	ring.keys = calloc(KEYS, sizeof(*ring.keys));
	for (; ring.keys != NULL && ring.count < KEYS; ring.count++)
		if (gnutls_privkey_init(&ring.keys[ring.count]) < 0 ||
		    gnutls_privkey_generate(ring.keys[ring.count], kinds[ring.count].pk,
					    kinds[ring.count].bits, 0) < 0)
			abort();
	return 0;
}

/* Is the signature one over exactly these bytes? */
static void verify(const struct ipc_key_request *r, const struct ipc_key_answer *a)
{
	gnutls_pubkey_t public;
	gnutls_datum_t data = {(unsigned char *)(uintptr_t)r->data, r->len}, digest;
	gnutls_datum_t signature = {(unsigned char *)(uintptr_t)a->signature, a->len};
	gnutls_privkey_t key = ring.keys[r->key];
	if (r->scheme == IPC_KEY_WHICH) { /* an identifier, and no signature */
		if (a->len != IPC_KEY_ID_BYTES)
			abort();
		return;
	}
	const struct tls_scheme *s = tls_scheme_by_code(
	    (gnutls_pk_algorithm_t)gnutls_privkey_get_pk_algorithm(key, NULL), r->scheme);
	if (s == NULL || !tls_scheme_check(s, TLS_SIDE_SERVER, &data, &digest))
		abort();
	if (gnutls_pubkey_init(&public) < 0 || gnutls_pubkey_import_privkey(public, key, 0, 0) < 0)
		abort();
	int error = s->form == TLS_FORM_VERIFY
			? gnutls_pubkey_verify_data2(public, s->sign, 0, &digest, &signature)
			: gnutls_pubkey_verify_hash2(public, s->sign, 0, &digest, &signature);
	if (error < 0)
		abort();
	gnutls_pubkey_deinit(public);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ipc_key_request request = {0};
	struct ipc_key_answer answer;
	memcpy(&request, data, size < sizeof(request) ? size : sizeof(request));
	if (ipc_key_request_check(&request, size) < 0)
		return 0;
	const char *why = keyring_sign(&ring, &request, &answer);
	if (ipc_key_answer_check(&answer, ipc_key_answer_size(&answer)) < 0 ||
	    answer.id != request.id || (why == NULL) != (answer.status == IPC_KEY_SIGNED))
		abort();
	if (why == NULL)
		verify(&request, &answer);
	return 0;
}
