/* hosts(5) and resolv.conf(5): what is found lies in the text, and whatever the text is, the result
 * can be used. */
#include <stdlib.h>
#include <string.h>

#include "resolver/hosts.h"
#include "resolver/servers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

struct text {
	const char *data;
	size_t len, names;
};

static void found(void *arg, const char *name, size_t len, const struct network_address *a)
{
	struct text *t = arg;
	check(name >= t->data && len > 0 && len <= t->len &&
	      (size_t)(name - t->data) <= t->len - len);
	check(memchr(name, '\n', len) == NULL && memchr(name, '#', len) == NULL &&
	      memchr(name, '\0', len) == NULL && memchr(name, ' ', len) == NULL);
	check(a != NULL);
	t->names++;
}

static void server_check(const struct server *s)
{
	check(s->port > 0 && memchr(s->zone, '\0', sizeof(s->zone)) != NULL);
	check(s->zone[0] == '\0' || !network_address_is_v4(&s->address));
}

static void servers_check(const struct servers *s)
{
	check(s->count > 0 && s->count <= SERVERS_MAX && s->search_count <= SERVERS_SEARCH_MAX);
	check(s->ndots <= 15 && s->attempts >= 1 && s->attempts <= 5);
	check(s->timeout_ms >= 1000 && s->timeout_ms <= 30000);
	for (unsigned i = 0; i < s->count; i++)
		server_check(&s->list[i]);
	for (unsigned i = 0; i < s->search_count; i++)
		check(memchr(s->search[i], '\0', sizeof(s->search[i])) != NULL &&
		      s->search[i][0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* a copy without a byte after it, so that a read past the end is seen */
	char *copy = malloc(size);
	struct text t = {.data = copy, .len = size};
	struct servers s;
	check(copy != NULL || size == 0);
	if (size > 0)
		memcpy(copy, data, size);
	hosts_read(copy, size, found, &t);
	check(t.names <= size);
	servers_read(copy, size, "host.example", &s);
	servers_check(&s);
	servers_read(copy, size, NULL, &s);
	servers_check(&s);
	free(copy);
	return 0;
}
