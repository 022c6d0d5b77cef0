/*
 * Runs in the loops of ports that have faults: what the faults that were armed do to a connection
 * that begins or ends. Must never know the connection.
 */
#include "worker/fault.h"

const struct tls_context *faults_context(struct worker_loop *l)
{
	struct worker_faults *f = l->faults;
	if (f->certificates == 0)
		return l->tls;
	f->certificates--;
	return l->worker->false_tls[f->certificates_which];
}

enum faults_spoiled faults_handshake(struct worker_faults *f, struct buf *out)
{
	size_t len = buf_len(out);
	if (f->handshakes == 0 || len == 0)
		return FAULTS_NONE;
	f->handshakes--;
	switch (f->handshakes_how) {
	case FAULT_STALL:
		buf_consume(out, len);
		return FAULTS_STALL;
	case FAULT_BREAK:
		out->end -= len / 2;
		return FAULTS_CLOSE;
	case FAULT_CORRUPT:
		out->data[out->end - 1] ^= 0xff;
		break;
	}
	return FAULTS_NONE;
}

bool faults_keep(struct worker_faults *f)
{
	if (f->descriptors == 0)
		return false;
	f->descriptors -= f->descriptors != UINT64_MAX;
	return true;
}
