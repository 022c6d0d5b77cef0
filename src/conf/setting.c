/*
 * The statements that are allowed at the top level for all ports, or in a port for that one. Runs
 * in the master and in every child. Must never open a certificate nor look up a user.
 */
#include <limits.h>
#include <string.h>

#include "base/num.h"
#include "parser.h"

#define DAY_MS UINT64_C(86400000)

#define LIMIT_KEY(type, member, word, unit, least, most, preset, floor) \
	{word,                                                          \
	 CONF_##unit,                                                   \
	 least,                                                         \
	 most,                                                          \
	 preset,                                                        \
	 floor,                                                         \
	 offsetof(struct limits, member),                               \
	 sizeof(type) == sizeof(uint64_t)},
const struct conf_limit_key conf_limit_keys[CONF_LIMITS_COUNT] = {PORT_LIMITS(LIMIT_KEY)};

uint64_t conf_limit_get(const struct limits *limits, const struct conf_limit_key *key)
{
	const char *member = (const char *)limits + key->offset;
	return key->wide ? *(const uint64_t *)(const void *)member
			 : *(const uint32_t *)(const void *)member;
}

void conf_limit_put(struct limits *limits, const struct conf_limit_key *key, uint64_t value)
{
	char *member = (char *)limits + key->offset;
	if (key->wide)
		*(uint64_t *)(void *)member = value;
	else
		*(uint32_t *)(void *)member = (uint32_t)value;
}

/* A limit with a floor accepts 0, which is no limit, or a value that is of use. */
static bool floor_check(struct conf_parser *p, const struct conf_limit_key *key, uint64_t number,
			const struct conf_value *value, const struct conf_where *at)
{
	char shown[CONF_SHOWN_MAX], least[NUM_TEXT_MAX];
	if (number == 0 || number >= key->floor)
		return true;
	conf_error(p, at, "%s %s is too little; it can be 0 (no limit), or %s and more", key->name,
		   conf_show(value, shown), num_format_size(key->floor, least));
	return false;
}

void conf_set_limit(struct conf_parser *p, int token, const struct conf_value *value,
		    const struct conf_where *where, const struct conf_where *at)
{
	for (size_t i = 0; i < CONF_LIMITS_COUNT; i++) {
		const struct conf_limit_key *key = &conf_limit_keys[i];
		uint64_t number;
		if (strcmp(conf_keyword_of(token)->name, key->name) != 0 ||
		    !conf_once(p, token, where))
			continue;
		if (!conf_quantity(p, key->name, key->unit, key->min, key->max, value, at, &number))
			continue;
		if (!floor_check(p, key, number, value, at))
			continue;
		conf_limit_put(&p->scope->limits, key, number);
		p->scope->limits_set |= 1U << i;
	}
}

void conf_set_workers(struct conf_parser *p, const struct conf_value *value,
		      const struct conf_where *where, const struct conf_where *at)
{
	uint64_t number;
	(void)conf_once(p, T_WORKERS, where);
	if (conf_quantity(p, "workers", CONF_NUMBER, 1, CONF_WORKERS_MAX, value, at, &number)) {
		p->scope->workers = (uint32_t)number;
		p->scope->workers_set = true;
	} else {
		p->scope->loops_damaged = true;
	}
}

void conf_set_keyholders(struct conf_parser *p, const struct conf_value *value,
			 const struct conf_where *where, const struct conf_where *at)
{
	uint64_t number = 0;
	(void)conf_once(p, T_KEYHOLDERS, where);
	if (value->token == T_AUTO || conf_quantity(p, "keyholders", CONF_NUMBER, 1,
						    CONF_KEYHOLDERS_MAX, value, at, &number)) {
		p->scope->keyholders = (uint32_t)number;
		p->scope->keyholders_set = true;
	}
}

