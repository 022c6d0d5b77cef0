"""Filters as the programs of users meet them: curl, wget, and the clients of Python, each with what it does by itself
about compression, passwords and certificates."""
import gzip
import http.client
import io
import json
import ssl
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from harness import Connection, client_context, have
from test_authenticate import BOB, field
from test_client_certificates import Authority

pytestmark = pytest.mark.any_build

TEXT = "".join(f"<p>The line {n} of a page, grüß Gott</p>\n" for n in range(3000)).encode()
# As those do who have installed it; the Python of the tests may be another one.
REQUESTS = """
import json, sys, requests
requests.packages.urllib3.disable_warnings()
url, user, password, certificate, key = sys.argv[1:]
with requests.Session() as s:
    s.verify, s.trust_env = False, False
    s.auth = (user, password) if user else None
    s.cert = (certificate, key) if certificate else None
    r = s.get(url)
    assert s.get(url).status_code == r.status_code
    print(json.dumps([r.status_code, r.content.decode(), r.headers.get("Content-Encoding")]))
"""


@pytest.fixture
def site(server, ports, tmp_path, open_folder, certificates):
    """The URLs of a port with passwords and compression, and of one that wants a certificate; bob's certificate."""
    passwords = tmp_path / "staff.htpasswd"
    passwords.write_text(f"bob:{BOB}\n")
    passwords.chmod(0o600)
    folder = tmp_path / "clients"
    folder.mkdir()
    authority = Authority(folder)
    authority.issue("bob")
    (open_folder / "page.html").write_bytes(TEXT)
    s = server(certificates.tls() + f"""
port {ports[0]} {{
	compress gzip zstd br
	files "{open_folder}"
	location "/in" {{ authenticate basic "staff" file "{passwords}"  files "{open_folder}" }}
	location "/echo" {{ echo }}
}}
port {ports[1]} {{
	tls {{ client certificate required authority "{folder}/ca.pem" }}
	location "/" {{ echo }}
}}
""")
    s.url, s.closed = (f"https://localhost:{port}" for port in ports[:2])
    s.pair = folder / "bob.pem", folder / "bob.key"
    return s


class Client:
    """Gets a URL, and returns (status, body, its coding on the way); None, if there was no answer."""

    def curl(self, url, user=(), pair=()):
        argv = ["curl", "--disable", "-sk", "--noproxy", "*", "--max-time", "60", "--compressed", "-i", url]
        argv += (["-u", ":".join(user)] if user else []) + (["--cert", pair[0], "--key", pair[1]] if pair else [])
        ran = subprocess.run(argv, capture_output=True, timeout=90)
        if ran.returncode:
            return None
        head, _, body = ran.stdout.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:])
        return int(head.split()[1]), body, fields.get("content-encoding")

    def wget(self, url, user=(), pair=()):
        argv = ["wget", "--no-config", "--no-proxy", "--no-check-certificate", "--timeout=60", "--tries=1",
                "--compression=auto", "--server-response", "-O", "-", url]
        argv += [f"--user={user[0]}", f"--password={user[1]}"] if user else []
        argv += [f"--certificate={pair[0]}", f"--private-key={pair[1]}"] if pair else []
        ran = subprocess.run(argv, capture_output=True, timeout=90)
        told = [line.strip() for line in ran.stderr.decode().split("\n")]
        statuses = [int(line.split()[1]) for line in told if line.startswith("HTTP/1.1 ")]
        codings = [line.split(": ")[1] for line in told if line.startswith("Content-Encoding: ")]
        return (statuses[-1], ran.stdout, codings[-1] if codings else None) if statuses else None

    def context(self, pair):
        context = client_context()
        if pair:
            context.load_cert_chain(*pair)
        return context

    def urllib(self, url, user=(), pair=()):
        passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        if user:
            passwords.add_password("staff", url, *user)  # found by the realm of the 401
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self.context(pair)),
            urllib.request.HTTPBasicAuthHandler(passwords))
        request = urllib.request.Request(url, headers={"Accept-Encoding": "gzip"})
        try:
            with opener.open(request, timeout=60) as r:
                coding, body = r.headers["Content-Encoding"], r.read()
                return r.status, gzip.decompress(body) if coding else body, coding
        except urllib.error.HTTPError as e:
            return e.code, e.read(), None
        except OSError:
            return None

    def http_client(self, url, user=(), pair=()):
        _, _, host, path = url.split("/", 3)
        fields = {"Accept-Encoding": "gzip, deflate"}
        if user:
            fields["Authorization"] = field(*user).split(": ")[1].strip()
        c = http.client.HTTPSConnection(host, context=self.context(pair), timeout=60)
        try:
            found = []
            for _ in range(2):  # on one connection
                c.request("GET", "/" + path, headers=fields)
                r = c.getresponse()
                coding, body = r.getheader("Content-Encoding"), r.read()
                found.append((r.status, gzip.decompress(body) if coding else body, coding))
            assert found[0][0] == found[1][0]
            return found[0]
        except OSError:
            return None
        finally:
            c.close()

    def requests(self, url, user=(), pair=()):
        ran = subprocess.run([python_with_requests(), "-c", REQUESTS, url, *(user or ("", "")),
                              *map(str, pair or ("", ""))], capture_output=True, text=True, timeout=90)
        if ran.returncode:
            assert "SSLError" in ran.stderr or "ConnectionError" in ran.stderr, ran.stderr
            return None
        status, body, coding = json.loads(ran.stdout)
        return status, body.encode(), coding


