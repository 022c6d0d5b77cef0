/*
 * The message for a mistake: one cause, and where it is obvious the right text. Runs in the master
 * and in every child. Must never list more words than a reader can take in.
 */
#include <string.h>

#include "base/text.h"
#include "mistake.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* --- the expected tokens ---------------------------------------------------------------------- */

static const char *value_meaning(int previous)
{
	switch (previous) {
	case T_PORT:
		return "a port number";
	case T_AFTER: /* a parameter of a fault */
	case T_RATE:
		return "a number";
	case T_ERROR:
		return "a status such as 404";
	case T_ON:
		return "an address or `*`";
	case T_FACILITY:
		return "a facility such as daemon";
	case T_DEFINE:
	case T_BLOCK:
		return "a name";
	case T_USE:
		return "the name of a block";
	case T_FAULT:
		return "a fault such as crash";
	case T_WORD: /* a parameter of a fault */
		return "its value";
	default:
		return "a value";
	}
}

#define IN_QUOTES CONF_IN_QUOTES

/* Each ends in IN_QUOTES, except the one that is an alternative to a value. */
static const char *string_meaning(int previous)
{
	switch (previous) {
	case T_PATH:
	case T_LOCATION:
	case T_EXACT:
		return "a path" IN_QUOTES;
	case T_INCLUDE:
	case T_CERTIFICATE:
	case T_KEY:
		return "a file name" IN_QUOTES;
	case T_SOCKET:
		return "a socket's name" IN_QUOTES;
	case T_HOST:
		return "a name" IN_QUOTES;
	case T_UPSTREAM:
		return "an upstream's name" IN_QUOTES;
	case T_METHODS:
	case T_STRING: /* another one */
		return "a method" IN_QUOTES;
	case T_WORD: /* a fault's parameter takes either */
	case T_AFTER:
	case T_RATE:
		return "a string"; /* never the only one */
	default:
		return "a string" IN_QUOTES;
	}
}

/* What fits here: what the statement's description says, else what follows that token. */
static const char *value_here(const struct mistake *m)
{
	if (m->value[0] != '\0')
		return m->value;
	/* only the numbers of a port and the statuses of an error are followed by a block */
	if (m->wants_open)
		return value_meaning(conf_block_top(m->p)->kind == CONF_BLOCK_TOP ? T_PORT
										  : T_ERROR);
	return value_meaning(m->p->previous.kind);
}

static const char *string_here(const struct mistake *m)
{
	if (m->string[0] != '\0')
		return m->string;
	/* the value of a name */
	if (!m->wants_value && m->p->previous.kind == T_WORD)
		return "a value" IN_QUOTES;
	/* only the names of a host are followed by a block */
	return string_meaning(m->wants_open ? T_HOST : m->p->previous.kind);
}

static void list_item(struct text *list, const char *item, const char *quote, size_t at,
		      size_t count)
{
	conf_list_item(list, item, quote, at, count, "or");
}

/* "`on` or `off`", "a number", ...: the tokens that fit here, except the end of the block. */
static const char *list_expected(const struct mistake *m, char *out, size_t size)
{
	struct text list;
	size_t at = 0;
	size_t count = m->words_count + m->wants_value + m->wants_string + m->wants_open;
	text_init(&list, out, size);
	if (m->wants_value)
		list_item(&list, value_here(m), "", at++, count);
	if (m->wants_string)
		list_item(&list, string_here(m), "", at++, count);
	if (m->wants_open)
		list_item(&list, "{", "`", at++, count);
	for (size_t i = 0; i < m->words_count; i++)
		list_item(&list, m->words[i], "`", at++, count);
	return out;
}

/* --- the messages ----------------------------------------------------------------------------- */

static void tell_end(struct mistake *m, const char *expected)
{
	const struct conf_parser *p = m->p;
	if (p->blocks_count > p->source->blocks_base)
		conf_error(m->p, &p->last.where, "the file ends inside the block opened at line %u",
			   p->blocks[p->blocks_count - 1].where.line);
	else
		conf_error(m->p, &p->last.where,
			   "the %s ends in the middle of a statement; expected %s",
			   p->source->snippet != NULL ? "block" : "file", expected);
}

