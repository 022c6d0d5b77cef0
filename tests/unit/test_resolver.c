/* resolver: resolv.conf(5), hosts(5), what name servers answer, and what is written of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/epoll.h>

#include "gateway.h"
#include "resolver/hosts.h"
#include "resolver/lookup.h"
#include "resolver/names.h"
#include "resolver/servers.h"

/* --- resolv.conf ------------------------------------------------------------------------------ */

static struct servers read_text(const char *text)
{
	struct servers s;
	servers_read(text, strlen(text), "web.corp.example", &s);
	return s;
}

static const char *server_text(const struct server *s)
{
	static char text[128];
	char address[NETWORK_TEXT_MAX];
	const struct network one = {.first = s->address, .bits = 128};
	(void)snprintf(text, sizeof(text), "%s%s%s %u", network_format(&one, address),
		       s->zone[0] != '\0' ? "%" : "", s->zone, s->port);
	return text;
}

static void servers_are_read(void **state)
{
	static const struct {
		const char *line, *server; /* NULL: it is none */
	} lines[] = {
	    {"nameserver 10.0.0.1", "10.0.0.1 53"},
	    {"nameserver\t::1  # x", "::1 53"},
	    {"nameserver fe80::1%eth0", "fe80::1%eth0 53"},
	    {"nameserver 127.0.0.1:5353", "127.0.0.1 5353"},
	    {"nameserver [::1]:5353\r", "::1 5353"},
	    {"nameserver [127.0.0.1]:53", NULL},
	    {"nameserver 127.0.0.1:0", NULL},
	    {"nameserver 127.0.0.1:65536", NULL},
	    {"nameserver ns.example.org", NULL},
	    {"nameserver 10.0.0.1%eth0", NULL},
	    {"nameserver fe80::1%", NULL},
	    {"nameserver", NULL},
	    {"#nameserver 10.0.0.1", NULL},
	    {";nameserver 10.0.0.1", NULL},
	    {"nameservers 10.0.0.1", NULL},
	    {"nameserver []:53", NULL},
	    {"nameserver :53", NULL},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		const struct servers s = read_text(lines[i].line);
		assert_int_equal(s.count, 1);
		assert_string_equal(server_text(&s.list[0]),
				    lines[i].server != NULL ? lines[i].server : "127.0.0.1 53");
	}
	const struct servers s = read_text("nameserver 1.1.1.1\nnameserver x\nnameserver 2.2.2.2\n"
					   "nameserver 3.3.3.3\nnameserver 4.4.4.4");
	assert_int_equal(s.count, 3); /* MAXNS */
	assert_string_equal(server_text(&s.list[2]), "3.3.3.3 53");
}

static void search_and_options_are_read(void **state)
{
	struct servers s;
	(void)state;
	s = read_text("");
	assert_int_equal(s.search_count, 1); /* the domain of this machine */
	assert_string_equal(s.search[0], "corp.example");
	assert_int_equal(s.ndots, 1);
	assert_int_equal(s.attempts, 3);
	assert_int_equal(s.timeout_ms, 1000);
	s = read_text("search a.example b.example.\noptions ndots:5 timeout:2 attempts:1 rotate "
		      "use-vc edns0");
	assert_int_equal(s.search_count, 2);
	assert_string_equal(s.search[1], "b.example");
	assert_int_equal(s.ndots, 5);
	assert_int_equal(s.attempts, 1);
	assert_int_equal(s.timeout_ms, 2000);
	assert_true(s.rotate && s.tcp);
	s = read_text("search a b\ndomain c.example d.example");
	assert_int_equal(s.search_count, 1); /* the last line counts, and domain has one */
	assert_string_equal(s.search[0], "c.example");
	s = read_text("search\n");
	assert_int_equal(s.search_count, 0);
	s = read_text("options ndots:99 timeout:999 attempts:99 ndots: timeout:-1 ndots:x");
	assert_int_equal(s.ndots, 15);
	assert_int_equal(s.timeout_ms, 30000);
	assert_int_equal(s.attempts, 5);
	assert_false(s.rotate || s.tcp);
	servers_read("", 0, "web", &s);
	assert_int_equal(s.search_count, 0);
	servers_read("", 0, NULL, &s);
	assert_int_equal(s.search_count, 0);
}

