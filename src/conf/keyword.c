/*
 * The words of the language and the blocks in which each begins a statement. Runs in the master and
 * in every child. Must never disagree with grammar.y: tests/unit/test_conf.c compares them.
 */
#include <string.h>

#include "parser.h"

#define TOP      CONF_BLOCK_TOP
#define PORT     CONF_BLOCK_PORT
#define HOST     CONF_BLOCK_HOST
#define LOCATION CONF_BLOCK_LOCATION
#define TLS      CONF_BLOCK_TLS
#define ERROR    CONF_BLOCK_ERROR
#define OPTIONS  CONF_BLOCK_OPTIONS
#define ANY                                                                                    \
	(TOP | PORT | HOST | LOCATION | CONF_BLOCK_RESTART | CONF_BLOCK_LIMITS | TLS | ERROR | \
	 OPTIONS)

/* The words that the grammar knows: those of blocks and lists. Those of settings and handlers are
 * added from their descriptions. */
#define WORD(name_, token_, blocks_, of_)                                              \
	{                                                                              \
		.name = (name_), .token = T_##token_, .blocks = (blocks_), .of = (of_) \
	}

static const struct conf_keyword grammar_words[] = {
    WORD("after", AFTER, 0, NULL),
    WORD("any", ANY, 0, NULL),
    WORD("block", BLOCK, TOP, NULL),
    WORD("certificate", CERTIFICATE, TLS, NULL),
    WORD("console", CONSOLE, 0, "log to"),
    WORD("define", DEFINE, TOP, NULL),
    WORD("development", DEVELOPMENT, TLS, NULL),
    WORD("error", ERROR, PORT | HOST | LOCATION, NULL),
    WORD("exact", EXACT, 0, "location"),
    WORD("facility", FACILITY, 0, "log to syslog"),
    WORD("fault", FAULT, LOCATION, NULL),
    WORD("from", FROM, 0, "proxy protocol"),
    WORD("host", HOST, PORT, NULL),
    WORD("include", INCLUDE, ANY, NULL),
    WORD("journal", JOURNAL, 0, "log to"),
    WORD("key", KEY, TOP | PORT | TLS, NULL),
    WORD("limits", LIMITS, TOP | PORT, NULL),
    WORD("listen", LISTEN, PORT, NULL),
    WORD("location", LOCATION, PORT | HOST, NULL),
    WORD("log", LOG, TOP, NULL),
    WORD("methods", METHODS, PORT | HOST | LOCATION, NULL),
    WORD("off", OFF, 0, NULL),
    WORD("on", ON, 0, "listen"),
    WORD("port", PORT, TOP, NULL),
    WORD("protocol", PROTOCOL, 0, "proxy"),
    WORD("restart", RESTART, TOP | PORT, NULL),
    WORD("socket", SOCKET, 0, NULL),
    WORD("syslog", SYSLOG, 0, "log to"),
    WORD("tls", TLS, TOP | PORT | HOST, NULL),
    WORD("to", TO, 0, NULL),
    WORD("upstream", UPSTREAM, PORT, NULL),
    WORD("use", USE, ANY, NULL),
};

/* --- making the table ------------------------------------------------------------------------- */

static struct conf_keyword *word_add(struct conf_words *words, const char *name, int token)
{
	const struct conf_keyword *known = conf_words_find(words, name, strlen(name));
	if (known != NULL || words->count == CONF_WORDS_MAX)
		return NULL;
	struct conf_keyword *word = &words->list[words->count++];
	*word = (struct conf_keyword){.name = name, .token = token};
	return word;
}

/* A word inside a statement. If it stands alone, the message says what it is part of. */
static void part_add(struct conf_words *words, const char *name, const char *of)
{
	struct conf_keyword *word = name != NULL ? word_add(words, name, T_INNER) : NULL;
	if (word != NULL)
		word->of = of;
}

/* A word of a handler's options may be part of another statement, too: `type`. */
static void option_part_add(struct conf_words *words, const char *name, const char *of)
{
	for (size_t i = 0; i < words->count && name != NULL; i++)
		if (words->list[i].blocks == OPTIONS && strcmp(words->list[i].name, name) == 0)
			words->list[i].of = of;
}

static void parts_add(struct conf_words *words, const struct conf_statement *s)
{
	for (const struct conf_piece *piece = s->pieces; piece->type != CONF_NONE; piece++) {
		const bool first = piece == s->pieces || piece->when == CONF_OPTION;
		option_part_add(words, piece->word, first ? s->word : NULL);
		part_add(words, piece->word, first ? s->word : NULL);
		part_add(words, piece->zero, NULL);
		part_add(words, piece->instead, NULL);
		for (size_t i = 0; piece->type == CONF_CHOICE && piece->choices[i] != NULL; i++)
			if (piece->choices[i][0] != '\0')
				part_add(words, piece->choices[i],
					 piece->word == NULL ? s->word : NULL);
	}
}

