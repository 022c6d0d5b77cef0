/*
 * tls: the requested name chooses the host and then one of its certificates; each file is loaded
 * once; no session goes on under another host.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <time.h>

#include "../tls_peer.h"
#include "base/fd.h"
#include "ipc/tickets.h"
#include "keys.h"
#include "tls/identity.h"

#define LIFETIME_MS 3600000

/* The pairs. Each certificate has its number as the common name. */
static const struct {
	int kind;
	const char *names[4];
} wanted[] = {
    {KEY_P256, {"default.example"}},
    {KEY_RSA, {"default.example", "old.default.example"}},
    {KEY_RSA, {"shop.example", "www.shop.example", "SALE.shop.example"}},
    {KEY_P256, {"shop.example", "www.shop.example"}},
    {KEY_P256, {"*.shop.example"}},
    {KEY_P384, {"192.0.2.7"}},
    {KEY_RSA, {"rsa.example"}},
    {KEY_ED25519, {"many.example"}},
    {KEY_RSA, {"many.example"}},
    {KEY_P384, {"many.example"}},
    {KEY_P256, {"many.example"}},
};
#define PAIRS (sizeof(wanted) / sizeof(wanted[0]))

static const char *const shop[] = {"shop.example", "www.shop.example", "sale.shop.example"};
static const char *const stars[] = {"*.shop.example", "*.test"};
static const char *const same[] = {"api.shop.example", "*.same.example"};
static const char *const addresses[] = {"192.0.2.7", "[2001:db8::7]"};
static const char *const rsa[] = {"rsa.example"};
static const char *const many[] = {"many.example", "xn--bcher-kva.example"};

static const struct tls_host hosts[] = {
    {NULL, 0, 0, 2, NULL, 0}, {shop, 3, 2, 2, NULL, 2},      {stars, 2, 4, 1, NULL, 4},
    {same, 2, 2, 2, NULL, 2}, {addresses, 2, 5, 1, NULL, 5}, {rsa, 1, 6, 1, NULL, 6},
    {many, 2, 7, 4, NULL, 7},
};
#define HOSTS (sizeof(hosts) / sizeof(hosts[0]))

static char paths[PAIRS][2][64];
static int fds[PAIRS][2];
static struct tls_policy *policy;
static struct ipc_tickets *tickets;
static int tickets_fd;

/* --- the files -------------------------------------------------------------------------------- */

static int pem_file(const gnutls_datum_t *pem, char path[64])
{
	int fd = memfd_create("pem", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, pem->data, pem->size), pem->size);
	snprintf(path, 64, "/proc/self/fd/%d", fd);
	return fd;
}

/* An address, "uri:…", "mail:…", "OID:…" of another kind, or a name of a host. */
static void name_set(gnutls_x509_crt_t crt, const char *name)
{
	struct in_addr address;
	const char *colon = strchr(name, ':'), *value = colon != NULL ? colon + 1 : name;
	const bool other = colon != NULL && name[0] == '1';
	gnutls_x509_subject_alt_name_t type = colon == NULL    ? GNUTLS_SAN_DNSNAME
					      : name[0] == 'u' ? GNUTLS_SAN_URI
							       : GNUTLS_SAN_RFC822NAME;
	const void *data = value;
	size_t len = strlen(value);
	char oid[64] = "";
	if (inet_pton(AF_INET, name, &address) == 1) {
		type = GNUTLS_SAN_IPADDRESS;
		data = &address;
		len = sizeof(address);
	}
	if (other)
		snprintf(oid, sizeof(oid), "%.*s", (int)(colon - name), name);
	assert_int_equal(other ? gnutls_x509_crt_set_subject_alt_othername(
				     crt, oid, data, (unsigned)len,
				     GNUTLS_FSAN_APPEND | GNUTLS_FSAN_ENCODE_UTF8_STRING)
			       : gnutls_x509_crt_set_subject_alt_name(
				     crt, type, data, (unsigned)len, GNUTLS_FSAN_APPEND),
			 0);
}

