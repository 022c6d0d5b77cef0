"""The soak of a gateway: everything at once, for minutes, and afterwards nothing may be left."""
import collections
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from arena import BINARY, HELLO, NEVER_PARK, TIMEOUT, descriptors_of, gone, need, sanitized, status_of, wait_for
from arena import free_ports, monotonic
from name_server import A, NameServer, with_files
from operations import ctl
from soak_clients import Client
from table import storm

ROLES = ("worker", "connector", "resolver", "keyholder")
TIMES = "timeouts { connect 5s; head 700ms; between 700ms } fail after 3 pause 200ms keep 8 for 1s"
# Every connection that is served badly is one that the allocator, GnuTLS and the quarantine of a sanitizer may
# place anew, so the memory of a process that leaks nothing still moves; a leak moves on. Between two halves of
# the same length, after a warm-up that was longer than both, that is so much at most.
BOUND_KB = {"": 1024, "asan": 8192, "tsan": 16384}
# The quarantine keeps what was freed: a small one is full before the first measurement.
SANITIZERS = {"ASAN_OPTIONS": "quarantine_size_mb=4:thread_local_quarantine_size_kb=64"}


class Upstream:
    """The process of an upstream (soak_upstream.py)."""

    def __init__(self, soak, place, tls=()):
        self.argv = [sys.executable, str(pathlib.Path(__file__).with_name("soak_upstream.py")),
                     str(soak.unclean), str(place), *map(str, tls)]
        self.log = open(soak.arena.folder / "upstreams.log", "ab")
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def end(self):
        self.process.kill()
        self.process.wait()


