/* tls/session: a server over memory, against a GnuTLS client over memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tls/context.h"
#include "tls/devcert.h"
#include "tls/session.h"

/* Both ends, with what is on its way between them. */
struct pair {
	struct tls_policy *policy;
	struct tls_context *context;
	struct tls_wire wire;
	struct tls_session server;
	gnutls_certificate_credentials_t credentials;
	gnutls_session_t client;
	struct buf to_server; /* the other direction is the wire's out */
};

static ssize_t client_pull(gnutls_transport_ptr_t ptr, void *data, size_t len)
{
	struct pair *p = ptr;
	size_t n = buf_len(&p->wire.out) < len ? buf_len(&p->wire.out) : len;
	if (n == 0) {
		gnutls_transport_set_errno(p->client, EAGAIN);
		return -1;
	}
	memcpy(data, buf_head(&p->wire.out), n);
	buf_consume(&p->wire.out, n);
	return (ssize_t)n;
}

static ssize_t client_push(gnutls_transport_ptr_t ptr, const void *data, size_t len)
{
	struct pair *p = ptr;
	return buf_append(&p->to_server, data, len) == 0 ? (ssize_t)len : -1;
}

/* Everything the client has sent is before the server, as if it had come in one piece. */
static void deliver(struct pair *p)
{
	p->wire.in = buf_head(&p->to_server);
	p->wire.in_len = buf_len(&p->to_server);
}

static void taken(struct pair *p)
{
	buf_consume(&p->to_server, buf_len(&p->to_server) - p->wire.in_len);
}

static void context_make(struct pair *p)
{
	char folder[] = "/tmp/bulkhead-test-XXXXXX";
	struct devcert pair;
	struct err err;
	uint8_t key[TLS_TICKET_KEY_BYTES] = {1};
	size_t at;
	assert_non_null(mkdtemp(folder));
	setenv("STATE_DIRECTORY", folder, 1);
	assert_int_equal(devcert_ensure(&pair, &err), 0);
	const struct tls_pair files = {
	    .certificate = pair.certificate, .certificate_fd = -1, .key = pair.key};
	assert_int_equal(tls_policy_new(&p->policy, &err), 0);
	const struct tls_context_options options = {.policy = p->policy, .ticket_key = key};
	assert_int_equal(tls_context_new(&files, 1, &options, &p->context, &at, &err), 0);
	unlink(pair.certificate);
	unlink(pair.key);
	rmdir(folder);
}

static int connect_both(void **state)
{
	static struct pair p;
	struct tls_failure failure;
	p = (struct pair){.wire = {.out = BUF_INIT(1 << 20)}, .to_server = BUF_INIT(1 << 20)};
	context_make(&p);
	assert_int_equal(tls_session_init(&p.server, p.context, &p.wire), 0);
	assert_int_equal(gnutls_certificate_allocate_credentials(&p.credentials), 0);
	assert_int_equal(gnutls_init(&p.client, GNUTLS_CLIENT | GNUTLS_NONBLOCK), 0);
	gnutls_priority_set_direct(p.client, "NORMAL:-VERS-ALL:+VERS-TLS1.3", NULL);
	gnutls_credentials_set(p.client, GNUTLS_CRD_CERTIFICATE, p.credentials);
	gnutls_transport_set_ptr(p.client, &p);
	gnutls_transport_set_pull_function(p.client, client_pull);
	gnutls_transport_set_push_function(p.client, client_push);
	int client = GNUTLS_E_AGAIN;
	enum tls_result server = TLS_AGAIN;
	for (int i = 0; i < 10 && (client != 0 || server != TLS_OK); i++) {
		if (client != 0)
			client = gnutls_handshake(p.client);
		deliver(&p);
		if (server != TLS_OK)
			server = tls_session_handshake(&p.server, &failure);
		taken(&p);
	}
	assert_int_equal(client, 0);
	assert_int_equal(server, TLS_OK);
	*state = &p;
	return 0;
}

static int release_both(void **state)
{
	struct pair *p = *state;
	gnutls_deinit(p->client);
	gnutls_certificate_free_credentials(p->credentials);
	tls_session_release(&p->server);
	tls_context_free(p->context);
	tls_policy_free(p->policy);
	buf_release(&p->wire.out);
	buf_release(&p->to_server);
	return 0;
}

static void what_follows_a_key_update_is_read(void **state)
{
	struct pair *p = *state;
	uint8_t data[TLS_RECORD_MAX];
	assert_int_equal(gnutls_session_key_update(p->client, GNUTLS_KU_PEER), 0);
	assert_int_equal(gnutls_session_key_update(p->client, 0), 0);
	assert_int_equal(gnutls_record_send(p->client, "GET", 3), 3);
	deliver(p);
	assert_int_equal(tls_session_read(&p->server, data, sizeof(data)), 3);
	assert_memory_equal(data, "GET", 3);
	assert_int_equal(tls_session_read(&p->server, data, sizeof(data)), TLS_AGAIN);
	assert_int_equal(p->wire.in_len, 0);
	taken(p);
	/* And the server's own keys are in step. */
	assert_int_equal(tls_session_write(&p->server, (const uint8_t *)"200", 3), TLS_OK);
	ssize_t n;
	do
		n = gnutls_record_recv(p->client, data, sizeof(data));
	while (n == GNUTLS_E_AGAIN && buf_len(&p->wire.out) > 0);
	assert_int_equal(n, 3);
}

static void too_many_key_updates_are_refused(void **state)
{
	struct pair *p = *state;
	uint8_t data[TLS_RECORD_MAX];
	for (int i = 0; i < 1000; i++)
		assert_int_equal(gnutls_session_key_update(p->client, GNUTLS_KU_PEER), 0);
	deliver(p);
	assert_int_equal(tls_session_read(&p->server, data, sizeof(data)), TLS_FAILED);
	assert_true(buf_len(&p->wire.out) < 4096);
}

static void half_a_record_is_waited_for(void **state)
{
	struct pair *p = *state;
	uint8_t data[TLS_RECORD_MAX];
	assert_int_equal(gnutls_record_send(p->client, "GET", 3), 3);
	deliver(p);
	const uint8_t *end = p->wire.in + p->wire.in_len;
	while (p->wire.in + 1 < end) { /* a byte at a time */
		p->wire.in_len = 1;
		assert_int_equal(tls_session_read(&p->server, data, sizeof(data)), TLS_AGAIN);
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
	return cmocka_run_group_tests(tests, NULL, NULL);
}
