"""A gateway between a client and an upstream that record each byte: for the tests of `proxy`.

A case (class Case) is what the client sends, what the upstream does, and what each of them must have
got. Both sides read what came more strictly than any server: the upstream, whether it is exactly one
request that every reader reads alike (Unclean else); the client, whether each response is whole.

A lane is a port of the gateway with upstreams of its own: in one lane case follows case, several lanes
run side by side. After each case the upstream ends its connections and waits until the gateway has
ended them, too, so no case meets connections of another one.
"""
import contextlib
import ctypes
import os
import queue
import re
import socket
import ssl
import struct
import threading
import time
import traceback

from harness import TIMEOUT

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
VALUE = rb"[\t \x21-\x7e\x80-\xff]*"
URI = rb"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?\[\]]|%[0-9A-Fa-f]{2})+"
HOST = rb"(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*)(?::[0-9]*)?"
MUST, SHOULD = "MUST", "SHOULD"
DATED = True  # whether each response for a client must have Date


class Unclean(Exception):
    """Two readers could understand it differently, or none at all."""


class Incomplete(Exception):
    """It is fine as far as it goes."""


# --- reading -----------------------------------------------------------------------------------


class Fields:
    """Of a head, in their order, as bytes of latin-1."""

    def all(self, name):
        return [v for n, v in self.fields if n.lower() == name.lower()]

    def __getitem__(self, name):
        values = self.all(name)
        return ", ".join(values) if values else None

    def options(self):
        """Of Connection."""
        return [o.strip().lower() for o in (self["Connection"] or "").split(",") if o.strip()]


def fields_of(lines):
    found = []
    for line in lines:
        m = re.fullmatch(rb"(" + TOKEN + rb"):[ \t]*(" + VALUE + rb"?)[ \t]*", line)
        if not m:
            raise Unclean(f"no field: {line!r}")
        found.append((m[1].decode("latin-1"), m[2].decode("latin-1")))
    return found


def head_of(data, at):
    """The lines of the head at this place, and where it ends."""
    end = data.find(b"\r\n\r\n", at)
    head = data[at:end] if end >= 0 else data[at:]
    bare = re.search(rb"\0|(?<!\r)\n|\r(?!\n|\Z)", head)
    if bare:
        raise Unclean(f"{bare[0]!r} in the head: {bytes(head)!r}")
    if end < 0:
        raise Incomplete()
    return bytes(head).split(b"\r\n"), end + 4