/* GnuTLS finds the names of a certificate that it has read, not of one that it has made. */
static gnutls_x509_crt_t certificate_read(gnutls_x509_crt_t made)
{
	gnutls_x509_crt_t crt;
	gnutls_datum_t der;
	assert_int_equal(gnutls_x509_crt_export2(made, GNUTLS_X509_FMT_DER, &der), 0);
	gnutls_x509_crt_deinit(made);
	assert_int_equal(gnutls_x509_crt_init(&crt), 0);
	assert_int_equal(gnutls_x509_crt_import(crt, &der, GNUTLS_X509_FMT_DER), 0);
	gnutls_free(der.data);
	return crt;
}

static gnutls_x509_crt_t certificate_make(unsigned number, int kind, const char *const *names,
					  size_t count)
{
	gnutls_x509_crt_t crt;
	gnutls_pubkey_t public = public_of(ring.keys[kind]);
	const unsigned char serial = (unsigned char)(number + 1);
	char text[16];
	const int len = snprintf(text, sizeof(text), "%u", number);
	assert_int_equal(gnutls_x509_crt_init(&crt), 0);
	assert_int_equal(gnutls_x509_crt_set_version(crt, 3), 0);
	assert_int_equal(gnutls_x509_crt_set_serial(crt, &serial, 1), 0);
	assert_int_equal(gnutls_x509_crt_set_activation_time(crt, time(NULL) - 60), 0);
	assert_int_equal(gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 86400), 0);
	assert_int_equal(
	    gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, text, (unsigned)len),
	    0);
	for (size_t i = 0; i < count && names[i] != NULL; i++)
		name_set(crt, names[i]);
	assert_int_equal(gnutls_x509_crt_set_pubkey(crt, public), 0);
	assert_int_equal(gnutls_x509_crt_privkey_sign(crt, crt, ring.keys[kind],
						      kind == KEY_ED25519 ? GNUTLS_DIG_SHA512
						      : kind == KEY_P384  ? GNUTLS_DIG_SHA384
									  : GNUTLS_DIG_SHA256,
						      0),
			 0);
	gnutls_pubkey_deinit(public);
	return certificate_read(crt);
}

static void pair_make(size_t i)
{
	gnutls_x509_crt_t crt = certificate_make((unsigned)i, wanted[i].kind, wanted[i].names, 4);
	gnutls_x509_privkey_t key;
	gnutls_datum_t pem;
	assert_int_equal(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem), 0);
	fds[i][0] = pem_file(&pem, paths[i][0]);
	gnutls_free(pem.data);
	assert_int_equal(gnutls_privkey_export_x509(ring.keys[wanted[i].kind], &key), 0);
	assert_int_equal(gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL,
							   GNUTLS_PKCS_PLAIN, &pem),
			 0);
	fds[i][1] = pem_file(&pem, paths[i][1]);
	gnutls_free(pem.data);
	gnutls_x509_privkey_deinit(key);
	gnutls_x509_crt_deinit(crt);
}

static int make(void **state)
{
	struct err err;
	assert_int_equal(ring_setup(state), 0);
	for (size_t i = 0; i < PAIRS; i++)
		pair_make(i);
	tickets_fd = ipc_tickets_create(&tickets);
	assert_true(tickets_fd >= 0);
	return tls_policy_new(NULL, &policy, &err);
}

static int release(void **state)
{
	for (size_t i = 0; i < PAIRS; i++) {
		fd_close(&fds[i][0]);
		fd_close(&fds[i][1]);
	}
	tls_policy_free(policy);
	ipc_tickets_unmap(tickets);
	fd_close(&tickets_fd);
	return ring_teardown(state);
}

/* --- a port ----------------------------------------------------------------------------------- */

struct port {
	struct tls_credentials *credentials;
	struct tls_context *context;
};

static void warned(void *arg, size_t pair, const char *text)
{
	(void)arg;
	(void)pair;
	(void)text;
}

