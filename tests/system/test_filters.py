"""The filters of a port, on the wire: each one alone and each pair of them, over every kind of response."""
import itertools
import json
import random
import socket
import time
import zlib

import pytest

from harness import Connection
from test_authenticate import BOB, field

THREADED = True

LARGE = random.Random(5).randbytes(30_000)


def ask(c, path, host="a", method="GET", extra="", body=b""):
    c.send(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{extra}\r\n".encode("latin-1") + body)
    return c.response(method)


def fields(answer):
    return sorted((name.lower(), value) for name, value in answer.fields if name.lower() != "date")


# --- the table ------------------------------------------------------------------------------------
#
# A row is a filter: its statements; the fields of requests that it makes something of; and what it
# makes of the answer that the location gives without it. A new filter is a new row.

class Plain:
    """The answer of a location without filters, as far as filters change it."""

    def __init__(self, answer):
        self.status, self.body = answer.status, answer.body
        self.fields = fields(answer)

    def drop(self, *names):
        self.fields = [f for f in self.fields if f[0] not in names]

    def refused(self, method, status, line):
        self.status, self.body = status, b"" if method == "HEAD" else line
        self.fields = [("content-length", str(len(line))), ("content-type", "text/plain")]


def denied(plain, method, extra):
    plain.refused(method, 403, b"403 Forbidden\n")


def rules(plain, method, extra):
    plain.fields = [f for f in plain.fields if f[0] not in ("x-own", "x-set")]
    if 200 <= plain.status <= 399:
        plain.fields.append(("x-set", "1"))
    if plain.status == 404:
        plain.fields.append(("x-404", "gone"))
    plain.fields += [("x-always", "http"), ("x-always", "port")]


def nothing(plain, method, extra):
    pass


KNOWN = field("bob", "secret")


def unknown(plain, method, extra):
    if KNOWN not in extra:
        plain.refused(method, 401, b"401 Unauthorized\n")
        plain.fields.append(("www-authenticate", 'Basic realm="staff", charset="UTF-8"'))


ORIGIN = "Origin: https://app.example\r\n"


def preflight(plain, method, extra):
    if method == "OPTIONS" and ORIGIN in extra and "Access-Control-Request-Method" in extra:
        plain.status, plain.body = 204, b""
        plain.fields = [("access-control-allow-methods", "GET, PUT"),
                        ("access-control-allow-headers", "X-A"), ("access-control-max-age", "60")]


def shared(plain, method, extra):
    plain.fields.append(("vary", "Origin"))
    if ORIGIN in extra:
        plain.fields += [("access-control-allow-origin", "https://app.example"),
                         ("access-control-allow-credentials", "true"),
                         ("access-control-expose-headers", "X-B")]


def compressed(plain, method, extra):
    has = dict(plain.fields)
    kept = plain.status in (206, 304)
    if not kept and (plain.status == 204 or "content-type" not in has or has.get("content-length") == "0"):
        return
    plain.fields.append(("vary", "Accept-Encoding"))
    if "gzip" in extra and not kept and "content-range" not in has:
        plain.drop("content-length", "transfer-encoding", "accept-ranges", "etag")
        plain.fields += [("content-encoding", "gzip"), ("transfer-encoding", "chunked")]
        if "etag" in has:
            plain.fields.append(("etag", "W/" + has["etag"].removeprefix("W/")))


FILTERS = {
    # name: (kind, statements, what it answers, what it changes in the head); in the order in which
    # they are carried out
    "rules": ("header", 'header set "X-Set" "1"  header add "X-404" "gone" on 404 410  '
              'header set "x-always" "${scheme}" always  header add "X-Always" "port" always  '
              'header remove "X-Own" always', nothing, rules),
    "allow": ("clients", "allow 127.0.0.0/8  deny *", nothing, nothing),
    "deny": ("clients", "deny 127.0.0.1  allow *", denied, nothing),
    "cors": ("cors", 'cors origin "https://app.example" methods "GET" "PUT" headers "X-A" expose "X-B" '
             "credentials on max-age 60s", preflight, shared),
    "password": ("authenticate", 'authenticate basic "staff" file "PASSWORDS"', unknown, nothing),
    "rate": ("rate", "rate 200K/s", nothing, nothing),
    "delay": ("fault", "fault delay mean 1ms deviation 0ms", nothing, nothing),
    "compress": ("compress", 'compress gzip { least 1  types "*" }', compressed, nothing),
}

HANDLERS = {
    "files": 'files "%s"',
    "respond": 'respond 200 "hello" header "X-Own" "1"',
    "failing": 'respond 503 "busy" header "Retry-After" "7"',
    "echo": "echo",
    "redirect": 'redirect 308 "/elsewhere"',
}

# name: (method, path below the location, fields, body); those of "anonymous" have no password
REQUESTS = {
    "get": ("GET", "", "", b""),
    "head": ("HEAD", "", "", b""),
    "file": ("GET", "/a.txt", "", b""),
    "file-head": ("HEAD", "/a.txt", "", b""),
    "range": ("GET", "/a.txt", "Range: bytes=2-5\r\n", b""),
    "ranges": ("GET", "/a.txt", "Range: bytes=0-1,4-5\r\n", b""),
    "no-range": ("GET", "/a.txt", "Range: bytes=9999-\r\n", b""),
    "same": ("GET", "/a.txt", 'If-None-Match: "etag"\r\n', b""),
    "missing": ("GET", "/missing", "", b""),
    "post": ("POST", "", "Content-Length: 4\r\n", b"ping"),
    "chunked": ("POST", "", "Transfer-Encoding: chunked\r\n", b"4\r\nping\r\n0\r\n\r\n"),
    "method": ("DELETE", "", "", b""),
    "options": ("OPTIONS", "", "", b""),
    "cross": ("GET", "", "Origin: https://app.example\r\n", b""),
    "cross-missing": ("GET", "/missing", "Origin: https://app.example\r\n", b""),
    "stranger": ("GET", "", "Origin: https://evil.example\r\n", b""),
    "preflight": ("OPTIONS", "", "Origin: https://app.example\r\n"
                  "Access-Control-Request-Method: PUT\r\n", b""),
    "strange-preflight": ("OPTIONS", "", "Origin: https://evil.example\r\n"
                          "Access-Control-Request-Method: PUT\r\n", b""),
    "gzip": ("GET", "", "Accept-Encoding: gzip\r\n", b""),
    "gzip-head": ("HEAD", "", "Accept-Encoding: gzip\r\n", b""),
    "gzip-file": ("GET", "/a.txt", "Accept-Encoding: gzip\r\n", b""),
    "gzip-range": ("GET", "/a.txt", "Accept-Encoding: gzip\r\nRange: bytes=2-5\r\n", b""),
    "gzip-same": ("GET", "/a.txt", 'Accept-Encoding: gzip\r\nIf-None-Match: "etag"\r\n', b""),
    "gzip-post": ("POST", "", "Accept-Encoding: gzip\r\nContent-Length: 4\r\n", b"ping"),
    "anonymous": ("GET", "", "Accept-Encoding: gzip\r\n", b""),
    "anonymous-head": ("HEAD", "/a.txt", "", b""),
    "anonymous-missing": ("GET", "/missing", ORIGIN, b""),
    "anonymous-post": ("POST", "", "Content-Length: 4\r\n", b"ping"),
    "anonymous-chunked": ("POST", "", "Transfer-Encoding: chunked\r\n", b"4\r\nping\r\n0\r\n\r\n"),
    "anonymous-preflight": ("OPTIONS", "", ORIGIN + "Access-Control-Request-Method: PUT\r\n", b""),
    "gzip-missing": ("GET", "/missing", "Accept-Encoding: gzip\r\n", b""),
}

PAIRS = [pair for pair in itertools.combinations(FILTERS, 2)
         if FILTERS[pair[0]][0] != FILTERS[pair[1]][0]]
CASES = [()] + [(name,) for name in FILTERS] + PAIRS


def location(handler, case):
    return "/" + "-".join((handler,) + case)


@pytest.fixture
def table(server, ports, tmp_path):
    folder = tmp_path / "site"
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "a.txt").write_text("0123456789" * 20)
    (folder / "large.txt").write_bytes(LARGE)
    (folder / "index.html").write_text("<p>index</p>")
    passwords = tmp_path / "staff.htpasswd"
    passwords.write_text(f"bob:{BOB}\n")
    passwords.chmod(0o600)
    text = "faults enabled\nport %d {\n\ttls off\n" % ports[0]
    for handler, case in itertools.product(HANDLERS, CASES):
        content = HANDLERS[handler].replace("%s", str(folder))
        filters = "  ".join(FILTERS[name][1] for name in case).replace("PASSWORDS", str(passwords))
        text += f'\tlocation "{location(handler, case)}" {{ {filters}\n\t{content} }}\n'
    return server(text + "}\n", tls=False)


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    monkeypatch.setattr(Connection, "plain", True)


