"""The processes that connect to upstreams and resolve their names: what they may, and what others notice of their end."""
import contextlib
import ctypes
import http.server
import json
import os
import pwd
import re
import signal
import socket
import subprocess
import threading

import pytest

from harness import (Connection, descriptors_of, free_ports, get, landlock_version, need_root, sanitized, status_of,
                     wait_for)
from test_control import controlled, ctl  # noqa: F401 (a fixture)
from test_proxy_tls import Upstream as SecureUpstream, authority, trusts  # noqa: F401 (a fixture)
from test_upgrade import FOLLOWED, put, upgradable, upgrade  # noqa: F401 (a fixture)

THREADED = True
# Deaths never park a port, and are replaced at once.
EAGER = "restart { backoff 1ms to 1ms; park after 64 in 10ms }\n"
WATCHED = "watchdog 3s\n"


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    monkeypatch.setattr(Connection, "plain", True)


class Upstream(http.server.ThreadingHTTPServer):
    """Says its name, and has as many connections as it had clients."""

    daemon_threads = True

    def __init__(self, name, where=("127.0.0.1", 0)):
        self.name, self.clients, self.status, self.open = name, 0, 200, set()
        super().__init__(where, Answer)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def get_request(self):
        found = super().get_request()
        self.clients += 1
        self.open.add(found[0])
        return found

    def stop(self):
        """As one that is killed: its connections end, too."""
        self.shutdown()
        self.server_close()
        for s in self.open:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):  # pylint: disable=invalid-name
        body = self.server.name.encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


class LocalUpstream(Upstream):
    address_family = socket.AF_UNIX

    def server_bind(self):
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = "local", 0

    def get_request(self):
        request, _ = super().get_request()
        return request, ("local", 0)


@pytest.fixture
def upstream():
    """A function that starts one of that name."""
    all_of_them = []

    def start(name="one", **options):
        all_of_them.append(Upstream(name, **options))
        return all_of_them[-1]

    yield start
    for u in all_of_them:
        u.stop()


def port_of(number, *urls, extra="", more=""):
    listed = " ".join(f'"{url}"' for url in urls)
    return (f'port {number} {{ tls off\nworkers 2\n{more}upstream "api" {{ to {listed}\n{extra} }}\n'
            f'location "/" {{ proxy to "api" }}\nlocation "/own" {{ respond 200 "own" }} }}\n')


def body_of(port, path="/"):
    found = get(port, path)
    return found.status, found.body.decode()


def one(s, role, port):
    """The pid of the only process of that role."""
    return wait_for(lambda: s.children(role, port).get((port, 1)), f"the {role} of port {port}")


def endpoints(s, port):
    """{url: what is known of it}"""
    found = json.loads(ctl(s, "status", "--json", port).stdout)["ports"][0]["upstreams"]
    return {e["url"]: e for u in found for e in u["endpoints"]}


def replaced(s, role, port, pid):
    """Waits for its successor, which is ready."""
    return wait_for(lambda: (ready := s.ready(port, role)) and ready[-1] != pid and ready[-1], f"the next {role}")


# --- which there are, and what they may ---------------------------------------------------------


def test_a_port_without_upstreams_has_neither(server, ports, upstream):
    s = server(port_of(ports[0], upstream().url) + f'port {ports[1]} {{ tls off respond 200 "other" }}\n')
    assert one(s, "connector", ports[0])
    assert s.children("resolver") == {}  # no name to ask for
    assert s.children("connector", ports[1]) == {}
    assert body_of(ports[0]) == (200, "one")
    assert body_of(ports[0], "/own") == (200, "own")
    assert body_of(ports[1]) == (200, "other")


def test_a_name_has_a_resolver(server, ports, upstream):
    u = upstream()
    s = server(port_of(ports[0], f"http://localhost:{u.server_port}"))
    assert one(s, "resolver", ports[0])
    wait_for(lambda: body_of(ports[0]) == (200, "one"), "an address")


def test_a_name_that_has_no_address_is_no_reason_not_to_serve(server, ports):
    s = server(port_of(ports[0], "http://no-such-host.invalid:80"))
    assert body_of(ports[0], "/own") == (200, "own")
    assert get(ports[0]).status in (502, 503)
    assert "PARKED" not in s.log()


