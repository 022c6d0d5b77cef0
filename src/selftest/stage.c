/* Runs in the selftest. Must never write outside its folder, nor change the configuration that it
 * received. */
#include "stage.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "role/role.h"
#include "site.h"

#define SOCKET_PATH_MAX 100 /* shorter than sun_path */
#define DRAIN_MS        1000
#define LOG_RATE        100 /* there is little to log here */

/* --- the folder ------------------------------------------------------------------------------ */

int stage_init(struct stage *s, struct err *err)
{
	const char *base = getenv("TMPDIR");
	if (base == NULL || base[0] != '/')
		base = "/tmp";
	int n = snprintf(s->folder, sizeof(s->folder), "%s/bulkhead-selftest-XXXXXX", base);
	if (n >= SOCKET_PATH_MAX - 16 || mkdtemp(s->folder) == NULL) {
		err_set(err, "cannot make a folder in \"%s\": %s", base,
			n >= SOCKET_PATH_MAX - 16 ? "the path is too long" : strerror(errno));
		s->folder[0] = '\0';
		return -1;
	}
	(void)snprintf(s->conf_path, PATH_ROOM, "%s/bulkhead.conf", s->folder);
	(void)snprintf(s->socket_path, PATH_ROOM, "%s/agents", s->folder);
	(void)snprintf(s->output_path, PATH_ROOM, "%s/output", s->folder);
	(void)snprintf(s->datagram_path, PATH_ROOM, "%s/log", s->folder);
	(void)snprintf(s->target_path, PATH_ROOM, "%s/target", s->folder);
	(void)snprintf(s->new_path, PATH_ROOM, "%s/new", s->folder);
	char *real = realpath(s->folder, NULL); /* a link would make its folder the root */
	(void)snprintf(s->site_path, PATH_ROOM, "%s/" SITE_NAME, real == NULL ? s->folder : real);
	free(real);
	s->target_fd = targets_listen(&s->target_port);
	if (s->target_fd < 0) {
		err_set(err, "cannot listen on 127.0.0.1: %s", strerror(-s->target_fd));
		return -1;
	}
	if (targets_local_make(&s->local, base, err) < 0)
		return -1;
	return site_make(s->site_path, err);
}

void stage_release(struct stage *s)
{
	const struct dirent *entry;
	fd_close(&s->target_fd);
	targets_local_remove(&s->local);
	if (s->folder[0] != '\0')
		site_remove(s->site_path);
	DIR *d = s->folder[0] == '\0' ? NULL : opendir(s->folder);
	while (d != NULL && (entry = readdir(d)) != NULL)
		(void)unlinkat(dirfd(d), entry->d_name, 0); /* a subfolder stays */
	if (d != NULL)
		closedir(d);
	if (s->folder[0] != '\0' && rmdir(s->folder) < 0)
		fprintf(stderr, "bulkhead: cannot remove %s: %s\n", s->folder, strerror(errno));
	s->folder[0] = '\0';
}

/* --- ports ----------------------------------------------------------------------------------- */

/* The caller closes the sockets once all ports are chosen, so that the ports differ. */
static int port_reserve(uint16_t *ret)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) < 0) {
		int error = -errno;
		fd_close(&fd);
		return error;
	}
	*ret = ntohs(a.sin_port);
	return fd;
}

static int ports_choose(struct conf *c, struct err *err)
{
	int error = 0, *fds = calloc(c->ports_count + 1, sizeof(*fds));
	if (fds == NULL) {
		err_set(err, "out of memory");
		return -1;
	}
	for (size_t i = 0; i < c->ports_count; i++) {
		fds[i] = error < 0 ? -1 : port_reserve(&c->ports[i].number);
		if (fds[i] < 0 && error == 0)
			error = fds[i];
	}
	for (size_t i = 0; i < c->ports_count; i++)
		fd_close(&fds[i]);
	free(fds);
	if (error < 0)
		err_set(err, "no free port: %s", strerror(-error));
	return error < 0 ? -1 : 0;
}

/* --- pairs ----------------------------------------------------------------------------------- */

struct pair_paths {
	char certificate[PATH_ROOM];
	char key[PATH_ROOM];
};

/* Port A has a key of each kind. */
static size_t pairs_of(size_t port)
{
	return port == PORT_A ? PAIR_KINDS : 1;
}

static int pairs_make(struct stage *s, size_t port, struct pair_paths *paths,
		      struct conf_certificate *ret, struct err *err)
{
	for (size_t k = 0; k < pairs_of(port); k++) {
		struct pair_paths *p = &paths[k];
		(void)snprintf(p->certificate, PATH_ROOM, "%s/%zu-%zu.pem", s->folder, port, k);
		(void)snprintf(p->key, PATH_ROOM, "%s/%zu-%zu.key", s->folder, port, k);
		ret[k] = (struct conf_certificate){.certificate = p->certificate, .key = p->key};
		if (access(p->key, F_OK) == 0)
			continue;
		if (pair_make((enum pair_kind)k, p->certificate, p->key,
			      port == PORT_A ? &s->needles : NULL, err) < 0)
			return -1;
	}
	return 0;
}

