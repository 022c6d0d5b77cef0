/*
 * The state of one parse, for the files of src/conf only.
 *
 * One struct conf_parser lives as long as one call of conf_parse_*(). Everything that it allocates
 * comes from the arena of the configuration that it builds, so it is freed in one place on every
 * path. No function here returns an error: findings go to conf_error(), lack of memory sets
 * p->stop.
 */
#ifndef CONF_PARSER_H
#define CONF_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/network.h"
#include "base/num.h"
#include "conf/conf.h"
#include "grammar.h"
#include "statement.h"

#define CONF_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Bounds of a configuration that only the parser needs; conf/conf.h has the others. */
#define CONF_FILE_MAX          ((size_t)1 << 20) /* bytes of one file */
#define CONF_INCLUDES_MAX      1000              /* included files together, counting repetitions */
#define CONF_DEPTH_MAX         16                /* files open inside each other */
#define CONF_FINDINGS_MAX      50
#define CONF_PORT_NUMBERS_MAX  1000   /* ports of one block */
#define CONF_HOSTS_MAX         10000  /* of a port, without its default host */
#define CONF_HOST_NAMES_MAX    100000 /* of a port */
#define CONF_LOCATIONS_MAX     20000  /* of a port */
#define CONF_HEADERS_MAX       64     /* of a response */
#define CONF_HEADERS_BYTES_MAX 16384
#define CONF_LOCATION_PATH_MAX 4096
#define CONF_SOCKET_PATH_MAX   107  /* sun_path of unix(7) minus its terminator */
#define CONF_CONTROL_PATH_MAX  98   /* the same, minus the suffix of its temporary name */
#define CONF_ACCOUNT_MAX       32   /* the name of a user or a group */
#define CONF_WATCHDOG_MIN      3000 /* a loop waits for a signature for at most 2 s */
#define CONF_TICKETS_MIN       ((uint64_t)60000) /* ms; GnuTLS counts whole seconds */
#define CONF_FAULTS_MAX        64                /* of a location */
#define CONF_PRIORITY_MAX      1000              /* bytes of a priority of GnuTLS */

/* --- memory: tree.c --------------------------------------------------------------------------- */

struct conf_chunk;
struct text;

/* A configuration and its memory; conf comes first, so that conf_free() finds the rest. */
struct conf_tree {
	struct conf conf;
	struct conf_chunk *chunks;
};

struct conf_tree *conf_tree_new(void); /* NULL: out of memory */

struct conf_parser;

/* Returns zeroed memory that lives as long as the configuration, or NULL with p->stop set. */
void *conf_alloc(struct conf_parser *p, size_t size);
char *conf_copy(struct conf_parser *p, const void *data, size_t len); /* terminated */

/* Makes room for one more element in an array of count: returns the array, possibly a new one, or
 * NULL as above (the old one is still valid then). */
void *conf_grow(struct conf_parser *p, void *array, size_t count, size_t element_size);

void conf_out_of_memory(struct conf_parser *p);

/* --- words: keyword.c ------------------------------------------------------------------------- */

/* The blocks in which a statement may be, as bits. */
enum conf_block_kind {
	CONF_BLOCK_TOP = 1,
	CONF_BLOCK_PORT = 2,
	CONF_BLOCK_HOST = 4,
	CONF_BLOCK_LOCATION = 8,
	CONF_BLOCK_RESTART = 16,
	CONF_BLOCK_LIMITS = 32,
	CONF_BLOCK_TLS = 64,
	CONF_BLOCK_ERROR = 128,
	CONF_BLOCK_OPTIONS = 256, /* of a handler */
	CONF_BLOCK_LAST = CONF_BLOCK_OPTIONS,
};

struct conf_keyword {
	const char *name;
	int token;
	unsigned blocks; /* where it begins a statement; 0: it only continues one */
	const struct conf_statement *statement; /* which; NULL: the grammar knows it */
	const char *of; /* the statement to name if it stands alone; NULL: none in particular */
};

#define CONF_WORDS_MAX 384

/* All words of the language; made once for each parse. */
struct conf_words {
	struct conf_keyword list[CONF_WORDS_MAX];
	size_t count;
};

void conf_words_init(struct conf_words *);
const struct conf_keyword *conf_words_find(const struct conf_words *, const char *name, size_t len);
const struct conf_keyword *conf_keyword_find(const struct conf_parser *, const char *name,
					     size_t len);
const char *conf_block_word(enum conf_block_kind);  /* "port"; "": the top level */
const char *conf_block_place(enum conf_block_kind); /* "in a port block" */

/* --- suggest.c -------------------------------------------------------------------------------- */

/* Finds the name (NULLs are skipped) that is so similar to word that it was probably meant, or
 * NULL. A slip is a letter too many, too few, wrong, or two neighbours swapped. */
const char *conf_suggest(const char *word, size_t len, const char *const *names, size_t count);

/* --- foreign.c -------------------------------------------------------------------------------- */

/* A text in quotes that this language does not have: the bytes that open it, that are in it, that
 * close it. */
struct conf_quoted {
	size_t open, len, close; /* close 0: its end is missing on this line */
};

/* Does such a text begin at this byte, which is before the end? */
bool conf_foreign_quote(const char *at, const char *end, struct conf_quoted *ret);
/* The first curly or angled quote in these bytes; NULL: there is none. */
const char *conf_foreign_close(const char *begin, const char *end, size_t *ret_len);

