/*
 * The worker role, from its first message to its end. It reads certificates and keys before it
 * serves; afterwards it opens nothing.
 */
#include "worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syslog.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "worker/loop.h"

#define CONF_TEXT_MAX (16 << 20)

/* --- beginning ------------------------------------------------------------------------------ */

/* The descriptors of IPC_START in their order (struct ipc_start). */
struct handed {
	int conf_fd, tickets_fd, slots_fd;
	int sink_fds[LOG_SINKS];
};

static int take(struct ipc_message *m, size_t *next)
{
	if (*next >= m->fds_count)
		return -1;
	int fd = m->fds[*next];
	m->fds[(*next)++] = -1;
	return fd;
}

static void start_receive(struct worker *w, struct handed *h)
{
	struct ipc_message m;
	int n = ipc_receive(w->channel_fd, ipc_worker_permits, &m);
	if (n != 1 || m.type != IPC_START)
		fatal(EX_USAGE, "this role is started by the master only");
	memcpy(&w->start, m.payload, sizeof(w->start));
	size_t next = 0;
	h->conf_fd = take(&m, &next);
	h->tickets_fd = take(&m, &next);
	h->slots_fd = take(&m, &next);
	for (unsigned kind = 0; kind < LOG_SINKS; kind++)
		h->sink_fds[kind] = w->start.log_sinks & (1u << kind) ? take(&m, &next) : -1;
	while (w->listeners_count < w->start.listeners && next < m.fds_count)
		w->listener_fds[w->listeners_count++] = take(&m, &next);
	if (next != m.fds_count || w->listeners_count != w->start.listeners)
		fatal(EX_SOFTWARE, "the first message does not fit its descriptors");
}

/* Ends with the master, however it ends: the kernel sees to it, and the channel's end does where
 * the kernel came too late. */
static void master_bind(const struct worker *w)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		fatal(EX_OSERR, "prctl(PR_SET_PDEATHSIG): %s", strerror(errno));
	if (getppid() != w->start.master_pid)
		_exit(EX_UNAVAILABLE);
}

/* Tells the master why this worker cannot serve and ends it. */
static void __attribute__((noreturn, format(printf, 3, 4)))
start_failed(struct worker *w, int status, const char *format, ...)
{
	char text[IPC_PAYLOAD_MAX];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	size_t len = n < 0 ? 0 : (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
	(void)ipc_send(w->channel_fd, IPC_FAILED, text, len, NULL, 0);
	_exit(status);
}

static void report_finding(void *arg, enum conf_severity severity, const struct conf_where *where,
			   const char *text)
{
	(void)where;
	if (severity == CONF_ERROR)
		err_set(arg, "%s", text);
}

static void conf_receive(struct worker *w, int fd)
{
	char *text = NULL;
	size_t len = 0;
	struct err err = {"it could not be parsed"};
	const struct conf_options options = {.threads_built = worker_threads_built};
	int error = fd_read_all(fd, CONF_TEXT_MAX, &text, &len);
	if (error < 0)
		start_failed(w, EX_OSERR, "cannot read the configuration: %s", strerror(-error));
	error = conf_parse_text(text, len, "port", &options, report_finding, &err, &w->conf);
	if (error < 0)
		start_failed(w, EX_SOFTWARE, "the canonical configuration is refused: %s",
			     err.text);
	free(text);
	w->port = &w->conf->ports[0];
}

struct warning {
	struct log *log;
	unsigned worker;
};

static void certificate_warning(void *arg, size_t pair, const char *text)
{
	const struct warning *warning = arg;
	(void)pair;
	if (warning->worker == 1) /* once per pool */
		log_write(warning->log, LOG_WARNING, "%s", text);
}

static void tls_prepare(struct worker *w, int tickets_fd, struct log *log)
{
	uint8_t key[TLS_TICKET_KEY_BYTES];
	size_t pair = 0, count = w->port->certificates_count;
	struct err err;
	struct warning warning = {log, w->start.worker};
	if (pread(tickets_fd, key, sizeof(key), 0) != (ssize_t)sizeof(key))
		start_failed(w, EX_OSERR, "cannot read the session ticket key");
	struct tls_pair *pairs = calloc(count, sizeof(*pairs));
	if (pairs == NULL)
		start_failed(w, EX_OSERR, "out of memory");
	for (size_t i = 0; i < count; i++)
		pairs[i] = (struct tls_pair){w->port->certificates[i].certificate,
					     w->port->certificates[i].key};
	if (tls_context_new(pairs, count, key, certificate_warning, &warning, &w->tls, &pair,
			    &err) < 0)
		start_failed(w, EX_CONFIG, "%s", err.text);
	explicit_bzero(key, sizeof(key));
	free(pairs);
}

/* --- serving -------------------------------------------------------------------------------- */

void worker_drain(struct worker *w)
{
	for (unsigned i = 0; i < w->listeners_count; i++)
		fd_close(&w->listener_fds[i]);
	for (unsigned i = 1; i < w->loops_count; i++) {
		const uint64_t one = 1;
		(void)!write(w->loops[i].wakeup.fd, &one, sizeof(one));
	}
	worker_loop_drain(&w->loops[0]);
}

static void channel_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	struct worker *w = (struct worker *)((char *)io - offsetof(struct worker, channel));
	struct ipc_message m;
	(void)events;
	int n = ipc_receive(io->fd, ipc_worker_permits, &m);
	if (n == -EAGAIN)
		return;
	if (n != 1) /* the master is gone */
		_exit(EX_UNAVAILABLE);
	if (m.type == IPC_DRAIN)
		worker_drain(w);
	ipc_message_release(&m);
	(void)loop;
}

