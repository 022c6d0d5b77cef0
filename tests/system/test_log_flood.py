"""The log against a taken-over process. Such a process holds only a pipe to the master; its
records pass at a limited rate and under its own name; records of other ports and of the master
are not lost because of it."""
import contextlib
import os
import re
import signal
import subprocess
import sys
import time

import pytest

import daemons
from harness import (Connection, descriptor_of, descriptors_of, get, need_root, wait_for)
from test_logging import Piped, burst, dropped, one
from test_upgrade import upgradable, upgrade  # noqa: F401

STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}"
STANDARD_ERROR = 2
BURST_SECONDS = 5  # bulkhead.conf(5), log rate
RECORD_BYTES = 256

# As fast as one process can: lines that look like records of others, and bytes that are none.
FLOOD = """
import os, sys
line = b"2024-12-06 10:15:30,123 - [MASTER] forged by a taken worker \\x1b[2J" + b"x" * 100 + b"\\n"
block = {"lines": line * (4096 // len(line)), "bytes": bytes(range(256)) * 16,
         "marks": b"\\x1e" * 4096, "short": b"\\n".join([b"a"] * 2000),
         "long": b"y" * 4095 + b"\\n"}[sys.argv[2]]
while True:
    try:
        os.write(int(sys.argv[1]), block)
    except BlockingIOError:
        pass
    except BrokenPipeError:
        break
"""


@contextlib.contextmanager
def flooding(pid, kind="lines", count=1):
    """Writes to that process's log through a duplicate of its descriptor, as a taken-over
    process does."""
    fd = descriptor_of(pid, STANDARD_ERROR)
    writers = [subprocess.Popen([sys.executable, "-c", FLOOD, str(fd), kind], pass_fds=(fd,))
               for _ in range(count)]
    os.close(fd)
    try:
        yield
    finally:
        for w in writers:
            w.kill()
            w.wait()


@pytest.fixture(params=["syslog", "journal"])
def daemon(request):
    d = daemons.Syslog() if request.param == "syslog" else daemons.Journal()
    with contextlib.closing(d):
        yield d


def lines_of(daemon):
    return daemon.lines() if isinstance(daemon, daemons.Syslog) else daemon.messages()


# --- what a child holds ------------------------------------------------------------------------


def test_no_child_holds_more_of_the_log_than_a_pipe(server, ports):
    need_root()
    with contextlib.closing(daemons.Syslog()) as syslog, \
            contextlib.closing(daemons.Journal()) as journal:
        s = server("log to console\n" + syslog.sink() + journal.sink() + one(ports[0]))
        console = s.log_path.stat()
        for pid in (*s.workers().values(), *s.keyholders().values()):
            held = descriptors_of(pid)
            assert [n for n, what in held.items() if what == "pipe"] == [STANDARD_ERROR]
            assert "socket:datagram" not in held.values()
            for n in held:
                it = os.stat(f"/proc/{pid}/fd/{n}")
                assert (it.st_dev, it.st_ino) != (console.st_dev, console.st_ino), held
        assert get(ports[0], "/all").status == 200
        wait_for(lambda: "/all" in syslog.text() and journal.read("BULKHEAD_PATH=/all"), "records")
        s.wait_log("/all")


def test_what_a_child_writes_to_standard_error_stands_in_the_log(server, ports):
    """A message of the C library or the loader; the bytes are escaped."""
    s = server(one(ports[0]))
    for role, pid in (("worker", s.workers()[ports[0], 1]), ("keyholder", s.keyholders()[ports[0], 1])):
        fd = descriptor_of(pid, STANDARD_ERROR)
        os.write(fd, b"*** stack \x1b[1m\xff ***: terminated\n\n[MASTER] no end")
        os.write(fd, b" yet\n")
        os.close(fd)
        s.wait_log(rf"(?m)^{STAMP} - \[PORT {ports[0]}\] {role} 1 \(pid {pid}\) wrote: "
                   r"\*\*\* stack \\033\[1m\\377 \*\*\*: terminated$")
        s.wait_log(rf"(?m)^{STAMP} - \[PORT {ports[0]}\] {role} 1 \(pid {pid}\) wrote: "
                   r"\[MASTER\] no end yet$")


def test_the_last_words_come_before_the_end(server, ports):
    s = server(one(ports[0]))
    pid = s.workers()[ports[0], 1]
    fd = descriptor_of(pid, STANDARD_ERROR)
    os.kill(s.pid, signal.SIGSTOP)
    os.write(fd, b"one\ntwo\nand no end")
    os.kill(pid, signal.SIGKILL)
    os.close(fd)
    os.kill(s.pid, signal.SIGCONT)
    s.wait_log("was killed from outside by SIGKILL")
    words = [f"worker 1 (pid {pid}) {w}" for w in ("wrote: one", "wrote: two", "wrote: and no end",
                                                   "was killed from outside")]
    places = [s.log().index(w) for w in words]
    assert places == sorted(places)


