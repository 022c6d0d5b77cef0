/*
 * Runs in the master, on bytes from a client of the control socket, and in bulkheadctl on words of
 * its command line. Must never read past the line, nor accept a request that it does not
 * understand.
 */
#include "control/request.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "base/num.h"
#include "base/text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define WORDS_MAX    6 /* more than any request has */
#define SHOWN_MAX    40

enum argument { NO_ARGUMENT, A_PORT, MAYBE_A_PORT, MAYBE_DRY_RUN, A_LEVEL, AN_UPSTREAM };

static const struct verb {
	const char *name;
	enum argument argument;
} verbs[CONTROL_VERBS] = {
    [CONTROL_STATUS] = {"status", MAYBE_A_PORT},
    [CONTROL_CRASHES] = {"crashes", MAYBE_A_PORT},
    [CONTROL_RELOAD] = {"reload", MAYBE_DRY_RUN},
    [CONTROL_STOP] = {"stop", A_PORT},
    [CONTROL_START] = {"start", A_PORT},
    [CONTROL_RESTART] = {"restart", A_PORT},
    [CONTROL_DRAIN] = {"drain", NO_ARGUMENT},
    [CONTROL_UPGRADE] = {"upgrade", NO_ARGUMENT},
    [CONTROL_LOG] = {"log", A_LEVEL},
    [CONTROL_UPSTREAM] = {"upstream", AN_UPSTREAM},
};

static const char *const orders[CONTROL_ORDERS] = {
    [CONTROL_ORDER_UP] = "up", [CONTROL_ORDER_DRAIN] = "drain", [CONTROL_ORDER_DOWN] = "down"};

static const struct level {
	const char *name;
	int level;
} levels[] = {
    {"err", LOG_ERR},   {"warning", LOG_WARNING}, {"notice", LOG_NOTICE},
    {"info", LOG_INFO}, {"debug", LOG_DEBUG},
};

struct word {
	const char *data;
	size_t len;
};

static bool is(const struct word *w, const char *text)
{
	return w->len == strlen(text) && memcmp(w->data, text, w->len) == 0;
}

const char *control_verb_name(enum control_verb verb)
{
	return verbs[verb].name;
}

const char *control_level_name(int level)
{
	for (size_t i = 0; i < COUNT(levels); i++)
		if (levels[i].level == level)
			return levels[i].name;
	return NULL;
}

int control_level_parse(const char *word, size_t len)
{
	const struct word w = {word, len};
	for (size_t i = 0; i < COUNT(levels); i++)
		if (is(&w, levels[i].name))
			return levels[i].level;
	return -1;
}

const char *control_order_name(enum control_order order)
{
	return orders[order];
}

enum control_order control_order_parse(const char *word, size_t len)
{
	const struct word w = {word, len};
	enum control_order order = CONTROL_ORDER_UP;
	while (order < CONTROL_ORDERS && !is(&w, orders[order]))
		order++;
	return order;
}

/* A word from outside, cut; the line is known to be printable. */
static const char *shown(const struct word *w, char out[SHOWN_MAX])
{
	struct text t;
	text_init(&t, out, SHOWN_MAX - 3);
	text_add(&t, w->data, w->len);
	if (t.truncated)
		memcpy(out + t.len, "...", 4);
	return out;
}

/* Splits a line of printable ASCII into words; words that do not fit count as one more. */
static size_t split(const char *line, size_t len, struct word words[WORDS_MAX], struct err *err)
{
	size_t count = 0, start = 0;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || (unsigned char)line[i] > 0x7e) {
			err_set(err, "a request is one line of printable ASCII");
			return 0;
		}
	for (size_t i = 0; i <= len; i++) {
		if (i < len && line[i] != ' ')
			continue;
		if (i == start) {
			err_set(err, "a request is words with one blank between them");
			return 0;
		}
		if (count < WORDS_MAX)
			words[count++] = (struct word){line + start, i - start};
		start = i + 1;
	}
	return count;
}

