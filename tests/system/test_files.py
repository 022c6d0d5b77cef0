"""Files beneath a folder: each answer of one table, with another request after it on the same connection;
and files that change while they are sent."""
import contextlib
import html.parser
import json
import os
import pathlib
import re
import shutil
import tempfile
import threading
import urllib.parse

import files_answers as answers
import pytest

from harness import TOP, Connection, get, wait_for

THREADED = True


@pytest.fixture
def root():
    """A folder that other users may enter."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bulkhead-files-"))
    folder.chmod(0o755)
    site = folder / "site"
    site.mkdir(mode=0o755)
    yield site
    shutil.rmtree(folder)


@pytest.fixture
def site(root):
    answers.make_site(root)
    (root.parent / "outside").write_text("outside")
    return root


def serve(server, port, root, options=""):
    block = f" {{ {options} }}" if options else ""
    return server(f'port {port} {{ location "/" {{ files "{root}"{block} }} '
                  'location "/canary" { respond 200 "canary" } }')


def ask(c, target, fields="", method="GET"):
    """The response; after it, the connection answers another request."""
    fields = f"{fields}\r\n" if fields else ""
    c.send(f"{method} {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode("latin-1"))
    answer = c.response(method)
    if answer["Connection"] == "close":
        assert answer.status == 400 or answer.status == 501, (target, answer.status)
        assert c.closed()
        return answer
    canary = c.get("/canary")
    assert (canary.status, canary.body) == (200, b"canary"), (target, fields)
    return answer


def ask_all(port, asked):
    """Asks (target, fields, method) one after the other; yields the answers."""
    c = Connection(port)
    for target, fields, method in asked:
        answer = ask(c, target, fields, method)
        if answer["Connection"] == "close":
            c.close()
            c = Connection(port)
        yield answer
    c.close()


# --- paths


def test_every_path_has_its_answer(server, ports, site):
    serve(server, ports[0], site)
    rows = answers.PATHS + (answers.UNREADABLE if os.geteuid() == 0 else [])
    got = ask_all(ports[0], [(target, "", "GET") for _, target, _, _ in rows])
    for (_, target, status, body), answer in zip(rows, got):
        assert answer.status == status, target
        assert body is None or answer.body == body, target
    got = ask_all(ports[0], [(target, "", "HEAD") for _, target, _, _ in rows])
    for (_, target, status, _), answer in zip(rows, got):
        assert answer.status == status, target


def test_the_manual_has_the_answers():
    manual = (TOP / "src/conf/bulkhead.conf.5").read_text()
    table = dict(re.findall(r"^\.It (.*?) Ta (\d\d\d)", manual, re.M))
    rows = [(words, status) for words, _, status, _ in answers.PATHS + answers.UNREADABLE if words]
    assert [(words, table.get(words)) for words, _ in rows] == [(words, str(status)) for words, status in rows]


def test_head_has_the_fields_of_get(server, ports, site):
    serve(server, ports[0], site)
    for target in ("/digits.txt", "/empty.txt", "/", "/sub", "/sub/", "/none", "/coded.js"):
        got, head = ask_all(ports[0], [(target, "", "GET"), (target, "", "HEAD")])
        assert [f for f in got.fields if f[0] != "Date"] == [f for f in head.fields if f[0] != "Date"], target


@pytest.mark.parametrize("path", ["/sub", "/sub?a=b&c=%2f", "/./x/../sub?", '/sub?<b>="[c]"|{d}'])
def test_a_folder_is_redirected_to_its_slash(server, ports, site, path):
    serve(server, ports[0], site)
    with Connection(ports[0]) as c:
        answer = ask(c, path)
        query = path[path.index("?"):] if "?" in path else ""
        query = urllib.parse.quote(query, "?/%&=")  # what a URL cannot have
        assert (answer.status, answer["Location"]) == (301, "/sub/" + query)
        # a client that takes the target as the authority's
        assert ask(c, f"http://other.example{path}")["Location"] == "/sub/" + query


@pytest.mark.parametrize("wider", ["files", "respond", "redirect", "echo"])
def test_no_path_passes_a_narrower_location_by(server, ports, site, wider):
    handler = {"files": f'files "{site}"', "respond": 'respond 200 "wider"', "redirect": 'redirect 302 "/x${path}"',
               "echo": "methods any  echo"}[wider]
    server(f'port {ports[0]} {{ location "/" {{ {handler} }} location "/sub" {{ respond 403 }}'
           f' location "/none/deep" {{ respond 403 }} location "/none" {{ {handler} }}'
           ' location exact "/digits.txt" { respond 403 } location "/canary" { respond 200 "canary" } }')
    with Connection(ports[0]) as c:
        for path in ("/sub/b.css", "/./sub/b.css", "/x/../sub/b.css", "/%73ub/b.css", "/digits.txt", "//sub/b.css",
                     "///sub//b.css", "/.//sub/b.css", "/x/..//sub/b.css", "//digits.txt", "/sub//", "//sub",
                     "/none//deep/x", "/none/./deep", "/none/x/..//deep", "/%2fsub/b.css", "/sub%2fb.css",
                     "/none%2f/deep", "/x%2f../sub", "/x/..%2fsub"):
            assert ask(c, path).status == 403, path


def test_a_redirection_leads_to_no_other_host(server, ports, root):
    (root / "evil.example").mkdir()
    (root / "\\evil.example").mkdir()
    (root / "a\r\nb").mkdir()
    serve(server, ports[0], root)
    with Connection(ports[0]) as c:
        assert ask(c, "//evil.example")["Location"] == "/evil.example/"
        assert ask(c, "////evil.example?//x")["Location"] == "/evil.example/?//x"
        assert ask(c, "/%2fevil.example").status == 404
        assert ask(c, "/\\evil.example")["Location"] == "/%5Cevil.example/"
        assert ask(c, "/a%0d%0ab")["Location"] == "/a%0D%0Ab/"


# --- methods, conditions, ranges, encodings


def test_every_method_has_its_answer(server, ports, site):
    serve(server, ports[0], site)
    got = ask_all(ports[0], [("/digits.txt", 'If-Match: "x"\r\nContent-Length: 0', m) for m, _ in answers.METHODS])
    for (method, status), answer in zip(answers.METHODS, got):
        assert answer.status == status, method
        if status in (204, 405):
            assert answer["Allow"] == "GET, HEAD, OPTIONS", method
    with Connection(ports[0]) as c: # a GET may have a body
        c.send(b"GET /digits.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
        assert c.response().body == answers.DIGITS
        c.send(b"GET /digits.txt HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        assert c.response().body == answers.DIGITS
        assert c.get("/canary").body == b"canary"


def test_every_condition_has_its_answer(server, ports, site):
    serve(server, ports[0], site)
    first = get(ports[0], "/digits.txt")
    assert first["Last-Modified"] == answers.LAST
    assert re.fullmatch(r'"[!#-~]+"', first["ETag"])
    tag = first["ETag"]
    rows = [(fields.replace("{tag}", tag), status, body) for fields, status, body in answers.CONDITIONS]
    got = ask_all(ports[0], [("/digits.txt", fields, "GET") for fields, _, _ in rows])
    for (fields, status, body), answer in zip(rows, got):
        assert answer.status == status, fields
        assert body is None or answer.body == body, fields
        if status in (200, 206, 304):
            assert answer["ETag"] == tag, fields
        if status == 304:
            assert not [n for n, _ in answer.fields if n.startswith("Content-") or n == "Last-Modified"], fields
    # what is not there has no conditions (RFC 9110, 13.2.1)
    for fields in ("If-Match: *", "If-None-Match: *", 'If-Match: "x"'):
        for path, status in (("/none", 404), ("/sub", 301), ("/sub/", 403)):
            assert [a.status for a in ask_all(ports[0], [(path, fields, "GET")])] == [status]


def parts_of(answer):
    boundary = re.fullmatch(r"multipart/byteranges; boundary=(\w+)", answer["Content-Type"])[1].encode()
    assert answer["Content-Range"] is None
    body = answer.body
    assert body.startswith(b"--" + boundary + b"\r\n") and body.endswith(b"\r\n--" + boundary + b"--\r\n")
    parts = []
    for part in body[:-len(boundary) - 8].split(b"--" + boundary + b"\r\n")[1:]:
        head, _, data = part.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        first, last, size = map(int, re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", fields["Content-Range"]).groups())
        data = data.removesuffix(b"\r\n")
        parts.append((first, last, size, data, fields["Content-Type"]))
    return parts


def test_every_range_has_its_answer(server, ports, site):
    serve(server, ports[0], site)
    got = ask_all(ports[0], [("/digits.txt", f"Range: {value}", "GET") for value, _ in answers.RANGES])
    for (value, ranges), answer in zip(answers.RANGES, got):
        if ranges is None:
            assert (answer.status, answer.body, answer["Accept-Ranges"]) == (200, answers.DIGITS, "bytes"), value
        elif ranges == "416":
            assert (answer.status, answer["Content-Range"]) == (416, "bytes */10"), value
        elif len(ranges) == 1:
            (first, last), = ranges
            assert (answer.status, answer["Content-Range"]) == (206, f"bytes {first}-{last}/10"), value
            assert answer.body == answers.DIGITS[first:last + 1], value
        else:
            assert answer.status == 206, value
            assert parts_of(answer) == [(first, last, 10, answers.DIGITS[first:last + 1],
                                         "text/plain; charset=utf-8") for first, last in ranges], value
    # only GET has ranges (RFC 9110, 14.2)
    for value, _ in answers.RANGES:
        answer, = ask_all(ports[0], [("/digits.txt", f"Range: {value}", "HEAD")])
        assert (answer.status, answer["Content-Length"]) == (200, "10"), value


def test_a_part_after_if_range_has_only_what_it_needs(server, ports, site):
    """RFC 9110, 15.3.7: the client has the other fields already; a part without If-Range has them all."""
    serve(server, ports[0], site, 'cache "no-cache"  precompressed gzip')
    framing = ["Date", "ETag", "Cache-Control", "Vary", "Accept-Ranges", "Content-Range", "Content-Length"]
    whole = ["Last-Modified", "Content-Type"]
    with Connection(ports[0]) as c:
        for path, accept, more in (("/digits.txt", "", []),
                                   ("/coded.js", "Accept-Encoding: gzip\r\n", ["Content-Encoding"])):
            answer = ask(c, path, accept + "Range: bytes=1-2")
            assert sorted(f[0] for f in answer.fields) == sorted(framing + whole + more)
            body, tag = answer.body, answer["ETag"]
            for value in tag, answers.LAST:
                answer = ask(c, path, f"{accept}Range: bytes=1-2\r\nIf-Range: {value}")
                assert (answer.status, answer.body, answer["ETag"]) == (206, body, tag)
                assert sorted(f[0] for f in answer.fields) == sorted(framing), value
            answer = ask(c, path, f'{accept}Range: bytes=1-2\r\nIf-Range: "x"')
            assert answer.status == 200 and {f[0] for f in answer.fields} >= {*whole, *more}
        answer = ask(c, "/digits.txt", f"Range: bytes=1-2,5-5\r\nIf-Range: {answers.LAST}")
        assert [part[:4] for part in parts_of(answer)] == [(1, 2, 10, b"12"), (5, 5, 10, b"5")]
        assert answer["Last-Modified"] is None


def test_ranges_of_an_empty_file(server, ports, site):
    serve(server, ports[0], site)
    for value, status in (("bytes=0-", 416), ("bytes=0-0", 416), ("bytes=-0", 416), ("bytes=-1", 200)):
        answer, = ask_all(ports[0], [("/empty.txt", f"Range: {value}", "GET")])
        assert answer.status == status, value
        if status == 416:
            assert answer["Content-Range"] == "bytes */0"


def test_ranges_of_a_large_file(server, ports, root):
    """Also those that one output of the server cannot hold, and several of them."""
    data = os.urandom(1 << 20)
    (root / "big").write_bytes(data)
    size = len(data)
    serve(server, ports[0], root)
    with Connection(ports[0]) as c:
        for first, last in ((0, 0), (0, size - 1), (16383, 16384), (16384, 50000), (size - 1, size - 1), (5, 700000)):
            answer = ask(c, "/big", f"Range: bytes={first}-{last}")
            assert answer["Content-Range"] == f"bytes {first}-{last}/{size}"
            assert answer.body == data[first:last + 1]
        ranges = [(700000, 900000), (0, 99999), (200000, 200000), (1000000, size - 1)]
        value = ",".join(f"{first}-{last}" for first, last in ranges)
        answer = ask(c, "/big", f"Range: bytes={value}")
        assert [part[:4] for part in parts_of(answer)] == \
            [(first, last, size, data[first:last + 1]) for first, last in ranges]


def test_a_sparse_file_of_8_gigabytes(server, ports, root):
    with open(root / "sparse", "wb") as f:
        f.seek(8 << 30)
        f.write(b"end")
    serve(server, ports[0], root)
    size = (8 << 30) + 3
    with Connection(ports[0]) as c:
        assert ask(c, "/sparse", method="HEAD")["Content-Length"] == str(size)
        answer = ask(c, "/sparse", "Range: bytes=-4")
        assert (answer["Content-Range"], answer.body) == (f"bytes {size - 4}-{size - 1}/{size}", b"\0end")
        assert ask(c, "/sparse", f"Range: bytes={size}-").status == 416


# --- files that change


def begin(c, path, fields=""):
    """Asks for a file that is larger than all buffers on the way, and reads its first bytes."""
    fields = f"{fields}\r\n" if fields else ""
    c.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode())
    head = c.read_until(b"\r\n\r\n").decode()
    return int(re.search(r"Content-Length: (\d+)", head)[1])


@pytest.fixture
def big(root):
    path = root / "big"
    path.write_bytes(os.urandom(32 << 20))
    return path


def test_a_file_that_shrinks_ends_the_connection(server, ports, root, big):
    data = big.read_bytes()
    serve(server, ports[0], root)
    with Connection(ports[0]) as c:
        length = begin(c, "/big")
        assert length == len(data)
        os.truncate(big, 1000000)
        body = c.read_to_end()
        assert len(body) < length
        assert body == data[:len(body)]
    assert get(ports[0], "/big").body == data[:1000000]


def test_a_file_that_grows_is_sent_up_to_its_length(server, ports, root, big):
    data = big.read_bytes()
    serve(server, ports[0], root)
    with Connection(ports[0]) as c:
        length = begin(c, "/big")
        with open(big, "ab") as f:
            f.write(b"more")
        assert c.read_exactly(length) == data
        assert c.get("/canary").body == b"canary"
        assert ask(c, "/big", "Range: bytes=-4").body == b"more"


@pytest.mark.parametrize("how", ["overwritten", "cut and written", "touched"])
@pytest.mark.parametrize("fields", ["", "Range: bytes=1-30000000", "Range: bytes=0-9999999,20000000-30000000"])
def test_a_file_that_is_overwritten_ends_the_connection(server, ports, root, big, how, fields):
    """No mixture of two files, although its length stays the same."""
    size = big.stat().st_size
    serve(server, ports[0], root)
    with Connection(ports[0]) as c:
        length = begin(c, "/big", fields)
        with open(big, "r+b") as f:
            if how == "cut and written":
                f.truncate(0)
            if how == "touched":
                os.utime(big)
            else:
                f.write(os.urandom(size))
        assert len(c.read_to_end()) < length
    assert get(ports[0], "/big").body == big.read_bytes()


@pytest.mark.parametrize("how", ["linked", "mode", "moved"])
def test_a_file_whose_bytes_stay_is_sent_whole(server, ports, root, big, how):
    data = big.read_bytes()
    serve(server, ports[0], root)
    with Connection(ports[0]) as c:
        length = begin(c, "/big")
        if how == "linked":
            os.link(big, root / "other")
        elif how == "mode":
            big.chmod(0o600)
        else:
            big.rename(root / "other")
        assert c.read_exactly(length) == data
        assert c.get("/canary").body == b"canary"


@pytest.mark.parametrize("how", ["renamed", "removed"])
def test_a_file_that_is_replaced_is_sent_whole(server, ports, root, big, how):
    data = big.read_bytes()
    serve(server, ports[0], root)
    with Connection(ports[0]) as c:
        before = ask(c, "/big", method="HEAD")["ETag"]
        length = begin(c, "/big")
        if how == "renamed":
            (root / "new").write_bytes(b"new")
            os.rename(root / "new", big)
        else:
            os.unlink(big)
        assert c.read_exactly(length) == data
        after = ask(c, "/big")
        if how == "removed":
            assert after.status == 404
        else:
            assert (after.body, after["ETag"] == before) == (b"new", False)


def test_a_race_of_renames_shows_nothing_from_outside(server, ports, root):
    """A folder and a link to the outside take each other's place all the time."""
    (root.parent / "secret").mkdir()
    (root.parent / "secret" / "x").write_text("secret")
    (root / "inside").mkdir()
    (root / "inside" / "x").write_text("inside")
    (root / "a").mkdir()
    (root / "a" / "x").write_text("inside")
    serve(server, ports[0], root)
    stop = threading.Event()

    def swap():
        while not stop.is_set():
            os.rename(root / "a", root / "b")
            os.symlink("../secret", root / "a")
            os.unlink(root / "a")
            os.rename(root / "b", root / "a")

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        seen = set()
        with Connection(ports[0]) as c:
            for _ in range(2000):
                answer = c.get("/a/x")
                seen.add((answer.status, answer.body if answer.status == 200 else b""))
    finally:
        stop.set()
        thread.join()
    assert seen <= {(200, b"inside"), (404, b""), (503, b"")}
    assert (200, b"inside") in seen


