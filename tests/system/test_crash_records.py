"""The cause of each process's end, with the request and the place, on the console, in syslog
and in the journal. The watchdog finds processes that hang or are stopped, and a port's totals
survive its processes."""
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

import daemons
from harness import (BINARY, HELLO, TIMEOUT, TOP, Connection, get, have, memory_cgroup, need_root,
                     sanitized, status_of, wait_for)

CONSOLE = "log to console\n"
EAGER = "restart { backoff 1ms to 1ms; park after 64 in 10ms }\n"
# A sanitizer would report the crashes that these tests want.
SANITIZER = ":".join(f"handle_{name}=0" for name in ("segv", "abort", "sigbus", "sigill", "sigfpe"))
ENV = {"ASAN_OPTIONS": SANITIZER + ":detect_leaks=0", "TSAN_OPTIONS": SANITIZER}
MESSAGE_ID = "a2d408b25c314c2d936f304018e4cc81"
# A chain of functions of the program itself, the static ones too.
CHAIN = r"\bfault_\w+\+0x[0-9a-f]+ < .*\bconn_\w+\+0x.*\bloop_turn\+0x[0-9a-f]+ < .*\bmain\+0x"


def conf(ports, extra="", top=""):
    return (f'faults enabled\n{EAGER}{top}'
            f'port {ports[0]} {{ {extra}\n'
            '  location "/fault" { fault control } respond 200 "Hello, world!\\n" }\n'
            f'port {ports[1]} {{ respond 200 "Hello, world!\\n" }}\n')


def ask(port, path):
    """Makes a request that the server answers by closing the connection; returns the client's
    port."""
    with Connection(port) as c:
        c.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        try:
            c.read_to_end()
        except OSError:
            pass
        return c.local_port


def others_serve(s, port, before):
    assert get(port).body == HELLO
    assert s.workers(port) == before


# --- crashes -----------------------------------------------------------------------------------


@pytest.mark.plain_too
def test_a_crash_names_signal_request_client_and_place(server, ports):
    s = server(conf(ports), env=ENV)
    before = s.workers(ports[1])
    client = ask(ports[0], "/fault/crash?how=null&x=%22%5c")  # not a real parameter
    assert "crashed" not in s.log()
    client = ask(ports[0], "/fault/crash?how=null")
    s.wait_log(rf"\[PORT {ports[0]}\] worker 1 \(pid \d+\) crashed by SIGSEGV \(address not mapped: "
               r"0x[0-9a-f]+\) after \d+\.\d{3}s and 1 request; starting it again\n")
    s.wait_log(rf"\[PORT {ports[0]}\]   request: GET /fault/crash\?how=null\n")
    s.wait_log(rf"\[PORT {ports[0]}\]   client: \('127\.0\.0\.1', {client}\)\n")
    s.wait_log(rf"\[PORT {ports[0]}\]   backtrace: .*{CHAIN}")
    others_serve(s, ports[1], before)


@pytest.mark.skipif(bool(sanitized()), reason="the names are the same, the program takes long to copy")
def test_names_are_there_in_a_stripped_program(tmp_path, certificates, ports, server):
    if not have("strip"):
        pytest.skip("needs strip")
    stripped = tmp_path / "bulkhead"
    shutil.copy(BINARY, stripped)
    subprocess.run(["strip", "--strip-all", stripped], check=True)
    assert b"no symbols" in subprocess.run(["nm", stripped], capture_output=True, check=False).stderr
    s = server(conf(ports), env=ENV,
               wrapper=("sh", "-c", f'shift; exec {stripped} "$@"', "sh"))
    ask(ports[0], "/fault/crash?how=null")
    s.wait_log(rf"backtrace: .*{CHAIN}")


@pytest.mark.parametrize("how,pattern", [
    ("crash?how=heap", r"crashed by SIG(ABRT|SEGV|BUS)"),
    ("crash?how=stack", r"crashed by SIG(ABRT|SEGV|BUS)"),
    ("crash?signal=FPE", r"crashed by SIGFPE"),
    ("abort", r"crashed by SIGABRT"),
])
def test_a_crash_of_any_kind_has_its_request(server, ports, how, pattern):
    if sanitized() and "how" in how:
        pytest.skip("a sanitizer finds it before it can do any harm")
    s = server(conf(ports), env=ENV)
    ask(ports[0], f"/fault/{how}")
    s.wait_log(rf"worker 1 \(pid \d+\) {pattern}.* after ")
    s.wait_log(rf"  request: GET /fault/{re.escape(how)}\n")
    assert get(ports[0]).body == HELLO


