"""Folders, files and links of a document root that take each other's place, in, out of and outside of it, as fast
as the kernel can rename, while clients ask for all of them: nothing from outside is ever sent."""
import ctypes
import multiprocessing
import os
import random
import threading

import pytest

from harness import Connection, wait_for
from test_files import root  # noqa: F401

PLAIN_TOO = True

RENAME_EXCHANGE = 2
OUTSIDE = b"this is outside"
ANSWERS = 6000
PATHS = ["/f", "/d/f", "/d/e/f", "/d/", "/d/e/", "/d", "/link/f", "/link/", "/deep/f", "/out/f", "/out/e/f", "/one",
         "/d/../d/e/f", "/link/../f", "/absolute/f", "/", "/link/l/f", "/d/l/f", "/nothing"]
FIELDS = ["", "Accept-Encoding: gzip\r\n", "Range: bytes=0-3\r\n", "Accept: application/json\r\n"]


@pytest.fixture
def site(root):  # noqa: F811
    outside = root.parent / "outside"
    for folder, text in (root, b"inside"), (root / "d", b"inside"), (root / "d" / "e", b"inside"), \
            (outside, OUTSIDE), (outside / "e", OUTSIDE):
        folder.mkdir(exist_ok=True)
        for name in "f", "f.gz", "index.html":
            (folder / name).write_bytes(text)
    (outside / "only-outside").touch()
    (root / "index.html").unlink()  # so that it is listed
    for name, target in {"out": "../outside", "one": "../outside/f", "two": "../outside/f.gz", "link": "d",
                         "deep": "d/e", "absolute": outside, "d/l": "../../outside/e"}.items():
        os.symlink(target, root / name)
    (root.parent / "aside").mkdir()
    return root


def swap(folders, stop, count, seed):  # a process of its own: threads of one process would wait for each other
    libc, rnd = ctypes.CDLL(None, use_errno=True), random.Random(seed)
    top, d, aside = folders
    pairs = [(top, "d", "out"), (top, "f", "one"), (top, "d", "link"), (top, "d", "absolute"), (top, "f.gz", "two"),
             (top, "deep", "absolute"), (top, "link", "out"), (d, "e", "l")]
    while not stop.is_set():
        folder, a, b = rnd.choice(pairs)
        libc.renameat2(folder, a.encode(), folder, b.encode(), RENAME_EXCHANGE)
        name, away = rnd.choice("el"), f"{seed}"
        try:
            os.rename(name, away, src_dir_fd=d, dst_dir_fd=aside)
            os.rename(away, name, src_dir_fd=aside, dst_dir_fd=d)
        except OSError:
            pass  # the other process has it
        count.value += 1


def ask(port, seed, seen):
    rnd = random.Random(seed)
    with Connection(port) as c:
        for _ in range(ANSWERS // 30):
            paths = [rnd.choice(PATHS) for _ in range(10)]
            c.send("".join(f"GET {p} HTTP/1.1\r\nHost: a\r\n{rnd.choice(FIELDS)}\r\n" for p in paths).encode())
            for path in paths:
                r = c.response()
                assert OUTSIDE[:4] not in r.body and b"only-outside" not in r.body, (path, r.body)
                seen.append((r.status, b"insi" in r.body))


def test_nothing_from_outside_is_sent(server, ports, site):
    server(f'port {ports[0]} {{ workers 2  files "{site}" {{ listing on  precompressed gzip }} }}')
    # descriptors: a path through a link that is swapped meanwhile would move the outside into the root
    folders = [os.open(f, os.O_PATH | os.O_DIRECTORY) for f in (site, site / "d", site.parent / "aside")]
    stop, counts = multiprocessing.Event(), [multiprocessing.Value("L") for _ in range(2)]
    swappers = [multiprocessing.Process(target=swap, args=(folders, stop, n, i)) for i, n in enumerate(counts)]
    seen, failed = [], []

    def client(seed):
        try:
            ask(ports[0], seed, seen)
        except BaseException as e:  # pylint: disable=broad-except
            failed.append(e)

    clients = [threading.Thread(target=client, args=(i,)) for i in range(3)]
    for p in swappers:
        p.start()
    try:
        wait_for(lambda: all(n.value > 0 for n in counts), "renames")
        for c in clients:
            c.start()
        for c in clients:
            c.join()
    finally:
        stop.set()
        for p in swappers:
            p.join()
        for folder in folders:
            os.close(folder)
    assert not failed, failed
    assert len(seen) == ANSWERS and {status for status, _ in seen} <= {200, 206, 301, 403, 404, 503}
    assert sum(inside for _, inside in seen) > ANSWERS / 20, "too little of what is inside"
