/*
 * Upstreams: the statements of a block `upstream`, which also stand in that of `proxy to "URL"`.
 * Runs in the master and in the child of the port. Must never resolve a name nor open a file.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/chars.h"
#include "base/num.h"
#include "parser.h"

#define DAY_MS UINT64_C(86400000)

/* In the order of their enum, with the one word more that has two of them. */
static const char *const balance_words[] = {"round-robin", "least-connections", "hash", NULL};
static const char *const hash_words[] = {"client", "header", NULL};
static const char *const start_words[] = {"start", NULL};

enum { HEADER_NAME_MAX = 256 };

/* --- the block -------------------------------------------------------------------------------- */

struct conf_upstream_draft *conf_upstream_new(struct conf_parser *p, const struct conf_where *where)
{
	struct conf_upstream_draft *draft = conf_alloc(p, sizeof(*draft));
	if (draft == NULL)
		return NULL;
	conf_options_preset(&draft->upstream, conf_upstream_options);
	conf_options_preset(&draft->upstream, conf_timeouts_statements);
	draft->upstream.where = *where;
	draft->upstream.probe_every_ms = 5000;
	draft->upstream.probe_ms = 2000;
	draft->upstream.probe_least = 200;
	draft->upstream.probe_most = 399;
	draft->upstream.retry_percent = 20;
	draft->upstream.retry_methods = CONF_METHOD_BIT(CONF_GET) | CONF_METHOD_BIT(CONF_HEAD) |
					CONF_METHOD_BIT(CONF_OPTIONS) | CONF_METHOD_BIT(CONF_PUT) |
					CONF_METHOD_BIT(CONF_DELETE);
	return draft;
}

static void name_once(struct conf_parser *p, struct conf_upstream_draft *draft,
		      const struct conf_where *at)
{
	const struct conf_upstream_draft *first = conf_upstream_find(p->port, draft->upstream.name);
	char place[CONF_PLACE_MAX];
	draft->used = first != NULL;
	if (first != NULL)
		conf_error(p, at, "duplicate upstream \"%s\"; the first one is at %s",
			   draft->upstream.name, conf_place(&first->upstream.where, at, place));
}

/* One with a wrong name is checked, too. */
void conf_upstream_open(struct conf_parser *p, const struct conf_value *value,
			const struct conf_where *where, const struct conf_where *at)
{
	struct conf_port_draft *port = p->port;
	struct conf_upstream_draft *draft = conf_upstream_new(p, where);
	struct conf_upstream_draft **list =
	    conf_grow(p, port->upstreams, port->upstreams_count, sizeof(draft));
	struct conf_block *block = conf_block_push(p, CONF_BLOCK_OPTIONS, where);
	block->statements = conf_upstream_endpoints;
	block->more = conf_upstream_options;
	block->options_of = "upstream";
	p->upstream = draft;
	if (draft == NULL || list == NULL)
		return;
	block->damaged = &draft->damaged;
	draft->upstream.name = "";
	if (conf_upstream_name(p, value, at)) {
		draft->upstream.name = conf_copy(p, value->data, value->len);
		if (draft->upstream.name != NULL)
			name_once(p, draft, at);
	} else {
		draft->used = true; /* by that name, perhaps */
	}
	if (port->upstreams_count == CONF_UPSTREAMS_MAX) {
		conf_error(p, where, "a port has at most %d upstreams", CONF_UPSTREAMS_MAX);
		p->stop = true;
		return;
	}
	port->upstreams = list;
	list[port->upstreams_count++] = draft;
}

void conf_upstream_close(struct conf_parser *p)
{
	if (p->upstream != NULL)
		conf_upstream_check(p, p->upstream);
	p->upstream = NULL;
	conf_block_close(p);
}

void conf_timeouts_open(struct conf_parser *p, const struct conf_where *where)
{
	bool *damaged = conf_block_top(p)->damaged;
	char shown[CONF_SHOWN_MAX];
	(void)conf_once(p, "timeouts", where);
	if (p->upstream != NULL && p->upstream->is_reference)
		conf_error(p, where,
			   "`timeouts` belongs in the block `upstream \"%s\"`: all that go there "
			   "share it",
			   conf_show_text(p->upstream->upstream.name, shown));
	struct conf_block *block = conf_block_push(p, CONF_BLOCK_OPTIONS, where);
	block->statements = conf_timeouts_statements;
	block->options_of = "timeouts";
	block->damaged = damaged;
}

