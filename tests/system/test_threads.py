"""Threads in a worker: a compile option, and a clear error in builds without it."""
import contextlib
import json
import os
import signal
import socket
import threading

import pytest

import daemons
from harness import HELLO, Connection, get, refused, sanitized, wait_for

EAGER = "restart { backoff 1ms to 1ms; park after 64 in 10ms }\n"
ENV = {"TSAN_OPTIONS": "handle_segv=0", "ASAN_OPTIONS": "handle_segv=0"}


@pytest.fixture
def built_with_threads(run, conf_file, certificates):
    text = certificates.tls() + "port 9999 { threads 2 respond 200 }"
    return run("-t", "-f", conf_file("threads.conf", text)).returncode == 0


def test_without_the_option_the_statement_is_a_clear_error(run, conf_file, certificates,
                                                           built_with_threads):
    if built_with_threads:
        pytest.skip("this binary was built with THREADS=1")
    text = certificates.tls() + "port 9999 { threads 2 respond 200 }"
    result = run("-t", "-f", conf_file("t.conf", text))
    assert result.returncode == 1
    assert "make THREADS=1" in result.stderr


def test_the_thread_that_crashed_is_told(server, ports, built_with_threads):
    if not built_with_threads:
        pytest.skip("this binary was built without THREADS=1")
    with contextlib.closing(daemons.Journal()) as journal:
        s = server("faults enabled\n" + journal.sink() + "log to console\n" + EAGER +
                   f'port {ports[0]} {{ threads 4 location "/fault" {{ fault control }} echo }}',
                   env=ENV)
        seen = set()
        for n in range(40):
            with contextlib.ExitStack() as stack:
                loops = {}

                def two():
                    c = stack.enter_context(Connection(ports[0]))
                    loops.setdefault(json.loads(c.get("/").body)["request_id"].split("-")[0], c)
                    return len(loops) > 1
                wait_for(two, "connections to two loops")
                prefix, c = list(loops.items())[n % 2]
                pid = s.workers(ports[0])[ports[0], 1]
                c.send(b"GET /fault/crash?signal=SEGV HTTP/1.1\r\nHost: a\r\n\r\n")
                assert c.read_to_end() == b""
            s.wait_ready(ports[0], "worker", n + 2)
            [e] = wait_for(lambda p=pid: journal.read(f"BULKHEAD_PID={p}"), "the record")
            assert e["BULKHEAD_REQUEST_ID"].split("-")[0] == prefix  # that loop's
            assert e["BULKHEAD_REQUEST"] == "GET /fault/crash?signal=SEGV"
            seen.add(int(e["BULKHEAD_THREAD"]))
            if len(seen) > 1:
                break
        assert len(seen) > 1 and seen <= {1, 2, 3, 4}


def test_a_loop_that_has_drained_is_no_hang(server, ports, built_with_threads):
    """The other one still serves, for longer than the watchdog's limit."""
    if not built_with_threads:
        pytest.skip("this binary was built without THREADS=1")
    s = server(f'watchdog 3s drain 60s port {ports[0]} {{ threads 2 echo }} '
               f'port {ports[1]} {{ echo }}')
    pid = s.workers(ports[0])[ports[0], 1]
    with Connection(ports[0]) as c:
        c.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
        c.read_until(b"he")
        os.kill(pid, signal.SIGTERM)
        # The watchdog finds another worker that is stopped from now on, so it has looked long
        # enough.
        other = s.workers(ports[1])[ports[1], 1]
        os.kill(other, signal.SIGSTOP)
        s.wait_log(rf"worker 1 \(pid {other}\) was stopped for more than 3s")
        c.send(b"llo")
        c.read_until(b"llo")
    s.wait_log(rf"worker 1 \(pid {pid}\) drained after")


def ticks_of(pid):
    """{thread: processor time that it has used}"""
    found = {}
    for thread in map(int, os.listdir(f"/proc/{pid}/task")):
        with open(f"/proc/{pid}/task/{thread}/stat", errors="replace") as f:
            found[thread] = sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13]))
    return found


def is_always(wanted, pid, thread):
    """Is the thread in this state at each of many looks?"""
    def state():
        with open(f"/proc/{pid}/task/{thread}/stat", errors="replace") as f:
            return f.read().rsplit(")", 1)[1].split()[0]
    return all(state() == wanted for _ in range(500))


