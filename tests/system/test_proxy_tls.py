"""Upstreams with TLS: whom a worker believes, what it shows of itself, what the log says."""
import contextlib
import shutil
import socket
import ssl
import subprocess
import threading

import pytest

from harness import Connection, free_ports, get, have, wait_for

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Authority:
    """Makes certificates in a folder: NAME.pem and NAME.key."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("ca", "other"):
            self.openssl("req", "-x509", *EC, "-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "30",
                         "-subj", f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign")

    def openssl(self, *argv):
        subprocess.run(["openssl", *map(str, argv)], cwd=self.folder, check=True, capture_output=True)

    def issue(self, name, names, issuer="ca", purpose="serverAuth", key=EC):
        self.openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (self.folder / f"{name}.ext").write_text(f"subjectAltName={names}\nextendedKeyUsage={purpose}\n")
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key", "-days",
                     "30", "-extfile", f"{name}.ext", "-out", f"{name}.pem")


@pytest.fixture(scope="module")
def authority(tmp_path_factory, certificates):
    a = Authority(tmp_path_factory.mktemp("authority"))
    a.issue("good", "IP:127.0.0.1,DNS:orders.internal")
    a.issue("named", "DNS:orders.internal")
    a.issue("stranger", "IP:127.0.0.1", issuer="other")
    a.issue("forclients", "IP:127.0.0.1", purpose="clientAuth")
    a.issue("client", "DNS:gateway", purpose="clientAuth")
    a.issue("ed25519", "DNS:gateway", purpose="clientAuth", key=["-newkey", "ed25519", "-nodes"])
    for name in ("expired", "ecdsa"):  # signed by themselves
        for path, kind in zip(certificates(name), ("pem", "key")):
            shutil.copy(path, a.folder / f"{name}.{kind}")
    return a


class Upstream:
    """A server on a free port, with TLS unless certificate is None. Answers each request with what it is told."""

    def __init__(self, authority, certificate, version=None, asks=False, answer=LENGTH, end="notify"):
        self.answer, self.end = answer, end
        self.handshakes, self.resumed, self.shown, self.heard = 0, 0, [], []
        self.context = None
        if certificate is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(authority.folder / f"{certificate}.pem",
                                         authority.folder / f"{certificate}.key")
            if version is not None:
                self.context.minimum_version = self.context.maximum_version = version
            if asks:
                self.context.verify_mode = ssl.CERT_REQUIRED
                self.context.load_verify_locations(authority.folder / "ca.pem")
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, raw):
        try:
            connection = raw
            if self.context is not None:
                if self.end == "handshake":
                    self.end_with_the_handshake(raw)
                    return
                connection = self.context.wrap_socket(raw, server_side=True)
                self.handshakes += 1
                self.resumed += connection.session_reused
                self.shown.append(connection.getpeercert())
            elif connection.recv(65536):
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                return
            request = b""
            while True:
                while b"\r\n\r\n" not in request:
                    data = connection.recv(65536)
                    if not data:
                        return
                    request += data
                self.heard.append(request)
                request = b""
                connection.sendall(self.answer)
                if self.end == "cut":
                    raw = socket.socket(fileno=connection.detach())
                    raw.shutdown(socket.SHUT_WR)
                    return
                if b"Content-Length" not in self.answer:
                    connection.unwrap()
                    return
        except (OSError, ValueError):
            pass
        finally:
            raw.close()

    def end_with_the_handshake(self, raw):
        """The end of the session in one piece with that of the handshake."""
        received, to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self.context.wrap_bio(received, to_send, server_side=True)
        while self.handshakes == 0:
            try:
                tls.do_handshake()
                self.handshakes += 1
            except ssl.SSLWantReadError:
                raw.sendall(to_send.read())
                received.write(raw.recv(65536))
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.unwrap()
        raw.sendall(to_send.read())
        raw.recv(65536)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()


@pytest.fixture
def upstream(authority):
    all_of_them = []

    def start(certificate="good", **options):
        all_of_them.append(Upstream(authority, certificate, **options))
        return all_of_them[-1]
    yield start
    for one in all_of_them:
        one.close()


def configured(certificates, port, of, options="", more="keep off fail off"):
    return (f'port {port} {{ {certificates.tls()} upstream "u" {{ to "https://127.0.0.1:{of.port}" {options} {more} }}\n'
            f'location "/" {{ proxy to "u" }} }}')


def trusts(authority, more=""):
    return f'verify authority "{authority.folder}/ca.pem" {more}'


# --- whom it believes ---

@pytest.mark.parametrize("version", [V12, V13])
def test_a_server_that_is_verified_is_asked(server, ports, certificates, authority, upstream, version):
    u = upstream(version=version)
    server(configured(certificates, ports[0], u, trusts(authority)))
    for _ in range(3):
        response = get(ports[0], "/x")
        assert (response.status, response.body) == (200, b"ok")
    assert len(u.heard) == 3 and u.heard[0].startswith(b"GET /x HTTP/1.1\r\n")


@pytest.mark.parametrize("certificate, options, words", [
    ("named", "", r'its certificate is for "orders.internal", not for "127.0.0.1"'),
    ("good", 'name "other.internal"', r'its certificate is for "127.0.0.1", "orders.internal", not for "other.internal"'),
    ("stranger", "", r'its certificate is of an unknown authority: "CN=other"'),
    ("ecdsa", "", r"its certificate is self-signed, and not among the authorities"),
    ("forclients", "", r"its certificate is not for servers"),
    (None, "", r"it speaks plain HTTP, not TLS"),
])
def test_a_server_that_is_not_is_asked_nothing(server, ports, certificates, authority, upstream, certificate, options,
                                               words):
    u = upstream(certificate)
    s = server(configured(certificates, ports[0], u, trusts(authority, options)))
    assert get(ports[0]).status == 502
    s.wait_log(rf"https://127.0.0.1:{u.port} .*({words})")
    assert not u.heard


def test_one_that_has_expired_is_named_with_the_day(server, ports, certificates, authority, upstream):
    u = upstream("expired")
    s = server(configured(certificates, ports[0], u, f'verify authority "{authority.folder}/expired.pem"'))
    assert get(ports[0]).status == 502
    s.wait_log(r"its certificate has expired on 2020-02-01")


def test_a_name_may_be_given(server, ports, certificates, authority, upstream):
    u = upstream("named")
    server(configured(certificates, ports[0], u, trusts(authority, 'name "orders.internal"')))
    assert get(ports[0]).status == 200


def test_verification_can_be_off(server, ports, certificates, upstream):
    u = upstream("expired")
    server(configured(certificates, ports[0], u, "verify off"))
    assert get(ports[0]).status == 200


def test_without_an_authority_those_of_the_system_count(server, ports, certificates, upstream):
    u = upstream("good")
    s = server(configured(certificates, ports[0], u))
    assert get(ports[0]).status == 502
    s.wait_log(r"of an unknown authority")


# --- sessions ---

@pytest.mark.parametrize("version", [V12, V13])
def test_sessions_are_resumed(server, ports, certificates, authority, upstream, version):
    u = upstream(version=version)
    server(configured(certificates, ports[0], u, trusts(authority)))
    for _ in range(8):
        assert get(ports[0]).status == 200
    wait_for(lambda: u.handshakes == 8, "eight connections")
    assert u.resumed >= 6  # the first, and one whose ticket came too late


def test_connections_are_kept(server, ports, certificates, authority, upstream):
    u = upstream()
    server(configured(certificates, ports[0], u, trusts(authority), more=""))
    for _ in range(8):
        assert get(ports[0]).status == 200
    assert u.handshakes == 1


# --- the end of a response ---

def test_an_end_that_anybody_could_have_made_cuts_the_response(server, ports, certificates, authority, upstream):
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    cut, whole = upstream(answer=head + b"half", end="cut"), upstream(answer=head + b"whole")
    text = "\n".join(configured(certificates, port, u, trusts(authority)) for port, u in zip(ports, (cut, whole)))
    s = server(text)
    assert get(ports[1]).body == b"whole"
    with Connection(ports[0]) as c:
        c.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        everything = c.read_to_end()
    assert b"half" in everything or b" 502 " in everything
    assert not everything.endswith(b"0\r\n\r\n")
    s.wait_log(r"close_notify|cut")


# --- what the worker shows ---

def test_a_server_may_end_with_its_handshake(server, ports, certificates, authority, upstream):
    u = upstream(version=V12, end="handshake")  # of TLS 1.3 the client's word is the last one
    s = server(configured(certificates, ports[0], u, trusts(authority) + " timeouts { head 10m }"))
    assert get(ports[0]).status == 502
    s.wait_log("failed the TLS handshake: it closed the connection")


@pytest.mark.parametrize("version", [V12, V13])
def test_a_server_that_requires_a_certificate_is_named(server, ports, certificates, authority, upstream, version):
    u = upstream(version=version, asks=True)
    s = server(configured(certificates, ports[0], u, trusts(authority)))
    assert get(ports[0]).status == 502
    s.wait_log(r"requires a certificate from its clients|refuses clients without a certificate")


@pytest.mark.parametrize("name, version", [("client", V12), ("client", V13), ("ed25519", V13)])
def test_the_worker_shows_a_certificate_whose_key_it_never_sees(server, ports, certificates, authority, upstream, name,
                                                                version):
    u = upstream(version=version, asks=True)
    own = f'certificate "{authority.folder}/{name}.pem" key "{authority.folder}/{name}.key"'
    s = server(configured(certificates, ports[0], u, f"{trusts(authority)} {own}"))
    for _ in range(3):
        assert get(ports[0]).status == 200
    assert u.shown[0]["subject"] == ((("commonName", name),),)
    assert s.keyholders(ports[0])


def test_a_port_without_tls_can_show_one_too(server, ports, authority, upstream):
    u = upstream(asks=True)
    folder = authority.folder
    s = server(f'port {ports[0]} {{ tls off location "/" {{ proxy to "https://127.0.0.1:{u.port}" {{\n{trusts(authority)}\n'
               f'certificate "{folder}/client.pem" key "{folder}/client.key" }} }} }}')
    with socket.create_connection(("127.0.0.1", ports[0])) as c:
        c.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = c.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"ok")
    assert s.keyholders(ports[0]) and u.shown[0]["subject"] == ((("commonName", "client"),),)


# --- files ---

def test_an_authority_that_is_renewed_counts_after_a_reload(server, ports, certificates, authority, upstream, tmp_path):
    u = upstream("stranger")
    file = tmp_path / "authority.pem"
    shutil.copy(authority.folder / "ca.pem", file)
    s = server(configured(certificates, ports[0], u, f'verify authority "{file}"'))
    assert get(ports[0]).status == 502
    shutil.copy(authority.folder / "other.pem", file)
    before = s.workers(ports[0])
    s.kill(1)
    s.wait_log(r"reload(ed)?.* (done|complete|took)|serves? the new|reloaded")
    wait_for(lambda: s.workers(ports[0]) != before, "new workers")
    assert get(ports[0]).status == 200


def test_files_are_checked_before_they_are_needed(run, conf_file, ports, certificates, authority):
    folder = authority.folder
    (folder / "empty.pem").write_text("")

    def told(options):
        text = (f'port {ports[0]} {{ {certificates.tls()} upstream "u" {{ to "https://127.0.0.1:1" {options} }}\n'
                f'location "/" {{ proxy to "u" }} }}')
        result = run("-t", "-f", conf_file("checked.conf", text))
        return result.returncode, result.stdout + result.stderr
    assert told(trusts(authority)) == (0, told(trusts(authority))[1])
    status, text = told(f'verify authority "{folder}/missing.pem"')
    assert status == 1 and f'authority "{folder}/missing.pem" cannot be read: No such file' in text
    status, text = told(f'verify authority "{folder}/empty.pem"')
    assert status == 1 and f'authority "{folder}/empty.pem" cannot be used' in text
    status, text = told(f'{trusts(authority)} certificate "{folder}/client.pem" key "{folder}/good.key"')
    assert status == 1 and "does not match key" in text
    status, text = told(f'{trusts(authority)} certificate "{folder}/good.pem" key "{folder}/good.key"')
    assert status == 0 and "is not for clients" in text
    status, text = told(f'{trusts(authority)} certificate "{folder}/client.pem" key "{folder}/client.key"')
    assert status == 0 and "is not for clients" not in text


# --- a server of others ---

def test_nginx_is_an_upstream(server, ports, certificates, authority, tmp_path):
    if not have("nginx"):
        pytest.skip("needs nginx")
    port, = free_ports(1)
    folder = authority.folder
    (tmp_path / "nginx.conf").write_text(
        f"daemon off; pid {tmp_path}/pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {folder}/good.pem;\n"
        f"ssl_certificate_key {folder}/good.key; ssl_client_certificate {folder}/ca.pem; ssl_verify_client on;\n"
        "location / { return 200 $ssl_client_verify:$ssl_session_reused; } } }")
    with subprocess.Popen(["nginx", "-p", tmp_path, "-c", tmp_path / "nginx.conf"], stderr=subprocess.DEVNULL) as nginx:
        try:
            def is_up():
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                except OSError:
                    return False
                return True
            wait_for(is_up, "nginx")
            own = f'certificate "{folder}/client.pem" key "{folder}/client.key"'
            server(f'port {ports[0]} {{ {certificates.tls()} upstream "u" {{ to "https://127.0.0.1:{port}" '
                   f'{trusts(authority)} {own} keep off }}\nlocation "/" {{ proxy to "u" }} }}')
            bodies = [get(ports[0]).body for _ in range(5)]
        finally:
            nginx.terminate()
    assert bodies[0] == b"SUCCESS:." and bodies.count(b"SUCCESS:r") >= 3
