/*
 * Runs in the workers of ports that have faults: the rules, and the runs of those that strike. Must
 * never strike a request that its location has no rule for, nor let a run outlive its loop.
 */
#include "handler/fault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "fault_run.h"

#define SOON_MS       1  /* the next turn of the loop: this turn sends the output first */
#define AGAIN_MS      10 /* between two checks whether the kernel has taken the output */
#define TARGET_SHOWN  256
#define NEVER         UINT64_MAX
#define FAULT_ID_NAME "Fault-Id"

static const struct handler handler_struck;
/* For requests that get no response at all. */
static const struct handler handler_nothing = {.methods = UINT32_MAX};

int fault_loop_init(struct fault_loop *f, size_t rules)
{
	LIST_INIT(&f->runs);
	f->counts = calloc(rules + 1, sizeof(*f->counts));
	return f->counts != NULL ? 0 : -ENOMEM;
}

static void run_free(struct fault_run *run)
{
	loop_timer_release(run->faults->loop, &run->timer);
	LIST_REMOVE(run, link);
	free(run);
}

void fault_loop_release(struct fault_loop *f)
{
	struct fault_run *next;
	for (struct fault_run *run = LIST_FIRST(&f->runs); run != NULL; run = next) {
		next = LIST_NEXT(run, link);
		run_free(run);
	}
	free(f->counts);
}

/* --- calling the own handler ------------------------------------------------------------------ */

static struct fault_run *run_of(struct exchange *ex)
{
	return (struct fault_run *)(uintptr_t)ex->config;
}

static struct fault_run *own_enter(struct exchange *ex)
{
	struct fault_run *run = run_of(ex);
	ex->handler = run->own.handler;
	ex->config = run->own.config;
	return run;
}

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

/* The response begins: adds Fault-Id to its head. */
static void head_mark(struct fault_run *run)
{
	struct exchange *ex = run->ex;
	run->moment = moment_of(run);
	run->begun_ms = run->faults->loop->now_ms;
	run->marked = true;
	(void)exchange_add_field(ex, FAULT_ID_NAME, sizeof(FAULT_ID_NAME) - 1, ex->id,
				 strlen(ex->id));
}

static void own_leave(struct fault_run *run)
{
	struct exchange *ex = run->ex;
	run->own = (struct http_location){.handler = ex->handler, .config = ex->config};
	ex->handler = &handler_struck;
	ex->config = run;
	if (ex->responding && !run->marked)
		head_mark(run);
}

/* Lets the own handler begin, and ends the request for it if that has ended already. */
static void own_begin(struct fault_run *run)
{
	struct exchange *ex = run->ex;
	const struct http_location own = run->own;
	run->begun = true;
	(void)own_enter(ex);
	exchange_hand_on(ex, &own);
	if (run->request_over && ex->handler->take_end != NULL)
		ex->handler->take_end(ex);
	own_leave(run);
}

/* --- the moment ------------------------------------------------------------------------------ */

static void run_wait(struct fault_run *run, uint64_t ms)
{
	struct loop *loop = run->faults->loop;
	run->waiting = true;
	loop_timer_set(loop, &run->timer, loop->now_ms + ms);
}

static void strike(struct fault_run *run)
{
	run->struck = true;
	if (run->fault.kind == FAULT_RESET)
		run->faults->ops->reset(run->connection);
	else if (run->fault.kind == FAULT_TRUNCATE)
		run->broken = true;
	else
		fault_act(&run->fault);
}

static void run_due(struct loop *loop, struct loop_timer *timer)
{
	struct fault_run *run =
	    (struct fault_run *)((char *)timer - offsetof(struct fault_run, timer));
	const struct fault_loop *f = run->faults;
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
	if (run->ex == NULL) {
		run_free(run);
		return;
	}
	if (!run->begun)
		own_begin(run);
	exchange_wake(run->ex);
}

/* --- the handler of a struck exchange --------------------------------------------------------- */

static size_t struck_take(struct exchange *ex, const uint8_t *data, size_t len)
{
	struct fault_run *run = run_of(ex);
	if (!run->begun)
		return 0;
	(void)own_enter(ex);
	size_t taken = ex->handler->take != NULL ? ex->handler->take(ex, data, len) : len;
	own_leave(run);
	return taken;
}

static void struck_take_end(struct exchange *ex)
{
	struct fault_run *run = run_of(ex);
	run->request_over = true;
	if (!run->begun)
		return;
	(void)own_enter(ex);
	if (ex->handler->take_end != NULL)
		ex->handler->take_end(ex);
	own_leave(run);
}

static long struck_give(struct exchange *ex, uint8_t *out, size_t size)
{
	struct fault_run *run = run_of(ex);
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
	(void)own_enter(ex);
	long n = ex->handler->give(ex, out, size);
	own_leave(run);
	if (n > 0)
		run->given += (uint64_t)n;
	return n;
}