def roots(pid):
    return os.readlink(f"/proc/{pid}/root")


def test_they_have_a_user_of_their_own_and_an_empty_root(server, ports, upstream, tmp_path):
    need_root()
    us, them = upstream(), LocalUpstream("local", str(tmp_path / "sock"))
    os.chmod(tmp_path / "sock", 0o666)
    for folder in (tmp_path, *list(tmp_path.parents)[:-1]):
        os.chmod(folder, os.stat(folder).st_mode | 0o055)
    user = pwd.getpwnam("daemon")
    s = server(port_of(ports[0], f"http://localhost:{us.server_port}", more='connect user "daemon"\n') +
               port_of(ports[1], f"unix:{tmp_path}/sock", more='connect user "daemon"\n'), args=["-v"])
    for role in ("connector", "resolver"):
        pid = one(s, role, ports[0])
        assert status_of(pid)["Uid"].split() == [str(user.pw_uid)] * 4
        assert status_of(pid)["Gid"].split() == [str(user.pw_gid)] * 4
        assert status_of(pid)["Groups"] == ""
        assert set(int(status_of(pid)[f"Cap{n}"], 16) for n in ("Inh", "Prm", "Eff", "Amb")) == {0}
        if not sanitized():
            assert roots(pid) != "/"
    local = one(s, "connector", ports[1])
    assert status_of(local)["Uid"].split() == [str(user.pw_uid)] * 4
    assert roots(local) == "/"  # it must name the path
    assert {status_of(pid)["Uid"].split()[0] for pid in s.workers().values()} != {str(user.pw_uid)}
    assert body_of(ports[1]) == (200, "local")
    wait_for(lambda: body_of(ports[0]) == (200, "one"), "an address")
    if not sanitized() and landlock_version() > 0:
        level = s.wait_log(rf"\[PORT {ports[1]}\] connector 1 .* is confined: (.*)")[0][1]
        assert "connects to 1 upstream address," in level
        assert "without" not in level
        assert "some without an empty root (their upstreams are Unix sockets)" in s.log()
    them.stop()


def test_they_hold_no_file(server, ports, upstream):
    u = upstream()
    s = server(port_of(ports[0], f"http://localhost:{u.server_port}", u.url))
    wait_for(lambda: body_of(ports[0]) == (200, "one"), "an address")
    for role in ("connector", "resolver"):
        held = set(descriptors_of(one(s, role, ports[0])).values())
        assert not [what for what in held if what.startswith("/") and what != "/dev/null"], held


def test_without_rights_it_serves_all_the_same(server, ports, upstream, open_folder):
    need_root("setpriv")
    u = upstream()
    s = server(port_of(ports[0], f"http://localhost:{u.server_port}", u.url),
               within=open_folder, wrapper=("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"))
    wait_for(lambda: body_of(ports[0]) == (200, "one"), "an address")
    assert len({status_of(pid)["Uid"] for role in ("worker", "connector", "resolver")
                for pid in s.children(role).values()}) == 1


# --- their ends ---------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["connector", "resolver"])
def test_kill_9_is_noticed_by_nobody(server, ports, upstream, role):
    u = upstream()
    s = server(EAGER + port_of(ports[0], f"http://localhost:{u.server_port}") +
               f'port {ports[1]} {{ tls off respond 200 "other" }}\n')
    wait_for(lambda: body_of(ports[0]) == (200, "one"), "an address")
    workers = s.workers()
    for _ in range(10):
        pid = one(s, role, ports[0])
        os.kill(pid, signal.SIGKILL)
        assert body_of(ports[0]) == (200, "one")
        assert body_of(ports[0], "/own") == (200, "own")
        assert body_of(ports[1]) == (200, "other")
        replaced(s, role, ports[0], pid)
    assert s.workers() == workers
    assert len(s.wait_log(rf"{role} 1 \(pid \d+\) was killed from outside by SIGKILL", 10)) == 10
    assert get(ports[0]).status == 200


def test_descriptors_do_not_grow(server, ports, upstream):
    u = upstream()
    s = server(EAGER + port_of(ports[0], f"http://localhost:{u.server_port}"))
    wait_for(lambda: body_of(ports[0]) == (200, "one"), "an address")
    before = len(descriptors_of(s.pid))
    for _ in range(20):
        for role in ("connector", "resolver"):
            pid = one(s, role, ports[0])
            os.kill(pid, signal.SIGKILL)
            replaced(s, role, ports[0], pid)
    wait_for(lambda: len(descriptors_of(s.pid)) == before, "the same descriptors")
    assert body_of(ports[0]) == (200, "one")


