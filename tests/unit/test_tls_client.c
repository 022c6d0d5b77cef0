/* tls/client: a client that believes no server more than it has shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>

#include "../tls_server.h"
#include "ipc/key.h"
#include "keyholder/sign.h"
#include "tls/key.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct tls_client_policy *policy;
static struct server_certificate ca, other_ca;
static struct tls_client_trust *trust;
static struct tls_client_context *context; /* verifies */
static struct server_certificate good;     /* for orders.internal, of ca */

static struct tls_client_context *context_of(const struct tls_client_trust *t)
{
	const struct tls_client_options o = {.policy = policy, .trust = t};
	struct tls_client_context *c;
	struct err err;
	assert_int_equal(tls_client_context_new(&o, &c, &err), 0);
	return c;
}

static int all_setup(void **state)
{
	static const struct server_wish authority = {.subject = "Test CA", .ca = true};
	static const struct server_wish other = {.subject = "Other CA", .ca = true};
	static const struct server_wish server = {.subject = "orders",
						  .names = {"orders.internal"}};
	struct err err;
	(void)state;
	assert_int_equal(tls_client_policy_new(&policy, &err), 0);
	ca = server_certificate(&authority, NULL);
	other_ca = server_certificate(&other, NULL);
	good = server_certificate(&server, &ca);
	trust = server_trust(&ca.crt, 1);
	context = context_of(trust);
	return 0;
}

static int all_teardown(void **state)
{
	(void)state;
	tls_client_context_free(context);
	tls_client_trust_free(trust);
	tls_client_policy_free(policy);
	server_certificate_free(&good);
	server_certificate_free(&ca);
	server_certificate_free(&other_ca);
	return 0;
}

static struct tls_client_peer *peer_of(const struct tls_client_context *c, const char *name)
{
	struct tls_client_peer *p = tls_client_peer_new(c, name);
	assert_non_null(p);
	return p;
}

static void says(const struct server *s, const char *text)
{
	if (s->failure.text == NULL || strstr(s->failure.text, text) == NULL)
		fail_msg("\"%s\" instead of \"%s\"", s->failure.text, text);
}

static void client_sends(struct server *s, const char *text)
{
	assert_int_equal(transport_tls_client.send(s->client, (const uint8_t *)text, strlen(text)),
			 TRANSPORT_OK);
	server_run(s);
}

/* --- a good server ---------------------------------------------------------------------------- */

static const char *const versions[] = {SERVER_TLS13, SERVER_TLS12};

static void a_verified_server_and_the_client_hear_each_other(void **state)
{
	static const size_t pieces[] = {0, 1, 7, 1000};
	(void)state;
	for (size_t v = 0; v < COUNT(versions); v++)
		for (size_t i = 0; i < COUNT(pieces); i++) {
			struct tls_client_peer *p = peer_of(context, "orders.internal");
			struct server s;
			char sni[64];
			size_t len = sizeof(sni);
			unsigned type;
			server_begin(&s, p, versions[v], &good, 1);
			s.piece = pieces[i];
			server_run(&s);
			assert_int_equal(s.result, TRANSPORT_OK);
			assert_true(s.shaken);
			assert_int_equal(gnutls_server_name_get(s.session, sni, &len, &type, 0), 0);
			assert_string_equal(sni, "orders.internal");
			const struct transport_facts *f = transport_tls_client.facts(s.client);
			assert_string_equal(f->version, v == 0 ? "TLS1.3" : "TLS1.2");
			assert_false(f->resumed);
			client_sends(&s, "GET / HTTP/1.1\r\n\r\n");
			assert_int_equal(s.heard_len, 18);
			server_send(&s, "HTTP/1.1 200 OK\r\n\r\n");
			server_run(&s);
			assert_int_equal(s.got_len, 19);
			assert_int_equal(s.received, TRANSPORT_AGAIN);
			assert_int_equal(gnutls_bye(s.session, GNUTLS_SHUT_WR), 0);
			server_run(&s);
			assert_int_equal(s.received, TRANSPORT_CLOSED);
			server_end(&s);
			tls_client_peer_free(p);
		}
}

static void an_end_without_close_notify_is_a_failure(void **state)
{
	(void)state;
	for (size_t v = 0; v < COUNT(versions); v++) {
		struct tls_client_peer *p = peer_of(context, "orders.internal");
		struct server s;
		server_begin(&s, p, versions[v], &good, 1);
		server_run(&s);
		server_send(&s, "half of a body");
		server_cut(&s);
		assert_int_equal(s.got_len, 14);
		assert_int_equal(s.received, TRANSPORT_FAILED);
		assert_non_null(strstr(transport_tls_client.failure(s.client), "close_notify"));
		server_end(&s);
		tls_client_peer_free(p);
	}
}

/* --- names ------------------------------------------------------------------------------------ */

