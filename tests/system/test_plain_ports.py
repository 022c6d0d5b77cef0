"""Ports with `tls off`: what they serve, what they do not need, and clients that speak TLS to them."""
import json
import re
import signal
import socket
import ssl
import subprocess
import time

import pytest

from harness import HELLO, TIMEOUT, Connection, client_context, descriptors_of, get, have, wait_for

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


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_worker_that_dies_is_replaced(server, ports, number):
    s = server(f"port {ports[0]} {{ tls off echo }}", tls=False)
    (pid,) = s.workers(ports[0]).values()
    subprocess.run(["kill", f"-{number.value}", str(pid)], check=True)
    wait_for(lambda: list(s.workers(ports[0]).values()) not in ([], [pid]), "the next worker")
    assert get(ports[0]).status == 200
