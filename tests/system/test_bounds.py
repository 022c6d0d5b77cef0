"""A configuration at the upper bound of every limit that `-t` accepts also starts and serves."""
import contextlib
import os
import socket
import sys

import pytest

from harness import get, sanitized

MEGA = 1 << 20
PASS = """
import os, sys
first, names = int(sys.argv[1]), sys.argv[2]
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(names.count(":") + 1),
                  LISTEN_FDNAMES=names)
for i in range(names.count(":") + 1):
    os.dup2(first + i, 3 + i)
os.execv(sys.argv[3], sys.argv[3:])
"""


def with_threads(run, conf_file, certificates):
    r = run("-t", "-f", conf_file("threads.conf", certificates.tls() +
                                  "port 1 { threads 2 echo }\n"))
    return r.returncode == 0


def is_taken_and_served(run, server, text, port, **options):
    s = server(text, **options)
    r = run("-t", "-f", s.config)
    assert r.returncode == 0, r.stderr
    assert "port is served" in s.log(), s.log()[-3000:]
    assert "PARKED" not in s.log()
    return s


def test_limits_of_a_port(run, server, ports, certificates, conf_file, tmp_path):
    """Everything that one port can have at once except workers and keyholders: 64 addresses, 16
    pairs, the longest texts, and 64 loops where threads are built in."""
    certificate, key = certificates()
    threads = "threads 64" if with_threads(run, conf_file, certificates) and not sanitized() else ""
    long = "/" + "p" * 4095
    headers = "".join(f' header "X-{i:02d}" "{"v" * 246}"' for i in range(64))
    text = ("tls {\n" + f'certificate "{certificate}" key "{key}"\n' * 16 + "}\n"
            "log to console\n"
            f'port {ports[0]} {{\n' +
            "".join(f"listen on 127.0.0.{i}\n" for i in range(1, 65)) + f"{threads}\n"
            "restart { backoff 1ms to 1h; park after 64 in 1h }\n"
            "limits { connections 1000000; requests 1000000000; head 64K; body 1024G; idle 24h;\n"
            "head-timeout 24h; handshake-timeout 24h; body-timeout 24h; write-timeout 24h;\n"
            "memory 1024G; core 1024G; signatures 1000000 }\n"
            f'location "{long}" {{ respond 200 "long"{headers} }}\n'
            'location "/" { respond 200 "served" } }\n')
    is_taken_and_served(run, server, text, ports[0])
    for host in ("127.0.0.1", "127.0.0.33", "127.0.0.64"):
        assert get(ports[0], host=host).body == b"served"
    r = get(ports[0], long)
    assert r.status == 200 and r.body == b"long" and r["X-63"] == "v" * 246


@contextlib.contextmanager
def listeners(count, port, first=65):
    """This many sockets on different addresses, in consecutive descriptors."""
    with contextlib.ExitStack() as stack:
        made = []
        for i in range(count):
            s = stack.enter_context(socket.socket())
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((f"127.0.0.{first + i}", port))
            s.listen()
            fd = 300 + i
            os.dup2(s.fileno(), fd)
            stack.callback(os.close, fd)
            made.append(fd)
        yield made


def test_addresses_and_sockets_together(run, server, ports, certificates):
    """64 sockets of the server and 64 of the service manager."""
    certificate, key = certificates()
    names = [f"s{i:02d}" for i in range(64)]
    text = ("tls {\n" + f'certificate "{certificate}" key "{key}"\n' * 16 + "}\n"
            f'port {ports[0]} {{\n' +
            "".join(f"listen on 127.0.0.{i}\n" for i in range(1, 65)) +
            "".join(f'listen on socket "{name}"\n' for name in names) + "echo }\n")
    with listeners(64, ports[0]) as fds:
        wrapper = (sys.executable, "-c", PASS, fds[0], ":".join(names))
        s = is_taken_and_served(run, server, text, ports[0], wrapper=wrapper, pass_fds=fds)
        for host in ("127.0.0.1", "127.0.0.64", "127.0.0.65", "127.0.0.128"):
            assert get(ports[0], host=host).status == 200
        worker = s.workers()[ports[0], 1]
        os.kill(worker, 9)  # the next one is handed as much
        s.wait_ready(ports[0], "worker", 2)
        assert get(ports[0], host="127.0.0.128").status == 200
        assert s.stop() == 0


@pytest.mark.skipif(bool(sanitized()), reason="128 processes with a sanitizer are too large")
def test_processes_of_a_port(run, server, ports):
    text = f"port {ports[0]} {{ workers 64 keyholders 64 limits {{ memory 64M }} echo }}\n"
    s = is_taken_and_served(run, server, text, ports[0])
    assert len(s.workers()) == len(s.keyholders()) == 64
    assert get(ports[0]).status == 200


def included(folder, megabytes, byte):
    """This many files of about a megabyte, each a location with one body."""
    folder.mkdir()
    for i in range(megabytes):
        body = byte * (MEGA - 300)
        (folder / f"{i}.conf").write_bytes(b'location "/%d" { respond 200 "%s" }\n' % (i, body))
    return "".join(f'include "{folder}/{i}.conf"\n' for i in range(megabytes))


@pytest.mark.parametrize("megabytes, byte", [
    (18, b"x"),
    pytest.param(63, b"\x80", marks=pytest.mark.skipif(bool(sanitized()), reason="too slow")),
])
def test_included_files_of_one_port(run, server, ports, tmp_path, megabytes, byte):
    """A child reads its port's part as canonical text, which has four bytes for some."""
    text = f"port {ports[0]} {{\n{included(tmp_path / 'parts', megabytes, byte)}echo }}\n"
    is_taken_and_served(run, server, text, ports[0])
    for i in (0, megabytes - 1):
        assert get(ports[0], f"/{i}").body == byte * (MEGA - 300)


def test_memory_that_the_configuration_alone_fills(run, conf_file, certificates, tmp_path):
    parts = included(tmp_path / "parts", 40, b"x")
    text = certificates.tls() + f"port 8443 {{\nlimits {{ memory 64M }}\n{parts}echo }}\n"
    r = run("-t", "-f", conf_file("memory.conf", text))
    assert r.returncode == 1
    assert "memory.conf:2:1: error: memory 64M is too little for what this port serves; it needs " \
        in r.stderr, r.stderr


def test_more_than_any_of_them(run, conf_file, certificates):
    certificate, key = certificates()
    for more, says in (
            ("".join(f"listen on 127.0.1.{i}\n" for i in range(1, 66)), "at most 64 addresses"),
            ("".join(f'listen on socket "{i}"\n' for i in range(65)), "at most 64 sockets by name"),
            ("tls {\n" + f'certificate "{certificate}" key "{key}"\n' * 4097 + "}\n",
             "at most 4096 certificates"),
            ("workers 65", "1 to 64"), ("keyholders 65 workers 64", "1 to 64"),
            ("limits { head 65537 }", "64K"), ("restart { park after 65 in 1s }", "1 to 64")):
        r = run("-t", "-f", conf_file("more.conf", certificates.tls() +
                                      f"port 8443 {{ {more}\necho }}\n"))
        assert r.returncode == 1 and says in r.stderr, (more[:40], r.stderr)
    assert run("-t", "-w", "65", "-p", "8443").returncode == 2
