"""Threads in a worker: a compile option, and a clear error where it was not taken."""
import os
import signal
import threading

import pytest

from harness import Connection, wait_for


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