static void tell_close(struct mistake *m, const char *expected)
{
	const struct conf_parser *p = m->p;
	if (!m->at_statement)
		conf_error(m->p, &m->token->where, "expected %s, found `}`", expected);
	else if (p->source->parent != NULL)
		conf_error(m->p, &m->token->where, "`}` closes nothing that this file opened");
	else
		conf_error(m->p, &m->token->where, "`}` closes nothing: no block is open");
}

static const char *in_article(const char *word)
{
	return strchr("aeiou", word[0]) != NULL ? "in an " : "in a ";
}

/* "it belongs in a tls block", "... at the top level or in a port, host or location block" */
static void text_add_places(struct text *text, const struct conf_keyword *keyword)
{
	const char *words[CONF_OPTION_PLACES_MAX + __builtin_ctz(CONF_BLOCK_LAST)];
	size_t count = 0;
	for (unsigned kind = CONF_BLOCK_PORT; kind < CONF_BLOCK_OPTIONS; kind <<= 1)
		if (keyword->blocks & kind)
			words[count++] = conf_block_word((enum conf_block_kind)kind);
	count += conf_option_places(keyword->name, &words[count]);
	if (keyword->blocks & CONF_BLOCK_TOP)
		text_addf(text, "%s%s", conf_block_place(CONF_BLOCK_TOP), count > 0 ? " or " : "");
	for (size_t i = 0; i < count; i++) {
		text_addf(text, "%s", i > 0 ? "" : in_article(words[i]));
		conf_list_item(text, words[i], "", i, count, "or");
	}
	text_addf(text, "%s", count > 0 ? " block" : "");
}

/* "in a port block" */
static void text_add_block(struct text *text, const struct conf_block *block)
{
	if (block->options_of != NULL)
		text_addf(text, "%s%s block", in_article(block->options_of), block->options_of);
	else
		text_addf(text, "%s", conf_block_place(block->kind));
}

/* A statement that exists but is not allowed in this block. */
static void tell_misplaced(struct mistake *m)
{
	char places[160], here[64];
	struct text text;
	const struct conf_block *block = conf_block_top(m->p);
	text_init(&text, here, sizeof(here));
	text_add_block(&text, block);
	text_init(&text, places, sizeof(places));
	text_add_places(&text, m->keyword);
	if (m->misspelt)
		conf_error(m->p, &m->token->where,
			   "unknown word `%s`; did you mean `%s`, which belongs %s?", m->shown,
			   m->keyword->name, places);
	else if (m->surplus > 0 && conf_mistake_levels_out(m) > 0)
		conf_error(m->p, &m->token->where,
			   "`%s` cannot be %s: the `}` of the block opened at line %u is missing",
			   m->keyword->name, here, block->where.line);
	else if (m->surplus < 0)
		conf_error(m->p, &m->token->where,
			   "`%s` cannot be %s: there is a `}` too many before it", m->keyword->name,
			   here);
	else
		conf_error(m->p, &m->token->where, "`%s` cannot be %s; it belongs %s",
			   m->keyword->name, here, places);
}

static bool expected_word(const struct mistake *m)
{
	for (size_t i = 0; i < m->words_count; i++)
		if (m->words[i] == m->keyword->name || strcmp(m->words[i], m->keyword->name) == 0)
			return true;
	return false;
}

/* "a statement that belongs in a port block, such as `respond` or `location`" */
static void text_add_statement(struct text *text, const struct conf_block *block)
{
	static const struct {
		enum conf_block_kind kind;
		const char *some;
	} examples[] = {
	    {CONF_BLOCK_TOP, "`port` or `tls`"},
	    {CONF_BLOCK_PORT, "`respond` or `location`"},
	    {CONF_BLOCK_HOST, "`respond` or `location`"},
	    {CONF_BLOCK_LOCATION, "`respond` or `echo`"},
	    {CONF_BLOCK_RESTART, "`backoff`, `park` or `while parked`"},
	    {CONF_BLOCK_LIMITS, "`connections` or `idle`"},
	    {CONF_BLOCK_TLS, "`certificate`"},
	    {CONF_BLOCK_ERROR, "`respond`"},
	};
	text_addf(text, "a statement that belongs ");
	text_add_block(text, block);
	for (size_t i = 0; i < CONF_COUNT(examples); i++)
		if (examples[i].kind == block->kind)
			text_addf(text, ", such as %s", examples[i].some);
	for (size_t i = 0; block->options_of != NULL && i < 2 && block->statements[i].word; i++)
		text_addf(text, "%s `%s`", i == 0 ? ", such as" : " or", block->statements[i].word);
}

