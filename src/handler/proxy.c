/* Runs in the workers: passes requests on to an upstream. */
#include "handler/handlers.h"

static void proxy_begin(struct exchange *ex)
{
	exchange_answer(ex, 503, 0);
}

static const struct handler handler_proxy = {
    .methods = HTTP_METHOD_BIT(HTTP_GET) | HTTP_METHOD_BIT(HTTP_HEAD) | HTTP_METHOD_BIT(HTTP_POST) |
	       HTTP_METHOD_BIT(HTTP_PUT) | HTTP_METHOD_BIT(HTTP_PATCH) |
	       HTTP_METHOD_BIT(HTTP_DELETE) | HTTP_METHOD_BIT(HTTP_OPTIONS),
    .begin = proxy_begin,
};

const struct handler_kind handler_kind_proxy = {.handler = &handler_proxy};
