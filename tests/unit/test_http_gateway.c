/* What an exchange offers to a handler whose response comes from another server: other methods,
 * interim responses, trailers in both directions, a body that is invited late, fields that are
 * usually the protocol's, and limits of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "../http_peer.h"
#include "http/chunked.h"

#define H    "Host: a\r\n"
#define DATE "Date: " PEER_DATE "\r\n"

static struct {
	struct exchange *ex;
	void (*begin)(struct exchange *);
	char body[256];
	struct buf trailer;
	const char *says;
	bool says_end;
	unsigned complete, drained;
} far;

static void far_begin(struct exchange *ex)
{
	far.ex = ex;
	if (far.begin != NULL)
		far.begin(ex);
}

static size_t far_take(struct exchange *ex, const uint8_t *data, size_t len)
{
	(void)ex;
	strncat(far.body, (const char *)data, len);
	return len;
}

static void far_take_end(struct exchange *ex)
{
	(void)ex;
	far.complete++;
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

static void far_drain(struct exchange *ex)
{
	(void)ex;
	far.drained++;
}

static const struct handler gateway = {
    .methods = UINT32_MAX & ~HTTP_METHOD_BIT(HTTP_CONNECT),
    .begin = far_begin,
    .take = far_take,
    .take_end = far_take_end,
    .give = far_give,
    .drain = far_drain,
};

static struct peer *begin(void (*begins)(struct exchange *))
{
	struct peer *p = peer_new();
	memset(&far, 0, sizeof(far));
	far.begin = begins;
	p->location = (struct http_location){.handler = &gateway};
	return p;
}

static void respond(struct peer *p, unsigned status, uint64_t length)
{
	exchange_respond(far.ex, status, length, NULL, 0);
	peer_run(p);
}

/* --- methods ---------------------------------------------------------------------------------- */

static void only_some_locations_take_other_methods(void **state)
{
	static const char *const methods[] = {"PROPFIND", "get", "M-SEARCH", "TRACE"};
	static const char *const elsewhere[] = {"/", "/echo", "/nothing", "/none"};
	char request[128];
	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct peer *p = begin(NULL);
		(void)snprintf(request, sizeof(request), "%s /test HTTP/1.1\r\n" H "\r\n",
			       methods[i]);
		peer_send(p, request);
		assert_non_null(far.ex);
		respond(p, 200, 0);
		assert_int_equal(p->status, 200);
		assert_string_equal(p->method, methods[i]);
		peer_free(p);
	}
	for (size_t i = 0; i < 4; i++) {
		struct peer *p = begin(NULL);
		(void)snprintf(request, sizeof(request), "PROPFIND %s HTTP/1.1\r\n" H "\r\n",
			       elsewhere[i]);
		peer_send(p, request);
		assert_int_equal(p->status, 501);
		assert_int_equal(p->refusal, REFUSE_METHOD_UNKNOWN);
		assert_int_equal(peer_phase(p), PROTO_CLOSING);
		peer_free(p);
	}
	struct peer *p = begin(NULL);
	p->location.methods = HTTP_METHOD_BIT(HTTP_GET);
	peer_send(p, "PROPFIND /test HTTP/1.1\r\n" H "\r\n");
	assert_int_equal(p->status, 501);
	peer_free(p);
	p = begin(NULL);
	peer_send(p, "PROPFIND / HTTP/1.1\r\n" H "Content-Length: 99999999\r\n\r\n");
	assert_int_equal(p->status, 501);
	peer_free(p);
	p = begin(NULL);
	peer_send(p, "PROPFIND /test HTTP/1.1\r\n" H "Content-Length: 99999999\r\n\r\n");
	assert_int_equal(p->status, 413);
	peer_free(p);
	p = begin(NULL);
	peer_send(p, "CONNECT a:443 HTTP/1.1\r\n" H "\r\n");
	assert_int_equal(p->status, 405);
	assert_null(far.ex);
	peer_free(p);
}

/* --- interim responses ------------------------------------------------------------------------ */

static const struct http_header hint[] = {HTTP_HEADER("Link", "</a.css>; rel=preload")};
#define HINT "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"

static void interim_responses_come_first(void **state)
{
	struct peer *p = begin(NULL);
	(void)state;
	peer_send(p, "GET /test HTTP/1.1\r\n" H "\r\n");
	assert_int_equal(exchange_interim(far.ex, 103, hint, 1), 0);
	assert_int_equal(exchange_interim(far.ex, 102, NULL, 0), 0);
	assert_true(p->woken > 0);
	peer_run(p);
	assert_string_equal(peer_out(p), HINT "HTTP/1.1 102 Processing\r\n\r\n");
	/* and with the response in the same turn */
	assert_int_equal(exchange_interim(far.ex, 103, hint, 1), 0);
	peer_out_clear(p);
	respond(p, 200, 0);
	assert_string_equal(peer_out(p),
			    HINT "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 0\r\n\r\n");
	peer_free(p);
}

