/* filter/authenticate: who comes in, who waits, and what the others are told. The worker's part of
 * it, which asks the verifier, is played by the test. */
#include "conf_told.h"

#include "../http_peer.h"
#include "conf/parser.h"
#include "filter/authenticate.h"
#include "handler/route.h"

/* --- the service ------------------------------------------------------------------------------ */

struct service {
	struct authenticate_service of; /* first */
	struct authenticate_ask *asked; /* NULL: none */
	unsigned asks, forgotten, failures, lookups;
	char user[512], password[1024], realm[300]; /* of the last ask, failure … */
	uint32_t file;
	bool full, known;
	uint64_t refuses_ms;
	const struct http_client *client;
};

static bool service_ask(struct authenticate_service *of, struct authenticate_ask *ask)
{
	struct service *s = (struct service *)of;
	assert_null(s->asked);
	/* what the others have found out about it */
	assert_int_equal(ask->place.client, 77);
	assert_true(ask->place.counts);
	if (s->full)
		return false;
	s->asked = ask;
	s->asks++;
	s->file = ask->file;
	(void)snprintf(s->user, sizeof(s->user), "%.*s", (int)ask->user_len, ask->user);
	(void)snprintf(s->password, sizeof(s->password), "%.*s", (int)ask->password_len,
		       ask->password);
	return true;
}

static void service_forget(struct authenticate_service *of, struct authenticate_ask *ask)
{
	struct service *s = (struct service *)of;
	assert_ptr_equal(ask, s->asked);
	s->asked = NULL;
	s->forgotten++;
}

static bool service_knows(struct authenticate_service *of, struct authenticate_ask *ask)
{
	struct service *s = (struct service *)of;
	static const struct authenticate_place zeros;
	assert_true(ask->user_len > 0);
	assert_memory_equal(&ask->place, &zeros, sizeof(zeros));
	ask->place.client = 77;
	s->lookups++;
	return s->known;
}

static uint64_t service_refuses(struct authenticate_service *of, struct authenticate_ask *ask)
{
	struct service *s = (struct service *)of;
	assert_int_equal(ask->place.client, 77);
	ask->place.counts = true;
	s->client = ask->client;
	return s->refuses_ms;
}

static void service_failed(struct authenticate_service *of, const struct authenticate_ask *ask,
			   const char *realm)
{
	struct service *s = (struct service *)of;
	s->failures++;
	s->client = ask->client;
	(void)snprintf(s->user, sizeof(s->user), "%.*s", (int)ask->user_len, ask->user);
	(void)snprintf(s->realm, sizeof(s->realm), "%s", realm);
}

static void service_answer(struct service *s, enum authenticate_verdict verdict)
{
	struct authenticate_ask *ask = s->asked;
	assert_non_null(ask);
	s->asked = NULL;
	ask->answered(ask, verdict);
}

/* --- the site --------------------------------------------------------------------------------- */

struct site {
	struct conf *conf;
	struct routes routes;
	struct loop loop;
	struct service service;
	struct peer *peer;
	struct http_loop kept;
};

/* The exchange's user at its end. */
static char ended_user[512];
static void done(void *connection, const struct exchange *ex)
{
	(void)snprintf(ended_user, sizeof(ended_user), "%.*s", (int)ex->user_len,
		       ex->user != NULL ? ex->user : "");
	peer_owner.done(connection, ex);
}

static void site_open(struct site *s, const char *text)
{
	static const struct handler_means means = {.port = 8443};
	static struct exchange_owner owner;
	struct told told = {.len = 0};
	*s = (struct site){.service.of = {.ask = service_ask,
					  .forget = service_forget,
					  .knows = service_knows,
					  .refuses = service_refuses,
					  .failed = service_failed}};
	if (conf_parse_text(text, strlen(text), "/etc/text", NULL, gather, &told, &s->conf) != 0)
		fail_msg("%s", told.text);
	assert_int_equal(routes_init(&s->routes, s->conf->ports, &means), 0);
	assert_int_equal(loop_init(&s->loop), 0);
	owner = peer_owner;
	owner.done = done;
	s->peer = peer_new();
	s->peer->loop.owner = &owner;
	s->peer->loop.routes = &s->routes.http;
	s->peer->loop.events = &s->loop;
	s->peer->loop.passwords = &s->service.of;
	assert_int_equal(routes_open(&s->routes, &s->peer->loop), 0);
}

