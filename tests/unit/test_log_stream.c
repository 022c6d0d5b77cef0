/* A child's log on its way through the master: an honest child's records arrive unchanged, a
 * taken-over child's arrive under its own name, printable and bounded; and the master's own
 * records survive a sink that is full or gone. */
#include "log/stream.h"

#include "base/fd.h"
#include "base/text.h"
#include "log/frame.h"
#include "log/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "access.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define BEHIND_STAMP 26 /* "2024-12-06 10:15:30,123 - " */

static const struct log_source worker = {
    .role = LOG_ROLE_WORKER, .port = 8000, .worker = 2, .pid = 4711, .name = "worker 2 (pid 4711)"};
static const struct access get = {
    .client = "127.0.0.1",
    .client_port = 12345,
    .method = "GET",
    .method_len = 3,
    .target = "/path?query=1",
    .target_len = 13,
    .version = "HTTP/1.1",
    .status = 200,
    .bytes = 14,
    .duration_us = 420,
    .request_id = "8000-1-2a",
    .refusal = REFUSE_TARGET_TOO_LONG,
};

static char folder[] = "/tmp/test_log_stream.XXXXXX";
static char socket_path[64];

static int group_setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(socket_path, sizeof(socket_path), "%s/socket", folder);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	unlink(socket_path);
	return rmdir(folder);
}

/* The master's log with one console that is a pipe, and the stream of a child. */
struct master {
	struct log log;
	struct log_stream stream;
	int console; /* its other end */
	uint64_t now_ms;
};

static void pipe_make(int fd[2])
{
	assert_int_equal(pipe2(fd, O_CLOEXEC | O_NONBLOCK), 0);
}

static void master_make(struct master *m)
{
	int fd[2];
	log_init(&m->log, LOG_ROLE_MASTER, 0, 0, LOG_DAEMON);
	log_names(&m->log, ipc_field_names, IPC_FIELDS);
	pipe_make(fd);
	assert_true(fcntl(fd[1], F_SETPIPE_SZ, 4096) >= 0);
	log_adopt(&m->log, LOG_SINK_CONSOLE, fd[1]);
	m->log.sinks[LOG_SINK_CONSOLE].queue = queue_new();
	m->console = fd[0];
	m->now_ms = 1000;
	log_stream_init(&m->stream, &worker);
}

static void master_end(struct master *m)
{
	log_close(&m->log);
	close(m->console);
}

/* What is on the console now, terminated. */
static char *console(struct master *m)
{
	static char out[70000];
	size_t len = 0;
	ssize_t n;
	while ((n = read(m->console, out + len, sizeof(out) - 1 - len)) > 0)
		len += (size_t)n;
	out[len] = '\0';
	return out;
}

/* Fills the console, so that it takes nothing until it is read. */
static void console_fill(const struct master *m)
{
	char waste[4096];
	memset(waste, '.', sizeof(waste));
	while (write(m->log.sinks[LOG_SINK_CONSOLE].fd, waste, sizeof(waste)) > 0)
		;
}

/* Reads as much as there is room for at a time and passes complete records on, then ends the
 * stream. */
static void feed(struct master *m, const void *data, size_t len, size_t step, bool ended)
{
	const unsigned char *p = data;
	size_t size;
	do {
		size_t room;
		unsigned char *to = log_stream_room(&m->stream, &room);
		size_t n = step < len ? step : len;
		if (n > room)
			n = room;
		assert_true(n > 0 || len == 0);
		memcpy(to, p, n);
		m->stream.len += n;
		p += n;
		len -= n;
		while ((size = log_stream_next(&m->stream, ended && len == 0)) > 0) {
			assert_true(size <= LOG_STREAM_MAX);
			assert_true(
			    log_stream_pass(&m->log, &m->stream, size, m->now_ms, LOG_WAIT));
		}
	} while (len > 0);
}

/* A child's log, whose records are collected. */
struct child {
	struct log log;
	int fds[2];
};

static void child_make(struct child *c)
{
	log_init(&c->log, LOG_ROLE_WORKER, 666, 1, LOG_MAIL); /* the identity that it claims */
	pipe_make(c->fds);
	log_adopt(&c->log, LOG_SINK_MASTER, c->fds[1]);
}

static void child_end(struct child *c)
{
	log_close(&c->log);
	assert_true(fcntl(c->fds[1], F_GETFD) >= 0); /* standard error stays */
	close(c->fds[0]);
	close(c->fds[1]);
}

static size_t child_said(const struct child *c, unsigned char *out, size_t size)
{
	ssize_t n = read(c->fds[0], out, size);
	return n > 0 ? (size_t)n : 0;
}

