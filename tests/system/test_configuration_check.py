"""bulkhead -t: what it checks, all that it finds in one run, and that it writes nothing."""
import datetime
import fcntl
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess

import pytest

from harness import BINARY, HELLO, TIMEOUT, client_context, descriptors_of, get, have, wait_for


def tree(*folders):
    """Everything below these folders, with its content and time."""
    found = {}
    for folder in folders:
        for path in [folder, *sorted(folder.rglob("*"))]:
            st = path.lstat()
            found[path] = (st.st_mode, st.st_mtime_ns, st.st_size)
    return found


@pytest.fixture
def nowhere(tmp_path):
    """An environment whose folders are all empty, and a folder to start in."""
    folders = {name: tmp_path / name for name in ("home", "state", "runtime", "work")}
    for folder in folders.values():
        folder.mkdir()
    env = {k: v for k, v in os.environ.items() if k not in ("STATE_DIRECTORY", "NOTIFY_SOCKET")}
    env |= {"HOME": str(folders["home"]), "XDG_STATE_HOME": str(folders["state"]),
            "XDG_RUNTIME_DIR": str(folders["runtime"])}
    return env, folders


@pytest.fixture
def installed(tmp_path):
    """A program that was installed below a prefix of its own: a function that makes its
    configuration."""
    prefix = tmp_path / "prefix"
    (prefix / "sbin").mkdir(parents=True)
    (prefix / "etc" / "bulkhead").mkdir(parents=True)
    program = prefix / "sbin" / "bulkhead"
    shutil.copy2(BINARY, program)
    return program, prefix / "etc" / "bulkhead" / "bulkhead.conf"


def run(program, *args, **options):
    return subprocess.run([str(a) for a in (program, *args)], capture_output=True, text=True,
                          timeout=TIMEOUT, stdin=subprocess.DEVNULL, **options)


# --- which configuration ---


def test_without_a_file_the_one_that_is_installed_is_checked(installed, nowhere):
    program, conf = installed
    env, folders = nowhere
    conf.write_text("tls development\nport 8000 { respond 200 }\nport 8001 { echo }\n")
    r = run(program, "-t", env=env, cwd=folders["work"])
    assert (r.returncode, r.stderr) == (0, f"configuration ok: 2 ports in {conf}\n")
    r = run(program, "-T", env=env, cwd=folders["work"])
    assert r.stderr == f"bulkhead: this is {conf}\n"
    assert "\ttls development\n" in r.stdout and "port 8001 {" in r.stdout
    conf.write_text("prot 8000 { respond 200 }\n")
    r = run(program, "-t", env=env, cwd=folders["work"])
    assert r.returncode == 1
    assert f"{conf}:1:1: error: unknown word `prot`" in r.stderr
    assert f"bulkhead: this is {conf}" in r.stderr
    # What only the built-in one can be meant by.
    for options in (["-p", "9000"], ["--certificate", "c.pem", "--key", "k.pem"]):
        r = run(program, "-T", *options, env=env, cwd=folders["work"])
        assert r.returncode == 0 and "Hello, world!" in r.stdout, options
    assert "-f" in run(program, "-T", "-f", conf, env=env).args  # said: no other one is looked for


def test_without_an_installed_one_the_built_in_one_is_checked(nowhere, installed):
    program, conf = installed
    env, folders = nowhere
    if pathlib.Path("/etc/bulkhead/bulkhead.conf").exists():
        pytest.skip("this machine has one in /etc/bulkhead")
    r = run(program, "-t", env=env, cwd=folders["work"])
    assert (r.returncode, r.stderr) == \
        (0, "configuration ok: 3 ports in the built-in configuration\n")
    r = run(program, "-T", env=env, cwd=folders["work"])
    assert r.stderr == "bulkhead: this is the built-in configuration\n"
    assert r.stdout.count("\ttls development\n") == 3


