/* ctl: figures in words, columns, /proc, the rows of a status. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "calls.h"
#include "ctl/columns.h"
#include "ctl/differ.h"
#include "ctl/find.h"
#include "ctl/process.h"
#include "ctl/rows.h"
#include "ctl/summary.h"
#include "ctl/terminal.h"
#include "ctl/words.h"

#define MS(days, hours, minutes, seconds) \
	(((((days)*24ULL + (hours)) * 60 + (minutes)) * 60 + (seconds)) * 1000)

typedef void words_fn(struct text *, uint64_t);

static void assert_words(words_fn *words, uint64_t value, const char *wanted)
{
	char line[64];
	struct text t;
	text_init(&t, line, sizeof(line));
	words(&t, value);
	assert_string_equal(line, wanted);
}

static void durations_are_short(void **state)
{
	(void)state;
	assert_words(words_short_duration, 0, "0ms");
	assert_words(words_short_duration, 999, "999ms");
	assert_words(words_short_duration, 1000, "1s");
	assert_words(words_short_duration, MS(0, 0, 0, 59), "59s");
	assert_words(words_short_duration, MS(0, 0, 59, 59), "59m");
	assert_words(words_short_duration, MS(0, 1, 0, 0), "1h00m");
	assert_words(words_short_duration, MS(0, 23, 59, 59), "23h59m");
	assert_words(words_short_duration, MS(1, 0, 0, 0), "1d00h");
	assert_words(words_short_duration, MS(99, 23, 0, 0), "99d23h");
	assert_words(words_short_duration, MS(100, 23, 0, 0), "100d");
	assert_words(words_short_duration, UINT64_MAX, "99999d");
}

static void latencies_are_short(void **state)
{
	(void)state;
	assert_words(words_short_latency, 0, "0us");
	assert_words(words_short_latency, 999, "999us");
	assert_words(words_short_latency, 1000, "1.0ms");
	assert_words(words_short_latency, 99999, "99.9ms");
	assert_words(words_short_latency, 100000, "100ms");
	assert_words(words_short_latency, 999999, "999ms");
	assert_words(words_short_latency, 1000000, "1.0s");
	assert_words(words_short_latency, 10000000, "10.0s");
}

static void sizes_and_counts_are_short(void **state)
{
	(void)state;
	assert_words(words_short_bytes, 0, "0");
	assert_words(words_short_bytes, 1023, "1023");
	assert_words(words_short_bytes, 1024, "1.0K");
	assert_words(words_short_bytes, 1536, "1.5K");
	assert_words(words_short_bytes, 102399, "99.9K");
	assert_words(words_short_bytes, 102400, "100K");
	assert_words(words_short_bytes, 1048575, "1023K");
	assert_words(words_short_bytes, 1048576, "1.0M");
	assert_words(words_short_bytes, UINT64_MAX, "15.9E");
	assert_words(words_short_count, 99999, "99999");
	assert_words(words_short_count, 100000, "100k");
	assert_words(words_short_count, 999999, "999k");
	assert_words(words_short_count, 1234567, "1.2M");
	assert_words(words_short_count, UINT64_MAX, "18.4E");
	assert_words(words_short_tenths, 3, "0.3");
	assert_words(words_short_tenths, 999, "99.9");
	assert_words(words_short_tenths, 1000, "100");
	assert_words(words_short_tenths, 123456, "12345");
}

static void no_figure_is_wider_than_its_column(void **state)
{
	words_fn *const all[] = {words_short_duration, words_short_latency, words_short_bytes,
				 words_short_count, words_short_tenths};
	(void)state;
	for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++)
		for (uint64_t value = 1; value != 0; value <<= 1)
			for (int off = -1; off <= 1; off++) {
				char line[64];
				struct text t;
				text_init(&t, line, sizeof(line));
				if (k == 1 && value > UINT64_C(9) * 1000000 * 10000)
					continue; /* nobody waits for 25 hours */
				all[k](&t, value + (uint64_t)off);
				assert_true(t.len <= WORDS_SHORT + (k == 1));
			}
}

