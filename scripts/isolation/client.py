"""One connection of a client: it reports the answer, or the way in which the request failed."""
import contextlib
import dataclasses
import re
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any

# How a request fails, in the order in which reports show it.
KINDS = {
    "refused": "connection refused",
    "reset": "connection reset",
    "closed": "closed early",
    "timeout": "no answer in time",
    "tls": "TLS failed",
    "status": "status 4xx or 5xx",
    "malformed": "malformed answer",
    "other": "another error of the network",
}

HEAD_MAX = 65536
STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3})(?: [^\r\n]*)?")
FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*?)[ \t]*")
BODYLESS = (204, 304)


class Failure(Exception):
    def __init__(self, kind: str, detail: str = ""):
        super().__init__(detail or KINDS[kind])
        self.kind = kind


@dataclasses.dataclass(frozen=True)
class Target:
    host: str
    port: int
    server_name: str
    ca: str  # a PEM file; "": any certificate is trusted
    plain: bool = False  # without TLS

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # Python sets it; an end without close_notify would look like a proper one.
        context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
        if self.plain:
            return context  # is not used; there may be no certificate
        if self.ca:
            context.load_verify_locations(self.ca)
        else:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


@dataclasses.dataclass(frozen=True)
class Answer:
    status: int
    fields: dict[str, str]
    size: int
    closes: bool


@contextlib.contextmanager
def failures_told() -> Iterator[None]:
    """Turns network errors within the block into a Failure."""
    try:
        yield
    except (TimeoutError, BlockingIOError):
        raise Failure("timeout") from None
    except ConnectionRefusedError:
        raise Failure("refused") from None
    except (ConnectionResetError, BrokenPipeError, ConnectionAbortedError):
        raise Failure("reset") from None
    except ssl.SSLZeroReturnError:
        raise Failure("closed") from None
    except ssl.SSLError as error:
        raise Failure("tls", error.reason or str(error)) from None
    except OSError as error:
        raise Failure("other", str(error)) from None


