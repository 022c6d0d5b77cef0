/*
 * The handler proxy: requests go on to an upstream. Runs in the master and in the child of the
 * port. Must never accept what would send a request to another path than was meant.
 */
#include <string.h>

#include "base/num.h"
#include "parser.h"

#define BUFFER_MIN    UINT64_C(4096)
#define BUFFER_MAX    (UINT64_C(64) << 20)
#define BUFFER_PRESET UINT64_C(16384)

/* The options with what only the configuration needs. */
struct proxy_draft {
	struct conf_proxy proxy;
	struct conf_upstream_draft *upstream; /* of a URL; NULL: a mistake was in it */
	const char *name;                     /* of an upstream; NULL: of a URL */
	struct conf_proxy_path path;
	struct conf_where where, name_at;
	bool buffers_given[2];
};

static const char *const switch_words[] = {"off", "on", NULL};
static const char *const upgrade_words[] = {"on", "off", NULL};
static const char *const server_words[] = {"replace", "keep", NULL};
static const char *const trace_words[] = {"pass", "make", NULL};
static const char *const buffer_words[] = {"request", "response", NULL};
static const char *const path_words[] = {"replace", "strip", NULL};
/* By the set of enum conf_forwarded. */
static const char *const forwarded_words[] = {"off", "forwarded", "x-forwarded", "both", NULL};

static void proxy_upstream(struct conf_parser *p, struct proxy_draft *draft,
			   const struct conf_group *given)
{
	const struct conf_value *to = &given->values[0];
	p->upstream = conf_upstream_new(p, &given->where);
	if (p->upstream == NULL)
		return;
	if (to->broken || !conf_upstream_is_url(to)) {
		p->upstream->is_reference = true;
		p->upstream->upstream.name = draft->name = conf_copy(p, to->data, to->len);
		return;
	}
	draft->upstream = p->upstream;
	p->upstream->upstream.anonymous = true;
	p->upstream->upstream.name = "";
	conf_upstream_add(p, p->upstream, to, &given->at[0], false);
	if (p->upstream->endpoints_count > 0)
		p->upstream->upstream.name = p->upstream->endpoints[0].endpoint.url;
}

static void proxy_take(struct conf_parser *p, const struct conf_group *given)
{
	struct proxy_draft *draft = conf_alloc(p, sizeof(*draft));
	p->upstream = NULL;
	if (draft == NULL || !conf_handler_begin(p, CONF_PROXY, draft, &given->where))
		return;
	draft->where = given->where;
	draft->name_at = given->at[0];
	draft->proxy.forwarded = CONF_FORWARDED | CONF_X_FORWARDED;
	draft->proxy.buffer_request = draft->proxy.buffer_response = BUFFER_PRESET;
	draft->proxy.via = true;
	proxy_upstream(p, draft, given);
}

/* --- options ---------------------------------------------------------------------------------- */

static void host_take(struct conf_parser *p, const struct conf_group *given)
{
	struct proxy_draft *draft = p->kind_options;
	const struct conf_value *value = &given->values[0];
	if (draft == NULL)
		return;
	struct conf_proxy *proxy = &draft->proxy;
	proxy->host_name = NULL;
	switch (value->part) {
	case CONF_PART_ZERO:
		proxy->host = CONF_PROXY_HOST_KEEP;
		break;
	case CONF_PART_INSTEAD:
		proxy->host = CONF_PROXY_HOST_UPSTREAM;
		break;
	default:
		proxy->host = CONF_PROXY_HOST_NAME;
		proxy->host_name = conf_upstream_host(p, value, &given->at[0]);
		break;
	}
}

static void buffer_take(struct conf_parser *p, const struct conf_group *given)
{
	struct proxy_draft *draft = p->kind_options;
	const bool response = strcmp(given->values[0].data, "response") == 0;
	uint64_t bytes;
	if (draft == NULL || !conf_quantity(p, "buffer", CONF_SIZE, BUFFER_MIN, BUFFER_MAX,
					    &given->values[1], &given->at[1], &bytes))
		return;
	if (draft->buffers_given[response])
		conf_error(p, &given->where, "duplicate `buffer %s`", given->values[0].data);
	draft->buffers_given[response] = true;
	*(response ? &draft->proxy.buffer_response : &draft->proxy.buffer_request) = bytes;
}