static void the_certificate_must_have_the_name(void **state)
{
	static const struct {
		const char *name;
		const char *names[8];
		const char *refused; /* NULL: it is good */
	} cases[] = {
	    {"orders.internal", {"orders.internal"}, NULL},
	    {"orders.internal", {"ORDERS.Internal"}, NULL},
	    {"orders.internal", {"a.internal", "orders.internal"}, NULL},
	    {"orders.internal", {"*.internal.example"}, "not for \"orders.internal\""},
	    {"a.example.org", {"*.example.org"}, NULL},
	    {"a.b.example.org", {"*.example.org"}, "is for \"*.example.org\", not"},
	    {"example.org", {"*.example.org"}, "not for \"example.org\""},
	    {"orders.internal", {"orders.internal.evil.example"}, "is for \"orders.internal.evil"},
	    {"orders.internal",
	     {"a", "b", "c", "d", "e"},
	     "its certificate is for \"a\", \"b\", \"c\" and 2 more, not for \"orders.internal\""},
	    /* the common name counts for nothing, RFC 9525 */
	    {"orders.internal", {NULL}, "has no names, not for"},
	    {"orders.internal", {"127.0.0.1"}, "is for \"127.0.0.1\", not for"},
	    {"127.0.0.1", {"127.0.0.1"}, NULL},
	    {"::1", {"::1"}, NULL},
	    {"127.0.0.2", {"127.0.0.1"}, "is for \"127.0.0.1\", not for \"127.0.0.2\""},
	    {"127.0.0.1", {"orders.internal"}, "not for \"127.0.0.1\""},
	    {"::1", {"::2"}, "is for \"::2\", not for \"::1\""},
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct server_wish w = {.subject = cases[i].name};
		memcpy(w.names, cases[i].names, sizeof(w.names));
		struct server_certificate c = server_certificate(&w, &ca);
		struct tls_client_peer *p = peer_of(context, cases[i].name);
		struct server s;
		server_begin(&s, p, versions[i % 2], &c, 1);
		server_run(&s);
		if (cases[i].refused == NULL && s.result != TRANSPORT_OK)
			fail_msg("%s: %s", cases[i].name, s.failure.text);
		if (cases[i].refused != NULL) {
			assert_int_equal(s.result, TRANSPORT_FAILED);
			says(&s, cases[i].refused);
			assert_int_equal(gnutls_alert_get(s.session), GNUTLS_A_BAD_CERTIFICATE);
		}
		server_end(&s);
		tls_client_peer_free(p);
		server_certificate_free(&c);
	}
}

static void an_address_is_no_server_name(void **state)
{
	static const struct server_wish w = {.subject = "x", .names = {"127.0.0.1"}};
	char sni[64];
	size_t len = sizeof(sni);
	unsigned type;
	struct server s;
	(void)state;
	struct server_certificate c = server_certificate(&w, &ca);
	struct tls_client_peer *p = peer_of(context, "127.0.0.1");
	server_begin(&s, p, SERVER_TLS13, &c, 1);
	server_run(&s);
	assert_int_equal(s.result, TRANSPORT_OK);
	assert_int_equal(gnutls_server_name_get(s.session, sni, &len, &type, 0),
			 GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE);
	server_end(&s);
	tls_client_peer_free(p);
	server_certificate_free(&c);
}

/* --- chains ----------------------------------------------------------------------------------- */

enum issuer { BY_CA, BY_OTHER, BY_ITSELF };

static void a_certificate_that_does_not_count_is_refused_in_words(void **state)
{
#define NAMES .names = { "orders.internal" }
	static const struct {
		struct server_wish wish;
		enum issuer issuer;
		gnutls_alert_description_t alert;
		const char *words;
	} cases[] = {
	    {{.subject = "x", NAMES, .since = -7200, .until = -3600},
	     BY_CA,
	     GNUTLS_A_CERTIFICATE_EXPIRED,
	     "its certificate has expired on 20"},
	    {{.subject = "x", NAMES, .since = 3600},
	     BY_CA,
	     GNUTLS_A_CERTIFICATE_EXPIRED,
	     "its certificate is not valid before 20"},
	    {{.subject = "x", NAMES},
	     BY_OTHER,
	     GNUTLS_A_UNKNOWN_CA,
	     "its certificate is of an unknown authority: \"CN=Other CA\""},
	    {{.subject = "x", NAMES},
	     BY_ITSELF,
	     GNUTLS_A_UNKNOWN_CA,
	     "its certificate is self-signed, and not among the authorities"},
	    {{.subject = "x", NAMES, .purpose = GNUTLS_KP_TLS_WWW_CLIENT},
	     BY_CA,
	     GNUTLS_A_UNSUPPORTED_CERTIFICATE,
	     "its certificate is not for servers"},
	    {{.subject = "x", NAMES, .pk = GNUTLS_PK_RSA, .bits = 1024},
	     BY_CA,
	     GNUTLS_A_BAD_CERTIFICATE,
	     "less than 112 bits of security"},
	    {{.subject = "x", NAMES, .digest = GNUTLS_DIG_SHA1},
	     BY_CA,
	     GNUTLS_A_BAD_CERTIFICATE,
	     "less than 112 bits of security"},
	};
#undef NAMES
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		for (size_t v = 0; v < COUNT(versions); v++) {
			const struct server_certificate *issuer = cases[i].issuer == BY_CA ? &ca
								  : cases[i].issuer == BY_OTHER
								      ? &other_ca
								      : NULL;
			struct server_certificate c = server_certificate(&cases[i].wish, issuer);
			struct tls_client_peer *p = peer_of(context, "orders.internal");
			struct server s;
			server_begin(&s, p, versions[v], &c, 1);
			server_run(&s);
			assert_int_equal(s.result, TRANSPORT_FAILED);
			says(&s, cases[i].words);
			assert_int_equal(gnutls_alert_get(s.session), cases[i].alert);
			server_end(&s);
			tls_client_peer_free(p);
			server_certificate_free(&c);
		}
}

