/*
 * bulkheadctl top: status, once a second, on a terminal. Must never let a key wait for the server
 * for longer than CONNECT_MS.
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
#include "ctl/terminal.h"
#include "ctl/words.h"

#define INTERVAL_MS    1000
#define BEGIN_MS       1000 /* to connect while the terminal is as it was, and Ctrl-C works */
#define CONNECT_MS     100  /* to connect while keys are waiting for it */
#define HEAD_LINES     4    /* above the ports: two of words, an empty one, the titles */
#define LINE_MAX_LEN   512
#define WITH_CTRL(key) ((key)&0x1f)

#define REVERSE "\033[7m"
#define PLAIN   "\033[0m"

struct top {
	const struct ctl_arguments *arguments;
	struct terminal terminal;
	struct connection connection;
	struct err problem; /* "" while all is well */
	enum ctl_status last;
	bool asked; /* an answer is under way */
	uint64_t asked_ms;
	json_t *status; /* the last one; NULL: none yet */
	struct row *rows;
	size_t rows_count;
	uint64_t looked_ms;
	enum row_key key;
	bool reversed;
	size_t first; /* of the ports that are shown */
	bool quit;
};

/* --- the server ------------------------------------------------------------------------------- */

static void lose(struct top *t, enum ctl_status why)
{
	t->last = why;
	t->asked = false;
	connection_close(&t->connection);
}

static void ask(struct top *t)
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

/* Since the last look, where there was one; a port that has lost a process begins anew. */
static void cpu_since(struct row *r, const struct row *before, uint64_t ms)
{
	if (before == NULL || ms == 0 || r->cpu_ms < 0 || before->cpu_ms < 0)
		return;
	const int64_t used_ms = r->cpu_ms - before->cpu_ms;
	r->cpu_tenths = used_ms > 0 ? used_ms * 1000 / (int64_t)ms : 0;
}

static void take(struct top *t, json_t *status)
{
	const uint64_t now_ms = clock_ms();
	size_t count;
	struct row *rows = rows_read(status, &count);
	rows_look(rows, count);
	for (size_t i = 0; i < count; i++)
		cpu_since(&rows[i], row_find(t->rows, t->rows_count, rows[i].port),
			  now_ms - t->looked_ms);
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
	take(t, answer);
}

/* --- the screen ------------------------------------------------------------------------------- */

struct screen {
	struct buf out;
	const struct terminal *terminal;
	unsigned line;
};

/* One line of it, cut at the terminal's width. */
static void line_put(struct screen *s, const char *style, const char *text)
{
	size_t len = strlen(text);
	char start[32];
	if (s->line >= s->terminal->lines)
		return;
	if (len > s->terminal->columns)
		len = s->terminal->columns;
	while (len > 0 && (text[len] & 0xc0) == 0x80) /* never half a character */
		len--;
	int n = snprintf(start, sizeof(start), "\033[%u;1H%s", ++s->line, style);
	(void)buf_append(&s->out, start, (size_t)n);
	(void)buf_append(&s->out, text, len);
	(void)buf_append(&s->out, "\033[K" PLAIN, strlen("\033[K" PLAIN));
}

static size_t ports_shown(const struct top *t)
{
	const unsigned lines = t->terminal.lines;
	return lines > HEAD_LINES + 1 ? lines - HEAD_LINES - 1 : 0;
}

static void head_put(struct screen *s, const struct top *t)
{
	char line[LINE_MAX_LEN];
	struct text text;
	text_init(&text, line, sizeof(line));
	if (t->status != NULL)
		rows_headline(&text, t->status);
	else
		text_add_str(&text, "bulkhead");
	line_put(s, "", line);
	text_init(&text, line, sizeof(line));
	if (t->problem.text[0] != '\0')
		words_safe(&text, t->problem.text);
	else if (t->status != NULL)
		rows_summary(&text, t->status);
	line_put(s, "", line);
}

/* A note on what is worth one; only there is room for one. */
static void warning_put(struct screen *s, const struct top *t)
{
	char line[LINE_MAX_LEN] = "";
	struct text text;
	unsigned soon = 0;
	for (size_t i = 0; i < t->rows_count; i++)
		soon += t->rows[i].ends_soon;
	text_init(&text, line, sizeof(line));
	if (soon > 0)
		text_addf(&text, "warning: %u certificate%s soon", soon,
			  soon == 1 ? " ends" : "s end");
	line_put(s, "", line);
}

