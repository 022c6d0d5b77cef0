/*
 * Runs in the selftest: starts the master as a user would. It knows of the children what they
 * report, and what the master logs about their ends. Must never leave a process behind.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

#define LOG_LINES_SHOWN 40
#define TURN_MS         50

/* --- input ------------------------------------------------------------------------------------ */

static void peer_gone(struct loop *loop, struct peer *p)
{
	loop_close(loop, &p->io);
}

static void peer_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	struct peer *p = (struct peer *)io;
	(void)events;
	void *into = p->known ? (void *)&p->answer : (void *)&p->hello;
	const size_t size = p->known ? sizeof(p->answer) : sizeof(p->hello);
	if (recv(io->fd, into, size, 0) != (ssize_t)size) {
		peer_gone(loop, p);
		return;
	}
	p->answered = p->known;
	p->known = true;
}

static void bench_listener_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	struct bench *b = (struct bench *)((char *)io - offsetof(struct bench, listener));
	struct peer *p = calloc(1, sizeof(*p));
	(void)events;
	int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC);
	if (p == NULL || fd < 0) {
		fd_close(&fd);
		free(p);
		return;
	}
	*p = (struct peer){.io = {.fd = fd, .ready = peer_ready}, .bench = b};
	LIST_INSERT_HEAD(&b->peers, p, link);
	(void)loop_add(loop, &p->io, EPOLLIN);
}

static void output_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	struct bench *b = (struct bench *)((char *)io - offsetof(struct bench, output));
	char data[16384];
	(void)events;
	ssize_t n = read(io->fd, data, sizeof(data));
	if (n > 0)
		(void)buf_append(&b->log, data, (size_t)n);
	else if (n == 0 || errno != EAGAIN)
		loop_close(loop, io);
}

/* Reads and ignores the input. */
static void discard_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	char data[4096];
	(void)loop;
	(void)events;
	(void)recv(io->fd, data, sizeof(data), MSG_DONTWAIT);
}

static void accept_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC);
	(void)loop;
	(void)events;
	fd_close(&fd);
}

static void signals_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	struct bench *b = (struct bench *)((char *)io - offsetof(struct bench, signals));
	struct signalfd_siginfo info;
	(void)loop;
	(void)events;
	if (read(io->fd, &info, sizeof(info)) == sizeof(info))
		b->interrupted = (int)info.ssi_signo;
}

/* --- beginning and end ----------------------------------------------------------------------- */

/* name: a path, or an abstract name with '@' for its leading 0. */
static int unix_bind(struct bench *b, struct loop_io *io, const char *name, int type,
		     void (*ready)(struct loop *, struct loop_io *, uint32_t))
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	size_t len = strlen(name);
	memcpy(a.sun_path, name, len);
	if (name[0] == '@')
		a.sun_path[0] = '\0';
	*io = (struct loop_io){.fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
			       .ready = ready};
	if (io->fd < 0 ||
	    bind(io->fd, (struct sockaddr *)&a,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0 ||
	    (type != SOCK_DGRAM && listen(io->fd, SOMAXCONN) < 0))
		return -errno;
	return loop_add(&b->loop, io, EPOLLIN);
}

static int signals_take(struct bench *b)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	b->signals = (struct loop_io){.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
				      .ready = signals_ready};
	return b->signals.fd < 0 ? -errno : loop_add(&b->loop, &b->signals, EPOLLIN);
}

int bench_init(struct bench *b, const struct stage *s, struct err *err)
{
	*b = (struct bench){.stage = s, .log = BUF_INIT(BENCH_LOG_MAX), .master = -1};
	b->signals.fd = b->listener.fd = b->sink.fd = b->target.fd = b->abstract.fd = -1;
	b->output.fd = -1;
	LIST_INIT(&b->peers);
	(void)snprintf(b->abstract_name, sizeof(b->abstract_name), "@bulkhead-selftest-%d",
		       (int)getpid());
	int error = loop_init(&b->loop);
	if (error < 0 || (error = signals_take(b)) < 0 ||
	    (error = unix_bind(b, &b->listener, s->socket_path, SOCK_SEQPACKET,
			       bench_listener_ready)) < 0 ||
	    (error = unix_bind(b, &b->sink, s->datagram_path, SOCK_DGRAM, discard_ready)) < 0 ||
	    (error = unix_bind(b, &b->target, s->target_path, SOCK_DGRAM, discard_ready)) < 0 ||
	    (error = unix_bind(b, &b->abstract, b->abstract_name, SOCK_SEQPACKET, accept_ready)) <
		0) {
		err_set(err, "cannot prepare the attempts: %s", strerror(-error));
		return -1;
	}
	return 0;
}

