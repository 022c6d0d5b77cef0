/*
 * The development certificate: made once per user, so that the first start needs no preparation.
 *
 * Self-signed ECDSA P-256, for localhost, the host's name, 127.0.0.1 and ::1, for ten years. It is
 * kept in a folder of the user: $STATE_DIRECTORY (systemd.exec(5)), else $XDG_STATE_HOME/bulkhead,
 * else ~/.local/state/bulkhead (XDG Base Directory Specification). If no folder can be written, as
 * in a container, one is made in memory for this run.
 */
#ifndef TLS_DEVCERT_H
#define TLS_DEVCERT_H

#include <limits.h>
#include <stdbool.h>

#include "base/err.h"

#define DEVCERT_FINGERPRINT_MAX (32 * 3) /* "AB:CD:…" with its terminator */

struct devcert {
	char certificate[PATH_MAX];
	char key[PATH_MAX];
	char fingerprint[DEVCERT_FINGERPRINT_MAX]; /* SHA-256 of the certificate */
	bool made;                                 /* made now, not found */
	bool unkept;                               /* in memory only: see devcert_unkept() */
};

/* Finds or makes the certificate. Files appear whole or not at all, the key with mode 0600; two
 * processes that run this at the same time end up with one pair. Returns 0; or, with a sentence in
 * err, DEVCERT_NO_PLACE if no folder can be written, else -1. */
#define DEVCERT_NO_PLACE (-2)
int devcert_ensure(struct devcert *ret, struct err *);

/* Looks for the one that devcert_ensure() would find, and makes nothing. 1, and its paths; 0: it
 * would be made; -1 and a sentence: one half of it is missing, or it cannot be kept. */
int devcert_find(struct devcert *ret, struct err *);

/* Makes a certificate in two empty files without a name (memfd_create(2)) that the caller owns. The
 * paths are those of the descriptors in /proc/self/fd: valid in this process while they are open.
 * Returns 0, or -1 and a sentence in err. */
int devcert_unkept(int certificate_fd, int key_fd, struct devcert *ret, struct err *);

#endif
