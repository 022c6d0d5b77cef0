"""Confinement: the rights that a child still has, seen from outside, and its end when it
exceeds them."""
import collections
import contextlib
import json
import os
import pathlib
import pwd
import random
import re
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile

import pytest

from harness import (BINARY, HELLO, TIMEOUT, Connection, descriptors_of, free_ports, get,
                     memory_holds, need_root, refused, sanitized, status_of, traced, wait_for)
from injection import inject

CAPABILITIES = {"dac_read_search": 2, "kill": 5, "setgid": 6, "setuid": 7, "setpcap": 8,
                "net_bind_service": 10, "sys_chroot": 18}
SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
NOBODY = pwd.getpwnam("nobody")
PLAIN = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def hello(port, extra=""):
    return f'port {port} {{ {extra} respond 200 "Hello, world!\\n" }}\n'


def has_user(name):
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(name)
    return None


def default_user():
    return has_user("bulkhead") or NOBODY


def default_key_user():
    return has_user("bulkhead-key") or default_user()


def key_ids(*workers):
    """The ids of a keyholder whose port names the workers' user alone."""
    user = has_user("bulkhead-key")
    return (user.pw_uid, user.pw_gid) if user else workers


def children(s, port=None):
    """[(role, port, pid)]"""
    return [(role, p, pid) for role in ("worker", "keyholder")
            for (p, _), pid in s.children(role, port).items()]


def ids(pid):
    """(uid, gid), which are the same in all four places."""
    found = []
    for name in ("Uid", "Gid"):
        numbers = set(status_of(pid)[name].split())
        assert len(numbers) == 1, f"{name} {numbers}"
        found.append(int(numbers.pop()))
    return tuple(found)


def capabilities(pid):
    """{set: mask}"""
    status = status_of(pid)
    return {name: int(status[name], 16) for name in SETS}


def mask(*names):
    return sum(1 << CAPABILITIES[name] for name in names)


def limits(pid):
    """{name: (soft, hard)}; None is unlimited."""
    found = {}
    for line in pathlib.Path(f"/proc/{pid}/limits").read_text(errors="replace").splitlines()[1:]:
        m = re.match(r"Max (.*?)\s{2,}(\S+)\s+(\S+)", line)
        found[m[1]] = tuple(None if v == "unlimited" else int(v) for v in m.groups()[1:])
    return found


def is_dumpable(pid):
    """Only then its files in /proc belong to its user (proc(5))."""
    return os.stat(f"/proc/{pid}/environ").st_uid != 0


def oom_score(pid):
    return int(pathlib.Path(f"/proc/{pid}/oom_score_adj").read_text(errors="replace"))


@pytest.fixture
def public():
    """A folder that every user can enter, and write to."""
    with tempfile.TemporaryDirectory(prefix="bulkhead-") as folder:
        os.chmod(folder, 0o777)
        yield pathlib.Path(folder)


@pytest.fixture
def empty(public):
    """An empty directory of root's."""
    (public / "empty").mkdir(mode=0o755)
    os.chmod(public / "empty", 0o755)
    return public / "empty"


@pytest.fixture
def owned(certificates, public):
    """A function: the tls block with a pair whose files only that user may read."""

    def make(uid):
        for path, name in zip(certificates(), ("cert.pem", "key.pem")):
            shutil.copy(path, public / name)
            os.chmod(public / name, 0o600)
            os.chown(public / name, uid, uid)
        return f'tls {{ certificate "{public}/cert.pem" key "{public}/key.pem" }}\n'

    return make


def need_plain(wrapper=PLAIN):
    """Skips unless the binary can be run by other users."""
    need_root("setpriv")
    result = subprocess.run([*wrapper, str(BINARY), "-V"], capture_output=True, text=True)
    if result.returncode != 0:
        pytest.skip(f"{wrapper[0]} cannot run the binary here: {result.stderr}")


# --- as root -----------------------------------------------------------------------------------