static void tell_other(struct mistake *m, const char *expected)
{
	const struct conf_where *where = &m->token->where;
	switch (m->token->kind) {
	case T_STRING:
		conf_error(m->p, where, "expected %s, found the string \"%s\"", expected, m->shown);
		break;
	case T_OPEN:
	case T_SEMICOLON:
		conf_error(m->p, where, "expected %s, found `%s`", expected,
			   m->token->kind == T_OPEN ? "{" : ";");
		break;
	default:
		if (m->token->kind == T_WORD && m->at_statement && !is_digit(m->shown[0]))
			conf_error(m->p, where, "unknown word `%s`; expected %s", m->shown,
				   expected);
		else
			conf_error(m->p, where, "expected %s, found `%s`", expected, m->shown);
	}
}

/* --- messages for obvious causes -------------------------------------------------------------- */

static bool is_word(const struct mistake *m)
{
	return m->token->kind == T_WORD && m->token->value.len > 0;
}

/* idle 60 s; after a fault's parameter the unit looks like another parameter */
static bool tell_unit(struct mistake *m)
{
	const struct conf_token *before = &m->p->previous;
	if (before->kind == T_WORD && m->wants_value && m->wants_string &&
	    conf_is_blank_unit(&before->value)) {
		conf_error(m->p, &before->where,
			   "no blank before a unit: write the number and `%s` as one word",
			   before->value.data);
		return true;
	}
	const char *unit = conf_foreign_unit(m->token->value.data, m->token->value.len);
	char number[CONF_SHOWN_MAX];
	if (unit == NULL || !is_word(m) || before->kind != T_WORD || m->token->begins_line ||
	    strspn(before->value.data, "0123456789") != before->value.len)
		return false;
	conf_error(m->p, &m->token->where, "no blank before a unit: write %s%s",
		   conf_show(&before->value, number), unit);
	m->dropped = m->at_statement; /* the number was accepted; only this word is too many */
	return true;
}

/* listen 8080, listen 127.0.0.1, listen [::1]:443 ssl */
static bool tell_listen(struct mistake *m)
{
	const char *word = m->token->value.data;
	if (m->p->previous.kind != T_LISTEN || (!is_word(m) && m->token->kind != T_STRING))
		return false;
	const char *number = conf_port_in(word);
	if (number != NULL)
		conf_error(m->p, &m->token->where,
			   "the port's number stands after `port`: `port %s { ... }`%s", number,
			   number == word ? "" : ", and in it `listen on` has the address alone");
	else
		conf_error(m->p, &m->token->where, "`on` is missing: `listen on %s`", m->shown);
	return true;
}

/* location /a, user www-data, respond 200 hello */
static bool tell_bare_string(struct mistake *m)
{
	if (!is_word(m) || !m->wants_string || m->wants_value)
		return false;
	if (m->at_statement && (m->token->begins_line || m->misspelt))
		return false;
	if (!m->at_statement && m->misspelt && m->words_count > 0 && expected_word(m))
		return false; /* chroot of */
	const char *what = string_here(m), *other = "";
	char expected[64] = "";
	if (!m->at_statement && m->words_count > 0 && m->words_count <= 3 &&
	    m->p->previous.kind != T_LOCATION) {
		m->wants_string = false;
		(void)list_expected(m, expected, sizeof(expected));
		other = "; or write ";
	}
	conf_error(m->p, &m->token->where, "%.*s stands in double quotes: \"%s\"%s%s",
		   (int)(strlen(what) - strlen(IN_QUOTES)), what, m->shown, other, expected);
	return true;
}

/* workers "4", access log "off" */
static bool tell_quoted_word(struct mistake *m)
{
	const struct conf_value *value = &m->token->value;
	if (m->token->kind != T_STRING || value->len == 0)
		return false;
	bool fits = m->wants_value && (is_digit(value->data[0]) || strchr("*:", value->data[0]));
	for (size_t i = 0; i < m->words_count && !m->at_statement; i++)
		fits = fits || strcmp(m->words[i], value->data) == 0;
	if (fits)
		conf_error(m->p, &m->token->where, "`%s` is written without quotes here", m->shown);
	return fits;
}

