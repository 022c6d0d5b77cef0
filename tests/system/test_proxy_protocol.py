"""`proxy protocol from`: the address of a client that a load balancer hands on, who may say it, and
what becomes of headers that are missing, broken, slow, or in pieces."""
import contextlib
import json
import pathlib
import re
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time

import pytest

from harness import TIMEOUT, Connection, client_context, get, have, sanitized, traced, wait_for
from test_control import controlled, ctl  # noqa: F401 (a fixture)
from test_systemd import PASS

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
BALANCER, OTHER = "127.0.0.1", "127.0.0.2"  # the first is listed
CLIENT = ("192.0.2.1", 56324)
LISTED = "proxy protocol from 127.0.0.1 ::1"
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
PARTS = ["client", "own", "silent", "missing", "malformed", "timeout", "closed", "unlisted"]


def v1(address=CLIENT[0], port=CLIENT[1], to="203.0.113.7", to_port=443):
    family = "TCP6" if ":" in address else "TCP4"
    return f"PROXY {family} {address} {to if family == 'TCP4' else '2001:db8::7'} {port} {to_port}\r\n".encode()


def v2(address=CLIENT[0], port=CLIENT[1], to=None, tlvs=b"", command=0x21, transport=1):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    to = to or ("2001:db8::7" if family == socket.AF_INET6 else "203.0.113.7")
    body = socket.inet_pton(family, address) + socket.inet_pton(family, to) + struct.pack(">HH", port, 443) + tlvs
    kind = (0x20 if family == socket.AF_INET6 else 0x10) + transport
    return SIGNATURE + bytes([command, kind]) + struct.pack(">H", len(body)) + body


def bare(command, family, body=b""):
    return SIGNATURE + bytes([command, family]) + struct.pack(">H", len(body)) + body


def connected(port, source=BALANCER):
    raw = socket.create_connection(("127.0.0.1", port), TIMEOUT, source_address=(source, 0))
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return raw


class Behind(Connection):
    """A client behind a load balancer: the header in pieces, the last of them in one segment with the
    first bytes of TLS or HTTP."""

    def __init__(self, port, header, source=BALANCER, pieces=None, sni=None):
        self.raw = connected(port, source)
        self.buffer = bytearray()
        self.tls = not Connection.plain
        self.waiting = header
        for piece in pieces or []:
            self.raw.sendall(piece)
        if self.tls:
            self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            self.socket = client_context().wrap_bio(self.incoming, self.outgoing, server_hostname=sni)
            self.over_wire(self.socket.do_handshake)

    def flush(self):
        data, self.waiting = self.waiting + (self.outgoing.read() if self.tls else b""), b""
        if data:
            self.raw.sendall(data)

    def over_wire(self, call, *args):
        while True:
            try:
                value = call(*args)
                self.flush()
                return value
            except ssl.SSLWantReadError:
                self.flush()
                data = self.raw.recv(65536)
                if data:
                    self.incoming.write(data)
                else:
                    self.incoming.write_eof()

    def send(self, data):
        if self.tls:
            self.over_wire(self.socket.write, data)
        else:
            self.raw.sendall(self.waiting + data)
            self.waiting = b""

    def read_some(self):
        try:
            data = self.over_wire(self.socket.read, 65536) if self.tls else self.raw.recv(65536)
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError, ConnectionError):
            data = b""
        self.buffer += data
        return len(data)

    def close(self):
        self.raw.close()


def client_of(response):
    told = json.loads(response.body)["client"]
    return told["address"], told["port"]


def counts(s, port):
    for told in json.loads(ctl(s, "status", "--json").stdout)["ports"]:
        if told["port"] == port:
            return told["counters"]
    raise KeyError(port)


def counted(s, port, **parts):
    """The PROXY headers by their ends, exactly."""
    want = {part: parts.get(part, 0) for part in PARTS}
    wait_for(lambda: counts(s, port)["proxy_headers"] == want, f"{want} in {counts(s, port)['proxy_headers']}")


@pytest.fixture(params=["tls", "plain"])
def kind(request, monkeypatch):
    monkeypatch.setattr(Connection, "plain", request.param == "plain")
    return request.param


@pytest.fixture
def port(ports):
    return ports[0]


@pytest.fixture
def s(controlled, kind, port):  # noqa: F811
    return controlled(f"{LISTED}\nport {port} {{ echo }}\n")