def test_a_kept_connection_outlives_its_connector(server, ports, upstream):
    u = upstream()
    s = server(port_of(ports[0], u.url).replace("workers 2", "workers 1"))
    with Connection(ports[0]) as c:
        assert c.get().status == 200
        assert u.clients == 1
        pid = one(s, "connector", ports[0])
        os.kill(pid, signal.SIGSTOP)  # nobody could make another one
        assert c.get().body == b"one"
        os.kill(pid, signal.SIGKILL)
        assert c.get().body == b"one"
    assert u.clients == 1


def test_a_connection_waits_for_the_successor(server, ports, upstream):
    """It is stopped when it is asked, and killed then."""
    u = upstream()
    s = server(EAGER + port_of(ports[0], u.url, extra="timeouts { connect 30s }\nkeep off\n"))
    pid = one(s, "connector", ports[0])
    os.kill(pid, signal.SIGSTOP)
    found = []
    asking = [threading.Thread(target=lambda: found.append(body_of(ports[0]))) for _ in range(8)]
    for thread in asking:
        thread.start()
    # whether they have come by then or not, both must be served
    wait_for(lambda: any(what == "socket:connection" for pid in s.workers().values()
                         for what in descriptors_of(pid).values()), "a request")
    assert found == []
    os.kill(pid, signal.SIGKILL)
    for thread in asking:
        thread.join(30)
    assert found == [(200, "one")] * 8


@pytest.mark.parametrize("how", ["reload", "stop"])
def test_requests_wait_for_the_successor_while_their_workers_drain(server, ports, upstream, how):
    u = upstream()
    text = port_of(ports[0], u.url, extra="timeouts { connect 60s }\nkeep off\n")
    s = server("drain 60s\n" + text)
    wait_for(lambda: body_of(ports[0]) == (200, "one"), "an answer")
    workers = s.workers()
    pid, found, asking = asked_while_stopped(s, ports[0], 4)
    if how == "reload":
        s.config.write_text(s.config.read_text().replace('"own"', '"other"'))
        s.kill(signal.SIGHUP)
        wait_for(lambda: body_of(ports[0], "/own") == (200, "other"), "the next generation")
    else:
        s.kill(signal.SIGTERM)
        s.wait_log("SIGTERM: stopping")
    assert found == []
    os.kill(pid, signal.SIGKILL)
    for thread in asking:
        thread.join(60)
    assert found == [(200, "one")] * 4
    wait_for(lambda: not set(workers.values()) & set(s.workers().values()), "the end of the workers")
    s.wait_log(rf"connector 1 \(pid {pid}\) was killed from outside by SIGKILL.+; starting it again")
    s.wait_log(rf"connector 1 \(pid (?!{pid})\d+\) drained")
    if how == "stop":
        assert s.process.wait(60) == 0


@pytest.fixture
def secure(authority):  # noqa: F811
    u = SecureUpstream(authority, "good")
    yield u
    u.close()


def secured(number, of, authority, more):  # noqa: F811
    return (f'port {number} {{ tls off\nworkers 2\nupstream "api" {{ to "https://127.0.0.1:{of.port}"\n'
            f'{trusts(authority)}\nkeep off\n{more} }}\nlocation "/" {{ proxy to "api" }} }}\n')


def asked_while_stopped(s, port, count):
    """Stops the connector, and asks: (its pid, what was answered, the threads that ask). The workers have the requests."""
    pid = one(s, "connector", port)
    os.kill(pid, signal.SIGSTOP)
    found = []
    asking = [threading.Thread(target=lambda: found.append(body_of(port))) for _ in range(count)]
    for thread in asking:
        thread.start()
    wait_for(lambda: sum(what == "socket:connection" for pid in s.workers().values()
                         for what in descriptors_of(pid).values()) == count, "the requests")
    return pid, found, asking


