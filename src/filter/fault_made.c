/*
 * Runs in the workers of ports that have faults: the responses that faults generate. Must never
 * respond before the request is complete: a client that writes before it reads would not see the
 * response.
 */
#include <string.h>

#include "base/text.h"
#include "fault_run.h"

static const char status_body[] = "fault\n";

struct made_state {
	size_t given;
};

static void made_take_end(struct exchange *ex)
{
	static const struct http_header text[] = {HTTP_HEADER("Content-Type", "text/plain")};
	static const struct http_header bytes[] = {
	    HTTP_HEADER("Content-Type", "application/octet-stream")};
	const struct fault *f = ex->config;
	if (f->kind == FAULT_STATUS)
		exchange_respond(ex, (unsigned)f->code, sizeof(status_body) - 1, text, 1);
	else
		exchange_respond(ex, 200, f->bytes, bytes, 1);
}

static long made_give(struct exchange *ex, uint8_t *out, size_t size)
{
	const struct fault *f = ex->config;
	struct made_state *s = (void *)ex->state;
	if (f->kind != FAULT_STATUS) {
		memset(out, 'x', size);
		return (long)size;
	}
	const size_t n =
	    give_copy(out, size, status_body + s->given, sizeof(status_body) - 1 - s->given);
	s->given += n;
	return (long)n;
}

const struct handler fault_made = {
    .methods = UINT32_MAX,
    .take_end = made_take_end,
    .give = made_give,
};
const struct handler fault_silent = {.methods = UINT32_MAX};

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
