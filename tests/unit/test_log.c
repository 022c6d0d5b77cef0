/* The log against real pipes, sockets and files: the bytes of each form, and the cost of a sink
 * that is full, slow or gone (a lost record, never a wait). */
#include "log/log.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "log/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "access.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1733476530 /* 2024-12-06 09:15:30 UTC, 10:15:30 in TZ below */
#define ZONE   "CET-1CEST,M3.5.0,M10.5.0/3"

static char folder[] = "/tmp/test_log.XXXXXX";
static char socket_path[64];

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
};

/* --- foundations ------------------------------------------------------------------------------ */

static int group_setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	setenv("TZ", ZONE, 1);
	tzset();
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

static struct log port_log(void)
{
	struct log l;
	log_init(&l, LOG_ROLE_WORKER, 8000, 3, LOG_DAEMON);
	log_names(&l, ipc_field_names, IPC_FIELDS);
	return l;
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

static void daemon_stop(int fd)
{
	close(fd);
	unlink(socket_path);
}

/* The bytes that can be read now, terminated. */
static size_t receive(int fd, char *out, size_t size)
{
	ssize_t n = read(fd, out, size - 1);
	if (n < 0)
		n = 0;
	out[n] = '\0';
	return (size_t)n;
}

static size_t drain(int fd)
{
	char waste[65536];
	size_t sum = 0;
	for (size_t n = 1; n > 0; sum += n)
		n = receive(fd, waste, sizeof(waste));
	return sum;
}

static void pipe_make(int fd[2])
{
	assert_int_equal(pipe2(fd, O_CLOEXEC | O_NONBLOCK), 0);
}

/* The text after the stamp of a console line; checks the form of the stamp. */
static const char *behind_stamp(const char *line)
{
	static const char form[] = "0000-00-00 00:00:00,000 - ";
	for (size_t i = 0; form[i] != '\0'; i++) {
		if (form[i] == '0')
			assert_in_range(line[i], '0', '9');
		else
			assert_int_equal(line[i], form[i]);
	}
	return line + strlen(form);
}

/* The same for a datagram to syslogd; the priority is compared. */
static const char *behind_header(const char *line, int priority)
{
	char header[64];
	int n = snprintf(header, sizeof(header), "<%d>", priority);
	assert_memory_equal(line, header, n);
	line += n + (int)strlen("Dec  6 10:15:30");
	n = snprintf(header, sizeof(header), " bulkhead[%d]: ", (int)getpid());
	assert_memory_equal(line, header, n);
	return line + n;
}

/* The value of a field of the journal's form, as journald reads it; NULL when it is not there.
 * Fails on anything that journald would refuse. */
static const char *field(const char *data, size_t len, const char *name, size_t *ret_len)
{
	const char *end = data + len, *found = NULL;
	while (data < end) {
		const char *line_end = memchr(data, '\n', (size_t)(end - data));
		assert_non_null(line_end);
		const char *equals = memchr(data, '=', (size_t)(line_end - data));
		const char *value = equals != NULL ? equals + 1 : line_end + 1 + sizeof(uint64_t);
		size_t name_len = (size_t)((equals != NULL ? equals : line_end) - data);
		size_t value_len = (size_t)(line_end - value);
		if (equals == NULL) {
			uint64_t little;
			assert_true((size_t)(end - line_end) > sizeof(little));
			memcpy(&little, line_end + 1, sizeof(little));
			value_len = (size_t)le64toh(little);
			assert_true(value_len < (size_t)(end - value));
		}
		assert_int_equal(value[value_len], '\n');
		if (strlen(name) == name_len && memcmp(name, data, name_len) == 0) {
			assert_null(found); /* never twice */
			found = value;
			*ret_len = value_len;
		}
		data = value + value_len + 1;
	}
	return found;
}

static void assert_field(const char *data, size_t len, const char *name, const char *expected)
{
	size_t n = 0;
	const char *value = field(data, len, name, &n);
	if (value == NULL)
		fail_msg("no field %s", name);
	assert_int_equal(n, strlen(expected));
	assert_memory_equal(value, expected, n);
}

/* --- the forms -------------------------------------------------------------------------------- */

static void flatten(const struct log_wire *w, char *out)
{
	for (int i = 0; i < w->count; i++)
		out = mempcpy(out, w->iov[i].iov_base, w->iov[i].iov_len);
	*out = '\0';
}

static void test_forms_are_exact(void **state)
{
	(void)state;
	struct log l = port_log();
	log_stamp(&l, SECOND);
	struct log_record r = {
	    .priority = LOG_NOTICE, .pid = 4711, .port = 8000, .ms = 7, .text = {"some text", 9}};
	struct log_wire w;
	char out[LOG_RECORD_MAX + 1];

	console_layout(&l, &r, false, &w);
	flatten(&w, out);
	assert_string_equal(out, "2024-12-06 10:15:30,007 - [PORT 8000] some text\n");
	console_layout(&l, &r, true, &w);
	flatten(&w, out);
	assert_string_equal(out, "\n2024-12-06 10:15:30,007 - [PORT 8000] some text\n");
	syslog_layout(&l, &r, &w);
	flatten(&w, out);
	assert_string_equal(out, "<29>Dec  6 10:15:30 bulkhead[4711]: [PORT 8000] some text");

	r.port = 0;
	console_layout(&l, &r, false, &w);
	flatten(&w, out);
	assert_string_equal(out, "2024-12-06 10:15:30,007 - [MASTER] some text\n");
	syslog_layout(&l, &r, &w);
	flatten(&w, out);
	assert_string_equal(out, "<29>Dec  6 10:15:30 bulkhead[4711]: [MASTER] some text");
}

static void test_stamp_follows_the_zone(void **state)
{
	(void)state;
	struct log l = port_log();
	log_stamp(&l, 1720000000); /* 2024-07-03 09:46:40 UTC, summer time */
	assert_string_equal(l.stamp, "2024-07-03 11:46:40");
	assert_string_equal(l.rfc3164, "Jul  3 11:46:40");
	log_stamp(&l, SECOND + 10 * 86400);
	assert_string_equal(l.rfc3164, "Dec 16 10:15:30");
}

static void test_console_access(void **state)
{
	(void)state;
	int fd[2];
	char out[LOG_RECORD_MAX + 1];
	struct log l = port_log();
	pipe_make(fd);
	log_adopt(&l, LOG_SINK_CONSOLE, fd[1]);

	access_write(&l, &get);
	receive(fd[0], out, sizeof(out));
	assert_string_equal(behind_stamp(out),
			    "[PORT 8000] Received GET request from ('127.0.0.1', 12345) "
			    "\"GET /path?query=1 HTTP/1.1\" 200 14 0.4ms\n");

	static const struct access malformed = {
	    .client = "::1", .client_port = 9, .status = 400, .bytes = 16, .duration_us = 1234567};
	access_write(&l, &malformed);
	receive(fd[0], out, sizeof(out));
	assert_string_equal(behind_stamp(out),
			    "[PORT 8000] Received malformed request from ('::1', 9) "
			    "\"-\" 400 16 1234.6ms\n");
	log_close(&l);
	close(fd[0]);
}

/* The reason follows the record, and the part at fault follows the reason, escaped and bounded. */
static void test_a_refused_request_has_its_reason(void **state)
{
	(void)state;
	static char excerpt[1000];
	static const struct {
		const char *excerpt;
		size_t len;
		bool cut;
		const char *shown;
	} cases[] = {
	    {NULL, 0, false, ""},
	    {"GET /a\"b\\\x1b\xff\0\n", 13, false, " \"GET /a\\\"b\\\\\\033\\377\\0\\n\""},
	    {"GET /", 5, true, " \"GET /...\""},
	};
	int fd[2];
	char out[16384], want[256];
	struct log l = port_log();
	struct access a = {.client = "::1", .client_port = 9, .status = 400, .bytes = 16};
	pipe_make(fd);
	log_adopt(&l, LOG_SINK_CONSOLE, fd[1]);
	a.refusal = REFUSE_BARE_LF;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		a.excerpt = cases[i].excerpt;
		a.excerpt_len = cases[i].len;
		a.excerpt_cut = cases[i].cut;
		access_write(&l, &a);
		receive(fd[0], out, sizeof(out));
		(void)snprintf(want, sizeof(want),
			       "[PORT 8000] Received malformed request from ('::1', 9) "
			       "\"-\" 400 16 0.0ms bare-lf%s\n",
			       cases[i].shown);
		assert_string_equal(behind_stamp(out), want);
	}
	memset(excerpt, '\x01', sizeof(excerpt));
	a.excerpt = excerpt;
	a.excerpt_len = sizeof(excerpt);
	a.excerpt_cut = true;
	access_write(&l, &a);
	size_t n = receive(fd[0], out, sizeof(out));
	assert_true(n < 400);
	assert_string_equal(out + n - 9, "\\001...\"\n");

