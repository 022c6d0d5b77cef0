/*
 * The settings: statements of one or two values at the top level, in ports and in their blocks
 * restart and limits. Runs in the master and in every child. Must never look up a user, nor touch
 * the file system.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "parser.h"

#define DAY_MS UINT64_C(86400000)

#define TOP     CONF_BLOCK_TOP
#define PORT    CONF_BLOCK_PORT
#define RESTART CONF_BLOCK_RESTART
#define LIMIT   CONF_BLOCK_LIMITS
#define IN_TLS  CONF_BLOCK_TLS

#define MEMBER(type, member) \
	.offset = offsetof(struct type, member), .size = sizeof(((struct type *)0)->member)
#define IN_CONF(member) .global = true, MEMBER(conf, member)
#define IN_PORT(member) MEMBER(conf_port, member)

/* In the order of their enum in conf/conf.h. */
static const char *const access_words[] = {"off", "on", "errors", NULL};
static const char *const parked_words[] = {"refuse", "queue", NULL};
static const char *const strict_words[] = {"lenient", "strict", NULL};
static const char *const enabled_words[] = {"", "enabled", NULL};
static const char *const profile_words[] = {"", "modern", "intermediate", NULL};
static const char *const client_words[] = {"off", "optional", "required", NULL};
static const char *const refuse_words[] = {"", "refuse", NULL};

/* --- what their values must be together ------------------------------------------------------- */

static bool threads_allowed(struct conf_parser *p, const struct conf_where *where)
{
	if (!p->options->threads_built)
		conf_error(
		    p, where,
		    "this bulkhead was built without threads; build it with `make THREADS=1`, "
		    "or use `workers`");
	return p->options->threads_built;
}

static bool unknown_allowed(struct conf_parser *p, const struct conf_where *where)
{
	if (p->scope->values == NULL)
		conf_error(p, where,
			   "`unknown name` is for a whole port: write it in the `tls` block of the "
			   "port");
	return p->scope->values != NULL;
}

static bool backoff_agrees(struct conf_parser *p, const struct conf_group *given,
			   const uint64_t *numbers)
{
	if (numbers[0] <= numbers[1])
		return true;
	conf_error(p, &given->at[0],
		   "backoff goes from the shorter time to the longer: %s is more than %s",
		   given->values[0].data, given->values[1].data);
	return false;
}

/* --- the table -------------------------------------------------------------------------------- */

#define LIMIT_ROW(type_, member, word_, unit, least_, most_, preset_, floor_) \
	{.word = (word_),                                                     \
	 .blocks = LIMIT,                                                     \
	 .pieces = {{.type = CONF_##unit,                                     \
		     .least = (least_),                                       \
		     .most = (most_),                                         \
		     .preset = (preset_),                                     \
		     .floor = (floor_),                                       \
		     IN_PORT(limits.member)}}},

/* burst 0: as much as the rate has in a second, conf_limits_finish() */
#define CLIENT_RATE_ROW(word_, member, of_tls_)                                                \
	{                                                                                      \
		.word = (word_), .blocks = LIMIT, .of_tls = (of_tls_), .unwritten_zero = true, \
		.pieces = {                                                                    \
			{CONF_RATE, .least = 1, .most = LIMIT_RATE_MAX, .zero = "off",         \
			 IN_PORT(limits.clients.member.per_hour)},                             \
			{CONF_NUMBER, CONF_OPTION, "burst", .least = 1, .most = 1000000,       \
			 .once = true, IN_PORT(limits.clients.member.burst)}                   \
		}                                                                              \
	}

#define CONF_CLIENTS_PRESET 65536

