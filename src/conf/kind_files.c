/* The handler files: what is beneath a folder. Runs in the master and in the child of the port.
 * Must never look at the folder itself. */
#include <string.h>

#include "parser.h"

#define ROOT_PATH_MAX 4095 /* PATH_MAX (limits.h) without its terminator */

/* The number of a folder among those of the port, which has each path once. */
static uint32_t root_number(struct conf_parser *p, char *path, const struct conf_where *at)
{
	struct conf_port *port = &p->port->port;
	for (size_t i = 0; i < port->roots_count; i++)
		if (strcmp(port->roots[i].path, path) == 0)
			return (uint32_t)i;
	if (port->roots_count == CONF_ROOTS_MAX) {
		conf_error(p, at, "a port has at most %d folders of files", CONF_ROOTS_MAX);
		return 0;
	}
	struct conf_path *roots = conf_grow(p, port->roots, port->roots_count, sizeof(*roots));
	if (roots == NULL)
		return 0;
	port->roots = roots;
	roots[port->roots_count] = (struct conf_path){.path = path, .where = *at};
	return (uint32_t)port->roots_count++;
}

static void files_take(struct conf_parser *p, const struct conf_group *given)
{
	static const char *indexes[] = {"index.html"};
	const struct conf_value *path = &given->values[0];
	struct conf_files *files = conf_alloc(p, sizeof(*files));
	if (files == NULL || !conf_handler_begin(p, CONF_FILES, files, &given->where) ||
	    !conf_plain(p, "a folder", ROOT_PATH_MAX, path, &given->at[0]))
		return;
	char *absolute = conf_path(p, path->data, &given->at[0]);
	if (absolute == NULL)
		return;
	*files = (struct conf_files){.root = root_number(p, absolute, &given->at[0]),
				     .path = absolute,
				     .index = indexes,
				     .index_count = 1,
				     .charset = "utf-8"};
}

static void files_dump(const struct conf_location *location, FILE *out)
{
	const struct conf_files *files = location->options;
	conf_put(out, "\t\tfiles ", files->path);
	fputc('\n', out);
}

static uint64_t files_bytes(const struct conf_location *location)
{
	const struct conf_files *files = location->options;
	return files->path != NULL ? strlen(files->path) : 0;
}

const struct conf_kind conf_kind_files = {
    .statement =
	{
	    .word = "files",
	    .blocks = CONF_HANDLER_BLOCKS,
	    .take = files_take,
	    .pieces = {{CONF_PATH, .noun = "folder", .example = "\"/srv/www\""}},
	},
    .methods = CONF_METHOD_BIT(CONF_GET) | CONF_METHOD_BIT(CONF_HEAD),
    .dump = files_dump,
    .bytes = files_bytes,
};
