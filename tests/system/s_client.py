"""openssl s_client as a client of the server, and what it saw.

The words in which it says so differ between OpenSSL 3.0 and 3.5: this file alone knows them. A
certificate is told by its bytes, which it prints in the same form everywhere."""
import re
import ssl
import subprocess

from harness import TIMEOUT

COMMON_NAME = bytes.fromhex("0603550403")  # id-at-commonName, X.520, in DER
# As TLS calls them (RFC 8422, 5.1.1): the words of libcrypto are those of other standards
CURVES = {"prime256v1": "secp256r1"}


def _element(der, at=0):
    """(content, where the next begins) of an element of DER (X.690) with a tag of one byte."""
    size, begin = der[at + 1], at + 2
    if size & 0x80:
        begin += size & 0x7f
        size = int.from_bytes(der[at + 2:begin], "big")
    return der[begin:begin + size], begin + size


def common_name(der):
    """The last one in the subject of a certificate (RFC 5280, 4.1)."""
    certificate, _ = _element(der)
    fields, at = _element(certificate)[0], 0
    if fields[0] == 0xa0:  # its version, which the first one has not
        _, at = _element(fields)
    for _ in ("serial number", "signature", "issuer", "validity"):
        _, at = _element(fields, at)
    subject, _ = _element(fields, at)
    at = subject.rindex(COMMON_NAME) + len(COMMON_NAME)
    return _element(subject, at)[0].decode()


class Seen:
    """What a run of s_client has printed, and its facts."""

    def __init__(self, done):
        self.text = done.stdout + done.stderr
        self.body = done.stdout
        self.ended = done.returncode

    def __repr__(self):  # where an assertion fails
        return self.text

    def __contains__(self, words):
        """Of what the server has sent, or of words that all versions have in common."""
        return words in self.text

    @property
    def certificates(self):
        """In DER, as the server has sent them: the first alone unless with -showcerts."""
        found = re.findall("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", self.body,
                           re.S)
        return [ssl.PEM_cert_to_DER_cert(pem) for pem in found]

    @property
    def names(self):
        """The common names of the certificates."""
        return [common_name(der) for der in self.certificates]

    @property
    def name(self):
        """Of the server's own certificate, None where none was sent."""
        return next(iter(self.names), None)

    @property
    def verified(self):
        return re.search(r"^ *Verif(y return code: 0 \(ok\)|ication: OK)$", self.text, re.M) is not None

    @property
    def established(self):
        """Has the handshake come to its end?"""
        return bool(re.search(r"^CONNECTION ESTABLISHED$|^New, TLSv1\.[23], Cipher is (?!\(NONE\))",
                              self.text, re.M))

    @property
    def cipher(self):
        found = re.search(r"^(?:New, .*Cipher is|Ciphersuite:) ([\w-]+)$", self.text, re.M)
        return found and found[1]

    @property
    def group(self):
        """Of the key exchange: "X25519", "secp256r1" …"""
        found = re.search(r"^(?:(?:Server|Peer) Temp Key: (?:ECDH, )?(\w+),|"
                          r"Negotiated TLS1\.3 group: (\w+)$)", self.text, re.M)
        name = found and (found[1] or found[2])
        return CURVES.get(name, name)

    @property
    def signature(self):
        """The kind of the server's: "ecdsa", "rsa_pss", "rsa", "ed25519", "ed448"."""
        found = re.search(r"^(?:Peer s|S)ignature type: ([\w-]+)$", self.text, re.M)
        word = found[1].lower().replace("-", "_") if found else ""
        kinds = ("ecdsa", "rsa_pss", "rsa", "ed25519", "ed448")
        return next((kind for kind in kinds if word.startswith(kind)), None)

    @property
    def digest(self):
        """That the server has signed over: "sha256" …"""
        found = re.search(r"^(?:Peer signing digest|Hash used): (\w+)$", self.text, re.M)
        return found and found[1].lower()

    @property
    def alert(self):
        """The number of the alert by which the server ended, if it did."""
        found = re.search(r"alert number (\d+)", self.text)
        return found and int(found[1])


def s_client(port, *options, data="", timeout=TIMEOUT):
    """To its end: without data that is the end of its input, right after the handshake."""
    argv = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *map(str, options)]
    return Seen(subprocess.run(argv, input=data, capture_output=True, text=True, errors="replace",
                               timeout=timeout))