class Soak:
    """Two ports that are gateways, one with TLS and one without, and two that are not."""

    def __init__(self, arena, stack):
        self.arena, self.random, self.stack = arena, arena.random, stack
        self.done, self.version = collections.Counter(), 0
        self.alone = threading.Lock()
        self.open = pathlib.Path(tempfile.mkdtemp(prefix="bulkhead-soak-"))
        stack.callback(shutil.rmtree, self.open)
        self.open.chmod(0o755)
        self.unclean = arena.folder / "unclean"
        self.unclean.touch()
        certificate, key = arena.certificates()
        self.own = arena.certificates("other")  # what the gateway shows
        nobody = stack.enter_context(socket.socket())  # has that port, and does not listen
        nobody.bind(("127.0.0.1", 0))
        self.upstream_ports = [p for p in free_ports(9) if p not in arena.ports][:5] + [nobody.getsockname()[1]]
        a, b, secure, named, steady, _ = self.upstream_ports
        self.upstreams = {"plain": Upstream(self, a), "plain 2": Upstream(self, b),
                          "secure": Upstream(self, secure, (certificate, key, self.own[0])),
                          "unix": Upstream(self, self.open / "unix.sock"), "named": Upstream(self, named),
                          "steady": Upstream(self, steady)}
        for u in self.upstreams.values():
            stack.callback(u.end)
        ns = stack.enter_context(NameServer(named_test=[(A, 1, "127.0.0.1")]))
        arena.plain.update(arena.ports[1::2])
        self.gateways, self.others = arena.ports[:2], arena.ports[2:]
        self.server = arena.serve(self.text(), env=SANITIZERS,
                                  wrapper=with_files(self.open, f"nameserver 127.0.0.1:{ns.port}\n"))

    def text(self):
        a, b, secure, named, steady, none = self.upstream_ports
        more = f'"http://127.0.0.1:{none}"' * (self.version % 3 == 2)  # nobody listens there
        gateway = (
            f'workers 2 limits {{ lag 0 body 64M requests 1000000 }} header set "X-Version" "{self.version}"\n'
            f'upstream "plain" {{ to "http://127.0.0.1:{a}" "http://127.0.0.1:{b}" {more} {TIMES}\n'
            f'check "/health" every 300ms balance least-connections connections 12 queue 8 for 500ms }}\n'
            f'upstream "secure" {{ to "https://127.0.0.1:{secure}" {TIMES} check connect every 500ms\n'
            f'verify authority "{self.arena.certificates()[0]}" certificate "{self.own[0]}" key "{self.own[1]}" }}\n'
            f'upstream "unix" {{ to "unix:{self.open}/unix.sock" {TIMES} }}\n'
            f'upstream "named" {{ to "http://named.test:{named}" {TIMES} slow start 500ms check "/health" every 300ms }}\n'
            f'upstream "steady" {{ to "http://127.0.0.1:{steady}" keep 8 for 1s timeouts {{ connect 20s }} }}\n' +
            "".join(f'location "/{name}" {{ proxy to "{name}" {{ path strip "/{name}" }} }}\n'
                    for name in ("plain", "secure", "unix", "named", "steady")) +
            f'location "/" {{ {HELLO} }}')
        return (f'control "{self.arena.folder}/control.sock"\naccess log off\n{NEVER_PARK}' +
                self.arena.certificates.tls() + "".join(
                    f"port {p} {{ {'tls off' * (p in self.arena.plain)} listen on 127.0.0.1\n"
                    f"{gateway if p in self.gateways else HELLO} }}\n" for p in self.arena.ports))

    # --- what is done to it ---

    def kill(self):
        """A process of a gateway."""
        role = self.random.choice(ROLES)
        with self.alone:
            found = self.server.children(role, self.random.choice(self.gateways))
            if found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.random.choice(list(found.values())), signal.SIGKILL)
                    self.done[f"{role} killed"] += 1

    def strike_upstream(self):
        """It is killed and comes back, or stops for a while: silence, with a queue of connections."""
        what = self.random.choice(["kill", "kill", "stop"])
        u = self.upstreams[self.random.choice([n for n in self.upstreams if n != "steady"])]
        if what == "stop":
            u.process.send_signal(signal.SIGSTOP)
            time.sleep(1)
            u.process.send_signal(signal.SIGCONT)
        else:
            u.end()
            time.sleep(self.random.random() / 2)
            u.start()
        self.done[f"upstream {'stopped' if what == 'stop' else 'killed'}"] += 1

    def operate(self):
        """An order of an operator. While processes are killed, a reload or an upgrade may be refused, since its new
        processes do not get ready; so most orders have the server for themselves, and then are carried out."""
        what = self.random.choice(["reload", "reload", "broken", "upgrade", "order"])
        if what == "order":
            self.order()
        elif self.random.random() < 0.3:
            self.change(what, alone=False)
        else:
            with self.alone:
                self.change(what)

    def order(self):
        url = f"http://127.0.0.1:{self.random.choice(self.upstream_ports[:2])}"
        port = self.random.choice(self.gateways)
        for order in (self.random.choice(["drain", "down"]), "up"):
            ctl(self.arena, "upstream", port, url, order)
        self.done["orders"] += 1

    def change(self, what, alone=True):
        self.version += what == "reload"
        self.server.config.write_text("port 0 { respnod }\n" if what == "broken" else self.text())
        end = time.monotonic() + 4 * TIMEOUT
        while True:
            done = subprocess.run([BINARY.parent / "bulkheadctl", "-s", self.arena.folder / "control.sock",
                                   "upgrade" if what == "upgrade" else "reload"], capture_output=True, text=True,
                                  timeout=4 * TIMEOUT)
            if (done.returncode == 0) != (what == "broken"):
                break
            if not alone:
                what = f"refused {what}"
                break
            assert time.monotonic() < end, done  # what was killed before has been replaced by then
            time.sleep(0.2)
        self.server.config.write_text(self.text())
        self.done[f"{what} reloads" if what == "broken" else f"{what}s"] += 1

    def disturb(self, act, every, seconds):
        """In a thread of its own; yields the errors that it met."""
        errors, end = [], time.monotonic() + seconds

        def run():
            try:
                while time.monotonic() < end:
                    act()
                    time.sleep(every * (0.5 + self.random.random()))
            except BaseException as e:
                errors.append(e)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread, errors

    # --- load ---

    def load(self, seconds, *disturbances, steady=False):
        """All clients and these disturbances; afterwards nothing is under way. steady: none of the
        disturbances concerns what steady clients ask for, so none of their requests fails."""
        ports = [(p, p in self.arena.plain) for p in self.gateways]
        clients = [Client(ports, self.random.random()) for _ in range(16)] + \
            [Client(ports, self.random.random(), steady=True) for _ in range(2)]
        with self.arena.load(ports=self.others, rate=20) as others:
            for c in clients:
                c.start()
            threads = [self.disturb(act, every, seconds) for act, every in disturbances]
            if not threads:
                time.sleep(seconds)
            for thread, errors in threads:
                thread.join()
            for c in clients:
                c.stop.set()
            for c in clients:
                c.join(4 * TIMEOUT)
                assert not c.is_alive(), "a client does not come to its end"
        for thread, errors in threads:
            if errors:
                raise errors[0]
        wrong = [w for c in clients for w in c.wrong]
        assert not wrong, f"{len(wrong)} times, such as {wrong[:5]}"
        assert not (unclean := self.unclean.read_text()), f"upstream: {unclean[:2000]}"
        for port in self.others:
            assert others.failed(port) == 0, f"port {port}: {others.ports[port]['failures'][:3]}"
            self.done["requests elsewhere"] += others.ports[port]["requests"]
        for c in clients:
            for how, count in c.ended.items():
                self.done[f"{'steady ' * c.steady}{how}"] += count
        failures = [f for c in clients for f in c.failures]
        assert not failures or not steady, f"{len(failures)} steady requests failed: {failures[:3]}"
        self.quiet()

    # --- afterwards ---

    def under_way(self):
        """What is not at rest, or not as it should be: {} at last."""
        status = json.loads(ctl(self.arena, "status", "--json"))
        busy = {key: status[key] for key in ("reloading", "upgrading") if status[key]}
        for p in status["ports"]:
            found = {"state": p["state"] if p["state"] != "serving" else 0, "connections": p["connections"],
                     "draining": len(p["draining"]),
                     "workers": [w for w in p["workers"] if w["state"] != "serving"],
                     "wanted": p["workers_wanted"] - len(p["workers"])}
            for u in p.get("upstreams", []):
                found |= {f"{u['name']} {key}": u[key] for key in ("queued", "tunnels")}
                for e in u["endpoints"]:
                    found |= {f"{e['url']} {key}": e[key] for key in ("active", "idle")}
            busy |= {f"port {p['port']} {key}": value for key, value in found.items() if value}
        return busy

    def quiet(self):
        """No client is there: then nothing is open, waits or drains, and all serve."""
        end = time.monotonic() + 4 * TIMEOUT
        while busy := self.under_way():
            assert time.monotonic() < end, f"all load has ended, but: {busy}"
            time.sleep(0.2)
        assert self.server.process.poll() is None, "the master has ended"
        self.server.wait_reaped()

    def holdings(self):
        """{(role, port, number): (pid, descriptors by kind, KB of anonymous memory)}. Checks and questions for
        names go on, so of several looks the least counts: what is left behind is there every time."""
        found = {("master", 0, 0): self.server.pid}
        for role in ROLES:
            found |= {(role, *place): pid for place, pid in self.server.children(role).items()}
        least = {}
        for _ in range(20):
            for place, pid in found.items():
                kinds = collections.Counter(re.sub(r"\d+|\(deleted\)", "", what)
                                            for what in descriptors_of(pid).values())
                least[place] = least.get(place, kinds) & kinds
            time.sleep(0.05)
        return {place: (pid, least[place], int(status_of(pid)["RssAnon"].split()[0])) for place, pid in found.items()}

    def same(self, before, after, where=lambda place: True):
        """Descriptors are equal, and memory has not grown beyond the bound; the most of each role."""
        grown = {}
        for place, (pid, kinds, kb) in before.items():
            if not where(place):
                continue
            now_pid, now_kinds, now_kb = after[place]
            name = " ".join(map(str, place))
            assert now_pid == pid, f"{name} is another process, of itself"
            assert now_kinds == kinds, f"{name} had {dict(kinds)} and has {dict(now_kinds)}"
            grown[place[0]] = max(grown.get(place[0], now_kb - kb), now_kb - kb)
        assert set(before) == set(after), f"other processes: {set(before) ^ set(after)}"
        bound = BOUND_KB[sanitized()]
        assert max(grown.values()) <= bound, f"memory grew by KB {grown}, more than {bound}"
        return grown

    def requests(self):
        return sum(p["counters"]["requests"] for p in json.loads(ctl(self.arena, "status", "--json"))["ports"])

    def fresh(self, worn):
        """New processes of all roles have the same descriptors as those that have worked."""
        for port in self.gateways:
            ctl(self.arena, "restart", port)
        self.quiet()
        for place, (pid, kinds, _) in self.holdings().items():
            if place[0] != "master" and place[1] in self.gateways:
                assert pid != worn[place][0], f"{place} was not replaced"
                assert kinds == worn[place][1], f"{place} begins with {dict(kinds)}, and had {dict(worn[place][1])}"


