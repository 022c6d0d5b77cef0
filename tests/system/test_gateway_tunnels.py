"""Tunnels through a gateway, as WebSockets are: what ends them, and what is still passed on then."""
import contextlib
import json
import socket

import pytest

from harness import TIMEOUT, Connection
from test_control import controlled, ctl  # noqa: F401
from upstreams import Upstream

UPGRADE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
BOTH = pytest.mark.parametrize("over", ["tls", "plain"], indirect=True)


def gateway(controlled, over, port, to, more=""):
    return controlled(f'port {port} {{ {"tls off" if over == "plain" else ""} upstream "u" {{ '
                      f'to "http://127.0.0.1:{to.port}" {more} }}\nproxy to "u" }}')


def tunnel(port):
    c = Connection(port)
    c.send(UPGRADE)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += c.socket.recv(1)
    assert head.startswith(b"HTTP/1.1 101 "), head
    return c


def wait_end(s):
    """Everything until the end or a reset."""
    s.settimeout(TIMEOUT)
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while more := s.recv(65536):
            data += more
    return data


@BOTH
def test_silence_is_no_failure_of_the_endpoint(controlled, ports, over):
    """A client could pause every endpoint so."""

    def answer(request, client):
        client.sendall(SWITCHED)
        wait_end(client)

    with Upstream(answer) as up:
        s = gateway(controlled, over, ports[0], up, "timeouts { between 200ms } fail after 1 pause 1h")
        for c in [tunnel(ports[0]) for _ in range(3)]:
            with c:
                assert wait_end(c.socket) == b""
        s.wait_log('"GET / HTTP/1.1" 101 0 ', count=3)
        assert s.log().count(" tunnel-idle upstream ") == 3
        endpoint, = json.loads(ctl(s, "status", "--json", ports[0]).stdout)["ports"][0]["upstreams"][0]["endpoints"]
        assert (sum(endpoint["failed"].values()), endpoint["paused"]) == (0, 0)
        assert "too long" not in s.log()
