/*
 * Runs in a worker's loop, in the middle of a handshake. Must never wait past its deadline, nor
 * accept an answer that belongs to another request.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "ipc/key.h"
#include "tls/key.h"
#include "tls/scheme.h"

#define LATE_MAX 1024 /* late answers that are discarded at once */

struct remote_key {
	struct tls_signer *signer;
	enum tls_side side;
	unsigned index;
	gnutls_pk_algorithm_t pk;
	unsigned bits;
	/* the only digest of an RSA-PSS key; GNUTLS_DIG_UNKNOWN: any */
	gnutls_digest_algorithm_t pss_digest;
};

int tls_signer_init(struct tls_signer *s, int fd)
{
	const struct timeval limit = {.tv_sec = TLS_SIGN_DEADLINE_MS / 1000,
				      .tv_usec = TLS_SIGN_DEADLINE_MS % 1000 * 1000L};
	*s = (struct tls_signer){.fd = fd};
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
		return -errno;
	return 0;
}

static int signer_fail(struct tls_signer *s, const char *why)
{
	s->failure = why;
	return GNUTLS_E_PK_SIGN_FAILED;
}

/* May the keyholder be asked again? Yes once any packet came, which is too late for its own
 * request, or after the pause. */
static bool is_back(struct tls_signer *s, uint64_t now_ms)
{
	struct ipc_key_answer late;
	for (unsigned i = 0; i < LATE_MAX; i++) {
		if (ipc_key_receive_answer(s->fd, MSG_DONTWAIT, &late) != 1)
			break;
		s->silent = false;
	}
	if (now_ms >= s->until_ms)
		s->silent = false;
	return !s->silent;
}

static int time_out(struct tls_signer *s)
{
	s->silent = true;
	s->until_ms = clock_ms() + TLS_SIGN_PAUSE_MS;
	s->timeouts++;
	return signer_fail(s, "the keyholder has not answered in time");
}

/* Receives the next packet; -EAGAIN at the deadline. The first wait uses the channel's own timeout,
 * which saves asking for the time and polling; packets before the answer are rare. */
static int receive(struct tls_signer *s, bool first, uint64_t deadline_ms,
		   struct ipc_key_answer *answer)
{
	if (first)
		return ipc_key_receive_answer(s->fd, 0, answer);
	struct pollfd ready = {.fd = s->fd, .events = POLLIN};
	uint64_t now_ms = clock_ms();
	if (now_ms >= deadline_ms || poll(&ready, 1, (int)(deadline_ms - now_ms)) <= 0)
		return -EAGAIN;
	return ipc_key_receive_answer(s->fd, MSG_DONTWAIT, answer);
}

/* Waits for the answer to this request, or for the message that the keyholder was replaced. If the
 * keyholder dies a second time over the request, the loop is not marked silent: the next keyholder
 * may answer the next request. */
static int await(struct tls_signer *s, uint64_t id, unsigned asked, uint64_t deadline_ms,
		 struct ipc_key_answer *answer)
{
	bool replaced = false;
	for (bool first = asked == 1;; first = false) {
		int n = receive(s, first, deadline_ms, answer);
		if (n == 1 && answer->id == id)
			return 0;
		if (n == 1 && answer->status == IPC_KEY_AGAIN) {
			if (asked == 1)
				return 0;
			replaced = true;
		}
		if (n == -EBADMSG)
			return signer_fail(s, "the keyholder's answer is malformed");
		if (n != 1 && n != -EAGAIN)
			return signer_fail(s, "the keyholder is gone");
		if (clock_ms() >= deadline_ms)
			return replaced
				   ? signer_fail(s, "the keyholder died twice over this request")
				   : time_out(s);
	}
}

/* Sends one request and waits for its answer. If the keyholder is replaced meanwhile, the request
 * is sent once more; only once, so that a request that kills keyholders does not do so for ever.
 * The message of a replacement may also be an old one. Then the request is signed twice, and the
 * first signature comes too late. */
static int signer_ask(struct tls_signer *s, struct ipc_key_request *request,
		      struct ipc_key_answer *answer)
{
	uint64_t now_ms = clock_ms(), deadline_ms = now_ms + TLS_SIGN_DEADLINE_MS;
	int error;
	if (s->silent && !is_back(s, now_ms))
		return signer_fail(s, "the keyholder does not answer");
	for (unsigned asked = 1;; asked++) {
		request->id = ++s->last_id;
		while ((error = ipc_key_ask(s->fd, request)) == -EAGAIN)
			if (clock_ms() >= deadline_ms)
				return time_out(s);
		if (error < 0)
			return signer_fail(s, "the keyholder cannot be reached");
		if ((error = await(s, request->id, asked, deadline_ms, answer)) < 0)
			return error;
		if (answer->id == request->id)
			break;
	}
	s->refused = answer->status == IPC_KEY_REFUSED;
	if (s->refused)
		return signer_fail(s, "the keyholder has refused to sign");
	if (answer->status != IPC_KEY_SIGNED)
		return signer_fail(s, "the keyholder could not sign");
	s->failure = NULL;
	return 0;
}

