/*
 * Mistakes: what to report about a token that does not fit, and how to continue so that the next
 * message is about the next mistake. Runs in the master and in every child. Must never loop: every
 * plan consumes a token or inserts at most CONF_BLOCKS_MAX + 2 tokens that are not in the text.
 *
 * The grammar accepts `error SEPARATOR` wherever a statement may be. conf_mistake() reports and
 * chooses a plan. The parser then goes back to the innermost open block and calls conf_recover(),
 * which carries the plan out: it skips the broken text and inserts the SEPARATOR, followed by the
 * tokens that were meant if they are obvious. README.md describes the plans.
 */
#include <stdlib.h>
#include <string.h>

#include "mistake.h"

/* --- the expected tokens ---------------------------------------------------------------------- */

static void word_add(struct mistake *m, const char *word)
{
	if (m->words_count < CONF_EXPECTED_MAX)
		m->words[m->words_count++] = word;
}

/* All words that begin a statement of this kind. */
static void words_add(struct mistake *m, int token)
{
	const struct conf_words *words = &m->p->words;
	for (size_t i = 0; i < words->count; i++)
		if (words->list[i].token == token)
			word_add(m, words->list[i].name);
}

/* The words of this block, whatever they begin elsewhere. */
static void options_add(struct mistake *m)
{
	const struct conf_block *block = conf_block_top(m->p);
	for (const struct conf_statement *s = block->statements; s != NULL && s->word != NULL; s++)
		word_add(m, s->word);
	for (const struct conf_statement *s = block->more; s != NULL && s->word != NULL; s++)
		word_add(m, s->word);
}

static void piece_add(struct mistake *m, const struct conf_piece *piece, bool worded)
{
	if (piece->zero != NULL && (piece->word == NULL || !worded))
		word_add(m, piece->zero);
	if (piece->word != NULL && !worded) {
		word_add(m, piece->word);
	} else if (piece->type == CONF_CHOICE) {
		for (size_t i = 0; piece->choices[i] != NULL; i++)
			if (piece->choices[i][0] != '\0')
				word_add(m, piece->choices[i]);
	} else if (piece->type == CONF_STRING || piece->type == CONF_PATH) {
		m->wants_string = true;
		if (piece->instead != NULL)
			word_add(m, piece->instead);
		(void)conf_piece_meaning(piece, m->string);
	} else {
		m->wants_value = true;
		(void)conf_piece_meaning(piece, m->value);
	}
}

/* What the statement's description has next. */
static void pieces_add(struct mistake *m)
{
	const struct conf_form *form = &m->p->form_before;
	size_t index = 0;
	for (const struct conf_piece *piece;
	     form->statement != NULL && (piece = conf_form_next(form, &index)) != NULL;)
		piece_add(m, piece, form->owed && form->worded);
}

static int compare_words(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void sort_out(struct mistake *m, const char *const *expected, size_t count)
{
	static const struct {
		const char *name;
		int token;
	} kinds[] = {
	    {"a global setting", T_GLOBAL},
	    {"a setting", T_SETTING},
	    {"a setting of a port", T_PORT_SETTING},
	    {"a setting of restart", T_RESTART_SETTING},
	    {"a limit", T_LIMIT},
	    {"a setting of tls", T_TLS_SETTING},
	    {"a handler", T_HANDLER},
	    {"a filter", T_FILTER},
	    {"a filter with options", T_OPTIONS_FILTER},
	    {"a handler with options", T_OPTIONS_HANDLER},
	    {"a bare handler", T_BARE_HANDLER},
	};
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < CONF_COUNT(kinds); k++)
			if (strcmp(expected[i], kinds[k].name) == 0)
				words_add(m, kinds[k].token);
		if (conf_keyword_find(m->p, expected[i], strlen(expected[i])) != NULL)
			word_add(m, expected[i]);
		else if (strcmp(expected[i], ";") == 0)
			m->at_statement = true;
		else if (strcmp(expected[i], "an option") == 0)
			options_add(m);
		else if (strcmp(expected[i], "{") == 0)
			m->wants_open = true;
		else if (strcmp(expected[i], "a value") == 0)
			m->wants_value = true;
		else if (strcmp(expected[i], "a string") == 0)
			m->wants_string = true;
		else if (strcmp(expected[i], "the end of the statement") == 0)
			pieces_add(m);
	}
	qsort(m->words, m->words_count, sizeof(m->words[0]), compare_words);
}

