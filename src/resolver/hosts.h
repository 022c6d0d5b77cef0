/*
 * The system's table of hosts, hosts(5). Pure.
 */
#ifndef RESOLVER_HOSTS_H
#define RESOLVER_HOSTS_H

#include <stddef.h>

#include "base/network.h"

#define HOSTS_TEXT_MAX ((size_t)4 << 20) /* bytes of the file */

/* Calls found for each name of each line, in their order; the name has no NUL and may be in any
 * case. Lines that do not begin with a numeric address without a zone are left out. */
void hosts_read(const char *text, size_t len,
		void (*found)(void *arg, const char *name, size_t name_len,
			      const struct network_address *),
		void *arg);

#endif
