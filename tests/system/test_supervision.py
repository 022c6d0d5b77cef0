"""Processes: the processes of a server, the death of each, and the end of the server."""
import contextlib
import os
import pathlib
import re
import signal
import socket
import struct
import sys
import threading
import time

import pytest

from harness import (BINARY, HELLO, TIMEOUT, Connection, Server, channel_of, get, has_ended, refused,
                     traced, wait_for)


def three(ports, extra=""):
    return extra + "".join(f'port {p} {{ respond 200 "Hello, world!\\n" }}\n' for p in ports)


def test_every_port_has_a_process_of_its_own(server, ports):
    s = server(three(ports))
    assert sorted(s.workers()) == [(p, 1) for p in ports]
    assert len(set(s.workers().values())) == 3
    for p in ports:
        assert get(p).body == HELLO


def title_of(pid):
    """All that ps shows, to the last byte."""
    return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()


@pytest.mark.parametrize("name", ["bulkhead", "bulkhead-with-a-l", "bulkhead-with-a-name-that-is-longer",
                                  "b"])
@pytest.mark.parametrize("environment", [{}, {"A": "b" * 100}], ids=["no environment", "some"])
def test_titles_are_shown_and_nothing_after_them(tmp_path, certificates, ports, name, environment):
    s = Server(tmp_path / "run", certificates, f'control off port {ports[0]} {{ respond 200 }}')
    s.argv[0] = str(tmp_path / "run" / name)
    os.symlink(BINARY, s.argv[0])
    s.env = environment
    try:
        s.start()
        assert title_of(s.pid) == b"bulkhead: master\0"
        for role in ("worker", "keyholder"):
            (pid,) = s.children(role).values()
            assert title_of(pid) == f"bulkhead: port {ports[0]} {role} 1\0".encode()
        assert s.stop() == 0
    finally:
        s.cleanup()


def test_children_hold_only_what_they_were_handed(server, ports):
    s = server(three(ports))
    listening = {}
    for (port, _), pid in s.workers().items():
        links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        kinds = sorted(re.sub(r"\d+|:\[.*", "", link) for link in links)
        # null ×2, standard error, channel, console, epoll, signals, 2 listeners ×2 (their own)
        assert sum(k == "/dev/null" for k in kinds) == 2, kinds
        assert len(links) <= 13, kinds
        listening[port] = {link for link in links if link.startswith("socket:")}
    for a in ports:
        for b in ports:
            if a < b:
                assert not listening[a] & listening[b], "two ports share a socket"


def test_pool_has_workers_that_share_the_port(server, ports):
    s = server(f'port {ports[0]} {{ workers 4 respond 200 "Hello, world!\\n" }}')
    assert sorted(s.workers()) == [(ports[0], n) for n in (1, 2, 3, 4)]
    for _ in range(20):
        assert get(ports[0]).status == 200


@pytest.mark.plain_too
def test_kill_9_is_not_noticed_elsewhere(server, ports):
    s = server(three(ports))
    victim = s.workers(ports[1])[ports[1], 1]
    with Connection(ports[0]) as stays:
        assert stays.get().status == 200
        os.kill(victim, signal.SIGKILL)
        assert get(ports[1]).body == HELLO  # waits in the backlog, is not refused
        assert stays.get().status == 200
    match = s.wait_log(rf"\[PORT {ports[1]}\] worker 1 \(pid {victim}\) was killed from outside by SIGKILL "
                       r"after \d+\.\d{3}s and 0 requests; starting it again")
    assert match
    assert s.workers(ports[1])[ports[1], 1] != victim
    assert s.workers(ports[0]) and s.workers(ports[2])
    s.wait_reaped()


@pytest.mark.plain_too
def test_no_connection_is_refused_while_a_worker_is_replaced(server, ports):
    s = server(three(ports, "restart { backoff 10ms to 10ms; park after 60 in 1s }\n"))
    stop, problems, served = threading.Event(), [], [0]

    def load(port):
        while not stop.is_set():
            try:
                served[0] += get(port).status == 200
            except ConnectionRefusedError as e:
                problems.append(e)
            except (OSError, EOFError) as e:  # in flight inside the killed process
                if port != ports[0]:
                    problems.append(e)

    threads = [threading.Thread(target=load, args=(p,)) for p in ports[:2]]
    for t in threads:
        t.start()
    for n in range(1, 6):
        pid = wait_for(lambda: s.workers(ports[0]).get((ports[0], 1)), "a worker")
        os.kill(pid, signal.SIGKILL)
        s.wait_log("was killed from outside by SIGKILL", count=n)
        s.wait_log(rf"\[PORT {ports[0]}\] worker 1 .* is ready", count=n + 1)
    stop.set()
    for t in threads:
        t.join()
    assert not problems, problems
    assert served[0] > 0


