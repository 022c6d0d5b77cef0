"""ClientHello messages made by hand, in every form, and a server's answers to them."""
import os
import socket
import struct

from harness import TIMEOUT

# Extensions, RFC 8446 4.2 and the registry of IANA
SERVER_NAME, MAX_FRAGMENT_LENGTH, STATUS_REQUEST, SUPPORTED_GROUPS = 0, 1, 5, 10
EC_POINT_FORMATS, SRP, SIGNATURE_ALGORITHMS, USE_SRTP, HEARTBEAT, ALPN = 11, 12, 13, 14, 15, 16
STATUS_REQUEST_V2, SCT, CLIENT_CERT_TYPE, SERVER_CERT_TYPE, PADDING = 17, 18, 19, 20, 21
ENCRYPT_THEN_MAC, EXTENDED_MASTER_SECRET, COMPRESS_CERTIFICATE, RECORD_SIZE_LIMIT = 22, 23, 27, 28
SESSION_TICKET, PRE_SHARED_KEY, EARLY_DATA, SUPPORTED_VERSIONS, COOKIE = 35, 41, 42, 43, 44
PSK_KEY_EXCHANGE_MODES, POST_HANDSHAKE_AUTH, KEY_SHARE, RENEGOTIATION_INFO = 45, 49, 51, 0xff01

P256, P384, P521, X25519, X448, X25519MLKEM768 = 23, 24, 25, 29, 30, 4588
ECDSA_SHA256, ECDSA_SHA1, RSA_PSS_SHA256, ED25519 = 0x0403, 0x0203, 0x0804, 0x0807
AES_128_GCM, AES_128_CCM, ECDHE_ECDSA, ECDHE_RSA = 0x1301, 0x1304, 0xc02b, 0xc02f
FALLBACK_SCSV = 0x5600


def vector(data, width):
    return len(data).to_bytes(width, "big") + data


def words(*numbers):
    return b"".join(struct.pack(">H", n) for n in numbers)


def name(host, kind=0):
    """One entry of a ServerNameList."""
    return bytes([kind]) + vector(host, 2)


def share(group=X25519, key=None):
    return words(group) + vector(os.urandom(32) if key is None else key, 2)


def basic13():
    return {SUPPORTED_VERSIONS: vector(words(0x0304), 1),
            SUPPORTED_GROUPS: vector(words(X25519, P256), 2),
            SIGNATURE_ALGORITHMS: vector(words(ECDSA_SHA256), 2),
            KEY_SHARE: vector(share(), 2)}


def basic12():
    return {SUPPORTED_GROUPS: vector(words(X25519, P256), 2),
            SIGNATURE_ALGORITHMS: vector(words(ECDSA_SHA256), 2),
            RENEGOTIATION_INFO: b"\0", EXTENDED_MASTER_SECRET: b""}


def hello(extensions, *, suites=(AES_128_GCM, ECDHE_ECDSA), legacy=0x0303, session=b"",
          compression=b"\0", after=b"", suites_bytes=None):
    """The message. Extensions are a dictionary (None: not sent), or a list of pairs."""
    pairs = extensions.items() if isinstance(extensions, dict) else extensions
    listed = b"".join(words(number) + vector(data, 2) for number, data in pairs if data is not None)
    body = (words(legacy) + os.urandom(32) + vector(session, 1) +
            (vector(words(*suites), 2) if suites_bytes is None else suites_bytes) +
            vector(compression, 1) + (vector(listed, 2) if listed else b"") + after)
    return message(1, body)


def message(kind, body):
    return bytes([kind]) + vector(body, 3)


def record(content, kind=22, version=0x0301):
    """In as many records as it needs."""
    step = 16384
    return b"".join(bytes([kind]) + words(version) + vector(content[i:i + step], 2)
                    for i in range(0, len(content), step) or (0,))


def records(data):
    """(type, content) of each."""
    found = []
    while len(data) >= 5:
        length = struct.unpack(">H", data[3:5])[0]
        found.append((data[0], data[5:5 + length]))
        data = data[5 + length:]
    return found


def answer(port, data):
    """The server's whole answer to these bytes: "hello", ("alert", level, description) or
    "end"."""
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as raw:
        raw.sendall(data)
        said = b""
        while part := raw.recv(65536):
            said += part
            if said[0] == 22 and len(said) > 5:
                assert said[5] == 2, said[:16]
                return "hello"
        for kind, content in records(said):
            assert kind == 21 and len(content) == 2, said
            return ("alert", content[0], content[1])
        return "end"


def conversation(port, first, second):
    """The records of the server's answer to the second of these, and up to its end."""
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as raw:
        raw.sendall(first)
        assert raw.recv(65536)[0] == 22
        raw.sendall(second)
        said = b""
        while part := raw.recv(65536):
            said += part
        return records(said)
