/* The form of paths, and the files and folders that a port's processes are handed, each once. Runs
 * in the master and in the child of the port. Must never number them in another order than the
 * canonical text has them. */
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

/* The slot of the path: a number, or the free one that it belongs into. text: that of a number. */
static uint32_t *slot_find(const struct conf_paths *paths, const char *path,
			   const char *(*text)(const void *list, size_t), const void *list)
{
	size_t at = path_hash(path) & (paths->size - 1);
	while (paths->slots[at] != 0 && strcmp(text(list, paths->slots[at] - 1), path) != 0)
		at = (at + 1) & (paths->size - 1);
	return &paths->slots[at];
}

static const char *text_of_path(const void *list, size_t i)
{
	const struct conf_path *paths = list;
	return paths[i].path;
}

static const char *text_of_name(const void *list, size_t i)
{
	char *const *names = list;
	return names[i];
}

uint32_t conf_paths_add(struct conf_parser *p, struct conf_paths *paths, struct conf_path **list,
			size_t *count, size_t most, const char *what, const char *path,
			const struct conf_where *where)
{
	if (paths->slots == NULL && !slots_init(p, paths, most))
		return 0;
	uint32_t *slot = slot_find(paths, path, text_of_path, *list);
	if (*slot != 0)
		return *slot;
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
	*slot = (uint32_t)*count;
	return *slot;
}

/* The main file, and those that are included. */
#define NAMES_MAX (CONF_INCLUDES_MAX + 1)

/* A child reads one text alone, and needs no table. */
static uint32_t *name_find(struct conf_parser *p, const char *name)
{
	struct conf_paths *names = &p->names;
	struct conf *conf = &p->tree->conf;
	if (names->slots == NULL) {
		if (!slots_init(p, names, NAMES_MAX))
			return NULL;
		for (size_t i = 0; i < conf->files_count; i++)
			*slot_find(names, conf->files[i], text_of_name, conf->files) =
			    (uint32_t)i + 1;
	}
	return slot_find(names, name, text_of_name, conf->files);
}

const char *conf_file_name(struct conf_parser *p, const char *name)
{
	struct conf *conf = &p->tree->conf;
	uint32_t first = 0, *slot = conf->files_count > 0 ? name_find(p, name) : &first;
	if (slot != NULL && *slot != 0)
		return conf->files[*slot - 1];
	char **files = conf_grow(p, conf->files, conf->files_count, sizeof(*files));
	char *copy = conf_copy(p, name, strlen(name));
	if (slot == NULL || files == NULL || copy == NULL)
		return NULL;
	conf->files = files;
	files[conf->files_count++] = copy;
	*slot = (uint32_t)conf->files_count;
	return copy;
}

/* --- paths of requests ------------------------------------------------------------------------ */

static bool has_dot_segment(const char *path)
{
	for (const char *s = path; s != NULL; s = strchr(s + 1, '/')) {
		size_t len = strcspn(s + 1, "/");
		if ((len == 1 && s[1] == '.') || (len == 2 && s[1] == '.' && s[2] == '.'))
			return true;
	}
	return false;
}

bool conf_path_check(struct conf_parser *p, const char *what, const struct conf_value *path,
		     const struct conf_where *at)
{
	if (!conf_plain(p, what, CONF_LOCATION_PATH_MAX, path, at))
		return false;
	if (path->data[0] != '/')
		conf_error(p, at, "%s begins with `/`", what);
	else if (strpbrk(path->data, "?#") != NULL)
		conf_error(p, at, "%s has no query or fragment: no `?`, no `#`", what);
	else if (strstr(path->data, "//") != NULL)
		conf_error(p, at, "%s has no `//`", what);
	else if (has_dot_segment(path->data))
		conf_error(p, at, "%s has no `.` or `..` in it", what);
	else
		return true;
	return false;
}