/* --- hosts ------------------------------------------------------------------------------------ */

static char found[1024];

static void host_found(void *arg, const char *name, size_t len, const struct network_address *a)
{
	char address[NETWORK_TEXT_MAX];
	const struct network one = {.first = *a, .bits = 128};
	const size_t at = strlen(found);
	(void)arg;
	(void)snprintf(found + at, sizeof(found) - at, "%.*s=%s ", (int)len, name,
		       network_format(&one, address));
}

static void the_table_of_hosts_is_read(void **state)
{
	static const char text[] = "127.0.0.1 localhost\n"
				   "# 10.0.0.9 no\n"
				   "  10.0.0.1\tapi.test  API # no\r\n"
				   "10.0.0.2\n"
				   "\n"
				   "nonsense no\n"
				   "fe80::1%eth0 no\n"
				   "10.0.0.256 no\n"
				   "::1 six#no\n"
				   "10.0.0.3 last";
	(void)state;
	found[0] = '\0';
	hosts_read(text, sizeof(text) - 1, host_found, NULL);
	assert_string_equal(found, "localhost=127.0.0.1 api.test=10.0.0.1 API=10.0.0.1 six=::1 "
				   "last=10.0.0.3 ");
}

static void what_no_connection_can_go_to_is_left_out(void **state)
{
	static const struct {
		const char *address;
		bool v6, usable;
	} cases[] = {
	    {"10.0.0.1", false, true},
	    {"127.0.0.1", false, true},
	    {"0.0.0.0", false, false},
	    {"0.1.2.3", false, false},
	    {"224.0.0.1", false, false},
	    {"239.255.255.255", false, false},
	    {"255.255.255.255", false, false},
	    {"240.0.0.1", false, false},
	    {"223.255.255.255", false, true},
	    {"::", true, false},
	    {"::1", true, true},
	    {"ff02::1", true, false},
	    {"2001:db8::1", true, true},
	    {"::ffff:10.0.0.1", true, false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct network_address a;
		const char *text = cases[i].address;
		assert_int_equal(network_address_parse(text, strlen(text), &a), 0);
		if (lookup_is_usable(&a, cases[i].v6) != cases[i].usable)
			fail_msg("%s", text);
	}
}

/* --- a name server ---------------------------------------------------------------------------- */

#define A    1
#define AAAA 28

static struct {
	struct loop_io udp, tcp, guest; /* its sockets */
	uint16_t port;
	unsigned asked, asked_tcp;
	char last[256]; /* the name of the last question */
	/* writes the answer to a question, without its length; 0: none */
	size_t (*answer)(const uint8_t *query, size_t len, unsigned type, bool tcp, uint8_t *ret);
} dns;

static unsigned get16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

static size_t dns_serve(const uint8_t *query, size_t len, bool tcp, uint8_t *ret)
{
	size_t at = 12, out = 0;
	assert_true(len > 16);
	while (query[at] != 0) {
		memcpy(dns.last + out, query + at + 1, query[at]);
		out += query[at];
		dns.last[out++] = '.';
		at += query[at] + 1u;
	}
	dns.last[out] = '\0';
	dns.asked++;
	dns.asked_tcp += tcp;
	return dns.answer(query, at + 5, get16(query + at + 1), tcp, ret);
}

static void udp_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	uint8_t query[2048], answer[65536];
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	const ssize_t n =
	    recvfrom(io->fd, query, sizeof(query), 0, (struct sockaddr *)&from, &from_len);
	(void)loop;
	(void)events;
	if (n <= 0)
		return;
	const size_t len = dns_serve(query, (size_t)n, false, answer);
	if (len > 0)
		(void)sendto(io->fd, answer, len, 0, (struct sockaddr *)&from, from_len);
}

static void guest_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	uint8_t query[2048], answer[65538];
	const ssize_t n = recv(io->fd, query, sizeof(query), 0);
	(void)events;
	if (n <= 2) {
		loop_close(loop, io);
		return;
	}
	const size_t len = dns_serve(query + 2, (size_t)n - 2, true, answer + 2);
	answer[0] = (uint8_t)(len >> 8);
	answer[1] = (uint8_t)len;
	if (len > 0)
		(void)!write(io->fd, answer, len + 2);
}

