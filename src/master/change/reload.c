/*
 * Runs in the master, on SIGHUP or by order: reads the configuration and its files again, and
 * applies the changes port by port. There is one at a time: requests during a reload, a restart or
 * an upgrade are served afterwards, by one reload for all.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syslog.h>

#include "base/num.h"
#include "base/text.h"
#include "master/change/change.h"
#include "master/systemd/notify.h"

const struct plan *master_plan(const struct master *m)
{
	return m->roll.plan.count > 0 ? &m->roll.plan : NULL;
}

void master_reload(struct master *m, bool dry_run, struct asker *a)
{
	if (dry_run) {
		askers_add(&m->dry_run_askers, a);
		return;
	}
	askers_add(&m->reload_askers, a);
	m->reload_wanted = true;
}

/* --- reading ---------------------------------------------------------------------------------- */

struct findings {
	struct master *m;
	unsigned errors;
	struct err first;
};

static void reload_finding(void *arg, enum conf_severity severity, const struct conf_where *where,
			   const char *text)
{
	struct findings *f = arg;
	char line[1024];
	struct text t;
	text_init(&t, line, sizeof(line));
	text_add_str(&t, where->file);
	if (where->line > 0)
		text_addf(&t, ":%u:%u", where->line, where->column);
	text_addf(&t, ": %s", text);
	log_write(&f->m->log, severity == CONF_ERROR ? LOG_ERR : LOG_WARNING, "%s", line);
	if (severity == CONF_ERROR && f->errors++ == 0)
		err_set(&f->first, "%s", line);
}

/* Without a file the configuration stays the same: only certificates can have changed. */
static int same_again(const struct master *m, struct conf **ret)
{
	/* it passed this check before */
	const struct conf_options options = {.threads_built = true};
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	if (f == NULL)
		return -ENOMEM;
	conf_dump(m->conf, f);
	int error = fclose(f) == 0
			? conf_parse_text(text, len, "built in", &options, NULL, NULL, ret)
			: -ENOMEM;
	free(text);
	return error;
}

/* Returns NULL after it has given the roll up. */
static struct configuration *read_anew(struct master *m)
{
	struct findings findings = {.m = m};
	struct conf *conf = NULL;
	struct configuration *c = NULL;
	char why[sizeof(findings.first.text) + 64];
	err_set(&findings.first, "out of memory");
	int error =
	    m->options->read_conf == NULL
		? same_again(m, &conf)
		: m->options->read_conf(m->options->read_arg, reload_finding, &findings, &conf);
	if (error == 0)
		c = configuration_new(conf);
	if (c != NULL)
		return c;
	(void)snprintf(why, sizeof(why), "%s", findings.first.text);
	if (findings.errors > 1)
		(void)snprintf(why, sizeof(why), "%s (and %u more error%s)", findings.first.text,
			       findings.errors - 1, findings.errors == 2 ? "" : "s");
	roll_give_up(m, 0, why);
	return NULL;
}

/* --- planning --------------------------------------------------------------------------------- */

struct side {
	struct plan_port *list;
	size_t count;
	struct plan_file **files; /* owned, for each port */
	char **texts;             /* owned; of the new configuration */
};

static void side_release(struct side *s)
{
	for (size_t i = 0; s->texts != NULL && i < s->count; i++)
		free(s->texts[i]);
	for (size_t i = 0; s->files != NULL && i < s->count; i++)
		free(s->files[i]);
	free(s->texts);
	free(s->files);
	free(s->list);
}

static int side_now(const struct master *m, struct side *s)
{
	s->list = calloc(m->ports_count + 1, sizeof(*s->list));
	s->files = calloc(m->ports_count + 1, sizeof(*s->files));
	if (s->list == NULL || s->files == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < m->ports_count; i++) {
		const struct port *p = m->ports[i];
		if (p->stage != STAGE_CURRENT)
			continue;
		if (p->files.count > 0 &&
		    (s->files[s->count] = files_look(p->master, p->conf, &p->files)) == NULL)
			return -ENOMEM;
		s->list[s->count] = (struct plan_port){.number = p->conf->number,
						       .text = p->text,
						       .files = s->files[s->count],
						       .files_count = p->files.count};
		s->count++;
	}
	return 0;
}

static int side_wanted(struct master *m, const struct conf *conf, struct side *s)
{
	s->list = calloc(conf->ports_count, sizeof(*s->list));
	s->files = calloc(conf->ports_count, sizeof(*s->files));
	s->texts = calloc(conf->ports_count, sizeof(*s->texts));
	if (s->list == NULL || s->files == NULL || s->texts == NULL)
		return -ENOMEM;
	for (; s->count < conf->ports_count; s->count++) {
		const size_t i = s->count;
		const struct conf_port *port = &conf->ports[i];
		const struct port *old = port_find(m, port->number);
		/* A port that never had files open has nothing to compare. */
		const bool compares = old == NULL || old->files.count > 0;
		notify_alive(m);
		s->texts[i] = port_text(conf, port);
		s->files[i] = files_look(m, port, NULL);
		s->list[i] = (struct plan_port){.number = port->number,
						.text = s->texts[i],
						.files = s->files[i],
						.files_count = compares ? files_count(port) : 0};
		if (s->texts[i] == NULL || s->files[i] == NULL) {
			s->count++; /* releases what there is of it */
			return -ENOMEM;
		}
	}
	return 0;
}

/* NULL: no memory. */
static char *common_text(const struct conf *conf)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	if (f == NULL)
		return NULL;
	conf_dump_common(conf, f);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

