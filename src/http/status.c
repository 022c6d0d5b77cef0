/*
 * Runs in the workers: the protocol's own responses (errors, OPTIONS), as a handler like any other.
 * Must never show bytes from the client.
 */
#include <string.h>

#include "base/text.h"
#include "internal.h"

struct status_state {
	unsigned status;
	unsigned fields_len;
	uint64_t sent;
	char fields[112]; /* Content-Type, and Allow with every method: 27 + 71 */
};

_Static_assert(sizeof(struct status_state) <= HANDLER_STATE_MAX, "the state has its place");

#define BODY_MAX 192

/* The body: "404 Not Found\n", on some ports followed by "bare-lf: a line ends in LF without
 * CR\n". */
static size_t status_body(const struct exchange *ex, char out[BODY_MAX])
{
	const struct status_state *s = (const void *)ex->state;
	const struct http_refusal_facts *why = http_refusal_facts(ex->refusal);
	struct text t;
	text_init(&t, out, BODY_MAX);
	text_add_uint(&t, s->status);
	text_add_char(&t, ' ');
	text_add_str(&t, http_reason(s->status));
	text_add_char(&t, '\n');
	if (ex->refusal == REFUSE_NOT || !ex->loop->explains ||
	    s->status == 408) /* a timeout needs no explanation */
		return t.len;
	text_add_str(&t, why->word);
	text_add_str(&t, ": ");
	text_add_str(&t, why->text);
	text_add_char(&t, '\n');
	return t.len;
}

void status_respond_now(struct exchange *ex)
{
	const struct status_state *s = (const void *)ex->state;
	char body[BODY_MAX];
	exchange_respond(ex, s->status, status_body(ex, body), s->fields, s->fields_len);
}

static long status_give(struct exchange *ex, uint8_t *out, size_t size)
{
	struct status_state *s = (void *)ex->state;
	char body[BODY_MAX];
	size_t n = status_body(ex, body) - s->sent;
	if (n > size)
		n = size;
	memcpy(out, body + s->sent, n);
	s->sent += n;
	return (long)n;
}

static const struct handler handler_status = {
    .name = "status",
    .take_end = status_respond_now,
    .give = status_give,
};

static void allow_add(struct text *t, uint32_t allowed)
{
	const char *separator = "Allow: ";
	for (unsigned m = 0; m < HTTP_METHODS; m++) {
		if ((allowed & HTTP_METHOD_BIT(m)) == 0)
			continue;
		text_add_str(t, separator);
		text_add_str(t, http_method_name((enum http_method)m));
		separator = ", ";
	}
	text_add_str(t, "\r\n");
}

void status_serve(struct exchange *ex, unsigned status, uint32_t allowed)
{
	struct status_state *s = (void *)ex->state;
	struct text t;

	ex->handler = &handler_status;
	memset(ex->state, 0, sizeof(ex->state));
	s->status = status;
	text_init(&t, s->fields, sizeof(s->fields));
	if (status != 204)
		text_add_str(&t, "Content-Type: text/plain\r\n");
	if (allowed != 0)
		allow_add(&t, allowed);
	s->fields_len = (unsigned)t.len;
}