/* One that was issued by the last of the others. */
static void chain_is(const struct server_wish *between, bool sent, const char *words)
{
	static const struct server_wish leaf = {.subject = "x", .names = {"orders.internal"}};
	struct server_certificate chain[2];
	struct server s;
	chain[1] = server_certificate(between, &ca);
	chain[0] = server_certificate(&leaf, &chain[1]);
	struct tls_client_peer *p = peer_of(context, "orders.internal");
	server_begin(&s, p, SERVER_TLS13, chain, sent ? 2 : 1);
	server_run(&s);
	if (words == NULL && s.result != TRANSPORT_OK)
		fail_msg("%s %s %d", between->subject, s.failure.text, sent);
	if (words != NULL)
		says(&s, words);
	server_end(&s);
	tls_client_peer_free(p);
	server_certificate_free(&chain[0]);
	server_certificate_free(&chain[1]);
}

static void those_in_between_count_as_well(void **state)
{
	(void)state;
	chain_is(&(struct server_wish){.subject = "Between", .ca = true}, true, NULL);
	chain_is(&(struct server_wish){.subject = "Between", .ca = true}, false,
		 "of an unknown authority: \"CN=Between\"");
	chain_is(&(struct server_wish){.subject = "Between", .no_ca = true}, true,
		 "issued by one that may issue none");
	chain_is(
	    &(struct server_wish){.subject = "Between", .ca = true, .since = -7200, .until = -60},
	    true, "a certificate that issued its own has expired");
	chain_is(&(struct server_wish){.subject = "Between", .ca = true, .outside = "example.org"},
		 true, "outside of what its authority may issue");
	chain_is(&(struct server_wish){.subject = "Between", .ca = true, .outside = "internal"},
		 true, NULL);
}

/* `verify authority` may name the server's own certificate. */
static void a_certificate_may_be_its_own_authority(void **state)
{
	static const struct server_wish w = {.subject = "x", .names = {"orders.internal"}};
	struct server_certificate own = server_certificate(&w, NULL);
	struct tls_client_trust *pinned = server_trust(&own.crt, 1);
	struct tls_client_context *c = context_of(pinned);
	(void)state;
	for (unsigned is_good = 0; is_good < 2; is_good++) {
		struct tls_client_peer *p =
		    peer_of(c, is_good ? "orders.internal" : "other.internal");
		struct server s;
		server_begin(&s, p, SERVER_TLS13, &own, 1);
		server_run(&s);
		assert_int_equal(s.result, is_good ? TRANSPORT_OK : TRANSPORT_FAILED);
		server_end(&s);
		tls_client_peer_free(p);
	}
	tls_client_context_free(c);
	tls_client_trust_free(pinned);
	server_certificate_free(&own);
}

static void without_verification_every_certificate_will_do(void **state)
{
	static const struct server_wish w = {.subject = "x", .since = -7200, .until = -3600};
	struct server_certificate own = server_certificate(&w, NULL);
	struct tls_client_context *c = context_of(NULL);
	struct tls_client_peer *p = peer_of(c, "orders.internal");
	struct server s;
	(void)state;
	server_begin(&s, p, SERVER_TLS13, &own, 1);
	server_run(&s);
	assert_int_equal(s.result, TRANSPORT_OK);
	server_end(&s);
	tls_client_peer_free(p);
	tls_client_context_free(c);
	server_certificate_free(&own);
}

