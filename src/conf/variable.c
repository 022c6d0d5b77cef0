/*
 * Variables: parts of the request in a text of the configuration, such as `${host}`. Runs in the
 * master and in the child of the port. Must never let a text pass as it stands if a variable was
 * probably meant.
 */
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "parser.h"

const struct conf_variable_text conf_variables[] = {
#define VARIABLE(constant, word, of_path) \
	[CONF_VARIABLE_##constant] = {"${" word "}", sizeof("${" word "}") - 1, of_path},
    CONF_VARIABLES(VARIABLE)
#undef VARIABLE
};

enum conf_variable conf_variable_at(const char *at)
{
	unsigned i = 0;
	while (i < CONF_NO_VARIABLE &&
	       strncmp(at, conf_variables[i].text, conf_variables[i].len) != 0)
		i++;
	return (enum conf_variable)i;
}

static void variable_unknown(struct conf_parser *p, const char *begin, size_t len,
			     const struct conf_where *at)
{
	const struct conf_value name = {.data = begin, .len = len};
	const char *texts[CONF_NO_VARIABLE];
	char shown[CONF_SHOWN_MAX], list[512];
	struct text t;
	text_init(&t, list, sizeof(list));
	for (unsigned i = 0; i < CONF_NO_VARIABLE; i++) {
		texts[i] = conf_variables[i].text;
		conf_list_item(&t, texts[i], "`", i, CONF_NO_VARIABLE, "and");
	}
	const char *meant = conf_suggest(begin, len, texts, CONF_NO_VARIABLE);
	if (meant != NULL)
		conf_error(p, at, "unknown variable `%s`; did you mean `%s`?",
			   conf_show(&name, shown), meant);
	else
		conf_error(p, at, "unknown variable `%s`; there are %s", conf_show(&name, shown),
			   list);
}

/* Is every `${` the beginning of a variable? If not, that was reported. */
bool conf_variables_check(struct conf_parser *p, const char *text, const struct conf_where *at)
{
	for (const char *c = strstr(text, "${"); c != NULL; c = strstr(c + 1, "${")) {
		const size_t len = strcspn(c, "}");
		if (conf_variable_at(c) < CONF_NO_VARIABLE)
			continue;
		if (c[len] == '\0')
			conf_error(p, at, "a variable such as `${host}` ends in `}`");
		else
			variable_unknown(p, c, len + 1, at);
		return false;
	}
	return true;
}

/* The variables of other servers: what they are called here. */
static const char *variable_translated(const char *name, size_t len)
{
	static const struct {
		const char *theirs;
		enum conf_variable ours;
	} words[] = {{"host", CONF_VARIABLE_HOST},
		     {"http_host", CONF_VARIABLE_HOST},
		     {"server_name", CONF_VARIABLE_HOST},
		     {"request_uri", CONF_VARIABLE_TARGET},
		     {"uri", CONF_VARIABLE_PATH},
		     {"document_uri", CONF_VARIABLE_PATH},
		     {"path", CONF_VARIABLE_PATH},
		     {"target", CONF_VARIABLE_TARGET},
		     {"remainder", CONF_VARIABLE_REMAINDER},
		     {"args", CONF_VARIABLE_QUERY},
		     {"query", CONF_VARIABLE_QUERY},
		     {"query_string", CONF_VARIABLE_QUERY},
		     {"scheme", CONF_VARIABLE_SCHEME},
		     {"port", CONF_VARIABLE_PORT},
		     {"server_port", CONF_VARIABLE_PORT},
		     {"remote_addr", CONF_VARIABLE_CLIENT},
		     {"remote_host", CONF_VARIABLE_CLIENT},
		     {"client", CONF_VARIABLE_CLIENT},
		     {"client_ip", CONF_VARIABLE_CLIENT},
		     {"request_id", CONF_VARIABLE_REQUEST_ID},
		     {"unique_id", CONF_VARIABLE_REQUEST_ID},
		     {"ssl_client_s_dn", CONF_VARIABLE_CERTIFICATE_SUBJECT},
		     {"ssl_client_i_dn", CONF_VARIABLE_CERTIFICATE_ISSUER},
		     {"ssl_client_serial", CONF_VARIABLE_CERTIFICATE_SERIAL},
		     {"ssl_client_m_serial", CONF_VARIABLE_CERTIFICATE_SERIAL},
		     {"ssl_client_fingerprint", CONF_VARIABLE_CERTIFICATE_FINGERPRINT}};
	for (size_t i = 0; i < CONF_COUNT(words); i++)
		if (strlen(words[i].theirs) == len && strncasecmp(words[i].theirs, name, len) == 0)
			return conf_variables[words[i].ours].text;
	return NULL;
}

/* `$request_uri` is allowed, and was probably meant as a variable; `{uri}` and `%{REQUEST_URI}` are
 * not. true: it cannot stand there, and that was reported. */
bool conf_variables_foreign(struct conf_parser *p, const char *text, const struct conf_where *at)
{
	struct conf_value name = {.len = 0};
	char *others = conf_copy(p, text, strlen(text));
	if (others == NULL)
		return true;
	for (size_t i = 0; text[i] != '\0'; i++)
		if (conf_variable_at(text + i) != CONF_NO_VARIABLE)
			memset(others + i, '/', conf_variables[conf_variable_at(text + i)].len);
	char shown[CONF_SHOWN_MAX];
	name.data = conf_foreign_variable(others, strlen(others), true, &name.len);
	if (name.data == NULL)
		return false;
	const size_t begin = strspn(name.data, "$%{");
	const size_t end = name.len - (name.data[name.len - 1] == '}');
	const char *ours = variable_translated(name.data + begin, end - begin);
	const bool braces = memchr(name.data, '{', name.len) != NULL;
	if (ours != NULL && name.data[0] == '%') /* of Apache: without the query */
		ours = ours == conf_variables[CONF_VARIABLE_TARGET].text
			   ? conf_variables[CONF_VARIABLE_PATH].text
			   : ours;
	else if (ours != NULL && name.data[0] == '{') /* of Caddy: with it */
		ours = ours == conf_variables[CONF_VARIABLE_PATH].text && end - begin == 3
			   ? conf_variables[CONF_VARIABLE_TARGET].text
			   : ours;
	(void)conf_show(&name, shown);
	if (braces && ours != NULL)
		conf_error(p, at, "`%s` is a variable of another server: write `%s`", shown, ours);
	else if (!braces && ours != NULL)
		conf_warning(p, at, "`%s` is sent as it stands: the variable is `%s`", shown, ours);
	else if (!braces)
		conf_warning(p, at,
			     "`%s` is sent as it stands: a variable is written like `${host}`",
			     shown);
	return braces && ours != NULL;
}
