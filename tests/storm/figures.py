"""Two figures that no storm gives: how long a port is unavailable, and how often an idle server
wakes."""
import os
import signal
import statistics
import time

from arena import HELLO, get, status_of
from table import storm


@storm("recovery")
def recovery(arena):
    """kill -9 of a port's only worker: the time to the next request that is served"""
    s, times = arena.four(HELLO, top=""), []
    port = arena.ports[0]
    for _ in range(2 if arena.short else 20):
        time.sleep(1.2)  # a worker that has lived for a second is replaced at once
        pid = s.workers(port)[port, 1]
        begun = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        while True:
            try:
                assert get(port).status == 200
                break
            except ConnectionRefusedError:
                raise AssertionError("a client was refused") from None
            except (OSError, EOFError):  # inside the one that was killed
                continue
        times.append((time.monotonic() - begun) * 1000)
    arena.tell(deaths=len(times), median_ms=round(statistics.median(times), 1),
               max_ms=round(max(times), 1), refused=0)


@storm("idle", short=False)
def idle(arena):
    """four ports with nothing to do: how often all processes together wake up"""
    s = arena.four(f"workers 4 {HELLO}")
    for port in arena.ports:
        assert get(port).status == 200
    seconds = arena.seconds(2, 60)
    time.sleep(2)  # the timers that earlier requests started

    def wakes():
        pids = [s.pid, *s.workers().values(), *s.keyholders().values()]
        return sum(int(status_of(pid)["voluntary_ctxt_switches"]) for pid in pids)

    before = wakes()
    time.sleep(seconds)
    arena.tell(wakes_a_minute=round((wakes() - before) * 60 / seconds, 1))
