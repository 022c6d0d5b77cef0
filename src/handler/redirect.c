/* Runs in the workers: sends clients to another URL, the same for every request. Must never look at
 * the request. */
#include <string.h>

#include "conf/kinds.h"
#include "handler/handlers.h"

/* At once: a client that waits for "100 Continue" then sends its body to the other URL only. */
static void redirect_begin(struct exchange *ex)
{
	const struct conf_redirect *r = ex->config;
	(void)exchange_add_field(ex, "Location", 8, r->url, strlen(r->url));
	exchange_respond(ex, r->status, 0, NULL, 0);
}

static const struct handler handler_redirect = {
    .methods = UINT32_MAX,
    .begin = redirect_begin,
};

const struct handler_kind handler_kind_redirect = {.handler = &handler_redirect};
