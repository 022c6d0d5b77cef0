"""SIGHUP: the changed parts of the configuration change in the server, and no others."""
import contextlib
import os
import pwd
import re
import shutil
import signal
import socket
import threading
import time

import pytest

from harness import HELLO, Connection, get, refused, status_of, traced, wait_for

RELOADED = r"reloaded: (\d+) kept, (\d+) changed, (\d+) new, (\d+) dropped"


def hello(port, extra=""):
    return f'port {port} {{ {extra} respond 200 "Hello, world!\\n" }}\n'


def says(port, text, extra=""):
    return f'port {port} {{ {extra} respond 200 "{text}" }}\n'


class Reload:
    """A server whose configuration can be rewritten."""

    def __init__(self, server, certificates, text, **options):
        self.tls = certificates.tls()
        self.s = server(self.tls + text, **options)

    def write(self, text):
        self.s.config.write_text(self.tls + text)

    def reload(self, text=None):
        """Returns (kept, changed, new, dropped)."""
        if text is not None:
            self.write(text)
        done = len(re.findall(RELOADED, self.s.log()))
        self.s.kill(signal.SIGHUP)
        return tuple(int(n) for n in self.s.wait_log(RELOADED, done + 1)[-1].groups())

    def fails(self, text=None):
        """Returns the reason."""
        if text is not None:
            self.write(text)
        failed = r"reload failed: (.*); nothing has changed"
        done = len(re.findall(failed, self.s.log()))
        self.s.kill(signal.SIGHUP)
        return self.s.wait_log(failed, done + 1)[-1][1]


@pytest.fixture
def begin(server, certificates):
    return lambda text, **options: Reload(server, certificates, text, **options)


def pids(s, port):
    return {**s.workers(port)}, {**s.keyholders(port)}


def test_only_the_changed_port_changes(begin, ports):
    r = begin(hello(ports[0]) + hello(ports[1], "workers 2") + hello(ports[2]))
    before = [pids(r.s, p) for p in ports]
    with Connection(ports[0]) as kept, Connection(ports[1]) as changed:
        assert kept.get().body == HELLO and changed.get().body == HELLO
        assert r.reload(hello(ports[0]) + says(ports[1], "other", "workers 3") +
                        hello(ports[2])) == (2, 1, 0, 0)
        assert changed.closed()  # it was idle
        assert kept.get().body == HELLO
    assert get(ports[1]).body == b"other"
    assert pids(r.s, ports[0]) == before[0] and pids(r.s, ports[2]) == before[2]
    wait_for(lambda: len(r.s.workers(ports[1])) == 3, "the old generation's end")
    assert not set(r.s.workers(ports[1]).values()) & set(before[1][0].values())


def test_a_new_port_and_one_that_is_gone(begin, ports):
    r = begin(hello(ports[0]) + hello(ports[1]))
    before = pids(r.s, ports[0])
    assert r.reload(hello(ports[0]) + hello(ports[2])) == (1, 0, 1, 1)
    assert get(ports[2]).body == HELLO
    wait_for(lambda: refused(ports[1]), "the port's end")
    assert pids(r.s, ports[0]) == before
    assert r.reload(hello(ports[1])) == (0, 0, 1, 2)
    assert get(ports[1]).body == HELLO


def test_what_means_the_same_is_kept(begin, ports):
    r = begin(hello(ports[0]) + hello(ports[1]))
    before = r.s.workers()
    assert r.reload("# other words\nwatchdog 5000ms\n" + hello(ports[1], "workers 1") +
                    hello(ports[0])) == (2, 0, 0, 0)
    assert r.s.workers() == before


def test_requests_in_flight_are_finished_by_the_old_generation(begin, ports):
    r = begin(f"port {ports[0]} {{ echo }}\n")
    with Connection(ports[0]) as c:
        c.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
        r.reload(says(ports[0], "new"))
        assert get(ports[0]).body == b"new"
        c.send(b"cd")
        response = c.response()
        assert response.status == 200 and response.body == b"abcd"
        assert c.closed()


