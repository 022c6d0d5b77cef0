/*
 * The TLS versions, groups and ciphers of a port. Runs in the master and in every child. Must never
 * use GnuTLS: whether its library has them is found out in a worker, and by -t.
 */
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "base/tls_choice.h"
#include "parser.h"

/* The lists by their statements. */
static const char *const list_words[TLS_LISTS] = {
    [TLS_LIST_VERSIONS] = "versions",
    [TLS_LIST_GROUPS] = "groups",
    [TLS_LIST_CIPHERS] = "ciphers",
};
static const char *const list_nouns[TLS_LISTS] = {
    [TLS_LIST_VERSIONS] = "TLS version",
    [TLS_LIST_GROUPS] = "group",
    [TLS_LIST_CIPHERS] = "cipher",
};

/* --- names ------------------------------------------------------------------------------------ */

/* Names that are known and not taken, by a part of them. */
static const struct refused {
	enum tls_list list;
	const char *part, *why;
} refused[] = {
    {TLS_LIST_VERSIONS, "1.0",
     "TLS 1.0 and 1.1 are deprecated (RFC 8996), and this server does "
     "not have them: 1.2 and 1.3"},
    {TLS_LIST_VERSIONS, "1.1",
     "TLS 1.0 and 1.1 are deprecated (RFC 8996), and this server does "
     "not have them: 1.2 and 1.3"},
    {TLS_LIST_VERSIONS, "tlsv1",
     "TLS 1.0 and 1.1 are deprecated (RFC 8996), and this server does "
     "not have them: 1.2 and 1.3"},
    {TLS_LIST_VERSIONS, "ssl", "SSL is forbidden (RFC 7568): 1.2 and 1.3"},
    {TLS_LIST_GROUPS, "ffdhe",
     "groups of finite fields cost a server many times as much as "
     "x25519: `priority` can ask GnuTLS for them"},
    {TLS_LIST_GROUPS, "brainpool", "GnuTLS does not have it"},
    {TLS_LIST_GROUPS, "secp1", "it has too few bits, and TLS 1.3 does not have it"},
    {TLS_LIST_GROUPS, "secp2", "it has too few bits, and TLS 1.3 does not have it"},
    {TLS_LIST_GROUPS, "p-224", "it has too few bits, and TLS 1.3 does not have it"},
    {TLS_LIST_GROUPS, "auto", "leave `groups` out for the default"},
    {TLS_LIST_CIPHERS, ":", "write the names with blanks between them"},
    {TLS_LIST_CIPHERS, "!", "write the names of what is offered; all else is not"},
    {TLS_LIST_CIPHERS, "_ccm",
     "suites with CCM are for small devices: `priority` can ask GnuTLS "
     "for them"},
    {TLS_LIST_CIPHERS, "-ccm",
     "suites with CCM are for small devices: `priority` can ask GnuTLS "
     "for them"},
    {TLS_LIST_CIPHERS, "ecdhe",
     "it is no AEAD: browsers have given it up, and HTTP/2 forbids it "
     "(RFC 9113, A); `priority` can ask GnuTLS for it"},
    {TLS_LIST_CIPHERS, "dhe",
     "DHE costs a server many times as much as ECDHE: `priority` can ask "
     "GnuTLS for it"},
    {TLS_LIST_CIPHERS, "aes",
     "without ECDHE the key of the certificate decrypts all that was "
     "recorded, and this server's key only signs"},
    {TLS_LIST_CIPHERS, "rc4", "RC4 is forbidden (RFC 7465)"},
    {TLS_LIST_CIPHERS, "des", "it has too few bits (RFC 9325, 4.1)"},
    {TLS_LIST_CIPHERS, "high", "write the names of suites, or leave `ciphers` out for the default"},
    {TLS_LIST_CIPHERS, "default",
     "write the names of suites, or leave `ciphers` out for the default"},
};

static const char *refused_why(enum tls_list list, const char *name)
{
	for (size_t i = 0; i < CONF_COUNT(refused); i++)
		if (refused[i].list == list && strcasestr(name, refused[i].part) != NULL)
			return refused[i].why;
	return NULL;
}

