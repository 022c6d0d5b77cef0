"""Filters as a browser meets them, in headless Chromium over TLS: compressed pages, scripts, data and fonts;
pages of other sites; passwords; certificates."""
import json
import os
import shutil
import subprocess

import pytest

from browser import browser
from harness import need_root
from test_authenticate import BOB
from test_client_certificates import Authority
from test_site_in_a_browser import FLAGS, font, until

pytestmark = pytest.mark.any_build

LINES = [f"The line {n} of a page, which is like the others." for n in range(2000)]
PAGE = ("<!doctype html><meta charset=utf-8><title>Shop</title><link rel=icon href=data:,>"
        "<link rel=stylesheet href=style.css><script type=module src=main.mjs></script><p>" + "<br>\n".join(LINES))
STYLE = ('@font-face { font-family: Site; src: url("site.ttf") }\nbody { font: 30px Site; color: rgb(1, 2, 250) }\n' +
         "".join(f".unused{n} {{ color: #123456 }}\n" for n in range(500)))
SCRIPT = ('window.result = (await (await fetch("data.json")).json()).items.length;\n'
          'window.wasm = (await WebAssembly.instantiateStreaming(fetch("empty.wasm"))).instance;\n' +
          "// a comment that is long enough\n" * 50)
CODINGS = ("br", "zstd", "gzip")


@pytest.fixture(scope="module")
def chromium():
    with browser(*FLAGS) as b:
        yield b


def answers(b):
    """{end of the path: {(status, coding)}} of the responses as they came from the server."""
    paths, found = {}, {}
    for event in b.events:
        if event.get("method") == "Network.requestWillBeSent":
            paths[event["params"]["requestId"]] = event["params"]["request"]["url"].rpartition("/")[2]
    for event in b.events:
        if event.get("method") == "Network.responseReceivedExtraInfo":
            path = paths.get(event["params"]["requestId"])
            fields = {name.lower(): value for name, value in event["params"]["headers"].items()}
            found.setdefault(path, set()).add((event["params"]["statusCode"], fields.get("content-encoding")))
    return found


# --- compression -----------------------------------------------------------------------------------


@pytest.mark.parametrize("coding", CODINGS)
def test_a_page_that_is_compressed_with_all_that_belongs_to_it(chromium, server, ports, open_folder, coding):
    if not font():
        pytest.skip("needs a TrueType font")
    site = open_folder / "site"
    site.mkdir()
    files = {"index.html": PAGE, "style.css": STYLE, "main.mjs": SCRIPT,
             "data.json": json.dumps({"items": LINES})}
    for name, text in files.items():
        (site / name).write_text(text)
    (site / "site.ttf").write_bytes(font().read_bytes())
    # A module with a section of its own that is long and the same throughout.
    (site / "empty.wasm").write_bytes(b"\0asm\1\0\0\0" + b"\0\x82\x20\1x" + bytes(4096))
    server(f'port {ports[0]} {{ compress {coding}  files "{site}" }}')
    b = chromium
    for visit in range(2):
        b.open(f"https://localhost:{ports[0]}/")
        assert until(b, "window.result") == len(LINES)
        assert until(b, "window.wasm instanceof WebAssembly.Instance")
        assert b.evaluate("document.querySelector('p').innerText").split("\n") == LINES
        assert b.evaluate("getComputedStyle(document.body).color") == "rgb(1, 2, 250)"
        until(b, "[...document.fonts].length == 1 && [...document.fonts].every(f => f.status == 'loaded')")
        assert b.complaints() == []
        found = answers(b)
        if visit == 0:
            for name in ("", "style.css", "main.mjs", "data.json", "site.ttf", "empty.wasm"):
                assert found[name] == {(200, coding)}, name
        else:  # it asks whether they are still the same, by the weak tags that it has
            assert found["style.css"] == found["site.ttf"] == {(304, None)}


# --- other sites -----------------------------------------------------------------------------------