/* The client leaves, in whatever state its request is. */
static void site_close(struct site *s)
{
	struct http_loop loop = s->peer->loop;
	peer_free(s->peer);
	assert_null(s->service.asked);
	assert_int_equal(s->loop.heap_len, 0);
	assert_int_equal(s->loop.timers, 0);
	routes_close(&s->routes, &loop);
	routes_release(&s->routes);
	loop_release(&s->loop);
	conf_free(s->conf);
}

#define STAFF "authenticate basic \"staff\" file \"/p/staff\" "
#define PORT  "port 8443 { tls { certificate \"/c\" key \"/k\" } "
#define SITE                                                                     \
	PORT "location \"/\" { respond 200 \"open\" } location \"/in\" { " STAFF \
	     "respond 200 \"inside\" } location \"/echo\" { " STAFF "echo } }"

#define CHALLENGE "WWW-Authenticate: Basic realm=\"staff\", charset=\"UTF-8\"\r\n"
#define BOB       "Authorization: Basic Ym9iOnNlY3JldA==\r\n" /* bob:secret */

static const char *ask(struct site *s, const char *request)
{
	peer_out_clear(s->peer);
	peer_send(s->peer, request);
	return peer_out(s->peer);
}

static const char *get(struct site *s, const char *fields)
{
	char request[4096];
	(void)snprintf(request, sizeof(request), "GET /in HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);
	return ask(s, request);
}

/* What came after the service has answered. */
static const char *answered(struct site *s, enum authenticate_verdict verdict)
{
	service_answer(&s->service, verdict);
	peer_run(s->peer);
	return peer_out(s->peer);
}

/* The pause of a wrong password is over; there is no other timer. */
static const char *pause_over(struct site *s)
{
	assert_int_equal(s->loop.heap_len, 1);
	assert_int_equal(s->loop.heap[0]->deadline_ms, s->loop.now_ms + AUTHENTICATE_PAUSE_MS);
	s->loop.now_ms -= 2; /* a timer is set for a later time than now */
	loop_timer_set(&s->loop, s->loop.heap[0], s->loop.now_ms + 1);
	assert_int_equal(loop_turn(&s->loop, 0), 0);
	peer_run(s->peer);
	return peer_out(s->peer);
}

static void begins(const char *text, const char *with)
{
	if (strncmp(text, with, strlen(with)) != 0)
		fail_msg("`%s` does not begin with `%s`", text, with);
}

static void has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("`%s` has no `%s`", text, part);
}

static void has_not(const char *text, const char *part)
{
	if (strstr(text, part) != NULL)
		fail_msg("`%s` has `%s`", text, part);
}

/* --- without a question ----------------------------------------------------------------------- */

static void encode(const char *from, size_t len, char *out)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t used = 0;
	for (size_t i = 0; i < len; i += 3) {
		const uint8_t *b = (const uint8_t *)from + i;
		const size_t left = len - i;
		const uint32_t bits = (uint32_t)b[0] << 16 | (left > 1 ? (uint32_t)b[1] << 8 : 0) |
				      (left > 2 ? b[2] : 0);
		out[used++] = digits[bits >> 18];
		out[used++] = digits[bits >> 12 & 63];
		out[used++] = left > 1 ? digits[bits >> 6 & 63] : '=';
		out[used++] = left > 2 ? digits[bits & 63] : '=';
	}
	out[used] = '\0';
}

static const char *get_as(struct site *s, const char *credentials, size_t len)
{
	char text[3000] = "Authorization: Basic ";
	encode(credentials, len, text + strlen(text));
	memcpy(text + strlen(text), "\r\n", 3);
	return get(s, text);
}