static void rows_put(struct screen *s, const struct top *t)
{
	char line[LINE_MAX_LEN];
	struct table table;
	struct text text;
	if (rows_table(&table, t->rows, t->rows_count) < 0)
		return;
	text_init(&text, line, sizeof(line));
	table_title_line(&table, &text);
	line_put(s, REVERSE, line);
	for (size_t i = 0; i < ports_shown(t); i++) {
		text_init(&text, line, sizeof(line));
		if (t->first + i < table.rows)
			table_line(&table, t->first + i, &text);
		line_put(s, "", line);
	}
	table_release(&table);
}

static void keys_put(struct screen *s, const struct top *t)
{
	static const char *const names[ROW_KEYS] = {"port", "state",  "connections", "requests",
						    "p99",  "memory", "cpu",         "certificate"};
	char line[LINE_MAX_LEN];
	struct text text;
	text_init(&text, line, sizeof(line));
	const size_t shown = ports_shown(t), last = t->first + shown;
	/* What can be done without stands at the end, which a narrow terminal cuts off. */
	text_addf(&text, "by %s%s", names[t->key], t->reversed ? ", reversed" : "");
	if (shown > 0 && t->rows_count > shown)
		text_addf(&text, "  %zu-%zu of %zu", t->first + 1,
			  last < t->rows_count ? last : t->rows_count, t->rows_count);
	text_add_str(&text, "  q: quit  p t c r l m u e: sort, again: reverse  arrows");
	line_put(s, REVERSE, line);
}

/* So that no line at the end stays empty. */
static void first_limit(struct top *t)
{
	const size_t shown = ports_shown(t);
	if (t->first + shown > t->rows_count)
		t->first = t->rows_count > shown ? t->rows_count - shown : 0;
}

static void draw(struct top *t)
{
	struct screen s = {.out = BUF_INIT((size_t)1 << 20), .terminal = &t->terminal};
	first_limit(t);
	rows_sort(t->rows, t->rows_count, t->key, t->reversed);
	head_put(&s, t);
	warning_put(&s, t);
	rows_put(&s, t);
	keys_put(&s, t);
	if (terminal_write((const char *)buf_head(&s.out), buf_len(&s.out)) < 0)
		t->quit = true;
	buf_release(&s.out);
}

/* --- keys ------------------------------------------------------------------------------------- */

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
	if (key == 'q' || key == WITH_CTRL('c') || key == WITH_CTRL('d'))
		t->quit = true;
	else if (key == WITH_CTRL('z'))
		terminal_suspend(&t->terminal);
	else if (found != NULL && key != '\0')
		sort_by(t, (enum row_key)(found - keys));
}

static void event_serve(struct top *t)
{
	char key = '\0';
	switch (terminal_read(&t->terminal, &key)) {
	case TERMINAL_NOTHING:
		break;
	case TERMINAL_KEY:
		press(t, key);
		break;
	case TERMINAL_UP:
		if (t->first > 0)
			t->first--;
		break;
	case TERMINAL_DOWN:
		t->first++;
		first_limit(t);
		break;
	case TERMINAL_REDRAW:
		break;
	case TERMINAL_QUIT:
		t->quit = true;
		break;
	}
}

/* Keys that have come together are obeyed together. */
static void terminal_serve(struct top *t)
{
	do
		event_serve(t);
	while (!t->quit && terminal_has_more(&t->terminal));
	if (!t->quit)
		draw(t);
}

static void run(struct top *t)
{
	uint64_t next_ms = 0;
	while (!t->quit) {
		const uint64_t now_ms = clock_ms();
		if (now_ms >= next_ms) {
			ask(t);
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
	/* Who has no server is told so on the terminal that he has. */
	enum ctl_status result = connection_open(&t.connection, arguments->socket, BEGIN_MS, &err);
	if (result != CTL_DONE)
		return ctl_say(result, err.text);
	if (terminal_begin(&t.terminal, &err) < 0) {
		connection_close(&t.connection);
		return ctl_say(CTL_USAGE, err.text);
	}
	run(&t);
	terminal_end(&t.terminal);
	connection_close(&t.connection);
	json_decref(t.status);
	free(t.rows);
	/* Left while there was no server to be seen: whoever calls it should know. */
	return t.problem.text[0] != '\0' ? ctl_say(t.last, t.problem.text) : CTL_DONE;
}
