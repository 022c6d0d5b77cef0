/*
 * What the control socket is asked: one line of printable ASCII, "bulkhead/1 VERB [ARGUMENT]...\n",
 * its words separated by single blanks. The answer to it is one line of JSON (RFC 8259),
 *
 *   {"bulkhead":1,"ok":true,...}    or    {"bulkhead":1,"ok":false,"error":"one sentence",...}
 *
 * bulkheadctl(8), PROTOCOL has both in full. Pure: no descriptor, no allocation.
 */
#ifndef CONTROL_REQUEST_H
#define CONTROL_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CONTROL_REQUEST_MAX 512 /* bytes of a line, its newline included */
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
	CONTROL_LOG, /* LEVEL */
	CONTROL_VERBS
};

struct control_request {
	enum control_verb verb;
	uint16_t port; /* 0: none was given */
	bool dry_run;
	int level; /* of syslog(3): LOG_ERR … LOG_DEBUG */
};

/* A line without its newline; any bytes. 0, or -EINVAL and a sentence of printable ASCII, *ret
 * untouched. */
int control_parse(const char *line, size_t len, struct control_request *ret, struct err *);

const char *control_verb_name(enum control_verb);

/* "err", "warning", "notice", "info", "debug": the levels that can be set. The name of a level, or
 * NULL; control_level_parse() is its opposite, -1 for a word that is none. */
const char *control_level_name(int level);
int control_level_parse(const char *word, size_t len);

#endif