static void what_a_terminal_could_obey_is_shown(void **state)
{
	char line[64];
	struct text t;
	(void)state;
	text_init(&t, line, sizeof(line));
	words_safe(&t, "a\033[2J\"\\\n\302\233m");
	assert_string_equal(line, "a\\033[2J\"\\\\012\\302\\233m");
	words_safe(&t, NULL);
	assert_string_equal(line, "a\\033[2J\"\\\\012\\302\\233m");
}

static void columns_are_as_wide_as_need_be(void **state)
{
	static const char *const titles[] = {">N", "NAME", ">LAST"};
	struct table table;
	char line[128];
	struct text t;
	(void)state;
	table_init(&table, titles, 3);
	char(*cells)[TABLE_CELL] = table_row(&table);
	strcpy(cells[0], "1");
	strcpy(cells[1], "a");
	cells = table_row(&table);
	strcpy(cells[0], "1000");
	strcpy(cells[1], "longer");
	strcpy(cells[2], "x");
	table_measure(&table);
	text_init(&t, line, sizeof(line));
	table_title_line(&table, &t);
	assert_string_equal(line, "   N NAME   LAST");
	text_init(&t, line, sizeof(line));
	table_line(&table, 0, &t);
	assert_string_equal(line, "   1 a");
	text_init(&t, line, sizeof(line));
	table_line(&table, 1, &t);
	assert_string_equal(line, "1000 longer    x");
	table_release(&table);
}

static void proc_is_read(void **state)
{
	struct process p;
	(void)state;
	assert_int_equal(process_ticks("42 (a) b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14"), 23);
	assert_int_equal(process_ticks("42 (a S 1 2 3"), -1);
	assert_int_equal(process_ticks(""), -1);
	assert_int_equal(process_start("42 (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 99"),
			 99);
	assert_int_equal(process_start("42 (a) S 1 2 3"), -1);
	assert_int_equal(
	    process_pss("5-7 ---p [rollup]\nRss:  9 kB\nPss:      12 kB\nPss_Dirty: 1"), 12288);
	assert_int_equal(process_pss("Rss: 9 kB\n"), -1);
	process_look(&p, getpid());
	assert_true(p.cpu_ms >= 0);
	assert_true(p.uptime_ms >= 0 && p.uptime_ms < 3600000);
	process_look(&p, 0);
	assert_int_equal(p.cpu_ms, -1);
	assert_int_equal(p.pss_bytes, -1);
}

/* --- rows ------------------------------------------------------------------------------------- */

static const char status_text[] =
    "{\"version\":\"1\\u001b\",\"pid\":7,\"uptime_ms\":1000,\"log_level\":\"info\","
    "\"configuration\":null,\"ports_serving\":2,\"ports_parked\":1,"
    "\"log\":[{\"to\":\"console\",\"reached\":true},{\"to\":\"syslog\",\"reached\":false,"
    "\"error\":\"No such\\nfile\"},7],\"ports\":["
    "{\"port\":65535,\"state\":\"starting\",\"restarts\":4294967295,\"connections\":1000000,"
    "\"workers_wanted\":64,\"requests_per_second\":123456.7,\"latency\":{\"p50_us\":99999,"
    "\"p99_us\":10000000},\"certificate\":{\"days_left\":3650,\"ends_soon\":false},"
    "\"workers\":[{\"pid\":0,\"state\":\"serving\",\"uptime_ms\":8639999000}]},"
    "{\"port\":8000,\"state\":\"serving\",\"connections\":5,\"certificate\":{\"days_left\":9,"
    "\"ends_soon\":true},\"workers\":7,\"latency\":[]},"
    "{\"port\":8001,\"state\":17,\"certificate\":{\"days_left\":-1,\"ends_soon\":true}}]}";