static void port_open(struct port *p, const struct tls_host *list, size_t count, bool refuses)
{
	struct tls_pair pairs[PAIRS];
	struct err err;
	size_t at;
	const struct tls_credentials_options options = {
	    .hosts = list, .hosts_count = count, .refuses_unknown = refuses, .warn = warned};
	const struct tls_context_options of_context = {
	    .policy = policy, .tickets = tickets, .tickets_ms = LIFETIME_MS};
	for (size_t i = 0; i < PAIRS; i++)
		pairs[i] = (struct tls_pair){
		    .certificate = paths[i][0], .certificate_fd = -1, .key = paths[i][1]};
	if (tls_credentials_new(pairs, PAIRS, &options, &p->credentials, &at, &err) != 0)
		fail_msg("pair %zu: %s", at, err.text);
	assert_int_equal(tls_context_new(p->credentials, &of_context, &p->context, &err), 0);
}

static void port_close(struct port *p)
{
	tls_context_free(p->context);
	tls_credentials_free(p->credentials);
}

static size_t all(void *arg)
{
	(void)arg;
	return 0;
}

/* The number of the certificate that the client was shown. */
static int shown(gnutls_session_t client)
{
	unsigned count;
	char name[16];
	size_t len = sizeof(name);
	gnutls_x509_crt_t crt;
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(client, &count);
	assert_non_null(chain);
	assert_int_equal(gnutls_x509_crt_init(&crt), 0);
	assert_int_equal(gnutls_x509_crt_import(crt, chain, GNUTLS_X509_FMT_DER), 0);
	assert_int_equal(
	    gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &len), 0);
	gnutls_x509_crt_deinit(crt);
	return atoi(name);
}

/* Sends any bytes as the name: gnutls_server_name_set() takes some only. NULL: none. */
static const char *raw_name;
static const char *raw_next; /* in the second hello */

static int raw_send(gnutls_session_t session, gnutls_buffer_t data)
{
	const char *name = raw_name;
	raw_name = raw_next;
	if (name == NULL)
		return 0;
	const size_t len = strlen(name);
	const uint8_t head[] = {(uint8_t)((len + 3) >> 8), (uint8_t)(len + 3), 0,
				(uint8_t)(len >> 8), (uint8_t)len};
	(void)session;
	if (gnutls_buffer_append_data(data, head, sizeof(head)) < 0 ||
	    gnutls_buffer_append_data(data, name, len) < 0)
		return -1;
	return (int)(sizeof(head) + len);
}

static void names_send(struct peer *p, const char *name, const char *next)
{
	raw_name = name;
	raw_next = next;
	if (name != NULL || next != NULL)
		assert_int_equal(gnutls_session_ext_register(p->client, "name", 0x10000,
							     GNUTLS_EXT_TLS, peer_padding_receive,
							     raw_send, NULL, NULL, NULL,
							     GNUTLS_EXT_FLAG_CLIENT_HELLO |
								 GNUTLS_EXT_FLAG_OVERRIDE_INTERNAL),
				 0);
}

static void name_send(struct peer *p, const char *name)
{
	names_send(p, name, name);
}

/* --- the choice ------------------------------------------------------------------------------- */

#define ONLY_RSA_12  PEER_TLS12 ":-ECDHE-ECDSA"
#define ONLY_RSA_13  PEER_TLS13 ":-SIGN-ALL:+SIGN-RSA-PSS-RSAE-SHA256"
#define ONLY_P384_13 PEER_TLS13 ":-SIGN-ALL:+SIGN-ECDSA-SECP384R1-SHA384"
#define ONLY_EDDSA   PEER_TLS13 ":-SIGN-ALL:+SIGN-EDDSA-ED25519"

struct choice {
	const char *name; /* NULL: none */
	const char *client;
	int pair; /* -1: the handshake fails */
	uint32_t policy;
};

