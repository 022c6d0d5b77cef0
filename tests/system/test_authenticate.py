"""Passwords: who comes in, how hashes are checked and by whom, and what others notice of it."""
import base64
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import threading
import time

import pytest

from harness import (Connection, Server, descriptors_of, get, key_channels_of, memory_holds, need_root, sanitized,
                     wait_for)
from test_control import controlled, ctl  # noqa: F401 (a fixture)
from test_upgrade import upgradable, upgrade  # noqa: F401 (a fixture)

THREADED = True

# Of "secret", as cheap as each kind can be.
HASHES = {
    "bcrypt-b": "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW",
    "bcrypt-y": "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW",
    "bcrypt-a": "$2a$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW",
    "sha256": "$5$rounds=1000$saltstring$AH5PD0i.riCRu4BNDy9v7OPV7u3dfLBApcXI6khquVA",
    "sha512": "$6$saltstring$AIsRs/Ee56G/tC8MEHhvReZTfx8u3rXXMl6eYrjCG9ibix19DxoMBLogdTET5Ukw9Sf7eZTITsuk0Ry5qulYz.",
    "yescrypt-1": "$y$j75$saltsaltsalt$jyf/lxrpdyAIshWRo1x5DRC6KIE7sNRRtjcomR3PgHA",
    # its own default, for which crypt(3) asks for huge pages
    "yescrypt-16": "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$GmcwIgvdUC9qLWcKCi6gklUa1dM3ziD43YxYNURLKy0",
}
BOB = HASHES["bcrypt-b"]
# Of "changed".
CHANGED = "$2b$04$abcdefghijklmnopqrstuu5XQl64I3WPWSJw.ftK7xXCrRn1r6QJi"
# A second of work or so, and nobody's password.
SLOW = "$6$rounds=1000000$salt$" + "x" * 85 + "."
# Deaths never park a port, and are replaced at once.
EAGER = "restart { backoff 1ms to 1ms; park after 64 in 10ms }\n"


@pytest.fixture
def staff(tmp_path):
    """A function that writes the password file, of lines or of users and their hashes."""
    path = tmp_path / "staff.htpasswd"

    def write(*lines, **users):
        new = path.with_suffix(".new")
        new.write_text("".join(f"{line}\n" for line in (*lines, *(f"{u}:{h}" for u, h in users.items()))))
        new.chmod(0o600)
        os.rename(new, path)
        return path

    write(bob=BOB)
    write.path = path
    return write


@pytest.fixture(autouse=True)
def plain(request, monkeypatch):
    """Most of it is the same on a port without TLS, which has no keyholder."""
    monkeypatch.setattr(Connection, "plain", "over_tls" not in request.node.name)


@pytest.fixture
def one_loop(monkeypatch):
    """Each loop remembers and counts for itself."""
    monkeypatch.setattr(Server, "threads", None)


def port_of(number, staff):
    return (f'port {number} {{ location "/" {{ respond 200 "open" }}\n'
            f'location "/in" {{ authenticate basic "staff" file "{staff.path}"\nrespond 200 "inside" }} }}\n')


def field(user, password):
    return "Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()).decode() + "\r\n"


def connect(port, source="127.0.0.1"):
    """From one of many clients; each may try ten wrong passwords."""
    return Connection.over(socket.create_connection(("127.0.0.1", port), 60, (source, 0)))


def ask(port, user="bob", password="secret", path="/in", source="127.0.0.1"):
    with connect(port, source) as c:
        return c.get(path, field(user, password))


def ask_all(port, tries, source="127.0.0.1"):
    """Side by side; the statuses in the order of the tries."""
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(connect(port, source)) for _ in tries]
        for c, (user, password) in zip(connections, tries):
            c.send(f"GET /in HTTP/1.1\r\nHost: a\r\n{field(user, password)}\r\n".encode())
        return [c.response() for c in connections]


def counters(s, number):
    [port] = [p for p in json.loads(ctl(s, "status", "--json").stdout)["ports"] if p["port"] == number]
    return port["counters"]


