/*
 * The filter cors: which sites may read responses from a browser (the Fetch standard, CORS
 * protocol). Runs in the master and in the child of the port. Must never accept an origin that no
 * browser sends, because nothing would come of it.
 */
#include <string.h>
#include <strings.h>

#include "base/chars.h"
#include "base/network.h"
#include "base/num.h"
#include "parser.h"

#define WORDS_MAX  64 /* origins, and names of headers in a list */
#define ORIGIN_MAX 512
#define NAME_MAX_  128

enum {
	MODE,
	ORIGINS,
	METHODS,
	MORE_METHODS,
	HEADERS,
	MORE_HEADERS,
	EXPOSE,
	MORE_EXPOSE,
	CREDENTIALS,
	MAX_AGE
};

/* The options with what only the configuration needs. */
struct cors_draft {
	struct conf_cors cors;
	struct conf_where where, credentials_at;
	bool damaged;
};

static const char *const mode_words[] = {"origin", NULL};
static const char *const switch_words[] = {"off", "on", NULL};

static void word_add(struct conf_parser *p, struct conf_cors_words *words,
		     const struct conf_value *value, const struct conf_where *at)
{
	char shown[CONF_SHOWN_MAX];
	for (uint32_t i = 0; i < words->count; i++)
		if (strcasecmp(words->list[i], value->data) == 0) {
			conf_error(p, at, "duplicate \"%s\" in one statement",
				   conf_show(value, shown));
			return;
		}
	if (words->count == WORDS_MAX) {
		conf_error(p, at, "a list of `cors` has at most %d elements", WORDS_MAX);
		return;
	}
	const char **list = conf_grow(p, words->list, words->count, sizeof(*list));
	const char *copy = conf_copy(p, value->data, value->len);
	if (list == NULL || copy == NULL)
		return;
	words->list = list;
	list[words->count++] = copy;
}

/* --- origins (RFC 6454, 6.2) ------------------------------------------------------------------ */

static size_t scheme_len(const char *text)
{
	const size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+-.");
	return strncmp(text + len, "://", 3) == 0 ? len : 0;
}

static bool port_is_default(const char *text)
{
	const char *port = strrchr(text, ':');
	return (strncmp(text, "https:", 6) == 0 && strcmp(port, ":443") == 0) ||
	       (strncmp(text, "http:", 5) == 0 && strcmp(port, ":80") == 0);
}

/* Where the host ends: a name, or an IPv6 address in brackets. NULL: it is neither. */
static const char *host_end(const char *host)
{
	struct network_address address;
	const char *close = host[0] == '[' ? strchr(host, ']') : NULL;
	const size_t len = strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789-._");
	if (close != NULL)
		return memchr(host, ':', (size_t)(close - host)) != NULL &&
			       network_address_parse(host + 1, (size_t)(close - host) - 1,
						     &address) == 0
			   ? close + 1
			   : NULL;
	return len > 0 && host[0] != '.' && strstr(host, "..") == NULL ? host + len : NULL;
}

/* As a browser writes it. */
static bool port_is_number(const char *port)
{
	uint64_t number;
	return port[0] != '0' && num_parse(port, strlen(port), 1, 65535, &number) == 0;
}

/* A browser sends a name in other letters than those of ASCII in its form "xn--". */
static bool is_ascii(const char *text)
{
	while (*text > 0)
		text++;
	return *text == '\0';
}

static bool origin_check(struct conf_parser *p, const struct conf_value *value,
			 const struct conf_where *at)
{
	char shown[CONF_SHOWN_MAX];
	const char *text = value->data;
	if (!conf_plain(p, "an origin", ORIGIN_MAX, value, at))
		return false;
	(void)conf_show(value, shown);
	const size_t scheme = scheme_len(text);
	const char *host = text + scheme + (scheme > 0 ? 3 : 0);
	const size_t path = strcspn(host, "/?#");
	bool upper = false;
	for (const char *c = text; *c != '\0'; c++)
		upper = upper || (*c >= 'A' && *c <= 'Z');
	if (strcmp(text, "*") == 0)
		conf_error(p, at, "for all origins write `any`, without quotes");
	else if (strcmp(text, "null") == 0)
		conf_error(p, at, "\"null\" is the origin of many documents, and of no site");
	else if (upper)
		conf_error(p, at, "browsers send an origin in lower case: \"%s\" would never be it",
			   shown);
	else if (!is_ascii(text))
		conf_error(p, at,
			   "browsers send a name with other letters than a to z in its form "
			   "\"xn--...\": write that");
	else if (scheme == 0 || path == 0)
		conf_error(p, at,
			   "\"%s\" is not an origin: that is a scheme and a host, such as "
			   "\"https://app.example\"",
			   shown);
	else if (host[path] != '\0')
		conf_error(p, at, "an origin has no path: write \"%.*s\"",
			   (int)(host - text + (ptrdiff_t)path), text);
	else if (host_end(host) == NULL || strchr(":", *host_end(host)) == NULL)
		conf_error(p, at, "the host of an origin is one name, without `*` or other signs");
	else if (*host_end(host) == ':' && !port_is_number(host_end(host) + 1))
		conf_error(p, at, "`%s` is not the port of an origin: that is 1 to 65535",
			   host_end(host) + 1);
	else if (port_is_default(text))
		conf_error(p, at, "browsers leave the usual port out: write \"%.*s\"",
			   (int)(strrchr(text, ':') - text), text);
	else
		return true;
	return false;
}

