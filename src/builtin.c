/* Runs before the master is one. The development key is made in a child: the master never holds
 * one. */
#include "builtin.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "tls/devcert.h"

#define GREETING "respond 200 \"Hello, world!\\n\""

static const uint16_t default_ports[] = {8000, 8001, 8002};

/* The pair for which there is no place on disk, for as long as this process runs. */
struct memory {
	int certificate_fd, key_fd;
};

static int devcert_make(const struct memory *memory, struct devcert *ret)
{
	struct err err = {""};
	int result = devcert_ensure(ret, &err);
	if (result == DEVCERT_NO_PLACE) {
		fprintf(stderr, "bulkhead: the development certificate is not kept: %s\n",
			err.text);
		result = devcert_unkept(memory->certificate_fd, memory->key_fd, ret, &err);
	}
	if (result < 0)
		fprintf(stderr, "bulkhead: %s\n", err.text);
	return result;
}

/* Runs devcert_make() in a process of its own. */
static int devcert_by_child(struct devcert *ret)
{
	int fds[2], status;
	/* They stay open in an upgrade, as their names in the configuration do. What is executed as
	 * a child closes all that it is not to have. */
	struct memory memory = {memfd_create("bulkhead-certificate", 0),
				memfd_create("bulkhead-key", 0)};
	if (memory.certificate_fd < 0 || memory.key_fd < 0 || pipe(fds) < 0)
		goto fail;
	pid_t pid = fork();
	if (pid < 0)
		goto fail;
	if (pid == 0) {
		struct devcert made;
		if (devcert_make(&memory, &made) < 0)
			_exit(1);
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
	if (len != sizeof(*ret) || !ret->unkept) {
		fd_close(&memory.certificate_fd);
		fd_close(&memory.key_fd);
	}
	return len == sizeof(*ret) ? 0 : -1;
fail:
	fprintf(stderr, "bulkhead: cannot make a development certificate: %s\n", strerror(errno));
	fd_close(&memory.certificate_fd);
	fd_close(&memory.key_fd);
	return -1;
}

static void announce_devcert(const struct devcert *d, uint16_t port)
{
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

/* cert.pem and key.pem in the current directory, or neither. */
static int certificate_find(bool announce, uint16_t port, struct devcert *ret)
{
	bool certificate = access("cert.pem", F_OK) == 0, key = access("key.pem", F_OK) == 0;
	if (certificate != key) {
		fprintf(
		    stderr,
		    "bulkhead: there is %s without %s in the current directory; put both there, "
		    "or neither for a development certificate\n",
		    certificate ? "cert.pem" : "key.pem", certificate ? "key.pem" : "cert.pem");
		return -1;
	}
	if (certificate) {
		*ret = (struct devcert){.certificate = "cert.pem", .key = "key.pem"};
		return 0;
	}
	if (devcert_by_child(ret) < 0)
		return -1;
	if (announce)
		announce_devcert(ret, port);
	return 0;
}

static void string_write(FILE *f, const char *s)
{
	fputc('"', f);
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', f);
		fputc(*s, f);
	}
	fputc('"', f);
}

int builtin_conf(const struct arguments *a, const struct conf_options *options,
		 conf_report_fn *report, void *arg, bool announce, struct conf **ret)
{
	const uint16_t *ports = a->ports != NULL ? a->ports : default_ports;
	size_t count =
	    a->ports != NULL ? a->ports_count : sizeof(default_ports) / sizeof(default_ports[0]);
	struct devcert pair = {0};
	char *text = NULL;
	size_t len = 0;

	if (a->certificate == NULL && certificate_find(announce, ports[0], &pair) < 0)
		return -1;
	FILE *f = open_memstream(&text, &len);
	if (f == NULL)
		return -1;
	if (a->certificate == NULL) {
		fputs("tls { certificate ", f);
		string_write(f, pair.certificate);
		fputs(" key ", f);
		string_write(f, pair.key);
		fputs(" }\n", f);
	}
	for (size_t i = 0; i < count; i++)
		fprintf(f, "port %u { " GREETING " }\n", ports[i]);
	int error = fclose(f) == 0
			? conf_parse_text(text, len, "built-in", options, report, arg, ret)
			: -ENOMEM;
	free(text);
	return error < 0 ? -1 : 0;
}