def verifier_of(s, port):
    return s.children("verifier", port)[port, 1]


def cpu_ticks(pid):
    words = pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace").rsplit(")", 1)[1].split()
    return int(words[11]) + int(words[12])


# --- who comes in ---------------------------------------------------------------------------------


def test_right_wrong_and_unknown(controlled, ports, staff):  # noqa: F811
    s = controlled(port_of(ports[0], staff))
    answer = get(ports[0], "/in")
    assert (answer.status, answer["WWW-Authenticate"]) == (401, 'Basic realm="staff", charset="UTF-8"')
    answer = ask(ports[0])
    assert (answer.status, answer.body) == (200, b"inside")
    began = time.monotonic()
    answers = ask_all(ports[0], [("bob", "guess"), ("nobody", "secret"), ("bob", "")])
    assert time.monotonic() - began >= 1
    for answer in answers:
        assert (answer.status, answer["WWW-Authenticate"]) == (401, 'Basic realm="staff", charset="UTF-8"')
        assert b"inside" not in answer.body
    assert get(ports[0]).body == b"open"
    assert ask(ports[0], "bob", "secret").status == 200
    for user in ("bob", "nobody"):
        s.wait_log(rf"wrong password of user \"{user}\" for \"staff\" from \('127\.0\.0\.1', \d+\)")
    s.wait_log(r'"GET /in HTTP/1\.1" 200 6 \S+ user "bob"')
    s.wait_log(r'"GET /in HTTP/1\.1" 401 \d+ \d\d\d\d+\.\dms\n')
    assert "secret" not in s.log() and "guess" not in s.log()
    assert BOB not in s.log() and field("bob", "secret").split()[2] not in s.log()
    wait_for(lambda: counters(s, ports[0])["passwords_wrong"] == 3, "the count of wrong passwords")
    assert 1 <= counters(s, ports[0])["passwords_right"] <= 2  # each loop asks once
    assert s.stop() == 0
    s.wait_log(r"verifier 1 \(pid \d+\) drained after \S+ and [45] passwords")


def test_each_kind_of_hash_in_a_confined_verifier(server, ports, staff):
    staff(**HASHES)
    s = server(port_of(ports[0], staff))
    pid = verifier_of(s, ports[0])
    assert [a.status for a in ask_all(ports[0], [(user, "secret") for user in HASHES])] == [200] * len(HASHES)
    assert [a.status for a in ask_all(ports[0], [(user, "Secret") for user in HASHES])] == [401] * len(HASHES)
    assert verifier_of(s, ports[0]) == pid
    assert "killed" not in s.log()


def test_over_tls_and_with_a_body(server, ports, staff):
    text = port_of(ports[0], staff).replace('respond 200 "inside"', "echo")
    server(text)
    body = os.urandom(50000)
    with Connection(ports[0]) as c:
        for password, status in (("secret", 200), ("wrong", 401), ("secret", 200)):
            c.send(f"POST /in HTTP/1.1\r\nHost: a\r\n{field('bob', password)}Content-Length: {len(body)}\r\n\r\n"
                   .encode() + body)
            answer = c.response()
            assert answer.status == status
            assert (answer.body == body) == (status == 200)


def test_a_file_of_its_own_in_each_place(server, ports, staff, tmp_path):
    (tmp_path / "other").write_text(f"carol:{CHANGED}\r\n")
    server(f'authenticate basic "all" file "{tmp_path}/other"\n'
           f'port {ports[0]} {{ location "/" {{ respond 200 "carol" }}\n'
           f'location "/in" {{ authenticate basic "staff" file "{staff.path}"\nrespond 200 "bob" }}\n'
           'location "/open" { authenticate off respond 200 "all" } }')
    assert get(ports[0], "/open").body == b"all"
    assert ask(ports[0], "bob", "secret").body == b"bob"
    assert ask(ports[0], "carol", "changed", "/").body == b"carol"
    # right, and of another file: neither side remembers it for that
    assert ask(ports[0], "bob", "secret", "/", source="127.0.0.2").status == 401
    assert ask(ports[0], "carol", "changed", "/in", source="127.0.0.2").status == 401