def test_a_request_that_is_killed_from_outside_is_named(server, ports):
    """kill -9 lets no process record anything; the request is known all the same."""
    s = server(conf(ports, top="watchdog off\n"), env=ENV)
    [pid] = s.workers(ports[0]).values()
    client = threading.Thread(target=ask, args=(ports[0], "/fault/hang?how=loop"))
    client.start()
    s.wait_log("fault .*hang")
    os.kill(pid, signal.SIGKILL)
    client.join()
    s.wait_log(rf"worker 1 \(pid {pid}\) was killed from outside by SIGKILL after ")
    s.wait_log(r"  request: GET /fault/hang\?how=loop\n")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_an_idle_worker_that_is_killed_was_at_nothing(server, ports, number):
    s = server(conf(ports), env=ENV)
    with Connection(ports[0]) as c:
        assert c.get("/finished").body == HELLO
        s.wait_log("GET /finished")
        wait_for(lambda: status_of(s.workers(ports[0])[ports[0], 1])["State"].startswith("S"), "sleep")
        os.kill(s.workers(ports[0])[ports[0], 1], number)
        s.wait_ready(ports[0], "worker", 2)
    assert "request:" not in s.log()
    assert "client:" not in s.log()


def test_a_call_for_the_masters_status_harms_no_child(server, ports):
    """pkill -USR1 bulkhead reaches all of that name."""
    s = server(conf(ports))
    before = {*s.workers().values(), *s.keyholders().values()}
    for pid in before:
        os.kill(pid, signal.SIGUSR1)
    s.kill(signal.SIGUSR1)
    s.wait_log("status: serving")
    assert get(ports[0]).body == HELLO
    assert {*s.workers().values(), *s.keyholders().values()} == before


SLOWNESS = TIMEOUT / 30  # 1, or more in an emulated machine


def unfinished_head(port):
    c = Connection(port, timeout=SLOWNESS)
    c.send(b"GET / HTTP/1.1\r\nX: " + b"x" * 60000)
    return c


def unfinished_hello(port):
    """120 KB of a message that says it has 16 MB, in records of 1000 bytes."""
    record = b"\x16\x03\x01\x03\xe8"
    s = socket.create_connection(("127.0.0.1", port), timeout=SLOWNESS)
    s.sendall(b"\x16\x03\x01\x00\x04\x01\xff\xff\xff" + (record + b"a" * 1000) * 120)
    return s