void bench_release(struct bench *b)
{
	bench_stop(b);
	fd_close(&b->signals.fd);
	fd_close(&b->listener.fd);
	fd_close(&b->sink.fd);
	fd_close(&b->target.fd);
	fd_close(&b->abstract.fd);
	loop_release(&b->loop);
	buf_release(&b->log);
}

/* --- the master ------------------------------------------------------------------------------ */

/* In the child. The master cannot tell it from a start by any other program. */
static void __attribute__((noreturn))
master_exec(const struct bench *b, pid_t selftest, int output_fd, char *option)
{
	char program[] = "bulkhead", file[] = "-f", hidden[] = "--attempts";
	char *argv[] = {program, file,   (char *)(uintptr_t)b->stage->conf_path,
			hidden,  option, NULL};
	sigset_t none;
	sigemptyset(&none);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    dup2(output_fd, STDERR_FILENO) < 0 || prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) < 0 ||
	    getppid() != selftest || sigprocmask(SIG_SETMASK, &none, NULL) < 0 ||
	    (b->no_mounts && sandbox_forgo_mounts() < 0))
		_exit(127);
	(void)execv("/proc/self/exe", argv);
	_exit(127);
}

/* The master's standard error: also open for reading, like a terminal. */
static int output_open(struct bench *b)
{
	const char *path = b->stage->output_path;
	(void)unlink(path);
	if (mkfifo(path, 0600) < 0)
		return -errno;
	b->output = (struct loop_io){.fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC),
				     .ready = output_ready};
	int fd = b->output.fd < 0 ? -1 : open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int error = loop_add(&b->loop, &b->output, EPOLLIN);
	if (error < 0)
		fd_close(&fd);
	return error < 0 ? error : fd;
}

static int master_start(struct bench *b, char *option)
{
	const pid_t self = getpid();
	int fd = output_open(b);
	if (fd < 0)
		return fd;
	b->master = fork();
	if (b->master == 0)
		master_exec(b, self, fd, option);
	int error = b->master < 0 ? -errno : 0;
	fd_close(&fd);
	return error;
}

/* False: waiting longer is useless. */
static bool turn(struct bench *b, uint64_t deadline_ms)
{
	return loop_turn(&b->loop, TURN_MS) == 0 && b->interrupted == 0 && clock_ms() < deadline_ms;
}

static struct peer *peer_find(const struct bench *b, enum ipc_role role, unsigned port)
{
	struct peer *p;
	LIST_FOREACH(p, &b->peers, link)
		if (p->io.fd >= 0 && p->known && p->hello.role == role && p->hello.port == port)
			return p;
	return NULL;
}

/* A parked port does not come back. */
static bool is_parked(const struct bench *b)
{
	static const char mark[] = "] PARKED (";
	return buf_len(&b->log) > 0 &&
	       memmem(buf_head(&b->log), buf_len(&b->log), mark, sizeof(mark) - 1) != NULL;
}

struct peer *bench_peer(struct bench *b, enum ipc_role role, unsigned port)
{
	const uint64_t deadline_ms = clock_ms() + BENCH_PATIENCE_MS;
	struct peer *p;
	while ((p = peer_find(b, role, port)) == NULL)
		if (b->output.fd < 0 || is_parked(b) || !turn(b, deadline_ms))
			return NULL;
	return p;
}

bool bench_lives(struct bench *b, pid_t pid)
{
	const struct peer *p;
	(void)loop_turn(&b->loop, 0); /* for the latest news */
	LIST_FOREACH(p, &b->peers, link)
		if (p->io.fd >= 0 && p->known && p->hello.pid == pid)
			return true;
	return false;
}

int bench_start(struct bench *b, struct err *err)
{
	char option[PATH_ROOM + 32];
	buf_release(&b->log);
	(void)snprintf(option, sizeof(option), "%u,%u,%s", b->leave_out, b->keep,
		       b->stage->socket_path);
	int error = master_start(b, option);
	if (error < 0) {
		err_set(err, "the master cannot be started: %s", strerror(-error));
		return -1;
	}
	for (const struct stage_port *p = b->stage->ports; p < b->stage->ports + PORTS_TRIED; p++)
		if (p->number != 0 &&
		    ((!p->plain && bench_peer(b, IPC_KEYHOLDER, p->number) == NULL) ||
		     bench_peer(b, IPC_VERIFIER, p->number) == NULL ||
		     bench_peer(b, IPC_RESOLVER, p->number) == NULL ||
		     bench_peer(b, IPC_CONNECTOR, p->number) == NULL ||
		     bench_peer(b, IPC_WORKER, p->number) == NULL)) {
			err_set(err, "not all ports of the configuration are served here");
			return -1;
		}
	return 0;
}