# --- the verifier ---------------------------------------------------------------------------------


def test_what_the_verifier_is(server, ports, staff):
    s = server(port_of(ports[0], staff) + f'port {ports[1]} {{ respond 200 "fine" }}')
    assert list(s.children("verifier")) == [(ports[0], 1)]  # and none where nobody needs it
    pid = verifier_of(s, ports[0])
    assert pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0") == \
        f"bulkhead: port {ports[0]} verifier 1".encode()
    assert os.getpriority(os.PRIO_PROCESS, pid) == min(os.getpriority(os.PRIO_PROCESS, s.pid) + 5, 19)
    if os.geteuid() == 0:
        assert staff.path.stat().st_mode & 0o777 == 0o600
        kinds = set(descriptors_of(pid).values())
        assert not {"socket:listener", "socket:connection"} & kinds, kinds
        assert not [what for what in kinds if "htpasswd" in what], kinds
    assert ask(ports[0]).status == 200


def test_only_the_verifiers_memory_holds_a_hash(server, ports, staff):
    need_root()
    if sanitized():
        pytest.skip("a sanitizer's shadow memory is too large to be searched")
    staff(bob=BOB, carol=HASHES["sha512"])
    s = server(port_of(ports[0], staff))
    assert ask(ports[0]).status == 200
    assert ask(ports[0], "carol", "wrong").status == 401
    needles = [HASHES["sha512"][-40:].encode(), BOB[-30:].encode()]
    assert memory_holds(verifier_of(s, ports[0]), *needles), "the search finds nothing at all"
    for pid in (s.pid, *s.workers().values()):
        assert not memory_holds(pid, *needles)


def test_known_clients_go_on_while_the_verifier_stands_still(server, ports, staff):
    staff(bob=BOB, carol=CHANGED)
    s = server(port_of(ports[0], staff) + f'port {ports[1]} {{ respond 200 "fine" }}')
    with connect(ports[0]) as known, connect(ports[0]) as new:
        assert known.get("/in", field("bob", "secret")).status == 200
        os.kill(verifier_of(s, ports[0]), signal.SIGSTOP)
        try:
            new.send(f"GET /in HTTP/1.1\r\nHost: a\r\n{field('carol', 'changed')}\r\n".encode())
            for _ in range(20):
                assert known.get("/in", field("bob", "secret")).body == b"inside"
                assert known.get("/").body == b"open"
                assert get(ports[0]).body == b"open"
                assert get(ports[1]).body == b"fine"
        finally:
            os.kill(verifier_of(s, ports[0]), signal.SIGCONT)
        assert new.response().body == b"inside"
    assert len(s.ready(ports[0], "verifier")) == 1


def test_a_password_that_dies_with_its_verifier_is_checked_again(server, ports, staff, one_loop):
    staff(slow=SLOW, bob=BOB)
    s = server(EAGER + port_of(ports[0], staff))
    for n in range(2, 4):
        pid = verifier_of(s, ports[0])
        ticks = cpu_ticks(pid)
        with connect(ports[0], "127.0.0.2") as slow, connect(ports[0]) as waits:
            slow.send(f"GET /in HTTP/1.1\r\nHost: a\r\n{field('slow', 'x')}\r\n".encode())
            wait_for(lambda t=ticks, p=pid: cpu_ticks(p) > t + 1, "the hash")  # in the middle of it
            waits.send(f"GET /in HTTP/1.1\r\nHost: a\r\n{field(f'n{n}', 'y')}\r\n".encode())
            os.kill(pid, signal.SIGKILL)
            s.wait_ready(ports[0], "verifier", n)
            assert (slow.response().status, waits.response().status) == (401, 401)
    assert ask(ports[0]).status == 200
    assert len(s.ready(ports[0], "worker")) == 1
    s.wait_log(r"verifier 1 \(pid \d+\) was killed from outside by SIGKILL", count=2)
    s.wait_reaped()


