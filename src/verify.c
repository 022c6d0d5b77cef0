/* Runs in bulkhead -t only. Must never write a file, nor keep a key. */
#include "verify.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/text.h"
#include "master/master.h"
#include "tls/context.h"
#include "tls/devcert.h"

#define SYSTEM_GROUP_MAX 999 /* adduser.conf(5): groups of people have higher numbers */
#define GROUP_USERS      100

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

static size_t file_rank(const struct verify *v, const struct conf *conf, const char *file)
{
	size_t files = conf != NULL ? conf->files_count : 0;
	for (size_t i = 0; i < files; i++)
		if (strcmp(conf->files[i], file) == 0)
			return i;
	for (size_t i = 0; i < v->count; i++) /* the first finding about that file */
		if (strcmp(v->list[i].file, file) == 0)
			return files + i;
	return files;
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

void verify_print(struct verify *v, const struct conf *conf)
{
	if (v->no_memory) {
		fputs("bulkhead: out of memory\n", stderr);
		return;
	}
	for (size_t i = 0; i < v->count; i++)
		v->list[i].rank = file_rank(v, conf, v->list[i].file);
	if (v->count > 0)
		qsort(v->list, v->count, sizeof(*v->list), finding_compare);
	for (size_t i = 0; i < v->count; i++) {
		const struct finding *f = &v->list[i];
		const char *kind = f->severity == CONF_ERROR ? "error" : "warning";
		if (f->line == 0) /* about the whole file */
			fprintf(stderr, "%s: %s: %s\n", f->file, kind, f->text);
		else
			fprintf(stderr, "%s:%u:%u: %s: %s\n", f->file, f->line, f->column, kind,
				f->text);
	}
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

/* --- keys ------------------------------------------------------------------------------------- */

/* A system group that exists for this purpose does not count as another reader: the server reads
 * the key through it. */
static bool is_group_of_others(const struct stat *st)
{
	if ((st->st_mode & S_IWGRP) != 0)
		return true;
	return (st->st_mode & S_IRGRP) != 0 &&
	       (st->st_gid == 0 || st->st_gid == GROUP_USERS || st->st_gid > SYSTEM_GROUP_MAX);
}

/* A key that does not exist is reported as an error of the pair. */
static void key_check(struct verify *v, const char *path, const struct conf_where *where)
{
	char line[512];
	struct stat st;
	struct text t;
	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	const bool others = (st.st_mode & (S_IROTH | S_IWOTH)) != 0;
	const bool group = is_group_of_others(&st);
	if (!others && !group)
		return;
	text_init(&t, line, sizeof(line));
	text_addf(&t, "key \"%s\" can be %s by %s (mode %03o): chmod %s ", path,
		  (st.st_mode & (S_IROTH | S_IRGRP)) != 0 ? "read" : "written",
		  others ? "every user" : "every member of its group", (unsigned)st.st_mode & 0777,
		  group ? "600" : "o-rwx");
	text_add_str(&t, path);
	verify_add(v, CONF_WARNING, where, line);
}

/* --- certificates ----------------------------------------------------------------------------- */

struct pair_about {
	struct verify *verify;
	const struct conf_where *where;
};

static void pair_warning(void *arg, size_t pair, const char *text)
{
	const struct pair_about *about = arg;
	(void)pair;
	verify_add(about->verify, CONF_WARNING, about->where, text);
}

/* Ports that inherit a pair refer to the same place. */
static bool checked_before(const struct conf *conf, size_t ports, const struct conf_where *where)
{
	for (size_t i = 0; i < ports; i++)
		for (size_t k = 0; k < conf->ports[i].certificates_count; k++) {
			const struct conf_where *w = &conf->ports[i].certificates[k].where;
			if (w->file == where->file && w->line == where->line &&
			    w->column == where->column)
				return true;
		}
	return false;
}

/* The other file is not the key then, and needs no mode of its own. */
static bool are_swapped(const char *told)
{
	return strstr(told, "certificate and key swapped") != NULL;
}

static bool is_about_key(const char *told)
{
	return strncmp(told, "key ", 4) == 0;
}

/* If the certificate was wrong already, the key was not read. */
static void key_miss(struct verify *v, const char *key, const struct conf_where *where,
		     const char *told)
{
	struct err err;
	if (is_about_key(told) || access(key, R_OK) == 0)
		return;
	err_set(&err, "key \"%s\" cannot be read: %s", key, strerror(errno));
	verify_add(v, CONF_ERROR, where, err.text);
}

static void pair_check(struct verify *v, const char *certificate, const char *key,
		       const struct conf_where *where, struct tls_trust *trust)
{
	const struct tls_pair pair = {.certificate = certificate, .certificate_fd = -1, .key = key};
	struct pair_about about = {v, where};
	const struct tls_credentials_options options = {
	    .warn = pair_warning, .arg = &about, .trust = trust};
	struct tls_credentials *loaded = NULL;
	struct err err;
	size_t at;
	if (tls_credentials_new(&pair, 1, &options, &loaded, &at, &err) < 0) {
		verify_add(v, CONF_ERROR, where, err.text);
		key_miss(v, key, where, err.text);
		if (is_about_key(err.text) || are_swapped(err.text))
			return;
	}
	tls_credentials_free(loaded);
	key_check(v, key, where);
}

/* A pair that does not exist yet is made at the start. */
static void development_check(struct verify *v, const struct conf_where *where,
			      struct tls_trust *trust)
{
	struct devcert found;
	struct err err;
	int there = devcert_find(&found, &err);
	if (there > 0)
		pair_check(v, found.certificate, found.key, where, trust);
	else if (there < 0)
		verify_add(v,
			   found.certificate[0] != '\0' && access(found.certificate, F_OK) == 0
			       ? CONF_ERROR
			       : CONF_WARNING,
			   where, err.text);
}

/* Checks each pair separately, so that every bad one is reported, once. */
static void certificates_check(struct verify *v, const struct conf *conf)
{
	struct tls_trust trust = {.asked = false};
	for (size_t i = 0; i < conf->ports_count; i++)
		for (size_t k = 0; k < conf->ports[i].certificates_count; k++) {
			const struct conf_certificate *c = &conf->ports[i].certificates[k];
			if (checked_before(conf, i, &c->where))
				continue;
			if (c->development)
				development_check(v, &c->where, &trust);
			else
				pair_check(v, c->certificate, c->key, &c->where, &trust);
		}
	tls_trust_release(&trust);
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
	certificates_check(v, conf);
	users_check(v, conf);
	master_check_control(conf, verify_warning, v);
	master_check_log(conf, daemonized, verify_warning, v);
}