/* --- the configuration ----------------------------------------------------------------------- */

static void port_rewrite(struct conf_port *p)
{
	static char loopback[] = "127.0.0.1", *addresses[] = {loopback};
	p->addresses = addresses;
	p->addresses_count = 1;
	p->sockets_count = 0;
	p->workers = 1;
	if (p->keyholders > p->threads)
		p->keyholders = p->threads;
	p->access = CONF_ACCESS_OFF;
	p->restart = (struct conf_restart){.backoff_min_ms = 1,
					   .backoff_max_ms = 1,
					   .park_after = 64,
					   .park_window_ms = 10,
					   .while_parked = CONF_PARKED_QUEUE};
}

static int conf_save(const struct stage *s, const struct conf *c, struct err *err)
{
	FILE *f = fopen(s->conf_path, "we");
	if (f != NULL)
		conf_dump(c, f);
	if (f != NULL && fclose(f) == 0)
		return 0;
	err_set(err, "cannot write \"%s\": %s", s->conf_path, strerror(errno));
	return -1;
}

static void log_rewrite(struct stage *s, struct conf_log *log)
{
	log->console = log->syslog = true;
	log->journal = false;
	log->rate = LOG_RATE;
	log->syslog_path = s->datagram_path;
}

static void port_remember(struct stage_port *s, const struct conf_port *p)
{
	s->number = p->number;
	s->plain = p->plain;
	s->chroot_off = p->chroot == CONF_CHROOT_OFF;
	s->core_bytes = p->limits.core_bytes;
	s->roots = p->roots;
	s->roots_count = p->roots_count;
	s->needs[IPC_KEYHOLDER] = role_needs(SANDBOX_KEYHOLDER, p);
	s->needs[IPC_VERIFIER] = role_needs(SANDBOX_VERIFIER, p);
	s->needs[IPC_CONNECTOR] = role_needs(SANDBOX_CONNECTOR, p);
	s->needs[IPC_RESOLVER] = role_needs(SANDBOX_RESOLVER, p);
	s->needs[IPC_WORKER] = role_needs(SANDBOX_WORKER, p);
	s->proxies = p->upstreams_count > 0;
	s->key_path[0] = '\0';
	if (!p->plain)
		(void)snprintf(s->key_path, PATH_ROOM, "%s", p->certificates[0].key);
}

/* Copies the ports to be served, in the order of PORT_A and so on; returns how many there are. to
 * has room for one more than the configuration has. B is a twin of A if there is no other of its
 * kind. */
static size_t ports_copy(const struct conf *conf, struct conf_port *to, size_t tried[PORTS_TRIED])
{
	size_t count = 0, with_tls = 0;
	for (size_t i = 0; i < conf->ports_count; i++)
		with_tls += !conf->ports[i].plain;
	const bool kind = with_tls == 0; /* of A and B: plain? */
	for (size_t i = 0; i < conf->ports_count; i++)
		if (conf->ports[i].plain == kind)
			to[count++] = conf->ports[i];
	if (count == 1)
		to[count++] = to[0];
	tried[PORT_A] = 0;
	tried[PORT_B] = 1;
	tried[PORT_PLAIN] = count; /* if there is one */
	for (size_t i = 0; i < conf->ports_count; i++)
		if (conf->ports[i].plain != kind)
			to[count++] = conf->ports[i];
	return count;
}

/* What a port is rewritten with. */
struct port_parts {
	char passwords_path[PATH_ROOM];
	struct copies copies;
};

static void parts_free(struct port_parts *parts, size_t count)
{
	for (size_t i = 0; parts != NULL && i < count; i++)
		copies_release(&parts[i].copies);
	free(parts);
}

/* All hosts of the port have the throwaway pairs and the password file, and one of them serves the
 * site, too, if it serves files. False: no memory. */
static bool hosts_rewrite(struct conf_port *p, struct port_parts *parts, const char *site_path)
{
	struct conf_host *hosts =
	    copies_add(&parts->copies, p->hosts, p->hosts_count * sizeof(*hosts), 0);
	if (hosts == NULL)
		return false;
	for (size_t i = 0; i < p->hosts_count; i++) {
		hosts[i].certificates_first = 0;
		hosts[i].certificates_count = (uint32_t)p->certificates_count;
	}
	p->hosts = hosts;
	return htpasswd_put(p, parts->passwords_path, &parts->copies) &&
	       site_add(p, site_path, &parts->copies);
}

