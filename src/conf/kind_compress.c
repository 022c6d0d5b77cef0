/*
 * The filter compress: which responses are compressed, in which codings. Runs in the master and in
 * the child of the port. Must never let a type seem to be compressed that no response can have.
 */
#include <string.h>
#include <strings.h>

#include "base/media_type.h"
#include "parser.h"

#define TYPES_MAX 64  /* of a place */
#define TYPE_MAX  127 /* bytes of one */

/* The options with what only the configuration needs. */
struct compress_draft {
	struct conf_compress compress; /* first */
	bool types_given;
	unsigned levels_given; /* bits */
};

#define WORD(constant, word, least, most, preset) [COMPRESSION_##constant] = (word),
static const char *const coding_words[COMPRESSIONS_COUNT + 1] = {COMPRESSIONS(WORD)};
#undef WORD

/* What is smaller when it is compressed: not pictures, sound, films and archives, nor WOFF. */
static const char *const default_types[] = {
    "text/*",          "application/json",  "application/*+json", "application/javascript",
    "application/xml", "application/*+xml", "application/wasm",   "image/svg+xml",
    "font/ttf",        "font/otf"};

/* --- the statement ---------------------------------------------------------------------------- */

static struct compress_draft *draft_begin(struct conf_parser *p, const struct conf_where *where)
{
	static const uint8_t presets[COMPRESSIONS_COUNT] = {
#define PRESET(constant, word, least, most, preset) [COMPRESSION_##constant] = (preset),
	    COMPRESSIONS(PRESET)
#undef PRESET
	};
	struct compress_draft *draft = conf_filter_here(p, CONF_FILTER_COMPRESS, sizeof(*draft));
	if (draft == NULL || !conf_once(p, "compress", where))
		return NULL;
	struct conf_compress *c = &draft->compress;
	memcpy(c->levels, presets, sizeof(presets));
	c->least = COMPRESSION_LEAST_DEFAULT;
	c->types = (const char **)(uintptr_t)default_types; /* `types` makes an array of its own */
	c->types_count = CONF_COUNT(default_types);
	return draft;
}

static unsigned coding_read(const struct conf_value *word)
{
	unsigned coding = 0;
	while (coding + 1 < COMPRESSIONS_COUNT && strcmp(coding_words[coding], word->data) != 0)
		coding++;
	return coding;
}

static bool coding_is_named(const struct conf_compress *c, unsigned coding)
{
	return memchr(c->codings, (int)coding, c->codings_count) != NULL;
}

/* The first group begins the statement; each further coding is a group of its own. */
static void compress_take(struct conf_parser *p, const struct conf_group *given)
{
	const struct conf_value *word = &given->values[0];
	struct compress_draft *draft =
	    given->piece == 0 ? draft_begin(p, &given->where) : p->kind_options;
	if (draft == NULL) {
		p->kind_options = NULL; /* a second one is checked and not used */
		return;
	}
	if (word->part == CONF_PART_ZERO || word->broken)
		return;
	const unsigned coding = coding_read(word);
	if (coding_is_named(&draft->compress, coding))
		conf_error(p, &given->at[0], "duplicate `%s` in one statement", word->data);
	else
		draft->compress.codings[draft->compress.codings_count++] = (uint8_t)coding;
}

/* --- options ---------------------------------------------------------------------------------- */

static void level_take(struct conf_parser *p, const struct conf_group *given)
{
	static const uint8_t mosts[COMPRESSIONS_COUNT] = {
#define MOST(constant, word, least, most, preset) [COMPRESSION_##constant] = (most),
	    COMPRESSIONS(MOST)
#undef MOST
	};
	struct compress_draft *draft = p->kind_options;
	const unsigned coding = coding_read(&given->values[0]);
	char subject[32];
	uint64_t level;
	(void)snprintf(subject, sizeof(subject), "level %s", coding_words[coding]);
	if (!conf_quantity(p, subject, CONF_NUMBER, 1, mosts[coding], &given->values[1],
			   &given->at[1], &level) ||
	    draft == NULL || draft->compress.codings_count == 0)
		return;
	if ((draft->levels_given & 1U << coding) != 0)
		conf_error(p, &given->where, "duplicate `level %s`", coding_words[coding]);
	else if (!coding_is_named(&draft->compress, coding))
		conf_error(p, &given->at[0], "this `compress` does not name `%s`",
			   coding_words[coding]);
	draft->levels_given |= 1U << coding;
	draft->compress.levels[coding] = (uint8_t)level;
}

/* One `*` may stand for any part: "text/", "application/" and "+json" around it. */
static bool type_is_valid(const char *type, size_t len)
{
	char example[TYPE_MAX + 1];
	if (strcmp(type, "*") == 0)
		return true;
	if (memchr(type, ';', len) != NULL || memchr(type, ' ', len) != NULL)
		return false;
	memcpy(example, type, len);
	char *star = memchr(example, '*', len);
	if (star != NULL)
		*star = 'x';
	return memchr(example, '*', len) == NULL &&
	       media_type_check(example, len) == MEDIA_TYPE_GOOD;
}

