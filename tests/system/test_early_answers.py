"""Answers that come before the end of a request: the server reads on, so the client sees the
answer
(RFC 9112, 9.6)."""
import concurrent.futures
import contextlib
import http.client
import os
import re
import signal
import socket
import threading
import time

import pytest

from harness import TIMEOUT, Connection, client_context, wait_for

PLAIN_TOO = True
THREADED = True

TCP_CLOSE = b"\7"  # linux/tcp_states.h
PIECE, PIECES = b"x" * 65536, 64  # 4 MiB …
# … in this time, which is longer than a server reads on without looking at the data.
SECONDS = 3.0
CHUNK = b"10000\r\n" + PIECE + b"\r\n"

LOCATIONS = """location "/echo" { echo }
location "/hello" { respond 200 "Hello, world!\\n" }
"""
PORTS = (f"port %d {{ limits {{ body 1M }} {LOCATIONS} }}\n"
         f"port %d {{ limits {{ body 8M }} {LOCATIONS} }}\n"
         f"port %d {{ limits {{ body 8M; requests 1 }} {LOCATIONS} }}\n")


def slowly(piece=PIECE, pause=0.0):
    """The pieces, in the time given above; one pause in the middle."""
    for n in range(PIECES):
        time.sleep(SECONDS / PIECES)
        if n == PIECES // 2:
            time.sleep(pause)
        yield piece


def head(line, *fields):
    return "\r\n".join([line, "Host: a", *fields, "", ""]).encode("latin-1")


LENGTH = f"Content-Length: {PIECES * len(PIECE)}"
CHUNKED = "Transfer-Encoding: chunked"
EARLY = {  # the status, the beginning of the request, what goes on coming
    "400, the request line": (400, head("POST /echo x HTTP/1.1", LENGTH), PIECE),
    "400, a field": (400, head("POST /echo HTTP/1.1", "a b: c", LENGTH), PIECE),
    "400, a chunk": (400, head("POST /hello HTTP/1.1", CHUNKED) + b"x\r\n", CHUNK),
    "400, a chunk's extension": (400, head("POST /hello HTTP/1.1", CHUNKED) + b"1;\r\n", CHUNK),
    "404": (404, head("POST /none HTTP/1.1", "Expect: 100-continue", LENGTH), PIECE),
    "405": (405, head("POST /hello HTTP/1.1", "Expect: 100-continue", LENGTH), PIECE),
    "405, a tunnel": (405, head("CONNECT a:443 HTTP/1.1"), PIECE),
    "413, by its length": (413, head("POST /echo HTTP/1.1", LENGTH), PIECE),
    "413, by its length, on 1.0": (413, head("POST /echo HTTP/1.0", LENGTH), PIECE),
    "413, by a chunk": (413, head("POST /hello HTTP/1.1", CHUNKED) + b"100001\r\n", PIECE),
    "413, by its chunks": (413, head("POST /hello HTTP/1.1", CHUNKED), CHUNK),
    "414": (414, b"GET /" + b"x" * 16384, PIECE),
    "417": (417, head("POST /echo HTTP/1.1", "Expect: tea", LENGTH), PIECE),
    "431": (431, head("POST /echo HTTP/1.1")[:-2] + b"X: " + b"x" * 16384, PIECE),
    "501, the method": (501, head("BREW /echo HTTP/1.1", LENGTH), PIECE),
    "501, the coding": (501, head("POST /echo HTTP/1.1", "Transfer-Encoding: gzip"), PIECE),
    "505": (505, head("POST /echo HTTP/2.0", LENGTH), PIECE),
}


def upload(port, begin, pieces):
    """Sends all of it before it reads anything; the answer, once the server has closed."""
    with Connection(port) as c:
        c.send(begin)
        for piece in pieces:
            c.send(piece)
        response = c.response()
        assert c.closed()
        return response


def plain_upload(port, pieces):
    """Sent by a client that does not know that the port speaks TLS."""
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as c:
        c.sendall(EARLY["413, by its length"][1])
        for piece in pieces:
            c.sendall(piece)
        return c.makefile("rb").read()


def library_upload(port, pieces, **fields):
    """The same by Python's own client."""
    if Connection.plain:
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    else:
        c = http.client.HTTPSConnection("127.0.0.1", port, timeout=TIMEOUT, context=client_context())
    with contextlib.closing(c):
        c.request("POST", "/hello", body=pieces, headers=fields)
        return c.getresponse().status