@pytest.mark.plain_too
def test_a_worker_killed_with_sigterm_drains_and_is_replaced(server, ports):
    s = server(three(ports))
    old = s.workers(ports[0])[ports[0], 1]
    os.kill(old, signal.SIGTERM)
    s.wait_log(rf"worker 1 \(pid {old}\) drained .*; starting it again")
    assert get(ports[0]).body == HELLO


IGNORING = """
import os, signal, sys
for name in ("HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "CHLD", "ALRM"):
    signal.signal(getattr(signal, "SIG" + name), signal.SIG_IGN)
os.execv(sys.argv[1], sys.argv[1:])
"""


def ignored_by(pid):
    mask = int(re.search(r"SigIgn:\s+(\w+)", pathlib.Path(f"/proc/{pid}/status").read_text(errors="replace"))[1], 16)
    return {signal.Signals(n).name for n in range(1, 32) if mask >> (n - 1) & 1}


def test_signals_that_were_ignored_at_the_start_are_heard(server, ports):
    """nohup(1) ignores SIGHUP, a shell SIGINT and SIGQUIT for what it starts in the background."""
    s = server(f"port {ports[0]} {{ echo }}\n", wrapper=(sys.executable, "-c", IGNORING))
    assert ignored_by(s.pid) == {"SIGPIPE", "SIGXFSZ"}
    for pid in (*s.workers().values(), *s.keyholders().values()):
        assert ignored_by(pid) == {"SIGHUP", "SIGINT", "SIGPIPE", "SIGUSR1", "SIGUSR2", "SIGXFSZ"}
    s.kill(signal.SIGHUP)
    s.wait_log("reloaded: 1 kept")
    s.kill(signal.SIGINT)
    s.wait_log("SIGINT: stopping")
    assert s.process.wait(timeout=30) == 0


def test_the_terminals_signals_do_not_reach_workers(server, ports):
    s = server(three(ports))
    before = s.workers()
    for pid in before.values():
        os.kill(pid, signal.SIGINT)
        os.kill(pid, signal.SIGHUP)
    for p in ports:
        assert get(p).status == 200
    assert s.workers() == before


def need_quick_deaths(s, port):
    """Skips if a process of the port lived for a second or longer, as on an emulated machine."""
    if re.search(rf"\[PORT {port}\] worker \d+ \(pid \d+\) .* after (?!0\.)[\d.]+s and", s.log()):
        pytest.skip("this machine is too slow for quick deaths")


@pytest.mark.plain_too
def test_quick_deaths_back_off_and_park_while_others_serve(server, ports):
    s = server(three(ports, "restart { backoff 20ms to 100ms; park after 4 in 60s }\n"),
               env={"ASAN_OPTIONS": "handle_segv=0", "TSAN_OPTIONS": "handle_segv=0"})
    for n in range(1, 5):
        pid = wait_for(lambda: s.workers(ports[0]).get((ports[0], 1)), "a worker")
        os.kill(pid, signal.SIGSEGV)
        s.wait_log(r"(was killed from outside|crashed) by SIGSEGV", count=n)
    need_quick_deaths(s, ports[0])
    s.wait_log(rf"\[PORT {ports[0]}\] PARKED .*too many quick deaths; its clients are refused")
    assert re.search(r"starting it again in 20ms", s.log())
    assert re.search(r"starting it again in 40ms", s.log())
    assert refused(ports[0])
    assert not s.workers(ports[0])
    assert get(ports[1]).status == 200
    assert s.stop() == 0