@storm("gateway-soak", short=False)
def gateway_soak(arena):
    """clients and upstreams that do everything wrong, kills, reloads and upgrades: afterwards nothing is left"""
    need(os.geteuid() == 0 and shutil.which("unshare"), "root and unshare")
    ended = r".*(?:crashed|watchdog|sandbox for|lack of memory \(|exited with).*"
    seconds = arena.soak_seconds
    with contextlib.ExitStack() as stack:
        soak = Soak(arena, stack)
        all_of_it = ((soak.kill, 0.4), (soak.strike_upstream, 1), (soak.operate, 1))
        begun = monotonic()
        soak.load(seconds * 0.2, *all_of_it)
        soak.change("reload")
        soak.quiet()
        master = soak.holdings()
        soak.load(seconds * 0.4, *all_of_it)
        soak.change("reload")
        soak.quiet()
        memory = soak.same(master, soak.holdings(), lambda place: place[0] == "master")
        # From now on the same processes live on, and nothing concerns the upstream "steady".
        soak.load(seconds * 0.2, (soak.strike_upstream, 1), steady=True)
        before, first = soak.holdings(), soak.requests()
        soak.load(seconds * 0.2, (soak.strike_upstream, 1), steady=True)
        worn = soak.holdings()
        memory |= soak.same(before, worn)
        worn_requests = soak.requests() - first
        soak.fresh(worn)
        lasted = monotonic() - begun
        assert soak.server.stop(timeout=4 * TIMEOUT) == 0, "the server did not stop in order"
    found = [line for line in re.findall(ended, soak.server.log()) if "SIGKILL" not in line]
    assert not found, found[:5]
    arena.tell(lasted_s=round(lasted), **{k.replace(" ", "_"): v for k, v in sorted(soak.done.items())},
               worn_requests=worn_requests, **{f"{role}_grew_kb": kb for role, kb in memory.items()},
               bound_kb=BOUND_KB[sanitized()])
