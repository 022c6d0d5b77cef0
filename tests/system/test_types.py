"""Media types: what a reload does with another table of the system's."""
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from harness import BINARY, get, need_root
from test_control import controlled, ctl  # noqa: F401 (a fixture)

# What the server and its libraries read there
NEEDED = ("passwd", "group", "nsswitch.conf", "ld.so.cache", "hosts", "localtime", "gnutls", "ssl")


@pytest.fixture
def etc():
    """A folder that is /etc for the servers of in_it()."""
    need_root("unshare")
    with tempfile.TemporaryDirectory(prefix="bulkhead-") as folder:
        os.chmod(folder, 0o755)
        folder = pathlib.Path(folder)
        for name in NEEDED:
            path = pathlib.Path("/etc") / name
            if path.is_dir():
                shutil.copytree(path, folder / name, symlinks=True,
                                ignore=shutil.ignore_patterns("private"))
            elif path.exists():
                shutil.copy(path, folder / name)
        yield folder


@pytest.fixture
def site():
    with tempfile.TemporaryDirectory(prefix="bulkhead-") as folder:
        os.chmod(folder, 0o755)
        for name in ("page.own", "sent.own"):
            path = pathlib.Path(folder) / name
            path.write_text(name)
            path.chmod(0o644)
        yield pathlib.Path(folder)


def in_it(etc):
    return ("unshare", "-m", "sh", "-c", f'mount --bind "{etc}" /etc && exec "$0" "$@"')


def put(etc, text):
    """Another file in the place of the table, as a package manager puts it there."""
    fresh = etc / "mime.types.new"
    fresh.write_text(text)
    fresh.chmod(0o644)
    os.rename(fresh, etc / "mime.types")


@pytest.mark.parametrize("tls", ["", "tls off"], ids=["tls", "plain"])
@pytest.mark.parametrize("kind", ["files", "respond"])
def test_a_reload_brings_another_table_to_all_workers(controlled, ports, etc, site, kind, tls):  # noqa: F811
    what = {"files": f'location "/" {{ files "{site}" }}',
            "respond": f'location "/page.own" {{ respond 200 file "{site}/sent.own" }}'}[kind]
    put(etc, "application/x-first own\n")
    s = controlled(f"port {ports[0]} {{ workers 2 {tls} {what} }}\n", wrapper=in_it(etc))

    def seen():
        """By enough connections that both workers have some of them."""
        return {get(ports[0], "/page.own", plain=True if tls else None)["Content-Type"] for _ in range(40)}

    def reload():
        """Does it keep the processes of the port?"""
        before = s.log().count("reloaded: ")
        assert ctl(s, "reload").returncode == 0
        return s.wait_log(r"reloaded: (\d) kept, (\d) changed", count=before + 1)[-1].groups() == ("1", "0")

    assert seen() == {"application/x-first"}
    put(etc, "application/x-second own\n")
    assert not reload()
    assert seen() == {"application/x-second"}
    # the same text in another file is no change, and what follows is one again
    put(etc, "application/x-second own\n")
    assert reload()
    put(etc, "application/x-third own\n")
    assert not reload()
    assert seen() == {"application/x-third"}
    # without a table, those that the program knows remain
    (etc / "mime.types").unlink()
    assert not reload()
    assert seen() == {"application/octet-stream"}


def started(s):
    """How many children have been ready so far."""
    return s.log().count(" is ready")


@pytest.mark.parametrize("tls", ["", "tls off"], ids=["tls", "plain"])
def test_a_system_without_a_table_is_reloaded_without_new_processes(controlled, ports, etc, site, tls):  # noqa: F811
    s = controlled(f'port {ports[0]} {{ {tls} location "/" {{ files "{site}" }} }}\n', wrapper=in_it(etc))
    before = started(s)
    for how in ((), (), ("--dry-run",)):
        r = ctl(s, "reload", *how)
        assert (r.returncode, r.stdout) == (0, f"{ports[0]} keep\n")
    assert started(s) == before
    assert "media types" not in s.log()
    # one that comes is seen, and one that goes again
    put(etc, "application/x-own own\n")
    assert "media types" not in ctl(s, "reload").stderr
    assert get(ports[0], "/page.own", plain=True if tls else None)["Content-Type"] == "application/x-own"
    (etc / "mime.types").unlink()
    assert ctl(s, "reload").returncode == 0
    assert get(ports[0], "/page.own", plain=True if tls else None)["Content-Type"] == "application/octet-stream"
    before = started(s)
    assert ctl(s, "reload").stdout == f"{ports[0]} keep\n"
    assert started(s) == before


def test_a_table_that_cannot_be_read_is_replaced_by_the_built_in_one(controlled, ports, etc, site):  # noqa: F811
    table = etc / "mime.types"
    table.symlink_to("mime.types")
    (site / "page.html").write_text("page")
    (site / "page.html").chmod(0o644)
    told = ('the media types in "/etc/mime.types" cannot be read: Too many levels of symbolic links; the '
            'built-in ones are used')
    s = controlled("".join(f'port {p} {{ location "/" {{ files "{site}" }} }}\n' for p in ports[:2]),
                   wrapper=in_it(etc))
    for port in ports[:2]:
        assert get(port, "/page.html")["Content-Type"] == "text/html; charset=utf-8"
    before = started(s)
    assert ctl(s, "reload").stdout == "".join(f"{p} keep\n" for p in sorted(ports[:2]))
    assert started(s) == before
    assert s.log().count(told) == 1
    put(etc, "application/x-own own\n")
    assert ctl(s, "reload").returncode == 0
    assert get(ports[0], "/page.own")["Content-Type"] == "application/x-own"
    # it is said again
    table.unlink()
    table.symlink_to("mime.types")
    assert ctl(s, "reload").returncode == 0
    assert get(ports[0], "/page.own")["Content-Type"] == "application/octet-stream"
    assert s.log().count(told) == 2
    # a folder has no types
    table.unlink()
    table.mkdir()
    assert ctl(s, "reload").returncode == 0
    assert get(ports[0], "/page.html")["Content-Type"] == "text/html; charset=utf-8"


def test_a_check_says_that_the_table_cannot_be_read(etc, conf_file, ports, site):
    (etc / "mime.types").symlink_to("mime.types")

    def check(text):
        path = conf_file("main.conf", f"port {ports[0]} {{ tls off {text} }}\n")
        return subprocess.run([*in_it(etc), str(BINARY), "-t", "-f", str(path)], capture_output=True,
                              text=True, timeout=30, stdin=subprocess.DEVNULL)

    r = check(f'location "/" {{ files "{site}" }}')
    assert r.returncode == 0
    assert 'warning: the media types in "/etc/mime.types" cannot be read' in r.stderr
    assert "media types" not in check("respond 200").stderr