static void choice_check(const struct port *port, const struct choice *c)
{
	struct peer p;
	peer_init(&p, port->context, c->client);
	name_send(&p, c->name);
	const int result = peer_handshake(&p, all, NULL);
	if ((result == 0) != (c->pair >= 0))
		fail_msg("%s, %s: %s", c->name, c->client,
			 result == 0 ? "done" : gnutls_strerror(result));
	if (result == 0) {
		if (shown(p.client) != c->pair || p.server.facts.policy != c->policy)
			fail_msg("%s, %s: %d, policy %u", c->name, c->client, shown(p.client),
				 p.server.facts.policy);
	}
	peer_release(&p);
}

static void the_name_chooses_the_host_and_the_client_the_key(void **state)
{
	static const struct choice cases[] = {
	    {"shop.example", PEER_TLS13, 3, 2},
	    {"SHOP.example.", PEER_TLS13, 3, 2},
	    {"shop.example", PEER_TLS12, 3, 2},
	    {"shop.example", ONLY_RSA_12, 2, 2},
	    {"www.shop.example", ONLY_RSA_13, 2, 2},
	    {"www.shop.example", PEER_TLS13_RETRY, 3, 2},
	    {"sale.shop.example", PEER_TLS13, 2, 2}, /* only the RSA one has the name */
	    {"other.shop.example", PEER_TLS13, 4, 4},
	    {"a.b.shop.example", PEER_TLS13, 0, 0},
	    {"api.shop.example", PEER_TLS13, 3, 2}, /* exact before the wildcard */
	    {"a.same.example", PEER_TLS13, 3, 2},
	    {"a.test", PEER_TLS13, 4, 4},
	    {"test", PEER_TLS13, 0, 0},
	    {"192.0.2.7", PEER_TLS13, 5, 5},
	    {"2001:DB8:0::7", PEER_TLS13, 5, 5},
	    {"rsa.example", PEER_TLS13, 6, 6},
	    {"rsa.example", ONLY_P384_13, -1, 0}, /* never another host's */
	    {"many.example", PEER_TLS13, 9, 7},   /* ECDSA in the order of the text */
	    {"many.example", PEER_TLS12, 9, 7},
	    {"many.example", ONLY_EDDSA, 7, 7},
	    {"many.example", ONLY_RSA_12, 8, 7},
	    {"many.example", PEER_TLS13 ":-SIGN-ALL:+SIGN-ECDSA-SECP256R1-SHA256", 10, 7},
	    {"xn--bcher-kva.example", ONLY_RSA_13, 8, 7}, /* no certificate has it */
	    {NULL, PEER_TLS13, 0, 0},
	    {NULL, ONLY_RSA_12, 1, 0},
	    {"default.example", PEER_TLS13, 0, 0},
	    {"old.default.example", PEER_TLS13, 1, 0},
	    {"nobody.example", PEER_TLS12, 0, 0},
	    /* forms that no host has */
	    {"_a.1-2.", PEER_TLS13, 0, 0},
	    {"1234567890", PEER_TLS13, 0, 0},
	    {"b\303\274cher.example", PEER_TLS13, 0, 0},
	    {"a\001\377 b", PEER_TLS12, 0, 0},
	    {".", PEER_TLS13, 0, 0},
	    {"*", PEER_TLS13, 0, 0},
	};
	struct port port;
	(void)state;
	port_open(&port, hosts, HOSTS, false);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		choice_check(&port, &cases[i]);
	port_close(&port);
}

static void names_of_every_length_are_taken(void **state)
{
	char name[2001];
	struct port port;
	(void)state;
	port_open(&port, hosts, HOSTS, false);
	for (size_t len = 1; len < sizeof(name); len += len < 250 || len > 260 ? 83 : 1) {
		memset(name, 'a', len);
		name[len] = '\0';
		choice_check(&port, &(struct choice){name, PEER_TLS13, 0, 0});
	}
	port_close(&port);
}

