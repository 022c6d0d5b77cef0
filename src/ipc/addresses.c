/*
 * The master makes the memory of names and a resolver writes it; connectors and resolvers make a
 * block, while they start. Must never leave a place in a block that the process could write.
 */
#include "ipc/addresses.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "sandbox/sandbox.h"

_Static_assert(sizeof(union ipc_address) == SANDBOX_PLACE_BYTES, "the filter knows the places");
_Static_assert(sizeof(struct sockaddr_un) == SANDBOX_ADDRESS_BYTES, "… and the length");

void ipc_address_put(union ipc_address *ret, const struct network_address *a, uint16_t port)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&ret->storage;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ret->storage;
	const uint64_t words[2] = {htobe64(a->high), htobe64(a->low)};
	*ret = (union ipc_address){.bytes = {0}};
	if (network_address_is_v4(a)) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		in->sin_addr.s_addr = htonl((uint32_t)a->low);
	} else {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		memcpy(&in6->sin6_addr, words, sizeof(words));
	}
}

static size_t page_bytes(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t whole_pages(size_t bytes)
{
	const size_t page = page_bytes();
	return (bytes + page - 1) / page * page;
}

/* --- names ------------------------------------------------------------------------------------ */

static size_t name_places_bytes(size_t names)
{
	return whole_pages(names * 2 * IPC_NAME_ADDRESSES_MAX * sizeof(union ipc_address));
}

size_t ipc_names_places(size_t names)
{
	return whole_pages(names * sizeof(struct ipc_name));
}

size_t ipc_names_size(size_t names)
{
	return ipc_names_places(names) + name_places_bytes(names);
}

int ipc_names_create(size_t names)
{
	return fd_shared_memory("bulkhead-names", ipc_names_size(names));
}

int ipc_names_read_only(int fd)
{
	return fd_read_only(fd);
}

static bool fits(int fd, size_t names)
{
	struct stat st;
	return fstat(fd, &st) == 0 && (uint64_t)st.st_size == ipc_names_size(names);
}

struct ipc_name *ipc_names_map(int fd, size_t names)
{
	void *all = fits(fd, names) ? mmap(NULL, ipc_names_size(names), PROT_READ | PROT_WRITE,
					   MAP_SHARED, fd, 0)
				    : MAP_FAILED;
	return all == MAP_FAILED ? NULL : all;
}

void ipc_names_unmap(const struct ipc_name *all, size_t names)
{
	if (all != NULL)
		munmap((void *)(uintptr_t)all, ipc_names_size(names));
}

void ipc_names_put(struct ipc_name *all, size_t names, size_t name, const union ipc_address *list,
		   size_t count)
{
	union ipc_address *places =
	    (union ipc_address *)(void *)((unsigned char *)all + ipc_names_places(names));
	struct ipc_name *n = &all[name];
	const uint32_t turn = n->turn + 1;
	if (count > IPC_NAME_ADDRESSES_MAX)
		count = IPC_NAME_ADDRESSES_MAX;
	for (size_t i = 0; i < count; i++)
		places[ipc_names_place(name, turn, i)] = list[i];
	__atomic_store_n(&n->counts[turn & 1], (uint32_t)count, __ATOMIC_RELAXED);
	__atomic_store_n(&n->resolved_ms, clock_ms(), __ATOMIC_RELAXED);
	__atomic_store_n(&n->failed, IPC_NAME_OK, __ATOMIC_RELAXED);
	__atomic_store_n(&n->turn, turn, __ATOMIC_RELEASE);
}

size_t ipc_names_read(const struct ipc_name *all, size_t name, size_t *ret_first)
{
	const uint32_t turn = __atomic_load_n(&all[name].turn, __ATOMIC_ACQUIRE);
	const size_t count = __atomic_load_n(&all[name].counts[turn & 1], __ATOMIC_RELAXED);
	*ret_first = ipc_names_place(name, turn, 0);
	return count < IPC_NAME_ADDRESSES_MAX ? count : IPC_NAME_ADDRESSES_MAX;
}

/* --- the block -------------------------------------------------------------------------------- */

/* Memory with the fixed addresses, and zeros up to its end. No mapping can make it writable, which
 * a mapping of memory that is sealed against all writing could not be on kernels before 6.7. */
static int fixed_memory(const union ipc_address *fixed, size_t count, size_t bytes)
{
	const int seals = F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
	int fd = memfd_create("bulkhead-addresses", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	const char *from = (const char *)fixed;
	int error = ftruncate(fd, (off_t)bytes) < 0 ? -errno : 0;
	for (size_t done = 0, all = count * sizeof(*fixed); error == 0 && done < all;) {
		const ssize_t n = pwrite(fd, from + done, all - done, (off_t)done);
		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			error = n == 0 ? -EIO : -errno;
	}
	if (error == 0 && fcntl(fd, F_ADD_SEALS, seals) < 0)
		error = -errno;
	if (error == 0)
		return fd;
	fd_close(&fd);
	return error;
}

/* Address space of this size at a multiple of it; NULL: errno. */
static unsigned char *aligned_room(size_t bytes)
{
	unsigned char *room =
	    mmap(NULL, 2 * bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED)
		return NULL;
	const size_t before = (bytes - (uintptr_t)room % bytes) % bytes;
	if (before > 0)
		(void)munmap(room, before);
	(void)munmap(room + before + bytes, bytes - before);
	return room + before;
}

static bool map_at(unsigned char *at, size_t bytes, int fd, size_t from)
{
	return mmap(at, bytes, PROT_READ, MAP_SHARED | MAP_FIXED, fd, (off_t)from) != MAP_FAILED;
}

/* A large piece of memory would otherwise be a mapping of its own, which the process cannot
 * release, and so would all of a heap's growth that a mapping in its way has stopped. */
static void malloc_stays_in_heap(void)
{
	(void)mallopt(M_MMAP_MAX, 0);
}

int ipc_block_make(const union ipc_address *fixed, size_t fixed_count, int names_fd,
		   size_t names_count, struct ipc_block *ret)
{
	const size_t fixed_bytes = whole_pages(fixed_count * sizeof(*fixed));
	const size_t names_bytes = names_fd < 0 ? 0 : name_places_bytes(names_count);
	struct ipc_block b = {.names_first = fixed_bytes / sizeof(*fixed), .count = fixed_count};
	void *head = MAP_FAILED;
	int error = 0;
	if (names_fd >= 0 && !fits(names_fd, names_count))
		return -EINVAL;
	for (b.bytes = page_bytes(); b.bytes < fixed_bytes + names_bytes;)
		b.bytes *= 2;
	int fd = fixed_memory(fixed, fixed_count, b.bytes);
	if (fd < 0)
		return fd;
	unsigned char *at = aligned_room(b.bytes);
	if (at == NULL || !map_at(at, b.bytes, fd, 0) ||
	    (names_bytes > 0 &&
	     (!map_at(at + fixed_bytes, names_bytes, names_fd, ipc_names_places(names_count)) ||
	      (head = mmap(NULL, ipc_names_places(names_count), PROT_READ, MAP_SHARED, names_fd,
			   0)) == MAP_FAILED)))
		error = -errno;
	fd_close(&fd);
	if (error < 0) {
		if (at != NULL)
			(void)munmap(at, b.bytes);
		return error;
	}
	malloc_stays_in_heap();
	b.places = (const union ipc_address *)(const void *)at;
	if (names_bytes > 0) {
		b.names = head;
		b.names_count = names_count;
		b.count = b.names_first + names_count * 2 * (size_t)IPC_NAME_ADDRESSES_MAX;
	}
	*ret = b;
	return 0;
}
