/*
 * Runs in the master: how everything is, as fields of an answer on the control socket. What a child
 * has written is copied, bounded, and shown as what it says; nothing is decided by it.
 * bulkheadctl(8) lists the fields.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "master/control/control.h"
#include "master/expiry.h"

void json_time(struct json *j, const char *name, int64_t when)
{
	char text[32];
	const time_t seconds = (time_t)when;
	struct tm tm;
	if (when == 0 || gmtime_r(&seconds, &tm) == NULL ||
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		json_null(j, name);
	else
		json_text(j, name, text);
}

static const char *child_state_name(enum child_state state)
{
	switch (state) {
	case CHILD_NONE:
		return "none";
	case CHILD_STARTING:
		return "starting";
	case CHILD_SERVING:
		return "serving";
	case CHILD_DRAINING:
		return "draining";
	}
	return "unknown";
}

/* --- of a port -------------------------------------------------------------------------------- */

static void child_add(struct json *j, const struct child *c)
{
	json_open(j, NULL, '{');
	json_uint(j, "number", c->number);
	json_int(j, "pid", c->pid);
	json_text(j, "state", child_state_name(c->state));
	json_uint(j, "generation", c->generation);
	json_uint(j, "uptime_ms", c->port->master->loop.now_ms - c->started_ms);
	json_text(j, "sandbox", c->level[0] != '\0' ? c->level : NULL);
	json_close(j, '}');
}

static void children_add(struct json *j, const char *name, const struct port *p, enum ipc_role role)
{
	json_open(j, name, '[');
	for (unsigned i = 0; i < p->children_count; i++)
		if (p->children[i].role == role && p->children[i].state != CHILD_NONE)
			child_add(j, &p->children[i]);
	json_close(j, ']');
}

static void counters_add(struct json *j, const struct ipc_counters *sum)
{
	static const char *const classes[IPC_CLASSES] = {"none", NULL, "2xx", "3xx", "4xx", "5xx"};
	json_open(j, "counters", '{');
	json_uint(j, "accepted", sum->accepted);
	json_uint(j, "limit_reached", sum->limit_reached);
	json_uint(j, "handshakes_full", sum->handshakes_full);
	json_uint(j, "handshakes_resumed", sum->handshakes_resumed);
	json_open(j, "handshakes_failed", '{');
	for (unsigned i = 0; i < IPC_FAILURES; i++)
		json_uint(j, ipc_failure_name((enum ipc_failure)i), sum->handshakes_failed[i]);
	json_close(j, '}');
	json_uint(j, "requests", sum->requests);
	json_open(j, "responses", '{');
	for (unsigned i = 0; i < IPC_CLASSES; i++)
		if (classes[i] != NULL)
			json_uint(j, classes[i], sum->responses[i]);
	json_close(j, '}');
	json_uint(j, "bytes_in", sum->bytes_in);
	json_uint(j, "bytes_out", sum->bytes_out);
	json_uint(j, "log_dropped", sum->log_dropped);
	json_uint(j, "signatures", sum->signatures);
	json_uint(j, "signatures_refused", sum->refused);
	json_close(j, '}');
}

static void latency_add(struct json *j, const struct ipc_counters *sum)
{
	static const uint32_t bounds[] = IPC_LATENCY_BOUNDS;
	json_open(j, "latency", '{');
	json_open(j, "bounds_us", '[');
	for (unsigned i = 0; i < IPC_LATENCIES - 1; i++)
		json_uint(j, NULL, bounds[i]);
	json_close(j, ']');
	json_open(j, "counts", '[');
	for (unsigned i = 0; i < IPC_LATENCIES; i++)
		json_uint(j, NULL, sum->latency[i]);
	json_close(j, ']');
	json_uint(j, "p50_us", latency_percentile(sum->latency, 50));
	json_uint(j, "p99_us", latency_percentile(sum->latency, 99));
	json_close(j, '}');
}

static void last_exit_add(struct json *j, const struct port *p)
{
	const struct report *r =
	    p->reports_next > 0 ? p->reports[(p->reports_next - 1) % PORT_REPORTS] : NULL;
	if (r == NULL) {
		json_null(j, "last_exit");
		return;
	}
	json_open(j, "last_exit", '{');
	json_text(j, "cause", cause_name(r->cause));
	json_text(j, "text", r->text);
	json_time(j, "when", r->when);
	json_close(j, '}');
}

static void certificate_add(struct json *j, const struct port *p)
{
	const int64_t now = time(NULL), ends = p->content.ends;
	if (ends == 0) {
		json_null(j, "certificate");
		return;
	}
	json_open(j, "certificate", '{');
	json_text(j, "subject", p->content.subject);
	json_time(j, "ends", ends);
	json_int(j, "days_left", expiry_days(ends, now));
	json_bool(j, "ends_soon", expiry_is_near(ends, now));
	json_close(j, '}');
}

