/*
 * The pages of a port (`error`): for each location, host and the port one table, in which the most
 * specific page of a status has won. Private to src/handler.
 */
#ifndef HANDLER_PAGES_H
#define HANDLER_PAGES_H

#include "conf/conf.h"
#include "handler/handlers.h"
#include "http/exchange.h"

struct pages_memory;

struct pages {
	const struct handler_means *means;
	struct pages_memory *memory; /* owned: all that was made */
};

/* What these errors say, before what the outer ones do (NULL: there are none): the table in *ret,
 * which is the outer one itself if there is nothing else. 0 or -ENOMEM. */
int pages_add(struct pages *, const struct conf_error *errors, size_t count,
	      const struct http_pages *outer, const struct http_pages **ret);
void pages_release(struct pages *);

#endif
