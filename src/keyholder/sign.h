/*
 * Judges one request and signs; src/keyholder only. It knows keys and bytes, no descriptors.
 */
#ifndef KEYHOLDER_SIGN_H
#define KEYHOLDER_SIGN_H

#include <gnutls/abstract.h>
#include <stddef.h>

#include "ipc/key.h"

struct keyring {
	gnutls_privkey_t *keys; /* owned; indexed like the port's pairs */
	size_t count;
	/* For each pair, the first that has the same key; owned. NULL: each has its own. */
	uint32_t *firsts;
	/* For each pair, the sides that show its certificate: 1 << enum tls_side; owned. NULL: all
	 * are a server's. */
	uint8_t *sides;
};

void keyring_release(struct keyring *);

/*
 * Answers a well-formed request (ipc_key_request_check()). Signs only with a scheme of the key, in
 * exactly the forms that TLS has, and refuses everything else, a form of the other side among it.
 * Only EdDSA's form shows the side: the others sign a digest. ret_answer is complete in any case.
 * Returns NULL, or why the request was refused, as static text.
 */
const char *keyring_sign(const struct keyring *, const struct ipc_key_request *,
			 struct ipc_key_answer *ret_answer);

#endif
