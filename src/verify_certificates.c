/*
 * Runs in bulkhead -t only: checks each certificate with its key, and whether the certificates of a
 * host have its names. Must never write a file, nor keep a key.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/text.h"
#include "tls/clients.h"
#include "tls/context.h"
#include "tls/devcert.h"
#include "verify.h"

#define SYSTEM_GROUP_MAX 999 /* adduser.conf(5): groups of people have higher numbers */
#define GROUP_USERS      100

/* --- keys ------------------------------------------------------------------------------------- */

/* A system group that exists for this purpose does not count as another reader: the server reads
 * the key through it. */
static bool is_group_of_others(const struct stat *st)
{
	if ((st->st_mode & S_IWGRP) != 0)
		return true;
	return (st->st_mode & S_IRGRP) != 0 &&
	       (st->st_gid == 0 || st->st_gid == GROUP_USERS || st->st_gid > SYSTEM_GROUP_MAX);
}

/* A key that does not exist is reported as an error of the pair. */
void verify_key(struct verify *v, const char *path, const struct conf_where *where)
{
	char line[512];
	struct stat st;
	struct text t;
	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	const bool others = (st.st_mode & (S_IROTH | S_IWOTH)) != 0;
	const bool group = is_group_of_others(&st);
	if (!others && !group)
		return;
	text_init(&t, line, sizeof(line));
	text_addf(&t, "key \"%s\" can be %s by %s (mode %03o): chmod %s ", path,
		  (st.st_mode & (S_IROTH | S_IRGRP)) != 0 ? "read" : "written",
		  others ? "every user" : "every member of its group", (unsigned)st.st_mode & 0777,
		  group ? "600" : "o-rwx");
	text_add_str(&t, path);
	verify_add(v, CONF_WARNING, where, line);
}

/* --- certificates ----------------------------------------------------------------------------- */

struct pair_about {
	struct verify *verify;
	const struct conf_where *where;
};

static void pair_warning(void *arg, size_t pair, const char *text)
{
	const struct pair_about *about = arg;
	(void)pair;
	verify_add(about->verify, CONF_WARNING, about->where, text);
}

/* The other file is not the key then, and needs no mode of its own. */
static bool are_swapped(const char *told)
{
	return strstr(told, "certificate and key swapped") != NULL;
}

static bool is_about_key(const char *told)
{
	return strncmp(told, "key ", 4) == 0;
}

/* If the certificate was wrong already, the key was not read. */
static void key_miss(struct verify *v, const char *key, const struct conf_where *where,
		     const char *told)
{
	struct err err;
	if (is_about_key(told) || access(key, R_OK) == 0)
		return;
	err_set(&err, "key \"%s\" cannot be read: %s", key, strerror(errno));
	verify_add(v, CONF_ERROR, where, err.text);
}

/* Returns what was loaded, which the caller frees; NULL: it cannot be used. */
static struct tls_credentials *pair_check(struct verify *v, const char *certificate,
					  const char *key, const struct conf_where *where,
					  struct tls_trust *trust)
{
	const struct tls_pair pair = {.certificate = certificate, .certificate_fd = -1, .key = key};
	struct pair_about about = {v, where};
	const struct tls_credentials_options options = {
	    .warn = pair_warning, .arg = &about, .trust = trust};
	struct tls_credentials *loaded = NULL;
	struct err err;
	size_t at;
	if (tls_credentials_new(&pair, 1, &options, &loaded, &at, &err) < 0) {
		verify_add(v, CONF_ERROR, where, err.text);
		key_miss(v, key, where, err.text);
		if (is_about_key(err.text) || are_swapped(err.text))
			return NULL;
	}
	verify_key(v, key, where);
	return loaded;
}

/* A pair that does not exist yet is made at the start. */
static void development_check(struct verify *v, const struct conf_where *where,
			      struct tls_trust *trust)
{
	struct devcert found;
	struct err err;
	int there = devcert_find(&found, &err);
	if (there > 0)
		tls_credentials_free(pair_check(v, found.certificate, found.key, where, trust));
	else if (there < 0)
		verify_add(v,
			   found.certificate[0] != '\0' && access(found.certificate, F_OK) == 0
			       ? CONF_ERROR
			       : CONF_WARNING,
			   where, err.text);
}

