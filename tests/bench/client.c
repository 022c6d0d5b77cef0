/*
 * A load generator for the benchmark: one process, blocking, GnuTLS, so that it sends two
 * servers the same bytes. It prints one line of JSON.
 *
 *   client keepalive PORT CONNECTIONS REQUESTS [PATH]
 *                                                waves of one request on each connection
 *   client full PORT COUNT                       connect, full handshake, one GET, close
 *   client resumed PORT COUNT                    the same with a session ticket; each must resume
 *   client idle PORT COUNT                       opens, shakes hands, one GET, then holds them
 *                                                until standard input ends
 *   client upload PORT COUNT BYTES [PATH]        requests with a body of so many bytes, on one
 *                                                connection
 *   client tunnel PORT CONNECTIONS MESSAGES [PATH]
 *                                                upgrades, and waves of one message of 64 bytes
 *                                                on each connection, which comes back
 *   client paced PORT COUNT RATE [PATH]          requests on one connection, so many a second: how
 *                                                long each took from the moment it was due
 *   client plain ...                             the same, but for resumed, without TLS
 */
#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char request[512];
static gnutls_certificate_credentials_t credentials;
static gnutls_priority_t priority;
static int plain;

struct client {
	int fd;
	gnutls_session_t session; /* NULL: plain */
};

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static double now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void client_open(struct client *c, int port, const gnutls_datum_t *resume)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons((uint16_t)port),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const int on = 1;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		die("connect to port %d: %s", port, strerror(errno));
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c->session = NULL;
	if (plain)
		return;
	gnutls_init(&c->session, GNUTLS_CLIENT);
	gnutls_priority_set(c->session, priority);
	gnutls_credentials_set(c->session, GNUTLS_CRD_CERTIFICATE, credentials);
	gnutls_transport_set_int(c->session, c->fd);
	if (resume != NULL)
		gnutls_session_set_data(c->session, resume->data, resume->size);
	int result;
	do
		result = gnutls_handshake(c->session);
	while (result < 0 && !gnutls_error_is_fatal(result));
	if (result < 0)
		die("handshake: %s", gnutls_strerror(result));
}

static void client_ask(struct client *c)
{
	const size_t len = strlen(request);
	if ((plain ? send(c->fd, request, len, 0) : gnutls_record_send(c->session, request, len)) <
	    0)
		die("send failed");
}

static ssize_t client_receive(struct client *c, char *data, size_t size)
{
	if (!plain)
		return gnutls_record_recv(c->session, data, size);
	const ssize_t n = recv(c->fd, data, size, 0);
	if (n < 0)
		die("receive: %s", strerror(errno));
	return n;
}

/* Some bytes of a response; 0: the connection has ended. */
static size_t client_read(struct client *c, char *data, size_t size)
{
	ssize_t n;
	do
		n = client_receive(c, data, size);
	while (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED);
	if (n < 0)
		die("receive: %s", gnutls_strerror((int)n));
	return (size_t)n;
}

/* The value of Content-Length in a head. */
static unsigned long long length_of(const char *head)
{
	static const char name[] = "\r\nContent-Length:";
	const char *at = strcasestr(head, name);
	if (at == NULL)
		die("a response without Content-Length");
	return strtoull(at + sizeof(name) - 1, NULL, 10);
}

/* Reads one response of a known length. Returns the length of its body. */
static unsigned long long client_answer(struct client *c)
{
	static char data[1 << 16];
	size_t len = 0;
	const char *end = NULL;
	while (end == NULL) {
		const size_t n = client_read(c, data + len, sizeof(data) - 1 - len);
		if (n == 0)
			die("receive: closed");
		len += n;
		data[len] = '\0';
		end = strstr(data, "\r\n\r\n");
	}
	if (strncmp(data, "HTTP/1.1 200 ", 13) != 0)
		die("not a 200: %.400s", data);
	const unsigned long long length = length_of(data);
	unsigned long long got = len - (size_t)(end + 4 - data);
	while (got < length) {
		const size_t n = client_read(c, data, sizeof(data));
		if (n == 0)
			die("receive: closed in a body");
		got += n;
	}
	if (got != length)
		die("more than one response");
	return length;
}