def chunks_of(data, at):
    """Body and trailers of a chunked message at this place, and where it ends."""
    body = bytearray()
    while True:
        end = data.find(b"\r\n", at)
        line = bytes(data[at:end] if end >= 0 else data[at:at + 200])
        if end < 0:
            if not re.fullmatch(rb"[0-9A-Fa-f]{0,16}(?:[;\t ].*)?\r?", line, re.S) or b"\n" in line:
                raise Unclean(f"no chunk size: {line!r}")
            raise Incomplete()
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,16}(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?", line):
            raise Unclean(f"no chunk size: {line!r}")
        size = int(line.split(b";")[0].strip(), 16)
        at = end + 2
        if size == 0:
            break
        if len(data) < at + size + 2:
            after = bytes(data[at + size:])
            if after and after != b"\r":
                raise Unclean(f"after a chunk: {after!r}")
            raise Incomplete()
        body += data[at:at + size]
        if data[at + size:at + size + 2] != b"\r\n":
            raise Unclean(f"after a chunk: {bytes(data[at + size:at + size + 2])!r}")
        at += size + 2
    if data[at:at + 2] == b"\r\n":
        return bytes(body), [], at + 2
    if len(data) < at + 2:
        if data[at:] not in (b"", b"\r") and not re.match(TOKEN, data[at:]):
            raise Unclean(f"after the last chunk: {bytes(data[at:])!r}")
        raise Incomplete()
    lines, at = head_of(data, at)
    return bytes(body), fields_of(lines), at


def length_of(message):
    """Content-Length, judged; None: there is none."""
    lengths = message.all("Content-Length")
    if len(lengths) > 1:
        raise Unclean(f"Content-Length {lengths}")
    if lengths and not re.fullmatch(r"[0-9]{1,19}", lengths[0]):
        raise Unclean(f"Content-Length: {lengths[0]!r}")
    return int(lengths[0]) if lengths else None


NEVER_IN_TRAILERS = {
    "content-length", "transfer-encoding", "host", "connection", "trailer", "te", "content-encoding",
    "content-type", "content-range", "authorization", "upgrade", "expect", "max-forwards", "via", "forwarded",
    "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port", "x-request-id"
}


class Request(Fields):
    """The one at this place in what an upstream got. self.end: where it ends; self.head_end: its head."""

    def __init__(self, data, at=0):
        lines, self.head_end = head_of(data, at)
        m = re.fullmatch(rb"(" + TOKEN + rb") (\S+) HTTP/1\.1", lines[0])
        if not m:
            raise Unclean(f"no request line: {lines[0]!r}")
        self.method, self.target = m[1].decode(), m[2].decode("latin-1")
        if not re.fullmatch(URI, m[2]):
            raise Unclean(f"no URI has this: {m[2]!r}")
        self.fields = fields_of(lines[1:])
        self.body, self.trailers, self.framing = b"", [], "none"
        hosts = self.all("Host")
        if len(hosts) != 1 or not re.fullmatch(HOST, hosts[0].encode("latin-1")):
            raise Unclean(f"Host {hosts}")
        unknown = set(self.options()) - {"close", "keep-alive", "upgrade", "te"}
        if unknown:
            raise Unclean(f"Connection: {sorted(unknown)}")
        length, codings = length_of(self), self.all("Transfer-Encoding")
        if codings and (length is not None or codings != ["chunked"]):
            raise Unclean(f"Transfer-Encoding {codings}, Content-Length {length}")
        self.end = self.head_end
        self.complete = False
        if codings:
            self.framing = "chunked"
        elif length is not None:
            self.framing, self.length = "length", length

    def read_body(self, data):
        if self.framing == "chunked":
            self.body, self.trailers, self.end = chunks_of(data, self.head_end)
            bad = [n for n, _ in self.trailers if n.lower() in NEVER_IN_TRAILERS]
            if bad:
                raise Unclean(f"trailers {bad}")
        elif self.framing == "length":
            if len(data) < self.head_end + self.length:
                raise Incomplete()
            self.end = self.head_end + self.length
            self.body = bytes(data[self.head_end:self.end])
        self.complete = True
        return self


class Response(Fields):
    """The one at this place in what a client got.

    state: "whole", "cut" (it ended before its end, or came to an end that a reset made), "open" (so
    far), "close" (whole if an orderly end of the connection is its end)."""

    def __init__(self, data, at, method, end):
        lines, at = head_of(data, at)
        m = re.fullmatch(rb"HTTP/1\.1 ([1-5]\d\d) (" + VALUE + rb")", lines[0])
        if not m:
            raise Unclean(f"no status line: {lines[0]!r}")
        self.status, self.reason = int(m[1]), m[2].decode("latin-1")
        self.fields = fields_of(lines[1:])
        self.body, self.trailers, self.state, self.end = b"", [], "whole", at
        self.head_end = at
        length, codings = length_of(self), self.all("Transfer-Encoding")
        if codings and (length is not None or codings != ["chunked"]):
            raise Unclean(f"Transfer-Encoding {codings}, Content-Length {length}")
        if (codings or length is not None) and (self.status < 200 or self.status == 204):
            raise Unclean(f"{self.status} with {codings}, Content-Length {length}")
        self.framing = "none"
        if self.status == 101:
            self.framing, self.body, self.end = "tunnel", bytes(data[at:]), len(data)
            self.state = "close"
        elif method == "HEAD" or self.status < 200 or self.status in (204, 304):
            pass
        elif codings:
            self.framing = "chunked"
            try:
                self.body, self.trailers, self.end = chunks_of(data, at)
            except Incomplete:
                self.state, self.end = "cut" if end else "open", len(data)
                self.body = bytes(data[at:])  # with the lines of its chunks
        elif length is not None:
            self.framing = "length"
            self.body = bytes(data[at:at + length])
            self.end = at + len(self.body)
            if len(self.body) < length:
                self.state = "cut" if end else "open"
        else:
            self.framing, self.body, self.end = "close", bytes(data[at:]), len(data)
            self.state = "open" if not end else "cut" if end == "reset" else "close"

    def __repr__(self):
        return f"<{self.status} {self.state} {self.body[:60]!r}>"


def responses_of(data, methods, end):
    """All in what a client got, interim ones too; the last may not be whole. Raises Unclean."""
    found, at, methods = [], 0, list(methods)
    while at < len(data):
        try:
            response = Response(data, at, methods[0] if methods else "GET", end)
        except Incomplete:
            return found, bytes(data[at:])
        if response.status >= 200 or response.status == 101:
            if not methods:
                raise Unclean(f"a response to no request: {bytes(data[at:at + 200])!r}")
            methods.pop(0)
        found.append(response)
        at = response.end
        if response.state != "whole":
            break
    return found, b""


# --- scripts -----------------------------------------------------------------------------------

# Steps of both sides. Bytes are sent, a number is waited in seconds, a function is called with the side.


class Step:

    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return self.name


REQUEST = Step("REQUEST")  # upstream: the next request, whole; after HEAD: that one
HEAD = Step("HEAD")  # upstream: the head of the next request
CLOSE = Step("CLOSE")  # orderly, both directions
RESET = Step("RESET")
FIN = Step("FIN")  # of one's own direction only
END = Step("END")  # the other side ends the connection
SERVE = Step("SERVE")  # upstream: answers requests, until the other side ends
RESPONSE = Step("RESPONSE")  # client: one more final response is whole
GONE = Step("GONE")  # client: no connection upstream is left, or the gateway has had time enough to end it
TUNNEL = Step("TUNNEL")  # upstream: what comes from now on is no HTTP


class until:
    """This side has received these bytes since the last step that looked."""

    def __init__(self, mark):
        self.mark = mark

    def __repr__(self):
        return f"{type(self).__name__}({self.mark!r})"


class peer(until):
    """The other side (of all connections of this case) has received these bytes."""


class visit:
    """The client: another client asks this, and takes one response; run.visits has its bytes."""

    def __init__(self, data):
        self.data = data

    def __call__(self, side):
        with socket.create_connection(("127.0.0.1", side.run.lane.port), timeout=side.run.patience) as sock:
            sock.sendall(self.data)
            got = b""
            with contextlib.suppress(OSError):
                while True:
                    try:
                        if any(r.state == "whole" and r.status >= 200
                               for r in responses_of(got, [self.data.split()[0].decode()], None)[0]):
                            break
                    except Unclean:
                        break
                    data = sock.recv(65536)
                    if not data:
                        break
                    got += data
            side.run.visits.append(got)


def wait(condition, holds, patience):
    with condition:
        return condition.wait_for(holds, patience)


class Side:
    """One connection of one side: sends by steps, and records what comes."""

    def __init__(self, run, sock):
        self.run, self.socket = run, sock
        self.data, self.end, self.seen = bytearray(), None, 0
        self.trouble = None
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        while True:
            try:
                data = self.socket.recv(65536)
                end = None if data else "fin"
            except ConnectionResetError:
                data, end = b"", "reset"
            except (OSError, ValueError):
                data, end = b"", "fin"
            with self.run.changed:
                self.data += data
                self.end = self.end or end
                self.run.changed.notify_all()
            if end:
                return

    def wait(self, holds, what, patience=None):
        held = []
        wait(self.run.changed, lambda: held.append(holds()) or held[-1] or self.run.over, patience or
             self.run.patience)
        if not held[-1]:
            raise TimeoutError(what)

    def steps(self, steps):
        for step in steps:
            if isinstance(step, (bytes, bytearray)):
                self.send(step)
            elif isinstance(step, (int, float)):
                time.sleep(step)
            elif type(step) is until:

                def came(mark=step.mark):
                    at = self.data.find(mark, self.seen)
                    if at >= 0:
                        self.seen = at + len(mark)
                    return at >= 0

                self.wait(came, f"{step.mark!r} did not come")
            elif isinstance(step, peer):
                self.wait(lambda: any(step.mark in other.data for other in self.others()),
                          f"the other side did not get {step.mark!r}")
            elif step is CLOSE:
                with contextlib.suppress(OSError):
                    self.socket.shutdown(socket.SHUT_RDWR)
            elif step is FIN:
                with contextlib.suppress(OSError):
                    self.socket.shutdown(socket.SHUT_WR)
            elif step is RESET:
                reset(self.socket)
            elif step is END:
                self.wait(lambda: self.end, "the other side did not end the connection")
            elif callable(step):
                step(self)
            else:
                self.step(step)

    def send(self, data):
        with contextlib.suppress(OSError):
            self.socket.sendall(data)


def reset(sock):
    """connect() to no address resets a connection at once, although its reader is in a recv(). A Unix socket
    knows no such reset."""
    if sock.family == socket.AF_UNIX:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        return
    ctypes.CDLL(None).connect(sock.fileno(), struct.pack("H14x", socket.AF_UNSPEC), 16)


DATE = b"Sun, 06 Nov 1994 08:49:37 GMT"


def ok(request, extra=b""):
    """How an upstream answers that has nothing special to do."""
    body = b"" if request.method == "HEAD" else b"<%s>" % request.target.encode("latin-1")
    return (b"HTTP/1.1 200 OK\r\nDate: %s\r\nContent-Type: text/plain\r\n%sContent-Length: %d\r\n\r\n%s" %
            (DATE, extra, len(request.target) + 2, body))


class Upstream(Side):
    """One connection of an upstream, with the requests on it."""

    def __init__(self, run, sock, endpoint):
        self.requests, self.unclean, self.at, self.tunnel = [], None, 0, None
        self.endpoint = endpoint
        super().__init__(run, sock)

    def others(self):
        return [self.run.client] if self.run.client else []

    def parse(self):
        """Called with run.changed held."""
        if self.unclean or self.tunnel is not None:
            return
        try:
            while self.at < len(self.data):
                if not self.requests or self.requests[-1].complete:
                    self.requests.append(Request(self.data, self.at))
                self.requests[-1].read_body(self.data)
                self.at = self.requests[-1].end
        except Incomplete:
            pass
        except Unclean as e:
            self.unclean = str(e)

    def whole(self):
        self.parse()
        return sum(r.complete for r in self.requests)

    def heads(self):
        self.parse()
        return len(self.requests)

    def step(self, step):
        if step in (REQUEST, HEAD):
            count = self.taken + (not self.headed)
            self.wait(
                lambda: (self.whole()
                         if step is REQUEST else self.heads()) >= count or self.unclean or self.end, f"no {step}")
            if self.unclean or self.end and (self.whole() if step is REQUEST else self.heads()) < count:
                raise TimeoutError(f"no {step}: {self.unclean or self.end}")
            self.taken, self.headed = count, step is HEAD
        elif step is TUNNEL:
            self.parse()
            self.tunnel = self.at
        elif step is SERVE:
            while True:
                self.wait(lambda: self.whole() > self.taken or self.unclean or self.end, "no request", 60)
                if self.unclean:
                    self.steps([b"HTTP/1.1 400 Unclean\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", FIN])
                if self.unclean or self.whole() <= self.taken:
                    return
                self.send(ok(self.requests[self.taken]))
                self.taken += 1

    taken, headed = 0, False

    def work(self, script):
        try:
            self.steps(script)
        except TimeoutError as e:
            self.trouble = str(e)
        except Exception:  # the case shows it
            self.trouble = traceback.format_exc()

    def bytes_of_tunnel(self):
        return bytes(self.data[self.tunnel:]) if self.tunnel is not None else None


class Client(Side):
    got = 0

    def others(self):
        return self.run.connections

    def responses(self):
        return responses_of(self.data, self.run.case.methods, self.end)

    def finals(self):
        try:
            found, _ = self.responses()
        except Unclean:
            return 1 << 20
        return sum(r.status >= 200 and r.state == "whole" for r in found)

    def step(self, step):
        if step is RESPONSE:
            count = self.got + 1
            self.wait(lambda: self.finals() >= count or self.end, "no response")
            if self.finals() < count:
                raise TimeoutError("the connection ended before a response")
            self.got = count
        elif step is GONE:
            with contextlib.suppress(TimeoutError):
                self.wait(lambda: all(u.end for u in self.run.connections), "the connections stay")


class Case:
    """name, level and section; what the client sends; what is expected (functions of the Run that
    return what is wrong, or None); and how.

    upstream: the steps of the first connection, or a list of such lists, for connection after
    connection; further ones serve. methods: of the requests that responses are expected for.
    responses: how many final ones are waited for; 0 waits for the end of the connection.
    lane: the kind of port.
    """

    def __init__(self, name, level, section, send, *expect, upstream=None, responses=None, methods=None,
                 lane="plain", quiet=None, hostile=False, needs=None):
        self.name, self.level, self.section = name, level, section
        self.send = [send] if isinstance(send, (bytes, bytearray)) else list(send)
        self.expect = expect
        self.scripts = ([] if upstream is None else
                        list(upstream) if upstream and isinstance(upstream[0], (list, tuple)) else [upstream])
        sent = b"".join(s for s in self.send if isinstance(s, (bytes, bytearray)))
        first = re.match(rb"\s*([!-~]+) ", sent)
        self.methods = methods or [first[1].decode() if first else "GET"]
        self.count = len(self.methods) if responses is None else responses
        self.lane, self.quiet, self.hostile, self.needs = lane, quiet, hostile, needs

    def __repr__(self):
        return self.name


class Run:
    """One case in one lane, and what came of it."""

    LINGER = 0.05  # after the last expected byte, for those that nobody expects

    def __init__(self, case, lane, patience):
        self.case, self.lane, self.patience = case, lane, patience
        self.changed = threading.Condition()
        self.connections, self.threads = [], []
        self.client = None
        self.over = False
        self.problems, self.visits = [], []
        self.end, self.took, self.client_data, self.client_trouble = "open", 0, b"", None

    def accepted(self, sock, endpoint):
        with self.changed:
            number = len(self.connections)
            script = self.case.scripts[number] if number < len(self.case.scripts) else [SERVE]
            connection = Upstream(self, sock, endpoint)
            self.connections.append(connection)
        thread = threading.Thread(target=connection.work, args=(script, ), daemon=True)
        thread.start()
        self.threads.append(thread)

    def play(self):
        case = self.case
        started = time.monotonic()
        sock = socket.create_connection(("127.0.0.1", self.lane.port), timeout=self.patience)
        sock.settimeout(None)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.client = Client(self, sock)
        try:
            try:
                self.client.steps(case.send)
                self.client.wait(lambda: self.client.end or case.count and self.client.finals() >= case.count,
                                 "no response", case.quiet)
            except TimeoutError as e:
                self.client.trouble = str(e)
            wait(self.changed, lambda: False, self.LINGER)
            self.end = self.client.end or "open"
        finally:
            self.judge_later()
            self.took = time.monotonic() - started

    def judge_later(self):
        """Everything that is judged is taken now; then all connections end."""
        reset(self.client.socket) if self.end == "open" else None
        self.client_data, self.client_trouble = bytes(self.client.data), self.client.trouble
        # The gateway ends what it had for this client, or keeps it: what is there by now counts.
        for u in list(self.connections):
            cut = u.requests and not u.requests[-1].complete or u.heads() and not u.requests[-1].complete
            if cut:
                wait(self.changed, lambda u=u: u.end, min(self.patience, 2))
        wait(self.changed, lambda: False, 0.01)
        with self.changed:
            self.over = True
            self.changed.notify_all()
        for u in self.connections:
            u.parse()
            u.ended_by = u.end
            with contextlib.suppress(OSError):
                u.socket.shutdown(socket.SHUT_WR)
        for u in self.connections:
            wait(self.changed, lambda u=u: u.end, 2)
        for side in [*self.connections, self.client]:
            reset(side.socket)
            side.reader.join(5)
            side.socket.close()
        for thread in self.threads:
            thread.join(5)

    # --- what the expectations look at ---

    @property
    def requests(self):
        """The whole ones that upstreams got."""
        return [r for u in self.connections for r in u.requests if r.complete]

    @property
    def begun(self):
        """Those that are not whole."""
        return [r for u in self.connections for r in u.requests if not r.complete]

    @property
    def bytes_upstream(self):
        return b"".join(bytes(u.data) for u in self.connections)

    @property
    def responses(self):
        return responses_of(self.client_data, self.case.methods, None if self.end == "open" else self.end)[0]

    @property
    def finals(self):
        return [r for r in self.responses if r.status >= 200 or r.status == 101]

    @property
    def final(self):
        finals = self.finals
        return finals[0] if finals else None

    def judge(self):
        """What is wrong, as texts."""
        wrong = []
        for u in self.connections:
            if u.unclean:
                wrong.append(f"upstream got something unclean: {u.unclean}")
        try:
            responses, rest = responses_of(self.client_data, self.case.methods,
                                           None if self.end == "open" else self.end)
            if rest and self.end == "open":
                wrong.append(f"half a head for the client: {rest!r}")
            for r in responses:
                if DATED and r.status >= 200 and not r["Date"]:
                    wrong.append(f"a response without Date (RFC 9110, 6.6.1): {r}")
        except Unclean as e:
            return [*wrong, f"the client got something unclean: {e}"]
        for expect in self.case.expect:
            try:
                found = expect(self)
            except (IndexError, AttributeError, TypeError) as e:  # there is no such request or response
                found = f"{e}: {len(self.requests)} requests, responses {self.responses}"
            if found:
                wrong.append(found)
        return wrong

    def story(self):
        lines = [f"{self.case.name} ({self.case.level}, RFC {self.case.section}), {self.took:.2f} s"]
        for step in self.case.send:
            lines.append(f"  client: {step!r:.600}")
        for n, u in enumerate(self.connections):
            lines.append(f"  upstream {n} got: {bytes(u.data)!r:.900} then {u.ended_by}")
            if u.trouble:
                lines.append(f"  upstream {n} waited: {u.trouble}")
        lines += [f"  another client got: {data!r:.600}" for data in self.visits]
        lines.append(f"  client got: {self.client_data!r:.900} then {self.end}")
        if self.client_trouble:
            lines.append(f"  client waited: {self.client_trouble}")
        return "\n".join(lines)


class Secured:
    """A socket with TLS that one thread may read while others write, which those of the module ssl are not
    made for. The handshake is made by the first recv(), and who sends waits for it."""

    def __init__(self, sock, context):
        self.socket, self.lock, self.open = sock, threading.RLock(), threading.Event()
        self.received, self.to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.received, self.to_send, server_side=True)

    def flush(self):
        if self.to_send.pending:
            self.socket.sendall(self.to_send.read())

    def step(self, function, *args):
        """What it returns; None: more must be received before."""
        with self.lock:
            try:
                return function(*args)
            except ssl.SSLWantReadError:
                return None
            finally:
                self.flush()

    def fill(self):
        data = self.socket.recv(65536)
        self.received.write(data) if data else self.received.write_eof()

    def recv(self, size):
        try:
            while not self.open.is_set():
                if self.step(lambda: self.tls.do_handshake() or True):
                    self.open.set()
                else:
                    self.fill()
            while True:
                data = self.step(self.tls.read, size)
                if data is not None:
                    return data
                self.fill()
        except ssl.SSLZeroReturnError:  # close_notify
            return b""
        except ssl.SSLError as e:
            raise OSError(str(e)) from e
        finally:
            self.open.set()

    def sendall(self, data):
        self.open.wait(TIMEOUT)
        for at in range(0, len(data), 16384):
            with self.lock:
                self.tls.write(data[at:at + 16384])
                sealed = self.to_send.read()
            self.socket.sendall(sealed)

    def shutdown(self, how):
        if self.open.is_set():
            with contextlib.suppress(ssl.SSLError, OSError):
                self.step(self.tls.unwrap)
        self.socket.shutdown(how)

    def fileno(self):
        return self.socket.fileno()

    @property
    def family(self):
        return self.socket.family

    def close(self):
        self.socket.close()


