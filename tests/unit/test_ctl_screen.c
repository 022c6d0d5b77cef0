/* ctl: the screen of top as text, what comes first on it, and latencies of the last seconds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/columns.h"
#include "ctl/latency.h"
#include "ctl/screen.h"
#include "ctl/words.h"

#define LINES_MAX 1200

static char shown[LINES_MAX][SCREEN_LINE_MAX];
static unsigned shown_count;

static void collect(void *arg, unsigned line, bool reverse, const char *text)
{
	const struct view *v = arg;
	(void)reverse;
	assert_int_equal(line, shown_count + 1);
	assert_true(line <= v->lines);
	assert_true(strlen(text) <= v->columns);
	for (const char *c = text; *c != '\0'; c++)
		assert_true((unsigned char)*c >= ' ' && *c != 0x7f);
	if (line <= LINES_MAX)
		(void)strlcpy(shown[line - 1], text, sizeof(shown[0]));
	shown_count = line;
}

/* Exactly as many lines as there are. */
static void render(struct view *v)
{
	shown_count = 0;
	v->problem = v->problem != NULL ? v->problem : "";
	assert_int_equal(screen_render(v, collect, v), 0);
	assert_int_equal(shown_count, v->lines);
}

struct stage {
	json_t *status;
	struct row *rows;
	struct view view;
};

/* ports: the inside of the array. */
static void stage_set(struct stage *s, const char *ports)
{
	static char text[1 << 20];
	(void)snprintf(text, sizeof(text),
		       "{\"version\":\"1\",\"pid\":7,\"log_level\":\"info\",\"ports_serving\":2,"
		       "\"ports_parked\":1,\"ports\":[%s]}",
		       ports);
	s->status = json_loads(text, 0, NULL);
	assert_non_null(s->status);
	size_t count;
	s->rows = rows_read(s->status, &count);
	(void)rows_urgent_first(s->rows, count);
	s->view = (struct view){
	    .lines = 24, .columns = 80, .status = s->status, .rows = s->rows, .rows_count = count};
	totals_read(&s->view.totals, s->rows, count);
}

static void stage_clear(struct stage *s)
{
	free(s->rows);
	json_decref(s->status);
}

#define SERVES(port)                                                     \
	"{\"port\":" port ",\"state\":\"serving\",\"workers_wanted\":1," \
	"\"workers\":[{\"state\":\"serving\",\"uptime_ms\":5000}]}"
#define PARKED(port, reason) \
	"{\"port\":" port ",\"state\":\"parked\",\"reason\":\"" reason "\",\"workers_wanted\":1}"

static const char three[] = SERVES("8000") "," PARKED(
    "8001",
    "cannot listen") ","
		     "{\"port\":8002,\"state\":\"backoff\",\"next_retry_ms\":12000,\"workers_"
		     "wanted\":1,"
		     "\"last_exit\":{\"text\":\"worker 1 crashed by SIGSEGV\"}}," SERVES(
			 "7000") ","
				 "{\"port\":8003,\"state\":\"serving\",\"workers_wanted\":4,"
				 "\"workers\":[{\"state\":\"serving\"},{\"state\":\"starting\"}]}";

static void what_needs_somebody_comes_first_with_its_reason(void **state)
{
	struct stage s;
	(void)state;
	stage_set(&s, three);
	render(&s.view);
	assert_string_equal(shown[1], "2 of 3 ports serving, 1 parked");
	assert_string_equal(shown[2], "0 connections, 0.0 req/s");
	assert_string_equal(shown[3],
			    " PORT STATE     RST  CONN  REQ/S P50/10 P99/10    P50    P99 "
			    "   PSS  CPU%   CERT");
	assert_int_equal(strncmp(shown[4], " 8001 parked ", 13), 0);
	assert_string_equal(shown[5], "      parked: cannot listen");
	assert_int_equal(strncmp(shown[6], " 8002 backoff ", 14), 0);
	assert_string_equal(shown[7],
			    "      backoff, tried again in 12s: worker 1 crashed by SIGSEGV");
	assert_int_equal(strncmp(shown[8], " 8003 serving ", 14), 0);
	assert_string_equal(shown[9], "      1 of 4 workers serve");
	assert_int_equal(strncmp(shown[10], " 7000 serving ", 14), 0);
	assert_int_equal(strncmp(shown[11], " 8000 serving ", 14), 0);
	assert_string_equal(shown[12], "");
	assert_non_null(strstr(shown[23], "?: help  q: quit"));
	stage_clear(&s);
}

