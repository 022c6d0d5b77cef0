"""Certificates and keys of every kind: either served (real clients connect) or refused, by `-t`
and at the start alike, with a sentence that names the file, the problem and the remedy."""
import base64
import re
import shlex
import shutil
import subprocess

import pytest

from harness import TIMEOUT, refused
from s_client import s_client

PSS = "-newkey rsa-pss -pkeyopt rsa_keygen_bits:2048 "
EC = "-newkey ec -pkeyopt ec_paramgen_curve:"


def pss(digest, mask, salt):
    text = PSS + f"-pkeyopt rsa_pss_keygen_md:{digest} "
    if mask:
        text += f"-pkeyopt rsa_pss_keygen_mgf1_md:{mask} "
    return text + (f"-pkeyopt rsa_pss_keygen_saltlen:{salt}" if salt else "")


# How `openssl req -x509` makes the pair.
KINDS = {
    "p256": EC + "P-256", "p384": EC + "P-384", "p521": EC + "P-521",
    "rsa": "-newkey rsa:2048", "rsa1024": "-newkey rsa:1024", "rsa1033": "-newkey rsa:1033",
    "rsa1034": "-newkey rsa:1034", "pss1024": PSS.replace("2048", "1024"), "rsa512": "-newkey rsa:512",
    "ed25519": "-newkey ed25519", "ed448": "-newkey ed448",
    "pss": PSS, "pss256": pss("sha256", "sha256", 32), "pss384": pss("sha384", "sha384", 48),
    "pss512": pss("sha512", "sha512", 64), "pss384-short-salt": pss("sha384", "sha384", 0),
    "pss384-sha1-mask": pss("sha384", "", 0), "pss384-other-mask": pss("sha384", "sha256", 48),
    "pss256-long-salt": pss("sha256", "sha256", 64), "pss224": pss("sha224", "sha224", 28),
    "pss512-1024": pss("sha512", "sha512", 0).replace("2048", "1024"),
    "p224": EC + "secp224r1", "p192": EC + "prime192v1", "secp256k1": EC + "secp256k1",
    "brainpool": EC + "brainpoolP256r1", "explicit": EC + "P-256 -pkeyopt ec_param_enc:explicit",
}
# Keys that are made in another way.
FORMED = {
    "compressed": "ecparam -name prime256v1 -genkey -noout -out whole.key; "
                  "ec -in whole.key -conv_form compressed -out compressed.key",
    "primes": "genrsa -primes 3 -out primes.key 2048",
}
ALL_CLIENTS = ("tls1_3", "tls1_2", "curl", "gnutls")


class Workshop:
    """A folder with pairs, made on first use, and openssl to derive others from them."""

    def __init__(self, folder):
        self.folder = folder

    def __getitem__(self, name):
        return self.folder / name

    def openssl(self, *args, **options):
        args = args[0].split() if len(args) == 1 else list(map(str, args))
        return subprocess.run(["openssl", *args], cwd=self.folder, check=True,
                              capture_output=True, timeout=TIMEOUT, **options)

    def write(self, name, *parts):
        """A file that joins these files."""
        self[name].write_bytes(b"".join(self[part].read_bytes() for part in parts))
        return self[name]

    def pair(self, kind):
        certificate, key = self[kind + ".pem"], self[kind + ".key"]
        if kind in FORMED and not certificate.exists():
            for command in FORMED[kind].split("; "):
                self.openssl(command)
            self.openssl(f"req -x509 -key {key} -out {certificate} -subj /CN=odd -days 90")
        if not certificate.exists():
            try:
                self.openssl("req", "-x509", *KINDS[kind].split(), "-nodes", "-keyout", key, "-out",
                             certificate, "-days", "90", "-subj", f"/CN={kind}", "-addext",
                             "subjectAltName=DNS:localhost,IP:127.0.0.1")
            except subprocess.CalledProcessError as e:
                certificate.unlink(missing_ok=True)
                pytest.skip(f"openssl does not make it: {e.stderr.decode()[-200:]}")
        return certificate, key

    def authorities(self):
        """root has signed first, that second, and that the pair leaf."""
        if self["leaf.pem"].exists():
            return
        for name in ("root", "first", "second", "public", "leaf"):
            self.openssl(f"ecparam -name prime256v1 -genkey -noout -out {name}.key")
        self.openssl("req -x509 -key root.key -subj /CN=root -days 90 -out root.pem")
        self["ca.ext"].write_text("basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n"
                                  "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n")
        self["own.ext"].write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        self.sign("first", "root", "ca.ext")
        self.sign("second", "first", "ca.ext")
        self.sign("leaf", "second", "own.ext")

        self["web.ext"].write_text(self["ca.ext"].read_text() +
                                   "authorityInfoAccess=caIssuers;URI:http://ca.example/x.cer\n")
        self.sign("public", "first", "web.ext")
        self.sign("site", "public", "own.ext", key="leaf")

    def sign(self, name, issuer, extensions, key=None, more=""):
        self.openssl(f"req -new -key {key or name}.key -subj /CN={name} -out {name}.csr")
        self.openssl(f"x509 -req -in {name}.csr -CA {issuer}.pem -CAkey {issuer}.key "
                     f"-CAcreateserial -days 80 -extfile {extensions} -out {name}.pem {more}")


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return Workshop(tmp_path_factory.mktemp("pairs"))