@pytest.mark.parametrize("status", [0, 1, 3, 71, 75, 78, 255])
def test_a_quick_end_that_nobody_asked_for_counts_whatever_its_status(server, ports, status):
    """A taken-over worker chooses its own status."""
    s = server("faults enabled\nrestart { backoff 1ms to 100ms; park after 3 in 60s }\n"
               f'port {ports[0]} {{ location "/fault" {{ fault control }} respond 200 }}\n'
               f'port {ports[1]} {{ respond 200 }}\n')
    for _ in range(30):  # a starved one may have lived for longer than a second
        with contextlib.suppress(OSError, EOFError):
            get(ports[0], f"/fault/exit?status={status}&when=before")
        if "PARKED" in s.log():
            break
    need_quick_deaths(s, ports[0])
    s.wait_log(rf"\[PORT {ports[0]}\] PARKED .*too many quick deaths")
    assert "; starting it again in 1ms" in s.log()
    assert get(ports[1]).status == 200


def test_who_drains_workers_one_after_the_other_is_not_held_up(server, ports):
    """SIGTERM to a worker is an order, though the master did not give it: workers that have
    lived for a second are replaced at once."""
    s = server(three(ports[:1], "restart { backoff 1d to 1d; park after 2 in 1d }\n"))
    for n in range(2, 4):
        time.sleep(1.1)  # its life, not a wait for something
        os.kill(s.workers(ports[0])[ports[0], 1], signal.SIGTERM)
        s.wait_ready(ports[0], "worker", n)
    assert "PARKED" not in s.log()


@pytest.mark.plain_too
def test_a_parked_port_can_queue_its_clients(server, ports):
    s = server(three(ports, "restart { backoff 20ms to 100ms; park after 1 in 60s; "
                            "while parked queue }\n"))
    os.kill(s.workers(ports[0])[ports[0], 1], signal.SIGKILL)
    s.wait_log("was killed from outside by SIGKILL")
    need_quick_deaths(s, ports[0])
    s.wait_log("PARKED .*its clients wait in the queue")
    socket.create_connection(("127.0.0.1", ports[0]), timeout=5).close()
    assert get(ports[1]).status == 200


def test_parking_a_pool_ends_all_of_it(server, ports):
    s = server(f"restart {{ park after 1 in 60s }}\n"
               f"port {ports[0]} {{ workers 3 respond 200 }}\nport {ports[1]} {{ respond 200 }}")
    os.kill(s.workers(ports[0])[ports[0], 2], signal.SIGABRT)
    s.wait_log("(was killed from outside|crashed) by SIGABRT")
    need_quick_deaths(s, ports[0])
    s.wait_log("PARKED")
    wait_for(lambda: not s.workers(ports[0]), "the end of the pool")
    assert get(ports[1]).status == 200


def test_a_port_that_is_taken_is_parked_and_the_others_serve(server, ports):
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", ports[1]))
        taken.listen()
        s = server(three(ports))
        s.wait_log(rf"\[PORT {ports[1]}\] PARKED \(.*bulkhead.conf:\d+\): cannot listen on 0.0.0.0 "
                   rf"port {ports[1]}: Address already in use; its clients are refused")
        s.wait_log("2 of 3 ports are served; 1 parked")
        assert get(ports[0]).status == get(ports[2]).status == 200
        assert s.stop() == 0


def test_a_bad_certificate_parks_its_port_and_the_others_serve(server, ports, certificates):
    certificate, _ = certificates("ecdsa")
    _, key = certificates("other")
    s = server(certificates.tls() + three(ports[:2]) +
               f'port {ports[2]} {{ tls {{ certificate "{certificate}" key "{key}" }} respond 200 }}')
    s.wait_log(rf"\[PORT {ports[2]}\] worker 1 .* ended with status 78 \(configuration\) after "
               rf'\S+ and 0 requests: certificate ".*" does not match key ".*"')
    s.wait_log(rf"\[PORT {ports[2]}\] PARKED .*it cannot start as it is configured")
    assert get(ports[0]).status == 200
    assert len(re.findall("status 78", s.log())) == 1


def test_exit_1_when_no_port_can_be_served(server, ports):
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", ports[0]))
        taken.listen()
        s = server(f'port {ports[0]} {{ respond 200 }}', wait=None)
        assert s.process.wait(30) == 1
        assert "no port can be served" in s.log()


# --- stopping ----------------------------------------------------------------------------------