static void too_many_certificates_are_refused_unread(void **state)
{
	struct server_certificate chain[20];
	static const struct server_wish w = {.subject = "Stray", .ca = true};
	struct server s;
	(void)state;
	for (unsigned i = 1; i < COUNT(chain); i++)
		chain[i] = server_certificate(&w, NULL);
	chain[0] = good;
	for (size_t v = 0; v < COUNT(versions); v++) {
		struct tls_client_peer *p = peer_of(context, "orders.internal");
		server_begin(&s, p, versions[v], chain, COUNT(chain));
		server_run(&s);
		assert_int_equal(s.result, TRANSPORT_FAILED);
		says(&s, "it sends too many certificates");
		server_end(&s);
		tls_client_peer_free(p);
	}
	for (unsigned i = 1; i < COUNT(chain); i++)
		server_certificate_free(&chain[i]);
}

/* One signature with such a key would take a second, before anybody knows whose it is. */
static void a_giant_key_is_refused_before_it_is_used(void **state)
{
	static uint8_t modulus[2048];
	static const uint8_t exponent[] = {1, 0, 1};
	static const struct server_wish w = {.subject = "x", .names = {"orders.internal"}};
	const gnutls_datum_t m = {modulus, sizeof(modulus)};
	const gnutls_datum_t e = {(unsigned char *)(uintptr_t)exponent, sizeof(exponent)};
	gnutls_pubkey_t public;
	struct server s;
	(void)state;
	memset(modulus, 0xa5, sizeof(modulus));
	struct server_certificate c = server_certificate(&w, &ca);
	assert_int_equal(gnutls_pubkey_init(&public), 0);
	assert_int_equal(gnutls_pubkey_import_rsa_raw(public, &m, &e), 0);
	assert_int_equal(gnutls_x509_crt_set_pubkey(c.crt, public), 0);
	assert_int_equal(gnutls_x509_crt_sign2(c.crt, ca.crt, ca.key, GNUTLS_DIG_SHA256, 0), 0);
	gnutls_pubkey_deinit(public);
	struct tls_client_peer *p = peer_of(context, "orders.internal");
	server_begin(&s, p, SERVER_TLS12, &good, 1);
	/* The server's Certificate message, in which it is not its own: TLS 1.2, so in the clear.
	 */
	server_client_turn(&s, 0);
	const struct server_certificate with[] = {c};
	gnutls_datum_t der;
	assert_int_equal(gnutls_x509_crt_export2(with[0].crt, GNUTLS_X509_FMT_DER, &der), 0);
	server_turn(&s);
	const uint8_t *at = buf_head(&s.sent);
	const size_t hello = 5 + ((size_t)at[3] << 8 | at[4]);
	uint8_t message[8192] = {22, 3, 3};
	size_t len = der.size;
	assert_true(len + 15 < sizeof(message));
	memcpy(message + 15, der.data, len);
	gnutls_free(der.data);
	for (unsigned i = 0; i < 3; i++) { /* certificate, list, message */
		message[14 - 3 * i] = (uint8_t)len;
		message[13 - 3 * i] = (uint8_t)(len >> 8);
		message[12 - 3 * i] = 0;
		len += i < 2 ? 3 : 0;
	}
	message[5] = 11;
	len += 4;
	message[3] = (uint8_t)(len >> 8);
	message[4] = (uint8_t)len;
	server_client_turn(&s, hello);
	assert_int_equal(s.result, TRANSPORT_AGAIN);
	buf_consume(&s.sent, buf_len(&s.sent));
	assert_int_equal(buf_append(&s.sent, message, len + 5), 0);
	server_client_turn(&s, len + 5);
	assert_int_equal(s.result, TRANSPORT_FAILED);
	says(&s, "the key in it, is too large");
	server_end(&s);
	tls_client_peer_free(p);
	server_certificate_free(&c);
}

/* --- servers that are none -------------------------------------------------------------------- */

static void what_is_no_server_of_tls_is_named(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		bool ended;
		const char *words;
	} cases[] = {
	    {"HTTP/1.1 400 Bad Request\r\n\r\n", 28, false, "it speaks plain HTTP, not TLS"},
	    {"", 0, true, "it closed the connection instead of a TLS handshake"},
	    {"\x16\x03\x03\x00\x40\x02", 6, true, "ended in the middle of the TLS handshake"},
	    {"\x15\x03\x03\x00\x02\x02\x28", 7, false, "(alert HANDSHAKE_FAILURE)"},
	    {"\x15\x03\x03\x00\x02\x02\x46", 7, false, "it has neither TLS 1.3 nor 1.2"},
	    {"\x15\x03\x03\x00\x02\x02\x70", 7, false, "it does not know the name"},
	    {"\x15\x03\x03\x00\x02\x02\xfe", 7, false, "alert"},
	    {"-ERR unknown command\r\n", 22, false, "the TLS handshake failed"},
	    {"SSH-2.0-OpenSSH_9.2\r\n", 21, false, "the TLS handshake failed"},
	    {"\x16\x03\x03\x00\x04\x0e\x00\x00\x00", 9, false, "the TLS handshake failed"},
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct tls_client_peer *p = peer_of(context, "orders.internal");
		struct server s = {.error = 0};
		server_client_begin(&s, p);
		server_client_turn(&s, 0);
		assert_int_equal(s.result, TRANSPORT_AGAIN);
		assert_true(buf_len(&s.wire.out) > 100); /* its hello */
		assert_int_equal(buf_append(&s.sent, cases[i].bytes, cases[i].len), 0);
		s.wire.in_ended = cases[i].ended;
		server_client_turn(&s, cases[i].len);
		if (s.result == TRANSPORT_AGAIN)
			server_client_turn(&s, 0);
		assert_int_equal(s.result, TRANSPORT_FAILED);
		says(&s, cases[i].words);
		server_end(&s);
		tls_client_peer_free(p);
	}
}

