"""An upgrade in place of a server with a whole site, plain ports, hosts and files, under load: every
request gets its answer, whole, and from the folder that is current."""
import functools
import hashlib
import os
import pathlib
import tempfile

import pytest

from harness import Connection, client_context, wait_for
from test_control import ctl
from test_upgrade import NEXT, again_and_again, upgradable, upgrade  # noqa: F401 (a fixture)

pytestmark = pytest.mark.skipif(not NEXT.exists(), reason="make next has not been run")

LARGE = bytes(range(256)) * 8192  # 2 MiB, more than a socket takes at once

SITE = """access log errors
control "{control}"
tls {{ certificate "{default[0]}" key "{default[1]}" }}
port {plain} {{
	tls off
	workers 2
	location "/.well-known/acme-challenge" {{ files "{site}/acme" }}
	location "/" {{ redirect 308 "https://${{host}}${{target}}" }}
}}
port {tls} {{
	workers 2
	host "shop.example" {{
		tls {{ certificate "{shop[0]}" key "{shop[1]}" }}
		location "/" {{ files "{site}/current" {{ precompressed gzip listing on cache "max-age=60" }} }}
		location "/created" {{ respond 201 file "{site}/created.json" methods any }}
		error 404 {{ respond file "{site}/404.html" }}
	}}
	host "*.shop.example" {{ redirect 308 "https://shop.example${{target}}" }}
	host "same.example" {{ location "/" {{ files "{site}/same" }} }}
	respond 421
}}
"""


@pytest.fixture
def site():
    """A folder that every user may read; `current` is a link to a release."""
    with tempfile.TemporaryDirectory(prefix="bulkhead-") as name:
        folder = pathlib.Path(name)
        for path, content in (("acme/token", b"token"), ("releases/1/page", b"release 1"),
                              ("releases/2/page", b"release 2"), ("same/page", b"same"),
                              ("created.json", b"{}"), ("404.html", b"none"),
                              ("same/large", LARGE), ("releases/1/page.gz", b"1 in gzip"),
                              ("releases/2/page.gz", b"2 in gzip")):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        (folder / "current").symlink_to("releases/1")
        for path in (folder, *folder.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() else 0o644)
        yield folder


def ask(port, host, path, *, plain=False, name=None, **fields):
    context = client_context()
    lines = "".join(f"{field.replace('_', '-')}: {value}\r\n" for field, value in fields.items())
    with Connection(port, plain=plain, context=context, server_hostname=name or host) as c:
        c.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{lines}\r\n".encode())
        response = c.response()
        assert c.closed()
    return response.status, response.body


def switch(site, release):
    (site / "fresh").symlink_to(f"releases/{release}")
    os.rename(site / "fresh", site / "current")


def slowly(port):
    """A download that lasts longer than an upgrade's turn."""
    with Connection(port, context=client_context(), server_hostname="same.example") as c:
        c.send(b"GET /large HTTP/1.1\r\nHost: same.example\r\n\r\n")
        c.read_until(b"\r\n\r\n")
        digest, left = hashlib.sha256(), len(LARGE)
        while left > 0:
            part = c.read_exactly(min(left, 4096))
            digest.update(part)
            left -= len(part)
        assert digest.digest() == hashlib.sha256(LARGE).digest()


def kept_alive(port):
    """Until the server closes it, as HTTP/1.1 has it: with a response that says so, or while no
    request is under way."""
    with Connection(port, context=client_context(), server_hostname="shop.example") as c:
        for _ in range(50):
            c.send(b"GET /created HTTP/1.1\r\nHost: shop.example\r\n\r\n")
            try:
                response = c.response()
            except EOFError as e:
                assert "b''" in str(e)  # not within a response
                return
            assert (response.status, response.body) == (201, b"{}")
            if response["Connection"] == "close":
                assert c.closed()
                return


def test_a_site_goes_on(upgradable, ports, site, certificates, tmp_path):  # noqa: F811
    plain, tls = ports[:2]
    s = upgradable(SITE.format(control=tmp_path / "control.sock", site=site, plain=plain, tls=tls,
                               default=certificates(), shop=certificates("other")))
    shop = functools.partial(ask, tls, "shop.example")

    def expect(want, *args, **options):
        assert ask(*args, **options) == want, args

    def current():
        status, body = shop("/page")
        assert (status, body) in ((200, b"release 1"), (200, b"release 2"))

    clients = (
        functools.partial(expect, (200, b"token"), plain, "shop.example",
                          "/.well-known/acme-challenge/token", plain=True),
        functools.partial(expect, (308, b""), plain, "shop.example", "/a?b", plain=True),
        functools.partial(expect, (404, b"none"), tls, "shop.example", "/no/such"),
        functools.partial(expect, (206, LARGE[70000:170000]), tls, "same.example", "/large",
                          Range="bytes=70000-169999"),
        functools.partial(expect, (421, b"421 Misdirected Request\n"), tls, "shop.example", "/", name="same.example"),
        current, functools.partial(slowly, tls), functools.partial(kept_alive, tls))
    with again_and_again(*clients):
        for n in range(1, 4):
            upgrade(s, n)
            # what is current is current at once, also for workers of the next version
            switch(site, n % 2 + 1)
            assert shop("/page") == (200, b"release %d" % (n % 2 + 1))
            assert shop("/page", Accept_Encoding="gzip") == (200, b"%d in gzip" % (n % 2 + 1))
        assert ctl(tmp_path / "control.sock", "reload").returncode == 0
    wait_for(lambda: "draining" not in ctl(tmp_path / "control.sock", "status").stdout,
             "the end of the former workers")
    for p in (plain, tls):
        assert f"[PORT {p}]" in s.log() and f"[PORT {p}] PARKED" not in s.log()
    assert s.stop() == 0
