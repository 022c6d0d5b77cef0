/* Heads of responses, as upstreams send them: accepted forms, and each form that is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "upstream/response.h"

#define HEAD_MAX 4096

/* --- the table -------------------------------------------------------------------------------- */

enum {
	HEAD = 1,    /* the request was HEAD */
	UPGRADE = 2, /* it asked for "websocket, foo/2" */
	AGAIN = 4,   /* the connection can be used again */
	MORE = 8,    /* the head is not complete */
};

/* What a response is: how its body is framed, or why it is refused. */
#define NONE     UPSTREAM_BODY_NONE
#define LENGTH   UPSTREAM_BODY_LENGTH
#define CHUNKED  UPSTREAM_BODY_CHUNKED
#define CLOSE    UPSTREAM_BODY_CLOSE
#define TUNNEL   UPSTREAM_TUNNEL
#define FAULT(f) (-(int)UPSTREAM_FAULT_##f)

struct response_case {
	const char *text;
	size_t len;
	int want; /* the framing, or minus the fault */
	unsigned flags;
	uint64_t length;
};

#define CASE(bytes, ...)                                                     \
	{                                                                    \
		.text = bytes, .len = sizeof(bytes) - 1, .want = __VA_ARGS__ \
	}
#define OK "HTTP/1.1 200 OK\r\n"