@pytest.fixture
def text(ports):
    def conf(certificate, key):
        return (f'tls {{ certificate "{certificate}" key "{key}" }}\n'
                f'port {ports[0]} {{ respond 200 "served" }}\n')
    return conf


def reaches(client, port, authority):
    """(whether it verifies and gets the response, its output)"""
    if client.startswith("tls1_"):
        seen = s_client(port, "-" + client, "-CAfile", authority, "-verify_return_error")
        return seen.established and seen.verified, seen.text
    if client == "curl":
        argv = ["curl", "-sS", "--cacert", authority, f"https://localhost:{port}/"]
    else:
        argv = ["gnutls-cli", "--x509cafile", authority, "-p", str(port), "localhost"]
    r = subprocess.run(argv, input="", capture_output=True, text=True, timeout=TIMEOUT)
    return r.returncode == 0 and ("served" in r.stdout or client != "curl"), r.stdout + r.stderr


def checked(run, conf_file, text):
    return run("-t", "-f", conf_file("checked.conf", text))


def is_served(server, run, conf_file, ports, text, authority, clients=ALL_CLIENTS, warning=None):
    r = checked(run, conf_file, text)
    assert r.returncode == 0, r.stderr
    if warning is not None:
        assert warning in r.stderr and r.stderr.count("warning") == 1, r.stderr
    else:
        assert ("warning" in r.stderr) == ("short-salt" in text), r.stderr
    s = server(text)
    for client in clients:
        program = {"curl": "curl", "gnutls": "gnutls-cli"}.get(client, "openssl")
        if shutil.which(program) is None:
            continue
        done, said = reaches(client, ports[0], authority)
        assert done, (client, said)
    return s


def is_refused(server, run, conf_file, ports, text, pattern, start_pattern=None):
    """One process of the port ends, with 78, and the port is parked with the sentence."""
    r = checked(run, conf_file, text)
    assert r.returncode == 1, r.stderr
    assert re.search(rf"checked\.conf:1:\d+: error: {pattern}$", r.stderr, re.M), r.stderr
    s = server(text)
    log = s.log()
    pattern = start_pattern or pattern
    assert re.search(rf"PARKED .*: it cannot start as it is configured: {pattern}; its clients",
                     log), log
    assert "quick deaths" not in log and log.count("ended with status") == 1, log
    assert "ended with status 78" in log, log
    assert refused(ports[0])


# --- what is served ---


@pytest.mark.parametrize("kind, clients", [
    ("p256", ALL_CLIENTS), ("p384", ALL_CLIENTS), ("p521", ALL_CLIENTS), ("rsa", ALL_CLIENTS),
    ("pss", ALL_CLIENTS), ("pss256", ALL_CLIENTS), ("pss384", ALL_CLIENTS),
    ("pss512", ALL_CLIENTS),
    # GnuTLS's clients accept the shortest salt only.
    ("pss384-short-salt", ("tls1_3", "tls1_2", "curl")),
    # A keyholder does not make TLS 1.2's signatures with these keys (bulkhead.conf(5)).
    ("ed25519", ("tls1_3", "curl", "gnutls")), ("ed448", ("tls1_3", "curl", "gnutls")),
])
def test_kinds_of_keys_that_are_served(server, run, conf_file, ports, shop, text, kind, clients):
    certificate, key = shop.pair(kind)
    is_served(server, run, conf_file, ports, text(certificate, key), certificate, clients)