/* user, group and, by its first word, key user. */
void conf_set_account(struct conf_parser *p, int token, const struct conf_value *value,
		      const struct conf_where *where, const struct conf_where *at)
{
	struct conf_scope *scope = p->scope;
	const char *what = token == T_GROUP ? "a group's name" : "a user's name";
	char **name = token == T_USER    ? &scope->user
		      : token == T_GROUP ? &scope->group
					 : &scope->key_user;
	(void)conf_once(p, token, where);
	if (conf_plain(p, what, CONF_ACCOUNT_MAX, value, at))
		*name = conf_copy(p, value->data, value->len);
}

void conf_set_chroot(struct conf_parser *p, const struct conf_value *value,
		     const struct conf_where *where, const struct conf_where *at)
{
	struct conf_scope *scope = p->scope;
	char *path = NULL;
	(void)conf_once(p, T_CHROOT, where);
	if (value->token != T_OFF) {
		if (conf_plain(p, "a directory", PATH_MAX - 1, value, at))
			path = conf_path(p, value->data, at);
		if (path == NULL)
			return;
	}
	scope->chroot = path != NULL ? CONF_CHROOT_PATH : CONF_CHROOT_OFF;
	scope->chroot_path = path;
}

void conf_set_access(struct conf_parser *p, int token, const struct conf_where *where)
{
	(void)conf_once(p, T_ACCESS, where);
	p->scope->access_set = true;
	p->scope->access = token == T_ON    ? CONF_ACCESS_ON
			   : token == T_OFF ? CONF_ACCESS_OFF
					    : CONF_ACCESS_ERRORS;
}

void conf_set_watchdog(struct conf_parser *p, const struct conf_value *value,
		       const struct conf_where *where, const struct conf_where *at)
{
	uint64_t limit_ms = 0;
	(void)conf_once(p, T_WATCHDOG, where);
	if (value->token != T_OFF && !conf_quantity(p, "watchdog", CONF_DURATION, CONF_WATCHDOG_MIN,
						    DAY_MS, value, at, &limit_ms))
		return;
	p->scope->watchdog_set = true;
	p->scope->watchdog_ms = limit_ms;
}

/* A ticket of TLS 1.3 lives for at most seven days (RFC 8446, 4.6.1). */
void conf_set_tickets(struct conf_parser *p, const struct conf_value *value,
		      const struct conf_where *where, const struct conf_where *at)
{
	uint64_t lifetime_ms = 0;
	(void)conf_once(p, T_TICKETS, where);
	if (value->token != T_OFF &&
	    !conf_quantity(p, "tickets lifetime", CONF_DURATION, CONF_TICKETS_MIN, 7 * DAY_MS,
			   value, at, &lifetime_ms))
		return;
	p->scope->tickets_set = true;
	p->scope->tickets_ms = lifetime_ms;
}

/* --- restart ---------------------------------------------------------------------------------- */

void conf_set_backoff(struct conf_parser *p, const struct conf_value *min,
		      const struct conf_value *max, const struct conf_where *where,
		      const struct conf_where *at, const struct conf_where *at2)
{
	struct conf_restart *restart = &p->scope->restart;
	uint64_t least, most;
	(void)conf_once(p, T_BACKOFF, where);
	bool good = conf_quantity(p, "backoff", CONF_DURATION, 1, DAY_MS, min, at, &least);
	if (!conf_quantity(p, "backoff", CONF_DURATION, 1, DAY_MS, max, at2, &most) || !good)
		return;
	if (least > most) {
		conf_error(p, at,
			   "backoff goes from the shorter time to the longer: %s is more "
			   "than %s",
			   min->data, max->data);
		return;
	}
	restart->backoff_min_ms = least;
	restart->backoff_max_ms = most;
	p->scope->backoff_set = true;
}

void conf_set_park(struct conf_parser *p, const struct conf_value *after,
		   const struct conf_value *window, const struct conf_where *where,
		   const struct conf_where *at, const struct conf_where *at2)
{
	struct conf_restart *restart = &p->scope->restart;
	uint64_t deaths, within;
	(void)conf_once(p, T_PARK, where);
	bool good =
	    conf_quantity(p, "park after", CONF_NUMBER, 1, CONF_PARK_MAX, after, at, &deaths);
	if (!conf_quantity(p, "park in", CONF_DURATION, 10, DAY_MS, window, at2, &within) || !good)
		return;
	restart->park_after = (uint32_t)deaths;
	restart->park_window_ms = within;
	p->scope->park_set = true;
}

