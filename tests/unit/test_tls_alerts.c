/* tls/session: which alert names a client's error after its ClientHello, RFC
 * 8446, 6.2, and RFC 5246, 7.2.2. (Answers to hellos are in tests/system/test_alerts.py.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../tls_peer.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TLS12_P256   PEER_TLS12 ":-GROUP-ALL:+GROUP-SECP256R1"
#define TLS12_X25519 PEER_TLS12 ":-GROUP-ALL:+GROUP-X25519"

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

static size_t single_bytes(void *arg)
{
	(void)arg;
	return 1;
}

static size_t thousands(void *arg)
{
	(void)arg;
	return 4000;
}

/* --- changes of the client's data ------------------------------------------------- */

/* The index-th record; *ret_size is that of the whole record. */
static uint8_t *record_at(struct peer *p, int index, size_t *ret_size)
{
	uint8_t *at = (uint8_t *)(uintptr_t)buf_head(&p->sent);
	for (;; at += *ret_size) {
		*ret_size = 5 + ((size_t)at[3] << 8 | at[4]);
		if (index-- == 0)
			return at;
	}
}

static void record_drop(struct peer *p, int index)
{
	size_t size;
	uint8_t *at = record_at(p, index, &size);
	uint8_t *end = (uint8_t *)(uintptr_t)buf_head(&p->sent) + buf_len(&p->sent);
	memmove(at, at + size, (size_t)(end - at) - size);
	p->sent.end -= size;
}

static void replace(struct peer *p, const char *bytes, size_t len)
{
	buf_consume(&p->sent, buf_len(&p->sent));
	assert_int_equal(buf_append(&p->sent, bytes, len), 0);
}

static void last_byte_changed(struct peer *p)
{
	p->sent.data[p->sent.end - 1] ^= 1;
}

static void share_zero(struct peer *p)
{
	size_t size;
	uint8_t *at = record_at(p, 0, &size);
	memset(at + 10, 0, size - 10);
}

static void share_off_the_curve(struct peer *p)
{
	size_t size;
	record_at(p, 0, &size)[15] ^= 1;
}

static void share_of_another_length(struct peer *p)
{
	size_t size;
	record_at(p, 0, &size)[9] ^= 1;
}

static void share_of_another_form(struct peer *p)
{
	size_t size;
	record_at(p, 0, &size)[10] = 6; /* hybrid */
}

static void key_exchange_empty(struct peer *p)
{
	static const char empty[] = "\x16\x03\x03\0\x04\x10\0\0\0";
	replace(p, empty, sizeof(empty) - 1);
}

static void key_exchange_missing(struct peer *p)
{
	record_drop(p, 0);
}

static void change_cipher_spec_missing(struct peer *p)
{
	record_drop(p, 1);
}

static void both_missing(struct peer *p)
{
	record_drop(p, 0);
	record_drop(p, 0);
}

static void data_in_the_clear(struct peer *p)
{
	*record_at(p, 0, &(size_t){0}) = 23;
}

static void type_unknown(struct peer *p)
{
	replace(p, "\x63\x03\x03\0\x02\x01\x01", 7);
}

static void too_long(struct peer *p)
{
	replace(p, "\x17\x03\x03\x48\x01\x01\x01", 7);
}

static void too_short_to_be_encrypted(struct peer *p)
{
	replace(p, "\x17\x03\x03\0\x01x", 6);
}

static void change_cipher_spec_of_another_form(struct peer *p)
{
	replace(p, "\x14\x03\x03\0\x01\x02", 6);
}

static void change_cipher_spec_of_two_bytes(struct peer *p)
{
	replace(p, "\x14\x03\x03\0\x02\x01\x01", 7);
}

static void change_cipher_spec_of_none(struct peer *p)
{
	replace(p, "\x14\x03\x03\0\0", 5);
}

/* One in order, and then what may not follow it. */
static void change_cipher_spec_and_another(struct peer *p)
{
	replace(p, "\x14\x03\x03\0\x01\x01\x14\x03\x03\0\x01\0", 12);
}

static void handshake_in_the_clear(struct peer *p)
{
	replace(p, "\x16\x03\x03\0\x04\x14\0\0\0", 9);
}

static void key_updates(struct peer *p)
{
	for (int i = 0; i < 1000; i++)
		assert_int_equal(gnutls_session_key_update(p->client, GNUTLS_KU_PEER), 0);
}

static void request(struct peer *p)
{
	assert_int_equal(gnutls_record_send(p->client, "GET", 3), 3);
	last_byte_changed(p);
}

/* --- the table -------------------------------------------------------------------------------- */

struct failing {
	const char *version;
	void (*spoil)(struct peer *);
	int alert;
	bool open; /* after the handshake, else in place of the client's second flight */
};

