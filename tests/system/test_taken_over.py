"""What a taken-over worker can leave or reach outside its own port.

Tests make a live worker execute a hostile system call (injection.py). Actions that only code
without a sandbox could take are done from outside, on the same sockets.
"""
import contextlib
import ctypes
import hashlib
import os
import re
import signal
import socket
import ssl
import struct
import subprocess

import pytest

from harness import (TIMEOUT, Connection, free_ports, get, landlock_version, memory_cgroup, need_root,
                     sanitized, wait_for)
from injection import DATA, inject
from test_systemd import passed
from test_tls import resumed, session_of, version
from test_upgrade import upgradable, upgrade  # noqa: F401 (a fixture)

BODY = "x" * 60000
LARGE = f'respond 200 "{BODY}"\n'
LINGER_RESET = struct.pack("ii", 1, 0)
LINGER_WAIT = struct.pack("ii", 1, 60)
PIDFD_GETFD = 438


def large(port, more=""):
    return f"port {port} {{ listen on 127.0.0.1 {more} {LARGE} }}\n"


@contextlib.contextmanager
def listener_of(pid, port):
    """The listening socket that a process holds, as a socket of ours."""
    libc = ctypes.CDLL(None, use_errno=True)
    pidfd = os.pidfd_open(pid)
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            fd = libc.syscall(PIDFD_GETFD, pidfd, int(name), 0)
            if fd < 0:
                continue
            with contextlib.suppress(OSError), socket.socket(fileno=fd) as s:
                if s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) and \
                        s.getsockname()[1] == port:
                    yield s, int(name)
                    return
        raise AssertionError(f"process {pid} does not listen on {port}")
    finally:
        os.close(pidfd)


def assert_answers_arrive(port, times=10):
    """The whole answer, though the server closed its end before the client had read much."""
    for _ in range(times):
        with socket.socket() as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.settimeout(TIMEOUT)
            raw.connect(("127.0.0.1", port))
            with Connection.over(raw) as c:
                assert len(c.get(extra="Connection: close\r\n").body) == len(BODY)


def renew(pem, key):
    """A certificate of the same key, in place."""
    subprocess.run(["openssl", "req", "-x509", "-key", key, "-out", f"{pem}.next", "-days", "9",
                    "-subj", "/CN=next"], check=True, capture_output=True)
    os.replace(f"{pem}.next", pem)


def linger(s):
    return struct.unpack("ii", s.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8))


# --- document roots -------------------------------------------------------------------------------

OPENAT2 = 437
AT_FDCWD = -100
O_PATH, O_TMPFILE = 0o10000000, 0o20200000


def opened(pid):
    """{descriptor: (device, inode)}"""
    found = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            st = os.stat(f"/proc/{pid}/fd/{name}")
            found[int(name)] = st.st_dev, st.st_ino
    return found


def openat2(pid, folder_fd, path, flags=os.O_RDONLY):
    """Whether a live worker opens something by this."""
    before = opened(pid)
    how = struct.pack("QQQ", flags | os.O_CLOEXEC, 0o600 if flags & os.O_CREAT else 0, 0)
    inject(pid, OPENAT2, folder_fd, (DATA, len(how)), DATA, len(how),
           data=how + os.fsencode(path) + b"\0")
    return len(set(opened(pid)) - set(before)) == 1


@pytest.fixture
def site(tmp_path):
    folder = tmp_path / "outer" / "site"
    folder.mkdir(parents=True)
    for name, text in (("site/page", "served"), ("secret", "secret")):
        (tmp_path / "outer" / name).write_text(text)
        (tmp_path / "outer" / name).chmod(0o666)  # so that it is not the user who refuses
    (folder / "out").symlink_to("../secret")
    (folder / "absolute").symlink_to("/etc/passwd")
    for part in (folder, *folder.parents):
        if part.stat().st_uid == os.geteuid() and part.is_relative_to("/tmp"):
            part.chmod(part.stat().st_mode | 0o055)
    folder.chmod(0o777)
    return folder


@pytest.mark.parametrize("wrapper", [(), ("setpriv", "--bounding-set=-sys_admin")],
                         ids=["mount", "Landlock alone"])