/* Lines without their stamps are the same. */
static void assert_lines(const char *text, const char *const *lines, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *end = strchr(text, '\n');
		assert_non_null(end);
		assert_true((size_t)(end - text) >= BEHIND_STAMP);
		char line[LOG_RECORD_MAX + 1];
		snprintf(line, sizeof(line), "%.*s", (int)(end - text), text);
		assert_string_equal(line + BEHIND_STAMP, lines[i]);
		text = end + 1;
	}
	assert_string_equal(text, "");
}

/* --- honest ----------------------------------------------------------------------------------- */

static void records_arrive_in_whatever_pieces(void **state)
{
	(void)state;
	static const char *const lines[] = {
	    "[PORT 8000] something 1",
	    ("[PORT 8000] Received GET request from ('127.0.0.1', 12345) \"GET /path?query=1 "
	     "HTTP/1.1\" 200 14 0.4ms target-too-long"),
	    "[PORT 8000] worker 2 (pid 4711) wrote: a message of the C library",
	    "[PORT 8000] worker 2 (pid 4711) wrote: without an end",
	    "[PORT 8000] something 2",
	    "[PORT 8000] worker 2 (pid 4711) wrote: the last words",
	};
	unsigned char said[4096];
	struct child c;
	child_make(&c);
	log_write(&c.log, LOG_ERR, "something %d", 1);
	access_write(&c.log, &get);
	dprintf(c.fds[1], "a message of the C library\n\nwithout an end");
	log_write(&c.log, LOG_INFO, "something %d", 2);
	dprintf(c.fds[1], "the last words");
	const size_t len = child_said(&c, said, sizeof(said));
	for (size_t step = 1; step <= len; step++) {
		struct master m;
		master_make(&m);
		feed(&m, said, len, step, true);
		assert_lines(console(&m), lines, sizeof(lines) / sizeof(lines[0]));
		master_end(&m);
	}
	child_end(&c);
}

/* Our own sentences show names in UTF-8; foreign text is escaped. */
static void names_stay_as_they_are(void **state)
{
	(void)state;
	static const char *const lines[] = {
	    "[PORT 8000] the certificate of m\xc3\xbcller",
	    "[PORT 8000] worker 2 (pid 4711) wrote: m\\303\\274ller"};
	unsigned char said[1024];
	struct child c;
	struct master m;
	child_make(&c);
	master_make(&m);
	log_write(&c.log, LOG_INFO, "the certificate of m\xc3\xbcller");
	dprintf(c.fds[1], "m\xc3\xbcller\n");
	const size_t len = child_said(&c, said, sizeof(said));
	feed(&m, said, len, 3, false);
	assert_lines(console(&m), lines, 2);
	master_end(&m);
	child_end(&c);
}

static void the_longest_record_leaves_in_one_piece(void **state)
{
	(void)state;
	static char target[70000], said[8192];
	struct access a = get;
	struct child c;
	struct master m;
	memset(target, '"', sizeof(target));
	target[0] = '/';
	a.target = target;
	a.target_len = sizeof(target);
	a.method = target + 1;
	a.method_len = 5000;
	a.client = "2001:0db8:0000:0000:0000:ffff:255.255.255.255%an-interface-of-15";
	a.request_id = "ffffffff-ffffffffffffffff";
	child_make(&c);
	master_make(&m);
	assert_true(fcntl(m.console, F_SETPIPE_SZ, 65536) >= 0);
	access_write(&c.log, &a);
	target[sizeof(target) - 1] = '\0';
	log_write(&c.log, LOG_INFO, "%s", target);
	assert_int_equal(log_dropped(&c.log), 0);
	const size_t len = child_said(&c, (unsigned char *)said, sizeof(said));
	feed(&m, said, len, 100, true);
	const char *out = console(&m);
	assert_non_null(strstr(out, "... HTTP/1.1\" 200 14 0.4ms target-too-long\n"));
	assert_null(strstr(out, "wrote"));
	assert_int_equal(m.stream.dropped_total, 0);
	master_end(&m);
	child_end(&c);
}

