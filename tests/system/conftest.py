"""Fixtures of the system tests: the real binary, real sockets, certificates made for the run.

BULKHEAD_BINARY names the binary (default: build/bulkhead). Every server runs on loopback, on
ports that were free a moment ago. Tests wait for readiness by the log and never sleep. The log
of a server is shown when its test fails.
"""
import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

import gateways
from harness import BINARY, Certificates, Connection, Server, free_ports


def pytest_configure(config):
    config.addinivalue_line("markers", "any_build: shows the same whatever the build, so that "
                            "scripts/check runs it with one of them")
    config.addinivalue_line("markers", "plain_too: a test that runs over plain ports, too")
    config.addinivalue_line("markers", "plain_again: such a test over plain ports; scripts/check runs "
                            "these with gcc alone")
    config.addinivalue_line("markers", "tls_only: in a file that runs over plain ports, too, a test "
                            "that makes no sense there")
    if not BINARY.exists():
        raise pytest.UsageError(f"{BINARY} is missing: make it, or set BULKHEAD_BINARY")
    # Ends the processes that were started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if is_root():
        take_run_folder()


def take_run_folder():
    """/run/bulkhead belongs to this run alone where mount namespaces allow it: servers of a
    parallel run would want the same control socket."""
    new_mounts, private, nothing = 0x00020000, 1 << 18 | 1 << 14, None
    libc = ctypes.CDLL(None)
    if libc.unshare(new_mounts) == 0 and libc.mount(b"none", b"/", nothing, private, nothing) == 0:
        os.makedirs("/run/bulkhead", exist_ok=True)
        libc.mount(b"tmpfs", b"/run/bulkhead", b"tmpfs", 0, b"mode=755")


def pytest_runtest_setup():
    end = os.environ.get("BULKHEAD_TESTS_END")
    if end and time.time() > int(end):
        pytest.skip("left out, as the time of scripts/check --quick was over")


def pytest_generate_tests(metafunc):
    """A file with PLAIN_TOO = True runs twice, and so does a test with the mark plain_too: over ports
    with TLS, and over plain ones."""
    marked = metafunc.definition.get_closest_marker
    if marked("plain_too") or getattr(metafunc.module, "PLAIN_TOO", False) and not marked("tls_only"):
        plain = pytest.param("plain", marks=pytest.mark.plain_again)
        metafunc.parametrize("over", ["tls", plain], indirect=True)


@pytest.fixture(autouse=True)
def over(request, monkeypatch):
    """"tls" or "plain": what the ports of the test speak, and its Connections with them."""
    over = getattr(request, "param", "tls")
    monkeypatch.setattr(Connection, "plain", over == "plain")
    return over


@pytest.fixture(autouse=True)
def threads(request, monkeypatch):
    """In a file with THREADED = True, workers have as many threads as BULKHEAD_THREADS says: with one
    thread there is no race for a sanitizer to find."""
    if getattr(request.module, "THREADED", False):
        monkeypatch.setattr(Server, "threads", os.environ.get("BULKHEAD_THREADS"))


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """Certificates by name, made on first use; see harness.Certificates."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def open_folder():
    """A folder that workers may enter, who are other users; tmp_path is closed to them."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bulkhead-open-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def ports():
    """Three free ports, in ascending order."""
    return free_ports(3)


@pytest.fixture
def server(request, tmp_path, certificates):
    """A function that starts a server from the text of a configuration: server("port …") -> Server.

    `tls` lines are added unless the text has some; `args`, `env`, `wait` as in harness.Server. Its
    folder is below the test's folder, which is closed to other users, unless `within` names
    another.
    Everything is stopped, and checked for leftovers, at the end of the test.
    """
    started = []

    def start(text=None, within=tmp_path, **options):
        s = Server(within / f"server{len(started)}", certificates, text, **options)
        started.append(s)
        s.start()
        return s

    yield start
    failed = getattr(request.node, "failed", False)
    for s in started:
        s.cleanup()
        if failed:
            print(f"--- log of {s.folder.name} ---\n{s.log()}")
    leftovers = [s.sanitizer_findings() for s in started if s.sanitizer_findings()]
    assert not leftovers, "\n".join(leftovers)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if outcome.get_result().failed:
        item.failed = True


@pytest.fixture(scope="module")
def gateway_runs(request, tmp_path_factory, certificates):
    """Of a module with CASES: the function that judges one of them. All of them have been played against
    one gateway by then, many at a time; see gateway.py."""
    return gateways.played(request, tmp_path_factory.mktemp("gateway"), certificates)


@pytest.fixture
def run():
    """Runs the binary to its end: run("-t", "-f", path) -> CompletedProcess with text output."""

    def run_binary(*args, **options):
        options.setdefault("timeout", 30)
        return subprocess.run([str(BINARY), *map(str, args)], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, **options)

    return run_binary


@pytest.fixture
def conf_file(tmp_path):
    """Writes a file beside the others of the test: conf_file("name", text) -> path."""

    def write(name, text):
        path = pathlib.Path(tmp_path) / name
        mode = "wb" if isinstance(text, bytes) else "w"
        with open(path, mode) as f:
            f.write(text)
        return path

    return write


def is_root():
    return os.geteuid() == 0
