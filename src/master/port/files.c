/*
 * Runs in the master, the only process that may: opens the files that a port's children are handed,
 * and never reads them. They stay open: a process that replaces a crashed one gets the same files
 * as its neighbours, even if the paths have new files by then. Draining a worker is how an
 * administrator asks for new files. After that, and if the open files were overwritten, the port
 * gets a new generation, because old certificates do not fit a new key.
 *
 * A kind of file is a row of the table here, besides its row in ipc/handed.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syslog.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"
#include "master/master.h"
#include "master/port/port.h"

#define SEPARATE "workers read certificates and must not see a key; use separate files"

/* --- the kinds ------------------------------------------------------------------------------- */

static size_t pairs_count(const struct conf_port *conf)
{
	return conf->certificates_count;
}

static const char *certificate_path(const struct conf_port *conf, size_t pair)
{
	return conf->certificates[pair].certificate;
}

static const char *key_path(const struct conf_port *conf, size_t pair)
{
	return conf->certificates[pair].key;
}

static size_t roots_count(const struct conf_port *conf)
{
	return conf->roots_count;
}

static const char *root_path(const struct conf_port *conf, size_t root)
{
	return conf->roots[root].path;
}

#define TYPES_PATH "/etc/mime.types"

static size_t types_count(const struct conf_port *conf)
{
	return conf->roots_count > 0 || conf->bodies_count > 0;
}

static const char *types_path(const struct conf_port *conf, size_t of)
{
	(void)conf;
	(void)of;
	return TYPES_PATH;
}

static size_t bodies_count(const struct conf_port *conf)
{
	return conf->bodies_count;
}

static const char *body_path(const struct conf_port *conf, size_t body)
{
	return conf->bodies[body].path;
}

static size_t passwords_count(const struct conf_port *conf)
{
	return conf->passwords_count;
}

static const char *passwords_path(const struct conf_port *conf, size_t of)
{
	return conf->passwords[of].path;
}

static size_t authorities_count(const struct conf_port *conf)
{
	return conf->authorities_count;
}

static const char *authority_path(const struct conf_port *conf, size_t of)
{
	return conf->authorities[of].path;
}

static size_t revoked_count(const struct conf_port *conf)
{
	return conf->revoked_count;
}

static const char *revoked_path(const struct conf_port *conf, size_t of)
{
	return conf->revoked[of].path;
}

static size_t upstream_authorities_count(const struct conf_port *conf)
{
	return conf->upstream_authorities_count;
}

static const char *upstream_authority_path(const struct conf_port *conf, size_t of)
{
	return conf->upstream_authorities[of].path;
}

/* What a resolver answers and asks by. */
static size_t resolvers_count(const struct conf_port *conf)
{
	return port_names_count(conf) > 0;
}

static const char *hosts_path(const struct conf_port *conf, size_t of)
{
	(void)conf;
	(void)of;
	return "/etc/hosts";
}

static const char *resolv_path(const struct conf_port *conf, size_t of)
{
	(void)conf;
	(void)of;
	return "/etc/resolv.conf";
}

#define PLAIN (O_RDONLY | O_NOCTTY | O_NONBLOCK)

