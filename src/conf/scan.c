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
static void scan_string(struct conf_cursor *c, struct conf_scanned *s)
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
	while (c->at < c->end && !ends_word(*c->at))
		c->at++;
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
