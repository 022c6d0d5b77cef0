/* Runs in the master: which sinks there are, and new ones for those whose daemon has restarted. */
#include <errno.h>
#include <string.h>
#include <sys/syslog.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/text.h"
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

const char *sink_name(enum log_sink_kind kind)
{
	static const char *const names[LOG_SINKS] = {"console", "syslog", "journal"};
	return names[kind];
}

/* Where nothing is configured, the surroundings decide. */
static bool is_chosen(const struct conf_log *conf, bool daemonized, enum log_sink_kind kind)
{
	const bool wanted[LOG_SINKS] = {conf->console, conf->syslog, conf->journal};
	if (conf->console || conf->syslog || conf->journal)
		return wanted[kind];
	if (log_stderr_is_journal())
		return kind == LOG_SINK_JOURNAL;
	return kind == (daemonized ? LOG_SINK_SYSLOG : LOG_SINK_CONSOLE);
}

static bool is_wanted(const struct master *m, const struct conf_log *conf, enum log_sink_kind kind)
{
	return is_chosen(conf, m->options->daemonized, kind);
}

const char *master_sink_path(const struct master *m, enum log_sink_kind kind)
{
	return sink_path(&m->conf->log, kind);
}

/* --- daemons that cannot be reached -----------------------------------------------------------
 */

static void absence_describe(struct text *t, enum log_sink_kind kind, const char *path, int error)
{
	text_addf(t, "no log daemon can be reached at %s: %s; ", path, strerror(error));
	text_addf(t, "records for %s are lost", kind == LOG_SINK_SYSLOG ? "syslog" : "the journal");
}

void master_check_log(const struct conf *conf, bool daemonized,
		      void (*warn)(void *arg, const char *text), void *arg)
{
	char line[512];
	struct text t;
	for (unsigned k = LOG_SINK_SYSLOG; k < LOG_SINKS; k++) {
		const enum log_sink_kind kind = (enum log_sink_kind)k;
		const char *path = sink_path(&conf->log, kind);
		const int error = is_chosen(&conf->log, daemonized, kind) ? log_probe(path) : 0;
		if (error == 0)
			continue;
		text_init(&t, line, sizeof(line));
		absence_describe(&t, kind, path, -error);
		warn(arg, line);
	}
}

/* Once for each time that it goes: to those sinks that take records. Where there is no console,
 * whoever starts the server still reads its standard error. */
static void absence_tell(struct master *m, enum log_sink_kind kind)
{
	const struct log_sink *s = &m->log.sinks[kind];
	const char *path = master_sink_path(m, kind);
	char line[512];
	struct text t;
	if (s->fd < 0 || s->broken == m->sinks_told[kind])
		return;
	m->sinks_told[kind] = s->broken;
	if (!s->broken) {
		log_write(&m->log, LOG_NOTICE, "the log daemon at %s takes records", path);
		return;
	}
	text_init(&t, line, sizeof(line));
	absence_describe(&t, kind, path, s->error);
	text_add_str(&t, " until it can be");
	log_write(&m->log, LOG_WARNING, "%s", line);
	if (m->log.sinks[LOG_SINK_CONSOLE].fd < 0 && !m->settled)
		dprintf(STDERR_FILENO, "bulkhead: warning: %s\n", line);
}

static void absences_tell(struct master *m)
{
	for (unsigned kind = LOG_SINK_SYSLOG; kind < LOG_SINKS; kind++)
		absence_tell(m, (enum log_sink_kind)kind);
}

/* --- which there are --------------------------------------------------------------------------
 */

static void all_open(struct master *m)
{
	for (unsigned kind = 0; kind < LOG_SINKS; kind++) {
		if (!is_wanted(m, &m->conf->log, (enum log_sink_kind)kind))
			continue;
		int error = log_open(&m->log, (enum log_sink_kind)kind,
				     sink_path(&m->conf->log, (enum log_sink_kind)kind));
		if (error < 0)
			dprintf(STDERR_FILENO, "bulkhead: cannot log to %s: %s\n",
				sink_name((enum log_sink_kind)kind), strerror(-error));
		m->sinks_told[kind] = false;
	}
	absences_tell(m);
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

unsigned sinks_count(const struct master *m)
{
	unsigned count = 0;
	for (unsigned kind = LOG_SINK_SYSLOG; kind < LOG_SINKS; kind++)
		count += is_wanted(m, &m->conf->log, (enum log_sink_kind)kind);
	return count;
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
	absences_tell(m);
	if (!log_outstanding(&m->log) || loop_timer_is_set(&m->log_tick))
		return;
	for (unsigned kind = LOG_SINK_SYSLOG; kind < LOG_SINKS; kind++)
		broken = broken || m->log.sinks[kind].broken;
	if (broken)
		sinks_reconnect(m);
	loop_timer_set(&m->loop, &m->log_tick, m->loop.now_ms + LOG_TICK_MS);
}
