"""Faults on purpose: what a client sees of each kind, what the log says, and that no other
client notices."""
import contextlib
import errno
import json
import os
import re
import signal
import socket
import ssl
import struct
import threading
import time

import pytest

from harness import (HELLO, TIMEOUT, UNDECIPHERABLE, Connection, channel_of, client_context,
                     descriptors_of, get, need_root, sanitized, status_of, strict, wait_for)

# Deaths never park a port, and are replaced at once.
EAGER = "restart { backoff 1ms to 1ms; park after 64 in 10ms }\n"
DONE = b"This was the fault.\n"
# A sanitizer would report the crashes that these tests want.
SANITIZER = ":".join(f"handle_{name}=0" for name in ("segv", "abort", "sigbus", "sigill", "sigfpe"))
ENV = {"ASAN_OPTIONS": SANITIZER + ":detect_leaks=0", "TSAN_OPTIONS": SANITIZER}
IPC_FAULT = 11  # enum ipc_type


def ended(name):
    """How the record names a signal: some come from errors, others are sent."""
    mistakes = ("ABRT", "BUS", "FPE", "ILL", "SEGV", "TRAP")
    return rf"{'crashed' if name in mistakes else 'was killed from outside'} by SIG{name}\b"


class Load(threading.Thread):
    """One request after the other on new connections to a port, until the end of the block."""

    def __init__(self, port):
        super().__init__()
        self.port, self.done, self.failed, self.over = port, 0, [], threading.Event()

    def run(self):
        while not self.over.is_set():
            try:
                assert get(self.port).body == HELLO
                self.done += 1
            except (OSError, EOFError, AssertionError) as e:
                self.failed.append(e)
            self.over.wait(0.01)


