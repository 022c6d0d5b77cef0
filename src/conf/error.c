/*
 * `error`: what the bodies of responses with a status say. Runs in the master and in the child of
 * the port. Must never let two of them be for the same status in one place.
 */
#include <string.h>

#include "parser.h"

#define STATUS_MIN 400
#define STATUS_MAX 599

/* The errors of the innermost block: of its location, its host or the port. */
static struct conf_error **errors_here(struct conf_parser *p, size_t **ret_count)
{
	static struct conf_error *none;
	static size_t no_count;
	const enum conf_block_kind kind = conf_block_top(p)->kind;
	if (kind == CONF_BLOCK_LOCATION && p->location == NULL) { /* no memory */
		no_count = 0;
		*ret_count = &no_count;
		return &none;
	}
	if (kind == CONF_BLOCK_LOCATION) {
		*ret_count = &p->location->location.errors_count;
		return &p->location->location.errors;
	}
	if (kind == CONF_BLOCK_HOST) {
		*ret_count = &p->host->host.errors_count;
		return &p->host->host.errors;
	}
	*ret_count = &p->port->port.errors_count;
	return &p->port->port.errors;
}

static const struct conf_where *status_find(const struct conf_error *errors, size_t count,
					    uint32_t status)
{
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < errors[i].statuses_count; k++)
			if (errors[i].statuses[k] == status)
				return &errors[i].where;
	return NULL;
}

void conf_error_begin(struct conf_parser *p, const struct conf_value *value,
		      const struct conf_where *where, const struct conf_where *at)
{
	p->error = conf_alloc(p, sizeof(*p->error));
	if (p->error == NULL)
		return;
	p->error->where = *where;
	conf_error_status(p, value, at);
}

void conf_error_status(struct conf_parser *p, const struct conf_value *value,
		       const struct conf_where *at)
{
	struct conf_error *error = p->error;
	char place[CONF_PLACE_MAX];
	uint64_t status = 0;
	size_t *count;
	if (error == NULL ||
	    !conf_quantity(p, "status", CONF_NUMBER, STATUS_MIN, STATUS_MAX, value, at, &status))
		return;
	const struct conf_error *errors = *errors_here(p, &count);
	const struct conf_where *first = status_find(errors, *count, (uint32_t)status);
	if (first == NULL)
		first = status_find(error, 1, (uint32_t)status);
	if (first != NULL) {
		conf_error(p, at, "duplicate `error %u`; the first one is at %s", (unsigned)status,
			   conf_place(first, at, place));
		return;
	}
	uint32_t *statuses =
	    conf_grow(p, error->statuses, error->statuses_count, sizeof(*statuses));
	if (statuses == NULL)
		return;
	error->statuses = statuses;
	statuses[error->statuses_count++] = (uint32_t)status;
}

void conf_error_open(struct conf_parser *p, const struct conf_where *where)
{
	size_t *count;
	struct conf_error **errors = errors_here(p, &count);
	struct conf_error *grown =
	    p->error != NULL ? conf_grow(p, *errors, *count, sizeof(*grown)) : NULL;
	struct conf_block *block = conf_block_push(p, CONF_BLOCK_ERROR, where);
	block->damaged = &p->error_damaged;
	block->statements = conf_error_statements;
	p->error_damaged = false;
	if (grown == NULL)
		return; /* p->stop: no statement follows */
	grown[*count] = *p->error;
	*errors = grown;
	p->error = &grown[(*count)++];
}

void conf_error_close(struct conf_parser *p)
{
	const struct conf_respond *respond = p->error != NULL ? p->error->respond : NULL;
	if (p->error != NULL && !p->error_damaged &&
	    (respond == NULL || !conf_respond_has_body(respond)))
		conf_error(p, &conf_block_top(p)->where,
			   "the error block has no body: write `respond \"text\"` or `respond file "
			   "\"file\"` in it");
	p->error = NULL;
	conf_block_close(p);
}

/* --- when the port is complete ---------------------------------------------------------------- */

void conf_errors_finish(struct conf_parser *p, struct conf_port_draft *port,
			struct conf_error *errors, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (errors[i].respond != NULL)
			conf_respond_finish(p, port, errors[i].respond);
}

void conf_errors_dump(const struct conf_error *errors, size_t count, const char *indent, FILE *out)
{
	for (size_t i = 0; i < count; i++) {
		(void)fprintf(out, "%serror", indent);
		for (size_t k = 0; k < errors[i].statuses_count; k++)
			(void)fprintf(out, " %u", errors[i].statuses[k]);
		(void)fprintf(out, " {\n%s\trespond", indent);
		conf_respond_dump(errors[i].respond, out);
		(void)fprintf(out, "%s}\n", indent);
	}
}

uint64_t conf_errors_bytes(const struct conf_error *errors, size_t count)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < count; i++)
		sum += sizeof(*errors) + sizeof(struct conf_respond) +
		       errors[i].statuses_count * sizeof(uint32_t) +
		       (errors[i].respond != NULL ? conf_respond_bytes(errors[i].respond) : 0);
	return sum;
}
