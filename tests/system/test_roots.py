"""Document roots: what a port's workers are handed, who makes it, and when another folder is seen."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

from harness import get, has_ended, landlock_version, need_root, sanitized, status_of, wait_for
from test_control import controlled, ctl  # noqa: F401 (a fixture)
from test_types import etc, in_it  # noqa: F401 (a fixture)
from test_upgrade import FOLLOWED, NEXT, put, upgradable  # noqa: F401 (a fixture)

SYS_ADMIN = 1 << 21
HERE = "Landlock alone holds it there: Operation not permitted"


@pytest.fixture
def site(public):
    """A folder that everybody may read."""
    folder = public / "site"
    fill(folder, "first")
    return folder


@pytest.fixture
def public():
    """A folder that every user can enter."""
    with tempfile.TemporaryDirectory(prefix="bulkhead-") as folder:
        os.chmod(folder, 0o755)
        yield pathlib.Path(folder)


def fill(folder, content):
    folder.mkdir(parents=True)
    (folder / "page").write_text(content)
    (folder / "page").chmod(0o644)
    folder.chmod(0o755)


def files(port, folder, extra=""):
    return f'port {port} {{ {extra} location "/" {{ files "{folder}" }} }}\n'


def page(port, path="/page"):
    r = get(port, path)
    return r.status, r.body.decode()


def mounters(s):
    """The pids of a master's mounters."""
    pids = pathlib.Path(f"/proc/{s.pid}/task/{s.pid}/children").read_text(errors="replace").split()
    return [int(pid) for pid in pids
            if b"mounter" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()]


def level(s, port):
    """How far a worker of the port is confined, in words."""
    for p in json.loads(ctl(s, "status", "--json").stdout)["ports"]:
        if p["port"] == port:
            return p["workers"][0]["sandbox"]
    return ""


def switch(link, target):
    """As deploys do it: a new link is renamed over the old one."""
    fresh = link.with_name("fresh")
    fresh.symlink_to(target)
    os.rename(fresh, link)


# --- who holds what ---------------------------------------------------------------------------------

def test_a_worker_of_root_has_a_mount_of_its_own(controlled, ports, site):  # noqa: F811
    need_root()
    s = controlled(files(ports[0], site))
    assert page(ports[0]) == (200, "first")
    pid, = mounters(s)
    assert status_of(pid)["CapEff"] == status_of(pid)["CapPrm"] == f"{SYS_ADMIN:016x}"
    assert int(status_of(s.pid)["CapPrm"], 16) & SYS_ADMIN == 0
    assert int(status_of(s.pid)["CapBnd"], 16) & SYS_ADMIN == 0
    assert "reads 1 document root (a read-only mount of its own)" in level(s, ports[0])
    worker, = s.workers(ports[0]).values()
    assert int(status_of(worker)["CapBnd"], 16) == 0
    s.stop()
    wait_for(lambda: has_ended(pid), "the mounter ends with the master")


def test_the_first_root_that_a_reload_brings_is_a_mount_too(controlled, ports, site):  # noqa: F811
    need_root()
    s = controlled(f'port {ports[0]} {{ respond 200 }}\n')
    pid, = mounters(s)
    assert "document root" not in level(s, ports[0])
    assert "mounter" not in s.log()
    s.config.write_text(s.config.read_text() + files(ports[1], site))
    assert ctl(s, "reload").returncode == 0
    assert page(ports[1]) == (200, "first")
    assert "reads 1 document root (a read-only mount of its own)" in level(s, ports[1])
    assert mounters(s) == [pid]


def test_a_keyholder_and_other_ports_get_no_root(controlled, ports, site):  # noqa: F811
    s = controlled(files(ports[0], site) + f'port {ports[1]} {{ respond 200 }}')
    inode = site.stat().st_ino

    def has(pid):
        return any(os.stat(f"/proc/{pid}/fd/{fd}").st_ino == inode
                   for fd in os.listdir(f"/proc/{pid}/fd"))

    assert has(list(s.workers(ports[0]).values())[0])
    for pid in (*s.keyholders().values(), *s.workers(ports[1]).values()):
        assert not has(pid)


