/*
 * The master role. It owns every port, listener and child; it must never block, touch TLS or HTTP,
 * or believe a child about anything but itself.
 */
#include "master/master.h"

#include <errno.h>
#include <fcntl.h>
#include <libutil.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syslog.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/text.h"
#include "master/state.h"

#define TURN_RETRY_MS    10
#define CONFINE_SECONDS  10
#define TICKET_KEY_BYTES 64 /* GnuTLS's master key for session tickets */

/* A sealed memory with fresh random bytes: the key under which this port's workers, and no other
 * port's, make and take session tickets. It outlives them, so that clients resume after a crash. */
static int ticket_key_make(void)
{
	unsigned char key[TICKET_KEY_BYTES];
	if (getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key))
		return -EIO;
	int fd = fd_sealed_memory("bulkhead-tickets", key, sizeof(key));
	explicit_bzero(key, sizeof(key));
	return fd;
}

/* auto: a keyholder per event loop, as long as there are processors for them. */
static unsigned keyholders_of(const struct conf_port *conf)
{
	unsigned loops = conf->workers * conf->threads;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	if (conf->keyholders != 0)
		return conf->keyholders;
	return processors > 0 && loops > (unsigned long)processors ? (unsigned)processors : loops;
}

static void child_init(struct port *p, struct child *c, unsigned index)
{
	bool worker = index >= p->keyholders;
	*c = (struct child){.port = p,
			    .role = worker ? IPC_WORKER : IPC_KEYHOLDER,
			    .number = worker ? index - p->keyholders + 1 : index + 1,
			    .loops = worker ? p->conf->threads : 1,
			    .pid = -1,
			    .channel = {.fd = -1},
			    .sink_fds = {-1, -1, -1}};
	c->watch.loops_count = c->loops;
	c->watch.loops = calloc(c->loops, sizeof(*c->watch.loops));
	if (c->watch.loops == NULL ||
	    loop_timer_init(&p->master->loop, &c->deadline, child_deadline_expired) < 0)
		fatal(EX_OSERR, "out of memory");
}

static void port_init(struct master *m, struct port *p, const struct conf_port *conf)
{
	*p = (struct port){.master = m,
			   .conf = conf,
			   .tickets_fd = ticket_key_make(),
			   .chroot_fd = -1,
			   .keyholders = keyholders_of(conf)};
	p->children_count = p->keyholders + conf->workers;
	p->children = calloc(p->children_count, sizeof(*p->children));
	if (p->children == NULL || p->tickets_fd < 0 ||
	    loop_timer_init(&m->loop, &p->backoff, port_spawn_expired) < 0)
		fatal(EX_OSERR, "cannot set up port %u", conf->number);
	for (unsigned i = 0; i < p->children_count; i++)
		child_init(p, &p->children[i], i);
}

/* What it takes to look users up and to make directories is given up before a port is served. */
static void ports_identify(struct master *m)
{
	struct err err;
	for (size_t i = 0; i < m->ports_count; i++) {
		port_init(m, &m->ports[i], &m->conf->ports[i]);
		if (port_identify(&m->ports[i], &err) < 0)
			port_park(&m->ports[i], err.text);
	}
}

static void confine(struct master *m)
{
	struct sandbox_level level;
	struct err err;
	char line[512];
	struct text t;
	/* libseccomp goes round for ever when some of its allocations fail. */
	(void)alarm(CONFINE_SECONDS);
	if (sandbox_master(&level, &err) < 0)
		fatal(EX_OSERR, "the master cannot be confined: %s", err.text);
	(void)alarm(0);
	text_init(&t, line, sizeof(line));
	sandbox_level_describe(&level, &t);
	log_write(&m->log, LOG_INFO, "confined: %s", line);
}

/* Parking the last of them is the end of the server. */
static void ports_start(struct master *m)
{
	struct err err;
	for (size_t i = 0; i < m->ports_count && !m->draining; i++) {
		struct port *p = &m->ports[i];
		if (p->state == PORT_PARKED)
			continue;
		if (port_open_files(p, &err) < 0)
			port_park(p, err.text);
		else if (port_listen(p) < 0)
			port_park(p, "its address cannot be bound");
		else
			port_spawn(p);
	}
}

/* Ports cost descriptors; what the hard limit allows is taken. */
static void descriptors_raise(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* A terminal is open for reading, too, and children inherit it: one that is taken over would read
 * what is typed there. A socket, or somebody else's terminal, cannot be narrowed and stays. */
static void error_stream_narrow(void)
{
	int flags = fcntl(STDERR_FILENO, F_GETFL);
	if (flags < 0 || (flags & O_ACCMODE) != O_RDWR)
		return;
	int fd = open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0)
		(void)dup2(fd, STDERR_FILENO);
	fd_close(&fd);
}