def seen(body, fields, path):
    """An answer without what differs in each: a boundary, the path, the number of a request."""
    kind = dict(fields).get("content-type", "")
    boundary = kind.split("boundary=")[1] if "boundary=" in kind else "\0"
    body = body.replace(boundary.encode(), b"B")
    if body.startswith(b"{"):
        shown = json.loads(body)
        body = b"echo of %s" % shown["method"].encode()
    out = []
    for name, value in sorted(fields):
        if name in ("fault-id", "last-modified"):
            continue
        if name == "content-length" and kind == "application/json":
            continue  # what echo shows has the path in it
        out.append((name, value.replace(boundary, "B").replace(path, "/PATH")))
    return body, out


def unpacked(answer):
    packed = answer["Content-Encoding"] == "gzip" and answer.body
    return zlib.decompress(answer.body, 31) if packed else answer.body


def test_each_filter_and_each_pair(table, ports):
    with Connection(ports[0]) as c:
        etag = ask(c, location("files", ()) + "/a.txt")["ETag"]
        for handler, (request, (method, below, extra, body)) in \
                itertools.product(HANDLERS, REQUESTS.items()):
            extra = extra.replace('"etag"', etag) + ("" if "anonymous" in request else KNOWN)
            plain_path = location(handler, ()) + below
            plain = ask(c, plain_path, method=method, extra=extra, body=body)
            for case in CASES[1:]:
                path = location(handler, case) + below
                answer = ask(c, path, method=method, extra=extra, body=body)
                want = Plain(plain)
                for name in reversed(case):  # the outermost one last
                    FILTERS[name][2](want, method, extra)
                for name in reversed(case):
                    FILTERS[name][3](want, method, extra)
                assert answer.status == want.status, (path, request)
                got = seen(unpacked(answer), fields(answer), location(handler, case))
                assert got == seen(want.body, want.fields, location(handler, ())), (path, request)


def test_what_is_paced_is_what_goes_out(table, ports):
    """With each other filter a response has its bytes, and takes the time that its rate gives."""
    with Connection(ports[0]) as c:
        for case in CASES:
            if "rate" in case and "deny" not in case:
                begun = time.monotonic()
                answer = ask(c, location("files", case) + "/large.txt", extra=KNOWN + "Accept-Encoding: gzip\r\n")
                assert time.monotonic() - begun >= 0.04, case  # two quanta of 50 ms, less one saved up
                assert (answer.status, unpacked(answer)) == (200, LARGE), case
                assert (answer["Content-Encoding"] == "gzip") == ("compress" in case), case


def test_each_filter_with_a_connection_that_breaks(table, ports):
    """A client that leaves in the middle of its request, or of the answer, harms no other one."""
    for handler, case in itertools.product(HANDLERS, CASES):
        path = location(handler, case)
        for cut in (f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf",
                    f"GET {path}/a.txt HTTP/1.1\r\nHost: a\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", ports[0])) as s:
                s.sendall(cut.encode())
    with Connection(ports[0]) as c:
        assert ask(c, location("respond", ())).body == b"hello"
    assert len(table.workers()) == 1 and "restart" not in table.log()