class Connection:
    """A connection, with TLS unless its target is plain. Each call has until the deadline, of
    time.monotonic().

    TLS runs over memory: on a socket Python's ssl cannot distinguish a reset from an end.
    """

    def __init__(self, target: Target, context: ssl.SSLContext, deadline: float, source: str = ""):
        self.deadline = deadline
        self.buffer = b""
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = None if target.plain else context.wrap_bio(
            self.incoming, self.outgoing, server_hostname=target.server_name)
        with failures_told():
            self.socket = socket.create_connection((target.host, target.port), self._left(),
                                                   (source, 0) if source else None)
        try:
            with failures_told():
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self.tls:
                    self._through(self.tls.do_handshake)
        except Failure:
            self.close()
            raise

    def close(self) -> None:
        self.socket.close()

    def idle(self) -> bool:
        """Whether it can take another request: it has received nothing meanwhile, not even an
        end."""
        if self.buffer or not select.select([self.socket], [], [], 0)[0]:
            return not self.buffer
        try:
            data = self.socket.recv(65536, socket.MSG_DONTWAIT)
            if self.tls:
                self.incoming.write(data)
                self.tls.read(1)
        except ssl.SSLWantReadError:
            return bool(data)  # a ticket, say
        except OSError:
            pass
        return False

    def get(self, path: str, host: str, deadline: float, fields: tuple[str, ...] = ()) -> Answer:
        self.deadline = deadline
        lines = (f"GET {path} HTTP/1.1", f"Host: {host}", "User-Agent: bulkhead-isolation", *fields)
        request = "".join(f"{line}\r\n" for line in (*lines, ""))
        with failures_told():
            self._write(request.encode("ascii"))
            return self._answer()

    # --- TLS -----------------------------------------------------------------------------------

    def _left(self) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise Failure("timeout")
        return left

    def _through(self, step: Callable[[], Any]) -> Any:
        """Runs a step of TLS; sends and receives whatever the step needs."""
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                self._send()
                self._receive()
                continue
            except ssl.SSLZeroReturnError:
                raise
            except ssl.SSLError:
                if self.incoming.eof:
                    raise Failure("closed") from None
                with contextlib.suppress(OSError):
                    self._send()  # the alert
                raise
            self._send()
            return result

    def _send(self) -> None:
        if self.outgoing.pending:
            self.socket.settimeout(self._left())
            self.socket.sendall(self.outgoing.read())

    def _receive(self) -> None:
        self.socket.settimeout(self._left())
        data = self.socket.recv(65536)
        if data:
            self.incoming.write(data)
        else:
            self.incoming.write_eof()

    # --- reading -------------------------------------------------------------------------------

    def _write(self, data: bytes) -> None:
        if self.tls:
            tls = self.tls
            self._through(lambda: tls.write(data))
        else:
            self.socket.settimeout(self._left())
            self.socket.sendall(data)

    def _read(self) -> int:
        if self.tls:
            tls = self.tls
            try:
                data = self._through(lambda: tls.read(65536))
            except ssl.SSLZeroReturnError:
                data = b""  # an orderly end
        else:
            self.socket.settimeout(self._left())
            data = self.socket.recv(65536)
        self.buffer += data
        return len(data)

    def _until(self, mark: bytes) -> bytes:
        while mark not in self.buffer:
            if len(self.buffer) > HEAD_MAX:
                raise Failure("malformed", "a line or head without end")
            if not self._read():
                raise Failure("closed")
        before, self.buffer = self.buffer.split(mark, 1)
        return before

    def _skip(self, size: int) -> None:
        while len(self.buffer) < size:
            size -= len(self.buffer)
            self.buffer = b""
            if not self._read():
                raise Failure("closed")
        self.buffer = self.buffer[size:]

    def _skip_chunks(self) -> int:
        total = 0
        while True:
            line = self._until(b"\r\n").split(b";")[0].strip()
            if not re.fullmatch(rb"[0-9A-Fa-f]{1,15}", line):
                raise Failure("malformed", f"chunk size {line[:40]!r}")
            size = int(line, 16)
            if size == 0:
                while self._until(b"\r\n"):
                    pass
                return total
            self._skip(size)
            if self._until(b"\r\n"):
                raise Failure("malformed", "a chunk longer than it said")
            total += size

    def _skip_to_end(self) -> int:
        total = len(self.buffer)
        while size := self._read():
            total += size
            self.buffer = b""
        return total

    def _answer(self) -> Answer:
        while True:
            status, fields = self._head()
            if status >= 200:
                break
        length, coding = fields.get("content-length"), fields.get("transfer-encoding")
        closes = fields.get("connection", "").lower() == "close"
        if status in BODYLESS:
            size = 0
        elif coding is not None:
            if coding.lower() != "chunked":
                raise Failure("malformed", f"transfer coding {coding[:40]!r}")
            size = self._skip_chunks()
        elif length is not None:
            if not re.fullmatch(r"\d{1,15}", length):
                raise Failure("malformed", f"content length {length[:40]!r}")
            size = int(length)
            self._skip(size)
        else:
            size, closes = self._skip_to_end(), True
        return Answer(status, fields, size, closes)

    def _head(self) -> tuple[int, dict[str, str]]:
        # An answer that is not HTTP fails at its first byte, not at the end of a head.
        while len(self.buffer) < 7 and b"HTTP/1.".startswith(self.buffer):
            if not self._read():
                raise Failure("closed")
        if not self.buffer.startswith(b"HTTP/1."):
            raise Failure("malformed", f"begins with {self.buffer[:20]!r}")
        line, *lines = self._until(b"\r\n\r\n").split(b"\r\n")
        match = STATUS_LINE.fullmatch(line)
        if not match:
            raise Failure("malformed", f"status line {line[:40]!r}")
        fields: dict[str, str] = {}
        for line in lines:
            field = FIELD.fullmatch(line)
            if not field:
                raise Failure("malformed", f"header line {line[:40]!r}")
            name, value = field[1].decode("latin-1").lower(), field[2].decode("latin-1")
            if fields.get(name, value) != value and name == "content-length":
                raise Failure("malformed", "two lengths")
            fields[name] = value
        return int(match[1]), fields
