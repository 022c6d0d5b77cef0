/* Runs in the master: log records about a child, which begin with its name; the journal gets them
 * under its port. */
#include <stdarg.h>

#include "base/text.h"
#include "master/state.h"

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
