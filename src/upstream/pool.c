/*
 * Runs in a worker's loop: which connection a call gets, and when. Must never have more connections
 * than this loop's share of `connections`, nor give an endpoint a call that it must not have.
 */
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"
#include "http/exchange.h"
#include "ipc/slot.h"
#include "pool.h"

const struct conf_upstream *upstream_conf(const struct upstream_pool *pool)
{
	return pool->conf;
}

const struct conf_endpoint *upstream_endpoint(const struct upstream_pool *pool, uint32_t endpoint)
{
	return &pool->pools->port->endpoints[pool->conf->endpoints_first + endpoint];
}

static uint64_t pool_now(const struct upstream_pool *pool)
{
	return pool->pools->loop->now_ms;
}

/* --- idle connections ------------------------------------------------------------------------- */

void pool_idle_remove(struct upstream_link *l)
{
	struct upstream_pool *pool = l->pool;
	TAILQ_REMOVE(&pool->idle, l, entry);
	TAILQ_REMOVE(&pool->places[l->endpoint].idle, l, same);
	TAILQ_INSERT_HEAD(&pool->links, l, entry);
	pool->idle_count--;
	count_change(&upstream_endpoint_use(pool, l->endpoint)->idle, -1);
}

static void idle_close(struct upstream_link *l)
{
	pool_idle_remove(l);
	link_free(l);
}

static void idle_add(struct upstream_link *l)
{
	struct upstream_pool *pool = l->pool;
	l->idle_until_ms = pool_now(pool) + pool->conf->keep_ms;
	TAILQ_REMOVE(&pool->links, l, entry);
	TAILQ_INSERT_HEAD(&pool->idle, l, entry);
	TAILQ_INSERT_HEAD(&pool->places[l->endpoint].idle, l, same);
	pool->idle_count++;
	count_change(&upstream_endpoint_use(pool, l->endpoint)->idle, 1);
	link_rest(l);
	if (!loop_timer_is_set(&pool->idle_timer))
		loop_timer_set(pool->pools->loop, &pool->idle_timer, l->idle_until_ms);
	if (pool->idle_count > pool->idle_max)
		idle_close(TAILQ_LAST(&pool->idle, upstream_links));
	pool_serve(pool);
}

static void idle_expired(struct loop *loop, struct loop_timer *timer)
{
	struct upstream_pool *pool =
	    (struct upstream_pool *)((char *)timer - offsetof(struct upstream_pool, idle_timer));
	struct upstream_link *l;
	while ((l = TAILQ_LAST(&pool->idle, upstream_links)) != NULL &&
	       l->idle_until_ms <= loop->now_ms)
		idle_close(l);
	if (l != NULL)
		loop_timer_set(loop, timer, l->idle_until_ms);
}

/* What has come since the turn began could as well have come after the request, so only one that
 * must not be repeated is worth a look then. What had come before was looked for when the call that
 * had it ended. */
static bool idle_is_usable(struct upstream_link *l, const struct upstream_call *call)
{
	return !l->ended &&
	       ((!call->careful && loop_is_quiet(l->pool->pools->loop, &l->io)) || link_alive(l));
}

/* A kept connection to the endpoint; NULL: there is none. */
static struct upstream_link *idle_take(struct upstream_pool *pool, const struct upstream_call *call)
{
	struct upstream_link *l;
	while (!call->fresh && (l = TAILQ_FIRST(&pool->places[call->endpoint].idle)) != NULL) {
		pool_idle_remove(l);
		if (idle_is_usable(l, call))
			return l;
		link_free(l);
	}
	return NULL;
}

/* --- calls ------------------------------------------------------------------------------------ */

/* Says what happened to the endpoint, if anything did, and what became of it by that. */
static void call_tell(struct upstream_pool *pool, const struct upstream_call *call,
		      const char *text, enum upstream_change change)
{
	char line[300];
	struct text t;
	text_init(&t, line, sizeof(line));
	text_add_str(&t, text);
	switch (change) {
	case UPSTREAM_AS_BEFORE:
		break;
	case UPSTREAM_PAUSED:
		ipc_slot_add(&upstream_endpoint_use(pool, call->endpoint)->paused, 1);
		text_add_str(&t, "; it gets no requests for ");
		text_add_uint(&t, pool->conf->fail_pause_ms);
		text_add_str(&t, " ms");
		break;
	case UPSTREAM_WORKS_AGAIN:
		text_add_str(&t, "works again");
		break;
	}
	if (t.len > 0)
		pool->pools->service->tell(pool->pools->service,
					   pool->conf->endpoints_first + call->endpoint, line);
}

