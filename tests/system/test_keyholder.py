"""Private keys: their holders, the signatures, and keyholders that do not answer."""
import contextlib
import hashlib
import os
import pathlib
import platform
import re
import select
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest

from harness import (HELLO, TIMEOUT, Connection, client_context, descriptors_of, get,
                     key_channels_of, memory_holds, need_root, refused, sanitized, traced,
                     wait_for)
from s_client import s_client

# Deaths never park a port, and are replaced at once.
EAGER = "access log errors\nrestart { backoff 1ms to 1ms; park after 64 in 10ms }\n"
SILENT = "the keyholder has not answered in time"
SIGNED, REFUSED = 1, 2  # enum ipc_key_status
ECDSA_SHA256, ECDSA_SHA384, RSA_SHA256, RSA_PSS_SHA256, ED25519 = 0x403, 0x503, 0x401, 0x804, 0x807
VERIFY = b" " * 64 + b"TLS 1.3, server CertificateVerify\0"


def hello(port, extra=""):
    return f'port {port} {{ {extra} respond 200 "Hello, world!\\n" }}\n'


def failure(port, **options):
    """What a new handshake fails with: "" if it does not. Anything but an alert raises."""
    try:
        get(port, **options)
    except ssl.SSLError as e:
        assert "ALERT" in (e.reason or ""), e
        return e.reason
    return ""


def kill(s, port, role, count, number=1):
    """kill -9 of a child, which had been the (count - 1)th of its role to get ready."""
    pid = s.children(role, port)[port, number]
    os.kill(pid, signal.SIGKILL)
    s.wait_log(rf"{role} {number} \(pid {pid}\) was killed from outside by SIGKILL")
    return s.wait_ready(port, role, count)


class Load:
    """Client threads that make full handshakes with one request each, until the end of the block.
    """

    def __init__(self, *ports, threads=2):
        self.done = dict.fromkeys(ports, 0)
        self.failed = {port: [] for port in ports}
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(p,)) for p in ports
                        for _ in range(threads)]

    def run(self, port):
        while not self.stop.is_set():
            try:
                assert get(port).status == 200
                self.done[port] += 1
            except (OSError, EOFError, AssertionError) as e:
                self.failed[port].append(e)

    def goes_on(self, port, count=10):
        """Waits until so many more requests have been answered."""
        wanted = self.done[port] + count
        wait_for(lambda: self.done[port] >= wanted, "going on")

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for t in self.threads:
            t.join()


# --- who has the key ---------------------------------------------------------------------------


def test_only_the_keyholder_reads_the_key(server, ports, certificates, tmp_path):
    need_root("strace")
    trace = tmp_path / "trace"
    _, key = certificates("ecdsa")
    env = {"ASAN_OPTIONS": "detect_leaks=0"} if sanitized() else None  # it cannot, when traced
    s = server(hello(ports[0]), env=env, wrapper=(
        "strace", "-D", "-f", "-y", "-o", trace, "-e",
        "trace=read,pread64,readv,preadv,preadv2,mmap,open,openat,recvmsg,sendmsg,execveat"))
    assert get(ports[0]).body == HELLO
    master, worker, keyholder = s.pid, s.workers()[ports[0], 1], s.keyholders()[ports[0], 1]
    assert s.stop() == 0
    touched = {}
    for line in trace.read_text().splitlines():
        pid, call = line.split(None, 1)
        if str(key) in call:
            touched.setdefault(int(pid), set()).add(call.split("(")[0])
    assert touched[master] <= {"openat", "open", "sendmsg"}, touched
    assert {"read", "pread64", "mmap"} & touched[keyholder], touched
    assert not {"openat", "open"} & touched[keyholder], touched
    assert worker not in touched, touched
    assert set(touched) == {master, keyholder}, touched


def test_only_the_keyholders_memory_holds_the_key(server, ports, certificates):
    need_root()
    if sanitized():
        pytest.skip("a sanitizer's shadow memory is too large to be searched")
    _, key = certificates("ecdsa")
    text = subprocess.run(["openssl", "ec", "-in", key, "-noout", "-text"], check=True,
                          capture_output=True, text=True).stdout
    secret = bytes.fromhex("".join(re.search(r"priv:\s+([0-9a-f:\s]+)", text)[1].split())
                           .replace(":", ""))
    needles = [secret, secret[::-1],  # as octets; as a number of the machine's
               key.read_text().splitlines()[2].encode()]  # as the file has it
    s = server(hello(ports[0]))
    for _ in range(3):
        assert get(ports[0]).body == HELLO
    assert memory_holds(s.keyholders()[ports[0], 1], *needles), "the search finds nothing at all"
    assert not memory_holds(s.workers()[ports[0], 1], *needles)
    assert not memory_holds(s.pid, *needles)


