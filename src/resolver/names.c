/* Runs in resolvers. Must never write more of a name than addresses that a connection can go to. */
#include "names.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syslog.h>

#include "base/num.h"
#include "base/text.h"
#include "hosts.h"
#include "ipc/slot.h"

#define LATE_MS          20
#define NAME_TEXT_MAX    253
#define LINES_PER_SECOND 10
#define LINES_AT_ONCE    200

/* An endpoint with a name. */
struct names_entry {
	const char *host;
	uint32_t endpoint, number; /* in all endpoints, and among those with a name */
};

struct host {
	const char *name;
	size_t first, count; /* in names.list */
	struct names *owner;
	struct loop_timer timer; /* of the next search */
	struct network_address addresses[IPC_NAME_ADDRESSES_MAX];
	size_t addresses_count;
	bool listed; /* in the table of hosts: it is not sought */
	unsigned failures;
	uint64_t none_since_ms; /* the servers have said that it has no address; 0: they have not */
	enum lookup_verdict told; /* LOOKUP_FOUND: nothing is wrong */
};

struct names_slot {
	struct lookup lookup; /* first */
	struct host *host;    /* NULL: it is free */
};

/* --- the memory ------------------------------------------------------------------------------- */

/* The present list of a name with that number. */
static const union ipc_address *places_of(const struct names *n, uint32_t number, size_t *ret_count)
{
	const union ipc_address *all =
	    (const union ipc_address *)(const void *)((const unsigned char *)n->memory +
						      ipc_names_places(n->count));
	size_t first = 0;
	*ret_count = ipc_names_read(n->memory, number, &first);
	return all + first;
}

/* Nothing is written where it stands already. That is looked for in the memory and not remembered,
 * since the resolver before may have ended in the middle, or have been taken over. */
static void host_put(struct host *h)
{
	struct names *n = h->owner;
	union ipc_address places[IPC_NAME_ADDRESSES_MAX];
	for (size_t i = h->first; i < h->first + h->count; i++) {
		const struct names_entry *e = &n->list[i];
		size_t count = 0;
		const union ipc_address *there = places_of(n, e->number, &count);
		for (size_t k = 0; k < h->addresses_count; k++)
			ipc_address_put(&places[k], &h->addresses[k],
					n->port->endpoints[e->endpoint].port);
		if (count != h->addresses_count ||
		    memcmp(there, places, count * sizeof(*places)) != 0)
			ipc_names_put(n->memory, n->count, e->number, places, h->addresses_count);
	}
}

/* The addresses that the resolver before has found, which may have been taken over: connectors have
 * them in any case. */
static void host_recall(struct host *h)
{
	const struct names *n = h->owner;
	size_t count = 0;
	const union ipc_address *places = places_of(n, n->list[h->first].number, &count);
	for (size_t i = 0; i < count; i++) {
		const struct sockaddr_storage *a = &places[i].storage;
		if (a->ss_family == AF_INET)
			h->addresses[h->addresses_count++] =
			    network_address_v4(&((const struct sockaddr_in *)a)->sin_addr);
		else if (a->ss_family == AF_INET6)
			h->addresses[h->addresses_count++] =
			    network_address_v6(&((const struct sockaddr_in6 *)a)->sin6_addr);
	}
}

static void host_failed_put(const struct host *h, enum ipc_name_failure failure)
{
	const struct names *n = h->owner;
	for (size_t i = h->first; i < h->first + h->count; i++)
		__atomic_store_n(&n->memory[n->list[i].number].failed, (uint32_t)failure,
				 __ATOMIC_RELEASE);
}

/* --- the log ---------------------------------------------------------------------------------- */

static bool names_may_tell(struct names *n)
{
	if (!bucket_take(&n->lines, 1, LINES_PER_SECOND, LINES_AT_ONCE, n->loop->now_ms)) {
		n->unsaid++;
		return false;
	}
	if (n->unsaid > 0)
		log_write(n->log, LOG_WARNING, "%llu changes of names were not logged",
			  (unsigned long long)n->unsaid);
	n->unsaid = 0;
	return true;
}

/* "api.internal has these addresses: 10.0.0.1, 10.0.0.2" */
static void host_tell_addresses(const struct host *h)
{
	char line[1024], address[NETWORK_TEXT_MAX];
	struct text t;
	if (!names_may_tell(h->owner))
		return;
	text_init(&t, line, sizeof(line));
	for (size_t i = 0; i < h->addresses_count; i++) {
		const struct network one = {.first = h->addresses[i], .bits = 128};
		text_addf(&t, "%s%s", i > 0 ? ", " : "", network_format(&one, address));
	}
	log_write(h->owner->log, LOG_INFO, "%s has %s: %s", h->name,
		  h->addresses_count == 1 ? "this address" : "these addresses", line);
}

