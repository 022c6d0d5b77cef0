/*
 * Runs in the workers of ports that have faults, on client bytes: requests for faults, and the list
 * of faults. Must never do what the catalogue does not allow.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "conf/conf.h"
#include "filter/fault.h"
#include "handler/handlers.h"

struct control_state {
	struct buf answer;
};

_Static_assert(sizeof(struct control_state) <= HANDLER_STATE_MAX, "the state has its place");

#define NOSNIFF HTTP_HEADER("X-Content-Type-Options", "nosniff")
static const struct http_header text_fields[] = {
    HTTP_HEADER("Content-Type", "text/plain; charset=utf-8"), NOSNIFF};
static const struct http_header json_fields[] = {HTTP_HEADER("Content-Type", "application/json"),
						 NOSNIFF};

/* The response if the fault leaves one. */
static const char done_body[] = "This was the fault.\n";
static const struct respond done_response = {
    .status = 200,
    .fields = text_fields,
    .fields_count = 2,
    .body = done_body,
    .body_len = sizeof(done_body) - 1,
};
static const struct respond spared_response = {
    .status = 200,
    .fields = text_fields,
    .fields_count = 2,
    .body = "no fault\n",
    .body_len = 9,
};

static const struct http_location done = {.handler = &handler_respond_any,
					  .config = &done_response};
static const struct http_location spared = {.handler = &handler_respond_any,
					    .config = &spared_response};

/* --- state per loop --------------------------------------------------------------------------- */

struct control_local {
	struct fault_local *faults; /* of those that were asked for */
	uint64_t asked;             /* draws made for them */
};

static int control_open(struct http_loop *http, const void *config, void **ret)
{
	struct control_local *local = calloc(1, sizeof(*local));
	(void)config;
	if (local == NULL)
		return -ENOMEM;
	const int error = fault_local_open(http, 0, &local->faults);
	if (error < 0)
		free(local);
	else
		*ret = local;
	return error;
}

static void control_close(void *arg)
{
	struct control_local *local = arg;
	fault_local_close(local->faults);
	free(local);
}

/* --- what the port can have ------------------------------------------------------------------- */

/* Those of an upstream are for the requests of its location. */
static bool is_possible(const struct fault_services *services, enum fault_kind kind)
{
	const struct fault_info *info = fault_info(kind);
	return (!services->plain || !info->of_tls) && !info->of_proxy;
}

/* The first kind after this one that the port can have; FAULT_KINDS: no more. before: -1 at first.
 */
static unsigned kind_next(const struct fault_services *services, int before)
{
	unsigned k = (unsigned)(before + 1);
	while (k < FAULT_KINDS && !is_possible(services, (enum fault_kind)k))
		k++;
	return k;
}

/* --- the list -------------------------------------------------------------------------------- */

static void json_add_parameter(struct jsonout *j, const struct fault_parameter *p)
{
	char allowed[256];
	struct text t;
	text_init(&t, allowed, sizeof(allowed));
	fault_allowed_describe(p, &t);
	jsonout_add(j, "{\"name\":");
	jsonout_add_text(j, p->name);
	jsonout_add(j, ",\"default\":");
	jsonout_add_text(j, p->preset);
	jsonout_add(j, ",\"allowed\":");
	jsonout_add_text(j, allowed);
	if (p->choices != NULL) {
		jsonout_add(j, ",\"choices\":[");
		for (size_t i = 0; p->choices[i] != NULL; i++) {
			jsonout_add(j, i > 0 ? "," : "");
			jsonout_add_text(j, p->choices[i]);
		}
		jsonout_add(j, "]");
	}
	jsonout_add(j, "}");
}

static void example_describe(struct text *t, const struct fault_control *c,
			     const struct fault_info *info)
{
	text_add(t, c->path, c->path_len > 1 ? c->path_len : 0);
	text_addf(t, "/%s?%s", info->name, info->example);
}

static void json_add_list(struct jsonout *j, const struct fault_control *c,
			  const struct fault_services *services)
{
	jsonout_add(j, "{\"faults\":[");
	for (unsigned k = kind_next(services, -1); k < FAULT_KINDS;
	     k = kind_next(services, (int)k)) {
		const struct fault_info *info = fault_info((enum fault_kind)k);
		const struct fault_parameter *p;
		char example[FAULT_CONTROL_PATH_MAX + 128];
		struct text t;
		text_init(&t, example, sizeof(example));
		example_describe(&t, c, info);
		jsonout_add(j, k > 0 ? ",{\"kind\":" : "{\"kind\":");
		jsonout_add_text(j, info->name);
		jsonout_add(j, ",\"effect\":");
		jsonout_add_text(j, info->effect);
		jsonout_add(j, ",\"parameters\":[");
		for (size_t i = 0; (p = fault_parameter((enum fault_kind)k, i)) != NULL; i++) {
			jsonout_add(j, i > 0 ? "," : "");
			json_add_parameter(j, p);
		}
		jsonout_add(j, "],\"example\":");
		jsonout_add_string(j, example, t.len);
		jsonout_add(j, "}");
	}
	jsonout_add(j, "]}\n");
}

