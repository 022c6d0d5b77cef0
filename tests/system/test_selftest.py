"""bulkhead selftest: its attempts are refused, and it notices a missing layer."""
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile

import pytest

from harness import BINARY, TIMEOUT, landlock_version, sanitized, unix_sockets, wait_for

PLAIN = 65534  # whatever user that is
ASIDE = "without its own list of system calls"
LOCAL = "connector to a Unix socket"
HOLDING = ("master", "verifier", "connector", LOCAL, "resolver")


pytestmark = pytest.mark.skipif(bool(sanitized()), reason="the sanitizers' run-time needs what is refused")

# A selftest starts some 500 processes: where another user shows nothing new, root alone starts it.
by_root = pytest.mark.parametrize("starter", ["root"], indirect=True)


@pytest.fixture(params=["root", "plain user"])
def starter(request):
    """The user that starts it: {"root": bool, "run": function}; leaves nothing in its folder."""
    root = request.param == "root"
    if root and os.geteuid() != 0:
        pytest.skip("this needs root")
    wrapper = []
    if not root and os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("setpriv is missing")
        wrapper = ["setpriv", "--reuid", str(PLAIN), "--regid", str(PLAIN), "--clear-groups"]
        if subprocess.run([*wrapper, "test", "-x", str(BINARY)], check=False).returncode != 0:
            pytest.skip(f"user {PLAIN} may not execute {BINARY}")
    # Not pytest's folder, which other users may not enter.
    folder = tempfile.mkdtemp(prefix="selftest-")
    os.chmod(folder, 0o777)
    env = {**os.environ, "TMPDIR": folder, "HOME": folder}

    def argv(*args):
        return [*wrapper, str(BINARY), "selftest", *map(str, args)]

    def run(*args):
        return subprocess.run(argv(*args), capture_output=True, text=True, env=env,
                              stdin=subprocess.DEVNULL, timeout=120, check=False)

    yield {"root": root, "run": run, "argv": argv, "env": env, "folder": folder}
    left = os.listdir(folder)
    shutil.rmtree(folder)
    assert left == []


def attempts(result):
    """The rows, and the totals compared with them."""
    report = json.loads(result.stdout)
    rows = report["attempts"]
    for name, verdict in (("passed", "pass"), ("failed", "FAIL"), ("not_tested", "not tested")):
        assert report[name] == sum(row["verdict"] == verdict for row in rows)
    assert all(set(row) == {"process", "round", "attempt", "expected", "result", "verdict"}
               for row in rows)
    return rows


def failed(rows, process=None):
    """(round is the second, attempt) of what has failed."""
    return {(row["round"] == ASIDE, row["attempt"]) for row in rows
            if row["verdict"] == "FAIL" and process in (None, row["process"])}


def test_everything_is_refused(starter):
    result = starter["run"]("--json")
    assert result.stderr == ""
    rows = attempts(result)
    assert not failed(rows), [row for row in rows if row["verdict"] == "FAIL"]
    assert result.returncode == 0
    assert sum(row["verdict"] == "pass" for row in rows) > 300
    untested = [row for row in rows if row["verdict"] == "not tested"]
    assert all(row["result"] for row in untested)
    assert {row["process"] for row in rows} == {*HOLDING, "keyholder", "worker"}
    verdicts = {(row["process"], row["attempt"], row["round"]): row["verdict"] for row in rows}
    assert verdicts["keyholder", "find the port's private key in its memory (control)", ""] == "pass"
    assert verdicts["worker", "ask for a signature as TLS does (control)", ""] == "pass"
    assert verdicts["verifier", "find the password's hash in its memory (control)", ""] == "pass"
    for process in ("worker", "keyholder"):
        assert verdicts[process, "find the password's hash in its memory", ""] == "pass"
    assert verdicts["worker", "ask if a password is right, as HTTP does (control)", ""] == "pass"
    assert verdicts["verifier", "read its own port's key file", ""] == "pass"
    for name in ("the keyholder is still the same process", "the verifier is still the same process"):
        assert verdicts["worker", name, ""] == verdicts["worker", name, ASIDE] == "pass"
    for name in ("reach its upstream's Unix socket (control)", "reach that socket by a copy of its path",
                 "reach another Unix socket", "reach a Unix socket whose path begins the listed one"):
        assert verdicts[LOCAL, name, ""] == "pass"
    if starter["root"]:
        assert verdicts["worker", "its four user ids", ""] == "pass"
    else:
        assert verdicts["worker", "its user, groups, root", ""] == "not tested"


