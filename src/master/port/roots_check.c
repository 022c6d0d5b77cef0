/*
 * Runs in bulkhead -t only: can the document roots of all ports be served? Must never open a file
 * beneath one.
 *
 * A configuration may have thousands of roots, keys and files of its own. So keys and files are
 * resolved once, for all roots together, and one process for each user tries all of its roots.
 */
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/fd.h"
#include "base/text.h"
#include "master/port/port.h"

/* A root of a port. */
struct root_checked {
	const struct conf_port *port;
	const struct conf_path *path;
	struct identity id;       /* of the port's workers */
	bool identified;          /* what the configuration says of users may be wrong */
	bool known;               /* an earlier one is the same folder for the same user */
	struct port_place *place; /* owned; NULL: it cannot be served */
};

struct roots_checked {
	struct root_checked *list; /* in the order of the configuration */
	struct root_checked **order;
	size_t count;
	bool changes; /* workers become other users */
	conf_report_fn *report;
	void *arg;
};

/* --- which ones there are --------------------------------------------------------------------- */

static void roots_identify(struct roots_checked *all, const struct conf_port *port)
{
	struct identity id = {geteuid(), getegid()};
	struct err err;
	const bool identified =
	    port->roots_count == 0 || !all->changes || worker_identify(port, &id, &err) == 0;
	for (size_t i = 0; i < port->roots_count; i++)
		all->list[all->count++] = (struct root_checked){
		    .port = port, .path = &port->roots[i], .id = id, .identified = identified};
}

static int roots_list(struct roots_checked *all, const struct conf *conf)
{
	size_t count = 0;
	for (size_t i = 0; i < conf->ports_count; i++)
		count += conf->ports[i].roots_count;
	all->list = calloc(count + 1, sizeof(*all->list));
	all->order = calloc(count + 1, sizeof(*all->order));
	if (all->list == NULL || all->order == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < conf->ports_count; i++)
		roots_identify(all, &conf->ports[i]);
	for (size_t i = 0; i < count; i++)
		all->order[i] = &all->list[i];
	return 0;
}

static void roots_release(struct roots_checked *all)
{
	for (size_t i = 0; i < all->count; i++)
		place_release(all->list[i].place);
	free(all->list);
	free(all->order);
}

/* User by user, the unknown one first. */
static int users_compare(const struct root_checked *a, const struct root_checked *b)
{
	if (a->identified != b->identified)
		return a->identified ? 1 : -1;
	if (a->identified && a->id.uid != b->id.uid)
		return a->id.uid < b->id.uid ? -1 : 1;
	if (a->identified && a->id.gid != b->id.gid)
		return a->id.gid < b->id.gid ? -1 : 1;
	return 0;
}

static int roots_compare(const void *a, const void *b)
{
	const struct root_checked *const *r = a, *const *s = b;
	int order = users_compare(*r, *s);
	if (order == 0)
		order = strcmp((*r)->path->path, (*s)->path->path);
	return order != 0 ? order : *r < *s ? -1 : *r > *s;
}

static void roots_sort(struct roots_checked *all)
{
	struct root_checked **order = all->order;
	qsort(order, all->count, sizeof(*order), roots_compare);
	for (size_t i = 1; i < all->count; i++)
		order[i]->known = users_compare(order[i - 1], order[i]) == 0 &&
				  strcmp(order[i - 1]->path->path, order[i]->path->path) == 0;
}

/* --- where they are --------------------------------------------------------------------------- */

static void configuration_look(const struct roots_checked *all, const struct root_checked *r,
			       const struct beneath *files)
{
	const struct beneath_file *file = NULL;
	const size_t count = beneath_find(files, r->place->real, &file);
	struct err err;
	for (size_t i = 0; i < count; i++) {
		err_set(&err,
			"\"%s\" is part of the configuration and lies beneath the document root "
			"\"%s\": workers can read it if their user may",
			file[i].path, r->path->path);
		all->report(all->arg, CONF_WARNING, &r->path->where, err.text);
	}
}

static void anchor_explain(const struct roots_checked *all, const struct root_checked *r)
{
	struct err err;
	struct text t;
	text_init(&t, err.text, sizeof(err.text));
	text_addf(&t, "workers of port %u ", r->port->number);
	place_explain(r->place, &t);
	all->report(all->arg, CONF_NOTE, &r->path->where, err.text);
}

