"""A client of the test protocol with many exchanges on a connection (tests/many/README.md)."""
import struct

from harness import BINARY, Connection, client_context

MANY = BINARY.parent / "many" / "bulkhead"
HEAD, DATA, END, CANCEL, ROOM = 1, 2, 3, 4, 5
ROOM_FIRST = 16384


class Stream:
    """One exchange, as the client has seen it. `ended`: None, END or CANCEL."""

    def __init__(self, number):
        self.number, self.status, self.fields = number, None, {}
        self.body, self.ended, self.may_send = b"", None, ROOM_FIRST


class Many:
    def __init__(self, port):
        self.connection = Connection(port, context=self.context())
        assert self.connection.socket.selected_alpn_protocol() == "bulkhead-test"
        self.streams, self.unsent = {}, b""
        self.order = []  # (stream, type) of each frame, as they came

    @staticmethod
    def context():
        context = client_context()
        context.set_alpn_protocols(["bulkhead-test"])
        return context

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    # --- what is sent goes out together with flush() ---

    def frame(self, number, kind, data=b""):
        self.unsent += struct.pack(">IB", number, kind) + len(data).to_bytes(3, "big") + data

    def flush(self):
        self.connection.send(self.unsent)
        self.unsent = b""

    def begin(self, line, *fields, room=0):
        """A new request, without its end."""
        s = Stream(2 * len(self.streams) + 1)
        self.streams[s.number] = s
        head = "\r\n".join([f"{line} HTTP/1.1", "Host: localhost", *fields, "", ""])
        self.frame(s.number, HEAD, head.encode())
        if room:
            self.room(s, room)
        return s

    def get(self, path, room=0):
        s = self.begin(f"GET {path}", room=room)
        self.end(s)
        return s

    def upload(self, path, length=None):
        return self.begin(f"POST {path}", "Transfer-Encoding: chunked" if length is None else
                          f"Content-Length: {length}")

    def send(self, s, data):
        assert len(data) <= s.may_send
        s.may_send -= len(data)
        self.frame(s.number, DATA, data)

    def end(self, s):
        self.frame(s.number, END)

    def cancel(self, s):
        self.frame(s.number, CANCEL)

    def room(self, s, count):
        self.frame(s.number, ROOM, struct.pack(">I", count))

    # --- what comes ---

    def read(self):
        """One frame. Body that came has room again, so that a response goes on."""
        number, kind = struct.unpack(">IB", self.connection.read_exactly(5))
        data = self.connection.read_exactly(int.from_bytes(self.connection.read_exactly(3), "big"))
        s = self.streams[number]
        assert s.ended is None, "a frame after the end"
        self.order.append((number, kind))
        if kind == HEAD:
            lines = data.decode().split("\r\n")
            assert s.status is None
            s.status = int(lines[0])
            s.fields = dict(line.split(": ", 1) for line in lines[1:-1])
        elif kind == DATA:
            assert s.status is not None
            s.body += data
            self.room(s, len(data))
        elif kind == ROOM:
            s.may_send += struct.unpack(">I", data)[0]
        else:
            assert kind in (END, CANCEL)
            s.ended = kind
        return s, kind

    def until(self, condition):
        self.flush()
        while not condition():
            self.read()
            if self.unsent:
                self.flush()

    def until_ended(self, *streams):
        self.until(lambda: all(s.ended for s in streams))