/* --- the path --------------------------------------------------------------------------------- */

enum { PATH, PATH_TO };

/* As the paths of requests are compared; NULL: it is none, which was reported. */
static const char *path_read(struct conf_parser *p, const struct conf_value *value,
			     const struct conf_where *at)
{
	size_t len = value->len;
	if (!conf_path_check(p, "a path", value, at))
		return NULL;
	while (len > 1 && value->data[len - 1] == '/')
		len--;
	return conf_copy(p, value->data, len);
}

static void path_set(struct conf_parser *p, struct conf_proxy_path *path,
		     const struct conf_group *given)
{
	const bool first = given->piece == PATH;
	const struct conf_value *value = &given->values[first ? 1 : 0];
	const struct conf_where *at = &given->at[first ? 1 : 0];
	if (first) {
		*path = (struct conf_proxy_path){.where = given->where};
		path->strip = strcmp(given->values[0].data, "strip") == 0;
		path->from = path_read(p, value, at);
		path->damaged = path->from == NULL;
		path->to = path->strip ? "/" : NULL;
	} else if (path->strip) {
		conf_error(p, at,
			   "`path strip` takes a path away and puts none in its place: for "
			   "that write `path replace`");
	} else {
		path->to = path_read(p, value, at);
		path->damaged = path->damaged || path->to == NULL;
	}
}

static void option_path_take(struct conf_parser *p, const struct conf_group *given)
{
	struct proxy_draft *draft = p->kind_options;
	if (draft != NULL)
		path_set(p, &draft->path, given);
}

/* In the location, beside its handler. */
static void location_path_take(struct conf_parser *p, const struct conf_group *given)
{
	struct conf_location_draft *draft = p->location;
	if (given->piece == PATH)
		(void)conf_once(p, "path", &given->where);
	if (draft != NULL)
		path_set(p, &draft->path, given);
}

void conf_proxy_path_end(struct conf_parser *p)
{
	const struct conf_location_draft *draft = p->location;
	if (draft != NULL && draft->path.where.line > 0 && p->location_served &&
	    draft->location.handler != CONF_PROXY)
		conf_error(p, &draft->path.where,
			   "`path` changes what `proxy` passes on, and this location has another "
			   "handler");
}

/* What a path in the location says, or the handler's own block. */
static void path_finish(struct conf_parser *p, struct proxy_draft *draft,
			const struct conf_location_draft *location)
{
	const struct conf_proxy_path *path = &draft->path, *other = &location->path;
	char place[CONF_PLACE_MAX], from[CONF_SHOWN_MAX], shown[CONF_SHOWN_MAX];
	if (path->where.line > 0 && other->where.line > 0)
		conf_error(p, &other->where, "duplicate `path`; the other one is at %s",
			   conf_place(&path->where, &other->where, place));
	if (path->where.line == 0)
		path = other;
	if (path->where.line == 0 || path->damaged)
		return;
	const size_t len = strlen(path->from);
	const char *at = location->location.path;
	if (path->to == NULL) {
		conf_error(
		    p, &path->where,
		    "`path replace` needs what comes in its place: `path replace \"%s\" \"/\"`",
		    conf_show_text(path->from, from));
		return;
	}
	if (at != NULL && at[0] != '\0' && len > 1 &&
	    (strncmp(at, path->from, len) != 0 || (at[len] != '\0' && at[len] != '/')))
		conf_error(p, &path->where,
			   "the paths of this location begin with \"%s\", and so not always with "
			   "\"%s\"",
			   conf_show_text(at, shown), conf_show_text(path->from, from));
	draft->proxy.path_from = path->from;
	draft->proxy.path_to = path->to;
}

/* --- when the port is complete ---------------------------------------------------------------- */

