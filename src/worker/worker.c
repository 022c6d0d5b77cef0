/*
 * The worker role, from its first message to its end. It opens nothing after it is confined: it
 * receives its descriptors. It must never see a private key.
 */
#include "worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syslog.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/num.h"
#include "http/proto.h"
#include "tls/client.h"
#include "tls/digest.h"
#include "worker/fault.h"
#include "worker/lack.h"
#include "worker/loop.h"

#define GIVE_UP_MS 1000

/* --- beginning ------------------------------------------------------------------------------- */

/* The memory that is not connections': the present size, and as much again for libraries. */
static uint64_t memory_own(void)
{
	char text[64] = "";
	uint64_t pages = 0;
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	fd_close(&fd);
	if (n > 0)
		(void)num_parse(text, strcspn(text, " "), 0, UINT32_MAX, &pages);
	return 2 * pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Fails like a lack of descriptors, which is temporary: the port waits and is not parked. */
static void block_check(struct role *r, const struct sandbox_plan *block)
{
	struct rlimit limit = {.rlim_cur = RLIM_INFINITY};
	const unsigned end = block->guarded_first + block->guarded_count;
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < end)
		role_fail(r, role_status(r, EMFILE),
			  "its listeners alone need %u descriptors, and %llu may be open", end,
			  (unsigned long long)limit.rlim_cur);
}

static bool block_has(const struct sandbox_plan *block, int fd)
{
	return fd >= (int)block->guarded_first &&
	       fd < (int)(block->guarded_first + block->guarded_count);
}

/*
 * Moves the listeners, which are among the received descriptors, into a block of numbers that the
 * seal guards, so that no connection ever gets a number in it. Each loop has its own duplicates,
 * since epoll_ctl(2) identifies a registration by its descriptor. The block begins after what else
 * was received; a listener may have a number in it already, or a later one.
 */
static void listeners_take(struct worker *w, struct sandbox_plan *ret_block)
{
	struct role *r = w->role;
	const unsigned count = (unsigned)role_count(r, IPC_FD_LISTENER);
	int handed[IPC_FDS_MAX];
	if (count == 0)
		role_fail(r, EX_SOFTWARE, "it was handed no listener");
	for (unsigned i = 0; i < count; i++)
		handed[i] = role_take(r, IPC_FD_LISTENER, i);
	sandbox_guard_block(role_handed_end(r), count * w->loops_count, ret_block);
	block_check(r, ret_block);
	w->listeners_count = count;
	w->listener_fds_count = ret_block->guarded_count;
	w->listener_fds = calloc(w->listener_fds_count, sizeof(*w->listener_fds));
	if (w->listener_fds == NULL)
		role_fail(r, role_status(r, ENOMEM), "out of memory");
	const int first = (int)ret_block->guarded_first;
	for (unsigned i = 0; i < w->listener_fds_count; i++) {
		const int fd = handed[i % count];
		const bool in_place = i < count && block_has(ret_block, fd);
		w->listener_fds[i] = in_place ? fd : fcntl(fd, F_DUPFD_CLOEXEC, first);
		if (w->listener_fds[i] < 0)
			role_fail(r, role_status(r, errno), "cannot place the listeners: %s",
				  strerror(errno));
		if (!block_has(ret_block, w->listener_fds[i]))
			role_fail(r, EX_SOFTWARE, "the listeners' descriptors are in use");
	}
	for (unsigned i = 0; i < count; i++)
		if (!block_has(ret_block, handed[i]))
			fd_close(&handed[i]);
}

/* Descriptors that a loop has for moments: the file that an encoded one takes the place of, and an
 * entry of a folder that is listed. */
#define FILES_DESCRIPTORS 2

/* The most for the connections of all loops, and for what the loops keep. */
static uint64_t descriptors_held(const struct worker *w)
{
	const uint64_t kept = w->port->roots_count > 0 ? HANDLER_DESCRIPTORS_KEPT : 0;
	return (worker_conns_max(w) * w->descriptors_each + kept) * w->loops_count +
	       worker_upstreams_descriptors(w);
}

/* Of a loop for upstreams, besides connections: its channel to the connector, and a connection that
 * has come and has no owner yet. */
