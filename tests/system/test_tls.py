"""TLS as clients see it: versions, certificates, ALPN, tickets, alerts, ends."""
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess

import pytest

from harness import HELLO, TIMEOUT, Connection, client_context, get, have, strict
from s_client import s_client

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
# Alerts, RFC 8446 6.2 and RFC 5246 7.2
HANDSHAKE_FAILURE, PROTOCOL_VERSION, NO_RENEGOTIATION, NO_APPLICATION_PROTOCOL = 40, 70, 100, 120


@pytest.fixture
def serving(server, ports):
    """The server of the port hello."""
    return server(f'port {ports[0]} {{ respond 200 "Hello, world!\\n" }}')


@pytest.fixture
def hello(serving, ports):
    return ports[0]


def shown(port, *args):
    """openssl s_client that makes one request and waits for the server's end."""
    return s_client(port, "-ign_eof", *args, data=GET.decode())


def read_all(raw):
    """All bytes up to the end; a reset fails the test."""
    data = b""
    while part := raw.recv(65536):
        data += part
    return data


def alerts(data):
    """(level, description) of the records in the clear at the end of a conversation."""
    found = []
    while len(data) >= 5:
        kind, length = data[0], struct.unpack(">H", data[3:5])[0]
        if kind == 21 and length == 2:
            found.append((data[5], data[6]))
        data = data[5 + length:]
    assert data == b"", "half a record"
    return found


def version(number, **options):
    return client_context(minimum_version=number, maximum_version=number, **options)


V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
both = pytest.mark.parametrize("number", [V12, V13], ids=["tls1.2", "tls1.3"])


# --- versions and ciphers ----------------------------------------------------------------------


@pytest.mark.parametrize("number,name", [(V12, "TLSv1.2"), (V13, "TLSv1.3")])
def test_both_versions_serve(hello, number, name):
    with Connection(hello, context=version(number)) as c:
        assert c.socket.version() == name
        assert c.get().body == HELLO


@pytest.mark.parametrize("option", ["-tls1", "-tls1_1"])
def test_older_versions_are_refused_with_protocol_version(hello, option):
    seen = s_client(hello, option, "-cipher", "ALL:@SECLEVEL=0")
    assert seen.alert == PROTOCOL_VERSION, seen
    assert get(hello).status == 200


def test_no_static_rsa(server, ports, certificates):
    server(certificates.tls("rsa") + f"port {ports[0]} {{ respond 200 }}")
    seen = s_client(ports[0], "-tls1_2", "-cipher", "kRSA:@SECLEVEL=0")
    assert seen.alert == HANDSHAKE_FAILURE, seen
    assert not seen.established, seen
    assert shown(ports[0], "-tls1_2").cipher == "ECDHE-RSA-AES128-GCM-SHA256"


def test_the_server_prefers_x25519_and_aes_128(hello):
    seen = shown(hello, "-tls1_3", "-groups", "P-521:P-384:P-256:X25519", "-ciphersuites",
                 "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256")
    assert (seen.group, seen.cipher) == ("X25519", "TLS_AES_128_GCM_SHA256"), seen
    seen = shown(hello, "-tls1_2", "-groups", "P-384:P-256:X25519", "-cipher",
                 "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384:"
                 "ECDHE-ECDSA-AES128-GCM-SHA256")
    assert (seen.group, seen.cipher) == ("X25519", "ECDHE-ECDSA-AES128-GCM-SHA256"), seen


@pytest.mark.parametrize("group", ["P-256", "P-384", "P-521"])
def test_other_groups_serve_clients_that_have_nothing_else(hello, group):
    name = {"P-256": "secp256r1", "P-384": "secp384r1", "P-521": "secp521r1"}[group]
    assert shown(hello, "-groups", group).group == name


@pytest.mark.parametrize("cipher", ["ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES128-CCM8",
                                    "AECDH-NULL-SHA"])
def test_only_aead_ciphers(hello, cipher):
    seen = s_client(hello, "-tls1_2", "-cipher", cipher + ":@SECLEVEL=0")
    assert seen.alert == HANDSHAKE_FAILURE, seen


