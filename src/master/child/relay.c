/*
 * Runs in the master: reads the children's log records from their pipes and passes them on. No
 * child has a descriptor of the log itself, so this is where the output of a child that was taken
 * over is limited: `log rate` says how many records of one process pass; more stay in its pipe,
 * which fills up. Must never block, nor let one child hold up the others.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syslog.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/text.h"
#include "master/child/child.h"

#define RELAY_PAUSE_MS    5     /* between two reads of a busy pipe */
#define RELAY_PIPE_LEAST  65536 /* pipe(7) */
#define RELAY_PIPE_MOST   (256 << 10)
#define RELAY_PIPES_BYTES (32 << 20) /* of all workers, half of a plain user's limit */
/* records of one child at once, if no other waits; a read takes several turns */
#define RELAY_LOOK_RECORDS 1000
/* of a child that has ended: more than an honest one's pipe holds */
#define RELAY_LAST_RECORDS 2000
#define RELAY_LAST_TOKENS  100         /* of these, if it has used up its rate */
#define RELAY_TURN_RECORDS 8           /* of one child before the next one's turn */
#define RELAY_TELL_MS      60000       /* between two log lines about the same child's rate */
#define RELAY_TOKEN_BYTES  256         /* a long record counts several times */
#define RELAY_BURST        UINT64_C(5) /* how many seconds' worth may come at once */

/* The state of a pipe after a turn. */
enum relay_state {
	RELAY_EMPTY, /* no bytes now */
	RELAY_MORE,  /* its turn is over */
	RELAY_POOR,  /* its rate is used up */
	RELAY_FULL,  /* a sink has no room */
	RELAY_ENDED  /* no more bytes can come */
};

/* The size of a pipe: a short pause of the master must not lose a record. The kernel counts all
 * pipes of a user, so with many workers each gets less. */
static int pipe_bytes(const struct master *m)
{
	uint64_t workers = 0;
	int bytes = RELAY_PIPE_MOST;
	for (size_t i = 0; i < m->conf->ports_count; i++)
		workers += m->conf->ports[i].workers;
	while (bytes > RELAY_PIPE_LEAST && (uint64_t)bytes * workers > RELAY_PIPES_BYTES)
		bytes /= 2;
	return bytes;
}

static void relay_ready(struct loop *, struct loop_io *, uint32_t events);

int relay_make(struct child *c, int *ret_child_end)
{
	int fds[2];
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	if (is_worker(c)) /* if the kernel refuses, the size stays */
		(void)fcntl(fds[0], F_SETPIPE_SZ, pipe_bytes(c->port->master));
	c->relay.io = (struct loop_io){.fd = fds[0], .ready = relay_ready};
	*ret_child_end = fds[1];
	return 0;
}

void relay_begin(struct child *c)
{
	struct relay *r = &c->relay;
	static const enum log_role roles[IPC_ROLES] = {[IPC_WORKER] = LOG_ROLE_WORKER,
						       [IPC_KEYHOLDER] = LOG_ROLE_KEYHOLDER,
						       [IPC_VERIFIER] = LOG_ROLE_VERIFIER,
						       [IPC_CONNECTOR] = LOG_ROLE_CONNECTOR,
						       [IPC_RESOLVER] = LOG_ROLE_RESOLVER};
	struct log_source source = {.role = roles[c->role],
				    .port = port_number(c->port),
				    .worker = is_worker(c) ? c->number : 0,
				    .pid = c->pid};
	struct text name;
	text_init(&name, source.name, sizeof(source.name));
	text_addf(&name, "%s %u (pid %d)", role_name(c), c->number, (int)c->pid);
	log_stream_init(&r->stream, &source);
	/* A process that replaces another one continues with its tokens. */
	if (r->rate.since_ms == 0)
		r->rate = bucket_full(c->port->master->loop.now_ms);
	r->last_tokens = r->last_records = 0;
	r->told_ms = r->seen_ms = r->passed = 0;
	r->resting = r->paid = false;
}

int relay_watch(struct child *c)
{
	const int bytes = fcntl(c->relay.io.fd, F_GETPIPE_SZ);
	c->relay.pipe_bytes = bytes > 0 ? (size_t)bytes : RELAY_PIPE_LEAST;
	c->relay.io.ready = relay_ready;
	return loop_add(&c->port->master->loop, &c->relay.io, EPOLLIN);
}

/* --- the rate -------------------------------------------------------------------------------- */

/* In thousandths, so that every millisecond counts. */
static void rate_tell(struct child *c, uint32_t rate)
{
	struct master *m = c->port->master;
	struct relay *r = &c->relay;
	if (r->told_ms != 0 && m->loop.now_ms - r->told_ms < RELAY_TELL_MS)
		return;
	r->told_ms = m->loop.now_ms;
	child_log(c, LOG_WARNING,
		  "writes more to the log than `log rate %u` allows; the rest is lost", rate);
}

