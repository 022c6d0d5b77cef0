/* Tunnels: an exchange that is upgraded moves raw bytes in both directions, and each of them ends
 * by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "../http_peer.h"

#define H       "Host: a\r\n"
#define UPGRADE "GET /test HTTP/1.1\r\n" H "Connection: keep-alive, Upgrade\r\nUpgrade: x\r\n\r\n"
#define SWITCHED                                                                    \
	"HTTP/1.1 101 Switching Protocols\r\nDate: " PEER_DATE "\r\nUpgrade: x\r\n" \
	"Connection: upgrade\r\n\r\n"

/* The far end of the tunnel. */
static struct {
	struct exchange *ex;
	int result;  /* of exchange_upgrade() */
	bool later;  /* it is called by the test */
	bool broken; /* a field of the response cannot be added */
	char heard[256];
	const char *says;
	bool says_end;
	size_t room;
	unsigned ends, released;
} far;

static const struct http_header upgrade_field[] = {HTTP_HEADER("Upgrade", "x")};

static void far_begin(struct exchange *ex)
{
	far.ex = ex;
	if (far.later)
		return;
	if (far.broken)
		(void)exchange_add_field(ex, "X", 1, "a\r\nb", 4);
	far.result = exchange_upgrade(ex, upgrade_field, 1);
	if (far.result < 0)
		exchange_respond(ex, 200, 0, NULL, 0);
}

static size_t far_take(struct exchange *ex, const uint8_t *data, size_t len)
{
	const size_t n = len < far.room ? len : far.room;
	(void)ex;
	assert_true(strlen(far.heard) + n < sizeof(far.heard));
	strncat(far.heard, (const char *)data, n);
	far.room -= n;
	return n;
}

static void far_take_end(struct exchange *ex)
{
	(void)ex;
	far.ends++;
}

static long far_give(struct exchange *ex, uint8_t *out, size_t size)
{
	(void)ex;
	if (far.says != NULL && *far.says != '\0') {
		const size_t n = give_copy(out, size, far.says, strlen(far.says));
		far.says += n;
		return (long)n;
	}
	return far.says_end ? GIVE_END : GIVE_LATER;
}

static void far_end(struct exchange *ex)
{
	(void)ex;
	far.released++;
}

static const struct handler tunnel = {
    .methods = UINT32_MAX,
    .begin = far_begin,
    .take = far_take,
    .take_end = far_take_end,
    .give = far_give,
    .end = far_end,
};

static struct peer *begin(bool later)
{
	static struct limits limits;
	struct peer *p = peer_new();
	limits = *p->loop.limits;
	limits.idle_ms = 1000;
	p->loop.limits = &limits;
	memset(&far, 0, sizeof(far));
	far.room = SIZE_MAX;
	far.later = later;
	p->location = (struct http_location){.handler = &tunnel};
	return p;
}

static void say(struct peer *p, const char *text)
{
	far.says = text;
	exchange_wake(far.ex);
	peer_run(p);
}

static void say_end(struct peer *p)
{
	far.says_end = true;
	exchange_wake(far.ex);
	peer_run(p);
}

static void hang_up(struct peer *p)
{
	http1_ops.input_ended(&p->http1.proto);
	peer_run(p);
}

static bool said_end(const struct peer *p)
{
	return http1_ops.output_ended(&p->http1.proto);
}

/* Bytes that look like HTTP are bytes. */
static void bytes_flow_both_ways(void **state)
{
	struct peer *p = begin(false);
	(void)state;
	peer_send(p, UPGRADE "GET / HTTP/1.1\r\n\r\n");
	assert_int_equal(far.result, 0);
	assert_string_equal(peer_out(p), SWITCHED);
	assert_string_equal(far.heard, "GET / HTTP/1.1\r\n\r\n");
	say(p, "hello");
	peer_send(p, "to you");
	assert_string_equal(peer_out(p), SWITCHED "hello");
	assert_string_equal(far.heard, "GET / HTTP/1.1\r\n\r\nto you");
	assert_int_equal(far.ends, 0); /* the end of the request is not the end of the client */
	assert_int_equal(p->begun, 1);
	assert_int_equal(p->done, 0);
	assert_int_equal(peer_phase(p), PEER_BODY);
	assert_true(http1_ops.wants_input(&p->http1.proto));
	assert_false(http1_ops.ignores_input(&p->http1.proto));
	peer_free(p);
	assert_int_equal(far.released, 1);
}

static void the_client_may_end_first(void **state)
{
	struct peer *p = begin(false);
	(void)state;
	peer_send(p, UPGRADE "last");
	assert_int_equal(far.ends, 0);
	hang_up(p);
	assert_int_equal(far.ends, 1);
	assert_int_equal(peer_phase(p), PROTO_BUSY);
	say(p, "still here");
	assert_string_equal(peer_out(p), SWITCHED "still here");
	say_end(p);
	assert_int_equal(peer_phase(p), PROTO_CLOSING);
	assert_int_equal(p->done, 1);
	assert_int_equal(p->status, 101);
	assert_int_equal(p->body_sent, 10);
	assert_int_equal(p->body_received, 4);
	peer_free(p);
}