#define UPSTREAM_DESCRIPTORS 2

/* Besides its listeners, each loop needs an epoll set, a wakeup, and a channel each to a keyholder
 * and to the verifier. */
static void worker_confine(struct worker *w)
{
	struct role *r = w->role;
	struct rlimit limit = {0};
	struct sandbox_plan block;
	const uint64_t loops = w->loops_count;
	listeners_take(w, &block);
	w->memory_own = memory_own();
	w->descriptors_each = w->port->roots_count > 0 ? 2 : 1;
	const uint64_t of_loop = 4 + (w->port->endpoints_count > 0 ? UPSTREAM_DESCRIPTORS : 0);
	w->descriptors_own = ROLE_DESCRIPTORS + block.guarded_first + block.guarded_count +
			     of_loop * loops + w->port->roots_count + FILES_DESCRIPTORS * loops;
	role_confine(r, SANDBOX_WORKER, w->descriptors_own + descriptors_held(w));
	r->plan.guarded_first = block.guarded_first;
	r->plan.guarded_count = block.guarded_count;
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	w->descriptors_max = limit.rlim_cur;
}

#define WARNINGS_TOLD 10 /* of a port, which may have a thousand certificates */

struct warnings {
	struct log *log;
	unsigned worker;
	size_t count;
};

static void certificate_warning(void *arg, size_t pair, const char *text)
{
	struct warnings *warnings = arg;
	(void)pair;
	if (warnings->worker == 1 && warnings->count++ < WARNINGS_TOLD) /* once per pool */
		log_write(warnings->log, LOG_WARNING, "%s", text);
}

static void warnings_end(const struct warnings *warnings)
{
	if (warnings->count > WARNINGS_TOLD)
		log_write(warnings->log, LOG_WARNING,
			  "%zu more warnings about certificates; `bulkhead -t` shows all",
			  warnings->count - WARNINGS_TOLD);
}

/* Takes the open certificates, in the order of the pairs. */
static struct tls_pair *pairs_take(struct worker *w)
{
	size_t count = worker_upstreams_pairs(w);
	struct tls_pair *pairs = calloc(count, sizeof(*pairs));
	if (pairs == NULL)
		role_fail(w->role, role_status(w->role, ENOMEM), "out of memory");
	for (size_t i = 0; i < count; i++)
		pairs[i] = (struct tls_pair){
		    .certificate = w->port->certificates[i].certificate,
		    .certificate_fd = role_take(w->role, IPC_FD_CERTIFICATE, i),
		    .key = w->port->certificates[i].key,
		};
	return pairs;
}

static struct tls_host *hosts_list(const struct worker *w)
{
	const struct conf_port *port = w->port;
	struct tls_host *list = calloc(port->hosts_count, sizeof(*list));
	if (list == NULL)
		role_fail(w->role, role_status(w->role, ENOMEM), "out of memory");
	for (size_t i = 0; i < port->hosts_count; i++) {
		const struct conf_host *host = &port->hosts[i];
		list[i] = (struct tls_host){
		    .names = (const char *const *)host->names,
		    .names_count = host->names_count,
		    .first = host->certificates_first,
		    .count = host->certificates_count,
		    .clients = host->client > 0 ? w->authorities[host->client - 1] : NULL,
		    .policy = conf_host_policy(host)};
	}
	return list;
}

/* A keyholder that hangs or is being replaced is not a fault of the configuration. The master must
 * be told of one that hangs: while no worker serves, no other request would show it. */
static void __attribute__((noreturn))
tls_failed(struct worker *w, const struct worker_loop *l, int error, const struct err *err)
{
	bool lacking = l->signer.failure != NULL && !l->signer.refused;
	if (l->signer.silent)
		(void)ipc_send(w->role->channel_fd, IPC_KEY_SILENT, NULL, 0, NULL, 0);
	role_fail(w->role,
		  lacking            ? EX_TEMPFAIL
		  : error == -EAGAIN ? role_status(w->role, ENOMEM)
				     : EX_CONFIG,
		  "%s", err->text);
}

/* The master compares the digests of two generations: all that a worker reads of its files, and
 * keeps, is in it. certificates: the digest of these; zeros without TLS. */
