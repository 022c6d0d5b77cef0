/*
 * Password files of the selftest's own, in place of those of the configuration; src/selftest only.
 */
#ifndef SELFTEST_HTPASSWD_H
#define SELFTEST_HTPASSWD_H

#include <stdbool.h>

#include "base/err.h"
#include "conf/conf.h"
#include "copies.h"
#include "pair.h"

#define HTPASSWD_USER          "selftest"
#define HTPASSWD_PASSWORD_ROOM 33

/* Makes a password file (mode 0600) with one user, whose password is random. The needle to look for
 * in a memory that may hold the hash is added to needles. Returns 0, or -1 and a sentence. */
int htpasswd_make(const char *path, char ret_password[HTPASSWD_PASSWORD_ROOM], struct needles *,
		  struct err *);

/* Each place of the port with a password file has this one instead; its hosts are copies already.
 * The path is used as long as the copies are. False: no memory. */
bool htpasswd_put(struct conf_port *, const char *path, struct copies *);
/* Adds a location with this password file to the port's default host. */
bool htpasswd_add(struct conf_port *, const char *path, struct copies *);

#endif