@pytest.fixture
def sites(chromium, server, ports, tmp_path, open_folder):
    """A page of one port, opened; the URL of another port, which that page may ask; a third port is of nobody's."""
    passwords = tmp_path / "staff.htpasswd"
    passwords.write_text(f"bob:{BOB}\n")
    passwords.chmod(0o600)
    (open_folder / "site.ttf").write_bytes(font().read_bytes() if font() else b"")
    page = '<!doctype html><title>Page</title><link rel=icon href=data:,>'
    app = f'"https://localhost:{ports[0]}"'
    s = server(f"""
port {ports[0]} {{ respond 200 "{page}" type "text/html" }}
port {ports[2]} {{ respond 200 "{page}" type "text/html" }}
port {ports[1]} {{
	header set "X-Seen" "yes" always
	header set "X-Hidden" "yes" always
	cors origin {app} methods "GET" "PUT" headers "X-Token" "Authorization" expose "X-Seen" credentials on
	location "/echo" {{ echo }}
	location "/public" {{ cors origin any  echo }}
	location "/closed" {{ cors off  echo }}
	location "/in" {{ authenticate basic "staff" file "{passwords}"  respond 200 "inside" }}
	location "/font" {{ files "{open_folder}" }}
	location "/closed-font" {{ cors off  files "{open_folder}" }}
}}
""")
    s.page, s.other = (f"https://localhost:{port}" for port in (ports[0], ports[2]))
    s.api = f"https://localhost:{ports[1]}"
    chromium.open(s.page)
    return s


def fetched(b, url, options="{}"):
    """Status, fields and text as the page may read them; None: it may not."""
    return b.evaluate(f"fetch({json.dumps(url)}, {options}).then(async r => "
                      "[r.status, Object.fromEntries(r.headers), await r.text()], () => null)")


def test_a_page_of_the_list_reads_answers(chromium, sites):
    status, fields, text = fetched(chromium, sites.api + "/echo")
    headers = dict(json.loads(text)["headers"])
    assert (status, headers["Origin"]) == (200, sites.page)
    assert fields["x-seen"] == "yes" and "x-hidden" not in fields
    # So it does with those of errors and of the server itself.
    status, fields, text = fetched(chromium, sites.api + "/nowhere")
    assert (status, fields["x-seen"]) == (404, "yes") and "404" in text
    assert fetched(chromium, sites.api + "/closed") is None
    status, fields, _ = fetched(chromium, sites.api + "/public")
    assert status == 200 and "x-seen" not in fields


def test_a_preflight_allows_methods_and_headers(chromium, sites):
    put = "{method: 'PUT', headers: {'X-Token': '1'}, body: 'hello'}"
    assert fetched(chromium, sites.api + "/echo", put)[::2] == [200, "hello"]
    sites.wait_log(r'"OPTIONS /echo HTTP/1\.1" 204')
    sites.wait_log(r'"PUT /echo HTTP/1\.1" 200')
    for refused in ("{method: 'DELETE'}", "{headers: {'X-Other': '1'}}"):
        assert fetched(chromium, sites.api + "/echo", refused) is None
    assert fetched(chromium, sites.api + "/closed", put) is None
    assert '"DELETE' not in sites.log() and '"PUT /closed' not in sites.log()


def test_cookies_and_passwords_go_where_credentials_are_on(chromium, sites):
    chromium.evaluate("document.cookie = 'basket=3; path=/; secure'")

    def cookie(url, options):
        answer = fetched(chromium, url, options)
        return answer and dict(json.loads(answer[2])["headers"]).get("Cookie")

    assert cookie(sites.api + "/echo", "{}") is None
    assert cookie(sites.api + "/echo", "{credentials: 'include'}") == "basket=3"
    # With "any" a page may not read what was asked with credentials.
    assert fetched(chromium, sites.api + "/public", "{credentials: 'include'}") is None
    # The browser asks before it sends a password: that needs none.
    right, wrong = (f"{{headers: {{Authorization: 'Basic ' + btoa('bob:{word}')}}}}" for word in ("secret", "guess"))
    assert fetched(chromium, sites.api + "/in", right)[::2] == [200, "inside"]
    assert fetched(chromium, sites.api + "/in", wrong)[0] == 401
    assert fetched(chromium, sites.api + "/in", "{}")[0] == 401


