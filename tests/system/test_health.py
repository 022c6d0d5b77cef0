"""The checks of upstreams: what they ask, what they find, and what that costs others: nothing."""
import os
import pathlib
import signal
import ssl
import subprocess
import time

import pytest

from harness import get, wait_for
from upstreams import GOOD, Upstream

FAST = "every 200ms timeout 150ms"


def port_with(port, urls, check, more=""):
    urls = " ".join(f'"{u}"' for u in urls)
    return f'port {port} {{ upstream "api" {{ to {urls} check {check} {more} }} respond 200 ' \
           f'location "/api" {{ proxy to "api" }} }}\n'


def url(upstream, host="127.0.0.1", scheme="http"):
    return f"{scheme}://{host}:{upstream.port}"


def answer(status, *fields):
    return "\r\n".join([f"HTTP/1.1 {status} X", "Content-Length: 0", *fields, "", ""]).encode()


def test_a_check_is_a_request_of_its_own(server, ports):
    with Upstream() as up:
        s = server(port_with(ports[0], [url(up)], f'"/health?deep=1" {FAST}'))
        wait_for(lambda: len(up.seen) >= 3, "checks")
        lines = up.seen[0].decode().split("\r\n")
        assert lines[0] == "GET /health?deep=1 HTTP/1.1"
        assert sorted(lines[1:-2]) == ["Accept: */*", "Connection: close", f"Host: 127.0.0.1:{up.port}",
                                       "User-Agent: bulkhead-check"]
        assert "is down" not in s.log() and "is up" not in s.log()


def test_a_state_is_logged_when_it_changes(server, ports):
    with Upstream(answer(503)) as up:
        s = server(port_with(ports[0], [url(up)], f'"/health" {FAST}'))
        s.wait_log(rf"upstream api: {url(up)} is down: 503 from /health\n")
        up.answer = GOOD
        s.wait_log(rf"upstream api: {url(up)} is up\n")
        up.answer = answer(404)
        s.wait_log(rf"upstream api: {url(up)} is down: 404 from /health\n")
        seen = len(up.seen)
        wait_for(lambda: len(up.seen) > seen + 4, "more checks")
        assert s.log().count("is down") == 2 and s.log().count("is up") == 1


def test_only_expected_statuses_are_good(server, ports):
    with Upstream(answer(302, "Location: /")) as moved, Upstream(answer(401)) as secret, \
            Upstream(b"HTTP/1.1 103 Early Hints\r\n\r\n" + answer(200)) as early:
        s = server(port_with(ports[0], [url(u) for u in (moved, secret, early)],
                             f'"/" {FAST} expect 200-399'))
        s.wait_log(rf"{url(secret)} is down: 401 from /\n")
        wait_for(lambda: min(len(u.seen) for u in (moved, early)) > 3, "checks")
        assert s.log().count("is down") == 1


