/*
 * For measuring only: takes the place of src/tls/key_remote.c in build/bench/bulkhead-local, whose
 * workers sign by themselves. The keys are those of build/bench, built in; nothing serves with it.
 */
#include "tls/key.h"

#define EMBED(name, path)                                                    \
	__asm__(".section .rodata\n" #name ":\n.incbin \"" path "\"\n" #name \
		"_end:\n.byte 0\n.previous\n");                              \
	extern const char name[], name##_end[]

EMBED(bench_key_ecdsa, BENCH_FOLDER "/ecdsa.key");
EMBED(bench_key_rsa, BENCH_FOLDER "/rsa.key");

int tls_signer_init(struct tls_signer *s, int fd)
{
	*s = (struct tls_signer){.fd = fd};
	return 0;
}

/* The worker has the key and checks it itself. */
int tls_key_ask(struct tls_signer *s, unsigned index, gnutls_pubkey_t public)
{
	(void)s;
	(void)index;
	(void)public;
	return 0;
}

int tls_key_remote(struct tls_signer *signer, enum tls_side side, unsigned index,
		   gnutls_pubkey_t public, gnutls_privkey_t *ret)
{
	int rsa = gnutls_pubkey_get_pk_algorithm(public, NULL) == GNUTLS_PK_RSA;
	const char *pem = rsa ? bench_key_rsa : bench_key_ecdsa;
	const char *end = rsa ? bench_key_rsa_end : bench_key_ecdsa_end;
	gnutls_datum_t datum = {(unsigned char *)(uintptr_t)pem, (unsigned)(end - pem)};
	gnutls_privkey_t key;
	(void)signer;
	(void)side;
	(void)index;
	int error = gnutls_privkey_init(&key);
	if (error >= 0 &&
	    (error = gnutls_privkey_import_x509_raw(key, &datum, GNUTLS_X509_FMT_PEM, NULL, 0)) < 0)
		gnutls_privkey_deinit(key);
	if (error >= 0)
		*ret = key;
	return error;
}
