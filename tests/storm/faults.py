"""One of four ports misbehaves by itself, on request: the faults of `fault control`, and
processes that the watchdog ends."""
import contextlib
import os
import signal
import subprocess
import time

from arena import BINARY, HELLO, NEVER_PARK, Connection, Death, clients_in, gone, monotonic, need, \
    sanitized, state_of, wait_for
from table import storm

WATCHDOG = "watchdog 3s\n"


def port_with_faults(pool, limits=""):
    return f'workers {pool} {limits} location "/" {{ {HELLO} }} ' \
           'location "/fault/" { fault control }'


def faults_or_skip(arena):
    conf = arena.folder / "probe.conf"
    conf.write_text(arena.certificates.tls() + "faults enabled\n"
                    f"port {arena.ports[0]} {{ {port_with_faults(1)} }}\n")
    result = subprocess.run([BINARY, "-t", "-f", conf], capture_output=True)
    need(result.returncode == 0, "a server with the fault module")


def by_request(arena, pool, path, rate=None, role="worker", short=2, limits=""):
    """Requests the fault again and again, each time until it has ended a process."""
    need(not sanitized(), "a build without sanitizers, which see such a fault as theirs")
    faults_or_skip(arena)
    s = arena.four(port_with_faults(pool, limits), top=NEVER_PARK + WATCHDOG + "faults enabled\n",
                   plain=(3,))
    arena.measure_quiet(arena.seconds(1, 5))
    port, deaths = arena.ports[0], []
    with arena.load() as load:
        end = time.monotonic() + arena.seconds(short, 30)
        while time.monotonic() < end:
            # Only on a port that has all its processes: otherwise the request may reach the
            # wrong one.
            wait_for(lambda: len(s.children("worker", port)) == pool, "the whole pool")
            pids, begun = set(s.children(role, port).values()), monotonic()
            with contextlib.suppress(OSError, EOFError), Connection(port) as c:
                c.get(f"/fault/{path}")
                wait_for(lambda: any(gone(pid) for pid in pids), f"a death by {path}")
            wait_for(lambda: any(gone(pid) for pid in pids), f"a death by {path}")
            deaths.append(Death(begun, monotonic()))
            if rate:
                time.sleep(max(0.0, 1 / rate - (monotonic() - begun)))
    arena.check_load(load, deaths if role == "worker" else [])
    arena.check_serving(s)
    wait_for(lambda: len(s.workers(port)) == pool, "the whole pool")
    assert "PARKED" not in s.log()
    arena.tell(deaths=len(deaths))


@storm("exit", pools=(1, 4), short=(4,))
def exits(arena, pool):
    """_exit in the middle of a request, ten a second"""
    by_request(arena, pool, "exit?status=3&when=during", 10)


@storm("crash", pools=(1, 4), short=(1,))
def crash(arena, pool):
    """a real null dereference, ten a second"""
    by_request(arena, pool, "crash?how=null", 10)


@storm("hang", pools=(1, 4), short=(1,))
def hang(arena, pool):
    """busy loops, which the watchdog (3 s) ends"""
    by_request(arena, pool, "hang?how=loop", short=3)


@storm("stop", pools=(1, 4), short=(4,))
def stop(arena, pool):
    """SIGSTOP from outside, which the watchdog (3 s) ends"""
    need(not sanitized(), "a build without sanitizers, which take its signal for their own")
    s = arena.four(f"workers {pool} {HELLO}", top=NEVER_PARK + WATCHDOG)
    arena.measure_quiet(arena.seconds(1, 5))
    deaths = []
    with arena.load() as load:
        end = time.monotonic() + arena.seconds(3, 30)
        while time.monotonic() < end:
            pid, begun = arena.victim(s, arena.ports[0]), monotonic()
            os.kill(pid, signal.SIGSTOP)
            wait_for(lambda: state_of(pid) in "TZX", "a stop")
            clients = clients_in(pid) if os.geteuid() == 0 else None
            wait_for(lambda: gone(pid), "the watchdog")
            deaths.append(Death(begun, monotonic(), clients))
    arena.check_load(load, deaths)
    arena.check_serving(s)


@storm("memory", pools=(1,), short=(1,))
def memory(arena, pool):
    """memory that grows to the port's limit"""
    by_request(arena, pool, "leak-memory?rate=256m", limits="limits { memory 128M }")


@storm("descriptors", pools=(1,), short=(1,))
def descriptors(arena, pool):
    """connections that end are not closed, until there are no descriptors left"""
    by_request(arena, pool, "leak-descriptors", limits="limits { connections 40 }")


@storm("keyholder-crash", pools=(1,), short=(1,))
def keyholder_crash(arena, pool):
    """a keyholder that crashes over the next signature: not even that handshake fails"""
    by_request(arena, pool, "keyholder?how=crash", 5, role="keyholder")
