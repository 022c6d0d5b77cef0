/*
 * Where tokens begin and end. Runs in the master and, on the text of its own port, in every child.
 * Must never read past the end of a source. The lexer, the skipping of broken statements and the
 * look-ahead all use it, so they agree on what a string or a comment is.
 */
#include <string.h>

#include "parser.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v' ||
	       c == '\0';
}

bool conf_ends_word(char c)
{
	return is_blank(c) || c == ';' || c == '{' || c == '}' || c == '"' || c == '#';
}

void conf_cursor_move(struct conf_cursor *c, const char *from, const char *to)
{
	c->at = to + (c->at - from);
	c->end = to + (c->end - from);
	c->line_begin = to + (c->line_begin - from);
	if (c->text_at == NULL)
		return;
	c->text_at = to + (c->text_at - from);
	c->text_end = to + (c->text_end - from);
	c->text_end_line = to + (c->text_end_line - from);
}

/* At a line end; past the text that stands after this line. */
static void pass_line(struct conf_cursor *c)
{
	if (c->at != c->text_at) {
		c->line++;
		c->line_begin = ++c->at;
		return;
	}
	c->line += c->text_lines;
	c->line_begin = c->text_end_line;
	c->at = c->text_end;
	c->text_at = NULL;
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
			pass_line(c);
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
static bool scan_foreign_close(struct conf_cursor *c, struct conf_scanned *s)
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
static bool scan_lines(struct conf_cursor *c, struct conf_scanned *s)
{
	const char *at = memchr(s->end, '"', (size_t)(c->end - s->end));
	if (c->text_at != NULL || at == NULL ||
	    (at + 1 < c->end && strchr(" \t\r\n;}", at[1]) == NULL))
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
static void scan_string(struct conf_cursor *c, struct conf_scanned *s)
{
	c->at += s->raw ? 2 : 1;
	s->begin = c->at;
	while (c->at < c->end && *c->at != '"' && *c->at != '\n') {
		bool pair = !s->raw && *c->at == '\\' && c->end - c->at > 1 && c->at[1] != '\n';
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

/* --- texts ------------------------------------------------------------------------------------ */

static bool in_closing(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

/* `<<END`, `r<<END`; also the forms of shells, `<<-END` and `<<"END"`. Its closing word, or NULL.
 */
static const char *text_closing(const struct conf_cursor *c, struct conf_scanned *s)
{
	const char *at = c->at;
	s->raw = *at == 'r';
	at += s->raw;
	if (c->end - at < 3 || at[0] != '<' || at[1] != '<')
		return NULL;
	at += 2;
	s->odd = strchr("-~\"'", *at) != NULL && *at != '\0';
	while (at < c->end && strchr("-~\"'", *at) != NULL && *at != '\0')
		at++;
	s->closing = at;
	while (at < c->end && in_closing(*at))
		at++;
	s->closing_len = (size_t)(at - s->closing);
	if (s->closing_len > 0 && s->odd && at < c->end && (*at == '"' || *at == '\''))
		at++;
	return s->closing_len > 0 && (at == c->end || conf_ends_word(*at)) ? at : NULL;
}

/* Is this the line of the closing word, alone? near: perhaps with more after it. */
static bool text_closes(const char *line, const char *end, const struct conf_scanned *s,
			const char **ret_word, bool near)
{
	const char *at = line;
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	*ret_word = at;
	if ((size_t)(end - at) < s->closing_len || memcmp(at, s->closing, s->closing_len) != 0)
		return false;
	at += s->closing_len;
	if (near)
		return at < end && !in_closing(*at);
	while (at < end && (*at == ' ' || *at == '\t' || *at == '\r'))
		at++;
	return at == end || *at == '\n';
}

/* Finds the line of the closing word, from this one on. */
static bool text_find(const struct conf_cursor *c, const char *line, struct conf_scanned *s,
		      bool near, struct conf_cursor *ret)
{
	const char *word = NULL;
	for (unsigned lines = 1; line < c->end; lines++) {
		if (text_closes(line, c->end, s, &word, near)) {
			ret->text_end = word + s->closing_len;
			ret->text_end_line = line;
			ret->text_lines = lines;
			s->indent = line;
			s->indent_len = (size_t)(word - line);
			return true;
		}
		line = memchr(line, '\n', (size_t)(c->end - line));
		if (line == NULL)
			break;
		line++;
	}
	return false;
}

/* A text without an end is all that follows; but if a line only begins with its closing word, it
 * ends there. */
static void text_miss(struct conf_cursor *c, struct conf_scanned *s)
{
	s->unterminated = true;
	if (text_find(c, s->begin, s, true, c)) {
		s->near_line = s->text_line + c->text_lines - 1;
		s->end = c->text_end_line;
		return;
	}
	s->end = c->end;
	c->text_at = NULL;
	for (const char *l = c->at; l < c->end; l++)
		if (*l == '\n') {
			c->line++;
			c->line_begin = l + 1;
		}
	c->at = c->end;
}

/* It stands after this line, or after another text that does. */
static bool scan_text(struct conf_cursor *c, struct conf_scanned *s)
{
	const char *at = text_closing(c, s);
	if (at == NULL) {
		s->raw = s->odd = false;
		return false;
	}
	s->kind = T_STRING;
	s->text = true;
	c->at = at;
	unsigned before = 0;
	const char *line = c->text_at != NULL ? c->text_end : c->at;
	if (c->text_at != NULL)
		before = c->text_lines;
	else
		c->text_at = memchr(c->at, '\n', (size_t)(c->end - c->at));
	line = memchr(line, '\n', (size_t)(c->end - line));
	s->begin = line != NULL ? line + 1 : c->end;
	s->text_line = c->line + before + 1;
	if (c->text_at != NULL && text_find(c, s->begin, s, false, c))
		s->end = c->text_end_line;
	else
		text_miss(c, s);
	c->text_lines += before;
	return true;
}

/* --- words ------------------------------------------------------------------------------------ */

/* `${name}` is part of a word; without its end it ends with the word. */
static void scan_name(struct conf_cursor *c)
{
	c->at += 2;
	while (c->at < c->end && *c->at != '}' && !conf_ends_word(*c->at))
		c->at++;
	if (c->at < c->end && *c->at == '}')
		c->at++;
}

static void scan_word(struct conf_cursor *c, struct conf_scanned *s)
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
	while (c->at < c->end && !conf_ends_word(*c->at)) {
		if (*c->at == '$' && c->end - c->at > 1 && c->at[1] == '{') {
			s->named = true;
			scan_name(c);
		} else {
			c->at++;
		}
	}
	s->end = c->at;
}

void conf_scan(struct conf_cursor *c, struct conf_scanned *s)
{
	*s = (struct conf_scanned){.kind = T_INCLUDE_END};
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
	case 'r':
	case '<':
		s->raw = *c->at == 'r' && c->end - c->at > 1 && c->at[1] == '"';
		if (s->raw) {
			s->kind = T_STRING;
			scan_string(c, s);
		} else if (!scan_text(c, s)) {
			scan_word(c, s);
		}
		return;
	default:
		scan_word(c, s);
		return;
	}
	s->end = ++c->at;
}

bool conf_lexer_unit_follows(const struct conf_parser *p, const struct conf_where *value)
{
	const struct conf_token *next = &p->last;
	struct conf_cursor cursor = p->source->cursor;
	struct conf_scanned s;
	if (next->where.line != value->line || next->where.column != value->column)
		return next->kind == T_WORD && !next->begins_line &&
		       conf_foreign_unit(next->value.data, next->value.len) != NULL;
	conf_scan(&cursor, &s);
	return s.kind == T_WORD && !s.begins_line &&
	       conf_foreign_unit(s.begin, (size_t)(s.end - s.begin)) != NULL;
}

long conf_lexer_balance(const struct conf_source *source)
{
	struct conf_cursor cursor = source->cursor;
	struct conf_scanned s;
	long open = 0;
	for (conf_scan(&cursor, &s); s.kind != T_INCLUDE_END; conf_scan(&cursor, &s))
		open += (s.kind == T_OPEN) - (s.kind == T_CLOSE);
	return open;
}

void conf_lexer_skip(struct conf_source *source, unsigned depth)
{
	struct conf_cursor *c = &source->cursor;
	for (;;) {
		struct conf_cursor before = *c;
		struct conf_scanned s;
		conf_scan(c, &s);
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
