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

#include "base/bucket.h"
#include "base/fd.h"
#include "base/network.h"
#include "base/text.h"
#include "ipc/password.h"
#include "tls/digest.h"

#define WAYS 4 /* of both tables: the places of an entry */

TAILQ_HEAD(asks, authenticate_ask);

/* A password that was right, as a digest under a key that only this process knows. */
struct known {
	uint8_t digest[IPC_DIGEST_BYTES];
	uint64_t until_ms; /* 0: none */
};

/* The tries that a client has left. */
struct tries {
	uint64_t client; /* a keyed hash; 0: none */
	struct bucket left;
};

struct passwords_loop {
	struct authenticate_service service; /* first */
	struct worker_loop *owner;
	struct loop_io channel;
	struct loop_timer timer; /* the first one has waited too long */
	struct loop_task soon;   /* sends the first one that waits */
	struct asks waiting;
	unsigned waiting_count;
	struct authenticate_ask *asked; /* with the verifier; NULL: none, or it was forgotten */
	struct ipc_password_request request; /* the same as a packet; id 0: none is under way */
	uint64_t last_id;
	uint8_t key[IPC_DIGEST_BYTES];
	struct known known[PASSWORDS_KNOWN_MAX];
	struct tries tries[PASSWORDS_TRIES_MAX];
};

static uint64_t now_of(const struct passwords_loop *p)
{
	return p->owner->loop.now_ms;
}

/* --- the verifier ----------------------------------------------------------------------------- */

static void request_end(struct passwords_loop *p)
{
	p->request = (struct ipc_password_request){.id = 0};
	p->asked = NULL;
}

static void ask_answer(struct authenticate_ask *ask, enum authenticate_verdict verdict)
{
	ask->answered(ask, verdict);
}

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
}

/* Sends the next one, if none is under way. */
static void request_next(struct passwords_loop *p)
{
	struct authenticate_ask *ask;
	while (p->request.id == 0 && (ask = TAILQ_FIRST(&p->waiting)) != NULL) {
		TAILQ_REMOVE(&p->waiting, ask, link);
		p->waiting_count--;
		request_make(p, ask);
		p->asked = ask;
		if (ipc_password_ask(p->channel.fd, &p->request) == 0)
			return;
		request_end(p);
		ask_answer(ask, AUTHENTICATE_UNCHECKED);
	}
}

static void expiry_set(struct passwords_loop *p)
{
	const struct authenticate_ask *first =
	    p->asked != NULL ? p->asked : TAILQ_FIRST(&p->waiting);
	if (first == NULL)
		loop_timer_cancel(&p->owner->loop, &p->timer);
	else
		loop_timer_set(&p->owner->loop, &p->timer, first->begun_ms + PASSWORDS_WAIT_MS);
}

static void timer_expired(struct loop *loop, struct loop_timer *timer)
{
	struct passwords_loop *p =
	    (struct passwords_loop *)((char *)timer - offsetof(struct passwords_loop, timer));
	const uint64_t begun_ms = loop->now_ms - PASSWORDS_WAIT_MS;
	struct authenticate_ask *ask = p->asked;
	if (ask != NULL && ask->begun_ms <= begun_ms) {
		p->asked = NULL; /* its answer will come too late */
		ask_answer(ask, AUTHENTICATE_UNCHECKED);
	}
	while ((ask = TAILQ_FIRST(&p->waiting)) != NULL && ask->begun_ms <= begun_ms) {
		TAILQ_REMOVE(&p->waiting, ask, link);
		p->waiting_count--;
		ask_answer(ask, AUTHENTICATE_UNCHECKED);
	}
	expiry_set(p);
}

static void known_add(struct passwords_loop *, const struct authenticate_ask *);

static void answer_take(struct passwords_loop *p, const struct ipc_password_answer *answer)
{
	static const enum authenticate_verdict verdicts[IPC_PASSWORD_STATUSES] = {
	    [IPC_PASSWORD_RIGHT] = AUTHENTICATE_RIGHT,
	    [IPC_PASSWORD_WRONG] = AUTHENTICATE_WRONG,
	    [IPC_PASSWORD_FAILED] = AUTHENTICATE_UNCHECKED};
	struct authenticate_ask *ask = p->asked;
	if (p->request.id == 0)
		return;
	if (answer->status == IPC_PASSWORD_AGAIN) {
		(void)ipc_password_ask(p->channel.fd, &p->request);
		return;
	}
	if (answer->id != p->request.id)
		return;
	request_end(p);
	request_next(p);
	if (ask == NULL)
		return;
	if (answer->status == IPC_PASSWORD_RIGHT)
		known_add(p, ask);
	ask_answer(ask, verdicts[answer->status]);
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
	expiry_set(p);
}