static const struct response_case cases[] = {
    /* --- status lines: RFC 9112, 4 --- */
    CASE(OK "Content-Length: 5\r\n\r\n", LENGTH, AGAIN, 5),
    CASE("HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\n", LENGTH, AGAIN, 5),
    CASE("HTTP/1.1 200\r\nContent-Length: 5\r\n\r\n", LENGTH, AGAIN, 5),
    CASE("HTTP/1.1 200  two blanks\r\nContent-Length: 5\r\n\r\n", LENGTH, AGAIN, 5),
    CASE("HTTP/1.1 200 a\tb \x80\xff\r\nContent-Length: 5\r\n\r\n", LENGTH, AGAIN, 5),
    CASE("HTTP/1.1 404 OK\r\nContent-Length: 5\r\n\r\n", LENGTH, AGAIN, 5),
    CASE("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", LENGTH, 0, 5),
    CASE("HTTP/1.2 200 OK\r\nContent-Length: 5\r\n\r\n", LENGTH, AGAIN, 5),
    CASE("HTTP/1.9 200 OK\r\nContent-Length: 5\r\n\r\n", LENGTH, AGAIN, 5),
    CASE("HTTP/1.1 599 x\r\nContent-Length: 5\r\n\r\n", LENGTH, AGAIN, 5),
    CASE("HTTP/1.1 299 x\r\nContent-Length: 5\r\n\r\n", LENGTH, AGAIN, 5),
    CASE("HTTP/1.1 499 x\r\nContent-Length: 5\r\n\r\n", LENGTH, AGAIN, 5),
    CASE("HTTP/1.1 099 x\r\n\r\n", FAULT(STATUS)),
    CASE("HTTP/1.1 000 x\r\n\r\n", FAULT(STATUS)),
    CASE("HTTP/1.1 600 x\r\n\r\n", FAULT(STATUS)),
    CASE("HTTP/1.1 999 x\r\n\r\n", FAULT(STATUS)),
    CASE("HTTP/1.1 20 x\r\n\r\n", FAULT(STATUS_LINE)),
    CASE("HTTP/1.1 2000 x\r\n\r\n", FAULT(STATUS_LINE)),
    CASE("HTTP/1.1 2x0 x\r\n\r\n", FAULT(STATUS_LINE)),
    CASE("HTTP/1.1 +20 x\r\n\r\n", FAULT(STATUS_LINE)),
    CASE("HTTP/1.1 -20 x\r\n\r\n", FAULT(STATUS_LINE)),
    CASE("HTTP/1.1 200OK\r\n\r\n", FAULT(STATUS_LINE)),
    CASE("HTTP/1.1 200\tOK\r\n\r\n", FAULT(STATUS_LINE)),
    CASE("HTTP/1.1\t200 OK\r\n\r\n", FAULT(STATUS_LINE)),
    CASE("HTTP/1.1  200 OK\r\n\r\n", FAULT(STATUS_LINE)),
    CASE("HTTP/1.1\r\n\r\n", FAULT(STATUS_LINE)),
    CASE("HTTP/1.1 \r\n\r\n", FAULT(STATUS_LINE)),
    CASE("HTTP/1.1 OK\r\n\r\n", FAULT(STATUS_LINE)),
    CASE("HTTP/1.1 200 O\0K\r\n\r\n", FAULT(STATUS_LINE)),
    CASE("HTTP/1.1 200 O\x01K\r\n\r\n", FAULT(STATUS_LINE)),
    CASE("HTTP/1.1 200 O\x7fK\r\n\r\n", FAULT(STATUS_LINE)),
    CASE("HTTP/1.1 200 O\rK\r\n\r\n", FAULT(STATUS_LINE)),
    CASE("HTTP/1.1 200 OK\r\r\n\r\n", FAULT(STATUS_LINE)),
    CASE("HTTP/1.1 200\r OK\r\n\r\n", FAULT(STATUS_LINE)),
    CASE("HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\n", FAULT(STATUS_LINE)),
    CASE("HTTP/1.1 200 OK\n\n", FAULT(STATUS_LINE)),
    CASE("HTTP/1. 200 OK\r\n\r\n", FAULT(STATUS_LINE)),
    CASE("HTTP/1.10 200 OK\r\n\r\n", FAULT(STATUS_LINE)),
    CASE("HTTP/1.x 200 OK\r\n\r\n", FAULT(STATUS_LINE)),
    CASE("HTTP/2.0 200 OK\r\n\r\n", FAULT(STATUS_LINE)),
    CASE("HTTP/2 200\r\n\r\n", FAULT(STATUS_LINE)),
    CASE("HTTP/0.9 200 OK\r\n\r\n", FAULT(STATUS_LINE)),
    CASE("HTTP/11 200 OK\r\n\r\n", FAULT(STATUS_LINE)),
    CASE("HTTP/1,1 200 OK\r\n\r\n", FAULT(STATUS_LINE)),
    CASE("http/1.1 200 OK\r\n\r\n", FAULT(STATUS_LINE)),
    CASE("HTTPS/1.1 200 OK\r\n\r\n", FAULT(STATUS_LINE)),
    CASE("ICY 200 OK\r\n\r\n", FAULT(STATUS_LINE)),
    CASE("SSH-2.0-OpenSSH_9.2\r\n", FAULT(STATUS_LINE)),
    CASE("220 mail.example.org ESMTP\r\n", FAULT(STATUS_LINE)),
    CASE("<html>\n<body>", FAULT(STATUS_LINE)),
    CASE("\x15\x03\x01\x00\x02\x02\x46", FAULT(STATUS_LINE)),
    CASE("\x00\x00\x12\x04\x00\x00\x00\x00\x00", FAULT(STATUS_LINE)),
    CASE("GET / HTTP/1.1\r\nHost: a\r\n\r\n", FAULT(STATUS_LINE)),
    CASE(" HTTP/1.1 200 OK\r\n\r\n", FAULT(STATUS_LINE)),
    CASE("\r\nHTTP/1.1 200 OK\r\n\r\n", FAULT(STATUS_LINE)),
    CASE("\nHTTP/1.1 200 OK\r\n\r\n", FAULT(STATUS_LINE)),
    CASE("\r\n", FAULT(STATUS_LINE)),
    CASE("\0HTTP/1.1 200 OK\r\n\r\n", FAULT(STATUS_LINE)),
    CASE("\xef\xbb\xbfHTTP/1.1 200 OK\r\n\r\n", FAULT(STATUS_LINE)),

    /* --- not complete --- */
    CASE("", 0, MORE),
    CASE("HTTP", 0, MORE),
    CASE("HTTP/1.1 200 OK", 0, MORE),
    CASE("HTTP/1.1 200 OK\r", 0, MORE),
    CASE("HTTP/1.1 200 OK\r\n", 0, MORE),
    CASE("HTTP/1.1 200 OK\r\nA: b", 0, MORE),
    CASE("HTTP/1.1 200 OK\r\nA: b\r\n", 0, MORE),
    CASE("HTTP/1.1 200 OK\r\nA: b\r\n\r", 0, MORE),

    /* --- fields: RFC 9112, 5 --- */
    CASE(OK "A: b\r\nContent-Length: 5\r\n\r\n", LENGTH, AGAIN, 5),
    CASE(OK "A:b\r\nB:\tc \r\nC:\r\nD: \x80\xff\r\nContent-Length:5\r\n\r\n", LENGTH, AGAIN, 5),
    CASE(OK "A : b\r\nContent-Length \t: 5\r\n\r\n", LENGTH, AGAIN, 5),
    CASE(OK "!#$%&'*+-.^_`|~9aZ: b\r\nContent-Length: 5\r\n\r\n", LENGTH, AGAIN, 5),
    CASE(OK "A: b\r\n c\r\nContent-Length: 5\r\n\r\n", FAULT(FIELD)),
    CASE(OK "A: b\r\n\tc\r\nContent-Length: 5\r\n\r\n", FAULT(FIELD)),
    CASE(OK "A: b\r\n \r\nContent-Length: 5\r\n\r\n", FAULT(FIELD)),
    CASE(OK "Content-Length:\r\n 5\r\n\r\n", FAULT(LENGTH)),
    CASE(OK " A: b\r\n\r\n", FAULT(FIELD)),
    CASE(OK "\tA: b\r\n\r\n", FAULT(FIELD)),
    CASE(OK "A b\r\n\r\n", FAULT(FIELD)),
    CASE(OK "A\r\n\r\n", FAULT(FIELD)),
    CASE(OK "A B: c\r\n\r\n", FAULT(FIELD)),
    CASE(OK ": b\r\n\r\n", FAULT(FIELD)),
    CASE(OK " : b\r\n\r\n", FAULT(FIELD)),
    CASE(OK "A\0: b\r\n\r\n", FAULT(FIELD)),
    CASE(OK "A\x80: b\r\n\r\n", FAULT(FIELD)),
    CASE(OK "A(b): c\r\n\r\n", FAULT(FIELD)),
    CASE(OK "A/b: c\r\n\r\n", FAULT(FIELD)),
    CASE(OK "\"A\": c\r\n\r\n", FAULT(FIELD)),
    CASE(OK "A: b\0c\r\n\r\n", FAULT(FIELD)),
    CASE(OK "A: \0\r\n\r\n", FAULT(FIELD)),
    CASE(OK "A: b\x01\r\n\r\n", FAULT(FIELD)),
    CASE(OK "A: b\x0b\r\n\r\n", FAULT(FIELD)),
    CASE(OK "A: b\x1b[2J\r\n\r\n", FAULT(FIELD)),
    CASE(OK "A: b\x7f\r\n\r\n", FAULT(FIELD)),
    CASE(OK "A: b\rc\r\n\r\n", FAULT(FIELD)),
    CASE(OK "A: b\r\r\n\r\n", FAULT(FIELD)),
    CASE(OK "A: \r\r\n\r\n", FAULT(FIELD)),
    CASE(OK "A: b\nContent-Length: 5\r\n\r\n", FAULT(FIELD)),
    CASE(OK "A: b\r\n\nhello", FAULT(FIELD)),
    CASE(OK "A: b\n\r\n", FAULT(FIELD)),
    CASE(OK "A: b\r\n\r\r\n\r\n", FAULT(FIELD)),
    CASE(OK "\r A: b\r\n\r\n", FAULT(FIELD)),

    /* --- Content-Length: RFC 9110, 8.6; RFC 9112, 6.3 --- */
    CASE(OK "Content-Length: 0\r\n\r\n", NONE, AGAIN, 0),
    CASE(OK "Content-Length: 0005\r\n\r\n", LENGTH, AGAIN, 5),
    CASE(OK "content-LENGTH:5\r\n\r\n", LENGTH, AGAIN, 5),
    CASE(OK "Content-Length: \t5 \t\r\n\r\n", LENGTH, AGAIN, 5),
    CASE(OK "Content-Length: 18446744073709551614\r\n\r\n", LENGTH, AGAIN, UINT64_MAX - 1),
    CASE(OK "Content-Length: 18446744073709551615\r\n\r\n", FAULT(LENGTH)),
    CASE(OK "Content-Length: 18446744073709551616\r\n\r\n", FAULT(LENGTH)),
    CASE(OK "Content-Length: 18446744073709551621\r\n\r\n", FAULT(LENGTH)),
    CASE(OK "Content-Length: 99999999999999999999999\r\n\r\n", FAULT(LENGTH)),
    CASE(OK "Content-Length:\r\n\r\n", FAULT(LENGTH)),
    CASE(OK "Content-Length: \r\n\r\n", FAULT(LENGTH)),
    CASE(OK "Content-Length: -5\r\n\r\n", FAULT(LENGTH)),
    CASE(OK "Content-Length: +5\r\n\r\n", FAULT(LENGTH)),
    CASE(OK "Content-Length: 5.0\r\n\r\n", FAULT(LENGTH)),
    CASE(OK "Content-Length: 0x5\r\n\r\n", FAULT(LENGTH)),
    CASE(OK "Content-Length: 5e1\r\n\r\n", FAULT(LENGTH)),
    CASE(OK "Content-Length: 5 5\r\n\r\n", FAULT(LENGTH)),
    CASE(OK "Content-Length: five\r\n\r\n", FAULT(LENGTH)),
    CASE(OK "Content-Length: \"5\"\r\n\r\n", FAULT(LENGTH)),
    CASE(OK "Content-Length: 5;a\r\n\r\n", FAULT(LENGTH)),
    CASE(OK "Content-Length: 5, 5\r\n\r\n", FAULT(LENGTH)),
    CASE(OK "Content-Length: 5, 6\r\n\r\n", FAULT(LENGTH)),
    CASE(OK "Content-Length: 5,\r\n\r\n", FAULT(LENGTH)),
    CASE(OK "Content-Length: ,5\r\n\r\n", FAULT(LENGTH)),
    CASE(OK "Content-Length: 5\xa0\r\n\r\n", FAULT(LENGTH)),
    CASE(OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", FAULT(LENGTH)),
    CASE(OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", FAULT(LENGTH)),
    CASE(OK "Content-Length: 5\r\nContent-Length: x\r\n\r\n", FAULT(LENGTH)),
    CASE(OK "Content-Length: 0\r\nContent-Length: 0\r\n\r\n", FAULT(LENGTH)),
    CASE(OK "Content-Length: 5\r\nContent-Length : 6\r\n\r\n", FAULT(LENGTH)),
    CASE("HTTP/1.1 304 x\r\nContent-Length: x\r\n\r\n", FAULT(LENGTH)),
    CASE("HTTP/1.1 304 x\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", FAULT(LENGTH)),
    CASE("HTTP/1.1 204 x\r\nContent-Length: x\r\n\r\n", FAULT(LENGTH)),
    CASE("HTTP/1.1 100 x\r\nContent-Length: -1\r\n\r\n", FAULT(LENGTH)),
    CASE(OK "Content-Length: 5, 6\r\n\r\n", FAULT(LENGTH), HEAD),
    /* of another name */
    CASE(OK "Content_Length: 5\r\n\r\n", CLOSE, 0),
    CASE(OK "X-Content-Length: 5\r\n\r\n", CLOSE, 0),

    /* --- Transfer-Encoding: RFC 9112, 6.1 and 6.3 --- */
    CASE(OK "Transfer-Encoding: chunked\r\n\r\n", CHUNKED, AGAIN),
    CASE(OK "transfer-encoding:CHUNKED \r\n\r\n", CHUNKED, AGAIN),
    CASE(OK "Transfer-Encoding : chunked\r\n\r\n", CHUNKED, AGAIN),
    CASE(OK "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n", CHUNKED, 0),
    CASE(OK "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", FAULT(BOTH)),
    CASE(OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", FAULT(BOTH)),
    CASE(OK "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n", FAULT(BOTH)),
    CASE(OK "Content-Length: 5\r\nTransfer-Encoding : chunked\r\n\r\n", FAULT(BOTH)),
    CASE(OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", FAULT(BOTH), HEAD),
    CASE("HTTP/1.1 304 x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", FAULT(BOTH)),
    CASE("HTTP/1.1 204 x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", FAULT(BOTH)),
    CASE("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", FAULT(CODING)),
    CASE("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
	 FAULT(CODING)),
    CASE("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", FAULT(CODING), HEAD),
    CASE(OK "Transfer-Encoding:\r\n\r\n", FAULT(CODING)),
    CASE(OK "Transfer-Encoding: \r\nContent-Length: 5\r\n\r\n", FAULT(CODING)),
    CASE(OK "Transfer-Encoding: gzip\r\n\r\n", FAULT(CODING)),
    CASE(OK "Transfer-Encoding: gzip\r\nContent-Length: 5\r\n\r\n", FAULT(CODING)),
    CASE(OK "Transfer-Encoding: gzip, chunked\r\n\r\n", FAULT(CODING)),
    CASE(OK "Transfer-Encoding: chunked, gzip\r\n\r\n", FAULT(CODING)),
    CASE(OK "Transfer-Encoding: chunked, chunked\r\n\r\n", FAULT(CODING)),
    CASE(OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", FAULT(CODING)),
    CASE(OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", FAULT(CODING)),
    CASE(OK "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n", FAULT(CODING)),
    CASE(OK "Transfer-Encoding: identity\r\n\r\n", FAULT(CODING)),
    CASE(OK "Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\n", FAULT(CODING)),
    CASE(OK "Transfer-Encoding: identity, chunked\r\n\r\n", FAULT(CODING)),
    CASE(OK "Transfer-Encoding: chunked;a=b\r\n\r\n", FAULT(CODING)),
    CASE(OK "Transfer-Encoding: chunked;q=1\r\n\r\n", FAULT(CODING)),
    CASE(OK "Transfer-Encoding: \"chunked\"\r\n\r\n", FAULT(CODING)),
    CASE(OK "Transfer-Encoding: xchunked\r\n\r\n", FAULT(CODING)),
    CASE(OK "Transfer-Encoding: chunkedx\r\n\r\n", FAULT(CODING)),
    CASE(OK "Transfer-Encoding: chunk\r\n\r\n", FAULT(CODING)),
    CASE(OK "Transfer-Encoding: chunked,\r\n\r\n", FAULT(CODING)),
    CASE(OK "Transfer-Encoding: ,chunked\r\n\r\n", FAULT(CODING)),
    CASE(OK "Transfer-Encoding: chunked\xa0\r\n\r\n", FAULT(CODING)),
    CASE(OK "Transfer-Encoding: \x80"
	    "chunked\r\n\r\n",
	 FAULT(CODING)),
    CASE(OK "Transfer-Encoding: chunked\x0b\r\n\r\n", FAULT(FIELD)),
    CASE(OK "Transfer-Encoding: chunked\0\r\n\r\n", FAULT(FIELD)),
    CASE(OK "Transfer-Encoding:\r\n chunked\r\n\r\n", FAULT(CODING)),
    CASE(OK "\xffTransfer-Encoding: chunked\r\n\r\n", FAULT(FIELD)),
    CASE(OK "Transfer-Encoding\0: chunked\r\n\r\n", FAULT(FIELD)),
    CASE(OK "A: b\r\r\nTransfer-Encoding: chunked\r\n\r\n", FAULT(FIELD)),
    CASE(OK "Transfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\n", LENGTH, AGAIN, 5),

    /* --- responses without a body: RFC 9112, 6.3 --- */
    CASE(OK "Content-Length: 5\r\n\r\n", NONE, HEAD | AGAIN, 5),
    CASE(OK "Transfer-Encoding: chunked\r\n\r\n", NONE, HEAD | AGAIN),
    CASE(OK "\r\n", NONE, HEAD | AGAIN),
    CASE("HTTP/1.0 200 OK\r\n\r\n", NONE, HEAD),
    CASE("HTTP/1.1 404 x\r\nContent-Length: 5\r\n\r\n", NONE, HEAD | AGAIN, 5),
    CASE("HTTP/1.1 304 x\r\n\r\n", NONE, AGAIN),
    CASE("HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n", NONE, AGAIN, 5),
    CASE("HTTP/1.1 304 x\r\nTransfer-Encoding: chunked\r\n\r\n", NONE, AGAIN),
    CASE("HTTP/1.1 204 x\r\n\r\n", NONE, AGAIN),
    CASE("HTTP/1.1 204 x\r\nContent-Length: 0\r\n\r\n", NONE, AGAIN),
    CASE("HTTP/1.1 204 x\r\nContent-Length: 5\r\n\r\n", NONE, 0, 5),
    CASE("HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n\r\n", NONE, 0),
    CASE("HTTP/1.1 100 Continue\r\n\r\n", NONE, AGAIN),
    CASE("HTTP/1.1 100\r\n\r\n", NONE, AGAIN),
    CASE("HTTP/1.1 102 Processing\r\n\r\n", NONE, AGAIN),
    CASE("HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n", NONE, AGAIN),
    CASE("HTTP/1.1 199 x\r\n\r\n", NONE, AGAIN),
    CASE("HTTP/1.1 100 x\r\nContent-Length: 0\r\n\r\n", NONE, AGAIN),
    CASE("HTTP/1.1 100 x\r\nContent-Length: 5\r\n\r\n", NONE, 0, 5),
    CASE("HTTP/1.1 103 x\r\nTransfer-Encoding: chunked\r\n\r\n", NONE, 0),
    CASE("HTTP/1.1 205 x\r\nContent-Length: 0\r\n\r\n", NONE, AGAIN),
    CASE("HTTP/1.1 205 x\r\nTransfer-Encoding: chunked\r\n\r\n", CHUNKED, AGAIN),
    CASE("HTTP/1.1 205 x\r\nContent-Length: 5\r\n\r\n", LENGTH, AGAIN, 5),
    CASE("HTTP/1.1 205 x\r\n\r\n", CLOSE, 0),

    /* --- to the end of the connection, and persistence: RFC 9112, 6.3 and 9.3 --- */
    CASE(OK "\r\n", CLOSE, 0),
    CASE("HTTP/1.0 200 OK\r\n\r\n", CLOSE, 0),
    CASE("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n", CLOSE, 0),
    CASE("HTTP/1.1 500 x\r\n\r\n", CLOSE, 0),
    CASE(OK "Connection: keep-alive\r\n\r\n", CLOSE, 0),
    CASE("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 5\r\n\r\n", LENGTH, AGAIN,
	 5),
    CASE("HTTP/1.0 200 OK\r\nConnection: a, keep-alive\r\nContent-Length: 5\r\n\r\n", LENGTH, AGAIN,
	 5),
    CASE("HTTP/1.0 200 OK\r\nKeep-Alive: timeout=5\r\nContent-Length: 5\r\n\r\n", LENGTH, 0, 5),
    CASE(OK "Connection: close\r\nContent-Length: 5\r\n\r\n", LENGTH, 0, 5),
    CASE(OK "Connection: CLOSE\r\nContent-Length: 5\r\n\r\n", LENGTH, 0, 5),
    CASE(OK "Connection: a,,\t close ,b\r\nContent-Length: 5\r\n\r\n", LENGTH, 0, 5),
    CASE(OK "Connection: keep-alive\r\nConnection: close\r\nContent-Length: 5\r\n\r\n", LENGTH, 0,
	 5),
    CASE(OK "Connection: close, keep-alive\r\nContent-Length: 5\r\n\r\n", LENGTH, 0, 5),
    CASE(OK "Connection: closed\r\nContent-Length: 5\r\n\r\n", LENGTH, AGAIN, 5),
    CASE(OK "Connection: \"close\"\r\nContent-Length: 5\r\n\r\n", LENGTH, AGAIN, 5),
    CASE(OK "Connection:\r\nContent-Length: 5\r\n\r\n", LENGTH, AGAIN, 5),
    CASE(OK "Proxy-Connection: close\r\nContent-Length: 5\r\n\r\n", LENGTH, AGAIN, 5),
    CASE(OK "Content-Length: 0\r\nConnection: close\r\n\r\n", NONE, 0),
    CASE("HTTP/1.1 304 x\r\nConnection: close\r\n\r\n", NONE, 0),
    /* Upgrade without 101 is an offer */
    CASE(OK "Upgrade: h2,h2c\r\nConnection: Upgrade\r\nContent-Length: 5\r\n\r\n", LENGTH, AGAIN,
	 5),
    CASE("HTTP/1.1 426 x\r\nUpgrade: foo\r\nConnection: upgrade\r\nContent-Length: 5\r\n\r\n",
	 LENGTH, AGAIN, 5),

/* --- 101: RFC 9110, 7.8 and 15.2.2 --- */
#define SWITCH "HTTP/1.1 101 Switching Protocols\r\n"
    CASE(SWITCH "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n", TUNNEL, UPGRADE),
    CASE(SWITCH "Upgrade: WebSocket\r\nConnection: keep-alive, upgrade\r\n\r\n", TUNNEL, UPGRADE),
    CASE(SWITCH "Upgrade: FOO/2\r\nConnection: upgrade\r\n\r\n", TUNNEL, UPGRADE),
    CASE(SWITCH "Upgrade: foo/2, websocket\r\nConnection: upgrade\r\n\r\n", TUNNEL, UPGRADE),
    CASE(SWITCH "Upgrade: websocket\r\nConnection: upgrade\r\nContent-Length: 0\r\n\r\n", TUNNEL,
	 UPGRADE),
    CASE(SWITCH "Upgrade: websocket\r\nConnection: upgrade\r\nContent-Length: 5\r\n\r\n",
	 FAULT(SWITCH), UPGRADE),
    CASE(SWITCH "Upgrade: websocket\r\nConnection: upgrade\r\nTransfer-Encoding: chunked\r\n\r\n",
	 FAULT(SWITCH), UPGRADE),
    CASE(SWITCH "Upgrade: websocket\r\nConnection: upgrade\r\n\r\n", FAULT(SWITCH)),
    CASE(SWITCH "\r\n", FAULT(SWITCH)),
    CASE(SWITCH "\r\n", FAULT(SWITCH), UPGRADE),
    CASE(SWITCH "\r\n", FAULT(SWITCH), HEAD),
    CASE(SWITCH "Upgrade: websocket\r\n\r\n", FAULT(SWITCH), UPGRADE),
    CASE(SWITCH "Connection: upgrade\r\n\r\n", FAULT(SWITCH), UPGRADE),
    CASE(SWITCH "Upgrade: websocket\r\nConnection: close\r\n\r\n", FAULT(SWITCH), UPGRADE),
    CASE(SWITCH "Upgrade:\r\nConnection: upgrade\r\n\r\n", FAULT(SWITCH), UPGRADE),
    CASE(SWITCH "Upgrade: foo\r\nConnection: upgrade\r\n\r\n", FAULT(SWITCH), UPGRADE),
    CASE(SWITCH "Upgrade: foo/3\r\nConnection: upgrade\r\n\r\n", FAULT(SWITCH), UPGRADE),
    CASE(SWITCH "Upgrade: h2c\r\nConnection: upgrade\r\n\r\n", FAULT(SWITCH), UPGRADE),
    CASE(SWITCH "Upgrade: websocket, h2c\r\nConnection: upgrade\r\n\r\n", FAULT(SWITCH), UPGRADE),
    CASE(SWITCH "Upgrade: websocket\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
	 FAULT(SWITCH), UPGRADE),
    CASE("HTTP/1.0 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", FAULT(SWITCH),
	 UPGRADE),
    /* an answer in place of the switch */
    CASE("HTTP/1.1 403 x\r\nContent-Length: 5\r\n\r\n", LENGTH, UPGRADE | AGAIN, 5),
    CASE("HTTP/1.1 200 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\nContent-Length: "
	 "5\r\n\r\n",
	 LENGTH, UPGRADE | AGAIN, 5),
};

/* Parses a copy of the exact size, so that a sanitizer sees a read past the end. */
static long parse(const struct response_case *c, size_t len, size_t *scan,
		  struct upstream_response *r)
{
	static char *copy;
	static const char wanted[] = "websocket, foo/2";
	const bool upgrade = (c->flags & UPGRADE) != 0;
	const struct upstream_asked asked = {.head = (c->flags & HEAD) != 0,
					     .upgrade = upgrade ? wanted : NULL,
					     .upgrade_len = upgrade ? sizeof(wanted) - 1 : 0};
	free(copy);
	copy = malloc(len > 0 ? len : 1);
	memcpy(copy, c->text, len);
	return upstream_response_parse(copy, len, HEAD_MAX, scan, &asked, r);
}

static bool case_holds(const struct response_case *c, long got, const struct upstream_response *r)
{
	if ((c->flags & MORE) != 0)
		return got == 0;
	if (c->want < 0)
		return got == c->want;
	return got == (long)c->len && (int)r->framing == c->want && r->head_len == c->len &&
	       r->keep_alive == ((c->flags & AGAIN) != 0) && r->content_length == c->length;
}

static void each_case_is_read_as_the_rfc_says(void **state)
{
	(void)state;
	static struct upstream_response r;
	unsigned failed = 0;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct response_case *c = &cases[i];
		size_t scan = 0;
		const long got = parse(c, c->len, &scan, &r);
		if (case_holds(c, got, &r))
			continue;
		failed++;
		print_message("%s\n  got %ld, framing %d, keep %d, length %ju\n", c->text, got,
			      (int)r.framing, r.keep_alive, (uintmax_t)r.content_length);
	}
	assert_int_equal(failed, 0);
	assert_true(sizeof(cases) / sizeof(cases[0]) >= 150);
}

static void bytes_that_come_one_by_one_change_nothing(void **state)
{
	(void)state;
	static struct upstream_response r;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct response_case *c = &cases[i];
		size_t scan = 0;
		long got = 0;
		for (size_t len = 0; len <= c->len && got == 0; len++)
			got = parse(c, len, &scan, &r);
		if (!case_holds(c, got, &r))
			fail_msg("%s: got %ld", c->text, got);
	}
}

/* --- bounds ----------------------------------------------------------------------------------- */

static const struct upstream_asked plain;

static void what_speaks_another_protocol_is_refused_at_once(void **state)
{
	(void)state;
	static struct upstream_response r;
	static const char *const starts[] = {"h", "HTTP/2", "HTTP/1,", "\x16", "<", "\r", " ", ""};
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		size_t scan = 0;
		assert_int_equal(upstream_response_parse(starts[i], strlen(starts[i]), HEAD_MAX,
							 &scan, &plain, &r),
				 starts[i][0] == '\0' ? 0 : -UPSTREAM_FAULT_STATUS_LINE);
	}
}

static void a_head_that_is_too_long_is_refused(void **state)
{
	(void)state;
	static struct upstream_response r;
	char text[256];
	for (size_t fill = 0; fill < 100; fill++) {
		const int len = snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nA: %0*d\r\n\r\n",
					 (int)fill + 1, 0);
		for (size_t max = (size_t)len - 1; max <= (size_t)len + 1; max++) {
			size_t scan = 0;
			const long got =
			    upstream_response_parse(text, (size_t)len, max, &scan, &plain, &r);
			assert_int_equal(got, max < (size_t)len ? -UPSTREAM_FAULT_HEAD_LONG : len);
		}
	}
}

static void as_many_fields_as_there_may_be(void **state)
{
	(void)state;
	static struct upstream_response r;
	static char text[16 + 8 * (HTTP_HEADERS_MAX + 1) + 8];
	for (int extra = 0; extra < 2; extra++) {
		size_t scan = 0;
		int len = snprintf(text, sizeof(text), "HTTP/1.1 204 x\r\n");
		for (int i = 0; i < HTTP_HEADERS_MAX + extra; i++)
			len += snprintf(text + len, sizeof(text) - (size_t)len, "A: b\r\n");
		len += snprintf(text + len, sizeof(text) - (size_t)len, "\r\n");
		const long got =
		    upstream_response_parse(text, (size_t)len, 65536, &scan, &plain, &r);
		assert_int_equal(got, extra == 0 ? len : -UPSTREAM_FAULT_FIELDS_MANY);
	}
}

static void fields_are_found_as_they_were_sent(void **state)
{
	(void)state;
	static struct upstream_response r;
	static const char text[] = "HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/ \r\nX :\r\n"
				   "set-cookie:\tc\r\nContent-Length: 1\r\n\r\nx";
	static const char *const want[] = {"Set-Cookie=a=b; Path=/", "X=", "set-cookie=c",
					   "Content-Length=1"};
	size_t scan = 0;
	assert_int_equal(
	    upstream_response_parse(text, sizeof(text) - 1, HEAD_MAX, &scan, &plain, &r),
	    sizeof(text) - 2);
	assert_int_equal(r.status, 200);
	assert_int_equal(r.version_minor, 1);
	assert_int_equal(r.fields_count, 4);
	for (unsigned i = 0; i < r.fields_count; i++) {
		char line[64];
		const struct http_header h = upstream_response_field(&r, i);
		(void)snprintf(line, sizeof(line), "%.*s=%.*s", (int)h.name_len, h.name,
			       (int)h.value_len, h.value);
		assert_string_equal(line, want[i]);
	}
}

static void each_fault_has_a_sentence(void **state)
{
	(void)state;
	for (unsigned i = 0; i < UPSTREAM_FAULTS; i++)
		assert_true(strlen(upstream_fault_text((enum upstream_fault)i)) > 3);
	assert_string_equal(upstream_fault_text(UPSTREAM_FAULTS), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_case_is_read_as_the_rfc_says),
	    cmocka_unit_test(bytes_that_come_one_by_one_change_nothing),
	    cmocka_unit_test(what_speaks_another_protocol_is_refused_at_once),
	    cmocka_unit_test(a_head_that_is_too_long_is_refused),
	    cmocka_unit_test(as_many_fields_as_there_may_be),
	    cmocka_unit_test(fields_are_found_as_they_were_sent),
	    cmocka_unit_test(each_fault_has_a_sentence),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