def told(port, data, source=BALANCER, pause=None):
    """What the server says to these bytes until it closes; they may come one by one."""
    with connected(port, source) as raw:
        for piece in data if pause else [data]:
            with contextlib.suppress(ConnectionError):
                raw.sendall(piece if isinstance(piece, bytes) else bytes([piece]))
        said = b""
        with contextlib.suppress(ConnectionResetError):
            while more := raw.recv(65536):
                said += more
        return said


# --- the address -------------------------------------------------------------------------------

CLIENTS = {
    "v1": (v1(), CLIENT),
    "v1 IPv6": (v1("2001:db8::1", 1), ("2001:db8::1", 1)),
    "v1 mapped": (v1("::ffff:192.0.2.9", 65535), ("192.0.2.9", 65535)),
    "v2": (v2(), CLIENT),
    "v2 IPv6": (v2("2001:db8::1"), ("2001:db8::1", CLIENT[1])),
    "v2 mapped": (v2("::ffff:192.0.2.9"), ("192.0.2.9", CLIENT[1])),
    "v2 datagram": (v2(transport=2), CLIENT),
    "v2 with TLVs": (v2(tlvs=b"\x02\0\x07example\x05\0\x04\0\1\2\3" + b"\x20\0\x05\1\0\0\0\0"), CLIENT),
    "v2 with TLVs of 520 bytes": (v2(tlvs=b"\xe0\x02\x05" + b"x" * 517), CLIENT),
    "v2 with all TLVs that fit": (v2(tlvs=b"\xe0\xff\xf0" + b"x" * 65520), CLIENT),
}
OWN = {
    "v1 UNKNOWN": b"PROXY UNKNOWN\r\n",
    "v1 UNKNOWN with more": b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n",
    "v2 LOCAL": bare(0x20, 0),
    "v2 LOCAL with more": v2(command=0x20, tlvs=b"\x04\0\x03abc"),
    "v2 unspecified": bare(0x21, 0),
    "v2 of a local socket": bare(0x21, 0x31, b"/run/a".ljust(108, b"\0") * 2),
}


@pytest.mark.parametrize("what", CLIENTS)
def test_the_client_is_the_one_that_the_header_names(s, port, what):
    header, client = CLIENTS[what]
    with Behind(port, header) as c:
        assert client_of(c.get()) == client
        assert client_of(c.get("/again")) == client
    s.wait_log(re.escape(f'from (\'{client[0]}\', {client[1]}) "GET /again HTTP/1.1" 200'))
    counted(s, port, client=1)
    assert BALANCER not in s.log().split("port is served")[-1]


@pytest.mark.parametrize("what", OWN)
def test_a_header_without_addresses_leaves_those_of_the_connection(s, port, what):
    with Behind(port, OWN[what]) as c:
        assert client_of(c.get()) == c.raw.getsockname()
    counted(s, port, own=1)


@pytest.mark.parametrize("header", [v1(), v2(tlvs=b"\x02\0\x07example"), bare(0x20, 0, b"abc")],
                         ids=["v1", "v2", "LOCAL"])
def test_however_the_bytes_are_cut(s, port, header):
    """Byte by byte, and at every place in two; what follows comes with the last of them."""
    for pieces, last in [([bytes([b]) for b in header], b""), ([bytes([b]) for b in header[:-1]], header[-1:])] + \
            [([header[:at]], header[at:]) for at in range(1, len(header), 7)]:
        with Behind(port, last, pieces=pieces) as c:
            assert c.get().status == 200
    if not Connection.plain:
        return
    request = header + GET
    with connected(port) as raw:  # no byte more or less
        for b in request:
            raw.sendall(bytes([b]))
        assert Connection.over(raw).response().status == 200


def test_two_clients_at_once_and_a_peer_that_is_not_listed(s, port):
    with Behind(port, v1("192.0.2.1", 1)) as a, Behind(port, v2("192.0.2.2", 2)) as b, \
            Behind(port, b"", source=OTHER) as c:
        for _ in range(2):
            assert client_of(a.get()) == ("192.0.2.1", 1)
            assert client_of(b.get()) == ("192.0.2.2", 2)
            assert client_of(c.get()) == c.raw.getsockname()
    counted(s, port, client=2)


