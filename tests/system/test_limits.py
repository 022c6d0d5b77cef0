"""Limits: every wait ends, no client delays others, and the server waits for scarce resources
without spinning. The limits are short; the tests assert that and how something ends, never how
fast."""
import contextlib
import os
import pathlib
import re
import resource
import signal
import socket
import ssl
import struct
import time

import pytest

from harness import (HELLO, TIMEOUT, Connection, client_context, descriptor_of, descriptors_of, get,
                     need_root, sanitized, status_of, strict, wait_for)
from records import Records

PLAIN_TOO = True

SO_MEMINFO = 55  # asm-generic/socket.h; linux/sock_diag.h
DATED = rb"HTTP/1\.1 %s\r\nDate: [^\r]+\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n" \
        rb"Connection: close\r\n\r\n%s"
TIMED_OUT = DATED % (rb"408 Request Timeout", 20, rb"408 Request Timeout\n")


@pytest.fixture
def limited(server, ports):
    """A port with these limits: limited("idle 300ms"); every request is logged with -v."""

    def start(limits, handler='respond 200 "Hello, world!\\n"', extra=""):
        return server(f"{extra}port {ports[0]} {{ limits {{ {limits} }} {handler} }}", args=["-v"])

    return start


def tcp(port, **options):
    return socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT, **options)


def first_bytes():
    """To which a server that accepts the connection answers."""
    return b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" if Connection.plain else client_hello()


def client_hello():
    outgoing = ssl.MemoryBIO()
    tls = client_context().wrap_bio(ssl.MemoryBIO(), outgoing)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


BEGUN = {"nothing": b"", "half a ClientHello": client_hello()[:100],
         "a ClientHello": client_hello()}


def until_end(raw):
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while part := raw.recv(65536):
            data += part
    return data


def cpu_ns(pid):
    return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text(errors="replace").split()[0])


@contextlib.contextmanager
def hardly_any_cpu(pid, seconds=1.0, limit_ms=50):
    """The process hardly runs while the block waits and for some time after."""
    before, begun = cpu_ns(pid), time.monotonic()
    yield
    time.sleep(max(0.0, seconds - (time.monotonic() - begun)))
    spent = (cpu_ns(pid) - before) / 1e6
    assert spent < limit_ms, f"{spent:.1f} ms of CPU while there was nothing to do"


# --- deadlines ---------------------------------------------------------------------------------


@pytest.mark.tls_only
@pytest.mark.parametrize("says", BEGUN)
def test_handshake_timeout(limited, ports, says):
    s = limited("handshake-timeout 200ms; idle 1h; head-timeout 1h")
    with tcp(ports[0]) as raw:
        raw.sendall(BEGUN[says])
        data = until_end(raw)
        assert (data != b"") == (says == "a ClientHello")  # the server's part of the handshake
    s.wait_log(r"has reached its handshake-timeout limit")
    if BEGUN[says]:  # the others have sent nothing that could fail
        s.wait_log(r"TLS handshake with \('127.0.0.1', \d+\) failed: "
                   r"It was not done within handshake-timeout\.")
    else:
        assert "TLS handshake" not in s.log()
    assert get(ports[0]).body == HELLO


@pytest.mark.tls_only
def test_idle_ends_before_the_first_request_and_between_two(limited, ports):
    s = limited("idle 200ms; head-timeout 1h; handshake-timeout 1h")
    with Connection(ports[0]) as c:
        assert c.closed()
    with Connection(ports[0]) as c:
        assert c.get().status == 200
        assert c.closed()
    s.wait_log(r"has reached its idle limit", count=2)
    assert '" 408 ' not in s.log()


@pytest.mark.parametrize("begun", [b"G", b"\r\n", b"GET / HTTP/1.1\r\n",
                                   b"GET / HTTP/1.1\r\nHost: a\r\n"])
def test_head_timeout_is_answered_408(limited, ports, begun):
    s = limited("head-timeout 200ms; idle 1h; handshake-timeout 1h")
    with Connection(ports[0]) as c:
        assert c.get().status == 200
        c.send(begun)
        assert re.fullmatch(TIMED_OUT, c.read_to_end())
    s.wait_log(r"has reached its head-timeout limit")
    s.wait_log(r'Received incomplete request .* "-" 408 20 \d+\.\dms head-timeout\n')


