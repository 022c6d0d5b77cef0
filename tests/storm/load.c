/*
 * Load from several clients on several ports at once, each client a thread that has one connection
 * at a time. It ends when standard input does, or after so many seconds, and prints one JSON
 * object.
 *
 *   load SECONDS PORT:CLIENTS[:keepalive=N][:rate=N][:path=/…] …
 *
 * A client makes a connection for every request; the first N with keepalive keep one for as
 * long as it lasts. rate is requests a second on that port, over all its clients; without it
 * they send the next request after each answer. The report names for every failure its kind, its
 * stage, the client's port number, and the times (CLOCK_MONOTONIC, seconds) of the connection's
 * start, the request's start and the failure, so that it can be matched with a disturbance of
 * the server. For kept connections it counts those that the server ended between two requests,
 * and those that it ended after announcing it; for all connections it gives the longest time to
 * open one, handshake included.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PORTS_MAX    16
#define CLIENTS_MAX  256
#define FAILURES_MAX 5000 /* of a client; more are counted only */
#define TIMEOUT_S    30   /* for one step of a request; a longer wait counts as a hang */
#define PAUSE_MS     5    /* after a failure, so that a refused port does not fill the memory */

enum failure {
	FAILED_REFUSED,
	FAILED_CONNECT_TIMEOUT,
	FAILED_CONNECT,
	FAILED_RESET,
	FAILED_CLOSED,
	FAILED_TIMEOUT,
	FAILED_TLS,
	FAILED_STATUS,
	FAILED_MALFORMED,
	FAILURES,
	FAILED_NOT = FAILURES,
};
static const char *const failure_names[FAILURES] = {
    "refused", "connect-timeout", "connect",   "reset", "closed", "timeout",
    "tls",     "status",          "malformed",
};

enum stage {
	STAGE_CONNECT,
	STAGE_HANDSHAKE,
	STAGE_REQUEST,
	STAGE_RESPONSE,
};
static const char *const stage_names[] = {"connect", "handshake", "request", "response"};

struct target {
	unsigned port, clients, keepalive;
	bool plain; /* without TLS */
	double rate;
	char request[512];
};

struct failure_record {
	enum failure kind;
	enum stage stage;
	uint16_t local_port;
	int detail; /* a status, or GnuTLS's code */
	double connected, begun, ended;
};

struct client {
	const struct target *target;
	unsigned index; /* among those of its target */
	pthread_t thread;
	int fd;                   /* -1: no connection */
	gnutls_session_t session; /* NULL: none, or a plain port */
	uint16_t local_port;
	double connected, begun;
	enum stage stage;
	int error, detail; /* the last errno of the socket, for the report of a failure */
	bool ended;        /* the server has closed its direction */
	bool last;         /* the server has said that it closes after this response */
	unsigned long requests, failed[FAILURES];
	unsigned long connections, ended_idle,
	    announced; /* of those that were kept: how they ended */
	double connect_max_ms;
	struct failure_record *failures;
	size_t failures_count;
	double *times_ms;
	size_t times_count, times_size;
};

static struct target targets[PORTS_MAX];
static struct client clients[CLIENTS_MAX];
static unsigned targets_count, clients_count;
static gnutls_certificate_credentials_t credentials;
static gnutls_priority_t priority;
static atomic_bool stopping;

static void __attribute__((noreturn)) die(const char *what)
{
	(void)fprintf(stderr, "load: %s\n", what);
	exit(2);
}

