/*
 * A request on the control socket: one line of printable ASCII, "bulkhead/1 VERB [ARGUMENT]...\n",
 * with single blanks between the words. The answer is one line of JSON (RFC 8259),
 *
 *   {"bulkhead":1,"ok":true,...}    or    {"bulkhead":1,"ok":false,"error":"one sentence",...}
 *
 * bulkheadctl(8), PROTOCOL describes both in full. Pure: no descriptor, no allocation.
 */
#ifndef CONTROL_REQUEST_H
#define CONTROL_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CONTROL_REQUEST_MAX 512 /* bytes of a line with its newline */
#define CONTROL_PROTOCOL    "bulkhead/1"

enum control_verb {
	CONTROL_STATUS,  /* [PORT] */
	CONTROL_CRASHES, /* [PORT] */
	CONTROL_RELOAD,  /* [dry-run] */
	CONTROL_STOP,    /* PORT */
	CONTROL_START,   /* PORT */
	CONTROL_RESTART, /* PORT */
	CONTROL_DRAIN,
	CONTROL_UPGRADE,
	CONTROL_LOG,      /* LEVEL */
	CONTROL_UPSTREAM, /* PORT NAME ORDER */
	CONTROL_VERBS
};

/* What an upstream, or an endpoint, is to do: "up" takes the others back. */
enum control_order { CONTROL_ORDER_UP, CONTROL_ORDER_DRAIN, CONTROL_ORDER_DOWN, CONTROL_ORDERS };

#define CONTROL_UPSTREAM_MAX 300 /* bytes of a name or a URL, with its NUL */

struct control_request {
	enum control_verb verb;
	uint16_t port; /* 0: not given */
	bool dry_run;
	int level; /* of syslog(3): LOG_ERR … LOG_DEBUG */
	enum control_order order;
	char upstream[CONTROL_UPSTREAM_MAX]; /* its name, or the URL of an endpoint; else "" */
};

/* Parses a line without its newline; any bytes are safe. Returns 0, or -EINVAL and a sentence of
 * printable ASCII, and then *ret is untouched. */
int control_parse(const char *line, size_t len, struct control_request *ret, struct err *);

const char *control_verb_name(enum control_verb);

const char *control_order_name(enum control_order);
/* CONTROL_ORDERS: there is none of that name. */
enum control_order control_order_parse(const char *word, size_t len);

/* The levels that can be set: "err", "warning", "notice", "info", "debug". The name of a level, or
 * NULL; control_level_parse() does the opposite, -1 for an unknown word. */
const char *control_level_name(int level);
int control_level_parse(const char *word, size_t len);

#endif
