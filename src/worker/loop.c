/*
 * One event loop of a worker, on its own thread or the only one. It touches nothing that another
 * loop writes.
 */
#include "worker/loop.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/syslog.h>
#include <unistd.h>

#include "base/fd.h"
#include "tls/transport.h"
#include "worker/access.h"
#include "worker/clients.h"
#include "worker/conn.h"
#include "worker/connects.h"
#include "worker/fault.h"
#include "worker/passwords.h"
#include "worker/show.h"

#define WIRE_OUT_MAX (1 << 20)

/* When seven eighths of so many connections have ended, and a second later still. */
#define CALM_PEAK 128
#define CALM_MS   1000

/* Does the port echo requests? Then its refusals give their reason, too. */
static bool is_echo(const struct conf_port *port)
{
	const struct conf_host *host = &port->hosts[0];
	for (size_t i = 0; i < host->locations_count; i++)
		if (strcmp(host->locations[i].path, "/") == 0)
			return host->locations[i].handler == CONF_ECHO;
	return false;
}

static void wake(void *connection, const struct exchange *ex)
{
	(void)ex; /* the protocol knows it */
	conn_wake(connection);
}

static const struct exchange_owner owner = {.begun = access_begun,
					    .entered = show_entered,
					    .wake = wake,
					    .limit = clients_request,
					    .done = access_done};

static void wakeup_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	uint64_t count;
	(void)loop;
	(void)events;
	if (read(io->fd, &count, sizeof(count)) == sizeof(count))
		worker_loop_follow(
		    (struct worker_loop *)((char *)io - offsetof(struct worker_loop, wakeup)));
}

static void log_tick_expired(struct loop *loop, struct loop_timer *timer)
{
	struct worker_loop *l =
	    (struct worker_loop *)((char *)timer - offsetof(struct worker_loop, log_tick));
	log_tick(&l->log);
	if (log_outstanding(&l->log))
		loop_timer_set(loop, timer, loop->now_ms + LOG_TICK_MS);
}

static bool is_calm(const struct worker_loop *l)
{
	return l->conns_peak >= CALM_PEAK && l->conns_count < l->conns_peak / 8;
}

/* The allocator gives memory back by itself only from the end of its heap, where as a rule
 * something is still in use: after many connections with full buffers it would keep nearly all of
 * theirs. It takes 0.2 ms for each megabyte, so it waits until few clients are left. */
static void calm_expired(struct loop *loop, struct loop_timer *timer)
{
	struct worker_loop *l =
	    (struct worker_loop *)((char *)timer - offsetof(struct worker_loop, calm));
	(void)loop;
	if (!is_calm(l))
		return;
	(void)malloc_trim(0);
	l->conns_peak = l->conns_count;
}

int worker_loop_init(struct worker_loop *l, struct worker *w, unsigned index)
{
	*l = (struct worker_loop){
	    .worker = w,
	    .index = index,
	    .wakeup = {.fd = -1, .ready = wakeup_ready},
	    .lag = {.probe = {.fd = -1}},
	    .wire = {.out = BUF_INIT(WIRE_OUT_MAX), .local_address = conn_local_address},
	    .log = w->role->log,
	    .signer = {.fd = -1},
	    .slot = &w->role->slots[index],
	    .conns_max = worker_conns_max(w),
	    .transport = w->port->plain ? &transport_plain : &transport_tls,
	    .held = w->phase == WORKER_HELD};
	l->http = (struct http_loop){.limits = &w->port->limits,
				     .explains = is_echo(w->port),
				     .routes = &w->routes.http,
				     .owner = &owner,
				     .events = &l->loop,
				     .holdings = &l->holdings,
				     .drain_ms = w->role->conf->drain_ms};
	l->slot->lack = IPC_LACK_NONE;
	LIST_INIT(&l->conns);
	holdings_add(&l->holdings, &l->conns_held);
	l->conn_memory_max = conn_memory_max(l);
	if (getrandom(&l->id_prefix, sizeof(l->id_prefix), 0) < 0)
		return -errno;
	const int clients_error = clients_init(l);
	if (clients_error < 0)
		return clients_error;
	l->listeners = calloc(w->listeners_count, sizeof(*l->listeners));
	if (l->listeners == NULL)
		return -ENOMEM;
	int error = loop_init(&l->loop);
	l->loop.busy_since_ms = &l->slot->busy_since_ms;
	if (error < 0 || (error = loop_timer_init(&l->loop, &l->resume, accept_resume)) < 0 ||
	    (error = loop_timer_init(&l->loop, &l->log_tick, log_tick_expired)) < 0 ||
	    (error = loop_timer_init(&l->loop, &l->calm, calm_expired)) < 0)
		return error;
	if (index > 0) {
		l->wakeup.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (l->wakeup.fd < 0)
			return -errno;
		if ((error = loop_add(&l->loop, &l->wakeup, EPOLLIN)) < 0)
			return error;
	}
	if (w->port->upstreams_count > 0 && w->port->limits.lag_ms > 0) {
		if ((error = lag_init(&l->lag, &l->loop, w->port->limits.lag_ms)) < 0)
			return error;
		l->http.lag = &l->lag;
	}
	if (w->port->faults && (error = faults_init(l)) < 0)
		return error;
	const int passwords = role_take(w->role, IPC_FD_PASSWORD_CHANNEL, index);
	if (passwords >= 0 && (error = passwords_open(l, passwords)) < 0)
		return error;
	const int connects = role_take(w->role, IPC_FD_CONNECT_CHANNEL, index);
	if ((error = worker_upstreams_open(l)) < 0)
		return error;
	if (connects >= 0 && (error = connects_open(l, connects)) < 0)
		return error;
	if ((error = routes_open(&w->routes, &l->http)) < 0)
		return error;
	return accept_start(l);
}

