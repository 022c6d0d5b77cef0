/*
 * The names of hosts. Runs in the master; a child reads names that are in their final form already,
 * and so never comes to the tables of Unicode. Must never look a name up.
 */
#include <arpa/inet.h>
#include <idn2.h>
#include <string.h>

#include "parser.h"

#define GIVEN_MAX 1024 /* bytes of a name in the text */
#define NAME_MAX  253  /* RFC 1035, 2.3.4, without the last dot */
#define LABEL_MAX 63

/* --- addresses -------------------------------------------------------------------------------- */

/* The canonical form of a numeric address, with brackets around IPv6 as in a URL; NULL: it is none.
 * text is terminated, and may have brackets already. */
static char *name_address(struct conf_parser *p, char *text, size_t len)
{
	struct in_addr v4;
	struct in6_addr v6;
	char out[INET6_ADDRSTRLEN + 2] = "[";
	if (inet_pton(AF_INET, text, &v4) == 1)
		return conf_copy(p, text, len); /* there is one form only */
	const bool brackets = len > 2 && text[0] == '[' && text[len - 1] == ']';
	if (brackets)
		text[len - 1] = '\0';
	const bool is_v6 = inet_pton(AF_INET6, brackets ? text + 1 : text, &v6) == 1;
	if (brackets)
		text[len - 1] = ']';
	if (!is_v6 || inet_ntop(AF_INET6, &v6, out + 1, INET6_ADDRSTRLEN) == NULL)
		return NULL;
	len = strlen(out);
	out[len] = ']';
	return conf_copy(p, out, len + 1);
}

/* --- forms of other servers ------------------------------------------------------------------- */

static void scheme_tell(struct conf_parser *p, const char *name, const struct conf_where *at)
{
	const char *begin = strstr(name, "://");
	struct conf_value bare = {.data = begin != NULL ? begin + 3 : name};
	char shown[CONF_SHOWN_MAX];
	bare.len = strcspn(bare.data, "/:?#");
	if (bare.len == 0)
		conf_error(p, at, "a host's name has no scheme and no path");
	else
		conf_error(p, at, "a host's name has no scheme and no path: \"%s\"",
			   conf_show(&bare, shown));
}

static void port_tell(struct conf_parser *p, const char *name, const struct conf_where *at)
{
	const struct conf_value bare = {.data = name, .len = (size_t)(strrchr(name, ':') - name)};
	char shown[CONF_SHOWN_MAX];
	conf_error(p, at, "a host's name has no port: write \"%s\"; the number stands after `port`",
		   conf_show(&bare, shown));
}

static void dot_tell(struct conf_parser *p, const char *name, const struct conf_where *at)
{
	const struct conf_value bare = {.data = name + 1, .len = strlen(name + 1)};
	char shown[CONF_SHOWN_MAX];
	(void)conf_show(&bare, shown);
	conf_error(p, at, "a host's name does not begin with a dot: write \"%s\" \"*.%s\"", shown,
		   shown);
}

/* Reports what a name of another server means here. */
static bool form_check(struct conf_parser *p, const char *name, const struct conf_where *at)
{
	if (strchr(name, '/') != NULL)
		scheme_tell(p, name, at);
	else if (strpbrk(name, "~^$()|\\+?") != NULL)
		conf_error(p, at,
			   "a host has names and no pattern: \"*.example.org\" is for all names "
			   "with one label more than \"example.org\"");
	else if (strcmp(name, "*") == 0 || strcmp(name, "_") == 0)
		conf_error(p, at,
			   "\"%s\" is not the name of a host: what stands in the port outside of "
			   "`host` serves all names that no host has",
			   name);
	else if (name[0] == '[' || (strchr(name, ':') != strrchr(name, ':')))
		conf_error(p, at,
			   "an IPv6 address is written \"::1\" or \"[::1]\", without a "
			   "zone or a port");
	else if (strchr(name, ':') != NULL)
		port_tell(p, name, at);
	else if (name[0] == '.' && name[1] != '\0' && name[1] != '.')
		dot_tell(p, name, at);
	else if (strchr(strncmp(name, "*.", 2) == 0 ? name + 1 : name, '*') != NULL)
		conf_error(p, at,
			   "`*` stands for one whole label, the first one: \"*.example.org\"");
	else
		return true;
	return false;
}

