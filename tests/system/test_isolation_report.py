"""bulkhead-isolation: scenarios and their errors, runs, the reports of clients and logs, the
page."""
import contextlib
import json
import os
import re
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

import pytest

from browser import browser
from harness import BINARY, TIMEOUT, TOP, free_ports

sys.path.insert(0, str(TOP / "scripts"))

from isolation.client import KINDS, Connection, Failure, Target  # noqa: E402
from isolation.expect import MEASURES  # noqa: E402
from isolation.log import events_read  # noqa: E402
from isolation.page import page_of  # noqa: E402
from isolation.result import percentile  # noqa: E402
from isolation.scenario import scenario_read  # noqa: E402

PROGRAM = TOP / "scripts" / "bulkhead-isolation"
# These tests are about the Python program; the server has its own tests.
pytestmark = pytest.mark.any_build
SCENARIOS = sorted((TOP / "scripts" / "scenarios").glob("*.toml"))

# A port is killed while the other one does not notice.
KILLS = """
title = "Kills & <others>"
duration = "7s"
[server]
conf = "restart { backoff 1ms to 20ms; park after 64 in 10ms }"
[port.shop]
load = { timeout = "30s" }
[port.blog]
load = { connection = "new", rate = 20, timeout = "30s" }
[[fault]]
port = "shop"
at = "1s"
signal = "KILL"
every = "500ms"
count = 4
[[fault]]
port = "shop"
at = "1.2s"
signal = "KILL"
to = "keyholder"
[expect]
all = ["refused == 0", "answered >= 10"]
others = ["failures == 0", "restarts == 0", "outage > 0ms"]
hit = ["restarts >= 1", "keyholder-restarts >= 1", "ends-killed >= 1", "recovery > 0ms"]
[report]
others = ["p99-ratio <= 0"]
"""


# Two ports whose clients wait as long as a test does.
PATIENT = '[port.shop]\nload.timeout = "30s"\n[port.blog]\nload.timeout = "30s"\n'


@pytest.fixture
def isolation(tmp_path):
    """Runs it on the text of a scenario: isolation(text, *arguments) -> CompletedProcess."""

    def run(text, *arguments, cwd=TOP):
        scenario = tmp_path / "scenario.toml"
        scenario.write_text(text)
        return subprocess.run([sys.executable, PROGRAM, scenario, "--binary", BINARY, *arguments],
                              capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd=cwd,
                              timeout=10 * TIMEOUT)

    return run


@pytest.fixture(scope="module")
def kills(tmp_path_factory):
    """One run of KILLS: (CompletedProcess, its report, the path of its page)."""
    folder = tmp_path_factory.mktemp("kills")
    (folder / "kills.toml").write_text(KILLS)
    result = subprocess.run(
        [sys.executable, PROGRAM, folder / "kills.toml", "--binary", BINARY, "--json",
         folder / "report.json", "--html", folder / "report.html", "--keep", folder / "kept"],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=10 * TIMEOUT)
    assert result.returncode == 0, result.stdout + result.stderr
    return result, json.loads((folder / "report.json").read_text()), folder / "report.html"


# --- scenarios ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenarios_that_ship_are_sound(path):
    scenario = scenario_read(path)
    assert len(scenario.ports) == 4 and scenario.expectations and scenario.about
    result = subprocess.run([sys.executable, PROGRAM, path.stem, "--check"], capture_output=True,
                            cwd="/")
    assert result.returncode == 0, result.stderr


def test_seven_scenarios_ship():
    result = subprocess.run([sys.executable, PROGRAM, "--list"], capture_output=True, text=True)
    assert [line.split()[0] for line in result.stdout.splitlines()] == \
        ["crash-storm", "gateway", "handshake-flood", "hang", "memory-leak", "password-storm", "request-flood"]


