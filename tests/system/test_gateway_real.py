"""The gateway between servers and clients that others have made: nginx, gunicorn, uvicorn, Node.js, PHP,
websocketd and Redis; curl, h2load, wrk, Python's websockets, and pages in Chromium."""
import hashlib
import json
import os
import re
import subprocess

import pytest

from browser import browser
from gateway_programs import Programs
from harness import TIMEOUT, Connection, Server, free_ports, have

pytestmark = pytest.mark.any_build

SERVICES = ("nginx", "gunicorn", "uvicorn", "node", "php")
SPEAKERS = ("gunicorn", "uvicorn", "node", "php")  # those that say what they got
FLAGS = ("--ignore-certificate-errors", )


@pytest.fixture(scope="module")
def programs():
    programs = Programs()
    yield programs
    programs.close()


@pytest.fixture(scope="module")
def site(programs, tmp_path_factory, certificates):
    """A server with a location for each service; its port."""
    port = free_ports(1)[0]
    places = "".join(
        f'location "/{name}" {{ proxy to "http://127.0.0.1:{number}" {{ path strip "/{name}" timeouts {{ head 60s }} }} }}\n'
        for name, number in programs.ports.items())
    server = Server(
        tmp_path_factory.mktemp("site") / "server", certificates,
        f"port {port} {{ limits {{ body 200M requests 1000000 }} {places} }}")
    server.start()
    yield port
    server.cleanup()
    assert not server.sanitizer_findings(), server.sanitizer_findings()


def need(program):
    if not have(program):
        pytest.skip(f"needs {program}")


