/*
 * bulkheadctl top: the status, once a second, on a terminal. Must never let a key wait for the
 * server longer than CONNECT_MS.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/connection.h"
#include "ctl/rows.h"
#include "ctl/screen.h"
#include "ctl/terminal.h"
#include "ctl/words.h"

#define INTERVAL_MS    1000
#define BEGIN_MS       1000 /* to connect before the terminal is raw, while Ctrl-C works */
#define CONNECT_MS     100  /* to connect while keys wait */
#define WITH_CTRL(key) ((key)&0x1f)

#define REVERSE "\033[7m"
#define PLAIN   "\033[0m"

struct top {
	const struct ctl_arguments *arguments;
	struct terminal terminal;
	struct connection connection;
	struct err problem; /* "" while there is none */
	enum ctl_status last;
	bool asked; /* an answer is awaited */
	uint64_t asked_ms;
	json_t *status; /* the last one; NULL: none yet */
	struct row *rows;
	size_t rows_count;
	struct latencies *latencies; /* one per port, ordered by number */
	size_t latencies_count;
	struct totals totals;
	uint64_t looked_ms;
	enum row_key key;
	bool reversed;
	size_t first; /* the first line of the list on the screen */
	bool help;
	bool quit;
};

/* --- the server ------------------------------------------------------------------------------ */

static void lose(struct top *t, enum ctl_status why)
{
	t->last = why;
	t->asked = false;
	connection_close(&t->connection);
}

static void top_ask(struct top *t)
{
	const uint64_t now_ms = clock_ms();
	if (t->asked) {
		if (now_ms - t->asked_ms < CONNECTION_PATIENCE_MS)
			return;
		err_set(&t->problem, "the server does not answer");
		lose(t, CTL_NO_SERVER);
	}
	enum ctl_status result = CTL_DONE;
	if (t->connection.fd < 0)
		result =
		    connection_open(&t->connection, t->arguments->socket, CONNECT_MS, &t->problem);
	if (result == CTL_DONE)
		result = connection_send(&t->connection, "status", &t->problem);
	if (result != CTL_DONE) {
		lose(t, result);
		return;
	}
	t->asked = true;
	t->asked_ms = now_ms;
}

static const struct row *row_find(const struct row *rows, size_t count, unsigned port)
{
	for (size_t i = 0; i < count; i++)
		if (rows[i].port == port)
			return &rows[i];
	return NULL;
}

/* The use since the last look, if there was one; a port that has lost a process begins again. */
static void cpu_since(struct row *r, const struct row *before, uint64_t ms)
{
	if (before == NULL || ms == 0 || r->cpu_ms < 0 || before->cpu_ms < 0)
		return;
	const int64_t used_ms = r->cpu_ms - before->cpu_ms;
	r->cpu_tenths = used_ms > 0 ? used_ms * 1000 / (int64_t)ms : 0;
}

/* Keeps the samples of ports that are still there. rows are ordered by port. */
static int latencies_match(struct top *t, const struct row *rows, size_t count)
{
	struct latencies *list = count > 0 ? calloc(count, sizeof(*list)) : NULL;
	size_t old = 0;
	if (list == NULL && count > 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		while (old < t->latencies_count && t->latencies[old].port < rows[i].port)
			old++;
		if (old < t->latencies_count && t->latencies[old].port == rows[i].port)
			list[i] = t->latencies[old];
		list[i].port = rows[i].port;
	}
	free(t->latencies);
	t->latencies = list;
	t->latencies_count = count;
	return 0;
}

static bool same_ports(const struct top *t, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count && i < t->latencies_count; i++)
		if (t->latencies[i].port != rows[i].port)
			return false;
	return count == t->latencies_count;
}

