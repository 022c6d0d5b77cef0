/*
 * A connection to the control socket: requests out, answers, a line each, in. bulkheadctl(8),
 * PROTOCOL.
 */
#ifndef CTL_CONNECTION_H
#define CTL_CONNECTION_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "ctl/ctl.h"

#define CONNECTION_PATIENCE_MS 10000 /* for what the server does at once */
#define CONNECTION_FOREVER     (-1)

struct connection {
	int fd; /* -1: none */
	const char *path;
	struct buf in;
	bool was_ended; /* by the server */
};

/* CTL_DONE, or a status with its sentence, within patience_ms, which is at least 1. */
enum ctl_status connection_open(struct connection *, const char *path, int patience_ms,
				struct err *);
void connection_close(struct connection *);

/* A request without its protocol and newline: "status 8000". */
enum ctl_status connection_send(struct connection *, const char *request, struct err *);

/* What has come: CTL_DONE, with *ret an answer (json_decref() ends it), or NULL while it is not
 * complete. Reads once, and blocks if nothing is there. An end of the connection is CTL_NO_SERVER,
 * or CTL_NOT_PERMITTED where that is the likely reason; so is what is no answer. */
enum ctl_status connection_receive(struct connection *, json_t **ret, struct err *);

/* Sends and waits for the answer so long. An answer that says no is CTL_FAILED with its sentence;
 * *ret is there, too, then. */
enum ctl_status connection_ask(struct connection *, const char *request, int patience_ms,
			       json_t **ret, struct err *);

/* All of it within patience_ms: opens, asks, closes; for what changes nothing. A server that
 * becomes its next version ends its connections, so one that ends without an answer is asked once
 * more. */
enum ctl_status ctl_ask(const struct ctl_arguments *, const char *request, int patience_ms,
			json_t **ret, struct err *);

/* Does it say yes? Else err has its sentence. */
enum ctl_status answer_judge(const json_t *, struct err *);

/* Members of what the server says, whatever it is: "" and 0 for what is not there or is something
 * else. */
const char *answer_text(const json_t *object, const char *name);
int64_t answer_int(const json_t *object, const char *name);
double answer_number(const json_t *object, const char *name);

#endif