def test_a_key_that_root_alone_can_read_serves(server, ports, certificates, tmp_path):
    need_root()
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    certificate, key = (shutil.copy(path, folder) for path in certificates("ecdsa"))
    os.chmod(certificate, 0o600)
    os.chmod(key, 0o600)
    s = server(f'tls {{ certificate "{certificate}" key "{key}" }}\n' + hello(ports[0]))
    for pid in (*s.workers().values(), *s.keyholders().values()):
        assert os.stat(f"/proc/{pid}/environ").st_uid == 0  # not dumpable
        assert f"Uid:\t{os.stat(folder).st_uid}\t" not in \
            pathlib.Path(f"/proc/{pid}/status").read_text(errors="replace")
    assert get(ports[0]).body == HELLO
    assert kill(s, ports[0], "keyholder", 2)
    assert get(ports[0]).body == HELLO


# --- how many ----------------------------------------------------------------------------------


def test_a_port_with_one_worker_has_one_keyholder_which_comes_first(server, ports):
    s = server("".join(map(hello, ports)))
    assert sorted(s.keyholders()) == [(p, 1) for p in ports]
    assert len({*s.keyholders().values(), *s.workers().values()}) == 6
    for port, pid in ((port, pid) for (port, _), pid in s.keyholders().items()):
        title = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode(errors="replace")
        assert title == f"bulkhead: port {port} keyholder 1"
        log = s.log()
        assert log.index(f"[PORT {port}] keyholder 1 (pid {pid}) is ready") < \
            log.index(f"[PORT {port}] worker 1 (pid {s.workers()[port, 1]}) is ready")


def test_keyholders_as_many_as_configured_are_all_used(server, ports):
    s = server(hello(ports[0], "workers 4 keyholders 2") +
               hello(ports[1], "workers 3 keyholders auto") + hello(ports[2], "workers 4"))
    auto = [min(loops, os.cpu_count()) for loops in (3, 4)]
    for port, count in zip(ports, (2, *auto)):
        assert sorted(s.keyholders(port)) == [(port, n) for n in range(1, count + 1)]
    for _ in range(40):
        assert get(ports[0]).body == HELLO
    assert s.stop() == 0
    ends = re.findall(rf"PORT {ports[0]}\] keyholder \d .*drained after \S+ and (\d+) signature",
                      s.log())
    made = sorted(map(int, ends))
    assert len(made) == 2 and made[0] > 2, ends  # two are the workers' own at their start
    assert sum(made) == 40 + 4


# --- it dies -----------------------------------------------------------------------------------


def test_kill_9_of_a_keyholder_fails_no_handshake(server, ports):
    s = server(EAGER + hello(ports[0]) + hello(ports[1]))
    worker = s.workers(ports[0])
    with Connection(ports[0]) as stays, Load(ports[0], ports[1]) as load:
        assert stays.get().status == 200
        for n in range(2, 22):
            load.goes_on(ports[0])
            kill(s, ports[0], "keyholder", n)
            assert stays.get().status == 200
        load.goes_on(ports[0])
        load.goes_on(ports[1])
    assert load.failed == {ports[0]: [], ports[1]: []}, s.log()
    assert s.workers(ports[0]) == worker
    assert len(s.ready(ports[1], "keyholder")) == 1
    s.wait_reaped()


def test_a_request_that_dies_with_its_keyholder_is_asked_again(server, ports):
    """The keyholder has read the request and not answered yet."""
    write = {"x86_64": 1, "aarch64": 64}.get(platform.machine())
    if write is None:
        pytest.skip("does not know this machine's number of write(2)")
    s = server(EAGER + hello(ports[0]))
    for n in range(2, 5):
        answers = []
        client = threading.Thread(target=lambda: answers.append(get(ports[0])))
        victim = s.keyholders()[ports[0], 1]
        with traced(victim, "-e", "trace=write", "--inject=write:delay_enter=10000000"):
            began = time.monotonic()
            client.start()
            wait_for(lambda p=victim: f"{write} " in
                     pathlib.Path(f"/proc/{p}/syscall").read_text(errors="replace")[:4], "a signature")
            os.kill(victim, signal.SIGKILL)  # ends when it continues
        soon = time.monotonic() - began < 1
        client.join()
        if not answers and not soon:  # two seconds are its deadline
            pytest.skip("this machine is too slow for it")
        assert answers and answers[0].body == HELLO, s.log()
        s.wait_ready(ports[0], "keyholder", n)
    assert SILENT not in s.log()


