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

struct ipc_board *ipc_board_map(int fd, size_t loops)
{
	struct stat st;
	if (fstat(fd, &st) < 0 || (size_t)st.st_size < board_size(loops))
		return NULL;
	void *view = mmap(NULL, board_size(loops), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return view == MAP_FAILED ? NULL : view;
}

void ipc_board_unmap(const struct ipc_board *board, size_t loops)
{
	if (board != NULL)
		munmap((void *)(uintptr_t)board, board_size(loops));
}

/* --- counters -------------------------------------------------------------------------------- */

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

void ipc_request_bound(struct ipc_request *r)
{
	if (r->method_len > IPC_METHOD_MAX)
		r->method_len = IPC_METHOD_MAX;
	if (r->target_len > IPC_TARGET_MAX)
		r->target_len = IPC_TARGET_MAX;
	r->client[ADDRESS_TEXT_MAX - 1] = '\0';
	r->id[IPC_ID_MAX - 1] = '\0';
}

void ipc_crash_bound(struct ipc_crash *c)
{
	if (c->frames_count > IPC_FRAMES_MAX)
		c->frames_count = IPC_FRAMES_MAX;
}
