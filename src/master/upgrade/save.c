/*
 * Runs in the master when it is about to become its next version: writes the state. restore.c reads
 * it in the same order.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "master/upgrade/handed.h"
#include "master/upgrade/record.h"
#include "master/upgrade/upgrade.h"

static void put_fd(FILE *f, struct kept *k, const char *name, int fd)
{
	record_put(f, name, fd);
	if (fd < 0 || k->failed)
		return;
	if (k->count == k->room) {
		size_t room = k->room * 2 + 64;
		int *fds = reallocarray(k->fds, room, sizeof(*fds));
		if (fds == NULL) {
			k->failed = true;
			return;
		}
		k->fds = fds;
		k->room = room;
	}
	k->fds[k->count++] = fd;
}

static void put_timer(FILE *f, const char *name, const struct loop_timer *t)
{
	record_put(f, name, loop_timer_is_set(t) ? (int64_t)t->deadline_ms : -1);
}

static void put_mark(FILE *f, const struct file_mark *m)
{
	record_put(f, "device", (int64_t)m->device);
	record_put(f, "inode", (int64_t)m->inode);
	record_put(f, "size", m->size);
	record_put(f, "modified", m->modified.tv_sec);
	record_put(f, "modified_ns", m->modified.tv_nsec);
	record_put(f, "changed", m->changed.tv_sec);
	record_put(f, "changed_ns", m->changed.tv_nsec);
	record_put_bytes(f, "mounts?", &m->mounts, sizeof(m->mounts));
}

static void put_place(FILE *f, const struct port_place *place)
{
	if (place == NULL)
		return;
	record_put_text(f, "rest", place->rest);
	record_put_text(f, "written", place->written);
	record_put_text(f, "real", place->real);
}

static void put_files(FILE *f, struct kept *k, const struct port *p)
{
	for (size_t i = 0; i < p->files.count; i++) {
		record_begin(f, "file");
		put_fd(f, k, "fd", p->files.list[i].fd);
		put_mark(f, &p->files.list[i].mark);
		put_place(f, p->files.list[i].place);
		record_end(f);
	}
}

static void put_listeners(FILE *f, struct kept *k, const struct port *p)
{
	for (unsigned i = 0; i < p->listeners_count; i++) {
		record_begin(f, "listener");
		put_fd(f, k, "fd", p->listeners[i].fd);
		record_put_text(f, "address", p->listeners[i].address);
		record_put(f, "passed", p->listeners[i].passed);
		record_end(f);
	}
}

/* The oldest first. */
static void put_deaths(FILE *f, const struct restart_state *s)
{
	for (unsigned i = 0; i < s->count; i++) {
		const unsigned at =
		    (s->next + RESTART_DEATHS_MAX - s->count + i) % RESTART_DEATHS_MAX;
		record_begin(f, "death");
		record_put(f, "at", (int64_t)s->deaths_ms[at]);
		record_end(f);
	}
}

/* Bytes of its log that were read and not passed on. */
static void put_unread(FILE *f, const struct log_stream *s)
{
	record_put(f, "unread", (int64_t)(s->len - s->start));
	record_put_bytes(f, "bytes", s->data + s->start, s->len - s->start);
}

/* The layouts of the memory of children, each once. */
struct layouts {
	const struct ipc_layout **list;
	size_t count;
};

static int64_t layout_number(struct layouts *l, const struct ipc_layout *layout)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->list[i] == layout)
			return (int64_t)i;
	l->list[l->count++] = layout;
	return (int64_t)l->count - 1;
}

/* By the holder's role; NULL: it has no channels. */
static const char *const channel_records[IPC_ROLES] = {[IPC_KEYHOLDER] = "key_channel",
						       [IPC_VERIFIER] = "password_channel",
						       [IPC_CONNECTOR] = "connect_channel"};

/* Of what was read, in the same way. */
static const char *const content_records[IPC_ROLES] = {
    [IPC_WORKER] = "certificates", [IPC_KEYHOLDER] = "keys", [IPC_VERIFIER] = "passwords?"};

static void put_channels(FILE *f, struct kept *k, const char *name, const int *ends, unsigned loops)
{
	for (unsigned i = 0; ends != NULL && i < loops; i++) {
		record_begin(f, name);
		put_fd(f, k, "fd", ends[i]);
		record_end(f);
	}
}