static void text_add_list(struct jsonout *j, const struct fault_control *c,
			  const struct fault_services *services)
{
	for (unsigned k = kind_next(services, -1); k < FAULT_KINDS;
	     k = kind_next(services, (int)k)) {
		const struct fault_info *info = fault_info((enum fault_kind)k);
		const struct fault_parameter *p;
		char entry[FAULT_CONTROL_PATH_MAX + 2048];
		struct text t;
		text_init(&t, entry, sizeof(entry));
		text_addf(&t, "%s%s: %s.\n", k > 0 ? "\n" : "", info->name, info->effect);
		for (size_t i = 0; (p = fault_parameter((enum fault_kind)k, i)) != NULL; i++) {
			text_addf(&t, "    %-13s", p->name);
			fault_allowed_describe(p, &t);
			text_addf(&t, " (%s)\n", p->preset);
		}
		text_add_str(&t, "    e.g. GET ");
		example_describe(&t, c, info);
		text_add_char(&t, '\n');
		jsonout_add(j, entry);
	}
}

static bool contains(const char *s, size_t len, const char *word)
{
	return len > 0 && memmem(s, len, word, strlen(word)) != NULL;
}

static bool wants_json(const struct http_request *r)
{
	const struct http_field *accept = http_request_field(r, "accept");
	if (contains(http_slice_at(r, r->query), r->query.len, "format=json"))
		return true;
	return accept != NULL &&
	       contains(http_slice_at(r, accept->value), accept->value.len, "application/json");
}

/* --- requests for faults ---------------------------------------------------------------------- */

static void answer(struct exchange *ex, unsigned status, bool is_json, bool failed)
{
	const struct control_state *s = (void *)ex->state;
	const struct http_header *fields = is_json ? json_fields : text_fields;
	if (failed)
		exchange_respond(ex, 500, 0, NULL, 0);
	else
		exchange_respond(ex, status, buf_len(&s->answer), fields, 2);
}

static void list(struct exchange *ex)
{
	struct control_state *s = (void *)ex->state;
	const struct control_local *local = exchange_local(ex);
	const struct fault_services *services = local->faults->services;
	struct jsonout j = {.out = &s->answer};
	bool is_json = wants_json(&ex->request);
	if (is_json)
		json_add_list(&j, ex->config, services);
	else
		text_add_list(&j, ex->config, services);
	answer(ex, 200, is_json, j.failed);
}

static void control_refuse(struct exchange *ex, unsigned status, const char *why)
{
	struct control_state *s = (void *)ex->state;
	struct jsonout j = {.out = &s->answer};
	jsonout_add(&j, why);
	jsonout_add(&j, "\n");
	answer(ex, status, false, j.failed);
}

static void ask(struct exchange *ex, const char *kind, size_t len)
{
	struct control_local *local = exchange_local(ex);
	const struct fault_services *services = local->faults->services;
	const struct http_request *r = &ex->request;
	struct fault fault;
	struct err err;
	int error =
	    fault_parse_query(&fault, kind, len, http_slice_at(r, r->query), r->query.len, &err);
	if (error == 0 && fault.kind == FAULT_LEAK_MEMORY && !services->memory_limited) {
		err_set(&err, "the port has no `limits { memory }` for memory to leak up to");
		error = -EINVAL;
	}
	if (error == 0 && !is_possible(services, fault.kind)) {
		if (fault_info(fault.kind)->of_proxy)
			err_set(&err, "fault %s belongs to the location with `proxy`",
				fault_info(fault.kind)->name);
		else
			err_set(&err, "fault %s needs TLS, and the port has `tls off`",
				fault_info(fault.kind)->name);
		error = -EINVAL;
	}
	if (error < 0) {
		control_refuse(ex, error == -ENOENT ? 404 : 400, err.text);
		return;
	}
	uint64_t draw = fault_draw(fault.seed, services->number, local->asked++);
	if (fault_strikes(&fault, draw))
		fault_strike(ex, local->faults, &fault, draw, &done);
	else
		exchange_hand_on(ex, &spared);
}

static void control_begin(struct exchange *ex)
{
	struct control_state *s = (void *)ex->state;
	const struct http_path *path = &ex->path;
	size_t from = path->matched;
	s->answer.max = HANDLER_ANSWER_MAX;
	while (from < path->len && path->text[from] == '/')
		from++;
	if (from >= path->len)
		list(ex);
	else
		ask(ex, path->text + from, path->len - from);
}

static long control_give(struct exchange *ex, uint8_t *out, size_t size)
{
	struct control_state *s = (void *)ex->state;
	const size_t n = give_copy(out, size, buf_head(&s->answer), buf_len(&s->answer));
	buf_consume(&s->answer, n);
	return (long)n;
}

static void control_end(struct exchange *ex)
{
	struct control_state *s = (void *)ex->state;
	buf_release(&s->answer);
}

const struct handler handler_fault_control = {
    .methods = HTTP_METHOD_BIT(HTTP_GET) | HTTP_METHOD_BIT(HTTP_POST),
    .open = control_open,
    .close = control_close,
    .begin = control_begin,
    .give = control_give,
    .end = control_end,
};

static void *control_make(const struct conf_location *location, const struct handler_means *means)
{
	(void)means;
	struct fault_control *control = malloc(sizeof(*control));
	if (control != NULL)
		*control = (struct fault_control){.path = location->path,
						  .path_len = strlen(location->path)};
	return control;
}

const struct handler_kind handler_kind_fault_control = {.handler = &handler_fault_control,
							.make = control_make};
