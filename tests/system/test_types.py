"""Media types: what a reload does with another table of the system's."""
import os
import pathlib
import shutil
import tempfile

import pytest

from harness import get, need_root
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
