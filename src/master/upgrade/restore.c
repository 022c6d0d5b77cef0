/*
 * Runs in the master that has just replaced an earlier version, and in bulkhead -t --adopt, which
 * checks whether that is possible: reads the records of save.c, in the same order. Must never
 * accept a state that it does not understand completely. Touches no descriptor except those of
 * configurations.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "master/upgrade/handed.h"
#include "master/upgrade/record.h"
#include "master/upgrade/upgrade.h"
#include "master/upgrade/version2.h"

#define NAME_MAX_BYTES 4096

struct restoring {
	struct master *m;
	struct record record; /* the present line */
	const char *text;
	size_t len;
	struct err *err;
	struct configuration **configurations;
	size_t configurations_count;
	int64_t version;
	struct port *port;
	size_t expiries;
	struct child *child;
	unsigned channels[IPC_ROLES]; /* of the present child, by the holder's role */
	bool ended;
};

static int64_t number(struct restoring *r, const char *name, int64_t min, int64_t max)
{
	return record_number(&r->record, name, min, max);
}

static bool flag(struct restoring *r, const char *name)
{
	return number(r, name, 0, 1) != 0;
}

static int descriptor(struct restoring *r, const char *name)
{
	return (int)number(r, name, -1, INT_MAX);
}

static void timer(struct restoring *r, const char *name, struct loop_timer *t)
{
	const int64_t at = number(r, name, -1, INT64_MAX);
	if (at >= 0 && !r->record.failed)
		loop_timer_set(&r->m->loop, t, (uint64_t)at);
}

/* The layout of the memory of some children, by the number that the state gives it. */
static struct ipc_layout *layout_new(struct restoring *r)
{
	struct master *m = r->m;
	struct ipc_layout **list = reallocarray(m->layouts, m->layouts_count + 1, sizeof(*list));
	if (list != NULL)
		m->layouts = list;
	struct ipc_layout *l = list != NULL ? malloc(sizeof(*l)) : NULL;
	if (l == NULL) {
		record_fail(&r->record, "out of memory");
		return NULL;
	}
	ipc_layout_clear(l);
	m->layouts[m->layouts_count++] = l;
	return l;
}

static struct timespec time_of(struct restoring *r, const char *seconds, const char *nanoseconds)
{
	return (struct timespec){.tv_sec = number(r, seconds, INT64_MIN, INT64_MAX),
				 .tv_nsec = number(r, nanoseconds, 0, 999999999)};
}

static void cannot_continue(struct restoring *r)
{
	record_fail(&r->record, "this version cannot continue from the state of that version");
}

static void take_version_2(struct restoring *r)
{
	for (const struct version_2_size *s = version_2_sizes; s->name != NULL; s++)
		if (number(r, s->name, 0, INT64_MAX) != s->value)
			cannot_continue(r);
	struct ipc_layout *l = layout_new(r);
	if (l != NULL)
		version_2_layout(l);
}

static void take_state(struct restoring *r)
{
	r->version = number(r, "version", 0, INT64_MAX);
	if (r->version == 2)
		take_version_2(r);
	else if (r->version != MASTER_STATE_VERSION)
		cannot_continue(r);
	else
		record_sentence(&r->record, "program", r->m->former, sizeof(r->m->former));
}

static void restore_finding(void *arg, enum conf_severity severity, const struct conf_where *where,
			    const char *text)
{
	if (severity == CONF_ERROR)
		err_set(arg, "the running configuration is refused: line %u: %s", where->line,
			text);
}

static void take_configuration(struct restoring *r)
{
	const struct conf_options options = {.threads_built = r->m->options->threads_built};
	struct conf *conf = NULL;
	struct err err = {"the running configuration cannot be read"};
	char *text = NULL;
	size_t len = 0;
	const int64_t n = number(r, "number", (int64_t)r->configurations_count, INT64_MAX);
	int fd = descriptor(r, "fd");
	struct configuration **list = reallocarray(r->configurations, r->configurations_count + 1,
						   sizeof(struct configuration *));
	if (list != NULL)
		r->configurations = list;
	if (r->record.failed || list == NULL || n != (int64_t)r->configurations_count ||
	    fd_read_all(fd, CONF_TEXT_MAX, &text, &len) < 0 ||
	    conf_parse_text(text, len, "the running configuration", &options, restore_finding, &err,
			    &conf) < 0) {
		record_fail(&r->record, err.text);
	} else {
		list[r->configurations_count] = configuration_new(conf);
		if (list[r->configurations_count] == NULL)
			record_fail(&r->record, "out of memory");
		else
			r->configurations_count++;
	}
	free(text);
	if (!r->m->options->checks)
		fd_close(&fd);
}

