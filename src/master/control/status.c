/*
 * Runs in the master: the state of the server, as fields of an answer on the control socket. Data
 * from a child are copied, bounded, and shown as what the child reports; they decide nothing.
 * bulkheadctl(8) lists the fields.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/num.h"
#include "base/validity.h"
#include "master/control/control.h"
#include "master/pure/expiry.h"

void jsonout_time(struct jsonout *j, const char *name, int64_t when)
{
	char text[32];
	const time_t seconds = (time_t)when;
	struct tm tm;
	if (when == 0 || gmtime_r(&seconds, &tm) == NULL ||
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		jsonout_null(j, name);
	else
		jsonout_text(j, name, text);
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

/* --- of one port ------------------------------------------------------------------------------ */

static void child_add(struct jsonout *j, const struct child *c)
{
	jsonout_open(j, NULL, '{');
	jsonout_uint(j, "number", c->number);
	jsonout_int(j, "pid", c->pid);
	jsonout_text(j, "state", child_state_name(c->state));
	jsonout_uint(j, "starts", c->generation);
	jsonout_uint(j, "generation", c->generation); /* its name before; of bulkhead/1 */
	jsonout_uint(j, "uptime_ms", c->port->master->loop.now_ms - c->started_ms);
	jsonout_text(j, "sandbox", c->level[0] != '\0' ? c->level : NULL);
	jsonout_close(j, '}');
}

static void children_add(struct jsonout *j, const char *name, const struct port *p,
			 enum ipc_role role)
{
	jsonout_open(j, name, '[');
	for (unsigned i = 0; i < p->children_count; i++)
		if (p->children[i].role == role && p->children[i].state != CHILD_NONE)
			child_add(j, &p->children[i]);
	jsonout_close(j, ']');
}

static void counter_add(struct jsonout *j, const struct ipc_counter *c, const uint64_t *values)
{
	if (c->part == NULL) {
		jsonout_uint(j, c->name, values[0]);
		return;
	}
	jsonout_open(j, c->name, '{');
	for (size_t i = 0; i < c->count; i++)
		if (c->part(i) != NULL)
			jsonout_uint(j, c->part(i), values[i]);
	jsonout_close(j, '}');
}

static void gauges_add(struct jsonout *j, const struct ipc_counters *sum)
{
	const struct ipc_counter *c;
	for (size_t i = 0; (c = ipc_counter_at(i)) != NULL; i++)
		if (c->kind == IPC_KIND_GAUGE)
			counter_add(j, c, ipc_counter_values(sum, c));
}

static void counters_add(struct jsonout *j, const struct ipc_counters *sum)
{
	const struct ipc_counter *c;
	jsonout_open(j, "counters", '{');
	for (size_t i = 0; (c = ipc_counter_at(i)) != NULL; i++)
		if (c->kind != IPC_KIND_GAUGE && c->kind != IPC_KIND_HISTOGRAM)
			counter_add(j, c, ipc_counter_values(sum, c));
	jsonout_close(j, '}');
}

static void latency_add(struct jsonout *j, const struct ipc_counters *sum)
{
	static const uint32_t bounds[] = IPC_LATENCY_BOUNDS;
	jsonout_open(j, "latency", '{');
	jsonout_open(j, "bounds_us", '[');
	for (unsigned i = 0; i < IPC_LATENCIES - 1; i++)
		jsonout_uint(j, NULL, bounds[i]);
	jsonout_close(j, ']');
	jsonout_open(j, "counts", '[');
	for (unsigned i = 0; i < IPC_LATENCIES; i++)
		jsonout_uint(j, NULL, sum->latency[i]);
	jsonout_close(j, ']');
	jsonout_uint(j, "p50_us", latency_percentile(sum->latency, 50));
	jsonout_uint(j, "p99_us", latency_percentile(sum->latency, 99));
	jsonout_close(j, '}');
}

static void last_exit_add(struct jsonout *j, const struct port *p)
{
	const struct report *r =
	    p->reports_next > 0 ? p->reports[(p->reports_next - 1) % PORT_REPORTS] : NULL;
	if (r == NULL) {
		jsonout_null(j, "last_exit");
		return;
	}
	jsonout_open(j, "last_exit", '{');
	jsonout_text(j, "cause", cause_name(r->cause));
	jsonout_text(j, "text", r->text);
	jsonout_time(j, "when", r->when);
	jsonout_close(j, '}');
}

static void certificate_add(struct jsonout *j, const char *name, const struct port *p, size_t pair,
			    int64_t now)
{
	const struct expiry *e = &p->content.pairs[pair];
	const char *file = p->conf->certificates[pair].certificate;
	jsonout_open(j, name, '{');
	jsonout_text(j, "subject", e->subject[0] != '\0' ? e->subject : file);
	jsonout_text(j, "file", file);
	jsonout_time(j, "ends", e->ends);
	jsonout_int(j, "days_left", validity_days(e->ends, now));
	jsonout_bool(j, "ends_soon", validity_ends_soon(e->begins, e->ends, now));
	jsonout_close(j, '}');
}