const struct conf_statement conf_settings[] = {
    {.word = "privileges",
     .blocks = TOP,
     .pieces = {{CONF_CHOICE, .choices = strict_words, IN_CONF(strict)}}},
    {.word = "drain",
     .blocks = TOP,
     .need = CONF_NEED_CHILD,
     .pieces = {{CONF_DURATION, .most = DAY_MS, .preset = 10000, IN_CONF(drain_ms)}}},
    {.word = "faults",
     .blocks = TOP,
     .need = CONF_NEED_CHILD,
     .pieces = {{CONF_CHOICE, .choices = enabled_words, IN_CONF(faults)}}},
    {.word = "log rate",
     .again = "log rate",
     .need = CONF_NEED_MASTER,
     .pieces = {{CONF_NUMBER, .least = 1, .most = 1000000000, .preset = 5000, .zero = "off",
		 IN_CONF(log.rate)}}},
    {.word = "control",
     .blocks = TOP,
     .token = T_CONTROL,
     .need = CONF_NEED_MASTER,
     .where_offset = offsetof(struct conf, control_where),
     .pieces = {{CONF_PATH, .noun = "path", .what = "a control socket's path",
		 .most = CONF_CONTROL_PATH_MAX, .zero = "off", IN_CONF(control),
		 .path_offset = offsetof(struct conf, control_path)}}},

    {.word = "user",
     .blocks = TOP | PORT,
     .token = T_USER,
     .pieces = {{CONF_STRING, .noun = "user's name", .most = CONF_ACCOUNT_MAX, IN_PORT(user)}}},
    {.word = "group",
     .blocks = TOP | PORT,
     .pieces = {{CONF_STRING, .noun = "group's name", .most = CONF_ACCOUNT_MAX, IN_PORT(group)}}},
    {.word = "key user",
     .again = "key",
     .of_keys = true,
     .pieces = {{CONF_STRING, .noun = "user's name", .most = CONF_ACCOUNT_MAX, IN_PORT(key_user)}}},
    {.word = "connect",
     .again = "connect user",
     .blocks = TOP | PORT,
     .pieces = {{CONF_STRING, .word = "user", .noun = "user's name", .most = CONF_ACCOUNT_MAX,
		 IN_PORT(connect_user)}}},
    {.word = "trust",
     .blocks = TOP | PORT,
     .take = conf_trust,
     .pieces = {{CONF_WORD, .noun = "network", .example = "10.0.0.0/8", .zero = "off"},
		{CONF_WORD, CONF_MAY, .noun = "network", .example = "10.0.0.0/8", .many = true}}},
    {.word = "chroot",
     .blocks = TOP | PORT,
     .pieces = {{CONF_PATH, .noun = "directory", .most = PATH_MAX - 1, .zero = "off",
		 IN_PORT(chroot), .path_offset = offsetof(struct conf_port, chroot_path)}}},
    {.word = "workers",
     .blocks = TOP | PORT,
     .pieces = {{CONF_NUMBER, .least = 1, .most = CONF_WORKERS_MAX, .preset = 1,
		 IN_PORT(workers)}}},
    /* not written if it is 1: the word is an error in a build without threads */
    {.word = "threads",
     .blocks = PORT,
     .allowed = threads_allowed,
     .unwritten = 1,
     .pieces = {{CONF_NUMBER, .least = 1, .most = CONF_THREADS_MAX, .preset = 1,
		 IN_PORT(threads)}}},
    {.word = "keyholders",
     .blocks = TOP | PORT,
     .of_keys = true,
     .pieces = {{CONF_NUMBER, .least = 1, .most = CONF_KEYHOLDERS_MAX, .zero = "auto",
		 IN_PORT(keyholders)}}},
    {.word = "access",
     .blocks = TOP | PORT,
     .pieces = {{CONF_CHOICE, .word = "log", .choices = access_words, .preset = CONF_ACCESS_ON,
		 IN_PORT(access)}}},
    {.word = "watchdog",
     .blocks = TOP | PORT,
     .pieces = {{CONF_DURATION, .least = CONF_WATCHDOG_MIN, .most = DAY_MS, .preset = 5000,
		 .zero = "off", IN_PORT(watchdog_ms)}}},
    /* A ticket of TLS 1.3 lives for at most seven days (RFC 8446, 4.6.1). */
    {.word = "tickets",
     .blocks = TOP | PORT,
     .of_tls = true,
     .pieces = {{CONF_DURATION, .word = "lifetime", .least = CONF_TICKETS_MIN, .most = 7 * DAY_MS,
		 .preset = 21600000, .zero = "off", IN_PORT(tickets_ms)}}},

    {.word = "backoff",
     .blocks = RESTART,
     .agree = backoff_agrees,
     .pieces = {{CONF_DURATION, .least = 1, .most = DAY_MS, .preset = 100,
		 IN_PORT(restart.backoff_min_ms)},
		{CONF_DURATION, .word = "to", .what = "backoff", .least = 1, .most = DAY_MS,
		 .preset = 30000, IN_PORT(restart.backoff_max_ms)}}},
    {.word = "park",
     .blocks = RESTART,
     .pieces = {{CONF_NUMBER, .word = "after", .least = 1, .most = CONF_PARK_MAX, .preset = 5,
		 IN_PORT(restart.park_after)},
		{CONF_DURATION, .word = "in", .least = 10, .most = DAY_MS, .preset = 60000,
		 IN_PORT(restart.park_window_ms)}}},
    {.word = "while",
     .blocks = RESTART,
     .pieces = {{CONF_CHOICE, .word = "parked", .choices = parked_words,
		 IN_PORT(restart.while_parked)}}},

    {.word = "unknown",
     .again = "unknown name",
     .blocks = IN_TLS,
     .allowed = unknown_allowed,
     .of_tls = true,
     .pieces = {{CONF_CHOICE, .word = "name", .choices = refuse_words, IN_PORT(refuses_unknown)}}},
    {.word = "profile",
     .blocks = IN_TLS,
     .allowed = conf_tls_choice_allowed,
     .of_tls = true,
     .pieces = {{CONF_CHOICE, .choices = profile_words, IN_PORT(tls.profile)}}},
    {.word = "versions",
     .blocks = IN_TLS,
     .take = conf_tls_versions,
     .pieces = {{CONF_WORD, .noun = "version", .example = "1.3"},
		{CONF_WORD, CONF_MAY, .noun = "version", .many = true}}},
    {.word = "groups",
     .blocks = IN_TLS,
     .take = conf_tls_groups,
     .pieces = {{CONF_WORD, .noun = "group", .example = "x25519"},
		{CONF_WORD, CONF_MAY, .noun = "group", .many = true}}},
    {.word = "ciphers",
     .blocks = IN_TLS,
     .take = conf_tls_ciphers,
     .pieces = {{CONF_WORD, .noun = "cipher", .example = "AES-128-GCM"},
		{CONF_WORD, CONF_MAY, .noun = "cipher", .many = true}}},
    {.word = "client",
     .again = "client certificate",
     .blocks = IN_TLS,
     .take = conf_tls_client,
     .pieces = {{CONF_CHOICE, .word = "certificate", .choices = client_words},
		{CONF_STRING, CONF_OPTION, .word = "authority", .noun = "file name", .once = true},
		{CONF_STRING, CONF_OPTION, .word = "revoked", .noun = "file name", .once = true},
		{CONF_NUMBER, CONF_OPTION, .word = "depth", .once = true}}},
    {.word = "priority",
     .blocks = IN_TLS,
     .allowed = conf_tls_choice_allowed,
     .of_tls = true,
     .agree = conf_tls_priority_agrees,
     .pieces = {{CONF_STRING, .noun = "priority", .most = CONF_PRIORITY_MAX,
		 IN_PORT(tls.priority)}}},

    PORT_LIMITS(LIMIT_ROW)

	CLIENT_RATE_ROW("requests-per-client", requests, false),
    {.word = "connections-per-client",
     .blocks = LIMIT,
     .unwritten_zero = true,
     .pieces = {{CONF_NUMBER, .least = 1, .most = 1000000, .zero = "off",
		 IN_PORT(limits.clients.connections)}}},
    CLIENT_RATE_ROW("handshakes-per-client", handshakes, true),
    {.word = "exempt",
     .blocks = LIMIT,
     .take = conf_exempt,
     .pieces = {{CONF_WORD, .noun = "network", .example = "10.0.0.0/8"},
		{CONF_WORD, CONF_MAY, .noun = "network", .example = "10.0.0.0/8", .many = true}}},
    {.word = "clients",
     .blocks = LIMIT,
     .unwritten = CONF_CLIENTS_PRESET,
     .pieces = {{CONF_NUMBER, .least = 64, .most = 16777216, .preset = CONF_CLIENTS_PRESET,
		 IN_PORT(limits.clients.places)}}},
};

