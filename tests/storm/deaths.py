"""Processes of one of four ports are ended again and again, from outside."""
import signal
import time

from arena import NEVER_PARK, HELLO, need, sanitized, wait_for
from table import storm

RATE = 10


def by_signal(arena, number, pool, role="worker", short=2, plain=(3,)):
    s = arena.four(f"workers {pool} {HELLO}", plain=plain)
    arena.measure_quiet(arena.seconds(1, 5))
    with arena.load() as load:
        deaths = arena.strikes(s, number, arena.seconds(short, 30), RATE, role)
    arena.check_load(load, deaths if role == "worker" else [])
    arena.check_serving(s)
    wait_for(lambda: len(s.workers(arena.ports[0])) == pool, "the whole pool")
    assert "PARKED" not in s.log()
    arena.tell(deaths=len(deaths))


@storm("kill", pools=(1, 4), short=(1, 4))
def kill(arena, pool):
    """kill -9, ten a second"""
    by_signal(arena, signal.SIGKILL, pool, short=3)


@storm("kill-plain", pools=(1, 4), short=(1,))
def kill_plain(arena, pool):
    """kill -9, ten a second, on a port without TLS"""
    by_signal(arena, signal.SIGKILL, pool, plain=(0, 3))


@storm("segv", pools=(1, 4), short=(4,))
def segv(arena, pool):
    """SIGSEGV from outside, ten a second"""
    need(not sanitized(), "a build without sanitizers, which take this signal for their own")
    by_signal(arena, signal.SIGSEGV, pool)


@storm("abrt", pools=(1, 4), short=(1,))
def abrt(arena, pool):
    """SIGABRT from outside, ten a second"""
    need(not sanitized(), "a build without sanitizers, which take this signal for their own")
    by_signal(arena, signal.SIGABRT, pool)


@storm("keyholder-kill", pools=(1, 4), short=(1,))
def keyholder_kill(arena, pool):
    """kill -9 of keyholders, ten a second: not even handshakes fail"""
    by_signal(arena, signal.SIGKILL, pool, role="keyholder")
