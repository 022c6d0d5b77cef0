/* The head of a request that goes upstream: rebuilt from what was parsed, whatever a client sent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../proxy_head.h"

/* --- without anything that the proxy adds ------------------------------------------------------
 */

#define REFUSED "refused" /* by the parser, before any handler */

struct request_case {
	const char *sent; /* the head, without its blank line */
	const char *want; /* what goes upstream, without it; or the status; or REFUSED */
};

#define H "Host: a\r\n"
#define GET(fields, want)                                                  \
	{                                                                  \
		"GET / HTTP/1.1\r\n" H fields, "GET / HTTP/1.1\r\n" H want \
	}
#define SAME(text)         \
	{                  \
		text, text \
	}
#define REFUSE(fields)                                  \
	{                                               \
		"POST / HTTP/1.1\r\n" H fields, REFUSED \
	}
/* The target alone. */
#define TARGET(sent, want)                                                   \
	{                                                                    \
		"GET " sent " HTTP/1.1\r\n" H, "GET " want " HTTP/1.1\r\n" H \
	}
#define BAD_TARGET(sent)                               \
	{                                              \
		"GET " sent " HTTP/1.1\r\n" H, REFUSED \
	}
#define UNCLEAR_TARGET(sent)                         \
	{                                            \
		"GET " sent " HTTP/1.1\r\n" H, "400" \
	}

