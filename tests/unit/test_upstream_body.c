/* Bodies between a worker and an upstream: where a response's ends, and a request's in chunks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "upstream/body.h"
#include "upstream/field.h"

/* --- responses -------------------------------------------------------------------------------- */

enum {
	AGAIN = 1, /* the connection can be used again */
	CUT = 2,   /* the connection ends after the bytes, and the body is not complete */
	ENDS = 4,  /* the connection ends, and so does the body */
	HEAD = 8,
};

struct body_case {
	const char *text;
	size_t len;
	const char *body; /* NULL: refused */
	unsigned flags;
	enum upstream_fault fault;
	const char *trailers;
	size_t rest; /* bytes after the end */
};

#define CASE(bytes, ...)                                                     \
	{                                                                    \
		.text = bytes, .len = sizeof(bytes) - 1, .body = __VA_ARGS__ \
	}
#define LENGTH(n) "HTTP/1.1 200 OK\r\nContent-Length: " n "\r\n\r\n"
#define CHUNKED   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
#define CLOSE     "HTTP/1.1 200 OK\r\n\r\n"
#define NONE      "HTTP/1.1 204 x\r\n\r\n"
#define BAD(f)    NULL, 0, UPSTREAM_FAULT_##f

static const struct body_case cases[] = {
    CASE(LENGTH("5") "hello", "hello", AGAIN),
    CASE(LENGTH("5") "hel", "hel", CUT),
    CASE(LENGTH("5"), "", CUT),
    CASE(LENGTH("5") "helloHTTP/1.1", "hello", .rest = 8),
    CASE(LENGTH("0"), "", AGAIN),
    CASE(LENGTH("0") "x", "", .rest = 1),
    CASE("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", "hello"),
    CASE("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello"),
    CASE(NONE, "", AGAIN),
    CASE(NONE "x", "", .rest = 1),
    CASE("HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n", "", AGAIN),
    CASE("HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\nhello", "", .rest = 5),
    CASE("HTTP/1.1 204 x\r\nContent-Length: 5\r\n\r\n", ""),
    CASE(LENGTH("5"), "", AGAIN | HEAD),
    CASE(LENGTH("5") "hello", "", HEAD, .rest = 5),
    CASE(CHUNKED "5\r\nhello\r\n0\r\n\r\n", "", HEAD, .rest = 15),
    CASE(CLOSE "hello", "hello", ENDS),
    CASE(CLOSE, "", ENDS),
    CASE(CLOSE "0\r\n\r\n", "0\r\n\r\n", ENDS),
    /* chunked: RFC 9112, 7.1 */
    CASE(CHUNKED "5\r\nhello\r\n0\r\n\r\n", "hello", AGAIN),
    CASE(CHUNKED "5\r\nhello\r\n5;a=b\r\nworld\r\n00;c=\"d\"\r\n\r\n", "helloworld", AGAIN),
    CASE(CHUNKED "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789", AGAIN),
    CASE(CHUNKED "0\r\n\r\n", "", AGAIN),
    CASE(CHUNKED "0\r\n\r\nHTTP/1.1 200 OK\r\n", "", .rest = 17),
    CASE(CHUNKED "5\r\nhello\r\n0\r\n\r\n\r\n", "hello", .rest = 2),
    CASE("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n", ""),
    CASE(CHUNKED "5\r\nhello\r\n0\r\n", "hello", CUT),
    CASE(CHUNKED "5\r\nhello\r\n", "hello", CUT),
    CASE(CHUNKED "5\r\nhello", "hello", CUT),
    CASE(CHUNKED "5\r\nhel", "hel", CUT),
    CASE(CHUNKED "5", "", CUT),
    CASE(CHUNKED, "", CUT),
    CASE(CHUNKED "0\r\nA: b\r\nC:d\r\n\r\n", "", AGAIN, .trailers = "A=b C=d "),
    CASE(CHUNKED "1\r\nx\r\n0\r\nA: \t b c \xff\r\nEmpty:\r\n\r\n", "x", AGAIN,
	 .trailers = "A=b c \xff Empty= "),
    CASE(CHUNKED "0\r\nA: b\r\n\r\nx", "", 0, .trailers = "A=b ", .rest = 1),
    CASE(CHUNKED "0\r\nA: b\r\n", "", CUT),
    /* what is malformed */
    CASE(CHUNKED "\r\n", BAD(CHUNK)),
    CASE(CHUNKED "x\r\n", BAD(CHUNK)),
    CASE(CHUNKED "-1\r\n", BAD(CHUNK)),
    CASE(CHUNKED "+5\r\nhello\r\n", BAD(CHUNK)),
    CASE(CHUNKED "0x5\r\nhello\r\n", BAD(CHUNK)),
    CASE(CHUNKED " 5\r\nhello\r\n", BAD(CHUNK)),
    CASE(CHUNKED "5 \r\nhello\r\n", BAD(CHUNK)),
    CASE(CHUNKED "5\nhello\r\n", BAD(CHUNK)),
    CASE(CHUNKED "5\r\rhello\r\n", BAD(CHUNK)),
    CASE(CHUNKED "5\r\nhelloX\r\n", BAD(CHUNK)),
    CASE(CHUNKED "5\r\nhello\n0\r\n\r\n", BAD(CHUNK)),
    CASE(CHUNKED "5\r\nhello\r0\r\n\r\n", BAD(CHUNK)),
    CASE(CHUNKED "5;\r\nhello\r\n", BAD(CHUNK)),
    CASE(CHUNKED "5;a=\"b\r\nhello\r\n", BAD(CHUNK)),
    CASE(CHUNKED "5,5\r\nhello\r\n", BAD(CHUNK)),
    CASE(CHUNKED "fffffffffffffffff\r\n", BAD(CHUNK)),
    CASE(CHUNKED "10000000000000000\r\n", BAD(CHUNK)),
    CASE(CHUNKED "0\r\n A: b\r\n\r\n", BAD(TRAILER)),
    CASE(CHUNKED "0\r\nA : b\r\n\r\n", BAD(TRAILER)),
    CASE(CHUNKED "0\r\nA\r\n\r\n", BAD(TRAILER)),
    CASE(CHUNKED "0\r\nA: b\r\n c\r\n\r\n", BAD(TRAILER)),
    CASE(CHUNKED "0\r\nA: b\nC: d\r\n\r\n", BAD(TRAILER)),
    CASE(CHUNKED "0\r\nA: b\0\r\n\r\n", BAD(TRAILER)),
    CASE(CHUNKED "0\r\n\n", BAD(TRAILER)),
    CASE(CHUNKED "0\r\n\rx", BAD(TRAILER)),
    CASE(CHUNKED "0\r\n: b\r\n\r\n", BAD(TRAILER)),
};