def test_a_deploy_by_a_link_takes_effect_at_once(server, ports, root):
    for release in "1", "2":
        (root / "releases" / release).mkdir(parents=True)
        (root / "releases" / release / "index.html").write_text(release)
    (root / "current").symlink_to("releases/1")
    serve(server, ports[0], root / "current")
    with Connection(ports[0]) as c:
        assert ask(c, "/").body == b"1"
        (root / "next").symlink_to("releases/2")
        os.rename(root / "next", root / "current")
        assert ask(c, "/").body == b"2"
        (root / "next").symlink_to(root / "releases" / "1")
        os.rename(root / "next", root / "current")
        assert ask(c, "/").body == b"1"


def test_times_are_not_in_the_future(server, ports, root):
    (root / "x").write_bytes(b"x")
    os.utime(root / "x", (4000000000, 4000000000))
    serve(server, ports[0], root)
    with Connection(ports[0]) as c:
        answer = ask(c, "/x")
        assert answer["Last-Modified"] == answer["Date"]


def test_a_tag_is_as_new_as_its_file(server, ports, root):
    serve(server, ports[0], root)
    tags = set()
    with Connection(ports[0]) as c:
        for i in range(20):
            (root / "new").write_text(f"{i:04}")
            os.rename(root / "new", root / "x")
            answer = ask(c, "/x")
            assert answer.body == f"{i:04}".encode()
            tags.add(answer["ETag"])
    assert len(tags) == 20


