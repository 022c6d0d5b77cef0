"""Logging: to a real journald, a real rsyslogd and the console; records that a log cannot take
are dropped and counted, and clients cannot forge records."""
import contextlib
import fcntl
import json
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

import pytest

import daemons
from harness import (BINARY, HELLO, TIMEOUT, TOP, Connection, Server, get, refused, wait_for)
from upstreams import GOOD, Upstream

STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}"
ESCAPED = r'(?:[ !#-\[\]-~]|\\[ -~])*'  # no quote, nor half an escape
ACCESS = (r'Received (?:[A-Z.]+|malformed|incomplete|overlong|unsupported) request from \(\'[0-9a-f.:]+\', \d+\) '
          rf'"(?:-|[!-~]+ {ESCAPED} HTTP/\d\.\d)" \d{{3}} \d+ \d+\.\dms'
          rf'(?: [a-z0-9-]+(?: "{ESCAPED}")?)?')

# Targets and heads that imitate other records. Refused requests are logged, too.
HOSTILE = [
    b"GET /%0a2024-12-06%2010:15:30,123%20-%20[PORT%201]%20forged HTTP/1.1\r\nHost: a\r\n\r\n",
    b'GET /"HTTP/1.1"200 HTTP/1.1\r\nHost: a\r\n\r\n',
    b'GET /a"b\\nc\\"d\\\\ HTTP/1.1\r\nHost: a\r\n\r\n',
    b"GET /%1b[2J%00 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /\x1b[2J HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /\xff\xfe\x85\x9b HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /\nBULKHEAD_STATUS=999\nX: HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /x\rforged HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\nPRIORITY=0\n\r\n\r\n",
    b"GET /x HTTP/1.1\r\nHost: a\nforged\r\n\r\n",
    b"G\"E'T /x HTTP/1.1\r\nHost: a\r\n\r\n",
    b"M" * 5000 + b" / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /%0aMESSAGE=forged%0aBULKHEAD_STATUS=999 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /long?" + b"\\\"" * 6000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /" + b"l" * 60000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /" + b"m" * 70000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX\"\n: y\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: \"\x80\\\x9b\r\n\r\n",
    b"\x16\x03\x01\x1b[2J\r\n\r\n",
]

# The part of a record after the client: the request line, the status, the reason, the part at
# fault. Then the text that must not be in a line of the journal.
REASONS = [
    (b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n", r'"GET /a HTTP/1.1" 200', None, None),
    (b"DELETE /a HTTP/1.1\r\nHost: a\r\n\r\n", r'"DELETE /a HTTP/1.1" 405', None, None),
    (b"broken\r\n\r\n", r'"-" 400', "request-line", "broken"),
    (b"GET /a\x1b[2J\xff HTTP/1.1\r\nHost: a\r\n\r\n", r'"-" 400', "target-byte",
     r"GET /a\033[2J\377 HTTP/1.1"),
    (b"GET /" + b"x" * 20000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", r'"-" 414', "target-too-long",
     "GET /" + "x" * 195 + "..."),
    (b"M" * 20000 + b" / HTTP/1.1\r\nHost: a\r\n\r\n", r'"-" 501', "method-too-long",
     "M" * 200 + "..."),
    (b"GET / HTTP/1.1\nHost: a\n\n", r'"-" 400', "bare-lf", r"GET / HTTP/1.1\n"),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", r'"PRI * HTTP/2.0" 505', "version-unknown", None),
    (b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: secret\x01\r\n\r\n", r'"GET / HTTP/1.1" 400',
     "field-value", "Authorization"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
     r'"GET / HTTP/1.1" 400', "length-repeated", "Content-Length: 5"),
    (b"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", r'"GET /%zz HTTP/1.1" 400', "path-escape", None),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;\r\n",
     r'"POST / HTTP/1.1" 400', "chunk-extension", None),
]


@contextlib.contextmanager
def slow_daemon(path, pause):
    """Reads as journald does: a record, then whose it is, which is not known once the process has
    ended. Yields the records as (bytes, known)."""
    records, end = [], threading.Event()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as d:
        d.bind(str(path))
        d.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        d.settimeout(0.1)

        def read():
            while not end.is_set():
                with contextlib.suppress(TimeoutError):
                    data, control, *_ = d.recvmsg(65536, 64)
                    pid = struct.unpack("3i", control[0][2])[0]
                    end.wait(pause)  # it is slow: another process had the processor
                    try:
                        state = pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace").rsplit(")", 1)[1]
                        known = state.split()[0] not in "ZX"
                    except OSError:
                        known = False
                    records.append((data, known))

        reader = threading.Thread(target=read)
        reader.start()
        try:
            yield records
        finally:
            end.set()
            reader.join()


