"""What an operator does, under load: reloads, upgrades, one port stopped and started again."""
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time

from arena import BINARY, HELLO, get, need, refused, wait_for
from table import storm

RELOADED = r"reloaded: (\d+) kept, (\d+) changed, (\d+) new, (\d+) dropped"


def text_of(arena, versions):
    """The four ports, the second and fourth without TLS; another version makes a changed port."""
    arena.plain.update(arena.ports[1::2])
    blocks = [f"port {p} {{ {'tls off' if p in arena.plain else ''} listen on 127.0.0.1 workers 2 {HELLO} "
              f"header \"X-Version\" \"{versions.get(p, 0)}\" }}\n" for p in arena.ports]
    return arena.certificates.tls() + "access log off\n" + "".join(blocks)


def nothing_failed(arena, load, ports=None):
    for port in ports or arena.ports:
        assert load.failed(port) == 0, f"on port {port}: {load.ports[port]['failures'][:3]}"
        assert load.ports[port]["served"] > 0


def tell(arena, load, **figures):
    hit, others = arena.ports[0], arena.ports[1:]
    arena.tell(requests_elsewhere=sum(load.ports[p]["requests"] for p in others), failed_elsewhere=0,
               refused=0, requests_hit=load.ports[hit]["requests"],
               failed_hit=load.failed(hit),
               p99_ms=round(max(load.ports[p]["p99_ms"] for p in others), 1),
               longest_connect_ms=round(max(p["connect_max_ms"] for p in load.ports.values()), 1),
               announced=sum(p["announced"] for p in load.ports.values()),
               ended_idle=sum(p["ended_idle"] for p in load.ports.values()), **figures)


def unbroken(arena, load, ports):
    """On these ports the server has ended no connection."""
    for port in ports:
        assert load.ports[port]["announced"] == load.ports[port]["ended_idle"] == 0, load.ports[port]


def spread(arena, seconds, count, act):
    """Calls act(0), act(1), ... at even distances, each after the one before has ended."""
    begun = time.monotonic()
    for n in range(count):
        act(n)
        time.sleep(max(0.0, begun + (n + 1) * seconds / count - time.monotonic()))


@storm("reload")
def reload(arena):
    """one port changed in every reload, a broken configuration between; the others do not notice"""
    versions = {}
    s = arena.serve(text_of(arena, versions))
    keep = arena.ports[2:]  # never changed: their processes and connections go on
    before = {p: {**s.workers(p), **{("k", *k): v for k, v in s.keyholders(p).items()}}
              for p in keep}
    count = 8 if arena.short else 50

    def act(n):
        good = len(re.findall(RELOADED, s.log()))
        if n % 5 == 4:
            bad = s.log().count("nothing has changed")
            s.config.write_text("port 0 { respnod }\n")
            s.kill(signal.SIGHUP)
            wait_for(lambda: s.log().count("nothing has changed") > bad, "the refusal")
        versions[arena.ports[n % 2]] = n + 1
        s.config.write_text(text_of(arena, versions))
        s.kill(signal.SIGHUP)
        wait_for(lambda: len(re.findall(RELOADED, s.log())) > good, "the reload")

    with arena.load() as load:
        spread(arena, arena.seconds(3, 30), count, act)
    nothing_failed(arena, load)
    unbroken(arena, load, keep)
    for p in keep:
        assert before[p] == {**s.workers(p), **{("k", *k): v for k, v in s.keyholders(p).items()}}
    assert re.findall(RELOADED, s.log()) == [("3", "1", "0", "0")] * count
    arena.check_serving(s)
    tell(arena, load, reloads=count)


