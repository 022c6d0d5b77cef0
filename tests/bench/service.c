/*
 * The upstream of the benchmark `gateway`: a thread for each connection, plain HTTP/1.1.
 *
 *   service PORT
 *
 * It answers a request with an Upgrade by 101 and sends all further bytes back, and others, once
 * their body has come, by two bytes. It prints a line when it listens, and ends with standard
 * input.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_MAX 16384

static int send_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		const ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
		if (n <= 0)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static void echo(int fd, char *data, size_t size)
{
	ssize_t n;
	while ((n = recv(fd, data, size, 0)) > 0)
		if (send_all(fd, data, (size_t)n) < 0)
			return;
}

/* The head, and what came with it, ends at *ret_len. Returns its length; 0: the end. */
static size_t head_read(int fd, char *data, size_t *ret_len)
{
	const char *end = NULL;
	size_t len = 0;
	while (end == NULL) {
		const ssize_t n = recv(fd, data + len, HEAD_MAX - 1 - len, 0);
		if (n <= 0)
			return 0;
		len += (size_t)n;
		data[len] = '\0';
		end = strstr(data, "\r\n\r\n");
	}
	*ret_len = len;
	return (size_t)(end - data) + 4;
}

static unsigned long long length_of(const char *head)
{
	static const char name[] = "\r\nContent-Length:";
	const char *at = strcasestr(head, name);
	return at != NULL ? strtoull(at + sizeof(name) - 1, NULL, 10) : 0;
}

static int body_drop(int fd, char *data, size_t size, unsigned long long left)
{
	while (left > 0) {
		const ssize_t n = recv(fd, data, left < size ? (size_t)left : size, 0);
		if (n <= 0)
			return -1;
		left -= (unsigned long long)n;
	}
	return 0;
}

static void *serve(void *arg)
{
	static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	static const char upgraded[] =
	    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	    /* for the key of RFC 6455, 1.3, which client.c sends */
	    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
	const int fd = (int)(intptr_t)arg;
	const size_t size = 1 << 18;
	char *data = malloc(size);
	size_t head, len;
	while (data != NULL && (head = head_read(fd, data, &len)) > 0) {
		if (strcasestr(data, "\r\nUpgrade:") != NULL) {
			if (send_all(fd, upgraded, sizeof(upgraded) - 1) == 0)
				echo(fd, data, size);
			break;
		}
		const unsigned long long length = length_of(data), came = len - head;
		if (came > length || body_drop(fd, data, size, length - came) < 0 ||
		    send_all(fd, ok, sizeof(ok) - 1) < 0)
			break;
	}
	free(data);
	close(fd);
	return NULL;
}

static void *end_await(void *arg)
{
	char byte;
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	exit(0);
	return arg;
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	pthread_t thread;
	if (argc != 2)
		return 2;
	a.sin_port = htons((uint16_t)atoi(argv[1]));
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 1024) < 0) {
		perror("service");
		return 1;
	}
	puts("listens");
	(void)fflush(stdout);
	if (pthread_create(&thread, NULL, end_await, NULL) != 0)
		return 1;
	for (;;) {
		const int client = accept(fd, NULL, NULL);
		if (client < 0)
			continue;
		if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)client) == 0)
			(void)pthread_detach(thread);
		else
			close(client);
	}
}