def unread_echo(port):
    c = Connection(port, timeout=SLOWNESS)
    c.send(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n")
    with contextlib.suppress(TimeoutError):
        c.socket.settimeout(0.02 * SLOWNESS)
        for _ in range(16):
            c.send(bytes(62500))
    return c


@pytest.mark.skipif(bool(sanitized()), reason="knows no limit of memory")
@pytest.mark.parametrize("hold, head", [(unfinished_head, "64K"), (unfinished_hello, "16K"),
                                        (unread_echo, "16K")])
def test_clients_that_use_up_the_memory_cost_nobody_a_connection(server, ports, hold, head):
    """Their memory is freed: the worker stays, and its other clients stay connected."""
    held = " ".join(f"{limit} {2 * TIMEOUT}s" for limit in (
        "idle", "head-timeout", "handshake-timeout", "body-timeout", "write-timeout"))
    s = server(f"port {ports[0]} {{ limits {{ memory 64M connections 4000 head {head} {held} }}\n"
               '  location "/echo" { echo } respond 200 "Hello, world!\\n" }\n')
    before = s.workers()
    full = "cannot accept: Cannot allocate memory"
    with Connection(ports[0]) as idle, contextlib.ExitStack() as stack:
        assert idle.get().body == HELLO
        for _ in range(1500):
            if full in s.log():
                break
            with contextlib.suppress(OSError):
                stack.enter_context(hold(ports[0]))
        s.wait_log(full)
        stack.close()
        wait_for(lambda: get(ports[0]).body == HELLO, "service again")
        assert idle.get().body == HELLO
    assert s.workers() == before
    assert "another worker takes over" not in s.log()


def test_causes_are_told_apart(server, ports):
    s = server(conf(ports), env=ENV)
    for n, (path, pattern) in enumerate([
            ("exit?status=3", r"ended with status 3"),
            ("violation?call=socket", r"was ended by its sandbox for the system call socket \(\d+\)"),
            ("crash?signal=ALRM", r"was killed from outside by SIGALRM"),
            ("crash?signal=KILL", r"was killed from outside by SIGKILL"),
            ("crash?signal=SEGV", r"crashed by SIGSEGV")], 2):
        ask(ports[0], f"/fault/{path}")
        s.wait_log(rf"worker 1 \(pid \d+\) {pattern} after ")
        s.wait_ready(ports[0], "worker", n)
    os.kill(s.workers(ports[0])[ports[0], 1], signal.SIGTERM)
    s.wait_log(r"worker 1 \(pid \d+\) drained after ")
    os.kill(s.keyholders(ports[0])[ports[0], 1], signal.SIGSEGV)
    s.wait_log(r"keyholder 1 \(pid \d+\) was killed from outside by SIGSEGV \(sent by process "
               rf"{os.getpid()} of user {os.getuid()}\) after \S+ and \d+ signatures")


@pytest.mark.skipif(bool(sanitized()), reason="its shadow does not fit any group")
def test_the_out_of_memory_killer_is_told_from_others(server, ports):
    need_root()
    folder = memory_cgroup(f"bulkhead-test-{os.getpid()}", 48 << 20)
    if folder is None:
        pytest.skip("no memory control group can be made")
    try:
        s = server(conf(ports, "limits { memory 1G } restart { park after 1 in 60s }"),
                   wrapper=("sh", "-c", f'echo $$ > {folder}/cgroup.procs; exec "$@"', "sh"))
        before = s.workers(ports[1])
        for n in range(1, 4):
            ask(ports[0], "/fault/leak-memory?rate=200m")
            s.wait_log(r"worker 1 \(pid \d+\) was killed by the kernel for lack of memory after "
                       r".*; starting it again in \d", count=n)
            s.wait_ready(ports[0], "worker", n + 1)
        assert get(ports[0]).body == HELLO
        assert "PARKED" not in s.log()
        others_serve(s, ports[1], before)
        assert s.stop() == 0
    finally:
        wait_for(lambda: os.rmdir(folder) is None, "the group's end")


QUEUE = """
import os, signal, sys
os.setgroups([]), os.setgid(int(sys.argv[1])), os.setuid(int(sys.argv[1]))
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN])
for _ in range(200):
    os.kill(os.getpid(), signal.SIGRTMIN)
print("full", flush=True)
sys.stdin.read()
"""


def test_a_full_queue_of_the_users_signals_makes_no_sender_up(server, ports):
    """If the queue is full, the kernel drops the sender of abort(3)'s signal. It reports
    process 0 of user 0 instead, which has sent nothing."""
    need_root("prlimit")
    s = server(conf(ports), env=ENV, wrapper=("prlimit", "--sigpending=64:64", "--"))
    uid = status_of(s.workers(ports[0])[ports[0], 1])["Uid"].split()[0]
    filler = subprocess.Popen([sys.executable, "-c", QUEUE, uid], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE)
    try:
        assert filler.stdout.readline() == b"full\n"
        ask(ports[0], "/fault/abort?when=before")
        s.wait_log(r"worker 1 \(pid \d+\) crashed by SIGABRT \(sender unknown\) after ")
    finally:
        filler.stdin.close()
        filler.wait(TIMEOUT)
        filler.stdout.close()
    assert "killed from outside" not in s.log() and "process 0" not in s.log()
    s.wait_ready(ports[0], "worker", 2)
    ask(ports[0], "/fault/abort?when=before")
    s.wait_log(r"worker 1 \(pid \d+\) crashed by SIGABRT after ")


@pytest.mark.skipif(bool(sanitized()), reason="the memory is not where it says")
def test_a_forbidden_call_counts_though_the_recorder_was_destroyed(server, ports):
    """As a taken-over worker may do: the kernel ends it by a fault in the recorder. The test
    changes its memory from outside."""
    need_root("nm")
    names = subprocess.run(["nm", BINARY], capture_output=True, text=True, check=True).stdout
    found = re.search(r"^([0-9a-f]+) t record$", names, re.M)
    if found is None:
        pytest.skip("a stripped program")
    s = server("faults enabled\nrestart { backoff 1ms to 1ms; park after 2 in 1d }\n"
               f'port {ports[0]} {{ location "/fault" {{ fault control }} respond 200 }}\n'
               f'port {ports[1]} {{ respond 200 "Hello, world!\\n" }}\n')
    before = s.workers(ports[1])
    for n in range(1, 3):
        time.sleep(1.1)  # it lives for longer than a quick death
        pid = s.workers(ports[0])[ports[0], 1]
        with open(f"/proc/{pid}/maps", errors="replace") as f:
            start = int(f.read().split("-")[0], 16)
        with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
            memory.seek(start + int(found[1], 16))
            memory.write(b"\0" * 16 if os.uname().machine == "aarch64" else b"\x0f\x0b" * 8)
        ask(ports[0], "/fault/violation?call=socket")
        s.wait_log(rf"worker 1 \(pid {pid}\) crashed by SIG\w+, and its crash recorder could not run")
    s.wait_log(rf"\[PORT {ports[0]}\] PARKED .*: too many crashes that could not be recorded")
    others_serve(s, ports[1], before)


# --- structured ----------------------------------------------------------------------------------


def test_the_journal_has_fields(server, ports):
    need_root("systemd-journald", "journalctl")
    with contextlib.closing(daemons.Journal()) as journal:
        s = server(conf(ports) + journal.sink() + CONSOLE, env=ENV)
        client = ask(ports[0], "/fault/crash?how=null")
        [e] = wait_for(lambda: journal.read(f"MESSAGE_ID={MESSAGE_ID}"), "the record")
        [fault] = re.findall(r"fault (\w+-\w+): crash", "\n".join(journal.messages()))
        assert client
        assert e["BULKHEAD_CAUSE"] == "crash"
        assert e["BULKHEAD_SIGNAL"] == "SIGSEGV"
        assert e["BULKHEAD_PORT"] == str(ports[0])
        assert e["BULKHEAD_WORKER"] == "1"
        assert e["BULKHEAD_CHILD"] == "worker 1"
        assert e["BULKHEAD_REQUEST"] == "GET /fault/crash?how=null"
        assert e["BULKHEAD_REQUEST_ID"] == fault
        assert e["BULKHEAD_CLIENT"] == "127.0.0.1"
        assert re.search(CHAIN, e["BULKHEAD_BACKTRACE"])
        assert e["BULKHEAD_RESTARTS"] == "0"
        assert int(e["BULKHEAD_UPTIME_SEC"]) >= 0
        assert e["PRIORITY"] == "4"
        assert re.fullmatch(rf"\[PORT {ports[0]}\] worker 1 \(pid {e['BULKHEAD_PID']}\) crashed by "
                            r"SIGSEGV .*; starting it again", e["MESSAGE"])
        assert s.stop() == 0
        [last] = [e for e in journal.read("BULKHEAD_CAUSE=drained", f"BULKHEAD_PORT={ports[0]}")
                  if e.get("BULKHEAD_WORKER")]
        assert last["MESSAGE_ID"] != MESSAGE_ID
        assert last["BULKHEAD_RESTARTS"] == "1"


def test_syslog_has_fields_behind_the_text(server, ports):
    need_root("rsyslogd")
    with contextlib.closing(daemons.Syslog()) as syslog:
        s = server(conf(ports) + syslog.sink() + CONSOLE, env=ENV)
        ask(ports[0], '/fault/crash?how=null&]"=%22')
        ask(ports[0], "/fault/crash?how=null")
        [line] = wait_for(lambda: [x for x in syslog.lines() if "BULKHEAD_CAUSE" in x], "the record")
        fields = dict(re.findall(r'(BULKHEAD_\w+)="((?:[^"\\\]]|\\.)*)"', line))
        assert re.search(r" crashed by SIGSEGV .*; starting it again \[BULKHEAD_CAUSE=", line)
        assert line.endswith('"]')
        assert fields["BULKHEAD_CAUSE"] == "crash"
        assert fields["BULKHEAD_REQUEST"] == "GET /fault/crash?how=null"
        assert re.search(CHAIN, fields["BULKHEAD_BACKTRACE"])
        assert s.stop() == 0


def test_what_a_client_sends_forges_no_field(server, ports):
    need_root("systemd-journald", "journalctl", "rsyslogd")
    with contextlib.closing(daemons.Journal()) as journal, \
            contextlib.closing(daemons.Syslog()) as syslog:
        s = server(conf(ports, 'location "/x" { fault crash }') + journal.sink() + syslog.sink() + CONSOLE,
                   env=ENV)
        hostile = '/x?"]\\BULKHEAD_PORT=1%0aBULKHEAD_PORT=2' + "a" * 1000
        ask(ports[0], hostile)
        [e] = wait_for(lambda: journal.read(f"MESSAGE_ID={MESSAGE_ID}"), "the record")
        assert e["BULKHEAD_PORT"] == str(ports[0])
        assert e["BULKHEAD_REQUEST"].startswith('GET /x?\\"]\\\\BULKHEAD_PORT=1%0aBULKHEAD_PORT=2aaa')
        assert e["BULKHEAD_REQUEST"].endswith("aaa...")
        assert len(e["BULKHEAD_REQUEST"]) < 300
        [line] = wait_for(lambda: [x for x in syslog.lines() if "BULKHEAD_CAUSE" in x], "the record")
        request = re.search(r'BULKHEAD_REQUEST="((?:[^"\\\]]|\\.)*)"', line)[1]
        assert re.sub(r"\\(.)", r"\1", request) == e["BULKHEAD_REQUEST"]
        assert s.stop() == 0


# --- what hangs ----------------------------------------------------------------------------------


@pytest.mark.plain_too
def test_who_is_stopped_is_aborted_and_recorded(server, ports):
    s = server(conf(ports, "workers 2", top="watchdog 3s\n"), env=ENV)
    first, second = (s.workers(ports[0])[ports[0], n] for n in (1, 2))
    before = s.workers(ports[1])
    os.kill(first, signal.SIGSTOP)
    s.wait_log(rf"worker 1 \(pid {first}\) is stopped; aborting it")
    s.wait_log(rf"worker 1 \(pid {first}\) was stopped for more than 3s and was aborted by the "
               r"watchdog after .*; starting it again\n.*  backtrace: .*\bloop_turn\+0x")
    s.wait_ready(ports[0], "worker", 3)
    assert s.workers(ports[0])[ports[0], 2] == second
    others_serve(s, ports[1], before)


def test_a_keyholder_that_is_stopped_is_found(server, ports):
    s = server(conf(ports, top="watchdog 3s\n"), env=ENV)
    worker = s.workers(ports[0])
    [pid] = s.keyholders(ports[0]).values()
    os.kill(pid, signal.SIGSTOP)
    s.wait_log(rf"keyholder 1 \(pid {pid}\) was stopped for more than 3s and was aborted by the watchdog")
    s.wait_ready(ports[0], "keyholder", 2)
    assert get(ports[0]).body == HELLO
    assert s.workers(ports[0]) == worker


def test_who_goes_on_in_time_is_left_alone(server, ports):
    s = server(conf(ports, top="watchdog 3s\n"))
    before = s.workers()
    pid = before[ports[0], 1]
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: status_of(pid)["State"].startswith("T"), "the stop")
    os.kill(pid, signal.SIGCONT)
    # The watchdog finds another process that was stopped later, so it has looked long enough.
    other = before[ports[1], 1]
    os.kill(other, signal.SIGSTOP)
    s.wait_log(rf"worker 1 \(pid {other}\) was stopped for more than 3s")
    assert get(ports[0]).body == HELLO
    assert s.workers(ports[0])[ports[0], 1] == pid