@pytest.mark.parametrize("command", [
    "ec -in p256.key -out old.key",  # SEC1
    "rsa -in rsa.key -traditional -out old.key",  # PKCS#1
    "pkey -in p256.key -out old.key",  # PKCS#8
])
def test_forms_of_keys_that_are_served(server, run, conf_file, ports, shop, text, command):
    kind = "rsa" if command.startswith("rsa") else "p256"
    certificate, _ = shop.pair(kind)
    shop.openssl(command)
    is_served(server, run, conf_file, ports, text(certificate, shop["old.key"]), certificate,
              ("tls1_3",))


def test_parameters_ahead_of_the_key_are_passed_over(server, run, conf_file, ports, shop, text):
    shop.openssl("ecparam -name prime256v1 -genkey -out both.key")
    assert b"BEGIN EC PARAMETERS" in shop["both.key"].read_bytes()
    shop.openssl("req -x509 -key both.key -out both.pem -subj /CN=both -days 90 -addext "
                 "subjectAltName=DNS:localhost,IP:127.0.0.1")
    is_served(server, run, conf_file, ports, text(shop["both.pem"], shop["both.key"]),
              shop["both.pem"], ("tls1_3",))


@pytest.mark.parametrize("order, better", [
    ("leaf second first", None), ("first second leaf", "3, 2, 1"), ("leaf first second", "1, 3, 2"),
    ("second leaf first", "2, 1, 3"), ("second first leaf", "3, 1, 2"), ("first leaf second", "2, 3, 1"),
    ("leaf second first root", None), ("root first second leaf", "4, 3, 2, 1"),
    ("leaf second second first", None),
])
def test_chains_in_any_order_are_sent_in_theirs(server, run, conf_file, ports, shop, text, order, better):
    shop.authorities()
    chain = shop.write("chain.pem", *(name + ".pem" for name in order.split()))
    warning = better and (
        f'certificate "{chain}" is out of order: the server\'s own must be the first in the file, and the '
        "issuer of each must follow it; this server sends them so, other programs may not: write them in "
        f"the order {better}\n")
    s = is_served(server, run, conf_file, ports, text(chain, shop["leaf.key"]), shop["root.pem"],
                  warning=warning)
    assert "out of order" not in s.log()
    sent = s_client(ports[0], "-showcerts").names
    assert sent[:2] == ["leaf", "second"] and sent.index("second") < sent.index("first"), sent


# --- served with a warning that names the clients that refuse it ---


@pytest.mark.parametrize("files, issuer", [
    ("leaf", "second"), ("leaf first", "second"), ("site public", "first"),
])
def test_a_missing_issuer_is_warned_of(run, conf_file, shop, text, files, issuer):
    shop.authorities()
    chain = shop.write("short.pem", *(name + ".pem" for name in files.split()))
    r = checked(run, conf_file, text(chain, shop["leaf.key"]))
    assert r.returncode == 0
    warning = (rf'warning: certificate "{re.escape(str(chain))}" comes without the certificate of CN={issuer}, '
               r'.*; clients that do not have it refuse the connection: append it .*openssl x509')
    assert re.search(warning, r.stderr), r.stderr
    assert r.stderr.count("warning") == 1, r.stderr


def test_a_missing_issuer_is_logged_once(server, ports, shop, text):
    shop.authorities()
    s = server(text(shop["leaf.pem"], shop["leaf.key"]).replace("{ respond", "{ workers 2 respond"))
    s.wait_log(r'certificate ".*leaf\.pem" comes without the certificate of CN=second')
    assert s.log().count("comes without") == 1
    assert s_client(ports[0]).established


@pytest.mark.parametrize("name, extensions, more, says", [
    ("client", "extendedKeyUsage=clientAuth", "", "is not for servers"),
    ("sha1", "", "-sha1", r"is signed with ECDSA-SHA1"),
])
def test_what_clients_refuse_is_warned_of(run, conf_file, shop, text, name, extensions, more, says):
    shop.authorities()
    shop[name + ".ext"].write_text(f"subjectAltName=DNS:localhost\n{extensions}\n")
    shop.sign(name, "second", name + ".ext", key="leaf", more=more)
    chain = shop.write(f"{name}-chain.pem", name + ".pem", "second.pem", "first.pem", "root.pem")
    r = checked(run, conf_file, text(chain, shop["leaf.key"]))
    assert r.returncode == 0
    assert re.search(rf'warning: certificate ".*" {says}', r.stderr), r.stderr


