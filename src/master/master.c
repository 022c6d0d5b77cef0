/*
 * The master role. It owns every port, listener and child. It must never block, use TLS or HTTP, or
 * trust a child about anything except itself.
 */
#include "master/master.h"

#include <errno.h>
#include <fcntl.h>
#include <libutil.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syslog.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/text.h"
#include "base/title.h"
#include "master/top.h"

#define TURN_RETRY_MS   10
#define CONFINE_SECONDS 10

/* Ends a master that cannot go on, after an entry in the log and a message to the service manager.
 * status as in sysexits(3). Also prints the error, unless standard error is already the log or
 * leads nowhere. */
static void __attribute__((noreturn, format(printf, 3, 4)))
master_fail(struct master *m, int status, const char *format, ...)
{
	struct err err;
	va_list args;
	va_start(args, format);
	(void)vsnprintf(err.text, sizeof(err.text), format, args);
	va_end(args);
	log_write(&m->log, LOG_CRIT, "%s", err.text);
	notify_ended(m, err.text);
	const bool shown = m->log.sinks[LOG_SINK_CONSOLE].fd >= 0 || log_stderr_is_journal();
	log_finish(&m->log);
	if (shown)
		exit(status);
	fatal(status, "%s", err.text);
}

/* Comes before the master is confined, because the privileges to look up users and make directories
 * are dropped then. */
static void ports_identify(struct master *m)
{
	struct err err;
	for (size_t i = 0; i < m->conf->ports_count; i++) {
		struct port *p = port_new(m, m->configuration, &m->conf->ports[i], 0);
		if (p == NULL)
			master_fail(m, EX_OSERR, "cannot set up port %u", m->conf->ports[i].number);
		p->stage = STAGE_CURRENT;
	}
	for (size_t i = 0; i < m->ports_count; i++)
		/* Other errors are temporary; the port tries again when it begins. */
		if (port_identify(m->ports[i], &err) == -1)
			port_park(m->ports[i], err.text);
}

static void confine(struct master *m)
{
	struct sandbox_level level;
	struct err err;
	char line[512];
	struct text t;
	/* libseccomp loops for ever if some of its allocations fail. */
	(void)alarm(CONFINE_SECONDS);
	if (sandbox_master(&level, m->filter_in_force, &err) < 0)
		master_fail(m, EX_OSERR, "the master cannot be confined: %s", err.text);
	(void)alarm(0);
	m->filter_in_force =
	    level.reached & 1u << SANDBOX_SECCOMP ? sandbox_master_mark() : m->filter_in_force;
	text_init(&t, line, sizeof(line));
	sandbox_level_describe(&level, &t);
	log_write(&m->log, LOG_DEBUG, "confined: %s", line);
}

/* Ports need descriptors, so the soft limit is raised to the hard one. */
static void descriptors_raise(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* Makes standard error write-only for children: a terminal is also open for reading, and a child
 * that was taken over could read what is typed there. A socket or another user's terminal cannot be
 * reopened and stays. A file is opened for appending, so that it can be truncated and shared with
 * other writers. */
static void error_stream_narrow(void)
{
	struct stat st;
	int flags = fcntl(STDERR_FILENO, F_GETFL);
	if (flags >= 0 && (flags & O_APPEND) == 0 && fstat(STDERR_FILENO, &st) == 0 &&
	    S_ISREG(st.st_mode))
		(void)fcntl(STDERR_FILENO, F_SETFL, flags | O_APPEND);
	if (flags < 0 || (flags & O_ACCMODE) != O_RDWR)
		return;
	int fd = open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0)
		(void)dup2(fd, STDERR_FILENO);
	fd_close(&fd);
}

static int high_open(const char *path, int flags)
{
	int low = open(path, flags | O_CLOEXEC);
	if (low < 0)
		fatal(EX_OSERR, "cannot open %s: %s", path, strerror(errno));
	int fd = fcntl(low, F_DUPFD_CLOEXEC, FD_OWN_MIN);
	if (fd < 0)
		fatal(EX_OSERR, "cannot open %s: %s", path, strerror(errno));
	close(low);
	return fd;
}

static void master_init(struct master *m, struct conf *conf, const struct master_options *options)
{
	*m = (struct master){.conf = conf,
			     .options = options,
			     .sockets = options->sockets,
			     .oom_fd = -1,
			     .mounter = {.fd = -1, .pid = -1},
			     .switches = {.io = {.fd = -1}}};
	TAILQ_INIT(&m->relays);
	m->configuration = conf != NULL ? configuration_new(conf) : NULL;
	descriptors_raise();
	m->null_fd = high_open("/dev/null", O_RDWR);
	m->exe_fd = high_open("/proc/self/exe", O_PATH);
	error_stream_narrow();
	m->environment = environment_for_children();
	if ((conf != NULL && m->configuration == NULL) || m->environment == NULL)
		fatal(EX_OSERR, "out of memory");
	int error = loop_init(&m->loop);
	if (error < 0 ||
	    (error = loop_timer_init(&m->loop, &m->drain_deadline, drain_deadline_expired)) < 0 ||
	    (error = loop_timer_init(&m->loop, &m->roll_limit, roll_limit_expired)) < 0 ||
	    (error = loop_timer_init(&m->loop, &m->sinks_retry, sinks_retry_expired)) < 0 ||
	    (error = loop_timer_init(&m->loop, &m->log_tick, relay_tick_expired)) < 0 ||
	    (error = loop_timer_init(&m->loop, &m->relay_timer, relay_timer_expired)) < 0 ||
	    (error = loop_timer_init(&m->loop, &m->second, second_expired)) < 0 ||
	    (error = upgrade_start(m)) < 0 || (error = signals_start(m)) < 0)
		fatal(EX_OSERR, "cannot make the event loop: %s", strerror(-error));
	terminal_open(m);
	m->started_ms = m->loop.now_ms;
}

