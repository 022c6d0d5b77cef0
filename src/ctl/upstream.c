/* bulkheadctl upstream: shows the upstreams of a port, or tells them what to do. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/connection.h"
#include "ctl/show.h"
#include "ctl/table.h"
#include "ctl/words.h"

#define COLUMNS_COUNT 9

static const char *const titles[COLUMNS_COUNT] = {"STATE", "ORDER",   ">ACTIVE", ">IDLE", ">REQS",
						  ">5XX",  ">FAILED", ">SENT",   ">RECV"};

static uint64_t sum_of(const json_t *object)
{
	const char *key;
	json_t *value;
	uint64_t sum = 0;
	json_object_foreach((json_t *)(uintptr_t)object, key, value) sum +=
	    answer_natural(object, key);
	return sum;
}

static bool is_named(const json_t *upstream, const json_t *endpoint, const char *name)
{
	return name == NULL || strcmp(answer_text(upstream, "name"), name) == 0 ||
	       strcmp(answer_text(endpoint, "url"), name) == 0;
}

/* --- the table -------------------------------------------------------------------------------- */

static void cells_fill(char (*cells)[TABLE_CELL], const json_t *endpoint)
{
	const char *order = answer_text(endpoint, "order");
	const json_t *responses = json_object_get(endpoint, "responses");
	const uint64_t figures[] = {
	    answer_natural(endpoint, "active"), answer_natural(endpoint, "idle"),
	    answer_natural(endpoint, "requests"), answer_natural(responses, "5xx"),
	    sum_of(json_object_get(endpoint, "failed"))};
	struct text t;
	text_init(&t, cells[0], TABLE_CELL);
	words_safe(&t, answer_text(endpoint, "state"));
	text_init(&t, cells[1], TABLE_CELL);
	words_safe(&t, order[0] != '\0' ? order : "-");
	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
		text_init(&t, cells[2 + i], TABLE_CELL);
		words_short_count(&t, figures[i]);
	}
	text_init(&t, cells[7], TABLE_CELL);
	words_short_bytes(&t, answer_natural(endpoint, "bytes_sent"));
	text_init(&t, cells[8], TABLE_CELL);
	words_short_bytes(&t, answer_natural(endpoint, "bytes_received"));
}

static void line_print(const char *begin, const char *name, const char *end)
{
	char line[1024];
	struct text t;
	text_init(&t, line, sizeof(line));
	text_addf(&t, "%s ", begin);
	words_safe(&t, name);
	text_add_str(&t, end);
	puts(line);
}

static void row_print(const struct table *table, size_t row, const json_t *endpoint)
{
	char line[256];
	struct text t;
	const char *why = answer_text(endpoint, "why");
	text_init(&t, line, sizeof(line));
	table_line(table, row, &t);
	line_print(line, answer_text(endpoint, "url"),
		   json_is_true(json_object_get(endpoint, "backup")) ? " (backup)" : "");
	if (why[0] != '\0' && strcmp(answer_text(endpoint, "state"), "down") == 0)
		line_print("      ", why, "");
}

/* Returns how many endpoints were shown, or -1 without memory. */
static long upstream_print(const json_t *upstream, const char *name)
{
	const json_t *endpoints = json_object_get(upstream, "endpoints");
	struct table table;
	char line[256];
	struct text t;
	long shown = 0;
	table_init(&table, titles, COLUMNS_COUNT);
	for (size_t i = 0; i < json_array_size(endpoints); i++) {
		const json_t *e = json_array_get(endpoints, i);
		if (!is_named(upstream, e, name))
			continue;
		char(*cells)[TABLE_CELL] = table_row(&table);
		if (cells == NULL) {
			table_release(&table);
			return -1;
		}
		cells_fill(cells, e);
	}
	table_measure(&table);
	if (table.rows > 0) {
		text_init(&t, line, sizeof(line));
		text_addf(&t, ": %llu queued, %llu tunnels, %llu tried again, %llu unavailable",
			  (unsigned long long)answer_natural(upstream, "queued"),
			  (unsigned long long)answer_natural(upstream, "tunnels"),
			  (unsigned long long)answer_natural(upstream, "retries"),
			  (unsigned long long)answer_natural(upstream, "unavailable"));
		line_print("upstream", answer_text(upstream, "name"), line);
		text_init(&t, line, sizeof(line));
		table_title_line(&table, &t);
		line_print(line, "ENDPOINT", "");
	}
	for (size_t i = 0; i < json_array_size(endpoints); i++) {
		const json_t *e = json_array_get(endpoints, i);
		if (is_named(upstream, e, name))
			row_print(&table, (size_t)shown++, e);
	}
	table_release(&table);
	return shown;
}

static enum ctl_status upstreams_print(const struct ctl_arguments *a, const json_t *status)
{
	const json_t *port = json_array_get(json_object_get(status, "ports"), 0);
	const json_t *upstreams = json_object_get(port, "upstreams");
	char sentence[CONTROL_UPSTREAM_MAX + 64];
	long shown = 0;
	if (json_array_size(upstreams) == 0) {
		(void)snprintf(sentence, sizeof(sentence), "port %u has no upstream", a->port);
		return ctl_say(CTL_FAILED, sentence);
	}
	for (size_t i = 0; i < json_array_size(upstreams); i++) {
		const long n = upstream_print(json_array_get(upstreams, i), a->upstream);
		if (n < 0)
			return ctl_say(CTL_FAILED, "out of memory");
		shown += n;
	}
	if (shown > 0)
		return CTL_DONE;
	(void)snprintf(sentence, sizeof(sentence), "port %u has no upstream or endpoint \"%s\"",
		       a->port, a->upstream);
	return ctl_say(CTL_FAILED, sentence);
}

/* ---------------------------------------------------------------------------------------------- */

/* The order is done when the answer comes: the same one again does no harm. */
static enum ctl_status order_tell(const struct ctl_arguments *a)
{
	char request[CONTROL_REQUEST_MAX];
	json_t *answer;
	struct err err;
	(void)snprintf(request, sizeof(request), "upstream %u %s %s", a->port, a->upstream,
		       a->order);
	const enum ctl_status result = ctl_ask(a, request, CONNECTION_PATIENCE_MS, &answer, &err);
	json_decref(answer);
	return result == CTL_DONE ? CTL_DONE : ctl_say(result, err.text);
}

enum ctl_status ctl_upstream(const struct ctl_arguments *a)
{
	char request[32];
	json_t *status;
	struct err err;
	if (a->order != NULL)
		return order_tell(a);
	(void)snprintf(request, sizeof(request), "status %u", a->port);
	enum ctl_status result = ctl_ask(a, request, CONNECTION_PATIENCE_MS, &status, &err);
	if (result != CTL_DONE)
		(void)ctl_say(result, err.text);
	else if (a->json)
		result = json_show(json_object_get(
		    json_array_get(json_object_get(status, "ports"), 0), "upstreams"));
	else
		result = upstreams_print(a, status);
	json_decref(status);
	return result;
}