static void unknown_tell(struct conf_parser *p, const struct conf_port_draft *port,
			 const struct proxy_draft *draft)
{
	const struct conf_value name = {.data = draft->name, .len = strlen(draft->name)};
	const char *names[CONF_UPSTREAMS_MAX];
	char shown[CONF_SHOWN_MAX];
	for (size_t i = 0; i < port->upstreams_count; i++) {
		names[i] = port->upstreams[i]->upstream.name;
		if (names[i][0] == '\0')
			return; /* it may be that one, whose name has a mistake */
	}
	const char *meant = conf_suggest(name.data, name.len, names, port->upstreams_count);
	(void)conf_show(&name, shown);
	if (meant != NULL)
		conf_error(p, &draft->name_at, "unknown upstream \"%s\"; did you mean \"%s\"?",
			   shown, meant);
	else if (strchr(name.data, '.') != NULL || strcmp(name.data, "localhost") == 0)
		conf_error(p, &draft->name_at,
			   "there is no upstream \"%s\"; the URL of a host is \"http://%s\"", shown,
			   shown);
	else
		conf_error(p, &draft->name_at,
			   "there is no upstream \"%s\": write `upstream \"%s\" { to "
			   "\"http://127.0.0.1:9000\" }` in the port",
			   shown, shown);
}

/* `proxy to "http://api"` beside `upstream "api"`. */
static void name_tell(struct conf_parser *p, const struct conf_port_draft *port,
		      const struct proxy_draft *draft)
{
	const struct conf_endpoint_draft *e = draft->upstream->endpoints;
	if (draft->upstream->endpoints_count == 0 || !e->endpoint.named ||
	    conf_upstream_find(port, e->endpoint.host) == NULL || strchr(e->endpoint.url + 6, ':'))
		return;
	conf_warning(p, &draft->name_at,
		     "this is the host \"%s\", and not the upstream of that name: write `proxy to "
		     "\"%s\"`",
		     e->endpoint.host, e->endpoint.host);
}

static void proxy_check(struct conf_parser *p, struct conf_port_draft *port,
			const struct conf_location_draft *location)
{
	struct proxy_draft *draft =
	    (struct proxy_draft *)location->location.options; /* made here */
	if (draft == NULL)
		return;
	path_finish(p, draft, location);
	if (draft->upstream != NULL) {
		conf_upstream_check(p, draft->upstream);
		name_tell(p, port, draft);
		draft->proxy.upstream = conf_upstream_number(p, port, draft->upstream);
		return;
	}
	struct conf_upstream_draft *named =
	    draft->name != NULL ? conf_upstream_find(port, draft->name) : NULL;
	if (named != NULL) {
		named->used = true;
		draft->proxy.upstream = named->number;
	} else if (draft->name != NULL && draft->name[0] != '\0' && !port->hosts[0]->damaged) {
		unknown_tell(p, port, draft);
	} else if (draft->name != NULL && draft->name[0] == '\0') {
		conf_error(p, &draft->name_at, "the name of an upstream cannot be empty");
	}
}

/* --- the canonical text ----------------------------------------------------------------------- */

static void proxy_dump(const struct conf_location *location, FILE *out)
{
	static const char *const host_words[] = {"keep", "upstream"};
	const struct proxy_draft *draft = location->options;
	const struct conf_proxy *proxy = &draft->proxy;
	char request[NUM_TEXT_MAX], response[NUM_TEXT_MAX];
	conf_put(out, "\t\tproxy to ",
		 draft->upstream != NULL ? draft->upstream->upstream.name : draft->name);
	fputs(" {\n", out);
	if (proxy->path_from != NULL) {
		conf_put(out, "\t\t\tpath replace ", proxy->path_from);
		conf_put(out, " ", proxy->path_to);
		fputc('\n', out);
	}
	if (proxy->host == CONF_PROXY_HOST_NAME) {
		conf_put(out, "\t\t\thost ", proxy->host_name);
		fputc('\n', out);
	} else {
		(void)fprintf(out, "\t\t\thost %s\n", host_words[proxy->host]);
	}
	(void)fprintf(out, "\t\t\tbuffer request %s\n\t\t\tbuffer response %s\n",
		      num_format_size(proxy->buffer_request, request),
		      num_format_size(proxy->buffer_response, response));
	(void)fprintf(out,
		      "\t\t\tforwarded %s\n\t\t\tvia %s\n\t\t\tserver %s\n\t\t\ttraceparent %s\n"
		      "\t\t\tupgrade %s\n",
		      forwarded_words[proxy->forwarded], switch_words[proxy->via],
		      server_words[proxy->keep_server], trace_words[proxy->make_traceparent],
		      upgrade_words[proxy->no_upgrade]);
	if (draft->upstream != NULL)
		conf_upstream_dump(draft->upstream, "\t\t\t", out);
	fputs("\t\t}\n", out);
}