/* The unit of this language for one such as "sec" or "s"; NULL: it is not a unit. */
const char *conf_foreign_unit(const char *word, size_t len);
/* Is the name of a fault's parameter really the unit of the value before it? `min` is a name. */
bool conf_is_blank_unit(const struct conf_value *name);

/* The first variable of another server in a text that clients are sent, such as "$host" or
 * "%{HTTP_HOST}"; in a header also "$" with any name. NULL: there is none. */
const char *conf_foreign_variable(const char *data, size_t len, bool header, size_t *ret_len);

/* What to write here for a statement of another server, as a sentence, or that Bulkhead has nothing
 * similar; NULL: it is not a word of another server. */
const char *conf_foreign_word(const char *word, size_t len);
/* The same in the block of an upstream, also for words that mean something elsewhere. */
const char *conf_foreign_upstream_word(const char *word, size_t len);
const char *conf_foreign_word_at(size_t index); /* all of them, for tests; NULL after the last */

/* --- text to tokens: lexer.c ------------------------------------------------------------------ */

/* The position in one text. It is copied to look ahead. */
struct conf_cursor {
	const char *at;
	const char *end;
	const char *line_begin;
	unsigned line;
	/* A text that begins after this line; NULL: none does. At the line's end the cursor goes on
	 * after the text's closing word, so many lines further. */
	const char *text_at;
	const char *text_end, *text_end_line;
	unsigned text_lines;
};

/* Another text has the same content at to that this one has at from. */
void conf_cursor_move(struct conf_cursor *, const char *from, const char *to);

/* A text that is being read; texts that include each other form a list. */
struct conf_source {
	struct conf_source *parent; /* the includer */
	struct conf_cursor cursor;
	/* for messages, and the name that was opened; owned by the configuration */
	const char *name;
	const char *directory; /* absolute; relative paths in it start there; NULL: not known yet */
	char *text;            /* allocated; NULL if the caller owns the text */
	unsigned blocks_base;  /* blocks that were open at its beginning */
	char **rest;           /* of a pattern: names of the files that follow */
	size_t rest_count;
	struct conf_where rest_where;       /* of the pattern */
	const struct conf_snippet *snippet; /* whose text it is; NULL: it is not a block's */
	bool cut;                           /* its end is missing, which was reported */
	bool file_ended;                    /* and the next one has not begun */
	uint64_t device, inode;
	bool is_file;
};

struct conf_token {
	int kind;
	struct conf_value value;
	struct conf_where where;
	const struct conf_keyword *keyword; /* NULL: it is not one */
	struct conf_value
	    written; /* as it is in the text, where a name was replaced; len 0: as it is */
	bool failed; /* a name in it could not be replaced, which was reported */
	bool begins_line;
	bool ends_file; /* an inserted semicolon: the next file of a pattern follows */
	bool again;     /* returned a second time after a mistake */
};

/* The next token for the parser: a pending one, else the next one of the innermost source. */
int conf_yylex(struct conf_value *, struct conf_where *, struct conf_parser *p);

/* A token, before it is decoded (scan.c). */
struct conf_scanned {
	int kind; /* T_OPEN, T_CLOSE, T_SEMICOLON, T_STRING, T_WORD; T_INCLUDE_END: the end */
	const char *begin, *end; /* of a string: without its quotes */
	unsigned line;
	unsigned column;
	bool begins_line;
	bool unterminated;
	bool lines;   /* unterminated, as it has line ends in it */
	bool foreign; /* a string in quotes that this language does not have */
	bool raw;     /* a string in which nothing is replaced */
	bool named;   /* a word with `${` */
	/* A string in the lines after it: up to the line with this closing word, and without the
	 * blanks before that. */
	bool text;
	const char *closing;
	size_t closing_len;
	unsigned text_line; /* its first line */
	const char *indent;
	size_t indent_len;
	unsigned near_line; /* begins with the closing word, and has more; 0: none does */
	bool odd;           /* in the form of another language */
};

/* Does this byte end a word? */
bool conf_ends_word(char c);

/* Finds the next token. */
void conf_scan(struct conf_cursor *, struct conf_scanned *);

/* Does a unit follow this value, which is the last token or the one before? */
bool conf_lexer_unit_follows(const struct conf_parser *p, const struct conf_where *value);

/* The number of blocks that the rest of this source opens minus those that it closes. */
long conf_lexer_balance(const struct conf_source *);

/* Skips the rest of a broken statement with its block: to the next line, past the next `;`, or
 * before a `}` that closes an earlier block. depth: blocks that are already open inside the
 * statement. */
void conf_lexer_skip(struct conf_source *, unsigned depth);

/* --- names of values: define.c ---------------------------------------------------------------- */

struct conf_define {
	const char *name;
	struct conf_value value;
	struct conf_where where;
};

/* A `${name}` in a string that no define has: of requests, meant literally, or a mistake. */
struct conf_unknown {
	const char *name;
	struct conf_where token, where; /* the string; the name in it */
};

/* What stands in place of a name. */
struct conf_expansion {
	const char *data;
	size_t len;
	size_t used;    /* bytes of the text that it replaces */
	bool is_source; /* a part of that text, which may have escapes */
	bool broken;    /* a mistake in it was reported */
};

