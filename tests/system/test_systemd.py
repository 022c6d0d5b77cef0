"""The messages to the service manager and the sockets that it passes; this test and a socket
play the manager."""
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

from harness import BINARY, TIMEOUT, Connection, get, refused, wait_for

PORT = 'port %d { listen on 127.0.0.1 respond 200 "here" }\n'


class Manager:
    """The receiving end of NOTIFY_SOCKET."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(TIMEOUT)
        self.env = {"NOTIFY_SOCKET": address.replace("\0", "@")}
        self.messages = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def receive(self):
        """The next message, as a dictionary."""
        text = self.socket.recv(8192).decode("ascii")
        fields = dict(line.split("=", 1) for line in text.split("\n"))
        self.messages.append(fields)
        return fields

    def until(self, wanted):
        """Waits for a message for which wanted(fields) holds; returns it."""
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            fields = self.receive()
            if wanted(fields):
                return fields
        raise AssertionError(f"not told: {self.messages}")

    def status(self, pattern):
        return self.until(lambda f: re.search(pattern, f.get("STATUS", "")))


@pytest.fixture
def manager(tmp_path):
    # Not below pytest's folder, whose path may be too long for a socket.
    with Manager(f"\0bulkhead-test-{os.getpid()}-{time.monotonic_ns()}") as m:
        yield m


def test_ready_status_and_stopping_are_told(server, manager, ports):
    s = server("".join(PORT % p for p in ports[:2]), env=manager.env)
    ready = manager.until(lambda f: f.get("READY") == "1")
    assert ready["STATUS"] == "2 of 2 ports serving"
    assert "MAINPID" not in ready
    assert s.stop() == 0
    stopping = manager.until(lambda f: f.get("STOPPING") == "1")
    assert stopping["EXTEND_TIMEOUT_USEC"] == "20000000"
    assert stopping["STATUS"].startswith("stopping; ")


def test_a_parked_port_is_named_with_its_reason(server, manager, ports, certificates):
    mismatched = f'tls {{ certificate "{certificates("other")[0]}" key "{certificates()[1]}" }}'
    server(certificates.tls() + PORT % ports[0] +
           f'port {ports[1]} {{ echo {mismatched} restart {{ park after 1 in 1m }} }}',
           env=manager.env)
    ready = manager.until(lambda f: f.get("READY") == "1")
    assert ready["STATUS"].startswith(f"1 of 2 ports serving; {ports[1]} parked: ")
    assert "does not match key" in ready["STATUS"]


HELD = r"""
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A process of a port begins as soon as there is no such file any more. */
__attribute__((constructor)) static void hold(int argc, char **argv)
{
	const struct timespec pause = {.tv_nsec = 10000000};
	while (argc > 1 && strcmp(argv[1], "--child") == 0 && access("%s", F_OK) == 0)
		(void)nanosleep(&pause, NULL);
}
"""


@pytest.mark.any_build
def test_each_state_of_a_port_is_told_also_that_it_starts_after_a_backoff(server, manager, ports,
                                                                          tmp_path):
    if shutil.which("cc") is None:
        pytest.skip("needs cc")
    held, library = tmp_path / "held", tmp_path / "hold.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-o", library, "-"], check=True, text=True,
                   input="#include <time.h>\n" + HELD % held)
    s = server("restart { backoff 1s to 1s; park after 60 in 1h }\n" + PORT % ports[0],
               env={**manager.env, "LD_PRELOAD": str(library)})
    manager.until(lambda f: f.get("READY") == "1")
    held.touch()
    while "starting it again in 1s" not in s.log():
        for pid in s.workers(ports[0]).values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    manager.status(f"^0 of 1 port serving; {ports[0]} backoff$")
    manager.status(f"^0 of 1 port serving; {ports[0]} starting$")
    held.unlink()
    manager.status("^1 of 1 port serving$")


def last_status(manager, s):
    """What systemctl shows once the server has ended."""
    s.process.wait(TIMEOUT)
    manager.socket.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            manager.receive()
    return [m["STATUS"] for m in manager.messages if "STATUS" in m][-1]


def parked(certificates, port):
    mismatched = f'tls {{ certificate "{certificates("other")[0]}" key "{certificates()[1]}" }}'
    return f"port {port} {{ echo {mismatched} restart {{ park after 1 in 1m }} }}\n"


@pytest.mark.parametrize("count", [1, 3])
def test_the_last_status_has_the_reasons_when_no_port_can_be_served(server, manager, ports,
                                                                    certificates, count):
    s = server("".join(parked(certificates, p) for p in ports[:count]), env=manager.env)
    status = last_status(manager, s)
    assert s.process.returncode == 1
    assert status.startswith("no port could be served; ")
    for p in ports[:count]:
        assert re.search(rf"; {p} parked: [^;]*does not match key", status), status
    for m in manager.messages:  # and no one before it has lost them
        if m.get("STOPPING") == "1":
            assert m["STATUS"].startswith("no port can be served, stopping; 0 of ")
            assert f"{ports[0]} parked: " in m["STATUS"]


def test_the_last_status_of_a_stop_names_the_parked_port(server, manager, ports, certificates):
    s = server(certificates.tls() + PORT % ports[0] + parked(certificates, ports[1]),
               env=manager.env)
    manager.until(lambda f: f.get("READY") == "1")
    assert s.stop() == 0
    assert re.match(rf"stopped after \d+s: 1 worker drained, 0 killed, 0 connections cut; "
                    rf"{ports[1]} parked: .*does not match key",
                    last_status(manager, s))


def test_a_configuration_with_errors_is_the_last_status(server, manager, ports):
    s = server(PORT % ports[0] + "nonsense 1\nmore of it\n", env=manager.env, wait=None)
    assert re.match(r"the configuration has errors: .*bulkhead.conf:3: .*nonsense",
                    last_status(manager, s))
    assert s.process.returncode == 1


def test_a_path_is_an_address_too(server, ports, tmp_path_factory):
    path = f"/tmp/bulkhead-test-{os.getpid()}.socket"
    with Manager(path) as manager:
        os.chmod(path, 0o666)
        try:
            server(PORT % ports[0], env=manager.env)
            manager.until(lambda f: f.get("READY") == "1")
        finally:
            os.unlink(path)


def test_a_reload_is_told_from_begin_to_end(server, manager, ports):
    s = server(PORT % ports[0], env=manager.env)
    manager.until(lambda f: f.get("READY") == "1")
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    s.config.write_text(s.config.read_text() + PORT % ports[1])
    s.kill(signal.SIGHUP)
    reloading = manager.until(lambda f: f.get("RELOADING") == "1")
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert before <= int(reloading["MONOTONIC_USEC"]) <= after
    assert "READY" not in reloading
    ready = manager.until(lambda f: f.get("READY") == "1")
    assert ready["STATUS"].startswith("reloaded; ")
    if ready["STATUS"] != "reloaded; 2 of 2 ports serving":
        manager.status("^reloaded; 2 of 2 ports serving$")


def test_a_reload_that_fails_says_why(server, manager, ports):
    s = server(PORT % ports[0], env=manager.env)
    manager.until(lambda f: f.get("READY") == "1")
    good = s.config.read_text()
    s.config.write_text(good + "nonsense\n")
    s.kill(signal.SIGHUP)
    manager.until(lambda f: f.get("RELOADING") == "1")
    ready = manager.until(lambda f: f.get("READY") == "1")
    assert re.match(r"reload failed: .*nonsense.*; 1 of 1 port serving$", ready["STATUS"])
    s.config.write_text(good)
    s.kill(signal.SIGHUP)
    manager.status("^reloaded; 1 of 1 port serving$")


def test_the_watchdog_is_fed(server, manager, ports):
    began = time.monotonic()
    s = server(PORT % ports[0], env={**manager.env, "WATCHDOG_USEC": "400000"})
    for _ in range(5):
        manager.until(lambda f: f.get("WATCHDOG") == "1")
    assert time.monotonic() - began >= 0.8
    s.kill(signal.SIGSTOP)
    manager.socket.settimeout(1)
    with contextlib.suppress(TimeoutError):  # what was on its way
        for _ in range(100):
            manager.receive()
        raise AssertionError("a stopped master says that it is alive")
    s.kill(signal.SIGCONT)


def test_a_watchdog_of_another_process_is_left_alone(server, manager, ports):
    server(PORT % ports[0],
           env={**manager.env, "WATCHDOG_USEC": "100000", "WATCHDOG_PID": "1"})
    manager.until(lambda f: f.get("READY") == "1")
    manager.socket.settimeout(0.5)
    with pytest.raises(TimeoutError):
        manager.until(lambda f: "WATCHDOG" in f)


def test_a_manager_that_is_away_or_does_not_read_loses_nothing(server, ports):
    """Its queue is full, or it executes itself again: the state is sent later."""
    address = f"\0bulkhead-test-{os.getpid()}-{time.monotonic_ns()}"
    s = server(PORT % ports[0], env={"NOTIFY_SOCKET": address.replace("\0", "@")})
    assert get(ports[0]).status == 200
    with Manager(address) as manager:
        ready = manager.until(lambda f: f.get("READY") == "1")
        assert ready["STATUS"] == "1 of 1 port serving"
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as other:
            other.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    other.sendto(b"STATUS=noise", address)
        os.kill(s.workers()[ports[0], 1], signal.SIGKILL)
        s.wait_ready(ports[0], "worker", 2)
        assert get(ports[0]).status == 200
        s.kill()
        s.wait_log("SIGTERM: stopping")
        assert s.process.wait(TIMEOUT) == 0


def test_children_are_not_told_of_the_manager(server, manager, ports):
    s = server(PORT % ports[0], env=manager.env)
    for pid in (*s.workers().values(), *s.keyholders().values()):
        with open(f"/proc/{pid}/environ", "rb") as f:
            assert b"NOTIFY_SOCKET" not in f.read()


def test_in_the_background_the_master_says_who_it_is(manager, ports, tmp_path, certificates):
    config = tmp_path / "bulkhead.conf"
    pid_file = tmp_path / "pid"
    config.write_text(certificates.tls() + f'log to syslog path "{tmp_path}/none"\n' +
                      PORT % ports[0])
    subprocess.run([BINARY, "-D", "-P", pid_file, "-f", config], check=True, timeout=TIMEOUT,
                   env={**os.environ, **manager.env})
    pid = int(pid_file.read_text())
    try:
        ready = manager.until(lambda f: f.get("READY") == "1")
        assert int(ready["MAINPID"]) == pid
    finally:
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not pid_file.exists(), "its end")


# --- sockets -----------------------------------------------------------------------------------

# Becomes the server, with the given descriptors from 3 on.
PASS = """
import os, sys
fds = [os.dup2(int(fd), 200 + i) for i, fd in enumerate(sys.argv[1].split(","))]
for i, fd in enumerate(fds):
    os.dup2(fd, 3 + i)