void worker_loop_release(struct worker_loop *l)
{
	while (!LIST_EMPTY(&l->conns))
		conn_free(LIST_FIRST(&l->conns));
	clients_release(l);
	http_loop_release(&l->http);
	routes_close(&l->worker->routes, &l->http);
	faults_release(l);
	passwords_close(l);
	connects_close(l);
	worker_upstreams_close(l);
	lag_release(&l->lag, &l->loop);
	tls_context_free(l->tls);
	fd_close(&l->signer.fd);
	fd_close(&l->wakeup.fd);
	loop_release(&l->loop);
	buf_release(&l->wire.out);
	free(l->listeners);
}

/* This loop accepts no longer. The last one closes all listeners: while another loop still accepts,
 * no connection may get one of their numbers. Then it tells the master, which waits until only the
 * new workers accept. */
static void leave(struct worker_loop *l)
{
	struct worker *w = l->worker;
	accept_stop(l);
	if (__atomic_sub_fetch(&w->accepting, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	accept_close_all(w);
	(void)ipc_send(w->role->channel_fd, IPC_DRAINING, NULL, 0, NULL, 0);
}

void worker_loop_drain(struct worker_loop *l, bool lenient)
{
	if (l->draining && (lenient || !l->lenient))
		return;
	if (!l->draining)
		leave(l);
	l->draining = true;
	l->lenient = lenient;
	passwords_drain(l);
	struct conn *next;
	for (struct conn *c = LIST_FIRST(&l->conns); c != NULL; c = next) {
		next = LIST_NEXT(c, link); /* c may free itself, and only itself */
		conn_drain(c);
	}
}

void worker_loop_follow(struct worker_loop *l)
{
	const struct worker *w = l->worker;
	l->log.level = __atomic_load_n(&w->role->log.level, __ATOMIC_RELAXED);
	const enum worker_phase phase = __atomic_load_n(&w->phase, __ATOMIC_RELAXED);
	switch (phase) {
	case WORKER_HELD:
		break;
	case WORKER_SERVING:
		l->held = false;
		accept_freed(l);
		break;
	case WORKER_RETIRING:
	case WORKER_DRAINING:
		worker_loop_drain(l, phase == WORKER_RETIRING);
		break;
	}
}

/* Only the master can find out whether the keyholder hangs, and replace it. */
static void silence_tell(struct worker_loop *l)
{
	l->timeouts_told = l->signer.timeouts;
	(void)ipc_send(l->worker->role->channel_fd, IPC_KEY_SILENT, NULL, 0, NULL, 0);
}

/* Puts the count of dropped records into the slot, and has the log report them once it takes
 * records again. */
static void drops_tell(struct worker_loop *l)
{
	ipc_slot_put(&l->slot->counters.log_dropped, log_dropped(&l->log));
	if (!loop_timer_is_set(&l->log_tick))
		loop_timer_set(&l->loop, &l->log_tick, l->loop.now_ms + LOG_TICK_MS);
}

/* Does what the turn has left to the end: nothing in it may call up into the acceptor. */
static void turn_end(struct worker_loop *l)
{
	if (l->memory_lacks) {
		l->memory_lacks = false;
		accept_starved(l);
	}
	if (l->conns_freed) {
		l->conns_freed = false;
		accept_freed(l);
		if (is_calm(l) && !loop_timer_is_set(&l->calm))
			loop_timer_set(&l->loop, &l->calm, l->loop.now_ms + CALM_MS);
	}
	if (l->signer.timeouts != l->timeouts_told)
		silence_tell(l);
	if (log_outstanding(&l->log))
		drops_tell(l);
}

void worker_loop_run(struct worker_loop *l)
{
	while (!l->draining || l->conns_count > 0) {
		int error = loop_turn(&l->loop, -1);
		if (error < 0) {
			log_write(&l->log, LOG_CRIT, "the event loop failed: %s", strerror(-error));
			_exit(1);
		}
		turn_end(l);
	}
	log_finish(&l->log);
	loop_rest(&l->loop);
}