def test_handshakes_wait_while_the_keyholder_is_being_replaced(server, ports):
    """With a pause that is longer than a handshake, and shorter than its deadline."""
    s = server("restart { backoff 200ms to 200ms; park after 64 in 10ms }\n" + hello(ports[0]))
    for n in range(2, 6):
        kill_time = time.monotonic()
        pid = s.keyholders()[ports[0], 1]
        os.kill(pid, signal.SIGKILL)
        problem = failure(ports[0])
        if time.monotonic() - kill_time < 1.5:  # a machine that is slower than that shows nothing
            assert not problem, s.log()
        s.wait_ready(ports[0], "keyholder", n)


def test_a_worker_and_its_keyholder_die_at_once(server, ports):
    s = server(EAGER + hello(ports[0], "workers 2") + hello(ports[1]))
    with Load(ports[1], threads=1) as load:
        for n in range(10):
            workers, keyholders = (s.children(r, ports[0]) for r in ("worker", "keyholder"))
            victims = [*workers.values(), *keyholders.values()]
            for pid in victims if n % 2 else reversed(victims):
                os.kill(pid, signal.SIGKILL)
            for role, old in (("worker", workers), ("keyholder", keyholders)):
                s.wait_ready(ports[0], role, len(old) * (n + 2))
            for _ in range(4):
                assert get(ports[0]).body == HELLO
        load.goes_on(ports[1])
    assert load.failed[ports[1]] == []
    s.wait_reaped()


def test_a_keyholder_that_dies_too_often_parks_its_port(server, ports):
    s = server("restart { backoff 1ms to 1ms; park after 3 in 60s }\n" + hello(ports[0]) +
               hello(ports[1]))
    for n in range(1, 4):
        pid = wait_for(lambda: s.keyholders(ports[0]).get((ports[0], 1)), "a keyholder")
        os.kill(pid, signal.SIGKILL)
        s.wait_log(rf"keyholder 1 \(pid {pid}\) was killed from outside by SIGKILL after "
                   r"\S+ and \d+ signatures?")
        if n < 3:
            wait_for(lambda p=pid: p not in s.keyholders(ports[0]).values() and
                     s.keyholders(ports[0]), "the next one")
    if "PARKED" not in s.log():  # it had lived for a second, on a slow machine
        pytest.skip("this machine is too slow for quick deaths")
    assert refused(ports[0])
    wait_for(lambda: not s.workers(ports[0]) and not s.keyholders(ports[0]), "the port's end")
    assert get(ports[1]).body == HELLO
    assert s.stop() == 0


def test_a_worker_that_hangs_does_not_keep_the_clients_of_a_parked_port(server, ports):
    s = server("watchdog off restart { backoff 1ms to 1ms; park after 1 in 60s }\n" + hello(ports[0]))
    worker, = s.workers(ports[0]).values()
    os.kill(worker, signal.SIGSTOP)
    os.kill(s.keyholders(ports[0])[ports[0], 1], signal.SIGKILL)
    wait_for(lambda: "PARKED" in s.log() or len(s.ready(ports[0], "keyholder")) > 1, "its death")
    if "PARKED" not in s.log():  # it had lived for a second
        pytest.skip("this machine is too slow for quick deaths")
    assert refused(ports[0])
    os.kill(worker, signal.SIGKILL)


def test_replaced_children_leave_nothing_behind(server, ports):
    s = server(EAGER + hello(ports[0], "workers 2") + hello(ports[1]))

    def kinds(pid):
        return sorted(descriptors_of(pid).values())

    keyholder = s.keyholders(ports[0])[ports[0], 1]
    before = kinds(s.pid), kinds(keyholder)
    for n in range(3, 13):
        kill(s, ports[0], "worker", n, number=1 + n % 2)
        assert get(ports[0]).body == HELLO
    wait_for(lambda: kinds(keyholder) == before[1], "the closing of old channels")
    assert s.keyholders(ports[0])[ports[0], 1] == keyholder
    keyholders = len(s.keyholders(ports[0]))
    for n in range(keyholders + 1, keyholders + 11):
        keyholder = kill(s, ports[0], "keyholder", n)
        assert get(ports[0]).body == HELLO
    assert kinds(keyholder) == before[1]
    assert kinds(s.pid) == before[0]
    s.wait_reaped()


# --- it hangs ----------------------------------------------------------------------------------


def test_a_keyholder_that_hangs_costs_a_deadline_and_is_replaced(server, ports):
    s = server(EAGER + hello(ports[0]) + hello(ports[1]))
    hung = s.keyholders(ports[0])[ports[0], 1]
    worker = s.workers(ports[0])
    with Connection(ports[0]) as stays, Connection(ports[1]) as other:
        assert stays.get().status == other.get().status == 200
        os.kill(hung, signal.SIGSTOP)
        assert "INTERNAL_ERROR" in failure(ports[0])
        s.wait_log(rf"TLS handshake with .* failed: {SILENT}")
        assert stays.get().status == other.get().status == 200
        assert get(ports[1]).body == HELLO
        s.wait_log(rf"keyholder 1 \(pid {hung}\) does not answer; killing it")
        s.wait_log(rf"keyholder 1 \(pid {hung}\) was killed by the watchdog because it did not answer")
        s.wait_ready(ports[0], "keyholder", 2)
        assert get(ports[0]).body == HELLO  # at once: the worker knows that it is back
        assert stays.get().status == other.get().status == 200
    assert s.workers(ports[0]) == worker
    assert len(s.ready(ports[1], "keyholder")) == 1


