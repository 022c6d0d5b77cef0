/*
 * The words of the language and the blocks in which each begins a statement. Runs in the master and
 * in every child. Must never disagree with grammar.y: tests/unit/test_conf.c compares them.
 */
#include <string.h>

#include "parser.h"

#define TOP      CONF_BLOCK_TOP
#define PORT     CONF_BLOCK_PORT
#define LOCATION CONF_BLOCK_LOCATION
#define RESTART  CONF_BLOCK_RESTART
#define LIMITS   CONF_BLOCK_LIMITS
#define TLS      CONF_BLOCK_TLS
#define ANY      (TOP | PORT | LOCATION | RESTART | LIMITS | TLS)

/* In the order of strcmp(3), for a binary search. */
const struct conf_keyword conf_keywords[] = {
    {"access", T_ACCESS, TOP | PORT},
    {"after", T_AFTER, 0},
    {"any", T_ANY, 0},
    {"auto", T_AUTO, 0},
    {"backoff", T_BACKOFF, RESTART},
    {"body", T_BODY, LIMITS},
    {"body-timeout", T_BODY_TIMEOUT, LIMITS},
    {"certificate", T_CERTIFICATE, TLS},
    {"chroot", T_CHROOT, TOP | PORT},
    {"connections", T_CONNECTIONS, LIMITS},
    {"console", T_CONSOLE, 0},
    {"control", T_CONTROL, TOP},
    {"core", T_CORE, LIMITS},
    {"development", T_DEVELOPMENT, 0},
    {"drain", T_DRAIN, TOP},
    {"echo", T_ECHO, PORT | LOCATION},
    {"enabled", T_ENABLED, 0},
    {"errors", T_ERRORS, 0},
    {"facility", T_FACILITY, 0},
    {"fault", T_FAULT, LOCATION},
    {"faults", T_FAULTS, TOP},
    {"group", T_GROUP, TOP | PORT},
    {"handshake-timeout", T_HANDSHAKE_TIMEOUT, LIMITS},
    {"head", T_HEAD, LIMITS},
    {"head-timeout", T_HEAD_TIMEOUT, LIMITS},
    {"header", T_HEADER, 0},
    {"idle", T_IDLE, LIMITS},
    {"in", T_IN, 0},
    {"include", T_INCLUDE, ANY},
    {"journal", T_JOURNAL, 0},
    {"key", T_KEY, TOP | PORT | TLS},
    {"keyholders", T_KEYHOLDERS, TOP | PORT},
    {"lenient", T_LENIENT, 0},
    {"lifetime", T_LIFETIME, 0},
    {"limits", T_LIMITS, TOP | PORT},
    {"listen", T_LISTEN, PORT},
    {"location", T_LOCATION, PORT},
    {"log", T_LOG, TOP},
    {"memory", T_MEMORY, LIMITS},
    {"methods", T_METHODS, PORT | LOCATION},
    {"off", T_OFF, 0},
    {"on", T_ON, 0},
    {"park", T_PARK, RESTART},
    {"parked", T_PARKED, 0},
    {"path", T_PATH, 0},
    {"port", T_PORT, TOP},
    {"privileges", T_PRIVILEGES, TOP},
    {"queue", T_QUEUE, 0},
    {"rate", T_RATE, 0},
    {"refuse", T_REFUSE, 0},
    {"requests", T_REQUESTS, LIMITS},
    {"respond", T_RESPOND, PORT | LOCATION},
    {"restart", T_RESTART, TOP | PORT},
    {"signatures", T_SIGNATURES, LIMITS},
    {"socket", T_SOCKET, 0},
    {"strict", T_STRICT, 0},
    {"syslog", T_SYSLOG, 0},
    {"threads", T_THREADS, PORT},
    {"tickets", T_TICKETS, TOP | PORT},
    {"tls", T_TLS, TOP | PORT},
    {"to", T_TO, 0},
    {"type", T_TYPE, 0},
    {"user", T_USER, TOP | PORT},
    {"watchdog", T_WATCHDOG, TOP | PORT},
    {"while", T_WHILE, RESTART},
    {"workers", T_WORKERS, TOP | PORT},
    {"write-timeout", T_WRITE_TIMEOUT, LIMITS},
};
const size_t conf_keywords_count = CONF_COUNT(conf_keywords);

/* Like strcmp(3); name may have any bytes, also NUL. */
static int compare(const char *name, size_t len, const char *keyword)
{
	const size_t keyword_len = strlen(keyword);
	const int order = memcmp(name, keyword, len < keyword_len ? len : keyword_len);
	return order != 0 ? order : (len > keyword_len) - (len < keyword_len);
}

const struct conf_keyword *conf_keyword_find(const char *name, size_t len)
{
	size_t low = 0, high = conf_keywords_count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		const int order = compare(name, len, conf_keywords[middle].name);
		if (order == 0)
			return &conf_keywords[middle];
		if (order > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct conf_keyword *conf_keyword_of(int token)
{
	for (size_t i = 0; i < conf_keywords_count; i++)
		if (conf_keywords[i].token == token)
			return &conf_keywords[i];
	return NULL;
}

const char *conf_block_place(enum conf_block_kind kind)
{
	switch (kind) {
	case CONF_BLOCK_TOP:
		return "at the top level";
	case CONF_BLOCK_PORT:
		return "in a port block";
	case CONF_BLOCK_LOCATION:
		return "in a location block";
	case CONF_BLOCK_RESTART:
		return "in a restart block";
	case CONF_BLOCK_LIMITS:
		return "in a limits block";
	case CONF_BLOCK_TLS:
		return "in a tls block";
	}
	return "here";
}