static void take_master(struct restoring *r)
{
	struct master *m = r->m;
	if (r->version == 2)
		record_sentence(&r->record, "version", m->former, sizeof(m->former));
	m->started_ms = (uint64_t)number(r, "started", 0, INT64_MAX);
	m->settled = flag(r, "settled");
	m->log.level = (int)number(r, "log_level", 0, 7);
	record_bytes(&r->record, "filter", &m->filter_in_force, sizeof(m->filter_in_force));
	m->reload_wanted = flag(r, "reload");
	m->upgrade.wanted = flag(r, "upgrade");
	if (r->configurations_count == 0 || m->conf != NULL) {
		record_fail(&r->record,
			    m->conf != NULL ? "there is one already" : "there is no configuration");
		return;
	}
	m->configuration = r->configurations[0];
	m->configuration->users++;
	m->conf = m->configuration->conf;
}

static void take_kept(struct restoring *r)
{
	struct handed_record **end = &r->m->handed;
	const int64_t kind = number(r, "sink", 0, LOG_SINKS_OUT - 1);
	const size_t len = (size_t)number(r, "size", 0, LOG_KEEP_BYTES);
	struct handed_record *h = malloc(sizeof(*h) + len);
	if (h == NULL) {
		record_fail(&r->record, "out of memory");
		return;
	}
	*h = (struct handed_record){.kind = (enum log_sink_kind)kind, .len = len};
	record_bytes(&r->record, "bytes", h->data, len);
	while (*end != NULL)
		end = &(*end)->next;
	*end = h;
}

static void take_control(struct restoring *r)
{
	struct control_socket *s = &r->m->control_socket;
	if (s->path[0] != '\0')
		record_fail(&r->record, "there is one already");
	s->fd = (int)number(r, "fd", 0, INT_MAX);
	record_text(&r->record, "path", s->path, sizeof(s->path));
	if (s->path[0] == '\0')
		record_fail(&r->record, "it has no path");
	s->device = (dev_t)number(r, "device", INT64_MIN, INT64_MAX);
	s->inode = (ino_t)number(r, "inode", INT64_MIN, INT64_MAX);
}

static void take_mounter(struct restoring *r)
{
	r->m->mounter.fd = descriptor(r, "fd");
	r->m->mounter.pid = (pid_t)number(r, "pid", 1, INT_MAX);
}

static void take_socket(struct restoring *r)
{
	struct sockets *s = &r->m->sockets;
	struct socket_passed *list = reallocarray(s->list, s->count + 1, sizeof(*list));
	if (list == NULL) {
		record_fail(&r->record, "out of memory");
		return;
	}
	s->list = list;
	struct socket_passed *it = &list[s->count++];
	*it = (struct socket_passed){.fd = descriptor(r, "fd")};
	it->port = (uint16_t)number(r, "port", 0, UINT16_MAX);
	record_text(&r->record, "name", it->name, sizeof(it->name));
	record_text(&r->record, "address", it->address, sizeof(it->address));
	record_sentence(&r->record, "wrong", it->wrong, sizeof(it->wrong));
}

static void take_root(struct restoring *r)
{
	struct master *m = r->m;
	char path[NAME_MAX_BYTES];
	const int fd = descriptor(r, "fd");
	record_text(&r->record, "path", path, sizeof(path));
	struct empty_root *list =
	    reallocarray(m->empty_roots, m->empty_roots_count + 1, sizeof(*list));
	char *copy = list != NULL ? strdup(path) : NULL;
	if (list != NULL)
		m->empty_roots = list;
	if (copy == NULL)
		record_fail(&r->record, "out of memory");
	else
		list[m->empty_roots_count++] = (struct empty_root){copy, fd};
}

static void take_layout(struct restoring *r)
{
	struct ipc_layout *l = layout_new(r);
	const size_t count = r->m->layouts_count;
	if (l == NULL)
		return;
	if (number(r, "number", 0, INT64_MAX) != (int64_t)count - 1)
		record_fail(&r->record, "has another number than its place");
	l->modules = (uint32_t)number(r, "modules", 0, UINT32_MAX);
	l->module_bytes = (uint32_t)number(r, "module_bytes", 0, UINT32_MAX);
	l->modules_max = (uint32_t)number(r, "modules_max", 0, UINT32_MAX);
	l->slots = (uint32_t)number(r, "slots", 0, UINT32_MAX);
	l->slot_bytes = (uint32_t)number(r, "slot_bytes", 0, UINT32_MAX);
}

