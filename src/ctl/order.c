/*
 * bulkheadctl reload, stop, start, restart, drain, upgrade, log: carries out an order; the exit
 * status says whether it succeeded. It waits as long as the server takes.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "ctl/connection.h"
#include "ctl/differ.h"
#include "ctl/words.h"

#define UPGRADE_MS 30000 /* for the answer of the new program */
#define RETRY_MS   100

static void request_make(const struct ctl_arguments *a, char *out, size_t size)
{
	switch (a->command) {
	case CTL_RELOAD:
		(void)snprintf(out, size, "reload%s", a->dry_run ? " dry-run" : "");
		break;
	case CTL_STOP:
		(void)snprintf(out, size, "stop %u", a->port);
		break;
	case CTL_START:
		(void)snprintf(out, size, "start %u", a->port);
		break;
	case CTL_RESTART:
		(void)snprintf(out, size, "restart %u", a->port);
		break;
	case CTL_LOG:
		(void)snprintf(out, size, "log %s", a->level);
		break;
	case CTL_UPGRADE:
		(void)snprintf(out, size, "upgrade");
		break;
	case CTL_DRAIN:
	default:
		(void)snprintf(out, size, "drain");
		break;
	}
}

/* --- reload ---------------------------------------------------------------------------------- */

#define DIFFERENCES_SHOWN 20 /* of one port */

struct differences {
	FILE *out;
	const char *indent;
	unsigned count;
};

static void difference_print(void *arg, const char *line)
{
	struct differences *d = arg;
	if (d->count++ < DIFFERENCES_SHOWN)
		(void)fprintf(d->out, "%s  %s\n", d->indent, line);
}

/* texts: an object with "now" and "wanted". */
static void differences_print(FILE *out, const char *indent, const json_t *texts)
{
	struct differences d = {.out = out, .indent = indent};
	const char *now = answer_text(texts, "now"), *wanted = answer_text(texts, "wanted");
	if (now[0] == '\0' && wanted[0] == '\0')
		return;
	if (statements_differ(now, wanted, difference_print, &d) < 0)
		(void)fprintf(out, "%s  (out of memory)\n", indent);
	if (d.count > DIFFERENCES_SHOWN)
		(void)fprintf(out, "%s  and %u more\n", indent, d.count - DIFFERENCES_SHOWN);
}

static void files_print(FILE *out, const char *indent, const json_t *files)
{
	for (size_t i = 0; i < json_array_size(files); i++) {
		char line[8192];
		struct text t;
		text_init(&t, line, sizeof(line));
		words_safe(&t, json_string_value(json_array_get(files, i)));
		(void)fprintf(out, "%s  changed file \"%s\"\n", indent, line);
	}
}

static void row_print(FILE *out, const char *indent, const json_t *row)
{
	const char *why = answer_text(row, "why");
	char line[1024];
	struct text t;
	text_init(&t, line, sizeof(line));
	text_addf(&t, "%lld ", (long long)answer_int(row, "port"));
	words_safe(&t, answer_text(row, "action"));
	text_add_str(&t, why[0] != '\0' ? ": " : "");
	words_safe(&t, why);
	(void)fprintf(out, "%s%s\n", indent, line);
	differences_print(out, indent, row);
	files_print(out, indent, json_object_get(row, "files"));
}

static void plan_print(FILE *out, const char *indent, const json_t *answer)
{
	const json_t *plan = json_object_get(answer, "plan");
	const json_t *common = json_object_get(answer, "common");
	for (size_t i = 0; i < json_array_size(plan); i++)
		row_print(out, indent, json_array_get(plan, i));
	if (answer_text(common, "wanted")[0] != '\0') {
		(void)fprintf(out, "%soutside of ports:\n", indent);
		differences_print(out, indent, common);
	}
}

/* The plan of a failed reload must not look as if it was carried out. */
static void failure_print(const json_t *answer, const char *sentence)
{
	(void)ctl_say(CTL_FAILED, sentence);
	if (json_array_size(json_object_get(answer, "plan")) == 0) {
		(void)ctl_say(CTL_FAILED, "nothing has changed");
		return;
	}
	(void)ctl_say(CTL_FAILED, "nothing has changed; this was tried:");
	plan_print(stderr, "  ", answer);
}

/* ---------------------------------------------------------------------------------------------- */

/* Waits for the server's end, which ends the connection. Bytes before that are ignored. */
static enum ctl_status end_await(struct connection *c)
{
	struct err err;
	json_t *more = NULL;
	while (connection_receive(c, &more, &err) == CTL_DONE)
		json_decref(more);
	return CTL_DONE;
}

/* --- upgrade --------------------------------------------------------------------------------- */

/* Identifies an execution of the program. */
struct execution {
	int64_t pid;
	char id[64];
	char version[64];
	bool upgrading; /* ports are following */
	char failed[512];
};

static void execution_read(struct execution *ret, const json_t *status)
{
	struct text t;
	ret->pid = answer_int(status, "pid");
	text_init(&t, ret->id, sizeof(ret->id));
	words_safe(&t, answer_text(status, "execution"));
	text_init(&t, ret->version, sizeof(ret->version));
	words_safe(&t, answer_text(status, "version"));
	ret->upgrading = json_is_true(json_object_get(status, "upgrading"));
	text_init(&t, ret->failed, sizeof(ret->failed));
	words_safe(&t, answer_text(status, "upgrade_failed"));
}

