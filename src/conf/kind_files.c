/*
 * The handler files: what is beneath a folder. Runs in the master and in the child of the port.
 * Must never look at the folder itself.
 */
#include <limits.h>
#include <string.h>

#include "parser.h"

#define INDEX_MAX      16  /* of a folder */
#define INDEX_NAME_MAX 255 /* NAME_MAX: bytes of the name of a file */
#define TYPE_MAX       255 /* bytes of a media type */
#define EXTENSION_MAX  64  /* bytes of one */
#define EXTENSIONS_MAX 256 /* of a folder */
#define CACHE_MAX      4096
#define CHARSET_MAX    64

/* The options with what only the configuration needs. */
struct files_draft {
	struct conf_files files;
	struct conf_where path_at;
	struct conf_where *types_at; /* of files.types */
	uint32_t extensions_count;
};

static const char *const default_index[] = {"index.html"};

static void files_take(struct conf_parser *p, const struct conf_group *given)
{
	const struct conf_value *path = &given->values[0];
	struct files_draft *draft = conf_alloc(p, sizeof(*draft));
	if (draft == NULL || !conf_handler_begin(p, CONF_FILES, draft, &given->where))
		return;
	draft->files.index = (const char **)default_index; /* `index` makes an array of its own */
	draft->files.index_count = 1;
	draft->files.charset = "utf-8";
	draft->path_at = given->at[0];
	if (conf_plain(p, "a folder's name", PATH_MAX - 1, path, &given->at[0]))
		draft->files.path = conf_path(p, path->data, &given->at[0]);
}

/* --- options ---------------------------------------------------------------------------------- */

static void index_name_add(struct conf_parser *p, struct conf_files *files,
			   const struct conf_value *name, const struct conf_where *at)
{
	char shown[CONF_SHOWN_MAX];
	const char **names = files->index_count > 0 ? files->index : NULL;
	for (uint32_t i = 0; i < files->index_count; i++)
		if (strcmp(names[i], name->data) == 0) {
			conf_error(p, at, "duplicate index \"%s\" in one statement",
				   conf_show(name, shown));
			return;
		}
	if (files->index_count == INDEX_MAX) {
		conf_error(p, at, "a folder has at most %d index names", INDEX_MAX);
		return;
	}
	names = conf_grow(p, names, files->index_count, sizeof(*names));
	const char *copy = conf_copy(p, name->data, name->len);
	if (names == NULL || copy == NULL)
		return;
	files->index = names;
	names[files->index_count++] = copy;
}

/* The first group replaces the default; each further name is a group of its own. */
static void index_take(struct conf_parser *p, const struct conf_group *given)
{
	struct files_draft *draft = p->kind_options;
	const struct conf_value *name = &given->values[0];
	const bool off = name->part == CONF_PART_ZERO;
	const bool good = off || conf_plain(p, "an index", INDEX_NAME_MAX, name, &given->at[0]);
	if (draft == NULL)
		return;
	if (given->piece == 0)
		draft->files.index_count = 0;
	if (!good || off)
		return;
	if (strchr(name->data, '/') != NULL || strcmp(name->data, ".") == 0 ||
	    strcmp(name->data, "..") == 0)
		conf_error(p, &given->at[0],
			   "an index is the name of a file in each folder, without a `/`; for one "
			   "file in place of all that do not exist write `fallback \"/file\"`");
	else
		index_name_add(p, &draft->files, name, &given->at[0]);
}

static bool has_dot_segment(const char *path)
{
	for (const char *s = path; s != NULL; s = strchr(s + 1, '/')) {
		const size_t len = strcspn(s + 1, "/");
		if ((len == 1 && s[1] == '.') || (len == 2 && s[1] == '.' && s[2] == '.'))
			return true;
	}
	return false;
}

static void fallback_take(struct conf_parser *p, const struct conf_group *given)
{
	struct files_draft *draft = p->kind_options;
	const struct conf_value *path = &given->values[0];
	const struct conf_where *at = &given->at[0];
	if (!conf_plain(p, "a fallback", CONF_LOCATION_PATH_MAX - 1, path, at))
		return;
	if (path->data[0] != '/')
		conf_error(p, at, "a fallback is a path beneath the folder: it begins with `/`");
	else if (path->data[path->len - 1] == '/')
		conf_error(p, at, "a fallback is a file: it does not end with `/`");
	else if (strstr(path->data, "//") != NULL || has_dot_segment(path->data))
		conf_error(p, at, "a fallback has no `//`, and no `.` or `..` in it");
	else if (draft != NULL)
		draft->files.fallback = conf_copy(p, path->data, path->len);
}

