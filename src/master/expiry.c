/* Runs in the master, once a second: logs certificates that end soon, once a day. The worker
 * reports the dates; a false date only adds or suppresses a line about its own port. */
#include "master/expiry.h"

#include <limits.h>
#include <sys/syslog.h>
#include <time.h>

#include "base/validity.h"
#include "master/state.h"

bool expiry_is_due(const struct expiry *e, int64_t now)
{
	if (!validity_ends_soon(e->begins, e->ends, now))
		return false;
	return e->told == 0 || now < e->told || now - e->told >= VALIDITY_DAY;
}

static bool is_before(const struct expiry *a, const struct expiry *b, int64_t now)
{
	const bool near = validity_ends_soon(a->begins, a->ends, now);
	if (near != validity_ends_soon(b->begins, b->ends, now))
		return near;
	return a->ends < b->ends;
}

size_t expiry_first(const struct expiry *all, size_t count, int64_t now)
{
	size_t first = count;
	for (size_t i = 0; i < count; i++)
		if (all[i].ends != 0 && (first == count || is_before(&all[i], &all[first], now)))
			first = i;
	return first;
}

static void tell(const struct port *p, size_t pair, int64_t now)
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
			tell(p, k, now);
		}
	}
}