static double now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void nap(double seconds)
{
	const struct timespec ts = {.tv_sec = (time_t)seconds,
				    .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
	(void)nanosleep(&ts, NULL);
}

/* --- bytes: GnuTLS hides the socket's error, and the report needs it --- */

static ssize_t pull(gnutls_transport_ptr_t arg, void *data, size_t size)
{
	struct client *c = arg;
	ssize_t n = recv(c->fd, data, size, 0);
	if (n < 0) {
		c->error = errno;
		if (c->session != NULL)
			gnutls_transport_set_errno(c->session, errno);
	}
	c->ended = c->ended || n == 0;
	return n;
}

static ssize_t push(gnutls_transport_ptr_t arg, const void *data, size_t size)
{
	struct client *c = arg;
	ssize_t n = send(c->fd, data, size, MSG_NOSIGNAL);
	if (n < 0) {
		c->error = errno;
		if (c->session != NULL)
			gnutls_transport_set_errno(c->session, errno);
	}
	return n;
}

static ssize_t client_recv(struct client *c, void *data, size_t size)
{
	return c->target->plain ? pull(c, data, size) : gnutls_record_recv(c->session, data, size);
}

static ssize_t client_send(struct client *c, const void *data, size_t size)
{
	return c->target->plain ? push(c, data, size) : gnutls_record_send(c->session, data, size);
}

static enum failure failure_of(const struct client *c, int result)
{
	if (c->error == EAGAIN)
		return FAILED_TIMEOUT;
	if (c->error == ECONNRESET || c->error == EPIPE)
		return FAILED_RESET;
	if (c->ended || result == 0 || result == GNUTLS_E_PREMATURE_TERMINATION)
		return FAILED_CLOSED;
	return FAILED_TLS;
}

/* --- one request --- */

static enum failure client_connect(struct client *c)
{
	const struct sockaddr_in to = {.sin_family = AF_INET,
				       .sin_port = htons((uint16_t)c->target->port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const struct timeval timeout = {.tv_sec = TIMEOUT_S};
	struct sockaddr_in own = {0};
	socklen_t len = sizeof(own);
	const int on = 1;
	c->stage = STAGE_CONNECT;
	c->error = 0;
	c->ended = c->last = false;
	c->connected = now();
	c->local_port = 0;
	c->session = NULL;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		die("no descriptors left");
	(void)setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	(void)setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(c->fd, (const struct sockaddr *)&to, sizeof(to)) < 0) {
		c->detail = errno;
		return errno == ECONNREFUSED                        ? FAILED_REFUSED
		       : errno == EINPROGRESS || errno == ETIMEDOUT ? FAILED_CONNECT_TIMEOUT
		       : errno == ECONNRESET                        ? FAILED_RESET
								    : FAILED_CONNECT;
	}
	(void)getsockname(c->fd, (struct sockaddr *)&own, &len);
	c->local_port = ntohs(own.sin_port);

	if (c->target->plain)
		return FAILED_NOT;
	c->stage = STAGE_HANDSHAKE;
	if (gnutls_init(&c->session, GNUTLS_CLIENT) < 0)
		die("out of memory");
	gnutls_priority_set(c->session, priority);
	gnutls_credentials_set(c->session, GNUTLS_CRD_CERTIFICATE, credentials);
	gnutls_transport_set_ptr(c->session, c);
	gnutls_transport_set_pull_function(c->session, pull);
	gnutls_transport_set_push_function(c->session, push);
	gnutls_handshake_set_timeout(c->session, GNUTLS_INDEFINITE_TIMEOUT);
	int result;
	do
		result = gnutls_handshake(c->session);
	while (result < 0 && !gnutls_error_is_fatal(result) && c->error != EAGAIN);
	c->detail = result;
	return result < 0 ? failure_of(c, result) : FAILED_NOT;
}

/* The length of the whole response, 0 while its head is not complete, -1 if it cannot be one. */
static long response_len(const char *data)
{
	static const char field[] = "\r\nContent-Length: ";
	const char *end = strstr(data, "\r\n\r\n");
	const char *length = strstr(data, field);
	if (strncmp(data, "HTTP/1.1 ", strnlen(data, 9)) != 0)
		return -1;
	if (end == NULL)
		return 0;
	if (length == NULL || length > end)
		return -1;
	return end + 4 - data + strtol(length + sizeof(field) - 1, NULL, 10);
}

static enum failure client_read(struct client *c)
{
	char data[16384];
	size_t len = 0;
	c->stage = STAGE_RESPONSE;
	for (;;) {
		ssize_t n = client_recv(c, data + len, sizeof(data) - 1 - len);
		if (!c->target->plain && (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED) &&
		    c->error != EAGAIN)
			continue;
		c->detail = (int)n;
		if (n <= 0)
			return failure_of(c, (int)n);
		len += (size_t)n;
		data[len] = '\0';
		long whole = response_len(data);
		if (whole < 0 || (whole > 0 && len > (size_t)whole) || len == sizeof(data) - 1)
			return FAILED_MALFORMED;
		if (whole == 0 || len < (size_t)whole)
			continue;
		c->detail = atoi(data + 9);
		c->last = strstr(data, "\r\nConnection: close\r\n") != NULL;
		return c->detail >= 200 && c->detail < 300 ? FAILED_NOT : FAILED_STATUS;
	}
}

static void client_close(struct client *c, bool orderly)
{
	if (c->session != NULL) {
		if (orderly)
			(void)gnutls_bye(c->session, GNUTLS_SHUT_WR);
		gnutls_deinit(c->session);
	}
	c->session = NULL;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

/* The server may end a connection between two requests: the client notices before it sends.
 * Session tickets came before the first response, so a readable socket means the end. */
static bool client_is_left(struct client *c)
{
	struct pollfd in = {.fd = c->fd, .events = POLLIN};
	char byte;
	if (c->fd < 0 || poll(&in, 1, 0) <= 0)
		return false;
	return client_recv(c, &byte, 1) <= 0;
}

static enum failure client_ask(struct client *c)
{
	enum failure failure = FAILED_NOT;
	if (client_is_left(c)) {
		c->ended_idle++;
		client_close(c, false);
	}
	if (c->fd < 0) {
		const double begun = now();
		failure = client_connect(c);
		const double ms = (now() - begun) * 1000;
		c->connections++;
		if (failure == FAILED_NOT && ms > c->connect_max_ms)
			c->connect_max_ms = ms;
	}
	if (failure != FAILED_NOT)
		return failure;
	c->stage = STAGE_REQUEST;
	ssize_t n = client_send(c, c->target->request, strlen(c->target->request));
	c->detail = (int)n;
	return n < 0 ? failure_of(c, (int)n) : client_read(c);
}

static void client_note(struct client *c, enum failure failure)
{
	double ended = now();
	c->requests++;
	if (failure != FAILED_NOT) {
		c->failed[failure]++;
		if (c->failures_count < FAILURES_MAX)
			c->failures[c->failures_count++] =
			    (struct failure_record){.kind = failure,
						    .stage = c->stage,
						    .local_port = c->local_port,
						    .detail = c->detail,
						    .connected = c->connected,
						    .begun = c->begun,
						    .ended = ended};
		return;
	}
	if (c->times_count == c->times_size) {
		c->times_size = c->times_size == 0 ? 1024 : 2 * c->times_size;
		c->times_ms = reallocarray(c->times_ms, c->times_size, sizeof(*c->times_ms));
		if (c->times_ms == NULL)
			die("out of memory");
	}
	c->times_ms[c->times_count++] = (ended - c->begun) * 1000;
}

/* Requests that could not be sent in time are not made up for. */
static void client_pace(const struct client *c, double *next)
{
	if (c->target->rate <= 0)
		return;
	double each = c->target->clients / c->target->rate, left;
	while ((left = *next - now()) > 0 && !atomic_load(&stopping))
		nap(left < 0.05 ? left : 0.05);
	*next += each;
	if (*next < now())
		*next = now();
}

static void *client_run(void *arg)
{
	struct client *c = arg;
	double next = now();
	if (c->target->rate > 0) /* one after the other, not all at once */
		next += c->index / c->target->rate;
	client_pace(c, &next);
	while (!atomic_load(&stopping)) {
		c->begun = now();
		enum failure failure = client_ask(c);
		client_note(c, failure);
		c->announced += c->index < c->target->keepalive && c->last;
		if (failure != FAILED_NOT || c->index >= c->target->keepalive || c->last)
			client_close(c, failure == FAILED_NOT);
		if (failure != FAILED_NOT)
			nap(PAUSE_MS / 1e3);
		client_pace(c, &next);
	}
	client_close(c, true);
	return NULL;
}

/* --- telling --- */

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void tell_times(const struct target *t)
{
	size_t count = 0, n = 0;
	for (unsigned i = 0; i < clients_count; i++)
		if (clients[i].target == t)
			count += clients[i].times_count;
	double *all = calloc(count + 1, sizeof(*all));
	if (all == NULL)
		die("out of memory");
	for (unsigned i = 0; i < clients_count; i++)
		for (size_t k = 0; clients[i].target == t && k < clients[i].times_count; k++)
			all[n++] = clients[i].times_ms[k];
	if (n > 0)
		qsort(all, n, sizeof(*all), compare);
	printf("\"served\": %zu, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f, ", n,
	       all[n / 2], all[n * 99 / 100], n > 0 ? all[n - 1] : 0.0);
	free(all);
}

static void tell_failures(const struct target *t)
{
	const char *between = "";
	printf("\"failures\": [");
	for (unsigned i = 0; i < clients_count; i++)
		for (size_t k = 0; clients[i].target == t && k < clients[i].failures_count; k++) {
			const struct failure_record *f = &clients[i].failures[k];
			printf("%s{\"kind\": \"%s\", \"stage\": \"%s\", \"local_port\": %u, "
			       "\"detail\": %d, \"connected\": %.6f, \"begun\": %.6f, "
			       "\"ended\": %.6f}",
			       between, failure_names[f->kind], stage_names[f->stage],
			       f->local_port, f->detail, f->connected, f->begun, f->ended);
			between = ", ";
		}
	printf("]");
}

static void tell(const struct target *t)
{
	unsigned long requests = 0, failed[FAILURES] = {0}, connections = 0, idle = 0,
		      announced = 0;
	double connect_max_ms = 0;
	for (unsigned i = 0; i < clients_count; i++) {
		if (clients[i].target != t)
			continue;
		requests += clients[i].requests;
		connections += clients[i].connections;
		idle += clients[i].ended_idle;
		announced += clients[i].announced;
		if (clients[i].connect_max_ms > connect_max_ms)
			connect_max_ms = clients[i].connect_max_ms;
		for (int f = 0; f < FAILURES; f++)
			failed[f] += clients[i].failed[f];
	}
	printf("\"%u\": {\"requests\": %lu, \"clients\": %u, \"failed\": {", t->port, requests,
	       t->clients);
	for (int f = 0; f < FAILURES; f++)
		printf("%s\"%s\": %lu", f > 0 ? ", " : "", failure_names[f], failed[f]);
	printf("}, \"connections\": %lu, \"ended_idle\": %lu, \"announced\": %lu, "
	       "\"connect_max_ms\": %.3f, ",
	       connections, idle, announced, connect_max_ms);
	tell_times(t);
	tell_failures(t);
	printf("}");
}

/* --- what is asked for --- */

static void target_parse(char *text)
{
	struct target *t = &targets[targets_count++];
	const char *path = "/";
	char *rest = NULL, *word = strtok_r(text, ":", &rest);
	t->port = word != NULL ? (unsigned)atoi(word) : 0;
	word = strtok_r(NULL, ":", &rest);
	t->clients = word != NULL ? (unsigned)atoi(word) : 0;
	while ((word = strtok_r(NULL, ":", &rest)) != NULL) {
		if (strncmp(word, "keepalive=", 10) == 0)
			t->keepalive = (unsigned)atoi(word + 10);
		else if (strncmp(word, "rate=", 5) == 0)
			t->rate = atof(word + 5);
		else if (strncmp(word, "path=", 5) == 0)
			path = word + 5;
		else if (strcmp(word, "plain") == 0)
			t->plain = true;
		else
			die("an unknown option of a port");
	}
	if (t->port == 0 || t->clients == 0 || clients_count + t->clients > CLIENTS_MAX)
		die("not PORT:CLIENTS, or too many clients");
	(void)snprintf(t->request, sizeof(t->request), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n",
		       path);
	for (unsigned i = 0; i < t->clients; i++) {
		struct client *c = &clients[clients_count++];
		*c = (struct client){.target = t, .index = i, .fd = -1};
		c->failures = calloc(FAILURES_MAX, sizeof(*c->failures));
		if (c->failures == NULL)
			die("out of memory");
	}
}

static void wait_for_end(double seconds)
{
	double end = now() + seconds;
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	for (double left = seconds; left > 0; left = end - now()) {
		char byte;
		int n = poll(&in, 1, (int)(left * 1000) + 1);
		if (n > 0 && read(STDIN_FILENO, &byte, 1) <= 0)
			return;
	}
}

int main(int argc, char **argv)
{
	if (argc < 3 || argc - 2 > PORTS_MAX)
		die("usage: load SECONDS PORT:CLIENTS[:keepalive=N][:rate=N][:path=/...][:plain] "
		    "...");
	gnutls_certificate_allocate_credentials(&credentials);
	gnutls_priority_init(&priority, "NORMAL", NULL);
	for (int i = 2; i < argc; i++)
		target_parse(argv[i]);
	for (unsigned i = 0; i < clients_count; i++)
		if (pthread_create(&clients[i].thread, NULL, client_run, &clients[i]) != 0)
			die("no threads left");
	wait_for_end(atof(argv[1]));
	atomic_store(&stopping, true);
	for (unsigned i = 0; i < clients_count; i++)
		pthread_join(clients[i].thread, NULL);
	printf("{");
	for (unsigned i = 0; i < targets_count; i++) {
		fputs(i > 0 ? ", " : "", stdout);
		tell(&targets[i]);
	}
	printf("}\n");
	for (unsigned i = 0; i < clients_count; i++) {
		free(clients[i].failures);
		free(clients[i].times_ms);
	}
	gnutls_priority_deinit(priority);
	gnutls_certificate_free_credentials(credentials);
	return 0;
}