static int daemon_start(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	unlink(socket_path);
	memcpy(address.sun_path, socket_path, strlen(socket_path) + 1);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static size_t receive(int fd, char *out, size_t size)
{
	ssize_t n = read(fd, out, size - 1);
	out[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

/* The facility is the master's; role, port, worker and process are those that the master knows. */
static void every_form_bears_the_masters_word(void **state)
{
	(void)state;
	unsigned char said[4096];
	char out[16384];
	struct child c;
	struct master m;
	child_make(&c);
	access_write(&c.log, &get);
	const size_t len = child_said(&c, said, sizeof(said));
	int daemon = daemon_start();

	master_make(&m);
	assert_int_equal(log_open(&m.log, LOG_SINK_SYSLOG, socket_path), 0);
	feed(&m, said, len, len, false);
	receive(daemon, out, sizeof(out));
	assert_memory_equal(out, "<30>", 4);
	assert_non_null(strstr(out, " bulkhead[4711]: [PORT 8000] Received GET request"));
	master_end(&m);

	master_make(&m);
	assert_int_equal(log_open(&m.log, LOG_SINK_JOURNAL, socket_path), 0);
	feed(&m, said, len, len, false);
	const size_t n = receive(daemon, out, sizeof(out));
	static const char *const fields[] = {"BULKHEAD_ROLE=worker\n",  "PRIORITY=6\n",
					     "SYSLOG_PID=4711\n",       "BULKHEAD_PORT=8000\n",
					     "BULKHEAD_WORKER=2\n",     "BULKHEAD_STATUS=200\n",
					     "BULKHEAD_BYTES=14\n",     "BULKHEAD_CLIENT\n\t",
					     "BULKHEAD_METHOD\n\3",     "BULKHEAD_PATH\n\5",
					     "BULKHEAD_REQUEST_ID\n\t", "BULKHEAD_REASON\n\17"};
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		assert_non_null(memmem(out, n, fields[i], strlen(fields[i])));
	assert_null(memmem(out, n, "666", 3));
	master_end(&m);
	close(daemon);
	unlink(socket_path);
	child_end(&c);
}

/* --- hostile ---------------------------------------------------------------------------------- */

static size_t frame_make(unsigned char *to, struct frame_head head,
			 const struct frame_value *values, const char *bytes)
{
	const size_t count = head.values_count < 2 ? head.values_count : 2;
	const size_t begin = sizeof(head) + count * sizeof(*values), len = strlen(bytes);
	head.size = head.size != 0 ? head.size : (uint16_t)(begin + len);
	memcpy(to, &head, sizeof(head));
	if (values != NULL)
		memcpy(to + sizeof(head), values, count * sizeof(*values));
	memcpy(to + begin, bytes, len);
	return begin + len;
}

#define GOOD .mark = FRAME_MARK, .priority = LOG_INFO | FRAME_VALUES
static const struct frame_head good = {GOOD, .text_len = 4};

/* Passes the records on; returns the console's text. */
static const char *shown(struct master *m, const unsigned char *data, size_t len)
{
	feed(m, data, len, len, true);
	return console(m);
}

static void assert_printable(const char *text)
{
	for (; *text != '\0'; text++)
		assert_true((*text >= 0x20 && *text < 0x7f) || *text == '\n');
}

static void what_is_no_record_is_a_text(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		struct frame_head head;
		struct frame_value values[2];
		const char *bytes;
	} bad[] = {
	    {"a control in the text", {GOOD, .text_len = 4}, {{0}}, "te\nt"},
	    {"an escape in the text", {GOOD, .text_len = 4}, {{0}}, "te\x1bt"},
	    {"a text that is longer", {GOOD, .text_len = 9}, {{0}}, "text"},
	    {"a text beyond all bounds", {GOOD, .text_len = 65535}, {{0}}, "text"},
	    {"a control in a value",
	     {GOOD, .text_len = 4, .values_count = 1},
	     {{IPC_FIELD_CLIENT, 4, 2}},
	     "textc\n"},
	    {"a value outside",
	     {GOOD, .text_len = 4, .values_count = 1},
	     {{IPC_FIELD_METHOD, 3, 6}},
	     "textmore"},
	    {"a value far outside",
	     {GOOD, .text_len = 4, .values_count = 1},
	     {{IPC_FIELD_PATH, 65535, 65535}},
	     "textmore"},
	    {"one value twice",
	     {GOOD, .text_len = 4, .values_count = 2},
	     {{IPC_FIELD_PATH, 0, 1}, {IPC_FIELD_PATH, 1, 1}},
	     "text"},
	    {"values out of order",
	     {GOOD, .text_len = 4, .values_count = 2},
	     {{IPC_FIELD_PATH, 0, 1}, {IPC_FIELD_CLIENT, 1, 1}},
	     "text"},
	    {"more values than there are", {GOOD, .text_len = 4, .values_count = 3}, {{0}}, "text"},
	    {"too many values", {GOOD, .text_len = 0, .values_count = 65535}, {{0}}, "text"},
	    {"milliseconds that are none", {GOOD, .text_len = 4, .ms = 1000}, {{0}}, "text"},
	    {"a priority that is none",
	     {.mark = FRAME_MARK, .priority = 8 | FRAME_VALUES, .text_len = 4},
	     {{0}},
	     "text"},
	    {"a size that is too small", {GOOD, .size = 3, .text_len = 4}, {{0}}, "text"},
	    {"a size that is too large", {GOOD, .size = 65535, .text_len = 4}, {{0}}, "text"},
	    {"a size that never comes", {GOOD, .size = 4096, .text_len = 4}, {{0}}, "text"},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		unsigned char data[256];
		struct master m;
		master_make(&m);
		const size_t len = frame_make(data, bad[i].head, bad[i].values, bad[i].bytes);
		const char *out = shown(&m, data, len);
		if (strstr(out, "[PORT 8000] worker 2 (pid 4711) wrote: ") == NULL)
			fail_msg("%s: %s", bad[i].what, out);
		assert_printable(out);
		assert_int_equal(m.stream.len - m.stream.start, 0);
		master_end(&m);
	}
}

/* Numbers that this version does not know are left out; the others arrive. */
static void a_value_of_a_later_version_is_left_out(void **state)
{
	(void)state;
	static const struct frame_value values[2] = {{IPC_FIELD_METHOD, 0, 4}, {IPC_FIELDS, 4, 4}};
	struct frame_head head = good;
	unsigned char data[256];
	char out[16384];
	struct master m;
	int daemon = daemon_start();
	master_make(&m);
	assert_int_equal(log_open(&m.log, LOG_SINK_JOURNAL, socket_path), 0);
	head.values_count = 2;
	(void)shown(&m, data, frame_make(data, head, values, "textmore"));
	const size_t n = receive(daemon, out, sizeof(out));
	assert_non_null(memmem(out, n, "BULKHEAD_METHOD\n\4\0\0\0\0\0\0\0text\n", 28));
	assert_null(memmem(out, n, "more", 4));
	master_end(&m);
	close(daemon);
	unlink(socket_path);
}

/* A worker that drains after an upgrade writes the form of the program that started it. */
static void a_record_of_the_form_before_has_its_text(void **state)
{
	(void)state;
	struct {
		struct frame_before head;
		char bytes[64];
	} f = {.head = {.mark = FRAME_MARK,
			.priority = LOG_INFO,
			.text_len = 9,
			.lengths = {10, 2},
			.second = time(NULL)}};
	struct master m;
	f.head.size = sizeof(f.head) + 21;
	memcpy(f.bytes, "some text127.0.0.1\0i", 21);
	master_make(&m);
	const char *out = shown(&m, (const unsigned char *)&f, f.head.size);
	assert_string_equal(out + BEHIND_STAMP, "[PORT 8000] some text\n");
	f.bytes[4] = '\n';
	out = shown(&m, (const unsigned char *)&f, f.head.size);
	assert_non_null(strstr(out, "wrote: "));
	f.bytes[4] = ' ';
	f.head.text_len = 22;
	out = shown(&m, (const unsigned char *)&f, f.head.size);
	assert_non_null(strstr(out, "wrote: "));
	assert_printable(out);
	master_end(&m);
}

/* A value that is not in the text has the room that the text leaves. */
static void a_value_without_room_is_left_out(void **state)
{
	(void)state;
	static char text[LOG_TEXT_MAX - 1], value[LOG_TEXT_MAX];
	unsigned char said[8192];
	char out[16384];
	struct child c;
	struct master m;
	int daemon = daemon_start();
	memset(text, 't', sizeof(text));
	memset(value, 'v', sizeof(value));
	const struct log_value values[] = {{IPC_FIELD_STATUS, value, sizeof(value)},
					   {IPC_FIELD_CLIENT, "::1", 3},
					   {IPC_FIELD_PATH, text + 5, 3}};
	child_make(&c);
	master_make(&m);
	assert_int_equal(log_open(&m.log, LOG_SINK_JOURNAL, socket_path), 0);
	log_record(&c.log, LOG_INFO, text, sizeof(text), values, 3);
	const size_t len = child_said(&c, said, sizeof(said));
	assert_true(len > sizeof(text) && len <= LOG_STREAM_MAX);
	feed(&m, said, len, len, true);
	const size_t n = receive(daemon, out, sizeof(out));
	assert_null(memmem(out, n, "BULKHEAD_STATUS", 15));
	assert_non_null(memmem(out, n, "BULKHEAD_CLIENT\n\3\0\0\0\0\0\0\0::1\n", 28));
	assert_non_null(memmem(out, n, "BULKHEAD_PATH\n\3\0\0\0\0\0\0\0ttt\n", 26));
	assert_null(memmem(out, n, "wrote", 5));
	master_end(&m);
	close(daemon);
	unlink(socket_path);
	child_end(&c);
}

/* Emergencies go to all terminals; a chosen time would hide a record. */
static void nothing_is_more_urgent_or_of_another_time(void **state)
{
	(void)state;
	static const int64_t times[] = {INT64_MIN, -1, 0, INT64_MAX, 4000000000};
	char out[16384], now[32];
	unsigned char data[256];
	struct master m;
	int daemon = daemon_start();
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct frame_head head = good;
		head.priority = (uint8_t)(i % 3 | FRAME_VALUES); /* EMERG, ALERT, CRIT */
		head.second = times[i];
		master_make(&m);
		assert_int_equal(log_open(&m.log, LOG_SINK_SYSLOG, socket_path), 0);
		const size_t len = frame_make(data, head, NULL, "text");
		const char *line = shown(&m, data, len);
		const time_t second = time(NULL);
		struct tm tm;
		localtime_r(&second, &tm);
		strftime(now, sizeof(now), "%Y-%m-%d %H:", &tm);
		assert_memory_equal(line, now, strlen(now));
		receive(daemon, out, sizeof(out));
		assert_memory_equal(out, "<26>", 4); /* daemon, critical */
		master_end(&m);
	}
	close(daemon);
	unlink(socket_path);
}

/* Random bytes, many of them marks and line ends. */
static void whatever_comes_is_printable_and_bounded(void **state)
{
	(void)state;
	static const unsigned char likely[] = {FRAME_MARK, '\n', 0, 0xff, 40, 's'};
	static unsigned char data[20000];
	struct master m;
	srandom(1);
	master_make(&m);
	for (int round = 0; round < 50; round++) {
		for (size_t i = 0; i < sizeof(data); i++)
			data[i] = random() % 4 == 0 ? likely[(size_t)random() % sizeof(likely)]
						    : (unsigned char)random();
		size_t at = 0;
		while (at < sizeof(data)) {
			size_t n = (size_t)random() % 3000 + 1, size, room;
			unsigned char *to = log_stream_room(&m.stream, &room);
			n = n < sizeof(data) - at ? n : sizeof(data) - at;
			n = n < room ? n : room;
			memcpy(to, data + at, n);
			m.stream.len += n;
			at += n;
			while ((size = log_stream_next(&m.stream, false)) > 0) {
				(void)log_stream_pass(&m.log, &m.stream, size, 0, LOG_TRY);
				const char *out = console(&m);
				assert_printable(out);
				for (const char *end; (end = strchr(out, '\n')) != NULL;
				     out = end + 1) {
					assert_true(end - out < LOG_RECORD_MAX);
					assert_memory_equal(out + BEHIND_STAMP, "[PORT 8000] ", 12);
				}
				assert_string_equal(out, "");
			}
			(void)log_stream_room(&m.stream, &room);
			assert_true(room > 0);
		}
	}
	assert_int_equal(m.stream.dropped_total, 0);
	master_end(&m);
}

/* --- full ------------------------------------------------------------------------------------- */

static void text_add_line(struct master *m, const char *line)
{
	size_t room;
	unsigned char *to = log_stream_room(&m->stream, &room);
	assert_true(strlen(line) <= room);
	memcpy(to, line, strlen(line));
	m->stream.len += strlen(line);
}

static bool pass(struct master *m, enum log_patience patience)
{
	const size_t size = log_stream_next(&m->stream, false);
	assert_true(size > 0);
	return log_stream_pass(&m->log, &m->stream, size, m->now_ms, patience);
}

static void a_full_sink_is_waited_for_and_others_have_it_once(void **state)
{
	(void)state;
	char out[4096];
	struct master m;
	int daemon = daemon_start();
	master_make(&m);
	assert_int_equal(log_open(&m.log, LOG_SINK_SYSLOG, socket_path), 0);
	console_fill(&m);
	text_add_line(&m, "one\n");
	assert_false(pass(&m, LOG_WAIT));
	m.now_ms += LOG_PATIENCE_MS - 1;
	assert_false(pass(&m, LOG_WAIT));
	assert_true(receive(daemon, out, sizeof(out)) > 0);
	assert_int_equal(receive(daemon, out, sizeof(out)), 0); /* once */
	(void)console(&m);
	assert_true(pass(&m, LOG_WAIT));
	assert_non_null(strstr(console(&m), "wrote: one\n"));
	assert_int_equal(receive(daemon, out, sizeof(out)), 0);
	assert_int_equal(m.stream.dropped_total, 0);
	master_end(&m);
	close(daemon);
	unlink(socket_path);
}

static void patience_ends_and_the_loss_is_told(void **state)
{
	(void)state;
	static const char *const lines[] = {"[PORT 8000] 3 log records were dropped",
					    "[PORT 8000] worker 2 (pid 4711) wrote: four"};
	struct master m;
	master_make(&m);
	console_fill(&m);
	text_add_line(&m, "one\ntwo\nthree\nfour\nfive\nsix\n");
	assert_false(pass(&m, LOG_WAIT));
	m.now_ms += LOG_PATIENCE_MS;
	for (int i = 0; i < 3; i++)
		assert_true(pass(&m, LOG_WAIT)); /* nobody waits any more */
	assert_true(log_stream_outstanding(&m.stream));
	(void)console(&m);
	assert_true(pass(&m, LOG_WAIT));
	assert_lines(console(&m), lines, 2);
	assert_false(log_stream_outstanding(&m.stream));
	console_fill(&m);
	assert_false(pass(&m, LOG_WAIT)); /* it took one, so the master waits for it again */
	assert_true(pass(&m, LOG_TRY));   /* but not for an ended child */
	(void)console(&m);
	m.log.second = m.stream.told_second[LOG_SINK_CONSOLE]; /* the same second: not yet */
	log_stream_tell(&m.log, &m.stream);
	m.stream.told_second[LOG_SINK_CONSOLE]--;
	log_stream_tell(&m.log, &m.stream);
	assert_non_null(strstr(console(&m), "[PORT 8000] 1 log record was dropped\n"));
	assert_int_equal(m.stream.dropped_total, 4);
	master_end(&m);
}

static void what_is_beyond_the_rate_is_counted_at_every_sink(void **state)
{
	(void)state;
	struct master m;
	int daemon = daemon_start();
	master_make(&m);
	assert_int_equal(log_open(&m.log, LOG_SINK_SYSLOG, socket_path), 0);
	text_add_line(&m, "one\ntwo\n");
	log_stream_drop(&m.log, &m.stream, log_stream_next(&m.stream, false));
	assert_int_equal(m.stream.dropped[LOG_SINK_CONSOLE], 1);
	assert_int_equal(m.stream.dropped[LOG_SINK_SYSLOG], 1);
	assert_int_equal(m.stream.dropped[LOG_SINK_JOURNAL], 0); /* there is none */
	assert_int_equal(m.stream.dropped_total, 1);
	assert_true(pass(&m, LOG_WAIT));
	const char *out = console(&m);
	assert_non_null(strstr(out, "[PORT 8000] 1 log record was dropped\n"));
	assert_non_null(strstr(out, "wrote: two\n"));
	assert_null(strstr(out, "one"));
	master_end(&m);
	close(daemon);
	unlink(socket_path);
}

/* A child tells the master what its pipe did not take; that report can be lost at a sink. */
static void a_lost_report_is_counted_with_what_it_reports(void **state)
{
	(void)state;
	unsigned char said[4096];
	char out[4096];
	struct child c;
	struct master m;
	int daemon = daemon_start();
	child_make(&c);
	c.log.sinks[LOG_SINK_MASTER].dropped = 48;
	log_tick(&c.log);
	const size_t len = child_said(&c, said, sizeof(said));
	master_make(&m);
	assert_int_equal(log_open(&m.log, LOG_SINK_JOURNAL, socket_path), 0);
	console_fill(&m);
	text_add_line(&m, "one\n");
	assert_true(pass(&m, LOG_TRY));
	memcpy(m.stream.data + m.stream.start, said, len);
	m.stream.len = m.stream.start + len;
	assert_true(pass(&m, LOG_TRY)); /* lost at the console alone */
	assert_int_equal(m.stream.dropped[LOG_SINK_CONSOLE], 49);
	assert_int_equal(m.stream.dropped[LOG_SINK_JOURNAL], 0);
	(void)receive(daemon, out, sizeof(out));
	const size_t n = receive(daemon, out, sizeof(out));
	assert_non_null(memmem(out, n, "BULKHEAD_DROPPED=48\n", 20));
	memcpy(m.stream.data + m.stream.start, said, len);
	m.stream.len = m.stream.start + len;
	log_stream_drop(&m.log, &m.stream, len); /* beyond the rate: at both */
	assert_int_equal(m.stream.dropped[LOG_SINK_JOURNAL], 48);
	(void)console(&m);
	log_stream_tell(&m.log, &m.stream);
	assert_non_null(strstr(console(&m), "[PORT 8000] 97 log records were dropped\n"));
	master_end(&m);
	child_end(&c);
	close(daemon);
	unlink(socket_path);
}

/* A child can claim any number; what is none counts as one. */
static void a_forged_report_counts_little(void **state)
{
	(void)state;
	static const struct {
		const char *number;
		uint64_t counts;
	} rows[] = {{"7", 7},
		    {"4294967295", UINT32_MAX},
		    {"4294967296", 1},
		    {"0", 1},
		    {"18446744073709551615", 1},
		    {"-1", 1},
		    {"7x", 1},
		    {"", 1}};
	unsigned char data[4096];
	struct master m;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct frame_head head = {GOOD, .values_count = 1};
		const struct frame_value v = {LOG_VALUE_DROPPED, 0,
					      (uint16_t)strlen(rows[i].number)};
		master_make(&m);
		console_fill(&m);
		const size_t len = frame_make(data, head, &v, rows[i].number);
		memcpy(m.stream.data, data, len);
		m.stream.len = len;
		assert_true(pass(&m, LOG_TRY));
		assert_int_equal(m.stream.dropped[LOG_SINK_CONSOLE], rows[i].counts);
		assert_int_equal(m.stream.dropped_total, 1);
		master_end(&m);
	}
}