static bool tell_comment(struct mistake *m)
{
	const char *word = m->token->value.data;
	if (!is_word(m) || (strncmp(word, "//", 2) != 0 && strncmp(word, "/*", 2) != 0 &&
			    strncmp(word, "--", 2) != 0))
		return false;
	conf_error(m->p, &m->token->where, "comments begin with `#`, up to the line's end");
	return true;
}

/* tls on, tls cert.pem key.pem, tls { off } */
static bool tell_tls(struct mistake *m)
{
	const struct conf_value *value = &m->token->value;
	const bool inside = conf_block_top(m->p)->kind == CONF_BLOCK_TLS;
	if (inside && m->at_statement && m->token->kind == T_OFF) {
		conf_error(m->p, &m->token->where, "write `tls %s`, without braces", m->shown);
		return true;
	}
	if (m->p->previous.kind != T_TLS || (m->misspelt && expected_word(m)))
		return false;
	if (m->token->kind == T_STRING || m->token->kind == T_CERTIFICATE ||
	    (is_word(m) && strpbrk(value->data, "./") != NULL))
		conf_error(m->p, &m->token->where,
			   "write `tls { certificate \"cert.pem\" key \"key.pem\" }`");
	else
		conf_error(m->p, &m->token->where,
			   "expected `{`, `development` or `off`, found `%s`; without `tls off` "
			   "every port is served with TLS",
			   m->token->kind == T_SEMICOLON ? ";" : m->shown);
	return true;
}

/* proxy "http://a", proxy to "http://a" "http://b", and in a host or location `proxy protocol` */
static bool tell_proxy(struct mistake *m)
{
	const struct conf_parser *p = m->p;
	const enum conf_block_kind block = conf_block_top(m->p)->kind;
	const struct conf_form *form = &p->form_before;
	if (p->previous.kind == T_PROXY && m->token->kind == T_STRING)
		conf_error(m->p, &m->token->where, "write `proxy to \"%s\"`", m->shown);
	else if (p->previous.kind == T_PROXY && m->token->kind == T_PROTOCOL)
		conf_error(m->p, &m->token->where,
			   "`proxy protocol` is for whole connections: write it in the port, or at "
			   "the top level");
	else if (p->previous.kind == T_PROXY && m->token->kind == T_TO && block == CONF_BLOCK_TOP)
		conf_error(m->p, &m->token->where,
			   "`proxy to` serves requests: write it in a port, host or location "
			   "block");
	else if (m->token->kind == T_STRING && p->previous.kind == T_STRING &&
		 form->statement != NULL && form->statement->token == T_PROXY)
		conf_error(m->p, &m->token->where,
			   "several URLs make an upstream: write `upstream \"api\" { to ... }` in "
			   "the port, and `proxy to \"api\"`");
	else
		return false;
	return true;
}

/* In an upstream: server 127.0.0.1:8080; */
static bool tell_upstream(struct mistake *m)
{
	const struct conf_block *block = conf_block_top(m->p);
	const struct conf_value *value = &m->token->value;
	const char *answer = block->more == conf_upstream_options
				 ? conf_foreign_upstream_word(value->data, value->len)
				 : NULL;
	if (!m->at_statement || answer == NULL)
		return false;
	conf_error(m->p, &m->token->where, "Bulkhead has no `%s` here: %s", m->shown, answer);
	m->keyword = NULL;
	return true;
}

/* server_name a; reverse_proxy b */
static bool tell_foreign(struct mistake *m)
{
	const struct conf_value *value = &m->token->value;
	const char *answer = conf_foreign_word(value->data, value->len);
	const struct conf_keyword *keyword = m->token->keyword;
	/* it may be a word inside a statement here, such as `deny`, or one of another block, such
	 * as `server` */
	const bool elsewhere =
	    m->token->kind == T_INNER || (keyword != NULL && keyword->blocks == CONF_BLOCK_OPTIONS);
	if ((!is_word(m) && !elsewhere) || !m->at_statement || answer == NULL)
		return false;
	conf_error(m->p, &m->token->where, "Bulkhead has no `%s`: %s", m->shown, answer);
	m->keyword = NULL; /* the following text is in that server's language, too */
	return true;
}

