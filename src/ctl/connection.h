/*
 * A connection to the control socket: sends requests and receives answers, one line each.
 * bulkheadctl(8), PROTOCOL.
 */
#ifndef CTL_CONNECTION_H
#define CTL_CONNECTION_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "ctl/ctl.h"

#define CONNECTION_PATIENCE_MS 10000 /* for requests that the server answers at once */
#define CONNECTION_FOREVER     (-1)

struct connection {
	int fd; /* -1: none */
	const char *path;
	struct buf in;
	bool was_ended; /* by the server */
};

/* Opens the connection within patience_ms, which is at least 1. Returns CTL_DONE, or a status and a
 * sentence. */
enum ctl_status connection_open(struct connection *, const char *path, int patience_ms,
				struct err *);
void connection_close(struct connection *);

/* Sends a request, given without its protocol and newline: "status 8000". */
enum ctl_status connection_send(struct connection *, const char *request, struct err *);

/* Reads an answer: CTL_DONE with *ret (free it with json_decref()), or with *ret NULL while it is
 * incomplete. Reads once, and blocks if there are no bytes. If the connection has ended:
 * CTL_NO_SERVER, or CTL_NOT_PERMITTED if that is the likely reason; the same for bytes that are not
 * an answer. */
enum ctl_status connection_receive(struct connection *, json_t **ret, struct err *);

/* Sends a request and waits patience_ms for the answer. If the answer is an error: CTL_FAILED with
 * its sentence, and *ret is set, too. */
enum ctl_status connection_ask(struct connection *, const char *request, int patience_ms,
			       json_t **ret, struct err *);

/* Opens, asks and closes within patience_ms, for requests that change nothing. A server that
 * becomes its next version closes its connections, so after an end without an answer the request is
 * sent once more. */
enum ctl_status ctl_ask(const struct ctl_arguments *, const char *request, int patience_ms,
			json_t **ret, struct err *);

/* Is the answer ok? If not, err gets its sentence. */
enum ctl_status answer_judge(const json_t *, struct err *);

/* Members of an answer of any form: "" and 0 for members that are missing or have another type. */
const char *answer_text(const json_t *object, const char *name);
int64_t answer_int(const json_t *object, const char *name);
uint64_t answer_natural(const json_t *object, const char *name); /* 0 for a negative one, too */
double answer_number(const json_t *object, const char *name);

#endif
