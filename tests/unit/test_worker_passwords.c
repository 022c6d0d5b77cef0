/* Passwords of an event loop, between the filter and a verifier that the test plays: in which order
 * they are checked, what is remembered of right and of wrong ones, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/password.h"
#include "worker/known.h"
#include "worker/passwords.h"

#define NONE (-1)

/* A password of a request, and what became of it. */
struct asked {
	struct authenticate_ask ask; /* first */
	int verdict;                 /* NONE: not yet */
	unsigned order;              /* of its answer */
};

struct passwords {
	struct worker_loop *loop;
	struct authenticate_service *service;
	int verifier; /* its end of the channel */
	int log;      /* what was logged */
};

static unsigned answers;

static void note(struct authenticate_ask *ask, enum authenticate_verdict verdict)
{
	struct asked *a = (struct asked *)ask;
	assert_int_equal(a->verdict, NONE); /* once */
	a->verdict = (int)verdict;
	a->order = ++answers;
}

static struct http_client client;

static struct asked asked_of(uint32_t file, const char *user, const char *password)
{
	return (struct asked){.ask = {.client = &client,
				      .file = file,
				      .user = user,
				      .user_len = strlen(user),
				      .password = password,
				      .password_len = strlen(password),
				      .answered = note},
			      .verdict = NONE};
}

static void client_is(const char *address)
{
	client = (struct http_client){.port = 1234};
	(void)snprintf(client.address, sizeof(client.address), "%s", address);
	assert_int_equal(network_address_parse(address, strlen(address), &client.number), 0);
}

/* As the filter does it. */
static bool ask(struct authenticate_service *service, struct asked *a)
{
	return service->refuses(service, &a->ask) == 0 && service->ask(service, &a->ask);
}

static void passwords_begin(struct passwords *p)
{
	int channel[2], log[2];
	p->loop = calloc(1, sizeof(*p->loop));
	assert_non_null(p->loop);
	assert_int_equal(loop_init(&p->loop->loop), 0);
	assert_int_equal(pipe2(log, O_CLOEXEC | O_NONBLOCK), 0);
	log_init(&p->loop->log, LOG_ROLE_WORKER, 1, 1, 0);
	log_adopt(&p->loop->log, LOG_SINK_CONSOLE, log[1]);
	assert_int_equal(ipc_password_channel(channel), 0);
	assert_int_equal(passwords_open(p->loop, channel[0]), 0);
	p->service = p->loop->http.passwords;
	p->verifier = channel[1];
	p->log = log[0];
	answers = 0;
	client_is("192.0.2.1");
}

static void passwords_end(struct passwords *p)
{
	passwords_close(p->loop);
	assert_null(p->loop->http.passwords);
	assert_int_equal(p->loop->loop.timers, 0);
	loop_release(&p->loop->loop);
	log_close(&p->loop->log);
	close(p->verifier);
	close(p->log);
	free(p->loop);
}

/* The clock of the loop (tests.mk), which the tests alone move. */
uint64_t __wrap_clock_ns(void);
static uint64_t clock_now_ms = 1000000;

uint64_t __wrap_clock_ns(void)
{
	return clock_now_ms * 1000000;
}

/* What is ready now. */
static void turn(struct passwords *p)
{
	assert_int_equal(loop_turn(&p->loop->loop, 0), 0);
}

static void clock_is(struct passwords *p, uint64_t now_ms)
{
	clock_now_ms = p->loop->loop.now_ms = now_ms;
}

static void later(struct passwords *p, uint64_t ms)
{
	clock_is(p, clock_now_ms + ms);
}

/* The clock goes to the next deadline, which has come. */
static void expire(struct passwords *p)
{
	struct loop_timer *t = p->loop->loop.heap_len > 0 ? p->loop->loop.heap[0] : NULL;
	assert_non_null(t);
	assert_true(loop_timer_is_set(t));
	clock_is(p, t->deadline_ms);
	loop_timer_cancel(&p->loop->loop, t);
	t->expired(&p->loop->loop, t);
}