def test_the_host_is_chosen_by_the_address_that_the_client_has_connected_to(server, ports, certificates):
    """Without a server name the certificate is that of the address (of the load balancer)."""
    certificate, key = certificates("other")
    own = ssl.PEM_cert_to_DER_cert(certificate.read_text())
    server(f"{certificates.tls()}{LISTED}\nport {ports[0]} {{ respond 200 host \"203.0.113.7\" {{ tls {{ certificate "
           f"\"{certificate}\" key \"{key}\" }} echo }} }}\n")
    for header, host in [(v1(), True), (v2(), True), (v1(to="203.0.113.8"), False), (b"PROXY UNKNOWN\r\n", False)]:
        with Behind(ports[0], header) as c:
            assert (c.socket.getpeercert(True) == own) == host


def test_a_listener_for_both_families_knows_a_listed_peer_of_ipv4(controlled, kind, port):  # noqa: F811
    """Which the kernel shows as ::ffff:127.0.0.1 on a socket that was handed over."""
    with socket.socket(socket.AF_INET6) as listener:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("::", port))
        listener.listen()
        s = controlled(f'{LISTED}\nport {port} {{ listen on socket "web" echo }}\n', pass_fds=[listener.fileno()],
                       wrapper=[sys.executable, "-c", PASS, str(listener.fileno()), "web"])
        with Behind(port, v2()) as c:
            assert client_of(c.get()) == CLIENT
        with Behind(port, b"", source=OTHER) as c:
            assert client_of(c.get()) == c.raw.getsockname()
        counted(s, port, client=1)


# --- where it is shown -------------------------------------------------------------------------

def test_every_record_has_the_client(s, port):
    """Requests that are refused, ones that are not complete, handshakes that fail."""
    with Behind(port, v1("192.0.2.3", 3)) as c:
        c.send(b"GARBAGE\r\n\r\n")
        assert c.response().status == 400
    s.wait_log(r"Received malformed request from \('192\.0\.2\.3', 3\)")
    if not Connection.plain:
        told(port, v1("192.0.2.4", 4) + b"GET / HTTP/1.1\r\n\r\n")
        s.wait_log(r"TLS handshake with \('192\.0\.2\.4', 4\) failed: The client speaks plain HTTP\.")
        assert counts(s, port)["handshakes_failed"]["malformed"] == 1
    else:
        assert told(port, v1("192.0.2.4", 4) + b"\x16\x03\x01\x02\0\x01") == b""
        s.wait_log(r"plain connection with \('192\.0\.2\.4', 4\) failed: The client speaks TLS to a plain port\.")
    counted(s, port, client=2)


def test_a_crash_record_has_the_client(controlled, kind, port):  # noqa: F811
    s = controlled(f'faults enabled\n{LISTED}\nport {port} {{ respond 200 location "/crash" {{ fault crash }} }}\n')
    with Behind(port, v2("192.0.2.5", 5)) as c, contextlib.suppress(EOFError):
        c.get()
        c.get("/crash")
    s.wait_log(r"from \('192\.0\.2\.5', 5\)")
    crash = wait_for(lambda: json.loads(ctl(s, "crashes", "--json").stdout)["crashes"], "the record")[0]
    assert (crash["client"], crash["client_port"]) == ("192.0.2.5", 5)


def test_debug_says_through_whom_a_client_comes(controlled, kind, port):  # noqa: F811
    s = controlled(f"{LISTED}\nport {port} {{ respond 200 }}\n", args=["-v"])
    with Behind(port, v1()) as c:
        assert c.get().status == 200
        s.wait_log(re.escape(f"('{CLIENT[0]}', {CLIENT[1]}) comes through ('{BALANCER}', {c.raw.getsockname()[1]})"))


def test_what_clients_may_is_judged_by_that_address(controlled, kind, port):  # noqa: F811
    controlled(f'{LISTED}\nport {port} {{ location "/a" {{ allow 192.0.2.0/24 deny * echo }} '
               f'location "/d" {{ deny 192.0.2.0/24 127.0.0.1 echo }} }}\n')
    for header, allowed, denied in [(v1(), 200, 403), (v2("2001:db8::1"), 403, 200), (v2("192.0.3.1"), 403, 200),
                                    (v1("::ffff:192.0.2.77"), 200, 403), (bare(0x20, 0), 403, 403)]:
        with Behind(port, header) as c:
            assert (c.get("/a").status, c.get("/d").status) == (allowed, denied)


