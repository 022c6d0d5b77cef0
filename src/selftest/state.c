/* Runs in the selftest: reads what the kernel says about a child, without asking the child. Must
 * never count what it could not read as the expected value. */
#include "state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

#define TEXT_MAX (1 << 20)

#define put(array, ...) (void)snprintf(array, sizeof(array), __VA_ARGS__)

/* --- rows ------------------------------------------------------------------------------------ */

static void state_row_add(const struct state_view *v, const char *attempt, const char *expected,
			  const char *result, enum verdict verdict, struct report *r)
{
	struct row row = {
	    .process = v->process, .round = "", .attempt = attempt, .verdict = verdict};
	put(row.expected, "%s", expected);
	put(row.result, "%s", result);
	report_add(r, &row);
}

static void state_compare(const struct state_view *v, const char *attempt, const char *expected,
			  const char *result, struct report *r)
{
	state_row_add(v, attempt, expected, result,
		      strcmp(expected, result) == 0 ? VERDICT_PASS : VERDICT_FAIL, r);
}

static void untested(const struct state_view *v, const char *attempt, const char *why,
		     struct report *r)
{
	state_row_add(v, attempt, "", why, VERDICT_UNTESTED, r);
}

/* --- proc(5) --------------------------------------------------------------------------------- */

/* The text of the file; the caller frees it. "" when it cannot be read. */
static char *proc_text(pid_t pid, const char *name)
{
	char path[64], *text = NULL;
	size_t len;
	put(path, "/proc/%d/%s", (int)pid, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int error = fd < 0 ? -errno : fd_read_all(fd, TEXT_MAX, &text, &len);
	fd_close(&fd);
	return error < 0 ? strdup("") : text;
}

/* The rest of the line that begins with name, with single blanks: "65534 65534 65534 65534". "" if
 * there is no such line. */
static void field(const char *text, const char *name, char ret[160])
{
	size_t len = 0;
	const char *at = text;
	while (at != NULL && strncmp(at, name, strlen(name)) != 0) {
		at = strchr(at, '\n');
		at = at == NULL ? NULL : at + 1;
	}
	for (at = at == NULL ? "" : at + strlen(name); *at != '\0' && *at != '\n' && len < 158;
	     at++) {
		const char c = *at;
		if (c != '\t' && c != ' ')
			ret[len++] = c;
		else if (len > 0 && ret[len - 1] != ' ')
			ret[len++] = ' ';
	}
	while (len > 0 && ret[len - 1] == ' ')
		len--;
	ret[len] = '\0';
}

/* --- the state of a child --------------------------------------------------------------------- */

static void ids_examine(const struct state_view *v, const char *status, struct report *r)
{
	static const char *const names[] = {"Uid:", "Gid:"};
	static const char *const attempts[] = {"its four user ids", "its four group ids"};
	char value[160], same[160], groups[160];
	if (!v->by_root) {
		untested(v, "its user, groups, root", "not started as root", r);
		return;
	}
	for (unsigned i = 0; i < 2; i++) {
		field(status, names[i], value);
		const unsigned long id = strtoul(value, NULL, 10);
		put(same, "%lu %lu %lu %lu", id, id, id, id);
		state_row_add(v, attempts[i], "one, not root's", value,
			      id != 0 && strcmp(value, same) == 0 ? VERDICT_PASS : VERDICT_FAIL, r);
	}
	field(status, "Groups:", groups);
	state_compare(v, "its supplementary groups", "none", groups[0] == '\0' ? "none" : groups,
		      r);
}

static void root_examine(const struct state_view *v, struct report *r)
{
	char path[64], target[256];
	struct stat child, own;
	if (!v->by_root)
		return;
	if (v->port->chroot_off) {
		untested(v, "its root directory", "the configuration says chroot off", r);
		return;
	}
	put(path, "/proc/%d/root", (int)v->pid);
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	if (n < 0 || stat(path, &child) < 0 || stat("/", &own) < 0) {
		untested(v, "its root directory", strerror(errno), r);
		return;
	}
	target[n] = '\0';
	const bool other = child.st_ino != own.st_ino || child.st_dev != own.st_dev;
	state_row_add(v, "its root directory", "not /", target, other ? VERDICT_PASS : VERDICT_FAIL,
		      r);
}

static void capabilities_examine(const struct state_view *v, const char *status, struct report *r)
{
	static const char *const names[] = {"CapInh:", "CapPrm:", "CapEff:", "CapAmb:"};
	static const char none[] = "0000000000000000";
	char value[160], worst[160] = "0000000000000000";
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		field(status, names[i], value);
		if (strcmp(value, none) != 0)
			put(worst, "%s", value[0] == '\0' ? "unknown" : value);
	}
	state_compare(v, "its capabilities", none, worst, r);
	field(status, "CapBnd:", value);
	if (v->by_root)
		state_compare(v, "the capabilities that it could ever get", none, value, r);
	else
		untested(v, "the capabilities that it could ever get", "not started as root", r);
}