/* They are told so at once, and nobody is asked. */
static void requests_without_credentials_get_401(void **state)
{
	static const char *const fields[] = {
	    "",
	    "Authorization:\r\n",
	    "Authorization: Basic\r\n",
	    "Authorization: Basic \r\n",
	    "Authorization: BasicYm9iOnNlY3JldA==\r\n",
	    "Authorization: Bearer Ym9iOnNlY3JldA==\r\n",
	    "Authorization: Digest username=\"bob\"\r\n",
	    "Authorization: Basics Ym9iOnNlY3JldA==\r\n",
	    "Authorization: Ym9iOnNlY3JldA==\r\n",
	    "Authorization: Basic Ym9iOnNlY3JldA\r\n",         /* no padding */
	    "Authorization: Basic Ym9iOnNlY3JldA==x\r\n",      /* more after it */
	    "Authorization: Basic Ym9iOnNlY3JldA== Zg==\r\n",  /* two */
	    "Authorization: Basic Ym9iOnNlY3JldA==, Zg==\r\n", /* a list */
	    "Authorization: Basic Ym9i OnNlY3JldA==\r\n",
	    "Authorization: Basic Ym9iOnNlY3JldB==\r\n", /* bits after the last byte */
	    "Authorization: Basic Ym9i*nNlY3JldA==\r\n",
	    "Authorization: Basic ====\r\n",
	    "Authorization: Basic Ym9i\r\n", /* bob */
	    /* two fields, even of the same */
	    BOB BOB,
	    BOB "Authorization: Bearer x\r\n",
	    "Authorization: Bearer x\r\n" BOB,
	    BOB "authorization: Basic Ym9iOnB1YmxpYw==\r\n",
	    BOB "Authorization:\r\n",
	    /* others' fields */
	    "Proxy-Authorization: Basic Ym9iOnNlY3JldA==\r\n",
	    "X-Authorization: Basic Ym9iOnNlY3JldA==\r\n",
	    "Cookie: Authorization=Basic Ym9iOnNlY3JldA==\r\n",
	};
	struct site s;
	(void)state;
	site_open(&s, SITE);
	for (size_t i = 0; i < CONF_COUNT(fields); i++) {
		const char *out = get(&s, fields[i]);
		begins(out, "HTTP/1.1 401 Unauthorized\r\n");
		has(out, "\r\n" CHALLENGE);
		has_not(out, "inside");
		has_not(out, "Retry-After");
	}
	assert_int_equal(s.service.asks + s.service.lookups, 0);
	site_close(&s);
}

static void credentials_out_of_form_get_401(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} rows[] = {
	    {":secret", 7},
	    {":", 1},
	    {"bob", 3},
	    {"", 0},
	    {"bob\0:secret", 11},
	    {"bob:sec\0ret", 11},
	    {"bob:secret\0", 11},
	    {"\0bob:secret", 11},
	    {"bob:secret\n", 11},
	    {"bob\r:secret", 11},
	    {"b\x1fob:secret", 11},
	    {"bob:\x7f", 5},
	    {"bob:\tx", 6},
	};
	struct site s;
	char text[1024];
	(void)state;
	site_open(&s, SITE);
	for (size_t i = 0; i < CONF_COUNT(rows); i++)
		begins(get_as(&s, rows[i].text, rows[i].len), "HTTP/1.1 401 ");
	for (unsigned c = 0; c < 0x20; c++) {
		memcpy(text, "bob:secre.", 10);
		text[9] = (char)c;
		begins(get_as(&s, text, 10), "HTTP/1.1 401 ");
	}
	/* a byte too long, or many */
	memset(text, 'u', sizeof(text));
	text[256] = ':';
	begins(get_as(&s, text, 257 + 10), "HTTP/1.1 401 ");
	text[256] = 'u';
	text[3] = ':';
	for (size_t len = 512; len < 1000; len += 1 + len / 2)
		begins(get_as(&s, text, 4 + len), "HTTP/1.1 401 ");
	begins(get_as(&s, text, sizeof(text)), "HTTP/1.1 401 ");
	assert_int_equal(s.service.asks + s.service.lookups, 0);
	site_close(&s);
}

