/* Methods of the configuration as those of requests. Private to src/handler. */
#ifndef HANDLER_METHODS_H
#define HANDLER_METHODS_H

#include "conf/conf.h"
#include "http/request.h"

/* From a set of CONF_METHOD_BIT to one of HTTP_METHOD_BIT. */
static inline uint32_t methods_of_conf(unsigned set)
{
	static const enum http_method methods[CONF_METHODS] = {
	    [CONF_GET] = HTTP_GET,     [CONF_HEAD] = HTTP_HEAD,     [CONF_POST] = HTTP_POST,
	    [CONF_PUT] = HTTP_PUT,     [CONF_DELETE] = HTTP_DELETE, [CONF_OPTIONS] = HTTP_OPTIONS,
	    [CONF_PATCH] = HTTP_PATCH,
	};
	uint32_t ret = 0;
	for (unsigned m = 0; m < CONF_METHODS; m++)
		if (set & CONF_METHOD_BIT(m))
			ret |= HTTP_METHOD_BIT(methods[m]);
	return ret;
}

#endif
