/*
 * Runs in the loops of ports that have faults: faults of connections, and of the worker for longer
 * than a request. Must never touch the loop of another thread.
 */
#include "worker/fault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syslog.h>
#include <sysexits.h>

#include "worker/conn.h"
#include "worker/lack.h"
#include "worker/show.h"

#define LEAK_TICK_MS 100

struct leak {
	struct leak *next; /* so that tools find the lost memory */
	char bytes[];
};

/* --- what handlers call ----------------------------------------------------------------------- */

static void fault_log(void *owner, const char *line)
{
	struct worker_loop *l = owner;
	log_write(&l->log, LOG_NOTICE, "%s", line);
}

static enum fault_flushed flushed(void *owner, const void *connection)
{
	struct worker_loop *l = owner;
	const struct conn *c = LIST_FIRST(&l->conns);
	while (c != NULL && c != connection)
		c = LIST_NEXT(c, link);
	if (c == NULL)
		return FAULT_GONE;
	show_connection(c); /* if the worker ends now, its slot must show this connection */
	return conn_blocked(c) ? FAULT_WAITING : FAULT_FLUSHED;
}

static void reset(void *connection)
{
	conn_reset(connection);
}

static void say(void *connection, const void *data, size_t len)
{
	conn_say(connection, data, len);
}

/* --- a leak of memory ------------------------------------------------------------------------ */

/* Sanitizers do not work with a limit of memory, so the fault itself keeps to it. */
static bool leak_some(struct worker_loop *l)
{
	struct worker_faults *f = l->faults;
	size_t size = (size_t)(f->leak_rate * LEAK_TICK_MS / 1000);
	if (f->leaked + size > l->worker->port->limits.memory_bytes)
		return false;
	struct leak *leak = malloc(sizeof(*leak) + size);
	if (leak == NULL)
		return false;
	memset(leak->bytes, 1, size);
	leak->next = f->leaks;
	f->leaks = leak;
	f->leaked += size;
	return true;
}

static void leak_ticked(struct loop *loop, struct loop_timer *timer)
{
	struct worker_faults *f =
	    (struct worker_faults *)((char *)timer - offsetof(struct worker_faults, leak_tick));
	struct worker_loop *l = f->services.owner;
	if (leak_some(l))
		loop_timer_set(loop, timer, loop->now_ms + LEAK_TICK_MS);
	else
		lack_declare(l, IPC_LACK_MEMORY);
}

/* --- lasting faults --------------------------------------------------------------------------- */

/* Only the master can pass a fault to the keyholders. */
static void keyholder_ask(const struct worker_loop *l, const struct fault *fault)
{
	const struct ipc_fault message = {.how = (uint32_t)fault->how,
					  .count = (uint32_t)fault->count};
	(void)ipc_send(l->worker->role->channel_fd, IPC_FAULT, &message, sizeof(message), NULL, 0);
}

static void arm(void *owner, const struct fault *fault)
{
	struct worker_loop *l = owner;
	struct worker_faults *f = l->faults;
	switch (fault->kind) {
	case FAULT_LEAK_MEMORY:
		f->leak_rate = fault->rate;
		loop_timer_set(&l->loop, &f->leak_tick, l->loop.now_ms + LEAK_TICK_MS);
		break;
	case FAULT_LEAK_DESCRIPTORS:
		f->descriptors = fault->count != 0 ? fault->count : UINT64_MAX;
		break;
	case FAULT_HANDSHAKE:
		f->handshakes = fault->count;
		f->handshakes_how = (enum fault_handshake)fault->how;
		break;
	case FAULT_CERTIFICATE:
		f->certificates = fault->count;
		f->certificates_which = (enum fault_certificate)fault->how;
		break;
	case FAULT_KEYHOLDER:
		keyholder_ask(l, fault);
		break;
	case FAULT_CRASH: /* handlers do these */
	case FAULT_ABORT:
	case FAULT_EXIT:
	case FAULT_STOP:
	case FAULT_HANG:
	case FAULT_RESET:
	case FAULT_TRUNCATE:
	case FAULT_DRIP:
	case FAULT_DELAY:
	case FAULT_STATUS:
	case FAULT_MALFORMED:
	case FAULT_VIOLATION:
	case FAULT_UPSTREAM:
	case FAULT_KINDS:
		break;
	}
}

/* --- beginning and end ----------------------------------------------------------------------- */

int faults_init(struct worker_loop *l)
{
	static const struct fault_ops ops = {
	    .log = fault_log, .flushed = flushed, .reset = reset, .say = say, .arm = arm};
	const struct worker *w = l->worker;
	struct worker_faults *f = calloc(1, sizeof(*f));
	if (f == NULL)
		return -ENOMEM;
	f->services = (struct fault_services){
	    .ops = &ops,
	    .owner = l,
	    .number = (w->role->start.number - 1) * w->loops_count + l->index,
	    .memory_limited = w->port->limits.memory_bytes > 0,
	    .plain = w->port->plain,
	};
	l->faults = f;
	l->http.faults = &f->services;
	return loop_timer_init(&l->loop, &f->leak_tick, leak_ticked);
}

void faults_release(struct worker_loop *l)
{
	struct worker_faults *f = l->faults;
	if (f == NULL)
		return;
	while (f->leaks != NULL) {
		struct leak *leak = f->leaks;
		f->leaks = leak->next;
		free(leak);
	}
	free(f);
}

void worker_faults_prepare(struct worker *w)
{
	struct err err;
	if (tls_context_new_false(w->policy, w->credentials, "wrong.invalid", false,
				  &w->false_tls[FAULT_WRONG], &err) < 0 ||
	    tls_context_new_false(w->policy, w->credentials, "localhost", true,
				  &w->false_tls[FAULT_EXPIRED], &err) < 0)
		role_fail(w->role, EX_OSERR, "%s", err.text);
}

void worker_faults_release(struct worker *w)
{
	for (unsigned i = 0; i < FAULT_CERTIFICATES; i++)
		tls_context_free(w->false_tls[i]);
}