/* The state of an upgrade has the files in this order, so a new row comes last. */
static const struct file_kind {
	enum ipc_handed kind;
	bool secret; /* no file that a worker is handed may be the same file */
	size_t (*count)(const struct conf_port *);
	const char *(*path)(const struct conf_port *, size_t of);
	int flags;     /* of open(2); of a directory, O_DIRECTORY: it is opened by roots.c */
	bool optional; /* an empty file takes the place of one that cannot be read */
} kinds[] = {
    {IPC_FD_CERTIFICATE, false, pairs_count, certificate_path, PLAIN, false},
    {IPC_FD_KEY, true, pairs_count, key_path, PLAIN, false},
    {IPC_FD_ROOT, false, roots_count, root_path, O_DIRECTORY, false},
    {IPC_FD_TYPES, false, types_count, types_path, PLAIN, true},
    {IPC_FD_BODY, false, bodies_count, body_path, PLAIN, false},
    {IPC_FD_PASSWORDS, true, passwords_count, passwords_path, PLAIN, false},
    {IPC_FD_AUTHORITY, false, authorities_count, authority_path, PLAIN, false},
    {IPC_FD_REVOKED, false, revoked_count, revoked_path, PLAIN, false},
    {IPC_FD_UPSTREAM_AUTHORITY, false, upstream_authorities_count, upstream_authority_path, PLAIN,
     false},
    {IPC_FD_HOSTS, false, resolvers_count, hosts_path, PLAIN, true},
    {IPC_FD_RESOLV, false, resolvers_count, resolv_path, PLAIN, true},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const struct file_kind *kind_of(const struct port_file *f)
{
	size_t i = 0;
	while (kinds[i].kind != f->kind)
		i++;
	return &kinds[i];
}

static bool is_root(const struct port_file *f)
{
	return kind_of(f)->flags == O_DIRECTORY;
}

static const char *path_of(const struct conf_port *conf, const struct port_file *f)
{
	return kind_of(f)->path(conf, f->of);
}

size_t files_count(const struct conf_port *conf)
{
	size_t count = 0;
	for (size_t i = 0; i < KINDS; i++)
		count += kinds[i].count(conf);
	return count;
}

struct port_file *files_list(const struct conf_port *conf)
{
	struct port_file *list = calloc(files_count(conf) + 1, sizeof(*list));
	size_t n = 0;
	for (size_t i = 0; list != NULL && i < KINDS; i++)
		for (size_t of = 0; of < kinds[i].count(conf); of++)
			list[n++] = (struct port_file){.kind = kinds[i].kind, .of = of, .fd = -1};
	return list;
}

/* --- opening --------------------------------------------------------------------------------- */

/* A worker reads these files as a whole, so they are regular files, and not large. */
static int body_check(const char *path, const struct stat *st, uint64_t *bytes, struct err *err)
{
	char most[NUM_TEXT_MAX];
	if (!S_ISREG(st->st_mode)) {
		err_set(err, "\"%s\" is no file that can be sent", path);
		return -1;
	}
	*bytes += (uint64_t)st->st_size;
	if (*bytes <= CONF_BODIES_BYTES_MAX)
		return 0;
	err_set(
	    err,
	    "\"%s\" is too large: the files that `respond` and `error` of a port send have at most "
	    "%s together",
	    path, num_format_size(CONF_BODIES_BYTES_MAX, most));
	return -1;
}

int master_check_body(const char *path, uint64_t *bytes, struct err *err)
{
	struct stat st;
	if (access(path, R_OK) == 0 && stat(path, &st) == 0)
		return body_check(path, &st, bytes, err);
	err_set(err, "file \"%s\" cannot be read: %s", path, strerror(errno));
	return -1;
}

#define TYPES_UNREADABLE "the media types in \"%s\" cannot be read: %s; the built-in ones are used"

/* Logged once, until they can be read again. */
static void types_tell(struct master *m, int error)
{
	const bool bad = error != 0 && error != ENOENT;
	if (bad && !m->types_warned)
		log_write(&m->log, LOG_WARNING, TYPES_UNREADABLE, TYPES_PATH, strerror(error));
	m->types_warned = bad;
}

void master_check_types(const struct conf *conf, master_warn_fn *warn, void *arg)
{
	const struct conf_port *port = conf->ports, *end = conf->ports + conf->ports_count;
	struct err err;
	while (port < end && types_count(port) == 0)
		port++;
	if (port == end)
		return;
	int fd = open(TYPES_PATH, PLAIN | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT) {
		err_set(&err, TYPES_UNREADABLE, TYPES_PATH, strerror(errno));
		warn(arg, &port->where, err.text);
	}
	fd_close(&fd);
}

/* The mark of what the path leads to now. */
static bool file_look(struct master *m, const struct conf_port *conf, const struct port_file *f,
		      struct file_mark *ret)
{
	const char *path = path_of(conf, f);
	struct stat st;
	if (is_root(f))
		return root_mark(m, path, ret) == 0;
	if (stat(path, &st) < 0)
		return false;
	*ret = file_mark_of(&st);
	return true;
}

/* A table of media types need not exist: an empty file takes its place. Its mark is that of the
 * path, since only the path shows a change. */
static int file_replace(const struct port *p, struct port_file *f)
{
	if (f->kind == IPC_FD_TYPES)
		types_tell(p->master, errno);
	if (!file_look(p->master, p->conf, f, &f->mark))
		f->mark = (struct file_mark){0};
	f->fd = open("/dev/null", kind_of(f)->flags | O_CLOEXEC);
	return f->fd < 0 ? -errno : 0;
}

/* Opens and looks at it: 0 or -errno. */
static int plain_open(const struct port *p, struct port_file *f, struct stat *ret)
{
	f->fd = open(path_of(p->conf, f), kind_of(f)->flags | O_CLOEXEC);
	if (f->fd < 0 && kind_of(f)->optional && !err_is_shortage(errno))
		return file_replace(p, f);
	if (f->fd < 0 || fstat(f->fd, ret) < 0)
		return -errno;
	if (f->kind == IPC_FD_TYPES)
		types_tell(p->master, 0);
	f->mark = file_mark_of(ret);
	return 0;
}

static int file_open_root(const struct port *p, const char *path, struct port_file *f,
			  struct err *err)
{
	const struct secrets *secrets;
	if (configuration_secrets(p->configuration, &secrets) < 0) {
		err_set(err, "out of memory");
		return -EAGAIN;
	}
	return port_open_root(p->master, secrets, path, f, err);
}

/* Returns 0; or -1 or -EAGAIN, and a sentence. bytes: of all files that are sent, so far. */
static int file_open(const struct port *p, struct port_file *f, uint64_t *bytes, struct err *err)
{
	const char *path = path_of(p->conf, f);
	struct stat st = {0};
	if (is_root(f))
		return file_open_root(p, path, f, err);
	const int error = plain_open(p, f, &st);
	if (error < 0) {
		err_set(err, "%s \"%s\" cannot be read: %s", ipc_handed_kinds[f->kind].name, path,
			strerror(-error));
		return err_is_shortage(-error) ? -EAGAIN : -1;
	}
	return f->kind == IPC_FD_BODY ? body_check(path, &st, bytes, err) : 0;
}

static int mark_compare(const void *a, const void *b)
{
	const struct port_file *const *f = a, *const *g = b;
	return file_mark_order(&(*f)->mark, &(*g)->mark);
}

/* Is any file for workers one of the secret files, too? Workers would read the secret in it. */
static int files_compare(const struct conf_port *conf, const struct port_files *files,
			 struct err *err)
{
	const struct port_file **secrets = calloc(files->count + 1, sizeof(*secrets));
	const struct port_file *const *found = NULL, *f = files->list, *end = f + files->count;
	size_t count = 0;
	if (secrets == NULL) {
		err_set(err, "out of memory");
		return -EAGAIN;
	}
	for (const struct port_file *k = files->list; k < end; k++)
		if (kind_of(k)->secret)
			secrets[count++] = k;
	qsort(secrets, count, sizeof(*secrets), mark_compare);
	for (; f < end; f++)
		if (ipc_is_handed(f->kind, IPC_WORKER) &&
		    (found = bsearch(&f, secrets, count, sizeof(*secrets), mark_compare)) != NULL)
			break;
	if (found != NULL)
		err_set(err, "\"%s\" is %s and %s in one: " SEPARATE, path_of(conf, f),
			ipc_handed_kinds[f->kind].name, ipc_handed_kinds[(*found)->kind].name);
	free(secrets);
	return found != NULL ? -1 : 0;
}

static void release(struct port_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		fd_close(&files->list[i].fd);
		place_release(files->list[i].place);
	}
	free(files->list);
	files->list = NULL;
	files->count = 0;
}

