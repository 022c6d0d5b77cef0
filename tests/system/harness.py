"""Tools with which the system tests drive the server."""
import atexit
import contextlib
import ctypes
import functools
import os
import pathlib
import random
import re
import select
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]


def others_can_execute(path):
    """By their modes: a program that every user may execute, in folders that all may enter."""
    return os.stat(path).st_mode & 0o005 == 0o005 and all(
        os.stat(folder).st_mode & 0o001 for folder in path.parents)


def in_reach(path):
    """That program or, where root's checkout is closed to other users, a copy that is not. Tests as
    another user need one; what stands beside it in the build comes along."""
    if os.geteuid() != 0 or not path.exists() or others_can_execute(path):
        return path
    for place in ("/tmp", "/var/tmp", "/dev/shm"):
        with contextlib.suppress(OSError):
            folder = pathlib.Path(tempfile.mkdtemp(prefix="bulkhead-build-", dir=place))
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            folder.chmod(0o755)
            for name in (path.name, "bulkheadctl", "next/bulkhead", "many/bulkhead", "storm/load", "storm/slow",
                         "storm/clock.so", "storm/scarce.so"):
                if (path.parent / name).exists():
                    (folder / name).parent.mkdir(exist_ok=True)
                    shutil.copy(path.parent / name, folder / name)
                    (folder / name).chmod(0o755)
            if subprocess.run([folder / path.name, "-V"], capture_output=True).returncode == 0:
                return folder / path.name
    return path


BINARY = in_reach(pathlib.Path(
    os.environ.get("BULKHEAD_BINARY", TOP / "build" / "bulkhead")).resolve())
HELLO = b"Hello, world!\n"
# Generous: sanitizers, two cores, other tests beside. An emulated machine needs more.
TIMEOUT = int(os.environ.get("BULKHEAD_PATIENCE", "30"))


@functools.cache
def own_range():
    """A range of ports that no parallel run of the tests uses; the claim ends with the process."""
    for first in range(10000, 32000, 2000):
        claim = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(OSError):
            claim.bind(f"\0bulkhead-tests-from-{first}")
            return range(first, first + 2000), claim
    raise RuntimeError("too many runs of tests at once")


def free_ports(count):
    """Ports on which nothing listens, at any address; below the kernel's range for clients."""
    found = set()
    while len(found) < count:
        port = random.choice(own_range()[0])
        with socket.socket(socket.AF_INET6) as s, contextlib.suppress(OSError):
            s.bind(("::", port))
            found.add(port)
    return sorted(found)


def has_ended(pid):
    """Is it gone, or a zombie? It may go between any two looks."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rsplit(")", 1)[1].split()[0] == "Z"


def wait_for(condition, what, timeout=TIMEOUT):
    """Polls until condition() is true; returns its value."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"{what} did not happen within {timeout} s"
        time.sleep(0.01)


class Certificates:
    """PEM pairs by kind: ecdsa, rsa, ed25519, expired, other; each (certificate, key)."""

    KINDS = {
        "ecdsa": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
        "other": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
        "expired": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
        "p384": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
        "rsa": ["-newkey", "rsa:2048"],
        "rsa4096": ["-newkey", "rsa:4096"],
        "ed25519": ["-newkey", "ed25519"],
    }

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, kind="ecdsa"):
        certificate, key = self.folder / f"{kind}.pem", self.folder / f"{kind}.key"
        if not certificate.exists():
            argv = ["openssl", "req", "-x509", *self.KINDS[kind], "-nodes", "-keyout", key, "-out",
                    certificate, "-days", "30", "-subj", f"/CN={kind}", "-addext",
                    "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1"]
            subprocess.run([str(a) for a in argv], check=True, capture_output=True)
            if kind == "expired":  # openssl refuses to make one
                self._expire(certificate, key)
        return certificate, key

    def _expire(self, certificate, key):
        template = self.folder / "expired.template"
        template.write_text('cn = "expired"\ndns_name = "localhost"\ntls_www_server\n'
                            'activation_date = "2020-01-01 00:00:00"\n'
                            'expiration_date = "2020-02-01 00:00:00"\n')
        subprocess.run(["certtool", "--generate-self-signed", "--load-privkey", str(key),
                        "--template", str(template), "--outfile", str(certificate)], check=True,
                       capture_output=True)

    def tls(self, *kinds):
        pairs = (self(kind) for kind in kinds or ("ecdsa",))
        return "tls { " + " ".join(f'certificate "{c}" key "{k}"' for c, k in pairs) + " }\n"


