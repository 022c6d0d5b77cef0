/* Runs in connectors. Must never believe what the memory says: the connector before may have been
 * taken over. */
#include "health.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syslog.h>

#include "base/text.h"
#include "ipc/slot.h"

/* Log lines in a second, and at once. */
#define LINES_PER_SECOND 10
#define LINES_AT_ONCE    200

static void state_put(struct ipc_health *h, enum ipc_health_state state, uint64_t now_ms)
{
	__atomic_store_n(&h->state, (uint32_t)state, __ATOMIC_RELAXED);
	h->since_ms = now_ms;
}

/* Its writer may have died in the middle of a change, or have been of a configuration with checks:
 * what is not checked would stay down for ever. */
static void row_mend(struct ipc_health *h, bool checked)
{
	if (h->changes % 2 == 0)
		ipc_health_begin(h);
	if (h->state > IPC_HEALTH_DOWN || !checked)
		state_put(h, IPC_HEALTH_UNKNOWN, 0);
	h->why[sizeof(h->why) - 1] = '\0';
	ipc_health_end(h);
}

int health_init(struct health *h, struct ipc_healths *memory, const struct conf_port *port,
		struct log *log, uint64_t now_ms)
{
	*h = (struct health){.memory = memory,
			     .port = port,
			     .log = log,
			     .contrary = calloc(port->endpoints_count + 1, sizeof(*h->contrary)),
			     .upstreams = calloc(port->endpoints_count + 1, sizeof(*h->upstreams)),
			     .lines = bucket_full(now_ms)};
	if (h->contrary == NULL || h->upstreams == NULL) {
		health_release(h);
		return -ENOMEM;
	}
	for (uint32_t u = 0; u < port->upstreams_count; u++)
		for (uint32_t i = 0; i < port->upstreams[u].endpoints_count; i++)
			h->upstreams[port->upstreams[u].endpoints_first + i] = u;
	for (uint32_t i = 0; i < port->endpoints_count; i++)
		row_mend(&memory->list[i], health_upstream(h, i)->probe != CONF_PROBE_OFF);
	return 0;
}

void health_release(struct health *h)
{
	free(h->contrary);
	free(h->upstreams);
	h->contrary = NULL;
	h->upstreams = NULL;
}

static void why_put(struct ipc_health *h, const char *why)
{
	struct text t;
	text_init(&t, h->why, sizeof(h->why));
	text_add_str(&t, why);
}

/* "upstream api: http://127.0.0.1:9000 is down: 503 from /health" */
static void state_tell(struct health *h, uint32_t endpoint, bool up, const char *why,
		       uint64_t now_ms)
{
	const struct conf_upstream *u = health_upstream(h, endpoint);
	const char *url = h->port->endpoints[endpoint].url;
	if (!bucket_take(&h->lines, 1, LINES_PER_SECOND, LINES_AT_ONCE, now_ms)) {
		h->unsaid++;
		return;
	}
	if (h->unsaid > 0)
		log_write(h->log, LOG_WARNING, "%llu changes of upstreams were not logged",
			  (unsigned long long)h->unsaid);
	h->unsaid = 0;
	/* that of `proxy to "URL"` has the URL for its name */
	const char *name = u->anonymous ? "" : u->name, *colon = u->anonymous ? "" : ": ";
	if (up)
		log_write(h->log, LOG_NOTICE, "upstream %s%s%s is up", name, colon, url);
	else
		log_write(h->log, LOG_WARNING, "upstream %s%s%s is down: %s", name, colon, url,
			  why);
}

bool health_checked(struct health *h, uint32_t endpoint, bool good, const char *why,
		    uint64_t now_ms)
{
	struct ipc_health *row = &h->memory->list[endpoint];
	uint8_t *contrary = &h->contrary[endpoint];
	const enum ipc_health_state was = ipc_health_state(row);
	const enum ipc_health_state found = good ? IPC_HEALTH_UP : IPC_HEALTH_DOWN;
	const unsigned limit = was == IPC_HEALTH_UNKNOWN ? 1 : good ? HEALTH_RISE : HEALTH_FALL;
	*contrary = found == was ? 0 : (uint8_t)(*contrary + 1);
	const bool changes = *contrary >= limit;
	ipc_health_begin(row);
	row->checks++;
	if (!good) {
		row->checks_failed++;
		why_put(row, why);
	}
	if (changes)
		state_put(row, found, now_ms);
	ipc_health_end(row);
	if (!changes)
		return *contrary > 0;
	*contrary = 0;
	if (!good || was == IPC_HEALTH_DOWN) /* that it works at the start is nothing to tell */
		state_tell(h, endpoint, good, why, now_ms);
	return false;
}

void health_connected(struct health *h, uint32_t endpoint)
{
	ipc_slot_add(&h->memory->list[endpoint].connected, 1);
}

void health_connect_failed(struct health *h, uint32_t endpoint, const char *why)
{
	struct ipc_health *row = &h->memory->list[endpoint];
	ipc_health_begin(row);
	row->connects_failed++;
	why_put(row, why);
	ipc_health_end(row);
}

void health_addresses(struct health *h, uint32_t endpoint, size_t count)
{
	__atomic_store_n(&h->memory->list[endpoint].addresses, (uint32_t)count, __ATOMIC_RELAXED);
}
