/*
 * Runs in the master: has the kernel ended a process for lack of memory? A SIGKILL does not show
 * its sender, so the kernel's counter is read: that of this process's memory cgroup if possible
 * (cgroup v2: memory.events, v1: memory.oom_control), else that of the machine (/proc/vmstat). If
 * none can be read, any SIGKILL of unknown origin may be the kernel's.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "master/child/child.h"

#define CGROUP_ROOT "/sys/fs/cgroup"
/* How long a kill by the kernel can explain the end of a child: a machine that is short of memory
 * may report an end late. */
#define CLAIM_MS 10000

/* The directory of this process in the hierarchy of a line: `0::/path` is version 2,
 * `N:…,memory,…:/path` version 1 (cgroups(7)). */
static int open_of_line(const char *line)
{
	char path[PATH_MAX];
	const char *controllers = strchr(line, ':');
	const char *group = controllers == NULL ? NULL : strchr(controllers + 1, ':');
	int n;
	if (group == NULL)
		return -1;
	if (strncmp(line, "0::", 3) == 0)
		n = snprintf(path, sizeof(path), CGROUP_ROOT "%s/memory.events", group + 1);
	else if (memmem(controllers, (size_t)(group - controllers), "memory", 6) != NULL)
		n = snprintf(path, sizeof(path), CGROUP_ROOT "/memory%s/memory.oom_control",
			     group + 1);
	else
		return -1;
	return n < (int)sizeof(path) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
}

static int open_of_cgroup(void)
{
	char line[PATH_MAX];
	int fd = -1;
	FILE *f = fopen("/proc/self/cgroup", "re");
	if (f == NULL)
		return -1;
	while (fd < 0 && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		fd = open_of_line(line);
	}
	(void)fclose(f);
	return fd;
}

/* Reads the number after "oom_kill " at the beginning of a line. */
static bool count_read(int fd, uint64_t *ret)
{
	char text[16384];
	ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);
	if (n <= 0)
		return false;
	text[n] = '\0';
	const char *at = strncmp(text, "oom_kill ", 9) == 0 ? text : strstr(text, "\noom_kill ");
	if (at == NULL)
		return false;
	at = strchr(at, ' ') + 1;
	return num_parse(at, strcspn(at, "\n"), 0, UINT64_MAX, ret) == 0;
}

void oom_start(struct master *m)
{
	m->oom_fd = open_of_cgroup();
	if (count_read(m->oom_fd, &m->oom_count))
		return;
	if (m->oom_fd >= 0)
		(void)close(m->oom_fd);
	m->oom_fd = open("/proc/vmstat", O_RDONLY | O_CLOEXEC);
	(void)count_read(m->oom_fd, &m->oom_count);
}

void oom_look(struct master *m)
{
	uint64_t count = 0;
	if (!count_read(m->oom_fd, &count))
		return;
	if (count != m->oom_count) {
		m->oom_unclaimed += count - m->oom_count;
		m->oom_count = count;
		m->oom_seen_ms = m->loop.now_ms;
	} else if (m->loop.now_ms - m->oom_seen_ms > CLAIM_MS) {
		m->oom_unclaimed = 0; /* it ended a process of another service */
	}
}

void oom_ask(struct master *m, bool *ret_struck, bool *ret_uncounted)
{
	uint64_t count = 0;
	oom_look(m);
	*ret_uncounted = !count_read(m->oom_fd, &count);
	*ret_struck = m->oom_unclaimed > 0;
	m->oom_unclaimed -= *ret_struck;
}
