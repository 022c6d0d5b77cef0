"""System calls and allocations that fail: in the master, a keyholder, a worker.

A worker or a keyholder may end and is replaced; the master never ends, and afterwards every
port serves. If strace detaches while it has replaced a call, the call fails with ENOSYS, which
no kernel would return. So only a limited number of calls fail in the master, and all of them
have failed before strace detaches.
"""
import contextlib
import os
import signal
import time

from arena import TIMEOUT, Connection, have, need, sanitized, tool, traced, wait_for
from table import storm

ERRORS = ("EMFILE", "ENOMEM", "EAGAIN", "EINTR")
CALLS = {
    "master": ("sendmsg", "write", "recvmsg", "read", "epoll_wait", "epoll_ctl", "clone", "mmap",
               "wait4", "socketpair", "memfd_create", "fcntl"),
    "keyholder": ("recvmsg", "recvfrom", "epoll_wait", "write", "mmap"),
    "worker": ("accept4", "write", "recvfrom", "epoll_wait", "mmap"),
}
ONLY = {"wait4": ("EINTR",)}  # nothing else reports a death whose report is lost
SELDOM = ("mmap", "fcntl")  # may not be made at all; all others are waited for
IN_MASTER = 12  # the number of calls that fail; strace ends after the last


def matrix(arena, role, errors=ERRORS):
    """Calls and errors; the short form takes each call with one error, and the errors in turn."""
    pairs = []
    for i, call in enumerate(CALLS[role]):
        chosen = ONLY.get(call, errors[i % len(errors)] if arena.short else errors)
        pairs += [(call, error) for error in ([chosen] if isinstance(chosen, str) else chosen)]
    return pairs


def strikes_in(trace, pid=None):
    lines = trace.read_text(errors="replace").splitlines()
    return sum("(INJECTED)" in line and (pid is None or line.startswith(f"{pid} "))
               for line in lines)


def kill_one(s, port, role):
    with contextlib.suppress(ProcessLookupError):
        for pid in s.children(role, port).values():
            os.kill(pid, signal.SIGKILL)


def inject_into_master(arena, s, call, error):
    """Processes of the first port are ended meanwhile, since the master does little else. Its
    children are traced from their start, and calls fail in each of them separately."""
    port = arena.ports[0]
    with traced(s.pid, "-e", f"trace={call}", "-e",
                f"inject={call}:error={error}:when=1..{IN_MASTER}+2") as trace:
        end = time.monotonic() + TIMEOUT
        for turn in range(100):
            if strikes_in(trace, s.pid) >= IN_MASTER / 2 or time.monotonic() > end \
                    or turn > 3 and call in SELDOM and not strikes_in(trace, s.pid):
                break
            kill_one(s, port, ("worker", "keyholder")[turn % 2])
            time.sleep(0.1)
            assert s.process.poll() is None, f"{call} with {error} has ended the master"
        return strikes_in(trace, s.pid), strikes_in(trace)


def inject_into_child(arena, s, role, call, error):
    pid = arena.victim(s, arena.ports[0], role)
    try:
        with traced(pid, "-e", f"trace={call}", "-e", f"inject={call}:error={error}:when=1+2") \
                as trace:
            if call == "recvmsg":  # channels, for the next worker
                kill_one(s, arena.ports[0], "worker")
            end = time.monotonic() + arena.seconds(0.3, 1)
            while time.monotonic() < end:
                with contextlib.suppress(OSError, EOFError), \
                        Connection(arena.ports[0], timeout=1) as c:
                    c.get()
            return strikes_in(trace), strikes_in(trace)
    except FileNotFoundError:  # its first call was its last, before the trace was noticed
        return 1, 1


def inject(arena, role):
    need(os.geteuid() == 0 and have("strace"), "root and strace")
    need(not sanitized(), "a build without sanitizers, which make such calls, too, and end over it")
    s = arena.four()
    struck, quiet = 0, []
    with arena.load(rate=20) as load:
        for call, error in matrix(arena, role):
            if role == "master":
                own, every = inject_into_master(arena, s, call, error)
            else:
                own, every = inject_into_child(arena, s, role, call, error)
            struck += every
            if own == 0:
                quiet.append(call)
            try:
                arena.check_serving(s)
            except AssertionError as e:
                raise AssertionError(f"{e} after {call} of the {role} with {error}") from None
    arena.check_load(load, tied=False)
    assert "PARKED" not in s.log()
    assert not set(quiet) - set(SELDOM), quiet
    arena.tell(injected=struck, pairs=len(matrix(arena, role)))


@storm("inject-master")
def inject_master(arena):
    """calls of the master fail with EMFILE, ENOMEM, EAGAIN, EINTR while it replaces processes"""
    inject(arena, "master")


@storm("inject-keyholder")
def inject_keyholder(arena):
    """calls of a keyholder that serves fail"""
    inject(arena, "keyholder")


@storm("inject-worker")
def inject_worker(arena):
    """calls of a worker that serves fail"""
    inject(arena, "worker")
