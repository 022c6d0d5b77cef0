/* Runs in the workers, on bytes of any client. Must never write past its output. */
#include "filter/variable.h"

#include <stdio.h>
#include <string.h>

#include "net/transport.h"

static const struct variable {
	const char *text;
	size_t len;
} variables[] = {
#define VARIABLE(constant, word, of_path) \
	[CONF_VARIABLE_##constant] = {"${" word "}", sizeof("${" word "}") - 1},
    CONF_VARIABLES(VARIABLE)
#undef VARIABLE
};

static enum conf_variable variable_at(const char *text)
{
	unsigned i = 0;
	while (i < CONF_NO_VARIABLE && strncmp(text, variables[i].text, variables[i].len) != 0)
		i++;
	return (enum conf_variable)i;
}

size_t variable_parts_most(const char *text)
{
	size_t most = 1;
	for (const char *c = text; *c != '\0'; c++)
		most += *c == '$' ? 2 : 0;
	return most;
}

size_t variable_parts(const char *text, struct variable_part *parts)
{
	size_t count = 0;
	while (*text != '\0') {
		const enum conf_variable variable = variable_at(text);
		size_t len = 1;
		if (variable != CONF_NO_VARIABLE)
			len = variables[variable].len;
		else
			while (text[len] != '\0' && variable_at(text + len) == CONF_NO_VARIABLE)
				len++;
		parts[count++] = (struct variable_part){variable, text, len};
		text += len;
	}
	return count;
}

const char *variable_of_certificate(enum conf_variable variable, const struct exchange *ex)
{
	static const struct transport_certificate none = {.subject = ""};
	const struct transport_facts *tls = ex->client->tls;
	const struct transport_certificate *c =
	    tls != NULL && tls->client != NULL ? tls->client : &none;
	switch (variable) {
	case CONF_VARIABLE_CERTIFICATE_SUBJECT:
		return c->subject;
	case CONF_VARIABLE_CERTIFICATE_ISSUER:
		return c->issuer;
	case CONF_VARIABLE_CERTIFICATE_SERIAL:
		return c->serial;
	case CONF_VARIABLE_CERTIFICATE_FINGERPRINT:
		return c->fingerprint;
	case CONF_VARIABLE_CERTIFICATE_SAN:
		return c->names;
	default:
		return NULL;
	}
}

/* --- expanding -------------------------------------------------------------------------------- */

struct expansion {
	char *out;
	size_t size, len;
	bool full;
};

static void expansion_add(struct expansion *e, const char *text, size_t len)
{
	e->full = e->full || len > e->size - e->len;
	if (e->full || len == 0)
		return;
	memcpy(e->out + e->len, text, len);
	e->len += len;
}

static void expansion_add_slice(struct expansion *e, const struct http_request *r,
				struct http_slice slice)
{
	if (slice.len > 0)
		expansion_add(e, http_slice_at(r, slice), slice.len);
}

/* Without a path there is none yet, or the request is for the server as a whole. */
static void expansion_add_path(struct expansion *e, const struct exchange *ex, size_t from)
{
	if (ex->path.len == 0 || e->full)
		return;
	const size_t n = exchange_path_spell(ex, from, e->out + e->len, e->size - e->len);
	e->full = n == SIZE_MAX;
	if (!e->full)
		e->len += n;
}

static void expansion_add_variable(struct expansion *e, enum conf_variable variable,
				   const struct exchange *ex, uint16_t port)
{
	const struct http_request *r = &ex->request;
	const char *of_certificate;
	char text[HTTP_HOST_NAME_MAX + 1];
	switch (variable) {
	case CONF_VARIABLE_HOST:
		expansion_add(e, text, http_host_name(r, text));
		break;
	case CONF_VARIABLE_TARGET:
		expansion_add_slice(e, r, r->path);
		if (r->query_present)
			expansion_add(e, "?", 1);
		expansion_add_slice(e, r, r->query);
		break;
	case CONF_VARIABLE_PATH:
		expansion_add_path(e, ex, 0);
		break;
	case CONF_VARIABLE_QUERY:
		expansion_add_slice(e, r, r->query);
		break;
	case CONF_VARIABLE_REMAINDER: /* a location ends before a separator, except "/" */
		expansion_add_path(e, ex, ex->path.matched > 1 ? ex->path.matched : 0);
		break;
	case CONF_VARIABLE_SCHEME:
		if (ex->client->tls != NULL)
			expansion_add(e, "https", 5);
		else
			expansion_add(e, "http", 4);
		break;
	case CONF_VARIABLE_PORT:
		expansion_add(e, text, (size_t)snprintf(text, sizeof(text), "%u", port));
		break;
	case CONF_VARIABLE_CLIENT:
		expansion_add(e, ex->client->address, strlen(ex->client->address));
		break;
	case CONF_VARIABLE_REQUEST_ID:
		expansion_add(e, ex->id, strlen(ex->id));
		break;
	case CONF_VARIABLE_CERTIFICATE_SUBJECT:
	case CONF_VARIABLE_CERTIFICATE_ISSUER:
	case CONF_VARIABLE_CERTIFICATE_SERIAL:
	case CONF_VARIABLE_CERTIFICATE_FINGERPRINT:
	case CONF_VARIABLE_CERTIFICATE_SAN:
		of_certificate = variable_of_certificate(variable, ex);
		expansion_add(e, of_certificate, strlen(of_certificate));
		break;
	case CONF_NO_VARIABLE:
		break;
	}
}

size_t variable_expand(const struct variable_part *parts, size_t count, const struct exchange *ex,
		       uint16_t port, char *out, size_t size)
{
	struct expansion e = {.out = out, .size = size};
	for (size_t i = 0; i < count; i++)
		if (parts[i].variable == CONF_NO_VARIABLE)
			expansion_add(&e, parts[i].text, parts[i].len);
		else
			expansion_add_variable(&e, parts[i].variable, ex, port);
	return e.full ? SIZE_MAX : e.len;
}
