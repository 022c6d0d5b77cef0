/*
 * The development certificate: made once per user, so that the first start needs no preparation.
 *
 * Self-signed ECDSA P-256, for localhost, the host's name, 127.0.0.1 and ::1, for ten years. Kept
 * in a folder of the user's: $STATE_DIRECTORY (systemd.exec(5)), else $XDG_STATE_HOME/bulkhead,
 * else ~/.local/state/bulkhead (XDG Base Directory Specification).
 */
#ifndef TLS_DEVCERT_H
#define TLS_DEVCERT_H

#include <limits.h>
#include <stdbool.h>

#include "base/err.h"

#define DEVCERT_FINGERPRINT_MAX (32 * 3) /* "AB:CD:…", its terminator included */

struct devcert {
	char certificate[PATH_MAX];
	char key[PATH_MAX];
	char fingerprint[DEVCERT_FINGERPRINT_MAX]; /* SHA-256 of the certificate */
	bool made;                                 /* just now, not found */
};

/* Finds or makes it. Files appear whole or not at all, the key with mode 0600; two processes that
 * do this at once end up with one pair. 0, or -1 and a sentence in err. */
int devcert_ensure(struct devcert *ret, struct err *);

#endif
