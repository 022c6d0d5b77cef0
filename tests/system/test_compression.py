"""Responses that are compressed on their way: what clients get, and that it is what they would get without."""
import shutil
import subprocess
import threading
import zlib

import pytest

from harness import Connection

THREADED = True

TEXT = b"".join(b"<p>line %d of a text that repeats itself</p>\n" % i for i in range(5000))
CODINGS = ("gzip", "zstd", "br")
TOOLS = {"zstd": "zstd", "br": "brotli"}


def unpack(coding, data):
    if coding == "gzip":
        stream = zlib.decompressobj(31)
        out = stream.decompress(data)
        assert stream.eof and not stream.unused_data
        return out
    tool = shutil.which(TOOLS[coding])
    if tool is None:
        pytest.skip(f"needs {TOOLS[coding]}")
    return subprocess.run([tool, "-dc"], input=data, stdout=subprocess.PIPE, check=True, timeout=60).stdout


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "www"
    root.mkdir()
    (root / "page.html").write_bytes(TEXT)
    (root / "small.html").write_bytes(b"<p>small</p>\n")
    (root / "picture.png").write_bytes(TEXT)
    (root / "packed.html").write_bytes(TEXT)
    (root / "packed.html.br").write_bytes(b"is packed")
    return root


@pytest.fixture
def site(server, ports, folder):
    server(f"""port {ports[0]} {{
    compress gzip zstd br
    files "{folder}"
    location "/packed" {{ files "{folder}" {{ precompressed br }} }}
    location "/off" {{ compress off  files "{folder}" }}
    location "/echo" {{ compress gzip zstd br {{ least 1 types "*" }}  echo }}
}}
""")
    return ports[0]


def accept(coding):
    return f"Accept-Encoding: {coding}\r\n"


def test_each_coding(site):
    with Connection(site) as c:
        plain = c.get("/page.html")
        assert plain.body == TEXT and plain["Content-Encoding"] is None
        assert plain["Vary"] == "Accept-Encoding" and plain["Accept-Ranges"] == "bytes"
        for coding in CODINGS:
            r = c.get("/page.html", accept(coding))
            assert r.status == 200 and r["Content-Encoding"] == coding
            assert r["Vary"] == "Accept-Encoding" and r["Accept-Ranges"] is None
            assert r["ETag"] == "W/" + plain["ETag"] and r["Last-Modified"] == plain["Last-Modified"]
            assert r["Content-Type"] == plain["Content-Type"] and r["Content-Length"] is None
            assert unpack(coding, r.body) == TEXT and len(r.body) < len(TEXT) / 5
        for path in ("/small.html", "/picture.png", "/off/page.html"):
            r = c.get(path, accept("gzip"))
            assert r["Content-Encoding"] is None and r["Vary"] is None, path


def test_head_is_that_of_get(site):
    with Connection(site) as c:
        for coding in (*CODINGS, "identity"):
            got = c.get("/page.html", accept(coding))
            c.send(f"HEAD /page.html HTTP/1.1\r\nHost: a\r\n{accept(coding)}\r\n".encode())
            head = c.response("HEAD")

            def fields(r):
                return sorted(f for f in r.fields if f[0] not in ("Date", "Transfer-Encoding"))
            assert fields(head) == fields(got) and head.body == b""


def test_conditions_and_ranges(site):
    with Connection(site) as c:
        strong = c.get("/page.html")["ETag"]
        weak = c.get("/page.html", accept("gzip"))["ETag"]
        for tag in (strong, weak):
            r = c.get("/page.html", accept("gzip") + f"If-None-Match: {tag}\r\n")
            assert (r.status, r["ETag"], r["Vary"]) == (304, tag, "Accept-Encoding")
            assert r["Content-Encoding"] is None
        gone = c.get("/page.html", accept("gzip") + 'If-None-Match: "other"\r\n')
        assert gone.status == 200 and unpack("gzip", gone.body) == TEXT
        assert c.get("/page.html", accept("gzip") + f"If-Match: {strong}\r\n").status == 200
        assert c.get("/page.html", accept("gzip") + f"If-Match: {weak}\r\n").status == 412
        part = c.get("/page.html", accept("gzip") + "Range: bytes=10-19\r\n")
        assert (part.status, part.body, part["ETag"]) == (206, TEXT[10:20], strong)
        assert part["Content-Encoding"] is None and part["Vary"] == "Accept-Encoding"
        part = c.get("/page.html", accept("gzip") + f"Range: bytes=10-19\r\nIf-Range: {strong}\r\n")
        assert (part.status, part.body) == (206, TEXT[10:20])
        whole = c.get("/page.html", accept("gzip") + f"Range: bytes=10-19\r\nIf-Range: {weak}\r\n")
        assert whole.status == 200 and unpack("gzip", whole.body) == TEXT
        parts = c.get("/page.html", accept("gzip") + "Range: bytes=0-1,5-6\r\n")
        assert parts.status == 206 and parts["Content-Encoding"] is None
        none = c.get("/page.html", accept("gzip") + "Range: bytes=9999999-\r\n")
        assert none.status == 416 and none["Content-Encoding"] is None