/* A record costs a token for each piece of RELAY_TOKEN_BYTES that it begins. */
static uint64_t tokens_of(size_t bytes)
{
	return (bytes + RELAY_TOKEN_BYTES - 1) / RELAY_TOKEN_BYTES;
}

static bool rate_pays(struct child *c, uint64_t tokens)
{
	struct master *m = c->port->master;
	struct relay *r = &c->relay;
	const uint32_t rate = m->conf->log.rate;
	if (rate == 0)
		return true;
	/* a long record passes at a low rate, too, if seldom */
	if (bucket_take(&r->rate, tokens, rate, RELAY_BURST * rate, m->loop.now_ms))
		return true;
	rate_tell(c, rate);
	return false;
}

/* --- passing on ------------------------------------------------------------------------------ */

/* Returns the number of bytes read, 0 at the end, or -errno. */
static ssize_t relay_read(struct relay *r)
{
	size_t room;
	unsigned char *to = log_stream_room(&r->stream, &room);
	ssize_t n;
	do
		n = read(r->io.fd, to, room);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		r->stream.len += (size_t)n;
	return n < 0 ? -errno : n;
}

/* While less than half of its pipe is full, a record can wait for a full sink; after that the other
 * sinks must not lose records because of it. */
static bool relay_can_wait(const struct relay *r)
{
	int unread;
	return ioctl(r->io.fd, FIONREAD, &unread) == 0 && (size_t)unread < r->pipe_bytes / 2;
}

/* Passes the first record. RELAY_MORE: it is done. */
static enum relay_state relay_pass(struct child *c, size_t size, enum log_patience patience)
{
	struct master *m = c->port->master;
	struct relay *r = &c->relay;
	const uint64_t dropped = r->stream.dropped_total;
	const uint64_t tokens = tokens_of(log_stream_weight(&r->stream, size));
	const bool pays = r->paid || rate_pays(c, tokens);
	if (!pays && patience != LOG_TRY)
		return RELAY_POOR;
	r->paid = true;
	if (patience == LOG_TRY)
		r->last_records++;
	if ((!pays && r->last_tokens >= RELAY_LAST_TOKENS) || r->last_records > RELAY_LAST_RECORDS)
		log_stream_drop(&m->log, &r->stream, size);
	else if (!log_stream_pass(&m->log, &r->stream, size, m->loop.now_ms, patience))
		return RELAY_FULL;
	r->paid = false;
	r->passed++;
	r->last_tokens += pays ? 0 : tokens;
	if (r->stream.dropped_total != dropped) {
		port_heir(c->port)->totals.log_dropped += r->stream.dropped_total - dropped;
		m->relays_dropped = true;
	}
	return RELAY_MORE;
}

/* LOG_TRY: the child has ended, and its pipe holds all that will come. Its last records are
 * important, so some of them pass at any rate. */
static enum relay_state relay_run(struct child *c, unsigned most, enum log_patience patience)
{
	struct relay *r = &c->relay;
	size_t taken = 0;
	unsigned done = 0;
	bool ended = false;
	for (;;) {
		const size_t size = log_stream_next(&r->stream, ended);
		if (size > 0) {
			const enum relay_state s =
			    done++ < most ? relay_pass(c, size, patience) : RELAY_MORE;
			if (s != RELAY_MORE || done > most)
				return s;
			continue;
		}
		if (ended)
			return RELAY_ENDED;
		/* Enough for one call. Of a child that has ended everything is read, unless another
		 * process has the write end and could keep the master here. */
		if (taken >= 2 * r->pipe_bytes && patience != LOG_TRY)
			return RELAY_MORE;
		const ssize_t n = taken < 2 * r->pipe_bytes ? relay_read(r) : 0;
		if (n == -EAGAIN && patience != LOG_TRY)
			return RELAY_EMPTY;
		taken += n > 0 ? (size_t)n : 0;
		ended = n <= 0;
	}
}

/* --- reading ---------------------------------------------------------------------------------- */

static void relay_rest(struct child *c)
{
	struct master *m = c->port->master;
	loop_remove(&m->loop, &c->relay.io);
	c->relay.resting = true;
	TAILQ_INSERT_TAIL(&m->relays, &c->relay, link);
	if (!loop_timer_is_set(&m->relay_timer))
		loop_timer_set(&m->loop, &m->relay_timer, m->loop.now_ms + RELAY_PAUSE_MS);
}

static void relay_rest_no_more(struct child *c)
{
	if (c->relay.resting)
		TAILQ_REMOVE(&c->port->master->relays, &c->relay, link);
	c->relay.resting = false;
}

/* A pipe that is written to all the time is read every few milliseconds: one or two system calls
 * for many records, instead of waking the master for each. While others wait for room in a sink,
 * every child waits for its turn. */
