/* Runs in a worker of the selftest's master, on order: asks the port's verifier over the worker's
 * own channel. Must never take the answer to another request for its own. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "htpasswd.h"
#include "ipc/password.h"

#define OVERSIZED   65536
#define OTHERS_MAX  4096         /* answers to earlier requests, and from verifiers that ended */
#define ID_FIRST    (1ULL << 40) /* the worker itself counts from 1 */
#define FILE_NONE   1000
#define AT_ONCE     64
#define PATIENCE_MS 5000

/* The order has the password in place of a path. */
static struct ipc_password_request request(struct agent *a, const struct order *o)
{
	static const char user[] = HTPASSWD_USER;
	struct ipc_password_request r = {.id = ID_FIRST + ++a->last_id,
					 .user_len = sizeof(user) - 1};
	const size_t len = strnlen(o->path, IPC_PASSWORD_MAX);
	r.password_len = (uint16_t)len;
	memcpy(r.data, user, sizeof(user) - 1);
	memcpy(r.data + sizeof(user) - 1, o->path, len);
	return r;
}

/* One packet, whatever it is about. */
static int answer_receive(const struct agent *a, struct ipc_password_answer *ret)
{
	struct pollfd readable = {.fd = a->password_fd, .events = POLLIN};
	const int ready = poll(&readable, 1, PATIENCE_MS);
	if (ready <= 0)
		return ready == 0 ? -ETIMEDOUT : -errno;
	const int n = ipc_password_receive_answer(a->password_fd, ret);
	return n == 0 ? -EPIPE : n;
}

static int verdict_of(const struct ipc_password_answer *answer)
{
	if (answer->status == IPC_PASSWORD_RIGHT)
		return 1;
	return answer->status == IPC_PASSWORD_WRONG ? -EKEYREJECTED : -EIO;
}

static int answer_await(const struct agent *a, uint64_t id)
{
	struct ipc_password_answer answer = {0};
	for (unsigned i = 0; i < OTHERS_MAX; i++) {
		const int n = answer_receive(a, &answer);
		if (n != 1)
			return n;
		if (answer.id == id)
			return verdict_of(&answer);
	}
	return -EPROTO;
}

/* Sends size bytes of the request, which may differ from the size in it. */
static int send_and_await(const struct agent *a, const struct ipc_password_request *r, size_t size)
{
	if (write(a->password_fd, r, size) < 0)
		return -errno;
	return answer_await(a, r->id);
}

static int password_ask(const struct agent *a, const struct ipc_password_request *r)
{
	return send_and_await(a, r, ipc_password_request_size(r));
}

/* --- well-formed requests --------------------------------------------------------------------- */

int try_password_right(struct agent *a, const struct order *o)
{
	const struct ipc_password_request r = request(a, o);
	return password_ask(a, &r);
}

int try_password_wrong(struct agent *a, const struct order *o)
{
	struct ipc_password_request r = request(a, o);
	r.data[r.user_len] ^= 1;
	return password_ask(a, &r);
}

/* An honest loop has one request under way. The answers come in the order of the requests. */
int try_password_many(struct agent *a, const struct order *o)
{
	struct ipc_password_request r;
	unsigned sent = 0;
	uint64_t first = 0;
	for (; sent < AT_ONCE; sent++) {
		r = request(a, o);
		if (sent == 0)
			first = r.id;
		if (write(a->password_fd, &r, ipc_password_request_size(&r)) < 0)
			break;
	}
	if (sent < 2)
		return sent == 0 ? -errno : -EPROTO;
	for (uint64_t id = first; id < first + sent; id++) {
		const int verdict = answer_await(a, id);
		if (verdict != 1)
			return verdict;
	}
	return 1;
}

int try_password_file(struct agent *a, const struct order *o)
{
	struct ipc_password_request r = request(a, o);
	r.file = FILE_NONE;
	return password_ask(a, &r);
}

/* --- malformed requests ----------------------------------------------------------------------- */

int try_password_short(struct agent *a, const struct order *o)
{
	const struct ipc_password_request r = request(a, o);
	return send_and_await(a, &r, offsetof(struct ipc_password_request, data) / 2);
}

int try_password_length(struct agent *a, const struct order *o)
{
	struct ipc_password_request r = request(a, o);
	const size_t size = ipc_password_request_size(&r);
	r.password_len = UINT16_MAX;
	return send_and_await(a, &r, size);
}

int try_password_id(struct agent *a, const struct order *o)
{
	struct ipc_password_request r = request(a, o);
	r.id = 0;
	return password_ask(a, &r);
}

/* For crypt(3) it would end the password: all that begin like a right one would be right. */
int try_password_nul(struct agent *a, const struct order *o)
{
	struct ipc_password_request r = request(a, o);
	r.data[r.user_len + r.password_len++] = '\0';
	return password_ask(a, &r);
}

int try_password_oversized(struct agent *a, const struct order *o)
{
	const struct ipc_password_request r = request(a, o);
	char packet[OVERSIZED] = {0};
	memcpy(packet, &r, ipc_password_request_size(&r));
	return write(a->password_fd, packet, sizeof(packet)) < 0 ? -errno : answer_await(a, r.id);
}