static void interim_responses_have_bounds(void **state)
{
	struct peer *p = begin(NULL);
	unsigned taken = 0;
	(void)state;
	peer_send(p, "GET /test HTTP/1.1\r\n" H "\r\n");
	assert_int_equal(exchange_interim(far.ex, 99, NULL, 0), -EALREADY);
	assert_int_equal(exchange_interim(far.ex, 101, NULL, 0), -EALREADY);
	assert_int_equal(exchange_interim(far.ex, 200, NULL, 0), -EALREADY);
	while (exchange_interim(far.ex, 103, hint, 1) == 0) {
		taken++;
		p->pull = 512; /* in parts, too */
		peer_run(p);
	}
	assert_int_equal(taken, HTTP_INTERIM_MAX / (sizeof(HINT) - 1));
	respond(p, 200, 0);
	assert_int_equal(
	    exchange_interim(p->http1.exchange != NULL ? far.ex : far.ex, 103, hint, 1), -EALREADY);
	peer_free(p);
	p = begin(NULL);
	peer_send(p, "GET /test HTTP/1.0\r\n\r\n");
	assert_int_equal(exchange_interim(far.ex, 103, hint, 1), 0);
	peer_run(p);
	assert_string_equal(peer_out(p), "");
	peer_free(p);
}

/* --- 100 Continue ----------------------------------------------------------------------------- */

#define EXPECTS "POST /test HTTP/1.1\r\n" H "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"

static void a_body_is_invited_when_the_handler_says_so(void **state)
{
	struct peer *p = begin(exchange_hold_body);
	(void)state;
	peer_send(p, EXPECTS);
	assert_string_equal(peer_out(p), "");
	assert_int_equal(peer_phase(p), PEER_BODY);
	exchange_invite(far.ex);
	peer_run(p);
	assert_string_equal(peer_out(p), "HTTP/1.1 100 Continue\r\n\r\n");
	peer_send(p, "hello");
	assert_string_equal(far.body, "hello");
	assert_int_equal(far.complete, 1);
	peer_free(p);
	/* the client does not wait */
	p = begin(exchange_hold_body);
	peer_send(p, EXPECTS "hello");
	assert_string_equal(far.body, "hello");
	exchange_invite(far.ex);
	respond(p, 200, 0);
	assert_null(strstr(peer_out(p), "100 Continue"));
	assert_int_equal(peer_phase(p), PROTO_IDLE);
	peer_free(p);
	/* a response refuses the body */
	p = begin(exchange_hold_body);
	peer_send(p, EXPECTS);
	respond(p, 403, 0);
	assert_non_null(strstr(peer_out(p), "Connection: close\r\n"));
	assert_null(strstr(peer_out(p), "100 Continue"));
	peer_free(p);
}

/* --- limits of time --------------------------------------------------------------------------- */

static void begin_with_limits(struct exchange *ex)
{
	exchange_own_limits(ex);
	exchange_hold_body(ex);
}

static void a_handler_may_have_limits_of_its_own(void **state)
{
	struct peer *p = begin(begin_with_limits);
	(void)state;
	p->limits.body_ms = 1000;
	peer_send(p, EXPECTS);
	assert_true(http1_ops.deadline(&p->http1.proto, 1) == PROTO_NO_DEADLINE);
	exchange_invite(far.ex);
	peer_run(p);
	assert_int_equal(http1_ops.deadline(&p->http1.proto, 1), 1001); /* the client's remain */
	peer_send(p, "hello");
	assert_true(http1_ops.deadline(&p->http1.proto, 2) == PROTO_NO_DEADLINE);
	peer_free(p);
}

static void begin_tunnel(struct exchange *ex)
{
	exchange_own_limits(ex);
	assert_int_equal(exchange_upgrade(ex, NULL, 0), 0);
}

static void a_tunnel_learns_of_a_drain(void **state)
{
	struct peer *p = begin(begin_tunnel);
	(void)state;
	p->limits.idle_ms = 1000;
	peer_send(p, "GET /test HTTP/1.1\r\n" H "Connection: upgrade\r\nUpgrade: x\r\n\r\n");
	assert_true(http1_ops.deadline(&p->http1.proto, 1) == PROTO_NO_DEADLINE);
	http1_ops.drain(&p->http1.proto);
	assert_int_equal(far.drained, 1);
	assert_int_equal(http1_ops.phase(&p->http1.proto), PROTO_BUSY);
	far.says_end = true;
	exchange_wake(far.ex);
	peer_run(p);
	assert_int_equal(http1_ops.phase(&p->http1.proto), PROTO_CLOSING);
	peer_free(p);
}

/* --- trailers --------------------------------------------------------------------------------- */

#define CHUNKED "POST /test HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"

static void begin_trailer(struct exchange *ex)
{
	far.trailer = (struct buf)BUF_INIT(4096);
	exchange_keep_trailer(ex, &far.trailer);
}

