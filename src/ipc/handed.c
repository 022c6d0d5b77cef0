/*
 * The master sends, a new child receives. Must never leave a descriptor open that is refused, nor
 * guess what one is.
 */
#include "ipc/handed.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"

#define WORKER   (1u << IPC_WORKER)
#define KEYS     (1u << IPC_KEYHOLDER)
#define VERIFY   (1u << IPC_VERIFIER)
#define CONNECTS (1u << IPC_CONNECTOR)
#define RESOLVES (1u << IPC_RESOLVER)
#define ALL      (WORKER | KEYS | VERIFY | CONNECTS | RESOLVES)

const struct ipc_handed_kind ipc_handed_kinds[IPC_FD_KINDS] = {
    [IPC_FD_CONF] = {"configuration", ALL, 1, 1},
    [IPC_FD_SLOT] = {"counters", ALL, 1, 1},
    [IPC_FD_CHROOT] = {"root directory", ALL, 0, 1},
    [IPC_FD_TICKETS] = {"session ticket keys", WORKER, 0, 1},
    [IPC_FD_CERTIFICATE] = {"certificate", WORKER, 0, IPC_HANDED_MAX},
    [IPC_FD_KEY] = {"key", KEYS, 1, IPC_HANDED_MAX},
    [IPC_FD_KEY_CHANNEL] = {"key channel", WORKER, 0, IPC_FDS_MAX},
    [IPC_FD_LISTENER] = {"listener", WORKER, 1, IPC_FDS_MAX},
    [IPC_FD_PLACES] = {"places of document roots", WORKER, 0, 1},
    [IPC_FD_ROOT] = {"document root", WORKER, 0, IPC_HANDED_MAX},
    [IPC_FD_TYPES] = {"media types", WORKER, 0, 1},
    [IPC_FD_BODY] = {"file", WORKER, 0, IPC_HANDED_MAX},
    [IPC_FD_PASSWORDS] = {"password file", VERIFY, 1, IPC_HANDED_MAX},
    [IPC_FD_PASSWORD_CHANNEL] = {"password channel", WORKER, 0, IPC_FDS_MAX},
    [IPC_FD_AUTHORITY] = {"authority", WORKER, 0, IPC_HANDED_MAX},
    [IPC_FD_REVOKED] = {"revoked", WORKER, 0, IPC_HANDED_MAX},
    [IPC_FD_CONNECT_CHANNEL] = {"connect channel", WORKER, 0, IPC_FDS_MAX},
    [IPC_FD_HEALTH] = {"health of upstreams", WORKER | CONNECTS, 0, 1},
    [IPC_FD_USE] = {"use of upstreams", WORKER, 0, 1},
    [IPC_FD_NAMES] = {"addresses of names", CONNECTS | RESOLVES, 0, 1},
    [IPC_FD_UPSTREAM_AUTHORITY] = {"authority of upstreams", WORKER | CONNECTS, 0, IPC_HANDED_MAX},
    [IPC_FD_HOSTS] = {"table of hosts", RESOLVES, 1, 1},
    [IPC_FD_RESOLV] = {"list of name servers", RESOLVES, 1, 1},
};

/* --- the sender ------------------------------------------------------------------------------ */

bool ipc_batch_add(struct ipc_batch *b, enum ipc_handed kind, size_t of, int fd)
{
	if (b->count == IPC_FDS_MAX)
		return false;
	b->items[b->count] = (struct ipc_item){.kind = (uint16_t)kind, .of = (uint16_t)of};
	b->fds[b->count++] = fd;
	return true;
}

int ipc_batch_send(struct ipc_batch *b, int fd, struct ipc_complete *complete)
{
	int error =
	    ipc_send(fd, IPC_HANDED, b->items, b->count * sizeof(b->items[0]), b->fds, b->count);
	if (error < 0)
		return error;
	for (size_t i = 0; i < b->count; i++)
		complete->counts[b->items[i].kind]++;
	b->count = 0;
	return 0;
}

/* --- the receiver ---------------------------------------------------------------------------- */

static int next_receive(int fd, int timeout_ms, struct ipc_message *m, const char **ret_why)
{
	const uint64_t deadline_ms = clock_ms() + (uint64_t)timeout_ms;
	for (;;) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		const int n = ipc_receive(fd, ipc_to_new_child, IPC_BEGINNING, m);
		const uint64_t now_ms = clock_ms();
		if (n == 1)
			return 0;
		*ret_why = "it is started by the master only";
		if (n == 0)
			return -EPIPE;
		if (n == -EBADMSG)
			*ret_why = "a message is out of form";
		else if (n == -EMFILE)
			*ret_why = "the limit of open files is too low for them";
		else
			*ret_why = "the master does not send them";
		if (n != -EAGAIN)
			return n;
		if (now_ms >= deadline_ms)
			return -ETIMEDOUT;
		(void)poll(&ready, 1, (int)(deadline_ms - now_ms));
	}
}