static uint64_t proxy_bytes(const struct conf_location *location)
{
	const struct proxy_draft *draft = location->options;
	const struct conf_proxy *proxy = &draft->proxy;
	return sizeof(*draft) + sizeof(struct conf_upstream_draft) +
	       (proxy->path_from != NULL ? strlen(proxy->path_from) + strlen(proxy->path_to) : 0) +
	       (proxy->host_name != NULL ? strlen(proxy->host_name) : 0) +
	       (draft->name != NULL ? strlen(draft->name) : 0);
}

/* --- the tables ------------------------------------------------------------------------------- */

#define MEMBER(member)                                 \
	.offset = offsetof(struct conf_proxy, member), \
	.size = sizeof(((struct conf_proxy *)0)->member)
#define OPTION .blocks = CONF_BLOCK_OPTIONS

#define PATH_PIECES                                                                  \
	{                                                                            \
		{CONF_CHOICE, .choices = path_words}, {CONF_STRING, .noun = "path"}, \
		{                                                                    \
			CONF_STRING, CONF_MAY, .noun = "path"                        \
		}                                                                    \
	}

static const struct conf_statement proxy_options[] = {
    {.word = "path", OPTION, .take = option_path_take, .pieces = PATH_PIECES},
    {.word = "host",
     OPTION,
     .take = host_take,
     .pieces = {{CONF_STRING, .noun = "name", .zero = "keep", .instead = "upstream"}}},
    {.word = "buffer",
     OPTION,
     .repeats = true,
     .take = buffer_take,
     .pieces = {{CONF_CHOICE, .choices = buffer_words}, {CONF_SIZE, .example = "256K"}}},
    {.word = "forwarded",
     OPTION,
     .pieces = {{CONF_CHOICE, .choices = forwarded_words, MEMBER(forwarded)}}},
    {.word = "via", OPTION, .pieces = {{CONF_CHOICE, .choices = switch_words, MEMBER(via)}}},
    {.word = "server",
     OPTION,
     .pieces = {{CONF_CHOICE, .choices = server_words, MEMBER(keep_server)}}},
    {.word = "traceparent",
     OPTION,
     .pieces = {{CONF_CHOICE, .choices = trace_words, MEMBER(make_traceparent)}}},
    {.word = "upgrade",
     OPTION,
     .pieces = {{CONF_CHOICE, .choices = upgrade_words, MEMBER(no_upgrade)}}},
    {.word = NULL},
};

static const struct conf_statement proxy_beside[] = {
    {.word = "path",
     .blocks = CONF_BLOCK_LOCATION,
     .token = T_PATH,
     .take = location_path_take,
     .pieces = PATH_PIECES},
    {.word = NULL},
};

const struct conf_kind conf_kind_proxy = {
    .statement =
	{
	    .word = "proxy",
	    .blocks =
		CONF_BLOCK_TOP | CONF_HANDLER_BLOCKS, /* `proxy protocol` is at the top, too */
	    .token = T_PROXY,
	    .has_options = true,
	    .take = proxy_take,
	    .pieces = {{CONF_STRING, .word = "to", .noun = "URL or the name of an upstream"}},
	},
    .statements = proxy_beside,
    .options = proxy_options,
    .more_options = conf_upstream_options,
    .methods = CONF_METHODS_ANY,
    .check = proxy_check,
    .dump = proxy_dump,
    .bytes = proxy_bytes,
};
