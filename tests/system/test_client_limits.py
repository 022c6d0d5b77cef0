"""`limits ...-per-client`: what one client may have, and that others have theirs. Rates of one an hour, so
that no test depends on how fast the machine is."""
import json
import re
import socket
import ssl
import threading
import time

import pytest

from harness import TIMEOUT, Connection, client_context, wait_for
from test_control import controlled, ctl  # noqa: F401 (a fixture)

PLAIN_TOO = True


def ask(c, target="/", method="GET", fields="", body=b""):
    c.send(f"{method} {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode() + body)
    return c.response(method)


def statuses(c, count, target="/"):
    return [ask(c, target).status for _ in range(count)]


def port_of(s, port):
    return next(p for p in json.loads(ctl(s, "status", "--json").stdout)["ports"] if p["port"] == port)


def limited(s, port):
    return port_of(s, port)["counters"]["limited"]


def over_limit(s, port, limit):
    """The lines of the log about it."""
    return re.findall(rf"\[PORT {port}\] (\('.*', \d+\) is over the limit {limit}-per-client .*)", s.log())


def wait_over_limit(s, port, limit, count):
    """Exactly so many lines: counts are there before them."""
    wait_for(lambda: len(over_limit(s, port, limit)) >= count, "the lines of the log")
    lines = over_limit(s, port, limit)
    assert len(lines) == count
    return lines


# --- requests -----------------------------------------------------------------------------------

HOUR = "limits { requests-per-client 1/h burst 20 }"


def test_a_client_gets_its_burst_and_then_429(controlled, ports):
    s = controlled(f'port {ports[0]} {{ {HOUR} respond 200 "hello" }}')
    with Connection(ports[0]) as c:
        assert statuses(c, 20) == [200] * 20
        r = ask(c)
        assert (r.status, r.body) == (429, b"429 Too Many Requests\n")
        assert 3590 <= int(r["Retry-After"]) <= 3600 and r["Connection"] is None
        assert statuses(c, 5) == [429] * 5  # the connection goes on, in step
    with Connection(ports[0]) as c:  # another connection is no help
        assert statuses(c, 2) == [429] * 2
        with Connection(ports[0], source="127.0.0.9") as other:  # another client has its own
            assert statuses(other, 20) == [200] * 20
        assert ask(c).status == 429
    wait_for(lambda: limited(s, ports[0])["requests"] == 9, "the counts")
    assert limited(s, ports[0]) == {"connections": 0, "handshakes": 0, "requests": 9}
    assert port_of(s, ports[0])["counters"]["requests"] == 49
    wait_over_limit(s, ports[0], "requests", 1)
    assert not re.search('" 429 ', s.log())  # no access records of them


def test_the_rate_goes_on(server, ports):
    server(f'port {ports[0]} {{ limits {{ requests-per-client 10/s burst 2 }} respond 200 }}')
    with Connection(ports[0]) as c:
        wait_for(lambda: ask(c).status == 429, "the end of the burst")
        r = ask(c)
        while r.status != 429:  # a machine that is slower than the rate
            r = ask(c)
        assert r["Retry-After"] == "1"
        wait_for(lambda: ask(c).status == 200, "the next one")


def test_requests_that_come_together_are_counted_one_by_one(server, ports):
    server(f'port {ports[0]} {{ {HOUR} respond 200 "hello" }}')
    with Connection(ports[0]) as c:
        c.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 30)
        assert [c.response().status for _ in range(30)] == [200] * 20 + [429] * 10