@pytest.mark.parametrize("kind", ["journal", "syslog"])
@pytest.mark.parametrize("background", [False, True], ids=["foreground", "background"])
def test_the_last_records_are_read_before_the_process_has_ended(server, ports, certificates, tmp_path,
                                                                kind, background):
    pair = f'certificate "{certificates("other")[0]}" key "{certificates()[1]}"'
    with tempfile.TemporaryDirectory() as folder, \
            slow_daemon(pathlib.Path(folder) / "log", 0.01) as records:
        s = server(f'log to {kind} path "{folder}/log"\ncontrol off\n' + "".join(
            f"port {p} {{ echo tls {{ {pair} }} restart {{ park after 1 in 1m }} }}\n"
            for p in ports), args=["-D"] if background else [], wait=None)
        assert s.process.wait(TIMEOUT) == 1

        def last():
            return records and any(b"stopped after" in data for data, _ in records)

        wait_for(last, "the last record")
        wait_for(lambda: len(records) > 0 and records[-1][0] == b"", "the mark after it")
    told = [(data, known) for data, known in records if data]
    assert sum(b"PARKED" in data for data, _ in told) == len(ports)
    master = [known for data, known in told if b"PARKED" in data or b"stopped after" in data
              or b"no port can be served" in data]
    assert all(master), [data for data, known in told if not known]


def test_a_daemon_that_does_not_read_holds_up_the_end_for_a_second_at_most(server, ports):
    with tempfile.TemporaryDirectory() as folder, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as d:
        d.bind(folder + "/log")
        s = server(f'log to syslog path "{folder}/log" log to console\n'
                   f"port {ports[0]} {{ respond 200 }}")
        assert s.stop() == 0


def test_who_starts_it_in_the_background_reads_why_ports_are_parked(server, ports, certificates,
                                                                    tmp_path):
    pair = f'certificate "{certificates("other")[0]}" key "{certificates()[1]}"'
    s = server(f'log to syslog path "{tmp_path}/none"\n' + "".join(
        f"port {p} {{ echo tls {{ {pair} }} restart {{ park after 1 in 1m }} }}\n" for p in ports),
        args=["-D"], wait=None)
    assert s.process.wait(TIMEOUT) == 1
    s.wait_log("bulkhead: no port is served; the log says why")
    for p in ports:
        assert re.search(rf"^bulkhead: port {p} is parked: .*does not match key", s.log(), re.M)


def told(line, reason, excerpt):
    """The end of such a record."""
    end = f" {reason}" if reason else ""
    return re.escape(line) + r" \d+ \d+\.\dms" + re.escape(end + (f' "{excerpt}"' if excerpt else ""))


def one(port, extra=""):
    return f'{extra}port {port} {{ respond 200 "Hello, world!\\n" }}\n'


def send_hostile(port):
    for head in HOSTILE:
        with Connection(port) as c:
            c.send(head)
            assert c.response().status in (200, 400, 414, 431, 501, 505), head


def burst(port, count, path="/"):
    """Sends this many requests at once, each of which is answered; returns the time."""
    begun = time.monotonic()
    with Connection(port) as c:
        request = f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
        for done in range(0, count, 100):
            n = min(100, count - done)
            c.send(request * n)
            for _ in range(n):
                assert c.response().status == 200
    return time.monotonic() - begun


def dropped(lines):
    return sum(int(m[1]) for m in re.finditer(r"(\d+) log records? (?:was|were) dropped",
                                              "\n".join(lines)))


# --- the console -------------------------------------------------------------------------------


def test_a_console_line_begins_exactly_so(server, ports):
    s = server(one(ports[0]))
    assert get(ports[0], "/path").body == HELLO
    s.wait_log(r"Received")
    assert re.search(rf"(?m)^{STAMP} - \[PORT {ports[0]}\] Received GET request from "
                     r'\(\'127\.0\.0\.1\', \d+\) "GET /path HTTP/1\.1" 200 14 \d+\.\dms$', s.log())


def test_a_console_line_names_the_client(server, ports):
    s = server(one(ports[0]))
    with Connection(ports[0]) as c, Connection(ports[0], host="::1") as six:
        c.get("/a?b=c")
        six.send(b"HEAD /six HTTP/1.0\r\n\r\n")
        six.response("HEAD")
        s.wait_log(rf"from \('127\.0\.0\.1', {c.local_port}\) \"GET /a\?b=c HTTP/1\.1\" 200 14 ")
        s.wait_log(rf"from \('::1', {six.local_port}\) \"HEAD /six HTTP/1\.0\" 200 0 ")


