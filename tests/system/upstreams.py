"""Upstreams of the tests: small HTTP servers that do what a test says, and remember who came."""
import contextlib
import socket
import threading

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"


class Upstream:
    """`answer` is bytes for every request, None for silence, or a function of the request and the connection.
    `seen` has the requests' first lines, `came` the addresses that were connected to."""

    def __init__(self, answer=GOOD, host="127.0.0.1", port=0, context=None, path=None):
        self.answer, self.context, self.seen, self.came, self.open = answer, context, [], [], []
        if path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(str(path))
            self.listener.listen(64)
        else:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self.listener = socket.create_server((host, port), family=family, backlog=64)
            self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for c in self.open:
            with contextlib.suppress(OSError):
                c.close()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                name = client.getsockname()
                self.came.append(name[0] if isinstance(name, tuple) else name)
                threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with contextlib.suppress(OSError):
            client.settimeout(60)
            if self.context:
                client = self.context.wrap_socket(client, server_side=True)
            self.open.append(client)
            request = b""
            while b"\r\n\r\n" not in request:
                data = client.recv(4096)
                if not data:
                    return
                request += data
            self.seen.append(request)
            if callable(self.answer):
                self.answer(request, client)
            elif self.answer is not None:
                client.sendall(self.answer)
            if self.answer is not None:
                client.close()