static void put_child(FILE *f, struct kept *k, struct layouts *l, const struct child *c,
		      unsigned place)
{
	record_begin(f, "child");
	record_put(f, "place", place);
	record_put(f, "pid", c->pid);
	record_put(f, "state", c->state);
	record_put(f, "started", (int64_t)c->started_ms);
	record_put(f, "generation", c->generation);
	put_timer(f, "deadline", &c->deadline);
	put_fd(f, k, "channel", c->channel.fd);
	put_fd(f, k, "board", c->board_fd);
	record_put(f, "layout", layout_number(l, c->view.layout));
	put_fd(f, k, "log", c->relay.io.fd);
	put_unread(f, &c->relay.stream);
	record_put(f, "stopped", c->watch.stopped);
	record_put(f, "aborted", c->watch.verdict);
	record_put(f, "killed", c->killed_for != NULL);
	record_put(f, "unusable", c->unusable != NULL);
	record_put(f, "pinged", c->pinged);
	record_put_text(f, "failure", c->failure);
	record_put_text(f, "level", c->level);
	record_end(f);
	for (unsigned role = 0; role < IPC_ROLES; role++)
		if (channel_records[role] != NULL)
			put_channels(f, k, channel_records[role], c->ends[role], c->loops);
}

static void put_report(FILE *f, const struct report *r)
{
	record_begin(f, "report");
	record_put(f, "cause", r->cause);
	record_put(f, "role", r->role);
	record_put(f, "number", r->number);
	record_put(f, "loop", r->loop);
	record_put(f, "loops", r->loops);
	record_put(f, "restarts", r->restarts);
	record_put(f, "uptime", (int64_t)r->uptime_ms);
	record_put(f, "signal", r->signal);
	record_put(f, "status", r->exit_status);
	record_put(f, "when", r->when);
	record_put(f, "client_port", r->client_port);
	record_put_text(f, "text", r->text);
	record_put_text(f, "request", r->request);
	record_put_text(f, "id", r->request_id);
	record_put_text(f, "client", r->client);
	record_put_text(f, "backtrace", r->backtrace);
	record_end(f);
}

static void put_reports(FILE *f, const struct port *p)
{
	const unsigned kept = p->reports_next < PORT_REPORTS ? p->reports_next : PORT_REPORTS;
	for (unsigned i = 0; i < kept; i++)
		put_report(f, p->reports[(p->reports_next - kept + i) % PORT_REPORTS]);
}

/* One per pair. */
static void put_expiries(FILE *f, const struct port *p)
{
	for (size_t i = 0; i < p->conf->certificates_count; i++) {
		const struct expiry *e = &p->content.pairs[i];
		record_begin(f, "certificate");
		record_put(f, "begins", e->begins);
		record_put(f, "ends", e->ends);
		record_put(f, "warned", e->told);
		record_put_text(f, "subject", e->subject);
		record_end(f);
	}
}

/* By name, since the next version may count other things. */
static void put_totals(FILE *f, const struct ipc_counters *totals)
{
	char name[IPC_NUMBER_NAME_MAX];
	for (size_t i = 0; i < IPC_NUMBERS; i++) {
		if (ipc_number_value(totals, i) == 0 || !ipc_number_name(i, name))
			continue;
		record_begin(f, "total");
		record_put_text(f, "name", name);
		record_put(f, "sum", (int64_t)ipc_number_value(totals, i));
		record_end(f);
	}
}

/* In the order of the configuration, those that are not as they would be without it. */
static void put_orders(FILE *f, const struct port *p)
{
	for (size_t i = 0; p->upstreams.orders != NULL && i < p->conf->endpoints_count; i++) {
		if (p->upstreams.orders[i] == IPC_ORDER_NONE)
			continue;
		record_begin(f, "upstream_order");
		record_put(f, "endpoint", (int64_t)i);
		record_put(f, "order", p->upstreams.orders[i]);
		record_end(f);
	}
}