struct decoded {
	char body[256];
	size_t body_len, rest;
	char trailers[256];
	enum upstream_fault fault;
	bool ended, reusable;
	enum upstream_fault cut;
};

/* Decodes the bytes in pieces of step, of which each is a copy, taking at most take at once. */
static void decode(const struct body_case *c, size_t step, size_t take, struct decoded *ret)
{
	static struct upstream_response r;
	const struct upstream_asked asked = {.head = (c->flags & HEAD) != 0};
	struct upstream_body b;
	struct buf trailers = BUF_INIT(128);
	size_t scan = 0;
	memset(ret, 0, sizeof(*ret));
	const long head = upstream_response_parse(c->text, c->len, 1024, &scan, &asked, &r);
	assert_true(head > 0);
	upstream_body_begin(&b, &r, &trailers);
	size_t at = (size_t)head, stop = at;
	while (!upstream_body_ended(&b) && at < c->len) {
		if (at == stop)
			stop = c->len - at < step ? c->len : at + step;
		uint8_t *piece = malloc(stop - at);
		memcpy(piece, c->text + at, stop - at);
		size_t body;
		const long used = upstream_body_read(&b, piece, stop - at, &body);
		if (used < 0) {
			ret->fault = (enum upstream_fault) - used;
			free(piece);
			break;
		}
		body = body < take ? body : take;
		memcpy(ret->body + ret->body_len, piece + used, body);
		upstream_body_take(&b, body);
		ret->body_len += body;
		at += (size_t)used + body;
		free(piece);
	}
	ret->rest = c->len - at;
	ret->ended = upstream_body_ended(&b);
	ret->reusable = upstream_body_reusable(&b, ret->rest);
	ret->cut = upstream_body_cut(&b);
	size_t walk = 0, n = 0;
	struct http_header h;
	while (http_trailer_next(&trailers, &walk, &h))
		n += (size_t)snprintf(ret->trailers + n, sizeof(ret->trailers) - n, "%.*s=%.*s ",
				      (int)h.name_len, h.name, (int)h.value_len, h.value);
	buf_release(&trailers);
}