/* The loss of a child's records must not lose the master's record of its end. */
static void the_loss_of_one_that_has_ended_is_told_at_last(void **state)
{
	(void)state;
	static const char *const lines[] = {"[MASTER] it has ended", "[MASTER] it goes on",
					    "[MASTER] 1 log record was dropped"};
	struct master m;
	master_make(&m);
	console_fill(&m);
	text_add_line(&m, "last words\n");
	assert_true(pass(&m, LOG_TRY));
	log_stream_end(&m.log, &m.stream);
	assert_false(log_stream_outstanding(&m.stream));
	assert_true(log_outstanding(&m.log));
	log_write(&m.log, LOG_ERR, "it has ended");
	log_write(&m.log, LOG_ERR, "it goes on");
	(void)console(&m);
	assert_false(log_flush(&m.log));
	log_tick(&m.log);
	assert_lines(console(&m), lines, 3);
	assert_false(log_outstanding(&m.log));
	assert_int_equal(log_dropped(&m.log), 0);
	master_end(&m);
}

/* --- the master's own ------------------------------------------------------------------------- */

static void the_masters_own_wait_in_order_and_come_first(void **state)
{
	(void)state;
	static const char *const lines[] = {"[MASTER] one", "[PORT 8001] two", "[MASTER] three",
					    "[PORT 8000] worker 2 (pid 4711) wrote: mine"};
	struct master m;
	master_make(&m);
	console_fill(&m);
	log_write(&m.log, LOG_ERR, "one");
	log_write_for(&m.log, 8001, 1, LOG_ERR, "two");
	assert_true(log_is_kept(&m.log, LOG_SINK_CONSOLE));
	assert_true(log_flush(&m.log)); /* still full */
	text_add_line(&m, "mine\n");
	(void)console(&m);
	assert_false(pass(&m, LOG_WAIT)); /* there is room, but not for a child yet */
	log_write(&m.log, LOG_ERR, "three");
	assert_false(log_flush(&m.log));
	assert_true(pass(&m, LOG_WAIT));
	assert_lines(console(&m), lines, 4);
	assert_int_equal(log_dropped(&m.log), 0);
	master_end(&m);
}

