/* bulkheadctl: ports as rows. Must never rely on a member to exist or to have the right type. */
#include "ctl/rows.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/connection.h"
#include "ctl/process.h"
#include "ctl/words.h"

static uint64_t natural(const json_t *object, const char *name)
{
	const int64_t value = answer_int(object, name);
	return value > 0 ? (uint64_t)value : 0;
}

static void workers_read(struct row *r, const json_t *port)
{
	const json_t *workers = json_object_get(port, "workers");
	for (size_t i = 0; i < json_array_size(workers); i++) {
		const json_t *worker = json_array_get(workers, i);
		const uint64_t uptime_ms = natural(worker, "uptime_ms");
		r->serving += strcmp(answer_text(worker, "state"), "serving") == 0;
		if (uptime_ms > r->uptime_ms)
			r->uptime_ms = uptime_ms;
	}
	r->wanted = (unsigned)natural(port, "workers_wanted");
}

/* A stopped port needs no attention, because somebody stopped it; a port that starts or drains
 * needs none either. */
static unsigned urgency(const struct row *r)
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
	*r = (struct row){.port = (uint16_t)natural(port, "port"),
			  .restarts = natural(port, "restarts"),
			  .connections = natural(port, "connections"),
			  .rate_tenths = rate > 0 && rate < 1e15 ? (uint64_t)rate : 0,
			  .p50_us = natural(latency, "p50_us"),
			  .p99_us = natural(latency, "p99_us"),
			  .pss_bytes = -1,
			  .cpu_ms = -1,
			  .cpu_tenths = -1,
			  .has_certificate = json_is_object(certificate),
			  .ends_soon = json_is_true(json_object_get(certificate, "ends_soon")),
			  .days_left = answer_int(certificate, "days_left"),
			  .json = port};
	text_init(&state, r->state, 9); /* the longest state */
	words_safe(&state, answer_text(port, "state"));
	workers_read(r, port);
	histogram_read(&r->latency, port);
	r->urgency = urgency(r);
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

static void process_add(struct row *r, pid_t pid)
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

static void processes_add(struct row *r, const json_t *processes)
{
	for (size_t i = 0; i < json_array_size(processes); i++) {
		const json_t *process = json_array_get(processes, i);
		process_add(r, (pid_t)answer_int(process, "pid"));
	}
}

/* Old generations: only the pids of their processes are known. */
static void draining_add(struct row *r, const json_t *generations)
{
	for (size_t i = 0; i < json_array_size(generations); i++) {
		const json_t *pids = json_object_get(json_array_get(generations, i), "pids");
		for (size_t k = 0; k < json_array_size(pids); k++)
			process_add(r, (pid_t)json_integer_value(json_array_get(pids, k)));
	}
}

void rows_look(struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		processes_add(&rows[i], json_object_get(rows[i].json, "workers"));
		processes_add(&rows[i], json_object_get(rows[i].json, "keyholders"));
		draining_add(&rows[i], json_object_get(rows[i].json, "draining"));
	}
}

/* --- order ----------------------------------------------------------------------------------- */

static int compare(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int64_t days(const struct row *r)
{
	return r->has_certificate ? r->days_left : INT64_MAX;
}

struct order {
	enum row_key key;
	bool reversed;
};

static int compare_rows(const void *left, const void *right, void *arg)
{
	const struct row *a = left, *b = right;
	const struct order *by = arg;
	int order = 0;
	switch (by->key) {
	case ROW_PORT:
	case ROW_KEYS:
		order = compare(a->port, b->port);
		break;
	case ROW_STATE:
		order = strcmp(a->state, b->state);
		break;
	case ROW_CONNECTIONS:
		order = compare((int64_t)b->connections, (int64_t)a->connections);
		break;
	case ROW_RATE:
		order = compare((int64_t)b->rate_tenths, (int64_t)a->rate_tenths);
		break;
	case ROW_P99:
		order = compare((int64_t)b->recent_p99_us, (int64_t)a->recent_p99_us);
		if (order == 0)
			order = compare((int64_t)b->p99_us, (int64_t)a->p99_us);
		break;
	case ROW_MEMORY:
		order = compare(b->pss_bytes, a->pss_bytes);
		break;
	case ROW_CPU:
		order = compare(b->cpu_tenths, a->cpu_tenths);
		break;
	case ROW_CERTIFICATE:
		order = compare(days(a), days(b));
		break;
	}
	if (by->reversed)
		order = -order;
	return order != 0 ? order : compare(a->port, b->port);
}

void rows_sort(struct row *rows, size_t count, enum row_key key, bool reversed)
{
	struct order by = {key, reversed};
	if (count > 1)
		qsort_r(rows, count, sizeof(*rows), compare_rows, &by);
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
		words_short_duration(t, natural(r->json, "next_retry_ms"));
	}
	if (reason[0] == '\0')
		reason = answer_text(last, "text");
	if (reason[0] == '\0')
		return;
	text_add_str(t, ": ");
	words_safe(t, reason);
}