static int open_all(const struct port *p, struct port_files *files, struct err *err)
{
	const struct conf_port *conf = p->conf;
	uint64_t bytes = 0;
	int error = 0;
	*files = (struct port_files){.list = files_list(conf)};
	if (files->list == NULL) {
		err_set(err, "out of memory");
		return -EAGAIN;
	}
	files->count = files_count(conf);
	for (size_t i = 0; i < files->count && error == 0; i++)
		error = file_open(p, &files->list[i], &bytes, err);
	if (error == 0)
		error = files_compare(conf, files, err);
	if (error < 0)
		release(files);
	return error;
}

int port_open_files(struct port *p, struct err *err)
{
	const int error = open_all(p, &p->files, err);
	if (p->conf->roots_count > 0)
		p->master->switches.due = true;
	if (error == 0)
		anchors_tell(p);
	return error;
}

void port_close_files(struct port *p)
{
	release(&p->files);
}

/* --- what has changed ------------------------------------------------------------------------ */

/* The digests of a worker, a keyholder and a verifier have the content of all other files in them
 * (ipc_files). */
static bool is_unread(const struct port_file *f)
{
	return is_root(f) || f->kind == IPC_FD_HOSTS || f->kind == IPC_FD_RESOLV;
}

bool port_unread_differ(const struct port *a, const struct port *b)
{
	if (a->files.count != b->files.count)
		return true;
	for (size_t i = 0; i < a->files.count; i++)
		if (is_unread(&a->files.list[i]) &&
		    !file_mark_equal(&a->files.list[i].mark, &b->files.list[i].mark))
			return true;
	return false;
}

