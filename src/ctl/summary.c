/* bulkheadctl: a server in a few sentences. Must never rely on a member to exist or to have the
 * right type. */
#include "ctl/summary.h"

#include <stdio.h>

#include "ctl/connection.h"
#include "ctl/words.h"

static void known_add(int64_t *sum, int64_t value)
{
	if (value >= 0)
		*sum = (*sum > 0 ? *sum : 0) + value;
}

void totals_read(struct totals *t, const struct row *rows, size_t count)
{
	*t = (struct totals){.pss_bytes = -1, .cpu_tenths = -1};
	for (size_t i = 0; i < count; i++) {
		t->connections += rows[i].connections;
		t->rate_tenths += rows[i].rate_tenths;
		t->restarts += rows[i].restarts;
		t->ending += rows[i].ends_soon;
		known_add(&t->pss_bytes, rows[i].pss_bytes);
		known_add(&t->cpu_tenths, rows[i].cpu_tenths);
	}
}

void totals_describe(struct text *t, const struct totals *sum)
{
	const uint64_t p50_us = histogram_percentile(&sum->recent, 50);
	words_short_count(t, sum->connections);
	text_add_str(t, sum->connections == 1 ? " connection, " : " connections, ");
	words_short_tenths(t, sum->rate_tenths);
	text_add_str(t, " req/s");
	if (p50_us > 0) {
		text_add_str(t, ", p50/p99 ");
		words_short_latency(t, p50_us);
		text_add_char(t, '/');
		words_short_latency(t, histogram_percentile(&sum->recent, 99));
	}
	if (sum->pss_bytes >= 0) {
		text_add_str(t, ", ");
		words_short_bytes(t, (uint64_t)sum->pss_bytes);
	}
	if (sum->cpu_tenths >= 0) {
		text_add_str(t, ", cpu ");
		words_short_tenths(t, (uint64_t)sum->cpu_tenths);
		text_add_char(t, '%');
	}
	if (sum->restarts > 0) {
		text_add_str(t, ", ");
		words_short_count(t, sum->restarts);
		text_add_str(t, sum->restarts == 1 ? " restart" : " restarts");
	}
	if (sum->ending > 0)
		text_addf(t, ", %u certificate%s soon", sum->ending,
			  sum->ending == 1 ? " ends" : "s end");
}

/* Lists the sinks of the log without a reader. */
static void summary_add_sinks(struct text *t, const json_t *sinks)
{
	for (size_t i = 0; i < json_array_size(sinks); i++) {
		const json_t *sink = json_array_get(sinks, i);
		if (!json_is_false(json_object_get(sink, "reached")))
			continue;
		text_add_str(t, "; log lost: ");
		words_safe(t, answer_text(sink, "to"));
		text_add_str(t, " cannot be reached (");
		words_safe(t, answer_text(sink, "error"));
		text_add_char(t, ')');
	}
}

void summary_ports(struct text *t, const json_t *status)
{
	static const char *const others[] = {"starting", "backoff", "parked", "draining",
					     "stopped"};
	const uint64_t serving = answer_natural(status, "ports_serving");
	uint64_t all = serving;
	char name[32];
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		(void)snprintf(name, sizeof(name), "ports_%s", others[i]);
		all += answer_natural(status, name);
	}
	text_addf(t, "%llu of %llu port%s serving", (unsigned long long)serving,
		  (unsigned long long)all, all == 1 ? "" : "s");
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		(void)snprintf(name, sizeof(name), "ports_%s", others[i]);
		const uint64_t count = answer_natural(status, name);
		if (count > 0)
			text_addf(t, ", %llu %s", (unsigned long long)count, others[i]);
	}
	if (json_is_true(json_object_get(status, "stopping")))
		text_add_str(t, "; the server is stopping");
	summary_add_sinks(t, json_object_get(status, "log"));
}

void summary_server(struct text *t, const json_t *status)
{
	text_add_str(t, "bulkhead ");
	words_safe(t, answer_text(status, "version"));
	text_addf(t, ", pid %lld, up ", (long long)answer_int(status, "pid"));
	words_short_duration(t, answer_natural(status, "uptime_ms"));
	text_add_str(t, ", log level ");
	words_safe(t, answer_text(status, "log_level"));
	const char *file = answer_text(status, "configuration");
	text_add_str(t, ", ");
	words_safe(t, file[0] != '\0' ? file : "built-in configuration");
}