int tls_key_ask(struct tls_signer *s, unsigned index, gnutls_pubkey_t public)
{
	struct ipc_key_request request = {
	    .key = (uint16_t)index, .scheme = IPC_KEY_WHICH, .len = 1};
	struct ipc_key_answer answer;
	uint8_t wanted[IPC_KEY_ID_BYTES];
	size_t len = sizeof(wanted);
	int error = gnutls_pubkey_get_key_id(public, GNUTLS_KEYID_USE_SHA256, wanted, &len);
	if (error >= 0)
		error = signer_ask(s, &request, &answer);
	if (error < 0)
		return error;
	return answer.len == len && memcmp(answer.signature, wanted, len) == 0
		   ? 0
		   : GNUTLS_E_CERTIFICATE_KEY_MISMATCH;
}

/* Refuses without asking the keyholder, which would refuse as well. */
static int signer_refuse(struct tls_signer *s, const char *why)
{
	s->refused = true;
	return signer_fail(s, why);
}

static bool is_allowed(const struct remote_key *key, const struct tls_scheme *scheme)
{
	return scheme != NULL &&
	       (key->pss_digest == GNUTLS_DIG_UNKNOWN || scheme->digest == key->pss_digest);
}

static int sign(void *userdata, gnutls_sign_algorithm_t algorithm, const gnutls_datum_t *data,
		gnutls_datum_t *signature)
{
	const struct remote_key *key = userdata;
	const struct tls_scheme *scheme = tls_scheme_by_sign(key->pk, algorithm, data);
	struct ipc_key_request request = {.key = (uint16_t)key->index};
	struct ipc_key_answer answer;
	gnutls_datum_t digest;
	if (!is_allowed(key, scheme) || data->size > sizeof(request.data))
		return signer_refuse(key->signer, "this server makes no such signature");
	if (!tls_scheme_check(scheme, key->side, data, &digest))
		return signer_refuse(key->signer, "an EdDSA key signs under TLS 1.3 only");
	request.scheme = scheme->code;
	request.len = (uint16_t)data->size;
	memcpy(request.data, data->data, data->size);
	int error = signer_ask(key->signer, &request, &answer);
	if (error < 0)
		return error;
	signature->data = gnutls_malloc(answer.len);
	if (signature->data == NULL)
		return GNUTLS_E_MEMORY_ERROR;
	memcpy(signature->data, answer.signature, answer.len);
	signature->size = answer.len;
	return 0;
}

static int sign_data(gnutls_privkey_t handle, gnutls_sign_algorithm_t algorithm, void *userdata,
		     unsigned flags, const gnutls_datum_t *data, gnutls_datum_t *signature)
{
	(void)handle;
	(void)flags;
	return sign(userdata, algorithm, data, signature);
}

static int sign_hash(gnutls_privkey_t handle, gnutls_sign_algorithm_t algorithm, void *userdata,
		     unsigned flags, const gnutls_datum_t *hash, gnutls_datum_t *signature)
{
	(void)handle;
	(void)flags;
	return sign(userdata, algorithm, hash, signature);
}

/* All three flags must be answered: without HAVE_SIGN_ALGO, GnuTLS silently drops RSA from TLS
 * 1.3. */
static int info(gnutls_privkey_t handle, unsigned flags, void *userdata)
{
	const struct remote_key *key = userdata;
	(void)handle;
	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO)
		return (int)key->pk;
	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO_BITS)
		return (int)key->bits;
	if (flags & GNUTLS_PRIVKEY_INFO_HAVE_SIGN_ALGO)
		return is_allowed(
		    key,
		    tls_scheme_by_sign(
			key->pk, (gnutls_sign_algorithm_t)GNUTLS_FLAGS_TO_SIGN_ALGO(flags), NULL));
	return -1;
}

static void release(gnutls_privkey_t handle, void *userdata)
{
	(void)handle;
	free(userdata);
}

int tls_key_remote(struct tls_signer *signer, enum tls_side side, unsigned index,
		   gnutls_pubkey_t public, gnutls_privkey_t *ret)
{
	unsigned bits = 0;
	int pk = gnutls_pubkey_get_pk_algorithm(public, &bits);
	gnutls_privkey_t handle = NULL;
	if (pk < 0)
		return pk;
	struct remote_key *key = malloc(sizeof(*key));
	if (key == NULL)
		return GNUTLS_E_MEMORY_ERROR;
	*key = (struct remote_key){.signer = signer,
				   .side = side,
				   .index = index,
				   .pk = (gnutls_pk_algorithm_t)pk,
				   .bits = bits};
	(void)tls_key_pss_digest(public, &key->pss_digest);
	int error = gnutls_privkey_init(&handle);
	if (error >= 0)
		error = gnutls_privkey_import_ext4(handle, key, sign_data, sign_hash, NULL, release,
						   info, 0);
	if (error < 0) {
		gnutls_privkey_deinit(handle);
		free(key);
		return error;
	}
	*ret = handle;
	return 0;
}
