/*
 * Runs in bulkhead -t only: checks the files that TLS to upstreams needs, and Unix sockets. Must
 * never write a file, keep a key, or connect to an upstream.
 */
#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/text.h"
#include "tls/client.h"
#include "verify.h"

struct file_about {
	struct verify *verify;
	const struct conf_where *where;
};

static void file_warning(void *arg, size_t pair, const char *text)
{
	const struct file_about *about = arg;
	(void)pair;
	verify_add(about->verify, CONF_WARNING, about->where, text);
}

static bool is_same(const struct conf_where *a, const struct conf_where *b)
{
	return a->file == b->file && a->line == b->line && a->column == b->column;
}

/* --- authorities ------------------------------------------------------------------------------ */

/* Ports of one block have the same; each is reported once. */
static bool authority_is_told(const struct conf *conf, const struct conf_port *port, size_t index)
{
	const struct conf_path *wanted = &port->upstream_authorities[index];
	for (const struct conf_port *p = conf->ports; p <= port; p++)
		for (size_t i = 0; i < p->upstream_authorities_count; i++) {
			const struct conf_path *one = &p->upstream_authorities[i];
			if (one == wanted)
				return false;
			if (strcmp(one->path, wanted->path) == 0 &&
			    is_same(&one->where, &wanted->where))
				return true;
		}
	return false;
}

static void authority_check(struct verify *v, const struct conf_path *file)
{
	struct file_about about = {v, &file->where};
	struct tls_client_trust *trust = NULL;
	struct err err;
	struct text t;
	char line[sizeof(err.text) + 128];
	if (tls_client_trust_load(-1, file->path, NULL, file_warning, &about, &trust, &err) == 0) {
		tls_client_trust_free(trust);
		return;
	}
	text_init(&t, line, sizeof(line));
	text_add_str(&t, err.text);
	if (strcmp(file->path, CONF_SYSTEM_AUTHORITIES) == 0)
		text_add_str(&t, "; install ca-certificates, or name the upstream's own: verify "
				 "authority \"file\"");
	verify_add(v, CONF_ERROR, &file->where, line);
}

/* --- certificates that are shown -------------------------------------------------------------- */

static const struct conf_certificate *pair_of(const struct conf_port *port,
					      const struct conf_upstream *u)
{
	return u->certificate > 0 ? &port->certificates[u->certificate - 1] : NULL;
}

static bool pair_is_told(const struct conf *conf, const struct conf_port *port, size_t upstream)
{
	const struct conf_certificate *wanted = pair_of(port, &port->upstreams[upstream]);
	for (const struct conf_port *p = conf->ports; p <= port; p++)
		for (size_t i = 0; i < p->upstreams_count; i++) {
			const struct conf_certificate *one = pair_of(p, &p->upstreams[i]);
			if (p == port && i == upstream)
				return false;
			if (one != NULL && is_same(&one->where, &wanted->where))
				return true;
		}
	return false;
}

static void pair_check(struct verify *v, const struct conf_certificate *pair)
{
	struct file_about about = {v, &pair->where};
	struct tls_client_identity *identity = NULL;
	struct err err;
	const struct tls_client_identity_options o = {.certificate = pair->certificate,
						      .certificate_fd = -1,
						      .key = pair->key,
						      .warn = file_warning,
						      .arg = &about};
	if (tls_client_identity_load(&o, &identity, &err) < 0)
		verify_add(v, CONF_ERROR, &pair->where, err.text);
	tls_client_identity_free(identity);
	verify_key(v, pair->key, &pair->where);
}

/* --- Unix sockets ----------------------------------------------------------------------------- */

/* A service makes its socket, and perhaps the folder, when it starts: that may be later. */
static void socket_verify(struct verify *v, const char *path, const struct conf_where *where)
{
	char folder[108]; /* sun_path of unix(7) */
	struct stat st;
	struct err err;
	(void)strlcpy(folder, path, sizeof(folder));
	if (stat(path, &st) == 0) {
		if (S_ISSOCK(st.st_mode))
			return;
		err_set(&err, "\"%s\" is not a socket", path);
		verify_add(v, CONF_ERROR, where, err.text);
		return;
	}
	if (errno != ENOENT)
		err_set(&err, "the socket \"%s\" cannot be reached: %s", path, strerror(errno));
	else if (stat(dirname(folder), &st) < 0)
		err_set(&err,
			"the folder of the socket \"%s\" does not exist: its requests fail until "
			"both are there",
			path);
	else
		err_set(&err, "the socket \"%s\" does not exist: its requests fail until it does",
			path);
	verify_add(v, CONF_WARNING, where, err.text);
}

static void sockets_verify(struct verify *v, const struct conf_port *port)
{
	for (size_t i = 0; i < port->upstreams_count; i++) {
		const struct conf_upstream *u = &port->upstreams[i];
		for (uint32_t k = 0; k < u->endpoints_count; k++) {
			const char *path = port->endpoints[u->endpoints_first + k].path;
			if (path != NULL)
				socket_verify(v, path, &u->where);
		}
	}
}

void verify_upstreams(struct verify *v, const struct conf *conf)
{
	for (const struct conf_port *p = conf->ports; p < conf->ports + conf->ports_count; p++) {
		for (size_t i = 0; i < p->upstream_authorities_count; i++)
			if (!authority_is_told(conf, p, i))
				authority_check(v, &p->upstream_authorities[i]);
		for (size_t i = 0; i < p->upstreams_count; i++)
			if (p->upstreams[i].certificate > 0 && !pair_is_told(conf, p, i))
				pair_check(v, pair_of(p, &p->upstreams[i]));
		sockets_verify(v, p);
	}
}