class Lane:
    """A port of the gateway, and the endpoints that it passes on to: over TCP; over Unix sockets, if sockets
    is a folder for them; with TLS, if context is set."""

    def __init__(self, kind, port, endpoints=1, sockets=None, context=None):
        self.kind, self.port, self.run, self.context = kind, port, None, context
        self.listeners = []
        for n in range(endpoints):
            if sockets:
                listener = socket.socket(socket.AF_UNIX)
                listener.bind(f"{sockets}/{port}.{n}")
                os.chmod(listener.getsockname(), 0o777)
                listener.listen(512)
            else:
                listener = socket.create_server(("127.0.0.1", 0), backlog=512)
            self.listeners.append(listener)
            threading.Thread(target=self.accept, args=(listener, n), daemon=True).start()
        self.endpoints = [s.getsockname() if sockets else s.getsockname()[1] for s in self.listeners]
        self.urls = [
            f"unix:{e}" if sockets else f"{'https' if context else 'http'}://127.0.0.1:{e}" for e in self.endpoints
        ]

    def accept(self, listener, number):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            run = self.run
            if run is None or run.over:
                sock.close()
            else:
                run.accepted(Secured(sock, self.context) if self.context else sock, number)

    def play(self, case, patience):
        run = self.run = Run(case, self, patience)
        try:
            run.play()
        except Exception:
            run.problems.append(traceback.format_exc())
        finally:
            self.run = None
        return run

    def close(self):
        for listener in self.listeners:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()