/* Is there a name to be replaced? In a string one that is not known stays as it is. token, at:
 * where the token and the name begin. */
bool conf_expand(struct conf_parser *, const char *text, const char *end,
		 const struct conf_where *token, const struct conf_where *at, bool in_string,
		 struct conf_expansion *ret);
bool conf_is_name(const char *name, size_t len);
/* Is it a name? If not, that was reported. */
bool conf_name_check(struct conf_parser *, const struct conf_value *, const struct conf_where *at);
/* Warns of a `${name}` in a string where nothing else replaces it. */
void conf_unreplaced_tell(struct conf_parser *, const struct conf_value *,
			  const struct conf_where *at);
/* At the end: names that stand before their definition, or are misspelt. */
void conf_unknown_check(struct conf_parser *);

/* --- blocks with names: block.c --------------------------------------------------------------- */

struct conf_snippet {
	const char *name;
	struct conf_where where;
	struct conf_cursor cursor; /* its text */
	const char *file, *directory;
	bool is_file, used;
};

/* At the end: blocks that nothing uses. */
void conf_blocks_check(struct conf_parser *);

/* --- the state -------------------------------------------------------------------------------- */

/* Settings for all ports or for one; in a host its certificates alone. */
struct conf_scope {
	/* the settings in it; where they are not set, defaults. NULL in a host */
	struct conf_port *values;
	uint64_t set, broken; /* bits of conf_setting_bit(); broken: a mistake was in it */
	bool proxies_set;     /* `proxy protocol`, on or off */
	bool trusted_set;     /* `trust`, in the same way */
	bool tls_set;
	struct conf_certificate *certificates;
	size_t certificates_count;
	/* a mistake may have hidden a certificate: do not report it as missing */
	bool tls_damaged;
	struct conf_where plain_where; /* of `tls off`; line 0: it is not there */
	/* the first setting in it that has an effect only with TLS; NULL: none */
	const struct conf_statement *of_tls;
	struct conf_where of_tls_where;
	/* the first one that has an effect only with keys or passwords; NULL: none */
	const struct conf_statement *of_keys;
	struct conf_where of_keys_where;
	struct conf_client_draft *client; /* `client certificate`; NULL: as outside */
	/* of each list of its TLS policy, and of its priority; line 0: not given */
	struct conf_where tls_where[TLS_LISTS + 1];
	bool tls_choice_damaged; /* a mistake may have hidden a word of a list */
};

/* A `client certificate` statement. */
struct conf_client_draft {
	struct conf_client client; /* wish may be OFF */
	char *authority, *revoked; /* absolute; NULL: not given */
	bool damaged;
};

/* A URL of an upstream. */
struct conf_endpoint_draft {
	struct conf_endpoint endpoint;
	struct conf_where at;
	bool tls;
};

/* An upstream while it is read: of a block `upstream`, or of `proxy to`. */
struct conf_upstream_draft {
	struct conf_upstream upstream;         /* comes first: options are written into it */
	struct conf_endpoint_draft *endpoints; /* in the order of the text */
	size_t endpoints_count;
	size_t backups_count;
	const char *authority;         /* absolute; NULL: that of the system */
	const char *certificate, *key; /* absolute; NULL: none */
	struct conf_where verify_at, certificate_at, check_at, balance_at; /* line 0: not given */
	bool is_reference; /* `proxy to "NAME"`: its statements are elsewhere */
	bool hash;         /* `balance hash`, and what of is still to come */
	bool check_time;   /* `check` has `timeout` */
	bool damaged;      /* a mistake may have hidden a part of it */
	bool used;
	uint32_t number; /* its index in conf_port.upstreams */
};

/* A `methods` statement. */
struct conf_methods {
	unsigned set;            /* of CONF_METHOD_BIT */
	bool damaged;            /* a mistake was in it */
	struct conf_where where; /* line 0: there is none */
};

/* Files or folders that a port's processes are handed; numbered in the order of the canonical text,
 * which a child reads. */
struct conf_paths {
	uint32_t *slots; /* a hash table: a number plus 1; 0: free */
	size_t size;     /* a power of 2 */
};

/* The filters of a place while it is read, by kind; see struct conf_filters. */
struct conf_filters_draft {
	void *own[CONF_FILTERS];
	bool is_finished;
};

/* `path replace`, `path strip`. */
struct conf_proxy_path {
	const char *from, *to; /* to: NULL: not given */
	bool strip, damaged;
	struct conf_where where; /* line 0: there is none */
};

struct conf_location_draft {
	struct conf_location location;
	struct conf_filters_draft filters;
	struct conf_proxy_path path;
	const struct conf_host_draft *host; /* that it belongs to */
	struct conf_where fault_where;      /* of its first fault; line 0: none */
	size_t sequence;
};

struct conf_host_name {
	char *name; /* NULL: it has a mistake */
	struct conf_where where;
	size_t sequence;
};

struct conf_host_draft {
	struct conf_host host;
	struct conf_filters_draft filters; /* unused in the default host: its port's are */
	struct conf_scope scope;           /* unused in the default host: its port's is */
	struct conf_host_name *names;
	size_t names_count;
	struct conf_location_draft *locations;
	size_t locations_count;
	struct conf_methods methods; /* of its own handler ... */
	size_t own;                  /* ... its index in locations plus one; 0: none */
	size_t sequence;
	bool damaged; /* a mistake may have hidden a statement: report none as missing */
};

