/* Runs in a worker's loop: what is counted about its upstreams. Only this loop writes it. */
#include "ipc/slot.h"
#include "pool.h"

struct ipc_upstream_use *upstream_use(const struct upstream_pool *pool)
{
	return &pool->pools->service->upstream_use[pool->index];
}

struct ipc_endpoint_use *upstream_endpoint_use(const struct upstream_pool *pool, uint32_t endpoint)
{
	return &pool->pools->service->endpoint_use[pool->conf->endpoints_first + endpoint];
}

void count_change(uint64_t *gauge, int64_t n)
{
	ipc_slot_put(gauge, ipc_slot_read(gauge) + (uint64_t)n);
}

void upstream_call_sent(const struct upstream_call *call)
{
	ipc_slot_add(&upstream_endpoint_use(call->pool, call->endpoint)->requests, 1);
}

void upstream_call_answered(const struct upstream_call *call, unsigned status)
{
	struct ipc_endpoint_use *use = upstream_endpoint_use(call->pool, call->endpoint);
	ipc_slot_add(&use->responses[status / 100 % IPC_CLASSES], 1);
}

void upstream_call_left(const struct upstream_call *call)
{
	struct ipc_endpoint_use *use = upstream_endpoint_use(call->pool, call->endpoint);
	ipc_slot_add(&use->failed[IPC_TRIED_CLIENT], 1);
}

void upstream_tunnels(struct upstream_pool *pool, int change)
{
	count_change(&upstream_use(pool)->tunnels, change);
}

void upstream_shed(struct upstream_pool *pool)
{
	ipc_slot_add(&upstream_use(pool)->shed, 1);
}