/* Of the last layout. One that this version does not know is not read. */
static void take_member(struct restoring *r)
{
	char name[NAME_MAX_BYTES];
	const size_t count = r->m->layouts_count;
	record_text(&r->record, "name", name, sizeof(name));
	const uint32_t at = (uint32_t)number(r, "at", 0, UINT32_MAX);
	const uint32_t bytes = (uint32_t)number(r, "bytes", 0, UINT32_MAX);
	if (count == 0)
		record_fail(&r->record, "belongs to no layout");
	else if (!r->record.failed)
		ipc_layout_set(r->m->layouts[count - 1], name, at, bytes);
}

/* --- ports ----------------------------------------------------------------------------------- */

static struct port *port_begin(struct restoring *r)
{
	const int64_t wanted = number(r, "number", 1, UINT16_MAX);
	const int64_t n = number(r, "configuration", 0, (int64_t)r->configurations_count - 1);
	if (r->record.failed)
		return NULL;
	struct configuration *c = r->configurations[n];
	const struct conf_port *conf = conf_port_find(c->conf, (unsigned)wanted);
	/* auto depends on the number of processors, which may have changed since. */
	const bool keyless = conf != NULL && !has_keys(conf);
	const unsigned keyholders =
	    (unsigned)number(r, "keyholders", keyless ? 0 : 1, keyless ? 0 : UINT16_MAX);
	struct port *p =
	    conf != NULL && !r->record.failed ? port_new(r->m, c, conf, keyholders) : NULL;
	if (p == NULL)
		record_fail(&r->record,
			    conf == NULL ? "the port is in no configuration" : "out of memory");
	return p;
}

static void take_identities(struct restoring *r, struct port *p)
{
	p->change_user = flag(r, "change_user");
	p->worker_identity.uid = (uid_t)number(r, "worker_uid", 0, UINT32_MAX);
	p->worker_identity.gid = (gid_t)number(r, "worker_gid", 0, UINT32_MAX);
	p->keyholder_identity.uid = (uid_t)number(r, "keyholder_uid", 0, UINT32_MAX);
	p->keyholder_identity.gid = (gid_t)number(r, "keyholder_gid", 0, UINT32_MAX);
	p->chroot_fd = descriptor(r, "root");
}

static void take_upstreams(struct restoring *r, struct port *p)
{
	if (p->conf->upstreams_count == 0)
		return;
	p->connect_identity.uid = (uid_t)number(r, "connect_uid", 0, UINT32_MAX);
	p->connect_identity.gid = (gid_t)number(r, "connect_gid", 0, UINT32_MAX);
	p->upstreams.health_fd = descriptor(r, "health");
	p->upstreams.names_fd = descriptor(r, "names");
	p->upstreams.use_fd = descriptor(r, "use");
}

static void take_totals(struct restoring *r, struct port *p)
{
	uint64_t totals[VERSION_2_NUMBERS];
	record_bytes(&r->record, "totals", totals, sizeof(totals));
	version_2_totals(&p->totals, totals);
}

static void take_port(struct restoring *r)
{
	struct port *p = r->port = port_begin(r);
	r->expiries = 0;
	r->child = NULL;
	if (p == NULL)
		return;
	p->generation = (unsigned)number(r, "generation", 1, UINT32_MAX);
	p->stage = (enum port_stage)number(r, "stage", STAGE_CURRENT, STAGE_RETIRED);
	port_become(p, (enum port_state)number(r, "state", PORT_STARTING, PORT_STOPPED));
	record_sentence(&r->record, "reason", p->reason, sizeof(p->reason));
	p->by_order = flag(r, "stopped");
	p->order = (enum port_order)number(r, "order", ORDER_NONE, ORDER_UPGRADE);
	timer(r, "limit", &p->limit);
	timer(r, "backoff", &p->backoff);
	take_identities(r, p);
	p->tickets_fd = descriptor(r, "tickets");
	take_upstreams(r, p);
	if (number(r, "places", 1, UINT32_MAX) != p->children_count)
		record_fail(&r->record, "the port would have another number of processes");
	p->files.proven = flag(r, "proven");
	p->served = flag(r, "served");
	p->restarts = (unsigned)number(r, "restarts", 0, UINT32_MAX);
	p->restart.row = (unsigned)number(r, "quick", 0, UINT32_MAX);
	record_bytes(&r->record, "certificates", p->content.digests[IPC_WORKER], IPC_DIGEST_BYTES);
	record_bytes(&r->record, "keys", p->content.digests[IPC_KEYHOLDER], IPC_DIGEST_BYTES);
	if (record_has(&r->record, "passwords"))
		record_bytes(&r->record, "passwords", p->content.digests[IPC_VERIFIER],
			     IPC_DIGEST_BYTES);
	p->content.mixed = record_has(&r->record, "mixed") && flag(r, "mixed");
	if (r->version == 2)
		take_totals(r, p);
}