def test_a_keyholder_that_hangs_is_found_out_by_a_worker_that_starts(server, ports):
    """It tries its keys before it serves, and is not to blame for the keyholder's failure."""
    s = server("restart { backoff 1ms to 1ms }\n" + hello(ports[0]) + hello(ports[1]))
    hung = s.keyholders(ports[0])[ports[0], 1]
    os.kill(hung, signal.SIGSTOP)
    os.kill(s.workers(ports[0])[ports[0], 1], signal.SIGKILL)
    s.wait_log(rf"keyholder 1 \(pid {hung}\) does not answer; killing it|PARKED")
    assert "PARKED" not in s.log(), s.log()
    s.wait_ready(ports[0], "keyholder", 2)
    s.wait_ready(ports[0], "worker", 2)
    assert get(ports[0]).body == get(ports[1]).body == HELLO
    s.wait_reaped()


def test_one_of_two_keyholders_hangs(server, ports):
    """Worker 1 asks the first, worker 2 the second."""
    s = server(EAGER + hello(ports[0], "workers 2 keyholders 2"))
    hung, healthy = (s.keyholders()[ports[0], n] for n in (1, 2))
    os.kill(hung, signal.SIGSTOP)
    problems = [failure(ports[0])]
    while not problems[-1]:  # the kernel chooses who accepts
        problems.append(failure(ports[0]))
    s.wait_log(rf"keyholder 1 \(pid {hung}\) does not answer; killing it")
    s.wait_ready(ports[0], "keyholder", 3)
    for _ in range(20):
        assert get(ports[0]).body == HELLO
    assert s.keyholders()[ports[0], 2] == healthy


# --- requests that it refuses -------------------------------------------------------


def request(data, number=7, key=0, scheme=ECDSA_SHA256, length=None, zero=0):
    return struct.pack("=QHHHH", number, key, scheme, len(data) if length is None else length,
                       zero) + data


def ask(channel, packet):
    """One request and its answer: (id, status, signature)."""
    channel.send(packet)
    end = time.monotonic() + TIMEOUT
    while True:
        try:
            answer = channel.recv(65536)
            break
        except BlockingIOError:  # the worker's own deadline
            assert time.monotonic() < end, "no answer"
    number, status, length, zero = struct.unpack("=QHHI", answer[:16])
    assert zero == 0 and length == len(answer) - 16
    return number, status, answer[16:]


def verified(certificate, scheme, signature, digest, tmp_path):
    (tmp_path / "signature").write_bytes(signature)
    (tmp_path / "digest").write_bytes(digest)
    options = {ECDSA_SHA256: [], ED25519: ["-rawin"],
               RSA_SHA256: ["-pkeyopt", "rsa_padding_mode:pkcs1", "-pkeyopt", "digest:sha256"],
               RSA_PSS_SHA256: ["-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "digest:sha256",
                                "-pkeyopt", "rsa_pss_saltlen:digest"]}[scheme]
    return subprocess.run(["openssl", "pkeyutl", "-verify", "-certin", "-inkey", certificate,
                           "-sigfile", tmp_path / "signature", "-in", tmp_path / "digest",
                           *options], capture_output=True).returncode == 0


DIGEST = hashlib.sha256(b"what a client and a server have said").digest()
MALFORMED = {
    "short": b"\1\0\0",
    "no data": request(b""),
    "a length that is not the packet's": request(DIGEST, length=33),
    "a length beyond the room": request(b"x" * 193),
    "id 0": request(DIGEST, number=0),
    "something in the gap": request(DIGEST, zero=1),
    "oversized": b"x" * 4096,
    "an empty packet": b"",
}


