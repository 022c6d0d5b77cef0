/*
 * Runs in a child of the selftest's master, on order: reaches for other addresses than those that a
 * connector or a resolver has in its block, and misuses a worker's channel to its connector. Must
 * never reach beyond this machine: every address is a loopback one, or that of a name server, to
 * which nothing is sent.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent.h"
#include "base/clock.h"
#include "ipc/addresses.h"
#include "ipc/connect.h"
#include "targets.h"

#define PATIENCE_MS 5000
#define STREAM      (SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)
#define DATAGRAM    (SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC)
#define OVERSIZED   65536
#define ID_FIRST    (1ULL << 40) /* the worker itself counts from 1 */

/* --- connections ------------------------------------------------------------------------------ */

static const union ipc_address *place_at(const struct agent *a, size_t place)
{
	return (const union ipc_address *)a->pinned + place;
}

static int error_of(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);
	struct pollfd writable = {.fd = fd, .events = POLLOUT};
	if (poll(&writable, 1, PATIENCE_MS) != 1)
		return -ETIMEDOUT;
	if (syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;
	return -error;
}

/* 1: it is connected. */
static int reach(const void *address, int family, int type)
{
	const long fd = syscall(SYS_socket, family, type, 0);
	if (fd < 0)
		return -errno;
	int result = attempt_result(syscall(SYS_connect, fd, address, IPC_ADDRESS_LEN));
	if (result == -EINPROGRESS)
		result = error_of((int)fd);
	(void)syscall(SYS_close, fd);
	/* that memory holds no address, which is no lack of this machine */
	if (result == -EAFNOSUPPORT)
		result = -EINVAL;
	return result < 0 ? result : 1;
}

int try_reach_listed(struct agent *a, const struct order *o)
{
	const union ipc_address *first = place_at(a, 0);
	(void)o;
	return reach(first, first->any.sa_family, a->is_resolver ? DATAGRAM : STREAM);
}

/* The places of names begin with a page. */
int try_reach_named(struct agent *a, const struct order *o)
{
	const size_t begin = (size_t)sysconf(_SC_PAGESIZE) / IPC_ADDRESS_BYTES;
	const uint64_t until_ms = clock_ms() + PATIENCE_MS;
	(void)o;
	do {
		for (size_t i = begin; i < a->pinned_bytes / IPC_ADDRESS_BYTES; i++)
			if (place_at(a, i)->any.sa_family == AF_INET)
				return reach(place_at(a, i), AF_INET, STREAM);
		(void)poll(NULL, 0, 10);
	} while (clock_ms() < until_ms);
	return -ENOENT;
}

/* Of an upstream, or of the first name server with an IPv4 address. */
static union ipc_address listed4(const struct agent *a)
{
	union ipc_address copy = {.bytes = {0}};
	for (size_t i = 0; i < a->pinned_bytes / IPC_ADDRESS_BYTES; i++)
		if (place_at(a, i)->any.sa_family == AF_INET)
			return *place_at(a, i);
	((struct sockaddr_in *)&copy.storage)->sin_family = AF_INET;
	return copy;
}

int try_reach_copy(struct agent *a, const struct order *o)
{
	const union ipc_address copy = listed4(a);
	(void)o;
	return reach(&copy, AF_INET, a->is_resolver ? DATAGRAM : STREAM);
}

int try_reach_port(struct agent *a, const struct order *o)
{
	union ipc_address copy = listed4(a);
	struct sockaddr_in *to = (struct sockaddr_in *)&copy.storage;
	to->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to->sin_port = htons((uint16_t)o->port);
	return reach(&copy, AF_INET, STREAM);
}

int try_reach_neighbour(struct agent *a, const struct order *o)
{
	union ipc_address copy = listed4(a);
	(void)o;
	((struct sockaddr_in *)&copy.storage)->sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
	return reach(&copy, AF_INET, STREAM);
}

int try_reach_inside(struct agent *a, const struct order *o)
{
	(void)o;
	return reach(place_at(a, 0)->bytes + 8, AF_INET, STREAM);
}

int try_reach_after(struct agent *a, const struct order *o)
{
	(void)o;
	return reach((const unsigned char *)a->pinned + a->pinned_bytes, AF_INET, STREAM);
}

/* The one with a Unix socket. */
static const union ipc_address *local_place(const struct agent *a)
{
	size_t i = 0;
	while (i + 1 < a->pinned_bytes / IPC_ADDRESS_BYTES &&
	       place_at(a, i)->any.sa_family != AF_UNIX)
		i++;
	return place_at(a, i);
}

int try_reach_local(struct agent *a, const struct order *o)
{
	(void)o;
	return reach(local_place(a), AF_UNIX, STREAM);
}

int try_reach_local_copy(struct agent *a, const struct order *o)
{
	const union ipc_address copy = *local_place(a);
	(void)o;
	return reach(&copy, AF_UNIX, STREAM);
}

int try_reach_local_other(struct agent *a, const struct order *o)
{
	union ipc_address other = {.local = {.sun_family = AF_UNIX}};
	(void)a;
	memcpy(other.local.sun_path, o->path, strnlen(o->path, sizeof(other.local.sun_path) - 1));
	return reach(&other, AF_UNIX, STREAM);
}

int try_reach_local_beginning(struct agent *a, const struct order *o)
{
	const union ipc_address *place = local_place(a);
	const long fd = syscall(SYS_socket, AF_UNIX, STREAM, 0);
	(void)o;
	return attempt_result(syscall(SYS_connect, fd, place,
				      offsetof(struct sockaddr_un, sun_path) +
					  strlen(place->local.sun_path) - strlen(TARGETS_END)));
}