static void a_message_without_end_is_refused(void **state)
{
	static const uint8_t header[] = {22, 3, 3, 0x40, 0};
	static uint8_t record[5 + 0x4000];
	struct tls_client_peer *p = peer_of(context, "orders.internal");
	struct server s = {.error = 0};
	unsigned records = 0;
	(void)state;
	memcpy(record, header, sizeof(header));
	record[5] = 2; /* ServerHello, of 16 MB */
	record[6] = record[7] = record[8] = 0xff;
	server_client_begin(&s, p);
	server_client_turn(&s, 0);
	while (s.result == TRANSPORT_AGAIN && records++ < 64) {
		assert_int_equal(buf_append(&s.sent, record, sizeof(record)), 0);
		server_client_turn(&s, buf_len(&s.sent));
		record[5] = 0;
	}
	assert_int_equal(s.result, TRANSPORT_FAILED);
	assert_true(records <= 10);
	server_end(&s);
	tls_client_peer_free(p);
}

static void a_server_without_a_common_version_is_named(void **state)
{
	struct tls_client_peer *p = peer_of(context, "orders.internal");
	struct server s;
	(void)state;
	server_begin(&s, p, "NORMAL:-VERS-ALL:+VERS-TLS1.1:%VERIFY_ALLOW_SIGN_WITH_SHA1", &good, 1);
	server_run(&s);
	assert_int_equal(s.result, TRANSPORT_FAILED);
	says(&s, "it has no version");
	server_end(&s);
	tls_client_peer_free(p);
}

/* --- protocols -------------------------------------------------------------------------------- */

static bool lies; /* the server has chosen a protocol that was not offered */

int __wrap_gnutls_alpn_get_selected_protocol(gnutls_session_t session, gnutls_datum_t *ret);
int __real_gnutls_alpn_get_selected_protocol(gnutls_session_t session, gnutls_datum_t *ret);
int __wrap_gnutls_alpn_get_selected_protocol(gnutls_session_t session, gnutls_datum_t *ret)
{
	if (!lies)
		return __real_gnutls_alpn_get_selected_protocol(session, ret);
	*ret = (gnutls_datum_t){(unsigned char *)"h2", 2};
	return 0;
}

static void only_http_1_is_spoken(void **state)
{
	static const gnutls_datum_t both[] = {{(unsigned char *)"h2", 2},
					      {(unsigned char *)"http/1.1", 8}};
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct tls_client_peer *p = peer_of(context, "orders.internal");
		struct server s;
		const char *name;
		server_begin(&s, p, versions[i % 2], &good, 1);
		if (i == 0)
			assert_int_equal(gnutls_alpn_set_protocols(s.session, both, 2, 0), 0);
		lies = i == 1;
		if (i == 2)
			assert_int_equal(
			    gnutls_alpn_set_protocols(s.session, both, 1, GNUTLS_ALPN_MANDATORY),
			    0);
		server_run(&s);
		lies = false;
		assert_int_equal(s.result, i == 0 ? TRANSPORT_OK : TRANSPORT_FAILED);
		if (i == 0)
			assert_int_equal(transport_tls_client.protocol(s.client, &name), 8);
		else
			says(&s, i == 1 ? "it has chosen another protocol than HTTP/1.1: \"h2\""
					: "it does not speak HTTP/1.1");
		server_end(&s);
		tls_client_peer_free(p);
	}
}

/* --- sessions that are resumed ---------------------------------------------------------------- */

static gnutls_datum_t ticket_key;