def test_the_new_generation_has_the_limit_of_drain(begin, ports):
    r = begin("drain 200ms\n" + f"port {ports[0]} {{ echo }}\n")
    with Connection(ports[0]) as c:
        c.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
        r.reload("drain 200ms\n" + says(ports[0], "new"))
        r.s.wait_log("time is up: killing what is left of generation 1")
        c.read_to_end()
    assert get(ports[0]).body == b"new"


@pytest.mark.parametrize("text, reason", [
    ("port {0} {{ respnod 200 }}\n", r".*/bulkhead.conf:\d+:\d+: .*respnod.*"),
    ("port {0} {{ echo }} port {0} {{ echo }}\n", r".*/bulkhead.conf:\d+:\d+: .*"),
    ("port {0} {{ echo }} port {1} {{ echo listen on 192.0.2.1 }}\n",
     r"port {1}: cannot listen on 192.0.2.1 port {1}: Cannot assign requested address"),
    ("port {0} {{ echo user \"nobody-of-that-name\" }}\n",
     r"port {0}: there is no user \"nobody-of-that-name\""),
    ("port {0} {{ echo }} port {1} {{ echo tls {{ certificate \"gone.pem\" key \"gone.key\" }} }}\n",
     r"port {1}: certificate \".*gone.pem\" cannot be read: No such file or directory"),
])
def test_what_cannot_be_carried_out_changes_nothing(begin, ports, text, reason):
    if "user" in text and os.geteuid() != 0:
        pytest.skip("names are looked up by root only")
    r = begin(hello(ports[0]) + hello(ports[2]))
    before = r.s.workers()
    assert re.fullmatch(reason.format(*ports), r.fails(text.format(*ports)))
    assert r.s.workers() == before
    for p in (ports[0], ports[2]):
        assert get(p).body == HELLO
    assert refused(ports[1])
    assert r.reload(hello(ports[0])) == (1, 0, 0, 1)


def test_an_address_that_is_taken_changes_nothing(begin, ports):
    r = begin(hello(ports[0]))
    with socket.create_server(("127.0.0.1", ports[1])):
        assert "Address already in use" in r.fails(says(ports[0], "new") + hello(ports[1]))
        assert get(ports[0]).body == HELLO
    assert r.reload() == (0, 1, 1, 0)
    assert get(ports[0]).body == b"new" and get(ports[1]).body == HELLO


def test_a_certificate_that_does_not_match_changes_nothing(begin, ports, certificates):
    r = begin(hello(ports[0]) + hello(ports[1]))
    before = r.s.workers()
    tls = f'tls {{ certificate "{certificates("ecdsa")[0]}" key "{certificates("other")[1]}" }}'
    reason = r.fails(says(ports[0], "new") + hello(ports[1], tls))
    assert re.search(rf"port {ports[1]}: worker 1 .* does not match key", reason)
    assert get(ports[0]).body == HELLO  # the good half is not taken either
    wait_for(lambda: r.s.workers() == before, "the end of what was prepared")


@pytest.mark.parametrize("how", ["touched", "copied", "renewed"])
def test_files_count_by_their_content(begin, ports, certificates, tmp_path, how):
    names = [tmp_path / "pair.pem", tmp_path / "pair.key"]

    def write(kind):
        for source, target in zip(certificates(kind), names):
            shutil.copy(source, f"{target}.new")
            os.rename(f"{target}.new", target)

    write("ecdsa")
    r = begin(hello(ports[0], f'tls {{ certificate "{names[0]}" key "{names[1]}" }}') +
              hello(ports[1]))
    before = pids(r.s, ports[0])
    if how == "touched":
        os.utime(names[1])
    else:
        write("other" if how == "renewed" else "ecdsa")
    assert r.reload() == ((1, 1, 0, 0) if how == "renewed" else (2, 0, 0, 0))
    wait_for(lambda: (pids(r.s, ports[0]) == before) == (how != "renewed"), "one generation")
    assert r.reload() == (2, 0, 0, 0)
    with Connection(ports[0]) as c:
        assert c.get().body == HELLO


