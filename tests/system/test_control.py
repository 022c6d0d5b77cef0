"""The control socket and bulkheadctl: access, answers, and clients that cannot disturb the
server."""
import contextlib
import fcntl
import json
import os
import pathlib
import pty
import re
import resource
import select
import shlex
import shutil
import signal
import socket
import stat
import struct
import subprocess
import tempfile
import termios
import threading
import time

import pytest

from harness import (BINARY, TIMEOUT, Connection, get, need_root, refused,
                     wait_for)

CTL = BINARY.parent / "bulkheadctl"
DONE, FAILED, USAGE, NO_SERVER, NOT_PERMITTED = range(5)


@pytest.fixture
def controlled(server, tmp_path, ports):
    """A server of the given text, by default of all three ports, whose socket is s.control."""

    def start(text=None, control=None, **options):
        path = control or tmp_path / "control.sock"
        text = text or "".join(f'port {p} {{ respond 200 "Hello, world!\\n" }}\n' for p in ports)
        s = server(f'control "{path}"\n{text}', **options)
        s.control = path
        return s

    return start


def ctl(s, *args, **options):
    """bulkheadctl to its end."""
    env = {k: v for k, v in os.environ.items() if k != "BULKHEAD_CONTROL"}
    return subprocess.run([str(CTL), "-s", str(getattr(s, "control", s)), *map(str, args)],
                          capture_output=True, text=True, timeout=TIMEOUT, env=env,
                          stdin=subprocess.DEVNULL, **options)


def connect(s):
    c = socket.socket(socket.AF_UNIX)
    # It blocks while the queue is full, which it would not do with a timeout.
    c.connect(str(s.control))
    c.settimeout(TIMEOUT)
    return c


def receive(c):
    """The answer that comes, or None at the end of the connection."""
    data = b""
    while not data.endswith(b"\n"):
        try:
            more = c.recv(65536)
        except ConnectionResetError:
            more = b""
        if not more:
            assert data == b"", f"half an answer: {data!r}"
            return None
        data += more
    return json.loads(data)


def ask(s, line):
    with connect(s) as c:
        c.sendall(f"bulkhead/1 {line}\n".encode())
        return receive(c)


def port_of(s, port):
    return ask(s, f"status {port}")["ports"][0]


# --- the socket ---------------------------------------------------------------------------------


def test_the_socket_is_its_owners_alone_and_goes_with_the_server(controlled):
    s = controlled()
    st = os.lstat(s.control)
    assert stat.S_ISSOCK(st.st_mode)
    assert stat.S_IMODE(st.st_mode) == 0o600
    assert st.st_uid == os.geteuid()
    assert s.stop() == 0
    assert not s.control.exists()
    assert list(s.control.parent.glob("control.sock*")) == []


def test_another_user_is_not_let_in(controlled, tmp_path):
    need_root("setpriv")
    with contextlib.ExitStack() as stack:
        import tempfile
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        s = controlled(control=folder / "ctl")
        as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        copy = folder / "bulkheadctl"
        copy.write_bytes(CTL.read_bytes())
        copy.chmod(0o755)

        def try_it():
            return subprocess.run([*as_nobody, copy, "-s", s.control, "status"],
                                  capture_output=True, text=True, timeout=TIMEOUT)

        r = try_it()
        assert r.returncode == NOT_PERMITTED and r.stderr.startswith("bulkheadctl: not permitted")
        os.chmod(s.control, 0o666)  # the mode is not all there is
        r = try_it()
        assert r.returncode == NOT_PERMITTED, r.stderr
        s.wait_log(r"control: a client of user 65534 is not let in")
        assert ask(s, "status")["ok"]


def test_a_socket_that_was_left_over_is_replaced(controlled, tmp_path):
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "control.sock"))
    left.close()
    s = controlled()
    assert ask(s, "status")["ok"]


def test_a_file_that_is_no_socket_is_left_alone(controlled, tmp_path):
    (tmp_path / "control.sock").write_text("mine")
    s = controlled()
    s.wait_log(r"control: cannot make .*: it exists and is not a socket")
    assert s.stop() == 0
    assert (tmp_path / "control.sock").read_text() == "mine"


def test_a_second_server_does_not_take_the_socket(controlled, server, ports):
    s = controlled(f"port {ports[0]} {{ echo }}")
    second = server(f'control "{s.control}"\nport {ports[1]} {{ echo }}')
    second.wait_log(r"control: cannot make .*: another server answers on it; this server cannot be "
                    "controlled")
    assert get(ports[1]).status == 200
    assert second.stop() == 0
    assert ask(s, "status")["pid"] == s.pid


def test_the_socket_of_a_server_that_ends_is_taken_over(controlled, server, ports):
    """A second server starts while the first one drains and still answers."""
    s = controlled(f"port {ports[0]} {{ echo }}")
    with Connection(ports[0]) as c:
        c.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n1")
        wait_for(lambda: ask(s, "status")["ports"][0]["connections"] == 1, "the request")
        s.kill()
        s.wait_log("stopping, requests in flight")
        second = server(f'control "{s.control}"\nport {ports[1]} {{ echo }}')
        second.wait_log("control: cannot make .*: another server answers on it")
        assert ask(s, "status")["pid"] == s.pid
        c.send(b"2")
        assert c.response().status == 200
    assert s.process.wait(TIMEOUT) == 0
    second.wait_log(f"control: listening on {s.control}")
    assert ask(s, "status")["pid"] == second.pid
    assert second.log().count("cannot make") == 1
    assert second.stop() == 0
    assert not s.control.exists()


def test_a_socket_is_made_once_its_folder_is_there(controlled, tmp_path):
    s = controlled(control=tmp_path / "later" / "control.sock")
    s.wait_log(r"control: cannot make .*: No such file or directory; .*; trying again")
    (tmp_path / "later").mkdir()
    s.wait_log("control: listening on")
    assert ask(s, "status")["pid"] == s.pid


def test_a_socket_that_cannot_be_made_is_no_end(controlled, tmp_path, ports):
    s = controlled(control=tmp_path / "missing" / "control.sock")
    s.wait_log(r"control: cannot make .*: No such file or directory")
    assert get(ports[0]).status == 200


def test_control_off(server, ports):
    s = server(f"control off\nport {ports[0]} {{ echo }}")
    assert "control: listening" not in s.log()


# --- bad clients -------------------------------------------------------------------


@pytest.mark.parametrize("line, error", [
    (b"GET / HTTP/1.1\r\n", "a request is one line of printable ASCII"),
    (b"bulkhead/2 status\n", 'a request begins with "bulkhead/1", not with "bulkhead/2"'),
    (b"\n", "a request is words with one blank between them"),
    (b"bulkhead/1 explode\n", 'there is no verb "explode"'),
    (b"bulkhead/1 stop 99999\n", '"99999" is not a port; it can be 1 to 65535'),
    (b"x" * 512, "a request has at most 512 bytes"),
    (b"x" * 100000, "a request has at most 512 bytes"),
    (b"\xff\x00\x1b[2J\n", "a request is one line of printable ASCII"),
])
def test_what_is_no_request_is_told_and_ends_the_connection(controlled, line, error):
    s = controlled()
    with connect(s) as c:
        with contextlib.suppress(BrokenPipeError):
            c.sendall(line)
        assert receive(c) == {"bulkhead": 1, "ok": False, "error": error}
        assert receive(c) is None
    assert ask(s, "status")["ok"]


