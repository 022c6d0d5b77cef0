/*
 * Files and paths. Runs in the master. A child parses text without a file, and then nothing here
 * may touch the file system: include is refused and every path is absolute already.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "parser.h"

/* --- paths ------------------------------------------------------------------------------------ */

/* a/b, or only b when a is "" */
static char *join(struct conf_parser *p, const char *a, size_t a_len, const char *b)
{
	size_t b_len = strlen(b);
	char *path = conf_alloc(p, a_len + 1 + b_len + 1);
	if (path == NULL)
		return NULL;
	memcpy(path, a, a_len);
	if (a_len > 0 && a[a_len - 1] != '/')
		path[a_len++] = '/';
	memcpy(path + a_len, b, b_len + 1);
	return path;
}

/* The length of the folder part of a path with its last slash; 0: none. */
static size_t folder_len(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash == NULL ? 0 : (size_t)(slash - path) + 1;
}

static const char *without_dot(const char *path)
{
	while (path[0] == '.' && path[1] == '/') {
		path += 2;
		while (*path == '/')
			path++;
	}
	return path;
}

static const char *working_directory(struct conf_parser *p, const struct conf_where *where)
{
	char here[PATH_MAX];
	if (p->working_directory != NULL)
		return p->working_directory;
	if (getcwd(here, sizeof(here)) == NULL) {
		conf_error(p, where, "cannot find the current directory: %s", strerror(errno));
		return NULL;
	}
	p->working_directory = conf_copy(p, here, strlen(here));
	return p->working_directory;
}

/* The folder in which relative paths of the innermost source start. */
static const char *directory(struct conf_parser *p, const struct conf_where *where)
{
	struct conf_source *source = p->source;
	const char *relative = "";
	size_t len = 0;
	if (source == NULL)
		return working_directory(p, where);
	if (source->directory != NULL)
		return source->directory;
	if (source->is_file) {
		relative = without_dot(source->name);
		len = folder_len(relative);
	} else if (p->options->directory != NULL) {
		relative = without_dot(p->options->directory);
		len = strlen(relative);
	}
	char *own = conf_copy(p, relative, len);
	if (own != NULL && own[0] != '/') {
		const char *base = working_directory(p, where);
		own = base == NULL ? NULL : join(p, base, strlen(base), own);
	}
	if (own == NULL)
		return NULL;
	len = strlen(own);
	while (len > 1 && own[len - 1] == '/')
		own[--len] = '\0';
	source->directory = own;
	return own;
}

char *conf_path(struct conf_parser *p, const char *path, const struct conf_where *where)
{
	char *absolute;
	if (path[0] == '/') {
		absolute = conf_copy(p, path, strlen(path));
	} else {
		const char *base = directory(p, where);
		if (base == NULL)
			return NULL;
		absolute = join(p, base, strlen(base), without_dot(path));
	}
	if (absolute != NULL && strlen(absolute) >= PATH_MAX) {
		conf_error(p, where, "the path is too long");
		return NULL;
	}
	return absolute;
}

/* --- sources ---------------------------------------------------------------------------------- */

struct conf_source *conf_source_push(struct conf_parser *p, const char *name)
{
	struct conf_source *source = conf_alloc(p, sizeof(*source));
	const char *copy = conf_file_name(p, name);
	if (source == NULL || copy == NULL)
		return NULL;
	source->name = copy;
	source->parent = p->source;
	source->blocks_base = p->blocks_count;
	source->cursor = (struct conf_cursor){.at = "", .line = 1};
	source->cursor.end = source->cursor.line_begin = source->cursor.at;
	p->source = source;
	return source;
}