static void call_judge(struct upstream_pool *pool, struct upstream_call *call, bool failed,
		       const char *text)
{
	if (!call->chosen)
		return;
	call->chosen = false;
	count_change(&upstream_endpoint_use(pool, call->endpoint)->active, -1);
	call_tell(pool, call, text,
		  upstream_chosen_end(&pool->balance, &call->tried, failed, pool_now(pool)));
}

static void call_over(struct upstream_pool *pool, struct upstream_call *call)
{
	call_judge(pool, call, false, "");
}

/* Finds a connection for the call. UPSTREAM_LATER without a link: there is no room for one. */
static enum upstream_begun call_connect(struct upstream_pool *pool, struct upstream_call *call,
					enum upstream_failure *ret)
{
	if (pool->links_count >= pool->links_max && pool->idle_count == 0)
		return UPSTREAM_LATER;
	const uint32_t chosen =
	    upstream_choose(&pool->balance, &call->tried, call->hash, pool_now(pool));
	*ret = UPSTREAM_FAILED_NONE;
	if (chosen == UPSTREAM_NO_PEER) {
		ipc_slot_add(&upstream_use(pool)->unavailable, 1);
		return UPSTREAM_NEVER;
	}
	call->endpoint = chosen;
	call->chosen = true;
	count_change(&upstream_endpoint_use(pool, chosen)->active, 1);
	struct upstream_link *l = idle_take(pool, call);
	call->kept = l != NULL;
	if (l != NULL) {
		link_use(l, call);
		return UPSTREAM_READY;
	}
	if (pool->links_count >= pool->links_max)
		idle_close(TAILQ_LAST(&pool->idle, upstream_links));
	if (link_new(pool, call, call->endpoint, ret))
		return UPSTREAM_LATER;
	call_over(pool, call);
	return UPSTREAM_NEVER;
}

enum upstream_begun upstream_call_begin(struct upstream_pool *pool, struct upstream_call *call,
					enum upstream_failure *ret)
{
	call->link = NULL;
	call->kept = call->waits = call->chosen = false;
	call->since_ms = pool_now(pool);
	call->pool = pool;
	if (TAILQ_EMPTY(&pool->queue)) {
		const enum upstream_begun begun = call_connect(pool, call, ret);
		if (begun != UPSTREAM_LATER || call->link != NULL)
			return begun;
	}
	if (pool->queue_count >= pool->queue_max) {
		ipc_slot_add(&upstream_use(pool)->queue_full, 1);
		*ret = UPSTREAM_FAILED_QUEUE_FULL;
		return UPSTREAM_NEVER;
	}
	call->waits = true;
	TAILQ_INSERT_TAIL(&pool->queue, call, entry);
	pool->queue_count++;
	ipc_slot_put(&upstream_use(pool)->queued, pool->queue_count);
	if (!loop_timer_is_set(&pool->queue_timer))
		loop_timer_set(pool->pools->loop, &pool->queue_timer,
			       call->since_ms + pool->conf->queue_ms);
	return UPSTREAM_LATER;
}

static void queue_remove(struct upstream_pool *pool, struct upstream_call *call)
{
	call->waits = false;
	TAILQ_REMOVE(&pool->queue, call, entry);
	pool->queue_count--;
	ipc_slot_put(&upstream_use(pool)->queued, pool->queue_count);
}

/* Those that have waited for too long are the first. */
static void queue_expired(struct loop *loop, struct loop_timer *timer)
{
	struct upstream_pool *pool =
	    (struct upstream_pool *)((char *)timer - offsetof(struct upstream_pool, queue_timer));
	struct upstream_call *call;
	while ((call = TAILQ_FIRST(&pool->queue)) != NULL &&
	       call->since_ms + pool->conf->queue_ms <= loop->now_ms) {
		queue_remove(pool, call);
		ipc_slot_add(&upstream_use(pool)->queue_late, 1);
		call->ops->failed(call, UPSTREAM_FAILED_QUEUE_LATE);
	}
	if (call != NULL)
		loop_timer_set(loop, timer, call->since_ms + pool->conf->queue_ms);
}

