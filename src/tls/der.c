/* Runs in a worker, on bytes of any client and on files. Must never read past their end. */
#include "tls/der.h"

#include <stddef.h>

unsigned der_take(struct der *d, struct der *ret, struct der *ret_all)
{
	const uint8_t *begin = d->at;
	if (d->end - d->at < 2)
		return 0;
	const unsigned tag = d->at[0];
	size_t len = d->at[1];
	d->at += 2;
	if (len > 0x80) {
		size_t bytes = len & 0x7f;
		if (bytes > 4 || (size_t)(d->end - d->at) < bytes)
			return 0;
		for (len = 0; bytes > 0; bytes--)
			len = len << 8 | *d->at++;
	} else if (len == 0x80) {
		return 0;
	}
	if ((size_t)(d->end - d->at) < len)
		return 0;
	*ret = (struct der){d->at, d->at + len};
	d->at += len;
	if (ret_all != NULL)
		*ret_all = (struct der){begin, d->at};
	return tag;
}

unsigned der_peek(const struct der *d)
{
	return d->at < d->end ? *d->at : 0;
}