/* Former generations that still have processes. */
static void draining_add(struct json *j, const struct port *p)
{
	const struct master *m = p->master;
	json_open(j, "draining", '[');
	for (size_t i = 0; p->generation > 1 && i < m->ports_count; i++) {
		const struct port *old = m->ports[i];
		if (old->stage != STAGE_RETIRED || port_number(old) != port_number(p) || old == p)
			continue;
		json_open(j, NULL, '{');
		json_uint(j, "generation", old->generation);
		json_open(j, "pids", '[');
		for (unsigned k = 0; k < old->children_count; k++)
			if (old->children[k].state != CHILD_NONE)
				json_int(j, NULL, old->children[k].pid);
		json_close(j, ']');
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void texts_add(struct json *j, const char *name, char *const *texts, size_t count)
{
	json_open(j, name, '[');
	for (size_t i = 0; i < count; i++)
		json_text(j, NULL, texts[i]);
	json_close(j, ']');
}

static void port_add(struct json *j, const struct port *p)
{
	const uint64_t now_ms = p->master->loop.now_ms;
	struct ipc_counters sum;
	uint64_t connections;
	port_totals(p, &sum, &connections);
	json_open(j, NULL, '{');
	json_uint(j, "port", port_number(p));
	json_text(j, "state", port_state_name(p->state));
	json_text(j, "reason", p->state == PORT_PARKED ? p->reason : NULL);
	json_bool(j, "by_order", p->by_order);
	json_uint(j, "generation", p->generation);
	json_bool(j, "former_version", p->former);
	texts_add(j, "addresses", p->conf->addresses, p->conf->addresses_count);
	texts_add(j, "sockets", p->conf->sockets, p->conf->sockets_count);
	json_uint(j, "workers_wanted", p->conf->workers);
	json_uint(j, "keyholders_wanted", p->keyholders);
	children_add(j, "workers", p, IPC_WORKER);
	children_add(j, "keyholders", p, IPC_KEYHOLDER);
	draining_add(j, p);
	json_uint(j, "restarts", p->restarts);
	last_exit_add(j, p);
	if (loop_timer_is_set(&p->backoff))
		json_uint(j, "next_retry_ms",
			  p->backoff.deadline_ms > now_ms ? p->backoff.deadline_ms - now_ms : 0);
	else
		json_null(j, "next_retry_ms");
	json_uint(j, "connections", connections);
	json_tenths(j, "requests_per_second", rate_tenths(&p->rate));
	counters_add(j, &sum);
	latency_add(j, &sum);
	certificate_add(j, p);
	json_close(j, '}');
}

/* --- of all ----------------------------------------------------------------------------------- */

/* What has retired is told with its heir; where it has none it stands for itself. */
static bool is_shown(const struct port *p, const struct port *only)
{
	if (p->stage == STAGE_RETIRED)
		return only == NULL && port_find(p->master, port_number(p)) == NULL;
	return p->stage == STAGE_CURRENT && (only == NULL || only == p);
}

static void states_add(struct json *j, const struct master *m)
{
	unsigned counts[PORT_STOPPED + 1] = {0};
	char name[64];
	for (size_t i = 0; i < m->ports_count; i++)
		if (m->ports[i]->stage == STAGE_CURRENT)
			counts[m->ports[i]->state]++;
	for (unsigned i = 0; i <= PORT_STOPPED; i++) {
		(void)snprintf(name, sizeof(name), "ports_%s", port_state_name((enum port_state)i));
		json_uint(j, name, counts[i]);
	}
}

static void sinks_add(struct json *j, const struct master *m)
{
	json_open(j, "log", '[');
	for (unsigned kind = 0; kind < LOG_SINKS; kind++) {
		const struct log_sink *s = &m->log.sinks[kind];
		if (s->fd < 0)
			continue;
		json_open(j, NULL, '{');
		json_text(j, "to", sink_name((enum log_sink_kind)kind));
		json_text(j, "path", master_sink_path(m, (enum log_sink_kind)kind));
		json_bool(j, "reached", !s->broken);
		json_text(j, "error", s->broken ? strerror(s->error) : NULL);
		json_uint(j, "dropped", s->dropped_total);
		json_close(j, '}');
	}
	json_close(j, ']');
}

void status_add(struct json *j, const struct control *control, const struct port *only)
{
	const struct master *m = control->master;
	char id[20];
	(void)snprintf(id, sizeof(id), "%016llx", (unsigned long long)control->id);
	json_text(j, "version", BULKHEAD_VERSION);
	json_int(j, "pid", getpid());
	json_text(j, "execution", id);
	json_uint(j, "uptime_ms", m->loop.now_ms - m->started_ms);
	json_text(j, "configuration", m->options->conf_path);
	json_text(j, "log_level", control_level_name(m->log.level));
	json_uint(j, "log_dropped", log_dropped(&m->log));
	sinks_add(j, m);
	json_bool(j, "stopping", m->draining);
	json_bool(j, "reloading", m->reload_wanted || m->roll.configuration != NULL);
	json_bool(j, "upgrading", m->upgrade.wanted || m->upgrade.rolling || upgrade_under_way(m));
	json_text(j, "upgrade_failed", m->upgrade.failed[0] != '\0' ? m->upgrade.failed : NULL);
	states_add(j, m);
	json_open(j, "ports", '[');
	for (size_t i = 0; i < m->ports_count; i++)
		if (is_shown(m->ports[i], only))
			port_add(j, m->ports[i]);
	json_close(j, ']');
}