static int port_parse(const struct word *w, struct control_request *request, struct err *err)
{
	char out[SHOWN_MAX];
	uint64_t number;
	if (num_parse(w->data, w->len, 1, UINT16_MAX, &number) < 0) {
		err_set(err, "\"%s\" is not a port; it can be 1 to 65535", shown(w, out));
		return -EINVAL;
	}
	request->port = (uint16_t)number;
	return 0;
}

/* PORT NAME ORDER */
static int upstream_parse(const struct word *words, size_t count, struct control_request *request,
			  struct err *err)
{
	char out[SHOWN_MAX];
	if (count != 3) {
		err_set(err, "upstream takes a port, a name and one of up, drain, down");
		return -EINVAL;
	}
	if (port_parse(&words[0], request, err) < 0)
		return -EINVAL;
	if (words[1].len >= sizeof(request->upstream)) {
		err_set(err, "no upstream has so long a name");
		return -EINVAL;
	}
	memcpy(request->upstream, words[1].data, words[1].len);
	request->order = control_order_parse(words[2].data, words[2].len);
	if (request->order < CONTROL_ORDERS)
		return 0;
	err_set(err, "an upstream can be told up, drain or down, not \"%s\"",
		shown(&words[2], out));
	return -EINVAL;
}

static int argument_parse(const struct verb *verb, const struct word *w,
			  struct control_request *request, struct err *err)
{
	char out[SHOWN_MAX];
	switch (verb->argument) {
	case NO_ARGUMENT:
		err_set(err, "%s takes no argument", verb->name);
		return -EINVAL;
	case A_PORT:
	case MAYBE_A_PORT:
		return port_parse(w, request, err);
	case MAYBE_DRY_RUN:
		request->dry_run = is(w, "dry-run");
		if (!request->dry_run)
			err_set(err, "reload takes \"dry-run\" or nothing, not \"%s\"",
				shown(w, out));
		return request->dry_run ? 0 : -EINVAL;
	case A_LEVEL:
		request->level = control_level_parse(w->data, w->len);
		if (request->level < 0)
			err_set(
			    err,
			    "\"%s\" is not a level; it can be err, warning, notice, info or debug",
			    shown(w, out));
		return request->level < 0 ? -EINVAL : 0;
	case AN_UPSTREAM: /* it has several */
		break;
	}
	return -EINVAL;
}

static const struct verb *verb_find(const struct word *w)
{
	for (size_t i = 0; i < COUNT(verbs); i++)
		if (is(w, verbs[i].name))
			return &verbs[i];
	return NULL;
}

int control_parse(const char *line, size_t len, struct control_request *ret, struct err *err)
{
	struct control_request request = {0};
	struct word words[WORDS_MAX];
	char out[SHOWN_MAX];
	size_t count = split(line, len, words, err);
	if (count == 0)
		return -EINVAL;
	if (!is(&words[0], CONTROL_PROTOCOL)) {
		err_set(err, "a request begins with \"%s\", not with \"%s\"", CONTROL_PROTOCOL,
			shown(&words[0], out));
		return -EINVAL;
	}
	if (count == 1) {
		err_set(err, "a request has a verb");
		return -EINVAL;
	}
	const struct verb *verb = verb_find(&words[1]);
	if (verb == NULL) {
		err_set(err, "there is no verb \"%s\"", shown(&words[1], out));
		return -EINVAL;
	}
	request.verb = (enum control_verb)(verb - verbs);
	if (verb->argument == AN_UPSTREAM) {
		if (upstream_parse(words + 2, count - 2, &request, err) < 0)
			return -EINVAL;
		*ret = request;
		return 0;
	}
	if (count > 3) {
		err_set(err, "%s takes one argument at most", verb->name);
		return -EINVAL;
	}
	if (count == 2 && (verb->argument == A_PORT || verb->argument == A_LEVEL)) {
		err_set(err, "%s needs a %s", verb->name,
			verb->argument == A_PORT ? "port" : "level");
		return -EINVAL;
	}
	if (count == 3 && argument_parse(verb, &words[2], &request, err) < 0)
		return -EINVAL;
	*ret = request;
	return 0;
}