static const struct request_case cases[] = {
    /* --- methods and framing: RFC 9110, 9; RFC 9112, 6 --- */
    SAME("GET / HTTP/1.1\r\n" H),
    SAME("HEAD / HTTP/1.1\r\n" H),
    SAME("DELETE /a HTTP/1.1\r\n" H),
    SAME("OPTIONS /a HTTP/1.1\r\n" H),
    SAME("POST /a HTTP/1.1\r\n" H),
    SAME("POST /a HTTP/1.1\r\n" H "Content-Length: 0\r\n"),
    SAME("PUT /a HTTP/1.1\r\n" H "Content-Length: 0\r\n"),
    SAME("PATCH /a HTTP/1.1\r\n" H "Content-Length: 5\r\n"),
    SAME("GET / HTTP/1.1\r\n" H "Content-Length: 5\r\n"),
    SAME("DELETE / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n"),
    SAME("POST / HTTP/1.1\r\n" H "Content-Length: 18446744073709551614\r\n"),
    GET("Content-Length: 005\r\n", "Content-Length: 5\r\n"),
    GET("content-length:\t5 \r\nA: b\r\n", "A: b\r\nContent-Length: 5\r\n"),
    GET("TRANSFER-ENCODING:CHUNKED\r\nA: b\r\n", "A: b\r\nTransfer-Encoding: chunked\r\n"),
    REFUSE("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
    REFUSE("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"),
    REFUSE("Content-Length: 5\r\nContent-Length: 5\r\n"),
    REFUSE("Content-Length: 5\r\nContent-Length: 6\r\n"),
    REFUSE("Content-Length: 5, 5\r\n"),
    REFUSE("Content-Length: +5\r\n"),
    REFUSE("Content-Length: -5\r\n"),
    REFUSE("Content-Length: 5\x0b\r\n"),
    REFUSE("Content-Length: 0x5\r\n"),
    REFUSE("Content-Length:\r\n"),
    REFUSE("Content-Length : 5\r\n"),
    REFUSE("Transfer-Encoding : chunked\r\n"),
    REFUSE("Transfer-Encoding: chunked, chunked\r\n"),
    REFUSE("Transfer-Encoding: chunked, identity\r\n"),
    REFUSE("Transfer-Encoding: gzip, chunked\r\n"),
    REFUSE("Transfer-Encoding: xchunked\r\n"),
    REFUSE("Transfer-Encoding: \"chunked\"\r\n"),
    REFUSE("Transfer-Encoding:\r\n chunked\r\n"),
    REFUSE("Transfer-Encoding:\x0b"
	   "chunked\r\n"),
    REFUSE("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"),
    REFUSE("A: b\r\n c\r\n"),
    REFUSE(" A: b\r\n"),
    REFUSE("A: b\rTransfer-Encoding: chunked\r\n"),
    REFUSE("A: b\nTransfer-Encoding: chunked\r\n"),
    REFUSE("A\r\n"),
    REFUSE(": b\r\n"),
    REFUSE("A b: c\r\n"),
    REFUSE("A: b\x01\r\n"),
    REFUSE("A: b\x7f\r\n"),
    {"CONNECT a:443 HTTP/1.1\r\n" H, REFUSED},
    {"GET / HTTP/2.0\r\n" H, REFUSED},
    {"GET / HTTP/0.9\r\n" H, REFUSED},
    {"GET  / HTTP/1.1\r\n" H, REFUSED},
    {"GET /a b HTTP/1.1\r\n" H, REFUSED},
    {"GET /a HTTP/1.1 HTTP/1.1\r\n" H, REFUSED},
    {"GET /\r\n" H, REFUSED},
    {" GET / HTTP/1.1\r\n" H, REFUSED},
    {"\r\n\r\nGET / HTTP/1.1\r\n" H, "GET / HTTP/1.1\r\n" H},
    /* a method that nobody knows goes on where the location takes it */
    SAME("PURGE /a HTTP/1.1\r\n" H),
    SAME("PROPFIND /a HTTP/1.1\r\n" H "Depth: 1\r\n"),
    SAME("get / HTTP/1.1\r\n" H),

    /* --- fields whose name is only like one that frames --- */
    GET("Content_Length: 5\r\nA: b\r\n", "A: b\r\n"),
    GET("Transfer_Encoding: chunked\r\n", ""),
    GET("Transfer.Encoding: chunked\r\n", ""),
    GET("content_length: 5\r\nContent-Length: 6\r\n", "Content-Length: 6\r\n"),
    GET("X-Content-Length: 5\r\n", "X-Content-Length: 5\r\n"),
    GET("Content-Length-: 5\r\n", "Content-Length-: 5\r\n"),
    GET("Xtransfer-Encoding: chunked\r\n", "Xtransfer-Encoding: chunked\r\n"),

    /* --- Expect: RFC 9110, 10.1.1 --- */
    GET("Expect: 100-continue\r\nContent-Length: 5\r\n",
	"Content-Length: 5\r\nExpect: 100-continue\r\n"),
    GET("Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n",
	"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n"),
    GET("Expect: 100-continue\r\n", ""),
    GET("Expect: 100-continue\r\nContent-Length: 0\r\n", "Content-Length: 0\r\n"),
    GET("Expect: 100-continue, 100-continue\r\nContent-Length: 5\r\n",
	"Content-Length: 5\r\nExpect: 100-continue\r\n"),
    GET("Expect: 100-continue\r\nConnection: Expect\r\nContent-Length: 5\r\n",
	"Content-Length: 5\r\nExpect: 100-continue\r\n"),
    REFUSE("Expect: 200-ok\r\n"),
    {"POST / HTTP/1.0\r\n" H "Expect: 100-continue\r\nContent-Length: 5\r\n",
     "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\n"},

    /* --- versions --- */
    {"GET / HTTP/1.0\r\n" H, "GET / HTTP/1.1\r\n" H},
    {"GET / HTTP/1.0\r\n", "GET / HTTP/1.1\r\nHost: 10.0.0.9:9000\r\n"},
    {"GET / HTTP/1.0\r\n" H "Connection: keep-alive\r\nKeep-Alive: 5\r\n", "GET / HTTP/1.1\r\n" H},
    {"GET / HTTP/1.9\r\n" H, "GET / HTTP/1.1\r\n" H},
    {"GET / HTTP/1.0\r\n" H "Upgrade: websocket\r\nConnection: upgrade\r\n",
     "GET / HTTP/1.1\r\n" H},
    {"GET / HTTP/1.0\r\n" H "TE: trailers\r\nConnection: TE\r\n", "GET / HTTP/1.1\r\n" H},
    {"POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n", REFUSED},

    /* --- Host: RFC 9112, 3.2 --- */
    {"GET / HTTP/1.1\r\n", REFUSED},
    {"GET / HTTP/1.1\r\n" H H, REFUSED},
    {"GET / HTTP/1.1\r\n" H "Host: b\r\n", REFUSED},
    {"GET / HTTP/1.1\r\nHost: a b\r\n", REFUSED},
    {"GET / HTTP/1.1\r\nHost: a, b\r\n", REFUSED},
    {"GET / HTTP/1.1\r\nHost: a@b\r\n", REFUSED},
    {"GET / HTTP/1.1\r\nHost:\r\n", REFUSED},
    {"GET / HTTP/1.1\r\nA: b\r\nhOST:\tExample.ORG:8443 \r\n",
     "GET / HTTP/1.1\r\nHost: Example.ORG:8443\r\nA: b\r\n"},
    {"GET / HTTP/1.1\r\nHost: [2001:DB8::1]:80\r\n",
     "GET / HTTP/1.1\r\nHost: [2001:DB8::1]:80\r\n"},
    {"GET http://b/c HTTP/1.1\r\n" H, "GET /c HTTP/1.1\r\nHost: b\r\n"},
    {"GET https://b:1/c?d HTTP/1.1\r\n" H, "GET /c?d HTTP/1.1\r\nHost: b:1\r\n"},
    {"GET http://b HTTP/1.1\r\n" H, "GET / HTTP/1.1\r\nHost: b\r\n"},
    {"GET http://b?c HTTP/1.1\r\n" H, "GET /?c HTTP/1.1\r\nHost: b\r\n"},
    {"GET http://u:p@b/ HTTP/1.1\r\n" H, REFUSED},
    {"GET ftp://b/ HTTP/1.1\r\n" H, REFUSED},
    {"GET b/c HTTP/1.1\r\n" H, REFUSED},
    {"OPTIONS * HTTP/1.1\r\n" H, "OPTIONS * HTTP/1.1\r\n" H},
    {"OPTIONS http://b HTTP/1.1\r\n" H, "OPTIONS * HTTP/1.1\r\nHost: b\r\n"},
    {"OPTIONS http://b/ HTTP/1.1\r\n" H, "OPTIONS / HTTP/1.1\r\nHost: b\r\n"},
    {"OPTIONS http://b?c HTTP/1.1\r\n" H, "OPTIONS /?c HTTP/1.1\r\nHost: b\r\n"},
    {"GET * HTTP/1.1\r\n" H, REFUSED},
    GET("Host_: b\r\n", "Host_: b\r\n"),
    GET("Connection: Host\r\nA: b\r\n", "A: b\r\n"),

    /* --- targets: RFC 9110, 7.7 --- */
    TARGET("/a/b;c=d/e~f!$&'()*+,=:@-._", "/a/b;c=d/e~f!$&'()*+,=:@-._"),
    TARGET("/a%20b%2fc%C3%A9", "/a%20b%2fc%C3%A9"),
    TARGET("/%61%7e", "/%61%7e"),
    TARGET("/?", "/?"),
    TARGET("/a?b=c&d=e%20f?/", "/a?b=c&d=e%20f?/"),
    TARGET("/a?b[]=1&c[d]=2", "/a?b[]=1&c[d]=2"),
    TARGET("/a?%zz%&%4", "/a?%25zz%25&%254"),
    TARGET("/a?../b//c", "/a?../b//c"),
    TARGET("/a\"b<c>d\\e^f`g{h|i}", "/a%22b%3Cc%3Ed%5Ce%5Ef%60g%7Bh%7Ci%7D"),
    TARGET("/a?\"<>\\^`{|}", "/a?%22%3C%3E%5C%5E%60%7B%7C%7D"),
    TARGET("/a\\..\\admin", "/a%5C..%5Cadmin"),
    /* every reading is the same location: as it came */
    TARGET("//a///b", "//a///b"),
    TARGET("/a/../b", "/a/../b"),
    TARGET("/a/./b/.", "/a/./b/."),
    TARGET("/a/%2e%2e/b", "/a/%2e%2e/b"),
    TARGET("/a%2f..%2fb", "/a%2f..%2fb"),
    TARGET("/admin/a//b", "/admin/a//b"),
    TARGET("/admin/%2e/b", "/admin/%2e/b"),
    /* some are not: as this server reads it */
    TARGET("/admin/../x", "/x"),
    TARGET("/admin/%2e%2e/x", "/x"),
    TARGET("/admin%2f..%2fx", "/x"),
    TARGET("/admin%2Fx", "/admin/x"),
    TARGET("//admin/x", "/admin/x"),
    TARGET("/x/../admin", "/admin"),
    TARGET("/x/%2e%2e/admin/y%2fz", "/admin/y%2fz"),
    TARGET("/x//../admin/y", "/x/admin/y"),
    TARGET("/admin//../../y", "/y"),
    TARGET("/.//admin", "/admin"),
    /* parameters, which some readers leave out first: RFC 3986, 3.3 */
    TARGET("/a;b/c;d=e;f", "/a;b/c;d=e;f"),
    TARGET("/a;b//c/../d;e", "/a;b//c/../d;e"),
    TARGET("/a%3bb/;c", "/a%3bb/;c"),
    TARGET("/admin/a;b", "/admin/a;b"),
    TARGET("/admin/a;b/..", "/admin/a;b/.."),
    TARGET("/admin;a/../b;c", "/b;c"),
    TARGET("/a;/../admin/b", "/admin/b"),
    TARGET("/a?b;c/..;/admin", "/a?b;c/..;/admin"),
    UNCLEAR_TARGET("/admin;a"),
    UNCLEAR_TARGET("/admin;/x"),
    UNCLEAR_TARGET("/admin%3bx/y"),
    UNCLEAR_TARGET("/admin%3Ba;x/y"),
    UNCLEAR_TARGET("/;/admin"),
    UNCLEAR_TARGET("/;a/admin/x"),
    UNCLEAR_TARGET("/%3b/admin"),
    UNCLEAR_TARGET("/a/..;/admin"),
    UNCLEAR_TARGET("/a/..;b/admin/x"),
    UNCLEAR_TARGET("/a/.%2e;/admin"),
    UNCLEAR_TARGET("/a/%2e%2e%3b/admin"),
    UNCLEAR_TARGET("/a/.;/..;/admin"),
    UNCLEAR_TARGET("/admin/..;/x"),
    UNCLEAR_TARGET("/admin/a;/..;/..;/x"),
    UNCLEAR_TARGET("/..;/x"),
    UNCLEAR_TARGET("/x%2f..;%2fadmin"),
    BAD_TARGET("/../admin"),
    BAD_TARGET("/%2e%2e/admin"),
    BAD_TARGET("/a%00b"),
    BAD_TARGET("/a%0"),
    BAD_TARGET("/a%gg"),
    BAD_TARGET("/a#b"),
    BAD_TARGET("/a\x80"),
    TARGET("/a%0d%0aHost:%20b", "/a%0d%0aHost:%20b"),

    /* --- fields of the connection: RFC 9110, 7.6.1 --- */
    GET("Connection: close\r\nA: b\r\n", "A: b\r\n"),
    GET("Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n", ""),
    GET("Connection: A, b ,, C\r\nA: 1\r\nB: 2\r\nc: 3\r\nD: 4\r\n", "D: 4\r\n"),
    GET("A: 1\r\nB: 2\r\nConnection: a\r\nConnection: b\r\nC: 3\r\n", "C: 3\r\n"),
    GET("Connection: A\r\nA: 1\r\nA: 2\r\n", ""),
    GET("Connection: Content-Length\r\nContent-Length: 5\r\n", "Content-Length: 5\r\n"),
    GET("Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n",
	"Transfer-Encoding: chunked\r\n"),
    GET("Connection: close, Host, Content-Length, Cookie\r\nContent-Length: 5\r\nCookie: a\r\n",
	"Content-Length: 5\r\n"),
    GET("Connection: Connection\r\n", ""),
    GET("Connection: \"A\"\r\nA: 1\r\n", "A: 1\r\n"),
    GET("Proxy-Connection: keep-alive\r\n", ""),
    GET("Proxy-Authorization: Basic YTpi\r\nProxy-Authenticate: a\r\n", ""),
    GET("Proxy: http://evil\r\n", ""),
    GET("Keep-Alive: 5\r\nKeep_Alive: 5\r\n", ""),
    GET("HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n", ""),
    GET("TE: trailers\r\n", "TE: trailers\r\nConnection: TE\r\n"),
    GET("TE: gzip;q=0.5, Trailers, deflate\r\nConnection: TE\r\n",
	"TE: trailers\r\nConnection: TE\r\n"),
    GET("TE: gzip\r\nConnection: TE\r\n", ""),
    GET("TE:\r\n", ""),
    GET("Trailer: A\r\nTransfer-Encoding: chunked\r\n",
	"Trailer: A\r\nTransfer-Encoding: chunked\r\n"),
    GET("Trailer: A\r\nContent-Length: 5\r\n", "Content-Length: 5\r\n"),

    /* --- Upgrade: RFC 9110, 7.8; RFC 6455, 4 --- */
    GET("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: "
	"dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n",
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
	"Upgrade: websocket\r\nConnection: upgrade\r\n"),
    GET("Upgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n",
	"Upgrade: WebSocket\r\nConnection: upgrade\r\n"),
    GET("Upgrade: foo/2, bar\r\nConnection: Upgrade\r\n",
	"Upgrade: foo/2, bar\r\nConnection: upgrade\r\n"),
    GET("Upgrade: foo\r\nUpgrade: bar\r\nConnection: Upgrade\r\n",
	"Upgrade: foo, bar\r\nConnection: upgrade\r\n"),
    GET("Upgrade: foo\r\nConnection: Upgrade\r\nTE: trailers\r\n",
	"TE: trailers\r\nUpgrade: foo\r\nConnection: upgrade, TE\r\n"),
    GET("Upgrade: websocket\r\n", ""),
    GET("Connection: upgrade\r\n", ""),
    GET("Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AA\r\n", ""),
    GET("Upgrade: h2c, websocket\r\nConnection: Upgrade\r\n",
	"Upgrade: websocket\r\nConnection: upgrade\r\n"),
    GET("Upgrade: H2C\r\nConnection: Upgrade\r\n", ""),
    GET("Upgrade: HTTP/2.0\r\nConnection: Upgrade\r\n", ""),
    GET("Upgrade: TLS/1.0, HTTP/1.1\r\nConnection: Upgrade\r\n", ""),
    GET("Upgrade: h2c/1\r\nConnection: Upgrade\r\n", ""),
    GET("Upgrade: web socket\r\nConnection: Upgrade\r\n", ""),
    GET("Upgrade: foo/\r\nConnection: Upgrade\r\n", ""),
    GET("Upgrade: foo/1/2\r\nConnection: Upgrade\r\n", ""),
    GET("Upgrade: \"foo\", ,/bar\r\nConnection: Upgrade\r\n", ""),
    GET("Upgrade:\r\nConnection: Upgrade\r\n", ""),
    GET("Upgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 5\r\n",
	"Content-Length: 5\r\n"),
    GET("Upgrade: websocket\r\nConnection: Upgrade\r\nTransfer-Encoding: chunked\r\n",
	"Transfer-Encoding: chunked\r\n"),
    GET("Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: "
	"AA\r\nContent-Length: 5\r\n",
	"Content-Length: 5\r\n"),

    /* --- Max-Forwards and TRACE: RFC 9110, 7.6.2 and 9.3.8 --- */
    {"OPTIONS /a HTTP/1.1\r\n" H "Max-Forwards: 5\r\n",
     "OPTIONS /a HTTP/1.1\r\n" H "Max-Forwards: 4\r\n"},
    {"TRACE /a HTTP/1.1\r\n" H "Max-Forwards: 1\r\n",
     "TRACE /a HTTP/1.1\r\n" H "Max-Forwards: 0\r\n"},
    {"TRACE /a HTTP/1.1\r\n" H "Max-Forwards: 99999999999999\r\n",
     "TRACE /a HTTP/1.1\r\n" H "Max-Forwards: 4294967295\r\n"},
    {"TRACE /a HTTP/1.1\r\n" H "Max-Forwards: 0\r\n", "405"},
    {"OPTIONS /a HTTP/1.1\r\n" H "Max-Forwards: 0\r\n", "204"},
    {"OPTIONS * HTTP/1.1\r\n" H "Max-Forwards: 000\r\n", "204"},
    {"OPTIONS /a HTTP/1.1\r\n" H "Max-Forwards: x\r\n", "400"},
    {"OPTIONS /a HTTP/1.1\r\n" H "Max-Forwards: -1\r\n", "400"},
    {"OPTIONS /a HTTP/1.1\r\n" H "Max-Forwards: 5\r\nMax-Forwards: 5\r\n", "400"},
    {"OPTIONS /a HTTP/1.1\r\n" H "Max-Forwards: 0\r\nConnection: Max-Forwards\r\n", "204"},
    {"OPTIONS /a HTTP/1.1\r\n" H "Max_Forwards: 0\r\n", "OPTIONS /a HTTP/1.1\r\n" H},
    GET("Max-Forwards: 0\r\n", "Max-Forwards: 0\r\n"),
    GET("Max-Forwards: x\r\n", "Max-Forwards: x\r\n"),
    SAME("TRACE /a HTTP/1.1\r\n" H),
    {"TRACE /a HTTP/1.1\r\n" H "Content-Length: 5\r\n", "400"},
    {"TRACE /a HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n", "400"},
    SAME("TRACE /a HTTP/1.1\r\n" H "Content-Length: 0\r\n"),

    /* --- fields that go on: RFC 9110, 5.1 and 5.3 --- */
    GET("A: 1\r\nB: 2\r\na: 3\r\nA:\r\n", "A: 1\r\nB: 2\r\na: 3\r\nA: \r\n"),
    GET("Cookie: a=b\r\nCookie: c=d\r\n", "Cookie: a=b\r\nCookie: c=d\r\n"),
    GET("Authorization: Basic YTpi\r\nRange: bytes=0-1\r\nIf-Match: \"a\"\r\n",
	"Authorization: Basic YTpi\r\nRange: bytes=0-1\r\nIf-Match: \"a\"\r\n"),
    GET("Cache-Control: no-cache\r\nPragma: no-cache\r\nUser-Agent: x (y)\r\n",
	"Cache-Control: no-cache\r\nPragma: no-cache\r\nUser-Agent: x (y)\r\n"),
    GET("!#$%&'*+-.^_`|~9: b\r\n", "!#$%&'*+-.^_`|~9: b\r\n"),
    GET("X_Custom: 1\r\nIf_Match: 2\r\n", "X_Custom: 1\r\nIf_Match: 2\r\n"),
    GET("A:  b \t \xc3\xa9\t\r\n", "A: b \t \xc3\xa9\r\n"),
    GET("Date: now\r\nServer: a\r\nLocation: b\r\n", "Date: now\r\nServer: a\r\nLocation: b\r\n"),

    /* --- what only a proxy says: from a client it goes no further --- */
    GET("Forwarded: for=1.2.3.4\r\n", ""),
    GET("X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\n", ""),
    GET("X-Forwarded-Host: b\r\nX-Forwarded-Port: 1\r\nX-Forwarded-Prefix: /a\r\n", ""),
    GET("X-Forwarded-Server: b\r\nX-Forwarded-Ssl: on\r\nx-forwarded-anything: c\r\n", ""),
    GET("X_Forwarded_For: 1.2.3.4\r\nX-Forwarded_For: 1\r\nX.Forwarded.For: 2\r\n", ""),
    GET("X_Forwarded_Anything: 1\r\nForwarded: a\r\nX_Request_Id: b\r\n", ""),
    GET("X-Request-Id: a\r\n", ""),
    GET("X-Forwarded: a\r\nX-Forward-For: b\r\n", "X-Forwarded: a\r\nX-Forward-For: b\r\n"),
    GET("Via: 1.1 a\r\nVia: 1.0 b (c)\r\n", "Via: 1.1 a\r\nVia: 1.0 b (c)\r\n"),
    GET("Via: 1.1 a\r\nVia: 1.0 b (c)\r\nConnection: Via\r\n", ""),
    GET("traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\ntracestate: "
	"a=b\r\n",
	"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\ntracestate: "
	"a=b\r\n"),
    GET("traceparent: cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more\r\n",
	"traceparent: cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more\r\n"),
    GET("traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more\r\n", ""),
    GET("traceparent: ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n", ""),
    GET("traceparent: 00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01\r\n", ""),
    GET("traceparent: 00-00000000000000000000000000000000-b7ad6b7169203331-01\r\n", ""),
    GET("traceparent: 00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01\r\n", ""),
    GET("traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331\r\ntracestate: a\r\n",
	""),
    GET("traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\ntraceparent: "
	"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\ntracestate: a=b\r\n",
	""),
    GET("tracestate: a=b\r\n", ""),
};

static void check(struct proxy_head *p, const struct request_case *c, unsigned *failed)
{
	char sent[4096], got[8192];
	const int len = snprintf(sent, sizeof(sent), "%s\r\n", c->sent);
	if (!proxy_head_begin(p, sent, (size_t)len)) {
		(void)snprintf(got, sizeof(got), "%s", REFUSED);
	} else {
		const unsigned status = proxy_head_make(p, false);
		if (status != 0)
			(void)snprintf(got, sizeof(got), "%u", status);
		else
			(void)snprintf(got, sizeof(got), "%.*s", (int)p->len - 2, p->out);
	}
	if (strcmp(got, c->want) == 0)
		return;
	(*failed)++;
	print_message("--- sent\n%s--- got\n%s\n--- want\n%s\n", c->sent, got, c->want);
}

static void each_request_goes_upstream_as_exactly_one(void **state)
{
	(void)state;
	struct proxy_head *p = proxy_head_new(NULL);
	unsigned failed = 0;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check(p, &cases[i], &failed);
	proxy_head_free(p);
	assert_int_equal(failed, 0);
	assert_true(sizeof(cases) / sizeof(cases[0]) >= 150);
}

/* --- what the proxy says about where a request came from ---------------------------------------
 */

enum { TRUSTED = 1, IPV6 = 2, TLS = 4, NO_X = 8, NO_FORWARDED = 16, NO_VIA = 32, MAKE = 64 };

struct forwarded_case {
	unsigned flags;
	const char *sent; /* fields */
	const char *want; /* fields after Host */
};

#define ID "X-Request-Id: id-1\r\n"
#define OWN_X                                                                              \
	"X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\n" \
	"X-Forwarded-Port: 8443\r\n"
#define OWN    "Forwarded: for=192.0.2.7;host=a;proto=http\r\n"
#define VIA    "Via: 1.1 bulkhead\r\n"
#define REST_X "X-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\nX-Forwarded-Port: 8443\r\n"

static const struct forwarded_case forwarded_cases[] = {
    {0, "", OWN OWN_X ID VIA},
    {NO_VIA, "", OWN OWN_X ID},
    {NO_X, "", OWN ID VIA},
    {NO_FORWARDED, "", OWN_X ID VIA},
    {NO_X | NO_FORWARDED | NO_VIA, "", ID},
    {TLS | IPV6 | NO_VIA, "",
     "Forwarded: for=\"[2001:db8::7]\";host=a;proto=https\r\nX-Forwarded-For: 2001:db8::7\r\n"
     "X-Forwarded-Proto: https\r\nX-Forwarded-Host: a\r\nX-Forwarded-Port: 8443\r\n" ID},
    /* a client cannot say it */
    {0,
     "Forwarded: for=1.2.3.4\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\n"
     "X-Forwarded-Host: b\r\nX-Forwarded-Port: 1\r\nX-Forwarded-Ssl: on\r\nX-Request-Id: b\r\n",
     OWN OWN_X ID VIA},
    {NO_X | NO_FORWARDED,
     "Forwarded: for=1.2.3.4\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\n"
     "X-Forwarded-Ssl: on\r\nX_Forwarded_For: 1\r\nX-Request-Id: b\r\n",
     ID VIA},
    {0, "Connection: X-Forwarded-For, Forwarded, Via, X-Request-Id\r\n", OWN OWN_X ID VIA},
    /* a trusted proxy can: lists grow, the rest stays */
    {TRUSTED, "Forwarded: for=1.2.3.4;proto=https\r\n",
     "Forwarded: for=1.2.3.4;proto=https, for=192.0.2.7;host=a;proto=http\r\n" OWN_X ID VIA},
    {TRUSTED, "Forwarded: for=\"[2001:db8::1]:80\", for=_b\r\nForwarded: for=\"a\\\"b,c;d\"\r\n",
     "Forwarded: for=\"[2001:db8::1]:80\", for=_b, for=\"a\\\"b,c;d\", "
     "for=192.0.2.7;host=a;proto=http\r\n" OWN_X ID VIA},
    {TRUSTED, "X-Forwarded-For: 1.2.3.4, 5.6.7.8\r\nX-Forwarded-For: 9.9.9.9\r\n",
     OWN "X-Forwarded-For: 1.2.3.4, 5.6.7.8, 9.9.9.9, 192.0.2.7\r\n" REST_X ID VIA},
    /* unless Connection names it, for this server alone */
    {TRUSTED, "X-Forwarded-For: 1.2.3.4\r\nConnection: x-forwarded-FOR\r\n", OWN OWN_X ID VIA},
    {TRUSTED, "Connection: Forwarded\r\nForwarded: for=1.2.3.4\r\n", OWN OWN_X ID VIA},
    {TRUSTED | NO_X | NO_FORWARDED,
     "Connection: X-Forwarded-For, Forwarded, X-Forwarded-Proto, X-Request-Id, X-Forwarded-Ssl\r\n"
     "Forwarded: for=1.2.3.4\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\n"
     "X-Request-Id: b\r\nX-Forwarded-Ssl: on\r\n",
     ID VIA},
    {TRUSTED,
     "Connection: X-Forwarded-Proto, X-Forwarded-Host, X-Forwarded-Port, X-Forwarded-Prefix\r\n"
     "X-Forwarded-Proto: https\r\nX-Forwarded-Host: b\r\nX-Forwarded-Port: 443\r\n"
     "X-Forwarded-Prefix: /a\r\n",
     OWN OWN_X ID VIA},
    {TRUSTED, "X-Forwarded-For:\r\n", OWN OWN_X ID VIA},
    {TRUSTED,
     "X-Forwarded-Proto: https\r\nX-Forwarded-Host: b.example:8443\r\nX-Forwarded-Port: 443\r\n",
     OWN "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: "
	 "b.example:8443\r\nX-Forwarded-Port: 443\r\n" ID VIA},
    {TRUSTED,
     "X-Forwarded-Proto: https\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: 1x\r\n"
     "X-Forwarded-Host: \"b\"\r\n",
     OWN OWN_X ID VIA},
    {TRUSTED, "X-Forwarded-Ssl: on\r\nX-Forwarded-Server: c\r\nX_Forwarded_Ssl: off\r\n",
     OWN OWN_X "X-Forwarded-Ssl: on\r\nX-Forwarded-Server: c\r\n" ID VIA},
    {TRUSTED, "X-Forwarded-Prefix: /a\r\n", OWN OWN_X "X-Forwarded-Prefix: /a\r\n" ID VIA},
    {TRUSTED | NO_X | NO_FORWARDED,
     "X-Forwarded-For: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\nX-Forwarded-Proto: https\r\n",
     "Forwarded: for=1.2.3.4\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\n" ID VIA},
    /* what would swallow the element that is added */
    {TRUSTED, "Forwarded: for=\"a\r\n", OWN OWN_X ID VIA},
    {TRUSTED, "Forwarded: for=\"a\\\"\r\n", OWN OWN_X ID VIA},
    {TRUSTED, "Forwarded: for=\r\n", OWN OWN_X ID VIA},
    {TRUSTED, "Forwarded: for\r\n", OWN OWN_X ID VIA},
    {TRUSTED, "Forwarded: for=a b\r\n", OWN OWN_X ID VIA},
    {TRUSTED, "Forwarded: for=1.2.3.4\r\nForwarded: for=\"\r\n", OWN OWN_X ID VIA},
    {TRUSTED, "Forwarded: , ;for=a ;\tproto=b,\r\n",
     "Forwarded: ;for=a ;\tproto=b, for=192.0.2.7;host=a;proto=http\r\n" OWN_X ID VIA},
    {TRUSTED, "Forwarded: for=\"a,\",\r\nForwarded: ,\t,\r\nX-Forwarded-For: , 1.2.3.4 ,,\r\n",
     "Forwarded: for=\"a,\", for=192.0.2.7;host=a;proto=http\r\n"
     "X-Forwarded-For: 1.2.3.4, 192.0.2.7\r\n" REST_X ID VIA},
    /* the id of the request */
    {TRUSTED, "X-Request-Id: 7b3f-A_b.c~d:e/f+g=h@i\r\n",
     OWN OWN_X "X-Request-Id: 7b3f-A_b.c~d:e/f+g=h@i\r\n" VIA},
    {TRUSTED, "X-Request-Id: a\r\nX-Request-Id: b\r\n", OWN OWN_X ID VIA},
    {TRUSTED, "X-Request-Id: a b\r\n", OWN OWN_X ID VIA},
    {TRUSTED, "X-Request-Id: a\"b\r\n", OWN OWN_X ID VIA},
    {TRUSTED, "X-Request-Id:\r\n", OWN OWN_X ID VIA},
    /* the trace */
    {MAKE, "",
     OWN OWN_X ID "traceparent: 00-0123456789abcdef0011223344556677-fedcba9876543211-01\r\n" VIA},
    {MAKE, "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00\r\n",
     "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00\r\n" OWN OWN_X ID VIA},
    {MAKE, "traceparent: x\r\ntracestate: a=b\r\n",
     OWN OWN_X ID "traceparent: 00-0123456789abcdef0011223344556677-fedcba9876543211-01\r\n" VIA},
    {0, "Via: 1.1 bulkhead, 1.1 Bulkhead (x)\r\nA: b\r\n",
     "Via: 1.1 bulkhead, 1.1 Bulkhead (x)\r\nA: b\r\n" OWN OWN_X ID VIA},
};

static void forwarded_check(const struct forwarded_case *c, unsigned *failed)
{
	char sent[2048], want[2048];
	struct proxy_head *p = proxy_head_new(NULL);
	p->conf.forwarded = ((c->flags & NO_X) ? 0u : (unsigned)CONF_X_FORWARDED) |
			    ((c->flags & NO_FORWARDED) ? 0u : (unsigned)CONF_FORWARDED);
	p->conf.via = (c->flags & NO_VIA) == 0;
	p->conf.make_traceparent = (c->flags & MAKE) != 0;
	if ((c->flags & IPV6) != 0)
		(void)snprintf(p->client.address, sizeof(p->client.address), "2001:db8::7");
	p->client.tls = (c->flags & TLS) != 0 ? &proxy_head_tls : NULL;
	const int len = snprintf(sent, sizeof(sent), "GET / HTTP/1.1\r\n" H "%s\r\n", c->sent);
	(void)snprintf(want, sizeof(want), "GET / HTTP/1.1\r\n" H "%s\r\n", c->want);
	assert_true(proxy_head_begin(p, sent, (size_t)len));
	memcpy(p->ex->id, "id-1", 5);
	assert_int_equal(proxy_head_make(p, (c->flags & TRUSTED) != 0), 0);
	if (strcmp(p->out, want) != 0) {
		(*failed)++;
		print_message("--- sent\n%s--- got\n%s--- want\n%s\n", sent, p->out, want);
	}
	proxy_head_free(p);
}

static void upstreams_learn_where_a_request_came_from(void **state)
{
	(void)state;
	unsigned failed = 0;
	for (size_t i = 0; i < sizeof(forwarded_cases) / sizeof(forwarded_cases[0]); i++)
		forwarded_check(&forwarded_cases[i], &failed);
	assert_int_equal(failed, 0);
}

/* One request with these fields; what goes upstream. */
static const char *one(struct proxy_head *p, const char *head)
{
	char sent[4096];
	const int len = snprintf(sent, sizeof(sent), "%s\r\n", head);
	assert_true(proxy_head_begin(p, sent, (size_t)len));
	assert_int_equal(proxy_head_make(p, false), 0);
	return p->out;
}

static void versions_and_names_without_a_host(void **state)
{
	(void)state;
	struct proxy_head *p = proxy_head_new(NULL);
	p->conf.forwarded = CONF_FORWARDED | CONF_X_FORWARDED;
	p->conf.via = true;
	assert_string_equal(one(p, "GET / HTTP/1.0\r\n"),
			    "GET / HTTP/1.1\r\nHost: 10.0.0.9:9000\r\n"
			    "Forwarded: for=192.0.2.7;proto=http\r\nX-Forwarded-For: 192.0.2.7\r\n"
			    "X-Forwarded-Proto: http\r\nX-Forwarded-Port: 8443\r\n"
			    "Via: 1.0 bulkhead\r\n\r\n");
	assert_string_equal(one(p, "GET / HTTP/1.1\r\nHost: [::1]:80\r\n"),
			    "GET / HTTP/1.1\r\nHost: [::1]:80\r\n"
			    "Forwarded: for=192.0.2.7;host=\"[::1]:80\";proto=http\r\n"
			    "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\n"
			    "X-Forwarded-Host: [::1]:80\r\nX-Forwarded-Port: 8443\r\n"
			    "Via: 1.1 bulkhead\r\n\r\n");
	proxy_head_free(p);
}

static void a_request_that_goes_round_in_circles_is_stopped(void **state)
{
	(void)state;
	char sent[1024];
	struct proxy_head *p = proxy_head_new(NULL);
	for (int times = 0; times <= PROXY_VIA_MAX + 1; times++) {
		int len = snprintf(sent, sizeof(sent), "GET / HTTP/1.1\r\n" H);
		for (int i = 0; i < times; i++)
			len += snprintf(sent + len, sizeof(sent) - (size_t)len,
					i % 2 ? "Via: 1.1 a, 1.1 \tBulkhead (b)\r\n"
					      : "Via: 1.0 bulkhead\r\n");
		len += snprintf(sent + len, sizeof(sent) - (size_t)len, "\r\n");
		assert_true(proxy_head_begin(p, sent, (size_t)len));
		assert_int_equal(proxy_head_make(p, false), times > PROXY_VIA_MAX ? 508 : 0);
	}
	proxy_head_free(p);
}

static void connection_names_only_so_many_fields(void **state)
{
	(void)state;
	char sent[1024];
	struct proxy_head *p = proxy_head_new(NULL);
	for (int extra = 0; extra < 2; extra++) {
		int len = snprintf(sent, sizeof(sent), "GET / HTTP/1.1\r\n" H "Connection: a");
		for (int i = 1; i < UPSTREAM_OPTIONS_MAX + extra; i++)
			len += snprintf(sent + len, sizeof(sent) - (size_t)len, ",a");
		len += snprintf(sent + len, sizeof(sent) - (size_t)len, "\r\n\r\n");
		assert_true(proxy_head_begin(p, sent, (size_t)len));
		assert_int_equal(proxy_head_make(p, false), extra ? 400 : 0);
	}
	proxy_head_free(p);
}

/* --- where it goes ---------------------------------------------------------------------------- */

static void host_is_kept_or_the_upstreams_or_another(void **state)
{
	(void)state;
	static const struct {
		struct conf_endpoint endpoint;
		bool tls;
		const char *want;
	} endpoints[] = {
	    {{.host = "10.0.0.9", .port = 9000}, false, "10.0.0.9:9000"},
	    {{.host = "api.internal", .port = 80}, false, "api.internal"},
	    {{.host = "api.internal", .port = 80}, true, "api.internal:80"},
	    {{.host = "api.internal", .port = 443}, true, "api.internal"},
	    {{.host = "::1", .port = 8080}, false, "[::1]:8080"},
	    {{.host = "[::1]", .port = 80}, false, "[::1]"},
	    {{.path = "/run/app.sock"}, false, "localhost"},
	};
	struct proxy_head *p = proxy_head_new(NULL);
	char want[128];
	p->conf.host = CONF_PROXY_HOST_UPSTREAM;
	for (size_t i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++) {
		proxy_target_release(&p->target);
		assert_true(
		    proxy_target_init(&p->target, &endpoints[i].endpoint, endpoints[i].tls));
		(void)snprintf(want, sizeof(want), "GET / HTTP/1.1\r\nHost: %s\r\n\r\n",
			       endpoints[i].want);
		assert_string_equal(one(p, "GET / HTTP/1.1\r\n" H), want);
	}
	p->conf.host = CONF_PROXY_HOST_NAME;
	p->conf.host_name = "other.example:81";
	assert_string_equal(one(p, "GET http://b/c HTTP/1.1\r\n" H),
			    "GET /c HTTP/1.1\r\nHost: other.example:81\r\n\r\n");
	proxy_head_free(p);
}

static void a_path_is_replaced_or_stripped(void **state)
{
	(void)state;
	static const struct {
		const char *from, *to, *sent, *want;
	} paths[] = {
	    {"/v2", "/", "/v2/a", "/a"},
	    {"/v2", "/", "/v2", "/"},
	    {"/v2", "/", "/v2/", "/"},
	    {"/v2", "/", "/v2?b", "/?b"},
	    {"/v2", "/", "/v2//a", "/a"},
	    {"/v2", "/", "/v2/%2fa", "/a"},
	    {"/v2", "/", "/v2/a%2Fb%20c?d%2f", "/a%2Fb%20c?d%2f"},
	    {"/v2", "/", "/v2%2fa%2fb", "/a%2fb"},
	    {"/v2", "/", "/v2/a;b", "/a;b"},
	    {"/v2", "/", "/v2/../v2/a", "/a"},
	    {"/v2", "/", "/%762/a", "/a"},
	    {"/v2", "/x", "/v2/a", "/x/a"},
	    {"/v2", "/x", "/v2", "/x"},
	    {"/v2", "/x/", "/v2/a", "/x/a"},
	    {"/v2", "/x/", "/v2", "/x/"},
	    {"/v2", "/a b?%", "/v2/c", "/a%20b%3F%25/c"},
	    {"/v2", "/\xc3\xa9", "/v2/c", "/%C3%A9/c"},
	    {"/", "/x", "/a", "/x/a"},
	    {"/", "/x/", "/a", "/x/a"},
	    {"/", "/x", "/", "/x/"},
	    {"/", "/", "/a/b", "/a/b"},
	    {"/v2/", "/x", "/v2/a", "/x/a"},
	    {"/v2/", "/", "/v2/a", "/a"},
	    /* not of this path */
	    {"/v2", "/", "/v22/a", "/v22/a"},
	    {"/v2", "/", "/a/v2", "/a/v2"},
	    {"/v2", "/", "/a/../b", "/b"},
	};
	struct proxy_head *p = proxy_head_new(NULL);
	unsigned failed = 0;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		char sent[128], want[128];
		p->conf.path_from = paths[i].from;
		p->conf.path_to = paths[i].to;
		p->root.path_len = strncmp(paths[i].sent, "/v2", 3) == 0 ? 3 : 1;
		(void)snprintf(sent, sizeof(sent), "GET %s HTTP/1.1\r\n" H, paths[i].sent);
		(void)snprintf(want, sizeof(want), "GET %s HTTP/1.1\r\n" H "\r\n", paths[i].want);
		if (strcmp(one(p, sent), want) == 0)
			continue;
		failed++;
		print_message("%s to %s: %s gives %s", paths[i].from, paths[i].to, sent, p->out);
	}
	assert_int_equal(failed, 0);
	/* the upstream learns what it does not see */
	p->conf.forwarded = CONF_X_FORWARDED;
	p->conf.path_from = "/v 2";
	p->conf.path_to = "/";
	assert_non_null(
	    strstr(one(p, "GET /v%202/a HTTP/1.1\r\n" H), "\r\nX-Forwarded-Prefix: /v%202\r\n"));
	p->conf.path_to = "/x";
	assert_null(strstr(one(p, "GET /v%202/a HTTP/1.1\r\n" H), "X-Forwarded-Prefix"));
	proxy_head_free(p);
}