def test_the_time_zone_is_the_environments(server, ports):
    s = server(one(ports[0]), env={"TZ": "EAST-5:30"})
    stamp = re.match(r"(\S+ \S+),\d{3} - ", s.log())[1]
    told = time.mktime(time.strptime(stamp, "%Y-%m-%d %H:%M:%S"))
    there = time.mktime(time.gmtime(time.time() + 5.5 * 3600))
    assert abs(told - there) < 900


def test_access_log_on_off_and_errors(server, ports):
    s = server(one(ports[0]) +
               f'port {ports[1]} {{ access log off respond 200 }}\n'
               f'port {ports[2]} {{ access log errors location "/a" {{ respond 200 }} }}')
    for p in ports:
        with Connection(p) as c:
            assert c.get("/a").status == 200
            c.get("/b")
            c.send(b"broken\r\n\r\n")
            assert c.response().status == 400
    s.stop()
    records = re.findall(r'\[PORT (\d+)\] Received \w+ request from \S+ \d+\) "(.*)" (\d+)', s.log())
    assert [r for r in records if r[0] == str(ports[1])] == []
    assert [r[1:] for r in records if r[0] == str(ports[2])] == \
        [("GET /b HTTP/1.1", "404"), ("-", "400")]
    assert len([r for r in records if r[0] == str(ports[0])]) == 3


@pytest.mark.parametrize("target", ["http://localhost", "http://localhost?a=/b", "https://localhost:1"])
def test_an_absolute_target_without_a_path_is_logged(server, ports, target):
    """RFC 9112, 3.2.2: its path is "/", which no byte of the line is."""
    s = server(one(ports[0]))
    with Connection(ports[0]) as c:
        c.send(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert c.response().status == 200
    s.wait_log(r"GET https?://localhost")
    assert re.search(rf"(?m)^{STAMP} - \[PORT {ports[0]}\] Received GET request from "
                     rf"\('127\.0\.0\.1', \d+\) \"GET {re.escape(target)} HTTP/1\.1\" 200 14 [0-9.]+ms$",
                     s.log())
    assert "wrote:" not in s.log()


def test_no_client_forges_a_console_line(server, ports):
    s = server(one(ports[0], "limits { head 64K }\n"))
    send_hostile(ports[0])
    s.wait_log("Received", count=len(HOSTILE))
    s.stop()
    text = s.log_path.read_bytes()
    assert re.fullmatch(rb"[ -~\n]*", text)
    lines = text.decode().splitlines()
    for line in lines:
        assert re.match(rf"{STAMP} - \[(MASTER|PORT {ports[0]})\] ", line), line
        assert len(line) <= 4000
    records = [line for line in lines if "Received" in line]
    assert len(records) == len(HOSTILE)
    for line in records:
        assert re.fullmatch(rf"{STAMP} - \[PORT {ports[0]}\] {ACCESS}", line), line
    assert sum(re.search(r'\.\.\. HTTP/1\.\d" \d{3} ', line) is not None for line in records) == 2
    assert sum(line.endswith('..."') for line in records) == 1


def test_a_refused_request_is_logged_with_its_reason(server, ports):
    s = server(one(ports[0]))
    for sent, line, reason, excerpt in REASONS:
        with Connection(ports[0]) as c:
            c.send(sent)
            c.response()
            s.wait_log(rf"from \('127\.0\.0\.1', {c.local_port}\) {told(line, reason, excerpt)}\n")
    assert "secret" not in s.log()
    words = set(re.findall(r"\dms ([a-z0-9-]+)", s.log()))
    assert words == {reason for _, _, reason, _ in REASONS if reason}


def test_the_manual_has_every_reason():
    """With the program's own status and sentence."""
    source = (TOP / "src" / "http" / "refusal.c").read_text()
    page = (TOP / "src" / "bulkhead.8").read_text()
    table = re.findall(r'\[REFUSE_\w+\] =\s*\{"([^"]+)", (\d+),\s*"([^"]+)"[,}]', source)
    assert len(table) == source.count("[REFUSE_") - 1 > 30
    section = page[page.index(".It Em Reason Ta"):]
    rows = re.findall(r"^\.It (\S+) Ta (\d+) Ta (.*)$", section[:section.index(".El")], re.M)
    assert rows == table


class Piped(Server):
    """A server whose standard error is a small pipe that nobody reads until collect()."""

    def start(self):
        self.reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        # The log file holds the bytes read from the pipe so far.
        self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=writer,
                                        stderr=writer, env=self.env, cwd=self.cwd,
                                        start_new_session=True)
        os.close(writer)
        wait_for(self.is_served, "a served port")
        return self

    def is_served(self):
        with open(self.log_path, "ab") as f:
            f.write(os.read(self.reader, 65536))
        return "is served" in self.log()

    def collect(self):
        def run():
            with open(self.log_path, "ab", buffering=0) as f:
                while data := os.read(self.reader, 65536):
                    f.write(data)

        self.thread = threading.Thread(target=run)
        self.thread.start()

    def give_up(self):
        os.close(self.reader)
        self.reader = -1

    def cleanup(self):
        if self.reader >= 0 and not hasattr(self, "thread"):
            self.collect()
        super().cleanup()
        if hasattr(self, "thread"):
            self.thread.join()
            os.close(self.reader)


