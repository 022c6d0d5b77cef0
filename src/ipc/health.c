/* The master makes the memory, a connector writes, workers and the master read. Must never trust
 * what a connector wrote, nor wait for it. */
#include "ipc/health.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/fd.h"

#define READS_MAX 8 /* the writer has been in the middle of a change each time */

static size_t healths_bytes(size_t count)
{
	return sizeof(struct ipc_healths) + count * sizeof(struct ipc_health);
}

int ipc_health_create(size_t count)
{
	return fd_shared_memory("bulkhead-health", healths_bytes(count));
}

int ipc_health_read_only(int fd)
{
	return fd_read_only(fd);
}

static void *health_memory(int fd, size_t count, int protection)
{
	struct stat st;
	if (fstat(fd, &st) < 0 || (uint64_t)st.st_size != healths_bytes(count))
		return NULL;
	void *memory = mmap(NULL, healths_bytes(count), protection, MAP_SHARED, fd, 0);
	return memory == MAP_FAILED ? NULL : memory;
}

struct ipc_healths *ipc_health_map(int fd, size_t count)
{
	struct ipc_healths *h = health_memory(fd, count, PROT_READ | PROT_WRITE);
	if (h == NULL)
		return NULL;
	h->count = (uint32_t)count;
	/* A connector that ended in the middle of a change left it odd. */
	for (size_t i = 0; i < count; i++)
		if (h->list[i].changes % 2 != 0)
			ipc_health_end(&h->list[i]);
	return h;
}

const struct ipc_healths *ipc_health_look(int fd, size_t count)
{
	return health_memory(fd, count, PROT_READ);
}

void ipc_health_unmap(const struct ipc_healths *h, size_t count)
{
	if (h != NULL)
		munmap((void *)(uintptr_t)h, healths_bytes(count));
}

static uint32_t bounded(uint32_t value, uint32_t most)
{
	return value <= most ? value : 0;
}

/* Texts that are torn, and words that were never written whole, are the connector's own fault: it
 * is made harmless here, and no more. */
static void health_judge(struct ipc_health *h)
{
	h->state = bounded(h->state, IPC_HEALTH_DOWN);
	h->order = bounded(h->order, IPC_ORDER_DOWN);
	h->why[sizeof(h->why) - 1] = '\0';
}

/* Word by word with acquire, so that no word is read after the second look at the changes. */
static void health_copy(struct ipc_health *to, const struct ipc_health *from)
{
	uint64_t words[sizeof(*to) / sizeof(uint64_t)] = {0};
	_Static_assert(sizeof(words) == sizeof(*to), "it is a number of words");
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		words[i] =
		    __atomic_load_n((const uint64_t *)(const void *)from + i, __ATOMIC_ACQUIRE);
	memcpy(to, words, sizeof(words));
}

void ipc_health_read(const struct ipc_health *h, struct ipc_health *ret)
{
	for (unsigned tries = 0; tries < READS_MAX; tries++) {
		const uint32_t changes = __atomic_load_n(&h->changes, __ATOMIC_ACQUIRE);
		health_copy(ret, h);
		if (changes % 2 == 0 && __atomic_load_n(&h->changes, __ATOMIC_RELAXED) == changes)
			break;
	}
	health_judge(ret);
}

void ipc_health_inherit(struct ipc_health *to, const struct ipc_health *from)
{
	struct ipc_health then;
	ipc_health_read(from, &then);
	ipc_health_begin(to);
	to->state = then.state;
	to->since_ms = then.since_ms;
	memcpy(to->why, then.why, sizeof(to->why));
	ipc_health_end(to);
}