/* A counter that this version does not have is forgotten: nothing would be added to its sum, and a
 * later version that has it again would show a sum with a gap. */
static void take_total(struct restoring *r)
{
	char name[NAME_MAX_BYTES];
	record_text(&r->record, "name", name, sizeof(name));
	const int64_t sum = number(r, "sum", 0, INT64_MAX);
	const size_t n = ipc_number_find(name);
	if (n < IPC_NUMBERS)
		ipc_number_set(&r->port->totals, n, (uint64_t)sum);
}

static void take_expiry(struct restoring *r)
{
	if (r->expiries == r->port->conf->certificates_count) {
		record_fail(&r->record, "too many certificates");
		return;
	}
	struct expiry *e = &r->port->content.pairs[r->expiries++];
	e->begins = number(r, "begins", 0, INT64_MAX);
	e->ends = number(r, "ends", 0, INT64_MAX);
	e->told = number(r, "warned", INT64_MIN, INT64_MAX);
	record_sentence(&r->record, "subject", e->subject, sizeof(e->subject));
}

static void take_listener(struct restoring *r)
{
	struct port *p = r->port;
	struct port_listener l = {.fd = descriptor(r, "fd")};
	record_text(&r->record, "address", l.address, sizeof(l.address));
	l.passed = flag(r, "passed");
	if (p->listeners_count == PORT_LISTENERS_MAX)
		record_fail(&r->record, "too many listeners");
	else
		p->listeners[p->listeners_count++] = l;
}

static char *take_copy(struct restoring *r, const char *name)
{
	char text[NAME_MAX_BYTES];
	record_text(&r->record, name, text, sizeof(text));
	char *copy = strdup(text);
	if (copy == NULL)
		record_fail(&r->record, "out of memory");
	return copy;
}

static struct port_place *take_place(struct restoring *r)
{
	struct port_place *place = calloc(1, sizeof(*place));
	if (place == NULL) {
		record_fail(&r->record, "out of memory");
		return NULL;
	}
	place->rest = take_copy(r, "rest");
	place->written = take_copy(r, "written");
	place->real = take_copy(r, "real");
	return place;
}

/* In the order of files_list(), which the configuration decides. */
static void take_file(struct restoring *r)
{
	struct port_files *files = &r->port->files;
	if (files->list == NULL)
		files->list = files_list(r->port->conf);
	if (files->list == NULL || files->count == files_count(r->port->conf)) {
		record_fail(&r->record, files->list == NULL ? "out of memory" : "too many files");
		return;
	}
	struct port_file *f = &files->list[files->count++];
	f->fd = descriptor(r, "fd");
	f->mark = (struct file_mark){.device = (dev_t)number(r, "device", INT64_MIN, INT64_MAX),
				     .inode = (ino_t)number(r, "inode", INT64_MIN, INT64_MAX),
				     .size = number(r, "size", 0, INT64_MAX),
				     .modified = time_of(r, "modified", "modified_ns"),
				     .changed = time_of(r, "changed", "changed_ns")};
	if (record_has(&r->record, "mounts"))
		record_bytes(&r->record, "mounts", &f->mark.mounts, sizeof(f->mark.mounts));
	if (f->kind == IPC_FD_ROOT)
		f->place = take_place(r);
}

static void take_death(struct restoring *r)
{
	struct restart_state *s = &r->port->restart;
	if (s->count == RESTART_DEATHS_MAX) {
		record_fail(&r->record, "too many deaths");
		return;
	}
	s->deaths_ms[s->count++] = (uint64_t)number(r, "at", 0, INT64_MAX);
	s->next = s->count % RESTART_DEATHS_MAX;
}

