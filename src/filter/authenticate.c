/*
 * Runs in workers. Must never let a request through whose password nobody has found right, nor keep
 * a password after its exchange.
 */
#include "filter/authenticate.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/text.h"
#include "filter/kinds.h"

#define SCHEME      "Basic "
#define USER_MAX    255
#define PASS_MAX    511
#define CREDENTIALS (USER_MAX + 1 + PASS_MAX)
#define FIELD_MAX   1024 /* of WWW-Authenticate; the configuration allows no longer realm */

/* The filter's config. */
struct authenticate {
	const char *realm;
	uint32_t file;
};

/* An exchange whose password is being checked. */
struct trial {
	struct authenticate_ask ask; /* first */
	struct authenticate_service *service;
	struct exchange *ex;
	struct filter_use *use;
	struct loop_timer pause;
	bool asking; /* the service has it */
	uint8_t credentials[CREDENTIALS + 3];
};

/* --- answers ---------------------------------------------------------------------------------- */

static void challenge_add(struct exchange *ex, const char *realm)
{
	char field[FIELD_MAX];
	struct text t;
	text_init(&t, field, sizeof(field));
	text_add_str(&t, "Basic realm=\"");
	for (const char *c = realm; *c != '\0'; c++) {
		if (*c == '"' || *c == '\\')
			text_add_char(&t, '\\');
		text_add_char(&t, *c);
	}
	text_add_str(&t, "\", charset=\"UTF-8\"");
	static const char name[] = "WWW-Authenticate";
	(void)exchange_add_field(ex, name, sizeof(name) - 1, t.data, t.len);
}

static void retry_add(struct exchange *ex, uint64_t ms)
{
	static const char name[] = "Retry-After";
	char seconds[24];
	struct text t;
	text_init(&t, seconds, sizeof(seconds));
	text_add_uint(&t, (ms + 999) / 1000);
	(void)exchange_add_field(ex, name, sizeof(name) - 1, t.data, t.len);
}

/* What a response with this status has besides. */
static void fields_add(struct exchange *ex, const struct filter_use *use, unsigned status,
		       uint64_t retry_ms)
{
	const struct authenticate *config = use->config;
	if (status == 401)
		challenge_add(ex, config->realm);
	else
		retry_add(ex, retry_ms);
}

static enum filter_verdict refuse(struct exchange *ex, struct filter_use *use, unsigned status,
				  uint64_t retry_ms)
{
	fields_add(ex, use, status, retry_ms);
	exchange_answer(ex, status, 0);
	return FILTER_ANSWERS;
}

/* --- credentials ------------------------------------------------------------------------------ */

/* The only field Authorization, if it is of this scheme; else NULL. */
static const char *authorization(const struct http_request *r, size_t *ret_len)
{
	static const char wanted[] = "authorization";
	struct http_header field;
	const char *found = NULL;
	unsigned at = 0;
	while (http_request_next(r, &at, &field)) {
		if (field.name_len != sizeof(wanted) - 1 ||
		    strncasecmp(field.name, wanted, field.name_len) != 0)
			continue;
		if (found != NULL || field.value_len < sizeof(SCHEME) - 1 ||
		    strncasecmp(field.value, SCHEME, sizeof(SCHEME) - 1) != 0)
			return NULL;
		found = field.value + sizeof(SCHEME) - 1;
		*ret_len = field.value_len - (sizeof(SCHEME) - 1);
		while (*ret_len > 0 && *found == ' ') {
			found++;
			(*ret_len)--;
		}
	}
	return found;
}

/* RFC 7617, 2: the user ends at the first colon; neither part has control bytes. */
static bool credentials_read(const struct http_request *r, uint8_t out[CREDENTIALS + 3],
			     struct authenticate_ask *ask)
{
	size_t len = 0;
	const char *text = authorization(r, &len);
	if (text == NULL || BASE64_BYTES_MAX(len) > CREDENTIALS + 2)
		return false;
	const size_t bytes = base64_decode(text, len, out);
	const uint8_t *colon = bytes <= CREDENTIALS ? memchr(out, ':', bytes) : NULL;
	if (colon == NULL)
		return false;
	for (size_t i = 0; i < bytes; i++)
		if (out[i] < 0x20 || out[i] == 0x7f)
			return false;
	ask->user = (const char *)out;
	ask->user_len = (size_t)(colon - out);
	ask->password = (const char *)colon + 1;
	ask->password_len = bytes - ask->user_len - 1;
	return ask->user_len > 0 && ask->user_len <= USER_MAX && ask->password_len <= PASS_MAX;
}

/* --- a trial ---------------------------------------------------------------------------------- */