static void a_status_fits_80_columns(void **state)
{
	json_t *status = json_loads(status_text, 0, NULL);
	size_t count;
	struct row *rows = rows_read(status, &count);
	struct table table;
	char line[512];
	struct text t;
	(void)state;
	assert_int_equal(count, 3);
	rows_look(rows, count);
	rows[2].pss_bytes = 1023 << 10;
	rows[2].cpu_tenths = 64000;
	assert_int_equal(columns_table(&table, rows, count, COLUMNS_STATUS), 0);
	text_init(&t, line, sizeof(line));
	table_title_line(&table, &t);
	assert_string_equal(line, " PORT STATE      WRK UPTIME  RST  CONN  REQ/S    P50    P99 "
				  "   PSS  CPU%   CERT");
	assert_true(t.len <= 79);
	for (size_t i = 0; i < count; i++) {
		text_init(&t, line, sizeof(line));
		table_line(&table, i, &t);
		assert_true(t.len <= 80);
	}
	text_init(&t, line, sizeof(line));
	table_line(&table, 2, &t);
	assert_string_equal(line, "65535 starting  1/64 99d23h 4.2G  1.0M   123k 99.9ms  10.0s "
				  " 1023K  6400  3650d");
	text_init(&t, line, sizeof(line));
	table_line(&table, 0, &t);
	assert_non_null(strstr(line, " 9d!"));
	text_init(&t, line, sizeof(line));
	table_line(&table, 1, &t);
	assert_non_null(strstr(line, " ended!"));
	text_init(&t, line, sizeof(line));
	summary_ports(&t, status);
	assert_string_equal(line, "2 of 3 ports serving, 1 parked; log lost: syslog cannot be "
				  "reached (No such\\012file)");
	text_init(&t, line, sizeof(line));
	summary_server(&t, status);
	assert_string_equal(
	    line, "bulkhead 1\\033, pid 7, up 1s, log level info, built-in configuration");
	table_release(&table);
	free(rows);
	json_decref(status);
}

static void former_generations_count(void **state)
{
	char text[256];
	size_t count;
	(void)state;
	(void)snprintf(text, sizeof(text),
		       "{\"ports\":[{\"port\":1,\"draining\":[{\"generation\":1,\"pids\":[%d]},7]},"
		       "{\"port\":2,\"draining\":[{\"pids\":[null,\"x\",0]}]}]}",
		       (int)getpid());
	json_t *status = json_loads(text, 0, NULL);
	struct row *rows = rows_read(status, &count);
	assert_int_equal(count, 2);
	rows_look(rows, count);
	assert_true(rows[0].pss_bytes > 0);
	assert_true(rows[0].cpu_ms >= 0);
	assert_int_equal(rows[1].pss_bytes, -1);
	assert_int_equal(rows[1].cpu_ms, -1);
	free(rows);
	json_decref(status);
}

/* --- keys ------------------------------------------------------------------------------------- */

/* The keys as letters, arrows as ^ and v. The bytes come in two reads, split anywhere. */
static void assert_keys(const char *bytes, const char *wanted)
{
	for (size_t cut = 0; cut <= strlen(bytes); cut++) {
		struct keys k = {.state = KEYS_PLAIN};
		char seen[32];
		struct text t;
		text_init(&t, seen, sizeof(seen));
		for (unsigned read = 0; read < 2; read++) {
			char key;
			enum terminal_event event;
			k.at = 0;
			k.len = read == 0 ? cut : strlen(bytes) - cut;
			memcpy(k.bytes, read == 0 ? bytes : bytes + cut, k.len);
			while ((event = keys_next(&k, &key)) != TERMINAL_NOTHING) {
				if (event == TERMINAL_UP)
					key = '^';
				else if (event == TERMINAL_DOWN)
					key = 'v';
				else if (event == TERMINAL_PAGE_UP)
					key = 'u';
				else if (event == TERMINAL_PAGE_DOWN)
					key = 'd';
				else if (event == TERMINAL_HOME)
					key = 'h';
				else if (event == TERMINAL_END)
					key = 'e';
				text_add_char(&t, key);
			}
			assert_int_equal(k.at, k.len);
		}
		assert_string_equal(seen, wanted);
	}
}

