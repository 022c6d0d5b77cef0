"""Redirections with parts of the request, on the wire; the table of all forms is a unit test."""
import shutil
import subprocess

import pytest

from harness import Connection, get

PLAIN_TOO = True
THREADED = True


def ask(c, target, host="Shop.Example:1", version="1.1"):
    c.send(f"GET {target} HTTP/{version}\r\nHost: {host}\r\n\r\n".encode("latin-1"))
    return c.response()


def test_every_page_of_a_plain_port_leads_to_its_like(server, ports):
    s = server(f'port {ports[0]} {{ redirect 308 "https://${{host}}${{target}}" }}')
    with Connection(ports[0]) as c:
        for target, want in {"/": "/", "/a/b?c=d": "/a/b?c=d", "/a%2f..?": "/a%2f..?",
                             "//evil.example": "//evil.example", "/|": "/%7C",
                             "http://other.example:80": None}.items():
            answer = ask(c, target)
            assert answer.status == 308 and answer.body == b""
            assert answer["Location"] == (f"https://shop.example{want}" if want else
                                          "https://other.example/")
        c.send(b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert c.response().status == 400
        assert ask(c, "/a" * 4100).status == 414
        assert ask(c, "/").status == 308
    s.wait_log(r' 400 16 [0-9.]+ms host-missing')
    s.wait_log(r' 414 17 [0-9.]+ms redirect-too-long')


def test_the_rest_of_the_path_and_the_query(server, ports, over):
    server(f"""port {ports[0]} {{
        location "/old" {{ redirect 301 "/new${{remainder}}?${{query}}" }}
        location "/up" {{ redirect 302 "${{remainder}}" }}
        location "/self" {{ redirect 307 "${{scheme}}://${{host}}:${{port}}/x?from=${{path}}" }}
        echo
    }}""")
    scheme = "http" if over == "plain" else "https"
    with Connection(ports[0]) as c:
        for target, want in {"/old": "/new", "/old/a%20b/../c?d": "/new/c?d",
                             "/up": "/", "/up//evil.example": "/evil.example",
                             "/up/%2fevil.example": "/evil.example", "/up/a%2fevil": "/a%2fevil",
                             "/up/\\evil.example": "/%5Cevil.example",
                             "/self/a?b": f"{scheme}://shop.example:{ports[0]}/x?from=/self/a",
                             }.items():
            assert ask(c, target)["Location"] == want, target


def test_a_post_is_redirected_before_its_body(server, ports):
    server(f'port {ports[0]} {{ redirect 308 "https://${{host}}${{target}}" }}')
    with Connection(ports[0]) as c:
        c.send(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert c.response()["Location"] == "https://a/a"
    with Connection(ports[0]) as c:  # HTTP/1.0 without a name, and a body that is not wanted
        c.send(b"POST /a HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello")
        assert c.response().status == 400
        assert get(ports[0])["Location"] == "https://localhost/"


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_curl_follows_one(server, ports, over):
    server(f"""port {ports[0]} {{
        location "/old" {{ redirect 302 "${{scheme}}://${{host}}:${{port}}/new${{remainder}}?${{query}}" }}
        location "/new" {{ respond 200 "new" }}
    }}""")
    scheme = "http" if over == "plain" else "https"
    told = subprocess.run(["curl", "-skL", "-w", " %{url_effective}",
                           f"{scheme}://localhost:{ports[0]}/old/a?b"], capture_output=True, text=True)
    assert told.stdout == f"new {scheme}://localhost:{ports[0]}/new/a?b"
