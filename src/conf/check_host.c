/*
 * The hosts of a port when all of it is known: their names, certificates and locations. Runs in the
 * master and in the child of the port. Must never compare each host with each other one: what is
 * the same is found by sorting.
 */
#include <stdlib.h>
#include <string.h>

#include "parser.h"

/* --- names ------------------------------------------------------------------------------------ */

static int host_names_compare(const void *a, const void *b)
{
	const struct conf_host_name *const *l = a, *const *m = b;
	int order = strcmp((*l)->name, (*m)->name);
	if (order != 0)
		return order;
	return (*l)->sequence < (*m)->sequence ? -1 : 1;
}

static size_t host_names_gather(const struct conf_port_draft *port,
				const struct conf_host_name **names)
{
	size_t count = 0;
	for (size_t i = 0; i < port->hosts_count; i++)
		for (size_t k = 0; k < port->hosts[i]->names_count; k++)
			if (port->hosts[i]->names[k].name != NULL)
				names[count++] = &port->hosts[i]->names[k];
	return count;
}

static void host_names_check(struct conf_parser *p, const struct conf_port_draft *port)
{
	const struct conf_host_name **names = calloc(port->names_count + 1, sizeof(void *));
	char place[CONF_PLACE_MAX], shown[CONF_SHOWN_MAX];
	size_t first = 0;
	if (names == NULL) {
		conf_out_of_memory(p);
		return;
	}
	const size_t count = host_names_gather(port, names);
	qsort(names, count, sizeof(void *), host_names_compare);
	for (size_t i = 1; i < count; i++) {
		const struct conf_host_name *here = names[i], *there = names[first];
		const struct conf_value value = {.data = here->name, .len = strlen(here->name)};
		if (strcmp(here->name, there->name) != 0)
			first = i;
		else
			conf_error(p, &here->where,
				   "duplicate name \"%s\" of a host; the first one is at %s",
				   conf_show(&value, shown),
				   conf_place(&there->where, &here->where, place));
	}
	free(names);
}

static void host_names_finish(struct conf_parser *p, struct conf_host *host,
			      const struct conf_host_draft *draft)
{
	host->names = conf_alloc(p, draft->names_count * sizeof(*host->names));
	for (size_t i = 0; host->names != NULL && i < draft->names_count; i++)
		if (draft->names[i].name != NULL)
			host->names[host->names_count++] = draft->names[i].name;
}

/* --- certificates ----------------------------------------------------------------------------- */

/* The certificates of one host, or of the default host. */
struct host_pairs {
	const struct conf_scope *scope;
	struct conf_host *host;
	const struct host_pairs *same; /* the first one with the same */
};

static int host_pairs_compare(const void *a, const void *b)
{
	const struct host_pairs *const *l = a, *const *m = b;
	const struct conf_scope *s = (*l)->scope, *t = (*m)->scope;
	int order = 0;
	if (s->certificates_count != t->certificates_count)
		return s->certificates_count < t->certificates_count ? -1 : 1;
	for (size_t i = 0; i < s->certificates_count && order == 0; i++) {
		order = strcmp(s->certificates[i].certificate, t->certificates[i].certificate);
		if (order == 0)
			order = strcmp(s->certificates[i].key, t->certificates[i].key);
	}
	return order;
}

/* Then in the order of the text, which is that of the array. */
static int host_pairs_order(const void *a, const void *b)
{
	const struct host_pairs *const *l = a, *const *m = b;
	const int order = host_pairs_compare(a, b);
	if (order != 0)
		return order;
	return *l < *m ? -1 : *l > *m;
}

/* Finds those that have the same files. Returns the number of different certificates. */
static size_t host_pairs_sort(struct host_pairs *all, size_t count)
{
	struct host_pairs **sorted = calloc(count, sizeof(void *));
	size_t total = 0, first = 0;
	if (sorted == NULL)
		return 0;
	for (size_t i = 0; i < count; i++)
		sorted[i] = &all[i];
	qsort(sorted, count, sizeof(void *), host_pairs_order);
	for (size_t i = 0; i < count; i++) {
		if (host_pairs_compare(&sorted[first], &sorted[i]) != 0)
			first = i;
		sorted[i]->same = sorted[first];
		total += first == i ? sorted[i]->scope->certificates_count : 0;
	}
	free(sorted);
	return total;
}

