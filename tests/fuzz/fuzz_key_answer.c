/*
 * The worker's side of the key channel: arbitrary packets in place of answers, as a taken-over
 * keyholder may send them. Only a good signature over this very request may come out.
 *
 * The input is a sequence of packets. A byte precedes each: 0 for raw bytes, whose length
 * follows; any other value is the status of an answer to the current request.
 */
#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/key.h"
#include "tls/key.h"

static gnutls_privkey_t key;
static gnutls_pubkey_t public;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	if (gnutls_privkey_init(&key) < 0 || gnutls_pubkey_init(&public) < 0 ||
	    gnutls_privkey_generate(key, GNUTLS_PK_ECDSA,
				    GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0) < 0 ||
	    gnutls_pubkey_import_privkey(public, key, 0, 0) < 0)
		abort();
	return 0;
}

/* Puts one packet into the channel before the request is sent; the first request has number 1. */
static size_t packet_put(int fd, const uint8_t *data, size_t size)
{
	struct ipc_key_answer answer = {.id = 1, .status = data[0]};
	size_t len = size > 1 ? data[1] : 0;
	if (len > size - 2)
		len = size > 2 ? size - 2 : 0;
	if (data[0] == 0) {
		(void)!send(fd, data + 2, len, MSG_DONTWAIT);
		return 2 + len;
	}
	answer.len = (uint16_t)len;
	memcpy(answer.signature, data + 2, len);
	(void)!send(fd, &answer, ipc_key_answer_size(&answer), MSG_DONTWAIT);
	return 2 + len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int channel[2];
	struct tls_signer signer;
	gnutls_privkey_t remote;
	if (ipc_key_channel(channel) < 0 || tls_signer_init(&signer, channel[0]) < 0 ||
	    tls_key_remote(&signer, TLS_SIDE_SERVER, 0, public, &remote) < 0)
		abort();
	while (size > 0) {
		size_t used = packet_put(channel[1], data, size);
		if (used >= size)
			break;
		data += used;
		size -= used;
	}
	(void)shutdown(channel[1], SHUT_WR); /* then the end of the channel, so that nobody
     waits */
	if (tls_key_check(remote, TLS_SIDE_SERVER, public) >=
	    0) /* nobody here has the key for such a signature */
		abort();
	gnutls_privkey_deinit(remote);
	close(channel[0]);
	close(channel[1]);
	return 0;
}