/* A number of a port block, or a range of them. */
struct conf_port_item {
	unsigned first, last; /* 0: it has a mistake */
	struct conf_where at;
	const struct conf_port_item *told; /* the one that it was last said to repeat */
};

/* A port block. Its ports share all that it makes, so a check must come out the same for each. */
struct conf_port_draft {
	struct conf_port port; /* number: the first one */
	struct conf_port_item *items;
	size_t items_count;
	struct conf_filters_draft filters;
	struct conf_scope scope;
	struct conf_host_draft **hosts; /* the first is the default host */
	size_t hosts_count;
	size_t names_count, locations_count;        /* of all hosts */
	struct conf_paths bodies, roots, passwords; /* of port.bodies, port.roots … */
	struct conf_paths authorities, revoked, upstream_authorities;
	struct conf_upstream_draft **upstreams; /* the blocks, in the order of the text */
	size_t upstreams_count;
	/* those of the port, by the index in port.upstreams */
	const struct conf_upstream_draft **numbered;
	size_t hosts_pairs; /* port.certificates of hosts: those of upstreams follow */
};

#define CONF_SEEN_MAX   64 /* at least as many as a block has statements */
#define CONF_BLOCKS_MAX 6

/* An open block. */
struct conf_block {
	enum conf_block_kind kind;
	struct conf_where where;
	bool *damaged; /* a mistake in the block sets it; may be NULL */
	/* The meaning of words in this block, ended by one without a word; NULL: as elsewhere. */
	const struct conf_statement *statements, *more;
	const char *options_of; /* the word of what these options are of; NULL: it has no options */
	struct conf_seen {
		const char *word;
		struct conf_where where;
	} seen[CONF_SEEN_MAX];
	unsigned seen_count;
};

struct conf_finding {
	enum conf_severity severity;
	struct conf_where where;
	size_t file; /* index in conf.files */
	size_t sequence;
	char *text;
};

struct conf_parser {
	struct conf_tree *tree;
	const struct conf_options *options;
	struct conf_paths names; /* of conf.files */
	char *working_directory; /* set when it was first needed */
	struct conf_words words;

	/* lexer */
	struct conf_source *source;
	size_t included_bytes;
	struct conf_token last;     /* the last token that the grammar got */
	struct conf_token previous; /* ... and before that */
	struct conf_token pending[CONF_BLOCKS_MAX + 3];
	unsigned pending_at, pending_count;
	unsigned includes, uses;
	char *scratch; /* of the token that is decoded */
	size_t scratch_len, scratch_size;
	struct conf_define *defines; /* sorted by name */
	size_t defines_count;
	struct conf_unknown *unknown;
	size_t unknown_count;
	struct conf_snippet **snippets;
	size_t snippets_count;
	struct conf_form form;        /* the statement at the next token */
	struct conf_form form_before; /* ... and at the last one */

	/* statements */
	struct conf_block blocks[CONF_BLOCKS_MAX]; /* the first is the top level */
	const struct conf_statement *statement;    /* that conf_begin() began */
	struct conf_group given;
	unsigned options_given;               /* bits of its pieces */
	bool stands_alone, alone_told;        /* it is `off`, and something follows */
	void *kind_options;                   /* of the handler or filter; NULL: it is not used */
	struct conf_upstream_draft *upstream; /* that options are of; NULL: it is not used */
	const struct conf_kind *kind;         /* the last one that may have a block of options */
	struct conf_scope top;
	struct conf_port top_values;
	struct conf_filters_draft top_filters;
	struct conf_scope *scope;          /* of the innermost host or port; else top */
	struct conf_port_draft *port;      /* NULL outside of a port */
	struct conf_port_draft *port_next; /* gets numbers before its block opens */
	struct conf_host_draft *host;      /* the open one, or the port's default host */
	struct conf_host_draft *host_next; /* gets names before its block opens */
	struct conf_error *error;          /* gets statuses before its block opens */
	bool error_damaged;
	struct conf_location_draft *location; /* the open block; NULL: none */
	struct conf_methods methods;          /* of that block */
	struct conf_where handler_where;
	size_t certificates_before; /* the open tls block */
	const char *certificate;    /* whose key has not come yet; NULL: none */
	struct conf_where certificate_where;
	struct conf_port_draft **ports;
	size_t ports_count;
	unsigned ports_all;    /* all their numbers */
	uint64_t copies_bytes; /* see CONF_COPIES_MAX */
	unsigned blocks_count;
	bool top_damaged;
	bool location_damaged;
	bool location_served; /* it already has its handler */
	struct fault *fault;  /* gets parameters; NULL: a fault that is not used */
	struct conf_where fault_where;
	bool fault_shifted; /* a unit was taken for a name: later mistakes in it are not reported */
	bool log_facility_given, log_path_given;

	/* findings */
	bool no_memory;
	bool stop; /* the rest does not matter any more */
	struct conf_finding *findings;
	size_t findings_count;
	size_t errors_count;
	size_t errors_told; /* without those that an earlier one equals */
	size_t warnings_count;
};

/* --- findings: report.c ----------------------------------------------------------------------- */