/* Not counting the filters under which the selftest itself runs, for example a container's. */
static void filters_count(const struct state_view *v, const char *status, struct report *r)
{
	static const char attempt[] = "by the master's filter and its own";
	char value[160], expected[160], *own = proc_text(getpid(), "status");
	field(own, "Seccomp_filters:", expected);
	free(own);
	field(status, "Seccomp_filters:", value);
	if (expected[0] == '\0') {
		untested(v, attempt, "the kernel does not say", r);
		return;
	}
	put(expected, "%lu filters", strtoul(expected, NULL, 10) + 2);
	put(value, "%lu filters", strtoul(value, NULL, 10));
	state_compare(v, attempt, expected, value, r);
}

static void filters_examine(const struct state_view *v, const char *status, struct report *r)
{
	char value[160];
	field(status, "NoNewPrivs:", value);
	state_compare(v, "no new privileges", "1", value, r);
	field(status, "Seccomp:", value);
	state_compare(v, "its system calls are filtered", "2", value, r);
	filters_count(v, status, r);
}

static void limits_examine(const struct state_view *v, struct report *r)
{
	char value[160], *limits = proc_text(v->pid, "limits");
	field(limits, "Max processes", value);
	state_compare(v, "its limit of processes", "0 0 processes", value, r);
	if (v->role != IPC_WORKER || v->port->core_bytes == 0) {
		field(limits, "Max core file size", value);
		state_compare(v, "its limit of core dumps", "0 0 bytes", value, r);
	}
	free(limits);
}

/* The /proc files of a process that is not dumpable belong to root. */
static void hiding_examine(const struct state_view *v, struct report *r)
{
	static const char attempt[] = "others of its user may not look into it";
	char path[64], status[160], *text = proc_text(v->pid, "status");
	struct stat st;
	field(text, "Uid:", status);
	free(text);
	put(path, "/proc/%d/environ", (int)v->pid);
	if (v->role == IPC_WORKER && v->port->core_bytes > 0)
		untested(v, attempt, "the configuration wants its core", r);
	else if (status[0] == '0' || stat(path, &st) < 0)
		untested(v, attempt, "it runs as root", r);
	else
		state_compare(v, attempt, "not dumpable",
			      st.st_uid == 0 ? "not dumpable" : "dumpable", r);
}

enum excused {
	EXCUSED_ROOT,
	EXCUSED_PROGRAM,
	EXCUSED_MAPS,
	EXCUSED_TICKETS,
	EXCUSED_UPSTREAMS,
	EXCUSED
};

/* Does this descriptor exist only because of the selftest? One of each kind, or as many as an agent
 * opens. */
static bool is_selftests(const char *target, unsigned seen[EXCUSED])
{
	char self[PATH_ROOM];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[n < 0 ? 0 : n] = '\0';
	if (strcmp(target, "/") == 0)
		return seen[EXCUSED_ROOT]++ < 1;
	if (strcmp(target, self) == 0)
		return seen[EXCUSED_PROGRAM]++ < 1;
	if (strncmp(target, "/memfd:bulkhead-tickets", 23) == 0)
		return seen[EXCUSED_TICKETS]++ < 1;
	if (strncmp(target, "/memfd:bulkhead-health", 22) == 0 ||
	    strncmp(target, "/memfd:bulkhead-names", 21) == 0)
		return seen[EXCUSED_UPSTREAMS]++ < 1;
	return strncmp(target, "/proc/", 6) == 0 && strstr(target, "/maps") != NULL &&
	       seen[EXCUSED_MAPS]++ < AGENT_SCANS;
}

static bool is_same_folder(const char *path, const struct stat *st)
{
	struct stat there;
	return stat(path, &there) == 0 && there.st_dev == st->st_dev && there.st_ino == st->st_ino;
}

/* A worker holds a document root, or the folder of a link in its path. */
static bool is_root_at(const char *path, const struct stat *st)
{
	char part[PATH_MAX];
	struct stat link;
	if (is_same_folder(path, st))
		return true;
	for (size_t at = 0; path[at] != '\0';) {
		const size_t end = at + 1 + strcspn(path + at + 1, "/");
		if (end >= sizeof(part))
			return false;
		memcpy(part, path, end);
		part[end] = '\0';
		if (lstat(part, &link) == 0 && S_ISLNK(link.st_mode)) {
			part[at] = '\0';
			if (is_same_folder(at == 0 ? "/" : part, st))
				return true;
		}
		at = end;
	}
	return false;
}