static void the_order_of_the_others_stays(void **state)
{
	struct row rows[] = {{.port = 5}, {.port = 4, .urgency = 1}, {.port = 3, .urgency = 3},
			     {.port = 2}, {.port = 1, .urgency = 1}, {.port = 6, .urgency = 3}};
	static const unsigned wanted[] = {3, 6, 4, 1, 5, 2};
	(void)state;
	assert_int_equal(rows_urgent_first(rows, 6), 4);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(rows[i].port, wanted[i]);
	assert_int_equal(rows_urgent_first(rows, 0), 0);
}

static void a_long_reason_is_wrapped_and_then_cut(void **state)
{
	struct stage s;
	char reason[300], ports[400];
	(void)state;
	stage_set(&s, PARKED("1", "certificate \\\"/etc/bulkhead/example.org/cert.pem\\\" does not "
				  "match key \\\"/etc/bulkhead/example.org/cert.key\\\""));
	render(&s.view);
	assert_string_equal(shown[5], "      parked: certificate "
				      "\"/etc/bulkhead/example.org/cert.pem\" does not match");
	assert_string_equal(shown[6], "      key \"/etc/bulkhead/example.org/cert.key\"");
	assert_string_equal(shown[7], "");
	stage_clear(&s);
	memset(reason, 'x', sizeof(reason) - 1); /* without a blank, and longer */
	reason[sizeof(reason) - 1] = '\0';
	(void)snprintf(ports, sizeof(ports), PARKED("1", "%s"), reason);
	stage_set(&s, ports);
	render(&s.view);
	assert_int_equal(strlen(shown[6]), 80);
	assert_string_equal(shown[6] + 77, "...");
	assert_string_equal(shown[7], "");
	stage_clear(&s);
}

/* Of any size, of any content; each line once, none too long (collect() looks). */
static void every_size_of_terminal_is_filled_exactly(void **state)
{
	struct stage s;
	(void)state;
	stage_set(&s, three);
	for (unsigned help = 0; help < 2; help++)
		for (unsigned lines = 0; lines < 40; lines++)
			for (unsigned columns = 0; columns < 130;
			     columns += columns < 30 ? 1 : 13) {
				s.view.lines = lines;
				s.view.columns = columns;
				s.view.help = help > 0;
				for (s.view.first = 0; s.view.first < 12; s.view.first += 5)
					render(&s.view);
			}
	stage_clear(&s);
}

static void a_wide_terminal_has_all_columns(void **state)
{
	struct stage s;
	(void)state;
	stage_set(&s, three);
	s.view.columns = COLUMNS_WIDE;
	render(&s.view);
	assert_int_equal(strlen(shown[3]), COLUMNS_WIDE - 1);
	assert_non_null(strstr(shown[3], "WRK UPTIME  RST"));
	s.view.columns = COLUMNS_WIDE - 1;
	render(&s.view);
	assert_int_equal(strlen(shown[3]), 80);
	stage_clear(&s);
}

static void a_thousand_ports_are_scrolled_through(void **state)
{
	static char ports[400000];
	struct stage s;
	size_t len = 0;
	(void)state;
	for (int i = 0; i < 1000; i++)
		len += (size_t)snprintf(ports + len, sizeof(ports) - len,
					"%s{\"port\":%d,\"state\":\"%s\",\"reason\":\"r%d\"}",
					i > 0 ? "," : "", 1000 + i,
					i % 2 > 0 ? "parked" : "serving", i);
	stage_set(&s, ports);
	assert_int_equal(screen_length(&s.view), 1500);
	assert_int_equal(screen_shown(&s.view), 19);
	render(&s.view);
	assert_int_equal(strncmp(shown[4], " 1001 parked", 12), 0);
	assert_non_null(strstr(shown[23], "1-19 of 1500"));
	s.view.first = 999; /* the last reason; then those that serve */
	render(&s.view);
	assert_string_equal(shown[4], "      parked: r999");
	assert_int_equal(strncmp(shown[5], " 1000 serving", 13), 0);
	s.view.first = 1500 - 19;
	render(&s.view);
	assert_int_equal(strncmp(shown[22], " 1998 serving", 13), 0);
	stage_clear(&s);
}

static void help_names_every_key_and_column(void **state)
{
	static const char *const words[] = {"q,",     "PageUp", "Home",   "p port",       "t state",
					    "c conn", "r req",  "l lat",  "m mem",        "u proc",
					    "e cert", "RST",    "CONN",   "P50/10",       "PSS",
					    "CERT",   "WRK",    "UPTIME", "any key: back"};
	struct view v = {.lines = 24, .columns = 80, .help = true};
	(void)state;
	render(&v);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		bool found = false;
		for (unsigned k = 0; k < 24; k++)
			found = found || strstr(shown[k], words[i]) != NULL;
		if (!found)
			fail_msg("%s is not explained", words[i]);
	}
}

static void without_an_answer_the_problem_is_shown(void **state)
{
	struct view v = {.lines = 5, .columns = 40, .problem = "no server\n answers"};
	(void)state;
	render(&v);
	assert_string_equal(shown[0], "bulkhead");
	assert_string_equal(shown[1], "no server\\012 answers");
}