static void client_close(struct client *c)
{
	if (!plain) {
		(void)gnutls_bye(c->session, GNUTLS_SHUT_WR);
		gnutls_deinit(c->session);
	}
	close(c->fd);
}

static void keepalive(int port, int connections, int requests)
{
	unsigned long long bytes = 0;
	struct client *clients = calloc((size_t)connections, sizeof(*clients));
	for (int i = 0; i < connections; i++)
		client_open(&clients[i], port, NULL);
	double start = now();
	int done = 0;
	while (done < requests) {
		for (int i = 0; i < connections; i++)
			client_ask(&clients[i]);
		for (int i = 0; i < connections; i++)
			bytes += client_answer(&clients[i]);
		done += connections;
	}
	printf("{\"count\": %d, \"bytes\": %llu, \"seconds\": %.3f}\n", done, bytes, now() - start);
	for (int i = 0; i < connections; i++)
		client_close(&clients[i]);
	free(clients);
}

static void client_write(struct client *c, const char *data, size_t len)
{
	while (len > 0) {
		const ssize_t n =
		    plain ? send(c->fd, data, len, 0) : gnutls_record_send(c->session, data, len);
		if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED)
			continue;
		if (n <= 0)
			die("send failed");
		data += n;
		len -= (size_t)n;
	}
}

static void upload(int port, int count, int bytes, const char *path)
{
	static char data[1 << 16];
	char head[1024];
	struct client c;
	(void)snprintf(head, sizeof(head),
		       "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", path,
		       bytes);
	client_open(&c, port, NULL);
	double start = now();
	for (int i = 0; i < count; i++) {
		client_write(&c, head, strlen(head));
		for (int left = bytes; left > 0;) {
			const int n = left < (int)sizeof(data) ? left : (int)sizeof(data);
			client_write(&c, data, (size_t)n);
			left -= n;
		}
		(void)client_answer(&c);
	}
	printf("{\"count\": %d, \"bytes\": %lld, \"seconds\": %.3f}\n", count,
	       (long long)count * bytes, now() - start);
	client_close(&c);
}

#define MESSAGE 64

static void tunnel_open(struct client *c, int port, const char *path)
{
	char data[4096];
	size_t len = 0;
	client_open(c, port, NULL);
	(void)snprintf(data, sizeof(data),
		       "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
		       "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
		       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
		       path);
	client_write(c, data, strlen(data));
	data[0] = '\0';
	while (strstr(data, "\r\n\r\n") == NULL) {
		const size_t n = client_read(c, data + len, sizeof(data) - 1 - len);
		if (n == 0)
			die("no answer to an upgrade");
		len += n;
		data[len] = '\0';
	}
	if (strncmp(data, "HTTP/1.1 101 ", 13) != 0)
		die("not a 101: %.400s", data);
}

static void tunnel(int port, int connections, int messages, const char *path)
{
	char data[MESSAGE] = {(char)0x82, MESSAGE - 2};
	struct client *clients = calloc((size_t)connections, sizeof(*clients));
	for (int i = 0; i < connections; i++)
		tunnel_open(&clients[i], port, path);
	double start = now();
	int done = 0;
	for (; done < messages; done += connections) {
		for (int i = 0; i < connections; i++)
			client_write(&clients[i], data, sizeof(data));
		for (int i = 0; i < connections; i++)
			for (size_t got = 0; got < sizeof(data);) {
				const size_t n =
				    client_read(&clients[i], data + got, sizeof(data) - got);
				if (n == 0)
					die("a tunnel has ended");
				got += n;
			}
	}
	printf("{\"count\": %d, \"seconds\": %.3f}\n", done, now() - start);
	for (int i = 0; i < connections; i++)
		client_close(&clients[i]);
	free(clients);
}