@contextlib.contextmanager
def client_who_is_always_served(port):
    """At 127.0.0.1, with a connection for each request."""
    stop, errors, served = threading.Event(), [], []

    def client():
        while not stop.is_set():
            try:
                assert get(port).body == HELLO
                served.append(True)
            except (OSError, EOFError, AssertionError) as e:
                errors.append(e)

    thread = threading.Thread(target=client)
    thread.start()
    try:
        yield served
        count = len(served)
        wait_for(lambda: errors or len(served) > count + 1, "another request")
    finally:
        stop.set()
        thread.join()
    assert not errors, errors


def test_addresses_in_common_are_shared(begin, ports):
    """No client is refused while an address comes or goes."""
    one, two = "listen on 127.0.0.1", "listen on 127.0.0.1 listen on 127.0.0.2"
    r = begin(hello(ports[0], one))
    with client_who_is_always_served(ports[0]):
        for text in (two, one, two):
            assert r.reload(hello(ports[0], text)) == (0, 1, 0, 0)
        assert get(ports[0], host="127.0.0.2").body == HELLO


@pytest.mark.parametrize("wide", ["*", "0.0.0.0"])
def test_an_address_is_exchanged_for_one_that_covers_it(begin, ports, wide):
    """And back, and once more; no client of the one that stays is refused or cut."""
    r = begin(hello(ports[0], "listen on 127.0.0.1"))
    with client_who_is_always_served(ports[0]):
        assert refused(ports[0], host="127.0.0.2")
        for _ in range(3):
            assert r.reload(hello(ports[0], f"listen on {wide}")) == (0, 1, 0, 0)
            assert get(ports[0], host="127.0.0.2").body == HELLO
            assert r.reload(hello(ports[0], "listen on 127.0.0.1")) == (0, 1, 0, 0)
            assert refused(ports[0], host="127.0.0.2")


def test_an_address_is_exchanged_for_one_that_it_covers(begin, ports):
    r = begin(hello(ports[0], "listen on *"))
    assert r.reload(hello(ports[0], "listen on 127.0.0.1")) == (0, 1, 0, 0)
    assert get(ports[0]).body == HELLO
    assert refused(ports[0], host="127.0.0.2")
    assert r.reload(hello(ports[0], "listen on 127.0.0.2")) == (0, 1, 0, 0)
    assert get(ports[0], host="127.0.0.2").body == HELLO
    assert refused(ports[0])


def test_a_reload_that_fails_takes_no_client_from_a_wider_address(begin, ports, certificates):
    """The narrower address would take these clients as soon as it listens."""
    r = begin(hello(ports[0], "listen on *"))
    with client_who_is_always_served(ports[0]):
        tls = f'tls {{ certificate "{certificates("ecdsa")[0]}" key "{certificates("other")[1]}" }}'
        for _ in range(10):
            reason = r.fails(hello(ports[0], "listen on 127.0.0.1") + hello(ports[1], tls))
            assert "does not match key" in reason
    assert get(ports[0], host="127.0.0.2").body == HELLO


def test_a_socket_that_cannot_listen_changes_nothing(begin, ports):
    """All is ready by then, and every socket is bound."""
    r = begin(hello(ports[0], "listen on 127.0.0.1"))
    before = r.s.workers()
    with traced(r.s.pid, "-e", "trace=listen", "--inject=listen:error=EADDRINUSE", follow=False):
        reason = r.fails(says(ports[0], "new", "listen on *") + hello(ports[1]))
    assert re.fullmatch(r"port \d+: cannot listen on 0.0.0.0 port \d+: Address already in use", reason)
    assert get(ports[0]).body == HELLO
    assert refused(ports[1]) and refused(ports[0], host="127.0.0.2")
    wait_for(lambda: r.s.workers() == before, "the end of what was prepared")
    assert r.reload() == (0, 1, 1, 0)
    assert get(ports[0], host="127.0.0.2").body == b"new" and get(ports[1]).body == HELLO


