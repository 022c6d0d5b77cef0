"""The names of upstreams: asked for again and again, while the port serves whatever the answers are."""
import os
import shutil
import signal

import pytest

from harness import get, wait_for
from name_server import AAAA, A, NameServer, with_files
from upstreams import Upstream

PORT = "port {port} {{ upstream \"api\" {{ to {urls} check \"/health\" every 200ms timeout 150ms }} respond 200 " \
       "location \"/api\" {{ proxy to \"api\" }} }}"


@pytest.fixture
def asking(server, ports, open_folder):
    """asking(name_server, urls…) starts a server that asks it; its other files and lines may follow."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if not shutil.which("unshare"):
        pytest.skip("needs unshare and nsenter (util-linux)")

    def start(ns, *urls, lines="options timeout:1 attempts:1", hosts="127.0.0.1 localhost\n"):
        resolv = f"nameserver 127.0.0.1:{ns.port}\n{lines}\n"
        text = PORT.format(port=ports[0], urls=" ".join(f'"{u}"' for u in urls))
        return server(text, wrapper=with_files(open_folder, resolv, hosts))

    return start


def test_a_name_is_asked_for_again_when_its_time_is_over(asking):
    with Upstream(host="127.0.0.2") as one, Upstream(host="127.0.0.3", port=one.port) as two, \
            NameServer(api_test=[(A, 1, "127.0.0.2")]) as ns:
        s = asking(ns, f"http://api.test:{one.port}")
        s.wait_log("api.test has this address: 127.0.0.2")
        wait_for(lambda: len(one.seen) > 2, "checks of the first address")
        known = len(s.log())  # the first check may have come before the first answer
        assert b"Host: api.test:%d\r\n" % one.port in one.seen[0]
        ns.names["api.test"] = [(A, 1, "127.0.0.3")]
        s.wait_log("api.test has this address: 127.0.0.3")
        wait_for(lambda: len(two.seen) > 2, "checks of the second address")
        assert "is down" not in s.log()[known:]


def test_all_addresses_are_used(asking):
    with Upstream(host="127.0.0.2") as one, Upstream(host="127.0.0.3", port=one.port) as two, \
            NameServer(api_test=[(A, 60, "127.0.0.2"), (A, 60, "127.0.0.3"), (AAAA, 60, "100::1")]) as ns:
        asking(ns, f"http://api.test:{one.port}")
        wait_for(lambda: len(one.seen) > 2 and len(two.seen) > 2, "checks of both addresses")


def test_a_name_without_an_address_keeps_nobody_from_being_served(asking, ports):
    with Upstream(host="127.0.0.2") as one, NameServer(dead_test=None, cannot_test=2) as ns:
        s = asking(ns, *(f"http://{name}.test:{one.port}" for name in ("late", "dead", "cannot")))
        assert get(ports[0], "/").status == 200
        s.wait_log("late.test cannot be resolved: it does not exist, or has no address")
        s.wait_log("dead.test cannot be resolved: no name server has an answer")
        s.wait_log("cannot.test cannot be resolved: no name server has an answer")
        s.wait_log("upstream api: http://late.test:.* is down: its name has no address")
        ns.names["late.test"] = [(A, 60, "127.0.0.2")]
        s.wait_log("late.test has this address: 127.0.0.2")
        s.wait_log("upstream api: http://late.test:.* is up")
        assert get(ports[0], "/").status == 200
        assert len(s.ready(ports[0], "resolver")) == len(s.ready(ports[0], "worker")) == 1


def test_the_last_addresses_stay_while_the_servers_fail(asking):
    with Upstream(host="127.0.0.2") as one, NameServer(api_test=[(A, 1, "127.0.0.2")]) as ns:
        s = asking(ns, f"http://api.test:{one.port}")
        wait_for(lambda: one.seen, "a check of the address")
        known = len(s.log())  # the first check may have come before the first answer
        for answer in (2, 3, None, []):
            ns.names["api.test"] = answer
            before = len(s.log().split("cannot be resolved")) - 1
            asked = ns.count("api.test")
            wait_for(lambda: ns.count("api.test") > asked, "another question")
            seen = len(one.seen)
            wait_for(lambda: len(one.seen) > seen + 2, "checks of the address")
            assert len(s.log().split("cannot be resolved")) - 1 >= before
        s.wait_log("api.test cannot be resolved: .*; its last addresses stay in use")
        assert "is down" not in s.log()[known:]


def test_an_answer_that_does_not_fit_comes_over_tcp(asking):
    with Upstream(host="127.0.0.40") as one, \
            NameServer(api_test=[(A, 60, f"127.0.0.{i}") for i in range(40, 90)]) as ns:
        ns.truncated.add("api.test")
        s = asking(ns, f"http://api.test:{one.port}")
        s.wait_log("api.test has these addresses: 127.0.0.40, 127.0.0.41")
        assert ns.count("api.test", "tcp") > 0
        wait_for(lambda: one.seen, "a check of an address")
        found = s.wait_log("api.test has these addresses: (.*)")[0][1]
        assert found.split(", ") == [f"127.0.0.{i}" for i in range(40, 56)]


def test_garbage_ends_nothing(asking, ports):
    damages = [lambda a: a[:12], lambda a: a[:20], lambda a: b"", lambda a: a[:2] + b"\xff" * 60,
               lambda a: a[:6] + b"\xff\xff" + a[8:], lambda a: a + b"\xc0" * 300, lambda a: a[:-1],
               lambda a: bytes([a[0] ^ 1]) + a[1:], lambda a: a[:12] + bytes([a[12] ^ 1]) + a[13:],
               lambda a: a[:-16] + b"\xc0\xff" + a[-14:], lambda a: a * 20]
    names = [f"n{i}.test" for i in range(len(damages))]
    with Upstream(host="127.0.0.2") as one, NameServer() as ns:
        ns.names.update({name: [(A, 1, "127.0.0.2")] for name in names})
        ns.damages = dict(zip(names, damages))
        s = asking(ns, *(f"http://{name}:{one.port}" for name in names))
        for name in names:
            wait_for(lambda: ns.count(name) > 3, f"more questions about {name}")
        ns.damages = {}
        for name in names:
            s.wait_log(f"{name} has this address: 127.0.0.2", timeout=60)
        assert len(s.ready(ports[0], "resolver")) == 1
        assert get(ports[0], "/").status == 200


def test_addresses_that_lead_nowhere_are_left_out(asking):
    useless = [(A, 60, a) for a in ("0.0.0.0", "224.0.0.1", "255.255.255.255", "127.0.0.2")]
    useless += [(AAAA, 60, a) for a in ("::", "ff02::1", "::ffff:127.0.0.3")]
    with Upstream(host="127.0.0.2") as one, NameServer(api_test=useless) as ns:
        s = asking(ns, f"http://api.test:{one.port}")
        s.wait_log("api.test has this address: 127.0.0.2\n")
        wait_for(lambda: one.seen, "a check of the address")


def test_the_table_of_hosts_comes_first(asking):
    with Upstream(host="127.0.0.2") as one, NameServer(api_test=[(A, 60, "127.0.0.3")]) as ns:
        asking(ns, f"http://API.test:{one.port}", f"http://x.localhost:{one.port}",
               hosts="127.0.0.2\tother api.TEST # comment\n")
        wait_for(lambda: len(one.seen) > 2, "checks of the address of the table")
        assert not ns.asked


def test_domains_are_searched(asking):
    with Upstream(host="127.0.0.2") as one, NameServer(api_two_test=[(A, 60, "127.0.0.2")]) as ns:
        s = asking(ns, f"http://api:{one.port}", lines="search one.test two.test")
        s.wait_log("api has this address: 127.0.0.2")
        assert [name for name, kind, _ in ns.asked if kind == A][:2] == ["api.one.test", "api.two.test"]


def test_addresses_outlive_the_resolver(asking, ports):
    with Upstream(host="127.0.0.2") as one, NameServer(api_test=[(A, 1, "127.0.0.2")]) as ns:
        s = asking(ns, f"http://api.test:{one.port}")
        wait_for(lambda: one.seen, "a check of the address")
        ns.names["api.test"] = None
        for count in range(2, 4):
            os.kill(s.ready(ports[0], "resolver")[-1], signal.SIGKILL)
            s.wait_ready(ports[0], "resolver", count)
            seen = len(one.seen)
            wait_for(lambda: len(one.seen) > seen + 2, "checks of the address")
        ns.names["api.test"] = [(A, 1, "127.0.0.3")]
        s.wait_log("api.test has this address: 127.0.0.3", timeout=60)
        assert get(ports[0], "/").status == 200
        assert len(s.ready(ports[0], "worker")) == 1


def test_a_reload_finds_other_name_servers(asking, open_folder, ports):
    with Upstream(host="127.0.0.2") as one, Upstream(host="127.0.0.3", port=one.port) as two, \
            NameServer(api_test=[(A, 600, "127.0.0.2")]) as ns, \
            NameServer(api_test=[(A, 600, "127.0.0.3")]) as other:
        s = asking(ns, f"http://api.test:{one.port}")
        wait_for(lambda: one.seen, "a check of the first address")
        (open_folder / "resolv.conf").write_text(f"nameserver 127.0.0.1:{other.port}\n")
        s.kill(signal.SIGHUP)
        s.wait_log("reloaded: 0 kept, 1 changed")
        wait_for(lambda: two.seen, "a check of the second address")
        s.wait_ready(ports[0], "resolver", 2)
        assert other.asked