def test_the_others_of_a_file_are_looked_at(run, conf_file, shop, text):
    """An issuer's that has expired, and one that has nothing to do with the chain."""
    shop.authorities()
    other, _ = shop.pair("p384")
    shop["index.txt"].touch()
    shop["ca.cnf"].write_text("[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nnew_certs_dir=.\n"
                              "default_md=sha256\npolicy=p\nrand_serial=yes\n"
                              "[p]\ncommonName=supplied\n")
    shop.openssl("ca -batch -notext -config ca.cnf -in second.csr -cert first.pem -keyfile first.key "
                 "-extfile ca.ext -startdate 20200101000000Z -enddate 20200201000000Z -out old.pem")
    for files, says in (
            ("leaf old first", r"comes with the certificate of its issuer CN=second, which expired on "
             "2020-02-01"),
            ("leaf second first p384", r"comes with the certificate of CN=p384, which no other in the file "
             "needs"),
            ("leaf second first second root leaf", None)):
        chain = shop.write("others.pem", *(name + ".pem" for name in files.split()))
        r = checked(run, conf_file, text(chain, shop["leaf.key"]))
        assert r.returncode == 0
        assert r.stderr.count("warning") == (says is not None), r.stderr
        assert re.search(says or "ok", r.stderr), r.stderr
    assert other.exists()


def test_a_short_rsa_key_is_warned_of(run, conf_file, shop, text):
    r = checked(run, conf_file, text(*shop.pair("rsa1024")))
    assert r.returncode == 0 and "has an RSA key of 1024 bits; clients" in r.stderr, r.stderr


@pytest.mark.parametrize("kind, family, digest", [
    ("rsa1024", "rsae", "sha384"), ("rsa1033", "rsae", "sha384"), ("rsa1034", "rsae", "sha512"),
    ("rsa", "rsae", "sha512"), ("pss1024", "pss", "sha384"), ("pss", "pss", "sha512")])
@pytest.mark.parametrize("version", ["tls1_3", "tls1_2"])
def test_a_short_rsa_key_signs_with_what_it_is_long_enough_for(server, ports, shop, text, kind, family,
                                                               digest, version):
    """SHA-512 with a salt as long needs 1034 bits (RFC 8017, 9.1.1). The client likes it best."""
    server(text(*shop.pair(kind)))
    schemes = ":".join(f"rsa_pss_{family}_{liked}" for liked in ("sha512", "sha384"))
    seen = s_client(ports[0], "-" + version, "-cipher", "ALL:@SECLEVEL=0", "-sigalgs", schemes)
    assert seen.established and seen.digest == digest, seen


# --- what is refused ---


@pytest.mark.parametrize("kind, says, at_start", [
    ("p224", 'certificate ".*" has a key on the curve P-224; TLS .*openssl genpkey .*', None),
    ("p192", 'certificate ".*" has a key on the curve P-192; TLS .*openssl genpkey .*', None),
    ("secp256k1", 'certificate ".*" has a key on a curve that this server does not know.*openssl genpkey .*',
     'key ".*" is on a curve that this server does not know.*openssl genpkey .*'),
    ("brainpool", 'certificate ".*" has a key on a curve that this server does not know.*openssl genpkey .*',
     'key ".*" is on a curve that this server does not know.*openssl genpkey .*'),
    ("compressed", 'certificate ".*" has a key whose point is in the compressed form.*openssl ec '
     '-conv_form uncompressed .*compressed.key',
     'key ".*" has its point in the compressed form.*openssl ec -conv_form uncompressed -in .*'),
    ("explicit", 'certificate ".*" gives the curve of its key by parameters.*openssl ec '
     '-param_enc named_curve .*explicit.key',
     'key ".*" gives its curve by parameters.*openssl ec -param_enc named_curve -in .*'),
    ("rsa512", 'certificate ".*" has an RSA key of 512 bits.*openssl genpkey -algorithm RSA .*',
     None),
    ("pss512-1024", 'certificate ".*" has an RSA key of 1024 bits, and TLS needs 1034 .*openssl .*',
     None),
    ("pss384-sha1-mask", 'certificate ".*" has an RSA-PSS key that is limited.*openssl genpkey .*',
     None),
    ("pss384-other-mask", 'certificate ".*" has an RSA-PSS key that is limited.*openssl genpkey .*',
     'key ".*" is an RSA-PSS key that is limited.*openssl genpkey .*'),
    ("pss256-long-salt", 'certificate ".*" has an RSA-PSS key that is limited.*openssl genpkey .*',
     None),
    ("pss224", 'certificate ".*" has an RSA-PSS key that is limited.*openssl genpkey .*', None),
])
def test_kinds_of_keys_that_no_client_takes(server, run, conf_file, ports, shop, text, kind, says,
                                            at_start):
    is_refused(server, run, conf_file, ports, text(*shop.pair(kind)), says, at_start)


