/*
 * The canonical text of upstreams. Runs in the master. Must never write text that would be read
 * differently: a child makes the same numbers of it.
 */
#include <string.h>

#include "base/num.h"
#include "parser.h"

static const char *duration(uint64_t ms, char out[NUM_TEXT_MAX])
{
	return num_format_duration(ms, out);
}

static void endpoints_dump(const struct conf_endpoint *endpoints, size_t count, bool backup,
			   FILE *out)
{
	bool any = false;
	for (size_t i = 0; i < count; i++)
		if (endpoints[i].backup == backup) {
			fputs(any ? "" : backup ? "\t\tbackup" : "\t\tto", out);
			conf_put(out, " ", endpoints[i].url);
			any = true;
		}
	if (any)
		fputc('\n', out);
}

static void balance_dump(const struct conf_upstream *u, const char *indent, FILE *out)
{
	static const char *const words[] = {"round-robin", "least-connections", "hash client",
					    "hash header"};
	(void)fprintf(out, "%sbalance %s", indent, words[u->balance]);
	if (u->balance == CONF_HASH_HEADER)
		conf_put(out, " ", u->balance_header);
	fputc('\n', out);
}

static void check_dump(const struct conf_upstream *u, const char *indent, FILE *out)
{
	char every[NUM_TEXT_MAX], timeout[NUM_TEXT_MAX];
	(void)fprintf(out, "%scheck", indent);
	if (u->probe == CONF_PROBE_OFF) {
		fputs(" off\n", out);
		return;
	}
	if (u->probe == CONF_PROBE_GET)
		conf_put(out, " ", u->probe_target);
	else
		fputs(" connect", out);
	(void)fprintf(out, " every %s", duration(u->probe_every_ms, every));
	if (u->probe == CONF_PROBE_GET)
		(void)fprintf(out, " expect %u-%u", u->probe_least, u->probe_most);
	(void)fprintf(out, " timeout %s\n", duration(u->probe_ms, timeout));
}

static void times_dump(const struct conf_upstream *u, const char *indent, FILE *out)
{
	char text[NUM_TEXT_MAX], slow[NUM_TEXT_MAX];
	(void)fprintf(out, "%sfail ", indent);
	if (u->fail_after == 0)
		fputs("off\n", out);
	else
		(void)fprintf(out, "after %u pause %s\n", u->fail_after,
			      duration(u->fail_pause_ms, text));
	(void)fprintf(out, "%sslow start %s\n", indent,
		      u->slow_start_ms == 0 ? "off" : duration(u->slow_start_ms, slow));
	(void)fprintf(out, "%stimeouts {\n", indent);
	(void)fprintf(out, "%s\tconnect %s\n", indent, duration(u->connect_ms, text));
	(void)fprintf(out, "%s\thead %s\n", indent, duration(u->head_ms, text));
	(void)fprintf(out, "%s\tbetween %s\n%s}\n", indent, duration(u->between_ms, text), indent);
}

static void numbers_dump(const struct conf_upstream *u, const char *indent, FILE *out)
{
	char text[NUM_TEXT_MAX];
	(void)fprintf(out, "%sconnections %u\n%squeue ", indent, u->connections, indent);
	if (u->queue == 0)
		fputs("off", out);
	else
		(void)fprintf(out, "%u for %s", u->queue, duration(u->queue_ms, text));
	(void)fprintf(out, "\n%skeep ", indent);
	if (u->keep == 0)
		fputs("off\n", out);
	else
		(void)fprintf(out, "%u for %s\n", u->keep, duration(u->keep_ms, text));
}

static void retry_dump(const struct conf_upstream *u, const char *indent, FILE *out)
{
	(void)fprintf(out, "%sretry", indent);
	if (u->retry_methods == 0) {
		fputs(" off\n", out);
		return;
	}
	if (u->retry_methods == CONF_METHODS_ANY)
		fputs(" any", out);
	for (unsigned m = 0; m < CONF_METHODS && u->retry_methods != CONF_METHODS_ANY; m++)
		if (u->retry_methods & CONF_METHOD_BIT(m))
			conf_put(out, " ", conf_method_names[m]);
	(void)fprintf(out, " budget %u%%\n", u->retry_percent);
}

static void tls_dump(const struct conf_upstream_draft *draft, const char *indent, FILE *out)
{
	const struct conf_upstream *u = &draft->upstream;
	if (!u->tls)
		return;
	(void)fprintf(out, "%sverify", indent);
	if (u->verify_off)
		fputs(" off", out);
	else
		conf_put(out, " authority ", draft->authority);
	if (u->verify_name != NULL)
		conf_put(out, " name ", u->verify_name);
	fputc('\n', out);
	if (draft->certificate == NULL)
		return;
	(void)fprintf(out, "%scertificate", indent);
	conf_put(out, " ", draft->certificate);
	conf_put(out, " key ", draft->key);
	fputc('\n', out);
}

void conf_upstream_dump(const struct conf_upstream_draft *draft, const char *indent, FILE *out)
{
	const struct conf_upstream *u = &draft->upstream;
	balance_dump(u, indent, out);
	check_dump(u, indent, out);
	times_dump(u, indent, out);
	numbers_dump(u, indent, out);
	retry_dump(u, indent, out);
	tls_dump(draft, indent, out);
}

/* As it was read. */
static struct conf_upstream_draft draft_of(const struct conf_port *port,
					   const struct conf_upstream *u)
{
	struct conf_upstream_draft draft = {.upstream = *u};
	if (u->tls && !u->verify_off)
		draft.authority = port->upstream_authorities[u->authority].path;
	if (u->certificate > 0) {
		draft.certificate = port->certificates[u->certificate - 1].certificate;
		draft.key = port->certificates[u->certificate - 1].key;
	}
	return draft;
}

void conf_upstreams_dump(const struct conf_port *port, FILE *out)
{
	for (size_t i = 0; i < port->upstreams_count; i++) {
		const struct conf_upstream *u = &port->upstreams[i];
		const struct conf_upstream_draft draft = draft_of(port, u);
		const struct conf_endpoint *endpoints = port->endpoints + u->endpoints_first;
		if (u->anonymous)
			continue; /* its location has it */
		conf_put(out, "\tupstream ", u->name);
		fputs(" {\n", out);
		endpoints_dump(endpoints, u->endpoints_count, false, out);
		endpoints_dump(endpoints, u->endpoints_count, true, out);
		conf_upstream_dump(&draft, "\t\t", out);
		fputs("\t}\n", out);
	}
}