/* Adds the certificate that needs attention first, and all of them. */
static void certificates_add(struct jsonout *j, const struct port *p)
{
	const int64_t now = time(NULL);
	const size_t count = p->conf->certificates_count;
	const size_t first = expiry_first(p->content.pairs, count, now);
	if (first < count)
		certificate_add(j, "certificate", p, first, now);
	else
		jsonout_null(j, "certificate");
	jsonout_open(j, "certificates", '[');
	for (size_t i = 0; i < count; i++)
		if (p->content.pairs[i].ends != 0)
			certificate_add(j, NULL, p, i, now);
	jsonout_close(j, ']');
}

/* Adds old generations that still have processes. */
static void draining_add(struct jsonout *j, const struct port *p)
{
	const struct master *m = p->master;
	jsonout_open(j, "draining", '[');
	for (size_t i = 0; p->generation > 1 && i < m->ports_count; i++) {
		const struct port *old = m->ports[i];
		if (old->stage != STAGE_RETIRED || port_number(old) != port_number(p) || old == p)
			continue;
		jsonout_open(j, NULL, '{');
		jsonout_uint(j, "generation", old->generation);
		jsonout_open(j, "pids", '[');
		for (unsigned k = 0; k < old->children_count; k++)
			if (old->children[k].state != CHILD_NONE)
				jsonout_int(j, NULL, old->children[k].pid);
		jsonout_close(j, ']');
		jsonout_close(j, '}');
	}
	jsonout_close(j, ']');
}

static void texts_add(struct jsonout *j, const char *name, char *const *texts, size_t count)
{
	jsonout_open(j, name, '[');
	for (size_t i = 0; i < count; i++)
		jsonout_text(j, NULL, texts[i]);
	jsonout_close(j, ']');
}

/* --- of its upstreams ------------------------------------------------------------------------- */

static void use_add(struct jsonout *j, const void *use, const struct ipc_counter *(*row)(size_t))
{
	const struct ipc_counter *c;
	for (size_t i = 0; (c = row(i)) != NULL; i++)
		counter_add(j, c, (const uint64_t *)(const void *)((const char *)use + c->offset));
}

static const char *health_name(uint32_t state)
{
	return state == IPC_HEALTH_UP ? "up" : state == IPC_HEALTH_DOWN ? "down" : "unknown";
}

static const char *order_name(unsigned order)
{
	return order == IPC_ORDER_DRAIN ? "drain" : order == IPC_ORDER_DOWN ? "down" : NULL;
}

static void endpoint_add(struct jsonout *j, const struct port *p, size_t endpoint)
{
	const struct conf_endpoint *e = &p->conf->endpoints[endpoint];
	const uint64_t now_ms = p->master->loop.now_ms;
	struct ipc_endpoint_use use;
	struct ipc_health health = {.changes = 0}; /* unknown */
	if (p->upstreams.health != NULL)
		ipc_health_read(&p->upstreams.health->list[endpoint], &health);
	port_endpoint_use(p, endpoint, &use);
	jsonout_open(j, NULL, '{');
	jsonout_text(j, "url", e->url);
	jsonout_bool(j, "backup", e->backup);
	jsonout_text(j, "state", health_name(health.state));
	jsonout_text(j, "why", health.why[0] != '\0' ? health.why : NULL);
	jsonout_uint(j, "since_ms",
		     health.since_ms != 0 && health.since_ms < now_ms ? now_ms - health.since_ms
								      : 0);
	jsonout_text(j, "order",
		     p->upstreams.orders != NULL ? order_name(p->upstreams.orders[endpoint])
						 : NULL);
	jsonout_uint(j, "addresses", health.addresses);
	jsonout_uint(j, "checks", num_least(health.checks, IPC_COUNT_MAX));
	jsonout_uint(j, "checks_failed", num_least(health.checks_failed, IPC_COUNT_MAX));
	use_add(j, &use, ipc_endpoint_counter);
	jsonout_close(j, '}');
}

/* Beyond so many, only for the port alone: the answer has a bound. */
#define ENDPOINTS_MAX 256

static void upstreams_add(struct jsonout *j, const struct port *p, bool alone)
{
	const bool shown = alone || p->conf->endpoints_count <= ENDPOINTS_MAX;
	jsonout_open(j, "upstreams", '[');
	for (size_t i = 0; i < p->conf->upstreams_count; i++) {
		const struct conf_upstream *u = &p->conf->upstreams[i];
		struct ipc_upstream_use use;
		port_upstream_use(p, i, &use);
		jsonout_open(j, NULL, '{');
		jsonout_text(j, "name", u->name);
		use_add(j, &use, ipc_upstream_counter);
		if (shown)
			jsonout_open(j, "endpoints", '[');
		else
			jsonout_null(j, "endpoints");
		for (uint32_t k = 0; shown && k < u->endpoints_count; k++)
			endpoint_add(j, p, u->endpoints_first + k);
		if (shown)
			jsonout_close(j, ']');
		jsonout_close(j, '}');
	}
	jsonout_close(j, ']');
}

