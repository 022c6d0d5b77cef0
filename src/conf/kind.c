/* The lists of handlers and of filters. Runs in the master and in the child of the port. */
#include <string.h>

#include "parser.h"

#define KIND_DECLARE(constant, name) extern const struct conf_kind conf_kind_##name;
HANDLER_KINDS(KIND_DECLARE)
FILTER_KINDS(KIND_DECLARE)

#define KIND_ROW(constant, name)   [CONF_##constant] = &conf_kind_##name,
#define FILTER_ROW(constant, name) [CONF_FILTER_##constant] = &conf_kind_##name,

const struct conf_kind *conf_handler_kind(enum conf_handler kind)
{
	static const struct conf_kind *const kinds[] = {HANDLER_KINDS(KIND_ROW)};
	return kinds[kind];
}

const struct conf_kind *conf_filter_kind(enum conf_filter kind)
{
	static const struct conf_kind *const kinds[] = {FILTER_KINDS(FILTER_ROW)};
	return kinds[kind];
}

static bool kind_has(const struct conf_kind *kind, const struct conf_statement *statement)
{
	if (statement == &kind->statement)
		return true;
	for (const struct conf_statement *s = kind->statements; s != NULL && s->word != NULL; s++)
		if (s == statement)
			return true;
	return false;
}

const char *conf_kind_word(const struct conf_kind *kind)
{
	return kind->statement.word != NULL ? kind->statement.word : kind->statements[0].word;
}

static size_t list_find(const struct conf_statement *list, const char *of, const char *word,
			const char **ret)
{
	for (const struct conf_statement *s = list; s != NULL && s->word != NULL; s++)
		if (strcmp(s->word, word) == 0) {
			*ret = of;
			return 1;
		}
	return 0;
}

static size_t option_find(const struct conf_kind *kind, const char *word, const char **ret)
{
	return list_find(kind->options, conf_kind_word(kind), word, ret);
}

size_t conf_option_places(const char *word, const char *ret[CONF_OPTION_PLACES_MAX])
{
	size_t count = 0;
	for (unsigned i = 0; i < CONF_HANDLERS; i++)
		count += option_find(conf_handler_kind(i), word, &ret[count]);
	for (unsigned i = 0; i < CONF_FILTERS; i++)
		count += option_find(conf_filter_kind(i), word, &ret[count]);
	count += list_find(conf_upstream_endpoints, "upstream", word, &ret[count]);
	count += list_find(conf_upstream_options, "upstream", word, &ret[count]);
	count += list_find(conf_timeouts_statements, "timeouts", word, &ret[count]);
	return count;
}

void conf_options_begin(struct conf_parser *p, const struct conf_statement *statement)
{
	p->kind = NULL;
	for (unsigned i = 0; i < CONF_HANDLERS; i++)
		if (kind_has(conf_handler_kind(i), statement))
			p->kind = conf_handler_kind(i);
	for (unsigned i = 0; i < CONF_FILTERS; i++)
		if (kind_has(conf_filter_kind(i), statement))
			p->kind = conf_filter_kind(i);
}

void conf_options_open(struct conf_parser *p, const struct conf_where *where,
		       const struct conf_where *at)
{
	conf_alone_check(p, at);
	bool *damaged = conf_block_top(p)->damaged;
	struct conf_block *block = conf_block_push(p, CONF_BLOCK_OPTIONS, where);
	block->statements = p->kind->options;
	block->more = p->kind->more_options;
	block->options_of = conf_kind_word(p->kind);
	block->damaged = damaged;
}
