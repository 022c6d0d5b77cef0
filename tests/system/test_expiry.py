"""When the end of a certificate is near, the warning and the name in it."""
import datetime
import json
import os
import re
import subprocess
import time

import pytest

from harness import BINARY, TIMEOUT, need_root, wait_for

CTL = BINARY.parent / "bulkheadctl"
DAY = datetime.timedelta(days=1)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A function: makes a pair that began and ends this many days from now; returns its tls
    block."""
    folder = tmp_path_factory.mktemp("expiry")
    key = folder / "key"
    subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-out", key], check=True, capture_output=True)
    now = datetime.datetime.now(datetime.timezone.utc)

    def make(name, began, ends, names='cn = "example"\n'):
        path, template = folder / f"{name}.pem", folder / "template"
        dates = (f'{what}_date = "{now + days * DAY:%Y-%m-%d %H:%M:%S} UTC"\n'
                 for what, days in (("activation", began), ("expiration", ends)))
        template.write_text(names + "".join(dates) + "tls_www_server\n")
        subprocess.run(["certtool", "--generate-self-signed", "--load-privkey", key, "--template",
                        template, "--outfile", path], check=True, capture_output=True)
        return path, f'tls {{ certificate "{path}" key "{key}" }}'
    return make


@pytest.fixture
def controlled(server, tmp_path):
    def start(text, **options):
        s = server(f'control "{tmp_path}/ctl"\nlog to console\n{text}', **options)
        s.control = tmp_path / "ctl"
        return s
    return start


def ctl(s, *args):
    r = subprocess.run([CTL, "-s", s.control, *map(str, args)], capture_output=True, text=True,
                       timeout=TIMEOUT, encoding="utf-8")
    assert r.returncode == 0, r
    return r.stdout


def certificate_of(s):
    return json.loads(ctl(s, "status", "--json"))["ports"][0]["certificate"]


# --- when ---


# A third of the lifetime, 14 days at the most: (began, ends) in days from now.
SOON = [(-4.5, 1.5), (-76, 13.5), (-20.5, 9.5), (-300, 13.5), (-0.7, 0.3), (-30, -1)]
NOT_YET = [(-0.01, 5.99), (-3, 3.5), (-75, 15.5), (-1, 29.5), (-3, 8.5), (-350, 15.5)]


@pytest.mark.parametrize("began, ends", SOON)
def test_soon(run, conf_file, controlled, ports, shop, began, ends):
    path, tls = shop("soon", began, ends)
    words = "has expired" if ends < 0 else "expires in " + (
        "less than a day" if ends < 1 else f"{int(ends)} day{'s' if ends >= 2 else ''}")
    s = controlled(f"port {ports[0]} {{ echo {tls} }}")
    s.wait_log(rf'\[PORT {ports[0]}\] the certificate of CN=example in "{path}" {words}, at \d{{4}}-')
    r = run("-t", "-f", s.config)
    assert r.returncode == 0
    assert re.search(rf'warning: certificate "{path}" {words.removeprefix("has ")},? on \d{{4}}-',
                     r.stderr), r.stderr
    assert certificate_of(s)["ends_soon"] is True
    status = ctl(s, "status")
    assert f'warning: {ports[0]}: the certificate of CN=example in "{path}" {words}, at' in status
    assert ("ended!" if ends < 0 else f" {int(ends)}d!") in status


@pytest.mark.parametrize("began, ends", NOT_YET)
def test_not_yet(run, conf_file, controlled, ports, shop, began, ends):
    path, tls = shop("later", began, ends)
    s = controlled(f"port {ports[0]} {{ echo {tls} }}")
    shown = wait_for(lambda: certificate_of(s), "what is known of it")
    assert shown["ends_soon"] is False and shown["days_left"] == int(ends)
    r = run("-t", "-f", s.config)
    assert r.returncode == 0 and "warning" not in r.stderr, r.stderr
    status = ctl(s, "status")
    assert "warning" not in status and f" {int(ends)}d\n" in status
    time.sleep(1.5)  # only waiting shows that nothing comes
    assert "expires" not in s.log()


def test_once_a_day_and_each_of_a_port(controlled, ports, shop):
    """The certificate that ends first need not be the one that deserves a warning; and both
    may."""
    first, tls_first = shop("six", -3, 3.5)
    near, tls_near = shop("ninety", -85, 5.5)
    far, tls_far = shop("far", -1, 29.5)
    blocks = "".join(tls[len("tls { "):-1] for tls in (tls_first, tls_near, tls_far))
    s = controlled(f"port {ports[0]} {{ workers 2 echo tls {{ {blocks} }} }}")
    s.wait_log(rf'in "{near}" expires in 5 days')
    port = json.loads(ctl(s, "status", "--json"))["ports"][0]
    assert [(c["file"], c["days_left"], c["ends_soon"]) for c in port["certificates"]] == \
        [(str(first), 3, False), (str(near), 5, True), (str(far), 29, False)]
    assert port["certificate"] == port["certificates"][1]
    assert " 5d!" in ctl(s, "status")
    ctl(s, "restart", ports[0])
    time.sleep(2.5)  # that nothing more comes can only be seen by waiting
    assert s.log().count("expires in") == 1, s.log()


def test_many_are_not_a_flood(controlled, ports, shop):
    """Each file once; of many the first, and how many there are."""
    path, tls = shop("near", -85, 5.5)
    key = re.search(r'key "(.*?)"', tls)[1]
    copies = [path.with_name(f"copy{i}.pem") for i in range(30)]
    for copy in copies:
        copy.write_bytes(path.read_bytes())
    hosts = "".join(f'host "h{i}.example" {{ tls {{ certificate "{copy}" key "{key}" certificate "{path}" key "{key}" }}'
                    " echo }\n" for i, copy in enumerate(copies))
    s = controlled(f"port {ports[0]} {{ echo {tls} {hosts} }}")
    s.wait_log(rf"\[PORT {ports[0]}\] 21 more certificates of this port expire soon or have expired: "
               "`bulkheadctl status --json` has all")
    assert s.log().count("expires in 5 days") == 10, s.log()
    assert s.log().count(f'"{path}" expires') == 1
    assert len(json.loads(ctl(s, "status", "--json"))["ports"][0]["certificates"]) == 61


# --- by which name ---


NAMES = {
    "utf8": ('cn = "Möller & Søn 中文"\n', "CN=Möller & Søn 中文"),
    "dns": ('dns_name = "www.example"\ndns_name = "two.example"\n', "www.example"),
    "address": ('ip_address = "192.0.2.7"\n', "192.0.2.7"),
    "address6": ('uri = "https://example/"\nip_address = "2001:db8::7"\n', "2001:db8::7"),
    "none": ("", None),
    "mail": ('email = "a@example"\n', None),
    "direction": ('cn = "gpj.\u202egnp"\n', "CN=gpj.\\342\\200\\256gnp"),
    "control": ('cn = "a\u009b31mb"\n', "CN=a\\302\\23331mb"),
    "several": ('country = "DE"\norganization = "Example, Inc."\ncn = "shop"\n',
                "CN=shop,O=Example\\, Inc.,C=DE"),
}


@pytest.mark.parametrize("kind", NAMES)
def test_the_name_is_the_same_everywhere(controlled, ports, shop, kind):
    names, name = NAMES[kind]
    path, tls = shop(f"name-{kind}", -85, 5.5, names)
    s = controlled(f"port {ports[0]} {{ echo {tls} }}")
    shown = (f"of {name} " if name else "") + f'in "{path}"'
    s.wait_log("expires in")
    assert f"the certificate {shown} expires in 5 days, at " in \
        s.log_path.read_text(encoding="utf-8"), s.log()
    certificate = certificate_of(s)
    assert (certificate["subject"], certificate["file"]) == (name or str(path), str(path))
    assert f"{ports[0]}: the certificate {shown} expires in 5 days, at " in ctl(s, "status")
    assert f"certificate: {shown}, ends " in ctl(s, "status", ports[0])


def test_a_name_that_is_too_long_says_so(controlled, ports, shop):
    """Cut between two characters, whatever their length, and marked."""
    units = "".join(f'unit = "Abteilung für Prüfung und Überwachung Nummer {i}"\n'
                    for i in range(20))
    path, tls = shop("long", -85, 5.5, 'cn = "long"\n' + units)
    s = controlled(f"port {ports[0]} {{ echo {tls} }}")
    s.wait_log("expires in 5 days")
    subject = certificate_of(s)["subject"]
    assert subject.endswith("...") and 240 < len(subject.encode()) < 256, subject
    assert "Prüfung und Überwachung" in subject and "\\3" not in subject
    assert f'{subject} in "{path}" expires' in s.log_path.read_text(encoding="utf-8")


def test_a_file_of_any_name(run, controlled, ports, shop, tmp_path):
    path, tls = shop("plain", -85, 5.5, "")
    odd = tmp_path / "Zertifikat für mich.pem"
    odd.write_bytes(path.read_bytes())
    s = controlled(f"port {ports[0]} {{ echo {tls.replace(str(path), str(odd))} }}")
    s.wait_log("expires in 5 days")
    assert f'the certificate in "{odd}" expires' in s.log_path.read_text(encoding="utf-8")
    assert certificate_of(s)["subject"] == str(odd)
    assert f'"{odd}" expires' in run("-t", "-f", s.config).stderr


def test_the_names_outlive_an_upgrade(controlled, ports, shop):
    need_root()
    path, tls = shop("upgrade", -85, 5.5, NAMES["utf8"][0])
    s = controlled(f"port {ports[0]} {{ echo {tls} }}")
    s.wait_log("expires in 5 days")
    before = certificate_of(s)
    ctl(s, "upgrade")
    assert certificate_of(s) == before
    os.kill(s.workers()[ports[0], 1], 9)
    s.wait_ready(ports[0], "worker", 3)
    assert certificate_of(s) == before
    assert s.log().count("expires in") == 1, s.log()
