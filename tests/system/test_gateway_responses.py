"""What clients get of what upstreams send, whatever that is: RFC 9110, RFC 9112, RFC 6455, with every byte recorded."""
import re

import pytest

from gateway import (CLOSE, END, FIN, GONE, HEAD, MUST, REQUEST, RESET, RESPONSE, SERVE, SHOULD, TUNNEL, Case, answer,
                     ask, bad_gateway, both, chunked, closed, connections, cut, either, field, has, interim,
                     lacks, nothing, ok, peer, reply, request, stays, status, until, visit)

TABLE = []


def case(name, level, section, *rest, **options):
    TABLE.append(Case(name, level, section, *rest, **options))


GET = ask("GET / HTTP/1.1")
GET_10 = ask("GET / HTTP/1.0")


def says(name, level, section, *expect, send=GET, sends=(), then=(SERVE, ), **options):
    """The upstream answers one request with these bytes."""
    sends = [sends] if isinstance(sends, (bytes, bytearray)) else list(sends)
    case(name, level, section, send, *expect, upstream=[REQUEST, *sends, *then], **options)


def reused(count):
    """So many connections upstream for all requests."""
    return connections(count)


# --- good ones -----------------------------------------------------------------------------------

says("a-length", MUST, "9112 6.2", answer(200, b"hello"), field("Content-Length", "5"), stays,
     sends=reply(body=b"hello"))
