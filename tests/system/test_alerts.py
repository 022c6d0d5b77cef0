"""The answer to each ClientHello: a ServerHello, or the alert that names its error."""
import collections
import re
import signal

import pytest

from harness import HELLO, Server, free_ports, get
from hello import (AES_128_CCM, AES_128_GCM, ALPN, CLIENT_CERT_TYPE, COMPRESS_CERTIFICATE, COOKIE,
                   EARLY_DATA, EC_POINT_FORMATS, ECDHE_ECDSA, ECDHE_RSA, ECDSA_SHA1, ECDSA_SHA256,
                   ED25519, ENCRYPT_THEN_MAC, EXTENDED_MASTER_SECRET, FALLBACK_SCSV, HEARTBEAT,
                   KEY_SHARE, MAX_FRAGMENT_LENGTH, P256, PADDING, POST_HANDSHAKE_AUTH,
                   PRE_SHARED_KEY, PSK_KEY_EXCHANGE_MODES, RECORD_SIZE_LIMIT, RENEGOTIATION_INFO,
                   RSA_PSS_SHA256, SCT, SERVER_CERT_TYPE, SERVER_NAME, SESSION_TICKET,
                   SIGNATURE_ALGORITHMS, SRP, STATUS_REQUEST, STATUS_REQUEST_V2, SUPPORTED_GROUPS,
                   SUPPORTED_VERSIONS, USE_SRTP, X448, X25519, X25519MLKEM768, answer, basic12,
                   basic13, conversation, hello, message, name, record, share, vector, words)

# RFC 8446, 6, and RFC 5246, 7.2; all of them fatal
UNEXPECTED_MESSAGE, RECORD_OVERFLOW, HANDSHAKE_FAILURE, ILLEGAL_PARAMETER = 10, 22, 40, 47
DECODE_ERROR, PROTOCOL_VERSION, INAPPROPRIATE_FALLBACK, MISSING_EXTENSION = 50, 70, 86, 109
NO_APPLICATION_PROTOCOL = 120


@pytest.fixture(scope="module")
def port(tmp_path_factory, certificates):
    """The port of one server for all of these tests, with an ECDSA certificate."""
    number = free_ports(1)[0]
    s = Server(tmp_path_factory.mktemp("alerts") / "server", certificates,
               f'port {number} {{ respond 200 "Hello, world!\\n" }}')
    s.start()
    yield number
    s.cleanup()
    assert not s.sanitizer_findings()


def tls13(**options):
    """Replaces an extension of a good hello: its data, or None to leave it out. Other keys are
    options of hello()."""
    return made(basic13(), options)


def tls12(**options):
    return made(basic12(), options)


def made(extensions, options):
    numbers = {key: globals()[key] for key in options if key.isupper()}
    extensions.update({numbers[key]: options.pop(key) for key in numbers})
    return record(hello(extensions, **options))


def offered(*identities):
    """A pre_shared_key extension with these tickets and meaningless binders."""
    return (vector(b"".join(vector(i, 2) + bytes(4) for i in identities), 2) +
            vector(b"".join(vector(bytes(32), 1) for _ in identities), 2))


def p256(key):
    return tls13(SUPPORTED_GROUPS=vector(words(P256), 2), KEY_SHARE=vector(share(P256, key), 2))


TWICE13 = list(basic13().items())
PSK = (PRE_SHARED_KEY, offered(b"no ticket"))
MODES = (PSK_KEY_EXCHANGE_MODES, b"\1\1")
GOOD = hello(basic13())

