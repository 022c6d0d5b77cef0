/* bulkheadctl crashes: how processes have ended, the last ones of each port. */
#include <stdio.h>

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

enum ctl_status ctl_crashes(const struct ctl_arguments *a)
{
	char request[32];
	json_t *answer;
	struct err err;
	(void)snprintf(request, sizeof(request), a->port != 0 ? "crashes %u" : "crashes", a->port);
	enum ctl_status result = ctl_ask(a, request, CONNECTION_PATIENCE_MS, &answer, &err);
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