def test_a_request_may_come_in_pieces_and_another_after_it(controlled, ports):
    s = controlled()
    with connect(s) as c:
        for byte in b"bulkhead/1 status\n":
            c.sendall(bytes([byte]))
        assert receive(c)["ok"]
        c.sendall(b"bulkhead/1 status %d\nbulkhead/1 crashes\n" % ports[1])
        first = b""
        while first.count(b"\n") < 2:
            first += c.recv(65536)
        status, crashes = map(json.loads, first.splitlines())
        assert [p["port"] for p in status["ports"]] == [ports[1]]
        assert crashes == {"bulkhead": 1, "ok": True, "crashes": []}
        c.sendall(b"bulkhead/1 stop 1\n")
        assert receive(c)["error"] == "there is no port 1"  # understood: the connection goes on
        c.shutdown(socket.SHUT_WR)
        assert receive(c) is None


def test_a_client_that_does_not_go_on_has_ten_seconds(controlled, ports):
    """With half a request, and with answers that it does not read; both wait at once."""
    s = controlled()
    with connect(s) as half, connect(s) as deaf:
        half.sendall(b"bulkhead/1 sta")
        began = time.monotonic()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            deaf.setblocking(False)
            for _ in range(10000):
                deaf.sendall(b"bulkhead/1 status\n")
        assert get(ports[0]).status == 200
        assert ask(s, "status")["ok"]  # others are served meanwhile
        assert receive(half)["error"] == "the request was not complete in time"
        assert 9 < time.monotonic() - began < 25
        assert receive(half) is None
        hung = select.poll()
        hung.register(deaf, 0)
        wait_for(lambda: any(e & select.POLLHUP for _, e in hung.poll(0)), "the end of the connection")


def test_a_hundred_silent_clients_do_not_delay_supervision(controlled, ports):
    s = controlled()
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(connect(s)) for _ in range(100)]
        for i, c in enumerate(crowd):
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                c.sendall(b"bulkhead/1 status" if i % 2 else b"garbage " * 10)
        victim = s.workers(ports[0])[ports[0], 1]
        os.kill(victim, signal.SIGKILL)
        began = time.monotonic()
        wait_for(lambda: s.workers(ports[0]).get((ports[0], 1), victim) != victim, "a new worker")
        assert time.monotonic() - began < 5
        assert get(ports[0]).status == 200
        # A new client is served: the client that was silent longest makes room.
        assert ask(s, "status")["ok"]
        assert ctl(s, "status").returncode == DONE
    assert len(os.listdir(f"/proc/{s.pid}/fd")) < 100


def test_garbage_without_end_does_not_delay_supervision(controlled, ports):
    s = controlled()
    end = time.monotonic() + 2
    restarts = 0
    while time.monotonic() < end:
        with contextlib.suppress(OSError), connect(s) as c:
            c.sendall(os.urandom(4096))
        if restarts == 0:
            os.kill(s.workers(ports[2])[ports[2], 1], signal.SIGKILL)
            restarts = 1
    s.wait_ready(ports[2], "worker", 2)
    assert get(ports[2]).status == 200


def test_without_descriptors_clients_wait(controlled, ports):
    s = controlled()
    limits = resource.prlimit(s.pid, resource.RLIMIT_NOFILE)
    in_use = max(map(int, os.listdir(f"/proc/{s.pid}/fd"))) + 1
    resource.prlimit(s.pid, resource.RLIMIT_NOFILE, (in_use, limits[1]))
    with contextlib.ExitStack() as stack:
        # Those below the highest may be free; then there is no more.
        crowd = [stack.enter_context(connect(s)) for _ in range(40)]
        assert get(ports[0]).status == 200
        with open(f"/proc/{s.pid}/stat", errors="replace") as stat_file:
            ticks = sum(map(int, stat_file.read().rsplit(")", 1)[1].split()[11:13]))
        time.sleep(0.5)  # it does not turn in vain meanwhile
        with open(f"/proc/{s.pid}/stat", errors="replace") as stat_file:
            assert sum(map(int, stat_file.read().rsplit(")", 1)[1].split()[11:13])) - ticks < 20
        resource.prlimit(s.pid, resource.RLIMIT_NOFILE, limits)
        crowd[-1].sendall(b"bulkhead/1 status\n")
        assert receive(crowd[-1])["ok"]


def test_of_many_new_clients_the_oldest_makes_room(controlled):
    """Also where the master accepts all of them within a millisecond."""
    s = controlled()
    for number in range(32, 42):
        with contextlib.ExitStack() as stack:
            s.kill(signal.SIGSTOP)
            crowd = [stack.enter_context(connect(s)) for _ in range(number)]
            for c in crowd[-20:]:
                c.sendall(b"bulkhead/1 status\n")
            s.kill(signal.SIGCONT)
            assert all(receive(c)["ok"] for c in crowd[-20:])


def test_a_client_that_leaves_while_it_waits(controlled, ports):
    s = controlled()
    for _ in range(5):
        with connect(s) as c:
            c.sendall(b"bulkhead/1 restart %d\n" % ports[0])
        with connect(s) as c:
            c.sendall(b"bulkhead/1 reload\n")
    assert wait_for(lambda: ctl(s, "restart", ports[0]).returncode == DONE, "a restart")
    assert get(ports[0]).status == 200


def test_one_that_waits_is_not_turned_out(controlled, ports):
    s = controlled("drain 20s\n" + "".join(f'port {p} {{ echo }}\n' for p in ports))
    with Connection(ports[0]) as busy, connect(s) as waiting:
        busy.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na")
        wait_for(lambda: port_of(s, ports[0])["connections"] == 1, "a connection")
        waiting.sendall(b"bulkhead/1 stop %d\n" % ports[0])
        s.wait_log("control: stop")
        with contextlib.ExitStack() as stack:
            for _ in range(64):
                stack.enter_context(connect(s))
            assert ask(s, "status")["ok"]
            busy.send(b"bc")
            assert busy.response().body == b"abc"
        assert receive(waiting) == {"bulkhead": 1, "ok": True}


# --- what is answered ---------------------------------------------------------------------------

NUMBER = (int, float)
PORT_FIELDS = {
    "port": int, "state": str, "reason": (str, type(None)), "by_order": bool, "generation": int,
    "former_version": bool, "addresses": list, "sockets": list, "workers_wanted": int, "keyholders_wanted": int, "workers": list,
    "keyholders": list, "verifiers": list, "connectors": list, "resolvers": list, "upstreams": list, "draining": list,
    "restarts": int, "last_exit": (dict, type(None)),
    "next_retry_ms": (int, type(None)), "connections": int, "clients": int, "requests_per_second": NUMBER,
    "counters": dict, "latency": dict, "certificate": (dict, type(None)), "certificates": list, "tls": bool,
}
PROCESS_FIELDS = {"number": int, "pid": int, "state": str, "starts": int, "generation": int, "uptime_ms": int,
                  "sandbox": str}
