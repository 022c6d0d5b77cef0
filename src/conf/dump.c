/*
 * A configuration to its canonical text. Runs in the master: a reload compares it, -T prints it,
 * and a child gets it. Must never write text that conf_parse_text() would read differently: every
 * default that parse.c fills in is explicit, in one order.
 */
#include <inttypes.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "parser.h"

/* Escapes all bytes except printable ASCII, so that a terminal shows the real content. */
static void put_string(FILE *out, const char *data, size_t len)
{
	fputc('"', out);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)data[i];
		if (c == '\n')
			fputs("\\n", out);
		else if (c == '\r')
			fputs("\\r", out);
		else if (c == '\t')
			fputs("\\t", out);
		else if (c == '"' || c == '\\')
			(void)fprintf(out, "\\%c", c);
		else if (c >= 0x20 && c < 0x7f)
			fputc(c, out);
		else
			(void)fprintf(out, "\\x%02x", c);
	}
	fputc('"', out);
}

/* Writes before, then the string in quotes. */
static void put(FILE *out, const char *before, const char *string)
{
	fputs(before, out);
	put_string(out, string, strlen(string));
}

/* Writes a line, or nothing for NULL. */
static void put_line(FILE *out, const char *before, const char *string)
{
	if (string == NULL)
		return;
	put(out, before, string);
	fputc('\n', out);
}

static void put_duration(FILE *out, const char *before, uint64_t ms)
{
	char text[NUM_TEXT_MAX];
	(void)fprintf(out, "%s%s", before, num_format_duration(ms, text));
}

static void dump_global(const struct conf *conf, FILE *out)
{
	(void)fprintf(out, "privileges %s\n", conf->strict ? "strict" : "lenient");
	put_duration(out, "drain ", conf->drain_ms);
	fputc('\n', out);
	if (conf->faults)
		fputs("faults enabled\n", out);
}

/* Children do not need this, nor the next function's output. */
static void dump_log(const struct conf *conf, FILE *out)
{
	const struct conf_log *log = &conf->log;
	if (log->console)
		fputs("log to console\n", out);
	if (log->syslog) {
		(void)fprintf(out, "log to syslog facility %s",
			      conf_facility_name(log->syslog_facility));
		put(out, " path ", log->syslog_path);
		fputc('\n', out);
	}
	if (log->journal) {
		put(out, "log to journal path ", log->journal_path);
		fputc('\n', out);
	}
	if (log->rate > 0)
		(void)fprintf(out, "log rate %u\n", log->rate);
	else
		fputs("log rate off\n", out);
}

static const char *access_name(enum conf_access access)
{
	switch (access) {
	case CONF_ACCESS_OFF:
		return "off";
	case CONF_ACCESS_ON:
		return "on";
	case CONF_ACCESS_ERRORS:
		return "errors";
	}
	return "on";
}

static const char *parked_name(enum conf_parked parked)
{
	switch (parked) {
	case CONF_PARKED_REFUSE:
		return "refuse";
	case CONF_PARKED_QUEUE:
		return "queue";
	}
	return "refuse";
}

static void dump_restart(const struct conf_restart *restart, FILE *out)
{
	put_duration(out, "\trestart {\n\t\tbackoff ", restart->backoff_min_ms);
	put_duration(out, " to ", restart->backoff_max_ms);
	(void)fprintf(out, "\n\t\tpark after %" PRIu32, restart->park_after);
	put_duration(out, " in ", restart->park_window_ms);
	(void)fprintf(out, "\n\t\twhile parked %s\n\t}\n", parked_name(restart->while_parked));
}

static void dump_limits(const struct limits *limits, FILE *out)
{
	fputs("\tlimits {\n", out);
	for (size_t i = 0; i < CONF_LIMITS_COUNT; i++) {
		const struct conf_limit_key *key = &conf_limit_keys[i];
		uint64_t value = conf_limit_get(limits, key);
		char text[NUM_TEXT_MAX];
		switch (key->unit) {
		case CONF_NUMBER:
			(void)snprintf(text, sizeof(text), "%" PRIu64, value);
			break;
		case CONF_SIZE:
			(void)num_format_size(value, text);
			break;
		case CONF_DURATION:
			(void)num_format_duration(value, text);
			break;
		}
		(void)fprintf(out, "\t\t%s %s\n", key->name, text);
	}
	fputs("\t}\n", out);
}

static void dump_certificates(const struct conf_port *port, FILE *out)
{
	const struct conf_certificate *first = port->certificates;
	if (port->certificates_count == 1 && first->development && first->certificate[0] == '\0') {
		fputs("\ttls development\n", out);
		return;
	}
	fputs("\ttls {\n", out);
	for (size_t i = 0; i < port->certificates_count; i++) {
		put(out, "\t\tcertificate ", port->certificates[i].certificate);
		put(out, " key ", port->certificates[i].key);
		fputc('\n', out);
	}
	fputs("\t}\n", out);
}

