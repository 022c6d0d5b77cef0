"""What makes a configuration short is served as its long form is, and -T prints that form."""
import re
import signal
import subprocess

from harness import BINARY, TIMEOUT, get

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