/* The verifier has a request; its id. */
static uint64_t verifier_gets(struct passwords *p, const char *user, const char *password)
{
	struct ipc_password_request r;
	turn(p);
	assert_int_equal(ipc_password_receive_request(p->verifier, &r), 1);
	assert_int_equal(r.user_len, strlen(user));
	assert_memory_equal(r.data, user, r.user_len);
	assert_int_equal(r.password_len, strlen(password));
	assert_memory_equal(r.data + r.user_len, password, r.password_len);
	return r.id;
}

static void verifier_has_none(struct passwords *p)
{
	struct ipc_password_request r;
	turn(p);
	assert_int_equal(ipc_password_receive_request(p->verifier, &r), -EAGAIN);
}

static void verifier_says(struct passwords *p, uint64_t id, uint32_t status)
{
	const struct ipc_password_answer answer = {.id = id, .status = status};
	assert_int_equal(ipc_password_answer(p->verifier, &answer), 0);
	turn(p);
}

static bool is_known(struct passwords *p, uint32_t file, const char *user, const char *password)
{
	struct asked a = asked_of(file, user, password);
	return p->service->knows(p->service, &a.ask);
}

static void learn(struct passwords *p, const char *user)
{
	struct asked a = asked_of(0, user, "secret");
	assert_true(ask(p->service, &a));
	verifier_says(p, verifier_gets(p, user, "secret"), IPC_PASSWORD_RIGHT);
	assert_int_equal(a.verdict, AUTHENTICATE_RIGHT);
}

/* --- one after the other ---------------------------------------------------------------------- */

static void each_is_checked_in_its_turn(void **state)
{
	static const struct {
		uint32_t status;
		enum authenticate_verdict verdict;
	} cases[] = {{IPC_PASSWORD_RIGHT, AUTHENTICATE_RIGHT},
		     {IPC_PASSWORD_WRONG, AUTHENTICATE_WRONG},
		     {IPC_PASSWORD_FAILED, AUTHENTICATE_UNCHECKED}};
	struct passwords p;
	struct asked asks[3];
	char users[3][8];
	uint64_t last = 0;
	(void)state;
	passwords_begin(&p);
	for (unsigned i = 0; i < 3; i++) {
		(void)snprintf(users[i], sizeof(users[i]), "user%u", i);
		asks[i] = asked_of(0, users[i], "secret");
		assert_true(ask(p.service, &asks[i]));
	}
	for (unsigned i = 0; i < 3; i++) {
		const uint64_t id = verifier_gets(&p, users[i], "secret");
		assert_true(id > last);
		last = id;
		verifier_has_none(&p); /* one at a time */
		verifier_says(&p, id, cases[i].status);
		assert_int_equal(asks[i].verdict, cases[i].verdict);
		assert_int_equal(asks[i].order, i + 1);
		assert_int_equal(is_known(&p, 0, users[i], "secret"), i == 0);
	}
	verifier_has_none(&p);
	passwords_end(&p);
}

/* Whatever a verifier says, it can only answer what it was asked. */
static void an_answer_to_another_request_is_discarded(void **state)
{
	struct passwords p;
	struct asked a = asked_of(0, "bob", "secret");
	(void)state;
	passwords_begin(&p);
	verifier_says(&p, 1, IPC_PASSWORD_RIGHT); /* before anything was asked */
	assert_true(ask(p.service, &a));
	const uint64_t id = verifier_gets(&p, "bob", "secret");
	verifier_says(&p, id + 1, IPC_PASSWORD_RIGHT);
	verifier_says(&p, id - 1, IPC_PASSWORD_RIGHT);
	verifier_says(&p, UINT64_MAX, IPC_PASSWORD_RIGHT);
	static const char rubbish[100];
	assert_int_equal(write(p.verifier, rubbish, sizeof(rubbish)), sizeof(rubbish));
	turn(&p);
	assert_int_equal(a.verdict, NONE);
	verifier_says(&p, id, IPC_PASSWORD_WRONG);
	assert_int_equal(a.verdict, AUTHENTICATE_WRONG);
	verifier_says(&p, id, IPC_PASSWORD_RIGHT); /* a second answer */
	assert_false(is_known(&p, 0, "bob", "secret"));
	passwords_end(&p);
}

