/*
 * Runs in every child. Must never open anything: a child has only the descriptors it received.
 */
#include "role/role.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syslog.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/title.h"
#include "crash/recorder.h"

#define HANDED_TIMEOUT_MS 30000 /* the master's deadline for the whole start */
#define TELL_TIMEOUT_MS   10000

/* --- received descriptors --------------------------------------------------------------------- */

size_t role_count(const struct role *r, enum ipc_handed kind)
{
	return r->handed.counts[kind];
}

int role_look(const struct role *r, enum ipc_handed kind, size_t of)
{
	return ipc_handed_look(&r->handed, kind, of);
}

int role_take(struct role *r, enum ipc_handed kind, size_t of)
{
	return ipc_handed_take(&r->handed, kind, of);
}

unsigned role_handed_end(const struct role *r)
{
	int last = r->channel_fd;
	for (size_t i = 0; i < r->handed.count; i++)
		if (r->handed.list[i].fd > last)
			last = r->handed.list[i].fd;
	return (unsigned)last + 1;
}

/* Before START nothing shows that a master is there. Afterwards it hears the reason. */
static void start_receive(struct role *r)
{
	const char *why = "";
	const int error =
	    ipc_handed_receive(r->channel_fd, HANDED_TIMEOUT_MS, &r->start, &r->handed, &why);
	if (error == -EPIPE || error == -EBADF || error == -ENOTSOCK)
		fatal(EX_USAGE, "this role is started by the master only");
	if (error < 0)
		role_fail(r, error == -EBADMSG ? EX_SOFTWARE : role_status(r, -error),
			  "cannot receive its descriptors: %s", why);
}

/* --- beginning ------------------------------------------------------------------------------- */

static bool is_worker(const struct role *r)
{
	return r->start.role == IPC_WORKER;
}

static void log_begin(struct role *r)
{
	static const enum log_role roles[IPC_ROLES] = {[IPC_WORKER] = LOG_ROLE_WORKER,
						       [IPC_KEYHOLDER] = LOG_ROLE_KEYHOLDER,
						       [IPC_VERIFIER] = LOG_ROLE_VERIFIER,
						       [IPC_CONNECTOR] = LOG_ROLE_CONNECTOR,
						       [IPC_RESOLVER] = LOG_ROLE_RESOLVER};
	const struct ipc_start *s = &r->start;
	log_init(&r->log, roles[s->role], s->port, is_worker(r) ? s->number : 0, 0);
	r->log.level = s->log_level;
	log_adopt(&r->log, LOG_SINK_MASTER, STDERR_FILENO);
}

static void report_finding(void *arg, enum conf_severity severity, const struct conf_where *where,
			   const char *text)
{
	(void)where;
	if (severity == CONF_ERROR)
		err_set(arg, "%s", text);
}

static void conf_begin(struct role *r, bool threads_built)
{
	char *text = NULL;
	size_t len = 0;
	struct err err = {"it could not be parsed"};
	const struct conf_options options = {.threads_built = threads_built};
	int fd = role_take(r, IPC_FD_CONF, 0);
	int error = fd_read_all(fd, CONF_TEXT_MAX, &text, &len);
	fd_close(&fd);
	if (error < 0)
		role_fail(r, role_status(r, -error), "cannot read the configuration: %s",
			  strerror(-error));
	error = conf_parse_text(text, len, "port", &options, report_finding, &err, &r->conf);
	if (error < 0)
		role_fail(r, EX_SOFTWARE, "the canonical configuration is refused: %s", err.text);
	free(text);
	r->port = &r->conf->ports[0];
}

_Static_assert(RECORDER_LOOPS_MAX >= CONF_THREADS_MAX, "the crash recorder has a place for each");

static void board_begin(struct role *r)
{
	int fd = role_take(r, IPC_FD_SLOT, 0);
	r->slots_count = is_worker(r) ? r->port->threads : 1;
	r->board = ipc_board_map(fd, r->slots_count);
	fd_close(&fd);
	if (r->board == NULL)
		role_fail(r, role_status(r, ENOMEM), "cannot map the counters");
	r->slots = r->board->slots;
	int error = recorder_install(r->board, r->slots_count);
	if (error < 0)
		role_fail(r, role_status(r, -error), "cannot record crashes: %s", strerror(-error));
}

void role_begin(struct role *r, int channel_fd, bool threads_built, const struct role_hook *hook)
{
	*r = (struct role){.channel_fd = channel_fd, .hook = hook};
	start_receive(r);
	title_set("bulkhead: port %u %s %u", r->start.port,
		  ipc_role_name((enum ipc_role)r->start.role), r->start.number);
	log_begin(r);
	conf_begin(r, threads_built);
	board_begin(r);
}