static void latencies_take(struct top *t, struct row *rows, size_t count, uint64_t now_ms)
{
	totals_read(&t->totals, rows, count);
	if (!same_ports(t, rows, count) && latencies_match(t, rows, count) < 0)
		return;
	for (size_t i = 0; i < count; i++) {
		struct histogram recent;
		latencies_look(&t->latencies[i], &rows[i].latency, now_ms);
		latencies_recent(&t->latencies[i], &recent, now_ms);
		rows[i].recent_p50_us = histogram_percentile(&recent, 50);
		rows[i].recent_p99_us = histogram_percentile(&recent, 99);
		histogram_add(&t->totals.recent, &recent);
	}
}

static void top_take(struct top *t, json_t *status)
{
	const uint64_t now_ms = clock_ms();
	size_t count;
	struct row *rows = rows_read(status, &count);
	rows_look(rows, count);
	for (size_t i = 0; i < count; i++)
		cpu_since(&rows[i], row_find(t->rows, t->rows_count, rows[i].port),
			  now_ms - t->looked_ms);
	latencies_take(t, rows, count, now_ms);
	free(t->rows);
	json_decref(t->status);
	t->status = status;
	t->rows = rows;
	t->rows_count = count;
	t->looked_ms = now_ms;
	t->asked = false;
	t->problem.text[0] = '\0';
}

static void receive(struct top *t)
{
	json_t *answer;
	enum ctl_status result = connection_receive(&t->connection, &answer, &t->problem);
	if (result == CTL_DONE && answer == NULL)
		return;
	if (result == CTL_DONE)
		result = answer_judge(answer, &t->problem);
	if (result != CTL_DONE) {
		json_decref(answer);
		lose(t, result);
		return;
	}
	top_take(t, answer);
}

/* --- the screen ------------------------------------------------------------------------------ */

static void line_put(void *arg, unsigned line, bool reverse, const char *text)
{
	struct buf *out = arg;
	char start[32];
	const int n = snprintf(start, sizeof(start), "\033[%u;1H%s", line, reverse ? REVERSE : "");
	(void)buf_append(out, start, (size_t)n);
	(void)buf_append(out, text, strlen(text));
	(void)buf_append(out, "\033[K" PLAIN, strlen("\033[K" PLAIN));
}

static struct view view_of(const struct top *t)
{
	return (struct view){.lines = t->terminal.lines,
			     .columns = t->terminal.columns,
			     .status = t->status,
			     .problem = t->problem.text,
			     .rows = t->rows,
			     .rows_count = t->rows_count,
			     .totals = t->totals,
			     .key = t->key,
			     .reversed = t->reversed,
			     .first = t->first,
			     .help = t->help};
}

/* So that the last page is full. */
static void first_limit(struct top *t)
{
	const struct view v = view_of(t);
	const size_t length = screen_length(&v), shown = screen_shown(&v);
	if (t->first + shown > length)
		t->first = length > shown ? length - shown : 0;
}

static void draw(struct top *t)
{
	struct buf out = BUF_INIT((size_t)1 << 20);
	rows_sort(t->rows, t->rows_count, t->key, t->reversed);
	(void)rows_urgent_first(t->rows, t->rows_count);
	first_limit(t);
	const struct view v = view_of(t);
	(void)screen_render(&v, line_put, &out); /* without memory the screen stays as it is */
	if (terminal_write((const char *)buf_head(&out), buf_len(&out)) < 0)
		t->quit = true;
	buf_release(&out);
}

/* --- keys ------------------------------------------------------------------------------------ */

static void sort_by(struct top *t, enum row_key key)
{
	t->reversed = key == t->key && !t->reversed;
	t->key = key;
	t->first = 0;
}

static void press(struct top *t, char key)
{
	static const char keys[] = "ptcrlmue"; /* in the order of enum row_key */
	const char *found = strchr(keys, key);
	const bool was_help = t->help;
	t->help = false;
	if (key == 'q' || key == WITH_CTRL('c') || key == WITH_CTRL('d'))
		t->quit = true;
	else if (key == WITH_CTRL('z'))
		terminal_suspend(&t->terminal);
	else if (was_help)
		return; /* any key returns from the help */
	else if (key == '?')
		t->help = true;
	else if (found != NULL && key != '\0')
		sort_by(t, (enum row_key)(found - keys));
}