static int time_compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void paced(int port, int count, int rate)
{
	double *took = calloc((size_t)count, sizeof(*took));
	struct client c;
	client_open(&c, port, NULL);
	const double start = now();
	for (int i = 0; i < count; i++) {
		const double due = start + (double)i / rate;
		while (now() < due)
			; /* to sleep would measure how well this process wakes up */
		client_ask(&c);
		(void)client_answer(&c);
		took[i] = (now() - due) * 1e6;
	}
	qsort(took, (size_t)count, sizeof(*took), time_compare);
	printf("{\"count\": %d, \"p50_us\": %.1f, \"p99_us\": %.1f, \"seconds\": %.3f}\n", count,
	       took[count / 2], took[count * 99 / 100], now() - start);
	client_close(&c);
	free(took);
}

static void full(int port, int count)
{
	double start = now();
	for (int i = 0; i < count; i++) {
		struct client c;
		client_open(&c, port, NULL);
		client_ask(&c);
		(void)client_answer(&c);
		client_close(&c);
	}
	printf("{\"count\": %d, \"seconds\": %.3f}\n", count, now() - start);
}

static void resumed(int port, int count)
{
	struct client c;
	gnutls_datum_t ticket;
	client_open(&c, port, NULL);
	client_ask(&c);
	(void)client_answer(&c);
	if (gnutls_session_get_data2(c.session, &ticket) < 0)
		die("no session ticket");
	client_close(&c);
	double start = now();
	for (int i = 0; i < count; i++) {
		client_open(&c, port, &ticket);
		if (!gnutls_session_is_resumed(c.session))
			die("handshake %d was not resumed", i);
		client_ask(&c);
		(void)client_answer(&c);
		client_close(&c);
	}
	printf("{\"count\": %d, \"seconds\": %.3f}\n", count, now() - start);
	gnutls_free(ticket.data);
}

static void idle(int port, int count)
{
	struct client *clients = calloc((size_t)count, sizeof(*clients));
	char byte;
	for (int i = 0; i < count; i++) {
		client_open(&clients[i], port, NULL);
		client_ask(&clients[i]);
		(void)client_answer(&clients[i]);
	}
	printf("{\"count\": %d}\n", count);
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	free(clients);
}

int main(int argc, char **argv)
{
	int arguments[3] = {0};
	plain = argc > 1 && strcmp(argv[1], "plain") == 0;
	argc -= plain;
	argv += plain;
	if (argc < 4 || argc > 6)
		die("usage: client [plain] keepalive|full|resumed|idle|upload|tunnel|paced PORT "
		    "COUNT [NUMBER [PATH]]");
	(void)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n",
		       argc > 5 ? argv[5] : "/");
	const char *path = argc > 5 ? argv[5] : "/";
	for (int i = 2; i < argc && i < 5; i++)
		arguments[i - 2] = atoi(argv[i]);
	gnutls_certificate_allocate_credentials(&credentials);
	gnutls_priority_init(&priority,
			     "NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-X25519:"
			     "+GROUP-SECP256R1",
			     NULL);
	if (strcmp(argv[1], "keepalive") == 0 && argc >= 5)
		keepalive(arguments[0], arguments[1], arguments[2]);
	else if (strcmp(argv[1], "upload") == 0 && argc >= 5)
		upload(arguments[0], arguments[1], arguments[2], path);
	else if (strcmp(argv[1], "tunnel") == 0 && argc >= 5)
		tunnel(arguments[0], arguments[1], arguments[2], path);
	else if (strcmp(argv[1], "paced") == 0 && argc >= 5)
		paced(arguments[0], arguments[1], arguments[2]);
	else if (strcmp(argv[1], "full") == 0)
		full(arguments[0], arguments[1]);
	else if (strcmp(argv[1], "resumed") == 0 && !plain)
		resumed(arguments[0], arguments[1]);
	else if (strcmp(argv[1], "idle") == 0)
		idle(arguments[0], arguments[1]);
	else
		die("unknown mode");
	gnutls_priority_deinit(priority);
	gnutls_certificate_free_credentials(credentials);
	return 0;
}
