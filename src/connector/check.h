/*
 * The checks of a port's endpoints (`check`): now and then, a connection to each of them, or a GET
 * whose answer must have a good status. The first one is made at once.
 *
 * The request is the program's own, over HTTP/1.1 and, to an https upstream, over TLS that verifies
 * the server as workers do. Of the response only the head is read.
 */
#ifndef CONNECTOR_CHECK_H
#define CONNECTOR_CHECK_H

#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"
#include "dial.h"
#include "health.h"
#include "net/loop.h"
#include "net/transport.h"

#define CHECKS_AT_ONCE 64 /* under way; those that are due then are a little late */
#define CHECK_SOON_MS  1000
/* Of the answer's head. */
#define CHECK_HEAD_MAX 16384

struct tls_client_peer;

struct checks {
	struct loop *loop;
	struct dialer *dialer;
	struct health *health;
	const struct conf_port *port;
	/* How to speak to an endpoint with TLS; by endpoint, NULL for those that are not spoken to
	 * so. Both are the owner's. */
	const struct transport_ops *tls;
	struct tls_client_peer *const *peers;
	struct check *list; /* of the endpoints that are checked; owned */
	size_t count;
	size_t under_way;
	uint64_t dice;
};

/* Of how many endpoints a port's connector checks. */
size_t checks_count(const struct conf_port *);

/* Begins; the members up to peers are set. 0 or -ENOMEM. */
int checks_begin(struct checks *);
void checks_end(struct checks *);

/* What went wrong with a connection, for people: the text of an errno or another one. */
const char *check_dial_why(const struct dial_result *);

#endif
