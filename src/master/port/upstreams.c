/*
 * Runs in the master: what the processes of a port share about its upstreams, in memory that
 * outlives them, and what administrators order about endpoints.
 *
 *   health   the connector writes, workers and the master read
 *   names    the resolver writes, the connector reads
 *   use      workers write, the master reads, and adds what earlier generations had counted
 *   orders   the master keeps them, and writes them into the health
 *
 * Each of these processes may have been taken over, so nothing is decided by what they write.
 *
 * Each generation has memory of its own, since the numbers of endpoints are those of its
 * configuration. Orders, what was counted and what was found go on with the endpoints of the same
 * upstream and URL: of what was counted, all up to when the next generation takes its place, and
 * the rest at its end.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/same.h"
#include "ipc/addresses.h"
#include "master/port/port.h"

static const struct conf_upstream *upstream_of(const struct conf_port *conf, size_t endpoint)
{
	const struct conf_upstream *u = conf->upstreams;
	while (endpoint < u->endpoints_first || endpoint - u->endpoints_first >= u->endpoints_count)
		u++;
	return u;
}

size_t port_names_count(const struct conf_port *conf)
{
	size_t count = 0;
	for (size_t i = 0; i < conf->endpoints_count; i++)
		count += conf->endpoints[i].named;
	return count;
}

uint64_t port_upstreams_descriptors(const struct conf_port *conf)
{
	return (conf->upstreams_count > 0 ? 3 : 0) + (port_names_count(conf) > 0 ? 2 : 0);
}

/* --- from generation to generation ----------------------------------------------------------- */

/* "NAME URL" of each endpoint. False: no memory. */
static bool endpoints_name(const struct conf_port *conf, char **list)
{
	for (size_t i = 0; i < conf->upstreams_count; i++) {
		const struct conf_upstream *u = &conf->upstreams[i];
		for (uint32_t k = 0; k < u->endpoints_count; k++) {
			char **text = &list[u->endpoints_first + k];
			if (asprintf(text, "%s %s", u->name,
				     conf->endpoints[u->endpoints_first + k].url) < 0) {
				*text = NULL;
				return false;
			}
		}
	}
	return true;
}

/* For each endpoint of a, then of b, the first that is the same. NULL: no memory. */
static uint32_t *endpoints_match(const struct conf_port *a, const struct conf_port *b)
{
	const size_t count = a->endpoints_count + b->endpoints_count;
	char **names = calloc(count + 1, sizeof(char *));
	uint32_t *firsts = calloc(count + 1, sizeof(*firsts));
	const bool done = names != NULL && firsts != NULL && endpoints_name(a, names) &&
			  endpoints_name(b, names + a->endpoints_count) &&
			  same_texts((const char *const *)names, count, firsts) == 0;
	for (size_t i = 0; names != NULL && i < count; i++)
		free(names[i]);
	free(names);
	if (!done) {
		free(firsts);
		firsts = NULL;
	}
	return firsts;
}

static uint32_t *upstreams_match(const struct conf_port *a, const struct conf_port *b)
{
	const size_t count = a->upstreams_count + b->upstreams_count;
	const char **names = calloc(count + 1, sizeof(*names));
	uint32_t *firsts = calloc(count + 1, sizeof(*firsts));
	for (size_t i = 0; names != NULL && i < count; i++)
		names[i] = i < a->upstreams_count ? a->upstreams[i].name
						  : b->upstreams[i - a->upstreams_count].name;
	if (names == NULL || firsts == NULL || same_texts(names, count, firsts) < 0) {
		free(firsts);
		firsts = NULL;
	}
	free(names);
	return firsts;
}

static int upstreams_inherit(struct port *p, const struct port *old)
{
	const size_t count = old->conf->endpoints_count;
	uint32_t *same = endpoints_match(old->conf, p->conf);
	for (size_t i = 0; same != NULL && i < p->conf->endpoints_count; i++) {
		const uint32_t from = same[count + i];
		if (from >= count)
			continue;
		p->upstreams.orders[i] = old->upstreams.orders[from];
		ipc_health_inherit(&p->upstreams.health->list[i],
				   &old->upstreams.health->list[from]);
	}
	free(same);
	return same != NULL ? 0 : -ENOMEM;
}