def test_a_malformed_request_costs_exactly_its_worker(server, ports):
    need_root()
    s = server(EAGER + hello(ports[0], "workers 2 keyholders 1") + hello(ports[1]))
    keyholder, second = s.keyholders(ports[0]), s.workers(ports[0])[ports[0], 2]
    first = s.workers(ports[0])[ports[0], 1]
    os.kill(first, signal.SIGSTOP)  # so that the second one accepts
    stays = Connection(ports[0])
    assert stays.get().status == 200
    os.kill(first, signal.SIGCONT)
    with stays, Load(ports[0], ports[1], threads=1) as load:
        for n, packet in enumerate(MALFORMED.values(), 3):
            load.goes_on(ports[0], 3)
            victim = s.workers(ports[0])[ports[0], 1]
            [channel] = key_channels_of(victim)
            with channel:
                channel.send(packet)
            s.wait_log(rf"worker 1 \(pid {victim}\) has abused its keyholder; killing it")
            s.wait_log(rf"worker 1 \(pid {victim}\) was killed because it has abused its keyholder")
            s.wait_ready(ports[0], "worker", n)
            assert stays.get().status == 200
        load.goes_on(ports[0])
        load.goes_on(ports[1])
    assert load.failed[ports[1]] == []
    # Those that were in flight inside the killed worker are cut, nobody is refused.
    assert not [e for e in load.failed[ports[0]] if isinstance(e, ConnectionRefusedError)]
    assert len(load.failed[ports[0]]) <= len(MALFORMED), load.failed
    assert len(re.findall("worker 1 violated the key protocol; its channel is closed",
                          s.log())) == len(MALFORMED)
    assert s.keyholders(ports[0]) == keyholder
    assert s.workers(ports[0])[ports[0], 2] == second
    assert s.ready(ports[1], "worker") == list(s.workers(ports[1]).values())


def test_a_worker_that_shuts_its_channel_is_replaced(server, ports):
    need_root()
    s = server(EAGER + hello(ports[0]))
    victim = s.workers()[ports[0], 1]
    [channel] = key_channels_of(victim)
    with channel:
        channel.shutdown(socket.SHUT_WR)
    s.wait_log(rf"worker 1 \(pid {victim}\) has abused its keyholder; killing it")
    s.wait_ready(ports[0], "worker", 2)
    assert get(ports[0]).body == HELLO


def test_what_is_refused_is_answered_and_told_now_and_then(server, ports, certificates, tmp_path):
    need_root()
    s = server(EAGER + certificates.tls("ecdsa", "rsa", "ed25519") + hello(ports[0]))
    [channel] = key_channels_of(s.workers()[ports[0], 1])
    info = bytes.fromhex("3031300d060960864801650304020105000420") + DIGEST
    bad = [request(DIGEST, scheme=RSA_PSS_SHA256),  # an ECDSA key
           request(DIGEST, scheme=0),
           request(DIGEST, key=3), request(DIGEST, key=0xffff),
           request(DIGEST[:31]), request(DIGEST + b"x"), request(DIGEST, scheme=ECDSA_SHA384),
           request(DIGEST, key=1),  # ECDSA with the RSA key
           request(DIGEST, key=1, scheme=RSA_SHA256),  # without its DigestInfo
           request(info[1:], key=1, scheme=RSA_SHA256),
           request(b"\x31" + info[1:], key=1, scheme=RSA_SHA256),
           request(b"x" * 192, key=1, scheme=RSA_PSS_SHA256),
           request(b"transfer all the money", key=2, scheme=ED25519),
           request(VERIFY + DIGEST + b"x", key=2, scheme=ED25519),
           request(VERIFY.replace(b"server", b"client") + DIGEST, key=2, scheme=ED25519)]
    good = [(0, ECDSA_SHA256, DIGEST, DIGEST), (1, RSA_PSS_SHA256, DIGEST, DIGEST),
            (1, RSA_SHA256, info, DIGEST), (2, ED25519, VERIFY + DIGEST, VERIFY + DIGEST)]
    began = time.monotonic()
    with channel:
        for n, packet in enumerate(bad):
            packet = struct.pack("=Q", 1000 + n) + packet[8:]
            assert ask(channel, packet) == (1000 + n, REFUSED, b""), packet
        for n, (key, scheme, data, digest) in enumerate(good):
            number, status, signature = ask(channel, request(data, 1 << 40 | n, key, scheme))
            assert (number, status) == (1 << 40 | n, SIGNED)
            certificate = certificates(("ecdsa", "rsa", "ed25519")[key])[0]
            assert verified(certificate, scheme, signature, digest, tmp_path), hex(scheme)
    told = re.findall(r"refused worker 1 (\d+) signatures?: (.*)", s.log())
    assert told[0] == ("1", "the key is not for that scheme")
    assert len(told) <= 1 + (time.monotonic() - began) / 10, told
    assert get(ports[0]).body == HELLO
    assert len(s.ready(ports[0], "worker")) == len(s.ready(ports[0], "keyholder")) == 1
    assert s.stop() == 0
    assert re.search(r"keyholder 1 .* drained after \S+ and \d+ signatures, \d+ refused", s.log())


