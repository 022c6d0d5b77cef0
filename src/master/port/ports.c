/* Runs in the master: the generations of ports, from their creation to their end. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/fd.h"
#include "master/port/port.h"

/* auto: one keyholder per event loop, at most one per processor. */
static unsigned keyholders_of(const struct conf_port *conf)
{
	unsigned loops = conf->workers * conf->threads;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	if (!has_keys(conf))
		return 0;
	if (conf->keyholders != 0)
		return conf->keyholders;
	return processors > 0 && loops > (unsigned long)processors ? (unsigned)processors : loops;
}

static unsigned keyholders_at(const struct port *p)
{
	return p->keyholders;
}

static unsigned verifiers_at(const struct port *p)
{
	return p->conf->passwords_count > 0;
}

static unsigned resolvers_at(const struct port *p)
{
	return port_names_count(p->conf) > 0;
}

static unsigned connectors_at(const struct port *p)
{
	return p->conf->upstreams_count > 0;
}

static unsigned workers_at(const struct port *p)
{
	return p->conf->workers;
}

/* The places of a port's pool, in this order. An upgrade identifies a process by its place, so a
 * new row must not change the places of ports without it. */
static const struct pool_row {
	enum ipc_role role; /* IPC_WORKER is the last one */
	unsigned (*count)(const struct port *);
} pool[] = {
    {IPC_KEYHOLDER, keyholders_at}, {IPC_VERIFIER, verifiers_at}, {IPC_RESOLVER, resolvers_at},
    {IPC_CONNECTOR, connectors_at}, {IPC_WORKER, workers_at},
};
#define POOL_ROWS (sizeof(pool) / sizeof(pool[0]))

static unsigned places_count(const struct port *p, unsigned *ret_holders)
{
	unsigned count = 0;
	for (size_t i = 0; i < POOL_ROWS; i++) {
		if (pool[i].role == IPC_WORKER)
			*ret_holders = count;
		count += pool[i].count(p);
	}
	return count;
}

static enum ipc_role role_at(const struct port *p, unsigned index, unsigned *ret_number)
{
	size_t i = 0;
	for (; index >= pool[i].count(p); i++)
		index -= pool[i].count(p);
	*ret_number = index + 1;
	return pool[i].role;
}

static int child_init(struct port *p, struct child *c, unsigned index)
{
	unsigned number = 0;
	const enum ipc_role role = role_at(p, index, &number);
	*c = (struct child){.port = p,
			    .role = role,
			    .number = number,
			    .loops = role == IPC_WORKER ? p->conf->threads : 1,
			    .pid = -1,
			    .channel = {.fd = -1},
			    .board_fd = -1,
			    .relay = {.io = {.fd = -1}}};
	c->watch.loops_count = c->loops;
	c->watch.loops = calloc(c->loops, sizeof(*c->watch.loops));
	if (c->watch.loops == NULL)
		return -ENOMEM;
	int error = loop_timer_init(&p->master->loop, &c->deadline, child_deadline_expired);
	if (error == 0 &&
	    (error = loop_timer_init(&p->master->loop, &c->handing.timer, child_hand_on)) < 0)
		loop_timer_release(&p->master->loop, &c->deadline);
	if (error < 0) {
		free(c->watch.loops);
		c->watch.loops = NULL;
	}
	return error;
}

char *port_text(const struct conf *conf, const struct conf_port *port)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	if (f == NULL)
		return NULL;
	conf_dump_process(conf, port, f);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

static int list_add(struct master *m, struct port *p)
{
	if (m->ports_count == m->ports_room) {
		size_t room = m->ports_room * 2 + 16;
		struct port **list = reallocarray(m->ports, room, sizeof(struct port *));
		if (list == NULL)
			return -ENOMEM;
		m->ports = list;
		m->ports_room = room;
	}
	size_t at = m->ports_count++;
	for (; at > 0 && port_number(m->ports[at - 1]) > port_number(p); at--)
		m->ports[at] = m->ports[at - 1];
	m->ports[at] = p;
	return 0;
}

