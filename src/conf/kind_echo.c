/* The handler echo, which has no options. Runs in the master and in the child of the port. */
#include "parser.h"

static void echo_take(struct conf_parser *p, const struct conf_group *given)
{
	(void)conf_handler_begin(p, CONF_ECHO, NULL, &given->where);
}

static void echo_dump(const struct conf_location *location, FILE *out)
{
	(void)location;
	fputs("\t\techo\n", out);
}

const struct conf_kind conf_kind_echo = {
    .statement = {.word = "echo", .blocks = CONF_HANDLER_BLOCKS, .take = echo_take},
    .methods = CONF_METHODS_ANY,
    .dump = echo_dump,
};