/* A pair in the text. Ports that inherit it refer to the same place. */
struct place {
	const struct conf_certificate *pair;
	struct tls_credentials *loaded; /* NULL: not usable, or the development certificate */
	const char *host; /* a name of a host that has it; NULL: a default host, or none, has it */
	bool is_default;  /* … a default host */
	bool is_named;    /* it has a name of such a host */
};

struct places {
	struct place *all;
	size_t count;
};

static int place_compare(const void *a, const void *b)
{
	const struct conf_where *w = &((const struct place *)a)->pair->where;
	const struct conf_where *x = &((const struct place *)b)->pair->where;
	const int order = strcmp(w->file, x->file);
	if (order != 0)
		return order;
	if (w->line != x->line)
		return w->line < x->line ? -1 : 1;
	return w->column == x->column ? 0 : w->column < x->column ? -1 : 1;
}

static struct place *place_find(const struct places *places, const struct conf_certificate *pair)
{
	const struct place wanted = {.pair = pair};
	return bsearch(&wanted, places->all, places->count, sizeof(wanted), place_compare);
}

/* Those of upstreams come after them: verify_upstreams(). */
static size_t hosts_pairs(const struct conf_port *port)
{
	size_t count = port->certificates_count;
	for (size_t i = 0; i < port->upstreams_count; i++)
		if (port->upstreams[i].certificate > 0 && port->upstreams[i].certificate <= count)
			count = port->upstreams[i].certificate - 1;
	return count;
}

static bool places_collect(struct places *ret, const struct conf *conf)
{
	size_t count = 0, kept = 0;
	for (size_t i = 0; i < conf->ports_count; i++)
		count += hosts_pairs(&conf->ports[i]);
	struct place *all = calloc(count + 1, sizeof(*all));
	if (all == NULL)
		return false;
	count = 0;
	for (size_t i = 0; i < conf->ports_count; i++)
		for (size_t k = 0; k < hosts_pairs(&conf->ports[i]); k++)
			all[count++].pair = &conf->ports[i].certificates[k];
	qsort(all, count, sizeof(*all), place_compare);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || place_compare(&all[kept - 1], &all[i]) != 0)
			all[kept++] = all[i];
	*ret = (struct places){all, kept};
	return true;
}

/* --- the names of hosts ----------------------------------------------------------------------- */

/* Clients that check the name refuse the connection. Says so of up to so many names of a host. */
#define NAMES_TOLD 3

/* Notes which of the host's certificates have the name. Returns whether one has, or may have. */
static bool name_check(const struct places *places, const struct conf_port *port,
		       const struct conf_host *host, const char *name)
{
	bool has = false;
	for (size_t i = 0; i < host->certificates_count; i++) {
		struct place *place =
		    place_find(places, &port->certificates[host->certificates_first + i]);
		if (place->loaded == NULL) {
			has = true;
		} else if (tls_credentials_cover(place->loaded, name)) {
			place->is_named = true;
			has = true;
		}
	}
	return has;
}

/* Is none of its certificates for it? Then each of them is reported. */
static bool host_is_strange(const struct places *places, const struct conf_port *port,
			    const struct conf_host *host)
{
	for (size_t i = 0; i < host->certificates_count; i++) {
		const struct place *place =
		    place_find(places, &port->certificates[host->certificates_first + i]);
		if (place->is_default || place->is_named)
			return false;
	}
	return true;
}

static void host_note(const struct places *places, const struct conf_port *port,
		      const struct conf_host *host)
{
	for (size_t i = 0; i < host->certificates_count; i++) {
		struct place *place =
		    place_find(places, &port->certificates[host->certificates_first + i]);
		if (host == port->hosts)
			place->is_default = true;
		else if (place->host == NULL && host->names_count > 0)
			place->host = host->names[0];
	}
	for (size_t i = 0; i < host->names_count; i++)
		(void)name_check(places, port, host, host->names[i]);
}