	a = get; /* with a request line that was read, and is as long as it can be */
	static char target[60000];
	memset(target, 'x', sizeof(target));
	a.target = target;
	a.target_len = sizeof(target);
	a.version = "HTTP/2.0";
	a.refusal = REFUSE_CHUNK_EXTENSIONS_TOO_LONG;
	a.excerpt = excerpt;
	a.excerpt_len = sizeof(excerpt);
	access_write(&l, &a);
	n = receive(fd[0], out, sizeof(out));
	assert_non_null(
	    strstr(out, "xxx... HTTP/2.0\" 200 14 0.4ms chunk-extensions-too-long \"\\001"));
	assert_string_equal(out + n - 9, "\\001...\"\n");
	log_close(&l);
	close(fd[0]);

	int daemon = daemon_start();
	assert_int_equal(log_open(&l, LOG_SINK_JOURNAL, socket_path), 0);
	access_write(&l, &a);
	n = receive(daemon, out, sizeof(out));
	assert_field(out, n, "BULKHEAD_REASON", "chunk-extensions-too-long");
	log_close(&l);
	daemon_stop(daemon);
}

static void test_master_speaks_for_a_port(void **state)
{
	(void)state;
	int fd[2];
	char out[LOG_RECORD_MAX + 1];
	struct log l;
	log_init(&l, LOG_ROLE_MASTER, 0, 0, LOG_DAEMON);
	pipe_make(fd);
	log_adopt(&l, LOG_SINK_CONSOLE, fd[1]);

	log_write(&l, LOG_NOTICE, "%d ports", 3);
	receive(fd[0], out, sizeof(out));
	assert_string_equal(behind_stamp(out), "[MASTER] 3 ports\n");
	log_write_for(&l, 8001, 2, LOG_NOTICE, "worker %d ended", 2);
	receive(fd[0], out, sizeof(out));
	assert_string_equal(behind_stamp(out), "[PORT 8001] worker 2 ended\n");
	log_close(&l);
	close(fd[0]);
}

