/*
 * Runs in resolvers. Must never wait for a name server, nor give connect(2) a pointer to anything
 * but the place of one: the kernel ends the process for it.
 */
#include "lookup.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/num.h"

#define DATAGRAMS_MAX  8    /* read at once: somebody may send many */
#define DATAGRAM_BYTES 4096 /* more than a server sends that was not told that it may */
#define PREFIX_LEN     2    /* before a message over TCP: RFC 1035, 4.2.2 */

static void question_go_on(struct question *);
static void question_end(struct question *, enum dns_verdict);

/* --- a socket to a server --------------------------------------------------------------------- */

static void peer_close(struct lookup_peer *p)
{
	if (p->io.fd >= 0)
		loop_close(p->question->lookup->all->loop, &p->io);
	buf_release(&p->in);
	p->sent = false;
}

/* The server cannot be asked, or cannot say: the next one is asked at once. */
static void peer_failed(struct lookup_peer *p)
{
	struct question *q = p->question;
	peer_close(p);
	p->failed = true;
	question_go_on(q);
}

static void datagram_ready(struct loop *, struct loop_io *, uint32_t);
static void stream_ready(struct loop *, struct loop_io *, uint32_t);

static bool peer_open(struct lookup_peer *p, unsigned server, bool tcp)
{
	struct lookups *all = p->question->lookup->all;
	const union ipc_address *place = &all->places[server];
	const int family = place->any.sa_family;
	const int type = (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
	const socklen_t len =
	    family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	p->tcp = tcp;
	p->in = (struct buf)BUF_INIT(PREFIX_LEN + DNS_MESSAGE_MAX);
	p->io = (struct loop_io){.fd = socket(family, type, 0),
				 .ready = tcp ? stream_ready : datagram_ready};
	return p->io.fd >= 0 &&
	       (connect(p->io.fd, &place->any, len) == 0 || errno == EINPROGRESS) &&
	       loop_add(all->loop, &p->io, tcp ? EPOLLOUT : EPOLLIN) == 0;
}

/* True: the peer goes on, because that was not the answer. Else the question may be gone. */
static bool peer_judge(struct lookup_peer *p, const uint8_t *message, size_t len)
{
	struct question *q = p->question;
	const enum dns_verdict v = dns_parse(message, len, q->query, q->query_len, &q->answer);
	switch (v) {
	case DNS_FOREIGN:
		if (!p->tcp)
			return true;
		peer_failed(p);
		break;
	case DNS_FOUND:
	case DNS_NONE:
	case DNS_UNKNOWN:
		question_end(q, v);
		break;
	case DNS_FAILED:
		q->some_failed = true;
		peer_failed(p);
		break;
	case DNS_TRUNCATED:
		peer_close(p);
		if (p->tcp || !peer_open(p, (unsigned)(p - q->peers), true))
			peer_failed(p);
		break;
	}
	return false;
}

static void datagram_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	struct lookup_peer *p = (struct lookup_peer *)io;
	uint8_t message[DATAGRAM_BYTES];
	(void)loop;
	(void)events;
	for (int i = 0; i < DATAGRAMS_MAX; i++) {
		const ssize_t n = recv(io->fd, message, sizeof(message), MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			peer_failed(p); /* ICMP: nobody is there */
		if (n < 0 || !peer_judge(p, message, (size_t)n))
			return;
	}
}

/* Both in one segment, as RFC 7766, 8 wants it. */
static bool stream_send(struct lookup_peer *p)
{
	const struct question *q = p->question;
	uint8_t message[PREFIX_LEN + DNS_QUERY_MAX];
	message[0] = (uint8_t)(q->query_len >> 8);
	message[1] = (uint8_t)q->query_len;
	memcpy(message + PREFIX_LEN, q->query, q->query_len);
	const ssize_t len = (ssize_t)(PREFIX_LEN + q->query_len);
	p->sent = true;
	/* so little is taken whole by a connection that is new */
	return write(p->io.fd, message, (size_t)len) == len &&
	       loop_modify(q->lookup->all->loop, &p->io, EPOLLIN) == 0;
}

/* False: it failed. */
static bool stream_receive(struct lookup_peer *p)
{
	uint8_t *to = buf_reserve(&p->in, DATAGRAM_BYTES);
	if (to == NULL)
		return false;
	const ssize_t n = recv(p->io.fd, to, DATAGRAM_BYTES, MSG_DONTWAIT);
	if (n > 0)
		buf_advance(&p->in, (size_t)n);
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static void stream_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	struct lookup_peer *p = (struct lookup_peer *)io;
	(void)loop;
	(void)events;
	if (!p->sent ? !stream_send(p) : !stream_receive(p)) {
		peer_failed(p);
		return;
	}
	const uint8_t *data = buf_head(&p->in);
	if (buf_len(&p->in) < PREFIX_LEN)
		return;
	const size_t len = (size_t)data[0] << 8 | data[1];
	if (buf_len(&p->in) >= PREFIX_LEN + len)
		peer_judge(p, data + PREFIX_LEN, len);
}

/* --- a question ------------------------------------------------------------------------------- */

static void question_close(struct question *q)
{
	for (unsigned i = 0; i < SERVERS_MAX; i++)
		peer_close(&q->peers[i]);
	loop_timer_release(q->lookup->all->loop, &q->timer);
	q->asking = false;
}

static void lookup_look(struct lookup *);

static void question_end(struct question *q, enum dns_verdict verdict)
{
	question_close(q);
	q->verdict = verdict;
	if (!q->lookup->beginning)
		lookup_look(q->lookup);
}

/* Asks the server again if it was asked before. */
static bool question_send(struct question *q, unsigned server)
{
	struct lookup_peer *p = &q->peers[server];
	const bool tcp = q->lookup->all->servers->tcp;
	p->failed = false;
	if (p->io.fd < 0 && !peer_open(p, server, tcp))
		return false;
	return p->tcp || write(p->io.fd, q->query, q->query_len) == (ssize_t)q->query_len;
}

static bool all_have_failed(const struct question *q)
{
	for (unsigned i = 0; i < q->lookup->all->servers->count; i++)
		if (!q->peers[i].failed)
			return false;
	return true;
}

/* Asks the next server, or begins the next attempt when all have failed. */
static void question_go_on(struct question *q)
{
	const struct lookups *all = q->lookup->all;
	const unsigned count = all->servers->count;
	while (q->attempt < all->servers->attempts) {
		while (q->next < count) {
			const unsigned server = (q->lookup->first + q->next++) % count;
			if (question_send(q, server)) {
				const uint64_t wait_ms = all->servers->timeout_ms;
				loop_timer_set(all->loop, &q->timer,
					       all->loop->now_ms +
						   (q->next < count
							? num_least(wait_ms, LOOKUP_NEXT_MS)
							: wait_ms));
				return;
			}
			peer_close(&q->peers[server]);
			q->peers[server].failed = true;
		}
		if (!all_have_failed(q))
			return; /* the timer is set */
		q->attempt++;
		q->next = 0;
	}
	question_end(q, q->some_failed ? DNS_FAILED : DNS_FOREIGN);
}

static void question_expired(struct loop *loop, struct loop_timer *timer)
{
	struct question *q = (struct question *)((char *)timer - offsetof(struct question, timer));
	(void)loop;
	if (q->next >= q->lookup->all->servers->count) {
		q->attempt++;
		q->next = 0;
	}
	question_go_on(q);
}

/* A verdict other than DNS_FOREIGN as soon as it has ended. */
static void question_begin(struct lookup *l, struct question *q, enum dns_type type,
			   const char *name)
{
	uint16_t id = 0;
	*q = (struct question){.lookup = l, .type = type, .verdict = DNS_FAILED};
	for (unsigned i = 0; i < SERVERS_MAX; i++)
		q->peers[i] = (struct lookup_peer){.io = {.fd = -1}, .question = q};
	if (getrandom(&id, sizeof(id), 0) != sizeof(id))
		return;
	const int len = dns_query(id, name, type, q->query);
	if (len < 0) { /* with this domain it is no name */
		q->verdict = DNS_UNKNOWN;
		return;
	}
	q->query_len = (size_t)len;
	if (loop_timer_init(l->all->loop, &q->timer, question_expired) < 0)
		return;
	q->asking = true;
	question_go_on(q);
}

/* --- a lookup --------------------------------------------------------------------------------- */

static int address_compare(const void *a, const void *b)
{
	const struct network_address *x = a, *y = b;
	if (x->high != y->high)
		return x->high < y->high ? -1 : 1;
	return (x->low > y->low) - (x->low < y->low);
}

/* Ascending, each once. */
static size_t answer_sort(const struct dns_answer *answer, struct network_address *ret)
{
	size_t count = 0;
	memcpy(ret, answer->list, answer->count * sizeof(*ret));
	qsort(ret, answer->count, sizeof(*ret), address_compare);
	for (size_t i = 0; i < answer->count; i++)
		if (i == 0 || address_compare(&ret[i], &ret[count - 1]) != 0)
			ret[count++] = ret[i];
	return count;
}

void lookup_merge(const struct dns_answer *v4, const struct dns_answer *v6,
		  struct lookup_result *ret)
{
	struct network_address list[2][IPC_NAME_ADDRESSES_MAX];
	const size_t counts[2] = {answer_sort(v6, list[0]), answer_sort(v4, list[1])};
	ret->count = 0;
	for (size_t i = 0; i < IPC_NAME_ADDRESSES_MAX; i++)
		for (int f = 0; f < 2; f++)
			if (i < counts[f] && ret->count < IPC_NAME_ADDRESSES_MAX)
				ret->list[ret->count++] = list[f][i];
	ret->ttl = (uint32_t)num_least(counts[0] > 0 ? v6->ttl : UINT32_MAX,
				       counts[1] > 0 ? v4->ttl : UINT32_MAX);
}

static void lookup_finish(struct lookup *l, const struct lookup_result *result)
{
	l->done(l, result); /* l may be gone after this */
}

static void lookup_fail(struct lookup *l, enum lookup_verdict verdict)
{
	const struct lookup_result result = {.verdict = verdict};
	lookup_finish(l, &result);
}

static bool is_answered(enum dns_verdict v)
{
	return v == DNS_NONE || v == DNS_UNKNOWN;
}

/* Both questions have ended. True: it goes on with the next candidate. */
static bool lookup_judge(struct lookup *l)
{
	struct question *a = &l->questions[0], *b = &l->questions[1];
	struct lookup_result result = {.verdict = LOOKUP_FOUND};
	if (a->verdict == DNS_FOUND || b->verdict == DNS_FOUND) {
		if (a->verdict != DNS_FOUND)
			a->answer.count = 0;
		if (b->verdict != DNS_FOUND)
			b->answer.count = 0;
		lookup_merge(&a->answer, &b->answer, &result);
		lookup_finish(l, &result);
		return false;
	}
	if (is_answered(a->verdict) && is_answered(b->verdict)) {
		l->candidate++;
		return true;
	}
	/* One that may exist must not be found under another name. */
	lookup_fail(l, a->verdict == DNS_FAILED || b->verdict == DNS_FAILED ? LOOKUP_FAILED
									    : LOOKUP_NO_ANSWER);
	return false;
}

static void lookup_look(struct lookup *l)
{
	char name[SERVERS_NAME_MAX];
	while (!l->questions[0].asking && !l->questions[1].asking) {
		if (!lookup_judge(l))
			return;
		if (!servers_candidate(l->all->servers, l->name, l->candidate, name)) {
			lookup_fail(l, LOOKUP_UNKNOWN);
			return;
		}
		l->beginning = true;
		question_begin(l, &l->questions[0], DNS_A, name);
		question_begin(l, &l->questions[1], DNS_AAAA, name);
		l->beginning = false;
	}
}

void lookup_begin(struct lookups *all, struct lookup *l, const char *name,
		  void (*done)(struct lookup *, const struct lookup_result *))
{
	char first[SERVERS_NAME_MAX];
	*l = (struct lookup){.all = all, .name = name, .done = done, .first = all->first};
	if (all->servers->rotate)
		all->first = (all->first + 1) % all->servers->count;
	(void)servers_candidate(all->servers, name, 0, first);
	l->beginning = true;
	question_begin(l, &l->questions[0], DNS_A, first);
	question_begin(l, &l->questions[1], DNS_AAAA, first);
	l->beginning = false;
	lookup_look(l);
}

void lookup_cancel(struct lookup *l)
{
	for (int i = 0; i < 2; i++)
		if (l->questions[i].asking)
			question_close(&l->questions[i]);
}
