/*
 * Runs in the master, once. A child that was taken over can read its environment, so it gets none
 * of the variables that it does not need (credentials of other services, paths, names).
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "master/child/child.h"

/* The variables that the C library, the loader, GnuTLS and the sanitizers use. */
static const char *const kept[] = {
    "TZ",
    "TZDIR",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "GLIBC_TUNABLES",
    "GNUTLS_SYSTEM_PRIORITY_FILE",
    "GNUTLS_SYSTEM_PRIORITY_FAIL_ON_INVALID",
    "GNUTLS_FORCE_FIPS_MODE",
    "GNUTLS_CPUID_OVERRIDE",
    "ASAN_OPTIONS",
    "LSAN_OPTIONS",
    "TSAN_OPTIONS",
    "UBSAN_OPTIONS",
};
#define KEPT (sizeof(kept) / sizeof(kept[0]))

static bool is_kept(const char *entry)
{
	size_t len = strcspn(entry, "=");
	for (size_t i = 0; i < KEPT; i++)
		if (strlen(kept[i]) == len && memcmp(kept[i], entry, len) == 0)
			return true;
	return false;
}

char **environment_for_children(void)
{
	size_t count = 0, all = 0;
	while (environ[all] != NULL)
		all++;
	char **list = calloc(all + 1, sizeof(*list));
	for (size_t i = 0; i < all && list != NULL; i++)
		if (is_kept(environ[i]))
			list[count++] = environ[i];
	return list;
}
