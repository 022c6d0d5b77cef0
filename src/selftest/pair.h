/*
 * Throwaway certificates; src/selftest only.
 */
#ifndef SELFTEST_PAIR_H
#define SELFTEST_PAIR_H

#include <stddef.h>

#include "agent.h"
#include "base/err.h"

/* In the order in which a port has them; try_key.c depends on it. */
enum pair_kind { PAIR_ECDSA, PAIR_RSA, PAIR_ED25519, PAIR_KINDS };

struct needles {
	struct needle list[NEEDLES_MAX];
	size_t count;
};

/* Makes a key and a self-signed certificate in two new files (PEM, mode 0600). The needles to look
 * for in a memory that may hold the key are added to needles (NULL: not needed). Returns 0, or -1
 * and a sentence. */
int pair_make(enum pair_kind, const char *certificate_path, const char *key_path, struct needles *,
	      struct err *);

#endif