static void files_tell(const struct worker *w, const uint8_t certificates[IPC_DIGEST_BYTES])
{
	struct ipc_files files;
	memcpy(files.digest, certificates, sizeof(files.digest));
	worker_bodies_digest(w, files.digest);
	tls_digest_add(files.digest, w->types_digest);
	if (w->port->clients_count > 0)
		tls_digest_add(files.digest, w->authorities_digest);
	if (w->port->upstreams_count > 0)
		tls_digest_add(files.digest, w->upstreams_digest);
	role_tell(w->role, IPC_FILES, &files, sizeof(files));
}

static void certificates_tell(const struct worker *w, const struct tls_certificates *c)
{
	_Static_assert(sizeof(c->digest) == IPC_DIGEST_BYTES, "one digest");
	files_tell(w, c->digest);
	for (size_t i = 0; i < w->port->certificates_count; i++) {
		struct ipc_certificate told = {
		    .pair = i, .begins = c->list[i].begins, .ends = c->list[i].ends};
		(void)strlcpy(told.subject, c->list[i].subject, sizeof(told.subject));
		role_tell(w->role, IPC_CERTIFICATE, &told, sizeof(told));
	}
}

/* The first loop's keyholder proves all keys; the others have loaded the same files. */
static void credentials_load(struct worker *w, struct tls_certificates *told,
			     struct warnings *warnings)
{
	size_t pair = 0, count = worker_upstreams_pairs(w);
	struct err err;
	worker_authorities_take(w, certificate_warning, warnings);
	struct tls_host *hosts = hosts_list(w);
	const struct tls_credentials_options options = {.hosts = hosts,
							.hosts_count = w->port->hosts_count,
							.refuses_unknown = w->port->refuses_unknown,
							.signer = &w->loops[0].signer,
							.warn = certificate_warning,
							.arg = warnings,
							.certificates = told};
	struct tls_pair *pairs = pairs_take(w);
	int error = tls_credentials_new(pairs, count, &options, &w->credentials, &pair, &err);
	if (error < 0)
		tls_failed(w, &w->loops[0], error, &err);
	if (tls_credentials_judge(w->credentials, w->policy, &pair, &err) < 0)
		role_fail(w->role, EX_CONFIG, "certificate \"%s\" cannot be used: %s",
			  w->port->certificates[pair].certificate, err.text);
	tls_policy_warn(w->policy, certificate_warning, warnings);
	free(hosts);
	for (size_t i = 0; i < count; i++)
		fd_close(&pairs[i].certificate_fd);
	free(pairs);
}

static void tickets_take(struct worker *w)
{
	int fd = role_take(w->role, IPC_FD_TICKETS, 0);
	w->tickets = ipc_tickets_map(fd);
	if (w->tickets == NULL)
		role_fail(w->role, role_status(w->role, ENOMEM),
			  "cannot map the session ticket keys");
	fd_close(&fd);
}

static bool has_tls_upstream(const struct conf_port *port)
{
	for (size_t i = 0; i < port->upstreams_count; i++)
		if (port->upstreams[i].tls)
			return true;
	return false;
}

/* The protocol policies come from the system's, so they are read before the process is confined. */
static void policies_make(struct worker *w)
{
	struct err err;
	const char *protocols[HTTP_PROTOCOL_NAMES_MAX];
	if (has_tls_upstream(w->port) && tls_client_policy_new(&w->client_policy, &err) < 0)
		role_fail(w->role, EX_CONFIG, "%s", err.text);
	if (w->port->plain)
		return;
	if (tls_policy_new(&w->port->tls, &w->policy, &err) < 0)
		role_fail(w->role, EX_CONFIG, "%s", err.text);
	tls_policy_protocols(w->policy, protocols, http_protocol_names(protocols));
}