static const struct failing table[] = {
    {TLS12_X25519, share_zero, GNUTLS_A_ILLEGAL_PARAMETER,
     false}, /* RFC 7748, 6.1; RFC 8422, 5.11 */
    {TLS12_P256, share_off_the_curve, GNUTLS_A_ILLEGAL_PARAMETER, false},
    {TLS12_P256, share_of_another_length, GNUTLS_A_ILLEGAL_PARAMETER, false},
    {TLS12_P256, share_of_another_form, GNUTLS_A_ILLEGAL_PARAMETER, false},
    {PEER_TLS12, key_exchange_empty, GNUTLS_A_DECODE_ERROR, false},
    {PEER_TLS12, key_exchange_missing, GNUTLS_A_UNEXPECTED_MESSAGE, false},
    {PEER_TLS12, change_cipher_spec_missing, GNUTLS_A_UNEXPECTED_MESSAGE, false},
    {PEER_TLS12, both_missing, GNUTLS_A_UNEXPECTED_MESSAGE, false},
    {PEER_TLS12, data_in_the_clear, GNUTLS_A_UNEXPECTED_MESSAGE, false},
    {PEER_TLS12, last_byte_changed, GNUTLS_A_BAD_RECORD_MAC, false},
    {PEER_TLS12, type_unknown, GNUTLS_A_UNEXPECTED_MESSAGE, false},
    {PEER_TLS12, too_long, GNUTLS_A_RECORD_OVERFLOW, false},
    {PEER_TLS12, change_cipher_spec_of_another_form, GNUTLS_A_UNEXPECTED_MESSAGE, false},
    {PEER_TLS12, change_cipher_spec_of_two_bytes, GNUTLS_A_UNEXPECTED_MESSAGE, false},
    {PEER_TLS12, change_cipher_spec_of_none, GNUTLS_A_UNEXPECTED_MESSAGE, false},
    {PEER_TLS13, last_byte_changed, GNUTLS_A_BAD_RECORD_MAC, false},
    {PEER_TLS13, type_unknown, GNUTLS_A_UNEXPECTED_MESSAGE, false},
    {PEER_TLS13, too_long, GNUTLS_A_RECORD_OVERFLOW, false},
    {PEER_TLS13, too_short_to_be_encrypted, GNUTLS_A_BAD_RECORD_MAC, false},
    {PEER_TLS13, change_cipher_spec_of_another_form, GNUTLS_A_UNEXPECTED_MESSAGE, false},
    {PEER_TLS13, change_cipher_spec_of_two_bytes, GNUTLS_A_UNEXPECTED_MESSAGE, false},
    {PEER_TLS13, change_cipher_spec_of_none, GNUTLS_A_UNEXPECTED_MESSAGE, false},
    {PEER_TLS13, change_cipher_spec_and_another, GNUTLS_A_UNEXPECTED_MESSAGE, false},
    {PEER_TLS13, handshake_in_the_clear, GNUTLS_A_UNEXPECTED_MESSAGE, false},
    {PEER_TLS13, handshake_in_the_clear, GNUTLS_A_UNEXPECTED_MESSAGE, true},
    {PEER_TLS12, request, GNUTLS_A_BAD_RECORD_MAC, true},
    {PEER_TLS12, type_unknown, GNUTLS_A_UNEXPECTED_MESSAGE, true},
    {PEER_TLS12, too_long, GNUTLS_A_RECORD_OVERFLOW, true},
    {PEER_TLS13, request, GNUTLS_A_BAD_RECORD_MAC, true},
    {PEER_TLS13, type_unknown, GNUTLS_A_UNEXPECTED_MESSAGE, true},
    {PEER_TLS13, too_long, GNUTLS_A_RECORD_OVERFLOW, true},
    {PEER_TLS13, change_cipher_spec_of_another_form, GNUTLS_A_UNEXPECTED_MESSAGE, true},
    {PEER_TLS13, key_updates, GNUTLS_A_UNEXPECTED_MESSAGE, true},
};

/* The alert that the client sees, encrypted or not. */
static int alert_of(struct peer *p)
{
	uint8_t data[64];
	ssize_t n;
	do {
		n = gnutls_handshake(p->client);
		if (n == 0)
			n = gnutls_record_recv(p->client, data, sizeof(data));
	} while (n == GNUTLS_E_AGAIN && buf_len(&p->wire.out) > 0);
	return n == GNUTLS_E_FATAL_ALERT_RECEIVED ? (int)gnutls_alert_get(p->client) : (int)n;
}

static bool fails_as_told(const struct failing *f, peer_pieces_fn *pieces)
{
	struct peer p;
	peer_init(&p, context, f->version);
	if (f->open) {
		assert_int_equal(peer_handshake(&p, all, NULL), 0);
	} else {
		(void)gnutls_handshake(p.client);
		peer_deliver(&p, all, NULL);
		(void)gnutls_handshake(p.client);
	}
	f->spoil(&p);
	peer_deliver(&p, pieces, NULL);
	int alert = alert_of(&p);
	bool told =
	    p.failed && alert == f->alert && (f->open || p.failure.kind == IPC_FAILURE_MALFORMED);
	if (!told)
		print_error("row %zu of the table: %s, alert %d\n", (size_t)(f - table),
			    p.failed ? "failed" : "goes on", alert);
	peer_release(&p);
	return told;
}