REFUSED = {
    # What must be there under TLS 1.3: RFC 8446, 4.2.3, 4.2.9, 9.2
    "1.3 no signature_algorithms": (tls13(SIGNATURE_ALGORITHMS=None), MISSING_EXTENSION),
    "1.3 no supported_groups": (tls13(SUPPORTED_GROUPS=None), MISSING_EXTENSION),
    "1.3 no key_share": (tls13(KEY_SHARE=None), MISSING_EXTENSION),
    "1.3 neither": (tls13(SUPPORTED_GROUPS=None, KEY_SHARE=None), MISSING_EXTENSION),
    "a ticket without modes": (record(hello(TWICE13 + [PSK])), MISSING_EXTENSION),
    # Nothing in common: RFC 8446, 4.1.1; RFC 5246, 7.4.1.3; RFC 9155, 4
    "1.3 no group": (tls13(SUPPORTED_GROUPS=vector(words(X448), 2), KEY_SHARE=vector(b"", 2)),
                     HANDSHAKE_FAILURE),
    "1.3 no suite": (tls13(suites=(AES_128_CCM,)), HANDSHAKE_FAILURE),
    "1.3 no signature": (tls13(SIGNATURE_ALGORITHMS=vector(words(RSA_PSS_SHA256), 2)),
                         HANDSHAKE_FAILURE),
    "1.3 SHA-1": (tls13(SIGNATURE_ALGORITHMS=vector(words(ECDSA_SHA1), 2)), HANDSHAKE_FAILURE),
    "1.2 no group": (tls12(SUPPORTED_GROUPS=vector(words(X448), 2)), HANDSHAKE_FAILURE),
    "1.2 no suite": (tls12(suites=(ECDHE_RSA,)), HANDSHAKE_FAILURE),
    "1.2 no signature": (tls12(SIGNATURE_ALGORITHMS=vector(words(RSA_PSS_SHA256, ED25519), 2)),
                         HANDSHAKE_FAILURE),
    "1.2 SHA-1": (tls12(SIGNATURE_ALGORITHMS=vector(words(ECDSA_SHA1), 2)), HANDSHAKE_FAILURE),
    "1.2 no signature_algorithms": (tls12(SIGNATURE_ALGORITHMS=None), HANDSHAKE_FAILURE),
    "1.2 no extensions": (record(hello({}, suites=(ECDHE_ECDSA,))), HANDSHAKE_FAILURE),
    "no protocol": (tls13(ALPN=vector(vector(b"h2", 1), 2)), NO_APPLICATION_PROTOCOL),
    # Versions: RFC 8446, 4.2.1; RFC 7507
    "a later version": (tls13(SUPPORTED_VERSIONS=vector(words(0x0305), 1)), PROTOCOL_VERSION),
    "1.1 by extension": (tls13(SUPPORTED_VERSIONS=vector(words(0x0302), 1)), PROTOCOL_VERSION),
    "1.1": (tls12(legacy=0x0302), PROTOCOL_VERSION),
    "1.0": (tls12(legacy=0x0301), PROTOCOL_VERSION),
    "3.0": (tls12(legacy=0x0300), PROTOCOL_VERSION),
    "a fallback": (tls12(suites=(ECDHE_ECDSA, FALLBACK_SCSV)), INAPPROPRIATE_FALLBACK),
    # Values that are never allowed: RFC 8446, 4.1.2, 4.2.8.2, 4.2.11; RFC 7748, 6.1;
    # RFC 8449, 4; RFC 6066, 4; RFC 5746, 3.6
    "no null compression": (tls13(compression=b"\1"), ILLEGAL_PARAMETER),
    "1.2 no null compression": (tls12(compression=b"\1"), ILLEGAL_PARAMETER),
    "X25519 zero": (tls13(KEY_SHARE=vector(share(X25519, bytes(32)), 2)), ILLEGAL_PARAMETER),
    "X25519 of a low order": (tls13(KEY_SHARE=vector(share(X25519, b"\1" + bytes(31)), 2)),
                              ILLEGAL_PARAMETER),
    "X25519 short": (tls13(KEY_SHARE=vector(share(X25519, bytes(31)), 2)), ILLEGAL_PARAMETER),
    "X25519 long": (tls13(KEY_SHARE=vector(share(X25519, bytes(33)), 2)), ILLEGAL_PARAMETER),
    "P-256 off the curve": (p256(b"\4" + b"a" * 64), ILLEGAL_PARAMETER),
    "P-256 short": (p256(b"\4" + b"a" * 63), ILLEGAL_PARAMETER),
    "P-256 compressed": (p256(b"\2" + b"a" * 32), ILLEGAL_PARAMETER),
    "P-256 hybrid": (p256(b"\6" + b"a" * 64), ILLEGAL_PARAMETER),
    "P-256 empty": (p256(b""), ILLEGAL_PARAMETER),
    "P-256 infinite": (p256(b"\0"), ILLEGAL_PARAMETER),
    "a ticket before others": (record(hello([MODES, PSK] + TWICE13)), ILLEGAL_PARAMETER),
    "a known extension twice": (record(hello(list(basic12().items()) +
                                             [(EXTENDED_MASTER_SECRET, b"")])), ILLEGAL_PARAMETER),
    "two server names": (record(hello([(SERVER_NAME, vector(name(b"a"), 2))] * 2 + TWICE13)),
                         ILLEGAL_PARAMETER),
    "a record size limit of 63": (tls13(RECORD_SIZE_LIMIT=words(63)), ILLEGAL_PARAMETER),
    "no such fragment length": (tls13(MAX_FRAGMENT_LENGTH=b"\x09"), ILLEGAL_PARAMETER),
    "a renegotiation at first": (tls12(RENEGOTIATION_INFO=vector(bytes(12), 1)),
                                 HANDSHAKE_FAILURE),
    # What cannot be parsed: RFC 8446, 6.2
    "an empty hello": (record(message(1, b"")), DECODE_ERROR),
    "a session id of 33": (tls13(session=bytes(33)), DECODE_ERROR),
    "no suites": (tls13(suites=()), DECODE_ERROR),
    "half a suite": (tls13(suites_bytes=vector(b"\x13\1\0", 2)), DECODE_ERROR),
    "suites beyond the end": (tls13(suites_bytes=b"\xff\xff\x13\1"), DECODE_ERROR),
    "no compression": (tls13(compression=b""), DECODE_ERROR),
    "something after": (tls13(after=b"x"), DECODE_ERROR),
    "half a version": (tls13(SUPPORTED_VERSIONS=vector(b"\3\4\3", 1)), DECODE_ERROR),
    "half a group": (tls13(SUPPORTED_GROUPS=vector(b"\0\x1d\0", 2)), DECODE_ERROR),
    "groups without a length": (tls13(SUPPORTED_GROUPS=b""), DECODE_ERROR),
    "formats without a length": (tls12(EC_POINT_FORMATS=b""), DECODE_ERROR),
    "no signatures": (tls13(SIGNATURE_ALGORITHMS=vector(b"", 2)), DECODE_ERROR),
    "a share that is cut": (tls13(KEY_SHARE=vector(share(), 2)[:-1]), DECODE_ERROR),
    "an empty ALPN list": (tls13(ALPN=vector(b"", 2)), DECODE_ERROR),
    "an empty ALPN name": (tls13(ALPN=vector(b"\0", 2)), DECODE_ERROR),
    "an ALPN name that is cut": (tls13(ALPN=b"\0\x09\x08http"), DECODE_ERROR),
    "an empty server_name": (tls13(SERVER_NAME=b""), DECODE_ERROR),
    "an empty list of names": (tls13(SERVER_NAME=vector(b"", 2)), DECODE_ERROR),
    "a name that is cut": (tls13(SERVER_NAME=vector(name(b"abc"), 2)[:-1]), DECODE_ERROR),
    "a name beyond its list": (tls13(SERVER_NAME=b"\0\5\0\0\x09ab"), DECODE_ERROR),
    "a ticket that is cut": (record(hello(TWICE13 + [MODES, (PRE_SHARED_KEY, b"\1\2\3")])),
                             DECODE_ERROR),
    "a limit without a number": (tls13(RECORD_SIZE_LIMIT=b""), DECODE_ERROR),
    "a master secret with data": (tls12(EXTENDED_MASTER_SECRET=b"\0"), DECODE_ERROR),
    # What is not at its place: RFC 8446, 5, 5.1
    "data": (record(b"hello", 23), UNEXPECTED_MESSAGE),
    "a change_cipher_spec": (record(b"\1", 20) + record(GOOD), UNEXPECTED_MESSAGE),
    "no such record": (record(b"hello", 99), UNEXPECTED_MESSAGE),
    "a heartbeat": (record(b"\1\0\1x", 24), UNEXPECTED_MESSAGE),
    "a ServerHello": (record(message(2, GOOD[4:])), UNEXPECTED_MESSAGE),
    "a Finished": (record(message(20, bytes(12))), UNEXPECTED_MESSAGE),
    "a KeyUpdate": (record(message(24, b"\0")), UNEXPECTED_MESSAGE),
    "no such message": (record(message(99, b"abc")), UNEXPECTED_MESSAGE),
    "data within": (record(GOOD[:20]) + record(b"x", 23), UNEXPECTED_MESSAGE),
    "an empty record": (record(b"") + record(GOOD), UNEXPECTED_MESSAGE),
    "an overlong record": (b"\x16\3\1\x48\1" + GOOD + bytes(0x4801), RECORD_OVERFLOW),
    "an overlong message": (record(b"\1\xff\xff\xff" + bytes(600000)), DECODE_ERROR),
    "a record of SSL 2": (record(GOOD, 22, 0x0200), PROTOCOL_VERSION),
}


