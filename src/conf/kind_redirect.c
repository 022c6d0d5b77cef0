/*
 * The handler redirect: sends clients to another URL. Runs in the master and in the child of the
 * port. Must never accept a URL that could split a response, or that clients read in different
 * ways.
 */
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "parser.h"

#define URL_MAX 4096

enum { STATUS, URL };

/* A request, to see what a URL may become. */
struct example {
	const char *values[CONF_NO_VARIABLE];
};

/* Nothing that a URL must have is in it. */
static const struct example least = {.values = {[CONF_VARIABLE_HOST] = "h",
						[CONF_VARIABLE_TARGET] = "/",
						[CONF_VARIABLE_PATH] = "/",
						[CONF_VARIABLE_QUERY] = "",
						[CONF_VARIABLE_REMAINDER] = "",
						[CONF_VARIABLE_SCHEME] = "https",
						[CONF_VARIABLE_PORT] = "1",
						[CONF_VARIABLE_CLIENT] = "::1",
						[CONF_VARIABLE_REQUEST_ID] = "1",
						[CONF_VARIABLE_CERTIFICATE_SUBJECT] = "",
						[CONF_VARIABLE_CERTIFICATE_ISSUER] = "",
						[CONF_VARIABLE_CERTIFICATE_SERIAL] = "",
						[CONF_VARIABLE_CERTIFICATE_FINGERPRINT] = "",
						[CONF_VARIABLE_CERTIFICATE_SAN] = ""}};

/* The URL for such a request; no value is longer than the name of its variable, except a path. */
static char *url_expand(struct conf_parser *p, const char *url, const struct example *example)
{
	size_t most = strlen(url), used = 0;
	for (const char *c = url; *c != '\0'; c++)
		if (conf_variable_at(c) < CONF_NO_VARIABLE)
			most += strlen(example->values[conf_variable_at(c)]);
	char *out = conf_alloc(p, most + 1);
	if (out == NULL)
		return NULL;
	while (*url != '\0') {
		const enum conf_variable i = conf_variable_at(url);
		const char *from = i < CONF_NO_VARIABLE ? example->values[i] : url;
		const size_t len = i < CONF_NO_VARIABLE ? strlen(from) : 1;
		memcpy(out + used, from, len);
		used += len;
		url += i < CONF_NO_VARIABLE ? conf_variables[i].len : 1;
	}
	return out;
}

/* --- the URL (RFC 3986) ----------------------------------------------------------------------- */

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_alphanumeric(char c)
{
	return is_letter(c) || (c >= '0' && c <= '9');
}