void conf_error(struct conf_parser *p, const struct conf_where *, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Like conf_error(), for a text that is allowed and was probably not meant. */
void conf_warning(struct conf_parser *p, const struct conf_where *, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Is there a finding at this very place? */
bool conf_found_at(const struct conf_parser *p, const struct conf_where *);
/* Reports all findings in the order of the text, file by file. */
void conf_findings_report(struct conf_parser *p, conf_report_fn *report, void *arg);

/* Makes a word from outside safe for a message: escapes it, and cuts it when it is long. */
#define CONF_SHOWN_MAX 64
#define CONF_IN_QUOTES " in quotes"
const char *conf_show(const struct conf_value *, char out[CONF_SHOWN_MAX]);
const char *conf_show_text(const char *, char out[CONF_SHOWN_MAX]);
/* "line 3", or "line 3 of other.conf" if that is another file than the message's. */
#define CONF_PLACE_MAX 160
const char *conf_place(const struct conf_where *there, const struct conf_where *here,
		       char out[CONF_PLACE_MAX]);

/* Adds an item of a list in quotes: "a", " or b" and so on, with that word before the last one. */
void conf_list_item(struct text *, const char *item, const char *quote, size_t at, size_t count,
		    const char *last);

/* --- mistakes: recover.c ---------------------------------------------------------------------- */

/* Describes the token that does not fit (p->last) and plans how to go on. */
void conf_mistake(struct conf_parser *p, const char *const *expected, size_t count);
/* Fills p->pending as planned; false: give up. */
bool conf_recover(struct conf_parser *p);

/* --- files: include.c ------------------------------------------------------------------------- */

/* Opens the file as the innermost source; an error is reported at where. Even then it adds an empty
 * source, so that the parser sees the end of an included file. */
void conf_source_open(struct conf_parser *p, const char *name, const struct conf_where *where);
/* Adds an empty source as the innermost one; NULL: no memory. */
struct conf_source *conf_source_push(struct conf_parser *p, const char *name);
/* May one more be opened inside the others? If not, it was reported. */
bool conf_depth_check(struct conf_parser *p, const struct conf_where *where);
void conf_source_text(struct conf_parser *p, const char *text, size_t len, const char *name);
/* The innermost source continues with the next file of its pattern, which must exist. */
void conf_source_next(struct conf_parser *p);
void conf_sources_free(struct conf_parser *p);
/* The absolute form of a path in the innermost source (or, without a source, on the command line).
 * Uses the file system only for getcwd(3). */
char *conf_path(struct conf_parser *p, const char *path, const struct conf_where *);

/* --- statements, called by the grammar. where: of the statement; at, at2: of its values ------- */

/* statement.c: the parts of all statements */
/* Where this block has the statement already; NULL: nowhere. */
const struct conf_where *conf_seen(struct conf_parser *p, const char *word);
/* if not, it was reported */
bool conf_once(struct conf_parser *p, const char *word, const struct conf_where *where);
/* Is it a C string: not empty, without NUL bytes, of at most max bytes? If not, it reports that;
 * what names the value. */
bool conf_plain(struct conf_parser *p, const char *what, size_t max, const struct conf_value *,
		const struct conf_where *at);
/* The same for a value in which variables of requests are replaced. */
bool conf_plain_variables(struct conf_parser *p, const char *what, size_t max,
			  const struct conf_value *, const struct conf_where *at);
bool conf_quantity(struct conf_parser *p, const char *what, enum conf_type, uint64_t min,
		   uint64_t max, const struct conf_value *, const struct conf_where *at,
		   uint64_t *ret);
const char *conf_quantity_format(enum conf_type, uint64_t value, char out[NUM_TEXT_MAX]);
void conf_block_open(struct conf_parser *p, enum conf_block_kind, const char *word,
		     const struct conf_where *where);
struct conf_block *conf_block_push(struct conf_parser *p, enum conf_block_kind,
				   const struct conf_where *where);
struct conf_block *conf_block_top(struct conf_parser *p); /* the innermost */
void conf_block_close(struct conf_parser *p);

/* network.c */
/* Reads an address, "ADDRESS/LENGTH" or "*"; if it is none of them, that was reported. */
bool conf_network(struct conf_parser *p, const struct conf_value *, const struct conf_where *at,
		  struct network *ret);
/* A line of the canonical text: the statement and its networks. */
void conf_networks_dump(const char *statement, const struct network *, size_t count, FILE *out);
/* A list of networks whose word about others is believed: `whose` they are, in plain English. */
struct conf_believed {
	const char *statement, *whose;
	struct network **list;
	size_t *count;
};
/* Warns of a network that is everybody, and of one that is listed already, which is left out. */
void conf_believed_add(struct conf_parser *p, const struct conf_value *,
		       const struct conf_where *at, const struct conf_believed *);

/* define.c, block.c */
void conf_define(struct conf_parser *p, const struct conf_value *name, const struct conf_value *,
		 const struct conf_where *where, const struct conf_where *at);
void conf_block_define(struct conf_parser *p, const struct conf_value *name,
		       const struct conf_where *where, const struct conf_where *at);
void conf_block_use(struct conf_parser *p, const struct conf_value *name,
		    const struct conf_where *where, const struct conf_where *at);

/* log.c */
void conf_log_to(struct conf_parser *p, int token, const struct conf_where *where);
void conf_log_facility(struct conf_parser *p, const struct conf_value *,
		       const struct conf_where *where, const struct conf_where *at);
void conf_log_path(struct conf_parser *p, int token, const struct conf_value *,
		   const struct conf_where *where, const struct conf_where *at);
const char *conf_facility_name(int facility);

/* tls.c */
void conf_add_certificate(struct conf_parser *p, const struct conf_value *,
			  const struct conf_where *where, const struct conf_where *at);
void conf_add_key(struct conf_parser *p, const struct conf_value *, const struct conf_where *where,
		  const struct conf_where *at);
void conf_tls_close(struct conf_parser *p);
void conf_tls_development(struct conf_parser *p, const struct conf_where *where);
void conf_tls_off(struct conf_parser *p, const struct conf_where *where);
/* At the beginning of `tls { ... }`. */
void conf_tls_open(struct conf_parser *p, const struct conf_where *where);
/* `development` in a tls block. */
void conf_tls_add_development(struct conf_parser *p, const struct conf_where *where);
/* What a port's `tls off` contradicts. */
void conf_tls_check(struct conf_parser *p, const struct conf_port_draft *);

/* tls_choice.c */
/* limits { exempt NETWORK ... } */
void conf_exempt(struct conf_parser *, const struct conf_group *);
void conf_exempt_dump(const struct conf_port *, const char *indent, FILE *);
void conf_tls_versions(struct conf_parser *, const struct conf_group *);
void conf_tls_groups(struct conf_parser *, const struct conf_group *);
void conf_tls_ciphers(struct conf_parser *, const struct conf_group *);
/* Is it in a port or at the top level? If not, that was reported. */
bool conf_tls_choice_allowed(struct conf_parser *, const struct conf_where *where);
bool conf_tls_priority_agrees(struct conf_parser *, const struct conf_group *,
			      const uint64_t *numbers);
/* After the settings are inherited: the lists, too; and is something left? */
void conf_tls_choice_finish(struct conf_parser *, struct conf_port_draft *);
void conf_tls_choice_dump(const struct tls_choice *, FILE *);

/* tls_client.c */
void conf_tls_client(struct conf_parser *, const struct conf_group *);
void conf_tls_client_check(struct conf_parser *); /* at the end of the block */
/* When the hosts of the port are complete. */
void conf_tls_clients_finish(struct conf_parser *, struct conf_port_draft *);
void conf_tls_client_dump(const struct conf_port *, const struct conf_host *, FILE *);

/* port.c */
void conf_port_open(struct conf_parser *p, const struct conf_where *where);
void conf_port_close(struct conf_parser *p);
void conf_add_address(struct conf_parser *p, const struct conf_value *,
		      const struct conf_where *at);
void conf_add_socket(struct conf_parser *p, const struct conf_value *, const struct conf_where *at);
void conf_location_open(struct conf_parser *p, const struct conf_value *, bool exact,
			const struct conf_where *where, const struct conf_where *at);
void conf_location_close(struct conf_parser *p);
/* Adds a location to the open host: "/" for its own handler. */
struct conf_location_draft *conf_location_add(struct conf_parser *p, char *path,
					      const struct conf_where *where);

/* port_number.c */
/* The port in an address: "443", "*:443", "[::1]:443", "a.b:443"; else NULL. */
const char *conf_port_in(const char *address);
/* The first number of a port block, before it; then the others. */
void conf_port_begin(struct conf_parser *p, const struct conf_value *, const struct conf_where *at);
void conf_port_number(struct conf_parser *p, const struct conf_value *,
		      const struct conf_where *at);
unsigned conf_port_numbers(const struct conf_port_draft *);
bool conf_port_has(const struct conf_port_draft *, unsigned number);
/* "port 8443"; "the port" when its number was wrong; "each of these ports". */
#define CONF_PORT_NAME_MAX 32
const char *conf_port_name(const struct conf_port_draft *, char out[CONF_PORT_NAME_MAX]);
/* At the end: reports numbers that come twice. */
void conf_port_numbers_check(struct conf_parser *p);

/* proxy.c: `proxy protocol`; the first of its networks, then the others. */
void conf_proxies_off(struct conf_parser *p, const struct conf_where *where);
void conf_proxies_first(struct conf_parser *p, const struct conf_value *,
			const struct conf_where *where, const struct conf_where *at);
void conf_proxies_add(struct conf_parser *p, const struct conf_value *,
		      const struct conf_where *at);
void conf_proxies_inherit(struct conf_scope *own, const struct conf_scope *outer);
void conf_proxies_dump(const struct conf_port *, FILE *);

/* trust.c: `trust` */
void conf_trust(struct conf_parser *p, const struct conf_group *);
void conf_trust_inherit(struct conf_scope *own, const struct conf_scope *outer);
void conf_trust_dump(const struct conf_port *, FILE *);

/* upstream.c */
extern const struct conf_statement conf_upstream_endpoints[]; /* of a block `upstream` ... */
extern const struct conf_statement conf_upstream_options[];   /* ... and also of `proxy to` */
extern const struct conf_statement conf_timeouts_statements[];
void conf_upstream_open(struct conf_parser *p, const struct conf_value *,
			const struct conf_where *where, const struct conf_where *at);
void conf_upstream_close(struct conf_parser *p);
void conf_timeouts_open(struct conf_parser *p, const struct conf_where *where);
/* One with the defaults; NULL: no memory. */
struct conf_upstream_draft *conf_upstream_new(struct conf_parser *p,
					      const struct conf_where *where);
/* May options be written into p->upstream? If not, that was reported. */
bool conf_upstream_allowed(struct conf_parser *p, const struct conf_where *where);
/* Adds an endpoint. */
void conf_upstream_add(struct conf_parser *p, struct conf_upstream_draft *,
		       const struct conf_value *, const struct conf_where *at, bool backup);
/* At the end of the block: what is missing, and what contradicts. */
void conf_upstream_check(struct conf_parser *p, struct conf_upstream_draft *);

/* upstream_url.c */
#define CONF_UPSTREAM_NAME_MAX 64
/* Is it a URL, and no name of an upstream? */
bool conf_upstream_is_url(const struct conf_value *);
/* Reads one; if it is none, that was reported. */
bool conf_upstream_url(struct conf_parser *p, const struct conf_value *,
		       const struct conf_where *at, struct conf_endpoint_draft *ret);
/* Reads "name", "name:port" for Host, in the form of its name; NULL: it is none, which was
 * reported. */
const char *conf_upstream_host(struct conf_parser *p, const struct conf_value *,
			       const struct conf_where *at);
/* The name of an upstream; if it is none, that was reported. */
bool conf_upstream_name(struct conf_parser *p, const struct conf_value *,
			const struct conf_where *at);

/* upstream_finish.c */
/* Gives the blocks their numbers, when all of the port is known. */
void conf_upstreams_begin(struct conf_parser *p, struct conf_port_draft *);
/* The one that a location's requests go to gets a number, an equal one the same. */
uint32_t conf_upstream_number(struct conf_parser *p, struct conf_port_draft *,
			      struct conf_upstream_draft *);
/* The block of that name; NULL: there is none. */
struct conf_upstream_draft *conf_upstream_find(const struct conf_port_draft *, const char *name);
/* Afterwards: what nothing uses, and what leads back to the port. */
void conf_upstreams_end(struct conf_parser *p, struct conf_port_draft *);

/* upstream_dump.c */
void conf_upstreams_dump(const struct conf_port *, FILE *);
/* The statements of one that has no block, each line after the indent. */
void conf_upstream_dump(const struct conf_upstream_draft *, const char *indent, FILE *);

/* host.c */
/* The first name of a host, before its block; then the others. */
void conf_host_begin(struct conf_parser *p, const struct conf_value *, const struct conf_where *at);
void conf_host_name(struct conf_parser *p, const struct conf_value *, const struct conf_where *at);
void conf_host_open(struct conf_parser *p, const struct conf_where *where);
void conf_host_close(struct conf_parser *p);
/* Adds a host to the open port, without names; NULL: no memory. */
struct conf_host_draft *conf_host_add(struct conf_parser *p, const struct conf_where *where);
/* At the end of the port's or host's block: `methods` outside of its locations. */
void conf_host_methods_end(struct conf_parser *p, const char *block);

/* host_name.c */
/* The form in which names of hosts are compared (struct conf_host), in the arena; NULL: it is no
 * such name, which was reported. */
char *conf_host_name_normalize(struct conf_parser *p, const struct conf_value *,
			       const struct conf_where *at);

/* error.c */
/* The first status of an error, before its block; then the others. */
void conf_error_begin(struct conf_parser *p, const struct conf_value *,
		      const struct conf_where *where, const struct conf_where *at);
void conf_error_status(struct conf_parser *p, const struct conf_value *,
		       const struct conf_where *at);
void conf_error_open(struct conf_parser *p, const struct conf_where *where);
void conf_error_close(struct conf_parser *p);
/* Numbers the files of these errors. */
void conf_errors_finish(struct conf_parser *p, struct conf_port_draft *, struct conf_error *,
			size_t count);
void conf_errors_dump(const struct conf_error *, size_t count, const char *indent, FILE *);
uint64_t conf_errors_bytes(const struct conf_error *, size_t count);

/* path.c */
/* Is it a path as locations have it? If not, that was reported. */
bool conf_path_check(struct conf_parser *p, const char *what, const struct conf_value *path,
		     const struct conf_where *at);
/* The number of a path in the list of a port, which it is added to. 0: there are too many, or there
 * is no memory; what names them. */
uint32_t conf_paths_add(struct conf_parser *p, struct conf_paths *, struct conf_path **list,
			size_t *count, size_t most, const char *what, const char *path,
			const struct conf_where *where);
/* The name of a file for struct conf_where: one copy, however often the file is opened. NULL: no
 * memory. */
const char *conf_file_name(struct conf_parser *p, const char *name);

/* method.c */
void conf_methods_any(struct conf_parser *p, const struct conf_where *where);
void conf_methods_first(struct conf_parser *p, const struct conf_value *,
			const struct conf_where *where, const struct conf_where *at);
void conf_methods_add(struct conf_parser *p, const struct conf_value *,
		      const struct conf_where *at);
/* At the end of a block: sets the methods of its own handler; handler is NULL if there is none. */
void conf_methods_end(struct conf_parser *p, const struct conf_methods *,
		      struct conf_location *handler);
extern const char *const conf_method_names[CONF_METHODS]; /* method_name.c */

/* method_add.c */
/* Adds the method with that name to a set; if it is none, that was reported. */
bool conf_method_add(struct conf_parser *p, unsigned *set, const struct conf_value *,
		     const struct conf_where *at);

/* handler.c */
/* Warns of a variable of another server in a value that is sent as it stands. */
void conf_variables_tell(struct conf_parser *, const struct conf_value *, bool header,
			 const struct conf_where *at);

/* variable.c */
extern const struct conf_variable_text {
	const char *text; /* "${host}" */
	size_t len;
	bool of_path;
} conf_variables[];
/* The variable that the text begins with, or CONF_NO_VARIABLE. */
enum conf_variable conf_variable_at(const char *at);
/* Is every `${` the beginning of a variable? If not, that was reported. */
bool conf_variables_check(struct conf_parser *, const char *text, const struct conf_where *at);
/* Reports variables of other servers. true: it cannot stand there, else it is only warned of. */
bool conf_variables_foreign(struct conf_parser *, const char *text, const struct conf_where *at);

/* header_rules.c: what the filters header and request have in common; see struct conf_kind. */
enum {
	CONF_HEADER_OPERATION,
	CONF_HEADER_NAME,
	CONF_HEADER_VALUE,
	CONF_HEADER_ALWAYS,
	CONF_HEADER_ON,
	CONF_HEADER_MORE_ON
};
extern const char *const conf_header_operations[]; /* ended by NULL */
/* Can there be rules for this field? If not, that was reported. */
typedef bool conf_header_names(struct conf_parser *p, const struct conf_value *name,
			       const struct conf_where *at);
void conf_header_take(struct conf_parser *p, enum conf_filter, const char *word,
		      conf_header_names *, const struct conf_group *);
void conf_header_finish(struct conf_parser *p, void *own);
const void *conf_header_inherit(struct conf_parser *p, const void *outer, const void *own);
void conf_header_write(const void *own, const char *word, const char *indent, FILE *);
uint64_t conf_header_size(const void *own);

/* kind_respond.c: the handler of a location that has only faults */
void conf_respond_default(struct conf_parser *, const char *text, const struct conf_where *);
/* What stands in an `error` block; its response becomes that of p->error. */
extern const struct conf_statement conf_error_statements[];
void conf_error_respond(struct conf_parser *, const struct conf_where *);
bool conf_respond_has_body(const struct conf_respond *);
/* Numbers the file of a response; writes what follows its status; the bytes of its texts. */
void conf_respond_finish(struct conf_parser *, struct conf_port_draft *,
			 const struct conf_respond *);
void conf_respond_dump(const struct conf_respond *, FILE *);
uint64_t conf_respond_bytes(const struct conf_respond *);
/* A value of a field (RFC 9110, 5.5); if not, it was reported. */
bool conf_field_check(struct conf_parser *, const char *what, const struct conf_value *,
		      const struct conf_where *at);
/* The name of a field that the server does not make itself, in the same way. */
bool conf_field_name_check(struct conf_parser *, const struct conf_value *,
			   const struct conf_where *at);
/* A media type (base/media_type.h), in the same way. */
bool conf_type_check(struct conf_parser *, const struct conf_value *, const struct conf_where *at);

/* kind_proxy.c: at the end of a location: `path` is for `proxy` alone. */
void conf_proxy_path_end(struct conf_parser *p);

/* kind_fault_control.c */
void conf_fault_control(struct conf_parser *p, const struct conf_where *where);

/* kind_fault.c */
void conf_fault(struct conf_parser *p, const struct conf_value *kind,
		const struct conf_where *where, const struct conf_where *at);
void conf_fault_parameter(struct conf_parser *p, const struct conf_value *name,
			  const struct conf_value *value, const struct conf_where *at);
void conf_fault_end(struct conf_parser *p); /* reports contradictions in the last one */

/* filter.c */
/* What each place of the port has, with those of the places around it; before its hosts are
 * finished. */
void conf_filters_finish(struct conf_parser *, struct conf_port_draft *);
/* Writes what a place says itself, if that is not the outer place's. */
void conf_filters_dump(const struct conf_filters *, const struct conf_filters *outer,
		       const char *indent, FILE *);
/* The bytes of it. */
uint64_t conf_filters_bytes(const struct conf_filters *, const struct conf_filters *outer);

/* include.c */
void conf_include(struct conf_parser *p, const struct conf_value *, const struct conf_where *where,
		  const struct conf_where *at);
void conf_include_end(struct conf_parser *p);

/* --- check.c ---------------------------------------------------------------------------------- */

void conf_defaults(struct conf_parser *p);

/* After the last token: inheritance, missing statements, contradictions; fills tree->conf. */
void conf_check(struct conf_parser *p);

/* check_host.c: the hosts of the port, with their certificates and sorted locations. */
void conf_hosts_finish(struct conf_parser *p, struct conf_port_draft *);
/* Where the certificates of the default host are: in the port or at the top level. */
const struct conf_scope *conf_certificates_scope(const struct conf_parser *,
						 const struct conf_port_draft *);
/* The location that covers a path; afterwards only. NULL: none does. */
const struct conf_location *conf_host_locate(const struct conf_host_draft *, const char *path,
					     size_t len);

/* --- dump.c ----------------------------------------------------------------------------------- */

/* Writes a string in quotes, so that a terminal shows its real content. */
void conf_put_string(FILE *, const char *data, size_t len);
/* Writes before, then the string in quotes. */
void conf_put(FILE *, const char *before, const char *string);

#endif