def test_a_machine_that_slept_is_no_hang(server, ports):
    """All processes are stopped for longer than the limit, as on a suspended machine."""
    s = server(conf(ports, top="watchdog 3s\n"))
    before = s.workers()
    family = [s.pid, *s.workers().values(), *s.keyholders().values()]
    for pid in family:
        os.kill(pid, signal.SIGSTOP)
    with pytest.raises(AssertionError):  # nothing happens in that time
        wait_for(lambda: "watchdog" in s.log(), "anything", timeout=5)
    for pid in family:
        os.kill(pid, signal.SIGCONT)
    # The watchdog works again: it finds the processes that are stopped from now on, and no
    # other.
    os.kill(before[ports[1], 1], signal.SIGSTOP)
    s.wait_log(rf"worker 1 \(pid {before[ports[1], 1]}\) was stopped for more than 3s")
    assert get(ports[0]).body == HELLO
    assert len(re.findall("by the watchdog", s.log())) == 1


def test_a_watchdog_that_is_off_lets_everything_hang(server, ports):
    s = server(conf(ports[1:], "watchdog off", top="watchdog 3s\n") +
               f'port {ports[0]} {{ respond 200 "Hello, world!\\n" }}')
    off, on = s.workers(ports[1])[ports[1], 1], s.workers(ports[0])[ports[0], 1]
    os.kill(off, signal.SIGSTOP)
    os.kill(on, signal.SIGSTOP)
    s.wait_log(rf"pid {on}\) was stopped for more than 3s")
    os.kill(off, signal.SIGCONT)
    assert get(ports[1]).body == HELLO
    assert s.workers(ports[1])[ports[1], 1] == off