bool conf_upstream_allowed(struct conf_parser *p, const struct conf_where *where)
{
	const struct conf_upstream_draft *draft = p->upstream;
	char shown[CONF_SHOWN_MAX];
	if (draft == NULL || !draft->is_reference)
		return true;
	if (p->given.piece == 0 && conf_block_top(p)->statements != conf_timeouts_statements)
		conf_error(
		    p, where,
		    "`%s` belongs in the block `upstream \"%s\"`: all that go there share it",
		    p->statement->word, conf_show_text(draft->upstream.name, shown));
	return false;
}

/* --- endpoints -------------------------------------------------------------------------------- */

void conf_upstream_add(struct conf_parser *p, struct conf_upstream_draft *draft,
		       const struct conf_value *value, const struct conf_where *at, bool backup)
{
	struct conf_endpoint_draft endpoint;
	char place[CONF_PLACE_MAX], shown[CONF_SHOWN_MAX];
	if (!conf_upstream_url(p, value, at, &endpoint)) {
		draft->damaged = true;
		return;
	}
	endpoint.endpoint.backup = backup;
	for (size_t i = 0; i < draft->endpoints_count; i++)
		if (strcmp(draft->endpoints[i].endpoint.url, endpoint.endpoint.url) == 0) {
			conf_error(p, at, "duplicate endpoint \"%s\"; the first one is at %s",
				   conf_show_text(endpoint.endpoint.url, shown),
				   conf_place(&draft->endpoints[i].at, at, place));
			return;
		}
	if (draft->endpoints_count == CONF_ENDPOINTS_MAX) {
		conf_error(p, at, "a port has at most %d endpoints", CONF_ENDPOINTS_MAX);
		p->stop = true;
		return;
	}
	struct conf_endpoint_draft *list =
	    conf_grow(p, draft->endpoints, draft->endpoints_count, sizeof(*list));
	if (list == NULL)
		return;
	draft->endpoints = list;
	list[draft->endpoints_count++] = endpoint;
	draft->backups_count += backup;
}

/* The draft that an option is of; NULL: it is not used, or is elsewhere, which was reported. */
static struct conf_upstream_draft *draft_here(struct conf_parser *p, const struct conf_group *given)
{
	return conf_upstream_allowed(p, &given->where) ? p->upstream : NULL;
}

static void to_take(struct conf_parser *p, const struct conf_group *given)
{
	struct conf_upstream_draft *draft = draft_here(p, given);
	if (draft != NULL)
		conf_upstream_add(p, draft, &given->values[0], &given->at[0], false);
}

static void backup_take(struct conf_parser *p, const struct conf_group *given)
{
	struct conf_upstream_draft *draft = draft_here(p, given);
	if (draft != NULL)
		conf_upstream_add(p, draft, &given->values[0], &given->at[0], true);
}

/* --- balance ---------------------------------------------------------------------------------- */

static void balance_header(struct conf_parser *p, struct conf_upstream_draft *draft,
			   const struct conf_group *given)
{
	const struct conf_value *name = &given->values[0];
	char shown[CONF_SHOWN_MAX];
	if (!draft->hash || draft->upstream.balance != CONF_HASH_HEADER) {
		conf_error(p, &given->at[0], "only `balance hash header` has a name after it");
		return;
	}
	draft->hash = false;
	if (!conf_plain(p, "a header's name", HEADER_NAME_MAX, name, &given->at[0]))
		return;
	if (chars_token_len(name->data, name->len) < name->len)
		conf_error(p, &given->at[0],
			   "\"%s\" is not a header name: letters, digits and !#$%%&'*+-.^_`|~",
			   conf_show(name, shown));
	else
		draft->upstream.balance_header = conf_copy(p, name->data, name->len);
}

enum { BALANCE, HASH_OF, HASH_HEADER };

