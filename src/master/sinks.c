/* Runs in the master: which sinks there are, and new ones for those whose daemon has restarted. */
#include <errno.h>
#include <string.h>
#include <sys/syslog.h>
#include <unistd.h>

#include "base/fd.h"
#include "master/state.h"

#define SINKS_RETRY_MS 250
#define LOG_TICK_MS    1000

static const char *sink_path(const struct conf_log *conf, enum log_sink_kind kind)
{
	switch (kind) {
	case LOG_SINK_SYSLOG:
		return conf->syslog_path;
	case LOG_SINK_JOURNAL:
		return conf->journal_path;
	case LOG_SINK_CONSOLE:
	case LOG_SINKS:
		break;
	}
	return NULL;
}

/* Where nothing is configured, the surroundings decide. */
static bool is_wanted(const struct master *m, const struct conf_log *conf, enum log_sink_kind kind)
{
	const bool wanted[LOG_SINKS] = {conf->console, conf->syslog, conf->journal};
	if (conf->console || conf->syslog || conf->journal)
		return wanted[kind];
	if (log_stderr_is_journal())
		return kind == LOG_SINK_JOURNAL;
	return kind == (m->options->daemonized ? LOG_SINK_SYSLOG : LOG_SINK_CONSOLE);
}

static void all_open(struct master *m)
{
	static const char *const names[LOG_SINKS] = {"console", "syslog", "journal"};
	for (unsigned kind = 0; kind < LOG_SINKS; kind++) {
		if (!is_wanted(m, &m->conf->log, (enum log_sink_kind)kind))
			continue;
		int error = log_open(&m->log, (enum log_sink_kind)kind,
				     sink_path(&m->conf->log, (enum log_sink_kind)kind));
		if (error < 0)
			dprintf(STDERR_FILENO, "bulkhead: cannot log to %s: %s\n", names[kind],
				strerror(-error));
	}
}

void sinks_open(struct master *m)
{
	log_init(&m->log, LOG_ROLE_MASTER, 0, 0, m->conf->log.syslog_facility);
	if (m->options->verbose)
		m->log.level = LOG_DEBUG;
	all_open(m);
}

static bool same_path(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

void sinks_change(struct master *m, const struct conf_log *before)
{
	const struct conf_log *now = &m->conf->log;
	bool other = false, moved = false;
	for (unsigned k = 0; k < LOG_SINKS; k++) {
		enum log_sink_kind kind = (enum log_sink_kind)k;
		other = other || is_wanted(m, before, kind) != is_wanted(m, now, kind);
		moved = moved || !same_path(sink_path(before, kind), sink_path(now, kind));
	}
	m->log.facility = now->syslog_facility;
	if (other) {
		log_close(&m->log);
		all_open(m);
	} else if (moved) {
		loop_timer_cancel(&m->loop, &m->sinks_retry);
		sinks_reconnect(m);
	}
}

int child_console(const struct child *c)
{
	const struct master *m = c->port->master;
	const int own = m->log.sinks[LOG_SINK_CONSOLE].fd;
	if (!is_wanted(m, &c->port->configuration->conf->log, LOG_SINK_CONSOLE))
		return -1;
	return own >= 0 ? own : STDERR_FILENO;
}

/* A child has the console, if there is one, and a socket of its own to each daemon. Which ones, its
 * own configuration says: while a reload is prepared that is not the master's. */
int child_sinks_open(struct child *c)
{
	const struct master *m = c->port->master;
	const struct conf_log *conf = &c->port->configuration->conf->log;
	for (unsigned kind = LOG_SINK_SYSLOG; kind < LOG_SINKS; kind++) {
		if (!is_wanted(m, conf, (enum log_sink_kind)kind))
			continue;
		c->sink_fds[kind] = log_socket(sink_path(conf, (enum log_sink_kind)kind));
		if (c->sink_fds[kind] < 0) {
			int error = c->sink_fds[kind];
			c->sink_fds[kind] = -1;
			return error;
		}
	}
	return 0;
}

void child_sinks_close(struct child *c)
{
	for (unsigned kind = 0; kind < LOG_SINKS; kind++)
		fd_close(&c->sink_fds[kind]);
}

static bool children_reconnect(const struct port *p, enum log_sink_kind kind, const char *path)
{
	bool missing = false;
	for (unsigned i = 0; i < p->children_count; i++) {
		int fd = p->children[i].sink_fds[kind];
		missing = (fd >= 0 && log_socket_connect(fd, path) < 0) || missing;
	}
	return missing;
}

/*
 * Connects the sockets anew, in place, those of the children, too: all of them log again at once
 * and nothing is handed on. A child's word that a sink is gone is only a hint, and worth one
 * attempt per interval, however many complain.
 */
void sinks_reconnect(struct master *m)
{
	bool missing = false;
	if (loop_timer_is_set(&m->sinks_retry))
		return;
	for (unsigned kind = LOG_SINK_SYSLOG; kind < LOG_SINKS; kind++) {
		const char *path = sink_path(&m->conf->log, (enum log_sink_kind)kind);
		if (m->log.sinks[kind].fd < 0)
			continue;
		missing = log_reconnect(&m->log, (enum log_sink_kind)kind, path) < 0 || missing;
		for (size_t i = 0; i < m->ports_count; i++)
			missing = children_reconnect(m->ports[i], (enum log_sink_kind)kind, path) ||
				  missing;
	}
	m->sinks_missing = missing;
	loop_timer_set(&m->loop, &m->sinks_retry, m->loop.now_ms + SINKS_RETRY_MS);
}

void sinks_retry_expired(struct loop *loop, struct loop_timer *timer)
{
	struct master *m = (struct master *)((char *)timer - offsetof(struct master, sinks_retry));
	(void)loop;
	if (m->sinks_missing)
		sinks_reconnect(m);
}

/* Once a second while there is something to mend or to tell. */
void sinks_tick_expired(struct loop *loop, struct loop_timer *timer)
{
	struct master *m = (struct master *)((char *)timer - offsetof(struct master, log_tick));
	(void)loop;
	(void)timer;
	log_tick(&m->log);
	sinks_watch(m);
}

void sinks_watch(struct master *m)
{
	bool broken = false;
	if (!log_outstanding(&m->log) || loop_timer_is_set(&m->log_tick))
		return;
	for (unsigned kind = LOG_SINK_SYSLOG; kind < LOG_SINKS; kind++)
		broken = broken || m->log.sinks[kind].broken;
	if (broken)
		sinks_reconnect(m);
	loop_timer_set(&m->loop, &m->log_tick, m->loop.now_ms + LOG_TICK_MS);
}