static void keys_that_come_together_are_all_seen(void **state)
{
	(void)state;
	assert_keys("rq", "rq");
	assert_keys("\033[Bq", "vq");
	assert_keys("\033[A\033OB\033[A", "^v^");
	assert_keys("\033q", "q");
	assert_keys("\033\033[Bq", "vq");
	assert_keys("\033[1;5Cq\033[15~r", "qr");
	assert_keys("\033[\003", "\003");
	assert_keys("\033[1\033[Br", "vr");
	assert_keys("\303\244q", "\303\244q");
	assert_keys("\033[5~\033[6~", "ud");
	assert_keys("\033[H\033[1~\033OH\033[7~", "hhhh");
	assert_keys("\033[F\033[4~\033OF\033[8~q", "eeeeq");
	assert_keys("\033[5;2~\033[99999999999~q", "uq"); /* with a shift; none that there is */
}

static void assert_order(struct row *rows, enum row_key key, bool reversed, unsigned a, unsigned b,
			 unsigned c)
{
	rows_sort(rows, 3, key, reversed);
	assert_int_equal(rows[0].port, a);
	assert_int_equal(rows[1].port, b);
	assert_int_equal(rows[2].port, c);
}

static void rows_are_sorted_by_key(void **state)
{
	struct row rows[] = {
	    {.port = 3, .state = "parked", .connections = 1, .rate_tenths = 5, .pss_bytes = -1},
	    {.port = 1,
	     .state = "serving",
	     .connections = 9,
	     .has_certificate = true,
	     .days_left = 5},
	    {.port = 2,
	     .state = "serving",
	     .connections = 9,
	     .has_certificate = true,
	     .days_left = -5,
	     .cpu_tenths = 7,
	     .p99_us = 1}};
	(void)state;
	assert_order(rows, ROW_PORT, false, 1, 2, 3);
	assert_order(rows, ROW_PORT, true, 3, 2, 1);
	assert_order(rows, ROW_STATE, false, 3, 1, 2);
	assert_order(rows, ROW_CONNECTIONS, false, 1, 2, 3);
	assert_order(rows, ROW_CONNECTIONS, true, 3, 1, 2);
	assert_order(rows, ROW_RATE, false, 3, 1, 2);
	assert_order(rows, ROW_P99, false, 2, 1, 3);
	assert_order(rows, ROW_MEMORY, false, 1, 2, 3);
	assert_order(rows, ROW_CPU, false, 2, 1, 3);
	assert_order(rows, ROW_CERTIFICATE, false, 2, 1, 3);
}

static char told[4096];

static void collect(void *arg, const char *line)
{
	(void)arg;
	assert_true(strlen(told) + strlen(line) + 2 < sizeof(told));
	(void)strcat(told, line);
	(void)strcat(told, "\n");
}

static const char *differences(const char *now, const char *wanted)
{
	told[0] = '\0';
	assert_int_equal(statements_differ(now, wanted, collect, NULL), 0);
	return told;
}

#define LIMITS(n)  "\tlimits {\n\t\tconnections " n "\n\t\tcore 0\n\t}\n"
#define PORT(text) "privileges lenient\nport 8000 {\n" text "}\n"

static void statements_that_differ_are_named_with_their_block(void **state)
{
	(void)state;
	assert_string_equal(differences(PORT("\tworkers 1\n"), PORT("\tworkers 2\n")),
			    "workers 1 -> workers 2\n");
	assert_string_equal(differences(PORT(LIMITS("10")), PORT(LIMITS("20"))),
			    "limits: connections 10 -> connections 20\n");
	assert_string_equal(differences(PORT("\tlocation \"/a\" {\n\t\techo\n\t}\n"),
					PORT("\tlocation \"/a\" {\n\t\trespond 200 \"}\"\n\t}\n")),
			    "- location \"/a\": echo\n+ location \"/a\": respond 200 \"}\"\n");
	assert_string_equal(differences(PORT(LIMITS("1")), PORT(LIMITS("1") "\tworkers 1\n")),
			    "+ workers 1\n");
	assert_string_equal(differences(PORT(LIMITS("1") "\tworkers 1\n"), PORT("\tworkers 1\n")),
			    "- limits: connections 1\n- limits: core 0\n");
	assert_string_equal(differences("privileges lenient\n", "privileges strict\n"),
			    "privileges lenient -> privileges strict\n");
	assert_string_equal(differences(PORT("\ta {\n\t\tb {\n\t\t\tc 1\n\t\t}\n\t\td 1\n\t}\n"),
					PORT("\ta {\n\t\tb {\n\t\t\tc 2\n\t\t}\n\t\td 2\n\t}\n")),
			    "a: b: c 1 -> c 2\na: d 1 -> d 2\n");
	assert_string_equal(differences("", ""), "the same statements in another order\n");
}