/* --- lists ------------------------------------------------------------------------------------ */

static bool name_check(struct conf_parser *p, const struct conf_value *name,
		       const struct conf_where *at)
{
	char shown[CONF_SHOWN_MAX];
	if (!conf_plain(p, "a header name", NAME_MAX_, name, at))
		return false;
	if (strcmp(name->data, "*") != 0 && chars_token_len(name->data, name->len) == name->len)
		return true;
	conf_error(p, at, "`%s` is not a header name: letters, digits and !#$%%&'+-.^_`|~",
		   conf_show(name, shown));
	return false;
}

static bool method_add(struct conf_parser *p, struct conf_cors *cors,
		       const struct conf_value *value, const struct conf_where *at)
{
	char shown[CONF_SHOWN_MAX];
	if (value->broken)
		return false;
	for (unsigned m = 0; m < CONF_METHODS; m++) {
		if (strcmp(value->data, conf_method_names[m]) != 0)
			continue;
		if (cors->methods & CONF_METHOD_BIT(m))
			conf_error(p, at, "duplicate method \"%s\" in one statement", value->data);
		cors->methods |= CONF_METHOD_BIT(m);
		return true;
	}
	conf_error(p, at,
		   "unknown method \"%s\"; there are GET, HEAD, POST, PUT, DELETE, OPTIONS and "
		   "PATCH, each in quotes of its own",
		   conf_show(value, shown));
	return false;
}

/* --- the statement ---------------------------------------------------------------------------- */

static void cors_begin(struct conf_parser *p, struct cors_draft *draft,
		       const struct conf_group *given)
{
	(void)conf_once(p, "cors", &given->where);
	*draft = (struct cors_draft){.where = given->where};
	draft->cors.off = given->values[0].part == CONF_PART_ZERO;
}

static void cors_origin(struct conf_parser *p, struct cors_draft *draft,
			const struct conf_group *given)
{
	struct conf_cors *cors = &draft->cors;
	const struct conf_value *value = &given->values[0];
	if (value->part == CONF_PART_ZERO)
		cors->any = true;
	else if (!origin_check(p, value, &given->at[0]))
		draft->damaged = true;
	else
		word_add(p, &cors->origins, value, &given->at[0]);
}

/* One of a list: a method, or the name of a header. */
static void cors_list(struct conf_parser *p, struct cors_draft *draft,
		      const struct conf_group *given)
{
	const struct conf_value *value = &given->values[0];
	const bool is_method = given->piece == METHODS || given->piece == MORE_METHODS;
	const bool is_header = given->piece == HEADERS || given->piece == MORE_HEADERS;
	if (value->part == CONF_PART_INSTEAD)
		draft->cors.any_header = true;
	else if (is_method)
		(void)method_add(p, &draft->cors, value, &given->at[0]);
	else if (name_check(p, value, &given->at[0]))
		word_add(p, is_header ? &draft->cors.headers : &draft->cors.expose, value,
			 &given->at[0]);
}

static void cors_take(struct conf_parser *p, const struct conf_group *given)
{
	struct cors_draft *draft = conf_filter_here(p, CONF_FILTER_CORS, sizeof(*draft));
	uint64_t age;
	if (draft == NULL)
		return;
	switch (given->piece) {
	case MODE:
		cors_begin(p, draft, given);
		break;
	case ORIGINS:
		cors_origin(p, draft, given);
		break;
	case CREDENTIALS:
		draft->cors.credentials = strcmp(given->values[0].data, "on") == 0;
		draft->credentials_at = given->where;
		break;
	case MAX_AGE:
		if (conf_quantity(p, "max-age", CONF_DURATION, 0, UINT64_C(86400000),
				  &given->values[0], &given->at[0], &age)) {
			draft->cors.max_age_s = (uint32_t)(age / 1000);
			draft->cors.has_max_age = true;
		}
		break;
	default:
		cors_list(p, draft, given);
		break;
	}
}