@pytest.mark.parametrize("how", ["removed and made", "overwritten", "cut and written"])
def test_a_tag_is_another_one_although_the_times_are_set_back(server, ports, root, how):
    """As with SOURCE_DATE_EPOCH, rsync -t or tar: same inode number perhaps, same size, same time."""
    path = root / "x"
    path.write_bytes(b"old!")
    os.utime(path, (answers.MODIFIED, answers.MODIFIED))
    serve(server, ports[0], root)
    with Connection(ports[0]) as c:
        tags = {ask(c, "/x")["ETag"]}
        for i in range(20):
            if how == "removed and made":
                path.unlink()
            content = b"%04d" % i
            with open(path, "r+b" if how == "overwritten" else "wb") as f:
                f.write(content)
            os.utime(path, (answers.MODIFIED, answers.MODIFIED))
            before = max(tags)
            answer = ask(c, "/x", f"If-None-Match: {before}")
            assert (answer.status, answer.body, answer["Last-Modified"]) == (200, content, answers.LAST)
            spliced = ask(c, "/x", f"If-Range: {before}\r\nRange: bytes=2-3")
            assert (spliced.status, spliced.body) == (200, content)
            tags.add(answer["ETag"])
    assert len(tags) == 21


def test_a_tag_is_strong(server, ports, root):
    """At once on kernels that give each change a time of its own, else when the clock has moved on."""
    release = tuple(int(n) for n in re.match(r"(\d+)\.(\d+)", os.uname().release).groups())
    serve(server, ports[0], root)
    with Connection(ports[0]) as c:
        for i in range(10):
            (root / "x").write_bytes(b"%04d" % i)
            tag = ask(c, "/x")["ETag"]
            assert release < (6, 13) or not tag.startswith("W/"), (i, tag)
            wait_for(lambda: not ask(c, "/x")["ETag"].startswith("W/"), "a strong tag")
            tag = ask(c, "/x")["ETag"]
            assert ask(c, "/x", f"If-None-Match: {tag}").status == 304
            assert ask(c, "/x", f"If-Match: {tag}").status == 200
            assert ask(c, "/x", f"If-Range: {tag}\r\nRange: bytes=0-1").status == 206