static void every_failure_has_its_alert(void **state)
{
	size_t count = 0;
	(void)state;
	for (size_t i = 0; i < COUNT(table); i++)
		count += fails_as_told(&table[i], all);
	assert_int_equal(count, COUNT(table));
}

static void every_failure_has_its_alert_if_it_comes_byte_by_byte(void **state)
{
	size_t count = 0;
	(void)state;
	for (size_t i = 0; i < COUNT(table); i++)
		count += fails_as_told(&table[i], single_bytes);
	assert_int_equal(count, COUNT(table));
}

/* OpenSSL refuses a certificate in the clear. */
static void an_alert_is_not_answered_by_another(void **state)
{
	struct peer p;
	(void)state;
	peer_init(&p, context, PEER_TLS13);
	(void)gnutls_handshake(p.client);
	peer_deliver(&p, all, NULL);
	(void)gnutls_handshake(p.client);
	assert_int_equal(buf_len(&p.wire.out), 0);
	replace(&p, "\x15\x03\x03\0\x02\x02\x30", 7);
	peer_deliver(&p, all, NULL);
	assert_true(p.failed);
	assert_int_equal(p.failure.kind, IPC_FAILURE_ALERT);
	assert_string_equal(p.failure.text, "CA is unknown");
	assert_int_equal(buf_len(&p.wire.out), 0);
	peer_release(&p);
}

/* RFC 5246, 7.2.2: "This message is always a warning"; the handshake goes on. */
static void a_renegotiation_is_refused_by_a_warning(void **state)
{
	struct peer p;
	(void)state;
	peer_init(&p, context, PEER_TLS12);
	assert_int_equal(peer_handshake(&p, all, NULL), 0);
	for (size_t i = 1; i <= 3; i++) {
		assert_int_equal(gnutls_handshake(p.client), GNUTLS_E_AGAIN);
		assert_int_equal(gnutls_record_send(p.client, "GET", 3), 3);
		peer_deliver(&p, all, NULL); /* together */
		assert_false(p.failed);
		assert_int_equal(buf_len(&p.heard), 3 * i);
		assert_int_equal(gnutls_handshake(p.client), GNUTLS_E_WARNING_ALERT_RECEIVED);
		assert_int_equal(gnutls_alert_get(p.client), GNUTLS_A_NO_RENEGOTIATION);
	}
	assert_int_equal(gnutls_handshake(p.client), GNUTLS_E_AGAIN);
	peer_deliver(&p, all, NULL);
	assert_true(p.failed); /* enough of it */
	peer_release(&p);
}

/* GnuTLS would gather all of a message before it refuses it for its length. */
static void a_message_without_end_is_refused(void **state)
{
	static const char begin[] = "\x16\x03\x01\x40\0\x01\xff\xff\xff";
	static char zeros[16384];
	struct peer p;
	(void)state;
	peer_init(&p, context, PEER_TLS13);
	assert_int_equal(buf_append(&p.sent, begin, sizeof(begin) - 1), 0);
	assert_int_equal(buf_append(&p.sent, zeros, 16384 - 4), 0);
	for (int i = 0; i < 64; i++) {
		assert_int_equal(buf_append(&p.sent, begin, 5), 0);
		assert_int_equal(buf_append(&p.sent, zeros, 16384), 0);
	}
	peer_deliver(&p, thousands, NULL);
	assert_true(p.failed);
	assert_int_equal(p.failure.kind, IPC_FAILURE_MALFORMED);
	assert_true(buf_len(&p.sent) > 64 * 16384 - 300 * 1024);
	assert_int_equal(alert_of(&p), GNUTLS_A_DECODE_ERROR);
	peer_release(&p);
}

static void nothing_but_warnings_ends_a_connection(void **state)
{
	struct peer p;
	(void)state;
	peer_init(&p, context, PEER_TLS12);
	assert_int_equal(peer_handshake(&p, all, NULL), 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(
		    gnutls_alert_send(p.client, GNUTLS_AL_WARNING, GNUTLS_A_USER_CANCELED), 0);
	peer_deliver(&p, thousands, NULL);
	assert_false(p.failed);
	for (int i = 0; i < 20000; i++)
		assert_int_equal(
		    gnutls_alert_send(p.client, GNUTLS_AL_WARNING, GNUTLS_A_USER_CANCELED), 0);
	peer_deliver(&p, thousands, NULL);
	assert_true(p.failed);
	assert_int_equal(alert_of(&p), GNUTLS_A_UNEXPECTED_MESSAGE);
	peer_release(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_failure_has_its_alert),
	    cmocka_unit_test(every_failure_has_its_alert_if_it_comes_byte_by_byte),
	    cmocka_unit_test(an_alert_is_not_answered_by_another),
	    cmocka_unit_test(a_renegotiation_is_refused_by_a_warning),
	    cmocka_unit_test(a_message_without_end_is_refused),
	    cmocka_unit_test(nothing_but_warnings_ends_a_connection),
	};
	return cmocka_run_group_tests(tests, context_make, context_release);
}