static void cors_finish(struct conf_parser *p, void *own)
{
	const struct cors_draft *draft = own;
	const struct conf_cors *cors = &draft->cors;
	if (cors->off || draft->damaged)
		return;
	if (cors->any && cors->origins.count > 0)
		conf_error(p, &draft->where, "`any` is for all origins: leave the others out");
	else if (!cors->any && cors->origins.count == 0)
		conf_error(p, &draft->where,
			   "`cors origin` needs an origin such as \"https://app.example\", or "
			   "`any`");
	else if (cors->any_header && cors->headers.count > 0)
		conf_error(p, &draft->where, "`any` is for all headers: leave the others out");
	else if (cors->any && cors->credentials)
		conf_error(p, &draft->credentials_at,
			   "`credentials on` needs the origins by name: with `any` every site "
			   "could act as its visitors");
}

/* --- the canonical text ----------------------------------------------------------------------- */

static void words_write(const char *before, const struct conf_cors_words *words, FILE *out)
{
	for (uint32_t i = 0; i < words->count; i++)
		conf_put(out, i == 0 ? before : " ", words->list[i]);
}

static void cors_write(const void *own, const char *indent, FILE *out)
{
	const struct conf_cors *cors = own;
	const char *before = " methods";
	if (cors->off) {
		(void)fprintf(out, "%scors off\n", indent);
		return;
	}
	(void)fprintf(out, "%scors origin%s", indent, cors->any ? " any" : "");
	words_write(" ", &cors->origins, out);
	for (unsigned m = 0; m < CONF_METHODS; m++)
		if (cors->methods & CONF_METHOD_BIT(m)) {
			(void)fprintf(out, "%s \"%s\"", before, conf_method_names[m]);
			before = "";
		}
	if (cors->any_header)
		fputs(" headers any", out);
	words_write(" headers ", &cors->headers, out);
	words_write(" expose ", &cors->expose, out);
	(void)fprintf(out, " credentials %s", switch_words[cors->credentials]);
	if (cors->has_max_age)
		(void)fprintf(out, " max-age %us", cors->max_age_s);
	fputc('\n', out);
}

static uint64_t words_size(const struct conf_cors_words *words)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < words->count; i++)
		sum += sizeof(char *) + 2 * (strlen(words->list[i]) + 2);
	return sum;
}

static uint64_t cors_size(const void *own)
{
	const struct conf_cors *cors = own;
	return sizeof(struct cors_draft) + words_size(&cors->origins) + words_size(&cors->headers) +
	       words_size(&cors->expose);
}

#define MORE(name)                                                  \
	{                                                           \
		CONF_STRING, CONF_MAY, .noun = (name), .many = true \
	}

static const struct conf_statement cors_statements[] = {
    {.word = "cors",
     .blocks = CONF_FILTER_BLOCKS,
     .take = cors_take,
     .pieces = {[MODE] = {CONF_CHOICE, .choices = mode_words, .zero = "off"},
		[ORIGINS] = {CONF_STRING, CONF_MAY, .noun = "origin", .zero = "any", .many = true},
		[METHODS] = {CONF_STRING, CONF_OPTION, "methods", .noun = "method", .once = true},
		[MORE_METHODS] = MORE("method"),
		[HEADERS] = {CONF_STRING, CONF_OPTION, "headers", .noun = "header name",
			     .instead = "any", .once = true},
		[MORE_HEADERS] = {CONF_STRING, CONF_MAY, .noun = "header name", .instead = "any",
				  .many = true},
		[EXPOSE] = {CONF_STRING, CONF_OPTION, "expose", .noun = "header name",
			    .once = true},
		[MORE_EXPOSE] = MORE("header name"),
		[CREDENTIALS] = {CONF_CHOICE, CONF_OPTION, "credentials", .choices = switch_words,
				 .once = true},
		[MAX_AGE] = {CONF_DURATION, CONF_OPTION, "max-age", .example = "10m",
			     .once = true}}},
    {.word = NULL},
};

/* The statement of an inner place takes the place of the outer one. */
const struct conf_kind conf_kind_cors = {
    .statements = cors_statements,
    .finish = cors_finish,
    .write = cors_write,
    .size = cors_size,
};
