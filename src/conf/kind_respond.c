/*
 * The handler respond: a fixed response. Runs in the master and in the child of the port. Must
 * never accept a header that the server makes itself, or that could split a response.
 */
#include <limits.h>
#include <string.h>
#include <strings.h>

#include "base/chars.h"
#include "base/media_type.h"
#include "parser.h"

#define DEFAULT_TYPE "text/plain; charset=utf-8"
#define FIELD_MAX    4096

enum { STATUS, BODY, FILE_BODY, TYPE, HEADER };

/* A response with what only the configuration needs. */
struct respond_draft {
	struct conf_respond respond;
	struct conf_where status_at;
	size_t headers_bytes; /* of all headers, also of those that are too many */
	bool body_given, type_given;
	const char *file; /* NULL: the body is text */
	struct conf_where file_at;
};

static void respond_begin(struct conf_parser *p, const struct conf_value *status,
			  const struct conf_where *where, const struct conf_where *at)
{
	struct respond_draft *draft = conf_alloc(p, sizeof(*draft));
	uint64_t number = 200;
	if (draft == NULL || !conf_handler_begin(p, CONF_RESPOND, draft, where))
		return;
	(void)conf_quantity(p, "status", CONF_NUMBER, 200, 599, status, at, &number);
	draft->status_at = *at;
	draft->respond =
	    (struct conf_respond){.status = (uint32_t)number, .body = "", .type = DEFAULT_TYPE};
}

/* Is there room for a body? */
static bool body_check(struct conf_parser *p, struct respond_draft *draft, bool is_some,
		       const struct conf_where *at)
{
	const unsigned status = draft->respond.status;
	if (draft->body_given) {
		conf_error(p, at, "a response has one body: a text or a file");
		return false;
	}
	draft->body_given = true;
	if (!is_some || (status != 204 && status != 205 && status != 304))
		return true;
	conf_error(p, at, "a response with status %u has no body", status);
	return false;
}

static void respond_body(struct conf_parser *p, const struct conf_value *body,
			 const struct conf_where *at)
{
	struct respond_draft *draft = p->kind_options;
	if (draft == NULL || !body_check(p, draft, body->len > 0, at))
		return;
	char *copy = conf_copy(p, body->data, body->len);
	if (copy == NULL)
		return;
	draft->respond.body = copy;
	draft->respond.body_len = body->len;
	conf_variables_tell(p, body, false, at);
}

/* The file is read when the port starts, and its end says its type. */
static void respond_file(struct conf_parser *p, const struct conf_value *file,
			 const struct conf_where *at)
{
	struct respond_draft *draft = p->kind_options;
	const bool good = conf_plain(p, "a file name", PATH_MAX - 1, file, at);
	if (draft == NULL || !body_check(p, draft, true, at) || !good)
		return;
	draft->file = conf_path(p, file->data, at);
	draft->file_at = *at;
	if (!draft->type_given)
		draft->respond.type = NULL;
}

/* field-value, RFC 9110 5.5: visible bytes, blanks and tabs between them. */
bool conf_field_check(struct conf_parser *p, const char *what, const struct conf_value *value,
		      const struct conf_where *at)
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

bool conf_type_check(struct conf_parser *p, const struct conf_value *type,
		     const struct conf_where *at)
{
	if (type->len == 0 && !type->broken) {
		conf_error(p, at, "a type cannot be empty");
		return false;
	}
	if (!conf_field_check(p, "a type", type, at))
		return false;
	switch (media_type_check(type->data, type->len)) {
	case MEDIA_TYPE_GOOD:
		return true;
	case MEDIA_TYPE_NAME:
		conf_error(p, at, "a type has two parts: \"text/html\"");
		break;
	case MEDIA_TYPE_PARAMETERS:
		conf_error(p, at,
			   "what follows a type is `; name=value`: \"text/html; charset=utf-8\"");
		break;
	}
	return false;
}

static void respond_type(struct conf_parser *p, const struct conf_value *type,
			 const struct conf_where *at)
{
	struct respond_draft *draft = p->kind_options;
	if (conf_type_check(p, type, at) && draft != NULL) {
		draft->respond.type = conf_copy(p, type->data, type->len);
		draft->type_given = true;
	}
}

