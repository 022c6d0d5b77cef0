/*
 * The client's bytes, split as the input says: into records, and into segments that arrive
 * together. However they are split, the handshake is done and the request read as soon as the
 * last byte is there, and a server that wants to wait has left no input unread (tls_peer.h
 * checks that). The last bit of the first byte also changes some bytes of the ClientHello; then
 * the handshake may fail, with one alert.
 *
 * The input: a byte of options, two of the ClientHello's padding, one of the records' size, then
 * the size of each piece, over and over.
 */
#include "../tls_peer.h"

enum { OPTION_TLS12 = 1, OPTION_CHANGED = 2, OPTION_RETRY = 4, CHANGES = 4 };

static struct tls_policy *policy;
static struct tls_context *context;

struct input {
	const uint8_t *data;
	size_t size, at;
};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	context = peer_context(&policy);
	return 0;
}

static size_t input_byte(struct input *in)
{
	return in->size == 0 ? 0 : in->data[in->at++ % in->size];
}

static size_t input_piece(void *arg)
{
	size_t byte = input_byte(arg);
	return byte < 128 ? byte : (byte - 127) * (byte - 127);
}

static void hello_change(struct peer *p, struct input *in)
{
	uint8_t *hello = (uint8_t *)(uintptr_t)buf_head(&p->sent);
	size_t len = buf_len(&p->sent);
	for (int i = 0; i < CHANGES && len > 0; i++) {
		size_t at = input_byte(in) << 8 | input_byte(in);
		hello[at % len] = (uint8_t)input_byte(in);
	}
}

static void exchange(struct peer *p, struct input *in)
{
	PEER_CHECK(peer_handshake(p, input_piece, in) == 0);
	if (gnutls_protocol_get_version(p->client) == GNUTLS_TLS1_3)
		PEER_CHECK(gnutls_session_key_update(p->client, GNUTLS_KU_PEER) == 0);
	PEER_CHECK(gnutls_record_send(p->client, "GET", 3) == 3);
	PEER_CHECK(gnutls_bye(p->client, GNUTLS_SHUT_WR) == 0);
	peer_deliver(p, input_piece, in);
	PEER_CHECK(!p->failed && buf_len(&p->heard) == 3);
}

/* The plaintext at the end: one fatal alert and nothing after it. */
static void failure_check(struct peer *p)
{
	const uint8_t *out = buf_head(&p->wire.out);
	size_t len = buf_len(&p->wire.out), size;
	bool last = false;
	for (; len > 0; out += size, len -= size) {
		PEER_CHECK(!last && len >= 5);
		size = 5 + ((size_t)out[3] << 8 | out[4]);
		PEER_CHECK(size <= len);
		last = out[0] == 21;
		PEER_CHECK(!last || size != 7 || out[5] == GNUTLS_AL_FATAL);
	}
	PEER_CHECK(p->failure.text != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct peer p;
	struct input in = {.data = data, .size = size};
	size_t options = input_byte(&in);
	peer_init(&p, context,
		  options & OPTION_TLS12   ? PEER_TLS12
		  : options & OPTION_RETRY ? PEER_TLS13_RETRY
					   : PEER_TLS13);
	size_t padding = input_byte(&in) << 8 | input_byte(&in);
	p.record_bytes = input_byte(&in) * 16;
	if (p.record_bytes == 0)
		p.record_bytes = 1 + padding % 7;
	/* Two hellos with the headers of their records stay within TLS_BARREN_MAX. */
	padding %= p.record_bytes < 16 ? 8000 : 40000;
	if (padding > 0)
		peer_pad(&p, padding);
	if (options & OPTION_CHANGED) {
		(void)gnutls_handshake(p.client);
		hello_change(&p, &in);
		peer_deliver(&p, input_piece, &in);
		if (p.failed)
			failure_check(&p);
	} else {
		exchange(&p, &in);
	}
	peer_release(&p);
	return 0;
}