def test_without_the_capability_landlock_holds(controlled, ports, site):  # noqa: F811
    need_root("setpriv")
    if sanitized():
        pytest.skip("needs a build without sanitizers")
    s = controlled(files(ports[0], site), wrapper=("setpriv", "--bounding-set=-sys_admin"))
    assert page(ports[0]) == (200, "first")
    assert mounters(s) == []
    assert HERE in level(s, ports[0])


def test_strict_privileges_are_content_with_a_landlock_that_protects_files(controlled, ports, site):  # noqa: F811
    need_root("setpriv")
    if sanitized():
        pytest.skip("needs a build without sanitizers")
    s = controlled("privileges strict\n" + files(ports[0], site), wait=None,
                   wrapper=("setpriv", "--bounding-set=-sys_admin"))
    if landlock_version() < 3:
        s.wait_log("document roots in which no file can be emptied|document roots that no path leaves")
        return
    s.wait_ready(ports[0], "worker", 1)
    assert page(ports[0]) == (200, "first")


def test_a_mounter_that_ends_is_told_and_missed_by_new_roots_alone(controlled, ports, site):  # noqa: F811
    need_root()
    s = controlled(files(ports[0], site))
    pid, = mounters(s)
    os.kill(pid, signal.SIGKILL)
    s.wait_log(rf"the mounter \(pid {pid}\) has ended: until a restart")
    os.kill(list(s.workers(ports[0]).values())[0], signal.SIGKILL)
    s.wait_log("starting it again")
    s.wait_ready(ports[0], "worker", 1)
    assert page(ports[0]) == (200, "first")
    assert "a read-only mount of its own" in level(s, ports[0])


# --- another folder ---------------------------------------------------------------------------------

@pytest.mark.parametrize("absolute", [False, True], ids=["relative", "absolute"])
@pytest.mark.parametrize("inner", ["", "/public"], ids=["whole", "inner"])
def test_a_switched_link_is_served_at_once(controlled, ports, site, absolute, inner):  # noqa: F811
    for n in ("1", "2", "3"):
        fill(site / "releases" / n / inner.strip("/"), n)

    def target(n):
        return site / "releases" / n if absolute else pathlib.Path("releases") / n

    (site / "current").symlink_to(target("1"))
    s = controlled(files(ports[0], f"{site}/current{inner}"))
    workers = s.workers(ports[0])
    for n in ("1", "2", "3", "1", "2"):
        switch(site / "current", target(n))
        assert page(ports[0]) == (200, n)
    assert s.workers(ports[0]) == workers
    # beside the root, and beneath the folder of the link
    (site / "releases" / "2" / inner.strip("/") / "beside").symlink_to(site / "page")
    assert page(ports[0], "/beside")[0] in (403, 404)


def test_the_first_link_that_can_be_followed_counts(controlled, ports, site):  # noqa: F811
    for n in ("1", "2"):
        fill(site / "releases" / n / "dist", n)
        (site / "releases" / n / "public").symlink_to("dist")
    (site / "current").symlink_to("releases/1")
    s = controlled(files(ports[0], site / "current" / "public"))
    workers = s.workers(ports[0])
    assert page(ports[0]) == (200, "1")
    switch(site / "current", "releases/2")
    assert page(ports[0]) == (200, "2")
    shutil.rmtree(site / "releases" / "1")
    assert page(ports[0]) == (200, "2")
    assert s.workers(ports[0]) == workers


def test_a_path_that_leaves_the_folder_of_its_link_and_comes_back_is_served(controlled, ports, public):  # noqa: F811
    fill(public / "shop" / "releases" / "1" / "dist", "1")
    (public / "shop" / "releases" / "1" / "public").symlink_to("../../../shop/releases/1/dist")
    (public / "shop" / "current").symlink_to("releases/1")
    s = controlled(files(ports[0], public / "shop" / "current" / "public"))
    assert page(ports[0]) == (200, "1")
    assert "workers can read all" not in s.log()


