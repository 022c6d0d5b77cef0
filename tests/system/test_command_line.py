"""The command line, the built-in configuration, the development certificate, -t and -T."""
import os
import re
import signal
import subprocess

import pytest

from harness import BINARY, HELLO, TIMEOUT, TOP, Connection, get, wait_for
from s_client import s_client

EXAMPLE = """
user "www-data"
log to console
log to syslog facility daemon         # also: log to journal
access log on                         # on | off | errors
drain 10s
restart { backoff 100ms to 30s; park after 5 in 60s; while parked refuse }   # or: queue
tls { certificate "cert.pem" key "key.pem" }

port 8000 { respond 200 "Hello, world!\\n" }
port 8001 { workers 4  respond 200 "Hello, world!\\n" }
port 8443 {
	listen on 127.0.0.1
	listen on ::1
	tls { certificate "b.pem" key "b.key" }
	limits { connections 1000; head 16K; body 1M; idle 60s; head-timeout 10s;
	         handshake-timeout 10s; requests 10000 }
	location "/health" { respond 200 "ok\\n" type "text/plain" header "Cache-Control" "no-store" }
	location "/echo" { echo }
	location "/" { respond 200 "Hello, world!\\n" }
}
"""


@pytest.fixture
def home(tmp_path):
    """An environment with a home of its own."""
    env = {**os.environ, "HOME": str(tmp_path / "home")}
    for name in ("XDG_STATE_HOME", "STATE_DIRECTORY", "JOURNAL_STREAM"):
        env.pop(name, None)
    return env


# --- words ---


def test_help_and_version(run):
    assert run("--help").stdout.startswith("usage: bulkhead ")
    assert run("-h").returncode == run("-V").returncode == 0
    assert re.fullmatch(r"bulkhead \d+\.\d+\.\d+\n", run("--version").stdout)


@pytest.mark.parametrize("option", ["-h", "-V", "-T"])
def test_output_that_cannot_be_written_is_a_failure(option, home):
    with open("/dev/full", "w") as full:
        result = subprocess.run([BINARY, option], stdout=full, stderr=subprocess.PIPE, text=True,
                                timeout=TIMEOUT, env=home)
    assert result.returncode == 1
    assert "bulkhead: cannot write to standard output\n" in result.stderr


@pytest.mark.parametrize("args, says", [
    (["-x"], "invalid option"),
    (["--nonsense"], "unrecognized option"),
    (["-f"], "requires an argument"),
    (["extra"], "unexpected argument 'extra'"),
    (["-p", "0"], "'0' is not a port"),
    (["-p", "8000,99999"], "'99999' is not a port"),
    (["-p", "9-5"], "not a range"),
    (["-p", "8000,"], "is not a port"),
    (["-p", "8000,7999-8001"], "port 8000 is given twice"),
    (["-w", "0"], "not a number of workers"),
    (["-w", "many"], "not a number of workers"),
    (["-p", "8000", "-f", "x"], "exclude each other"),
    (["--key", "x"], "go together"),
    (["-f", ""], "--config takes the name of a file, which cannot be empty"),
    (["-t", "--config="], "--config takes the name of a file, which cannot be empty"),
    (["-P", ""], "--pid-file takes the name of a file, which cannot be empty"),
    (["--certificate", "", "--key", "x"], "--certificate takes the name of a file"),
    (["--certificate", "x", "--key", ""], "--key takes the name of a file"),
    (["selftest", "-f", ""], "--config takes the name of a file, which cannot be empty"),
])
def test_usage_errors_exit_2_and_say_what_is_wrong(run, args, says):
    result = run(*args)
    assert result.returncode == 2
    assert says in result.stderr
    assert "bulkhead --help" in result.stderr


def test_options_of_the_manual_and_the_help_are_the_same(run):
    shown = set(re.findall(r"--([a-z-]+)", run("--help").stdout))
    page = (TOP / "src" / "bulkhead.8").read_text()
    documented = set(re.findall(r"(?:Fl|,) -([a-z-]+)", page))
    assert shown and shown <= documented, shown - documented


# --- -t and -T ---


def test_dump_parses_again_to_the_same_text(run, conf_file):
    first = run("-T", "-f", conf_file("a.conf", EXAMPLE))
    assert first.returncode == 0, first.stderr
    second = run("-T", "-f", conf_file("b.conf", first.stdout))
    assert second.returncode == 0, second.stderr
    assert second.stdout == first.stdout
    assert "idle 1m" in first.stdout and "workers 4" in first.stdout


def test_workers_option_overrides_every_port(run, conf_file):
    text = run("-T", "-w", "3", "-f", conf_file("a.conf", EXAMPLE)).stdout
    assert re.findall(r"workers (\d+)", text) == ["3", "3", "3"]