def test_a_head_that_trickles_in_has_one_deadline(limited, ports):
    """Progress does not extend it."""
    limited("head-timeout 500ms; idle 1h")
    with Connection(ports[0]) as c:
        c.socket.settimeout(0.05)
        data, end = b"", time.monotonic() + TIMEOUT
        while not data:
            assert time.monotonic() < end, "a head may trickle in for ever"
            c.send(b"G" if end - time.monotonic() > TIMEOUT - 0.1 else b"E")
            with contextlib.suppress(TimeoutError):
                data = c.socket.recv(65536)
        assert data.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("handler", ["respond 200", "echo"])
@pytest.mark.parametrize("fields,body", [
    (b"Content-Length: 10\r\n", b""), (b"Transfer-Encoding: chunked\r\n", b"5\r\n"),
    (b"Content-Length: 10\r\nExpect: 100-continue\r\n", b"")])
def test_body_timeout_is_answered_408(limited, ports, handler, fields, body):
    s = limited("body-timeout 200ms; idle 1h; head-timeout 1h", handler=handler)
    with Connection(ports[0]) as c:
        c.send(b"GET / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n" + body)
        data = c.read_to_end()
        assert re.fullmatch(rb"(HTTP/1\.1 100 Continue\r\n\r\n)?" + TIMED_OUT, data), data
        assert (b"100 Continue" in data) == (b"Expect" in fields)
    s.wait_log(r"has reached its body-timeout limit")
    s.wait_log(r'"GET / HTTP/1.1" 408 20 ')


@pytest.mark.tls_only
def test_a_body_that_stops_behind_a_begun_answer_breaks_the_connection_off(limited, ports):
    """The answer has begun, so no error can be sent: its framing shows the loss."""
    s = limited("body-timeout 300ms; idle 1h", handler="echo")
    with strict(ports[0]) as c:
        c.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234")
        data = b""
        with pytest.raises((ssl.SSLError, ConnectionResetError)):  # no close_notify
            while part := c.recv(65536):
                data += part
        assert b"Content-Length: 10" in data and data.endswith(b"\r\n\r\n01234")
    s.wait_log("has reached its body-timeout limit")


HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n"
WAITS = {  # name: the request so far, and whether the server answers it when its time is over
    "idle": (b"", False),
    "head-timeout": (b"POST / HTT", True),
    "body-timeout": (HEAD + b"Content-Length: 5000\r\n\r\n" + b"x" * 1500, True),
}


@pytest.mark.tls_only
@pytest.mark.parametrize("limit", WAITS)
def test_only_what_is_waited_for_is_progress(limited, ports, limit):
    """Neither records without data, however large, nor changes of keys."""
    begun, answered = WAITS[limit]
    others = "; ".join(f"{name} 1h" for name in WAITS if name != limit)
    s = limited(f"{limit} 500ms; handshake-timeout 1h; write-timeout 1h; {others}")
    with Records(ports[0]) as c:
        if begun:
            c.send(begun)
        end = time.monotonic() + TIMEOUT
        while c.send_nothing() == 0 and f"has reached its {limit} limit" not in s.log():
            assert time.monotonic() < end, "it goes on for ever"
            c.update_keys()  # which are too many at some time, and then end the connection
            time.sleep(0.15)
        assert (c.read_to_end()[:13] == b"HTTP/1.1 408 ") == answered
    s.wait_log(rf"has reached its {limit} limit")


@pytest.mark.parametrize("endless", [b"X: " + b"y" * 200 + b"\r\n", b"0"])
def test_the_framing_of_a_body_is_no_progress(limited, ports, endless):
    """A trailer, or a size: none of its bytes is one of the body."""
    s = limited("body-timeout 500ms; idle 1h; head-timeout 1h; head 64K; body 1M")
    with Connection(ports[0]) as c:
        c.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + (b"0\r\n" if b"X" in endless else b""))
        end, data = time.monotonic() + TIMEOUT, b""
        c.socket.settimeout(0.03)
        while not data:
            assert time.monotonic() < end, "it goes on for ever"
            c.send(endless)
            with contextlib.suppress(TimeoutError):
                data = c.socket.recv(65536)
        assert data.startswith(b"HTTP/1.1 408 ")
    s.wait_log(r"has reached its body-timeout limit")