static void balance_take(struct conf_parser *p, const struct conf_group *given)
{
	struct conf_upstream_draft *draft = draft_here(p, given);
	const char *word = given->values[0].data;
	if (draft == NULL)
		return;
	struct conf_upstream *u = &draft->upstream;
	switch (given->piece) {
	case BALANCE:
		draft->balance_at = given->where;
		draft->hash = strcmp(word, "hash") == 0;
		u->balance = draft->hash                              ? CONF_HASH_CLIENT
			     : strcmp(word, "least-connections") == 0 ? CONF_LEAST_CONNECTIONS
								      : CONF_ROUND_ROBIN;
		break;
	case HASH_OF:
		if (!draft->hash) {
			conf_error(p, &given->at[0], "`%s` stands after `balance hash`", word);
			break;
		}
		u->balance = strcmp(word, "client") == 0 ? CONF_HASH_CLIENT : CONF_HASH_HEADER;
		draft->hash = u->balance == CONF_HASH_HEADER;
		break;
	case HASH_HEADER:
		balance_header(p, draft, given);
		break;
	}
}

/* --- check ------------------------------------------------------------------------------------ */

enum { CHECK, EVERY, EXPECT, TIMEOUT };

static void check_begin(struct conf_parser *p, struct conf_upstream_draft *draft,
			const struct conf_group *given)
{
	const struct conf_value *value = &given->values[0];
	const struct conf_where *at = &given->at[0];
	draft->check_at = given->where;
	draft->upstream.probe = CONF_PROBE_OFF;
	if (value->part == CONF_PART_ZERO)
		return;
	draft->upstream.probe = CONF_PROBE_CONNECT;
	if (value->part == CONF_PART_INSTEAD ||
	    !conf_plain(p, "the path of a check", CONF_LOCATION_PATH_MAX - 1, value, at))
		return;
	for (const char *c = value->data; *c != '\0'; c++)
		if (*c <= ' ' || *c >= 0x7f || *c == '#') {
			conf_error(p, at,
				   "the path of a check is sent as it stands: other bytes than "
				   "those of a URL are written as %%XX");
			return;
		}
	if (value->data[0] != '/') {
		conf_error(p, at, "the path of a check begins with `/`: `check \"/health\"`");
		return;
	}
	draft->upstream.probe = CONF_PROBE_GET;
	draft->upstream.probe_target = conf_copy(p, value->data, value->len);
}

/* "200" or "200-399" */
static void check_expect(struct conf_parser *p, struct conf_upstream_draft *draft,
			 const struct conf_group *given)
{
	const struct conf_value *value = &given->values[0];
	const char *dash = strchr(value->data, '-');
	const size_t len = dash != NULL ? (size_t)(dash - value->data) : value->len;
	char *copy = conf_copy(p, value->data, len);
	uint64_t least = 0, most;
	if (copy == NULL || value->broken)
		return;
	const struct conf_value first = {.data = copy, .len = len},
				last = {.data = dash != NULL ? dash + 1 : "",
					.len = dash != NULL ? value->len - len - 1 : 0};
	if (!conf_quantity(p, "expect", CONF_NUMBER, 200, 599, &first, &given->at[0], &least))
		return;
	most = least;
	if (dash != NULL &&
	    !conf_quantity(p, "expect", CONF_NUMBER, 200, 599, &last, &given->at[0], &most))
		return;
	if (most < least) {
		conf_error(p, &given->at[0], "statuses go from the smaller one to the greater one");
		return;
	}
	if (draft->upstream.probe == CONF_PROBE_CONNECT)
		conf_error(p, &given->where,
			   "`check connect` asks for nothing: leave out `expect`");
	draft->upstream.probe_least = (uint32_t)least;
	draft->upstream.probe_most = (uint32_t)most;
}