def test_other_pages_read_nothing(chromium, sites):
    chromium.open(sites.other)
    for options in ("{}", "{method: 'PUT', headers: {'X-Token': '1'}, body: 'hello'}", "{credentials: 'include'}"):
        assert fetched(chromium, sites.api + "/echo", options) is None
    assert '"PUT' not in sites.log()
    assert fetched(chromium, sites.api + "/public")[0] == 200
    assert any("CORS policy" in text for text in chromium.complaints())


def test_a_font_of_another_site(chromium, sites):
    if not font():
        pytest.skip("needs a TrueType font")
    load = "new FontFace('Site', 'url(%s/site.ttf)').load().then(f => f.status, () => 'refused')"
    assert chromium.evaluate(load % (sites.api + "/font")) == "loaded"
    assert chromium.evaluate(load % (sites.api + "/closed-font")) == "refused"
    chromium.open(sites.other)
    assert chromium.evaluate(load % (sites.api + "/font")) == "refused"


# --- who comes in ----------------------------------------------------------------------------------


def test_a_password_is_asked_for_once(chromium, sites, ports):
    """The browser keeps it, and sends it with all that belongs to the page."""
    chromium.open(f"https://bob:secret@localhost:{ports[1]}/in/page")
    assert chromium.evaluate("document.body.innerText") == "inside"
    assert chromium.evaluate(f"fetch('{sites.api}/in/other').then(r => r.text())") == "inside"
    sites.wait_log(r'"GET /in/other HTTP/1\.1" 200 \d+ \S+ user "bob"')


def with_policies(program, policies, folder):
    """That Chromium with these policies, which it reads from /etc: there is a folder that only it sees."""
    path, wrapper = folder / "policies.json", folder / "chromium"
    path.write_text(json.dumps(policies))
    wrapper.write_text("#!/bin/sh -e\n"
                       "exec unshare --mount sh -ec 'mount -t tmpfs none /etc/chromium\n"
                       "mkdir -p /etc/chromium/policies/managed\n"
                       f'cp {path} /etc/chromium/policies/managed\nexec "$@"\' sh {program} "$@"\n')
    wrapper.chmod(0o755)
    return wrapper


def test_a_client_certificate(server, ports, certificates, tmp_path):
    """The headless shell shows none, whatever its store has; the whole Chromium shows that which a policy names."""
    whole = shutil.which("chromium")
    if not whole or not os.path.isdir("/etc/chromium"):
        pytest.skip("needs the whole Chromium")
    if not shutil.which("certutil") or not shutil.which("pk12util"):
        pytest.skip("needs certutil")
    need_root("unshare")
    folder = tmp_path / "clients"
    folder.mkdir()
    authority = Authority(folder)
    authority.issue("bob")
    store = tmp_path / ".pki" / "nssdb"
    store.mkdir(parents=True)
    authority.openssl("pkcs12", "-export", "-in", "bob.pem", "-inkey", "bob.key", "-name", "bob", "-passout", "pass:",
                      "-out", "bob.p12")
    for argv in (["certutil", "-d", f"sql:{store}", "-N", "--empty-password"],
                 ["pk12util", "-d", f"sql:{store}", "-i", folder / "bob.p12", "-W", ""]):
        subprocess.run(argv, check=True, capture_output=True)
    program = with_policies(whole, {"AutoSelectCertificateForUrls": [
        json.dumps({"pattern": f"https://localhost:{port}", "filter": {}}) for port in ports[:2]]}, tmp_path)
    server(certificates.tls() + "".join(
        f'port {port} {{ tls {{ client certificate required authority "{folder}/{name}.pem" }}\nlocation "/" {{ echo }} }}\n'
        for port, name in zip(ports, ("ca", "other"))))
    with browser(*FLAGS, program=program, env={**os.environ, "HOME": str(tmp_path)}) as b:
        b.open(f"https://localhost:{ports[0]}/")
        shown = json.loads(b.evaluate("document.body.innerText"))["tls"]["client_certificate"]
        assert (shown["subject"], shown["issuer"]) == ("CN=bob", "CN=ca")
        b.open(f"https://localhost:{ports[1]}/")  # of that authority it has none
        assert "ERR_BAD_SSL_CLIENT_AUTH_CERT" in b.evaluate("document.body.innerText")
