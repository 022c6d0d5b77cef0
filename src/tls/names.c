/*
 * Pure; filled before a worker serves, and read in its loops with names from clients. Must never
 * change after it is sealed: the sessions of several threads read it at once.
 */
#include "tls/names.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- the form -------------------------------------------------------------------------------- */

/* The canonical form of an IPv6 address, in brackets as in a URI (RFC 3986, 3.2.2). */
static void address_fold(char name[TLS_NAME_MAX + 1])
{
	char plain[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN];
	struct in6_addr address;
	const size_t len = strlen(name);
	const bool has_brackets = name[0] == '[' && name[len - 1] == ']';
	const size_t inner = has_brackets ? len - 2 : len;
	if (inner >= sizeof(plain))
		return;
	memcpy(plain, name + has_brackets, inner);
	plain[inner] = '\0';
	if (inet_pton(AF_INET6, plain, &address) != 1 ||
	    inet_ntop(AF_INET6, &address, text, sizeof(text)) == NULL)
		return;
	const size_t size = strlen(text);
	name[0] = '[';
	memcpy(name + 1, text, size);
	memcpy(name + 1 + size, "]", 2);
}

bool tls_name_fold(const void *name, size_t len, char ret[TLS_NAME_MAX + 1])
{
	const unsigned char *from = name;
	if (len > 0 && from[len - 1] == '.')
		len--;
	if (len == 0 || len > TLS_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (from[i] <= ' ' || from[i] > '~')
			return false;
		ret[i] = (char)(from[i] >= 'A' && from[i] <= 'Z' ? from[i] - 'A' + 'a' : from[i]);
	}
	ret[len] = '\0';
	if (memchr(ret, ':', len) != NULL)
		address_fold(ret);
	return true;
}

bool tls_name_is_address(const char *name)
{
	struct in_addr address;
	return name[0] == '[' || inet_pton(AF_INET, name, &address) == 1;
}

bool tls_name_wildcard(const char *name, char ret[TLS_NAME_MAX + 1])
{
	const char *rest = strchr(name, '.');
	if (rest == NULL || rest == name || rest[1] == '\0' || tls_name_is_address(name))
		return false;
	ret[0] = '*';
	memcpy(ret + 1, rest, strlen(rest) + 1);
	return true;
}

/* --- the table ------------------------------------------------------------------------------- */

int tls_names_add(struct tls_names *names, uint32_t set, const char *name, uint32_t value,
		  uint8_t kind)
{
	if (names->count == names->room) {
		const size_t room = names->room == 0 ? 8 : 2 * names->room;
		struct tls_name *all = reallocarray(names->all, room, sizeof(*all));
		if (all == NULL)
			return -ENOMEM;
		names->all = all;
		names->room = room;
	}
	char *copy = strdup(name);
	if (copy == NULL)
		return -ENOMEM;
	names->all[names->count] = (struct tls_name){.name = copy,
						     .set = set,
						     .order = (uint32_t)names->count,
						     .value = value,
						     .kind = kind};
	names->count++;
	return 0;
}

static int name_compare(const struct tls_name *n, uint32_t set, const char *name)
{
	if (n->set != set)
		return n->set < set ? -1 : 1;
	return strcmp(n->name, name);
}

static int names_compare(const void *a, const void *b)
{
	const struct tls_name *n = a, *m = b;
	const int order = name_compare(n, m->set, m->name);
	return order != 0 ? order : n->order < m->order ? -1 : 1;
}

void tls_names_seal(struct tls_names *names)
{
	size_t kept = 0;
	uint32_t kinds = 0;
	if (names->count > 0)
		qsort(names->all, names->count, sizeof(*names->all), names_compare);
	for (size_t i = 0; i < names->count; i++) {
		struct tls_name n = names->all[i];
		if (kept == 0 || name_compare(&names->all[kept - 1], n.set, n.name) != 0)
			kinds = 0;
		if (kinds & UINT32_C(1) << n.kind) {
			free(n.name);
			continue;
		}
		kinds |= UINT32_C(1) << n.kind;
		names->all[kept++] = n;
	}
	names->count = kept;
}

void tls_names_release(struct tls_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->all[i].name);
	free(names->all);
	*names = (struct tls_names){0};
}

/* The names that order finds equal, in a table that is sorted by it. */
static size_t names_search(const struct tls_names *names, uint32_t set, const char *name,
			   int order(const struct tls_name *, uint32_t set, const char *name),
			   const struct tls_name **ret)
{
	size_t low = 0, high = names->count, count = 0;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (order(&names->all[middle], set, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret = names->all + low;
	while (low + count < names->count && order(&names->all[low + count], set, name) == 0)
		count++;
	return count;
}

size_t tls_names_find(const struct tls_names *names, uint32_t set, const char *name,
		      const struct tls_name **ret)
{
	return names_search(names, set, name, name_compare, ret);
}

static int set_compare(const struct tls_name *n, uint32_t set, const char *name)
{
	(void)name;
	return n->set == set ? 0 : n->set < set ? -1 : 1;
}

size_t tls_names_of(const struct tls_names *names, uint32_t set, const struct tls_name **ret)
{
	return names_search(names, set, NULL, set_compare, ret);
}