COUNTERS = {"accepted", "limit_reached", "handshakes_full", "handshakes_resumed",
            "handshakes_failed", "requests", "responses", "bytes_in", "bytes_out", "log_dropped",
            "signatures", "signatures_refused", "passwords_right", "passwords_wrong",
            "clients_forgotten", "limited", "proxy_headers",
            "connects", "connects_failed", "names_resolved", "names_failed"}


def test_status_is_complete(controlled, ports):
    s = controlled(f'port {ports[0]} {{ listen on 127.0.0.1 workers 2 respond 200 }}\n'
                   f'port {ports[1]} {{ echo }}')
    for _ in range(3):
        assert get(ports[0]).status == 200
    r = ctl(s, "status", "--json")
    assert r.returncode == DONE and r.stderr == ""
    assert r.stdout.isascii()
    status = json.loads(r.stdout)
    assert (status["bulkhead"], status["ok"], status["pid"]) == (1, True, s.pid)
    assert status["configuration"] == str(s.config)
    assert status["log_level"] == "info"
    assert status["log"] == [{"to": "console", "path": None, "reached": True, "error": None,
                              "dropped": 0}]
    assert (status["stopping"], status["reloading"], status["upgrading"]) == (False,) * 3
    assert status["upgrade_failed"] is None
    assert status["ports_serving"] == 2 and status["ports_parked"] == 0
    assert sorted(p["port"] for p in status["ports"]) == ports[:2]
    for port in status["ports"]:
        assert set(port) == set(PORT_FIELDS)
        for name, kind in PORT_FIELDS.items():
            assert isinstance(port[name], kind), name
        assert set(port["counters"]) == COUNTERS
        for process in port["workers"] + port["keyholders"]:
            assert set(process) == {*PROCESS_FIELDS, "pss_bytes", "cpu_ms"}
            assert process["state"] == "serving" and "seccomp" not in process["sandbox"]
            assert process["starts"] == process["generation"] == 1
    one = next(p for p in status["ports"] if p["port"] == ports[0])
    assert one["addresses"] == ["127.0.0.1"]
    assert {w["pid"] for w in one["workers"]} == set(s.workers(ports[0]).values())
    assert {k["pid"] for k in one["keyholders"]} == set(s.keyholders(ports[0]).values())
    assert one["counters"]["requests"] == 3 and one["counters"]["responses"]["2xx"] == 3
    assert sum(one["latency"]["counts"]) == 3
    assert len(one["latency"]["counts"]) == len(one["latency"]["bounds_us"]) + 1
    assert 0 < one["latency"]["p50_us"] <= one["latency"]["p99_us"]
    assert one["certificate"]["subject"] == "CN=ecdsa"
    assert one["certificate"]["file"].endswith("/ecdsa.pem")
    assert one["certificates"] == [one["certificate"]]
    assert 28 <= one["certificate"]["days_left"] <= 30
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", one["certificate"]["ends"])


def test_a_rate_is_seen(controlled, ports):
    s = controlled()
    assert wait_for(lambda: get(ports[0]).status == 200 and
                    port_of(s, ports[0])["requests_per_second"] > 0, "a rate")
    assert port_of(s, ports[1])["requests_per_second"] == 0


def test_a_death_is_in_status_and_crashes(controlled, ports):
    s = controlled()
    os.kill(s.workers(ports[1])[ports[1], 1], signal.SIGKILL)
    s.wait_ready(ports[1], "worker", 2)
    last = port_of(s, ports[1])
    assert last["restarts"] == 1 and last["last_exit"]["cause"] == "killed"
    crashes = json.loads(ctl(s, "crashes", "--json").stdout)["crashes"]
    assert [(c["port"], c["role"], c["signal"], c["exit_status"]) for c in crashes] == \
        [(ports[1], "worker", "SIGKILL", None)]
    assert "was killed from outside by SIGKILL" in ctl(s, "crashes", ports[1]).stdout
    assert ctl(s, "crashes", ports[0]).stdout == "none\n"
    assert "last lost a process" in ctl(s, "status").stdout


def test_what_clients_send_reaches_no_terminal(controlled, ports):
    s = controlled(f"faults enabled\nport {ports[0]} {{ location \"/\" {{ fault crash when after "
                   "respond 200 } }",
                   env={"ASAN_OPTIONS": "handle_segv=0:handle_abort=0",
                        "TSAN_OPTIONS": "handle_segv=0:handle_abort=0"})
    with Connection(ports[0]) as c:
        c.send(b"GET /?\x1b[2J\xc2\x9b HTTP/1.1\r\nHost: x\r\n\r\n")
        c.read_to_end()
    with contextlib.suppress(OSError, EOFError):
        get(ports[0], "/?%1b")
    wait_for(lambda: port_of(s, ports[0])["last_exit"], "a crash")
    for args in ["status"], ["crashes"], ["status", "--json"], ["crashes", "--json"]:
        out = ctl(s, *args).stdout
        assert out.isascii() and not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", out)


def test_the_table_fits_80_columns(controlled, ports):
    s = controlled()
    r = ctl(s, "status")
    lines = r.stdout.splitlines()
    assert lines[0].startswith("bulkhead ") and f"pid {s.pid}" in lines[0]
    assert lines[1] == "3 of 3 ports serving"
    assert lines[3].split() == ["PORT", "STATE", "WRK", "UPTIME", "RST", "CONN", "REQ/S", "P50",
                                "P99", "PSS", "CPU%", "CERT"]
    rows = lines[4:7]
    assert [int(row.split()[0]) for row in rows] == ports
    assert all(len(row) <= 80 for row in lines[3:7])
    if os.geteuid() == 0:
        assert all(row.split()[9] != "-" for row in rows)
    detail = ctl(s, "status", ports[0]).stdout
    assert "worker 1: pid" in detail and "confined:" in detail


# --- what is done -------------------------------------------------------------------------------


def test_one_port_is_stopped_and_started(controlled, ports):
    s = controlled()
    others = {k: v for k, v in s.workers().items() if k[0] != ports[1]}
    r = ctl(s, "stop", ports[1])
    assert (r.returncode, r.stdout, r.stderr) == (DONE, "", "")
    assert refused(ports[1]) and not s.workers(ports[1])
    assert port_of(s, ports[1])["state"] == "stopped" and port_of(s, ports[1])["by_order"]
    assert "2 of 3 ports serving, 1 stopped" in ctl(s, "status").stdout
    assert ctl(s, "stop", ports[1]).returncode == DONE
    assert ctl(s, "start", ports[1]).returncode == DONE
    assert get(ports[1]).status == 200
    assert {k: v for k, v in s.workers().items() if k[0] != ports[1]} == others