def test_who_waits_in_the_queue_of_an_address_that_is_covered_is_served(begin, ports):
    r = begin(hello(ports[0], "listen on 127.0.0.1"))
    for address in ("*", "127.0.0.1"):
        os.kill(r.s.ready(ports[0], "worker")[-1], signal.SIGSTOP)
        with socket.create_connection(("127.0.0.1", ports[0]), timeout=30) as raw:
            assert r.reload(hello(ports[0], f"listen on {address}")) == (0, 1, 0, 0)
            with Connection.over(raw) as c:
                assert c.get().body == HELLO


def test_global_changes_reach_what_they_must(begin, ports):
    r = begin("drain 9s\n" + hello(ports[0]) + hello(ports[1]))
    before = r.s.workers()
    assert r.reload("drain 1s\n" + hello(ports[0]) + hello(ports[1])) == (2, 0, 0, 0)
    assert r.s.workers() == before
    r.s.kill(signal.SIGTERM)
    r.s.wait_log("stopping, requests in flight have 1s")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs ports as other users")
def test_another_user_reaches_those_that_inherit_it(begin, ports):
    text = 'user "{}"\n{}'.format
    own = hello(ports[0]) + hello(ports[1], 'user "nobody"')
    r = begin(text("nobody", own))
    kept = r.s.workers(ports[1])
    assert r.reload(text("daemon", own)) == (1, 1, 0, 0)
    assert r.s.workers(ports[1]) == kept
    daemon = str(pwd.getpwnam("daemon").pw_uid)
    wait_for(lambda: all(status_of(pid)["Uid"].split()[0] == daemon
                         for pid in r.s.workers(ports[0]).values()), "the other user")


def test_another_log_reaches_every_process(begin, ports):
    from daemons import Syslog
    with contextlib.closing(Syslog()) as syslog:
        r = begin("log to console\n" + hello(ports[0]))
        before = r.s.workers()
        assert r.reload("log to console\n" + syslog.sink() + hello(ports[0])) == (1, 0, 0, 0)
        get(ports[0], "/in-both")
        wait_for(lambda: "/in-both" in syslog.text(), "the record in the other log")
        r.s.wait_log("/in-both")
        r.write(syslog.sink("facility local5") + "log rate 9\n" + hello(ports[0]))
        r.s.kill(signal.SIGHUP)
        wait_for(lambda: syslog.text().count("reloaded: 1 kept") == 2, "the second reload")
        get(ports[0], "/in-syslog")
        wait_for(lambda: re.search(r"(?m)^174 .*/in-syslog", syslog.text()), "the record there")
        assert "/in-syslog" not in r.s.log()
        assert r.s.workers() == before


def test_a_parked_port_is_tried_again(begin, ports, certificates):
    with socket.create_server(("0.0.0.0", ports[1])):
        r = begin(hello(ports[0]) + hello(ports[1]))
        r.s.wait_log(rf"\[PORT {ports[1]}\] PARKED")
        before = r.s.workers(ports[0])
        assert r.reload() == (2, 0, 0, 0)  # a parked port is no obstacle for others
        r.s.wait_log(rf"\[PORT {ports[1]}\] PARKED", 2)
    assert r.reload() == (2, 0, 0, 0)
    wait_for(lambda: not refused(ports[1]), "the parked port")
    assert get(ports[1]).body == HELLO
    assert r.s.workers(ports[0]) == before


def test_a_port_in_backoff_is_kept_or_replaced(begin, ports):
    text = "restart {{ backoff 20s to 30s; park after 9 in 60s }}\n{}".format
    r = begin(text(hello(ports[0]) + hello(ports[1])),
              env={"ASAN_OPTIONS": "handle_segv=0", "TSAN_OPTIONS": "handle_segv=0"})
    for n in range(1, 3):
        os.kill(wait_for(lambda: r.s.workers(ports[0]), "a worker")[ports[0], 1], signal.SIGKILL)
        r.s.wait_log(r"killed from outside by SIGKILL", n)
    r.s.wait_log("starting it again in 20s")
    assert r.reload() == (2, 0, 0, 0)
    assert not r.s.workers(ports[0])
    assert r.reload(text(says(ports[0], "new") + hello(ports[1]))) == (1, 1, 0, 0)
    assert get(ports[0]).body == b"new"