@pytest.fixture
def piped(tmp_path, certificates):
    started = []

    def start(text):
        s = Piped(tmp_path / f"piped{len(started)}", certificates, text)
        started.append(s)
        return s.start()

    yield start
    for s in started:
        s.cleanup()
        assert not s.sanitizer_findings()


def test_a_full_console_pipe_costs_records_only(piped, ports):
    s = piped(one(ports[0]))
    before = s.workers()
    assert burst(ports[0], 3000) < 60  # the worker's own pipe holds 256 KiB
    assert burst(ports[0], 200, "/" + "x" * 2000) < 60
    s.collect()
    s.wait_log("log records were dropped")
    assert get(ports[0], "/after").status == 200
    s.wait_log('"GET /after HTTP/1.1" 200 14')
    assert s.workers() == before
    assert s.stop() == 0
    s.thread.join()
    lines = s.log().splitlines()
    assert s.log().endswith("\n")
    assert all(re.match(rf"{STAMP} - \[", line) for line in lines)
    written = sum("Received" in line for line in lines)
    assert written + dropped(line for line in lines if "[PORT" in line) == 3201


def test_a_closed_console_pipe_kills_nobody(piped, ports):
    s = piped(one(ports[0], "restart { backoff 10ms to 10ms }\n"))
    before = s.workers()
    s.give_up()
    assert burst(ports[0], 100) < 60
    assert s.workers() == before
    os.kill(before[ports[0], 1], signal.SIGKILL)  # the master has something to say now
    assert get(ports[0]).status == 200
    assert s.stop() == 0


# --- which sink --------------------------------------------------------------------------------


def test_the_journal_is_chosen_where_standard_error_is_it(server, ports):
    """JOURNAL_STREAM names what standard error is; the default socket is the namespace's."""
    daemon = daemons.Journal()
    try:
        s = server(one(ports[0]), wait=None,
                   wrapper=(*daemon.namespace.enter, "sh", "-c",
                            'export JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2); exec "$@"',
                            "sh"))
        wait_for(lambda: any("is served" in m for m in daemon.messages()), "a served port")
        assert get(ports[0]).status == 200
        wait_for(lambda: daemon.read("BULKHEAD_STATUS=200"), "the access record")
        assert s.stop() == 0
        assert s.log() == ""
    finally:
        daemon.close()


@pytest.mark.parametrize("stream", ["1:2", "", "x", "99999999999999999999:1", None])
def test_the_console_is_chosen_where_standard_error_is_something_else(server, ports, stream):
    s = server(one(ports[0]), env={"JOURNAL_STREAM": stream} if stream is not None else None)
    assert get(ports[0]).status == 200
    s.wait_log(r"Received GET")


def test_syslog_is_chosen_in_the_background(ports, tmp_path, certificates):
    daemon = daemons.Syslog()
    pid_file = tmp_path / "pid"
    config = tmp_path / "bulkhead.conf"
    config.write_text(certificates.tls() + one(ports[0]))
    try:
        subprocess.run([*daemon.namespace.enter, str(BINARY), "-D", "-P", str(pid_file), "-f",
                        str(config)], check=True, timeout=60, capture_output=True)
        pid = int(pid_file.read_text())
        try:
            assert get(ports[0]).status == 200
            wait_for(lambda: re.search(rf"\[PORT {ports[0]}\] Received GET", daemon.text()),
                     "the access record")
        finally:
            os.kill(pid, signal.SIGTERM)
            wait_for(lambda: not pid_file.exists(), "the end of the daemon")
    finally:
        daemon.close()


