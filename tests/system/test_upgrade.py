"""SIGUSR2: the next version takes over in the same process, and no client notices."""
import contextlib
import functools
import itertools
import json
import os
import pathlib
import re
import resource
import shlex
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import threading
import time

import pytest

import test_tls
from harness import (BINARY, HELLO, Connection, descriptors_of, get, need_root, refused, sanitized,
                     wait_for)
from test_control import ctl

NEXT = BINARY.parent / "next" / "bulkhead"
FOLLOWED = "upgraded from .* to .*: all ports have followed"
pytestmark = pytest.mark.skipif(not NEXT.exists(), reason="make next has not been run")


def hello(port, extra=""):
    return f'port {port} {{ {extra} respond 200 "Hello, world!\\n" }}\n'


@pytest.fixture
def upgradable(server, certificates, tmp_path, monkeypatch):
    """A server that runs a copy of the program, which can be replaced."""
    program = tmp_path / "bulkhead"
    shutil.copy(BINARY, program)

    def make(text, **options):
        monkeypatch.setattr("harness.BINARY", program)
        s = server(text, **options)
        s.program = program
        return s

    return make


def put(s, source):
    """Replaces the program under the same name, as a package does."""
    new = s.program.with_suffix(".new")
    if isinstance(source, bytes):
        new.write_bytes(source)
        new.chmod(0o755)
    else:
        shutil.copy(source, new)
    os.rename(new, s.program)


def put_script(s, script):
    """A program that runs this script; only an ELF file can be executed by descriptor."""
    folder = s.program.parent
    (folder / "script").write_text(script)
    (folder / "script").chmod(0o755)
    subprocess.run(["cc", "-x", "c", "-o", folder / "stub", "-"], check=True, text=True, input=
                   '#include <unistd.h>\nint main(int argc, char **argv)\n{\n'
                   f'(void)argc; execv("{folder}/script", argv); return 9;\n}}\n')
    put(s, folder / "stub")


def upgrade(s, count=1):
    if not NEXT.exists():
        pytest.skip("make next has not been run")
    put(s, NEXT if count % 2 else BINARY)
    s.kill(signal.SIGUSR2)
    s.wait_log(FOLLOWED, count)


def version(s):
    return os.readlink(f"/proc/{s.pid}/exe")


@pytest.mark.plain_too
def test_the_same_pid_and_every_port_follows(upgradable, ports):
    s = upgradable(hello(ports[0], "workers 2") + hello(ports[1]))
    before = {**s.workers()}
    get(ports[0])
    upgrade(s)
    s.wait_log(rf"bulkhead .*\+next \(pid {s.pid}\) takes over from")
    assert s.process.poll() is None
    for p in ports[:2]:
        assert get(p).body == HELLO
    wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in before.values()),
             "the former processes' end")
    upgrade(s, 2)  # and back
    assert get(ports[0]).body == HELLO
    s.wait_reaped()
    assert s.stop() == 0


@pytest.mark.plain_too
def test_connections_go_on_until_they_have_finished(upgradable, ports):
    s = upgradable(f"port {ports[0]} {{ echo }}\n")
    with Connection(ports[0]) as busy, Connection(ports[0]) as idle:
        assert idle.get().status == 200
        busy.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
        upgrade(s)
        assert idle.closed()
        busy.send(b"cd")
        assert busy.response().body == b"abcd"


