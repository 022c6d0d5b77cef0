"""Allocations that fail at random, in the master (fiu-run) and in its children (scarce.c)."""
import contextlib
import os
import re
import signal
import time

from arena import have, need, sanitized, tool, wait_for
from table import storm

STARTS = 50


def titled(s):
    """Has every port processes that are found by their titles? A process that lacked memory for one
    keeps its arguments."""
    return all(len({port for port, _ in found}) == 4 for found in (s.workers(), s.keyholders()))


def begun(arena, **options):
    """A server that has started, and the number of attempts that failed. Before it is confined
    a master may end in any way: libseccomp without memory frees twice, builds a filter that
    kills the process, or loops until an alarm ends it. After that the only permitted failure is
    a port that cannot be served."""
    for attempt in range(STARTS):
        s = arena.four(wait=None, args=("-v",), **options)
        wait_for(lambda: s.process.poll() is not None or re.search(
            r"ports? (is|are) served|no port can be served", s.log()), "a start, or its end",
                 timeout=120)  # a child that loops in libseccomp has half a minute
        if "all 4 ports are served" in s.log() and titled(s):
            return s, attempt
        s.cleanup()
        assert s.process.returncode in (0, 1) or "[MASTER] confined: " not in s.log(), s.process.returncode
    raise AssertionError(f"not one of {STARTS} starts has come to its end")


def scarcity(arena, seconds, **options):
    need(not sanitized(), "a build without sanitizers, which have allocators of their own")
    s, attempts = begun(arena, **options)
    end, deaths = time.monotonic() + seconds, 0
    with arena.load(rate=20) as load:
        while time.monotonic() < end:
            for role in ("worker", "keyholder"):
                for pid in s.children(role, arena.ports[0]).values():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                        deaths += 1
                time.sleep(0.2)
                assert s.process.poll() is None, "the master has ended"
    for port in arena.ports:  # every port may lack memory, but no client is refused
        assert load.failed(port, "refused") == 0
    arena.check_serving(s)
    assert "PARKED" not in s.log()
    arena.tell(deaths=deaths, starts_that_ended=attempts, refused=0,
               requests=sum(load.ports[p]["requests"] for p in arena.ports),
               failed=sum(load.failed(p) for p in arena.ports),
               lacks=len(re.findall(r"cannot be started: |emory", s.log())))


@storm("malloc-master")
def malloc_master(arena):
    """malloc, calloc and realloc fail in the master, from start, one in a thousand (fiu-run)"""
    need(have("fiu-run"), "fiu-run (fiu-utils)")
    scarcity(arena, arena.seconds(2, 20), wrapper=(
        "fiu-run", "-x", "-f", "", "-c", "enable_random name=libc/mm/*,probability=0.001"))


@storm("malloc-children")
def malloc_children(arena):
    """the same in all processes, one in 10,000: workers die and are replaced"""
    scarcity(arena, arena.seconds(2, 20), env={"LD_PRELOAD": tool("scarce.so")})
