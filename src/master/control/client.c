/*
 * Runs in the master: the input of one client of the control socket, and its place. Must never wait
 * for it, hold more of its input than one line, or serve it twice in one turn.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "master/control/control.h"

static void client_refuse(struct client *c, const char *why)
{
	c->is_last = true;
	client_tell(c, why);
}

static void line_judge(struct client *c)
{
	struct control_request request;
	struct err err;
	if (control_parse(c->line, c->line_len - 1, &request, &err) < 0)
		client_refuse(c, err.text);
	else
		command_run(c, &request);
}

/* Limits the requests per turn, so that many clients cannot hold up the master: the rest waits for
 * the next turn. */
static bool turn_is_full(struct control *c)
{
	if (c->turn_ns != c->master->loop.now_ns) {
		c->turn_ns = c->master->loop.now_ns;
		c->turn_requests = 0;
	}
	return c->turn_requests++ >= CONTROL_REQUESTS_TURN;
}

/* Takes bytes up to the end of the line and no further. Bytes after it stay in the socket and make
 * it ready again once this request is answered. */
static void client_take(struct client *c)
{
	char *to = c->line + c->line_len;
	ssize_t n = recv(c->io.fd, to, sizeof(c->line) - c->line_len, MSG_PEEK | MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	if (n <= 0) {
		client_end(c);
		return;
	}
	const char *end = memchr(to, '\n', (size_t)n);
	if (end != NULL)
		n = end - to + 1;
	if (recv(c->io.fd, to, (size_t)n, MSG_DONTWAIT) != n) {
		client_end(c);
		return;
	}
	client_hear(c);
	if (c->line_len == 0)
		loop_timer_set(client_loop(c), &c->deadline,
			       client_loop(c)->now_ms + CONTROL_REQUEST_MS);
	c->line_len += (size_t)n;
	if (end != NULL)
		line_judge(c);
	else if (c->line_len == sizeof(c->line))
		client_refuse(c, "a request has at most 512 bytes");
}

static void client_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	struct client *c = (struct client *)io;
	(void)loop;
	switch (c->state) {
	case CLIENT_READING:
		if (!turn_is_full(c->control))
			client_take(c);
		break;
	case CLIENT_WRITING:
		if ((events & (EPOLLERR | EPOLLHUP)) != 0)
			client_end(c);
		else
			client_flush(c);
		break;
	case CLIENT_WAITING:
	case CLIENT_HOLDING: /* only the end of the connection matters */
		if ((events & (EPOLLERR | EPOLLHUP)) != 0)
			client_end(c);
		break;
	}
}

/* --- places ----------------------------------------------------------------------------------- */

static void deadline_expired(struct loop *loop, struct loop_timer *timer)
{
	struct client *c = (struct client *)((char *)timer - offsetof(struct client, deadline));
	(void)loop;
	if (c->state == CLIENT_READING && c->line_len > 0)
		client_refuse(c, "the request was not complete in time");
	else
		client_end(c);
}

/* A free place, or that of the client that has been silent the longest; never of one that waits for
 * the master. */
static struct client *place_find(struct control *control)
{
	struct client *found = NULL;
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		struct client *c = &control->clients[i];
		if (c->io.fd < 0)
			return c;
		if (c->state != CLIENT_WAITING && c->state != CLIENT_HOLDING &&
		    (found == NULL || c->heard < found->heard))
			found = c;
	}
	if (found != NULL)
		client_end(found);
	return found;
}

int client_begin(struct control *control, int fd, uid_t uid)
{
	struct client *c = place_find(control);
	if (c == NULL) {
		fd_close(&fd);
		return -EBUSY;
	}
	const struct loop_timer timer = c->deadline;
	*c = (struct client){.io = {.fd = fd, .ready = client_ready},
			     .deadline = timer,
			     .control = control,
			     .state = CLIENT_READING,
			     .uid = uid};
	client_hear(c);
	c->deadline.expired = deadline_expired;
	int error = loop_add(client_loop(c), &c->io, EPOLLIN);
	if (error < 0) {
		client_end(c);
		return error;
	}
	loop_timer_set(client_loop(c), &c->deadline, client_loop(c)->now_ms + CONTROL_IDLE_MS);
	return 0;
}