static void check_take(struct conf_parser *p, const struct conf_group *given)
{
	struct conf_upstream_draft *draft = draft_here(p, given);
	uint64_t ms;
	if (draft == NULL)
		return;
	const struct conf_value *value = &given->values[0];
	const struct conf_where *at = &given->at[0];
	switch (given->piece) {
	case CHECK:
		check_begin(p, draft, given);
		break;
	case EVERY:
		if (conf_quantity(p, "every", CONF_DURATION, 100, DAY_MS, value, at, &ms))
			draft->upstream.probe_every_ms = ms;
		break;
	case EXPECT:
		check_expect(p, draft, given);
		break;
	case TIMEOUT:
		if (conf_quantity(p, "timeout", CONF_DURATION, 10, 60000, value, at, &ms))
			draft->upstream.probe_ms = ms;
		draft->check_time = true;
		break;
	}
}

/* --- retry ------------------------------------------------------------------------------------ */

enum { RETRY, MORE_METHODS, BUDGET };

static void retry_budget(struct conf_parser *p, struct conf_upstream_draft *draft,
			 const struct conf_group *given)
{
	const struct conf_value *value = &given->values[0];
	const size_t len = value->len;
	char shown[CONF_SHOWN_MAX];
	uint64_t percent;
	if (value->broken)
		return;
	if (len < 2 || value->data[len - 1] != '%' ||
	    num_parse(value->data, len - 1, 1, 100, &percent) < 0)
		conf_error(p, &given->at[0],
			   "`%s` is not a part of the requests; budget can be 1%% to 100%%",
			   conf_show(value, shown));
	else
		draft->upstream.retry_percent = (uint32_t)percent;
}

static void retry_take(struct conf_parser *p, const struct conf_group *given)
{
	struct conf_upstream_draft *draft = draft_here(p, given);
	const struct conf_value *value = &given->values[0];
	if (draft == NULL)
		return;
	unsigned *set = &draft->upstream.retry_methods;
	if (given->piece == BUDGET) {
		retry_budget(p, draft, given);
		return;
	}
	if (given->piece == RETRY)
		*set = value->part == CONF_PART_INSTEAD ? CONF_METHODS_ANY : 0;
	if (given->piece == MORE_METHODS && *set == CONF_METHODS_ANY)
		conf_error(p, &given->at[0], "`retry any` names all methods: leave the others out");
	else if (value->part == CONF_PART_VALUE)
		(void)conf_method_add(p, set, value, &given->at[0]);
}

/* --- TLS -------------------------------------------------------------------------------------- */

enum { AUTHORITY, NAME };

static void verify_take(struct conf_parser *p, const struct conf_group *given)
{
	struct conf_upstream_draft *draft = draft_here(p, given);
	const struct conf_value *value = &given->values[0];
	const struct conf_where *at = &given->at[0];
	if (draft == NULL)
		return;
	if (draft->verify_at.line == 0)
		draft->verify_at = given->where;
	if (value->part == CONF_PART_ZERO) {
		if (draft->upstream.verify_name != NULL)
			conf_error(p, at, "`verify off` verifies no name: leave one of them out");
		draft->upstream.verify_off = true;
		conf_warning(p, &given->where,
			     "anyone between this server and the upstream can read and change all "
			     "of it; for certificates of an authority of your own write `verify "
			     "authority \"file\"`");
	} else if (given->piece == AUTHORITY) {
		if (conf_plain(p, "an authority's file name", PATH_MAX - 1, value, at))
			draft->authority = conf_path(p, value->data, at);
	} else {
		const struct conf_value name = *value;
		if (name.data[0] == '*')
			conf_error(p, at, "the name that is verified is that of one host");
		else
			draft->upstream.verify_name = conf_host_name_normalize(p, &name, at);
	}
}

static void certificate_take(struct conf_parser *p, const struct conf_group *given)
{
	struct conf_upstream_draft *draft = draft_here(p, given);
	if (draft == NULL)
		return;
	draft->certificate_at = given->where;
	if (!conf_plain(p, "a certificate's file name", PATH_MAX - 1, &given->values[0],
			&given->at[0]) ||
	    !conf_plain(p, "a key's file name", PATH_MAX - 1, &given->values[1], &given->at[1]))
		return;
	draft->certificate = conf_path(p, given->values[0].data, &given->at[0]);
	draft->key = conf_path(p, given->values[1].data, &given->at[1]);
}

/* --- at the end of the block ------------------------------------------------------------------ */

