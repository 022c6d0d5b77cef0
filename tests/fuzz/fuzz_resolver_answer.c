/* What a name server answers, by the way that answers take: over UDP and TCP, through c-ares, to
 * the list of addresses. The input is the answer after its id; its first byte says whether it
 * begins with the question. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "resolver/lookup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static struct {
	int udp, tcp;
	struct servers servers;
	union ipc_address place;
} server;

static void server_begin(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	static const char text[] = "options attempts:1";
	server.tcp = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	server.udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	check(bind(server.tcp, (struct sockaddr *)&a, sizeof(a)) == 0 &&
	      listen(server.tcp, 8) == 0);
	check(getsockname(server.tcp, (struct sockaddr *)&a, &len) == 0);
	check(bind(server.udp, (struct sockaddr *)&a, sizeof(a)) == 0);
	servers_read(text, sizeof(text) - 1, NULL, &server.servers);
	server.servers.list[0].port = ntohs(a.sin_port);
	ipc_address_put(&server.place, &server.servers.list[0].address, ntohs(a.sin_port));
	(void)signal(SIGPIPE, SIG_IGN);
}

/* The answer to a query: with its id, and perhaps its question. */
static size_t answer_write(const uint8_t *query, size_t query_len, const uint8_t *data, size_t size,
			   uint8_t *to, size_t room)
{
	const bool asks = size > 0 && (data[0] & 1) != 0;
	size_t len = 2;
	memcpy(to, query, 2);
	if (size > 0) {
		data++;
		size--;
	}
	if (asks && size >= 10 && query_len > 12) {
		memcpy(to + 2, data, 10); /* the rest of the head */
		memcpy(to + 12, query + 12, query_len - 12);
		len = query_len;
		data += 10;
		size -= 10;
	}
	if (size > room - len)
		size = room - len;
	memcpy(to + len, data, size);
	return len + size;
}

static void server_answer(const uint8_t *data, size_t size)
{
	uint8_t query[1024], answer[4096];
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	ssize_t n;
	while ((n = recvfrom(server.udp, query, sizeof(query), 0, (struct sockaddr *)&from,
			     &from_len)) > 2) {
		const size_t len =
		    answer_write(query, (size_t)n, data, size, answer, sizeof(answer));
		(void)sendto(server.udp, answer, len, 0, (struct sockaddr *)&from, from_len);
	}
	const int client = accept(server.tcp, NULL, NULL);
	if (client < 0)
		return;
	n = recv(client, query, sizeof(query), MSG_DONTWAIT);
	if (n > 4) {
		const size_t len = answer_write(query + 2, (size_t)n - 2, data, size, answer + 2,
						sizeof(answer) - 2);
		answer[0] = (uint8_t)(len >> 8);
		answer[1] = (uint8_t)len;
		(void)!write(client, answer, len + 2);
	}
	close(client);
}

static void result_check(struct lookup *l, const struct lookup_result *r)
{
	(void)l;
	check(r->count <= IPC_NAME_ADDRESSES_MAX && (r->count > 0) == (r->verdict == LOOKUP_FOUND));
	check(r->count == 0 || r->ttl <= INT32_MAX);
	for (size_t i = 0; i < r->count; i++)
		check(lookup_is_usable(&r->list[i], !network_address_is_v4(&r->list[i])));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lookups all;
	struct lookup lookup;
	struct loop loop;
	struct err err;
	if (server.servers.count == 0)
		server_begin();
	check(loop_init(&loop) == 0);
	check(lookups_init(&all, &server.servers, &err) == 0);
	check(lookups_begin(&all, &loop, &server.place, 1) == 0);
	lookup_begin(&all, &lookup, "api.test", result_check);
	for (int i = 0; i < 4; i++) {
		server_answer(data, size);
		check(loop_turn(&loop, 0) == 0);
	}
	lookups_end(&all);
	loop_release(&loop);
	return 0;
}