os.closerange(3 + len(fds), 1000)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)), LISTEN_FDNAMES=sys.argv[2])
os.execv(sys.argv[3], sys.argv[3:])
"""


def listener(family=socket.AF_INET, address="127.0.0.1"):
    s = socket.socket(family)
    s.bind((address, 0))
    s.listen(128)
    return s


def passed(server, sockets, names, text, **options):
    """The server, with these sockets passed under these names."""
    fds = [s.fileno() for s in sockets]
    wrapper = (sys.executable, "-c", PASS, ",".join(map(str, fds)), names)
    return server(text, wrapper=wrapper, pass_fds=fds, **options)


def test_a_port_listens_on_a_socket_by_name(server):
    with listener() as a, listener() as b:
        one, two = a.getsockname()[1], b.getsockname()[1]
        s = passed(server, [a, b], "https:other",
                   f'port {one} {{ echo listen on socket "https" }}\n'
                   f'port {two} {{ echo listen on socket "other" }}\n')
        assert get(one).status == get(two).status == 200
        assert s.stop() == 0
        # It is not the server's alone: other holders still have its queue.
        assert not refused(one)


def test_sockets_of_one_name_go_to_the_ports_with_their_numbers(server):
    with listener() as a, listener() as b, listener(address="127.0.0.2") as c:
        one, two, three = (x.getsockname()[1] for x in (a, b, c))
        passed(server, [a, b, c], "https:https:https", "".join(
            f'port {p} {{ echo listen on socket "https" }}\n' for p in (one, two, three)))
        assert get(one).status == get(two).status == 200
        assert get(three, host="127.0.0.2").status == 200


def test_sockets_outlive_workers_and_reloads(server):
    with listener() as a:
        port = a.getsockname()[1]
        s = passed(server, [a], "https", f'port {port} {{ echo listen on socket "https" }}\n')
        os.kill(s.workers()[port, 1], signal.SIGKILL)
        assert get(port).status == 200
        s.config.write_text(s.config.read_text().replace("echo", 'respond 201 "new"'))
        s.kill(signal.SIGHUP)
        s.wait_log("reloaded: 0 kept, 1 changed")
        assert get(port).status == 201
        s.config.write_text(s.config.read_text().replace('socket "https"', "127.0.0.1"))
        s.kill(signal.SIGHUP)
        s.wait_log("reloaded: 0 kept, 1 changed", count=2)
        assert get(port).status == 201
        s.config.write_text(s.config.read_text().replace("127.0.0.1", "127.0.0.2"))
        s.kill(signal.SIGHUP)
        s.wait_log("reloaded: 0 kept, 1 changed", count=3)
        assert get(port, host="127.0.0.2").status == 201
        assert not refused(port)  # it was never the server's to close


def test_an_upgrade_keeps_sockets_and_goes_on_telling(server, manager):
    with listener() as a, listener() as b:
        port, other = a.getsockname()[1], b.getsockname()[1]
        s = passed(server, [a, b], "https:https",
                   f'port {port} {{ echo listen on socket "https" }}\n',
                   env={**manager.env, "WATCHDOG_USEC": "400000"})
        manager.until(lambda f: f.get("READY") == "1")
        s.kill(signal.SIGUSR2)
        s.wait_log("all ports have followed")
        assert get(port).status == 200
        s.config.write_text(s.config.read_text() +
                            f'port {other} {{ echo listen on socket "https" }}\n')
        s.kill(signal.SIGHUP)
        manager.status("^reloaded; 2 of 2 ports serving$")
        assert get(other).status == 200
        manager.until(lambda f: f.get("WATCHDOG") == "1")


def test_a_port_may_name_the_address_of_a_socket(server):
    with listener() as a:
        port = a.getsockname()[1]
        s = passed(server, [a], "https", f"port {port} {{ echo listen on 127.0.0.1 }}\n")
        assert get(port).status == 200
        assert "taken by no port" not in s.log()
        assert s.stop() == 0
        assert not refused(port)


def test_covered_addresses_take_no_place_of_a_socket(server, ports):
    with listener(address="127.0.0.64") as a:
        port = a.getsockname()[1]
        many = " ".join(f"listen on 127.0.0.{i}" for i in range(1, 64))
        s = passed(server, [a], "https",
                   f'port {port} {{ echo {many} listen on socket "https" }}\n')
        s.config.write_text(s.config.read_text().replace(many, "listen on ::1"))
        s.kill(signal.SIGHUP)
        s.wait_log("reloaded: 0 kept, 1 changed")


def test_connections_wait_over_a_restart(server):
    with listener() as a:
        port = a.getsockname()[1]
        text = f'port {port} {{ echo listen on socket "https" }}\n'
        s = passed(server, [a], "https", text)
        assert s.stop() == 0
        raw = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
        passed(server, [a], "https", text)
        assert get(port).status == 200
        raw.close()


def test_a_socket_that_was_not_passed_parks_its_port(server, ports):
    s = server(PORT % ports[0] + f'port {ports[1]} {{ echo listen on socket "https" }}\n')
    assert re.search(rf'\[PORT {ports[1]}\] PARKED .*there is no socket "https": the service '
                     "manager has passed none", s.log())
    assert get(ports[0]).status == 200


@pytest.mark.parametrize("also, sentence", [
    ("", "its clients wait in the queue"),
    ("listen on 127.0.0.2", "its clients on the service manager's sockets wait in the queue, the "
                            "others are refused")])
@pytest.mark.parametrize("why", ["at the start", "later"])
def test_who_comes_to_a_socket_of_a_parked_port_waits(server, ports, certificates, why, also, sentence):
    with listener() as a:
        number = a.getsockname()[1]
        wrong = 'tls { certificate "gone.pem" key "gone.key" }' if why == "at the start" else ""
        s = passed(server, [a], "https", certificates.tls() + PORT % ports[0] + "watchdog off "
                   "restart { backoff 1ms to 1ms; park after 1 in 60s }\n"
                   f'port {number} {{ {wrong} echo listen on socket "https" {also} }}\n')
        if why == "later":
            for pid in s.keyholders(number).values():
                os.kill(pid, signal.SIGKILL)
            wait_for(lambda: "PARKED" in s.log() or len(s.ready(number, "keyholder")) > 1, "its death")
            if "PARKED" not in s.log():  # it had lived for a second
                pytest.skip("this machine is too slow for quick deaths")
        assert re.search(rf"\[PORT {number}\] PARKED .*; {sentence}\n", s.log())
        assert not refused(number)
        if also:
            wait_for(lambda: refused(number, host="127.0.0.2"), "its end")


def test_a_socket_of_another_port_parks_its_port(server, ports):
    with listener() as a:
        number = a.getsockname()[1]
        s = passed(server, [a], "https",
                   PORT % ports[0] + f'port {ports[1]} {{ echo listen on socket "https" }}\n')
        assert (f'the socket "https" listens on port {number}, not on {ports[1]}') in s.log()
        assert (f'taken by no port, so that its clients get no answer: socket "https" '
                f"(port {number})") in s.log()


def test_what_no_port_claims_is_an_error_in_log_and_status(server, manager, ports):
    with listener() as a, socket.socket(socket.AF_UNIX) as b:
        number = a.getsockname()[1]
        unclaimed = f'socket "htps" (port {number}), socket "x" (not a TCP socket)'
        s = passed(server, [a, b], "htps:x", PORT % ports[0], env=manager.env)
        assert f"get no answer: {unclaimed}" in s.log()
        ready = manager.until(lambda f: f.get("READY") == "1")
        assert ready["STATUS"] == f"1 of 1 port serving; {unclaimed} taken by no port"


def test_sockets_for_another_process_are_left_alone(server, ports):
    s = server(PORT % ports[0] + f'port {ports[1]} {{ echo listen on socket "https" }}\n',
               env={"LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "https"})
    assert "has passed none" in s.log()


def test_nonsense_in_the_variables_is_refused(run, ports):
    # The shell inserts its own process id, and then becomes the server.
    done = subprocess.run(["sh", "-c", 'LISTEN_PID=$$ LISTEN_FDS=many exec "$@"', "sh", BINARY,
                           "-p", str(ports[0])],
                          capture_output=True, text=True, timeout=TIMEOUT)
    assert done.returncode == 64
    assert done.stderr == "bulkhead: LISTEN_FDS is not a valid number\n"


def test_a_check_accepts_a_name_that_nobody_has_passed(run, conf_file, certificates):
    conf = conf_file("c", certificates.tls() + 'port 8000 { echo listen on socket "https" }\n')
    done = run("-t", "-f", conf)
    assert done.returncode == 0 and done.stderr == "configuration ok: 1 port\n"
    assert '\tlisten on socket "https"\n' in run("-T", "-f", conf).stdout


def test_the_log_knows_ipv4_clients_of_a_socket_for_both_families(server):
    try:
        a = listener(socket.AF_INET6, "::")
    except OSError:
        pytest.skip("needs IPv6")
    with a:
        port = a.getsockname()[1]
        s = passed(server, [a], "https", f'port {port} {{ echo listen on socket "https" }}\n')
        with Connection(port) as c:
            assert c.get().status == 200
            s.wait_log(rf"from \('127\.0\.0\.1', {c.local_port}\)")