/* The lexer treats NUL bytes as blanks; one message reports the first. */
static void set_text(struct conf_parser *p, struct conf_source *source, const char *text,
		     size_t len)
{
	if (len >= 3 &&
	    memcmp(text, "\xef\xbb\xbf", 3) == 0) { /* the byte order mark of some editors */
		text += 3;
		len -= 3;
	}
	source->cursor.at = source->cursor.line_begin = text;
	source->cursor.end = text + len;
	const char *nul = len > 0 ? memchr(text, '\0', len) : NULL;
	if (nul == NULL)
		return;
	struct conf_where at = {.file = source->name, .line = 1};
	const char *line_begin = text;
	for (const char *c = text; c < nul; c++) {
		if (*c == '\n') {
			at.line++;
			line_begin = c + 1;
		}
	}
	at.column = (unsigned)(nul - line_begin) + 1;
	conf_error(p, &at, "there is a NUL byte in the file: is it text?");
}

void conf_source_text(struct conf_parser *p, const char *text, size_t len, const char *name)
{
	struct conf_source *source = conf_source_push(p, name);
	struct conf_where whole = {.file = source != NULL ? source->name : name};
	if (source == NULL)
		return;
	if (len > CONF_TEXT_MAX)
		conf_error(p, &whole, "the text is larger than %zu MiB", CONF_TEXT_MAX >> 20);
	else
		set_text(p, source, text, len);
}

/* Accepts only regular files: a reload reads them again, and nothing may block. Returns why not, or
 * NULL. */
static const char *cannot_read(int fd, struct stat *ret_status)
{
	struct stat status;
	if (fd < 0 || fstat(fd, &status) < 0)
		return strerror(errno);
	if (S_ISDIR(status.st_mode))
		return "it is a directory";
	if (!S_ISREG(status.st_mode))
		return "it is not a regular file";
	*ret_status = status;
	return NULL;
}

/* Is the file open already, as one that includes this one? */
static const struct conf_source *find_open(const struct conf_source *source,
					   const struct stat *status)
{
	while (source != NULL && !(source->is_file && source->device == status->st_dev &&
				   source->inode == status->st_ino))
		source = source->parent;
	return source;
}

static void load(struct conf_parser *p, struct conf_source *source, int fd,
		 const struct conf_where *where)
{
	struct stat status = {0};
	size_t len = 0;
	const char *why = cannot_read(fd, &status);
	if (why != NULL) {
		conf_error(p, where, "cannot read %s: %s", source->name, why);
		return;
	}
	if (find_open(source->parent, &status) != NULL) {
		conf_error(p, where,
			   "%s includes itself, here or through the files that include "
			   "this one",
			   source->name);
		return;
	}
	int error = fd_read_all(fd, CONF_FILE_MAX, &source->text, &len);
	if (error == -ENOMEM) {
		conf_out_of_memory(p);
	} else if (error == -EFBIG) {
		conf_error(p, where, "%s is larger than 1 MiB", source->name);
	} else if (error < 0) {
		conf_error(p, where, "cannot read %s: %s", source->name, strerror(-error));
	} else if (source->parent != NULL && len > CONF_INCLUDED_MAX - p->included_bytes) {
		conf_error(p, where, "all included files together are larger than %zu MiB",
			   CONF_INCLUDED_MAX >> 20);
		p->stop = true;
	} else {
		p->included_bytes += source->parent != NULL ? len : 0;
		source->device = status.st_dev;
		source->inode = status.st_ino;
		set_text(p, source, source->text, len);
	}
}