def test_stop_is_clean_and_frees_the_ports(server, ports):
    for number in (signal.SIGINT, signal.SIGTERM):
        s = server(three(ports))
        assert s.stop(number) == 0
        assert re.search(r"stopped after \d+s: 3 workers drained, 0 killed, 0 connections cut",
                         s.log())
        for p in ports:
            with socket.socket() as again:  # at once, without SO_REUSEADDR's help for listeners
                again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                again.bind(("0.0.0.0", p))
                again.listen()


def test_ctrl_c_reaches_the_group_and_drains(server, ports):
    s = server(three(ports))
    os.killpg(s.pid, signal.SIGINT)
    assert s.process.wait(30) == 0
    assert "3 workers drained, 0 killed" in s.log()


@pytest.mark.plain_too
def test_a_request_in_flight_is_finished_with_connection_close(server, ports):
    s = server(f"port {ports[0]} {{ echo }}")
    with Connection(ports[0]) as c, Connection(ports[0]) as idle:
        assert idle.get().status == 200
        c.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n")
        c.send(b"01234")
        s.kill()
        s.wait_log("SIGTERM: stopping")
        assert idle.closed()
        assert wait_for(lambda: refused(ports[0]), "the end of listening")
        c.send(b"56789")
        # The head of the response may have been on its way when the drain began.
        assert c.response().body == b"0123456789"
        assert c.closed()
    assert s.process.wait(30) == 0
    assert "1 worker drained, 0 killed, 0 connections cut" in s.log()


@pytest.mark.plain_too
def test_the_last_answer_says_connection_close(server, ports):
    s = server(f"port {ports[0]} {{ respond 200 \"x\" }}")
    with Connection(ports[0]) as c:
        assert c.get()["Connection"] is None
        c.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
        time.sleep(0.2)  # let the half head arrive; either order is correct, this one is meant
        s.kill()
        s.wait_log("SIGTERM: stopping")
        wait_for(lambda: refused(ports[0]), "the end of listening")  # the worker knows it, too
        c.send(b"\r\n")
        response = c.response()
        assert response.status == 200 and response["Connection"] == "close"
        assert c.closed()
    assert s.process.wait(30) == 0


@pytest.mark.plain_too
def test_what_does_not_drain_in_time_is_killed_and_counted(server, ports):
    s = server(f"drain 200ms\nport {ports[0]} {{ echo }}")
    with Connection(ports[0]) as c:
        c.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234")
        c.response_started = c.read_until(b"\r\n\r\n")
        assert s.stop() == 1
    assert "time is up: killing what is left" in s.log()
    assert "0 workers drained, 1 killed, 1 connection cut" in s.log()


def test_a_second_signal_ends_at_once(server, ports):
    s = server(f"drain 1h\nport {ports[0]} {{ echo }}")
    with Connection(ports[0]) as c:
        c.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234")
        c.read_until(b"\r\n\r\n")
        s.kill()
        s.wait_log("stopping")
        s.kill()
        assert s.process.wait(10) == 1
    assert "SIGTERM again: killing what is left" in s.log()


def test_children_end_with_a_killed_master_and_the_ports_are_free(server, ports):
    s = server(three(ports))
    children = s.workers().values()
    s.process.kill()
    s.process.wait()
    # Generous under sanitizers; the kernel does it at once.
    wait_for(lambda: all(map(has_ended, children)), "the end of the children", timeout=5)
    for p in ports:
        assert refused(p)
    again = server(three(ports))
    assert get(ports[0]).status == 200
    assert again.stop() == 0


# --- the background ----------------------------------------------------------------------------


def test_daemonize_returns_when_ports_are_served(run, ports, tmp_path, certificates):
    config = tmp_path / "d.conf"
    config.write_text(certificates.tls() + three(ports[:1], f'log to syslog path "{tmp_path}/log"\n'))
    result = run("-D", "-P", "daemon.pid", "-f", config, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    pid = int((tmp_path / "daemon.pid").read_text())
    try:
        assert get(ports[0]).status == 200
        assert os.readlink(f"/proc/{pid}/cwd") == "/"
        second = run("-P", "daemon.pid", "-f", config, cwd=tmp_path)
        assert second.returncode == 69
        assert f"already running, as process {pid} says" in second.stderr
    finally:
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: has_ended(pid), "the end of the daemon")
    assert not (tmp_path / "daemon.pid").exists()


