"""The clients of gateway-soak: each gets its own answer, an error of the gateway, or a response that is
visibly cut. Anything else that looks whole is wrong, and so is a connection on which nothing comes."""
import collections
import contextlib
import random
import socket
import threading
import time

from arena import TIMEOUT
from gateway import Unclean, ask, chunked, reset, responses_of
from harness import client_context
from misdeeds import KINDS, content
from soak_upstream import KINDS as MORE
from soak_upstream import accept_of

GATEWAY = (502, 503, 504)
PLACES = ("plain", "secure", "unix", "named")
GOOD = ("length", "chunked", "hints", "slow")
ENDS = (EOFError, ConnectionError, OSError)


class Client(threading.Thread):
    """Does one thing after the other, until `stop` is set. `steady` asks only for what must succeed."""

    def __init__(self, ports, number, steady=False):
        super().__init__(daemon=True)
        self.ports, self.random, self.steady = ports, random.Random(number), steady
        self.stop, self.sock, self.kept = threading.Event(), None, False
        self.wrong, self.ended = [], collections.Counter()
        self.failures = []  # of a steady client: when, and what

    def run(self):
        try:
            while not self.stop.is_set():
                self.act()
        except Exception as e:  # the storm shows it
            self.wrong.append(f"{type(e).__name__}: {e}")
        finally:
            self.close()

    def act(self):
        kinds = {self.get: 6} if self.steady else {
            self.get: 8, self.upload: 2, self.tunnel: 2, self.events: 1, self.leave: 3, self.read_slowly: 1}
        what = self.random.choices(list(kinds), list(kinds.values()))[0]
        try:
            what()
        except TimeoutError:
            self.wrong.append(f"{what.__name__}: nothing came for {TIMEOUT} s")
            self.close()
        except Unclean as e:
            self.wrong.append(f"{what.__name__}: {e}")
            self.close()
        except ENDS as e:
            self.close()
            self.end("cut", f"{what.__name__}: {e!r}")
        if self.steady:
            self.stop.wait(0.02)

    def end(self, how, what=""):
        self.ended[how] += 1
        if self.steady and how != "whole":
            self.failures.append((time.monotonic(), f"{how}: {what}"))

    # --- connections ---

    def connect(self):
        """The one that is kept, or another."""
        if self.sock is None:
            port, plain = self.random.choice(self.ports)
            try:
                sock = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
            except ConnectionRefusedError:
                self.wrong.append(f"port {port} refused a client")
                raise
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.sock = sock if plain else client_context().wrap_socket(sock)
            except OSError:
                sock.close()
                raise

    def close(self, how=None):
        if self.sock is not None:
            with contextlib.suppress(OSError):
                if how:
                    how(self.sock)
            self.sock.close()
            self.sock = None

    def target(self, kind, size):
        number = self.random.randrange(1 << 40)
        place = "steady" if self.steady else self.random.choice(PLACES)
        return f"/{place}/{kind}/{number}/{size}", number

    def final(self, method):
        """The final response to the request that was sent, and how it ended."""
        data, end, slept = b"", None, 0
        while True:
            responses, _ = responses_of(data, [method], end)
            last = responses[-1] if responses else None
            if last and (last.status >= 200 or last.status == 101) and last.state == "whole" or end:
                return last if last and last.status >= 200 else None
            try:
                part = self.sock.recv(1 << 18)
            except TimeoutError:
                raise
            except OSError:
                part, end = b"", "reset"
            data += part
            end = end or (None if part else "fin")

    def judge(self, what, kind, r, own):
        """Of a response: its own, the gateway's, or visibly cut."""
        if r is None or r.state != "whole":
            self.close()
            return self.end("cut", what)
        if "close" in r.options():
            self.close()
        status = {"early": 413, "status": 500}.get(kind, 200)
        if r.status == status and (r.body == own or kind == "early" and r.body == b"early"):
            return self.end("whole")
        if kind == "early" and r.status == 200 and r.body == own:
            return self.end("whole")
        if r.status in GATEWAY:
            return self.end(str(r.status), what)
        self.wrong.append(f"{what}: {r}")

    # --- what they do ---

    def get(self):
        kind = self.random.choice(GOOD if self.steady else list(KINDS) + list(set(MORE) - {"events"}))
        size = self.random.choice([0, 10, 1000, 20000, 200000])
        method = self.random.choice(["GET", "GET", "HEAD"] if kind in KINDS else ["GET"])
        target, number = self.target(kind, size)
        self.connect()
        self.sock.sendall(ask(f"{method} {target} HTTP/1.1"))
        self.judge(f"{method} {target}", kind, self.final(method), b"" if method == "HEAD" else content(number, size))

    def upload(self):
        kind = self.random.choice(["length", "length", "early", "silence", "status", "reset", "none"])
        size = self.random.choice([10, 3000, 300000, 1000000])
        target, number = self.target(kind, size)
        body, fields = content(number, size), ()
        if self.random.random() < 0.5:
            parts = [body[at:at + 60000] for at in range(0, len(body), 60000)]
            data, fields = chunked(*parts), ("Transfer-Encoding: chunked", )
        else:
            data, fields = body, (f"Content-Length: {len(body)}", )
        self.connect()
        self.sock.sendall(ask(f"POST {target} HTTP/1.1", *fields))
        with contextlib.suppress(ConnectionError):  # the answer came before it was all sent
            self.sock.sendall(data)
        self.judge(f"POST {target}", kind, self.final("POST"), content(number, min(size, 10)))

    def tunnel(self):
        """A WebSocket; its messages are masked frames, which come back as they are."""
        target, number = self.target("tunnel", 0)
        key = "dGhlIHNhbXBsZSBub25jZQ=="
        self.connect()
        self.sock.sendall(ask(f"GET {target} HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket",
                              "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"))
        data = b""
        while b"\r\n\r\n" not in data:
            part = self.sock.recv(65536)
            if not part:
                raise EOFError("before the head")
            data += part
        r = responses_of(data, ["GET"], None)[0][-1]
        if r.status != 101:
            if r.status not in GATEWAY:
                self.wrong.append(f"GET {target}: {r}")
            self.close()
            return self.end(str(r.status))
        if r["Sec-WebSocket-Accept"] != accept_of(key).decode():
            self.wrong.append(f"GET {target}: {r.fields}")
        for n in range(self.random.randrange(1, 20)):
            payload = self.random.randbytes(self.random.choice([1, 100, 10000]))
            head = bytes([0x82, 0x80 | 126]) + len(payload).to_bytes(2, "big") + b"mask"
            self.sock.sendall(head + payload)
            back = b""
            while len(back) < len(head + payload):
                part = self.sock.recv(65536)
                if not part:
                    raise EOFError("in the tunnel")
                back += part
            if back != head + payload:
                self.wrong.append(f"GET {target}: other bytes in message {n}")
            time.sleep(self.random.choice([0, 0.02]))
        self.close(self.random.choice([None, reset]))
        self.end("whole")

    def events(self):
        target, number = self.target("events", 100)
        self.connect()
        self.sock.sendall(ask(f"GET {target} HTTP/1.1", "Accept: text/event-stream"))
        if self.random.random() < 0.5:  # leaves in the middle
            self.sock.recv(65536)
            self.close(self.random.choice([None, reset]))
            return self.end("left")
        tail = content(number, 100)[-20:]
        self.judge(f"GET {target}", "events", self.final("GET"),
                   b"".join(b"data: %s %d\n\n" % (tail, n) for n in range(20)))

    def leave(self):
        """In the middle of the request, before the answer, or in its middle."""
        kind = self.random.choice(["length", "silence", "halt", "drip", "slow", "chunked"])
        method = self.random.choice(["GET", "POST"])
        target, number = self.target(kind, 200000)
        body = content(number, 200000)
        data = ask(f"{method} {target} HTTP/1.1", *([f"Content-Length: {len(body)}"] if method == "POST" else []))
        data += body if method == "POST" else b""
        self.connect()
        self.sock.sendall(data[:self.random.choice([10, len(data) // 2, len(data)])])
        self.sock.settimeout(self.random.choice([0.001, 0.05, 0.2]))
        with contextlib.suppress(OSError):
            self.sock.recv(1000)
        self.close(self.random.choice([None, reset]))
        self.end("left")

    def read_slowly(self):
        target, number = self.target("length", 1000000)
        self.connect()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.sock.sendall(ask(f"GET {target} HTTP/1.1"))
        self.sock.settimeout(0.2)  # an error is short, and then nothing more comes
        with contextlib.suppress(OSError):
            for _ in range(10):
                if not self.sock.recv(1000):
                    break
                time.sleep(0.02)
        self.close(self.random.choice([None, reset]))
        self.end("left")