# --- journald ----------------------------------------------------------------------------------


@pytest.fixture
def journal():
    daemon = daemons.Journal()
    yield daemon
    daemon.close()


@pytest.fixture
def syslog():
    daemon = daemons.Syslog()
    yield daemon
    daemon.close()


def test_the_journal_has_every_field(server, ports, journal):
    server(journal.sink() + f"port {ports[0]} {{ workers 2 echo }}\nport {ports[1]} {{ echo }}",
           args=["-v"], wait=None)
    wait_for(lambda: any("ports are served" in m for m in journal.messages()), "served ports")
    with Connection(ports[0]) as c:
        identifier = re.search(rb'"request_id":"([0-9a-f-]+)"', c.get("/a/b?c=d").body)[1].decode()
        client_port = c.local_port
    record, = wait_for(lambda: journal.read(f"BULKHEAD_PORT={ports[0]}", "BULKHEAD_METHOD=GET"),
                       "the record")
    assert re.fullmatch(rf"\[PORT {ports[0]}\] Received GET request from \('127\.0\.0\.1', "
                        rf'{client_port}\) "GET /a/b\?c=d HTTP/1\.1" 200 \d+ \d+\.\dms',
                        record["MESSAGE"])
    assert {name: record[name] for name in (
        "PRIORITY", "SYSLOG_IDENTIFIER", "BULKHEAD_ROLE", "BULKHEAD_CLIENT", "BULKHEAD_METHOD",
        "BULKHEAD_PATH", "BULKHEAD_HOST", "BULKHEAD_STATUS", "BULKHEAD_REQUEST_ID")} == {
            "PRIORITY": "6", "SYSLOG_IDENTIFIER": "bulkhead", "BULKHEAD_ROLE": "worker",
            "BULKHEAD_CLIENT": "127.0.0.1", "BULKHEAD_METHOD": "GET", "BULKHEAD_PATH": "/a/b", "BULKHEAD_HOST": "localhost",
            "BULKHEAD_STATUS": "200", "BULKHEAD_REQUEST_ID": identifier}
    assert record["BULKHEAD_WORKER"] in ("1", "2")
    assert f'200 {record["BULKHEAD_BYTES"]} ' in record["MESSAGE"]
    shown = float(record["MESSAGE"].rsplit(" ", 1)[1].removesuffix("ms"))
    assert abs(shown - int(record["BULKHEAD_DURATION_USEC"]) / 1000) < 0.051
    assert journal.read(f"BULKHEAD_PORT={ports[1]}", "BULKHEAD_METHOD=GET") == []
    master = journal.read("BULKHEAD_ROLE=master", f"BULKHEAD_PORT={ports[0]}", "BULKHEAD_WORKER=2")
    assert any("is ready" in r["MESSAGE"] for r in master)


def test_the_journal_has_what_an_upstream_did(server, ports, journal):
    """Its identifier of the request, too, if a trusted proxy has given it one."""
    with Upstream(answer=GOOD) as up:
        to = f'upstream "u" {{ to "http://127.0.0.1:{up.port}" keep off }} proxy to "u"'
        server(journal.sink() + f"port {ports[0]} {{ trust 127.0.0.0/8 {to} }}\nport {ports[1]} {{ {to} }}\n"
               f'port {ports[2]} {{ trust 127.0.0.0/8 proxy to "http://127.0.0.1:1" }}', wait=None)
        wait_for(lambda: any("ports are served" in m for m in journal.messages()), "served ports")
        for port in ports:
            with Connection(port) as c:
                c.get("/trusted", "X-Request-Id: their-7b3f\r\n")
                c.get("/made", 'X-Request-Id: a"b\r\n')

    def records(port):
        found = wait_for(lambda: len(r := journal.read(f"BULKHEAD_PORT={port}", "BULKHEAD_METHOD=GET")) == 2 and r,
                         "two records")
        return {r["BULKHEAD_PATH"]: r for r in found}

    trusting, strict, refused_ = map(records, ports)
    sent = {r.split()[1].decode() + str(n): re.search(rb"X-Request-Id: (\S+)", r)[1].decode()
            for n, r in enumerate(up.seen)}
    assert trusting["/trusted"]["BULKHEAD_UPSTREAM_REQUEST_ID"] == sent["/trusted0"] == "their-7b3f"
    for record, at_upstream in ((trusting["/made"], sent["/made1"]), (strict["/trusted"], sent["/trusted2"]),
                                (strict["/made"], sent["/made3"])):
        assert "BULKHEAD_UPSTREAM_REQUEST_ID" not in record and record["BULKHEAD_REQUEST_ID"] == at_upstream
    for record in (*trusting.values(), *strict.values()):
        assert record["BULKHEAD_UPSTREAM"] == f"http://127.0.0.1:{up.port}"
        assert record["BULKHEAD_UPSTREAM_ATTEMPTS"] == "1" and "BULKHEAD_REASON" not in record
        head, total = (int(record[f"BULKHEAD_UPSTREAM_{n}_USEC"]) for n in ("HEAD", "TOTAL"))
        assert 0 <= head <= total <= int(record["BULKHEAD_DURATION_USEC"]) + 1000
    assert refused_["/trusted"]["BULKHEAD_UPSTREAM_REQUEST_ID"] == "their-7b3f"
    for record in refused_.values():
        assert record["BULKHEAD_UPSTREAM"] == "http://127.0.0.1:1"
        assert record["BULKHEAD_REASON"] == "upstream-refused" and record["BULKHEAD_STATUS"] == "502"
        assert "BULKHEAD_UPSTREAM_HEAD_USEC" not in record