/* The first endpoint with TLS, or without; NULL: there is none. */
static const struct conf_endpoint_draft *endpoint_of(const struct conf_upstream_draft *draft,
						     bool tls)
{
	for (size_t i = 0; i < draft->endpoints_count; i++)
		if (draft->endpoints[i].tls == tls)
			return &draft->endpoints[i];
	return NULL;
}

static void tls_check(struct conf_parser *p, struct conf_upstream_draft *draft)
{
	const struct conf_endpoint_draft *tls = endpoint_of(draft, true),
					 *plain = endpoint_of(draft, false);
	char url[CONF_SHOWN_MAX], other[CONF_SHOWN_MAX];
	const struct conf_where *verify = &draft->verify_at, *own = &draft->certificate_at;
	static const char without[] =
	    "`%s` has no effect: no endpoint of the upstream begins with `https://`";
	if (tls != NULL && plain != NULL) {
		const struct conf_endpoint_draft *second = plain == draft->endpoints ? tls : plain;
		conf_error(p, &second->at,
			   "\"%s\" and \"%s\" in one upstream: some requests would be encrypted, "
			   "and others not; make two upstreams of them",
			   conf_show_text(draft->endpoints[0].endpoint.url, url),
			   conf_show_text(second->endpoint.url, other));
		return;
	}
	draft->upstream.tls = tls != NULL;
	if (draft->upstream.tls || draft->damaged)
		return;
	if (verify->line > 0)
		conf_error(p, verify, without, "verify");
	if (own->line > 0)
		conf_error(p, own, without, "certificate");
}

void conf_upstream_check(struct conf_parser *p, struct conf_upstream_draft *draft)
{
	struct conf_upstream *u = &draft->upstream;
	if (u->probe_ms > u->probe_every_ms && !draft->check_time)
		u->probe_ms = u->probe_every_ms;
	if (draft->endpoints_count == 0 && !draft->damaged)
		conf_error(p, &u->where,
			   "the upstream has no endpoint: write `to \"http://127.0.0.1:"
			   "9000\"` in it");
	else if (draft->endpoints_count > 0 && draft->backups_count == draft->endpoints_count &&
		 !draft->damaged)
		conf_error(p, &u->where,
			   "the upstream has only backups, which are used while no other endpoint "
			   "can be: write `to` in place of `backup`");
	if (draft->hash)
		conf_error(
		    p, &draft->balance_at,
		    "`balance hash` needs to know of what: `balance hash client` or `balance "
		    "hash header \"name\"`");
	if (u->probe_ms > u->probe_every_ms)
		conf_error(
		    p, &draft->check_at,
		    "a check would begin before the one before it has ended: `timeout` is at "
		    "most the time of `every`");
	if (u->probe == CONF_PROBE_GET && draft->certificate != NULL)
		conf_error(p, &draft->check_at,
			   "the process that checks has no key, and this upstream is shown a "
			   "certificate: write `check connect`");
	tls_check(p, draft);
}

/* --- the tables ------------------------------------------------------------------------------- */

#define MEMBER(member)                                    \
	.offset = offsetof(struct conf_upstream, member), \
	.size = sizeof(((struct conf_upstream *)0)->member)
#define OPTION       .blocks = CONF_BLOCK_OPTIONS
#define TABLE_OPTION OPTION, .of_upstream = true, .allowed = conf_upstream_allowed

const struct conf_statement conf_upstream_endpoints[] = {
    {.word = "to",
     OPTION,
     .repeats = true,
     .take = to_take,
     .pieces = {{CONF_STRING, .noun = "URL"},
		{CONF_STRING, CONF_MAY, .noun = "URL", .many = true}}},
    {.word = "backup",
     OPTION,
     .repeats = true,
     .take = backup_take,
     .pieces = {{CONF_STRING, .noun = "URL"},
		{CONF_STRING, CONF_MAY, .noun = "URL", .many = true}}},
    {.word = NULL},
};

