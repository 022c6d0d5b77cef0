/*
 * What faults do to a worker beyond one response: src/worker only.
 *
 * A loop has one of these only on a port that has faults (struct worker_loop, faults), and all who
 * ask do so where a connection begins or ends, never for a request.
 */
#ifndef WORKER_FAULT_H
#define WORKER_FAULT_H

#include "handler/fault.h"
#include "tls/session.h"
#include "worker/loop.h"

struct conn;
struct leak;

struct worker_faults {
	struct fault_loop common; /* first; what handlers know of it */
	uint64_t handshakes;      /* so many more are spoiled … */
	enum fault_handshake handshakes_how;
	uint64_t certificates; /* so many more show … */
	enum fault_certificate certificates_which;
	uint64_t descriptors; /* so many more are not closed */

	uint64_t leak_rate; /* bytes a second; 0: none leaks */
	uint64_t leaked;
	struct leak *leaks;
	struct loop_timer leak_tick;
};

/* The certificates that a worker may be told to show: made before it is sealed, for all loops. */
void worker_faults_prepare(struct worker *);
void worker_faults_release(struct worker *);

int faults_init(struct worker_loop *); /* 0 or -errno */
void faults_release(struct worker_loop *);

/* What the session that begins now is to be made of. */
const struct tls_context *faults_context(struct worker_loop *);
/* The server's first words of a handshake are in the wire: spoils them if they are to be. */
void faults_handshake(struct conn *);
/* A connection ends: is its descriptor to be kept? */
bool faults_keep(struct worker_faults *);

#endif
