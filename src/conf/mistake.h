/*
 * One mistake: a token that does not fit. recover.c finds out what was meant and how the parse
 * continues, tell.c reports what is wrong. Included by these two only.
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
	bool at_end;                        /* the file ends here, or with this token */
	bool at_statement;                  /* a statement could begin here */
	const struct conf_keyword *keyword; /* the word, or the word that was probably meant */
	bool misspelt;                      /* ... the second */
	bool passed;                        /* its `}` is behind the cursor */
	bool dropped;                       /* only this token is wrong, and is skipped */
	/* blocks that the rest of the file leaves open (> 0), or closes without an opening (< 0) */
	long surplus;
	char shown[CONF_SHOWN_MAX];
	/* of what the statement wants next; "": the grammar knows */
	char value[CONF_MEANING_MAX], string[CONF_MEANING_MAX];
};

/* May the probable statement be in the innermost block? */
bool conf_mistake_begins_here(const struct mistake *);
/* How many open blocks of this file must end before the statement is allowed; 0: it does not
 * help. */
unsigned conf_mistake_levels_out(const struct mistake *);

/* Reports exactly one message about it, or none if the lexer has reported it. May set dropped;
 * clears keyword if the following text must not be read as that statement's. */
void conf_mistake_tell(struct mistake *);

#endif