static void the_handler_may_end_first(void **state)
{
	struct peer *p = begin(false);
	(void)state;
	peer_send(p, UPGRADE);
	assert_false(said_end(p));
	say(p, "bye");
	say_end(p);
	assert_true(said_end(p)); /* the connection says so to the client */
	assert_int_equal(peer_phase(p), PEER_BODY);
	peer_send(p, "but wait");
	assert_string_equal(far.heard, "but wait");
	assert_int_equal(peer_pull(p), 0);
	hang_up(p);
	assert_int_equal(peer_phase(p), PROTO_CLOSING);
	assert_int_equal(p->done, 1);
	peer_free(p);
}

static void a_handler_that_has_ended_may_give_up(void **state)
{
	struct peer *p = begin(false);
	(void)state;
	peer_send(p, UPGRADE);
	say_end(p);
	peer_send(p, "but wait");
	exchange_give_up(far.ex);
	peer_run(p);
	assert_int_equal(peer_phase(p), PROTO_ABORTED);
	assert_int_equal(far.released, 1);
	peer_free(p);
}

static void a_full_tunnel_holds_the_client_back(void **state)
{
	struct peer *p = begin(false);
	(void)state;
	far.room = 4;
	peer_send(p, UPGRADE "123456");
	assert_string_equal(far.heard, "1234");
	assert_false(http1_ops.wants_input(&p->http1.proto));
	hang_up(p); /* its end comes after its bytes */
	assert_int_equal(far.ends, 0);
	far.room = 100;
	exchange_wake(far.ex);
	peer_run(p);
	assert_string_equal(far.heard, "123456");
	assert_int_equal(far.ends, 1);
	peer_free(p);
}

/* As a proxy does, which must connect first. */
static void an_upgrade_may_come_later(void **state)
{
	struct peer *p = begin(true);
	(void)state;
	peer_send(p, UPGRADE "early");
	assert_int_equal(p->out_len, 0);
	assert_string_equal(far.heard, "");
	assert_int_equal(exchange_upgrade(far.ex, upgrade_field, 1), 0);
	assert_int_equal(p->woken, 1);
	peer_run(p);
	assert_string_equal(peer_out(p), SWITCHED);
	assert_string_equal(far.heard, "early");
	assert_int_equal(exchange_upgrade(far.ex, upgrade_field, 1), -EPROTO);
	peer_free(p);
}

/* Bytes of the tunnel have come already, and the client may send more of them: none is a request.
 */
static void one_that_fails_closes(void **state)
{
	struct peer *p = begin(false);
	(void)state;
	far.broken = true;
	far.room = 3;
	peer_send(p, UPGRADE "abcGET / HTTP/1.1\r\n" H "\r\n");
	assert_non_null(strstr(peer_out(p), "HTTP/1.1 500 "));
	assert_non_null(strstr(peer_out(p), "Connection: close\r\n"));
	assert_null(strstr(peer_out(p), PEER_HELLO));
	assert_int_equal(p->begun, 1);
	assert_int_equal(p->done, 1);
	assert_int_equal(far.released, 1);
	assert_int_equal(peer_phase(p), PROTO_CLOSING);
	assert_true(http1_ops.lingers(&p->http1.proto));
	peer_free(p);
}

static void only_a_request_for_it_is_upgraded(void **state)
{
	static const char *const requests[] = {
	    "GET /test HTTP/1.1\r\n" H "\r\n",
	    "GET /test HTTP/1.1\r\n" H "Upgrade: x\r\n\r\n",
	    "GET /test HTTP/1.1\r\n" H "Connection: upgrade\r\n\r\n",
	    "GET /test HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
	    "GET /test HTTP/1.1\r\n" H
	    "Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 1\r\n\r\na",
	};
	(void)state;
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		struct peer *p = begin(false);
		peer_send(p, requests[i]);
		assert_int_equal(far.result, -EPROTO);
		assert_int_equal(p->status, 200);
		peer_free(p);
	}
}

static void a_silent_tunnel_ends(void **state)
{
	struct peer *p = begin(false);
	(void)state;
	peer_send(p, UPGRADE);
	assert_int_equal(http1_ops.deadline(&p->http1.proto, 100), 1100);
	peer_send(p, "x");
	assert_null(http1_ops.expired(&p->http1.proto, 1100)); /* a byte has moved */
	assert_int_equal(http1_ops.deadline(&p->http1.proto, 1100), 2100);
	say(p, "y");
	assert_int_equal(http1_ops.deadline(&p->http1.proto, 2000), 3000);
	assert_string_equal(http1_ops.expired(&p->http1.proto, 3000), "idle");
	assert_int_equal(peer_phase(p), PROTO_ABORTED);
	peer_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bytes_flow_both_ways),
	    cmocka_unit_test(the_client_may_end_first),
	    cmocka_unit_test(the_handler_may_end_first),
	    cmocka_unit_test(a_handler_that_has_ended_may_give_up),
	    cmocka_unit_test(a_full_tunnel_holds_the_client_back),
	    cmocka_unit_test(an_upgrade_may_come_later),
	    cmocka_unit_test(one_that_fails_closes),
	    cmocka_unit_test(only_a_request_for_it_is_upgraded),
	    cmocka_unit_test(a_silent_tunnel_ends),
	};
	return cmocka_run_group_tests_name("http tunnel", tests, NULL, NULL);
}