def test_a_master_that_does_not_read_holds_up_no_worker(server, ports):
    s = server(one(ports[0]))
    with Connection(ports[0]) as c:
        c.get()
        os.kill(s.pid, signal.SIGSTOP)
        try:
            for _ in range(60):
                c.send(b"GET /while-stopped HTTP/1.1\r\nHost: a\r\n\r\n" * 100)
                for _ in range(100):
                    assert c.response().status == 200
        finally:
            os.kill(s.pid, signal.SIGCONT)
    s.wait_log("log records were dropped")
    wait_for(lambda: s.log().count("/while-stopped") + dropped(s.log().splitlines()) == 6000,
             "every request, logged or counted")


# --- a flood -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["lines", "bytes", "marks", "short"])
def test_a_flood_fills_the_disk_at_a_bounded_rate(server, ports, kind):
    rate = 200
    s = server(f"log rate {rate}\n" + one(ports[0]) + one(ports[1]))
    victim = s.workers()[ports[0], 1]
    begun, size = time.monotonic(), s.log_path.stat().st_size
    with flooding(victim, kind, count=2):
        s.wait_log(rf"worker 1 \(pid {victim}\) writes more to the log than `log rate {rate}` allows; "
                   "the rest is lost")
        while time.monotonic() < begun + 2:
            assert get(ports[1], "/other").status == 200
            time.sleep(0.01)  # within its own rate
        os.kill(s.workers()[ports[1], 1], signal.SIGKILL)
        s.wait_log(rf"\[PORT {ports[1]}\] worker 1 .* was killed from outside by SIGKILL")
    grown, took = s.log_path.stat().st_size - size, time.monotonic() - begun
    records = rate * (BURST_SECONDS + took)
    # The stamp and the name beside each, and those of the other port, which are few.
    assert grown < records * (RECORD_BYTES + 100) + 200 * s.log().count("/other") + 10000
    assert s.log().count(f"(pid {victim}) writes more to the log") == 1
    for line in s.log().splitlines():
        assert re.match(rf"{STAMP} - \[(MASTER|PORT {ports[0]}|PORT {ports[1]})\] [ -~]*\Z", line)
        assert re.match(rf"{STAMP} - \[PORT {ports[0]}\] ", line) or "forged" not in line
    assert s.stop() == 0


def test_an_end_gives_no_new_burst(server, ports):
    """A process that ends again and again may log no more than one that lives."""
    rate = 100
    s = server(f"log rate {rate}\nrestart {{ backoff 1ms to 50ms; park after 64 in 10ms }}\n" +
               one(ports[0]))
    begun, size = time.monotonic(), s.log_path.stat().st_size
    for n in range(8):
        victim = s.workers()[ports[0], 1]
        with flooding(victim, "marks"):
            s.wait_log(rf"worker 1 \(pid {victim}\) writes more to the log")
            os.kill(victim, signal.SIGKILL)
        s.wait_ready(ports[0], "worker", n + 2)
    grown, took = s.log_path.stat().st_size - size, time.monotonic() - begun
    records = rate * (BURST_SECONDS + took)
    last_words = 8 * (100 * (RECORD_BYTES + 100) + 8192)
    assert grown < records * (RECORD_BYTES + 100) + last_words + 10000
    assert s.stop() == 0


@pytest.mark.parametrize("queue", [10, 512])
def test_a_flood_costs_no_other_port_a_record(server, ports, daemon, queue):
    """Nor the master one of its own: the flood is at the default rate, the daemon's queue short."""
    daemon.restart_with_queue(queue)
    s = server(daemon.sink() + "log to console\n" + one(ports[0]) + one(ports[1]))
    victim, other = s.workers()[ports[0], 1], s.workers()[ports[1], 1]

    def all_there():
        text = "\n".join(x for x in lines_of(daemon) if f"[PORT {ports[1]}] " in x)
        return all(f"/number-{n}-" in text for n in range(100))

    with flooding(victim, count=2):
        wait_for(lambda: any("writes more to the log" in x for x in lines_of(daemon)), "the word")
        for n in range(100):
            assert get(ports[1], f"/number-{n}-").status == 200
        wait_for(all_there, "each of the other port's records")
        os.kill(other, signal.SIGKILL)
        s.wait_ready(ports[1], "worker", 2)
        wait_for(lambda: any("was killed from outside by SIGKILL" in x for x in lines_of(daemon)),
                 "the master's record")
    assert not [x for x in lines_of(daemon) if "dropped" in x and f"[PORT {ports[0]}]" not in x]
    assert s.stop() == 0