def test_each_request_counts_whatever_it_is(server, ports):
    """Not found, a method that is not taken, another host, OPTIONS *."""
    server(f"""port {ports[0]} {{ limits {{ requests-per-client 1/h burst 5 }}
        location "/a" {{ respond 200 }} host "b" {{ location "/" {{ respond 204 }} }} }}""")
    with Connection(ports[0]) as c:
        assert ask(c, "/none").status == 404
        assert ask(c, "/a", "DELETE").status == 405
        c.send(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
        assert c.response("OPTIONS").status == 204
        c.send(b"GET / HTTP/1.1\r\nHost: b\r\n\r\n")
        assert c.response().status == 204
        assert ask(c, "/a", "OPTIONS").status == 204
        for target, method in (("/none", "GET"), ("/a", "DELETE"), ("/a", "GET"), ("*", "OPTIONS")):
            assert ask(c, target, method).status == 429, target


def test_429_has_the_page_of_its_place(server, ports):
    server(f"""port {ports[0]} {{ limits {{ requests-per-client 1/h burst 1 }}
        error 429 {{ respond "{{}}" type "application/json" header "X-Page" "port" }}
        location "/a" {{ error 429 {{ respond "wait" header "Retry-After" "7" }} respond 200 }}
        respond 200 }}""")
    with Connection(ports[0]) as c:
        assert ask(c).status == 200
        r = ask(c)
        assert (r.status, r.body, r["Content-Type"], r["X-Page"]) == (429, b"{}", "application/json", "port")
        assert int(r["Retry-After"]) > 3500
        r = ask(c, "/a")
        assert (r.status, r.body, r["Retry-After"]) == (429, b"wait", "7")
        assert ask(c, "/a", "HEAD").body == b""


@pytest.mark.parametrize("size", [0, 5, 200000])
def test_the_body_of_a_refused_request_is_read(server, ports, size):
    server(f'port {ports[0]} {{ limits {{ requests-per-client 1/h burst 1 }} echo }}')
    with Connection(ports[0]) as c:
        assert ask(c).status == 200
        for _ in range(3):
            assert ask(c, "/", "POST", f"Content-Length: {size}\r\n", b"x" * size).status == 429
    with Connection(ports[0]) as c:  # it is not invited
        assert ask(c, "/", "POST", "Expect: 100-continue\r\nContent-Length: 9\r\n").status == 429


def test_the_log_says_how_often_once_a_minute(controlled, ports):
    """100 clients, each with many refusals: a line for each."""
    s = controlled(f'port {ports[0]} {{ limits {{ requests-per-client 1/h burst 1 }} respond 200 }}')
    for i in range(100):
        with Connection(ports[0], source=f"127.0.1.{i + 1}") as c:
            assert statuses(c, 6) == [200] + [429] * 5
    wait_for(lambda: limited(s, ports[0])["requests"] == 500, "the counts")
    lines = wait_over_limit(s, ports[0], "requests", 100)
    assert len(lines) == len({line.split(",")[0] for line in lines}) == 100
    assert all(line.endswith("requests-per-client 1/h burst 1") for line in lines)
    assert port_of(s, ports[0])["clients"] == 100


# --- connections --------------------------------------------------------------------------------


def closed_at_once(port, host="127.0.0.1", source=None):
    """Does the server end a connection without a byte?"""
    try:
        with socket.create_connection((host, port), timeout=TIMEOUT,
                                      source_address=(source, 0) if source else None) as c:
            return c.recv(1) == b""
    except ConnectionResetError:
        return True


def test_a_connection_too_many_is_closed_before_it_speaks(controlled, ports):
    s = controlled(f"""port {ports[0]} {{ listen on 127.0.0.1 listen on ::1
        limits {{ connections-per-client 5 }} respond 200 }}""")
    mine = [Connection(ports[0]) for _ in range(5)]
    assert all(ask(c).status == 200 for c in mine)
    assert closed_at_once(ports[0]) and closed_at_once(ports[0])
    others = [Connection(ports[0], source="127.0.0.7") for _ in range(5)]
    others += [Connection(ports[0], host="::1") for _ in range(5)]
    assert closed_at_once(ports[0], "::1") and closed_at_once(ports[0], source="127.0.0.7")
    assert all(ask(c).status == 200 for c in mine + others)
    wait_for(lambda: limited(s, ports[0])["connections"] == 4, "the counts")
    wait_over_limit(s, ports[0], "connections", 3)
    mine.pop().close()

    def admitted():
        try:
            with Connection(ports[0]) as c:
                return ask(c).status == 200
        except (OSError, EOFError):
            return False

    wait_for(admitted, "room for another one")
    for c in mine + others:
        c.close()


# --- handshakes ---------------------------------------------------------------------------------


@pytest.mark.tls_only
def test_a_handshake_too_many_costs_no_signature(controlled, ports):
    s = controlled(f'port {ports[0]} {{ limits {{ handshakes-per-client 1/h burst 8 }} respond 200 }}')
    before = port_of(s, ports[0])["counters"]["signatures"]  # its keyholder tries its key
    with Connection(ports[0]) as first:
        for _ in range(7):
            with Connection(ports[0]) as c:
                assert ask(c).status == 200
        for _ in range(5):
            with pytest.raises(ssl.SSLError, match="ACCESS_DENIED"):
                Connection(ports[0])
        with Connection(ports[0], source="127.0.0.7") as c:
            assert ask(c).status == 200
        assert ask(first).status == 200  # what is open goes on
    wait_for(lambda: port_of(s, ports[0])["counters"]["requests"] == 9, "the requests")
    counters = port_of(s, ports[0])["counters"]
    assert counters["limited"] == {"connections": 0, "handshakes": 5, "requests": 0}
    assert counters["handshakes_full"] == 9 and not any(counters["handshakes_failed"].values())
    assert counters["signatures"] == before + 9
    wait_over_limit(s, ports[0], "handshakes", 1)


@pytest.mark.tls_only
def test_what_a_refused_handshake_gets(controlled, ports):
    """Its alert in a record, then the end; nothing in answer to bytes that are no TLS, and connections that
    say nothing are not counted."""
    s = controlled(f'port {ports[0]} {{ limits {{ handshakes-per-client 1/h burst 1 }} respond 200 }}')
    Connection(ports[0]).close()
    for sent, expected in ((b"\x16\x03\x01", b"\x15\x03\x03\x00\x02\x02\x31"), (b"GET / HTTP/1.0\r\n\r\n", b"")):
        with socket.create_connection(("127.0.0.1", ports[0]), timeout=TIMEOUT) as c:
            c.sendall(sent)
            assert c.makefile("rb").read() == expected
    for _ in range(3):
        socket.create_connection(("127.0.0.1", ports[0]), timeout=TIMEOUT).close()
    wait_for(lambda: limited(s, ports[0])["handshakes"] == 2, "the counts")


@pytest.mark.tls_only
def test_a_resumed_handshake_counts_as_well(server, ports):
    server(f'port {ports[0]} {{ limits {{ handshakes-per-client 1/h burst 2 }} respond 200 }}')
    context = client_context()
    with Connection(ports[0], context=context) as c:
        assert ask(c).status == 200
        session = c.socket.session
    with Connection(ports[0], context=context, session=session) as c:
        assert ask(c).status == 200
    with pytest.raises(ssl.SSLError, match="ACCESS_DENIED"):
        Connection(ports[0], context=context, session=session)


# --- the table ----------------------------------------------------------------------------------


def test_a_small_table_serves_many_clients(controlled, ports):
    """More clients than it has places: none of them is refused, and one that floods still is."""
    s = controlled(f"""port {ports[0]} {{
        limits {{ requests-per-client 1/h burst 3  clients 64  connections 8 }} respond 200 }}""")
    with Connection(ports[0]) as flood:
        assert statuses(flood, 5) == [200] * 3 + [429] * 2
        for i in range(250):
            with Connection(ports[0], source=f"127.0.2.{i + 1}") as c:
                assert ask(c).status == 200
        assert ask(flood).status == 429
    status = port_of(s, ports[0])
    assert 64 <= status["clients"] <= 80 and status["counters"]["clients_forgotten"] > 150


def test_a_flood_leaves_the_others_alone(controlled, ports):
    """One client floods from many connections; others are answered, all of them."""
    s = controlled(f"""port {ports[0]} {{
        limits {{ requests-per-client 1/h burst 50  connections-per-client 10 }} respond 200 }}""")
    over = threading.Event()

    def flood():
        while not over.is_set():
            try:
                with Connection(ports[0], source="127.0.3.1") as c:
                    while not over.is_set():
                        ask(c)
            except (OSError, AssertionError, EOFError):
                time.sleep(0.01)

    threads = [threading.Thread(target=flood) for _ in range(15)]
    for t in threads:
        t.start()
    try:
        wait_for(lambda: limited(s, ports[0])["connections"] > 0 and limited(s, ports[0])["requests"] > 100,
                 "the flood")
        for i in range(20):
            with Connection(ports[0], source=f"127.0.3.{i + 2}") as c:
                assert statuses(c, 10) == [200] * 10
    finally:
        over.set()
        for t in threads:
            t.join()
    wait_over_limit(s, ports[0], r"\w+", 1)


def test_without_limits_nobody_is_counted(controlled, ports):
    s = controlled(f'port {ports[0]} {{ limits {{ clients 100 }} respond 200 }}')
    with Connection(ports[0]) as c:
        assert statuses(c, 100) == [200] * 100
    status = port_of(s, ports[0])
    assert status["clients"] == 0 and not any(status["counters"]["limited"].values())


# --- who has none -------------------------------------------------------------------------------


def test_exempt_clients_have_no_limits(controlled, ports):
    s = controlled(f"""limits {{ requests-per-client 1/h burst 1  connections-per-client 2  handshakes-per-client 1/h burst 9
            exempt 127.0.0.8/29 ::1 }}
        port {ports[0]} {{ listen on 127.0.0.1 listen on ::1 respond 200 }}
        port {ports[1]} {{ limits {{ exempt 127.0.0.2 }} respond 200 }}""")
    with Connection(ports[0]) as c:
        assert statuses(c, 3) == [200, 429, 429]
    for source in ("127.0.0.8", "127.0.0.15"):
        exempt = [Connection(ports[0], source=source) for _ in range(12)]
        assert all(statuses(c, 3) == [200] * 3 for c in exempt)
        for c in exempt:
            c.close()
    with Connection(ports[0], host="::1") as c:
        assert statuses(c, 3) == [200] * 3
    with Connection(ports[0], source="127.0.0.16") as c:
        assert statuses(c, 2) == [200, 429]
    # the list of a port takes the place of that of the top level
    for source, expected in (("127.0.0.8", [200, 429]), ("127.0.0.2", [200, 200])):
        with Connection(ports[1], source=source) as c:
            assert statuses(c, 2) == expected
    assert port_of(s, ports[0])["clients"] == 2