static void test_syslog_datagram(void **state)
{
	(void)state;
	char out[LOG_RECORD_MAX + 1];
	struct log l = port_log();
	int daemon = daemon_start();
	assert_int_equal(log_open(&l, LOG_SINK_SYSLOG, socket_path), 0);
	assert_false(l.sinks[LOG_SINK_SYSLOG].broken);

	log_write(&l, LOG_ERR, "no luck");
	receive(daemon, out, sizeof(out));
	assert_string_equal(behind_header(out, LOG_DAEMON | LOG_ERR), "[PORT 8000] no luck");
	access_write(&l, &get);
	receive(daemon, out, sizeof(out));
	assert_string_equal(behind_header(out, LOG_DAEMON | LOG_INFO),
			    "[PORT 8000] Received GET request from ('127.0.0.1', 12345) "
			    "\"GET /path?query=1 HTTP/1.1\" 200 14 0.4ms");
	log_close(&l);
	daemon_stop(daemon);
}

static void test_journal_fields(void **state)
{
	(void)state;
	char out[16384];
	size_t unused;
	struct log l = port_log();
	int daemon = daemon_start();
	assert_int_equal(log_open(&l, LOG_SINK_JOURNAL, socket_path), 0);

	access_write(&l, &get);
	size_t n = receive(daemon, out, sizeof(out));
	assert_field(out, n, "MESSAGE",
		     "[PORT 8000] Received GET request from ('127.0.0.1', 12345) "
		     "\"GET /path?query=1 HTTP/1.1\" 200 14 0.4ms");
	assert_field(out, n, "PRIORITY", "6");
	assert_field(out, n, "SYSLOG_IDENTIFIER", "bulkhead");
	assert_field(out, n, "BULKHEAD_PORT", "8000");
	assert_field(out, n, "BULKHEAD_ROLE", "worker");
	assert_field(out, n, "BULKHEAD_WORKER", "3");
	assert_field(out, n, "BULKHEAD_CLIENT", "127.0.0.1");
	assert_field(out, n, "BULKHEAD_METHOD", "GET");
	assert_field(out, n, "BULKHEAD_PATH", "/path");
	assert_field(out, n, "BULKHEAD_STATUS", "200");
	assert_field(out, n, "BULKHEAD_BYTES", "14");
	assert_field(out, n, "BULKHEAD_DURATION_USEC", "420");
	assert_field(out, n, "BULKHEAD_REQUEST_ID", "8000-1-2a");

	log_write_for(&l, 0, 0, LOG_WARNING, "plain");
	n = receive(daemon, out, sizeof(out));
	assert_field(out, n, "MESSAGE", "[MASTER] plain");
	assert_field(out, n, "PRIORITY", "4");
	assert_null(field(out, n, "BULKHEAD_PORT", &unused));
	assert_null(field(out, n, "BULKHEAD_WORKER", &unused));
	assert_null(field(out, n, "BULKHEAD_STATUS", &unused));

	static const struct access malformed = {.client = "::1", .status = 400};
	access_write(&l, &malformed);
	n = receive(daemon, out, sizeof(out));
	assert_field(out, n, "BULKHEAD_STATUS", "400");
	assert_null(field(out, n, "BULKHEAD_METHOD", &unused));
	assert_null(field(out, n, "BULKHEAD_PATH", &unused));
	assert_null(field(out, n, "BULKHEAD_REQUEST_ID", &unused));
	assert_null(field(out, n, "BULKHEAD_REASON", &unused));
	log_close(&l);
	daemon_stop(daemon);
}