static void assert_next(size_t *at, const char *name, const char *value)
{
	struct http_header f;
	assert_true(http_trailer_next(&far.trailer, at, &f));
	assert_int_equal(f.name_len, strlen(name));
	assert_memory_equal(f.name, name, f.name_len);
	assert_int_equal(f.value_len, strlen(value));
	assert_memory_equal(f.value, value, f.value_len);
}

static void a_handler_gets_the_trailer(void **state)
{
	static const char *const requests[] = {CHUNKED "5\r\nhello\r\n0\r\nA: b\r\nC:  d\r\n\r\n",
					       CHUNKED "0\r\nA: b\r\nC:  d\r\n\r\n"};
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		for (size_t step = 1; step < 100; step += 1) {
			struct peer *p = begin(begin_trailer);
			const size_t len = strlen(requests[i]);
			struct http_header none;
			size_t trailer_at = 0;
			for (size_t at = 0; at < len; at += step)
				peer_give(p, requests[i] + at, len - at < step ? len - at : step);
			assert_string_equal(far.body, i == 0 ? "hello" : "");
			assert_int_equal(far.complete, 1);
			assert_next(&trailer_at, "A", "b");
			assert_next(&trailer_at, "C", "d");
			assert_false(http_trailer_next(&far.trailer, &trailer_at, &none));
			peer_free(p);
			buf_release(&far.trailer);
		}
	}
}

static void add_trailer(const char *name, const char *value, int want)
{
	const struct http_header f = {name, value, (uint32_t)strlen(name), (uint32_t)strlen(value)};
	assert_int_equal(exchange_add_trailer(far.ex, &f), want);
}

static void a_response_may_have_a_trailer(void **state)
{
	(void)state;
	for (size_t pull = 512; pull < 4096; pull *= 2) {
		struct peer *p = begin(NULL);
		p->pull = pull;
		peer_send(p, "GET /test HTTP/1.1\r\n" H "\r\n");
		far.says = "hello";
		exchange_respond(far.ex, 200, HTTP_LENGTH_UNKNOWN, NULL, 0);
		peer_run(p);
		add_trailer("A", "b", 0);
		add_trailer("Content-Length", "5", -EINVAL);
		add_trailer("transfer-encoding", "chunked", -EINVAL);
		add_trailer("", "b", -EINVAL);
		add_trailer("A", "b\r\nX: y", -EINVAL);
		char value[1000];
		memset(value, 'v', sizeof(value) - 1);
		value[sizeof(value) - 1] = '\0';
		add_trailer("Long", value, 0);
		far.says_end = true;
		exchange_wake(far.ex);
		peer_run(p);
		assert_non_null(strstr(peer_out(p), "5\r\nhello\r\n0\r\nA: b\r\nLong: vvv"));
		assert_string_equal(peer_out(p) + p->out_len - 6, "vv\r\n\r\n");
		assert_int_equal(peer_phase(p), PROTO_IDLE);
		peer_free(p);
	}
}

static void a_trailer_has_bounds(void **state)
{
	static char value[HTTP_TRAILER_MAX];
	struct peer *p = begin(NULL);
	(void)state;
	memset(value, 'v', sizeof(value) - 1);
	peer_send(p, "GET /test HTTP/1.0\r\n\r\n");
	exchange_respond(far.ex, 200, HTTP_LENGTH_UNKNOWN, NULL, 0);
	add_trailer("A", value, -ENOSPC);
	add_trailer("A", "b", 0);
	far.says_end = true;
	peer_run(p);
	assert_null(strstr(peer_out(p), "A: b")); /* not chunked */
	peer_free(p);
}

/* --- fields that are usually the protocol's --------------------------------------------------- */

static void the_date_may_be_that_of_another_server(void **state)
{
	static const struct http_header date = HTTP_HEADER("Date", "Mon, 07 Nov 1994 08:49:37 GMT");
	static const unsigned statuses[] = {200, 299, 404};
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct peer *p = begin(NULL);
		peer_send(p, "GET /test HTTP/1.1\r\n" H "\r\n");
		exchange_borrow_field(far.ex, &date);
		exchange_keep_date(far.ex);
		respond(p, statuses[i], 0);
		const char *first = strstr(peer_out(p), "Date: ");
		assert_memory_equal(first, "Date: Mon, 07", 13);
		assert_null(strstr(first + 1, "Date: "));
		peer_free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_some_locations_take_other_methods),
	    cmocka_unit_test(interim_responses_come_first),
	    cmocka_unit_test(interim_responses_have_bounds),
	    cmocka_unit_test(a_body_is_invited_when_the_handler_says_so),
	    cmocka_unit_test(a_handler_may_have_limits_of_its_own),
	    cmocka_unit_test(a_tunnel_learns_of_a_drain),
	    cmocka_unit_test(a_handler_gets_the_trailer),
	    cmocka_unit_test(a_response_may_have_a_trailer),
	    cmocka_unit_test(a_trailer_has_bounds),
	    cmocka_unit_test(the_date_may_be_that_of_another_server),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
