/*
 * Runs in a loop. Must never keep a password that is not being checked, nor take an answer for
 * another request than the one that is with the verifier.
 */
#include "worker/passwords.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/syslog.h>

#include "base/fd.h"
#include "base/num.h"
#include "base/text.h"
#include "ipc/password.h"
#include "worker/asks.h"
#include "worker/known.h"
#include "worker/tries.h"

struct passwords_loop {
	struct authenticate_service service; /* first */
	struct worker_loop *owner;
	struct loop_io channel;
	struct loop_timer waiting; /* the oldest one has waited too long */
	struct loop_timer knowing; /* what is known is to be forgotten */
	struct loop_task soon;     /* sends the next one, and answers those that are done */
	struct asks asks;
	struct ipc_password_request request; /* the same as a packet; id 0: none is under way */
	bool again;                          /* it was sent again */
	uint64_t last_id;
	uint64_t end_ms; /* then nothing waits any more; UINT64_MAX: the worker does not drain */
	struct known known;
	struct tries tries;
};

static uint64_t now_of(const struct passwords_loop *p)
{
	return p->owner->loop.now_ms;
}

/* --- requests --------------------------------------------------------------------------------- */

static void request_make(struct passwords_loop *p, const struct authenticate_ask *ask)
{
	struct ipc_password_request *r = &p->request;
	r->id = ++p->last_id;
	r->file = (uint16_t)ask->file;
	r->user_len = (uint16_t)ask->user_len;
	r->password_len = (uint16_t)ask->password_len;
	r->zero = 0;
	memcpy(r->data, ask->user, ask->user_len);
	memcpy(r->data + ask->user_len, ask->password, ask->password_len);
	p->again = false;
}

/* Its password was right. Whoever asked may have left meanwhile. */
static void request_known(struct passwords_loop *p)
{
	const struct ipc_password_request *r = &p->request;
	const struct authenticate_ask ask = {.file = r->file,
					     .user = r->data,
					     .user_len = r->user_len,
					     .password = r->data + r->user_len,
					     .password_len = r->password_len};
	known_add(&p->known, &ask, now_of(p));
	if (!loop_timer_is_set(&p->knowing))
		loop_timer_set(&p->owner->loop, &p->knowing, now_of(p) + KNOWN_MS);
}

static void request_end(struct passwords_loop *p, enum authenticate_verdict verdict)
{
	if (verdict == AUTHENTICATE_RIGHT)
		request_known(p);
	explicit_bzero(p->request.data, sizeof(p->request.data));
	p->request.id = 0;
	if (p->asks.asked != NULL)
		asks_finish(&p->asks, p->asks.asked, verdict);
}

/* Sends the next one, if none is under way. */
static void request_next(struct passwords_loop *p)
{
	struct authenticate_ask *ask;
	while (p->request.id == 0 && (ask = asks_next(&p->asks)) != NULL) {
		if (known_has(&p->known, ask, now_of(p))) { /* since it waits */
			asks_finish(&p->asks, ask, AUTHENTICATE_RIGHT);
			continue;
		}
		asks_begin(&p->asks, ask);
		request_make(p, ask);
		if (ipc_password_ask(p->channel.fd, &p->request) < 0)
			request_end(p, AUTHENTICATE_UNCHECKED);
	}
}

/* --- answers ---------------------------------------------------------------------------------- */

static void done_answer(struct passwords_loop *p)
{
	struct authenticate_ask *ask;
	while ((ask = asks_take_done(&p->asks)) != NULL) {
		const enum authenticate_verdict verdict = ask->place.verdict;
		if (verdict != AUTHENTICATE_WRONG && ask->place.counts)
			tries_give_back(&p->tries, ask->place.client);
		ask->answered(ask, verdict);
	}
}

/* After anything has happened. */
static void go_on(struct passwords_loop *p)
{
	request_next(p);
	done_answer(p);
	const uint64_t oldest_ms = asks_oldest_ms(&p->asks);
	if (oldest_ms == UINT64_MAX)
		loop_timer_cancel(&p->owner->loop, &p->waiting);
	else
		loop_timer_set(&p->owner->loop, &p->waiting,
			       num_least(oldest_ms + PASSWORDS_WAIT_MS, p->end_ms));
}

/* The verifier died, maybe over this request: it must not be the end of many. */
static void request_again(struct passwords_loop *p)
{
	if (p->again || ipc_password_ask(p->channel.fd, &p->request) < 0)
		request_end(p, AUTHENTICATE_UNCHECKED);
	p->again = true;
}

static void answer_take(struct passwords_loop *p, const struct ipc_password_answer *answer)
{
	static const enum authenticate_verdict verdicts[IPC_PASSWORD_STATUSES] = {
	    [IPC_PASSWORD_RIGHT] = AUTHENTICATE_RIGHT,
	    [IPC_PASSWORD_WRONG] = AUTHENTICATE_WRONG,
	    [IPC_PASSWORD_FAILED] = AUTHENTICATE_UNCHECKED};
	if (p->request.id == 0)
		return;
	if (answer->status == IPC_PASSWORD_AGAIN)
		request_again(p);
	else if (answer->id == p->request.id)
		request_end(p, verdicts[answer->status]);
}

/* The master holds the other end, too, so it does not close before this process ends. */
static void channel_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	struct passwords_loop *p =
	    (struct passwords_loop *)((char *)io - offsetof(struct passwords_loop, channel));
	struct ipc_password_answer answer;
	(void)events;
	const int n = ipc_password_receive_answer(io->fd, &answer);
	if (n == 1)
		answer_take(p, &answer);
	else if (n == 0)
		loop_remove(loop, io);
	go_on(p);
}

