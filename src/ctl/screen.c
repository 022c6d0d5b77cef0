/* bulkheadctl top: the screen as text. Pure. */
#include "ctl/screen.h"

#include <string.h>

#include "ctl/columns.h"
#include "ctl/words.h"

#define INDENT        6 /* of a reason, so that it is below the state */
#define REASON_LINES  2 /* of one port */
#define REASON_MAX    1024
#define COLUMNS_LEAST 20 /* narrower terminals get no wrapped lines */

static const char *const help[] = {
    "Ports that do not serve as they should come first, with the reason.",
    "",
    "  ?              this page; any key goes back",
    "  q, Ctrl-C      quit; Ctrl-Z stops",
    "  arrows, PageUp, PageDown, Home, End    scroll",
    "",
    "  sort by (the same key again reverses the order):",
    "  p port         t state         c connections   r requests",
    "  l latency      m memory        u processor     e certificate",
    "",
    "  RST            processes that have taken the place of one that ended",
    "  CONN, REQ/S    open connections; requests a second, of ten seconds",
    "  P50/10 P99/10  half, and 99 of 100, of the requests of the last ten",
    "                 seconds took no longer; P50, P99: since the start",
    "  PSS, CPU%      memory, and part of one processor, of all its processes",
    "  CERT           days until the certificate ends; ! if that is soon;",
    "                 plain: the port has no TLS",
    "  WRK, UPTIME    workers, and since when: from 94 columns on",
};

struct output {
	const struct view *view;
	screen_line_fn *put;
	void *arg;
	unsigned line;
};

/* Writes a line, cut at the terminal's width, never within a character. */
static void line_put(struct output *o, bool reverse, const char *text)
{
	char cut[SCREEN_LINE_MAX];
	size_t len = strlen(text);
	if (o->line >= o->view->lines)
		return;
	if (len > o->view->columns)
		len = o->view->columns;
	if (len > sizeof(cut) - 1)
		len = sizeof(cut) - 1;
	while (len > 0 && (text[len] & 0xc0) == 0x80)
		len--;
	memcpy(cut, text, len);
	cut[len] = '\0';
	o->put(o->arg, ++o->line, reverse, cut);
}

/* --- the list -------------------------------------------------------------------------------- */

/* Where the first line ends if the text is wrapped: at a blank if there is one. */
static size_t wrap(const char *text, size_t room)
{
	size_t len = strlen(text);
	if (len <= room)
		return len;
	for (len = room; len > room / 2; len--)
		if (text[len] == ' ')
			return len;
	len = room;
	while (len > 1 && (text[len] & 0xc0) == 0x80)
		len--;
	return len;
}

/* The n-th line of a reason; false: there is none. If the reason is longer than its lines, the last
 * one ends in dots. */
static bool reason_line(const struct view *v, const struct row *r, unsigned n, struct text *t)
{
	char reason[REASON_MAX];
	const size_t room = v->columns > COLUMNS_LEAST ? v->columns - INDENT : SCREEN_LINE_MAX - 16;
	const char *at = reason;
	struct text all;
	text_init(&all, reason, sizeof(reason));
	row_reason(&all, r);
	for (unsigned i = 0; *at != '\0' && i < REASON_LINES; i++) {
		const size_t len = wrap(at, room);
		if (i < n) {
			at += len + (at[len] == ' ');
			continue;
		}
		const bool cut = at[len] != '\0' && i == REASON_LINES - 1;
		for (unsigned k = 0; k < INDENT; k++)
			text_add_char(t, ' ');
		text_add(t, at, cut && len > 3 ? wrap(at, len - 3) : len);
		text_add_str(t, cut ? "..." : "");
		return true;
	}
	return false;
}

static unsigned reason_lines(const struct view *v, const struct row *r)
{
	char line[SCREEN_LINE_MAX];
	struct text t;
	unsigned n = 0;
	if (r->urgency == 0)
		return 0;
	do
		text_init(&t, line, sizeof(line));
	while (reason_line(v, r, n, &t) && ++n < REASON_LINES);
	return n;
}