/* Warns of the names of a host that none of its certificates has. */
static void host_warn(struct verify *v, const struct places *places, const struct conf_port *port,
		      const struct conf_host *host)
{
	struct err err;
	struct text t;
	size_t count = 0;
	if (host_is_strange(places, port, host))
		return;
	text_init(&t, err.text, sizeof(err.text));
	text_add_str(&t, "no certificate of this host has the name ");
	for (size_t i = 0; i < host->names_count; i++) {
		if (name_check(places, port, host, host->names[i]) || count++ >= NAMES_TOLD)
			continue;
		text_addf(&t, "%s\"%s\"", count == 1 ? "" : " or ", host->names[i]);
	}
	if (count > NAMES_TOLD)
		text_addf(&t, " or %zu other%s", count - NAMES_TOLD,
			  count - NAMES_TOLD == 1 ? "" : "s");
	text_add_str(&t,
		     "; clients that check the name refuse the connection: add to the host: tls "
		     "{ certificate \"file\" key \"file\" }");
	if (count > 0)
		verify_add(v, CONF_WARNING, &host->where, err.text);
}

/* Warns of a certificate that has none of the names of its hosts. */
static void place_warn(struct verify *v, const struct place *place)
{
	struct err err;
	struct text t;
	if (place->loaded == NULL || place->is_default || place->is_named || place->host == NULL)
		return;
	text_init(&t, err.text, sizeof(err.text));
	text_addf(&t, "certificate \"%s\" has no name of its host \"%s\", but ",
		  place->pair->certificate, place->host);
	tls_credentials_names(place->loaded, &t);
	text_add_str(&t, "; clients that check the name refuse the connection: give the host a "
			 "certificate that has its name");
	verify_add(v, CONF_WARNING, &place->pair->where, err.text);
}

static void names_check(struct verify *v, const struct places *places, const struct conf *conf)
{
	for (size_t i = 0; i < conf->ports_count; i++)
		for (size_t k = 0; k < conf->ports[i].hosts_count; k++)
			host_note(places, &conf->ports[i], &conf->ports[i].hosts[k]);
	for (size_t i = 0; i < conf->ports_count; i++)
		for (size_t k = 1; k < conf->ports[i].hosts_count; k++)
			host_warn(v, places, &conf->ports[i], &conf->ports[i].hosts[k]);
	for (size_t i = 0; i < places->count; i++)
		place_warn(v, &places->all[i]);
}

/* --- versions, groups and ciphers ------------------------------------------------------------- */

static void policy_warning(void *arg, size_t pair, const char *text)
{
	const struct pair_about *about = arg;
	(void)pair;
	verify_add(about->verify, CONF_WARNING, about->where, text);
}

static const char *version_name(unsigned version)
{
	return version == TLS_WORD_12 ? "TLS 1.2" : "TLS 1.3";
}

/* Is there, in each version of the port, a certificate of the host whose key it can use? */
static void host_policy_check(struct verify *v, const struct places *places,
			      const struct conf_port *port, const struct conf_host *host,
			      const struct tls_policy *policy)
{
	const struct conf_certificate *first = &port->certificates[host->certificates_first];
	const unsigned all = tls_policy_versions(policy);
	unsigned usable = 0;
	struct err err;
	for (size_t i = 0; i < host->certificates_count; i++) {
		const struct place *place = place_find(places, &first[i]);
		usable |=
		    place->loaded == NULL ? all : tls_credentials_versions(place->loaded, policy);
	}
	if (usable == all || host->certificates_count == 0)
		return;
	if (usable == 0)
		err_set(&err,
			"certificate \"%s\" cannot be used: no version and cipher of the port can "
			"use its key",
			first->certificate);
	else
		err_set(&err,
			"%s is of no use here: it has no cipher for the key of certificate \"%s\"",
			version_name(all & ~usable), first->certificate);
	if (usable == 0 || !tls_choice_is_empty(&port->tls))
		verify_add(v, usable == 0 ? CONF_ERROR : CONF_WARNING, &first->where, err.text);
}