/* Above every descriptor that a child has at a fixed place. */
static int high_open(const char *path, int flags)
{
	int low = open(path, flags | O_CLOEXEC);
	if (low < 0)
		fatal(EX_OSERR, "cannot open %s: %s", path, strerror(errno));
	int fd = fcntl(low, F_DUPFD_CLOEXEC, 10);
	if (fd < 0)
		fatal(EX_OSERR, "cannot open %s: %s", path, strerror(errno));
	close(low);
	return fd;
}

static void master_init(struct master *m, const struct conf *conf,
			const struct master_options *options)
{
	*m = (struct master){.conf = conf, .options = options, .ports_count = conf->ports_count};
	descriptors_raise();
	m->null_fd = high_open("/dev/null", O_RDWR);
	m->exe_fd = high_open("/proc/self/exe", O_PATH);
	error_stream_narrow();
	m->environment = environment_for_children();
	m->ports = calloc(m->ports_count, sizeof(*m->ports));
	if (m->ports == NULL || m->environment == NULL)
		fatal(EX_OSERR, "out of memory");
	int error = loop_init(&m->loop);
	if (error < 0 ||
	    (error = loop_timer_init(&m->loop, &m->drain_deadline, drain_deadline_expired)) < 0 ||
	    (error = loop_timer_init(&m->loop, &m->sinks_retry, sinks_retry_expired)) < 0 ||
	    (error = loop_timer_init(&m->loop, &m->log_tick, sinks_tick_expired)) < 0 ||
	    (error = loop_timer_init(&m->loop, &m->watchdog, watchdog_expired)) < 0 ||
	    (error = signals_start(m)) < 0)
		fatal(EX_OSERR, "cannot make the event loop: %s", strerror(-error));
	m->started_ms = m->loop.now_ms;
}

static void port_release(struct port *p)
{
	for (unsigned i = 0; i < p->children_count; i++)
		free(p->children[i].watch.loops);
	free(p->children);
	for (unsigned i = 0; i < PORT_REPORTS; i++)
		free(p->reports[i]);
}

static void master_release(struct master *m)
{
	for (size_t i = 0; i < m->ports_count; i++) {
		fd_close(&m->ports[i].tickets_fd);
		port_close_files(&m->ports[i]);
		port_release(&m->ports[i]);
	}
	free(m->ports);
	for (size_t i = 0; i < m->empty_roots_count; i++)
		fd_close(&m->empty_roots[i].fd);
	free(m->empty_roots);
	free(m->environment);
	fd_close(&m->signals.fd);
	fd_close(&m->exe_fd);
	fd_close(&m->oom_fd);
	fd_close(&m->null_fd);
	loop_release(&m->loop);
	log_close(&m->log);
}

static void say_goodbye(struct master *m)
{
	uint64_t ms = m->loop.now_ms - m->started_ms;
	log_write(&m->log, m->killed > 0 ? LOG_WARNING : LOG_NOTICE,
		  "stopped after %llus: %u worker%s drained, %u killed, %llu connection%s cut",
		  (unsigned long long)(ms / 1000), m->drained, m->drained == 1 ? "" : "s",
		  m->killed, (unsigned long long)m->cut, m->cut == 1 ? "" : "s");
}

/*
 * epoll_wait(2) names no error but EINTR and those of a wrong call. Should a kernel have another
 * one to tell, or somebody in between, everything else is still there: nobody's connection is lost,
 * and it is tried again, without spinning.
 */
static void turn(struct master *m)
{
	const struct timespec pause = {.tv_nsec = TURN_RETRY_MS * 1000000L};
	int error = loop_turn(&m->loop, -1);
	if (error == -EBADF || error == -EINVAL || error == -EFAULT)
		fatal(EX_OSERR, "the event loop failed: %s", strerror(-error));
	if (error < 0)
		(void)nanosleep(&pause, NULL);
}

int master_main(const struct conf *conf, const struct master_options *options)
{
	struct master m;
	master_init(&m, conf, options);
	if (options->pid_file != NULL)
		(void)pidfile_write(options->pid_file);
	setproctitle("-bulkhead: master");
	(void)prctl(PR_SET_NAME, "bulkhead");
	sinks_open(&m);
	log_write(&m.log, LOG_NOTICE, "bulkhead %s (pid %d) starts %zu port%s", BULKHEAD_VERSION,
		  (int)getpid(), m.ports_count, m.ports_count == 1 ? "" : "s");
	ports_identify(&m);
	oom_start(&m);
	confine(&m);
	watchdog_start(&m);
	ports_start(&m);

	while (!master_is_done(&m)) {
		turn(&m);
		sinks_watch(&m);
	}

	say_goodbye(&m);
	int status = m.killed > 0 || m.failed ? 1 : 0;
	if (options->pid_file != NULL)
		(void)pidfile_remove(options->pid_file);
	master_release(&m);
	return status;
}
