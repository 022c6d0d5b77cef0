"""Which host and which location a request gets; 421 for requests on the wrong connection."""
import ssl

import pytest

from harness import Connection, client_context

PLAIN_TOO = True
THREADED = True

PORT = """port %d {
	host "shop.example" "www.shop.example" "bücher.example" {
		location "/cart" { respond 200 "cart" }
		respond 200 "shop"
	}
	host "*.shop.example" { respond 200 "star" }
	host "127.0.0.1" "[2001:db8::1]" { respond 200 "number" }
	host "echo.example" { location "/cart" { echo } }
	location "/cart" { respond 200 "no cart" }
	respond 200 "default"
}
"""


def ask(c, host, path="/", method="GET", extra="", body=b""):
    c.send(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{extra}\r\n".encode("latin-1") + body)
    return c.response(method)


def test_a_request_is_served_by_the_host_that_it_names(server, ports):
    server(PORT % ports[0])
    with Connection(ports[0]) as c:
        for host, want in {"shop.example": "shop", "WWW.Shop.Example.:1": "shop",
                           "xn--bcher-kva.example": "shop", "a.shop.example": "star",
                           "a.b.shop.example": "default", "127.0.0.1:8443": "number",
                           "[2001:DB8:0::1]": "number", "other": "default",
                           "shop.example.evil": "default", "x" * 300: "default"}.items():
            assert ask(c, host).body.decode() == want, host
        assert ask(c, "shop.example", "/cart/a").body == b"cart"
        assert ask(c, "other", "/cart/a").body == b"no cart"
        assert ask(c, "a.shop.example", "/cart").body == b"star"
        assert ask(c, "echo.example", "/").status == 404
        assert ask(c, "other", "http://Shop.example/cart").body == b"cart"  # RFC 9112, 3.2.2
        c.send(b"GET / HTTP/1.0\r\n\r\n")
        assert c.response().body == b"default" and c.closed()


@pytest.mark.parametrize("body", [b"", b"hello"])
def test_a_port_with_hosts_alone_answers_others_with_421(server, ports, body):
    s = server(f'port {ports[0]} {{ host "a.example" {{ respond 200 "a" methods any }} }}')
    with Connection(ports[0]) as c:
        assert ask(c, "b.example", method="POST", extra=f"Content-Length: {len(body)}\r\n",
                   body=body).status == 421
        assert ask(c, "a.example").body == b"a"  # on the same connection
        assert ask(c, "b.example", method="HEAD").status == 421
    s.wait_log(r'"POST / HTTP/1.1" 421 24 [0-9.]+ms host-unknown "b.example"')


CERTIFICATES = """{tls}port %d {{
	host "own.example" {{ tls {{ certificate "{0}" key "{1}" }} respond 200 "own" }}
	host "same.example" {{ tls {{ certificate "{0}" key "{1}" }} respond 200 "same" }}
	host "shared.example" {{ respond 200 "shared" }}
	respond 200 "default"
}}
"""


@pytest.fixture
def two_policies(server, ports, certificates):
    """A port where two hosts have the certificate "other", and the rest that of the port."""
    return server(CERTIFICATES.format(*certificates("other"), tls=certificates.tls()) % ports[0])


@pytest.mark.tls_only
def test_a_host_with_other_certificates_is_elsewhere(two_policies, ports):
    names = {"own.example": "own", "same.example": "own", "shared.example": "port",
             "none.example": "port", None: "port"}
    for server_name, shown in names.items():
        with Connection(ports[0], server_hostname=server_name) as c:
            for host, policy in names.items():
                if host is None:
                    continue
                answer = ask(c, host)
                assert answer.status == (200 if policy == shown else 421), (server_name, host)
            assert ask(c, server_name or "none.example").status == 200
    two_policies.wait_log(r' 421 24 [0-9.]+ms host-elsewhere "own.example"')


@pytest.mark.tls_only
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_resumed_session_is_for_the_name_that_it_asks_for(two_policies, ports, version):
    context = client_context(maximum_version=version)
    with Connection(ports[0], context=context, server_hostname="own.example") as c:
        assert ask(c, "own.example").status == 200
        session = c.socket.session
    for name, host in (("own.example", "own.example"), ("shared.example", "shared.example")):
        with Connection(ports[0], context=context, server_hostname=name, session=session) as c:
            assert ask(c, host).status == 200
            assert ask(c, "shared.example" if host == "own.example" else "own.example").status == 421


def test_a_thousand_hosts_and_ten_thousand_locations(server, ports):
    hosts = "".join(f'host "h{i}.example" {{ respond 200 "{i}" }}\n' for i in range(1000))
    places = "".join(f'location "/p{i % 10}/{i}" {{ respond 200 "at {i}" }}\n' for i in range(10000))
    server(f"port {ports[0]} {{ {hosts} {places} respond 200 \"root\" }}")
    with Connection(ports[0]) as c:
        for i in (0, 1, 500, 999):
            assert ask(c, f"h{i}.example").body == b"%d" % i
        for i in (0, 9, 5555, 9999):
            assert ask(c, "a", f"/p{i % 10}/{i}/x").body == b"at %d" % i
        assert ask(c, "a", "/p1/10000").body == b"root"