# --- certificates ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind,signature,options", [
    ("ecdsa", "ecdsa", ["-tls1_3", "-tls1_2"]), ("p384", "ecdsa", ["-tls1_3", "-tls1_2"]),
    ("rsa", "rsa_pss", ["-tls1_3", "-tls1_2"]), ("rsa4096", "rsa_pss", ["-tls1_3", "-tls1_2"]),
    ("ed25519", "ed25519", ["-tls1_3"])])
def test_every_kind_of_certificate_serves(server, ports, certificates, kind, signature, options):
    server(certificates.tls(kind) + f'port {ports[0]} {{ respond 200 "x" }}')
    for option in options:
        seen = shown(ports[0], option)
        assert (seen.signature, seen.name) == (signature, kind), seen
        assert "HTTP/1.1 200 OK" in seen
    result = subprocess.run(["curl", "-sS", "--cacert", certificates(kind)[0],
                             f"https://localhost:{ports[0]}/"], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, "x"), result.stderr


def test_rsa_pkcs1_for_a_client_that_has_no_pss(server, ports, certificates):
    server(certificates.tls("rsa") + f'port {ports[0]} {{ respond 200 "x" }}')
    for digest in ("SHA256", "SHA384", "SHA512"):
        seen = shown(ports[0], "-tls1_2", "-sigalgs", f"RSA+{digest}")
        assert (seen.signature, seen.digest) == ("rsa", digest.lower()), seen
        assert "HTTP/1.1 200 OK" in seen


def test_an_ed25519_key_signs_under_tls_1_3_only(server, ports, certificates):
    """Under TLS 1.2 the signed content has no recognisable form, so client and server have no
    algorithm in common."""
    s = server(certificates.tls("ed25519") + f'port {ports[0]} {{ respond 200 "x" }}'
               f'port {ports[1]} {{ {certificates.tls("ed25519", "ecdsa")} respond 200 "x" }}')
    assert s_client(ports[0], "-tls1_2").alert == HANDSHAKE_FAILURE
    s.wait_log(r"failed: The client cannot verify the key of any certificate here\.")
    assert shown(ports[1], "-tls1_2").signature == "ecdsa"
    assert get(ports[0]).status == 200
    assert "refused worker" not in s.log()


