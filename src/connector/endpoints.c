/*
 * Runs in connectors, for each connection. Must never believe what is in a place of a name: a
 * resolver that was taken over wrote it.
 */
#include "endpoints.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/network.h"

/* --- places of numbers and Unix paths --------------------------------------------------------- */

static void fixed_write(const struct conf_endpoint *e, union ipc_address *ret)
{
	struct network_address a;
	*ret = (union ipc_address){.bytes = {0}};
	if (e->path != NULL) {
		ret->local.sun_family = AF_UNIX;
		memcpy(ret->local.sun_path, e->path,
		       strnlen(e->path, sizeof(ret->local.sun_path) - 1));
		return;
	}
	/* the configuration has checked it */
	if (network_address_parse(e->host, strlen(e->host), &a) == 0)
		ipc_address_put(ret, &a, e->port);
}

size_t endpoints_fixed(const struct conf_port *port, union ipc_address *ret)
{
	size_t count = 0;
	for (size_t i = 0; i < port->endpoints_count; i++) {
		if (port->endpoints[i].named)
			continue;
		if (ret != NULL)
			fixed_write(&port->endpoints[i], &ret[count]);
		count++;
	}
	return count;
}

size_t endpoints_names(const struct conf_port *port)
{
	return port->endpoints_count - endpoints_fixed(port, NULL);
}

/* --- rows ------------------------------------------------------------------------------------- */

int endpoints_init(struct endpoints *t, const struct conf_port *port, const struct ipc_block *block)
{
	uint32_t places = 0, names = 0;
	*t = (struct endpoints){.port = port, .block = *block};
	t->rows = calloc(port->endpoints_count + 1, sizeof(*t->rows));
	if (t->rows == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < port->endpoints_count; i++)
		if (port->endpoints[i].named)
			t->rows[i].name = names++;
		else
			t->rows[i].place = places++;
	return 0;
}

void endpoints_release(struct endpoints *t)
{
	free(t->rows);
	t->rows = NULL;
}

/* --- lists ------------------------------------------------------------------------------------ */

static bool is_bad(const struct endpoints_row *row, unsigned index)
{
	return (row->bad >> index & 1) != 0;
}

/* From the first on, round and round; in a second pass those that have failed. */
static void list_order(struct endpoints *t, struct endpoints_row *row, size_t first, size_t count,
		       struct endpoints_list *ret)
{
	const size_t start = row->next++ % count;
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < count; i++) {
			const unsigned index = (unsigned)((start + i) % count);
			if (is_bad(row, index) != (pass == 1))
				continue;
			ret->index[ret->count] = (uint8_t)index;
			ret->places[ret->count++] = &t->block.places[first + index];
		}
}

static const struct ipc_name *name_of(const struct endpoints *t, uint32_t endpoint)
{
	const uint32_t name = t->rows[endpoint].name;
	return t->block.names != NULL && name < t->block.names_count ? &t->block.names[name] : NULL;
}

enum endpoints_found endpoints_find(struct endpoints *t, uint32_t endpoint, uint64_t now_ms,
				    struct endpoints_list *ret)
{
	struct endpoints_row *row = &t->rows[endpoint];
	*ret = (struct endpoints_list){.count = 0};
	if (!t->port->endpoints[endpoint].named) {
		ret->places[ret->count++] = &t->block.places[row->place];
		return ENDPOINTS_FOUND;
	}
	const struct ipc_name *name = name_of(t, endpoint);
	size_t first = 0;
	if (name == NULL)
		return ENDPOINTS_UNRESOLVED;
	ret->turn = __atomic_load_n(&name->turn, __ATOMIC_ACQUIRE);
	const size_t count = ipc_names_read(t->block.names, row->name, &first);
	if (count == 0) {
		const bool asked = __atomic_load_n(&name->failed, __ATOMIC_RELAXED) != IPC_NAME_OK;
		return asked ? ENDPOINTS_UNRESOLVED : ENDPOINTS_WAIT;
	}
	if (row->bad_turn != ret->turn || now_ms >= row->bad_until_ms)
		row->bad = 0;
	list_order(t, row, t->block.names_first + first, count, ret);
	return ENDPOINTS_FOUND;
}

size_t endpoints_count(const struct endpoints *t, uint32_t endpoint)
{
	size_t first = 0;
	if (!t->port->endpoints[endpoint].named)
		return 1;
	return name_of(t, endpoint) == NULL
		   ? 0
		   : ipc_names_read(t->block.names, t->rows[endpoint].name, &first);
}

void endpoints_mark(struct endpoints *t, uint32_t endpoint, const struct endpoints_list *list,
		    unsigned i, bool bad, uint64_t now_ms)
{
	struct endpoints_row *row = &t->rows[endpoint];
	if (!t->port->endpoints[endpoint].named)
		return;
	if (row->bad_turn != list->turn) {
		row->bad_turn = list->turn;
		row->bad = 0;
	}
	if (bad) {
		row->bad |= 1u << list->index[i];
		row->bad_until_ms = now_ms + ENDPOINTS_BAD_MS;
	} else
		row->bad &= ~(1u << list->index[i]);
}

sa_family_t endpoints_family(const struct endpoints *t, uint32_t endpoint,
			     const union ipc_address *a)
{
	const struct conf_endpoint *e = &t->port->endpoints[endpoint];
	const struct sockaddr_in *in = (const struct sockaddr_in *)&a->storage;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->storage;
	const sa_family_t family = __atomic_load_n(&a->any.sa_family, __ATOMIC_RELAXED);
	bool fits = false;
	switch (family) {
	case AF_INET:
		fits = ntohs(in->sin_port) == e->port;
		break;
	case AF_INET6:
		fits = ntohs(in6->sin6_port) == e->port;
		break;
	case AF_UNIX:
		fits = e->path != NULL;
		break;
	default:
		break;
	}
	return fits ? family : AF_UNSPEC;
}