static void assert_path(const char *target, const char *expected)
{
	char out[16384];
	struct log l = port_log();
	struct access a = get;
	int daemon = daemon_start();
	a.target = target;
	a.target_len = strlen(target);
	assert_int_equal(log_open(&l, LOG_SINK_JOURNAL, socket_path), 0);
	access_write(&l, &a);
	size_t n = receive(daemon, out, sizeof(out));
	assert_field(out, n, "BULKHEAD_PATH", expected);
	log_close(&l);
	daemon_stop(daemon);
}

static void test_path_of_each_target_form(void **state)
{
	(void)state;
	assert_path("/", "/");
	assert_path("/a/b?c=d?e", "/a/b");
	assert_path("/?u=http://x/y", "/");
	assert_path("http://example.org/a?b", "/a");
	assert_path("http://example.org", "/");
	assert_path("http://example.org?x=/", "/");
	assert_path("*", "*");
	assert_path("example.org:443", "example.org:443");
}

/* --- nothing can be forged -------------------------------------------------------------------- */

#define EVIL "/a\n2024 - [MASTER] forged\r\nBULKHEAD_PORT=1\n\x1b[2J\"\\\x80\xff\0b"

static void test_client_bytes_forge_nothing(void **state)
{
	(void)state;
	static const char escaped[] = "/a\\n2024 - [MASTER] forged\\r\\nBULKHEAD_PORT=1\\n"
				      "\\033[2J\\\"\\\\\\200\\377\\0b";
	char out[16384], expected[512];
	int fd[2];
	size_t n;
	struct log l = port_log();
	struct access a = get;
	a.method = "G\nT";
	a.target = EVIL;
	a.target_len = sizeof(EVIL) - 1;
	snprintf(expected, sizeof(expected),
		 "[PORT 8000] Received G\\nT request from ('127.0.0.1', 12345) "
		 "\"G\\nT %s HTTP/1.1\" 200 14 0.4ms",
		 escaped);

	pipe_make(fd);
	int daemon = daemon_start();
	assert_int_equal(log_open(&l, LOG_SINK_JOURNAL, socket_path), 0);
	access_write(&l, &a);
	n = receive(daemon, out, sizeof(out));
	assert_field(out, n, "MESSAGE", expected);
	assert_field(out, n, "BULKHEAD_PORT", "8000");
	assert_field(out, n, "BULKHEAD_PATH", escaped);
	assert_field(out, n, "BULKHEAD_METHOD", "G\\nT");
	log_close(&l);

	assert_int_equal(log_open(&l, LOG_SINK_SYSLOG, socket_path), 0);
	access_write(&l, &a);
	receive(daemon, out, sizeof(out));
	assert_string_equal(behind_header(out, LOG_DAEMON | LOG_INFO), expected);
	log_close(&l);

	log_adopt(&l, LOG_SINK_CONSOLE, fd[1]);
	access_write(&l, &a);
	n = receive(fd[0], out, sizeof(out));
	assert_ptr_equal(strchr(out, '\n'), out + n - 1);
	out[n - 1] = '\0';
	assert_string_equal(behind_stamp(out), expected);
	log_close(&l);
	close(fd[0]);
	daemon_stop(daemon);
}

static void test_own_text_is_made_safe(void **state)
{
	(void)state;
	int fd[2];
	char out[LOG_RECORD_MAX + 1];
	struct log l = port_log();
	pipe_make(fd);
	log_adopt(&l, LOG_SINK_CONSOLE, fd[1]);
	log_write(&l, LOG_INFO, "%s", "a \"b\" \\n \n\t\x1b\x7f\xc3\xbc.");
	receive(fd[0], out, sizeof(out));
	assert_string_equal(behind_stamp(out),
			    "[PORT 8000] a \"b\" \\n \\n\\t\\033\\177\303\274.\n");
	log_close(&l);
	close(fd[0]);
}