@pytest.mark.any_build
@by_root
def test_the_table_is_for_people(starter):
    result = starter["run"]()
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 110
    total = re.fullmatch(r"(\d+) passed, (\d+) failed, (\d+) not tested", lines[-1])
    for number, mark in zip(total.groups(), ("pass  ", "FAIL  ", "  -   ")):
        assert int(number) == sum(line.startswith(mark) for line in lines)
    assert re.search(r"^pass  make an IPv4 socket +ended: socket +ended: socket$", result.stdout,
                     re.MULTILINE)


@pytest.mark.any_build
@pytest.mark.parametrize("starter, with_tls", [("root", True), ("plain user", True), ("root", False)],
                         indirect=["starter"], ids=["root", "plain user", "root, without TLS"])
def test_a_plain_port(starter, with_tls):
    path = os.path.join(starter["folder"], "plain.conf")
    with open(path, "w", encoding="ascii") as f:
        f.write('port 80 { tls off; respond 200 }\n')
        if with_tls:
            f.write('tls { certificate "/none/a.pem" key "/none/a.key" }\nport 443 { echo }\n')
    os.chmod(path, 0o644)
    result = starter["run"]("--json", "-f", path)
    os.unlink(path)
    rows = attempts(result)
    assert not failed(rows), [row for row in rows if row["verdict"] == "FAIL"]
    tried = {row["attempt"] for row in rows if row["process"] == "plain worker"}
    assert {"make an IPv4 socket", "set an option that its listener hands on"} <= tried
    assert not {"ask for a signature as TLS does (control)", "read its own port's key file"} & tried
    assert {"ask if a password is right, as HTTP does (control)", "read its own port's password file",
            "send the verifier 64 KiB", "trace its own verifier"} <= tried
    verifier = {row["attempt"] for row in rows if row["process"] == "verifier"}
    assert "find the password's hash in its memory (control)" in verifier
    assert ("read its own port's key file" in verifier) == with_tls
    assert ("trace its own keyholder" in verifier) == with_tls
    if with_tls:
        assert {row["process"] for row in rows} == {*HOLDING, "keyholder", "worker", "plain worker"}
        assert {"find another port's private key in its memory", "read another port's key file"} <= tried
    else:
        assert {row["process"] for row in rows} == {*HOLDING, "plain worker"}


@pytest.mark.any_build
@pytest.mark.parametrize("starter, link", [("root", False), ("plain user", False), ("root", True)],
                         indirect=["starter"], ids=["root", "plain user", "root, a link"])
