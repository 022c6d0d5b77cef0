"""Real servers to stand in for services that a gateway passes requests on to, each on a free port."""
import contextlib
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from harness import free_ports, have, refused, wait_for

# What each service says about a request: method, path with query, fields, and the hash of its body.
WSGI = '''
import hashlib, json, time

def app(environ, start):
    body = environ["wsgi.input"].read()
    path = environ["RAW_URI"]
    if path.startswith("/stream"):
        start("200 OK", [("Content-Type", "text/plain")])
        return (b"part %d\\n" % n for n in range(200))
    if path.startswith("/die"):
        raise SystemExit
    fields = {k[5:].replace("_", "-").title(): v for k, v in environ.items() if k.startswith("HTTP_")}
    text = json.dumps({"method": environ["REQUEST_METHOD"], "path": path, "fields": fields, "length": len(body),
                       "hash": hashlib.sha256(body).hexdigest()}).encode()
    start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(text)))])
    return [text]
'''
ASGI = '''
import asyncio, hashlib, json

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            await send({"type": (await receive())["type"] + ".complete"})
    if scope["type"] == "websocket":
        await receive()
        names = {k.decode(): v.decode() for k, v in scope["headers"]}
        await send({"type": "websocket.accept", "subprotocol": "chat" if "chat" in scope["subprotocols"] else None})
        await send({"type": "websocket.send", "text": json.dumps({"path": scope["path"], "for": names.get("x-forwarded-for")})})
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return
            if message.get("text") == "close":
                await send({"type": "websocket.close", "code": 4001})
                return
            await send({"type": "websocket.send", **{k: message[k] for k in ("text", "bytes") if message.get(k) is not None}})
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    path = scope["raw_path"].decode() + ("?" + scope["query_string"].decode() if scope["query_string"] else "")
    fields = {k.decode().title(): v.decode() for k, v in scope["headers"]}
    if path.startswith("/page"):
        text = b"<!doctype html><meta charset=utf-8><title>Chat</title><link rel=icon href='data:,'><p>Chat"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html; charset=utf-8")]})
        await send({"type": "http.response.body", "body": text})
        return
    if path.startswith("/events"):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]})
        first = int(fields.get("Last-Event-Id", 0)) + 1
        for n in range(first, first + 3):
            await send({"type": "http.response.body", "body": b"id: %d\\ndata: event %d\\n\\n" % (n, n), "more_body": True})
            await asyncio.sleep(0.05)
        await send({"type": "http.response.body", "body": b""})
        return
    text = json.dumps({"method": scope["method"], "path": path, "fields": fields, "length": len(body), "hash": hashlib.sha256(body).hexdigest()}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(text)).encode())]})
    await send({"type": "http.response.body", "body": text})
'''
NODE = '''
const http = require("http"), crypto = require("crypto");
http.createServer((request, response) => {
  const hash = crypto.createHash("sha256"); let length = 0;
  request.on("data", data => { hash.update(data); length += data.length });
  request.on("end", () => {
    if (request.url.startsWith("/hints")) response.writeEarlyHints({ link: "</style.css>; rel=preload; as=style" });
    if (request.url.startsWith("/trailers")) {
      response.writeHead(200, { Trailer: "X-Sum", "Transfer-Encoding": "chunked" });
      response.write("body"); response.addTrailers({ "X-Sum": "42" }); response.end(); return;
    }
    const fields = {};
    for (const [name, value] of Object.entries(request.headers))
      fields[name.replace(/(^|-)./g, c => c.toUpperCase())] = String(value);
    const text = JSON.stringify({ method: request.method, path: request.url, fields, length, hash: hash.digest("hex") });
    response.writeHead(200, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(text) });
    response.end(text);
  });
}).listen(+process.argv[2], "127.0.0.1");
'''
PHP = '''<?php
$body = file_get_contents("php://input");
$fields = [];
foreach (getallheaders() as $name => $value) $fields[ucwords(strtolower($name), "-")] = $value;
header("Content-Type: application/json");
echo json_encode(["method" => $_SERVER["REQUEST_METHOD"], "path" => $_SERVER["REQUEST_URI"], "fields" => $fields,
	"length" => strlen($body), "hash" => hash("sha256", $body)]);
'''


