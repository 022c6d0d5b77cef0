"""Clients that hold connections without using them."""
import json
import re
import subprocess

from arena import sanitized, tool, wait_for
from table import storm

KINDS = {"hello": "handshake-timeout", "idle": "idle", "head": "head-timeout",
         "body": "body-timeout", "read": "write-timeout"}


def slow_clients(arena, count, limit):
    """As many of each kind; the port is the same as that of the normal clients."""
    limits = " ".join(f"{name} {limit}s" for name in KINDS.values())
    s = arena.four(f"limits {{ {limits} body 1G }} echo", args=["-v"])
    arena.measure_quiet(arena.seconds(1, 5))
    each = count // len(KINDS)
    with arena.load() as load:
        slow = subprocess.Popen([tool("slow"), "600", str(arena.ports[0]),
                                 *(f"{kind}={each}" for kind in KINDS)], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True)
        at_once = json.loads(slow.stdout.readline())["open"]
        kinds = json.loads(slow.stdout.readline())  # when the last of them was closed
        slow.communicate()
    arena.check_load(load)
    for kind, name in KINDS.items():
        told = kinds[kind]
        assert told["not_begun"] == 0 and told["closed"] == told["begun"] == each, (kind, told)
        # The server's log agrees: the deadline closed each of them, and no other connection.
        wait_for(lambda: len(re.findall(rf"has reached its {name} limit", s.log())) >= each, name)
        assert len(re.findall(rf"has reached its {name} limit", s.log())) == each
    assert kinds["head"]["answered"] == each
    arena.check_serving(s)
    arena.tell(slow=count, at_once=at_once)


@storm("slow-500")
def slow_500(arena):
    """500 slow clients of five kinds beside normal ones on the same port, which do not notice"""
    slow_clients(arena, 100 if sanitized() else 500, 3)


@storm("slow-5000", short=False)
def slow_5000(arena):
    """5,000 of them"""
    slow_clients(arena, 5000, 20)
