/* Runs in the master and in workers. Must never trust a number. */
#include "ipc/use.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "ipc/slot.h"

/* Of a loop, a multiple of a cache line: none is written by two loops. */
#define LINE    ((size_t)64)
#define MASTERS 2 /* parts of the master's */

/* --- the tables ------------------------------------------------------------------------------- */

#define TRIED_NAME(constant, name) [IPC_TRIED_##constant] = (name),
static const char *const tried[IPC_TRIEDS] = {IPC_TRIED_LIST(TRIED_NAME)};

static const char *tried_part(size_t i)
{
	return tried[i];
}

static const char *class_part(size_t i)
{
	static const char *const classes[IPC_CLASSES] = {"none", NULL, "2xx", "3xx", "4xx", "5xx"};
	return classes[i];
}

#define ROW(of, name, kind, title, unit, help, parts, part) \
	{#name, IPC_KIND_##kind, "", title, unit, help, offsetof(struct of, name), parts, part},
#define ENDPOINT(name, kind, title, unit, help) \
	ROW(ipc_endpoint_use, name, kind, title, unit, help, 1, NULL)
#define ENDPOINT_MANY(name, parts, part, kind, title, unit, help) \
	ROW(ipc_endpoint_use, name, kind, title, unit, help, parts, part)
#define UPSTREAM(name, kind, title, unit, help) \
	ROW(ipc_upstream_use, name, kind, title, unit, help, 1, NULL)
#define UPSTREAM_MANY(name, parts, part, kind, title, unit, help) \
	ROW(ipc_upstream_use, name, kind, title, unit, help, parts, part)

static const struct ipc_counter of_endpoint[] = {IPC_ENDPOINT_LIST(ENDPOINT, ENDPOINT_MANY)};
static const struct ipc_counter of_upstream[] = {IPC_UPSTREAM_LIST(UPSTREAM, UPSTREAM_MANY)};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const struct ipc_counter *ipc_endpoint_counter(size_t row)
{
	return row < COUNT(of_endpoint) ? &of_endpoint[row] : NULL;
}

const struct ipc_counter *ipc_upstream_counter(size_t row)
{
	return row < COUNT(of_upstream) ? &of_upstream[row] : NULL;
}

/* --- the memory ------------------------------------------------------------------------------- */

static size_t loop_bytes(const struct ipc_use_size *size)
{
	const size_t bytes = size->endpoints * sizeof(struct ipc_endpoint_use) +
			     size->upstreams * sizeof(struct ipc_upstream_use);
	return (bytes + LINE - 1) / LINE * LINE;
}

static size_t all_bytes(const struct ipc_use_size *size)
{
	return ((size_t)size->loops + MASTERS) * loop_bytes(size);
}

static int use_map(int fd, int protection, const struct ipc_use_size *size, struct ipc_use *ret)
{
	void *memory = mmap(NULL, all_bytes(size), protection, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	*ret = (struct ipc_use){.size = *size, .memory = memory};
	return 0;
}

int ipc_use_create(const struct ipc_use_size *size, struct ipc_use *ret)
{
	int fd = memfd_create("bulkhead-use", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	int error = 0;
	if (ftruncate(fd, (off_t)all_bytes(size)) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		error = -errno;
	if (error == 0)
		error = use_map(fd, PROT_READ | PROT_WRITE, size, ret);
	if (error < 0) {
		fd_close(&fd);
		return error;
	}
	return fd;
}

int ipc_use_open(int fd, const struct ipc_use_size *size, struct ipc_use *ret)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	if ((size_t)st.st_size != all_bytes(size))
		return -EINVAL;
	return use_map(fd, PROT_READ | PROT_WRITE, size, ret);
}

void ipc_use_close(struct ipc_use *u)
{
	if (u->memory != NULL)
		(void)munmap(u->memory, all_bytes(&u->size));
	*u = (struct ipc_use){.memory = NULL};
}

struct ipc_endpoint_use *ipc_use_endpoints(const struct ipc_use *u, uint32_t loop)
{
	return (struct ipc_endpoint_use *)(void *)(u->memory + loop * loop_bytes(&u->size));
}

struct ipc_upstream_use *ipc_use_upstreams(const struct ipc_use *u, uint32_t loop)
{
	return (struct ipc_upstream_use *)(void *)(ipc_use_endpoints(u, loop) + u->size.endpoints);
}

/* --- numbers ---------------------------------------------------------------------------------- */

static void gauges_clear(const struct ipc_counter *rows, size_t count, void *numbers)
{
	for (size_t i = 0; i < count; i++)
		if (rows[i].kind == IPC_KIND_GAUGE)
			ipc_slot_put((uint64_t *)(void *)((char *)numbers + rows[i].offset), 0);
}

void ipc_use_begin(const struct ipc_use *u, uint32_t loop)
{
	for (uint32_t i = 0; i < u->size.endpoints; i++)
		gauges_clear(of_endpoint, COUNT(of_endpoint), &ipc_use_endpoints(u, loop)[i]);
	for (uint32_t i = 0; i < u->size.upstreams; i++)
		gauges_clear(of_upstream, COUNT(of_upstream), &ipc_use_upstreams(u, loop)[i]);
}

static void numbers_add(void *sum, const void *part, size_t bytes)
{
	uint64_t *to = sum;
	const uint64_t *from = part;
	for (size_t i = 0; i < bytes / sizeof(*to); i++)
		to[i] = ipc_count_add(to[i], ipc_slot_read(&from[i]));
}

void ipc_use_endpoint(const struct ipc_use *u, uint32_t endpoint, struct ipc_endpoint_use *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (uint32_t i = 0; u->memory != NULL && i <= ipc_use_before(u); i++)
		numbers_add(ret, &ipc_use_endpoints(u, i)[endpoint], sizeof(*ret));
}

void ipc_use_upstream(const struct ipc_use *u, uint32_t upstream, struct ipc_upstream_use *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (uint32_t i = 0; u->memory != NULL && i <= ipc_use_before(u); i++)
		numbers_add(ret, &ipc_use_upstreams(u, i)[upstream], sizeof(*ret));
}
