"""A port with more certificates than the descriptors that one message can bring: every process is
handed all of them, whatever happens meanwhile."""
import contextlib
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time

import pytest

from harness import BINARY, HELLO, TIMEOUT, get, wait_for
from test_control import ctl
from test_upgrade import FOLLOWED, upgradable  # noqa: F401
from test_upgrade_waiting import Asking, waiting  # noqa: F401

PAIRS = 300
# The first and last of all, and those around the end of a message.
NAMED = (0, 1, 150, *range(240, 262), 299)
NEXT = BINARY.parent / "next" / "bulkhead"
RELOADED = r"reloaded: (\d+) kept, (\d+) changed, (\d+) new, (\d+) dropped"


def make_pair(folder, stem, name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{stem}.key", "-out",
                    f"{stem}.pem", "-days", "30", "-subj", f"/CN={name}", "-addext",
                    f"subjectAltName=DNS:{name}"], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """The pairs NUMBER.pem, NUMBER.key. Those of NAMED have a name of their own; the others are
    copies of one pair, in files of their own."""
    folder = tmp_path_factory.mktemp("many")
    make_pair(folder, "other", "other.example")
    for i in range(PAIRS):
        if i in NAMED:
            make_pair(folder, i, f"host{i}.example")
        else:
            for kind in ("pem", "key"):
                shutil.copy(folder / f"other.{kind}", folder / f"{i}.{kind}")
    return folder


@pytest.fixture
def pairs(originals, tmp_path):
    folder = tmp_path / "pairs"
    shutil.copytree(originals, folder)
    return folder


def tls(folder, count=PAIRS):
    return "tls { " + "\n".join(f'certificate "{folder}/{i}.pem" key "{folder}/{i}.key"'
                                for i in range(count)) + " }\n"


