"""The parts of a storm: a server with four ports, load on all of them, and the checks."""
import contextlib
import json
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

from harness import (BINARY, TIMEOUT, Certificates, Connection, Server, descriptor_of,  # noqa: E402
                     descriptors_of, free_ports, get, have, refused, sanitized, status_of, traced,
                     wait_for)

TOOLS = BINARY.parent / "storm"
HELLO = 'respond 200 "Hello, world!\\n"'
# At ten deaths a second every death is a quick one. So there is hardly any backoff, and a
# window of 10 ms, in which 64 deaths never happen, so that the port is not parked.
NEVER_PARK = "restart { backoff 1ms to 1ms; park after 64 in 10ms }\n"
FAILURES = ("refused", "connect-timeout", "connect", "reset", "closed", "timeout", "tls", "status",
            "malformed")


class Skip(Exception):
    """The storm cannot run here; the message says why."""


def need(condition, what):
    if not condition:
        raise Skip(f"needs {what}")


def tool(name):
    path = TOOLS / name
    need(path.exists(), f"{path} (make storm-build)")
    return str(path)


def monotonic():
    return time.clock_gettime(time.CLOCK_MONOTONIC)


class Load:
    """tests/storm/load.c, for as long as the block lasts; then .ports holds its report."""

    def __init__(self, specs, seconds):
        self.process = subprocess.Popen([tool("load"), str(seconds), *map(str, specs)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ports = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        out, _ = self.process.communicate()  # the end of its standard input ends it
        assert self.process.returncode == 0, "the load could not be made"
        self.ports = {int(port): result for port, result in json.loads(out).items()}

    def failed(self, port, *kinds):
        return sum(self.ports[port]["failed"][kind] for kind in kinds or FAILURES)


class Death:
    """A disturbance of a port: its beginning and end, and the clients (by port number) whose
    requests were inside then; None where they are unknown."""

    def __init__(self, begun, ended, clients=None):
        self.begun, self.ended, self.clients = begun, ended, clients

    def explains(self, failure):
        if self.clients is not None and failure["local_port"] not in self.clients:
            return False
        return failure["connected"] <= self.ended and failure["ended"] >= self.begun


def clients_in(pid):
    """The port numbers of the clients whose connections a (stopped) process has accepted."""
    found = set()
    for number in os.listdir(f"/proc/{pid}/fd"):
        if not os.readlink(f"/proc/{pid}/fd/{number}").startswith("socket:"):
            continue
        with contextlib.suppress(OSError), socket.socket(fileno=descriptor_of(pid, int(number))) \
                as s:
            if s.family in (socket.AF_INET, socket.AF_INET6):
                found.add(s.getpeername()[1])
    return found


def state_of(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace").rsplit(")", 1)[1].split()[0]
    return "Z"


def gone(pid):
    return state_of(pid) in "ZX"


def cpu_ms(pid):
    return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text(errors="replace").split()[0]) / 1e6


class Arena:
    """Everything that one storm needs. `short` is the form that scripts/check runs."""

    def __init__(self, folder, short, soak_seconds=600):
        self.folder, self.short, self.soak_seconds = pathlib.Path(folder), short, soak_seconds
        self.certificates = Certificates(self.folder)
        self.ports, self.plain = free_ports(4), set()  # plain: those of them without TLS
        self.servers, self.figures, self.random = [], {}, random.Random(7)
        self.quiet = None

    def seconds(self, short, long):
        """A length; shorter in builds where everything is slower."""
        return long if not self.short else short / 2 if sanitized() else short

    def tell(self, **figures):
        """The entry of the storm in the table."""
        self.figures.update(figures)

    # --- the server ---

    def serve(self, text, **options):
        s = Server(self.folder / f"server{len(self.servers)}", self.certificates, text, **options)
        self.servers.append(s)
        return s.start()

    def four(self, first="", top=NEVER_PARK, others=HELLO, log="access log off\n", plain=(), **options):
        """Four ports; the first is the one that is hit. plain: which of them are without TLS."""
        blocks = [first or HELLO] + [others] * 3
        for n in plain:
            blocks[n] = f"tls off {blocks[n]}"
            self.plain.add(self.ports[n])
        return self.serve(log + top + "".join(
            f"port {p} {{ listen on 127.0.0.1 {b} }}\n" for p, b in zip(self.ports, blocks)),
            **options)

    def cleanup(self):
        for s in self.servers:
            s.cleanup()

    def logs(self):
        return "\n".join(f"--- log of {s.folder.name} ---\n{tail(s.log())}" for s in self.servers)

    # --- load ---

    def load(self, clients=4, rate=40, seconds=600, keep=2, ports=None):
        """On every port, this number of clients with this number of requests a second in all;
        `keep` of them keep their connections, the others open one for each request."""
        return Load([f"{p}:{clients}:keepalive={keep}:rate={rate}" + ":plain" * (p in self.plain)
                     for p in ports or self.ports], seconds)

    def measure_quiet(self, seconds):
        """The same load on an undisturbed server, to compare p99 with."""
        with self.load() as load:
            time.sleep(seconds)
        for port in self.ports:
            assert load.failed(port) == 0, load.ports[port]["failures"][:3]
        self.quiet = max(load.ports[p]["p99_ms"] for p in self.ports[1:])

    def check_load(self, load, deaths=None, hit=None, tied=True):
        """The claim of every storm: no request failed on another port, no port refused a
        client, and each failure on the hit port was inside a process that was ended (unless not
        `tied`)."""
        hit = hit or self.ports[0]
        others = [p for p in load.ports if p != hit]
        for port in others:
            assert load.failed(port) == 0, f"on another port: {load.ports[port]['failures'][:3]}"
            assert load.ports[port]["served"] > 0
        for port in load.ports:
            assert load.failed(port, "refused") == 0, f"refused on port {port}"
        on_hit = load.ports.get(hit, {"failures": [], "clients": 0, "requests": 0})
        failures, deaths = on_hit["failures"], deaths or []
        stray = [f for f in failures if not any(d.explains(f) for d in deaths)]
        assert not stray or not tied, f"{len(stray)} failed outside of what was ended, such as {stray[0]}"
        exact = [d for d in deaths if d.clients is not None]
        allowed = sum(len(d.clients) for d in exact) + \
            on_hit["clients"] * (len(deaths) - len(exact))
        assert len(failures) <= allowed or not tied
        p99 = max((load.ports[p]["p99_ms"] for p in others), default=0)
        self.tell(requests_elsewhere=sum(load.ports[p]["requests"] for p in others),
                  failed_elsewhere=0, refused=0, requests_hit=on_hit["requests"],
                  failed_hit=len(failures), p99_ms=round(p99, 1))
        if tied:
            self.tell(in_flight=allowed, deaths=len(deaths))
        if self.quiet is not None:
            self.tell(p99_quiet_ms=round(self.quiet, 1), p99_ratio=round(p99 / self.quiet, 2))

    def check_serving(self, s, ports=None):
        """The master is the same process, and every port serves with all its processes."""
        assert s.process.poll() is None, "the master has ended"
        for port in ports or self.ports:
            end = time.monotonic() + TIMEOUT
            while True:
                with contextlib.suppress(OSError, EOFError):
                    assert get(port, plain=port in self.plain).status == 200
                    break
                assert time.monotonic() < end, f"port {port} does not serve"
                time.sleep(0.05)

    # --- what is done to it ---

    def victim(self, s, port, role="worker"):
        """A random process of that port; waits until there is one."""
        found = wait_for(lambda: s.children(role, port), f"a {role} of port {port}")
        return self.random.choice(sorted(found.values()))

    def strike(self, pid, number):
        """Sends a signal and records which clients were inside; None if the process had ended
        before."""
        begun, clients = monotonic(), None
        try:
            os.kill(pid, signal.SIGSTOP)  # it accepts no client between the look and its end
            if os.geteuid() == 0:
                wait_for(lambda: state_of(pid) in "TZX", "a stop")
                clients = clients_in(pid)
            os.kill(pid, number)
            if number != signal.SIGKILL:
                os.kill(pid, signal.SIGCONT)
            wait_for(lambda: gone(pid), f"the end of {pid}")
        except (ProcessLookupError, FileNotFoundError):
            return None
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)  # so that processes that wait for it continue
            raise
        return Death(begun, monotonic(), clients)

    def strikes(self, s, number, seconds, rate=10, role="worker", least=1):
        """This many a second on the first port; on a slow machine until there were `least`."""
        deaths, end, each = [], time.monotonic() + seconds, 1 / rate
        while time.monotonic() < end or len(deaths) < least:
            begun = time.monotonic()
            death = self.strike(self.victim(s, self.ports[0], role), number)
            if death:
                deaths.append(death)
            time.sleep(max(0.0, each - (time.monotonic() - begun)))
        return deaths


def tail(text, lines=30):
    all_lines = text.splitlines()
    return "\n".join(all_lines[-lines:])


__all__ = [name for name in dir() if not name.startswith("_")]
