"""The TLS policy of a port: what is offered is exactly what was configured."""
import contextlib
import itertools
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess

import pytest

import hello
from harness import BINARY, TIMEOUT, Connection, free_ports, get, wait_for
from hello import vector, words

V12, V13 = "1.2", "1.3"
GROUPS = {"X25519MLKEM768": 4588, "SecP256r1MLKEM768": 4587, "SecP384r1MLKEM1024": 4589, "x25519": 29, "x448": 30,
          "secp256r1": 23, "secp384r1": 24, "secp521r1": 25, "ffdhe2048": 256, "ffdhe3072": 257, "ffdhe4096": 258,
          "secp224r1": 21, "secp192r1": 19}
SUITES = {
    V13: {"TLS_AES_128_GCM_SHA256": 0x1301, "TLS_AES_256_GCM_SHA384": 0x1302,
          "TLS_CHACHA20_POLY1305_SHA256": 0x1303, "TLS_AES_128_CCM_SHA256": 0x1304,
          "TLS_AES_128_CCM_8_SHA256": 0x1305},
    V12: {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": 0xc02b, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": 0xc02f,
          "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": 0xc02c, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": 0xc030,
          "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": 0xcca9,
          "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": 0xcca8, "DHE_RSA_AES_128_GCM": 0x9e,
          "DHE_RSA_AES_256_GCM": 0x9f, "DHE_RSA_CHACHA20": 0xccaa, "ECDHE_ECDSA_AES_128_CCM": 0xc0ac,
          "ECDHE_ECDSA_AES_256_CCM": 0xc0ad, "ECDHE_ECDSA_AES_128_SHA": 0xc009, "ECDHE_ECDSA_AES_256_SHA": 0xc00a,
          "ECDHE_RSA_AES_128_SHA": 0xc013, "ECDHE_RSA_AES_256_SHA": 0xc014, "ECDHE_ECDSA_AES_128_SHA256": 0xc023,
          "ECDHE_RSA_AES_128_SHA256": 0xc027, "RSA_AES_128_GCM": 0x9c, "RSA_AES_256_GCM": 0x9d,
          "RSA_AES_128_SHA": 0x2f, "RSA_AES_256_SHA": 0x35, "DHE_RSA_AES_128_SHA": 0x33, "RSA_3DES": 0x0a},
}
SIGNATURES = (0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0203, 0x0201)
AES_128 = ["TLS_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
           "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]
CHACHA = ["TLS_CHACHA20_POLY1305_SHA256", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
          "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"]
AES_256 = ["TLS_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
           "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"]
CURVES = ["x25519", "secp256r1", "secp384r1", "secp521r1"]


def messages(data):
    """The handshake messages in the records: (type, body). None: not yet all of them."""
    content = b"".join(content for kind, content in hello.records(data) if kind == 22)
    found = []
    while len(content) >= 4:
        length = int.from_bytes(content[1:4], "big")
        found.append((content[0], content[4:4 + length]))
        content = content[4 + length:]
    return found


def extensions_of(body):
    at = 34 + 1 + body[34] + 3
    found, at = {}, at + 2
    while at + 4 <= len(body):
        number, length = struct.unpack(">HH", body[at:at + 4])
        found[number] = body[at + 4:at + 4 + length]
        at += 4 + length
    return found


def chosen(port, version, groups, suites):
    """(suite, group) that the server chooses of these numbers, or None: it refuses. Without a share it
    asks for one of the group that it has chosen, under TLS 1.3."""
    extensions = {hello.SUPPORTED_GROUPS: vector(words(*groups), 2),
                  hello.SIGNATURE_ALGORITHMS: vector(words(*SIGNATURES), 2)}
    if version == V13:
        extensions |= {hello.SUPPORTED_VERSIONS: vector(words(0x0304), 1), hello.KEY_SHARE: vector(b"", 2)}
    else:
        extensions |= {hello.RENEGOTIATION_INFO: b"\0", hello.EXTENDED_MASTER_SECRET: b""}
    last = {V13: 2, V12: 12}[version]
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as raw:
        raw.sendall(hello.record(hello.hello(extensions, suites=suites)))
        said, found = b"", {}
        while last not in found:
            part = raw.recv(65536)
            said += part
            if said[:1] == b"\x15" or not part:
                return None
            found = dict((kind, body) for kind, body in messages(said) if kind != last or len(body) > 3)
    suite = struct.unpack(">H", found[2][35 + found[2][34]:][:2])[0]
    if version == V13:
        return suite, struct.unpack(">H", extensions_of(found[2])[hello.KEY_SHARE])[0]
    assert found[12][0] == 3, "a named curve"
    return suite, struct.unpack(">H", found[12][1:3])[0]


def offered(port, version):
    """The groups and suites of the port in this version, each in the server's order."""
    groups, suites = list(GROUPS.values()), list(SUITES[version].values())
    found_groups, found_suites = [], []
    while groups and (one := chosen(port, version, groups, list(SUITES[version].values()))):
        found_groups.append(one[1])
        groups.remove(one[1])
    while suites and (one := chosen(port, version, list(GROUPS.values()), suites)):
        found_suites.append(one[0])
        suites.remove(one[0])
    names = {number: name for name, number in GROUPS.items()}
    suite_names = {number: name for name, number in SUITES[version].items()}
    return [names[g] for g in found_groups], [suite_names[s] for s in found_suites]


def hybrid(server):
    """X25519MLKEM768, where this GnuTLS has it."""
    (port,) = free_ports(1)
    server(f'port {port} {{ respond 200 "x" }}')
    return [name for name in offered(port, V13)[0] if name == "X25519MLKEM768"]


def tls(certificates, policy, *kinds):
    return certificates.tls(*kinds or ("ecdsa", "rsa")).strip().replace("tls {", f"tls {{ {policy} ", 1)


VERSIONS = {"versions 1.3": [V13], "versions 1.2": [V12], "versions 1.2 1.3": [V12, V13]}
GROUP_LISTS = {"": None, "groups x25519": ["x25519"],
               "groups P-384 x448 prime256v1 X25519": ["secp384r1", "x448", "secp256r1", "x25519"]}
CIPHER_LISTS = {"": [AES_128, AES_256, CHACHA], "ciphers CHACHA20-POLY1305 AES-128-GCM": [CHACHA, AES_128],
                "ciphers " + " ".join(AES_256): [AES_256]}


def of_version(lists, version):
    """GnuTLS sorts the suites of TLS 1.2 by key exchange first."""
    return [name for name in itertools.chain(*lists) if name in SUITES[version]]


def by_exchange(names):
    return sorted(names, key=lambda name: "_RSA_" in name)


@pytest.fixture
def table(server, certificates):
    cases = list(itertools.product(VERSIONS, GROUP_LISTS, CIPHER_LISTS))
    ports = free_ports(len(cases))
    server("".join(f'port {port} {{ {tls(certificates, " ".join(case))} respond 200 "x" }}\n'
                   for port, case in zip(ports, cases)))
    return list(zip(ports, cases))


def test_what_is_offered_is_what_was_configured(server, table):
    """All versions, groups and suites are tried on each port of a table of configurations."""
    first = hybrid(server)
    for port, (versions, groups, ciphers) in table:
        for version in V12, V13:
            want_groups = GROUP_LISTS[groups]
            if want_groups is None:
                want_groups = (first if version == V13 else []) + CURVES
            want = (want_groups, by_exchange(of_version(CIPHER_LISTS[ciphers], version)))
            if version not in VERSIONS[versions]:
                want = ([], [])
            assert offered(port, version) == want, (versions, groups, ciphers, version)


def test_profiles(server, certificates):
    """Mozilla's profiles, without DHE, and with the hybrid group where it is there; a list beside a
    profile replaces that part of it; a port's profile replaces that of the top level."""
    one, two, three, four = free_ports(4)
    server(f"tls {{ profile modern {certificates.tls('ecdsa', 'rsa').strip()[5:]}\n"
           f'port {one} {{ respond 200 "x" }}\n'
           f'port {two} {{ respond 200 "x" tls {{ profile intermediate }} }}\n'
           f'port {three} {{ respond 200 "x" tls {{ groups secp256r1 }} }}\n'
           f'port {four} {{ respond 200 "x" tls {{ priority "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-GCM:'
           f'-KX-ALL:+ECDHE-RSA:-GROUP-ALL:+GROUP-X448" }} }}\n')
    first = hybrid(server)
    curves = ["x25519", "secp256r1", "secp384r1"]
    suites13 = of_version([AES_128, AES_256, CHACHA], V13)
    suites12 = by_exchange(of_version([AES_128, AES_256, CHACHA], V12))
    assert offered(one, V13) == (first + curves, suites13)
    assert offered(one, V12) == ([], [])
    assert offered(two, V13) == (first + curves, suites13)
    assert offered(two, V12) == (curves, suites12)
    assert offered(three, V13) == (["secp256r1"], suites13)
    assert offered(three, V12) == ([], [])
    assert offered(four, V13) == ([], [])
    assert offered(four, V12) == (["x448"], ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"])


def test_real_clients_agree(server, certificates):
    """openssl s_client and gnutls-cli see the same as the messages made by hand."""
    (port,) = free_ports(1)
    server(f'port {port} {{ {tls(certificates, "versions 1.3 groups P-384 ciphers CHACHA20-POLY1305")} '
           f'respond 200 "x" }}')

    def openssl(*options):
        ran = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *options], input="",
                             capture_output=True, text=True, timeout=TIMEOUT)
        return re.findall(r"^New, (\S+), Cipher is (\S+)", ran.stdout, re.M)

    assert openssl() == [("TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256")]
    assert openssl("-tls1_2") in ([("(NONE),", "(NONE)")], [("(NONE)", "(NONE)")], [])
    assert "(NONE)" in str(openssl("-groups", "X25519:P-256"))
    assert "(NONE)" in str(openssl("-ciphersuites", "TLS_AES_128_GCM_SHA256"))
    assert "TLS_CHACHA20" in str(openssl("-groups", "P-384"))
    if shutil.which("gnutls-cli"):
        for group, good in ("SECP384R1", True), ("X25519", False):
            ran = subprocess.run(["gnutls-cli", "--insecure", "--priority",
                                  f"NORMAL:-GROUP-ALL:+GROUP-{group}", "-p", str(port), "127.0.0.1"],
                                 stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT)
            assert ("Handshake was completed" in ran.stdout) == good, (group, ran.stdout, ran.stderr)