static void credentials_are_read(void **state)
{
	static const struct {
		const char *text, *user, *password;
	} rows[] = {
	    {"bob:secret", "bob", "secret"},
	    {"bob:", "bob", ""},
	    {"bob::", "bob", ":"},
	    {"bob:sec:ret", "bob", "sec:ret"}, /* the first colon */
	    {" bob : secret ", " bob ", " secret "},
	    {"J\xc3\xbcrg:\xe2\x82\xac", "J\xc3\xbcrg", "\xe2\x82\xac"},
	    {"\xff:\x80", "\xff", "\x80"}, /* whatever the file has */
	    {"a:b", "a", "b"},
	};
	struct site s;
	char text[1024];
	(void)state;
	site_open(&s, SITE);
	for (size_t i = 0; i < CONF_COUNT(rows); i++) {
		assert_string_equal(get_as(&s, rows[i].text, strlen(rows[i].text)), "");
		assert_string_equal(s.service.user, rows[i].user);
		assert_string_equal(s.service.password, rows[i].password);
		has(answered(&s, AUTHENTICATE_RIGHT), "\r\n\r\ninside");
		assert_string_equal(ended_user, rows[i].user);
	}
	/* the longest of each */
	memset(text, 'u', sizeof(text));
	text[255] = ':';
	assert_string_equal(get_as(&s, text, 256 + 511), "");
	assert_int_equal(s.service.asked->user_len, 255);
	assert_int_equal(s.service.asked->password_len, 511);
	has(answered(&s, AUTHENTICATE_RIGHT), "inside");
	site_close(&s);
}

static void the_scheme_is_in_any_case_and_before_any_spaces(void **state)
{
	static const char *const fields[] = {
	    BOB,
	    "authorization: basic Ym9iOnNlY3JldA==\r\n",
	    "AUTHORIZATION:BASIC Ym9iOnNlY3JldA==\r\n",
	    "Authorization: bAsIc    Ym9iOnNlY3JldA==   \r\n",
	};
	struct site s;
	(void)state;
	site_open(&s, SITE);
	for (size_t i = 0; i < CONF_COUNT(fields); i++) {
		assert_string_equal(get(&s, fields[i]), "");
		assert_string_equal(s.service.user, "bob");
		assert_string_equal(s.service.password, "secret");
		begins(answered(&s, AUTHENTICATE_RIGHT), "HTTP/1.1 200 OK\r\n");
	}
	site_close(&s);
}

/* --- answers ---------------------------------------------------------------------------------- */