bool conf_field_name_check(struct conf_parser *p, const struct conf_value *name,
			   const struct conf_where *at)
{
	static const char *const made[] = {"Content-Length", "Transfer-Encoding", "Connection",
					   "Date"};
	char shown[CONF_SHOWN_MAX];
	if (name->broken)
		return false;
	if (name->len == 0 || chars_token_len(name->data, name->len) < name->len) {
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
	return true;
}

static bool respond_name_check(struct conf_parser *p, const struct conf_value *name,
			       const struct conf_where *at)
{
	if (!conf_field_name_check(p, name, at))
		return false;
	const bool is_type = strcasecmp(name->data, "Content-Type") == 0;
	if (is_type)
		conf_error(p, at, "write `type \"...\"` for Content-Type");
	return !is_type;
}

static bool has_header(const struct conf_respond *respond, const char *name)
{
	for (size_t i = 0; i < respond->headers_count; i++)
		if (strcasecmp(respond->headers[i].name, name) == 0)
			return true;
	return false;
}

/* RFC 9110, 5.3: only a field that is a list may come twice. */
static void warn_of_second(struct conf_parser *p, const struct conf_value *name,
			   const struct conf_where *at)
{
	static const char *const single[] = {"Age",      "Content-Location", "Content-Range",
					     "ETag",     "Expires",          "Last-Modified",
					     "Location", "Retry-After",      "Server"};
	for (size_t i = 0; i < CONF_COUNT(single); i++)
		if (strcasecmp(name->data, single[i]) == 0 &&
		    has_header(p->kind_options, single[i]))
			conf_warning(p, at, "a response has one `%s`: clients ignore the others",
				     single[i]);
}

static void add_header(struct conf_parser *p, const struct conf_value *name,
		       const struct conf_value *value)
{
	struct conf_respond *respond = p->kind_options;
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

static void respond_header(struct conf_parser *p, const struct conf_group *given)
{
	const struct conf_value *name = &given->values[0], *value = &given->values[1];
	struct respond_draft *draft = p->kind_options;
	bool good = respond_name_check(p, name, &given->at[0]);
	if (!conf_field_check(p, "a header value", value, &given->at[1]) || !good || draft == NULL)
		return;
	draft->headers_bytes += name->len + value->len;
	if (draft->respond.headers_count == CONF_HEADERS_MAX)
		conf_error(p, &given->at[0], "a response has at most %d headers", CONF_HEADERS_MAX);
	else if (draft->headers_bytes > CONF_HEADERS_BYTES_MAX)
		conf_error(p, &given->at[0],
			   "the headers of a response have at most 16 KiB together");
	else {
		warn_of_second(p, name, &given->at[0]);
		add_header(p, name, value);
	}
	conf_variables_tell(p, value, true, &given->at[1]);
}

static void respond_take(struct conf_parser *p, const struct conf_group *given)
{
	switch (given->piece) {
	case STATUS:
		respond_begin(p, &given->values[0], &given->where, &given->at[0]);
		break;
	case BODY:
		respond_body(p, &given->values[0], &given->at[0]);
		break;
	case FILE_BODY:
		respond_file(p, &given->values[0], &given->at[0]);
		break;
	case TYPE:
		respond_type(p, &given->values[0], &given->at[0]);
		break;
	case HEADER:
		respond_header(p, given);
		break;
	}
}

void conf_respond_default(struct conf_parser *p, const char *text, const struct conf_where *where)
{
	const struct conf_value status = {.data = "200", .len = 3};
	const struct conf_value body = {.data = text, .len = strlen(text)};
	respond_begin(p, &status, where, where);
	respond_body(p, &body, where);
}

/* Warns of a status that clients can do nothing with, because the header that belongs to it is
 * missing (RFC 9110, 15.3.7, 15.4, 15.5.2, 15.5.8, 15.5.17 and 15.5.22). It is no error, because a
 * filter may add the header. The worker itself adds Allow to a 405. */
static void respond_check(struct conf_parser *p, struct conf_port_draft *port,
			  const struct conf_location_draft *location)
{
	static const struct {
		unsigned status;
		const char *header, *example;
	} needs[] = {
	    {206, "Content-Range", "bytes 0-9/100"},
	    {301, "Location", "https://www.example.org/"},
	    {302, "Location", "https://www.example.org/"},
	    {303, "Location", "https://www.example.org/"},
	    {307, "Location", "https://www.example.org/"},
	    {308, "Location", "https://www.example.org/"},
	    {401, "WWW-Authenticate", "Basic"},
	    {407, "Proxy-Authenticate", "Basic"},
	    {416, "Content-Range", "bytes */100"},
	    {426, "Upgrade", "HTTP/2.0"},
	};
	const struct respond_draft *draft = location->location.options;
	if (draft != NULL)
		conf_respond_finish(p, port, &draft->respond);
	for (size_t i = 0; draft != NULL && i < CONF_COUNT(needs); i++)
		if (draft->respond.status == needs[i].status &&
		    !has_header(&draft->respond, needs[i].header))
			conf_warning(p, &draft->status_at,
				     "clients expect a `%s` with status %u: add `header \"%s\" "
				     "\"%s\"`",
				     needs[i].header, needs[i].status, needs[i].header,
				     needs[i].example);
}

void conf_respond_finish(struct conf_parser *p, struct conf_port_draft *port,
			 const struct conf_respond *respond)
{
	struct respond_draft *draft = (struct respond_draft *)respond; /* made here */
	if (draft->file != NULL)
		draft->respond.file = conf_paths_add(
		    p, &port->bodies, &port->port.bodies, &port->port.bodies_count, CONF_BODIES_MAX,
		    "files as bodies", draft->file, &draft->file_at);
}

void conf_respond_dump(const struct conf_respond *respond, FILE *out)
{
	const struct respond_draft *draft = (const struct respond_draft *)respond;
	if (draft->file != NULL) {
		conf_put(out, " file ", draft->file);
	} else if (respond->body_len > 0 || respond->status == 0) { /* in an error */
		fputc(' ', out);
		conf_put_string(out, respond->body, respond->body_len);
	}
	if (respond->type != NULL)
		conf_put(out, " type ", respond->type);
	for (size_t i = 0; i < respond->headers_count; i++) {
		conf_put(out, " header ", respond->headers[i].name);
		conf_put(out, " ", respond->headers[i].value);
	}
	fputc('\n', out);
}

static void respond_dump(const struct conf_location *location, FILE *out)
{
	const struct conf_respond *respond = location->options;
	(void)fprintf(out, "\t\trespond %u", respond->status);
	conf_respond_dump(respond, out);
}

uint64_t conf_respond_bytes(const struct conf_respond *respond)
{
	const struct respond_draft *draft = (const struct respond_draft *)respond;
	uint64_t sum = respond->body_len + (draft->file != NULL ? strlen(draft->file) : 0);
	for (size_t i = 0; i < respond->headers_count; i++)
		sum += sizeof(respond->headers[i]) + strlen(respond->headers[i].name) +
		       strlen(respond->headers[i].value);
	return sum;
}

static uint64_t respond_bytes(const struct conf_location *location)
{
	return conf_respond_bytes(location->options);
}

/* --- in an error ------------------------------------------------------------------------------ */

void conf_error_respond(struct conf_parser *p, const struct conf_where *where)
{
	struct respond_draft *draft = conf_alloc(p, sizeof(*draft));
	(void)conf_once(p, "respond", where);
	p->kind_options = draft;
	if (draft == NULL)
		return;
	draft->respond.body = "";
	draft->respond.type = DEFAULT_TYPE;
	if (p->error != NULL)
		p->error->respond = &draft->respond;
}

static void error_respond_take(struct conf_parser *p, const struct conf_group *given)
{
	struct conf_group of_respond = *given;
	of_respond.piece += BODY; /* the pieces are those of `respond` after its status */
	respond_take(p, &of_respond);
}

bool conf_respond_has_body(const struct conf_respond *respond)
{
	return ((const struct respond_draft *)respond)->body_given;
}

/* The pieces after the status, of a response and of an error. */
#define BODY_PIECES                                                                 \
	{CONF_STRING, CONF_MAY, .noun = "body"},                                    \
	    {CONF_STRING, CONF_OPTION, "file", .noun = "file name"},                \
	    {CONF_STRING, CONF_OPTION, "type", .noun = "media type", .once = true}, \
	    {CONF_STRING, CONF_OPTION, "header", .noun = "header name"},            \
	{                                                                           \
		CONF_STRING, .noun = "header value"                                 \
	}

const struct conf_statement conf_error_statements[] = {
    {.word = "respond", .take = error_respond_take, .pieces = {BODY_PIECES}},
    {.word = NULL},
};

const struct conf_kind conf_kind_respond = {
    .statement =
	{
	    .word = "respond",
	    .blocks = CONF_HANDLER_BLOCKS | CONF_BLOCK_ERROR,
	    .token = T_RESPOND,
	    .take = respond_take,
	    .pieces =
		{
		    [STATUS] = {CONF_NUMBER, .noun = "status", .example = "200"},
		    BODY_PIECES,
		},
	},
    .methods = CONF_METHOD_BIT(CONF_GET) | CONF_METHOD_BIT(CONF_HEAD),
    .check = respond_check,
    .dump = respond_dump,
    .bytes = respond_bytes,
};