static void source_load(struct conf_parser *p, struct conf_source *source,
			const struct conf_where *where)
{
	source->is_file = true;
	int fd = open(source->name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	load(p, source, fd, where);
	fd_close(&fd);
}

void conf_source_open(struct conf_parser *p, const char *name, const struct conf_where *where)
{
	struct conf_source *source = conf_source_push(p, name);
	struct conf_where whole = {.file = source != NULL ? source->name : name};
	if (source != NULL)
		source_load(p, source, where != NULL ? where : &whole);
}

/* As if its include statement named all of them: a failure is reported there, and marks the block
 * of this source. */
void conf_source_next(struct conf_parser *p)
{
	struct conf_source *source = p->source;
	const size_t errors = p->errors_count;
	struct conf_block *block = conf_block_top(p);
	free(source->text);
	const char *name = conf_file_name(p, source->rest[0]);
	*source = (struct conf_source){.parent = source->parent,
				       .name = name != NULL ? name : source->name,
				       .blocks_base = source->blocks_base,
				       .rest = source->rest + 1,
				       .rest_count = source->rest_count - 1,
				       .rest_where = source->rest_where,
				       .cursor = {.at = "", .end = "", .line = 1}};
	source->cursor.end = source->cursor.line_begin = source->cursor.at;
	if (name != NULL)
		source_load(p, source, &source->rest_where);
	if (p->errors_count > errors && block->damaged != NULL)
		*block->damaged = true;
}

void conf_sources_free(struct conf_parser *p)
{
	free(p->scratch);
	p->scratch = NULL;
	while (p->source != NULL) {
		free(p->source->text);
		p->source = p->source->parent;
	}
}

/* --- patterns --------------------------------------------------------------------------------- */

/* The folder of the including file is not part of the pattern, whatever its name. */
static char *pattern_join(struct conf_parser *p, const char *folder, size_t len,
			  const char *pattern)
{
	char *escaped = conf_alloc(p, 2 * len + 1), *to = escaped;
	if (escaped == NULL)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		if (strchr("*?[\\", folder[i]) != NULL)
			*to++ = '\\';
		*to++ = folder[i];
	}
	return join(p, escaped, (size_t)(to - escaped), pattern);
}

static int names_compare(const void *a, const void *b)
{
	const char *const *s = a, *const *t = b;
	return strcmp(*s, *t);
}

/* In a folder that does not exist no file matches. One that cannot be read may have matches: an
 * error. */
static int folder_unreadable(const char *path, int error)
{
	(void)path;
	errno = error;
	return error != ENOENT && error != ENOTDIR;
}

/* Lists the matching files in the order of strcmp(3), in the arena. False: it has reported an
 * error. */
static bool files_match(struct conf_parser *p, const char *pattern, const struct conf_where *at,
			char ***ret_names, size_t *ret_count)
{
	glob_t found = {0};
	char shown[CONF_SHOWN_MAX];
	const struct conf_value value = {.data = pattern, .len = strlen(pattern)};
	int error = glob(pattern, GLOB_NOSORT, folder_unreadable, &found);
	if (error == GLOB_ABORTED)
		conf_error(p, at, "cannot read a folder of %s: %s", conf_show(&value, shown),
			   strerror(errno));
	else if (error == GLOB_NOSPACE)
		conf_out_of_memory(p);
	char **names = error == 0 ? conf_alloc(p, found.gl_pathc * sizeof(*names)) : NULL;
	for (size_t i = 0; names != NULL && i < found.gl_pathc; i++) {
		names[i] = conf_copy(p, found.gl_pathv[i], strlen(found.gl_pathv[i]));
		if (names[i] == NULL)
			names = NULL;
	}
	*ret_count = names != NULL ? found.gl_pathc : 0;
	if (names != NULL)
		qsort(names, *ret_count, sizeof(*names), names_compare);
	*ret_names = names;
	globfree(&found);
	return error == 0 || error == GLOB_NOMATCH;
}

/* Names are shown to people, and must not control their terminals. */
static bool names_plain(struct conf_parser *p, char *const *names, size_t count,
			const struct conf_where *at)
{
	char shown[CONF_SHOWN_MAX];
	for (size_t i = 0; i < count; i++) {
		const char *last = names[i] + folder_len(names[i]);
		const struct conf_value name = {.data = last, .len = strlen(last)};
		for (size_t k = 0; k < name.len; k++) {
			if ((unsigned char)name.data[k] >= 0x20 && name.data[k] != 0x7f)
				continue;
			conf_error(p, at, "cannot include %s: its name has a control character",
				   conf_show(&name, shown));
			return false;
		}
	}
	return true;
}

static bool is_pattern(const char *name)
{
	return strpbrk(name, "*?[") != NULL;
}

/* The value without its meaning as a pattern. NULL: no memory. */
static const char *included_name(struct conf_parser *p, const struct conf_value *value)
{
	const char *folder = p->source->name;
	if (value->data[0] == '/')
		return value->data;
	return join(p, folder, folder_len(folder), without_dot(value->data));
}