/* Adds to the heir's sums what was counted since they were handed on. */
static void sums_hand(const void *sums, void *handed, void *heir,
		      const struct ipc_counter *(*row)(size_t))
{
	const struct ipc_counter *c;
	for (size_t i = 0; (c = row(i)) != NULL; i++)
		for (size_t k = 0; c->kind != IPC_KIND_GAUGE && k < c->count; k++) {
			const size_t at = c->offset + k * sizeof(uint64_t);
			const uint64_t now =
			    *(const uint64_t *)(const void *)((const char *)sums + at);
			uint64_t *then = (uint64_t *)(void *)((char *)handed + at);
			uint64_t *to = (uint64_t *)(void *)((char *)heir + at);
			const uint64_t known = __atomic_load_n(then, __ATOMIC_RELAXED);
			if (now > known)
				*to = ipc_count_add(*to, now - known);
			*then = now;
		}
}

void port_hand_use(const struct port *old, const struct port *heir)
{
	const struct ipc_use *from = &old->upstreams.use, *to = &heir->upstreams.use;
	const size_t endpoints = old->conf->endpoints_count, upstreams = old->conf->upstreams_count;
	if (from->memory == NULL || to->memory == NULL)
		return;
	uint32_t *endpoint = endpoints_match(old->conf, heir->conf);
	uint32_t *upstream = upstreams_match(old->conf, heir->conf);
	for (size_t i = 0; endpoint != NULL && i < heir->conf->endpoints_count; i++) {
		const uint32_t same = endpoint[endpoints + i];
		struct ipc_endpoint_use use;
		if (same >= endpoints)
			continue;
		port_endpoint_use(old, same, &use);
		sums_hand(&use, &ipc_use_endpoints(from, ipc_use_handed(from))[same],
			  &ipc_use_endpoints(to, ipc_use_before(to))[i], ipc_endpoint_counter);
	}
	for (size_t i = 0; upstream != NULL && i < heir->conf->upstreams_count; i++) {
		const uint32_t same = upstream[upstreams + i];
		struct ipc_upstream_use use;
		if (same >= upstreams)
			continue;
		port_upstream_use(old, same, &use);
		sums_hand(&use, &ipc_use_upstreams(from, ipc_use_handed(from))[same],
			  &ipc_use_upstreams(to, ipc_use_before(to))[i], ipc_upstream_counter);
	}
	free(endpoint);
	free(upstream);
}

/* --- the memory ------------------------------------------------------------------------------- */

static int lists_make(struct port *p)
{
	const struct conf_port *conf = p->conf;
	struct port_upstreams *u = &p->upstreams;
	if (u->orders == NULL) /* else they came from the earlier version */
		u->orders = calloc(conf->endpoints_count, 1);
	return u->orders == NULL ? -ENOMEM : 0;
}

static int health_make(struct port *p)
{
	struct port_upstreams *u = &p->upstreams;
	const size_t count = p->conf->endpoints_count;
	if (u->health_fd < 0 && (u->health_fd = ipc_health_create(count)) < 0)
		return u->health_fd;
	u->health = ipc_health_map(u->health_fd, count);
	if (u->health == NULL)
		return -ENOMEM;
	u->health_read_fd = ipc_health_read_only(u->health_fd);
	return u->health_read_fd < 0 ? u->health_read_fd : 0;
}

static int names_make(struct port *p)
{
	struct port_upstreams *u = &p->upstreams;
	const size_t count = port_names_count(p->conf);
	if (count == 0)
		return 0;
	if (u->names_fd < 0 && (u->names_fd = ipc_names_create(count)) < 0)
		return u->names_fd;
	u->names_read_fd = ipc_names_read_only(u->names_fd);
	return u->names_read_fd < 0 ? u->names_read_fd : 0;
}

