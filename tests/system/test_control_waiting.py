"""Clients that wait at the control socket, and clients that are in their way."""
import contextlib
import os
import signal
import socket
import threading

from harness import Connection, TIMEOUT, wait_for
from test_control import DONE, ask, connect, controlled, ctl, port_of, receive  # noqa: F401


def test_nobody_who_waits_is_cut_off_while_processes_are_started(controlled, ports):  # noqa: F811
    """Between fork and exec a child holds a duplicate of every connection that was just ended."""
    s = controlled(f"port {ports[0]} {{ workers 12 echo }}\n" + "".join(
        f"port {p} {{ echo }}\n" for p in ports[1:]))
    stop, lost, answered = threading.Event(), [], [0]

    def client(line):
        while not stop.is_set():
            with contextlib.suppress(OSError):
                answer = ask(s, line)
                answered[0] += 1
                if answer is None:
                    lost.append(line)

    threads = [threading.Thread(target=client, args=(line,)) for line in
               (f"restart {ports[0]}", "reload dry-run", "reload dry-run", "status")]
    for t in threads:
        t.start()
    wait_for(lambda: answered[0] > 300 or lost, "three hundred answers")
    stop.set()
    for t in threads:
        t.join()
    assert not lost


def test_a_crowd_that_waits_leaves_room_for_a_question(controlled, ports):  # noqa: F811
    s = controlled("drain 20s\n" + "".join(f"port {p} {{ echo }}\n" for p in ports))
    with contextlib.ExitStack() as stack:
        busy = stack.enter_context(Connection(ports[0]))
        busy.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na")
        wait_for(lambda: port_of(s, ports[0])["connections"] == 1, "a connection")
        waiting = [stack.enter_context(connect(s)) for _ in range(32)]
        for c in waiting:
            with contextlib.suppress(OSError):
                c.sendall(b"bulkhead/1 stop %d\n" % ports[0])
        s.wait_log("control: stop")
        wait_for(lambda: ask(s, f"stop {ports[0]}") == {
            "bulkhead": 1, "ok": False, "error": "too many wait for something already"}, "a no")
        assert ask(s, "status")["ok"]
        busy.send(b"bc")
        assert busy.response().body == b"abc"
        assert receive(waiting[0]) == {"bulkhead": 1, "ok": True}


def test_a_socket_that_was_removed_comes_back_with_a_reload(controlled):  # noqa: F811
    s = controlled()
    os.unlink(s.control)
    s.kill(signal.SIGHUP)
    s.wait_log("reloaded: ")
    assert ask(s, "status")["ok"]


def test_a_reload_gets_its_turn_among_restarts(controlled, ports):  # noqa: F811
    s = controlled()
    stop = threading.Event()

    def client(port):
        while not stop.is_set():
            ask(s, f"restart {port}")

    threads = [threading.Thread(target=client, args=(p,)) for p in ports[:2] for _ in range(2)]
    for t in threads:
        t.start()
    try:
        for _ in range(10):
            assert ask(s, "reload dry-run")["ok"]
    finally:
        stop.set()
        for t in threads:
            t.join()


def test_who_reads_no_answer_keeps_nobody_from_one(controlled, ports):  # noqa: F811
    s = controlled()
    lazy = []
    for _ in range(24):
        c = socket.socket(socket.AF_UNIX)
        c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        c.connect(str(s.control))
        c.settimeout(TIMEOUT)
        c.sendall(b"bulkhead/1 status\n" * 20)
        lazy.append(c)
    for _ in range(20):
        assert ask(s, "status")["ok"]
    for c in lazy:
        c.close()