@storm("upgrade")
def upgrade(arena):
    """the program is replaced and takes over in place, again and again"""
    following = BINARY.parent / "next" / "bulkhead"
    need(following.exists(), f"{following} (make next)")
    program = arena.folder / "bulkhead"
    shutil.copy(BINARY, program)
    import harness
    harness.BINARY = program
    try:
        s = arena.four("workers 2 " + HELLO, plain=(3,))
    finally:
        harness.BINARY = BINARY
    count = 2 if arena.short else 5

    def act(n):
        shutil.copy(following if n % 2 == 0 else BINARY, f"{program}.new")
        os.rename(f"{program}.new", program)
        s.kill(signal.SIGUSR2)
        s.wait_log("all ports have followed", n + 1)

    get(arena.ports[0])
    with arena.load() as load:
        spread(arena, arena.seconds(3, 20), count, act)
    nothing_failed(arena, load)
    arena.check_serving(s)  # the same process, so the same PID
    s.kill(signal.SIGUSR1)
    for port in arena.ports:
        status = s.wait_log(rf"\[PORT {port}\] status: serving: .* requests=(\d+)")[-1]
        assert int(status[1]) >= load.ports[port]["served"], "counters do not go on"
    tell(arena, load, upgrades=count)


def ctl(arena, *words):
    path = BINARY.parent / "bulkheadctl"
    need(path.exists(), f"{path} (make)")
    done = subprocess.run([path, "-s", arena.folder / "control.sock", *map(str, words)],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done
    return done.stdout


def controlled(arena, first=""):
    return arena.four(first, top=f'control "{arena.folder}/control.sock"\n'
                      "restart { backoff 1ms to 1ms; park after 64 in 10ms }\n")


@storm("stop-start")
def stop_start(arena):
    """one port is stopped and started by order, again and again; the others do not notice"""
    s = controlled(arena)
    hit, others = arena.ports[0], arena.ports[1:]
    before = {p: s.workers(p) for p in others}
    rounds = 0
    with arena.load(ports=others) as load:
        end = time.monotonic() + arena.seconds(3, 20)
        while time.monotonic() < end:
            ctl(arena, "stop", hit)
            assert refused(hit)
            ctl(arena, "start", hit)
            assert get(hit).status == 200
            rounds += 1
    nothing_failed(arena, load, others)
    unbroken(arena, load, others)
    assert before == {p: s.workers(p) for p in others}
    arena.tell(requests_elsewhere=sum(load.ports[p]["requests"] for p in others),
               failed_elsewhere=0, refused=0, rounds=rounds,
               p99_ms=round(max(load.ports[p]["p99_ms"] for p in others), 1))


def nuisance(arena, kind):
    """A hostile client of the control socket."""
    c = socket.socket(socket.AF_UNIX)
    c.connect(str(arena.folder / "control.sock"))  # blocks while the queue is full
    c.settimeout(5)
    with contextlib.suppress(OSError):
        if kind == 0:  # nothing
            pass
        elif kind == 1:  # garbage
            c.sendall(os.urandom(4096))
        elif kind == 2:  # half a request
            c.sendall(b"bulkhead/1 stat")
        elif kind == 3:  # a request whose answer is never read
            c.sendall(b"bulkhead/1 status\n" * 8)
        else:  # a line without an end
            c.sendall(b"bulkhead/1 " + b"x" * 65536)
    return c


@storm("control-garbage")
def control_garbage(arena):
    """a hundred clients of the control socket that send garbage or nothing; supervision goes on"""
    s = controlled(arena, f"workers 2 {HELLO}")
    clients, connected = [], 0
    with arena.load() as load:
        deaths, end = [], time.monotonic() + arena.seconds(3, 20)
        while time.monotonic() < end:
            while len(clients) < 100:
                clients.append(nuisance(arena, connected % 5))
                connected += 1
            for c in clients[:10]:  # some leave, others take their place
                c.close()
            clients = clients[10:]
            begun = time.monotonic()
            death = arena.strike(arena.victim(s, arena.ports[0]), signal.SIGKILL)
            if death:
                deaths.append(death)
            wait_for(lambda: len(s.workers(arena.ports[0])) == 2, "the next worker")
            assert f'{arena.ports[0]}' in ctl(arena, "status")  # a proper client is answered
            time.sleep(max(0.0, 0.1 - (time.monotonic() - begun)))
    for c in clients:
        c.close()
    arena.check_load(load, deaths)
    arena.check_serving(s)
    arena.tell(deaths=len(deaths), control_clients=connected)
