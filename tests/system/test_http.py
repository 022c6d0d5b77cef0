"""HTTP/1.1 and 1.0 over TLS, end to end; the tables of the parser itself are unit tests."""
import contextlib
import json
import pathlib
import random
import re
import socket
import ssl
import time

import pytest

from harness import HELLO, TIMEOUT, TOP, Connection, client_context, get

PLAIN_TOO = True
THREADED = True

ROUTES = """port %d {
	limits { body 100K }
	location "/echo" { echo }
	location "/health" {
		respond 200 "ok\\n" type "text/x-health" header "Cache-Control" "no-store" header "X-A" "b c"
	}
	location "/gone" { respond 410 "gone\\n" }
	location "/empty" { respond 204 }
	location "/moved" { respond 301 header "Location" "/health" }
	location "/" { respond 200 "Hello, world!\\n" }
}
"""


@pytest.fixture
def port(server, ports):
    server(ROUTES % ports[0])
    return ports[0]


def head(line, *fields):
    return "\r\n".join([line, *fields, "", ""]).encode("latin-1")


def ask(c, line, *fields, body=b"", method="GET"):
    c.send(head(line, *fields) + body)
    return c.response(method)


def post(c, body, path="/echo", extra=()):
    return ask(c, f"POST {path} HTTP/1.1", "Host: a", f"Content-Length: {len(body)}", *extra,
               body=body)