def test_a_followed_link_that_leads_out_of_its_folder_is_served_by_new_processes(controlled, ports, public):  # noqa: F811
    fill(public / "shop" / "1", "1")
    fill(public / "elsewhere", "elsewhere")
    (public / "shop" / "current").symlink_to("1")
    (public / "shop").chmod(0o755)
    s = controlled(files(ports[0], public / "shop" / "current"))
    assert page(ports[0]) == (200, "1")
    switch(public / "shop" / "current", public / "elsewhere")
    wait_for(lambda: page(ports[0]) == (200, "elsewhere"), "an answer from the other folder")
    assert "another folder is in the place" in s.log()


def in_a_home(public):
    """A link in a folder that holds too much, its target there, and another."""
    home = public / "home" / "alice"
    fill(home / "a", "a")
    fill(home / "b", "b")
    home.parent.chmod(0o755)
    home.chmod(0o755)
    (home / "www").symlink_to("a")
    return home / "www", "b"


def that_leads_away(public):
    fill(public / "a" / "data", "a")
    fill(public / "b" / "data", "b")
    (public / "links").mkdir(mode=0o755)
    (public / "links" / "site").symlink_to(public / "a" / "data")
    return public / "links" / "site", public / "b" / "data"


def that_a_link_leads_to(public):
    """The second of two links."""
    inner, target = in_a_home(public)
    (public / "site").symlink_to(inner)
    return inner, target


@pytest.mark.parametrize("steps", [1, 2], ids=["at_once", "in_two_steps"])
@pytest.mark.parametrize("link", [in_a_home, that_leads_away, that_a_link_leads_to])
def test_other_links_are_followed_by_new_processes(controlled, ports, public, link, steps):  # noqa: F811
    switched, target = link(public)
    path = public / "site" if link == that_a_link_leads_to else switched
    s = controlled(files(ports[0], path))
    workers = set(s.workers(ports[0]).values())
    assert page(ports[0]) == (200, "a")
    assert "workers can read all" not in s.log()
    if steps == 1:
        switch(switched, target)
    else:
        switched.unlink()
        wait_for(lambda: page(ports[0]) == (200, "a"), "an answer while there is no link")
        switched.symlink_to(target)
    wait_for(lambda: page(ports[0]) == (200, "b"), "an answer from the other folder")
    assert f'another folder is in the place of document root "{path}"' in s.log()
    wait_for(lambda: not workers & set(s.workers(ports[0]).values()), "the end of the old workers")
    # a reload that finds nothing new keeps the processes
    workers = s.workers(ports[0])
    assert ctl(s, "reload").returncode == 0
    assert s.workers(ports[0]) == workers


@pytest.mark.parametrize("above", [False, True], ids=["itself", "above"])
def test_a_folder_in_the_place_of_another_is_served(controlled, ports, site, above):  # noqa: F811
    fill(site / "inner", "first")
    s = controlled(files(ports[0], site / "inner" if above else site))
    os.rename(site, site.with_name("old"))
    assert page(ports[0]) == (200, "first")
    fill(site.with_name("new") / "inner", "second")
    (site.with_name("new") / "page").write_text("second")
    site.with_name("new").chmod(0o755)
    os.rename(site.with_name("new"), site)
    wait_for(lambda: page(ports[0]) == (200, "second"), "an answer from the other folder")
    # again, and as quickly as it may be
    os.rename(site, site.with_name("new"))
    os.rename(site.with_name("old"), site)
    wait_for(lambda: page(ports[0]) == (200, "first"), "an answer from the first folder")
    assert s.log().count("another folder is in the place") == 2


@pytest.mark.parametrize("above", [False, True], ids=["itself", "above"])
def test_a_folder_that_is_removed_and_made_again_is_served(controlled, ports, site, above):  # noqa: F811
    """The workers and the master hold the removed one, so it is not gone."""
    fill(site / "inner", "first")
    s = controlled(files(ports[0], site / "inner" if above else site))
    assert page(ports[0])[0] == 200
    shutil.rmtree(site)
    wait_for(lambda: page(ports[0])[0] == 404, "an answer without a file")
    site.mkdir(mode=0o755)
    fill(site / "inner", "second")
    (site / "page").write_text("second")
    wait_for(lambda: page(ports[0]) == (200, "second"), "an answer from the other folder")
    assert "another folder is in the place" in s.log()


