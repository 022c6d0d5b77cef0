"""Every mode of both programs, started with as little as a process can be given: no variable in the
environment, a null pointer in place of an environment, no arguments, not even a name."""
import json
import os
import signal
import subprocess

import pytest

from harness import BINARY, HELLO, TIMEOUT, get, sanitized, wait_for

CTL = BINARY.parent / "bulkheadctl"
NO_SERVER, USAGE = 3, 2

pytestmark = pytest.mark.skipif(bool(sanitized()), reason="a sanitizer is told by variables where to "
                                                    "write, and finds its run-time by its name")

# execve(2) itself, since every library's call fills in what is missing.
EXEC = """
import ctypes, os, sys
environment, path, *arguments = sys.argv[1:]
words = (ctypes.c_char_p * (len(arguments) + 1))(*map(os.fsencode, arguments), None)
none = (ctypes.c_char_p * 1)(None)
ctypes.CDLL(None).execve(os.fsencode(path), words, none if environment == "empty" else None)
os._exit(127)
"""


def bare(program, *arguments, environment="empty"):
    return ["/usr/bin/env", "python3", "-c", EXEC, environment, str(program),
            *map(str, arguments)]


def finish(argv, **options):
    return subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          timeout=4 * TIMEOUT, **options)


@pytest.fixture(params=["empty", "null"])
def environment(request):
    return request.param


@pytest.fixture
def conf(conf_file, certificates, ports, tmp_path):
    return conf_file("bulkhead.conf", certificates.tls() + f'control "{tmp_path}/ctl"\n'
                     f'log to console\nport {ports[0]} {{ respond 200 "Hello, world!\\n" }}\n')


@pytest.mark.parametrize("options", [["-V"], ["-h"], ["-t"], ["-T"]])
def test_modes_that_end_by_themselves(environment, conf, options):
    options = options if options[0] in ("-V", "-h") else [*options, "-f", conf]
    r = finish(bare(BINARY, "bulkhead", *options, environment=environment))
    assert r.returncode == 0, r


def test_a_server_in_the_foreground(environment, conf, ports, tmp_path):
    with open(tmp_path / "log", "wb") as log:
        s = subprocess.Popen(bare(BINARY, "bulkhead", "-f", conf, environment=environment),
                             stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        wait_for(lambda: b"is served" in (tmp_path / "log").read_bytes() or s.poll() is not None,
                 "a port to be served")
        assert s.poll() is None, (tmp_path / "log").read_text()
        assert get(ports[0]).body == HELLO
        r = finish(bare(CTL, "bulkheadctl", "-s", tmp_path / "ctl", "status", "--json",
                        environment=environment))
        assert r.returncode == 0 and json.loads(r.stdout)["ports"], r
        r = finish(bare(CTL, "bulkheadctl", "-s", tmp_path / "ctl", "restart", ports[0],
                        environment=environment))
        assert r.returncode == 0, r
        assert get(ports[0]).body == HELLO
    finally:
        s.send_signal(signal.SIGTERM)
        assert s.wait(TIMEOUT) == 0


def test_a_server_in_the_background(environment, conf, ports, tmp_path):
    pid_file = tmp_path / "pid"
    with open(tmp_path / "log", "wb") as log:  # a pipe would stay open as long as it lives
        status = subprocess.run(bare(BINARY, "bulkhead", "-D", "-P", pid_file, "-f", conf,
                                     environment=environment),
                                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                timeout=TIMEOUT).returncode
    assert status == 0, (tmp_path / "log").read_text()
    pid = int(pid_file.read_text())
    try:
        assert get(ports[0]).body == HELLO
    finally:
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not pid_file.exists(), "its end")


@pytest.mark.any_build
def test_the_selftest(environment, conf):
    r = finish(bare(BINARY, "bulkhead", "selftest", "-f", conf, environment=environment))
    assert r.returncode == 0, r
    assert ", 0 failed" in r.stdout


def test_a_command_for_a_server_that_is_not_there(environment, tmp_path):
    r = finish(bare(CTL, "bulkheadctl", "-s", tmp_path / "none", "status",
                    environment=environment))
    assert r.returncode == NO_SERVER, r


def test_not_even_a_name(conf):
    """Kernels from 5.18 on make an empty name of none."""
    r = finish(bare(CTL))
    assert r.returncode == USAGE and "a command is missing" in r.stderr, r
    r = finish(bare(BINARY, "", "-t", "-f", conf))
    assert r.returncode == 0, r
