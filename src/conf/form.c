/*
 * Follows a statement through its words and values, as its description has them. Runs in the master
 * and in every child. Must never accept what the description does not have: the grammar reports a
 * token that is not accepted here.
 *
 * The lexer asks for each token; the grammar then carries out the statement, and may be a token
 * behind. So what a token is travels with its value.
 */
#include <stdio.h>
#include <string.h>

#include "parser.h"

/* --- where a token stands --------------------------------------------------------------------- */

bool conf_piece_fits(const struct conf_piece *piece, const struct conf_token *token)
{
	switch (piece->type) {
	case CONF_NONE:
		break;
	case CONF_NUMBER:
	case CONF_SIZE:
	case CONF_MEMORY:
	case CONF_DURATION:
	case CONF_WORD:
	case CONF_RATE:
		return token->kind == T_WORD;
	case CONF_CHOICE:
		for (size_t i = 0; piece->choices[i] != NULL && token->keyword != NULL; i++)
			if (strcmp(piece->choices[i], token->keyword->name) == 0)
				return true;
		break;
	case CONF_STRING:
	case CONF_PATH:
		return token->kind == T_STRING;
	}
	return false;
}

const struct conf_piece *conf_form_next(const struct conf_form *form, size_t *index)
{
	const struct conf_piece *pieces = form->statement->pieces;
	if (form->owed)
		return (*index)++ == 0 ? &pieces[form->at] : NULL;
	for (size_t i = *index; pieces[i].type != CONF_NONE; i++)
		if (pieces[i].when == CONF_OPTION ||
		    (pieces[i].when == CONF_MAY && i >= form->at)) {
			*index = i + 1;
			return &pieces[i];
		}
	return NULL;
}

static bool is_word(const struct conf_token *token, const char *word)
{
	return word != NULL && token->keyword != NULL && strcmp(token->keyword->name, word) == 0;
}

static bool form_fits(const struct conf_form *form, const struct conf_piece *piece,
		      const struct conf_token *token, enum conf_part *ret)
{
	const bool worded = form->owed && form->worded;
	if (is_word(token, piece->zero))
		*ret = CONF_PART_ZERO;
	else if (piece->word != NULL && !worded)
		*ret = CONF_PART_WORD;
	else if (is_word(token, piece->instead))
		*ret = CONF_PART_INSTEAD;
	else
		*ret = CONF_PART_VALUE;
	if (*ret == CONF_PART_ZERO)
		return piece->word == NULL || !worded;
	if (*ret == CONF_PART_INSTEAD)
		return true;
	return *ret == CONF_PART_WORD ? is_word(token, piece->word) : conf_piece_fits(piece, token);
}

static void form_pass(struct conf_form *form, const struct conf_piece *piece, enum conf_part part)
{
	const struct conf_piece *pieces = form->statement->pieces;
	form->at = (size_t)(piece - pieces);
	form->worded = form->owed = part == CONF_PART_WORD;
	if (form->worded || piece->many)
		return;
	form->at++;
	form->owed = part != CONF_PART_ZERO && pieces[form->at].type != CONF_NONE &&
		     pieces[form->at].when == CONF_OWED;
}

static bool form_take(struct conf_form *form, const struct conf_token *token,
		      struct conf_value *value)
{
	size_t index = 0;
	for (const struct conf_piece *piece = conf_form_next(form, &index); piece != NULL;
	     piece = conf_form_next(form, &index)) {
		enum conf_part part;
		if (!form_fits(form, piece, token, &part))
			continue;
		value->piece = piece;
		value->part = part;
		form_pass(form, piece, part);
		return true;
	}
	return false;
}

const struct conf_statement *conf_statement_own(struct conf_parser *p, const char *word)
{
	const struct conf_block *block = conf_block_top(p);
	for (const struct conf_statement *s = block->statements; s != NULL && s->word != NULL; s++)
		if (strcmp(s->word, word) == 0)
			return s;
	for (const struct conf_statement *s = block->more; s != NULL && s->word != NULL; s++)
		if (strcmp(s->word, word) == 0)
			return s;
	return NULL;
}

const struct conf_statement *conf_statement_here(struct conf_parser *p,
						 const struct conf_keyword *keyword)
{
	const struct conf_statement *own = conf_statement_own(p, keyword->name);
	if (own != NULL)
		return own;
	return conf_block_top(p)->statements != NULL && keyword->blocks == CONF_BLOCK_OPTIONS
		   ? NULL
		   : keyword->statement;
}

static void form_begin(struct conf_form *form, const struct conf_statement *s)
{
	*form = (struct conf_form){.statement = s};
	form->owed = s->pieces[0].type != CONF_NONE && s->pieces[0].when == CONF_OWED;
}

/* Does the token after this one fit as the first piece of that statement, which is one of words? */
static bool choice_follows(const struct conf_parser *p, const struct conf_statement *s)
{
	struct conf_cursor ahead = p->source->cursor;
	struct conf_scanned next;
	const struct conf_piece *piece = &s->pieces[0];
	conf_scan(&ahead, &next);
	for (size_t i = 0; piece->type == CONF_CHOICE && piece->choices[i] != NULL; i++)
		if (next.kind == T_WORD &&
		    strlen(piece->choices[i]) == (size_t)(next.end - next.begin) &&
		    memcmp(piece->choices[i], next.begin, strlen(piece->choices[i])) == 0)
			return true;
	return false;
}