def test_a_certificate_that_is_not_for_signatures(server, run, conf_file, ports, shop, text):
    shop.authorities()
    shop["usage.ext"].write_text("subjectAltName=DNS:localhost\nkeyUsage=keyEncipherment\n")
    shop.sign("usage", "second", "usage.ext", key="leaf")
    is_refused(server, run, conf_file, ports, text(shop["usage.pem"], shop["leaf.key"]),
               'certificate ".*" is not for signatures .*: openssl req -new .*'
               'keyUsage=digitalSignature .* -key .*leaf.key')


@pytest.mark.parametrize("kind", ["primes", "damaged"])
def test_a_key_that_signs_nothing(server, run, conf_file, ports, shop, text, kind):
    """One of three primes, and one with a wrong number in it."""
    if kind == "primes":
        certificate, key = shop.pair("primes")
    else:
        certificate, whole = shop.pair("rsa")
        shop.openssl("rsa -in rsa.key -traditional -outform DER -out rsa.der")
        der, key = bytearray(shop["rsa.der"].read_bytes()), shop["damaged.key"]
        der[100] ^= 1  # in the modulus
        key.write_text("-----BEGIN RSA PRIVATE KEY-----\n" +
                       base64.encodebytes(bytes(der)).decode() + "-----END RSA PRIVATE KEY-----\n")
        assert whole.exists()
    is_refused(server, run, conf_file, ports, text(certificate, key),
               'key ".*" signs nothing: .*openssl genpkey .*')


def test_a_key_of_another_certificate(server, run, conf_file, ports, shop, text):
    """Of the same kind, and of another."""
    certificate, _ = shop.pair("p256")
    for kind in ("p384", "rsa", "pss"):
        _, key = shop.pair(kind)
        r = checked(run, conf_file, text(certificate, key))
        assert r.returncode == 1 and "does not match" in r.stderr, r.stderr
    shop.authorities()
    is_refused(server, run, conf_file, ports, text(certificate, shop["leaf.key"]),
               'certificate ".*" does not match key ".*"; .*: openssl x509 -noout -pubkey -in '
               '.*p256.pem; openssl pkey -pubout -in .*leaf.key')


@pytest.mark.parametrize("one, other", [("pss384", "pss256"), ("pss", "rsa")])
def test_rsa_keys_of_another_use(server, run, conf_file, ports, shop, text, one, other):
    is_refused(server, run, conf_file, ports, text(shop.pair(one)[0], shop.pair(other)[1]),
               'certificate ".*" does not match key ".*"; .*')


# The file that is derived from the pair p256, how, the error, and a command that repairs it by
# making new.pem or new.key.
FORMS = [
    ("x.der", "x509 -in p256.pem -outform DER -out x.der", "a certificate in DER"),
    ("x.p7b", "crl2pkcs7 -nocrl -certfile p256.pem -out x.p7b", "PKCS#7"),
    ("x.p7c", "crl2pkcs7 -nocrl -certfile p256.pem -outform DER -out x.p7c", "PKCS#7 in DER"),
    ("x.p12", "pkcs12 -export -in p256.pem -inkey p256.key -passout pass: -out x.p12",
     "PKCS#12 in DER"),
    ("x trusted.pem", "x509 -in p256.pem -trustout -addtrust serverAuth -out", "OpenSSL's own form"),
    ("both.pem", None, "has a private key in it"),
    ("x.key", "pkey -in p256.key -outform DER -out x.key", "a private key in DER"),
    ("x.pfx", "pkcs12 -export -in p256.pem -inkey p256.key -passout pass: -out x.pfx",
     "PKCS#12 in DER"),
    ("enc.key", "pkey -in p256.key -aes256 -passout pass:word -out enc.key", "is encrypted"),
    ("old.key", "ec -in p256.key -aes256 -passout pass:word -out old.key", "is encrypted"),
    ("enc.der", "pkcs8 -topk8 -in p256.key -v2 aes-256-cbc -passout pass:word -outform DER -out "
     "enc.der", "is encrypted"),
]