/* All ways to read a path take time, so a long one goes on in its normal form. */
static void a_long_path_is_not_read_in_all_ways(void **state)
{
	(void)state;
	struct proxy_head *p = proxy_head_new(NULL);
	static char sent[8192];
	for (int len = 2040; len < 2056; len++) {
		const int n =
		    snprintf(sent, sizeof(sent), "GET //%0*d HTTP/1.1\r\n" H "\r\n", len - 2, 0);
		assert_true(proxy_head_begin(p, sent, (size_t)n));
		assert_int_equal(proxy_head_make(p, false), 0);
		assert_int_equal(strncmp(p->out, "GET //", 6) == 0, len <= 2048);
	}
	proxy_head_free(p);
}

static void a_connection_for_one_request_says_so(void **state)
{
	(void)state;
	static const char *const heads[][2] = {
	    {"GET / HTTP/1.1\r\n" H "\r\n", "GET / HTTP/1.1\r\n" H "Connection: close\r\n\r\n"},
	    {"GET / HTTP/1.1\r\n" H "TE: trailers\r\n\r\n",
	     "GET / HTTP/1.1\r\n" H "TE: trailers\r\nConnection: TE, close\r\n\r\n"},
	    {"GET / HTTP/1.1\r\n" H "Upgrade: a\r\nConnection: upgrade\r\n\r\n",
	     "GET / HTTP/1.1\r\n" H "Upgrade: a\r\nConnection: upgrade\r\n\r\n"},
	};
	struct proxy_head *p = proxy_head_new(NULL);
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		assert_true(proxy_head_begin(p, heads[i][0], strlen(heads[i][0])));
		assert_int_equal(proxy_head_make(p, false), 0);
		const size_t len = strlen(heads[i][1]);
		assert_int_equal(proxy_request_write(&p->request, &p->target, true, p->out, len),
				 len);
		p->out[len] = '\0';
		assert_string_equal(p->out, heads[i][1]);
		for (size_t size = 0; size < len; size++)
			assert_true(proxy_request_write(&p->request, &p->target, true, p->out,
							size) == SIZE_MAX);
	}
	proxy_head_free(p);
}