def test_children_of_root_have_nothing_left(server, ports):
    need_root()
    s = server(hello(ports[0], "workers 2 keyholders 2 limits { memory 256M; connections 100 }") +
               hello(ports[1]))
    found = children(s)
    assert len(found) == 6
    expected = {"worker": default_user(), "keyholder": default_key_user()}
    for role, port, pid in found:
        status = status_of(pid)
        assert ids(pid) == (expected[role].pw_uid, expected[role].pw_gid)
        assert status["Groups"] == ""
        assert capabilities(pid) == dict.fromkeys(SETS, 0)
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
        assert not is_dumpable(pid)
        limit = limits(pid)
        assert limit["core file size"] == (0, 0)
        low, high = (100 // 2, 150) if role == "worker" else (1, 64)
        if port == ports[0]:
            soft, hard = limit["open files"]
            assert soft == hard and low < soft < high, limit
        assert oom_score(pid) == min(1000, oom_score(s.pid) +
                                     {"worker": 200, "keyholder": 100}[role])
        if sanitized():
            continue  # its run-time needs these
        assert os.readlink(f"/proc/{pid}/root") == "/run/bulkhead/empty"
        assert os.listdir(f"/proc/{pid}/root/") == []
        assert limit["processes"] == (0, 0)
        assert limit["locked memory"] == limit["msgqueue size"] == (0, 0)
        assert limit["pending signals"] == (64, 64)
        assert limit["address space"] == (((256 if port == ports[0] else 221) << 20,) * 2
                                          if role == "worker" else
                                          resource.getrlimit(resource.RLIMIT_AS) if
                                          resource.getrlimit(resource.RLIMIT_AS)[0] > 0 else
                                          (None, None))
    for port in ports[:2]:
        assert get(port).body == HELLO


def test_the_master_of_root_keeps_what_it_starts_children_with(server, ports):
    need_root()
    own = capabilities(os.getpid())
    s = server(hello(ports[0]), args=("-v",))
    status, kept = status_of(s.pid), capabilities(s.pid)
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert kept == {"CapInh": 0, "CapAmb": 0, **{name: own["CapPrm"] & mask(*CAPABILITIES)
                                                 for name in ("CapPrm", "CapEff", "CapBnd")}}
    assert ids(s.pid) == (0, 0)
    s.wait_log(r"\[MASTER\] confined: user 0:0, few capabilities, no new privileges, "
               r"\d+ system calls denied")


def test_the_descriptors_of_children_are_these(server, ports, run, conf_file, certificates):
    need_root()
    text = certificates.tls() + "port 9999 { threads 3 respond 200 }"
    threads = 3 if run("-t", "-f", conf_file("t.conf", text)).returncode == 0 else 1
    extra = f"threads {threads}" if threads > 1 else ""
    s = server(hello(ports[0], f"workers 2 keyholders 2 {extra}") +
               hello(ports[1], f"listen on 127.0.0.1 listen on 127.0.0.2 listen on ::1 {extra}"))
    # Both: the streams, of which standard error is the pipe to the master's log; the master's channel;
    # an epoll set for each loop. Nothing else: no memory, no file, no directory.
    both = {"/dev/null": 2, "pipe": 1, "anon_inode:[eventpoll]": 1, "socket:seqpacket": 1}
    for role, port, pid in children(s):
        expected = collections.Counter(both)
        loops = threads * (2 if port == ports[0] else 1)
        listeners = 2 if port == ports[0] else 3  # all of IPv6, all of IPv4
        if role == "worker":
            expected["anon_inode:[signalfd]"] = 1
            expected["anon_inode:[eventpoll]"] = threads
            expected["socket:seqpacket"] += threads  # to the keyholder, one per loop
            # One for each loop, and as many more as fill the guarded block.
            expected["socket:listener"] = 1 << (listeners * threads - 1).bit_length()
            if threads > 1:
                expected["anon_inode:[eventfd]"] = threads - 1  # to wake the other loops
        else:
            keyholders = len(s.keyholders(port))
            shares = {len(range(k, loops, keyholders)) for k in range(keyholders)}
            open_now = collections.Counter(descriptors_of(pid).values())
            assert open_now["socket:seqpacket"] - 1 in shares, open_now
            expected["socket:seqpacket"] = open_now["socket:seqpacket"]
        assert collections.Counter(descriptors_of(pid).values()) == expected, role
    for _, _, pid in children(s):
        first = descriptors_of(pid)
        assert [first[n] for n in range(4)] == ["/dev/null", "/dev/null", "pipe", "socket:seqpacket"]


def test_children_know_nothing_of_the_starters_environment(server, ports):
    need_root("strace")
    s = server(hello(ports[0]), env={"SECRET": "s3cret-of-the-starter", "SSLKEYLOGFILE": "/tmp/no",
                                     "LD_LIBRARY_PATH": "/nonexistent", "LC_ALL": "C"})
    kept = {"TZ", "TZDIR", "LD_LIBRARY_PATH", "LD_PRELOAD", "GLIBC_TUNABLES",
            "GNUTLS_SYSTEM_PRIORITY_FILE", "GNUTLS_SYSTEM_PRIORITY_FAIL_ON_INVALID",
            "GNUTLS_FORCE_FIPS_MODE", "GNUTLS_CPUID_OVERRIDE", "ASAN_OPTIONS", "LSAN_OPTIONS",
            "TSAN_OPTIONS", "UBSAN_OPTIONS"}
    if not sanitized():
        for _, _, pid in children(s):
            assert not memory_holds(pid, b"s3cret-of-the-starter", b"SSLKEYLOGFILE=")
    with traced(s.pid, "-v", "-s", "4096", "-e", "trace=execveat") as trace:
        for role in ("worker", "keyholder"):
            os.kill(s.children(role)[ports[0], 1], signal.SIGKILL)
            s.wait_ready(ports[0], role, 2)
        calls = [line for line in trace.read_text().splitlines() if "execveat(" in line]
    assert len(calls) == 2, calls
    for call in calls:
        names = set(re.findall(r'"(\w+)=', call))
        assert {"TZ", "LD_LIBRARY_PATH"} <= names <= kept, call


@pytest.mark.parametrize("wrapper", [(), PLAIN], ids=["root", "plain"])
def test_no_secrets_of_connections_are_written_anywhere(server, ports, public, owned, wrapper):
    need_plain(wrapper or PLAIN)
    (public / "folder").mkdir()
    os.chmod(public / "folder", 0o777)
    s = server(owned(65534) + "chroot off\n" + hello(ports[0]), within=public, wrapper=wrapper,
               env={"SSLKEYLOGFILE": str(public / "folder" / "secrets")})
    assert get(ports[0]).body == HELLO
    assert s.stop() == 0
    assert os.listdir(public / "folder") == []


def test_a_core_limit_is_the_workers_alone(server, ports):
    need_root()
    s = server(hello(ports[0], "limits { core 64M }") + hello(ports[1]))
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    wanted = 64 << 20 if hard < 0 else min(64 << 20, hard)
    for role, port, pid in children(s):
        with_core = role == "worker" and port == ports[0]
        assert limits(pid)["core file size"] == ((wanted,) * 2 if with_core else (0, 0)), role
        assert is_dumpable(pid) == with_core, role


# --- as configured -----------------------------------------------------------------------------


def test_users_groups_and_roots_are_those_of_the_configuration(server, ports, empty):
    need_root()
    daemon = pwd.getpwnam("daemon")
    s = server(hello(ports[0], 'user "61001" group "61002"') +
               hello(ports[1], 'user "61003" group "61004" key user "61005" chroot off') +
               hello(ports[2], f'user "nobody" key user "daemon" chroot "{empty}"'), args=("-v",))
    roots = {ports[0]: "/run/bulkhead/empty", ports[1]: os.readlink("/proc/self/root"),
             ports[2]: str(empty)}
    expected = {ports[0]: {"worker": (61001, 61002), "keyholder": key_ids(61001, 61002)},
                ports[1]: {"worker": (61003, 61004), "keyholder": (61005, 61004)},
                ports[2]: {"worker": (NOBODY.pw_uid, NOBODY.pw_gid),
                           "keyholder": (daemon.pw_uid, daemon.pw_gid)}}
    for role, port, pid in children(s):
        assert ids(pid) == expected[port][role]
        assert status_of(pid)["Groups"] == ""
        assert capabilities(pid) == dict.fromkeys(SETS, 0)
        if not sanitized():
            assert os.readlink(f"/proc/{pid}/root") == roots[port]
    for port in ports:
        assert get(port).body == HELLO
    assert 'there is no user "bulkhead":' not in s.log()
    s.wait_log(rf"\[PORT {ports[1]}\] worker 1 .* is confined: .*; without an empty root "
               r"\(not asked for\)")


def test_replaced_children_are_the_same_users_again(server, ports):
    need_root()
    s = server(hello(ports[0], 'user "61001" group "61002" key user "daemon"'))
    for role in ("worker", "keyholder"):
        old = s.children(role)[ports[0], 1]
        before = ids(old), status_of(old)["Groups"], capabilities(old), limits(old)
        os.kill(old, signal.SIGKILL)
        new = s.wait_ready(ports[0], role, 2)
        assert (ids(new), status_of(new)["Groups"], capabilities(new), limits(new)) == before
    assert get(ports[0]).body == HELLO


def test_unknown_users_and_groups_park_their_ports(server):
    need_root()
    wrong = {'user "no-such-user"': 'there is no user "no-such-user"',
             'user "nobody" group "no-such-group"': 'there is no group "no-such-group"',
             'key user "no-such-user"': 'there is no user "no-such-user"',
             'user "61001"': "user 61001 has no entry, so its group is unknown: set `group`",
             'user "4294967295" group "1"': 'there is no user "4294967295"'}
    numbers = free_ports(len(wrong) + 1)
    s = server("".join(hello(p, w) for p, w in zip(numbers, wrong)) + hello(numbers[-1]))
    for port, sentence in zip(numbers, wrong.values()):
        s.wait_log(rf"\[PORT {port}\] PARKED \(.*bulkhead.conf:\d+\): {re.escape(sentence)}; "
                   "its clients are refused")
        assert refused(port)
        assert not children(s, port)
    s.wait_log(f"1 of {len(wrong) + 1} ports are served; {len(wrong)} parked")
    assert get(numbers[-1]).body == HELLO


def test_a_root_that_is_none_parks_its_port(server, public, empty):
    need_root()

    def folder(name, mode=0o755, uid=0, inside=None):
        path = public / name
        path.mkdir()
        if inside:
            (path / inside).touch()
        os.chmod(path, mode)
        os.chown(path, uid, 0)
        return path

    (public / "file").touch()
    (public / "link").symlink_to(empty)
    wrong = {folder("full", inside=".hidden"): "is not an empty directory",
             folder("others", uid=65534): "is not owned by root",
             folder("writable", 0o757): "can be written by users other than root",
             folder("group", 0o775): "can be written by users other than root",
             public / "missing": "cannot be used: No such file or directory",
             public / "file": "cannot be used: Not a directory",
             public / "link": "cannot be used: Not a directory"}
    numbers = free_ports(len(wrong) + 1)
    s = server("".join(hello(p, f'chroot "{w}"') for p, w in zip(numbers, wrong)) +
               hello(numbers[-1], f'chroot "{empty}"'))
    for port, (path, why) in zip(numbers, wrong.items()):
        s.wait_log(rf'\[PORT {port}\] PARKED \(.*\): chroot "{path}" {why}; ')
        assert refused(port)
    assert get(numbers[-1]).body == HELLO


def test_without_a_user_of_its_own_it_is_nobody_and_says_so_once(server, ports):
    need_root()
    if has_user("bulkhead"):
        pytest.skip("there is a user bulkhead")
    s = server("".join(map(hello, ports)))
    assert s.log().count('there is no user "bulkhead": workers run as "nobody", which other '
                         'programs may use, too') == 1
    assert {ids(pid) for _, _, pid in children(s)} == {(NOBODY.pw_uid, NOBODY.pw_gid)}


@pytest.mark.parametrize("names", [("bulkhead",), ("bulkhead", "bulkhead-key")])
def test_system_users_of_that_name_are_taken(server, ports, tmp_path, names):
    need_root("unshare", "mount")
    if has_user("bulkhead"):
        pytest.skip("there is a user bulkhead")
    passwd = tmp_path / "passwd"
    lines = pathlib.Path("/etc/passwd").read_text().rstrip("\n").split("\n")
    lines += [f"{name}:x:{61010 + n}:{61020 + n}::/:/usr/sbin/nologin"
              for n, name in enumerate(names)]
    passwd.write_text("\n".join(lines) + "\n")
    wrapper = ("unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/passwd && exec "$@"', passwd)
    if subprocess.run([*wrapper, "getent", "passwd", "bulkhead"], capture_output=True).returncode:
        pytest.skip("no mount namespaces here")
    s = server(hello(ports[0]), wrapper=wrapper)
    assert ids(s.workers()[ports[0], 1]) == (61010, 61020)
    assert ids(s.keyholders()[ports[0], 1]) == (61009 + len(names), 61019 + len(names))
    assert 'there is no user "bulkhead":' not in s.log()
    assert get(ports[0]).body == HELLO


# --- with less ---------------------------------------------------------------------------------


def missing_of(s, port, role="worker"):
    """{layer: reason} of what it is without, by the record that it has with -v."""
    line = s.wait_log(rf"\[PORT {port}\] {role} 1 .* is confined: (.*)")[0][1]
    return dict(re.findall(r"(?:^|, )([^(]+) \(([^)]*)\)", line.partition("; without ")[2]))


def lacks(s, port, role="worker"):
    """The layers, but for what a sanitizer's build never has."""
    return set(missing_of(s, port, role)) - ({"an empty root", "Landlock"} if sanitized() else
                                             set())


def test_what_a_plain_user_may_not_see_is_null(server, ports, public, owned):
    """No user may look into the processes of a server, not even their own user."""
    need_plain()
    ctl = public / "bulkheadctl"
    ctl.write_bytes((BINARY.parent / "bulkheadctl").read_bytes())
    ctl.chmod(0o755)
    server(owned(65534) + f'control "{public}/ctl"\n' + hello(ports[0]), within=public,
           wrapper=PLAIN)
    r = subprocess.run([*PLAIN, ctl, "-s", public / "ctl", "status", "--json"], timeout=TIMEOUT,
                       capture_output=True, text=True)
    assert r.returncode == 0, r
    port = json.loads(r.stdout)["ports"][0]
    for process in (*port["workers"], *port["keyholders"]):
        assert process["pss_bytes"] is None, port


def test_the_first_screen_of_a_plain_user_reads_like_no_failure(server, ports, public, owned):
    need_plain()
    # This user has no folder for a control socket: one more line, which reads like no failure, too.
    text = owned(65534) + "".join(map(hello, ports[:3]))
    s = server(text, within=public, wrapper=PLAIN)
    lines = re.sub(r"(?m)^\S+ \S+ - ", "", s.log()).splitlines()
    assert len(lines) <= 12, s.log()
    confined = [line for line in lines if "confined" in line]
    if sanitized():
        assert len(confined) == 1
    else:
        assert confined == [
            "[MASTER] workers and keyholders are confined by no new privileges, Landlock and a list "
            "of system calls; a start as root adds an empty root, a user of its own and an empty "
            "capability bounding set"]
    for line in lines:
        if line in confined:
            continue
        assert len(line) < 100
        assert not re.search(r"not permitted|denied|cannot|fail|error|without", line), line


def test_a_plain_user_serves_with_what_it_can_have(server, ports, public, owned):
    need_plain()
    s = server(owned(65534) + hello(ports[0]) + hello(ports[1]), within=public, wrapper=PLAIN,
               args=("-v",))
    for role, _, pid in children(s):
        status, sets = status_of(pid), capabilities(pid)
        assert ids(pid) == (65534, 65534)
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
        assert not any(sets[name] for name in SETS if name != "CapBnd")
        assert not is_dumpable(pid)
        if not sanitized():
            assert limits(pid)["processes"] == (0, 0)
    for role in ("worker", "keyholder"):
        missing = missing_of(s, ports[0], role)
        assert missing["a user of its own"] == "Operation not permitted"
        assert missing["an empty capability bounding set"] == "Operation not permitted"
        assert lacks(s, ports[0], role) - {"an empty root"} == \
            {"a user of its own", "an empty capability bounding set"}
        assert "an empty root" in missing
    status = status_of(s.pid)
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert not any(capabilities(s.pid)[name] for name in SETS if name != "CapBnd")
    s.wait_log(r"confined: user 65534:65534, no new privileges, \d+ system calls denied; without "
               r"an empty capability bounding set \(Operation not permitted\)")
    for port in ports[:2]:
        assert get(port).body == HELLO
    for role, _, pid in children(s, ports[0]):
        os.kill(pid, signal.SIGKILL)
        s.wait_ready(ports[0], role, 2)
    assert get(ports[0]).body == HELLO
    assert s.stop() == 0


def test_a_plain_user_is_told_that_it_cannot_be_others(server, ports, public, owned, empty):
    need_plain()
    s = server(owned(65534) + f'user "daemon"\nchroot "{empty}"\n' + hello(ports[0]) +
               hello(ports[1], 'key user "daemon"'), within=public, wrapper=PLAIN, args=("-v",))
    assert s.log().count("only root can run the ports as other users: all run as user 65534") == 1
    assert {ids(pid) for _, _, pid in children(s)} == {(65534, 65534)}
    if not sanitized():
        assert missing_of(s, ports[0])["an empty root"] == "Operation not permitted"
    assert get(ports[0]).body == get(ports[1]).body == HELLO


def test_strict_privileges_serve_as_root(server, ports):
    need_root()
    if sanitized():
        pytest.skip("a sanitizer's build is never confined in full")
    s = server("privileges strict\n" + hello(ports[0]), wait=None)
    s.wait_log("1 port is served|no port can be served")
    if "this is missing: Landlock (" in s.log():
        pytest.skip("this kernel has no Landlock")
    assert get(ports[0]).body == HELLO
    assert "; without" not in s.log()


def test_strict_privileges_park_what_falls_short(server, ports):
    need_root()
    s = server(hello(ports[0]) + "privileges strict\n" + hello(ports[1], "chroot off"), wait=None)
    s.wait_log(rf"\[PORT {ports[1]}\] keyholder 1 .* ended with status 78 \(configuration\) .*: "
               r"privileges are strict, and this is missing: an empty root \(not asked for\)")
    s.wait_log(rf"\[PORT {ports[1]}\] PARKED .*: it cannot start as it is configured")
    if not sanitized():
        assert get(ports[0]).body == HELLO


def test_strict_privileges_end_a_plain_users_server(server, ports, public, owned):
    need_plain()
    s = server(owned(65534) + "privileges strict\n" + hello(ports[0]), within=public,
               wrapper=PLAIN, wait=None)
    assert s.process.wait(TIMEOUT) == 1
    s.wait_log("privileges are strict, and this is missing: an empty root .*, a user of its own "
               r"\(Operation not permitted\), an empty capability bounding set \(Operation not permitted\)")
    s.wait_log(rf"\[PORT {ports[0]}\] PARKED .*: it cannot start as it is configured")
    s.wait_log("no port can be served")


def low_port(host):
    """A free one below 1024."""
    for port in random.sample(range(300, 1000), 100):
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind((host, port))
            return port
    pytest.skip(f"no free low port on {host}")


def with_capabilities(uid, *names):
    """setpriv(1) to a user with exactly these."""
    caps = ",".join(["-all", *(f"+{name}" for name in names)])
    return ("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups",
            f"--inh-caps={caps}", f"--ambient-caps={caps}", f"--bounding-set={caps}")


@pytest.mark.parametrize("names", [
    ("net_bind_service", "setuid", "setgid", "sys_chroot"),
    ("net_bind_service", "setuid", "setgid", "sys_chroot", "setpcap")],
    ids=["four", "with-setpcap"])
def test_a_few_capabilities_do_in_place_of_root(server, ports, public, owned, empty, names):
    wrapper = with_capabilities(1234, *names)
    need_plain(wrapper)
    host = "127.0.0.9"
    port = low_port(host)
    strict = "setpcap" in names and not sanitized()
    s = server(owned(1234) + f'drain 300ms\nchroot "{empty}"\n' +
               ("privileges strict\n" if strict else "") +
               f'port {port} {{ listen on {host} user "61001" group "61001" key user "61002" '
               'echo }\n' + hello(ports[0], 'user "61003" group "61003"'),
               within=public, wrapper=wrapper, args=("-v",))
    assert ids(s.pid) == (1234, 1234)
    assert capabilities(s.pid) == dict.fromkeys(SETS, mask(*names))
    expected = {("worker", port): 61001, ("keyholder", port): 61002, ("worker", ports[0]): 61003,
                ("keyholder", ports[0]): key_ids(61003, 61003)[0]}
    for role, number, pid in children(s):
        assert ids(pid)[0] == expected[role, number]
        assert status_of(pid)["Groups"] == ""
        left = 0 if "setpcap" in names else mask(*names)
        assert capabilities(pid) == {**dict.fromkeys(SETS, 0), "CapBnd": left}
        if not sanitized():
            assert os.readlink(f"/proc/{pid}/root") == str(empty)
    assert lacks(s, port) == (set() if "setpcap" in names else {"an empty capability bounding set"})
    assert get(port, host=host).status == get(ports[0]).status == 200
    # It has no CAP_KILL, and kills all the same.
    hung = s.keyholders(port)[port, 1]
    os.kill(hung, signal.SIGSTOP)
    with pytest.raises(ssl.SSLError):
        get(port, host=host)
    s.wait_log(rf"keyholder 1 \(pid {hung}\) does not answer; killing it")
    new = s.wait_ready(port, "keyholder", 2)
    assert ids(new)[0] == 61002
    assert get(port, host=host).status == get(ports[0]).status == 200
    assert ids(s.pid) == (1234, 1234)
    with Connection(port, host=host) as c:
        c.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234")
        c.read_until(b"\r\n\r\n")
        assert s.stop() == 1
    s.wait_log("time is up: killing what is left")
    s.wait_log("1 worker drained, 1 killed, 1 connection cut")


@pytest.mark.parametrize("name,layer", [("sys_chroot", "an empty root"),
                                        ("setpcap", "an empty capability bounding set"),
                                        ("setgid", "a user of its own"), ("kill", None)])
def test_root_without_a_capability_serves_and_says_what_is_missing(server, ports, name, layer):
    need_root("setpriv")
    s = server(hello(ports[0]), wrapper=("setpriv", f"--bounding-set=-{name}"),
               args=("-v",))
    assert not capabilities(s.pid)["CapPrm"] & mask(name)
    for role, _, pid in children(s):
        assert not any(capabilities(pid)[n] for n in ("CapPrm", "CapEff", "CapInh", "CapAmb"))
        if layer == "an empty root" and sanitized():
            continue
        assert lacks(s, ports[0], role) == ({layer} if layer else set())
    if name == "sys_chroot" and not sanitized():
        assert missing_of(s, ports[0])[layer] == "Operation not permitted"
    if name == "setpcap":
        assert missing_of(s, ports[0])[layer] == "Operation not permitted"
    assert get(ports[0]).body == HELLO
    assert s.stop() == 0


def test_a_process_that_gets_less_than_others_is_named_once(server, ports):
    """The machine changes while the server runs: its next processes cannot empty their bounding
    set."""
    need_root()
    s = server(hello(ports[0]) + hello(ports[1]))
    assert s.log().count("confined") == 1 and "less" not in s.log()
    inject(s.pid, 157, 24, 8)  # prctl(PR_CAPBSET_DROP, CAP_SETPCAP)
    for n in (2, 3):
        for port in ports[:2]:
            os.kill(s.workers()[port, 1], signal.SIGKILL)
            s.wait_ready(port, "worker", n)
    os.kill(s.keyholders()[ports[0], 1], signal.SIGKILL)
    s.wait_ready(ports[0], "keyholder", 2)
    for port, role in ((ports[0], "worker"), (ports[1], "worker"), (ports[0], "keyholder")):
        warned = s.wait_log(rf"\[PORT {port}\] {role} 1 \(pid \d+\) is confined less than another "
                            rf"{role}: it is without .*an empty capability bounding set "
                            r"\(Operation not permitted\)")
        assert len(warned) == 1, warned
    assert get(ports[0]).body == HELLO


# --- system calls that are not in the table ----------------------------------------------------

ANYWHERE = (1 << 64) - 1  # as a descriptor: none
WRITE_EXEC = 7
FORBIDDEN = {  # name: (number, arguments)
    "socket": (41, 2, 1, 0),
    "bind": (49, 0, 0, 0),
    "connect": (42, 0, 0, 0),
    "execve": (59, 0, 0, 0),
    "fork": (57,),
    "setuid": (105, 0),
    "chroot": (161, 0),
    "pidfd_getfd": (438, 0, 0, 0),
    "io_uring_setup": (425, 1, 0),
    "mmap": (9, 0, 4096, WRITE_EXEC, 0x22, ANYWHERE, 0),
    "mprotect": (10, 0, 4096, WRITE_EXEC),
}
FORBIDDEN_PLAIN = {  # which sanitizers need
    "ptrace": (101, 0, 0, 0, 0),
    "open": (2, 0, 0, 0),
    "openat": (257, ANYWHERE, 0, 0, 0),
    "clone": (56, 0, 0, 0, 0, 0),
    "kill": (62, 1, 0),
    "prctl": (157, 0, 0, 0, 0, 0),
}
FORBIDDEN_KEYHOLDER = {"accept4": (288, 0, 0, 0, 0), "shutdown": (48, 0, 0)}


@pytest.mark.parametrize("role", ["worker", "keyholder"])
def test_a_forbidden_system_call_is_a_recorded_end(server, ports, role):
    need_root()
    s = server("restart { backoff 1ms to 1ms; park after 64 in 1h }\n" + hello(ports[0]) +
               hello(ports[1]))
    calls = {**FORBIDDEN, **({} if sanitized() else FORBIDDEN_PLAIN),
             **(FORBIDDEN_KEYHOLDER if role == "keyholder" else {})}
    before = children(s, ports[1])
    with Connection(ports[1]) as stays:
        for count, (name, (number, *arguments)) in enumerate(calls.items(), 2):
            pid = s.children(role)[ports[0], 1]
            inject(pid, number, *arguments)
            s.wait_log(rf"\[PORT {ports[0]}\] {role} 1 \(pid {pid}\) was ended by its sandbox for "
                       rf"the system call {name} \({number}\) after \S+ and \d+ \w+; starting it")
            s.wait_ready(ports[0], role, count)
            assert stays.get().status == 200
    assert get(ports[0]).body == HELLO
    assert children(s, ports[1]) == before
    assert s.stop() == 0


@pytest.mark.parametrize("role", ["worker", "keyholder"])
def test_an_allowed_system_call_goes_unnoticed(server, ports, role):
    """The other tests would prove nothing if any injected call ended a process."""
    need_root()
    s = server(hello(ports[0]))
    pid = s.children(role)[ports[0], 1]
    for number, *arguments in ((28, 0, 0, 0), (10, 0, 0, 3), (7, 0, 0, 0), (14, 0, 0, 0, 8)):
        # madvise, mprotect, poll, rt_sigprocmask: all return 0, which to the loop is no event
        inject(pid, number, *arguments)
        assert get(ports[0]).body == HELLO
    assert s.children(role)[ports[0], 1] == pid
    assert s.stop() == 0


@pytest.mark.parametrize("role", ["worker", "keyholder"])
def test_calls_of_another_kind_of_machine_end_it(server, ports, role):
    """x32: the number of another table, in which it means something else."""
    need_root()
    s = server(hello(ports[0]))
    pid = s.children(role)[ports[0], 1]
    inject(pid, 0x40000000 | 0)
    s.wait_log(rf"{role} 1 \(pid {pid}\) was ended by its sandbox for an "
               "unknown system call")
    s.wait_ready(ports[0], role, 2)
    assert get(ports[0]).body == HELLO


def age(pid):
    """Seconds since its start."""
    ticks = int(pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace").rsplit(")", 1)[1].split()[19])
    now = float(pathlib.Path("/proc/uptime").read_text(errors="replace").split()[0])
    return now - ticks / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("role", ["worker", "keyholder"])
def test_forbidden_system_calls_park_however_long_each_has_lived(server, ports, role):
    need_root()
    s = server("restart { backoff 1ms to 1ms; park after 3 in 1h }\n" + hello(ports[0]) +
               hello(ports[1]))
    for count in range(1, 4):
        pid = s.wait_ready(ports[0], role, count)
        wait_for(lambda p=pid: age(p) > 1.5, "no quick death")
        inject(pid, *FORBIDDEN["socket"])
        s.wait_log(r"was ended by its sandbox for the system call socket \(41\)", count=count)
    s.wait_log(rf"\[PORT {ports[0]}\] PARKED .*: too many forbidden system calls; "
               "its clients are refused")
    assert refused(ports[0])
    wait_for(lambda: not children(s, ports[0]), "the port's end")
    assert get(ports[1]).body == HELLO
    assert s.stop() == 0
