"""`fault upstream`: a location with `proxy` meets an upstream that fails, as if it had done so itself."""
import contextlib
import time

import pytest

from harness import Connection, get

UPSTREAM = 'port {0} {{ listen on 127.0.0.1 tls off respond 200 "0123456789" }}\n'


@pytest.fixture
def struck(server, ports):
    """A location /api with this fault in front of an upstream that works, and one beside it without."""

    def start(fault, options="", more=""):
        s = server(f'faults enabled\n{UPSTREAM.format(ports[1])}'
                   f'port {ports[0]} {{ listen on 127.0.0.1 tls off '
                   f'upstream "api" {{ to "http://127.0.0.1:{ports[1]}" {options} }}\n'
                   f'location "/well" {{ proxy to "api" }} '
                   f'location "/api" {{ fault upstream {fault} proxy to "api" {more} }} }}\n')
        s.wait_log("all 2 ports are served")
        return s

    return start


def ask(port, path="/api"):
    with Connection(port, plain=True) as c:
        return c.get(path)


@pytest.mark.parametrize("fault,status,reason", (
    ("how refuse", 502, "upstream-refused"),
    ("how malformed", 502, "upstream-malformed"),
    ("how silence", 504, "upstream-head-timeout"),
))
def test_it_is_as_if_the_upstream_had_failed(struck, ports, fault, status, reason):
    s = struck(fault, "timeouts { head 200ms }")
    response = ask(ports[0])
    assert response.status == status and response["Fault-Id"]
    assert ask(ports[0], "/well").status == 200
    s.wait_log(rf'"GET /api HTTP/1.1" {status} .*{reason}')
    s.wait_log("fault .*: upstream how .* for GET /api")


@pytest.mark.parametrize("code", (500, 503, 599))
def test_the_upstream_answers_with_a_status(struck, ports, code):
    struck(f"how status code {code}")
    response = ask(ports[0])
    assert response.status == code and response.body == b"0123456789"
    assert ask(ports[0], "/well").status == 200


@pytest.mark.parametrize("after", (0, 1, 9))
def test_the_response_is_cut(struck, ports, after):
    s = struck(f"how cut after {after}")
    with Connection(ports[0], plain=True) as c:
        c.send(b"GET /api HTTP/1.1\r\nHost: x\r\n\r\n")
        data = b""
        with contextlib.suppress(ConnectionResetError):
            while more := c.socket.recv(4096):
                data += more
    head, body = data.split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 200 ") and b"Content-Length: 10" in head
    assert body == b"0123456789"[:after]
    s.wait_log("upstream-cut")


def test_a_response_that_is_shorter_is_not_cut(struck, ports):
    struck("how cut after 1K")
    assert ask(ports[0]).body == b"0123456789"


def test_the_upstream_drips(struck, ports):
    struck("how drip rate 20")
    begun = time.monotonic()
    assert ask(ports[0]).body == b"0123456789"
    assert time.monotonic() - begun >= 0.4  # 10 bytes, the first at once


def test_an_upstream_that_refuses_is_retried_within_bounds(struck, ports):
    """The fault strikes the request, so each of its attempts fails."""
    s = struck("how refuse", f'"http://localhost:{ports[1]}"')
    assert ask(ports[0]).status == 502
    s.wait_log(r'"GET /api HTTP/1.1" 502 .*attempts 2')


def test_without_the_dice_nothing_happens(struck, ports):
    struck("how refuse probability 0")
    assert all(ask(ports[0]).status == 200 for _ in range(20))


def test_it_needs_a_proxy(run, conf_file):
    path = conf_file('c.conf', 'faults enabled\ntls off\nport 8000 { location "/" { fault upstream how cut respond 200 } }\n')
    result = run("-t", "-f", path)
    assert result.returncode != 0 and "`fault upstream` needs `proxy` in its location" in result.stderr


def test_it_cannot_be_asked_for(server, ports):
    server(f'faults enabled\nport {ports[0]} {{ tls off listen on 127.0.0.1 location "/f" {{ fault control }} }}\n')
    response = get(ports[0], "/f/upstream?how=cut", plain=True)
    assert response.status == 400 and b"belongs to the location with `proxy`" in response.body
    assert b"\nupstream:" not in get(ports[0], "/f", plain=True).body
