/* bulkheadctl: ports as rows. Must never rely on a member to exist or to have the right type. */
#include "ctl/rows.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/connection.h"
#include "ctl/process.h"
#include "ctl/words.h"

static void row_read_workers(struct row *r, const json_t *port)
{
	const json_t *workers = json_object_get(port, "workers");
	for (size_t i = 0; i < json_array_size(workers); i++) {
		const json_t *worker = json_array_get(workers, i);
		const uint64_t uptime_ms = answer_natural(worker, "uptime_ms");
		r->serving += strcmp(answer_text(worker, "state"), "serving") == 0;
		if (uptime_ms > r->uptime_ms)
			r->uptime_ms = uptime_ms;
	}
	r->wanted = (unsigned)answer_natural(port, "workers_wanted");
}

/* A stopped port needs no attention, because somebody stopped it; a port that starts or drains
 * needs none either. */
static unsigned row_urgency(const struct row *r)
{
	if (strcmp(r->state, "parked") == 0)
		return 3;
	if (strcmp(r->state, "backoff") == 0)
		return 2;
	return strcmp(r->state, "serving") == 0 && r->serving < r->wanted ? 1 : 0;
}

static void row_read(struct row *r, const json_t *port)
{
	const json_t *latency = json_object_get(port, "latency");
	const json_t *certificate = json_object_get(port, "certificate");
	const double rate = answer_number(port, "requests_per_second") * 10 + 0.5;
	struct text state;
	*r = (struct row){.port = (uint16_t)answer_natural(port, "port"),
			  .restarts = answer_natural(port, "restarts"),
			  .connections = answer_natural(port, "connections"),
			  .rate_tenths = rate > 0 && rate < 1e15 ? (uint64_t)rate : 0,
			  .p50_us = answer_natural(latency, "p50_us"),
			  .p99_us = answer_natural(latency, "p99_us"),
			  .pss_bytes = -1,
			  .cpu_ms = -1,
			  .cpu_tenths = -1,
			  .plain = json_is_false(json_object_get(port, "tls")),
			  .has_certificate = json_is_object(certificate),
			  .ends_soon = json_is_true(json_object_get(certificate, "ends_soon")),
			  .days_left = answer_int(certificate, "days_left"),
			  .json = port};
	text_init(&state, r->state, 9); /* the longest state */
	words_safe(&state, answer_text(port, "state"));
	row_read_workers(r, port);
	histogram_read(&r->latency, port);
	r->urgency = row_urgency(r);
}

struct row *rows_read(const json_t *status, size_t *ret_count)
{
	const json_t *ports = json_object_get(status, "ports");
	const size_t count = json_array_size(ports);
	*ret_count = 0;
	struct row *rows = count > 0 ? calloc(count, sizeof(*rows)) : NULL;
	if (rows == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++)
		row_read(&rows[i], json_array_get(ports, i));
	*ret_count = count;
	rows_sort(rows, count, ROW_PORT, false);
	return rows;
}

/* --- /proc ----------------------------------------------------------------------------------- */

static void row_add_process(struct row *r, pid_t pid)
{
	struct process p;
	process_look(&p, pid);
	if (p.pss_bytes >= 0)
		r->pss_bytes = (r->pss_bytes > 0 ? r->pss_bytes : 0) + p.pss_bytes;
	if (p.cpu_ms < 0)
		return;
	r->cpu_ms = (r->cpu_ms > 0 ? r->cpu_ms : 0) + p.cpu_ms;
	if (p.uptime_ms > 0)
		r->cpu_tenths =
		    (r->cpu_tenths > 0 ? r->cpu_tenths : 0) + p.cpu_ms * 1000 / p.uptime_ms;
}

static void row_add_processes(struct row *r, const json_t *processes)
{
	for (size_t i = 0; i < json_array_size(processes); i++) {
		const json_t *process = json_array_get(processes, i);
		row_add_process(r, (pid_t)answer_int(process, "pid"));
	}
}

