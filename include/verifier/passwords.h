/*
 * A password file: lines `user:hash`, as htpasswd(1) and mkpasswd(1) make them. Empty lines and
 * lines that begin with "#" are left out, and so is what follows a second colon, a byte order mark
 * at the begin and the CR of a line that ends with CRLF.
 *
 * Hashes are those of crypt(5) that are made for passwords: bcrypt ($2b$, $2y$, $2a$), SHA-256 and
 * SHA-512 ($5$, $6$) and yescrypt ($y$), as costly as a second at most. Others are refused: plain
 * text, MD5 ($1$, $apr1$), SHA-1 ({SHA}) and DES, which somebody who reads the file has soon
 * undone.
 */
#ifndef VERIFIER_PASSWORDS_H
#define VERIFIER_PASSWORDS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define PASSWORDS_FILE_MAX  ((size_t)16 << 20) /* bytes */
#define PASSWORDS_USERS_MAX 100000

#define PASSWORDS_NOBODY "password file \"%s\" has no user: nobody can come in by it"

struct passwords;

/* Reads an open file; path is for messages. The content is added to digest (base), unless that is
 * NULL. Returns 0; or, with a sentence in err that never shows a hash, -1 or -EAGAIN (out of
 * memory). */
int passwords_load(int fd, const char *path, uint8_t *digest, struct passwords **ret, struct err *);
/* How many users there are; without any, nobody can come in. */
size_t passwords_count(const struct passwords *);
/* Wipes them; NULL is ignored. */
void passwords_free(struct passwords *);

enum passwords_verdict { PASSWORDS_RIGHT, PASSWORDS_WRONG, PASSWORDS_FAILED };

/* Takes as long for an unknown user as for some user of the file, always the same one, so that
 * the time does not show which users exist. FAILED: out of memory. */
enum passwords_verdict passwords_check(const struct passwords *, const char *user, size_t user_len,
				       const char *password, size_t password_len);

#endif