static void without_hosts_all_certificates_are_of_one_port(void **state)
{
	static const struct choice cases[] = {
	    {NULL, PEER_TLS13, 0, 0},
	    {"shop.example", PEER_TLS13, 3, 0},
	    {"other.shop.example", PEER_TLS13, 4, 0},
	    {"rsa.example", PEER_TLS13, 6, 0},
	    {"rsa.example", ONLY_P384_13, 5, 0}, /* any that it can verify */
	    {"many.example", PEER_TLS13, 9, 0},
	    {"192.0.2.7", PEER_TLS13, 5, 0},
	    {"nobody.example", ONLY_RSA_13, 1, 0},
	};
	struct port port;
	(void)state;
	port_open(&port, NULL, 0, false);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		choice_check(&port, &cases[i]);
	port_close(&port);
}

static void refusal_check(const struct port *port, const char *name, const char *client,
			  bool refused)
{
	struct peer p;
	peer_init(&p, port->context, client);
	name_send(&p, name);
	const int result = peer_handshake(&p, all, NULL);
	assert_int_equal(result == 0, !refused);
	if (refused) {
		assert_int_equal(p.failure.kind, IPC_FAILURE_CHOICE);
		assert_string_equal(p.failure.text,
				    "The client asked for a name that this port does not have.");
		assert_int_equal(gnutls_handshake(p.client), GNUTLS_E_FATAL_ALERT_RECEIVED);
		assert_int_equal(gnutls_alert_get(p.client), GNUTLS_A_UNRECOGNIZED_NAME);
	}
	peer_release(&p);
}

static void unknown_names_are_refused_where_that_is_wanted(void **state)
{
	static const char *const known[] = {NULL,           "shop.example.", "OTHER.shop.example",
					    "a.test",       "192.0.2.7",     "2001:db8::7",
					    "many.example", "x.same.example"};
	static const char *const unknown[] = {
	    "nobody.example",  "a.b.shop.example",      "test", "_a",
	    "default.example", "b\303\274cher.example", "\377"};
	struct port port;
	char longest[400];
	(void)state;
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	port_open(&port, hosts, HOSTS, true);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		refusal_check(&port, known[i], PEER_TLS13, false);
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		refusal_check(&port, unknown[i], PEER_TLS13, true);
		refusal_check(&port, unknown[i], PEER_TLS12, true);
		refusal_check(&port, unknown[i], PEER_TLS13_RETRY, true);
	}
	refusal_check(&port, longest, PEER_TLS13, true);
	port_close(&port);
	/* With one host, the names are those of the certificates. */
	port_open(&port, NULL, 0, true);
	refusal_check(&port, "default.example", PEER_TLS13, false);
	refusal_check(&port, "other.shop.example", PEER_TLS13, false);
	refusal_check(&port, NULL, PEER_TLS13, false);
	refusal_check(&port, "nobody.example", PEER_TLS13, true);
	port_close(&port);
}

/* --- sessions that go on ---------------------------------------------------------------------- */

/* Makes a connection, with this session if there is one, and returns the session for the next. */
static bool connect_with(const struct port *port, const char *version, const char *name,
			 const gnutls_datum_t *with, gnutls_datum_t *ret, uint32_t *ret_policy)
{
	static struct peer p;
	char byte;
	*ret = (gnutls_datum_t){0};
	peer_init(&p, port->context, version);
	name_send(&p, name);
	if (with != NULL)
		assert_int_equal(gnutls_session_set_data(p.client, with->data, with->size), 0);
	assert_int_equal(peer_handshake(&p, all, NULL), 0);
	(void)gnutls_record_recv(p.client, &byte, 1); /* takes the ticket of TLS 1.3 */
	if ((gnutls_session_get_flags(p.client) & GNUTLS_SFLAGS_SESSION_TICKET) != 0)
		assert_int_equal(gnutls_session_get_data2(p.client, ret), 0);
	const bool is = p.server.facts.resumed;
	*ret_policy = p.server.facts.policy;
	assert_int_equal(gnutls_session_is_resumed(p.client) != 0, is);
	peer_release(&p);
	return is;
}

