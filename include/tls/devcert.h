/*
 * The development certificate: made once per user, so that the first start needs no preparation.
 *
 * Self-signed ECDSA P-256, for localhost, the host's name, 127.0.0.1 and ::1, for ten years. Kept
 * in a folder of the user's: $STATE_DIRECTORY (systemd.exec(5)), else $XDG_STATE_HOME/bulkhead,
 * else ~/.local/state/bulkhead (XDG Base Directory Specification). Where nothing can be written, as
 * in a container, there is one for this run.
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
	bool unkept;                               /* in memory: see devcert_unkept() */
};

/* Finds or makes it. Files appear whole or not at all, the key with mode 0600; two processes that
 * do this at once end up with one pair. 0, or a sentence in err and -1, or DEVCERT_NO_PLACE if it
 * failed for want of a folder that can be written. */
#define DEVCERT_NO_PLACE (-2)
int devcert_ensure(struct devcert *ret, struct err *);

/* Makes one in two empty files without a name, memfd_create(2), which stay the caller's. The paths
 * are those of the descriptors, in /proc/self/fd: good in this process, as long as they are open.
 * 0, or -1 and a sentence in err. */
int devcert_unkept(int certificate_fd, int key_fd, struct devcert *ret, struct err *);

#endif