static int use_make(struct port *p)
{
	const struct conf_port *conf = p->conf;
	struct port_upstreams *u = &p->upstreams;
	const struct ipc_use_size size = {.loops = conf->workers * conf->threads,
					  .endpoints = (uint32_t)conf->endpoints_count,
					  .upstreams = (uint32_t)conf->upstreams_count};
	if (u->use_fd >= 0)
		return ipc_use_open(u->use_fd, &size, &u->use);
	u->use_fd = ipc_use_create(&size, &u->use);
	return u->use_fd < 0 ? u->use_fd : 0;
}

/* Descriptors that are there already came from the earlier version of the program. */
static int memory_make(struct port *p)
{
	int error = lists_make(p);
	if (error == 0)
		error = health_make(p);
	if (error == 0)
		error = names_make(p);
	return error < 0 ? error : use_make(p);
}

int port_get_upstreams(struct port *p, const struct port *old, struct err *err)
{
	if (p->conf->upstreams_count == 0 || p->upstreams.health != NULL)
		return 0;
	int error = memory_make(p);
	if (error == 0 && old != NULL && old->upstreams.health != NULL)
		error = upstreams_inherit(p, old);
	if (error < 0) {
		port_drop_upstreams(p);
		err_set(err, "cannot make the memory for its upstreams%s: %s",
			error == -ENOENT ? ", which needs /proc" : "", strerror(-error));
		return err_is_shortage(-error) ? -EAGAIN : -1;
	}
	port_orders_again(p);
	return 0;
}

/* If that program has made it in another form, it is made again: its own processes go on with
 * theirs, until they are replaced. */
int port_adopt_upstreams(struct port *p)
{
	struct port_upstreams *u = &p->upstreams;
	if (u->health_fd < 0)
		return 0;
	int error = memory_make(p);
	if (error < 0) {
		unsigned char *orders = u->orders;
		u->orders = NULL;
		port_drop_upstreams(p);
		u->orders = orders;
		error = memory_make(p);
	}
	port_orders_again(p);
	return error;
}

void port_drop_upstreams(struct port *p)
{
	struct port_upstreams *u = &p->upstreams;
	ipc_health_unmap(u->health, p->conf->endpoints_count);
	ipc_use_close(&u->use);
	fd_close(&u->health_fd);
	fd_close(&u->health_read_fd);
	fd_close(&u->names_fd);
	fd_close(&u->names_read_fd);
	fd_close(&u->use_fd);
	free(u->orders);
	u->health = NULL;
	u->orders = NULL;
}

/* --- what was counted ------------------------------------------------------------------------- */

void port_endpoint_use(const struct port *p, size_t endpoint, struct ipc_endpoint_use *ret)
{
	ipc_use_endpoint(&p->upstreams.use, (uint32_t)endpoint, ret);
}

void port_upstream_use(const struct port *p, size_t upstream, struct ipc_upstream_use *ret)
{
	ipc_use_upstream(&p->upstreams.use, (uint32_t)upstream, ret);
}

/* --- orders ----------------------------------------------------------------------------------- */

void port_orders_again(const struct port *p)
{
	const bool known = p->upstreams.health != NULL && p->upstreams.orders != NULL;
	for (size_t i = 0; known && i < p->conf->endpoints_count; i++)
		ipc_health_set_order(&p->upstreams.health->list[i],
				     (enum ipc_health_order)p->upstreams.orders[i]);
}

static unsigned endpoints_order(const struct port *p, const char *name, enum ipc_health_order order)
{
	unsigned count = 0;
	for (size_t i = 0; p->upstreams.orders != NULL && i < p->conf->endpoints_count; i++) {
		if (strcmp(upstream_of(p->conf, i)->name, name) != 0 &&
		    strcmp(p->conf->endpoints[i].url, name) != 0)
			continue;
		p->upstreams.orders[i] = (unsigned char)order;
		count++;
	}
	port_orders_again(p);
	return count;
}

unsigned port_order_upstream(struct port *p, const char *name, enum ipc_health_order order)
{
	const struct port *next = port_prepared(p->master, port_number(p));
	if (next != NULL) /* it has the orders of a moment ago */
		(void)endpoints_order(next, name, order);
	return endpoints_order(p, name, order);
}
