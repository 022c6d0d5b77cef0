/*
 * Client certificates: whose certificates a host accepts, and what of them is revoked. Loaded once
 * for all event loops of a process, before it serves; read-only afterwards.
 *
 * A client's certificate is accepted if it leads, through at most depth certificates that the
 * client sends, to one of the authorities; is valid now and for clients (RFC 5280, 4.2.1.12); and
 * neither it nor an issuer on the way is in a list of what is revoked (RFC 5280, 5). A list that is
 * older than it promises (nextUpdate) still counts: what it revokes stays revoked.
 */
#ifndef TLS_CLIENTS_H
#define TLS_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "ipc/channel.h" /* IPC_DIGEST_BYTES */

struct tls_clients;

#define TLS_CLIENTS_DEPTH_MAX 16

struct tls_clients_options {
	bool required;
	unsigned depth;
	const char *authority; /* for messages; opened if its fd is -1 */
	int authority_fd;
	size_t authority_max; /* bytes */
	const char *revoked;  /* NULL: nothing is revoked */
	int revoked_fd;
	size_t revoked_max;
	/* receives what is of no use, as an authority that has expired; may be NULL */
	void (*warn)(void *arg, size_t pair, const char *text);
	void *arg;
	uint8_t *digest; /* of both files, which is added (tls/digest.h); NULL: not wanted */
};

/* Returns 0; or -1, or -EAGAIN out of memory, with a sentence in err. */
int tls_clients_new(const struct tls_clients_options *, struct tls_clients **ret, struct err *);
void tls_clients_free(struct tls_clients *);

#endif