def test_who_sends_on_slowly_sees_every_early_answer(server, ports):
    """All at once, since each of them takes long."""
    server(PORTS % tuple(ports))
    get = head("GET /hello HTTP/1.1")
    with concurrent.futures.ThreadPoolExecutor(len(EARLY) + 5) as pool:
        asked = {kind: pool.submit(upload, ports[status in (404, 405)], begin, slowly(piece))
                 for kind, (status, begin, piece) in EARLY.items()}
        limit = pool.submit(upload, ports[2], get + head("POST / HTTP/1.1", LENGTH), slowly())
        plain = pool.submit(plain_upload, ports[0], slowly())
        paused = pool.submit(upload, ports[0], EARLY["413, by its length"][1], slowly(pause=3.0))
        length = pool.submit(library_upload, ports[0], slowly(),
                             **{"Content-Length": str(PIECES * len(PIECE))})
        chunks = pool.submit(library_upload, ports[0], slowly())
    for kind, (status, *_) in EARLY.items():
        response = asked[kind].result()
        assert response.status == status and response["Connection"] == "close", kind
        assert response.body.startswith(str(status).encode()), kind
    assert limit.result().status == 200 and limit.result()["Connection"] == "close"
    assert paused.result().status == 413
    if not Connection.plain:
        assert plain.result().startswith(b"HTTP/1.1 400 ") and b"https://" in plain.result()
    assert length.result() == chunks.result() == 413


def met(c):
    """A worker has accepted the connection; with TLS the handshake has shown that, too."""
    c.send(head("OPTIONS * HTTP/1.1"))
    assert c.response().status == 204


def test_who_sends_on_while_the_server_drains_sees_the_last_answer(server, ports):
    """The request in flight is answered; the next one is not."""
    s = server("drain 1h\n" + PORTS % tuple(ports))
    ended = threading.Thread(target=s.stop)
    with Connection(ports[1]) as c:
        met(c)
        c.send(head("POST /hello HTTP/1.1", "Content-Length: 1"))
        wanted = c.local_port
        ended.start()
        s.wait_log("stopping")
        c.send(b"x" + head("POST /echo HTTP/1.1", LENGTH))
        for piece in slowly():
            c.send(piece)
        response = c.response()
        assert (response.status, response["Connection"]) == (405, "close")
        assert c.closed()
    ended.join()
    assert re.search(rf", {wanted}\) \"POST /hello HTTP/1.1\" 405 ", s.log())
    assert "0 connections cut" in s.log()


def test_who_reads_last_sees_a_large_last_answer(server, ports):
    """More than the kernel holds for a client that sends much more before it reads anything."""
    server(f'port {ports[0]} {{ limits {{ requests 1 }} respond 200 "{"x" * 900_000}" }}')
    with Connection(ports[0]) as c:
        c.send(head("GET / HTTP/1.1"))
        for _ in range(4 * PIECES):  # 16 MiB
            c.send(PIECE)
        response = c.response()
        assert (response.status, len(response.body)) == (200, 900_000)
        assert c.closed()


def test_who_has_closed_his_side_sees_the_answer(server, ports):
    """The client's end comes while its data is still unread: a close at that moment would reset
    the connection."""
    s = server(PORTS % tuple(ports))
    worker = s.workers()[ports[0], 1]
    for _ in range(5):
        with Connection(ports[0]) as c:
            c.send(head("OPTIONS * HTTP/1.1"))
            assert c.response().status == 204
            os.kill(worker, signal.SIGSTOP)
            c.send(EARLY["413, by its length"][1] + PIECE * 2)  # more than one turn reads
            socket.socket.shutdown(c.socket, socket.SHUT_WR)  # of TCP
            os.kill(worker, signal.SIGCONT)
            assert c.response().status == 413
            # Some systems discard received data at a reset; this client reports the reset.
            wait_for(lambda: c.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == TCP_CLOSE,
                     "the end")
            assert c.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0


