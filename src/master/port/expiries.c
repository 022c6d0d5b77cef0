/* Runs in the master, once a second: logs certificates that end soon, once a day. The worker
 * reports the dates; a false date only adds or suppresses a line about its own port. */
#include <limits.h>
#include <sys/syslog.h>
#include <time.h>

#include "base/validity.h"
#include "master/port/port.h"

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

void expiry_look(struct master *m)
{
	const int64_t now = time(NULL);
	for (size_t i = 0; i < m->ports_count; i++) {
		struct port *p = m->ports[i];
		for (size_t k = 0; k < p->conf->certificates_count; k++) {
			struct expiry *e = &p->content.pairs[k];
			if (p->stage != STAGE_CURRENT || !expiry_is_due(e, now))
				continue;
			e->told = now;
			expiry_tell(p, k, now);
		}
	}
}
