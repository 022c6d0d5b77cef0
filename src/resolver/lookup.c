/*
 * Runs in resolvers. Must never wait for a name server, nor give connect(2) a pointer to anything
 * but the place of one: the kernel ends the process for it.
 */
#define CARES_NO_DEPRECATED /* the functions that the c-ares of Debian 12 has, too */
#include "lookup.h"

#include <ares.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/num.h"
#include "cache.h"

/* --- sockets ---------------------------------------------------------------------------------- */

static ares_socket_t socket_make(int family, int type, int protocol, void *arg)
{
	(void)protocol; /* the usual one of the type */
	(void)arg;
	return socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static int socket_close(ares_socket_t fd, void *arg)
{
	(void)arg;
	return close(fd);
}

static bool is_place_of(const union ipc_address *place, const struct sockaddr *a, socklen_t len)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)a;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)a;
	const struct sockaddr_in *own = (const struct sockaddr_in *)&place->storage;
	const struct sockaddr_in6 *own6 = (const struct sockaddr_in6 *)&place->storage;
	if (a->sa_family != place->any.sa_family)
		return false;
	if (a->sa_family == AF_INET)
		return len >= sizeof(*in) && in->sin_port == own->sin_port &&
		       in->sin_addr.s_addr == own->sin_addr.s_addr;
	return a->sa_family == AF_INET6 && len >= sizeof(*in6) &&
	       in6->sin6_port == own6->sin6_port &&
	       memcmp(&in6->sin6_addr, &own6->sin6_addr, sizeof(in6->sin6_addr)) == 0;
}

static int socket_connect(ares_socket_t fd, const struct sockaddr *to, ares_socklen_t len,
			  void *arg)
{
	const struct lookups *all = arg;
	for (size_t i = 0; i < all->places_count; i++) {
		const union ipc_address *place = &all->places[i];
		if (is_place_of(place, to, len))
			return connect(fd, &place->any, IPC_ADDRESS_LEN);
	}
	errno = EACCES;
	return -1;
}

static ares_ssize_t socket_receive(ares_socket_t fd, void *data, size_t size, int flags,
				   struct sockaddr *from, ares_socklen_t *from_len, void *arg)
{
	(void)arg;
	return recvfrom(fd, data, size, flags, from, from_len);
}

static ares_ssize_t socket_send(ares_socket_t fd, const struct iovec *data, int count, void *arg)
{
	(void)arg;
	return writev(fd, data, count);
}

static const struct ares_socket_functions socket_functions = {.asocket = socket_make,
							      .aclose = socket_close,
							      .aconnect = socket_connect,
							      .arecvfrom = socket_receive,
							      .asendv = socket_send};

/* --- events ----------------------------------------------------------------------------------- */

static void lookups_set_timer(struct lookups *all)
{
	struct timeval wait;
	if (ares_timeout(all->channel, NULL, &wait) == NULL) {
		loop_timer_cancel(all->loop, &all->timer);
		return;
	}
	const uint64_t wait_ms = (uint64_t)wait.tv_sec * 1000 + (uint64_t)wait.tv_usec / 1000;
	loop_timer_set(all->loop, &all->timer, all->loop->now_ms + wait_ms + 1);
}

static void lookups_expired(struct loop *loop, struct loop_timer *timer)
{
	struct lookups *all = (struct lookups *)((char *)timer - offsetof(struct lookups, timer));
	(void)loop;
	ares_process_fd(all->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	lookups_set_timer(all);
}

static void socket_ready(struct loop *loop, struct loop_io *io, uint32_t events)
{
	struct lookups *all = ((struct lookup_socket *)io)->owner;
	const bool writable = (events & EPOLLOUT) != 0;
	const bool readable = (events & ~(uint32_t)EPOLLOUT) != 0;
	const int fd = io->fd;
	(void)loop;
	ares_process_fd(all->channel, readable ? fd : ARES_SOCKET_BAD,
			writable ? fd : ARES_SOCKET_BAD);
	lookups_set_timer(all);
}

static struct lookup_socket *socket_find(struct lookups *all, int fd)
{
	for (size_t i = 0; i < LOOKUP_SOCKETS_MAX; i++)
		if (all->sockets[i].io.fd == fd)
			return &all->sockets[i];
	return NULL;
}

/* c-ares says what it waits for; of nothing, before it closes the socket. Without a place the
 * question is not answered in time. */
static void socket_wanted(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct lookups *all = arg;
	struct lookup_socket *s = socket_find(all, fd);
	const uint32_t events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u);
	if (events == 0) {
		if (s != NULL)
			loop_remove(all->loop, &s->io);
		if (s != NULL)
			s->io.fd = -1;
	} else if (s != NULL)
		(void)loop_modify(all->loop, &s->io, events);
	else if ((s = socket_find(all, -1)) != NULL) {
		s->io = (struct loop_io){.fd = fd, .ready = socket_ready};
		if (loop_add(all->loop, &s->io, events) < 0)
			s->io.fd = -1;
	}
}