def test_others_are_answered_while_hashes_are_made(server, ports, staff, one_loop):
    """Those that wait for a hash hold up nobody who does not."""
    staff(slow=SLOW, bob=BOB)
    server(port_of(ports[0], staff))
    with connect(ports[0]) as known, contextlib.ExitStack() as stack:
        assert known.get("/in", field("bob", "secret")).status == 200
        waiting = [stack.enter_context(connect(ports[0], f"127.0.0.{n}")) for n in range(2, 5)]
        for c in waiting:
            c.send(f"GET /in HTTP/1.1\r\nHost: a\r\n{field('slow', 'x')}\r\n".encode())
        for _ in range(50):
            assert known.get("/in", field("bob", "secret")).status == 200
            assert known.get("/").status == 200
    assert ask(ports[0]).status == 200  # and those that left do so, too


# --- changes of the file --------------------------------------------------------------------------


def test_a_changed_file_comes_with_a_reload(server, ports, staff):
    s = server(port_of(ports[0], staff) + f'port {ports[1]} {{ respond 200 "fine" }}')
    with connect(ports[0]) as kept:
        assert kept.get("/in", field("bob", "secret")).status == 200
        staff(bob=CHANGED, carol=BOB)
        s.kill(signal.SIGHUP)
        s.wait_log("reloaded: 1 kept, 1 changed, 0 new, 0 dropped")
        assert kept.closed()
    answers = ask_all(ports[0], [("bob", "changed"), ("carol", "secret"), ("bob", "secret")])
    assert [a.status for a in answers] == [200, 200, 401]
    s.kill(signal.SIGHUP)
    s.wait_log("reloaded: 2 kept, 0 changed, 0 new, 0 dropped")
    s.wait_reaped()


def test_a_changed_file_comes_with_a_reload_over_tls(server, ports, staff, certificates, tmp_path):
    """The keyholder has so many keys that it has read them after the verifier has read its file."""
    hosts = ""
    for n in range(50):
        pair = [shutil.copy(source, tmp_path / f"{n}.{kind}")
                for source, kind in zip(certificates("rsa"), ("pem", "key"))]
        hosts += f'host "{n}.example" {{ tls {{ certificate "{pair[0]}" key "{pair[1]}" }} respond 200 }}\n'
    s = server(port_of(ports[0], staff).rstrip()[:-1] + hosts + "}")
    assert ask(ports[0]).status == 200
    staff(bob=CHANGED)
    s.kill(signal.SIGHUP)
    s.wait_log("reloaded: 0 kept, 1 changed, 0 new, 0 dropped")
    assert (ask(ports[0]).status, ask(ports[0], password="changed").status) == (401, 200)


def test_a_verifier_that_dies_has_the_file_of_its_workers(server, ports, staff):
    """A change comes with a reload, and not by a crash."""
    s = server(EAGER + port_of(ports[0], staff))
    staff(bob=CHANGED)
    os.kill(verifier_of(s, ports[0]), signal.SIGKILL)
    s.wait_ready(ports[0], "verifier", 2)
    answers = ask_all(ports[0], [("bob", "changed"), ("bob", "secret")])
    assert [a.status for a in answers] == [401, 200]


def test_a_bad_file_at_a_reload_changes_nothing(server, ports, staff):
    s = server(port_of(ports[0], staff))
    for line, sentence in (("carol:pa55word", "is a password in plain text"),
                           ("carol:$apr1$pa55word$HqJZimcKQFAMYayBlzkrA/", "is MD5"),
                           ("pa55word", "a line is `user:hash`"),
                           (f"bob:{CHANGED}", '"bob" is in line 1, too')):
        staff(f"bob:{BOB}", line)
        s.kill(signal.SIGHUP)
        s.wait_log(rf'"{re.escape(str(staff.path))}", line 2: .*{re.escape(sentence)}')
        assert ask(ports[0]).status == 200
    assert "pa55word" not in s.log() and "HqJZim" not in s.log() and CHANGED not in s.log()
    staff(bob=CHANGED)
    s.kill(signal.SIGHUP)
    wait_for(lambda: ask(ports[0], "bob", "changed", source="127.0.0.9").status == 200, "the good file")


