/*
 * Runs in connectors. Must never give connect(2) a pointer to anything but a place of the block:
 * the kernel ends the process for it.
 */
#include "dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/fd.h"
#include "net/near.h"

/* How often it looks whether a name has addresses, or a Unix socket has room, since neither can be
 * waited for: at first, and each time after twice as long. */
#define LOOK_MS      10
#define LOOK_DOUBLES 3

/* --- the end ---------------------------------------------------------------------------------- */

static void try_close(struct dial_try *t)
{
	if (t->io.fd < 0)
		return;
	loop_close(t->dial->dialer->loop, &t->io);
	t->dial->under_way--;
	t->dial->dialer->sockets--;
}

void dial_cancel(struct dial *d)
{
	for (unsigned i = 0; i < d->next; i++)
		try_close(&d->tries[i]);
	loop_timer_release(d->dialer->loop, &d->timer);
}

static void dial_finish(struct dial *d, const struct dial_result *result)
{
	dial_cancel(d);
	d->done(d, result); /* d may be gone after this */
}

static void dial_fail(struct dial *d, enum ipc_connect_status status, int error)
{
	const struct dial_result result = {.status = status, .error = error, .fd = -1};
	dial_finish(d, &result);
}

/* --- one address ------------------------------------------------------------------------------ */

struct ends {
	struct sockaddr_storage own, peer;
};

static struct network_address ends_address(const struct sockaddr_storage *a)
{
	if (a->ss_family == AF_INET)
		return network_address_v4(&((const struct sockaddr_in *)a)->sin_addr);
	if (a->ss_family == AF_INET6)
		return network_address_v6(&((const struct sockaddr_in6 *)a)->sin6_addr);
	return (struct network_address){0};
}

/* 0, or an errno: ENOTCONN while it is not connected. A socket of this machine that nobody listens
 * on can, by chance, connect to itself (RFC 9293, 3.5: simultaneous open). */
static int try_check(const struct dial_try *t, struct network_address *ret)
{
	struct ends e;
	socklen_t own_len = sizeof(e.own), peer_len = sizeof(e.peer);
	memset(&e, 0, sizeof(e));
	if (getpeername(t->io.fd, (struct sockaddr *)&e.peer, &peer_len) < 0)
		return errno;
	*ret = ends_address(&e.peer);
	if (e.peer.ss_family == AF_UNIX)
		return 0;
	if (getsockname(t->io.fd, (struct sockaddr *)&e.own, &own_len) < 0)
		return errno;
	return own_len == peer_len && memcmp(&e.own, &e.peer, own_len) == 0 ? ECONNREFUSED : 0;
}

static void dial_connected(struct dial *d, unsigned i, const struct network_address *address)
{
	struct dial_try *t = &d->tries[i];
	struct dialer *dialer = d->dialer;
	const struct dial_result result = {
	    .status = IPC_CONNECTED, .fd = t->io.fd, .address = *address};
	/* Those that were begun before have not answered for a while. */
	for (unsigned before = 0; before < i; before++)
		endpoints_mark(dialer->endpoints, d->endpoint, &d->list, before, true,
			       dialer->loop->now_ms);
	endpoints_mark(dialer->endpoints, d->endpoint, &d->list, i, false, dialer->loop->now_ms);
	t->io.fd = -1;
	d->under_way--;
	dialer->sockets--;
	dial_finish(d, &result);
}

static void try_failed(struct dial_try *t, int error)
{
	struct dial *d = t->dial;
	const unsigned i = (unsigned)(t - d->tries);
	try_close(t);
	if (d->error == 0 || error != EADDRNOTAVAIL) /* which is the reason if it is of all */
		d->error = error;
	endpoints_mark(d->dialer->endpoints, d->endpoint, &d->list, i, true,
		       d->dialer->loop->now_ms);
}

static void dial_go_on(struct dial *);

static void try_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	struct dial_try *t = (struct dial_try *)io;
	struct network_address address;
	int error = 0;
	socklen_t len = sizeof(error);
	(void)events;
	if (getsockopt(io->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error == 0)
		error = try_check(t, &address);
	if (error == 0) {
		loop_remove(loop, io); /* the worker's duplicate would keep it in the set */
		dial_connected(t->dial, (unsigned)(t - t->dial->tries), &address);
		return;
	}
	try_failed(t, error);
	dial_go_on(t->dial);
}

/* EADDRNOTAVAIL: all local ports for this address are taken. Of ::1 it means that this machine has
 * no IPv6. */
static int connect_error(const union ipc_address *place, sa_family_t family)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&place->storage;
	if (errno == EADDRNOTAVAIL && family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr))
		return ENETUNREACH;
	return errno;
}