def test_a_keyholder_signs_for_its_own_port_only(server, ports, certificates, tmp_path):
    """No index reaches another port's key, which is in another process."""
    need_root()
    own, other = certificates("ecdsa"), certificates("other")
    s = server("".join(f'port {port} {{ tls {{ certificate "{c}" key "{k}" }} respond 200 }}\n'
                       for port, (c, k) in zip(ports, (own, other))))
    [channel] = key_channels_of(s.workers()[ports[0], 1])
    with channel:
        _, status, signature = ask(channel, request(DIGEST))
        assert status == SIGNED
        assert verified(own[0], ECDSA_SHA256, signature, DIGEST, tmp_path)
        assert not verified(other[0], ECDSA_SHA256, signature, DIGEST, tmp_path)
        assert ask(channel, request(DIGEST, key=1))[1] == REFUSED


# --- too often ---------------------------------------------------------------------------------


def test_the_limit_of_signatures_spares_resumption_and_passes(server, ports):
    s = server(hello(ports[0], "limits { signatures 2 }") + hello(ports[1]))
    context = client_context()
    with Connection(ports[0], context=context) as c:
        assert c.get().status == 200
        session = c.socket.session
    problems = [failure(ports[0]) for _ in range(30)]
    assert any(problems), "thirty within a time for which two a second are enough"
    s.wait_log(rf"\[PORT {ports[0]}\] refused worker 1 \d+ signatures?: "
               "more than its limit in a second")
    s.wait_log(rf"\[PORT {ports[0]}\] TLS handshake .* failed: the keyholder has refused to sign")
    while not failure(ports[0]):  # the bucket is empty …
        pass
    with Connection(ports[0], context=context, session=session) as c:  # … and this needs nothing
        assert c.get().status == 200 and c.socket.session_reused
    for _ in range(10):
        assert get(ports[1]).body == HELLO
    wait_for(lambda: not failure(ports[0]), "a handshake")


def test_a_limit_below_the_number_of_keys_serves(server, ports, certificates):
    """A worker tries each key before it serves."""
    s = server(certificates.tls("ecdsa", "rsa", "p384", "ed25519") +
               hello(ports[0], "limits { signatures 1 }"))
    wait_for(lambda: not failure(ports[0]), "a handshake")
    assert "PARKED" not in s.log()


# --- bad keys ----------------------------------------------------------------------------------


@pytest.fixture
def bad_key(certificates, tmp_path):
    """A function that makes a key file of that kind."""

    def make(kind):
        path = tmp_path / "bad.key"
        if kind == "not PEM":
            path.write_text("no key at all\n")
        elif kind == "empty":
            path.write_text("")
        elif kind == "encrypted":
            subprocess.run(["openssl", "pkcs8", "-topk8", "-in", certificates()[1], "-out", path,
                            "-passout", "pass:secret"], check=True)
        elif kind == "another certificate's":
            shutil.copy(certificates("other")[1], path)
        elif kind == "another kind's":
            shutil.copy(certificates("rsa")[1], path)
        elif kind == "a certificate":
            shutil.copy(certificates()[0], path)
        elif kind == "a directory":
            path.mkdir()
        elif kind == "a fifo":
            os.mkfifo(path)
        elif kind == "endless":
            path.symlink_to("/dev/zero")
        return path

    return make


@pytest.mark.parametrize("kind", ["missing", "not PEM", "empty", "encrypted", "a certificate",
                                  "another certificate's", "another kind's", "a directory",
                                  "a fifo", "endless"])
def test_a_bad_key_parks_its_port_until_a_restart(server, ports, certificates, bad_key, kind):
    certificate, key = certificates()
    path = bad_key(kind)
    text = f'port {ports[0]} {{ tls {{ certificate "{certificate}" key "{path}" }} respond 200 }}\n'
    s = server(certificates.tls() + text + hello(ports[1]))
    match = s.wait_log(rf"\[PORT {ports[0]}\] PARKED .*")[0]
    told = [line for line in s.log().splitlines()
            if f"[PORT {ports[0]}]" in line and f'"{path}"' in line]
    assert told, s.log()
    assert "Traceback" not in match[0] and s.log().count("PARKED") == 1
    assert get(ports[1]).body == HELLO
    assert refused(ports[0])
    wait_for(lambda: not s.keyholders(ports[0]) and not s.workers(ports[0]), "the port's end")
    if path.is_dir():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
    shutil.copy(key, path)
    assert get(ports[1]).body == HELLO
    assert refused(ports[0])
    assert s.stop() == 0
    s = server(certificates.tls() + text + hello(ports[1]))
    assert get(ports[0]).status == get(ports[1]).status == 200


# --- the end -----------------------------------------------------------------------------------