void pool_serve(struct upstream_pool *pool)
{
	if (!TAILQ_EMPTY(&pool->queue))
		loop_soon(pool->pools->loop, &pool->serve);
}

/* Connections for those that wait, the first ones first, as far as there is room. */
static void serve_run(struct loop *loop, struct loop_task *task)
{
	struct upstream_pool *pool =
	    (struct upstream_pool *)((char *)task - offsetof(struct upstream_pool, serve));
	unsigned left = pool->queue_count; /* one that fails may come back */
	(void)loop;
	for (; left > 0 && !TAILQ_EMPTY(&pool->queue); left--) {
		struct upstream_call *call = TAILQ_FIRST(&pool->queue);
		enum upstream_failure why;
		const enum upstream_begun begun = call_connect(pool, call, &why);
		if (begun == UPSTREAM_LATER && call->link == NULL)
			return;
		queue_remove(pool, call);
		if (begun == UPSTREAM_READY)
			call->ops->ready(call);
		else if (begun == UPSTREAM_NEVER)
			call->ops->failed(call, why);
	}
	pool_serve(pool);
}

void upstream_call_end(struct upstream_call *call, bool reusable)
{
	struct upstream_link *l = call->link;
	struct upstream_pool *pool = call->pool;
	if (call->waits)
		queue_remove(pool, call);
	if (l == NULL)
		return;
	call->link = NULL;
	call_over(pool, call);
	l->call = NULL;
	if (reusable && l->state == LINK_OPEN && !l->ended && !l->mute && !l->shuts &&
	    buf_len(&l->in) == 0 && buf_len(&l->out) == 0 && pool->idle_max > 0 &&
	    (!l->more || link_alive(l)))
		idle_add(l);
	else
		link_free(l);
}

void pool_link_failed(struct upstream_link *l, enum upstream_failure failure, const char *why)
{
	struct upstream_call *call = l->call;
	struct upstream_pool *pool = l->pool;
	call->link = NULL;
	failure = l->lacks ? UPSTREAM_FAILED_FULL : failure;
	upstream_call_failed(call, failure, why);
	call_over(pool, call);
	link_free(l);
	call->ops->failed(call, failure);
}

/* --- what is known about endpoints ------------------------------------------------------------ */

void upstream_call_works(struct upstream_call *call)
{
	struct upstream_pool *pool = call->pool;
	if (call->chosen)
		call_tell(pool, call, "",
			  upstream_chosen_works(&pool->balance, &call->tried, pool_now(pool)));
}

void upstream_call_failed(struct upstream_call *call, enum upstream_failure failure,
			  const char *why)
{
	struct upstream_pool *pool = call->pool;
	const struct upstream_failure_facts *facts = upstream_failure_facts(failure);
	char line[200];
	struct text t;
	if (facts->tried == IPC_TRIEDS)
		return;
	ipc_slot_add(&upstream_endpoint_use(pool, call->endpoint)->failed[facts->tried], 1);
	text_init(&t, line, sizeof(line));
	text_add_str(&t, facts->text);
	if (why != NULL) {
		text_add_str(&t, ": ");
		text_add_str(&t, why);
	}
	call_judge(pool, call, facts->tried != IPC_TRIED_FULL, line);
}

uint64_t upstream_pause_ms(const struct upstream_pool *pool)
{
	return upstream_choose_wait_ms(&pool->balance, pool_now(pool));
}

void upstream_request(struct upstream_pool *pool)
{
	upstream_budget_earn(&pool->budget, pool->conf->retry_percent);
}

bool upstream_retry(struct upstream_pool *pool)
{
	const bool may = upstream_budget_spend(&pool->budget);
	ipc_slot_add(may ? &upstream_use(pool)->retries : &upstream_use(pool)->retries_refused, 1);
	return may;
}

/* --- its life --------------------------------------------------------------------------------- */

