/* bulkheadctl: the client's side of src/master/control/client.c. Must never hold more than one
 * bounded answer, nor assume that the bytes are a valid answer. */
#include "ctl/connection.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

#define ANSWER_MAX ((size_t)32 << 20)
#define READ_BYTES 65536

static enum ctl_status connect_failed(const char *path, int error, struct err *err)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
		err_set(err, "no server answers: there is no %s", path);
		return CTL_NO_SERVER;
	case ECONNREFUSED:
		err_set(err, "no server answers on %s: it was left by one that has ended", path);
		return CTL_NO_SERVER;
	case EAGAIN:
		err_set(err, "the server does not answer on %s", path);
		return CTL_NO_SERVER;
	case EACCES:
	case EPERM:
		err_set(err, "not permitted: %s belongs to another user", path);
		return CTL_NOT_PERMITTED;
	default:
		err_set(err, "cannot connect to %s: %s", path, strerror(error));
		return CTL_NO_SERVER;
	}
}

/* Returns 0, or an errno. If the server's queue is full, the kernel waits. */
static int connect_within(int fd, const struct sockaddr_un *a, int patience_ms)
{
	const struct timeval patience = {.tv_sec = patience_ms / 1000,
					 .tv_usec = patience_ms % 1000 * 1000L};
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	return connect(fd, (const struct sockaddr *)a, sizeof(*a)) == 0 ? 0 : errno;
}

enum ctl_status connection_open(struct connection *c, const char *path, int patience_ms,
				struct err *err)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	*c = (struct connection){.fd = -1, .path = path, .in = BUF_INIT(ANSWER_MAX)};
	if (strlen(path) >= sizeof(a.sun_path)) {
		err_set(err, "the path of the socket is too long: %s", path);
		return CTL_USAGE;
	}
	memcpy(a.sun_path, path, strlen(path) + 1);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0) {
		err_set(err, "cannot make a socket: %s", strerror(errno));
		return CTL_FAILED;
	}
	const int error = connect_within(c->fd, &a, patience_ms);
	if (error == 0)
		return CTL_DONE;
	enum ctl_status status = connect_failed(path, error, err);
	connection_close(c);
	return status;
}

void connection_close(struct connection *c)
{
	fd_close(&c->fd);
	buf_release(&c->in);
}

/* The server closes connections of users that it does not serve. */
static enum ctl_status ended(struct connection *c, struct err *err)
{
	struct stat st;
	c->was_ended = true;
	if (geteuid() != 0 && stat(c->path, &st) == 0 && st.st_uid != geteuid()) {
		err_set(err, "not permitted: the server on %s is another user's", c->path);
		return CTL_NOT_PERMITTED;
	}
	err_set(err, "the server has ended the connection without an answer");
	return CTL_NO_SERVER;
}

enum ctl_status connection_send(struct connection *c, const char *request, struct err *err)
{
	char line[CONTROL_REQUEST_MAX];
	int n = snprintf(line, sizeof(line), "%s %s\n", CONTROL_PROTOCOL, request);
	if (n < 0 || (size_t)n >= sizeof(line)) {
		err_set(err, "the request is too long");
		return CTL_USAGE;
	}
	if (send(c->fd, line, (size_t)n, MSG_NOSIGNAL) == n)
		return CTL_DONE;
	return ended(c, err);
}

static enum ctl_status answer_read(struct connection *c, size_t len, json_t **ret, struct err *err)
{
	json_t *answer = json_loadb((const char *)buf_head(&c->in), len, 0, NULL);
	buf_consume(&c->in, len + 1);
	if (json_is_object(answer) && answer_int(answer, "bulkhead") == 1) {
		*ret = answer;
		return CTL_DONE;
	}
	json_decref(answer);
	err_set(err, "the program that answers on %s does not speak %s", c->path, CONTROL_PROTOCOL);
	return CTL_NO_SERVER;
}

enum ctl_status connection_receive(struct connection *c, json_t **ret, struct err *err)
{
	*ret = NULL;
	uint8_t *to = buf_reserve(&c->in, READ_BYTES);
	if (to == NULL) {
		err_set(err, "the answer is too long");
		return CTL_NO_SERVER;
	}
	ssize_t n = recv(c->fd, to, READ_BYTES, 0);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return CTL_DONE;
	if (n <= 0)
		return ended(c, err);
	buf_advance(&c->in, (size_t)n);
	const uint8_t *end = memchr(to, '\n', (size_t)n);
	if (end == NULL)
		return CTL_DONE;
	return answer_read(c, (size_t)(end - buf_head(&c->in)), ret, err);
}

enum ctl_status connection_ask(struct connection *c, const char *request, int patience_ms,
			       json_t **ret, struct err *err)
{
	const uint64_t until_ms = clock_ms() + (uint64_t)(patience_ms > 0 ? patience_ms : 0);
	enum ctl_status status = connection_send(c, request, err);
	*ret = NULL;
	while (status == CTL_DONE && *ret == NULL) {
		struct pollfd ready = {.fd = c->fd, .events = POLLIN};
		const uint64_t now_ms = clock_ms();
		int wait = patience_ms < 0 ? -1 : until_ms > now_ms ? (int)(until_ms - now_ms) : 0;
		int n = poll(&ready, 1, wait);
		if (n < 0 && errno != EINTR) {
			err_set(err, "poll: %s", strerror(errno));
			return CTL_FAILED;
		}
		if (n == 0) {
			err_set(err, "the server does not answer");
			return CTL_NO_SERVER;
		}
		if (n > 0)
			status = connection_receive(c, ret, err);
	}
	return status == CTL_DONE ? answer_judge(*ret, err) : status;
}

static int left_until(uint64_t until_ms, int least_ms)
{
	const uint64_t now_ms = clock_ms();
	return until_ms > now_ms + (unsigned)least_ms ? (int)(until_ms - now_ms) : least_ms;
}

enum ctl_status ctl_ask(const struct ctl_arguments *a, const char *request, int patience_ms,
			json_t **ret, struct err *err)
{
	const uint64_t until_ms = clock_ms() + (uint64_t)patience_ms;
	struct connection c = {.was_ended = true};
	enum ctl_status status = CTL_NO_SERVER;
	*ret = NULL;
	for (int attempt = 0; attempt < 2 && c.was_ended; attempt++) {
		status = connection_open(&c, a->socket, left_until(until_ms, 1), err);
		if (status != CTL_DONE)
			break;
		status = connection_ask(&c, request, left_until(until_ms, 0), ret, err);
		connection_close(&c);
	}
	return status;
}

enum ctl_status answer_judge(const json_t *answer, struct err *err)
{
	if (json_is_true(json_object_get(answer, "ok")))
		return CTL_DONE;
	const char *sentence = answer_text(answer, "error");
	err_set(err, "%s", sentence[0] != '\0' ? sentence : "the server says no, and not why");
	return CTL_FAILED;
}

const char *answer_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text != NULL ? text : "";
}

int64_t answer_int(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

uint64_t answer_natural(const json_t *object, const char *name)
{
	const int64_t value = answer_int(object, name);
	return value > 0 ? (uint64_t)value : 0;
}

double answer_number(const json_t *object, const char *name)
{
	return json_number_value(json_object_get(object, name));
}