/* --- in columns ------------------------------------------------------------------------------ */

enum column {
	PORT,
	STATE,
	WORKERS,
	UPTIME,
	RESTARTS,
	CONNECTIONS,
	RATE,
	RECENT_P50,
	RECENT_P99,
	P50,
	P99,
	PSS,
	CPU,
	CERTIFICATE,
	COLUMNS
};

static const struct {
	const char *title;
	size_t width; /* the least width */
} columns[COLUMNS] = {
    [PORT] = {">PORT", 5},     [STATE] = {"STATE", 8},        [WORKERS] = {">WRK", 5},
    [UPTIME] = {">UPTIME", 6}, [RESTARTS] = {">RST", 4},      [CONNECTIONS] = {">CONN", 5},
    [RATE] = {">REQ/S", 6},    [RECENT_P50] = {">P50/10", 6}, [RECENT_P99] = {">P99/10", 6},
    [P50] = {">P50", 6},       [P99] = {">P99", 6},           [PSS] = {">PSS", 6},
    [CPU] = {">CPU%", 5},      [CERTIFICATE] = {">CERT", 6},
};

/* 79 and 80 with the blanks between them, so that all but extreme figures fit in 80 columns. */
static const bool layouts[][COLUMNS] = {
    [ROWS_STATUS] = {[PORT] = true,
		     [STATE] = true,
		     [WORKERS] = true,
		     [UPTIME] = true,
		     [RESTARTS] = true,
		     [CONNECTIONS] = true,
		     [RATE] = true,
		     [P50] = true,
		     [P99] = true,
		     [PSS] = true,
		     [CPU] = true,
		     [CERTIFICATE] = true},
    [ROWS_TOP] = {[PORT] = true,
		  [STATE] = true,
		  [RESTARTS] = true,
		  [CONNECTIONS] = true,
		  [RATE] = true,
		  [RECENT_P50] = true,
		  [RECENT_P99] = true,
		  [P50] = true,
		  [P99] = true,
		  [PSS] = true,
		  [CPU] = true,
		  [CERTIFICATE] = true},
    [ROWS_TOP_WIDE] = {[PORT] = true,
		       [STATE] = true,
		       [WORKERS] = true,
		       [UPTIME] = true,
		       [RESTARTS] = true,
		       [CONNECTIONS] = true,
		       [RATE] = true,
		       [RECENT_P50] = true,
		       [RECENT_P99] = true,
		       [P50] = true,
		       [P99] = true,
		       [PSS] = true,
		       [CPU] = true,
		       [CERTIFICATE] = true},
};

/* 0: there was no request yet. */
static void latency_describe(struct text *t, uint64_t us)
{
	if (us > 0)
		words_short_latency(t, us);
	else
		text_add_str(t, "-");
}

/* "89d"; "9d!" if the certificate needs attention. */
static void certificate_describe(struct text *t, const struct row *r)
{
	if (!r->has_certificate)
		text_add_str(t, "-");
	else if (r->days_left < 0)
		text_add_str(t, "ended!");
	else
		text_addf(t, "%lld%s", r->days_left < 9999 ? (long long)r->days_left : 9999,
			  r->ends_soon ? "d!" : "d");
}

static void cell_fill(const struct row *r, enum column column, struct text *t)
{
	switch (column) {
	case PORT:
		text_add_uint(t, r->port);
		break;
	case STATE:
		text_add_str(t, r->state);
		break;
	case WORKERS:
		text_addf(t, "%u/%u", r->serving, r->wanted);
		break;
	case UPTIME:
		if (r->uptime_ms > 0)
			words_short_duration(t, r->uptime_ms);
		else
			text_add_str(t, "-");
		break;
	case RESTARTS:
		words_short_count(t, r->restarts);
		break;
	case CONNECTIONS:
		words_short_count(t, r->connections);
		break;
	case RATE:
		words_short_tenths(t, r->rate_tenths);
		break;
	case RECENT_P50:
		latency_describe(t, r->recent_p50_us);
		break;
	case RECENT_P99:
		latency_describe(t, r->recent_p99_us);
		break;
	case P50:
		latency_describe(t, r->p50_us);
		break;
	case P99:
		latency_describe(t, r->p99_us);
		break;
	case PSS:
		if (r->pss_bytes < 0)
			text_add_str(t, "-");
		else
			words_short_bytes(t, (uint64_t)r->pss_bytes);
		break;
	case CPU:
		if (r->cpu_tenths < 0)
			text_add_str(t, "-");
		else
			words_short_tenths(t, (uint64_t)r->cpu_tenths);
		break;
	case CERTIFICATE:
		certificate_describe(t, r);
		break;
	case COLUMNS:
		break;
	}
}