static void what_overflows_is_counted(void **state)
{
	(void)state;
	struct master m;
	unsigned written = 0, found = 0;
	master_make(&m);
	console_fill(&m);
	while (log_dropped(&m.log) == 0) {
		log_write(&m.log, LOG_ERR, "record %u of many that are not very short", written++);
		assert_true(written < LOG_KEEP_BYTES);
	}
	assert_true(written > LOG_KEEP_BYTES / 200);
	log_write(&m.log, LOG_ERR, "lost, too"); /* even where a shorter one would fit */
	(void)console(&m);
	char expected[64];
	while (log_is_kept(&m.log, LOG_SINK_CONSOLE)) {
		(void)log_flush(&m.log);
		const char *out = console(&m);
		for (const char *end; (end = strchr(out, '\n')) != NULL; out = end + 1) {
			snprintf(expected, sizeof(expected), "record %u of", found++);
			assert_memory_equal(out + BEHIND_STAMP + strlen("[MASTER] "), expected,
					    strlen(expected));
		}
	}
	assert_int_equal(found, written - 1);
	assert_null(strstr(console(&m), "dropped"));
	log_tick(&m.log);
	assert_non_null(strstr(console(&m), "[MASTER] 2 log records were dropped\n"));
	log_write(&m.log, LOG_ERR, "again");
	assert_non_null(strstr(console(&m), "[MASTER] again\n"));
	master_end(&m);
}