def test_a_worker_with_files_opens_what_is_beneath_and_nothing_else(server, ports, site, wrapper):
    need_root("setpriv")
    if sanitized():
        pytest.skip("needs a build without sanitizers")
    s = server(f'port {ports[0]} {{ location "/" {{ files "{site}" }} }}', wrapper=wrapper)
    pid, = s.workers().values()
    st = site.stat()
    root, = (fd for fd, where in opened(pid).items() if where == (st.st_dev, st.st_ino))
    up = "../" * 20
    assert openat2(pid, root, "page")  # the attempts are ones
    for folder, path in ((root, "../secret"), (root, "out"), (root, "absolute"), (root, "../.."),
                         (root, f"{up}etc/passwd"), (root, f"{up}proc/self/environ"),
                         (root, f"{up}proc/{s.pid}/environ"), (AT_FDCWD, "/etc/passwd"),
                         (AT_FDCWD, f"{up}etc/passwd")):
        if wrapper == () and path == "../..":
            continue  # it is the root again
        assert not openat2(pid, folder, path), path
    # Landlock knows truncation since its version 3.
    may_truncate = wrapper != () and landlock_version() < 3
    for flags in (os.O_WRONLY, os.O_RDWR, *([] if may_truncate else [os.O_RDONLY | os.O_TRUNC])):
        assert not openat2(pid, root, "page", flags)
    assert not openat2(pid, root, "new", os.O_WRONLY | os.O_CREAT)
    assert not openat2(pid, root, ".", os.O_WRONLY | O_TMPFILE)
    # What O_PATH shows of files outside is not their content; the mount shows nothing.
    assert openat2(pid, root, "../secret", O_PATH) == bool(wrapper)
    assert (site / "page").read_text() == "served" and not (site / "new").exists()
    assert get(ports[0], "/page").body == b"served"
    assert s.workers() == {key: pid for key in s.workers()}


def test_a_worker_without_files_ends_with_its_calls(server, ports):
    need_root()
    if sanitized():
        pytest.skip("needs a build without sanitizers")
    s = server(large(ports[0]))
    pid, = s.workers().values()
    inject(pid, OPENAT2, AT_FDCWD, 0, 0, 24)
    s.wait_log(rf"\(pid {pid}\) was ended by its sandbox for the system call openat2")


# --- the shared sockets ---------------------------------------------------------------------------

@pytest.mark.parametrize("value", [LINGER_RESET, LINGER_WAIT], ids=["reset", "wait"])
def test_an_option_of_the_listener_reaches_no_connection(server, ports, value):
    need_root()
    s = server(large(ports[0]))
    pid = s.children("worker")[ports[0], 1]
    with listener_of(pid, ports[0]) as (listener, _):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, value)
        assert_answers_arrive(ports[0])


@pytest.mark.parametrize("value", [LINGER_RESET, LINGER_WAIT], ids=["reset", "wait"])
def test_an_option_of_the_listener_ends_with_its_worker(server, ports, value):
    need_root()
    s = server(large(ports[0]))
    pid = s.children("worker")[ports[0], 1]
    with listener_of(pid, ports[0]) as (listener, _):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, value)
        os.kill(pid, 9)
        s.wait_ready(ports[0], "worker", 2)
        assert linger(listener)[0] == 0
    assert_answers_arrive(ports[0])


def reload_with_a_change(s):
    s.config.write_text(s.config.read_text().replace("respond 200", "respond 201"))
    s.kill(signal.SIGHUP)
    s.wait_log("reloaded: 0 kept, 1 changed")


@pytest.mark.parametrize("change", [reload_with_a_change, upgrade])
def test_an_option_of_the_listener_ends_with_its_generation(upgradable, ports, change):
    need_root()
    s = upgradable(large(ports[0]))
    pid = s.children("worker")[ports[0], 1]
    with listener_of(pid, ports[0]) as (listener, _):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
        change(s)
        wait_for(lambda: pid not in s.children("worker").values(), "the former worker's end")
        wait_for(lambda: linger(listener)[0] == 0, "an option that is taken back")
    assert_answers_arrive(ports[0])


