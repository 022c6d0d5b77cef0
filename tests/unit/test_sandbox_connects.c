/* sandbox: a process with a block of addresses connects to what is in it, and to nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/addresses.h"
#include "sandbox/internal.h"
#include "sandbox/sandbox.h"
#include "skip.h"

#define LAYERS ((1u << SANDBOX_LAYERS) - 1)
/* The filter alone: what it allows is not refused by another layer. */
#define FILTER (LAYERS & ~(1u << SANDBOX_SECCOMP) & ~(1u << SANDBOX_NO_NEW_PRIVS))

enum { LISTED, LOCAL, EMPTY, PLACES };

static struct ipc_block block;
static int listener_fd, other_fd, local_fd; /* of another port; of a path */
static struct sockaddr_in listener, other;
static char folder[64];

static struct shared {
	struct sandbox_level level;
	long forbidden; /* the call that SIGSYS was for; -1: none */
	long result;
	int error;
} * shared;

/* --- the child -------------------------------------------------------------------------------- */

static void on_forbidden(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	shared->forbidden = info->si_syscall;
	_exit(2);
}

static struct sandbox_plan plan_for(enum sandbox_role role, unsigned leave_out)
{
	static uint16_t ports[1];
	ports[0] = ntohs(listener.sin_port);
	return (struct sandbox_plan){.role = role,
				     .needs = sandbox_needs_of(role),
				     .parent_pid = getpid(),
				     .chroot_fd = -1,
				     .descriptors = 64,
				     .pinned = block.places,
				     .pinned_bytes = block.bytes,
				     .addresses = 2,
				     .tcp_ports = ports,
				     .tcp_ports_count = 1,
				     .leave_out = leave_out};
}

static void child(const struct sandbox_plan *p, long (*act)(void))
{
	int status = -1;
	*shared = (struct shared){.forbidden = -1};
	const pid_t pid = fork();
	if (pid == 0) {
		struct err err = {""};
		struct sigaction forbidden = {.sa_sigaction = on_forbidden, .sa_flags = SA_SIGINFO};
		(void)sigaction(SIGSYS, &forbidden, NULL);
		alarm(60);
		if (sandbox_drop(p, &shared->level, &err) < 0 ||
		    sandbox_seal(p, &shared->level, &err) < 0) {
			fprintf(stderr, "%s\n", err.text);
			_exit(1);
		}
		shared->result = act();
		shared->error = shared->result < 0 ? errno : 0;
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), shared->forbidden >= 0 ? 2 : 0);
}

static void is_fine(const struct sandbox_plan *p, long (*act)(void))
{
	child(p, act);
	if (shared->forbidden >= 0)
		print_error("%s was forbidden\n", sandbox_call_name((uint64_t)shared->forbidden));
	assert_int_equal(shared->forbidden, -1);
	assert_int_equal(shared->error, 0);
}

static void is_forbidden(const struct sandbox_plan *p, long (*act)(void), long number)
{
	child(p, act);
	assert_int_equal(shared->forbidden, number);
}

static void is_refused(const struct sandbox_plan *p, long (*act)(void), int error)
{
	child(p, act);
	assert_int_equal(shared->forbidden, -1);
	assert_int_equal(shared->error, error);
}

#define STREAM (SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)
#define DGRAM  (SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC)

static int tcp(void)
{
	return socket(AF_INET, STREAM, 0);
}

/* 0: it connected. */
static long finish(int fd, long result)
{
	int error = 0;
	socklen_t len = sizeof(error);
	struct pollfd writable = {.fd = fd, .events = POLLOUT};
	if (result == 0 || errno != EINPROGRESS)
		return result;
	if (poll(&writable, 1, 10000) != 1 ||
	    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -1;
	errno = error;
	return error == 0 ? 0 : -1;
}

static long connect_long(int fd, const void *at, socklen_t len)
{
	return finish(fd, syscall(SYS_connect, fd, at, len));
}

static long connect_at(int fd, const void *at)
{
	return connect_long(fd, at, IPC_ADDRESS_LEN);
}

/* --- what it can ------------------------------------------------------------------------------ */

static long connect_listed(void)
{
	const int fd = tcp(), on = 1;
	if (connect_at(fd, &block.places[LISTED]) < 0)
		return -1;
	return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 ||
		       setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4) < 0
		   ? -1
		   : 0;
}

