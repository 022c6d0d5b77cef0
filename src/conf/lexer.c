/*
 * Text to tokens. Runs in the master and, on the text of its own port, in every child. Must never
 * read past the end of a source nor report a mistake twice.
 */
#include <string.h>

#include "base/num.h"
#include "parser.h"

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
static size_t decoded_room(const struct conf_scanned *s)
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
static void decode_string(struct conf_parser *p, const struct conf_scanned *s,
			  struct conf_token *token)
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
static void miss_quote(struct conf_parser *p, const struct conf_scanned *s,
		       struct conf_token *token)
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
static bool between_files(const struct conf_parser *p, const struct conf_scanned *s)
{
	return s->kind == T_INCLUDE_END && p->source->rest_count > 0 &&
	       p->blocks_count == p->source->blocks_base;
}

/* `workers = 4`, `log: console`: signs of other languages, which are reported and skipped. At the
 * end of a file it may be part of something else. */
static bool is_sign(const struct conf_source *source, const struct conf_scanned *s)
{
	static const char *const signs[] = {"=", ":", ",", "==", ":=", "=>", "->"};
	const size_t len = (size_t)(s->end - s->begin);
	for (size_t i = 0; i < CONF_COUNT(signs) && s->kind == T_WORD; i++)
		if (strlen(signs[i]) == len && memcmp(signs[i], s->begin, len) == 0)
			return s->end < source->cursor.end;
	return false;
}

static void sign_tell(struct conf_parser *p, const struct conf_scanned *s)
{
	const struct conf_where at = {
	    .file = p->source->name, .line = s->line, .column = s->column};
	const struct conf_value sign = {.data = s->begin, .len = (size_t)(s->end - s->begin)};
	char shown[CONF_SHOWN_MAX];
	if (p->previous.kind == T_LOCATION && sign.len == 1 && *sign.data == '=')
		conf_error(p, &at, "for one path alone write `location exact \"/path\"`");
	else
		conf_error(p, &at,
			   "leave out the `%s`: blanks separate a statement from its values",
			   conf_show(&sign, shown));
}

static void read_token(struct conf_parser *p, struct conf_token *token)
{
	struct conf_scanned s;
	if (p->source->file_ended)
		conf_source_next(p);
	for (conf_scan(&p->source->cursor, &s); is_sign(p->source, &s) && !p->stop;
	     conf_scan(&p->source->cursor, &s))
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