def test_a_flood_bears_its_own_name_in_the_journal(server, ports):
    need_root()
    with contextlib.closing(daemons.Journal()) as journal:
        s = server("log rate 50\n" + journal.sink() + "log to console\n" + one(ports[0]))
        victim = s.workers()[ports[0], 1]
        with flooding(victim):
            s.wait_log("writes more to the log")
        records = wait_for(lambda: journal.read("BULKHEAD_ROLE=worker"), "records")
        for r in records:
            assert r["BULKHEAD_PORT"] == str(ports[0]) and r["BULKHEAD_WORKER"] == "1"
            assert r["SYSLOG_PID"] == str(victim) and r["PRIORITY"] == "4"
            assert r["MESSAGE"].startswith(f"[PORT {ports[0]}] ")
        assert not [r for r in journal.read("BULKHEAD_ROLE=master") if "forged" in r["MESSAGE"]]


def test_an_honest_worker_above_its_rate_counts_what_is_lost(server, ports):
    s = server("log rate 500\n" + one(ports[0]))
    count = 9000
    assert burst(ports[0], count) < 60

    def counted():
        return s.log().count('"GET / HTTP/1.1" 200') + dropped(s.log().splitlines())

    wait_for(lambda: counted() == count, "every request, logged or counted")
    assert dropped(s.log().splitlines()) > 1000
    told = re.findall(rf"(?m)^(\S+ \S+),\d+ - \[PORT {ports[0]}\] \d+ log records? w", s.log())
    assert len(told) == len(set(told))  # at most once in a second


def test_the_rate_can_be_changed_and_switched_off(server, ports):
    s = server("log rate 1\n" + one(ports[0]))
    burst(ports[0], 50)
    s.wait_log("writes more to the log than `log rate 1` allows")
    s.config.write_text(s.config.read_text().replace("log rate 1\n", "log rate off\n"))
    s.kill(signal.SIGHUP)
    s.wait_log("reloaded: 1 kept")
    wait_for(lambda: s.log().count("GET / HTTP") == 50, "what had waited")
    burst(ports[0], 300, "/off")
    wait_for(lambda: s.log().count("GET /off HTTP") == 300, "all of it")
    assert dropped(s.log().splitlines()) == 0


# --- the master's own --------------------------------------------------------------------------


def test_the_masters_records_wait_for_a_daemon_that_does_not_read(server, ports, daemon):
    """Its queue full of access records, a worker dies five times."""
    s = server(daemon.sink() + "log to console\nrestart { backoff 1ms to 50ms; park after 64 in 10ms }\n" + one(ports[0]) +
               one(ports[1]))
    daemon.signal(signal.SIGSTOP)
    burst(ports[0], daemon.queue_length() + 4000)
    killed = []
    for n in range(5):
        killed.append(wait_for(lambda: s.workers(ports[1]), "a worker")[ports[1], 1])
        os.kill(killed[-1], signal.SIGKILL)
        s.wait_ready(ports[1], "worker", n + 2)
    daemon.signal(signal.SIGCONT)

    def records():
        return [int(m[1]) for x in lines_of(daemon)
                if (m := re.search(r"worker 1 \(pid (\d+)\) was killed from outside", x))]

    wait_for(lambda: len(records()) == 5, "the five ends")
    assert records() == killed
    assert not [x for x in lines_of(daemon) if "[MASTER]" in x and "dropped" in x]


def test_the_masters_records_wait_for_a_daemon_that_comes_later(server, ports, daemon):
    daemon.kill()
    s = server(daemon.sink() + "log to console\n" + one(ports[0]))
    os.kill(s.workers()[ports[0], 1], signal.SIGKILL)
    s.wait_ready(ports[0], "worker", 2)
    daemon.start()
    wait_for(lambda: any("was killed from outside" in x for x in lines_of(daemon)), "the end")
    text = "\n".join(lines_of(daemon))
    places = [text.index(w) for w in ("starts 1 port", "1 port is served", "was killed from outside")]
    assert places == sorted(places)


