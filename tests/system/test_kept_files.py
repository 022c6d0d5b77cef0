"""Files that are asked for again and again: the worker keeps them open, every change shows with the next
request, and descriptors that are needed elsewhere are given up."""
import contextlib
import os
import pathlib
import shutil
import tempfile

import pytest

from harness import Connection, get, need_root, wait_for

THREADED = True


@pytest.fixture
def site():
    """A folder that other users may enter."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bulkhead-kept-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def is_open(pid, path):
    """Has the process this file open?"""
    wanted = os.stat(path)
    for number in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            found = os.stat(f"/proc/{pid}/fd/{number}")
            if (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino):
                return True
    return False


def keep(pid, connection, path, name, body):
    """Asks for a file until it is kept, some seconds after it was made."""
    def asked():
        assert connection.get(path).body == body
        return is_open(pid, name)
    wait_for(asked, f"{path} is kept")


def replace(path, text):
    """As editors do."""
    fresh = path.with_name("fresh")
    fresh.write_text(text)
    os.rename(fresh, path)


def switch(link, target):
    fresh = link.with_name("fresh")
    fresh.symlink_to(target)
    os.rename(fresh, link)


def folder_replace(path):
    os.rename(path.parent, path.parent.with_name("away"))
    path.parent.mkdir(mode=0o755)
    path.write_text("changed")


CHANGES = {
    "written": (lambda path: path.write_text("changed"), b"changed"),
    "appended": (lambda path: path.open("a").write(" more"), b"page more"),
    "shortened": (lambda path: os.truncate(path, 2), b"pa"),
    "replaced": (lambda path: replace(path, "changed"), b"changed"),
    "removed": (lambda path: path.unlink(), 404),
    "moved": (lambda path: path.rename(path.with_name("moved")), 404),
    "forbidden": (lambda path: path.chmod(0), 403),
    "folder": (folder_replace, b"changed"),
    "folder-forbidden": (lambda path: path.parent.chmod(0o700), 403),
}


def test_each_change_of_a_kept_file_shows_at_once(server, ports, site):
    need_root()
    paths = {kind: site / kind / "inner" / "page.txt" for kind in CHANGES}
    for path in paths.values():
        path.parent.mkdir(mode=0o755, parents=True)
        path.write_text("page")
    s = server(f'port {ports[0]} {{ files "{site}" }}')
    pid = s.workers()[ports[0], 1]
    with Connection(ports[0]) as c:
        for kind, path in paths.items():
            change, after = CHANGES[kind]
            target = f"/{path.relative_to(site)}"
            keep(pid, c, target, path, b"page")
            tag = c.get(target)["ETag"]
            change(path)
            answer = c.get(target, f"If-None-Match: {tag}\r\n")
            assert (answer.body if answer.status == 200 else answer.status) == after, kind


@pytest.mark.parametrize("again", [1, 2])
def test_a_switched_root_shows_at_once(server, ports, site, again):
    need_root()
    for n in "12":
        (site / "releases" / n).mkdir(mode=0o755, parents=True)
        (site / "releases" / n / "page.txt").write_text(n)
    (site / "current").symlink_to("releases/1")
    s = server(f'port {ports[0]} {{ files "{site}/current" }}')
    pid = s.workers()[ports[0], 1]
    with Connection(ports[0]) as c:
        for n, other in (("1", "2"), ("2", "1"))[:again]:
            keep(pid, c, "/page.txt", site / "releases" / n / "page.txt", n.encode())
            switch(site / "current", f"releases/{other}")
            assert c.get("/page.txt").body == other.encode()


def test_what_nobody_asks_for_is_closed(server, ports, site):
    need_root()
    (site / "page.txt").write_text("page")
    s = server(f'port {ports[0]} {{ location "/" {{ files "{site}" }} '
               f'location "/unkept" {{ files "{site}" {{ keep off }} }} }}')
    pid = s.workers()[ports[0], 1]
    with Connection(ports[0]) as c:
        keep(pid, c, "/page.txt", site / "page.txt", b"page")
        wait_for(lambda: not is_open(pid, site / "page.txt"), "it is closed")
        for _ in range(5):
            assert c.get("/unkept/page.txt").body == b"page"
            assert not is_open(pid, site / "page.txt")


def test_kept_files_make_room_for_clients(server, ports, site):
    """The hard limit is lowered, so that there are fewer descriptors than the worker would like."""
    need_root("prlimit")
    names = [f"f{i}.txt" for i in range(12)]
    for name in names:
        (site / name).write_text(name)
    s = server(f'port {ports[0]} {{ limits {{ idle 1h; handshake-timeout 1h; requests 1000000 }} files "{site}" }}',
               wrapper=("prlimit", "--nofile=48:48", "--"))
    pid = s.workers()[ports[0], 1]
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Connection(ports[0]))]
        free = 48 - len(os.listdir(f"/proc/{pid}/fd"))

        def asked():
            assert [clients[0].get(f"/{name}").body for name in names] == [name.encode() for name in names]
            return all(is_open(pid, site / name) for name in names)
        wait_for(asked, "all are kept")
        clients += [stack.enter_context(Connection(ports[0])) for _ in range(free - 1)]
        for c in clients:
            assert c.get("/f0.txt").body == b"f0.txt"
    assert get(ports[0], "/f1.txt").body == b"f1.txt"
    assert s.stop() == 0