@pytest.mark.parametrize("end", ["killed", "hangs"])
def test_requests_over_tls_wait_for_the_successor(server, ports, authority, secure, end):  # noqa: F811
    s = server(EAGER + WATCHED + secured(ports[0], secure, authority, "timeouts { connect 60s }\n"))
    assert body_of(ports[0]) == (200, "ok")
    pid, found, asking = asked_while_stopped(s, ports[0], 4)
    assert found == []
    if end == "killed":
        os.kill(pid, signal.SIGKILL)
    else:  # as long as the watchdog says
        s.wait_log(rf"connector 1 \(pid {pid}\) (is stopped; aborting it|does not answer)")
    for thread in asking:
        thread.join(60)
    assert found == [(200, "ok")] * 4
    assert secure.handshakes == 5
    assert one(s, "connector", ports[0]) != pid


def test_no_endpoint_is_blamed_for_a_connector_that_hangs(controlled, ports, authority, secure):  # noqa: F811
    s = controlled(EAGER + secured(ports[0], secure, authority,
                                   "timeouts { connect 300ms }\nfail after 1 pause 1h\n"))
    pid = one(s, "connector", ports[0])
    os.kill(pid, signal.SIGSTOP)
    assert [body_of(ports[0])[0] for _ in range(4)] == [503] * 4
    assert len(s.wait_log(r"\" 503 \d+ [\d.]+ms upstream-full ", 4)) == 4
    s.wait_log("there is no room for another connection: the connector does not answer")
    (endpoint,) = endpoints(s, ports[0]).values()
    assert (endpoint["paused"], endpoint["failed"]["full"], endpoint["failed"]["connect"]) == (0, 4, 0)
    os.kill(pid, signal.SIGKILL)
    replaced(s, "connector", ports[0], pid)
    assert body_of(ports[0]) == (200, "ok")


@pytest.mark.parametrize("role", ["connector", "resolver"])
def test_one_that_hangs_is_replaced(server, ports, upstream, role):
    u = upstream()
    s = server(WATCHED + port_of(ports[0], f"http://localhost:{u.server_port}") +
               f'port {ports[1]} {{ tls off respond 200 "other" }}\n')
    wait_for(lambda: body_of(ports[0]) == (200, "one"), "an address")
    workers, pid = s.workers(), one(s, role, ports[0])
    os.kill(pid, signal.SIGSTOP)
    s.wait_log(rf"\[PORT {ports[0]}\] {role} 1 \(pid {pid}\) (is stopped; aborting it|does not answer)")
    replaced(s, role, ports[0], pid)
    assert s.workers() == workers
    assert body_of(ports[0]) == (200, "one")
    assert body_of(ports[1]) == (200, "other")


def test_the_order_of_the_end(server, ports, upstream):
    u = upstream()
    s = server(port_of(ports[0], f"http://localhost:{u.server_port}"))
    wait_for(lambda: body_of(ports[0]) == (200, "one"), "an address")
    assert s.stop() == 0
    ends = [role for role, _ in re.findall(r"(worker|connector|resolver) \d+ \(pid (\d+)\) drained", s.log())]
    assert ends[:2] == ["worker"] * 2
    assert sorted(ends[2:]) == ["connector", "resolver"]


def test_a_worker_that_violates_the_protocol_is_replaced(server, ports, upstream):
    u = upstream()
    s = server(EAGER + port_of(ports[0], u.url))
    connector = one(s, "connector", ports[0])
    pid = s.workers()[ports[0], 1]
    channel = [n for n, what in descriptors_of(pid).items() if what == "socket:seqpacket" and n != 3][-1]
    pidfd = os.pidfd_open(pid)
    try:
        fd = ctypes.CDLL(None, use_errno=True).syscall(438, pidfd, channel, 0)
    finally:
        os.close(pidfd)
    if fd < 0:
        pytest.skip("descriptors of other processes cannot be taken here")
    os.write(fd, b"no request")
    os.close(fd)
    s.wait_log(rf"worker 1 \(pid {pid}\) has abused its connector; killing it")
    wait_for(lambda: s.workers().get((ports[0], 1)) not in (None, pid), "another worker")
    assert one(s, "connector", ports[0]) == connector
    assert body_of(ports[0]) == (200, "one")


# --- health, orders and counts over time --------------------------------------------------------