# --- what survives -------------------------------------------------------------------------------


def totals(s, port, n):
    """The n-th status of that port, as numbers."""
    s.kill(signal.SIGUSR1)
    line = s.wait_log(rf"\[PORT {port}\] status: (\w+): (.*)\n", count=n)[n - 1]
    return line[1], {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)(?![\d:])", line[2])}


def test_totals_of_a_port_survive_its_workers(server, ports):
    s = server(conf(ports), env=ENV)
    with Connection(ports[0]) as c:
        for _ in range(5):
            assert c.get().status == 200
        assert c.get("/fault/nonsense").status == 404
    state, before = wait_for(lambda: (t := totals(s, ports[0], 1)), "a status")
    assert state == "serving"
    assert (before["requests"], before["responses_2xx"], before["responses_4xx"]) == (6, 5, 1)
    assert before["connections_total"] == before["handshakes_full"] == 1
    assert before["bytes_in"] > 100 and before["bytes_out"] > 1000
    ask(ports[0], "/fault/abort")
    s.wait_ready(ports[0], "worker", 2)
    assert get(ports[0]).body == HELLO
    state, after = totals(s, ports[0], 2)
    assert after["requests"] >= 7
    assert after["restarts"] == 1
    assert after["signatures"] >= before["signatures"] + 1
    # The line after the one with the totals, which is in the log a little earlier.
    s.wait_log(rf"\[PORT {ports[0]}\] status: \d{{4}}-.* worker 1 \(pid \d+\) crashed by SIGABRT.*; "
               r"request: GET /fault/abort; client: 127\.0\.0\.1; backtrace: ")