static void test_long_records_are_cut(void **state)
{
	(void)state;
	static char target[60000];
	char out[65536];
	int fd[2];
	struct log l = port_log();
	struct access a = get;
	memset(target, '\n', sizeof(target)); /* each becomes two */
	target[0] = '/';
	a.target = target;
	a.target_len = sizeof(target);
	a.method = target;
	a.method_len = 1000;
	pipe_make(fd);
	log_adopt(&l, LOG_SINK_CONSOLE, fd[1]);
	access_write(&l, &a);
	size_t n = receive(fd[0], out, sizeof(out));
	assert_true(n <= LOG_RECORD_MAX);
	assert_non_null(strstr(out, "\\n... HTTP/1.1\" 200 14 0.4ms\n"));

	target[0] = '\n';
	target[sizeof(target) - 1] = '\0';
	log_write(&l, LOG_INFO, "%s", target);
	n = receive(fd[0], out, sizeof(out));
	assert_true(n <= LOG_RECORD_MAX && n > LOG_RECORD_MAX / 2);
	assert_memory_equal(out + n - 3, "\\n\n", 3);

	log_close(&l);
	close(fd[0]);
	int daemon = daemon_start();
	assert_int_equal(log_open(&l, LOG_SINK_JOURNAL, socket_path), 0);
	access_write(&l, &a);
	size_t len, datagram = receive(daemon, out, sizeof(out));
	assert_non_null(field(out, datagram, "MESSAGE", &len));
	const char *value = field(out, datagram, "BULKHEAD_PATH", &len);
	assert_non_null(value);
	assert_true(len > 2000 && len <= RECORD_TARGET_MAX + 3);
	assert_memory_equal(value + len - 5, "\\n...", 5);
	value = field(out, datagram, "BULKHEAD_METHOD", &len);
	assert_non_null(value);
	assert_memory_equal(value + len - 5, "\\n...", 5);
	a.target = "/whole?"; /* the path stays whole */
	memcpy(target, a.target, strlen(a.target));
	a.target = target;
	access_write(&l, &a);
	datagram = receive(daemon, out, sizeof(out));
	assert_field(out, datagram, "BULKHEAD_PATH", "/whole");
	log_close(&l);
	daemon_stop(daemon);
}

/* --- full, slow, gone ------------------------------------------------------------------------- */

static void test_full_pipe_drops_and_tells(void **state)
{
	(void)state;
	int fd[2];
	char out[LOG_RECORD_MAX + 1];
	struct log l = port_log();
	struct log_sink *s = &l.sinks[LOG_SINK_CONSOLE];
	pipe_make(fd);
	(void)fcntl(fd[1], F_SETPIPE_SZ, 4096);
	log_adopt(&l, LOG_SINK_CONSOLE, fd[1]);
	while (s->dropped == 0)
		log_write(&l, LOG_INFO, "filling");
	log_write(&l, LOG_INFO, "lost");
	log_tick(&l); /* still full: no report is possible */
	assert_int_equal(s->dropped, 2);
	assert_false(s->broken);
	assert_true(log_outstanding(&l));

	drain(fd[0]);
	log_write(&l, LOG_INFO, "again");
	receive(fd[0], out, sizeof(out));
	char *second = strchr(out, '\n') + 1;
	assert_string_equal(behind_stamp(second), "[PORT 8000] again\n");
	*second = '\0';
	assert_string_equal(behind_stamp(out), "[PORT 8000] 2 log records were dropped\n");
	assert_false(log_outstanding(&l));
	assert_int_equal(s->dropped, 0);
	assert_int_equal(s->dropped_total, 2);

	while (s->dropped == 0) /* the tick reports it when nothing else is written */
		log_write(&l, LOG_INFO, "filling");
	drain(fd[0]);
	s->told_second = INT64_MAX;
	l.second = INT64_MAX; /* once a second is enough; records go on meanwhile */
	(void)sink_tell(&l, LOG_SINK_CONSOLE, &(const struct log_record){.port = 8000}, &s->dropped,
			&s->told_second);
	assert_int_equal(drain(fd[0]), 0);
	s->told_second = 0;
	log_tick(&l);
	receive(fd[0], out, sizeof(out));
	assert_string_equal(behind_stamp(out), "[PORT 8000] 1 log record was dropped\n");
	log_tick(&l);
	assert_int_equal(drain(fd[0]), 0);
	log_close(&l);
	close(fd[0]);
}

