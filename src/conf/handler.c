/*
 * The handlers of locations: echo, respond, and the control of faults. Runs in the master and in
 * the child of the port. Must never accept a header that the server makes itself, or that could
 * split a response.
 */
#include <string.h>
#include <strings.h>

#include "parser.h"

#define DEFAULT_TYPE "text/plain; charset=utf-8"
#define FIELD_MAX    4096
#define NO_FAULT     "no fault\n"

/* Chooses where the handler is stored: in the open location, else in "/" of the port. A second
 * handler of a location is not used, but its options are checked. */
static bool begin(struct conf_parser *p, enum conf_handler handler, const void *options,
		  const struct conf_where *where)
{
	struct conf_location_draft *draft = p->location;
	char place[CONF_PLACE_MAX];
	if (conf_block_top(p)->kind == CONF_BLOCK_PORT) {
		draft = conf_location_add(p, conf_copy(p, "/", 1), where);
		p->port->own = p->port->locations_count;
	} else if (p->location_served) {
		conf_error(p, where, "the location already has a handler, at %s",
			   conf_place(&p->handler_where, where, place));
		draft = conf_alloc(p, sizeof(*draft));
	} else {
		p->location_served = true;
		p->handler_where = *where;
	}
	struct conf_location *location = draft != NULL ? &draft->location : NULL;
	p->respond = NULL;
	p->type_given = false;
	p->headers_bytes = 0;
	if (location == NULL)
		return false;
	location->handler = handler;
	location->options = options;
	return true;
}

void conf_handler_echo(struct conf_parser *p, const struct conf_where *where)
{
	(void)begin(p, CONF_ECHO, NULL, where);
}

void conf_handler_fault_control(struct conf_parser *p, const struct conf_where *where)
{
	(void)begin(p, CONF_FAULT_CONTROL, NULL, where);
	if (p->location != NULL && p->location->fault_where.line == 0)
		p->location->fault_where = *where;
}

void conf_handler_default(struct conf_parser *p)
{
	static const struct conf_value status = {.data = "200", .len = 3};
	static const struct conf_value body = {.data = NO_FAULT, .len = sizeof(NO_FAULT) - 1};
	const struct conf_where *where = &p->location->fault_where;
	conf_handler_respond(p, &status, where, where);
	conf_respond_body(p, &body, where);
}

void conf_handler_respond(struct conf_parser *p, const struct conf_value *status,
			  const struct conf_where *where, const struct conf_where *at)
{
	struct conf_respond *respond = conf_alloc(p, sizeof(*respond));
	uint64_t number = 200;
	if (respond == NULL || !begin(p, CONF_RESPOND, respond, where))
		return;
	(void)conf_quantity(p, "status", CONF_NUMBER, 200, 599, status, at, &number);
	*respond =
	    (struct conf_respond){.status = (uint32_t)number, .body = "", .type = DEFAULT_TYPE};
	p->respond = respond;
}

/* A `$host` in a value was probably meant as a variable of another server. A child does not warn:
 * the master has done so for the same text. */
static void variables_tell(struct conf_parser *p, const struct conf_value *value, bool header,
			   const struct conf_where *at)
{
	struct conf_value shown = {.len = 0};
	char text[CONF_SHOWN_MAX];
	shown.data = conf_foreign_variable(value->data, value->len, header, &shown.len);
	if (shown.data != NULL && !value->broken)
		conf_warning(p, at, "`%s` is sent as it stands: there are no variables",
			     conf_show(&shown, text));
}

void conf_respond_body(struct conf_parser *p, const struct conf_value *body,
		       const struct conf_where *at)
{
	struct conf_respond *respond = p->respond;
	if (respond == NULL)
		return;
	if (body->len > 0 && (respond->status == 204 || respond->status == 304)) {
		conf_error(p, at, "a response with status %u has no body", respond->status);
		return;
	}
	char *copy = conf_copy(p, body->data, body->len);
	if (copy == NULL)
		return;
	respond->body = copy;
	respond->body_len = body->len;
	variables_tell(p, body, false, at);
}