static void dump_respond(const struct conf_respond *respond, FILE *out)
{
	(void)fprintf(out, "\t\trespond %u", respond->status);
	if (respond->body_len > 0) {
		fputc(' ', out);
		put_string(out, respond->body, respond->body_len);
	}
	put(out, " type ", respond->type);
	for (size_t i = 0; i < respond->headers_count; i++) {
		put(out, " header ", respond->headers[i].name);
		put(out, " ", respond->headers[i].value);
	}
	fputc('\n', out);
}

static void dump_fault(const struct fault *f, FILE *out)
{
	char line[512]; /* longer than any description: fuzz_fault checks that */
	struct text t;
	text_init(&t, line, sizeof(line));
	fault_describe(f, &t);
	(void)fprintf(out, "\t\tfault %s\n", line);
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
			(void)fprintf(out, " \"%s\"", conf_method_name((enum conf_method)m));
	fputc('\n', out);
}

static void dump_location(const struct conf_location *location, FILE *out)
{
	put(out, "\tlocation ", location->path);
	fputs(" {\n", out);
	for (size_t i = 0; i < location->faults_count; i++)
		dump_fault(&location->faults[i], out);
	dump_methods(location->methods, out);
	switch (location->handler) {
	case CONF_RESPOND:
		dump_respond(location->options, out);
		break;
	case CONF_ECHO:
		fputs("\t\techo\n", out);
		break;
	case CONF_FAULT_CONTROL:
		fputs("\t\tfault control\n", out);
		break;
	case CONF_HANDLERS:
		break;
	}
	fputs("\t}\n", out);
}

static void dump_accounts(const struct conf_port *port, FILE *out)
{
	put_line(out, "\tuser ", port->user);
	put_line(out, "\tgroup ", port->group);
	put_line(out, "\tkey user ", port->key_user);
	switch (port->chroot) {
	case CONF_CHROOT_DEFAULT:
		break;
	case CONF_CHROOT_OFF:
		fputs("\tchroot off\n", out);
		break;
	case CONF_CHROOT_PATH:
		put_line(out, "\tchroot ", port->chroot_path);
		break;
	}
}

static void dump_port(const struct conf_port *port, FILE *out)
{
	(void)fprintf(out, "port %u {\n", port->number);
	for (size_t i = 0; i < port->addresses_count; i++)
		(void)fprintf(out, "\tlisten on %s\n", port->addresses[i]);
	for (size_t i = 0; i < port->sockets_count; i++)
		put_line(out, "\tlisten on socket ", port->sockets[i]);
	dump_accounts(port, out);
	(void)fprintf(out, "\tworkers %" PRIu32 "\n", port->workers);
	if (port->threads > 1) /* the word is an error in a build without threads */
		(void)fprintf(out, "\tthreads %" PRIu32 "\n", port->threads);
	if (port->keyholders == 0)
		fputs("\tkeyholders auto\n", out);
	else
		(void)fprintf(out, "\tkeyholders %" PRIu32 "\n", port->keyholders);
	(void)fprintf(out, "\taccess log %s\n", access_name(port->access));
	if (port->watchdog_ms == 0)
		fputs("\twatchdog off\n", out);
	else {
		put_duration(out, "\twatchdog ", port->watchdog_ms);
		fputc('\n', out);
	}
	if (port->tickets_ms == 0)
		fputs("\ttickets off\n", out);
	else {
		put_duration(out, "\ttickets lifetime ", port->tickets_ms);
		fputc('\n', out);
	}
	dump_restart(&port->restart, out);
	dump_limits(&port->limits, out);
	dump_certificates(port, out);
	for (size_t i = 0; i < port->locations_count; i++)
		dump_location(&port->locations[i], out);
	fputs("}\n", out);
}

void conf_dump_process(const struct conf *conf, const struct conf_port *port, FILE *out)
{
	(void)fprintf(out, "privileges %s\n", conf->strict ? "strict" : "lenient");
	if (port->faults)
		(void)fprintf(out, "faults %s\n", conf->faults ? "enabled" : "disabled");
	dump_port(port, out);
}

static void dump_control(const struct conf *conf, FILE *out)
{
	switch (conf->control) {
	case CONF_CONTROL_DEFAULT:
		break;
	case CONF_CONTROL_OFF:
		fputs("control off\n", out);
		break;
	case CONF_CONTROL_PATH:
		put_line(out, "control ", conf->control_path);
		break;
	}
}

void conf_dump_common(const struct conf *conf, FILE *out)
{
	dump_global(conf, out);
	dump_log(conf, out);
	dump_control(conf, out);
}

void conf_dump(const struct conf *conf, FILE *out)
{
	conf_dump_common(conf, out);
	for (size_t i = 0; i < conf->ports_count; i++)
		dump_port(&conf->ports[i], out);
}

void conf_dump_port(const struct conf *conf, const struct conf_port *port, FILE *out)
{
	dump_global(conf, out);
	dump_port(port, out);
}