/* The columns of a layout, in their order. */
static size_t layout_read(enum rows_layout layout, enum column shown[COLUMNS],
			  const char *titles[COLUMNS])
{
	size_t count = 0;
	for (unsigned c = 0; c < COLUMNS; c++) {
		if (!layouts[layout][c])
			continue;
		titles[count] = columns[c].title;
		shown[count++] = (enum column)c;
	}
	return count;
}

int rows_table(struct table *table, const struct row *rows, size_t count, enum rows_layout layout)
{
	static const char *titles[ROWS_TOP_WIDE + 1][COLUMNS];
	enum column shown[COLUMNS];
	const size_t width = layout_read(layout, shown, titles[layout]);
	table_init(table, titles[layout], width);
	for (size_t i = 0; i < count; i++) {
		char(*cells)[TABLE_CELL] = table_row(table);
		if (cells == NULL) {
			table_release(table);
			return -1;
		}
		for (size_t c = 0; c < width; c++) {
			struct text t;
			text_init(&t, cells[c], TABLE_CELL);
			cell_fill(&rows[i], shown[c], &t);
		}
	}
	table_measure(table);
	/* So that columns keep their places while figures change. */
	for (size_t c = 0; c < width; c++)
		if (table->widths[c] < columns[shown[c]].width)
			table->widths[c] = columns[shown[c]].width;
	return 0;
}

/* --- of all of them -------------------------------------------------------------------------- */

static void known_add(int64_t *sum, int64_t value)
{
	if (value >= 0)
		*sum = (*sum > 0 ? *sum : 0) + value;
}

void rows_total(struct rows_totals *t, const struct row *rows, size_t count)
{
	*t = (struct rows_totals){.pss_bytes = -1, .cpu_tenths = -1};
	for (size_t i = 0; i < count; i++) {
		t->connections += rows[i].connections;
		t->rate_tenths += rows[i].rate_tenths;
		t->restarts += rows[i].restarts;
		t->ending += rows[i].ends_soon;
		known_add(&t->pss_bytes, rows[i].pss_bytes);
		known_add(&t->cpu_tenths, rows[i].cpu_tenths);
	}
}

void totals_describe(struct text *t, const struct rows_totals *sum)
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

/* --- above it -------------------------------------------------------------------------------- */

/* Lists the sinks of the log without a reader. */
static void sinks_summary(struct text *t, const json_t *sinks)
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

void rows_summary(struct text *t, const json_t *status)
{
	static const char *const others[] = {"starting", "backoff", "parked", "draining",
					     "stopped"};
	const uint64_t serving = natural(status, "ports_serving");
	uint64_t all = serving;
	char name[32];
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		(void)snprintf(name, sizeof(name), "ports_%s", others[i]);
		all += natural(status, name);
	}
	text_addf(t, "%llu of %llu port%s serving", (unsigned long long)serving,
		  (unsigned long long)all, all == 1 ? "" : "s");
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		(void)snprintf(name, sizeof(name), "ports_%s", others[i]);
		const uint64_t count = natural(status, name);
		if (count > 0)
			text_addf(t, ", %llu %s", (unsigned long long)count, others[i]);
	}
	if (json_is_true(json_object_get(status, "stopping")))
		text_add_str(t, "; the server is stopping");
	sinks_summary(t, json_object_get(status, "log"));
}

void rows_headline(struct text *t, const json_t *status)
{
	text_add_str(t, "bulkhead ");
	words_safe(t, answer_text(status, "version"));
	text_addf(t, ", pid %lld, up ", (long long)answer_int(status, "pid"));
	words_short_duration(t, natural(status, "uptime_ms"));
	text_add_str(t, ", log level ");
	words_safe(t, answer_text(status, "log_level"));
	const char *file = answer_text(status, "configuration");
	text_add_str(t, ", ");
	words_safe(t, file[0] != '\0' ? file : "built-in configuration");
}