static int statement_token(const struct conf_statement *s)
{
	if (s->token != 0)
		return s->token;
	switch (s->blocks) {
	case TOP:
		return T_GLOBAL;
	case TOP | PORT:
		return T_SETTING;
	case PORT:
		return T_PORT_SETTING;
	case CONF_BLOCK_RESTART:
		return T_RESTART_SETTING;
	case CONF_BLOCK_LIMITS:
		return T_LIMIT;
	case CONF_BLOCK_TLS:
		return T_TLS_SETTING;
	case CONF_BLOCK_OPTIONS:
		return T_OPTION;
	case CONF_FILTER_BLOCKS:
		return s->has_options ? T_OPTIONS_FILTER : T_FILTER;
	default:
		return s->pieces[0].type == CONF_NONE ? T_BARE_HANDLER
		       : s->has_options               ? T_OPTIONS_HANDLER
						      : T_HANDLER;
	}
}

static void statement_add(struct conf_words *words, const struct conf_statement *s)
{
	struct conf_keyword *word =
	    s->blocks != 0 ? word_add(words, s->word, statement_token(s)) : NULL;
	if (word == NULL)
		return; /* the grammar has its words */
	word->blocks = s->blocks;
	word->statement = s;
}

/* The statements of a list that ends with one without a word; NULL: none. */
static void each_statement(struct conf_words *words, const struct conf_statement *list,
			   void (*add)(struct conf_words *, const struct conf_statement *))
{
	for (const struct conf_statement *s = list; s != NULL && s->word != NULL; s++)
		add(words, s);
}

/* First all statements: a word may begin one and be inside another. */
void conf_words_init(struct conf_words *words)
{
	words->count = CONF_COUNT(grammar_words);
	memcpy(words->list, grammar_words, sizeof(grammar_words));
	for (size_t i = 0; i < conf_settings_count; i++)
		statement_add(words, &conf_settings[i]);
	for (unsigned i = 0; i < CONF_HANDLERS; i++) {
		statement_add(words, &conf_handler_kind(i)->statement);
		each_statement(words, conf_handler_kind(i)->statements, statement_add);
	}
	for (unsigned i = 0; i < CONF_FILTERS; i++)
		each_statement(words, conf_filter_kind(i)->statements, statement_add);
	for (unsigned i = 0; i < CONF_HANDLERS; i++)
		each_statement(words, conf_handler_kind(i)->options, statement_add);
	for (unsigned i = 0; i < CONF_FILTERS; i++)
		each_statement(words, conf_filter_kind(i)->options, statement_add);
	each_statement(words, conf_upstream_endpoints, statement_add);
	each_statement(words, conf_upstream_options, statement_add);
	each_statement(words, conf_timeouts_statements, statement_add);
	for (size_t i = 0; i < conf_settings_count; i++)
		if (conf_settings[i].blocks != 0)
			parts_add(words, &conf_settings[i]);
	for (unsigned i = 0; i < CONF_HANDLERS; i++) {
		parts_add(words, &conf_handler_kind(i)->statement);
		each_statement(words, conf_handler_kind(i)->statements, parts_add);
		each_statement(words, conf_handler_kind(i)->options, parts_add);
	}
	for (unsigned i = 0; i < CONF_FILTERS; i++) {
		each_statement(words, conf_filter_kind(i)->statements, parts_add);
		each_statement(words, conf_filter_kind(i)->options, parts_add);
	}
	each_statement(words, conf_upstream_endpoints, parts_add);
	each_statement(words, conf_upstream_options, parts_add);
	each_statement(words, conf_timeouts_statements, parts_add);
}

/* --- finding a word --------------------------------------------------------------------------- */

/* The name may have any bytes, also NUL. */
const struct conf_keyword *conf_words_find(const struct conf_words *words, const char *name,
					   size_t len)
{
	for (size_t i = 0; i < words->count; i++) {
		const char *word = words->list[i].name;
		if (len > 0 && word[0] == name[0] && strlen(word) == len &&
		    memcmp(word, name, len) == 0)
			return &words->list[i];
	}
	return NULL;
}

const struct conf_keyword *conf_keyword_find(const struct conf_parser *p, const char *name,
					     size_t len)
{
	return conf_words_find(&p->words, name, len);
}

/* A row for each bit: the word, and where that is. */
static const char *const block_places[][2] = {
    {"", "at the top level"},          {"port", "in a port block"},
    {"host", "in a host block"},       {"location", "in a location block"},
    {"restart", "in a restart block"}, {"limits", "in a limits block"},
    {"tls", "in a tls block"},         {"error", "in an error block"},
    {"files", "in a files block"},
};

_Static_assert(1 << (CONF_COUNT(block_places) - 1) == CONF_BLOCK_LAST, "a row for each");

const char *conf_block_word(enum conf_block_kind kind)
{
	return block_places[__builtin_ctz(kind)][0];
}

const char *conf_block_place(enum conf_block_kind kind)
{
	return block_places[__builtin_ctz(kind)][1];
}
