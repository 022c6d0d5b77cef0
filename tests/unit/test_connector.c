/* connector: which address is connected to, when the next one is tried, and what workers get. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "connector/requests.h"
#include "gateway.h"
#include "ipc/connect.h"
#include "skip.h"

static unsigned descriptors(void)
{
	unsigned count = 0;
	DIR *d = opendir("/proc/self/fd");
	while (readdir(d) != NULL)
		count++;
	closedir(d);
	return count;
}

/* --- one dial --------------------------------------------------------------------------------- */

static struct dial dials[64];
static struct dial_result results[64];
static unsigned done_count;

static void dial_done(struct dial *d, const struct dial_result *result)
{
	results[d - dials] = *result;
	done_count++;
}

static struct dial_result *dial(uint32_t endpoint, uint64_t timeout_ms)
{
	done_count = 0;
	results[0].fd = -1;
	dial_begin(&gateway.dialer, &dials[0], endpoint, timeout_ms, dial_done);
	gateway_until(done_count == 1);
	return &results[0];
}

static void expect_refused(uint32_t endpoint, int error)
{
	const struct dial_result *r = dial(endpoint, 1000);
	assert_int_equal(r->status, IPC_CONNECT_REFUSED);
	assert_int_equal(r->error, error);
	assert_int_equal(r->fd, -1);
}

static struct network_address v4(const char *text)
{
	struct network_address a;
	assert_int_equal(network_address_parse(text, strlen(text), &a), 0);
	return a;
}

static void expect_connected(const struct dial_result *r, const char *address)
{
	const struct network_address a =
	    address != NULL ? v4(address) : (struct network_address){0};
	assert_int_equal(r->status, IPC_CONNECTED);
	assert_true(r->fd >= 0);
	assert_int_equal(r->address.high, a.high);
	assert_int_equal(r->address.low, a.low);
	assert_true((fcntl(r->fd, F_GETFL) & O_NONBLOCK) != 0);
	close(r->fd);
}

/* A listener whose queue is full: the kernel answers nobody. */
static int full_listener(const char *host, uint16_t *port, int *ret_waiting, unsigned count)
{
	const int fd = tcp_listener(host, port, 0);
	const union ipc_address a = address_of(host, *port);
	for (unsigned i = 0; i < count; i++) {
		ret_waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)connect(ret_waiting[i], &a.any, sizeof(struct sockaddr_in));
	}
	return fd;
}

