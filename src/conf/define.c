/*
 * Names of values: `define NAME "value"` and `${NAME}`, and `${env:NAME}` of the environment. They
 * are replaced where a token is read, and a value is not looked at again, so no value can grow by
 * itself. Runs in the master; the canonical text, which a child reads, has none of them left. Must
 * never replace a variable of requests such as `${host}`.
 */
#include <string.h>

#include "parser.h"

#define NAME_MAX_BYTES 64
#define DEFINES_MAX    1000
#define UNKNOWN_MAX    256

/* --- names ------------------------------------------------------------------------------------ */

/* Those of requests, also of statements that a later version may have. */
static bool is_reserved(const char *name, size_t len)
{
#define NAME_OF_VARIABLE(constant, word, of_path) word,
	static const char *const names[] = {CONF_VARIABLES(NAME_OF_VARIABLE) "method", "status",
					    "env"};
	static const char *const beginnings[] = {"client-", "request-", "response-"};
	for (size_t i = 0; i < CONF_COUNT(names); i++)
		if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0)
			return true;
	for (size_t i = 0; i < CONF_COUNT(beginnings); i++)
		if (strlen(beginnings[i]) <= len &&
		    memcmp(beginnings[i], name, strlen(beginnings[i])) == 0)
			return true;
	return false;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool conf_is_name(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!is_letter(name[i]) && (i == 0 || (!is_digit(name[i]) && name[i] != '-')))
			return false;
	return len > 0 && len <= NAME_MAX_BYTES;
}

bool conf_name_check(struct conf_parser *p, const struct conf_value *name,
		     const struct conf_where *at)
{
	char shown[CONF_SHOWN_MAX];
	if (conf_is_name(name->data, name->len))
		return true;
	(void)conf_show(name, shown);
	if (name->len > 1 && conf_is_name(name->data, name->len - 1) &&
	    name->data[name->len - 1] == '=')
		conf_error(p, at, "leave out the `=`: blanks separate a name from its value");
	else if (name->len > 1 && name->data[0] == '$')
		conf_error(p, at, "the name stands here alone, without `$` and braces: `%s`",
			   shown);
	else if (name->len > NAME_MAX_BYTES)
		conf_error(p, at, "a name has at most %d bytes", NAME_MAX_BYTES);
	else
		conf_error(p, at,
			   "`%s` is not a name: letters, digits, `_` and `-`, and a letter first",
			   shown);
	return false;
}