@pytest.mark.parametrize("more", [b"\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 5000],
                         ids=["a line end", "requests"])
@pytest.mark.parametrize("line", ["GET / HTTP/1.0", "GET / HTTP/1.1"])
def test_a_client_that_goes_on_after_its_last_request_gets_the_answer(server, ports, conf_file, line, more):
    """Closing with unread input would discard output that the kernel still has."""
    body = os.urandom(150000)
    server(f'port {ports[0]} {{ respond 200 file "{conf_file("body", body)}" }}')
    for _ in range(5):
        with Connection(ports[0]) as c:
            c.send(head(line, "Connection: close") + more)
            assert c.response().body == body
            assert c.closed()


def test_silence_ends_the_lingering(server, ports):
    s = server(f"port {ports[0]} {{ limits {{ body-timeout 300ms; idle 1h }} echo }}", args=["-v"])
    with Connection(ports[0]) as c:
        c.send(head("BREW / HTTP/1.1"))
        assert c.response().status == 501
        s.wait_log("has reached its linger limit")


def test_lingering_is_bounded(server, ports):
    """By 256 MiB; how long it may take is bounded, too, and more than a test can wait for."""
    server(PORTS % tuple(ports))
    block, sent = PIECE * 16, 0
    with Connection(ports[0]) as c:
        c.send(EARLY["413, by its length"][1])
        with pytest.raises(OSError):
            while sent < 400 << 20:
                c.send(block)
                sent += len(block)
    assert 250 << 20 <= sent < 300 << 20


def test_a_silent_client_does_not_hold_up_a_drain(server, ports):
    s = server("drain 1h\n" + f"port {ports[0]} {{ limits {{ body-timeout 1h }} echo }}")
    with Connection(ports[0]) as c:
        c.send(head("BREW / HTTP/1.1"))
        assert c.response().status == 501
        assert s.stop() == 0


REFUSED = {  # what is sent, whether through TLS, and how the answer begins
    "400": (head("POST /echo x HTTP/1.1", LENGTH), True, b"HTTP/1.1 400 "),
    "413": (EARLY["413, by its length"][1], True, b"HTTP/1.1 413 "),
    "plain HTTP": (head("GET / HTTP/1.1"), False, b"HTTP/1.1 400 "),
    "no TLS": (b"SSH-2.0-x\r\n", False, b"\x15\x03"),
}
REFUSED_PLAIN = {  # on a plain port: TLS gets no answer but the end
    **REFUSED,
    "plain HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100), False, b""),
    "no TLS": (b"\x80\x2e\x01\x03\x01" + bytes(100), False, b""),
}


def refused(stack, port, kind):
    """A client that has its answer."""
    says, through_tls, answer = (REFUSED_PLAIN if Connection.plain else REFUSED)[kind]
    if through_tls:
        c = stack.enter_context(Connection(port)).socket
    else:
        c = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT))
    c.sendall(says)
    assert c.recv(100).startswith(answer), kind
    return c


def trickle(c):
    """A thread that sends a byte at a time until the block ends."""
    def run():
        with contextlib.suppress(OSError):
            while True:
                c.sendall(b"x")
                time.sleep(0.1)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def left(threads):
    for thread in threads:
        thread.join(TIMEOUT)
        assert not thread.is_alive()


def changed(s):
    """Reloads the server with another answer."""
    s.config.write_text(s.config.read_text().replace("Hello", "Hi"))
    s.kill(signal.SIGHUP)
    s.wait_log("reloaded: 0 kept, 1 changed")


def test_clients_that_trickle_do_not_hold_up_a_drain(server, ports):
    """The worker ends by itself, long before the time to drain is over."""
    s = server("drain 1h\n"
               f"port {ports[0]} {{ limits {{ body 1M; handshake-timeout 1h }} {LOCATIONS} }}")
    worker = s.workers()[ports[0], 1]
    with contextlib.ExitStack() as stack:
        threads = [trickle(refused(stack, ports[0], kind)) for kind in REFUSED]
        changed(s)
        left(threads)
        s.wait_log(rf"worker 1 \(pid {worker}\) drained after ")


def test_a_client_that_trickles_after_its_last_answer_does_not_have_the_worker_killed(server, ports):
    """Half of the drain's time is left for those that are in the middle of an upload."""
    s = server(f"drain 6s\nport {ports[0]} {{ limits {{ body 1M }} {LOCATIONS} }}")
    worker = s.workers()[ports[0], 1]
    with Connection(ports[0]) as c:
        met(c)
        c.send(head("POST /echo HTTP/1.1", "Content-Length: 1"))
        changed(s)
        c.send(b"x")
        assert c.response()["Connection"] == "close"
        left([trickle(c.socket)])
        s.wait_log(rf"worker 1 \(pid {worker}\) drained after ")
    assert "killed" not in s.log()


def test_a_client_that_trickles_after_a_failed_handshake_has_no_longer_than_for_one(server, ports):
    server(f"port {ports[0]} {{ limits {{ handshake-timeout 500ms }} {LOCATIONS} }}")
    with contextlib.ExitStack() as stack:
        left([trickle(refused(stack, ports[0], kind)) for kind in ("plain HTTP", "no TLS")])