static void a_right_password_comes_in(void **state)
{
	struct site s;
	(void)state;
	site_open(&s, SITE);
	assert_string_equal(get(&s, BOB), "");
	const char *out = answered(&s, AUTHENTICATE_RIGHT);
	begins(out, "HTTP/1.1 200 OK\r\n");
	has(out, "\r\n\r\ninside");
	has_not(out, "WWW-Authenticate");
	assert_string_equal(ended_user, "bob");
	assert_int_equal(s.service.failures + s.service.forgotten, 0);
	assert_int_equal(s.loop.timers, 0);
	/* each request asks; the service is who remembers */
	assert_string_equal(get(&s, BOB), "");
	assert_int_equal(s.service.asks, 2);
	(void)answered(&s, AUTHENTICATE_RIGHT);
	/* the next request of the connection has nothing of it */
	begins(get(&s, ""), "HTTP/1.1 401 ");
	assert_string_equal(ended_user, "");
	begins(ask(&s, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "HTTP/1.1 200 ");
	site_close(&s);
}

static void a_known_one_is_not_asked_for(void **state)
{
	struct site s;
	(void)state;
	site_open(&s, SITE);
	s.service.known = true;
	s.service.full = true;
	s.service.refuses_ms = 5000; /* of somebody else at the same address */
	has(get(&s, BOB), "\r\n\r\ninside");
	assert_string_equal(ended_user, "bob");
	assert_int_equal(s.service.asks, 0);
	site_close(&s);
}

static void a_wrong_password_is_told_after_a_pause(void **state)
{
	struct site s;
	(void)state;
	site_open(&s, SITE);
	for (unsigned i = 1; i <= 3; i++) {
		assert_string_equal(get(&s, BOB), "");
		assert_string_equal(answered(&s, AUTHENTICATE_WRONG), "");
		assert_int_equal(s.service.failures, i); /* now, and not when it is told */
		assert_ptr_equal(s.service.client, &s.peer->client);
		assert_string_equal(s.service.user, "bob");
		assert_string_equal(s.service.realm, "staff");
		const char *out = pause_over(&s);
		begins(out, "HTTP/1.1 401 Unauthorized\r\n");
		has(out, "\r\n" CHALLENGE);
		has_not(out, "inside");
		assert_string_equal(ended_user, "");
	}
	assert_int_equal(s.service.forgotten, 0);
	site_close(&s);
}

static void an_unchecked_password_is_503(void **state)
{
	struct site s;
	(void)state;
	site_open(&s, SITE);
	assert_string_equal(get(&s, BOB), "");
	const char *out = answered(&s, AUTHENTICATE_UNCHECKED);
	begins(out, "HTTP/1.1 503 Service Unavailable\r\n");
	has(out, "\r\nRetry-After: 1\r\n");
	has_not(out, "WWW-Authenticate");
	assert_int_equal(s.service.failures, 0); /* nobody knows whether it is wrong */
	assert_int_equal(s.loop.timers, 0);
	site_close(&s);
}

static void too_many_that_wait_are_503(void **state)
{
	struct site s;
	(void)state;
	site_open(&s, SITE);
	s.service.full = true;
	const char *out = get(&s, BOB);
	begins(out, "HTTP/1.1 503 Service Unavailable\r\n");
	has(out, "\r\nRetry-After: 1\r\n");
	s.service.full = false;
	assert_string_equal(get(&s, BOB), "");
	has(answered(&s, AUTHENTICATE_RIGHT), "inside");
	assert_int_equal(s.service.forgotten, 0);
	site_close(&s);
}

static void a_client_with_too_many_wrong_ones_is_429(void **state)
{
	static const struct {
		uint64_t ms;
		const char *field;
	} rows[] = {{1, "\r\nRetry-After: 1\r\n"},
		    {999, "\r\nRetry-After: 1\r\n"},
		    {1000, "\r\nRetry-After: 1\r\n"},
		    {1001, "\r\nRetry-After: 2\r\n"},
		    {6000, "\r\nRetry-After: 6\r\n"}};
	struct site s;
	(void)state;
	site_open(&s, SITE);
	for (size_t i = 0; i < CONF_COUNT(rows); i++) {
		s.service.refuses_ms = rows[i].ms;
		const char *out = get(&s, BOB);
		begins(out, "HTTP/1.1 429 Too Many Requests\r\n");
		has(out, rows[i].field);
		has_not(out, "WWW-Authenticate");
		assert_ptr_equal(s.service.client, &s.peer->client);
	}
	assert_int_equal(s.service.asks, 0);
	/* without credentials, there is nothing to guess */
	begins(get(&s, ""), "HTTP/1.1 401 ");
	s.service.refuses_ms = 0;
	assert_string_equal(get(&s, BOB), "");
	(void)answered(&s, AUTHENTICATE_RIGHT);
	site_close(&s);
}

/* --- clients that leave ----------------------------------------------------------------------- */

static void a_client_may_leave_at_any_time(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		struct site s;
		site_open(&s, SITE);
		switch (i) {
		case 0: /* while asked */
			assert_string_equal(get(&s, BOB), "");
			break;
		case 1: /* in the pause */
			assert_string_equal(get(&s, BOB), "");
			assert_string_equal(answered(&s, AUTHENTICATE_WRONG), "");
			break;
		case 2: /* answered, and not pulled */
			assert_string_equal(get(&s, BOB), "");
			service_answer(&s.service, AUTHENTICATE_RIGHT);
			break;
		case 3:
			assert_string_equal(get(&s, BOB), "");
			service_answer(&s.service, AUTHENTICATE_UNCHECKED);
			break;
		case 4: /* in the middle of the body */
			assert_string_equal(ask(&s, "POST /echo HTTP/1.1\r\nHost: a\r\n" BOB
						    "Content-Length: 9\r\n\r\nhalf"),
					    "");
			break;
		case 5: /* in the middle of the body, of a wrong one, after the pause */
			assert_string_equal(ask(&s, "POST /echo HTTP/1.1\r\nHost: a\r\n" BOB
						    "Content-Length: 9\r\n\r\nhalf"),
					    "");
			assert_string_equal(answered(&s, AUTHENTICATE_WRONG), "");
			(void)pause_over(&s);
			break;
		}
		/* site_close() sees that neither an ask nor a timer is left */
		const bool asked = s.service.asked != NULL;
		assert_true(asked == (i == 0 || i == 4));
		site_close(&s);
		assert_int_equal(s.service.forgotten, asked);
	}
}

/* --- requests of each form -------------------------------------------------------------------- */