def test_a_console_nobody_reads_keeps_the_masters_records(certificates, tmp_path, ports):
    """A terminal that was stopped, a pipe whose reader is busy: the master's records wait."""
    s = Piped(tmp_path / "piped", certificates, "restart { backoff 1ms to 50ms; park after 64 in 10ms }\n" + one(ports[0]))
    s.start()
    try:
        burst(ports[0], 300)
        killed = set()
        for n in range(5):
            pid = wait_for(lambda: set(s.workers().values()) - killed, "another worker").pop()
            killed.add(pid)
            os.kill(pid, signal.SIGKILL)
        s.collect()
        s.wait_log("was killed from outside by SIGKILL", count=5)
        assert s.stop() == 0
    finally:
        s.cleanup()


# --- upgrades ----------------------------------------------------------------------------------


def test_an_upgrade_loses_no_record(upgradable, ports):  # noqa: F811
    """Records that wait for the daemon, those in a pipe, and those that an old worker still
    writes."""
    with contextlib.closing(daemons.Syslog()) as syslog:
        s = upgradable("drain 30s\nlog to console\n" + syslog.sink() + one(ports[0]))
        syslog.kill()
        os.kill(s.workers()[ports[0], 1], signal.SIGKILL)  # waits for a daemon
        s.wait_ready(ports[0], "worker", 2)
        old = s.workers()[ports[0], 1]
        with Connection(ports[0]) as c:
            assert c.get("/before").status == 200
            fd = descriptor_of(old, STANDARD_ERROR)
            os.write(fd, b"half of a ")  # has been read, and is no line yet
            upgrade(s)
            os.write(fd, b"line\n")
            os.close(fd)
            assert c.get("/on-the-old-one").status == 200
        s.wait_log(rf"worker 1 \(pid {old}\) wrote: half of a line")
        s.wait_log("/on-the-old-one")
        syslog.start()
        wait_for(lambda: f"pid {old}" in syslog.text() and "was killed from outside" in syslog.text(),
                 "what had waited over the upgrade")
        assert get(ports[0], "/on-the-new-one").status == 200
        wait_for(lambda: "/on-the-new-one" in syslog.text(), "a record of the new one")
        assert s.stop() == 0


# --- the pipe stays ---------------------------------------------------------------------------------


def pipes(pid):
    return sum(what == "pipe" for what in descriptors_of(pid).values())


@pytest.mark.any_build
@pytest.mark.parametrize("rate", ["", "log rate off\n"], ids=["default", "off"])
@pytest.mark.parametrize("kind", ["lines", "long"])
def test_a_flood_does_not_end_its_processs_log(server, ports, rate, kind):
    """The master ignores the pipe for a while and then reads it again."""
    s = server(rate + one(ports[0]))
    victim, before = s.workers()[ports[0], 1], pipes(s.pid)
    with flooding(victim, kind, 2):
        size = s.log_path.stat().st_size
        wait_for(lambda: s.log_path.stat().st_size > size + (4 << 20), "4 MB in the log")
        assert pipes(s.pid) == before
    wait_for(lambda: get(ports[0], "/afterwards") and "/afterwards" in s.log(), "its next record")
    assert s.workers()[ports[0], 1] == victim
    assert pipes(s.pid) == before


def test_a_long_record_at_a_small_rate_holds_up_no_other(server, ports):
    s = server("log rate 1\n" + one(ports[0]))
    get(ports[0], "/" + "x" * 2900)
    wait_for(lambda: get(ports[0], "/afterwards") and "/afterwards" in s.log(), "its next record",
             timeout=60)
    assert "/xxxx" in s.log()


def test_what_is_kept_is_written_at_the_end(certificates, tmp_path, ports):
    """The console's reader is busy when the server stops."""
    s = Piped(tmp_path / "piped", certificates, one(ports[0]))
    try:
        s.start()
        burst(ports[0], 300)
        s.kill(signal.SIGTERM)
        wait_for(lambda: not s.workers(), "the worker's end")
        s.collect()
        assert s.process.wait(30) == 0
        wait_for(lambda: "stopped after" in s.log(), "its last record")
        assert "SIGTERM: stopping" in s.log()
    finally:
        s.cleanup()


def test_what_a_reload_takes_away_from_a_sink_is_told(server, ports):
    with contextlib.closing(daemons.Syslog()) as syslog:
        s = server("log to console\n" + syslog.sink() + one(ports[0]))
        syslog.kill()
        os.kill(s.workers()[ports[0], 1], signal.SIGKILL)
        s.wait_ready(ports[0], "worker", 2)
        text = s.config.read_text()
        for count, changed in enumerate((text.replace(syslog.sink().strip(), ""), text), 1):
            s.config.write_text(changed)
            s.kill(signal.SIGHUP)
            s.wait_log("reloaded: ", count)
        syslog.start()
        wait_for(lambda: dropped(syslog.text().splitlines()) > 0, "the loss to be told")
