"""Which methods go on to an upstream: all, also those without a name in the configuration, or those that are listed."""
import http.client
import socket
import threading

import pytest

from harness import TIMEOUT


@pytest.fixture
def upstream():
    """The port of a server that answers each request with its method."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve():
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                with peer:
                    data = b""
                    while b"\r\n\r\n" not in data:
                        data += peer.recv(65536)
                    method = data.split(b" ")[0]
                    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
                                 % (len(method), method))

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


def test_all_methods_go_on_unless_they_are_listed(server, ports, upstream):
    to = f'proxy to "http://127.0.0.1:{upstream}"'
    server(f"""port {ports[0]} {{
	tls off
	location "/all" {{ {to} }}
	location "/any" {{ {to} methods any }}
	location "/few" {{ {to} methods "GET" "POST" }}
}}""")

    def ask(method, path):
        client = http.client.HTTPConnection("127.0.0.1", ports[0], timeout=TIMEOUT)
        client.request(method, path)
        response = client.getresponse()
        body = response.read().decode()
        client.close()
        return response.status, body

    for method in ("GET", "PUT", "OPTIONS", "PROPFIND", "get", "X-1"):
        for path in ("/all", "/any"):
            assert ask(method, path) == (200, method), (method, path)
    assert ask("POST", "/few") == (200, "POST")
    assert ask("OPTIONS", "/few")[0] == 204  # the server itself answers that
    for method, status in (("PUT", 405), ("PROPFIND", 501), ("get", 501)):
        assert ask(method, "/few")[0] == status, method
    for method in ("TRACE", "CONNECT"):
        assert ask(method, "/all")[0] in (400, 405, 501), method