static void list_remove(struct master *m, const struct port *p)
{
	size_t i = 0;
	while (i < m->ports_count && m->ports[i] != p)
		i++;
	if (i == m->ports_count)
		return;
	m->ports_count--;
	memmove(&m->ports[i], &m->ports[i + 1], (m->ports_count - i) * sizeof(struct port *));
}

static int timers_init(struct port *p)
{
	struct loop *loop = &p->master->loop;
	int error = loop_timer_init(loop, &p->backoff, port_spawn_expired);
	if (error < 0)
		return error;
	error = loop_timer_init(loop, &p->limit, port_limit_expired);
	if (error < 0)
		loop_timer_release(loop, &p->backoff);
	return error;
}

/* A port that was dropped and is back continues the numbering while the old generation still
 * drains. */
static unsigned generation_next(const struct master *m, unsigned number, const struct port *old)
{
	unsigned last = old != NULL ? old->generation : 0;
	for (size_t i = 0; old == NULL && i < m->ports_count; i++)
		if (port_number(m->ports[i]) == number && m->ports[i]->generation > last)
			last = m->ports[i]->generation;
	return last + 1;
}

struct port *port_new(struct master *m, struct configuration *configuration,
		      const struct conf_port *conf, unsigned keyholders)
{
	const struct port *old = port_find(m, conf->number);
	struct port *p = calloc(1, sizeof(*p));
	if (p == NULL)
		return NULL;
	*p = (struct port){.master = m,
			   .conf = conf,
			   .stage = STAGE_PREPARED,
			   .generation = generation_next(m, conf->number, old),
			   .chroot_fd = -1,
			   .tickets_fd = -1,
			   .upstreams = {.health_fd = -1,
					 .names_fd = -1,
					 .use_fd = -1,
					 .health_read_fd = -1,
					 .names_read_fd = -1},
			   .keyholders = keyholders > 0 ? keyholders : keyholders_of(conf)};
	const unsigned count = places_count(p, &p->holders);
	if (timers_init(p) < 0) {
		free(p);
		return NULL;
	}
	p->configuration = configuration;
	configuration->users++;
	p->text = port_text(configuration->conf, conf);
	p->children = calloc(count, sizeof(*p->children));
	p->content.pairs = calloc(conf->certificates_count + 1, sizeof(*p->content.pairs));
	if (p->text == NULL || p->children == NULL || p->content.pairs == NULL)
		goto fail;
	for (; p->children_count < count; p->children_count++)
		if (child_init(p, &p->children[p->children_count], p->children_count) < 0)
			goto fail;
	if (list_add(m, p) < 0)
		goto fail;
	return p;
fail:
	port_free(p);
	return NULL;
}

void port_free(struct port *p)
{
	struct loop *loop = &p->master->loop;
	list_remove(p->master, p);
	askers_tell(&p->ordered, "the port is not served any more");
	askers_tell(&p->waiting, "the port is not served any more");
	askers_tell(&p->stopping, NULL);
	for (unsigned i = 0; i < p->children_count; i++) {
		loop_timer_release(loop, &p->children[i].deadline);
		loop_timer_release(loop, &p->children[i].handing.timer);
		free(p->children[i].watch.loops);
	}
	free(p->children);
	free(p->content.pairs);
	for (unsigned i = 0; i < PORT_REPORTS; i++)
		free(p->reports[i]);
	loop_timer_release(loop, &p->backoff);
	loop_timer_release(loop, &p->limit);
	port_unlisten(p);
	port_close_files(p);
	port_drop_tickets(p);
	port_drop_upstreams(p);
	free(p->text);
	configuration_release(p->configuration);
	free(p);
}

void ports_sweep(struct master *m)
{
	if (m->mounts_known)
		mounts_forget(m);
	for (size_t i = m->ports_count; i > 0; i--) {
		struct port *p = m->ports[i - 1];
		if (p->configuration->secrets_known)
			configuration_forget(p->configuration);
		if (p->stage == STAGE_RETIRED && p->state == PORT_STOPPED)
			port_free(p);
	}
}