@pytest.fixture
def chain(tmp_path):
    """A root, an intermediate, a leaf: (root.pem, leaf + intermediate, key of the leaf)."""

    def run(*args):
        subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True, cwd=tmp_path)

    ec = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    run("req", "-x509", *ec, "-keyout", "root.key", "-out", "root.pem", "-days", 30, "-subj",
        "/CN=root", "-addext", "keyUsage=critical,keyCertSign")
    for name, issuer, ext in (
            ("middle", "root", "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n"),
            ("leaf", "middle", "subjectAltName=DNS:localhost,IP:127.0.0.1\n")):
        (tmp_path / "ext").write_text(ext)
        run("req", *ec, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        run("x509", "-req", "-in", f"{name}.csr", "-CA", f"{issuer}.pem", "-CAkey",
            f"{issuer}.key", "-CAcreateserial", "-out", f"{name}.pem", "-days", 30, "-extfile",
            "ext")
    bundle = tmp_path / "bundle.pem"
    bundle.write_text((tmp_path / "leaf.pem").read_text() + (tmp_path / "middle.pem").read_text())
    return tmp_path / "root.pem", bundle, tmp_path / "leaf.key"


def test_a_chain_is_sent_and_verifies(server, ports, chain):
    root, bundle, key = chain
    server(f'tls {{ certificate "{bundle}" key "{key}" }}\n'
           f'port {ports[0]} {{ respond 200 "x" }}\n'
           f'port {ports[1]} {{ tls {{ certificate "{bundle.parent}/leaf.pem" key "{key}" }} '
           'respond 200 "x" }')
    for port, status in ((ports[0], 0), (ports[1], 60)):  # without the intermediate: no trust
        result = subprocess.run(["curl", "-sS", "--cacert", root, f"https://localhost:{port}/"],
                                capture_output=True, text=True)
        assert result.returncode == status, result.stderr
    seen = shown(ports[0], "-showcerts", "-CAfile", str(root))
    assert len(seen.certificates) >= 2 and seen.verified, seen


def test_rsa_and_ecdsa_on_one_port_by_the_clients_abilities(server, ports, certificates):
    for order in (("rsa", "ecdsa"), ("ecdsa", "rsa")):
        s = server(certificates.tls(*order) + f"port {ports[0]} {{ respond 200 }}")
        for option in ("-tls1_3", "-tls1_2"):
            assert shown(ports[0], option).name == "ecdsa"
            assert shown(ports[0], option, "-sigalgs", "RSA-PSS+SHA256:RSA+SHA256").name == "rsa"
            assert shown(ports[0], option, "-sigalgs", "ECDSA+SHA256").name == "ecdsa"
        assert s.stop() == 0


def test_ed25519_beside_rsa(server, ports, certificates):
    server(certificates.tls("rsa", "ed25519") + f"port {ports[0]} {{ respond 200 }}")
    assert shown(ports[0], "-sigalgs", "RSA-PSS+SHA256").name == "rsa"
    assert shown(ports[0], "-sigalgs", "ed25519").name == "ed25519"


# Names as in RFC 6066, 3, and names that real clients have sent.
ODD_NAMES = ["my_service", "_x.example", "*.example.com", "::1", "127.0.0.1", "t\u00e9st.example",
             "xn--tst-bma.example", "a..b", ".", "-", "a b", "localhost.", "x" * 64, "a" * 255,
             "a\x01b", "\U0001f600", "[::1]:443", "https://a/", "%", "a\r\nb: c"]


@pytest.mark.parametrize("name", [None, "localhost", "no.such.name.invalid", "a" * 60 + ".example"])
def test_the_server_name_makes_no_difference(hello, name):
    with Connection(hello, server_hostname=name) as c:
        assert c.get().body == HELLO


@pytest.mark.parametrize("option", ["-tls1_3", "-tls1_2"])
def test_no_server_name_is_refused(server, ports, option):
    """Nor does any step change the name before it is shown."""
    s = server(f"port {ports[0]} {{ echo }}")
    for name in ODD_NAMES:
        seen = shown(ports[0], option, "-servername", name)
        assert "HTTP/1.1 200 OK" in seen, (name, seen)
        body = json.loads(re.search(r"^\{.*\}$", seen.text, re.M).group())
        assert body["tls"]["server_name"] == name
    assert "TLS handshake" not in s.log()


@pytest.mark.parametrize("option", ["-tls1_3", "-tls1_2"])
def test_a_ticket_takes_the_name_along(server, ports, tmp_path, option):
    """That is, the client repeats it."""
    server(f"port {ports[0]} {{ echo }}")
    for way, resumed in (("-sess_out", False), ("-sess_in", True)):
        seen = shown(ports[0], option, "-servername", "my_service", way, str(tmp_path / "session"))
        tls = json.loads(re.search(r"^\{.*\}$", seen.text, re.M).group())["tls"]
        assert (tls["server_name"], tls["resumed"]) == ("my_service", resumed)


@pytest.fixture
def named(tmp_path):
    """named(file, subject alternative names, kind) makes a pair and returns its line for a port."""

    def make(stem, names, kind=("ec", "-pkeyopt", "ec_paramgen_curve:P-256")):
        certificate, key = tmp_path / f"{stem}.pem", tmp_path / f"{stem}.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", *kind, "-nodes", "-keyout", str(key),
                        "-out", str(certificate), "-days", "30", "-subj", f"/CN={stem}", "-addext",
                        f"subjectAltName={names}"], check=True, capture_output=True)
        return f'certificate "{certificate}" key "{key}" '

    return make


def subject(port, *args):
    """The names of the presented certificate."""
    seen = shown(port, *args)
    assert "HTTP/1.1 200 OK" in seen, seen
    return seen.name


RSA_ONLY = {"-tls1_3": ["-sigalgs", "RSA-PSS+SHA256"],
            "-tls1_2": ["-cipher", "ECDHE-RSA-AES128-GCM-SHA256"]}