@pytest.mark.parametrize("closed", ["file", "folder"])
def test_an_installed_one_that_cannot_be_read_is_no_success(installed, nowhere, closed, tmp_path):
    if os.geteuid() != 0 or not have("setpriv"):
        pytest.skip("needs root, to become another user")
    program, conf = installed
    env, folders = nowhere
    conf.write_text("tls development\nport 8000 { respond 200 }\n")
    (conf if closed == "file" else conf.parent).chmod(0o600 if closed == "file" else 0o700)
    for folder in (*tmp_path.parents[:2], tmp_path):
        folder.chmod(folder.stat().st_mode | 0o111)
    r = run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, "-t", env=env,
            cwd="/")
    assert r.returncode == 1
    assert f"{conf}: error: cannot read {conf}: Permission denied" in r.stderr


def test_a_start_without_a_file_says_that_it_is_not_the_installed_one(installed, nowhere, ports):
    program, conf = installed
    env, folders = nowhere
    conf.write_text(f"tls development\nport {ports[0]} {{ respond 200 }}\n")
    r = run(program, "-w", "65", env=env, cwd=folders["work"])
    assert r.returncode == 2  # and before that nothing is said
    p = subprocess.Popen([program], env=env, cwd=folders["work"], stderr=subprocess.PIPE, text=True)
    try:
        assert p.stderr.readline() == (f"bulkhead: serving the built-in configuration; for {conf}: "
                                       f"bulkhead -f {conf}\n")
    finally:
        p.kill()
        p.wait(TIMEOUT)
        p.stderr.close()


# --- nothing is written ---


@pytest.mark.parametrize("option", ["-t", "-T"])
@pytest.mark.parametrize("conf", [None, "tls development\nport 8000 { respond 200 }\n",
                                  "tls development\nprot 8000 { respond 200 }\n",
                                  'control "{state}/no/ctl"\nchroot "{state}/root"\n'
                                  'log to syslog path "{state}/log"\ntls development\n'
                                  'port 8000 {{ respond 200 }}\n'],
                         ids=["built-in", "development", "mistake", "paths"])
def test_nothing_is_written(nowhere, option, conf, tmp_path):
    env, folders = nowhere
    args = [option]
    if conf is not None:
        path = tmp_path / "a.conf"
        path.write_text(conf.format(state=folders["state"]) if "{state}" in conf else conf)
        args += ["-f", path]
    for state in ({}, {"STATE_DIRECTORY": str(folders["state"])}):
        before = tree(*folders.values())
        run(BINARY, *args, env=env | state, cwd=folders["work"])
        assert tree(*folders.values()) == before


# --- all in one run ---


def test_files_are_looked_at_in_spite_of_a_mistake(run, conf_file, certificates, tmp_path):
    """Everything that is wrong, in the order of the lines, whatever found it."""
    certificate, key = certificates("ecdsa")
    _, other = certificates("other")
    path = conf_file("all.conf", f"""control "{tmp_path}/none/ctl"
tls {{ certificate "{certificate}" key "{other}" }}
port 8000 {{ workers 65 respond 200 }}
port 8001 {{ tls {{ certificate "{tmp_path}/none.pem" key "{tmp_path}/none.key" }} respond 200 }}
port 8002 {{ user "no-such-user" respond 302 header "Location" "https://$host/" }}
prot 8003 {{ respond 200 }}
log to syslog path "{tmp_path}/none.sock"
port 8004 {{ chroot "{tmp_path}/none" respnd 200 }}
include "{tmp_path}/none.conf"
""")
    r = run("-t", "-f", path)
    assert r.returncode == 1
    found = [line.removeprefix(f"{path}:") for line in r.stderr.splitlines()]
    patterns = [r'1:1: warning: the folder ".*/none" of the control socket is missing',
                r"2:7: error: certificate .* does not match key",
                r"3:21: error: workers 65 is out of range",
                r'4:19: error: certificate ".*/none.pem" cannot be read: No such file',
                r'4:19: error: key ".*/none.key" cannot be read: No such file',
                r'5:1: error: .*"no-such-user"',
                r"5:63: warning: `\$host` is sent as it stands",
                r"6:1: error: unknown word `prot`",
                r"7:8: warning: no log daemon can be reached at .*/none.sock",
                r'8:1: error: chroot ".*/none" cannot be used: No such file',
                r"8:\d+: error: unknown word `respnd`",
                r"9:9: error: cannot read .*/none.conf: No such file"]
    assert len(found) == len(patterns), r.stderr
    for line, pattern in zip(found, patterns):
        assert re.match(pattern, line), (line, pattern)


