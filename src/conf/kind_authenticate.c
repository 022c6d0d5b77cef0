/*
 * The filter authenticate: who may come in by a password. Runs in the master and in the child of
 * the port. Must never open a password file.
 */
#include <limits.h>
#include <string.h>

#include "parser.h"

#define REALM_MAX 256

enum { HOW, REALM, PASSWORDS };

/* The statement with what only the configuration needs. */
struct authenticate_draft {
	struct conf_authenticate authenticate;
	struct conf_where where, file_at;
	bool given, is_basic, broken;
};

static void realm_take(struct conf_parser *p, struct authenticate_draft *draft,
		       const struct conf_group *given)
{
	const struct conf_value *realm = &given->values[0];
	if (conf_plain(p, "a realm", REALM_MAX, realm, &given->at[0]) &&
	    conf_field_check(p, "a realm", realm, &given->at[0]))
		draft->authenticate.realm = conf_copy(p, realm->data, realm->len);
	else
		draft->broken = true;
}

static void file_take(struct conf_parser *p, struct authenticate_draft *draft,
		      const struct conf_group *given)
{
	if (!conf_plain(p, "a file name", PATH_MAX - 1, &given->values[0], &given->at[0])) {
		draft->broken = true;
		return;
	}
	draft->authenticate.path = conf_path(p, given->values[0].data, &given->at[0]);
	draft->file_at = given->at[0];
}

static void authenticate_take(struct conf_parser *p, const struct conf_group *given)
{
	struct authenticate_draft *draft =
	    conf_filter_here(p, CONF_FILTER_AUTHENTICATE, sizeof(*draft));
	char place[CONF_PLACE_MAX];
	if (draft == NULL)
		return;
	if (given->piece == REALM)
		realm_take(p, draft, given);
	else if (given->piece == PASSWORDS)
		file_take(p, draft, given);
	if (given->piece != HOW)
		return;
	if (draft->given)
		conf_error(p, &given->where, "a second `authenticate`; the first one is at %s",
			   conf_place(&draft->where, &given->where, place));
	*draft = (struct authenticate_draft){
	    .given = true,
	    .where = given->where,
	    .is_basic = given->values[0].part != CONF_PART_ZERO,
	};
}

static void authenticate_finish(struct conf_parser *p, void *own)
{
	struct authenticate_draft *draft = own;
	if (draft->broken)
		return;
	const bool has_realm = draft->authenticate.realm != NULL;
	const bool has_file = draft->authenticate.path != NULL;
	if (draft->is_basic && (!has_realm || !has_file))
		conf_error(
		    p, &draft->where,
		    "say for what the passwords are, and where: `authenticate basic \"staff\" "
		    "file \"staff.htpasswd\"`");
}

static void authenticate_gather(struct conf_parser *p, struct conf_port_draft *port,
				const void *own)
{
	const struct authenticate_draft *draft = own;
	if (draft->authenticate.realm == NULL || draft->authenticate.path == NULL)
		return;
	(void)conf_paths_add(p, &port->passwords, &port->port.passwords,
			     &port->port.passwords_count, CONF_PASSWORDS_MAX, "password files",
			     draft->authenticate.path, &draft->file_at);
	if (port->port.plain)
		conf_warning(p, &draft->where,
			     "passwords cross the network in plain text, since this port has `tls "
			     "off`");
}

static void authenticate_write(const void *own, const char *indent, FILE *out)
{
	const struct conf_authenticate *a = own;
	(void)fprintf(out, "%sauthenticate", indent);
	if (a->realm == NULL) {
		(void)fprintf(out, " off\n");
		return;
	}
	conf_put(out, " basic ", a->realm);
	conf_put(out, " file ", a->path != NULL ? a->path : "");
	fputc('\n', out);
}

static uint64_t authenticate_size(const void *own)
{
	const struct conf_authenticate *a = own;
	return sizeof(struct authenticate_draft) + (a->realm != NULL ? strlen(a->realm) : 0) +
	       (a->path != NULL ? strlen(a->path) : 0);
}

static const char *const words[] = {"basic", NULL};

static const struct conf_statement authenticate_statements[] = {
    {.word = "authenticate",
     .blocks = CONF_FILTER_BLOCKS,
     .take = authenticate_take,
     .pieces =
	 {
	     [HOW] = {CONF_CHOICE, .choices = words, .zero = "off"},
	     [REALM] = {CONF_STRING, CONF_MAY, .noun = "realm"},
	     [PASSWORDS] = {CONF_STRING, CONF_OPTION, .word = "file", .noun = "file", .once = true},
	 }},
    {.word = NULL},
};

/* The statement of an inner place takes the place of the outer one. */
const struct conf_kind conf_kind_authenticate = {
    .statements = authenticate_statements,
    .finish = authenticate_finish,
    .gather = authenticate_gather,
    .write = authenticate_write,
    .size = authenticate_size,
};