def test_a_port_with_files(starter, link):
    site = tempfile.mkdtemp(prefix="selftest-site-")
    path = os.path.join(starter["folder"], "files.conf")
    os.makedirs(f"{site}/releases/1")
    os.symlink("releases/1", f"{site}/current")
    for folder in (site, f"{site}/releases", f"{site}/releases/1"):
        os.chmod(folder, 0o777)
    root = f"{site}/current" if link else f"{site}/releases/1"
    with open(path, "w", encoding="ascii") as f:
        f.write('tls { certificate "/none/a.pem" key "/none/a.key" }\n'
                f'port 443 {{ location "/" {{ files "{root}" }} }}\nport 8443 {{ echo }}\n')
    os.chmod(path, 0o644)
    before = sorted(os.listdir(f"{site}/releases/1"))
    result = starter["run"]("--json", "-f", path)
    without = {layer: starter["run"]("--json", "-f", path, "--without", layer)
               for layer in ("landlock", "mounts") if not link}
    os.unlink(path)
    assert sorted(os.listdir(f"{site}/releases/1")) == before
    shutil.rmtree(site)
    rows = attempts(result)
    # Before version 3 Landlock lets a worker empty what its user may write, unless there is a mount.
    emptied = {(aside, "empty a file in its document root") for aside in (False, True)}
    old = landlock_version() < 3
    assert failed(rows) == (emptied if old and not starter["root"] else set())
    results = {(row["round"] == ASIDE, row["attempt"]): row["result"] for row in rows
               if row["process"] == "worker"}
    for aside in (False, True):
        assert results[aside, "list its document root (control)"] == "read"
        for name, root, plain in (("leave its document root for /etc/passwd", "ENOENT", "EACCES"),
                                  ("list a folder outside of its document root", "ENOENT", "EACCES"),
                                  ("write into its document root", "EROFS", "EACCES"),
                                  ("make a file in its document root", "EROFS", "EACCES"),
                                  ("change a file in its document root", "EROFS", "EACCES"),
                                  ("write into a FIFO in its document root", "EACCES", "EACCES"),
                                  ("read /etc/passwd by a leaked / (openat2)", "EACCES", "EACCES")):
            assert results[aside, name] == (root if starter["root"] else plain)
    assert results[False, "rename a file in its document root"] == "ended: renameat2"
    keyholder = {row["attempt"]: row["result"] for row in rows if row["process"] == "keyholder"}
    assert keyholder["leave its document root for /etc/passwd"] == "ended: openat2"
    assert results[False, "drop what others read from the page cache"] == "ended: fadvise64"
    assert results[False, "read with a flag that no handler uses"] == "ended: preadv2"
    if link:
        return
    # Without Landlock the mount holds it, where there is one, but for FIFOs.
    alone = {name for aside, name in failed(attempts(without["landlock"]), "worker")
             if not aside and name in ROOT_ATTEMPTS}
    fifo, leaked = "write into a FIFO in its document root", "read /etc/passwd by a leaked / (openat2)"
    if starter["root"]:
        assert alone == {fifo, leaked}
    else:
        assert alone == ROOT_ATTEMPTS - {"list its document root (control)"} - ABOVE
        assert without["mounts"].returncode == 2
        assert "not started with CAP_SYS_ADMIN" in without["mounts"].stderr
        return
    # Landlock alone keeps it from the content of what lies above, and from any change.
    assert without["mounts"].returncode == 1
    assert failed(attempts(without["mounts"])) == {
        (aside, name) for aside in (False, True) for name in ABOVE} | (emptied if old else set())


# What only a mount refuses.
ABOVE = {"find out the size of a file outside (O_PATH)", "find out where a link outside leads"}
ROOT_ATTEMPTS = ABOVE | {
    "list its document root (control)", "leave its document root for /etc/passwd",
    "list a folder outside of its document root", "read /etc/passwd (openat2)",
    "read /etc/passwd by a leaked / (openat2)", "write into its document root",
    "make a file in its document root", "change a file in its document root",
    "empty a file in its document root", "write into a FIFO in its document root"}


@pytest.mark.any_build
@by_root
def test_files_of_passwords_are_the_selftests_own(starter):
    """Those of the configuration are not there: the selftest has no use for them."""
    site = tempfile.mkdtemp(prefix="selftest-site-")
    os.chmod(site, 0o755)
    path = os.path.join(starter["folder"], "passwords.conf")
    with open(path, "w", encoding="ascii") as f:
        f.write('tls { certificate "/none/a.pem" key "/none/a.key" }\n'
                'authenticate basic "all" file "/none/all"\n'
                'port 443 {\n'
                '\tdeny 192.0.2.0/24\n'
                '\tauthenticate basic "port" file "/none/port"\n'
                '\tlocation "/" { echo }\n'
                '\tlocation "/open" { authenticate off; echo }\n'
                '\tlocation "/own" { authenticate basic "own" file "/none/own"; allow *; echo }\n'
                '\thost "a.example" {\n'
                '\t\tauthenticate basic "host" file "/none/host"\n'
                f'\t\tlocation "/" {{ files "{site}" }}\n'
                '\t}\n'
                '}\n'
                'port 8443 { host "b.example" { echo } }\n'
                'port 9443 { location "/" { authenticate basic "third" file "/none/third"; echo } }\n'
                f'port 80 {{ tls off; deny 192.0.2.0/24; files "{site}" }}\n')
    os.chmod(path, 0o644)
    result = starter["run"]("--json", "-f", path)
    os.unlink(path)
    shutil.rmtree(site)
    assert [line.split(": ", 2)[1:] for line in result.stderr.splitlines()] == [
        ["warning", "passwords cross the network in plain text, since this port has `tls off`"]]
    rows = attempts(result)
    emptied = {(aside, "empty a file in its document root") for aside in (False, True)}
    assert failed(rows) - (emptied if landlock_version() < 3 and not starter["root"] else set()) == set()
    assert {row["process"] for row in rows} == {*HOLDING, "keyholder", "worker", "plain worker"}