/* A connection; returns whether it was resumed. tickets: that a server of TLS 1.3 sends. */
static bool connect_once(const struct tls_client_peer *p, const char *version, unsigned tickets)
{
	struct server s;
	server_begin(&s, p, version, &good, 1);
	assert_int_equal(gnutls_session_ticket_enable_server(s.session, &ticket_key), 0);
	server_run(&s);
	assert_int_equal(s.result, TRANSPORT_OK);
	const bool resumed = transport_tls_client.facts(s.client)->resumed;
	assert_int_equal(gnutls_session_is_resumed(s.session) != 0, resumed);
	if (tickets > 0 && strcmp(version, SERVER_TLS13) == 0)
		for (unsigned i = 0; i < tickets; i++)
			assert_int_equal(gnutls_session_ticket_send(s.session, 1, 0), 0);
	server_send(&s, "x");
	server_run(&s);
	assert_int_equal(s.got_len, 1);
	assert_int_equal(s.received, TRANSPORT_AGAIN);
	server_end(&s);
	return resumed;
}

static void sessions_are_resumed(void **state)
{
	uint64_t resumed;
	(void)state;
	assert_int_equal(gnutls_session_ticket_key_generate(&ticket_key), 0);
	for (size_t v = 0; v < COUNT(versions); v++) {
		struct tls_client_peer *p = peer_of(context, "orders.internal");
		struct tls_client_peer *q = peer_of(context, "orders.internal");
		assert_false(connect_once(p, versions[v], 0));
		for (unsigned i = 0; i < 5; i++)
			assert_true(connect_once(p, versions[v], 0));
		assert_int_equal(tls_client_peer_handshakes(p, &resumed), 6);
		assert_int_equal(resumed, 5);
		assert_false(connect_once(q, versions[v], 0)); /* each endpoint has its own */
		tls_client_peer_free(p);
		tls_client_peer_free(q);
	}
	gnutls_free(ticket_key.data);
}

/* A server may send any number, and each costs memory and time. */
static void tickets_are_bounded(void **state)
{
	struct tls_client_peer *p = peer_of(context, "orders.internal");
	(void)state;
	assert_int_equal(gnutls_session_ticket_key_generate(&ticket_key), 0);
	assert_false(connect_once(p, SERVER_TLS13, 100));
	assert_true(connect_once(p, SERVER_TLS13, 0));
	tls_client_peer_free(p);
	gnutls_free(ticket_key.data);
}

static void tickets_without_end_are_a_failure(void **state)
{
	struct tls_client_peer *p = peer_of(context, "orders.internal");
	struct server s;
	unsigned i = 0;
	(void)state;
	assert_int_equal(gnutls_session_ticket_key_generate(&ticket_key), 0);
	server_begin(&s, p, SERVER_TLS13, &good, 1);
	assert_int_equal(gnutls_session_ticket_enable_server(s.session, &ticket_key), 0);
	server_run(&s);
	for (; s.received == TRANSPORT_AGAIN && i < 5000; i++) {
		assert_int_equal(gnutls_session_ticket_send(s.session, 1, 0), 0);
		server_run(&s);
	}
	assert_int_equal(s.received, TRANSPORT_FAILED);
	assert_non_null(strstr(transport_tls_client.failure(s.client), "without end"));
	server_end(&s);
	tls_client_peer_free(p);
	gnutls_free(ticket_key.data);
}

static void key_updates_without_end_are_a_failure(void **state)
{
	struct tls_client_peer *p = peer_of(context, "orders.internal");
	struct server s;
	(void)state;
	server_begin(&s, p, SERVER_TLS13, &good, 1);
	server_run(&s);
	for (unsigned i = 0; s.received == TRANSPORT_AGAIN && i < 100000; i++) {
		assert_int_equal(gnutls_session_key_update(s.session, GNUTLS_KU_PEER), 0);
		server_run(&s);
		buf_consume(&s.wire.out, buf_len(&s.wire.out));
	}
	assert_int_equal(s.received, TRANSPORT_FAILED);
	server_end(&s);
	tls_client_peer_free(p);
}

/* --- renegotiation ---------------------------------------------------------------------------- */

static void renegotiation_is_refused(void **state)
{
	struct tls_client_peer *p = peer_of(context, "orders.internal");
	struct server s;
	(void)state;
	server_begin(&s, p, SERVER_TLS12, &good, 1);
	server_run(&s);
	assert_int_equal(gnutls_rehandshake(s.session), 0);
	server_send(&s, "goes on");
	server_run(&s);
	assert_int_equal(s.got_len, 7);
	assert_int_equal(s.received, TRANSPORT_AGAIN);
	for (unsigned i = 0; i < 8 && s.received == TRANSPORT_AGAIN; i++) {
		assert_int_equal(gnutls_rehandshake(s.session), 0);
		server_run(&s);
	}
	assert_int_equal(s.received, TRANSPORT_FAILED);
	assert_non_null(strstr(transport_tls_client.failure(s.client), "renegotiate"));
	server_end(&s);
	tls_client_peer_free(p);
}

/* --- the client's own certificate ------------------------------------------------------------- */

