/*
 * The bytes of a hostile server, in the pieces that the input says, to a client of TLS: instead of
 * a server's answer (TLS in the clear, so most of them are refused by GnuTLS), or as a Certificate
 * message and as the flow of records after a complete handshake with a server that has lost its
 * mind. However they are split, the client ends with one reason, reads no byte twice, and writes no
 * more than a few messages.
 *
 * The input: a byte of options, a byte for the size of the pieces, the bytes.
 */
#include "../tls_server.h"

enum { OPTION_SHAKEN = 1, OPTION_TLS12 = 2, OPTION_ENDS = 4, OPTION_INSIDE = 8 };

static struct tls_client_policy *policy;
static struct tls_client_context *context;
static struct server_certificate own;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const struct server_wish w = {.subject = "x", .names = {"orders.internal"}};
	struct err err;
	(void)argc;
	(void)argv;
	own = server_certificate(&w, NULL);
	SERVER_CHECK(tls_client_policy_new(&policy, &err) == 0);
	const struct tls_client_options o = {.policy = policy, .trust = server_trust(&own.crt, 1)};
	SERVER_CHECK(tls_client_context_new(&o, &context, &err) == 0);
	return 0;
}

static void pieces_arrive(struct server *s, size_t piece)
{
	for (unsigned rounds = 0; rounds < 100000; rounds++) {
		const size_t all = buf_len(&s->sent);
		const size_t arrived = piece > 0 && piece < all ? piece : all;
		if (arrived == 0)
			return;
		server_client_turn(s, arrived);
		if (s->result == TRANSPORT_FAILED ||
		    (s->result == TRANSPORT_OK && s->received != TRANSPORT_AGAIN))
			return;
		SERVER_CHECK(buf_len(&s->sent) < all); /* AGAIN: all that came was taken */
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct server s;
	if (size < 2)
		return 0;
	const uint8_t options = data[0];
	const size_t piece = data[1];
	struct tls_client_peer *peer = tls_client_peer_new(context, "orders.internal");
	SERVER_CHECK(peer != NULL);
	server_begin(&s, peer, (options & OPTION_TLS12) != 0 ? SERVER_TLS12 : SERVER_TLS13, &own,
		     1);
	if ((options & OPTION_SHAKEN) != 0) {
		server_run(&s);
		SERVER_CHECK(s.result == TRANSPORT_OK && s.shaken);
	} else {
		server_client_turn(&s, 0);
	}
	if ((options & (OPTION_SHAKEN | OPTION_INSIDE)) == (OPTION_SHAKEN | OPTION_INSIDE) &&
	    size > 2) /* data that is what the server means to send */
		(void)gnutls_record_send(s.session, data + 2, size - 2);
	else
		SERVER_CHECK(buf_append(&s.sent, data + 2, size - 2) == 0);
	buf_consume(&s.wire.out, buf_len(&s.wire.out));
	pieces_arrive(&s, piece);
	SERVER_CHECK(buf_len(&s.wire.out) < 65536);
	if ((options & OPTION_ENDS) != 0 && s.result != TRANSPORT_FAILED)
		server_cut(&s);
	if (s.result == TRANSPORT_FAILED)
		SERVER_CHECK(s.failure.text != NULL && s.failure.text[0] != '\0');
	if (s.result == TRANSPORT_OK && s.received == TRANSPORT_FAILED)
		SERVER_CHECK(transport_tls_client.failure(s.client)[0] != '\0');
	server_end(&s);
	tls_client_peer_free(peer);
	return 0;
}
