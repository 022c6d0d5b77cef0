"""A port whose processes die before they serve: backoff, parking, and the effect on its
clients."""
import contextlib
import os
import re
import signal
import socket
import time

from arena import HELLO, cpu_ms, wait_for
from table import storm

POLICY = "restart {{ backoff 20ms to 200ms; park after 8 in 60s; while parked {} }}\n"


def kill_at_start(arena, s):
    """Kills every worker of the first port as soon as it appears, until the port is parked."""
    killed = set()

    def parked():
        for pid in s.workers(arena.ports[0]).values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
        return "PARKED" in s.log()

    wait_for(parked, "parking")
    return len(killed)


def crash_loop(arena, parked, clients):
    s = arena.four(top=POLICY.format(parked))
    port, others = arena.ports[0], arena.ports[1:]
    with arena.load(ports=others) as load:
        before, begun = cpu_ms(s.pid), time.monotonic()
        count = kill_at_start(arena, s)
        loop_ms, loop_s = cpu_ms(s.pid) - before, time.monotonic() - begun
        waits = [int(ms) for ms in re.findall(r"starting it again in (\d+)ms", s.log())]
        assert waits == [20, 40, 80, 160, 200, 200], waits
        wait_for(lambda: not s.children("worker", port) and not s.children("keyholder", port),
                 "the end of the port's processes")
        clients(port)
        before, seconds = cpu_ms(s.pid), arena.seconds(2, 10)
        time.sleep(seconds)
        idle_ms = cpu_ms(s.pid) - before
    arena.check_load(load, hit=port)
    arena.check_serving(s, others)
    arena.tell(deaths=count, master_ms=f"{loop_ms:.1f} in {loop_s:.1f} s of the loop",
               master_parked_ms=f"{idle_ms:.1f} in {seconds:.1f} s, parked")
    return s


def refused(port):
    for _ in range(20):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except ConnectionRefusedError:
            continue
        raise AssertionError("a parked port takes a connection")


@storm("parked-refuse")
def parked_refuse(arena):
    """a port whose workers die at their start, until it is parked; its clients are refused"""
    crash_loop(arena, "refuse", refused)


@storm("parked-queue")
def parked_queue(arena):
    """the same; its clients wait in the queue"""
    waiting = []

    def wait(port):
        for _ in range(20):
            c = socket.create_connection(("127.0.0.1", port), timeout=5)
            c.settimeout(0.05)
            waiting.append(c)
        for c in waiting:
            with contextlib.suppress(TimeoutError):
                raise AssertionError(f"not in the queue: {c.recv(1)!r}")

    try:
        crash_loop(arena, "queue", wait)
    finally:
        for c in waiting:
            c.close()


@storm("certificate")
def certificate(arena):
    """a port whose certificate does not fit its key: parked at once, the others are served"""
    ours, theirs = arena.certificates("ecdsa"), arena.certificates("other")
    top = POLICY.format("refuse") + arena.certificates.tls()
    s = arena.four(f'tls {{ certificate "{ours[0]}" key "{theirs[1]}" }} {HELLO}', top=top)
    s.wait_log(rf"\[PORT {arena.ports[0]}\] PARKED .*it cannot start as it is configured")
    with arena.load(ports=arena.ports[1:]) as load:
        refused(arena.ports[0])
        time.sleep(arena.seconds(1, 5))
    arena.check_load(load, hit=arena.ports[0])
    assert len(re.findall("status 78", s.log())) == 1