def test_a_body_may_take_long_while_it_progresses(limited, ports):
    limited("body-timeout 400ms; idle 1h; body 1M", handler="echo")
    body = b"x" * 2048
    with Connection(ports[0]) as c:
        c.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (12 * len(body)))
        for _ in range(12):  # in all three times the limit
            c.send(body)
            time.sleep(0.1)
        assert c.response().body == body * 12


def test_write_timeout_cuts_off_who_does_not_read(limited, ports):
    """An echo of which nothing is read: what the kernel and the connection hold is bounded."""
    s = limited("write-timeout 300ms; body-timeout 1h; body 1G", handler="echo")
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.settimeout(TIMEOUT)
    raw.connect(("127.0.0.1", ports[0]))
    sent = 0
    with Connection.over(raw).socket as c:
        c.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n")
        with pytest.raises((ConnectionResetError, BrokenPipeError, ssl.SSLError)):
            while True:
                c.sendall(b"x" * 65536)
                sent += 65536
    assert sent < 100_000_000  # back-pressure has reached the client
    s.wait_log("has reached its write-timeout limit")
    assert "(pid" in s.log() and s.workers()
    with Connection(ports[0]) as c:
        assert c.get().status == 200


def test_who_takes_little_in_each_window_is_served(limited, ports):
    """Much less than the amount at which the kernel asks the server for more: the test asks the
    kernel."""
    limited("write-timeout 1s", handler=f'respond 200 "{"x" * 900_000}"')
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
    raw.settimeout(TIMEOUT)
    raw.connect(("127.0.0.1", ports[0]))
    with Connection.over(raw) as c:
        c.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        response = b""
        for _ in range(30):  # in all three times the limit
            response += c.read_exactly(8192)
            time.sleep(0.1)
        assert len((response + c.read_to_end()).split(b"\r\n\r\n")[1]) == 900_000


def kernel_memory(pid, port):
    """What the kernel holds for connections of a worker: bytes received, bytes queued to be sent."""
    received = queued = 0
    for number, what in descriptors_of(pid).items():
        if what == "socket:connection":
            with socket.socket(fileno=descriptor_of(pid, number)) as s:
                if s.getsockname()[1] == port:
                    info = struct.unpack("9I", s.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36))
                    received, queued = received + info[0], queued + info[5]
    return received, queued


def test_what_the_kernel_holds_for_an_unread_echo_is_bounded(limited, ports):
    """Received but not read, produced but not sent: each has its bound, and both are reached."""
    need_root()
    s = limited("write-timeout 1h; body-timeout 1h; body 64M", handler="echo")
    pid = s.workers()[ports[0], 1]
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    raw.settimeout(TIMEOUT)
    raw.connect(("127.0.0.1", ports[0]))
    with Connection.over(raw).socket as c:
        c.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000000\r\n\r\n")
        c.settimeout(0.5)
        with pytest.raises(TimeoutError):
            for _ in range(500):
                c.sendall(b"x" * 65536)
        received, queued = kernel_memory(pid, ports[0])
        assert 100 << 10 < received <= 512 << 10, f"{received} bytes received"
        assert 100 << 10 < queued <= 384 << 10, f"{queued} bytes to be sent"
    assert get(ports[0]).status == 200


def anonymous_bytes(pid):
    return int(status_of(pid)["RssAnon"].split()[0]) << 10