def curl(site, path, *options, data=None):
    need("curl")
    done = subprocess.run([
        "curl", "-sSk", "--http1.1", "--max-time",
        str(2 * TIMEOUT), *map(str, options), f"https://localhost:{site}{path}"
    ], input=data, capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def told(text):
    found = json.loads(text)
    found["fields"] = {name.lower(): value for name, value in found["fields"].items()}
    return found


# --- curl ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", SPEAKERS)
def test_a_get(programs, site, service):
    programs.need(service)
    got = told(
        curl(site, f"/{service}/a%20b/c?d=e%2Ff", "-H", "X-Thing: x", "-H", "X-Forwarded-For: 6.6.6.6", "-H",
             "Connection: X-Gone", "-H", "X-Gone: 1"))
    assert (got["method"], got["path"], got["length"]) == ("GET", "/a%20b/c?d=e%2Ff", 0)
    fields = got["fields"]
    assert fields["host"] == f"localhost:{site}" and fields["x-thing"] == "x" and "x-gone" not in fields
    assert fields["x-forwarded-for"] in ("127.0.0.1", "::1") and fields["x-forwarded-proto"] == "https"
    assert fields["x-request-id"] and fields["via"].startswith("1.1 ") and "proto=https" in fields["forwarded"]


@pytest.mark.parametrize("service", SPEAKERS)
@pytest.mark.parametrize("how", ["length", "chunked", "expect", "1.0"])
def test_a_body(programs, site, service, how, tmp_path):
    if how == "chunked" and service == "php":
        pytest.skip("PHP's own server does not read chunks")
    programs.need(service)
    data = os.urandom(3_000_001)
    file = tmp_path / "body"
    file.write_bytes(data)
    options = {
        "length": ("-H", "Expect:", "--data-binary", f"@{file}"),
        "chunked": ("-H", "Transfer-Encoding: chunked", "-T", file),
        "expect": ("-H", "Expect: 100-continue", "--data-binary", f"@{file}"),
        "1.0": ("-0", "--data-binary", f"@{file}")
    }[how]
    got = told(curl(site, f"/{service}/x", *options))
    assert (got["length"], got["hash"]) == (len(data), hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize("service", SPEAKERS)
def test_head_and_methods(programs, site, service):
    programs.need(service)
    assert b"200 OK" in curl(site, f"/{service}/x", "-I")
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS"):
        assert told(curl(site, f"/{service}/x", "-X", method))["method"] == method


@pytest.mark.parametrize("service", SPEAKERS)
def test_one_connection_for_many(programs, site, service):
    programs.need(service)
    with Connection(site) as c:
        for n in range(50):
            assert told(c.get(f"/{service}/{n}").body)["path"] == f"/{n}"


def test_files_of_nginx(programs, site):
    programs.need("nginx")
    data = os.urandom(1 << 20) * 40
    (programs.folder / "www" / "big.bin").write_bytes(data)
    assert curl(site, "/nginx/big.bin") == data
    assert curl(site, "/nginx/big.bin", "-r", "1000000-1999999") == data[1000000:2000000]
    assert curl(site, "/nginx/big.bin", "-0") == data
    text = (programs.folder / "www" / "hello.txt").read_bytes()
    assert curl(site, "/nginx/hello.txt", "--compressed") == text
    head = curl(site, "/nginx/hello.txt", "-I").decode()
    etag = re.search(r"(?i)^etag: (.*?)\r$", head, re.M)[1]
    assert b" 304 " in curl(site, "/nginx/hello.txt", "-i", "-H", f"If-None-Match: {etag}")
    assert b" 404 " in curl(site, "/nginx/none", "-i")
    # What nginx says without a body, with one that is not read, and with several ranges
    assert b" 204 " in curl(site, "/nginx/put", "-i", "-T", programs.folder / "www" / "hello.txt")
    assert curl(site, "/nginx/hello.txt", "-r", "0-3,10-12").count(b"Content-Range") == 2


def test_a_stream_of_gunicorn(programs, site):
    programs.need("gunicorn")
    assert curl(site, "/gunicorn/stream") == b"".join(b"part %d\n" % n for n in range(200))
    assert curl(site, "/gunicorn/stream", "-0") == b"".join(b"part %d\n" % n for n in range(200))


def test_early_hints_and_trailers_of_node(programs, site):
    programs.need("node")
    text = curl(site, "/node/hints", "-i")
    assert text.startswith(b"HTTP/1.1 103 ") and b"rel=preload" in text and b"HTTP/1.1 200 " in text
    need("curl")
    done = subprocess.run(["curl", "-sSkv", "--http1.1", f"https://localhost:{site}/node/trailers"],
                          capture_output=True)
    assert done.returncode == 0 and done.stdout == b"body", done.stderr


def test_a_service_that_is_not_there(programs, site):
    if "redis" in programs.started:
        pytest.skip("this machine is too slow for a look before it has started")
    assert b" 502 " in curl(site, "/redis/x", "-i")


# --- load -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", ["nginx", "node", "uvicorn"])
def test_h2load(programs, site, service):
    programs.need(service)
    need("h2load")
    path = "/hello.txt" if service == "nginx" else "/x"
    done = subprocess.run([
        "h2load", "--h1", "-n", "2000", "-c", "20", f"https://localhost:{site}/{service}{path}"
    ], capture_output=True, text=True)
    assert "2000 succeeded, 0 failed, 0 errored" in done.stdout and "2000 2xx" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("service", ["nginx", "node"])
def test_wrk(programs, site, service):
    programs.need(service)
    need("wrk")
    path = "/hello.txt" if service == "nginx" else "/x"
    done = subprocess.run([
        "wrk", "-t1", "-c20", "-d1s", "--timeout",
        str(TIMEOUT), f"https://localhost:{site}/{service}{path}"
    ], capture_output=True, text=True)
    assert re.search(r"^\s+\d+ requests in", done.stdout, re.M), done.stdout + done.stderr
    assert "Non-2xx" not in done.stdout and "Socket errors" not in done.stdout, done.stdout


# --- WebSocket --------------------------------------------------------------------------------------------

CLIENT = '''
import asyncio, json, os, ssl, sys, websockets
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT); context.check_hostname = False; context.verify_mode = ssl.CERT_NONE
base = f"wss://localhost:{sys.argv[1]}"

async def uvicorn():
    async with websockets.connect(base + "/uvicorn/room", ssl=context, subprotocols=["chat"], max_size=None) as ws:
        first = json.loads(await ws.recv())
        assert first["path"] == "/room" and first["for"] in ("127.0.0.1", "::1"), first
        assert ws.subprotocol == "chat"
        for n in range(300):
            await ws.send(f"message {n}")
        for n in range(300):
            assert await ws.recv() == f"message {n}"
        for size in (0, 1, 125, 126, 65535, 65536, 1000000):
            data = os.urandom(size)
            await ws.send(data)
            assert await ws.recv() == data, size
        await (await ws.ping(b"x"))
        await ws.send("close")
        try:
            await ws.recv()
            assert False
        except websockets.ConnectionClosed as e:
            assert e.code == 4001, e

async def many():
    async def one(n):
        async with websockets.connect(base + f"/uvicorn/{n}", ssl=context) as ws:
            assert json.loads(await ws.recv())["path"] == f"/{n}"
            for _ in range(20):
                await ws.send(str(n))
                assert await ws.recv() == str(n)
    await asyncio.gather(*[one(n) for n in range(40)])

async def websocketd():
    async with websockets.connect(base + "/websocketd/", ssl=context) as ws:
        for n in range(50):
            await ws.send(f"line {n}")
            assert await ws.recv() == f"line {n}"

async def keys():
    async with websockets.connect(base + "/keys/", ssl=context) as ws:
        await ws.send("SET colour blue")
        assert await ws.recv() == "OK"
        await ws.send("GET colour")
        assert "blue" in await ws.recv()

asyncio.run(globals()[sys.argv[2]]())
'''


@pytest.mark.parametrize("what,services", [("uvicorn", ["uvicorn"]), ("many", ["uvicorn"]),
                                           ("websocketd", ["websocketd"]), ("keys", ["redis", "keys"])])
def test_websockets(programs, site, what, services):
    for service in services:
        programs.need(service)
    done = subprocess.run([programs.python("websockets"), "-c", CLIENT,
                           str(site), what], capture_output=True, text=True, timeout=4 * TIMEOUT)
    assert done.returncode == 0, done.stderr


# --- Chromium -----------------------------------------------------------------------------------------------

CHAT = """(async () => {
const open = () => new Promise((good, bad) => {
	const ws = new WebSocket("wss://localhost:%d/uvicorn/chat", "chat"); ws.got = []; ws.binaryType = "arraybuffer";
	ws.onmessage = e => { ws.got.push(e.data); if (ws.wake) ws.wake() }; ws.onopen = () => good(ws); ws.onerror = bad });
const wait = (ws, count) => new Promise(done => { ws.wake = () => ws.got.length >= count && done(); ws.wake() });
const a = await open(), b = await open();
await wait(a, 1); await wait(b, 1);
a.send("hello"); b.send("grüße"); a.send(new Uint8Array(100000).fill(7));
await wait(a, 3); await wait(b, 2);
const closed = new Promise(done => a.onclose = e => done(e.code));
a.send("close");
const code = await closed; b.close();
return [a.protocol, a.got[1], b.got[1], new Uint8Array(a.got[2]).every(x => x == 7) && a.got[2].byteLength, code] })()"""
EVENTS = """new Promise((done, bad) => {
const seen = [], events = new EventSource("/uvicorn/events");
events.onmessage = e => { seen.push([e.lastEventId, e.data]); if (seen.length == 4) { events.close(); done(seen) } } })"""


def test_a_chat_page(programs, site):
    programs.need("uvicorn")
    with browser(*FLAGS) as b:
        b.open(f"https://localhost:{site}/uvicorn/page")
        assert b.evaluate(CHAT % site) == ["chat", "hello", "grüße", 100000, 4001]
        assert not b.complaints()


def test_a_page_of_events(programs, site):
    """Three events end a stream; the browser comes again and says which it had."""
    programs.need("uvicorn")
    with browser(*FLAGS) as b:
        b.open(f"https://localhost:{site}/uvicorn/page")
        assert b.evaluate(EVENTS) == [[str(n), f"event {n}"] for n in range(1, 5)]