/* --- what c-ares has found -------------------------------------------------------------------- */

bool lookup_is_usable(const struct network_address *a, bool v6)
{
	if (network_address_is_v4(a)) {
		const uint32_t v4 = (uint32_t)a->low;
		return !v6 && v4 >> 24 != 0 && v4 >> 28 < 0xe; /* 224/4, 240/4: nobody has them */
	}
	return (a->high != 0 || a->low != 0) && a->high >> 56 != 0xff;
}

static int address_compare(const void *a, const void *b)
{
	const struct network_address *x = a, *y = b;
	if (x->high != y->high)
		return x->high < y->high ? -1 : 1;
	return (x->low > y->low) - (x->low < y->low);
}

/* Of one family: the lowest ones, ascending, each once. */
struct sorted {
	struct network_address list[IPC_NAME_ADDRESSES_MAX];
	size_t count;
};

static void sorted_add(struct sorted *s, const struct network_address *a)
{
	size_t at = 0;
	while (at < s->count && address_compare(&s->list[at], a) < 0)
		at++;
	if (at < s->count && address_compare(&s->list[at], a) == 0)
		return;
	if (at == IPC_NAME_ADDRESSES_MAX)
		return;
	if (s->count < IPC_NAME_ADDRESSES_MAX)
		s->count++;
	memmove(&s->list[at + 1], &s->list[at], (s->count - at - 1) * sizeof(*s->list));
	s->list[at] = *a;
}

static bool node_read(const struct ares_addrinfo_node *n, struct network_address *ret)
{
	const void *a = n->ai_addr;
	if (n->ai_family == AF_INET && n->ai_addrlen >= sizeof(struct sockaddr_in))
		*ret = network_address_v4(&((const struct sockaddr_in *)a)->sin_addr);
	else if (n->ai_family == AF_INET6 && n->ai_addrlen >= sizeof(struct sockaddr_in6))
		*ret = network_address_v6(&((const struct sockaddr_in6 *)a)->sin6_addr);
	else
		return false;
	return lookup_is_usable(ret, n->ai_family == AF_INET6);
}

/* RFC 2181, 8: what is not positive is 0. */
static void ttl_take(struct lookup_result *r, int ttl)
{
	r->ttl = (uint32_t)num_least(r->ttl, ttl > 0 ? (uint64_t)ttl : 0);
}

static void result_read(const struct ares_addrinfo *info, struct lookup_result *ret)
{
	struct sorted families[2] = {{.count = 0}, {.count = 0}}; /* IPv6 first */
	struct network_address a;
	*ret = (struct lookup_result){.verdict = LOOKUP_FOUND, .ttl = INT32_MAX};
	for (const struct ares_addrinfo_node *n = info->nodes; n != NULL; n = n->ai_next) {
		if (!node_read(n, &a))
			continue;
		sorted_add(&families[n->ai_family == AF_INET], &a);
		ttl_take(ret, n->ai_ttl);
	}
	for (const struct ares_addrinfo_cname *c = info->cnames; c != NULL; c = c->next)
		ttl_take(ret, c->ttl);
	for (size_t i = 0; i < IPC_NAME_ADDRESSES_MAX; i++)
		for (int f = 0; f < 2; f++)
			if (i < families[f].count && ret->count < IPC_NAME_ADDRESSES_MAX)
				ret->list[ret->count++] = families[f].list[i];
	if (ret->count == 0)
		ret->verdict = LOOKUP_UNKNOWN;
}

static enum lookup_verdict verdict_of(int status)
{
	switch (status) {
	case ARES_ENODATA:
	case ARES_ENOTFOUND:
	case ARES_ENONAME:
	case ARES_EBADNAME:
		return LOOKUP_UNKNOWN;
	case ARES_ETIMEOUT:
	case ARES_ECONNREFUSED:
	case ARES_ESERVFAIL: /* the c-ares of Debian 12 does not say this, but the one above */
	case ARES_EREFUSED:
	case ARES_ENOTIMP:
	case ARES_EFORMERR:
		return LOOKUP_NO_ANSWER;
	default:
		return LOOKUP_FAILED;
	}
}

