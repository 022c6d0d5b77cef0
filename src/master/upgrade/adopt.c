/*
 * Runs in the master that has replaced an earlier version in the same process: makes the state that
 * restore.c has read work again. The children are not affected. For bulkhead -t --adopt it also
 * checks whether this could be done, without doing it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syslog.h>
#include <unistd.h>

#include "base/fd.h"
#include "master/upgrade/handed.h"
#include "master/upgrade/upgrade.h"
#include "net/listen.h"

static void shut_on_exec(int fd)
{
	if (fd >= 0)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static void descriptors_take(struct port *p)
{
	for (unsigned i = 0; i < p->listeners_count; i++) {
		shut_on_exec(p->listeners[i].fd);
		net_bound(p->listeners[i].fd); /* the earlier program may not have done this */
	}
	for (size_t i = 0; i < p->files.count; i++)
		shut_on_exec(p->files.list[i].fd);
}

/* A child whose memory cannot be mapped again cannot be supervised, and is replaced. */
static void child_take(struct child *c)
{
	struct loop *loop = &c->port->master->loop;
	int fds[] = {c->board_fd, c->relay.io.fd, c->channel.fd};
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		shut_on_exec(fds[i]);
	for (unsigned role = 0; role < IPC_ROLES; role++)
		for (unsigned i = 0; c->ends[role] != NULL && i < c->loops; i++)
			shut_on_exec(c->ends[role][i]);
	c->channel.ready = child_channel_ready;
	if (ipc_view_open(&c->view, c->board_fd, c->loops, c->view.layout) < 0)
		child_kill(c, "had memory that could not be mapped");
	if (c->channel.fd >= 0 && loop_add(loop, &c->channel, EPOLLIN) < 0)
		child_kill(c, "could not be watched");
	if (c->relay.io.fd >= 0 && relay_watch(c) < 0)
		child_kill(c, "could not be watched");
}

int master_adopt(struct master *m, int state_fd, struct err *err)
{
	if (state_restore(m, state_fd, err) < 0)
		return -1;
	if (m->control_socket.path[0] != '\0')
		shut_on_exec(m->control_socket.fd);
	for (size_t i = 0; i < m->sockets.count; i++)
		shut_on_exec(m->sockets.list[i].fd);
	for (size_t i = 0; i < m->empty_roots_count; i++)
		shut_on_exec(m->empty_roots[i].fd);
	for (size_t i = 0; i < m->ports_count; i++) {
		struct port *p = m->ports[i];
		descriptors_take(p);
		port_sockets_reset(p);
		int error = port_adopt_tickets(p);
		if (error < 0) {
			err_set(err, "port %u: the session ticket key cannot be taken over: %s",
				port_number(p), strerror(-error));
			return -1;
		}
		shut_on_exec(p->upstreams.health_fd);
		shut_on_exec(p->upstreams.names_fd);
		shut_on_exec(p->upstreams.use_fd);
		if ((error = port_adopt_upstreams(p)) < 0) {
			err_set(err,
				"port %u: the memory of its upstreams cannot be taken over: %s",
				port_number(p), strerror(-error));
			return -1;
		}
		for (unsigned k = 0; k < p->children_count; k++)
			if (p->children[k].state != CHILD_NONE)
				child_take(&p->children[k]);
	}
	return 0;
}

/* Each port gets processes of this version, one port after the other. A port that is not served
 * gets them when it starts. */
void master_adopted(struct master *m)
{
	m->upgrade.rolling = true;
	for (size_t i = 0; i < m->ports_count; i++) {
		struct port *p = m->ports[i];
		const bool pooled = p->state == PORT_SERVING || p->state == PORT_STARTING ||
				    p->state == PORT_BACKOFF;
		if (p->stage != STAGE_CURRENT || !pooled || port_is_waiting(p))
			continue;
		p->former = true;
		if (p->order == ORDER_NONE)
			p->order = ORDER_UPGRADE;
	}
	master_reap(m); /* the signal for children that ended meanwhile may be lost */
	for (size_t i = 0; i < m->ports_count; i++)
		if (m->ports[i]->stage == STAGE_CURRENT && m->ports[i]->state == PORT_STARTING)
			port_spawn(m->ports[i]);
}

void layouts_forget(struct master *m)
{
	for (size_t i = 0; i < m->layouts_count; i++)
		free(m->layouts[i]);
	free(m->layouts);
}

/* --- for the check only ----------------------------------------------------------------------- */

static void descriptors_forget(struct master *m)
{
	free(m->sockets.list);
	m->sockets = (struct sockets){0};
	sinks_forget_handed(m);
	for (size_t i = 0; i < m->empty_roots_count; i++)
		m->empty_roots[i].fd = -1;
	for (size_t i = 0; i < m->ports_count; i++) {
		struct port *p = m->ports[i];
		p->tickets_fd = p->upstreams.health_fd = p->upstreams.names_fd =
		    p->upstreams.use_fd = -1;
		p->listeners_count = 0;
		for (size_t k = 0; k < p->files.count; k++)
			p->files.list[k].fd = -1;
		for (unsigned k = 0; k < p->children_count; k++) {
			for (unsigned role = 0; role < IPC_ROLES; role++) {
				free(p->children[k].ends[role]);
				p->children[k].ends[role] = NULL;
			}
		}
	}
}

/* Keeps only ports that serve: a parked or stopped port would remain so, so it cannot prevent the
 * upgrade. The configuration is freed as a whole, so nothing is lost. */
static void only_those_that_serve(const struct master *m, struct conf *conf)
{
	size_t count = 0;
	for (size_t i = 0; i < conf->ports_count; i++) {
		const struct port *p = port_find(m, conf->ports[i].number);
		if (p != NULL && p->state != PORT_PARKED && p->state != PORT_STOPPED)
			conf->ports[count++] = conf->ports[i];
	}
	conf->ports_count = count;
}

const char master_consent[] = MASTER_CONSENT;

int master_check_confinement(struct err *err)
{
	struct sandbox_level level;
	return sandbox_master(&level, 0, err);
}

int master_check_state(int state_fd, bool threads_built, struct conf **ret, struct err *err)
{
	const struct master_options options = {.threads_built = threads_built, .checks = true};
	struct master m = {.options = &options, .signals = {.fd = -1}};
	struct configuration *c = NULL;
	TAILQ_INIT(&m.relays);
	int error = loop_init(&m.loop);
	if (error < 0) {
		err_set(err, "cannot make an event loop: %s", strerror(-error));
		return -1;
	}
	error = state_restore(&m, state_fd, err);
	if (error == 0)
		only_those_that_serve(&m, m.configuration->conf);
	descriptors_forget(&m);
	while (m.ports_count > 0)
		port_free(m.ports[m.ports_count - 1]);
	free(m.ports);
	for (size_t i = 0; i < m.empty_roots_count; i++)
		free(m.empty_roots[i].path);
	free(m.empty_roots);
	layouts_forget(&m);
	loop_release(&m.loop);
	c = m.configuration;
	if (error == 0) {
		*ret = c->conf;
		free(c);
	} else {
		configuration_release(c);
	}
	return error;
}