def test_folders_of_the_control_socket(run, conf_file, certificates, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "plain").touch()
    cases = {"none/ctl": 'the folder ".*/none" of the control socket is missing',
             "file/ctl": 'the folder ".*/file" of the control socket is not a directory',
             "folder/plain": '".*/plain" is there and is no socket',
             "folder/ctl": None}
    for path, told in cases.items():
        r = run("-t", "-f", conf_file("c.conf", certificates.tls() + f'control "{tmp_path}/{path}"\n'
                                      "port 8000 { respond 200 }\n"))
        assert r.returncode == 0
        if told is None:
            assert r.stderr == "configuration ok: 1 port\n"
        else:
            assert re.search(rf"c\.conf:2:1: warning: {told}", r.stderr), r.stderr


# --- keys and certificates ---


@pytest.mark.parametrize("mode,group,who", [
    (0o644, 0, "every user"), (0o604, 0, "every user"), (0o666, 0, "every user"),
    (0o640, 0, "every member of its group"), (0o640, 1000, "every member of its group"),
    (0o640, 100, "every member of its group"), (0o660, 998, "every member of its group"),
    (0o602, 0, "every user"), (0o640, 998, None), (0o600, 0, None), (0o400, 1000, None)])
def test_a_key_that_others_may_read(run, conf_file, certificates, mode, group, who):
    if group != 0 and os.geteuid() != 0:
        pytest.skip("needs root, to give a file to a group")
    certificate, key = certificates()
    if os.geteuid() == 0:
        os.chown(key, 0, group)
    elif mode == 0o640:
        pytest.skip("which group it is, is this user's")
    key.chmod(mode)
    r = run("-t", "-f", conf_file("k.conf", certificates.tls() + "port 8000 { respond 200 }\n"))
    assert r.returncode == 0
    if who is None:
        assert r.stderr == "configuration ok: 1 port\n"
        return
    told = re.search(rf'k\.conf:1:7: warning: key "{key}" can be (read|written) by {who} '
                     rf"\(mode {mode:03o}\): (chmod \S+ {key})$", r.stderr, re.M)
    assert told, r.stderr
    subprocess.run(told[2], shell=True, check=True)  # the command that it gives is the cure
    r = run("-t", "-f", conf_file("k.conf", certificates.tls() + "port 8000 { respond 200 }\n"))
    assert r.stderr == "configuration ok: 1 port\n"


def test_what_is_no_key_gets_no_other_mode(run, conf_file, certificates, tmp_path):
    certificate, key = certificates()
    for c, k in ((key, certificate), (certificate, tmp_path), (tmp_path, tmp_path)):
        r = run("-t", "-f", conf_file("k.conf", f'tls {{ certificate "{c}" key "{k}" }}\n'
                                      "port 8000 { respond 200 }\n"))
        assert r.returncode == 1
        assert "error: " in r.stderr and "chmod" not in r.stderr, r.stderr


