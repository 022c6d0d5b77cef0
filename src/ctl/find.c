/* bulkheadctl: looks for servers. Must never use a socket that another user has made: it only looks
 * in folders in which other users cannot write, and at processes. */
#include "ctl/find.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"
#include "base/text.h"
#include "control/place.h"
#include "ctl/process.h"
#include "ctl/words.h"

#define FOUND_MAX   16 /* servers that are listed one by one */
#define DESCRIPTORS 4096

static const char title[] = "bulkhead: master";

struct server {
	pid_t pid; /* 0: unknown */
	uid_t uid;
	char path[FIND_PATH_MAX]; /* "": it has no control socket that is visible here */
};

struct servers {
	size_t count, more; /* more: those without room in the list */
	struct server list[FOUND_MAX];
	bool refused;              /* the kernel refused access: ... */
	struct server not_allowed; /* ... the first such server */
};

static void server_add(struct servers *s, const struct server *server)
{
	if (s->count == FOUND_MAX)
		s->more++;
	else
		s->list[s->count++] = *server;
}

/* --- the folders of sockets ------------------------------------------------------------------- */

/* 0: a server answers on it; else an errno. A full queue counts as an answer. */
static int path_try(const char *path, struct server *ret)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct ucred peer;
	socklen_t len = sizeof(peer);
	struct stat st;
	if (strlcpy(a.sun_path, path, sizeof(a.sun_path)) >= sizeof(a.sun_path))
		return ENAMETOOLONG;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return errno;
	int error = connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0 ? 0 : errno;
	*ret = (struct server){.pid = 0};
	(void)strlcpy(ret->path, path, sizeof(ret->path));
	if (error == 0 && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0) {
		ret->pid = peer.pid;
		ret->uid = peer.uid;
	} else if (lstat(path, &st) == 0) {
		ret->uid = st.st_uid;
	}
	fd_close(&fd);
	return error == EAGAIN ? 0 : error;
}

/* owner: of the folder. A server of a third user could only be a trap. */
static void name_try(struct servers *s, const char *folder, uid_t owner, const char *name)
{
	char path[FIND_PATH_MAX];
	struct server server;
	if (!control_name_is_ours(name) ||
	    snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path))
		return;
	const int error = path_try(path, &server);
	if (error == 0) {
		if (server.uid == 0 || server.uid == geteuid() || server.uid == owner)
			server_add(s, &server);
	} else if ((error == EACCES || error == EPERM) && !s->refused) {
		s->refused = true;
		s->not_allowed = server;
	}
}

static void folder_look(struct servers *s, const struct control_folder *f)
{
	struct stat st;
	/* Only root can make folders below /run. */
	if ((!f->packaged && control_folder_check(f->path, geteuid()) < 0) ||
	    lstat(f->path, &st) < 0)
		return;
	DIR *d = opendir(f->path);
	if (d == NULL) { /* the usual name can still be tried */
		name_try(s, f->path, st.st_uid, CONTROL_NAME);
		return;
	}
	const struct dirent *entry;
	while ((entry = readdir(d)) != NULL)
		name_try(s, f->path, st.st_uid, entry->d_name);
	(void)closedir(d);
}

/* The user's own servers come before the machine's. */
static void folders_look(struct servers *s)
{
	struct control_surroundings surroundings;
	struct control_folders folders;
	control_surroundings_read(&surroundings);
	control_folders_list(&folders, &surroundings);
	for (size_t i = 0; i < folders.count && s->count == 0; i++)
		if (!folders.list[i].packaged)
			folder_look(s, &folders.list[i]);
	for (size_t i = 0; i < folders.count && s->count == 0; i++)
		if (folders.list[i].packaged)
			folder_look(s, &folders.list[i]);
}

/* --- processes -------------------------------------------------------------------------------- */

bool title_is_masters(const char *cmdline, size_t len)
{
	const size_t own = sizeof(title) - 1;
	return len >= own && memcmp(cmdline, title, own) == 0 &&
	       (len == own || cmdline[own] == '\0' || cmdline[own] == ' ');
}

/* The n-th further word of a line, which may be its end. */
static char *word_at(char *at, unsigned n)
{
	at += strspn(at, " ");
	while (n-- > 0) {
		at += strcspn(at, " ");
		at += strspn(at, " ");
	}
	return at;
}

