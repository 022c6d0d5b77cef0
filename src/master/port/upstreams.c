/*
 * Runs in the master: what the processes of a port share about its upstreams, in memory that
 * outlives them, and what administrators order about endpoints.
 *
 *   health   the connector writes, workers and the master read
 *   names    the resolver writes, the connector reads
 *   use      workers write, the master reads
 *   orders   the master keeps them, and tells each connector
 *
 * Each generation has memory of its own, since the numbers of endpoints are those of its
 * configuration. Orders, and what was counted, go on with the endpoints of the same upstream and
 * URL.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syslog.h>

#include "base/fd.h"
#include "ipc/addresses.h"
#include "master/port/port.h"

static const struct conf_upstream *upstream_of(const struct conf_port *conf, size_t endpoint)
{
	const struct conf_upstream *u = conf->upstreams;
	while (endpoint < u->endpoints_first || endpoint - u->endpoints_first >= u->endpoints_count)
		u++;
	return u;
}

/* The number of the same endpoint in another configuration; its endpoints_count: it has none. */
static size_t endpoint_find(const struct conf_port *conf, const char *upstream, const char *url)
{
	for (size_t i = 0; i < conf->upstreams_count; i++) {
		const struct conf_upstream *u = &conf->upstreams[i];
		if (strcmp(u->name, upstream) != 0)
			continue;
		for (uint32_t k = 0; k < u->endpoints_count; k++)
			if (strcmp(conf->endpoints[u->endpoints_first + k].url, url) == 0)
				return u->endpoints_first + k;
	}
	return conf->endpoints_count;
}

static size_t upstream_find(const struct conf_port *conf, const char *name)
{
	size_t i = 0;
	while (i < conf->upstreams_count && strcmp(conf->upstreams[i].name, name) != 0)
		i++;
	return i;
}

size_t port_names_count(const struct conf_port *conf)
{
	size_t count = 0;
	for (size_t i = 0; i < conf->endpoints_count; i++)
		count += conf->endpoints[i].named;
	return count;
}

/* --- from generation to generation ----------------------------------------------------------- */

static void sums_add(void *to, const void *from, const struct ipc_counter *(*row)(size_t))
{
	const struct ipc_counter *c;
	for (size_t i = 0; (c = row(i)) != NULL; i++) {
		uint64_t *sum = (uint64_t *)(void *)((char *)to + c->offset);
		const uint64_t *part =
		    (const uint64_t *)(const void *)((const char *)from + c->offset);
		for (size_t k = 0; c->kind != IPC_KIND_GAUGE && k < c->count; k++)
			sum[k] = ipc_count_add(sum[k], part[k]);
	}
}

static void endpoint_inherit(struct port *p, size_t endpoint, const struct port *old, size_t same)
{
	struct ipc_endpoint_use use;
	p->upstreams.orders[endpoint] = old->upstreams.orders[same];
	port_endpoint_use(old, same, &use);
	sums_add(&p->upstreams.endpoints_before[endpoint], &use, ipc_endpoint_counter);
}

static void upstream_inherit(struct port *p, size_t upstream, const struct port *old, size_t same)
{
	struct ipc_upstream_use use;
	port_upstream_use(old, same, &use);
	sums_add(&p->upstreams.upstreams_before[upstream], &use, ipc_upstream_counter);
}

void port_inherit_upstreams(struct port *p, const struct port *old)
{
	const struct conf_port *conf = p->conf, *before = old->conf;
	if (p->upstreams.orders == NULL || old->upstreams.orders == NULL)
		return;
	for (size_t i = 0; i < conf->endpoints_count; i++) {
		const size_t same =
		    endpoint_find(before, upstream_of(conf, i)->name, conf->endpoints[i].url);
		if (same < before->endpoints_count)
			endpoint_inherit(p, i, old, same);
	}
	for (size_t i = 0; i < conf->upstreams_count; i++) {
		const size_t same = upstream_find(before, conf->upstreams[i].name);
		if (same < before->upstreams_count)
			upstream_inherit(p, i, old, same);
	}
}

/* --- the memory ------------------------------------------------------------------------------- */

