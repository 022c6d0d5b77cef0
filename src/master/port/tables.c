/* Runs in the master, once a second: notices that the files by which a port's resolver answers and
 * asks are others now. Must never read them. */
#include <sys/syslog.h>

#include "master/port/port.h"

#define TABLES_MS     5000  /* between two looks at the files of a resolver */
#define TABLES_NEW_MS 60000 /* and after such a file has changed, in case that helps nothing */

static void port_tables_look(struct port *p)
{
	const uint64_t now_ms = p->master->loop.now_ms;
	const char *path = port_table_changed(p);
	p->tables_next_ms = now_ms + (path == NULL ? TABLES_MS : TABLES_NEW_MS);
	if (path == NULL)
		return;
	log_write_for(&p->master->log, port_number(p), 0, LOG_NOTICE,
		      "\"%s\" has changed: new processes resolve names by it", path);
	port_renew(p);
}

void tables_look(struct master *m)
{
	for (size_t i = 0; i < m->ports_count; i++) {
		struct port *p = m->ports[i];
		if (p->stage == STAGE_CURRENT && p->state == PORT_SERVING &&
		    p->order == ORDER_NONE && !m->roll.under_way && !m->draining &&
		    port_names_count(p->conf) > 0 && m->loop.now_ms >= p->tables_next_ms)
			port_tables_look(p);
	}
}