/* Old generations: only the pids of their processes are known. */
static void row_add_draining(struct row *r, const json_t *generations)
{
	for (size_t i = 0; i < json_array_size(generations); i++) {
		const json_t *pids = json_object_get(json_array_get(generations, i), "pids");
		for (size_t k = 0; k < json_array_size(pids); k++)
			row_add_process(r, (pid_t)json_integer_value(json_array_get(pids, k)));
	}
}

void rows_look(struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		row_add_processes(&rows[i], json_object_get(rows[i].json, "workers"));
		row_add_processes(&rows[i], json_object_get(rows[i].json, "keyholders"));
		row_add_processes(&rows[i], json_object_get(rows[i].json, "verifiers"));
		row_add_processes(&rows[i], json_object_get(rows[i].json, "connectors"));
		row_add_processes(&rows[i], json_object_get(rows[i].json, "resolvers"));
		row_add_draining(&rows[i], json_object_get(rows[i].json, "draining"));
	}
}

/* --- order ----------------------------------------------------------------------------------- */

static int numbers_compare(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int64_t row_days(const struct row *r)
{
	return r->has_certificate ? r->days_left : INT64_MAX;
}

struct row_order {
	enum row_key key;
	bool reversed;
};

static int rows_compare(const void *left, const void *right, void *arg)
{
	const struct row *a = left, *b = right;
	const struct row_order *by = arg;
	int order = 0;
	switch (by->key) {
	case ROW_PORT:
	case ROW_KEYS:
		order = numbers_compare(a->port, b->port);
		break;
	case ROW_STATE:
		order = strcmp(a->state, b->state);
		break;
	case ROW_CONNECTIONS:
		order = numbers_compare((int64_t)b->connections, (int64_t)a->connections);
		break;
	case ROW_RATE:
		order = numbers_compare((int64_t)b->rate_tenths, (int64_t)a->rate_tenths);
		break;
	case ROW_P99:
		order = numbers_compare((int64_t)b->recent_p99_us, (int64_t)a->recent_p99_us);
		if (order == 0)
			order = numbers_compare((int64_t)b->p99_us, (int64_t)a->p99_us);
		break;
	case ROW_MEMORY:
		order = numbers_compare(b->pss_bytes, a->pss_bytes);
		break;
	case ROW_CPU:
		order = numbers_compare(b->cpu_tenths, a->cpu_tenths);
		break;
	case ROW_CERTIFICATE:
		order = numbers_compare(row_days(a), row_days(b));
		break;
	}
	if (by->reversed)
		order = -order;
	return order != 0 ? order : numbers_compare(a->port, b->port);
}

void rows_sort(struct row *rows, size_t count, enum row_key key, bool reversed)
{
	struct row_order by = {key, reversed};
	if (count > 1)
		qsort_r(rows, count, sizeof(*rows), rows_compare, &by);
}

size_t rows_urgent_first(struct row *rows, size_t count)
{
	size_t urgent = 0;
	/* A stable sort of few rows: each is moved before less urgent ones. */
	for (size_t i = 0; i < count; i++) {
		if (rows[i].urgency == 0)
			continue;
		const struct row row = rows[i];
		size_t to = urgent++;
		while (to > 0 && rows[to - 1].urgency < row.urgency)
			to--;
		memmove(&rows[to + 1], &rows[to], (i - to) * sizeof(row));
		rows[to] = row;
	}
	return urgent;
}

void row_reason(struct text *t, const struct row *r)
{
	const json_t *last = json_object_get(r->json, "last_exit");
	const json_t *retry = json_object_get(r->json, "next_retry_ms");
	const char *reason = answer_text(r->json, "reason");
	if (r->urgency == 0)
		return;
	if (r->urgency == 1)
		text_addf(t, "%u of %u workers serve", r->serving, r->wanted);
	else
		words_safe(t, r->state);
	if (json_is_integer(retry)) {
		text_add_str(t, ", tried again in ");
		words_short_duration(t, answer_natural(r->json, "next_retry_ms"));
	}
	if (reason[0] == '\0')
		reason = answer_text(last, "text");
	if (reason[0] == '\0')
		return;
	text_add_str(t, ": ");
	words_safe(t, reason);
}