@pytest.fixture
def stopping(controlled, ports):
    """(server, a connection that keeps a former generation, the process that waits for the
    stop)."""
    s = controlled(f"drain 5m\nport {ports[0]} {{ echo }}\nport {ports[1]} {{ echo }}\n")
    with Connection(ports[0]) as c:
        c.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
        wait_for(lambda: port_of(s, ports[0])["connections"] == 1, "its connection")
        assert ctl(s, "restart", ports[0]).returncode == DONE
        argv = [CTL, "-s", s.control, "stop", str(ports[0])]
        with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as asking:
            wait_for(lambda: port_of(s, ports[0])["state"] == "stopped", "the end of the latest")
            yield s, c, asking
            asking.kill()


def test_a_stop_waits_for_former_generations(stopping, ports):
    s, c, asking = stopping
    assert asking.poll() is None
    c.send(b"cd")
    assert c.response().status == 200
    assert asking.wait(TIMEOUT) == DONE
    assert not s.workers(ports[0])
    assert ctl(s, "stop", ports[0]).returncode == DONE


def test_a_stop_that_is_taken_back_is_told(stopping, ports):
    s, _, asking = stopping
    assert ctl(s, "start", ports[0]).returncode == DONE
    assert asking.wait(TIMEOUT) == FAILED
    assert "the port was started again" in asking.stderr.read()


def test_a_stop_goes_on_over_a_reload(stopping, ports):
    s, c, asking = stopping
    text = s.config.read_text()
    s.config.write_text(text.replace(f"port {ports[0]} {{", f"port {ports[0]} {{ workers 2"))
    assert ctl(s, "reload").returncode == DONE
    assert port_of(s, ports[0])["draining"] and asking.poll() is None
    c.send(b"cd")
    assert c.response().status == 200
    assert asking.wait(TIMEOUT) == DONE
    assert not s.workers(ports[0])


def test_a_reload_that_fails_is_no_end_of_the_port(controlled, certificates, ports):
    """A process that never served is in the log, not among the lost processes."""
    s = controlled("".join(f"port {p} {{ workers 4 keyholders 1 echo }}\n" for p in ports))
    text = s.config.read_text()
    bad = f'tls {{ certificate "{certificates("ecdsa")[0]}" key "{certificates("other")[1]}" }}'
    s.config.write_text(text.replace(f"port {ports[1]} {{", f"port {ports[1]} {{ {bad}"))
    for args in (["reload", "--dry-run"], ["reload"]):
        r = ctl(s, *args)
        assert r.returncode == FAILED and "does not match key" in r.stderr
        wait_for(lambda: len(s.workers(ports[1])) == 4 and len(s.keyholders(ports[1])) == 1,
                 "the end of what was prepared")
    assert port_of(s, ports[1])["last_exit"] is None
    assert json.loads(ctl(s, "crashes", "--json").stdout)["crashes"] == []


def test_ports_are_told_in_their_order(controlled, ports):
    s = controlled()
    order = sorted(ports)
    assert ctl(s, "restart", order[0]).returncode == DONE
    assert [p["port"] for p in json.loads(ctl(s, "status", "--json").stdout)["ports"]] == order


def test_restart_replaces_every_process_of_one_port(controlled, ports):
    s = controlled()
    before, others = s.workers(ports[0]), s.workers(ports[1])
    assert get(ports[0]).status == 200
    assert ctl(s, "restart", ports[0]).returncode == DONE
    assert s.workers(ports[1]) == others
    wait_for(lambda: len(s.workers(ports[0])) == 1, "the end of the former generation")
    assert s.workers(ports[0]) != before
    port = port_of(s, ports[0])
    assert port["generation"] == 2
    assert port["counters"]["requests"] == 1  # counted on


def test_reload_shows_the_plan_and_does_it(controlled, ports):
    s = controlled()
    kept = s.workers(ports[0])
    text = s.config.read_text()
    s.config.write_text(text.replace(f'port {ports[1]} {{ respond 200 "Hello, world!\\n" }}',
                                     f'port {ports[1]} {{ respond 200 "other" }}'))
    dry = ctl(s, "reload", "--dry-run")
    assert dry.returncode == DONE
    assert re.search(rf"^{ports[0]} keep", dry.stdout, re.M)
    assert re.search(rf"^{ports[1]} change", dry.stdout, re.M)
    assert get(ports[1]).body == b"Hello, world!\n"
    r = ctl(s, "reload")
    assert (r.returncode, r.stderr) == (DONE, "")
    assert get(ports[1]).body == b"other"
    assert s.workers(ports[0]) == kept
    s.config.write_text("port {")
    r = ctl(s, "reload")
    assert r.returncode == FAILED
    assert re.match(r"bulkheadctl: .*bulkhead\.conf:1:6: ", r.stderr), r.stderr
    assert get(ports[1]).body == b"other"


@pytest.mark.parametrize("dry", [[], ["--dry-run"]], ids=["reload", "dry run"])
def test_a_reload_says_which_statements_and_files_differ(controlled, ports, tmp_path, certificates, dry):
    for name, kind in (("a", "ecdsa"), ("b", "ecdsa")):
        for source, end in zip(certificates(kind), ("pem", "key")):
            shutil.copy(source, tmp_path / f"{name}.{end}")

    def pair(name):
        return f'tls {{ certificate "{tmp_path}/{name}.pem" key "{tmp_path}/{name}.key" }}'

    def text(connections, body, drain, extra=""):
        return (f"drain {drain} log rate 100\n"
                f"port {ports[0]} {{ echo {pair('a')} }}\n"
                f"port {ports[1]} {{ limits {{ connections {connections} }} {pair('a')} "
                f'location "/a" {{ respond 200 "{body}" }} {extra} }}\n'
                f"port {ports[2]} {{ echo {pair('b')} }}\n")

    s = controlled(text(10, "old", "5s"), tls=False)
    s.config.write_text(s.config.read_text().replace(
        text(10, "old", "5s"), text(20, "new", "6s", 'location "/b" { echo }')))
    for source, end in zip(certificates("other"), ("pem", "key")):
        shutil.copy(source, tmp_path / f"b.{end}")
    r = ctl(s, "reload", *dry)
    assert (r.returncode, r.stderr) == (DONE, "")
    assert r.stdout.splitlines() == [
        *[line for p in sorted(ports) for line in {
            ports[0]: [f"{p} keep"],
            ports[1]: [f"{p} change: is configured differently",
                       "  limits: connections 10 -> connections 20",
                       '  location "/a": respond 200 "old" type "text/plain; charset=utf-8" -> '
                       'respond 200 "new" type "text/plain; charset=utf-8"',
                       '  + location "/b": methods any', '  + location "/b": echo'],
            ports[2]: [f"{p} change: has a changed file",
                       f'  changed file "{tmp_path}/b.pem"', f'  changed file "{tmp_path}/b.key"'],
        }[p]], "outside of ports:", "  drain 5s -> drain 6s"]


