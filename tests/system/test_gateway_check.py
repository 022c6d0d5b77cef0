"""bulkhead -t with upstreams: the files that they name, their sockets; and -T, which reads what it writes."""
import os
import pathlib
import socket
import subprocess

from harness import BINARY, TIMEOUT

SYSTEM = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")


def run(option, path):
    ran = subprocess.run([BINARY, option, "-f", path], capture_output=True, text=True, timeout=TIMEOUT)
    return ran.returncode, ran.stdout, ran.stderr


def check(conf_file, inside, tls="tls off"):
    code, _, stderr = run("-t", conf_file("t.conf", f"port 1 {{ {tls}\n{inside}\n}}"))
    return code, stderr


def upstream(options):
    return f'proxy to "https://a.example" {{ {options} }}'


def test_authorities_are_read(conf_file, certificates, tmp_path):
    own, key = certificates()
    expired, _ = certificates("expired")
    folder = tmp_path / "folder"
    folder.mkdir()
    for authority, code, said in ((own, 0, ""), (expired, 0, "has expired"), (key, 1, "has no certificates in PEM"),
                                  (tmp_path / "none.pem", 1, "cannot be read: No such file"), (folder, 1, "cannot be")):
        got, stderr = check(conf_file, upstream(f'verify authority "{authority}"'))
        assert got == code and said in stderr, (authority, stderr)
        if code == 1:
            assert f'"{authority}"' in stderr and "t.conf:2:" in stderr, stderr


def test_the_authorities_of_the_system_are_the_default(conf_file):
    got, stderr = check(conf_file, upstream(""))
    if SYSTEM.exists():
        assert got == 0 and "error" not in stderr, stderr
    else:
        assert got == 1 and "install ca-certificates" in stderr, stderr
    _, text, _ = run("-T", conf_file("t.conf", f"port 1 {{ tls off {upstream('')} }}"))
    assert f'\t\t\tverify authority "{SYSTEM}"\n' in text


def test_certificates_that_are_shown_have_their_keys(conf_file, certificates):
    """Also where the port itself has none; and the names of the port's hosts are not sought in them."""
    (ecdsa, key), (other, other_key), (rsa, rsa_key) = (certificates(kind) for kind in ("ecdsa", "other", "rsa"))
    expired, expired_key = certificates("expired")
    for pair, code, said in (((ecdsa, key), 0, ""), ((rsa, rsa_key), 0, ""),
                             ((ecdsa, other_key), 1, "does not"), ((key, ecdsa), 1, "swapped"),
                             ((ecdsa, "/nowhere/k.pem"), 1, "No such file"), (("/nowhere/c.pem", key), 1, "No such file"),
                             ((expired, expired_key), 0, "has expired")):
        shown = upstream(f'verify authority "{ecdsa}" certificate "{pair[0]}" key "{pair[1]}"')
        for tls in ("tls off", f'tls {{ certificate "{other}" key "{other_key}" }}\n'
                    'host "strange.example" { respond 200 }'):
            got, stderr = check(conf_file, shown, tls)
            assert got == code and said in stderr, (pair, stderr)
            if code == 0 and "host" in tls:  # of the port's own certificate, and of no other
                assert stderr.count("has the name") == 1, stderr
    # A key that others can read.
    open_key = key.parent / "open.key"
    open_key.write_bytes(key.read_bytes())
    open_key.chmod(0o644)
    got, stderr = check(conf_file, upstream(f'verify authority "{ecdsa}" certificate "{ecdsa}" key "{open_key}"'))
    assert got == 0 and "can be read by every user" in stderr, stderr


def test_sockets_may_come_later(conf_file, open_folder):
    path = open_folder / "app.sock"

    def told(to):
        return check(conf_file, f'proxy to "unix:{to}"')

    code, stderr = told(path)
    assert code == 0 and f'warning: the socket "{path}" does not exist' in stderr, stderr
    code, stderr = told(open_folder / "none" / "app.sock")
    assert code == 0 and "warning: the folder of the socket" in stderr, stderr
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(os.fspath(path))
        code, stderr = told(path)
        assert code == 0 and "socket" not in stderr, stderr
    path.unlink()
    path.write_text("")
    code, stderr = told(path)
    assert code == 1 and f'error: "{path}" is not a socket' in stderr, stderr


def test_a_dump_reads_as_it_was_written(conf_file, certificates):
    pair = 'certificate "{}" key "{}"'.format(*certificates("other"))
    text = f"""trust 10.0.0.0/8
request header set "X-A" "${{client}}"
{certificates.tls()}
port 1 2 {{
	location "/a" {{ proxy to "one" path strip "/a" }}
	upstream "one" {{ to "https://a" "https://b:1" backup "https://c" balance hash header "X" {pair} check connect
		timeouts {{ head 1s }} verify name "n" queue off retry any }}
	host "h" {{ proxy to "unix:/run/a" {{ host "x" buffer request 1M }} request header remove "Cookie" }}
}}
"""
    code, first, stderr = run("-T", conf_file("a.conf", text))
    assert code == 0 and stderr == "", stderr
    code, second, stderr = run("-T", conf_file("b.conf", first))
    assert (code, second, stderr) == (0, first, "")