static void signal_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	struct worker *w = (struct worker *)((char *)io - offsetof(struct worker, signals));
	struct signalfd_siginfo info;
	(void)events;
	if (read(io->fd, &info, sizeof(info)) != sizeof(info) ||
	    loop_timer_is_set(&w->drain_deadline))
		return;
	loop_timer_set(loop, &w->drain_deadline, loop->now_ms + w->conf->drain_ms);
	worker_drain(w);
}

/* The port waits for this process to end before it gets another one. */
static void drain_expired(struct loop *loop, struct loop_timer *timer)
{
	const struct worker *w =
	    (struct worker *)((char *)timer - offsetof(struct worker, drain_deadline));
	(void)loop;
	log_write(&w->loops[0].log, LOG_WARNING, "the drain's time is up: %u connections are cut",
		  w->loops[0].conns_count);
	_exit(EX_TEMPFAIL);
}

/* SIGTERM drains this worker alone. What a terminal sends to the whole group is the master's. */
static int signals_prepare(struct worker *w)
{
	sigset_t set;
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	w->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	w->signals.ready = signal_ready;
	if (w->signals.fd < 0)
		return -errno;
	int error = loop_timer_init(&w->loops[0].loop, &w->drain_deadline, drain_expired);
	if (error < 0)
		return error;
	return loop_add(&w->loops[0].loop, &w->signals, EPOLLIN);
}

static int channel_prepare(struct worker *w)
{
	if (fcntl(w->channel_fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	w->channel = (struct loop_io){.fd = w->channel_fd, .ready = channel_ready};
	return loop_add(&w->loops[0].loop, &w->channel, EPOLLIN);
}

static void loops_prepare(struct worker *w, const struct log *log)
{
	w->loops_count = w->port->threads;
	w->pool = w->port->workers * w->loops_count;
	w->loops = calloc(w->loops_count, sizeof(*w->loops));
	if (w->loops == NULL)
		start_failed(w, EX_OSERR, "out of memory");
	for (unsigned i = 0; i < w->loops_count; i++) {
		int error = worker_loop_init(&w->loops[i], w, i);
		w->loops[i].log = *log;
		if (error == 0 && i == 0)
			error = channel_prepare(w);
		if (error == 0 && i == 0)
			error = signals_prepare(w);
		if (error < 0)
			start_failed(w, EX_OSERR, "cannot make event loop %u: %s", i + 1,
				     strerror(-error));
	}
}

static void worker_release(struct worker *w)
{
	for (unsigned i = 0; i < w->loops_count; i++)
		worker_loop_release(&w->loops[i]);
	fd_close(&w->signals.fd);
	log_close(&w->loops[0].log); /* the other loops' descriptors are the same */
	free(w->loops);
	ipc_slots_unmap(w->slots, w->loops_count);
	tls_context_free(w->tls);
	routes_release(&w->routes);
	conf_free(w->conf);
}

int worker_main(int channel_fd)
{
	struct worker w = {.channel_fd = channel_fd};
	struct handed h;
	struct log log;

	start_receive(&w, &h);
	master_bind(&w);
	setproctitle("-bulkhead: port %u worker %u", w.start.port, w.start.worker);
	log_init(&log, LOG_ROLE_WORKER, w.start.port, w.start.worker, w.start.log_facility);
	log.level = w.start.log_level;
	for (unsigned kind = 0; kind < LOG_SINKS; kind++)
		if (h.sink_fds[kind] >= 0)
			log_adopt(&log, (enum log_sink_kind)kind, h.sink_fds[kind]);

	conf_receive(&w, h.conf_fd);
	w.slots = ipc_slots_map(h.slots_fd, w.port->threads);
	if (w.slots == NULL)
		start_failed(&w, EX_OSERR, "cannot map the counters");
	if (routes_init(&w.routes, w.port) < 0)
		start_failed(&w, EX_OSERR, "out of memory");
	tls_prepare(&w, h.tickets_fd, &log);
	fd_close(&h.conf_fd);
	fd_close(&h.tickets_fd);
	fd_close(&h.slots_fd);
	loops_prepare(&w, &log);

	(void)ipc_send(channel_fd, IPC_READY, NULL, 0, NULL, 0);
	worker_threads_run(&w);
	worker_release(&w);
	return EX_OK;
}