def test_all_mistakes_in_one_run_with_places_and_suggestions(run, conf_file, certificates):
    path = conf_file("bad.conf", certificates.tls() +
                     'prot 8000 { respond 200 }\n'
                     'port 99999 { respond 200 }\n'
                     'port 8001 { worker 4  respond 200 }\n'
                     'port 8001 { respond 200 }\n'
                     'port 8002 { limits { idle 10y } respond 200 }\n')
    result = run("-t", "-f", path)
    assert result.returncode == 1
    for line in (f"{path}:2:1: error: unknown word `prot`; did you mean `port`?",
                 f"{path}:3:6: error: port 99999 is out of range",
                 f"{path}:4:13: error: unknown word `worker`; did you mean `workers`?",
                 f"{path}:5:1: error: duplicate port 8001",
                 f"{path}:6:27: error: `10y` is not a duration"):
        assert line in result.stderr, result.stderr
    assert len(result.stderr.splitlines()) == 5, result.stderr


def test_users_and_roots_that_are_none_are_told(run, conf_file, certificates, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    path = conf_file("users.conf", certificates.tls() + f"""
port 8001 {{ user "no-such-user" respond 200 }}
port 8002 {{ user "nobody" group "no-such-group" respond 200 }}
port 8003 {{ key user "no-such-user" respond 200 }}
port 8004 {{ user "4000000" respond 200 }}
port 8005 {{ user "4000000" group "4000000" respond 200 }}
port 8006 {{ chroot "{tmp_path}/full" respond 200 }}
port 8007 {{ chroot "{tmp_path}/none" respond 200 }}
port 8008 {{ group "no-such-group" respond 200 }}
""")
    result = run("-t", "-f", path)
    assert result.returncode == 1
    said = [line.split(": error: ")[1] for line in result.stderr.splitlines()]
    assert said[:4] == ['there is no user "no-such-user"', 'there is no group "no-such-group"',
                        'there is no user "no-such-user"',
                        "user 4000000 has no entry, so its group is unknown: set `group`"]
    assert re.match(r'chroot ".*/full" is not (an empty directory|owned by root)$', said[4])
    assert re.match(r'chroot ".*/none" cannot be used: No such file or directory$', said[5])
    assert said[6:] == ['there is no group "no-such-group"']


def test_a_truncated_file_names_the_open_block(run, conf_file, certificates):
    path = conf_file("cut.conf", certificates.tls() + "port 8000 {\n\trespond 200\n")
    result = run("-t", "-f", path)
    assert result.returncode == 1
    assert "the file ends inside the block opened at line 2" in result.stderr


def test_unreadable_configurations(run, tmp_path, conf_file):
    assert "No such file or directory" in run("-t", "-f", tmp_path / "none").stderr
    result = run("-t", "-f", tmp_path)
    assert result.returncode == 1 and "directory" in result.stderr
    path = conf_file("i.conf", 'include "missing.conf"\n')
    assert re.search(r"i\.conf:1:\d+: error: .*missing\.conf", run("-t", "-f", path).stderr)


def test_certificates_are_checked_with_their_places(run, conf_file, certificates):
    good, key = certificates("ecdsa")
    _, other = certificates("other")
    expired = certificates("expired")
    text = (f'tls {{ certificate "{good}" key "{key}" }}\n'
            f'port 8000 {{ respond 200 tls {{ certificate "{good}" key "{other}" }} }}\n'
            f'port 8001 {{ respond 200 tls {{ certificate "{expired[0]}" key "{expired[1]}" }} }}\n'
            'port 8002 { respond 200 tls { certificate "none.pem" key "none.key" } }\n'
            f'port 8003 {{ respond 200 tls {{ certificate "{key}" key "{key}" }} }}\n'
            f'port 8004 {{ respond 200 tls {{ certificate "{good}" key "{good}" }} }}\n'
            'port 8005 { respond 200 }\n')
    path = conf_file("c.conf", text)
    result = run("-t", "-f", path)
    assert result.returncode == 1
    for line, says in ((2, "error: .* does not match key"), (3, "warning: .* expired on"),
                       (4, "error: .*none.pem.* cannot be read: No such file"),
                       (4, "error: key .*none.key.* cannot be read: No such file"),
                       (5, "error: .* is not a certificate in PEM"),
                       (6, "error: key .* is not a private key in PEM")):
        assert re.search(rf"c\.conf:{line}:\d+: {says}", result.stderr), (says, result.stderr)
    assert len(result.stderr.splitlines()) == 6, result.stderr


def test_two_pairs_on_one_line_are_both_checked(run, conf_file, certificates):
    good, key = certificates("ecdsa")
    _, other = certificates("other")
    path = conf_file("c.conf",
                     f'port 8000 {{ respond 200 tls {{ certificate "{good}" key "{key}" }} }} '
                     f'port 8001 {{ respond 200 tls {{ certificate "{good}" key "{other}" }} }}\n')
    result = run("-t", "-f", path)
    assert result.returncode == 1
    assert "does not match" in result.stderr


def test_an_expired_certificate_alone_is_a_warning(run, conf_file, certificates):
    path = conf_file("w.conf", certificates.tls("expired") + "port 8000 { respond 200 }\n")
    result = run("-t", "-f", path)
    assert result.returncode == 0
    assert "warning: " in result.stderr and "configuration ok: 1 port" in result.stderr


def test_a_broken_configuration_starts_nothing(run, conf_file):
    result = run("-f", conf_file("bad.conf", "port 8000 {"))
    assert result.returncode == 1
    assert "error:" in result.stderr


# --- the built-in configuration ---


def test_ports_without_a_configuration(server, ports):
    s = server(None, args=["-p", f"{ports[0]},{ports[1]}", "-w", "2"])
    assert sorted(s.workers()) == [(p, n) for p in ports[:2] for n in (1, 2)]
    assert get(ports[0]).body == get(ports[1]).body == HELLO


def test_development_certificate_is_made_kept_and_usable(server, ports, home):
    s = server(None, args=["-p", str(ports[0])])
    folder = s.folder / ".local" / "state" / "bulkhead"
    certificate, key = folder / "cert.pem", folder / "key.pem"
    assert key.stat().st_mode & 0o777 == 0o600
    assert f"made a development certificate {certificate}" in s.log()
    fingerprint = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-fingerprint",
                                  "-sha256"], capture_output=True, text=True).stdout
    assert f"SHA-256 {fingerprint.split('=')[1].strip()}" in s.log()
    line = re.search(r"curl --cacert \S+ https://localhost:\d+/", s.log())[0]
    result = subprocess.run(line.split() + ["-s", "--noproxy", "*"], capture_output=True)
    assert result.stdout == HELLO
    text = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-text"],
                          capture_output=True, text=True).stdout
    for name in ("DNS:localhost", "IP Address:127.0.0.1", "IP Address:0:0:0:0:0:0:0:1",
                 f"DNS:{os.uname().nodename}", "prime256v1"):
        assert name in text, text
    s.stop()
    again = server(None, args=["-p", str(ports[0])], env={"HOME": str(s.folder)})
    assert f"using the development certificate {certificate}" in again.log()
    assert fingerprint.split("=")[1].strip() in again.log()


