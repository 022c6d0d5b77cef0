/*
 * What a statement looks like, as data: its words and its values. One description of a statement
 * drives its words, the parse, and the messages about what is missing; for a setting also its
 * bounds, its default, its inheritance and the canonical text. src/conf only.
 *
 * A statement is a word and pieces: first those that it owes, then one that it may have, then
 * options in any order. The grammar knows blocks and lists; form.c follows a statement through its
 * pieces.
 */
#ifndef CONF_STATEMENT_H
#define CONF_STATEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "conf/conf.h"
#include "grammar.h"

struct conf_keyword;
struct conf_location_draft;
struct conf_parser;
struct conf_port_draft;
struct conf_scope;

enum conf_type {
	CONF_NONE, /* the end of the pieces */
	CONF_NUMBER,
	CONF_SIZE,
	CONF_MEMORY, /* a size; its example is that of memory */
	CONF_DURATION,
	CONF_RATE,   /* so often: the value is of an hour */
	CONF_CHOICE, /* a word of choices; the value is its index */
	CONF_WORD,   /* of a list that the statement's take keeps; it has no member */
	CONF_STRING,
	CONF_PATH, /* a string; a path, which becomes absolute */
};

enum conf_when {
	CONF_OWED,   /* the statement, or the option before it, is not complete without */
	CONF_MAY,    /* may stand right after what is owed */
	CONF_OPTION, /* by its word, after that in any order */
};

/* A value, and the word before it. */
struct conf_piece {
	enum conf_type type;
	enum conf_when when;
	const char *word;    /* NULL: none */
	const char *noun;    /* "status", "user's name"; NULL: that of the type */
	const char *example; /* "200" */
	const char *what;    /* the subject of messages about its value; NULL: its words or noun */
	bool once;           /* of an option */
	bool many;           /* with CONF_MAY: any number of them */
	/* of numbers; most is also the bytes of a string */
	uint64_t least, most, preset;
	uint64_t floor;             /* the value is 0 or at least that; 0: there is no floor */
	const char *zero;           /* a word for 0, which stands alone; as the first
				     * piece, nothing else of the statement follows it */
	const char *instead;        /* of a string: a word in its place */
	const char *const *choices; /* ended by NULL; "" cannot be written, and is not dumped */
	size_t offset, size;        /* of a setting: its member ... */
	size_t path_offset;         /* of CONF_PATH: the other member, for the path itself */
	bool global;                /* ... in struct conf; else in struct conf_port */
};

/* Which processes read a setting, and so what its change means. */
enum conf_need {
	CONF_NEED_PROCESS, /* children, from their start on: they are replaced */
	CONF_NEED_CHILD,   /* children, who can be told later */
	CONF_NEED_MASTER,
};

#define CONF_PIECES_MAX 12

/* The tokens of a statement from its word or from one of its options on, until it is complete. */
struct conf_group {
	size_t piece;            /* the index of the first one */
	struct conf_where where; /* of the statement's word, or of the option's */
	struct conf_value values[2];
	struct conf_where at[2];
	size_t count;
};

struct conf_statement {
	const char *word;
	unsigned blocks; /* of enum conf_block_kind; 0: the grammar knows its word */
	int token;       /* of its own in the grammar; 0: that of all in these blocks */
	struct conf_piece pieces[CONF_PIECES_MAX];
	/* Its effect, of the pieces up to here; NULL: a setting (conf_set()). */
	void (*take)(struct conf_parser *, const struct conf_group *);
	bool has_options; /* a block with conf_kind.options may follow */
	bool repeats;     /* an option that may be given more than once */
	bool of_upstream; /* an option whose members are those of p->upstream */

	/* of a setting */
	enum conf_need need;
	const char *again;   /* the word in a message about a second one; NULL: its own */
	size_t where_offset; /* in struct conf: where it stands; 0: nobody asks */
	bool of_tls;         /* it has no effect without TLS */
	bool of_keys;        /* it has no effect without keyholders and verifiers */
	bool unwritten_zero; /* with 0 it is not in the canonical text */
	uint64_t unwritten;  /* with this value it is not in the canonical text; 0: it always is */
	/* Is it allowed at all? If not, that was reported. */
	bool (*allowed)(struct conf_parser *, const struct conf_where *);
	/* Do its values fit together? If not, that was reported. */
	bool (*agree)(struct conf_parser *, const struct conf_group *, const uint64_t *numbers);
};

