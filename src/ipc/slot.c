/* The master makes and reads, a worker maps and writes. */
#include "ipc/slot.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

int ipc_slots_create(size_t count, const struct ipc_slot **ret)
{
	int fd = memfd_create("bulkhead-slots", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	size_t size = count * sizeof(struct ipc_slot);
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

struct ipc_slot *ipc_slots_map(int fd, size_t count)
{
	struct stat st;
	size_t size = count * sizeof(struct ipc_slot);
	if (fstat(fd, &st) < 0 || (size_t)st.st_size < size)
		return NULL;
	void *view = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return view == MAP_FAILED ? NULL : view;
}

void ipc_slots_unmap(const struct ipc_slot *slots, size_t count)
{
	if (slots != NULL)
		munmap((void *)(uintptr_t)slots, count * sizeof(struct ipc_slot));
}