def nginx_text(folder, port):
    return f"""daemon off; pid {folder}/pid; error_log {folder}/errors; user root; events {{}}
http {{ access_log off; types {{ text/plain txt; }}
client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
server {{ listen 127.0.0.1:{port}; root {folder}/www; gzip on; gzip_types text/plain; location /put {{ client_max_body_size 0; return 204; }} }} }}"""


class Programs:
    """Starts those that are there, each once; the others skip the test that wants them."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="bulkhead-services-"))
        self.folder.chmod(0o755)
        self.ports, self.processes = {}, []
        names = ("nginx", "gunicorn", "uvicorn", "node", "php", "websocketd", "redis", "keys")
        for name, port in zip(names, free_ports(len(names))):
            self.ports[name] = port
        self.started = {}
        (self.folder / "app_wsgi.py").write_text(WSGI)
        (self.folder / "app_asgi.py").write_text(ASGI)
        (self.folder / "app.js").write_text(NODE)
        (self.folder / "app.php").write_text(PHP)
        (self.folder / "www").mkdir()
        (self.folder / "www" / "hello.txt").write_text("hello from nginx\n" * 100)

    def python(self, module):
        """A Python that has that module: not each one has what Debian's packages bring."""
        for python in ("/usr/bin/python3", shutil.which("python3")):
            if python and subprocess.run([python, "-c", f"import {module}"], capture_output=True).returncode == 0:
                return python
        pytest.skip(f"needs {module}")

    def argv(self, name, port):
        if name == "nginx":
            (self.folder / "nginx.conf").write_text(nginx_text(self.folder, port))
            return [have("nginx"), "-p", self.folder, "-c", self.folder / "nginx.conf"]
        if name == "gunicorn":
            return [
                self.python("gunicorn"), "-B", "-m", "gunicorn", "-b", f"127.0.0.1:{port}", "-w", "1", "-k",
                "gthread", "--threads", "4", "app_wsgi:app"
            ]
        if name == "uvicorn":
            self.python("websockets")
            return [
                self.python("uvicorn"), "-B", "-m", "uvicorn", "--port", port, "--no-server-header",
                "--log-level", "warning", "app_asgi:app"
            ]
        if name == "node":
            return [have("node"), self.folder / "app.js", port]
        if name == "php":
            return [have("php"), "-S", f"127.0.0.1:{port}", self.folder / "app.php"]
        if name == "redis":
            return [
                have("redis-server"), "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no"
            ]
        if name == "keys":
            return [
                have("websocketd"), f"--port={port}", "--address=127.0.0.1", "redis-cli", "-p",
                self.ports["redis"]
            ]
        return [have("websocketd"), f"--port={port}", "--address=127.0.0.1", "cat"]

    def need(self, name):
        """Starts it; the port on which it listens."""
        port = self.ports[name]
        if name in self.started:
            return port
        program = {"redis": "redis-server", "keys": "websocketd"}.get(name, name)
        if program not in ("gunicorn", "uvicorn") and not have(program):
            pytest.skip(f"needs {program}")
        argv = self.argv(name, port)
        with open(self.folder / f"{name}.log", "wb") as log:
            process = subprocess.Popen([str(a) for a in argv], cwd=self.folder, stdin=subprocess.DEVNULL,
                                       stdout=log, stderr=log)
        self.processes.append(process)
        try:
            wait_for(lambda: not refused(port) or process.poll() is not None, f"{name} listens")
        finally:
            text = (self.folder / f"{name}.log").read_text(errors="replace")
            assert process.poll() is None and not refused(port), f"{name}: {text}"
        self.started[name] = process
        return port

    def close(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
