"""Ports with `tls off`: what they serve, what they do not need, and clients that speak TLS to them."""
import json
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time

import pytest

from harness import HELLO, TIMEOUT, Connection, client_context, descriptors_of, get, have, wait_for
from test_control import ctl

REFUSED = r"plain connection with \('127.0.0.1', \d+\) failed: The client speaks TLS to a plain port\."


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    monkeypatch.setattr(Connection, "plain", True)


def echo(port, **options):
    return json.loads(get(port, "/echo", **options).body)


def test_a_plain_port_serves_without_a_certificate(server, ports):
    s = server(f'port {ports[0]} {{ tls off location "/echo" {{ echo }} '
               'respond 200 "Hello, world!\\n" }', tls=False)
    with Connection(ports[0]) as c:
        assert c.get().body == HELLO and c.get().body == HELLO
    told = echo(ports[0])
    assert told["tls"] is None and told["version"] == "HTTP/1.1"
    assert len(s.workers()) == 1 and not s.keyholders()
    assert "keyholder" not in "".join(line for line in s.log().splitlines() if "[PORT" in line)
    s.wait_log(r'"GET / HTTP/1\.1" 200 14 ', count=2)
    assert s.stop() == 0


def test_a_port_with_tls_beside_it_has_everything(server, ports, certificates):
    s = server(certificates.tls() + f'port {ports[0]} {{ tls off echo }}\nport {ports[1]} {{ echo }}')
    assert json.loads(get(ports[0]).body)["tls"] is None
    assert json.loads(get(ports[1], plain=False).body)["tls"]["version"] == "TLS1.3"
    assert list(s.keyholders()) == [(ports[1], 1)]
    for (port, _), pid in s.workers().items():
        kinds = list(descriptors_of(pid).values())
        assert kinds.count("socket:seqpacket") == (1 if port == ports[0] else 2), kinds


@pytest.mark.parametrize("statement", ["tls development", 'tls { certificate "a.pem" key "a.key" }'])
def test_contradictions_are_errors(run, conf_file, statement):
    path = conf_file("c.conf", f"port 8000 {{\n\ttls off\n\t{statement}\n\techo\n}}\n")
    r = run("-t", "-f", path)
    assert r.returncode == 1 and f"{path}:3:2: error: certificates contradict `tls off` at line 2" in r.stderr


def test_a_check_needs_no_certificate_and_warns_of_port_443(run, conf_file):
    path = conf_file("c.conf", "port 443 { tls off listen on 127.0.0.1 echo }\n")
    r = run("-t", "-f", path)
    assert r.returncode == 0 and "warning: port 443 has `tls off`: clients expect HTTPS" in r.stderr
    assert "configuration ok: 1 port" in r.stderr
    text = run("-T", "-f", path).stdout
    assert "\ttls off\n" in text
    assert run("-T", "-f", conf_file("again.conf", text)).stdout == text


# --- clients that speak TLS ---


def hellos():
    outgoing = ssl.MemoryBIO()
    tls = client_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    hello = outgoing.read()
    return {"ClientHello": [hello], "byte by byte": [hello[i:i + 1] for i in range(20)],
            "SSL 2.0": [b"\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10" + bytes(35)]}


@pytest.mark.parametrize("form", hellos())
def test_tls_is_recognized_and_closed_cleanly(server, ports, form):
    s = server(f"port {ports[0]} {{ tls off echo }}", tls=False)
    with socket.create_connection(("127.0.0.1", ports[0]), timeout=TIMEOUT) as c:
        for piece in hellos()[form]:
            c.sendall(piece)
            time.sleep(0)
        assert c.recv(100) == b""  # no reset, and nothing that a TLS client takes for TLS
    s.wait_log(REFUSED)
    assert '"-" 400' not in s.log() and "\\026" not in s.log()
    assert get(ports[0]).status == 200