static void tcp_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	const int fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	(void)events;
	if (dns.guest.fd >= 0)
		loop_close(loop, &dns.guest);
	dns.guest = (struct loop_io){.fd = fd, .ready = guest_ready};
	assert_int_equal(loop_add(loop, &dns.guest, EPOLLIN), 0);
}

static void dns_begin(void)
{
	memset(&dns, 0, sizeof(dns));
	dns.guest.fd = -1;
	dns.tcp =
	    (struct loop_io){.fd = tcp_listener("127.0.0.1", &dns.port, 8), .ready = tcp_ready};
	const union ipc_address a = address_of("127.0.0.1", dns.port);
	dns.udp =
	    (struct loop_io){.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
			     .ready = udp_ready};
	assert_int_equal(bind(dns.udp.fd, &a.any, sizeof(struct sockaddr_in)), 0);
	assert_int_equal(loop_add(&gateway.loop, &dns.udp, EPOLLIN), 0);
	assert_int_equal(loop_add(&gateway.loop, &dns.tcp, EPOLLIN), 0);
}

static void dns_end(void)
{
	loop_close(&gateway.loop, &dns.udp);
	loop_close(&gateway.loop, &dns.tcp);
	if (dns.guest.fd >= 0)
		loop_close(&gateway.loop, &dns.guest);
}

/* The question, as an answer with this many records and this rcode. */
static size_t head(const uint8_t *query, size_t len, unsigned records, unsigned rcode, uint8_t *ret)
{
	memcpy(ret, query, len);
	ret[2] = 0x81;
	ret[3] = (uint8_t)(0x80 | rcode);
	ret[6] = (uint8_t)(records >> 8);
	ret[7] = (uint8_t)records;
	memset(ret + 8, 0, 4);
	return len;
}

/* Appends a record of the name that was asked for. */
static size_t record(uint8_t *ret, size_t at, unsigned type, uint32_t ttl, const void *data,
		     size_t data_len)
{
	const uint8_t fixed[] = {0xc0,
				 12,
				 (uint8_t)(type >> 8),
				 (uint8_t)type,
				 0,
				 1,
				 (uint8_t)(ttl >> 24),
				 (uint8_t)(ttl >> 16),
				 (uint8_t)(ttl >> 8),
				 (uint8_t)ttl,
				 (uint8_t)(data_len >> 8),
				 (uint8_t)data_len};
	memcpy(ret + at, fixed, sizeof(fixed));
	memcpy(ret + at + sizeof(fixed), data, data_len);
	return at + sizeof(fixed) + data_len;
}

static const uint8_t one[4] = {10, 0, 0, 1}, six[16] = {0x20, 1, 0xd, 0xb8, [15] = 1};
static uint32_t ttl = 60;

static size_t answer_one(const uint8_t *query, size_t len, unsigned type, bool tcp, uint8_t *ret)
{
	(void)tcp;
	const size_t at = head(query, len, type == A, 0, ret);
	return type == A ? record(ret, at, A, ttl, one, 4) : at;
}

static size_t answer_both(const uint8_t *query, size_t len, unsigned type, bool tcp, uint8_t *ret)
{
	(void)tcp;
	const size_t at = head(query, len, 1, 0, ret);
	return type == A ? record(ret, at, A, 300, one, 4) : record(ret, at, AAAA, 200, six, 16);
}

static size_t answer_unknown(const uint8_t *query, size_t len, unsigned type, bool tcp,
			     uint8_t *ret)
{
	(void)type;
	(void)tcp;
	return head(query, len, 0, 3, ret);
}

static size_t answer_failed(const uint8_t *query, size_t len, unsigned type, bool tcp, uint8_t *ret)
{
	(void)type;
	(void)tcp;
	return head(query, len, 0, 2, ret);
}

static size_t answer_nothing(const uint8_t *query, size_t len, unsigned type, bool tcp,
			     uint8_t *ret)
{
	(void)query;
	(void)len;
	(void)type;
	(void)tcp;
	(void)ret;
	return 0;
}