static int memory_make(struct port *p)
{
	const struct conf_port *conf = p->conf;
	struct port_upstreams *u = &p->upstreams;
	const struct ipc_use_size size = {.loops = conf->workers * conf->threads,
					  .endpoints = (uint32_t)conf->endpoints_count,
					  .upstreams = (uint32_t)conf->upstreams_count};
	u->orders = calloc(conf->endpoints_count, 1);
	u->endpoints_before = calloc(conf->endpoints_count, sizeof(*u->endpoints_before));
	u->upstreams_before = calloc(conf->upstreams_count, sizeof(*u->upstreams_before));
	if (u->orders == NULL || u->endpoints_before == NULL || u->upstreams_before == NULL)
		return -ENOMEM;
	u->health_fd = ipc_health_create(conf->endpoints_count);
	if (u->health_fd < 0)
		return u->health_fd;
	u->health = ipc_health_look(u->health_fd, conf->endpoints_count);
	if (u->health == NULL)
		return -ENOMEM;
	const size_t names = port_names_count(conf);
	if (names > 0 && (u->names_fd = ipc_names_create(names)) < 0)
		return u->names_fd;
	u->use_fd = ipc_use_create(&size, &u->use);
	return u->use_fd < 0 ? u->use_fd : 0;
}

int port_get_upstreams(struct port *p, const struct port *old, struct err *err)
{
	if (p->conf->upstreams_count == 0 || p->upstreams.orders != NULL)
		return 0;
	const int error = memory_make(p);
	if (error < 0) {
		port_drop_upstreams(p);
		err_set(err, "cannot make the memory for its upstreams: %s", strerror(-error));
		return err_is_shortage(-error) ? -EAGAIN : -1;
	}
	if (old != NULL)
		port_inherit_upstreams(p, old);
	return 0;
}

void port_drop_upstreams(struct port *p)
{
	struct port_upstreams *u = &p->upstreams;
	if (u->health != NULL)
		ipc_health_unmap(u->health, p->conf->endpoints_count);
	u->health = NULL;
	ipc_use_close(&u->use);
	fd_close(&u->health_fd);
	fd_close(&u->names_fd);
	fd_close(&u->use_fd);
	free(u->orders);
	free(u->endpoints_before);
	free(u->upstreams_before);
	u->orders = NULL;
	u->endpoints_before = NULL;
	u->upstreams_before = NULL;
}

/* --- what was counted ------------------------------------------------------------------------- */

void port_endpoint_use(const struct port *p, size_t endpoint, struct ipc_endpoint_use *ret)
{
	ipc_use_endpoint(&p->upstreams.use, (uint32_t)endpoint, ret);
	if (p->upstreams.endpoints_before != NULL)
		sums_add(ret, &p->upstreams.endpoints_before[endpoint], ipc_endpoint_counter);
}

void port_upstream_use(const struct port *p, size_t upstream, struct ipc_upstream_use *ret)
{
	ipc_use_upstream(&p->upstreams.use, (uint32_t)upstream, ret);
	if (p->upstreams.upstreams_before != NULL)
		sums_add(ret, &p->upstreams.upstreams_before[upstream], ipc_upstream_counter);
}

/* --- orders ----------------------------------------------------------------------------------- */

static void order_send(struct child *c, size_t endpoint)
{
	const struct ipc_order order = {.endpoint = (uint32_t)endpoint,
					.order = c->port->upstreams.orders[endpoint]};
	if (child_send(c, IPC_ORDER, &order, sizeof(order)) == -EAGAIN)
		child_log(c, LOG_WARNING, "does not read: it is not told of an order");
}

void upstreams_tell(struct child *connector)
{
	const struct port *p = connector->port;
	for (size_t i = 0; p->upstreams.orders != NULL && i < p->conf->endpoints_count; i++)
		if (p->upstreams.orders[i] != IPC_ORDER_NONE)
			order_send(connector, i);
}

static void endpoint_order(struct port *p, size_t endpoint, enum ipc_health_order order)
{
	p->upstreams.orders[endpoint] = (unsigned char)order;
	for (unsigned i = 0; i < p->children_count; i++)
		if (p->children[i].role == IPC_CONNECTOR && p->children[i].state == CHILD_SERVING)
			order_send(&p->children[i], endpoint);
}

unsigned port_order_upstream(struct port *p, const char *name, enum ipc_health_order order)
{
	unsigned count = 0;
	for (size_t i = 0; p->upstreams.orders != NULL && i < p->conf->endpoints_count; i++) {
		if (strcmp(upstream_of(p->conf, i)->name, name) != 0 &&
		    strcmp(p->conf->endpoints[i].url, name) != 0)
			continue;
		endpoint_order(p, i, order);
		count++;
	}
	return count;
}