/* Clients are asked for certificates of a throwaway pair, and there is no list of what is revoked.
 * False: no memory. */
static bool clients_rewrite(struct conf_port *p, struct copies *copies)
{
	if (p->clients_count == 0)
		return true;
	struct conf_client *clients =
	    copies_add(copies, p->clients, p->clients_count * sizeof(*clients), 0);
	struct conf_path *authorities =
	    copies_add(copies, p->authorities, p->authorities_count * sizeof(*authorities), 0);
	if (clients == NULL || authorities == NULL)
		return false;
	for (size_t i = 0; i < p->clients_count; i++)
		clients[i].revoked = 0;
	for (size_t i = 0; i < p->authorities_count; i++)
		authorities[i].path = p->certificates[0].certificate;
	p->clients = clients;
	p->authorities = authorities;
	p->revoked_count = 0;
	return true;
}

/* The port's password file, and for one that is tried a location that has it. */
static int passwords_rewrite(struct stage *s, struct conf_port *p, const size_t tried[PORTS_TRIED],
			     size_t index, struct port_parts *parts, struct err *err)
{
	char password[HTPASSWD_PASSWORD_ROOM];
	struct needles hash = {.count = 0};
	struct stage_port *port = NULL;
	for (size_t k = 0; k < PORTS_TRIED; k++)
		if (tried[k] == index)
			port = &s->ports[k];
	if (port == NULL && p->passwords_count == 0)
		return 0;
	if (access(parts->passwords_path, F_OK) < 0) {
		if (htpasswd_make(parts->passwords_path, password, &hash, err) < 0)
			return -1;
		if (port != NULL) {
			port->hash = hash;
			memcpy(port->password, password, sizeof(password));
			memcpy(port->passwords_path, parts->passwords_path, PATH_ROOM);
		}
	}
	if (port == NULL || htpasswd_add(p, parts->passwords_path, &parts->copies))
		return 0;
	err_set(err, "out of memory");
	return -1;
}

static bool is_tried(const size_t tried[PORTS_TRIED], size_t index)
{
	size_t k = 0;
	while (k < PORTS_TRIED && tried[k] != index)
		k++;
	return k < PORTS_TRIED;
}

int stage_write(struct stage *s, const struct conf *conf, bool may_be_strict, struct err *err)
{
	struct conf c = *conf;
	const size_t room = conf->ports_count + 1;
	size_t tried[PORTS_TRIED];
	c.ports = calloc(room, sizeof(*c.ports));
	struct pair_paths(*paths)[PAIR_KINDS] = calloc(room, sizeof(*paths));
	struct conf_certificate(*pairs)[PAIR_KINDS] = calloc(room, sizeof(*pairs));
	struct port_parts *parts = calloc(room, sizeof(*parts));
	int result = c.ports == NULL || paths == NULL || pairs == NULL || parts == NULL ? -1 : 0;
	if (result < 0)
		err_set(err, "out of memory");
	c.ports_count = result < 0 ? 0 : ports_copy(conf, c.ports, tried);
	for (size_t i = 0; i < c.ports_count && result == 0; i++) {
		struct conf_port *p = &c.ports[i];
		port_rewrite(p);
		p->certificates = pairs[i];
		p->certificates_count = p->plain ? 0 : pairs_of(i);
		(void)snprintf(parts[i].passwords_path, PATH_ROOM, "%s/%zu.htpasswd", s->folder, i);
		if (!hosts_rewrite(p, &parts[i], s->site_path) ||
		    !targets_put(p, s->target_port, is_tried(tried, i),
				 i == tried[PORT_B] ? s->local.paths[TARGETS_LISTED] : NULL,
				 &parts[i].copies)) {
			err_set(err, "out of memory");
			result = -1;
		}
		if (result == 0)
			result = passwords_rewrite(s, p, tried, i, &parts[i], err);
		if (result == 0 && !p->plain)
			result = pairs_make(s, i, paths[i], pairs[i], err);
		if (result == 0 && !clients_rewrite(p, &parts[i].copies)) {
			err_set(err, "out of memory");
			result = -1;
		}
	}
	c.strict = conf->strict && may_be_strict;
	c.drain_ms = DRAIN_MS;
	log_rewrite(s, &c.log);
	if (result == 0)
		result = ports_choose(&c, err);
	for (size_t k = 0; k < PORTS_TRIED && result == 0; k++)
		if (tried[k] < c.ports_count)
			port_remember(&s->ports[k], &c.ports[tried[k]]);
	if (result == 0)
		result = conf_save(s, &c, err);
	parts_free(parts, room);
	free(c.ports);
	free(paths);
	free(pairs);
	return result;
}