/* The memory itself is not looked at before master_adopt(), and the check does not have it. */
static const struct ipc_layout *layout_of_child(struct restoring *r, const struct child *c)
{
	const struct master *m = r->m;
	const int64_t n =
	    r->version == 2 ? 0 : number(r, "layout", 0, (int64_t)m->layouts_count - 1);
	if (r->record.failed)
		return NULL;
	if (!ipc_layout_fits(m->layouts[n], c->loops, SIZE_MAX))
		record_fail(&r->record, "has a layout that does not fit into any memory");
	return m->layouts[n];
}

static void take_child(struct restoring *r)
{
	struct port *p = r->port;
	const int64_t place = number(r, "place", 0, (int64_t)p->children_count - 1);
	struct child *c = r->child = &p->children[place];
	if (r->record.failed || c->state != CHILD_NONE) {
		record_fail(&r->record, "there is no such place");
		return;
	}
	c->pid = (pid_t)number(r, "pid", 1, INT_MAX);
	c->state = (enum child_state)number(r, "state", CHILD_STARTING, CHILD_DRAINING);
	c->started_ms = (uint64_t)number(r, "started", 0, INT64_MAX);
	c->generation = (uint32_t)number(r, "generation", 0, UINT32_MAX);
	timer(r, "deadline", &c->deadline);
	c->channel.fd = descriptor(r, "channel");
	c->board_fd = descriptor(r, "board");
	c->view.layout = layout_of_child(r, c);
	c->adopted = true;
	c->relay.io.fd = descriptor(r, "log");
	relay_begin(c);
	c->relay.stream.len = (size_t)number(r, "unread", 0, LOG_STREAM_MAX);
	record_bytes(&r->record, "bytes", c->relay.stream.data, c->relay.stream.len);
	watch_begin(&c->watch);
	c->watch.stopped = flag(r, "stopped");
	c->watch.verdict = (enum watch_verdict)number(r, "aborted", WATCH_FINE, WATCH_KILLED);
	c->killed_for = flag(r, "killed") ? "was no longer wanted" : NULL;
	c->unusable = flag(r, "unusable") ? "was useless" : NULL;
	c->pinged = flag(r, "pinged");
	record_sentence(&r->record, "failure", c->failure, sizeof(c->failure));
	record_sentence(&r->record, "level", c->level, sizeof(c->level));
	memset(r->channels, 0, sizeof(r->channels));
}

/* The next of a worker's channels; the list is made with the first one. */
static void take_channel(struct restoring *r, int **ends, unsigned *count)
{
	const struct child *c = r->child;
	const int fd = descriptor(r, "fd");
	if (*ends == NULL) {
		*ends = calloc(c->loops, sizeof(**ends));
		for (unsigned i = 0; *ends != NULL && i < c->loops; i++)
			(*ends)[i] = -1;
	}
	if (*ends == NULL)
		record_fail(&r->record, "out of memory");
	else if (*count == c->loops)
		record_fail(&r->record, "too many channels");
	else
		(*ends)[(*count)++] = fd;
}

static bool is_of_worker(struct restoring *r)
{
	if (r->child != NULL && is_worker(r->child))
		return true;
	record_fail(&r->record, "belongs to no worker");
	return false;
}

static void take_channel_to(struct restoring *r, enum ipc_role role)
{
	if (is_of_worker(r))
		take_channel(r, &r->child->ends[role], &r->channels[role]);
}

static void take_key_channel(struct restoring *r)
{
	take_channel_to(r, IPC_KEYHOLDER);
}

static void take_password_channel(struct restoring *r)
{
	take_channel_to(r, IPC_VERIFIER);
}

static void take_connect_channel(struct restoring *r)
{
	take_channel_to(r, IPC_CONNECTOR);
}

/* It is put into the port's memory once that is there. */
static void take_upstream_order(struct restoring *r)
{
	struct port *p = r->port;
	const size_t count = p->conf->endpoints_count;
	const int64_t endpoint = number(r, "endpoint", 0, (int64_t)count - 1);
	const int64_t order = number(r, "order", IPC_ORDER_NONE, IPC_ORDER_DOWN);
	if (p->upstreams.orders == NULL)
		p->upstreams.orders = calloc(count + 1, sizeof(*p->upstreams.orders));
	if (p->upstreams.orders == NULL)
		record_fail(&r->record, "out of memory");
	else if (!r->record.failed)
		p->upstreams.orders[endpoint] = (uint8_t)order;
}