const char *unix_line_path(char *line, uint64_t inode)
{
	/* Num RefCount Protocol Flags Type St Inode Path */
	char *flags = word_at(line, 3), *number = word_at(flags, 3), *path = word_at(number, 1);
	uint64_t found;
	if (num_parse(number, strcspn(number, " \n"), 0, UINT64_MAX, &found) < 0 ||
	    found != inode || (strtoul(flags, NULL, 16) & 0x10000) == 0 /* SO_ACCEPTCON */ ||
	    path[0] != '/')
		return NULL;
	path[strcspn(path, "\n")] = '\0';
	return path;
}

void made_name_strip(char *path, pid_t pid)
{
	char end[16];
	const int n = snprintf(end, sizeof(end), ".%d", (int)pid);
	const size_t len = strlen(path);
	if (len > (size_t)n && strcmp(path + len - (size_t)n, end) == 0)
		path[len - (size_t)n] = '\0';
}

static pid_t parent_of(pid_t pid)
{
	char text[1024];
	char *end = process_file(pid, "stat", text, sizeof(text)) > 0 ? strrchr(text, ')') : NULL;
	const char *parent = end != NULL ? word_at(end + 1, 1) : "";
	uint64_t number;
	return num_parse(parent, strcspn(parent, " "), 1, INT32_MAX, &number) == 0 ? (pid_t)number
										   : 0;
}

static bool is_master(pid_t pid)
{
	char text[256];
	const ssize_t n = process_file(pid, "cmdline", text, sizeof(text));
	return n > 0 && title_is_masters(text, (size_t)n);
}

static bool inode_path(uint64_t inode, char out[FIND_PATH_MAX])
{
	char line[512];
	const char *path = NULL;
	FILE *f = fopen("/proc/net/unix", "re");
	while (f != NULL && path == NULL && fgets(line, sizeof(line), f) != NULL)
		path = unix_line_path(line, inode);
	if (path != NULL)
		(void)strlcpy(out, path, FIND_PATH_MAX);
	if (f != NULL)
		(void)fclose(f);
	return path != NULL;
}

/* "socket:[4711]" */
static bool inode_read(const char *link, uint64_t *ret)
{
	static const char before[] = "socket:[";
	const char *number = link + sizeof(before) - 1;
	return strncmp(link, before, sizeof(before) - 1) == 0 &&
	       num_parse(number, strcspn(number, "]"), 0, UINT64_MAX, ret) == 0;
}

/* Only possible for the server's own user and root. The title and the user of a process prove
 * nothing: any user can execute a set-user-ID program of root with this title and with a socket of
 * its own. The kernel remembers which user listened. */
static void path_look(struct server *server)
{
	char folder[32], link[64], to[64];
	struct server answers = {.pid = 0};
	uint64_t inode;
	(void)snprintf(folder, sizeof(folder), "/proc/%d/fd", (int)server->pid);
	DIR *d = opendir(folder);
	const struct dirent *entry;
	for (unsigned i = 0; d != NULL && i < DESCRIPTORS && server->path[0] == '\0' &&
			     (entry = readdir(d)) != NULL;
	     i++) {
		(void)snprintf(link, sizeof(link), "%s/%.20s", folder, entry->d_name);
		const ssize_t n = readlink(link, to, sizeof(to) - 1);
		if (n <= 0)
			continue;
		to[n] = '\0';
		if (!inode_read(to, &inode) || !inode_path(inode, server->path))
			continue;
		made_name_strip(server->path, server->pid);
		if (path_try(server->path, &answers) != 0 || answers.pid != server->pid ||
		    answers.uid != server->uid)
			server->path[0] = '\0';
	}
	if (d != NULL)
		(void)closedir(d);
}

static void processes_look(struct servers *s)
{
	DIR *d = opendir("/proc");
	const struct dirent *entry;
	while (d != NULL && (entry = readdir(d)) != NULL) {
		char folder[32];
		struct stat st;
		uint64_t pid;
		if (num_parse(entry->d_name, strlen(entry->d_name), 1, INT32_MAX, &pid) < 0 ||
		    !is_master((pid_t)pid) || is_master(parent_of((pid_t)pid)))
			continue;
		(void)snprintf(folder, sizeof(folder), "/proc/%d", (int)pid);
		struct server server = {.pid = (pid_t)pid};
		if (stat(folder, &st) < 0)
			continue;
		server.uid = st.st_uid;
		path_look(&server);
		server_add(s, &server);
	}
	if (d != NULL)
		(void)closedir(d);
}

/* --- sentences -------------------------------------------------------------------------------- */

