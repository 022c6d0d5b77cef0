#!/usr/bin/env python3
"""An upstream of gateway-soak, in a process of its own so that it can be killed.

    soak_upstream.py UNCLEAN PORT|PATH [CERTIFICATE KEY AUTHORITY]

It does what the target of a request says, /KIND/NUMBER/SIZE (tests/system/misdeeds.py and below), and
appends to the file UNCLEAN what of a request is not as it must be. `/health` fails now and then, except at
/steady, which is a name of its own: /KIND/steady-NUMBER/SIZE is answered properly.
"""
import base64
import contextlib
import hashlib
import os
import pathlib
import random
import socket
import ssl
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

from gateway import Incomplete, Request, Unclean  # noqa: E402
from misdeeds import answer, content  # noqa: E402

SILENCE = 1.5  # longer than the gateway waits
PATIENCE = 60
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CHUNKS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def silence(sock, body):
    time.sleep(SILENCE)


def halt(sock, body):
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:len(body) // 2])
    time.sleep(SILENCE)


def drip(sock, body):
    data = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    for at in range(0, len(data), len(data) // 20 + 1):
        sock.sendall(data[at:at + len(data) // 20 + 1])
        time.sleep(0.02)
    return True


def status(sock, body):
    sock.sendall(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    return True


def flood(sock, body):
    sock.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 1000)
    return answer(sock, "length", "GET", body)


def endless(sock, body):
    sock.sendall(b"HTTP/1.1 200 OK\r\n")
    for n in range(3000):
        sock.sendall(b"X-Field-%d: %s\r\n" % (n, b"x" * 100))


def events(sock, body):
    sock.sendall(CHUNKS)
    for n in range(20):
        sock.sendall(chunk(b"data: %s %d\n\n" % (body[-20:], n)))
        time.sleep(0.03)
    sock.sendall(b"0\r\n\r\n")
    return True


KINDS = {f.__name__: f for f in (silence, halt, drip, status, flood, endless, events)}


def accept_of(key):
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest())


def tunnel(sock, request, rest):
    """Every byte comes back."""
    sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 b"Sec-WebSocket-Accept: " + accept_of(request["Sec-WebSocket-Key"]) + b"\r\n\r\n" + rest)
    while data := sock.recv(65536):
        sock.sendall(data)


class Upstream:

    def __init__(self, unclean, place, tls):
        self.unclean, self.context = unclean, None
        if tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(tls[0], tls[1])
            self.context.load_verify_locations(tls[2])
            self.context.verify_mode = ssl.CERT_REQUIRED
        if place.isdigit():
            self.listener = socket.create_server(("127.0.0.1", int(place)), backlog=256)
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(place)
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(place)
            os.chmod(place, 0o777)
            self.listener.listen(256)

    def run(self):
        while True:
            sock, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        with contextlib.suppress(OSError, ValueError):
            sock.settimeout(PATIENCE)
            if self.context:
                sock = self.context.wrap_socket(sock, server_side=True)
            with sock:
                data = bytearray()
                while self.one(sock, data):
                    pass
        sock.close()

    def one(self, sock, data):
        """One request and its answer; whether the connection goes on."""
        while True:
            try:
                request = Request(data).read_body(data)
                break
            except Incomplete:
                part = sock.recv(1 << 18)
                if not part:
                    return False
                data += part
                # Before its body: what comes now answers it.
                if b"\r\n\r\n" in data and data.split(b" ", 2)[1].startswith(b"/early/"):
                    sock.sendall(b"HTTP/1.1 413 Early\r\nContent-Length: 5\r\n\r\nearly")
                    time.sleep(0.01)
                    return False
            except Unclean as e:
                self.tell(str(e))
                return False
        del data[:request.end]
        if request.target == "/health":
            good = random.random() < 0.9
            sock.sendall(b"HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" %
                         (b"200 OK" if good else b"500 Bad"))
            return False
        _, kind, number, size = request.target.split("/")
        if kind == "tunnel":
            return tunnel(sock, request, bytes(data))
        if request.method == "POST" and request.body != content(int(number), int(size)):
            self.tell(f"{request.target} with {len(request.body)} bytes: {request.body[:60]!r}")
        size = min(int(size), 10) if request.method == "POST" else int(size)
        if kind in KINDS:
            return KINDS[kind](sock, content(int(number), size))
        return answer(sock, kind, request.method, content(int(number), size))

    def tell(self, what):
        with open(self.unclean, "a") as f:
            f.write(what + "\n")


if __name__ == "__main__":
    Upstream(sys.argv[1], sys.argv[2], sys.argv[3:]).run()
