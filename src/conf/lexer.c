/*
 * Text to tokens. Runs in the master and, on the text of its own port, in every child. Must never
 * read past the end of a source nor report a mistake twice.
 */
#include <stdlib.h>
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
	case '$':
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
			   "unknown escape `\\%s`; there are \\n, \\r, \\t, \\\", \\\\, \\$ and "
			   "\\xHH",
			   conf_show(&shown, text));
}

/* --- decoding --------------------------------------------------------------------------------- */

/* Bytes of the token that is decoded, before it is copied in its own size. */
static void scratch_add(struct conf_parser *p, const char *data, size_t len)
{
	if (p->scratch_size - p->scratch_len <= len) {
		size_t size = 2 * (p->scratch_len + len) + 256;
		char *more = realloc(p->scratch, size);
		if (more == NULL) {
			conf_out_of_memory(p);
			return;
		}
		p->scratch = more;
		p->scratch_size = size;
	}
	memcpy(p->scratch + p->scratch_len, data, len);
	p->scratch_len += len;
}

static void scratch_take(struct conf_parser *p, struct conf_token *token)
{
	char *copy = conf_copy(p, p->scratch_len > 0 ? p->scratch : "", p->scratch_len);
	if (copy == NULL)
		return;
	token->value.data = copy;
	token->value.len = p->scratch_len;
}

/* Where in its token the decoding is. */
struct decoding {
	struct conf_parser *p;
	const struct conf_scanned *s;
	struct conf_token *token;
	unsigned line;
	const char *line_begin; /* the byte that column 1 would be */
	bool told;              /* a line has other blanks than the closing word */
};

static struct conf_where decoding_where(const struct decoding *d, const char *at)
{
	struct conf_where where = d->token->where;
	where.line = d->line;
	where.column = (unsigned)(at - d->line_begin) + 1;
	return where;
}

/* Decodes the escape at this backslash; returns what follows it. */
static const char *decode_escape(struct decoding *d, const char *at, const char *end)
{
	size_t used = 1;
	const int byte = at + 1 < end ? unescape(at + 1, end, &used) : -1;
	if (byte >= 0) {
		const char c = (char)byte;
		scratch_add(d->p, &c, 1);
	} else if (!d->s->unterminated && !d->s->foreign) {
		const struct conf_where where = decoding_where(d, at);
		bad_escape(d->p, &where, at + 1, 1);
		d->token->value.broken = true;
	}
	return at + 1 + used;
}

static void decode_plain(struct decoding *d, const char *at, const char *end, bool escapes)
{
	while (at < end) {
		if (escapes && *at == '\\') {
			at = decode_escape(d, at, end);
			continue;
		}
		const char *run = escapes ? memchr(at, '\\', (size_t)(end - at)) : NULL;
		const size_t len = (size_t)((run != NULL ? run : end) - at);
		scratch_add(d->p, at, len);
		at += len;
	}
}

/* Replaces a name; returns what follows it, or NULL if there is none here. */
static const char *decode_name(struct decoding *d, const char *at, const char *end, bool in_string)
{
	struct conf_expansion e;
	const struct conf_where where = decoding_where(d, at);
	if (!conf_expand(d->p, at, end, &d->token->where, &where, in_string, &e))
		return NULL;
	decode_plain(d, e.data, e.data + e.len, e.is_source && in_string && !d->s->text);
	d->token->value.broken = d->token->value.broken || e.broken;
	d->token->failed = d->token->failed || e.broken;
	return at + e.used;
}

/* A part of a line, in which names are replaced. */
static void decode_line(struct decoding *d, const char *at, const char *end, bool escapes)
{
	const bool names = !d->s->raw && !d->s->unterminated && !d->s->foreign;
	while (at < end && !d->p->stop) {
		const char *next =
		    names && *at == '$' ? decode_name(d, at, end, d->s->kind == T_STRING) : NULL;
		if (next != NULL) {
			at = next;
		} else if (escapes && *at == '\\') {
			at = decode_escape(d, at, end);
		} else {
			const char *run = at + 1;
			while (run < end && *run != '$' && *run != '\\')
				run++;
			scratch_add(d->p, at, (size_t)(run - at));
			at = run;
		}
	}
}

static void indent_tell(struct decoding *d, const char *line)
{
	const struct conf_where where = decoding_where(d, line);
	if (!d->told && !d->s->unterminated)
		conf_error(d->p, &where,
			   "the blanks before the closing `%.*s` are left out of each line, and "
			   "this line does not begin with them",
			   (int)d->s->closing_len, d->s->closing);
	d->told = d->token->value.broken = true;
}

/* What is left of the line without the indentation of the closing word. A line of blanks alone may
 * have less. */
static const char *indent_skip(struct decoding *d, const char *line, const char *end)
{
	const char *indent = d->s->indent, *at = line;
	const char *indent_end = indent + d->s->indent_len;
	while (at < end && indent < indent_end && *at == *indent) {
		at++;
		indent++;
	}
	if (indent == indent_end || at == end)
		return at;
	for (const char *c = at; c < end; c++)
		if (strchr(" \t\r\n", *c) == NULL || *c == '\0') {
			indent_tell(d, line);
			break;
		}
	return at;
}

