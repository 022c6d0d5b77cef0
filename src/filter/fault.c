/*
 * Runs in the workers of ports that have faults: the rules, and the runs of those that strike. Must
 * never strike a request that its location has no rule for, nor let a run outlive its loop.
 */
#include "filter/fault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "fault_run.h"
#include "filter/kinds.h"

#define SOON_MS       1  /* the next turn of the loop: this turn sends the output first */
#define AGAIN_MS      10 /* between two checks whether the kernel has taken the output */
#define TARGET_SHOWN  256
#define NEVER         UINT64_MAX
#define FAULT_ID_NAME "Fault-Id"

int fault_local_open(struct http_loop *http, size_t rules, struct fault_local **ret)
{
	struct fault_local *f = calloc(1, sizeof(*f));
	uint64_t *counts = calloc(rules + 1, sizeof(*counts));
	if (f == NULL || counts == NULL) {
		free(f);
		free(counts);
		return -ENOMEM;
	}
	f->services = http->faults;
	f->loop = http->events;
	f->counts = counts;
	LIST_INIT(&f->runs);
	*ret = f;
	return 0;
}

static void run_free(struct fault_run *run)
{
	loop_timer_release(run->local->loop, &run->timer);
	LIST_REMOVE(run, link);
	free(run);
}

void fault_local_close(void *local)
{
	struct fault_local *f = local;
	struct fault_run *next;
	for (struct fault_run *run = LIST_FIRST(&f->runs); run != NULL; run = next) {
		next = LIST_NEXT(run, link);
		run_free(run);
	}
	free(f->counts);
	free(f);
}

/* --- the moment ------------------------------------------------------------------------------ */

/* After how many bytes of the response body the fault strikes. */
static uint64_t moment_of(const struct fault_run *run)
{
	const struct fault *f = &run->fault;
	if (f->kind == FAULT_TRUNCATE)
		return f->after;
	if (run->struck || f->when == FAULT_AFTER)
		return NEVER;
	if (f->when == FAULT_AFTER_HEAD)
		return 0;
	return run->ex->length == HTTP_LENGTH_UNKNOWN ? 1 : run->ex->length / 2;
}

static void run_wait(struct fault_run *run, uint64_t ms)
{
	struct loop *loop = run->local->loop;
	run->waiting = true;
	loop_timer_set(loop, &run->timer, loop->now_ms + ms);
}

static void strike(struct fault_run *run)
{
	run->struck = true;
	if (run->fault.kind == FAULT_RESET)
		run->local->services->ops->reset(run->connection);
	else if (run->fault.kind == FAULT_TRUNCATE)
		run->broken = true;
	else
		fault_act(&run->fault);
}

static void run_due(struct loop *loop, struct loop_timer *timer)
{
	struct fault_run *run =
	    (struct fault_run *)((char *)timer - offsetof(struct fault_run, timer));
	const struct fault_services *f = run->local->services;
	(void)loop;
	run->waiting = false;
	if (!run->struck) {
		enum fault_flushed flushed = f->ops->flushed(f->owner, run->connection);
		if (flushed == FAULT_WAITING) {
			run_wait(run, AGAIN_MS);
			return;
		}
		if (flushed == FAULT_FLUSHED || run->fault.kind != FAULT_RESET)
			strike(run);
	}
	if (run->ex == NULL)
		run_free(run);
	else if (run->delayed)
		filter_continue(run->ex);
	else
		exchange_wake(run->ex);
}

/* --- a struck exchange ------------------------------------------------------------------------ */

static void run_head(struct exchange *ex, struct filter_use *use)
{
	struct fault_run *run = use->state;
	run->moment = moment_of(run);
	run->begun_ms = run->local->loop->now_ms;
	(void)exchange_add_field(ex, FAULT_ID_NAME, sizeof(FAULT_ID_NAME) - 1, ex->id,
				 strlen(ex->id));
}

