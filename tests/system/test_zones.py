"""Link-local addresses, each on one link of the machine: in the test's own network namespace."""
import signal
import subprocess
import sys

import pytest

from harness import TIMEOUT, need_root, wait_for

# One pair of links, with its own address at each end; then executes the command.
LINKS = ("ip link set lo up; ip link add one type veth peer name two; "
         "for l in one two; do sysctl -qw net.ipv6.conf.$l.accept_dad=0 2>/dev/null; "
         "ip link set $l up; done; "
         "ip addr add fe80::1/64 dev one nodad; ip addr add fe80::2/64 dev two nodad; "
         'exec "$@"')
CLIENT = """
import socket, ssl, sys
host, zone, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
s = socket.socket(socket.AF_INET6)
s.settimeout(30)
s.connect((host, port, 0, socket.if_nametoindex(zone)))
with context.wrap_socket(s) as t:
    t.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
    data = b""
    while piece := t.recv(65536):
        data += piece
print(data.split()[1].decode())
"""


@pytest.fixture
def links(tmp_path):
    """A prefix that runs a command in the namespace."""
    need_root("ip", "unshare", "nsenter")
    probe = subprocess.run(["unshare", "-n", "sh", "-c", LINKS, "sh", "true"], capture_output=True,
                           text=True, check=False)
    if probe.returncode != 0:
        pytest.skip(f"no links can be made here: {probe.stderr.strip()}")
    ready = tmp_path / "ready"
    holder = subprocess.Popen(["unshare", "-n", "sh", "-c", LINKS, "sh", "sh", "-c",
                               f"echo > {ready}; exec sleep 600"])
    try:
        wait_for(ready.exists, "the links")
        yield ("nsenter", f"--net=/proc/{holder.pid}/ns/net", "--")
    finally:
        holder.terminate()
        holder.wait(TIMEOUT)


def ask(links, host, zone, port):
    return subprocess.run([*links, sys.executable, "-c", CLIENT, host, zone, str(port)],
                          capture_output=True, text=True, timeout=TIMEOUT, check=False)


def number_of(links, link):
    r = subprocess.run([*links, sys.executable, "-c",
                        f"import socket; print(socket.if_nametoindex('{link}'))"],
                       capture_output=True, text=True, check=True)
    return r.stdout.strip()


def test_a_port_listens_on_one_link(links, server, ports):
    s = server(f"log to console\nport {ports[0]} {{ listen on fe80::1%one listen on fe80::2%two "
               f"listen on ::1 respond 200 }}\n", wrapper=links)
    assert "1 port is served" in s.log()
    assert ask(links, "fe80::1", "two", ports[0]).stdout == "200\n"
    assert ask(links, "fe80::2", "one", ports[0]).stdout == "200\n"
    s.config.write_text(s.config.read_text().replace("listen on fe80::2%two ", ""))
    s.kill(signal.SIGHUP)
    s.wait_log("reloaded: ")
    assert ask(links, "fe80::1", "two", ports[0]).stdout == "200\n"
    assert "refused" in ask(links, "fe80::2", "one", ports[0]).stderr
    assert s.stop() == 0


def test_the_number_of_a_link_will_do(links, server, ports):
    number = number_of(links, "one")
    s = server(f"port {ports[0]} {{ listen on fe80::1%{number} respond 200 }}\n", wrapper=links)
    assert ask(links, "fe80::1", "two", ports[0]).stdout == "200\n"
    assert s.stop() == 0


def test_a_link_that_is_not_there_parks_its_port(links, server, ports):
    s = server(f"port {ports[0]} {{ listen on fe80::1%none respond 200 }}\n"
               f"port {ports[1]} {{ listen on fe80::1%one respond 200 }}\n", wrapper=links)
    assert f"cannot listen on fe80::1%none port {ports[0]}: No such device" in s.log()
    assert ask(links, "fe80::1", "two", ports[1]).stdout == "200\n"
    assert s.stop() == 0


def test_a_passed_socket_is_known_by_its_link(links, server, ports):
    """Bound before, as a service manager does it; the port takes it in place of a new one."""
    code = ("import os, socket, sys\n"
            "s = socket.socket(socket.AF_INET6)\n"
            f"s.bind(('fe80::1', {ports[0]}, 0, socket.if_nametoindex('one')))\n"
            "s.listen()\n"
            "assert s.fileno() == 3 or os.dup2(s.fileno(), 3)\n"
            "os.set_inheritable(3, True)\n"
            "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', LISTEN_FDNAMES='x')\n"
            "os.execvp(sys.argv[1], sys.argv[1:])\n")
    s = server(f"port {ports[0]} {{ listen on fe80::1%one respond 200 }}\n",
               wrapper=(*links, sys.executable, "-c", code))
    assert "taken by no port" not in s.log()
    assert ask(links, "fe80::1", "two", ports[0]).stdout == "200\n"
    assert s.stop() == 0
