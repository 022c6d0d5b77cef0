/*
 * Text to tokens. Runs in the master and, on the text of its own port, in every child. Must never
 * read past the end of a source nor report a mistake twice.
 *
 * scan() only finds where tokens begin and end. The grammar, the skipping of broken statements and
 * the look-ahead all use it, so they agree on what a string or a comment is.
 */
#include <string.h>

#include "base/num.h"
#include "parser.h"

struct scanned {
	int kind; /* T_OPEN, T_CLOSE, T_SEMICOLON, T_STRING, T_WORD; T_INCLUDE_END: the end */
	const char *begin, *end; /* of a string: without its quotes */
	unsigned line;
	unsigned column;
	bool begins_line;
	bool unterminated;
	bool lines;   /* unterminated, as it has line ends in it */
	bool foreign; /* a string in quotes that this language does not have */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v' ||
	       c == '\0';
}

static bool ends_word(char c)
{
	return is_blank(c) || c == ';' || c == '{' || c == '}' || c == '"' || c == '#';
}

/* Skips blanks, line ends and comments; true if there was a line end. */
static bool skip_blanks(struct conf_cursor *c)
{
	bool new_line = c->at == c->line_begin;
	while (c->at < c->end) {
		if (*c->at == '#') {
			while (c->at < c->end && *c->at != '\n')
				c->at++;
		} else if (*c->at == '\n') {
			c->line++;
			c->line_begin = ++c->at;
			new_line = true;
		} else if (is_blank(*c->at)) {
			c->at++;
		} else {
			break;
		}
	}
	return new_line;
}

/* A string that ends in a curly quote, or in a single quote on the same line. */
static bool scan_foreign_close(struct conf_cursor *c, struct scanned *s)
{
	size_t len = 0;
	const char *tail = s->end, *close = conf_foreign_close(s->begin, s->end, &len);
	while (tail > s->begin && strchr(" \t\r;}", tail[-1]) != NULL && tail[-1] != '\0')
		tail--;
	if (close == NULL && tail - s->begin > 0 && tail[-1] == '\'') {
		close = tail - 1;
		len = 1;
	}
	if (close == NULL)
		return false;
	s->end = close;
	s->foreign = true;
	c->at = close + len;
	return true;
}

/* Does the next quote end a string of several lines? A blank or the like follows it then, while the
 * text of another string follows its first quote. */
static bool scan_lines(struct conf_cursor *c, struct scanned *s)
{
	const char *at = memchr(s->end, '"', (size_t)(c->end - s->end));
	if (at == NULL || (at + 1 < c->end && strchr(" \t\r\n;}", at[1]) == NULL))
		return false;
	for (const char *l = s->end; l < at; l++)
		if (*l == '\n') {
			c->line++;
			c->line_begin = l + 1;
		}
	s->end = at;
	c->at = at + 1;
	s->unterminated = s->lines = true;
	return true;
}

/* A string without an end ends with its line, but before text that looks like the end of the
 * surrounding block: `{ respond 200 "Hello }` is then one mistake, and not a missing brace as
 * well. */
static void scan_string(struct conf_cursor *c, struct scanned *s)
{
	s->begin = ++c->at;
	while (c->at < c->end && *c->at != '"' && *c->at != '\n') {
		bool pair = *c->at == '\\' && c->end - c->at > 1 && c->at[1] != '\n';
		c->at += pair ? 2 : 1;
	}
	s->end = c->at;
	if (c->at < c->end && *c->at == '"') {
		c->at++;
		return;
	}
	if (scan_foreign_close(c, s) || scan_lines(c, s))
		return;
	s->unterminated = true;
	const char *tail = s->end;
	while (tail > s->begin && strchr(" \t\r;}", tail[-1]) != NULL && tail[-1] != '\0')
		tail--;
	if (memchr(tail, '}', (size_t)(s->end - tail)) != NULL)
		c->at = s->end = tail;
}

static void scan_word(struct conf_cursor *c, struct scanned *s)
{
	struct conf_quoted quoted;
	s->foreign = conf_foreign_quote(c->at, c->end, &quoted);
	if (s->foreign) {
		s->kind = T_STRING;
		s->begin = c->at + quoted.open;
		s->end = s->begin + quoted.len;
		c->at = s->end + quoted.close;
		return;
	}
	s->kind = T_WORD;
	while (c->at < c->end && !ends_word(*c->at))
		c->at++;
	s->end = c->at;
}

