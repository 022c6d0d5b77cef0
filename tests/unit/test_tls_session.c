/* tls/session: a server over memory, against a GnuTLS client over memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../tls_peer.h"

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

static size_t all(void *arg)
{
	(void)arg;
	return 0;
}

static int connect_both(void **state)
{
	static struct peer p;
	peer_init(&p, context, PEER_TLS13);
	assert_int_equal(peer_handshake(&p, all, NULL), 0);
	*state = &p;
	return 0;
}

static int release_both(void **state)
{
	peer_release(*state);
	return 0;
}

/* The server has received all of the client's data in one piece. */
static void deliver(struct peer *p)
{
	p->wire.in = buf_head(&p->sent);
	p->wire.in_len = buf_len(&p->sent);
}

static void taken(struct peer *p)
{
	buf_consume(&p->sent, buf_len(&p->sent) - p->wire.in_len);
}

static void what_follows_a_key_update_is_read(void **state)
{
	struct peer *p = *state;
	uint8_t data[TLS_RECORD_MAX];
	assert_int_equal(gnutls_session_key_update(p->client, GNUTLS_KU_PEER), 0);
	assert_int_equal(gnutls_session_key_update(p->client, 0), 0);
	assert_int_equal(gnutls_record_send(p->client, "GET", 3), 3);
	deliver(p);
	assert_int_equal(tls_session_read(&p->server, data, sizeof(data)), 3);
	assert_memory_equal(data, "GET", 3);
	assert_int_equal(tls_session_read(&p->server, data, sizeof(data)), TRANSPORT_AGAIN);
	assert_int_equal(p->wire.in_len, 0);
	taken(p);
	/* And the server's own keys are in step. */
	assert_int_equal(tls_session_write(&p->server, (const uint8_t *)"200", 3), TRANSPORT_OK);
	ssize_t n;
	do
		n = gnutls_record_recv(p->client, data, sizeof(data));
	while (n == GNUTLS_E_AGAIN && buf_len(&p->wire.out) > 0);
	assert_int_equal(n, 3);
}

static void too_many_key_updates_are_refused(void **state)
{
	struct peer *p = *state;
	uint8_t data[TLS_RECORD_MAX];
	for (int i = 0; i < 1000; i++)
		assert_int_equal(gnutls_session_key_update(p->client, GNUTLS_KU_PEER), 0);
	deliver(p);
	assert_int_equal(tls_session_read(&p->server, data, sizeof(data)), TRANSPORT_FAILED);
	assert_true(buf_len(&p->wire.out) < 4096);
}

static void half_a_record_is_waited_for(void **state)
{
	struct peer *p = *state;
	uint8_t data[TLS_RECORD_MAX];
	assert_int_equal(gnutls_record_send(p->client, "GET", 3), 3);
	deliver(p);
	const uint8_t *end = p->wire.in + p->wire.in_len;
	while (p->wire.in + 1 < end) { /* a byte at a time */
		p->wire.in_len = 1;
		assert_int_equal(tls_session_read(&p->server, data, sizeof(data)), TRANSPORT_AGAIN);
		assert_int_equal(p->wire.in_len, 0);
	}
	p->wire.in_len = 1;
	assert_int_equal(tls_session_read(&p->server, data, sizeof(data)), 3);
	taken(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(what_follows_a_key_update_is_read, connect_both,
					    release_both),
	    cmocka_unit_test_setup_teardown(too_many_key_updates_are_refused, connect_both,
					    release_both),
	    cmocka_unit_test_setup_teardown(half_a_record_is_waited_for, connect_both,
					    release_both),
	};
	return cmocka_run_group_tests(tests, context_make, context_release);
}
