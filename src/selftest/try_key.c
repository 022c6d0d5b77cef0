/* Runs in a worker of the selftest's master, on order: asks the port's keyholder over the worker's
 * own channel. Must never take the answer to another request for its own. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent.h"
#include "ipc/key.h"
#include "tls/scheme.h"

#define OVERSIZED   65536
#define OTHERS_MAX  4096         /* answers to earlier requests, and from keyholders that ended */
#define ID_FIRST    (1ULL << 40) /* the worker itself counts from 1 */
#define KEY_ECDSA   0
#define KEY_RSA     1
#define KEY_ED25519 2
#define KEY_NONE    1000

#define ECDSA_SHA256   0x0403
#define RSA_PSS_SHA256 0x0804
#define RSA_SHA256     0x0401
#define ED25519        0x0807

static struct ipc_key_request request(struct agent *a, unsigned key, unsigned scheme, unsigned len)
{
	struct ipc_key_request r = {.id = ID_FIRST + ++a->last_id,
				    .key = (uint16_t)key,
				    .scheme = (uint16_t)scheme,
				    .len = (uint16_t)len};
	memset(r.data, 0x30, len);
	return r;
}

static int answer_await(const struct agent *a, uint64_t id)
{
	struct ipc_key_answer answer;
	for (unsigned i = 0; i < OTHERS_MAX; i++) {
		int n = ipc_key_receive_answer(a->key_fd, 0, &answer);
		if (n != 1)
			return n == 0 ? -EPIPE : n;
		if (answer.id != id)
			continue;
		if (answer.status == IPC_KEY_SIGNED)
			return answer.len;
		return answer.status == IPC_KEY_REFUSED ? -EKEYREJECTED : -EIO;
	}
	return -EPROTO;
}

/* Sends size bytes of the request, which may differ from the size in it. */
static int send_and_await(const struct agent *a, const struct ipc_key_request *r, size_t size)
{
	if (write(a->key_fd, r, size) < 0)
		return -errno;
	return answer_await(a, r->id);
}

static int key_ask(const struct agent *a, const struct ipc_key_request *r)
{
	return send_and_await(a, r, ipc_key_request_size(r));
}

/* --- well-formed requests --------------------------------------------------------------------- */

int try_key_proper(struct agent *a, const struct order *o)
{
	const struct ipc_key_request r = request(a, KEY_ECDSA, ECDSA_SHA256, 32);
	(void)o;
	return key_ask(a, &r);
}

/* With PKCS#1 v1.5: the key and the form that try_key_raw() misuses. */
int try_key_proper_rsa(struct agent *a, const struct order *o)
{
	static const uint8_t sha256[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
					 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
	struct ipc_key_request r = request(a, KEY_RSA, RSA_SHA256, sizeof(sha256) + 32);
	(void)o;
	memcpy(r.data, sha256, sizeof(sha256));
	return key_ask(a, &r);
}

int try_key_proper_ed25519(struct agent *a, const struct order *o)
{
	struct ipc_key_request r = request(a, KEY_ED25519, ED25519, TLS_VERIFY_PREFIX + 32);
	(void)o;
	memcpy(r.data, tls_verify_prefixes[TLS_SIDE_SERVER], TLS_VERIFY_PREFIX);
	return key_ask(a, &r);
}

int try_key_index(struct agent *a, const struct order *o)
{
	const struct ipc_key_request r = request(a, KEY_NONE, ECDSA_SHA256, 32);
	(void)o;
	return key_ask(a, &r);
}

int try_key_foreign(struct agent *a, const struct order *o)
{
	const struct ipc_key_request r = request(a, KEY_ECDSA, RSA_PSS_SHA256, 32);
	(void)o;
	return key_ask(a, &r);
}

int try_key_digest(struct agent *a, const struct order *o)
{
	const struct ipc_key_request r = request(a, KEY_ECDSA, ECDSA_SHA256, 48);
	(void)o;
	return key_ask(a, &r);
}

/* As long as a CertificateVerify, but it begins like a TBSCertificate of RFC 5280. */
int try_key_certificate(struct agent *a, const struct order *o)
{
	static const uint8_t tbs[] = {0x30, 0x81, 0x7f, 0xa0, 0x03, 0x02, 0x01, 0x02, 0x02, 0x01};
	struct ipc_key_request r = request(a, KEY_ED25519, ED25519, TLS_VERIFY_PREFIX + 32);
	(void)o;
	memcpy(r.data, tbs, sizeof(tbs));
	return key_ask(a, &r);
}

/* With the key of a host, which is a server's, a worker could log in elsewhere as a client. */
int try_key_other_side(struct agent *a, const struct order *o)
{
	struct ipc_key_request r = request(a, KEY_ED25519, ED25519, TLS_VERIFY_PREFIX + 32);
	(void)o;
	memcpy(r.data, tls_verify_prefixes[TLS_SIDE_CLIENT], TLS_VERIFY_PREFIX);
	return key_ask(a, &r);
}

/* Bytes without a DigestInfo could be a ciphertext to decrypt. */
int try_key_raw(struct agent *a, const struct order *o)
{
	const struct ipc_key_request r = request(a, KEY_RSA, RSA_SHA256, 51);
	(void)o;
	return key_ask(a, &r);
}

/* --- malformed requests ----------------------------------------------------------------------- */

int try_key_short(struct agent *a, const struct order *o)
{
	const struct ipc_key_request r = request(a, KEY_ECDSA, ECDSA_SHA256, 32);
	(void)o;
	return send_and_await(a, &r, IPC_KEY_REQUEST_HEAD / 2);
}

int try_key_length(struct agent *a, const struct order *o)
{
	struct ipc_key_request r = request(a, KEY_ECDSA, ECDSA_SHA256, 32);
	size_t size = ipc_key_request_size(&r);
	(void)o;
	r.len = UINT16_MAX;
	return send_and_await(a, &r, size);
}

int try_key_id(struct agent *a, const struct order *o)
{
	struct ipc_key_request r = request(a, KEY_ECDSA, ECDSA_SHA256, 32);
	(void)o;
	r.id = 0;
	return key_ask(a, &r);
}

int try_key_oversized(struct agent *a, const struct order *o)
{
	const struct ipc_key_request r = request(a, KEY_ECDSA, ECDSA_SHA256, 32);
	uint8_t packet[OVERSIZED] = {0};
	(void)o;
	memcpy(packet, &r, ipc_key_request_size(&r));
	if (write(a->key_fd, packet, sizeof(packet)) < 0)
		return -errno;
	return answer_await(a, r.id);
}