/* The kernel ends the children together with it, however it ends. */
static void master_end(struct bench *b)
{
	const uint64_t deadline_ms = clock_ms() + BENCH_PATIENCE_MS / 2;
	int signal_number = SIGTERM;
	(void)kill(b->master, signal_number);
	while (waitpid(b->master, NULL, WNOHANG) == 0) {
		(void)loop_turn(&b->loop, TURN_MS);
		if (clock_ms() >= deadline_ms && signal_number == SIGTERM) {
			signal_number = SIGKILL;
			(void)kill(b->master, signal_number);
		}
	}
	b->master = -1;
}

void bench_stop(struct bench *b)
{
	struct peer *p;
	if (b->master > 0)
		master_end(b);
	fd_close(&b->output.fd);
	while ((p = LIST_FIRST(&b->peers)) != NULL) {
		LIST_REMOVE(p, link);
		fd_close(&p->io.fd);
		free(p);
	}
}

/* Prints the first lines only: a master that fails repeatedly logs the same again and again. */
void bench_show_log(struct bench *b, FILE *out)
{
	(void)loop_turn(&b->loop, 0); /* read what is still in the pipe */
	const char *line = (const char *)buf_head(&b->log), *end = line + buf_len(&b->log);
	for (unsigned i = 0; i < LOG_LINES_SHOWN && line < end; i++) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		const char *next = newline != NULL ? newline + 1 : end;
		(void)fwrite(line, 1, (size_t)(next - line), out);
		line = next;
	}
}

/* --- one attempt ----------------------------------------------------------------------------- */

/* Finds the master's line about this process: after "(pid N) " comes the given word. */
static const char *log_find(const struct bench *b, pid_t pid, const char *word)
{
	char mark[64];
	if (buf_len(&b->log) == 0)
		return NULL;
	int n = snprintf(mark, sizeof(mark), "(pid %d) %s", (int)pid, word);
	return memmem(buf_head(&b->log), buf_len(&b->log), mark, (size_t)n);
}

/* Copies the text up to " after 0.012s and 0 requests". */
static void end_take(const struct bench *b, const char *at, struct trial *t)
{
	const char *log_end = (const char *)buf_head(&b->log) + buf_len(&b->log);
	const char *from = strchr(at, ')') + 2; /* log_find() has found the ')' */
	const char *to = memmem(from, (size_t)(log_end - from), " after ", 7);
	size_t len = to == NULL ? 0 : (size_t)(to - from);
	if (len >= sizeof(t->said))
		len = sizeof(t->said) - 1;
	memcpy(t->said, from, len);
	t->said[len] = '\0';
}

/* A process that executed another program seems to have "drained", too. */
static void end_await(struct bench *b, pid_t pid, struct trial *t)
{
	static const char *const ends[] = {"was ", "ended ", "drained ", "crashed "};
	const uint64_t deadline_ms = clock_ms() + BENCH_PATIENCE_MS;
	do {
		const char *at = NULL;
		for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]) && at == NULL; i++)
			at = log_find(b, pid, ends[i]);
		if (at != NULL)
			end_take(b, at, t);
	} while (t->said[0] == '\0' && turn(b, deadline_ms));
	t->abused = log_find(b, pid, "has abused") != NULL;
}

void bench_try(struct bench *b, struct peer *p, const struct order *o, struct trial *ret)
{
	const uint64_t deadline_ms = clock_ms() + BENCH_PATIENCE_MS;
	*ret = (struct trial){.end = TRIAL_SILENT};
	p->answered = false;
	(void)send(p->io.fd, o, sizeof(*o), MSG_NOSIGNAL);
	while (!p->answered && p->io.fd >= 0)
		if (!turn(b, deadline_ms))
			break;
	if (p->answered) {
		ret->end = TRIAL_ANSWERED;
		ret->result = p->answer.result;
	} else if (p->io.fd < 0) {
		ret->end = TRIAL_ENDED;
		end_await(b, p->hello.pid, ret);
	}
}
