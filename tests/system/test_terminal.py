"""The terminal that a server was started on, its end, and a console that is a file."""
import contextlib
import os
import pty
import signal
import subprocess
import sys

import pytest

from harness import BINARY, TIMEOUT, get, wait_for

# Becomes the leader of a session whose terminal is standard input, then executes the command.
LEADER = ("import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
          "os.execvp(sys.argv[1], sys.argv[1:])")


class Terminal:
    """A terminal, and a server that was started on it; its log is a file."""

    def __init__(self, folder, certificates, port, *before):
        self.log_path, self.pid_file = folder / "log", folder / "pid"
        config = folder / "bulkhead.conf"
        config.write_text(certificates.tls() + f"control off\nport {port} {{ respond 200 }}\n")
        self.master, slave = pty.openpty()
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", LEADER, *before, BINARY, "-P", self.pid_file, "-f", config],
                stdin=slave, stdout=log, stderr=log)
        os.close(slave)
        self.wait_log("1 port is served")
        self.pid = int(self.pid_file.read_text())

    def log(self):
        return self.log_path.read_text(errors="replace")

    def wait_log(self, text):
        try:
            wait_for(lambda: text in self.log(), f"{text!r} in the log")
        except AssertionError:
            print(self.log())
            raise

    def close(self):
        os.close(self.master)
        self.master = -1

    def end(self):
        if self.master >= 0:
            self.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        self.process.wait(TIMEOUT)
        wait_for(lambda: not self.pid_file.exists(), "the server's end")


@pytest.fixture
def terminal(tmp_path, certificates, ports):
    started = []

    def start(*before):
        started.append(Terminal(tmp_path, certificates, ports[0], *before))
        return started[-1]

    yield start
    for t in started:
        t.end()


SHELL = ("sh", "-c", '"$@"; exit 0', "sh")  # waits for it, and forwards no signal
JOB = ("bash", "--norc", "-c", 'trap "kill -HUP %1; exit" HUP; set -m; "$@" & wait', "bash")


@pytest.mark.parametrize("before", [(), SHELL, JOB], ids=["leader", "of a shell", "a job"])
def test_a_server_in_the_foreground_ends_with_its_terminal(terminal, before):
    t = terminal(*before)
    t.close()
    t.wait_log("the terminal was closed: stopping, requests in flight have 10s")
    t.wait_log("stopped after")
    t.process.wait(TIMEOUT)
    assert ": 1 worker drained, 0 killed" in t.log()
    if not before:
        assert t.process.returncode == 0


def test_an_order_to_reload_is_one_while_the_terminal_is_there(terminal, ports):
    t = terminal()
    os.kill(t.pid, signal.SIGHUP)
    t.wait_log("reloaded: 1 kept")
    assert get(ports[0]).status == 200


@pytest.mark.parametrize("upgraded", [False, True])
def test_what_nohup_has_started_outlives_its_terminal(terminal, ports, upgraded):
    t = terminal("nohup")
    if upgraded:
        os.kill(t.pid, signal.SIGUSR2)
        t.wait_log("takes over from")
        t.wait_log("upgraded")
    t.close()
    t.wait_log("reloaded: 1 kept")  # which does no harm
    assert get(ports[0]).status == 200


def test_a_reload_from_elsewhere_is_one_though_the_terminal_is_gone(terminal, ports):
    """Its shell has disowned it, so no signal came when the terminal closed."""
    t = terminal("bash", "--norc", "-c", 'trap exit HUP; set -m; "$@" & wait', "bash")
    assert any(os.readlink(f"/proc/{t.pid}/fd/{fd}") == "/dev/tty"  # its end would matter
               for fd in os.listdir(f"/proc/{t.pid}/fd"))
    t.close()
    wait_for(lambda: hung_up(t.pid), "the terminal's end")
    os.kill(t.pid, signal.SIGHUP)  # of another session, which lives
    t.wait_log("reloaded: 1 kept")
    assert get(ports[0]).status == 200


def hung_up(pid):
    with open(f"/proc/{pid}/stat", errors="replace") as f:
        return f.read().rsplit(")", 1)[1].split()[4] == "0"  # tty_nr


def test_a_console_in_a_file_can_be_truncated(terminal, ports):
    """As logrotate(8) does it with copytruncate; the file was not opened for appending."""
    t = terminal()
    for _ in range(20):
        get(ports[0])
    wait_for(lambda: t.log().count("Received GET") == 20, "the records")
    os.truncate(t.log_path, 0)
    get(ports[0])
    t.wait_log("Received GET")
    assert t.log().count("\n") == 1 and "\0" not in t.log()
    with open(t.log_path, "ab") as other:
        other.write(b"somebody else's\n")
    get(ports[0])
    wait_for(lambda: t.log().count("Received GET") == 2, "the next record")
    assert "somebody else's\n" in t.log()