def chunked(data, size):
    parts = [data[i:i + size] for i in range(0, len(data), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts) + b"0\r\n\r\n"


def dechunked(data):
    parts, at = [], 0
    while (end := data.index(b"\r\n", at)) and (length := int(data[at:end], 16)):
        parts.append(data[end + 2:end + 2 + length])
        at = end + 2 + length + 2
    assert data[at:] == b"0\r\n\r\n"
    return b"".join(parts)


# --- connections -------------------------------------------------------------------------------


def test_keep_alive(port):
    with Connection(port) as c:
        for _ in range(50):
            response = c.get()
            assert (response.status, response.body) == (200, HELLO)
            assert response["Connection"] is None
            assert response["Content-Length"] == "14"
            assert response["Content-Type"] == "text/plain; charset=utf-8"
        assert re.fullmatch(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT",
                            response["Date"])
        told = time.strptime(response["Date"], "%a, %d %b %Y %H:%M:%S GMT")
        assert abs(time.mktime(told) - time.mktime(time.gmtime())) < 60


def test_connection_close_is_honoured(port):
    with Connection(port) as c:
        response = c.get(extra="Connection: close\r\n")
        assert response.body == HELLO and response["Connection"] == "close"
        assert c.closed()


@pytest.mark.parametrize("fields,stays", [
    ((), False), (("Connection: close",), False), (("Connection: keep-alive",), True),
    (("connection: x, Keep-Alive",), True), (("Connection: keep-alive, close",), False)])
def test_http_1_0(port, fields, stays):
    with Connection(port) as c:
        response = ask(c, "GET / HTTP/1.0", *fields)
        assert (response.status, response.body) == (200, HELLO)
        assert response["Connection"] == ("keep-alive" if stays else "close")
        if stays:
            assert ask(c, "GET /health HTTP/1.0", *fields).body == b"ok\n"
        else:
            assert c.closed()


def test_http_1_0_has_no_chunks(port):
    with Connection(port) as c:
        response = ask(c, "POST /echo HTTP/1.0", "Content-Length: 5", body=b"hello")
        assert response.body == b"hello" and response["Transfer-Encoding"] is None
        assert c.closed()


def test_pipelining_in_one_record(port):
    with Connection(port) as c:
        paths = ["/", "/health", "/nothing/at/all", "/gone", "/empty"] * 20
        c.send(b"".join(head(f"GET {p} HTTP/1.1", "Host: a") for p in paths))
        for p in paths:
            response = c.response()
            assert (response.status, response.body) == {
                "/": (200, HELLO), "/health": (200, b"ok\n"), "/nothing/at/all": (200, HELLO),
                "/gone": (410, b"gone\n"), "/empty": (204, b"")}[p]


def test_pipelined_bodies_keep_their_order(port):
    with Connection(port) as c:
        bodies = [bytes([65 + n]) * (n * 37) for n in range(26)]
        c.send(b"".join(
            head("POST /echo HTTP/1.1", "Host: a", f"Content-Length: {len(b)}") + b if n % 2 else
            head("POST /echo HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + chunked(b, 50)
            for n, b in enumerate(bodies)))
        for body in bodies:
            assert c.response().body == body


def test_byte_by_byte(port):
    with Connection(port) as c:
        data = (head("POST /echo HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") +
                b"3;x=y\r\nabc\r\n0a\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n" +
                head("GET /health HTTP/1.1", "Host: a"))
        for byte in data:
            c.send(bytes([byte]))  # a record each
        assert c.response().body == b"abc0123456789"
        assert c.response().body == b"ok\n"


def test_the_limit_of_requests(server, ports):
    server(f"port {ports[0]} {{ limits {{ requests 3 }} respond 200 \"x\" }}")
    with Connection(ports[0]) as c:
        c.send(head("GET / HTTP/1.1", "Host: a") * 5)
        assert [c.response()["Connection"] for _ in range(3)] == [None, None, "close"]
        assert c.closed()


@pytest.mark.tls_only
@pytest.mark.parametrize("by", ["close_notify", "FIN"])
def test_half_closed_clients_are_answered(port, by):
    """Complete requests that came before the client closed its side are answered; the truncated
    one is not."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_context().wrap_bio(incoming, outgoing)

    def pump(step):
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                if data := outgoing.read():
                    raw.sendall(data)
                data = raw.recv(65536)
                incoming.write(data) if data else incoming.write_eof()

    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as raw:
        pump(tls.do_handshake)
        tls.write(head("GET / HTTP/1.1", "Host: a") * 2 +
                  head("POST /echo HTTP/1.1", "Host: a", "Content-Length: 5") + b"hello" +
                  b"GET /hea")
        if by == "close_notify":
            with contextlib.suppress(ssl.SSLWantReadError):
                tls.unwrap()
        raw.sendall(outgoing.read())
        raw.shutdown(socket.SHUT_WR)
        data = b""
        with contextlib.suppress(ssl.SSLZeroReturnError):  # the end, where both have said it
            while part := pump(lambda: tls.read(65536)):
                data += part
    assert data.count(b"HTTP/1.1 200 OK") == 3 and data.endswith(b"hello")


@pytest.mark.parametrize("fields,part", [
    ("Content-Length: 100", b"short"), ("Transfer-Encoding: chunked", b"5\r\nhello\r\n")])
def test_a_body_that_is_cut_is_not_answered(port, fields, part):
    with Connection(port) as c:
        c.send(head("GET / HTTP/1.1", "Host: a", fields) + part)
        socket.socket.shutdown(c.socket, socket.SHUT_WR)  # of TCP
        assert c.closed()


# --- methods and routes ------------------------------------------------------------------------


@pytest.mark.parametrize("path,status,length", [
    ("/", 200, "14"), ("/health", 200, "3"), ("/gone", 410, "5"), ("/empty", 204, None)])
def test_head(port, path, status, length):
    with Connection(port) as c:
        response = ask(c, f"HEAD {path} HTTP/1.1", "Host: a", method="HEAD")
        assert (response.status, response["Content-Length"]) == (status, length)
        assert c.get("/health").body == b"ok\n"  # nothing came after the head


@pytest.mark.parametrize("path,body", [
    ("/health", b"ok\n"), ("/health/", b"ok\n"), ("/health/deep/er?x", b"ok\n"),
    ("/healthy", HELLO), ("/Health", HELLO), ("/heal%74h", b"ok\n"), ("/a/../health", b"ok\n"),
    ("/./health/./", b"ok\n"), ("/a%2f..%2fhealth", b"ok\n"), ("//health", b"ok\n"),
    ("/x//..//health//y", HELLO), ("/%2fhealth//x", b"ok\n"),
    ("http://b.example/health", b"ok\n"), ("http://b.example:80?x", HELLO), ("/?/health", HELLO)])
def test_locations_are_prefixes_by_segments(port, path, body):
    assert get(port, path).body == body


def test_an_https_resource_wants_tls(port):
    """RFC 9110, 7.4."""
    answer = get(port, "https://b.example/health")
    assert (answer.status, answer.body == b"ok\n") == ((421, False) if Connection.plain else (200, True))


def test_a_path_without_a_location(server, ports):
    server(f'port {ports[0]} {{ location "/a" {{ respond 200 }} }}')
    with Connection(ports[0]) as c:
        assert c.get("/a").status == 200
        response = c.get("/b")
        assert (response.status, response.body) == (404, b"404 Not Found\n")
        assert post(c, b"x" * 5000, "/b").status == 404  # its body is not taken for a request
        assert c.get("/a").status == 200


def test_what_respond_says(port):
    health, gone, empty, moved = (get(port, p) for p in ("/health", "/gone", "/empty", "/moved"))
    assert health["Content-Type"] == "text/x-health"
    assert (health["Cache-Control"], health["X-A"]) == ("no-store", "b c")
    assert (gone.status, gone.reason, gone.body) == (410, "Gone", b"gone\n")
    assert (empty.status, empty["Content-Length"], empty["Content-Type"]) == (204, None, None)
    assert (moved.status, moved["Location"], moved["Content-Length"]) == (301, "/health", "0")


@pytest.mark.tls_only
def test_the_manual_has_every_status():
    """Each status that stands in the source, be it the protocol's or a handler's, is in the table."""
    found = set()
    for path in [*(TOP / "src" / "http").glob("*.c"), *(TOP / "src" / "handler").glob("*.c"),
                 *(TOP / "src" / "filter").glob("*.c"), TOP / "src" / "worker" / "plain.c"]:
        text = path.read_text()
        found |= set(re.findall(r'\[REFUSE_\w+\] = \{"[^"]+", (\d{3}),', text))
        found |= set(re.findall(r'"HTTP/1\.1 (\d{3}) ', text))
        for call in re.findall(r"(?:status_answer|status_serve|exchange_respond|refuse|answer)"
                               r"\(([^;]*)\);", text):
            found |= set(re.findall(r"\b([1-5]\d\d)\b", call))
        found |= set(re.findall(r"(?:return|status =) ([1-5]\d\d);", text))
    failures = (TOP / "src" / "upstream" / "failure.c").read_text()
    found |= set(re.findall(r"\b(50[234]),", failures))
    assert {"100", "200", "204", "400", "404", "405", "500", "501", "505"} <= found
    page = (TOP / "src" / "conf" / "bulkhead.conf.5").read_text()
    section = page[page.index(".Sh STATUSES"):page.index(".Sh FAULTS")]
    assert re.findall(r"^\.It (\d{3}) Ta .", section, re.M) == sorted(found)


METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]
LISTS = {  # what is written, and what is taken
    "respond 200": {"GET", "HEAD"},
    "echo": set(METHODS),
    "methods any respond 200": set(METHODS),
    'methods "GET" "POST" respond 200': {"GET", "HEAD", "POST"},
    'respond 200 methods "PUT" "OPTIONS"': {"PUT", "OPTIONS"},
    'methods "DELETE" echo': {"DELETE"},
    'methods "POST" fault delay mean 0 respond 200': {"POST"},
    'methods "PATCH" fault exit probability 0': {"PATCH"},
}


def test_each_list_of_methods(server, ports):
    """In a location, with faults in front, and as a port's own handler."""
    locations = "\n".join(f'location "/{i}" {{ {block} }}' for i, block in enumerate(LISTS))
    server(f'faults enabled port {ports[0]} {{ methods "POST" respond 201 "x" {locations} }}')
    with Connection(ports[0]) as c:
        cases = [(f"/{i}", methods, 200) for i, methods in enumerate(LISTS.values())]
        for path, methods, status in [*cases, ("/", {"POST"}, 201)]:
            allow = ", ".join(m for m in METHODS if m in methods | {"OPTIONS"})
            for method in METHODS:
                r = ask(c, f"{method} {path} HTTP/1.1", "Host: a", method=method)
                expected = status if method in methods else 204 if method == "OPTIONS" else 405
                assert r.status == expected, (path, method)
                assert r["Allow"] == (None if method in methods else allow)
            r = ask(c, f"TRACE {path} HTTP/1.1", "Host: a")
            assert (r.status, r["Allow"]) == (405, allow)
            r = ask(c, f"POST {path} HTTP/1.1", "Host: a", "Content-Length: 3", body=b"abc")
            assert r.status == (status if "POST" in methods else 405)


def all_of(response, name):
    return [value for field, value in response.fields if field.lower() == name]


REFUSING = {
    'respond 405': ({"GET", "HEAD"}, "OPTIONS"),
    'methods any respond 405 "no"': (set(METHODS), ""),
    'methods "POST" respond 405': ({"POST"}, "OPTIONS"),
    'methods "GET" "OPTIONS" respond 405': ({"GET", "HEAD", "OPTIONS"}, ""),
    'respond 405 error 405 { respond "page" }': ({"GET", "HEAD"}, "OPTIONS"),
    'methods any fault status code 405 respond 200': (set(METHODS), ", ".join(METHODS)),
}


def test_each_405_has_allow_with_the_other_methods(server, ports):
    """RFC 9110, 15.5.6: whoever answers it. Where all are refused, OPTIONS is what is left, if anything."""
    locations = "\n".join(f'location "/{i}" {{ {block} }}' for i, block in enumerate(REFUSING))
    server(f"""faults enabled port {ports[0]} {{ {locations}
        location "/own" {{ respond 405 header "allow" "PUT" }} }}""")
    with Connection(ports[0]) as c:
        for i, (methods, allow) in enumerate(REFUSING.values()):
            for method in METHODS:
                r = ask(c, f"{method} /{i} HTTP/1.1", "Host: a", method=method)
                assert r.status == (405 if method != "OPTIONS" or method in methods else 204)
                assert all_of(r, "allow") == [allow], (i, method)
        assert all_of(ask(c, "GET /own HTTP/1.1", "Host: a"), "allow") == ["PUT"]


@pytest.mark.parametrize("line, expected", [("HTTP/1.1", ["upgrade"]), ("HTTP/1.0", ["close", "upgrade"])])
def test_an_offer_to_upgrade_is_named_by_connection(server, ports, line, expected):
    """RFC 9110, 7.8."""
    server(f"""port {ports[0]} {{
        location "/426" {{ respond 426 "TLS" header "upgrade" "TLS/1.2" }}
        location "/200" {{ respond 200 header "X" "1" header "Upgrade" "h2c" }}
        location "/401" {{ respond 401 header "WWW-Authenticate" "Basic" }} }}""")
    for path in ("/426", "/200"):
        with Connection(ports[0]) as c:
            assert all_of(ask(c, f"GET {path} {line}", "Host: a"), "connection") == expected
    with Connection(ports[0]) as c:
        r = ask(c, "GET /401 HTTP/1.1", "Host: a")
        assert r["WWW-Authenticate"] and not r["Connection"]


def test_methods(port):
    with Connection(port) as c:
        for method in ("POST", "PUT", "PATCH", "DELETE", "TRACE"):
            response = ask(c, f"{method} / HTTP/1.1", "Host: a", "Content-Length: 3", body=b"abc")
            assert response.status == 405
            assert sorted(response["Allow"].split(", ")) == ["GET", "HEAD", "OPTIONS"]
        assert response.body == b"405 Method Not Allowed\n"
        options = ask(c, "OPTIONS / HTTP/1.1", "Host: a")
        assert (options.status, options["Allow"]) == (204, "GET, HEAD, OPTIONS")
        star = ask(c, "OPTIONS * HTTP/1.1", "Host: a")
        assert star.status == 204 and "DELETE" in star["Allow"]
        assert ask(c, "PUT /echo HTTP/1.1", "Host: a", "Content-Length: 1", body=b"x").body == b"x"
        connect = ask(c, "CONNECT a:443 HTTP/1.1", "Host: a:443")
        assert (connect.status, connect["Connection"]) == (405, "close") and connect["Allow"]
        assert c.closed()


# --- bodies ------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 2, 16383, 16384, 16385, 100 * 1024])
def test_echo_gives_a_body_back(port, size):
    body = random.Random(size).randbytes(size)
    with Connection(port) as c:
        response = post(c, body)
        assert response.body == body and response["Content-Length"] == str(size)
        assert response["X-Content-Type-Options"] == "nosniff"
        for piece in (1, 7, 4096):
            if size // piece > 20000:
                continue
            response = ask(c, "POST /echo HTTP/1.1", "Host: a", "Transfer-Encoding: chunked",
                           body=chunked(body, piece))
            assert response.body == body and response["Transfer-Encoding"] == "chunked"


def test_an_expectation_of_nothing_is_none(port):
    with Connection(port) as c:
        for fields in ["Expect:"], ["Expect: ,"]:
            response = ask(c, "POST /echo HTTP/1.1", "Host: a", *fields, "Content-Length: 5", body=b"hello")
            assert (response.status, response.body) == (200, b"hello")


def test_expect_100_continue(port):
    with Connection(port) as c:
        for fields, body in ((("Content-Length: 5",), b"hello"),
                             (("Transfer-Encoding: chunked",), chunked(b"hello", 2))):
            c.send(head("POST /echo HTTP/1.1", "Host: a", "Expect: 100-continue", *fields))
            assert c.response().status == 100
            c.send(body)
            assert c.response().body == b"hello"
        # The body has come already: no invitation.
        response = ask(c, "POST /echo HTTP/1.1", "Host: a", "Expect: 100-continue",
                       "Content-Length: 5", body=b"hello")
        assert (response.status, response.body) == (200, b"hello")
    with Connection(port) as c:  # refused before the body is sent
        response = ask(c, "POST / HTTP/1.1", "Host: a", "Expect: 100-continue", "Content-Length: 5")
        assert (response.status, response["Connection"]) == (405, "close")
        assert c.closed()
    with Connection(port) as c:
        response = ask(c, "POST /echo HTTP/1.1", "Host: a", "Expect: 100-continue",
                       "Content-Length: 999999999")
        assert (response.status, response["Connection"]) == (413, "close")
        assert c.closed()
    with Connection(port) as c:  # 1.0 knows no 100
        c.send(head("POST /echo HTTP/1.0", "Expect: 100-continue", "Content-Length: 5") + b"hello")
        assert c.response().body == b"hello"


def peak_memory(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text(errors="replace")
    return int(re.search(r"VmHWM:\s+(\d+) kB", text)[1])


def instrumented(pid):
    """Sanitizers keep freed memory."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text(errors="replace")
    return int(re.search(r"VmSize:\s+(\d+)", status)[1]) > 1 << 30


@pytest.mark.parametrize("way", ["length", "chunked"])
def test_echo_streams_and_keeps_nothing(server, ports, way):
    """50 MB there and back through a process that grows by a fraction of that."""
    s = server(f"port {ports[0]} {{ limits {{ body 64M }} echo }}")
    pid = s.workers()[ports[0], 1]
    block, blocks = random.Random(1).randbytes(1 << 20), 50
    before = peak_memory(pid)

    def pieces():
        if way == "length":
            yield head("POST / HTTP/1.0", f"Content-Length: {blocks << 20}")
        else:
            yield head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked",
                       "Connection: close")
        for _ in range(blocks):
            yield block if way == "length" else b"100000\r\n" + block + b"\r\n"
        if way == "chunked":
            yield b"0\r\n\r\n"

    for _ in range(2):  # the places where the flow stops and starts differ each time
        with Connection(ports[0]) as c:
            got = b"".join(c.stream(pieces()))
        assert got.startswith(b"HTTP/1.1 200 OK\r\n")
        fields, got = got.split(b"\r\n\r\n", 1)
        if way == "chunked":
            assert b"\r\nTransfer-Encoding: chunked" in fields
            got = dechunked(got)
        assert len(got) == blocks << 20
        assert got == block * blocks
    grown = peak_memory(pid) - before
    if not instrumented(pid):
        assert grown < 4096, f"{grown} KiB more"


# --- refusals ---------------------------------------------------------------------------

LONG = "x" * 20000
REFUSED = [
    ("not a request", 400, b"hello\r\n\r\n"),
    ("no version", 400, b"GET /\r\n\r\n"),
    ("two blanks", 400, b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a tab for a blank", 400, b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("bare LF", 400, b"GET / HTTP/1.1\nHost: a\n\n"),
    ("bare LF in a field", 400, b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n"),
    ("bare CR", 400, b"GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n"),
    ("NUL", 400, b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"),
    ("NUL in the target", 400, b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("obs-fold", 400, b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n"),
    ("blank before the colon", 400, b"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n"),
    ("field without a colon", 400, b"GET / HTTP/1.1\r\nHost: a\r\nXy\r\n\r\n"),
    ("field without a name", 400, b"GET / HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n"),
    ("blank before the first field", 400, b"GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    ("no Host", 400, b"GET / HTTP/1.1\r\n\r\n"),
    ("two Hosts", 400, b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
    ("empty Host", 400, b"GET / HTTP/1.1\r\nHost:\r\n\r\n"),
    ("bad Host", 400, b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    ("Host with a user", 400, b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"),
    ("fragment", 400, b"GET /#a HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("8-bit target", 400, b"GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("above the root", 400, b"GET /../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("above the root, encoded", 400, b"GET /%2e%2e%2fetc HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("encoded NUL", 400, b"GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("bad escape", 400, b"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("another scheme", 400, b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("star", 400, b"GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("Content-Length and Transfer-Encoding", 400,
     b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
     b"0\r\n\r\n"),
    ("differing Content-Lengths", 400,
     b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
    ("a list of lengths", 400,
     b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello"),
    ("negative length", 400, b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"),
    ("hexadecimal length", 400, b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\n"),
    ("signed length", 400, b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello"),
    ("endless length", 400,
     b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n"),
    ("chunked twice", 400,
     b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    ("chunked not last", 400,
     b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
    ("chunked on 1.0", 400,
     b"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("bad chunk size", 400,
     b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"),
    ("blank at a chunk size", 400,
     b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n"),
    ("chunk size with a sign", 400,
     b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n"),
    ("chunk size with 0x", 400,
     b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n"),
    ("endless chunk size", 400, b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked"
     b"\r\n\r\nfffffffffffffffff\r\n"),
    ("chunk size ended by LF", 400,
     b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n"),
    ("unknown coding", 501,
     b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ("unknown method", 501, b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("method in small letters", 501, b"get / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("HTTP/2.0", 505, b"GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
    ("HTTP/0.9", 505, b"GET / HTTP/0.9\r\n\r\n"),
    ("the preface of HTTP/2", 505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("small letters of the version", 400, b"GET / http/1.1\r\nHost: a\r\n\r\n"),
    ("unknown expectation", 417, b"GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n"),
    ("long target", 414, b"GET /" + LONG.encode() + b" HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("long field", 431, b"GET / HTTP/1.1\r\nHost: a\r\nX: " + LONG.encode() + b"\r\n\r\n"),
    ("many fields", 431, b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 101 + b"\r\n"),
    ("long method", 501, LONG.encode() + b" / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("long garbage", 400, b"\x80" * 20000),
    ("chunk extension without a name", 400, b"POST /echo HTTP/1.1\r\nHost: a\r\n"
     b"Transfer-Encoding: chunked\r\n\r\n5;\r\nhello\r\n0\r\n\r\n"),
    ("chunk extension with a bad name", 400, b"POST /echo HTTP/1.1\r\nHost: a\r\n"
     b"Transfer-Encoding: chunked\r\n\r\n5;bad[=x\r\nhello\r\n0\r\n\r\n"),
    ("chunk extension without its last quote", 400, b"POST /echo HTTP/1.1\r\nHost: a\r\n"
     b"Transfer-Encoding: chunked\r\n\r\n5;a=\"x\r\nhello\r\n0\r\n\r\n"),
    ("large body", 413, b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 102401\r\n\r\n" +
     b"z" * 102401),
    ("large chunk", 413, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
     b"19001\r\n" + b"z" * 0x19001 + b"\r\n0\r\n\r\n"),
    ("large chunks", 413, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
     (b"1000\r\n" + b"z" * 4096 + b"\r\n") * 26 + b"0\r\n\r\n"),
]


@pytest.mark.parametrize("status,data", [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_refused_and_closed(port, status, data):
    with Connection(port) as c:
        c.send(data + head("GET /health HTTP/1.1", "Host: smuggled"))
        response = c.response()
        assert response.status == status
        assert response["Connection"] == "close"
        assert response["Content-Type"] == "text/plain"
        assert response.body == f"{status} {response.reason}\n".encode()
        if status == 405:
            assert response["Allow"]
        assert c.closed()  # and no second answer


def test_refused_whichever_way_the_bytes_come(port):
    """Two records in place of one, split at every byte."""
    for _, status, data in REFUSED[:6] + REFUSED[27:30]:
        for cut in {1, len(data) // 2, len(data) - 1}:
            with Connection(port) as c:
                c.send(data[:cut])
                try:
                    c.send(data[cut:])
                except OSError:
                    pass
                assert c.response().status == status
                assert c.closed()


@pytest.mark.parametrize("length", [4096, 4097, 8000, 16000])
def test_a_path_may_be_as_long_as_the_head(server, ports, length):
    """RFC 9112, 3: 8000 bytes at the least, and the port's limit is 16K."""
    server(f"port {ports[0]} {{ echo }}")
    path = "/" + "y" * (length - 1)
    assert json.loads(get(ports[0], path).body)["path"] == path


@pytest.mark.parametrize("extension", [" ;a", "\t ; a", ";a = b", '; a="b; \\" c" ; d'])
def test_chunk_extensions_are_read_and_dropped(port, extension):
    with Connection(port) as c:
        body = f"5{extension}\r\nhello\r\n0{extension}\r\nA: b\r\n\r\n".encode()
        response = ask(c, "POST /echo HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", body=body)
        assert (response.status, response.body) == (200, b"hello")
        assert c.get("/health").body == b"ok\n"


def test_an_echo_port_says_why_it_refuses(server, ports):
    server(f'port {ports[0]} {{ echo }}\nport {ports[1]} {{ location "/echo" {{ echo }} '
           'location "/" { respond 200 } }')
    for port, more in zip(ports, ("target-byte: the target has a byte that is not allowed\n", "")):
        with Connection(port) as c:
            c.send(b"GET /<script>\x01 HTTP/1.1\r\nHost: a\r\n\r\n")
            response = c.response()
            assert (response.status, response.body) == (400, f"400 Bad Request\n{more}".encode())


def test_a_large_body_is_refused_without_a_reset(port):
    """The client goes on sending while it is refused, and still reads the answer."""
    with Connection(port) as c:
        c.send(head("POST /echo HTTP/1.1", "Host: a", "Content-Length: 3000000"))
        try:
            for _ in range(30):
                c.send(b"x" * 100000)
        except OSError:
            pass  # the end of the lingering
        assert c.response().status == 413


def test_a_head_that_is_refused_early_is_logged_as_it_was(server, ports):
    s = server(f"port {ports[0]} {{ limits {{ head 1K }} echo }}\n")
    with Connection(ports[0]) as c:
        c.send(head("GET / HTTP/1.1", "Host: a", "X: " + "y" * 2000))
        assert c.response().status == 431
    assert '"GET / HTTP/1.1" 431 ' in s.wait_log(r"Received .*")[0][0]


def test_a_trailer_that_is_too_large(port):
    with Connection(port) as c:
        c.send(head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + b"0\r\n" +
               b"X: y\r\n" * 2500 + b"\r\n")
        assert c.response().status == 405  # it is as long as a head may be, 16K
        c.send(head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + b"0\r\n" +
               b"X: y\r\n" * 3000)
        assert c.response().status == 431
        assert c.closed()


def test_a_redirection_leads_elsewhere(server, ports):
    """Every method, with an empty body; the connection goes on."""
    server(f"""port {ports[0]} {{ location "/old" {{ redirect 308 "https://www.example.org/new?a=b" }}
                                 location "/post" {{ methods "POST" redirect 303 "/done" }}
                                 respond 200 "here" }}""")
    with Connection(ports[0]) as c:
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]:
            body = b"hello" if method in ("POST", "PUT", "PATCH") else b""
            c.send(head(f"{method} /old/page?x=y HTTP/1.1", "Host: a", f"Content-Length: {len(body)}") +
                   body)
            answer = c.response(method)
            assert answer.status == 308 and answer.body == b""
            assert answer["Location"] == "https://www.example.org/new?a=b"
            assert answer["Content-Length"] == "0"
        c.send(head("GET /post HTTP/1.1", "Host: a"))
        answer = c.response()
        assert answer.status == 405 and answer["Allow"] == "POST, OPTIONS"
        c.send(head("POST /post HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + b"1\r\na\r\n0\r\n\r\n")
        answer = c.response()
        assert answer.status == 303 and answer["Location"] == "/done"
        c.send(head("GET /other HTTP/1.1", "Host: a"))
        assert c.response().body == b"here"


def test_a_redirected_upload_is_not_sent(server, ports):
    """A client that waits for `100 Continue` gets the redirection instead."""
    server(f'port {ports[0]} {{ redirect 307 "https://www.example.org/" }}')
    with Connection(ports[0]) as c:
        c.send(head("PUT /a HTTP/1.1", "Host: a", "Content-Length: 1000000", "Expect: 100-continue"))
        answer = c.response()
        assert answer.status == 307 and answer["Location"] == "https://www.example.org/"
        assert c.closed()


@pytest.mark.parametrize("limits,most", [("head 1K", 1024), ("trailers 0", 0), ("trailers 64K", 65536),
                                         ("head 64K; trailers 100", 100)])
def test_a_trailer_has_a_limit_of_its_own(server, ports, limits, most):
    """Its fields with their line ends; a body without a trailer is taken whatever the limit."""
    s = server(f"port {ports[0]} {{ limits {{ {limits} }} respond 200 methods any }}")
    begin = head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + b"2\r\nhi\r\n0\r\n"
    with Connection(ports[0]) as c:
        for size in [0] + [most] * (most > 0):
            field = b"X: " + b"y" * (size - 5) + b"\r\n" if size else b""
            c.send(begin + field + b"\r\n")
            assert c.response().status == 200
        c.send(begin + b"X: " + b"y" * max(most - 4, 0) + b"\r\n\r\n")
        assert c.response().status == 431
        assert c.closed()
    assert "trailer-too-long" in s.wait_log(r"Received .* 431 .*")[0][0]


def test_taken_although_odd(port):
    for data in (b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
                 b"GET / HTTP/1.1\r\nhOsT:a:443\r\n\r\n",
                 b"GET / HTTP/1.1\r\nHost: [::1]:8000\t \r\n\r\n",
                 b"GET / HTTP/1.9\r\nHost: a\r\n\r\n",
                 b'GET /a"b|{}^`\\ HTTP/1.1\r\nHost: a\r\nX: \xff"\'\r\n\r\n',
                 b"GET / HTTP/1.1\r\nHost: a\r\nX:\r\n\r\n",
                 b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
                 b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
                 b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 99 + b"\r\n"):
        with Connection(port) as c:
            c.send(data + head("GET /health HTTP/1.1", "Host: a"))
            assert c.response().status == 200, data
            assert c.response().body == b"ok\n", data


# --- what echo reports ---------------------------------------------------------------------------


def test_echo_as_json(port, over):
    tls = {"version": "TLS1.3", "cipher": "TLS_AES_128_GCM_SHA256", "group": "X25519",
           "server_name": "some.example", "client_certificate": None, "resumed": False}
    with Connection(port, server_hostname="some.example") as c:
        response = ask(c, "DELETE /echo/a%20b/../c?d=e&f HTTP/1.1", "Host: h.example:1", "X-One: 1",
                       "x-one:  two  ", "X-Empty:")
        assert response["Content-Type"] == "application/json"
        told = json.loads(response.body)
        identifier = told.pop("request_id")
        assert re.fullmatch("[0-9a-f]+-[0-9a-f]+", identifier)
        assert told.pop("client") == {"address": "127.0.0.1", "port": c.local_port}
        assert told.pop("tls") == (tls if over == "tls" else None)
        assert told == {
            "method": "DELETE", "target": "/echo/a%20b/../c?d=e&f", "path": "/echo/c",
            "query": "d=e&f", "version": "HTTP/1.1",
            "headers": [["Host", "h.example:1"], ["X-One", "1"], ["x-one", "two"], ["X-Empty", ""]]}
        assert json.loads(c.get("/echo").body)["request_id"] != identifier
        if over == "plain":
            return
        session = c.socket.session
        context = c.socket.context
    with Connection(port, context=context, session=session) as c:
        tls = json.loads(c.get("/echo").body)["tls"]
        assert tls["resumed"] is c.socket.session_reused is True
        assert tls["server_name"] is None


def test_nothing_is_echoed_unescaped(port):
    values = ['"},{"x":"', "\\", "</script><script>alert(1)</script>", "a\tb", "\x80\xff\xc3\x28"]
    with Connection(port) as c:
        response = ask(c, 'GET /echo/"\\<b> HTTP/1.1', "Host: a", *(f"X: {v}" for v in values))
        told = json.loads(response.body)
        assert told["target"] == '/echo/"\\<b>'
        assert [v for n, v in told["headers"] if n == "X"] == values  # 8-bit bytes as \u00xx
        assert re.fullmatch(rb"[ -~\n]*", response.body)
        assert response["Content-Type"] == "application/json"
        assert response["X-Content-Type-Options"] == "nosniff"
        response = ask(c, "GET /echo HTTP/1.1", "Host: a", "X: \u00c3\u00a9")  # UTF-8 stays
        assert json.loads(response.body)["headers"][1] == ["X", "\u00e9"]
    with Connection(port) as c:  # a refusal shows nothing of what was refused
        c.send(b"<script>alert(1)</script>\r\n\r\n")
        data = c.read_to_end()
        assert data.startswith(b"HTTP/1.1 400 ") and b"script" not in data
    for path in ("/<script>", "/%0d%0aX-Forged:%20yes"):
        response = get(port, path)
        assert "script" not in str(response.fields) and response["X-Forged"] is None
