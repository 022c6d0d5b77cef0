"""The tests' own helpers beside other people's sockets and processes, whose names have any bytes."""
import os
import pathlib
import re
import socket
import subprocess
import sys

import pytest

from harness import descriptors_of, socket_kinds, unix_sockets

pytestmark = pytest.mark.any_build

NAMES = [b"caf\xc3\xa9.sock", b"latin-\xfc.sock", b"a b\tc", b"two\nlines", b"\xe2\x80\xa8\xc2\x85\x1c",
         b"\n0000: FF FF FF 0001 03 99 x"]
TITLED = """
import ctypes, sys
ctypes.CDLL(None).prctl(15, b") \\xff\\xfc\\n ) R", 0, 0, 0)
print("titled", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def neighbours(tmp_path):
    """Sockets of every kind below these names, and a process with such a title."""
    sockets = []
    for i, name in enumerate(NAMES):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            s = socket.socket(socket.AF_UNIX, kind)
            s.bind(os.fsencode(tmp_path) + b"/%d" % kind + name)
            abstract = socket.socket(socket.AF_UNIX, kind)
            abstract.bind(b"\0%d-%d-%d" % (os.getpid(), i, kind) + name)
            sockets += [s, abstract]
    process = subprocess.Popen([b"python3", b"-c", TITLED.encode(), b"bulkhead: port \xff\xfc"],
                               executable=sys.executable, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"titled\n"
    yield sockets
    process.communicate()
    for s in sockets:
        s.close()


def test_their_sockets_are_listed(neighbours):
    listed = {inode for _, inode, _ in unix_sockets(os.getpid())}
    assert {str(os.fstat(s.fileno()).st_ino) for s in neighbours} <= listed


def test_their_kinds_are_known(neighbours):
    kinds = socket_kinds(os.getpid())
    for s in neighbours:
        assert kinds[str(os.fstat(s.fileno()).st_ino)] == \
            {socket.SOCK_STREAM: "stream", socket.SOCK_DGRAM: "datagram"}[s.type]


def test_a_server_s_processes_are_found_among_them(server, ports):
    s = server(f'port {ports[0]} {{ workers 2 respond 200 }}')
    assert len(s.workers()) == 2 and len(s.keyholders()) == 2
    s.wait_reaped()
    for pid in s.workers().values():
        assert "socket:listener" in descriptors_of(pid).values()


def test_no_helper_reads_them_strictly():
    """Whoever reads a file of /proc as text says what becomes of bytes that are not UTF-8."""
    tests = pathlib.Path(__file__).resolve().parents[1]
    wrong = []
    strictly = (".read_text()", "decode()", 'encoding="')
    for path in [*tests.glob("*/*.py"), *tests.parent.glob("scripts/isolation/*.py")]:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if re.search('["/]/?proc/', line) and any(form in line for form in strictly):
                wrong.append(f"{path.name}:{number}: {line.strip()}")
    assert not wrong, "\n".join(wrong)
