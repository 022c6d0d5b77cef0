"""Certificates of clients: who is let in, what the others are told, and what is known of a client."""
import json
import math
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

from harness import BINARY, TIMEOUT, Connection, descriptors_of, free_ports, get, wait_for

THREADED = True

EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
CLIENT = "extendedKeyUsage=clientAuth\n"
ISSUER = "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign,cRLSign\n"
V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
ALERTS = {"certificate required": 116, "handshake failure": 40, "unknown ca": 48, "certificate revoked": 44,
          "certificate expired": 45, "unsupported certificate": 43, "bad certificate": 42}


def length(body):
    n = len(body).to_bytes((len(body).bit_length() + 7) // 8 or 1, "big")
    return n if len(body) < 128 else bytes([0x80 | len(n)]) + n


def integer(n):
    body = n.to_bytes(n.bit_length() // 8 + 1, "big")
    return b"\x02" + length(body) + body


class Authority:
    """Makes certificates in a folder: files NAME.pem (with what the client sends) and NAME.key."""

    def __init__(self, folder):
        self.folder = folder
        self.openssl("req", "-x509", *EC, "-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj", "/CN=ca",
                     "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        self.openssl("req", "-x509", *EC, "-keyout", "other.key", "-out", "other.pem", "-days", "30", "-subj",
                     "/CN=other", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        (folder / "index.txt").touch()
        (folder / "index.txt.attr").write_text("unique_subject = no\n")
        (folder / "crlnumber").write_text("01\n")
        (folder / "ca.cnf").write_text("[ca]\ndefault_ca = d\n[d]\ndatabase = index.txt\ncrlnumber = crlnumber\n"
                                       "default_md = sha256\ndefault_crl_days = 30\nserial = serial\n"
                                       "new_certs_dir = .\npolicy = p\nunique_subject = no\n[p]\n"
                                       "commonName = supplied\n")
        (folder / "serial").write_text("1000\n")

    def openssl(self, *argv):
        subprocess.run(["openssl", *map(str, argv)], cwd=self.folder, check=True, capture_output=True)

    def issue(self, name, issuer="ca", usage=CLIENT, subject=None, chain=(), dates=("-days", "30"), key=EC):
        self.openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", subject or f"/CN={name}",
                     "-utf8")
        (self.folder / f"{name}.ext").write_text(usage)
        self.openssl("ca", "-batch", "-notext", "-config", "ca.cnf", "-cert", f"{issuer}.leaf" if issuer not in
                     ("ca", "other") else f"{issuer}.pem", "-keyfile", f"{issuer}.key", "-in", f"{name}.csr", "-out",
                     f"{name}.leaf", "-extfile", f"{name}.ext", *dates, "-preserveDN")
        (self.folder / f"{name}.pem").write_text("".join((self.folder / f"{n}.leaf").read_text()
                                                         for n in (name, *chain)))

    def revoke(self, name, issuer="ca"):
        self.openssl("ca", "-config", "ca.cnf", "-cert", f"{issuer}.pem", "-keyfile", f"{issuer}.key", "-revoke",
                     f"{name}.leaf")

    def crl(self, to="ca.crl", *more, issuer="ca"):
        self.openssl("ca", "-config", "ca.cnf", "-cert", f"{issuer}.pem", "-keyfile", f"{issuer}.key", "-gencrl", "-out",
                     to, *more)

    def key(self, name, modulus, exponent):
        """An RSA key of any size at once, since the product of two known (Mersenne) primes is its modulus."""
        p, q = (2 ** n - 1 for n in modulus)
        order = (p - 1) * (q - 1)
        while math.gcd(exponent, order) != 1:
            exponent += 2
        d = pow(exponent, -1, order)
        body = b"".join(integer(n) for n in (0, p * q, exponent, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p)))
        (self.folder / f"{name}.der").write_bytes(b"\x30" + length(body) + body)
        self.openssl("rsa", "-inform", "DER", "-in", f"{name}.der", "-out", f"{name}.key")
        self.openssl("rsa", "-in", f"{name}.key", "-pubout", "-out", f"{name}.pub")
        (self.folder / f"{name}.ext").write_text(CLIENT)
        self.openssl("x509", "-new", "-force_pubkey", f"{name}.pub", "-subj", f"/CN={name}", "-CA", "ca.pem", "-CAkey",
                     "ca.key", "-days", "30", "-extfile", f"{name}.ext", "-out", f"{name}.pem")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    a = Authority(tmp_path_factory.mktemp("authority"))
    a.issue("good", usage=CLIENT + "subjectAltName=DNS:c.example,email:a@b.example,IP:192.0.2.1,URI:urn:a,DNS:x.y\n")
    a.issue("any", usage="keyUsage=digitalSignature\n")
    a.issue("server", usage="extendedKeyUsage=serverAuth\n")
    a.issue("expired", dates=("-startdate", "20200101000000Z", "-enddate", "20200201000000Z"))
    a.issue("early", dates=("-startdate", "20400101000000Z", "-enddate", "20410101000000Z"))
    a.issue("revoked")
    a.issue("wrong", issuer="other")
    a.issue("one", usage=ISSUER)
    a.issue("two", issuer="one", usage=ISSUER)
    a.issue("chain1", issuer="one", chain=["one"])
    a.issue("chain2", issuer="two", chain=["two", "one"])
    a.issue("revokedissuer", usage=ISSUER)
    a.issue("below", issuer="revokedissuer", chain=["revokedissuer"])
    a.openssl("req", "-x509", *EC, "-keyout", "self.key", "-out", "self.pem", "-days", "30", "-subj", "/CN=self",
              "-addext", "extendedKeyUsage=clientAuth")
    shutil.copy(a.folder / "ca.crl", a.folder / "empty.crl") if (a.folder / "ca.crl").exists() else a.crl("empty.crl")
    a.revoke("revoked")
    a.revoke("revokedissuer")
    a.crl()
    a.crl("stale.crl", "-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20200201000000Z")
    many = [f"{n}" for n in range(20)]
    (a.folder / "long.pem").write_text((a.folder / "good.pem").read_text() + (a.folder / "one.leaf").read_text() *
                                       len(many))
    shutil.copy(a.folder / "good.key", a.folder / "long.key")
    a.issue("weak", key=["-newkey", "rsa:1024", "-nodes"])
    a.key("rsa7000", (4423, 2281), 65537)
    a.key("rsa13942", (9689, 4253), 65537)
    a.key("exponent", (1279, 2203), 2 ** 80 + 1)
    return a


def asks(authority, more="required", revoked="ca.crl", depth=""):
    folder = authority.folder
    return (f'client certificate {more} authority "{folder}/ca.pem" ' +
            (f'revoked "{folder}/{revoked}" ' if revoked else "") + depth)


def tls(certificates, policy):
    return certificates.tls().strip().replace("tls {", f"tls {{ {policy} ", 1)


def client(authority, name, version=V13):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    if name == "weak":
        context.set_ciphers("DEFAULT@SECLEVEL=0")  # or OpenSSL would not use it
    if name is not None:
        context.load_cert_chain(authority.folder / f"{name}.pem", authority.folder / f"{name}.key")
    return context


def attempt(port, authority, name, version=V13, server_hostname=None, path="/"):
    """The response's body, or the name of the alert."""
    try:
        with Connection(port, context=client(authority, name, version), server_hostname=server_hostname) as c:
            c.send(f"GET {path} HTTP/1.1\r\nHost: {server_hostname or 'localhost'}\r\n\r\n".encode())
            r = c.response()
            return r.body.decode() if r.status == 200 else r.status
    except ssl.SSLError as e:
        found = re.search(r"alert ([a-z ]+)\b", str(e))
        if found is None and e.reason:
            found = re.search(r"ALERT_(\w+)", e.reason)
        return found[1].strip().lower().replace("_", " ") if found else str(e)


# name: what required says; optional says the same, but for a client without a certificate
TABLE = {
    None: ("certificate required", "handshake failure"),
    "good": "ok", "any": "ok", "chain1": "ok", "chain2": "ok",
    "server": "unsupported certificate", "expired": "certificate expired", "early": "certificate expired",
    "revoked": "certificate revoked", "below": "certificate revoked", "wrong": "unknown ca", "self": "unknown ca",
    "weak": "bad certificate", "long": "bad certificate", "rsa7000": "ok", "rsa13942": "bad certificate", "exponent": "bad certificate",
}


@pytest.mark.parametrize("version", [V13, V12])
def test_who_is_let_in(server, certificates, authority, version):
    """A table of policies and certificates: the alert says what is wrong, and the log and the counter, too."""
    required, optional, shallow, unrevoked = ports = free_ports(4)
    s = server(f'port {required} {{ {tls(certificates, asks(authority))} respond 200 "ok" }}\n'
               f'port {optional} {{ {tls(certificates, asks(authority, "optional"))} respond 200 "ok" }}\n'
               f'port {shallow} {{ {tls(certificates, asks(authority, depth="depth 1"))} respond 200 "ok" }}\n'
               f'port {unrevoked} {{ {tls(certificates, asks(authority, revoked=None))} respond 200 "ok" }}\n')
    for name, said in TABLE.items():
        said = said if isinstance(said, str) else said[version == V12]
        assert attempt(required, authority, name, version) == said, name
        assert attempt(optional, authority, name, version) == ("ok" if name is None else said), name
    assert attempt(shallow, authority, "chain1", version) == "ok"
    assert attempt(shallow, authority, "chain2", version) == "bad certificate"
    for name in "revoked", "below":
        assert attempt(unrevoked, authority, name, version) == "ok"
    assert len(ports) == 4
    for text in ("The client has no certificate.", "The client's certificate has expired.",
                 "The client's certificate is not valid yet.", "The client's certificate is revoked.",
                 "The client's certificate is of an unknown authority.", "The client's certificate is not for clients.",
                 "The client's certificate comes with too many others.",
                 "The client's certificate, or the key in it, is too large."):
        s.wait_log(rf"\[PORT {required}\] TLS handshake with \('127.0.0.1', \d+\) failed: {re.escape(text)}")


def test_hosts_have_their_own(server, certificates, authority):
    """The name chooses the policy; a request for a host with another one is misdirected, also where the
    certificate is the same; and a session is never resumed into a host that asks."""
    (port,) = free_ports(1)
    server(f'port {port} {{ {tls(certificates, "")} respond 200 "open"\n'
           f'host "api.example" {{ tls {{ {asks(authority)} }} respond 200 "api" }}\n'
           f'host "api2.example" {{ tls {{ {asks(authority)} }} respond 200 "api2" }}\n'
           f'host "maybe.example" {{ tls {{ {asks(authority, "optional")} }} respond 200 "maybe" }}\n'
           f'host "plain.example" {{ respond 200 "plain" }} }}')
    assert attempt(port, authority, None, server_hostname="else.example") == "open"
    assert attempt(port, authority, None, server_hostname="plain.example") == "plain"
    assert attempt(port, authority, None, server_hostname="maybe.example") == "maybe"
    assert attempt(port, authority, None, server_hostname="api.example") == "certificate required"
    assert attempt(port, authority, "good", server_hostname="api.example") == "api"

    def asked(sni, host, name=None):
        with Connection(port, context=client(authority, name), server_hostname=sni) as c:
            c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            return c.response().status

    assert asked("plain.example", "api.example") == 421
    assert asked("maybe.example", "api.example", "good") == 421
    assert asked("api.example", "plain.example", "good") == 421
    assert asked("api.example", "api2.example", "good") == 200
    assert asked("plain.example", "else.example") == 200


@pytest.mark.parametrize("version", [V13, V12])
def test_sessions_are_not_resumed_past_it(server, certificates, authority, version):
    """A host that asks gives no tickets, and takes none of another host."""
    (port,) = free_ports(1)
    server(f'port {port} {{ {tls(certificates, "")} echo\n'
           f'host "api.example" {{ tls {{ {asks(authority, "optional")} }} echo }} }}')

    def resumed(context, name, session=None):
        with Connection(port, context=context, server_hostname=name, session=session) as c:
            c.send(f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
            return json.loads(c.response().body)["tls"]["resumed"], c.socket.session

    context = client(authority, "good", version)
    first, session = resumed(context, "open.example")
    assert not first and session.has_ticket
    assert resumed(context, "open.example", session)[0]
    assert not resumed(context, "api.example", session)[0]
    first, session = resumed(context, "api.example")
    assert not first and not session.has_ticket


def test_what_is_known_of_a_client(server, certificates, authority):
    """echo shows it, in a form in which no name can forge another one."""
    authority.issue("odd", subject="/CN=ev\nil,CN=x\x1b[31m\u202e", usage=CLIENT)
    (port,) = free_ports(1)
    server(f'port {port} {{ {tls(certificates, asks(authority, "optional"))} echo }}')
    shown = json.loads(attempt(port, authority, "good"))["tls"]["client_certificate"]
    said = subprocess.run(["openssl", "x509", "-in", authority.folder / "good.leaf", "-noout", "-serial", "-fingerprint",
                           "-sha256"], capture_output=True, text=True, check=True).stdout
    assert shown["subject"] == "CN=good" and shown["issuer"] == "CN=ca"
    assert shown["serial"] == re.search(r"serial=(\w+)", said)[1].lower()
    assert shown["fingerprint"] == re.search(r"Fingerprint=(\S+)", said)[1].replace(":", "").lower()
    assert shown["san"] == "DNS:c.example,email:a@b.example,IP:192.0.2.1,URI:urn:a,DNS:x.y"
    odd = json.loads(attempt(port, authority, "odd"))["tls"]["client_certificate"]["subject"]
    assert all(ord(c) >= 0x20 and c not in "\x7f\u202e" for c in odd), odd
    assert json.loads(attempt(port, authority, None))["tls"]["client_certificate"] is None


def test_a_reload_takes_a_new_list(server, certificates, authority, tmp_path):
    """Who is revoked by it is refused from then on; no request of others is lost."""
    crl = tmp_path / "list.crl"
    shutil.copy(authority.folder / "empty.crl", crl)
    (port,) = free_ports(1)
    policy = f'client certificate required authority "{authority.folder}/ca.pem" revoked "{crl}"'
    s = server(f'port {port} {{ {tls(certificates, policy)} respond 200 "ok" }}')
    assert attempt(port, authority, "revoked") == "ok"
    stop, failed = threading.Event(), []

    def go_on():
        while not stop.is_set():
            said = attempt(port, authority, "good")
            if said != "ok":
                failed.append(said)

    others = threading.Thread(target=go_on)
    others.start()
    try:
        shutil.copy(authority.folder / "ca.crl", crl)
        s.kill(signal.SIGHUP)
        s.wait_log(r"reloaded: 0 kept, 1 changed")
        assert attempt(port, authority, "revoked") == "certificate revoked"
    finally:
        stop.set()
        others.join()
    assert not failed
    s.kill(signal.SIGHUP)
    s.wait_log(r"reloaded: 1 kept, 0 changed")
    crl.write_text("nothing")
    s.kill(signal.SIGHUP)
    s.wait_log(r"reload failed: .*it has no list of revoked certificates \(CRL\), in PEM or DER")
    assert attempt(port, authority, "good") == "ok"
    assert attempt(port, authority, "revoked") == "certificate revoked"


def test_a_worker_keeps_no_such_file_open(server, certificates, authority):
    (port,) = free_ports(1)
    s = server(f'port {port} {{ {tls(certificates, asks(authority))} respond 200 "ok" }}')
    assert attempt(port, authority, "good") == "ok"
    for pid in s.workers(port).values():
        links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        assert not any(str(authority.folder) in link for link in links), links


def check(conf_file, certificates, policy):
    path = conf_file("t.conf", f'port 1 {{ {tls(certificates, policy)} respond 200 "x" }}')
    ran = subprocess.run([BINARY, "-t", "-f", path], capture_output=True, text=True, timeout=TIMEOUT)
    return ran.returncode, ran.stderr


def test_t_judges_the_files(conf_file, certificates, authority, tmp_path):
    folder = authority.folder
    large = tmp_path / "large.pem"
    large.write_bytes((folder / "ca.pem").read_bytes() + b"\n" * (1 << 20))
    cut = tmp_path / "cut.crl"
    cut.write_text((folder / "ca.crl").read_text()[:-60])
    for policy, code, said in (
            (asks(authority), 0, ""),
            (asks(authority, revoked="stale.crl"), 0, "should have been replaced by a newer list"),
            (asks(authority, revoked="good.pem"), 1, "it has no list of revoked certificates (CRL)"),
            (f'client certificate required authority "{folder}/ca.key"', 1, "it has no certificates in PEM"),
            (f'client certificate required authority "{folder}/none"', 1, "cannot be read: No such file"),
            (f'client certificate required authority "{large}"', 1, "has more than 1M"),
            (f'client certificate required authority "{folder}/ca.pem" revoked "{cut}"', 1, "cut off or malformed"),
            (f'client certificate required authority "{folder}/other.pem" revoked "{folder}/ca.crl"', 1,
             "none of the authorities has issued it"),
            (f'client certificate optional authority "{folder}/weak.leaf"', 0, "less than 112 bits of security"),
            (f'client certificate optional authority "{folder}/good.leaf"', 0, "only itself is accepted")):
        got, stderr = check(conf_file, certificates, policy)
        assert got == code and said in stderr, (policy, stderr)


def test_lists_that_are_not_whole_are_refused(conf_file, certificates, authority):
    """What a list revokes counts whichever certificates it is for, but a list of changes is not a list, and in one of
    several issuers a number alone says nothing."""
    cnf = (authority.folder / "ca.cnf").read_text()
    for name, extensions, said in (
            ("plain", "authorityKeyIdentifier=keyid:always", None),
            ("users", "issuingDistributionPoint=critical,@i\n[i]\nonlyuser=TRUE", None),
            ("reasons", "issuingDistributionPoint=critical,@i\n[i]\nonlysomereasons=keyCompromise", None),
            ("several", "issuingDistributionPoint=critical,@i\n[i]\nindirectCRL=TRUE", "a critical extension"),
            ("changes", "2.5.29.27=critical,ASN1:INTEGER:1", "a critical extension"),
            ("other", "1.2.3.4=critical,ASN1:NULL", "a critical extension"),
            ("known", "1.2.3.4=ASN1:NULL", None)):
        (authority.folder / "lists.cnf").write_text(cnf + f"[e]\n{extensions}\n")
        authority.crl(f"{name}.crl", "-config", "lists.cnf", "-crlexts", "e")
        code, stderr = check(conf_file, certificates, asks(authority, revoked=f"{name}.crl"))
        assert (code == 0 and "revoked" not in stderr) if said is None else (code == 1 and said in stderr), (name, stderr)


def test_a_list_counts_whatever_its_dates(server, conf_file, certificates, authority):
    """An old list still revokes, as one does that was made in the future; both are warned of. A list of one issuer says
    nothing of the certificates of another one."""
    folder = authority.folder
    authority.crl("future.crl", "-crl_lastupdate", "20400101000000Z", "-crl_nextupdate", "20410101000000Z")
    authority.crl("other.crl", issuer="other")  # the same numbers
    (folder / "both.pem").write_text((folder / "ca.pem").read_text() + (folder / "other.pem").read_text())
    ports = free_ports(3)
    policies = [asks(authority, revoked="stale.crl"), asks(authority, revoked="future.crl"),
                f'client certificate required authority "{folder}/both.pem" revoked "{folder}/other.crl"']
    assert "made in the future" in check(conf_file, certificates, policies[1])[1]
    server("".join(f'port {p} {{ {tls(certificates, policy)} respond 200 "ok" }}\n'
                   for p, policy in zip(ports, policies)))
    for version in V13, V12:
        for port in ports[:2]:
            assert attempt(port, authority, "good", version) == "ok"
            assert attempt(port, authority, "revoked", version) == "certificate revoked"
            assert attempt(port, authority, "below", version) == "certificate revoked"
        assert attempt(ports[2], authority, "revoked", version) == "ok"
        assert attempt(ports[2], authority, "wrong", version) == "ok"


@pytest.mark.parametrize("version", [V13, V12])
def test_what_was_good_is_not_good_elsewhere_or_for_ever(server, certificates, authority, version):
    """A chain that is remembered is good for these authorities, this list and this depth only, and until it expires."""
    (port,) = free_ports(1)
    other = f'client certificate required authority "{authority.folder}/other.pem"'
    server(f'port {port} {{ {tls(certificates, asks(authority, revoked=None))} respond 200 "ok"\n'
           f'host "other.example" {{ tls {{ {other} }} respond 200 "ok" }}\n'
           f'host "list.example" {{ tls {{ {asks(authority)} }} respond 200 "ok" }}\n'
           f'host "short.example" {{ tls {{ {asks(authority, revoked=None, depth="depth 1")} }} respond 200 "ok" }} }}')
    for _ in range(2):
        for name in "good", "revoked", "chain2":
            assert attempt(port, authority, name, version) == "ok"
        assert attempt(port, authority, "good", version, "other.example") == "unknown ca"
        assert attempt(port, authority, "revoked", version, "list.example") == "certificate revoked"
        assert attempt(port, authority, "chain2", version, "short.example") == "bad certificate"
    end = time.time() + 4
    authority.issue("brief", dates=("-startdate", "20200101000000Z", "-enddate",
                                    time.strftime("%Y%m%d%H%M%SZ", time.gmtime(end))))

    def seen():
        begun = time.time()
        said = attempt(port, authority, "brief", version)
        assert said == ("ok" if begun < end else "certificate expired") or begun < end + 1
        return said == "certificate expired"

    wait_for(seen, "the end of a certificate")


def test_variables_have_the_certificate(server, certificates, authority):
    """In a header and in a URL, whatever is in it; empty where there is none."""
    long = "".join(f"DNS.{n}={'.'.join([c * 60] * 4)}\n" for n, c in enumerate("def", 1))
    authority.issue("sly", subject="/CN=a\r\nSet-Cookie: x=1&b=2 \"", usage=CLIENT + "subjectAltName=@names\n[names]\n"
                    "URI=urn:a,b\n" + long)
    (port,) = free_ports(1)
    fields = "".join(f'header set "X-{n}" "<${{client-certificate-{n}}}>" '
                     for n in ("subject", "issuer", "serial", "fingerprint", "san"))
    server(f'port {port} {{ {tls(certificates, asks(authority, "optional"))} {fields} respond 200 "ok"\n'
           f'location "/r" {{ redirect 307 "/?${{client-certificate-subject}}" }} }}')

    def values(name, path="/"):
        with Connection(port, context=client(authority, name)) as c:
            c.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            r = c.response()
            return {k.lower(): v for k, v in r.fields}

    none = values(None)
    assert all(none[f"x-{n}"] == "<>" for n in ("subject", "issuer", "serial", "fingerprint", "san"))
    assert values(None, "/r")["location"] == "/?"
    good = values("good")
    assert (good["x-subject"], good["x-issuer"]) == ("<CN=good>", "<CN=ca>")
    assert good["x-san"] == "<DNS:c.example,email:a@b.example,IP:192.0.2.1,URI:urn:a,DNS:x.y>"
    assert re.fullmatch(r"<[0-9a-f]{64}>", good["x-fingerprint"]) and re.fullmatch(r"<[0-9a-f]+>", good["x-serial"])
    sly = values("sly")
    assert "set-cookie" not in sly and sly["x-subject"].startswith("<CN=a") and sly["x-subject"].endswith(">")
    assert sly["x-san"].startswith("<URI:urn:a\\,b,DNS:ddd") and sly["x-san"].endswith("...>") and len(sly["x-san"]) <= 513
    assert re.fullmatch(r"/\?CN%3Da[-%0-9A-Za-z._~]*", values("sly", "/r")["location"])


def test_curl_and_gnutls_cli(server, certificates, authority):
    (port,) = free_ports(1)
    server(f'port {port} {{ {tls(certificates, asks(authority))} respond 200 "ok" }}')
    folder = authority.folder
    if shutil.which("curl"):
        for name, good in ("good", True), ("wrong", False):
            ran = subprocess.run(["curl", "-sk", "--cert", folder / f"{name}.pem", "--key", folder / f"{name}.key",
                                  f"https://127.0.0.1:{port}/"], capture_output=True, text=True, timeout=TIMEOUT)
            assert (ran.stdout == "ok") == good
    if shutil.which("gnutls-cli"):
        # it sends a certificate only if the server names its authority
        ran = subprocess.run(["gnutls-cli", "--insecure", "-p", str(port), "--x509certfile", folder / "good.pem",
                              "--x509keyfile", folder / "good.key", "127.0.0.1"], capture_output=True, text=True,
                             input="GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", timeout=TIMEOUT)
        assert "200 OK" in ran.stdout


def test_a_long_list_lets_others_in(server, certificates, authority, tmp_path):
    """It is read when the worker starts, and a handshake looks a number up in it."""
    crl = tmp_path / "large.crl"
    index = "".join(f"R\t400101000000Z\t250101000000Z\t{n:016X}\tunknown\t/CN=x\n" for n in range(1 << 40, (1 << 40) + 100000))
    (authority.folder / "large.txt").write_text(index)
    (authority.folder / "large.cnf").write_text((authority.folder / "ca.cnf").read_text().replace("index.txt",
                                                                                                "large.txt"))
    authority.openssl("ca", "-config", "large.cnf", "-cert", "ca.pem", "-keyfile", "ca.key", "-gencrl", "-out", crl)
    (port,) = free_ports(1)
    policy = f'client certificate required authority "{authority.folder}/ca.pem" revoked "{crl}"'
    server(f'port {port} {{ {tls(certificates, policy)} respond 200 "ok" }}')
    begun = time.monotonic()
    for _ in range(20):
        assert attempt(port, authority, "good") == "ok"
    print(f"{os.path.getsize(crl)} bytes: {(time.monotonic() - begun) / 20 * 1000:.1f} ms each")


def test_the_fault_of_a_false_certificate_keeps_the_policy(server, certificates, authority):
    """A client that accepts the false certificate is verified as with the true one."""
    (port,) = free_ports(1)
    server(f'faults enabled\nport {port} {{ {tls(certificates, asks(authority))} respond 200 "ok"\n'
           f'location "/bad" {{ fault certificate which wrong count 2 respond 200 "bad" }} }}')
    assert attempt(port, authority, "good", path="/bad") is not None
    assert attempt(port, authority, None) == "certificate required"
    assert attempt(port, authority, "good") == "ok"
