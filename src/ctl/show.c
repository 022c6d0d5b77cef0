/* bulkheadctl: prints answers. Must never print a byte of the server unescaped. */
#include "ctl/show.h"

#include <stdio.h>

#include "ctl/connection.h"
#include "ctl/process.h"
#include "ctl/words.h"
#include "ipc/counters.h"

enum ctl_status json_show(const json_t *answer)
{
	/* ASCII, because UTF-8 has control characters, too. */
	const size_t flags =
	    JSON_INDENT(1) | JSON_ENSURE_ASCII | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(15);
	if (json_dumpf(answer, stdout, flags) < 0)
		return ctl_say(CTL_FAILED, "standard output cannot be written");
	puts("");
	return CTL_DONE;
}

void field_show(const char *name, const char *value)
{
	char line[4096];
	struct text t;
	if (value == NULL || value[0] == '\0')
		return;
	text_init(&t, line, sizeof(line));
	text_addf(&t, "  %s: ", name);
	words_safe(&t, value);
	puts(line);
}

static void figure_show(const char *name, const json_t *object, const char *member)
{
	const json_t *value = json_object_get(object, member);
	if (json_is_integer(value))
		printf("  %s: %lld\n", name, (long long)json_integer_value(value));
}

/* Prints the members of an object that are not 0: "2xx 12, 4xx 3". */
static void figures_show(const char *name, const json_t *object)
{
	char line[1024];
	struct text t;
	const char *key;
	json_t *value;
	text_init(&t, line, sizeof(line));
	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		if (json_integer_value(value) == 0)
			continue;
		if (t.len > 0)
			text_add_str(&t, ", ");
		words_safe(&t, key);
		text_addf(&t, " %lld", (long long)json_integer_value(value));
	}
	field_show(name, t.len > 0 ? line : "none");
}

/* Prints each counter of the answer by its title; one of a newer server by its name. */
static void counters_show(const json_t *counters)
{
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)counters, key, value)
	{
		const struct ipc_counter *known = ipc_counter_find(key);
		char name[256];
		struct text t;
		text_init(&t, name, sizeof(name));
		words_safe(&t, known != NULL ? known->title : key);
		if (json_is_object(value))
			figures_show(name, value);
		else
			figure_show(name, counters, key);
	}
}

static void process_show(const char *role, const json_t *process)
{
	char line[1024];
	struct text t;
	struct process p;
	process_look(&p, (pid_t)answer_int(process, "pid"));
	text_init(&t, line, sizeof(line));
	text_addf(&t, "%s %lld: pid %lld, ", role, (long long)answer_int(process, "number"),
		  (long long)answer_int(process, "pid"));
	words_safe(&t, answer_text(process, "state"));
	text_add_str(&t, ", up ");
	words_short_duration(&t, (uint64_t)answer_int(process, "uptime_ms"));
	if (p.pss_bytes >= 0) {
		text_add_str(&t, ", pss ");
		words_short_bytes(&t, (uint64_t)p.pss_bytes);
	}
	if (p.cpu_ms >= 0) {
		text_add_str(&t, ", cpu ");
		words_short_duration(&t, (uint64_t)p.cpu_ms);
	}
	puts(line);
	field_show("confined", answer_text(process, "sandbox"));
}

static void processes_show(const json_t *port, const char *list, const char *role)
{
	const json_t *processes = json_object_get(port, list);
	for (size_t i = 0; i < json_array_size(processes); i++)
		process_show(role, json_array_get(processes, i));
}

static void texts_show(const char *name, const json_t *texts)
{
	char line[4096];
	struct text t;
	text_init(&t, line, sizeof(line));
	for (size_t i = 0; i < json_array_size(texts); i++) {
		const char *text = json_string_value(json_array_get(texts, i));
		text_add_str(&t, i > 0 ? " " : "");
		text_add_str(&t, text != NULL ? text : "");
	}
	field_show(name, line);
}

static void last_exit_show(const json_t *last)
{
	char line[2048];
	struct text t;
	if (!json_is_object(last))
		return;
	text_init(&t, line, sizeof(line));
	text_addf(&t, "%s, %s: %s", answer_text(last, "when"), answer_text(last, "cause"),
		  answer_text(last, "text"));
	field_show("last exit", line);
}

static void certificate_show(const json_t *certificate)
{
	char line[8192];
	struct text t;
	if (!json_is_object(certificate))
		return;
	text_init(&t, line, sizeof(line));
	const long long days = answer_int(certificate, "days_left");
	words_certificate(&t, answer_text(certificate, "subject"),
			  answer_text(certificate, "file"));
	text_add_str(&t, ", ");
	if (days < 0)
		text_addf(&t, "has expired at %s", answer_text(certificate, "ends"));
	else
		text_addf(&t, "ends %s, %lld day%s left", answer_text(certificate, "ends"), days,
			  days == 1 ? "" : "s");
	field_show("certificate", line);
}

void port_show(const json_t *port)
{
	puts("");
	texts_show("addresses", json_object_get(port, "addresses"));
	texts_show("sockets", json_object_get(port, "sockets"));
	figure_show("generation", port, "generation");
	if (json_is_false(json_object_get(port, "tls")))
		field_show("certificate", "none, plain HTTP");
	certificate_show(json_object_get(port, "certificate"));
	counters_show(json_object_get(port, "counters"));
	last_exit_show(json_object_get(port, "last_exit"));
	processes_show(port, "workers", "worker");
	processes_show(port, "keyholders", "keyholder");
	processes_show(port, "verifiers", "verifier");
	processes_show(port, "connectors", "connector");
	processes_show(port, "resolvers", "resolver");
	puts("");
}