static void put_port(FILE *f, struct kept *k, struct layouts *l, const struct port *p,
		     int64_t configuration)
{
	record_begin(f, "port");
	record_put(f, "number", p->conf->number);
	record_put(f, "configuration", configuration);
	record_put(f, "generation", p->generation);
	record_put(f, "stage", p->stage);
	record_put(f, "state", p->state);
	record_put_text(f, "reason", p->reason);
	record_put(f, "stopped", p->by_order);
	record_put(f, "order", p->order);
	put_timer(f, "limit", &p->limit);
	put_timer(f, "backoff", &p->backoff);
	record_put(f, "change_user", p->change_user);
	record_put(f, "worker_uid", p->worker_identity.uid);
	record_put(f, "worker_gid", p->worker_identity.gid);
	record_put(f, "keyholder_uid", p->keyholder_identity.uid);
	record_put(f, "keyholder_gid", p->keyholder_identity.gid);
	record_put(f, "root", p->chroot_fd);
	put_fd(f, k, "tickets", p->tickets_fd);
	if (p->conf->upstreams_count > 0) { /* an earlier version knows none */
		record_put(f, "connect_uid", p->connect_identity.uid);
		record_put(f, "connect_gid", p->connect_identity.gid);
		put_fd(f, k, "health", p->upstreams.health_fd);
		put_fd(f, k, "names", p->upstreams.names_fd);
		put_fd(f, k, "use", p->upstreams.use_fd);
	}
	record_put(f, "keyholders", p->keyholders);
	record_put(f, "places", p->children_count);
	record_put(f, "proven", p->files.proven);
	record_put(f, "served", p->served);
	record_put(f, "restarts", p->restarts);
	record_put(f, "quick", p->restart.row);
	for (unsigned role = 0; role < IPC_ROLES; role++)
		if (content_records[role] != NULL)
			record_put_bytes(f, content_records[role], p->content.digests[role],
					 IPC_DIGEST_BYTES);
	record_put(f, "mixed?", p->content.mixed);
	record_end(f);
	put_totals(f, &p->totals);
	put_expiries(f, p);
	put_listeners(f, k, p);
	put_files(f, k, p);
	put_deaths(f, &p->restart);
	put_orders(f, p);
	for (unsigned i = 0; i < p->children_count; i++)
		if (p->children[i].state != CHILD_NONE)
			put_child(f, k, l, &p->children[i], i);
	put_reports(f, p);
}

/* --- configurations -------------------------------------------------------------------------- */

static int conf_memory(const struct conf *conf)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	if (f == NULL)
		return -ENOMEM;
	conf_dump(conf, f);
	int fd = fclose(f) == 0 ? fd_sealed_memory("bulkhead-conf", text, len) : -ENOMEM;
	free(text);
	return fd;
}

/* The current configuration is number 0; the others are those that still have users. */
struct numbered {
	const struct configuration **list;
	size_t count;
};

static int64_t number_of(struct numbered *n, const struct configuration *c)
{
	for (size_t i = 0; i < n->count; i++)
		if (n->list[i] == c)
			return (int64_t)i;
	n->list[n->count++] = c;
	return (int64_t)n->count - 1;
}

static int put_configurations(FILE *f, struct kept *k, const struct numbered *n)
{
	for (size_t i = 0; i < n->count; i++) {
		int fd = conf_memory(n->list[i]->conf);
		if (fd < 0)
			return fd;
		record_begin(f, "configuration");
		record_put(f, "number", (int64_t)i);
		put_fd(f, k, "fd", fd);
		record_end(f);
		if (k->failed) {
			fd_close(&fd);
			return -ENOMEM;
		}
		k->made++;
	}
	return 0;
}

/* --- all of it ------------------------------------------------------------------------------- */

static void put_state(FILE *f)
{
	record_begin(f, "state");
	record_put(f, "version", MASTER_STATE_VERSION);
	record_put_text(f, "program", BULKHEAD_VERSION);
	record_end(f);
}

/* --- the memory of children ------------------------------------------------------------------- */

static void put_member(void *arg, const char *name, uint32_t at, uint32_t bytes)
{
	FILE *f = arg;
	record_begin(f, "member");
	record_put_text(f, "name", name);
	record_put(f, "at", at);
	record_put(f, "bytes", bytes);
	record_end(f);
}

static void put_layout(FILE *f, int64_t number, const struct ipc_layout *l)
{
	record_begin(f, "layout");
	record_put(f, "number", number);
	record_put(f, "modules", l->modules);
	record_put(f, "module_bytes", l->module_bytes);
	record_put(f, "modules_max", l->modules_max);
	record_put(f, "slots", l->slots);
	record_put(f, "slot_bytes", l->slot_bytes);
	record_end(f);
	ipc_layout_describe(l, put_member, f);
}

/* Only those that a child still has, so that they do not pile up from upgrade to upgrade. */
static void put_layouts(FILE *f, struct layouts *l, const struct master *m)
{
	for (size_t i = 0; i < m->ports_count; i++)
		for (unsigned k = 0; k < m->ports[i]->children_count; k++)
			if (m->ports[i]->children[k].state != CHILD_NONE)
				(void)layout_number(l, m->ports[i]->children[k].view.layout);
	for (size_t i = 0; i < l->count; i++)
		put_layout(f, (int64_t)i, l->list[i]);
}

