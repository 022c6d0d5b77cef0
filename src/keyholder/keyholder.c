/*
 * The keyholder role, from its first message to its end. It receives its files open, and reads them
 * after it gave up its privileges. Must never face the network, decrypt, or leave a key in freed
 * memory.
 */
#include "keyholder/keyholder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syslog.h>
#include <sysexits.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/same.h"
#include "channel.h"
#include "fault.h"
#include "tls/key.h"

static void keyring_make(struct keyholder *k, size_t count)
{
	const struct conf_port *port = k->role->port;
	const char **paths = calloc(count, sizeof(*paths));
	k->keys.keys = calloc(count, sizeof(*k->keys.keys));
	k->keys.firsts = calloc(count, sizeof(*k->keys.firsts));
	for (size_t i = 0; paths != NULL && i < count; i++)
		paths[i] = port->certificates[i].key;
	if (paths == NULL || k->keys.keys == NULL || k->keys.firsts == NULL ||
	    same_texts(paths, count, k->keys.firsts) < 0)
		role_fail(k->role, role_status(k->role, ENOMEM), "out of memory");
	free(paths);
}

/* Each file is read once, however many hosts have it. */
static void keys_load(struct keyholder *k)
{
	struct role *r = k->role;
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

static void keyholder_told(struct role *r, struct ipc_message *m)
{
	struct keyholder *k = (struct keyholder *)r->user;
	struct ipc_key_channels who;
	struct ipc_fault fault;
	switch (m->type) {
	case IPC_DRAIN:
		k->ended = true;
		break;
	case IPC_PING:
		(void)ipc_send(r->channel_fd, IPC_PONG, NULL, 0, NULL, 0);
		break;
	case IPC_KEY_CHANNELS:
		memcpy(&who, m->payload, sizeof(who));
		for (size_t i = 0; i < m->fds_count; i++) {
			if (!channel_add(k, m->fds[i], &who)) {
				log_write(&r->log, LOG_ERR, "out of memory: worker %u has no key",
					  who.worker);
				(void)ipc_send(r->channel_fd, IPC_KEY_ABUSED, &who, sizeof(who),
					       NULL, 0);
			}
			m->fds[i] = -1;
		}
		break;
	case IPC_FAULT:
		memcpy(&fault, m->payload, sizeof(fault));
		keyholder_fault(k, &fault);
		break;
	default: /* not permitted in this role */
		break;
	}
}

static void log_tick_expired(struct loop *loop, struct loop_timer *timer)
{
	struct keyholder *k =
	    (struct keyholder *)((char *)timer - offsetof(struct keyholder, log_tick));
	log_tick(&k->role->log);
	if (log_outstanding(&k->role->log))
		loop_timer_set(loop, timer, loop->now_ms + LOG_TICK_MS);
}

static void keyholder_serve(struct keyholder *k)
{
	struct log *log = &k->role->log;
	while (!k->ended) {
		int error = loop_turn(&k->loop, -1);
		if (error < 0) {
			log_write(log, LOG_CRIT, "the event loop failed: %s", strerror(-error));
			return;
		}
		if (log_outstanding(log) && !loop_timer_is_set(&k->log_tick)) {
			ipc_slot_put(&k->role->slots[0].counters.log_dropped, log_dropped(log));
			loop_timer_set(&k->loop, &k->log_tick, k->loop.now_ms + LOG_TICK_MS);
		}
	}
	loop_rest(&k->loop);
}

int keyholder_main(struct role *r)
{
	struct keyholder k = {.role = r};
	const struct conf_port *port = r->port;
	LIST_INIT(&k.channels);

	/* the channels count twice: old and new workers overlap */
	role_confine(r, SANDBOX_KEYHOLDER,
		     ROLE_DESCRIPTORS + 2 * (uint64_t)port->workers * port->threads +
			 port->certificates_count);
	keys_load(&k);
	int error = loop_init(&k.loop);
	k.loop.busy_since_ms = &r->slots[0].busy_since_ms;
	if (error == 0)
		error = loop_timer_init(&k.loop, &k.log_tick, log_tick_expired);
	if (error == 0)
		error = role_listen(r, &k.loop, ipc_to_keyholder, keyholder_told, NULL, &k);
	if (error < 0)
		role_fail(r, role_status(r, -error), "cannot make the event loop: %s",
			  strerror(-error));
	role_seal(r, &k.loop);
	keyholder_serve(&k);

	channel_close_all(&k);
	keyring_release(&k.keys);
	loop_release(&k.loop);
	role_release(r);
	return k.ended ? EX_OK : EX_SOFTWARE;
}