static void head_and_other_methods_are_asked_alike(void **state)
{
	static const char *const methods[] = {"HEAD", "DELETE", "OPTIONS", "PUT", "PATCH"};
	struct site s;
	char request[512];
	(void)state;
	site_open(&s, SITE);
	for (size_t i = 0; i < CONF_COUNT(methods); i++) {
		(void)snprintf(request, sizeof(request), "%s /in HTTP/1.1\r\nHost: a\r\n\r\n",
			       methods[i]);
		const char *out = ask(&s, request);
		begins(out, "HTTP/1.1 401 ");
		has(out, CHALLENGE);
		has_not(out, "Allow:"); /* what may be done here is for those who come in */
		if (i == 0)
			assert_string_equal(strstr(out, "\r\n\r\n"), "\r\n\r\n");
	}
	assert_string_equal(ask(&s, "HEAD /in HTTP/1.1\r\nHost: a\r\n" BOB "\r\n"), "");
	const char *out = answered(&s, AUTHENTICATE_RIGHT);
	begins(out, "HTTP/1.1 200 ");
	has(out, "Content-Length: 6\r\n");
	has_not(out, "inside");
	assert_string_equal(ask(&s, "DELETE /in HTTP/1.1\r\nHost: a\r\n" BOB "\r\n"), "");
	begins(answered(&s, AUTHENTICATE_RIGHT), "HTTP/1.1 405 ");
	assert_string_equal(ask(&s, "HEAD /in HTTP/1.1\r\nHost: a\r\n" BOB "\r\n"), "");
	(void)answered(&s, AUTHENTICATE_WRONG);
	out = pause_over(&s);
	begins(out, "HTTP/1.1 401 ");
	assert_string_equal(strstr(out, "\r\n\r\n"), "\r\n\r\n");
	site_close(&s);
}

/* The body stays with the client while its password is checked. */
static void a_body_waits(void **state)
{
	struct site s;
	(void)state;
	site_open(&s, SITE);
	static const char post[] =
	    "POST /echo HTTP/1.1\r\nHost: a\r\n" BOB "Content-Length: 9\r\n\r\n";
	assert_string_equal(ask(&s, post), "");
	peer_send(s.peer, "some body");
	assert_int_equal(s.peer->in_len, 9);
	begins(answered(&s, AUTHENTICATE_RIGHT), "HTTP/1.1 200 ");
	has(peer_out(s.peer), "some body");
	assert_int_equal(s.peer->in_len, 0);
	/* in pieces, the second one after the answer */
	assert_string_equal(ask(&s, post), "");
	peer_send(s.peer, "some ");
	(void)answered(&s, AUTHENTICATE_RIGHT);
	peer_send(s.peer, "body");
	has(peer_out(s.peer), "some");
	has(peer_out(s.peer), "body");
	/* and in chunks */
	assert_string_equal(ask(&s, "POST /echo HTTP/1.1\r\nHost: a\r\n" BOB
				    "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"),
			    "");
	has(answered(&s, AUTHENTICATE_RIGHT), "body");
	site_close(&s);
}