const struct conf_statement conf_upstream_options[] = {
    {.word = "balance",
     OPTION,
     .take = balance_take,
     .pieces = {[BALANCE] = {CONF_CHOICE, .choices = balance_words},
		[HASH_OF] = {CONF_CHOICE, CONF_MAY, .choices = hash_words},
		[HASH_HEADER] = {CONF_STRING, CONF_MAY, .noun = "header's name"}}},
    {.word = "check",
     OPTION,
     .take = check_take,
     .pieces = {[CHECK] = {CONF_STRING, .noun = "path", .zero = "off", .instead = "connect"},
		[EVERY] = {CONF_DURATION, CONF_OPTION, "every", .once = true},
		[EXPECT] = {CONF_WORD, CONF_OPTION, "expect", .noun = "status",
			    .example = "200 or 200-399", .once = true},
		[TIMEOUT] = {CONF_DURATION, CONF_OPTION, "timeout", .once = true}}},
    {.word = "fail",
     TABLE_OPTION,
     .pieces = {{CONF_NUMBER, .word = "after", .least = 1, .most = 1000, .preset = 3, .zero = "off",
		 MEMBER(fail_after)},
		{CONF_DURATION, CONF_OPTION, "pause", .least = 10, .most = DAY_MS, .preset = 10000,
		 .once = true, MEMBER(fail_pause_ms)}}},
    {.word = "slow",
     TABLE_OPTION,
     .pieces = {{CONF_CHOICE, .choices = start_words},
		{CONF_DURATION, .what = "slow start", .least = 100, .most = DAY_MS, .zero = "off",
		 MEMBER(slow_start_ms)}}},
    {.word = "timeouts", OPTION, .token = T_TIMEOUTS},
    {.word = "connections",
     TABLE_OPTION,
     .pieces = {{CONF_NUMBER, .least = 1, .most = 1000000, .preset = 512, MEMBER(connections)}}},
    {.word = "queue",
     TABLE_OPTION,
     .pieces = {{CONF_NUMBER, .least = 1, .most = 1000000, .preset = 100, .zero = "off",
		 MEMBER(queue)},
		{CONF_DURATION, CONF_OPTION, "for", .least = 10, .most = 3600000, .preset = 5000,
		 .once = true, MEMBER(queue_ms)}}},
    {.word = "keep",
     TABLE_OPTION,
     .pieces = {{CONF_NUMBER, .least = 1, .most = 1000000, .preset = 32, .zero = "off",
		 MEMBER(keep)},
		{CONF_DURATION, CONF_OPTION, "for", .least = 10, .most = DAY_MS, .preset = 60000,
		 .once = true, MEMBER(keep_ms)}}},
    {.word = "retry",
     OPTION,
     .take = retry_take,
     .pieces = {[RETRY] = {CONF_STRING, CONF_MAY, .noun = "method", .zero = "off",
			   .instead = "any"},
		[MORE_METHODS] = {CONF_STRING, CONF_MAY, .noun = "method", .many = true},
		[BUDGET] = {CONF_WORD, CONF_OPTION, "budget", .noun = "percentage",
			    .example = "20%", .once = true}}},
    {.word = "verify",
     OPTION,
     .take = verify_take,
     .pieces = {[AUTHORITY] = {CONF_STRING, CONF_OPTION, "authority", .noun = "file name",
			       .zero = "off", .once = true},
		[NAME] = {CONF_STRING, CONF_OPTION, "name", .noun = "host's name", .once = true}}},
    {.word = "certificate",
     OPTION,
     .take = certificate_take,
     .pieces = {{CONF_STRING, .noun = "file name"},
		{CONF_STRING, .word = "key", .noun = "file name"}}},
    {.word = NULL},
};

const struct conf_statement conf_timeouts_statements[] = {
    {.word = "connect",
     TABLE_OPTION,
     .pieces = {{CONF_DURATION, .least = 10, .most = 3600000, .preset = 2000, MEMBER(connect_ms)}}},
    {.word = "head",
     TABLE_OPTION,
     .pieces = {{CONF_DURATION, .least = 10, .most = DAY_MS, .preset = 30000, MEMBER(head_ms)}}},
    {.word = "between",
     TABLE_OPTION,
     .pieces = {{CONF_DURATION, .least = 10, .most = DAY_MS, .preset = 60000, MEMBER(between_ms)}}},
    {.word = NULL},
};