static void repeated_statements_are_compared_one_by_one(void **state)
{
	(void)state;
	assert_string_equal(differences(PORT("\tlisten on a\n\tlisten on b\n"),
					PORT("\tlisten on b\n\tlisten on c\n\tlisten on d\n")),
			    "listen on a -> listen on c\n+ listen on d\n");
	assert_string_equal(
	    differences(PORT("\tlisten on a\n\tlisten on a\n"), PORT("\tlisten on a\n")),
	    "- listen on a\n");
	assert_string_equal(differences(PORT("\tlisten on a\n\tlisten on b\n"),
					PORT("\tlisten on b\n\tlisten on a\n")),
			    "the same statements in another order\n");
}

static void a_long_statement_is_cut_to_its_difference(void **state)
{
	char now[600], wanted[600];
	(void)state;
	memset(now, 'x', sizeof(now));
	memset(wanted, 'x', sizeof(wanted));
	now[1] = wanted[1] = ' ';
	now[599] = wanted[599] = '\0';
	wanted[400] = 'y';
	const char *line = differences(now, wanted);
	assert_true(strlen(line) < 2 * DIFFER_SHOWN + 32);
	assert_true(strchr(line, 'y') != NULL);
	assert_int_equal(strncmp(line, "...xxx", 6), 0);
	assert_non_null(strstr(line, "... -> ...xxx"));
}

static void count_line(void *arg, const char *line)
{
	size_t *count = arg;
	assert_non_null(strstr(line, "new.example"));
	++*count;
}

/* One host more moves the statements of all others. */
static void many_statements_are_not_compared_each_with_each(void **state)
{
	enum { HOSTS = 1000 };
	char *now = NULL, *wanted = NULL;
	size_t len, lines = 0;
	FILE *f = open_memstream(&now, &len);
	(void)state;
	fputs("port 443 {\n\tworkers 1\n", f);
	for (unsigned i = 0; i < HOSTS; i++)
		fprintf(f,
			"\thost \"shop%u.example\" {\n\t\ttls {\n\t\t\tcertificate \"/%u\" key "
			"\"/k%u\"\n\t\t}\n\t\tlocation \"/\" {\n\t\t\techo\n\t\t}\n\t}\n",
			i, i, i);
	fputs("}\n", f);
	assert_int_equal(fclose(f), 0);
	f = open_memstream(&wanted, &len);
	fprintf(f, "port 443 {\n\thost \"new.example\" {\n\t\techo\n\t}\n%s",
		now + strlen("port 443 {\n"));
	assert_int_equal(fclose(f), 0);
	strcmp_calls = 0;
	assert_int_equal(statements_differ(now, wanted, count_line, &lines), 0);
	assert_int_equal(lines, 1);
	assert_true(strcmp_calls < 4 * calls_of_a_sort(2 * HOSTS));
	free(now);
	free(wanted);
}

static void no_text_breaks_the_comparison(void **state)
{
	static const char *const texts[] = {
	    "}",          "}\n}\n}\n", "a {",  "a {\nb {\nc {\nd\n",
	    "\n\n\t\t\n", " {\n{ {\n", "a\0b", "port {\n\033[2J\n}"};
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++)
			assert_null(strchr(differences(texts[i], texts[k]), '\033'));
	char deep[700] = "";
	for (int i = 0; i < 100; i++)
		(void)strcat(deep, "abc {\n");
	(void)differences(deep, "x\n");
	(void)differences("x\n", deep);
}