def test_a_slow_reader_of_a_fifo_or_a_writer_does_not_block(server, ports, site):
    serve(server, ports[0], site)
    with Connection(ports[0]) as c:
        for _ in range(5):
            assert ask(c, "/fifo").status == 404


def test_many_files_are_open_at_once(server, ports, root):
    """More than the connections alone would need descriptors for."""
    (root / "big").write_bytes(b"x" * (8 << 20))
    server(f'port {ports[0]} {{ limits {{ connections 200 }} location "/" {{ files "{root}" }} '
           'location "/canary" { respond 200 "canary" } }')
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(Connection(ports[0])) for _ in range(150)]
        for c in held:
            begin(c, "/big")
        with Connection(ports[0]) as c:
            assert ask(c, "/big", "Range: bytes=0-0").status == 206


# --- encodings, options


def test_a_page_gives_its_field_in_place_of_the_handlers(server, ports, site):
    """RFC 9110, 5.3: no second line of a field that is no list."""
    server(f'port {ports[0]} {{ location "/" {{ files "{site}" {{ precompressed gzip }}'
           ' error 404 { respond "none" header "Vary" "Cookie" header "Retry-After" "60" } }'
           ' location "/busy" { respond 503 header "retry-after" "1"'
           ' error 503 { respond "back soon\\n" header "Retry-After" "60" } }'
           ' location "/canary" { respond 200 "canary" } }')
    with Connection(ports[0]) as c:
        answer = ask(c, "/busy")
        assert (answer.status, answer.body) == (503, b"back soon\n")
        assert [f for f in answer.fields if f[0].lower() == "retry-after"] == [("Retry-After", "60")]
        answer = ask(c, "/none")
        assert sorted(f[1] for f in answer.fields if f[0] == "Vary") == ["Accept-Encoding", "Cookie"]