static void a_session_goes_on_under_its_own_name_only(void **state)
{
	static const char *const names[] = {
	    NULL,          "shop.example",   "www.shop.example", "other.shop.example",
	    "rsa.example", "nobody.example", "api.shop.example"};
	static const uint32_t policies[] = {0, 2, 2, 4, 6, 0, 2};
	static const char *const versions[] = {PEER_TLS13, PEER_TLS12};
	enum { NAMES = sizeof(names) / sizeof(names[0]) };
	struct port port;
	(void)state;
	port_open(&port, hosts, HOSTS, false);
	for (size_t v = 0; v < 2; v++)
		for (size_t i = 0; i < NAMES; i++) {
			gnutls_datum_t session, next;
			uint32_t part;
			assert_false(
			    connect_with(&port, versions[v], names[i], NULL, &session, &part));
			assert_int_equal(part, policies[i]);
			for (size_t k = 0; k < NAMES; k++) {
				const bool is = connect_with(&port, versions[v], names[k], &session,
							     &next, &part);
				assert_int_equal(is, i == k);
				assert_int_equal(part, policies[k]);
				gnutls_free(next.data);
			}
			gnutls_free(session.data);
		}
	port_close(&port);
}

/* RFC 8446, 4.1.2: the second hello has the name of the first one. */
static void a_second_hello_has_the_same_name(void **state)
{
	static const struct {
		const char *first, *second;
	} cases[] = {{"shop.example", "rsa.example"},
		     {"shop.example", "www.shop.example"},
		     {"shop.example", "nobody.example"},
		     {"nobody.example", "shop.example"},
		     {"shop.example", "shop.example."},
		     {"shop.example", "shop.exampl"},
		     {"shop.example", NULL},
		     {NULL, "shop.example"},
		     {"api.shop.example", "192.0.2.7"},
		     {"shop.example", "_"},
		     {"a.nobody.example", "b.nobody.example"}};
	static const char *const kept[] = {NULL, "shop.example", "nobody.example", "\377_"};
	struct port port;
	struct peer p;
	(void)state;
	port_open(&port, hosts, HOSTS, false);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		peer_init(&p, port.context, PEER_TLS13_RETRY);
		names_send(&p, cases[i].first, cases[i].second);
		assert_int_not_equal(peer_handshake(&p, all, NULL), 0);
		assert_int_equal(p.failure.kind, IPC_FAILURE_MALFORMED);
		assert_string_equal(p.failure.text, "The client's second hello does not match the "
						    "request for it.");
		assert_int_equal(gnutls_handshake(p.client), GNUTLS_E_FATAL_ALERT_RECEIVED);
		assert_int_equal(gnutls_alert_get(p.client), GNUTLS_A_ILLEGAL_PARAMETER);
		peer_release(&p);
	}
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		peer_init(&p, port.context, PEER_TLS13_RETRY);
		name_send(&p, kept[i]);
		assert_int_equal(peer_handshake(&p, all, NULL), 0);
		assert_int_equal(p.server.hello.count, 2);
		peer_release(&p);
	}
	port_close(&port);
}

/* --- by address ------------------------------------------------------------------------------- */

static const char *local; /* NULL: unknown */

static int local_address(const void *connection, char ret[ADDRESS_TEXT_MAX])
{
	(void)connection;
	if (local == NULL)
		return -ENOTCONN;
	snprintf(ret, ADDRESS_TEXT_MAX, "%s", local);
	return 0;
}

static bool address_connect(const struct port *port, const char *name, const gnutls_datum_t *with,
			    gnutls_datum_t *ret, uint32_t *ret_policy)
{
	static struct peer p;
	char byte;
	peer_init(&p, port->context, PEER_TLS13);
	p.wire.local_address = local_address;
	name_send(&p, name);
	if (with != NULL)
		assert_int_equal(gnutls_session_set_data(p.client, with->data, with->size), 0);
	assert_int_equal(peer_handshake(&p, all, NULL), 0);
	(void)gnutls_record_recv(p.client, &byte, 1);
	assert_int_equal(gnutls_session_get_data2(p.client, ret), 0);
	*ret_policy = p.server.facts.policy;
	assert_true(name != NULL || p.server.facts.server_name == NULL);
	const bool is = p.server.facts.resumed;
	peer_release(&p);
	return is;
}

