/* Runs in the master: the output of one client of the control socket. Must never wait for it. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "master/control/control.h"

struct loop *client_loop(const struct client *c)
{
	return &c->control->master->loop;
}

void client_hear(struct client *c)
{
	c->heard = ++c->control->heard;
}

void client_end(struct client *c)
{
	if (c->state == CLIENT_WAITING)
		asker_forget(c->control->master, &c->asker);
	loop_timer_cancel(client_loop(c), &c->deadline);
	loop_remove_and_close(client_loop(c), &c->io);
	buf_release(&c->out);
	c->state = CLIENT_READING;
}

static void interest(struct client *c, uint32_t events)
{
	if (loop_modify(client_loop(c), &c->io, events) < 0)
		client_end(c);
}

static void read_on(struct client *c)
{
	client_hear(c);
	c->line_len = 0;
	buf_release(&c->out);
	if (c->is_last) {
		client_end(c);
		return;
	}
	c->state = c->holds ? CLIENT_HOLDING : CLIENT_READING;
	if (c->holds)
		loop_timer_cancel(client_loop(c), &c->deadline);
	else
		loop_timer_set(client_loop(c), &c->deadline,
			       client_loop(c)->now_ms + CONTROL_IDLE_MS);
	interest(c, c->holds ? 0 : EPOLLIN);
}

void client_flush(struct client *c)
{
	ssize_t n =
	    send(c->io.fd, buf_head(&c->out), buf_len(&c->out), MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
		client_end(c);
		return;
	}
	if (n > 0) {
		client_hear(c);
		buf_consume(&c->out, (size_t)n);
	}
	if (buf_len(&c->out) == 0)
		read_on(c);
	else
		interest(c, EPOLLOUT);
}

/* The bytes that all other clients' answers hold, and the client that has read nothing for the
 * longest time. */
static size_t held_by_others(const struct client *c, struct client **ret_laziest)
{
	size_t held = 0;
	*ret_laziest = NULL;
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		struct client *other = &c->control->clients[i];
		if (other == c || other->out.allocated == 0)
			continue;
		held += other->out.allocated;
		if (*ret_laziest == NULL || other->heard < (*ret_laziest)->heard)
			*ret_laziest = other;
	}
	return held;
}

/* A client that does not read its answer must not prevent answers to others: frees its memory. */
static void room_make(const struct client *c)
{
	struct client *laziest;
	while (held_by_others(c, &laziest) + CONTROL_ANSWER_MAX > CONTROL_ANSWERS_MAX &&
	       laziest != NULL)
		client_end(laziest);
}

void client_answer(struct client *c, struct jsonout *j, const char *error)
{
	buf_release(&c->out);
	room_make(c);
	c->out = (struct buf)BUF_INIT(CONTROL_ANSWER_MAX);
	*j = (struct jsonout){.out = &c->out};
	jsonout_open(j, NULL, '{');
	jsonout_uint(j, "bulkhead", 1);
	jsonout_bool(j, "ok", error == NULL);
	if (error != NULL)
		jsonout_text(j, "error", error);
}

void client_answered(struct client *c, struct jsonout *j)
{
	static const char too_much[] = "{\"bulkhead\":1,\"ok\":false,\"error\":\"the answer would "
				       "be too long; ask for one port\"}\n";
	jsonout_close(j, '}');
	jsonout_add(j, "\n");
	if (j->failed) {
		buf_release(&c->out);
		c->out = (struct buf)BUF_INIT(sizeof(too_much));
		if (buf_append(&c->out, too_much, sizeof(too_much) - 1) < 0) {
			client_end(c);
			return;
		}
	}
	c->state = CLIENT_WRITING;
	loop_timer_set(client_loop(c), &c->deadline, client_loop(c)->now_ms + CONTROL_REQUEST_MS);
	client_flush(c);
}

void client_tell(struct client *c, const char *error)
{
	struct jsonout j;
	client_answer(c, &j, error);
	client_answered(c, &j);
}
