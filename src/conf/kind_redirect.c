/*
 * The handler redirect: sends clients to another URL. Runs in the master and in the child of the
 * port. Must never accept a URL that could split a response, or that clients read in different
 * ways.
 */
#include <string.h>
#include <strings.h>

#include "parser.h"

#define URL_MAX 4096

enum { STATUS, URL };

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

static bool url_check(struct conf_parser *p, const struct conf_value *url,
		      const struct conf_where *at)
{
	if (!conf_plain(p, "a URL", URL_MAX, url, at))
		return false;
	const char *wrong = wrong_byte(url->data);
	char shown[CONF_SHOWN_MAX];
	if (wrong != NULL)
		byte_tell(p, wrong, at);
	else if (strncmp(url->data, "//", 2) == 0)
		conf_error(p, at, "a URL with a host begins with its scheme: \"https:%s\"",
			   conf_show(url, shown));
	else if (url->data[0] != '/' && !is_absolute(url->data))
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
	if (!url_check(p, url, &given->at[URL]))
		return;
	redirect->url = conf_copy(p, url->data, url->len);
	conf_variables_tell(p, url, true, &given->at[URL]);
}

/* Does the path of this URL belong to the location? */
static bool is_circle(const struct conf_location_draft *draft, const char *url)
{
	return url[0] == '/' &&
	       conf_host_locate(draft->host, url, strcspn(url, "?#")) == &draft->location;
}

static void redirect_check(struct conf_parser *p, struct conf_port_draft *port,
			   const struct conf_location_draft *draft)
{
	const struct conf_redirect *redirect = draft->location.options;
	struct conf_value url = {.data = ""};
	char shown[CONF_SHOWN_MAX];
	(void)port;
	if (redirect == NULL || !is_circle(draft, redirect->url))
		return;
	url.data = redirect->url;
	url.len = strlen(url.data);
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