/* --- settings: setting.c ---------------------------------------------------------------------- */

/* All settings, in the order of the canonical text. */
extern const struct conf_statement conf_settings[];
extern const size_t conf_settings_count;

#define CONF_SETTINGS_MAX 64 /* bits of conf_scope.set */

/* The setting with this word, which must exist. */
const struct conf_statement *conf_setting(const char *word);
/* Its bit in conf_scope.set. */
uint64_t conf_setting_bit(const struct conf_statement *);
void conf_set(struct conf_parser *, const struct conf_statement *, const struct conf_group *);
/* The values of a setting in its struct conf or struct conf_port: a number, or the index of a
 * choice; a string, or NULL. */
uint64_t conf_setting_number(const void *base, const struct conf_piece *);
const char *conf_setting_text(const void *base, const struct conf_piece *);
/* The defaults of a list of options, which ends with one without a word. */
void conf_options_preset(void *base, const struct conf_statement *list);
/* Writes one with its values: a line after that text. */
void conf_statement_dump(const struct conf_statement *, const void *base, const char *before,
			 FILE *);
/* The defaults, of the global settings too. */
void conf_settings_preset(struct conf_parser *, struct conf_port *values);
/* What is not set in a scope is as in the one around it. */
void conf_settings_inherit(struct conf_scope *, const struct conf_scope *outer);
/* The limit that is the default of this one, see LIMIT_AS(); NULL: none is. */
const struct conf_piece *conf_limit_origin(const struct conf_piece *);
/* Once all are known: limits that are not set and are as another one. */
void conf_limits_finish(struct conf_port *);
/* Like conf_set() for one value that the grammar has read; the word for 0 is a keyword there. */
void conf_set_value(struct conf_parser *, const char *word, const struct conf_value *,
		    const struct conf_where *where, const struct conf_where *at);

/* --- kinds: kind.c ---------------------------------------------------------------------------- */

/* A kind of handler or filter; conf/kinds.h lists them. */
struct conf_kind {
	struct conf_statement statement;
	/* Of a filter in place of the one above: its statements, ended by one without a word. Of a
	 * handler: others that may stand beside it. */
	const struct conf_statement *statements;
	/* What the block after it may have, ended by one without a word; NULL: there is no such
	 * block. Without take, its members are those of the options: of the struct that
	 * conf_handler_begin() was given, or that conf_filter_here() has made. */
	const struct conf_statement *options;
	const struct conf_statement *more_options; /* that it shares with others, in that block */
	unsigned methods; /* that a handler takes by default; 0: it has its own, and no `methods` */
	bool no_others;   /* it answers no other methods: `methods` can only leave some out */
	/* When the port is complete; NULL: nothing to check. */
	void (*check)(struct conf_parser *, struct conf_port_draft *,
		      const struct conf_location_draft *);
	/* Writes what the location has of this kind: whole lines. */
	void (*dump)(const struct conf_location *, FILE *);
	/* Bytes that a worker keeps for it, besides the structs of its location; NULL: none. */
	uint64_t (*bytes)(const struct conf_location *);

	/* The rest is of filters whose statements may stand in every place, not of faults. */

	/* The options of a place whose own statements say own; outer is of the place around it.
	 * NULL: its own take the place of the outer ones. */
	const void *(*inherit)(struct conf_parser *, const void *outer, const void *own);
	/* When all of a place is known, once for what its own statements say; NULL: nothing. */
	void (*finish)(struct conf_parser *, void *own);
	/* What the port's processes are handed for it: in the port, its hosts and locations. NULL:
	 * nothing. */
	void (*gather)(struct conf_parser *, struct conf_port_draft *, const void *own);
	/* Writes the statements: whole lines, each after the indent. */
	void (*write)(const void *own, const char *indent, FILE *);
	/* The bytes of its own options in a worker; NULL: few. */
	uint64_t (*size)(const void *own);
};

