/*
 * A document root of the selftest's own, for attempts that would change it; src/selftest only.
 *
 * It lies in the stage's folder, and everybody may write all of it, so that only the layers of the
 * sandbox refuse. The workers that are tried are handed it as they are handed the roots of the
 * configuration.
 */
#ifndef SELFTEST_SITE_H
#define SELFTEST_SITE_H

#include <stdbool.h>

#include "base/err.h"
#include "conf/conf.h"
#include "copies.h"

#define SITE_NAME "site" /* in the stage's folder */
#define SITE_FILE "file"
#define SITE_PIPE "pipe" /* a FIFO */
#define SITE_NEW  "new"  /* does not exist */

/* Makes it. Returns 0, or -1 and a sentence. */
int site_make(const char *path, struct err *err);
/* Removes it, with whatever an attempt has made in it. */
void site_remove(const char *path);

/* Adds a location that serves it to the first host of the port that serves files; without one there
 * is nothing to add. False: no memory. */
bool site_add(struct conf_port *, const char *path, struct copies *);

#endif