static bool case_holds(const struct body_case *c, const struct decoded *d)
{
	const bool complete = (c->flags & (CUT | ENDS)) == 0;
	if (c->body == NULL)
		return d->fault == c->fault && !d->ended && !d->reusable;
	return d->fault == UPSTREAM_FAULT_NONE && d->ended == complete &&
	       d->reusable == ((c->flags & AGAIN) != 0) && d->body_len == strlen(c->body) &&
	       memcmp(d->body, c->body, d->body_len) == 0 && d->rest == c->rest &&
	       d->cut == ((c->flags & CUT) != 0 ? UPSTREAM_FAULT_CUT : UPSTREAM_FAULT_NONE) &&
	       (!complete || strcmp(d->trailers, c->trailers != NULL ? c->trailers : "") == 0);
}

static void a_body_ends_where_the_rfc_says_however_it_comes(void **state)
{
	(void)state;
	unsigned failed = 0;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t step = 1; step <= cases[i].len; step++)
			for (size_t take = 1; take < 8; take += 3) {
				struct decoded d;
				decode(&cases[i], step, take, &d);
				if (case_holds(&cases[i], &d))
					continue;
				failed++;
				print_message("%s by %zu and %zu: fault %d cut %d rest %zu [%s]\n",
					      cases[i].text, step, take, (int)d.fault, (int)d.cut,
					      d.rest, d.body);
			}
	assert_int_equal(failed, 0);
}

static void a_tunnel_ends_with_its_connection(void **state)
{
	(void)state;
	const struct upstream_response r = {.framing = UPSTREAM_TUNNEL};
	struct upstream_body b;
	size_t body;
	upstream_body_begin(&b, &r, NULL);
	assert_int_equal(upstream_body_read(&b, (const uint8_t *)"0\r\n\r\n", 5, &body), 0);
	assert_int_equal(body, 5);
	upstream_body_take(&b, 5);
	assert_false(upstream_body_ended(&b));
	assert_int_equal(upstream_body_cut(&b), UPSTREAM_FAULT_NONE);
	assert_false(upstream_body_reusable(&b, 0));
}

static void trailers_are_bounded(void **state)
{
	(void)state;
	const struct upstream_response r = {.framing = UPSTREAM_BODY_CHUNKED, .keep_alive = true};
	static const char text[] = "0\r\nA: 123456\r\n\r\n"; /* 11 bytes of trailer */
	for (size_t max = 0; max < 16; max++) {
		struct buf trailers = BUF_INIT(max);
		struct upstream_body b;
		size_t body;
		upstream_body_begin(&b, &r, &trailers);
		const long used =
		    upstream_body_read(&b, (const uint8_t *)text, sizeof(text) - 1, &body);
		assert_int_equal(used, max < 11 ? -UPSTREAM_FAULT_TRAILER : (long)sizeof(text) - 1);
		buf_release(&trailers);
	}
}

/* --- chunks ----------------------------------------------------------------------------------- */