static const char *name_suggest(enum tls_list list, const struct conf_value *value)
{
	const char *names[TLS_CHOICE_MAX * 5];
	size_t count = 0;
	const struct tls_word *w;
	for (size_t i = 0; (w = tls_word_at(list, i)) != NULL; i++) {
		names[count++] = w->name;
		for (size_t k = 0; k < CONF_COUNT(w->also); k++)
			names[count++] = w->also[k];
		names[count++] = list == TLS_LIST_CIPHERS ? w->gnutls : NULL;
	}
	return conf_suggest(value->data, value->len, names, count);
}

static void names_list(enum tls_list list, char *out, size_t size)
{
	struct text t;
	size_t count = 0;
	text_init(&t, out, size);
	while (tls_word_at(list, count) != NULL)
		count++;
	for (size_t i = 0; i < count; i++)
		conf_list_item(&t, tls_word_at(list, i)->name, "", i, count, "and");
}

/* A suite with an AEAD is more probably misspelt than meant as it is. */
static bool is_like_ours(enum tls_list list, const char *name)
{
	return list == TLS_LIST_CIPHERS && strpbrk(name, ":!") == NULL &&
	       (strcasestr(name, "gcm") != NULL || strcasestr(name, "chacha") != NULL);
}

static void name_unknown(struct conf_parser *p, enum tls_list list, const struct conf_value *value,
			 const struct conf_where *at)
{
	char shown[CONF_SHOWN_MAX], names[512];
	const char *why = refused_why(list, value->data);
	const char *meant =
	    why == NULL || is_like_ours(list, value->data) ? name_suggest(list, value) : NULL;
	(void)conf_show(value, shown);
	if (meant != NULL)
		conf_error(p, at, "unknown %s `%s`; did you mean `%s`?", list_nouns[list], shown,
			   meant);
	else if (why != NULL)
		conf_error(p, at, "the %s `%s` is not offered: %s", list_nouns[list], shown, why);
	else {
		names_list(list, names, sizeof(names));
		conf_error(p, at, "unknown %s `%s`; there are %s", list_nouns[list], shown, names);
	}
}

/* --- statements ------------------------------------------------------------------------------- */

bool conf_tls_choice_allowed(struct conf_parser *p, const struct conf_where *where)
{
	if (p->scope->values != NULL)
		return true;
	conf_error(p, where,
		   "version, group and cipher are for a whole port: its hosts share what is agreed "
		   "on before the name is known; write this in the `tls` block of the port");
	return false;
}

static void list_add(struct conf_parser *p, enum tls_list list, const struct conf_value *value,
		     const struct conf_where *at)
{
	uint8_t words[TLS_CHOICE_MAX];
	char shown[CONF_SHOWN_MAX];
	struct conf_scope *scope = p->scope;
	struct conf_port *values = scope->values;
	if (value->broken)
		return;
	const size_t count = tls_words_find(list, value->data, value->len, words);
	bool added = false;
	if (count == 0) {
		scope->tls_choice_damaged = true;
		name_unknown(p, list, value, at);
		return;
	}
	for (size_t i = 0; values != NULL && i < count; i++)
		added = tls_choice_add(&values->tls, list, words[i]) || added;
	if (values != NULL && !added)
		conf_error(p, at, "the %s `%s` is in the list already", list_nouns[list],
			   conf_show(value, shown));
}

static void list_take(struct conf_parser *p, const struct conf_group *given, enum tls_list list)
{
	struct conf_scope *scope = p->scope;
	if (given->piece == 0) {
		const struct conf_statement *s = conf_setting(list_words[list]);
		(void)conf_once(p, s->word, &given->where);
		(void)conf_tls_choice_allowed(p, &given->where);
		scope->set |= conf_setting_bit(s);
		if (scope->of_tls == NULL) {
			scope->of_tls = s;
			scope->of_tls_where = given->where;
		}
		if (scope->values != NULL)
			scope->tls_where[list] = given->where;
	}
	list_add(p, list, &given->values[0], &given->at[0]);
}

