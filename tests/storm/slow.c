/*
 * Clients that are slow on purpose, thousands at once, and how each of them ends.
 *
 *   slow SECONDS PORT KIND=COUNT …
 *
 *   hello   half a ClientHello, and nothing more
 *   idle    a handshake, and nothing more
 *   head    half a head, to which a byte is added every second
 *   body    a head that announces a body, and half of that
 *   read    a body that comes back (the port must echo), of which nothing is read
 *
 * It prints a line with the number of open connections when all have been begun: {"open": N}.
 * It prints a second line when the server has closed them all, the time is up or standard input
 * ends. That line counts per kind the connections begun, those that failed to begin, those that
 * the server closed, and those that it answered with 408 first.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define THREADS        4
#define TIMEOUT_S      30
#define DRIP_MS        1000
#define HELLO_BYTES    100
#define SMALL_SEGMENT  1000 /* the kernel sizes its buffers for a connection by this */
#define SMALL_RECEIVER 4096

enum kind { KIND_HELLO, KIND_IDLE, KIND_HEAD, KIND_BODY, KIND_READ, KINDS };
static const char *const kind_names[KINDS] = {"hello", "idle", "head", "body", "read"};
static const char *const says[KINDS] = {
    [KIND_HEAD] = "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
    [KIND_BODY] = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\n0123456789",
    [KIND_READ] = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n",
};

struct client {
	enum kind kind;
	int fd; /* -1: ended, or never begun */
	gnutls_session_t session;
	bool begun, closed, answered;
};

static struct client *clients;
static unsigned clients_count;
static struct sockaddr_in server = {.sin_family = AF_INET};
static gnutls_certificate_credentials_t credentials;
static gnutls_priority_t priority;
static atomic_uint tried, open_now;
static atomic_bool stopping;
static char hello[HELLO_BYTES];

static void __attribute__((noreturn)) die(const char *what)
{
	(void)fprintf(stderr, "slow: %s\n", what);
	exit(2);
}

static gnutls_session_t session_new(void)
{
	gnutls_session_t session;
	if (gnutls_init(&session, GNUTLS_CLIENT) < 0)
		die("out of memory");
	gnutls_priority_set(session, priority);
	gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
	return session;
}

static ssize_t hello_keep(gnutls_transport_ptr_t arg, const void *data, size_t size)
{
	(void)arg;
	memcpy(hello, data, size < sizeof(hello) ? size : sizeof(hello));
	return (ssize_t)size;
}

static ssize_t hello_pull(gnutls_transport_ptr_t session, void *data, size_t size)
{
	(void)data;
	(void)size;
	gnutls_transport_set_errno(session, EAGAIN);
	return -1;
}

static void hello_make(void)
{
	gnutls_session_t session = session_new();
	gnutls_transport_set_ptr(session, session);
	gnutls_transport_set_push_function(session, hello_keep);
	gnutls_transport_set_pull_function(session, hello_pull);
	(void)gnutls_handshake(session);
	gnutls_deinit(session);
}

/* --- the life of one --- */

static bool client_shake_hands(struct client *c)
{
	int result;
	c->session = session_new();
	gnutls_transport_set_int(c->session, c->fd);
	gnutls_handshake_set_timeout(c->session, GNUTLS_INDEFINITE_TIMEOUT);
	do
		result = gnutls_handshake(c->session);
	while (result < 0 && !gnutls_error_is_fatal(result));
	return result == 0;
}

static bool client_begin(struct client *c)
{
	const struct timeval timeout = {.tv_sec = TIMEOUT_S};
	const int segment = SMALL_SEGMENT, receiver = SMALL_RECEIVER;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		die("no descriptors left");
	(void)setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	(void)setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	if (c->kind == KIND_READ) {
		(void)setsockopt(c->fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof(segment));
		(void)setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &receiver, sizeof(receiver));
	}
	if (connect(c->fd, (const struct sockaddr *)&server, sizeof(server)) < 0)
		return false;
	if (c->kind == KIND_HELLO)
		return send(c->fd, hello, sizeof(hello), MSG_NOSIGNAL) == sizeof(hello);
	if (!client_shake_hands(c))
		return false;
	return says[c->kind] == NULL ||
	       gnutls_record_send(c->session, says[c->kind], strlen(says[c->kind])) > 0;
}

static void client_end(struct client *c)
{
	if (c->session != NULL)
		gnutls_deinit(c->session);
	c->session = NULL;
	close(c->fd);
	c->fd = -1;
}

static void client_closed(struct client *c)
{
	c->closed = true;
	atomic_fetch_sub(&open_now, 1);
	client_end(c);
}

/* Reads all data, to see the end of the connection. */
static void client_listen(struct client *c)
{
	char data[4096];
	ssize_t n;
	if (c->session == NULL) {
		n = recv(c->fd, data, sizeof(data), 0);
	} else {
		n = gnutls_record_recv(c->session, data, sizeof(data) - 1);
		if (n > 0) {
			data[n] = '\0';
			c->answered = c->answered || strncmp(data, "HTTP/1.1 408 ", 13) == 0;
		}
	}
	if (n > 0 || n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED ||
	    (c->session == NULL && n < 0 && errno == EAGAIN))
		return;
	client_closed(c);
}