/* The blocks in which a handler stands. */
#define CONF_HANDLER_BLOCKS (CONF_BLOCK_PORT | CONF_BLOCK_HOST | CONF_BLOCK_LOCATION)
/* The blocks in which a filter stands: it is inherited inwards. */
#define CONF_FILTER_BLOCKS (CONF_BLOCK_TOP | CONF_HANDLER_BLOCKS)

const struct conf_kind *conf_handler_kind(enum conf_handler);
const struct conf_kind *conf_filter_kind(enum conf_filter);

/* For a handler's first take: chooses its location (the open one, else "/" of the host) and makes
 * these its options, as p->kind_options. A second handler of a location is checked and not used.
 * false: there is no location for it, and p->kind_options is NULL. */
bool conf_handler_begin(struct conf_parser *, enum conf_handler, void *options,
			const struct conf_where *);
/* For a filter's take: what the innermost place says of this kind so far, as p->kind_options: of
 * size bytes, which are 0 at first. NULL: no memory. */
void *conf_filter_here(struct conf_parser *, enum conf_filter, size_t size);
/* The word that begins a statement of that kind. */
const char *conf_kind_word(const struct conf_kind *);
/* The kinds that have an option of this name, by their words. Returns how many. */
#define CONF_KINDS             (CONF_HANDLERS + CONF_FILTERS)
#define CONF_OPTION_PLACES_MAX (CONF_KINDS + 2) /* and upstream, timeouts */
size_t conf_option_places(const char *word, const char *ret[CONF_OPTION_PLACES_MAX]);
/* A statement that may have a block of options begins; then the block. */
void conf_options_begin(struct conf_parser *, const struct conf_statement *);
void conf_options_open(struct conf_parser *, const struct conf_where *,
		       const struct conf_where *at);
/* That of the innermost block's own list; NULL: it has none of this word. */
const struct conf_statement *conf_statement_own(struct conf_parser *, const char *word);
/* The statement that a word begins in the innermost block; NULL: none. */
const struct conf_statement *conf_statement_here(struct conf_parser *, const struct conf_keyword *);

/* --- following a statement: form.c ------------------------------------------------------------ */

struct conf_token;

/* Where in its statement the next token stands. */
struct conf_form {
	const struct conf_statement *statement; /* NULL: in none of these */
	size_t at;                              /* the piece that is next */
	bool worded;                            /* its word has come */
	bool owed;                              /* the statement is not complete without it */
};

/* What a token is in its statement. */
enum conf_part { CONF_PART_WORD, CONF_PART_VALUE, CONF_PART_ZERO, CONF_PART_INSTEAD };

/* Follows the statements by p->last, and returns that token's kind for the grammar: MORE or DONE
 * for a token that fits into its statement, which DONE may end. */
int conf_form_token(struct conf_parser *, struct conf_value *);
/* Does the token fit as the value of this piece? */
bool conf_piece_fits(const struct conf_piece *, const struct conf_token *);
/* The last statement says `off`, and something at this place follows it: reports that. */
void conf_alone_check(struct conf_parser *, const struct conf_where *at);
/* The pieces that could come next: returns them one by one from *index (0 at first); NULL: that
 * were all. worded: only the value of it is left. */
const struct conf_piece *conf_form_next(const struct conf_form *, size_t *index);
/* "a number", "a status such as 200", "a body in quotes" */
#define CONF_MEANING_MAX 64
const char *conf_piece_meaning(const struct conf_piece *, char out[CONF_MEANING_MAX]);

/* Called by the grammar: the statement's word, and each of its further tokens. */
void conf_begin(struct conf_parser *, const struct conf_value *, const struct conf_where *);
void conf_more(struct conf_parser *, const struct conf_value *, const struct conf_where *);
void conf_done(struct conf_parser *, const struct conf_value *, const struct conf_where *);

#endif