def test_many_reloads_in_a_hurry_end_in_the_last_configuration(begin, ports):
    r = begin(hello(ports[0]) + hello(ports[1]))
    before = r.s.workers(ports[1])
    for n in range(50):
        r.write(says(ports[0], f"{n}") + hello(ports[1]))
        r.s.kill(signal.SIGHUP)
    wait_for(lambda: get(ports[0]).body == b"49", "the last one")
    wait_for(lambda: len(r.s.workers(ports[0])) == 1, "one generation")
    assert r.s.workers(ports[1]) == before
    r.s.wait_reaped()


def test_a_reload_ends_when_the_old_workers_accept_no_more(begin, ports):
    """Clients that connect after it reach the new workers, so it waits for the old ones: a
    second."""
    r = begin(hello(ports[0], "workers 2"))
    slow = r.s.ready(ports[0], "worker")[0]
    os.kill(slow, signal.SIGSTOP)
    r.write(says(ports[0], "new", "workers 2"))
    r.s.kill(signal.SIGHUP)
    r.s.wait_ready(ports[0], "worker", 4)
    wait_for(lambda: r.s.log().count("drained") >= 1, "the end of the other")
    assert "reloaded" not in r.s.log() or "has not reported yet" in r.s.log()
    r.s.wait_log(rf"worker \d \(pid {slow}\) has not reported yet that it stopped accepting")
    r.s.wait_log(RELOADED)
    assert get(ports[0]).body == b"new"
    os.kill(slow, signal.SIGCONT)
    r.s.wait_log(rf"worker \d \(pid {slow}\) drained")
    assert r.reload() == (1, 0, 0, 0)
    assert r.s.log().count("has not reported yet") == 1


def test_a_worker_that_drains_already_is_not_waited_for(begin, ports):
    r = begin(f"port {ports[0]} {{ echo workers 2 }}\n")
    with Connection(ports[0]) as c:
        c.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
        for pid in r.s.ready(ports[0], "worker"):
            os.kill(pid, signal.SIGTERM)
        r.s.wait_log("drained .*; starting it again")
        assert r.reload(says(ports[0], "new", "workers 2")) == (0, 1, 0, 0)
        c.send(b"cd")
        assert c.response().status == 200
    assert "has not reported yet" not in r.s.log()


def test_a_worker_that_dies_is_not_waited_for(begin, ports):
    r = begin(hello(ports[0], "workers 2"))
    hanging, dying = r.s.ready(ports[0], "worker")
    for pid in (hanging, dying):
        os.kill(pid, signal.SIGSTOP)
    r.write(says(ports[0], "new", "workers 2"))
    r.s.kill(signal.SIGHUP)
    r.s.wait_ready(ports[0], "worker", 4)
    os.kill(dying, signal.SIGKILL)
    r.s.wait_log(RELOADED)
    assert "(pid -1)" not in r.s.log()
    os.kill(hanging, signal.SIGCONT)


def test_a_start_can_be_completed_by_a_reload(begin, ports):
    """Of a port that waits to be started again, and of one that is dropped."""
    def text(first):
        return f"restart {{ backoff 1h to 1h; park after 60 in 1h }}\n{first}{hello(ports[1])}"
    r = begin(text(hello(ports[0])), wait=None)
    while "starting it again in 1h" not in r.s.log():
        for pid in r.s.keyholders(ports[0]).values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    r.s.wait_log(rf"\[PORT {ports[1]}\] worker 1 .* is ready")
    if re.search("ports? (is|are) served", r.s.log()):
        pytest.skip("it was served before it could be killed")
    assert r.reload(text(says(ports[0], "new"))) == (1, 1, 0, 0)
    r.s.wait_log("all 2 ports are served")
    assert get(ports[0]).body == b"new"