def test_a_reload_that_fails_says_that_nothing_has_changed(controlled, ports):
    s = controlled("".join(f"port {p} {{ echo }}\n" for p in ports[:2]))
    good = s.config.read_text()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", ports[2]))
        taken.listen()
        s.config.write_text(good.replace(f"port {ports[0]} {{ echo }}",
                                         f"port {ports[0]} {{ watchdog 9s echo }}") +
                            f"port {ports[2]} {{ listen on 127.0.0.1 echo }}\n")
        for dry in ([], ["--dry-run"]):
            r = ctl(s, "reload", *dry)
            assert (r.returncode, r.stdout) == (FAILED, "")
            lines = r.stderr.splitlines()
            assert re.match(rf"bulkheadctl: port {ports[2]}: .*Address already in use", lines[0])
            assert lines[1] == "bulkheadctl: nothing has changed; this was tried:"
            assert sorted(lines[2:]) == sorted([
                f"  {ports[0]} change: is configured differently", "    watchdog 5s -> watchdog 9s",
                f"  {ports[1]} keep", f"  {ports[2]} new: is not served yet"])
    assert len(s.workers(ports[0])) == 1
    s.config.write_text("port {")
    r = ctl(s, "reload")
    assert (r.returncode, r.stdout) == (FAILED, "")
    assert r.stderr.endswith("bulkheadctl: nothing has changed\n")


def test_what_drains_of_a_port_that_was_dropped_and_is_back_is_shown(controlled, ports):
    text = "".join(f"port {p} {{ echo }}\n" for p in ports[:2])
    s = controlled(text)
    before = {*s.workers(ports[0]).values(), *s.keyholders(ports[0]).values()}
    config = s.config.read_text()
    with Connection(ports[0]) as c:
        c.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na")
        wait_for(lambda: port_of(s, ports[0])["connections"] == 1, "the request")
        for other in (config.replace(f"port {ports[0]} {{ echo }}\n", ""), config):
            s.config.write_text(other)
            assert ctl(s, "reload").returncode == DONE
        (former,) = port_of(s, ports[0])["draining"]
        assert set(former["pids"]) == before
        c.send(b"bc")
        assert c.response().body == b"abc"
    wait_for(lambda: port_of(s, ports[0])["draining"] == [], "its end")


def test_a_reload_moves_the_socket(controlled, ports, tmp_path):
    s = controlled()
    text, moved = s.config.read_text(), tmp_path / "moved.sock"
    with connect(s) as c:
        s.config.write_text(text.replace(str(s.control), str(moved)))
        c.sendall(b"bulkhead/1 reload\n")
        assert receive(c)["ok"]
        assert not s.control.exists()
        s.control = moved
        assert ask(s, "status")["pid"] == s.pid
        c.sendall(b"bulkhead/1 status\n")
        assert receive(c)["ok"]  # its clients stay
    s.config.write_text(text.replace(f'control "{tmp_path / "control.sock"}"', "control off"))
    assert ask(s, "reload")["ok"]
    assert not moved.exists()


def test_upgrade_waits_until_every_port_has_followed(controlled, ports, tmp_path, monkeypatch):
    program = tmp_path / "bulkhead"
    shutil.copy(BINARY, program)
    monkeypatch.setattr("harness.BINARY", program)
    s = controlled()
    before, workers = ask(s, "status"), s.workers()
    r = ctl(s, "upgrade")
    version = before["version"]
    assert (r.returncode, r.stdout) == (DONE, f"upgraded from {version} to {version}\n"), r
    after = ask(s, "status")
    assert after["pid"] == before["pid"] and after["execution"] != before["execution"]
    assert not after["upgrading"]
    assert [(p["generation"], p["former_version"]) for p in after["ports"]] == [(2, False)] * 3
    pids = {worker["pid"] for port in after["ports"] for worker in port["workers"]}
    assert not pids & set(workers.values())
    assert [get(p).status for p in ports] == [200] * 3
    program.unlink()
    r = ctl(s, "upgrade")
    assert r.returncode == FAILED and r.stderr.startswith("bulkheadctl: "), r
    assert "No such file" in r.stderr
    assert ask(s, "status")["upgrade_failed"]
    assert s.stop() == 0
    assert not s.control.exists()


def test_the_log_level_is_set(controlled):
    s = controlled()
    assert ctl(s, "log", "level", "debug").returncode == DONE
    assert ask(s, "status")["log_level"] == "debug"
    assert ctl(s, "log", "level", "warning").returncode == DONE
    assert ask(s, "status")["log_level"] == "warning"


def test_drain_waits_for_the_end(controlled, ports):
    s = controlled("drain 20s\n" + "".join(f'port {p} {{ echo }}\n' for p in ports))
    with Connection(ports[0]) as busy:
        busy.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na")
        wait_for(lambda: port_of(s, ports[0])["connections"] == 1, "a connection")
        waiting = subprocess.Popen([CTL, "-s", s.control, "drain"])
        s.wait_log("control: stopping")
        assert ask(s, "status")["stopping"]
        assert ask(s, f"restart {ports[1]}")["error"] == "the server is stopping"
        assert waiting.poll() is None
        busy.send(b"bc")
        assert busy.response().body == b"abc"
    assert waiting.wait(TIMEOUT) == DONE
    assert s.process.wait(TIMEOUT) == 0


def test_who_waits_is_told_of_the_end(controlled, ports):
    s = controlled("drain 1s\n" + "".join(f'port {p} {{ echo }}\n' for p in ports))
    with Connection(ports[0]) as busy, connect(s) as waiting:
        busy.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na")
        wait_for(lambda: port_of(s, ports[0])["connections"] == 1, "a connection")
        waiting.sendall(b"bulkhead/1 stop %d\n" % ports[0])
        s.wait_log("control: stop")
        s.kill(signal.SIGTERM)
        answer = receive(waiting)
    assert answer is not None


# --- bulkheadctl by itself ----------------------------------------------------------------------


def test_exit_statuses(controlled, ports, tmp_path):
    s = controlled()
    for args, status, error in [
            (["status"], DONE, ""),
            (["stop", 1], FAILED, "bulkheadctl: there is no port 1\n"),
            (["stop"], USAGE, "bulkheadctl: this command needs a port; see bulkheadctl -h\n"),
            (["-s", "", "status"], USAGE, "bulkheadctl: --socket takes the path of a socket, which cannot "
             "be empty; see bulkheadctl -h\n"),
            (["stop", "x"], USAGE, "bulkheadctl: that is not a port: x; see bulkheadctl -h\n"),
            (["explode"], USAGE,
             "bulkheadctl: there is no such command: explode; see bulkheadctl -h\n"),
            (["status", "--jsn"], USAGE, "bulkheadctl: there is no such option of this command: "
             "--jsn; see bulkheadctl -h\n"),
            (["log", "debug"], USAGE, None), (["log", "level", "loud"], USAGE, None),
            (["top"], USAGE, "bulkheadctl: top needs a terminal; status is for everything else\n"),
            ([], USAGE, "bulkheadctl: a command is missing; see bulkheadctl -h\n")]:
        r = ctl(s, *args)
        assert r.returncode == status, (args, r)
        assert error is None or r.stderr == error
    assert ctl(s, "-h").returncode == DONE and ctl(s, "-V").stdout.startswith("bulkheadctl ")