class Server:
    """One running bulkhead, with its folder, its configuration and its log.

    text None runs without -f. wait: "served" (until every port is decided upon), or None.
    """

    threads = None  # so many in each worker, unless the text says how many

    def __init__(self, folder, certificates, text, args=(), env=None, wait="served", tls=True,
                 cwd=None, wrapper=(), pass_fds=(), program=None):
        folder.mkdir()
        self.folder, self.wait = folder, wait
        self.log_path = folder / "log"
        self.config = folder / "bulkhead.conf"
        self.argv = [*map(str, wrapper), str(program or BINARY), *map(str, args)]
        self.env = {**os.environ, "TZ": "UTC", "HOME": str(folder), **(env or {})}
        for name in ("XDG_STATE_HOME", "STATE_DIRECTORY", "JOURNAL_STREAM"):
            if not env or name not in env:
                self.env.pop(name, None)
        self.cwd, self.pass_fds = cwd or folder, pass_fds
        self.process = None
        if text is not None:
            if tls and "certificate " not in text:
                text = ("tls off\n" if Connection.plain else certificates.tls()) + text
            if self.threads and "threads " not in text:
                text = re.sub(r"(^|\s)(port \d+ \{)", rf"\1\2 threads {self.threads}", text)
            self.config.write_text(text)
            self.argv += ["-f", str(self.config)]

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=self.env, cwd=self.cwd,
                                            start_new_session=True, pass_fds=self.pass_fds)
        if self.wait == "served":
            # Some tests' configurations take tens of seconds to read on a busy machine.
            self.wait_log(r"ports? (is|are) served|no port can be served", timeout=4 * TIMEOUT)
        return self

    # --- its log ---

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def wait_log(self, pattern, count=1, timeout=TIMEOUT):
        """Waits until the pattern is in the log this many times; returns the matches."""

        def found():
            matches = list(re.finditer(pattern, self.log()))
            return matches if len(matches) >= count else None

        try:
            return wait_for(found, f"{pattern!r} in the log", timeout)
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.log()}") from None

    def sanitizer_findings(self):
        log = self.log()
        if re.search(r"Sanitizer|runtime error:", log):
            return log
        return ""

    # --- its processes ---

    @property
    def pid(self):
        return self.process.pid

    def children(self, role, port=None):
        """{(port, number): pid} of the children of that role, by their titles."""
        found = {}
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            with contextlib.suppress(OSError, ValueError, IndexError):
                stat = pathlib.Path(f"/proc/{entry}/stat").read_text(errors="replace")
                state, parent = stat.rsplit(")", 1)[1].split()[:2]
                if int(parent) != self.pid or state == "Z":
                    continue
                title = pathlib.Path(f"/proc/{entry}/cmdline").read_bytes().decode(errors="replace")
                m = re.match(rf"bulkhead: port (\d+) {role} (\d+)", title)
                if m and port in (None, int(m[1])):
                    found[int(m[1]), int(m[2])] = int(entry)
        return found

    def workers(self, port=None):
        return self.children("worker", port)

    def keyholders(self, port=None):
        return self.children("keyholder", port)

    def ready(self, port, role):
        """The pids of that role that got ready, in this order."""
        found = re.findall(rf"\[PORT {port}\] {role} \d+ \(pid (\d+)\) is ready", self.log())
        return [int(pid) for pid in found]

    def wait_ready(self, port, role, count):
        """Waits until this many got ready; returns the last of them."""
        try:
            return wait_for(lambda: len(pids := self.ready(port, role)) >= count and pids,
                            f"{role} {count} of port {port}")[-1]
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.log()}") from None

    def zombies(self):
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                with contextlib.suppress(OSError):
                    stat = pathlib.Path(f"/proc/{entry}/stat").read_text(errors="replace")
                    state, parent = stat.rsplit(")", 1)[1].split()[:2]
                    if int(parent) == self.pid and state == "Z":
                        found.append(int(entry))
        return found

    def wait_reaped(self):
        """A child that has just ended is a zombie for a moment; none may stay one."""
        wait_for(lambda: not self.zombies(), "the reaping of all children")

    def kill(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def stop(self, number=signal.SIGTERM, timeout=TIMEOUT):
        """Stops it; returns the exit status."""
        self.kill(number)
        return self.process.wait(timeout)

    def cleanup(self):
        if self.process is not None and self.process.poll() is None:
            self.kill(signal.SIGTERM)
            try:
                self.process.wait(TIMEOUT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


# --- clients -----------------------------------------------------------------------------------


def client_context(**options):
    """A client that trusts everything; tests of trust use curl or openssl."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # without loading the system's roots
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for name, value in options.items():
        setattr(context, name, value)
    return context


def forget_ssl_errors():
    """Python 3.13 leaves the error of a system call in OpenSSL's queue for this thread, and reports
    it again for the next call that has to wait, on any connection. A wrong cipher empties the queue."""
    with contextlib.suppress(ssl.SSLError):
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).set_ciphers("no such cipher")


# The reasons of an ssl.SSLError for a record that cannot be decrypted: OpenSSL 3.0 and 3.2
UNDECIPHERABLE = ("DECRYPTION_FAILED_OR_BAD_RECORD_MAC", "RECORD_LAYER_FAILURE")


@contextlib.contextmanager
def strict(port, **options):
    """A TLS socket on which an end without close_notify is an ssl.SSLError."""
    context = client_context(**options)
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)  # Python sets it
    raw = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
    with context.wrap_socket(raw, suppress_ragged_eofs=False) as c:
        yield c


class Connection:
    """A connection that sends bytes and reads responses: over TLS, unless it is plain.

    Connection.plain is for all that do not say so; the fixture `over` sets it."""

    plain = False

    def __init__(self, port, host="127.0.0.1", context=None, timeout=TIMEOUT, server_hostname=None,
                 session=None, plain=None, source=None):
        raw = socket.create_connection((host, port), timeout=timeout,
                                       source_address=(source, 0) if source else None)
        if self.plain if plain is None else plain:
            self.socket = raw
        else:
            self.socket = (context or client_context()).wrap_socket(raw, server_hostname=server_hostname,
                                                                    session=session)
        self.local_port = raw.getsockname()[1] if raw.fileno() >= 0 else \
            self.socket.getsockname()[1]
        self.buffer = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @classmethod
    def over(cls, raw, context=None):
        """On a socket that is connected already."""
        c = cls.__new__(cls)
        c.local_port = raw.getsockname()[1]
        c.socket = raw if cls.plain else (context or client_context()).wrap_socket(raw)
        c.buffer = bytearray()
        return c

    def send(self, data):
        self.socket.sendall(data)

    def get(self, path="/", extra=""):
        self.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{extra}\r\n".encode())
        return self.response()

    def read_some(self):
        try:
            data = self.socket.recv(65536)
        except (ssl.SSLEOFError, ConnectionError):  # since Python 3.13 a BrokenPipeError, too:
            data = b""  # OpenSSL writes an alert on a connection that has ended
            forget_ssl_errors()
        self.buffer += data
        return len(data)

    def take(self, size):
        data = bytes(memoryview(self.buffer)[:size])
        del self.buffer[:size]
        return data

    def read_until(self, mark):
        while (at := self.buffer.find(mark)) < 0:
            if not self.read_some():
                raise EOFError(f"closed after {bytes(self.buffer)!r}")
        return self.take(at + len(mark))[:at]

    def read_exactly(self, size):
        while len(self.buffer) < size:
            if not self.read_some():
                raise EOFError(f"closed after {bytes(self.buffer)!r}")
        return self.take(size)

    def read_to_end(self):
        while self.read_some():
            pass
        return self.take(len(self.buffer))

    def stream(self, pieces):
        """Sends the pieces and yields the received bytes meanwhile, until the end of the
        connection or until the caller stops. In one thread,
        because OpenSSL does not allow two on one connection."""
        pieces, waiting = iter(pieces), b""
        self.socket.settimeout(0)
        while True:
            waiting = waiting or memoryview(next(pieces, b""))
            stalled = not waiting
            with contextlib.suppress(ssl.SSLWantReadError, BlockingIOError):
                try:
                    waiting = waiting[self.socket.send(waiting[:65536]):] if waiting else waiting
                except (ssl.SSLWantWriteError, ssl.SSLWantReadError, BlockingIOError):
                    stalled = True
                data = self.socket.recv(65536)
                if not data:
                    return
                yield data
                continue
            if stalled:
                ready = select.select([self.socket], [self.socket] if waiting else [], [], TIMEOUT)
                assert ready[0] or ready[1], "nothing moves"

    def closed(self):
        """Waits until the server closes; true if no data came before that."""
        return self.read_to_end() == b""

    def response(self, method="GET"):
        """The next response, its body read by its own framing."""
        return Response(self, method)

    def close(self):
        self.socket.close()


class Response:
    def __init__(self, connection, method):
        lines = connection.read_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, status, *reason = lines[0].split(" ", 2)
        self.version, self.status, self.reason = version, int(status), "".join(reason)
        self.fields = [tuple(line.split(": ", 1)) for line in lines[1:]]
        if method == "HEAD" or self.status in (204, 304) or self.status < 200:
            self.body = b""
        elif self["Transfer-Encoding"] == "chunked":
            self.body = b""
            while size := int(connection.read_until(b"\r\n"), 16):
                self.body += connection.read_exactly(size)
                assert connection.read_exactly(2) == b"\r\n"
            assert connection.read_until(b"\r\n") == b""
        elif self["Content-Length"] is not None:
            self.body = connection.read_exactly(int(self["Content-Length"]))
        else:
            self.body = connection.read_to_end()

    def __getitem__(self, name):
        """The value of the one field of that name, or None."""
        values = [v for n, v in self.fields if n.lower() == name.lower()]
        assert len(values) <= 1, f"{name} {len(values)} times"
        return values[0] if values else None


def get(port, path="/", **options):
    """One GET on a connection of its own."""
    with Connection(port, **options) as c:
        return c.get(path)


def refused(port, host="127.0.0.1"):
    try:
        socket.create_connection((host, port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def have(program):
    return shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin:/lib/systemd")


@functools.cache
def sanitized():
    """"asan", "tsan" or "": such a build is confined less, see src/sandbox."""
    program = BINARY.read_bytes()
    return "asan" if b"__asan_init" in program else "tsan" if b"__tsan_init" in program else ""


def landlock_version():
    """Of this kernel; 0 or less: it has none."""
    create_ruleset, version = 444, 1
    return ctypes.CDLL(None).syscall(create_ruleset, None, 0, version)


def need_root(*programs):
    missing = ["root"] if os.geteuid() != 0 else [p for p in programs if not have(p)]
    if missing:
        import pytest  # here, since tests/storm uses this file without it
        pytest.skip(f"needs {missing[0]}")


# --- looking into processes --------------------------------------------------------------------


@contextlib.contextmanager
def traced(pid, *options, follow=True):
    """Attaches strace(1) to a process and its children; yields the file with its output."""
    need_root("strace")
    with tempfile.TemporaryDirectory() as folder:
        output = pathlib.Path(folder) / "trace"
        tracer = subprocess.Popen(["strace", *["-f"] * follow, "-qq", "-o", output, *options,
                                   "-p", str(pid)])
        try:
            wait_for(lambda: re.search(rf"TracerPid:\s+{tracer.pid}\b",
                                       pathlib.Path(f"/proc/{pid}/status").read_text(errors="replace")), "tracing")
            yield output
        finally:
            tracer.terminate()
            tracer.wait(TIMEOUT)


def descriptor_of(pid, number):
    """A duplicate of another process's descriptor."""
    need_root()
    libc = ctypes.CDLL(None, use_errno=True)
    process = os.pidfd_open(pid)
    try:
        fd = libc.syscall(438, process, number, 0)  # pidfd_getfd
    finally:
        os.close(process)
    if fd < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return fd


def channel_of(pid):
    """A duplicate of a child's end of its channel, as an attacker in the child has it."""
    return socket.socket(fileno=descriptor_of(pid, 3))


def unix_sockets(pid):
    """(type in hex, inode, path) of all in a process's network. Anybody's path may have any bytes,
    those that end a line among them."""
    text = pathlib.Path(f"/proc/{pid}/net/unix").read_bytes().decode(errors="replace")
    return re.findall(r"^[0-9a-fA-F]+: [0-9A-F]+ [0-9A-F]+ [0-9A-F]+ ([0-9A-F]+) [0-9A-F]+ +(\d+) ?(.*)$",
                      text, re.M)


def socket_kinds(pid):
    """{inode: what} of all sockets in a process's network: "seqpacket", "datagram", "listener" …

    Looked up, since a duplicate of a connection would keep it in its owner's epoll set for good.
    """
    kinds = {}
    names = {"0001": "stream", "0002": "datagram", "0005": "seqpacket"}  # 0000: it is being closed
    net = pathlib.Path(f"/proc/{pid}/net")
    for kind, inode, _ in unix_sockets(pid):
        kinds[inode] = names.get(kind, "closed")
    for family in ("tcp", "tcp6"):
        for line in (net / family).read_text(errors="replace").splitlines()[1:]:
            words = line.split()
            kinds[words[9]] = "listener" if words[3] == "0A" else "connection"
    return kinds


def descriptors_of(pid):
    """{number: what is open there}: a path, "anon_inode:[…]", "pipe", or "socket:" and its kind."""
    found, kinds = {}, socket_kinds(pid)
    for number in sorted(map(int, os.listdir(f"/proc/{pid}/fd"))):
        with contextlib.suppress(FileNotFoundError):
            link = os.readlink(f"/proc/{pid}/fd/{number}")
            m = re.match(r"socket:\[(\d+)\]", link)
            found[number] = (f"socket:{kinds.get(m[1], '?')}" if m else
                             "pipe" if link.startswith("pipe:[") else link)
    return found


def key_channels_of(pid):
    """Duplicates of a worker's ends of its channels to the keyholder, or of a keyholder's ends.

    They share their flags with the process: no settimeout().
    """
    return [socket.socket(fileno=descriptor_of(pid, number))
            for number, what in descriptors_of(pid).items()
            if what == "socket:seqpacket" and number != 3]


def status_of(pid):
    """/proc/PID/status, as {name: text}."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines()
    return {name: value.strip() for name, value in (line.split(":", 1) for line in lines)}


def memory_holds(pid, *needles):
    """Is any of these bytes anywhere in the memory of a process?"""
    need_root()
    longest = max(map(len, needles))
    with open(f"/proc/{pid}/maps", errors="replace") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            start, end = (int(n, 16) for n in line.split()[0].split("-"))
            if "r" not in line.split()[1] or line.rstrip().endswith(("[vvar]", "[vsyscall]")):
                continue
            tail = b""
            while start < end:
                try:
                    memory.seek(start)
                    data = memory.read(min(end - start, 1 << 20))
                except (OSError, OverflowError):
                    break
                if not data:
                    break
                if any(needle in tail + data for needle in needles):
                    return True
                tail, start = data[-longest:], start + len(data)
    return False


def memory_cgroup(name, limit):
    """A memory group of that limit, of version 2 or 1 of control groups; its folder, or None."""
    root = "/sys/fs/cgroup"
    with open("/proc/self/cgroup", errors="replace") as f:
        own = re.search(r"^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$", f.read(), re.M)
    # In version 2 a group that has processes can have none below it, except the uppermost.
    for base in [root] + ([f"{root}/memory{own[1]}"] if own else []) + [f"{root}/memory"]:
        folder = pathlib.Path(base, name)
        with contextlib.suppress(OSError):
            folder.mkdir()
            for file in ("memory.max", "memory.limit_in_bytes"):
                if (folder / file).exists():
                    (folder / file).write_text(str(limit))
                    return str(folder)
            folder.rmdir()
    return None