static struct upstream_pools *pools_new(struct http_loop *http, const struct conf_port *port)
{
	struct upstream_pools *pools =
	    calloc(1, sizeof(*pools) + port->upstreams_count * sizeof(pools->pools[0]));
	if (pools == NULL)
		return NULL;
	pools->loop = http->events;
	pools->service = http->upstreams;
	pools->port = port;
	pools->wire.out = (struct buf)BUF_INIT(LINK_OUT_MAX);
	if (http->holdings != NULL)
		holdings_add(http->holdings, &pools->held);
	http->upstreams->pools = pools;
	return pools;
}

/* Its holding is a row of the loop's, which only adds up from here on: so the pools live as long as
 * the loop does. */
static void pools_free(struct upstream_pools *pools)
{
	buf_release(&pools->wire.out);
	while (pools->spare_count > 0)
		buf_release(&pools->spare[--pools->spare_count]);
	pools->service->pools = NULL;
	free(pools);
}

/* A loop's share, at least one, of what a worker has. */
static unsigned pool_share(const struct conf_port *port, uint32_t of_worker)
{
	return (of_worker + port->threads - 1) / (port->threads > 0 ? port->threads : 1);
}

static struct upstream_pool *pool_new(struct upstream_pools *pools, uint32_t index)
{
	const struct conf_upstream *conf = &pools->port->upstreams[index];
	struct upstream_pool *pool =
	    calloc(1, sizeof(*pool) + conf->endpoints_count * sizeof(pool->places[0]));
	if (pool == NULL)
		return NULL;
	*pool = (struct upstream_pool){.pools = pools,
				       .conf = conf,
				       .index = index,
				       .links_max = pool_share(pools->port, conf->connections),
				       .idle_max = pool_share(pools->port, conf->keep),
				       .queue_max = pool_share(pools->port, conf->queue),
				       .serve = {.run = serve_run}};
	TAILQ_INIT(&pool->links);
	TAILQ_INIT(&pool->idle);
	TAILQ_INIT(&pool->queue);
	for (uint32_t i = 0; i < conf->endpoints_count; i++)
		TAILQ_INIT(&pool->places[i].idle);
	pool->budget = upstream_budget_new();
	pool->peers = calloc(conf->endpoints_count + 1, sizeof(*pool->peers));
	if (pool->peers == NULL ||
	    loop_timer_init(pools->loop, &pool->queue_timer, queue_expired) < 0)
		goto fail;
	if (loop_timer_init(pools->loop, &pool->idle_timer, idle_expired) < 0) {
		loop_timer_release(pools->loop, &pool->queue_timer);
		goto fail;
	}
	const struct ipc_healths *health = pools->service->health;
	upstream_balance_init(&pool->balance, conf, &pools->port->endpoints[conf->endpoints_first],
			      health != NULL ? &health->list[conf->endpoints_first] : NULL,
			      pool->peers, (uint32_t)getpid());
	pools->pools[index] = pool;
	pools->users++;
	return pool;
fail:
	free(pool->peers);
	free(pool);
	return NULL;
}

struct upstream_pool *upstream_pool_open(struct http_loop *http, const struct conf_port *port,
					 uint32_t upstream)
{
	struct upstream_pools *pools = http->upstreams->pools;
	if (pools == NULL)
		pools = pools_new(http, port);
	if (pools == NULL)
		return NULL;
	struct upstream_pool *pool = pools->pools[upstream];
	if (pool == NULL)
		pool = pool_new(pools, upstream);
	if (pool != NULL)
		pool->users++;
	else if (pools->users == 0)
		pools_free(pools);
	return pool;
}

void upstream_pool_close(struct upstream_pool *pool)
{
	struct upstream_pools *pools = pool->pools;
	if (--pool->users > 0)
		return;
	while (!TAILQ_EMPTY(&pool->idle))
		idle_close(TAILQ_FIRST(&pool->idle));
	loop_soon_cancel(pools->loop, &pool->serve);
	loop_timer_release(pools->loop, &pool->queue_timer);
	loop_timer_release(pools->loop, &pool->idle_timer);
	free(pool->peers);
	pools->pools[pool->index] = NULL;
	free(pool);
	if (--pools->users == 0)
		pools_free(pools);
}