def test_daemonize_fails_when_nothing_is_served(run, ports, tmp_path, certificates):
    config = tmp_path / "d.conf"
    config.write_text(certificates.tls() + three(ports[:1], f'log to syslog path "{tmp_path}/log"\n'))
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", ports[0]))
        taken.listen()
        result = run("-D", "-f", config)
    assert result.returncode == 1
    assert "no port is served" in result.stderr


def test_daemonize_tells_of_ports_that_are_not_served(run, ports, tmp_path, certificates):
    config, pid_file = tmp_path / "d.conf", tmp_path / "daemon.pid"
    config.write_text(certificates.tls() + three(ports[:2], f'log to syslog path "{tmp_path}/log"\n'))
    with socket.socket() as taken, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
        daemon.bind(str(tmp_path / "log"))
        taken.bind(("0.0.0.0", ports[0]))
        taken.listen()
        result = run("-D", "-P", pid_file, "-f", config)
    pid = int(pid_file.read_text())
    os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not pid_file.exists(), "the end of the daemon")
    assert result.returncode == 0
    assert result.stderr.endswith("bulkhead: 1 of 2 ports are served; the log says why\n")


def test_connections_spread_over_a_pool(server, ports):
    """On a quiet port the kernel wakes the same waiting loop each time, unless loops take turns."""
    s = server(f"access log off\nport {ports[0]} {{ workers 4 respond 200 }}")
    for _ in range(200):
        with Connection(ports[0]) as c:
            assert c.get().status == 200
    assert s.stop() == 0
    served = [int(n) for n in re.findall(r"drained after \S+ and (\d+) request", s.log())]
    assert sum(served) == 200 and len(served) == 4
    assert min(served) >= 16, served


def test_runs_as_a_child_only_for_the_master(run):
    result = run("--child", close_fds=True)
    assert result.returncode != 0
    assert "started by the master only" in result.stderr


def test_descriptors_do_not_grow_with_restarts(server, ports):
    s = server(three(ports[:1], "restart { backoff 10ms to 10ms; park after 60 in 1s }\n"))
    count = len(os.listdir(f"/proc/{s.pid}/fd"))
    for n in range(1, 11):
        pid = wait_for(lambda: s.workers(ports[0]).get((ports[0], 1)), "a worker")
        os.kill(pid, signal.SIGKILL)
        s.wait_log(r"worker 1 .* is ready", count=n + 1)
    assert len(os.listdir(f"/proc/{s.pid}/fd")) == count
    s.wait_reaped()


# --- faults found by reading and by accident ---------------------------------------------------


def test_the_reason_of_a_failed_start_is_never_lost(server, ports, certificates):
    """The exit was seen before the last message was read."""
    certificate, _ = certificates("ecdsa")
    _, key = certificates("other")
    s = server(f'tls {{ certificate "{certificate}" key "{key}" }}\n'
               f'port {ports[0]} {{ workers 8 respond 200 }}', wait=None)
    assert s.process.wait(30) == 1
    failed = re.findall(r"ended with status 78 .*", s.log())
    assert len(failed) == 8
    assert all("does not match key" in line for line in failed), failed


def test_as_many_addresses_as_a_port_may_have(server, ports):
    lines = "\n".join(f"listen on 127.0.1.{n}" for n in range(1, 65))
    s = server(f'port {ports[0]} {{ {lines}\nrespond 200 "x" }}')
    assert get(ports[0], host="127.0.1.64").status == 200
    assert s.stop() == 0


@pytest.mark.plain_too
def test_a_client_that_says_nothing_does_not_hold_up_the_end(server, ports):
    s = server(f'drain 1h\nport {ports[0]} {{ limits {{ handshake-timeout 1h; idle 1h }} '
               'respond 200 "x" }')
    with socket.create_connection(("127.0.0.1", ports[0])), Connection(ports[0]):
        assert get(ports[0]).status == 200  # the other two have been accepted
        assert s.stop() == 0


def test_the_terminals_signal_during_the_start_is_a_clean_end(server, ports):
    for _ in range(10):
        s = server(f"port {ports[0]} {{ workers 16 respond 200 }}", wait=None)
        s.wait_log("starts 1 port")
        os.killpg(s.pid, signal.SIGINT)
        assert s.process.wait(30) == 0, s.log()