/* "https://host...", or another scheme with something after it. */
static bool is_absolute(const char *url)
{
	size_t scheme = strspn(url, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789+-.");
	const char *rest = url + scheme;
	if (!is_letter(url[0]) || rest[0] != ':' || rest[1] == '\0')
		return false;
	const bool web = (scheme == 4 && strncasecmp(url, "http", 4) == 0) ||
			 (scheme == 5 && strncasecmp(url, "https", 5) == 0);
	return !web || (strncmp(rest, "://", 3) == 0 && strcspn(rest + 3, "/?#") > 0);
}

/* The first byte that a URL cannot have; NULL: there is none. */
static const char *wrong_byte(const char *url)
{
	static const char others[] = "-._~:/?#[]@!$&'()*+,;=%";
	for (; *url != '\0'; url++) {
		if (!is_alphanumeric(*url) && strchr(others, *url) == NULL)
			return url;
		if (*url == '%' && (num_hex_digit(url[1]) < 0 || num_hex_digit(url[2]) < 0))
			return url;
	}
	return NULL;
}

static void byte_tell(struct conf_parser *p, const char *wrong, const struct conf_where *at)
{
	const struct conf_value byte = {.data = wrong, .len = 1};
	char shown[CONF_SHOWN_MAX];
	if (*wrong == '%')
		conf_error(
		    p, at,
		    "in a URL two hexadecimal digits stand after `%%`; `%%` itself is `%%25`");
	else
		conf_error(p, at, "a URL cannot contain `%s`: write it as `%%%02X`",
			   conf_show(&byte, shown), (unsigned char)*wrong);
}

static bool url_begins_with_path(const char *url)
{
	const enum conf_variable i = conf_variable_at(url);
	return i < CONF_NO_VARIABLE && conf_variables[i].of_path;
}

/* May a request change which host the URL leads to, other than by naming it? */
static bool authority_check(struct conf_parser *p, const char *url, const struct conf_where *at)
{
	const char *begin = strstr(url, "://");
	if (url[0] == '/' || url_begins_with_path(url) || begin == NULL)
		return true;
	for (const char *c = begin + 3; *c != '\0' && strchr("/?#", *c) == NULL;) {
		const enum conf_variable i = conf_variable_at(c);
		if (i == CONF_NO_VARIABLE) {
			c++;
			continue;
		}
		if (i != CONF_VARIABLE_HOST && i != CONF_VARIABLE_PORT &&
		    (!conf_variables[i].of_path || c == begin + 3)) {
			conf_error(p, at, "`%s` cannot be the host of a URL; `${host}` can",
				   conf_variables[i].text);
			return false;
		}
		if (conf_variables[i].of_path)
			break;
		c += conf_variables[i].len;
	}
	return true;
}

/* Checked with each variable as an example. */
static bool url_check(struct conf_parser *p, const char *text, const char *expanded,
		      const struct conf_where *at)
{
	const struct conf_value url = {.data = text, .len = strlen(text)};
	const char *wrong = wrong_byte(expanded);
	char shown[CONF_SHOWN_MAX];
	if (wrong != NULL)
		byte_tell(p, wrong, at);
	else if (strncmp(text, "//", 2) == 0)
		conf_error(p, at, "a URL with a host begins with its scheme: \"https:%s\"",
			   conf_show(&url, shown));
	else if (!authority_check(p, text, at))
		return false;
	else if (text[0] != '/' && !url_begins_with_path(text) && !is_absolute(expanded))
		conf_error(p, at,
			   "a redirection leads to a whole URL such as "
			   "\"https://www.example.org/\", or to a path that begins with `/`");
	else
		return true;
	return false;
}

/* --- the statement ---------------------------------------------------------------------------- */

static bool status_read(struct conf_parser *p, const struct conf_value *status,
			const struct conf_where *at, uint64_t *ret)
{
	if (!conf_quantity(p, "status", CONF_NUMBER, 301, 308, status, at, ret))
		return false;
	if (*ret < 304 || *ret > 306)
		return true;
	conf_error(p, at,
		   "status %s is no redirection; there are 301 and 308 for good, 302 and 307 for "
		   "now, and 303 for the answer to a POST",
		   status->data);
	return false;
}

static void redirect_take(struct conf_parser *p, const struct conf_group *given)
{
	const struct conf_value *url = &given->values[URL];
	struct conf_redirect *redirect = conf_alloc(p, sizeof(*redirect));
	uint64_t status = 308;
	if (redirect == NULL || !conf_handler_begin(p, CONF_REDIRECT, redirect, &given->where))
		return;
	*redirect = (struct conf_redirect){.status = 308, .url = ""};
	if (status_read(p, &given->values[STATUS], &given->at[STATUS], &status))
		redirect->status = (uint32_t)status;
	if (!conf_plain_variables(p, "a URL", URL_MAX, url, &given->at[URL]) ||
	    !conf_variables_check(p, url->data, &given->at[URL]))
		return;
	const char *expanded = url_expand(p, url->data, &least);
	if (expanded == NULL || conf_variables_foreign(p, expanded, &given->at[URL]) ||
	    !url_check(p, url->data, expanded, &given->at[URL]))
		return;
	redirect->url = conf_copy(p, url->data, url->len);
}

/* Where a request for this location is sent; NULL: out of memory. */
static const char *url_at(struct conf_parser *p, const char *url, const char *path)
{
	struct example here = least;
	here.values[CONF_VARIABLE_TARGET] = here.values[CONF_VARIABLE_PATH] = path;
	here.values[CONF_VARIABLE_REMAINDER] = path[1] == '\0' ? "/" : "";
	return url_expand(p, url, &here);
}

/* Does the path of this URL belong to the location? */
static bool is_circle(const struct conf_location_draft *draft, const char *url)
{
	return url[0] == '/' &&
	       conf_host_locate(draft->host, url, strcspn(url, "?#")) == &draft->location;
}

/* Does the URL lead back to the same host on the same port? */
static bool is_same_place(const struct conf_port_draft *draft, const char *url)
{
	static const struct {
		const char *url;
		bool plain;
		uint16_t number; /* 0: any */
	} circles[] = {
	    {"https://${host}", false, 443},           {"http://${host}", true, 80},
	    {"https://${host}:${port}", false, 0},     {"http://${host}:${port}", true, 0},
	    {"${scheme}://${host}:${port}", false, 0}, {"${scheme}://${host}:${port}", true, 0}};
	for (size_t i = 0; i < CONF_COUNT(circles); i++) {
		const size_t len = strlen(circles[i].url);
		const char *rest = strncmp(url, circles[i].url, len) == 0 ? url + len : "";
		if (circles[i].plain == draft->port.plain &&
		    (circles[i].number == 0 || conf_port_has(draft, circles[i].number)) &&
		    (strcmp(rest, "${target}") == 0 || strcmp(rest, "${path}") == 0))
			return true;
	}
	return false;
}

static void redirect_check(struct conf_parser *p, struct conf_port_draft *port,
			   const struct conf_location_draft *draft)
{
	const struct conf_redirect *redirect = draft->location.options;
	const char *path = draft->location.path;
	char shown[CONF_SHOWN_MAX];
	if (redirect == NULL || path == NULL || path[0] == '\0')
		return;
	const char *to = url_at(p, redirect->url, path);
	if (to == NULL || (!is_circle(draft, to) && !is_same_place(port, redirect->url)))
		return;
	const struct conf_value url = {.data = redirect->url, .len = strlen(redirect->url)};
	conf_warning(p, &draft->location.where,
		     "clients are redirected in a circle: \"%s\" belongs to this location",
		     conf_show(&url, shown));
}

static void redirect_dump(const struct conf_location *location, FILE *out)
{
	const struct conf_redirect *redirect = location->options;
	(void)fprintf(out, "\t\tredirect %u", redirect->status);
	conf_put(out, " ", redirect->url);
	fputc('\n', out);
}

static uint64_t redirect_bytes(const struct conf_location *location)
{
	return strlen(((const struct conf_redirect *)location->options)->url);
}

const struct conf_kind conf_kind_redirect = {
    .statement =
	{
	    .word = "redirect",
	    .blocks = CONF_HANDLER_BLOCKS,
	    .take = redirect_take,
	    .pieces =
		{
		    [STATUS] = {CONF_NUMBER, .noun = "status", .example = "308"},
		    [URL] = {CONF_STRING, .noun = "URL"},
		},
	},
    .methods = CONF_METHODS_ANY,
    .check = redirect_check,
    .dump = redirect_dump,
    .bytes = redirect_bytes,
};
