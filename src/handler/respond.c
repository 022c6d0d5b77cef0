/* Runs in the workers: a fixed response, the same for every request. Must never look at the
 * request. */
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
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
    .methods = HTTP_METHODS_KNOWN,
    .take_end = respond_take_end,
    .give = respond_give,
};

static struct http_header respond_header(const char *name, const char *value)
{
	return (struct http_header){name, value, (uint32_t)strlen(name), (uint32_t)strlen(value)};
}

/* The fields come after it; the texts are the configuration's, or the means'. */
struct respond *respond_new(const struct conf_respond *conf, const struct handler_means *means)
{
	struct respond *r = malloc(sizeof(*r) + (conf->headers_count + 1) * sizeof(*r->fields));
	struct http_header *fields = r != NULL ? (struct http_header *)(r + 1) : NULL;
	struct handler_body body = {conf->body, conf->body_len, NULL};
	size_t count = 0;
	if (r == NULL)
		return NULL;
	if (conf->file > 0)
		body = means->bodies[conf->file - 1];
	if (conf->type != NULL)
		body.type = conf->type;
	if (body.len > 0 && body.type != NULL)
		fields[count++] = respond_header("Content-Type", body.type);
	for (size_t i = 0; i < conf->headers_count; i++)
		fields[count++] = respond_header(conf->headers[i].name, conf->headers[i].value);
	*r = (struct respond){.status = conf->status,
			      .fields = fields,
			      .fields_count = count,
			      .body = body.data,
			      .body_len = body.len};
	return r;
}

static void *respond_make(const struct conf_location *location, const struct handler_means *means)
{
	return respond_new(location->options, means);
}

const struct handler_kind handler_kind_respond = {.handler = &handler_respond,
						  .make = respond_make};
