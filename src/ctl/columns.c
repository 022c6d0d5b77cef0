/* bulkheadctl: the figures of ports in columns. */
#include "ctl/columns.h"

#include "ctl/words.h"

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
    [COLUMNS_STATUS] = {[PORT] = true,
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
    [COLUMNS_TOP] = {[PORT] = true,
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
    [COLUMNS_TOP_WIDE] = {[PORT] = true,
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
static void latency_fill(struct text *t, uint64_t us)
{
	if (us > 0)
		words_short_latency(t, us);
	else
		text_add_str(t, "-");
}

/* "89d"; "9d!" if the certificate needs attention; "plain" on a port without TLS. */
static void certificate_fill(struct text *t, const struct row *r)
{
	if (r->plain)
		text_add_str(t, "plain");
	else if (!r->has_certificate)
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
		latency_fill(t, r->recent_p50_us);
		break;
	case RECENT_P99:
		latency_fill(t, r->recent_p99_us);
		break;
	case P50:
		latency_fill(t, r->p50_us);
		break;
	case P99:
		latency_fill(t, r->p99_us);
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
		certificate_fill(t, r);
		break;
	case COLUMNS:
		break;
	}
}

/* The columns of a layout, in their order. */
static size_t layout_read(enum columns_layout layout, enum column shown[COLUMNS],
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

int columns_table(struct table *table, const struct row *rows, size_t count,
		  enum columns_layout layout)
{
	static const char *titles[COLUMNS_TOP_WIDE + 1][COLUMNS];
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