@pytest.mark.any_build
def test_files_of_client_certificates_are_not_kept(starter):
    """A worker reads whose clients it lets in, and has no such file open when it serves. Those of the configuration are
    not there."""
    path = os.path.join(starter["folder"], "clients.conf")
    with open(path, "w", encoding="ascii") as f:
        f.write('tls { certificate "/none/a.pem" key "/none/a.key" }\n'
                'port 443 { tls { certificate "/none/b.pem" key "/none/b.key"\n'
                '\tclient certificate optional authority "/none/ca.pem" revoked "/none/ca.crl" }\n'
                '\techo\n'
                '\thost "a.example" { tls { client certificate required authority "/none/other.pem" } echo }\n'
                '\thost "b.example" { tls { client certificate off } echo } }\n')
    os.chmod(path, 0o644)
    result = starter["run"]("--json", "-f", path)
    os.unlink(path)
    rows = attempts(result)
    assert not failed(rows), result.stdout
    left = {row["verdict"] for row in rows if (row["process"], row["attempt"]) == ("worker", "files that were left open")}
    assert left == {"pass" if starter["root"] else "not tested"}


@pytest.mark.any_build
def test_mounts_are_left_out_where_there_are_some(starter):
    result = starter["run"]("--without", "mounts")
    assert result.returncode == 2
    assert "the configuration has no `files`" in result.stderr


@pytest.mark.any_build
@by_root
def test_a_configuration_of_two_ports(starter):
    path = os.path.join(starter["folder"], "two.conf")
    with open(path, "w", encoding="ascii") as f:
        f.write('tls { certificate "/none/a.pem" key "/none/a.key" }\n'
                'log to syslog path "/none/log"\n'
                'limits { memory 400M }\n'
                'port 443 { listen on 192.0.2.1; workers 4; keyholders 2; respond 200 "hi" }\n'
                'port 8443 { echo }\n')
    os.chmod(path, 0o644)
    result = starter["run"]("--json", "-f", path)
    os.unlink(path)
    rows = attempts(result)
    assert not failed(rows)
    assert sum(row["verdict"] == "pass" for row in rows) > 150


# The rows that must fail at least, by round. Where few rows depend on the layer, the test also
# checks that no others fail.
READS = {(True, "read /etc/passwd by a leaked descriptor of /"),
         (True, "go to a leaked / and read /etc/passwd")}


@pytest.mark.any_build
@by_root
def test_without_seccomp(starter):
    result = starter["run"]("--json", "--without", "seccomp")
    rows = attempts(result)
    assert result.returncode == 1
    # The master's own filter is still there; so are refusals by others, which do not count.
    for row in rows:
        if row["round"] == "" and row["expected"].startswith("ended: "):
            foreign = row["expected"] == "ended: foreign call"
            lacks = row["result"] == "this machine has no such calls"
            assert row["verdict"] == ("not tested" if lacks else "pass" if foreign else "FAIL"), row
    assert (False, "by the master's filter and its own") in failed(rows)
    assert all(not aside for aside, _ in failed(rows))


@pytest.mark.any_build
def test_without_landlock(starter):
    result = starter["run"]("--json", "--without", "landlock")
    rows = attempts(result)
    if any("Landlock 0" in row["result"] for row in rows):
        pytest.skip("this kernel has no Landlock")
    assert result.returncode == 1
    assert READS <= failed(rows)
    assert all(aside for aside, _ in failed(rows))
    if not starter["root"]:  # which no other layer protects
        assert {(True, "read another port's key file"), (True, "read /etc/passwd"),
                (True, "read its own port's password file"), (True, "read another port's password file"),
                (True, "read the master's memory (/proc/PID/mem)")} <= failed(rows)
        executed = [row["result"] for row in rows if "exec a leaked" in row["attempt"] and row["round"]]
        assert executed == ["drained"] * 5  # that program has ended well


