"""`error`: the bodies of errors, on the wire; and `respond` with a file, which both can send."""
import os
import signal

import pytest

from harness import Connection, get, wait_for

PLAIN_TOO = True
THREADED = True

PORT = """faults enabled
port %d {
	limits { body 10K  head 2K }
	error 400 404 405 413 414 431 501 503 505 { respond "port" type "text/x-page" header "X-Page" "1" }
	error 500 { respond file "500.html" }
	host "shop.example" {
		error 404 { respond file "404.html" header "Cache-Control" "no-store" }
		location "/api" {
			error 404 503 { respond "{}" type "application/json" }
			location_answer
		}
		location "/shop" { respond 200 "shop" }
	}
	location "/busy" { respond 503 "own" type "text/own" header "Retry-After" "7" header "ETag" "\\"a\\"" }
	location "/gone" { respond 410 "gone" }
	location "/fine" { respond 200 "fine" }
	location "/faulty" { fault status code 503 respond 200 "no" }
	location "/control" { fault control }
}
""".replace("location_answer", 'respond 503 "busy"')


def ask(c, path, host="a", method="GET", extra="", body=b""):
    c.send(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{extra}\r\n".encode("latin-1") + body)
    return c.response(method)


@pytest.fixture
def pages(server, ports, tmp_path):
    (tmp_path / "server0").mkdir()
    (tmp_path / "server0" / "404.html").write_text("<p>not here</p>\n")
    (tmp_path / "server0" / "500.html").write_text("<p>sorry</p>\n")
    (tmp_path / "server0").rename(tmp_path / "files")
    text = PORT.replace('file "', f'file "{tmp_path}/files/')
    return server(text % ports[0])


def test_the_most_specific_page_is_sent(pages, ports):
    with Connection(ports[0]) as c:
        answer = ask(c, "/none")
        assert (answer.status, answer.body, answer["Content-Type"], answer["X-Page"]) == \
            (404, b"port", "text/x-page", "1")
        answer = ask(c, "/none", "shop.example")
        assert (answer.status, answer.body) == (404, b"<p>not here</p>\n")
        assert answer["Content-Type"] == "text/html; charset=utf-8"
        assert answer["Cache-Control"] == "no-store" and answer["X-Page"] is None
        answer = ask(c, "/api", "shop.example")
        assert (answer.status, answer.body, answer["Content-Type"]) == (503, b"{}", "application/json")
        assert ask(c, "/shop", "shop.example").body == b"shop"
        assert ask(c, "/fine").body == b"fine" and ask(c, "/gone").body == b"gone"
    pages.wait_log(r'"GET /none HTTP/1.1" 404 4 ')
    pages.wait_log(r'"GET /none HTTP/1.1" 404 16 ')


def test_fields_that_are_not_about_the_body_stay(pages, ports):
    with Connection(ports[0]) as c:
        answer = ask(c, "/busy")
        assert (answer.status, answer.body, answer["Content-Length"]) == (503, b"port", "4")
        assert answer["Retry-After"] == "7" and answer["Content-Type"] == "text/x-page"
        assert answer["ETag"] is None
        head = ask(c, "/busy", method="HEAD")
        assert [f for f in head.fields if f[0] != "Date"] == \
            [f for f in answer.fields if f[0] != "Date"]
        answer = ask(c, "/fine", method="DELETE")
        assert (answer.status, answer.body, answer["Allow"]) == (405, b"port", "GET, HEAD, OPTIONS")
        answer = ask(c, "/fine", method="OPTIONS")
        assert answer.status == 204 and answer["X-Page"] is None


def test_refusals_have_the_page_of_the_port(pages, ports):
    refused = {"nonsense\r\n\r\n": 400, "GET / HTTP/1.1\r\n\r\n": 400, "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n": 400,
               "BREW / HTTP/1.1\r\nHost: a\r\n\r\n": 501, "GET / HTTP/4.0\r\n\r\n": 505,
               f"GET /{'a' * 3000} HTTP/1.1\r\n\r\n": 414,
               f"GET / HTTP/1.1\r\nHost: a\r\nX: {'a' * 3000}\r\n\r\n": 431,
               "POST /fine HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n": 413}
    for request, status in refused.items():
        with Connection(ports[0]) as c:
            c.send(request.encode())
            answer = c.response()
            assert (answer.status, answer.body, answer["Connection"]) == (status, b"port", "close")


def test_faults_are_sent_as_they_are(pages, ports):
    with Connection(ports[0]) as c:
        assert ask(c, "/faulty").body == b"fault\n"
        answer = ask(c, "/control/nonsense")
        assert answer.status == 404 and answer.body != b"port"


# --- files ---------------------------------------------------------------------------------------

SENT = 'port %d {{ location "/a" {{ respond 201 file "{0}/a.json" }}\n' \
       'location "/b" {{ respond 200 file "{0}/b.bin" type "text/b" methods any }}\n' \
       'location "/c" {{ respond 200 file "{0}/c.unknown" }} respond 200 "root" }}\n'


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "sent"
    folder.mkdir()
    (folder / "a.json").write_bytes(b"{}\n")
    (folder / "b.bin").write_bytes(bytes(range(256)) * 1000)
    (folder / "c.unknown").write_bytes(b"")
    return folder


def test_a_file_is_sent_as_it_is(server, ports, files):
    server(SENT.format(files) % ports[0])
    with Connection(ports[0]) as c:
        answer = ask(c, "/a")
        assert (answer.status, answer.body, answer["Content-Type"]) == (201, b"{}\n", "application/json")
        assert ask(c, "/a", method="HEAD")["Content-Length"] == "3"
        answer = ask(c, "/b", method="POST", extra="Content-Length: 1\r\n", body=b"x")
        assert (answer.body, answer["Content-Type"]) == (bytes(range(256)) * 1000, "text/b")
        answer = ask(c, "/c")
        assert (answer.status, answer.body, answer["Content-Type"]) == (200, b"", None)


def test_a_new_file_comes_with_a_reload_and_not_by_a_crash(server, ports, files):
    s = server(SENT.format(files) % ports[0])
    (files / "new").write_bytes(b"[1]\n")
    os.rename(files / "new", files / "a.json")
    [worker] = s.workers(ports[0]).values()
    os.kill(worker, signal.SIGKILL)
    s.wait_ready(ports[0], "worker", 2)
    assert get(ports[0], "/a").body == b"{}\n"  # as its neighbours have it
    s.kill(signal.SIGHUP)
    wait_for(lambda: get(ports[0], "/a").body == b"[1]\n", "the new file")
    with open(files / "a.json", "r+b") as f:  # in place
        f.write(b"[22]\n")
    s.kill(signal.SIGHUP)
    wait_for(lambda: get(ports[0], "/a").body == b"[22]\n", "the new content")
    (files / "a.json").unlink()  # still open, and no reason to fail
    s.kill(signal.SIGHUP)
    s.wait_log(r"reload", count=3)
    assert get(ports[0], "/a").body == b"[22]\n"


def test_what_cannot_be_sent_is_refused(server, run, conf_file, ports, files, certificates):
    text = certificates.tls() + SENT.format(files) % ports[0]

    def told():
        result = run("-t", "-f", conf_file("t.conf", text))
        return result.stderr if result.returncode else ""

    assert told() == ""
    (files / "a.json").rename(files / "x")
    assert f'file "{files}/a.json" cannot be read: No such file or directory' in told()
    os.mkfifo(files / "a.json")
    assert f'"{files}/a.json" is no file that can be sent' in told()
    (files / "a.json").unlink()
    (files / "a.json").mkdir()
    assert f'"{files}/a.json" is no file that can be sent' in told()
    (files / "a.json").rmdir()
    with open(files / "a.json", "wb") as f:
        f.truncate(17 << 20)
    assert "have at most 16M together" in told()
    s = server(SENT.format(files) % ports[0] + f'port {ports[1]} {{ respond 200 "fine" }}')
    s.wait_log(r"have at most 16M together")
    assert get(ports[1]).body == b"fine"
    with open(files / "a.json", "wb") as f:
        f.truncate((16 << 20) - 256000)
    s.kill(signal.SIGHUP)
    wait_for(lambda: answers(ports[0]), "the port is served")
    assert len(get(ports[0], "/a").body) == (16 << 20) - 256000


def answers(port):
    try:
        return get(port).status == 200
    except OSError:
        return False


@pytest.mark.tls_only
def test_a_key_is_not_sent(server, ports, certificates):
    certificate, key = certificates()
    s = server(f'tls {{ certificate "{certificate}" key "{key}" }} port {ports[0]} {{ '
               f'respond 200 file "{key}" }} port {ports[1]} {{ respond 200 "fine" }}')
    s.wait_log(r"must not see a key")
    assert get(ports[1]).body == b"fine"