static bool is_document_root(const struct state_view *v, int dir_fd, const char *name)
{
	struct stat st;
	if (v->role != IPC_WORKER || fstatat(dir_fd, name, &st, 0) < 0 || !S_ISDIR(st.st_mode))
		return false;
	if (v->port->roots_count > 0 && is_same_folder(v->site_path, &st))
		return true;
	for (size_t i = 0; i < v->port->roots_count; i++)
		if (is_root_at(v->port->roots[i].path, &st))
			return true;
	return false;
}

/* A role needs only sockets and the like, and a worker its document roots. A descriptor with a path
 * is a file that was left open, or the console. */
static void descriptors_examine(const struct state_view *v, struct report *r)
{
	static const char attempt[] = "files that were left open";
	char path[64], target[PATH_ROOM], left[160] = "none";
	const struct dirent *entry;
	unsigned seen[EXCUSED] = {0};
	put(path, "/proc/%d/fd", (int)v->pid);
	DIR *d = opendir(path);
	if (d == NULL) {
		untested(v, attempt, "the kernel does not let us look", r);
		return;
	}
	while ((entry = readdir(d)) != NULL) {
		ssize_t n = readlinkat(dirfd(d), entry->d_name, target, sizeof(target) - 1);
		target[n < 0 ? 0 : n] = '\0';
		if (target[0] == '/' && strcmp(target, "/dev/null") != 0 &&
		    !is_document_root(v, dirfd(d), entry->d_name) && !is_selftests(target, seen))
			put(left, "%.150s", target);
	}
	closedir(d);
	state_compare(v, attempt, "none", left, r);
}

void state_examine(const struct state_view *v, struct report *r)
{
	char *status = proc_text(v->pid, "status");
	ids_examine(v, status, r);
	root_examine(v, r);
	capabilities_examine(v, status, r);
	filters_examine(v, status, r);
	limits_examine(v, r);
	hiding_examine(v, r);
	descriptors_examine(v, r);
	free(status);
}

/* --- its memory, from outside ---------------------------------------------------------------- */

struct search {
	const struct needles *needles;
	int fd; /* /proc/PID/mem */
	uint8_t *room;
	uint64_t bytes;
	size_t found;
};
#define ROOM_BYTES (1 << 20)

/* Neighbouring pieces overlap, so that no needle is missed between two. */
static void range_search(struct search *s, uint64_t from, uint64_t to)
{
	while (from + NEEDLE_BYTES <= to) {
		size_t want = to - from < ROOM_BYTES ? (size_t)(to - from) : ROOM_BYTES;
		ssize_t n = pread(s->fd, s->room, want, (off_t)from);
		if (n < NEEDLE_BYTES)
			return;
		for (size_t i = 0; i < s->needles->count; i++)
			s->found += needle_count(&s->needles->list[i], s->room, (size_t)n);
		s->bytes += (uint64_t)n;
		from += (uint64_t)n - (NEEDLE_BYTES - 1);
		if ((size_t)n == want && want < ROOM_BYTES)
			return;
	}
}

static void maps_search(struct search *s, const char *maps)
{
	uint64_t from, to;
	for (const char *line = maps; *line != '\0'; line += line[0] == '\n') {
		if (map_parse(line, &from, &to))
			range_search(s, from, to);
		line += strcspn(line, "\n");
	}
}

void state_search(const struct state_view *v, enum state_secret secret,
		  const struct needles *needles, bool expected, struct report *r)
{
	static const char *const attempts[][2] = {
	    [STATE_KEY] = {"the port's private key in /proc/PID/mem",
			   "the port's private key in /proc/PID/mem (control)"},
	    [STATE_HASH] = {"the password's hash in /proc/PID/mem",
			    "the password's hash in /proc/PID/mem (control)"},
	};
	const char *attempt = attempts[secret][expected];
	char path[64], result[64], *maps = proc_text(v->pid, "maps");
	struct search s = {.needles = needles, .room = malloc(ROOM_BYTES)};
	put(path, "/proc/%d/mem", (int)v->pid);
	s.fd = open(path, O_RDONLY | O_CLOEXEC);
	if (s.fd >= 0 && s.room != NULL)
		maps_search(&s, maps);
	put(result, s.found > 0 ? "found %zu times" : "not found", s.found);
	if (s.bytes == 0)
		untested(v, attempt, "the kernel does not let us look", r);
	else
		state_row_add(v, attempt, expected ? "found" : "not found", result,
			      (s.found > 0) == expected ? VERDICT_PASS : VERDICT_FAIL, r);
	fd_close(&s.fd);
	free(s.room);
	free(maps);
}