def test_siblings_come_first(site):
    with Connection(site) as c:
        r = c.get("/packed/packed.html", accept("gzip, br"))
        assert (r["Content-Encoding"], r.body) == ("br", b"is packed")
        assert not r["ETag"].startswith("W/") or c.get("/packed/packed.html")["ETag"].startswith("W/")
        r = c.get("/packed/packed.html", accept("gzip"))
        assert r["Content-Encoding"] == "gzip" and unpack("gzip", r.body) == TEXT
        assert [v for n, v in r.fields if n == "Vary"] == ["Accept-Encoding"]
        # a client that takes nothing as it is gets what can be made for it
        r = c.get("/packed/page.html", accept("gzip, identity;q=0"))
        assert r.status == 200 and unpack("gzip", r.body) == TEXT


def test_what_trickles_arrives_at_once(site):
    for coding in CODINGS:
        with Connection(site) as c:
            c.send(f"POST /echo HTTP/1.1\r\nHost: a\r\n{accept(coding)}"
                   "Transfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n".encode())
            stream, seen = zlib.decompressobj(31), b""
            for i in range(20):
                event = b"event %d\n" % i
                c.send(b"%x\r\n%s\r\n" % (len(event), event))
                if i == 0:
                    head = c.read_until(b"\r\n\r\n")
                    assert f"Content-Encoding: {coding}".encode() in head
                # a flush may come in several chunks
                got = b""
                while coding == "gzip" and not got.endswith(event):
                    size = int(c.read_until(b"\r\n"), 16)
                    got += stream.decompress(c.read_exactly(size))
                    c.read_until(b"\r\n")
                if coding != "gzip":
                    size = int(c.read_until(b"\r\n"), 16)
                    assert size > 0
                    seen += c.read_exactly(size)
                    c.read_until(b"\r\n")
            c.send(b"0\r\n\r\n")
            while size := int(c.read_until(b"\r\n"), 16):
                seen += c.read_exactly(size)
                c.read_until(b"\r\n")
            if coding != "gzip":
                assert unpack(coding, seen) == b"".join(b"event %d\n" % i for i in range(20))


def test_many_at_a_time(site):
    """Clients that read slowly, leave, or read well, with long answers in every coding."""
    failures = []

    def upload(coding, leaves):
        try:
            with Connection(site, timeout=120) as c:
                c.send(f"POST /echo HTTP/1.1\r\nHost: a\r\n{accept(coding)}"
                       f"Content-Type: text/plain\r\nContent-Length: {len(TEXT)}\r\n\r\n".encode())
                if leaves:
                    c.send(TEXT[:len(TEXT) // 2])
                    c.read_until(b"\r\n\r\n")
                    return
                c.send(TEXT)  # what comes back is small, so that the server need not wait for it
                r = c.response()
                if r["Content-Encoding"] is not None and unpack(r["Content-Encoding"], r.body) != TEXT:
                    failures.append(coding)
        except (OSError, EOFError, AssertionError) as error:
            if not leaves:
                failures.append((coding, repr(error)))

    threads = [threading.Thread(target=upload, args=(CODINGS[i % 3], i % 5 == 4)) for i in range(30)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures
    with Connection(site) as c:
        assert c.get("/page.html", accept("br"))["Content-Encoding"] == "br"


def test_an_upload_that_breaks_cuts_its_echo(site):
    with Connection(site) as c:
        c.send(f"POST /echo HTTP/1.1\r\nHost: a\r\n{accept('gzip')}Content-Type: text/plain\r\n"
               "Content-Length: 100000\r\n\r\n".encode() + TEXT[:50000])
        c.read_until(b"\r\n\r\n")
    with Connection(site) as c:
        assert unpack("gzip", c.get("/page.html", accept("gzip")).body) == TEXT


def test_little_memory(server, ports, folder):
    """Without memory for the streams, responses go out as they are, and the worker lives."""
    (folder / "long.html").write_bytes(TEXT * 20)
    s = server(f"""port {ports[0]} {{ compress br {{ level br 6 }}  files "{folder}"  limits {{ memory 64M }} }}
""")
    connections = [Connection(ports[0]) for _ in range(30)]
    for c in connections:
        c.send(f"GET /long.html HTTP/1.1\r\nHost: a\r\n{accept('br')}\r\n".encode())
    for c in connections:
        r = c.response()
        body = unpack("br", r.body) if r["Content-Encoding"] == "br" else r.body
        assert r.status == 200 and body == TEXT * 20
        c.close()
    assert "signal" not in s.log()


def test_real_clients(site):
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    features = subprocess.run(["curl", "--version"], capture_output=True, text=True, check=True).stdout
    codings = ["gzip"] + [c for c, word in (("br", "brotli"), ("zstd", "zstd")) if word in features.split()]
    for coding in codings:
        out = subprocess.run(["curl", "-sk", "--compressed", "-H", f"Accept-Encoding: {coding}", "-D", "-",
                              f"https://127.0.0.1:{site}/page.html"], capture_output=True, check=True,
                             timeout=60).stdout
        head, _, body = out.partition(b"\r\n\r\n")
        assert f"content-encoding: {coding}".encode() in head.lower() and body == TEXT