static long connect_local(void)
{
	return connect_at(socket(AF_UNIX, STREAM, 0), &block.places[LOCAL]);
}

static long make_datagrams(void)
{
	return socket(AF_INET, DGRAM, 0) < 0 || socket(AF_INET6, DGRAM, 0) < 0 ? -1 : 0;
}

static void it_connects_to_what_is_listed(void **state)
{
	const struct sandbox_plan all = plan_for(SANDBOX_CONNECTOR, 0);
	const struct sandbox_plan names = plan_for(SANDBOX_RESOLVER, 0);
	(void)state;
	is_fine(&all, connect_listed);
	is_fine(&all, connect_local);
	is_fine(&names, make_datagrams);
}

/* What it takes from the heap it gives back, and nothing becomes a mapping, which it could not
 * release: 200 times 20 MiB would not fit. */
static long use_memory(void)
{
	for (int i = 0; i < 200; i++) {
		char *a = malloc(8 << 20);
		if (a == NULL)
			return -1;
		a[0] = a[(8 << 20) - 1] = 1;
		char *b = realloc(a, 12 << 20);
		if (b == NULL)
			return -1;
		b[(12 << 20) - 1] = 2;
		free(b);
	}
	return 0;
}

static void its_memory_can_be_used_again(void **state)
{
	struct sandbox_plan p = plan_for(SANDBOX_CONNECTOR, FILTER);
	(void)state;
	if (calls_sanitized)
		skip_because("a sanitizer has a heap of its own");
	p.memory_bytes = 256 << 20; /* of address space */
	is_fine(&p, use_memory);
}

/* --- what it cannot --------------------------------------------------------------------------- */

static long connect_copy(void)
{
	union ipc_address copy = {.bytes = {0}};
	memcpy(&copy, &listener, sizeof(listener));
	return connect_at(tcp(), &copy);
}

static long connect_copy_aligned(void)
{
	static _Alignas(4096) union ipc_address copy[32];
	memcpy(&copy[0], &listener, sizeof(listener));
	return connect_at(tcp(), copy);
}

static long connect_inside_place(void)
{
	return connect_at(tcp(), block.places[LISTED].bytes + 8);
}

static long connect_before(void)
{
	return connect_at(tcp(), &block.places[LISTED] - 1);
}

static long connect_after(void)
{
	return connect_at(tcp(), (const unsigned char *)block.places + block.bytes);
}

static long connect_null(void)
{
	return connect_at(tcp(), NULL);
}

static long connect_longer(void)
{
	return connect_long(tcp(), &block.places[LISTED], IPC_ADDRESS_LEN + 1);
}

static long connect_shorter(void)
{
	return connect_long(tcp(), &block.places[LISTED], sizeof(listener));
}

/* The path of another socket begins that of the listed one. */
static long connect_beginning(void)
{
	return connect_long(socket(AF_UNIX, STREAM, 0), &block.places[LOCAL],
			    (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
					strlen(block.places[LOCAL].local.sun_path) - 1));
}

static void no_other_address_is_taken(void **state)
{
	long (*const tries[])(void) = {connect_copy,   connect_copy_aligned, connect_inside_place,
				       connect_before, connect_after,        connect_null,
				       connect_longer, connect_shorter};
	(void)state;
	for (enum sandbox_role role = SANDBOX_CONNECTOR; role <= SANDBOX_RESOLVER; role++) {
		const struct sandbox_plan p = plan_for(role, FILTER);
		for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++)
			is_forbidden(&p, tries[i], SYS_connect);
	}
	const struct sandbox_plan p = plan_for(SANDBOX_CONNECTOR, FILTER);
	is_forbidden(&p, connect_beginning, SYS_connect);
}

static void *at_block(void)
{
	return (void *)(uintptr_t)block.places;
}