/* --- the probable meaning --------------------------------------------------------------------- */

#define WORD_MAX   32
#define PREFIX_MIN 3

/* "Port" means port; "cert" means certificate, if no other fitting word begins that way. */
static const char *find_plain(const struct mistake *m)
{
	const struct conf_value *value = &m->token->value;
	char lower[WORD_MAX];
	const char *found = NULL;
	if (value->len >= sizeof(lower))
		return NULL;
	for (size_t i = 0; i < value->len; i++) {
		const char c = value->data[i];
		lower[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
	}
	const struct conf_keyword *same = conf_keyword_find(m->p, lower, value->len);
	if (same != NULL && (same->blocks != 0 || !m->at_statement))
		return same->name;
	for (size_t i = 0; i < m->words_count && value->len >= PREFIX_MIN; i++)
		if (strncmp(m->words[i], lower, value->len) == 0) {
			if (found != NULL)
				return NULL;
			found = m->words[i];
		}
	return found;
}

static void find_keyword(struct mistake *m)
{
	const struct conf_value *value = &m->token->value;
	m->keyword = conf_keyword_find(m->p, value->data, value->len);
	if (m->token->kind != T_WORD)
		return;
	const char *meant = find_plain(m);
	if (meant == NULL)
		meant = conf_suggest(value->data, value->len, m->words, m->words_count);
	if (meant == NULL && m->at_statement) {
		const char *all[CONF_EXPECTED_MAX];
		size_t count = 0;
		const struct conf_words *words = &m->p->words;
		for (size_t i = 0; i < words->count && count < CONF_EXPECTED_MAX; i++)
			if (words->list[i].blocks != 0)
				all[count++] = words->list[i].name;
		meant = conf_suggest(value->data, value->len, all, count);
	}
	m->keyword = meant != NULL ? conf_keyword_find(m->p, meant, strlen(meant)) : NULL;
	m->misspelt = m->keyword != NULL;
}

/* `key` begins one statement in a tls block and another one outside. The next word shows which was
 * meant. If it is the other block's, then `key` is in the wrong place. */
static void find_key(struct mistake *m)
{
	static const struct conf_keyword of_tls = {
	    .name = "key", .token = T_KEY, .blocks = CONF_BLOCK_TLS};
	static const struct conf_keyword of_others = {
	    .name = "key user", .token = T_KEY, .blocks = CONF_BLOCK_TOP | CONF_BLOCK_PORT};
	const struct conf_parser *p = m->p;
	if (p->previous.kind != T_KEY || (p->last.kind != T_STRING && p->last.kind != T_USER))
		return;
	m->token = &p->previous;
	m->keyword = p->last.kind == T_STRING ? &of_tls : &of_others;
	m->at_statement = true;
}

bool conf_mistake_begins_here(const struct mistake *m)
{
	return m->keyword != NULL && ((m->keyword->blocks & conf_block_top(m->p)->kind) != 0 ||
				      conf_statement_own(m->p, m->keyword->name) != NULL);
}

unsigned conf_mistake_levels_out(const struct mistake *m)
{
	const struct conf_parser *p = m->p;
	unsigned open = p->blocks_count - p->source->blocks_base;
	for (unsigned i = 1; m->keyword != NULL && i <= open; i++)
		if ((p->blocks[p->blocks_count - 1 - i].kind & m->keyword->blocks) != 0)
			return i;
	return 0;
}

/* --- how to continue -------------------------------------------------------------------------- */

static void hand_out(struct conf_parser *p, const struct conf_token *like, int kind,
		     const struct conf_keyword *keyword)
{
	struct conf_token *token = &p->pending[p->pending_count++];
	*token = *like;
	token->kind = token->value.token = kind;
	token->keyword = keyword;
	token->again = true;
}

static void close_blocks(struct conf_parser *p, const struct conf_token *like, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const struct conf_block *block = &p->blocks[p->blocks_count - 1 - i];
		if (block->damaged != NULL)
			*block->damaged = true;
		hand_out(p, like, T_CLOSE, NULL);
	}
}