def test_another_folder_that_cannot_be_served_is_tried_again(controlled, ports, public, certificates):  # noqa: F811
    link, target = in_a_home(public)
    s = controlled(files(ports[0], link))
    key = link.parent / "key"
    fill(key, "key")
    pair = certificates()
    s.config.write_text(s.config.read_text().replace(str(pair[1]), str(key / "key")))
    shutil.copy(pair[1], key / "key")
    assert ctl(s, "reload").returncode == 0
    ready = s.ready(ports[0], "worker")
    switch(link, "key")
    s.wait_log("renewal failed: .*would be served.*; nothing has changed")
    assert page(ports[0]) == (200, "a")
    assert s.ready(ports[0], "worker") == ready
    switch(link, target)
    wait_for(lambda: page(ports[0]) == (200, "b"), "an answer from the other folder")


def test_links_of_others_that_move_do_not_matter(controlled, ports, public):  # noqa: F811
    link, _ = in_a_home(public)
    s = controlled(files(ports[0], link))
    workers = s.workers(ports[0])
    (link.parent / "other").symlink_to("a")
    for _ in range(50):
        switch(link.parent / "other", "b")
        os.utime(link, follow_symlinks=False)
    switch(link, "a")  # another link to the same folder
    assert page(ports[0]) == (200, "a")
    assert s.workers(ports[0]) == workers
    assert "another folder" not in s.log()


def test_a_folder_that_workers_can_read_for_a_link_is_named(run, conf_file, certificates, controlled, ports,  # noqa: F811
                                                            site):
    fill(site / "releases" / "1", "1")
    (site / "current").symlink_to("releases/1")
    fill(site / "plain", "plain")
    text = f'port {ports[0]} {{ location "/" {{ files "{site}/current" }}' \
           f' location "/plain" {{ files "{site}/plain" }} }}'
    said = f'can read all of "{site}", because "current" in it is a link that is followed for each request'
    status, err = check(run, conf_file, certificates, text)
    assert status == 0
    assert err.splitlines()[0].endswith(f"note: workers of port {ports[0]} {said}")
    assert err.count("note:") == 1
    s = controlled(text)
    assert s.log().count(f"[PORT {ports[0]}] workers {said}") == 1


def test_the_home_of_a_user_is_not_handed_over(controlled, ports, public, etc):  # noqa: F811
    home = public / "shop"
    fill(home / "a", "a")
    fill(home / "b", "b")
    home.chmod(0o755)
    (home / "current").symlink_to("a")
    with (etc / "passwd").open("a") as f:
        f.write(f"shop:x:4242:4242::{home}:/bin/sh\n")
    s = controlled(files(ports[0], home / "current"), wrapper=in_it(etc))
    assert page(ports[0]) == (200, "a")
    assert "workers can read all" not in s.log()
    switch(home / "current", "b")
    wait_for(lambda: page(ports[0]) == (200, "b"), "an answer from the other folder")


def test_files_that_come_and_go_are_no_change_of_the_port(controlled, ports, site):  # noqa: F811
    s = controlled(files(ports[0], site))
    workers = s.workers(ports[0])
    (site / "new").write_text("new")
    (site / "new").chmod(0o644)
    assert page(ports[0], "/new") == (200, "new")
    (site / "new").unlink()
    assert page(ports[0], "/new")[0] == 404
    assert ctl(s, "reload").returncode == 0
    assert s.workers(ports[0]) == workers


def test_a_root_that_a_reload_brings_is_a_mount_too(controlled, ports, site):  # noqa: F811
    need_root()
    fill(site.with_name("more"), "more")
    s = controlled(files(ports[0], site))
    s.config.write_text(s.config.read_text() + files(ports[1], site.with_name("more")))
    assert ctl(s, "reload").returncode == 0
    assert page(ports[1]) == (200, "more")
    assert "a read-only mount of its own" in level(s, ports[1])