void conf_tls_versions(struct conf_parser *p, const struct conf_group *given)
{
	list_take(p, given, TLS_LIST_VERSIONS);
}

void conf_tls_groups(struct conf_parser *p, const struct conf_group *given)
{
	list_take(p, given, TLS_LIST_GROUPS);
}

void conf_tls_ciphers(struct conf_parser *p, const struct conf_group *given)
{
	list_take(p, given, TLS_LIST_CIPHERS);
}

bool conf_tls_priority_agrees(struct conf_parser *p, const struct conf_group *given,
			      const uint64_t *numbers)
{
	(void)numbers;
	if (p->scope->values != NULL)
		p->scope->tls_where[TLS_LISTS] = given->where;
	return true;
}

/* --- at the end of the port ------------------------------------------------------------------- */

static bool is_set(const struct conf_scope *scope, const char *word)
{
	return (scope->set & conf_setting_bit(conf_setting(word))) != 0;
}

/* The scope whose own statements are told. */
static void contradiction_tell(struct conf_parser *p, const struct conf_scope *scope)
{
	static const char *const others[] = {"versions", "groups", "ciphers", "profile"};
	for (size_t i = 0; i < CONF_COUNT(others) && is_set(scope, "priority"); i++)
		if (is_set(scope, others[i]))
			conf_error(
			    p, &scope->tls_where[TLS_LISTS],
			    "`priority` is the whole policy, and `%s` stands beside it: keep "
			    "one of them",
			    others[i]);
}

/* What is nearer replaces: a priority all else, a profile the lists. */
static void choice_inherit(struct conf_scope *own, const struct conf_scope *outer)
{
	struct tls_choice *c = &own->values->tls;
	const struct tls_choice *from = &outer->values->tls;
	bool any = is_set(own, "profile");
	for (unsigned list = 0; list < TLS_LISTS; list++)
		any = any || is_set(own, list_words[list]);
	if (is_set(own, "priority") && !any) {
		*c = (struct tls_choice){.priority = c->priority};
		return;
	}
	if (any && !is_set(own, "priority"))
		c->priority = NULL;
	for (unsigned list = 0; list < TLS_LISTS; list++) {
		if (is_set(own, list_words[list]) || is_set(own, "profile"))
			continue;
		c->lists[list] = from->lists[list];
		own->tls_where[list] = outer->tls_where[list];
	}
	if (c->priority != NULL && !is_set(own, "priority"))
		own->tls_where[TLS_LISTS] = outer->tls_where[TLS_LISTS];
}

static const char *version_name(unsigned versions)
{
	return versions == TLS_WORD_12 ? "TLS 1.2" : "TLS 1.3";
}

/* The place of the list that leaves nothing, or of the versions if it is a profile's. */
static const struct conf_where *left_place(const struct conf_scope *scope, enum tls_list list)
{
	return &scope->tls_where[scope->tls_where[list].line != 0 ? list : TLS_LIST_VERSIONS];
}

static bool left_check(struct conf_parser *p, const struct conf_scope *scope,
		       const struct tls_choice *c)
{
	static const enum tls_list needed[] = {TLS_LIST_GROUPS, TLS_LIST_CIPHERS};
	const unsigned versions = tls_choice_versions(c);
	bool good = true;
	for (size_t i = 0; i < CONF_COUNT(needed); i++) {
		const enum tls_list list = needed[i];
		const unsigned lacking = versions & ~tls_choice_usable(c, list);
		if (lacking == 0)
			continue;
		good = false;
		if (lacking != versions)
			conf_error(p, left_place(scope, list),
				   "%s has no %s left: add one that it has to `%s`, or write "
				   "`versions %s`",
				   version_name(lacking), list_nouns[list], list_words[list],
				   lacking == TLS_WORD_12 ? "1.3" : "1.2");
		else
			conf_error(p, left_place(scope, list),
				   "%s has no %s left: add one that it has to `%s`",
				   version_name(lacking), list_nouns[list], list_words[list]);
	}
	return good;
}

