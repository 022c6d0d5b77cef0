/*
 * Requests for signatures from an event loop of a worker to its port's keyholder, and the answers:
 * one packet each on a SOCK_SEQPACKET socketpair that belongs to this loop.
 *
 * The channel identifies the worker: the master makes it, so a request needs no name, and a request
 * can only use keys of the port whose keyholder has the other end. The ids of requests grow. An
 * answer with another id than that of the present request is too late and is discarded.
 *
 * The master keeps the keyholder's ends, too. If a keyholder dies, requests stay in the socket for
 * the next one. The request that the dead one had taken is lost, so the master answers
 * IPC_KEY_AGAIN on every channel.
 *
 * Both sides are built from the same source; integers have the machine's layout. Neither side
 * trusts the other: a packet must have exactly the length that it states, and every value in it
 * must be valid.
 */
#ifndef IPC_KEY_H
#define IPC_KEY_H

#include <stddef.h>
#include <stdint.h>

#define IPC_KEY_DATA_MAX      192  /* a CertificateVerify content with SHA-512 has 162 bytes */
#define IPC_KEY_SIGNATURE_MAX 1024 /* RSA of 8192 bits */

struct ipc_key_request {
	uint64_t id;     /* never 0 */
	uint16_t key;    /* index of the pair in the port's configuration */
	uint16_t scheme; /* SignatureScheme of RFC 8446, 4.2.3 */
	uint16_t len;
	uint16_t zero;
	/* A digest; for RSA PKCS#1 v1.5 a DigestInfo; for EdDSA the message. */
	uint8_t data[IPC_KEY_DATA_MAX];
};

/* In place of a scheme, with one byte of data, 0: which key is it? The answer is SHA-256 of its
 * public key (SubjectPublicKeyInfo, RFC 5280, 4.1) in place of a signature; it signs nothing. Only
 * RSA keys answer: a worker proves the others by a signature, which costs no more. */
#define IPC_KEY_WHICH    0xffff /* of the range for private use, RFC 8446, 4.2.3 */
#define IPC_KEY_ID_BYTES 32

enum ipc_key_status {
	IPC_KEY_SIGNED = 1,
	IPC_KEY_REFUSED, /* not what this key is for, or more than the limit of requests */
	IPC_KEY_FAILED,  /* GnuTLS could not sign */
	IPC_KEY_AGAIN,   /* id 0, from the master: the request in progress may be lost */
	IPC_KEY_STATUSES
};

struct ipc_key_answer {
	uint64_t id;
	uint16_t status;
	uint16_t len; /* 0 unless IPC_KEY_SIGNED */
	uint32_t zero;
	uint8_t signature[IPC_KEY_SIGNATURE_MAX];
};

#define IPC_KEY_REQUEST_HEAD offsetof(struct ipc_key_request, data)
#define IPC_KEY_ANSWER_HEAD  offsetof(struct ipc_key_answer, signature)

/* The size of the packet: the head and len bytes. */
static inline size_t ipc_key_request_size(const struct ipc_key_request *r)
{
	return IPC_KEY_REQUEST_HEAD + r->len;
}

static inline size_t ipc_key_answer_size(const struct ipc_key_answer *a)
{
	return IPC_KEY_ANSWER_HEAD + a->len;
}

/* Is the received packet of size bytes in *r or *a well formed? Returns 0 or -EBADMSG. */
int ipc_key_request_check(const struct ipc_key_request *r, size_t size);
int ipc_key_answer_check(const struct ipc_key_answer *a, size_t size);

/* Makes a channel: [0] for the worker, blocking; [1] for the keyholder, non-blocking. Returns 0 or
 * -errno. */
int ipc_key_channel(int ret_fds[2]);

/* Sends a packet: 0, -EAGAIN when the other side does not read, or -errno. A keyholder's end never
 * waits; a worker's waits up to SO_SNDTIMEO. They use write(2), so SIGPIPE must be ignored. */
int ipc_key_ask(int fd, const struct ipc_key_request *);
int ipc_key_answer(int fd, const struct ipc_key_answer *);

/* Receives one packet: 1; 0 when the other side is gone; -EBADMSG when it is malformed; -EAGAIN
 * when there is none (within SO_RCVTIMEO if the descriptor blocks); or another -errno. */
int ipc_key_receive_request(int fd, struct ipc_key_request *ret);
int ipc_key_receive_answer(int fd, int flags, struct ipc_key_answer *ret);

#endif