def test_a_port_whose_file_is_bad_or_missing_is_not_served(server, ports, staff):
    staff("bob:pa55word")
    s = server(port_of(ports[0], staff) + f'port {ports[1]} {{ respond 200 "fine" }}')
    s.wait_log(rf'PORT {ports[0]}\].*"{re.escape(str(staff.path))}", line 1: the hash of "bob" is a password in plain')
    assert get(ports[1]).body == b"fine"
    assert "pa55word" not in s.log()
    staff.path.unlink()
    s.kill(signal.SIGHUP)
    s.wait_log(rf'"{re.escape(str(staff.path))}".*No such file or directory')
    assert get(ports[1]).body == b"fine"
    staff(bob=BOB)
    s.kill(signal.SIGHUP)
    s.wait_ready(ports[0], "worker", 1)
    wait_for(lambda: ask(ports[0]).status == 200, "the port is served")


# --- too many tries -------------------------------------------------------------------------------


def test_a_client_with_too_many_wrong_passwords_waits(controlled, ports, staff, one_loop):  # noqa: F811
    s = controlled(port_of(ports[0], staff))
    with connect(ports[0]) as known:
        assert known.get("/in", field("bob", "secret")).status == 200
        answers = ask_all(ports[0], [("bob", f"x{n}") for n in range(10)])
        assert [a.status for a in answers] == [401] * 10
        for user, password in (("bob", "x"), ("nobody", "y")):
            answer = ask(ports[0], user, password)
            assert answer.status == 429 and 1 <= int(answer["Retry-After"]) <= 6, answer.fields
        assert known.get("/in", field("bob", "secret")).status == 200  # it is no guess
        assert ask(ports[0]).status == 200
    assert get(ports[0]).status == 200
    assert ask(ports[0], "bob", "x", source="127.0.0.2").status == 401
    assert counters(s, ports[0])["passwords_wrong"] == 11


def test_tries_side_by_side_are_no_more_than_one_after_the_other(controlled, ports, staff, one_loop):  # noqa: F811
    s = controlled(port_of(ports[0], staff))
    statuses = [a.status for a in ask_all(ports[0], [("bob", f"x{n}") for n in range(40)])]
    assert 10 <= statuses.count(401) <= 11 and statuses.count(429) == 40 - statuses.count(401), statuses
    assert counters(s, ports[0])["passwords_wrong"] == statuses.count(401)


def test_the_same_password_side_by_side_is_one_try_and_one_hash(controlled, ports, staff, one_loop):  # noqa: F811
    """As a browser sends it for all parts of a page."""
    staff(slow=SLOW, bob=BOB)
    s = controlled(port_of(ports[0], staff))
    assert {a.status for a in ask_all(ports[0], [("bob", "secret")] * 100)} == {200}
    assert counters(s, ports[0])["passwords_right"] == 1
    assert {a.status for a in ask_all(ports[0], [("slow", "x")] * 30, "127.0.0.2")} == {401}
    assert counters(s, ports[0])["passwords_wrong"] == 1
    assert s.log().count('wrong password of user "slow"') == 1
    # nobody else's tries are spared by it
    answers = ask_all(ports[0], [("bob", f"y{n}") for n in range(20)], "127.0.0.2")
    assert {a.status for a in answers} == {401, 429}
    assert ask(ports[0], "bob", "z", source="127.0.0.3").status == 401


