"""Clients that do not speak TLS to a TLS port: the answers to them, and their records in the
log."""
import re
import socket
import subprocess

import pytest

from harness import HELLO, TIMEOUT, get

THREADED = True

FAILED = r"TLS handshake with \('127.0.0.1', \d+\) failed: "
SENTENCE = b"This port speaks HTTPS: ask it with https:// in place of http://.\n"


@pytest.fixture
def serving(server, ports):
    return server(f'port {ports[0]} {{ respond 200 "Hello, world!\\n" }}')


@pytest.fixture
def port(serving, ports):
    return ports[0]


def told(port, pieces, timeout=TIMEOUT):
    """The server's whole answer to these bytes."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as raw:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            raw.sendall(piece)
        data = b""
        while part := raw.recv(65536):
            data += part
        return data


def response(data):
    """(head, body) of the one response that there is."""
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\nDate: "), data
    assert b"\r\nConnection: close" in head and b"\r\nContent-Type: text/plain" in head
    assert int(re.search(rb"Content-Length: (\d+)", head).group(1)) == len(SENTENCE)
    return head, body


REQUESTS = [b"GET / HTTP/1.1\r\nHost: secret.example\r\n\r\n", b"GET /secret HTTP/1.0\r\n\r\n",
            b"GET /secret\r\n", b"OPTIONS * HTTP/1.1\r\nHost: secret\r\n\r\n",
            b"POST /secret HTTP/1.1\r\nHost: secret\r\nContent-Length: 6\r\n\r\nsecret",
            b"CONNECT secret.example:443 HTTP/1.1\r\nHost: secret.example:443\r\n\r\n",
            b"\r\nPROPFIND /secret HTTP/1.1\r\nHost: secret\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"]


@pytest.mark.parametrize("request_bytes", REQUESTS)
@pytest.mark.parametrize("split", [False, True], ids=["whole", "split"])
def test_plain_http_is_answered_in_plain_http(serving, port, request_bytes, split):
    pieces = [request_bytes] if not split else [bytes([b]) for b in request_bytes[:12]] + \
        [request_bytes[12:]]
    head, body = response(told(port, pieces))
    assert body == SENTENCE
    assert b"secret" not in head
    serving.wait_log(FAILED + r"The client speaks plain HTTP\.")
    assert "secret" not in serving.log()
    assert get(port).body == HELLO


def test_head_has_no_body(port):
    assert response(told(port, [b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"]))[1] == b""
    assert response(told(port, [b"\r\nHEAD / HTTP/1.1\r\nHost: a\r\n\r\n"]))[1] == b""


def test_curl_is_told(port):
    result = subprocess.run(["curl", "-sS", "-w", "%{http_code}", f"http://127.0.0.1:{port}/"],
                            capture_output=True, timeout=TIMEOUT)
    assert (result.returncode, result.stdout) == (0, SENTENCE + b"400"), result.stderr


def test_a_client_that_is_still_sending_gets_to_see_it(port):
    """The server reads the client's data to its end, so that no reset destroys the answer."""
    size = 300_000
    begin = f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n".encode()
    assert response(told(port, [begin] + [b"x" * 10_000] * (size // 10_000)))[1] == SENTENCE


OTHERS = {
    "SSH": (b"SSH-2.0-OpenSSH_9.2p1 secret\r\n", "The client speaks SSH."),
    "SMTP": (b"EHLO secret.example\r\n", "The client speaks SMTP."),
    "PROXY v1": (b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n\x16\x03\x01",
                 "The client sends a header of the PROXY protocol, and the port has no `proxy protocol from`."),
    "PROXY v2": (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + b"secretsecret",
                 "The client sends a header of the PROXY protocol, and the port has no `proxy protocol from`."),
    "SSL 2": (b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + b"\x01" * 37,
              "The client begins with SSL 2.0."),
    "SSL 2 for 3.1": (b"\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10" + b"\x01" * 37,
                      "The client begins with SSL 2.0."),
    "SSL 2 for 3.3": (b"\x80\x2e\x01\x03\x03\x00\x15\x00\x00\x00\x10" + b"\x01" * 37,
                      "The client begins with SSL 2.0."),
    "FTP": (b"USER secret\r\n", "The client does not speak TLS."),
    "SOCKS": (b"\5\1\0\0\0\0", "The client does not speak TLS."),
    "a remote desktop": (b"\3\0\0\x13\x0e\xe0\0\0\0\0\0\1\0\x08\0\3\0\0\0",
                         "The client does not speak TLS."),
    "zeros": (bytes(100), "The client does not speak TLS."),
    "ones": (b"\xff" * 20000, "The client does not speak TLS."),
    "letters": (b"secret" * 100, "The client does not speak TLS."),
}


@pytest.mark.parametrize("split", [False, True], ids=["whole", "split"])
@pytest.mark.parametrize("what", OTHERS)
def test_others_are_known_by_their_first_bytes(serving, port, what, split):
    data, text = OTHERS[what]
    pieces = [data] if not split else [bytes([b]) for b in data[:20]] + [data[20:]]
    said = told(port, pieces)
    assert len(said) == 7 and said[:1] == b"\x15" and said[5] == 2, said  # one fatal alert
    serving.wait_log(FAILED + re.escape(text))
    assert "secret" not in serving.log()
    assert get(port).body == HELLO


@pytest.mark.parametrize("says", [b"G", b"SSH", b"\r\n\r\n", b"PROX", b"\x80\x2e", b"abc"])
def test_one_that_stops_before_it_is_known(serving, port, says):
    """The server closes when the client does."""
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as raw:
        raw.sendall(says)
        assert get(port).body == HELLO
        raw.shutdown(socket.SHUT_WR)
        while raw.recv(65536):
            pass
    serving.wait_log(FAILED)
    assert get(port).body == HELLO


@pytest.mark.parametrize("says", [b"", b"G", b"SSH-2.0-a", b"GET / HTTP/1.1\r\n"])
def test_none_of_them_stays(server, ports, says):
    server(f"port {ports[0]} {{ limits {{ handshake-timeout 200ms }} respond 200 }}")
    with socket.create_connection(("127.0.0.1", ports[0]), timeout=TIMEOUT) as raw:
        raw.sendall(says)
        while raw.recv(65536):
            pass
