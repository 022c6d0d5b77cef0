/* Runs in the workers: which clients may come in by their addresses. Must never ask for more than
 * the address of the client that the connection knows, nor walk a list for a request. */
#include <stdlib.h>

#include "base/network.h"
#include "filter/kinds.h"

struct clients {
	const struct conf_clients *conf;
	struct network_table table;
};

static enum filter_verdict clients_begin(struct exchange *ex, struct filter_use *use)
{
	const struct clients *clients = use->config;
	const uint32_t rule = network_table_find(&clients->table, &ex->client->number);
	if (rule == NETWORK_NONE || !clients->conf->rules[rule].deny)
		return FILTER_LEAVES;
	exchange_answer(ex, 403, 0);
	return FILTER_ANSWERS;
}

static const struct filter filter_clients = {.begin = clients_begin};

static void clients_release(void *made)
{
	struct clients *clients = made;
	network_table_release(&clients->table);
	free(clients);
}

static void *clients_make(const void *options, const struct filter_means *means)
{
	const struct conf_clients *conf = options;
	struct network *list = calloc(conf->rules_count + 1, sizeof(*list));
	struct clients *clients = calloc(1, sizeof(*clients));
	(void)means;
	for (uint32_t i = 0; list != NULL && i < conf->rules_count; i++)
		list[i] = conf->rules[i].network;
	if (list == NULL || clients == NULL ||
	    network_table_init(&clients->table, list, conf->rules_count) < 0) {
		free(list);
		free(clients);
		return NULL;
	}
	free(list);
	clients->conf = conf;
	return clients;
}

/* Such as `allow *`, which takes back an outer list. */
static bool clients_is_off(const void *options)
{
	const struct conf_clients *conf = options;
	for (uint32_t i = 0; i < conf->rules_count; i++)
		if (conf->rules[i].deny)
			return false;
	return true;
}

const struct filter_kind filter_kind_clients = {
    .filter = &filter_clients,
    .is_off = clients_is_off,
    .make = clients_make,
    .release = clients_release,
};