/* --- labels ----------------------------------------------------------------------------------- */

static bool is_ascii(const char *name)
{
	for (; *name != '\0'; name++)
		if ((unsigned char)*name >= 0x80)
			return false;
	return true;
}

static bool in_label(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Clients send names that no registry accepts, such as "my_host"; only what cannot be in a request
 * is refused. The name is in lower case. */
static bool labels_check(struct conf_parser *p, const char *name, const struct conf_where *at)
{
	size_t label = 0;
	for (const char *c = name;; c++) {
		if (in_label(*c)) {
			label++;
			continue;
		}
		if (*c != '.' && *c != '\0') {
			const struct conf_value byte = {.data = c, .len = 1};
			char shown[CONF_SHOWN_MAX];
			conf_error(p, at, "a host's name cannot contain `%s`",
				   conf_show(&byte, shown));
			return false;
		}
		if (label == 0 || label > LABEL_MAX) {
			conf_error(p, at,
				   label == 0 ? "a host's name has no empty label"
					      : "a label of a host's name has at most 63 bytes");
			return false;
		}
		if (*c == '\0')
			return true;
		label = 0;
	}
}

/* Unicode to A-labels (RFC 5891, UTS 46), as browsers do it. Returns allocated text or NULL. */
static char *labels_encode(struct conf_parser *p, const char *name, const struct conf_where *at)
{
	uint8_t *encoded = NULL;
	const int error =
	    idn2_lookup_u8((const uint8_t *)name, &encoded, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (error == IDN2_OK)
		return (char *)encoded;
	const struct conf_value value = {.data = name, .len = strlen(name)};
	char shown[CONF_SHOWN_MAX];
	if (error == IDN2_MALLOC)
		conf_out_of_memory(p);
	else
		conf_error(p, at, "\"%s\" cannot be the name of a host: %s",
			   conf_show(&value, shown), idn2_strerror(error));
	return NULL;
}

static void fold(char *name)
{
	for (; *name != '\0'; name++)
		if (*name >= 'A' && *name <= 'Z')
			*name = (char)(*name - 'A' + 'a');
}

static void dot_remove(char *name)
{
	const size_t len = strlen(name);
	if (len > 1 && name[len - 1] == '.')
		name[len - 1] = '\0';
}

/* labels: the name without its `*.`. */
static char *name_finish(struct conf_parser *p, char *labels, bool star,
			 const struct conf_where *at)
{
	fold(labels);
	dot_remove(labels);
	const size_t len = strlen(labels), before = star ? 2 : 0;
	if (!labels_check(p, labels, at))
		return NULL;
	if (len + before > NAME_MAX) {
		conf_error(p, at, "a host's name has at most %d bytes, this one has %zu", NAME_MAX,
			   len + before);
		return NULL;
	}
	char *name = conf_alloc(p, before + len + 1);
	if (name == NULL)
		return NULL;
	memcpy(name, "*.", before);
	memcpy(name + before, labels, len + 1);
	return name;
}

char *conf_host_name_normalize(struct conf_parser *p, const struct conf_value *value,
			       const struct conf_where *at)
{
	char text[GIVEN_MAX + 1];
	if (!conf_plain(p, "a host's name", GIVEN_MAX, value, at))
		return NULL;
	memcpy(text, value->data, value->len + 1);
	dot_remove(text);
	char *address = name_address(p, text, strlen(text));
	if (address != NULL || p->stop || !form_check(p, text, at))
		return address;
	const bool star = strncmp(text, "*.", 2) == 0;
	char *labels = star ? text + 2 : text;
	if (is_ascii(labels))
		return name_finish(p, labels, star, at);
	char *encoded = labels_encode(p, labels, at);
	char *name = encoded != NULL ? name_finish(p, encoded, star, at) : NULL;
	idn2_free(encoded);
	return name;
}