def test_a_keyholder_ignores_what_ends_others(server, ports):
    s = server(hello(ports[0]))
    keyholder = s.keyholders()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        os.kill(keyholder[ports[0], 1], number)
    for _ in range(3):
        assert get(ports[0]).body == HELLO
    assert s.keyholders() == keyholder
    assert s.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_whole_group_drains_without_a_kill(server, ports, number):
    s = server(hello(ports[0], "workers 2") + hello(ports[1]))
    children = [*s.workers().values(), *s.keyholders().values()]
    with Connection(ports[0]) as c:
        assert c.get().status == 200
        os.killpg(s.pid, number)
        assert s.process.wait(TIMEOUT) == 0
    assert "3 workers drained, 0 killed, 0 connections cut" in s.log()
    assert len(re.findall(r"keyholder \d \(pid \d+\) drained after", s.log())) == \
        len(children) - 3
    assert not [pid for pid in children if os.path.exists(f"/proc/{pid}")]


def test_a_stop_under_load_cuts_nothing(server, ports):
    s = server(f"access log errors\nport {ports[0]} {{ workers 2 echo }}\n")
    waiting = [Connection(ports[0]) for _ in range(8)]
    for c in waiting:
        c.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234")
    with Load(ports[0]) as load:
        load.goes_on(ports[0])
        s.kill()
        s.wait_log("SIGTERM: stopping")
        load.stop.set()
    for c in waiting:
        with c:
            c.send(b"56789")
            assert c.response().body == b"0123456789"
            assert c.closed()
    assert s.process.wait(TIMEOUT) == 0
    assert "2 workers drained, 0 killed, 0 connections cut" in s.log()


def test_a_handshake_in_flight_gets_its_signature_during_the_drain(server, ports):
    """The keyholder is held up until the drain has begun."""
    need_root()
    for _ in range(5):
        s = server(hello(ports[0]))
        keyholder = s.keyholders()[ports[0], 1]
        [channel] = key_channels_of(keyholder)
        os.kill(keyholder, signal.SIGSTOP)
        answers = []
        client = threading.Thread(target=lambda: answers.append(get(ports[0])))
        with channel, contextlib.suppress(ssl.SSLError):
            client.start()
            assert select.select([channel], [], [], TIMEOUT)[0], "no request for a signature"
            s.kill()
            s.wait_log("SIGTERM: stopping")
            os.kill(keyholder, signal.SIGCONT)
            client.join()
        assert s.process.wait(TIMEOUT) == 0
        if SILENT in s.log():
            continue  # two seconds were too short for these few lines: repeat
        assert answers and answers[0].body == HELLO, s.log()
        assert "1 worker drained, 0 killed, 0 connections cut" in s.log()
        return
    pytest.skip("this machine is too slow for it")


def test_a_keyholder_that_hangs_does_not_hold_up_the_end(server, ports):
    s = server(f"drain 1h\n{hello(ports[0])}")
    os.kill(s.keyholders()[ports[0], 1], signal.SIGSTOP)
    status = s.stop()
    assert "does not answer; killing it" in s.log()
    assert status == 1, s.log()
    assert "1 worker drained, 1 killed, 0 connections cut" in s.log()


# --- every kind of key -------------------------------------------------------------------------

KINDS = {"ecdsa": "ECDSA+SHA256", "p384": "ECDSA+SHA384", "rsa": "RSA-PSS+SHA256",
         "rsa4096": "RSA-PSS+SHA512", "ed25519": "ed25519"}


def test_pools_serve_each_client_with_the_kind_of_key_it_prefers(server, ports, certificates):
    pairs = dict(zip(ports, (("rsa", "ecdsa"), ("p384", "rsa4096"), ("ed25519", "rsa"))))
    server("".join(f'port {port} {{ workers 2 keyholders 2 {certificates.tls(*kinds)} respond 200 }}'
                   for port, kinds in pairs.items()))
    for port, kinds in pairs.items():
        for kind in kinds * 4:
            seen = s_client(port, "-ign_eof", "-tls1_3", "-sigalgs", KINDS[kind],
                            data="GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert seen.name == kind, seen
            assert "HTTP/1.1 200 OK" in seen


# --- files that change ---------------------------------------------------------------------------


@pytest.fixture
def pair(certificates, tmp_path):
    """A separate pair, with a function that replaces it by another kind."""

    class Pair:
        certificate, key = tmp_path / "pair.pem", tmp_path / "pair.key"

        def write(self, kind, rename):
            for source, target in zip(certificates(kind), (self.certificate, self.key)):
                if rename:
                    shutil.copy(source, f"{target}.new")
                    os.rename(f"{target}.new", target)
                else:
                    target.write_bytes(source.read_bytes())

        def tls(self):
            return f'tls {{ certificate "{self.certificate}" key "{self.key}" }}\n'

    return Pair()


def served(port):
    """The certificate that a new connection gets, PEM."""
    with Connection(port) as c:
        return ssl.DER_cert_to_PEM_cert(c.socket.getpeercert(True))


@pytest.mark.parametrize("rename, role, number", [
    (True, "worker", signal.SIGTERM), (False, "worker", signal.SIGTERM),
    (False, "worker", signal.SIGKILL), (False, "keyholder", signal.SIGKILL)])
def test_a_renewed_pair_comes_whole(server, ports, certificates, pair, rename, role, number):
    """No client accepts old certificates with a new key."""
    pair.write("ecdsa", rename)
    s = server(EAGER + pair.tls() + hello(ports[0], "workers 2 keyholders 2") +
               hello(ports[1], certificates.tls("other").strip()))
    old = {*s.workers(ports[0]).values(), *s.keyholders(ports[0]).values()}
    other = s.workers(ports[1])
    assert served(ports[0]) == certificates("ecdsa")[0].read_text()
    pair.write("rsa", rename)
    assert served(ports[0]) == certificates("ecdsa")[0].read_text()  # nobody has asked for it
    victims = s.workers(ports[0]) if role == "worker" else s.keyholders(ports[0])
    os.kill(victims[ports[0], 1], number)
    s.wait_log("files of the port have changed: all its processes are replaced")
    wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in old), "new processes")
    for _ in range(8):
        assert served(ports[0]) == certificates("rsa")[0].read_text(), s.log()
    assert s.workers(ports[1]) == other
    assert len(re.findall("have changed", s.log())) == 1
    assert "PARKED" not in s.log()


