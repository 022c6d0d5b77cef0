/*
 * The sinks of the log: `log to`. Runs in the master and in every child. Must never look anything
 * up on the system: the path of a socket is only stored.
 */
#include <string.h>
#include <syslog.h>

#include "parser.h"

static const struct facility {
	const char *name;
	int value;
} facilities[] = {
    {"auth", LOG_AUTH},     {"authpriv", LOG_AUTHPRIV}, {"cron", LOG_CRON},
    {"daemon", LOG_DAEMON}, {"ftp", LOG_FTP},           {"lpr", LOG_LPR},
    {"mail", LOG_MAIL},     {"news", LOG_NEWS},         {"syslog", LOG_SYSLOG},
    {"user", LOG_USER},     {"uucp", LOG_UUCP},         {"local0", LOG_LOCAL0},
    {"local1", LOG_LOCAL1}, {"local2", LOG_LOCAL2},     {"local3", LOG_LOCAL3},
    {"local4", LOG_LOCAL4}, {"local5", LOG_LOCAL5},     {"local6", LOG_LOCAL6},
    {"local7", LOG_LOCAL7},
};

const char *conf_facility_name(int facility)
{
	for (size_t i = 0; i < CONF_COUNT(facilities); i++)
		if (facilities[i].value == facility)
			return facilities[i].name;
	return "daemon";
}

/* where is that of the sink: `log to syslog` and `log to journal` may be used together. */
void conf_log_to(struct conf_parser *p, int token, const struct conf_where *where)
{
	struct conf_log *log = &p->tree->conf.log;
	(void)conf_once(p,
			token == T_CONSOLE  ? "console"
			: token == T_SYSLOG ? "syslog"
					    : "journal",
			where);
	p->log_facility_given = false;
	p->log_path_given = false;
	if (token == T_CONSOLE) {
		log->console = true;
	} else if (token == T_SYSLOG) {
		log->syslog = true;
		log->syslog_where = *where;
	} else {
		log->journal = true;
		log->journal_where = *where;
	}
}

static void given(struct conf_parser *p, bool *given, const char *word,
		  const struct conf_where *where)
{
	if (*given)
		conf_error(p, where, "duplicate `%s` in one statement", word);
	*given = true;
}

void conf_log_facility(struct conf_parser *p, const struct conf_value *value,
		       const struct conf_where *where, const struct conf_where *at)
{
	const char *names[CONF_COUNT(facilities)];
	char shown[CONF_SHOWN_MAX];
	given(p, &p->log_facility_given, "facility", where);
	if (value->broken)
		return;
	for (size_t i = 0; i < CONF_COUNT(facilities); i++) {
		names[i] = facilities[i].name;
		if (strcmp(value->data, names[i]) == 0) {
			p->tree->conf.log.syslog_facility = facilities[i].value;
			return;
		}
	}
	const char *meant = conf_suggest(value->data, value->len, names, CONF_COUNT(names));
	if (meant != NULL)
		conf_error(p, at, "unknown facility `%s`; did you mean `%s`?",
			   conf_show(value, shown), meant);
	else
		conf_error(
		    p, at,
		    "unknown facility `%s`; there are auth, authpriv, cron, daemon, ftp, lpr, "
		    "mail, news, syslog, user, uucp and local0 to local7",
		    conf_show(value, shown));
}

void conf_log_path(struct conf_parser *p, int token, const struct conf_value *value,
		   const struct conf_where *where, const struct conf_where *at)
{
	struct conf_log *log = &p->tree->conf.log;
	given(p, &p->log_path_given, "path", where);
	if (!conf_plain(p, "a socket's path", CONF_SOCKET_PATH_MAX, value, at))
		return;
	char *path = conf_path(p, value->data, at);
	if (path == NULL)
		return;
	if (strlen(path) > CONF_SOCKET_PATH_MAX)
		conf_error(p, at, "a socket's path has at most %d bytes, this one has %zu in full",
			   CONF_SOCKET_PATH_MAX, strlen(path));
	else if (token == T_SYSLOG)
		log->syslog_path = path;
	else
		log->journal_path = path;
}
