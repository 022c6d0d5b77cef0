/* Runs in the master: which sinks there are, and new ones for those whose daemon has restarted. */
#include <errno.h>
#include <string.h>
#include <sys/syslog.h>
#include <unistd.h>

#include "base/fd.h"
#include "master/state.h"

#define SINKS_RETRY_MS 500
#define LOG_TICK_MS    1000

static const char *sink_path(const struct master *m, enum log_sink_kind kind)
{
	switch (kind) {
	case LOG_SINK_SYSLOG:
		return m->conf->log.syslog_path;
	case LOG_SINK_JOURNAL:
		return m->conf->log.journal_path;
	case LOG_SINK_CONSOLE:
	case LOG_SINKS:
		break;
	}
	return NULL;
}

void sinks_open(struct master *m)
{
	static const char *const names[LOG_SINKS] = {"console", "syslog", "journal"};
	const struct conf_log *conf = &m->conf->log;
	bool wanted[LOG_SINKS] = {conf->console, conf->syslog, conf->journal};
	if (!conf->console && !conf->syslog && !conf->journal) {
		if (log_stderr_is_journal())
			wanted[LOG_SINK_JOURNAL] = true;
		else
			wanted[m->options->daemonized ? LOG_SINK_SYSLOG : LOG_SINK_CONSOLE] = true;
	}
	log_init(&m->log, LOG_ROLE_MASTER, 0, 0, conf->syslog_facility);
	for (unsigned kind = 0; kind < LOG_SINKS; kind++) {
		if (!wanted[kind])
			continue;
		int error = log_open(&m->log, (enum log_sink_kind)kind,
				     sink_path(m, (enum log_sink_kind)kind));
		if (error < 0)
			dprintf(STDERR_FILENO, "bulkhead: cannot log to %s: %s\n", names[kind],
				strerror(-error));
	}
}

/* A child's word that a sink is gone is only a hint: a new connection tells, and costs little. */
static void sink_mend(struct master *m, enum log_sink_kind kind)
{
	int fd = log_reopen(kind, sink_path(m, kind));
	if (fd < 0) {
		m->log.sinks[kind].broken = true;
		return;
	}
	uint32_t payload = kind;
	children_send(m, IPC_LOG_SINK, &payload, sizeof(payload), &fd, 1);
	log_replace(&m->log, kind, fd);
	log_tick(&m->log);
}

void sinks_mend(struct master *m)
{
	/* One attempt per interval, however many children complain. */
	if (loop_timer_is_set(&m->sinks_retry))
		return;
	for (unsigned kind = 0; kind < LOG_SINKS; kind++)
		if (m->log.sinks[kind].fd >= 0 && kind != LOG_SINK_CONSOLE)
			sink_mend(m, (enum log_sink_kind)kind);
	loop_timer_set(&m->loop, &m->sinks_retry, m->loop.now_ms + SINKS_RETRY_MS);
}

void sinks_retry_expired(struct loop *loop, struct loop_timer *timer)
{
	struct master *m = (struct master *)((char *)timer - offsetof(struct master, sinks_retry));
	bool broken = false;
	(void)loop;
	for (unsigned kind = 0; kind < LOG_SINKS; kind++)
		broken = broken || m->log.sinks[kind].broken;
	if (broken)
		sinks_mend(m);
}

void sinks_tick_expired(struct loop *loop, struct loop_timer *timer)
{
	struct master *m = (struct master *)((char *)timer - offsetof(struct master, log_tick));
	log_tick(&m->log);
	if (log_outstanding(&m->log))
		loop_timer_set(loop, timer, loop->now_ms + LOG_TICK_MS);
}
