/*
 * Mistakes: what to say about a token that does not fit, and how to go on so that the next message
 * is about the next mistake. Runs in the master and in every child. Must never loop: every plan
 * consumes a token or hands out at most CONF_BLOCKS_MAX + 2 that are not in the text.
 *
 * The grammar takes `error SEPARATOR` wherever a statement may stand. conf_mistake() tells and
 * chooses a plan; conf_recover(), called once the parser has gone back to the innermost open
 * block, carries it out: it goes past what is broken and hands out the SEPARATOR, and after it
 * what the text ought to have said where that is plain. README.md has the plans in words.
 */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "parser.h"

#define EXPECTED_MAX 128

/* One mistake, as seen by the functions below. */
struct mistake {
	struct conf_parser *p;
	const struct conf_token *token;  /* p->last, or the one before: find_key() */
	const char *words[EXPECTED_MAX]; /* keywords that would fit */
	size_t words_count;
	bool wants_value, wants_string, wants_open;
	bool at_end;                        /* the file ends, or ends with this token */
	bool at_statement;                  /* a statement could begin here */
	const struct conf_keyword *keyword; /* what the token is, or probably was meant to be */
	bool misspelt;                      /* ... the latter */
	long surplus; /* blocks that the rest of the file leaves open (> 0), or closes
			 though nobody opened them (< 0) */
	char shown[CONF_SHOWN_MAX];
};

/* --- what was expected ------------------------------------------------------------------------ */

static void sort_out(struct mistake *m, const char *const *expected, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (conf_keyword_find(expected[i], strlen(expected[i])) != NULL &&
		    m->words_count < EXPECTED_MAX)
			m->words[m->words_count++] = expected[i];
		else if (strcmp(expected[i], ";") == 0)
			m->at_statement = true;
		else if (strcmp(expected[i], "{") == 0)
			m->wants_open = true;
		else if (strcmp(expected[i], "a value") == 0)
			m->wants_value = true;
		else if (strcmp(expected[i], "a string") == 0)
			m->wants_string = true;
	}
}

static const char *value_meaning(int previous)
{
	switch (previous) {
	case T_PORT:
		return "a port number";
	case T_WORKERS:
	case T_THREADS:
	case T_CONNECTIONS:
	case T_REQUESTS:
	case T_AFTER:
	case T_KEYHOLDERS:
	case T_SIGNATURES:
	case T_RATE:
		return "a number";
	case T_HEAD:
	case T_BODY:
		return "a size such as 16K";
	case T_MEMORY:
	case T_CORE:
		return "a size such as 256M";
	case T_ON:
		return "an address or `*`";
	case T_RESPOND:
		return "a status such as 200";
	case T_FACILITY:
		return "a facility such as daemon";
	case T_FAULT:
		return "a fault such as crash";
	case T_WORD: /* a parameter of a fault */
		return "its value";
	default:
		return "a duration such as 10s";
	}
}

static const char *string_meaning(int previous)
{
	switch (previous) {
	case T_USER:
		return "a user's name in quotes";
	case T_GROUP:
		return "a group's name in quotes";
	case T_CHROOT:
		return "a directory in quotes";
	case T_CONTROL:
	case T_PATH:
	case T_LOCATION:
		return "a path in quotes";
	case T_INCLUDE:
	case T_CERTIFICATE:
	case T_KEY:
		return "a file name in quotes";
	case T_SOCKET:
		return "a socket's name in quotes";
	case T_TYPE:
		return "a media type in quotes";
	case T_HEADER:
		return "a header name in quotes";
	case T_STRING:
		return "a header value in quotes";
	case T_WORD: /* a fault's parameter takes either */
	case T_AFTER:
	case T_RATE:
		return "a string";
	default:
		return "a body in quotes";
	}
}

static void list_item(struct text *list, const char *item, const char *quote, size_t at,
		      size_t count)
{
	text_addf(list, "%s%s%s%s",
		  at == 0           ? ""
		  : at + 1 == count ? " or "
				    : ", ",
		  quote, item, quote);
}

/* "`on` or `off`", "a number", ...: what fits here, but for the end of the block. */
static const char *list_expected(const struct mistake *m, char *out, size_t size)
{
	struct text list;
	size_t at = 0;
	size_t count = m->words_count + m->wants_value + m->wants_string + m->wants_open;
	text_init(&list, out, size);
	if (m->wants_value)
		list_item(&list, value_meaning(m->p->previous.kind), "", at++, count);
	if (m->wants_string)
		list_item(&list, string_meaning(m->p->previous.kind), "", at++, count);
	if (m->wants_open)
		list_item(&list, "{", "`", at++, count);
	for (size_t i = 0; i < m->words_count; i++)
		list_item(&list, m->words[i], "`", at++, count);
	return out;
}

/* --- what was meant --------------------------------------------------------------------------- */