def shown(port, name):
    """The certificate that a client is shown that asks for this name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), 30) as raw, \
            context.wrap_socket(raw, server_hostname=name) as c:
        return ssl.DER_cert_to_PEM_cert(c.getpeercert(True)).strip()


def shows_its_own(port, folder, numbers=NAMED):
    for i in numbers:
        assert shown(port, f"host{i}.example") == (folder / f"{i}.pem").read_text().strip(), i


def test_every_process_is_handed_all_of_them(server, ports, pairs):
    s = server(tls(pairs) + f'port {ports[0]} {{ workers 2 keyholders 2 respond 200 "Hello, world!\\n" }}')
    shows_its_own(ports[0], pairs)
    # a process that takes the place of another one gets them, too
    for role in ("worker", "keyholder"):
        before = s.children(role, ports[0])
        for pid in before.values():
            os.kill(pid, signal.SIGKILL)
        s.wait_ready(ports[0], role, 4)
    shows_its_own(ports[0], pairs)
    assert get(ports[0]).body == HELLO
    assert "too many messages" not in s.log()
    assert s.stop() == 0


def test_a_change_of_one_of_them_is_seen(server, ports, pairs):
    s = server(tls(pairs) + f'port {ports[0]} {{ workers 2 respond 200 "Hello, world!\\n" }}'
               + f'port {ports[1]} {{ tls {{ certificate "{pairs}/0.pem" key "{pairs}/0.key" }} echo }}')

    def reload(count):
        s.kill(signal.SIGHUP)
        return tuple(map(int, s.wait_log(RELOADED, count)[-1].groups()))

    assert reload(1) == (2, 0, 0, 0)
    os.utime(pairs / "299.key")  # another mark, the same content
    workers = s.workers()
    assert reload(2) == (2, 0, 0, 0)
    wait_for(lambda: s.workers() == workers, "the end of those that read it to compare")
    make_pair(pairs, 250, "host250.example")
    assert reload(3) == (1, 1, 0, 0)
    shows_its_own(ports[0], pairs)
    assert s.stop() == 0


@pytest.mark.skipif(not NEXT.exists(), reason="make next has not been run")
def test_they_go_on_in_the_next_version(server, ports, pairs, tmp_path, monkeypatch):
    program = tmp_path / "bulkhead"
    shutil.copy(BINARY, program)
    monkeypatch.setattr("harness.BINARY", program)
    s = server(tls(pairs) + f'port {ports[0]} {{ workers 2 respond 200 "Hello, world!\\n" }}')
    for count, source in ((1, NEXT), (2, BINARY)):
        shutil.copy(source, tmp_path / "new")
        os.rename(tmp_path / "new", program)
        s.kill(signal.SIGUSR2)
        s.wait_log("upgraded from .* to .*: all ports have followed", count)
        shows_its_own(ports[0], pairs)
    assert s.stop() == 0


@pytest.mark.skipif(not NEXT.exists(), reason="make next has not been run")
def test_the_next_version_waits_for_those_that_are_being_handed_them(waiting, ports, pairs):  # noqa: F811
    """It could not hand them the rest, so this version would have to kill them; and so many quick
    deaths would park the port."""
    s = waiting("restart { park after 2 in 60s }\n" + tls(pairs) +
                f'port {ports[0]} {{ workers 4 respond 200 "Hello, world!\\n" }}')

    def below():  # much faster than a look at all processes
        with open(f"/proc/{s.pid}/task/{s.pid}/children", errors="replace") as f:
            return set(map(int, f.read().split()))

    time.sleep(1.1)  # the end of a process that has lived for a second is no quick death
    workers, others = set(s.workers().values()), below()
    with Asking(s, "upgrade") as upgrading:
        s.wait_log("upgrade: asking")
        check, before, stopped = below() - others, below(), set()
        end = time.monotonic() + TIMEOUT
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        while len(stopped) < len(workers):  # their successors, before they have read anything
            for pid in below() - before - stopped:
                os.kill(pid, signal.SIGSTOP)
                stopped.add(pid)
            assert time.monotonic() < end, "the workers were not replaced"
        s.let(0)
        wait_for(lambda: not below() & check, "the end of the check")
        assert ctl(s, "status").returncode == 0  # it waits for them, and for nobody else
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    assert upgrading.result.returncode == 0, upgrading.result
    s.wait_log(FOLLOWED)
    assert not re.search("had not been handed|PARKED", s.log())
    assert get(ports[0]).body == HELLO
    assert s.stop() == 0


def test_without_room_for_them_the_port_waits_and_says_why(server, ports, pairs):
    s = server(f'port {ports[0]} {{ ' + tls(pairs) + ' echo }'
               f'port {ports[1]} {{ tls {{ certificate "{pairs}/0.pem" key "{pairs}/0.key" }}'
               ' respond 200 "Hello, world!\\n" }', wrapper=("prlimit", "--nofile=400:400", "--"))
    assert get(ports[1]).body == HELLO
    s.wait_log(r"\d+ descriptors are needed for 2 ports, and 400 may be open")
    assert not s.workers(ports[0])
    assert "PARKED" not in s.log()
    assert s.stop() == 0


def test_many_processes_begin_at_once_with_few_descriptors(server, ports, pairs):
    """The kernel refuses all messages with descriptors while too many are under way."""
    # Killed within a second: none of these deaths may park the port.
    s = server("restart { backoff 1ms to 1ms; park after 64 in 60s }\n" + tls(pairs) +
               f'port {ports[0]} {{ workers 8 keyholders 8 respond 200 "Hello, world!\\n" }}'
               + f'port {ports[1]} {{ tls {{ certificate "{pairs}/0.pem" key "{pairs}/0.key" }} echo }}',
               wrapper=("prlimit", "--nofile=1700:1700", "--"))
    for p in s.workers(ports[0]).values():
        os.kill(p, signal.SIGKILL)
    s.wait_ready(ports[0], "worker", 16)
    for p in s.keyholders(ports[0]).values():
        os.kill(p, signal.SIGKILL)
    s.wait_ready(ports[0], "keyholder", 16)
    shows_its_own(ports[0], pairs, NAMED[::5])
    assert "Too many references" not in s.log()
    assert "does not read" not in s.log()
    assert s.stop() == 0


def test_a_child_that_ends_in_the_middle_is_replaced(server, ports, pairs):
    """It is stopped before it has read the first message, so the rest waits, and nobody waits for
    it."""
    s = server(tls(pairs) + f'port {ports[0]} {{ workers 1 keyholders 1 respond 200 "Hello, world!\\n" }}'
               + f'port {ports[1]} {{ tls {{ certificate "{pairs}/0.pem" key "{pairs}/0.key" }} echo }}')
    pid = s.workers(ports[0])[ports[0], 1]
    os.kill(pid, signal.SIGKILL)
    for _ in range(2):  # more quick deaths would park the port
        pid = wait_for(lambda p=pid: [q for q in s.workers(ports[0]).values() if q != p],
                       "a successor")[0]
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)  # wherever it is by now
            get(ports[1])  # the master and the others are not held up
            os.kill(pid, signal.SIGKILL)
    s.wait_log(r"worker 1 \(pid \d+\) .*SIGKILL", 3)
    wait_for(lambda: s.workers(ports[0]) and
             s.ready(ports[0], "worker")[-1:] == list(s.workers(ports[0]).values()),
             "a worker that is ready")
    shows_its_own(ports[0], pairs, NAMED[::5])
    assert s.stop() == 0


def test_one_that_leaves_right_after_its_start_is_heard(server, ports, pairs):
    """It has just sent a report of each certificate. These do not count as too many messages."""
    s = server(tls(pairs) + f'port {ports[0]} {{ respond 200 "Hello, world!\\n" }}', wait=None)
    pid = int(s.wait_log(r"worker 1 \(pid (\d+)\) is ready")[0][1])
    os.kill(pid, signal.SIGTERM)
    s.wait_log(rf"worker 1 \(pid {pid}\) drained")
    assert "too many messages" not in s.log()
    s.wait_ready(ports[0], "worker", 2)
    assert s.stop() == 0
    assert "too many messages" not in s.log()


def test_a_stop_in_the_middle_of_a_start(server, ports, pairs):
    s = server(tls(pairs) + f'port {ports[0]} {{ workers 4 keyholders 4 echo }}', wait=None)
    s.wait_log("starts 1 port")
    wait_for(lambda: s.keyholders() or s.process.poll() is not None, "the first child")
    s.kill()
    assert s.process.wait(30) in (0, 1)
    assert not re.search("out of form|do not fit", s.log()), s.log()


def test_there_is_a_most(run, conf_file, pairs):
    text = "tls { " + "\n".join(f'certificate "{pairs}/0.pem" key "{pairs}/0.key"' for _ in range(4097))
    r = run("-t", "-f", conf_file("most.conf", text + " }\nport 8443 { echo }"))
    assert r.returncode != 0
    assert "a port has at most 4096 certificates" in r.stderr
