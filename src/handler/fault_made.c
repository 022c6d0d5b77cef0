/*
 * Runs in the workers of ports that have faults: the responses that faults generate. Must never
 * respond before the request is complete: a client that writes before it reads would not see the
 * response.
 */
#include <string.h>

#include "base/text.h"
#include "fault_run.h"

static const struct http_header fields[] = {
    HTTP_HEADER("Content-Type", "application/octet-stream")};

static void made_take_end(struct exchange *ex)
{
	const struct fault_run *run = ex->config;
	exchange_respond(ex, 200, run->fault.bytes, fields, 1);
}

/* How many bytes of a drip should have been sent by now. */
static uint64_t drip_due(struct fault_run *run)
{
	struct loop *loop = run->faults->loop;
	uint64_t due = (loop->now_ms - run->begun_ms) * run->fault.rate / 1000 + 1;
	if (due > run->given)
		return due - run->given;
	run->waiting = true;
	loop_timer_set(loop, &run->timer,
		       run->begun_ms + (run->given * 1000 + run->fault.rate - 1) / run->fault.rate);
	return 0;
}

static long made_give(struct exchange *ex, uint8_t *out, size_t size)
{
	struct fault_run *run = (struct fault_run *)(uintptr_t)ex->config;
	if (run->fault.kind == FAULT_DRIP) {
		uint64_t due = drip_due(run);
		if (due == 0)
			return GIVE_LATER;
		if (size > due)
			size = (size_t)due;
	}
	memset(out, 'x', size);
	return (long)size;
}

const struct handler handler_made = {
    .methods = UINT32_MAX,
    .take_end = made_take_end,
    .give = made_give,
};

size_t fault_malformed(const struct fault *f, uint64_t draw, const char *id,
		       char out[FAULT_MALFORMED_MAX])
{
	struct text t;
	text_init(&t, out, FAULT_MALFORMED_MAX);
	switch ((enum fault_malformed)f->how) {
	case FAULT_STATUS_LINE:
		text_addf(&t, "HTTP/1.1 2OO OK\r\nFault-Id: %s\r\nContent-Length: 0\r\n\r\n", id);
		break;
	case FAULT_HEADER:
		text_addf(&t,
			  "HTTP/1.1 200 OK\r\nFault-Id: %s\r\nno field\r\n: empty\r\n"
			  "Content-Length: 0\r\n\r\n",
			  id);
		break;
	case FAULT_LENGTH:
		text_addf(&t,
			  "HTTP/1.1 200 OK\r\nFault-Id: %s\r\nContent-Length: 5\r\n"
			  "Content-Length: 7\r\n\r\nfault\n",
			  id);
		break;
	case FAULT_CHUNK:
		text_addf(&t,
			  "HTTP/1.1 200 OK\r\nFault-Id: %s\r\nTransfer-Encoding: chunked\r\n\r\n"
			  "5\r\nfault\r\nfault\r\n0\r\n\r\n",
			  id);
		break;
	case FAULT_GARBAGE:
		for (uint32_t i = 0; i < 8; i++) {
			uint64_t bytes = fault_draw(draw, i, 0);
			text_add(&t, &bytes, sizeof(bytes));
		}
		break;
	}
	return t.len;
}
