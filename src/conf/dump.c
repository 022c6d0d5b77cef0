/*
 * A configuration to its canonical text. Runs in the master: a reload compares it, -T prints it,
 * and a child gets it. Must never write text that conf_parse_text() would read differently: every
 * default that parse.c fills in is explicit, in one order.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "parser.h"

/* Writes a line, or nothing for NULL. */
static void put_line(FILE *out, const char *before, const char *string)
{
	if (string == NULL)
		return;
	conf_put(out, before, string);
	fputc('\n', out);
}

/* --- settings --------------------------------------------------------------------------------- */

static void dump_value(const void *base, const struct conf_piece *piece, FILE *out)
{
	char text[NUM_TEXT_MAX];
	const uint64_t number = conf_setting_number(base, piece);
	if (piece->type == CONF_CHOICE)
		(void)fprintf(out, " %s", piece->choices[number]);
	else
		(void)fprintf(out, " %s", conf_quantity_format(piece->type, number, text));
}

/* False: it was a word for 0, and nothing follows it. */
static bool dump_piece(const void *base, const struct conf_piece *piece, FILE *out)
{
	const bool is_text = piece->type == CONF_STRING || piece->type == CONF_PATH;
	const char *string = is_text ? conf_setting_text(base, piece) : NULL;
	const bool zero = is_text ? string == NULL : conf_setting_number(base, piece) == 0;
	if (zero && piece->zero != NULL) {
		(void)fprintf(out, " %s", piece->zero);
		return false;
	}
	if (piece->word != NULL)
		(void)fprintf(out, " %s", piece->word);
	if (is_text)
		conf_put(out, " ", string);
	else
		dump_value(base, piece, out);
	return true;
}

/* Some settings have no text for their default. */
static bool is_written(const struct conf_statement *s, const void *base)
{
	const struct conf_piece *piece = &s->pieces[0], *origin = conf_limit_origin(piece);
	const bool is_number = piece->type != CONF_STRING && piece->size > 0;
	const uint64_t number = is_number ? conf_setting_number(base, piece) : 0;
	if (piece->size == 0)
		return false;
	if (piece->type == CONF_STRING)
		return conf_setting_text(base, piece) != NULL;
	if (piece->type == CONF_PATH || s->unwritten_zero)
		return number != 0;
	if (piece->type == CONF_CHOICE)
		return piece->choices[number][0] != '\0';
	if (origin != NULL)
		return number != conf_setting_number(base, origin);
	return s->unwritten == 0 || number != s->unwritten;
}

void conf_statement_dump(const struct conf_statement *s, const void *base, const char *before,
			 FILE *out)
{
	if (!is_written(s, base))
		return;
	(void)fprintf(out, "%s%s", before, s->word);
	for (const struct conf_piece *piece = s->pieces;
	     piece->type != CONF_NONE && dump_piece(base, piece, out); piece++)
		;
	fputc('\n', out);
}

/* The global settings that are needed there. */
static void dump_global(const struct conf *conf, enum conf_need need, FILE *out)
{
	for (size_t i = 0; i < conf_settings_count; i++)
		if (conf_settings[i].pieces[0].global && conf_settings[i].need == need)
			conf_statement_dump(&conf_settings[i], conf, "", out);
}

#define INNER_BLOCKS (CONF_BLOCK_RESTART | CONF_BLOCK_LIMITS | CONF_BLOCK_TLS)

/* A port's settings: first those outside of blocks. */
static void dump_settings(const struct conf_port *port, FILE *out)
{
	static const struct {
		unsigned kind;
		const char *word;
	} blocks[] = {{CONF_BLOCK_RESTART, "restart"}, {CONF_BLOCK_LIMITS, "limits"}};
	for (size_t i = 0; i < conf_settings_count; i++)
		if (!conf_settings[i].pieces[0].global &&
		    (conf_settings[i].blocks & INNER_BLOCKS) == 0 &&
		    !(conf_settings[i].of_tls && port->plain) &&
		    !(conf_settings[i].of_keys && port->plain && port->certificates_count == 0 &&
		      port->key_user == NULL))
			conf_statement_dump(&conf_settings[i], port, "\t", out);
	for (size_t k = 0; k < CONF_COUNT(blocks); k++) {
		(void)fprintf(out, "\t%s {\n", blocks[k].word);
		for (size_t i = 0; i < conf_settings_count; i++)
			if (conf_settings[i].blocks == blocks[k].kind)
				conf_statement_dump(&conf_settings[i], port, "\t\t", out);
		if (blocks[k].kind == CONF_BLOCK_LIMITS)
			conf_exempt_dump(port, "\t\t", out);
		fputs("\t}\n", out);
	}
}

/* Children do not need this. */
static void dump_log(const struct conf_log *log, FILE *out)
{
	if (log->console)
		fputs("log to console\n", out);
	if (log->syslog) {
		(void)fprintf(out, "log to syslog facility %s",
			      conf_facility_name(log->syslog_facility));
		put_line(out, " path ", log->syslog_path);
	}
	if (log->journal)
		put_line(out, "log to journal path ", log->journal_path);
}

/* --- ports ------------------------------------------------------------------------------------ */

