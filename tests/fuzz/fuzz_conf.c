/*
 * Any text: the parser ends, its messages are sane, and an accepted text is stable: the
 * canonical text, of the whole and of each port, parses to itself.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "conf/parser.h"

static char user[] = "USER=${A} ${env:USER} \"\\n\xff", empty[] = "EMPTY=";
static char *const environment[] = {user, empty, NULL};
static const struct conf_options options = {
    .threads_built = true, .directory = "/etc", .environment = environment};
/* A child has none. */
static const struct conf_options canonical = {.threads_built = true};

/* Shown bytes are escaped, whatever the text holds. */
static void check(void *arg, enum conf_severity severity, const struct conf_where *where,
		  const char *text)
{
	unsigned *count = arg;
	*count += severity == CONF_ERROR;
	if (*count > CONF_FINDINGS_MAX + 1 || where->file == NULL || text[0] == '\0')
		abort();
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7f)
			abort();
}

static struct conf *parse(const char *text, size_t len, const struct conf_options *with)
{
	struct conf *conf = NULL;
	unsigned count = 0;
	int error = conf_parse_text(text, len, "text", with, check, &count, &conf);
	if ((error == 0) != (conf != NULL) || (error == 0) != (count == 0))
		abort();
	return conf;
}

static char *dump(const struct conf *conf, const struct conf_port *port, size_t *ret_len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_len);
	if (out == NULL)
		abort();
	if (port != NULL)
		conf_dump_port(conf, port, out);
	else
		conf_dump(conf, out);
	fclose(out);
	return text;
}

static void check_stable(const struct conf *conf, const struct conf_port *port)
{
	size_t first_len, second_len;
	char *first = dump(conf, port, &first_len);
	struct conf *again = parse(first, first_len, &canonical);
	if (again == NULL)
		abort();
	char *second = dump(again, port != NULL ? again->ports : NULL, &second_len);
	if (first_len != second_len || memcmp(first, second, first_len) != 0)
		abort();
	conf_free(again);
	free(first);
	free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf *conf = parse((const char *)data, size, &options);
	if (conf == NULL)
		return 0;
	check_stable(conf, NULL);
	for (size_t i = 0; i < conf->ports_count && i < 4; i++)
		check_stable(conf, &conf->ports[i]);
	conf_free(conf);
	return 0;
}