static int common_compare(struct master *m, const struct conf *conf)
{
	char *now = common_text(m->conf), *wanted = common_text(conf);
	const int error =
	    now != NULL && wanted != NULL ? plan_add_common(&m->roll.plan, now, wanted) : -ENOMEM;
	free(now);
	free(wanted);
	return error;
}

static int plan(struct master *m, const struct conf *conf)
{
	struct side now = {.count = 0}, wanted = {.count = 0};
	int error = side_now(m, &now);
	if (error == 0)
		error = side_wanted(m, conf, &wanted);
	if (error == 0)
		error = plan_make(&m->roll.plan, now.list, now.count, wanted.list, wanted.count);
	if (error == 0)
		error = common_compare(m, conf);
	side_release(&now);
	side_release(&wanted);
	return error;
}

/* --- applying --------------------------------------------------------------------------------- */

/* Only the marks of files differed, and their content is the same: no process is replaced, and the
 * port uses the new descriptors from now on. */
static void keep_after_all(struct port *old, struct port *p)
{
	const struct port_files files = old->files;
	const bool proven = old->files.proven;
	old->files = p->files;
	old->files.proven = proven;
	p->files = files;
	port_discard(p, old);
}

/* Has every process of both read the same? Those of an earlier version may not have told. */
static bool same_content(const struct port *a, const struct port *b)
{
	return content_is_told(&a->content, IPC_WORKER) && !a->content.mixed && !b->content.mixed &&
	       memcmp(a->content.digests, b->content.digests, sizeof(a->content.digests)) == 0;
}

static void judge(struct master *m)
{
	for (size_t i = 0; i < m->roll.plan.count; i++) {
		struct plan_row *row = &m->roll.plan.rows[i];
		const struct port *old = port_find(m, row->port), *p = port_prepared(m, row->port);
		if (row->files_only && p->state == PORT_SERVING && old->state == PORT_SERVING &&
		    same_content(old, p) && !port_unread_differ(old, p))
			plan_row_becomes(&m->roll.plan, row, PLAN_KEEP,
					 "the content of its files has not changed");
		if (row->action == PLAN_KEEP && old->state == PORT_PARKED)
			row->why = "is parked, and tried again";
	}
}

static void keep(struct port *p, struct configuration *c)
{
	struct configuration *before = p->configuration;
	p->conf = conf_port_find(c->conf, port_number(p));
	p->configuration = c;
	c->users++;
	configuration_release(before);
	if (p->state == PORT_PARKED) /* the missing file or resource may be there now */
		port_start(p, NULL);
}

static void commit(struct master *m)
{
	struct configuration *c = m->roll.configuration;
	struct configuration *before = m->configuration;
	for (size_t i = 0; i < m->roll.plan.count; i++) {
		const struct plan_row *row = &m->roll.plan.rows[i];
		struct port *old = port_find(m, row->port), *p = port_prepared(m, row->port);
		if (row->action == PLAN_KEEP && p != NULL)
			keep_after_all(old, p);
		if (row->action == PLAN_KEEP)
			keep(old, c);
		else if (row->action == PLAN_DROP)
			port_retire(old, NULL);
	}
	m->configuration = c;
	m->conf = c->conf;
	c->users++;
	sinks_change(m, &before->conf->log);
	if (before->conf->drain_ms != m->conf->drain_ms)
		master_settings(m);
	configuration_release(before);
	sockets_tell_unclaimed(m);
	m->reconfigured = true;
	development_tell(m);
	plain_tell(m);
}

static void reloaded(struct master *m, const char *error)
{
	const size_t *n = m->roll.plan.counts;
	if (error == NULL)
		log_write(&m->log, LOG_NOTICE,
			  "reloaded: %zu kept, %zu changed, %zu new, %zu dropped", n[PLAN_KEEP],
			  n[PLAN_CHANGE], n[PLAN_NEW], n[PLAN_DROP]);
	notify_reloaded(m, error);
}

static const struct roll_kind reload_kind = {
    .what = "reload", .judge = judge, .commit = commit, .ended = reloaded};

/* --- beginning -------------------------------------------------------------------------------- */

static void carry_out(struct master *m, struct configuration *c)
{
	int error = plan(m, c->conf);
	if (error < 0) {
		roll_give_up(m, 0, strerror(-error));
		return;
	}
	for (size_t i = 0; i < m->roll.plan.count; i++) {
		const struct plan_row row = m->roll.plan.rows[i];
		notify_alive(m);
		if ((row.action == PLAN_NEW || row.action == PLAN_CHANGE) &&
		    !roll_add(m, c, conf_port_find(c->conf, row.port), port_find(m, row.port)))
			return;
	}
	roll_go(m);
}

bool reload_next(struct master *m)
{
	const bool dry_run = !m->reload_wanted;
	struct asker **askers = dry_run ? &m->dry_run_askers : &m->reload_askers;
	if (dry_run && *askers == NULL)
		return false;
	roll_begin(m, &reload_kind);
	m->roll.dry_run = dry_run;
	m->roll.askers = *askers;
	*askers = NULL;
	if (!dry_run)
		m->reload_wanted = false;
	if (!dry_run)
		log_write(&m->log, LOG_INFO, "reloading the configuration");
	if (!dry_run)
		notify_reloading(m);
	m->changed = true;
	m->roll.configuration = read_anew(m);
	if (m->roll.configuration != NULL)
		carry_out(m, m->roll.configuration);
	return true;
}