int try_datagrams(struct agent *a, const struct order *o)
{
	(void)a;
	(void)o;
	return attempt_result(syscall(SYS_socket, AF_INET, DATAGRAM, 0));
}

/* With Fast Open, sendmsg(2) connects. */
int try_send_fast(struct agent *a, const struct order *o)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)o->port),
				 .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct iovec iov = {(char[]){"x"}, 1};
	const struct msghdr m = {
	    .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &iov, .msg_iovlen = 1};
	const long n = syscall(SYS_sendmsg, a->tcp4_fd, &m, MSG_FASTOPEN | MSG_DONTWAIT);
	return n < 0 && errno == EINPROGRESS ? 0 : attempt_result(n);
}

/* --- the block -------------------------------------------------------------------------------- */

int try_block_unmap(struct agent *a, const struct order *o)
{
	(void)o;
	return attempt_result(syscall(SYS_munmap, a->pinned, a->pinned_bytes));
}

int try_block_move(struct agent *a, const struct order *o)
{
	(void)o;
	return attempt_result(
	    syscall(SYS_mremap, a->pinned, a->pinned_bytes, a->pinned_bytes, MREMAP_MAYMOVE));
}

int try_block_protect(struct agent *a, const struct order *o)
{
	(void)o;
	return attempt_result(
	    syscall(SYS_mprotect, a->pinned, a->pinned_bytes, PROT_READ | PROT_WRITE));
}

int try_block_advise(struct agent *a, const struct order *o)
{
	(void)o;
	return attempt_result(syscall(SYS_madvise, a->pinned, a->pinned_bytes, MADV_REMOVE));
}

int try_block_map(struct agent *a, const struct order *o)
{
	(void)o;
	return attempt_result(syscall(SYS_mmap, a->pinned, a->pinned_bytes, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1L, 0L));
}

/* The kernel writes for the process, which has no other call that writes to memory. */
int try_block_fill(struct agent *a, const struct order *o)
{
	(void)o;
	return attempt_result(syscall(SYS_getrandom, a->pinned, IPC_ADDRESS_BYTES, 0));
}

/* --- memory of others ------------------------------------------------------------------------- */

int try_map_shared_state(struct agent *a, const struct order *o)
{
	(void)o;
	return attempt_result(syscall(SYS_mmap, NULL, 4096L, PROT_READ | PROT_WRITE, MAP_SHARED,
				      (long)a->shared_fd, 0L));
}

int try_protect_shared_state(struct agent *a, const struct order *o)
{
	(void)o;
	return attempt_result(
	    syscall(SYS_mprotect, a->shared, 4096L, (long)(PROT_READ | PROT_WRITE)));
}

int try_write_shared_state(struct agent *a, const struct order *o)
{
	(void)o;
	return attempt_result(syscall(SYS_write, a->shared_fd, "x", 1L));
}

/* Its offset is at the end. */
int try_names_grow(struct agent *a, const struct order *o)
{
	(void)o;
	return attempt_result(syscall(SYS_write, a->shared_fd, "x", 1L));
}

/* --- the connector, over a worker's channel --------------------------------------------------- */

static struct ipc_connect_request request(struct agent *a)
{
	return (struct ipc_connect_request){
	    .id = ID_FIRST + ++a->last_id, .endpoint = 0, .timeout_ms = PATIENCE_MS};
}

static int send_and_await(struct agent *a, const void *data, size_t size, uint64_t id)
{
	const uint64_t until_ms = clock_ms() + PATIENCE_MS;
	struct ipc_connect_answer answer;
	struct pollfd readable = {.fd = a->connect_fd, .events = POLLIN};
	if (write(a->connect_fd, data, size) < 0)
		return -errno;
	while (clock_ms() < until_ms) {
		int fd = -1;
		if (poll(&readable, 1, PATIENCE_MS) != 1)
			return -ETIMEDOUT;
		const int n = ipc_connect_receive_answer(a->connect_fd, &answer, &fd);
		if (fd >= 0)
			(void)syscall(SYS_close, fd);
		if (n == 0)
			return -EPIPE;
		if (n < 0 && n != -EAGAIN)
			return n;
		if (n == 1 && answer.id == id)
			return answer.status == IPC_CONNECTED ? 1 : -EIO;
	}
	return -ETIMEDOUT;
}

int try_ask_proper(struct agent *a, const struct order *o)
{
	const struct ipc_connect_request r = request(a);
	(void)o;
	return send_and_await(a, &r, sizeof(r), r.id);
}

int try_ask_endpoint(struct agent *a, const struct order *o)
{
	struct ipc_connect_request r = request(a);
	(void)o;
	r.endpoint = 1000000;
	return send_and_await(a, &r, sizeof(r), r.id);
}

int try_ask_short(struct agent *a, const struct order *o)
{
	const struct ipc_connect_request r = request(a);
	(void)o;
	return send_and_await(a, &r, sizeof(r) - 1, r.id);
}

int try_ask_id(struct agent *a, const struct order *o)
{
	struct ipc_connect_request r = request(a);
	(void)o;
	r.id = 0;
	return send_and_await(a, &r, sizeof(r), r.id);
}

int try_ask_time(struct agent *a, const struct order *o)
{
	struct ipc_connect_request r = request(a);
	(void)o;
	r.timeout_ms = 0;
	return send_and_await(a, &r, sizeof(r), r.id);
}

int try_ask_oversized(struct agent *a, const struct order *o)
{
	static char packet[OVERSIZED];
	const struct ipc_connect_request r = request(a);
	(void)o;
	memcpy(packet, &r, sizeof(r));
	return send_and_await(a, packet, sizeof(packet), r.id);
}
