/* Runs in the master. The sockets are the port's for as long as it lives, whoever serves it. */
#include <errno.h>
#include <string.h>
#include <sys/syslog.h>

#include "base/fd.h"
#include "master/state.h"
#include "net/listen.h"

/* missing_ok: a machine without that address family has all of its addresses covered. */
static int address_listen(struct port *p, const char *address, bool missing_ok)
{
	if (p->listeners_count == PORT_LISTENERS_MAX) {
		log_write_for(&p->master->log, port_number(p), 0, LOG_ERR,
			      "more than %d addresses to listen on", PORT_LISTENERS_MAX);
		return -1;
	}
	int fd = net_listen(address, p->conf->number);
	if (fd == -EAFNOSUPPORT && missing_ok)
		return 0;
	if (fd == -EADDRNOTAVAIL && missing_ok)
		return 0;
	if (fd < 0) {
		log_write_for(&p->master->log, port_number(p), 0, LOG_ERR,
			      "cannot listen on %s port %u: %s", address, port_number(p),
			      strerror(-fd));
		return -1;
	}
	p->listeners[p->listeners_count++] = fd;
	return 0;
}

int port_listen(struct port *p)
{
	for (size_t i = 0; i < p->conf->addresses_count; i++) {
		const char *address = p->conf->addresses[i];
		int failed = strcmp(address, "*") == 0 ? address_listen(p, "0.0.0.0", true) < 0 ||
							     address_listen(p, "::", true) < 0
						       : address_listen(p, address, false) < 0;
		if (failed) {
			port_unlisten(p);
			return -1;
		}
	}
	return p->listeners_count > 0 ? 0 : -1;
}

void port_unlisten(struct port *p)
{
	while (p->listeners_count > 0)
		fd_close(&p->listeners[--p->listeners_count]);
}
