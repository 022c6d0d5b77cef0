/* Runs in the workers: what the list of protocols says. TLS offers the names from here, and a
 * connection looks up here what was negotiated. */
#include "http/proto.h"

#include <string.h>

static bool protocol_has(const struct proto_ops *ops, const char *name, size_t len)
{
	for (const char *const *own = ops->alpn; *own != NULL; own++)
		if (strlen(*own) == len && memcmp(*own, name, len) == 0)
			return true;
	return false;
}

const struct proto_ops *http_protocol(const char *name, size_t len)
{
	const struct proto_ops *last = NULL;
	for (const struct proto_ops *const *p = http_protocols; *p != NULL; p++) {
		last = *p;
		if (len > 0 && protocol_has(last, name, len))
			return last;
	}
	return len == 0 ? last : NULL;
}

size_t http_protocol_names(const char *ret[HTTP_PROTOCOL_NAMES_MAX])
{
	size_t count = 0;
	for (const struct proto_ops *const *p = http_protocols; *p != NULL; p++)
		for (const char *const *name = (*p)->alpn;
		     *name != NULL && count < HTTP_PROTOCOL_NAMES_MAX; name++)
			ret[count++] = *name;
	return count;
}

size_t http_protocol_size(void)
{
	size_t size = 0;
	for (const struct proto_ops *const *p = http_protocols; *p != NULL; p++)
		if ((*p)->size > size)
			size = (*p)->size;
	return size;
}

unsigned http_protocol_exchanges(void)
{
	unsigned most = 0;
	for (const struct proto_ops *const *p = http_protocols; *p != NULL; p++)
		if ((*p)->exchanges_max > most)
			most = (*p)->exchanges_max;
	return most;
}