static long unmap(void)
{
	return syscall(SYS_munmap, at_block(), block.bytes);
}

static long move_away(void)
{
	return syscall(SYS_mremap, at_block(), block.bytes, block.bytes, MREMAP_MAYMOVE);
}

static long move_over(void)
{
	void *own =
	    mmap(NULL, block.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return syscall(SYS_mremap, own, block.bytes, block.bytes, MREMAP_MAYMOVE | MREMAP_FIXED,
		       at_block());
}

static long make_writable(void)
{
	return syscall(SYS_mprotect, at_block(), block.bytes, PROT_READ | PROT_WRITE);
}

static long drop_pages(void)
{
	return syscall(SYS_madvise, at_block(), block.bytes, MADV_DONTNEED);
}

static long map_over(void)
{
	return syscall(SYS_mmap, at_block(), block.bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

/* The kernel takes the hint only where nothing is. */
static long map_by_hint(void)
{
	const long at = syscall(SYS_mmap, at_block(), block.bytes, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	errno = EEXIST;
	return at != (long)(uintptr_t)at_block() && connect_listed() == 0 ? 0 : -1;
}

static void nothing_takes_the_place_of_the_block(void **state)
{
	(void)state;
	if (calls_sanitized)
		skip_because("the sanitizer makes system calls of its own");
	for (enum sandbox_role role = SANDBOX_CONNECTOR; role <= SANDBOX_RESOLVER; role++) {
		const struct sandbox_plan p = plan_for(role, FILTER);
		is_refused(&p, unmap, EPERM);
		is_refused(&p, move_away, EPERM);
		is_refused(&p, move_over, EPERM);
		is_refused(&p, make_writable, EPERM);
		is_refused(&p, drop_pages, EPERM);
		is_forbidden(&p, map_over, SYS_mmap);
	}
	const struct sandbox_plan p = plan_for(SANDBOX_CONNECTOR, FILTER);
	is_fine(&p, map_by_hint);
}

static int kind[3];

static long make_socket(void)
{
	return syscall(SYS_socket, kind[0], kind[1], kind[2]);
}

static void socket_is_forbidden(const struct sandbox_plan *p, int family, int type, int protocol)
{
	kind[0] = family;
	kind[1] = type;
	kind[2] = protocol;
	is_forbidden(p, make_socket, SYS_socket);
}

static void no_other_socket_is_made(void **state)
{
	struct sandbox_plan p = plan_for(SANDBOX_CONNECTOR, FILTER);
	const struct sandbox_plan names = plan_for(SANDBOX_RESOLVER, FILTER);
	(void)state;
	const struct sandbox_plan *const each[] = {&p, &names};
	for (size_t i = 0; i < 2; i++) {
		socket_is_forbidden(each[i], AF_INET, SOCK_STREAM, 0); /* which blocks */
		socket_is_forbidden(each[i], AF_INET, STREAM, IPPROTO_TCP);
		socket_is_forbidden(each[i], AF_INET, STREAM, 262 /* MPTCP */);
		socket_is_forbidden(each[i], AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		socket_is_forbidden(each[i], AF_UNIX, DGRAM, 0);
		socket_is_forbidden(each[i], AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
				    0);
		socket_is_forbidden(each[i], AF_NETLINK, SOCK_RAW, 0);
		socket_is_forbidden(each[i], AF_PACKET, SOCK_RAW, 0);
		socket_is_forbidden(each[i], 40 /* AF_VSOCK */, STREAM, 0);
	}
	socket_is_forbidden(&p, AF_INET, DGRAM, 0);
	socket_is_forbidden(&p, AF_INET6, DGRAM, 0);
	socket_is_forbidden(&names, AF_UNIX, STREAM, 0);
	p.needs = SANDBOX_CONNECTS;
	socket_is_forbidden(&p, AF_UNIX, STREAM, 0);
}

static long send_fast(void)
{
	struct iovec iov = {(char[]){"x"}, 1};
	const struct msghdr m = {.msg_name = &listener,
				 .msg_namelen = sizeof(listener),
				 .msg_iov = &iov,
				 .msg_iovlen = 1};
	return sendmsg(tcp(), &m, MSG_FASTOPEN | MSG_DONTWAIT | MSG_NOSIGNAL);
}

static long send_plain(void)
{
	struct iovec iov = {(char[]){"x"}, 1};
	const struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	return sendmsg(tcp(), &m, 0);
}

static long send_to(void)
{
	return sendto(tcp(), "x", 1, MSG_FASTOPEN, (const struct sockaddr *)&listener,
		      sizeof(listener));
}

static long set_fast(void)
{
	const int on = 1;
	return setsockopt(tcp(), IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof(on));
}

static long look_at_option(void)
{
	int value;
	socklen_t len = sizeof(value);
	return getsockopt(tcp(), SOL_SOCKET, SO_PEERCRED, &value, &len);
}

static long bind_it(void)
{
	return bind(tcp(), (const struct sockaddr *)&block.places[EMPTY], sizeof(listener));
}

static long listen_on_it(void)
{
	return listen(tcp(), 1);
}

static long accept_from_it(void)
{
	return accept4(tcp(), NULL, NULL, 0);
}

static long open_file(void)
{
	return syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", &(uint64_t[3]){0}, 24);
}

static void nothing_else_reaches_the_network(void **state)
{
	const struct sandbox_plan p = plan_for(SANDBOX_CONNECTOR, FILTER);
	const struct sandbox_plan names = plan_for(SANDBOX_RESOLVER, FILTER);
	(void)state;
	is_forbidden(&p, send_fast, SYS_sendmsg);
	is_forbidden(&p, send_plain, SYS_sendmsg);
	is_forbidden(&names, send_plain, SYS_sendmsg);
	const struct sandbox_plan *const each[] = {&p, &names};
	for (size_t i = 0; i < 2; i++) {
		is_forbidden(each[i], send_to, SYS_sendto);
		is_forbidden(each[i], set_fast, SYS_setsockopt);
		is_forbidden(each[i], look_at_option, SYS_getsockopt);
		is_forbidden(each[i], bind_it, SYS_bind);
		is_forbidden(each[i], listen_on_it, SYS_listen);
		is_forbidden(each[i], accept_from_it, SYS_accept4);
		is_forbidden(each[i], open_file, SYS_openat2);
	}
}

/* --- the layer below -------------------------------------------------------------------------- */

static long connect_other_port(void)
{
	return connect_long(tcp(), &other, sizeof(other));
}

static void landlock_knows_the_ports(void **state)
{
	const struct sandbox_plan p = plan_for(SANDBOX_CONNECTOR, 1u << SANDBOX_SECCOMP);
	const struct sandbox_plan none =
	    plan_for(SANDBOX_CONNECTOR, 1u << SANDBOX_SECCOMP | 1u << SANDBOX_LANDLOCK);
	(void)state;
	if (calls_sanitized)
		skip_because("the sanitizer makes system calls of its own");
	if (sandbox_landlock_version() < 4)
		skip_because("the kernel's Landlock does not know ports");
	is_fine(&p, connect_copy);
	is_refused(&p, connect_other_port, EACCES);
	is_fine(&none, connect_other_port);
}

/* --- what is said ----------------------------------------------------------------------------- */

static void a_block_is_required(void **state)
{
	struct sandbox_plan p = plan_for(SANDBOX_CONNECTOR, LAYERS);
	struct sandbox_level level = {.role = SANDBOX_CONNECTOR};
	struct err err = {""};
	(void)state;
	p.pinned = NULL;
	assert_int_equal(seccomp_confine(&p, &level, &err), -1);
	assert_string_not_equal(err.text, "");
	p.pinned = &block.places[1];
	assert_int_equal(seccomp_confine(&p, &level, &err), -1);
	p.pinned = block.places;
	p.pinned_bytes = 192;
	assert_int_equal(seccomp_confine(&p, &level, &err), -1);
	p = plan_for(SANDBOX_WORKER, LAYERS); /* which has no ports */
	assert_int_equal(sandbox_drop(&p, &level, &err), -1);
}

static void a_level_says_what_it_connects_to(void **state)
{
	static const struct {
		struct sandbox_level level;
		const char *words;
	} rows[] = {
	    {{.role = SANDBOX_CONNECTOR, .addresses = 1}, "connects to 1 upstream address,"},
	    {{.role = SANDBOX_CONNECTOR, .addresses = 3}, "connects to 3 upstream addresses,"},
	    {{.role = SANDBOX_CONNECTOR, .addresses = 3, .names = 1},
	     "connects to 3 upstream addresses and 1 name,"},
	    {{.role = SANDBOX_CONNECTOR, .names = 2}, "connects to 2 names,"},
	    {{.role = SANDBOX_RESOLVER, .addresses = 2}, "connects to 2 name servers,"},
	    {{.role = SANDBOX_RESOLVER, .addresses = 1}, "connects to 1 name server,"},
	};
	char line[1024];
	struct text t;
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sandbox_level l = rows[i].level;
		l.reached = LAYERS & ~(1u << SANDBOX_CHROOT);
		text_init(&t, line, sizeof(line));
		sandbox_level_describe(&l, &t);
		assert_non_null(strstr(line, rows[i].words));
		assert_non_null(strstr(line, "without an empty root"));
		l.waived = 1u << SANDBOX_CHROOT; /* it connects to Unix sockets */
		text_init(&t, line, sizeof(line));
		sandbox_level_describe(&l, &t);
		assert_null(strstr(line, "without"));
		text_init(&t, line, sizeof(line));
		assert_false(sandbox_level_missing(&l, &t));
		l.reached &= ~(1u << SANDBOX_SECCOMP); /* then it may connect to anything */
		text_init(&t, line, sizeof(line));
		sandbox_level_describe(&l, &t);
		assert_null(strstr(line, "connects"));
	}
}

/* --- the stage -------------------------------------------------------------------------------- */

static int listen_at(struct sockaddr_in *ret)
{
	socklen_t len = sizeof(*ret);
	const int fd = socket(AF_INET, SOCK_STREAM, 0);
	*ret =
	    (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_int_equal(bind(fd, (const struct sockaddr *)ret, len), 0);
	assert_int_equal(listen(fd, 512), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)ret, &len), 0);
	return fd;
}

static int set_up(void **state)
{
	union ipc_address places[PLACES] = {{.bytes = {0}}};
	(void)state;
	shared =
	    mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(shared != MAP_FAILED);
	listener_fd = listen_at(&listener);
	other_fd = listen_at(&other);
	memcpy(&places[LISTED], &listener, sizeof(listener));
	strcpy(folder, "/tmp/bulkhead-connects-XXXXXX");
	assert_non_null(mkdtemp(folder));
	places[LOCAL].local.sun_family = AF_UNIX;
	(void)snprintf(places[LOCAL].local.sun_path, sizeof(places[LOCAL].local.sun_path), "%s/s",
		       folder);
	local_fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(local_fd, &places[LOCAL].any, sizeof(struct sockaddr_un)), 0);
	assert_int_equal(listen(local_fd, 512), 0);
	assert_int_equal(ipc_block_make(places, PLACES, -1, 0, &block), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(listener_fd);
	close(other_fd);
	close(local_fd);
	(void)unlink(block.places[LOCAL].local.sun_path);
	(void)rmdir(folder);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_connects_to_what_is_listed),
	    cmocka_unit_test(its_memory_can_be_used_again),
	    cmocka_unit_test(no_other_address_is_taken),
	    cmocka_unit_test(nothing_takes_the_place_of_the_block),
	    cmocka_unit_test(no_other_socket_is_made),
	    cmocka_unit_test(nothing_else_reaches_the_network),
	    cmocka_unit_test(landlock_knows_the_ports),
	    cmocka_unit_test(a_block_is_required),
	    cmocka_unit_test(a_level_says_what_it_connects_to),
	};
	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("sandbox connects", tests, set_up, tear_down);
}