static size_t answer_none(const uint8_t *query, size_t len, unsigned type, bool tcp, uint8_t *ret)
{
	(void)type;
	(void)tcp;
	return head(query, len, 0, 0, ret);
}

static size_t answer_garbage(const uint8_t *query, size_t len, unsigned type, bool tcp,
			     uint8_t *ret)
{
	(void)type;
	(void)tcp;
	const size_t at = head(query, len, 9, 0, ret);
	memset(ret + at, 0xc0, 40);
	return at + 40;
}

/* 40 addresses, the highest first, which fit over TCP alone. */
static size_t answer_many(const uint8_t *query, size_t len, unsigned type, bool tcp, uint8_t *ret)
{
	size_t at = head(query, len, tcp && type == A ? 40 : 0, 0, ret);
	if (!tcp)
		ret[2] |= 2; /* truncated */
	for (unsigned i = 40; tcp && type == A && i > 0; i--) {
		const uint8_t address[4] = {10, 0, 1, (uint8_t)i};
		at = record(ret, at, A, 60, address, 4);
	}
	return at;
}

static size_t answer_useless(const uint8_t *query, size_t len, unsigned type, bool tcp,
			     uint8_t *ret)
{
	static const uint8_t any[4], many[4] = {224, 0, 0, 1};
	(void)tcp;
	size_t at = head(query, len, type == A ? 2 : 0, 0, ret);
	if (type == A) {
		at = record(ret, at, A, 60, any, 4);
		at = record(ret, at, A, 60, many, 4);
	}
	return at;
}

/* Only a name of the second domain of the list is known. */
static size_t answer_second(const uint8_t *query, size_t len, unsigned type, bool tcp, uint8_t *ret)
{
	return strcmp(dns.last, "api.two.example.") == 0
		   ? answer_one(query, len, type, tcp, ret)
		   : answer_unknown(query, len, type, tcp, ret);
}

/* --- lookups ---------------------------------------------------------------------------------- */

static struct servers servers;
static union ipc_address places[SERVERS_MAX];
static struct lookups lookups;
static struct lookup lookup;
static struct lookup_result result;
static bool done;

static void lookup_done(struct lookup *l, const struct lookup_result *r)
{
	assert_ptr_equal(l, &lookup);
	result = *r;
	done = true;
}

