/*
 * The certificates of a port. Runs in the master and in every child. Must never open one.
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

void conf_tls_close(struct conf_parser *p)
{
	bool half = p->certificate != NULL;
	miss_key(p);
	if (!half && p->scope->certificates_count == 0 && !p->scope->tls_damaged)
		conf_error(p, &conf_block_top(p)->where,
			   "the tls block has no certificate: write `certificate \"file\" key "
			   "\"file\"` in it");
	/* A mistake was reported already; the port does not also lack a certificate. */
	if (p->scope->certificates_count == 0)
		p->scope->tls_damaged = true;
	conf_block_close(p);
}

void conf_tls_development(struct conf_parser *p, const struct conf_where *where)
{
	struct conf_scope *scope = p->scope;
	/* As an array: a block that is a mistake after it may add to it. */
	struct conf_certificate *pair = conf_grow(p, NULL, 0, sizeof(*pair));
	(void)conf_once(p, "tls", where);
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
