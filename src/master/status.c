/* Runs in the master, on SIGUSR1: logs the state of each port. */
#include <stdio.h>
#include <sys/syslog.h>

#include "base/text.h"
#include "master/top.h"

static void add(struct text *t, const char *name, uint64_t value)
{
	text_addf(t, " %s=%llu", name, (unsigned long long)value);
}

/* Writes the buckets that are not 0 as `upper bound in microseconds:count`. */
static void latency_describe(struct text *t, const struct ipc_counters *sum)
{
	static const uint32_t bounds[] = IPC_LATENCY_BOUNDS;
	text_add_str(t, " latency_us=");
	for (unsigned i = 0, n = 0; i < IPC_LATENCIES; i++) {
		if (sum->latency[i] == 0)
			continue;
		if (i < IPC_LATENCIES - 1)
			text_addf(t, "%s%u:%llu", n++ > 0 ? "," : "", bounds[i],
				  (unsigned long long)sum->latency[i]);
		else
			text_addf(t, "%smore:%llu", n++ > 0 ? "," : "",
				  (unsigned long long)sum->latency[i]);
	}
}

static void failures_describe(struct text *t, const struct ipc_counters *sum)
{
	char name[48];
	for (unsigned i = 0; i < IPC_FAILURES; i++) {
		(void)snprintf(name, sizeof(name), "handshakes_failed_%s",
			       ipc_failure_name((enum ipc_failure)i));
		if (sum->handshakes_failed[i] > 0)
			add(t, name, sum->handshakes_failed[i]);
	}
}

static void port_tell(struct port *p)
{
	struct ipc_counters sum;
	uint64_t connections;
	char line[2048];
	struct text t;
	port_totals(p, &sum, &connections);
	text_init(&t, line, sizeof(line));
	text_addf(
	    &t, "status: %s:",
	    (p->state == PORT_BACKOFF ? "waiting to be started again" : port_state_name(p->state)));
	add(&t, "restarts", p->restarts);
	add(&t, "connections", connections);
	add(&t, "connections_total", sum.accepted);
	add(&t, "connections_limit_reached", sum.limit_reached);
	add(&t, "handshakes_full", sum.handshakes_full);
	add(&t, "handshakes_resumed", sum.handshakes_resumed);
	failures_describe(&t, &sum);
	add(&t, "requests", sum.requests);
	for (unsigned i = 2; i < IPC_CLASSES; i++) {
		char name[16];
		(void)snprintf(name, sizeof(name), "responses_%uxx", i);
		add(&t, name, sum.responses[i]);
	}
	add(&t, "responses_none", sum.responses[0]);
	add(&t, "bytes_in", sum.bytes_in);
	add(&t, "bytes_out", sum.bytes_out);
	add(&t, "log_dropped", sum.log_dropped);
	add(&t, "signatures", sum.signatures);
	add(&t, "signatures_refused", sum.refused);
	latency_describe(&t, &sum);
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