static void host_tell_failure(struct host *h, enum lookup_verdict verdict)
{
	static const char *const texts[] = {
	    [LOOKUP_FOUND] = "",
	    [LOOKUP_UNKNOWN] = "it does not exist, or has no address",
	    [LOOKUP_NO_ANSWER] = "no name server has an answer",
	    [LOOKUP_FAILED] = "the answer is malformed, or memory is short"};
	if (h->told == verdict || !names_may_tell(h->owner))
		return;
	h->told = verdict;
	log_write(h->owner->log, LOG_WARNING, "%s cannot be resolved: %s%s", h->name,
		  texts[verdict], h->addresses_count > 0 ? "; its last addresses stay in use" : "");
}

/* --- what was found --------------------------------------------------------------------------- */

static void host_next(struct host *h, uint64_t wait_ms)
{
	struct loop *loop = h->owner->loop;
	loop_timer_set(loop, &h->timer, loop->now_ms + wait_ms);
}

static bool is_same(const struct host *h, const struct lookup_result *r)
{
	return h->addresses_count == r->count &&
	       memcmp(h->addresses, r->list, r->count * sizeof(*r->list)) == 0;
}

static void host_found(struct host *h, const struct lookup_result *r)
{
	const uint64_t ttl_ms = (uint64_t)r->ttl * 1000;
	const bool same = is_same(h, r);
	memcpy(h->addresses, r->list, r->count * sizeof(*r->list));
	h->addresses_count = r->count;
	host_put(h);
	host_failed_put(h, IPC_NAME_OK);
	if (!same || h->told != LOOKUP_FOUND)
		host_tell_addresses(h);
	h->told = LOOKUP_FOUND;
	h->failures = 0;
	h->none_since_ms = 0;
	host_next(h, ttl_ms < NAMES_TTL_MIN_MS ? NAMES_TTL_MIN_MS
					       : num_least(ttl_ms, NAMES_TTL_MAX_MS));
}

/* Its addresses stay for a while, lest a mistake in a zone is an outage at once. */
static void host_none(struct host *h)
{
	const uint64_t now_ms = h->owner->loop->now_ms;
	if (h->none_since_ms == 0)
		h->none_since_ms = now_ms;
	if (h->addresses_count > 0 && now_ms - h->none_since_ms >= NAMES_HOLD_MS) {
		h->addresses_count = 0;
		host_put(h);
		log_write(h->owner->log, LOG_WARNING, "%s has no address any more", h->name);
	}
}

static void host_failed(struct host *h, enum lookup_verdict verdict)
{
	static const enum ipc_name_failure failures[] = {[LOOKUP_FOUND] = IPC_NAME_OK,
							 [LOOKUP_UNKNOWN] = IPC_NAME_UNKNOWN,
							 [LOOKUP_NO_ANSWER] = IPC_NAME_NO_ANSWER,
							 [LOOKUP_FAILED] = IPC_NAME_FAILED};
	host_tell_failure(h, verdict);
	if (verdict == LOOKUP_UNKNOWN)
		host_none(h);
	else
		h->none_since_ms = 0;
	host_failed_put(h, failures[verdict]);
	host_next(h,
		  num_least(NAMES_RETRY_MIN_MS << num_least(h->failures, 8), NAMES_RETRY_MAX_MS));
	h->failures++;
}

/* --- searches --------------------------------------------------------------------------------- */

static void search_count(struct ipc_counters *counters, bool found)
{
	if (counters != NULL)
		ipc_slot_add(found ? &counters->names_resolved : &counters->names_failed, 1);
}

static void slot_done(struct lookup *l, const struct lookup_result *result)
{
	struct names_slot *slot = (struct names_slot *)l;
	struct host *h = slot->host;
	slot->host = NULL;
	search_count(h->owner->counters, result->verdict == LOOKUP_FOUND);
	if (result->verdict == LOOKUP_FOUND)
		host_found(h, result);
	else
		host_failed(h, result->verdict);
}

static void host_due(struct loop *loop, struct loop_timer *timer)
{
	struct host *h = (struct host *)((char *)timer - offsetof(struct host, timer));
	struct names *n = h->owner;
	(void)loop;
	for (size_t i = 0; i < NAMES_AT_ONCE; i++)
		if (n->slots[i].host == NULL) {
			n->slots[i].host = h;
			lookup_begin(n->lookups, &n->slots[i].lookup, h->name, slot_done);
			return;
		}
	host_next(h, LATE_MS);
}

/* --- the list of hosts ------------------------------------------------------------------------ */

static int entry_compare(const void *a, const void *b)
{
	const struct names_entry *x = a, *y = b;
	const int order = strcmp(x->host, y->host);
	return order != 0 ? order : (x->number > y->number) - (x->number < y->number);
}