def test_an_option_of_a_passed_socket_ends_with_the_server(server, ports):
    """The service manager holds the socket from one server to the next."""
    with socket.create_server(("127.0.0.1", ports[0])) as web:
        web.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
        passed(server, [web], "web", f'port {ports[0]} {{ listen on socket "web" {LARGE} }}\n')
        assert linger(web)[0] == 0
        assert_answers_arrive(ports[0])


@pytest.mark.parametrize("workers", [1, 3])
def test_a_sealed_worker_sets_nothing_on_its_listener(server, ports, workers):
    """Every number of its listeners, and the same with bits that the kernel ignores."""
    need_root()
    s = server("restart { backoff 1ms to 1ms; park after 64 in 1h }\n" +
               f"port {ports[0]} {{ listen on 127.0.0.1 listen on 127.0.0.2 listen on 127.0.0.3 "
               f"workers {workers} {LARGE} }}\n")
    for count, high in enumerate((0, 1 << 32, 1 << 63), workers + 1):
        pid = s.children("worker")[ports[0], 1]
        with listener_of(pid, ports[0]) as (_, number):
            inject(pid, 54, number | high, socket.SOL_SOCKET, socket.SO_LINGER, 0, 8)
            s.wait_log(rf"worker 1 \(pid {pid}\) was ended by its sandbox for the system call "
                       r"setsockopt \(54\)")
        s.wait_ready(ports[0], "worker", count)
    assert_answers_arrive(ports[0])


@pytest.mark.parametrize("how", [socket.SHUT_RD, socket.SHUT_RDWR])
def test_a_listener_that_is_shut_listens_again(server, ports, how):
    need_root()
    s = server(large(ports[0], "workers 2") + large(ports[1]))
    pid = s.children("worker")[ports[0], 1]
    before = s.children("worker")
    with listener_of(pid, ports[0]) as (listener, _):
        for count in (1, 2):
            listener.shutdown(how)
            s.wait_log(rf"\[PORT {ports[0]}\] the socket on 127.0.0.1 had been shut down from "
                       "outside; it listens again", count=count)
            assert_answers_arrive(ports[0], 20)
    assert s.children("worker") == before
    assert_answers_arrive(ports[1])
    assert s.stop() == 0


def test_a_listener_whose_address_is_taken_listens_once_it_is_free(server, ports):
    need_root()
    s = server(large(ports[0], "listen on 127.0.0.2"))
    pid = s.children("worker")[ports[0], 1]
    with listener_of(pid, ports[0]) as (listener, _):
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.shutdown(socket.SHUT_RD)
            other.bind(listener.getsockname())
            other.listen()
            s.wait_log("was shut down from outside, and cannot listen again: Address already in "
                       "use; trying it once a second")
            # The other address is served all the while.
            [host] = {"127.0.0.1", "127.0.0.2"} - {other.getsockname()[0]}
            for _ in range(100):
                assert get(ports[0], host=host).status == 200
        s.wait_log("had been shut down from outside; it listens again")
    assert_answers_arrive(ports[0])


# --- the ticket key -----------------------------------------------------------------------------------


def kill(pid):
    os.kill(pid, signal.SIGKILL)


def leave_as_if_drained(pid):
    inject(pid, EXIT_GROUP, 0)


def call_what_is_forbidden(pid):
    inject(pid, 41, 2, 1, 0)


EXIT_GROUP = 231