/* Was the worker handed exactly what its port's TLS needs? */
static void handed_check(const struct worker *w)
{
	const struct conf_port *p = w->port;
	if (role_count(w->role, IPC_FD_CERTIFICATE) != p->certificates_count)
		role_fail(w->role, EX_SOFTWARE, "its certificates do not fit the configuration");
	if (!worker_authorities_fit(w))
		role_fail(w->role, EX_SOFTWARE, "its authorities do not fit the configuration");
	if (role_count(w->role, IPC_FD_TICKETS) != (p->plain ? 0 : 1) ||
	    role_count(w->role, IPC_FD_KEY_CHANNEL) !=
		(p->certificates_count > 0 ? w->loops_count : 0))
		role_fail(w->role, EX_SOFTWARE,
			  "its channels to keyholders do not fit the configuration");
	if (role_count(w->role, IPC_FD_PASSWORD_CHANNEL) !=
	    (p->passwords_count > 0 ? w->loops_count : 0))
		role_fail(w->role, EX_SOFTWARE,
			  "its channels to the verifier do not fit the configuration");
	if (!worker_upstreams_fit(w))
		role_fail(w->role, EX_SOFTWARE,
			  "what it was handed for its upstreams does not fit the configuration");
}

static void signers_make(struct worker *w)
{
	for (unsigned i = 0; i < w->loops_count; i++) {
		int error =
		    tls_signer_init(&w->loops[i].signer, role_take(w->role, IPC_FD_KEY_CHANNEL, i));
		if (error < 0)
			role_fail(w->role, role_status(w->role, -error),
				  "cannot use the key channel: %s", strerror(-error));
	}
}

/* What is read of files, of clients' TLS and of that to upstreams, and told to the master. */
static void certificates_load(struct worker *w, struct warnings *warnings)
{
	struct err err;
	struct tls_certificates told = {
	    .list = calloc(w->port->certificates_count + 1, sizeof(struct tls_certificate))};
	if (told.list == NULL)
		role_fail(w->role, role_status(w->role, ENOMEM), "out of memory");
	if (!w->port->plain)
		credentials_load(w, &told, warnings);
	const int error =
	    worker_upstreams_identify(w, told.list, certificate_warning, warnings, &err);
	if (error < 0)
		tls_failed(w, &w->loops[0], error, &err);
	warnings_end(warnings);
	certificates_tell(w, &told);
	free(told.list);
}

/* Each loop has a context of its own, because each has its own channel to the keyholder. */
static void contexts_make(struct worker *w)
{
	struct err err;
	for (unsigned i = 0; i < w->loops_count; i++) {
		struct worker_loop *l = &w->loops[i];
		const struct tls_context_options options = {.policy = w->policy,
							    .tickets = w->tickets,
							    .tickets_ms = w->port->tickets_ms,
							    .signer = &l->signer};
		int error =
		    w->port->plain ? 0 : tls_context_new(w->credentials, &options, &l->tls, &err);
		if (error == 0)
			error = worker_upstreams_prepare(l, &err);
		if (error < 0)
			tls_failed(w, l, error, &err);
	}
}

static void tls_prepare(struct worker *w, struct warnings *warnings)
{
	if (!w->port->plain)
		tickets_take(w);
	if (w->port->certificates_count > 0)
		signers_make(w);
	certificates_load(w, warnings);
	contexts_make(w);
}

/* --- serving --------------------------------------------------------------------------------- */

void worker_tell_all(struct worker *w)
{
	for (unsigned i = 1; i < w->loops_count; i++) {
		const uint64_t one = 1;
		(void)!write(w->loops[i].wakeup.fd, &one, sizeof(one));
	}
	worker_loop_follow(&w->loops[0]);
}

static void phase_begin(struct worker *w, enum worker_phase phase)
{
	if (w->phase >= phase)
		return;
	__atomic_store_n(&w->phase, phase, __ATOMIC_RELAXED);
	worker_tell_all(w);
}

void worker_drain(struct worker *w, bool lenient)
{
	phase_begin(w, lenient ? WORKER_RETIRING : WORKER_DRAINING);
}

static void told(struct role *r, struct ipc_message *m)
{
	if (m->type == IPC_DRAIN || m->type == IPC_RETIRE)
		worker_drain(r->user, m->type == IPC_RETIRE);
	else if (m->type == IPC_SERVE)
		phase_begin(r->user, WORKER_SERVING);
	else if (m->type == IPC_SETTINGS)
		worker_tell_all(r->user);
}

