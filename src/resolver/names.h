/*
 * The names of a port's endpoints: when each is sought, and what becomes of what is found.
 *
 * A name is sought again when the time of its addresses is over (1 s to 1 h, as their server says),
 * and after a failure, the sooner the less often it has failed. While the servers fail, its last
 * addresses stay; if they say that it has none, it keeps them for half a minute.
 */
#ifndef RESOLVER_NAMES_H
#define RESOLVER_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "base/bucket.h"
#include "conf/conf.h"
#include "ipc/addresses.h"
#include "log/log.h"
#include "lookup.h"
#include "net/loop.h"

#define NAMES_TTL_MIN_MS   UINT64_C(1000)
#define NAMES_TTL_MAX_MS   UINT64_C(3600000)
#define NAMES_RETRY_MIN_MS UINT64_C(1000)
#define NAMES_RETRY_MAX_MS UINT64_C(30000)
#define NAMES_HOLD_MS      UINT64_C(30000)
#define NAMES_AT_ONCE      32 /* are sought; those that are due then are a little late */

struct host;
struct names_entry;
struct names_slot;

struct names {
	struct loop *loop;
	struct lookups *lookups;
	const struct conf_port *port;
	struct log *log;
	struct ipc_counters *counters; /* of the process; NULL: none */
	struct ipc_name *memory;       /* the owner's: of all names */
	size_t count;                  /* endpoints with a name */
	struct host *hosts;            /* each name once, sorted; owned */
	size_t hosts_count;
	struct names_entry *list; /* of each host its endpoints; owned */
	struct names_slot *slots; /* owned */
	struct bucket lines;      /* of the log */
	uint64_t unsaid;
};

/* Begins; the members up to memory are set. table is the text of hosts(5): names in it are never
 * sought, nor is localhost (RFC 6761, 6.3). 0 or -ENOMEM. */
int names_begin(struct names *, const char *table, size_t table_len);
/* After lookups_end(). */
void names_end(struct names *);

#endif