def test_a_reload_during_a_drain(begin, ports):
    """The generation before last is still at a request."""
    r = begin(f"port {ports[0]} {{ echo }}\n")
    with Connection(ports[0]) as c:
        c.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
        assert r.reload(says(ports[0], "one")) == (0, 1, 0, 0)
        assert r.reload(says(ports[0], "two")) == (0, 1, 0, 0)
        assert get(ports[0]).body == b"two"
        c.send(b"cd")
        assert c.response().status == 200
    wait_for(lambda: len(r.s.workers(ports[0])) == 1, "one generation")


def test_a_stop_in_the_middle_of_a_reload(begin, ports):
    r = begin(hello(ports[0]) + hello(ports[1]))
    r.write(says(ports[0], "new") + hello(ports[1]))
    r.s.kill(signal.SIGHUP)
    r.s.wait_log("reloading the configuration")
    assert r.s.stop() == 0


def test_a_process_that_is_killed_while_it_is_prepared_changes_nothing(begin, ports):
    r = begin(hello(ports[0], "workers 3") + hello(ports[1]))
    before = set(r.s.workers(ports[0]).values())
    r.write(says(ports[0], "new", "workers 3") + hello(ports[1]))
    killed = None
    r.s.kill(signal.SIGHUP)
    end = time.monotonic() + 30
    while killed is None and time.monotonic() < end and not re.search(RELOADED, r.s.log()):
        for pid in set(r.s.keyholders(ports[0]).values()) - before:
            if str(pid) not in r.s.log():  # it is not ready yet
                os.kill(pid, signal.SIGKILL)
                killed = pid
                break
    r.s.wait_log(f"{RELOADED}|nothing has changed")
    expected = HELLO if "nothing has changed" in r.s.log() else b"new"
    assert get(ports[0]).body == expected
    assert r.reload()[1] == (1 if expected == HELLO else 0)
    assert get(ports[0]).body == b"new"


def test_counters_go_on(begin, ports):
    r = begin(hello(ports[0]))
    for _ in range(3):
        get(ports[0])
    r.reload(hello(ports[0], "workers 2"))
    get(ports[0])
    wait_for(lambda: len(r.s.workers(ports[0])) == 2, "one generation")
    r.s.kill(signal.SIGUSR1)
    assert int(r.s.wait_log(rf"\[PORT {ports[0]}\] status: .* requests=(\d+)")[-1][1]) == 4


def test_the_built_in_configuration_takes_renewed_certificates(server, ports, certificates, tmp_path):
    for source, name in zip(certificates("ecdsa"), ("cert.pem", "key.pem")):
        shutil.copy(source, tmp_path / name)
    s = server(None, args=["-p", str(ports[0])], cwd=tmp_path)
    before = s.workers()
    for source, name in zip(certificates("other"), ("cert.pem", "key.pem")):
        shutil.copy(source, tmp_path / f"{name}.new")
        os.rename(tmp_path / f"{name}.new", tmp_path / name)
    s.kill(signal.SIGHUP)
    assert s.wait_log(RELOADED)[-1].groups() == ("0", "1", "0", "0")
    wait_for(lambda: len(s.workers()) == 1 and s.workers() != before, "the new generation")


def test_files_that_were_overwritten_with_nothing_good_are_tried_again(begin, ports, certificates,
                                                                       tmp_path):
    """The port has one worker, and no other could take its place."""
    names = [tmp_path / "pair.pem", tmp_path / "pair.key"]

    def write(kind):
        for source, target in zip(certificates(kind), names):
            target.write_bytes(source.read_bytes())

    write("ecdsa")
    r = begin(hello(ports[0], f'tls {{ certificate "{names[0]}" key "{names[1]}" }}') +
              hello(ports[1]))
    names[0].write_text("half a certifi")
    os.kill(r.s.workers(ports[0])[ports[0], 1], signal.SIGKILL)
    r.s.wait_log("renewal failed: .*; nothing has changed")
    write("other")
    wait_for(lambda: r.s.workers(ports[0]), "a worker with what was made good")
    assert get(ports[0]).body == HELLO and get(ports[1]).body == HELLO