/* The exchange ends. A fault that strikes at the end of the response or after it waits until the
 * kernel has taken the output. */
static void struck_end(struct exchange *ex)
{
	struct fault_run *run = own_enter(ex);
	if (run->begun && ex->handler->end != NULL)
		ex->handler->end(ex);
	run->ex = NULL;
	if (!run->struck)
		run_wait(run, SOON_MS);
	else
		run_free(run);
}

static const struct handler handler_struck = {
    .take = struck_take,
    .take_end = struck_take_end,
    .give = struck_give,
    .end = struck_end,
};

/* --- the beginning --------------------------------------------------------------------------- */

static void run_log(const struct fault_run *run)
{
	const struct http_request *r = &run->ex->request;
	const struct fault_loop *f = run->faults;
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

static struct fault_run *run_new(struct exchange *ex, const struct fault *fault,
				 const struct http_location *own)
{
	struct fault_loop *f = ex->loop->faults;
	struct fault_run *run = calloc(1, sizeof(*run));
	if (run == NULL || loop_timer_init(f->loop, &run->timer, run_due) < 0) {
		free(run);
		return NULL;
	}
	run->faults = f;
	run->ex = ex;
	run->connection = ex->connection;
	run->fault = *fault;
	run->own = *own;
	LIST_INSERT_HEAD(&f->runs, run, link);
	return run;
}

/* Serves a response made by the fault instead of the location's. */
static void own_replace(struct fault_run *run, const struct handler *handler, const void *config)
{
	run->own = (struct http_location){.handler = handler, .config = config};
}

static void status_replace(struct fault_run *run)
{
	static const struct http_header fields[] = {HTTP_HEADER("Content-Type", "text/plain")};
	static const char body[] = "fault\n";
	run->respond = (struct respond){.status = (unsigned)run->fault.code,
					.fields = fields,
					.fields_count = 1,
					.body = body,
					.body_len = sizeof(body) - 1};
	own_replace(run, &handler_respond_any, &run->respond);
}

static void malformed_say(struct fault_run *run, uint64_t draw)
{
	char bytes[FAULT_MALFORMED_MAX];
	size_t len = fault_malformed(&run->fault, draw, run->ex->id, bytes);
	run->faults->ops->say(run->connection, bytes, len);
	own_replace(run, &handler_nothing, NULL);
}

/* Carries out what comes before the own handler begins, and decides whether the fault strikes
 * later. */
static void run_prepare(struct fault_run *run, uint64_t draw)
{
	const struct fault *f = &run->fault;
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
		run->struck = f->when == FAULT_BEFORE;
		if (!run->struck)
			break;
		run->faults->ops->reset(run->connection);
		own_replace(run, &handler_nothing, NULL);
		break;
	case FAULT_TRUNCATE:
		run->struck = false;
		own_replace(run, &handler_made, run);
		break;
	case FAULT_DRIP:
		own_replace(run, &handler_made, run);
		break;
	case FAULT_DELAY:
		run_wait(run, fault_delay_ms(f, draw));
		break;
	case FAULT_STATUS:
		status_replace(run);
		break;
	case FAULT_MALFORMED:
		malformed_say(run, draw);
		break;
	case FAULT_LEAK_MEMORY:
	case FAULT_LEAK_DESCRIPTORS:
	case FAULT_HANDSHAKE:
	case FAULT_CERTIFICATE:
	case FAULT_KEYHOLDER:
		run->faults->ops->arm(run->faults->owner, f);
		break;
	case FAULT_KINDS:
		break;
	}
}

void fault_run_begin(struct exchange *ex, const struct fault *fault, uint64_t draw,
		     const struct http_location *own)
{
	struct fault_run *run = run_new(ex, fault, own);
	if (run == NULL) {
		exchange_hand_on(ex, own);
		return;
	}
	run_log(run);
	ex->handler = &handler_struck;
	ex->config = run;
	run_prepare(run, draw);
	if (!run->waiting)
		own_begin(run);
}

/* --- rules ----------------------------------------------------------------------------------- */

static void fault_begin_exchange(struct exchange *ex)
{
	const struct fault_rules *rules = ex->config;
	struct fault_loop *f = ex->loop->faults;
	for (size_t i = 0; i < rules->count; i++) {
		const struct fault *fault = &rules->list[i];
		uint64_t draw = fault_draw(fault->seed, f->number, f->counts[rules->first + i]++);
		if (!fault_strikes(fault, draw))
			continue;
		fault_run_begin(ex, fault, draw, &rules->own);
		return;
	}
	exchange_hand_on(ex, &rules->own);
}

const struct handler handler_fault = {
    .methods = UINT32_MAX,
    .begin = fault_begin_exchange,
};
