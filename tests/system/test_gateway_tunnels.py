"""Tunnels through a gateway, as WebSockets are: what ends them, and what is still passed on then."""
import contextlib
import json
import ssl
import threading
import time

import pytest

from harness import TIMEOUT, Connection, wait_for
from test_control import controlled, ctl  # noqa: F401
from upstreams import Upstream

UPGRADE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
BOTH = pytest.mark.parametrize("over", ["tls", "plain"], indirect=True)


def gateway(controlled, over, port, to, more=""):
    return controlled(f'port {port} {{ {"tls off" if over == "plain" else ""} upstream "u" {{ '
                      f'to "{to}" {more} }}\nproxy to "u" }}')


def url(up):
    return f"http://127.0.0.1:{up.port}"


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
        s = gateway(controlled, over, ports[0], url(up), "timeouts { between 200ms } fail after 1 pause 1h")
        for c in [tunnel(ports[0]) for _ in range(3)]:
            with c:
                assert wait_end(c.socket) == b""
        s.wait_log('"GET / HTTP/1.1" 101 0 ', count=3)
        assert s.log().count(" tunnel-idle upstream ") == 3
        endpoint, = json.loads(ctl(s, "status", "--json", ports[0]).stdout)["ports"][0]["upstreams"][0]["endpoints"]
        assert (sum(endpoint["failed"].values()), endpoint["paused"]) == (0, 0)
        assert "too long" not in s.log()


@BOTH
def test_what_was_sent_before_the_end_arrives(controlled, ports, open_folder, over):
    """The upstream reads nothing until the client has left. More is sent than it takes then, and less than
    would keep the client from leaving."""
    go, heard = threading.Event(), []

    def answer(request, client):
        client.sendall(SWITCHED)
        go.wait(TIMEOUT)
        heard.append(wait_end(client))

    path = open_folder / "app.sock"
    with Upstream(answer, path=path):
        path.chmod(0o777)
        s = gateway(controlled, over, ports[0], f"unix:{path}")
        c = tunnel(ports[0])
        sent = b"".join(b"%09d " % i for i in range(32768))
        for at in range(0, len(sent), 4096):
            c.send(sent[at:at + 4096])
            time.sleep(0.002)  # so that most of these are read one by one
        if over == "tls":
            c.socket.settimeout(0)
            with contextlib.suppress(ssl.SSLError, OSError):
                c.socket.unwrap()
        c.socket.close()
        with contextlib.suppress(AssertionError):  # as long as it takes to lose them
            s.wait_log('"GET / HTTP/1.1" 101 ', timeout=0.5)
        go.set()
        wait_for(lambda: heard, "the end of the tunnel")
        assert (len(heard[0]), heard[0] == sent) == (len(sent), True)