@pytest.mark.parametrize("role", ["worker", "keyholder"])
def test_a_crash_in_the_middle_of_a_renewal_changes_nothing(server, ports, certificates, pair, role):
    """The new certificate is there, its key is not yet."""
    pair.write("ecdsa", True)
    s = server(EAGER + pair.tls() + hello(ports[0], "workers 2"))
    shutil.copy(certificates("rsa")[0], f"{pair.certificate}.new")
    os.rename(f"{pair.certificate}.new", pair.certificate)
    victims = s.workers() if role == "worker" else s.keyholders()
    os.kill(victims[ports[0], 1], signal.SIGKILL)
    s.wait_log(rf"{role} 1 .* is ready", count=2)
    for _ in range(8):
        assert served(ports[0]) == certificates("ecdsa")[0].read_text(), s.log()
    assert "have changed" not in s.log() and "PARKED" not in s.log()


def test_a_worker_that_starts_during_a_renewal_parks_nothing(server, ports, certificates, pair):
    """It has the old certificate, and the keyholder that answers it has the new key."""
    pair.write("ecdsa", True)
    s = server(EAGER + "drain 1s\n" + pair.tls() + hello(ports[0], "workers 2 keyholders 1"))
    keyholder, workers = s.keyholders()[ports[0], 1], s.workers()
    os.kill(keyholder, signal.SIGSTOP)
    os.kill(workers[ports[0], 1], signal.SIGKILL)  # the next one waits for its signature
    wait_for(lambda: s.workers().get((ports[0], 1), workers[ports[0], 1]) !=
             workers[ports[0], 1], "a worker that starts")
    pair.write("other", True)
    os.kill(workers[ports[0], 2], signal.SIGTERM)
    s.wait_log("have changed")
    os.kill(keyholder, signal.SIGKILL)
    wait_for(lambda: not failure(ports[0]) and
             served(ports[0]) == certificates("other")[0].read_text(), "the new pair")
    assert "PARKED" not in s.log()


def test_files_that_are_gone_are_no_change(server, ports, pair):
    pair.write("ecdsa", False)
    s = server(EAGER + pair.tls() + hello(ports[0]))
    pair.certificate.unlink()
    pair.key.unlink()
    os.kill(s.keyholders()[ports[0], 1], signal.SIGKILL)
    s.wait_ready(ports[0], "keyholder", 2)
    os.kill(s.workers()[ports[0], 1], signal.SIGKILL)
    s.wait_ready(ports[0], "worker", 2)
    assert get(ports[0]).body == HELLO


# --- certificate and key in one ------------------------------------------------------------------


def test_a_key_in_a_certificates_file_is_refused(server, ports, certificates, pair, run, tmp_path):
    """It would go to the workers."""
    certificate, key = certificates("ecdsa")
    pair.certificate.write_bytes(key.read_bytes() + certificate.read_bytes())
    both = tmp_path / "both.pem"
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    s = server(certificates.tls() + hello(ports[0]) +
               hello(ports[1], f'tls {{ certificate "{both}" key "{both}" }}') +
               hello(ports[2], f'tls {{ certificate "{pair.certificate}" key "{key}" }}'))
    s.wait_log(rf"\[PORT {ports[1]}\] PARKED .*both.pem\" is certificate and key in one: ")
    s.wait_log(rf"\[PORT {ports[2]}\] worker 1 .* ended with status 78 .*has a private key in it")
    assert get(ports[0]).body == HELLO
    result = run("-t", "-f", s.config)
    assert result.returncode == 1
    assert len(re.findall("has a private key in it", result.stderr)) == 2
