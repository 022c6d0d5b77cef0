"""Shared resources run short: descriptors, memory, processes. Ports are delayed, never parked,
and as many serve as the resources allow."""
import os
import re
import signal
import subprocess

import pytest

from harness import BINARY, TIMEOUT, free_ports, get, need_root, refused, traced, wait_for

QUICK = "restart { backoff 1ms to 50ms; park after 2 in 1d }\n"
ENV = {"ASAN_OPTIONS": "detect_leaks=0"}  # which does not work in a process that is traced


def many(numbers):
    return QUICK + "".join(f"port {n} {{ listen on 127.0.0.1 respond 200 }}\n" for n in numbers)


def limited(descriptors):
    return ("sh", "-c", f'ulimit -n {descriptors}; exec "$@"', "sh")


def served(numbers):
    return [n for n in numbers if not refused(n)]


@pytest.mark.parametrize("count, descriptors", [(20, 128), (60, 256)])
def test_as_many_ports_serve_as_there_are_descriptors_for(server, count, descriptors):
    """Each of them complete: no port holds descriptors that the workers of another need.
    9 descriptors make a port."""
    numbers = free_ports(count)
    s = server(many(numbers), wrapper=limited(descriptors))
    found = re.search(rf"(\d+) descriptors are needed for {count} ports, and {descriptors} may be open",
                      s.log())
    assert found is not None and int(found[1]) > descriptors
    fit = int(re.search(rf"(\d+) of {count} ports are served; (\d+) wait", s.log())[1])
    assert fit >= (descriptors - 64) // 11  # the rest is the master's own, and room to move
    assert served(numbers) == numbers[:fit]
    assert all(get(n).status == 200 for n in numbers[:fit])
    assert "PARKED" not in s.log() and "open files" not in s.log()
    os.kill(s.workers(numbers[0])[numbers[0], 1], signal.SIGKILL)
    s.wait_ready(numbers[0], "worker", 2)
    s.config.write_text(s.config.read_text().replace("respond 200", "respond 201", 1))
    s.kill(signal.SIGHUP)  # one port at a time has room for a second generation
    s.wait_log("reloaded: ")
    assert get(numbers[0]).status == 201
    assert s.stop() == 0


def test_a_port_that_waits_has_the_room_that_another_one_gives_back(server, tmp_path):
    numbers = free_ports(20)
    s = server(f'control "{tmp_path}/control"\n' + many(numbers), wrapper=limited(128))
    fit = len(served(numbers))

    def ctl(*words):
        return subprocess.run([BINARY.with_name("bulkheadctl"), "-s", tmp_path / "control",
                               *map(str, words)], capture_output=True, text=True,
                              timeout=TIMEOUT, check=False)

    r = ctl("start", numbers[-1])
    assert r.returncode != 0 and "it needs 11 descriptors, and fewer are free" in r.stderr
    assert "it needs 11 descriptors" in ctl("status", "--json").stdout
    assert f"{numbers[-1]} waits: it needs 11 descriptors" in ctl("status").stdout
    assert ctl("stop", numbers[0]).returncode == 0
    wait_for(lambda: len(served(numbers)) == fit, "the port that waits")
    assert refused(numbers[0])
    assert s.stop() == 0


def test_without_room_for_a_single_port_the_server_ends(server):
    s = server(many(free_ports(3)), wrapper=limited(24))
    assert s.process.wait(TIMEOUT) == 1
    assert re.search(r"descriptors are needed for 3 ports, and 24 may be open.*\n.*no port can be served",
                     s.log())


@pytest.mark.parametrize("descriptors, status", [(128, 0), (24, 1)])
def test_the_background_does_not_wait_for_ports_that_do_not_fit(tmp_path, certificates, descriptors,
                                                               status):
    config, pid_file = tmp_path / "d.conf", tmp_path / "pid"
    config.write_text(f'log to syslog path "{tmp_path}/log"\n' + certificates.tls() +
                      many(free_ports(20)))
    r = subprocess.run([*limited(descriptors), BINARY, "-D", "-P", pid_file, "-f", config],
                       capture_output=True, text=True, timeout=TIMEOUT, check=False)
    if status == 0:
        os.kill(int(pid_file.read_text()), signal.SIGTERM)
    wait_for(lambda: not pid_file.exists(), "the end of the daemon")
    assert r.returncode == status
    assert re.search(r"\d+ of 20 ports are served; the log says why" if status == 0 else
                     "no port is served", r.stderr)


# --- calls that fail -----------------------------------------------------------------------------


def failing(*options):
    """The tracer runs apart, so the server is a child of the test."""
    need_root("strace")
    return ("strace", "-D", "-f", "-qq", "-o", "/dev/null", *options)


MASTER = [("openat", "EMFILE"), ("openat", "ENFILE"), ("openat", "ENOMEM"), ("memfd_create", "ENFILE"),
          ("socket", "EMFILE"), ("socket", "ENOBUFS"), ("bind", "ENOBUFS"), ("listen", "ENOBUFS"),
          ("socketpair", "ENFILE"), ("sendmsg", "ETOOMANYREFS"), ("clone", "EAGAIN"),
          ("clone", "ENOMEM")]


@pytest.mark.parametrize("call, error", MASTER)
def test_a_shortage_of_the_masters_delays(server, ports, certificates, call, error):
    """While the port begins, three times."""
    certificate, _ = certificates()
    where = ("-P", certificate) if call == "openat" else ()
    s = server(many(ports[:1]), env=ENV, wrapper=failing(
        *where, "-e", f"trace={call}", "-e", f"inject={call}:error={error}:when=1..3"))
    s.wait_ready(ports[0], "worker", 1)
    assert get(ports[0]).status == 200
    assert "PARKED" not in s.log()
    assert "; trying again in " in s.log()


@pytest.mark.parametrize("call, error", [("execveat", "ENOMEM"), ("execveat", "EAGAIN"),
                                         ("signalfd4", "EMFILE"), ("epoll_create1", "ENFILE")])
def test_a_shortage_of_a_childs_at_its_start_delays(server, ports, call, error):
    """Each new worker fails and ends; none of these ends counts towards parking."""
    s = server(many(ports[:1]))
    with traced(s.pid, "-e", f"trace={call}", "-e", f"inject={call}:error={error}"):
        os.kill(s.workers(ports[0])[ports[0], 1], signal.SIGKILL)
        s.wait_log(r"worker 1 .* ended with status 75 after .*: .*; starting it again in ", count=3)
    s.wait_ready(ports[0], "worker", 2)
    assert get(ports[0]).status == 200
    assert "PARKED" not in s.log()


@pytest.mark.any_build
def test_a_long_wait_of_one_port_delays_the_end_of_the_start_for_ten_seconds_alone(server, ports,
                                                                                   certificates):
    """Nothing happens in the meantime that would end it."""
    certificate, _ = certificates()
    s = server(many(ports[:2]).replace("1ms to 50ms", "1h to 1h"), env=ENV, wait=None, wrapper=failing(
        "-P", certificate, "-e", "trace=openat", "-e", "inject=openat:error=ENFILE:when=1"))
    s.wait_log("1 of 2 ports are served; 1 wait")
    assert "; trying again in 1h" in s.log()
    assert served(ports[:2]) == ports[1:2]
