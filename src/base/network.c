/* Runs everywhere: in the master, which reads a configuration, and in workers for each client. */
#include "base/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

#define V4_PREFIX ((uint64_t)0xffff << 32)
#define V4_BITS   96 /* of an IPv4 address that all have */

static uint64_t eight_bytes(const uint8_t *bytes)
{
	uint64_t number = 0;
	for (unsigned i = 0; i < 8; i++)
		number = number << 8 | bytes[i];
	return number;
}

struct network_address network_address_v6(const void *bytes)
{
	return (struct network_address){eight_bytes(bytes),
					eight_bytes((const uint8_t *)bytes + 8)};
}

struct network_address network_address_v4(const void *bytes)
{
	uint32_t number;
	memcpy(&number, bytes, sizeof(number));
	return (struct network_address){0, V4_PREFIX | ntohl(number)};
}

static int compare(const struct network_address *a, const struct network_address *b)
{
	if (a->high != b->high)
		return a->high < b->high ? -1 : 1;
	return a->low < b->low ? -1 : a->low > b->low;
}

int network_address_parse(const char *text, size_t len, struct network_address *ret)
{
	char bare[ADDRESS_TEXT_MAX];
	struct in_addr v4;
	struct in6_addr v6;
	if (len >= sizeof(bare) || memchr(text, '\0', len) != NULL)
		return -EINVAL;
	memcpy(bare, text, len);
	bare[len] = '\0';
	if (inet_pton(AF_INET, bare, &v4) == 1)
		*ret = network_address_v4(&v4);
	else if (inet_pton(AF_INET6, bare, &v6) == 1)
		*ret = network_address_v6(&v6);
	else
		return -EINVAL;
	return 0;
}

/* --- one network ------------------------------------------------------------------------------ */

/* The bits that its addresses have in common. */
static struct network_address network_mask(unsigned bits)
{
	const uint64_t all = UINT64_MAX;
	return (struct network_address){
	    bits == 0    ? 0
	    : bits >= 64 ? all
			 : all << (64 - bits),
	    bits <= 64 ? 0 : all << (128 - bits),
	};
}

int network_parse(const char *text, size_t len, struct network *ret)
{
	const char *slash = memchr(text, '/', len);
	const size_t address_len = slash != NULL ? (size_t)(slash - text) : len;
	struct network_address address;
	uint64_t length = 128;
	if (len == 1 && *text == '*') {
		*ret = (struct network){.bits = 0};
		return 0;
	}
	int error = network_address_parse(text, address_len, &address);
	if (error < 0)
		return error;
	const bool is_v4 = memchr(text, ':', address_len) == NULL;
	if (slash != NULL)
		error = num_parse(slash + 1, len - address_len - 1, 0, is_v4 ? 32 : 128, &length);
	if (error < 0)
		return error;
	if (is_v4 && slash != NULL)
		length += V4_BITS;
	const struct network_address mask = network_mask((unsigned)length);
	*ret =
	    (struct network){{address.high & mask.high, address.low & mask.low}, (unsigned)length};
	return compare(&ret->first, &address) == 0 ? 0 : -EDOM;
}

const char *network_format(const struct network *n, char out[NETWORK_TEXT_MAX])
{
	const bool is_v4 = n->bits >= V4_BITS && network_address_is_v4(&n->first);
	uint8_t bytes[16];
	size_t used;
	if (n->bits == 0) {
		(void)snprintf(out, NETWORK_TEXT_MAX, "*");
		return out;
	}
	for (unsigned i = 0; i < 8; i++) {
		bytes[i] = (uint8_t)(n->first.high >> (56 - 8 * i));
		bytes[8 + i] = (uint8_t)(n->first.low >> (56 - 8 * i));
	}
	(void)inet_ntop(is_v4 ? AF_INET : AF_INET6, is_v4 ? bytes + 12 : bytes, out,
			ADDRESS_TEXT_MAX);
	used = strlen(out);
	if (n->bits < 128)
		(void)snprintf(out + used, NETWORK_TEXT_MAX - used, "/%u",
			       is_v4 ? n->bits - V4_BITS : n->bits);
	return out;
}