def test_the_last_sixteen_ends_of_a_port_are_kept(server, ports):
    s = server(conf(ports), env=ENV)
    for n in range(18):
        ask(ports[0], f"/fault/exit?status={n + 1}")
        s.wait_ready(ports[0], "worker", n + 2)
    s.kill(signal.SIGUSR1)
    s.wait_log(rf"\[PORT {ports[1]}\] status: serving")
    kept = re.findall(rf"\[PORT {ports[0]}\] status: \d{{4}}-.* ended with status (\d+)", s.log())
    assert [int(n) for n in kept] == list(range(3, 19))


def test_handshakes_that_fail_are_counted_by_reason(server, ports):
    s = server(conf(ports, "limits { handshake-timeout 200ms }"))
    with socket.create_connection(("127.0.0.1", ports[0]), TIMEOUT) as c:
        c.sendall(b"GET / HTTP/1.0\r\n\r\n")  # no TLS at all
        while c.recv(4096):
            pass
    with socket.create_connection(("127.0.0.1", ports[0]), TIMEOUT) as c:
        assert c.recv(4096) == b""  # says nothing, until the limit
    s.kill(signal.SIGUSR1)
    line = s.wait_log(rf"\[PORT {ports[0]}\] status: serving:.*\n")[0][0]
    assert "handshakes_failed_timeout=1" in line
    assert re.search(r"handshakes_failed_(malformed|version|other)=1", line)


def test_names_whose_addresses_look_like_one_number_are_all_in_the_table():
    """0e345 and 0e360, read as numbers, are both nothing."""
    awk = TOP / "src" / "crash" / "symbols.awk"
    names = "".join(f"000000000000e3{n}0 T name{n}\n" for n in range(10))
    made = subprocess.run(["awk", "-f", awk], input=names, capture_output=True, text=True, check=True)
    assert made.stdout.count("{0x") == 10 and 'name9\\0' in made.stdout