def test_the_limits_of_a_client_are_those_of_that_address(controlled, kind, port):  # noqa: F811
    """Not of the load balancer, which has the connections of all."""
    s = controlled(f"{LISTED}\nport {port} {{ echo limits {{ connections-per-client 2 }} }}\n")
    with contextlib.ExitStack() as stack:
        for n in range(6):
            c = stack.enter_context(Behind(port, v1(f"192.0.2.{n % 3 + 1}", 1000 + n)))
            assert c.get().status == 200
        assert told(port, v1("192.0.2.2", 7) + GET) == b""
        s.wait_log(r"\('192\.0\.2\.2', 7\) is over the limit connections-per-client 2")
        with Behind(port, v2("192.0.2.4", 8)) as c:
            assert c.get().status == 200
    wait_for(lambda: not connections(s, port), "the end")
    with Behind(port, v1("192.0.2.2", 9)) as c:
        assert client_of(c.get()) == ("192.0.2.2", 9)
    told_ = counts(s, port)
    assert told_["limited"]["connections"] == 1 and sum(told_["handshakes_failed"].values()) == 0


# --- what is refused ---------------------------------------------------------------------------

REFUSED = {
    "missing, TLS": (b"\x16\x03\x01\x02\0\x01\0\1\xfc\3\3", "missing", "It sent no PROXY header"),
    "missing, HTTP": (GET, "missing", "It sent no PROXY header"),
    "a method of that name": (b"PROXY / HTTP/1.1\r\nHost: a\r\n\r\n", "malformed", "neither TCP4, TCP6 nor UNKNOWN"),
    "an address of no form": (b"PROXY TCP4 localhost 192.0.2.2 1 2\r\n", "malformed", "has no valid addresses"),
    "a number that some read as octal": (b"PROXY TCP4 192.0.02.1 192.0.2.2 1 2\r\n", "malformed", "no valid addresses"),
    "a port that is none": (b"PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n", "malformed", "has no valid ports"),
    "two blanks": (b"PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n", "malformed", "has no valid addresses"),
    "more than the ports": (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n", "malformed", "goes on after the ports"),
    "LF": (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n" + GET, "malformed", "does not end in CRLF"),
    "a line without end": (b"PROXY UNKNOWN " + b"x" * 93, "malformed", "more than 107 bytes"),
    "version 3": (SIGNATURE + b"\x31\x11\0\0", "malformed", "unknown version"),
    "an unknown command": (SIGNATURE + b"\x22\x11\0\0", "malformed", "unknown command"),
    "an unknown family": (bare(0x21, 0x41, b"x" * 40), "malformed", "unknown family or protocol"),
    "too short": (bare(0x21, 0x21, b"x" * 12), "malformed", "too short for its addresses"),
}


@pytest.mark.parametrize("way", ["whole", "byte by byte"])
@pytest.mark.parametrize("what", REFUSED)
def test_a_listed_peer_without_a_good_header_is_closed(s, port, what, way):
    data, part, text = REFUSED[what]
    assert told(port, data, pause=way != "whole") == b""
    s.wait_log(rf"connection from \('127\.0\.0\.1', \d+\) refused: [^\n]*{re.escape(text)}")
    counted(s, port, **{part: 1})
    failed = counts(s, port)["handshakes_failed"]
    assert failed["proxy"] == 1 and sum(failed.values()) == 1
    assert counts(s, port)["requests"] == 0
    with Behind(port, v1()) as c:  # and the port goes on
        assert client_of(c.get()) == CLIENT


@pytest.mark.parametrize("header", [v1() + v1(), v2() + v1(), v1() + v2(), v2() + v2()],
                         ids=["v1 v1", "v2 v1", "v1 v2", "v2 v2"])
def test_a_second_header_is_of_the_client(s, port, header):
    """Who is behind the load balancer and sends one: it is no request and no handshake."""
    said = told(port, header + GET)
    assert b"200" not in said.split(b"\r\n")[0]
    counted(s, port, client=1)
    s.wait_log(re.escape(f"('{CLIENT[0]}', {CLIENT[1]})") + r".*(header of the PROXY protocol|400)")


@pytest.mark.parametrize("way", ["whole", "byte by byte"])
@pytest.mark.parametrize("header", [v1(), v1("2001:db8::1"), b"PROXY UNKNOWN\r\n", v2(), bare(0x20, 0)],
                         ids=["v1", "v1 IPv6", "UNKNOWN", "v2", "LOCAL"])
def test_a_peer_that_is_not_listed_must_not_send_one(s, port, header, way):
    assert told(port, header + (GET if Connection.plain else b""), source=OTHER, pause=way != "whole") == b""
    s.wait_log(r"connection from \('127\.0\.0\.2', \d+\) refused: It sent a PROXY header, and its address is not "
               r"listed in `proxy protocol from`\.")
    counted(s, port, unlisted=1)
    assert counts(s, port)["requests"] == 0 and CLIENT[0] not in s.log()


def test_a_port_without_the_statement_says_that_it_has_none(controlled, kind, port):  # noqa: F811
    s = controlled(f"port {port} {{ echo }}\n")
    for header in v1(), v2():
        told(port, header)
    s.wait_log(r"failed: The client sends a header of the PROXY protocol, and the port has no `proxy protocol from`\.",
               count=2)
    counted(s, port)
    failed = counts(s, port)["handshakes_failed"]
    assert failed["proxy"] == sum(failed.values()) == 2
    assert get(port).status == 200


@pytest.mark.parametrize("first", [b"P", b"PUT", b"PROXY", b"\r\n\r\n", b"\r\n"])
def test_a_request_that_begins_like_a_header_is_a_request(controlled, monkeypatch, port, first):  # noqa: F811
    monkeypatch.setattr(Connection, "plain", True)
    rest = {b"P": b"UT / HTTP/1.1\r\n", b"PUT": b" / HTTP/1.1\r\n", b"PROXY": b" / HTTP/1.1\r\n"}
    controlled(f"{LISTED}\nport {port} {{ echo limits {{ head-timeout 300ms }} }}\n")
    with connected(port, OTHER) as raw:
        raw.sendall(first)
        time.sleep(0.05)  # in a segment of its own
        raw.sendall(rest.get(first, b"GET / HTTP/1.1\r\n") + b"Host: a\r\nContent-Length: 0\r\n\r\n")
        assert Connection.over(raw).response().status in (200, 501)
    with connected(port, OTHER) as raw:  # it stops there
        raw.sendall(first)
        assert Connection.over(raw).read_to_end()[:12] in (b"HTTP/1.1 408", b"")
    with connected(port, OTHER) as raw:  # and it leaves
        raw.sendall(first)
        raw.shutdown(socket.SHUT_WR)
        assert b"200" not in Connection.over(raw).read_to_end()


# --- time, and those that leave ----------------------------------------------------------------

@pytest.mark.parametrize("header", [b"", b"PROX", v1()[:-1], v2()[:14], v2(tlvs=b"x" * 100)[:-1]],
                         ids=["nothing", "v1", "v1 but LF", "v2", "v2 but a TLV"])
def test_a_header_has_the_time_of_the_handshake_or_the_head(controlled, kind, port, header):  # noqa: F811
    s = controlled(f"{LISTED}\nport {port} {{ echo limits {{ handshake-timeout 200ms head-timeout 200ms }} }}\n")
    assert told(port, header) == b""
    limit = "head-timeout" if Connection.plain else "handshake-timeout"
    s.wait_log(rf"connection from \('[0-9.]+', \d+\) refused: Its PROXY header was not complete within {limit}\.")
    counted(s, port, timeout=1)


def test_bytes_do_not_prolong_it(controlled, kind, port):  # noqa: F811
    s = controlled(f"{LISTED}\nport {port} {{ echo limits {{ handshake-timeout 300ms head-timeout 300ms }} }}\n")
    with connected(port) as raw, contextlib.suppress(ConnectionError):
        begin = time.monotonic()
        raw.settimeout(0.02)
        for b in v2(tlvs=bytes(60000)):
            raw.sendall(bytes([b]))
            with contextlib.suppress(TimeoutError):
                if not raw.recv(1):
                    break
        assert time.monotonic() - begin < TIMEOUT
    counted(s, port, timeout=1)


def test_after_the_header_the_rest_of_that_time_is_left(controlled, kind, port):  # noqa: F811
    s = controlled(f"{LISTED}\nport {port} {{ echo limits {{ handshake-timeout 300ms head-timeout 300ms }} }}\n")
    assert told(port, v1()) == b""
    counted(s, port, client=1)
    failed = counts(s, port)["handshakes_failed"]
    assert failed["timeout"] == (0 if Connection.plain else 1) and failed["proxy"] == 0


@pytest.mark.parametrize("how", ["end", "reset"])
def test_health_checks_are_no_failures(s, port, how):
    """A connection without a byte, with LOCAL, with UNKNOWN, and with the balancer's own addresses."""
    for seen, header in enumerate([bare(0x20, 0), b"PROXY UNKNOWN\r\n", v1("127.0.0.1", 1), b""], 1):
        raw = connected(port)
        raw.sendall(header)
        if how == "reset":  # once it has the header, which a reset might destroy
            wait_for(lambda: sum(counts(s, port)["proxy_headers"].values()) == min(seen, 3), "the header")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.close()
        wait_for(lambda: counts(s, port)["accepted"] == seen and not connections(s, port), "the end")
    counted(s, port, silent=1, own=2, client=1)
    assert sum(counts(s, port)["handshakes_failed"].values()) == 0
    assert not re.search(r"refused:|failed:|[Ee]rror", s.log())


def connections(s, port):
    return next(p["connections"] for p in json.loads(ctl(s, "status", "--json").stdout)["ports"] if p["port"] == port)


def test_one_that_leaves_in_the_middle_is_counted(s, port):
    for header in b"PROXY TCP4 ", v2()[:20], v2(tlvs=b"abc")[:-1]:
        with connected(port) as raw:
            raw.sendall(header)
            raw.shutdown(socket.SHUT_WR)
            assert raw.recv(1) == b""
    s.wait_log(r"refused: It left in the middle of its PROXY header\.", count=3)
    counted(s, port, closed=3)


# --- draining, reload, upgrade -----------------------------------------------------------------

def test_half_a_header_and_a_reload(s, port):
    """The old worker hears the rest, and answers the first request."""
    with connected(port) as half, connected(port) as silent, connected(port) as skipping:
        half.sendall(v1()[:20])
        skipping.sendall(v2(tlvs=b"abc")[:-1])
        wait_for(lambda: connections(s, port) == 3, "the connections")
        wait_for(lambda: counts(s, port)["bytes_in"] == 20 + len(v2(tlvs=b"abc")) - 1, "their bytes")
        s.config.write_text(s.config.read_text().replace("echo", "echo workers 2"))
        assert ctl(s, "reload").returncode == 0
        half.sendall(v1()[20:])
        skipping.sendall(b"c")
        for raw in half, skipping:
            with Connection.over(raw) as c:
                assert client_of(c.get()) == CLIENT
        silent.settimeout(TIMEOUT)
        assert silent.recv(1) == b""  # a second after the new ones serve
    wait_for(lambda: len(s.workers()) == 2, "the end of the old worker")
    counted(s, port, client=2, silent=1)


def test_a_shutdown_waits_for_no_half_header(s, port):
    with connected(port) as half, connected(port) as silent:
        half.sendall(v1()[:20])
        wait_for(lambda: counts(s, port)["bytes_in"] == 20, "the bytes")
        begin = time.monotonic()
        assert s.stop() == 0
        assert time.monotonic() - begin < 9 * (4 if sanitized() else 1)  # drain has 10 s
        assert half.recv(1) == silent.recv(1) == b""


def test_a_reload_begins_and_ends_it(controlled, kind, port):  # noqa: F811
    s = controlled(f"port {port} {{ echo }}\n")
    without, begin = s.config.read_text(), list(s.workers().values())
    assert get(port).status == 200
    for text, listed in [(without.replace("echo", f"{LISTED} echo"), True), (without, False),
                         (f"{LISTED}\n{without}", True),
                         (f"{LISTED}\n{without.replace('echo', 'proxy protocol off echo')}", False)]:
        s.config.write_text(text)
        assert ctl(s, "reload").returncode == 0
        now = list(s.workers().values())
        assert now != begin  # it belongs to what a process is made with
        begin = now
        with Behind(port, v1() if listed else b"") as c:
            assert client_of(c.get()) == (CLIENT if listed else c.raw.getsockname())
    assert ctl(s, "reload").returncode == 0 and list(s.workers().values()) == begin


def test_an_upgrade_in_place_keeps_it(s, port):
    with Behind(port, v1()) as c:
        assert client_of(c.get()) == CLIENT
    pid, workers = s.pid, list(s.workers().values())
    counted(s, port, client=1)
    s.kill(signal.SIGUSR2)
    s.wait_log("upgraded")
    assert s.pid == pid
    wait_for(lambda: counts(s, port)["proxy_headers"]["client"] == 1, "the count")
    with Behind(port, v2()) as c:
        assert client_of(c.get()) == CLIENT
    counted(s, port, client=2)
    assert workers


# --- what it costs -----------------------------------------------------------------------------

@pytest.mark.skipif(bool(sanitized()), reason="a sanitizer makes system calls of its own")
def test_no_further_system_call(controlled, ports, monkeypatch):  # noqa: F811
    """Neither on a port without it, nor with the header in the segment of what follows."""
    monkeypatch.setattr(Connection, "plain", True)  # the pieces of a handshake differ from time to time
    s = controlled(f"port {ports[0]} {{ echo }}\nport {ports[1]} {{ {LISTED} echo }}\n")
    seen = []
    for port, header, source in [(ports[0], b"", OTHER), (ports[1], b"", OTHER), (ports[1], v2(), BALANCER)]:
        with Behind(port, header, source=source) as c:
            assert c.get().status == 200
        with traced(s.workers(port)[port, 1], follow=False) as trace:
            with Behind(port, header, source=source) as c:
                assert c.get().status == 200
                wait_for(lambda: "accept4" in trace.read_text() and "GET / HTTP" in s.log(), "the request")
            text = wait_for(lambda: "close(" in trace.read_text() and trace.read_text(), "the end")
        calls = re.findall(r"(?m)^(?:\d+ +)?(\w+)\(", text)
        calls = calls[calls.index("accept4"):]
        seen.append([c for c in calls[:calls.index("close") + 1] if c not in ("epoll_wait", "epoll_pwait")])
    assert len(seen[0]) > 4
    assert seen[0] == seen[1] == seen[2]


# --- programs that send it ---------------------------------------------------------------------

@pytest.mark.skipif(not have("curl"), reason="needs curl")
def test_curl(s, port):
    scheme = "http" if Connection.plain else "https"
    told = subprocess.run(["curl", "-sSk", "--noproxy", "*", "--haproxy-protocol", f"{scheme}://127.0.0.1:{port}/"],
                          capture_output=True, timeout=TIMEOUT)
    assert json.loads(told.stdout)["client"]["address"] == "127.0.0.1", told.stderr
    counted(s, port, client=1)


HAPROXY = """
global
	log stderr local0 notice
defaults
	mode tcp
	timeout connect 10s
	timeout client 30s
	timeout server 30s
	timeout check 10s
listen v1
	bind 127.0.0.1:{front[0]}
	server a 127.0.0.1:{port} send-proxy
listen v2
	bind 127.0.0.1:{front[1]}
	server a 127.0.0.1:{port} send-proxy-v2 proxy-v2-options ssl,unique-id,authority,crc32c
	unique-id-format %{{+X}}o\\ %ci:%cp_%fi:%fp_%Ts_%rt:%pid
	tcp-request content accept
	tcp-request inspect-delay 1s
"""
CHECKED = """
listen checked
	bind 127.0.0.1:{front[2]}
	server a 127.0.0.1:{port} check inter 100ms fall 1 rise 1 check-send-proxy {check}
"""


@contextlib.contextmanager
def haproxy(folder, text):
    config = pathlib.Path(folder) / "haproxy.cfg"
    config.write_text(text)
    with open(config.with_suffix(".log"), "wb") as log:
        process = subprocess.Popen(["haproxy", "-db", "-f", str(config)], stdout=log, stderr=log)
    try:
        yield process
        assert process.poll() is None, config.with_suffix(".log").read_text()
    finally:
        process.kill()
        process.wait()


def when_it_listens(port):
    def connects():
        with contextlib.suppress(OSError):
            return socket.create_connection(("127.0.0.1", port), TIMEOUT)
    return wait_for(connects, "HAProxy")


@pytest.mark.skipif(not have("haproxy"), reason="needs haproxy")
@pytest.mark.parametrize("front", [0, 1], ids=["send-proxy", "send-proxy-v2"])
def test_haproxy(s, ports, tmp_path, front):
    fronts = [ports[1], ports[2]]
    with haproxy(tmp_path, HAPROXY.format(front=fronts, port=ports[0])):
        raw = when_it_listens(fronts[front])
        with Connection.over(raw) as c:
            assert client_of(c.get()) == ("127.0.0.1", c.local_port)
            assert client_of(c.get()) == ("127.0.0.1", c.local_port)
    s.wait_log(rf"from \('127\.0\.0\.1', {c.local_port}\) \"GET / HTTP/1\.1\" 200", count=2)
    assert counts(s, ports[0])["proxy_headers"]["client"] >= 1
    assert sum(counts(s, ports[0])["handshakes_failed"].values()) == 0


@pytest.mark.skipif(not have("haproxy"), reason="needs haproxy")
@pytest.mark.parametrize("version", ["send-proxy", "send-proxy-v2"])
def test_health_checks_of_haproxy(s, ports, tmp_path, version):
    """Connections that it opens and ends, by a reset, after a header for itself."""
    text = HAPROXY.format(front=ports[1:], port=ports[0]).split("listen v1")[0]
    text += CHECKED.format(front=[0, 0, ports[1]], port=ports[0], check=version)
    with haproxy(tmp_path, text):
        wait_for(lambda: sum(counts(s, ports[0])["proxy_headers"].values()) >= 3, "checks")
        with Connection.over(when_it_listens(ports[1])) as c:  # the server is up
            assert client_of(c.get()) == ("127.0.0.1", c.local_port)
    told = counts(s, ports[0])
    assert sum(told["handshakes_failed"].values()) == 0, told
    assert not re.search(r"refused:|failed:", s.log())


# --- the configuration -------------------------------------------------------------------------

def test_an_https_target_may_come_through_a_load_balancer(server, ports):
    """RFC 9110, 7.4: it is nothing for a connection without TLS, unless a trusted gateway has made that."""
    server(f'tls off\nport {ports[0]} {{ {LISTED} respond 200 "ok" }}\nport {ports[1]} {{ respond 200 "ok" }}', tls=False)
    for port, header, status in ((ports[0], v1(), b"200"), (ports[0], v2(), b"200"), (ports[1], b"", b"421")):
        with connected(port) as raw:
            raw.sendall(header + b"GET https://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert raw.recv(4096)[9:12] == status


def test_the_statement_in_its_long_form(run, conf_file):
    path = conf_file("c.conf", "tls off\nproxy protocol from 10.0.0.0/8 192.0.2.7\nport 8001 { echo }\n"
                     "port 8002 { proxy protocol from 2001:DB8::/32 ::ffff:192.0.2.9 echo }\n"
                     "port 8003 { proxy protocol off echo }\n")
    long = run("-T", "-f", path)
    assert long.returncode == 0
    assert re.findall(r"(?m)^(?:port \d+|\tproxy .*)", long.stdout) == [
        "port 8001", "\tproxy protocol from 10.0.0.0/8 192.0.2.7", "port 8002",
        "\tproxy protocol from 2001:db8::/32 192.0.2.9", "port 8003"]
    again = run("-T", "-f", conf_file("long.conf", long.stdout))
    assert again.stdout == long.stdout


@pytest.mark.parametrize("statement, text", [
    ("from 10.0.0.1/8", "`10.0.0.1/8` has bits after its length: the network is `10.0.0.0/8`"),
    ("from 10.0.0.0/33", "the length in `10.0.0.0/33` is out of range"),
    ("from ::/129", "the length in `::/129` is out of range"),
    ("from lb.example", "`lb.example` is not a network"),
    ("from 10.0.0.0/8 10.1.0.0/16", "10.1.0.0/16 is in 10.0.0.0/8, which is listed already"),
    ("from *", "every client may say here what address it has"),
    ("from 0.0.0.0/0", "every client may say here what address it has"),
    ("from 10.0.0.1 proxy protocol off", "duplicate `proxy protocol`"),
    ("from", "expected"),
    ("on", "expected `from` or `off`"),
])
def test_mistakes_in_it(run, conf_file, statement, text):
    r = run("-t", "-f", conf_file("c.conf", f"port 8001 {{ tls off proxy protocol {statement} echo }}\n"))
    assert text in r.stderr, r.stderr
    assert r.returncode == (0 if "warning" in r.stderr and "error" not in r.stderr else 1)