static void client_push(struct client *c)
{
	static const char data[8192];
	ssize_t n = gnutls_record_send(c->session, data, sizeof(data));
	if (n < 0 && n != GNUTLS_E_AGAIN && n != GNUTLS_E_INTERRUPTED)
		client_closed(c);
}

static void client_event(struct client *c, uint32_t events)
{
	if (c->fd < 0)
		return;
	if (c->kind == KIND_READ && (events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) != 0)
		client_closed(c);
	else if (c->kind == KIND_READ)
		client_push(c);
	else
		client_listen(c);
}

/* Each thread has its share of the clients. */
static void *clients_run(void *arg)
{
	unsigned first = (unsigned)(uintptr_t)arg;
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	for (unsigned i = first; i < clients_count && !atomic_load(&stopping); i += THREADS) {
		struct client *c = &clients[i];
		struct epoll_event event = {.events = c->kind == KIND_READ ? EPOLLOUT | EPOLLRDHUP
									   : EPOLLIN,
					    .data.ptr = c};
		c->begun = client_begin(c);
		atomic_fetch_add(&open_now, c->begun);
		atomic_fetch_add(&tried, 1);
		if (!c->begun) {
			client_end(c);
			continue;
		}
		(void)fcntl(c->fd, F_SETFL, O_NONBLOCK);
		(void)epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event);
	}
	struct timespec dripped = {0};
	while (!atomic_load(&stopping)) {
		struct epoll_event events[64];
		struct timespec now;
		int n = epoll_wait(epoll_fd, events, 64, DRIP_MS / 4);
		for (int i = 0; i < n; i++)
			client_event(events[i].data.ptr, events[i].events);
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec == dripped.tv_sec)
			continue;
		dripped = now;
		for (unsigned i = first; i < clients_count; i += THREADS)
			if (clients[i].kind == KIND_HEAD && clients[i].fd >= 0)
				(void)gnutls_record_send(clients[i].session, "x", 1);
	}
	close(epoll_fd);
	return NULL;
}

/* --- all of them --- */

static void tell(void)
{
	printf("{");
	for (int k = 0; k < KINDS; k++) {
		unsigned n = 0, failed = 0, closed = 0, answered = 0;
		for (unsigned i = 0; i < clients_count; i++) {
			const struct client *c = &clients[i];
			if ((int)c->kind != k)
				continue;
			n += c->begun;
			failed += !c->begun;
			closed += c->closed;
			answered += c->answered;
		}
		printf("%s\"%s\": {\"begun\": %u, \"not_begun\": %u, \"closed\": %u, "
		       "\"answered\": %u}",
		       k > 0 ? ", " : "", kind_names[k], n, failed, closed, answered);
	}
	printf("}\n");
}

static void clients_add(const char *text)
{
	for (int k = 0; k < KINDS; k++) {
		size_t len = strlen(kind_names[k]);
		if (strncmp(text, kind_names[k], len) != 0 || text[len] != '=')
			continue;
		unsigned count = (unsigned)atoi(text + len + 1);
		clients = reallocarray(clients, clients_count + count + 1, sizeof(*clients));
		if (clients == NULL)
			die("out of memory");
		for (unsigned i = 0; i < count; i++)
			clients[clients_count++] = (struct client){.kind = (enum kind)k, .fd = -1};
		return;
	}
	die("not KIND=COUNT");
}

/* Until the end of standard input, the time limit, or the last client's end. */
static void wait_for_end(double seconds)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	bool told = false;
	for (int left_ms = (int)(seconds * 1000); left_ms > 0; left_ms -= 50) {
		char byte;
		if (!told && atomic_load(&tried) == clients_count) {
			printf("{\"open\": %u}\n", atomic_load(&open_now));
			fflush(stdout);
			told = true;
		}
		if (told && atomic_load(&open_now) == 0)
			return;
		if (poll(&in, 1, 50) > 0 && read(STDIN_FILENO, &byte, 1) <= 0)
			return;
	}
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];
	if (argc < 4)
		die("usage: slow SECONDS PORT KIND=COUNT ...");
	server.sin_port = htons((uint16_t)atoi(argv[2]));
	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	gnutls_certificate_allocate_credentials(&credentials);
	gnutls_priority_init(&priority, "NORMAL", NULL);
	hello_make();
	for (int i = 3; i < argc; i++)
		clients_add(argv[i]);
	for (unsigned i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, clients_run, (void *)(uintptr_t)i) != 0)
			die("no threads left");
	wait_for_end(atof(argv[1]));
	atomic_store(&stopping, true);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	tell();
	for (unsigned i = 0; i < clients_count; i++)
		if (clients[i].fd >= 0)
			client_end(&clients[i]);
	free(clients);
	gnutls_priority_deinit(priority);
	gnutls_certificate_free_credentials(credentials);
	return 0;
}