static void what_a_verifier_may_have_lost_is_asked_again_once(void **state)
{
	struct passwords p;
	struct asked a = asked_of(0, "bob", "secret");
	(void)state;
	passwords_begin(&p);
	verifier_says(&p, 0, IPC_PASSWORD_AGAIN); /* nothing is under way */
	verifier_has_none(&p);
	assert_true(ask(p.service, &a));
	const uint64_t id = verifier_gets(&p, "bob", "secret");
	verifier_says(&p, 0, IPC_PASSWORD_AGAIN);
	assert_int_equal(verifier_gets(&p, "bob", "secret"), id);
	assert_int_equal(a.verdict, NONE);
	verifier_says(&p, 0, IPC_PASSWORD_AGAIN); /* it may be what kills verifiers */
	assert_int_equal(a.verdict, AUTHENTICATE_UNCHECKED);
	verifier_says(&p, id, IPC_PASSWORD_RIGHT);
	verifier_has_none(&p);
	struct asked next = asked_of(0, "bob", "secret");
	assert_true(ask(p.service, &next));
	const uint64_t other = verifier_gets(&p, "bob", "secret");
	assert_true(other > id);
	verifier_says(&p, 0, IPC_PASSWORD_AGAIN);
	assert_int_equal(verifier_gets(&p, "bob", "secret"), other);
	verifier_says(&p, other, IPC_PASSWORD_RIGHT);
	assert_int_equal(next.verdict, AUTHENTICATE_RIGHT);
	passwords_end(&p);
}

/* Its client has gone: nobody is answered. */
static void a_forgotten_one_is_not_answered(void **state)
{
	struct passwords p;
	struct asked first = asked_of(0, "a", "secret"), second = asked_of(0, "b", "secret"),
		     third = asked_of(0, "c", "secret");
	(void)state;
	passwords_begin(&p);
	assert_true(ask(p.service, &first));
	assert_true(ask(p.service, &second));
	assert_true(ask(p.service, &third));
	const uint64_t id = verifier_gets(&p, "a", "secret");
	p.service->forget(p.service, &first.ask);
	p.service->forget(p.service, &second.ask);
	verifier_has_none(&p); /* it is still at the first */
	verifier_says(&p, id, IPC_PASSWORD_RIGHT);
	assert_true(is_known(&p, 0, "a", "secret")); /* for the next request */
	verifier_says(&p, verifier_gets(&p, "c", "secret"), IPC_PASSWORD_RIGHT);
	assert_int_equal(first.verdict, NONE);
	assert_int_equal(second.verdict, NONE);
	assert_int_equal(third.verdict, AUTHENTICATE_RIGHT);
	passwords_end(&p);
}

static void those_that_wait_too_long_are_not_checked(void **state)
{
	struct passwords p;
	struct asked first = asked_of(0, "a", "secret"), second = asked_of(0, "b", "secret"),
		     third = asked_of(0, "c", "secret");
	(void)state;
	passwords_begin(&p);
	const uint64_t begun = p.loop->loop.now_ms;
	assert_true(ask(p.service, &first));
	assert_true(ask(p.service, &second));
	later(&p, 10);
	assert_true(ask(p.service, &third));
	const uint64_t id = verifier_gets(&p, "a", "secret");
	expire(&p);
	assert_int_equal(p.loop->loop.now_ms, begun + PASSWORDS_WAIT_MS);
	assert_int_equal(first.verdict, AUTHENTICATE_UNCHECKED);
	assert_int_equal(second.verdict, AUTHENTICATE_UNCHECKED);
	assert_int_equal(third.verdict, NONE);
	verifier_has_none(&p);                     /* the first one is still there */
	verifier_says(&p, id, IPC_PASSWORD_RIGHT); /* too late for the request */
	verifier_says(&p, verifier_gets(&p, "c", "secret"), IPC_PASSWORD_RIGHT);
	assert_int_equal(third.verdict, AUTHENTICATE_RIGHT);
	passwords_end(&p);
}

/* --- right ones ------------------------------------------------------------------------------- */

