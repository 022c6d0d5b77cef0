/* tls: a key that lives in another process signs as if it were here, and its absence is survived.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/key.h"
#include "keys.h"
#include "tls/key.h"

static int channel[2];
static struct tls_signer signer;

static int channel_setup(void **state)
{
	(void)state;
	assert_int_equal(ipc_key_channel(channel), 0);
	return tls_signer_init(&signer, channel[0]);
}

static int channel_teardown(void **state)
{
	(void)state;
	close(channel[0]);
	if (channel[1] >= 0)
		close(channel[1]);
	return 0;
}

/* A process that runs the function at the keyholder's end. */
static pid_t keyholder(void (*serve)(void))
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(60);
		close(channel[0]);
		serve();
		_exit(0);
	}
	return pid;
}

static void end(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static int request_get(struct ipc_key_request *request)
{
	int n;
	while ((n = ipc_key_receive_request(channel[1], request)) == -EAGAIN)
		usleep(100);
	return n == 1;
}

static void serve_honestly(void)
{
	struct ipc_key_request request;
	struct ipc_key_answer answer;
	while (request_get(&request)) {
		(void)keyring_sign(&ring, &request, &answer);
		(void)ipc_key_answer(channel[1], &answer);
	}
}

static gnutls_privkey_t remote(int kind)
{
	gnutls_privkey_t key;
	gnutls_pubkey_t public = public_of(ring.keys[kind]);
	assert_int_equal(tls_key_remote(&signer, TLS_SIDE_SERVER, (unsigned)kind, public, &key), 0);
	gnutls_pubkey_deinit(public);
	return key;
}

/* One signature with the remote P-256 key: 0 if it is good, else GnuTLS's error. */
static int sign_once(void)
{
	gnutls_privkey_t key = remote(KEY_P256);
	gnutls_pubkey_t public = public_of(ring.keys[KEY_P256]);
	int error = tls_key_check(key, TLS_SIDE_SERVER, public);
	gnutls_pubkey_deinit(public);
	gnutls_privkey_deinit(key);
	return error;
}

static void every_kind_of_key_signs_from_afar(void **state)
{
	(void)state;
	pid_t pid = keyholder(serve_honestly);
	for (int kind = 0; kind < KEYS; kind++) {
		gnutls_privkey_t key = remote(kind);
		gnutls_pubkey_t public = public_of(ring.keys[kind]);
		assert_int_equal(tls_key_check(key, TLS_SIDE_SERVER, public), 0);
		gnutls_pubkey_deinit(public);
		gnutls_privkey_deinit(key);
	}
	end(pid);
}

static void a_key_that_is_another_is_found_out(void **state)
{
	(void)state;
	pid_t pid = keyholder(serve_honestly);
	gnutls_privkey_t other = key_make(KEY_P256), key = remote(KEY_P256);
	gnutls_pubkey_t public = public_of(other);
	assert_int_equal(tls_key_check(key, TLS_SIDE_SERVER, public),
			 GNUTLS_E_CERTIFICATE_KEY_MISMATCH);
	gnutls_pubkey_deinit(public);
	public = public_of(ring.keys[KEY_RSA]);
	assert_int_equal(tls_key_check(key, TLS_SIDE_SERVER, public),
			 GNUTLS_E_CERTIFICATE_KEY_MISMATCH);
	gnutls_pubkey_deinit(public);
	gnutls_privkey_deinit(key);
	gnutls_privkey_deinit(other);
	end(pid);
}

static void an_rsa_key_is_proven_without_a_signature(void **state)
{
	(void)state;
	pid_t pid = keyholder(serve_honestly);
	gnutls_privkey_t other = key_make(KEY_RSA);
	gnutls_pubkey_t public = public_of(ring.keys[KEY_RSA]), another = public_of(other);
	assert_int_equal(tls_key_ask(&signer, KEY_RSA, public), 0);
	assert_null(signer.failure);
	assert_int_equal(tls_key_ask(&signer, KEY_RSA, another), GNUTLS_E_CERTIFICATE_KEY_MISMATCH);
	/* A keyholder that does not say refuses, and a signature proves the key. */
	assert_int_equal(tls_key_ask(&signer, KEY_P256, public), GNUTLS_E_PK_SIGN_FAILED);
	assert_true(signer.refused);
	gnutls_privkey_t key = remote(KEY_RSA);
	assert_int_equal(tls_key_check(key, TLS_SIDE_SERVER, public), 0);
	assert_false(signer.refused);
	assert_null(signer.failure);
	gnutls_privkey_deinit(key);
	gnutls_privkey_deinit(other);
	gnutls_pubkey_deinit(public);
	gnutls_pubkey_deinit(another);
	end(pid);
}

/* Answers first with a packet for no current request, then properly. */
static void serve_late_answers(void)
{
	struct ipc_key_request request;
	struct ipc_key_answer answer;
	while (request_get(&request)) {
		(void)keyring_sign(&ring, &request, &answer);
		struct ipc_key_answer late = answer;
		late.id = request.id + 1;
		late.signature[late.len / 2] ^= 1;
		(void)ipc_key_answer(channel[1], &late);
		late.id = UINT64_MAX;
		(void)ipc_key_answer(channel[1], &late);
		(void)ipc_key_answer(channel[1], &answer);
	}
}

static void an_answer_to_another_request_is_thrown_away(void **state)
{
	(void)state;
	pid_t pid = keyholder(serve_late_answers);
	assert_int_equal(sign_once(), 0);
	assert_int_equal(sign_once(), 0);
	end(pid);
}

/* Loses the first request, as a keyholder that dies does, and then acts as its successor. */
static void serve_after_a_death(void)
{
	const struct ipc_key_answer again = {.status = IPC_KEY_AGAIN};
	struct ipc_key_request request;
	if (!request_get(&request))
		return;
	(void)ipc_key_answer(channel[1], &again);
	serve_honestly();
}

static void a_request_outlives_its_keyholder(void **state)
{
	(void)state;
	pid_t pid = keyholder(serve_after_a_death);
	assert_int_equal(sign_once(), 0);
	assert_int_equal(signer.last_id, 2);
	end(pid);
}

/* A request that kills keyholders must not be repeated again and again: the second loss is
 * final. */
static void serve_only_deaths(void)
{
	const struct ipc_key_answer again = {.status = IPC_KEY_AGAIN};
	struct ipc_key_request request;
	while (request_get(&request))
		(void)ipc_key_answer(channel[1], &again);
}

static void a_request_is_asked_again_once(void **state)
{
	(void)state;
	pid_t pid = keyholder(serve_only_deaths);
	assert_int_equal(sign_once(), GNUTLS_E_PK_SIGN_FAILED);
	assert_int_equal(signer.last_id, 2);
	/* A keyholder is there, so the next request is sent without a pause. */
	assert_string_equal(signer.failure, "the keyholder died twice over this request");
	assert_false(signer.silent);
	end(pid);
}

static void serve_refusals(void)
{
	struct ipc_key_request request;
	while (request_get(&request)) {
		struct ipc_key_answer answer = {.id = request.id, .status = IPC_KEY_REFUSED};
		(void)ipc_key_answer(channel[1], &answer);
	}
}

static void a_refusal_is_told_as_such(void **state)
{
	(void)state;
	pid_t pid = keyholder(serve_refusals);
	assert_int_equal(sign_once(), GNUTLS_E_PK_SIGN_FAILED);
	assert_string_equal(signer.failure, "the keyholder has refused to sign");
	end(pid);
}

static void serve_nonsense(void)
{
	struct ipc_key_request request;
	while (request_get(&request)) {
		struct ipc_key_answer answer = {.id = request.id, .status = 99};
		(void)ipc_key_answer(channel[1], &answer);
	}
}

static void nonsense_is_no_signature(void **state)
{
	(void)state;
	pid_t pid = keyholder(serve_nonsense);
	assert_int_equal(sign_once(), GNUTLS_E_PK_SIGN_FAILED);
	assert_string_equal(signer.failure, "the keyholder's answer is malformed");
	end(pid);
}

static void a_keyholder_that_is_gone_fails_at_once(void **state)
{
	(void)state;
	close(channel[1]);
	channel[1] = -1;
	assert_int_equal(sign_once(), GNUTLS_E_PK_SIGN_FAILED);
	assert_int_equal(signer.timeouts, 0);
}

/* Nobody reads: the first request waits for its time limit, the later ones do not. */
static void a_silent_keyholder_costs_one_deadline_and_may_come_back(void **state)
{
	struct ipc_key_request request;
	struct ipc_key_answer answer;
	(void)state;
	assert_int_equal(sign_once(), GNUTLS_E_PK_SIGN_FAILED);
	assert_int_equal(signer.timeouts, 1);
	assert_int_equal(sign_once(), GNUTLS_E_PK_SIGN_FAILED);
	assert_int_equal(sign_once(), GNUTLS_E_PK_SIGN_FAILED);
	assert_int_equal(signer.timeouts, 1);
	assert_int_equal(signer.last_id, 1); /* those were not even sent */
	/* It answers after all, too late; then it receives requests again. */
	assert_int_equal(ipc_key_receive_request(channel[1], &request), 1);
	(void)keyring_sign(&ring, &request, &answer);
	assert_int_equal(ipc_key_answer(channel[1], &answer), 0);
	pid_t pid = keyholder(serve_honestly);
	assert_int_equal(sign_once(), 0);
	end(pid);
}

#define WITH_CHANNEL(test) cmocka_unit_test_setup_teardown(test, channel_setup, channel_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_CHANNEL(every_kind_of_key_signs_from_afar),
	    WITH_CHANNEL(a_key_that_is_another_is_found_out),
	    WITH_CHANNEL(an_rsa_key_is_proven_without_a_signature),
	    WITH_CHANNEL(an_answer_to_another_request_is_thrown_away),
	    WITH_CHANNEL(a_request_outlives_its_keyholder),
	    WITH_CHANNEL(a_request_is_asked_again_once),
	    WITH_CHANNEL(a_refusal_is_told_as_such),
	    WITH_CHANNEL(nonsense_is_no_signature),
	    WITH_CHANNEL(a_keyholder_that_is_gone_fails_at_once),
	    WITH_CHANNEL(a_silent_keyholder_costs_one_deadline_and_may_come_back),
	};
	(void)signal(SIGPIPE, SIG_IGN); /* as every process that uses this module does */
	return cmocka_run_group_tests_name("tls key", tests, ring_setup, ring_teardown);
}
