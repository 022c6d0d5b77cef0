/* Runs in the master, the only process with sinks: opens them, and takes care of those whose daemon
 * is gone or does not read. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syslog.h>
#include <unistd.h>

#include "base/text.h"
#include "ipc/fields.h"
#include "master/ground/state.h"

#define SINKS_RETRY_MS     250
#define SINKS_ROOM_MS      5   /* the first pause before a full sink is tried again; */
#define SINKS_ROOM_MOST_MS 250 /* each pause doubles, up to this one */

static const char *sink_path(const struct conf_log *conf, enum log_sink_kind kind)
{
	switch (kind) {
	case LOG_SINK_SYSLOG:
		return conf->syslog_path;
	case LOG_SINK_JOURNAL:
		return conf->journal_path;
	case LOG_SINK_CONSOLE:
	case LOG_SINK_MASTER:
	case LOG_SINKS:
		break;
	}
	return NULL;
}

const char *sink_name(enum log_sink_kind kind)
{
	static const char *const names[LOG_SINKS_OUT] = {"console", "syslog", "journal"};
	return names[kind];
}

/* If the configuration names no sink, the environment decides. */
static bool is_chosen(const struct conf_log *conf, bool daemonized, enum log_sink_kind kind)
{
	const bool wanted[LOG_SINKS_OUT] = {conf->console, conf->syslog, conf->journal};
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

/* --- daemons that cannot be reached ----------------------------------------------------------- */

static void absence_describe(struct text *t, enum log_sink_kind kind, const char *path, int error)
{
	text_addf(t, "no log daemon can be reached at %s: %s; ", path, strerror(error));
	text_addf(t, "records for %s are lost", kind == LOG_SINK_SYSLOG ? "syslog" : "the journal");
}

void master_check_log(const struct conf *conf, bool daemonized, master_warn_fn *warn, void *arg)
{
	char line[512];
	struct text t;
	for (unsigned k = LOG_SINK_SYSLOG; k < LOG_SINKS_OUT; k++) {
		const enum log_sink_kind kind = (enum log_sink_kind)k;
		const char *path = sink_path(&conf->log, kind);
		const int error = is_chosen(&conf->log, daemonized, kind) ? log_probe(path) : 0;
		if (error == 0)
			continue;
		text_init(&t, line, sizeof(line));
		absence_describe(&t, kind, path, -error);
		warn(arg,
		     kind == LOG_SINK_SYSLOG ? &conf->log.syslog_where : &conf->log.journal_where,
		     line);
	}
}

/* Logs it once each time a daemon disappears, to the other sinks. Without a console it also goes to
 * standard error, which the user who starts the server reads. */
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
	for (unsigned kind = LOG_SINK_SYSLOG; kind < LOG_SINKS_OUT; kind++)
		absence_tell(m, (enum log_sink_kind)kind);
}

/* --- opening ---------------------------------------------------------------------------------- */

static void sink_open(struct master *m, enum log_sink_kind kind)
{
	int error = log_open(&m->log, kind, master_sink_path(m, kind));
	m->sinks_told[kind] = false;
	if (error < 0)
		dprintf(STDERR_FILENO, "bulkhead: cannot log to %s: %s\n", sink_name(kind),
			strerror(-error));
}

static void handed_keep(struct master *m)
{
	for (const struct handed_record *h = m->handed; h != NULL; h = h->next)
		if (m->log.sinks[h->kind].fd >= 0)
			log_keep_again(&m->log, h->kind, h->data, h->len);
	sinks_forget_handed(m);
}

void sinks_forget_handed(struct master *m)
{
	while (m->handed != NULL) {
		struct handed_record *next = m->handed->next;
		free(m->handed);
		m->handed = next;
	}
}

void sinks_open(struct master *m)
{
	log_init(&m->log, LOG_ROLE_MASTER, 0, 0, m->conf->log.syslog_facility);
	log_names(&m->log, ipc_field_names, IPC_FIELDS);
	log_keep(&m->log);
	if (m->options->verbose)
		m->log.level = LOG_DEBUG;
	for (unsigned kind = 0; kind < LOG_SINKS_OUT; kind++)
		if (is_wanted(m, &m->conf->log, (enum log_sink_kind)kind))
			sink_open(m, (enum log_sink_kind)kind);
	handed_keep(m);
	absences_tell(m);
}