def test_a_reload_changes_the_policy(server, certificates):
    """The children are replaced, and a policy that GnuTLS does not take is refused."""
    (port,) = free_ports(1)
    text = f'port {port} {{ {tls(certificates, "POLICY", "ecdsa")} respond 200 "x" }}'
    s = server(text.replace("POLICY", ""))
    before = s.workers()
    assert offered(port, V12)[0] == CURVES
    s.config.write_text(text.replace("POLICY", "profile modern"))
    s.kill(signal.SIGHUP)
    s.wait_log("reloaded")
    assert offered(port, V12) == ([], [])
    after = s.workers()
    assert not set(before.values()) & set(after.values())
    s.config.write_text(text.replace("POLICY", 'priority "NORMAL:+NOTHING"'))
    s.kill(signal.SIGHUP)
    s.wait_log("does not take this priority")
    wait_for(lambda: s.workers() == after, "the workers of before")
    assert get(port).status == 200


def check(conf_file, certificates, policy, *kinds):
    path = conf_file("t.conf", f'port 1 {{ {tls(certificates, policy, *kinds or ("ecdsa",))} respond 200 "x" }}')
    ran = subprocess.run([BINARY, "-t", "-f", path], capture_output=True, text=True, timeout=TIMEOUT)
    return ran.returncode, ran.stderr