bool network_has(const struct network *n, const struct network_address *address)
{
	const struct network_address mask = network_mask(n->bits);
	return ((n->first.high ^ address->high) & mask.high) == 0 &&
	       ((n->first.low ^ address->low) & mask.low) == 0;
}

/* --- many networks ---------------------------------------------------------------------------- */

struct numbered {
	struct network network;
	uint32_t index;
};

/* Those that are in another one come after it; of equal ones the first of the list comes first. */
static int numbered_compare(const void *a, const void *b)
{
	const struct numbered *l = a, *m = b;
	const int order = compare(&l->network.first, &m->network.first);
	if (order != 0)
		return order;
	if (l->network.bits != m->network.bits)
		return l->network.bits < m->network.bits ? -1 : 1;
	return l->index < m->index ? -1 : 1;
}

/* The address after the last one; false: there is none. */
static bool network_end(const struct network *n, struct network_address *ret)
{
	const struct network_address mask = network_mask(n->bits);
	*ret = (struct network_address){n->first.high | ~mask.high, (n->first.low | ~mask.low) + 1};
	if (ret->low == 0)
		ret->high++;
	return ret->low != 0 || ret->high != 0;
}

static void span_add(struct network_table *t, const struct network_address *from, uint32_t index)
{
	struct network_span *last = &t->spans[t->count - 1];
	if (compare(&last->from, from) == 0)
		last->index = index;
	else if (last->index != index)
		t->spans[t->count++] = (struct network_span){*from, index};
}

/* Two networks are apart, or one is in the other: those that are open are a stack. */
struct open_network {
	struct network network;
	uint32_t index; /* of the first in the list among those that it is in, and itself */
};

static void networks_close(struct network_table *t, const struct open_network *open, size_t *depth,
			   const struct network_address *next)
{
	while (*depth > 0 && (next == NULL || !network_has(&open[*depth - 1].network, next))) {
		struct network_address end;
		const bool ends = network_end(&open[--*depth].network, &end);
		if (ends)
			span_add(t, &end, *depth > 0 ? open[*depth - 1].index : NETWORK_NONE);
	}
}

int network_table_init(struct network_table *t, const struct network *list, size_t count)
{
	struct open_network open[129]; /* of one length each */
	size_t depth = 0;
	struct numbered *sorted = calloc(count + 1, sizeof(*sorted));
	*t = (struct network_table){.spans = calloc(2 * count + 1, sizeof(*t->spans))};
	if (sorted == NULL || t->spans == NULL) {
		free(sorted);
		network_table_release(t);
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++)
		sorted[i] = (struct numbered){list[i], (uint32_t)i};
	qsort(sorted, count, sizeof(*sorted), numbered_compare);
	t->spans[t->count++].index = NETWORK_NONE;
	for (size_t i = 0; i < count; i++) {
		const struct network *n = &sorted[i].network;
		uint32_t index = sorted[i].index;
		networks_close(t, open, &depth, &n->first);
		if (depth > 0 && open[depth - 1].network.bits == n->bits)
			continue; /* the same network again */
		if (depth > 0 && open[depth - 1].index < index)
			index = open[depth - 1].index;
		span_add(t, &n->first, index);
		open[depth++] = (struct open_network){*n, index};
	}
	networks_close(t, open, &depth, NULL);
	free(sorted);
	return 0;
}

void network_table_release(struct network_table *t)
{
	free(t->spans);
	*t = (struct network_table){0};
}

uint32_t network_table_find(const struct network_table *t, const struct network_address *address)
{
	size_t low = 0, high = t->count;
	while (high - low > 1) {
		const size_t middle = low + (high - low) / 2;
		if (compare(&t->spans[middle].from, address) <= 0)
			low = middle;
		else
			high = middle;
	}
	return t->count > 0 ? t->spans[low].index : NETWORK_NONE;
}
