/*
 * tls: a process parses each certificate once, however many event loops share it, and each loop
 * still signs over its own channel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "../tls_peer.h"
#include "ipc/key.h"
#include "keys.h"
#include "tls/key.h"

#define LOOPS 3

/* The library's parser is replaced by one that counts. */
static unsigned parsed;

int gnutls_x509_crt_list_import2(gnutls_x509_crt_t **certs, unsigned *size,
				 const gnutls_datum_t *data, gnutls_x509_crt_fmt_t format,
				 unsigned flags)
{
	static int (*real)(gnutls_x509_crt_t **, unsigned *, const gnutls_datum_t *,
			   gnutls_x509_crt_fmt_t, unsigned);
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "gnutls_x509_crt_list_import2");
	parsed++;
	return real(certs, size, data, format, flags);
}

static struct tls_signer signers[LOOPS];
static int keyholder_ends[LOOPS];
static pid_t keyholder_pid;

static void keyholder_serve(void)
{
	struct ipc_key_request request;
	struct ipc_key_answer answer;
	for (;;) {
		for (int i = 0; i < LOOPS; i++)
			if (ipc_key_receive_request(keyholder_ends[i], &request) == 1) {
				(void)keyring_sign(&ring, &request, &answer);
				(void)ipc_key_answer(keyholder_ends[i], &answer);
			}
		usleep(100);
	}
}

static int loops_setup(void **state)
{
	(void)state;
	for (int i = 0; i < LOOPS; i++) {
		int channel[2];
		assert_int_equal(ipc_key_channel(channel), 0);
		assert_int_equal(tls_signer_init(&signers[i], channel[0]), 0);
		keyholder_ends[i] = channel[1];
	}
	keyholder_pid = fork();
	assert_true(keyholder_pid >= 0);
	if (keyholder_pid == 0) {
		alarm(120);
		keyholder_serve();
	}
	return 0;
}

static int loops_teardown(void **state)
{
	(void)state;
	(void)kill(keyholder_pid, SIGKILL);
	assert_int_equal(waitpid(keyholder_pid, NULL, 0), keyholder_pid);
	for (int i = 0; i < LOOPS; i++) {
		close(signers[i].fd);
		close(keyholder_ends[i]);
	}
	return 0;
}

/* A file with a certificate of the ring's key of that kind. */
static int certificate_file(int kind)
{
	static const gnutls_digest_algorithm_t digests[KEYS] = {
	    GNUTLS_DIG_SHA256, GNUTLS_DIG_SHA384, GNUTLS_DIG_SHA256, GNUTLS_DIG_SHA512};
	gnutls_x509_crt_t crt;
	gnutls_datum_t pem;
	gnutls_pubkey_t public = public_of(ring.keys[kind]);
	const unsigned char serial = (unsigned char)(kind + 1);
	char name[32];
	snprintf(name, sizeof(name), "kind%d.example", kind);
	assert_int_equal(gnutls_x509_crt_init(&crt), 0);
	assert_int_equal(gnutls_x509_crt_set_version(crt, 3), 0);
	assert_int_equal(gnutls_x509_crt_set_serial(crt, &serial, 1), 0);
	assert_int_equal(gnutls_x509_crt_set_activation_time(crt, time(NULL) - 60), 0);
	assert_int_equal(gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 86400), 0);
	assert_int_equal(gnutls_x509_crt_set_dn(crt, "CN=kind", NULL), 0);
	assert_int_equal(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, name,
							      (unsigned)strlen(name), 0),
			 0);
	assert_int_equal(gnutls_x509_crt_set_pubkey(crt, public), 0);
	assert_int_equal(gnutls_x509_crt_privkey_sign(crt, crt, ring.keys[kind], digests[kind], 0),
			 0);
	assert_int_equal(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem), 0);
	int fd = memfd_create("certificate", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, pem.data, pem.size), pem.size);
	gnutls_free(pem.data);
	gnutls_pubkey_deinit(public);
	gnutls_x509_crt_deinit(crt);
	return fd;
}

struct shared {
	struct tls_policy *policy;
	struct tls_credentials *credentials;
	struct tls_context *contexts[LOOPS];
};

