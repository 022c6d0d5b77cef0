"""Many exchanges on one connection, by the test protocol of tests/many: they share the connection
fairly, and each has its own limits of time, end, record and place in a crash record."""
import os
import re
import signal
import threading

import pytest

from harness import HELLO, get, sanitized, wait_for
from many import CANCEL, DATA, END, MANY, ROOM_FIRST, Many
from test_crash_records import EAGER, ENV

THREADED = True

pytestmark = pytest.mark.skipif(not MANY.exists(), reason="make many has not been run")

BIG = 900000
LOCATIONS = ('location "/" { respond 200 "Hello, world!\\n" }\n'
             f'location "/big" {{ respond 200 "{"x" * BIG}" }}\n'
             'location "/nothing" { respond 204 }\n'
             'location "/none" { methods "GET" respond 200 "" }\n'
             'location "/echo" { echo }\n')


@pytest.fixture
def serve(server, ports):
    def start(extra="", top="", locations=LOCATIONS, **options):
        return server(f'{top}port {ports[0]} {{ {extra}\n{locations} }}\n', program=MANY, **options)
    return start


# --- the protocol, and the other one beside it -------------------------------------------------


def test_both_protocols_are_served_by_one_port(serve, ports):
    serve()
    assert get(ports[0]).body == HELLO
    with Many(ports[0]) as c:
        s = c.get("/")
        c.until_ended(s)
        assert (s.status, s.body, s.ended) == (200, HELLO, END)
        assert get(ports[0]).body == HELLO


def test_answers_of_every_kind(serve, ports):
    serve()
    with Many(ports[0]) as c:
        wanted = {"GET /": (200, HELLO), "GET /big": (200, b"x" * BIG), "HEAD /": (200, b""),
                  "GET /nothing": (204, b""), "GET /none": (200, b""), "GET /%00": (400, None),
                  "POST /none": (405, None), "OPTIONS /none": (204, b""), "OPTIONS *": (204, b""),
                  "CONNECT a:1": (405, None), "BREW /": (501, None)}
        streams = {line: c.begin(line) for line in wanted}
        for s in streams.values():
            c.end(s)
        c.until_ended(*streams.values())
        for line, (status, body) in wanted.items():
            s = streams[line]
            assert (line, s.status, s.ended) == (line, status, END)
            assert body is None or s.body == body
        assert "GET" in streams["POST /none"].fields["Allow"]


def test_each_exchange_has_its_own_record_and_id(serve, ports):
    s = serve()
    with Many(ports[0]) as c:
        streams = [c.get(f"/echo?{n}") for n in range(50)]
        c.until_ended(*streams)
    ids = {re.search(rb'"request_id":"([^"]+)"', x.body)[1] for x in streams}
    assert len(ids) == 50
    wait_for(lambda: s.log().count("GET /echo") >= 50, "all records")
    for n in range(50):
        assert len(re.findall(rf"GET /echo\?{n}\b", s.log())) == 1


def test_bodies_pass_in_both_directions_at_once(serve, ports):
    serve("limits { body 16M }")
    total = 300000 if sanitized() else 1000000
    with Many(ports[0]) as c:
        streams = [c.upload("/echo") for _ in range(8)]
        bodies = {s: bytes([s.number]) * total for s in streams}
        sent = dict.fromkeys(streams, 0)
        while not all(s.ended for s in streams):
            for s in streams:
                n = min(s.may_send, total - sent[s])
                if n > 0:
                    c.send(s, bodies[s][sent[s]:sent[s] + n])
                    sent[s] += n
                    if sent[s] == total:
                        c.end(s)
            c.flush()
            c.read()
        assert all(s.body == bodies[s] and s.ended == END for s in streams)


# --- fairness ----------------------------------------------------------------------------------


def test_a_small_response_does_not_wait_for_big_ones(serve, ports):
    serve()
    with Many(ports[0]) as c:
        big = [c.get("/big", room=BIG) for _ in range(4)]
        small = [c.get("/") for _ in range(4)]
        c.until_ended(*small)
        assert all(s.body == HELLO for s in small)
        assert all(not s.ended and len(s.body) < 65536 for s in big)
        c.until_ended(*big)
        assert all(s.body == b"x" * BIG for s in big)


def test_requests_are_read_while_responses_fill_the_connection(serve, ports):
    serve()
    with Many(ports[0]) as c:
        big = [c.get("/big", room=BIG) for _ in range(30)]
        c.until(lambda: big[0].body)
        small = c.get("/")
        c.until_ended(small)
        assert small.body == HELLO
        assert not all(s.ended for s in big)
        c.until_ended(*big)


