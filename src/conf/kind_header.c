/*
 * The filter header: `header set`, `add` and `remove`, rules for the heads of responses. Runs in
 * the master and in the child of the port. Must never accept a header that the server makes itself.
 */
#include <string.h>
#include <strings.h>

#include "parser.h"

/* Those of respond, and what belongs to one connection or one body. */
static bool header_name_check(struct conf_parser *p, const struct conf_value *name,
			      const struct conf_where *at)
{
	static const char *const made[] = {"Content-Range", "Keep-Alive", "Proxy-Connection",
					   "Trailer", "Upgrade"};
	if (!conf_field_name_check(p, name, at))
		return false;
	for (size_t i = 0; i < CONF_COUNT(made); i++)
		if (strcasecmp(name->data, made[i]) == 0) {
			conf_error(p, at, "the server makes `%s` itself", made[i]);
			return false;
		}
	return true;
}

/* A cache that does not know all that a response depends on gives it to the wrong clients. */
static void vary_tell(struct conf_parser *p, const struct conf_value *name, const char *operation,
		      const struct conf_where *at)
{
	if (strcasecmp(name->data, "Vary") == 0 && strcmp(operation, "set") == 0)
		conf_warning(p, at,
			     "this takes away what the server says in Vary, such as "
			     "Accept-Encoding: write `header add \"Vary\"`");
}

static void header_take(struct conf_parser *p, const struct conf_group *given)
{
	if (given->piece == CONF_HEADER_OPERATION)
		vary_tell(p, &given->values[CONF_HEADER_NAME],
			  given->values[CONF_HEADER_OPERATION].data, &given->at[CONF_HEADER_NAME]);
	conf_header_take(p, CONF_FILTER_HEADER, "header", header_name_check, given);
}

static void header_write(const void *own, const char *indent, FILE *out)
{
	conf_header_write(own, "header", indent, out);
}

static const char *const always_words[] = {"always", NULL};

static const struct conf_statement header_statements[] = {
    {.word = "header",
     .blocks = CONF_FILTER_BLOCKS,
     .token = T_HEADER,
     .take = header_take,
     .pieces = {[CONF_HEADER_OPERATION] = {CONF_CHOICE, .choices = conf_header_operations},
		[CONF_HEADER_NAME] = {CONF_STRING, .noun = "header name"},
		[CONF_HEADER_VALUE] = {CONF_STRING, CONF_MAY, .noun = "header value"},
		[CONF_HEADER_ALWAYS] = {CONF_CHOICE, CONF_MAY, .choices = always_words},
		[CONF_HEADER_ON] = {CONF_NUMBER, CONF_OPTION, "on", .noun = "status",
				    .example = "404"},
		[CONF_HEADER_MORE_ON] = {CONF_NUMBER, CONF_MAY, .noun = "status", .example = "404",
					 .many = true}}},
    {.word = NULL},
};

const struct conf_kind conf_kind_header = {
    .statements = header_statements,
    .inherit = conf_header_inherit,
    .finish = conf_header_finish,
    .write = header_write,
    .size = conf_header_size,
};
