/*
 * Runs in a keyholder, on requests of a worker that may have been taken over. Must never sign
 * anything that does not have the form of a TLS handshake step, nor decrypt, nor end the process.
 */
#include "sign.h"

#include <stdlib.h>
#include <string.h>

#include "tls/scheme.h"

void keyring_release(struct keyring *r)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->firsts == NULL || r->firsts[i] == i)
			gnutls_privkey_deinit(r->keys[i]); /* it wipes the key */
	free(r->keys);
	free(r->firsts);
	free(r->sides);
	*r = (struct keyring){0};
}

/* EdDSA signs the message; all other kinds sign the digest in it. GnuTLS's name of the scheme
 * selects PSS or PKCS#1 v1.5 and the digest. */
static int make(gnutls_privkey_t key, const struct tls_scheme *scheme, const gnutls_datum_t *digest,
		gnutls_datum_t *signature)
{
	if (scheme->form == TLS_FORM_VERIFY)
		return gnutls_privkey_sign_data2(key, scheme->sign, 0, digest, signature);
	return gnutls_privkey_sign_hash2(key, scheme->sign, 0, digest, signature);
}

/* Has the data the form that the scheme signs on a side that the pair is for? */
static bool is_for(const struct keyring *r, unsigned pair, const struct tls_scheme *scheme,
		   const gnutls_datum_t *data, gnutls_datum_t *digest)
{
	const unsigned sides = r->sides != NULL ? r->sides[pair] : 1u << TLS_SIDE_SERVER;
	for (unsigned side = 0; side < TLS_SIDES; side++)
		if ((sides & 1u << side) != 0 &&
		    tls_scheme_check(scheme, (enum tls_side)side, data, digest))
			return true;
	return false;
}

/* The answer to IPC_KEY_WHICH. */
static int key_identify(gnutls_privkey_t key, struct ipc_key_answer *answer)
{
	size_t len = IPC_KEY_ID_BYTES;
	gnutls_pubkey_t public = NULL;
	int error = gnutls_pubkey_init(&public);
	if (error >= 0)
		error = gnutls_pubkey_import_privkey(public, key, 0, 0);
	if (error >= 0)
		error = gnutls_pubkey_get_key_id(public, GNUTLS_KEYID_USE_SHA256, answer->signature,
						 &len);
	gnutls_pubkey_deinit(public);
	if (error < 0)
		return error;
	answer->status = IPC_KEY_SIGNED;
	answer->len = (uint16_t)len;
	return 0;
}

static const char *answer_refuse(struct ipc_key_answer *answer, enum ipc_key_status status,
				 const char *why)
{
	answer->status = (uint16_t)status;
	return why;
}

const char *keyring_sign(const struct keyring *r, const struct ipc_key_request *request,
			 struct ipc_key_answer *answer)
{
	gnutls_datum_t data = {(unsigned char *)(uintptr_t)request->data, request->len};
	gnutls_datum_t digest, signature = {0};
	answer->id = request->id;
	answer->len = 0;
	answer->zero = 0;
	if (request->key >= r->count)
		return answer_refuse(answer, IPC_KEY_REFUSED, "there is no such key");
	gnutls_privkey_t key = r->keys[request->key];
	const gnutls_pk_algorithm_t pk =
	    (gnutls_pk_algorithm_t)gnutls_privkey_get_pk_algorithm(key, NULL);
	if (request->scheme == IPC_KEY_WHICH && pk == GNUTLS_PK_RSA && request->len == 1 &&
	    request->data[0] == 0)
		return key_identify(key, answer) < 0
			   ? answer_refuse(answer, IPC_KEY_FAILED, "out of memory")
			   : NULL;
	const struct tls_scheme *scheme = tls_scheme_by_code(pk, request->scheme);
	if (scheme == NULL)
		return answer_refuse(answer, IPC_KEY_REFUSED, "the key is not for that scheme");
	if (!is_for(r, request->key, scheme, &data, &digest))
		return answer_refuse(answer, IPC_KEY_REFUSED,
				     "the data to sign does not have a form that TLS signs with "
				     "this key");
	int error = make(key, scheme, &digest, &signature);
	if (error == GNUTLS_E_MEMORY_ERROR)
		return answer_refuse(answer, IPC_KEY_FAILED, "out of memory");
	/* An RSA-PSS key for another digest, or a key that is too short for it. */
	if (error < 0 || signature.size == 0 || signature.size > sizeof(answer->signature)) {
		gnutls_free(signature.data);
		return answer_refuse(answer, IPC_KEY_REFUSED, "the key does not sign that");
	}
	answer->status = IPC_KEY_SIGNED;
	answer->len = (uint16_t)signature.size;
	memcpy(answer->signature, signature.data, signature.size);
	gnutls_free(signature.data);
	return NULL;
}
