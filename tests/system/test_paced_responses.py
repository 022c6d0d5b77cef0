"""`rate`: a response is sent at its rate, and nothing else waits for it."""
import random
import threading
import time

import pytest

from harness import Connection

PLAIN_TOO = True
THREADED = True

CONTENT = random.Random(1).randbytes(300_000)


@pytest.fixture
def paced(server, ports, tmp_path):
    """Limits of time that a paced response would reach if they saw it as one that does not go on."""
    www = tmp_path / "www"
    www.mkdir()
    www.chmod(0o755)
    (www / "large").write_bytes(CONTENT)
    (www / "small").write_bytes(CONTENT[:3000])
    tmp_path.chmod(0o755)
    return server(f"""rate 200K/s port {ports[0]} {{
        limits {{ write-timeout 100ms  idle 10s }}
        location "/files" {{ files "{www}" }}
        location "/slow" {{ rate 1K/s files "{www}" }}
        location "/off" {{ rate off files "{www}" }}
        location "/echo" {{ rate 100K/s echo }}
        location "/error" {{ rate 1K/s error 404 {{ respond file "{www}/small" }} files "{www}" }} }}""")


def timed(port, path, **options):
    """The response, and the seconds from its first byte to its last."""
    with Connection(port, **options) as c:
        c.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        begun = time.monotonic()
        r = c.response()
        return r, time.monotonic() - begun


def test_a_response_takes_the_time_that_its_rate_gives(paced, ports):
    """It is as it was, and takes at least its bytes at the rate, less what it may have at once."""
    for path, rate, size in (("/files/large", 200 * 1024, 300_000), ("/slow/small", 1024, 3000),
                             ("/error/none", 1024, 3000)):
        r, took = timed(ports[0], path)
        assert r.status == (404 if "none" in path else 200) and r.body == CONTENT[:size], path
        assert took > (size - 2 * max(rate / 20, min(rate, 4096))) / rate - 0.1, path
    r, _ = timed(ports[0], "/off/large")
    assert r.body == CONTENT


def test_a_range_and_a_chunked_body_are_paced(paced, ports):
    with Connection(ports[0]) as c:
        c.send(b"GET /slow/large HTTP/1.1\r\nHost: a\r\nRange: bytes=1000-3999\r\n\r\n")
        begun = time.monotonic()
        r = c.response()
        assert (r.status, r.body) == (206, CONTENT[1000:4000]) and time.monotonic() - begun > 0.8
        begun = time.monotonic()
        c.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
               + b"10000\r\n" + CONTENT[:0x10000] + b"\r\n0\r\n\r\n")
        r = c.response()
        assert r.body == CONTENT[:0x10000] and time.monotonic() - begun > 0.4


def test_others_do_not_wait_for_it(paced, ports):
    """100 slow downloads at once, and others are answered in between."""
    slow = [Connection(ports[0]) for _ in range(100)]
    for c in slow:
        c.send(b"GET /slow/small HTTP/1.1\r\nHost: a\r\n\r\n")
    for _ in range(50):
        r, _ = timed(ports[0], "/off/small")
        assert r.body == CONTENT[:3000]
    for c in slow:
        assert c.response().body == CONTENT[:3000]
        c.close()


def test_the_next_response_on_the_connection_begins_again(paced, ports):
    with Connection(ports[0]) as c:
        c.send(b"GET /slow/small HTTP/1.1\r\nHost: a\r\n\r\nGET /off/large HTTP/1.1\r\nHost: a\r\n\r\n"
               b"GET /slow/small HTTP/1.1\r\nHost: a\r\n\r\n")
        begun = time.monotonic()
        assert [len(c.response().body) for _ in range(3)] == [3000, 300_000, 3000]
        assert time.monotonic() - begun > 2


def test_clients_that_leave_in_the_middle(paced, ports):
    def leave():
        with Connection(ports[0]) as c:
            c.send(b"GET /slow/large HTTP/1.1\r\nHost: a\r\n\r\n")
            assert c.socket.recv(1)

    threads = [threading.Thread(target=leave) for _ in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    r, _ = timed(ports[0], "/files/small")
    assert r.body == CONTENT[:3000]