static void file_include(struct conf_parser *p, const struct conf_value *value,
			 const struct conf_where *at)
{
	const char *name = included_name(p, value);
	size_t len = value->len;
	struct stat status;
	if (name == NULL)
		return;
	if (stat(name, &status) < 0 || !S_ISDIR(status.st_mode)) {
		conf_source_open(p, name, at);
		return;
	}
	while (len > 1 && value->data[len - 1] == '/')
		len--;
	conf_error(p, at,
		   "cannot read %s: it is a directory; write `include \"%.*s/*.conf\"` for the "
		   "files in it",
		   value->data, (int)len, value->data);
	(void)conf_source_push(p, p->source->name);
}

/* If no file matches, is there one of exactly this name, as x[1].conf is? */
static bool is_name(struct conf_parser *p, const struct conf_value *value)
{
	const char *name = included_name(p, value);
	return name != NULL && access(name, F_OK) == 0;
}

/* It is not a mistake if no file matches: `conf.d` may be empty. */
static void pattern_include(struct conf_parser *p, const struct conf_value *value,
			    const struct conf_where *at)
{
	const char *folder = p->source->name;
	const size_t errors = p->errors_count;
	char **names = NULL;
	size_t count = 0;
	char *pattern = value->data[0] == '/'
			    ? conf_copy(p, value->data, value->len)
			    : pattern_join(p, folder, folder_len(folder), without_dot(value->data));
	if (pattern != NULL &&
	    (!files_match(p, pattern, at, &names, &count) || !names_plain(p, names, count, at)))
		count = 0;
	if (count > 0 && count - 1 > CONF_INCLUDES_MAX - p->includes) {
		conf_error(p, at, "more than %d files are included", CONF_INCLUDES_MAX);
		count = 0;
	}
	if (count == 0 && p->errors_count == errors && is_name(p, value)) {
		file_include(p, value, at);
		return;
	}
	if (count == 0) {
		(void)conf_source_push(p, folder);
		return;
	}
	p->includes += (unsigned)count - 1;
	conf_source_open(p, names[0], at);
	if (p->no_memory)
		return;
	p->source->rest = names + 1;
	p->source->rest_count = count - 1;
	p->source->rest_where = *at;
}

/* --- the statement ---------------------------------------------------------------------------- */

bool conf_depth_check(struct conf_parser *p, const struct conf_where *where)
{
	unsigned depth = 1;
	for (const struct conf_source *s = p->source; s->parent != NULL; s = s->parent)
		depth++;
	if (depth >= CONF_DEPTH_MAX)
		conf_error(p, where, "files and blocks include each other more than %d deep",
			   CONF_DEPTH_MAX);
	return depth < CONF_DEPTH_MAX;
}

static bool may_include(struct conf_parser *p, const struct conf_where *where)
{
	if (!p->source->is_file)
		conf_error(p, where, "include works only in files, and this text is not one");
	else if (!conf_depth_check(p, where))
		return false;
	else if (p->includes++ >= CONF_INCLUDES_MAX)
		conf_error(p, where, "more than %d files are included", CONF_INCLUDES_MAX);
	else
		return true;
	return false;
}

/* A failure leaves an empty source, so that the grammar sees the end of an included file, and marks
 * the block: the statements that it lacks may be in the file. */
void conf_include(struct conf_parser *p, const struct conf_value *value,
		  const struct conf_where *where, const struct conf_where *at)
{
	size_t errors = p->errors_count;
	struct conf_block *block = conf_block_top(p);
	if (!conf_plain(p, "a file name", PATH_MAX - 1, value, at) || !may_include(p, where)) {
		(void)conf_source_push(p, p->source->name);
	} else if (is_pattern(value->data)) {
		pattern_include(p, value, at);
	} else {
		file_include(p, value, at);
	}
	if (p->errors_count > errors && block->damaged != NULL)
		*block->damaged = true;
}

void conf_include_end(struct conf_parser *p)
{
	struct conf_source *source = p->source;
	if (p->stop || source->parent == NULL) /* there was no memory to open it */
		return;
	p->source = source->parent;
	free(source->text);
	source->text = NULL;
}