/* Was there one `}` too many before this statement, or no `{`? Then the rest of the block is
 * skipped, too. */
static bool lost_open(const struct mistake *m)
{
	bool misplaced = m->at_statement && m->keyword != NULL && m->keyword->blocks != 0 &&
			 !conf_mistake_begins_here(m);
	return m->surplus < 0 && m->token->kind != T_OPEN && (m->wants_open || misplaced);
}

static void skip(struct mistake *m)
{
	struct conf_parser *p = m->p;
	bool lost = lost_open(m);
	/* The previous port was closed too early, so nothing is reported as missing in it. */
	if (lost && p->port == NULL && p->ports_count > 0)
		p->ports[p->ports_count - 1]->hosts[0]->damaged = true;
	else if (lost && p->port != NULL && conf_block_top(p)->kind == CONF_BLOCK_PORT)
		p->port->hosts[p->port->hosts_count - 1]->damaged = true;
	conf_lexer_skip(p->source, lost || (m->token->kind == T_OPEN && !m->passed) ? 1 : 0);
}

static void plan(struct mistake *m)
{
	struct conf_parser *p = m->p;
	const struct conf_token token = *m->token;
	unsigned open = p->blocks_count - p->source->blocks_base;
	bool word = m->keyword != NULL && !token.again;
	bool intact = false;

	p->pending_at = p->pending_count = 0;
	hand_out(p, &token, T_SEPARATOR, NULL);
	if (m->at_end) {
		close_blocks(p, &token, open); /* the lexer will return the end again */
	} else if (token.kind == T_CLOSE) {
		if (open > 0 && !token.again)
			hand_out(p, &token, T_CLOSE, NULL);
	} else if (token.kind == T_SEMICOLON || m->dropped) {
		intact = m->dropped;
		/* it is itself the end of the broken text */
	} else if (word && conf_mistake_begins_here(m) &&
		   (m->misspelt ? m->at_statement : token.begins_line)) {
		intact = m->at_statement;
		hand_out(p, &token, m->keyword->token, m->keyword);
	} else if (word && !m->misspelt && token.begins_line && m->surplus > 0 &&
		   conf_mistake_levels_out(m) > 0) {
		const struct conf_token last = p->last;
		close_blocks(p, &token, conf_mistake_levels_out(m));
		hand_out(p, &token, m->keyword->token, m->keyword);
		if (m->token != &p->last)
			hand_out(p, &last, last.kind, last.keyword);
	} else {
		skip(m);
	}
	if (!intact && conf_block_top(p)->damaged != NULL)
		*conf_block_top(p)->damaged = true;
}

/* Is the token the end of its file, or its last token, which may be incomplete? */
static bool is_at_end(const struct conf_parser *p)
{
	int kind = p->last.kind;
	if (kind == T_YYEOF || kind == T_INCLUDE_END || p->last.ends_file)
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
	(void)conf_show(p->last.written.len > 0 ? &p->last.written : &p->last.value, m.shown);
	m.surplus = conf_lexer_balance(p->source) + (long)p->blocks_count -
		    (long)p->source->blocks_base + (p->last.kind == T_OPEN);
	conf_mistake_tell(&m);
	plan(&m);
}

bool conf_recover(struct conf_parser *p)
{
	return !p->stop;
}