def test_a_worker_that_cannot_drain_in_time_makes_room(server, ports):
    s = server(f"drain 300ms\nport {ports[0]} {{ echo }}")
    old = s.workers()[ports[0], 1]
    with Connection(ports[0]) as c:
        c.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234")
        c.read_until(b"\r\n\r\n")
        os.kill(old, signal.SIGTERM)
        s.wait_log(rf"worker 1 \(pid {old}\) did not finish draining in time .*; starting it again")
        assert get(ports[0]).status == 200


# --- faults found in review ------------------------------------------------------------


def test_an_end_is_seen_once_while_another_child_is_between_fork_and_exec(server, ports):
    """That child holds a duplicate of every channel: what was closed stayed in the epoll set, woke
    the master without end, and made it kill the place's next pid, or -1."""
    s = server(three(ports[:2]))
    first, second = (s.workers(p)[p, 1] for p in ports[:2])
    with traced(s.pid, "-e", "trace=execveat,epoll_wait",
                "--inject=execveat:delay_enter=1000000") as trace:
        os.kill(first, signal.SIGKILL)
        s.wait_log(rf"pid {first}\) was killed")
        os.kill(second, signal.SIGKILL)
        s.wait_log(r"worker 1 \(pid \d+\) is ready", count=4)
        waits = trace.read_text().count("epoll_wait")
    assert waits < 50, waits
    assert "does not answer" not in s.log()


def test_a_child_that_floods_the_master_is_replaced(server, ports):
    s = server(three(ports[:2]))
    victim = s.workers(ports[0])[ports[0], 1]
    end = time.monotonic() + TIMEOUT
    with channel_of(victim) as channel, contextlib.suppress(OSError):
        channel.settimeout(TIMEOUT)
        while time.monotonic() < end:
            channel.send(struct.pack("=I", 7))  # KEY_SILENT
    s.wait_log(rf"worker 1 \(pid {victim}\) sent too many messages")
    s.wait_log(rf"worker 1 \(pid {victim}\) (ended|was killed) .*; starting it again")
    assert get(ports[0]).body == HELLO
    assert get(ports[1]).body == HELLO


def test_a_server_whose_ports_are_all_bad_ends(server, ports):
    """The message about one error comes before the master confines itself; a second error must
    not bring it back."""
    s = server(f'port {ports[0]} {{ user "no-such-user" tls {{ certificate "none.pem" '
               f'key "none.key" }} respond 200 }}', wait=None)
    assert s.process.wait(TIMEOUT) == 1
    assert "no port can be served" in s.log()


def test_a_lack_of_memory_at_a_start_is_not_the_configurations_fault(server, ports, certificates):
    """A file that cannot be read for lack of memory is not a bad file, which would park the
    port at once."""
    s = server(three(ports[:2], "restart { backoff 1ms to 50ms; park after 2 in 1d }\n"))
    certificate, _ = certificates()
    with traced(s.pid, "-P", str(certificate), "-e", "trace=read,pread64",
                "-e", "inject=read,pread64:error=ENOMEM"):
        os.kill(s.workers(ports[0])[ports[0], 1], signal.SIGKILL)
        s.wait_log(r"worker 1 .* ended with status 75 after .*: certificate .* cannot be read: Cannot "
                   "allocate memory; starting it again", count=3)
    s.wait_ready(ports[0], "worker", 2)
    assert get(ports[0]).body == HELLO
    assert "PARKED" not in s.log()


def test_a_worker_that_is_stopped_while_it_starts_is_found(server, ports):
    """Long before the deadline of a start: the port has no other worker meanwhile."""
    s = server(three(ports[:1], "watchdog 3s\nrestart { backoff 1ms to 1ms; park after 64 in 10ms }\n"))
    children = pathlib.Path(f"/proc/{s.pid}/task/{s.pid}/children")
    for _ in range(200):
        known = set(children.read_text().split())
        os.kill(s.workers()[ports[0], 1], signal.SIGKILL)
        end = time.monotonic() + TIMEOUT
        while not (new := set(children.read_text().split()) - known):
            assert time.monotonic() < end, s.log()
        pid = int(new.pop())
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.05)  # its earlier messages are read by now
        if f"(pid {pid}) is ready" not in s.log():
            break
        os.kill(pid, signal.SIGCONT)
    s.wait_log(rf"worker 1 \(pid {pid}\) is stopped; aborting it")
    assert get(ports[0]).body == HELLO