static void masters_are_known_by_their_titles(void **state)
{
	(void)state;
	assert_true(title_is_masters("bulkhead: master", 17));
	assert_true(title_is_masters("bulkhead: master\0\0.", 19)); /* of former versions */
	assert_true(title_is_masters("bulkhead: master", 16));
	assert_false(title_is_masters("bulkhead: master2", 18));
	assert_false(title_is_masters("bulkhead: port 1 worker 1", 26));
	assert_false(title_is_masters("grep\0bulkhead: master", 22));
	assert_false(title_is_masters("bulkhead: maste", 15));
	assert_false(title_is_masters("", 0));
}

static const char *path_in(const char *line, uint64_t inode)
{
	static char copy[256];
	(void)strlcpy(copy, line, sizeof(copy));
	return unix_line_path(copy, inode);
}

static void the_path_of_a_listening_socket_is_read(void **state)
{
	static const char listens[] = "0000000000000000: 00000002 00000000 00010000 0001 01 4711 ";
	char line[256];
	(void)state;
	(void)snprintf(line, sizeof(line), "%s/run/a b.sock\n", listens);
	assert_string_equal(path_in(line, 4711), "/run/a b.sock");
	assert_null(path_in(line, 471));
	assert_null(path_in(listens, 4711));
	(void)snprintf(line, sizeof(line), "%s@abstract\n", listens);
	assert_null(path_in(line, 4711));
	assert_null(
	    path_in("0000000000000000: 00000003 00000000 00000000 0001 03 4711 /run/a\n", 4711));
	assert_null(path_in("Num       RefCount Protocol Flags    Type St Inode Path\n", 0));
	assert_null(path_in("", 0));
}

static void the_name_that_a_socket_was_made_under_is_stripped(void **state)
{
	char path[32] = "/a/control.sock.4242";
	(void)state;
	made_name_strip(path, 424);
	assert_string_equal(path, "/a/control.sock.4242");
	made_name_strip(path, 4242);
	assert_string_equal(path, "/a/control.sock");
	made_name_strip(path, 4242);
	assert_string_equal(path, "/a/control.sock");
}

static void what_is_no_status_has_no_rows(void **state)
{
	static const char *const texts[] = {"{}", "{\"ports\":7}", "{\"ports\":[]}", "[1]"};
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		json_t *status = json_loads(texts[i], 0, NULL);
		size_t count = 7;
		assert_null(rows_read(status, &count));
		assert_int_equal(count, 0);
		json_decref(status);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(durations_are_short),
	    cmocka_unit_test(latencies_are_short),
	    cmocka_unit_test(sizes_and_counts_are_short),
	    cmocka_unit_test(no_figure_is_wider_than_its_column),
	    cmocka_unit_test(what_a_terminal_could_obey_is_shown),
	    cmocka_unit_test(columns_are_as_wide_as_need_be),
	    cmocka_unit_test(proc_is_read),
	    cmocka_unit_test(a_status_fits_80_columns),
	    cmocka_unit_test(former_generations_count),
	    cmocka_unit_test(keys_that_come_together_are_all_seen),
	    cmocka_unit_test(rows_are_sorted_by_key),
	    cmocka_unit_test(statements_that_differ_are_named_with_their_block),
	    cmocka_unit_test(repeated_statements_are_compared_one_by_one),
	    cmocka_unit_test(a_long_statement_is_cut_to_its_difference),
	    cmocka_unit_test(many_statements_are_not_compared_each_with_each),
	    cmocka_unit_test(no_text_breaks_the_comparison),
	    cmocka_unit_test(masters_are_known_by_their_titles),
	    cmocka_unit_test(the_path_of_a_listening_socket_is_read),
	    cmocka_unit_test(the_name_that_a_socket_was_made_under_is_stripped),
	    cmocka_unit_test(what_is_no_status_has_no_rows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