@pytest.mark.parametrize("option", ["-tls1_3", "-tls1_2"])
def test_the_certificate_is_that_of_the_name(server, ports, named, option):
    """RFC 9525, 6.3, and RFC 4343: wildcards for one label, in any case of the letters."""
    rsa = ("rsa:2048",)
    server("tls { " + named("first", "DNS:one.example,DNS:127.example") +
           named("wild", "DNS:two.example,DNS:*.two.example") +
           named("exact", "DNS:www.two.example,DNS:_sip.three.example") +
           named("address", "DNS:four.example,IP:127.0.0.1,IP:::1") +
           named("rsa", "DNS:five.example", rsa) + named("both-rsa", "DNS:two.example", rsa) +
           f'}} port {ports[0]} {{ respond 200 "x" }}')
    for name, wanted in (("one.example", "first"), ("ONE.example", "first"),
                         ("two.example", "wild"), ("TWO.EXAMPLE", "wild"),
                         ("two.example.", "wild"), ("mail.two.example", "wild"),
                         ("MAIL.two.example", "wild"), ("www.two.example", "exact"),
                         ("WWW.Two.Example", "exact"), ("a.b.two.example", "first"),
                         ("_sip.three.example", "exact"), ("::1", "address"),
                         ("127.0.0.1", "address"), ("five.example", "rsa"),
                         ("FIVE.example", "rsa"), ("none.example", "first"), ("*", "first"),
                         ("two.examplE\u212a", "first"), ("my_service", "first")):
        assert subject(ports[0], option, "-servername", name) == wanted, name
    assert subject(ports[0], option, "-noservername") == "first"
    # Among the certificates for a name, one that the client can verify; else any other that it
    # can verify.
    for name, wanted in (("two.example", "both-rsa"), ("five.example", "rsa"),
                         ("one.example", "rsa"), ("www.two.example", "rsa")):
        assert subject(ports[0], option, "-servername", name, *RSA_ONLY[option]) == wanted, name


def test_curves_and_digests_decide_among_those_of_a_name(server, ports, named):
    """RFC 8446, 4.2.3: under TLS 1.3 a signature scheme has one curve."""
    p384 = ("ec", "-pkeyopt", "ec_paramgen_curve:P-384")
    server("tls { " + named("p256", "DNS:a.example") + named("p384", "DNS:a.example", p384) +
           named("ed25519", "DNS:a.example", ("ed25519",)) +
           f'}} port {ports[0]} {{ respond 200 "x" }}')
    for sigalgs, wanted in (("ECDSA+SHA256:ECDSA+SHA384", "p256"), ("ECDSA+SHA384", "p384"),
                            ("ed25519", "ed25519"), ("ed25519:ECDSA+SHA384", "p384"),
                            ("ECDSA+SHA512:ed25519", "ed25519")):
        assert subject(ports[0], "-servername", "a.example", "-tls1_3", "-sigalgs",
                       sigalgs) == wanted
    assert subject(ports[0], "-tls1_2", "-sigalgs", "ECDSA+SHA384") == "p256"
    assert subject(ports[0], "-tls1_2", "-sigalgs", "ed25519:ECDSA+SHA256") == "p256"


def test_an_expired_certificate_is_served_after_a_warning(server, ports, certificates):
    s = server(certificates.tls("expired") + f"port {ports[0]} {{ workers 2 respond 200 }}")
    assert get(ports[0]).status == 200
    matches = s.wait_log(r'certificate ".*expired\.pem" expired on \d{4}-\d\d-\d\d')
    assert len(matches) == 1


# --- ALPN --------------------------------------------------------------------------------------


@both
def test_alpn(hello, number):
    for offered, selected in ((["http/1.1"], "http/1.1"), (["h2", "http/1.1"], "http/1.1"),
                              (["http/1.0"], "http/1.0"), (["http/1.0", "http/1.1"], "http/1.1"),
                              (None, None)):
        context = version(number)
        if offered is not None:
            context.set_alpn_protocols(offered)
        with Connection(hello, context=context) as c:
            assert c.socket.selected_alpn_protocol() == selected
            assert c.get().body == HELLO


@pytest.mark.parametrize("option", ["-tls1_3", "-tls1_2"])
def test_alpn_without_overlap_is_refused(serving, hello, option):
    seen = s_client(hello, option, "-alpn", "h2,spdy/3")
    assert seen.alert == NO_APPLICATION_PROTOCOL, seen
    serving.wait_log("TLS handshake with .* failed")


# --- tickets -----------------------------------------------------------------------------------


def test_one_ticket_per_handshake(hello):
    seen = shown(hello, "-tls1_3", "-msg")
    assert "HTTP/1.1 200 OK" in seen
    assert seen.text.count(", NewSessionTicket") == 1, seen