@pytest.mark.parametrize("number", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("end", [kill, leave_as_if_drained, call_what_is_forbidden])
def test_a_worker_that_ends_badly_leaves_no_key_to_its_port(server, ports, end, number):
    """Nor to the other workers of its pool, which are older."""
    need_root()
    s = server("restart { backoff 1ms to 1ms; park after 64 in 1h }\n" +
               large(ports[0], "workers 2") + large(ports[1]))
    context = version(number)
    session, other = session_of(ports[0], context), session_of(ports[1], context)
    assert resumed(ports[0], context, session)
    end(s.children("worker")[ports[0], 1])
    s.wait_ready(ports[0], "worker", 3)
    for _ in range(4):
        assert not resumed(ports[0], context, session)
    session = session_of(ports[0], context)
    for _ in range(4):
        assert resumed(ports[0], context, session)
    assert resumed(ports[1], context, other)


def test_a_key_does_not_outlive_a_worker_that_the_master_has_not_heard_of(server, ports):
    """It serves and is killed before the master reads that it is ready."""
    need_root()
    s = server("restart { backoff 1ms to 1ms; park after 64 in 1h }\n" + large(ports[0]))
    first = s.children("worker")[ports[0], 1]
    context = version(ssl.TLSVersion.TLSv1_3)
    os.kill(first, signal.SIGKILL)
    second = wait_for(lambda: {*s.children("worker").values()} - {first}, "another one").pop()
    s.kill(signal.SIGSTOP)
    try:
        session = session_of(ports[0], context)
        os.kill(second, signal.SIGKILL)
    finally:
        s.kill(signal.SIGCONT)
    s.wait_log(rf"\(pid {second}\) was killed")
    assert not resumed(ports[0], context, session)


@pytest.mark.parametrize("changed", ["certificate", "key"])
def test_a_key_does_not_outlive_its_port_s_certificate(server, ports, certificates, tmp_path,
                                                       changed):
    pem, key = tmp_path / "own.pem", tmp_path / "own.key"
    for own, source in zip((pem, key), certificates("ecdsa")):
        own.write_bytes(source.read_bytes())
    s = server(f'tls {{ certificate "{pem}" key "{key}" }}\n' + large(ports[0]))
    context = version(ssl.TLSVersion.TLSv1_3)
    session = session_of(ports[0], context)
    if changed == "certificate":
        renew(pem, key)
    else:
        for own, source in zip((pem, key), certificates("other")):
            own.write_bytes(source.read_bytes())
    s.kill(signal.SIGHUP)
    s.wait_log("reloaded: 0 kept, 1 changed")
    assert not resumed(ports[0], context, session)


def test_a_port_without_tickets_gives_none(server, ports):
    server(large(ports[0], "tickets off"))
    for number in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with Connection(ports[0], context=version(number)) as c:
            assert len(c.get().body) == len(BODY)
            assert not c.socket.session.has_ticket


# --- memory -----------------------------------------------------------------------------------------

SHARED, PRIVATE, ANONYMOUS, POPULATE = 1, 2, 0x20, 0x8000
LOCKED, GROWSDOWN, HUGETLB = 0x2000, 0x100, 0x40000
MAPPINGS = {
    "shared": SHARED | ANONYMOUS,
    "shared, validated": 3 | ANONYMOUS,
    "huge pages": PRIVATE | ANONYMOUS | HUGETLB,
    "locked": PRIVATE | ANONYMOUS | LOCKED,
    "growing down": PRIVATE | ANONYMOUS | GROWSDOWN,
    "of a file": PRIVATE,
    "high bits": PRIVATE | ANONYMOUS | 1 << 40,
}


def test_memory_that_is_not_its_own_is_not_to_be_had(server, ports):
    need_root()
    s = server("restart { backoff 1ms to 1ms; park after 64 in 1h }\n" + large(ports[0]))
    for count, flags in enumerate(MAPPINGS.values(), 2):
        pid = s.children("worker")[ports[0], 1]
        inject(pid, 9, 0, 1 << 20, 3, flags, (1 << 64) - 1, 0)
        s.wait_log(rf"worker 1 \(pid {pid}\) was ended by its sandbox for the system call mmap")
        s.wait_ready(ports[0], "worker", count)
    assert_answers_arrive(ports[0], 1)


@pytest.mark.skipif(bool(sanitized()), reason="its shadow does not fit any group")
def test_a_worker_that_fills_the_machine_is_the_one_that_ends(server):
    """Again and again, with all memory that it can get, among six ports that share too little."""
    need_root()
    folder = memory_cgroup(f"bulkhead-taken-{os.getpid()}", 96 << 20)
    if folder is None:
        pytest.skip("no memory control group can be made")
    numbers = free_ports(6)
    try:
        s = server("restart { backoff 1ms to 1ms; park after 64 in 1h }\n" +
                   "".join(large(port) for port in numbers),
                   wrapper=("sh", "-c", f'echo $$ > {folder}/cgroup.procs; exec "$@"', "sh"))
        culprits = set()
        for count in range(2, 6):
            pid = s.children("worker")[numbers[0], 1]
            culprits.add(pid)
            for _ in range(100):
                try:
                    inject(pid, 9, 0, 16 << 20, 3, PRIVATE | ANONYMOUS | POPULATE, (1 << 64) - 1, 0,
                           data=b"-")
                except OSError:  # it has ended
                    break
            s.wait_ready(numbers[0], "worker", count)
        ended = re.findall(r"\(pid (\d+)\) (?:was killed|ran out|crashed|ended)", s.log())
        assert {int(pid) for pid in ended} == culprits
        assert "PARKED" not in s.log()
        for port in numbers:
            assert_answers_arrive(port, 1)
        assert s.stop() == 0
    finally:
        wait_for(lambda: os.rmdir(folder) is None, "the group's end")


# --- its messages to the master ---------------------------------------------------------------

CHANNEL = 3
WRITE = 1
READY, FAILED, DRAIN, FAULT, FILES, CERTIFICATE = 2, 3, 4, 11, 12, 13
START, HANDED, COMPLETE = 1, 18, 19


def tell(pid, kind, payload=b""):
    message = struct.pack("I", kind) + payload
    inject(pid, WRITE, CHANNEL, DATA, len(message), data=message)


def digest_of(path):
    """A worker's report of one pair's certificate: the digest of the digests of its files."""
    return hashlib.sha256(bytes(32) + hashlib.sha256(path.read_bytes()).digest()).digest()


@pytest.mark.parametrize("role", ["worker", "keyholder"])
def test_what_only_a_child_that_starts_may_say_ends_one_that_serves(server, ports, role):
    need_root()
    s = server("restart { backoff 1ms to 1ms; park after 64 in 1h }\n" + large(ports[0]) +
               large(ports[1]))
    others = s.children(role)[ports[1], 1]
    words = {READY: bytes(68), FAILED: b"it was the configuration", FILES: bytes(32),
             CERTIFICATE: bytes(3 * 8 + 256), FAULT: bytes(8), DRAIN: b"",
             START: bytes(36), HANDED: bytes(4), COMPLETE: bytes(32)}  # only the master hands out
    for count, (kind, payload) in enumerate(words.items(), 2):
        pid = s.children(role)[ports[0], 1]
        tell(pid, kind, payload)
        s.wait_log(rf"{role} 1 \(pid {pid}\) (sent a message that it must not send|asked for a fault)")
        s.wait_ready(ports[0], role, count)
    assert "it was the configuration" not in s.log()
    assert s.children(role)[ports[1], 1] == others
    assert_answers_arrive(ports[0], 1)


def test_a_worker_cannot_keep_its_place_when_its_certificate_changes(server, ports, certificates,
                                                                     tmp_path):
    """It claims to have the next certificate, of the same key, already."""
    need_root()
    pem, key, renewed = tmp_path / "own.pem", tmp_path / "own.key", tmp_path / "next.pem"
    for own, source in zip((pem, key), certificates("ecdsa")):
        own.write_bytes(source.read_bytes())
    subprocess.run(["openssl", "req", "-x509", "-key", key, "-out", renewed, "-days", "9", "-subj",
                    "/CN=next"], check=True, capture_output=True)
    s = server(f'tls {{ certificate "{pem}" key "{key}" }}\n' + large(ports[0]))
    pid = s.children("worker")[ports[0], 1]
    tell(pid, FILES, digest_of(renewed))
    pem.write_bytes(renewed.read_bytes())
    s.kill(signal.SIGHUP)
    s.wait_log("reloaded: |reload failed")
    assert "the content of its files has not changed" not in s.log()
    wait_for(lambda: pid not in s.children("worker").values(), "the end of that worker")