def test_a_refused_client_cannot_guess_passwords_that_are_remembered(server, ports, staff, one_loop):
    """Whether one is remembered costs no hash to find out, so it must not be found out as often as a client likes."""
    server(port_of(ports[0], staff))
    with connect(ports[0]) as known, connect(ports[0], "127.0.0.2") as guesses:
        assert known.get("/in", field("bob", "secret")).status == 200
        ask_all(ports[0], [("bob", f"x{n}") for n in range(10)], "127.0.0.2")
        # a neighbour at the same address comes in beside a few guesses
        for n in range(20):
            assert guesses.get("/in", field("bob", f"y{n}")).status in (401, 429)
        assert ask(ports[0], source="127.0.0.2").status == 200
        for n in range(200):
            assert guesses.get("/in", field("bob", f"z{n}")).status in (401, 429)

        def guess_both():
            """A wrong one, which takes what the client may still do, and the right one right after it."""
            for password in ("wrong", "secret"):
                guesses.send(f"GET /in HTTP/1.1\r\nHost: a\r\n{field('bob', password)}\r\n".encode())
            return [guesses.response().status for _ in range(2)]

        statuses = guess_both()
        while statuses[0] == 401:  # a try that it may have had meanwhile, and was answered a second later
            statuses = guess_both()
        assert statuses == [429, 429]
        assert known.get("/in", field("bob", "secret")).status == 200
        wait_for(lambda: ask(ports[0], source="127.0.0.2").status == 200, "the neighbour comes in again")


# --- many clients ---------------------------------------------------------------------------------


def test_a_client_with_many_tries_does_not_hold_up_others(controlled, ports, staff, one_loop):  # noqa: F811
    """The hashes of clients are made in turn."""
    staff(slow=SLOW.replace("1000000", "200000"), bob=BOB)
    s = controlled(port_of(ports[0], staff))
    with contextlib.ExitStack() as stack:
        for n in range(10):
            c = stack.enter_context(connect(ports[0], "127.0.0.2"))
            c.send(f"GET /in HTTP/1.1\r\nHost: a\r\n{field('slow', f'x{n}')}\r\n".encode())
        wait_for(lambda: counters(s, ports[0])["passwords_wrong"] >= 1, "the first hash")
        assert ask(ports[0]).status == 200
        assert counters(s, ports[0])["passwords_wrong"] <= 8
        wait_for(lambda: counters(s, ports[0])["passwords_wrong"] == 10, "the others")


def test_few_clients_with_many_tries_do_not_take_all_places(server, ports, staff, one_loop):
    s = server(port_of(ports[0], staff))
    pid = verifier_of(s, ports[0])
    with contextlib.ExitStack() as stack:
        os.kill(pid, signal.SIGSTOP)
        try:
            many = [stack.enter_context(connect(ports[0], f"127.0.0.{k}")) for k in range(2, 10) for _ in range(10)]
            for n, c in enumerate(many):
                c.send(f"GET /in HTTP/1.1\r\nHost: a\r\n{field('bob', f'x{n}')}\r\n".encode())
            assert get(ports[0]).status == 200
            new = [stack.enter_context(connect(ports[0], f"127.0.1.{k}")) for k in range(1, 9)]
            for c in new:
                c.send(f"GET /in HTTP/1.1\r\nHost: a\r\n{field('bob', 'secret')}\r\n".encode())
            assert get(ports[0]).status == 200
        finally:
            os.kill(pid, signal.SIGCONT)
        assert [c.response().status for c in new] == [200] * 8
        answers = [c.response() for c in many]
        assert {a.status for a in answers} == {401, 503}
        assert len([a for a in answers if a.status == 401]) == 64 + 1 - 8  # and the one that was asked
        assert {a["Retry-After"] for a in answers if a.status == 503} == {"1"}


