/* For a c-ares that keeps answers unless it is asked not to, from 1.31 on. */
#include <ares.h>

#include "cache.h"

int cache_leave_out(struct ares_options *options)
{
	options->qcache_max_ttl = 0;
	return ARES_OPT_QUERY_CACHE;
}