static void take_report(struct restoring *r)
{
	struct report *it = malloc(sizeof(*it));
	if (it == NULL) {
		record_fail(&r->record, "out of memory");
		return;
	}
	const int64_t cause = number(r, "cause", 0, INT_MAX), role = number(r, "role", 0, INT_MAX);
	it->cause = (enum cause)cause;
	it->role = (enum ipc_role)role;
	it->number = (unsigned)number(r, "number", 0, UINT32_MAX);
	it->loop = (unsigned)number(r, "loop", 0, UINT32_MAX);
	it->loops = (unsigned)number(r, "loops", 0, UINT32_MAX);
	it->restarts = (unsigned)number(r, "restarts", 0, UINT32_MAX);
	it->uptime_ms = (uint64_t)number(r, "uptime", 0, INT64_MAX);
	it->signal = (int)number(r, "signal", 0, INT_MAX);
	it->exit_status = (int)number(r, "status", 0, INT_MAX);
	it->when = number(r, "when", INT64_MIN, INT64_MAX);
	it->client_port = (unsigned)number(r, "client_port", 0, UINT16_MAX);
	record_sentence(&r->record, "text", it->text, sizeof(it->text));
	record_sentence(&r->record, "request", it->request, sizeof(it->request));
	record_sentence(&r->record, "id", it->request_id, sizeof(it->request_id));
	record_sentence(&r->record, "client", it->client, sizeof(it->client));
	record_sentence(&r->record, "backtrace", it->backtrace, sizeof(it->backtrace));
	/* A newer version may know more causes and roles: what this one cannot name it forgets. */
	if (cause <= CAUSE_EXIT && role >= IPC_WORKER && role < IPC_ROLES)
		report_keep(r->port, it);
	free(it);
}

/* --- all of it ------------------------------------------------------------------------------- */

static void take_end(struct restoring *r)
{
	r->ended = true;
}

static const struct kind {
	const char *name;
	void (*take)(struct restoring *);
	enum {
		FIRST,
		EARLY,
		LATER,
		OF_PORT
	} place; /* LATER: after the master, OF_PORT: after its port */
} kinds[] = {
    {"state", take_state, FIRST},
    {"configuration", take_configuration, EARLY},
    {"master", take_master, EARLY},
    {"control", take_control, LATER},
    {"kept", take_kept, LATER},
    {"mounter", take_mounter, LATER},
    {"socket", take_socket, LATER},
    {"root", take_root, LATER},
    {"port", take_port, LATER},
    {"listener", take_listener, OF_PORT},
    {"certificate", take_expiry, OF_PORT},
    {"file", take_file, OF_PORT},
    {"death", take_death, OF_PORT},
    {"child", take_child, OF_PORT},
    {"key_channel", take_key_channel, OF_PORT},
    {"password_channel", take_password_channel, OF_PORT},
    {"connect_channel", take_connect_channel, OF_PORT},
    {"upstream_order", take_upstream_order, OF_PORT},
    {"report", take_report, OF_PORT},
    {"layout", take_layout, LATER},
    {"member", take_member, LATER},
    {"total", take_total, OF_PORT},
    {"end", take_end, LATER},
};

static void restore_all(struct restoring *r)
{
	const struct kind *kind = NULL;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && kind == NULL; i++)
		if (record_is(&r->record, kinds[i].name))
			kind = &kinds[i];
	if ((r->record.line == 1) != (kind != NULL && kind->place == FIRST))
		record_fail(&r->record, "this is not a state");
	else if (kind == NULL)
		record_skip(&r->record);
	else if (kind->place >= LATER && r->m->conf == NULL)
		record_fail(&r->record, "comes too early");
	else if (kind->place == OF_PORT && r->port == NULL)
		record_fail(&r->record, "belongs to no port");
	else
		kind->take(r);
}

static void take_all(struct restoring *r)
{
	while (!r->ended && record_next(&r->record, &r->text, &r->len, r->err)) {
		restore_all(r);
		if (!record_done(&r->record))
			return;
	}
	if (!r->record.failed && (!r->ended || r->len > 0))
		record_fail(&r->record, "the state is cut off");
}

int state_restore(struct master *m, int state_fd, struct err *err)
{
	struct restoring r = {.m = m, .err = err};
	char *text = NULL;
	int error = fd_read_all(state_fd, STATE_BYTES_MAX, &text, &r.len);
	if (error < 0) {
		err_set(err, "the state cannot be read: %s", strerror(-error));
		return -1;
	}
	r.text = text;
	r.record.err = err;
	take_all(&r);
	for (size_t i = 0; i < r.configurations_count; i++)
		configuration_release(r.configurations[i]); /* those without users */
	free(r.configurations);
	free(text);
	return r.record.failed ? -1 : 0;
}