def test_a_loop_waits_quietly_while_the_one_that_hears_the_master_hangs(server, ports, tmp_path,
                                                                       built_with_threads):
    if not built_with_threads:
        pytest.skip("this binary was built without THREADS=1")
    s = server(f'control "{tmp_path / "ctl"}"\nfaults enabled\nwatchdog off drain 60s\n{EAGER}'
               f'port {ports[0]} {{ threads 2 location "/fault" {{ fault control }} echo }}')
    for n in range(1, 40):
        pid = s.ready(ports[0], "worker")[-1]
        c = Connection(ports[0])
        c.send(b"GET /fault/hang?how=loop HTTP/1.1\r\nHost: a\r\n\r\n")
        before = ticks_of(pid)
        hung = wait_for(lambda: next((t for t, n in ticks_of(pid).items()  # noqa: B023
                                      if n > before.get(t, 0) + 20), 0), "a busy loop")  # noqa: B023
        if hung == pid:  # the first one
            break
        os.kill(pid, signal.SIGKILL)
        c.close()
        s.wait_ready(ports[0], "worker", n + 1)
    assert hung == pid
    with socket.socket(socket.AF_UNIX) as ctl:
        ctl.connect(str(tmp_path / "ctl"))
        ctl.sendall(f"bulkhead/1 stop {ports[0]}\n".encode())
        s.wait_log("stopping, by order")
        wait_for(lambda: refused(ports[0]), "the end of listening")
        for thread in before:
            if thread != pid:
                wait_for(lambda t=thread: is_always("S", pid, t), "a thread that waits")
        os.kill(pid, signal.SIGKILL)
        c.close()


def hammer(port, count, problems):
    try:
        for _ in range(count):
            with Connection(port) as c:
                for _ in range(5):
                    assert c.get().status == 200
                c.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                       b"5\r\nhello\r\n0\r\n\r\n")
                assert c.response().body == b"hello"
    except Exception as e:  # shown by the test's own thread
        problems.append(e)


def test_loops_on_threads_serve_and_drain(server, ports, built_with_threads):
    if not built_with_threads:
        pytest.skip("this binary was built without THREADS=1")
    s = server(f'port {ports[0]} {{ threads 4 workers 2 location "/echo" {{ echo }} '
               'location "/" { respond 200 "x" } }')
    for pid in s.workers().values():
        wait_for(lambda p=pid: len(os.listdir(f"/proc/{p}/task")) >= 4, "four threads")
    problems = []
    threads = [threading.Thread(target=hammer, args=(ports[0], 20, problems)) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not problems, problems
    # Idle connections on any of the loops end with the drain.
    idle = [Connection(ports[0]) for _ in range(16)]
    for c in idle:
        assert c.get().status == 200
    s.kill(signal.SIGTERM)
    for c in idle:
        assert c.closed()
    assert s.process.wait(30) == 0
    assert "2 workers drained, 0 killed, 0 connections cut" in s.log()


def test_a_crash_takes_all_threads_of_that_worker_only(server, ports, built_with_threads):
    if not built_with_threads:
        pytest.skip("this binary was built without THREADS=1")
    s = server(f'port {ports[0]} {{ threads 2 respond 200 "x" }}\n'
               f'port {ports[1]} {{ threads 2 respond 200 "x" }}')
    with Connection(ports[1]) as stays:
        assert stays.get().status == 200
        os.kill(s.workers(ports[0])[ports[0], 1], signal.SIGKILL)
        s.wait_log(rf"\[PORT {ports[0]}\] worker 1 .* is ready", count=2)
        assert wait_for(lambda: stays.get().status == 200, "an answer")


@pytest.mark.skipif(bool(sanitized()), reason="knows no limit of memory")
@pytest.mark.parametrize("threads, memory", [(2, "64M"), (2, "256M"), (4, "128M")])
def test_what_threads_reserve_is_no_leak(server, ports, built_with_threads, threads, memory):
    """A stack and an arena of each are address space that no connection accounts for."""
    if not built_with_threads:
        pytest.skip("this binary was built without THREADS=1")
    s = server(f"port {ports[0]} {{ threads {threads} limits {{ memory {memory} connections 8000\n"
               '  handshake-timeout 60s } respond 200 "Hello, world!\\n" }\n')
    before, full = s.workers(), "cannot accept: Cannot allocate memory"
    unfinished = b"\x16\x03\x01\x00\x04\x01\xff\xff\xff" + (b"\x16\x03\x01\x03\xe8" + bytes(1000)) * 120
    with contextlib.ExitStack() as stack:
        for _ in range(3000):
            if full in s.log():
                break
            with contextlib.suppress(OSError):
                c = stack.enter_context(socket.create_connection(("127.0.0.1", ports[0]), timeout=1))
                c.sendall(unfinished)
        s.wait_log(full)
        stack.close()
        wait_for(lambda: get(ports[0]).body == HELLO, "service again")
    assert s.workers() == before
    assert "another worker takes over" not in s.log()
