/*
 * Runs in a loop, on one client's bytes: receives, decrypts, offers them to the protocol, pulls
 * from it, encrypts and sends. No function here frees a connection or decides what it waits for:
 * where one cannot go on, it says so in the connection, and conn.c acts on it.
 */
#include "worker/pump.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WIRE_HIGH OUTPUT_BYTES /* ciphertext that is collected before it is sent */
/* output of one connection per turn; then the others have theirs */
#define TURN_BYTES (4 * WIRE_HIGH)

_Static_assert(CONN_CIPHER_OUT_MAX >= 2 * (WIRE_HIGH + 2 * (size_t)TRANSPORT_DATA_MAX),
	       "flow control is far below");

/* --- out ------------------------------------------------------------------------------------- */

/* Sends waiting bytes: first those that the kernel did not take earlier, then those in the wire.
 * Bytes that it does not take now go to the connection's own buffer. */
void pump_flush(struct conn *c)
{
	struct buf *fresh = &c->owner->wire.out, *from = fresh;
	if (conn_blocked(c)) {
		if (buf_append(&c->cipher_out, buf_head(fresh), buf_len(fresh)) < 0)
			c->over = true;
		buf_consume(fresh, buf_len(fresh));
		from = &c->cipher_out;
	}
	while (buf_len(from) > 0 && !c->over) {
		ssize_t n = write(c->io.fd, buf_head(from), buf_len(from));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) { /* the client is gone */
			c->over = true;
			break;
		}
		c->bytes_out += (uint64_t)n;
		ipc_slot_add(&c->owner->slot->counters.bytes_out, (uint64_t)n);
		buf_consume(from, (size_t)n);
	}
	if (from == fresh && buf_len(fresh) > 0) {
		if (!c->over && buf_append(&c->cipher_out, buf_head(fresh), buf_len(fresh)) < 0)
			c->over = true;
		buf_consume(fresh, buf_len(fresh));
	}
	if (!conn_blocked(c))
		buf_release(&c->cipher_out);
}

static void pump_encrypt(struct conn *c)
{
	struct worker_loop *l = c->owner;
	struct transport *t = c->transport;
	if (l->out_len > 0 && t->ops->send(t, l->out_bytes, l->out_len) != TRANSPORT_OK)
		c->over = true;
	l->out_len = 0;
}

/* Pulls output from the protocol in full records. True if there was any. */
static bool pump_pull(struct conn *c, size_t *spent)
{
	struct worker_loop *l = c->owner;
	struct proto *p = c->proto;
	bool moved = false;
	while (!conn_blocked(c) && !c->over) {
		if (*spent >= TURN_BYTES) {
			c->more_output = true;
			break;
		}
		size_t room = sizeof(l->out_bytes) - l->out_len;
		size_t n = room >= PROTO_OUTPUT_MIN
			       ? p->ops->output(p, l->out_bytes + l->out_len, room)
			       : 0;
		l->out_len += n;
		*spent += n;
		moved = moved || n > 0;
		if (room >= PROTO_OUTPUT_MIN && n == 0)
			break;
		if (sizeof(l->out_bytes) - l->out_len < PROTO_OUTPUT_MIN) {
			pump_encrypt(c);
			if (buf_len(&l->wire.out) >= WIRE_HIGH)
				pump_flush(c);
		}
	}
	return moved;
}

/* --- in -------------------------------------------------------------------------------------- */

/* Offers decrypted bytes to the protocol. True if it took some. */
static bool pump_offer(struct conn *c)
{
	struct worker_loop *l = c->owner;
	struct proto *p = c->proto;
	size_t taken = 0;
	if (buf_len(&c->plain_in) > 0) {
		taken = p->ops->input(p, buf_head(&c->plain_in), buf_len(&c->plain_in));
		buf_consume(&c->plain_in, taken);
		if (buf_len(&c->plain_in) == 0)
			buf_release(&c->plain_in);
	} else if (l->plain_len > 0) {
		taken = p->ops->input(p, l->plain, l->plain_len);
		l->plain += taken;
		l->plain_len -= taken;
	}
	return taken > 0;
}

/* Saves the bytes in the loop's buffer before the buffer is needed for others. */
static void pump_keep_plain(struct conn *c)
{
	struct worker_loop *l = c->owner;
	if (l->plain_len > 0 && buf_append(&c->plain_in, l->plain, l->plain_len) < 0)
		c->over = true;
	l->plain_len = 0;
}

