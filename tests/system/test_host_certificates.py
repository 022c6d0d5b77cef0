"""The certificates of a port with hosts: the name that a client asks for (SNI) chooses the host, and
then one of its certificates; sessions, reloads, memory and the check follow the hosts, too."""
import os
import re
import shutil
import signal
import ssl
import subprocess

import pytest

from harness import Connection, client_context, get, have, sanitized, status_of
from hello import SERVER_NAME, answer, basic12, basic13, hello, name, record, vector
from s_client import s_client

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
EC, RSA = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"), ("-newkey", "rsa:2048")
# The pairs: how each is made, and its names. Its common name is that of the pair.
PAIRS = {
    "default": (EC, "DNS:default.example,DNS:localhost,IP:127.0.0.1"),
    "shop-ec": (EC, "DNS:shop.example,DNS:www.shop.example"),
    "shop-rsa": (RSA, "DNS:shop.example,DNS:www.shop.example,DNS:old.shop.example"),
    "stars": (EC, "DNS:*.shop.example"),
    "alone": (RSA, "DNS:alone.example"),
}
MANY = 1000


def make(folder, stem, kind, names, days=30):
    subprocess.run(["openssl", "req", "-x509", *kind, "-nodes", "-keyout", f"{stem}.key", "-out", f"{stem}.pem",
                    "-days", str(days), "-subj", f"/CN={stem}", "-addext", f"subjectAltName={names}"],
                   cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hosts")
    for stem, (kind, names) in PAIRS.items():
        make(folder, stem, kind, names)
    return folder


@pytest.fixture
def pairs(originals, tmp_path):
    folder = tmp_path / "pairs"
    shutil.copytree(originals, folder)
    return folder


def tls(folder, *stems):
    return "tls { " + "\n".join(f'certificate "{folder}/{s}.pem" key "{folder}/{s}.key"' for s in stems) + " }\n"


def port_text(number, pairs, more=""):
    return (f"port {number} {{ {more} {tls(pairs, 'default')}"
            f'respond 200 "default\\n"\n'
            f'host "shop.example" "www.shop.example" "old.shop.example" {{\n'
            # RSA first: the order of preference is not that of the text
            f"{tls(pairs, 'shop-rsa', 'shop-ec')}"
            'respond 200 "shop\\n" }\n'
            f"host \"*.shop.example\" \"*.test\" {{ {tls(pairs, 'stars')} respond 200 \"stars\\n\" }}\n"
            f"host \"alone.example\" {{ {tls(pairs, 'alone')} respond 200 \"alone\\n\" }}\n"
            f"host \"again.example\" {{ {tls(pairs, 'alone')} respond 200 \"again\\n\" }}\n"
            'host "plain.example" { respond 200 "plain\\n" }\n}\n')


# --- the choice --------------------------------------------------------------------------------


ONLY_RSA = ("-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256")
# What a client asks for, how it connects, the certificate that it is shown, and what it is served.
CHOICES = [
    ("shop.example", (), "shop-ec", "shop"),
    ("SHOP.Example", ("-tls1_2",), "shop-ec", "shop"),
    ("www.shop.example.", (), "shop-ec", "shop"),
    ("shop.example", ONLY_RSA, "shop-rsa", "shop"),
    ("shop.example", ("-sigalgs", "rsa_pss_rsae_sha256"), "shop-rsa", "shop"),
    ("old.shop.example", (), "shop-rsa", "shop"),  # the only one with the name
    ("img.shop.example", (), "stars", "stars"),
    ("a.test", (), "stars", "stars"),
    ("a.b.shop.example", (), "default", "default"),
    ("alone.example", (), "alone", "alone"),
    ("again.example", (), "alone", "again"),
    ("plain.example", (), "default", "plain"),
    ("nobody.example", (), "default", "default"),
    ("default.example", (), "default", "default"),
    (None, (), "default", "default"),
]


def test_the_name_chooses_the_host_and_the_client_the_key(server, ports, pairs):
    s = server(port_text(ports[0], pairs, "workers 2 keyholders 1"))
    for sni, options, certificate, body in CHOICES:
        asked = ("-noservername",) if sni is None else ("-servername", sni)
        request = f"GET / HTTP/1.1\r\nHost: {sni or 'localhost'}\r\nConnection: close\r\n\r\n"
        seen = s_client(ports[0], "-ign_eof", *asked, *options, data=request)
        assert seen.name == certificate, (sni, options, seen)
        assert f"\n{body}\n" in seen.body.replace("\r", ""), (sni, options, seen)
    # A host's certificate that the client cannot verify is not replaced by another host's.
    seen = s_client(ports[0], "-servername", "alone.example", "-tls1_2", "-cipher",
                    "ECDHE-ECDSA-AES128-GCM-SHA256")
    assert seen.alert == 40 and seen.name is None, seen
    assert s.stop() == 0


def test_without_a_name_the_address_chooses_the_host(server, ports, pairs):
    """A client that is given an address sends none (RFC 6066, 3)."""
    make(pairs, "address", EC, "IP:127.0.0.2,IP:::1")
    s = server(f"port {ports[0]} {{ {tls(pairs, 'default')} respond 200 \"default\\n\"\n"
               f"host \"127.0.0.2\" \"[::1]\" {{ {tls(pairs, 'address')} respond 200 \"address\\n\" }} }}\n")
    if not have("curl"):
        pytest.skip("needs curl")
    for address, certificate in (("127.0.0.1", "default"), ("127.0.0.2", "address"), ("[::1]", "address")):
        r = subprocess.run(["curl", "-sS", "--noproxy", "*", "--cacert", pairs / f"{certificate}.pem",
                            f"https://{address}:{ports[0]}/"], capture_output=True, text=True, check=False)
        assert (r.stdout, r.stderr) == (f"{certificate}\n", ""), address
    assert s.stop() == 0


ODD = [b"_dmarc.shop.example", b"my_service", b"123", b"1.2.3.4", b"-", b"a..b", b".", b"*.shop.example",
       b"shop.example:443", b"b\xc3\xbccher.example", bytes(range(1, 256)), b"shop.example\0.evil", b"a" * 64,
       b"a." * 127, b"x" * 254, b"x" * 255, b"x" * 256, b"x" * 257, b"y" * 60000, b" ", b"[::1]", b"::1", b""]


def test_names_of_every_form_are_taken(server, ports, pairs):
    s = server(port_text(ports[0], pairs))
    for sni in ODD:
        for basic in (basic12(), basic13()):
            asked = {SERVER_NAME: vector(name(sni), 2), **basic}
            assert answer(ports[0], record(hello(asked))) == "hello", sni[:40]
    assert get(ports[0]).body == b"default\n"
    assert s.stop() == 0


def test_a_request_for_a_host_with_other_certificates_is_misdirected(server, ports, pairs):
    """RFC 9110, 15.5.20; also on a session that goes on."""
    s = server(port_text(ports[0], pairs))
    context = client_context()
    context.check_hostname = False
    asked = [("shop.example", {"www.shop.example": b"shop\n", "alone.example": 421, "img.shop.example": 421,
                               "plain.example": 421, "nobody.example": 421}),
             ("alone.example", {"again.example": b"again\n", "shop.example": 421}),
             ("nobody.example", {"plain.example": b"plain\n", "other.example": b"default\n", "a.test": 421}),
             (None, {"localhost": b"default\n", "shop.example": 421})]
    for sni, hosts in asked:
        session = None
        for _ in range(2):
            for host, answer_ in hosts.items():
                with Connection(ports[0], context=context, session=session, server_hostname=sni) as c:
                    c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                    r = c.response()
                    assert (r.status, r.body) == (200, answer_) or r.status == answer_, (sni, host)
                    assert c.socket.session_reused == (session is not None)
                    got = c.socket.session
            session = got
    assert s.stop() == 0


def test_a_false_certificate_is_one_of_the_host(server, ports, pairs):
    """A client that accepts it is served by the host that it asked for."""
    s = server("faults enabled\n" + port_text(ports[0], pairs).replace(
        "respond 200 \"default\\n\"\n", "respond 200 \"default\\n\"\nlocation \"/f\" { fault control }\n"))
    get(ports[0], "/f/certificate?which=wrong&count=1")
    context = client_context()
    context.check_hostname = False
    for certificate in (b"wrong.invalid", b"shop-ec"):
        with Connection(ports[0], context=context, server_hostname="shop.example") as c:
            assert certificate in c.socket.getpeercert(True)
            c.send(b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
            assert c.response().body == b"shop\n"
    assert s.stop() == 0


UNRECOGNIZED_NAME = 112  # RFC 6066, 9


def test_unknown_names_are_refused_where_that_is_wanted(server, ports, pairs):
    refuse = "tls { unknown name refuse }\n"
    s = server(tls(pairs, "default") +
               port_text(ports[0], pairs).replace(tls(pairs, "default"), refuse) +
               f"port {ports[1]} {{ {refuse} respond 200 }}\n"
               f"port {ports[2]} {{ respond 200 }}\n")
    known = {ports[0]: ("shop.example", "IMG.shop.example.", "plain.example", None),
             ports[1]: ("default.example", "LOCALHOST", None),
             ports[2]: ("nobody.example", "default.example", None)}
    unknown = {ports[0]: (b"nobody.example", b"default.example", b"a.b.shop.example", b"_a", b"x" * 300, b"b\xc3\xbc",
                          b"shop.example\0", b"localhost"),
               ports[1]: (b"nobody.example", b"shop.example", b"*", bytes(range(256)))}
    for port, names in known.items():
        for sni in names:
            asked = ("-noservername",) if sni is None else ("-servername", sni)
            for option in ("-tls1_2", "-tls1_3"):
                assert s_client(port, option, *asked).established, (sni, option)
    for port, names in unknown.items():
        for sni in names:
            for basic in (basic12(), basic13()):
                asked = {SERVER_NAME: vector(name(sni), 2), **basic}
                assert answer(port, record(hello(asked))) == ("alert", 2, UNRECOGNIZED_NAME), sni[:40]
    s.wait_log(rf"\[PORT {ports[1]}\] .*The client asked for a name that this port does not have")
    assert s.stop() == 0


# --- what lasts --------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [V12, V13], ids=["tls1.2", "tls1.3"])
def test_a_session_goes_on_under_its_host_only(server, ports, pairs, version):
    s = server(port_text(ports[0], pairs))
    context = client_context(minimum_version=version, maximum_version=version)
    context.check_hostname = False

    def connect(sni, session=None):
        with Connection(ports[0], context=context, session=session, server_hostname=sni) as c:
            c.send(f"GET / HTTP/1.1\r\nHost: {sni or 'localhost'}\r\n\r\n".encode())
            body = c.response().body
            return c.socket.session, c.socket.session_reused, body

    hosts = {"shop.example": b"shop\n", "img.shop.example": b"stars\n", "alone.example": b"alone\n",
             "nobody.example": b"default\n", None: b"default\n"}
    for one, body in hosts.items():
        session, reused, got = connect(one)
        assert not reused and got == body
        for other, its_body in hosts.items():
            _, reused, got = connect(other, session)
            assert (reused, got) == (one == other, its_body), (one, other)
    assert s.stop() == 0


def test_a_changed_certificate_of_one_host_comes_with_a_reload(server, ports, pairs):
    s = server(port_text(ports[0], pairs))
    before = s_client(ports[0], "-servername", "alone.example").certificates
    make(pairs, "alone", EC, "DNS:alone.example")
    s.kill(signal.SIGHUP)
    s.wait_log("reloaded: 0 kept, 1 changed, 0 new, 0 dropped")
    for sni in ("alone.example", "again.example"):  # the file is named by both
        after = s_client(ports[0], "-servername", sni)
        assert after.name == "alone" and after.certificates != before, sni
    assert s_client(ports[0], "-servername", "shop.example").name == "shop-ec"
    # A key that does not fit changes nothing.
    shutil.copy(pairs / "stars.key", pairs / "alone.key")
    s.kill(signal.SIGHUP)
    s.wait_log(r"certificate \".*alone.pem\" does not match key")
    assert s_client(ports[0], "-servername", "alone.example").certificates == after.certificates
    assert s.stop() == 0


def test_a_new_keyholder_signs_for_all_hosts(server, ports, pairs):
    s = server(port_text(ports[0], pairs))
    for pid in s.keyholders(ports[0]).values():
        os.kill(pid, signal.SIGKILL)
    s.wait_ready(ports[0], "keyholder", 2)
    for sni, certificate in (("shop.example", "shop-ec"), ("alone.example", "alone"), (None, "default")):
        asked = ("-noservername",) if sni is None else ("-servername", sni)
        seen = s_client(ports[0], *asked)
        assert seen.name == certificate and seen.established, seen
    assert s.stop() == 0


# --- many --------------------------------------------------------------------------------------


def many_text(number, pairs, count):
    """Each host has files of its own."""
    text = [f"port {number} {{ workers 1 keyholders 1 {tls(pairs, 'default')} respond 200 \"default\\n\"\n"]
    for i in range(count):
        for suffix in ("pem", "key"):
            os.link(pairs / f"alone.{suffix}", pairs / f"many{i}.{suffix}")
        text.append(f'host "h{i}.example" "www.h{i}.example" {{ {tls(pairs, f"many{i}")}'
                    f'location "/" {{ respond 200 "h{i}\\n" }} }}\n')
    return "".join(text) + "}\n"


def held(s, port):
    """Bytes of memory of its own that each process of the port holds."""
    pids = {**s.workers(port), **s.keyholders(port)}
    return [1024 * int(status_of(pid)["RssAnon"].split()[0]) for pid in pids.values()]


def test_many_hosts_with_certificates_of_their_own(server, ports, pairs):
    few = server(port_text(ports[0], pairs))
    before = held(few, ports[0])
    s = server(many_text(ports[1], pairs, MANY))
    for i in (0, 1, 500, MANY - 1):
        with Connection(ports[1], server_hostname=f"www.H{i}.example", context=client_context()) as c:
            c.send(f"GET / HTTP/1.1\r\nHost: h{i}.example\r\n\r\n".encode())
            assert c.response().body == f"h{i}\n".encode()
    assert s_client(ports[1], "-servername", "h7.example").name == "alone"
    assert s_client(ports[1], "-servername", "h.example").name == "default"
    if not sanitized():
        for one, other in zip(before, held(s, ports[1])):
            assert (other - one) / MANY < 16 * 1024, (one, other)
    assert s.stop() == 0
    assert few.stop() == 0


def test_warnings_about_many_are_not_a_flood(server, run, ports, pairs):
    for i in range(30):
        make(pairs, f"short{i}", ("-newkey", "rsa:1024"), f"DNS:h{i}.example")
    hosts = "".join(f'host "h{i}.example" {{ {tls(pairs, f"short{i}")} respond 200 }}\n' for i in range(30))
    s = server(f"port {ports[0]} {{ workers 2 {tls(pairs, 'default')} respond 200 {hosts} }}\n")
    s.wait_log(r"\[PORT \d+\] 20 more warnings about certificates; `bulkhead -t` shows all")
    assert s.log().count("has an RSA key of 1024 bits") == 10
    assert run("-t", "-f", s.config).stderr.count("has an RSA key of 1024 bits") == 30
    assert s.stop() == 0


# --- bulkhead -t -------------------------------------------------------------------------------


def warnings(run, conf_file, text):
    r = run("-t", "-f", conf_file("hosts.conf", text))
    assert r.returncode == 0, r.stderr
    return re.findall(r"^\S+?:(\d+:\d+): warning: (.*)$", r.stderr, re.M)


def pair(folder, stem):
    return f'certificate "{folder}/{stem}.pem" key "{folder}/{stem}.key"'


REFUSE = "; clients that check the name refuse the connection: "


def test_names_that_no_certificate_has(run, conf_file, pairs):
    """Whether clients refuse the certificate is known before they do."""
    default, rsa = pair(pairs, "default"), pair(pairs, "shop-rsa")
    make(pairs, "cn-only", EC, "DNS:cn.example")
    make(pairs, "other", EC, "DNS:b.other.example,DNS:a.other.example,DNS:*.c.example,DNS:d.example")
    make(pairs, "address", EC, "IP:192.0.2.7,IP:2001:db8::7")
    text = "\n".join([
        f"port 8443 {{ tls {{ {default} }} echo",
        f'host "shop.example" "www.shop.example" {{ tls {{ {rsa} }} echo }}',                    # 2: right
        f'host "alone.example" {{ tls {{ {pair(pairs, "other")} }} echo }}',                     # 3: another's
        f'host "old.shop.example" "new.shop.example" {{ tls {{\n{rsa}\n{default}\n}} echo }}',   # 4 to 7
        'host "default.example" { echo }',                                                       # 8: right
        'host "a.example" "b.example" "c.example" "localhost" "d.example" { echo }',             # 9
        f'host "*.shop.example" {{ tls {{ {pair(pairs, "stars")} }} echo }}',                    # 10: right
        f'host "*.example" {{ tls {{ {pair(pairs, "alone")} }} echo }}',                         # 11: one of them
        f'host "192.0.2.7" "2001:DB8:0::7" {{ tls {{ {pair(pairs, "address")} }} echo }}',       # 12: right
        f'host "192.0.2.8" {{ tls {{ {pair(pairs, "cn-only")} }} echo }}',                       # 13: another's
        "}", ""])
    assert sorted(warnings(run, conf_file, text)) == sorted([
        ("3:30", f'certificate "{pairs}/other.pem" has no name of its host "alone.example", but *.c.example, '
         "a.other.example, b.other.example and 1 more" + REFUSE + "give the host a certificate that has its name"),
        ("4:1", 'no certificate of this host has the name "new.shop.example"' + REFUSE +
         'add to the host: tls { certificate "file" key "file" }'),
        ("6:1", f'certificate "{pairs}/default.pem" has no name of its host "old.shop.example", but 127.0.0.1, '
         "default.example, localhost" + REFUSE + "give the host a certificate that has its name"),
        ("9:1", 'no certificate of this host has the name "a.example" or "b.example" or "c.example" or 1 other' +
         REFUSE + 'add to the host: tls { certificate "file" key "file" }'),
        ("13:26", f'certificate "{pairs}/cn-only.pem" has no name of its host "192.0.2.8", but cn.example'
         + REFUSE + "give the host a certificate that has its name"),
    ])


def test_a_certificate_of_several_hosts_needs_the_name_of_one(run, conf_file, pairs):
    alone = pair(pairs, "alone")
    text = "\n".join([
        f"tls {{ {pair(pairs, 'default')} }}", "port 8443 { echo",
        f'host "alone.example" {{ tls {{ {alone} }} echo }}',
        f'host "again.example" {{ tls {{ {alone} }} echo }}', "}",
        "port 8444 { respond 200", f'host "alone.example" {{ tls {{ {alone} }} echo }}', "}", ""])
    assert warnings(run, conf_file, text) == [
        ("4:1", 'no certificate of this host has the name "again.example"' + REFUSE +
         'add to the host: tls { certificate "file" key "file" }')]


def test_what_to_do_about_one_that_ends(run, conf_file, pairs):
    make(pairs, "soon", EC, "DNS:soon.example", days=1)
    text = (f"port 8443 {{ tls {{ {pair(pairs, 'default')} }} echo\n"
            f'host "soon.example" {{ tls {{ {pair(pairs, "soon")} }} echo }}\n}}\n')
    (where, told), = warnings(run, conf_file, text)
    assert where == "2:29"
    assert re.fullmatch(rf'certificate "{pairs}/soon.pem" expires in (less than a|1) day, on \d{{4}}-\d\d-\d\d: renew '
                        "it, then run bulkheadctl reload", told)