@pytest.mark.skipif(not NEXT.exists(), reason="make next has not been run")
def test_an_upgrade_in_place_keeps_roots_and_mounter(upgradable, ports, site, tmp_path):  # noqa: F811
    need_root()
    s = upgradable(f'control "{tmp_path}/control.sock"\n' + files(ports[0], site))
    s.control = tmp_path / "control.sock"
    pid, = mounters(s)
    put(s, NEXT)
    s.kill(signal.SIGUSR2)
    s.wait_log(FOLLOWED)
    assert page(ports[0]) == (200, "first")
    assert mounters(s) == [pid]
    assert "a read-only mount of its own" in level(s, ports[0])
    assert ctl(s, "reload").returncode == 0
    fill(site.with_name("more"), "more")
    s.config.write_text(s.config.read_text() + files(ports[1], site.with_name("more")))
    assert ctl(s, "reload").returncode == 0
    assert "a read-only mount of its own" in level(s, ports[1])


# --- what is mounted beneath one --------------------------------------------------------------------

def of_its_own(server):
    """The command that runs another where the server is, which has mounts of its own."""
    return ["nsenter", "-t", str(server.pid), "-m"]


def mount(s, folder, content):
    inside = f'mount -t tmpfs tmpfs "{folder}" && echo -n {content} > "{folder}/page"'
    subprocess.run([*of_its_own(s), "sh", "-ec", f"umask 022; {inside}"], check=True)


def umount(s, folder):
    subprocess.run([*of_its_own(s), "umount", str(folder)], check=True)


def kept(s, n):
    """Does the next reload, the nth one, keep the port's processes?"""
    assert ctl(s, "reload").returncode == 0
    return "1 kept" in s.wait_log("reloaded: .*", count=n)[-1].group()


@pytest.mark.parametrize("linked", [False, True], ids=["folder", "link"])
def test_a_reload_takes_in_what_was_mounted_or_unmounted_beneath(controlled, ports, site, linked):  # noqa: F811
    need_root("unshare", "nsenter")
    media = site / "media"
    fill(media, "covered")
    (site.parent / "current").symlink_to("site")
    s = controlled(files(ports[0], site.parent / "current" if linked else site), wrapper=("unshare", "-m"))
    assert page(ports[0], "/media/page") == (200, "covered")
    mount(s, media, "mounted")
    assert not kept(s, 1)
    assert page(ports[0], "/media/page") == (200, "mounted")
    assert kept(s, 2)
    umount(s, media)
    assert page(ports[0], "/media/page") == (200, "mounted")
    assert not kept(s, 3)
    assert page(ports[0], "/media/page") == (200, "covered")
    # another file system in the same place
    mount(s, media, "first")
    assert not kept(s, 4)
    umount(s, media)
    mount(s, media, "second")
    assert not kept(s, 5)
    assert page(ports[0], "/media/page") == (200, "second")
    assert kept(s, 6)


def test_a_mount_elsewhere_is_no_change(controlled, ports, site):  # noqa: F811
    need_root("unshare", "nsenter")
    (site.parent / "site2").mkdir()
    s = controlled(files(ports[0], site), wrapper=("unshare", "-m"))
    mount(s, site.parent / "site2", "elsewhere")
    assert kept(s, 1)


def test_new_processes_after_a_drain_have_what_was_mounted(controlled, ports, site):  # noqa: F811
    need_root("unshare", "nsenter")
    fill(site / "media", "covered")
    s = controlled(files(ports[0], site), wrapper=("unshare", "-m"))
    mount(s, site / "media", "mounted")
    os.kill(list(s.workers(ports[0]).values())[0], signal.SIGTERM)
    s.wait_log("files of the port have changed")
    wait_for(lambda: page(ports[0], "/media/page") == (200, "mounted"), "an answer from the mount")


# --- what is wrong with one -------------------------------------------------------------------------