/* A policy of the top level is reported once, not for each port. */
static bool is_told(const struct conf *conf, size_t index)
{
	const struct conf_where *where = &conf->ports[index].tls_where;
	for (size_t i = 0; i < index; i++) {
		const struct conf_where *before = &conf->ports[i].tls_where;
		if (!conf->ports[i].plain && before->file == where->file &&
		    before->line == where->line && before->column == where->column)
			return true;
	}
	return false;
}

static void policies_check(struct verify *v, const struct places *places, const struct conf *conf)
{
	for (size_t i = 0; i < conf->ports_count; i++) {
		const struct conf_port *port = &conf->ports[i];
		struct pair_about about = {v, &port->tls_where};
		struct tls_policy *policy = NULL;
		struct err err;
		const bool told = is_told(conf, i);
		if (port->plain)
			continue;
		if (tls_policy_new(&port->tls, &policy, &err) < 0) {
			if (!told)
				verify_add(v, CONF_ERROR, &port->tls_where, err.text);
			continue;
		}
		if (!told)
			tls_policy_warn(policy, policy_warning, &about);
		for (size_t k = 0; k < port->hosts_count; k++)
			if (k == 0 ||
			    port->hosts[k].certificates_first != port->hosts[0].certificates_first)
				host_policy_check(v, places, port, &port->hosts[k], policy);
		tls_policy_free(policy);
	}
}

/* --- certificates of clients ------------------------------------------------------------------ */

/* One that several ports inherit is reported once. */
static bool client_is_told(const struct conf *conf, const struct conf_port *port,
			   const struct conf_client *c)
{
	for (const struct conf_port *p = conf->ports; p <= port; p++)
		for (size_t i = 0; i < p->clients_count; i++) {
			const struct conf_where *where = &p->clients[i].where;
			if (&p->clients[i] == c)
				return false;
			if (where->file == c->where.file && where->line == c->where.line &&
			    where->column == c->where.column)
				return true;
		}
	return false;
}

static void client_check(struct verify *v, const struct conf_port *port,
			 const struct conf_client *c)
{
	struct pair_about about = {v, &c->where};
	struct tls_clients *loaded = NULL;
	struct err err;
	const struct tls_clients_options options = {
	    .required = c->wish == CONF_CLIENT_REQUIRED,
	    .depth = c->depth,
	    .authority = port->authorities[c->authority].path,
	    .authority_fd = -1,
	    .authority_max = CONF_AUTHORITIES_BYTES_MAX,
	    .revoked = c->revoked > 0 ? port->revoked[c->revoked - 1].path : NULL,
	    .revoked_fd = -1,
	    .revoked_max = CONF_REVOKED_BYTES_MAX,
	    .warn = pair_warning,
	    .arg = &about};
	if (tls_clients_new(&options, &loaded, &err) < 0)
		verify_add(v, CONF_ERROR, &c->where, err.text);
	tls_clients_free(loaded);
}

static void clients_check(struct verify *v, const struct conf *conf)
{
	for (const struct conf_port *p = conf->ports; p < conf->ports + conf->ports_count; p++)
		for (size_t i = 0; i < p->clients_count; i++)
			if (!client_is_told(conf, p, &p->clients[i]))
				client_check(v, p, &p->clients[i]);
}

/* Checks each pair separately, so that every bad one is reported, once. */
void verify_certificates(struct verify *v, const struct conf *conf)
{
	struct tls_trust trust = {.asked = false};
	struct places places;
	if (!places_collect(&places, conf)) {
		v->no_memory = true;
		return;
	}
	for (size_t i = 0; i < places.count; i++) {
		struct place *place = &places.all[i];
		const struct conf_certificate *c = place->pair;
		if (c->development)
			development_check(v, &c->where, &trust);
		else
			place->loaded = pair_check(v, c->certificate, c->key, &c->where, &trust);
	}
	tls_trust_release(&trust);
	names_check(v, &places, conf);
	policies_check(v, &places, conf);
	clients_check(v, conf);
	for (size_t i = 0; i < places.count; i++)
		tls_credentials_free(places.all[i].loaded);
	free(places.all);
}
