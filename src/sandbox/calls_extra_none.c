/*
 * For every build except those with sanitizers, which use calls_extra_sanitizer.c. Runs in every
 * role; must never hold a call that can open anything.
 */
#include <errno.h>
#include <fcntl.h>

#include "internal.h"

const bool calls_sanitized = false;

/*
 * glibc's malloc() reads /proc/sys/vm/overcommit_memory when it first frees memory of an arena that
 * is not the main one, which only threads have: long after the seal, on any thread. It works
 * without the file, so this form of the call fails instead of ending the process.
 */
const struct rule calls_extra[] = {
    {{"openat", "fails, as malloc(3) calls it"},
     {{CHECK_EQUAL, 0, (uint32_t)AT_FDCWD}, {CHECK_EQUAL, 2, O_RDONLY | O_CLOEXEC}},
     EACCES,
     SANDBOX_THREADS},
};
const size_t calls_extra_count = 1;

const char *const calls_not_denied[] = {NULL};