static void scan(struct conf_cursor *c, struct scanned *s)
{
	*s = (struct scanned){.kind = T_INCLUDE_END};
	s->begins_line = skip_blanks(c);
	s->begin = s->end = c->at;
	s->line = c->line;
	s->column = (unsigned)(c->at - c->line_begin) + 1;
	if (c->at == c->end)
		return;
	switch (*c->at) {
	case '{':
		s->kind = T_OPEN;
		break;
	case '}':
		s->kind = T_CLOSE;
		break;
	case ';':
		s->kind = T_SEMICOLON;
		break;
	case '"':
		s->kind = T_STRING;
		scan_string(c, s);
		return;
	default:
		scan_word(c, s);
		return;
	}
	s->end = ++c->at;
}

/* Decodes the escape at s (after its backslash): returns the byte, or -1, and sets its length. */
static int unescape(const char *s, const char *end, size_t *ret_used)
{
	*ret_used = 1;
	switch (*s) {
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	case '"':
	case '\\':
		return *s;
	case 'x':
		if (end - s < 3 || num_hex_digit(s[1]) < 0 || num_hex_digit(s[2]) < 0)
			return -1;
		*ret_used = 3;
		return num_hex_digit(s[1]) * 16 + num_hex_digit(s[2]);
	default:
		return -1;
	}
}

static void bad_escape(struct conf_parser *p, const struct conf_where *at, const char *s,
		       size_t len)
{
	struct conf_value shown = {.data = s, .len = len};
	char text[CONF_SHOWN_MAX];
	if (*s == 'x')
		conf_error(p, at, "`\\x` takes two hexadecimal digits");
	else
		conf_error(p, at,
			   "unknown escape `\\%s`; there are \\n, \\r, \\t, \\\", \\\\ and \\xHH",
			   conf_show(&shown, text));
}

/* The most bytes that the string can have: a child keeps what it allocates, and a canonical text is
 * up to four times as long as its meaning. */
static size_t decoded_room(const struct scanned *s)
{
	size_t room = 0;
	for (const char *in = s->begin; in < s->end; in++, room++) {
		size_t used = 1;
		if (*in == '\\' && in + 1 < s->end) {
			(void)unescape(in + 1, s->end, &used);
			in += used;
		}
	}
	return room;
}

/* Decodes a string. Reports invalid escapes, unless the end of the string is missing. */
static void decode_string(struct conf_parser *p, const struct scanned *s, struct conf_token *token)
{
	size_t len = 0;
	char *out = conf_alloc(p, decoded_room(s) + 1);
	if (out == NULL)
		return;
	for (const char *in = s->begin; in < s->end;) {
		if (*in != '\\') {
			out[len++] = *in++;
			continue;
		}
		size_t used = 1;
		int byte = in + 1 < s->end ? unescape(in + 1, s->end, &used) : -1;
		if (byte >= 0) {
			out[len++] = (char)byte;
		} else if (!s->unterminated && !s->foreign) {
			struct conf_where at = token->where;
			at.column += (unsigned)(in - s->begin) + 1;
			bad_escape(p, &at, in + 1, 1);
			token->value.broken = true;
		}
		in += 1 + used;
	}
	token->value.data = out;
	token->value.len = len;
}

/* Does the file end here, inside a block? That is the mistake, which the next token reports: the
 * text here may be incomplete. */
static bool cut_in_block(const struct conf_parser *p, const char *end)
{
	return end == p->source->cursor.end && p->blocks_count > p->source->blocks_base;
}

/* The text after the missing quote is lost, so nothing else is reported as missing in the block. */
static void miss_quote(struct conf_parser *p, const struct scanned *s, struct conf_token *token)
{
	struct conf_block *block = conf_block_top(p);
	token->value.broken = true;
	if (block->damaged != NULL)
		*block->damaged = true;
	if (s->lines)
		conf_error(
		    p, &token->where,
		    "the string has no closing quote on its line: write `\\n` for a line end "
		    "in it");
	else if (!cut_in_block(p, s->end))
		conf_error(p, &token->where, "the string has no closing quote on its line");
}

static void foreign_quotes_tell(struct conf_parser *p, struct conf_token *token)
{
	char shown[CONF_SHOWN_MAX];
	token->value.broken = token->value.foreign = true;
	conf_error(p, &token->where, "strings stand in double quotes: \"%s\"",
		   conf_show(&token->value, shown));
}

/* The files of a pattern follow each other in one source. A semicolon separates them, so that no
 * statement begins in one file and ends in the next; a block that is still open is reported first,
 * as at the end of any file. */
static bool between_files(const struct conf_parser *p, const struct scanned *s)
{
	return s->kind == T_INCLUDE_END && p->source->rest_count > 0 &&
	       p->blocks_count == p->source->blocks_base;
}

/* `workers = 4`, `log: console`: signs of other languages, which are reported and skipped. At the
 * end of a file it may be part of something else. */