@pytest.mark.any_build
@pytest.mark.parametrize("layer, rows", [
    ("user", {(False, "its four user ids"), (False, "its four group ids"), (True, "fork"),
              (True, "become root")}),
    ("chroot", {(False, "its root directory"),
                (True, "write to a unix socket's path over a leaked one"),
                (True, "read /etc/passwd"), (True, "write /etc/passwd"),
                (True, "connect to a unix socket by its path")}),
])
def test_without_what_only_root_has(starter, layer, rows):
    result = starter["run"]("--json", "--without", layer)
    if not starter["root"]:
        assert result.returncode == 2
        assert "not started as root" in result.stderr
        return
    assert result.returncode == 1
    found = attempts(result)
    assert failed(found, "worker") == rows
    assert failed(found, "keyholder") == rows
    assert failed(found, "verifier") == rows


@pytest.mark.any_build
@by_root
@pytest.mark.parametrize("holder, secret", [("keyholder", "port's private key"),
                                            ("verifier", "password's hash")])
def test_without_a_holder(starter, holder, secret):
    result = starter["run"]("--json", "--without", holder)
    rows = attempts(result)
    assert result.returncode == 1
    outside = {(False, f"the {secret} in /proc/PID/mem")}
    assert failed(rows, "worker") - outside == {(False, f"find the {secret} in its memory")}
    assert failed(rows, "keyholder") == failed(rows, "verifier") == failed(rows, "master") == set()
    looked = [row["verdict"] for row in rows if (False, row["attempt"]) in outside
              and row["process"] == "worker"]
    assert looked in (["FAIL"], ["not tested"])  # where the kernel forbids the look


def test_an_interrupt_leaves_nothing(starter):
    with subprocess.Popen(starter["argv"](), env=starter["env"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as p:
        wait_for(lambda: glob.glob(f"{starter['folder']}/*/output"), "the start of its master")
        p.send_signal(signal.SIGINT)
        _, err = p.communicate(timeout=TIMEOUT)
    assert p.returncode == 128 + signal.SIGINT
    assert "interrupted" in err


def test_what_cannot_be_served_is_told(starter):
    path = os.path.join(starter["folder"], "none.conf")
    with open(path, "w", encoding="ascii") as f:
        f.write('privileges strict\ntls { certificate "/none/a.pem" key "/none/a.key" }\n'
                'port 8000 { chroot off; respond 200 }\n')
    os.chmod(path, 0o644)
    result = starter["run"]("-f", path)
    os.unlink(path)
    assert result.returncode == 70
    assert "privileges are strict" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("args, says", [
    (["selftest", "--without", "everything"], "there is no layer 'everything'"),
    (["selftest", "extra"], "unexpected argument 'extra'"),
    (["selftest", "-p", "1"], "invalid option"),
    (["--without", "seccomp"], "unrecognized option"),
    (["--json"], "unrecognized option"),
])
def test_wrong_words(run, args, says):
    result = run(*args)
    assert result.returncode == 2
    assert says in result.stderr


def test_an_agent_cannot_be_had_by_hand(run):
    for argument in ("", "0,0,/tmp/nowhere", "63,1,/tmp/nowhere"):
        result = run("--child", argument)
        assert result.returncode == 64
        assert "started by" in result.stderr
    result = run("--attempts", "255,0,/tmp/nowhere", "-p", "1")
    assert result.returncode == 2
    assert "only bulkhead selftest uses --attempts" in result.stderr


def test_a_process_that_serves_has_no_agent(server, ports):
    s = server(f"port {ports[0]} {{ respond 200 }}")
    for pid in s.workers().values():
        # The list is that of the whole machine, so those of its own descriptors are looked for.
        links = (os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd"))
        own = {link[8:-1] for link in links if link.startswith("socket:[")}
        names = [path for _, inode, path in unix_sockets(pid) if inode in own]
        assert names and not [path for path in names if "bulkhead-selftest" in path]
    with open(f"/proc/{s.pid}/cmdline", "rb") as f:
        assert b"attempts" not in f.read()