def test_no_server(tmp_path):
    path = tmp_path / "none.sock"
    for command in "status", "top", "drain", "reload", "upgrade", "crashes":
        r = ctl(path, command)
        assert r.returncode == NO_SERVER
        assert r.stderr.startswith(f"bulkheadctl: no server answers: there is no {path}\n")
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    r = ctl(path, "status")
    assert r.returncode == NO_SERVER
    assert r.stderr.startswith(f"bulkheadctl: no server answers on {path}: it was left by ")
    left.listen(1)
    silent = subprocess.Popen([CTL, "-s", path, "status"], stderr=subprocess.PIPE, text=True)
    c, _ = left.accept()
    c.sendall(b"no JSON\n")
    assert silent.wait(TIMEOUT) == NO_SERVER
    assert "does not speak bulkhead/1" in silent.stderr.read()
    silent.stderr.close()
    c.close()
    left.close()


@contextlib.contextmanager
def silent_server(path, full):
    """Listens and answers nobody; full: has no room for a further connection."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    with socket.socket(socket.AF_UNIX) as listener, contextlib.ExitStack() as stack:
        listener.bind(str(path))
        listener.listen(0 if full else 5)
        while full:
            c = stack.enter_context(socket.socket(socket.AF_UNIX))
            c.setblocking(False)
            try:
                c.connect(str(path))
            except BlockingIOError:
                break
        yield


@pytest.mark.parametrize("full", [False, True])
def test_completion_does_not_wait_for_a_slow_server(tmp_path, full):
    path = tmp_path / "ctl"
    with silent_server(path, full):
        began = time.monotonic()
        r = ctl(path, "complete", "stop")
        assert time.monotonic() - began < 2
    assert (r.returncode, r.stdout, r.stderr) == (DONE, "", "")


@pytest.mark.parametrize("cut, status", [(1, DONE), (2, NO_SERVER)])
@pytest.mark.parametrize("command", ["status", "crashes"])
def test_a_question_that_an_upgrade_has_cut_off_is_asked_once_more(tmp_path, command, cut, status):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.settimeout(TIMEOUT)
        listener.bind(str(tmp_path / "ctl"))
        listener.listen(5)
        with subprocess.Popen([CTL, "-s", tmp_path / "ctl", command], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True) as asking:
            for attempt in range(2):
                c, _ = listener.accept()
                c.settimeout(TIMEOUT)
                with c, c.makefile("rb") as lines:
                    assert lines.readline() == f"bulkhead/1 {command}\n".encode()
                    if attempt >= cut:
                        c.sendall(b'{"bulkhead": 1, "ok": true, "pid": 7, "version": "1", '
                                  b'"ports": [], "crashes": []}\n')
            _, said = asking.communicate(timeout=TIMEOUT)
    assert asking.returncode == status
    assert ("has ended the connection without an answer" in said) == (status == NO_SERVER)


@pytest.mark.parametrize("args", [["-h"], ["-V"], ["status"], ["status", "--json"]])
def test_output_that_cannot_be_written_is_a_failure(controlled, args):
    s = controlled()
    with open("/dev/full", "w") as full:
        r = subprocess.run([CTL, "-s", s.control, *args], stdout=full, stderr=subprocess.PIPE,
                           text=True, timeout=TIMEOUT)
    assert r.returncode == FAILED
    assert r.stderr == "bulkheadctl: standard output cannot be written\n"


class FakeServer(threading.Thread):
    """Answers status as one execution of the program and, from the first `upgrade` on, as next."""

    def __init__(self, path, now, next_):
        super().__init__(daemon=True)
        self.path, self.answers, self.next = str(path), now, next_
        self.listen()
        self.start()

    def listen(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(5)

    def run(self):
        while True:
            c, _ = self.listener.accept()
            with c, c.makefile("rb") as lines:
                for line in lines:
                    if line == b"bulkhead/1 quit\n":
                        return
                    if line == b"bulkhead/1 upgrade\n":
                        self.listener.close()
                        self.answers = self.next
                        self.listen()
                        break
                    c.sendall(json.dumps({"bulkhead": 1, "ok": True, **self.answers}).encode() + b"\n")

    def end(self):
        with socket.socket(socket.AF_UNIX) as c:
            c.connect(self.path)
            c.sendall(b"bulkhead/1 quit\n")
            self.join(TIMEOUT)
        self.listener.close()


@pytest.mark.parametrize("after, status", [
    ({"pid": 7, "execution": "b", "version": "2\x1b"}, DONE),
    ({"pid": 7, "execution": "a", "version": "1"}, FAILED),  # it has only closed the connection
    ({"pid": 8, "execution": "b", "version": "2"}, FAILED),  # another server
])
def test_an_upgrade_is_seen_by_the_next_execution_of_the_same_process(tmp_path, after, status):
    fake = FakeServer(tmp_path / "ctl", {"pid": 7, "execution": "a", "version": "1"}, after)
    r = ctl(tmp_path / "ctl", "upgrade")
    fake.end()
    assert r.returncode == status, r
    assert r.stdout == ("upgraded from 1 to 2\\033\n" if status == DONE else "")


def test_the_environment_names_the_socket(controlled):
    s = controlled()
    r = subprocess.run([CTL, "status"], env={**os.environ, "BULKHEAD_CONTROL": str(s.control)},
                       capture_output=True, text=True, timeout=TIMEOUT)
    assert r.returncode == DONE and f"pid {s.pid}" in r.stdout


def test_words_are_completed(controlled, ports, tmp_path):
    s = controlled()
    assert {"status", "top", "restart"} <= set(ctl(s, "complete").stdout.split())
    assert sorted(ctl(s, "complete", "stop").stdout.split()) == [str(p) for p in ports]
    assert ctl(s, "complete", "log").stdout == "level\n"
    assert ctl(s, "complete", "log", "level").stdout.split()[0] == "err"
    assert ctl(tmp_path / "none", "complete", "stop").stdout == ""
    assert "--json" in ctl(tmp_path / "none", "complete", "status").stdout
    script = CTL.parents[1] / "scripts" / "completion" / "bulkheadctl.bash"
    script = next(p for p in (script, pathlib.Path(__file__).parents[2] / "scripts" /
                              "completion" / "bulkheadctl.bash") if p.exists())
    r = subprocess.run(["bash", "-c", f'source "{script}"; COMP_WORDS=({shlex.quote(str(CTL))} -s {s.control} sto); '
                        'COMP_CWORD=3; _bulkheadctl; echo "${COMPREPLY[@]}"; '
                        f'COMP_WORDS=({shlex.quote(str(CTL))} -s {s.control} stop ""); COMP_CWORD=4; _bulkheadctl; '
                        'echo "${COMPREPLY[@]}"'], capture_output=True, text=True, timeout=TIMEOUT)
    first, second = r.stdout.splitlines()
    assert first == "stop" and sorted(second.split()) == [str(p) for p in ports], r

    def complete(*words):  # as bash splits them, the last one being typed
        quoted = " ".join(f"'{word}'" for word in words)
        r = subprocess.run(["bash", "-c", f'source "{script}"; COMP_WORDS=({shlex.quote(str(CTL))} {quoted}); '
                            f'COMP_CWORD={len(words)}; _bulkheadctl; echo "${{COMPREPLY[@]}}"'],
                           capture_output=True, text=True, timeout=TIMEOUT)
        assert r.stderr == ""
        return sorted(r.stdout.split())

    all_ports = [str(p) for p in ports]
    assert complete("--socket", "=", s.control, "stop", "") == all_ports
    assert complete(f"-s{s.control}", "stop", "") == all_ports
    assert complete("-s", s.control, "status", "--json", "") == all_ports
    assert complete("-s", s.control, "status", ports[0], "") == ["--json"]
    assert complete("-s", s.control, "stop", ports[0], "") == []
    assert complete("-s", str(s.control)[:-2]) == [str(s.control)]
    assert complete("--socket", "=", str(s.control)[:-2]) == [str(s.control)]
    assert complete("--socket", "=") == complete("-s", "") != []


# --- top ----------------------------------------------------------------------------------------


class Screen:
    """bulkheadctl top in a terminal, and what is on it."""

    def __init__(self, s, lines=24, columns=80):
        self.lines, self.columns, self.text = lines, columns, b""
        self.master, self.slave = pty.openpty()
        self.size(lines, columns)
        self.before = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen([CTL, "-s", s.control, "top"], stdin=self.slave,
                                        stdout=self.slave, stderr=self.slave,
                                        start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def size(self, lines, columns):
        self.lines, self.columns = lines, columns
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def read(self):
        while select.select([self.master], [], [], 0)[0]:
            self.text += os.read(self.master, 65536)
        return self.text

    def rows(self):
        """{line: text} of what was put last on each line."""
        rows = {}
        for part in re.split(rb"\033\[(?=\d+;1H)", self.read())[1:]:
            number, rest = re.match(rb"(\d+);1H(.*)", part, re.S).groups()
            rows[int(number)] = re.sub(rb"\033\[[?0-9;]*[a-zA-Z]", b"", rest).decode()
        return rows

    def wait(self, condition, what):
        try:
            return wait_for(lambda: condition(self.rows()), what)
        except AssertionError:
            raise AssertionError(f"{what}: {self.rows()}") from None

    def press(self, keys):
        os.write(self.master, keys)

    def end(self):
        # A large screen does not fit into what the kernel keeps for the terminal.
        wait_for(lambda: self.read() is not None and self.process.poll() is not None, "its end")
        self.read()
        return self.process.returncode

    def restored(self):
        """Is the terminal as it was?"""
        return termios.tcgetattr(self.slave) == self.before and \
            self.text.rstrip().endswith(b"\033[?1049l") and b"\033[?25h" in self.text

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def screen():
    with contextlib.ExitStack() as stack:

        def start(s, **size):
            return stack.enter_context(contextlib.closing(Screen(s, **size)))

        yield start


def shown_ports(rows):
    return [int(row.split()[0]) for _, row in sorted(rows.items())
            if re.match(r" *\d+ (serving|stopped|starting)", row)]


def test_top_shows_sorts_resizes_and_quits(controlled, ports, screen):
    s = controlled()
    t = screen(s)
    t.wait(lambda rows: shown_ports(rows) == ports, "the ports")
    rows = t.rows()
    assert set(rows) == set(range(1, 25)) and all(len(row) <= 80 for row in rows.values())
    assert rows[2] == "3 of 3 ports serving" and rows[4].split()[0] == "PORT"
    assert "q: quit" in rows[24]
    t.press(b"p")
    t.wait(lambda rows: shown_ports(rows) == ports[::-1], "the other order")
    t.press(b"c")
    t.wait(lambda rows: rows[24].startswith("by connections"), "another key")
    with Connection(ports[1]) as c:
        assert c.get().status == 200
        t.wait(lambda rows: shown_ports(rows)[0] == ports[1], "the busiest port first")
    t.text = b""
    t.size(10, 60)
    t.process.send_signal(signal.SIGWINCH)
    t.wait(lambda rows: 10 in rows and "by connections" in rows[10], "the smaller screen")
    t.text = b""
    t.press(b"x")
    t.wait(lambda rows: 10 in rows, "another look")
    assert max(t.rows()) == 10 and all(len(row) <= 60 for row in t.rows().values())
    t.press(b"q")
    assert t.end() == DONE
    assert t.restored()


@pytest.mark.parametrize("how", [
    b"\x03", b"\x04", b"rq", b"\x1b[Bq", b"\x1bq", signal.SIGTERM, signal.SIGINT, signal.SIGHUP,
    signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM])
def test_top_restores_the_terminal_however_it_ends(controlled, ports, screen, how):
    t = screen(controlled())
    t.wait(lambda rows: shown_ports(rows) == ports, "the ports")
    if isinstance(how, bytes):
        t.press(how)
    else:
        t.process.send_signal(how)
    assert t.end() == DONE
    assert t.restored()


def test_top_is_stopped_and_goes_on(controlled, ports, screen):
    t = screen(controlled())
    t.wait(lambda rows: shown_ports(rows) == ports, "the ports")
    t.press(b"\x1a")

    def state():
        return pathlib.Path(f"/proc/{t.process.pid}/stat").read_text(errors="replace").rsplit(")", 1)[1].split()[0]

    wait_for(lambda: state() == "T", "the stop")
    t.read()
    assert t.restored()
    t.text = b""
    t.process.send_signal(signal.SIGCONT)
    t.wait(lambda rows: shown_ports(rows) == ports, "the ports again")
    t.press(b"q")
    assert t.end() == DONE and t.restored()


def test_top_sees_the_server_go_and_come_back(controlled, ports, screen):
    s = controlled()
    t = screen(s)
    t.wait(lambda rows: shown_ports(rows) == ports, "the ports")
    assert s.stop() == 0
    t.wait(lambda rows: "no server answers" in rows[2], "the loss")
    s.start()
    t.wait(lambda rows: rows[2] == "3 of 3 ports serving", "the ports again")
    t.press(b"q")
    assert t.end() == DONE and t.restored()


def test_top_quits_while_the_server_has_no_time(controlled, ports, screen):
    s = controlled()
    t = screen(s)
    t.wait(lambda rows: shown_ports(rows) == ports, "the ports")
    assert s.stop() == 0
    with silent_server(s.control, full=True):
        t.wait(lambda rows: "does not answer" in rows[2], "the loss")
        began = time.monotonic()
        t.press(b"q")
        assert t.end() == NO_SERVER
        assert time.monotonic() - began < 2
        assert b"\033[?1049l" in t.text and termios.tcgetattr(t.slave) == t.before


def test_top_says_where_it_is_in_a_narrow_terminal_and_nothing_in_a_flat_one(controlled, ports,
                                                                             screen):
    t = screen(controlled(), lines=7, columns=40)
    t.press(b"ee")
    t.wait(lambda rows: rows.get(7, "").startswith("by certificate, reversed  1-2 of 3"), "where")
    t.size(5, 80)
    t.text = b""
    t.process.send_signal(signal.SIGWINCH)
    t.wait(lambda rows: "q: quit" in rows.get(5, ""), "the flat one")
    assert " of 3" not in t.rows()[5]
    t.press(b"q")
    assert t.end() == DONE


def test_top_has_what_needs_somebody_first_with_its_reason(controlled, ports, screen, certificates):
    mismatched = f'tls {{ certificate "{certificates("other")[0]}" key "{certificates()[1]}" }}'
    s = controlled(certificates.tls() + "".join(f"port {p} {{ respond 200 }}\n" for p in ports[:2]) +
                   f"port {ports[2]} {{ echo {mismatched} restart {{ park after 1 in 1m }} }}\n")
    t = screen(s)
    t.wait(lambda rows: re.match(rf" *{ports[2]} parked ", rows.get(5, "")), "the parked one")
    rows = t.rows()
    assert rows[2] == "2 of 3 ports serving, 1 parked"
    assert rows[6].startswith("      parked: it cannot start as it is configured: certificate")
    assert shown_ports(rows) == ports[:2]
    assert set(rows) == set(range(1, 25)) and all(len(row) <= 80 for row in rows.values())
    t.press(b"r")
    t.wait(lambda rows: rows[24].startswith("by requests"), "another order")
    assert re.match(rf" *{ports[2]} parked ", t.rows()[5])


def test_top_has_latencies_of_the_last_seconds_and_totals(controlled, ports, screen):
    s = controlled()
    t = screen(s)

    def columns(rows):
        return {int(r.split()[0]): r.split()[5:9] for r in rows.values()
                if re.match(r" *\d+ serving", r)}

    t.wait(lambda rows: columns(rows).get(ports[1]) == ["-"] * 4, "nothing counted")
    assert rows_total(t.rows()) == 0
    with Connection(ports[1]) as c:
        assert c.get().status == 200
        t.wait(lambda rows: "-" not in columns(rows)[ports[1]], "latencies")
        assert columns(t.rows())[ports[0]] == ["-"] * 4
        t.wait(lambda rows: rows_total(rows) == 1 and "p50/p99 " in rows[3], "the totals")


def rows_total(rows):
    return int(re.match(r"(\d+) connections?, [\d.]+ req/s", rows[3])[1])


def test_top_helps_and_goes_back(controlled, ports, screen):
    t = screen(controlled())
    t.wait(lambda rows: shown_ports(rows) == ports, "the ports")
    t.press(b"?")
    t.wait(lambda rows: "keys and columns" in rows[1], "help")
    assert rows_of(t) == set(range(1, 25)) and any("PageDown" in r for r in t.rows().values())
    t.press(b"r")
    t.wait(lambda rows: rows[24].startswith("by port"), "the ports again, in their order")
    for key in (b"\x1b[B", b"\x1bOA", b"\x1b[6~", b"\x1b[H"):  # those that scroll elsewhere
        t.press(b"?")
        t.wait(lambda rows: "keys and columns" in rows[1], "help")
        t.press(key)
        t.wait(lambda rows: rows[24].startswith("by port"), "the ports again")
    t.press(b"?q")
    assert t.end() == DONE and t.restored()


def rows_of(t):
    return set(t.rows())


class Crowd(threading.Thread):
    """A server with a thousand ports, every tenth of which is parked."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.control = path
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(5)
        self.status = json.dumps({"bulkhead": 1, "ok": True, "ports_serving": 900, "ports": [
            {"port": 1000 + i, "state": "serving" if i % 10 else "parked", "reason":
             None if i % 10 else "no certificate"} for i in range(1000)]}).encode() + b"\n"
        self.start()

    def run(self):
        with contextlib.suppress(OSError):
            c, _ = self.listener.accept()
            with c, c.makefile("rb") as lines:
                for _ in lines:
                    c.sendall(self.status)


