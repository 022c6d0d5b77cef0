/* Runs in the master, before it serves and when it reloads. A child makes the key, so the master
 * never has it. */
#include "development.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "tls/devcert.h"

/* The child's report. */
struct made {
	int result;
	struct devcert pair;
	struct err err, unkept; /* why there is no certificate; why it is only in memory */
};

/* The pair if no folder can be written. It exists as long as this process, over upgrades and
 * reloads. */
struct memory {
	int certificate_fd, key_fd;
};
#define MEMORY_CERTIFICATE "bulkhead-certificate"
#define MEMORY_KEY         "bulkhead-key"

static void devcert_make(const struct memory *memory, struct made *m)
{
	m->result = devcert_ensure(&m->pair, &m->unkept);
	if (m->result != DEVCERT_NO_PLACE) {
		m->err = m->unkept;
		m->unkept.text[0] = '\0';
		return;
	}
	m->result = devcert_unkept(memory->certificate_fd, memory->key_fd, &m->pair, &m->err);
}

static void memory_close(struct memory *memory)
{
	fd_close(&memory->certificate_fd);
	fd_close(&memory->key_fd);
}

/* Runs devcert_make() in a child process. Returns -errno, or 0 and the child's report. */
static int devcert_by_child(struct memory *memory, struct made *ret)
{
	int fds[2], status;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid_t pid = fork();
	if (pid < 0) {
		const int error = -errno;
		close(fds[0]);
		close(fds[1]);
		return error;
	}
	if (pid == 0) {
		static struct made made;
		devcert_make(memory, &made);
		_exit(write(fds[1], &made, sizeof(made)) == (ssize_t)sizeof(made) ? 0 : 1);
	}
	close(fds[1]);
	size_t len = 0;
	ssize_t n;
	while (len < sizeof(*ret) && (n = read(fds[0], (char *)ret + len, sizeof(*ret) - len)) != 0)
		if (n > 0)
			len += (size_t)n;
		else if (errno != EINTR)
			break;
	close(fds[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return len == sizeof(*ret) ? 0 : -EIO;
}

/* A pair that this process or an earlier version has made in memory is used as long as the process
 * runs. Only its own descriptors stay open in an execution: those through which the master has
 * opened the same files for a port's children are closed soon, and would be other files then. */
static bool memory_find(struct devcert *ret)
{
	static const char *const names[] = {"/memfd:" MEMORY_CERTIFICATE " (deleted)",
					    "/memfd:" MEMORY_KEY " (deleted)"};
	bool found[2] = {false, false};
	for (int fd = 3; fd < 1024 && !(found[0] && found[1]); fd++) {
		char path[32], link[64];
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		const ssize_t len = readlink(path, link, sizeof(link) - 1);
		if (len <= 0 || (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0)
			continue;
		link[len] = '\0';
		for (unsigned i = 0; i < 2; i++)
			if (strcmp(link, names[i]) == 0) {
				(void)strlcpy(i == 0 ? ret->certificate : ret->key, path, PATH_MAX);
				found[i] = true;
			}
	}
	return found[0] && found[1];
}

static void announce_devcert(const struct made *m, uint16_t port)
{
	const struct devcert *d = &m->pair;
	if (m->unkept.text[0] != '\0')
		fprintf(stderr, "bulkhead: the development certificate is not kept: %s\n",
			m->unkept.text);
	if (d->unkept) {
		fprintf(stderr,
			"bulkhead: made a development certificate that ends with this server\n"
			"bulkhead: SHA-256 %s\n"
			"bulkhead: curl -k https://localhost:%u/\n",
			d->fingerprint, port);
		return;
	}
	fprintf(stderr,
		"bulkhead: %s development certificate %s\n"
		"bulkhead: SHA-256 %s\n"
		"bulkhead: curl --cacert %s https://localhost:%u/\n",
		d->made ? "made a" : "using the", d->certificate, d->fingerprint, d->certificate,
		port);
}

/* Finds the first port that uses it. */
static const struct conf_port *development_port(const struct conf *conf)
{
	for (size_t i = 0; i < conf->ports_count; i++)
		if (conf->ports[i].certificates_count > 0 &&
		    conf->ports[i].certificates[0].development)
			return &conf->ports[i];
	return conf->ports;
}

int development_provide(struct conf *conf, bool announce, conf_report_fn *report, void *arg)
{
	static struct made made;
	struct memory memory = {-1, -1};
	if (!conf_wants_development(conf))
		return 0;
	const struct conf_port *port = development_port(conf);
	made = (struct made){.result = 0};
	int error = 0;
	if (!memory_find(&made.pair)) {
		/* They stay open in an upgrade, because the configuration has their names. A child
		 * closes them when it is executed. */
		memory.certificate_fd = memfd_create(MEMORY_CERTIFICATE, 0);
		memory.key_fd = memfd_create(MEMORY_KEY, 0);
		error = memory.certificate_fd < 0 || memory.key_fd < 0
			    ? -errno
			    : devcert_by_child(&memory, &made);
		if (error < 0 || made.result < 0 || !made.pair.unkept)
			memory_close(&memory);
		if (error == 0 && made.result == 0 && announce)
			announce_devcert(&made, port->number);
	}
	if (error == 0 && made.result == 0)
		error = conf_set_development(conf, made.pair.certificate, made.pair.key);
	if (error < 0)
		err_set(&made.err, "cannot make a development certificate: %s", strerror(-error));
	if (error == 0 && made.result == 0)
		return 0;
	report(arg, CONF_ERROR, &port->certificates[0].where, made.err.text);
	return -1;
}
