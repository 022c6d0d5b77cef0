/* Runs in the master, on SIGUSR1: logs the state of each port. */
#include <stdio.h>
#include <sys/syslog.h>

#include "base/text.h"
#include "master/top.h"

static void status_add_count(struct text *t, const char *name, uint64_t value)
{
	text_addf(t, " %s=%llu", name, (unsigned long long)value);
}

/* Writes the buckets that are not 0 as `upper bound in microseconds:count`. */
static void histogram_describe(struct text *t, const struct ipc_counter *c, const uint64_t *values)
{
	const char *separator = "";
	text_addf(t, " %s=", c->logged);
	for (size_t i = 0; i < c->count; i++) {
		if (values[i] == 0)
			continue;
		text_addf(t, "%s%s:%llu", separator, c->part(i), (unsigned long long)values[i]);
		separator = ",";
	}
}

static void part_describe(struct text *t, const struct ipc_counter *c, const uint64_t *values,
			  size_t i)
{
	char name[2 * IPC_NUMBER_NAME_MAX];
	if (c->part(i) == NULL)
		return;
	(void)snprintf(name, sizeof(name), "%s_%s", c->logged, c->part(i));
	status_add_count(t, name, values[i]);
}

static void counter_describe(struct text *t, const struct ipc_counter *c, const uint64_t *values)
{
	switch (c->kind) {
	case IPC_KIND_GAUGE:
	case IPC_KIND_SUM:
		status_add_count(t, c->logged, values[0]);
		break;
	case IPC_KIND_REASONS:
		for (size_t i = 0; i < c->count; i++)
			if (values[i] > 0)
				part_describe(t, c, values, i);
		break;
	case IPC_KIND_CLASSES:
		for (size_t i = 1; i <= c->count; i++)
			part_describe(t, c, values, i % c->count);
		break;
	case IPC_KIND_HISTOGRAM: /* at the end of the record */
		break;
	}
}

static void port_tell(struct port *p)
{
	struct ipc_counters sum;
	const struct ipc_counter *c;
	char line[2048];
	struct text t;
	port_totals(p, &sum);
	text_init(&t, line, sizeof(line));
	text_addf(
	    &t, "status: %s:",
	    (p->state == PORT_BACKOFF ? "waiting to be started again" : port_state_name(p->state)));
	status_add_count(&t, "restarts", p->restarts);
	for (size_t i = 0; (c = ipc_counter_at(i)) != NULL; i++)
		counter_describe(&t, c, ipc_counter_values(&sum, c));
	for (size_t i = 0; (c = ipc_counter_at(i)) != NULL; i++)
		if (c->kind == IPC_KIND_HISTOGRAM)
			histogram_describe(&t, c, ipc_counter_values(&sum, c));
	log_write_for(&p->master->log, port_number(p), 0, LOG_NOTICE, "%s", line);
}

/* Logs the reports, oldest first. */
static void reports_tell(const struct port *p)
{
	const unsigned kept = p->reports_next < PORT_REPORTS ? p->reports_next : PORT_REPORTS;
	for (unsigned i = 0; i < kept; i++) {
		const struct report *r = p->reports[(p->reports_next - kept + i) % PORT_REPORTS];
		char when[32];
		struct tm tm;
		if (localtime_r(&r->when, &tm) == NULL ||
		    strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm) == 0)
			when[0] = '\0';
		log_write_for(&p->master->log, port_number(p), 0, LOG_NOTICE,
			      "status: %s %s%s%s%s%s%s%s", when, r->text,
			      r->request[0] != '\0' ? "; request: " : "", r->request,
			      r->client[0] != '\0' ? "; client: " : "", r->client,
			      r->backtrace[0] != '\0' ? "; backtrace: " : "", r->backtrace);
	}
}

void master_tell_status(struct master *m)
{
	for (size_t i = 0; i < m->ports_count; i++)
		if (m->ports[i]->stage == STAGE_CURRENT) {
			port_tell(m->ports[i]);
			reports_tell(m->ports[i]);
		}
}