const size_t conf_settings_count = CONF_COUNT(conf_settings);

_Static_assert(CONF_COUNT(conf_settings) <= CONF_SETTINGS_MAX, "a bit for each");

const struct conf_statement *conf_setting(const char *word)
{
	const struct conf_statement *s = conf_settings;
	while (strcmp(s->word, word) != 0)
		s++;
	return s;
}

uint64_t conf_setting_bit(const struct conf_statement *s)
{
	return UINT64_C(1) << (s - conf_settings);
}

/* --- members ---------------------------------------------------------------------------------- */

/* A path has two members: how it was given (0: not at all), and the path itself. */
enum { PATH_OFF = 1, PATH_GIVEN };

_Static_assert((int)CONF_CHROOT_OFF == PATH_OFF && (int)CONF_CHROOT_PATH == PATH_GIVEN &&
		   (int)CONF_CONTROL_OFF == PATH_OFF && (int)CONF_CONTROL_PATH == PATH_GIVEN,
	       "all of them count alike");

uint64_t conf_setting_number(const void *base, const struct conf_piece *piece)
{
	const void *member = (const char *)base + piece->offset;
	if (piece->size == sizeof(uint64_t))
		return *(const uint64_t *)member;
	if (piece->size == sizeof(uint32_t))
		return *(const uint32_t *)member;
	return *(const bool *)member;
}