/* While a daemon is gone. */
static void a_daemon_that_comes_later_has_the_first_records(void **state)
{
	(void)state;
	char out[16384];
	struct log l;
	log_init(&l, LOG_ROLE_MASTER, 0, 0, LOG_DAEMON);
	log_keep(&l);
	assert_int_equal(log_open(&l, LOG_SINK_JOURNAL, socket_path), 0);
	for (int i = 0; i < 5; i++)
		log_write(&l, LOG_NOTICE, "record %d", i);
	assert_true(log_flush(&l));
	int daemon = daemon_start();
	assert_int_equal(log_reconnect(&l, LOG_SINK_JOURNAL, socket_path), 0);
	assert_false(log_flush(&l));
	for (int i = 0; i < 5; i++) {
		char expected[32];
		const size_t n = receive(daemon, out, sizeof(out));
		snprintf(expected, sizeof(expected), "[MASTER] record %d\n", i);
		assert_non_null(memmem(out, n, expected, strlen(expected)));
	}
	assert_int_equal(log_dropped(&l), 0);

	/* The state that is handed over is the same, byte for byte, and fills another log's
	 * queue. */
	struct log next;
	size_t at = 0, len, count = 0;
	close(daemon);
	unlink(socket_path);
	log_write(&l, LOG_NOTICE, "for the next one");
	log_write(&l, LOG_NOTICE, "and this");
	log_init(&next, LOG_ROLE_MASTER, 0, 0, LOG_DAEMON);
	log_keep(&next);
	assert_int_equal(log_open(&next, LOG_SINK_JOURNAL, socket_path), 0);
	for (const void *data; (data = log_kept(&l, LOG_SINK_JOURNAL, &at, &len)) != NULL; count++)
		log_keep_again(&next, LOG_SINK_JOURNAL, data, len);
	assert_int_equal(count, 2);
	log_close(&l);
	daemon = daemon_start();
	assert_int_equal(log_reconnect(&next, LOG_SINK_JOURNAL, socket_path), 0);
	assert_false(log_flush(&next));
	len = receive(daemon, out, sizeof(out));
	assert_non_null(memmem(out, len, "[MASTER] for the next one\n", 26));
	len = receive(daemon, out, sizeof(out));
	assert_non_null(memmem(out, len, "[MASTER] and this\n", 18));
	log_close(&next);
	close(daemon);
	unlink(socket_path);
}

