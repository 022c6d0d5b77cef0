"""Thousands of requests for files, whose answers are worked out a second time by files_models.py, and each
answer read strictly: one after the other on a connection, many at once, and in pieces."""
import os
import random
import re
import threading

import files_answers as answers
import files_models as models
import pytest

from harness import Connection
from test_files import parts_of, root, serve, site  # noqa: F401

SINGLE = ("content-length", "content-type", "content-range", "content-encoding", "etag", "last-modified", "date",
          "location", "retry-after", "accept-ranges", "connection", "cache-control", "vary", "allow")


def read(c, method):
    """A response, which breaks no rule of RFC 9110 and 9112 about all of them."""
    r = c.response(method)
    names = [name.lower() for name, _ in r.fields]
    assert [n for n in names if n in SINGLE and names.count(n) > 1] == [], r.fields
    for name, value in r.fields:
        assert re.fullmatch(models.TOKEN, name) and re.fullmatch(r"[!-~]([ -~]*[!-~])?", value), r.fields
    assert r["Date"] or r.status >= 500
    assert r.status != 204 or (r["Content-Length"], r["Transfer-Encoding"]) == (None, None)
    assert not (r["Content-Length"] and r["Transfer-Encoding"])
    assert r.status != 405 or r["Allow"]
    assert r.status not in (301, 302, 303, 307, 308) or re.fullmatch(r"[!#-;=?-\[\]_a-z~]+", r["Location"])
    several = (r["Content-Type"] or "").startswith("multipart/")
    assert (r["Content-Range"] is not None) == (r.status == 416 or (r.status == 206 and not several)), r.fields
    assert r["ETag"] is None or re.fullmatch(r'(W/)?"[!#-~]*"', r["ETag"])
    if r.status == 304:
        assert not {"content-type", "content-encoding", "content-range", "last-modified"} & set(names)
    return r


def request(target, fields="", method="GET"):
    fields = f"{fields}\r\n" if fields else ""
    return f"{method} {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode("latin-1")


def batches(port, asked, size=40):
    """Asks (target, fields, method), several at once; yields them with their answers."""
    asked = list(asked)
    while asked:
        with Connection(port) as c:
            now = asked[:size]
            c.send(b"".join(request(*a) for a in now))
            for a in now:
                answer = read(c, a[2])
                yield a, answer
                asked.pop(0)
                if answer["Connection"] == "close":
                    assert answer.status == 400 and c.closed(), a
                    break


def test_conditions_and_all_pairs_and_triples_of_them(server, ports, site):  # noqa: F811
    serve(server, ports[0], site)
    (_, whole), = batches(ports[0], [("/digits.txt", "", "GET")])
    values = {"tag": whole["ETag"], "last": answers.LAST, "later": answers.LATER, "before": answers.BEFORE}
    rows = [(m, re.sub(r"\{(\w+)\}", lambda f: values[f[1]], fields), status)
            for m, fields, status in models.conditions()]
    assert len(rows) > 1000
    got = batches(ports[0], [("/digits.txt", fields, m) for m, fields, _ in rows])
    for (m, fields, status), (_, answer) in zip(rows, got):
        assert answer.status == status, (m, fields)
        if m == "GET" and status in (200, 206):
            assert answer.body == (answers.DIGITS if status == 200 else answers.DIGITS[2:5]), fields
        assert status == 412 or answer["ETag"] == whole["ETag"], fields