/* SIGTERM drains this worker only. */
static void terminate(struct role *r)
{
	struct worker *w = r->user;
	struct loop *loop = &w->loops[0].loop;
	uint64_t limit_ms = lack_of(w) != IPC_LACK_NONE ? GIVE_UP_MS : r->conf->drain_ms;
	if (loop_timer_is_set(&w->drain_deadline))
		return;
	loop_timer_set(loop, &w->drain_deadline, loop->now_ms + limit_ms);
	worker_drain(w, false);
}

/* The port gets a new worker only after this process has ended. */
static void drain_expired(struct loop *loop, struct loop_timer *timer)
{
	const struct worker *w =
	    (struct worker *)((char *)timer - offsetof(struct worker, drain_deadline));
	(void)loop;
	log_write(&w->loops[0].log, LOG_WARNING,
		  "the time to drain is over: %u connections are cut", w->loops[0].conns_count);
	_exit(lack_of(w) != IPC_LACK_NONE ? EX_OSERR : EX_TEMPFAIL);
}

static void loops_prepare(struct worker *w)
{
	w->loops = calloc(w->loops_count, sizeof(*w->loops));
	if (w->loops == NULL)
		role_fail(w->role, role_status(w->role, ENOMEM), "out of memory");
	for (unsigned i = 0; i < w->loops_count; i++) {
		int error = worker_loop_init(&w->loops[i], w, i);
		if (error < 0)
			role_fail(w->role, role_status(w->role, -error),
				  "cannot make event loop %u: %s", i + 1, strerror(-error));
	}
	struct loop *first = &w->loops[0].loop;
	int error = loop_timer_init(first, &w->drain_deadline, drain_expired);
	if (error == 0)
		error = role_listen(w->role, first, ipc_to_worker, told, terminate, w);
	if (error < 0)
		role_fail(w->role, role_status(w->role, -error), "cannot make the event loop: %s",
			  strerror(-error));
}

static void worker_release(struct worker *w)
{
	for (unsigned i = 0; i < w->loops_count; i++)
		worker_loop_release(&w->loops[i]);
	free(w->loops);
	worker_faults_release(w);
	free(w->listener_fds);
	network_table_release(&w->exempt);
	tls_credentials_free(w->credentials);
	worker_authorities_release(w);
	worker_upstreams_release(w);
	tls_policy_free(w->policy);
	ipc_tickets_unmap(w->tickets);
	routes_release(&w->routes);
	network_table_release(&w->proxies);
	media_release(&w->types);
	worker_roots_release(w);
	worker_bodies_release(w);
	role_release(w->role);
}

int worker_main(struct role *r)
{
	struct worker w = {.role = r,
			   .phase = r->start.held != 0 ? WORKER_HELD : WORKER_SERVING,
			   .port = r->port,
			   .means = {.port = r->port->number, .conf = r->port},
			   .accepting = r->port->threads,
			   .loops_count = r->port->threads};
	struct warnings warnings = {.log = &r->log, .worker = r->start.number};
	w.pool = w.port->workers * w.loops_count;

	handed_check(&w);
	policies_make(&w);
	w.means.file_grain_ns = worker_roots_grain_ns(&w);
	worker_confine(&w);
	if (w.port->roots_count > 0 || w.port->bodies_count > 0)
		worker_types_make(&w);
	worker_roots_take(&w);
	w.means.roots = w.roots;
	worker_bodies_take(&w);
	worker_upstreams_take(&w, certificate_warning, &warnings);
	if (routes_init(&w.routes, w.port, &w.means) < 0 ||
	    network_table_init(&w.proxies, w.port->proxies, w.port->proxies_count) < 0)
		role_fail(r, role_status(r, ENOMEM), "out of memory");
	if (network_table_init(&w.exempt, w.port->exempt, w.port->exempt_count) < 0)
		role_fail(r, role_status(r, ENOMEM), "out of memory");
	loops_prepare(&w);
	tls_prepare(&w, &warnings);
	if (w.port->faults && !w.port->plain)
		worker_faults_prepare(&w);
	worker_threads_start(&w);
	role_seal(r, &w.loops[0].loop);
	worker_threads_run(&w);

	int status = lack_of(&w) != IPC_LACK_NONE ? EX_OSERR : EX_OK;
	worker_release(&w);
	return status;
}