/* It is read to its end before the answer, so that the connection can go on. */
static void the_body_of_a_wrong_one_is_discarded(void **state)
{
	struct site s;
	(void)state;
	site_open(&s, SITE);
	static const char post[] =
	    "POST /echo HTTP/1.1\r\nHost: a\r\n" BOB "Content-Length: 9\r\n\r\nsome body";
	assert_string_equal(ask(&s, post), "");
	assert_string_equal(answered(&s, AUTHENTICATE_WRONG), "");
	const char *out = pause_over(&s);
	begins(out, "HTTP/1.1 401 ");
	has_not(out, "some body");
	has_not(out, "Connection: close");
	begins(ask(&s, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "HTTP/1.1 200 ");
	begins(ask(&s, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nsome body"),
	       "HTTP/1.1 401 ");
	begins(ask(&s, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "HTTP/1.1 200 ");
	site_close(&s);
}

/* A client that asks first sends its body only after it came in. */
static void a_body_is_invited_after_the_password(void **state)
{
	static const char post[] = "POST /echo HTTP/1.1\r\nHost: a\r\n" BOB
				   "Expect: 100-continue\r\nContent-Length: 9\r\n\r\n";
	struct site s;
	(void)state;
	site_open(&s, SITE);
	assert_string_equal(ask(&s, post), "");
	begins(answered(&s, AUTHENTICATE_RIGHT), "HTTP/1.1 100 Continue\r\n\r\n");
	peer_send(s.peer, "some body");
	has(peer_out(s.peer), "HTTP/1.1 200 ");
	has(peer_out(s.peer), "some body");
	/* the wrong one is told at once, and no more is read */
	assert_string_equal(ask(&s, post), "");
	assert_string_equal(answered(&s, AUTHENTICATE_WRONG), "");
	begins(pause_over(&s), "HTTP/1.1 401 ");
	has(peer_out(s.peer), "Connection: close\r\n");
	has_not(peer_out(s.peer), "100 Continue");
	site_close(&s);
	site_open(&s, SITE);
	begins(ask(&s, "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
		       "Content-Length: 9\r\n\r\n"),
	       "HTTP/1.1 401 ");
	site_close(&s);
}

static void requests_of_a_connection_are_answered_in_order(void **state)
{
	struct site s;
	(void)state;
	site_open(&s, SITE);
	static const char two[] = "GET /in HTTP/1.1\r\nHost: a\r\n" BOB "\r\n"
				  "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
				  "GET /in HTTP/1.1\r\nHost: a\r\n\r\n";
	assert_string_equal(ask(&s, two), "");
	const char *out = answered(&s, AUTHENTICATE_RIGHT);
	begins(out, "HTTP/1.1 200 ");
	const char *inside = strstr(out, "inside"), *open = strstr(out, "open"),
		   *challenge = strstr(out, "WWW-Authenticate");
	assert_true(inside != NULL && open > inside && challenge > open);
	assert_string_equal(ask(&s, two), "");
	assert_string_equal(answered(&s, AUTHENTICATE_WRONG), "");
	out = pause_over(&s);
	begins(out, "HTTP/1.1 401 ");
	has(out, "\r\n\r\nopen");
	site_close(&s);
}

/* --- places ----------------------------------------------------------------------------------- */

static void pages_of_the_configuration_have_the_challenge_too(void **state)
{
	struct site s;
	(void)state;
	site_open(&s,
		  PORT "error 401 { respond \"who are you?\" } error 429 { respond \"slowly\" } "
		       "error 503 { respond \"later\" } location \"/in\" { " STAFF
		       "respond 200 \"inside\" } }");
	const char *out = get(&s, "");
	begins(out, "HTTP/1.1 401 ");
	has(out, CHALLENGE);
	has(out, "\r\n\r\nwho are you?");
	assert_string_equal(get(&s, BOB), "");
	(void)answered(&s, AUTHENTICATE_WRONG);
	out = pause_over(&s);
	has(out, CHALLENGE);
	has(out, "\r\n\r\nwho are you?");
	assert_string_equal(get(&s, BOB), "");
	out = answered(&s, AUTHENTICATE_UNCHECKED);
	has(out, "Retry-After: 1\r\n");
	has(out, "\r\n\r\nlater");
	s.service.refuses_ms = 2000;
	out = get(&s, BOB);
	has(out, "Retry-After: 2\r\n");
	has(out, "\r\n\r\nslowly");
	site_close(&s);
}

static void a_realm_is_quoted(void **state)
{
	struct site s;
	(void)state;
	site_open(&s,
		  PORT "location \"/in\" { authenticate basic \"a \\\"b\\\" \\\\ c\" file \"/p\" "
		       "echo } }");
	has(get(&s, ""),
	    "WWW-Authenticate: Basic realm=\"a \\\"b\\\" \\\\ c\", charset=\"UTF-8\"\r\n");
	site_close(&s);
	/* the longest, of nothing but quotes */
	char text[1200] = PORT "location \"/in\" { authenticate basic \"", want[700] = "realm=\"";
	for (unsigned i = 0; i < 256; i++) {
		memcpy(text + strlen(text), "\\\"", 3);
		memcpy(want + strlen(want), "\\\"", 3);
	}
	memcpy(text + strlen(text), "\" file \"/p\" echo } }", 21);
	memcpy(want + strlen(want), "\", charset=", 12);
	site_open(&s, text);
	has(get(&s, ""), want);
	site_close(&s);
}

static void places_have_what_their_outer_ones_have(void **state)
{
	static const char text[] =
	    "authenticate basic \"top\" file \"/p/top\"\n" PORT
	    "location \"/\" { echo } location \"/off\" { authenticate off echo }\n"
	    "location \"/own\" { authenticate basic \"own\" file \"/p/own\" echo }\n"
	    "host \"h\" { authenticate basic \"host\" file \"/p/host\" location \"/a\" { echo }\n"
	    "	location \"/off\" { authenticate off echo } }\n"
	    "host \"open\" { authenticate off location \"/\" { echo } location \"/in\" {\n"
	    "	authenticate basic \"in\" file \"/p/own\" echo } } }";
	static const struct {
		const char *host, *path, *realm; /* NULL: everybody comes in */
		const char *file;
		unsigned status; /* of who comes in */
	} rows[] = {
	    {"x", "/", "top", "/p/top", 200},       {"x", "/off", NULL, NULL, 200},
	    {"x", "/off/a", NULL, NULL, 200},       {"x", "/own", "own", "/p/own", 200},
	    {"h", "/a", "host", "/p/host", 200},    {"h", "/off", NULL, NULL, 200},
	    {"h", "/none", "host", "/p/host", 404}, {"open", "/", NULL, NULL, 200},
	    {"open", "/in/x", "in", "/p/own", 200},
	};
	struct site s;
	(void)state;
	site_open(&s, text);
	const struct conf_port *port = s.conf->ports;
	assert_int_equal(port->passwords_count, 3);
	for (size_t i = 0; i < CONF_COUNT(rows); i++) {
		char request[256], want[128], status[32];
		(void)snprintf(status, sizeof(status), "HTTP/1.1 %u ", rows[i].status);
		(void)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n",
			       rows[i].path, rows[i].host);
		const char *out = ask(&s, request);
		if (rows[i].realm == NULL) {
			begins(out, status);
			continue;
		}
		begins(out, "HTTP/1.1 401 ");
		(void)snprintf(want, sizeof(want), "Basic realm=\"%s\",", rows[i].realm);
		has(out, want);
		(void)snprintf(request, sizeof(request),
			       "GET %s HTTP/1.1\r\nHost: %s\r\n" BOB "\r\n", rows[i].path,
			       rows[i].host);
		assert_string_equal(ask(&s, request), "");
		assert_string_equal(port->passwords[s.service.file].path, rows[i].file);
		begins(answered(&s, AUTHENTICATE_RIGHT), status);
	}
	site_close(&s);
}

/* Addresses are asked first, and a client that they keep out costs no hash. */
static void addresses_come_before_passwords(void **state)
{
	struct site s;
	(void)state;
	site_open(&s, PORT "location \"/in\" { " STAFF "deny 127.0.0.1 echo } }");
	begins(get(&s, BOB), "HTTP/1.1 403 ");
	assert_int_equal(s.service.asks, 0);
	site_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(requests_without_credentials_get_401),
	    cmocka_unit_test(credentials_out_of_form_get_401),
	    cmocka_unit_test(credentials_are_read),
	    cmocka_unit_test(the_scheme_is_in_any_case_and_before_any_spaces),
	    cmocka_unit_test(a_right_password_comes_in),
	    cmocka_unit_test(a_known_one_is_not_asked_for),
	    cmocka_unit_test(a_wrong_password_is_told_after_a_pause),
	    cmocka_unit_test(an_unchecked_password_is_503),
	    cmocka_unit_test(too_many_that_wait_are_503),
	    cmocka_unit_test(a_client_with_too_many_wrong_ones_is_429),
	    cmocka_unit_test(a_client_may_leave_at_any_time),
	    cmocka_unit_test(head_and_other_methods_are_asked_alike),
	    cmocka_unit_test(a_body_waits),
	    cmocka_unit_test(the_body_of_a_wrong_one_is_discarded),
	    cmocka_unit_test(a_body_is_invited_after_the_password),
	    cmocka_unit_test(requests_of_a_connection_are_answered_in_order),
	    cmocka_unit_test(pages_of_the_configuration_have_the_challenge_too),
	    cmocka_unit_test(a_realm_is_quoted),
	    cmocka_unit_test(places_have_what_their_outer_ones_have),
	    cmocka_unit_test(addresses_come_before_passwords),
	};
	return cmocka_run_group_tests_name("authenticate", tests, NULL, NULL);
}