def play_all(cases, lanes, patience=TIMEOUT / 3):
    """{case: Run}, each in a lane of its kind; lanes of a kind share its cases."""
    queues, runs = {}, {}
    for case in cases:
        queues.setdefault(case.lane, queue.Queue()).put(case)

    def work(lane):
        cases = queues.get(lane.kind)
        while cases is not None:
            try:
                case = cases.get_nowait()
            except queue.Empty:
                return
            runs[case] = lane.play(case, patience)

    threads = [threading.Thread(target=work, args=(lane, ), daemon=True) for lane in lanes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return runs


# --- what is expected ---------------------------------------------------------------------------


def status(*codes):
    """The client got one final response with one of these, whole."""

    def judge(run):
        r = run.final
        if not r or r.status not in codes or r.state not in ("whole", "close"):
            return f"not answered with {codes}, but with {run.responses}, {run.end}"

    return judge


def refused(*codes):
    """So, and no byte went upstream."""

    def judge(run):
        if run.bytes_upstream:
            return f"went upstream: {run.bytes_upstream[:300]!r}"
        return status(*codes)(run)

    return judge


def request(count=1, **expected):
    """Upstream got so many whole requests, and nothing else; of the first, these are equal: method,
    target, body, framing, host, trailers."""

    def judge(run):
        if len(run.requests) != count or run.begun:
            return f"{len(run.requests)} whole requests, {len(run.begun)} begun"
        for name, value in expected.items():
            r = run.requests[0]
            found = r["Host"] if name == "host" else getattr(r, name)
            if found != value:
                return f"{name} is {found!r:.200}, not {value!r:.200}"

    return judge


def has(name, *values):
    """The request has exactly these fields of that name, in their order."""

    def judge(run):
        if not run.requests:
            return "no request"
        found = run.requests[0].all(name)
        if found != list(values):
            return f"{name} went upstream as {found}, not {list(values)}"

    return judge


def lacks(*names):
    return lambda run: next((wrong for name in names if (wrong := has(name)(run))), None)


def field(name, *values):
    """The same of the final response."""

    def judge(run):
        found = run.final.all(name) if run.final else None
        if found != list(values):
            return f"{name} came as {found}, not {list(values)}"

    return judge


def answer(code, body=None, state=("whole", )):
    """The client got this response, whole; and body."""

    def judge(run):
        r = run.final
        if not r or r.status != code or r.state not in state or body is not None and r.body != body:
            return f"not answered with {code} {body!r:.100}, but with {run.responses}, {run.end}"

    return judge


def cut(run):
    """What the client got does not look complete."""
    r = run.final
    if r and r.state != "cut":
        return f"looks complete: {r}, {run.end}"
    if not r and run.end == "open":
        return "the connection stays open"


def bad_gateway(*codes):
    """502 (or these), or a cut response."""

    def judge(run):
        r = run.final
        if r and r.status in (codes or (502, )) and r.state == "whole":
            return None
        return cut(run)

    return judge


def one_or_none(run):
    """Of a hostile request: upstream saw one whole clean request, or none, and nothing of what was
    smuggled."""
    if len(run.requests) > 1:
        return f"{len(run.requests)} requests upstream: {[(r.method, r.target) for r in run.requests]}"
    for u in run.connections:
        for r in u.requests:
            if "smuggled" in r.target or r.method == "SMUGGLED":
                return f"smuggled: {r.method} {r.target}"
        if u.requests and not u.requests[-1].complete and not u.ended_by:
            return "half a request upstream, and the connection stays open"


def nothing(run):
    if run.bytes_upstream:
        return f"went upstream: {run.bytes_upstream[:300]!r}"


def closed(run):
    if run.end == "open":
        return "the connection stays open"


def stays(run):
    if run.end != "open":
        return f"the connection ended: {run.end}"


def connections(count):

    def judge(run):
        if len(run.connections) != count:
            return f"{len(run.connections)} connections upstream, not {count}"

    return judge


def interim(*codes):

    def judge(run):
        found = [r.status for r in run.responses if r.status < 200 and r.status != 101]
        if found != list(codes):
            return f"interim responses {found}, not {list(codes)}"

    return judge


def both(*judges):
    return lambda run: next((wrong for j in judges if (wrong := j(run))), None)


def either(*judges):
    """One of them holds."""

    def judge(run):
        wrong = [j(run) for j in judges]
        if all(wrong):
            return " / ".join(wrong)

    return judge


# --- writing -----------------------------------------------------------------------------------


def ask(line="GET / HTTP/1.1", *fields, body=b"", host="a.example"):
    """A request; host None: without the field Host."""
    if host is not None:
        fields = (f"Host: {host}", *fields)
    return "".join(f"{text}\r\n" for text in [line, *fields, ""]).encode("latin-1") + body


def reply(line="HTTP/1.1 200 OK", *fields, body=None, date=True):
    """A response; with a body, its Content-Length too."""
    if date:
        fields = (f"Date: {DATE.decode()}", *fields)
    if body is not None:
        fields = (*fields, f"Content-Length: {len(body)}")
    return "".join(f"{text}\r\n" for text in [line, *fields, ""]).encode("latin-1") + (body or b"")


def chunked(*parts, trailers=()):
    return (b"".join(b"%x\r\n%s\r\n" % (len(p), p)
                     for p in parts) + b"0\r\n" + b"".join(t.encode("latin-1") + b"\r\n"
                                                           for t in trailers) + b"\r\n")
