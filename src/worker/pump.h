/*
 * The way of a connection's bytes, in both directions; src/worker only.
 *
 * In: kernel → loop's received → (cipher_in) → transport → loop's plain → (plain_in) → protocol.
 * Out: protocol → loop's out → transport → loop's wire → (cipher_out) → kernel. The buffers in
 * parentheses belong to the connection and are empty unless the next station cannot take the
 * bytes; an idle connection holds no buffer at all.
 *
 * The caller looks afterwards at what happened: c->over (the connection must end), c->closing (its
 * last output is complete), c->more_output (it used up its turn), conn_blocked() (the kernel takes
 * no more).
 */
#ifndef WORKER_PUMP_H
#define WORKER_PUMP_H

#include "worker/conn.h"

/* Reads from the kernel into the loop's received; returns how many bytes, which may be none. */
size_t pump_receive(struct conn *);

/* Points the loop's wire at the connection's ciphertext: saved bytes first, then the new ones. */
void pump_load(struct conn *, const uint8_t *received, size_t len);
/* Saves the bytes that the transport did not take. */
void pump_store(struct conn *);

/* Moves bytes in both directions until no more can move. The transport carries data, and the wire
 * is loaded. */
void pump_run(struct conn *);

/* Offers pending bytes to the kernel: first those that it did not take earlier, then those in the
 * wire. It reports room only once there is much of it (TCP_NOTSENT_LOWAT, tcp(7)), but takes less
 * when asked. */
void pump_flush(struct conn *);

/* Appends bytes to the protocol's output, within its turn. */
void pump_say(struct conn *, const void *data, size_t len);

#endif