static bool same_path(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* A sink whose settings are the same stays, with its queue. */
void sinks_change(struct master *m, const struct conf_log *before)
{
	const struct conf_log *now = &m->conf->log;
	m->log.facility = now->syslog_facility;
	for (unsigned k = 0; k < LOG_SINKS_OUT; k++) {
		const enum log_sink_kind kind = (enum log_sink_kind)k;
		const bool wanted = is_wanted(m, now, kind);
		const bool moved = !same_path(sink_path(before, kind), sink_path(now, kind));
		if (!wanted)
			log_shut(&m->log, kind);
		else if (m->log.sinks[kind].fd < 0)
			sink_open(m, kind);
		else if (moved)
			(void)log_reconnect(&m->log, kind, sink_path(now, kind));
	}
	absences_tell(m);
}

/* --- repair ----------------------------------------------------------------------------------- */

/* A sink that stays full is tried less and less often. */
static uint64_t room_pause(struct master *m, bool moved)
{
	const uint64_t longer = 2 * m->room_ms;
	m->room_ms = moved || longer < SINKS_ROOM_MS ? SINKS_ROOM_MS
		     : longer > SINKS_ROOM_MOST_MS   ? SINKS_ROOM_MOST_MS
						     : longer;
	return m->room_ms;
}

uint64_t sinks_flush(struct master *m)
{
	const uint64_t flushed = m->log.flushed;
	bool soon = false;
	if (!log_flush(&m->log)) {
		m->room_ms = 0;
		return 0;
	}
	for (unsigned kind = 0; kind < LOG_SINKS_OUT; kind++)
		soon = soon || (log_is_kept(&m->log, (enum log_sink_kind)kind) &&
				!m->log.sinks[kind].broken);
	return soon ? room_pause(m, m->log.flushed != flushed) : 0;
}

/* Makes at most one attempt per interval, however many records fail. */
static void sinks_reconnect(struct master *m)
{
	bool missing = false;
	if (loop_timer_is_set(&m->sinks_retry))
		return;
	for (unsigned k = LOG_SINK_SYSLOG; k < LOG_SINKS_OUT; k++) {
		const enum log_sink_kind kind = (enum log_sink_kind)k;
		if (m->log.sinks[kind].fd >= 0)
			missing =
			    log_reconnect(&m->log, kind, master_sink_path(m, kind)) < 0 || missing;
	}
	m->sinks_missing = missing;
	(void)sinks_flush(m);
	loop_timer_set(&m->loop, &m->sinks_retry, m->loop.now_ms + SINKS_RETRY_MS);
}

void sinks_retry_expired(struct loop *loop, struct loop_timer *timer)
{
	struct master *m = (struct master *)((char *)timer - offsetof(struct master, sinks_retry));
	(void)loop;
	if (m->sinks_missing)
		sinks_reconnect(m);
}

void sinks_watch(struct master *m)
{
	bool broken = false, kept = false, soon = false;
	absences_tell(m);
	for (unsigned k = 0; k < LOG_SINKS_OUT; k++) {
		const bool waits = log_is_kept(&m->log, (enum log_sink_kind)k);
		broken = broken || (k != LOG_SINK_CONSOLE && m->log.sinks[k].broken);
		kept = kept || waits;
		soon = soon || (waits && !m->log.sinks[k].broken);
	}
	if (broken)
		sinks_reconnect(m);
	if (soon && !loop_timer_is_set(&m->relay_timer))
		loop_timer_set(&m->loop, &m->relay_timer,
			       m->loop.now_ms + (m->room_ms > 0 ? m->room_ms : SINKS_ROOM_MS));
	if ((kept || m->relays_dropped || log_outstanding(&m->log)) &&
	    !loop_timer_is_set(&m->log_tick))
		loop_timer_set(&m->loop, &m->log_tick, m->loop.now_ms + LOG_TICK_MS);
}