/* The reader makes room only after the writer has begun to finish: both losses are counted. */
static void test_the_last_losses_are_counted(void **state)
{
	(void)state;
	int fd[2], status;
	char out[LOG_RECORD_MAX + 1];
	struct log l = port_log();
	struct log_sink *s = &l.sinks[LOG_SINK_CONSOLE];
	pipe_make(fd);
	(void)fcntl(fd[1], F_SETPIPE_SZ, 4096);
	log_adopt(&l, LOG_SINK_CONSOLE, fd[1]);
	while (s->dropped == 0)
		log_write(&l, LOG_INFO, "filling");
	s->orphans = 33;

	pid_t child = fork();
	if (child == 0) {
		log_finish(&l);
		_exit(log_outstanding(&l) ? 1 : 0);
	}
	assert_true(child > 0);
	(void)poll(NULL, 0, 100); /* most likely it has tried by now; it passes if it has not */
	drain(fd[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	receive(fd[0], out, sizeof(out));
	assert_non_null(strstr(out, "[PORT 8000] 1 log record was dropped\n"));
	assert_non_null(strstr(out, "[PORT 8000] 33 log records were dropped\n"));
	log_close(&l);
	close(fd[0]);
}

static void test_closed_pipe_is_no_harm(void **state)
{
	(void)state;
	int fd[2];
	char out[LOG_RECORD_MAX + 1];
	struct log l = port_log();
	struct log_sink *s = &l.sinks[LOG_SINK_CONSOLE];
	pipe_make(fd);
	log_adopt(&l, LOG_SINK_CONSOLE, fd[1]);
	close(fd[0]);
	errno = ENOTTY;
	log_write(&l, LOG_INFO, "to nobody");
	access_write(&l, &get);
	assert_int_equal(errno, ENOTTY);
	assert_true(s->broken);
	assert_int_equal(s->dropped, 2);

	pipe_make(fd);
	log_adopt(&l, LOG_SINK_CONSOLE, fd[1]);
	assert_int_equal(s->fd, fd[1]);
	assert_int_equal(fcntl(s->fd, F_GETFD), FD_CLOEXEC);
	assert_false(s->broken);
	log_tick(&l);
	receive(fd[0], out, sizeof(out));
	assert_string_equal(behind_stamp(out), "[PORT 8000] 2 log records were dropped\n");
	log_close(&l);
	close(fd[0]);
}

static void test_full_datagram_queue(void **state)
{
	(void)state;
	char out[LOG_RECORD_MAX + 1];
	struct log l = port_log();
	struct log_sink *s = &l.sinks[LOG_SINK_SYSLOG];
	int daemon = daemon_start();
	assert_int_equal(log_open(&l, LOG_SINK_SYSLOG, socket_path), 0);
	uint64_t before = clock_ms();
	while (s->dropped < 5)
		log_write(&l, LOG_INFO, "filling");
	assert_true(clock_ms() - before < 5000);
	assert_false(s->broken);
	drain(daemon);
	log_write(&l, LOG_INFO, "again");
	receive(daemon, out, sizeof(out));
	assert_string_equal(behind_header(out, LOG_DAEMON | LOG_WARNING),
			    "[PORT 8000] 5 log records were dropped");
	receive(daemon, out, sizeof(out));
	assert_string_equal(behind_header(out, LOG_DAEMON | LOG_INFO), "[PORT 8000] again");
	log_close(&l);
	daemon_stop(daemon);
}

static void test_daemon_restart(void **state)
{
	(void)state;
	char out[LOG_RECORD_MAX + 1];
	struct log l = port_log();
	struct log_sink *s = &l.sinks[LOG_SINK_SYSLOG];

	assert_int_equal(log_open(&l, LOG_SINK_SYSLOG, socket_path), 0); /* not there yet */
	assert_true(s->broken);
	assert_true(s->fd >= 0);
	log_write(&l, LOG_INFO, "lost"); /* ENOTCONN */
	assert_int_equal(s->dropped, 1);
	assert_int_equal(log_reconnect(&l, LOG_SINK_SYSLOG, socket_path), -ENOENT);

	int daemon = daemon_start(), number = s->fd;
	assert_int_equal(log_reconnect(&l, LOG_SINK_SYSLOG, socket_path), 0);
	assert_int_equal(s->fd, number);
	assert_int_equal(fcntl(s->fd, F_GETFD), FD_CLOEXEC);
	log_write(&l, LOG_INFO, "first");
	receive(daemon, out, sizeof(out));
	assert_non_null(strstr(out, "1 log record was dropped"));
	receive(daemon, out, sizeof(out));
	assert_non_null(strstr(out, "first"));

	daemon_stop(daemon);
	log_write(&l, LOG_INFO, "lost"); /* ECONNREFUSED */
	assert_true(s->broken);
	log_write(&l, LOG_INFO, "lost"); /* ENOTCONN */
	assert_true(s->broken);
	assert_int_equal(s->dropped, 2);
	assert_int_equal(s->dropped_total, 3);
	log_close(&l);
}

static void test_master_reconnects_for_all(void **state)
{
	(void)state;
	char out[LOG_RECORD_MAX + 1];
	int status, go[2];
	struct log l = port_log();
	int daemon = daemon_start();
	assert_int_equal(log_open(&l, LOG_SINK_SYSLOG, socket_path), 0);
	assert_int_equal(log_reconnect(&l, LOG_SINK_SYSLOG, socket_path), 0); /* no harm in it */
	pipe_make(go);

	pid_t child = fork();
	if (child == 0) { /* holds what it inherited, and is not informed */
		struct pollfd ready = {.fd = go[0], .events = POLLIN};
		close(go[1]);
		daemon_stop(daemon);
		log_write(&l, LOG_INFO, "from the child");
		_exit(poll(&ready, 1, 10000) == 1 ? 0 : 1);
	}
	assert_true(child > 0);
	close(daemon);
	while (log_reconnect(&l, LOG_SINK_SYSLOG, socket_path) != -ENOENT)
		(void)poll(NULL, 0, 1);
	assert_true(l.sinks[LOG_SINK_SYSLOG].broken);
	close(go[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);

	daemon = daemon_start();
	child = fork();
	if (child == 0) {
		struct pollfd slept = {.fd = -1};
		do { /* until the other process has reconnected the socket they share */
			(void)poll(&slept, 1, 1);
			log_write(&l, LOG_INFO, "from the child");
		} while (l.sinks[LOG_SINK_SYSLOG].broken);
		_exit(0);
	}
	assert_int_equal(log_reconnect(&l, LOG_SINK_SYSLOG, socket_path), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	while (receive(daemon, out, sizeof(out)) > 0 && strstr(out, "from the child") == NULL)
		;
	assert_non_null(strstr(out, "from the child"));
	close(go[0]);
	log_close(&l);
	assert_int_equal(log_reconnect(&l, LOG_SINK_SYSLOG, socket_path), -EBADF);
	daemon_stop(daemon);
}

static void test_gone_in_each_way(void **state)
{
	(void)state;
	int fd[2];
	struct log l = port_log();
	struct log_sink *s = &l.sinks[LOG_SINK_JOURNAL];
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fd), 0);
	log_adopt(&l, LOG_SINK_JOURNAL, fd[1]);
	assert_int_equal(shutdown(fd[0], SHUT_RD), 0);
	log_write(&l, LOG_INFO, "x"); /* EPIPE */
	assert_true(s->broken);
	close(fd[0]);
	log_close(&l);

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd), 0);
	log_adopt(&l, LOG_SINK_JOURNAL, fd[1]);
	assert_true(send(fd[1], "x", 1, 0) == 1);
	close(fd[0]);                 /* with something unread: */
	log_write(&l, LOG_INFO, "x"); /* ECONNRESET, or EPIPE without SIGPIPE */
	assert_true(s->broken);
	log_close(&l);

	l = port_log();
	access_write(&l, &get); /* no sink: nowhere to go, nothing outstanding */
	assert_false(log_outstanding(&l));
}