void conf_set_while_parked(struct conf_parser *p, int token, const struct conf_where *where)
{
	(void)conf_once(p, T_WHILE, where);
	p->scope->restart.while_parked = token == T_REFUSE ? CONF_PARKED_REFUSE : CONF_PARKED_QUEUE;
	p->scope->parked_set = true;
}

/* --- tls -------------------------------------------------------------------------------------- */

static void miss_key(struct conf_parser *p)
{
	if (p->certificate != NULL && !p->scope->tls_damaged)
		conf_error(p, &p->certificate_where,
			   "the certificate has no key: write `key \"file\"` after it");
	p->certificate = NULL;
}

void conf_add_certificate(struct conf_parser *p, const struct conf_value *value,
			  const struct conf_where *where, const struct conf_where *at)
{
	miss_key(p);
	if (conf_plain(p, "a certificate's file name", PATH_MAX - 1, value, at))
		p->certificate = conf_path(p, value->data, at);
	if (p->certificate == NULL)
		p->certificate = ""; /* so that its key is not reported as one too many */
	p->certificate_where = *where;
}

void conf_add_key(struct conf_parser *p, const struct conf_value *value,
		  const struct conf_where *where, const struct conf_where *at)
{
	struct conf_scope *scope = p->scope;
	const char *certificate = p->certificate;
	char *key = NULL;
	p->certificate = NULL;
	if (certificate == NULL) {
		if (!scope->tls_damaged)
			conf_error(
			    p, where,
			    "the key has no certificate: write `certificate \"file\"` before it");
		scope->tls_damaged = true;
		return;
	}
	if (conf_plain(p, "a key's file name", PATH_MAX - 1, value, at))
		key = conf_path(p, value->data, at);
	if (key == NULL || certificate[0] == '\0') {
		scope->tls_damaged = true;
		return;
	}
	if (scope->certificates_count == CONF_CERTIFICATES_MAX) {
		conf_error(p, &p->certificate_where, "a port has at most %d certificates",
			   CONF_CERTIFICATES_MAX);
		return;
	}
	struct conf_certificate *pairs =
	    conf_grow(p, scope->certificates, scope->certificates_count, sizeof(*pairs));
	if (pairs == NULL)
		return;
	scope->certificates = pairs;
	pairs[scope->certificates_count++] = (struct conf_certificate){
	    .certificate = conf_copy(p, certificate, strlen(certificate)),
	    .key = key,
	    .where = p->certificate_where,
	};
}

void conf_tls_close(struct conf_parser *p)
{
	bool half = p->certificate != NULL;
	miss_key(p);
	if (!half && p->scope->certificates_count == 0 && !p->scope->tls_damaged)
		conf_error(p, &conf_block_top(p)->where,
			   "the tls block has no certificate: write `certificate \"file\" key "
			   "\"file\"` in it");
	/* A mistake was reported already; the port does not also lack a certificate. */
	if (p->scope->certificates_count == 0)
		p->scope->tls_damaged = true;
	conf_block_close(p);
}

void conf_tls_development(struct conf_parser *p, const struct conf_where *where)
{
	struct conf_scope *scope = p->scope;
	/* As an array: a block that is a mistake after it may add to it. */
	struct conf_certificate *pair = conf_grow(p, NULL, 0, sizeof(*pair));
	(void)conf_once(p, T_TLS, where);
	if (pair == NULL)
		return;
	*pair = (struct conf_certificate){.certificate = conf_copy(p, "", 0),
					  .key = conf_copy(p, "", 0),
					  .development = true,
					  .where = *where};
	scope->tls_set = true;
	scope->certificates = pair;
	scope->certificates_count = 1;
}