def test_real_tls_clients_fail_at_once(server, ports):
    s = server(f"port {ports[0]} {{ tls off echo }}", tls=False)
    with pytest.raises(OSError):
        Connection(ports[0], plain=False)
    s.wait_log(REFUSED)
    if have("curl"):
        r = subprocess.run(["curl", "-sk", f"https://127.0.0.1:{ports[0]}/"], capture_output=True, timeout=TIMEOUT)
        assert r.returncode != 0
        s.wait_log(REFUSED, count=2)


def test_tls_is_a_request_of_its_own_only_at_the_beginning(server, ports):
    s = server(f"port {ports[0]} {{ tls off echo }}", tls=False)
    with Connection(ports[0]) as c:
        assert c.get().status == 200
        c.send(hellos()["ClientHello"][0])
        assert c.response().status == 400
    assert not re.search(REFUSED, s.log())


# --- ends ---


def test_half_closed_clients_are_answered(server, ports):
    """Complete requests that came before the client closed its side are answered; the truncated
    one is not."""
    server(f"port {ports[0]} {{ tls off echo }}", tls=False)
    with Connection(ports[0]) as c:
        c.send(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n" * 2 +
               b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" + b"GET /hea")
        c.socket.shutdown(socket.SHUT_WR)
        data = c.read_to_end()
    assert data.count(b"HTTP/1.1 200 OK") == 3 and data.endswith(b"hello")


def test_an_upload_that_is_answered_early_gets_its_answer(server, ports):
    """The rest of it is read, so that no reset destroys the answer (RFC 9112, 9.6)."""
    server(f"port {ports[0]} {{ tls off limits {{ body 1K }} echo }}", tls=False)
    with Connection(ports[0]) as c:
        c.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4194304\r\n\r\n")
        for _ in range(64):
            c.send(bytes(65536))
        assert c.response().status == 413 and c.closed()


def test_a_response_that_is_cut_does_not_look_complete(server, ports):
    server(f"port {ports[0]} {{ tls off limits {{ body-timeout 200ms }} echo }}", tls=False)
    with Connection(ports[0]) as c:
        c.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        data = c.read_to_end()
        assert b"abc" in data and not data.endswith(b"\r\n0\r\n\r\n")


# --- limits ---


def test_a_silent_client_is_closed_after_head_timeout(server, ports):
    s = server(f"log to console\nport {ports[0]} {{ tls off limits {{ head-timeout 200ms; idle 1h }} echo }}",
               tls=False, args=["-v"])
    with socket.create_connection(("127.0.0.1", ports[0]), timeout=TIMEOUT) as c:
        assert c.recv(100) == b""
    s.wait_log("has reached its head-timeout limit")
    with Connection(ports[0]) as c:  # afterwards its idle time counts
        assert c.get().status == 200
        c.socket.settimeout(1)
        with pytest.raises(TimeoutError):
            c.read_some()


# --- faults ---


def test_faults_of_tls_are_refused(server, ports, run, conf_file):
    text = f"faults enabled\nport {ports[0]} {{ tls off\n%s respond 200 }}\n"
    for kind in ("certificate", "handshake", "keyholder"):
        path = conf_file("c.conf", text % f'location "/" {{ fault {kind} }}')
        assert f"`fault {kind}` needs TLS, and this port has `tls off`" in run("-t", "-f", path).stderr
    s = server(text % 'location "/fault" { fault control }', tls=False)
    assert "handshake" not in get(ports[0], "/fault").body.decode()
    answer = get(ports[0], "/fault/handshake?how=stall")
    assert answer.status == 400 and answer.body == b"fault handshake needs TLS, and the port has `tls off`\n"
    with Connection(ports[0]) as c:
        c.send(b"GET /fault/crash?how=null HTTP/1.1\r\nHost: a\r\n\r\n")
        assert c.closed()
    s.wait_log(r"worker 1 \(pid \d+\) crashed by SIGSEGV")
    s.wait_log(r"  request: GET /fault/crash\?how=null")


# --- changes ---


def reload(s, text):
    s.config.write_text(text)
    done = len(re.findall(r"reloaded: ", s.log()))
    s.kill(signal.SIGHUP)
    s.wait_log(r"reloaded: ", count=done + 1)


def test_a_reload_takes_tls_away_and_gives_it_back(server, ports, certificates):
    """Requests in flight are finished as they began; nobody is refused."""
    with_tls = certificates.tls() + f"port {ports[0]} {{ echo workers 2 }}\n"
    plain = certificates.tls() + f"port {ports[0]} {{ tls off echo workers 2 }}\n"
    s = server(with_tls)
    request = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab"
    for text, before in ((plain, False), (with_tls, True), (plain, False)):
        with Connection(ports[0], plain=before) as busy:
            busy.send(request)
            wait_for(lambda: busy.read_some(), "the beginning of the answer")
            reload(s, text)
            assert get(ports[0], plain=not before).status == 200
            busy.send(b"cd")
            assert busy.response().body == b"abcd"
        # The processes of the other kind end with the last client.
        wait_for(lambda: len(s.keyholders(ports[0])) == (2 if before else 0) and
                 len(s.workers(ports[0])) == 2, "the former generation's end")
    assert s.stop() == 0


def test_a_reload_from_certificates_that_do_not_exist_any_more(server, ports, certificates, tmp_path):
    names = [tmp_path / "pair.pem", tmp_path / "pair.key"]
    for source, target in zip(certificates(), names):
        shutil.copy(source, target)
    tls = f'tls {{ certificate "{names[0]}" key "{names[1]}" }}'
    s = server(f"port {ports[0]} {{ {tls} echo }}\n")
    for name in names:
        name.unlink()
    reload(s, f"port {ports[0]} {{ tls off echo }}\n")
    assert get(ports[0]).status == 200


def test_status_says_plain(server, ports, certificates, tmp_path):
    path = tmp_path / "control.sock"
    s = server(certificates.tls() + f'control "{path}"\nport {ports[0]} {{ tls off echo }}\n'
               f"port {ports[1]} {{ echo }}\n")
    told = json.loads(ctl(path, "status", "--json").stdout)["ports"]
    assert [p["tls"] for p in told] == [False, True]
    assert told[0]["keyholders"] == [] and told[0]["keyholders_wanted"] == 0
    assert told[0]["certificates"] == [] and told[0]["certificate"] is None
    table = ctl(path, "status").stdout.splitlines()
    assert "plain" in next(line.split() for line in table if line.split()[:1] == [str(ports[0])])
    assert "none, plain HTTP" in ctl(path, "status", ports[0]).stdout
    s.wait_log(rf"plain HTTP, without TLS, on port {ports[0]}\n")
    with pytest.raises(OSError):
        Connection(ports[0], plain=False)
    wait_for(lambda: json.loads(ctl(path, "status", "--json").stdout)["ports"][0]["counters"]
             ["handshakes_failed"]["malformed"] == 1, "the count of a client that spoke TLS")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_worker_that_dies_is_replaced(server, ports, number):
    s = server(f"port {ports[0]} {{ tls off echo }}", tls=False)
    (pid,) = s.workers(ports[0]).values()
    subprocess.run(["kill", f"-{number.value}", str(pid)], check=True)
    wait_for(lambda: list(s.workers(ports[0]).values()) not in ([], [pid]), "the next worker")
    assert get(ports[0]).status == 200


@pytest.mark.parametrize("root", ["chroot off", ""])
@pytest.mark.parametrize("addresses", [["*"], ["127.0.0.1"], ["127.0.0.1", "127.0.0.2", "::1"],
                                       [f"127.0.0.{i}" for i in range(1, 10)]])
def test_a_worker_that_is_handed_little_else_has_its_listeners(server, ports, root, addresses):
    """Without keys, and without a folder for its root."""
    s = server(f"privileges lenient\nworkers 2\nport {ports[0]} {{ tls off {root}\n" +
               "".join(f"listen on {address}\n" for address in addresses) + "echo }", tls=False)
    for address in addresses:
        with Connection(ports[0], host="127.0.0.1" if address == "*" else address) as c:
            assert c.get().status == 200
    assert len(s.workers()) == 2 and "starting it again" not in s.log()
    assert s.stop() == 0