static void without_a_name_the_address_chooses_the_host(void **state)
{
	static const struct {
		const char *local, *name;
		uint32_t policy;
	} cases[] = {
	    {"192.0.2.7", NULL, 5},          {"2001:db8::7", NULL, 5},   {"192.0.2.8", NULL, 0},
	    {"192.0.2.7", "rsa.example", 6}, {"192.0.2.7", "nobody", 0}, {NULL, NULL, 0},
	};
	enum { CASES = sizeof(cases) / sizeof(cases[0]) };
	struct port port;
	(void)state;
	port_open(&port, hosts, HOSTS, false);
	for (size_t i = 0; i < CASES; i++) {
		gnutls_datum_t session, next;
		uint32_t part;
		local = cases[i].local;
		assert_false(address_connect(&port, cases[i].name, NULL, &session, &part));
		assert_int_equal(part, cases[i].policy);
		for (size_t k = 0; k < CASES; k++) {
			local = cases[k].local;
			const bool is =
			    address_connect(&port, cases[k].name, &session, &next, &part);
			assert_int_equal(part, cases[k].policy);
			if (cases[i].policy != cases[k].policy)
				assert_false(is);
			else if (i == k)
				assert_true(is);
			gnutls_free(next.data);
		}
		gnutls_free(session.data);
	}
	port_close(&port);
	/* A client that sends no name is not refused for that. */
	gnutls_datum_t session;
	uint32_t part;
	port_open(&port, hosts, HOSTS, true);
	local = "192.0.2.8";
	assert_false(address_connect(&port, NULL, NULL, &session, &part));
	assert_int_equal(part, 0);
	gnutls_free(session.data);
	port_close(&port);
}

/* --- loading ---------------------------------------------------------------------------------- */

static void files_are_loaded_once_however_many_hosts_name_them(void **state)
{
	static const char *const a[] = {"shop.example"}, *const b[] = {"rsa.example"};
	/* The same files as pair 2, 3 and 6, in other combinations. */
	static const size_t order[] = {0, 2, 3, 3, 2, 6, 2, 6};
	enum { COUNT = sizeof(order) / sizeof(order[0]) };
	const struct tls_host list[] = {{NULL, 0, 0, 1, NULL, 0},
					{a, 1, 1, 2, NULL, 1},
					{b, 1, 3, 3, NULL, 3},
					{NULL, 0, 6, 2, NULL, 6}};
	struct tls_pair pairs[COUNT];
	struct tls_certificate facts[COUNT];
	struct tls_certificates certificates = {.list = facts};
	const struct tls_credentials_options options = {
	    .hosts = list, .hosts_count = 4, .certificates = &certificates, .warn = warned};
	const struct tls_context_options of_context = {.policy = policy};
	struct port port;
	struct err err;
	size_t at;
	(void)state;
	for (size_t i = 0; i < COUNT; i++)
		pairs[i] = (struct tls_pair){.certificate = paths[order[i]][0],
					     .certificate_fd = -1,
					     .key = paths[order[i]][1]};
	assert_int_equal(tls_credentials_new(pairs, COUNT, &options, &port.credentials, &at, &err),
			 0);
	assert_int_equal(tls_context_new(port.credentials, &of_context, &port.context, &err), 0);
	for (size_t i = 0; i < COUNT; i++) {
		char subject[16];
		snprintf(subject, sizeof(subject), "CN=%zu", order[i]);
		assert_string_equal(facts[i].subject, subject);
	}
	choice_check(&port, &(struct choice){"shop.example", PEER_TLS13, 3, 1});
	choice_check(&port, &(struct choice){"shop.example", ONLY_RSA_13, 2, 1});
	choice_check(&port, &(struct choice){"rsa.example", PEER_TLS13, 6, 3});
	choice_check(&port, &(struct choice){"rsa.example", ONLY_RSA_13, 6, 3});
	port_close(&port);
}