static void lookup_ended(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct lookup_result result;
	(void)timeouts;
	if (status == ARES_EDESTRUCTION || status == ARES_ECANCELLED) {
		ares_freeaddrinfo(info);
		return;
	}
	struct lookup *l = arg;
	if (status == ARES_SUCCESS && info != NULL)
		result_read(info, &result);
	else
		result = (struct lookup_result){.verdict = verdict_of(status)};
	ares_freeaddrinfo(info);
	l->done(l, &result); /* l may be gone after this */
}

void lookup_begin(struct lookups *all, struct lookup *l, const char *name,
		  void (*done)(struct lookup *, const struct lookup_result *))
{
	const struct ares_addrinfo_hints hints = {
	    .ai_flags = ARES_AI_NOSORT, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	*l = (struct lookup){.all = all, .done = done};
	ares_getaddrinfo(all->channel, name, NULL, &hints, lookup_ended, l);
	lookups_set_timer(all);
}

/* --- all of them ------------------------------------------------------------------------------ */

/* c-ares takes these as the system's settings. */
static const char *const variables[] = {"LOCALDOMAIN", "RES_OPTIONS", "HOSTALIASES", "CARES_HOSTS"};

static int channel_make(struct lookups *all, const struct servers *s)
{
	static char dns_only[] = "b", nothing[] = "/dev/null";
	char *domains[SERVERS_SEARCH_MAX];
	for (unsigned i = 0; i < s->search_count; i++)
		domains[i] = (char *)(uintptr_t)s->search[i];
	struct ares_options options = {.flags =
					   ARES_FLAG_NOALIASES | (s->tcp ? ARES_FLAG_USEVC : 0),
				       .timeout = (int)s->timeout_ms,
				       .tries = (int)s->attempts,
				       .ndots = (int)s->ndots,
				       .domains = domains,
				       .ndomains = (int)s->search_count,
				       .lookups = dns_only,
				       .sock_state_cb = socket_wanted,
				       .sock_state_cb_data = all,
				       .resolvconf_path = nothing};
	const int given = cache_leave_out(&options) | ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS |
			  ARES_OPT_TRIES | ARES_OPT_NDOTS | ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS |
			  ARES_OPT_SOCK_STATE_CB | ARES_OPT_RESOLVCONF |
			  (s->rotate ? ARES_OPT_ROTATE : ARES_OPT_NOROTATE);
	const int status = ares_init_options(&all->channel, &options, given);
	if (status != ARES_SUCCESS)
		all->channel = NULL;
	return status;
}

static int servers_set(struct lookups *all, const struct servers *s)
{
	struct ares_addr_port_node nodes[SERVERS_MAX];
	for (unsigned i = 0; i < s->count; i++) {
		struct ares_addr_port_node *n = &nodes[i];
		union ipc_address a;
		ipc_address_put(&a, &s->list[i].address, s->list[i].port);
		*n = (struct ares_addr_port_node){.next = i + 1 < s->count ? n + 1 : NULL,
						  .family = a.any.sa_family,
						  .udp_port = s->list[i].port,
						  .tcp_port = s->list[i].port};
		if (n->family == AF_INET)
			n->addr.addr4 = ((struct sockaddr_in *)&a.storage)->sin_addr;
		else
			memcpy(&n->addr.addr6, &((struct sockaddr_in6 *)&a.storage)->sin6_addr,
			       sizeof(n->addr.addr6));
	}
	return ares_set_servers_ports(all->channel, nodes);
}

int lookups_init(struct lookups *all, const struct servers *s, struct err *err)
{
	*all = (struct lookups){.timer = {.position = LOOP_TIMER_UNSET}};
	for (size_t i = 0; i < LOOKUP_SOCKETS_MAX; i++)
		all->sockets[i] = (struct lookup_socket){.io = {.fd = -1}, .owner = all};
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		(void)unsetenv(variables[i]);
	int status = ares_library_init(ARES_LIB_INIT_ALL);
	if (status == ARES_SUCCESS)
		status = channel_make(all, s);
	if (status == ARES_SUCCESS)
		status = servers_set(all, s);
	if (status == ARES_SUCCESS) {
		ares_set_socket_functions(all->channel, &socket_functions, all);
		return 0;
	}
	err_set(err, "c-ares cannot begin: %s", ares_strerror(status));
	if (all->channel != NULL)
		ares_destroy(all->channel);
	all->channel = NULL;
	return -1;
}

int lookups_begin(struct lookups *all, struct loop *loop, const union ipc_address *places,
		  size_t count)
{
	all->loop = loop;
	all->places = places;
	all->places_count = count;
	return loop_timer_init(loop, &all->timer, lookups_expired);
}

void lookups_end(struct lookups *all)
{
	if (all->channel != NULL)
		ares_destroy(all->channel);
	all->channel = NULL;
	ares_library_cleanup();
	loop_timer_release(all->loop, &all->timer);
}