/* Some words are options of one statement and begin another: `header` of a response and `header
 * set`; `methods` of `cors` and those of a handler, which stand on a line of their own. */
static bool begins_statement(struct conf_parser *p, const struct conf_token *token)
{
	const struct conf_keyword *word = token->keyword;
	if (p->form.owed || word == NULL || (word->blocks & conf_block_top(p)->kind) == 0)
		return false;
	if (conf_statement_own(p, word->name) != NULL)
		return token->begins_line;
	return word->statement != NULL ? choice_follows(p, word->statement) : token->begins_line;
}

int conf_form_token(struct conf_parser *p, struct conf_value *value)
{
	const struct conf_token *token = &p->last;
	const struct conf_keyword *keyword = token->keyword;
	p->form_before = p->form;
	if (p->form.statement != NULL && !begins_statement(p, token) &&
	    form_take(&p->form, token, value))
		return p->form.owed ? T_MORE : T_DONE;
	p->form = (struct conf_form){.statement = NULL};
	/* `log rate` is not the filter `rate` */
	if (keyword == NULL || p->previous.kind == T_LOG)
		return token->kind;
	value->statement = conf_statement_here(p, keyword);
	if (value->statement == NULL)
		return keyword->statement != NULL ? T_INNER /* of another handler's options */
						  : token->kind;
	form_begin(&p->form, value->statement);
	/* A word of this block's own may be one of another statement elsewhere, too. */
	return value->statement->blocks == CONF_BLOCK_OPTIONS && value->statement->token == 0
		   ? T_OPTION
		   : token->kind;
}

/* --- messages --------------------------------------------------------------------------------- */

const char *conf_piece_meaning(const struct conf_piece *piece, char out[CONF_MEANING_MAX])
{
	static const struct {
		const char *noun, *example;
	} types[] = {
	    [CONF_NUMBER] = {"number", NULL}, [CONF_SIZE] = {"size", "16K"},
	    [CONF_MEMORY] = {"size", "256M"}, [CONF_DURATION] = {"duration", "10s"},
	    [CONF_RATE] = {"rate", "50/s"},   [CONF_STRING] = {"string", NULL},
	    [CONF_PATH] = {"path", NULL},     [CONF_NONE] = {"value", NULL},
	    [CONF_CHOICE] = {"word", NULL},   [CONF_WORD] = {"name", NULL},
	};
	const bool quoted = piece->type == CONF_STRING || piece->type == CONF_PATH;
	const char *noun = piece->noun != NULL ? piece->noun : types[piece->type].noun;
	const char *example = piece->example != NULL ? piece->example : types[piece->type].example;
	(void)snprintf(out, CONF_MEANING_MAX, "a %s%s%s%s", noun,
		       example != NULL ? " such as " : "", example != NULL ? example : "",
		       quoted ? CONF_IN_QUOTES : "");
	return out;
}

/* --- carrying it out -------------------------------------------------------------------------- */

static void duplicate_tell(struct conf_parser *p)
{
	const struct conf_piece *piece = &p->statement->pieces[p->given.piece];
	const unsigned bit = 1U << p->given.piece;
	if (piece->once && (p->options_given & bit) != 0)
		conf_error(p, &p->given.where, "duplicate `%s` in one statement", piece->word);
	p->options_given |= bit;
}

/* Once for a statement. */
static void alone_tell(struct conf_parser *p, const struct conf_where *at)
{
	if (!p->alone_told)
		conf_error(p, at, "nothing follows `%s %s`", p->statement->word,
			   p->statement->pieces[0].zero);
	p->alone_told = true;
}

void conf_alone_check(struct conf_parser *p, const struct conf_where *at)
{
	if (p->stands_alone)
		alone_tell(p, at);
}

static void statement_take(struct conf_parser *p)
{
	if (p->stands_alone) {
		alone_tell(p, &p->given.where);
		return;
	}
	p->stands_alone =
	    p->given.piece == 0 && p->given.count > 0 && p->given.values[0].part == CONF_PART_ZERO;
	duplicate_tell(p);
	if (p->statement->take != NULL)
		p->statement->take(p, &p->given);
	else
		conf_set(p, p->statement, &p->given);
}

void conf_begin(struct conf_parser *p, const struct conf_value *value,
		const struct conf_where *where)
{
	p->statement = value->statement;
	if (p->statement->take != NULL && !p->statement->repeats &&
	    (p->statement->blocks & CONF_BLOCK_OPTIONS) != 0)
		(void)conf_once(p, p->statement->word, where);
	p->options_given = 0;
	p->stands_alone = p->alone_told = false;
	p->given = (struct conf_group){.where = *where};
	if (p->statement->pieces[0].type == CONF_NONE)
		statement_take(p);
}

/* A piece that is not owed begins a group. */
void conf_more(struct conf_parser *p, const struct conf_value *value,
	       const struct conf_where *where)
{
	const struct conf_piece *piece = value->piece;
	struct conf_group *given = &p->given;
	if (piece->when != CONF_OWED &&
	    (value->part == CONF_PART_WORD || value->part == CONF_PART_ZERO || piece->word == NULL))
		*given = (struct conf_group){.piece = (size_t)(piece - p->statement->pieces),
					     .where = *where};
	if (value->part == CONF_PART_WORD)
		return;
	given->values[given->count] = *value;
	given->at[given->count++] = *where;
}

void conf_done(struct conf_parser *p, const struct conf_value *value,
	       const struct conf_where *where)
{
	conf_more(p, value, where);
	statement_take(p);
}