static void type_add(struct conf_parser *p, struct conf_compress *c, const struct conf_value *type,
		     const struct conf_where *at)
{
	char shown[CONF_SHOWN_MAX];
	for (uint32_t i = 0; i < c->types_count; i++)
		if (strcasecmp(c->types[i], type->data) == 0) {
			conf_error(p, at, "duplicate type \"%s\" in one statement",
				   conf_show(type, shown));
			return;
		}
	if (c->types_count == TYPES_MAX) {
		conf_error(p, at, "`types` has at most %d types", TYPES_MAX);
		return;
	}
	const char **types =
	    conf_grow(p, c->types_count > 0 ? c->types : NULL, c->types_count, sizeof(*types));
	const char *copy = conf_copy(p, type->data, type->len);
	if (types == NULL || copy == NULL)
		return;
	c->types = types;
	types[c->types_count++] = copy;
}

/* The first one replaces the default. */
static void types_take(struct conf_parser *p, const struct conf_group *given)
{
	struct compress_draft *draft = p->kind_options;
	const struct conf_value *type = &given->values[0];
	const bool plain = conf_plain(p, "a type", TYPE_MAX, type, &given->at[0]);
	if (plain && !type_is_valid(type->data, type->len)) {
		conf_error(p, &given->at[0],
			   "a type has two parts and no parameters: \"text/html\"; one `*` may "
			   "stand for a part, as in \"text/*\", or for all types");
		return;
	}
	if (!plain || draft == NULL)
		return;
	if (!draft->types_given)
		draft->compress.types_count = 0;
	draft->types_given = true;
	type_add(p, &draft->compress, type, &given->at[0]);
}

/* --- the canonical text ----------------------------------------------------------------------- */

static void compress_write(const void *own, const char *indent, FILE *out)
{
	const struct conf_compress *c = own;
	(void)fprintf(out, "%scompress", indent);
	for (uint32_t i = 0; i < c->codings_count; i++)
		(void)fprintf(out, " %s", coding_words[c->codings[i]]);
	if (c->codings_count == 0) {
		fputs(" off\n", out);
		return;
	}
	char least[NUM_TEXT_MAX];
	(void)fprintf(out, " {\n%s\tleast %s\n%s\ttypes", indent, num_format_size(c->least, least),
		      indent);
	for (uint32_t i = 0; i < c->types_count; i++)
		conf_put(out, " ", c->types[i]);
	fputc('\n', out);
	for (uint32_t i = 0; i < c->codings_count; i++)
		(void)fprintf(out, "%s\tlevel %s %u\n", indent, coding_words[c->codings[i]],
			      c->levels[c->codings[i]]);
	(void)fprintf(out, "%s}\n", indent);
}

static uint64_t compress_size(const void *own)
{
	const struct conf_compress *c = own;
	uint64_t sum = sizeof(struct compress_draft);
	for (uint32_t i = 0; i < c->types_count; i++)
		sum += sizeof(char *) + strlen(c->types[i]);
	return sum;
}

/* --- the tables ------------------------------------------------------------------------------- */

static const struct conf_statement compress_statements[] = {
    {.word = "compress",
     .blocks = CONF_FILTER_BLOCKS,
     .has_options = true,
     .take = compress_take,
     .pieces = {{CONF_CHOICE, .choices = coding_words, .zero = "off"},
		{CONF_CHOICE, CONF_MAY, .choices = coding_words, .many = true}}},
    {.word = NULL},
};

static const struct conf_statement compress_options[] = {
    {.word = "least",
     .blocks = CONF_BLOCK_OPTIONS,
     .pieces = {{CONF_SIZE, .least = 1, .most = UINT64_C(1) << 30,
		 .offset = offsetof(struct conf_compress, least),
		 .size = sizeof(((struct conf_compress *)0)->least)}}},
    {.word = "types",
     .blocks = CONF_BLOCK_OPTIONS,
     .take = types_take,
     .pieces = {{CONF_STRING, .noun = "media type"},
		{CONF_STRING, CONF_MAY, .noun = "media type", .many = true}}},
    {.word = "level",
     .blocks = CONF_BLOCK_OPTIONS,
     .repeats = true,
     .take = level_take,
     .pieces = {{CONF_CHOICE, .choices = coding_words}, {CONF_NUMBER, .example = "5"}}},
    {.word = NULL},
};

/* The statement of an inner place takes the place of the outer one. */
const struct conf_kind conf_kind_compress = {
    .statements = compress_statements,
    .options = compress_options,
    .write = compress_write,
    .size = compress_size,
};
