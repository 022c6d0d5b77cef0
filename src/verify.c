/* Runs in bulkhead -t only. Must never write a file, nor keep a key. */
#include "verify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/same.h"
#include "master/master.h"
#include "verifier/passwords.h"

struct finding {
	enum conf_severity severity;
	char *file, *text; /* owned */
	unsigned line, column;
	size_t rank; /* the order in which files were read */
	size_t sequence;
};

/* --- the list --------------------------------------------------------------------------------- */

void verify_add(void *arg, enum conf_severity severity, const struct conf_where *where,
		const char *text)
{
	struct verify *v = arg;
	const char *whole = v->whole != NULL ? v->whole : "bulkhead";
	if (severity != CONF_ERROR && v->errors_only)
		return;
	struct finding *list = reallocarray(v->list, v->count + 1, sizeof(*list));
	v->errors += severity == CONF_ERROR;
	if (list == NULL) {
		v->no_memory = true;
		return;
	}
	v->list = list;
	list[v->count] = (struct finding){.severity = severity,
					  .file = strdup(where->file != NULL ? where->file : whole),
					  .text = strdup(text),
					  .line = where->line,
					  .column = where->column,
					  .sequence = v->count};
	if (list[v->count].file == NULL || list[v->count].text == NULL)
		v->no_memory = true;
	v->count++;
}

static void verify_warning(void *arg, const struct conf_where *where, const char *text)
{
	verify_add(arg, CONF_WARNING, where, text);
}

/* Files of the configuration as they were read, then others as they were first named. */
static int findings_rank(struct verify *v, const struct conf *conf)
{
	const size_t files = conf != NULL ? conf->files_count : 0, count = files + v->count;
	const char **names = calloc(count + 1, sizeof(*names));
	uint32_t *firsts = calloc(count + 1, sizeof(*firsts));
	int error = names == NULL || firsts == NULL ? -ENOMEM : 0;
	for (size_t i = 0; error == 0 && i < count; i++)
		names[i] = i < files ? conf->files[i] : v->list[i - files].file;
	if (error == 0)
		error = same_texts(names, count, firsts);
	for (size_t i = 0; error == 0 && i < v->count; i++)
		v->list[i].rank = firsts[files + i];
	free(names);
	free(firsts);
	return error;
}

static int finding_compare(const void *a, const void *b)
{
	const struct finding *f = a, *g = b;
	if (f->rank != g->rank)
		return f->rank < g->rank ? -1 : 1;
	if (f->line != g->line)
		return f->line < g->line ? -1 : 1;
	if (f->column != g->column)
		return f->column < g->column ? -1 : 1;
	return f->sequence < g->sequence ? -1 : 1;
}

/* Ports of one block share their files, and those are checked for each. */
static bool finding_repeats(const struct finding *first, const struct finding *f)
{
	for (const struct finding *g = f; g > first;) {
		g--;
		if (g->rank != f->rank || g->line != f->line || g->column != f->column)
			break;
		if (g->severity == f->severity && strcmp(g->text, f->text) == 0)
			return true;
	}
	return false;
}

static void finding_print(const struct finding *f)
{
	const char *kind = conf_severity_name(f->severity);
	if (f->line == 0) /* about the whole file */
		fprintf(stderr, "%s: %s: %s\n", f->file, kind, f->text);
	else
		fprintf(stderr, "%s:%u:%u: %s: %s\n", f->file, f->line, f->column, kind, f->text);
}

void verify_print(struct verify *v, const struct conf *conf)
{
	if (v->no_memory || findings_rank(v, conf) < 0) {
		fputs("bulkhead: out of memory\n", stderr);
		return;
	}
	if (v->count > 0)
		qsort(v->list, v->count, sizeof(*v->list), finding_compare);
	for (size_t i = 0; i < v->count; i++)
		if (!finding_repeats(v->list, &v->list[i]))
			finding_print(&v->list[i]);
}

void verify_release(struct verify *v)
{
	for (size_t i = 0; i < v->count; i++) {
		free(v->list[i].file);
		free(v->list[i].text);
	}
	free(v->list);
	*v = (struct verify){.count = 0};
}

/* --- files that are sent ---------------------------------------------------------------------- */

static void bodies_check(struct verify *v, const struct conf_port *port)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < port->bodies_count; i++) {
		const struct conf_path *body = &port->bodies[i];
		struct err err;
		if (master_check_body(body->path, &bytes, &err) < 0)
			verify_add(v, CONF_ERROR, &body->where, err.text);
	}
}

/* --- passwords -------------------------------------------------------------------------------- */

static void passwords_verify(struct verify *v, const struct conf_path *file)
{
	struct passwords *passwords = NULL;
	struct err err;
	int fd = open(file->path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		err_set(&err, "password file \"%s\" cannot be read: %s", file->path,
			strerror(errno));
	if (fd < 0 || passwords_load(fd, file->path, NULL, &passwords, &err) < 0)
		verify_add(v, CONF_ERROR, &file->where, err.text);
	if (passwords != NULL && passwords_count(passwords) == 0) {
		err_set(&err, PASSWORDS_NOBODY, file->path);
		verify_add(v, CONF_WARNING, &file->where, err.text);
	}
	passwords_free(passwords);
	fd_close(&fd);
}

static void passwords_check_all(struct verify *v, const struct conf *conf)
{
	for (size_t i = 0; i < conf->ports_count; i++)
		for (size_t k = 0; k < conf->ports[i].passwords_count; k++)
			passwords_verify(v, &conf->ports[i].passwords[k]);
}

/* --- all of it -------------------------------------------------------------------------------- */

static void users_check(struct verify *v, const struct conf *conf)
{
	struct err err;
	for (size_t i = 0; i < conf->ports_count; i++)
		if (master_check_port(&conf->ports[i], &err) < 0)
			verify_add(v, CONF_ERROR, &conf->ports[i].where, err.text);
}

void verify_files(struct verify *v, const struct conf *conf, bool daemonized)
{
	v->whole = conf->files_count > 0 ? conf->files[0] : NULL;
	verify_certificates(v, conf);
	verify_upstreams(v, conf);
	for (size_t i = 0; i < conf->ports_count; i++)
		bodies_check(v, &conf->ports[i]);
	passwords_check_all(v, conf);
	users_check(v, conf);
	if (master_check_roots(conf, verify_add, v) < 0)
		v->no_memory = true;
	master_check_types(conf, verify_warning, v);
	master_check_control(conf, verify_warning, v);
	master_check_log(conf, daemonized, verify_warning, v);
}