PORT = "[port.shop]\n"
FAULT = PORT + '[[fault]]\nport = "shop"\nat = "1s"\n'
MISTAKES = {
    "syntax": ("duration = =\n", r"line 1, column"),
    "no duration": (PORT, r"duration: is missing; it is a time"),
    "a number for a time": ("duration = 5\n" + PORT, r'duration: is a time such as .*, not 5$'),
    "no such unit": ('duration = "5 days"\n' + PORT, r'duration: is a time .*, not "5 days"'),
    "no port": ("", r"port: there is none; write one as \[port\.NAME\]"),
    "a port like a group": ("[port.others]", r"port\.others: is not free for a port"),
    "an unknown key": (PORT + "lod = 3", r"port\.shop\.lod: is unknown; did you mean load\?"),
    "an unknown table": (PORT + "[sever]", r"sever: is unknown; did you mean server\?"),
    "a string for a number": (PORT + 'load = { clients = "3" }',
                              r'port\.shop\.load\.clients: is a whole number, .*, not "3"'),
    "true for a number": (PORT + "load = { clients = true }", r"clients: .*, not true"),
    "too many": (PORT + "load = { clients = 257 }", r"clients: .* 0 to 256, not 257"),
    "a rate in words": (PORT + 'load = { rate = "fast" }', r'load\.rate: .* or "max"'),
    "no such connection": (PORT + 'load = { connection = "newer" }',
                           r"load\.connection: is one of keep-alive, new, .*mean new\?"),
    "a path without a slash": (PORT + 'load = { path = "x" }', r"load\.path: is a path"),
    "a fault on no port": (FAULT.replace('"shop"', '"shp"') + 'signal = "KILL"',
                           r'fault\[1\]\.port: there is no port "shp"; did you mean shop\?'),
    "a fault of no kind": (FAULT, r"fault\[1\]: has exactly one of request, signal and flood"),
    "a fault of two kinds": (FAULT + 'signal = "KILL"\nrequest = "/"', r"exactly one of"),
    "the second fault": (FAULT + 'signal = "KILL"\n[[fault]]\nport = "shop"\nsignal = "KILL"',
                         r"fault\[2\]\.at: is missing"),
    "no such signal": (FAULT + 'signal = "SIGKILL"', r"fault\[1\]\.signal: .* did you mean KILL\?"),
    "count without every": (FAULT + 'signal = "KILL"\ncount = 3', r"count: needs every"),
    "every without count": (FAULT + 'signal = "KILL"\nevery = "1s"', r"count: is missing"),
    "too late": (FAULT.replace('"1s"', '"7s"') + 'signal = "KILL"', r"at: its last one does not end"),
    "at the very end": (FAULT.replace('"1s"', '"5s"') + 'signal = "KILL"',
                        r"at: its last one does not end within the scenario"),
    "a fault that is no array": (PORT + "[fault]", r"fault: is an array of tables, \[\[fault\]\]"),
    "expected of nobody": (PORT + "[expect]\nshp = []", r"expect\.shp: is no port, .* mean shop\?"),
    "no such measure": (PORT + '[expect]\nall = ["failure == 0"]',
                        r'expect\.all\[1\]: there is no measure "failure"; did you mean failures\?'),
    "no sentence": (PORT + '[report]\nall = ["fine", 3]', r"report\.all\[2\]: is MEASURE OPERATOR"),
    "a time for a number": (PORT + '[expect]\nall = ["failures <= 3s"]', r"compared with a number"),
    "a number for a time there": (PORT + '[expect]\nall = ["p99 <= 3"]', r"compared with a time"),
    "a flood of a plain port": ("[port.shop]\nplain = true\n" + FAULT.replace(PORT, "") +
                                'flood = "handshakes"\nfor = "1s"', r"fault\[1\]\.flood: needs a port with TLS"),
    "a flood of another kind": (FAULT + 'flood = "packets"\nfor = "1s"', r"fault\[1\]\.flood: is one of handshakes, requests"),
    "fields of handshakes": (FAULT + 'flood = "handshakes"\nfields = ["A: b"]\nfor = "1s"',
                             r"fault\[1\]\.fields: is unknown"),
    "two fields in one": (FAULT + 'flood = "requests"\nfields = ["A: b", "A: b\\r\\nC: d"]\nfor = "1s"',
                          r'fault\[1\]\.fields\[2\]: is a string such as "Accept: text/html"'),
    "fields that are none": (FAULT + 'flood = "requests"\nfields = "A: b"\nfor = "1s"', r"fields: is an array"),
    "addresses of a host elsewhere": (
        '[port.shop]\nhost = "192.0.2.1"\n' + FAULT.replace(PORT, "") +
        'flood = "requests"\naddresses = 2\nfor = "1s"', r"addresses: needs a port at a host such as 127\.0\.0\.1"),
    "too many addresses": (FAULT + 'flood = "requests"\naddresses = 1000001\nfor = "1s"', r"addresses: .* 0 to 1000000"),
    "a file elsewhere": ('[server.files]\n"../x" = ""\n' + PORT, r"server\.files\.\.\./x: is the name of a file"),
    "a keyholder of a plain port": ("[port.shop]\nconf = 'tls off  echo'\n" + FAULT.replace(PORT, "") +
                                    'signal = "KILL"\nto = "keyholder"',
                                    r"fault\[1\]\.to: needs a port with TLS: a plain one has no keyholder"),
    "a server that runs, and a signal": (
        "[server]\nstart = false\n" + FAULT.replace(PORT, PORT + "port = 1\n") + 'signal = "KILL"',
        r"fault\[1\]\.signal: needs a server that the scenario starts"),
    "a server that runs, without ports": ("[server]\nstart = false\n" + PORT,
                                          r"port\.shop\.port: is missing"),
    "restarts without a log": (
        "[server]\nstart = false\n[port.shop]\nport = 1\n[expect]\nall = ['restarts == 0']",
        r"expect\.all\[1\]: restarts is read from the server's log"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_told_with_its_place(mistake, isolation):
    text, told = MISTAKES[mistake]
    if "duration" not in text:
        text = 'duration = "5s"\n' + text if mistake != "no duration" else text
    result = isolation(text, "--check")
    assert result.returncode == 2 and not result.stdout
    assert re.search(told, result.stderr, re.M), result.stderr
    assert "scenario.toml: " in result.stderr and "Traceback" not in result.stderr


def test_all_mistakes_are_told_at_once(isolation):
    result = isolation('titel = "x"\nduration = 5\n[port.shop]\nlod = 1\n', "--check")
    assert len(result.stderr.splitlines()) == 3, result.stderr


def test_nothing_to_run_is_an_error():
    for arguments in ([], ["/nonexistent.toml"], ["--frobnicate"]):
        result = subprocess.run([sys.executable, PROGRAM, *arguments], capture_output=True)
        assert result.returncode == 2, arguments


def test_manual_has_every_measure_and_sound_examples(tmp_path):
    manual = (TOP / "src" / "bulkhead-isolation.1").read_text()
    for measure in MEASURES:
        assert re.search(rf"(?<![\w-]){measure.removeprefix('ends-')}(?![\w-])", manual), measure
    examples = re.findall(r"\.Bd -literal -offset indent\n(duration.*?)\.Ed", manual, re.S)
    assert len(examples) == 2
    for text in examples:
        (tmp_path / "example.toml").write_text(text.replace("\\e", "\\"))
        scenario_read(tmp_path / "example.toml")


def test_drawn_times_depend_on_the_seed_alone(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text('duration = "60s"\n' + FAULT
                    + 'signal = "KILL"\nevery = "500ms"\ncount = 40\nrandom = true\n')
    times = [scenario_read(path, seed).faults[0].times for seed in (7, 7, 8)]
    assert times[0] == times[1] != times[2]
    assert len(times[0]) == 40 and times[0][0] == 1.0


# --- runs --------------------------------------------------------------------------------------


def test_kills_are_seen_where_they_struck_and_nowhere_else(kills):
    result, report, _ = kills
    assert report["schema"] == "bulkhead-isolation/1" and report["passed"]
    shop, blog = report["ports"]
    assert (shop["hit"], blog["hit"]) == (True, False)
    sent = {s["outcome"] for s in report["faults"][0]["strikes"] if s["outcome"].startswith("sent")}
    assert shop["totals"]["ends"] == {"killed": len(sent)} and blog["totals"]["ends"] == {}
    assert shop["totals"]["restarts"] == len(sent) and shop["totals"]["keyholder_restarts"] == 1
    assert sorted(f"sent to {end['pid']}" for end in shop["ends"] if end["role"] == "worker") == \
        sorted(sent)
    assert re.match(r"Port shop was killed \S+( times)?(,| and) lost its keyholder once",
                    report["summary"])
    # Its latency is the machine's affair; that nothing else happened to it is not.
    assert not {n["what"] for n in blog["noticed"]} & {"failures", "restarts", "parked", "dropped"}
    assert report["summary"] in result.stdout
    times = [s["at_s"] for s in report["faults"][0]["strikes"]]
    assert len(times) == 4 and all(at >= due - 0.001 for at, due in zip(times, (1, 1.5, 2, 2.5)))


def test_figures_add_up(kills):
    for port in kills[1]["ports"]:
        totals = port["totals"]
        assert totals["requests"] == totals["answered"] + totals["failures"]
        assert totals["failures"] == sum(totals["failures_by_kind"].values())
        assert set(totals["failures_by_kind"]) == set(KINDS)
        assert sum(b["answered"] for b in port["buckets"]) == totals["answered"]
        assert sum(b["restarts"] for b in port["buckets"]) == totals["restarts"]
        assert len(port["buckets"]) == 14
        assert port["latency"]["quiet"]["answered"] > 0


def test_what_is_only_reported_fails_nothing(kills):
    result, report, _ = kills
    reported = [e for e in report["expectations"] if not e["required"]]
    assert [e["passed"] for e in reported] == [False]
    assert re.search(r"^  not met +others: p99-ratio <= 0 ", result.stdout, re.M)


def test_generator_tells_how_busy_it_was(kills):
    result, report, _ = kills
    assert report["generator"]["cpu"] > 0 and report["generator"]["processes"] == 2
    assert 0 < report["machine"]["busy"] <= 1
    assert re.search(r"The clients took \d+% of one of \d+ processors", result.stdout)


def test_log_and_configuration_can_be_kept(kills):
    kept = kills[2].parent / "kept"
    assert "worker 1" in (kept / "log").read_text()
    assert "respond 200" in (kept / "bulkhead.conf").read_text()


def test_expectation_that_fails_is_told_and_ends_with_1(isolation, tmp_path):
    text = 'duration = "1s"\n[port.shop]\n[port.blog]\n[expect]\nshop = ["restarts >= 1"]\n' \
           'blog = ["failures == 0"]\n'
    result = isolation(text, "--html", tmp_path / "r.html")
    assert result.returncode == 1, result.stderr
    assert re.search(r"^  not met +shop: restarts >= 1 +shop 0$", result.stdout, re.M)
    assert re.search(r"^  met +blog: failures == 0 +blog 0$", result.stdout, re.M)
    assert ": FAILED, 1 of 2 required expectations met\n" in result.stdout
    page = (tmp_path / "r.html").read_text()
    assert "✗ Failed" in page and "1 of 2 required expectations met" in page


def test_status_that_is_an_error_is_a_failure(isolation):
    result = isolation('duration = "3s"\n[port.shop]\nconf = "respond 503"\n[expect]\n'
                       'all = ["status > 0", "answered == 0", "failures > 0"]\n')
    assert result.returncode == 0, result.stdout


def test_fault_by_request_is_shown_with_its_record(isolation, run, conf_file, certificates):
    port = 'location "/fault/" { fault control }\nlocation "/" { respond 200 }\n'
    conf = conf_file("f.conf", f"faults enabled\n{certificates.tls()}port 1 {{\n{port}}}\n")
    if run("-t", "-f", conf).returncode:
        pytest.skip("needs a bulkhead with faults")
    text = f"""
duration = "6s"
server.conf = "faults enabled"
[port.shop]
conf = '''{port}'''
load.timeout = "30s"
[port.blog]
load.timeout = "30s"
[[fault]]
port = "shop"
request = "/fault/status?code=503"
at = "1s"
timeout = "30s"
[[fault]]
port = "shop"
request = "/fault/crash?signal=SEGV"
at = "2s"
timeout = "30s"
[expect]
hit = ["ends-crash == 1", "restarts == 1"]
others = ["failures == 0"]
"""
    result = isolation(text, "--json", "-")
    report = json.loads(result.stdout)
    assert result.returncode == 0, report["expectations"]
    shop = report["ports"][0]
    assert "request: GET /fault/crash?signal=SEGV" in shop["ends"][0]["details"]
    status, crash = (fault["strikes"][0] for fault in report["faults"])
    assert crash["outcome"] in ("closed early", "connection reset")
    assert status["outcome"] == "status 503"
    assert status["id"] in [fault["id"] for fault in shop["faults_logged"]]


def test_flood_is_counted_apart(isolation):
    text = (f'duration = "3s"\n{PATIENT}[[fault]]\nport = "shop"\n'
            'flood = "handshakes"\nat = "1s"\nfor = "1s"\nclients = 2\nrate = 40\ntimeout = "30s"\n'
            '[expect]\nall = ["failures == 0"]\n')
    result = isolation(text, "--json", "-")
    report = json.loads(result.stdout)
    assert result.returncode == 0, report["expectations"]
    flood = report["faults"][0]["flood"]
    assert 1 <= flood["done"] <= 41 and flood["failed"] == 0 and flood["statuses"] == {}
    assert re.match(r"Port shop was flooded with \d+ handshakes", report["summary"])


def test_requests_of_a_flood_have_fields_and_addresses(isolation):
    """Three addresses may each send five; the load's own, which is a fourth one, sends fewer."""
    text = """
duration = "4s"
[server.files]
"greeting.txt" = "hello"
[port.shop]
plain = true
conf = '''
limits { requests-per-client 1/h burst 5 }
location "/" { respond 200 }
location "/in" { cors origin "https://a.example"  respond 200 file "greeting.txt" }
'''
load = { clients = 1, rate = 1, timeout = "30s" }
[[fault]]
port = "shop"
flood = "requests"
path = "/in"
fields = ["Origin: https://a.example"]
connection = "new"
addresses = 3
at = "1s"
for = "1s"
clients = 2
rate = 40
timeout = "30s"
[expect]
all = ["failures == 0"]
"""
    result = isolation(text, "--json", "-")
    report = json.loads(result.stdout)
    assert result.returncode == 0, report["expectations"]
    flood = report["faults"][0]["flood"]
    assert (flood["of"], flood["failed"], flood["statuses"].pop("200")) == ("requests", 0, min(15, flood["done"]))
    assert flood["statuses"] == ({"429": flood["done"] - 15} if flood["done"] > 15 else {})
    assert re.match(r"Port shop was flooded with \d+ requests", report["summary"])


PLAIN = """
duration = "4s"
[port.shop]
plain = true
load = { timeout = "30s" }
[port.blog]
conf = """ + "'''tls off\nrespond 200 \"blog\"'''" + """
load = { connection = "new", rate = 20, timeout = "30s" }
[port.mail]
load = { timeout = "30s" }
[[fault]]
port = "shop"
at = "1s"
signal = "KILL"
[expect]
all = ["refused == 0", "answered >= 10"]
others = ["failures == 0", "restarts == 0"]
hit = ["restarts == 1", "ends-killed == 1", "keyholder-restarts == 0"]
"""


def test_plain_ports_are_measured_like_others(isolation, tmp_path):
    result = isolation(PLAIN, "--keep", tmp_path / "kept")
    assert result.returncode == 0, result.stdout + result.stderr
    conf = (tmp_path / "kept" / "bulkhead.conf").read_text()
    assert conf.count("tls off") == 2
    assert "plain HTTP, without TLS, on ports" in (tmp_path / "kept" / "log").read_text()


def test_server_that_runs_is_measured_by_its_log(isolation, server, ports):
    s = server(f'port {ports[0]} {{ respond 200 }}\nport {ports[1]} {{ respond 200 }}')
    text = (f'duration = "6s"\n[server]\nstart = false\nlog = "{s.log_path}"\n'
            f'[port.shop]\nport = {ports[0]}\n[port.blog]\nport = {ports[1]}\n'
            '[expect]\nshop = ["restarts == 1", "refused == 0"]\n'
            'blog = ["failures == 0", "restarts == 0"]\n')
    victim = s.workers(ports[0])[ports[0], 1]

    def strike():
        s.wait_log(rf"\[PORT {ports[0]}\] Received GET")
        os.kill(victim, 9)

    killer = threading.Thread(target=strike)
    killer.start()
    env_zone, os.environ["TZ"] = os.environ.get("TZ"), "UTC"  # the server's, see harness.Server
    try:
        result = isolation(text)
    finally:
        killer.join()
        os.environ.pop("TZ") if env_zone is None else os.environ.update(TZ=env_zone)
    assert result.returncode == 0, result.stdout + result.stderr
    assert s.process.poll() is None


def test_server_that_does_not_start_is_told(isolation):
    result = isolation('duration = "1s"\n[port.shop]\nconf = "respnd 200"\n')
    assert result.returncode == 69
    assert "did you mean `respond`?" in result.stderr and "Traceback" not in result.stderr


def test_output_that_cannot_be_written_is_told_before_the_run(isolation):
    began = time.monotonic()
    result = isolation('duration = "1h"\n[port.shop]\n', "--json", "/nonexistent/x.json")
    assert result.returncode == 73 and time.monotonic() - began < 60


def test_it_runs_installed(tmp_path):
    make = ["make", "-s", "-C", TOP, "-o", "all", f"BUILD={BINARY.parent}", f"prefix={tmp_path}"]
    subprocess.run([*make, "install"], check=True, capture_output=True)
    program = tmp_path / "bin" / "bulkhead-isolation"
    result = subprocess.run([program, "--list"], capture_output=True, text=True, cwd="/")
    assert result.returncode == 0 and "crash-storm" in result.stdout, result.stderr
    assert (tmp_path / "share/man/man1/bulkhead-isolation.1").exists()
    subprocess.run([*make, "uninstall"], check=True, capture_output=True)
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert kept == [tmp_path / "etc/bulkhead/bulkhead.conf"]  # its owner's, once it is there


# --- clients and logs --------------------------------------------------------------------------


def answers(data):
    """A server's part: reads a request, sends that, ends in an orderly way."""

    def act(c):
        c.recv(4096)
        c.sendall(data)
        if isinstance(c, ssl.SSLSocket):
            c.unwrap()

    return act


def breaks_off(c):
    c.recv(4096)
    c.sendall(OK + b"\r\nok")  # its end is the body's, and there is no close_notify
    c.shutdown(socket.SHUT_RDWR)


def resets(c):
    c.recv(4096)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()


def waits(c):
    while c.recv(4096):
        pass


OK = b"HTTP/1.1 200 OK\r\n"
ACTS = {
    "whole": (answers(OK + b"Content-Length: 2\r\n\r\nok"), ""),
    "no content": (answers(b"HTTP/1.1 204 No Content\r\n\r\n"), ""),
    "continue first": (answers(b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 0\r\n\r\n"),
                       ""),
    "chunks": (answers(OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"), ""),
    "to the end": (answers(OK + b"\r\nok"), ""),
    "truncated": (answers(OK + b"Content-Length: 20\r\n\r\nok"), "closed"),
    "without an end": (breaks_off, "closed"),
    "half a head": (answers(OK + b"Content-"), "closed"),
    "a bad chunk": (answers(OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n"), "malformed"),
    "a long chunk": (answers(OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nok\r\n"), "malformed"),
    "a bad length": (answers(OK + b"Content-Length: 2x\r\n\r\nok"), "malformed"),
    "two lengths": (answers(OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok"), "malformed"),
    "a bad status line": (answers(b"HTTP/1.1 2000 OK\r\n\r\n"), "malformed"),
    "a bad field": (answers(OK + b"no colon\r\n\r\n"), "malformed"),
    "garbage": (answers(b"\0\1\2"), "malformed"),
    "silence": (waits, "timeout"),
    "a reset": (resets, "reset"),
}


@contextlib.contextmanager
def fake_server(act, certificate, key, plain=False):
    """One connection that is treated so."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.num_tickets = 0

    def serve():
        with contextlib.suppress(OSError):
            raw = listener.accept()[0]
            with raw if plain else context.wrap_socket(raw, server_side=True) as c:
                c.settimeout(TIMEOUT)
                act(c)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(TIMEOUT)
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def request_kind(port, ca="", timeout=TIMEOUT, plain=False):
    """"" or how it failed."""
    target = Target("127.0.0.1", port, "localhost", str(ca), plain)
    deadline = time.monotonic() + timeout
    try:
        with contextlib.closing(Connection(target, target.context(), deadline)) as c:
            c.get("/", "localhost", deadline)
    except Failure as failure:
        return failure.kind
    return ""


@pytest.mark.parametrize("plain", [False, True], ids=["tls", "plain"])
@pytest.mark.parametrize("act", ACTS)
def test_failure_has_its_kind(act, plain, certificates):
    what, kind = ACTS[act]
    if plain and act == "without an end":
        kind = ""  # an end is an end, where nothing tells one from another
    with fake_server(what, *certificates(), plain) as port:
        assert request_kind(port, timeout=1 if kind == "timeout" else TIMEOUT, plain=plain) == kind


def test_failure_to_connect_has_its_kind(certificates):
    assert request_kind(free_ports(1)[0]) == "refused"
    good, other = certificates()[0], certificates("other")[0]
    with fake_server(ACTS["whole"][0], *certificates()) as port:
        assert request_kind(port, good) == ""
    with fake_server(ACTS["whole"][0], *certificates()) as port:
        assert request_kind(port, other) == "tls"


ENDS = {
    "drained": "drained",
    "did not finish draining in time": "drained",
    "ended with status 78 (configuration)": "configuration",
    "ended with status 3": "exit",
    "crashed by SIGSEGV (address not mapped, 0x0)": "crash",
    "hung for more than 5s and was aborted by the watchdog":
        "watchdog",
    "was stopped for more than 5s and was killed by the watchdog": "watchdog",
    "was ended by its sandbox for the system call socket (41)": "sandbox",
    "ran out of memory (limits memory 64m)": "memory",
    "ran out of descriptors": "descriptors",
    "was killed by the kernel for lack of memory": "memory",
    "was killed from outside by SIGKILL": "killed",
}


@pytest.mark.parametrize("words", ENDS)
def test_end_in_the_log_has_its_cause(words):
    stamp = "2024-12-06 10:15:30,250 - "
    log = (f"{stamp}[PORT 8001] worker 1 (pid 42) is ready: user 9:9\n"
           f"{stamp}[PORT 8001] worker 1 (pid 42) {words} after 1.234s and 45 requests; starting "
           f"it again\n{stamp}[PORT 8001]   request: GET /x\n"
           f"{stamp}[PORT 8001]   backtrace: main+0x1\n*** stack smashing detected ***\n"
           f"{stamp}[PORT 8002] fault a-1: crash signal SEGV for GET /fault/crash\n"
           f"{stamp}[MASTER] SIGTERM: stopping, requests in flight have 10s\n"
           f"{stamp}[PORT 8001] worker 1 (pid 43) drained after 1.000s and 0 requests\n")
    ready, end, fault = events_read(log, utc=True)
    assert (ready.what, end.what, fault.what) == ("ready", "end", "fault")
    assert (end.port, end.role, end.number, end.pid) == (8001, "worker", 1, 42)
    assert end.cause == ENDS[words] and end.uptime == 1.234 and end.at == 1733480130.25
    assert end.details == ["request: GET /x", "backtrace: main+0x1"]
    assert fault.details == ["a-1"]


def test_percentiles_are_values_that_were_measured():
    values = [float(n) for n in range(1, 101)]
    assert percentile(values, 0.5) == 50 and percentile(values, 0.99) == 99
    assert percentile([7.0], 0.99) == 7 and percentile([], 0.5) is None


# --- the page ----------------------------------------------------------------------------------


def test_page_needs_nothing_else(kills):
    page = kills[2].read_text()
    assert not re.search(r"https?://|//[a-z]|<script|<link|<img|@import|url\(|\son\w+=", page)
    assert "Kills &amp; &lt;others&gt;" in page and "<others>" not in page


def test_page_has_words_for_its_pictures(kills):
    page = kills[2].read_text()
    pictures = re.findall(r'<svg role="img".*?</svg>', page, re.S)
    assert len(pictures) == 2
    for picture in pictures:
        assert re.search(r"<title[^>]*>Time line of port ", picture)
        assert re.search(r"<desc[^>]*>[^<]*answers and ", picture)
        for name in re.search(r'aria-labelledby="([^"]*)"', picture)[1].split():
            assert f'id="{name}"' in picture
    assert page.count("the same as a table") == 2


def test_page_shows_failures_and_details(kills, tmp_path):
    """Things that not every run shows: every kind of failure, a record with a backtrace."""
    report = json.loads(json.dumps(kills[1]))
    shop = report["ports"][0]
    for bucket in (b for p in report["ports"] for b in p["buckets"]):
        bucket["failures"] = {}
    shop["totals"]["failures_by_kind"] = {kind: 1 for kind in KINDS}
    shop["totals"]["failures"] = len(KINDS)
    shop["buckets"][3] |= {"failures": {kind: 1 for kind in KINDS}, "p50_s": None, "p99_s": None}
    shop["ends"][0]["details"] = ["backtrace: handler<script>+0x1"]
    path = tmp_path / "page.html"
    path.write_text(page_of(report))
    assert "backtrace: handler&lt;script&gt;+0x1" in path.read_text()
    with browser() as b:
        b.open(path)
        heights = b.evaluate("[...document.querySelectorAll('.plot .bar')]"
                             ".map(e => e.getBoundingClientRect().height)")
        colours = b.evaluate("[...document.querySelectorAll('.plot .bar')]"
                             ".map(e => getComputedStyle(e).fill)")
    assert len(heights) == len(KINDS) and min(heights) > 2
    assert len(set(colours)) == len(KINDS)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_is_seen_in_a_browser(kills, scheme):
    _, report, path = kills
    with browser() as b:
        b.open(path, scheme=scheme)
        assert b.requested() == [path.as_uri()]
        assert b.complaints() == []
        text = b.evaluate("document.body.innerText")
        assert report["summary"] in text and "5 of 9" not in text
        assert "9 of 9 required expectations met" in text
        sizes = b.evaluate("[...document.querySelectorAll('.plot svg')].map(e => {"
                           "const r = e.getBoundingClientRect(); return [r.width, r.height]})")
        assert len(sizes) == 2 and all(w > 600 and h > 200 for w, h in sizes), sizes
        lines = b.evaluate("[...document.querySelectorAll('.plot .rate, .plot .p99')]"
                           ".map(e => e.getTotalLength())")
        assert len(lines) >= 4 and all(length > 0 for length in lines)
        b.evaluate("document.querySelector('.plot').scrollIntoView()")
        colours = b.picture().colours()
    paper = max(colours, key=colours.get)
    assert (sum(paper) > 600) == (scheme == "light"), paper
    assert len(colours) > 50 and colours[paper] < 0.99 * sum(colours.values())
    line = (0, 114, 178) if scheme == "light" else (86, 180, 233)
    assert colours.get(line, 0) > 100, "the line of the rate"


def test_page_fits_a_telephone(kills):
    with browser() as b:
        b.open(kills[2], width=360, height=740)
        assert b.evaluate("document.documentElement.scrollWidth") <= 360


def test_texts_in_a_picture_do_not_leave_it(kills):
    with browser() as b:
        b.open(kills[2])
        outside = b.evaluate(
            "[...document.querySelectorAll('.plot svg')].flatMap(svg => {"
            "const o = svg.getBoundingClientRect();"
            "return [...svg.querySelectorAll('text')].filter(t => {"
            "const r = t.getBoundingClientRect();"
            "return r.left < o.left || r.right > o.right || r.top < o.top || r.bottom > o.bottom})"
            ".map(t => t.textContent)})")
    assert outside == []
