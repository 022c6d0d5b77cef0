/*
 * Runs in a loop. Must never spin when it cannot accept, nor take more than the port may have.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syslog.h>

#include "base/fd.h"
#include "net/listen.h"
#include "worker/conn.h"
#include "worker/loop.h"

#define ACCEPT_RETRY_MS  100
#define STARVED_LOG_MS   10000 /* between two complaints about that */
#define ACCEPTS_PER_TURN 16    /* of the queue of waiting loops, see listeners_requeue() */

static int listeners_add(struct worker_loop *l)
{
	for (unsigned i = 0; i < l->worker->listeners_count; i++) {
		int error = loop_add(&l->loop, &l->listeners[i].io, EPOLLIN | EPOLLEXCLUSIVE);
		if (error < 0)
			return error;
	}
	l->listening = true;
	return 0;
}

static void listeners_remove(struct worker_loop *l)
{
	for (unsigned i = 0; i < l->worker->listeners_count; i++)
		loop_remove(&l->loop, &l->listeners[i].io);
	l->listening = false;
}

/* Accepting stops until a connection ends or, for lack of something, until the timer. */
static void pause_accepting(struct worker_loop *l, int error)
{
	if (error != 0) {
		if (l->loop.now_ms >= l->starved_again_ms) {
			log_write(&l->log, LOG_WARNING,
				  "cannot accept: %s; trying again as connections end",
				  strerror(error));
			l->starved_again_ms = l->loop.now_ms + STARVED_LOG_MS;
		}
		loop_timer_set(&l->loop, &l->resume, l->loop.now_ms + ACCEPT_RETRY_MS);
	}
	listeners_remove(l);
}

/*
 * With EPOLLEXCLUSIVE the kernel wakes the first waiting loop in the order of registration, so on
 * a quiet port one loop would get everything. Registering anew puts this loop at the end.
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

static void listener_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	struct worker_loop *l = ((struct listener *)io)->owner;
	struct http_client client;
	(void)loop;
	(void)events;
	int fd = net_accept(io->fd, client.address, &client.port);
	if (fd >= 0) {
		conn_new(l, fd, &client);
		if (l->conns_count >= l->conns_max)
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
	default: /* another worker was faster, or the client has gone (accept(2)) */
		break;
	}
}

int accept_start(struct worker_loop *l)
{
	/* Each loop has descriptors of its own, to close them when it drains. */
	for (unsigned i = 0; i < l->worker->listeners_count; i++) {
		int fd = fcntl(l->worker->listener_fds[i], F_DUPFD_CLOEXEC, 0);
		l->listeners[i] =
		    (struct listener){.io = {.fd = fd, .ready = listener_ready}, .owner = l};
		if (fd < 0)
			return -errno;
	}
	return listeners_add(l);
}

void accept_stop(struct worker_loop *l)
{
	loop_timer_cancel(&l->loop, &l->resume);
	if (l->listening)
		listeners_remove(l);
	for (unsigned i = 0; i < l->worker->listeners_count; i++)
		fd_close(&l->listeners[i].io.fd);
}

void accept_freed(struct worker_loop *l)
{
	if (l->listening || l->draining || l->conns_count >= l->conns_max)
		return;
	loop_timer_cancel(&l->loop, &l->resume);
	if (listeners_add(l) < 0)
		pause_accepting(l, ENOMEM);
}

void accept_resume(struct loop *loop, struct loop_timer *timer)
{
	(void)loop;
	struct worker_loop *l =
	    (struct worker_loop *)((char *)timer - offsetof(struct worker_loop, resume));
	accept_freed(l);
}