static void find_keyword(struct mistake *m)
{
	const struct conf_value *value = &m->token->value;
	m->keyword = conf_keyword_find(value->data, value->len);
	if (m->token->kind != T_WORD)
		return;
	const char *meant = conf_suggest(value->data, value->len, m->words, m->words_count);
	if (meant == NULL && m->at_statement) {
		const char *all[EXPECTED_MAX];
		size_t count = 0;
		for (size_t i = 0; i < conf_keywords_count && count < EXPECTED_MAX; i++)
			if (conf_keywords[i].blocks != 0)
				all[count++] = conf_keywords[i].name;
		meant = conf_suggest(value->data, value->len, all, count);
	}
	m->keyword = meant != NULL ? conf_keyword_find(meant, strlen(meant)) : NULL;
	m->misspelt = m->keyword != NULL;
}

/* `key` begins one statement in a tls block and another one outside, and which was meant shows the
 * word behind it. If that is the other block's, then `key` is what stands in the wrong place. */
static void find_key(struct mistake *m)
{
	static const struct conf_keyword of_tls = {"key", T_KEY, CONF_BLOCK_TLS};
	static const struct conf_keyword of_others = {"key user", T_KEY,
						      CONF_BLOCK_TOP | CONF_BLOCK_PORT};
	const struct conf_parser *p = m->p;
	if (p->previous.kind != T_KEY || (p->last.kind != T_STRING && p->last.kind != T_USER))
		return;
	m->token = &p->previous;
	m->keyword = p->last.kind == T_STRING ? &of_tls : &of_others;
	m->at_statement = true;
}

static bool begins_here(const struct mistake *m)
{
	return m->keyword != NULL && (m->keyword->blocks & conf_block_top(m->p)->kind) != 0;
}

/* How many of this file's open blocks must end before the statement can stand; 0: none helps. */
static unsigned levels_out(const struct mistake *m)
{
	const struct conf_parser *p = m->p;
	unsigned open = p->blocks_count - p->source->blocks_base;
	for (unsigned i = 1; m->keyword != NULL && i <= open; i++)
		if ((p->blocks[p->blocks_count - 1 - i].kind & m->keyword->blocks) != 0)
			return i;
	return 0;
}

/* --- what to say ------------------------------------------------------------------------------ */

static void tell_end(struct mistake *m, const char *expected)
{
	const struct conf_parser *p = m->p;
	if (p->blocks_count > p->source->blocks_base)
		conf_error(m->p, &p->last.where, "the file ends inside the block opened at line %u",
			   p->blocks[p->blocks_count - 1].where.line);
	else
		conf_error(m->p, &p->last.where,
			   "the file ends in the middle of a statement; expected %s", expected);
}

static void tell_close(struct mistake *m, const char *expected)
{
	const struct conf_parser *p = m->p;
	if (!m->at_statement)
		conf_error(m->p, &m->token->where, "expected %s, found `}`", expected);
	else if (p->source->parent != NULL)
		conf_error(m->p, &m->token->where, "`}` closes nothing that this file opened");
	else
		conf_error(m->p, &m->token->where, "`}` closes nothing: no block is open");
}

/* "it belongs in a tls block", "... at the top level or in a port block" */
static void text_add_places(struct text *text, unsigned blocks)
{
	bool first = true;
	for (unsigned kind = CONF_BLOCK_TOP; kind <= CONF_BLOCK_TLS; kind <<= 1) {
		if ((blocks & kind) == 0)
			continue;
		text_addf(text, "%s%s", first ? "" : " or ",
			  conf_block_place((enum conf_block_kind)kind));
		first = false;
	}
}

/* A statement that exists but not in this block. */
static void tell_misplaced(struct mistake *m)
{
	char places[160];
	struct text text;
	const struct conf_block *block = conf_block_top(m->p);
	text_init(&text, places, sizeof(places));
	text_add_places(&text, m->keyword->blocks);
	if (m->misspelt)
		conf_error(m->p, &m->token->where,
			   "unknown word `%s`; did you mean `%s`, which belongs %s?", m->shown,
			   m->keyword->name, places);
	else if (m->surplus > 0 && levels_out(m) > 0)
		conf_error(
		    m->p, &m->token->where,
		    "`%s` cannot stand %s: the `}` of the block opened at line %u is missing",
		    m->keyword->name, conf_block_place(block->kind), block->where.line);
	else if (m->surplus < 0)
		conf_error(m->p, &m->token->where,
			   "`%s` cannot stand %s: there is a `}` too many before it",
			   m->keyword->name, conf_block_place(block->kind));
	else
		conf_error(m->p, &m->token->where, "`%s` cannot stand %s; it belongs %s",
			   m->keyword->name, conf_block_place(block->kind), places);
}

static bool expected_word(const struct mistake *m)
{
	for (size_t i = 0; i < m->words_count; i++)
		if (m->words[i] == m->keyword->name || strcmp(m->words[i], m->keyword->name) == 0)
			return true;
	return false;
}