static void a_number_is_connected_to(void **state)
{
	uint16_t port = 0;
	const int listener = tcp_listener("127.0.0.1", &port, 8);
	int on = 0;
	socklen_t len = sizeof(on);
	(void)state;
	gateway_begin();
	const uint32_t e = gateway_endpoint("127.0.0.1", port, false);
	gateway_prepare();
	const unsigned before = descriptors();
	struct dial_result r = *dial(e, 1000);
	assert_int_equal(getsockopt(r.fd, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
	assert_true(on);
	char control[16] = "";
	len = sizeof(control);
	assert_int_equal(getsockopt(r.fd, IPPROTO_TCP, TCP_CONGESTION, control, &len), 0);
	assert_string_equal(control, "reno"); /* net/near.h */
	int fd = accept(listener, NULL, NULL);
	char byte = 0;
	assert_true(fd >= 0);
	assert_int_equal(write(r.fd, "x", 1), 1);
	assert_int_equal(read(fd, &byte, 1), 1);
	assert_int_equal(byte, 'x');
	close(fd);
	expect_connected(&r, "127.0.0.1");
	assert_int_equal(descriptors(), before);
	close(listener);
	gateway_end();
}

static void six_is_connected_to(void **state)
{
	uint16_t port = 0;
	struct network_address a;
	(void)state;
	const int probe = socket(AF_INET6, SOCK_STREAM, 0);
	const union ipc_address own = address_of("::1", 0);
	const bool has = probe >= 0 && bind(probe, &own.any, sizeof(struct sockaddr_in6)) == 0;
	close(probe);
	if (!has)
		skip_because("needs IPv6");
	const int listener = tcp_listener("::1", &port, 8);
	gateway_begin();
	const uint32_t e = gateway_endpoint("::1", port, false);
	gateway_prepare();
	struct dial_result *r = dial(e, 1000);
	assert_int_equal(network_address_parse("::1", 3, &a), 0);
	assert_int_equal(r->address.low, a.low);
	expect_connected(r, "::1");
	close(listener);
	gateway_end();
}

static void nobody_listens(void **state)
{
	uint16_t port = 0;
	(void)state;
	close(tcp_listener("127.0.0.1", &port, 8));
	gateway_begin();
	const uint32_t e = gateway_endpoint("127.0.0.1", port, false);
	gateway_prepare();
	expect_refused(e, ECONNREFUSED);
	gateway_end();
}

static void nobody_answers(void **state)
{
	uint16_t port = 0;
	int waiting[8];
	const int listener = full_listener("127.0.0.1", &port, waiting, 8);
	(void)state;
	gateway_begin();
	const uint32_t e = gateway_endpoint("127.0.0.1", port, false);
	gateway_prepare();
	const uint64_t begun_ms = gateway.loop.now_ms;
	assert_int_equal(dial(e, 300)->status, IPC_CONNECT_TIMED_OUT);
	assert_true(gateway.loop.now_ms - begun_ms >= 300);
	for (int i = 0; i < 8; i++)
		close(waiting[i]);
	close(listener);
	gateway_end();
}

/* --- Unix sockets ----------------------------------------------------------------------------- */

static int local_listener(const char *path, int backlog)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	(void)unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

static void a_unix_socket_is_connected_to(void **state)
{
	char folder[] = "/tmp/bulkhead-test-XXXXXX", path[64];
	(void)state;
	assert_non_null(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/s", folder);
	gateway_begin();
	const uint32_t e = gateway_socket(path);
	gateway_prepare();
	expect_refused(e, ENOENT);
	const int listener = local_listener(path, 0);
	expect_connected(dial(e, 1000), NULL);

	/* Its queue is full now and has no word for that: it is tried again, until there is room.
	 */
	done_count = 0;
	dial_begin(&gateway.dialer, &dials[0], e, 10000, dial_done);
	for (int i = 0; i < 5; i++)
		assert_int_equal(loop_turn(&gateway.loop, 20), 0);
	assert_int_equal(done_count, 0);
	close(accept(listener, NULL, NULL));
	gateway_until(done_count == 1);
	expect_connected(&results[0], NULL);
	assert_int_equal(dial(e, 100)->status, IPC_CONNECT_TIMED_OUT);

	close(listener);
	expect_refused(e, ECONNREFUSED);
	unlink(path);
	rmdir(folder);
	gateway_end();
}

/* --- names ------------------------------------------------------------------------------------ */

static void a_name_waits_for_its_first_addresses(void **state)
{
	uint16_t port = 0;
	const int listener = tcp_listener("127.0.0.1", &port, 8);
	(void)state;
	gateway_begin();
	(void)gateway_endpoint("10.9.9.9", 1, false);
	const uint32_t e = gateway_endpoint("api.test", port, true);
	gateway_prepare();
	const union ipc_address a = address_of("127.0.0.1", port);
	done_count = 0;
	dial_begin(&gateway.dialer, &dials[0], e, 10000, dial_done);
	assert_int_equal(loop_turn(&gateway.loop, 20), 0);
	assert_int_equal(done_count, 0);
	gateway_resolve(0, &a, 1);
	gateway_until(done_count == 1);
	expect_connected(&results[0], "127.0.0.1");

	gateway_resolve(0, NULL, 0); /* the resolver has found nothing */
	gateway.names[0].failed = IPC_NAME_UNKNOWN;
	dial_begin(&gateway.dialer, &dials[0], e, 10000, dial_done);
	assert_int_equal(done_count, 2);
	assert_int_equal(results[0].status, IPC_CONNECT_UNRESOLVED);

	gateway.names[0].failed = IPC_NAME_OK; /* … and says nothing */
	assert_int_equal(dial(e, 50)->status, IPC_CONNECT_UNRESOLVED);
	close(listener);
	gateway_end();
}

static void all_addresses_are_used_in_turn(void **state)
{
	uint16_t port = 0;
	const int one = tcp_listener("127.0.0.1", &port, 64),
		  two = tcp_listener("127.0.0.2", &port, 64),
		  three = tcp_listener("127.0.0.3", &port, 64);
	unsigned counts[4] = {0};
	(void)state;
	gateway_begin();
	const uint32_t e = gateway_endpoint("api.test", port, true);
	gateway_prepare();
	const union ipc_address list[] = {address_of("127.0.0.1", port),
					  address_of("127.0.0.2", port),
					  address_of("127.0.0.3", port)};
	gateway_resolve(0, list, 3);
	for (int i = 0; i < 12; i++) {
		const struct dial_result *r = dial(e, 1000);
		assert_int_equal(r->status, IPC_CONNECTED);
		counts[r->address.low & 3]++;
		close(r->fd);
	}
	for (int i = 1; i < 4; i++)
		assert_int_equal(counts[i], 4);
	close(one);
	close(two);
	close(three);
	gateway_end();
}

static void the_next_address_is_tried_at_once_after_a_failure(void **state)
{
	uint16_t port = 0;
	const int good = tcp_listener("127.0.0.2", &port, 64);
	(void)state;
	gateway_begin();
	const uint32_t e = gateway_endpoint("api.test", port, true);
	gateway_prepare();
	const union ipc_address list[] = {address_of("127.0.0.1", port),
					  address_of("127.0.0.3", port),
					  address_of("127.0.0.2", port)};
	gateway_resolve(0, list, 3);
	const uint64_t begun_ms = gateway.loop.now_ms;
	for (int i = 0; i < 6; i++)
		expect_connected(dial(e, 5000), "127.0.0.2");
	assert_true(gateway.loop.now_ms - begun_ms < 6 * DIAL_NEXT_MS);
	close(good);
	expect_refused(e, ECONNREFUSED); /* all of them */
	gateway_end();
}

static void the_next_address_is_tried_after_a_while_of_silence(void **state)
{
	uint16_t port = 0;
	int waiting[8];
	const int silent = full_listener("127.0.0.1", &port, waiting, 8);
	const int good = tcp_listener("127.0.0.2", &port, 64);
	(void)state;
	gateway_begin();
	const uint32_t e = gateway_endpoint("api.test", port, true);
	gateway_prepare();
	const union ipc_address list[] = {address_of("127.0.0.1", port),
					  address_of("127.0.0.2", port)};
	gateway_resolve(0, list, 2);
	uint64_t begun_ms = gateway.loop.now_ms;
	expect_connected(dial(e, 10000), "127.0.0.2");
	assert_true(gateway.loop.now_ms - begun_ms >= DIAL_NEXT_MS);
	/* From now on it is the last one. */
	for (int i = 0; i < 4; i++) {
		dial_begin(&gateway.dialer, &dials[0], e, 10000, dial_done);
		const struct dial_try *first = &dials[0].tries[0];
		if (done_count++ == 0 && first->io.fd >= 0)
			assert_ptr_equal(dials[0].list.places[0], &gateway.places[17]);
		gateway_until(results[0].fd >= 0);
		expect_connected(&results[0], "127.0.0.2");
		results[0].fd = -1;
	}
	/* … but is not forgotten. */
	close(good);
	assert_int_equal(dial(e, 100)->status, IPC_CONNECT_TIMED_OUT);
	for (int i = 0; i < 8; i++)
		close(waiting[i]);
	close(silent);
	gateway_end();
}

/* A resolver that was taken over. */
static void what_is_no_address_of_the_endpoint_is_not_connected_to(void **state)
{
	uint16_t port = 0, other = 0;
	const int listener = tcp_listener("127.0.0.1", &port, 8);
	const int elsewhere = tcp_listener("127.0.0.1", &other, 8);
	(void)state;
	gateway_begin();
	const uint32_t e = gateway_endpoint("api.test", port, true);
	gateway_prepare();
	union ipc_address list[] = {address_of("127.0.0.1", other), address_of("127.0.0.1", port),
				    address_of("127.0.0.1", port), address_of("::1", other)};
	list[1].any.sa_family = AF_UNIX;
	list[2].any.sa_family = AF_UNSPEC;
	gateway_resolve(0, list, 4);
	for (int i = 0; i < 4; i++)
		expect_refused(e, EAFNOSUPPORT);
	gateway.names[0].counts[1] = UINT32_MAX;
	expect_refused(e, EAFNOSUPPORT);
	close(listener);
	close(elsewhere);
	gateway_end();
}

static void sockets_are_bounded(void **state)
{
	uint16_t port = 0;
	int waiting[8];
	const int silent = full_listener("127.0.0.1", &port, waiting, 8);
	(void)state;
	gateway_begin();
	const uint32_t e = gateway_endpoint("127.0.0.1", port, false);
	gateway_prepare();
	gateway.dialer.sockets_max = 2;
	for (int i = 1; i < 3; i++)
		dial_begin(&gateway.dialer, &dials[i], e, 10000, dial_done);
	const struct dial_result *r = dial(e, 10000);
	assert_int_equal(r->status, IPC_CONNECT_FULL);
	assert_int_equal(r->error, EMFILE);
	dial_cancel(&dials[1]);
	dial_cancel(&dials[2]);
	for (int i = 0; i < 8; i++)
		close(waiting[i]);
	close(silent);
	gateway_end();
}

/* --- a connection to itself ------------------------------------------------------------------- */

static void write_file(const char *path, const char *text)
{
	const int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		_exit(2);
	close(fd);
}

/* A network of its own, where each connection begins at the same port. */
static void network_begin(void)
{
	struct ifreq up = {.ifr_flags = IFF_UP | IFF_RUNNING};
	if (unshare(CLONE_NEWNET) < 0)
		_exit(2);
	memcpy(up.ifr_name, "lo", 3);
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (ioctl(fd, SIOCSIFFLAGS, &up) < 0)
		_exit(2);
	close(fd);
	write_file("/proc/sys/net/ipv4/ip_local_port_range", "40001 40001");
}

static void connect_to_itself(void)
{
	struct dial_result *r;
	network_begin();
	const uint32_t e = gateway_endpoint("127.0.0.1", 40001, false);
	gateway_prepare();
	r = dial(e, 1000);
	_exit(r->status == IPC_CONNECT_REFUSED && r->error == ECONNREFUSED ? 0 : 1);
}

/* Ports lack for one address at a time, and that is no fault of who listens there. */
static void lack_ports(void)
{
	static const char *const hosts[] = {"127.0.0.1", "127.0.0.2"};
	uint16_t port = 50000;
	network_begin();
	for (int i = 0; i < 2; i++)
		(void)tcp_listener(hosts[i], &port, 8);
	const uint32_t number = gateway_endpoint("127.0.0.1", port, false);
	const uint32_t other = gateway_endpoint("two.test", port, true);
	const uint32_t refused = gateway_endpoint("refused.test", port, true);
	gateway_prepare();
	const union ipc_address two[] = {address_of("127.0.0.1", port),
					 address_of("127.0.0.2", port)};
	const union ipc_address not [] = {address_of("127.0.0.3", port),
					  address_of("127.0.0.1", port)};
	gateway_resolve(0, two, 2);
	gateway_resolve(1, not, 2);
	struct dial_result r = *dial(number, 1000);
	if (r.status != IPC_CONNECTED)
		_exit(3);
	r = *dial(number, 1000);
	if (r.status != IPC_CONNECT_FULL || r.error != EADDRNOTAVAIL)
		_exit(4);
	r = *dial(other, 1000);
	if (r.status != IPC_CONNECTED || (r.address.low & 0xff) != 2)
		_exit(5);
	for (int i = 0; i < 2; i++) {
		r = *dial(refused, 1000);
		if (r.status != IPC_CONNECT_REFUSED || r.error != ECONNREFUSED)
			_exit(6);
	}
	_exit(0);
}

static void in_a_network_of_its_own(void (*act)(void))
{
	int status = 0;
	gateway_begin();
	const pid_t child = fork();
	if (child == 0)
		act();
	assert_int_equal(waitpid(child, &status, 0), child);
	loop_release(&gateway.loop);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
		skip_because("needs a network of its own");
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_connection_to_itself_is_refused(void **state)
{
	(void)state;
	in_a_network_of_its_own(connect_to_itself);
}

static void a_lack_of_ports_is_no_refusal(void **state)
{
	(void)state;
	in_a_network_of_its_own(lack_ports);
}

/* --- requests --------------------------------------------------------------------------------- */

#define LOOPS 3

static struct requests requests;
static struct requests_channel channels[LOOPS];
static int workers[LOOPS];
static int served[LOOPS];

static void channel_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	struct requests_channel *c = (struct requests_channel *)io;
	(void)loop;
	if ((events & EPOLLOUT) != 0)
		requests_writable(c);
	if (events == EPOLLOUT)
		return;
	served[c - channels] = requests_serve(&requests, c);
	if (served[c - channels] <= 0)
		loop_remove(loop, io);
}

static void requests_begin(unsigned loops)
{
	assert_int_equal(requests_init(&requests, &gateway.loop, &gateway.dialer, &gateway.health,
				       (uint32_t)gateway.port.endpoints_count, loops),
			 0);
	memset(channels, 0, sizeof(channels));
	for (int i = 0; i < LOOPS; i++) {
		int fds[2];
		assert_int_equal(ipc_connect_channel(fds), 0);
		workers[i] = fds[0];
		served[i] = 1;
		channels[i].holder.io = (struct loop_io){.fd = fds[1], .ready = channel_ready};
		assert_int_equal(loop_add(&gateway.loop, &channels[i].holder.io, EPOLLIN), 0);
	}
}

static void requests_end(void)
{
	for (int i = 0; i < LOOPS; i++) {
		requests_leave(&channels[i]);
		loop_close(&gateway.loop, &channels[i].holder.io);
		close(workers[i]);
	}
	assert_int_equal(requests.count, 0);
	requests_release(&requests);
	gateway_end();
}

static void ask(int worker, uint64_t id, uint32_t endpoint, uint32_t timeout_ms)
{
	const struct ipc_connect_request r = {
	    .id = id, .endpoint = endpoint, .timeout_ms = timeout_ms};
	int error = -EAGAIN;
	gateway_until((error = ipc_connect_ask(workers[worker], &r)) != -EAGAIN);
	assert_int_equal(error, 0);
}

static struct ipc_connect_answer take(int worker, int *ret_fd)
{
	struct ipc_connect_answer a = {.id = 0};
	int n = -EAGAIN;
	gateway_until((n = ipc_connect_receive_answer(workers[worker], &a, ret_fd)) != -EAGAIN);
	assert_int_equal(n, 1);
	return a;
}

static void a_worker_gets_a_connection_or_a_reason(void **state)
{
	uint16_t port = 0, closed = 0;
	const int listener = tcp_listener("127.0.0.1", &port, 8);
	int fd = -1;
	(void)state;
	close(tcp_listener("127.0.0.1", &closed, 8));
	gateway_begin();
	const uint32_t good = gateway_endpoint("127.0.0.1", port, false);
	const uint32_t bad = gateway_endpoint("127.0.0.1", closed, false);
	const uint32_t lost = gateway_endpoint("lost.test", 80, true);
	gateway_prepare();
	gateway.names[0].failed = IPC_NAME_UNKNOWN;
	requests_begin(LOOPS);
	ask(1, 7, good, 1000);
	struct ipc_connect_answer a = take(1, &fd);
	assert_int_equal(a.id, 7);
	assert_int_equal(a.status, IPC_CONNECTED);
	assert_int_equal(a.address.low, v4("127.0.0.1").low);
	assert_true(fd >= 0);
	close(fd);
	ask(1, 8, bad, 1000);
	a = take(1, &fd);
	assert_int_equal(a.id, 8);
	assert_int_equal(a.status, IPC_CONNECT_REFUSED);
	assert_int_equal(a.error, ECONNREFUSED);
	assert_int_equal(fd, -1);
	ask(1, 9, lost, 1000);
	assert_int_equal(take(1, &fd).status, IPC_CONNECT_UNRESOLVED);
	assert_int_equal(gateway.healths->list[good].connected, 1);
	assert_int_equal(gateway.healths->list[bad].connects_failed, 1);
	assert_string_equal(gateway.healths->list[bad].why, "Connection refused");
	assert_string_equal(gateway.healths->list[lost].why, "its name has no address");
	close(listener);
	requests_end();
}

static void what_is_no_request_costs_the_channel(void **state)
{
	(void)state;
	gateway_begin();
	(void)gateway_endpoint("127.0.0.1", 9, false);
	gateway_prepare();
	requests_begin(LOOPS);
	ask(0, 1, 1, 1000); /* there is one endpoint */
	assert_int_equal(write(workers[1], "x", 1), 1);
	shutdown(workers[2], SHUT_WR);
	gateway_until(served[0] <= 0 && served[1] <= 0 && served[2] <= 0);
	assert_int_equal(served[0], -EBADMSG);
	assert_int_equal(served[1], -EBADMSG);
	assert_int_equal(served[2], 0);
	requests_end();
}

/* A worker that was taken over cannot use up what the others need. */
static void each_loop_has_its_share(void **state)
{
	uint16_t port = 0;
	int waiting[8], fd = -1;
	const int silent = full_listener("127.0.0.1", &port, waiting, 8);
	uint16_t other = 0;
	const int good = tcp_listener("127.0.0.1", &other, 64);
	(void)state;
	gateway_begin();
	const uint32_t e = gateway_endpoint("127.0.0.1", port, false);
	const uint32_t g = gateway_endpoint("127.0.0.1", other, false);
	gateway_prepare();
	gateway.dialer.sockets_max = 1000;
	requests_begin(1000);
	assert_int_equal(requests.share, REQUESTS_SHARE_MIN);
	for (unsigned i = 0; i < REQUESTS_SHARE_MIN; i++)
		ask(0, i + 1, e, 5000);
	ask(0, 99, e, 5000);
	const struct ipc_connect_answer a = take(0, &fd);
	assert_int_equal(a.id, 99);
	assert_int_equal(a.status, IPC_CONNECT_FULL);
	ask(1, 1, g, 5000);
	assert_int_equal(take(1, &fd).status, IPC_CONNECTED);
	close(fd);
	/* A worker that is gone leaves nothing. */
	requests_leave(&channels[0]);
	assert_int_equal(gateway.dialer.sockets, 0);
	assert_int_equal(channels[0].count, 0);
	for (int i = 0; i < 8; i++)
		close(waiting[i]);
	close(silent);
	close(good);
	requests_end();
}

static void a_worker_that_does_not_read_blocks_nobody(void **state)
{
	uint16_t port = 0;
	const int listener = tcp_listener("127.0.0.1", &port, 1024);
	int fd = -1;
	unsigned got = 0;
	(void)state;
	gateway_begin();
	const uint32_t e = gateway_endpoint("127.0.0.1", port, false);
	gateway_prepare();
	gateway.dialer.sockets_max = 1000;
	requests_begin(LOOPS);
	for (unsigned i = 0; i < 300; i++)
		ask(0, i + 1, e, 60000);
	ask(1, 1, e, 5000);
	assert_int_equal(take(1, &fd).status, IPC_CONNECTED);
	close(fd);
	gateway_until(gateway.healths->list[e].connected == 301);
	assert_true(channels[0].is_stuck);
	/* It reads after all: nothing is lost, and all is in its order. */
	for (; got < 300; got++) {
		const struct ipc_connect_answer a = take(0, &fd);
		assert_int_equal(a.id, got + 1);
		assert_int_equal(a.status, IPC_CONNECTED);
		close(fd);
	}
	gateway_until(!channels[0].is_stuck);
	assert_int_equal(requests.count, 0);
	close(listener);
	requests_end();
}

static void answers_that_come_too_late_are_lost_and_closed(void **state)
{
	uint16_t port = 0;
	const int listener = tcp_listener("127.0.0.1", &port, 1024);
	struct ipc_connect_answer a;
	int fd = -1;
	(void)state;
	gateway_begin();
	const uint32_t e = gateway_endpoint("127.0.0.1", port, false);
	gateway_prepare();
	gateway.dialer.sockets_max = 1000;
	requests_begin(LOOPS);
	const unsigned before = descriptors();
	for (unsigned i = 0; i < 300; i++)
		ask(0, i + 1, e, 300);
	gateway_until(gateway.healths->list[e].connected == 300);
	assert_true(channels[0].is_stuck);
	gateway_until(requests.count == 0);
	while (ipc_connect_receive_answer(workers[0], &a, &fd) == 1)
		close(fd);
	assert_int_equal(descriptors(), before);
	close(listener);
	requests_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_number_is_connected_to),
	    cmocka_unit_test(six_is_connected_to),
	    cmocka_unit_test(nobody_listens),
	    cmocka_unit_test(nobody_answers),
	    cmocka_unit_test(a_unix_socket_is_connected_to),
	    cmocka_unit_test(a_name_waits_for_its_first_addresses),
	    cmocka_unit_test(all_addresses_are_used_in_turn),
	    cmocka_unit_test(the_next_address_is_tried_at_once_after_a_failure),
	    cmocka_unit_test(the_next_address_is_tried_after_a_while_of_silence),
	    cmocka_unit_test(what_is_no_address_of_the_endpoint_is_not_connected_to),
	    cmocka_unit_test(sockets_are_bounded),
	    cmocka_unit_test(a_connection_to_itself_is_refused),
	    cmocka_unit_test(a_lack_of_ports_is_no_refusal),
	    cmocka_unit_test(a_worker_gets_a_connection_or_a_reason),
	    cmocka_unit_test(what_is_no_request_costs_the_channel),
	    cmocka_unit_test(each_loop_has_its_share),
	    cmocka_unit_test(a_worker_that_does_not_read_blocks_nobody),
	    cmocka_unit_test(answers_that_come_too_late_are_lost_and_closed),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