/* Of the open file; what is mounted beneath it is the same as when it was opened. */
static bool file_look_open(const struct port_file *f, struct file_mark *ret)
{
	struct stat st;
	/* What is in the place of media types was not overwritten. */
	if (fstat(f->fd, &st) < 0 || S_ISCHR(st.st_mode))
		return false;
	*ret = file_mark_of(&st);
	ret->mounts = f->mark.mounts;
	return true;
}

bool port_files_changed(const struct port *p, bool asked)
{
	struct file_mark now;
	for (size_t i = 0; i < p->files.count; i++) {
		const struct port_file *f = &p->files.list[i];
		/* A file that no longer exists is not a change: the open one is still valid. */
		if (asked ? !file_look(p->master, p->conf, f, &now) : !file_look_open(f, &now))
			continue;
		struct file_mark then = f->mark;
		/* Renaming or linking a file changes its ctime, not its content. */
		now.changed = then.changed = (struct timespec){0};
		if (!file_mark_equal(&now, &then))
			return true;
	}
	return false;
}

const char *port_table_changed(const struct port *p)
{
	struct file_mark now;
	for (size_t i = 0; i < p->files.count; i++) {
		const struct port_file *f = &p->files.list[i];
		if (f->kind != IPC_FD_HOSTS && f->kind != IPC_FD_RESOLV)
			continue;
		struct file_mark then = f->mark;
		if (!file_look(p->master, p->conf, f, &now)) /* perhaps it is just replaced */
			continue;
		now.changed = then.changed = (struct timespec){0};
		if (!file_mark_equal(&now, &then))
			return path_of(p->conf, f);
	}
	return NULL;
}

struct plan_file *files_look(struct master *m, const struct conf_port *conf,
			     const struct port_files *open)
{
	const size_t count = files_count(conf);
	struct port_file *list = open == NULL ? files_list(conf) : open->list;
	struct plan_file *looked = calloc(count + 1, sizeof(*looked));
	for (size_t i = 0; i < count && list != NULL && looked != NULL; i++) {
		looked[i].name = path_of(conf, &list[i]);
		if (open != NULL)
			looked[i].mark = list[i].mark;
		else if (!file_look(m, conf, &list[i], &looked[i].mark))
			looked[i].mark = (struct file_mark){0};
	}
	if (open == NULL && list == NULL) {
		free(looked);
		looked = NULL;
	}
	if (open == NULL)
		free(list);
	return looked;
}