@pytest.mark.parametrize("size", [(24, 80), (3, 10), (1, 1), (200, 300)])
def test_top_of_a_thousand_ports_in_every_size(tmp_path, screen, size):
    with tempfile.TemporaryDirectory() as folder:
        t = screen(Crowd(pathlib.Path(folder) / "ctl"), lines=size[0], columns=size[1])
        t.wait(lambda rows: set(rows) == set(range(1, size[0] + 1)), "all lines")
        assert all(len(r.encode()) <= size[1] for r in t.rows().values())
        if size == (24, 80):
            t.wait(lambda rows: "1-19 of 1100" in rows[24], "the list")
            for keys, first in ((b"\x1b[6~", 19), (b"\x1b[B", 20), (b"\x1b[5~", 2), (b"\x1b[F", 1082),
                                (b"\x1b[5~", 1064), (b"\x1b[6~\x1b[6~", 1082), (b"\x1b[H", 1)):
                t.press(keys)
                t.wait(lambda rows: f" {first}-{first + 18} of 1100" in rows[24], f"{keys}, {first}")
        t.press(b"q")
        assert t.end() == DONE and t.restored()


def test_top_without_a_terminal_says_so(controlled):
    r = ctl(controlled(), "top")
    assert (r.returncode, r.stdout) == (USAGE, "")
    assert r.stderr == "bulkheadctl: top needs a terminal; status is for everything else\n"


