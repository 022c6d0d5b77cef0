/* bulkheadctl crashes: how processes have ended, the last reports of each port. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/connection.h"
#include "ctl/show.h"
#include "ctl/words.h"

static void crash_print(const json_t *crash)
{
	char line[2048];
	struct text t;
	text_init(&t, line, sizeof(line));
	words_safe(&t, answer_text(crash, "when"));
	text_addf(&t, " port %lld: ", (long long)answer_int(crash, "port"));
	words_safe(&t, answer_text(crash, "text"));
	puts(line);
	field_show("request", answer_text(crash, "request"));
	field_show("request id", answer_text(crash, "request_id"));
	if (answer_text(crash, "client")[0] != '\0') {
		text_init(&t, line, sizeof(line));
		text_addf(&t, "%s port %lld", answer_text(crash, "client"),
			  (long long)answer_int(crash, "client_port"));
		field_show("client", line);
	}
	field_show("backtrace", answer_text(crash, "backtrace"));
}

struct crash {
	const json_t *json;
	size_t at; /* its index in the answer, which orders reports of one second */
};

static int crash_compare(const void *left, const void *right)
{
	const struct crash *a = left, *b = right;
	const int order = strcmp(answer_text(a->json, "when"), answer_text(b->json, "when"));
	return order != 0 ? order : (a->at > b->at) - (a->at < b->at);
}

/* Orders the reports by time; the server lists them port by port. NULL: no memory. */
static json_t *by_time(const json_t *crashes)
{
	const size_t count = json_array_size(crashes);
	struct crash *list = calloc(count + 1, sizeof(*list));
	json_t *sorted = list != NULL ? json_array() : NULL;
	for (size_t i = 0; sorted != NULL && i < count; i++)
		list[i] = (struct crash){json_array_get(crashes, i), i};
	if (sorted != NULL)
		qsort(list, count, sizeof(*list), crash_compare);
	for (size_t i = 0; sorted != NULL && i < count; i++)
		(void)json_array_append(sorted, (json_t *)(uintptr_t)list[i].json);
	free(list);
	return sorted;
}

static void crashes_sort(json_t *answer)
{
	json_t *sorted = by_time(json_object_get(answer, "crashes"));
	if (sorted != NULL && json_is_array(json_object_get(answer, "crashes")))
		(void)json_object_set(answer, "crashes", sorted);
	json_decref(sorted);
}

enum ctl_status ctl_crashes(const struct ctl_arguments *a)
{
	char request[32];
	json_t *answer;
	struct err err;
	(void)snprintf(request, sizeof(request), a->port != 0 ? "crashes %u" : "crashes", a->port);
	enum ctl_status result = ctl_ask(a, request, CONNECTION_PATIENCE_MS, &answer, &err);
	if (result == CTL_DONE)
		crashes_sort(answer);
	if (result != CTL_DONE) {
		(void)ctl_say(result, err.text);
	} else if (a->json) {
		result = json_show(answer);
	} else {
		const json_t *crashes = json_object_get(answer, "crashes");
		for (size_t i = 0; i < json_array_size(crashes); i++)
			crash_print(json_array_get(crashes, i));
		if (json_array_size(crashes) == 0)
			puts("none");
	}
	json_decref(answer);
	return result;
}