/* Decrypts the next record, if the protocol wants it. True if something happened. */
static bool pump_decrypt(struct conn *c)
{
	struct worker_loop *l = c->owner;
	struct proto *p = c->proto;
	if (c->input_ended || conn_blocked(c) || !p->ops->wants_input(p))
		return false;
	pump_keep_plain(c);
	struct transport *t = c->transport;
	ssize_t n = t->ops->receive(t, l->plain_bytes, sizeof(l->plain_bytes));
	if (n > 0) {
		l->plain = l->plain_bytes;
		l->plain_len = (size_t)n;
		if (buf_len(&c->plain_in) > 0)
			pump_keep_plain(c);
		return true;
	}
	if (n == TRANSPORT_FAILED) { /* the alert is in the output */
		conn_close(c, true);
		return false;
	}
	if (n == TRANSPORT_CLOSED || l->wire.in_ended) {
		c->input_ended = true;
		p->ops->input_ended(p);
		return true;
	}
	return false;
}

/* The client learns that no more data will come. */
static void pump_say_end(struct conn *c)
{
	if (!c->said_end && c->transport->ops->close != NULL)
		c->transport->ops->close(c->transport);
	c->said_end = true;
}

/* While a response was awaited, nothing was read. */
static bool pump_has_unread(const struct conn *c)
{
	uint8_t byte;
	return recv(c->io.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* The protocol knows whether the client may still be sending what it asked for; a client that sends
 * on after what it called its last request is seen only here. */
static bool pump_lingers(const struct conn *c)
{
	return c->proto->ops->lingers(c->proto) || c->goes_on || buf_len(&c->plain_in) > 0 ||
	       c->owner->wire.in_len > 0 || pump_has_unread(c);
}

/* Moves bytes in both directions until no more can move. */
void pump_run(struct conn *c)
{
	struct worker_loop *l = c->owner;
	struct proto *p = c->proto;
	size_t spent = 0;
	c->more_output = false;
	/* Output that fills the connection in every turn must not keep out what came, either. */
	if (l->wire.in_len > 0 && buf_len(&c->plain_in) == 0)
		(void)pump_decrypt(c);
	while (!c->over && !c->closing && !c->more_output) {
		bool moved = pump_offer(c);
		if (l->draining && p->ops->phase(p) != PROTO_IDLE)
			p->ops->drain(p);
		moved = pump_pull(c, &spent) || moved;
		if (p->ops->phase(p) >= PROTO_CLOSING)
			break;
		/* Input is read in the end, too: output that never ends must not keep it out. */
		if ((!moved || c->more_output) && !pump_decrypt(c))
			break;
	}
	pump_keep_plain(c);
	pump_encrypt(c);
	if (c->over || c->closing)
		return;
	enum proto_phase phase = p->ops->phase(p);
	if (phase == PROTO_BUSY && !c->more_output && p->ops->output_ended != NULL &&
	    p->ops->output_ended(p))
		pump_say_end(c);
	if (phase == PROTO_CLOSING && !c->more_output) {
		pump_say_end(c);
		conn_close(c, pump_lingers(c));
	} else if (phase == PROTO_ABORTED) {
		/* without the transport's clean end, so that the client sees the response was cut
		 */
		c->cut = c->transport->ops->close == NULL && p->ops->ends_open != NULL &&
			 p->ops->ends_open(p);
		conn_close(c, false);
	}
}

/* --- the wire of the loop -------------------------------------------------------------------- */

/* Points the loop's wire at this connection's ciphertext: saved bytes first, then new ones. */
void pump_load(struct conn *c, const uint8_t *received, size_t len)
{
	struct transport_wire *w = &c->owner->wire;
	w->connection = c;
	w->in = received;
	w->in_len = len;
	if (buf_len(&c->cipher_in) > 0) {
		if (buf_append(&c->cipher_in, received, len) < 0)
			c->over = true;
		w->in = buf_head(&c->cipher_in);
		w->in_len = buf_len(&c->cipher_in);
	}
}

void pump_store(struct conn *c)
{
	struct transport_wire *w = &c->owner->wire;
	if (c->closing || c->over)
		buf_release(&c->cipher_in);
	else if (buf_len(&c->cipher_in) > 0)
		buf_consume(&c->cipher_in, buf_len(&c->cipher_in) - w->in_len);
	else if (w->in_len > 0 && buf_append(&c->cipher_in, w->in, w->in_len) < 0)
		c->over = true;
	if (buf_len(&c->cipher_in) == 0)
		buf_release(&c->cipher_in);
	w->in_len = 0;
	w->in_ended = false;
}

size_t pump_receive(struct conn *c)
{
	struct worker_loop *l = c->owner;
	ssize_t n = recv(c->io.fd, l->received, sizeof(l->received), 0);
	if (n == 0)
		l->wire.in_ended = true;
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		c->over = true;
	if (n <= 0)
		return 0;
	c->bytes_in += (uint64_t)n;
	ipc_slot_add(&l->slot->counters.bytes_in, (uint64_t)n);
	return (size_t)n;
}

void pump_say(struct conn *c, const void *data, size_t len)
{
	struct worker_loop *l = c->owner;
	if (len > sizeof(l->out_bytes) - l->out_len)
		pump_encrypt(c);
	memcpy(l->out_bytes + l->out_len, data, len);
	l->out_len += len;
}
