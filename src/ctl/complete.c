/*
 * bulkheadctl complete WORD...: prints the words that can follow, one per line, for the shells'
 * completion (scripts/completion). Must never print an error, nor wait for a slow server.
 */
#include <stdio.h>
#include <string.h>

#include "ctl/connection.h"
#include "ctl/find.h"
#include "ctl/words.h"

#define PATIENCE_MS 300 /* the user has pressed Tab and waits */

static void print(const char *const *words)
{
	for (; *words != NULL; words++)
		puts(*words);
}

static void word_print(const char *word)
{
	char line[1024];
	struct text t;
	text_init(&t, line, sizeof(line));
	words_safe(&t, word);
	puts(line);
}

static void ports_print(const struct ctl_arguments *arguments)
{
	struct ctl_arguments a = *arguments;
	char lines[FIND_SAID_MAX];
	enum ctl_status found;
	json_t *status = NULL;
	struct err err;
	struct text t;
	text_init(&t, lines, sizeof(lines));
	if (a.socket == NULL)
		a.socket = server_find(&found, &t);
	if (a.socket != NULL && ctl_ask(&a, "status", PATIENCE_MS, &status, &err) == CTL_DONE) {
		const json_t *ports = json_object_get(status, "ports");
		for (size_t i = 0; i < json_array_size(ports); i++)
			printf("%lld\n", (long long)answer_int(json_array_get(ports, i), "port"));
	}
	json_decref(status);
}

static bool is_one_of(const char *word, const char *const *words)
{
	while (*words != NULL && strcmp(word, *words) != 0)
		words++;
	return *words != NULL;
}

/* Skips the program's own options: returns how many words they are. */
static int options_skip(struct ctl_arguments *a, char **words, int count)
{
	int i = 0;
	while (i < count && words[i][0] == '-') {
		if (strcmp(words[i], "-s") == 0 || strcmp(words[i], "--socket") == 0) {
			if (i + 1 == count)
				break;
			a->socket = words[++i];
		} else if (strncmp(words[i], "--socket=", strlen("--socket=")) == 0) {
			a->socket = words[i] + strlen("--socket=");
		} else if (words[i][1] == 's') {
			a->socket = words[i] + 2;
		} else {
			break;
		}
		i++;
	}
	return i;
}

/* After a command that takes a port and perhaps --json, in any order, each once. */
static void ports_and_json(const struct ctl_arguments *a, char **words, int count, bool has_json)
{
	bool json = false, port = false;
	for (int i = 0; i < count; i++) {
		json = json || strcmp(words[i], "--json") == 0;
		port = port || words[i][0] != '-';
	}
	if (has_json && !json)
		puts("--json");
	if (!port)
		ports_print(a);
}

/* After a port: the names of its upstreams and the URLs of their endpoints. */
static void upstreams_print(const struct ctl_arguments *arguments, const char *port)
{
	struct ctl_arguments a = *arguments;
	char lines[FIND_SAID_MAX], request[32];
	enum ctl_status found;
	json_t *status = NULL;
	struct err err;
	struct text t;
	text_init(&t, lines, sizeof(lines));
	(void)snprintf(request, sizeof(request), "status %.5s", port);
	if (a.socket == NULL)
		a.socket = server_find(&found, &t);
	if (a.socket != NULL && ctl_ask(&a, request, PATIENCE_MS, &status, &err) == CTL_DONE) {
		const json_t *upstreams = json_object_get(
		    json_array_get(json_object_get(status, "ports"), 0), "upstreams");
		for (size_t i = 0; i < json_array_size(upstreams); i++) {
			const json_t *upstream = json_array_get(upstreams, i);
			const json_t *endpoints = json_object_get(upstream, "endpoints");
			word_print(answer_text(upstream, "name"));
			for (size_t k = 0; k < json_array_size(endpoints); k++)
				word_print(answer_text(json_array_get(endpoints, k), "url"));
		}
	}
	json_decref(status);
}

static void upstream_complete(const struct ctl_arguments *a, char **words, int count)
{
	static const char *const orders[] = {"up", "drain", "down", NULL};
	if (count == 0)
		ports_print(a);
	else if (count == 1)
		upstreams_print(a, words[0]);
	else if (count == 2)
		print(orders);
}

/* Reads the words before the one that is being typed: the program's options first. */
enum ctl_status ctl_complete(const struct ctl_arguments *arguments)
{
	static const char *const commands[] = {
	    "status",  "top", "crashes",  "reload",   "stop",      "start",  "restart", "drain",
	    "upgrade", "log", "upstream", "--socket", "--version", "--help", NULL};
	static const char *const shown[] = {"status", "crashes", NULL};
	static const char *const ordered[] = {"stop", "start", "restart", NULL};
	static const char *const dry_run[] = {"--dry-run", NULL};
	static const char *const level[] = {"level", NULL};
	static const char *const levels[] = {"err", "warning", "notice", "info", "debug", NULL};
	struct ctl_arguments a = *arguments;
	const int skipped = options_skip(&a, a.words, a.words_count);
	char **words = a.words + skipped;
	const int count = a.words_count - skipped;
	if (count == 0)
		print(commands);
	else if (is_one_of(words[0], shown) || is_one_of(words[0], ordered))
		ports_and_json(&a, words + 1, count - 1, is_one_of(words[0], shown));
	else if (strcmp(words[0], "upstream") == 0)
		upstream_complete(&a, words + 1, count - 1);
	else if (strcmp(words[0], "reload") == 0 && count == 1)
		print(dry_run);
	else if (strcmp(words[0], "log") == 0 && count <= 2)
		print(count == 1 ? level : levels);
	return CTL_DONE;
}