def test_downloads_share_the_connection_evenly(serve, ports):
    serve()
    with Many(ports[0]) as c:
        big = [c.get("/big", room=BIG) for _ in range(5)]
        c.until(lambda: max(len(s.body) for s in big) > BIG // 2)
        assert min(len(s.body) for s in big) > BIG // 2 - 65536
        c.until_ended(*big)


def test_a_response_that_is_not_read_holds_up_no_other(serve, ports):
    """The client gives it no room; the connection itself is read."""
    serve()
    with Many(ports[0]) as c:
        held = c.begin("GET /big")
        c.end(held)
        c.flush()
        while len(held.body) < ROOM_FIRST:
            c.read()
            c.unsent = b""  # it takes the room back
        for _ in range(20):
            s = c.get("/")
            c.until_ended(s)
            assert s.body == HELLO
        assert len(held.body) == ROOM_FIRST and not held.ended
        c.room(held, BIG)
        c.until_ended(held)
        assert held.body == b"x" * BIG


# --- limits of time ----------------------------------------------------------------------------


def test_a_body_that_stalls_times_out_alone(serve, ports):
    server = serve("limits { body 1G  body-timeout 500ms }", args=["-v"])
    with Many(ports[0]) as c:
        started = c.upload("/echo", length=10)  # its response has begun
        c.send(started, b"abc")
        silent = c.upload("/", length=10)  # it answers once the request is complete
        c.send(silent, b"abc")
        moving, count = c.upload("/echo"), 0

        def step():
            nonlocal count
            if moving.may_send >= 2048 and len(moving.body) == count:
                c.send(moving, b"y" * 2048)
                count += 2048
            return started.ended and silent.ended

        c.until(step)
        assert (started.status, started.body, started.ended) == (200, b"abc", CANCEL)
        assert (silent.status, silent.ended) == (408, END)
        assert moving.status == 200 and not moving.ended
        c.end(moving)
        late = c.get("/")
        c.until_ended(moving, late)
        assert moving.body == b"y" * count and moving.ended == END and late.body == HELLO
    server.wait_log("has reached its body-timeout limit", count=2)


def test_a_stalled_body_times_out_beside_a_busy_download(serve, ports):
    serve("limits { body-timeout 500ms  idle 500ms }")
    with Many(ports[0]) as c:
        silent = c.upload("/", length=10)
        big = c.get("/big", room=BIG)

        def step():  # one download after the other
            nonlocal big
            if big.ended:
                assert big.body == b"x" * BIG
                big = c.get("/big", room=BIG)
            return silent.ended

        c.until(step)
        assert silent.status == 408
        c.until_ended(big)
        assert big.body == b"x" * BIG


def test_idle_is_the_time_without_any_exchange(serve, ports):
    serve("limits { idle 300ms  body-timeout 1h }")
    with Many(ports[0]) as c:
        s = c.upload("/echo")
        for _ in range(3):
            done = c.get("/")
            c.until_ended(done)
        threading.Event().wait(0.6)  # longer than idle: nothing must happen
        c.send(s, b"still here")
        c.end(s)
        c.until_ended(s)
        assert s.body == b"still here"
        assert c.connection.closed()


# --- ends --------------------------------------------------------------------------------------


def test_one_is_cancelled_and_the_others_go_on(serve, ports):
    server = serve()
    with Many(ports[0]) as c:
        def cancelled(s, what):
            c.until(what)
            c.cancel(s)

        first = c.upload("/echo")
        c.send(first, b"first")
        cancelled(c.upload("/echo?begun"), lambda: True)
        half = c.upload("/echo?half")
        c.send(half, b"half")
        cancelled(half, lambda: half.body == b"half")
        full = c.upload("/echo?full")  # its client sends and does not read
        c.send(full, b"f" * ROOM_FIRST)
        cancelled(full, lambda: full.may_send > 0)
        big = c.get("/big")
        cancelled(big, lambda: len(big.body) > 100000)
        c.send(first, b" and last")
        c.end(first)
        rest = [c.get("/") for _ in range(10)]
        # Frames of a stream that was cancelled may still be on their way.
        c.until_ended(first, *rest)
        assert first.body == b"first and last"
        assert all(s.body == HELLO and s.ended == END for s in rest)
        assert not half.ended and not full.ended and not big.ended
    wait_for(lambda: server.log().count("HTTP/1.1") >= 15, "all records")
    for path in (r"/echo\?begun", r"/echo\?half", r"/echo\?full", "/big", "/echo "):
        assert len(re.findall(f"(?:GET|POST) {path}", server.log())) == 1


def test_a_connection_that_goes_ends_all(serve, ports):
    server = serve()
    for number in (1, 7, 50):
        with Many(ports[0]) as c:
            streams = [c.upload(f"/echo?{number}") for _ in range(number)]
            for s in streams:
                c.send(s, b"begun")
            c.until(lambda: all(s.body == b"begun" for s in streams))
        wait_for(lambda: server.log().count(f"/echo?{number} ") == number, "each record once")
    assert get(ports[0]).body == HELLO


def test_more_than_the_protocol_allows_are_turned_away(serve, ports):
    serve()
    with Many(ports[0]) as c:
        streams = [c.upload("/echo") for _ in range(110)]
        c.until_ended(*streams[100:])
        assert all(s.ended == CANCEL and s.status is None for s in streams[100:])
        for s in streams[:100]:
            c.send(s, b"served")
            c.end(s)
        c.until_ended(*streams[:100])
        assert all(s.body == b"served" for s in streams[:100])


# --- a worker that ends ------------------------------------------------------------------------


def crash(serve, ports, order):
    s = serve(top=f"faults enabled\n{EAGER}", env=ENV,
              locations='location "/fault" { fault control }\n' + LOCATIONS)
    c = Many(ports[0])
    others = [c.upload(f"/echo?{n}") for n in range(20)]
    for x in others:
        c.send(x, b"begun")
    c.until(lambda: all(x.body == b"begun" for x in others))
    for x in others[:order]:
        c.send(x, b"more")
    c.get("/fault/crash?how=null")
    for x in others[order:]:
        c.send(x, b"more")
    c.flush()
    s.wait_log(r"worker 1 \(pid \d+\) crashed by SIGSEGV")
    s.wait_log(rf"  client: \('127\.0\.0\.1', {c.connection.local_port}\)\n")
    return s, c


@pytest.mark.parametrize("order", [0, 10, 20])
def test_a_crash_names_the_request_among_many(serve, ports, order):
    s, c = crash(serve, ports, order)
    s.wait_log(r"  request: GET /fault/crash\?how=null\n")
    assert "request: POST" not in s.log()
    c.connection.close()
    assert get(ports[0]).body == HELLO


def test_a_kill_names_the_request_that_hangs(serve, ports):
    s = serve(top=f"faults enabled\nwatchdog off\n{EAGER}", env=ENV,
              locations='location "/fault" { fault control }\n' + LOCATIONS)
    [pid] = s.workers(ports[0]).values()
    with Many(ports[0]) as c:
        others = [c.upload(f"/echo?{n}") for n in range(20)]
        for x in others:
            c.send(x, b"begun")
        c.until(lambda: all(x.body == b"begun" for x in others))
        c.get("/fault/hang?how=loop")
        c.flush()
        s.wait_log("fault .*hang")
        os.kill(pid, signal.SIGKILL)
        s.wait_log(r"  request: GET /fault/hang\?how=loop\n")


@pytest.mark.parametrize("how", ["reload", "stop"])
def test_a_drain_waits_for_every_exchange(serve, ports, how):
    s = serve(top="drain 30s\n" if how == "stop" else "")
    [pid] = s.workers(ports[0]).values()
    with Many(ports[0]) as c:
        streams = [c.upload("/echo") for _ in range(30)]
        for x in streams:
            c.send(x, b"before")
        c.until(lambda: all(x.body == b"before" for x in streams))
        if how == "reload":
            s.config.write_text(s.config.read_text().replace("Hello, world!", "New"))
            s.kill(signal.SIGHUP)
            s.wait_log("reloaded")
            assert get(ports[0]).body == b"New\n"
        else:
            s.kill(signal.SIGTERM)
            s.wait_log("stopping")
        late = c.get("/")
        for x in streams[:29]:
            c.send(x, b" and after")
            c.end(x)
        c.until_ended(*streams[:29])
        assert all(x.body == b"before and after" and x.ended == END for x in streams[:29])
        last = streams[29]
        assert not last.ended
        c.send(last, b" and at last")
        c.end(last)
        c.until_ended(last)
        assert last.body == b"before and at last"
        assert late.ended == CANCEL or late.body in (HELLO, b"New\n")
        assert c.connection.closed()
    s.wait_log(rf"worker 1 \(pid {pid}\) drained")