def test_a_password_over_which_verifiers_die_is_given_up(server, ports, staff, one_loop):
    staff(slow=SLOW, bob=BOB)
    s = server(EAGER + port_of(ports[0], staff))
    with connect(ports[0], "127.0.0.2") as poison, connect(ports[0]) as waits:
        for n in range(2, 4):
            pid = verifier_of(s, ports[0])
            ticks = cpu_ticks(pid)
            if n == 2:
                poison.send(f"GET /in HTTP/1.1\r\nHost: a\r\n{field('slow', 'x')}\r\n".encode())
            wait_for(lambda t=ticks, p=pid: cpu_ticks(p) > t + 1, "the hash")
            if n == 2:
                waits.send(f"GET /in HTTP/1.1\r\nHost: a\r\n{field('bob', 'secret')}\r\n".encode())
            os.kill(pid, signal.SIGKILL)
            s.wait_ready(ports[0], "verifier", n)
        answer = poison.response()
        assert (answer.status, answer["Retry-After"]) == (503, "1")
        assert waits.response().status == 200
    s.wait_log(r"verifier 1 \(pid \d+\) was killed from outside by SIGKILL", count=2)
    s.wait_reaped()


@pytest.mark.parametrize("text", ["", "\n\n", "# nobody yet\n", "\ufeff", None])
def test_a_file_without_users_is_served_with_a_warning(run, server, ports, staff, text):
    """Nobody comes in, and nobody is surprised. A file that is no file is empty, too."""
    if text is None:
        staff.path.unlink()
        os.mkfifo(staff.path)
    else:
        staff.path.write_text(text)
    s = server(port_of(ports[0], staff))
    said = f'password file "{staff.path}" has no user: nobody can come in by it'
    s.wait_log(re.escape(said))
    assert ask(ports[0]).status == 401
    ran = run("-t", "-f", str(s.config))
    assert ran.returncode == 0 and "warning: " + said in ran.stderr
    staff.path.unlink()
    staff(bob=BOB)
    ran = run("-t", "-f", str(s.config))
    assert ran.returncode == 0 and said not in ran.stderr


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL])
@pytest.mark.parametrize("ends", [signal.SIGTERM, signal.SIGHUP])
def test_who_waits_is_answered_although_the_verifier_is_lost_in_the_end(server, ports, staff, how, ends):
    """One that is dead has a successor, which has the file of its workers; one that hangs does not answer in time."""
    staff(slow=SLOW, bob=BOB)
    s = server("drain 4s\n" + port_of(ports[0], staff))
    pid = verifier_of(s, ports[0])
    ticks = cpu_ticks(pid)
    with connect(ports[0]) as c, connect(ports[0]) as other:
        c.send(f"GET /in HTTP/1.1\r\nHost: a\r\n{field('slow', 'x')}\r\n".encode())
        wait_for(lambda: cpu_ticks(pid) > ticks + 1, "the hash")
        os.kill(pid, signal.SIGSTOP)
        other.send(f"GET /in HTTP/1.1\r\nHost: a\r\n{field('bob', 'secret')}\r\n".encode())
        staff(slow=SLOW)
        s.kill(ends)
        s.wait_log("stopping, requests in flight" if ends == signal.SIGTERM else "reloaded: 0 kept, 1 changed")
        os.kill(pid, how)
        found = [(a.status, a["Retry-After"]) for a in (c.response(), other.response())]
        assert found == ([(401, None), (200, None)] if how == signal.SIGKILL else [(503, "1")] * 2)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    s.wait_log(r"worker 1 \(pid \d+\) drained after")


def test_a_byte_order_mark_and_line_ends_are_no_part_of_users(server, ports, staff):
    staff("\ufeffbob:" + BOB + "\r", "carol:" + CHANGED + "\r", "\r")
    server(port_of(ports[0], staff))
    assert ask(ports[0]).status == 200
    assert ask(ports[0], "carol", "changed").status == 200


# --- a worker that was taken over -----------------------------------------------------------------


def request(number, file, user, password):
    return struct.pack("<QHHHH", number, file, len(user), len(password), 0) + user + password


