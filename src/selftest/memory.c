/* Runs in the selftest and in its agents. Must never hold a needle unmasked: a search would find
 * it. */
#include <stdlib.h>
#include <string.h>

#include "agent.h"

static bool is_at(const struct needle *n, const uint8_t *data)
{
	for (size_t i = 0; i < NEEDLE_BYTES; i++)
		if (data[i] != (n->masked[i] ^ NEEDLE_MASK))
			return false;
	return true;
}

size_t needle_count(const struct needle *n, const uint8_t *data, size_t len)
{
	size_t count = 0;
	const uint8_t first = n->masked[0] ^ NEEDLE_MASK;
	while (len >= NEEDLE_BYTES) {
		const uint8_t *at = memchr(data, first, len - NEEDLE_BYTES + 1);
		if (at == NULL)
			break;
		count += is_at(n, at);
		len -= (size_t)(at + 1 - data);
		data = at + 1;
	}
	return count;
}

bool map_parse(const char *line, uint64_t *ret_from, uint64_t *ret_to)
{
	char *end;
	const size_t len = strcspn(line, "\n");
	*ret_from = strtoull(line, &end, 16);
	if (*end != '-')
		return false;
	*ret_to = strtoull(end + 1, &end, 16);
	return end[0] == ' ' && end[1] == 'r' && memmem(line, len, "[vvar", 5) == NULL &&
	       memmem(line, len, "[vsyscall]", 10) == NULL;
}