static bool is_sign(const struct conf_source *source, const struct scanned *s)
{
	static const char *const signs[] = {"=", ":", ",", "==", ":=", "=>", "->"};
	const size_t len = (size_t)(s->end - s->begin);
	for (size_t i = 0; i < CONF_COUNT(signs) && s->kind == T_WORD; i++)
		if (strlen(signs[i]) == len && memcmp(signs[i], s->begin, len) == 0)
			return s->end < source->cursor.end;
	return false;
}

static void sign_tell(struct conf_parser *p, const struct scanned *s)
{
	const struct conf_where at = {
	    .file = p->source->name, .line = s->line, .column = s->column};
	const struct conf_value sign = {.data = s->begin, .len = (size_t)(s->end - s->begin)};
	char shown[CONF_SHOWN_MAX];
	conf_error(p, &at, "leave out the `%s`: blanks separate a statement from its values",
		   conf_show(&sign, shown));
}

static void read_token(struct conf_parser *p, struct conf_token *token)
{
	struct scanned s;
	if (p->source->file_ended)
		conf_source_next(p);
	for (scan(&p->source->cursor, &s); is_sign(p->source, &s) && !p->stop;
	     scan(&p->source->cursor, &s))
		sign_tell(p, &s);
	p->source->file_ended = between_files(p, &s);
	if (p->source->file_ended)
		s.kind = T_SEMICOLON;
	*token = (struct conf_token){
	    .kind = s.kind,
	    .where = {.file = p->source->name, .line = s.line, .column = s.column},
	    .begins_line = s.begins_line,
	    .ends_file = p->source->file_ended,
	    .value = {.data = ""},
	};
	if (s.kind == T_STRING) {
		decode_string(p, &s, token);
		if (s.unterminated)
			miss_quote(p, &s, token);
		if (s.foreign)
			foreign_quotes_tell(p, token);
	} else if (s.kind == T_WORD) {
		size_t len = (size_t)(s.end - s.begin);
		const struct conf_keyword *keyword = conf_keyword_find(p, s.begin, len);
		const char *data = keyword != NULL ? keyword->name : conf_copy(p, s.begin, len);
		token->kind = keyword != NULL ? keyword->token : T_WORD;
		token->keyword = keyword;
		if (data != NULL)
			token->value = (struct conf_value){
			    .data = data, .len = len, .broken = cut_in_block(p, s.end)};
	} else if (s.kind == T_INCLUDE_END && p->source->parent == NULL) {
		token->kind = T_YYEOF;
	}
	token->value.token = token->kind;
}

int conf_yylex(struct conf_value *value, struct conf_where *where, struct conf_parser *p)
{
	p->previous = p->last;
	if (p->pending_at < p->pending_count)
		p->last = p->pending[p->pending_at++];
	else if (p->stop)
		p->last.kind = T_YYEOF;
	else
		read_token(p, &p->last);
	*value = p->last.value;
	*where = p->last.where;
	return conf_form_token(p, value);
}

bool conf_lexer_unit_follows(const struct conf_parser *p, const struct conf_where *value)
{
	const struct conf_token *next = &p->last;
	struct conf_cursor cursor = p->source->cursor;
	struct scanned s;
	if (next->where.line != value->line || next->where.column != value->column)
		return next->kind == T_WORD && !next->begins_line &&
		       conf_foreign_unit(next->value.data, next->value.len) != NULL;
	scan(&cursor, &s);
	return s.kind == T_WORD && !s.begins_line &&
	       conf_foreign_unit(s.begin, (size_t)(s.end - s.begin)) != NULL;
}

long conf_lexer_balance(const struct conf_source *source)
{
	struct conf_cursor cursor = source->cursor;
	struct scanned s;
	long open = 0;
	for (scan(&cursor, &s); s.kind != T_INCLUDE_END; scan(&cursor, &s))
		open += (s.kind == T_OPEN) - (s.kind == T_CLOSE);
	return open;
}

void conf_lexer_skip(struct conf_source *source, unsigned depth)
{
	struct conf_cursor *c = &source->cursor;
	for (;;) {
		struct conf_cursor before = *c;
		struct scanned s;
		scan(c, &s);
		/* a `{` still belongs to the statement */
		bool next_line = s.begins_line && s.kind != T_OPEN;
		if (s.kind == T_INCLUDE_END || (depth == 0 && (next_line || s.kind == T_CLOSE))) {
			*c = before;
			return;
		}
		if (s.kind == T_SEMICOLON && depth == 0)
			return;
		if (s.kind == T_OPEN)
			depth++;
		else if (s.kind == T_CLOSE && --depth == 0)
			return;
	}
}
