/*
 * Runs in the master: the kept reports about ends of processes, as fields of an answer on the
 * control socket. Text from children or clients was escaped when the reports were made.
 */
#include <stdio.h>
#include <string.h>

#include "master/control/control.h"

static void text_or_null(struct jsonout *j, const char *name, const char *value)
{
	jsonout_text(j, name, value[0] != '\0' ? value : NULL);
}

static void report_add(struct jsonout *j, unsigned port, const struct report *r)
{
	char name[16];
	const char *abbreviation = r->signal > 0 ? sigabbrev_np(r->signal) : NULL;
	(void)snprintf(name, sizeof(name), "SIG%s", abbreviation != NULL ? abbreviation : "");
	jsonout_open(j, NULL, '{');
	jsonout_uint(j, "port", port);
	jsonout_time(j, "when", r->when);
	jsonout_text(j, "role", ipc_role_name(r->role));
	jsonout_uint(j, "number", r->number);
	jsonout_text(j, "cause", cause_name(r->cause));
	jsonout_text(j, "text", r->text);
	jsonout_text(j, "signal", abbreviation != NULL ? name : NULL);
	if (r->signal > 0)
		jsonout_null(j, "exit_status");
	else
		jsonout_int(j, "exit_status", r->exit_status);
	jsonout_uint(j, "uptime_ms", r->uptime_ms);
	jsonout_uint(j, "restarts", r->restarts);
	text_or_null(j, "request", r->request);
	text_or_null(j, "request_id", r->request_id);
	text_or_null(j, "client", r->client);
	if (r->client[0] != '\0')
		jsonout_uint(j, "client_port", r->client_port);
	else
		jsonout_null(j, "client_port");
	text_or_null(j, "backtrace", r->backtrace);
	jsonout_close(j, '}');
}

/* The oldest report of a port comes first. */
static void port_add(struct jsonout *j, const struct port *p)
{
	const unsigned kept = p->reports_next < PORT_REPORTS ? p->reports_next : PORT_REPORTS;
	for (unsigned i = 0; i < kept; i++)
		report_add(j, port_number(p),
			   p->reports[(p->reports_next - kept + i) % PORT_REPORTS]);
}

void crashes_add(struct jsonout *j, const struct master *m, const struct port *only)
{
	jsonout_open(j, "crashes", '[');
	for (size_t i = 0; i < m->ports_count; i++)
		if (m->ports[i]->stage == STAGE_CURRENT && (only == NULL || only == m->ports[i]))
			port_add(j, m->ports[i]);
	jsonout_close(j, ']');
}
