/*
 * Preloaded into every process of a server: one in ONE_IN allocations fails, with its own
 * random sequence in each process. It does for children what fiu-run(1) does for the master:
 * fiu-run configures itself by the environment, and a child has none.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define ONE_IN 10000

static _Thread_local uint64_t state;

static bool fails(void)
{
	if (state == 0)
		state = (uint64_t)getpid() * 0x9e3779b97f4a7c15u | 1;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	if (state % ONE_IN != 0)
		return false;
	errno = ENOMEM;
	return true;
}

/* glibc's own names: dlsym() allocates. */
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);

void *malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	return fails() ? NULL : __libc_realloc(old, size);
}