class Stage:
    """A port with faults and a pool of two, a second port, and the clients that must not
    notice.

    victim and bystander are connections to the one and the other worker of the pool; a neighbour
    makes requests to the other port all the time.
    """

    def __init__(self, server, ports, extra="", top=""):
        self.port, self.beside = ports[:2]
        self.server = server(
            f'faults enabled\n{EAGER}{top}'
            f'port {self.port} {{ workers 2 keyholders 1 {extra}\n'
            '  location "/fault" { fault control } location "/who" { echo }\n'
            '  respond 200 "Hello, world!\\n" }\n'
            f'port {self.beside} {{ access log off respond 200 "Hello, world!\\n" }}\n', env=ENV)

    def connect(self, *others):
        """A connection to a worker that none of the others is connected to, and which that is."""
        def who():
            with contextlib.ExitStack() as stack:
                c = stack.enter_context(Connection(self.port))
                prefix = json.loads(c.get("/who").body)["request_id"].split("-")[0]
                if prefix in others:
                    return None
                stack.pop_all()
                return c, prefix
        return wait_for(who, "a connection to the other worker")

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        self.bystander, self.other = self.connect()
        self.victim, self.prefix = self.connect(self.other)
        for c in (self.bystander, self.victim):
            self.stack.callback(c.close)
        self.before = self.server.workers(self.port)
        self.around = {**self.server.workers(self.beside), **self.server.keyholders(self.beside)}
        self.kept = Connection(self.beside)
        self.stack.callback(self.kept.close)
        self.load = Load(self.beside)
        self.load.start()
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.unnoticed()
        finally:
            self.load.over.set()
            self.load.join()
            self.stack.close()
        assert not self.load.failed, self.load.failed[:3]

    def unnoticed(self):
        """All but the victim keep their process and are served."""
        wanted = self.load.done + 3
        wait_for(lambda: self.load.done >= wanted or self.load.failed, "requests beside")
        assert self.bystander.get().body == HELLO
        assert self.kept.get().body == HELLO
        assert len(set(self.before.values()) & set(self.server.workers(self.port).values())) >= 1
        assert {**self.server.workers(self.beside),
                **self.server.keyholders(self.beside)} == self.around

    def ask(self, query):
        self.victim.send(f"GET /fault/{query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    def struck(self, query):
        """The id under which the fault was logged."""
        path = re.escape(f"GET /fault/{query}")
        return self.server.wait_log(rf"\[PORT {self.port}\] fault ({self.prefix}-\w+): "
                                    rf"{query.split('?')[0]}( \S+)* for {path}\n")[0][1]

    def gone(self, pattern):
        """Waits for the record of the victim's end and its successor; its pid."""
        record = self.server.wait_log(
            rf"\[PORT {self.port}\] worker \d \(pid (\d+)\) {pattern}.* after \d+\.\d{{3}}s and "
            r"\d+ requests?; starting it again")[0]
        pid = int(record[1])
        assert pid in self.before.values()
        now = wait_for(lambda: len(w := self.server.workers(self.port)) == 2 and w, "two workers")
        assert pid not in now.values()
        assert len(set(now.values()) & set(self.before.values())) == 1
        assert get(self.port).body == HELLO
        return pid


@pytest.fixture
def stage(server, ports):
    return lambda **options: Stage(server, ports, **options)


def check_seen(seen, when, ident, body=DONE):
    """Whether the received bytes belong to that moment."""
    if when == "before":
        assert seen == b""
        return
    head, rest = seen.split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert f"\r\nFault-Id: {ident}".encode() in head
    assert f"\r\nContent-Length: {len(body)}".encode() in head
    assert rest == {"after-head": b"", "during": body[:len(body) // 2], "after": body}[when]


# --- the process -------------------------------------------------------------------------------

MOMENTS = ["before", "after-head", "during", "after"]


@pytest.mark.parametrize("when", MOMENTS)
@pytest.mark.parametrize("query, end", [
    ("crash?", ended("SEGV")),
    ("abort?", ended("ABRT")),
    ("exit?status=3&", "ended with status 3"),
])
def test_a_worker_ends_at_its_moment(stage, query, end, when):
    with stage() as s:
        s.ask(f"{query}when={when}")
        seen = s.victim.read_to_end()
        check_seen(seen, when, s.struck(f"{query}when={when}"))
        s.gone(end)
        if "abort" not in query and when != "after":  # then it is over
            s.server.wait_log(rf"\[PORT {s.port}\]   request: GET "
                              + re.escape(f"/fault/{query}when={when}"))


@pytest.mark.parametrize("name", ["ABRT", "ALRM", "BUS", "FPE", "ILL", "KILL", "PROF", "QUIT", "TERM",
                                  "TRAP", "VTALRM", "XCPU"])
def test_every_signal_ends_it(stage, name):
    with stage() as s:
        s.ask(f"crash?signal={name}")
        assert s.victim.closed()
        s.struck(f"crash?signal={name}")
        s.gone(ended(name))


@pytest.mark.parametrize("how, end", [("null", ended("SEGV")), ("heap", ended("ABRT")),
                                      ("stack", ended("ABRT"))])
def test_real_mistakes_end_it(stage, how, end):
    if sanitized():
        pytest.skip("a sanitizer sees the mistake first")
    with stage() as s:
        s.ask(f"crash?how={how}")
        assert s.victim.closed()
        s.struck(f"crash?how={how}")
        s.gone(end)


@pytest.mark.parametrize("call, name", [("socket", "socket"), ("open", "openat"),
                                        ("execve", "execve"), ("ptrace", "ptrace"),
                                        ("kill", "kill")])
def test_a_violation_is_ended_by_the_sandbox(stage, call, name):
    if sanitized():
        pytest.skip("a sanitizer's run-time makes some of these calls itself")
    with stage() as s:
        s.ask(f"violation?call={call}")
        assert s.victim.closed()
        s.struck(f"violation?call={call}")
        s.gone(rf"was ended by its sandbox for the system call {name} \(\d+\)")


@pytest.mark.parametrize("when", MOMENTS)
def test_a_stopped_worker_stops_nobody_else(stage, when):
    with stage() as s:
        s.ask(f"stop?when={when}")
        pid = wait_for(lambda: [p for p in s.before.values() if status_of(p)["State"][0] == "T"],
                       "a stopped worker")[0]
        s.unnoticed()
        assert set(s.server.workers(s.port).values()) == set(s.before.values())
        os.kill(pid, signal.SIGCONT)
        response = s.victim.response()
        assert response.body == DONE
        assert response["Fault-Id"] == s.struck(f"stop?when={when}")
        assert s.victim.get().body == HELLO


@pytest.mark.parametrize("how", ["loop", "sleep", "syscall", "deadlock"])
def test_a_hanging_worker_hangs_nobody_else(stage, how):
    query = f"hang?how={how}&for=1s"
    with stage() as s:
        began = time.monotonic()
        s.ask(query)
        ident = s.struck(query)
        s.unnoticed()
        response = s.victim.response()
        assert time.monotonic() - began > 0.9  # the clocks are read in milliseconds
        assert response.body == DONE and response["Fault-Id"] == ident
        assert set(s.server.workers(s.port).values()) == set(s.before.values())


@pytest.mark.parametrize("query, what", [
    *((f"hang?how={how}", "hung")
      for how in ("loop", "sleep", "syscall", "deadlock")),
    ("stop?when=during", "was stopped"),
])
def test_whoever_hangs_for_ever_is_replaced(stage, query, what):
    with stage(extra="watchdog 3s") as s:
        s.ask(query)
        s.struck(query)
        s.unnoticed()
        s.gone(f"{what} for more than 3s and was (aborted|killed) by the watchdog")


# --- the response ------------------------------------------------------------------------------


@pytest.mark.parametrize("when", MOMENTS[:3])
def test_a_connection_is_reset(stage, when):
    with stage() as s:
        s.ask(f"reset?when={when}")
        ident, c = s.struck(f"reset?when={when}"), s.victim.socket
        error = wait_for(lambda: c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), "a reset")
        assert error == errno.ECONNRESET
        check_seen(s.victim.read_to_end(), when, ident)
        assert s.server.workers(s.port) == s.before


def test_a_response_is_truncated(stage):
    with stage() as s, strict(s.port) as c:
        c.sendall(b"GET /fault/truncate?bytes=1000&after=300 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        seen = b""
        with pytest.raises(ssl.SSLError, match="EOF"):  # no close_notify: the break shows
            while data := c.recv(65536):
                seen += data
        head, body = seen.split(b"\r\n\r\n", 1)
        assert b"\r\nContent-Length: 1000" in head
        assert len(body) == 300
        ident = s.server.wait_log(r"fault (\S+): truncate bytes 1000 after 300 for GET ")[0][1]
        assert f"\r\nFault-Id: {ident}\r\n".encode() in head
        assert s.server.workers(s.port) == s.before


def answered(s, query, at_least=0.0):
    """The response to a fault after which the worker goes on as before."""
    began = time.monotonic()
    s.ask(query)
    response = s.victim.response()
    assert time.monotonic() - began >= at_least
    assert response["Fault-Id"] == s.struck(query)
    assert s.victim.get().body == HELLO
    assert s.server.workers(s.port) == s.before
    return response


def test_a_response_drips(stage):
    with stage() as s:
        assert len(answered(s, "drip?bytes=6&rate=10", at_least=0.49).body) == 6


@pytest.mark.parametrize("distribution", ["fixed", "uniform", "normal", "exponential"])
def test_a_response_is_delayed(stage, distribution):
    with stage() as s:
        assert answered(s, f"delay?distribution={distribution}&min=300ms", at_least=0.29).body == DONE


def test_a_response_has_another_status(stage):
    with stage() as s:
        assert answered(s, "status?code=418").status == 418


@pytest.mark.parametrize("what, wrong", [
    ("status-line", rb"HTTP/1.1 2OO OK\r\n"),
    ("header", rb"\r\nno field\r\n"),
    ("length", rb"\r\nContent-Length: 5\r\nContent-Length: 7\r\n"),
    ("chunk", rb"\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfault\r\nfault\r\n"),
    ("garbage", rb"(?s)^(?!HTTP).{64}$"),
])
def test_a_response_is_malformed(stage, what, wrong):
    with stage() as s:
        s.ask(f"malformed?what={what}")
        seen = s.victim.read_to_end()
        assert re.search(wrong, seen), seen
        ident = s.struck(f"malformed?what={what}")
        assert (f"\r\nFault-Id: {ident}\r\n".encode() in seen) == (what != "garbage")
        assert s.server.workers(s.port) == s.before


# --- the handshake -----------------------------------------------------------------------------


def handshake(port):
    """One handshake: how it ended, and how many bytes the server sent."""
    received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    client, count = client_context().wrap_bio(received, sent), 0
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as c:
        while True:
            try:
                client.do_handshake()
                return "done", count
            except ssl.SSLWantReadError:
                c.sendall(sent.read())
            except ssl.SSLError as e:
                return e.reason, count
            try:
                data = c.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                return "ended", count
            received.write(data)
            count += len(data)


@pytest.mark.parametrize("how, said, reasons", [
    ("stall", False, ("ended",)),
    ("break", True, ("ended",)),
    ("corrupt", True, UNDECIPHERABLE),
])
def test_handshakes_are_spoiled(stage, how, said, reasons):
    with stage(extra="limits { handshake-timeout 1s }") as s:
        answered(s, f"handshake?how={how}&count=2")
        spoiled = []
        while len(spoiled) < 2:
            reason, count = handshake(s.port)
            if reason != "done":
                spoiled.append((reason, count))
        for reason, count in spoiled:
            assert reason in reasons
            assert (count > 0) == said
        for _ in range(40):  # no more than that
            assert handshake(s.port)[0] == "done"
        assert s.server.workers(s.port) == s.before


def certificate_of(port, folder):
    """The certificate that is shown, decoded."""
    context = client_context()
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as raw, \
            context.wrap_socket(raw) as c:
        pem = ssl.DER_cert_to_PEM_cert(c.getpeercert(binary_form=True))
    path = folder / "shown.pem"
    path.write_text(pem)
    return ssl._ssl._test_decode_cert(str(path))  # pylint: disable=protected-access


@pytest.mark.parametrize("which", ["wrong", "expired"])
def test_another_certificate_is_shown(stage, tmp_path, which):
    def names(certificate):
        return [name for kind, name in certificate["subjectAltName"] if kind == "DNS"]

    with stage() as s:
        usual = certificate_of(s.port, tmp_path)
        answered(s, f"certificate?which={which}&count=2")
        others = []
        while len(others) < 2:
            shown = certificate_of(s.port, tmp_path)
            if shown["serialNumber"] != usual["serialNumber"]:
                others.append(shown)
        for shown in others:
            expired = ssl.cert_time_to_seconds(shown["notAfter"]) < time.time()
            assert expired == (which == "expired")
            assert names(shown) == (["wrong.invalid"] if which == "wrong" else ["localhost"])
        for _ in range(40):
            assert certificate_of(s.port, tmp_path) == usual
        assert s.server.workers(s.port) == s.before


def test_a_resumed_session_does_not_hide_the_certificate(server, ports):
    """A server that shows another certificate does not accept the old ticket."""
    server(f'faults enabled\nport {ports[0]} {{ location "/fault" {{ fault control }} }}')
    context = client_context(maximum_version=ssl.TLSVersion.TLSv1_2)
    with Connection(ports[0], context=context) as c:
        session = c.socket.session
        assert c.get("/fault/certificate").status == 200
    with Connection(ports[0], context=context, session=session) as c:
        assert not c.socket.session_reused
    with Connection(ports[0], context=context, session=session) as c:
        assert c.socket.session_reused


# --- the worker, for longer --------------------------------------------------------------------


def test_descriptors_leak(stage):
    def sockets():
        return {pid: sum(kind.startswith("socket:") for kind in descriptors_of(pid).values())
                for pid in s.before.values()}

    with stage() as s:
        began = sockets()
        answered(s, "leak-descriptors?count=5")
        for _ in range(60):
            assert get(s.port).body == HELLO

        def leaked():
            now = sockets()
            return sorted(now[pid] - began[pid] for pid in now) == [0, 5]

        wait_for(leaked, "a leak of five")
        assert s.server.workers(s.port) == s.before


def test_descriptors_leak_until_none_is_left(stage):
    with stage(extra="limits { connections 64 }") as s:
        answered(s, "leak-descriptors")

        def gone():
            assert get(s.port).body == HELLO  # by the other worker, when this one has none left
            return "ran out of descriptors" in s.server.log()

        wait_for(gone, "a worker that gives up")
        s.gone("ran out of descriptors")


def test_memory_leaks_up_to_the_limit(stage):
    with stage(extra="limits { memory 256M }") as s:
        s.ask("leak-memory?rate=512M")
        response = s.victim.response()
        assert response.body == DONE
        assert response["Fault-Id"] == s.struck("leak-memory?rate=512M")
        s.gone(r"ran out of memory \(limits memory 256M\)")


def test_memory_does_not_leak_without_a_limit(stage):
    with stage(extra="limits { memory 0 }") as s:
        response = s.victim.get("/fault/leak-memory")
        assert response.status == 400
        assert b"limits { memory }" in response.body


# --- the keyholder -----------------------------------------------------------------------------


def test_a_keyholder_crashes(stage):
    with stage() as s:
        keyholder = s.server.keyholders(s.port)[s.port, 1]
        answered(s, "keyholder?how=crash")
        s.server.wait_log(rf"\[PORT {s.port}\] keyholder 1 \(pid {keyholder}\) {ended('SEGV')}")
        s.server.wait_ready(s.port, "keyholder", 2)
        assert get(s.port).body == HELLO
        assert s.server.workers(s.port) == s.before


def test_a_keyholder_answers_nonsense(stage):
    with stage() as s:
        keyholders = s.server.keyholders(s.port)
        answered(s, "keyholder?how=garbage&count=3")
        s.server.wait_log("answers 3 requests malformed")
        for _ in range(3):
            with pytest.raises(ssl.SSLError):
                get(s.port)
        s.server.wait_log("TLS handshake .* failed: the keyholder's answer is malformed", count=3)
        assert get(s.port).body == HELLO
        assert s.server.keyholders(s.port) == keyholders
        assert s.server.workers(s.port) == s.before


def test_a_keyholder_hangs(stage):
    with stage() as s:
        keyholder = s.server.keyholders(s.port)[s.port, 1]
        answered(s, "keyholder?how=hang")
        s.server.wait_log("hangs, as it was asked to")
        with pytest.raises(ssl.SSLError):
            get(s.port)  # until its turn ends, so that the master hears of it
        s.server.wait_log(rf"keyholder 1 \(pid {keyholder}\) does not answer; killing it")
        s.server.wait_ready(s.port, "keyholder", 2)

        def served():
            with contextlib.suppress(ssl.SSLError):
                return get(s.port).body == HELLO
            return False

        wait_for(served, "a handshake")
        assert s.server.workers(s.port) == s.before


# --- rules, and what is asked for --------------------------------------------------------------


def statuses(server, port, count=40):
    s = server(f'faults enabled\nport {port} {{ location "/" {{\n'
               'fault status code 503 probability 0.3 seed 11\n'
               'fault status code 418 probability 0.3 seed 12\n'
               'respond 200 "Hello, world!\\n" } }')
    with Connection(port) as c:
        found = [(r := c.get()).status for _ in range(count)]
        assert r["Fault-Id"] is None or r.status != 200
    assert s.stop() == 0
    return found


def test_the_same_requests_meet_the_same_faults(server, ports):
    first = statuses(server, ports[0])
    assert {200, 418, 503} == set(first)
    assert statuses(server, ports[1]) == first


def test_a_rule_strikes_what_it_is_for(server, ports):
    """The same request of each life of a worker, and no other location."""
    s = server(f'faults enabled\n{EAGER}port {ports[0]} {{\n'
               'location "/pay" { fault crash signal SEGV probability 0.2 seed 7\n'
               '  respond 200 "paid\\n" }\n'
               'respond 200 "Hello, world!\\n" }', env=ENV)
    lives = []
    for n in range(1, 4):
        with Connection(ports[0]) as c:
            count = 0
            with contextlib.suppress(EOFError):
                while count < 100:
                    assert c.get("/").body == HELLO
                    assert c.get("/pay").body == b"paid\n"
                    count += 1
            lives.append(count)
        s.wait_log(ended("SEGV"), count=n)
    assert lives[0] == lives[1] == lives[2] < 100
    s.wait_log(r"fault \S+: crash when before how signal signal SEGV probability 0.2 seed 7 for "
               r"GET /pay\n", count=3)


def test_what_there_is_and_what_is_allowed_is_said(server, ports):
    server(f'faults enabled\nport {ports[0]} {{ location "/fault/" {{ fault control }} }}')
    with Connection(ports[0]) as c:
        text = c.get("/fault/")
        assert text["Content-Type"].startswith("text/plain")
        listed = c.get("/fault/?format=json")
        assert listed["Content-Type"] == "application/json"
        assert c.get("/fault/", extra="Accept: application/json\r\n").body == listed.body
        faults = json.loads(listed.body)["faults"]
        assert len(faults) == 17
        for fault in faults:
            assert fault["kind"].encode() + b": " in text.body
            assert fault["example"].startswith(f"/fault/{fault['kind']}?")
            for p in fault["parameters"]:
                assert p["default"] in p.get("choices", [p["default"]])
        refusal = c.get("/fault/crash?when=never")
        assert refusal.status == 400
        assert refusal.body == (b"`never` is not allowed for `when`; it can be before, after-head, "
                                b"during or after\n")
        unknown = c.get("/fault/crsh")
        assert unknown.status == 404 and b"there are crash, abort" in unknown.body
        c.send(b"POST /fault/status?code=418 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
        assert c.response().status == 418


# --- no other process is reached ----------------------------------------------------------------


def test_no_other_port_has_faults(server, ports):
    """Neither by a request, nor by a taken-over worker."""
    s = server(f'faults enabled\nport {ports[0]} {{ location "/fault" {{ fault control }} }}\n'
               f'port {ports[1]} {{ location "/a" {{ respond 200 "Hello, world!\\n" }} }}')
    assert get(ports[1], "/fault/crash").status == 404
    assert get(ports[1], "/fault/").status == 404
    need_root()
    before = s.children("worker", ports[0]), s.children("keyholder", ports[0])
    with channel_of(s.workers()[ports[1], 1]) as channel:
        channel.send(struct.pack("III", IPC_FAULT, 0, 1))
    s.wait_log(rf"\[PORT {ports[1]}\] worker 1 .* asked for a fault, but its port has no faults")
    s.wait_ready(ports[1], "worker", 2)  # it does not run the same program
    with channel_of(s.keyholders()[ports[1], 1]) as channel:  # and no keyholder may say it at all
        channel.send(struct.pack("III", IPC_FAULT, 0, 1))
    s.wait_log(rf"\[PORT {ports[1]}\] keyholder 1 .* sent a message that it must not send")
    wait_for(lambda: get(ports[1], "/a").body == HELLO, "service")
    assert (s.children("worker", ports[0]), s.children("keyholder", ports[0])) == before


def test_faults_are_enabled_by_one_word(run, conf_file, certificates):
    text = certificates.tls() + 'port 1 { location "/fault" { fault control } }\n'
    refused = run("-t", "-f", conf_file("a.conf", text))
    assert refused.returncode != 0
    assert "needs `faults enabled` at the top level" in refused.stderr
    assert run("-t", "-f", conf_file("b.conf", "faults enabled\n" + text)).returncode == 0
    assert "faults enabled\n" in run("-T", "-f", conf_file("b.conf", "faults enabled\n" +
                                                           text)).stdout