CHECKS = [
    ("groups X448", "ecdsa", "warning: many clients have none of these groups"),
    ('priority "NORMAL"', "ecdsa", "warning: the TLS policy is weaker than the default: it has the cipher AES-256-CBC"),
    ('priority "NORMAL"', "ecdsa", "signature RSA-SHA1, which RFC 9155 forbids"),
    *((f'priority "NORMAL:{flag}:%SERVER_PRECEDENCE"', "ecdsa",
       f"warning: the TLS policy is weaker than the default: it has the flag {flag}, which t")
      for flag in ("%DISABLE_SAFE_RENEGOTIATION", "%NO_SESSION_HASH", "%NO_ETM", "%VERIFY_ALLOW_BROKEN",
                   "%VERIFY_ALLOW_SIGN_RSA_MD5", "%VERIFY_ALLOW_SIGN_WITH_SHA1", "%VERIFY_ALLOW_X509_V1_CA_CRT",
                   "%VERIFY_DISABLE_CRL_CHECKS", "%DEBUG_ALLOW_KEY_USAGE_VIOLATIONS", "%PROFILE_VERY_WEAK",
                   "%PROFILE_LOW", "%PROFILE_LEGACY", "%NO_EXTENSIONS")),
    ('priority "NORMAL:%UNSAFE_RENEGOTIATION"', "ecdsa", "it has the flag %UNSAFE_RENEGOTIATION, which allows what RFC"
     " 5746 mends"),
    ('priority "NORMAL:+X"', "ecdsa", "error: GnuTLS does not take this priority: The request is invalid. At: +X\n"),
    ('priority "NORMAL:-VERS-TLS-ALL:+VERS-TLS1.1"', "ecdsa", "error: "),
    ('priority "NORMAL:-GROUP-ALL:-VERS-TLS1.2"', "ecdsa", "error: "),
    ("versions 1.2 ciphers ECDHE-RSA-AES128-GCM-SHA256", "ecdsa", "no version and cipher of the port can use its key"),
    ("versions 1.2 ciphers ECDHE-ECDSA-AES128-GCM-SHA256", "rsa", "no version and cipher of the port can use its key"),
    ("versions 1.2", "ed25519", "no version and cipher of the port can use its key"),
    ("versions 1.2 1.3", "ed25519", "warning: TLS 1.2 is of no use here: it has no cipher for the key"),
    ("ciphers ECDHE-RSA-AES128-GCM-SHA256 TLS_AES_128_GCM_SHA256", "ecdsa",
     "warning: TLS 1.2 is of no use here: it has no cipher for the key"),
]