@pytest.mark.parametrize("name", ["digits.txt", "noext"])
def test_ranges_of_all_kinds(server, ports, site, name):  # noqa: F811
    serve(server, ports[0], site)
    whole, rnd = (site / name).read_bytes(), random.Random(name)
    values = [models.range_made(rnd, len(whole)) for _ in range(600)]
    for (_, field, _), r in batches(ports[0], [("/" + name, f"Range: {v}", "GET") for v in values]):
        wanted = models.ranges_wanted(field.removeprefix("Range: ").rstrip(" \t"), len(whole))
        if not wanted:
            assert r.status == (200 if wanted is None else 416), field
            assert wanted == [] or r.body == whole, field
            continue
        assert r.status == 206, field
        if r["Content-Range"]:
            first, last, size = map(int, re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", r["Content-Range"]).groups())
            sent = [(first, last, size, r.body)]
        else:
            sent = [part[:4] for part in parts_of(r)]
            assert len(sent) > 1
        assert all(data == whole[first:last + 1] and size == len(whole) for first, last, size, data in sent), field
        # none is missing, none is sent twice
        covered = [i for first, last, _, _ in sent for i in range(first, last + 1)]
        assert len(covered) == len(set(covered)), field
        assert set(covered) == {i for first, last in wanted for i in range(first, last + 1)}, field


def test_codings_by_their_weights(server, ports, site):  # noqa: F811
    (site / "coded.js.zst").write_bytes(b"zstd!")
    serve(server, ports[0], site, "precompressed br gzip zstd")
    have = {"identity": b"identity!", "gzip": b"gzip!", "br": b"brotli!", "zstd": b"zstd!"}
    rnd = random.Random(12)
    values = [models.coding_made(rnd) for _ in range(800)]
    for (_, field, _), r in batches(ports[0], [("/coded.js", f"Accept-Encoding: {v}", "GET") for v in values]):
        weights = models.codings_accepted(field.partition(": ")[2])
        best = max(models.coding_weight(weights, coding) for coding in have)
        assert r["Vary"] == "Accept-Encoding"
        if best == 0:
            assert r.status == 406, field
            continue
        coding = r["Content-Encoding"] or "identity"
        assert (r.status, r.body) == (200, have[coding]), field
        assert models.coding_weight(weights, coding) == best, field


def test_paths_by_chance(server, ports, site):  # noqa: F811
    serve(server, ports[0], site)
    names = [n for n in os.listdir(os.fsencode(site)) if n != b"closed"] + [
        b"b.css", b"config", b"security.txt", b"outside", b"passwd", b"etc", b"none", b"n" * 256, b".", b"..", b"..",
        b"...", b"", b"x"]
    names += [b"closed"] if os.geteuid() == 0 else []
    rnd = random.Random(3986)
    targets = [t for t in (models.path_made(rnd, names) for _ in range(2500)) if not t.startswith("/canary")]
    for (target, _, _), r in batches(ports[0], [(t, "", "GET") for t in targets]):
        status, content = models.path_answer(os.fspath(site), target, os.geteuid() == 0)
        assert r.status == status, target
        assert content is None or r.body == content, target


def alike(r):
    """What two answers to one request have in common."""
    fields = [(n, re.sub(r"(?<=boundary=).*", "", v)) for n, v in r.fields if n not in ("Date", "Connection")]
    return r.status, fields, len(r.body) if r.status == 206 else r.body


@pytest.mark.plain_too
def test_requests_in_any_pieces_have_the_answers_that_each_has_alone(server, ports, site):  # noqa: F811
    """Nothing of a request is left for the next one on its connection."""
    serve(server, ports[0], site, "precompressed br gzip")
    rnd = random.Random(9112)
    asked = [(path, rnd.choice(("", "Range: bytes=1-2,4-5", "If-None-Match: *", 'If-Match: "x"', "Range: bytes=99-",
                                "Accept-Encoding: gzip", "Content-Length: 0", "Accept-Encoding: identity;q=0")),
              rnd.choice(("GET", "GET", "HEAD", "PUT", "OPTIONS")))
             for path in ("/digits.txt", "/empty.txt", "/", "/sub", "/sub/", "/none", "/coded.js", "/.hidden", "/fifo",
                          "/out", "/sub%2f", "/canary") for _ in range(6)]
    alone = [alike(answer) for _, answer in batches(ports[0], asked, size=1)]
    for longest in (1, 40, 4000):
        order = list(range(len(asked)))
        rnd.shuffle(order)
        data = b"".join(request(*asked[i]) for i in order)
        with Connection(ports[0]) as c:
            def send():
                at = 0
                while at < len(data):
                    end = at + rnd.randrange(1, longest + 1)
                    c.send(data[at:end])
                    at = end

            if c.plain:
                thread = threading.Thread(target=send)
                thread.start()
            else:  # OpenSSL does not allow two threads; the answers fit into the buffers of the sockets
                send()
            for i in order:
                assert alike(read(c, asked[i][2])) == alone[i], asked[i]
            if c.plain:
                thread.join()
