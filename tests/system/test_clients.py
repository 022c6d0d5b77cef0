"""curl as people use it. The handshakes of other clients are in test_tls.py."""
import hashlib
import json
import os
import random
import subprocess

import pytest

from harness import HELLO

THREADED = True

CONFIG = """port %d {
	limits { body 64M }
	location "/echo" { echo }
	location "/health" { respond 200 "ok\\n" }
	location "/" { respond 200 "Hello, world!\\n" }
}
"""


@pytest.fixture
def curl(server, ports, certificates, tmp_path):
    """Runs curl with paths for URLs: curl("-d", "x", "/echo") -> CompletedProcess of bytes. It
    trusts the certificate of that kind."""
    server(CONFIG % ports[0])
    (tmp_path / ".curlrc").write_text("")

    def run(*args, check=True, trusts="ecdsa"):
        argv = ["curl", "--silent", "--show-error", "--max-time", "60", "--cacert",
                str(certificates(trusts)[0])]
        for a in map(str, args):
            argv.append(f"https://localhost:{ports[0]}{a}" if a.startswith("/") else a)
        result = subprocess.run(argv, capture_output=True, timeout=90, cwd=tmp_path,
                                env={**os.environ, "HOME": str(tmp_path), "no_proxy": "*"})
        assert not check or result.returncode == 0, result.stderr.decode()
        return result

    return run


def test_get_on_both_families(curl):
    for family in ("-4", "-6"):
        assert curl(family, "/").stdout == HELLO


@pytest.mark.parametrize("option", ["--http1.1", "--http1.0", "--http2", "--tlsv1.3",
                                    "--tls-max=1.2"])
def test_get_by_version(curl, option):
    result = curl(*option.split("="), "-i", "/")
    assert result.stdout.startswith(b"HTTP/1.1 200 OK\r\n") and result.stdout.endswith(HELLO)


def test_head(curl):
    result = curl("-I", "/")
    assert b"\r\nContent-Length: 14\r\n" in result.stdout
    assert result.stdout.endswith(b"\r\n\r\n")


CONNECTS = ("-w", "%{stderr}%{num_connects}\\n")  # a line per transfer: the new connections


def test_a_connection_is_used_again(curl):
    result = curl(*CONNECTS, "/", "/health", "/echo", "/")
    assert result.stdout.startswith(HELLO + b"ok\n{") and result.stdout.endswith(HELLO)
    assert result.stderr.split() == [b"1", b"0", b"0", b"0"]


def test_close_is_believed(curl):
    result = curl(*CONNECTS, "-H", "Connection: close", "/", "/")
    assert result.stdout == HELLO * 2
    assert result.stderr.split() == [b"1", b"1"]


def test_parallel_requests(curl):
    urls = [a for n in range(40) for a in ("-o", f"out{n}", f"/echo?n={n}")]
    result = curl("--parallel", "--parallel-max", "20", "-w", "%{http_code}\\n", *urls)
    assert result.stdout.split() == [b"200"] * 40


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(random.Random(5).randbytes(5_000_001))
    return path


def digest(data):
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("options", [
    ("-T", "file"), ("--data-binary", "@file"), ("--http1.0", "-T", "file"),
    ("-H", "Transfer-Encoding: chunked", "-T", "file"), ("-H", "Expect:", "-T", "file"),
    ("-H", "Transfer-Encoding: chunked", "--data-binary", "@file"),
    ("-X", "PATCH", "--data-binary", "@file")], ids=" ".join)
def test_uploads_come_back(curl, file, options):
    result = curl("-v", *options, "/echo")
    assert digest(result.stdout) == digest(file.read_bytes())
    if "Expect:" not in options and "--http1.0" not in options:
        assert b"< HTTP/1.1 100 Continue" in result.stderr
    if "Transfer-Encoding: chunked" in options:
        assert b"< Transfer-Encoding: chunked" in result.stderr


def test_an_upload_of_unknown_length(curl, tmp_path):
    """From a pipe: curl chunks it."""
    pipe, data = tmp_path / "pipe", random.Random(6).randbytes(300_000)
    os.mkfifo(pipe)
    (tmp_path / "source").write_bytes(data)
    with subprocess.Popen(["sh", "-c", "exec cat source > pipe"], cwd=tmp_path) as writer:
        try:
            assert digest(curl("-T", "pipe", "/echo").stdout) == digest(data)
            assert writer.wait(30) == 0
        finally:
            writer.kill()


def test_post_of_a_form(curl):
    assert curl("-d", "a=b", "-d", "c=d", "/echo").stdout == b"a=b&c=d"
    assert b'name="a"\r\n\r\nb\r\n' in curl("-F", "a=b", "/echo").stdout


def test_uploads_are_refused_where_nothing_takes_them(curl, file):
    result = curl("-v", "-T", "file", "/health")
    assert b"< HTTP/1.1 405 Method Not Allowed" in result.stderr
    result = curl("-v", "-H", "Expect:", "-T", "file", "/health", "/health")
    assert b"405" in result.stderr and result.stdout == b"405 Method Not Allowed\nok\n"


def test_what_is_too_large(curl, tmp_path):
    with open(tmp_path / "huge", "wb") as f:
        f.truncate(65 << 20)
    for expect in (("-H", "Expect:"), ()):
        result = curl("-v", *expect, "-T", "huge", "/echo", check=False)
        assert b"< HTTP/1.1 413 Content Too Large" in result.stderr
        assert b"413 Content Too Large" in result.stdout


def test_echo_tells_what_came(curl):
    result = curl("-A", "some agent", "-H", 'X-Quote: "\\', "-X", "OPTIONS", "/echo/a?b=c")
    told = json.loads(result.stdout)
    assert (told["method"], told["target"]) == ("OPTIONS", "/echo/a?b=c")
    assert ["User-Agent", "some agent"] in told["headers"]
    assert ["X-Quote", '"\\'] in told["headers"]
    assert told["tls"]["server_name"] == "localhost"


def test_a_stranger_is_not_trusted(curl):
    assert curl("/", trusts="other", check=False).returncode == 60