size_t screen_length(const struct view *v)
{
	size_t length = v->rows_count;
	for (size_t i = 0; i < v->rows_count && v->rows[i].urgency > 0; i++)
		length += reason_lines(v, &v->rows[i]);
	return length;
}

size_t screen_shown(const struct view *v)
{
	return v->lines > SCREEN_HEAD + 1 ? v->lines - SCREEN_HEAD - 1 : 0;
}

static void list_put(struct output *o, const struct table *table)
{
	const struct view *v = o->view;
	const size_t end = v->first + screen_shown(v);
	char line[SCREEN_LINE_MAX];
	struct text t;
	size_t at = 0;
	for (size_t i = 0; i < v->rows_count && at < end; i++) {
		const unsigned reasons = reason_lines(v, &v->rows[i]);
		if (at >= v->first) {
			text_init(&t, line, sizeof(line));
			table_line(table, i, &t);
			line_put(o, false, line);
		}
		at++;
		for (unsigned n = 0; n < reasons && at < end; n++, at++) {
			text_init(&t, line, sizeof(line));
			if (at >= v->first && reason_line(v, &v->rows[i], n, &t))
				line_put(o, false, line);
		}
	}
	for (; at < v->first; at++) /* the list has become shorter */
		;
	while (at++ < end)
		line_put(o, false, "");
}

static int table_put(struct output *o)
{
	const struct view *v = o->view;
	char line[SCREEN_LINE_MAX];
	struct table table;
	struct text t;
	if (columns_table(&table, v->rows, v->rows_count,
			  v->columns >= COLUMNS_WIDE ? COLUMNS_TOP_WIDE : COLUMNS_TOP) < 0)
		return -1;
	text_init(&t, line, sizeof(line));
	table_title_line(&table, &t);
	line_put(o, true, line);
	list_put(o, &table);
	table_release(&table);
	return 0;
}

/* --- around it ------------------------------------------------------------------------------- */

static void head_put(struct output *o)
{
	const struct view *v = o->view;
	char line[SCREEN_LINE_MAX];
	struct text t;
	text_init(&t, line, sizeof(line));
	if (v->status != NULL)
		summary_server(&t, v->status);
	else
		text_add_str(&t, "bulkhead");
	line_put(o, false, line);
	text_init(&t, line, sizeof(line));
	if (v->problem[0] != '\0')
		words_safe(&t, v->problem);
	else if (v->status != NULL)
		summary_ports(&t, v->status);
	line_put(o, false, line);
	text_init(&t, line, sizeof(line));
	if (v->status != NULL)
		totals_describe(&t, &v->totals);
	line_put(o, false, line);
}

static void foot_put(struct output *o)
{
	static const char *const names[ROW_KEYS] = {"port", "state",  "connections", "requests",
						    "p99",  "memory", "cpu",         "certificate"};
	const struct view *v = o->view;
	const size_t shown = screen_shown(v), length = screen_length(v), last = v->first + shown;
	char line[SCREEN_LINE_MAX];
	struct text t;
	text_init(&t, line, sizeof(line));
	/* The rest is less important, and a narrow terminal cuts it off. */
	text_addf(&t, "by %s%s", names[v->key], v->reversed ? ", reversed" : "");
	if (shown > 0 && length > shown)
		text_addf(&t, "  %zu-%zu of %zu", v->first + 1, last < length ? last : length,
			  length);
	text_add_str(&t, "  ?: help  q: quit  p t c r l m u e: sort  arrows");
	line_put(o, true, line);
}

static void help_put(struct output *o)
{
	const size_t count = sizeof(help) / sizeof(help[0]);
	line_put(o, true, "bulkheadctl top: keys and columns");
	for (size_t i = 0; i < count && o->line + 1 < o->view->lines; i++)
		line_put(o, false, help[i]);
	while (o->line + 1 < o->view->lines)
		line_put(o, false, "");
	line_put(o, true, "any key: back");
}

int screen_render(const struct view *v, screen_line_fn *put, void *arg)
{
	struct output o = {.view = v, .put = put, .arg = arg};
	if (v->help) {
		help_put(&o);
		return 0;
	}
	head_put(&o);
	const int error = table_put(&o);
	foot_put(&o);
	return error;
}