@pytest.mark.parametrize("methods,allow", [("any", "GET, HEAD, OPTIONS"), ('"HEAD" "OPTIONS" "PUT"', "HEAD, OPTIONS"),
                                           ('"GET" "POST"', "GET, HEAD, OPTIONS")])
def test_allow_has_what_files_answers(server, ports, site, methods, allow):
    server(f'port {ports[0]} {{ location "/" {{ methods {methods} files "{site}" }}'
           ' location "/canary" { respond 200 "canary" } }')
    got = ask_all(ports[0], [("/digits.txt", "Content-Length: 0", m) for m, _ in answers.METHODS])
    for (method, status), answer in zip(answers.METHODS, got):
        assert answer.status == status, method
        if status in (204, 405):
            assert answer["Allow"] == allow, method


def test_every_encoding_has_its_answer(server, ports, site):
    serve(server, ports[0], site, "precompressed br zstd gzip")
    bodies = {None: b"identity!", "gzip": b"gzip!", "br": b"brotli!"}
    tags = {}
    asked = [("/coded.js", "" if accept is None else f"Accept-Encoding: {accept}", "GET")
             for accept, _ in answers.ENCODINGS]
    for (accept, coding), answer in zip(answers.ENCODINGS, ask_all(ports[0], asked)):
        assert "accept-encoding" in answer["Vary"].lower(), accept
        if coding == 406:
            assert answer.status == 406, accept
            continue
        assert (answer.status, answer.body, answer["Content-Encoding"]) == (200, bodies[coding], coding), accept
        assert answer["Content-Type"].startswith("text/javascript"), accept
        assert tags.setdefault(coding, answer["ETag"]) == answer["ETag"]
    assert len(set(tags.values())) == 3
    for coding, tag in tags.items():
        for other, other_tag in tags.items():
            fields = f"Accept-Encoding: {coding or 'identity'}\r\nIf-None-Match: {other_tag}"
            answer, = ask_all(ports[0], [("/coded.js", fields, "GET")])
            assert answer.status == (304 if coding == other else 200)
            assert answer["Vary"] == "Accept-Encoding" and answer["ETag"] == tag
    for target in ("/sub", "/sub/", "/none", "/sub%2fx"):
        assert next(ask_all(ports[0], [(target, "", "GET")]))["Vary"] == "Accept-Encoding", target
    answer, = ask_all(ports[0], [("/coded.js", "Accept-Encoding: gzip\r\nRange: bytes=1-2", "GET")])
    assert (answer.status, answer.body, answer["Content-Range"]) == (206, b"zi", "bytes 1-2/5")
    # several ranges: a multipart body has no coding of its own, so the whole is sent
    answer, = ask_all(ports[0], [("/coded.js", "Accept-Encoding: gzip\r\nRange: bytes=0-1,4-4", "GET")])
    assert (answer.status, answer.body, answer["Content-Encoding"]) == (200, b"gzip!", "gzip")
    answer, = ask_all(ports[0], [("/coded.js", "Range: bytes=0-1,4-4", "GET")])
    assert (answer.status, answer["Content-Encoding"], len(parts_of(answer))) == (206, None, 2)