static void waiting_expired(struct loop *loop, struct loop_timer *timer)
{
	struct passwords_loop *p =
	    (struct passwords_loop *)((char *)timer - offsetof(struct passwords_loop, waiting));
	asks_expire(&p->asks,
		    loop->now_ms < p->end_ms ? loop->now_ms - PASSWORDS_WAIT_MS : UINT64_MAX);
	go_on(p);
}

static void knowing_expired(struct loop *loop, struct loop_timer *timer)
{
	struct passwords_loop *p =
	    (struct passwords_loop *)((char *)timer - offsetof(struct passwords_loop, knowing));
	const uint64_t next_ms = known_expire(&p->known, loop->now_ms);
	if (next_ms > 0)
		loop_timer_set(loop, timer, next_ms);
}

static void soon_run(struct loop *loop, struct loop_task *task)
{
	(void)loop;
	go_on((struct passwords_loop *)((char *)task - offsetof(struct passwords_loop, soon)));
}

/* --- the service ------------------------------------------------------------------------------ */

static uint64_t client_of(const struct passwords_loop *p, struct authenticate_ask *ask)
{
	if (ask->place.client == 0)
		ask->place.client = tries_client(&p->tries, ask->client);
	return ask->place.client;
}

static bool passwords_knows(struct authenticate_service *service, struct authenticate_ask *ask)
{
	struct passwords_loop *p = (struct passwords_loop *)service;
	if (tries_guessed(&p->tries, now_of(p)) &&
	    !tries_may_know(&p->tries, client_of(p, ask), now_of(p)))
		return false;
	return known_has(&p->known, ask, now_of(p));
}

static uint64_t passwords_refuses(struct authenticate_service *service,
				  struct authenticate_ask *ask)
{
	struct passwords_loop *p = (struct passwords_loop *)service;
	const uint64_t client = client_of(p, ask);
	if (asks_has_alike(&p->asks, ask))
		return 0;
	const uint64_t wait_ms = tries_take(&p->tries, client, now_of(p));
	ask->place.counts = wait_ms == 0;
	return wait_ms;
}

static bool passwords_ask(struct authenticate_service *service, struct authenticate_ask *ask)
{
	struct passwords_loop *p = (struct passwords_loop *)service;
	loop_soon(&p->owner->loop, &p->soon);
	if (asks_add(&p->asks, ask, now_of(p)))
		return true;
	if (ask->place.counts)
		tries_give_back(&p->tries, ask->place.client);
	return false;
}

/* The verifier may still be at it. */
static void passwords_forget(struct authenticate_service *service, struct authenticate_ask *ask)
{
	struct passwords_loop *p = (struct passwords_loop *)service;
	asks_forget(&p->asks, ask);
	loop_soon(&p->owner->loop, &p->soon);
}

/* One line for those that are one try. */
static void passwords_failed(struct authenticate_service *service,
			     const struct authenticate_ask *ask, const char *realm)
{
	struct passwords_loop *p = (struct passwords_loop *)service;
	char user[4 * IPC_USER_MAX + 1], shown_realm[4 * IPC_USER_MAX + 1];
	struct text t;
	if (!ask->place.counts)
		return;
	text_init(&t, user, sizeof(user));
	text_add_escaped(&t, ask->user, ask->user_len);
	text_init(&t, shown_realm, sizeof(shown_realm));
	text_add_escaped(&t, realm, strlen(realm));
	log_write(&p->owner->log, LOG_WARNING,
		  "wrong password of user \"%s\" for \"%s\" from ('%s', %u)", user, shown_realm,
		  ask->client->address, ask->client->port);
}

/* --- the loop's ------------------------------------------------------------------------------- */

static int secret_make(uint8_t key[IPC_DIGEST_BYTES])
{
	return getrandom(key, IPC_DIGEST_BYTES, 0) == IPC_DIGEST_BYTES ? 0 : -EIO;
}

int passwords_open(struct worker_loop *l, int fd)
{
	struct passwords_loop *p = calloc(1, sizeof(*p));
	int error = p == NULL ? -ENOMEM : secret_make(p->known.key);
	if (error == 0)
		error = secret_make(p->tries.key);
	if (error == 0)
		error = loop_timer_init(&l->loop, &p->waiting, waiting_expired);
	if (error == 0)
		error = loop_timer_init(&l->loop, &p->knowing, knowing_expired);
	if (error < 0) {
		free(p);
		fd_close(&fd);
		return error;
	}
	p->service = (struct authenticate_service){.knows = passwords_knows,
						   .refuses = passwords_refuses,
						   .ask = passwords_ask,
						   .forget = passwords_forget,
						   .failed = passwords_failed};
	p->owner = l;
	p->end_ms = UINT64_MAX;
	p->soon.run = soon_run;
	asks_init(&p->asks);
	p->channel = (struct loop_io){.fd = fd, .ready = channel_ready};
	l->http.passwords = &p->service;
	return loop_add(&l->loop, &p->channel, EPOLLIN);
}

void passwords_drain(struct worker_loop *l)
{
	struct passwords_loop *p = (struct passwords_loop *)l->http.passwords;
	if (p == NULL)
		return;
	p->end_ms = num_least(p->end_ms, now_of(p) + l->worker->role->conf->drain_ms / 2);
	loop_soon(&l->loop, &p->soon);
}

void passwords_close(struct worker_loop *l)
{
	struct passwords_loop *p = (struct passwords_loop *)l->http.passwords;
	if (p == NULL)
		return;
	loop_soon_cancel(&l->loop, &p->soon);
	loop_timer_release(&l->loop, &p->waiting);
	loop_timer_release(&l->loop, &p->knowing);
	loop_remove_and_close(&l->loop, &p->channel);
	explicit_bzero(p, sizeof(*p));
	free(p);
	l->http.passwords = NULL;
}
