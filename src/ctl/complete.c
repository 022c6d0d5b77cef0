/*
 * bulkheadctl complete WORD...: what can follow these words, one a line, for the shells' completion
 * (scripts/completion). Must never complain, nor ask a server that is slow.
 */
#include <stdio.h>
#include <string.h>

#include "ctl/connection.h"

static void print(const char *const *words)
{
	for (; *words != NULL; words++)
		puts(*words);
}

static void ports_print(const struct ctl_arguments *a)
{
	json_t *status;
	struct err err;
	if (ctl_ask(a, "status", &status, &err) == CTL_DONE) {
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

/* The words before the one that is being typed: options of their own first. */
enum ctl_status ctl_complete(const struct ctl_arguments *arguments)
{
	static const char *const commands[] = {
	    "status", "top",     "crashes", "reload",   "stop",      "start",  "restart",
	    "drain",  "upgrade", "log",     "--socket", "--version", "--help", NULL};
	static const char *const shown[] = {"status", "crashes", NULL};
	static const char *const ordered[] = {"stop", "start", "restart", NULL};
	static const char *const json[] = {"--json", NULL};
	static const char *const dry_run[] = {"--dry-run", NULL};
	static const char *const level[] = {"level", NULL};
	static const char *const levels[] = {"err", "warning", "notice", "info", "debug", NULL};
	struct ctl_arguments a = *arguments;
	char **words = a.words;
	int count = a.words_count;
	while (count >= 2 && (strcmp(words[0], "-s") == 0 || strcmp(words[0], "--socket") == 0)) {
		a.socket = words[1];
		words += 2;
		count -= 2;
	}
	if (count == 0)
		print(commands);
	else if (is_one_of(words[0], shown) && count == 1)
		print(json);
	else if (strcmp(words[0], "reload") == 0 && count == 1)
		print(dry_run);
	else if (strcmp(words[0], "log") == 0 && count <= 2)
		print(count == 1 ? level : levels);
	if (count == 1 && (is_one_of(words[0], shown) || is_one_of(words[0], ordered)))
		ports_print(&a);
	return CTL_DONE;
}