static void tell_other(struct mistake *m, const char *expected)
{
	const struct conf_where *where = &m->token->where;
	const char *one_of = m->at_statement ? "one of " : "";
	bool number = m->shown[0] >= '0' && m->shown[0] <= '9';
	switch (m->token->kind) {
	case T_STRING:
		conf_error(m->p, where, "expected %s%s, found the string \"%s\"", one_of, expected,
			   m->shown);
		break;
	case T_OPEN:
	case T_SEMICOLON:
		conf_error(m->p, where, "expected %s%s, found `%s`", one_of, expected,
			   m->token->kind == T_OPEN ? "{" : ";");
		break;
	case T_WORD:
		if (m->at_statement && !number) {
			conf_error(m->p, where, "unknown word `%s`; expected one of %s", m->shown,
				   expected);
			break;
		}
		/* fallthrough */
	default:
		conf_error(m->p, where, "expected %s%s, found `%s`", one_of, expected, m->shown);
	}
}

static void tell(struct mistake *m)
{
	char expected[512];
	const struct conf_token *token = m->token;
	(void)list_expected(m, expected, sizeof(expected));
	bool end = token->kind == T_YYEOF || token->kind == T_INCLUDE_END;
	if (end || (m->at_end && m->p->blocks_count > m->p->source->blocks_base))
		tell_end(m, expected);
	else if (token->kind == T_CLOSE)
		tell_close(m, expected);
	else if (m->misspelt && expected_word(m))
		conf_error(m->p, &token->where, "unknown word `%s`; did you mean `%s`?", m->shown,
			   m->keyword->name);
	else if (m->keyword != NULL && m->keyword->blocks != 0 && !begins_here(m) &&
		 (m->at_statement || (m->surplus > 0 && levels_out(m) > 0)))
		tell_misplaced(m);
	else
		tell_other(m, expected);
}

/* --- how to go on ----------------------------------------------------------------------------- */

static void hand_out(struct conf_parser *p, const struct conf_token *like, int kind)
{
	struct conf_token *token = &p->pending[p->pending_count++];
	*token = *like;
	token->kind = token->value.token = kind;
	token->again = true;
}

static void close_blocks(struct conf_parser *p, const struct conf_token *like, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const struct conf_block *block = &p->blocks[p->blocks_count - 1 - i];
		if (block->damaged != NULL)
			*block->damaged = true;
		hand_out(p, like, T_CLOSE);
	}
}

/* Did a `}` too many come before this statement, or no `{`? Then the block's rest goes with it. */
static bool lost_open(const struct mistake *m)
{
	bool misplaced =
	    m->at_statement && m->keyword != NULL && m->keyword->blocks != 0 && !begins_here(m);
	return m->surplus < 0 && m->token->kind != T_OPEN && (m->wants_open || misplaced);
}

static void skip(struct mistake *m)
{
	struct conf_parser *p = m->p;
	bool lost = lost_open(m);
	/* What the port before was closed too early for is not missing in it. */
	if (lost && p->port == NULL && p->ports_count > 0)
		p->ports[p->ports_count - 1]->damaged = true;
	conf_lexer_skip(p->source, lost || m->token->kind == T_OPEN ? 1 : 0);
}

static void plan(struct mistake *m)
{
	struct conf_parser *p = m->p;
	const struct conf_token token = *m->token;
	unsigned open = p->blocks_count - p->source->blocks_base;
	bool word = m->keyword != NULL && !token.again;
	bool intact = false;

	p->pending_at = p->pending_count = 0;
	hand_out(p, &token, T_SEPARATOR);
	if (m->at_end) {
		close_blocks(p, &token, open); /* the lexer will give the end again */
	} else if (token.kind == T_CLOSE) {
		if (open > 0 && !token.again)
			hand_out(p, &token, T_CLOSE);
	} else if (token.kind == T_SEMICOLON) {
		/* is itself the end of what is broken */
	} else if (word && begins_here(m) && (m->misspelt ? m->at_statement : token.begins_line)) {
		intact = m->at_statement;
		hand_out(p, &token, m->keyword->token);
	} else if (word && !m->misspelt && token.begins_line && m->surplus > 0 &&
		   levels_out(m) > 0) {
		const struct conf_token last = p->last;
		close_blocks(p, &token, levels_out(m));
		hand_out(p, &token, m->keyword->token);
		if (m->token != &p->last)
			hand_out(p, &last, last.kind);
	} else {
		skip(m);
	}
	if (!intact && conf_block_top(p)->damaged != NULL)
		*conf_block_top(p)->damaged = true;
}

/* Is the token the end of its file, or the last of it and maybe cut? */
static bool is_at_end(const struct conf_parser *p)
{
	int kind = p->last.kind;
	if (kind == T_YYEOF || kind == T_INCLUDE_END)
		return true;
	return kind != T_OPEN && kind != T_CLOSE && kind != T_SEMICOLON &&
	       p->source->cursor.at == p->source->cursor.end;
}

void conf_mistake(struct conf_parser *p, const char *const *expected, size_t count)
{
	struct mistake m = {.p = p, .token = &p->last};
	if (p->stop)
		return;
	m.at_end = is_at_end(p);
	sort_out(&m, expected, count);
	find_keyword(&m);
	find_key(&m);
	(void)conf_show(&p->last.value, m.shown);
	m.surplus = conf_lexer_balance(p->source) + (long)p->blocks_count -
		    (long)p->source->blocks_base + (p->last.kind == T_OPEN);
	tell(&m);
	plan(&m);
}

bool conf_recover(struct conf_parser *p)
{
	return !p->stop;
}