def check(run, conf_file, certificates, text):
    r = run("-t", "-f", str(conf_file("test.conf", certificates.tls() + text)))
    return r.returncode, r.stderr


def test_a_root_that_cannot_be_served_is_an_error(run, conf_file, certificates, public):
    (public / "file").write_text("")
    for folder, why in ((public / "none", "cannot be read: No such file or directory"),
                        (public / "file", "is not a directory"),
                        (public / "file" / "more", "is not a directory")):
        status, err = check(run, conf_file, certificates, files(8443, folder))
        assert status != 0
        assert f'error: document root "{folder}" {why}' in err


def test_a_key_beneath_a_root_is_an_error(run, conf_file, controlled, ports, certificates, public):
    pair = certificates()
    key = pathlib.Path(pair[1])
    status, err = check(run, conf_file, certificates, files(8443, key.parent))
    assert status != 0
    assert (f'error: key "{key}" lies beneath the document root "{key.parent}", and would be served: '
            "keep it elsewhere") in err
    # also another port's, and also what lies beneath the folder that is handed over for a link
    fill(key.parent / "releases", "")
    (key.parent / "current").symlink_to("releases")
    status, err = check(run, conf_file, certificates, files(8443, key.parent / "current"))
    assert status != 0
    assert "which workers can read because a link there leads to the document root" in err
    s = controlled(f'port {ports[0]} {{ respond 200 }}\n' + files(ports[1], key.parent), wait=None)
    s.wait_log("would be served")
    s.wait_ready(ports[0], "worker", 1)


def test_a_password_file_beneath_a_root_is_an_error(run, conf_file, controlled, ports, certificates, public):
    """Whoever has the hashes can guess the passwords, however slowly."""
    path = public / "site" / ".htpasswd"
    fill(public / "site" / "releases", "")
    path.write_text("bob:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n")
    (public / "site" / "current").symlink_to("releases")
    (public / "link").symlink_to(path)
    for port, file in (1, path), (2, path), (1, public / "link"):
        locked = f'port {port} {{ tls off location "/in" {{ authenticate basic "x" file "{file}" echo }} '
        for root in path.parent, path.parent / "current", public:
            location = f'location "/" {{ files "{root}" }}'
            text = f"{locked} {location} }}" if port == 1 else f"{locked} }} port 1 {{ tls off {location} }}"
            status, err = check(run, conf_file, certificates, text)
            assert status != 0
            if root.is_symlink():
                assert f'password file "{file}" lies beneath "{path.parent}", which workers can read because a link' in err
            else:
                assert (f'error: password file "{file}" lies beneath the document root "{root}", and would be served: '
                        "keep it elsewhere") in err
        status, err = check(run, conf_file, certificates,
                            f'{locked} location "/" {{ files "{path.parent}/releases" }} }}')
        assert status == 0, err
    s = controlled(f'port {ports[0]} {{ respond 200 }}\nport {ports[1]} {{ location "/in" {{ authenticate basic "x" file '
                   f'"{path}" echo }}\n location "/" {{ files "{path.parent}" }} }}', wait=None)
    s.wait_log("password file .* would be served")
    s.wait_ready(ports[0], "worker", 1)


def test_a_configuration_beneath_a_root_is_a_warning(run, conf_file, certificates):
    path = conf_file("test.conf", "")
    pair = certificates()
    if pathlib.Path(pair[1]).is_relative_to(path.parent):
        pytest.skip("needs keys elsewhere")
    status, err = check(run, conf_file, certificates, files(8443, path.parent))
    assert status == 0
    assert f'warning: "{path}" is part of the configuration and lies beneath the document root' in err


def test_a_root_that_workers_may_not_search_is_a_warning(run, conf_file, certificates, site):
    need_root()
    site.chmod(0o700)
    status, err = check(run, conf_file, certificates, files(8443, site, 'user "nobody"'))
    assert status == 0
    assert f'warning: document root "{site}" cannot be read by user 65534' in err
    site.chmod(0o755)
    status, err = check(run, conf_file, certificates, files(8443, site, 'user "nobody"'))
    assert "document root" not in err