@pytest.mark.parametrize("what, answered", [
    ("silence", None), ("a cut", b""), ("half a head", b"HTTP/1.1 200 OK\r\nX: "),
    ("another protocol", b"220 mail ESMTP\r\n"), ("two lengths", answer(200, "Content-Length: 1")),
    ("a switch", answer(101, "Upgrade: x", "Connection: upgrade")),
    ("interim responses without an end", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    ("a head that is too long", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100000)])
def test_a_fault_of_an_upstream_is_its_own(server, ports, what, answered):
    with Upstream(answered) as bad, Upstream() as good:
        s = server(port_with(ports[0], [url(bad), url(good)], f'"/health" {FAST}') +
                   f"port {ports[1]} {{ respond 200 }}\n")
        reason = s.wait_log(rf"upstream api: {url(bad)} is down: (.+)\n")[0][1]
        assert what != "silence" or reason == "no answer in 150ms from /health"
        wait_for(lambda: len(good.seen) > 3, "checks of the good one")
        assert get(ports[0], "/").status == get(ports[1], "/").status == 200
        assert len(s.ready(ports[0], "connector")) == 1
        assert f"{url(good)} is down" not in s.log()


def test_a_slow_drip_is_no_answer(server, ports):
    def drip(_, client):
        for byte in answer(200):
            client.sendall(bytes([byte]))
            time.sleep(0.05)

    with Upstream(drip) as up:
        s = server(port_with(ports[0], [url(up)], f'"/health" {FAST}'))
        s.wait_log("is down: no answer in 150ms from /health")


def test_a_connection_can_be_enough(server, ports, open_folder):
    path = open_folder / "app.sock"
    with Upstream(None) as up, Upstream(None, path=path) as local:
        path.chmod(0o777)
        s = server(port_with(ports[0], [url(up), f"unix:{path}"], "connect every 200ms timeout 150ms"))
        wait_for(lambda: len(up.came) > 3 and len(local.came) > 3, "checks")
        assert "is down" not in s.log() and not up.seen
        up.close()
        local.close()
        s.wait_log(rf"{url(up)} is down: Connection refused")
        s.wait_log(rf"unix:{path} is down: Connection refused")
        path.unlink()
        with Upstream(path=path):
            path.chmod(0o777)
            s.wait_log(rf"unix:{path} is up")


def test_a_unix_socket_is_asked_too(server, ports, open_folder):
    path = open_folder / "app.sock"
    with Upstream(path=path) as up:
        path.chmod(0o777)
        s = server(port_with(ports[0], [f"unix:{path}"], f'"/health" {FAST}'))
        wait_for(lambda: len(up.seen) > 2, "checks")
        assert b"\r\nHost: localhost\r\n" in up.seen[0]
        assert "is down" not in s.log()


def test_the_next_connector_goes_on(server, ports):
    with Upstream(answer(500)) as down, Upstream() as up:
        s = server(port_with(ports[0], [url(down), url(up)], f'"/health" {FAST}'))
        s.wait_log(rf"{url(down)} is down: 500 from /health")
        for count in range(2, 4):
            os.kill(s.ready(ports[0], "connector")[-1], signal.SIGKILL)
            s.wait_ready(ports[0], "connector", count)
            seen = len(down.seen), len(up.seen)
            wait_for(lambda: len(down.seen) > seen[0] + 3 and len(up.seen) > seen[1] + 3, "checks")
        assert s.log().count("is down") == 1 and "is up" not in s.log()
        assert len(s.ready(ports[0], "worker")) == 1
        down.answer = GOOD
        s.wait_log(rf"{url(down)} is up")


def test_checks_leave_no_descriptors(server, ports):
    with Upstream() as up, Upstream(b"nonsense\r\n\r\n") as bad, Upstream(None) as silent:
        s = server(port_with(ports[0], [url(u) for u in (up, bad, silent)],
                             '"/health" every 100ms timeout 50ms'))
        pid = wait_for(lambda: s.ready(ports[0], "connector"), "the connector")[0]
        folder = pathlib.Path(f"/proc/{pid}/fd")

        def count():
            return len(list(folder.iterdir()))

        wait_for(lambda: len(up.seen) > 5, "checks")
        first = count()
        seen = len(up.seen)
        wait_for(lambda: len(up.seen) > seen + 20, "more checks")
        assert count() <= first + 3  # those under way


# --- over TLS -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A folder with an authority, a certificate of it for "api.test" and 127.0.0.1, and another authority."""
    folder = tmp_path_factory.mktemp("authority")
    folder.chmod(0o755)

    def openssl(*argv):
        subprocess.run(["openssl", *map(str, argv)], cwd=folder, check=True, capture_output=True)

    for name in ("ca", "other"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                f"{name}.key", "-out", f"{name}.pem", "-days", "30", "-subj", f"/CN={name}")
    (folder / "ext").write_text("subjectAltName=DNS:api.test,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "api.key",
            "-out", "api.csr", "-subj", "/CN=api")
    openssl("x509", "-req", "-in", "api.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-out", "api.pem", "-days",
            "20", "-extfile", "ext", "-set_serial", "7")
    for file in folder.iterdir():
        file.chmod(0o644)
    return folder


@pytest.fixture
def secure(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "api.pem", authority / "api.key")
    with Upstream(context=context) as up:
        yield up


@pytest.mark.parametrize("verify, good", [
    ('authority "{ca}"', True), ('authority "{ca}" name "api.test"', True),
    ('authority "{ca}" name "other.test"', False), ('authority "{other}"', False), ("off", True)])
def test_a_server_is_verified_as_workers_do(server, ports, authority, secure, verify, good):
    verify = verify.format(ca=authority / "ca.pem", other=authority / "other.pem")
    s = server(port_with(ports[0], [url(secure, scheme="https")], '"/health" every 1s timeout 900ms',
                         f"verify {verify}"))
    if good:
        wait_for(lambda: len(secure.seen) >= 3, "checks")
        assert "is down" not in s.log()
    else:
        s.wait_log(rf"upstream api: https://127.0.0.1:{secure.port} is down: .+")
        assert not secure.seen  # nothing was sent


def test_plain_http_is_no_tls(server, ports, authority):
    with Upstream(b"HTTP/1.1 400 Bad Request\r\n\r\n") as up:
        s = server(port_with(ports[0], [url(up, scheme="https")], '"/health" every 1s timeout 900ms',
                             f'verify authority "{authority / "ca.pem"}"'))
        s.wait_log(rf"https://127.0.0.1:{up.port} is down: .+")