static void lookups_start(const char *more)
{
	char text[512];
	struct err err = {""};
	(void)snprintf(text, sizeof(text), "nameserver 127.0.0.1:%u\n%s", dns.port, more);
	servers_read(text, strlen(text), NULL, &servers);
	for (unsigned i = 0; i < servers.count; i++)
		ipc_address_put(&places[i], &servers.list[i].address, servers.list[i].port);
	if (lookups_init(&lookups, &servers, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(lookups_begin(&lookups, &gateway.loop, places, servers.count), 0);
}

static const struct lookup_result *look(const char *name)
{
	done = false;
	dns.asked = dns.asked_tcp = 0;
	lookup_begin(&lookups, &lookup, name, lookup_done);
	gateway_until(done);
	return &result;
}

static void begin(const char *more)
{
	memset(&gateway, 0, sizeof(gateway));
	assert_int_equal(loop_init(&gateway.loop), 0);
	dns_begin();
	lookups_start(more);
}

static void end(void)
{
	lookups_end(&lookups);
	for (size_t i = 0; i < LOOKUP_SOCKETS_MAX; i++)
		assert_int_equal(lookups.sockets[i].io.fd, -1);
	dns_end();
	loop_release(&gateway.loop);
}

static void addresses_are_found(void **state)
{
	(void)state;
	begin("");
	dns.answer = answer_one;
	const struct lookup_result *r = look("api.test");
	assert_int_equal(r->verdict, LOOKUP_FOUND);
	assert_int_equal(r->count, 1);
	assert_int_equal(r->list[0].low, 0xffff0a000001);
	assert_int_equal(r->ttl, 60);
	assert_string_equal(dns.last, "api.test.");
	dns.answer = answer_both;
	r = look("both.test");
	assert_int_equal(r->count, 2); /* IPv6 first */
	assert_int_equal(r->list[0].high, 0x20010db800000000);
	assert_int_equal(r->list[1].low, 0xffff0a000001);
	assert_int_equal(r->ttl, 200);
	end();
}

static void each_failure_is_told_from_the_others(void **state)
{
	(void)state;
	begin("options timeout:1 attempts:1");
	dns.answer = answer_unknown;
	assert_int_equal(look("a.test")->verdict, LOOKUP_UNKNOWN);
	dns.answer = answer_none;
	assert_int_equal(look("b.test")->verdict, LOOKUP_UNKNOWN);
	dns.answer = answer_useless;
	assert_int_equal(look("c.test")->verdict, LOOKUP_UNKNOWN);
	dns.answer = answer_failed;
	assert_int_equal(look("d.test")->verdict, LOOKUP_NO_ANSWER);
	dns.answer = answer_garbage;
	assert_int_not_equal(look("e.test")->verdict, LOOKUP_FOUND);
	dns.answer = answer_nothing;
	assert_int_equal(look("f.test")->verdict, LOOKUP_NO_ANSWER);
	loop_close(&gateway.loop, &dns.udp);
	assert_int_equal(look("g.test")->verdict, LOOKUP_NO_ANSWER);
	dns.udp.fd = dup(0);
	end();
}

static void what_does_not_fit_comes_over_tcp(void **state)
{
	(void)state;
	begin("");
	dns.answer = answer_many;
	const struct lookup_result *r = look("many.test");
	assert_int_equal(r->verdict, LOOKUP_FOUND);
	assert_true(dns.asked_tcp > 0);
	assert_int_equal(r->count, IPC_NAME_ADDRESSES_MAX);
	for (size_t i = 0; i < r->count; i++) /* always the same ones, in the same order */
		assert_int_equal(r->list[i].low, 0xffff0a000101 + i);
	end();
}

static void tcp_alone_is_used_if_asked_for(void **state)
{
	(void)state;
	begin("options use-vc");
	dns.answer = answer_one;
	assert_int_equal(look("api.test")->verdict, LOOKUP_FOUND);
	assert_int_equal(dns.asked, dns.asked_tcp);
	end();
}

static void domains_are_sought_in_their_order(void **state)
{
	(void)state;
	begin("search one.example two.example three.example");
	dns.answer = answer_second;
	assert_int_equal(look("api")->verdict, LOOKUP_FOUND);
	assert_int_equal(dns.asked, 4);
	assert_int_equal(look("b.test")->verdict, LOOKUP_UNKNOWN);
	assert_int_equal(dns.asked, 8); /* as it is first, for it has a dot */
	end();
}

static void the_next_server_is_asked_when_one_is_silent_or_fails(void **state)
{
	(void)state;
	uint16_t nobody = 0;
	char text[256];
	close(tcp_listener("127.0.0.1", &nobody, 1));
	memset(&gateway, 0, sizeof(gateway));
	assert_int_equal(loop_init(&gateway.loop), 0);
	dns_begin();
	const uint16_t real = dns.port;
	dns.port = nobody; /* it is the first of the list */
	(void)snprintf(text, sizeof(text), "nameserver 127.0.0.1:%u", real);
	lookups_start(text);
	dns.port = real;
	dns.answer = answer_one;
	assert_int_equal(look("api.test")->verdict, LOOKUP_FOUND);
	end();
}

static void lookups_under_way_end_without_a_word(void **state)
{
	(void)state;
	begin("");
	dns.answer = answer_nothing;
	done = false;
	lookup_begin(&lookups, &lookup, "api.test", lookup_done);
	gateway_until(dns.asked > 0);
	end();
	assert_false(done);
}

/* --- names ------------------------------------------------------------------------------------ */

static struct names names;
static struct conf_endpoint endpoints[8];
static struct conf_port port;
static struct ipc_name *memory;

static void name_add(const char *host, uint16_t number)
{
	endpoints[port.endpoints_count++] =
	    (struct conf_endpoint){.host = host, .port = number, .named = host[0] > '9'};
}

static void names_start(const char *table)
{
	size_t count = 0;
	for (size_t i = 0; i < port.endpoints_count; i++)
		count += endpoints[i].named;
	memory = calloc(1, ipc_names_size(count));
	names = (struct names){.loop = &gateway.loop,
			       .lookups = &lookups,
			       .port = &port,
			       .log = &gateway.log,
			       .memory = memory};
	assert_int_equal(names_begin(&names, table, strlen(table)), 0);
}

static void names_stage(void)
{
	memset(&gateway, 0, sizeof(gateway));
	memset(endpoints, 0, sizeof(endpoints));
	port = (struct conf_port){.endpoints = endpoints};
	assert_int_equal(loop_init(&gateway.loop), 0);
	log_init(&gateway.log, LOG_ROLE_WORKER, 8443, 0, 0);
	gateway_log();
	dns_begin();
	lookups_start("options timeout:1 attempts:1");
}

static void names_stop(void)
{
	lookups_end(&lookups);
	names_end(&names);
	free(memory);
	dns_end();
	log_close(&gateway.log);
	close(gateway.log_fd);
	loop_release(&gateway.loop);
}

/* The i-th address of a name, as text. */
static const char *address(size_t name, size_t i)
{
	static char text[128];
	char host[INET6_ADDRSTRLEN];
	size_t first = 0;
	const size_t count = ipc_names_read(memory, name, &first);
	assert_true(i < count);
	const union ipc_address *all =
	    (const union ipc_address *)(const void *)((const char *)memory +
						      ipc_names_places(names.count));
	const union ipc_address *a = &all[first + i];
	const struct sockaddr_in *in = (const struct sockaddr_in *)&a->storage;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->storage;
	if (a->any.sa_family == AF_INET)
		(void)inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
	else
		(void)inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
	(void)snprintf(text, sizeof(text), "%s %u", host, ntohs(in->sin_port));
	return text;
}

static size_t addresses(size_t name)
{
	size_t first = 0;
	return ipc_names_read(memory, name, &first);
}

static void each_endpoint_has_the_addresses_with_its_port(void **state)
{
	(void)state;
	names_stage();
	dns.answer = answer_both;
	name_add("b.test", 80);
	name_add("10.0.0.9", 80);
	name_add("a.test", 81);
	name_add("b.test", 82);
	names_start("");
	gateway_until(addresses(0) == 2 && addresses(1) == 2 && addresses(2) == 2);
	assert_int_equal(dns.asked, 4); /* each name once */
	assert_string_equal(address(0, 0), "2001:db8::1 80");
	assert_string_equal(address(0, 1), "10.0.0.1 80");
	assert_string_equal(address(1, 1), "10.0.0.1 81");
	assert_string_equal(address(2, 1), "10.0.0.1 82");
	assert_non_null(
	    strstr(gateway_logged(), "b.test has these addresses: 2001:db8::1, 10.0.0.1"));
	names_stop();
}

static void names_of_the_table_and_localhost_are_not_sought(void **state)
{
	(void)state;
	names_stage();
	dns.answer = answer_one;
	name_add("api.test", 80);
	name_add("localhost", 80);
	name_add("x.localhost", 80);
	name_add("useless.test", 80);
	names_start("10.0.0.7 API.test. other\n0.0.0.0 useless.test\n::1 api.test\n");
	assert_int_equal(addresses(0), 2);
	assert_string_equal(address(0, 0), "10.0.0.7 80");
	assert_string_equal(address(0, 1), "::1 80");
	assert_string_equal(address(1, 1), "127.0.0.1 80");
	assert_string_equal(address(2, 0), "::1 80");
	assert_int_equal(addresses(3), 0);
	assert_int_equal(memory[3].failed, IPC_NAME_UNKNOWN);
	for (int i = 0; i < 5; i++)
		assert_int_equal(loop_turn(&gateway.loop, 20), 0);
	assert_int_equal(dns.asked, 0);
	names_stop();
}

static void a_name_is_sought_again_and_keeps_its_addresses_meanwhile(void **state)
{
	(void)state;
	names_stage();
	ttl = 0; /* as good as a second */
	dns.answer = answer_failed;
	name_add("api.test", 80);
	names_start("");
	gateway_until(memory[0].failed != IPC_NAME_OK);
	assert_int_equal(memory[0].failed, IPC_NAME_NO_ANSWER);
	assert_int_equal(addresses(0), 0);
	assert_non_null(
	    strstr(gateway_logged(), "api.test cannot be resolved: no name server has an answer"));
	dns.answer = answer_one;
	gateway_until(addresses(0) == 1);
	assert_int_equal(memory[0].failed, IPC_NAME_OK);
	const uint32_t turn = memory[0].turn;
	dns.asked = 0;
	gateway_until(dns.asked >= 2); /* the same again: nothing is written */
	assert_int_equal(memory[0].turn, turn);
	dns.answer = answer_unknown;
	gateway_until(memory[0].failed == IPC_NAME_UNKNOWN);
	assert_int_equal(addresses(0), 1);
	assert_string_equal(address(0, 0), "10.0.0.1 80");
	dns.answer = answer_both;
	gateway_until(addresses(0) == 2);
	ttl = 60;
	names_stop();
}

/* A resolver goes on with what the one before has written. */
static void addresses_outlive_a_resolver(void **state)
{
	(void)state;
	names_stage();
	dns.answer = answer_one;
	name_add("api.test", 80);
	names_start("");
	gateway_until(addresses(0) == 1);
	names_end(&names);
	const uint32_t turn = memory[0].turn;
	dns.asked = 0;
	assert_int_equal(names_begin(&names, "", 0), 0);
	gateway_until(dns.asked >= 2);
	for (int i = 0; i < 5; i++)
		assert_int_equal(loop_turn(&gateway.loop, 20), 0);
	assert_int_equal(memory[0].turn, turn);
	assert_int_equal(addresses(0), 1);
	names_stop();
}

/* One that ended between two endpoints, or that was taken over, leaves others for the second. */
static void what_another_resolver_left_wrong_is_written_again(void **state)
{
	const size_t second = ipc_names_place(1, 0, 0);
	(void)state;
	for (int how = 0; how < 3; how++) {
		names_stage();
		dns.answer = answer_one;
		name_add("api.test", 80);
		name_add("api.test", 81);
		names_start("");
		gateway_until(addresses(0) == 1 && addresses(1) == 1);
		names_end(&names);
		union ipc_address *all =
		    (union ipc_address *)(void *)((char *)memory + ipc_names_places(names.count));
		for (size_t i = 0; i < 2 * IPC_NAME_ADDRESSES_MAX; i++)
			if (how == 0)
				((struct sockaddr_in *)&all[second + i].storage)->sin_port =
				    htons(9);
			else if (how == 1)
				all[i] = address_of("10.6.6.6", 80);
		if (how == 2)
			memory[1].counts[memory[1].turn & 1] = 0;
		dns.asked = 0;
		assert_int_equal(names_begin(&names, "", 0), 0);
		gateway_until(dns.asked >= 2 && addresses(0) == 1 && addresses(1) == 1);
		gateway_until(strcmp(address(0, 0), "10.0.0.1 80") == 0 &&
			      strcmp(address(1, 0), "10.0.0.1 81") == 0);
		names_stop();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(servers_are_read),
	    cmocka_unit_test(search_and_options_are_read),
	    cmocka_unit_test(the_table_of_hosts_is_read),
	    cmocka_unit_test(what_no_connection_can_go_to_is_left_out),
	    cmocka_unit_test(addresses_are_found),
	    cmocka_unit_test(each_failure_is_told_from_the_others),
	    cmocka_unit_test(what_does_not_fit_comes_over_tcp),
	    cmocka_unit_test(tcp_alone_is_used_if_asked_for),
	    cmocka_unit_test(domains_are_sought_in_their_order),
	    cmocka_unit_test(the_next_server_is_asked_when_one_is_silent_or_fails),
	    cmocka_unit_test(lookups_under_way_end_without_a_word),
	    cmocka_unit_test(each_endpoint_has_the_addresses_with_its_port),
	    cmocka_unit_test(names_of_the_table_and_localhost_are_not_sought),
	    cmocka_unit_test(a_name_is_sought_again_and_keeps_its_addresses_meanwhile),
	    cmocka_unit_test(addresses_outlive_a_resolver),
	    cmocka_unit_test(what_another_resolver_left_wrong_is_written_again),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