static void decode_text(struct decoding *d)
{
	const struct conf_scanned *s = d->s;
	d->line = s->text_line;
	for (const char *line = s->begin; line < s->end && !d->p->stop; d->line++) {
		const char *end = memchr(line, '\n', (size_t)(s->end - line));
		end = end != NULL ? end + 1 : s->end;
		d->line_begin = line;
		decode_line(d, indent_skip(d, line, end), end, false);
		line = end;
	}
}

/* Reports invalid escapes, unless the end of the string is missing. */
static void decode_string(struct conf_parser *p, const struct conf_scanned *s,
			  struct conf_token *token)
{
	struct decoding d = {.p = p, .s = s, .token = token, .line = s->line};
	d.line_begin = s->begin - s->column - (s->raw ? 1 : 0);
	p->scratch_len = 0;
	if (s->text)
		decode_text(&d);
	else
		decode_line(&d, s->begin, s->end, !s->raw);
	token->value.raw = s->raw;
	scratch_take(p, token);
}

/* The values of names make one word. */
static void decode_word(struct conf_parser *p, const struct conf_scanned *s,
			struct conf_token *token)
{
	struct decoding d = {.p = p, .s = s, .token = token, .line = s->line};
	char shown[CONF_SHOWN_MAX], written[CONF_SHOWN_MAX];
	d.line_begin = s->begin - s->column + 1;
	p->scratch_len = 0;
	token->written = (struct conf_value){.data = s->begin, .len = (size_t)(s->end - s->begin)};
	decode_line(&d, s->begin, s->end, false);
	scratch_take(p, token);
	const struct conf_value *value = &token->value;
	bool good = value->len > 0;
	for (size_t i = 0; i < value->len; i++)
		good = good && !conf_ends_word(value->data[i]);
	if (!good && !token->failed) {
		conf_error(p, &token->where, "`%s` stands for \"%s\", and one word is needed here",
			   conf_show(&token->written, written), conf_show(value, shown));
		token->failed = true;
	}
	token->value.broken = token->failed;
}

/* --- mistakes --------------------------------------------------------------------------------- */

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
		    "in it, or `<<END` for the lines up to one that is `END`");
	else if (!cut_in_block(p, s->end))
		conf_error(p, &token->where, "the string has no closing quote on its line");
}

/* All after it is lost then, if no line looks like its end. */
static void miss_closing(struct conf_parser *p, const struct conf_scanned *s,
			 struct conf_token *token)
{
	const int len = (int)(s->closing_len < CONF_SHOWN_MAX ? s->closing_len : CONF_SHOWN_MAX);
	struct conf_block *block = conf_block_top(p);
	token->value.broken = true;
	if (block->damaged != NULL)
		*block->damaged = true;
	p->source->cut = s->near_line == 0;
	if (s->near_line > 0)
		conf_error(p, &token->where,
			   "the text that begins after this line has no end: `%.*s` stands alone "
			   "on its line, and line %u has more",
			   len, s->closing, s->near_line);
	else
		conf_error(p, &token->where,
			   "the text that begins after this line has no end: no line is `%.*s` "
			   "alone",
			   len, s->closing);
}

static void odd_text_tell(struct conf_parser *p, const struct conf_scanned *s,
			  struct conf_token *token)
{
	const int len = (int)(s->closing_len < CONF_SHOWN_MAX ? s->closing_len : CONF_SHOWN_MAX);
	token->value.broken = true;
	conf_error(p, &token->where,
		   "write `<<%.*s`, which leaves out the blanks before `%.*s` in each line; in "
		   "`r<<%.*s` nothing is replaced",
		   len, s->closing, len, s->closing, len, s->closing);
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

static void read_string(struct conf_parser *p, const struct conf_scanned *s,
			struct conf_token *token)
{
	decode_string(p, s, token);
	if (s->text && s->unterminated)
		miss_closing(p, s, token);
	else if (s->text && s->odd)
		odd_text_tell(p, s, token);
	else if (s->unterminated)
		miss_quote(p, s, token);
	if (s->foreign)
		foreign_quotes_tell(p, token);
}

/* The name of a value or a block, which may be like a word of the language. */
static bool is_name_here(const struct conf_parser *p, const struct conf_scanned *s)
{
	const int before = p->previous.kind;
	return !s->begins_line && (before == T_DEFINE || before == T_BLOCK || before == T_USE);
}

static void read_word(struct conf_parser *p, const struct conf_scanned *s, struct conf_token *token)
{
	const bool name = is_name_here(p, s);
	token->value = (struct conf_value){.data = s->begin, .len = (size_t)(s->end - s->begin)};
	if (s->named && !name)
		decode_word(p, s, token);
	const struct conf_value *value = &token->value;
	const struct conf_keyword *keyword =
	    name || token->failed ? NULL : conf_keyword_find(p, value->data, value->len);
	const char *data = keyword != NULL ? keyword->name : conf_copy(p, value->data, value->len);
	token->kind = keyword != NULL ? keyword->token : T_WORD;
	token->keyword = keyword;
	token->value.data = data != NULL ? data : "";
	token->value.broken = token->value.broken || cut_in_block(p, s->end);
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
		read_string(p, &s, token);
	} else if (s.kind == T_WORD) {
		read_word(p, &s, token);
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
