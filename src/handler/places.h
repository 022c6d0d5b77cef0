/*
 * The filters of the places of a port (its locations, hosts and the port itself) as the protocol
 * uses them. A place without filters of its own uses those of the place around it. Private to
 * src/handler.
 */
#ifndef HANDLER_PLACES_H
#define HANDLER_PLACES_H

#include "conf/conf.h"
#include "filter/kinds.h"
#include "http/exchange.h"

struct place {
	struct place *next;
	const struct conf_filters *conf; /* NULL: only faults */
	struct place_filter {            /* by kind */
		const void *config;
		void *made; /* owned by this place; NULL: it is the options, or another place's */
		uint32_t local;
	} kinds[CONF_FILTERS];
	struct http_location_filter filters[CONF_FILTERS];
	uint32_t filters_count;
	struct http_finishers *finishers; /* owned; NULL: none */
};

struct places {
	struct filter_means means;
	struct place *list; /* owned */
	uint32_t *locals;   /* the last number of a state per loop */
};

/* The place with these filters, and for a location its faults (NULL: none), in a place outer (NULL:
 * none): in *ret, NULL if it has none of all. 0 or -ENOMEM. */
int places_add(struct places *, const struct conf_filters *, const struct conf_location *faulty,
	       const struct place *outer, const struct place **ret);
/* What is served there has these filters from now on. */
void place_use(const struct place *, struct http_location *);
void places_release(struct places *);

/* The states per loop; see routes_open(). NULL: there are no places. */
int places_open(const struct places *, struct http_loop *);
void places_close(const struct places *, struct http_loop *);

#endif