static void user_add(struct text *t, uid_t uid)
{
	const struct passwd *user = getpwuid(uid);
	if (user != NULL)
		words_safe(t, user->pw_name);
	else
		text_addf(t, "%u", (unsigned)uid);
}

static void server_name(struct text *t, const struct server *server)
{
	if (server->pid > 0)
		text_addf(t, "pid %d of user ", (int)server->pid);
	else
		text_add_str(t, "user ");
	user_add(t, server->uid);
}

static bool is_allowed(const struct server *server)
{
	return geteuid() == 0 || geteuid() == server->uid;
}

static void one_describe(struct text *t, const struct server *server)
{
	server_name(t, server);
	if (server->path[0] != '\0') {
		text_add_str(t, ": bulkheadctl -s ");
		words_safe(t, server->path);
	} else if (!is_allowed(server)) {
		text_add_str(t, ": only that user and root may control it");
	} else {
		text_addf(t,
			  ": it has no control socket; to give it one, remove `control off` from "
			  "its configuration, or add `control \"FILE\"`, then kill -HUP %d",
			  (int)server->pid);
	}
}

static void list_describe(struct text *t, const struct servers *s)
{
	for (size_t i = 0; i < s->count; i++) {
		text_add_str(t, "\n  ");
		one_describe(t, &s->list[i]);
	}
	if (s->more > 0)
		text_addf(t, "\n  and %zu more", s->more);
}

static enum ctl_status several(const struct servers *s, struct text *t)
{
	text_addf(t, "%zu servers run; choose one with -s:", s->count + s->more);
	list_describe(t, s);
	return CTL_USAGE;
}

/* Lists the servers that run if none answers in the usual places. */
static enum ctl_status none_answers(const struct servers *s, struct text *t)
{
	bool allowed = false;
	for (size_t i = 0; i < s->count; i++)
		allowed = allowed || is_allowed(&s->list[i]);
	if (s->count == 0) {
		text_add_str(t, "no server runs");
		return CTL_NO_SERVER;
	}
	if (s->count + s->more == 1)
		text_add_str(t,
			     "a server runs, but not with a control socket in the usual place: ");
	else
		text_addf(t, "%zu servers run, but none with a control socket in the usual place:",
			  s->count + s->more);
	if (s->count + s->more == 1)
		one_describe(t, &s->list[0]);
	else
		list_describe(t, s);
	return allowed ? CTL_NO_SOCKET : CTL_NOT_PERMITTED;
}

/* --- the choice ------------------------------------------------------------------------------- */

/* A process of the same user cannot be another user's trap. */
static const struct server *own_one(const struct servers *s)
{
	const struct server *found = NULL;
	for (size_t i = 0; i < s->count; i++) {
		if (s->list[i].uid != geteuid())
			continue;
		if (found != NULL)
			return NULL;
		found = &s->list[i];
	}
	return found != NULL && found->path[0] != '\0' ? found : NULL;
}

static bool has_own(const struct servers *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->list[i].uid == geteuid())
			return true;
	return false;
}

static enum ctl_status refused(const struct server *server, struct text *t)
{
	text_add_str(t, "not permitted: the server on ");
	words_safe(t, server->path);
	text_add_str(t, " belongs to user ");
	user_add(t, server->uid);
	text_add_str(t, "; use sudo, or become that user");
	return CTL_NOT_PERMITTED;
}

const char *server_find(enum ctl_status *ret, struct text *t)
{
	static char path[FIND_PATH_MAX];
	struct servers answering = {.count = 0}, running = {.count = 0};
	const struct server *chosen = NULL;
	*ret = CTL_DONE;
	folders_look(&answering);
	if (answering.count == 1) {
		chosen = &answering.list[0];
	} else if (answering.count > 1) {
		*ret = several(&answering, t);
	} else {
		processes_look(&running);
		chosen = own_one(&running);
		if (chosen == NULL && answering.refused && !has_own(&running))
			*ret = refused(&answering.not_allowed, t);
		else if (chosen == NULL)
			*ret = none_answers(&running, t);
	}
	if (chosen == NULL)
		return NULL;
	(void)strlcpy(path, chosen->path, sizeof(path));
	return path;
}

void servers_mention(struct text *t)
{
	struct servers running = {.count = 0};
	processes_look(&running);
	if (running.count == 0)
		return;
	text_add_str(t, running.count + running.more == 1 ? "a server runs:" : "servers run:");
	list_describe(t, &running);
}
