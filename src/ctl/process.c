/* bulkheadctl: reads /proc, so that the master need not. */
#include "ctl/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"

#define STAT_UTIME 11 /* words after the name, proc(5) */
#define STAT_STIME 12
#define STAT_START 19

ssize_t process_file(pid_t pid, const char *name, char *out, size_t size)
{
	char path[64];
	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ssize_t n = read(fd, out, size - 1);
	fd_close(&fd);
	if (n >= 0)
		out[n] = '\0';
	return n;
}

/* The number at the beginning of the n-th following word of a line; -1 if there is none. */
static int64_t number_at(const char *at, unsigned n)
{
	char *end;
	at += strspn(at, " ");
	while (n-- > 0) {
		at += strcspn(at, " ");
		at += strspn(at, " ");
	}
	if (*at < '0' || *at > '9')
		return -1;
	errno = 0;
	const long long number = strtoll(at, &end, 10);
	return errno == 0 ? number : -1;
}

/* The name in parentheses may contain any characters, so fields are counted from its end. */
int64_t process_ticks(const char *stat)
{
	const char *at = strrchr(stat, ')');
	if (at == NULL)
		return -1;
	const int64_t user = number_at(at + 1, STAT_UTIME), system = number_at(at + 1, STAT_STIME);
	return user < 0 || system < 0 ? -1 : user + system;
}

int64_t process_start(const char *stat)
{
	const char *at = strrchr(stat, ')');
	return at == NULL ? -1 : number_at(at + 1, STAT_START);
}

static int64_t uptime_ms(int64_t start_ticks, long ticks_per_second)
{
	struct timespec now;
	if (start_ticks < 0 || clock_gettime(CLOCK_BOOTTIME, &now) < 0)
		return -1;
	const int64_t ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 -
			   start_ticks * 1000 / ticks_per_second;
	return ms > 0 ? ms : 0;
}

int64_t process_pss(const char *rollup)
{
	const char *line = strstr(rollup, "\nPss:");
	const int64_t kilobytes = line != NULL ? number_at(line + strlen("\nPss:"), 0) : -1;
	return kilobytes < 0 ? -1 : kilobytes * 1024;
}

void process_look(struct process *p, pid_t pid)
{
	char text[4096];
	const long ticks_per_second = sysconf(_SC_CLK_TCK);
	*p = (struct process){.cpu_ms = -1, .pss_bytes = -1, .uptime_ms = -1};
	if (pid <= 0)
		return;
	if (process_file(pid, "stat", text, sizeof(text)) >= 0 && ticks_per_second > 0) {
		const int64_t ticks = process_ticks(text);
		p->cpu_ms = ticks < 0 ? -1 : ticks * 1000 / ticks_per_second;
		p->uptime_ms = uptime_ms(process_start(text), ticks_per_second);
	}
	if (process_file(pid, "smaps_rollup", text, sizeof(text)) >= 0)
		p->pss_bytes = process_pss(text);
}
