/* Runs in the master: log records about a child, which begin with its name; the journal gets them
 * under its port. */
#include <stdarg.h>
#include <string.h>
#include <sys/syslog.h>

#include "base/text.h"
#include "master/ground/state.h"

#define PORTS_SHOWN 20 /* in one record */

void child_log(const struct child *c, int priority, const char *format, ...)
{
	char line[2048];
	struct text t;
	va_list args;
	text_init(&t, line, sizeof(line));
	va_start(args, format);
	text_vaddf(&t, format, args);
	va_end(args);
	log_write_for(&c->port->master->log, port_number(c->port), is_worker(c) ? c->number : 0,
		      priority, "%s %u (pid %d) %s", role_name(c), c->number, (int)c->pid, line);
}

/* Files in memory have a name that tells nobody anything. */
static const char *certificate_place(const struct conf_certificate *c)
{
	return strncmp(c->certificate, "/proc/self/fd/", 14) == 0 ? "that is kept in memory"
								  : c->certificate;
}

void plain_tell(struct master *m)
{
	char list[256];
	struct text t;
	unsigned count = 0;
	text_init(&t, list, sizeof(list));
	for (size_t i = 0; i < m->conf->ports_count; i++) {
		if (!m->conf->ports[i].plain)
			continue;
		if (count < PORTS_SHOWN)
			text_addf(&t, "%s%u", count == 0 ? "" : ", ", m->conf->ports[i].number);
		count++;
	}
	if (count > PORTS_SHOWN)
		text_addf(&t, " and %u more", count - PORTS_SHOWN);
	if (count > 0)
		log_write(&m->log, LOG_NOTICE, "plain HTTP, without TLS, on port%s %s",
			  count == 1 ? "" : "s", list);
}

void development_tell(struct master *m)
{
	const struct conf_certificate *shown = NULL;
	unsigned count = 0;
	for (size_t i = 0; i < m->conf->ports_count; i++) {
		const struct conf_port *port = &m->conf->ports[i];
		if (port->certificates_count > 0 && port->certificates[0].development) {
			shown = port->certificates;
			count++;
		}
	}
	if (count > 0)
		log_write(&m->log, LOG_NOTICE,
			  "%u port%s the certificate %s, which is for development: clients do not "
			  "trust it by themselves",
			  count, count == 1 ? " has" : "s have", certificate_place(shown));
}