def session_of(port, context):
    with Connection(port, context=context) as c:
        assert c.get().status == 200  # the ticket came with this response
        assert c.socket.session.has_ticket
        return c.socket.session


def resumed(port, context, session):
    with Connection(port, context=context, session=session) as c:
        assert c.get().status == 200
        return c.socket.session_reused


@both
def test_resumption_works_across_a_pool(server, ports, number):
    s = server(f"port {ports[0]} {{ workers 3 location \"/\" {{ respond 200 }} }}")
    context = version(number)
    session = session_of(ports[0], context)
    workers = s.workers()
    for key, pid in workers.items():  # only this one accepts
        others = [p for p in workers.values() if p != pid]
        for other in others:
            os.kill(other, signal.SIGSTOP)
        try:
            assert resumed(ports[0], context, session), f"not in worker {key[1]}"
        finally:
            for other in others:
                os.kill(other, signal.SIGCONT)


@both
def test_resumption_works_across_generations(server, ports, number):
    """They have another key; tickets of the former one are accepted for a while."""
    s = server(f"port {ports[0]} {{ workers 2 respond 200 }}")
    context = version(number)
    session = session_of(ports[0], context)
    s.config.write_text(s.config.read_text().replace("respond 200", "respond 204"))
    s.kill(signal.SIGHUP)
    s.wait_log("reloaded: 0 kept, 1 changed")
    with Connection(ports[0], context=context, session=session) as c:
        assert c.get().status == 204
        assert c.socket.session_reused


@both
def test_no_ticket_counts_for_another_name(server, ports, named, number):
    """The session would keep the first name's certificate (RFC 6066, 3)."""
    server("tls { " + named("one", "DNS:one.example") + named("two", "DNS:two.example") +
           f"}} port {ports[0]} {{ respond 200 }}")
    context = version(number)

    def connect(name, session=None):
        with Connection(ports[0], context=context, session=session, server_hostname=name) as c:
            assert c.get().status == 200
            subject = c.socket.getpeercert(True)
            return c.socket.session, c.socket.session_reused, subject

    session, _, one = connect("one.example")
    _, reused, same = connect("ONE.example", session)
    assert reused and same == one
    for name in ("two.example", "my_service", None):
        _, reused, other = connect(name, session)
        assert not reused, name
        assert (other == one) == (name != "two.example")


@both
def test_no_ticket_counts_on_another_port(server, ports, number):
    server("".join(f"port {p} {{ respond 200 }}\n" for p in ports[:2]))
    context = version(number)
    session = session_of(ports[0], context)
    assert not resumed(ports[1], context, session)
    assert resumed(ports[0], context, session)


def test_no_ticket_counts_after_a_restart_of_the_server(server, ports):
    s = server(f"port {ports[0]} {{ respond 200 }}")
    context = version(V13)
    session = session_of(ports[0], context)
    assert s.stop() == 0
    server(f"port {ports[0]} {{ respond 200 }}")
    assert not resumed(ports[0], context, session)


# --- ends and errors ---------------------------------------------------------------------------


@both
@pytest.mark.parametrize("request_bytes", [
    GET, b"GET / HTTP/1.0\r\n\r\n", b"broken\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"])
def test_clean_ends_say_close_notify(hello, number, request_bytes):
    with strict(hello, minimum_version=number, maximum_version=number) as c:
        c.sendall(request_bytes)
        data = read_all(c)  # raises an error without close_notify
        assert data.startswith(b"HTTP/1.1 ")


def test_drain_and_idle_end_with_close_notify(server, ports):
    s = server(f"port {ports[0]} {{ limits {{ idle 100ms }} respond 200 }}\n"
               f"port {ports[1]} {{ respond 200 }}")
    with strict(ports[0]) as idle:
        assert idle.recv(1) == b""
    with strict(ports[1]) as drained:
        drained.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert drained.recv(65536).startswith(b"HTTP/1.1 200")
        s.kill()
        assert drained.recv(1) == b""