/* A slow upstream: the bytes are taken from it as they are due. */
static bool is_paced(const struct fault *f)
{
	return f->kind == FAULT_DRIP || (f->kind == FAULT_UPSTREAM && f->how == FAULT_BY_DRIP);
}

/* How many bytes of a drip should have been sent by now. */
static uint64_t drip_due(struct fault_run *run)
{
	struct loop *loop = run->local->loop;
	uint64_t due = (loop->now_ms - run->begun_ms) * run->fault.rate / 1000 + 1;
	if (due > run->given)
		return due - run->given;
	run->waiting = true;
	loop_timer_set(loop, &run->timer,
		       run->begun_ms + (run->given * 1000 + run->fault.rate - 1) / run->fault.rate);
	return 0;
}

static long run_give(struct exchange *ex, struct filter_use *use, uint8_t *out, size_t size)
{
	struct fault_run *run = use->state;
	if (run->broken)
		return GIVE_FAIL;
	if (run->waiting)
		return GIVE_LATER;
	if (!run->struck && run->given >= run->moment) {
		run_wait(run, SOON_MS);
		return GIVE_LATER;
	}
	if (!run->struck && size > run->moment - run->given)
		size = (size_t)(run->moment - run->given);
	if (is_paced(&run->fault)) {
		const uint64_t due = drip_due(run);
		if (due == 0)
			return GIVE_LATER;
		if (size > due)
			size = (size_t)due;
	}
	const long n = filter_give_next(ex, use, out, size);
	if (n > 0)
		run->given += (uint64_t)n;
	return n;
}

/* The exchange ends. A fault that strikes at the end of the response or after it waits until the
 * kernel has taken the output. */
static void run_end(struct exchange *ex, struct filter_use *use)
{
	struct fault_run *run = use->state;
	(void)ex;
	if (run == NULL)
		return;
	run->ex = NULL;
	if (!run->struck)
		run_wait(run, SOON_MS);
	else
		run_free(run);
}

/* --- the beginning --------------------------------------------------------------------------- */

static void run_log(const struct fault_run *run)
{
	const struct http_request *r = &run->ex->request;
	const struct fault_services *f = run->local->services;
	char line[1024];
	struct text t;
	text_init(&t, line, sizeof(line));
	text_addf(&t, "fault %s: ", run->ex->id);
	fault_describe(&run->fault, &t);
	text_addf(&t, " for %s ", http_method_name(r->method));
	text_add_escaped(&t, http_slice_at(r, r->target),
			 r->target.len < TARGET_SHOWN ? r->target.len : TARGET_SHOWN);
	f->ops->log(f->owner, line);
}

static struct fault_run *run_new(struct exchange *ex, struct fault_local *local,
				 const struct fault *fault)
{
	struct fault_run *run = calloc(1, sizeof(*run));
	if (run == NULL || loop_timer_init(local->loop, &run->timer, run_due) < 0) {
		free(run);
		return NULL;
	}
	run->local = local;
	run->ex = ex;
	run->connection = ex->connection;
	run->fault = *fault;
	LIST_INSERT_HEAD(&local->runs, run, link);
	return run;
}

/* Serves a response made by the fault instead of the location's, or none. */
static enum filter_verdict run_replace(struct fault_run *run, const struct handler *handler)
{
	run->location = (struct http_location){.handler = handler, .config = &run->fault};
	run->ex->location = &run->location;
	return FILTER_ANSWERS;
}

static enum filter_verdict malformed_say(struct fault_run *run, uint64_t draw)
{
	char bytes[FAULT_MALFORMED_MAX];
	size_t len = fault_malformed(&run->fault, draw, run->ex->id, bytes);
	run->local->services->ops->say(run->connection, bytes, len);
	return run_replace(run, &fault_silent);
}

static enum filter_verdict reset_say(struct fault_run *run)
{
	run->struck = run->fault.when == FAULT_BEFORE;
	if (!run->struck)
		return FILTER_PASSES;
	run->local->services->ops->reset(run->connection);
	return run_replace(run, &fault_silent);
}

