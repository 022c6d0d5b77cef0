"""As the first process of a container: its orphans, its signals, and a read-only file system.

The container is made of unshare(1): a process namespace, and a mount namespace in which everything
but /proc is read-only. scripts/check-container does the same with an image.
"""
import contextlib
import fcntl
import os
import pathlib
import re
import shutil
import signal
import subprocess

import pytest

from harness import TIMEOUT, Connection, get, have, need_root, sanitized, status_of, wait_for

NOBODY = 65534
READ_ONLY = """
mount --make-rprivate /
sed 's/^[^ ]* [^ ]* [^ ]* [^ ]* \\([^ ]*\\) .*/\\1/' /proc/self/mountinfo |
	while read -r place; do
		case $place in /proc*) ;; *) mount -o remount,bind,ro "$place" ;; esac
	done
mount -t proc proc /proc
exec "$@"
"""
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
             "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]


@pytest.fixture(autouse=True)
def can():
    need_root("unshare", "nsenter", "setpriv")
    probe = subprocess.run(contained("touch", "/tmp/x", "/run/x", "/x"), capture_output=True,
                           text=True, timeout=TIMEOUT)
    if probe.returncode == 0 or probe.stderr.count("Read-only file system") != 3:
        pytest.skip(f"no read-only container can be made here: {probe.stderr.strip()}")


def contained(*argv, user=()):
    return ["unshare", "--pid", "--fork", "--kill-child", "--mount", "sh", "-c", READ_ONLY, "sh",
            *user, *argv]


def child_of(pid):
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(errors="replace").split()
    return int(children[0]) if children else None


def first_process(s):
    """The pid, here, of the server that is 1 in there."""
    pid = wait_for(lambda: child_of(s.pid), "the first process")
    wait_for(lambda: "bulkhead" in pathlib.Path(f"/proc/{pid}/comm").read_text(errors="replace"), "the server")
    assert status_of(pid)["NSpid"].split()[-1] == "1"
    return pid


@pytest.fixture
def container(server):
    """Starts a server in a container: container("port ...") -> Server, whose pid is unshare's."""
    started = []

    def start(text, user=(), **options):
        if user:  # nobody can read root's folders, nor write anywhere
            options.setdefault("env", {"HOME": "/nowhere"})
        started.append(server(text, wrapper=contained(user=user), cwd="/", **options))
        return started[-1]

    yield start
    for s in started:  # unshare itself ignores SIGTERM
        if s.process.poll() is None:
            os.kill(first_process(s), signal.SIGTERM)
            s.process.wait(TIMEOUT)


def parent_and_state(pid):
    with contextlib.suppress(OSError):
        state, parent = pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace").rsplit(")", 1)[1].split()[:2]
        return int(parent), state
    return None, None


def orphans_of(master):
    """The sleeping programs that it inherited when their parents ended."""
    found = []
    for pid in pathlib.Path(f"/proc/{master}/task/{master}/children").read_text(errors="replace").split():
        with contextlib.suppress(OSError):
            if pathlib.Path(f"/proc/{pid}/comm").read_text(errors="replace") == "sleep\n":
                found.append(int(pid))
    return found


def test_orphans_are_reaped_and_nobody_takes_them_for_its_own(container, ports):
    s = container(f"port {ports[0]} {{ respond 200 }}")
    master = first_process(s)
    subprocess.run(["nsenter", "-t", str(master), "--pid", "--mount", "sh", "-c",
                    "for i in 1 2 3; do (sleep 1000 >/dev/null 2>&1 &); done"], check=True,
                   timeout=TIMEOUT)
    orphans = wait_for(lambda: len(o := orphans_of(master)) == 3 and o, "three orphans")
    os.kill(orphans[0], signal.SIGSTOP)  # an orphan that stops is none of its business either
    wait_for(lambda: parent_and_state(orphans[0])[1] == "T", "the stop")
    for pid in orphans:
        os.kill(pid, signal.SIGKILL)
    for pid in orphans:
        wait_for(lambda pid=pid: parent_and_state(pid)[1] is None, "the end of an orphan")
    assert get(ports[0]).status == 200
    assert "starting it again" not in s.log()


def test_sigterm_stops_it_gracefully(container, ports):
    s = container(f"port {ports[0]} {{ respond 200 }}")
    os.kill(first_process(s), signal.SIGTERM)
    assert s.process.wait(TIMEOUT) == 0
    assert "1 worker drained, 0 killed" in s.log()


def test_a_sigterm_that_comes_before_it_serves_is_not_lost(container, ports, certificates, tmp_path):
    """It waits for its development certificate, whose folder is locked, before it serves."""
    state = tmp_path / "state"
    state.mkdir()
    for source, name in zip(certificates(), ("cert.pem", "key.pem")):
        shutil.copy(source, state / name)
    lock = os.open(state, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    s = container(None, args=["-p", ports[0]], env={"STATE_DIRECTORY": str(state)}, wait=None)
    master = first_process(s)
    wait_for(lambda: child_of(master), "waiting for the certificate")
    os.kill(master, signal.SIGTERM)
    os.close(lock)
    assert s.process.wait(TIMEOUT) == 0
    assert "SIGTERM: stopping" in s.log()


def test_a_plain_user_serves_with_nothing_to_write_to(container, ports):
    s = container(None, user=AS_NOBODY, args=["-p", ports[0]])
    assert get(ports[0]).body == b"Hello, world!\n"
    log = s.log()
    assert "the development certificate is not kept: cannot make the folder" in log
    assert f"curl -k https://localhost:{ports[0]}/" in log
    fingerprint = re.search(r"SHA-256 ((?:[0-9A-F]{2}:){31}[0-9A-F]{2})", log)
    assert fingerprint, log
    os.kill(first_process(s), signal.SIGTERM)
    assert s.process.wait(TIMEOUT) == 0


def test_a_plain_user_is_told_what_of_the_sandbox_is_left(container, ports):
    if sanitized():
        pytest.skip("a sanitizer's build is confined less")
    s = container(None, user=AS_NOBODY, args=["-v", "-p", ports[0]])
    for role in ("worker", "keyholder"):
        line = s.wait_log(rf"{role} 1 \(pid \d+\) is confined: (.*)")[0][1]
        has, missing = line.split("; without ")
        assert has.startswith(f"user {NOBODY}:{NOBODY}, ") and "no new privileges" in has
        assert re.search(r"\d+ system calls", has)
        assert "an empty root (" in missing and "a user of its own (" in missing


def test_root_serves_with_nothing_to_write_to(container, ports):
    s = container(f"port {ports[0]} {{ respond 200 }}")
    assert get(ports[0]).status == 200
    assert s.workers() == {}  # they are its own, not unshare's
    assert child_of(first_process(s))


def test_the_background_is_refused(container):
    s = container(None, args=["-D"], wait=None)
    assert s.process.wait(TIMEOUT) == 2
    assert "the first process of a container cannot go to the background" in s.log()


def test_an_upgrade_keeps_what_is_in_memory_only(container, ports):
    """The next version takes over this run's certificate, and so do its workers."""
    s = container(None, user=AS_NOBODY, args=["-p", ports[0]])
    with Connection(ports[0]) as c:
        before = c.socket.getpeercert(binary_form=True)
    os.kill(first_process(s), signal.SIGUSR2)
    s.wait_log("upgraded from .* to .*: all ports have followed")
    with Connection(ports[0]) as c:
        assert c.socket.getpeercert(binary_form=True) == before
        assert c.get().status == 200
    assert s.log().count("SHA-256") == 1