@pytest.mark.parametrize("name, command, says", FORMS, ids=[f[0].replace(" ", "-") for f in FORMS])
def test_other_forms_and_the_command_that_mends_each(server, run, conf_file, ports, shop, text,
                                                      name, command, says):
    certificate, key = shop.pair("p256")
    is_key = name in ("x.key", "x.pfx", "enc.key", "old.key", "enc.der")
    if command is None:
        shop.write(name, "p256.pem", "p256.key")
    elif command.endswith("-out"):
        shop.openssl(*command.split(), shop[name])
    else:
        shop.openssl(command)
    asked = text(certificate, shop[name]) if is_key else text(shop[name], key)
    is_refused(server, run, conf_file, ports, asked,
               f'{"key" if is_key else "certificate"} ".*{name}" .*{re.escape(says)}.*openssl .*')
    said = checked(run, conf_file, asked).stderr
    mend(shop, said[said.index("openssl "):].splitlines()[0])
    if is_key:
        key = shop["new.key"]
    else:
        certificate = shop["new.pem"]
    r = checked(run, conf_file, text(certificate, key))
    assert r.returncode == 0, (said, r.stderr)


def mend(shop, command):
    """As a person would, who types passphrases when asked."""
    for name in ("new.pem", "new.key"):
        shop[name].unlink(missing_ok=True)
    if "pkcs12" in command:
        command += " -passin pass:"
    elif "enc." in command or "old." in command:
        command += " -passin pass:word"
    subprocess.run(["sh", "-ec", command], cwd=shop.folder, check=True, timeout=TIMEOUT,
                   capture_output=True, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("content, says", [
    (b"", "it is empty"),
    (b"hello\n", "it holds nothing that this server recognizes"),
    (b"\xfe\xed\xfe\xed\0\0\0\2", "it is a Java key store.*keytool.*openssl pkcs12.*"),
    (b"-----BEGIN X509 CRL-----\n", "it holds a list of revoked certificates"),
    (b"-----BEGIN CERTIFICATE REQUEST-----\n", "it holds a certificate request.*"),
    (b"-----BEGIN PUBLIC KEY-----\n", "it holds a public key"),
    (b"-----BEGIN EC PARAMETERS-----\n", "it holds parameters without a key.*"),
    (b"-----BEGIN OPENSSH PRIVATE KEY-----\n", "it holds an OpenSSH key.*"),
])
def test_what_is_nothing_of_the_sort(run, conf_file, shop, text, content, says):
    certificate, key = shop.pair("p256")
    path = shop["nothing"]
    path.write_bytes(content)
    for asked, what in ((text(path, key), "certificate"), (text(certificate, path), "private key")):
        r = checked(run, conf_file, asked)
        assert r.returncode == 1
        assert re.search(rf'".*nothing" is not a {what} in PEM: {says}$', r.stderr, re.M), r.stderr


def test_files_that_are_damaged(run, conf_file, shop, text):
    certificate, key = shop.pair("p256")
    for source, name, other in ((certificate, "broken.pem", key), (key, "broken.key", certificate)):
        lines = source.read_bytes().splitlines(True)
        lines[1] = b"AAAA" + lines[1][4:]
        shop[name].write_bytes(b"".join(lines))
        r = checked(run, conf_file, text(shop[name], other) if name.endswith("pem")
                   else text(other, shop[name]))
        assert r.returncode == 1
        assert re.search(rf'".*{name}" (cannot be read: .*[^.]; to see what is wrong|is on a curve).*'
                         "openssl ", r.stderr), r.stderr


def test_a_path_of_any_letters_is_a_word_of_the_shells(run, conf_file, shop, text):
    _, key = shop.pair("p256")
    path = shop["it's a möller.der"]
    shop.openssl("x509", "-in", "p256.pem", "-outform", "DER", "-out", path)
    said = checked(run, conf_file, text(path, key)).stderr
    command = said[said.index("openssl "):].splitlines()[0]
    assert shlex.split(command)[:5] == ["openssl", "x509", "-inform", "DER", "-in"]
    assert shlex.split(command)[5] == str(path)
