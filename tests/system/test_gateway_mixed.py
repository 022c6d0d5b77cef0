"""Many clients at once and upstreams that do everything wrong: each client gets its own answer or none that
looks whole, and each upstream gets only requests that are clean, each of them once unless it may be repeated."""
import collections
import contextlib
import random
import socket
import threading
import time

import pytest

import gateways
from gateway import Incomplete, Lane, Request, Unclean, ask, chunked, reset, responses_of
from harness import TIMEOUT
from misdeeds import KINDS, answer, content

CLIENTS, REQUESTS = 24, 60


class Service(Lane):
    """An upstream on all endpoints of the lane: the target says what it does, /KIND/NUMBER/SIZE."""

    def __init__(self, *args):
        self.seen, self.unclean = collections.Counter(), []
        super().__init__(*args)

    def accept(self, listener, number):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(sock, ), daemon=True).start()

    def serve(self, sock):
        data = bytearray()
        with sock, contextlib.suppress(OSError):
            while True:
                try:
                    request = Request(data).read_body(data)
                except Incomplete:
                    part = sock.recv(65536)
                    if not part:
                        return
                    data += part
                    # Before its body: what comes now answers it.
                    if b"\r\n\r\n" in data and data.split(b" ", 2)[1].startswith(b"/early/"):
                        sock.sendall(b"HTTP/1.1 413 Early\r\nContent-Length: 5\r\n\r\nearly")
                        time.sleep(0.01)
                        return
                    continue
                except Unclean as e:
                    self.unclean.append(str(e))
                    return
                del data[:request.end]
                _, kind, number, size = request.target.split("/")
                self.seen[request.method, int(number)] += 1
                if request.method == "POST" and request.body != content(int(number), 3000):
                    self.unclean.append(f"{request.target} with {request.body[:60]!r}")
                if not answer(sock, kind, request.method, content(int(number), int(size))):
                    return


class Visitor:
    """One client: request after request, and what was wrong about the answers."""

    def __init__(self, port, number):
        self.port, self.random = port, random.Random(number)
        self.first, self.wrong, self.whole = number * REQUESTS, [], 0
        self.sock = None

    def run(self):
        try:
            for n in range(self.first, self.first + REQUESTS):
                self.one(n)
        except Exception as e:  # the test shows it
            self.wrong.append(repr(e))

    def connect(self):
        if self.sock is None:
            self.sock = socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def drop(self):
        if self.random.random() < 0.5:
            reset(self.sock)
        self.sock.close()
        self.sock = None

    def one(self, n):
        kind = self.random.choice(list(KINDS))
        method = self.random.choice(["GET", "GET", "HEAD", "POST"])
        size = self.random.choice([0, 10, 1000, 20000, 200000])
        leaves = self.random.random() < 0.1
        fields, body = (), b""
        if method == "POST":
            body = content(n, 3000)
            fields = (f"Content-Length: {len(body)}", )
            if self.random.random() < 0.5:
                body, fields = chunked(body[:1000], body[1000:]), ("Transfer-Encoding: chunked", )
        self.connect()
        try:
            self.sock.sendall(
                ask(f"{method} /{kind}/{n}/{size} HTTP/1.1", *fields) + (body[:-10] if leaves else body))
            if leaves:
                self.sock.settimeout(0.02)
                with contextlib.suppress(TimeoutError):
                    self.sock.recv(1000)
                self.drop()
                return
            self.judge(n, kind, method, size)
        except (ConnectionResetError, BrokenPipeError):
            self.sock.close()
            self.sock = None
            if KINDS[kind] == "whole":
                self.wrong.append(f"{method} /{kind}/{n}: reset")

    def judge(self, n, kind, method, size):
        data, end = b"", None
        while not end:
            responses = responses_of(data, [method], None)[0]
            if responses and responses[-1].status >= 200 and responses[-1].state == "whole":
                break
            part = self.sock.recv(1 << 16)
            data += part
            end = None if part else "fin"
        responses = responses_of(data, [method], end)[0]
        final = responses[-1] if responses and responses[-1].status >= 200 else None
        if end or final and "close" in final.options():
            self.sock.close()
            self.sock = None
        own = b"" if method == "HEAD" else content(n, size)
        good = final and final.state in ("whole", "close") and final.status == 200 and final.body == own
        self.whole += bool(good)
        # A reset takes with it what the gateway has not read yet.
        if good and (KINDS[kind] == "whole" or method == "HEAD" or kind == "idle-reset"):
            return
        # A POST that met a connection which was just about to end is not sent again.
        if KINDS[kind] == "whole" and not (method == "POST" and final and final.status == 502):
            self.wrong.append(f"{method} /{kind}/{n}/{size}: {responses}, {end}")
        if KINDS[kind] == "any" and final and final.state == "whole" and final.status not in (502, 504) and \
                not (kind == "early" and (final.status == 413 or good)):
            self.wrong.append(f"{method} /{kind}/{n}/{size} looks whole: {responses}")


@pytest.mark.parametrize("kind", ["plain", "two"])
def test_each_client_gets_its_own(kind, tmp_path, certificates):
    port = gateways.free_ports(1)[0]
    lane = Service(kind, port, gateways.LANES[kind][1])
    with gateways.gateway(tmp_path, certificates, [lane]) as server:
        visitors = [Visitor(port, n) for n in range(CLIENTS)]
        threads = [threading.Thread(target=v.run, daemon=True) for v in visitors]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(8 * TIMEOUT)
        log = server.log()[-2000:] if gateways.NAME == "bulkhead" else ""
    lane.close()
    wrong = [w for v in visitors for w in v.wrong]
    repeated = [key for key, count in lane.seen.items() if count > 1 and key[0] == "POST" or count > 3]
    assert not wrong and not lane.unclean and not repeated, (len(wrong), wrong[:10], lane.unclean[:5], repeated,
                                                             log)
    assert sum(v.whole for v in visitors) > CLIENTS * REQUESTS / 3
