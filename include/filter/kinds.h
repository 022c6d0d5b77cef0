/*
 * The kinds of filters that a location can have, one file each in src/filter.
 *
 * A filter knows its exchange (http/exchange.h) and its config; it knows no connection, no TLS and
 * no handler.
 */
#ifndef FILTER_KINDS_H
#define FILTER_KINDS_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"
#include "http/exchange.h"
#include "http/filter.h"

/* What a process has for the filters of its port, besides their options. It lives as long as the
 * routes. */
struct filter_means {
	uint16_t port;
	const struct conf_path *passwords; /* conf_port.passwords */
	size_t passwords_count;
};

/* A kind of filter: src/filter/WORD.c defines filter_kind_WORD for each of FILTER_KINDS
 * (conf/kinds.h), and needs no line here. */
struct filter_kind {
	/* What stands in front of the handlers of a place; NULL: it only finishes heads. */
	const struct filter *filter;
	/* See struct http_finishers; NULL: nothing to do. */
	void (*finish)(struct exchange *, const void *config);
	bool (*stays)(const struct exchange *, const void *config);
	/* Makes the config of all from the options of a place; it may borrow from them and the
	 * means. NULL: out of memory. Without this function the config is the options. */
	void *(*make)(const void *options, const struct filter_means *);
	void (*release)(void *made); /* NULL: free() */
	/* Do these options take back what the places around have? Then the place is made without
	 * this filter, and its requests never meet it. NULL: no options do. */
	bool (*is_off)(const void *options);
};

#endif