static void port_add(struct jsonout *j, const struct port *p, bool alone)
{
	const uint64_t now_ms = p->master->loop.now_ms;
	struct ipc_counters sum;
	port_totals(p, &sum);
	jsonout_open(j, NULL, '{');
	jsonout_uint(j, "port", port_number(p));
	jsonout_text(j, "state", port_state_name(p->state));
	jsonout_text(j, "reason", port_reason(p));
	jsonout_bool(j, "by_order", p->by_order);
	jsonout_uint(j, "generation", p->generation);
	jsonout_bool(j, "former_version", p->former);
	jsonout_bool(j, "tls", !p->conf->plain);
	texts_add(j, "addresses", p->conf->addresses, p->conf->addresses_count);
	texts_add(j, "sockets", p->conf->sockets, p->conf->sockets_count);
	jsonout_uint(j, "workers_wanted", p->conf->workers);
	jsonout_uint(j, "keyholders_wanted", p->keyholders);
	children_add(j, "workers", p, IPC_WORKER);
	children_add(j, "keyholders", p, IPC_KEYHOLDER);
	children_add(j, "verifiers", p, IPC_VERIFIER);
	children_add(j, "connectors", p, IPC_CONNECTOR);
	children_add(j, "resolvers", p, IPC_RESOLVER);
	draining_add(j, p);
	jsonout_uint(j, "restarts", p->restarts);
	last_exit_add(j, p);
	if (loop_timer_is_set(&p->backoff))
		jsonout_uint(j, "next_retry_ms",
			     p->backoff.deadline_ms > now_ms ? p->backoff.deadline_ms - now_ms : 0);
	else
		jsonout_null(j, "next_retry_ms");
	gauges_add(j, &sum);
	jsonout_tenths(j, "requests_per_second", rate_tenths(&p->rate));
	counters_add(j, &sum);
	latency_add(j, &sum);
	certificates_add(j, p);
	upstreams_add(j, p, alone);
	jsonout_close(j, '}');
}

/* --- of the server ---------------------------------------------------------------------------- */

/* A retired generation is shown with the current port of its number; if there is none, by
 * itself. */
static bool is_shown(const struct port *p, const struct port *only)
{
	if (p->stage == STAGE_RETIRED)
		return only == NULL && port_find(p->master, port_number(p)) == NULL;
	return p->stage == STAGE_CURRENT && (only == NULL || only == p);
}

static void states_add(struct jsonout *j, const struct master *m)
{
	unsigned counts[PORT_STOPPED + 1] = {0};
	char name[64];
	for (size_t i = 0; i < m->ports_count; i++)
		if (m->ports[i]->stage == STAGE_CURRENT)
			counts[m->ports[i]->state]++;
	for (unsigned i = 0; i <= PORT_STOPPED; i++) {
		(void)snprintf(name, sizeof(name), "ports_%s", port_state_name((enum port_state)i));
		jsonout_uint(j, name, counts[i]);
	}
}

static void sinks_add(struct jsonout *j, const struct master *m)
{
	jsonout_open(j, "log", '[');
	for (unsigned kind = 0; kind < LOG_SINKS; kind++) {
		const struct log_sink *s = &m->log.sinks[kind];
		if (s->fd < 0)
			continue;
		jsonout_open(j, NULL, '{');
		jsonout_text(j, "to", sink_name((enum log_sink_kind)kind));
		jsonout_text(j, "path", master_sink_path(m, (enum log_sink_kind)kind));
		jsonout_bool(j, "reached", !s->broken);
		jsonout_text(j, "error", s->broken ? strerror(s->error) : NULL);
		jsonout_uint(j, "dropped", s->dropped_total);
		jsonout_close(j, '}');
	}
	jsonout_close(j, ']');
}

void status_add(struct jsonout *j, const struct control *control, const struct port *only)
{
	const struct master *m = control->master;
	char id[20];
	(void)snprintf(id, sizeof(id), "%016llx", (unsigned long long)control->id);
	jsonout_text(j, "version", BULKHEAD_VERSION);
	jsonout_int(j, "pid", getpid());
	jsonout_text(j, "execution", id);
	jsonout_uint(j, "uptime_ms", m->loop.now_ms - m->started_ms);
	jsonout_text(j, "configuration", m->options->conf_path);
	jsonout_text(j, "log_level", control_level_name(m->log.level));
	jsonout_uint(j, "log_dropped", log_dropped(&m->log));
	sinks_add(j, m);
	jsonout_bool(j, "stopping", m->draining);
	jsonout_bool(j, "reloading", m->reload_wanted || m->roll.configuration != NULL);
	jsonout_bool(j, "upgrading",
		     m->upgrade.wanted || m->upgrade.rolling || upgrade_under_way(m));
	jsonout_text(j, "upgrade_failed", m->upgrade.failed[0] != '\0' ? m->upgrade.failed : NULL);
	states_add(j, m);
	jsonout_open(j, "ports", '[');
	for (size_t i = 0; i < m->ports_count; i++)
		if (is_shown(m->ports[i], only))
			port_add(j, m->ports[i], only != NULL);
	jsonout_close(j, ']');
}