static void what_may_be_switched_to_is_what_was_sent(void **state)
{
	(void)state;
	struct proxy_head *p = proxy_head_new(NULL);
	(void)one(p, "GET / HTTP/1.1\r\n" H "Upgrade: h2c, a, b/1\r\nConnection: upgrade\r\n");
	struct upstream_asked asked = proxy_request_asked(&p->request);
	assert_false(asked.head);
	assert_int_equal(asked.upgrade_len, 6);
	assert_memory_equal(asked.upgrade, "a, b/1", 6);
	(void)one(p, "HEAD / HTTP/1.1\r\n" H "Upgrade: h2c\r\nConnection: upgrade\r\n");
	asked = proxy_request_asked(&p->request);
	assert_true(asked.head);
	assert_null(asked.upgrade);
	p->conf.no_upgrade = true;
	assert_null(strstr(one(p, "GET / HTTP/1.1\r\n" H "Upgrade: a\r\nConnection: upgrade\r\n"),
			   "pgrade"));
	proxy_head_free(p);
}

/* --- `request header` ------------------------------------------------------------------------- */

static void rules_have_the_last_word(void **state)
{
	(void)state;
	struct conf_header_rule outer_rules[] = {
	    {.operation = CONF_HEADER_SET, .name = "X-Outer", .value = "1"},
	    {.operation = CONF_HEADER_ADD, .name = "X-Both", .value = "outer"},
	    {.operation = CONF_HEADER_SET, .name = "X-Gone", .value = "1"},
	};
	struct conf_header_rule rules[] = {
	    {.operation = CONF_HEADER_REMOVE, .name = "x-gone"},
	    {.operation = CONF_HEADER_SET, .name = "X-User", .value = "u"},
	    {.operation = CONF_HEADER_ADD, .name = "X-Both", .value = "inner"},
	    {.operation = CONF_HEADER_ADD, .name = "X-Path", .value = "p=${path}?${query}"},
	    {.operation = CONF_HEADER_SET, .name = "X-Empty", .value = "${query}"},
	    {.operation = CONF_HEADER_SET, .name = "X-Forwarded-Proto", .value = "https"},
	    {.operation = CONF_HEADER_REMOVE, .name = "X-Forwarded-For"},
	    {.operation = CONF_HEADER_REMOVE, .name = "Cookie"},
	    /* the configuration refuses these */
	    {.operation = CONF_HEADER_SET, .name = "Content-Length", .value = "7"},
	    {.operation = CONF_HEADER_SET, .name = "Transfer_Encoding", .value = "chunked"},
	    {.operation = CONF_HEADER_REMOVE, .name = "Host"},
	    {.operation = CONF_HEADER_SET, .name = "Connection", .value = "close"},
	};
	const struct conf_headers outer = {.rules = outer_rules, .rules_count = 3};
	const struct conf_headers conf = {
	    .outer = &outer, .rules = rules, .rules_count = sizeof(rules) / sizeof(rules[0])};
	struct proxy_head *p = proxy_head_new(&conf);
	p->conf.forwarded = CONF_X_FORWARDED;
	assert_string_equal(
	    one(p, "GET /a%20b HTTP/1.1\r\n" H "X-User: evil\r\nX_User: evil\r\nx.user: evil\r\n"
		   "X-Both: client\r\nX-Gone: 2\r\nX_Gone: 3\r\nX-Empty: 4\r\nCookie: a\r\n"
		   "X-Forwarded-For: 1.2.3.4\r\nContent-Length: 5\r\n"),
	    "GET /a%20b HTTP/1.1\r\n" H "X-Both: client\r\nX-Forwarded-Host: a\r\n"
	    "X-Forwarded-Port: 8443\r\nX-Outer: 1\r\nX-Both: outer\r\nX-User: u\r\nX-Both: "
	    "inner\r\n"
	    "X-Path: p=/a%20b?\r\nX-Forwarded-Proto: https\r\nContent-Length: 5\r\n\r\n");
	assert_non_null(strstr(one(p, "GET /?q HTTP/1.1\r\n" H), "\r\nX-Empty: q\r\n"));
	proxy_head_free(p);
}