/* :443 { ... }, www.example.org { ... } */
static bool tell_site(struct mistake *m)
{
	const char *word = m->token->value.data, *number = conf_port_in(word);
	if (!is_word(m) || !m->at_statement || m->misspelt ||
	    conf_block_top(m->p)->kind != CONF_BLOCK_TOP || strpbrk(word, ".:") == NULL)
		return false;
	if (number != NULL)
		conf_error(
		    m->p, &m->token->where,
		    "unknown word `%s`; what is served begins with a port: `port %s { ... }`",
		    m->shown, number);
	else
		conf_error(m->p, &m->token->where,
			   "unknown word `%s`; what is served begins with a port, and its names "
			   "are in it: `port 443 { host \"%s\" { ... } }`",
			   m->shown, m->shown);
	return true;
}

/* respond "text": what comes first is missing */
static bool tell_skipped(struct mistake *m)
{
	const struct conf_form *form = &m->p->form_before;
	if (m->value[0] == '\0' || form->at != 0 || m->token->kind != T_STRING ||
	    is_digit(m->token->value.data[0]))
		return false;
	const struct conf_piece *missing = form->statement->pieces, *next = missing + 1;
	if (missing->noun == NULL || !conf_piece_fits(next, m->token))
		return false;
	conf_error(m->p, &m->token->where, "the %s comes before the %s: `%s %s \"%s\"`",
		   missing->noun, next->noun, form->statement->word, missing->example, m->shown);
	return true;
}

/* respond 200 "say "hi"" */
static bool tell_inner_quote(struct mistake *m)
{
	const struct conf_cursor *c = &m->p->source->cursor;
	const struct conf_where *at = &m->token->where;
	if (!is_word(m) || m->p->previous.kind != T_STRING || m->token->begins_line ||
	    m->token != &m->p->last || m->token->again || (m->misspelt && expected_word(m)) ||
	    at->line != c->line || at->column < 2 || c->line_begin[at->column - 2] != '"')
		return false;
	if (m->p->previous.value.raw)
		conf_error(m->p, at,
			   "a raw string ends at its first double quote: leave out the `r` and "
			   "write `\\\"`, or write `r<<END` for the lines up to one that is `END`");
	else
		conf_error(m->p, at, "a double quote in a string is written `\\\"`");
	return true;
}

/* location ~ \.php$ { ... } */
static bool tell_pattern(struct mistake *m)
{
	if (m->p->previous.kind != T_LOCATION || !is_word(m) ||
	    strchr("~^@", m->token->value.data[0]) == NULL)
		return false;
	conf_error(
	    m->p, &m->token->where,
	    "a location has a path and no pattern: write `location \"/path\" { ... }`, which "
	    "is for the path and all paths below it");
	return true;
}

/* workers {$WORKERS}, (name) { ... } */
static bool tell_caddy(struct mistake *m)
{
	struct conf_cursor next = m->p->source->cursor;
	const struct conf_value *value = &m->token->value;
	struct conf_scanned s;
	if (m->token->kind == T_OPEN && m->token == &m->p->last && !m->at_statement) {
		conf_scan(&next, &s);
		const size_t len = (size_t)(s.end - s.begin);
		if (s.kind != T_WORD || s.begins_line || s.begin[0] != '$' ||
		    !conf_is_name(s.begin + 1, len - 1))
			return false;
		conf_error(m->p, &m->token->where,
			   "a value of the environment is written `${env:%.*s}`", (int)len - 1,
			   s.begin + 1);
		conf_scan(&next, &s);
		m->passed = s.kind == T_CLOSE;
		if (m->passed)
			m->p->source->cursor = next;
		return true;
	}
	if (!is_word(m) || !m->at_statement || value->data[0] != '(' || value->len < 3 ||
	    value->data[value->len - 1] != ')' || !conf_is_name(value->data + 1, value->len - 2))
		return false;
	conf_error(m->p, &m->token->where,
		   "a block with a name is written `block %.*s { ... }`, and `use %.*s` in its "
		   "places",
		   (int)value->len - 2, value->data + 1, (int)value->len - 2, value->data + 1);
	return true;
}

