/*
 * The filter fault. Runs in the master and in the child of the port. Must never let a port have
 * a fault if the configuration does not say `faults enabled`.
 */
#include <string.h>

#include "base/err.h"
#include "base/text.h"
#include "parser.h"

void conf_fault(struct conf_parser *p, const struct conf_value *kind,
		const struct conf_where *where, const struct conf_where *at)
{
	struct conf_location_draft *draft = p->location;
	struct fault fault;
	struct err err;
	conf_fault_end(p);
	p->fault_shifted = false;
	if (draft == NULL)
		return;
	if (draft->fault_where.line == 0)
		draft->fault_where = *where;
	if (fault_begin(&fault, kind->data, kind->len, &err) < 0) {
		if (!kind->broken)
			conf_error(p, at, "%s", err.text);
		return;
	}
	struct conf_location *location = &draft->location;
	if (location->faults_count == CONF_FAULTS_MAX) {
		conf_error(p, where, "a location has at most %d faults", CONF_FAULTS_MAX);
		return;
	}
	struct fault *faults =
	    conf_grow(p, location->faults, location->faults_count, sizeof(*faults));
	if (faults == NULL)
		return;
	location->faults = faults;
	p->fault = &faults[location->faults_count++];
	p->fault_where = *where;
	*p->fault = fault;
}

void conf_fault_parameter(struct conf_parser *p, const struct conf_value *name,
			  const struct conf_value *value, const struct conf_where *at)
{
	struct err err;
	if (p->fault == NULL || name->broken || value->broken || p->fault_shifted)
		return;
	if (fault_set(p->fault, name->data, name->len, value->data, value->len, &err) >= 0)
		return;
	p->fault_shifted = conf_is_blank_unit(name);
	if (p->fault_shifted)
		conf_error(p, at, "no blank before a unit: write the number and `%s` as one word",
			   name->data);
	else
		conf_error(p, at, "%s", err.text);
}

void conf_fault_end(struct conf_parser *p)
{
	struct err err;
	if (p->fault != NULL && fault_check(p->fault, &err) < 0)
		conf_error(p, &p->fault_where, "%s", err.text);
	p->fault = NULL;
}

static bool leaks_memory(const struct conf_location *location)
{
	for (size_t i = 0; i < location->faults_count; i++)
		if (location->faults[i].kind == FAULT_LEAK_MEMORY)
			return true;
	return false;
}

/* The first fault that only TLS can have; NULL: none. */
static const struct fault_info *fault_of_tls(const struct conf_location *location)
{
	for (size_t i = 0; i < location->faults_count; i++)
		if (fault_info(location->faults[i].kind)->of_tls)
			return fault_info(location->faults[i].kind);
	return NULL;
}

static bool has_fault_of_proxy(const struct conf_location *location)
{
	for (size_t i = 0; i < location->faults_count; i++)
		if (fault_info(location->faults[i].kind)->of_proxy)
			return true;
	return false;
}

static void fault_kind_check(struct conf_parser *p, struct conf_port_draft *port,
			     const struct conf_location_draft *draft)
{
	const struct conf_where *where = &draft->fault_where;
	if (where->line == 0)
		return;
	port->port.faults = true;
	if (!p->tree->conf.faults)
		conf_error(p, where, "`fault` needs `faults enabled` at the top level");
	if (leaks_memory(&draft->location) && port->port.limits.memory_bytes == 0)
		conf_error(p, where,
			   "`fault leak-memory` needs a limit, and `memory 0` means no limit");
	if (draft->location.handler != CONF_PROXY && has_fault_of_proxy(&draft->location))
		conf_error(p, where, "`fault upstream` needs `proxy` in its location");
	const struct fault_info *of_tls = fault_of_tls(&draft->location);
	if (of_tls != NULL && port->port.plain)
		conf_error(p, where, "`fault %s` needs TLS, and this port has `tls off`",
			   of_tls->name);
}

static void fault_kind_dump(const struct conf_location *location, FILE *out)
{
	for (size_t i = 0; i < location->faults_count; i++) {
		char line[512]; /* longer than any description: fuzz_fault checks that */
		struct text t;
		text_init(&t, line, sizeof(line));
		fault_describe(&location->faults[i], &t);
		(void)fprintf(out, "\t\tfault %s\n", line);
	}
}

static uint64_t fault_kind_bytes(const struct conf_location *location)
{
	return location->faults_count * sizeof(*location->faults);
}

/* The grammar knows its words: the names of parameters are in the catalogue of faults. */
const struct conf_kind conf_kind_fault = {
    .statement = {.word = "fault"},
    .check = fault_kind_check,
    .dump = fault_kind_dump,
    .bytes = fault_kind_bytes,
};