@pytest.mark.parametrize("policy, kind, said", CHECKS)
def test_t_says_what_is_not_left_or_weak(conf_file, certificates, policy, kind, said):
    code, stderr = check(conf_file, certificates, policy, kind)
    assert said in stderr
    assert code == (0 if "warning" in said or "signature" in said or "flag" in said else 1)


def test_t_says_nothing_of_flags_that_weaken_nothing(conf_file, certificates):
    for flag in "%SERVER_PRECEDENCE", "%PROFILE_MEDIUM", "%COMPAT":
        code, stderr = check(conf_file, certificates, f'priority "NORMAL:{flag}"', "ecdsa")
        assert (code, "the flag" in stderr) == (0, False), stderr


@pytest.mark.parametrize("name", ["X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024"])
def test_a_group_that_this_library_does_not_have(conf_file, certificates, name):
    code, stderr = check(conf_file, certificates, f"groups {name} x25519")
    if code == 0:
        assert "error" not in stderr
    else:
        assert re.search(rf"GnuTLS 3\.\S+, which this server uses, does not have the group {name} \(3\.8\.9 and later "
                         r"can have it\): leave it out", stderr)


def test_a_certificate_that_fits_no_cipher_does_not_serve(server, certificates):
    """A worker says why, and the other port serves."""
    one, two = free_ports(2)
    s = server(f'port {one} {{ {tls(certificates, "versions 1.2 ciphers ECDHE-RSA-AES128-GCM-SHA256", "ecdsa")} '
               f'respond 200 "x" }}\nport {two} {{ {tls(certificates, "profile modern", "ecdsa")} respond 200 "x" }}')
    assert get(two).status == 200
    s.wait_log("no version and cipher of the port can use its key")


def test_hosts_share_the_policy(server, certificates):
    """Any name gets what the port offers, and the tickets of a session are of its version."""
    (port,) = free_ports(1)
    server(f'port {port} {{ {tls(certificates, "profile modern", "ecdsa")} respond 200 "default"\n'
           f'host "localhost" {{ {certificates.tls("other").strip()} respond 200 "other" }} }}')
    for name in "localhost", "else.example":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as raw, \
                context.wrap_socket(raw, server_hostname=name) as wrapped:
            assert wrapped.version() == "TLSv1.3"
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as raw, \
                contextlib.suppress(ssl.SSLError, ConnectionError):
            context.wrap_socket(raw, server_hostname=name)
            raise AssertionError("TLS 1.2 was taken")
    for name, body in ("localhost", b"other"), ("else.example", b"default"):
        with Connection(port, server_hostname=name) as c:
            c.send(f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
            assert c.response().body == body