KINDS = {HANDSHAKE_FAILURE: "choice", NO_APPLICATION_PROTOCOL: "choice",
         PROTOCOL_VERSION: "version", INAPPROPRIATE_FALLBACK: "version"}  # others: "malformed"


def test_each_failure_is_counted_by_its_kind(server, ports):
    s = server(f"port {ports[0]} {{ respond 200 }}")
    for data, _ in REFUSED.values():
        answer(ports[0], data)
    s.kill(signal.SIGUSR1)  # the status, in words
    line = s.wait_log(r"status: serving:.*\n")[0].group()
    failed = {kind: int(n) for kind, n in re.findall(r"handshakes_failed_(\w+)=(\d+)", line)}
    assert {kind: n for kind, n in failed.items() if n} == \
        collections.Counter(KINDS.get(alert, "malformed") for _, alert in REFUSED.values())


@pytest.mark.parametrize("case", REFUSED)
def test_a_hello_is_refused_by_the_right_alert(port, case):
    data, alert = REFUSED[case]
    assert answer(port, data) == ("alert", 2, alert)


@pytest.mark.parametrize("level, description, text", [
    (2, 40, "Handshake failed"), (1, 90, "User canceled"), (2, 0xf0, "The client sent an unknown "
                                                           "alert."),
    (1, 0, "The client closed the connection."), (2, 0, "Close notify")])
