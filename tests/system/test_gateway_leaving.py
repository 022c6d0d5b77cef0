"""A client that leaves takes its request with it, wherever that is: an upstream does not work for nobody, and
others do not wait behind it."""
import contextlib
import json
import socket
import ssl
import struct

import pytest

from harness import TIMEOUT, Connection, get, wait_for
from test_control import controlled, ctl  # noqa: F401
from upstreams import GOOD, Upstream

GET = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"
UPLOAD = b"POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello"


def closes(c):
    """In good order, with TLS's own word for the end."""
    if isinstance(c.socket, ssl.SSLSocket):
        c.socket.settimeout(0)
        with contextlib.suppress(ssl.SSLError, OSError):
            c.socket.unwrap()
    c.socket.close()


def drops(c):
    """As a program that is killed."""
    c.socket.close()


def resets(c):
    c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.socket.close()


# On TCP alone, the end of what a client sends does not mean that it has left.
WAYS = [("tls", closes), ("tls", drops), ("tls", resets), ("plain", resets)]
LEAVES = pytest.mark.parametrize("over, leaves", [pytest.param(o, w, id=f"{o}-{w.__name__}") for o, w in WAYS],
                                 indirect=["over"])


def gateway(controlled, over, port, to, more):
    return controlled(f'port {port} {{ {"tls off" if over == "plain" else ""} upstream "u" {{ '
                      f'to "http://127.0.0.1:{to.port}" timeouts {{ head 10m between 10m }} {more} }}\n'
                      'proxy to "u" }')


def ask(port, request):
    c = Connection(port)
    c.send(request)
    return c


@LEAVES
@pytest.mark.parametrize("request_", [GET, UPLOAD], ids=["get", "upload"])
def test_its_request_is_cancelled(controlled, ports, over, leaves, request_):
    with Upstream(None) as up:
        gateway(controlled, over, ports[0], up, "")
        c = ask(ports[0], request_ % 1)
        wait_for(lambda: up.seen, "the request")
        leaves(c)
        at_upstream, = up.open
        at_upstream.settimeout(TIMEOUT)
        with contextlib.suppress(ConnectionResetError):
            while at_upstream.recv(4096):  # the rest of a body that had come already
                pass


@LEAVES
def test_it_leaves_the_queue(controlled, ports, over, leaves):
    go = []

    def answer(request, client):
        wait_for(lambda: go, "the end of the wait")
        client.sendall(GOOD)

    with Upstream(answer) as up:
        s = gateway(controlled, over, ports[0], up, "connections 1 queue 2 for 10m keep off")

        def queued():
            return json.loads(ctl(s, "status", "--json", ports[0]).stdout)["ports"][0]["upstreams"][0]["queued"]

        first = ask(ports[0], GET % 1)
        wait_for(lambda: up.seen, "the first request")
        second, third = ask(ports[0], GET % 2), ask(ports[0], GET % 3)
        wait_for(lambda: queued() == 2, "two in the queue")
        leaves(second)
        wait_for(lambda: queued() == 1, "one of them to leave it")
        fourth = ask(ports[0], GET % 4)  # there is room again
        wait_for(lambda: queued() == 2, "two in the queue")
        go.append(True)
        assert [c.response().status for c in (first, third, fourth)] == [200] * 3
        assert sorted(r.split()[1] for r in up.seen) == [b"/1", b"/3", b"/4"]
        assert get(ports[0], "/5").status == 200