static void a_value_that_is_too_long_refuses_the_request(void **state)
{
	(void)state;
	struct conf_header_rule rule = {
	    .operation = CONF_HEADER_SET, .name = "X-Query", .value = "${query}${query}"};
	const struct conf_headers conf = {.rules = &rule, .rules_count = 1};
	struct proxy_head *p = proxy_head_new(&conf);
	static char sent[8192];
	for (int extra = 0; extra < 2; extra++) {
		const int len = snprintf(sent, sizeof(sent), "GET /?%0*d HTTP/1.1\r\n" H "\r\n",
					 4096 + extra, 0);
		assert_true(proxy_head_begin(p, sent, (size_t)len));
		assert_int_equal(proxy_head_make(p, false), extra ? 431 : 0);
	}
	proxy_head_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_request_goes_upstream_as_exactly_one),
	    cmocka_unit_test(upstreams_learn_where_a_request_came_from),
	    cmocka_unit_test(versions_and_names_without_a_host),
	    cmocka_unit_test(a_request_that_goes_round_in_circles_is_stopped),
	    cmocka_unit_test(connection_names_only_so_many_fields),
	    cmocka_unit_test(host_is_kept_or_the_upstreams_or_another),
	    cmocka_unit_test(a_path_is_replaced_or_stripped),
	    cmocka_unit_test(a_long_path_is_not_read_in_all_ways),
	    cmocka_unit_test(a_connection_for_one_request_says_so),
	    cmocka_unit_test(what_may_be_switched_to_is_what_was_sent),
	    cmocka_unit_test(rules_have_the_last_word),
	    cmocka_unit_test(a_value_that_is_too_long_refuses_the_request),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