/* A keyholder in a process of its own, with one key that is for this side. */
static pid_t keyholder_begin(int fd, gnutls_x509_privkey_t key, enum tls_side side)
{
	const pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid != 0)
		return pid;
	struct keyring ring = {.keys = calloc(1, sizeof(gnutls_privkey_t)), .count = 1};
	struct ipc_key_request request;
	struct ipc_key_answer answer;
	ring.sides = malloc(1);
	ring.sides[0] = (uint8_t)(1u << side);
	alarm(60);
	if (gnutls_privkey_init(&ring.keys[0]) < 0 ||
	    gnutls_privkey_import_x509(ring.keys[0], key, 0) < 0)
		_exit(1);
	for (int n; (n = ipc_key_receive_request(fd, &request)) != 0;) {
		if (n != 1) {
			usleep(100);
			continue;
		}
		(void)keyring_sign(&ring, &request, &answer);
		(void)ipc_key_answer(fd, &answer);
	}
	_exit(0);
}

static int any_client(gnutls_session_t session)
{
	(void)session;
	return 0;
}

/* A server that requires a certificate, in both versions; says: what the client says, NULL: it is
 * served. */
static void server_requires(const struct tls_client_context *c, const char *words)
{
	for (size_t v = 0; v < COUNT(versions); v++) {
		struct tls_client_peer *p = peer_of(c, "orders.internal");
		struct server s;
		unsigned count = 0;
		server_begin(&s, p, versions[v], &good, 1);
		gnutls_certificate_server_set_request(s.session, GNUTLS_CERT_REQUIRE);
		gnutls_certificate_set_verify_function(s.credentials, any_client);
		server_run(&s);
		if (words == NULL) {
			assert_int_equal(s.result, TRANSPORT_OK);
			assert_true(s.shaken);
			assert_non_null(gnutls_certificate_get_peers(s.session, &count));
			assert_int_equal(count, 1);
			server_send(&s, "served");
			server_run(&s);
			assert_int_equal(s.got_len, 6);
		} else {
			assert_false(s.shaken);
			const char *why = s.result == TRANSPORT_FAILED
					      ? s.failure.text
					      : transport_tls_client.failure(s.client);
			assert_true(s.result == TRANSPORT_FAILED || s.received == TRANSPORT_FAILED);
			if (strstr(why, words) == NULL)
				fail_msg("\"%s\" instead of \"%s\"", why, words);
		}
		server_end(&s);
		tls_client_peer_free(p);
	}
}

static void a_server_that_requires_a_certificate_is_named(void **state)
{
	(void)state;
	server_requires(context, "certificate");
}

static const struct {
	gnutls_pk_algorithm_t pk;
	unsigned bits;
} key_kinds[] = {{0, 0}, {GNUTLS_PK_RSA, 2048}, {GNUTLS_PK_EDDSA_ED25519, 0}};

static void a_keyholder_signs_for_the_client(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(key_kinds); i++) {
		const struct server_wish w = {.subject = "client",
					      .pk = key_kinds[i].pk,
					      .bits = key_kinds[i].bits,
					      .purpose = GNUTLS_KP_TLS_WWW_CLIENT};
		struct server_certificate own = server_certificate(&w, &ca);
		struct tls_signer signer;
		int channel[2], fd = server_file(&own.crt, 1);
		assert_int_equal(ipc_key_channel(channel), 0);
		assert_int_equal(tls_signer_init(&signer, channel[0]), 0);
		const pid_t pid = keyholder_begin(channel[1], own.key, TLS_SIDE_CLIENT);
		const struct tls_client_identity_options o = {.certificate = "client.pem",
							      .certificate_fd = fd,
							      .key = "client.key",
							      .signer = &signer};
		struct tls_client_identity *identity;
		struct err err;
		if (tls_client_identity_load(&o, &identity, &err) != 0)
			fail_msg("%s", err.text);
		const struct tls_client_options with = {
		    .policy = policy, .trust = trust, .identity = identity, .signer = &signer};
		struct tls_client_context *c;
		assert_int_equal(tls_client_context_new(&with, &c, &err), 0);
		if (key_kinds[i].pk != GNUTLS_PK_EDDSA_ED25519)
			server_requires(c, NULL);
		else { /* TLS 1.3 only: see README.md */
			struct tls_client_peer *p = peer_of(c, "orders.internal");
			struct server s;
			server_begin(&s, p, SERVER_TLS13, &good, 1);
			gnutls_certificate_server_set_request(s.session, GNUTLS_CERT_REQUIRE);
			gnutls_certificate_set_verify_function(s.credentials, any_client);
			server_run(&s);
			if (s.result != TRANSPORT_OK)
				fail_msg("%s", s.failure.text);
			assert_true(s.shaken);
			server_end(&s);
			tls_client_peer_free(p);
		}
		tls_client_context_free(c);
		tls_client_identity_free(identity);
		(void)kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		close(channel[0]);
		close(channel[1]);
		close(fd);
		server_certificate_free(&own);
	}
}