static void master_release(struct master *m)
{
	while (m->ports_count > 0)
		port_free(m->ports[m->ports_count - 1]);
	free(m->ports);
	configuration_release(m->configuration);
	for (size_t i = 0; i < m->empty_roots_count; i++) {
		fd_close(&m->empty_roots[i].fd);
		free(m->empty_roots[i].path);
	}
	free(m->empty_roots);
	layouts_forget(m);
	free(m->environment);
	notify_end(m);
	sockets_release(&m->sockets);
	fd_close(&m->signals.fd);
	fd_close(&m->terminal_fd);
	fd_close(&m->mounter.fd);
	fd_close(&m->switches.io.fd);
	mounts_forget(m);
	fd_close(&m->exe_fd);
	fd_close(&m->oom_fd);
	fd_close(&m->null_fd);
	loop_release(&m->loop);
	log_finish(&m->log);
	log_close(&m->log);
}

static void say_goodbye(struct master *m)
{
	uint64_t ms = m->loop.now_ms - m->started_ms;
	char line[256];
	struct text t;
	text_init(&t, line, sizeof(line));
	text_addf(&t, "stopped after %llus: %u worker%s drained, %u killed, %llu connection%s cut",
		  (unsigned long long)(ms / 1000), m->drained, m->drained == 1 ? "" : "s",
		  m->killed, (unsigned long long)m->cut, m->cut == 1 ? "" : "s");
	log_write(&m->log, m->killed > 0 ? LOG_WARNING : LOG_NOTICE, "%s", line);
	notify_ended(m, m->failed ? "no port could be served" : line);
}

/* The log is not configured until the configuration of the earlier version is known. */
static void adoption_fail(const struct master *m, const char *why)
{
	if (m->options->daemonized)
		syslog(LOG_DAEMON | LOG_CRIT, "cannot continue from the earlier version: %s", why);
	fatal(EX_SOFTWARE, "cannot continue from the earlier version: %s", why);
}

/*
 * epoll_wait(2) documents no error except EINTR and those of a wrong call. If another one comes
 * nevertheless, everything else is intact: no connection is dropped, and the master tries again
 * after a pause.
 */
static void turn(struct master *m)
{
	const struct timespec pause = {.tv_nsec = TURN_RETRY_MS * 1000000L};
	int error = loop_turn(&m->loop, -1);
	if (error == -EBADF || error == -EINVAL || error == -EFAULT)
		master_fail(m, EX_OSERR, "the event loop failed: %s", strerror(-error));
	if (error < 0)
		(void)nanosleep(&pause, NULL);
}

static void begin(struct master *m)
{
	sinks_open(m);
	notify_start(m);
	log_write(&m->log, LOG_NOTICE, "bulkhead %s (pid %d) starts %zu port%s", BULKHEAD_VERSION,
		  (int)getpid(), m->conf->ports_count, m->conf->ports_count == 1 ? "" : "s");
	ports_identify(m);
	oom_start(m);
	mounter_start(m);
	confine(m);
	seconds_start(m);
	ports_start(m);
	sockets_tell_unclaimed(m);
}

/* Takes the place of an earlier version whose children serve. */
static void take_over(struct master *m)
{
	struct err err;
	int state_fd = m->options->adopt_fd;
	if (master_adopt(m, state_fd, &err) < 0)
		adoption_fail(m, err.text);
	fd_close(&state_fd);
	const int level = m->log.level;
	sinks_open(m);
	m->log.level = level;
	notify_start(m);
	log_write(&m->log, LOG_NOTICE, "bulkhead %s (pid %d) takes over from %s", BULKHEAD_VERSION,
		  (int)getpid(), m->former);
	oom_start(m);
	confine(m);
	seconds_start(m);
	ports_adopted(m);
	master_adopted(m);
}

int master_main(struct conf *conf, const struct master_options *options)
{
	struct master m;
	master_init(&m, conf, options);
	if (options->pid_file != NULL)
		(void)pidfile_write(options->pid_file);
	title_set("bulkhead: master");
	(void)prctl(PR_SET_NAME, "bulkhead");
	if (options->adopt_fd >= 0)
		take_over(&m);
	else
		begin(&m);
	turn_look(&m);
	control_open(&m);

	while (!master_is_done(&m)) {
		turn(&m);
		turn_look(&m);
		sinks_watch(&m);
	}

	control_close(&m);
	say_goodbye(&m);
	int status = m.killed > 0 || m.failed ? 1 : 0;
	if (options->pid_file != NULL)
		(void)pidfile_remove(options->pid_file);
	master_release(&m);
	return status;
}