/* Gives each host its part. */
static void host_pairs_place(struct conf_port *port, const struct host_pairs *all, size_t count,
			     struct conf_certificate *pairs)
{
	uint32_t at = 0;
	port->certificates = pairs;
	for (size_t i = 0; i < count; i++) {
		struct conf_host *host = all[i].host;
		const struct conf_scope *scope = all[i].scope;
		host->certificates_count = (uint32_t)scope->certificates_count;
		host->certificates_first = at;
		if (all[i].same != &all[i]) {
			host->certificates_first = all[i].same->host->certificates_first;
			continue;
		}
		for (size_t k = 0; k < scope->certificates_count; k++)
			pairs[at++] = scope->certificates[k];
	}
	port->certificates_count = at;
}

const struct conf_scope *conf_certificates_scope(const struct conf_parser *p,
						 const struct conf_port_draft *draft)
{
	const struct conf_scope *own = &draft->scope;
	return own->certificates_count > 0 || own->tls_damaged ? own : &p->top;
}

/* The default host comes first, so that every part that it shares is its own. */
static size_t host_pairs_gather(const struct conf_parser *p, struct conf_port_draft *draft,
				struct host_pairs *all)
{
	struct conf_host *hosts = draft->port.hosts;
	size_t count = 1;
	all[0] = (struct host_pairs){.scope = conf_certificates_scope(p, draft), .host = &hosts[0]};
	for (size_t i = 1; i < draft->hosts_count; i++)
		if (draft->hosts[i]->scope.certificates_count > 0)
			all[count++] = (struct host_pairs){.scope = &draft->hosts[i]->scope,
							   .host = &hosts[i]};
	/* A client without a name of a host must be shown one. */
	if (all[0].scope->certificates_count == 0 && count > 1)
		all[0].scope = all[1].scope;
	return count;
}

static void host_certificates_finish(struct conf_parser *p, struct conf_port_draft *draft)
{
	struct host_pairs *all = calloc(draft->hosts_count + 1, sizeof(*all));
	struct conf_port *port = &draft->port;
	const size_t count = all != NULL ? host_pairs_gather(p, draft, all) : 0;
	const size_t total = all != NULL ? host_pairs_sort(all, count) : 0;
	struct conf_certificate *pairs = conf_alloc(p, total * sizeof(*pairs));
	if (all == NULL || pairs == NULL || all[0].same == NULL)
		conf_out_of_memory(p);
	else
		host_pairs_place(port, all, count, pairs);
	free(all);
	if (total > CONF_CERTIFICATES_MAX)
		conf_error(p, &port->where,
			   "a port has at most %d certificates, with those of its hosts; this one "
			   "has %zu",
			   CONF_CERTIFICATES_MAX, total);
	for (size_t i = 1; i < draft->hosts_count && !p->no_memory; i++) {
		if (port->hosts[i].certificates_count > 0)
			continue;
		port->hosts[i].certificates_first = port->hosts[0].certificates_first;
		port->hosts[i].certificates_count = port->hosts[0].certificates_count;
	}
}

/* Some hosts have their own certificates, and there are none for this one. */
static void host_certificates_check(struct conf_parser *p, const struct conf_port_draft *draft)
{
	const struct conf_scope *outer = conf_certificates_scope(p, draft);
	if (outer->certificates_count > 0 || draft->scope.tls_damaged || p->top.tls_damaged ||
	    p->top_damaged || draft->hosts[0]->damaged || draft->port.certificates_count == 0)
		return;
	for (size_t i = 1; i < draft->hosts_count; i++) {
		const struct conf_host_draft *host = draft->hosts[i];
		if (host->scope.certificates_count == 0 && !host->scope.tls_damaged &&
		    !host->damaged)
			conf_error(p, &host->host.where,
				   "the host has no certificate: write `tls { certificate \"file\" "
				   "key \"file\" }` in it, in the port or at the top level");
	}
}

/* --- locations -------------------------------------------------------------------------------- */

