/* Runs in the workers: a fixed response, the same for every request. Must never look at the
 * request. */
#include <string.h>

#include "handler/handlers.h"

struct respond_state {
	size_t given;
};

/* Responds only after the whole request body: a client that writes before it reads would otherwise
 * get its answer too early. */
static void respond_take_end(struct exchange *ex)
{
	const struct respond *r = ex->config;
	exchange_respond(ex, r->status, r->body_len, r->fields, r->fields_count);
}

static long respond_give(struct exchange *ex, uint8_t *out, size_t size)
{
	const struct respond *r = ex->config;
	struct respond_state *s = (void *)ex->state;
	const size_t n = give_copy(out, size, r->body + s->given, r->body_len - s->given);
	s->given += n;
	return (long)n;
}

const struct handler handler_respond = {
    .methods = HTTP_METHOD_BIT(HTTP_GET) | HTTP_METHOD_BIT(HTTP_HEAD),
    .take_end = respond_take_end,
    .give = respond_give,
};

const struct handler handler_respond_any = {
    .methods = UINT32_MAX,
    .take_end = respond_take_end,
    .give = respond_give,
};
