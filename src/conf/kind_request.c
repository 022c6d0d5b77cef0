/*
 * The filter request: `request header`, rules for the heads that go on to upstreams. Runs in the
 * master and in the child of the port. Must never accept a header that the proxy makes itself, or
 * one that decides where a request ends.
 */
#include <string.h>
#include <strings.h>

#include "base/chars.h"
#include "parser.h"

static bool is_in(const char *name, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcasecmp(name, list[i]) == 0)
			return true;
	return false;
}

/* What it is framed by and what belongs to one connection (RFC 9110, 7.6.1), and what the proxy
 * says of the client. */
static bool request_name_check(struct conf_parser *p, const struct conf_value *name,
			       const struct conf_where *at)
{
	static const char *const hops[] = {
	    "Connection", "Keep-Alive",        "Proxy-Connection", "TE",     "Trailer",
	    "Upgrade",    "Transfer-Encoding", "Content-Length",   "Expect", "HTTP2-Settings"};
	static const char *const made[] = {"Forwarded",
					   "X-Forwarded-For",
					   "X-Forwarded-Host",
					   "X-Forwarded-Port",
					   "X-Forwarded-Proto",
					   "X-Request-Id",
					   "Via"};
	char shown[CONF_SHOWN_MAX];
	if (name->broken)
		return false;
	if (name->len == 0 || name->len > 256 || chars_token_len(name->data, name->len) < name->len)
		conf_error(p, at, "`%s` is not a header name: letters, digits and !#$%%&'*+-.^_`|~",
			   conf_show(name, shown));
	else if (strcasecmp(name->data, "Host") == 0)
		conf_error(p, at, "write `proxy to ... { host \"name\" }` for Host");
	else if (is_in(name->data, hops, CONF_COUNT(hops)))
		conf_error(p, at,
			   "`%s` belongs to one connection or to the form of one body: the proxy "
			   "makes it itself",
			   name->data);
	else if (is_in(name->data, made, CONF_COUNT(made)))
		conf_error(p, at,
			   "the proxy makes `%s` itself: `trust` says whose is believed, and "
			   "`forwarded` and `via` in the block of `proxy` can leave it out",
			   name->data);
	else
		return true;
	return false;
}

static void request_take(struct conf_parser *p, const struct conf_group *given)
{
	conf_header_take(p, CONF_FILTER_REQUEST, "request header", request_name_check, given);
}

/* Of a place inside of which nothing is passed on nothing is said: more may come to be in it. */
static void request_check(struct conf_parser *p, struct conf_port_draft *port,
			  const struct conf_location_draft *draft)
{
	(void)port;
	if (draft->filters.own[CONF_FILTER_REQUEST] != NULL &&
	    draft->location.handler != CONF_PROXY)
		conf_warning(p, &draft->location.where,
			     "`request header` changes what `proxy` passes on, and this location "
			     "has another handler");
}

static void request_write(const void *own, const char *indent, FILE *out)
{
	conf_header_write(own, "request header", indent, out);
}

static const struct conf_statement request_statements[] = {
    {.word = "request",
     .blocks = CONF_FILTER_BLOCKS,
     .take = request_take,
     .pieces = {[CONF_HEADER_OPERATION] = {CONF_CHOICE, .word = "header",
					   .choices = conf_header_operations},
		[CONF_HEADER_NAME] = {CONF_STRING, .noun = "header name"},
		[CONF_HEADER_VALUE] = {CONF_STRING, CONF_MAY, .noun = "header value"}}},
    {.word = NULL},
};

const struct conf_kind conf_kind_request = {
    .statements = request_statements,
    .inherit = conf_header_inherit,
    .finish = conf_header_finish,
    .check = request_check,
    .write = request_write,
    .size = conf_header_size,
};