def python_with_requests():
    for python in (sys.executable, "/usr/bin/python3"):
        if have(python) and subprocess.run([python, "-c", "import requests"], capture_output=True).returncode == 0:
            return python
    return None


@pytest.fixture(params=["curl", "wget", "urllib", "http_client", "requests"])
def client(request):
    if request.param in ("curl", "wget") and not have(request.param):
        pytest.skip(f"needs {request.param}")
    if request.param == "requests" and not python_with_requests():
        pytest.skip("needs the requests of Python")
    return getattr(Client(), request.param)


def test_compressed_pages(client, site):
    status, body, coding = client(site.url + "/page.html")
    assert (status, body) == (200, TEXT) and coding in ("gzip", "zstd", "br")
    assert client(site.url + "/nowhere")[0] == 404


def test_passwords(client, site):
    assert client(site.url + "/in/page.html")[0] == 401
    status, body, coding = client(site.url + "/in/page.html", user=("bob", "secret"))
    assert (status, body) == (200, TEXT) and coding
    assert client(site.url + "/in/page.html", user=("bob", "guess"))[0] == 401


def test_certificates(client, site):
    status, body, _ = client(site.closed + "/", pair=site.pair)
    assert (status, json.loads(body)["tls"]["client_certificate"]["subject"]) == (200, "CN=bob")
    assert client(site.closed + "/") is None


def test_what_a_client_has_compressed_stays_so(site, ports):
    """A body is not unpacked on its way in, whatever its Content-Encoding says: a bomb is as large as it is sent."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb") as f:
        for _ in range(16):
            f.write(bytes(1 << 20))
    bomb = packed.getvalue()
    assert len(bomb) < 20000
    with Connection(ports[0]) as c:
        c.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Type: application/json\r\n"
               b"Content-Length: %d\r\n\r\n" % len(bomb) + bomb)
        r = c.response("POST")
        assert (r.status, r.body) == (200, bomb)


def test_tls_12_has_all_of_it(site, ports):
    context = client_context(maximum_version=ssl.TLSVersion.TLSv1_2)
    context.load_cert_chain(*site.pair)
    with Connection(ports[1], context=context) as c:
        assert json.loads(c.get().body)["tls"]["client_certificate"]["subject"] == "CN=bob"
    with Connection(ports[0], context=context) as c:
        r = c.get("/in/page.html", field("bob", "secret") + "Accept-Encoding: gzip\r\n")
        assert (r.status, gzip.decompress(r.body)) == (200, TEXT)