static void dump_certificates(const struct conf_port *port, const struct conf_host *host, FILE *out)
{
	const struct conf_certificate *first = port->certificates + host->certificates_first;
	if (port->plain) {
		fputs("\ttls off\n", out);
		return;
	}
	const bool made =
	    host->certificates_count == 1 && first->development && first->certificate[0] == '\0';
	if (made && host->client == port->hosts[0].client &&
	    (host != port->hosts ||
	     (tls_choice_is_empty(&port->tls) && !port->refuses_unknown && host->client == 0))) {
		fputs("\ttls development\n", out);
		return;
	}
	fputs("\ttls {\n", out);
	for (size_t i = 0; i < conf_settings_count && host == port->hosts; i++)
		if (conf_settings[i].blocks == CONF_BLOCK_TLS)
			conf_statement_dump(&conf_settings[i], port, "\t\t", out);
	if (host == port->hosts)
		conf_tls_choice_dump(&port->tls, out);
	conf_tls_client_dump(port, host, out);
	if (made)
		fputs("\t\tdevelopment\n", out);
	const bool own =
	    host == port->hosts || host->certificates_first != port->hosts[0].certificates_first;
	for (size_t i = 0; own && i < host->certificates_count && !made; i++) {
		conf_put(out, "\t\tcertificate ", first[i].certificate);
		conf_put(out, " key ", first[i].key);
		fputc('\n', out);
	}
	fputs("\t}\n", out);
}

static void dump_methods(unsigned set, FILE *out)
{
	if (set == 0)
		return;
	fputs("\t\tmethods", out);
	if (set == CONF_METHODS_ANY)
		fputs(" any", out);
	for (unsigned m = 0; m < CONF_METHODS; m++)
		if (set != CONF_METHODS_ANY && (set & CONF_METHOD_BIT(m)) != 0)
			(void)fprintf(out, " \"%s\"", conf_method_names[m]);
	fputc('\n', out);
}

static void dump_location(const struct conf_location *location, const struct conf_filters *outer,
			  FILE *out)
{
	conf_put(out, location->exact ? "\tlocation exact " : "\tlocation ", location->path);
	fputs(" {\n", out);
	conf_filters_dump(location->filters, outer, "\t\t", out);
	for (unsigned i = 0; i < CONF_FILTERS; i++)
		if (conf_filter_kind(i)->dump != NULL)
			conf_filter_kind(i)->dump(location, out);
	dump_methods(location->methods, out);
	conf_handler_kind(location->handler)->dump(location, out);
	conf_errors_dump(location->errors, location->errors_count, "\t\t", out);
	fputs("\t}\n", out);
}

/* Writes the lines one step further to the right. */
static void dump_lines(const char *lines, FILE *out)
{
	for (const char *end; *lines != '\0'; lines = end + 1) {
		end = strchr(lines, '\n');
		(void)fprintf(out, "\t%.*s\n", (int)(end - lines), lines);
	}
}

/* A host that has the certificates of the default host has no `tls`. */
static void dump_host_content(const struct conf_port *port, const struct conf_host *host, FILE *out)
{
	if (host->certificates_first != port->hosts[0].certificates_first ||
	    host->client != port->hosts[0].client)
		dump_certificates(port, host, out);
	conf_filters_dump(host->filters, port->filters, "\t", out);
	conf_errors_dump(host->errors, host->errors_count, "\t", out);
	for (size_t i = 0; i < host->locations_count; i++)
		dump_location(&host->locations[i], host->filters, out);
}

/* Without memory the text means the same, but is not in its usual form. */
static void dump_host(const struct conf_port *port, const struct conf_host *host, FILE *out)
{
	fputs("\thost", out);
	for (size_t i = 0; i < host->names_count; i++)
		conf_put(out, " ", host->names[i]);
	fputs(" {\n", out);
	char *lines = NULL;
	size_t len;
	FILE *content = open_memstream(&lines, &len);
	if (content != NULL)
		dump_host_content(port, host, content);
	if (content == NULL || fclose(content) != 0)
		dump_host_content(port, host, out);
	else
		dump_lines(lines, out);
	free(lines);
	fputs("\t}\n", out);
}

static void dump_port(const struct conf_port *port, FILE *out)
{
	(void)fprintf(out, "port %u {\n", port->number);
	for (size_t i = 0; i < port->addresses_count; i++)
		(void)fprintf(out, "\tlisten on %s\n", port->addresses[i]);
	for (size_t i = 0; i < port->sockets_count; i++)
		put_line(out, "\tlisten on socket ", port->sockets[i]);
	conf_proxies_dump(port, out);
	conf_trust_dump(port, out);
	dump_settings(port, out);
	dump_certificates(port, &port->hosts[0], out);
	conf_upstreams_dump(port, out);
	conf_filters_dump(port->filters, NULL, "\t", out);
	conf_errors_dump(port->errors, port->errors_count, "\t", out);
	for (size_t i = 0; i < port->hosts[0].locations_count; i++)
		dump_location(&port->hosts[0].locations[i], port->filters, out);
	for (size_t i = 1; i < port->hosts_count; i++)
		dump_host(port, &port->hosts[i], out);
	fputs("}\n", out);
}

void conf_dump_process(const struct conf *conf, const struct conf_port *port, FILE *out)
{
	dump_global(conf, CONF_NEED_PROCESS, out);
	if (port->faults)
		(void)fprintf(out, "faults %s\n", conf->faults ? "enabled" : "disabled");
	dump_port(port, out);
}

void conf_dump_common(const struct conf *conf, FILE *out)
{
	dump_global(conf, CONF_NEED_PROCESS, out);
	dump_global(conf, CONF_NEED_CHILD, out);
	dump_log(&conf->log, out);
	dump_global(conf, CONF_NEED_MASTER, out);
}

void conf_dump(const struct conf *conf, FILE *out)
{
	conf_dump_common(conf, out);
	for (size_t i = 0; i < conf->ports_count; i++)
		dump_port(&conf->ports[i], out);
}

void conf_dump_port(const struct conf *conf, const struct conf_port *port, FILE *out)
{
	dump_global(conf, CONF_NEED_PROCESS, out);
	dump_global(conf, CONF_NEED_CHILD, out);
	dump_port(port, out);
}
