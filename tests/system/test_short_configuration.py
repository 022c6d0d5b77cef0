"""What makes a configuration short is served as its long form is, and -T prints that form."""
import os
import pathlib
import re
import signal
import subprocess

import pytest

from harness import BINARY, TIMEOUT, Connection, get, wait_for
from test_upgrade import upgradable, upgrade  # noqa: F401

RELOADED = r"reloaded: (\d+) kept, (\d+) changed, (\d+) new, (\d+) dropped"


def dump(server, **options):
    """What -T prints of the server's file."""
    done = subprocess.run([BINARY, "-T", "-f", server.config], capture_output=True, text=True,
                          timeout=TIMEOUT, check=True, **options)
    return done.stdout


def reload(server):
    done = len(re.findall(RELOADED, server.log()))
    server.kill(signal.SIGHUP)
    return tuple(int(n) for n in server.wait_log(RELOADED, done + 1)[-1].groups())


# --- several ports in one block ---


def test_each_port_of_a_block_is_served(server, ports):
    text = ("port {} {{ location \"/to\" {{ redirect 308 \"https://a:${{port}}/\" }}"
            " respond 200 \"one\" }}\n")
    s = server(text.format(" ".join(map(str, ports))))
    assert [get(port).body for port in ports] == [b"one"] * 3
    for port in ports:
        assert get(port, "/to")["Location"] == f"https://a:{port}/"
    assert sorted(port for port, _ in s.workers()) == sorted(ports)
    assert [int(n) for n in re.findall(r"^port (\d+) \{", dump(s), re.M)] == ports
    # the long form means the same, so nothing changes
    tls = s.config.read_text().split("port ", maxsplit=1)[0]
    s.config.write_text(tls + "".join(text.format(port) for port in ports))
    assert reload(s) == (3, 0, 0, 0)
    # one of them leaves the block
    s.config.write_text(tls + text.format(f"{ports[0]} {ports[2]}") +
                        text.format(ports[1]).replace("one", "other"))
    assert reload(s) == (2, 1, 0, 0)
    assert [get(port).body for port in ports] == [b"one", b"other", b"one"]
    # what -T prints is served like the file
    s.config.write_text(dump(s))
    assert reload(s) == (3, 0, 0, 0)


def test_a_range_is_each_port_in_it(server, ports):
    first = ports[0]
    s = server(f"port {first}-{first} {{ echo }}\nport {ports[1]} {{ respond 200 \"two\" }}")
    assert get(first).status == 200 and get(ports[1]).body == b"two"
    s.config.write_text(s.config.read_text().replace(str(ports[1]), "9000-9010"))
    assert [int(n) for n in re.findall(r"^port (\d+) \{", dump(s), re.M)] == \
        [first, *range(9000, 9011)]


# --- names ---


def test_the_environment_is_that_of_the_master(server, ports):
    secret = "a value of its own"
    text = f'''define GREETING "${{env:GREETING}}, ${{env:WHOM:-world}}!"
port {ports[0]} {{ workers ${{env:COUNT:-1}}  respond 200 "${{GREETING}}\\n" }}
port {ports[1]} {{ respond 200 "plain" }}
'''
    s = server(text, env={"GREETING": secret, "COUNT": "2"})
    assert get(ports[0]).body == b"a value of its own, world!\n"
    assert len(s.workers(ports[0])) == 2
    # the master alone has it
    for pid in [*s.workers().values(), *s.keyholders().values()]:
        assert b"GREETING" not in pathlib.Path(f"/proc/{pid}/environ").read_bytes()
    # -T takes the environment that it is given, and shows the value
    there = {**os.environ, "GREETING": "hi", "WHOM": "all"}
    assert "\"hi, all!\\n\"" in dump(s, env=there)
    assert secret in dump(s, env={**os.environ, "GREETING": secret})
    # a reload sees the environment of the start
    s.config.write_text(s.config.read_text().replace("plain", "${env:COUNT}"))
    assert reload(s) == (1, 1, 0, 0)
    wait_for(lambda: get(ports[1]).body == b"2", "the value")
    assert get(ports[0]).body == b"a value of its own, world!\n"


def test_a_variable_that_is_missing_is_told(server, ports):
    s = server(f"port {ports[0]} {{ respond 200 \"a\" }}\n")
    s.config.write_text(s.config.read_text().replace('"a"', '"${env:NOT_THERE}"'))
    s.kill(signal.SIGHUP)
    s.wait_log("reload failed: .*the environment has no `NOT_THERE`; for a value in its place "
               "write `.*; nothing has changed")
    assert get(ports[0]).body == b"a"


@pytest.mark.parametrize("value", ["${env:HOME}", "${A}", "\\n\"${target}", "<<END", "r\"x",
                                   "ä\x01"])