def test_what_was_found_and_ordered_outlives_a_connector(controlled, ports, upstream):
    a, b = upstream("a"), upstream("b")
    down = f"http://127.0.0.1:{free_ports(1)[0]}"
    s = controlled(EAGER + port_of(ports[0], a.url, b.url, down, extra='check "/" every 100ms\n'))
    wait_for(lambda: endpoints(s, ports[0])[down]["state"] == "down", "the check")
    wait_for(lambda: endpoints(s, ports[0])[a.url]["state"] == "up", "the check")
    assert ctl(s, "upstream", ports[0], a.url, "down").returncode == 0
    assert {body_of(ports[0]) for _ in range(6)} == {(200, "b")}
    for _ in range(3):
        pid = one(s, "connector", ports[0])
        os.kill(pid, signal.SIGKILL)
        replaced(s, "connector", ports[0], pid)
        assert endpoints(s, ports[0])[a.url]["order"] == "down"
        assert endpoints(s, ports[0])[down]["state"] == "down"
        assert {body_of(ports[0]) for _ in range(6)} == {(200, "b")}
    assert ctl(s, "upstream", ports[0], "api", "up").returncode == 0
    wait_for(lambda: body_of(ports[0]) == (200, "a"), "the other one")


def test_what_was_found_and_ordered_goes_on_over_a_reload(controlled, ports, upstream):
    a, b = upstream("a"), upstream("b")
    down = f"http://127.0.0.1:{free_ports(1)[0]}"
    check = 'check "/" every 100ms\n'
    s = controlled(port_of(ports[0], a.url, down, extra=check))
    wait_for(lambda: endpoints(s, ports[0])[down]["state"] == "down", "the check")
    assert ctl(s, "upstream", ports[0], a.url, "drain").returncode == 0
    first = one(s, "connector", ports[0])
    assert ctl(s, "reload").returncode == 0  # nothing has changed
    assert one(s, "connector", ports[0]) == first
    # the numbers of all endpoints are others then
    s.config.write_text(s.config.read_text().replace(f'to "{a.url}" "{down}"', f'to "{b.url}" "{down}" "{a.url}"')
                      .replace(check, 'check "/" every 1h\n'))
    assert ctl(s, "reload").returncode == 0
    now = endpoints(s, ports[0])
    assert now[a.url]["order"] == "drain"
    assert now[b.url]["order"] is None
    assert now[down]["state"] == "down" and now[down]["why"]
    assert one(s, "connector", ports[0]) != first
    assert {body_of(ports[0]) for _ in range(6)} == {(200, "b")}


def test_all_of_it_goes_on_over_an_upgrade(upgradable, ports, upstream, tmp_path):
    a, b = upstream("a"), upstream("b")
    s = upgradable(f'control "{tmp_path}/control.sock"\n' + EAGER +
                   port_of(ports[0], a.url, f"http://localhost:{b.server_port}", extra='check "/" every 100ms\n') +
                   f'port {ports[1]} {{ tls off respond 200 "other" }}\n')
    s.control = tmp_path / "control.sock"
    wait_for(lambda: endpoints(s, ports[0])[a.url]["state"] == "up", "the check")
    assert ctl(s, "upstream", ports[0], a.url, "down").returncode == 0
    wait_for(lambda: body_of(ports[0]) == (200, "b"), "an address")
    for count in (1, 2, 3):
        before = one(s, "connector", ports[0])
        upgrade(s, count)
        replaced(s, "connector", ports[0], before)
        assert endpoints(s, ports[0])[a.url]["order"] == "down"
        assert endpoints(s, ports[0])[a.url]["state"] == "up"
        wait_for(lambda: body_of(ports[0]) == (200, "b"), "an address")
        for role in ("connector", "resolver"):
            pid = one(s, role, ports[0])
            os.kill(pid, signal.SIGKILL)
            replaced(s, role, ports[0], pid)
            assert body_of(ports[0]) == (200, "b")
    assert ctl(s, "upstream", ports[0], "api", "up").returncode == 0
    wait_for(lambda: body_of(ports[0]) == (200, "a"), "the other one")
    assert "PARKED" not in s.log()