static void closure_check(struct conf_parser *p, const struct conf_scope *scope,
			  const struct tls_choice *c)
{
	const struct tls_word *has = NULL, *missing = tls_choice_missing(c, &has);
	if (missing != NULL && scope->tls_where[TLS_LIST_CIPHERS].line != 0)
		conf_error(p, &scope->tls_where[TLS_LIST_CIPHERS],
			   "GnuTLS cannot offer %s without %s: add that, too, or leave both out",
			   has->name, missing->name);
}

/* Is the cipher of the suite used in another one? */
static bool is_used(const struct tls_choice *c, const struct tls_word *suite)
{
	const unsigned versions = tls_choice_versions(c);
	for (size_t i = 0; i < c->lists[TLS_LIST_CIPHERS].count; i++) {
		const struct tls_word *w =
		    tls_word_at(TLS_LIST_CIPHERS, c->lists[TLS_LIST_CIPHERS].words[i]);
		if ((w->versions & versions) != 0 && strcmp(w->gnutls, suite->gnutls) == 0)
			return true;
	}
	return false;
}

static void useless_tell(struct conf_parser *p, const struct conf_scope *scope,
			 const struct tls_choice *c)
{
	for (size_t i = 0; i < c->lists[TLS_LIST_CIPHERS].count; i++) {
		const struct tls_word *w =
		    tls_word_at(TLS_LIST_CIPHERS, c->lists[TLS_LIST_CIPHERS].words[i]);
		if (!is_used(c, w)) {
			conf_warning(p, &scope->tls_where[TLS_LIST_CIPHERS],
				     "the cipher %s is never used: it is of %s, which is off",
				     w->name, version_name(w->versions));
			return;
		}
	}
}

/* RFC 8446, 9.1: secp256r1 must be there, and x25519 should be. */
static void rare_tell(struct conf_parser *p, const struct conf_scope *scope,
		      const struct tls_choice *c)
{
	bool usual = c->lists[TLS_LIST_GROUPS].count == 0;
	for (size_t i = 0; i < c->lists[TLS_LIST_GROUPS].count; i++) {
		const char *name =
		    tls_word_at(TLS_LIST_GROUPS, c->lists[TLS_LIST_GROUPS].words[i])->name;
		usual = usual || strcmp(name, "x25519") == 0 || strcmp(name, "secp256r1") == 0;
	}
	if (!usual)
		conf_warning(p, &scope->tls_where[TLS_LIST_GROUPS],
			     "many clients have none of these groups: add x25519 or secp256r1");
}

void conf_tls_choice_finish(struct conf_parser *p, struct conf_port_draft *draft)
{
	struct conf_scope *own = &draft->scope;
	struct conf_port *port = &draft->port;
	contradiction_tell(p, own);
	choice_inherit(own, &p->top);
	port->tls_where = port->where;
	for (unsigned i = 0; i <= TLS_LISTS; i++)
		if (own->tls_where[i].line != 0 && (i == TLS_LISTS) == (port->tls.priority != NULL))
			port->tls_where = own->tls_where[i];
	if (port->plain) {
		port->tls = (struct tls_choice){.priority = NULL};
		return;
	}
	if (port->tls.priority != NULL || own->tls_choice_damaged || p->top.tls_choice_damaged)
		return;
	struct tls_choice c = port->tls;
	tls_choice_expand(&c);
	if (left_check(p, own, &c))
		closure_check(p, own, &c);
	useless_tell(p, own, &port->tls);
	rare_tell(p, own, &port->tls);
	if (tls_choice_versions(&port->tls) == TLS_WORD_12)
		conf_warning(p, &own->tls_where[TLS_LIST_VERSIONS],
			     "the TLS policy is weaker than the default: it does not have TLS 1.3");
}

void conf_tls_choice_dump(const struct tls_choice *c, FILE *out)
{
	for (unsigned list = 0; list < TLS_LISTS; list++) {
		if (c->lists[list].count > 0)
			(void)fprintf(out, "\t\t%s", list_words[list]);
		for (size_t i = 0; i < c->lists[list].count; i++)
			(void)fprintf(out, " %s", tls_word_at(list, c->lists[list].words[i])->name);
		if (c->lists[list].count > 0)
			fputc('\n', out);
	}
}