static void what_is_written_in_chunks_is_read_again(void **state)
{
	(void)state;
	static uint8_t data[70000], out[80000], back[70000];
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	static const size_t lengths[] = {1, 15, 16, 17, 255, 256, 4095, 4096, 65535, 65536, 70000};
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		for (size_t room = 13; room < 80000; room = room * 2 + 1) {
			size_t given = 0, got = 0;
			struct http1_chunked k = {0};
			while (given < lengths[i]) {
				size_t taken;
				const size_t n = upstream_chunk_write(out, room, data + given,
								      lengths[i] - given, &taken);
				assert_true(n > 0 && n <= room && taken > 0);
				given += taken;
				for (size_t at = 0; at < n;) {
					const long used =
					    http1_chunked_read(&k, out + at, n - at, 0, NULL);
					assert_true(used >= 0);
					at += (size_t)used;
					if (!http1_chunked_in_data(&k))
						continue;
					memcpy(back + got, out + at, k.left);
					got += k.left;
					at += k.left;
					http1_chunked_take(&k, k.left);
				}
			}
			const size_t n = upstream_chunk_end(out, 5, NULL, NULL);
			assert_int_equal(n, 5);
			assert_int_equal(http1_chunked_read(&k, out, n, 0, NULL), 5);
			assert_true(http1_chunked_ended(&k));
			assert_int_equal(got, lengths[i]);
			assert_memory_equal(back, data, got);
		}
}

static void without_room_nothing_is_written(void **state)
{
	(void)state;
	uint8_t out[16] = {0};
	size_t taken = 7;
	for (size_t room = 0; room <= UPSTREAM_CHUNK_ROOM; room++)
		assert_int_equal(upstream_chunk_write(out, room, out, 5, &taken), 0);
	assert_int_equal(upstream_chunk_write(out, 16, out, 0, &taken), 0);
	assert_int_equal(taken, 0);
	for (size_t room = 0; room < 5; room++)
		assert_true(upstream_chunk_end(out, room, NULL, NULL) == SIZE_MAX);
}

static void only_trailers_that_may_be_go_on(void **state)
{
	(void)state;
	static const char lines[] = "A:1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n"
				    "Host: b\r\nX_Forwarded_For: 1\r\nSet-Cookie: c\r\nB: \t2 \r\n"
				    "Connection: close\r\nauthorization: d\r\nC:\r\nTrailer: A\r\n";
	static const char want[] = "0\r\nA:1\r\nB: 2\r\nC:\r\n\r\n";
	struct buf trailers = BUF_INIT(1024);
	char out[256];
	assert_int_equal(buf_append(&trailers, lines, sizeof(lines) - 1), 0);
	for (size_t room = 0; room < sizeof(out); room++) {
		const size_t n = upstream_chunk_end((uint8_t *)out, room, &trailers, NULL);
		assert_true(n == (room < sizeof(want) - 1 ? SIZE_MAX : sizeof(want) - 1));
	}
	assert_memory_equal(out, want, sizeof(want) - 1);
	buf_release(&trailers);
	/* their bytes and UPSTREAM_CHUNK_ROOM are enough */
	static const char bare[] = "A:b\r\nC:\r\nD:e\r\nF:\r\nG:\r\nH:\r\nI:\r\nJ:\r\n";
	assert_int_equal(buf_append(&trailers, bare, sizeof(bare) - 1), 0);
	assert_int_equal(upstream_chunk_end((uint8_t *)out, sizeof(bare) - 1 + 5, &trailers, NULL),
			 sizeof(bare) - 1 + 5);
	buf_release(&trailers);
}