/* Wraps around the end of the queue's room again and again. */
static void the_queue_goes_round(void **state)
{
	(void)state;
	struct log_queue *q = queue_new();
	unsigned in = 0, out = 0;
	char text[600];
	assert_non_null(q);
	memset(text, 'x', sizeof(text));
	for (int i = 0; i < 2000; i++) {
		const size_t len = 4 + (size_t)i * 7 % 590;
		memcpy(text, &in, sizeof(in));
		const struct iovec iov[] = {{text, 4}, {text + 4, len - 4}};
		if (queue_add(q, iov, 2))
			in++;
		size_t at = 0, found;
		unsigned number;
		const void *first = queue_at(q, &at, &found);
		if (i % 3 == 0 || in - out > 100) {
			assert_non_null(first);
			memcpy(&number, first, sizeof(number));
			assert_int_equal(number, out);
			queue_drop_first(q);
			out++;
		}
	}
	assert_true(in > 1500);
	while (!queue_is_empty(q)) {
		queue_drop_first(q);
		out++;
	}
	assert_int_equal(in, out);
	assert_false(queue_add(q, &(const struct iovec){text, LOG_KEEP_BYTES}, 1));
	assert_true(queue_is_empty(q));
	free(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(records_arrive_in_whatever_pieces),
	    cmocka_unit_test(names_stay_as_they_are),
	    cmocka_unit_test(the_longest_record_leaves_in_one_piece),
	    cmocka_unit_test(every_form_bears_the_masters_word),
	    cmocka_unit_test(what_is_no_record_is_a_text),
	    cmocka_unit_test(a_value_of_a_later_version_is_left_out),
	    cmocka_unit_test(a_record_of_the_form_before_has_its_text),
	    cmocka_unit_test(a_value_without_room_is_left_out),
	    cmocka_unit_test(nothing_is_more_urgent_or_of_another_time),
	    cmocka_unit_test(whatever_comes_is_printable_and_bounded),
	    cmocka_unit_test(a_full_sink_is_waited_for_and_others_have_it_once),
	    cmocka_unit_test(patience_ends_and_the_loss_is_told),
	    cmocka_unit_test(what_is_beyond_the_rate_is_counted_at_every_sink),
	    cmocka_unit_test(a_lost_report_is_counted_with_what_it_reports),
	    cmocka_unit_test(a_forged_report_counts_little),
	    cmocka_unit_test(the_loss_of_one_that_has_ended_is_told_at_last),
	    cmocka_unit_test(the_masters_own_wait_in_order_and_come_first),
	    cmocka_unit_test(what_overflows_is_counted),
	    cmocka_unit_test(a_daemon_that_comes_later_has_the_first_records),
	    cmocka_unit_test(the_queue_goes_round),
	};
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