static void put_control(FILE *f, struct kept *k, const struct master *m)
{
	const struct control_socket s = m->control_socket;
	if (s.path[0] == '\0')
		return;
	record_begin(f, "control");
	put_fd(f, k, "fd", s.fd);
	record_put_text(f, "path", s.path);
	record_put(f, "device", (int64_t)s.device);
	record_put(f, "inode", (int64_t)s.inode);
	record_end(f);
}

/* Optional: without it document roots are no mounts of their own. */
static void put_mounter(FILE *f, struct kept *k, const struct master *m)
{
	if (m->mounter.fd < 0)
		return;
	record_begin(f, "mounter?");
	put_fd(f, k, "fd", m->mounter.fd);
	record_put(f, "pid", m->mounter.pid);
	record_end(f);
}

/* The master's records that a sink has not taken yet. */
static void put_kept(FILE *f, const struct master *m)
{
	for (unsigned kind = 0; kind < LOG_SINKS_OUT; kind++) {
		size_t at = 0, len;
		const void *data;
		while ((data = log_kept(&m->log, (enum log_sink_kind)kind, &at, &len)) != NULL) {
			record_begin(f, "kept");
			record_put(f, "sink", kind);
			record_put(f, "size", (int64_t)len);
			record_put_bytes(f, "bytes", data, len);
			record_end(f);
		}
	}
}

static void put_master(FILE *f, struct kept *k, const struct master *m)
{
	record_begin(f, "master");
	record_put(f, "started", (int64_t)m->started_ms);
	record_put(f, "settled", m->settled);
	record_put(f, "log_level", m->log.level);
	record_put_bytes(f, "filter", &m->filter_in_force, sizeof(m->filter_in_force));
	record_put(f, "reload", m->reload_wanted);
	record_put(f, "upgrade", m->upgrade.wanted);
	record_end(f);
	put_kept(f, m);
	put_control(f, k, m);
	put_mounter(f, k, m);
	for (size_t i = 0; i < m->sockets.count; i++) {
		const struct socket_passed *s = &m->sockets.list[i];
		record_begin(f, "socket");
		put_fd(f, k, "fd", s->fd);
		record_put(f, "port", s->port);
		record_put_text(f, "name", s->name);
		record_put_text(f, "address", s->address);
		record_put_text(f, "wrong", s->wrong);
		record_end(f);
	}
	for (size_t i = 0; i < m->empty_roots_count; i++) {
		record_begin(f, "root");
		put_fd(f, k, "fd", m->empty_roots[i].fd);
		record_put_text(f, "path", m->empty_roots[i].path);
		record_end(f);
	}
}

static int put_all(FILE *f, struct kept *k, const struct master *m)
{
	struct numbered n = {.list = calloc(m->ports_count + 1, sizeof(struct configuration *))};
	struct layouts l = {.list = calloc(m->layouts_count + 1, sizeof(struct ipc_layout *))};
	if (n.list == NULL || l.list == NULL) {
		free(n.list);
		free(l.list);
		return -ENOMEM;
	}
	(void)number_of(&n, m->configuration);
	for (size_t i = 0; i < m->ports_count; i++)
		(void)number_of(&n, m->ports[i]->configuration);
	put_state(f);
	int error = put_configurations(f, k, &n);
	if (error == 0)
		put_master(f, k, m);
	put_layouts(f, &l, m);
	for (size_t i = 0; i < m->ports_count && error == 0; i++)
		put_port(f, k, &l, m->ports[i], number_of(&n, m->ports[i]->configuration));
	record_begin(f, "end");
	record_end(f);
	free(n.list);
	free(l.list);
	return error;
}

void kept_release(struct kept *k, int state_fd)
{
	for (size_t i = 0; i < k->made; i++)
		fd_close(&k->fds[i]);
	fd_close(&state_fd);
	free(k->fds);
	*k = (struct kept){.fds = NULL};
}

int state_save(const struct master *m, struct kept *k)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	if (f == NULL)
		return -ENOMEM;
	int error = put_all(f, k, m);
	if (fclose(f) != 0 || k->failed)
		error = -ENOMEM;
	int fd = error < 0 ? error : fd_sealed_memory("bulkhead-state", text, len);
	free(text);
	return fd;
}