static bool passwords_ask(struct authenticate_service *service, struct authenticate_ask *ask)
{
	struct passwords_loop *p = (struct passwords_loop *)service;
	if (p->waiting_count == PASSWORDS_WAIT_MAX)
		return false;
	ask->begun_ms = now_of(p);
	TAILQ_INSERT_TAIL(&p->waiting, ask, link);
	p->waiting_count++;
	loop_soon(&p->owner->loop, &p->soon);
	return true;
}

static void passwords_forget(struct authenticate_service *service, struct authenticate_ask *ask)
{
	struct passwords_loop *p = (struct passwords_loop *)service;
	if (p->asked == ask) {
		p->asked = NULL; /* the verifier is still at it */
	} else {
		TAILQ_REMOVE(&p->waiting, ask, link);
		p->waiting_count--;
	}
	expiry_set(p);
}

/* --- right ones ------------------------------------------------------------------------------- */

static bool digest_make(const struct passwords_loop *p, const struct authenticate_ask *ask,
			uint8_t ret[IPC_DIGEST_BYTES])
{
	struct {
		uint32_t file, user_len;
		char text[IPC_USER_MAX + IPC_PASSWORD_MAX];
	} data = {ask->file, (uint32_t)ask->user_len, {0}};
	memcpy(data.text, ask->user, ask->user_len);
	memcpy(data.text + ask->user_len, ask->password, ask->password_len);
	const size_t len = offsetof(__typeof__(data), text) + ask->user_len + ask->password_len;
	const bool made = tls_digest_keyed(p->key, &data, len, ret);
	explicit_bzero(&data, sizeof(data));
	return made;
}

static struct known *known_places(struct passwords_loop *p, const uint8_t digest[IPC_DIGEST_BYTES])
{
	uint32_t hash;
	memcpy(&hash, digest, sizeof(hash));
	return &p->known[(size_t)hash % (PASSWORDS_KNOWN_MAX / WAYS) * WAYS];
}

static bool passwords_knows(struct authenticate_service *service,
			    const struct authenticate_ask *ask)
{
	struct passwords_loop *p = (struct passwords_loop *)service;
	uint8_t digest[IPC_DIGEST_BYTES];
	if (!digest_make(p, ask, digest))
		return false;
	const struct known *places = known_places(p, digest);
	for (unsigned i = 0; i < WAYS; i++)
		if (places[i].until_ms > now_of(p) &&
		    memcmp(places[i].digest, digest, sizeof(digest)) == 0)
			return true;
	return false;
}

/* In the place of the one that will be forgotten first. */
static void known_add(struct passwords_loop *p, const struct authenticate_ask *ask)
{
	uint8_t digest[IPC_DIGEST_BYTES];
	if (!digest_make(p, ask, digest))
		return;
	struct known *places = known_places(p, digest), *oldest = places;
	for (unsigned i = 1; i < WAYS; i++)
		if (places[i].until_ms < oldest->until_ms)
			oldest = &places[i];
	memcpy(oldest->digest, digest, sizeof(digest));
	oldest->until_ms = now_of(p) + PASSWORDS_KNOWN_MS;
}

/* --- wrong ones ------------------------------------------------------------------------------- */

/* Of IPv6, a client has a /64. The hash is keyed, so that nobody can choose another's place. */
static uint64_t client_hash(const struct passwords_loop *p, const struct http_client *client)
{
	struct network_address address = {0};
	uint8_t digest[IPC_DIGEST_BYTES];
	uint64_t hash;
	if (network_address_parse(client->address, strlen(client->address), &address) < 0 ||
	    !tls_digest_keyed(
		p->key, &address,
		network_address_is_v4(&address) ? sizeof(address) : sizeof(address.high), digest))
		return 1;
	memcpy(&hash, digest, sizeof(hash));
	return hash | 1;
}