static void user_set(struct exchange *ex, const struct authenticate_ask *ask)
{
	char *user = arena_take(&ex->arena, ask->user_len + 1);
	if (user == NULL)
		return;
	memcpy(user, ask->user, ask->user_len);
	ex->user = user;
	ex->user_len = (uint32_t)ask->user_len;
}

static void trial_refuse(struct trial *t, unsigned status)
{
	fields_add(t->ex, t->use, status, AUTHENTICATE_PAUSE_MS);
	filter_answer(t->ex, status);
}

static void pause_over(struct loop *loop, struct loop_timer *timer)
{
	struct trial *t = (struct trial *)((char *)timer - offsetof(struct trial, pause));
	(void)loop;
	trial_refuse(t, 401);
}

static void trial_answered(struct authenticate_ask *ask, enum authenticate_verdict verdict)
{
	struct trial *t = (struct trial *)ask;
	const struct authenticate *config = t->use->config;
	struct loop *loop = t->ex->loop->events;
	t->asking = false;
	switch (verdict) {
	case AUTHENTICATE_RIGHT:
		user_set(t->ex, ask);
		filter_continue(t->ex);
		break;
	case AUTHENTICATE_WRONG:
		t->service->failed(t->service, ask, config->realm);
		loop_timer_set(loop, &t->pause, loop->now_ms + AUTHENTICATE_PAUSE_MS);
		break;
	case AUTHENTICATE_UNCHECKED:
		trial_refuse(t, 503);
		break;
	}
}

static void trial_free(struct trial *t)
{
	if (t->asking)
		t->service->forget(t->service, &t->ask);
	loop_timer_release(t->ex->loop->events, &t->pause);
	explicit_bzero(t, sizeof(*t));
	free(t);
}

static struct trial *trial_new(struct exchange *ex, struct filter_use *use)
{
	struct trial *t = calloc(1, sizeof(*t));
	if (t == NULL)
		return NULL;
	t->ex = ex;
	t->use = use;
	t->service = ex->loop->passwords;
	if (loop_timer_init(ex->loop->events, &t->pause, pause_over) < 0) {
		free(t);
		return NULL;
	}
	use->state = t;
	return t;
}

static enum filter_verdict trial_begin(struct exchange *ex, struct filter_use *use,
				       const struct authenticate_ask *ask,
				       const uint8_t *credentials)
{
	struct trial *t = trial_new(ex, use);
	if (t == NULL)
		return refuse(ex, use, 503, AUTHENTICATE_PAUSE_MS);
	memcpy(t->credentials, credentials, ask->user_len + 1 + ask->password_len);
	t->ask = *ask;
	t->ask.user = (const char *)t->credentials;
	t->ask.password = t->ask.user + ask->user_len + 1;
	t->ask.answered = trial_answered;
	t->asking = t->service->ask(t->service, &t->ask);
	return t->asking ? FILTER_WAITS : refuse(ex, use, 503, AUTHENTICATE_PAUSE_MS);
}

/* --- the filter ------------------------------------------------------------------------------- */

static enum filter_verdict authenticate_begin(struct exchange *ex, struct filter_use *use)
{
	const struct authenticate *config = use->config;
	struct authenticate_service *service = ex->loop->passwords;
	struct authenticate_ask ask = {.file = config->file, .client = ex->client};
	uint8_t credentials[CREDENTIALS + 3];
	uint64_t wait_ms = 0;
	enum filter_verdict verdict;
	if (!credentials_read(&ex->request, credentials, &ask)) {
		verdict = refuse(ex, use, 401, 0);
	} else if (service->knows(service, &ask)) {
		user_set(ex, &ask);
		verdict = FILTER_LEAVES;
	} else if ((wait_ms = service->refuses(service, &ask)) > 0) {
		verdict = refuse(ex, use, 429, wait_ms);
	} else {
		verdict = trial_begin(ex, use, &ask, credentials);
	}
	explicit_bzero(credentials, sizeof(credentials));
	return verdict;
}

static void authenticate_end(struct exchange *ex, struct filter_use *use)
{
	(void)ex;
	if (use->state != NULL)
		trial_free(use->state);
}

static const struct filter filter_authenticate = {.begin = authenticate_begin,
						  .end = authenticate_end};

static void *authenticate_make(const void *options, const struct filter_means *means)
{
	const struct conf_authenticate *conf = options;
	struct authenticate *made = calloc(1, sizeof(*made));
	if (made == NULL)
		return NULL;
	made->realm = conf->realm;
	while (made->file < means->passwords_count &&
	       strcmp(means->passwords[made->file].path, conf->path) != 0)
		made->file++;
	return made;
}

static bool authenticate_is_off(const void *options)
{
	return ((const struct conf_authenticate *)options)->realm == NULL;
}

const struct filter_kind filter_kind_authenticate = {
    .filter = &filter_authenticate, .make = authenticate_make, .is_off = authenticate_is_off};
