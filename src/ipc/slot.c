/* The master creates and reads, a child maps and writes. The reader must never trust a length or a
 * terminator in the memory. */
#include "ipc/slot.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

static size_t board_size(size_t loops)
{
	return sizeof(struct ipc_board) + loops * sizeof(struct ipc_slot);
}

int ipc_board_create(size_t loops, const struct ipc_board **ret)
{
	int fd = memfd_create("bulkhead-board", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	size_t size = board_size(loops);
	void *view = MAP_FAILED;
	if (ftruncate(fd, (off_t)size) == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0)
		view = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (view == MAP_FAILED) {
		int error = -errno;
		fd_close(&fd);
		return error;
	}
	*ret = view;
	return fd;
}

static void *board_map(int fd, size_t loops, int protection)
{
	struct stat st;
	if (fstat(fd, &st) < 0 || (size_t)st.st_size < board_size(loops))
		return NULL;
	void *view = mmap(NULL, board_size(loops), protection, MAP_SHARED, fd, 0);
	return view == MAP_FAILED ? NULL : view;
}

const struct ipc_board *ipc_board_view(int fd, size_t loops)
{
	return board_map(fd, loops, PROT_READ);
}

struct ipc_board *ipc_board_map(int fd, size_t loops)
{
	return board_map(fd, loops, PROT_READ | PROT_WRITE);
}

void ipc_board_unmap(const struct ipc_board *board, size_t loops)
{
	if (board != NULL)
		munmap((void *)(uintptr_t)board, board_size(loops));
}

/* --- counters -------------------------------------------------------------------------------- */

_Static_assert(sizeof(struct ipc_counters) % sizeof(uint64_t) == 0, "it is an array of numbers");

void ipc_counters_add(struct ipc_counters *to, const struct ipc_counters *from)
{
	uint64_t *sum = (uint64_t *)(void *)to;
	const uint64_t *part = (const uint64_t *)(const void *)from;
	for (size_t i = 0; i < sizeof(*to) / sizeof(*sum); i++)
		sum[i] = ipc_count_add(sum[i], ipc_slot_read(&part[i]));
}

const char *ipc_failure_name(enum ipc_failure failure)
{
	static const char *const names[IPC_FAILURES] = {
	    [IPC_FAILURE_CLOSED] = "closed",   [IPC_FAILURE_TIMEOUT] = "timeout",
	    [IPC_FAILURE_VERSION] = "version", [IPC_FAILURE_CHOICE] = "choice",
	    [IPC_FAILURE_ALERT] = "alert",     [IPC_FAILURE_MALFORMED] = "malformed",
	    [IPC_FAILURE_KEY] = "key",         [IPC_FAILURE_MEMORY] = "memory",
	    [IPC_FAILURE_OTHER] = "other",
	};
	return names[failure];
}

void ipc_counters_latency(struct ipc_counters *c, uint64_t us)
{
	static const uint32_t bounds[] = IPC_LATENCY_BOUNDS;
	unsigned bucket = 0;
	_Static_assert(sizeof(bounds) / sizeof(bounds[0]) == IPC_LATENCIES - 1, "and the rest");
	while (bucket < IPC_LATENCIES - 1 && us > bounds[bucket])
		bucket++;
	ipc_slot_add(&c->latency[bucket], 1);
}

/* --- copies ---------------------------------------------------------------------------------- */

/* The bounds must be applied to the copy: the compiler must not read the original a second time. */
static void copy(void *to, const void *from, size_t size)
{
	memcpy(to, from, size);
	__asm__ volatile("" ::: "memory");
}

void ipc_request_copy(struct ipc_request *to, const struct ipc_request *from)
{
	copy(to, from, sizeof(*to));
	if (to->method_len > IPC_METHOD_MAX)
		to->method_len = IPC_METHOD_MAX;
	if (to->target_len > IPC_TARGET_MAX)
		to->target_len = IPC_TARGET_MAX;
	to->client[ADDRESS_TEXT_MAX - 1] = '\0';
	to->id[IPC_ID_MAX - 1] = '\0';
}

void ipc_crash_copy(struct ipc_crash *to, const struct ipc_crash *from)
{
	copy(to, from, sizeof(*to));
	if (to->frames_count > IPC_FRAMES_MAX)
		to->frames_count = IPC_FRAMES_MAX;
}
