/*
 * Runs in a loop. Must never spin when it cannot accept, nor accept more connections than the
 * port's limit.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syslog.h>

#include "base/fd.h"
#include "net/listen.h"
#include "worker/clients.h"
#include "worker/conn.h"
#include "worker/header.h"
#include "worker/lack.h"
#include "worker/loop.h"

#define ACCEPT_RETRY_MS 100
#define LEAK_CERTAIN_MS 3000  /* starved for this long without enough connections to explain it */
#define STARVED_LOG_MS  10000 /* between two log lines about that */
/* then the loop goes to the end of the queue, see listeners_requeue() */
#define ACCEPTS_PER_TURN 16

static int listener_add(struct worker_loop *l, struct listener *listener)
{
	return loop_add(&l->loop, &listener->io, EPOLLIN | EPOLLEXCLUSIVE);
}

static int listeners_add(struct worker_loop *l)
{
	for (unsigned i = 0; i < l->worker->listeners_count; i++) {
		int error = l->listeners[i].shut ? 0 : listener_add(l, &l->listeners[i]);
		if (error < 0)
			return error;
	}
	l->listening = true;
	return 0;
}

static void listeners_remove(struct worker_loop *l)
{
	for (unsigned i = 0; i < l->worker->listeners_count; i++)
		if (!l->listeners[i].shut)
			loop_remove(&l->loop, &l->listeners[i].io);
	l->listening = false;
}

/* Missing descriptors come back as connections end. If they do not, another worker must take over.
 * accept(2) may also lack kernel memory, which is not the worker's fault. */
static void descriptors_judge(struct worker_loop *l, int error)
{
	if (error == EMFILE && l->loop.now_ms - l->starved_since_ms >= LEAK_CERTAIN_MS &&
	    lack_descriptors_leaked(l->worker))
		lack_declare(l, IPC_LACK_DESCRIPTORS);
}

/* Accepting failed: logs it now and then, and tries again later. */
static void starve(struct worker_loop *l, int error)
{
	const uint64_t now = l->loop.now_ms;
	if (l->http.spare != NULL)
		l->http.spare(&l->http);
	if (l->starved_since_ms == 0)
		l->starved_since_ms = now;
	if (now >= l->starved_again_ms) {
		log_write(&l->log, LOG_WARNING,
			  "cannot accept: %s; trying again as connections end", strerror(error));
		l->starved_again_ms = now + STARVED_LOG_MS;
	}
	descriptors_judge(l, error);
	if (!l->draining)
		loop_timer_set(&l->loop, &l->resume, now + ACCEPT_RETRY_MS);
}

/* Stops accepting until a connection ends or, after an error, until the timer. */
static void pause_accepting(struct worker_loop *l, int error)
{
	if (error != 0)
		starve(l, error);
	else
		ipc_slot_add(&l->slot->counters.limit_reached, 1);
	listeners_remove(l);
}

void accept_starved(struct worker_loop *l)
{
	if (!l->listening)
		return;
	pause_accepting(l, ENOMEM);
	if (lack_memory_leaked(l->worker))
		lack_declare(l, IPC_LACK_MEMORY);
}

/*
 * With EPOLLEXCLUSIVE the kernel wakes the first waiting loop in the order of registration, so on a
 * quiet port one loop would get every connection. A new registration puts this loop at the end.
 */
static void listeners_requeue(struct worker_loop *l)
{
	if (l->worker->pool == 1 || ++l->accepts < ACCEPTS_PER_TURN)
		return;
	l->accepts = 0;
	listeners_remove(l);
	if (listeners_add(l) < 0)
		pause_accepting(l, ENOMEM);
}

/* The listener was shut down. If the master did that, it also sends the reason on its channel. If
 * somebody outside did, the master makes it listen again. Until then it would be ready all the
 * time, so it leaves the set; the port's other listeners go on. */
static void listener_shut(struct worker_loop *l, struct listener *listener)
{
	loop_remove(&l->loop, &listener->io);
	listener->shut = true;
	if (!l->draining)
		loop_timer_set(&l->loop, &l->resume, l->loop.now_ms + ACCEPT_RETRY_MS);
}

static void listeners_retry(struct worker_loop *l)
{
	for (unsigned i = 0; i < l->worker->listeners_count; i++) {
		struct listener *listener = &l->listeners[i];
		if (!listener->shut)
			continue;
		listener->shut = false;
		if (l->listening && listener_add(l, listener) < 0)
			listener_shut(l, listener);
	}
}

/* 0, or -ENOMEM. A client that has its connections already loses this one. One that comes through a
 * load balancer is known later. */
static int listener_took(struct worker_loop *l, int fd, struct http_client *client)
{
	client->limited = NULL;
	client->relayed = false;
	if (!header_due(l->worker, client) && !clients_enter(l, client)) {
		fd_close(&fd);
		return 0;
	}
	const int error = conn_new(l, fd, client);
	if (error < 0)
		clients_leave(l, client);
	return error;
}

static void listener_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	struct worker_loop *l = ((struct listener *)io)->owner;
	struct http_client client;
	(void)loop;
	(void)events;
	int fd = net_accept(io->fd, client.address, &client.number, &client.port);
	if (fd >= 0) {
		l->starved_since_ms = 0;
		if (listener_took(l, fd, &client) < 0)
			accept_starved(l);
		else if (l->conns_count >= l->conns_max)
			pause_accepting(l, 0);
		else
			listeners_requeue(l);
		return;
	}
	switch (-fd) {
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		pause_accepting(l, -fd);
		break;
	case EINVAL:
		listener_shut(l, (struct listener *)io);
		break;
	default: /* another worker was faster, or the client left (accept(2)) */
		break;
	}
}

int accept_start(struct worker_loop *l)
{
	const unsigned count = l->worker->listeners_count;
	const int *fds = l->worker->listener_fds + (size_t)l->index * count;
	for (unsigned i = 0; i < count; i++)
		l->listeners[i] =
		    (struct listener){.io = {.fd = fds[i], .ready = listener_ready}, .owner = l};
	return l->held ? 0 : listeners_add(l);
}

void accept_stop(struct worker_loop *l)
{
	loop_timer_cancel(&l->loop, &l->resume);
	if (l->listening)
		listeners_remove(l);
}

void accept_freed(struct worker_loop *l)
{
	if (l->listening || l->held || l->draining || l->conns_count >= l->conns_max)
		return;
	loop_timer_cancel(&l->loop, &l->resume);
	listeners_retry(l);
	if (listeners_add(l) < 0)
		pause_accepting(l, ENOMEM);
}

void accept_resume(struct loop *loop, struct loop_timer *timer)
{
	(void)loop;
	struct worker_loop *l =
	    (struct worker_loop *)((char *)timer - offsetof(struct worker_loop, resume));
	listeners_retry(l);
	accept_freed(l);
}

void accept_close_all(const struct worker *w)
{
	for (unsigned i = 0; i < w->listener_fds_count; i++)
		fd_close(&w->listener_fds[i]);
}
