/*
 * Filters: what stands in front of a location's handler, each kind one file in src/filter.
 *
 *   head of the request ──> begin, in the order of the location ──> handler
 *   response begins     <── head, from the handler outwards
 *   response body       <── give, each filter pulls from the next one
 *
 * A filter may answer instead of the handler, let the request wait, change the head of the
 * response, and transform the body as it is pulled. It sees one exchange at a time through a struct
 * filter_use, where it keeps its own state.
 */
#ifndef HTTP_FILTER_H
#define HTTP_FILTER_H

#include "http/exchange.h"

enum filter_verdict {
	FILTER_PASSES, /* goes on to the next filter, or to the handler */
	FILTER_LEAVES, /* the same, and this filter has nothing more to do with the exchange */
	/* It has called exchange_answer(), or has put another location in the place of
	 * ex->location, whose handler begins now. The filters after it are not asked. */
	FILTER_ANSWERS,
	/* The request waits, and so does its body, until filter_continue() is called. */
	FILTER_WAITS,
};

struct filter {
	/* State per event loop and location, as a handler's. */
	int (*open)(struct http_loop *, const void *config, void **ret);
	void (*close)(void *local);

	/* The head was read. NULL: passes. */
	enum filter_verdict (*begin)(struct exchange *, struct filter_use *);
	/* The response begins: the handler's, a filter's or the protocol's. It may change the
	 * status and the length, and add fields. NULL: nothing to do. */
	void (*head)(struct exchange *, struct filter_use *);
	/* As a handler's give(): calls filter_give_next() for the bytes. A filter that changes
	 * how many they are sets ex->length in head(). NULL: passes them as they are. */
	long (*give)(struct exchange *, struct filter_use *, uint8_t *out, size_t size);
	/* The exchange ends, after the handler's end(). NULL: nothing to do. */
	void (*end)(struct exchange *, struct filter_use *);
};

/* One filter of one exchange. */
struct filter_use {
	const struct filter *filter; /* NULL: it has left */
	const void *config;
	void *local; /* of open() */
	void *state; /* the filter's own; NULL at first */
};

#define FILTERS_MAX 12 /* of a location */

/* The bytes of the next filter, or of the handler. */
long filter_give_next(struct exchange *, struct filter_use *, uint8_t *out, size_t size);

/* Ends FILTER_WAITS, from outside the functions of the exchange. */
void filter_continue(struct exchange *);

/* Ends it the other way: the filter answers in place of the handler, as by exchange_answer().
 * Fields are added before. */
void filter_answer(struct exchange *, unsigned status);

/* For a handler that turns out to need a filter: puts one in front of itself, whose begin() is not
 * called. NULL: out of memory, or FILTERS_MAX are there. */
struct filter_use *filter_add(struct exchange *, const struct filter *, void *local);

/* For that handler, after filter_add(): does what begin() would have said. */
void filter_apply(struct exchange *, enum filter_verdict);

#endif