void role_fail(struct role *r, int status, const char *format, ...)
{
	char text[IPC_PAYLOAD_MAX];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	size_t len = n < 0 ? 0 : (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
	role_tell(r, IPC_FAILED, text, len);
	_exit(status);
}

void role_tell(struct role *r, enum ipc_type type, const void *payload, size_t len)
{
	const uint64_t deadline_ms = clock_ms() + TELL_TIMEOUT_MS;
	struct pollfd writable = {.fd = r->channel_fd, .events = POLLOUT};
	while (ipc_send(r->channel_fd, type, payload, len, NULL, 0) == -EAGAIN) {
		const uint64_t now_ms = clock_ms();
		if (now_ms >= deadline_ms)
			return; /* the master's own deadline ends this process */
		(void)poll(&writable, 1, (int)(deadline_ms - now_ms));
	}
}

/* Is the process near its own limit (RLIMIT_AS), rather than on a machine without memory? Tries to
 * map a quarter of the limit without using it: only the limit can refuse that. */
static bool is_at_own_limit(const struct role *r)
{
	const uint64_t limit = r->port != NULL && is_worker(r) ? r->port->limits.memory_bytes : 0;
	if (limit == 0)
		return false;
	void *probe =
	    mmap(NULL, limit / 4, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (probe == MAP_FAILED)
		return true;
	(void)munmap(probe, limit / 4);
	return false;
}

int role_status(const struct role *r, int error)
{
	const bool own = error == ENOMEM && is_at_own_limit(r);
	return err_is_shortage(error) && !own ? EX_TEMPFAIL : EX_OSERR;
}

/* --- confinement ----------------------------------------------------------------------------- */

static bool connects_locally(const struct conf_port *port)
{
	size_t i = 0;
	while (i < port->endpoints_count && port->endpoints[i].path == NULL)
		i++;
	return i < port->endpoints_count;
}

unsigned role_needs(enum sandbox_role role, const struct conf_port *port)
{
	switch (role) {
	case SANDBOX_MASTER:
	case SANDBOX_MOUNTER:
	case SANDBOX_KEYHOLDER:
		return 0;
	case SANDBOX_VERIFIER:
		return SANDBOX_HASHES;
	case SANDBOX_RESOLVER:
		return SANDBOX_NAMES;
	case SANDBOX_CONNECTOR:
		return SANDBOX_CONNECTS | (connects_locally(port) ? SANDBOX_LOCAL : 0);
	case SANDBOX_WORKER:
		break;
	}
	return SANDBOX_CLIENTS | (port->threads > 1 ? SANDBOX_THREADS : 0) |
	       (port->roots_count > 0 ? SANDBOX_FILES : 0) | (port->plain ? 0 : SANDBOX_TLS);
}

/* The directories that the process may read beneath, which it has not taken yet. */
static int *roots_list(struct role *r, size_t *ret_count)
{
	int *list = calloc(role_count(r, IPC_FD_ROOT) + 1, sizeof(*list));
	if (list == NULL)
		role_fail(r, role_status(r, ENOMEM), "out of memory");
	*ret_count = 0;
	for (size_t i = 0; i < r->handed.count; i++)
		if (r->handed.list[i].kind == IPC_FD_ROOT && r->handed.list[i].fd >= 0)
			list[(*ret_count)++] = r->handed.list[i].fd;
	return list;
}

/* To which ports the process may connect by TCP. */
static uint16_t *tcp_ports_list(struct role *r, enum sandbox_role role, size_t *ret_count)
{
	const size_t room = r->port->endpoints_count + r->server_ports_count + 1;
	uint16_t *list = calloc(room, sizeof(*list));
	if (list == NULL)
		role_fail(r, role_status(r, ENOMEM), "out of memory");
	*ret_count = 0;
	for (size_t i = 0; role == SANDBOX_RESOLVER && i < r->server_ports_count; i++)
		list[(*ret_count)++] = r->server_ports[i];
	for (size_t i = 0; role == SANDBOX_CONNECTOR && i < r->port->endpoints_count; i++)
		if (r->port->endpoints[i].path == NULL)
			list[(*ret_count)++] = r->port->endpoints[i].port;
	return list;
}

void role_confine(struct role *r, enum sandbox_role role, uint64_t descriptors)
{
	const struct ipc_start *s = &r->start;
	struct err err;
	int chroot_fd = role_count(r, IPC_FD_CHROOT) > 0 ? role_take(r, IPC_FD_CHROOT, 0) : -1;
	size_t roots_count = 0, tcp_ports_count = 0;
	int *roots = roots_list(r, &roots_count);
	uint16_t *tcp_ports = tcp_ports_list(r, role, &tcp_ports_count);
	const unsigned needs = role_needs(role, r->port);
	if ((needs & SANDBOX_LOCAL) != 0)
		fd_close(&chroot_fd); /* its sockets are in the file system */
	r->plan =
	    (struct sandbox_plan){.role = role,
				  .needs = needs,
				  .parent_pid = s->master_pid,
				  .chroot_fd = chroot_fd,
				  .roots = roots,
				  .roots_count = roots_count,
				  .tcp_ports = tcp_ports,
				  .tcp_ports_count = tcp_ports_count,
				  .change_user = s->change_user != 0,
				  .uid = s->uid,
				  .gid = s->gid,
				  .descriptors = descriptors,
				  .memory_bytes = is_worker(r) ? r->port->limits.memory_bytes : 0,
				  .core_bytes = r->port->limits.core_bytes};
	if (r->hook != NULL) {
		r->plan.leave_out = r->hook->leave_out;
		r->hook->begun(r->hook->arg, r);
	}
	if (sandbox_drop(&r->plan, &r->level, &err) < 0)
		role_fail(r, EX_OSERR, "cannot be confined: %s", err.text);
	fd_close(&chroot_fd);
	free(roots);
	free(tcp_ports);
	r->plan.chroot_fd = -1;
	r->plan.tcp_ports = NULL;
	r->plan.tcp_ports_count = 0;
	r->plan.roots = NULL;
	r->plan.roots_count = 0;
}

void role_pin(struct role *r, const struct ipc_block *b, size_t addresses, size_t names)
{
	r->plan.pinned = b->places;
	r->plan.pinned_bytes = b->bytes;
	r->plan.addresses = (uint32_t)addresses;
	r->plan.names = (uint32_t)names;
}

void role_seal(struct role *r, struct loop *loop)
{
	struct err err;
	char missing[512];
	struct text t;
	ipc_handed_release(&r->handed);
	int error = recorder_close();
	if (error < 0)
		role_fail(r, EX_OSERR, "cannot protect the crash recorder: %s", strerror(-error));
	if (sandbox_seal(&r->plan, &r->level, &err) < 0)
		role_fail(r, EX_OSERR, "cannot be confined: %s", err.text);
	text_init(&t, missing, sizeof(missing));
	if (sandbox_level_missing(&r->level, &t) && r->conf->strict)
		role_fail(r, EX_CONFIG, "privileges are strict, and this is missing: %s", missing);
	if (r->hook != NULL)
		r->hook->sealed(r->hook->arg, r, loop);
	role_tell(r, IPC_READY, &r->level, sizeof(r->level));
}

/* --- orders from the master ------------------------------------------------------------------- */

/* Loops on other threads have their own logs, and read the level here when they are notified. */
static void settings_take(struct role *r, const struct ipc_message *m)
{
	struct ipc_settings s = {.log_level = r->log.level, .drain_ms = r->conf->drain_ms};
	memcpy(&s, m->payload, m->len < sizeof(s) ? m->len : sizeof(s));
	__atomic_store_n(&r->log.level, s.log_level, __ATOMIC_RELAXED);
	r->conf->drain_ms = s.drain_ms;
}

static void channel_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	struct role *r = (struct role *)((char *)io - offsetof(struct role, channel));
	struct ipc_message m;
	(void)loop;
	(void)events;
	/* The master may have become another version of this program since this process began. */
	int n = ipc_receive_other(io->fd, r->permits, IPC_SERVING, &m);
	if (n == -EAGAIN)
		return;
	if (n < 0) {
		log_write(&r->log, LOG_CRIT, "cannot read a message from the master: %s",
			  strerror(-n));
		_exit(EX_SOFTWARE);
	}
	if (n == 0) /* the master is gone */
		_exit(EX_UNAVAILABLE);
	if (m.type == IPC_SETTINGS)
		settings_take(r, &m);
	if (m.type != IPC_TYPES)
		r->told(r, &m);
	ipc_message_release(&m);
}

static void signal_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	struct role *r = (struct role *)((char *)io - offsetof(struct role, signals));
	struct signalfd_siginfo info;
	(void)loop;
	(void)events;
	if (read(io->fd, &info, sizeof(info)) == sizeof(info))
		r->terminate(r);
}

/* The master handles the signals that a terminal sends to the whole group. */
static int signals_listen(struct role *r, struct loop *loop)
{
	sigset_t set;
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGUSR1, SIG_IGN);
	(void)signal(SIGUSR2, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	r->signals.fd = -1;
	if (r->terminate == NULL)
		return 0; /* SIGTERM stays blocked */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	r->signals = (struct loop_io){.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
				      .ready = signal_ready};
	if (r->signals.fd < 0)
		return -errno;
	return loop_add(loop, &r->signals, EPOLLIN);
}

int role_listen(struct role *r, struct loop *loop, const struct ipc_permit permits[IPC_TYPES],
		void (*told)(struct role *, struct ipc_message *), void (*terminate)(struct role *),
		void *user)
{
	r->user = user;
	r->permits = permits;
	r->told = told;
	r->terminate = terminate;
	r->channel = (struct loop_io){.fd = r->channel_fd, .ready = channel_ready};
	int error = loop_add(loop, &r->channel, EPOLLIN);
	return error < 0 ? error : signals_listen(r, loop);
}

void role_release(struct role *r)
{
	fd_close(&r->signals.fd);
	log_finish(&r->log);
	log_close(&r->log);
	conf_free(r->conf);
}