const char *conf_setting_text(const void *base, const struct conf_piece *piece)
{
	const size_t offset = piece->type == CONF_PATH ? piece->path_offset : piece->offset;
	return *(char *const *)(const void *)((const char *)base + offset);
}

static void number_put(void *base, const struct conf_piece *piece, uint64_t number)
{
	void *member = (char *)base + piece->offset;
	if (piece->size == sizeof(uint64_t))
		*(uint64_t *)member = number;
	else if (piece->size == sizeof(uint32_t))
		*(uint32_t *)member = (uint32_t)number;
	else
		*(bool *)member = number != 0;
}

static void text_put(void *base, const struct conf_piece *piece, const char *text)
{
	const size_t offset = piece->type == CONF_PATH ? piece->path_offset : piece->offset;
	memcpy((char *)base + offset, &text, sizeof(text)); /* the member is a char * */
}

/* --- values ----------------------------------------------------------------------------------- */

/* The subject of messages about a value: "workers", "tickets lifetime", "a user's name". */
static const char *subject(const struct conf_statement *s, const struct conf_piece *piece,
			   char out[CONF_MEANING_MAX])
{
	if (piece->what != NULL)
		return piece->what;
	if (piece->noun != NULL)
		(void)snprintf(out, CONF_MEANING_MAX, "a %s", piece->noun);
	else
		(void)snprintf(out, CONF_MEANING_MAX, "%s%s%s", s->word,
			       piece->word != NULL ? " " : "",
			       piece->word != NULL ? piece->word : "");
	return out;
}

/* A limit with a floor accepts 0, which is no limit, or a value that is of use. */
static bool floor_check(struct conf_parser *p, const struct conf_piece *piece, const char *what,
			uint64_t number, const struct conf_value *value,
			const struct conf_where *at)
{
	char shown[CONF_SHOWN_MAX], least[NUM_TEXT_MAX];
	if (number == 0 || number >= piece->floor)
		return true;
	conf_error(p, at, "%s %s is too little; it can be 0 (no limit), or %s and more", what,
		   conf_show(value, shown), num_format_size(piece->floor, least));
	return false;
}

static char *path_read(struct conf_parser *p, const struct conf_piece *piece, const char *what,
		       const struct conf_value *value, const struct conf_where *at)
{
	char *path = conf_path(p, value->data, at);
	if (path == NULL || strlen(path) <= piece->most)
		return path;
	conf_error(p, at, "%s has at most %" PRIu64 " bytes, this one has %zu in full", what,
		   piece->most, strlen(path));
	return NULL;
}

static size_t choice_find(const struct conf_piece *piece, const char *word)
{
	size_t i = 0;
	while (strcmp(piece->choices[i], word) != 0)
		i++;
	return i;
}