static const char *const coding_words[] = {"br", "zstd", "gzip", NULL}; /* enum conf_coding */

static void precompressed_take(struct conf_parser *p, const struct conf_group *given)
{
	struct files_draft *draft = p->kind_options;
	const struct conf_value *word = &given->values[0];
	uint8_t coding = 0;
	if (draft == NULL)
		return;
	struct conf_files *files = &draft->files;
	if (given->piece == 0)
		files->precompressed_count = 0;
	if (word->part == CONF_PART_ZERO)
		return;
	while (coding + 1 < CONF_CODINGS && strcmp(coding_words[coding], word->data) != 0)
		coding++;
	for (uint32_t i = 0; i < files->precompressed_count; i++)
		if (files->precompressed[i] == coding) {
			conf_error(p, &given->at[0], "duplicate `%s` in one statement", word->data);
			return;
		}
	files->precompressed[files->precompressed_count++] = coding;
}

static void cache_take(struct conf_parser *p, const struct conf_group *given)
{
	struct files_draft *draft = p->kind_options;
	const struct conf_value *value = &given->values[0];
	if (value->part == CONF_PART_ZERO)
		return;
	if (value->len == 0 && !value->broken)
		conf_error(p, &given->at[0],
			   "a value of Cache-Control cannot be empty; write `cache off`, or leave "
			   "the statement out");
	else if (conf_plain(p, "a value of Cache-Control", CACHE_MAX, value, &given->at[0]) &&
		 conf_field_check(p, "a value of Cache-Control", value, &given->at[0]) &&
		 draft != NULL)
		draft->files.cache = conf_copy(p, value->data, value->len);
}