/* port 9000 to 9010 { ... } */
static bool tell_port_range(struct mistake *m)
{
	const struct conf_token *before = &m->p->previous;
	char first[CONF_SHOWN_MAX];
	if (m->token->kind != T_TO || !m->wants_open || before->kind != T_WORD ||
	    conf_block_top(m->p)->kind != CONF_BLOCK_TOP)
		return false;
	conf_error(m->p, &m->token->where, "a range of ports is one word: `%s-9010`",
		   conf_show(&before->value, first));
	return true;
}

/* error 404 { respond 404 "text" } */
static bool tell_error_status(struct mistake *m)
{
	if (!is_word(m) || conf_block_top(m->p)->kind != CONF_BLOCK_ERROR ||
	    m->p->previous.kind != T_RESPOND || !is_digit(m->token->value.data[0]))
		return false;
	conf_error(m->p, &m->token->where,
		   "`respond` has no status in an error, whose own stays: leave out `%s`",
		   m->shown);
	return true;
}

/* methods any "GET", methods "GET" any */
static bool tell_methods(struct mistake *m)
{
	if (!m->at_statement || m->token->begins_line || conf_block_top(m->p)->options_of != NULL)
		return false;
	if (m->p->previous.kind == T_ANY && m->token->kind == T_STRING)
		conf_error(m->p, &m->token->where,
			   "`methods any` names all methods: leave the others out");
	else if (m->p->previous.kind == T_STRING && m->token->kind == T_ANY)
		conf_error(m->p, &m->token->where, "for every method write `methods any` alone");
	else
		return false;
	return true;
}

/* </VirtualHost> */
static bool tell_end_tag(struct mistake *m)
{
	if (!is_word(m) || !m->at_statement || strncmp(m->token->value.data, "</", 2) != 0)
		return false;
	conf_error(m->p, &m->token->where, "a block ends with `}`, not with `%s`", m->shown);
	return true;
}

/* A word that continues a statement: header "a" "b" */
static bool tell_tail(struct mistake *m)
{
	const struct conf_keyword *keyword = m->token->keyword;
	if (!m->at_statement || keyword == NULL || keyword->of == NULL)
		return false;
	conf_error(m->p, &m->token->where, "`%s` is not a statement of its own; it is part of `%s`",
		   m->shown, keyword->of);
	return true;
}

static bool tell_plain(struct mistake *m)
{
	static bool (*const causes[])(struct mistake *) = {
	    tell_listen,  tell_proxy,       tell_upstream,    tell_foreign,      tell_comment,
	    tell_end_tag, tell_quoted_word, tell_tls,         tell_error_status, tell_skipped,
	    tell_pattern, tell_methods,     tell_inner_quote, tell_port_range,   tell_bare_string,
	    tell_site,    tell_caddy,       tell_tail,
	};
	for (size_t i = 0; i < CONF_COUNT(causes); i++)
		if (causes[i](m))
			return true;
	return false;
}

void conf_mistake_tell(struct mistake *m)
{
	char expected[512];
	struct text text;
	const struct conf_token *token = m->token;
	const unsigned blocks = m->p->blocks_count - m->p->source->blocks_base;
	bool end = token->kind == T_YYEOF || token->kind == T_INCLUDE_END || token->ends_file;
	text_init(&text, expected, sizeof(expected));
	if (m->at_statement)
		text_add_statement(&text, conf_block_top(m->p));
	else
		(void)list_expected(m, expected, sizeof(expected));
	if (token->value.foreign || token->failed)
		return; /* its quotes, or a name in it, were reported */
	if (end && m->p->source->cut)
		return; /* so was what has swallowed the rest */
	if (m->wants_value && m->wants_string && m->p->fault_shifted)
		return; /* the cause was reported */
	end = end || (m->at_end && blocks > 0);
	if (!end && (tell_unit(m) || (token->kind != T_CLOSE && tell_plain(m))))
		return;
	if (end)
		tell_end(m, expected);
	else if (token->kind == T_CLOSE)
		tell_close(m, expected);
	else if (m->misspelt && expected_word(m))
		conf_error(m->p, &token->where, "unknown word `%s`; did you mean `%s`?", m->shown,
			   m->keyword->name);
	else if (m->keyword != NULL && m->keyword->blocks != 0 && !conf_mistake_begins_here(m) &&
		 (m->at_statement || (m->surplus > 0 && conf_mistake_levels_out(m) > 0)))
		tell_misplaced(m);
	else
		tell_other(m, expected);
}