/* Reads the i-th value: a number, or a text, which is NULL for `off`. */
static bool value_read(struct conf_parser *p, const struct conf_statement *s,
		       const struct conf_group *given, size_t i, uint64_t *ret_number,
		       char **ret_text)
{
	const struct conf_piece *piece = &s->pieces[given->piece + i];
	const struct conf_value *value = &given->values[i];
	char buffer[CONF_MEANING_MAX];
	const char *what = subject(s, piece, buffer);
	if (value->part == CONF_PART_ZERO)
		return true;
	switch (piece->type) {
	case CONF_CHOICE:
		*ret_number = choice_find(piece, value->data);
		return true;
	case CONF_STRING:
	case CONF_PATH:
		if (!conf_plain(p, what, piece->most, value, &given->at[i]))
			return false;
		*ret_text = piece->type == CONF_STRING
				? conf_copy(p, value->data, value->len)
				: path_read(p, piece, what, value, &given->at[i]);
		return *ret_text != NULL;
	case CONF_NONE:
	case CONF_WORD:
	case CONF_NUMBER:
	case CONF_SIZE:
	case CONF_MEMORY:
	case CONF_DURATION:
	case CONF_RATE:
		break;
	}
	return conf_quantity(p, what, piece->type, piece->least, piece->most, value, &given->at[i],
			     ret_number) &&
	       floor_check(p, piece, what, *ret_number, value, &given->at[i]);
}

static bool is_text(const struct conf_piece *piece)
{
	return piece->type == CONF_STRING || piece->type == CONF_PATH;
}

/* Has it a member? What a statement's own take keeps is not in the table. */
static bool has_member(const struct conf_piece *piece)
{
	return piece->size > 0;
}

static bool is_option(const struct conf_statement *s)
{
	return s->blocks == CONF_BLOCK_OPTIONS;
}

/* NULL: of the options of a handler that is not used. */
static void *base_of(struct conf_parser *p, const struct conf_statement *s,
		     struct conf_port *values)
{
	if (is_option(s))
		return s->of_upstream ? (void *)p->upstream : p->kind_options;
	return s->pieces[0].global ? (void *)&p->tree->conf : (void *)values;
}

static void value_put(void *base, const struct conf_piece *piece, uint64_t number, const char *text)
{
	if (is_text(piece))
		text_put(base, piece, text);
	if (piece->type == CONF_PATH)
		number_put(base, piece, text != NULL ? PATH_GIVEN : PATH_OFF);
	else if (piece->type != CONF_STRING)
		number_put(base, piece, number);
}

/* An option that is not given is not that of an outer block, either. */
static void options_clear(void *base, const struct conf_statement *s)
{
	for (const struct conf_piece *piece = s->pieces; base != NULL && piece->type != CONF_NONE;
	     piece++)
		if (piece->when == CONF_OPTION && !is_option(s))
			value_put(base, piece, piece->preset, NULL);
}

void conf_set(struct conf_parser *p, const struct conf_statement *s, const struct conf_group *given)
{
	struct conf_scope *scope = p->scope;
	void *base = base_of(p, s, scope->values);
	uint64_t numbers[2] = {0};
	char *texts[2] = {NULL};
	const bool is_option_piece = given->piece > 0; /* of the same statement */
	const bool first =
	    is_option_piece || conf_once(p, s->again != NULL ? s->again : s->word, &given->where);
	if (!first && s->blocks == LIMIT)
		return; /* one mistake; the other settings are checked nevertheless */
	if (s->where_offset != 0)
		*(struct conf_where *)(void *)((char *)base + s->where_offset) = given->where;
	if (s->of_tls && scope->of_tls == NULL) {
		scope->of_tls = s;
		scope->of_tls_where = given->where;
	}
	if (s->of_keys && scope->of_keys == NULL) {
		scope->of_keys = s;
		scope->of_keys_where = given->where;
	}
	bool good = s->allowed == NULL || s->allowed(p, &given->where);
	for (size_t i = 0; i < given->count && (good || i > 0); i++)
		good = value_read(p, s, given, i, &numbers[i], &texts[i]) && good;
	if (good && s->agree != NULL)
		good = s->agree(p, given, numbers);
	if (!is_option(
		s)) /* they have no defaults elsewhere, and nothing is told of their absence */
		*(good ? &scope->set : &scope->broken) |= conf_setting_bit(s);
	for (size_t i = 0; good && base != NULL && i < given->count; i++)
		if (has_member(&s->pieces[given->piece + i]))
			value_put(base, &s->pieces[given->piece + i], numbers[i], texts[i]);
	if (!is_option_piece)
		options_clear(base, s);
}