static void entries_list(struct names *n)
{
	n->count = 0;
	for (uint32_t i = 0; i < n->port->endpoints_count; i++)
		if (n->port->endpoints[i].named) {
			n->list[n->count] =
			    (struct names_entry){n->port->endpoints[i].host, i, (uint32_t)n->count};
			n->count++;
		}
	qsort(n->list, n->count, sizeof(*n->list), entry_compare);
}

static void hosts_list(struct names *n)
{
	n->hosts_count = 0;
	for (size_t i = 0; i < n->count; i++) {
		if (i == 0 || strcmp(n->list[i].host, n->list[i - 1].host) != 0)
			n->hosts[n->hosts_count++] =
			    (struct host){.name = n->list[i].host, .first = i, .owner = n};
		n->hosts[n->hosts_count - 1].count++;
	}
}

static int host_compare(const void *name, const void *host)
{
	return strcmp(name, ((const struct host *)host)->name);
}

static void host_add_listed(struct names *n, const char *name,
			    const struct network_address *address)
{
	struct host *h = bsearch(name, n->hosts, n->hosts_count, sizeof(*n->hosts), host_compare);
	if (h == NULL)
		return;
	if (!h->listed)
		h->addresses_count = 0;
	h->listed = true;
	if (h->addresses_count < IPC_NAME_ADDRESSES_MAX &&
	    lookup_is_usable(address, !network_address_is_v4(address)))
		h->addresses[h->addresses_count++] = *address;
}

/* The table has names in any case, perhaps with a final dot; those of the configuration are in
 * lower case, without. */
static void host_list_address(void *arg, const char *name, size_t len,
			      const struct network_address *address)
{
	char key[NAME_TEXT_MAX + 1];
	if (len > 1 && name[len - 1] == '.')
		len--;
	if (len > NAME_TEXT_MAX)
		return;
	memcpy(key, name, len);
	for (size_t i = 0; i < len; i++)
		if (key[i] >= 'A' && key[i] <= 'Z')
			key[i] = (char)(key[i] | 0x20);
	key[len] = '\0';
	host_add_listed(arg, key, address);
}

/* RFC 6761, 6.3: localhost, and all names beneath it. */
static bool is_localhost(const char *name)
{
	static const char word[] = "localhost";
	const size_t len = strlen(name), word_len = sizeof(word) - 1;
	return len >= word_len && strcmp(name + len - word_len, word) == 0 &&
	       (len == word_len || name[len - word_len - 1] == '.');
}

static void host_be_localhost(struct host *h)
{
	(void)network_address_parse("::1", 3, &h->addresses[0]);
	(void)network_address_parse("127.0.0.1", 9, &h->addresses[1]);
	h->addresses_count = 2;
	h->listed = true;
}

static int host_begin(struct host *h)
{
	if (!h->listed && is_localhost(h->name))
		host_be_localhost(h);
	const int error = loop_timer_init(h->owner->loop, &h->timer, host_due);
	if (error < 0)
		return error;
	if (h->listed) {
		host_put(h);
		host_failed_put(h, h->addresses_count > 0 ? IPC_NAME_OK : IPC_NAME_UNKNOWN);
	} else
		host_next(h, 0);
	return 0;
}

int names_begin(struct names *n, const char *table, size_t table_len)
{
	const size_t room = n->port->endpoints_count + 1;
	int error = 0;
	n->list = calloc(room, sizeof(*n->list));
	n->hosts = calloc(room, sizeof(*n->hosts));
	n->slots = calloc(NAMES_AT_ONCE, sizeof(*n->slots));
	n->lines = bucket_full(n->loop->now_ms);
	n->hosts_count = 0;
	if (n->list == NULL || n->hosts == NULL || n->slots == NULL) {
		names_end(n);
		return -ENOMEM;
	}
	entries_list(n);
	hosts_list(n);
	for (size_t i = 0; i < n->hosts_count; i++)
		host_recall(&n->hosts[i]);
	hosts_read(table, table_len, host_list_address, n);
	size_t begun = 0;
	while (error == 0 && begun < n->hosts_count) {
		error = host_begin(&n->hosts[begun]);
		begun += error == 0;
	}
	if (error < 0) {
		n->hosts_count = begun;
		names_end(n);
	}
	return error;
}

void names_end(struct names *n)
{
	for (size_t i = 0; i < n->hosts_count; i++)
		loop_timer_release(n->loop, &n->hosts[i].timer);
	free(n->list);
	free(n->hosts);
	free(n->slots);
	n->list = NULL;
	n->hosts = NULL;
	n->slots = NULL;
	n->hosts_count = 0;
}
