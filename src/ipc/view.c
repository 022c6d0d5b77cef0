/* Runs in the master. Must never read outside of the mapping: every offset comes from a layout that
 * was checked against it. */
#include "ipc/view.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- layouts --------------------------------------------------------------------------------- */

static const char *const part_names[IPC_PARTS] = {
    [IPC_PART_BUSY] = "busy_since_ms", [IPC_PART_THREAD] = "thread", [IPC_PART_LACK] = "lack",
    [IPC_PART_REQUEST] = "request",    [IPC_PART_CRASH] = "crash",
};

#define OF_SLOT(member)                                                                         \
	{                                                                                       \
		offsetof(struct ipc_slot, member), sizeof(((const struct ipc_slot *)0)->member) \
	}

void ipc_layout_clear(struct ipc_layout *l)
{
	*l = (struct ipc_layout){.modules = 0};
	for (size_t i = 0; i < IPC_NUMBERS; i++)
		l->numbers[i] = IPC_NOWHERE;
}

/* Only the master calls this, and it has one thread. */
const struct ipc_layout *ipc_layout_own(void)
{
	static struct ipc_layout own;
	if (own.slot_bytes != 0)
		return &own;
	own = (struct ipc_layout){
	    .modules = offsetof(struct ipc_board, modules),
	    .module_bytes = sizeof(struct ipc_module),
	    .modules_max = IPC_MODULES_MAX,
	    .slots = offsetof(struct ipc_board, slots),
	    .slot_bytes = sizeof(struct ipc_slot),
	    .parts = {[IPC_PART_BUSY] = OF_SLOT(busy_since_ms),
		      [IPC_PART_THREAD] = OF_SLOT(thread),
		      [IPC_PART_LACK] = OF_SLOT(lack),
		      [IPC_PART_REQUEST] = OF_SLOT(request),
		      [IPC_PART_CRASH] = OF_SLOT(crash)},
	};
	for (size_t i = 0; i < IPC_NUMBERS; i++)
		own.numbers[i] =
		    (uint32_t)(offsetof(struct ipc_slot, counters) + i * sizeof(uint64_t));
	return &own;
}

void ipc_layout_describe(const struct ipc_layout *l,
			 void (*put)(void *arg, const char *name, uint32_t at, uint32_t bytes),
			 void *arg)
{
	char name[IPC_NUMBER_NAME_MAX];
	for (size_t i = 0; i < IPC_PARTS; i++)
		if (l->parts[i].bytes > 0)
			put(arg, part_names[i], l->parts[i].at, l->parts[i].bytes);
	for (size_t i = 0; i < IPC_NUMBERS; i++)
		if (l->numbers[i] != IPC_NOWHERE && ipc_number_name(i, name))
			put(arg, name, l->numbers[i], sizeof(uint64_t));
}

void ipc_layout_set(struct ipc_layout *l, const char *name, uint32_t at, uint32_t bytes)
{
	for (size_t i = 0; i < IPC_PARTS; i++)
		if (strcmp(name, part_names[i]) == 0) {
			l->parts[i].at = at;
			l->parts[i].bytes = bytes;
		}
	const size_t number = ipc_number_find(name);
	if (number < IPC_NUMBERS && bytes == sizeof(uint64_t))
		l->numbers[number] = at;
}

/* Are count elements of each bytes, from at on, within size? */
static bool fits(uint64_t at, uint64_t count, uint64_t each, uint64_t size)
{
	return at <= size && (count == 0 || each <= (size - at) / count);
}

static bool slot_fits(const struct ipc_layout *l)
{
	/* the least that is read, and with atomic loads */
	static const uint32_t words[IPC_PARTS] = {[IPC_PART_BUSY] = sizeof(uint64_t),
						  [IPC_PART_THREAD] = sizeof(int32_t),
						  [IPC_PART_LACK] = sizeof(uint32_t),
						  [IPC_PART_CRASH] = sizeof(uint64_t)};
	for (size_t i = 0; i < IPC_PARTS; i++)
		if (!fits(l->parts[i].at, 1, l->parts[i].bytes, l->slot_bytes) ||
		    (words[i] > 0 && l->parts[i].at % words[i] != 0) ||
		    (l->parts[i].bytes > 0 && l->parts[i].bytes < words[i]))
			return false;
	for (size_t i = 0; i < IPC_NUMBERS; i++)
		if (l->numbers[i] != IPC_NOWHERE &&
		    (!fits(l->numbers[i], 1, sizeof(uint64_t), l->slot_bytes) ||
		     l->numbers[i] % sizeof(uint64_t) != 0))
			return false;
	return true;
}

bool ipc_layout_fits(const struct ipc_layout *l, size_t loops, size_t bytes)
{
	return l->modules_max <= IPC_MODULES_MOST && l->slots % sizeof(uint64_t) == 0 &&
	       l->slot_bytes % sizeof(uint64_t) == 0 &&
	       fits(l->modules, l->modules_max, l->module_bytes, bytes) &&
	       fits(l->slots, loops, l->slot_bytes, bytes) && slot_fits(l);
}

/* --- mapping --------------------------------------------------------------------------------- */

struct ipc_view ipc_view_own(const struct ipc_board *board, unsigned loops)
{
	return (struct ipc_view){.memory = (const unsigned char *)board,
				 .bytes = sizeof(*board) + loops * sizeof(board->slots[0]),
				 .loops = loops,
				 .layout = ipc_layout_own()};
}