void conf_set_value(struct conf_parser *p, const char *word, const struct conf_value *value,
		    const struct conf_where *where, const struct conf_where *at)
{
	const struct conf_statement *s = conf_setting(word);
	struct conf_group given = {.where = *where, .values = {*value}, .at = {*at}, .count = 1};
	given.values[0].part =
	    value->token == T_WORD || value->token == T_STRING ? CONF_PART_VALUE : CONF_PART_ZERO;
	conf_set(p, s, &given);
}

/* --- defaults and inheritance ----------------------------------------------------------------- */

void conf_settings_preset(struct conf_parser *p, struct conf_port *values)
{
	for (size_t i = 0; i < conf_settings_count; i++)
		for (const struct conf_piece *piece = conf_settings[i].pieces;
		     piece->type != CONF_NONE; piece++)
			if (!is_text(piece) && has_member(piece))
				number_put(base_of(p, &conf_settings[i], values), piece,
					   piece->preset);
}

void conf_options_preset(void *base, const struct conf_statement *list)
{
	for (const struct conf_statement *s = list; s->word != NULL; s++)
		for (const struct conf_piece *piece = s->pieces; piece->type != CONF_NONE; piece++)
			if (!is_text(piece) && has_member(piece))
				number_put(base, piece, piece->preset);
}

static void member_copy(struct conf_port *to, const struct conf_port *from,
			const struct conf_piece *piece)
{
	if (is_text(piece))
		text_put(to, piece, conf_setting_text(from, piece));
	if (piece->type != CONF_STRING)
		number_put(to, piece, conf_setting_number(from, piece));
}

const struct conf_piece *conf_limit_origin(const struct conf_piece *piece)
{
	if (piece->preset >= LIMIT_COMPUTED ||
	    LIMIT_COMPUTED - 1 - piece->preset > sizeof(struct limits))
		return NULL;
	const size_t offset =
	    offsetof(struct conf_port, limits) + (size_t)(LIMIT_COMPUTED - 1 - piece->preset);
	const struct conf_statement *s = conf_settings;
	while (s->pieces[0].global || s->pieces[0].offset != offset)
		s++;
	return s->pieces;
}

/* A client may do at once what it may do in a second. */
static void rate_finish(struct limit_rate *rate)
{
	if (rate->burst == 0)
		rate->burst = (uint32_t)((rate->per_hour + 3599) / 3600);
	if (rate->per_hour == 0)
		rate->burst = 0;
}

void conf_limits_finish(struct conf_port *port)
{
	rate_finish(&port->limits.clients.requests);
	rate_finish(&port->limits.clients.handshakes);
	for (size_t i = 0; i < conf_settings_count; i++) {
		const struct conf_piece *piece = conf_settings[i].pieces;
		const struct conf_piece *origin = conf_limit_origin(piece);
		if (origin != NULL && conf_setting_number(port, piece) == piece->preset)
			number_put(port, piece, conf_setting_number(port, origin));
	}
}

void conf_settings_inherit(struct conf_scope *own, const struct conf_scope *outer)
{
	if (own->values->exempt_count == 0) {
		own->values->exempt = outer->values->exempt;
		own->values->exempt_count = outer->values->exempt_count;
	}
	for (size_t i = 0; i < conf_settings_count; i++) {
		const struct conf_statement *s = &conf_settings[i];
		if ((own->set & conf_setting_bit(s)) != 0)
			continue;
		for (const struct conf_piece *piece = s->pieces;
		     piece->type != CONF_NONE && !piece->global; piece++)
			if (has_member(piece))
				member_copy(own->values, outer->values, piece);
	}
}