def test_memory_of_connections_that_have_ended_goes_back(limited, ports, tmp_path):
    """The C library alone would keep it: something that is still used lies behind it."""
    if sanitized():
        pytest.skip("a sanitizer keeps what was freed")
    (tmp_path / "large").write_bytes(os.urandom(4 << 20))
    s = limited("connections 1000", f'location "/large" {{ respond 200 file "{tmp_path}/large" }} '
                'respond 200 "hello"')
    pid, = s.workers().values()
    assert get(ports[0]).body == b"hello"
    before, clients = anonymous_bytes(pid), []
    for _ in range(200):
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect(("127.0.0.1", ports[0]))
        clients.append(Connection.over(raw))
        clients[-1].send(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
    for c in clients:
        assert c.read_some()
    assert anonymous_bytes(pid) > before + (8 << 20)
    for c in clients:
        c.close()
    wait_for(lambda: anonymous_bytes(pid) < before + (4 << 20), "their end")
    assert get(ports[0]).body == b"hello"


def test_who_reads_slowly_is_served(limited, ports):
    limited("write-timeout 500ms; body 8M", handler="echo")
    body = b"y" * 1_500_000
    with Connection(ports[0]) as c:
        c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        got = b""
        for data in c.stream([b"POST / HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body), body]):
            got += data
            time.sleep(0.01)
    assert got.split(b"\r\n\r\n", 1)[1] == body


@pytest.mark.tls_only
def test_slowloris_clients_are_closed_while_others_are_served(limited, ports):
    s = limited("head-timeout 1s; handshake-timeout 1s; idle 10s", extra="access log errors\n")
    context, slow, ended, position = client_context(), [], 0, 0
    for n in range(50):  # half of them are slow below TLS
        raw = tcp(ports[0])
        slow.append(raw if n % 2 else context.wrap_socket(raw))
    hello = client_hello()
    end = time.monotonic() + TIMEOUT
    while slow:
        assert time.monotonic() < end, f"{len(slow)} slow clients were not closed"
        for c in list(slow):
            try:
                c.sendall(b"GET / HTTP/1.1\r\nX: yyyyyyyyy"[position % 26:][:1]
                          if isinstance(c, ssl.SSLSocket) else hello[position:position + 1])
                c.settimeout(0)
                try:
                    over = not c.recv(65536) or isinstance(c, ssl.SSLSocket)
                except (BlockingIOError, ssl.SSLWantReadError):
                    over = False
                c.settimeout(TIMEOUT)
            except OSError:
                over = True
            if over:
                slow.remove(c)
                c.close()
                ended += 1
        assert get(ports[0]).status == 200
        position += 1
        time.sleep(0.1)
    assert ended == 50
    assert s.wait_log("408 20 ", count=25)


# --- the limit of connections ------------------------------------------------------------------


def test_beyond_the_limit_of_connections_clients_wait(limited, ports):
    s = limited("connections 3; idle 1h; handshake-timeout 1h")
    pid = s.workers()[ports[0], 1]
    with contextlib.ExitStack() as stack:
        first = [stack.enter_context(Connection(ports[0])) for _ in range(3)]
        for c in first:
            assert c.get().status == 200
        waiting = [stack.enter_context(tcp(ports[0])) for _ in range(3)]  # by the kernel
        for raw in waiting:
            raw.sendall(first_bytes())
        with hardly_any_cpu(pid):
            waiting[0].settimeout(0.5)
            with pytest.raises(TimeoutError):
                waiting[0].recv(1)
        for c in first:
            assert c.get().status == 200
        for c, raw in zip(first, waiting):  # one goes, one comes
            c.close()
            raw.settimeout(TIMEOUT)
            assert raw.recv(65536)
        for raw in waiting:
            raw.close()
        assert get(ports[0]).status == 200
    assert s.stop() == 0


def test_the_limit_is_the_ports_not_the_workers(server, ports):
    s = server(f"port {ports[0]} {{ workers 2 limits {{ connections 4; idle 1h }} respond 200 }}")
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            assert stack.enter_context(Connection(ports[0])).get().status == 200
        with tcp(ports[0]) as raw:
            raw.sendall(first_bytes())
            raw.settimeout(0.5)
            with pytest.raises(TimeoutError):
                raw.recv(1)
    assert s.stop() == 0


# --- descriptors -------------------------------------------------------------------------------


def test_without_descriptors_clients_wait(server, ports):
    """The hard limit is lowered, since the master raises the soft one to it."""
    hard = 36
    s = server(f"log to console\nport {ports[0]} {{ limits {{ idle 1h; handshake-timeout 1h }} "
               'respond 200 "Hello, world!\\n" }', wrapper=("prlimit", f"--nofile={hard}:{hard}", "--"))
    pid = s.workers()[ports[0], 1]
    free = hard - len(os.listdir(f"/proc/{pid}/fd"))
    assert 8 < free < hard
    with contextlib.ExitStack() as stack:
        served = [stack.enter_context(Connection(ports[0])) for _ in range(free)]
        for c in served:
            assert c.get().body == HELLO
        waiting = stack.enter_context(tcp(ports[0]))
        waiting.sendall(first_bytes())
        s.wait_log(r"cannot accept: Too many open files; trying again as connections end")
        with hardly_any_cpu(pid):
            waiting.settimeout(0.5)
            with pytest.raises(TimeoutError):
                waiting.recv(1)
        for c in served:  # those that are in are served on
            assert c.get().body == HELLO
        served[0].close()
        waiting.settimeout(TIMEOUT)
        assert waiting.recv(65536)
        waiting.close()
        served[1].close()
        assert get(ports[0]).body == HELLO
    assert len(re.findall("cannot accept", s.log())) == 1  # and does not flood the log
    assert s.workers() == {(ports[0], 1): pid}
    assert s.stop() == 0


def open_files(pid):
    text = pathlib.Path(f"/proc/{pid}/limits").read_text(errors="replace")
    return re.search(r"Max open files\s+(\d+)\s+(\d+)\s", text).groups()


def test_the_soft_limit_of_descriptors_is_raised(server, ports):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    s = server(f"port {ports[0]} {{ respond 200 }}",
               wrapper=("prlimit", f"--nofile=64:{hard}", "--"))
    assert open_files(s.pid) == (str(hard), str(hard))


def test_a_worker_has_the_descriptors_that_its_limits_need(server, ports):
    s = server(f"port {ports[0]} {{ limits {{ connections 100 }} workers 2 respond 200 }}")
    soft, given = open_files(s.workers()[ports[0], 1])
    assert soft == given
    assert 50 < int(given) < 150
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(tcp(ports[0]))
        wait_for(lambda: sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in s.workers().values())
                 >= 100, "100 connections")
    assert "cannot accept" not in s.log()


# --- drain -------------------------------------------------------------------------------------


@pytest.mark.parametrize("says", BEGUN)
def test_drain_does_not_wait_for_who_is_silent(limited, ports, says):
    s = limited("handshake-timeout 1h; idle 1h; head-timeout 1h", extra="drain 1h\n")
    with tcp(ports[0]) as raw, Connection(ports[0]) as idle:
        raw.sendall(BEGUN[says])
        assert idle.get().status == 200
        assert s.stop() == 0  # of an hour each
        assert idle.closed()
        until_end(raw)
    assert "1 worker drained, 0 killed, 0 connections cut" in s.log()


@pytest.mark.tls_only
def test_drain_waits_for_a_handshake_as_long_as_bytes_come(limited, ports):
    """A client on a slow path cannot know that its port has begun to drain."""
    s = limited("handshake-timeout 1h; idle 1h", extra="drain 1h\n")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_context().wrap_bio(incoming, outgoing)
    worker, = s.workers().values()
    open_files = len(descriptors_of(worker))
    with tcp(ports[0]) as raw:
        wait_for(lambda: len(descriptors_of(worker)) > open_files, "the connection, accepted")

        def answers(step):
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    raw.sendall(outgoing.read())
                    incoming.write(raw.recv(65536))

        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        hello = outgoing.read()
        raw.sendall(hello[:100])
        s.kill(signal.SIGTERM)
        s.wait_log("stopping")
        for piece in hello[100:200], hello[200:300], hello[300:]:
            time.sleep(0.8)  # longer together than a silent client is waited for
            raw.sendall(piece)
        answers(tls.do_handshake)
        tls.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        raw.sendall(outgoing.read())
        assert answers(lambda: tls.read(65536)).startswith(b"HTTP/1.1 200 ")
    assert s.process.wait(TIMEOUT) == 0


def test_drain_does_not_wait_for_half_a_head_for_ever(limited, ports):
    s = limited("head-timeout 500ms; idle 1h; handshake-timeout 1h", extra="drain 1h\n")
    with Connection(ports[0]) as c:
        c.send(b"GET / HTTP/1.1\r\n")
        assert s.stop() == 0
        # The answer depends on whether half the head came before the drain or after.
        assert re.fullmatch(rb"|" + TIMED_OUT, c.read_to_end())


def test_the_queue_of_a_draining_worker_is_not_lost(server, ports):
    """Of one worker of a pool: the others take what it does not."""
    s = server(f"port {ports[0]} {{ workers 2 respond 200 }}")
    old = s.workers()[ports[0], 1]
    with Connection(ports[0]) as c:
        assert c.get().status == 200
        os.kill(old, 15)
        for _ in range(50):
            assert get(ports[0]).status == 200
    wait_for(lambda: s.workers().get((ports[0], 1), old) != old, "the next worker")
    assert s.stop() == 0