static void a_right_one_is_known_for_a_time(void **state)
{
	struct passwords p;
	(void)state;
	passwords_begin(&p);
	learn(&p, "bob");
	assert_true(is_known(&p, 0, "bob", "secret"));
	assert_false(is_known(&p, 1, "bob", "secret")); /* another file */
	assert_false(is_known(&p, 0, "bob", "Secret"));
	assert_false(is_known(&p, 0, "bob", ""));
	assert_false(is_known(&p, 0, "bobs", "ecret")); /* the same bytes */
	assert_false(is_known(&p, 0, "bo", "bsecret"));
	later(&p, KNOWN_MS - 1);
	assert_true(is_known(&p, 0, "bob", "secret"));
	later(&p, 1);
	assert_false(is_known(&p, 0, "bob", "secret"));
	expire(&p); /* its digest is erased, and nothing is left to do */
	assert_int_equal(p.loop->loop.heap_len, 0);
	passwords_end(&p);
}

/* --- wrong ones ------------------------------------------------------------------------------- */

/* Right ones, and those that nobody could check, do not count. */
static void wrong_ones_cost_tries(void **state)
{
	static const uint32_t statuses[] = {IPC_PASSWORD_RIGHT, IPC_PASSWORD_FAILED,
					    IPC_PASSWORD_WRONG};
	struct passwords p;
	char user[16];
	(void)state;
	passwords_begin(&p);
	for (unsigned i = 0; i < 3 * AUTHENTICATE_TRIES; i++) {
		const uint32_t status = statuses[i % 3];
		(void)snprintf(user, sizeof(user), "user%u", i);
		struct asked a = asked_of(0, user, "secret");
		assert_true(ask(p.service, &a));
		verifier_says(&p, verifier_gets(&p, user, "secret"), status);
		assert_int_not_equal(a.verdict, NONE);
	}
	struct asked more = asked_of(0, "more", "secret");
	assert_int_equal(p.service->refuses(p.service, &more.ask), AUTHENTICATE_TRY_MS);
	assert_true(is_known(&p, 0, "user0", "secret"));
	client_is("192.0.2.2");
	struct asked other = asked_of(0, "more", "secret");
	assert_true(ask(p.service, &other));
	passwords_end(&p);
}

/* --- the log ---------------------------------------------------------------------------------- */

static void a_line_cannot_be_forged(void **state)
{
	static const struct {
		const char *user, *realm, *line;
	} cases[] = {
	    {"bob", "staff",
	     "wrong password of user \"bob\" for \"staff\" from ('192.0.2.1', 1234)\n"},
	    {"a\" for \"b", "the \"inner\" \\ circle",
	     "wrong password of user \"a\\\" for \\\"b\" for \"the \\\"inner\\\" \\\\ circle\" "
	     "from "
	     "('192.0.2.1', 1234)\n"},
	    {"b\xc3\xb6", "\xe2\x80\xae",
	     "wrong password of user \"b\\303\\266\" for \"\\342\\200\\256\" from ('192.0.2.1', "
	     "1234)\n"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct passwords p;
		char text[2000];
		passwords_begin(&p);
		struct asked a = asked_of(0, cases[i].user, "secret");
		assert_int_equal(p.service->refuses(p.service, &a.ask), 0);
		p.service->failed(p.service, &a.ask, cases[i].realm);
		const ssize_t n = read(p.log, text, sizeof(text) - 1);
		assert_true(n > 0);
		text[n] = '\0';
		const char *begin = strstr(text, "wrong");
		assert_non_null(begin);
		assert_string_equal(begin, cases[i].line);
		assert_null(strstr(text, "secret"));
		passwords_end(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_is_checked_in_its_turn),
	    cmocka_unit_test(an_answer_to_another_request_is_discarded),
	    cmocka_unit_test(what_a_verifier_may_have_lost_is_asked_again_once),
	    cmocka_unit_test(a_forgotten_one_is_not_answered),
	    cmocka_unit_test(those_that_wait_too_long_are_not_checked),
	    cmocka_unit_test(a_right_one_is_known_for_a_time),
	    cmocka_unit_test(wrong_ones_cost_tries),
	    cmocka_unit_test(a_line_cannot_be_forged),
	};
	return cmocka_run_group_tests_name("passwords of a worker", tests, NULL, NULL);
}
