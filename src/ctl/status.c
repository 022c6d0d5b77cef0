/* bulkheadctl status: prints it once, for a person or as JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/validity.h"
#include "ctl/columns.h"
#include "ctl/connection.h"
#include "ctl/process.h"
#include "ctl/rows.h"
#include "ctl/show.h"
#include "ctl/summary.h"
#include "ctl/words.h"

/* --- data that do not fit the table ----------------------------------------------------------- */

static void certificate_warn(const json_t *port)
{
	const json_t *certificate = json_object_get(port, "certificate");
	const int64_t days = answer_int(certificate, "days_left");
	char line[8192];
	struct text t;
	if (!json_is_true(json_object_get(certificate, "ends_soon")))
		return;
	text_init(&t, line, sizeof(line));
	text_addf(&t, "warning: %lld: the certificate ", (long long)answer_int(port, "port"));
	words_certificate(&t, answer_text(certificate, "subject"),
			  answer_text(certificate, "file"));
	text_add_char(&t, ' ');
	validity_describe(days, &t);
	text_add_str(&t, ", at ");
	words_safe(&t, answer_text(certificate, "ends"));
	puts(line);
}

static void state_explain(const json_t *port)
{
	const json_t *draining = json_object_get(port, "draining");
	const json_t *retry = json_object_get(port, "next_retry_ms");
	const long long number = (long long)answer_int(port, "port");
	const char *reason = answer_text(port, "reason");
	char line[1024];
	struct text t;
	text_init(&t, line, sizeof(line));
	if (reason[0] != '\0') {
		text_addf(&t, "%lld %s: ", number,
			  strcmp(answer_text(port, "state"), "parked") == 0 ? "is parked"
									    : "waits");
		words_safe(&t, reason);
		puts(line);
	}
	text_init(&t, line, sizeof(line));
	if (json_is_integer(retry)) {
		text_addf(&t, "%lld is tried again in ", number);
		words_short_duration(&t, (uint64_t)json_integer_value(retry));
		puts(line);
	}
	if (json_array_size(draining) > 0)
		printf("%lld: %zu old generation%s still drain%s\n", number,
		       json_array_size(draining), json_array_size(draining) == 1 ? "" : "s",
		       json_array_size(draining) == 1 ? "s" : "");
}

static void last_exit_tell(const json_t *port)
{
	const json_t *last = json_object_get(port, "last_exit");
	char line[1024];
	struct text t;
	if (!json_is_object(last))
		return;
	text_init(&t, line, sizeof(line));
	text_addf(&t, "%lld last lost a process at ", (long long)answer_int(port, "port"));
	words_safe(&t, answer_text(last, "when"));
	text_add_str(&t, ": ");
	words_safe(&t, answer_text(last, "cause"));
	puts(line);
}

static void notes_print(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		state_explain(rows[i].json);
		last_exit_tell(rows[i].json);
	}
	for (size_t i = 0; i < count; i++)
		certificate_warn(rows[i].json);
}

/* --- of all, or of one ----------------------------------------------------------------------- */

static enum ctl_status table_print(const struct row *rows, size_t count)
{
	char line[512];
	struct table table;
	struct text t;
	if (columns_table(&table, rows, count, COLUMNS_STATUS) < 0)
		return ctl_say(CTL_FAILED, "out of memory");
	text_init(&t, line, sizeof(line));
	table_title_line(&table, &t);
	puts(line);
	for (size_t i = 0; i < table.rows; i++) {
		text_init(&t, line, sizeof(line));
		table_line(&table, i, &t);
		puts(line);
	}
	table_release(&table);
	return CTL_DONE;
}

static enum ctl_status print(const struct ctl_arguments *a, const json_t *status)
{
	char line[1024];
	struct text t;
	size_t count;
	struct row *rows = rows_read(status, &count);
	rows_look(rows, count);
	if (a->port == 0) {
		text_init(&t, line, sizeof(line));
		summary_server(&t, status);
		puts(line);
		text_init(&t, line, sizeof(line));
		summary_ports(&t, status);
		puts(line);
		puts("");
	}
	enum ctl_status result = table_print(rows, count);
	if (a->port != 0 && count == 1)
		port_show(rows[0].json);
	notes_print(rows, count);
	free(rows);
	return result;
}

/* --- as JSON --------------------------------------------------------------------------------- */

static void known(json_t *object, const char *name, int64_t value)
{
	(void)json_object_set_new(object, name, value < 0 ? json_null() : json_integer(value));
}

static void processes_complete(const json_t *processes)
{
	for (size_t i = 0; i < json_array_size(processes); i++) {
		json_t *object = json_array_get(processes, i);
		struct process p;
		process_look(&p, (pid_t)answer_int(object, "pid"));
		known(object, "pss_bytes", p.pss_bytes);
		known(object, "cpu_ms", p.cpu_ms);
	}
}

static void complete(const json_t *status)
{
	const json_t *ports = json_object_get(status, "ports");
	for (size_t i = 0; i < json_array_size(ports); i++) {
		const json_t *port = json_array_get(ports, i);
		processes_complete(json_object_get(port, "workers"));
		processes_complete(json_object_get(port, "keyholders"));
		processes_complete(json_object_get(port, "verifiers"));
		processes_complete(json_object_get(port, "connectors"));
		processes_complete(json_object_get(port, "resolvers"));
	}
}

enum ctl_status ctl_status(const struct ctl_arguments *a)
{
	char request[32];
	json_t *status;
	struct err err;
	(void)snprintf(request, sizeof(request), a->port != 0 ? "status %u" : "status", a->port);
	enum ctl_status result = ctl_ask(a, request, CONNECTION_PATIENCE_MS, &status, &err);
	if (result != CTL_DONE) {
		json_decref(status);
		return ctl_say(result, err.text);
	}
	if (a->json) {
		complete(status);
		result = json_show(status);
	} else {
		result = print(a, status);
	}
	json_decref(status);
	return result;
}
