/* Runs in the master, once a second: logs certificates that end soon, once a day. The worker
 * reports the dates; a false date only adds or suppresses a line about its own port. */
#include <limits.h>
#include <string.h>
#include <sys/syslog.h>
#include <time.h>

#include "base/validity.h"
#include "master/port/port.h"

/* Of a port with a thousand certificates, whose renewal has failed, these are shown in one look. */
#define EXPIRIES_TOLD 10

static void expiry_tell(const struct port *p, size_t pair, int64_t now)
{
	const struct expiry *e = &p->content.pairs[pair];
	const time_t ends = (time_t)e->ends;
	char when[32] = "", line[2 * IPC_SUBJECT_MAX + PATH_MAX];
	struct text t;
	struct tm tm;
	if (gmtime_r(&ends, &tm) != NULL)
		(void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &tm);
	text_init(&t, line, sizeof(line));
	text_add_str(&t, "the certificate ");
	if (e->subject[0] != '\0')
		text_addf(&t, "of %s ", e->subject);
	text_addf(&t, "in \"%s\" ", p->conf->certificates[pair].certificate);
	validity_describe(validity_days(e->ends, now), &t);
	log_write_for(&p->master->log, port_number(p), 0, LOG_WARNING, "%s, at %s", line, when);
}

/* Which of a port's pairs were shown in this look, and how many were not. */
struct told {
	size_t pairs[EXPIRIES_TOLD];
	size_t count;
	size_t left;
};

/* Pairs of several hosts may have one file. */
static bool is_told(const struct told *told, const struct port *p, size_t pair)
{
	const struct conf_certificate *all = p->conf->certificates;
	for (size_t i = 0; i < told->count; i++)
		if (strcmp(all[told->pairs[i]].certificate, all[pair].certificate) == 0)
			return true;
	return false;
}

static void port_look(struct port *p, int64_t now)
{
	struct told told = {.count = 0};
	for (size_t k = 0; k < p->conf->certificates_count; k++) {
		struct expiry *e = &p->content.pairs[k];
		if (!expiry_is_due(e, now))
			continue;
		e->told = now;
		if (is_told(&told, p, k))
			continue;
		if (told.count == EXPIRIES_TOLD) {
			told.left++;
			continue;
		}
		told.pairs[told.count++] = k;
		expiry_tell(p, k, now);
	}
	if (told.left == 1)
		log_write_for(&p->master->log, port_number(p), 0, LOG_WARNING,
			      "1 more certificate of this port expires soon or has expired: "
			      "`bulkheadctl status --json` has all");
	else if (told.left > 1)
		log_write_for(&p->master->log, port_number(p), 0, LOG_WARNING,
			      "%zu more certificates of this port expire soon or have expired: "
			      "`bulkheadctl status --json` has all",
			      told.left);
}

void expiry_look(struct master *m)
{
	const int64_t now = time(NULL);
	for (size_t i = 0; i < m->ports_count; i++)
		if (m->ports[i]->stage == STAGE_CURRENT)
			port_look(m->ports[i], now);
}