def test_no_client_forges_a_journal_field(server, ports, journal):
    s = server(one(ports[0], journal.sink() + "limits { head 64K }\n"), wait=None)
    wait_for(lambda: any("is served" in r["MESSAGE"] for r in journal.read("BULKHEAD_ROLE=master")),
             "the start")
    send_hostile(ports[0])
    records = wait_for(lambda: len(found := journal.read("BULKHEAD_ROLE=worker")) >= len(HOSTILE)
                       and found, "all records")
    assert s.stop() == 0
    assert len(records) == len(HOSTILE)
    for r in records:
        assert re.fullmatch(rf"\[PORT {ports[0]}\] {ACCESS}", r["MESSAGE"]), r["MESSAGE"]
        assert r["PRIORITY"] == "6" and r["BULKHEAD_STATUS"] != "999"
        for name, value in r.items():
            assert isinstance(value, str), name  # nothing twice, nothing that is not text
            assert re.fullmatch(r"[ -~]*", value), name
            assert name.startswith(("_", "BULKHEAD_")) or name in (
                "MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "SYSLOG_PID"), name
        if "BULKHEAD_PATH" in r:
            assert r["BULKHEAD_PATH"] in r["MESSAGE"]


def test_the_journal_has_the_reason(server, ports, journal):
    server(one(ports[0], journal.sink()), wait=None)
    wait_for(lambda: any("is served" in m for m in journal.messages()), "a served port")
    for sent, line, reason, excerpt in REASONS:
        with Connection(ports[0]) as c:
            c.send(sent)
            c.response()
    records = wait_for(lambda: len(found := journal.read("BULKHEAD_ROLE=worker")) >= len(REASONS)
                       and found, "all records")
    for record, (sent, line, reason, excerpt) in zip(records, REASONS):
        assert re.search(told(line, reason, excerpt) + "$", record["MESSAGE"])
        assert record.get("BULKHEAD_REASON") == reason
        assert ("BULKHEAD_METHOD" in record) == (line.split()[0] != '"-"')


def until_logged(port, found):
    """Makes requests until the log has one of them again; returns the time."""
    begun = time.monotonic()

    def attempt():
        path = f"/again{time.monotonic_ns()}"
        assert get(port, path).status == 200
        end = time.monotonic() + 0.1
        while time.monotonic() < end:
            if found(path):
                return True
            time.sleep(0.01)
        return False

    wait_for(attempt, "logging")
    return time.monotonic() - begun


def test_journald_may_die_and_come_back(server, ports, journal, record_property):
    s = server(one(ports[0], journal.sink() + "log to console\n"))
    before = s.workers()
    for _ in range(2):
        journal.kill()
        assert burst(ports[0], 200) < 60
        journal.start()
        record_property("resumed after seconds", until_logged(
            ports[0], lambda path: journal.read(f"BULKHEAD_PATH={path}")))
    # Some of the other requests may be among those that are lost.
    wait_for(lambda: dropped(journal.messages("BULKHEAD_ROLE=worker")) +
             len(journal.read("BULKHEAD_PATH=/")) >= 400, "every request, logged or counted")
    told = [r for r in journal.read("BULKHEAD_ROLE=worker") if "dropped" in r["MESSAGE"]]
    assert all(r["PRIORITY"] == "4" for r in told)
    assert s.workers() == before
    assert s.stop() == 0
    assert "dropped" not in s.log()  # of the journal only


def test_a_stopped_journald_costs_records_only(server, ports, journal):
    s = server(one(ports[0], journal.sink()), wait=None)
    wait_for(lambda: any("is served" in m for m in journal.messages()), "a served port")
    journal.signal(signal.SIGSTOP)
    count = journal.queue_length() + 4000  # more than the worker's pipe holds, too
    assert burst(ports[0], count) < 60
    journal.signal(signal.SIGCONT)
    wait_for(lambda: dropped(journal.messages("BULKHEAD_ROLE=worker")), "the word of the loss")
    wait_for(lambda: len(journal.read("BULKHEAD_STATUS=200")) +
             dropped(journal.messages("BULKHEAD_ROLE=worker")) == count,
             "every request, logged or counted")
    assert s.stop() == 0


# --- syslog ------------------------------------------------------------------------------------


def test_syslog_has_the_line(server, ports, syslog):
    server(one(ports[0], syslog.sink("facility local3") + "log to console\n"))
    assert get(ports[0], "/path?q").status == 200
    line = wait_for(lambda: [x for x in syslog.lines() if "Received" in x], "the line")[0]
    assert re.fullmatch(r"158 [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d bulkhead\[\d+\]: "
                        rf"\[PORT {ports[0]}\] Received GET request from \('127\.0\.0\.1', \d+\) "
                        r'"GET /path\?q HTTP/1\.1" 200 14 \d+\.\dms', line), line
    served, = [x for x in syslog.lines() if "is served" in x]
    assert re.match(r"15\d .* bulkhead\[\d+\]: \[MASTER\] ", served)


def test_no_client_forges_a_syslog_line(server, ports, syslog):
    s = server(one(ports[0], syslog.sink() + "log to console\nlimits { head 64K }\n"))
    pid = s.workers()[ports[0], 1]
    send_hostile(ports[0])
    records = wait_for(lambda: len(found := [x for x in syslog.lines() if "Received" in x])
                       >= len(HOSTILE) and found, "all lines")
    assert len(records) == len(HOSTILE)
    assert s.stop() == 0
    assert re.fullmatch(r"[ -~\n]*", syslog.text())
    for line in records:
        assert re.fullmatch(rf"30 \S+ +\d+ \S+ bulkhead\[{pid}\]: \[PORT {ports[0]}\] {ACCESS}",
                            line), line


def test_rsyslogd_may_die_and_come_back(server, ports, syslog, record_property):
    s = server(one(ports[0], syslog.sink() + "log to console\n"))
    before = s.workers()
    for _ in range(2):
        syslog.kill()
        assert burst(ports[0], 200) < 60
        syslog.start()
        record_property("resumed after seconds",
                        until_logged(ports[0], lambda path: path + " " in syslog.text()))
    wait_for(lambda: dropped(syslog.lines()) +
             sum('"GET / HTTP' in x for x in syslog.lines()) >= 400,
             "every request, logged or counted")
    assert s.workers() == before
    assert s.stop() == 0


def test_a_stopped_rsyslogd_costs_records_only(server, ports, syslog):
    s = server(one(ports[0], syslog.sink() + "log to console\n"))
    syslog.signal(signal.SIGSTOP)
    count = syslog.queue_length() + 4000
    assert burst(ports[0], count) < 60
    syslog.signal(signal.SIGCONT)
    wait_for(lambda: dropped(x for x in syslog.lines() if "[PORT" in x), "the word of the loss")
    wait_for(lambda: sum("Received" in x for x in syslog.lines()) +
             dropped(x for x in syslog.lines() if "[PORT" in x) == count,
             "every request, logged or counted")
    assert s.stop() == 0


def test_a_daemon_that_is_missing_at_the_start_may_come_later(server, ports, syslog):
    syslog.kill()
    s = server(one(ports[0], syslog.sink() + "log to console\n"))
    assert burst(ports[0], 50) < 60
    syslog.start()
    until_logged(ports[0], lambda path: path + " " in syslog.text())
    assert s.stop() == 0


def test_a_daemon_that_is_none_keeps_no_port_from_being_served(server, ports, tmp_path):
    """Something else listens where the daemon was."""
    path = tmp_path / "log.sock"
    s = server(f'log to syslog path "{path}"\nlog to console\n' + one(ports[0]))
    with socket.socket(socket.AF_UNIX) as stream:
        stream.bind(str(path))
        stream.listen()
        os.kill(s.workers()[ports[0], 1], signal.SIGKILL)
        s.wait_ready(ports[0], "worker", 2)
        assert get(ports[0]).body == HELLO


# --- no daemon there ---------------------------------------------------------------------------

GONE = "no log daemon can be reached at {}: {}; records for {} are lost"


@contextlib.contextmanager
def nobody(tmp_path, kind):
    """Replacements for a daemon's socket and the message for each: nothing, a socket without
    its process, a socket of another kind, a file."""
    path = tmp_path / f"{kind}.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as left, \
            socket.socket(socket.AF_UNIX) as stream:
        if kind == "left":
            left.bind(str(path))
            left.close()
        elif kind == "stream":
            stream.bind(str(path))
            stream.listen()
        elif kind == "file":
            path.write_text("")
        yield path, {"missing": "No such file or directory", "left": "Connection refused",
                     "stream": "Protocol wrong type for socket", "file": "Connection refused"}[kind]


@pytest.mark.parametrize("kind", ["missing", "left", "stream", "file"])
@pytest.mark.parametrize("sink", ["syslog", "journal"])
def test_a_missing_daemon_is_told(server, ports, tmp_path, kind, sink):
    with nobody(tmp_path, kind) as (path, why):
        missing_daemon(server, ports, tmp_path, sink, path, why)


def missing_daemon(server, ports, tmp_path, sink, path, why):
    told = GONE.format(path, why, "the journal" if sink == "journal" else sink)
    text = f'log to {sink} path "{path}"\ncontrol "{tmp_path}/control"\n' + one(ports[0])
    s = server(text, wait=None)
    wait_for(lambda: not refused(ports[0]), "a socket that listens")
    assert get(ports[0]).status == 200  # before, the status has another exit status
    wait_for(lambda: ctl(tmp_path, "status", check=False), "its control socket")
    assert s.log() == f"bulkhead: warning: {told} until it can be\n"
    assert json.loads(ctl(tmp_path, "status", "--json"))["log"] == [
        {"to": sink, "path": str(path), "reached": False, "error": why, "dropped": 0}]
    assert f"log lost: {sink} cannot be reached ({why})" in ctl(tmp_path, "status")
    r = subprocess.run([BINARY, "-t", "-f", s.config], capture_output=True, text=True, timeout=60)
    assert r.returncode == 0
    assert r.stderr.splitlines() == [f"{s.config}:2:8: warning: {told}", "configuration ok: 1 port"]


def ctl(folder, *words, check=True):
    return subprocess.run([BINARY.with_name("bulkheadctl"), "-s", folder / "control", *words],
                          check=check, capture_output=True, text=True, timeout=60).stdout


def test_the_background_tells_of_a_missing_syslog(ports, tmp_path, certificates):
    """Nothing is configured, so it is /dev/log; in a namespace that has none."""
    namespace = daemons.Namespace()
    config, pid_file = tmp_path / "bulkhead.conf", tmp_path / "pid"
    config.write_text(certificates.tls() + one(ports[0]))
    told = GONE.format("/dev/log", "No such file or directory", "syslog")
    try:
        r = subprocess.run([*namespace.enter, BINARY, "-t", "-D", "-f", config], check=True,
                           timeout=60, capture_output=True, text=True)
        assert f"{config}: warning: {told}\n" in r.stderr
        r = subprocess.run([*namespace.enter, BINARY, "-t", "-f", config], check=True, timeout=60,
                           capture_output=True, text=True)
        assert "log daemon" not in r.stderr  # in the foreground the console is it
        r = subprocess.run([*namespace.enter, BINARY, "-D", "-P", pid_file, "-f", config],
                           check=True, timeout=60, capture_output=True, text=True)
        assert r.stderr == f"bulkhead: warning: {told} until it can be\n"
        os.kill(int(pid_file.read_text()), signal.SIGTERM)
        wait_for(lambda: not pid_file.exists(), "the end of the daemon")
    finally:
        namespace.close()


def test_other_sinks_are_told_when_a_daemon_goes_and_comes(server, ports, syslog):
    s = server(one(ports[0], syslog.sink() + "log to console\n"))
    assert "log daemon" not in s.log()
    for n in (1, 2):
        syslog.kill()
        assert burst(ports[0], 50) < 60
        s.wait_log(re.escape(GONE.format(syslog.socket, "Connection refused", "syslog")), count=n)
        syslog.start()
        until_logged(ports[0], lambda path: path + " " in syslog.text())
        s.wait_log(f"the log daemon at {syslog.socket} takes records", count=n)
    assert s.stop() == 0