@pytest.mark.parametrize("data", [
    b"\x00" * 64,
    b"\xff" * 20000,
    b"\x16\x03\x01\x00\x04\x01\x00\x00\x00",  # an empty ClientHello
    b"\x16\x03\x01\x00\x04\x02\x00\x00\x00",  # a ServerHello
    b"\x16\x03\x01\xff\xff" + b"\x00" * 70000,  # a record that is too long
    b"\x17\x03\x03\x00\x05hello",  # data before the handshake
    b"\x15\x03\x03\x00\x03\x02\x28\x00",  # an alert that is too long
    b"\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10" + b"\x01" * 37,  # SSL 2.0
], ids=["zeros", "ones", "empty", "server", "overlong", "data", "alert", "ssl2"])
def test_garbage_is_answered_by_a_fatal_alert(serving, hello, data):
    with socket.create_connection(("127.0.0.1", hello), timeout=TIMEOUT) as raw:
        raw.sendall(data)
        found = alerts(read_all(raw))
    assert len(found) == 1 and found[0][0] == 2, found
    serving.wait_log(r"TLS handshake with \('127.0.0.1', \d+\) failed: ")
    assert get(hello).status == 200


@pytest.mark.parametrize("ends", ["at once", "in a record header", "in a ClientHello"])
def test_a_connection_that_says_too_little_ends_quietly(serving, hello, ends):
    says = {"at once": b"", "in a record header": b"\x16\x03", "in a ClientHello":
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 30}[ends]
    with socket.create_connection(("127.0.0.1", hello), timeout=TIMEOUT) as raw:
        raw.sendall(says)
        raw.shutdown(socket.SHUT_WR)
        read_all(raw)
    assert get(hello).status == 200
    assert serving.stop() == 0
    if says:
        serving.wait_log(r"TLS handshake with .* failed: The client closed the connection\.")
    else:  # port scanners and health checks
        assert "TLS handshake" not in serving.log()


class Memory:
    """A TLS client over memory: what goes to the wire can be changed on its way."""

    def __init__(self, port, context, pieces=lambda data: [data]):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing)
        self.raw = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
        self.raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pieces = pieces
        self.pump(self.tls.do_handshake)

    def send(self):
        for piece in self.pieces(self.outgoing.read()):
            self.raw.sendall(piece)

    def pump(self, step):
        """Runs the step until it needs no more input."""
        while True:
            try:
                value = step()
                self.send()
                return value
            except ssl.SSLWantReadError:
                self.send()
                data = self.raw.recv(65536)
                if data:
                    self.incoming.write(data)
                else:
                    self.incoming.write_eof()

    def record(self, data):
        self.tls.write(data)
        return bytearray(self.outgoing.read())

    def error(self):
        """How the server ended, as the client sees it."""
        with pytest.raises(ssl.SSLError) as e:
            while self.pump(lambda: self.tls.read(65536)):
                pass
        return str(e.value)


