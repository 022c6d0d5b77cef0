/*
 * The handler `fault control`, where requests ask for faults. It has its own methods, GET and POST.
 * Runs in the master and in the child of the port. Must never stand beside another fault.
 */
#include "parser.h"

void conf_fault_control(struct conf_parser *p, const struct conf_where *where)
{
	(void)conf_handler_begin(p, CONF_FAULT_CONTROL, NULL, where);
	if (p->location != NULL && p->location->fault_where.line == 0)
		p->location->fault_where = *where;
}

static void fault_control_check(struct conf_parser *p, struct conf_port_draft *port,
				const struct conf_location_draft *draft)
{
	(void)port;
	if (draft->location.faults_count > 0)
		conf_error(p, &draft->fault_where,
			   "a location with `fault control` can have no other fault");
}

static void fault_control_dump(const struct conf_location *location, FILE *out)
{
	(void)location;
	fputs("\t\tfault control\n", out);
}

/* The grammar knows its words: the first one begins every fault. */
const struct conf_kind conf_kind_fault_control = {
    .statement = {.word = "fault control"},
    .check = fault_control_check,
    .dump = fault_control_dump,
};