static void a_trailer_that_connection_names_stays_behind(void **state)
{
	(void)state;
	static const char head[] = "Connection: close,\tB ,, c\r\nX: A\r\nconnection: E\r\n";
	static const char lines[] = "A:1\r\nb:2\r\nC:3\r\nD:4\r\ne:5\r\nclose:6\r\n";
	static const char want[] = "0\r\nA:1\r\nD:4\r\n\r\n";
	static const struct http_field fields[] = {
	    {{0, 10}, {12, 13}}, {{27, 1}, {30, 1}}, {{33, 10}, {45, 1}}};
	const struct upstream_options named = {head, fields, 3};
	struct buf trailers = BUF_INIT(1024);
	char out[256];
	assert_int_equal(buf_append(&trailers, lines, sizeof(lines) - 1), 0);
	assert_int_equal(upstream_chunk_end((uint8_t *)out, sizeof(out), &trailers, &named),
			 sizeof(want) - 1);
	assert_memory_equal(out, want, sizeof(want) - 1);
	buf_release(&trailers);
}

/* --- names ------------------------------------------------------------------------------------ */

static void every_known_name_is_found_in_any_spelling(void **state)
{
	(void)state;
	static const char *const names[] = {
#define NAME(constant, name, hop) name,
	    UPSTREAM_FIELDS(NAME)
#undef NAME
	};
	for (unsigned i = 0; i < UPSTREAM_NO_FIELD; i++) {
		char text[64];
		bool alike;
		const size_t len = strlen(names[i]);
		if (i == UPSTREAM_X_FORWARDED_OTHER)
			continue;
		assert_int_equal(upstream_field_find(names[i], len, &alike), i);
		assert_false(alike);
		for (size_t n = 0; n < len; n++)
			text[n] = (char)(names[i][n] >= 'a' ? names[i][n] - 32 : names[i][n]);
		assert_int_equal(upstream_field_find(text, len, &alike), i);
		assert_false(alike);
		for (size_t n = 0; n < len; n++) {
			if (text[n] != '-')
				continue;
			text[n] = "_.~!"[n % 4];
			assert_int_equal(upstream_field_find(text, len, &alike), i);
			assert_true(alike);
			text[n] = '-';
		}
		if (i >= UPSTREAM_X_FORWARDED_FOR && i < UPSTREAM_X_FORWARDED_OTHER)
			continue;
		assert_int_equal(upstream_field_find(text, len - 1, &alike), UPSTREAM_NO_FIELD);
		text[len] = 'X';
		assert_int_equal(upstream_field_find(text, len + 1, &alike), UPSTREAM_NO_FIELD);
	}
}

static void names_that_begin_like_those_of_a_proxy(void **state)
{
	(void)state;
	bool alike;
	assert_int_equal(upstream_field_find("X-Forwarded-Ssl", 15, &alike),
			 UPSTREAM_X_FORWARDED_OTHER);
	assert_false(alike);
	assert_int_equal(upstream_field_find("x_forwarded-foo", 15, &alike),
			 UPSTREAM_X_FORWARDED_OTHER);
	assert_true(alike);
	assert_int_equal(upstream_field_find("X-Forwarded-Foo_Bar", 19, &alike),
			 UPSTREAM_X_FORWARDED_OTHER);
	assert_false(alike);
	assert_int_equal(upstream_field_find("X-Forwarded", 11, &alike), UPSTREAM_NO_FIELD);
	assert_int_equal(upstream_field_find("X-Forwarded-", 12, &alike),
			 UPSTREAM_X_FORWARDED_OTHER);
	assert_int_equal(upstream_field_find("", 0, &alike), UPSTREAM_NO_FIELD);
	assert_true(upstream_names_alike("X_User", 6, "x-user", 6));
	assert_false(upstream_names_alike("X_User", 6, "x-users", 7));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_body_ends_where_the_rfc_says_however_it_comes),
	    cmocka_unit_test(a_tunnel_ends_with_its_connection),
	    cmocka_unit_test(trailers_are_bounded),
	    cmocka_unit_test(what_is_written_in_chunks_is_read_again),
	    cmocka_unit_test(without_room_nothing_is_written),
	    cmocka_unit_test(only_trailers_that_may_be_go_on),
	    cmocka_unit_test(a_trailer_that_connection_names_stays_behind),
	    cmocka_unit_test(every_known_name_is_found_in_any_spelling),
	    cmocka_unit_test(names_that_begin_like_those_of_a_proxy),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