/* Scrolls by that many lines, as far as possible. */
static void scroll(struct top *t, bool down, size_t by)
{
	if (down)
		t->first += by;
	else
		t->first = t->first > by ? t->first - by : 0;
	first_limit(t);
}

static size_t page(const struct top *t)
{
	const struct view v = view_of(t);
	const size_t shown = screen_shown(&v);
	return shown > 1 ? shown - 1 : 1;
}

static bool is_key(enum terminal_event event)
{
	return event >= TERMINAL_KEY && event <= TERMINAL_END;
}

static void event_serve(struct top *t)
{
	char key = '\0';
	const enum terminal_event event = terminal_read(&t->terminal, &key);
	if (t->help && is_key(event) && event != TERMINAL_KEY) {
		t->help = false; /* any key returns from the help */
		return;
	}
	switch (event) {
	case TERMINAL_NOTHING:
		break;
	case TERMINAL_KEY:
		press(t, key);
		break;
	case TERMINAL_UP:
		scroll(t, false, 1);
		break;
	case TERMINAL_DOWN:
		scroll(t, true, 1);
		break;
	case TERMINAL_PAGE_UP:
		scroll(t, false, page(t));
		break;
	case TERMINAL_PAGE_DOWN:
		scroll(t, true, page(t));
		break;
	case TERMINAL_HOME:
		t->first = 0;
		break;
	case TERMINAL_END:
		scroll(t, true, SIZE_MAX / 2);
		break;
	case TERMINAL_REDRAW:
		break;
	case TERMINAL_QUIT:
		t->quit = true;
		break;
	}
}

/* Handles all keys that were read together. */
static void terminal_serve(struct top *t)
{
	do
		event_serve(t);
	while (!t->quit && terminal_has_more(&t->terminal));
	if (!t->quit)
		draw(t);
}

static void top_run(struct top *t)
{
	uint64_t next_ms = 0;
	while (!t->quit) {
		const uint64_t now_ms = clock_ms();
		if (now_ms >= next_ms) {
			top_ask(t);
			draw(t);
			next_ms = now_ms + INTERVAL_MS;
		}
		struct pollfd ready[] = {{.fd = STDIN_FILENO, .events = POLLIN},
					 {.fd = t->terminal.signal_fd, .events = POLLIN},
					 {.fd = t->connection.fd, .events = POLLIN}};
		if (poll(ready, 3, (int)(next_ms - now_ms)) < 0 && errno != EINTR)
			break;
		if (ready[0].revents != 0 || ready[1].revents != 0)
			terminal_serve(t);
		if (ready[2].revents != 0 && t->connection.fd >= 0) {
			receive(t);
			draw(t);
		}
	}
}

enum ctl_status ctl_top(const struct ctl_arguments *arguments)
{
	struct top t = {.arguments = arguments, .connection = {.fd = -1}};
	struct err err;
	/* Before the terminal changes, so that the user sees the error there. */
	enum ctl_status result = connection_open(&t.connection, arguments->socket, BEGIN_MS, &err);
	if (result != CTL_DONE)
		return ctl_say(result, err.text);
	if (terminal_begin(&t.terminal, &err) < 0) {
		connection_close(&t.connection);
		return ctl_say(CTL_USAGE, err.text);
	}
	top_run(&t);
	terminal_end(&t.terminal);
	connection_close(&t.connection);
	json_decref(t.status);
	free(t.rows);
	free(t.latencies);
	/* If the server could not be reached at the end, the exit status says so. */
	return t.problem.text[0] != '\0' ? ctl_say(t.last, t.problem.text) : CTL_DONE;
}
