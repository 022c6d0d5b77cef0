/* tls/session: however a client's data is split, into records and into segments, the server
 * understands it as soon as it is complete. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../tls_peer.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct tls_policy *policy;
static struct tls_context *context;

static int context_make(void **state)
{
	(void)state;
	context = peer_context(&policy);
	return 0;
}

static int context_release(void **state)
{
	(void)state;
	peer_context_free(context);
	tls_policy_free(policy);
	return 0;
}

/* Pieces of one size, or of every size in turn. */
static size_t equal(void *arg)
{
	return *(size_t *)arg;
}

static size_t mixed(void *arg)
{
	size_t *state = arg;
	*state = *state * 6364136223846793005U + 1442695040888963407U;
	return 1 + (*state >> 40) % ((*state >> 60) % 2 == 0 ? 9 : 700);
}

/* A handshake, two key updates where there are some, one request and its answer. */
static void exchange(const char *version, size_t padding, size_t record_bytes,
		     peer_pieces_fn *pieces, size_t piece)
{
	struct peer p;
	uint8_t data[64];
	ssize_t n;
	peer_init(&p, context, version);
	p.record_bytes = record_bytes;
	if (padding > 0)
		peer_pad(&p, padding);
	int result = peer_handshake(&p, pieces, &piece);
	if (result != 0)
		print_message("%s, padding %zu, records of %zu, pieces of %zu: %s\n", version,
			      padding, record_bytes, piece,
			      p.failed ? p.failure.text : gnutls_strerror(result));
	assert_int_equal(result, 0);
	if (gnutls_protocol_get_version(p.client) == GNUTLS_TLS1_3) {
		assert_int_equal(gnutls_session_key_update(p.client, GNUTLS_KU_PEER), 0);
		assert_int_equal(gnutls_session_key_update(p.client, 0), 0);
	}
	assert_int_equal(gnutls_record_send(p.client, "GET", 3), 3);
	assert_int_equal(gnutls_record_send(p.client, "HEAD", 4), 4);
	peer_deliver(&p, pieces, &piece);
	assert_false(p.failed);
	assert_int_equal(buf_len(&p.heard), 7);
	assert_memory_equal(buf_head(&p.heard), "GETHEAD", 7);
	assert_int_equal(tls_session_write(&p.server, (const uint8_t *)"200", 3), TRANSPORT_OK);
	do
		n = gnutls_record_recv(p.client, data, sizeof(data));
	while (n == GNUTLS_E_AGAIN && buf_len(&p.wire.out) > 0);
	assert_int_equal(n, 3);
	peer_release(&p);
}

static const char *const versions[] = {PEER_TLS12, PEER_TLS13, PEER_TLS13_RETRY};
static const size_t record_sizes[] = {0, 1, 2, 3, 4, 5, 6, 17, 64, 250, 512, 5000};

static void messages_in_many_records_that_arrive_together(void **state)
{
	(void)state;
	for (size_t v = 0; v < COUNT(versions); v++)
		for (size_t r = 0; r < COUNT(record_sizes); r++)
			exchange(versions[v], 0, record_sizes[r], equal, 0);
}

static void messages_in_many_records_byte_by_byte(void **state)
{
	(void)state;
	for (size_t v = 0; v < COUNT(versions); v++)
		for (size_t r = 0; r < COUNT(record_sizes); r++)
			exchange(versions[v], 0, record_sizes[r], equal, 1);
}

/* So that a piece ends at every place once: two pieces, split everywhere. */
static void pieces_of_every_small_size(void **state)
{
	(void)state;
	for (size_t v = 0; v < COUNT(versions); v++)
		for (size_t piece = 2; piece < 40; piece++)
			exchange(versions[v], 0, piece % 3 == 0 ? 0 : piece % 11, equal, piece);
}

static void pieces_of_mixed_sizes(void **state)
{
	(void)state;
	for (size_t v = 0; v < COUNT(versions); v++)
		for (size_t seed = 1; seed <= 40; seed++)
			exchange(versions[v], seed % 4 == 0 ? 3000 : 0,
				 seed % 2 == 0 ? 0 : seed * 7, mixed, seed);
}

/* RFC 8446, 5.1: a record has 2^14 bytes at the most, a message 2^24. */
static void a_hello_of_more_than_a_record(void **state)
{
	static const size_t paddings[] = {16000, 16384, 20000, 40000, 60000};
	(void)state;
	for (size_t v = 0; v < COUNT(versions); v++)
		for (size_t i = 0; i < COUNT(paddings); i++) {
			exchange(versions[v], paddings[i], 0, equal, 0);
			exchange(versions[v], paddings[i], 512, equal, 0);
			exchange(versions[v], paddings[i], 16000, equal, 1460);
		}
	exchange(PEER_TLS13, 20000, 1, equal, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(messages_in_many_records_that_arrive_together),
	    cmocka_unit_test(messages_in_many_records_byte_by_byte),
	    cmocka_unit_test(pieces_of_every_small_size),
	    cmocka_unit_test(pieces_of_mixed_sizes),
	    cmocka_unit_test(a_hello_of_more_than_a_record),
	};
	return cmocka_run_group_tests(tests, context_make, context_release);
}
