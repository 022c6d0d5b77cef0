"""The control socket of a server that names none, and which one bulkheadctl finds by itself."""
import contextlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile

import pytest

from harness import BINARY, TIMEOUT, Server, get, need_root, wait_for

DONE, FAILED, USAGE, NO_SERVER, NOT_PERMITTED, NO_SOCKET = range(6)
PORT = 'port %d { listen on 127.0.0.1 respond 200 "here" }\n'


class User:
    """A plain user with a folder, a session and the programs; nobody else has its number."""

    def __init__(self, folder, certificates):
        self.uid = random.randrange(100000, 2000000000)
        self.folder = pathlib.Path(folder)
        self.folder.chmod(0o755)
        self.certificates = certificates
        self.home, self.session = self.folder / "home", self.folder / "session"
        for d in (self.home, self.session):
            d.mkdir(mode=0o700)
            os.chown(d, self.uid, self.uid)
        for program in (BINARY, BINARY.parent / "bulkheadctl"):
            shutil.copy(program, self.folder / program.name)
        self.as_user = ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups"]
        self.servers = []
        for source, name in zip(certificates(), ("cert.pem", "cert.key")):
            shutil.copy(source, self.folder / name)
            os.chown(self.folder / name, self.uid, self.uid)

    @property
    def env(self):
        return {"HOME": str(self.home), "XDG_RUNTIME_DIR": str(self.session),
                "PATH": os.environ["PATH"],
                **{k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")}}

    @property
    def usual(self):
        return self.session / "bulkhead" / "control.sock"

    def start(self, text, env=None, wait="served"):
        tls = f'tls {{ certificate "{self.folder}/cert.pem" key "{self.folder}/cert.key" }}\n'
        s = Server(self.folder / f"server{len(self.servers)}", self.certificates, tls + text,
                   wait=wait)
        s.argv = [*self.as_user, str(self.folder / BINARY.name), *s.argv[1:]]
        s.env = self.env if env is None else env
        self.servers.append(s)
        s.start()
        return s

    def ctl(self, *args, env=None, alone=False, user=True):
        """alone: no other process is to be seen."""
        argv = [str(self.folder / "bulkheadctl"), *map(str, args)]
        argv = [*(["unshare", "--pid", "--fork", "--mount-proc"] if alone else []),
                *(self.as_user if user else []), *argv]
        return subprocess.run(argv, env=self.env if env is None else env, capture_output=True,
                              text=True, timeout=TIMEOUT, stdin=subprocess.DEVNULL)

    def pid_found(self, *args, **options):
        r = self.ctl(*args, "status", "--json", **options)
        assert r.returncode == DONE, r.stderr
        return json.loads(r.stdout)["pid"]

    def upgrade(self):
        """The same program, installed anew."""
        program = self.folder / BINARY.name
        copy = self.folder / "next"
        shutil.copy(program, copy)
        copy.rename(program)


@pytest.fixture
def user(certificates):
    need_root("setpriv", "unshare")
    with tempfile.TemporaryDirectory(prefix="bulkhead-") as folder:
        u = User(folder, certificates)
        yield u
        for s in u.servers:
            s.cleanup()


def test_a_plain_users_server_has_one_in_its_session_and_is_found(user, ports):
    s = user.start(PORT % ports[0])
    s.wait_log(rf"control: listening on {user.usual}\n")
    folder = os.lstat(user.usual.parent)
    assert stat.S_IMODE(folder.st_mode) == 0o700 and folder.st_uid == user.uid
    assert stat.S_IMODE(os.lstat(user.usual).st_mode) == 0o600
    assert user.pid_found() == s.pid
    assert s.stop() == 0
    assert list(user.usual.parent.iterdir()) == []
    r = user.ctl("status", alone=True)
    assert (r.returncode, r.stderr) == (NO_SERVER, "bulkheadctl: no server runs\n")


@pytest.mark.parametrize("session", [None, "", "not/absolute", "missing", "open", "another's"])
def test_without_a_session_of_its_own_it_is_in_its_home(user, ports, session):
    env = user.env
    if session is None:
        del env["XDG_RUNTIME_DIR"]
    elif session == "missing":
        env["XDG_RUNTIME_DIR"] = str(user.folder / "missing")
    elif session == "open":
        user.session.chmod(0o777)
    elif session == "another's":
        os.chown(user.session, user.uid + 1, user.uid)
        user.session.chmod(0o755)
    else:
        env["XDG_RUNTIME_DIR"] = session
    s = user.start(PORT % ports[0], env=env)
    s.wait_log(rf"control: listening on {user.home}/.local/state/bulkhead/control.sock\n")
    assert user.pid_found(env=env) == s.pid
    assert list(user.session.iterdir()) == []


@pytest.mark.parametrize("kind", ["nowhere", "writable", "link"])
def test_where_no_folder_is_safe_there_is_none_and_bulkheadctl_says_so(user, ports, kind):
    env = user.env
    del env["XDG_RUNTIME_DIR"]
    if kind == "nowhere":
        del env["HOME"]
    else:
        folder = user.home / ".local" / "state" / "bulkhead"
        folder.parent.mkdir(parents=True)
        if kind == "writable":
            folder.mkdir()
        else:
            folder.symlink_to("/tmp")
        for d in (user.home / ".local", user.home / ".local" / "state", folder):
            os.chown(d, user.uid, user.uid, follow_symlinks=False)
        if kind == "writable":
            folder.chmod(0o777)
    s = user.start(PORT % ports[0], env=env)
    s.wait_log("control: no folder for bulkheadctl's socket: set XDG_RUNTIME_DIR or HOME, or `control`")
    assert get(ports[0]).status == 200
    r = user.ctl("status", env=env)
    assert r.returncode == NO_SOCKET
    assert re.search(rf"a server runs.* pid {s.pid} of user {user.uid}: it has no control socket; .*"
                     rf"kill -HUP {s.pid}\n|\n  pid {s.pid} of user {user.uid}: it has no ", r.stderr)


def test_a_server_without_one_is_told_and_gets_one_as_it_says(user, ports):
    s = user.start("control off\n" + PORT % ports[0])
    assert not user.usual.exists()
    r = user.ctl("reload")
    assert r.returncode == NO_SOCKET and f"pid {s.pid} of user {user.uid}" in r.stderr
    assert f"kill -HUP {s.pid}" in r.stderr and "`control off`" in r.stderr
    text = s.config.read_text()
    s.config.write_text(text.replace("control off\n", ""))
    s.kill(signal.SIGHUP)
    s.wait_log("control: listening on ")
    assert user.pid_found() == s.pid
    s.config.write_text(text)
    s.kill(signal.SIGHUP)
    s.wait_log("reloaded: ", count=2)
    wait_for(lambda: not user.usual.exists(), "its end")


def test_several_servers_have_one_each_and_are_listed(user, ports):
    first, second = (user.start(PORT % p) for p in ports[:2])
    other = user.usual.with_name(f"control-{second.pid}.sock")
    second.wait_log(rf"control: listening on {other}\n")
    r = user.ctl("status")
    assert r.returncode == USAGE
    assert sorted(r.stderr.splitlines()) == sorted([
        "bulkheadctl: 2 servers run; choose one with -s:",
        f"  pid {first.pid} of user {user.uid}: bulkheadctl -s {user.usual}",
        f"  pid {second.pid} of user {user.uid}: bulkheadctl -s {other}"])
    assert user.pid_found("-s", user.usual) == first.pid
    assert user.pid_found("-s", other) == second.pid
    for how in ("reload", "upgrade"):  # it keeps its name
        if how == "upgrade":
            user.upgrade()
        assert user.ctl("-s", other, how).returncode == DONE
        assert user.pid_found("-s", other) == second.pid
    assert first.stop() == 0
    assert user.pid_found() == second.pid == user.pid_found("-s", other)
    third = user.start(PORT % ports[2])
    assert user.pid_found("-s", user.usual) == third.pid
    assert second.stop() == 0
    assert user.pid_found() == third.pid


def test_what_killed_servers_have_left_is_removed_and_is_no_server(user, ports):
    first, second = (user.start(PORT % p) for p in ports[:2])
    for s in (first, second):
        s.kill(signal.SIGKILL)
        s.process.wait(TIMEOUT)
    assert len(list(user.usual.parent.iterdir())) == 2
    r = user.ctl("status", alone=True)
    assert (r.returncode, r.stderr) == (NO_SERVER, "bulkheadctl: no server runs\n")
    (user.usual.parent / "control-12.socket").write_text("not a server's")
    s = user.start(PORT % ports[2])
    assert sorted(f.name for f in user.usual.parent.iterdir()) == ["control-12.socket",
                                                                 "control.sock"]
    assert user.pid_found() == s.pid


def test_a_socket_that_somebody_removes_is_made_again(user, ports):
    s = user.start(PORT % ports[0])
    s.wait_log("control: listening on ")
    shutil.rmtree(user.usual.parent)  # as the end of a session does
    s.wait_log(rf"control: {user.usual} is gone\n")
    s.wait_log("control: listening on ", count=2)
    assert user.pid_found() == s.pid


def test_an_upgrade_keeps_it(user, ports):
    s = user.start(PORT % ports[0])
    user.upgrade()
    before = os.lstat(user.usual).st_ino
    assert user.ctl("upgrade").returncode == DONE
    assert os.lstat(user.usual).st_ino == before
    assert user.pid_found() == s.pid


def test_a_socket_elsewhere_is_found_by_the_process(user, ports):
    path = user.home / "of my own.sock"
    s = user.start(f'control "{path}"\n' + PORT % ports[0])
    assert user.pid_found() == s.pid
    r = user.ctl("status", user=False)  # root is told, and does not walk into others' sockets
    assert r.returncode in (NO_SOCKET, DONE, USAGE), r.stderr
    if r.returncode == NO_SOCKET:
        assert f"pid {s.pid} of user {user.uid}: bulkheadctl -s {path}" in r.stderr
    assert user.pid_found("-s", path, user=False) == s.pid


def test_another_users_server_is_not_permitted_and_says_whose_it_is(user, server, ports):
    s = server(PORT % ports[0])
    s.wait_log("control: listening on /run/bulkhead/control")
    r = user.ctl("status")
    assert r.returncode == NOT_PERMITTED
    assert r.stderr.startswith("bulkheadctl: not permitted: the server on /run/bulkhead/control")
    assert "belongs to user root; use sudo" in r.stderr


def test_a_trap_in_a_folder_of_somebody_elses_is_not_walked_into(user, ports):
    """It would answer anything, and see what is asked."""
    os.chown(user.session, user.uid + 1, user.uid + 1)
    user.session.chmod(0o777)
    user.usual.parent.mkdir()
    user.usual.parent.chmod(0o777)
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as trap:
        trap.bind(str(user.usual))
        os.chmod(user.usual, 0o666)
        trap.listen()
        trap.settimeout(0)
        assert user.ctl("status", alone=True).returncode == NO_SERVER
        with pytest.raises(BlockingIOError):
            trap.accept()


def in_an_empty_run(options):
    """What starts a program with an empty /run of its own, and a umask as strict as can be."""
    need_root("unshare")
    return ["unshare", "--mount", "sh", "-c",
            f'mount -t tmpfs -o {options} none /run && umask 077 && exec "$@"', "sh"]


def test_others_can_look_into_roots_folder_whatever_the_umask(server, ports):
    s = server(PORT % ports[0], wrapper=in_an_empty_run("rw"))
    s.wait_log("control: listening on /run/bulkhead/control.sock\n")
    folder = os.stat(f"/proc/{s.pid}/root/run/bulkhead")
    assert stat.S_IMODE(folder.st_mode) == 0o755 and folder.st_uid == 0


def test_root_without_a_folder_is_told_why_and_goes_on(server, ports):
    s = server(PORT % ports[0], wrapper=in_an_empty_run("ro"))
    s.wait_log("control: this server cannot be controlled: /run/bulkhead cannot be made: "
               "Read-only file system; make it, or set `control \"FILE\"`\n")
    assert get(ports[0]).status == 200
    assert "XDG_RUNTIME_DIR" not in s.log()


# It listens, becomes a program of root's by its set-user-ID bit, and answers in another process.
TRAP = """
import os, socket, sys
s, (stdin, keep) = socket.socket(socket.AF_UNIX), os.pipe()
s.bind(f"{sys.argv[1]}.{os.getpid()}")
os.chmod(f"{sys.argv[1]}.{os.getpid()}", 0o666)
s.listen()
os.rename(f"{sys.argv[1]}.{os.getpid()}", sys.argv[1])
if os.fork() == 0:
    while True:
        client = s.accept()[0]
        print(client.recv(100), flush=True)
        client.close()
os.dup2(stdin, 0)
for fd in (s.fileno(), keep):
    os.set_inheritable(fd, True)
os.execv(sys.argv[2], ["bulkhead: master", "root"])
"""
TRAPPED = """
mount -t tmpfs none /run  # other tests have servers there
mkdir -m 1777 /run/bulkhead
"$@" & trap=$!
until grep -q "^bulkhead: master" /proc/$trap/cmdline; do kill -0 $trap || exit 99; done 2>/dev/null
"$BULKHEADCTL" status
"""


@pytest.mark.parametrize("path", ["{home}/trap", "/run/bulkhead/control.sock"])
def test_a_users_trap_that_looks_like_roots_is_not_walked_into(user, path):
    su = shutil.which("su")
    if su is None or os.stat(su).st_mode & stat.S_ISUID == 0:
        pytest.skip("there is no su with the set-user-ID bit")
    # The end of the first process ends all others of its namespace.
    r = subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", TRAPPED, "sh",
                        *user.as_user, "/usr/bin/python3", "-c", TRAP,
                        path.format(home=user.home), su],
                       env={**user.env, "BULKHEADCTL": str(user.folder / "bulkheadctl")},
                       capture_output=True, text=True, timeout=TIMEOUT, stdin=subprocess.DEVNULL)
    assert r.returncode == NO_SOCKET, r
    assert "of user root: it has no control socket" in r.stderr  # it was seen, so it was a trap
    assert "status" not in r.stdout


def test_a_service_has_it_in_its_runtime_directory(user, ports):
    folder = user.folder / "service"
    folder.mkdir(mode=0o755)
    os.chown(folder, user.uid, user.uid)
    env = {**user.env, "RUNTIME_DIRECTORY": f"{folder}:/run/other"}
    s = user.start(PORT % ports[0], env=env)
    s.wait_log(rf"control: listening on {folder}/control.sock\n")
    assert user.pid_found(env=env) == s.pid  # ExecReload=
    assert user.pid_found() == s.pid  # and from a shell: by its process


def test_the_tools_of_the_shells_complete_its_ports(user, ports):
    user.start(PORT % ports[0])
    assert str(ports[0]) in user.ctl("complete", "status").stdout.split()