/* As a worker does: the credentials with the first loop's signer, then a context for each. */
static void share_begin(struct shared *s)
{
	static const char *const paths[KEYS] = {"1.pem", "2.pem", "3.pem", "4.pem"};
	struct tls_pair pairs[KEYS];
	struct err err;
	size_t at;
	for (int kind = 0; kind < KEYS; kind++)
		pairs[kind] = (struct tls_pair){.certificate = paths[kind],
						.certificate_fd = certificate_file(kind),
						.key = "key"};
	const struct tls_credentials_options options = {.signer = &signers[0]};
	assert_int_equal(tls_policy_new(NULL, &s->policy, &err), 0);
	assert_int_equal(tls_credentials_new(pairs, KEYS, &options, &s->credentials, &at, &err), 0);
	for (int kind = 0; kind < KEYS; kind++)
		close(pairs[kind].certificate_fd);
	for (int i = 0; i < LOOPS; i++) {
		const struct tls_context_options own = {.policy = s->policy, .signer = &signers[i]};
		assert_int_equal(tls_context_new(s->credentials, &own, &s->contexts[i], &err), 0);
	}
}

static void share_end(struct shared *s)
{
	for (int i = 0; i < LOOPS; i++)
		tls_context_free(s->contexts[i]);
	tls_credentials_free(s->credentials);
	tls_policy_free(s->policy);
}

static size_t all_at_once(void *arg)
{
	(void)arg;
	return 0;
}

static void a_certificate_is_parsed_once_for_all_loops(void **state)
{
	struct shared s;
	(void)state;
	parsed = 0;
	share_begin(&s);
	assert_int_equal(parsed, KEYS);
	/* one proof for each key, by the first loop's keyholder */
	assert_int_equal(signers[0].last_id, KEYS);
	for (int i = 1; i < LOOPS; i++)
		assert_int_equal(signers[i].last_id, 0);
	share_end(&s);
}

static void each_loop_signs_over_its_own_channel(void **state)
{
	struct shared s;
	(void)state;
	share_begin(&s);
	for (int i = 0; i < LOOPS; i++) {
		struct peer p;
		uint64_t before[LOOPS];
		for (int k = 0; k < LOOPS; k++)
			before[k] = signers[k].last_id;
		peer_init(&p, s.contexts[i], PEER_TLS13);
		assert_int_equal(peer_handshake(&p, all_at_once, NULL), 0);
		peer_release(&p);
		for (int k = 0; k < LOOPS; k++)
			assert_int_equal(signers[k].last_id - before[k], k == i);
	}
	share_end(&s);
}

/* In a thread, as a loop has one. cmocka's assertions belong to the main thread. */
static void *handshakes_make(void *arg)
{
	static const char *const kinds[] = {PEER_TLS13,
					    PEER_TLS12,
					    PEER_TLS12 ":-ECDHE-ECDSA",
					    PEER_TLS13 ":-SIGN-ALL:+SIGN-EDDSA-ED25519",
					    PEER_TLS13 ":-SIGN-ALL:+SIGN-ECDSA-SECP384R1-SHA384",
					    PEER_TLS13 ":-SIGN-ALL:+SIGN-RSA-PSS-RSAE-SHA256"};
	for (int round = 0; round < 5; round++)
		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
			struct peer p;
			char name[32];
			int len = snprintf(name, sizeof(name), "kind%zu.example", k % KEYS);
			peer_init(&p, arg, kinds[k]);
			PEER_CHECK(gnutls_server_name_set(p.client, GNUTLS_NAME_DNS, name,
							  (size_t)len) == 0);
			PEER_CHECK(peer_handshake(&p, all_at_once, NULL) == 0);
			peer_release(&p);
		}
	return NULL;
}

static void loops_on_threads_choose_among_the_same_certificates(void **state)
{
	struct shared s;
	pthread_t threads[LOOPS];
	(void)state;
	share_begin(&s);
	for (int i = 0; i < LOOPS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, handshakes_make, s.contexts[i]),
				 0);
	for (int i = 0; i < LOOPS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	share_end(&s);
}

#define WITH_LOOPS(test) cmocka_unit_test_setup_teardown(test, loops_setup, loops_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_LOOPS(a_certificate_is_parsed_once_for_all_loops),
	    WITH_LOOPS(each_loop_signs_over_its_own_channel),
	    WITH_LOOPS(loops_on_threads_choose_among_the_same_certificates),
	};
	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("tls credentials", tests, ring_setup, ring_teardown);
}
