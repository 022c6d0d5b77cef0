"""System calls that fail where they seldom do, injected by strace into a serving worker."""
import pathlib
import shutil
import subprocess

import pytest

from harness import HELLO, get, wait_for

THREADED = True

FAULTS = [
    ("accept4", "error=EINTR:when=1+2"),
    ("accept4", "error=ECONNABORTED:when=1+2"),
    # Tried again ten times a second: far from the three seconds after which a worker that has no
    # connections gives up, even where all is slow.
    ("accept4", "error=EMFILE:when=1..5"),
    ("write", "error=EAGAIN:when=1+2"),
    ("write", "error=EINTR:when=1+2"),
    ("recvfrom", "error=EAGAIN:when=1+2"),
    ("recvfrom", "error=EINTR:when=1+2"),
    ("epoll_wait", "error=EINTR:when=1+2"),
]


@pytest.mark.parametrize("call, fault", FAULTS)
def test_requests_go_on(server, ports, tmp_path, call, fault):
    """Each of these errors means "try again", so not one request may fail."""
    if shutil.which("strace") is None:
        pytest.skip("no strace")
    s = server(f'port {ports[0]} {{ respond 200 "Hello, world!\\n" }}')
    worker = s.workers()[ports[0], 1]
    trace = tmp_path / "trace"
    with open(tmp_path / "strace.err", "w") as err:
        strace = subprocess.Popen(["strace", "-f", "-p", str(worker), "-e", f"trace={call}", "-e",
                                   f"inject={call}:{fault}", "-o", trace], stderr=err)
    try:
        status = pathlib.Path(f"/proc/{worker}/status")
        wait_for(lambda: f"TracerPid:\t{strace.pid}" in status.read_text()
                 or strace.poll() is not None, "tracing")
        if strace.poll() is not None:
            pytest.skip("strace may not trace here")
        for _ in range(8):
            assert get(ports[0]).body == HELLO
        # Now, not later: a call that strace has replaced when it detaches fails with ENOSYS.
        assert s.workers()[ports[0], 1] == worker
    finally:
        strace.terminate()
        strace.wait()
    assert "INJECTED" in trace.read_text()