@both
def test_a_corrupted_record_is_answered_by_bad_record_mac(hello, number):
    c = Memory(hello, version(number))
    with c.raw:
        c.raw.sendall(c.record(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
        assert c.pump(lambda: c.tls.read(65536)).startswith(b"HTTP/1.1 200")
        record = c.record(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        record[-1] ^= 1
        c.raw.sendall(record)
        assert re.search("BAD_RECORD_MAC", c.error(), re.I)
    assert get(hello).status == 200


@both
def test_a_record_that_is_too_long_is_answered_by_an_alert(hello, number):
    c = Memory(hello, version(number))
    with c.raw:
        c.raw.sendall(b"\x17\x03\x03\x48\x01" + b"x" * 0x4801)
        assert re.search("RECORD_OVERFLOW|BAD_RECORD_MAC|UNEXPECTED_MESSAGE", c.error(), re.I)
    assert get(hello).status == 200


def test_a_cut_record_is_no_request(serving, hello):
    c = Memory(hello, version(V13))
    with c.raw:
        c.raw.sendall(c.record(GET)[:-1])
        c.raw.shutdown(socket.SHUT_WR)
        read_all(c.raw)
    assert serving.stop() == 0
    assert "Received" not in serving.log()


def test_renegotiation_is_refused(hello):
    process = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{hello}", "-tls1_2"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, errors="replace", bufsize=1)
    try:
        seen = ""
        while "Verify return code" not in seen:
            line = process.stdout.readline()
            assert line, seen
            seen += line
        process.stdin.write("R\n")
        process.stdin.flush()
        text, _ = process.communicate(timeout=TIMEOUT)
    finally:
        process.kill()
    assert re.search(f"no renegotiation|alert number {NO_RENEGOTIATION}", text), text
    assert get(hello).status == 200


def test_a_half_handshake_is_no_hindrance(hello):
    """Many that stop in the middle, at every length of the ClientHello."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_context().wrap_bio(incoming, outgoing)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    first = outgoing.read()
    with contextlib.ExitStack() as open_:
        for n in range(0, len(first) + 1, 16):
            raw = open_.enter_context(socket.create_connection(("127.0.0.1", hello)))
            raw.sendall(first[:n])
        assert get(hello).body == HELLO


def test_a_handshake_byte_by_byte(hello):
    raw = socket.create_connection(("127.0.0.1", hello), timeout=TIMEOUT)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_context().wrap_bio(incoming, outgoing)

    def slowly():
        for byte in outgoing.read():
            raw.sendall(bytes([byte]))

    def pump(step):
        while True:
            try:
                value = step()
                slowly()
                return value
            except ssl.SSLWantReadError:
                slowly()
                incoming.write(raw.recv(1))

    with raw:
        pump(tls.do_handshake)
        tls.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        slowly()
        assert pump(lambda: tls.read(65536)).endswith(HELLO)


@pytest.mark.parametrize("option", ["-tls1_3", "-tls1_2"])
@pytest.mark.parametrize("names", [1, 8, 60])
def test_a_hello_in_many_records(hello, option, names):
    """RFC 8446, 5.1: one message in several records, which arrive in one segment."""
    offered = ",".join(["http/1.1"] + [str(n) + "x" * 250 for n in range(names)])
    assert "HTTP/1.1 200 OK" in shown(hello, option, "-max_send_frag", "512", "-alpn", offered)


def recut(data, size):
    """The same handshake in records of this many bytes; encrypted records stay as they are."""
    records, encrypted = [], False
    while data:
        length = struct.unpack(">H", data[3:5])[0]
        head, content, data = data[:3], data[5:5 + length], data[5 + length:]
        encrypted = encrypted or head[0] != 22  # change_cipher_spec, application_data
        step = length if encrypted else size
        records += [head + struct.pack(">H", len(content[i:i + step])) + content[i:i + step]
                    for i in range(0, length, step)]
    return records


@both
@pytest.mark.parametrize("size", [1, 3, 4, 100])
@pytest.mark.parametrize("apart", [False, True], ids=["together", "apart"])
def test_every_message_of_a_handshake_is_cut(hello, number, size, apart):
    """The ClientHello, and under TLS 1.2 the ClientKeyExchange."""

    def pieces(data):
        records = recut(data, size)
        return records if apart else [b"".join(records)]

    c = Memory(hello, version(number), pieces)
    with c.raw:
        c.raw.sendall(c.record(GET))
        assert c.pump(lambda: c.tls.read(65536)).endswith(HELLO)


# --- clients -----------------------------------------------------------------------------------


def test_curl(hello, certificates):
    result = subprocess.run(["curl", "-sS", "--cacert", certificates()[0],
                             f"https://localhost:{hello}/"], capture_output=True, timeout=TIMEOUT)
    assert (result.returncode, result.stdout) == (0, HELLO), result.stderr


@pytest.mark.parametrize("option", ["-tls1_3", "-tls1_2"])
def test_openssl(hello, certificates, option):
    seen = shown(hello, option, "-CAfile", str(certificates()[0]))
    assert "HTTP/1.1 200 OK" in seen and "Hello, world!" in seen
    assert seen.verified, seen


@pytest.mark.parametrize("priority", ["NORMAL:-VERS-ALL:+VERS-TLS1.3",
                                      "NORMAL:-VERS-ALL:+VERS-TLS1.2"])
def test_gnutls_cli(hello, certificates, priority):
    if not have("gnutls-cli"):
        pytest.skip("needs gnutls-cli")
    argv = [shutil.which("gnutls-cli"), "--x509cafile", str(certificates()[0]), "--priority",
            priority, "--port", str(hello), "--verify-hostname", "localhost", "127.0.0.1"]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
    try:
        process.stdin.write(GET)
        process.stdin.flush()  # its standard input stays open: it waits for the server's end
        text = process.stdout.read()
        process.stdin.close()
        assert process.wait(TIMEOUT) == 0, text
    finally:
        process.kill()
        process.wait()
    assert HELLO in text and b"Status: The certificate is trusted." in text