/* Carries out what comes before the handler begins, and decides whether the fault strikes later. */
static enum filter_verdict run_begin(struct fault_run *run, uint64_t draw)
{
	const struct fault *f = &run->fault;
	const struct fault_services *services = run->local->services;
	const uint64_t delay_ms = f->kind == FAULT_DELAY ? fault_delay_ms(f, draw) : 0;
	run_log(run);
	run->struck = true;
	switch (f->kind) {
	case FAULT_CRASH:
	case FAULT_ABORT:
	case FAULT_EXIT:
	case FAULT_STOP:
	case FAULT_HANG:
		run->struck = f->when == FAULT_BEFORE;
		if (run->struck)
			fault_act(f);
		break;
	case FAULT_VIOLATION:
		fault_act(f);
		break;
	case FAULT_RESET:
		return reset_say(run);
	case FAULT_TRUNCATE:
		run->struck = false;
		return run_replace(run, &fault_made);
	case FAULT_DRIP:
	case FAULT_STATUS:
		return run_replace(run, &fault_made);
	case FAULT_DELAY:
		run->delayed = true;
		run_wait(run, delay_ms);
		exchange_allow(run->ex, delay_ms);
		return FILTER_WAITS;
	case FAULT_MALFORMED:
		return malformed_say(run, draw);
	case FAULT_UPSTREAM:
		run->ex->upstream_fault = f;
		break;
	case FAULT_LEAK_MEMORY:
	case FAULT_LEAK_DESCRIPTORS:
	case FAULT_HANDSHAKE:
	case FAULT_CERTIFICATE:
	case FAULT_KEYHOLDER:
		services->ops->arm(services->owner, f);
		break;
	case FAULT_KINDS:
		break;
	}
	return FILTER_PASSES;
}

void fault_strike(struct exchange *ex, struct fault_local *local, const struct fault *fault,
		  uint64_t draw, const struct http_location *location)
{
	struct filter_use *use = filter_add(ex, &filter_fault, local);
	struct fault_run *run = use != NULL ? run_new(ex, local, fault) : NULL;
	if (run == NULL) {
		if (use != NULL)
			use->filter = NULL; /* it leaves */
		exchange_hand_on(ex, location);
		return;
	}
	use->state = run;
	ex->location = location;
	filter_apply(ex, run_begin(run, draw));
}

/* --- rules ----------------------------------------------------------------------------------- */

static int rules_open(struct http_loop *http, const void *config, void **ret)
{
	const struct fault_rules *rules = config;
	struct fault_local *local;
	const int error = fault_local_open(http, rules->count, &local);
	if (error == 0)
		*ret = local;
	return error;
}

static enum filter_verdict rules_begin(struct exchange *ex, struct filter_use *use)
{
	const struct fault_rules *rules = use->config;
	struct fault_local *local = use->local;
	for (size_t i = 0; i < rules->count; i++) {
		const struct fault *fault = &rules->list[i];
		uint64_t draw =
		    fault_draw(fault->seed, local->services->number, local->counts[i]++);
		if (!fault_strikes(fault, draw))
			continue;
		struct fault_run *run = run_new(ex, local, fault);
		if (run == NULL)
			return FILTER_LEAVES;
		use->state = run;
		return run_begin(run, draw);
	}
	return FILTER_LEAVES;
}

/* The options of faults are their location. */
static void *rules_make(const void *options, const struct filter_means *means)
{
	const struct conf_location *location = options;
	struct fault_rules *rules = malloc(sizeof(*rules));
	(void)means;
	if (rules != NULL)
		*rules = (struct fault_rules){location->faults, location->faults_count};
	return rules;
}

const struct filter_kind filter_kind_fault = {.filter = &filter_fault, .make = rules_make};

const struct filter filter_fault = {
    .open = rules_open,
    .close = fault_local_close,
    .begin = rules_begin,
    .head = run_head,
    .give = run_give,
    .end = run_end,
};
