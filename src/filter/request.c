/*
 * Runs in the workers: `request header`, the rules for heads that go on to upstreams. The handler
 * `proxy` reads them from the filters of its location, so no request ever meets this filter.
 */
#include "filter/kinds.h"

static bool request_is_off(const void *options)
{
	(void)options;
	return true;
}

const struct filter_kind filter_kind_request = {.is_off = request_is_off};