static void test_open_errors(void **state)
{
	(void)state;
	char path[256];
	struct log l = port_log();
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(log_open(&l, LOG_SINK_SYSLOG, path), -ENAMETOOLONG);
	assert_int_equal(log_open(&l, LOG_SINK_SYSLOG, "/dev/null/socket"), 0);
	assert_true(l.sinks[LOG_SINK_SYSLOG].broken); /* a later one may be mended */
	assert_int_equal(l.sinks[LOG_SINK_SYSLOG].error, ENOTDIR);
	log_close(&l);
	assert_int_equal(log_probe("/dev/null/socket"), -ENOTDIR);
	assert_int_equal(log_probe(path), -ENAMETOOLONG);
	assert_int_equal(log_probe(socket_path), -ENOENT);
	int daemon = daemon_start();
	assert_int_equal(log_probe(socket_path), 0);
	assert_int_equal((int)drain(daemon), 0);
	daemon_stop(daemon);
}

/* --- the console ------------------------------------------------------------------------------ */

/* Runs log_open() with another standard error; returns its result. */
static struct log console_on(int fd)
{
	struct log l = port_log();
	int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	assert_true(dup2(fd, STDERR_FILENO) >= 0);
	int error = log_open(&l, LOG_SINK_CONSOLE, NULL);
	dup2(saved, STDERR_FILENO);
	close(saved);
	assert_int_equal(error, 0);
	return l;
}

static void test_console_leaves_the_mode_alone(void **state)
{
	(void)state;
	int fd[2];
	char out[LOG_RECORD_MAX + 1];
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	struct log l = console_on(fd[1]);
	struct log_sink *s = &l.sinks[LOG_SINK_CONSOLE];
	assert_int_equal(s->way, LOG_WAY_NONBLOCK);
	assert_int_equal(fcntl(fd[1], F_GETFL) & O_NONBLOCK, 0);
	while (s->dropped == 0) /* would hang if it could */
		log_write(&l, LOG_INFO, "filling");
	assert_true(receive(fd[0], out, sizeof(out)) > 0);
	log_close(&l);
	close(fd[0]);
	close(fd[1]);
}

static void test_console_blocking_descriptor(void **state)
{
	(void)state;
	int fd[2];
	struct log l = port_log();
	struct log_sink *s = &l.sinks[LOG_SINK_CONSOLE];
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	log_adopt(&l, LOG_SINK_CONSOLE, fd[1]);
	assert_int_equal(s->way, LOG_WAY_POLL);
	while (s->dropped == 0)
		log_write(&l, LOG_INFO, "filling");
	assert_int_equal(fcntl(fd[0], F_SETFL, O_NONBLOCK), 0);
	drain(fd[0]);
	log_tick(&l);
	assert_int_equal(s->dropped, 0);
	close(fd[0]);
	log_write(&l, LOG_INFO, "to nobody");
	assert_true(s->broken);
	log_close(&l);
}