/* The index of the name among the sorted ones, or where it belongs. */
static size_t define_place(const struct conf_parser *p, const char *name, size_t len,
			   bool *ret_found)
{
	size_t low = 0, high = p->defines_count;
	*ret_found = false;
	while (low < high) {
		const size_t middle = (low + high) / 2;
		const char *there = p->defines[middle].name;
		int order = strncmp(there, name, len);
		if (order == 0)
			order = there[len] != '\0';
		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const struct conf_define *define_find(const struct conf_parser *p, const char *name,
					     size_t len)
{
	bool found = false;
	const size_t i = define_place(p, name, len, &found);
	return found ? &p->defines[i] : NULL;
}

/* The defined name that was probably meant; NULL: none. */
static const char *define_suggest(const struct conf_parser *p, const char *name, size_t len)
{
	const char *names[DEFINES_MAX];
	for (size_t i = 0; i < p->defines_count; i++) {
		names[i] = p->defines[i].name;
		if (strlen(names[i]) == len && strncasecmp(names[i], name, len) == 0)
			return names[i];
	}
	return conf_suggest(name, len, names, p->defines_count);
}

void conf_define(struct conf_parser *p, const struct conf_value *name,
		 const struct conf_value *value, const struct conf_where *where,
		 const struct conf_where *at)
{
	char place[CONF_PLACE_MAX];
	bool found = false;
	if (!conf_name_check(p, name, at))
		return;
	if (is_reserved(name->data, name->len)) {
		conf_error(p, at,
			   "`${%s}` is a variable of requests, or kept for one: choose another "
			   "name",
			   name->data);
		return;
	}
	const size_t i = define_place(p, name->data, name->len, &found);
	if (found) {
		conf_error(p, where, "duplicate name `%s`; the first one is at %s", name->data,
			   conf_place(&p->defines[i].where, where, place));
		return;
	}
	if (p->defines_count == DEFINES_MAX) {
		conf_error(p, where, "at most %d names can be defined", DEFINES_MAX);
		return;
	}
	struct conf_define *defines = conf_grow(p, p->defines, p->defines_count, sizeof(*defines));
	if (defines == NULL)
		return;
	p->defines = defines;
	memmove(&defines[i + 1], &defines[i], (p->defines_count++ - i) * sizeof(*defines));
	defines[i] = (struct conf_define){.name = name->data, .value = *value, .where = *where};
}

/* --- names that are not known ----------------------------------------------------------------- */

/* In a string it may be what the string says. Whether it was meant is asked at the end. */
static void unknown_keep(struct conf_parser *p, const char *name, size_t len,
			 const struct conf_where *token, const struct conf_where *at)
{
	if (is_reserved(name, len) || p->unknown_count == UNKNOWN_MAX)
		return;
	for (size_t i = 0; i < p->unknown_count; i++)
		if (strncmp(p->unknown[i].name, name, len) == 0 && p->unknown[i].name[len] == '\0')
			return;
	struct conf_unknown *unknown = conf_grow(p, p->unknown, p->unknown_count, sizeof(*unknown));
	char *copy = conf_copy(p, name, len);
	if (unknown == NULL || copy == NULL)
		return;
	p->unknown = unknown;
	unknown[p->unknown_count++] =
	    (struct conf_unknown){.name = copy, .token = *token, .where = *at};
}

void conf_unknown_check(struct conf_parser *p)
{
	char place[CONF_PLACE_MAX];
	for (size_t i = 0; i < p->unknown_count; i++) {
		const struct conf_unknown *u = &p->unknown[i];
		const size_t len = strlen(u->name);
		const struct conf_define *later = define_find(p, u->name, len);
		const char *meant = define_suggest(p, u->name, len);
		if (later != NULL)
			conf_error(p, &u->where,
				   "`${%s}` stands before its `define` at %s: move that before it",
				   u->name, conf_place(&later->where, &u->where, place));
		else if (meant != NULL && !conf_found_at(p, &u->token))
			conf_warning(p, &u->where,
				     "`${%s}` is taken as it stands; did you mean `${%s}`?",
				     u->name, meant);
	}
}

static void unknown_tell(struct conf_parser *p, const char *name, size_t len,
			 const struct conf_where *at)
{
	const struct conf_value value = {.data = name, .len = len};
	const char *meant = define_suggest(p, name, len);
	char shown[CONF_SHOWN_MAX];
	(void)conf_show(&value, shown);
	if (is_reserved(name, len))
		conf_error(p, at, "`${%s}` is a variable of requests, which cannot stand here",
			   shown);
	else if (meant != NULL)
		conf_error(p, at, "no `define %s` is before this; did you mean `${%s}`?", shown,
			   meant);
	else
		conf_error(p, at,
			   "no `define %s` is before this; a value of the environment is "
			   "`${env:%s}`",
			   shown, shown);
}

/* A text that is meant literally has a raw string, which this does not see. */
void conf_unreplaced_tell(struct conf_parser *p, const struct conf_value *value,
			  const struct conf_where *at)
{
	const char *end = value->data + value->len;
	for (const char *c = value->data; c + 2 < end && !value->raw; c++) {
		if (c[0] != '$' || c[1] != '{')
			continue;
		const char *close = memchr(c, '}', (size_t)(end - c));
		const size_t len = close != NULL ? (size_t)(close - c) - 2 : 0;
		if (!conf_is_name(c + 2, len) || conf_found_at(p, at))
			continue;
		conf_warning(p, at, "`${%.*s}` is taken as it stands: %s", (int)len, c + 2,
			     is_reserved(c + 2, len) ? "there are no variables here"
						     : "no `define` before it has this name");
		return;
	}
}

/* --- the environment -------------------------------------------------------------------------- */

static const char *environment_find(const struct conf_parser *p, const char *name, size_t len)
{
	char *const *entry = p->options->environment;
	for (; entry != NULL && *entry != NULL; entry++)
		if (strncmp(*entry, name, len) == 0 && (*entry)[len] == '=')
			return *entry + len + 1;
	return NULL;
}

static bool is_variable_name(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!is_letter(name[i]) && (i == 0 || !is_digit(name[i])))
			return false;
	return len > 0;
}

static void environment_missing(struct conf_parser *p, const struct conf_value *name,
				const struct conf_where *at)
{
	char shown[CONF_SHOWN_MAX];
	(void)conf_show(name, shown);
	if (p->options->environment == NULL)
		conf_error(p, at,
			   "this text is read without an environment: `${env:%s}` has no "
			   "value",
			   shown);
	else
		conf_error(p, at,
			   "the environment has no `%s`; for a value in its place write "
			   "`${env:%s:-value}`",
			   shown, shown);
}

/* Begins a name in it? The `}` of it would end the whole. */
static bool has_name(const char *text, const char *end)
{
	for (; end - text > 2; text++)
		if (text[0] == '$' && text[1] == '{' && is_letter(text[2]))
			return true;
	return false;
}

/* NAME or NAME:-DEFAULT, which a value that is missing or empty has, as in sh(1). */
static void environment_expand(struct conf_parser *p, const char *inner, size_t len,
			       const struct conf_where *at, struct conf_expansion *ret)
{
	static const char mark[] = ":-";
	const char *rest = memmem(inner, len, mark, strlen(mark));
	struct conf_value name = {.data = inner,
				  .len = rest != NULL ? (size_t)(rest - inner) : len};
	char shown[CONF_SHOWN_MAX];
	if (!is_variable_name(name.data, name.len)) {
		conf_error(p, at,
			   "`%s` is not the name of a variable of the environment; write "
			   "`${env:NAME}` or `${env:NAME:-value}`",
			   conf_show(&name, shown));
		ret->broken = true;
		return;
	}
	if (rest != NULL && has_name(rest, inner + len)) {
		conf_error(p, at,
			   "what follows `:-` is text, without names in it: `define` one value "
			   "with the other");
		ret->broken = true;
		return;
	}
	const char *value = environment_find(p, name.data, name.len);
	if (rest != NULL && (value == NULL || value[0] == '\0')) {
		ret->data = rest + strlen(mark);
		ret->len = len - name.len - strlen(mark);
		ret->is_source = true;
	} else if (value != NULL) {
		ret->data = value;
		ret->len = strlen(value);
	} else {
		environment_missing(p, &name, at);
		ret->broken = true;
	}
}

/* --- replacing -------------------------------------------------------------------------------- */

#define OF_ENVIRONMENT "env:"

static bool size_check(struct conf_parser *p, size_t len, const struct conf_where *at)
{
	if (len <= CONF_INCLUDED_MAX - p->included_bytes) {
		p->included_bytes += len;
		return true;
	}
	conf_error(p, at,
		   "all included files and the values of names together are larger than %zu MiB",
		   CONF_INCLUDED_MAX >> 20);
	p->stop = true;
	return false;
}

bool conf_expand(struct conf_parser *p, const char *text, const char *end,
		 const struct conf_where *token, const struct conf_where *at, bool in_string,
		 struct conf_expansion *ret)
{
	const size_t left = (size_t)(end - text), env = strlen(OF_ENVIRONMENT);
	*ret = (struct conf_expansion){.data = ""};
	if (left < 3 || text[0] != '$' || text[1] != '{')
		return false;
	const char *inner = text + 2, *close = memchr(inner, '}', left - 2);
	const size_t len = (size_t)((close != NULL ? close : end) - inner);
	/* text without an environment is canonical: it has its values already */
	const bool of_environment = len >= env && memcmp(inner, OF_ENVIRONMENT, env) == 0 &&
				    (p->options->environment != NULL || !in_string);
	ret->used = len + 2 + (close != NULL);
	if (close == NULL && (of_environment || !in_string)) {
		conf_error(p, at, "the `}` after this `${` is missing");
		ret->broken = true;
		return true;
	}
	if (of_environment) {
		environment_expand(p, inner + env, len - env, at, ret);
		return ret->broken || size_check(p, ret->len, at);
	}
	const struct conf_define *define =
	    close != NULL && conf_is_name(inner, len) ? define_find(p, inner, len) : NULL;
	if (define != NULL) {
		ret->data = define->value.data;
		ret->len = define->value.len;
		ret->broken = define->value.broken;
		return size_check(p, ret->len, at);
	}
	if (!in_string) {
		unknown_tell(p, inner, len, at);
		ret->broken = true;
		return true;
	}
	if (close != NULL && conf_is_name(inner, len))
		unknown_keep(p, inner, len, token, at);
	return false;
}