says("chunked", MUST, "9112 7.1", answer(200, b"hello"), stays,
     sends=reply("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + chunked(b"hel", b"lo"))
says("chunked-in-pieces", MUST, "9112 7.1", answer(200, b"hello"), stays,
     sends=[bytes([b]) for b in reply("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + chunked(b"hel", b"lo")])
says("in-pieces", MUST, "9112 6.2", answer(200, b"hello"), stays,
     sends=[bytes([b]) for b in reply(body=b"hello")])
says("chunk-extensions-end-here", MUST, "9112 7.1.1", answer(200, b"hello"), lambda run: None
     if b"secret" not in run.client_data else "an extension was passed on",
     sends=reply("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + b"5;x=secret\r\nhello\r\n0;y\r\n\r\n")
says("coding-in-capitals", MUST, "9112 7", answer(200, b"hello"),
     sends=reply("HTTP/1.1 200 OK", "Transfer-Encoding: CHUNKED") + chunked(b"hello"))
says(
    "trailers", SHOULD, "9110 6.5.1", answer(200, b"hello"), lambda run: None
    if run.final.trailers in ([], [("X-T", "1")]) else run.final.trailers,
    send=ask("GET / HTTP/1.1", "TE: trailers",
             "Connection: TE"), sends=reply("HTTP/1.1 200 OK", "Trailer: X-T", "Transfer-Encoding: chunked") +
    chunked(b"hello", trailers=["X-T: 1"]))
for name in ("Content-Length", "Transfer-Encoding", "Set-Cookie", "Connection", "Content-Type", "Location"):
    says(
        f"a-trailer-named-{name}", MUST, "9110 6.5.1", either(answer(200, b"hello"),
                                                              cut), lambda run, name=name: None
        if not run.final or name not in [n for n, _ in run.final.fields] or "evil" not in run.final[
            name] else "merged", lambda run, name=name: None
        if not run.final or name not in [n for n, _ in run.final.trailers] or name == "Set-Cookie" or name ==
        "Location" else "passed on", sends=reply("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") +
        chunked(b"hello", trailers=[f"{name}: evil"]))
for named in ("X-T", "close, x-t", ", ,X-T,", "keep-alive,\tX-T"):
    says(
        f"a-trailer-that-connection-names-{named}", MUST, "9110 7.6.1", answer(200, b"hello"), lambda run: None
        if run.final.trailers in ([], [("X-U", "2")]) else run.final.trailers,
        send=ask("GET / HTTP/1.1", "TE: trailers", "Connection: TE"),
        sends=reply("HTTP/1.1 200 OK", f"Connection: {named}", "Transfer-Encoding: chunked") +
        chunked(b"hello", trailers=["X-T: 1", "X-U: 2"]))
says("until-close", MUST, "9112 6.3", answer(200, b"hello", ("whole", "close")), send=GET,
     sends=[reply() + b"hello"], then=[CLOSE])
says("until-close-is-chunked-for-1.1", SHOULD, "9112 6.1", answer(200, b"hello"), stays,
     sends=[reply() + b"hello"], then=[CLOSE])
says("until-close-for-1.0", MUST, "9112 6.3", answer(200, b"hello", ("close", )), lacks("Transfer-Encoding"),
     send=GET_10, sends=[reply() + b"hello"], then=[CLOSE])
says("until-close-and-empty", MUST, "9112 6.3", answer(200, b"", ("whole", "close")), sends=[reply()],
     then=[CLOSE])
says("chunked-for-1.0", MUST, "9112 6.1", answer(200, b"hello", ("whole", "close")), closed, lambda run: None
     if not run.final["Transfer-Encoding"] else "chunked for a client of 1.0", send=GET_10,
     sends=reply("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + chunked(b"hel", b"lo"))
says("a-length-for-1.0", MUST, "9112 6.2", answer(200, b"hello"), closed, send=GET_10, sends=reply(body=b"hello"))
says("of-1.0", MUST, "9110 6.2", answer(200, b"hello"), stays, sends=[reply("HTTP/1.0 200 OK", body=b"hello")],
     then=[CLOSE])
says("of-1.0-until-close", MUST, "9112 6.3", answer(200, b"hello", ("whole", "close")),
     sends=[reply("HTTP/1.0 200 OK") + b"hello"], then=[CLOSE])
says("of-1.0-is-not-reused", MUST, "9112 9.3", request(2), reused(2), send=[GET, RESPONSE, GET],
     methods=["GET", "GET"], sends=[reply("HTTP/1.0 200 OK", body=b"hello")])
says("of-1.0-with-keep-alive", SHOULD, "9112 9.3", request(2), send=[GET, RESPONSE, GET], methods=["GET", "GET"],
     sends=[reply("HTTP/1.0 200 OK", "Connection: keep-alive", body=b"hello")])
says("of-1.2", MUST, "9110 2.5", either(answer(200, b"hello"), bad_gateway()),
     sends=reply("HTTP/1.2 200 OK", body=b"hello"))
for code in (201, 202, 203, 206, 226, 300, 301, 302, 303, 307, 308, 400, 401, 402, 403, 404, 405, 406, 409, 410,
             411, 412, 413, 414, 415, 416, 417, 418, 421, 422, 425, 426, 428, 429, 431, 451, 500, 501, 502, 503,
             504, 505, 511, 299, 399, 499, 599):
    says(f"status-{code}", MUST, "9110 15", answer(code, b"hello"), stays,
         sends=reply(f"HTTP/1.1 {code} Why so", body=b"hello"))
for code in (100, 99, 600, 999, 0, 1000):
    if code != 100:
        says(f"status-{code}", SHOULD, "9110 15", either(bad_gateway(), answer(code)),
             sends=reply(f"HTTP/1.1 {code:03d} X", body=b"hello"))
says("a-reason-that-is-empty", MUST, "9112 4", answer(200, b"hello"), sends=reply("HTTP/1.1 200 ", body=b"hello"))
says("a-reason-that-is-not-there", SHOULD, "9112 4", either(answer(200, b"hello"), bad_gateway()),
     sends=reply("HTTP/1.1 200", body=b"hello"))
says("a-reason-of-latin-1", MUST, "9112 4", answer(200, b"hello"), sends=reply("HTTP/1.1 200 Gr\xfc\xdfe",
                                                                               body=b"hello"))
says("a-long-reason", SHOULD, "9112 4", either(answer(200, b"hello"), bad_gateway()),
     sends=reply("HTTP/1.1 200 " + "a" * 3000, body=b"hello"))
says("without-date", MUST, "9110 6.6.1", answer(200, b"hello"), lambda run: None
     if len(run.final.all("Date")) == 1 else run.final.all("Date"), sends=reply(body=b"hello", date=False))
says("date-stays", MUST, "9110 7.7", field("Date", "Sun, 06 Nov 1994 08:49:37 GMT"), sends=reply(body=b"hello"))
for name, value in (("Content-Type", "text/x; charset=\"y\""), ("ETag", 'W/"x"'),
                    ("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"), ("Cache-Control", "no-store"),
                    ("Expires", "0"), ("Vary", "Accept"), ("Content-Encoding", "gzip"), ("Location", "/x?y#z"),
                    ("WWW-Authenticate", 'Basic realm="x"'), ("X_thing", "1"), ("Set-Cookie", "a=b; Path=/"),
                    ("Age", "3"), ("Allow", "GET"), ("Content-Disposition", 'attachment; filename="x"'),
                    ("Link", "</x>; rel=y"), ("Retry-After", "3"), ("X-Accel-Redirect",
                                                                    "/x"), ("X-Accel-Buffering", "no"),
                    ("X-Sendfile", "/etc/passwd"), ("Warning", "199 - x"), ("Content-Range", "bytes 0-4/9"),
                    ("Accept-Ranges", "bytes"), ("Strict-Transport-Security",
                                                 "max-age=1"), ("Content-Language", "de"), ("X-Empty", "")):
    says(f"passes-on-{name}", MUST, "9110 5.1", field(name, value),
         sends=reply("HTTP/1.1 200 OK", f"{name}: {value}", body=b"hello"))
says("server", SHOULD, "9110 7.7", lambda run: None
     if len(run.final.all("Server")) <= 1 else run.final.all("Server"),
     sends=reply("HTTP/1.1 200 OK", "Server: up/1", body=b"hello"))
says(
    "equal-names-keep-their-order", MUST, "9110 5.3", field("Set-Cookie", "a=1", "b=2", "c=3"),
    sends=reply("HTTP/1.1 200 OK", "Set-Cookie: a=1", "X: y", "Set-Cookie: b=2", "set-cookie: c=3",
                body=b"hello"))
says("via-of-the-response-stays", SHOULD, "9110 7.6.3", lambda run: None
     if "1.0 inner" in (run.final["Via"] or "") else run.final.all("Via"),
     sends=reply("HTTP/1.1 200 OK", "Via: 1.0 inner", body=b"hello"))
says("a-value-of-latin-1", SHOULD, "9110 5.5", field("X-A", "caf\xe9"),
     sends=reply("HTTP/1.1 200 OK", "X-A: caf\xe9", body=b"x"))
says("sixty-fields", SHOULD, "9110 5.4", field("X-59", "59"),
     sends=reply("HTTP/1.1 200 OK", *[f"X-{n}: {n}" for n in range(60)], body=b"x"))
says("a-long-field", SHOULD, "9110 5.4", field("X-A", "v" * 3500), sends=reply("HTTP/1.1 200 OK",
                                                                               "X-A: " + "v" * 3500, body=b"x"))

for size in (0, 1, 4095, 4096, 16384, 65537, 1000000):
    data = bytes(n * 11 % 251 for n in range(size))
    says(f"a-body-of-{size}", MUST, "9112 6.2", answer(200, data), stays, sends=reply(body=data))
    says(
        f"a-chunked-body-of-{size}", MUST, "9112 7.1", answer(200, data), stays,
        sends=reply("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") +
        chunked(*[data[at:at + 9001] for at in range(0, size, 9001)]))
    says(f"a-body-until-close-of-{size}", MUST, "9112 6.3", answer(200, data, ("whole", "close")),
         sends=[reply() + data], then=[CLOSE])
    says(
        f"a-chunked-body-for-1.0-of-{size}", MUST, "9112 6.1", answer(200, data, ("whole", "close")), send=GET_10,
        sends=reply("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") +
        chunked(*[data[at:at + 9001] for at in range(0, size, 9001)]))
says("chunks-of-one-byte", MUST, "9112 7.1", answer(200, b"x" * 3000),
     sends=reply("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + chunked(*[b"x"] * 3000))

# --- hop by hop ------------------------------------------------------------------------------------

says("connection-names-a-field", MUST, "9110 7.6.1", field("X-Gone"), field("X-Stays", "2"),
     answer(200, b"hello"), sends=reply("HTTP/1.1 200 OK", "Connection: X-Gone", "X-Gone: 1", "X-Stays: 2",
                                        body=b"hello"))
says("connection-comes-after-the-field", MUST, "9110 7.6.1", field("X-Gone"),
     sends=reply("HTTP/1.1 200 OK", "X-Gone: 1", "X-gone: 2", "connection: x-GONE", body=b"hello"))
says("connection-names-content-length", MUST, "9110 7.6.1", either(answer(200, b"hello"), bad_gateway()),
     sends=reply("HTTP/1.1 200 OK", "Connection: Content-Length", body=b"hello"))
for name in ("Content-Type", "Set-Cookie", "Date"):
    says(
        f"connection-names-{name}", SHOULD, "9110 7.6.1", answer(200, b"hello"),
        sends=reply("HTTP/1.1 200 OK", f"Connection: {name}", f"{name}: x" if name != "Date" else "X: y",
                    body=b"hello"))
for name, value in (("Keep-Alive", "timeout=5"), ("Proxy-Connection", "keep-alive"), ("TE", "trailers"),
                    ("Upgrade", "h2c")):
    says(f"never-passes-on-{name}", MUST, "9110 7.6.1", field(name), answer(200, b"hello"),
         sends=reply("HTTP/1.1 200 OK", f"{name}: {value}", body=b"hello"))
says("close-of-the-upstream-is-its-own", MUST, "9110 7.6.1", answer(200, b"hello"), stays,
     sends=[reply("HTTP/1.1 200 OK", "Connection: close", body=b"hello")], then=[CLOSE])
says("after-close-another-connection", MUST, "9112 9.6", request(2), reused(2), send=[GET, RESPONSE, GET],
     methods=["GET", "GET"], sends=[reply("HTTP/1.1 200 OK", "Connection: close", body=b"hello")])
says("keep-alive-is-used", SHOULD, "9112 9.3", request(2), reused(1), send=[GET, RESPONSE, GET],
     methods=["GET", "GET"], sends=[reply(body=b"hello")])

# --- no body -------------------------------------------------------------------------------------------

HEADED = ask("HEAD / HTTP/1.1")
says("head-with-a-length", MUST, "9110 9.3.2", answer(200, b""), field("Content-Length", "5"), stays, send=HEADED,
     sends=reply("HTTP/1.1 200 OK", "Content-Length: 5"))
says("head-chunked", MUST, "9110 9.3.2", answer(200, b""), stays, send=HEADED,
     sends=reply("HTTP/1.1 200 OK", "Transfer-Encoding: chunked"))
says("head-without-a-length", MUST, "9110 9.3.2", answer(200, b""), stays, send=HEADED, sends=reply())
for code in (204, 304):
    says(f"{code}", MUST, "9112 6.3", answer(code, b""), stays, sends=reply(f"HTTP/1.1 {code} X", "ETag: \"x\""))
    says(f"{code}-with-a-length-of-0", MUST, "9112 6.3", answer(code, b""), stays,
         sends=reply(f"HTTP/1.1 {code} X", "Content-Length: 0"))
    says(f"{code}-chunked", MUST, "9112 6.1", either(answer(code, b""), bad_gateway()),
         sends=reply(f"HTTP/1.1 {code} X", "Transfer-Encoding: chunked"))
says("204-with-a-length", MUST, "9110 8.6", either(answer(204, b""), bad_gateway()),
     sends=reply("HTTP/1.1 204 X", "Content-Length: 5"))
says("304-with-a-length", MUST, "9110 8.6", answer(304, b""), stays,
     sends=reply("HTTP/1.1 304 X", "Content-Length: 5"))
says("205", MUST, "9110 15.3.6", answer(205, b""), stays, sends=reply("HTTP/1.1 205 X", "Content-Length: 0"))
# A body where none can be: it must never be taken for the next response, on whichever connection.
POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"


def no_poison(run):
    if b"poison" in run.client_data:
        return f"the client got what nobody asked for: {run.client_data!r}"


for name, send, line, method in (("head", HEADED, "HTTP/1.1 200 OK", "HEAD"),
                                 ("204", GET, "HTTP/1.1 204 No", "GET"), ("304", GET, "HTTP/1.1 304 No", "GET")):
    for how, sends in (("at-once", [reply(line, f"Content-Length: {len(POISON)}") + POISON]),
                       ("later",
                        [reply(line, *[f"Content-Length: {len(POISON)}"] * (name != "204")), 0.05, POISON])):
        case(f"{name}-with-a-body-{how}", MUST, "9112 6.3",
             [send, RESPONSE, GONE, ask("GET /2 HTTP/1.1")], no_poison, lambda run: None
             if run.finals[-1].status in (502, 200) else run.finals, upstream=[REQUEST, *sends,
                                                                               SERVE], methods=[method, "GET"])
says("bytes-after-the-response", MUST, "9112 9.2", no_poison, lambda run: None
     if [r.body for r in run.finals] == [b"hello", b"</2>"] else run.finals,
     send=[GET, RESPONSE, GONE,
           ask("GET /2 HTTP/1.1")], sends=reply(body=b"hello") + POISON, methods=["GET", "GET"])
says("bytes-after-a-chunked-response", MUST, "9112 9.2", no_poison, lambda run: None
     if [r.body for r in run.finals] == [b"hello", b"</2>"] else run.finals,
     send=[GET, RESPONSE, GONE, ask("GET /2 HTTP/1.1")],
     sends=reply("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + chunked(b"hello") + POISON,
     methods=["GET", "GET"])
says("bytes-on-an-idle-connection", MUST, "9112 9.2", no_poison, lambda run: None
     if [r.body for r in run.finals] == [b"hello", b"</2>"] else run.finals,
     send=[GET, RESPONSE, GONE, ask("GET /2 HTTP/1.1")], sends=[reply(body=b"hello"), 0.03,
                                                               POISON], methods=["GET", "GET"])
says("crlf-on-an-idle-connection", SHOULD, "9112 9.2", lambda run: None
     if [r.body for r in run.finals] == [b"hello", b"</2>"] else run.finals,
     send=[GET, RESPONSE, GONE, ask("GET /2 HTTP/1.1")], sends=[reply(body=b"hello"), 0.03,
                                                               b"\r\n"], methods=["GET", "GET"])
says(
    "a-408-on-an-idle-connection", MUST, "9112 9.2", lambda run: None
    if [r.status for r in run.finals] == [200, 200] else run.finals,
    send=[GET, RESPONSE, GONE, ask("GET /2 HTTP/1.1")], methods=["GET", "GET"],
    sends=[reply(body=b"hello"), 0.03,
           reply("HTTP/1.1 408 Timeout", "Connection: close", body=b"poison"), CLOSE])
# On a new connection nobody can tell whether it came before the request; it is never for a second one.
case("a-response-before-any-request", MUST, "9112 9.2",
     [GET, RESPONSE, 0.1, ask("GET /2 HTTP/1.1")], lambda run: None
     if run.finals[-1].body in (b"hello", b"</2>") else run.finals,
     upstream=[POISON, REQUEST, reply(body=b"hello"), SERVE], methods=["GET", "GET"])
for tail in (b"\r\n", b"x", b"HTTP/1.1", b"\0"):
    says(f"garbage-after-the-response-{tail!r}", MUST, "9112 9.2", lambda run: None
         if [r.body for r in run.finals] == [b"hello", b"</2>"] else run.finals,
         send=[GET, RESPONSE, GONE,
               ask("GET /2 HTTP/1.1")], sends=reply(body=b"hello") + tail, methods=["GET", "GET"])

# --- malformed ------------------------------------------------------------------------------------------

for name, text in {
        "garbage": b"hello world\r\n\r\n", "nothing-like-http": b"220 smtp.example ESMTP\r\n",
        "ssh": b"SSH-2.0-OpenSSH\r\n", "binary": bytes(range(256)) * 4, "tls-alert": b"\x15\x03\x01\0\2\2\x32",
        "of-0.9": b"<html>hello</html>", "of-2": b"HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "of-2-short": b"HTTP/2 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "http-lower": b"http/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "version-3-digits": b"HTTP/1.11 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "no-version": b"200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "icy": b"ICY 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "status-2-digits": b"HTTP/1.1 20 OK\r\nContent-Length: 5\r\n\r\nhello",
        "status-4-digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 5\r\n\r\nhello",
        "status-text": b"HTTP/1.1 abc OK\r\nContent-Length: 5\r\n\r\nhello",
        "status-signed": b"HTTP/1.1 +20 OK\r\nContent-Length: 5\r\n\r\nhello",
        "status-missing": b"HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
        "status-glued": b"HTTP/1.1 200OK\r\nContent-Length: 5\r\n\r\nhello",
        "two-blanks": b"HTTP/1.1  200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "tab": b"HTTP/1.1\t200\tOK\r\nContent-Length: 5\r\n\r\nhello",
        "blank-first": b" HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "nul-in-reason": b"HTTP/1.1 200 O\0K\r\nContent-Length: 5\r\n\r\nhello",
        "cr-in-reason": b"HTTP/1.1 200 O\rK\r\nContent-Length: 5\r\n\r\nhello",
        "nul-in-value": b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 5\r\n\r\nhello",
        "cr-in-value": b"HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 5\r\n\r\nhello",
        "nul-in-name": b"HTTP/1.1 200 OK\r\nX\0: a\r\nContent-Length: 5\r\n\r\nhello",
        "no-colon": b"HTTP/1.1 200 OK\r\nX\r\nContent-Length: 5\r\n\r\nhello",
        "empty-name": b"HTTP/1.1 200 OK\r\n: x\r\nContent-Length: 5\r\n\r\nhello",
        "blank-in-name": b"HTTP/1.1 200 OK\r\nX Y: x\r\nContent-Length: 5\r\n\r\nhello",
        "fold-first": b"HTTP/1.1 200 OK\r\n X: y\r\nContent-Length: 5\r\n\r\nhello",
        "latin-1-name": b"HTTP/1.1 200 OK\r\nX\xe9: a\r\nContent-Length: 5\r\n\r\nhello",
        "lf-only": b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
        "lf-in-value": b"HTTP/1.1 200 OK\r\nX: y\nContent-Length: 5\r\n\r\nhello",
        "te-gzip": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello",
        "te-gzip-chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "te-chunked-gzip": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "te-twice": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "te-x": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "te-empty": b"HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n\r\nhello",
        "te-of-1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "te-identity": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello",
        "both": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "both-the-other-way": b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
}.items():
    good = "te-of-1.0", "both", "both-the-other-way", "te-twice", "lf-only", "lf-in-value", "te-identity", "te-empty"
    level = SHOULD if name in ("two-blanks", "tab", "blank-first", "http-lower", "lf-only", "lf-in-value",
                               "latin-1-name", "no-colon", "empty-name", "blank-in-name", "nul-in-name",
                               "status-glued", "version-3-digits", "te-twice", "te-identity", "te-empty",
                               "te-gzip", "te-gzip-chunked", "fold-first", "of-0.9") else MUST
    expect = bad_gateway()
    if name in good:
        expect = either(bad_gateway(), answer(200, b"hello", ("whole", "close")))
    says(
        f"malformed-{name}", level, "9112 4", expect, sends=[text],
        then=[CLOSE] if name in ("te-gzip", "te-empty", "of-0.9", "nothing-like-http", "ssh", "tls-alert",
                                 "binary") else [0.3, CLOSE])
says("a-fold", MUST, "9112 5.2", either(bad_gateway(), field("X", "a b"), field("X", "a  b"), field("X",
                                                                                                    "a   b")),
     sends=b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 5\r\n\r\nhello")
says("a-blank-before-the-colon", MUST, "9112 5.1", either(bad_gateway(), field("X", "a")),
     sends=b"HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 5\r\n\r\nhello")
says("a-blank-before-the-colon-of-the-length", MUST, "9112 5.1", either(bad_gateway(), answer(200, b"hello")),
     sends=b"HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello")
for value in ("-5", "+5", "5x", "0x5", "", "5, 6", "99999999999999999999999999", "18446744073709551616", "5.0",
              "5 5", "\"5\"", "5\x00", "NaN", "1e1"):
    says(f"cl-{value!r}", MUST, "9112 6.3", bad_gateway(),
         sends=b"HTTP/1.1 200 OK\r\nContent-Length: " + value.encode() + b"\r\n\r\nhello", then=[0.2, CLOSE])
for first, second in (("5", "6"), ("6", "5"), ("0", "5"), ("5", "")):
    says(f"cl-{first}-and-{second}", MUST, "9112 6.3", bad_gateway(),
         sends=f"HTTP/1.1 200 OK\r\nContent-Length: {first}\r\nContent-Length: {second}\r\n\r\nhello".encode(),
         then=[0.2, CLOSE])
for text in ("Content-Length: 5\r\nContent-Length: 5", "Content-Length: 5, 5"):
    says(f"cl-twice-{text[-8:]!r}", MUST, "9112 6.3", either(bad_gateway(), answer(200, b"hello")),
         sends=f"HTTP/1.1 200 OK\r\n{text}\r\n\r\nhello".encode())
says("a-head-without-end", MUST, "9112 2.2", bad_gateway(502, 504),
     sends=[b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 30000], then=[0.3, CLOSE])
says("a-value-without-end", MUST, "9112 2.2", bad_gateway(502, 504),
     sends=[b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300000], then=[0.3, CLOSE])
says("a-thousand-fields", SHOULD, "9110 5.4", either(bad_gateway(), answer(200, b"hello")),
     sends=reply("HTTP/1.1 200 OK", *["X: y"] * 1000, body=b"hello"))
for name, text in {
        "size-x": b"x\r\nhello\r\n0\r\n\r\n", "size-minus": b"-5\r\nhello\r\n0\r\n\r\n",
        "size-plus": b"+5\r\nhello\r\n0\r\n\r\n", "size-0x": b"0x5\r\nhello\r\n0\r\n\r\n",
        "size-empty": b"\r\nhello\r\n0\r\n\r\n", "size-overflow": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
        "size-f": b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n", "no-crlf": b"5\r\nhello0\r\n\r\n",
        "too-much": b"5\r\nhelloX\r\n0\r\n\r\n", "lf": b"5\nhello\n0\n\n", "cr": b"5\rhello\r0\r\r",
        "nul": b"5\0\r\nhello\r\n0\r\n\r\n", "blank-first": b" 5\r\nhello\r\n0\r\n\r\n",
        "trailer-no-colon": b"5\r\nhello\r\n0\r\nX\r\n\r\n", "trailer-nul": b"5\r\nhello\r\n0\r\nX: \0\r\n\r\n",
        "trailer-lf": b"5\r\nhello\r\n0\r\nX: a\nY: b\r\n\r\n", "extension-lf": b"5;a\nb\r\nhello\r\n0\r\n\r\n"
}.items():
    level = SHOULD if name in ("lf", "trailer-lf", "extension-lf", "trailer-no-colon", "trailer-nul") else MUST
    says(f"chunk-{name}", level, "9112 7.1",
         bad_gateway() if level == MUST else either(bad_gateway(), answer(200, b"hello")),
         sends=[reply("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + text], then=[0.2, CLOSE])
    says(f"later-chunk-{name}", level, "9112 7.1",
         cut if level == MUST else either(cut, answer(200, b"abchello")),
         sends=[reply("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n",
                peer(b"abc"), text], then=[0.2, CLOSE])
says("trailers-without-end", MUST, "9112 7.1.2", either(cut, bad_gateway(), answer(200, b"abc")),
     sends=[reply("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n" + b"X: y\r\n" * 50000],
     then=[0.2, CLOSE])

# --- it ends early: at each byte, in each way -----------------------------------------------------------------

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x\r\nlo\r\n0\r\nT: u\r\n\r\n"
for text, kind in ((PLAIN, "length"), (CHUNKED, "chunked")):
    for at in range(len(text)):
        for how in (CLOSE, RESET):
            # A reset of the first byte is a connection that was not used: it may be tried again.
            if how is RESET and at % 3 or at < 12 and at % 4:
                continue
            expect = either(bad_gateway(), answer(200, b"</>")) if at == 0 else bad_gateway()
            says(f"{kind}-cut-at-{at}-by-{how}", MUST, "9112 8", expect, sends=[text[:at]] if at else [],
                 then=[how])
says("until-close-cut-by-a-reset", MUST, "9112 8", cut, sends=[reply() + b"hello", peer(b"hello")], then=[RESET])
says("until-close-cut-by-a-reset-for-1.0", MUST, "9112 8", cut, send=GET_10,
     sends=[reply() + b"hello", peer(b"hello")], then=[RESET])
says("chunked-cut-for-1.0", MUST, "9112 8", cut, send=GET_10,
     sends=[reply("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n",
            peer(b"hello")], then=[CLOSE])
says("chunked-cut-for-1.1", MUST, "9112 8", cut,
     sends=[reply("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n",
            peer(b"hello")], then=[CLOSE])
says("length-cut-for-1.1", MUST, "9112 8", cut,
     sends=[reply("HTTP/1.1 200 OK", "Content-Length: 10") + b"hello",
            peer(b"hello")], then=[CLOSE])
says("length-cut-for-1.0", MUST, "9112 8", cut, send=GET_10,
     sends=[reply("HTTP/1.1 200 OK", "Content-Length: 10") + b"hello",
            peer(b"hello")], then=[CLOSE])
says("cut-after-a-long-body", MUST, "9112 8", cut,
     sends=[reply("HTTP/1.1 200 OK", "Content-Length: 1000000") + b"x" * 999999], then=[CLOSE])
says("no-answer-but-an-end", MUST, "9110 15.6.3", either(bad_gateway(), answer(200, b"</>")), then=[CLOSE])
says("no-answer-but-an-end-to-a-post", MUST, "9110 9.2.2", bad_gateway(), request(1),
     send=ask("POST / HTTP/1.1", "Content-Length: 1", body=b"x"), then=[CLOSE])
says("no-answer-but-a-reset-to-a-post", MUST, "9110 9.2.2", bad_gateway(), request(1),
     send=ask("POST / HTTP/1.1", "Content-Length: 1", body=b"x"), then=[RESET])
says("no-answer-but-an-end-to-a-patch", MUST, "9110 9.2.2", bad_gateway(), request(1),
     send=ask("PATCH / HTTP/1.1", "Content-Length: 1", body=b"x"), then=[CLOSE])
case("an-end-at-once", MUST, "9110 15.6.3", GET, either(bad_gateway(), answer(200, b"</>")), upstream=[CLOSE])
case("a-reset-at-once", MUST, "9110 15.6.3", GET, either(bad_gateway(), answer(200, b"</>")), upstream=[RESET])
case("always-an-end", MUST, "9110 15.6.3", GET, status(502), upstream=[[REQUEST, CLOSE]] * 50)
case("always-a-reset", MUST, "9110 15.6.3", GET, status(502), upstream=[[REQUEST, RESET]] * 50)
case("tries-are-few", SHOULD, "9110 9.2.2", GET, lambda run: None
     if len(run.connections) <= 3 else f"{len(run.connections)} tries", upstream=[[REQUEST, CLOSE]] * 50)

# --- 1xx -----------------------------------------------------------------------------------------------------

HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n"
says("103", MUST, "9110 15.2", interim(103), answer(200, b"hello"), lambda run: None
     if run.responses[0]["Link"] == "</x>; rel=preload" else run.responses[0].fields,
     sends=HINTS + reply(body=b"hello"))
says("103-comes-at-once", SHOULD, "8297 2", interim(103), answer(200, b"hello"),
     sends=[HINTS, peer(b"103"), reply(body=b"hello")])
says("103-twice", MUST, "9110 15.2", interim(103, 103), answer(200, b"hello"),
     sends=HINTS * 2 + reply(body=b"hello"))
says("102", MUST, "9110 15.2", interim(102), answer(200, b"hello"),
     sends=b"HTTP/1.1 102 Processing\r\n\r\n" + reply(body=b"hello"))
says("199", MUST, "9110 15.2", interim(199), answer(200, b"hello"),
     sends=b"HTTP/1.1 199 X\r\n\r\n" + reply(body=b"hello"))
says("100-that-nobody-asked-for", MUST, "9110 15.2", interim(100), answer(200, b"hello"),
     sends=b"HTTP/1.1 100 Continue\r\n\r\n" + reply(body=b"hello"))
says("103-for-1.0", MUST, "9110 15.2", interim(), answer(200, b"hello"), send=GET_10,
     sends=HINTS + reply(body=b"hello"))
says("103-with-hop-by-hop", MUST, "9110 7.6.1", answer(200, b"hello"), lambda run: None
     if b"X-Gone" not in run.client_data else "X-Gone",
     sends=b"HTTP/1.1 103 X\r\nConnection: X-Gone\r\nX-Gone: 1\r\n\r\n" + reply(body=b"hello"))
says("103-with-a-length", MUST, "9110 8.6", either(answer(200, b"hello"), bad_gateway()),
     sends=b"HTTP/1.1 103 X\r\nContent-Length: 5\r\n\r\n" + reply(body=b"hello"))
says("103-chunked", MUST, "9112 6.1", either(answer(200, b"hello"), bad_gateway()),
     sends=b"HTTP/1.1 103 X\r\nTransfer-Encoding: chunked\r\n\r\n" + reply(body=b"hello"))
says("103-flood", SHOULD, "9110 15.2", either(bad_gateway(), answer(200, b"hello")),
     sends=[HINTS * 2000, reply(body=b"hello")])
says("103-without-end", MUST, "9110 15.2", either(bad_gateway(502, 504)),
     sends=[lambda side: [side.send(HINTS * 100) for _ in range(300) if not side.end]], then=[CLOSE])
says("103-and-then-an-end", MUST, "9112 8", lambda run: None
     if not run.final or run.final.status == 502 else run.final, sends=[HINTS, peer(b"103")], then=[CLOSE])
says("half-a-103", MUST, "9112 8", bad_gateway(), sends=[HINTS[:-6]], then=[CLOSE])
says("101-that-nobody-asked-for", MUST, "9110 15.2.2", bad_gateway(),
     sends=[b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"], then=[END])
says("100-then-204", MUST, "9110 15.2", answer(204, b""),
     sends=b"HTTP/1.1 100 Continue\r\n\r\n" + reply("HTTP/1.1 204 No"))

# --- timing ------------------------------------------------------------------------------------------------------

says("silence", MUST, "9110 15.6.5", status(504), lane="short", then=[END], quiet=8)
says("half-a-head-and-silence", MUST, "9110 15.6.5", bad_gateway(504), lane="short",
     sends=b"HTTP/1.1 200 OK\r\nX:", then=[END], quiet=8)
says("half-a-body-and-silence", MUST, "9112 8", cut, lane="short",
     sends=reply("HTTP/1.1 200 OK", "Content-Length: 10") + b"hello", then=[END], responses=0, quiet=8)
says("half-a-chunk-and-silence", MUST, "9112 8", cut, lane="short",
     sends=reply("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + b"a\r\nhello", then=[END], responses=0,
     quiet=8)
says("until-close-and-silence", MUST, "9112 8", cut, lane="short", sends=reply() + b"hello", then=[END],
     responses=0, quiet=8)
says("until-close-and-silence-for-1.0", MUST, "9112 8", cut, send=GET_10, lane="short", sends=reply() + b"hello",
     then=[END], responses=0, quiet=8)
says("a-103-and-silence", MUST, "9110 15.6.5", status(504), lane="short", sends=HINTS, then=[END], quiet=8)
says("drip-of-a-head", SHOULD, "9110 15.6.5", bad_gateway(504), lane="short",
     sends=[step for b in b"HTTP/1.1 200 OK\r\nX: aaaaaaaaaa" for step in (bytes([b]), 0.2)], then=[END],
     quiet=10)
says(
    "drip-of-a-body-that-is-fast-enough", MUST, "9112 6.2", answer(200, b"hello" * 3), lane="short", sends=[
        reply("HTTP/1.1 200 OK", "Content-Length: 15"),
        *[step for b in b"hello" * 3 for step in (bytes([b]), 0.1)]
    ])
says("silence-after-a-post", MUST, "9110 15.6.5", status(504), request(1), lane="short",
     send=ask("POST / HTTP/1.1", "Content-Length: 1", body=b"x"), then=[END], quiet=8)
says("comes-as-it-is-sent", SHOULD, "9112 6.2", answer(200, b"firstsecond"),
     sends=[reply("HTTP/1.1 200 OK", "Content-Length: 11") + b"first",
            peer(b"first"), b"second"])
says(
    "chunks-come-as-they-are-sent", SHOULD, "9112 7.1", answer(200, b"firstsecond"), sends=[
        reply("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + b"5\r\nfirst\r\n",
        peer(b"first"), b"6\r\nsecond\r\n0\r\n\r\n"
    ])
says("until-close-comes-as-it-is-sent", SHOULD, "9112 6.3", answer(200, b"firstsecond", ("whole", "close")),
     sends=[reply() + b"first", peer(b"first"), b"second"], then=[CLOSE])
says(
    "events-come-at-once", SHOULD, "9112 7.1", answer(200, b"data: 1\n\ndata: 2\n\n", ("whole", "close")),
    send=ask("GET /events HTTP/1.1", "Accept: text/event-stream"), sends=[
        reply("HTTP/1.1 200 OK", "Content-Type: text/event-stream"),
        peer(b"event-stream"), b"data: 1\n\n",
        peer(b"data: 1"), b"data: 2\n\n"
    ], then=[CLOSE])
says("the-head-comes-before-the-body", SHOULD, "9112 6.2", answer(200, b"hello"),
     sends=[reply("HTTP/1.1 200 OK", "Content-Length: 5"),
            peer(b"\r\n\r\n"), b"hello"])

# --- before the request is complete -----------------------------------------------------------------------------------

POST = ask("POST / HTTP/1.1", "Content-Length: 10", body=b"hello")
case("a-final-response-before-the-body-is-complete", MUST, "9112 9.5", [POST, RESPONSE], answer(413, b"no"),
     upstream=[HEAD, reply("HTTP/1.1 413 X", body=b"no"), SERVE])
case(
    "then-the-rest-is-sent", MUST, "9112 9.5", [POST, RESPONSE, b"world" + ask("GET /2 HTTP/1.1")],
    lambda run: None if run.finals[0].status == 413 and
    (len(run.finals) == 1 and run.end != "open" or run.finals[1].body == b"</2>") else run.finals,
    upstream=[HEAD, reply("HTTP/1.1 413 X", body=b"no"), SERVE], methods=["POST", "GET"])
case(
    "then-the-connection-is-not-used-for-another", MUST, "9112 9.5",
    [POST, RESPONSE, b"world" + ask("GET /2 HTTP/1.1")], lambda run: None
    if not any(r.target == "/2" for u in run.connections[:1] for r in u.requests) else "used again",
    upstream=[HEAD, reply("HTTP/1.1 413 X", body=b"no"), 0.5, SERVE], methods=["POST",
                                                                               "GET"], responses=0, quiet=1.5)
case("and-the-upstream-closes", MUST, "9112 9.5", [POST, RESPONSE], answer(413, b"no"),
     upstream=[HEAD, reply("HTTP/1.1 413 X", "Connection: close", body=b"no"), CLOSE])
case("and-the-upstream-resets", SHOULD, "9112 9.5",
     [ask("POST / HTTP/1.1", "Content-Length: 3000000", body=b"x" * 3000000)], lambda run: None
     if run.final and run.final.status in (413, 502) else run.finals,
     upstream=[HEAD, reply("HTTP/1.1 413 X", "Connection: close", body=b"no"), 0.2, CLOSE])
case("while-the-body-still-comes", MUST, "9112 9.5",
     [ask("POST / HTTP/1.1", "Content-Length: 10", body=b"hello"),
      until(b"first"), b"world"], answer(200, b"firstlater"), request(1, body=b"helloworld"),
     upstream=[HEAD, reply("HTTP/1.1 200 OK", "Content-Length: 10") + b"first", REQUEST, b"later", SERVE])
case(
    "both-ways-at-once", MUST, "9112 9.5",
    [ask("POST / HTTP/1.1", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n",
     until(b"first"), b"0\r\n\r\n"], answer(200, b"first"), request(1, body=b"hello"), upstream=[
         HEAD,
         reply("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + b"5\r\nfirst\r\n", REQUEST, b"0\r\n\r\n", SERVE
     ])

# --- idle connections --------------------------------------------------------------------------------------------------

AGAIN = [GET, RESPONSE, GONE, ask("GET /2 HTTP/1.1")]
AGAIN_POST = [GET, RESPONSE, GONE, ask("POST /2 HTTP/1.1", "Content-Length: 1", body=b"x")]
for how in (CLOSE, RESET, FIN):
    says(f"idle-{how}-then-a-get", MUST, "9112 9.3.1", lambda run: None
         if [r.status for r in run.finals] == [200, 200] else run.finals, send=AGAIN,
         sends=[reply(body=b"hello"), 0.03], then=[how], methods=["GET", "GET"])
    says(f"idle-{how}-then-a-post", MUST, "9112 9.3.1", lambda run: None
         if [r.status for r in run.finals] == [200, 200] else run.finals, send=AGAIN_POST,
         sends=[reply(body=b"hello"), 0.03], then=[how], methods=["GET", "POST"])
    # It closes just when the request comes: a GET is sent again, a POST is not.
    says(f"{how}-when-a-get-comes", MUST, "9112 9.3.1", lambda run: None
         if [r.status for r in run.finals] == [200, 200] else run.finals,
         send=[GET, RESPONSE, ask("GET /2 HTTP/1.1")], sends=[reply(body=b"hello"),
                                                              REQUEST], then=[how], methods=["GET", "GET"])
    says(
        f"{how}-when-a-post-comes", MUST, "9110 9.2.2", lambda run: None
        if [r.status for r in run.finals] == [200, 502] and sum(r.method == "POST"
                                                                for r in run.requests) == 1 else
        (run.finals, run.requests), send=[GET, RESPONSE,
                                          ask("POST /2 HTTP/1.1", "Content-Length: 1", body=b"x")],
        sends=[reply(body=b"hello"), REQUEST], then=[how], methods=["GET", "POST"])

# --- two endpoints -----------------------------------------------------------------------------------------------------

case(
    "retry-of-a-get-elsewhere", SHOULD, "9110 9.2.2", GET, answer(200, b"</>"), lambda run: None
    if len(run.connections) == 2 and run.connections[0].endpoint != run.connections[1].endpoint else
    [u.endpoint for u in run.connections], lane="two", upstream=[REQUEST, RESET])
for method in ("HEAD", "OPTIONS", "PUT", "DELETE"):
    case(f"retry-of-{method}-elsewhere", SHOULD, "9110 9.2.2", ask(f"{method} / HTTP/1.1"), status(200, 502),
         lane="two", upstream=[REQUEST, RESET])
for method in ("POST", "PATCH"):
    case(f"no-retry-of-{method}", MUST, "9110 9.2.2", ask(f"{method} / HTTP/1.1", "Content-Length: 1", body=b"x"),
         status(502), request(1), lane="two", upstream=[REQUEST, RESET])
case("no-retry-after-the-head-came", MUST, "9112 8", GET, bad_gateway(), request(1), lane="two",
     upstream=[REQUEST, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe",
               peer(b"200"), RESET])
case("no-retry-of-5xx", SHOULD, "9110 15.6", GET, answer(503, b"no"), request(1), lane="two",
     upstream=[REQUEST, reply("HTTP/1.1 503 X", body=b"no"), SERVE])
case("retry-once-each", SHOULD, "9110 9.2.2", GET, status(502), lambda run: None
     if len(run.connections) <= 2 else f"{len(run.connections)} tries", lane="two",
     upstream=[[REQUEST, RESET]] * 10)
case("a-get-with-a-body-that-went-on", SHOULD, "9110 9.2.2",
     ask("PUT / HTTP/1.1", "Content-Length: 5", body=b"hello"), status(200, 502), lane="two",
     upstream=[REQUEST, RESET])

# --- WebSocket ---------------------------------------------------------------------------------------------------------

WS_ASKED = WS = ask("GET /ws HTTP/1.1", "Connection: keep-alive, Upgrade", "Upgrade: websocket",
                    "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                    "Sec-WebSocket-Protocol: chat, superchat", "Sec-WebSocket-Extensions: permessage-deflate",
                    "Origin: http://a.example")
WS_TAKEN = SWITCH = reply("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
                          "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "Sec-WebSocket-Protocol: chat")


def websocket(name, level, section, send, upstream, *expect, **options):
    options.setdefault("responses", 0)
    options.setdefault("quiet", 1)
    case(name, level, section, send, lambda run: None
         if run.final and run.final.status == 101 else f"no tunnel: {run.responses}", *expect, upstream=upstream,
         **options)


def tunnel(theirs=None, ours=None):
    """What the upstream and the client got in the tunnel."""

    def judge(run):
        got = run.connections[0].bytes_of_tunnel(), run.final.body
        if theirs is not None and got[0] != theirs or ours is not None and got[1] != ours:
            return f"in the tunnel: {got[0]!r:.200} and {got[1]!r:.200}"

    return judge


websocket("websocket", MUST, "9110 7.8",
          [WS, until(b"\r\n\r\n"), b"\x81\x85abcdefghi",
           until(b"there"), CLOSE],
          [REQUEST, TUNNEL, SWITCH, until(b"efghi"), b"\x81\x05there", END], has("Upgrade",
                                                                                 "websocket"), lambda run: None
          if "upgrade" in run.requests[0].options() else run.requests[0].options(),
          has("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), has("Sec-WebSocket-Version", "13"),
          has("Origin", "http://a.example"), has("Sec-WebSocket-Protocol", "chat, superchat"),
          field("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), field("Upgrade",
                                                                               "websocket"), lambda run: None
          if "upgrade" in run.final.options() else run.final.options(), field("Sec-WebSocket-Protocol", "chat"),
          tunnel(b"\x81\x85abcdefghi", b"\x81\x05there"))
websocket("websocket-of-a-token-in-capitals", MUST, "9110 7.8",
          [WS.replace(b"Upgrade: websocket", b"Upgrade: WebSocket"),
           until(b"\r\n\r\n")], [REQUEST, TUNNEL, SWITCH, END])
websocket("websocket-server-speaks-first", MUST, "6455 4.2", [WS, until(b"first"), b"second", CLOSE],
          [REQUEST, TUNNEL, SWITCH + b"first", until(b"second"), END], tunnel(b"second", b"first"))
websocket("websocket-client-speaks-before-the-answer", SHOULD, "6455 4.1",
          [WS + b"early", until(b"\r\n\r\n"), b"later",
           peer(b"later"), CLOSE],
          [REQUEST, TUNNEL, 0.1, SWITCH, until(b"later"), END], tunnel(b"earlylater"))
websocket("websocket-of-each-byte", MUST, "6455 5",
          [WS, until(b"\r\n\r\n"), bytes(range(256)) * 300,
           until(b"done"), CLOSE], [
               REQUEST, TUNNEL, SWITCH, lambda side: side.wait(lambda: len(side.data) >= side.at + 76800, "all"),
               bytes(range(256)) * 300, b"done", END
           ], tunnel(bytes(range(256)) * 300,
                     bytes(range(256)) * 300 + b"done"), quiet=5)
websocket("websocket-the-client-ends", MUST, "6455 7",
          [WS, until(b"\r\n\r\n"), b"bye", peer(b"bye"), CLOSE],
          [REQUEST, TUNNEL, SWITCH, until(b"bye"), END], lambda run: None
          if run.connections[0].ended_by else "the upstream does not hear of it")
websocket("websocket-the-client-resets", MUST, "6455 7",
          [WS, until(b"\r\n\r\n"), b"bye", peer(b"bye"), RESET],
          [REQUEST, TUNNEL, SWITCH, until(b"bye"), END])
websocket("websocket-the-upstream-ends", MUST, "6455 7", [WS, END], [REQUEST, TUNNEL, SWITCH, b"bye", CLOSE],
          tunnel(ours=b"bye"), closed)
websocket("websocket-the-upstream-resets", MUST, "6455 7", [WS, END],
          [REQUEST, TUNNEL, SWITCH, b"bye", peer(b"bye"), RESET], closed)
websocket("websocket-half-close-of-the-client", SHOULD, "6455 7.1.1",
          [WS, until(b"\r\n\r\n"), b"bye", FIN, END], [REQUEST, TUNNEL, SWITCH, END, b"last", CLOSE],
          tunnel(b"bye", b"last"), quiet=3)
websocket("websocket-half-close-of-the-upstream", SHOULD, "6455 7.1.1",
          [WS, until(b"last"), END, b"more", CLOSE], [REQUEST, TUNNEL, SWITCH + b"last", FIN, END],
          tunnel(ours=b"last"), quiet=3)
websocket("websocket-is-not-http-any-more", MUST, "9110 7.8",
          [WS, until(b"\r\n\r\n"), GET, peer(b"GET / HTTP"), CLOSE],
          [REQUEST, TUNNEL, SWITCH, until(GET), END], tunnel(GET))
case(
    "another-protocol", SHOULD, "9110 7.8", [
        ask("GET / HTTP/1.1", "Connection: upgrade", "Upgrade: foo/2"),
        until(b"\r\n\r\n"), b"hi",
        peer(b"hi"), CLOSE
    ], lambda run: None
    if not run.final or run.final.status == (101
                                             if run.requests[0]["Upgrade"] else 502) else run.finals, upstream=[
                                                 REQUEST, TUNNEL,
                                                 reply("HTTP/1.1 101 X", "Upgrade: foo/2", "Connection: Upgrade"),
                                                 until(b"hi"), END
                                             ], responses=0, quiet=1)
case("101-to-another-protocol", MUST, "9110 7.8", WS, bad_gateway(),
     upstream=[REQUEST, reply("HTTP/1.1 101 X", "Upgrade: foo/2", "Connection: Upgrade"), END])
case("101-without-upgrade", SHOULD, "9110 7.8", WS, bad_gateway(),
     upstream=[REQUEST, reply("HTTP/1.1 101 X"), END])
case("101-without-its-option", SHOULD, "9110 7.8", WS, bad_gateway(),
     upstream=[REQUEST, reply("HTTP/1.1 101 X", "Upgrade: websocket"), END])
case("websocket-refused", MUST, "6455 4.1", WS, answer(403, b"no"), stays,
     upstream=[REQUEST, reply("HTTP/1.1 403 No", body=b"no"), SERVE])
case("websocket-ignored", MUST, "9110 7.8", WS, answer(200, b"hello"), stays,
     upstream=[REQUEST, reply(body=b"hello"), SERVE])
case("websocket-refused-and-then-another-request", MUST, "6455 4.1",
     [WS, RESPONSE, ask("GET /2 HTTP/1.1")], request(2), lambda run: None
     if [r.body for r in run.finals] == [b"no", b"</2>"] else run.finals,
     upstream=[REQUEST, reply("HTTP/1.1 403 No", body=b"no"), SERVE], methods=["GET", "GET"])
case("426", SHOULD, "9110 15.5.22", GET, answer(426, b"no"),
     upstream=[REQUEST,
               reply("HTTP/1.1 426 X", "Upgrade: foo/2", "Connection: Upgrade", body=b"no"), SERVE])

# --- who is there --------------------------------------------------------------------------------------------------------

# Many at once, each with its own answer: no response goes to another.
PATHS = [f"/{n}" for n in range(40)]
case("each-gets-its-own", MUST, "9112 9.2", [step for p in PATHS for step in (ask(f"GET {p} HTTP/1.1"), 0.001)],
     request(40), lambda run: None
     if [r.body for r in run.finals] == [f"<{p}>".encode() for p in PATHS] else run.finals, methods=["GET"] * 40)

# --- statements beside `proxy` -----------------------------------------------------------------------------

for size in (0, 5, 4096, 100000, 300000, 3000000):
    data = bytes(n * 11 % 251 for n in range(size))
    for text, name in ((reply(body=data), "length"),
                       (reply("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") +
                        chunked(*[data[at:at + 9001] for at in range(0, size, 9001)]), "chunked")):
        says(f"a-buffered-body-of-{size}-{name}", MUST, "9112 6.2", answer(200, data), sends=text,
             lane="buffered", needs="buffered")
says("a-buffered-length-cut", MUST, "9112 8", bad_gateway(),
     sends=[reply("HTTP/1.1 200 OK", "Content-Length: 10") + b"hello"], then=[CLOSE], lane="buffered",
     needs="buffered")
says("a-buffered-chunked-cut", MUST, "9112 8", bad_gateway(),
     sends=[reply("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n"], then=[CLOSE],
     lane="buffered", needs="buffered")
says("a-buffered-websocket", MUST, "9110 7.8", lambda run: None if run.final.status == 101 else run.finals,
     send=[WS_ASKED, until(b"\r\n\r\n"), b"hi", until(b"there"), CLOSE], responses=0, quiet=1,
     sends=[TUNNEL, WS_TAKEN, until(b"hi"), b"there"], then=[END], lane="buffered", needs="buffered")
says("rules-for-responses", SHOULD, "9110 7.7", field("X-Set", "set"), field("X-Removed"),
     field("X-Added", "mine", "added"), sends=reply("HTTP/1.1 200 OK", "X-Set: mine", "X-Removed: mine",
                                                    "X-Added: mine", body=b"x"), lane="rules", needs="rules")
ZIPPED = ask("GET / HTTP/1.1", "Accept-Encoding: gzip")
LONG = b"compress me " * 1000
for name, fields, level in (("no-transform", ("Content-Type: text/plain",
                                              "Cache-Control: max-age=1, No-Transform"),
                             MUST), ("a-coding", ("Content-Type: text/plain", "Content-Encoding: br"), MUST),
                            ("another-type", ("Content-Type: image/png", ), SHOULD), ("no-type", (), SHOULD)):
    says(f"not-compressed-for-{name}", level, "9110 7.7", answer(200, LONG), send=ZIPPED,
         sends=reply("HTTP/1.1 200 OK", *fields, body=LONG), lane="compressed", needs="compressed")
says("not-compressed-for-a-range", MUST, "9110 15.3.7", answer(206, LONG),
     field("Content-Range", "bytes 0-11999/99999"), send=ZIPPED,
     sends=reply("HTTP/1.1 206 X", "Content-Type: text/plain", "Content-Range: bytes 0-11999/99999",
                 body=LONG), lane="compressed", needs="compressed")
says("compressed", SHOULD, "9110 8.4", field("Content-Encoding", "gzip"), field("ETag", 'W/"x"'),
     field("Content-Length"), lambda run: None
     if run.final.state == "whole" and len(run.final.body) < 1000 else run.finals, send=ZIPPED,
     sends=reply("HTTP/1.1 200 OK", "Content-Type: text/plain", 'ETag: "x"',
                 body=LONG), lane="compressed", needs="compressed")
says("compressed-and-cut", MUST, "9112 8", cut, send=ZIPPED,
     sends=[reply("HTTP/1.1 200 OK", "Content-Type: text/plain", "Content-Length: 99999") + LONG], then=[CLOSE],
     lane="compressed", needs="compressed", responses=0)
says("a-head-of-12-kb", SHOULD, "9110 5.4", answer(200, b"x"),
     sends=reply("HTTP/1.1 200 OK", *[f"Set-Cookie: c{n}={'v' * 1000}" for n in range(12)], body=b"x"))
says("a-head-of-30-kb", SHOULD, "9110 5.4", either(answer(200, b"x"), bad_gateway()),
     sends=reply("HTTP/1.1 200 OK", *[f"Set-Cookie: c{n}={'v' * 1000}" for n in range(30)], body=b"x"))
for value in ("/x", "http://other.example/x?y#z", "//other.example/x", "x", "?q", "", "https://a.example/x",
              "ftp://x/", "http:///"):
    says(f"location-{value}", MUST, "9110 10.2.2", field("Location", value),
         sends=reply("HTTP/1.1 302 X", f"Location: {value}", body=b""))
for line in ("HTTP/1.1 200 OK", "HTTP/1.1 404 No"):
    for value in ("text/html", "a/b;c=d"):
        says(f"head-{line[9:12]}-{value[:1]}-as-get", MUST, "9110 9.3.2", field("Content-Type", value),
             field("Content-Length", "9"), field("ETag", '"x"'), send=HEADED,
             sends=reply(line, f"Content-Type: {value}", 'ETag: "x"', "Content-Length: 9"))

# Whatever one client brings about, another one gets the answer to its own request, or none.
SECOND = ask("GET /second HTTP/1.1", host="b.example")


def own(run):
    for data in run.visits:
        if data and not (data.startswith(b"HTTP/1.1 200") and data.endswith(b"</second>") and
                         data.count(b"HTTP/1.1") == 1 or data.startswith((b"HTTP/1.1 502", b"HTTP/1.1 504"))):
            return f"another client got {data!r}"
    if not run.visits or not run.visits[-1]:
        return "another client was not answered"


def other(name, send, upstream, **options):
    options.setdefault("quiet", 1)
    case(f"another-client-after-{name}", MUST, "9112 9.2",
         [*send, peer(b"\r\n\r\n"), visit(SECOND), visit(SECOND)], own, upstream=upstream, **options)


SECRET = reply("HTTP/1.1 200 OK", body=b"secret")
other("one-that-left", [GET, peer(b"\r\n\r\n"), RESET], [REQUEST, 0.05, SECRET, SERVE], responses=0)
other("one-that-left-late", [GET, peer(b"\r\n\r\n"), RESET], [REQUEST, 0.3, SECRET, SERVE], responses=0)
other("one-that-left-in-a-response", [GET, until(b"sec"), RESET], [REQUEST, SECRET[:-3], 0.1, SECRET[-3:], SERVE],
      responses=0)
other("one-that-left-in-its-body", [ask("POST / HTTP/1.1", "Content-Length: 50", body=b"x"),
                                    peer(b"x"), RESET], [HEAD, SECRET, SERVE], responses=0)
other("one-that-never-reads", [GET], [REQUEST, reply("HTTP/1.1 200 OK", body=b"s" * 3000000), SERVE])
other("two-responses", [GET, RESPONSE], [REQUEST, SECRET * 2, SERVE])
other("a-response-and-half-of-another", [GET, RESPONSE], [REQUEST, SECRET + SECRET[:-3], SERVE])
other("a-head-with-a-body", [HEADED, RESPONSE], [REQUEST, SECRET, SERVE], methods=["HEAD"])
other("a-head-with-a-response-as-body", [HEADED, RESPONSE],
      [REQUEST, reply("HTTP/1.1 200 OK", body=SECRET), SERVE], methods=["HEAD"])
other("a-204-with-a-body", [GET, RESPONSE], [REQUEST, reply("HTTP/1.1 204 No") + SECRET, SERVE])
other("a-304-with-a-body", [GET, RESPONSE],
      [REQUEST, reply("HTTP/1.1 304 No", f"Content-Length: {len(SECRET)}") + SECRET, SERVE])
other("a-103-after-the-response", [GET, RESPONSE], [REQUEST, SECRET + HINTS, SERVE])
other("a-100-after-the-response", [GET, RESPONSE], [REQUEST, SECRET + b"HTTP/1.1 100 Continue\r\n\r\n", SERVE])
other("a-response-to-half-a-body", [ask("POST / HTTP/1.1", "Content-Length: 50", body=b"x"), RESPONSE],
      [HEAD, SECRET, SERVE])
other("a-refused-expectation", [ask("POST / HTTP/1.1", "Content-Length: 50", "Expect: 100-continue"), RESPONSE],
      [HEAD, reply("HTTP/1.1 417 No", body=b"secret"), SERVE])
other("a-tunnel", [WS, until(b"\r\n\r\n"), b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n",
                   peer(b"/x"), CLOSE],
      [REQUEST, TUNNEL, SWITCH, until(b"/x"), SECRET, END], responses=0)
other("a-refused-tunnel", [WS, RESPONSE, b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"],
      [REQUEST, reply("HTTP/1.1 403 No", body=b"secret"), SERVE], methods=["GET", "GET"])
other("both-framings", [GET], [
    REQUEST,
    reply("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Content-Length: 5") + chunked(b"hello") + SECRET,
    SERVE
], responses=0, quiet=0.3)
other("two-lengths", [GET],
      [REQUEST,
       reply("HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 6") + b"hello" + SECRET, SERVE],
      responses=0, quiet=0.3)
other("a-malformed-chunk", [GET],
      [REQUEST, reply("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + b"x\r\n" + SECRET, SERVE], responses=0,
      quiet=0.3)
other("a-trailer-that-is-a-response", [GET],
      [REQUEST,
       reply("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n" + SECRET, SERVE],
      responses=0, quiet=0.3)
other("silence", [GET], [REQUEST, 1.6, SECRET, SERVE], lane="short", responses=0, quiet=1.4)
other("a-pipeline-and-a-reset", [GET * 5, peer(b"\r\n\r\n"), RESET], [REQUEST, 0.1, SECRET, SERVE], responses=0)

CASES = {c.name: c for c in TABLE}
assert len(CASES) == len(TABLE), [c.name for c in TABLE if CASES[c.name] is not c]


@pytest.mark.parametrize("name", CASES)
def test_response(gateway_runs, name):
    gateway_runs(CASES[name])