def test_crashes_are_listed_as_they_happened(controlled, ports):
    s = controlled()
    order = [ports[1], ports[0], ports[2], ports[1]]
    for n, port in enumerate(order):
        second = int(time.time())
        wait_for(lambda: int(time.time()) > second, "the next second")  # the records have no more
        os.kill(s.workers(port)[port, 1], signal.SIGKILL)
        s.wait_ready(port, "worker", 2 + order[:n].count(port))
    shown = re.findall(r"^\S+ port (\d+): ", ctl(s, "crashes").stdout, re.M)
    assert [int(p) for p in shown] == order
    answer = json.loads(ctl(s, "crashes", "--json").stdout)["crashes"]
    assert [c["port"] for c in answer] == order


def test_top_scrolls_where_there_are_more_ports_than_lines(controlled, ports, screen):
    t = screen(controlled(), lines=7)
    t.wait(lambda rows: shown_ports(rows) == ports[:2], "the first ports")
    assert "1-2 of 3" in t.rows()[7]
    t.press(b"\033[B")
    t.wait(lambda rows: shown_ports(rows) == ports[1:], "the last ports")
    t.press(b"\033[A")
    t.wait(lambda rows: shown_ports(rows) == ports[:2], "the first ports again")
    t.press(b"q")
    assert t.end() == DONE
