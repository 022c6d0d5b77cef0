/* For the tests of the configuration: what a text means, and the messages about it. */
#ifndef TESTS_UNIT_CONF_TOLD_H
#define TESTS_UNIT_CONF_TOLD_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf/conf.h"

#define TLS "tls { certificate \"/c\" key \"/k\" }\n"

/* --- gathering messages ------------------------------------------------------------------- */

struct told {
	char text[65536]; /* a line each: "line:column text", or "line:column warning: text" */
	size_t len;
	unsigned count;
	bool with_file;
};

static inline void gather(void *arg, enum conf_severity severity, const struct conf_where *where,
			  const char *text)
{
	struct told *told = arg;
	const char *base = strrchr(where->file, '/');
	told->count++;
	if (told->with_file)
		told->len +=
		    (size_t)snprintf(told->text + told->len, sizeof(told->text) - told->len,
				     "%s:", base != NULL ? base + 1 : where->file);
	told->len += (size_t)snprintf(told->text + told->len, sizeof(told->text) - told->len,
				      "%u:%u %s%s\n", where->line, where->column,
				      severity == CONF_WARNING ? "warning: " : "", text);
	assert_true(told->len < sizeof(told->text));
}

static inline struct conf *parse_with(const char *text, const struct conf_options *options,
				      const char *messages)
{
	struct told told = {.len = 0};
	struct conf *conf = NULL;
	int error = conf_parse_text(text, strlen(text), "text", options, gather, &told, &conf);
	assert_string_equal(told.text, messages);
	assert_int_equal(error, messages[0] != '\0' ? -EINVAL : 0);
	assert_true((conf == NULL) == (error < 0));
	return conf;
}

static inline struct conf *parse(const char *text)
{
	return parse_with(text, NULL, "");
}

static inline const struct conf_respond *respond_of(const struct conf_location *location)
{
	assert_int_equal(location->handler, CONF_RESPOND);
	return location->options;
}

/* Exactly these messages, all of them, and no configuration. */
static inline void told(const char *text, const char *messages)
{
	assert_null(parse_with(text, NULL, messages));
}

/* The same with a certificate for all ports on the first line. */
static inline void told_tls(const char *text, const char *messages)
{
	char *all = NULL;
	assert_true(asprintf(&all, TLS "%s", text) > 0);
	told(all, messages);
	free(all);
}

static inline char *dump(const struct conf *conf, const struct conf_port *port)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	assert_non_null(out);
	if (port != NULL)
		conf_dump_port(conf, port, out);
	else
		conf_dump(conf, out);
	fclose(out);
	return text;
}

/* Parses to itself, the whole and each port. */
static inline void stable(const struct conf *conf)
{
	for (size_t i = 0; i <= conf->ports_count; i++) {
		char *text = dump(conf, i > 0 ? &conf->ports[i - 1] : NULL);
		struct conf *again = parse(text);
		char *second = dump(again, i > 0 ? again->ports : NULL);
		assert_string_equal(second, text);
		conf_free(again);
		free(second);
		free(text);
	}
}

#endif