int ipc_view_open(struct ipc_view *v, int fd, unsigned loops, const struct ipc_layout *layout)
{
	struct stat st;
	const int seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || fstat(fd, &st) < 0)
		return -errno;
	if ((seals & F_SEAL_SHRINK) == 0 || st.st_size <= 0 ||
	    !ipc_layout_fits(layout, loops, (size_t)st.st_size))
		return -EINVAL;
	void *memory = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	*v = (struct ipc_view){memory, (size_t)st.st_size, loops, layout};
	return 0;
}

void ipc_view_close(struct ipc_view *v)
{
	if (v->memory != NULL)
		munmap((void *)(uintptr_t)v->memory, v->bytes);
	*v = (struct ipc_view){.memory = NULL};
}

/* --- reading --------------------------------------------------------------------------------- */

/* NULL: the child has no such loop, or this master does not see it. */
static const unsigned char *slot_at(const struct ipc_view *v, unsigned loop)
{
	return loop < v->loops ? v->memory + v->layout->slots + (size_t)loop * v->layout->slot_bytes
			       : NULL;
}

static uint64_t word(const unsigned char *slot, uint32_t at)
{
	return ipc_slot_read((const uint64_t *)(const void *)(slot + at));
}

static uint32_t half(const unsigned char *slot, uint32_t at)
{
	return __atomic_load_n((const uint32_t *)(const void *)(slot + at), __ATOMIC_ACQUIRE);
}

static const unsigned char *part_at(const struct ipc_view *v, unsigned loop, enum ipc_part part)
{
	const unsigned char *slot = slot_at(v, loop);
	return slot != NULL && v->layout->parts[part].bytes > 0 ? slot : NULL;
}

uint64_t ipc_view_busy_since(const struct ipc_view *v, unsigned loop)
{
	const unsigned char *slot = part_at(v, loop, IPC_PART_BUSY);
	return slot != NULL ? word(slot, v->layout->parts[IPC_PART_BUSY].at) : 0;
}

int32_t ipc_view_thread(const struct ipc_view *v, unsigned loop)
{
	const unsigned char *slot = part_at(v, loop, IPC_PART_THREAD);
	return slot != NULL ? (int32_t)half(slot, v->layout->parts[IPC_PART_THREAD].at) : 0;
}

enum ipc_lack ipc_view_lack(const struct ipc_view *v, unsigned loop)
{
	const unsigned char *slot = part_at(v, loop, IPC_PART_LACK);
	const uint32_t lack = slot != NULL ? half(slot, v->layout->parts[IPC_PART_LACK].at) : 0;
	return lack < IPC_LACKS ? (enum ipc_lack)lack : IPC_LACK_NONE;
}

int32_t ipc_view_crash_signal(const struct ipc_view *v, unsigned loop)
{
	const size_t at = offsetof(struct ipc_crash, signal);
	const unsigned char *slot = part_at(v, loop, IPC_PART_CRASH);
	if (slot == NULL || v->layout->parts[IPC_PART_CRASH].bytes < at + sizeof(int32_t))
		return 0;
	return (int32_t)half(slot, v->layout->parts[IPC_PART_CRASH].at + (uint32_t)at);
}

/* Copies what both versions know, zeros after it. The bounds must be applied to the copy: the
 * compiler must not read the original a second time. */
static void part_copy(const struct ipc_view *v, unsigned loop, enum ipc_part part, void *to,
		      size_t size)
{
	const unsigned char *slot = part_at(v, loop, part);
	const size_t known = v->memory != NULL ? v->layout->parts[part].bytes : 0;
	memset(to, 0, size);
	if (slot != NULL)
		memcpy(to, slot + v->layout->parts[part].at, known < size ? known : size);
	__asm__ volatile("" ::: "memory");
}

void ipc_view_request(const struct ipc_view *v, unsigned loop, struct ipc_request *ret)
{
	part_copy(v, loop, IPC_PART_REQUEST, ret, sizeof(*ret));
	ipc_request_bound(ret);
}

void ipc_view_crash(const struct ipc_view *v, unsigned loop, struct ipc_crash *ret)
{
	part_copy(v, loop, IPC_PART_CRASH, ret, sizeof(*ret));
	ipc_crash_bound(ret);
}

void ipc_view_count(const struct ipc_view *v, unsigned loop, struct ipc_counters *to)
{
	const unsigned char *slot = slot_at(v, loop);
	uint64_t *sum = (uint64_t *)(void *)to;
	for (size_t i = 0; slot != NULL && i < IPC_NUMBERS; i++)
		if (v->layout->numbers[i] != IPC_NOWHERE)
			sum[i] = ipc_count_add(sum[i], word(slot, v->layout->numbers[i]));
}

bool ipc_view_module(const struct ipc_view *v, unsigned i, struct ipc_module *ret)
{
	if (v->memory == NULL || i >= v->layout->modules_max)
		return false;
	const size_t known = v->layout->module_bytes;
	memset(ret, 0, sizeof(*ret));
	memcpy(ret, v->memory + v->layout->modules + i * known,
	       known < sizeof(*ret) ? known : sizeof(*ret));
	ret->name[sizeof(ret->name) - 1] = '\0';
	return true;
}