static void root_look(const struct roots_checked *all, struct root_checked *r,
		      const struct secrets *secrets, const struct beneath *files)
{
	struct port_file f = {.kind = IPC_FD_ROOT, .fd = -1};
	struct err err;
	const int error = root_place(secrets, r->path->path, &f, &err);
	fd_close(&f.fd);
	if (error < 0) {
		all->report(all->arg, CONF_ERROR, &r->path->where, err.text);
		place_release(f.place);
		return;
	}
	r->place = f.place;
	if (f.place->rest[0] != '\0')
		anchor_explain(all, r);
	if (strcmp(f.place->real, "/") != 0) {
		configuration_look(all, r, files);
		return;
	}
	err_set(&err,
		"document root \"%s\" is the root directory: every file of the system that the "
		"workers' user may read is served",
		r->path->path);
	all->report(all->arg, CONF_WARNING, &r->path->where, err.text);
}

static int roots_look(struct roots_checked *all, const struct conf *conf)
{
	struct beneath files = {.files = NULL};
	struct secrets secrets;
	int error = secrets_find(conf, &secrets);
	if (error == 0)
		error = beneath_init(&files, (const char *const *)conf->files, conf->files_count);
	for (size_t i = 0; i < all->count && error == 0; i++)
		if (!all->list[i].known)
			root_look(all, &all->list[i], &secrets, &files);
	secrets_release(&secrets);
	beneath_release(&files);
	return error;
}

/* --- what users may --------------------------------------------------------------------------- */

/* Of the root directory it was said already. */
static bool is_tried(const struct root_checked *r)
{
	return r->identified && r->place != NULL && strcmp(r->place->real, "/") != 0;
}

/* 0 or an errno; 0 also if it cannot be tried. The directory is opened as the master does it, who
 * hands it over. */
static int root_try(const struct root_checked *r, bool changes)
{
	const uid_t own = geteuid();
	int fd = place_open(r->place), error = 0;
	if (fd >= 0 && (!changes || seteuid(r->id.uid) == 0))
		error = -place_reach(r->place, fd);
	if (changes && seteuid(own) < 0)
		_exit(EXIT_FAILURE);
	fd_close(&fd);
	return error;
}

/* In a process of its own. */
static void user_try(struct root_checked *const *roots, size_t count, bool changes,
		     volatile int *errors)
{
	const struct identity *id = &roots[0]->id;
	if (changes && (setgroups(0, NULL) < 0 || setegid(id->gid) < 0))
		return;
	for (size_t i = 0; i < count; i++)
		if (is_tried(roots[i]))
			errors[i] = root_try(roots[i], changes);
}

/* The roots of one user. */
static int user_look(const struct roots_checked *all, struct root_checked *const *roots,
		     size_t count)
{
	const size_t bytes = count * sizeof(int);
	int *errors = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct err err;
	if (errors == MAP_FAILED)
		return -ENOMEM;
	const pid_t pid = fork();
	if (pid == 0) {
		user_try(roots, count, all->changes, errors);
		_exit(EXIT_SUCCESS);
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	for (size_t i = 0; i < count; i++) {
		if (errors[i] == 0)
			continue;
		err_set(&err,
			"document root \"%s\" cannot be read by user %u, as which the workers of "
			"port %u run: %s",
			roots[i]->path->path, (unsigned)roots[i]->id.uid, roots[i]->port->number,
			strerror(errors[i]));
		all->report(all->arg, CONF_WARNING, &roots[i]->path->where, err.text);
	}
	(void)munmap(errors, bytes);
	return 0;
}

static int users_look(const struct roots_checked *all)
{
	int error = 0;
	for (size_t i = 0, n; i < all->count && error == 0; i += n) {
		bool any = false;
		for (n = 0;
		     i + n < all->count && users_compare(all->order[i], all->order[i + n]) == 0;
		     n++)
			any = any || is_tried(all->order[i + n]);
		if (any)
			error = user_look(all, &all->order[i], n);
	}
	return error;
}

int master_check_roots(const struct conf *conf, conf_report_fn *report, void *arg)
{
	struct roots_checked all = {
	    .changes = sandbox_may_change_user(), .report = report, .arg = arg};
	int error = roots_list(&all, conf);
	if (error == 0) {
		roots_sort(&all);
		error = roots_look(&all, conf);
	}
	if (error == 0)
		error = users_look(&all);
	roots_release(&all);
	return error;
}