static int try_open(struct dial_try *t, const union ipc_address *place, sa_family_t family)
{
	const int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, on = 1;
	struct dialer *dialer = t->dial->dialer;
	if (family == AF_UNSPEC)
		return EAFNOSUPPORT;
	if (dialer->sockets >= dialer->sockets_max)
		return EMFILE;
	t->io = (struct loop_io){.fd = socket(family, type, 0), .ready = try_ready};
	if (t->io.fd < 0)
		return errno;
	dialer->sockets++;
	t->dial->under_way++;
	if (family != AF_UNIX &&
	    setsockopt(t->io.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
		return errno;
	net_near(t->io.fd, &place->any);
	if (connect(t->io.fd, &place->any, IPC_ADDRESS_LEN) == 0)
		return 0;
	return connect_error(place, family);
}

/* --- all of them ------------------------------------------------------------------------------ */

/* Begins with the i-th address. 0: it is under way, or the dial has ended (*ret_ended). Else why
 * not, an errno. */
static int dial_try(struct dial *d, unsigned i, bool *ret_ended)
{
	const union ipc_address *place = d->list.places[i];
	struct dial_try *t = &d->tries[i];
	struct loop *loop = d->dialer->loop;
	struct network_address address;
	*t = (struct dial_try){.io = {.fd = -1}, .dial = d};
	int error = try_open(t, place, endpoints_family(d->dialer->endpoints, d->endpoint, place));
	if (error != 0 && error != EINPROGRESS)
		return error;
	/* On this machine the kernel has often connected it by now. */
	error = try_check(t, &address);
	if (error == 0) {
		*ret_ended = true;
		dial_connected(d, i, &address);
		return 0;
	}
	return error == ENOTCONN ? -loop_add(loop, &t->io, EPOLLOUT) : error;
}

static void dial_wait(struct dial *d, uint64_t wait_ms)
{
	struct loop *loop = d->dialer->loop;
	const uint64_t at_ms = loop->now_ms + wait_ms;
	loop_timer_set(loop, &d->timer, at_ms < d->until_ms ? at_ms : d->until_ms);
}

/* Until it can look again. */
static void dial_look_later(struct dial *d)
{
	d->waits = true;
	dial_wait(d, (uint64_t)LOOK_MS << d->looks);
	if (d->looks < LOOK_DOUBLES)
		d->looks++;
}

/* The next address that can be tried at all; if there is none, it waits for those under way. */
static void dial_go_on(struct dial *d)
{
	while (d->next < d->list.count) {
		const unsigned i = d->next++;
		bool ended = false;
		const int error = dial_try(d, i, &ended);
		if (ended)
			return;
		if (error == 0) {
			dial_wait(d, d->next < d->list.count ? DIAL_NEXT_MS : UINT32_MAX);
			return;
		}
		/* a Unix socket whose backlog is full: unix(7) */
		if (error == EAGAIN && d->list.count == 1) {
			try_close(&d->tries[i]);
			d->next = 0;
			dial_look_later(d);
			return;
		}
		if (err_is_shortage(error)) {
			try_close(&d->tries[i]);
			if (d->under_way == 0) {
				dial_fail(d, IPC_CONNECT_FULL, error);
				return;
			}
			d->next = (uint8_t)i; /* later, if those under way have failed by then */
			dial_wait(d, DIAL_NEXT_MS);
			return;
		}
		try_failed(&d->tries[i], error);
	}
	if (d->under_way == 0)
		dial_fail(d, d->error == EADDRNOTAVAIL ? IPC_CONNECT_FULL : IPC_CONNECT_REFUSED,
			  d->error);
	else
		dial_wait(d, UINT32_MAX);
}

static void dial_find(struct dial *d)
{
	d->waits = false;
	switch (
	    endpoints_find(d->dialer->endpoints, d->endpoint, d->dialer->loop->now_ms, &d->list)) {
	case ENDPOINTS_FOUND:
		dial_go_on(d);
		break;
	case ENDPOINTS_UNRESOLVED:
		dial_fail(d, IPC_CONNECT_UNRESOLVED, 0);
		break;
	case ENDPOINTS_WAIT:
		dial_look_later(d);
		break;
	}
}

static void dial_expired(struct loop *loop, struct loop_timer *timer)
{
	struct dial *d = (struct dial *)((char *)timer - offsetof(struct dial, timer));
	if (loop->now_ms >= d->until_ms)
		dial_fail(d, d->list.count > 0 ? IPC_CONNECT_TIMED_OUT : IPC_CONNECT_UNRESOLVED,
			  d->error);
	else if (d->waits)
		dial_find(d);
	else
		dial_go_on(d);
}

void dial_begin(struct dialer *dialer, struct dial *d, uint32_t endpoint, uint64_t timeout_ms,
		void (*done)(struct dial *, const struct dial_result *))
{
	*d = (struct dial){.dialer = dialer,
			   .endpoint = endpoint,
			   .until_ms = dialer->loop->now_ms + timeout_ms,
			   .done = done};
	if (loop_timer_init(dialer->loop, &d->timer, dial_expired) < 0) {
		const struct dial_result result = {
		    .status = IPC_CONNECT_FULL, .error = ENOMEM, .fd = -1};
		done(d, &result);
		return;
	}
	dial_find(d);
}