def test_an_alert_within_the_first_hello_is_named(server, ports, level, description, text):
    """No alert answers it: the client has ended."""
    s = server(f"port {ports[0]} {{ respond 200 }}")
    assert answer(ports[0], record(GOOD[:20]) + record(bytes([level, description]), 21)) == "end"
    s.wait_log(rf"TLS handshake with \S+ \d+\) failed: {re.escape(text)}\n")


# The server ignores extensions that it does not use (RFC 8446, 4.2), and those that it need not
# judge.
UNUSED = (STATUS_REQUEST, SRP, USE_SRTP, HEARTBEAT, STATUS_REQUEST_V2, SCT, CLIENT_CERT_TYPE,
          SERVER_CERT_TYPE, PADDING, ENCRYPT_THEN_MAC, COMPRESS_CERTIFICATE, SESSION_TICKET,
          EARLY_DATA, COOKIE, POST_HANDSHAKE_AUTH, 0x0a0a, 0x3374, 0xfe0d, 0xffff)


@pytest.mark.parametrize("number", UNUSED)
def test_what_is_not_used_is_not_judged(port, number):
    for data in (b"", b"\0", b"\xff" * 3, b"\xff" * 300):
        for basic in (basic12(), basic13()):
            assert answer(port, record(hello({number: data, **basic}))) == "hello", data