/* Its place, or the one of those that it can have that was used the longest time ago. */
static struct tries *tries_find(struct passwords_loop *p, uint64_t client)
{
	struct tries *places = &p->tries[client / 2 % (PASSWORDS_TRIES_MAX / WAYS) * WAYS];
	struct tries *oldest = places;
	for (unsigned i = 0; i < WAYS; i++) {
		if (places[i].client == client)
			return &places[i];
		if (places[i].left.since_ms < oldest->left.since_ms)
			oldest = &places[i];
	}
	return oldest;
}

/* In thousandths of a second, so that a slow rate is a whole number: see bucket_take(). */
#define TRY (UINT64_C(1000) * AUTHENTICATE_TRY_MS)

static bool tries_take(struct tries *t, uint64_t now_ms)
{
	const uint64_t per_second = 1000, each = AUTHENTICATE_TRY_MS;
	return bucket_take(&t->left, each, per_second, AUTHENTICATE_TRIES * each, now_ms);
}

static uint64_t passwords_refuses(struct authenticate_service *service,
				  const struct http_client *client)
{
	struct passwords_loop *p = (struct passwords_loop *)service;
	const uint64_t hash = client_hash(p, client);
	struct tries *t = tries_find(p, hash);
	if (t->client != hash)
		*t = (struct tries){hash, bucket_full(now_of(p))};
	return tries_take(t, now_of(p)) ? 0 : (TRY - t->left.thousandths + 999) / 1000;
}

/* More than its capacity counts as full. */
static void passwords_spares(struct authenticate_service *service, const struct http_client *client)
{
	struct passwords_loop *p = (struct passwords_loop *)service;
	const uint64_t hash = client_hash(p, client);
	struct tries *t = tries_find(p, hash);
	if (t->client == hash && t->left.thousandths <= AUTHENTICATE_TRIES * TRY)
		t->left.thousandths += TRY;
}

static void passwords_failed(struct authenticate_service *service, const struct http_client *client,
			     const struct authenticate_ask *ask, const char *realm)
{
	struct passwords_loop *p = (struct passwords_loop *)service;
	char user[4 * IPC_USER_MAX + 1];
	struct text shown;
	text_init(&shown, user, sizeof(user));
	text_add_escaped(&shown, ask->user, ask->user_len);
	log_write(&p->owner->log, LOG_WARNING,
		  "wrong password of user \"%s\" for \"%s\" from ('%s', %u)", shown.data, realm,
		  client->address, client->port);
}

/* --- the loop's ------------------------------------------------------------------------------- */

static void soon_run(struct loop *loop, struct loop_task *task)
{
	struct passwords_loop *p =
	    (struct passwords_loop *)((char *)task - offsetof(struct passwords_loop, soon));
	(void)loop;
	request_next(p);
	expiry_set(p);
}

int passwords_open(struct worker_loop *l, int fd)
{
	struct passwords_loop *p = calloc(1, sizeof(*p));
	int error = p == NULL ? -ENOMEM : 0;
	if (error == 0 && getrandom(p->key, sizeof(p->key), 0) != (ssize_t)sizeof(p->key))
		error = -errno;
	if (error == 0)
		error = loop_timer_init(&l->loop, &p->timer, timer_expired);
	if (error < 0) {
		free(p);
		fd_close(&fd);
		return error;
	}
	p->service = (struct authenticate_service){.ask = passwords_ask,
						   .forget = passwords_forget,
						   .knows = passwords_knows,
						   .refuses = passwords_refuses,
						   .spares = passwords_spares,
						   .failed = passwords_failed};
	p->owner = l;
	p->soon.run = soon_run;
	TAILQ_INIT(&p->waiting);
	p->channel = (struct loop_io){.fd = fd, .ready = channel_ready};
	l->http.passwords = &p->service;
	return loop_add(&l->loop, &p->channel, EPOLLIN);
}

void passwords_close(struct worker_loop *l)
{
	struct passwords_loop *p = (struct passwords_loop *)l->http.passwords;
	if (p == NULL)
		return;
	loop_soon_cancel(&l->loop, &p->soon);
	loop_timer_release(&l->loop, &p->timer);
	loop_remove_and_close(&l->loop, &p->channel);
	explicit_bzero(p, sizeof(*p));
	free(p);
	l->http.passwords = NULL;
}
