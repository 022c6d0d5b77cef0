/*
 * Files and paths. Runs in the master. A child parses text without a file, and then nothing here
 * must ever touch the file system: include is refused there and every path is absolute already.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "parser.h"

/* --- paths ------------------------------------------------------------------------------------ */

/* a/b, or b alone when a is "" */
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

/* The length of the folder's part of a path, its last slash included; 0: none. */
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
		conf_error(p, where, "cannot tell the current directory: %s", strerror(errno));
		return NULL;
	}
	p->working_directory = conf_copy(p, here, strlen(here));
	return p->working_directory;
}

/* What relative paths in the innermost source are relative to. */
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

/* The name as struct conf_where points to it: one copy, however often the file is opened. */
static const char *file_name(struct conf_parser *p, const char *name)
{
	struct conf *conf = &p->tree->conf;
	for (size_t i = 0; i < conf->files_count; i++)
		if (strcmp(conf->files[i], name) == 0)
			return conf->files[i];
	char **files = conf_grow(p, conf->files, conf->files_count, sizeof(*files));
	char *copy = conf_copy(p, name, strlen(name));
	if (files == NULL || copy == NULL)
		return NULL;
	conf->files = files;
	files[conf->files_count++] = copy;
	return copy;
}

static struct conf_source *push(struct conf_parser *p, const char *name)
{
	struct conf_source *source = conf_alloc(p, sizeof(*source));
	const char *copy = file_name(p, name);
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

/* NUL bytes are blanks to the lexer; one message tells of the first. */
static void set_text(struct conf_parser *p, struct conf_source *source, const char *text,
		     size_t len)
{
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) { /* the mark of some editors */
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
	struct conf_source *source = push(p, name);
	struct conf_where whole = {.file = source != NULL ? source->name : name};
	if (source == NULL)
		return;
	if (len > CONF_TEXT_MAX)
		conf_error(p, &whole, "the text is larger than %zu MiB", CONF_TEXT_MAX >> 20);
	else
		set_text(p, source, text, len);
}

/* Only regular files: a reload reads it again, and nothing may block. Why not, or NULL. */
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

/* Is the file open already, further out? */
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

void conf_source_open(struct conf_parser *p, const char *name, const struct conf_where *where)
{
	struct conf_source *source = push(p, name);
	struct conf_where whole = {.file = source != NULL ? source->name : name};
	if (source == NULL)
		return;
	source->is_file = true;
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	load(p, source, fd, where != NULL ? where : &whole);
	fd_close(&fd);
}

void conf_sources_free(struct conf_parser *p)
{
	while (p->source != NULL) {
		free(p->source->text);
		p->source = p->source->parent;
	}
}

/* --- the statement ---------------------------------------------------------------------------- */

static bool may_include(struct conf_parser *p, const struct conf_where *where)
{
	unsigned depth = 1;
	for (const struct conf_source *s = p->source; s->parent != NULL; s = s->parent)
		depth++;
	if (!p->source->is_file)
		conf_error(p, where, "include works in files only, and this text is none");
	else if (depth >= CONF_DEPTH_MAX)
		conf_error(p, where, "files include each other more than %d deep", CONF_DEPTH_MAX);
	else if (p->includes++ >= CONF_INCLUDES_MAX)
		conf_error(p, where, "more than %d files are included", CONF_INCLUDES_MAX);
	else
		return true;
	return false;
}

/* A failure leaves an empty source behind, so that the grammar sees an included file end, and
 * marks the block: what it misses may be in the file. */
void conf_include(struct conf_parser *p, const struct conf_value *value,
		  const struct conf_where *where, const struct conf_where *at)
{
	size_t errors = p->errors_count;
	struct conf_block *block = conf_block_top(p);
	if (!conf_plain(p, "a file name", PATH_MAX - 1, value, at) || !may_include(p, where)) {
		(void)push(p, p->source->name);
	} else {
		const char *folder = p->source->name;
		char *name = value->data[0] == '/'
				 ? conf_copy(p, value->data, value->len)
				 : join(p, folder, folder_len(folder), without_dot(value->data));
		if (name != NULL)
			conf_source_open(p, name, at);
	}
	if (p->errors_count > errors && block->damaged != NULL)
		*block->damaged = true;
}

void conf_include_end(struct conf_parser *p)
{
	struct conf_source *source = p->source;
	if (p->stop || source->parent == NULL) /* its opening failed for lack of memory */
		return;
	p->source = source->parent;
	free(source->text);
	source->text = NULL;
}
