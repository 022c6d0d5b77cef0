/* Runs in a child of the selftest's master, on order: reads all mapped memory. Must never allocate,
 * since that would change what it reads. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"

/* Uses read(2), the only such call that a role has left. */
static int maps_read(struct agent *a)
{
	const int fd = a->scans < AGENT_SCANS ? a->maps_fds[a->scans++] : -1;
	size_t len = 0;
	ssize_t n;
	while (len < MAPS_ROOM - 1 && (n = read(fd, a->maps + len, MAPS_ROOM - 1 - len)) > 0)
		len += (size_t)n;
	a->maps[len] = '\0';
	if (len == 0 || len == MAPS_ROOM - 1)
		return -ENODATA;
	return 0;
}

static size_t line_scan(const struct order *o, const char *line)
{
	uint64_t from, to;
	size_t count = 0;
	if (!map_parse(line, &from, &to))
		return 0;
	for (size_t i = 0; i < o->needles_count; i++)
		count += needle_count(&o->needles[i], (const uint8_t *)(uintptr_t)from, to - from);
	return count;
}

int try_scan(struct agent *a, const struct order *o)
{
	size_t count = 0;
	int error = maps_read(a);
	if (error < 0)
		return error;
	for (const char *line = a->maps; *line != '\0'; line += line[0] == '\n') {
		count += line_scan(o, line);
		line += strcspn(line, "\n");
	}
	return (int)count;
}