def test_certificate_in_the_current_directory_is_taken(server, ports, tmp_path, certificates):
    certificate, key = certificates("rsa")
    (tmp_path / "cert.pem").write_bytes(certificate.read_bytes())
    (tmp_path / "key.pem").write_bytes(key.read_bytes())
    s = server(None, args=["-p", str(ports[0])], cwd=tmp_path)
    assert "development" not in s.log()
    assert s_client(ports[0]).name == "rsa"


@pytest.mark.parametrize("name", ["cert.pem", "key.pem"])
def test_one_file_without_the_other_is_an_error(run, tmp_path, home, name):
    (tmp_path / name).write_text("")
    result = run(cwd=tmp_path, env=home)
    assert result.returncode == 1
    assert re.search(rf"there is {name} without (cert|key)\.pem", result.stderr)
    assert not (tmp_path / "home").exists()


def test_two_first_starts_at_once_agree_on_one_certificate(server, home, tmp_path, ports):
    both = [server(None, args=["-p", str(port)], env=home, wait=None) for port in ports]
    for s in both:
        s.wait_log("port is served")
    folder = tmp_path / "home" / ".local" / "state" / "bulkhead"
    assert sorted(os.listdir(folder)) == ["cert.pem", "key.pem"]
    certificate = subprocess.run(["openssl", "x509", "-in", folder / "cert.pem", "-noout",
                                  "-pubkey"], capture_output=True).stdout
    key = subprocess.run(["openssl", "pkey", "-in", folder / "key.pem", "-pubout"],
                         capture_output=True).stdout
    assert certificate == key != b""


def test_the_certificate_options(server, ports, certificates):
    certificate, key = certificates("ed25519")
    server(None, args=["-p", str(ports[0]), "--certificate", certificate, "--key", key])
    assert s_client(ports[0]).name == "ed25519"


def test_verbose_tells_why_connections_end(server, ports):
    s = server(f'port {ports[0]} {{ limits {{ idle 50ms }} respond 200 }}', args=["-v"])
    with Connection(ports[0]) as c:
        assert c.closed()
    s.wait_log(r"\('127\.0\.0\.1', \d+\) has reached its idle limit")


def test_closed_standard_streams_do_no_harm(ports, tmp_path, certificates):
    """Descriptors 0 to 2 must not become sockets."""
    config = tmp_path / "c.conf"
    config.write_text(certificates.tls() + f'log to syslog path "{tmp_path}/none"\n'
                      f'port {ports[0]} {{ respond 200 "Hello, world!\\n" }}\n')
    p = subprocess.Popen(["/bin/sh", "-c", f'exec "{BINARY}" -f "{config}" <&- >&- 2>&-'])
    try:
        def answers():
            try:
                return get(ports[0]).body == HELLO
            except OSError:
                return False
        wait_for(answers, "an answer")
    finally:
        p.send_signal(signal.SIGTERM)
        assert p.wait(30) == 0
