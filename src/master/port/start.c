/*
 * Runs in the master: the start of a port, from its files and sockets to its first process, and
 * what happens to a port if the machine lacks something. A port is started whole or not at all.
 * Before it takes the first descriptor there must be room for all that it will hold, so that as
 * many ports as possible serve. A port without room holds nothing, waits in BACKOFF without
 * sockets, and is tried again; it is never parked for that.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syslog.h>

#include "base/num.h"
#include "master/port/port.h"

/* Descriptors besides ports: the control socket with a few clients, the check before an upgrade,
 * the watch of document roots, and descriptors that are open for a moment while a child starts or a
 * library works. */
#define SPARE 9
/* The master's usual number at the start, if it cannot be counted. */
#define OWN_USUAL 24

/* --- how many descriptors -------------------------------------------------------------------- */

static uint64_t listeners_needed(const struct port *p)
{
	uint64_t count = 0;
	for (size_t i = 0; i < p->conf->addresses_count; i++)
		count += strcmp(p->conf->addresses[i], "*") == 0 ? 2 : 1;
	for (size_t i = 0; i < p->conf->sockets_count; i++) {
		size_t at = 0;
		while (sockets_find(&p->master->sockets, p->conf->sockets[i], p->conf->number,
				    &at) != NULL)
			count++;
	}
	return count;
}

/* The master's descriptors while this port serves: sockets, files; for each process its channel,
 * board and log; with TLS the ticket key, and for each loop the channel to a keyholder; with
 * passwords that to the verifier; with upstreams that to the connector, and their memory. */
static uint64_t descriptors_needed(const struct port *p)
{
	const uint64_t each = 3, loops = (uint64_t)p->conf->workers * p->conf->threads;
	return listeners_needed(p) + files_count(p->conf) + p->children_count * each +
	       (p->conf->plain ? 0 : 1) + (has_keys(p->conf) ? loops : 0) +
	       (p->conf->passwords_count > 0 ? loops : 0) +
	       (p->conf->upstreams_count > 0 ? loops : 0) + port_upstreams_descriptors(p->conf);
}

static bool holds_anything(const struct port *p)
{
	return p->listeners_count > 0 || !port_is_empty(p);
}

bool port_is_waiting(const struct port *p)
{
	return p->state == PORT_BACKOFF && !holds_anything(p);
}

static bool has_room(const struct port *p)
{
	const struct master *m = p->master;
	uint64_t taken = descriptors_needed(p);
	bool alone = true;
	for (size_t i = 0; i < m->ports_count; i++)
		if (m->ports[i] != p && holds_anything(m->ports[i])) {
			taken += descriptors_needed(m->ports[i]);
			alone = false;
		}
	return taken + (alone ? 0 : m->room_to_renew) <= m->room;
}

static uint64_t descriptors_open(void)
{
	uint64_t count = 0;
	DIR *d = opendir("/proc/self/fd");
	if (d == NULL)
		return OWN_USUAL;
	while (readdir(d) != NULL)
		count++;
	(void)closedir(d);
	return count - 3; /* ".", ".." and the directory itself */
}

/* The limit of descriptors, minus those that belong to no port. */
static void room_measure(struct master *m)
{
	struct rlimit limit = {.rlim_cur = RLIM_INFINITY};
	uint64_t threads = 1;
	for (size_t i = 0; i < m->ports_count; i++)
		if (m->ports[i]->conf->threads > threads)
			threads = m->ports[i]->conf->threads;
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	m->may_open = limit.rlim_cur;
	m->own = descriptors_open() + SPARE + threads;
	m->room = m->may_open > m->own ? m->may_open - m->own : 0;
	m->room_to_renew = 0;
	for (size_t i = 0; i < m->ports_count; i++)
		if (descriptors_needed(m->ports[i]) > m->room_to_renew)
			m->room_to_renew = descriptors_needed(m->ports[i]);
}

/* Logged first, because a server without any served port ends. */
static void room_tell(struct master *m)
{
	uint64_t needed = m->own + (m->ports_count > 1 ? m->room_to_renew : 0);
	for (size_t i = 0; i < m->ports_count; i++)
		needed += descriptors_needed(m->ports[i]);
	if (needed > m->may_open)
		log_write(
		    &m->log, LOG_ERR,
		    "%llu descriptors are needed for %zu port%s, and %llu may be open (ulimit "
		    "-n, LimitNOFILE=): ports that do not fit wait for room",
		    (unsigned long long)needed, m->ports_count, m->ports_count == 1 ? "" : "s",
		    (unsigned long long)m->may_open);
}

/* --- beginning ------------------------------------------------------------------------------- */

/* A parked port whose clients wait in the queue still has its listeners. */
static int all_get(struct port *p, struct err *err)
{
	int error = p->identified ? 0 : port_identify(p, err);
	if (error == 0)
		error = port_open_files(p, err);
	if (error == 0)
		error = port_get_tickets(p, NULL, err);
	if (error == 0)
		error = port_get_upstreams(p, NULL, err);
	if (error == 0 && p->listeners_count == 0)
		error = port_bind(p, NULL, err);
	if (error == 0)
		error = port_listen(p, err);
	return error;
}

/* Logged once, until the port serves. */
static void wait_for(struct port *p, enum port_lack lack, const char *what)
{
	struct master *m = p->master;
	const bool said = p->lacks != LACKS_NOTHING;
	const uint64_t delay_ms = port_shortage_delay(p);
	char text[NUM_TEXT_MAX];
	port_close_files(p);
	port_unlisten(p);
	(void)strlcpy(p->reason, what, sizeof(p->reason));
	if (!said && lack == LACKS_FOR_NOW)
		log_write_for(&m->log, port_number(p), 0, LOG_ERR, "%s; trying again in %s", what,
			      num_format_duration(delay_ms, text));
	port_lacks(p, lack, delay_ms);
}

void port_bring_up(struct port *p)
{
	struct err err;
	port_close_files(p);
	port_become(p, PORT_STARTING);
	if (!has_room(p)) {
		err_set(&err, "it needs %llu descriptors, and fewer are free",
			(unsigned long long)descriptors_needed(p));
		wait_for(p, LACKS_ROOM, err.text);
		return;
	}
	const int error = all_get(p, &err);
	if (error == 0)
		port_spawn(p);
	else if (error == -EAGAIN)
		wait_for(p, LACKS_FOR_NOW, err.text);
	else
		port_park(p, err.text);
}

void ports_start(struct master *m)
{
	room_measure(m);
	room_tell(m);
	/* Parking the last port ends the server. */
	for (size_t i = 0; i < m->ports_count && !m->draining; i++)
		if (m->ports[i]->state != PORT_PARKED)
			port_bring_up(m->ports[i]);
}

void ports_adopted(struct master *m)
{
	uint64_t held = 0;
	room_measure(m);
	for (size_t i = 0; i < m->ports_count; i++)
		if (holds_anything(m->ports[i]))
			held += descriptors_needed(m->ports[i]);
	m->room += held; /* the count included the descriptors that ports hold already */
}

/* The backoff is over. */
void port_spawn_expired(struct loop *loop, struct loop_timer *timer)
{
	struct port *p = (struct port *)((char *)timer - offsetof(struct port, backoff));
	(void)loop;
	port_resume(p);
}

void port_resume(struct port *p)
{
	if (port_is_waiting(p))
		port_bring_up(p);
	else
		port_spawn(p);
}