def test_a_fallback_answers_what_is_no_file(server, ports, site):
    serve(server, ports[0], site, 'fallback "/sub/b.css"  cache "no-cache"  index "noext" "x"')
    with Connection(ports[0]) as c:
        for path in ("/none", "/none/", "/sub/", "/fifo", "/out", "/sub%2fx", "/digits.txt/x"):
            answer = ask(c, path)
            assert (answer.status, answer.body, answer["Cache-Control"]) == (200, b"body{}", "no-cache"), path
            assert answer["Content-Type"] == "text/css; charset=utf-8"
        assert ask(c, "/.hidden").status == 404
        assert ask(c, "/").body == b"x"
        assert ask(c, "/sub").status == 301


def test_types_and_charset_are_as_configured(server, ports, site):
    serve(server, ports[0], site, 'type "text/x-own" "css" "own"  type "application/x-rest"  charset "latin1"  '
                                  'hidden serve  symlinks none')
    with Connection(ports[0]) as c:
        assert ask(c, "/sub/b.css")["Content-Type"] == "text/x-own; charset=latin1"
        assert ask(c, "/noext")["Content-Type"] == "application/x-rest"
        assert ask(c, "/digits.txt")["Content-Type"] == "text/plain; charset=latin1"
        assert ask(c, "/.hidden").body == b"hidden"
        assert ask(c, "/link.txt").status == 404
        assert ask(c, "/linked/b.css").status == 404