def day(offset):
    return (datetime.datetime.now() + datetime.timedelta(days=offset)).strftime("%Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize("kind,options,template,told", [
    ("ends tomorrow", ["--key-type=ecdsa", "--sec-param=high"], (-60, 1.5), "expires in 1 day, on "),
    ("of two days", ["--key-type=ecdsa", "--sec-param=high"], (-0.1, 1.5), "expires in 1 day, on "),
    ("has ended", ["--key-type=ecdsa", "--sec-param=high"], (-60, -1), "expired on "),
    ("not yet", ["--key-type=ecdsa", "--sec-param=high"], (2, 60), "is not valid before "),
    ("short RSA", ["--key-type=rsa", "--bits=1536"], (-1, 90), "has an RSA key of 1536 bits"),
    ("good", ["--key-type=rsa", "--bits=2048"], (-1, 90), None),
], ids=lambda v: v if isinstance(v, str) and " " not in v[:1] and len(v) < 14 else None)
def test_certificates_that_clients_refuse(run, conf_file, tmp_path, kind, options, template, told):
    if not have("certtool"):
        pytest.skip("needs certtool")
    key, certificate = tmp_path / "k.key", tmp_path / "c.pem"
    subprocess.run(["certtool", "--generate-privkey", *options, "--outfile", key], check=True,
                   capture_output=True)
    key.chmod(0o600)
    (tmp_path / "t").write_text(f'cn = "a"\ndns_name = "localhost"\ntls_www_server\nsigning_key\n'
                                f'activation_date = "{day(template[0])}"\n'
                                f'expiration_date = "{day(template[1])}"\n')
    subprocess.run(["certtool", "--generate-self-signed", "--load-privkey", key, "--template",
                    tmp_path / "t", "--outfile", certificate], check=True, capture_output=True)
    for mistake in ("", "prot 1 { echo }\n"):  # a mistake elsewhere hides none of it
        r = run("-t", "-f", conf_file("c.conf", f'tls {{ certificate "{certificate}" key "{key}" }}\n'
                                      "port 8000 { respond 200 }\n" + mistake))
        assert r.returncode == (1 if mistake else 0)
        if told is None:
            assert "warning" not in r.stderr
        else:
            assert f'c.conf:1:7: warning: certificate "{certificate}" {told}' in r.stderr, r.stderr


# --- tls development ---


def test_a_configuration_asks_for_the_development_certificate(server, ports, run, nowhere):
    env, folders = nowhere
    text = ("tls development\n"
            f'port {ports[0]} {{ respond 200 "Hello, world!\\n" }}\n')
    options = {"tls": False, "env": {k: env[k] for k in ("HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR")}}
    s = server(text, **options)
    certificate = folders["state"] / "bulkhead" / "cert.pem"
    key = certificate.with_name("key.pem")
    assert f"made a development certificate {certificate}" in s.log()
    s.wait_log(rf"\[MASTER\] 1 port has the certificate {certificate}, which is for development")
    line = re.search(r"curl --cacert \S+ https://localhost:\d+/", s.log())[0]
    assert subprocess.run(line.split() + ["-s", "--noproxy", "*"], capture_output=True).stdout == HELLO
    assert key.stat().st_mode & 0o777 == 0o600
    made = certificate.read_bytes(), key.read_bytes()
    # A reload keeps it; -t finds nothing wrong with it; -T says what was written.
    s.kill(1)
    s.wait_log(r"reloaded: 1 kept, 0 changed")
    s.wait_log(r"which is for development", count=2)
    r = run("-t", "-f", s.config, env=env)
    assert (r.returncode, r.stderr) == (0, "configuration ok: 1 port\n")
    assert "\ttls development\n" in run("-T", "-f", s.config, env=env).stdout
    s.stop()
    again = server(text, **options)
    assert f"using the development certificate {certificate}" in again.log()
    assert (certificate.read_bytes(), key.read_bytes()) == made
    assert get(ports[0]).body == HELLO


