"""What upstreams may do wrong, by its kind: for tests with many clients at once."""
import time

from gateway import chunked, reset

# What an upstream does with a request; what it may mean for the client: "whole" or "any".
KINDS = {
    "length": "whole", "chunked": "whole", "close": "whole", "ended": "whole", "hints": "whole", "slow": "whole",
    "more": "whole", "idle-end": "whole", "idle-reset": "any", "cut": "any", "reset": "any", "none": "any",
    "garbage": "any", "both": "any", "early": "any", "chunk": "any"
}


def content(number, size):
    return (b"<%d>" % number * (size // 3 + 1))[:size] + b"<%d>" % number


def answer(sock, kind, method, body):
    """Does it; whether the connection goes on."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    body = b"" if method == "HEAD" else body
    chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    other = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n<poison>"
    if kind == "hints":
        sock.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
    if kind == "slow":
        sock.sendall(head[:10])
        time.sleep(0.03)
        sock.sendall(head[10:] + body)
    elif kind == "chunked":
        sock.sendall(chunks +
                     (chunked(body[:100], body[100:]) if len(body) > 100 else chunked(body) if body else b""))
        return True
    elif kind in ("close", "ended"):
        sock.sendall(head[:-2] + b"Connection: close\r\n\r\n" +
                     body if kind == "close" else b"HTTP/1.1 200 OK\r\n\r\n" + body)
        return False
    elif kind == "more":  # in one segment: nobody could recognize bytes that come after the next request
        sock.sendall(head + body + other if len(body) < 2000 else head + body)
    elif kind == "idle-reset":
        sock.sendall(head + body)
        time.sleep(0.01)
        reset(sock)
        return False
    elif kind == "cut":
        sock.sendall(head[:-2] + b"X: y\r\n\r\n" + body[:len(body) // 2])
        return False
    elif kind == "reset":
        sock.sendall(head + body[:3])
        reset(sock)
        return False
    elif kind == "none":
        return False
    elif kind == "garbage":
        sock.sendall(b"\x16\x03\x01 hello\r\n\r\n" + other)
    elif kind == "both":
        sock.sendall(head[:-2] + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(body) + other)
    elif kind == "chunk":
        sock.sendall(chunks + b"5\r\nhello!\r\n0\r\n\r\n" + other)
    else:
        sock.sendall(head + body)
    return kind != "idle-end"