# --- folders


class Links(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found, self.tags = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag == "a":
            self.found.append(dict(attrs)["href"])


def test_a_folder_is_listed(server, ports, site):
    (site / "<i>&\"'.txt").write_text("markup")
    serve(server, ports[0], site, "listing on  index off")
    with Connection(ports[0]) as c:
        page = ask(c, "/")
        assert (page.status, page["Content-Type"], page["Vary"]) == (200, "text/html; charset=utf-8", "Accept")
        links = Links(page.body.decode())
        assert "script" not in links.tags and "i" not in links.tags
        names = [link for link in links.found if not link.startswith("?")]
        assert "../" not in names
        for link in names: # each leads to what it names
            assert ask(c, "/" + link.removeprefix("./")).status in (200, 403), link
        shown = set(names)
        for hidden in ("./.hidden", "./.git/", "./fifo", "./socket", "./out", "./absolute", "./loop1", "./dangling"):
            assert hidden not in shown
        listed = json.loads(ask(c, "/", "Accept: application/json").body)
        assert [e["href"] for e in listed["entries"]] == names
        assert listed["complete"] and listed["path"] == "/"
        by_size = json.loads(ask(c, "/?sort=size&order=desc", "Accept: application/json").body)["entries"]
        sizes = [e["size"] for e in by_size if e["type"] == "file"]
        assert sizes == sorted(sizes, reverse=True)
        assert "../" in Links(ask(c, "/sub/").body.decode()).found
        head = ask(c, "/", method="HEAD")
        assert (head.status, head["Content-Type"]) == (200, page["Content-Type"])


def test_a_large_folder_is_listed_in_parts(server, ports, root):
    """50,000 entries: a bounded part of them, while others are served."""
    for i in range(50000):
        os.close(os.open(root / f"{i:05}", os.O_CREAT | os.O_WRONLY))
    s = serve(server, ports[0], root, "listing on")
    with Connection(ports[0]) as c, Connection(ports[0]) as other:
        c.send(b"GET / HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\n\r\n")
        assert other.get("/canary").body == b"canary"
        listed = json.loads(c.response().body)
        assert len(listed["entries"]) == 10000 and not listed["complete"]
        names = [e["name"] for e in listed["entries"]]
        assert names == sorted(names)
        assert c.get("/canary").body == b"canary"
    assert s.workers()