def test_a_reload_makes_the_development_certificate(server, ports, certificates, nowhere):
    """From a certificate of one's own to the other and back, where there is a place to keep it and
    where there is none."""
    env, folders = nowhere
    for place, in_memory in (({k: env[k] for k in ("HOME", "XDG_STATE_HOME")}, 0),
                             ({"HOME": "/nonexistent/x", "XDG_STATE_HOME": "/proc/none"}, 2)):
        s = server(certificates.tls() + f'port {ports[0]} {{ respond 200 "Hello, world!\\n" }}\n',
                   env=place)
        own, certificate = pathlib.Path(s.config).read_text(), set()
        for n in range(1, 4):
            pathlib.Path(s.config).write_text(own.replace(certificates.tls(), "tls development\n"))
            s.kill(1)
            s.wait_log(r"reloaded: ", count=2 * n - 1)
            s.wait_log(r"1 port has the certificate .+, which is for development", count=n)
            with socket.create_connection(("127.0.0.1", ports[0]), timeout=TIMEOUT) as raw, \
                    client_context().wrap_socket(raw) as c:
                certificate.add(c.getpeercert(True))
            # Its name leads to the same file for the next process of the port, too.
            os.kill(s.workers()[ports[0], 1], signal.SIGKILL)
            s.wait_log(r"worker 1 \(pid \d+\) is ready", count=3 * n)
            assert get(ports[0]).body == HELLO
            pathlib.Path(s.config).write_text(own)
            s.kill(1)
            s.wait_log(r"reloaded: ", count=2 * n)
        assert len(certificate) == 1
        shown = set(re.findall(r"has the certificate (.+), which", s.log()))
        assert shown == ({"that is kept in memory"} if in_memory else
                         {f"{env['XDG_STATE_HOME']}/bulkhead/cert.pem"})
        # The former generation, which drains, may have a pair, too.
        wait_for(lambda: sum(bool(re.search("memfd:bulkhead-(certificate|key)", what))
                             for what in descriptors_of(s.pid).values()) == in_memory,
                 f"{in_memory} files in memory")
        assert s.stop() == 0


def test_a_locked_folder_does_not_hold_up_the_master(server, ports, certificates, nowhere):
    """A reload that needs the folder fails, and the server goes on as it was."""
    env, _ = nowhere
    folder = pathlib.Path(env["XDG_STATE_HOME"]) / "bulkhead"
    folder.mkdir(parents=True, mode=0o700)
    s = server(certificates.tls() + f'port {ports[0]} {{ respond 200 "Hello, world!\\n" }}\n',
               env={k: env[k] for k in ("HOME", "XDG_STATE_HOME")})
    text = pathlib.Path(s.config).read_text()
    lock = os.open(folder, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    pathlib.Path(s.config).write_text(text.replace(certificates.tls(), "tls development\n"))
    s.kill(1)
    s.wait_log("another process has locked it")
    s.wait_log("nothing has changed")
    os.close(lock)
    s.kill(1)
    s.wait_log("reloaded: 0 kept, 1 changed")
    assert get(ports[0]).body == HELLO


def test_some_ports_of_a_configuration_have_it(server, ports, certificates, nowhere):
    env, _ = nowhere
    s = server(certificates.tls("rsa") + f"port {ports[0]} {{ respond 200 }}\n"
               f"port {ports[1]} {{ tls development respond 200 }}\n",
               env={k: env[k] for k in ("HOME", "XDG_STATE_HOME")})
    for port, name in ((ports[0], "rsa"), (ports[1], "Bulkhead development")):
        shown = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}"],
                               stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout
        assert re.search(rf"CN ?= ?{name}", shown)
    s.wait_log(r"1 port has the certificate")


def test_half_a_development_certificate_is_told(run, conf_file, nowhere):
    env, folders = nowhere
    (folders["state"] / "bulkhead").mkdir()
    (folders["state"] / "bulkhead" / "cert.pem").write_text("")
    path = conf_file("d.conf", "# a comment\ntls development\nport 8000 { respond 200 }\n")
    for args in (["-t", "-f", path], ["-f", path]):
        r = run(*args, env=env)
        assert r.returncode == 1
        assert re.search(r'd\.conf:2:1: error: ".*/cert\.pem" has no key ".*/key\.pem"', r.stderr)
    shutil.rmtree(folders["state"] / "bulkhead")
    (folders["state"] / "bulkhead").write_text("")
    r = run("-t", "-f", path, env=env)
    assert r.returncode == 0
    assert re.search(r"d\.conf:2:1: warning: the development certificate cannot be kept in", r.stderr)