def test_a_worker_has_only_its_own_ports_verifier(server, ports, staff, one_loop):
    need_root()
    s = server(EAGER + port_of(ports[0], staff) + port_of(ports[1], staff) +
               f'port {ports[2]} {{ respond 200 "fine" }}')
    for port, count in zip(ports, (1, 1, 0)):
        channels = key_channels_of(s.workers(port)[port, 1])
        assert len(channels) == count, descriptors_of(s.workers(port)[port, 1])
        for c in channels:
            c.close()
    other = s.workers(ports[1])
    violations = [request(1, 1, b"bob", b"secret"),  # a file that the port does not have
                  request(1, 65535, b"bob", b"secret"), request(0, 0, b"bob", b"secret"),
                  request(1, 0, b"bob", b"secret\0"), request(1, 0, b"b\0b", b"secret"),
                  request(1, 0, b"bob", b"secret") + b"x", request(1, 0, b"bob", b"secret")[:-1],
                  request(1, 0, b"u" * 256, b"x"), request(1, 0, b"u", b"x" * 512), b"x", b""]
    for n, packet in enumerate(violations, 1):
        pid = s.workers(ports[0])[ports[0], 1]
        [channel] = key_channels_of(pid)
        with channel:
            channel.send(packet)
        s.wait_log("worker 1 violated the password protocol; its channel is closed", count=n)
        s.wait_ready(ports[0], "worker", n + 1)
        assert ask(ports[1]).status == 200
    assert ask(ports[0]).status == 200
    assert s.workers(ports[1]) == other
    assert len(s.ready(ports[0], "verifier")) == 1
    # it may ask what its clients may ask, and hears no more than they do
    pid = s.workers(ports[0])[ports[0], 1]
    [channel] = key_channels_of(pid)
    with channel:
        os.kill(pid, signal.SIGSTOP)
        try:
            for user, password, status in ((b"bob", b"secret", 1), (b"bob", b"x", 2), (b"", b"", 2)):
                channel.setblocking(True)
                channel.send(request(99, 0, user, password))
                assert channel.recv(100) == struct.pack("<QII", 99, status, 0)
        finally:
            os.kill(pid, signal.SIGKILL)


# --- upgrades -------------------------------------------------------------------------------------


def test_passwords_are_checked_after_an_upgrade(upgradable, ports, staff):  # noqa: F811
    s = upgradable(EAGER + port_of(ports[0], staff))
    assert ask(ports[0]).status == 200
    first = verifier_of(s, ports[0])
    upgrade(s)
    assert [a.status for a in ask_all(ports[0], [("bob", "secret"), ("bob", "x")])] == [200, 401]
    wait_for(lambda: not os.path.exists(f"/proc/{first}"), "the end of the former verifier")
    os.kill(verifier_of(s, ports[0]), signal.SIGKILL)
    s.wait_ready(ports[0], "verifier", 3)
    upgrade(s, 2)
    assert [a.status for a in ask_all(ports[0], [("bob", "secret"), ("bob", "x")])] == [200, 401]
    s.wait_reaped()
    assert s.stop() == 0


def test_no_request_fails_while_the_server_changes(server, ports, staff):
    """Reloads and deaths of the verifier, under clients that show a right password all the time."""
    s = server(EAGER + port_of(ports[0], staff))
    stop, failed, done = threading.Event(), [], [0]

    def run():
        while not stop.is_set():
            try:
                assert ask(ports[0]).status == 200
                done[0] += 1
            except (OSError, EOFError, AssertionError) as e:
                failed.append(e)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for t in threads:
        t.start()
    try:
        for n in range(1, 4):
            before = done[0]
            staff(f"# {n}", bob=BOB)
            s.kill(signal.SIGHUP)
            s.wait_log("reloaded: 0 kept, 1 changed", count=n)
            os.kill(verifier_of(s, ports[0]), signal.SIGKILL)
            s.wait_ready(ports[0], "verifier", 2 * n + 1)
            wait_for(lambda b=before: done[0] > b + 5, "more requests")
    finally:
        stop.set()
        for t in threads:
            t.join()
    assert not failed, failed