/* The last, since nothing takes it back. */
static void in_another_character_set_names_are_ascii(void **state)
{
	struct stage s;
	(void)state;
	stage_set(&s, PARKED("1", "k\xc3\xa4se"));
	render(&s.view);
	assert_string_equal(shown[5], "      parked: k\xc3\xa4se");
	words_ascii_only();
	render(&s.view);
	assert_string_equal(shown[5], "      parked: k\\303\\244se");
	stage_clear(&s);
}

/* --- latencies -------------------------------------------------------------------------------- */

static struct histogram of(uint64_t a, uint64_t b, uint64_t c)
{
	return (struct histogram){.count = 3, .bounds_us = {100, 1000}, .counts = {a, b, c}};
}

static void histograms_are_read_or_empty(void **state)
{
	static const char *const bad[] = {"{}",
					  "{\"latency\":7}",
					  "{\"latency\":{\"bounds_us\":[1],\"counts\":[1]}}",
					  "{\"latency\":{\"bounds_us\":[1,2],\"counts\":[1,2]}}",
					  "[]",
					  "{\"latency\":{\"bounds_us\":[],\"counts\":[]}}"};
	struct histogram h;
	json_t *port =
	    json_loads("{\"latency\":{\"bounds_us\":[100,1000],\"counts\":[1,-5,\"x\"]}}", 0, NULL);
	(void)state;
	histogram_read(&h, port);
	assert_int_equal(h.count, 3);
	assert_int_equal(h.counts[0], 1);
	assert_int_equal(h.counts[1], 0);
	assert_int_equal(h.bounds_us[1], 1000);
	json_decref(port);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		port = json_loads(bad[i], 0, NULL);
		histogram_read(&h, port);
		assert_int_equal(h.count, 0);
		assert_int_equal(histogram_percentile(&h, 99), 0);
		json_decref(port);
	}
}

static void percentiles_are_interpolated(void **state)
{
	struct histogram h = of(100, 0, 0);
	(void)state;
	assert_int_equal(histogram_percentile(&h, 50), 50);
	h = of(50, 50, 0);
	assert_int_equal(histogram_percentile(&h, 50), 100);
	assert_int_equal(histogram_percentile(&h, 99), 982);
	h = of(0, 0, 5);
	assert_int_equal(histogram_percentile(&h, 50), 1000);
	h = of(UINT64_MAX, UINT64_MAX, UINT64_MAX);
	assert_true(histogram_percentile(&h, 99) <= 1000);
	histogram_add(&h, &h);
	assert_true(h.counts[0] == UINT64_MAX);
}

static void the_last_ten_seconds_are_what_was_counted_in_them(void **state)
{
	struct latencies l = {.used = 0};
	struct histogram h, recent;
	(void)state;
	for (uint64_t second = 0; second <= 30; second++) {
		h = of(10 * second, second > 20 ? second - 20 : 0, 0);
		latencies_look(&l, &h, 1000 * second);
		latencies_recent(&l, &recent, 1000 * second);
		const uint64_t seconds = second < 10 ? second : 10;
		if (second == 0)
			assert_int_equal(recent.count, 0);
		else
			assert_int_equal(recent.counts[0], 10 * seconds);
	}
	assert_int_equal(recent.counts[1], 10);
	h = of(0, 5, 0); /* it was started again */
	latencies_look(&l, &h, 31000);
	latencies_recent(&l, &recent, 31000);
	assert_int_equal(recent.count, 0);
	h = of(0, 7, 0);
	latencies_look(&l, &h, 32000);
	latencies_recent(&l, &recent, 32000);
	assert_int_equal(recent.counts[1], 2);
	latencies_look(&l, &h, 60000); /* nobody looked for a while */
	latencies_recent(&l, &recent, 60000);
	assert_int_equal(recent.counts[1], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_needs_somebody_comes_first_with_its_reason),
	    cmocka_unit_test(the_order_of_the_others_stays),
	    cmocka_unit_test(a_long_reason_is_wrapped_and_then_cut),
	    cmocka_unit_test(every_size_of_terminal_is_filled_exactly),
	    cmocka_unit_test(a_wide_terminal_has_all_columns),
	    cmocka_unit_test(a_thousand_ports_are_scrolled_through),
	    cmocka_unit_test(help_names_every_key_and_column),
	    cmocka_unit_test(without_an_answer_the_problem_is_shown),
	    cmocka_unit_test(histograms_are_read_or_empty),
	    cmocka_unit_test(percentiles_are_interpolated),
	    cmocka_unit_test(the_last_ten_seconds_are_what_was_counted_in_them),
	    cmocka_unit_test(in_another_character_set_names_are_ascii),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
