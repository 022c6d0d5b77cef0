/* Runs in the master, in bulkhead -t and in bulkheadctl, on times from a certificate or a
 * server. */
#include "base/validity.h"

int64_t validity_warning(int64_t begins, int64_t ends)
{
	if (begins == 0 || ends == 0 || begins >= ends || begins < -INT64_MAX / 4 ||
	    ends > INT64_MAX / 4)
		return VALIDITY_WARNING_MAX;
	const int64_t third = (ends - begins) / 3;
	return third < VALIDITY_WARNING_MAX ? third : VALIDITY_WARNING_MAX;
}

bool validity_ends_soon(int64_t begins, int64_t ends, int64_t now)
{
	return ends != 0 && (ends <= now || ends - now < validity_warning(begins, ends));
}

int64_t validity_days(int64_t ends, int64_t now)
{
	const int64_t left = ends - now;
	return left >= 0 ? left / VALIDITY_DAY : -((-left - 1) / VALIDITY_DAY) - 1;
}

void validity_describe(int64_t days, struct text *t)
{
	if (days < 0)
		text_add_str(t, "has expired");
	else if (days == 0)
		text_add_str(t, "expires in less than a day");
	else
		text_addf(t, "expires in %lld day%s", (long long)days, days == 1 ? "" : "s");
}
