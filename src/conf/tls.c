/*
 * The certificates of a port, or that it has none. Runs in the master and in every child. Must
 * never open one.
 */
#include <limits.h>
#include <string.h>

#include "parser.h"

static void miss_key(struct conf_parser *p)
{
	if (p->certificate != NULL && !p->scope->tls_damaged)
		conf_error(p, &p->certificate_where,
			   "the certificate has no key: write `key \"file\"` after it");
	p->certificate = NULL;
}

void conf_add_certificate(struct conf_parser *p, const struct conf_value *value,
			  const struct conf_where *where, const struct conf_where *at)
{
	miss_key(p);
	if (conf_plain(p, "a certificate's file name", PATH_MAX - 1, value, at))
		p->certificate = conf_path(p, value->data, at);
	if (p->certificate == NULL)
		p->certificate = ""; /* so that its key is not reported as one too many */
	p->certificate_where = *where;
}

void conf_add_key(struct conf_parser *p, const struct conf_value *value,
		  const struct conf_where *where, const struct conf_where *at)
{
	struct conf_scope *scope = p->scope;
	const char *certificate = p->certificate;
	char *key = NULL;
	p->certificate = NULL;
	if (certificate == NULL) {
		if (!scope->tls_damaged)
			conf_error(
			    p, where,
			    "the key has no certificate: write `certificate \"file\"` before it");
		scope->tls_damaged = true;
		return;
	}
	if (conf_plain(p, "a key's file name", PATH_MAX - 1, value, at))
		key = conf_path(p, value->data, at);
	if (key == NULL || certificate[0] == '\0') {
		scope->tls_damaged = true;
		return;
	}
	if (conf_seen(p, "development") != NULL) {
		conf_error(p, &p->certificate_where,
			   "`development` is the only certificate of its block: leave it or the "
			   "others out");
		return;
	}
	if (scope->certificates_count == CONF_CERTIFICATES_MAX) {
		conf_error(p, &p->certificate_where, "a port has at most %d certificates",
			   CONF_CERTIFICATES_MAX);
		return;
	}
	struct conf_certificate *pairs =
	    conf_grow(p, scope->certificates, scope->certificates_count, sizeof(*pairs));
	if (pairs == NULL)
		return;
	scope->certificates = pairs;
	pairs[scope->certificates_count++] = (struct conf_certificate){
	    .certificate = conf_copy(p, certificate, strlen(certificate)),
	    .key = key,
	    .where = p->certificate_where,
	};
}

/* `tls off` beside certificates is told as such, not as a second `tls`. */
static void tls_once(struct conf_parser *p, bool off, const struct conf_where *where)
{
	const struct conf_where *first = conf_seen(p, "tls");
	char place[CONF_PLACE_MAX];
	if (first == NULL || (p->scope->plain_where.line != 0) == off)
		(void)conf_once(p, "tls", where);
	else if (off)
		conf_error(p, where,
			   "`tls off` contradicts the certificates at %s: keep one of them",
			   conf_place(first, where, place));
	else
		conf_error(p, where, "certificates contradict `tls off` at %s: keep one of them",
			   conf_place(first, where, place));
}

void conf_tls_open(struct conf_parser *p, const struct conf_where *where)
{
	tls_once(p, false, where);
	conf_block_push(p, CONF_BLOCK_TLS, where)->damaged = &p->scope->tls_damaged;
	p->scope->tls_set = true;
	p->certificates_before = p->scope->certificates_count;
	p->certificate = NULL;
}

void conf_tls_off(struct conf_parser *p, const struct conf_where *where)
{
	if (conf_block_top(p)->kind == CONF_BLOCK_HOST) {
		conf_error(p, where,
			   "`tls off` is for a whole port: its hosts are served on the same "
			   "connections; write it in a port of its own");
		return;
	}
	tls_once(p, true, where);
	p->scope->tls_set = true;
	if (p->scope->plain_where.line == 0)
		p->scope->plain_where = *where;
}

void conf_tls_check(struct conf_parser *p, const struct conf_port_draft *draft)
{
	const struct conf_scope *scope = &draft->scope;
	const struct conf_where *off = scope->tls_set ? &scope->plain_where : &p->top.plain_where;
	char place[CONF_PLACE_MAX];
	if (!draft->port.plain)
		return;
	if (scope->of_tls != NULL)
		conf_error(p, &scope->of_tls_where,
			   "`%s` has no effect without TLS, and this port has `tls off` at %s: "
			   "keep one of them",
			   scope->of_tls->word, conf_place(off, &scope->of_tls_where, place));
	if (scope->of_keys != NULL && draft->port.certificates_count == 0 &&
	    (draft->port.key_user == NULL || draft->port.passwords_count == 0))
		conf_error(p, &scope->of_keys_where,
			   "`%s` has no effect without TLS, and this port has `tls off` at %s: "
			   "keep one of them",
			   scope->of_keys->word, conf_place(off, &scope->of_keys_where, place));
	for (size_t i = 1; i < draft->hosts_count; i++)
		if (draft->hosts[i]->scope.tls_set)
			conf_error(p, &draft->hosts[i]->host.where,
				   "the host has certificates, and its port has `tls off` at %s: "
				   "keep one of them",
				   conf_place(off, &draft->hosts[i]->host.where, place));
	if (conf_port_has(draft, 443))
		conf_warning(p, off,
			     "port 443 has `tls off`: clients expect HTTPS on it, and plain HTTP "
			     "on port 80");
}

void conf_tls_close(struct conf_parser *p)
{
	bool half = p->certificate != NULL;
	const bool empty = conf_block_top(p)->seen_count == 0; /* of settings */
	miss_key(p);
	conf_tls_client_check(p);
	if (!half && empty && p->scope->certificates_count == 0 && !p->scope->tls_damaged)
		conf_error(p, &conf_block_top(p)->where,
			   "the tls block has no certificate: write `certificate \"file\" key "
			   "\"file\"` in it");
	/* A mistake was reported already; the port does not also lack a certificate. */
	if (p->scope->certificates_count == 0 && (half || empty))
		p->scope->tls_damaged = true;
	conf_block_close(p);
}

static void development_add(struct conf_parser *p, const struct conf_where *where)
{
	struct conf_scope *scope = p->scope;
	/* As an array: a block that is a mistake after it may add to it. */
	struct conf_certificate *pair = conf_grow(p, NULL, 0, sizeof(*pair));
	if (pair == NULL)
		return;
	*pair = (struct conf_certificate){.certificate = conf_copy(p, "", 0),
					  .key = conf_copy(p, "", 0),
					  .development = true,
					  .where = *where};
	scope->tls_set = true;
	scope->certificates = pair;
	scope->certificates_count = 1;
}

void conf_tls_development(struct conf_parser *p, const struct conf_where *where)
{
	tls_once(p, false, where);
	development_add(p, where);
}

void conf_tls_add_development(struct conf_parser *p, const struct conf_where *where)
{
	if (!conf_once(p, "development", where))
		return;
	if (p->scope->certificates_count > p->certificates_before) {
		conf_error(p, where,
			   "`development` is the only certificate of its block: leave it or the "
			   "others out");
		return;
	}
	development_add(p, where);
}