/* mime-charset (RFC 2978, 2.3), of the characters that need no quotes. */
static bool is_charset(const char *name)
{
	for (; *name != '\0'; name++)
		if (!((*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
		      (*name >= '0' && *name <= '9') || strchr("!#$%&'+-^_`{}~.:", *name) != NULL))
			return false;
	return true;
}

static void charset_take(struct conf_parser *p, const struct conf_group *given)
{
	struct files_draft *draft = p->kind_options;
	const struct conf_value *name = &given->values[0];
	const bool off = name->part == CONF_PART_ZERO;
	if (!off && !conf_plain(p, "a charset", CHARSET_MAX, name, &given->at[0]))
		return;
	if (!off && !is_charset(name->data))
		conf_error(p, &given->at[0], "a charset is a name such as \"utf-8\"");
	else if (draft != NULL)
		draft->files.charset = off ? NULL : conf_copy(p, name->data, name->len);
}

/* --- types ------------------------------------------------------------------------------------ */

static const struct conf_media_type *extension_find(const struct conf_files *files,
						    const char *extension)
{
	for (uint32_t i = 0; i < files->types_count; i++)
		for (uint32_t k = 0; k < files->types[i].extensions_count; k++)
			if (strcmp(files->types[i].extensions[k], extension) == 0)
				return &files->types[i];
	return NULL;
}

/* In lower case, without the dot; NULL: it was reported. */
static char *extension_make(struct conf_parser *p, const struct conf_value *value,
			    const struct conf_where *at)
{
	if (!conf_plain(p, "an extension", EXTENSION_MAX, value, at))
		return NULL;
	const size_t dot = value->data[0] == '.' ? 1 : 0;
	if (value->len == dot || strpbrk(value->data + dot, "./ *") != NULL) {
		conf_error(p, at,
			   "an extension is what follows the last dot of a name, such as \"html\"");
		return NULL;
	}
	char *extension = conf_copy(p, value->data + dot, value->len - dot);
	for (char *c = extension; c != NULL && *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	return extension;
}

static void extension_add(struct conf_parser *p, struct files_draft *draft,
			  const struct conf_value *value, const struct conf_where *at)
{
	char *extension = extension_make(p, value, at), shown[CONF_SHOWN_MAX];
	if (extension == NULL || draft == NULL || draft->files.types_count == 0)
		return;
	struct conf_media_type *type = &draft->files.types[draft->files.types_count - 1];
	if (extension_find(&draft->files, extension) != NULL) {
		conf_error(p, at, "the extension \"%s\" has a type already",
			   conf_show(value, shown));
		return;
	}
	if (draft->extensions_count++ == EXTENSIONS_MAX) {
		conf_error(p, at, "a folder has at most %d extensions with a type", EXTENSIONS_MAX);
		return;
	}
	const char **extensions =
	    conf_grow(p, type->extensions, type->extensions_count, sizeof(*extensions));
	if (extensions == NULL)
		return;
	type->extensions = extensions;
	extensions[type->extensions_count++] = extension;
}

/* A wrong type is kept, so that its extensions are checked. */
static void type_take(struct conf_parser *p, const struct conf_group *given)
{
	struct files_draft *draft = p->kind_options;
	const struct conf_value *value = &given->values[0];
	if (given->piece > 0) {
		extension_add(p, draft, value, &given->at[0]);
		return;
	}
	if (value->len > TYPE_MAX)
		conf_error(p, &given->at[0], "a type has at most %d bytes", TYPE_MAX);
	else
		(void)conf_type_check(p, value, &given->at[0]);
	if (draft == NULL)
		return;
	struct conf_files *files = &draft->files;
	struct conf_media_type *types =
	    conf_grow(p, files->types, files->types_count, sizeof(*types));
	struct conf_where *types_at =
	    conf_grow(p, draft->types_at, files->types_count, sizeof(*types_at));
	if (types == NULL || types_at == NULL)
		return;
	files->types = types;
	draft->types_at = types_at;
	types_at[files->types_count] = given->where;
	types[files->types_count++] =
	    (struct conf_media_type){.type = conf_copy(p, value->data, value->len)};
}

/* --- when the port is complete ---------------------------------------------------------------- */

/* One type at most is for all files. */
static void types_check(struct conf_parser *p, const struct files_draft *draft)
{
	const struct conf_where *first = NULL;
	char place[CONF_PLACE_MAX];
	for (uint32_t i = 0; i < draft->files.types_count; i++) {
		const struct conf_where *here = &draft->types_at[i];
		if (draft->files.types[i].extensions_count > 0)
			continue;
		if (first != NULL)
			conf_error(p, here,
				   "two types are for all files; the first one is at %s: name the "
				   "extensions, `type \"text/html\" \"html\"`",
				   conf_place(first, here, place));
		else
			first = here;
	}
}

static void files_check(struct conf_parser *p, struct conf_port_draft *port,
			const struct conf_location_draft *location)
{
	struct files_draft *draft =
	    (struct files_draft *)location->location.options; /* made here */
	if (draft == NULL)
		return;
	types_check(p, draft);
	const char *at = location->location.path;
	if (location->location.exact && at != NULL && at[0] != '\0' && at[strlen(at) - 1] != '/')
		conf_warning(p, &location->location.where,
			     "this path is that of the folder, which clients are sent to with a "
			     "slash at its end, and an exact location does not cover that: leave "
			     "`exact` out");
	if (draft->files.path == NULL)
		return;
	const uint32_t number =
	    conf_paths_add(p, &port->roots, &port->port.roots, &port->port.roots_count,
			   CONF_ROOTS_MAX, "folders of files", draft->files.path, &draft->path_at);
	draft->files.root = number > 0 ? number - 1 : 0;
}

static void types_dump(const struct conf_files *files, FILE *out)
{
	for (uint32_t i = 0; i < files->types_count; i++) {
		conf_put(out, "\t\t\ttype ", files->types[i].type);
		for (uint32_t k = 0; k < files->types[i].extensions_count; k++)
			conf_put(out, " ", files->types[i].extensions[k]);
		fputc('\n', out);
	}
}

/* A value, or `off`. */
static void text_dump(const char *word, const char *text, FILE *out)
{
	(void)fprintf(out, "\t\t\t%s", word);
	if (text != NULL)
		conf_put(out, " ", text);
	else
		fputs(" off", out);
	fputc('\n', out);
}

static void files_dump(const struct conf_location *location, FILE *out)
{
	const struct conf_files *files = location->options;
	conf_put(out, "\t\tfiles ", files->path);
	fputs(" {\n\t\t\tindex", out);
	for (uint32_t i = 0; i < files->index_count; i++)
		conf_put(out, " ", files->index[i]);
	(void)fprintf(out, "%s\n\t\t\tlisting %s\n", files->index_count == 0 ? " off" : "",
		      files->listing ? "on" : "off");
	if (files->fallback != NULL)
		text_dump("fallback", files->fallback, out);
	fputs("\t\t\tprecompressed", out);
	for (uint32_t i = 0; i < files->precompressed_count; i++)
		(void)fprintf(out, " %s", coding_words[files->precompressed[i]]);
	fputs(files->precompressed_count == 0 ? " off\n" : "\n", out);
	text_dump("cache", files->cache, out);
	(void)fprintf(out, "\t\t\thidden %s\n\t\t\tsymlinks %s\n\t\t\tkeep %s\n",
		      files->hidden ? "serve" : "deny", files->no_symlinks ? "none" : "beneath",
		      files->unkept ? "off" : "on");
	types_dump(files, out);
	text_dump("charset", files->charset, out);
	fputs("\t\t}\n", out);
}

static uint64_t files_bytes(const struct conf_location *location)
{
	const struct conf_files *files = location->options;
	uint64_t sum = sizeof(struct files_draft) + (files->path != NULL ? strlen(files->path) : 0);
	for (uint32_t i = 0; i < files->index_count; i++)
		sum += sizeof(char *) + strlen(files->index[i]);
	for (uint32_t i = 0; i < files->types_count; i++) {
		sum += sizeof(*files->types) + strlen(files->types[i].type);
		for (uint32_t k = 0; k < files->types[i].extensions_count; k++)
			sum += sizeof(char *) + strlen(files->types[i].extensions[k]);
	}
	return sum + (files->fallback != NULL ? strlen(files->fallback) : 0) +
	       (files->cache != NULL ? strlen(files->cache) : 0);
}

/* --- the tables ------------------------------------------------------------------------------- */

#define MEMBER(member)                                 \
	.offset = offsetof(struct conf_files, member), \
	.size = sizeof(((struct conf_files *)0)->member)
#define OPTIONS .blocks = CONF_BLOCK_OPTIONS

static const char *const listing_words[] = {"off", "on", NULL};
static const char *const hidden_words[] = {"deny", "serve", NULL};
static const char *const keep_words[] = {"on", "off", NULL};
static const char *const symlinks_words[] = {"beneath", "none", NULL};

static const struct conf_statement files_options[] = {
    {.word = "index",
     OPTIONS,
     .take = index_take,
     .pieces = {{CONF_STRING, .noun = "file name", .zero = "off"},
		{CONF_STRING, CONF_MAY, .noun = "file name", .many = true}}},
    {.word = "listing",
     OPTIONS,
     .pieces = {{CONF_CHOICE, .choices = listing_words, MEMBER(listing)}}},
    {.word = "fallback", OPTIONS, .take = fallback_take, .pieces = {{CONF_STRING, .noun = "path"}}},
    {.word = "precompressed",
     OPTIONS,
     .take = precompressed_take,
     .pieces = {{CONF_CHOICE, .choices = coding_words, .zero = "off"},
		{CONF_CHOICE, CONF_MAY, .choices = coding_words, .many = true}}},
    {.word = "cache",
     OPTIONS,
     .take = cache_take,
     .pieces = {{CONF_STRING, .noun = "value of Cache-Control", .zero = "off"}}},
    {.word = "hidden", OPTIONS, .pieces = {{CONF_CHOICE, .choices = hidden_words, MEMBER(hidden)}}},
    {.word = "symlinks",
     OPTIONS,
     .pieces = {{CONF_CHOICE, .choices = symlinks_words, MEMBER(no_symlinks)}}},
    {.word = "keep", OPTIONS, .pieces = {{CONF_CHOICE, .choices = keep_words, MEMBER(unkept)}}},
    {.word = "type",
     OPTIONS,
     .repeats = true,
     .take = type_take,
     .pieces = {{CONF_STRING, .noun = "media type"},
		{CONF_STRING, CONF_MAY, .noun = "extension", .many = true}}},
    {.word = "charset",
     OPTIONS,
     .take = charset_take,
     .pieces = {{CONF_STRING, .noun = "charset", .zero = "off"}}},
    {.word = NULL},
};

const struct conf_kind conf_kind_files = {
    .statement =
	{
	    .word = "files",
	    .blocks = CONF_HANDLER_BLOCKS,
	    .has_options = true,
	    .take = files_take,
	    .pieces = {{CONF_STRING, .noun = "folder"}},
	},
    .options = files_options,
    .methods = CONF_METHOD_BIT(CONF_GET) | CONF_METHOD_BIT(CONF_HEAD),
    .no_others = true,
    .check = files_check,
    .dump = files_dump,
    .bytes = files_bytes,
};
