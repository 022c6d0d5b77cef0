/*
 * One mistake: a token that does not fit. recover.c finds out what was meant and how the parse goes
 * on, tell.c says what is wrong. Nobody else includes this.
 */
#ifndef CONF_MISTAKE_H
#define CONF_MISTAKE_H

#include "parser.h"

#define CONF_EXPECTED_MAX 128

struct mistake {
	struct conf_parser *p;
	const struct conf_token *token; /* p->last, or the one before: find_key() in recover.c */
	const char *words[CONF_EXPECTED_MAX]; /* keywords that would fit */
	size_t words_count;
	bool wants_value, wants_string, wants_open;
	bool at_end;                        /* the file ends, or ends with this token */
	bool at_statement;                  /* a statement could begin here */
	const struct conf_keyword *keyword; /* what the token is, or probably was meant to be */
	bool misspelt;                      /* ... the latter */
	bool dropped;                       /* only this token is wrong, and goes */
	long surplus; /* blocks that the rest of the file leaves open (> 0), or closes
			 though nobody opened them (< 0) */
	char shown[CONF_SHOWN_MAX];
};

/* May the statement that was probably meant stand in the innermost block? */
bool conf_mistake_begins_here(const struct mistake *);
/* How many of this file's open blocks must end before the statement can stand; 0: none helps. */
unsigned conf_mistake_levels_out(const struct mistake *);

/* Exactly one message about it, and none where the lexer has told it. May set dropped, and clears
 * keyword where what follows is not to be read as that statement's. */
void conf_mistake_tell(struct mistake *);

#endif