@pytest.mark.parametrize("number", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_resumed_and_keys_are_new(upgradable, ports, number):
    """A ticket of the previous version is accepted, one of the version before that is not."""
    s = upgradable(hello(ports[0]))
    context = test_tls.version(number)
    first = test_tls.session_of(ports[0], context)
    upgrade(s)
    assert test_tls.resumed(ports[0], context, first)
    second = test_tls.session_of(ports[0], context)
    upgrade(s, 2)
    assert test_tls.resumed(ports[0], context, second)
    assert not test_tls.resumed(ports[0], context, first)


def test_counters_ends_and_reasons_go_on(upgradable, ports, certificates):
    s = upgradable("restart { backoff 1ms to 1ms }\n" + certificates.tls() + hello(ports[0]) +
                   hello(ports[1], 'tls { certificate "gone.pem" key "gone.key" }'))
    for _ in range(3):
        get(ports[0])
    os.kill(s.workers(ports[0])[ports[0], 1], signal.SIGKILL)
    s.wait_ready(ports[0], "worker", 2)
    get(ports[0])
    upgrade(s)
    get(ports[0])
    wait_for(lambda: s.log().count("drained after") >= 2, "the former generation")
    s.kill(signal.SIGUSR1)
    status = s.wait_log(rf"\[PORT {ports[0]}\] status: serving: restarts=1 .* requests=(\d+)")[-1]
    assert int(status[1]) == 5
    s.wait_log(r"status: \d.* was killed from outside by SIGKILL")
    s.wait_log(rf"\[PORT {ports[1]}\] status: parked")


@contextlib.contextmanager
def again_and_again(*attempts):
    """Makes all of these requests side by side, again and again, while the block lasts; none
    may fail."""
    stop, errors, made = threading.Event(), [], [0] * len(attempts)

    def attempt(n):
        try:
            while not stop.is_set():
                attempts[n]()
                made[n] += 1
        except Exception as e:  # shown by the test's own thread
            errors.append(e)

    threads = [threading.Thread(target=attempt, args=(n,)) for n in range(len(attempts))]
    for t in threads:
        t.start()
    try:
        yield
    finally:
        stop.set()
        for t in threads:
            t.join()
    assert not errors, errors
    assert all(made)


@pytest.mark.plain_too
def test_nobody_is_refused_and_nothing_fails(upgradable, ports):
    s = upgradable("access log off\n" + hello(ports[0], "workers 2") + hello(ports[1]))

    def client(port):
        assert get(port).body == HELLO

    with again_and_again(*(functools.partial(client, p) for p in ports[:2])):
        for n in range(1, 4):
            upgrade(s, n)


def test_warnings_do_not_stop_it_however_many_there_are(upgradable, ports, certificates):
    certificate, key = certificates()
    hosts = "".join(f'host "host{n}.example" {{ tls {{ certificate "{certificate}" key "{key}" }} '
                    'respond 200 "Hello, world!\\n" }\n' for n in range(40))
    s = upgradable(f'port {ports[0]} {{\n{hosts}respond 200 "Hello, world!\\n" }}\n')
    test = subprocess.run([BINARY, "-t", "-f", s.config], capture_output=True, text=True, check=True)
    assert test.stderr.count("warning: ") >= 40
    upgrade(s)
    # and if a program prints them, its consent is found behind them
    put_script(s, f"""#!/bin/sh
if [ "$1" = -t ] || [ "$2" = -t ] || [ "$3" = -t ]; then
	for n in $(seq 2000); do echo "a warning that says much and means little, number $n" >&2; done
fi
exec {BINARY} "$@"
""")
    s.kill(signal.SIGUSR2)
    s.wait_log(FOLLOWED, 2)
    assert get(ports[0]).body == HELLO


def test_the_reason_of_a_refusal_is_no_warning(upgradable, ports, certificates, tmp_path, open_folder):
    certificate, key = certificates()
    own = tmp_path / "own.json"
    own.write_text("{}")
    (open_folder / "1").mkdir(mode=0o755)
    (open_folder / "current").symlink_to("1")  # a note
    s = upgradable(f'port {ports[0]} {{\nlocation "/files" {{ files "{open_folder}/current" }}\nhost "a.example" {{ tls {{ certificate "{certificate}" key "{key}" }} '
                   f'respond 200 file "{own}" }}\nrespond 200 "Hello, world!\\n" }}\n')
    own.unlink()
    put(s, NEXT)
    s.kill(signal.SIGUSR2)
    found = s.wait_log("upgrade failed: (.*); nothing has changed")[-1][1]
    assert "refuses with status 1: " in found and "error: " in found, found
    assert "warning" not in found and "note" not in found, found
    assert get(ports[0]).body == HELLO


def test_who_asks_on_the_control_socket_is_always_answered(upgradable, ports, tmp_path):
    path = tmp_path / "control.sock"
    s = upgradable(f'control "{path}"\n' + hello(ports[0]))
    inode = path.lstat().st_ino

    def asks():
        r = ctl(path, "status")
        assert r.returncode == 0, r

    def connects():
        with socket.socket(socket.AF_UNIX) as c:
            # It blocks while the queue is full, which it would not do with a timeout.
            c.connect(str(path))

    with again_and_again(asks, connects):
        for n in range(1, 4):
            upgrade(s, n)
    assert path.lstat().st_ino == inode
    assert s.stop() == 0
    assert not path.exists()


def test_a_control_socket_that_could_not_move_stays_where_it_is(upgradable, server, ports, tmp_path):
    one, other = tmp_path / "one.sock", tmp_path / "other.sock"
    server(f'control "{other}"\n' + hello(ports[0]))
    s = upgradable(f'control "{one}"\n' + hello(ports[1]))
    s.config.write_text(s.config.read_text().replace("one.sock", "other.sock"))
    s.kill(signal.SIGHUP)
    s.wait_log(rf"control: cannot make {other}: another server answers on it; still listening on {one}")
    s.wait_log("reloaded: 1 kept")
    upgrade(s)
    assert f"pid {s.pid}" in ctl(one, "status").stdout
    assert f"pid {s.pid}" not in ctl(other, "status").stdout
    assert s.stop() == 0
    assert not one.exists() and other.exists()


BROKEN = {
    "missing": (None, "No such file or directory"),
    "not executable": ("plain", "it cannot be executed: (Permission denied|Exec format error)"),
    "crashes": ("#!/bin/sh\nkill -SEGV $$\n", r"the new program was ended by signal 11"),
    "hangs up": ("#!/bin/sh\necho 'I do not know --adopt' >&2\nexit 2\n",
                 "the new program refuses with status 2: I do not know --adopt"),
    "cannot read the state": ("state", "the new program refuses with status 65: cannot take over from the running version: line 1: this version cannot continue"),
    "refuses the configuration": ("configuration", "the new program refuses with status 65: .*the running "
                                                   "configuration is refused"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_broken_changes_nothing(upgradable, ports, kind, tmp_path):
    s = upgradable(hello(ports[0]) + hello(ports[1]))
    before = s.workers()
    content, reason = BROKEN[kind]
    if content is None:
        s.program.unlink()
    elif content == "plain":
        put(s, b"no program at all\n")
        s.program.chmod(0o644)
    elif content in ("state", "configuration"):  # the next version, with a changed state
        put_script(s, broken_reader(content))
    else:
        put_script(s, content)
    s.kill(signal.SIGUSR2)
    found = s.wait_log(r"upgrade failed: (.*); nothing has changed")[-1][1]
    assert re.search(reason, found), found
    assert s.workers() == before
    for p in ports[:2]:
        assert get(p).body == HELLO
    upgrade(s)  # and then it can be repaired
    assert get(ports[0]).body == HELLO


HOSTILE = {
    "no state": ("text[text.index(b'\\n') + 1:]", "line 1: this is not a state"),
    "twice a state": ("text.replace(b'\\nend', b'\\n' + text.split(b'\\n')[0] + b'\\nend')", "this is not a state"),
    "an unknown kind": ("text.replace(b'\\nend', b'\\nmystery a=1\\nend')",
                        "is of a kind that this version does not know"),
    "an unknown value": ("text.replace(b'\\nend', b'\\nend a=1')",
                         "says more than this version understands"),
    "a layout that does not fit": ("re.sub(rb'slot_bytes=[0-9]+', b'slot_bytes=8', text)",
                                   "has a layout that does not fit into any memory"),
    "a place outside of its slot": ("text.replace(b'member name=\"accepted\" at=', b'member name=\"accepted\" at=99')",
                                    "has a layout that does not fit into any memory"),
    "a layout that is not there": ("re.sub(rb'layout=0', b'layout=1', text)", "has no such number in layout"),
    "too early": ("text.replace(b'\\nmaster', b'\\nend\\nmaster')", "comes too early"),
    "of no port": ("re.sub(rb'(?m)^port .*\\n', b'', text)", "belongs to no port"),
    "two masters": ("re.sub(rb'(?m)^(master .*\\n)', rb'\\1\\1', text)", "there is one already"),
    "two control sockets": ("re.sub(rb'(?m)^(control .*\\n)', rb'\\1\\1', text)", "there is one already"),
    "cut off": ("text[:text.index(b'\\nend') + 1]", "the state is cut off"),
    "something behind it": ("text + b'end\\n'", "the state is cut off"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_state_that_is_none_is_refused(upgradable, ports, tmp_path, kind):
    edit, reason = HOSTILE[kind]
    s = upgradable(f'control "{tmp_path / "control.sock"}"\n' + hello(ports[0]))
    put_script(s, f"""#!/usr/bin/python3
import os, re, sys
text = os.pread(int(sys.argv[-1]), 1 << 24, 0)
new = os.memfd_create("changed", 0)
os.write(new, {edit})
os.execv({str(NEXT)!r}, ["bulkhead", "-t", "--adopt", str(new)])
""")
    s.kill(signal.SIGUSR2)
    found = s.wait_log(r"upgrade failed: (.*); nothing has changed")[-1][1]
    assert "cannot take over from the running version: line" in found and reason in found, found
    assert get(ports[0]).body == HELLO


OPTIONAL = {
    "a value": "text.replace(b'\\nend', b'\\nend later?=1')",
    "a value of a port": "re.sub(rb'(?m)^(port .*)$', rb'\\1 words?=\"x\" number_of_it?=4', text)",
    "a line": "text.replace(b'\\nend', b'\\nmystery? a=1 b=\"c\"\\nend')",
    "a total": "re.sub(rb'(?m)^(port .*)$', rb'\\1\\ntotal name=\"eclipses\" sum=7', text)",
    "a member": "text.replace(b'\\nmember', b'\\nmember name=\"eclipses\" at=0 bytes=8\\nmember', 1)",
}


@pytest.mark.parametrize("kind", OPTIONAL)
def test_what_a_version_need_not_know_does_not_stop_it(upgradable, ports, kind):
    """A later version writes more, and an earlier one takes over from it all the same."""
    s = upgradable(hello(ports[0]))
    get(ports[0])
    put_script(s, f"""#!/usr/bin/python3
import os, re, sys
text = os.pread(int(sys.argv[-1]), 1 << 24, 0)
changed = {OPTIONAL[kind]}
assert changed != text
new = os.memfd_create("changed", 0)
os.write(new, changed)
os.execv({str(NEXT)!r}, ["bulkhead"] + sys.argv[1:-1] + [str(new)])
""")
    s.kill(signal.SIGUSR2)
    s.wait_log(FOLLOWED)
    assert get(ports[0]).body == HELLO
    s.kill(signal.SIGUSR1)
    wait_for(lambda: (s.kill(signal.SIGUSR1), re.search(r" requests=2 ", s.log()))[1], "both requests")


def broken_reader(what):
    """A program that gives the next version another state, or another configuration."""
    return f"""#!/usr/bin/python3
import os, re, sys
fd = int(sys.argv[-1])
text = os.pread(fd, 1 << 24, 0)
def memory(content):
    new = os.memfd_create("changed", 0)
    os.write(new, content)
    return new
if {what!r} == "state":
    text = re.sub(rb"^state version=[0-9]+ ", b"state version=99 ", text)
else:
    old = int(re.search(rb"^configuration number=0 fd=([0-9]+)", text, re.M)[1])
    content = os.pread(old, 1 << 24, 0).replace(b"respond", b"respnod")
    text = text.replace(b"fd=%d\\n" % old, b"fd=%d\\n" % memory(content), 1)
new = memory(text)
os.execv({str(NEXT)!r}, ["bulkhead", "-t", "--adopt", str(new)])
"""


def test_a_check_that_does_not_end_is_ended_and_a_stop_does_not_wait(upgradable, ports):
    s = upgradable(hello(ports[0]))
    put_script(s, "#!/bin/sh\nexec sleep 1000\n")
    s.kill(signal.SIGUSR2)
    s.wait_log("upgrade: asking")
    assert get(ports[0]).body == HELLO
    s.kill(signal.SIGHUP)  # it waits for the end of the check
    assert s.stop() == 0
    assert "reloaded" not in s.log()


def test_a_port_that_cannot_follow_stays_as_it_is(upgradable, ports, certificates, tmp_path):
    names = [tmp_path / "pair.pem", tmp_path / "pair.key"]
    for source, target in zip(certificates("ecdsa"), names):
        shutil.copy(source, target)
    s = upgradable(certificates.tls() + hello(ports[0], f'tls {{ certificate "{names[0]}" key "{names[1]}" }}') +
                   hello(ports[1]))
    before = s.workers(ports[0])
    # The check succeeds; when the port rolls, its key is gone.
    put_script(s, '#!/bin/sh\ncase " $* " in *" -t "*) echo goes on from this state; exit ;; esac\n'
               f'exec {shlex.quote(str(NEXT))} "$@"\n')
    names[1].rename(tmp_path / "gone.key")
    s.kill(signal.SIGUSR2)
    s.wait_log("upgraded from .* to .*, but 1 port could not follow, and is served by the earlier")
    assert s.workers(ports[0]) == before
    assert get(ports[0]).body == HELLO and get(ports[1]).body == HELLO


def test_children_that_die_meanwhile_are_replaced(upgradable, ports):
    s = upgradable("restart { backoff 1ms to 1ms; park after 64 in 10ms }\n" + hello(ports[0], "workers 3"))
    put(s, NEXT)
    s.kill(signal.SIGUSR2)
    with contextlib.suppress(ProcessLookupError):
        for pid in s.workers(ports[0]).values():
            os.kill(pid, signal.SIGKILL)
    s.wait_log("takes over from")
    s.wait_log("upgraded from")
    assert get(ports[0]).body == HELLO
    wait_for(lambda: len(s.workers(ports[0])) == 3, "three workers")
    s.wait_reaped()


def test_a_reload_waits_for_the_upgrade(upgradable, ports):
    s = upgradable(hello(ports[0]) + hello(ports[1]))
    text = s.config.read_text()
    put(s, NEXT)
    s.kill(signal.SIGUSR2)
    s.config.write_text(text.replace("Hello", "Goodbye", 1))
    s.kill(signal.SIGHUP)
    s.wait_log("reloaded: 1 kept, 1 changed, 0 new, 0 dropped")
    s.wait_log(FOLLOWED)
    assert get(ports[0]).body == b"Goodbye, world!\n"


def test_a_reload_waits_for_the_last_port_to_follow(upgradable, ports):
    """Otherwise a port that it changes would be rebuilt twice."""
    s = upgradable("".join(hello(p, "workers 6") for p in ports))
    put(s, NEXT)
    s.kill(signal.SIGUSR2)
    s.wait_log("takes over from")
    s.config.write_text(s.config.read_text().replace("Hello", "Goodbye"))
    s.kill(signal.SIGHUP)
    s.wait_log("reloaded: 0 kept, 3 changed")
    wait_for(lambda: len(s.workers()) == 18, "one generation")
    assert s.log().index("all ports have followed") < s.log().index("reloading the configuration")
    for p in ports:
        assert len(s.ready(p, "worker")) == 3 * 6


def test_descriptors_do_not_grow(upgradable, ports, tmp_path):
    s = upgradable(f'control "{tmp_path / "control.sock"}"\n' + hello(ports[0]) + hello(ports[1]))

    def count():
        return len(os.listdir(f"/proc/{s.pid}/fd"))

    upgrade(s, 1)
    wait_for(lambda: s.log().count("keyholder 1 .* drained") or
             len(s.children("worker")) == 2, "one generation")
    wait_for(lambda: s.log().count(") drained after") == 4, "the former ones' end")
    first = count()
    for n in range(2, 5):
        upgrade(s, n)
        wait_for(lambda: s.log().count(") drained after") == 4 * n, "the former ones' end")
    assert count() == first
    status = pathlib.Path(f"/proc/{s.pid}/status").read_text(errors="replace")
    filters = re.search(r"Seccomp_filters:\s*(\d+)", status)
    assert not filters or int(filters[1]) <= 3  # they do not pile up


@pytest.mark.parametrize("free", range(7))
def test_a_lack_of_descriptors_changes_nothing(upgradable, ports, tmp_path, free):
    """Whichever part fails: the state, the check, or none."""
    need_root()
    path = tmp_path / "control.sock"
    s = upgradable(f'control "{path}"\n' + hello(ports[0]) + hello(ports[1]))
    before = descriptors_of(s.pid)
    limits = resource.prlimit(s.pid, resource.RLIMIT_NOFILE)
    limit = next(n for n in itertools.count(1) if n - sum(fd < n for fd in map(int, before)) == free)
    resource.prlimit(s.pid, resource.RLIMIT_NOFILE, (limit, limits[1]))
    s.kill(signal.SIGUSR2)
    s.wait_log(rf"upgrade failed: .*; nothing has changed|{FOLLOWED}")
    if "upgrade failed" in s.log():
        assert descriptors_of(s.pid) == before
    resource.prlimit(s.pid, resource.RLIMIT_NOFILE, limits)
    assert f"pid {s.pid}" in ctl(path, "status").stdout
    upgrade(s, 1 + len(re.findall(FOLLOWED, s.log())))
    assert get(ports[0]).body == get(ports[1]).body == HELLO


def test_a_pid_file_and_the_background(upgradable, ports, tmp_path, certificates):
    from daemons import Syslog
    with contextlib.closing(Syslog()) as syslog:
        pid_file = tmp_path / "bulkhead.pid"
        s = upgradable(syslog.sink() + hello(ports[0]), args=["-D", "-P", str(pid_file)], wait=None)
        assert s.process.wait(30) == 0
        pid = int(pid_file.read_text())
        try:
            put(s, NEXT)
            os.kill(pid, signal.SIGUSR2)
            wait_for(lambda: re.search(FOLLOWED, syslog.text()), "the upgrade")
            assert get(ports[0]).body == HELLO
            assert int(pid_file.read_text()) == pid
        finally:
            os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not pid_file.exists(), "the end")
    assert refused(ports[0])


def test_an_upgrade_while_a_former_generation_with_ends_drains(upgradable, ports):
    s = upgradable("restart { backoff 1ms to 1ms }\n" + f"port {ports[0]} {{ echo }}\n")
    os.kill(s.workers()[ports[0], 1], signal.SIGKILL)
    s.wait_ready(ports[0], "worker", 2)
    with Connection(ports[0]) as c:
        c.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
        s.config.write_text(s.config.read_text().replace("echo", "echo workers 2"))
        s.kill(signal.SIGHUP)
        s.wait_log("reloaded: 0 kept, 1 changed")
        upgrade(s)
        c.send(b"cd")
        assert c.response().body == b"abcd"
    assert get(ports[0]).status == 200


def test_an_upgrade_while_what_was_prepared_in_vain_ends(upgradable, ports):
    s = upgradable(hello(ports[0], "workers 3"))
    s.config.write_text(s.config.read_text().replace("Hello", "Goodbye") +
                        hello(ports[1], "listen on 192.0.2.1"))
    for n in range(1, 6):
        put(s, NEXT if n % 2 else BINARY)
        s.kill(signal.SIGHUP)
        s.wait_log("reload failed", n)
        s.kill(signal.SIGUSR2)
        s.wait_log(FOLLOWED, n)
    assert get(ports[0]).body == HELLO


def test_a_program_that_only_says_yes_is_not_taken(upgradable, ports):
    s = upgradable(hello(ports[0]))
    put(s, shutil.which("true"))
    s.kill(signal.SIGUSR2)
    s.wait_log("upgrade failed: the new program did not confirm that it goes on from this state")
    assert get(ports[0]).body == HELLO


def test_the_check_is_not_ended_by_what_is_meant_for_the_master(upgradable, ports):
    s = upgradable(hello(ports[0]))
    put(s, NEXT)
    for _ in range(20):
        os.killpg(s.pid, signal.SIGUSR2)
        os.killpg(s.pid, signal.SIGHUP)
    s.wait_log(FOLLOWED)
    wait_for(lambda: get(ports[0]).body == HELLO, "the port")
    assert "upgrade failed" not in s.log()
    assert s.stop() == 0


def test_one_that_is_asked_for_during_the_check_is_made_after_it(upgradable, ports):
    s = upgradable(hello(ports[0]))
    put_script(s, f'#!/bin/sh\nwhile [ ! -e {s.folder}/go ]; do sleep 0.01; done\n'
               f'exec {shlex.quote(str(BINARY))} "$@"\n')
    s.kill(signal.SIGUSR2)
    s.wait_log("upgrade: asking")
    put(s, NEXT)
    s.kill(signal.SIGUSR2)
    (s.folder / "go").write_text("")
    s.wait_log(FOLLOWED, 2)


# --- versions that count other things -----------------------------------------------------------
# The next version has two more counters and one more reason for a failed handshake, which are not at
# the end: every number has another place in the memory of its children (tests/next).

MORE = {"next_answers", "next_time"}


def status_of(s, port):
    answer = json.loads(ctl(s.control, "status", "--json").stdout)
    return next(p for p in answer["ports"] if p["port"] == port)


@pytest.fixture
def controlled(upgradable, tmp_path):
    def make(text):
        path = tmp_path / "control.sock"
        s = upgradable(f'control "{path}"\n' + text)
        s.control = path
        return s

    return make


def no_handshake(port):
    """A failed handshake, for the reason "malformed"."""
    with socket.create_connection(("127.0.0.1", port)) as c:
        c.sendall(b"GET / HTTP/1.1\r\n\r\n")
        with contextlib.suppress(OSError):
            while c.recv(1024):
                pass


def test_more_counters_come_and_go_under_load_and_no_sum_is_lost(controlled, ports):
    """To the next version, back, and to it again, three times, while clients are served."""
    s = controlled("access log off\n" + hello(ports[0], "workers 2"))
    made, lock, seen = [0], threading.Lock(), []

    def client():
        assert get(ports[0]).body == HELLO
        with lock:
            made[0] += 1

    def looks():
        counters = status_of(s, ports[0])["counters"]
        assert not seen or counters["requests"] >= seen[-1], "a sum has become smaller"
        seen.append(counters["requests"])

    failed = 0
    with again_and_again(client, client, looks):
        for n in range(1, 7):
            no_handshake(ports[0])
            failed += 1
            upgrade(s, n)
            before = made[0]
            wait_for(lambda: made[0] >= before + 20, "twenty requests of this version")
            counters = status_of(s, ports[0])["counters"]
            assert MORE & set(counters) == (MORE if n % 2 else set())
            assert ("next" in counters["handshakes_failed"]) == (n % 2 == 1)
            assert counters["requests"] >= before
            if n % 2:
                assert 0 < counters["next_answers"] <= counters["requests"]
                # A look may fall between the counting of the two.
                wait_for(lambda: status_of(s, ports[0])["counters"]["next_time"] > 0, "a time")
            wait_for(lambda: status_of(s, ports[0])["counters"]["handshakes_failed"]["malformed"] == failed,
                     "all failed handshakes")

    def whole():
        port = status_of(s, ports[0])
        return (port["counters"]["requests"], port["counters"]["responses"]["2xx"],
                sum(port["latency"]["counts"]), port["counters"]["accepted"]) == (
                    made[0], made[0], made[0], made[0] + failed)

    wait_for(whole, "the sums of all versions")
    wait_for(lambda: not status_of(s, ports[0])["draining"], "the former generations' end")
    assert whole()  # also when the processes that counted are gone
    assert s.stop() == 0


@pytest.mark.parametrize("start", ["an earlier version", "a later version"])
def test_a_master_reads_the_memory_of_children_of_another_version(controlled, ports, certificates,
                                                                  tmp_path, start):
    """The port cannot follow, so it keeps the processes of the other version, and their memory."""
    names = [tmp_path / "pair.pem", tmp_path / "pair.key"]
    for source, target in zip(certificates("ecdsa"), names):
        shutil.copy(source, target)
    s = controlled(certificates.tls() + "faults enabled\nrestart { backoff 1ms to 1ms }\n" +
                   f'port {ports[0]} {{ tls {{ certificate "{names[0]}" key "{names[1]}" }}\n'
                   '  location "/fault" { fault control } respond 200 "Hello, world!\\n" }\n')
    program = NEXT
    if start == "a later version":
        upgrade(s)
        wait_for(lambda: not status_of(s, ports[0])["draining"], "the former generation's end")
        program = BINARY
    put_script(s, '#!/bin/sh\ncase " $* " in *" -t "*) echo goes on from this state; exit ;; esac\n'
               f'exec {shlex.quote(str(program))} "$@"\n')
    worker, = s.workers(ports[0]).values()
    names[1].rename(tmp_path / "gone.key")
    s.kill(signal.SIGUSR2)
    s.wait_log("but 1 port could not follow, and is served by the earlier")
    assert s.workers(ports[0]) == {(ports[0], 1): worker}
    for _ in range(3):
        assert get(ports[0]).status == 200
    no_handshake(ports[0])
    with Connection(ports[0]) as c:
        c.get()
        port = wait_for(lambda: (p := status_of(s, ports[0]))["connections"] == 1 and
                        p["counters"]["handshakes_failed"]["malformed"] == 1 and
                        p["counters"]["requests"] == 4 and p, "what it counts")
        assert port["former_version"] and sum(port["latency"]["counts"]) == 4
        assert port["counters"]["accepted"] == 5
        assert MORE & set(port["counters"]) == (MORE if program is NEXT else set())
        assert not any(port["counters"][name] for name in MORE & set(port["counters"]))
        names[1].with_name("gone.key").rename(names[1])
        c.send(b"GET /fault/crash?how=null HTTP/1.1\r\nHost: a\r\n\r\n")
        assert c.closed()
    # What it leaves is read where it is, too. The functions of another version have other addresses.
    s.wait_log(rf"worker 1 \(pid {worker}\) crashed by SIGSEGV \(address not mapped: 0x0\) "
               r"after .* and 4 requests; starting it again")
    s.wait_log(r"  request: GET /fault/crash\?how=null")
    s.wait_log(r"  client: \('127\.0\.0\.1', \d+\)")
    trace = s.wait_log(r"  backtrace: (.*)")[-1][1]
    assert all(re.fullmatch(r"\+0x[0-9a-f]+|\S+ \(\S+\)", frame) for frame in trace.split(" < ")), trace
    assert re.search(r"(^| )\+0x", trace), trace
    wait_for(lambda: status_of(s, ports[0])["counters"]["requests"] == 4, "what is kept of it")
    s.wait_ready(ports[0], "worker", 2 if start == "an earlier version" else 3)
    get(ports[0])
    wait_for(lambda: status_of(s, ports[0])["counters"]["requests"] == 5, "what the next one adds")