def test_their_counts_are_shown_and_go_on(controlled, ports, upstream):
    u = upstream()
    s = controlled(EAGER + port_of(ports[0], u.url, extra="keep off\n"))

    def counts():
        found = json.loads(ctl(s, "status", "--json", ports[0]).stdout)["ports"][0]
        return found["counters"]["connects"]

    for _ in range(3):
        assert body_of(ports[0]) == (200, "one")
    wait_for(lambda: counts() == 3, "three connections")
    pid = one(s, "connector", ports[0])
    os.kill(pid, signal.SIGKILL)
    replaced(s, "connector", ports[0], pid)
    assert body_of(ports[0]) == (200, "one")
    wait_for(lambda: counts() == 4, "one more")
    assert re.search(r"connector 1 \(pid \d+\) was killed from outside by SIGKILL after \S+ and 3 connections", s.log())


def test_no_request_is_lost_to_the_counts(upgradable, ports, upstream, tmp_path):
    """Of requests that end before, during and after reloads, and over upgrades."""
    u = upstream()
    s = upgradable(f'control "{tmp_path}/control.sock"\ndrain 60s\n' +
                   port_of(ports[0], u.url, extra="timeouts { connect 60s }\nkeep off\n") +
                   f'port {ports[1]} {{ tls off respond 200 "other" }}\n')
    s.control = tmp_path / "control.sock"

    def counts():
        (found,) = endpoints(s, ports[0]).values()
        return found["requests"], found["responses"]["2xx"]

    def reload(number):
        s.config.write_text(re.sub(r'"own\d*"', f'"own{number}"', s.config.read_text()))
        assert ctl(s, "reload").returncode == 0

    assert body_of(ports[0]) == (200, "one")
    pid, found, asking = asked_while_stopped(s, ports[0], 2)
    assert counts() == (1, 1)
    reload(1)
    assert counts() == (1, 1)
    assert body_of(ports[0]) == (200, "one")
    os.kill(pid, signal.SIGCONT)  # the old workers go on, and end
    for thread in asking:
        thread.join(60)
    assert found == [(200, "one")] * 2
    wait_for(lambda: counts() == (4, 4), "all of them")
    reload(2)
    assert counts() == (4, 4)
    upgrade(s)
    assert counts() == (4, 4)
    assert body_of(ports[0]) == (200, "one")
    assert counts() == (5, 5)


def test_the_status_names_them(controlled, ports, upstream):
    u = upstream()
    s = controlled(port_of(ports[0], f"http://localhost:{u.server_port}"))
    found = json.loads(ctl(s, "status", "--json", ports[0]).stdout)["ports"][0]
    assert [c["pid"] for c in found["connectors"]] == [one(s, "connector", ports[0])]
    assert [c["pid"] for c in found["resolvers"]] == [one(s, "resolver", ports[0])]
    text = ctl(s, "status", ports[0]).stdout
    assert f"connector 1: pid {one(s, 'connector', ports[0])}, serving" in text
    assert f"resolver 1: pid {one(s, 'resolver', ports[0])}, serving" in text


def test_names_follow_a_table_of_hosts_that_has_changed(server, ports, upstream, tmp_path):
    need_root("unshare", "mount")
    table = tmp_path / "hosts"
    table.write_text("127.0.0.1 a.test\n")
    wrapper = ("unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', table)
    if subprocess.run([*wrapper, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespaces here")
    one_of_them = upstream("a")
    upstream("b", where=("127.0.0.2", one_of_them.server_port))
    s = server(port_of(ports[0], f"http://a.test:{one_of_them.server_port}"), wrapper=wrapper)
    wait_for(lambda: body_of(ports[0]) == (200, "a"), "an address")
    table.write_text("127.0.0.2 a.test\n")
    s.wait_log(r'"/etc/hosts" has changed: new processes resolve names by it')
    wait_for(lambda: body_of(ports[0]) == (200, "b"), "the other one")


def test_a_reload_without_upstreams_ends_them(controlled, ports, upstream):
    u = upstream()
    s = controlled(port_of(ports[0], f"http://localhost:{u.server_port}"))
    assert one(s, "connector", ports[0])
    s.config.write_text(f'control "{s.control}"\nport {ports[0]} {{ tls off respond 200 "now" }}\n')
    assert ctl(s, "reload").returncode == 0
    assert body_of(ports[0]) == (200, "now")
    wait_for(lambda: not s.children("connector") and not s.children("resolver"), "their end")
    s.config.write_text(f'control "{s.control}"\n' + port_of(ports[0], u.url))
    assert ctl(s, "reload").returncode == 0
    assert body_of(ports[0]) == (200, "one")
