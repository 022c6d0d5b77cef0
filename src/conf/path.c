/* The files and folders that a port's processes are handed, each once. Runs in the master and in
 * the child of the port. Must never number them in another order than the canonical text has them.
 */
#include <string.h>

#include "parser.h"

static size_t path_hash(const char *path)
{
	uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
	for (; *path != '\0'; path++)
		hash = (hash ^ (unsigned char)*path) * UINT64_C(1099511628211);
	return (size_t)(hash ^ hash >> 32);
}

/* At least half of the slots stay free. */
static bool slots_init(struct conf_parser *p, struct conf_paths *paths, size_t most)
{
	size_t size = 16;
	while (size < 2 * most)
		size *= 2;
	paths->slots = conf_alloc(p, size * sizeof(*paths->slots));
	paths->size = size;
	return paths->slots != NULL;
}

uint32_t conf_paths_add(struct conf_parser *p, struct conf_paths *paths, struct conf_path **list,
			size_t *count, size_t most, const char *what, const char *path,
			const struct conf_where *where)
{
	if (paths->slots == NULL && !slots_init(p, paths, most))
		return 0;
	size_t at = path_hash(path) & (paths->size - 1);
	while (paths->slots[at] != 0 && strcmp((*list)[paths->slots[at] - 1].path, path) != 0)
		at = (at + 1) & (paths->size - 1);
	if (paths->slots[at] != 0)
		return paths->slots[at];
	if (*count == most) {
		conf_error(p, where, "a port has at most %zu %s", most, what);
		return 0;
	}
	struct conf_path *grown = conf_grow(p, *list, *count, sizeof(*grown));
	char *copy = conf_copy(p, path, strlen(path));
	if (grown == NULL || copy == NULL)
		return 0;
	*list = grown;
	grown[(*count)++] = (struct conf_path){.path = copy, .where = *where};
	paths->slots[at] = (uint32_t)*count;
	return paths->slots[at];
}