/* The longest first, as a lookup by prefix needs them; then by name, exact ones first, then in the
 * order of the text. */
static int compare_locations(const void *a, const void *b)
{
	const struct conf_location_draft *l = a, *m = b;
	size_t l_len = strlen(l->location.path), m_len = strlen(m->location.path);
	if (l_len != m_len)
		return l_len > m_len ? -1 : 1;
	int order = strcmp(l->location.path, m->location.path);
	if (order != 0)
		return order;
	if (l->location.exact != m->location.exact)
		return l->location.exact ? -1 : 1;
	return l->sequence < m->sequence ? -1 : 1;
}

static bool is_same_location(const struct conf_location *l, const struct conf_location *m)
{
	return l->exact == m->exact && strcmp(l->path, m->path) == 0;
}

static void host_locations_finish(struct conf_parser *p, struct conf_host *host,
				  struct conf_host_draft *draft)
{
	struct conf_location_draft *drafts = draft->locations;
	size_t count = draft->locations_count, first = 0;
	char place[CONF_PLACE_MAX], shown[CONF_SHOWN_MAX];
	if (count == 0)
		return;
	qsort(drafts, count, sizeof(*drafts), compare_locations);
	struct conf_location *locations = conf_alloc(p, count * sizeof(*locations));
	if (locations == NULL)
		return;
	for (size_t i = 0; i < count; i++) {
		const struct conf_location *here = &drafts[i].location;
		locations[i] = *here;
		if (!is_same_location(here, &drafts[first].location))
			first = i;
		struct conf_value path = {.data = here->path, .len = strlen(here->path)};
		if (first != i && path.len > 0)
			conf_error(p, &here->where,
				   "duplicate location %s\"%s\"; the first one is at %s",
				   here->exact ? "exact " : "", conf_show(&path, shown),
				   conf_place(&drafts[first].location.where, &here->where, place));
	}
	host->locations = locations;
	host->locations_count = count;
}

/* The last one of this kind with this path. */
static const struct conf_location *host_locate_one(const struct conf_host_draft *host, char *path,
						   bool exact)
{
	/* SIZE_MAX stands after all of this path, so the search never ends on an equal */
	const struct conf_location_draft key = {.location = {.path = path, .exact = exact},
						.sequence = SIZE_MAX};
	size_t low = 0, high = host->locations_count;
	while (low < high) {
		const size_t middle = (low + high) / 2;
		if (compare_locations(&host->locations[middle], &key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	const struct conf_location_draft *found = low > 0 ? &host->locations[low - 1] : NULL;
	return found != NULL && is_same_location(&found->location, &key.location) ? &found->location
										  : NULL;
}

const struct conf_location *conf_host_locate(const struct conf_host_draft *host, const char *path,
					     size_t len)
{
	char text[CONF_LOCATION_PATH_MAX + 1] = "";
	if (len > CONF_LOCATION_PATH_MAX)
		len = CONF_LOCATION_PATH_MAX;
	memcpy(text, path, len);
	const struct conf_location *found = host_locate_one(host, text, true);
	while (found == NULL && len > 0) {
		text[len] = '\0';
		found = host_locate_one(host, text, false);
		if (len == 1)
			break;
		while (len > 1 && text[len - 1] != '/')
			len--;
		len -= len > 1; /* to the segment before, and at last to "/" */
	}
	return found;
}

/* --- all of them ------------------------------------------------------------------------------ */

void conf_hosts_finish(struct conf_parser *p, struct conf_port_draft *draft)
{
	struct conf_port *port = &draft->port;
	port->hosts = conf_alloc(p, draft->hosts_count * sizeof(*port->hosts));
	if (port->hosts == NULL)
		return;
	port->hosts_count = draft->hosts_count;
	for (size_t i = 0; i < draft->hosts_count; i++) {
		port->hosts[i] = draft->hosts[i]->host;
		host_names_finish(p, &port->hosts[i], draft->hosts[i]);
		host_locations_finish(p, &port->hosts[i], draft->hosts[i]);
	}
	host_names_check(p, draft);
	if (port->plain)
		return;
	host_certificates_finish(p, draft);
	host_certificates_check(p, draft);
}