static int room_make(struct ipc_handed_list *l, size_t more)
{
	if (l->count + more > IPC_HANDED_MAX)
		return -EBADMSG;
	if (l->count + more <= l->room)
		return 0;
	const size_t room = l->count + more + l->room;
	struct ipc_handed_fd *list = reallocarray(l->list, room, sizeof(*list));
	if (list == NULL)
		return -ENOMEM;
	l->list = list;
	l->room = room;
	return 0;
}

/* A kind that this role is not handed, a number twice, or one too many is refused. */
static bool item_fits(const struct ipc_handed_list *l, const struct ipc_item *item,
		      enum ipc_role role)
{
	if (item->kind >= IPC_FD_KINDS || !ipc_is_handed((enum ipc_handed)item->kind, role) ||
	    l->counts[item->kind] >= ipc_handed_kinds[item->kind].most)
		return false;
	for (size_t i = l->count; i-- > 0;)
		if (l->list[i].kind == item->kind)
			return item->of > l->list[i].of;
	return true;
}

static int items_take(struct ipc_handed_list *l, struct ipc_message *m, enum ipc_role role)
{
	struct ipc_item items[IPC_FDS_MAX];
	if (m->len != m->fds_count * sizeof(items[0]))
		return -EBADMSG;
	memcpy(items, m->payload, m->len);
	const int error = room_make(l, m->fds_count);
	for (size_t i = 0; i < m->fds_count && error == 0; i++) {
		if (!item_fits(l, &items[i], role))
			return -EBADMSG;
		l->list[l->count++] = (struct ipc_handed_fd){
		    .kind = items[i].kind, .of = items[i].of, .fd = m->fds[i]};
		l->counts[items[i].kind]++;
		m->fds[i] = -1;
	}
	return error;
}

static int complete_check(const struct ipc_handed_list *l, const struct ipc_message *m,
			  enum ipc_role role)
{
	struct ipc_complete complete;
	memcpy(&complete, m->payload, sizeof(complete));
	for (unsigned kind = 0; kind < IPC_FD_KINDS; kind++)
		if (complete.counts[kind] != l->counts[kind] ||
		    (ipc_is_handed((enum ipc_handed)kind, role) &&
		     l->counts[kind] < ipc_handed_kinds[kind].least))
			return -EBADMSG;
	return 0;
}

/* Returns 1 after the last message. */
static int message_take(struct ipc_handed_list *l, struct ipc_start *start, struct ipc_message *m)
{
	const bool started = start->role != 0;
	const enum ipc_role role = (enum ipc_role)start->role;
	if (m->type == IPC_START && !started) {
		memcpy(start, m->payload, sizeof(*start));
		return start->role > 0 && start->role < IPC_ROLES ? 0 : -EBADMSG;
	}
	if (m->type == IPC_HANDED && started)
		return items_take(l, m, role);
	if (m->type == IPC_COMPLETE && started)
		return complete_check(l, m, role) < 0 ? -EBADMSG : 1;
	return -EBADMSG;
}

int ipc_handed_receive(int fd, int timeout_ms, struct ipc_start *ret_start,
		       struct ipc_handed_list *ret, const char **ret_why)
{
	struct ipc_start start = {.role = 0};
	struct ipc_handed_list l = {.list = NULL};
	struct ipc_message m;
	int result = 0;
	while (result == 0) {
		result = next_receive(fd, timeout_ms, &m, ret_why);
		if (result < 0)
			break;
		result = message_take(&l, &start, &m);
		ipc_message_release(&m);
		if (result < 0)
			*ret_why = result == -ENOMEM ? "out of memory"
						     : "the messages do not fit their descriptors";
	}
	if (result < 0) {
		ipc_handed_release(&l);
		return result;
	}
	*ret_start = start;
	*ret = l;
	return 0;
}

static int *handed_find(const struct ipc_handed_list *l, enum ipc_handed kind, size_t of)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->list[i].kind == kind && l->list[i].of == of)
			return &l->list[i].fd;
	return NULL;
}

int ipc_handed_look(const struct ipc_handed_list *l, enum ipc_handed kind, size_t of)
{
	const int *at = handed_find(l, kind, of);
	return at == NULL ? -1 : *at;
}

int ipc_handed_take(struct ipc_handed_list *l, enum ipc_handed kind, size_t of)
{
	int *at = handed_find(l, kind, of);
	const int fd = at == NULL ? -1 : *at;
	if (at != NULL)
		*at = -1;
	return fd;
}

void ipc_handed_release(struct ipc_handed_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		fd_close(&l->list[i].fd);
	free(l->list);
	*l = (struct ipc_handed_list){.list = NULL};
}
