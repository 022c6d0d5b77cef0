"""What is around the server fails: the master itself is killed, the wall clock jumps, the log
daemon is gone, full or stopped; and a check for leftovers after many deaths."""
import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

from arena import HELLO, NEVER_PARK, TIMEOUT, Connection, descriptors_of, get, monotonic, need, sanitized, \
    state_of, status_of, tool, wait_for
from table import storm

# --- the master --------------------------------------------------------------------------------


@storm("master-kill")
def master_kill(arena):
    """kill -9 of the master: all its children end, and a new start binds at once"""
    times = []
    for _ in range(2 if arena.short else 10):
        s = arena.four(f"workers 4 {HELLO}")
        with contextlib.ExitStack() as stack:  # some have work, some are stopped
            held = [stack.enter_context(Connection(p)) for p in arena.ports]
            children = [*s.workers().values(), *s.keyholders().values()]
            os.kill(children[0], signal.SIGSTOP)
            begun = monotonic()
            s.process.kill()
            s.process.wait()
            wait_for(lambda: all(state_of(pid) in "ZX" for pid in children), "the end of all")
            times.append((monotonic() - begun) * 1000)
            assert all(c.closed() for c in held)
        again = arena.four(f"workers 4 {HELLO}")
        arena.check_serving(again)
        assert "cannot listen" not in again.log() and "PARKED" not in again.log()
        assert again.stop() == 0
    arena.tell(children=len(children), all_gone_ms=f"{max(times):.1f} at most")


# --- the clock ---------------------------------------------------------------------------------


@storm("clock")
def clock(arena):
    """the wall clock jumps a day ahead, a day back, and right again, every two seconds"""
    need(not sanitized(), "a build without sanitizers, which would have to be preloaded first")
    limits = "limits { idle 60s; head-timeout 30s; handshake-timeout 30s }\n"
    s = arena.four(f"workers 2 {HELLO}", top=NEVER_PARK + limits, env={"LD_PRELOAD": tool("clock.so")},
                   log="access log on\n")
    children = {**s.workers(), **s.keyholders()}
    pids = sorted([*s.workers().values(), *s.keyholders().values()])
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(Connection(p)) for p in arena.ports]
        with arena.load() as load:
            time.sleep(arena.seconds(6.5, 25))
            # A process starts in spite of a wrong clock.
            death = arena.strike(s.workers(arena.ports[0])[arena.ports[0], 1], signal.SIGKILL)
        for c in idle[1:]:
            assert c.get().status == 200, "an idle connection was closed by the wall clock"
    arena.check_load(load, [death])
    now = sorted([*s.workers().values(), *s.keyholders().values()])
    assert len(set(pids) - set(now)) == 1 and children
    days = {line.split()[0] for line in s.log().splitlines() if re.match(r"\d{4}-", line)}
    assert len(days) == 3, days  # it did jump
    arena.tell(days_in_the_log=len(days))


# --- the log -----------------------------------------------------------------------------------

READER = """
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("ready", flush=True)
while True:
    s.recv(65536)
"""


def fill(path):
    """The queue of an unread socket is bounded, whoever sends to it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.connect(str(path))
        s.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                s.send(b"<30>storm: filling")


@storm("log")
def log(arena):
    """the socket of the log's daemon is full, its reader stopped, its daemon gone: requests go on"""
    path = arena.folder / "log.sock"
    seconds, figures = arena.seconds(0.5, 5), {}

    def phase(name, s):
        with arena.load() as load:
            time.sleep(seconds)
        arena.check_load(load)
        for port in arena.ports:
            assert load.failed(port) == 0
        figures[name] = round(arena.figures["p99_ms"], 1)
        assert s.process.poll() is None

    reader = subprocess.Popen([sys.executable, "-c", READER, str(path)], stdout=subprocess.PIPE)
    try:
        reader.stdout.readline()
        s = arena.four(log=f'access log on\nlog to syslog path "{path}"\nlog to console\n')
        phase("read", s)
        reader.send_signal(signal.SIGSTOP)
        fill(path)
        phase("stopped", s)
        reader.send_signal(signal.SIGCONT)
    finally:
        reader.kill()
        reader.wait()
    phase("gone", s)
    path.unlink()
    phase("removed", s)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as full:
        full.bind(str(path))  # a pipe that nobody reads
        fill(path)
        phase("full", s)
        full.settimeout(TIMEOUT)
        # The server reports the lost records as soon as there is room again: so the queue was
        # full.
        wait_for(lambda: b"records were dropped" in full.recv(65536), "being told of the losses")
        arena.check_serving(s)
    arena.tell(p99_ms=max(figures.values()), p99=str(figures))


# --- leftovers ---------------------------------------------------------------------------------


def holdings(s):
    """The master's resources in a form that can be compared: descriptors by kind, mappings,
    children, the size of its data segments, and its anonymous memory in use.

    The last two show the heap: VmData grows when the heap is extended, RssAnon when a page is first
    written. Neither shrinks by itself. A process that frees all its allocations reuses the same
    chunks, so both stay constant after the first cycles; a leak of a hundred bytes a cycle moves
    RssAnon every forty cycles."""
    kinds = {}
    for what in descriptors_of(s.pid).values():
        what = re.sub(r"\d+|\(deleted\)", "", what)
        kinds[what] = kinds.get(what, 0) + 1
    status = status_of(s.pid)
    maps = pathlib.Path(f"/proc/{s.pid}/maps").read_text(errors="replace").splitlines()
    memory = {} if sanitized() else {
        "mappings": len(maps), "VmData": status["VmData"], "RssAnon": status["RssAnon"]}
    return {"descriptors": kinds, **memory, "zombies": len(s.zombies()),
            "children": len(s.workers()) + len(s.keyholders())}


@storm("leftovers")
def leftovers(arena):
    """after thousands of deaths the master holds what it held before, to the page"""
    s = arena.four(f"workers 2 keyholders 2 {HELLO}")
    port = arena.ports[0]
    places = [("worker", 1), ("keyholder", 1), ("worker", 2), ("keyholder", 2)]
    done = [0]

    def replaced(role, place, old):
        pid = s.children(role, port).get((port, place), old)
        return pid != old and f"{role} {place} (pid {pid}) is ready" in end_of(s.log_path)

    def cycle(number):
        """One process after the other, and waits for each, so that all cycles are alike."""
        for role, place in places:
            pid = s.children(role, port)[port, place]
            os.kill(pid, number)
            wait_for(lambda: replaced(role, place, pid), f"another {role} {place}")
        done[0] += len(places)

    def settle(number, cycles):
        for _ in range(cycles):
            cycle(number)
        return holdings(s)

    settle(signal.SIGKILL, arena_cycles(arena, 10, 50))  # warms up: buffers take their final size
    before = settle(signal.SIGKILL, 1)
    for _ in range(3):
        after = settle(signal.SIGKILL, arena_cycles(arena, 5, 400))
        assert after == before, f"\n{before}\n{after}"
    assert get(port).status == 200
    arena.tell(deaths=done[0], **{k: v for k, v in after.items() if k != "descriptors"},
               descriptors=sum(after["descriptors"].values()))


def end_of(path, size=8192):
    with open(path, "rb") as f:
        f.seek(max(0, path.stat().st_size - size))
        return f.read().decode(errors="replace")


def arena_cycles(arena, short, long):
    return long if not arena.short else short