/* Asks the server on this connection, or (c NULL) on a new one. */
static enum ctl_status execution_ask(const struct ctl_arguments *a, struct connection *c,
				     struct execution *ret, struct err *err)
{
	json_t *status;
	enum ctl_status result =
	    c != NULL ? connection_ask(c, "status", CONNECTION_PATIENCE_MS, &status, err)
		      : ctl_ask(a, "status", CONNECTION_PATIENCE_MS, &status, err);
	if (result == CTL_DONE)
		execution_read(ret, status);
	json_decref(status);
	return result;
}

/* The server has closed the connection without an answer, as it does when it executes another
 * program. Waits for the new program; its ports follow one after another. */
static enum ctl_status successor_await(const struct ctl_arguments *a,
				       const struct execution *before, struct err *err)
{
	const struct timespec pause = {.tv_nsec = RETRY_MS * 1000000L};
	uint64_t until_ms = clock_ms() + UPGRADE_MS;
	struct execution now = {.pid = 0};
	for (;;) {
		enum ctl_status result = execution_ask(a, NULL, &now, err);
		if (result == CTL_DONE)
			until_ms = clock_ms() + UPGRADE_MS;
		if (result == CTL_DONE && (now.pid != before->pid || !now.upgrading))
			break;
		if (result != CTL_DONE && (result != CTL_NO_SERVER || clock_ms() >= until_ms))
			return result;
		(void)nanosleep(&pause, NULL);
	}
	if (now.pid != before->pid || strcmp(now.id, before->id) == 0) {
		err_set(err, "the server has ended the connection, and was not upgraded");
		return CTL_FAILED;
	}
	if (now.failed[0] != '\0') {
		err_set(err, "upgraded from %s to %s, but %s", before->version, now.version,
			now.failed);
		return CTL_FAILED;
	}
	printf("upgraded from %s to %s\n", before->version, now.version);
	return CTL_DONE;
}

/* ---------------------------------------------------------------------------------------------- */

static enum ctl_status order_ask(const struct ctl_arguments *a, struct connection *c,
				 struct err *err)
{
	char request[64];
	json_t *answer = NULL;
	request_make(a, request, sizeof(request));
	enum ctl_status result = connection_ask(c, request, CONNECTION_FOREVER, &answer, err);
	const bool refused = result == CTL_FAILED && answer != NULL &&
			     (a->command == CTL_RELOAD || a->command == CTL_UPGRADE);
	if (refused) {
		failure_print(answer, err->text);
		err->text[0] = '\0'; /* it was printed already */
	} else if (a->command == CTL_RELOAD && result == CTL_DONE) {
		plan_print(stdout, "", answer);
	}
	if (a->command == CTL_DRAIN && result == CTL_DONE)
		result = end_await(c);
	json_decref(answer);
	return result;
}

/* Opens a connection and, for an upgrade, asks which version answers: the earlier one. Another
 * user's upgrade may end the connection before that. */
static enum ctl_status order_begin(const struct ctl_arguments *a, struct connection *c,
				   struct execution *before, struct err *err)
{
	enum ctl_status result = CTL_NO_SERVER;
	for (int attempt = 0; attempt < 2; attempt++) {
		result = connection_open(c, a->socket, CONNECTION_PATIENCE_MS, err);
		if (result != CTL_DONE || a->command != CTL_UPGRADE)
			break;
		result = execution_ask(a, c, before, err);
		if (result == CTL_DONE)
			break;
		connection_close(c);
		if (!c->was_ended)
			break;
	}
	return result;
}

/* Other orders are never repeated, since it is unknown whether they were carried out. */
static enum ctl_status judge_cut(const struct ctl_arguments *a, struct err *err)
{
	struct execution now;
	struct err ignored;
	if (execution_ask(a, NULL, &now, &ignored) != CTL_DONE)
		return CTL_NO_SERVER;
	err_set(err, "the server has ended the connection without an answer, as an upgrade does; "
		     "the order may have been carried out nevertheless");
	return CTL_FAILED;
}

/* Orders that change nothing, or that have the same effect when repeated. */
static bool is_repeatable(const struct ctl_arguments *a)
{
	return (a->command == CTL_RELOAD && a->dry_run) || a->command == CTL_LOG;
}

enum ctl_status ctl_order(const struct ctl_arguments *a)
{
	struct connection c;
	struct execution before;
	struct err err;
	enum ctl_status result = order_begin(a, &c, &before, &err);
	if (result == CTL_DONE) {
		result = order_ask(a, &c, &err);
		connection_close(&c);
		if (result == CTL_NO_SERVER && c.was_ended && is_repeatable(a)) {
			result = order_begin(a, &c, &before, &err);
			if (result == CTL_DONE)
				result = order_ask(a, &c, &err);
			connection_close(&c);
		}
		if (result == CTL_NO_SERVER && a->command == CTL_UPGRADE)
			result = successor_await(a, &before, &err);
		else if (result == CTL_NO_SERVER && c.was_ended)
			result = judge_cut(a, &err);
	}
	if (result == CTL_DONE || (result == CTL_FAILED && err.text[0] == '\0'))
		return result;
	return ctl_say(result, err.text);
}