/* RFC 6125, 6.4.4. */
static void only_names_of_servers_preclude_the_common_name(void **state)
{
	static const struct {
		const char *name;
		bool precludes;
	} cases[] = {
	    {"a.example", true},
	    {"192.0.2.1", true},
	    {"uri:a://b", true},
	    {"1.3.6.1.5.5.7.8.7:_https.a.example", true},
	    {"mail:a@b", false},
	    {"1.3.6.1.5.5.7.8.5:a@b", false},
	    {"1.3.6.1.5.5.7.8.7.1111111111.2222222222:a", false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char own[] = {(char)('0' + i), '\0'};
		gnutls_x509_crt_t crt = certificate_make((unsigned)i, KEY_P256, &cases[i].name, 1);
		struct tls_names names = {0};
		const struct tls_name *found;
		assert_int_equal(tls_identity_names(crt, &names, 0, 0, 0), 0);
		tls_names_seal(&names);
		if ((tls_names_find(&names, 0, own, &found) == 0) != cases[i].precludes)
			fail_msg("%s", cases[i].name);
		tls_names_release(&names);
		gnutls_x509_crt_deinit(crt);
	}
}

/* Does this table find the same as GnuTLS, which clients use? */
static void names_are_those_that_clients_accept(void **state)
{
	static const char *const sets[][4] = {
	    {"a.example", "*.b.example", "*.example", "192.0.2.1"},
	    {"*.", "*", "*a.b.example", "a.*.example"},
	    {"A.Example", "under_score.example", "1.2.3.4.example"},
	    {"192.0.2.1"},
	    {NULL},
	};
	static const char *const asked[] = {
	    "a.example",   "b.example", "x.b.example", "x.y.b.example",       "b.b.example",
	    "c.example",   "example",   "192.0.2.1",   "192.0.2.2",           "a.x.example",
	    "*.b.example", "5",         "6",           "under_score.example", "1.2.3.4.example"};
	(void)state;
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		gnutls_x509_crt_t crt = certificate_make((unsigned)i + 1, KEY_P256, sets[i], 4);
		struct tls_names names = {0};
		const struct tls_name *found;
		assert_int_equal(tls_identity_names(crt, &names, 0, 0, 0), 0);
		tls_names_seal(&names);
		for (size_t k = 0; k < sizeof(asked) / sizeof(asked[0]); k++) {
			char folded[TLS_NAME_MAX + 1], wildcard[TLS_NAME_MAX + 1];
			assert_true(tls_name_fold(asked[k], strlen(asked[k]), folded));
			const bool is = tls_names_find(&names, 0, folded, &found) > 0 ||
					(tls_name_wildcard(folded, wildcard) &&
					 tls_names_find(&names, 0, wildcard, &found) > 0);
			if (is != (gnutls_x509_crt_check_hostname2(crt, asked[k], 0) != 0))
				fail_msg("set %zu: %s is %d", i, asked[k], is);
		}
		tls_names_release(&names);
		gnutls_x509_crt_deinit(crt);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_name_chooses_the_host_and_the_client_the_key),
	    cmocka_unit_test(names_of_every_length_are_taken),
	    cmocka_unit_test(without_hosts_all_certificates_are_of_one_port),
	    cmocka_unit_test(unknown_names_are_refused_where_that_is_wanted),
	    cmocka_unit_test(a_session_goes_on_under_its_own_name_only),
	    cmocka_unit_test(a_second_hello_has_the_same_name),
	    cmocka_unit_test(without_a_name_the_address_chooses_the_host),
	    cmocka_unit_test(files_are_loaded_once_however_many_hosts_name_them),
	    cmocka_unit_test(only_names_of_servers_preclude_the_common_name),
	    cmocka_unit_test(names_are_those_that_clients_accept),
	};
	return cmocka_run_group_tests_name("tls hosts", tests, make, release);
}