SERVED = {
    "1.3": tls13(), "1.2": tls12(),
    "both": record(hello({**basic12(), **basic13(),
                          SUPPORTED_VERSIONS: vector(words(0x0304, 0x0303), 1)})),
    "1.3 and later ones": tls13(SUPPORTED_VERSIONS=vector(words(0x7a7a, 0x0305, 0x0304), 1)),
    "a later legacy version": tls12(legacy=0x0305),
    "records of SSL 3": record(GOOD, 22, 0x0300), "records of TLS 1.3": record(GOOD, 22, 0x0304),
    "no groups": tls12(SUPPORTED_GROUPS=None),
    "an unknown protocol first": tls13(ALPN=vector(vector(b"\0\xff \n", 1) + vector(b"http/1.1", 1),
                                                   2)),
    "two names": tls13(SERVER_NAME=vector(name(b"a") + name(b"b"), 2)),
    "no host name": tls13(SERVER_NAME=vector(name(b"a", 1), 2)),
    "an empty name": tls13(SERVER_NAME=vector(name(b""), 2)),
    "a zero byte": tls13(SERVER_NAME=vector(name(b"localhost\0.example"), 2)),
    "every byte": tls13(SERVER_NAME=vector(name(bytes(range(256))), 2)),
    "a name of 60000": tls13(SERVER_NAME=vector(name(b"a" * 60000), 2)),
    "a limit of 64": tls13(RECORD_SIZE_LIMIT=words(64)),
    "no limit": tls13(RECORD_SIZE_LIMIT=words(0xffff)),
    "no such ticket": record(hello(TWICE13 + [MODES, PSK])),
    "modes that are not ours": record(hello(TWICE13 + [(PSK_KEY_EXCHANGE_MODES, b"\1\0"), PSK])),
    "many tickets": record(hello(TWICE13 + [MODES, (PRE_SHARED_KEY,
                                                    offered(*[b"t" * 200] * 60))])),
    "300 suites": tls13(suites=(*range(0x5a00, 0x5b2c), AES_128_GCM)),
    "1.2 with 300 suites": tls12(suites=(*range(0x5a00, 0x5b2c), ECDHE_ECDSA)),
    "300 groups": tls13(SUPPORTED_GROUPS=vector(words(*range(0x5a00, 0x5b2c), X25519), 2)),
    "300 signatures": tls13(SIGNATURE_ALGORITHMS=vector(words(*range(0x5a00, 0x5b2c),
                                                              ECDSA_SHA256), 2)),
    "100 extensions": record(hello({**{0x5a00 + n: b"x" for n in range(100)}, **basic13()})),
    "50 shares": tls13(KEY_SHARE=vector(b"".join(share(0x5a00 + n) for n in range(50)) + share(),
                                        2)),
    "grease": record(hello({0x1a1a: b"", **basic13(), 0x2a2a: b"\0",
                            SUPPORTED_GROUPS: vector(words(0x3a3a, X25519), 2),
                            KEY_SHARE: vector(share(0x3a3a, b"\0") + share(), 2),
                            SUPPORTED_VERSIONS: vector(words(0x4a4a, 0x0304), 1)},
                           suites=(0x5a5a, AES_128_GCM), session=bytes(32))),
    "ALPN names of 255": tls13(ALPN=vector(vector(b"x" * 255, 1) * 100 + vector(b"http/1.1", 1),
                                           2)),
    "a share of 20000": tls13(KEY_SHARE=vector(share(0x6399, bytes(20000)) + share(), 2)),
    "a hybrid share first": tls13(
        SUPPORTED_GROUPS=vector(words(X25519MLKEM768, X25519), 2),
        # An ML-KEM key of zeros is one (FIPS 203, 7.2)
        KEY_SHARE=vector(share(X25519MLKEM768, bytes(1184) + b"\x09" + bytes(31)) + share(), 2)),
    "to be asked again": tls13(KEY_SHARE=vector(b"", 2)),
}


@pytest.mark.parametrize("case", SERVED)
def test_a_hello_that_is_served(port, case):
    assert answer(port, SERVED[case]) == "hello"
    assert get(port).body == HELLO


@pytest.mark.parametrize("second", [
    tls13(KEY_SHARE=vector(b"", 2)), tls13(KEY_SHARE=vector(share(P256, b"\4" + b"a" * 64), 2)),
    tls12(), tls13(SUPPORTED_VERSIONS=vector(words(0x0303), 1))],
    ids=["no share", "another share", "no version", "another version"])
def test_a_client_that_does_not_do_what_it_is_asked(port, second):
    """RFC 8446, 4.1.2: after a HelloRetryRequest the client repeats the same hello, with the
    key share."""
    assert conversation(port, tls13(KEY_SHARE=vector(b"", 2)), second)[-1] == \
        (21, bytes([2, ILLEGAL_PARAMETER]))


@pytest.mark.parametrize("first, second", [
    (b"a.example", b"b.example"), (b"a.example", None), (None, b"b.example"), (b"_", b"a.example")])
def test_a_client_that_asks_for_another_host_in_its_second_hello(port, first, second):
    def said(host, key_share):
        names = None if host is None else vector(name(host), 2)
        return tls13(SERVER_NAME=names, KEY_SHARE=key_share)

    assert conversation(port, said(first, vector(b"", 2)), said(second, vector(share(), 2)))[-1] == \
        (21, bytes([2, ILLEGAL_PARAMETER]))
