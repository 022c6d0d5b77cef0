"""A port is a gateway, and its connector or an upstream fails: other ports, and other locations of
the same port, do not notice."""
import contextlib
import os
import signal
import socket
import threading
import time

from arena import HELLO, NEVER_PARK, Load, free_ports, get, gone, wait_for
from table import storm

UPSTREAM = 'port {0} {{ listen on 127.0.0.1 tls off limits {{ idle 1h }} respond 200 "Hello, world!\\n" }}\n'


class Gateway:
    """Four ports, the first of which has a location of its own, and the location /api in front of an
    upstream; /new is the same with a new connection for each request, /well another upstream."""

    def __init__(self, arena, options="", port=0):
        self.arena, self.port = arena, port or free_ports(1)[0]
        self.well = free_ports(1)[0]
        self.upstream = None if port else self.start(self.port)
        self.start(self.well)
        self.server = arena.four(
            f'upstream "api" {{ to "http://127.0.0.1:{self.port}" {options} }}\n'
            f'upstream "new" {{ to "http://127.0.0.1:{self.port}" keep off {options} }}\n'
            f'location "/" {{ {HELLO} }} location "/api" {{ proxy to "api" }} '
            f'location "/new" {{ proxy to "new" }} '
            f'location "/well" {{ proxy to "http://127.0.0.1:{self.well}" }}', plain=(3,))

    def start(self, port):
        return self.arena.serve("access log off\n" + NEVER_PARK + UPSTREAM.format(port))

    def load(self, path, rate=40):
        return Load([f"{self.arena.ports[0]}:4:keepalive=4:rate={rate}:path={path}"], 600)

    @contextlib.contextmanager
    def loads(self, *paths):
        """On all four ports, and on each of these locations; yields the load of each."""
        with contextlib.ExitStack() as stack:
            loads = {"": stack.enter_context(self.arena.load())}
            for path in paths:
                loads[path] = stack.enter_context(self.load(path))
            yield loads

    def check(self, loads, *paths):
        """No request failed, neither of all four ports nor of these locations."""
        port = self.arena.ports[0]
        self.arena.check_load(loads[""], hit=port)
        for path in ("", *paths):
            assert loads[path].failed(port) == 0, f"{path}: {loads[path].ports[port]['failures'][:3]}"
            assert loads[path].ports[port]["served"] > 0
        self.arena.check_serving(self.server)
        assert "PARKED" not in self.server.log()


@storm("connector-kill")
def connector_kill(arena):
    """kill -9 of the connector, ten a second, 300 times: not even requests that need a new connection fail"""
    g = Gateway(arena, "timeouts { connect 20s }")
    arena.measure_quiet(arena.seconds(1, 5))
    with g.loads("/api", "/new", "/well") as loads:
        deaths = arena.strikes(g.server, signal.SIGKILL, arena.seconds(3, 30), role="connector",
                               least=1 if arena.short else 300)
    g.check(loads, "/api", "/new", "/well")
    arena.tell(deaths=len(deaths))


@storm("upstream-kill")
def upstream_kill(arena):
    """an upstream is killed and started again: only requests for it fail, and none afterwards"""
    g = Gateway(arena, "fail after 3 pause 100ms")
    arena.measure_quiet(arena.seconds(1, 5))
    kills, end = 0, time.monotonic() + arena.seconds(3, 30)
    with g.loads("/api", "/new", "/well") as loads:
        while time.monotonic() < end:
            g.upstream.process.send_signal(signal.SIGKILL)
            g.upstream.process.wait()
            for pid in g.upstream.children("worker", g.port).values():
                wait_for(lambda: gone(pid), "the end of the upstream")
            time.sleep(0.2)
            g.upstream = g.start(g.port)
            kills += 1
            time.sleep(0.3)
    g.check(loads, "/well")
    for path in "/api", "/new":
        assert loads[path].failed(arena.ports[0], "refused", "reset", "closed", "timeout", "tls", "malformed") == 0, \
            f"{path}: {loads[path].ports[arena.ports[0]]['failures'][:3]}"
        wait_for(lambda: get(arena.ports[0], path).status == 200, f"{path} again")
    arena.tell(deaths=kills, failed_hit=loads["/api"].failed(arena.ports[0]))


@storm("upstream-silent")
def upstream_silent(arena):
    """an upstream takes requests and does not answer: only requests for it fail, by 504 and 503"""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as silent:
        kept, stop = [], threading.Event()

        def accept():
            silent.settimeout(0.1)
            while not stop.is_set():
                with contextlib.suppress(OSError):
                    kept.append(silent.accept()[0])

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            g = Gateway(arena, "timeouts { head 300ms } connections 8 queue 4 for 200ms fail off",
                        port=silent.getsockname()[1])
            arena.measure_quiet(arena.seconds(1, 5))
            with g.loads("/api", "/new", "/well") as loads:
                time.sleep(arena.seconds(3, 30))
        finally:
            stop.set()
            thread.join()
            for s in kept:
                s.close()
        g.check(loads, "/well")
        for path in "/api", "/new":
            report = loads[path].ports[arena.ports[0]]
            assert report["served"] == 0
            assert loads[path].failed(arena.ports[0], "status") == loads[path].failed(arena.ports[0]) > 0, \
                report["failures"][:3]
        assert os.path.exists(f"/proc/{g.server.pid}")
        arena.tell(failed_hit=loads["/api"].failed(arena.ports[0]))