static void test_torn_line_on_a_socket(void **state)
{
	(void)state;
	int fd[2], small = 1;
	char out[65536];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	(void)setsockopt(fd[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	struct log l = console_on(fd[1]);
	struct log_sink *s = &l.sinks[LOG_SINK_CONSOLE];
	assert_int_equal(s->way, LOG_WAY_SEND);
	while (s->dropped == 0) /* the descriptor is in blocking mode: MSG_DONTWAIT must do */
		log_write(&l, LOG_INFO, "filling");

	/* The kernel may take a line whole or not at all here: tear one by hand. */
	assert_int_equal(fcntl(fd[0], F_SETFL, O_NONBLOCK), 0);
	drain(fd[0]);
	s->torn = true;
	s->dropped = 0;
	log_write(&l, LOG_INFO, "whole");
	receive(fd[0], out, sizeof(out));
	assert_int_equal(out[0], '\n');
	assert_string_equal(behind_stamp(out + 1), "[PORT 8000] whole\n");
	log_write(&l, LOG_INFO, "next");
	receive(fd[0], out, sizeof(out));
	assert_string_equal(behind_stamp(out), "[PORT 8000] next\n");
	log_close(&l);
	close(fd[0]);
	close(fd[1]);
}

/* A file at the size limit takes the first part of a record: a partial write as from a full disk
 * or a terminal. */
static void test_torn_line_on_a_file(void **state)
{
	(void)state;
	char path[96], out[512];
	const struct rlimit little = {60, RLIM_INFINITY};
	struct rlimit saved;
	snprintf(path, sizeof(path), "%s/file", folder);
	int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(file >= 0);
	struct log l = console_on(file);
	struct log_sink *s = &l.sinks[LOG_SINK_CONSOLE];
	assert_true(fcntl(file, F_GETFL) & O_APPEND); /* or both would write at their own place */

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &saved), 0);
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &little);
	log_write(&l, LOG_INFO, "this one does not fit in sixty bytes");
	log_write(&l, LOG_INFO, "nor does this"); /* EFBIG */
	setrlimit(RLIMIT_FSIZE, &saved);
	assert_true(s->torn);
	assert_false(s->broken);
	assert_int_equal(s->dropped, 2);

	log_write(&l, LOG_INFO, "whole");
	assert_false(s->torn);
	out[pread(file, out, sizeof(out) - 1, 0)] = '\0';
	assert_int_equal(out[60], '\n');
	assert_non_null(strstr(out + 61, "[PORT 8000] 2 log records were dropped\n"));
	assert_non_null(strstr(out + 61, "[PORT 8000] whole\n"));
	log_close(&l);
	close(file);
	unlink(path);
}

static void test_stderr_is_the_journal(void **state)
{
	(void)state;
	char value[64];
	struct stat st;
	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	unsetenv("JOURNAL_STREAM");
	assert_false(log_stderr_is_journal());
	snprintf(value, sizeof(value), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", value, 1);
	assert_true(log_stderr_is_journal());
	snprintf(value, sizeof(value), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino + 1);
	setenv("JOURNAL_STREAM", value, 1);
	assert_false(log_stderr_is_journal());
	setenv("JOURNAL_STREAM", "8:", 1);
	assert_false(log_stderr_is_journal());
	setenv("JOURNAL_STREAM", "", 1);
	assert_false(log_stderr_is_journal());
	unsetenv("JOURNAL_STREAM");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_forms_are_exact),
	    cmocka_unit_test(test_stamp_follows_the_zone),
	    cmocka_unit_test(test_console_access),
	    cmocka_unit_test(test_a_refused_request_has_its_reason),
	    cmocka_unit_test(test_master_speaks_for_a_port),
	    cmocka_unit_test(test_syslog_datagram),
	    cmocka_unit_test(test_journal_fields),
	    cmocka_unit_test(test_path_of_each_target_form),
	    cmocka_unit_test(test_client_bytes_forge_nothing),
	    cmocka_unit_test(test_own_text_is_made_safe),
	    cmocka_unit_test(test_long_records_are_cut),
	    cmocka_unit_test(test_full_pipe_drops_and_tells),
	    cmocka_unit_test(test_the_last_losses_are_counted),
	    cmocka_unit_test(test_closed_pipe_is_no_harm),
	    cmocka_unit_test(test_full_datagram_queue),
	    cmocka_unit_test(test_daemon_restart),
	    cmocka_unit_test(test_master_reconnects_for_all),
	    cmocka_unit_test(test_gone_in_each_way),
	    cmocka_unit_test(test_open_errors),
	    cmocka_unit_test(test_console_leaves_the_mode_alone),
	    cmocka_unit_test(test_console_blocking_descriptor),
	    cmocka_unit_test(test_torn_line_on_a_socket),
	    cmocka_unit_test(test_torn_line_on_a_file),
	    cmocka_unit_test(test_stderr_is_the_journal),
	};
	return cmocka_run_group_tests_name("log", tests, group_setup, group_teardown);
}
