/*
 * Faults of a worker that go beyond one response; src/worker only.
 *
 * A loop has this struct only on a port with faults (struct worker_loop, faults). It is consulted
 * when a connection begins or ends, never for a request.
 */
#ifndef WORKER_FAULT_H
#define WORKER_FAULT_H

#include "base/buf.h"
#include "filter/fault.h"
#include "tls/context.h"
#include "worker/loop.h"

struct leak;

struct worker_faults {
	struct fault_services services; /* for the filters and handlers of this loop */
	uint64_t handshakes;            /* this many more handshakes are spoiled */
	enum fault_handshake handshakes_how;
	uint64_t certificates; /* this many more handshakes show a false certificate */
	enum fault_certificate certificates_which;
	uint64_t descriptors; /* this many more descriptors are not closed */

	uint64_t leak_rate; /* bytes a second; 0: no leak */
	uint64_t leaked;
	struct leak *leaks;
	struct loop_timer leak_tick;
};

/* Makes the false certificates that faults can show, before the worker is sealed, for all loops. */
void worker_faults_prepare(struct worker *);
void worker_faults_release(struct worker *);

int faults_init(struct worker_loop *); /* 0 or -errno */
void faults_release(struct worker_loop *);

/* --- fault_conn.c: what a connection asks --------------------------------------------------- */

/* The context for the session that begins now. */
const struct tls_context *faults_context(struct worker_loop *);

enum faults_spoiled {
	FAULTS_NONE,
	FAULTS_STALL, /* the connection hears no more: it discards input */
	FAULTS_CLOSE, /* what is in out is its last output */
};

/* The server's first handshake messages are in out: spoils them if a fault says so. */
enum faults_spoiled faults_handshake(struct worker_faults *, struct buf *out);

/* A connection ends: does a fault leak its descriptor? */
bool faults_keep(struct worker_faults *);

#endif
