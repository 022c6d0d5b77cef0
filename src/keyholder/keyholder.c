/*
 * The keyholder role, from its first message to its end. It receives its files open, and reads them
 * after it gave up its privileges. Must never face the network, decrypt, or leave a key in freed
 * memory.
 */
#include "keyholder/keyholder.h"

#include <errno.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/same.h"
#include "fault.h"
#include "tls/key.h"
#include "tls/scheme.h"

/* The certificates of upstreams are shown by a client, the others by a server. */
static void sides_set(const struct conf_port *port, uint8_t *sides, size_t count)
{
	for (size_t i = 0; i < port->hosts_count; i++)
		for (uint32_t k = 0; k < port->hosts[i].certificates_count; k++)
			sides[port->hosts[i].certificates_first + k] |= 1u << TLS_SIDE_SERVER;
	for (size_t i = 0; i < port->upstreams_count; i++) {
		const uint32_t pair = port->upstreams[i].certificate;
		if (pair > 0 && pair <= count)
			sides[pair - 1] |= 1u << TLS_SIDE_CLIENT;
	}
}

static void keyring_make(struct keyholder *k, size_t count)
{
	const struct conf_port *port = k->holder.role->port;
	const char **paths = calloc(count, sizeof(*paths));
	k->keys.keys = calloc(count, sizeof(*k->keys.keys));
	k->keys.firsts = calloc(count, sizeof(*k->keys.firsts));
	k->keys.sides = calloc(count, sizeof(*k->keys.sides));
	for (size_t i = 0; paths != NULL && i < count; i++)
		paths[i] = port->certificates[i].key;
	if (paths == NULL || k->keys.keys == NULL || k->keys.firsts == NULL ||
	    k->keys.sides == NULL || same_texts(paths, count, k->keys.firsts) < 0)
		role_fail(k->holder.role, role_status(k->holder.role, ENOMEM), "out of memory");
	free(paths);
	sides_set(port, k->keys.sides, count);
}

/* Each file is read once, however many hosts have it. */
static void keys_load(struct keyholder *k)
{
	struct role *r = k->holder.role;
	struct err err;
	struct ipc_files files = {{0}};
	size_t count = role_count(r, IPC_FD_KEY);
	if (count != r->port->certificates_count)
		role_fail(r, EX_SOFTWARE, "its keys do not fit the configuration");
	keyring_make(k, count);
	for (; k->keys.count < count; k->keys.count++) {
		const size_t i = k->keys.count, first = k->keys.firsts[i];
		int fd = role_take(r, IPC_FD_KEY, i), error = 0;
		if (first == i)
			error = tls_key_load(fd, r->port->certificates[i].key, files.digest,
					     &k->keys.keys[i], &err);
		else
			k->keys.keys[i] = k->keys.keys[first];
		fd_close(&fd);
		if (error < 0)
			role_fail(r, error == -EAGAIN ? role_status(r, ENOMEM) : EX_CONFIG, "%s",
				  err.text);
	}
	role_tell(r, IPC_FILES, &files, sizeof(files));
}

/* --- serving ---------------------------------------------------------------------------------- */

/* `limits signatures` is per second; a worker may at once ask for one of each key. */
static bool rate_pays(struct holder_channel *c, const struct keyholder *k)
{
	const uint64_t rate = k->holder.role->port->limits.signatures;
	const uint64_t capacity = rate > k->keys.count ? rate : k->keys.count;
	return holder_pays(c, rate, capacity);
}

static void request_serve(struct holder_channel *c, const struct ipc_key_request *request)
{
	struct keyholder *k = keyholder_of(c->owner);
	struct ipc_counters *counters = &c->owner->role->slots[0].counters;
	struct ipc_key_answer answer;
	const char *why;
	if (rate_pays(c, k)) {
		why = keyring_sign(&k->keys, request, &answer);
	} else {
		answer = (struct ipc_key_answer){.id = request->id, .status = IPC_KEY_REFUSED};
		why = "more than its limit in a second";
	}
	ipc_slot_add(why != NULL ? &counters->signatures_refused : &counters->signatures, 1);
	if (why != NULL)
		holder_refused(c, "signature", why);
	if (k->garbage > 0) {
		keyholder_fault_answer(k, c->io.fd, &answer);
		return;
	}
	/* A worker that sends requests and does not read gets no answer. */
	(void)ipc_key_answer(c->io.fd, &answer);
}

static int keyholder_serve(struct holder_channel *c)
{
	struct ipc_key_request request;
	const int n = ipc_key_receive_request(c->io.fd, &request);
	if (n == 1)
		request_serve(c, &request);
	else if (n == -EBADMSG)
		ipc_slot_add(&c->owner->role->slots[0].counters.signatures_refused, 1);
	return n;
}

static const struct holder_ops ops = {
    .serve = keyholder_serve, .fault = keyholder_fault, .protocol = "the key protocol"};

int keyholder_main(struct role *r)
{
	struct keyholder k = {.holder = {.role = r, .ops = &ops}};
	const struct conf_port *port = r->port;

	/* the channels count twice: old and new workers overlap */
	role_confine(r, SANDBOX_KEYHOLDER,
		     ROLE_DESCRIPTORS + 2 * (uint64_t)port->workers * port->threads +
			 port->certificates_count);
	keys_load(&k);
	const int status = holder_run(&k.holder);
	keyring_release(&k.keys);
	return status;
}