/* A key for the other side, or another key, is found when the process starts. */
static void a_key_that_is_not_the_clients_is_refused(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		const struct server_wish w = {.subject = "client", .pk = GNUTLS_PK_EDDSA_ED25519};
		struct server_certificate own = server_certificate(&w, &ca);
		struct server_certificate another = server_certificate(&w, &ca);
		struct tls_signer signer;
		int channel[2], fd = server_file(&own.crt, 1);
		assert_int_equal(ipc_key_channel(channel), 0);
		assert_int_equal(tls_signer_init(&signer, channel[0]), 0);
		const pid_t pid = keyholder_begin(channel[1], i == 0 ? own.key : another.key,
						  i == 0 ? TLS_SIDE_SERVER : TLS_SIDE_CLIENT);
		const struct tls_client_identity_options o = {.certificate = "client.pem",
							      .certificate_fd = fd,
							      .key = "client.key",
							      .signer = &signer};
		struct tls_client_identity *identity = NULL;
		struct err err;
		assert_int_equal(tls_client_identity_load(&o, &identity, &err), -1);
		assert_non_null(strstr(err.text, "client.pem"));
		(void)kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		close(channel[0]);
		close(channel[1]);
		close(fd);
		server_certificate_free(&own);
		server_certificate_free(&another);
	}
}

/* --- authorities ------------------------------------------------------------------------------ */

static char warned[512];

static void warn(void *arg, size_t pair, const char *text)
{
	(void)arg;
	(void)pair;
	(void)snprintf(warned, sizeof(warned), "%s", text);
}

static void authorities_that_cannot_be_used_are_named(void **state)
{
	static const struct server_wish old = {
	    .subject = "Old CA", .ca = true, .since = -7200, .until = -3600};
	struct server_certificate expired = server_certificate(&old, NULL);
	struct tls_client_trust *t = NULL;
	uint8_t digest[32] = {0}, same[32] = {0};
	struct err err;
	int fd = memfd_create("empty", MFD_CLOEXEC);
	(void)state;
	assert_int_equal(tls_client_trust_load(fd, "empty.pem", NULL, NULL, NULL, &t, &err), -1);
	assert_non_null(strstr(err.text, "authority \"empty.pem\" cannot be used"));
	close(fd);
	assert_int_equal(tls_client_trust_load(-1, "/nowhere/ca.pem", NULL, NULL, NULL, &t, &err),
			 -1);
	assert_non_null(strstr(err.text, "cannot be read: No such file"));
	fd = server_file(&expired.crt, 1);
	assert_int_equal(tls_client_trust_load(fd, "old.pem", digest, warn, NULL, &t, &err), 0);
	assert_non_null(strstr(warned, "authority \"old.pem\" has expired"));
	tls_client_trust_free(t);
	assert_int_equal(tls_client_trust_load(fd, "old.pem", same, NULL, NULL, &t, &err), 0);
	assert_memory_equal(digest, same, sizeof(same)); /* read from its beginning each time */
	tls_client_trust_free(t);
	close(fd);
	server_certificate_free(&expired);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_verified_server_and_the_client_hear_each_other),
	    cmocka_unit_test(an_end_without_close_notify_is_a_failure),
	    cmocka_unit_test(the_certificate_must_have_the_name),
	    cmocka_unit_test(an_address_is_no_server_name),
	    cmocka_unit_test(a_certificate_that_does_not_count_is_refused_in_words),
	    cmocka_unit_test(those_in_between_count_as_well),
	    cmocka_unit_test(a_certificate_may_be_its_own_authority),
	    cmocka_unit_test(without_verification_every_certificate_will_do),
	    cmocka_unit_test(too_many_certificates_are_refused_unread),
	    cmocka_unit_test(a_giant_key_is_refused_before_it_is_used),
	    cmocka_unit_test(what_is_no_server_of_tls_is_named),
	    cmocka_unit_test(a_message_without_end_is_refused),
	    cmocka_unit_test(a_server_without_a_common_version_is_named),
	    cmocka_unit_test(only_http_1_is_spoken),
	    cmocka_unit_test(sessions_are_resumed),
	    cmocka_unit_test(tickets_are_bounded),
	    cmocka_unit_test(tickets_without_end_are_a_failure),
	    cmocka_unit_test(key_updates_without_end_are_a_failure),
	    cmocka_unit_test(renegotiation_is_refused),
	    cmocka_unit_test(a_server_that_requires_a_certificate_is_named),
	    cmocka_unit_test(a_keyholder_signs_for_the_client),
	    cmocka_unit_test(a_key_that_is_not_the_clients_is_refused),
	    cmocka_unit_test(authorities_that_cannot_be_used_are_named),
	};
	return cmocka_run_group_tests_name("tls_client", tests, all_setup, all_teardown);
}