static void relay_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	struct child *c = (struct child *)((char *)io - offsetof(struct child, relay.io));
	const bool busy = loop->now_ms - c->relay.seen_ms < RELAY_PAUSE_MS;
	(void)events;
	c->relay.seen_ms = loop->now_ms;
	if (c->port->master->relays_wait) {
		relay_rest(c);
		return;
	}
	switch (relay_run(c, RELAY_LOOK_RECORDS, LOG_WAIT)) {
	case RELAY_EMPTY:
		if (busy)
			relay_rest(c);
		break;
	case RELAY_MORE:
	case RELAY_POOR:
	case RELAY_FULL:
		relay_rest(c);
		break;
	case RELAY_ENDED:
		loop_remove_and_close(loop, &c->relay.io);
		break;
	}
}

/* No bytes have come since the last read. */
static void relay_wake(struct child *c)
{
	relay_rest_no_more(c);
	if (loop_add(&c->port->master->loop, &c->relay.io, EPOLLIN) < 0)
		relay_rest(c);
}

/* The turn of the first child. False: a sink has no room for its record. done gets the children
 * that had their turn, and the rest of the list after them. */
static bool relay_turn(struct relay *r, struct relay_list *done)
{
	struct child *c = (struct child *)((char *)r - offsetof(struct child, relay));
	struct master *m = c->port->master;
	const uint64_t passed = r->passed;
	const enum relay_state state = relay_run(c, RELAY_TURN_RECORDS, LOG_WAIT);
	const bool goes_on = state == RELAY_POOR || (state == RELAY_EMPTY && r->passed != passed);
	if (goes_on || state == RELAY_MORE) {
		TAILQ_REMOVE(&m->relays, r, link);
		if (goes_on)
			TAILQ_INSERT_TAIL(done, r, link);
		else
			TAILQ_INSERT_TAIL(&m->relays, r, link);
	} else if (state == RELAY_EMPTY) {
		relay_wake(c);
	} else if (state == RELAY_ENDED) {
		relay_rest_no_more(c);
		loop_remove_and_close(&m->loop, &r->io);
	}
	return state != RELAY_FULL;
}

/* Records must not be lost for sinks with room because another sink is full. */
static void relays_relieve(const struct relay_list *list)
{
	struct relay *r;
	TAILQ_FOREACH(r, list, link)
		if (!relay_can_wait(r))
			(void)relay_run((struct child *)((char *)r - offsetof(struct child, relay)),
					RELAY_LOOK_RECORDS, LOG_SKIP);
}

/* The children take turns with some records each. If a sink is full, the child that could not go on
 * is the first next time. */
void relay_timer_expired(struct loop *loop, struct loop_timer *timer)
{
	struct master *m = (struct master *)((char *)timer - offsetof(struct master, relay_timer));
	struct relay_list done = TAILQ_HEAD_INITIALIZER(done);
	const uint64_t kept_ms = sinks_flush(m);
	unsigned turns = RELAY_LOOK_RECORDS;
	m->relays_wait = false;
	while (!TAILQ_EMPTY(&m->relays) && turns-- > 0 && !m->relays_wait)
		m->relays_wait = !relay_turn(TAILQ_FIRST(&m->relays), &done);
	TAILQ_CONCAT(&m->relays, &done, link);
	if (m->relays_wait)
		relays_relieve(&m->relays);
	if (!TAILQ_EMPTY(&m->relays))
		loop_timer_set(loop, timer, loop->now_ms + RELAY_PAUSE_MS);
	else if (kept_ms > 0)
		loop_timer_set(loop, timer, loop->now_ms + kept_ms);
}

/* --- the end of a child ----------------------------------------------------------------------- */

void relay_finish(struct child *c)
{
	if (c->relay.io.fd >= 0)
		(void)relay_run(c, UINT_MAX, LOG_TRY);
}

void relay_close(struct child *c)
{
	struct master *m = c->port->master;
	struct relay *r = &c->relay;
	relay_rest_no_more(c);
	loop_remove_and_close(&m->loop, &r->io);
	r->paid = false;
	log_stream_end(&m->log, &r->stream);
}

/* Reports lost records of children; true: some cannot be reported yet. */
static bool relays_tell(struct master *m)
{
	bool left = false;
	for (size_t i = 0; i < m->ports_count; i++)
		for (unsigned k = 0; k < m->ports[i]->children_count; k++) {
			struct child *c = &m->ports[i]->children[k];
			if (c->state == CHILD_NONE || !log_stream_outstanding(&c->relay.stream))
				continue;
			log_stream_tell(&m->log, &c->relay.stream);
			left = left || log_stream_outstanding(&c->relay.stream);
		}
	return left;
}

void relay_tick_expired(struct loop *loop, struct loop_timer *timer)
{
	struct master *m = (struct master *)((char *)timer - offsetof(struct master, log_tick));
	(void)loop;
	(void)timer;
	(void)sinks_flush(m);
	log_tick(&m->log);
	m->relays_dropped = m->relays_dropped && relays_tell(m);
	sinks_watch(m);
}
