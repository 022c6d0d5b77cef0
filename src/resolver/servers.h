/*
 * Whom to ask, and how: resolv.conf(5). Pure.
 *
 * Of the file: nameserver (the first three), search and domain (the last of them), and the options
 * ndots, timeout, attempts, rotate and use-vc. A server can have another port than 53, as in
 * 127.0.0.1:5353 and [::1]:5353. Unless the file says otherwise, an answer has a second in the
 * first of three attempts: a lost packet must not cost five, as it does with the C library.
 */
#ifndef RESOLVER_SERVERS_H
#define RESOLVER_SERVERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/network.h"

#define SERVERS_TEXT_MAX   ((size_t)1 << 16) /* bytes of the file */
#define SERVERS_MAX        3                 /* MAXNS */
#define SERVERS_SEARCH_MAX 16
#define SERVERS_ZONE_MAX   32

struct server {
	struct network_address address;
	uint16_t port;
	char zone[SERVERS_ZONE_MAX]; /* of an IPv6 address: an interface, or its number; "": none */
};

struct servers {
	struct server list[SERVERS_MAX]; /* never empty: without any, the one of this machine */
	unsigned count;
	char search[SERVERS_SEARCH_MAX][256];
	unsigned search_count;
	unsigned ndots;      /* a name with so many dots is first sought as it is */
	unsigned timeout_ms; /* for an answer, in the first attempt; then twice as long each time */
	unsigned attempts;   /* with all of them */
	bool rotate;         /* begin with another one each time */
	bool tcp;            /* ask over TCP only */
};

/* Whatever the text is, the result can be used. host is the name of this machine, whose domain is
 * the default of search; NULL: none. */
void servers_read(const char *text, size_t len, const char *host, struct servers *ret);

#endif