def test_a_value_reaches_clients_as_it_is(server, ports, value):
    """Through the canonical text, which a worker reads."""
    s = server(f"define A \"wrong\"\nport {ports[0]} {{ respond 200 \"${{env:VALUE}}\" }}\n",
               env={"VALUE": value})
    assert get(ports[0]).body == value.encode()
    text = dump(s, env={**os.environ, "VALUE": value})
    s.config.write_text(text)
    assert reload(s) == (1, 0, 0, 0)
    assert dump(s) == text


def test_an_upgrade_hands_the_environment_on(upgradable, ports):  # noqa: F811
    s = upgradable(f"port {ports[0]} {{ respond 200 \"${{env:VALUE}} ${{env:HOME:-}}\" }}\n",
                   env={"VALUE": "${env:VALUE} and $"})
    before = get(ports[0]).body
    assert before.startswith(b"${env:VALUE} and $ /")
    upgrade(s)
    assert get(ports[0]).body == before
    assert reload(s) == (1, 0, 0, 0)
    s.config.write_text(s.config.read_text().replace("200 \"", "200 \"new "))
    assert reload(s) == (0, 1, 0, 0)
    wait_for(lambda: get(ports[0]).body == b"new " + before, "the new text")


# --- texts and blocks ---


def test_texts_and_blocks_are_served(server, ports):
    s = server(f'''block common {{
	location "/health" {{ respond 200 "ok" }}
	error 404 {{
		respond <<END type "text/html"
			<p class="x">\\n ${{here}}
			  not found</p>
			END
	}}
}}
port {ports[0]} {ports[1]} {{
	host "a.example" {{ use common  location "/a" {{ respond 200 r"C:\\new" }} }}
	host "b.example" "c.example" {{
		use common
		redirect 308 "https://${{host}}/${{port}}${{target}}"
	}}
}}
''')

    def of(name, path):
        with Connection(port, server_hostname=name) as c:
            c.send(f"GET {path} HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
            return c.response()

    for port in ports[:2]:
        assert of("a.example", "/health").body == b"ok"
        missing = of("a.example", "/none")
        assert (missing.status, missing["Content-Type"]) == (404, "text/html")
        assert missing.body == b'<p class="x">\\n ${here}\n  not found</p>\n'
        assert of("a.example", "/a").body == b"C:\\new"
        for name in ("b.example", "c.example"):
            assert of(name, "/x?y")["Location"] == f"https://{name}/{port}/x?y"


def test_a_check_says_what_is_wrong_with_a_block_once(tmp_path):
    conf = tmp_path / "bulkhead.conf"
    conf.write_text('tls development\nport 9000-9010 {\n\tuser "not-there"\n'
                    '\tlocation "/a" { respond 200 file "none" }\n\tfiles "nowhere"\n}\n')
    done = subprocess.run([BINARY, "-t", "-f", conf], capture_output=True, text=True,
                          timeout=TIMEOUT, check=False)
    places = re.findall(r"^.*bulkhead\.conf:(\d+:\d+): error: ", done.stderr, re.M)
    assert done.returncode == 1 and places == sorted(set(places)) and len(places) == 3, done.stderr


# --- in files ---


def test_names_and_blocks_reach_over_files(tmp_path):
    """They may be defined in one file and used in another; paths in a block are those of its file."""
    folder = tmp_path / "common"
    folder.mkdir()
    (folder / "names.conf").write_text('define SITE "shop.example"\ndefine FILE "limits"\n'
                                       'block site {\n\tlocation "/" { files "www" }\n'
                                       '\terror 404 { respond file "${SITE}/404.html" }\n}\n'
                                       'block bounds { limits { include "${FILE}.conf" } }\n')
    (folder / "limits.conf").write_text("idle 7s")
    (tmp_path / "hosts.conf").write_text('host "${SITE}" { use site }\n')
    conf = tmp_path / "bulkhead.conf"
    conf.write_text('tls development\ninclude "common/names.conf"\n'
                    'port 9000-9001 { use bounds  include "hosts.conf"  files "other" }\n')
    done = subprocess.run([BINARY, "-T", "-f", conf], capture_output=True, text=True,
                          timeout=TIMEOUT, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert done.stdout.count(f'files "{folder}/www"') == 2
    assert done.stdout.count(f'respond file "{folder}/shop.example/404.html"') == 2
    assert done.stdout.count(f'files "{tmp_path}/other"') == 2
    assert done.stdout.count("\t\tidle 7s\n") == 2
    # a mistake in a block is told where it stands
    (folder / "limits.conf").write_text("idle 7s\nbdoy 8K")
    done = subprocess.run([BINARY, "-T", "-f", conf], capture_output=True, text=True,
                          timeout=TIMEOUT, check=False)
    assert done.returncode == 1
    assert re.findall(r"([\w.]+:\d+:\d+): error: (.*)", done.stderr) == \
        [("limits.conf:2:1", "unknown word `bdoy`; did you mean `body`?")]