def test_a_parked_port_whose_last_worker_still_drains_is_started_after_it(begin, ports):
    text = "restart { backoff 1ms to 1ms; park after 3 in 60s }\n"
    r = begin(text + f"port {ports[0]} {{ workers 2 echo }}\n" + hello(ports[1]))
    with Connection(ports[0]) as c:
        c.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
        busy = wait_for(lambda: next((pid for pid in r.s.workers(ports[0]).values() if any(
            os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:") and connected(pid, fd)
            for fd in os.listdir(f"/proc/{pid}/fd"))), None), "who has it")
        while "PARKED" not in r.s.log():
            for pid in set(r.s.workers(ports[0]).values()) - {busy}:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)
        r.reload()
        c.send(b"cd")
        assert c.response().status == 200
    wait_for(lambda: not refused(ports[0]) and len(r.s.workers(ports[0])) == 2, "the port again")
    assert get(ports[0]).status == 200


def connected(pid, fd):
    """Is that descriptor of the process a connection over TCP?"""
    inode = os.readlink(f"/proc/{pid}/fd/{fd}")[8:-1]
    with open("/proc/net/tcp", errors="replace") as f:
        return any(line.split()[9] == inode and line.split()[3] == "01" for line in f.readlines()[1:])


def test_who_waits_in_the_queue_of_a_parked_port_goes_on_waiting(begin, ports):
    text = "restart { backoff 1ms to 1ms; park after 2 in 60s; while parked queue }\n"
    r = begin(text + hello(ports[0]) + hello(ports[1]))
    for n in range(1, 3):
        os.kill(r.s.wait_ready(ports[0], "worker", n), signal.SIGKILL)
    r.s.wait_log(rf"\[PORT {ports[0]}\] PARKED")
    with socket.create_connection(("127.0.0.1", ports[0])) as raw:
        raw.settimeout(30)
        assert r.reload() == (2, 0, 0, 0)
        with Connection.over(raw) as c:
            assert c.get().body == HELLO


def test_a_link_leads_where_it_leads_now(server, ports, certificates, tmp_path):
    for name, text in (("one", "1"), ("two", "2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "b.conf").write_text(certificates.tls() + says(ports[0], text))
    (tmp_path / "current").symlink_to("one")
    s = server(None, args=["-f", "current/b.conf"], cwd=tmp_path)
    assert get(ports[0]).body == b"1"
    (tmp_path / "next").symlink_to("two")
    os.rename(tmp_path / "next", tmp_path / "current")
    s.kill(signal.SIGHUP)
    s.wait_log("reloaded: 0 kept, 1 changed")
    assert get(ports[0]).body == b"2"


def test_a_port_that_was_dropped_can_come_back_at_once(begin, ports):
    """Its former workers are stopped, and still hold the socket."""
    r = begin(hello(ports[0]) + hello(ports[1]))
    old = [*r.s.workers(ports[0]).values()]
    for pid in old:
        os.kill(pid, signal.SIGSTOP)
    try:
        assert r.reload(hello(ports[1])) == (1, 0, 0, 1)
        assert refused(ports[0])
        assert r.reload(hello(ports[0]) + hello(ports[1])) == (1, 0, 1, 0)
        assert get(ports[0]).body == HELLO
    finally:
        for pid in old:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def test_a_port_that_does_not_come_up_blocks_no_reload_for_long(begin, ports, certificates):
    text = "restart {{ backoff 30s to 30s; park after 60 in 1h }}\n{}".format
    r = begin(text(hello(ports[0]) + hello(ports[1])), wait=None)
    while "starting it again in 30s" not in r.s.log():
        for pid in r.s.keyholders(ports[0]).values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    r.s.wait_log(rf"\[PORT {ports[1]}\] worker 1 .* is ready")
    if "are served" in r.s.log():
        pytest.skip("it was faster")
    r.write(text(hello(ports[1])))
    r.s.kill(signal.SIGHUP)
    r.s.wait_log("reloaded: ")
    assert get(ports[1]).body == HELLO
