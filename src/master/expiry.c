/* Runs in the master, once a second: certificates that end soon are told in the log, once a day.
 * The worker says when they end; who lies about that spares or gets a line. */
#include "master/expiry.h"

#include <sys/syslog.h>
#include <time.h>

#include "master/state.h"

bool expiry_is_near(int64_t ends, int64_t now)
{
	return ends != 0 && (ends <= now || ends - now < EXPIRY_WARNING);
}

int64_t expiry_days(int64_t ends, int64_t now)
{
	const int64_t left = ends - now;
	return left >= 0 ? left / EXPIRY_DAY : -((-left - 1) / EXPIRY_DAY) - 1;
}

bool expiry_is_due(int64_t ends, int64_t now, int64_t told)
{
	if (!expiry_is_near(ends, now))
		return false;
	return told == 0 || now < told || now - told >= EXPIRY_DAY;
}

static void tell(const struct port *p, int64_t now)
{
	const int64_t days = expiry_days(p->content.ends, now);
	const time_t ends = (time_t)p->content.ends;
	char when[32] = "";
	struct tm tm;
	if (gmtime_r(&ends, &tm) != NULL)
		(void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &tm);
	if (days < 0)
		log_write_for(&p->master->log, port_number(p), 0, LOG_WARNING,
			      "the certificate of %s has expired, at %s", p->content.subject, when);
	else
		log_write_for(&p->master->log, port_number(p), 0, LOG_WARNING,
			      "the certificate of %s expires in %lld day%s, at %s",
			      p->content.subject, (long long)days, days == 1 ? "" : "s", when);
}

void expiry_look(struct master *m)
{
	const int64_t now = time(NULL);
	for (size_t i = 0; i < m->ports_count; i++) {
		struct port *p = m->ports[i];
		if (p->stage != STAGE_CURRENT ||
		    !expiry_is_due(p->content.ends, now, p->expiry_told))
			continue;
		p->expiry_told = now;
		tell(p, now);
	}
}