/* field-value, RFC 9110 5.5: visible bytes, blanks and tabs between them. */
static bool check_field_value(struct conf_parser *p, const char *what,
			      const struct conf_value *value, const struct conf_where *at)
{
	if (value->broken)
		return false;
	if (value->len > FIELD_MAX) {
		conf_error(p, at, "%s has at most %d bytes, this one has %zu", what, FIELD_MAX,
			   value->len);
		return false;
	}
	for (size_t i = 0; i < value->len; i++) {
		unsigned char c = (unsigned char)value->data[i];
		if ((c < 0x20 && c != '\t') || c == 0x7f) {
			conf_error(p, at,
				   "%s cannot contain a line end, a NUL byte or another "
				   "control character",
				   what);
			return false;
		}
	}
	if (value->len > 0 && (strchr(" \t", value->data[0]) != NULL ||
			       strchr(" \t", value->data[value->len - 1]) != NULL)) {
		conf_error(p, at, "%s cannot begin or end with a blank", what);
		return false;
	}
	return true;
}

void conf_respond_type(struct conf_parser *p, const struct conf_value *type,
		       const struct conf_where *where, const struct conf_where *at)
{
	if (p->type_given)
		conf_error(p, where, "duplicate `type` in one statement");
	p->type_given = true;
	if (type->len == 0 && !type->broken)
		conf_error(p, at, "a type cannot be empty");
	else if (check_field_value(p, "a type", type, at) && p->respond != NULL)
		p->respond->type = conf_copy(p, type->data, type->len);
}

/* token, RFC 9110 5.6.2 */
static bool is_token(const struct conf_value *name)
{
	static const char others[] = "!#$%&'*+-.^_`|~";
	for (size_t i = 0; i < name->len; i++) {
		char c = name->data[i];
		bool alphanumeric =
		    (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		if (!alphanumeric && (c == '\0' || strchr(others, c) == NULL))
			return false;
	}
	return name->len > 0;
}

static bool check_field_name(struct conf_parser *p, const struct conf_value *name,
			     const struct conf_where *at)
{
	static const char *const made[] = {"Content-Length", "Transfer-Encoding", "Connection",
					   "Date"};
	char shown[CONF_SHOWN_MAX];
	if (name->broken)
		return false;
	if (!is_token(name)) {
		conf_error(p, at, "`%s` is not a header name: letters, digits and !#$%%&'*+-.^_`|~",
			   conf_show(name, shown));
		return false;
	}
	if (name->len > FIELD_MAX) {
		conf_error(p, at, "a header name has at most %d bytes", FIELD_MAX);
		return false;
	}
	for (size_t i = 0; i < CONF_COUNT(made); i++) {
		if (strcasecmp(name->data, made[i]) == 0) {
			conf_error(p, at, "the server makes `%s` itself", made[i]);
			return false;
		}
	}
	if (strcasecmp(name->data, "Content-Type") == 0) {
		conf_error(p, at, "write `type \"...\"` for Content-Type");
		return false;
	}
	return true;
}

static void add_header(struct conf_parser *p, const struct conf_value *name,
		       const struct conf_value *value)
{
	struct conf_respond *respond = p->respond;
	struct conf_header *headers =
	    conf_grow(p, respond->headers, respond->headers_count, sizeof(*headers));
	if (headers == NULL)
		return;
	respond->headers = headers;
	headers[respond->headers_count++] = (struct conf_header){
	    .name = conf_copy(p, name->data, name->len),
	    .value = conf_copy(p, value->data, value->len),
	};
}

void conf_respond_header(struct conf_parser *p, const struct conf_value *name,
			 const struct conf_value *value, const struct conf_where *at,
			 const struct conf_where *at2)
{
	bool good = check_field_name(p, name, at);
	if (!check_field_value(p, "a header value", value, at2) || !good || p->respond == NULL)
		return;
	p->headers_bytes += name->len + value->len;
	if (p->respond->headers_count == CONF_HEADERS_MAX)
		conf_error(p, at, "a response has at most %d headers", CONF_HEADERS_MAX);
	else if (p->headers_bytes > CONF_HEADERS_BYTES_MAX)
		conf_error(p, at, "the headers of a response have at most 16 KiB together");
	else
		add_header(p, name, value);
	variables_tell(p, value, true, at2);
}
