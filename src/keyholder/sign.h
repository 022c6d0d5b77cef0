/*
 * The judgement over one request, and the signature: src/keyholder only. Knows keys and bytes, no
 * descriptors.
 */
#ifndef KEYHOLDER_SIGN_H
#define KEYHOLDER_SIGN_H

#include <gnutls/abstract.h>
#include <stddef.h>

#include "ipc/key.h"

struct keyring {
	gnutls_privkey_t *keys; /* owned; by index of the port's pairs */
	size_t count;
};

void keyring_release(struct keyring *);

/*
 * Answers a request that is in form (ipc_key_request_check()): signs what one of the keys is for,
 * in exactly the forms that TLS has, and refuses everything else. ret_answer is complete, its id
 * too. NULL, or why it was refused: static text.
 */
const char *keyring_sign(const struct keyring *, const struct ipc_key_request *,
			 struct ipc_key_answer *ret_answer);

#endif
