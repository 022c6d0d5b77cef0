/*
 * The master's side of a child's log: arbitrary bytes from its pipe, as a taken-over child may
 * write them. Each line that comes out is printable, bounded and names the child's own port. The
 * split of the bytes into reads makes no difference.
 *
 * The first byte is the number of bytes in a read.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "log/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STAMP 26 /* "2024-12-06 10:15:30,123 - " */
#define MOST  (1 << 20)

static char shown[MOST];
static size_t shown_len;

/* Removes the time stamps, which differ between runs. */
static void collect(int fd)
{
	char line[2 * LOG_RECORD_MAX];
	ssize_t n = read(fd, line, sizeof(line));
	if (n <= 0)
		return; /* an empty line is nothing */
	if (n <= STAMP || n > LOG_RECORD_MAX || line[n - 1] != '\n' ||
	    memcmp(line + STAMP, "[PORT 8000] ", 12) != 0)
		abort();
	for (size_t i = STAMP, shown_now; i < (size_t)n - 1; i += shown_now)
		if ((shown_now = text_shown_len(line + i, (size_t)n - 1 - i)) == 0)
			abort();
	if (shown_len + (size_t)n > sizeof(shown))
		return;
	memcpy(shown + shown_len, line + STAMP, (size_t)n - STAMP);
	shown_len += (size_t)n - STAMP;
}

static void run(const uint8_t *data, size_t size, size_t step)
{
	static const struct log_source source = {
	    .port = 8000, .worker = 1, .pid = 1, .name = "worker 1 (pid 1)"};
	struct log log;
	struct log_stream s;
	int fd[2];
	shown_len = 0;
	if (pipe2(fd, O_NONBLOCK | O_CLOEXEC) < 0)
		abort();
	log_init(&log, LOG_ROLE_MASTER, 0, 0, 0);
	log_adopt(&log, LOG_SINK_CONSOLE, fd[1]);
	log_stream_init(&s, &source);
	do {
		size_t room, first;
		unsigned char *to = log_stream_room(&s, &room);
		size_t n = size < step ? size : step;
		n = n < room ? n : room;
		if (room == 0)
			abort();
		if (n > 0)
			memcpy(to, data, n);
		s.len += n;
		data += n;
		size -= n;
		while ((first = log_stream_next(&s, size == 0)) > 0) {
			if (first > LOG_STREAM_MAX || log_stream_weight(&s, first) < first ||
			    !log_stream_pass(&log, &s, first, 0, LOG_TRY))
				abort();
			collect(fd[0]);
		}
	} while (size > 0);
	if (s.start != s.len || s.dropped_total != 0)
		abort();
	log_close(&log);
	close(fd[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char before[MOST];
	if (size == 0)
		return 0;
	run(data + 1, size - 1, LOG_STREAM_MAX);
	const size_t len = shown_len;
	memcpy(before, shown, len);
	run(data + 1, size - 1, (size_t)data[0] + 1);
	if (shown_len != len || memcmp(before, shown, len) != 0)
		abort();
	return 0;
}
