#!/usr/bin/env python3
"""The figures of Bulkhead, each measured beside its rival in the same run.

    bench.py BUILD [--rounds N] [--only NAME ...] [--json FILE]

Servers run on loopback, one after the other in each round (A B, B A, ...), so that a change of
the machine's speed affects both. CPU is the time that the kernel accounts to all processes of a
server (/proc/PID/schedstat), divided by the requests or handshakes. The report gives the medians
of the rounds and of the ratios of each round, and the least, which others on the machine have
disturbed least. Nothing here fails on a time.
"""
import argparse
import contextlib
import glob
import itertools
import json
import os
import re
import resource
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import gateway

GREETING = "Hello, world!\\n"


def free_port():
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(condition, what, timeout=20):
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.01)
    raise RuntimeError(f"{what} did not happen within {timeout} s")


def answers(port, plain, path="/"):
    try:
        request(port, plain=plain, path=path)
        return True
    except OSError:
        return False


CONTEXT = ssl.create_default_context()
CONTEXT.check_hostname = False
CONTEXT.verify_mode = ssl.CERT_NONE


def connect(port, timeout=10, plain=False, context=CONTEXT):
    raw = socket.create_connection(("127.0.0.1", port), timeout=timeout)
    return raw if plain else context.wrap_socket(raw)


def request(port, connection=None, host="localhost", path="/", plain=False):
    """One GET; returns the status."""
    s = connection or connect(port, plain=plain)
    try:
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        data = b""
        while not data.endswith(b"Hello, world!\n"):
            more = s.recv(4096)
            if not more:
                raise ConnectionError("closed in a response")
            data += more
        return int(data.split()[1])
    finally:
        if connection is None:
            s.close()


def exchange(connection, fields="", path="/"):
    """One GET, whatever the response is like; returns its status and how long its body was on the way."""
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n".encode())
    data = b""

    def more():
        nonlocal data
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError("closed in a response")
        data += piece

    while b"\r\n\r\n" not in data:
        more()
    head, data = data.split(b"\r\n\r\n", 1)
    if length := re.search(rb"\r\nContent-Length: (\d+)", head):
        while len(data) < int(length[1]):
            more()
    elif b"\r\nTransfer-Encoding: chunked" in head:
        while not data.endswith(b"0\r\n\r\n"):
            more()
    return int(head.split()[1]), len(data)


def pss_of(pid):
    with open(f"/proc/{pid}/smaps_rollup", errors="replace") as f:
        return sum(int(line.split()[1]) for line in f if line.startswith("Pss:"))


def cpu_ns_of(pid):
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        with contextlib.suppress(OSError):
            total += int(open(path).read().split()[0])
    return total


class Server:
    """A server with all its processes."""

    def __init__(self, name, argv, port, log, plain=False, path="/"):
        self.name, self.port = name, port
        self.log = open(log, "wb")
        self.process = subprocess.Popen(argv, stdout=self.log, stderr=self.log)
        wait_for(lambda: answers(port, plain, path), f"{name} on port {port}")

    def pids(self):
        found, todo = [], [self.process.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            for tasks in glob.glob(f"/proc/{pid}/task/*/children"):
                with contextlib.suppress(OSError):
                    todo += [int(p) for p in open(tasks).read().split()]
        return found

    def children(self):
        return [pid for pid in self.pids() if pid != self.process.pid]

    def cpu_ns(self):
        return sum(cpu_ns_of(pid) for pid in self.pids())

    def pss_kb(self):
        return sum(pss_of(pid) for pid in self.pids())

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


class Bench:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.build = os.path.abspath(options.build)
        self.results = {}

    def pair(self, kind):
        return (os.path.join(self.build, "bench", kind + end) for end in (".pem", ".key"))

    def bulkhead(self, text, port, name="bulkhead", kind="ecdsa", binary="bulkhead", plain=False,
                 path="/"):
        conf = os.path.join(self.folder, f"{name}.conf")
        certificate, key = self.pair(kind)
        with open(conf, "w") as f:
            f.write("tls off\n" if plain else f'tls {{ certificate "{certificate}" key "{key}" }}\n')
            f.write(text)
        return Server(name, [os.path.join(self.build, binary), "-f", conf], port,
                      os.path.join(self.folder, f"{name}.log"), plain, path)

    def nginx(self, port, plain=False, name="nginx", more="",
              location=f'default_type text/plain; return 200 "{GREETING}";'):
        certificate, key = self.pair("ecdsa")
        path = os.path.join(self.folder, f"{name}.conf")
        with open(path, "w") as f:
            f.write(f"""
daemon off; worker_processes 1; pid {self.folder}/{name}.pid; error_log {self.folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 600s; server_tokens off;
  client_body_temp_path {self.folder}/t1; proxy_temp_path {self.folder}/t2;
  fastcgi_temp_path {self.folder}/t3; uwsgi_temp_path {self.folder}/t4;
  scgi_temp_path {self.folder}/t5; {more}
  server {{
    listen 127.0.0.1:{port}{"" if plain else " ssl"};
    ssl_certificate {certificate}; ssl_certificate_key {key};
    ssl_protocols TLSv1.2 TLSv1.3; ssl_ecdh_curve X25519:prime256v1; ssl_session_tickets on;
    location / {{ {location} }}
  }}
}}
""")
        return Server(name, ["nginx", "-c", path, "-p", self.folder], port,
                      os.path.join(self.folder, f"{name}.log"), plain)

    def nginx_files(self, port, folder, name="nginx", more=""):
        """As Debian installs it, with sendfile and tcp_nopush."""
        return self.nginx(port, name=name, location=f"root {folder}; default_type text/plain;",
                          more="sendfile on; tcp_nopush on; " + more)

    def lighttpd(self, port, folder):
        """With GnuTLS, as Bulkhead has it."""
        certificate, key = self.pair("ecdsa")
        path = os.path.join(self.folder, "lighttpd.conf")
        with open(path, "w") as f:
            f.write(f"""
server.modules = ( "mod_gnutls" )
server.document-root = "{folder}"
server.port = {port}
server.bind = "127.0.0.1"
server.max-keep-alive-requests = 60000
server.max-keep-alive-idle = 600
index-file.names = ( "index.html" )
mimetype.assign = ( "" => "text/plain" )
ssl.engine = "enable"
ssl.pemfile = "{certificate}"
ssl.privkey = "{key}"
""")
        return Server("lighttpd", ["lighttpd", "-D", "-f", path], port,
                      os.path.join(self.folder, "lighttpd.log"))

    def client(self, *arguments):
        out = subprocess.run([self.client_path(), *map(str, arguments)], check=True,
                             stdout=subprocess.PIPE, text=True).stdout
        return json.loads(out)

    def client_path(self):
        return os.path.join(self.build, "bench", "client")

    def compare(self, servers, kinds, alone=None):
        """CPU in us per unit of each kind, for each server, round by round, and of those that are for the
        first server alone; stops the servers."""
        alone = alone or {}
        figures = {(s.name, k): [] for s in servers for k in (*kinds, *alone)}
        try:
            for index in range(self.options.rounds + 1):  # the first warms up
                order = servers if index % 2 else servers[::-1]
                for kind, run in {**kinds, **alone}.items():
                    for server in servers[:1] if kind in alone else order:
                        before = server.cpu_ns()
                        count = run(server.port)["count"]
                        if index > 0:
                            figures[server.name, kind].append(
                                (server.cpu_ns() - before) / 1000 / count)
        finally:
            for server in servers:
                server.stop()
        return figures

    def tell(self, kind, figures, ours, theirs):
        """One line and one result: ours, and its ratio to theirs where both were measured."""
        a, b = figures[ours, kind], figures.get((theirs, kind))
        line = f"CPU per {kind}: {ours} {statistics.median(a):.1f} us (least {min(a):.1f})"
        result = {f"{ours}_us": statistics.median(a), f"{ours}_least_us": min(a)}
        if b:
            ratios = [x / y for x, y in zip(a, b)]
            result.update({f"{theirs}_us": statistics.median(b),
                           f"{theirs}_least_us": min(b), "least_ratio": min(a) / min(b),
                           "ratio": statistics.median(ratios), "ratios": ratios})
            line += (f", {theirs} {statistics.median(b):.1f} us (least {min(b):.1f}), ratio "
                     f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}; "
                     f"of the least {min(a) / min(b):.2f})")
        print(line, flush=True)
        self.results[f"cpu {kind}, {ours} beside {theirs}"] = result

    # --- CPU per request and handshake -----------------------------------------------------

    def cpu(self):
        kinds = {
            "keep-alive request": lambda p: self.client("keepalive", p, 8, 20000),
            "full handshake": lambda p: self.client("full", p, 1000),
            "resumed handshake": lambda p: self.client("resumed", p, 1500),
        }
        self.beside_nginx(kinds)

    def plain(self):
        self.beside_nginx({
            "plain keep-alive request": lambda p: self.client("plain", "keepalive", p, 8, 40000),
            "plain connection with one request": lambda p: self.client("plain", "full", p, 5000),
        }, plain=True)

    def beside_nginx(self, kinds, plain=False):
        port, other = free_port(), free_port()
        servers = [self.bulkhead(
            f"access log off\nlimits {{ requests 100000000 }}\n"
            f'port {port} {{ listen on 127.0.0.1 respond 200 "{GREETING}" }}\n', port, plain=plain)]
        if shutil.which("nginx"):
            servers.append(self.nginx(other, plain))
        else:
            print("nginx: not installed, skipped")
        figures = self.compare(servers, kinds)
        for kind in kinds:
            self.tell(kind, figures, "bulkhead", "nginx")

    # --- files -----------------------------------------------------------------------------

    def site(self):
        """A folder with a greeting, a small file and a large one."""
        folder = os.path.join(self.folder, "site")
        if not os.path.isdir(folder):
            os.makedirs(folder)
            block = os.urandom(1 << 20)
            for name, data, times in (("index.html", b"Hello, world!\n", 1),
                                      ("1k.txt", b"0123456789abcdef" * 64, 1),
                                      ("100m.bin", block, 100)):
                with open(os.path.join(folder, name), "wb") as f:
                    for _ in range(times):
                        f.write(data)
            os.chmod(self.folder, 0o755)
        return folder

    def bulkhead_files(self, name, port, options="", binary="bulkhead"):
        return self.bulkhead(f"access log off\nlimits {{ requests 100000000 }}\nport {port} {{ "
                             f'listen on 127.0.0.1 files "{self.site()}" {{ {options} }} }}\n',
                             port, name, binary=binary)

    def files(self):
        """Files, beside another program if one is given, nginx and lighttpd."""
        def large(port):
            return {"count": self.client("keepalive", port, 1, 10, "/100m.bin")["bytes"] / 1e9}

        kinds = {
            "request for a 1 KB file": lambda p: self.client("keepalive", p, 8, 20000, "/1k.txt"),
            "GB of a 100 MB file": large,
        }
        servers = [self.bulkhead_files("bulkhead", free_port()),
                   self.bulkhead_files("unkept", free_port(), "keep off")]
        if self.options.beside:
            servers.append(self.bulkhead_files("beside", free_port(),
                                               binary=os.path.abspath(self.options.beside)))
        if shutil.which("nginx"):
            servers += [self.nginx_files(free_port(), self.site()),
                        self.nginx_files(free_port(), self.site(), "nginx-cached",
                                         "open_file_cache max=1000;")]
        if shutil.which("lighttpd"):
            servers.append(self.lighttpd(free_port(), self.site()))
        names = [s.name for s in servers]
        figures = self.compare(servers, kinds)
        for kind in kinds:
            for name in names:
                if name != "nginx":
                    self.tell(kind, figures, name, "nginx")

    # --- a cold disk -----------------------------------------------------------------------

    def cold(self, folders=100, each=50):
        """The latency of small requests while files are opened that the kernel's caches do not have;
        beside another program if one is given. The caches of the whole machine are dropped."""
        top = os.path.join(self.folder, "cold")
        for i in range(folders):
            os.makedirs(os.path.join(top, str(i)))
            for k in range(each):
                with open(os.path.join(top, str(i), f"{k}.txt"), "w") as f:
                    f.write("cold\nHello, world!\n")
        os.chmod(self.folder, 0o755)
        os.sync()
        programs = ["bulkhead"] + ([os.path.abspath(self.options.beside)] if self.options.beside else [])
        for binary in programs * 2:
            for drops in False, True:
                self.cold_of(binary, drops, top, folders, each)

    def cold_of(self, binary, drops, top, folders, each):
        port = free_port()
        server = self.bulkhead(f'access log off\nlimits {{ requests 100000000 }}\n'
                               f'port {port} {{ listen on 127.0.0.1 location "/" {{ files "{top}" }} '
                               f'location "/small" {{ respond 200 "{GREETING}" }} }}\n', port,
                               "cold", binary=binary, path="/small")
        try:
            if drops:
                with open("/proc/sys/vm/drop_caches", "w") as f:
                    f.write("3")
            asks = subprocess.Popen([sys.executable, "-c", f"""
import sys; sys.path.insert(0, {os.path.dirname(os.path.abspath(__file__))!r})
import bench
clients = [bench.connect({port}, 60) for _ in range(16)]
names = [f"/{{i}}/{{k}}.txt" for k in range({each}) for i in range({folders})]
while names:
    asked = []
    for c in clients:
        if names:
            c.sendall(f"GET {{names.pop()}} HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n".encode())
            asked.append(c)
    for c in asked:
        data = b""
        while not data.endswith(b"Hello, world!\\n"):
            piece = c.recv(4096)
        assert piece, "the server has closed a connection"
        data += piece
"""])
            times = []
            with connect(port) as c:
                while asks.poll() is None:
                    start = time.monotonic()
                    request(port, c, path="/small")
                    times.append((time.monotonic() - start) * 1000)
            times.sort()
            at = {p: times[min(len(times) - 1, int(len(times) * p))] for p in (0.5, 0.99, 0.999)}
            print(f"small requests while {folders * each} {'cold' if drops else 'warm'} files are opened, "
                  f"{binary}: p50 {at[0.5]:.2f} ms, p99 {at[0.99]:.2f} ms, p99.9 {at[0.999]:.2f} ms, "
                  f"most {times[-1]:.1f} ms ({len(times)} requests)", flush=True)
            self.results.setdefault("cold", []).append(
                {"binary": binary, "cold": drops, "p50_ms": at[0.5], "p99_ms": at[0.99],
                 "p999_ms": at[0.999], "most_ms": times[-1]})
        finally:
            server.stop()

    # --- instructions ----------------------------------------------------------------------

    def instructions(self, requests=150):
        """Instructions of the worker, a system call counted as one; beside another program if one
        is given.

        Single-stepping counts them, so the same work gives the same number on a busy machine."""
        binaries = ["bulkhead"] + ([os.path.abspath(self.options.beside)]
                                   if self.options.beside else [])
        figures = {}
        for access in "off", "on":
            for binary in binaries:
                figures[access, binary], _ = self.steps(binary, access, requests)
            ours = figures[access, binaries[0]]
            line = f"instructions per keep-alive request, access log {access}: {ours:.0f}"
            if len(binaries) > 1:
                theirs = figures[access, binaries[1]]
                line += f"; {self.options.beside} {theirs:.0f}: {ours / theirs:.3f}"
            print(line, flush=True)
        self.results["instructions"] = {" ".join(k): v for k, v in figures.items()}

    def routes(self, requests=100):
        """Instructions for a request, and memory of the worker, by the number of hosts and locations;
        the names and paths are as long in each case."""
        hosts = ''.join(f'host "shop{i:04}.example" "www.shop{i:04}.example" {{ respond 200 "{GREETING}" }}\n'
                        for i in range(1000))
        places = ''.join(f'location "/place/{i % 10}/{i:05}" {{ respond 200 "{GREETING}" }}\n'
                         for i in range(10000))
        cases = {"1 host": (hosts.split("\n")[500], ("shop0500.example", "/")),
                 "1000 hosts": (hosts, ("shop0500.example", "/")),
                 "1 location": (places.split("\n")[5000], ("localhost", "/place/0/05000")),
                 "10000 locations": (places, ("localhost", "/place/0/05000")),
                 "neither": ("", ("localhost", "/place/0/05000"))}
        figures = {}
        for name, (text, what) in cases.items():
            figures[name] = self.steps("bulkhead", "off", requests, text, what)
            n, kb = figures[name]
            print(f"instructions per keep-alive request, {name}: {n:.0f}; worker {kb} KB (PSS)",
                  flush=True)
        self.results["routes"] = {k: {"instructions": n, "kb": kb} for k, (n, kb) in figures.items()}

    # --- a thousand sites ------------------------------------------------------------------

    def pairs_make(self, count):
        """Folders with a certificate pair and a file each; returns a function that renews a pair."""
        def begin(i):
            folder = os.path.join(self.folder, "sites", f"shop{i:04}.example")
            os.makedirs(os.path.join(folder, "www"), exist_ok=True)
            with open(os.path.join(folder, "www", "index.html"), "w") as f:
                f.write("Hello, world!\n")
            return subprocess.Popen(
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                 "-nodes", "-days", "90", "-subj", f"/CN=shop{i:04}.example",
                 "-addext", f"subjectAltName=DNS:shop{i:04}.example,DNS:www.shop{i:04}.example",
                 "-keyout", os.path.join(folder, "key"), "-out", os.path.join(folder, "pem")],
                stderr=subprocess.DEVNULL)

        os.chmod(self.folder, 0o755)  # the users of workers look into it
        running = []
        for i in range(count):
            running.append(begin(i))
            if len(running) == os.cpu_count():
                running.pop(0).wait()
        for process in running:
            process.wait()
        return lambda i: begin(i).wait()

    def sites(self, most=1000):
        """Hosts with a certificate pair and a folder each, on one port: start, check, reloads, memory."""
        renew = self.pairs_make(most)
        few, many = self.sites_of(1), self.sites_of(most, renew)
        each = {role: (many["kb"][role] - few["kb"][role]) / (most - 1) for role in many["kb"]}
        print(f"{most} hosts with a pair and a folder each: " + "; ".join(
            f"{what} {wall:.2f} s ({cpu:.2f} s of CPU)" for what, (wall, cpu) in many["times"].items()),
            flush=True)
        print("private memory of one more: " + ", ".join(f"{role} {kb:.1f} KB" for role, kb in each.items()),
              flush=True)
        self.results["sites"] = {"times": many["times"], "kb": each}

    def sites_of(self, count, renew=None):
        port, at, times = free_port(), os.path.join(self.folder, "sites"), {}
        text = f'access log off\nport {port} {{ listen on 127.0.0.1 respond 200 "{GREETING}"\n' + "".join(
            f'host "{name}" "www.{name}" {{ tls {{ certificate "{at}/{name}/pem" key "{at}/{name}/key" }} '
            f'location "/" {{ files "{at}/{name}/www" }} }}\n'
            for name in (f"shop{i:04}.example" for i in range(count))) + "}\n"
        start = time.monotonic()
        server = self.bulkhead(text, port, "sites")
        times["start"] = time.monotonic() - start, server.cpu_ns() / 1e9
        try:
            kb = self.private_kb(server)
            if renew:
                times["reload without a change"] = self.reload_time(server)
                renew(count // 2)
                times["reload with one renewed"] = self.reload_time(server)
                times["check (-t)"] = self.check_time()
        finally:
            server.stop()
        return {"times": times, "kb": kb}

    def private_kb(self, server):
        roles = dict.fromkeys(("master", "mounter", "keyholder", "worker"), 0)
        for pid in server.pids():
            title = open(f"/proc/{pid}/cmdline", errors="replace").read()
            role = next(r for r in ("mounter", *roles) if r in title)
            with open(f"/proc/{pid}/smaps_rollup", errors="replace") as f:
                roles[role] += sum(int(line.split()[1]) for line in f if line.startswith("Private_"))
        return roles

    def reload_time(self, server):
        """Wall time, and CPU of all processes, with the new ones."""
        log = os.path.join(self.folder, "sites.log")
        before, done, start = server.cpu_ns(), open(log).read().count("reloaded:"), time.monotonic()
        old = {pid: cpu_ns_of(pid) for pid in server.pids()}
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: open(log).read().count("reloaded:") > done, "the reload", 60)
        gone = set(old) - set(server.pids())
        return (time.monotonic() - start,
                (server.cpu_ns() - before + sum(old[pid] for pid in gone)) / 1e9)

    def check_time(self):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        subprocess.run([os.path.join(self.build, "bulkhead"), "-t", "-f",
                        os.path.join(self.folder, "sites.conf")], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (time.monotonic() - start,
                after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)

    # --- filters ---------------------------------------------------------------------------

    def filters(self, requests=15):
        """Instructions of the worker for a request on a kept connection: without filters, and with each
        of them alone; without, beside another program, too, if one is given."""
        passwords = os.path.join(self.folder, "htpasswd")
        with open(passwords, "w") as f:  # "secret"
            f.write("bob:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n")
        os.chmod(passwords, 0o600)
        least = self.filter_of("none", requests)
        print(f"filters, none: {least:.0f} instructions", flush=True)
        if self.options.beside:
            other = os.path.abspath(self.options.beside)
            self.filter_tell(f"none, beside {other}", least, self.filter_of("none, beside", requests, binary=other))
        self.filter_tell("none, without TLS", self.filter_of("none, without TLS", requests, plain=True), least)
        cases = {
            ("", ""): {
                "header set": 'header set "X-Frame-Options" "DENY"',
                "header set, with a variable": 'header set "X-Id" "${request-id}"',
                "allow, which lets in": "allow 127.0.0.0/8  deny *",
                "deny, which does not": "deny *",
                "rate": "rate 1G/s",
                "cors": 'cors origin "https://app.example"',
            },
            (", with Origin", "Origin: https://app.example\r\n"): {
                "cors": 'cors origin "https://app.example"',
            },
            (", with a password", "Authorization: Basic Ym9iOnNlY3JldA==\r\n"): {
                "authenticate": f'authenticate basic "staff" file "{passwords}"',
            },
            (", with Accept-Encoding", "Accept-Encoding: gzip\r\n"): {
                "compress, of another type": 'compress gzip { types "text/html" least 1 }',
            },
        }
        for (sort, fields), filters in cases.items():
            without = self.filter_of("none" + sort, requests, fields=fields) if fields else least
            for name, text in filters.items():
                figure = self.filter_of(name + sort, requests, f'{text}\nrespond 200 "{GREETING}"', fields)
                self.filter_tell(name + sort, figure, without)
        for name, text in {"requests-per-client": "requests-per-client 1000000/s",
                           "connections-per-client": "connections-per-client 100"}.items():
            self.filter_tell(name, self.filter_of(name, requests, port=f"limits {{ {text} }}"), least)
        certificate, key = self.pair("ecdsa")  # its own authority
        shown = ssl.create_default_context()
        shown.check_hostname, shown.verify_mode = False, ssl.CERT_NONE
        shown.load_cert_chain(certificate, key)
        asks = {"port": f'tls {{ certificate "{certificate}" key "{key}" '
                        f'client certificate optional authority "{certificate}" }}', "context": shown}
        known = self.filter_of("none, with a client certificate", requests, **asks)
        self.filter_tell("client certificate", known, least)
        name = "header set, with a variable of the client certificate"
        text = 'header set "X-Client" "${client-certificate-subject}"\n' + f'respond 200 "{GREETING}"'
        self.filter_tell(name, self.filter_of(name, requests, text, **asks), known)

    def filter_of(self, name, requests, text=f'respond 200 "{GREETING}"', fields="", port="", binary="bulkhead",
                  plain=False, context=CONTEXT):
        number = free_port()
        server = self.bulkhead(f'access log off\nport {number} {{ listen on 127.0.0.1 watchdog 1h {port}\n'
                               f'respond 200 "{GREETING}"\nlocation "/in" {{ {text} }} }}\n',
                               number, binary=binary, plain=plain)
        try:
            figure = self.steps_least(server, number, requests, fields, "/in", plain=plain, context=context)
        finally:
            server.stop()
        self.results.setdefault("filters", {})[name] = figure
        return figure

    # --- in front of an upstream -----------------------------------------------------------

    def gateway(self):
        gateway.Gateway(self, Server, free_port, wait_for).run()

    # --- limits of a client ----------------------------------------------------------------

    def limits(self):
        """What a client costs that is over its limits, beside one that has none; and what a worker takes that
        knows 100,000 clients."""
        servers, second = [], {}
        for name, requests, handshakes in (("refused", "requests-per-client 1/h burst 100",
                                            "handshakes-per-client 1/h burst 100"), ("served", "", "")):
            port, other = free_port(), free_port()
            text = "".join(f'port {number} {{ listen on 127.0.0.1 limits {{ requests 100000000 {limit} }}\n'
                           f'respond 200 "{GREETING}" }}\n' for number, limit in ((port, requests), (other, handshakes)))
            servers.append(self.bulkhead(f"access log off\n{text}", port, name))
            second[port] = other

        def ask(port):
            with connect(port) as c:
                for _ in range(5000):
                    exchange(c)
            return {"count": 5000}

        def shake(port):
            for _ in range(500):
                with contextlib.suppress(ssl.SSLError, ConnectionError):
                    connect(second[port]).close()
            return {"count": 500}

        kinds = {"request over its limit": ask, "handshake over its limit": shake}
        figures = self.compare(servers, kinds)
        for kind in kinds:
            self.tell(kind, figures, "refused", "served")
        few, many = self.known_clients(1), self.known_clients(100000)
        print(f"a worker that knows 100,000 clients: {many[1] - few[1]} KB more (PSS); a request {few[0]:.0f} "
              f"instructions, and {many[0]:.0f} with them", flush=True)
        self.results["known clients"] = {"kb": many[1] - few[1], "instructions": many[0], "few": few[0]}

    def known_clients(self, count):
        """Instructions for a request, and PSS, once so many clients have been there."""
        port, at = free_port(), itertools.count(1)
        server = self.bulkhead(f'access log off\nport {port} {{ listen on 127.0.0.1 watchdog 1h\n'
                               f'limits {{ requests-per-client 1/h burst 1000 clients 131072 }}\n'
                               f'respond 200 "{GREETING}" }}\n', port, "known", plain=True)

        def come():
            while (n := next(at)) <= count:
                with socket.socket() as s:
                    s.bind((f"127.{1 + (n >> 16)}.{n >> 8 & 255}.{n & 255}", 0))
                    s.connect(("127.0.0.1", port))
                    exchange(s)

        try:
            guests = [threading.Thread(target=come) for _ in range(8)]
            for guest in guests:
                guest.start()
            for guest in guests:
                guest.join()
            kb = pss_of(self.worker_of(server))
            return self.steps_least(server, port, 15, "", "/", plain=True), kb
        finally:
            server.stop()

    # --- compression -----------------------------------------------------------------------

    def compression(self, levels=(1, 5, 6, 9), times=10):
        """CPU for a MB of text that is compressed, beside nginx at the same level; and for a page of 2 KB."""
        folder = os.path.join(self.folder, "text")
        os.mkdir(folder)
        sources = sorted(glob.glob(os.path.join(os.path.dirname(__file__), "../../src/**/*.[ch158]"),
                                   recursive=True))
        text = b"".join(open(path, "rb").read() for path in sources)[:1000000]
        for name, size in ("mb.html", len(text)), ("page.html", 2048):
            with open(os.path.join(folder, name), "wb") as f:
                f.write(text[:size])
        os.chmod(self.folder, 0o755)
        mb = len(text) / 1e6

        def kind(name, coding, place):
            def run(port):
                fields = f"Accept-Encoding: {coding}\r\n" if coding else ""
                with connect(port, plain=True) as c:
                    for _ in range(times):
                        status, size = exchange(c, fields, f"{place}/mb.html")
                        assert status == 200 and (size < len(text) / 2) == bool(coding), (status, size)
                    sizes[name, port] = size
                return {"count": times * mb}
            return run

        def small(coding, place):
            def run(port):
                with connect(port, plain=True) as c:
                    for _ in range(500):
                        exchange(c, f"Accept-Encoding: {coding}\r\n" if coding else "", f"{place}/page.html")
                return {"count": 500}
            return run

        sizes, port, other = {}, free_port(), free_port()
        servers = [self.bulkhead(
            f'access log off\nlimits {{ requests 100000000 }}\nport {port} {{ listen on 127.0.0.1\n'
            f'respond 200 "{GREETING}"\n' + "".join(
                f'location "/{n}" {{ compress gzip {{ level gzip {n} }}  files "{folder}" }}\n' for n in levels) +
            f'location "/any" {{ compress zstd br  files "{folder}" }}\n'
            f'location "/off" {{ files "{folder}" }} }}\n', port, plain=True)]
        if shutil.which("nginx"):
            servers.append(self.nginx(other, plain=True, location=f'return 200 "{GREETING}"; }}\n' + "".join(
                f'location /{n}/ {{ gzip on; gzip_comp_level {n}; alias {folder}/; default_type text/html; }}\n'
                for n in levels) + f'location /off/ {{ alias {folder}/; default_type text/html;'))
        else:
            print("nginx: not installed, skipped")
        kinds = {f"MB, gzip {n}": kind(f"MB, gzip {n}", "gzip", f"/{n}") for n in levels}
        kinds["MB as it is"] = kind("MB as it is", "", "/off")
        kinds["page of 2 KB, gzip 5"] = small("gzip", "/5")
        kinds["page of 2 KB as it is"] = small("", "/off")
        alone = {f"MB, {word}": kind(f"MB, {word}", word, "/any") for word in ("zstd", "br")}
        alone.update({f"page of 2 KB, {word}": small(word, "/any") for word in ("zstd", "br")})
        figures = self.compare(servers, kinds, alone)
        for name in (*kinds, *alone):
            self.tell(name, figures, "bulkhead", "nginx")
        for (name, at), size in sorted(sizes.items()):
            print(f"{name}, {'bulkhead' if at == port else 'nginx'}: {size} of {len(text)} bytes", flush=True)

    def steps_least(self, server, port, requests, fields, path, **options):
        """The least of the requests: now and then there is other work in a turn, such as the date. The worker
        does not survive it."""
        count = os.path.join(self.folder, "steps")
        with open(count, "wb") as f:
            f.write(bytes(8))
        worker = self.worker_of(server)
        with connect(port, **options) as c:
            for _ in range(20):
                exchange(c, fields, path)
            counter = self.steps_begin(worker, count)
            counts = [self.steps_asleep(worker, count)]
            for _ in range(requests + 1):
                exchange(c, fields, path)
                counts.append(self.steps_asleep(worker, count))
            counter.terminate()
            counter.communicate()
        # The first request also has the end of the wait in which the counter began.
        return min(b - a for a, b in zip(counts[1:], counts[2:]))

    def steps_asleep(self, worker, count):
        """The number of steps once the worker waits for its next event."""
        def asleep():
            with open(f"/proc/{worker}/stat") as f:
                return f.read().rsplit(")", 1)[1].split()[0] == "S"

        wait_for(asleep, "the end of the worker's turn")
        with open(count, "rb") as f:
            return int.from_bytes(f.read(8), sys.byteorder)

    def filter_tell(self, name, figure, least):
        print(f"filters, {name}: {figure - least:+.0f} instructions ({(figure / least - 1) * 100:+.2f} %)",
              flush=True)

    def worker_of(self, server):
        [worker] = [pid for pid in server.children()
                    if b" worker " in open(f"/proc/{pid}/cmdline", "rb").read()]
        return worker

    def steps_begin(self, *arguments):
        counter = subprocess.Popen([os.path.join(self.build, "bench", "steps"), *map(str, arguments)],
                                   stdout=subprocess.PIPE, text=True)
        counter.stdout.readline()
        return counter

    def steps(self, binary, access, requests, more="", what=("localhost", "/")):
        port = free_port()
        server = self.bulkhead(f'access log {access}\nport {port} {{ listen on 127.0.0.1 {more}\n'
                               f'respond 200 "{GREETING}" }}\n', port, binary=binary)
        try:
            worker = self.worker_of(server)
            with connect(port) as c:
                for _ in range(50):
                    request(port, c, *what)
                kb = pss_of(worker)
                counter = self.steps_begin(worker)
                for _ in range(requests):
                    request(port, c, *what)
                counter.terminate()
                return int(counter.communicate()[0]) / requests, kb
        finally:
            server.stop()

    # --- what the keyholder costs ----------------------------------------------------------

    def separation(self):
        """Beside a build whose workers sign by themselves."""
        for kind in ("ecdsa", "rsa"):
            ports = {"bulkhead": free_port(), "local": free_port()}
            servers = [self.bulkhead(
                f'access log off\nport {port} {{ listen on 127.0.0.1 respond 200 "{GREETING}" }}\n',
                port, name, kind, "bulkhead" if name == "bulkhead" else "bench/bulkhead-local")
                for name, port in ports.items()]
            what = f"full handshake ({kind})"
            figures = self.compare(servers, {what: lambda p: self.client("full", p, 1000)})
            self.tell(what, figures, "bulkhead", "local")

    def pools(self):
        """Full handshakes a second by size of the pool: with one keyholder, with as many as
        `auto` gives, and with workers that hold the key; four clients."""
        for kind in ("ecdsa", "rsa"):
            for workers in (1, 2, 4):
                rates = {}
                for name, keyholders, binary in (("one", "1", "bulkhead"),
                                                 ("auto", "auto", "bulkhead"),
                                                 ("local", "auto", "bench/bulkhead-local")):
                    rates[name] = statistics.median(
                        self.pool_rate(kind, workers, keyholders, binary)
                        for _ in range(self.options.rounds))
                print(f"full handshakes a second, {kind}, {workers} workers: keyholders 1 "
                      f"{rates['one']:.0f}, auto {rates['auto']:.0f}; signing in the worker "
                      f"{rates['local']:.0f}", flush=True)
                self.results[f"pools {kind} {workers}"] = rates

    def pool_rate(self, kind, workers, keyholders, binary, clients=4):
        port, each = free_port(), 2000 if kind == "ecdsa" else 400
        server = self.bulkhead(
            f"access log off\nport {port} {{ listen on 127.0.0.1 workers {workers} "
            f'keyholders {keyholders} respond 200 "{GREETING}" }}\n', port, "pools", kind, binary)
        try:
            self.client("full", port, 50)
            start = time.monotonic()
            running = [subprocess.Popen([self.client_path(), "full", str(port), str(each)],
                                        stdout=subprocess.DEVNULL) for _ in range(clients)]
            for c in running:
                c.wait()
            return clients * each / (time.monotonic() - start)
        finally:
            server.stop()

    # --- a hundred ports -------------------------------------------------------------------

    def ports(self, count=100):
        """The time to start that many ports, and the memory of their processes."""
        first = free_port()
        numbers, port = [], first
        while len(numbers) < count:
            port = port + 1 if port < 60000 else 10000
            with contextlib.suppress(OSError), socket.socket() as s:
                s.bind(("127.0.0.1", port))
                numbers.append(port)
        text = "access log off\n" + "".join(
            f'port {p} {{ listen on 127.0.0.1 respond 200 "{GREETING}" }}\n' for p in numbers)
        start = time.monotonic()
        server = self.bulkhead(text, numbers[-1], "ports")
        log = os.path.join(self.folder, "ports.log")
        wait_for(lambda: "ports are served" in open(log).read(), "the start")
        seconds = time.monotonic() - start
        try:
            roles = {"master": [], "keyholder": [], "worker": []}
            for pid in server.pids():
                title = open(f"/proc/{pid}/cmdline", errors="replace").read()
                role = next(r for r in roles if r in title)
                with open(f"/proc/{pid}/smaps_rollup", errors="replace") as f:
                    roles[role] += [int(line.split()[1]) for line in f
                                    if line.startswith("Pss:")]
        finally:
            server.stop()
        print(f"{count} ports: served after {seconds:.2f} s; PSS master {roles['master'][0]} KB, "
              f"keyholder {statistics.median(roles['keyholder']):.0f} KB, worker "
              f"{statistics.median(roles['worker']):.0f} KB (medians)", flush=True)
        self.results["ports"] = {"seconds": seconds, "pss_kb": roles}

    # --- kill -9 ---------------------------------------------------------------------------

    def kill(self):
        port, other = free_port(), free_port()
        server = self.bulkhead(
            "access log off\n" + "".join(
                f'port {p} {{ listen on 127.0.0.1 respond 200 "{GREETING}" }}\n'
                for p in (port, other)), port, "kill")
        failed, served, stop = [0], [0], threading.Event()

        def load():
            while not stop.is_set():
                try:
                    served[0] += request(other) == 200
                except OSError:
                    failed[0] += 1

        thread = threading.Thread(target=load)
        times, refused = [], 0
        try:
            wait_for(lambda: answers(other), "the other port")
            thread.start()
            for _ in range(20):
                # The death of a worker that has lived for a second is not a quick one.
                time.sleep(1.2)
                victim = next(pid for pid in server.children()
                              if f"port {port} worker" in open(f"/proc/{pid}/cmdline", errors="replace").read())
                start = time.monotonic()
                os.kill(victim, signal.SIGKILL)
                while True:
                    try:
                        request(port)
                        break
                    except ConnectionRefusedError:
                        refused += 1
                    except OSError:
                        pass
                times.append((time.monotonic() - start) * 1000)
        finally:
            stop.set()
            if thread.is_alive():
                thread.join()
            server.stop()
        print(f"kill -9, 20 times: next 200 after {statistics.median(times):.1f} ms (median; "
              f"{max(times):.1f} at most), {refused} refused; on the other port {served[0]} "
              f"served, {failed[0]} failed", flush=True)
        self.results["kill"] = {"median_ms": statistics.median(times), "max_ms": max(times),
                                "refused": refused, "other_served": served[0],
                                "other_failed": failed[0]}

    # --- slow clients ----------------------------------------------------------------------

    def slow(self):
        port = free_port()
        server = self.bulkhead(
            f'access log off\nport {port} {{ listen on 127.0.0.1 limits {{ head-timeout 1h }} '
            f'respond 200 "{GREETING}" }}\n', port, "slow")

        def p99():
            times = []
            for _ in range(500):
                start = time.monotonic()
                request(port)
                times.append((time.monotonic() - start) * 1000)
            times.sort()
            return times[len(times) // 2], times[int(len(times) * 0.99)]

        clients, stop = [], threading.Event()

        def drip():
            while not stop.wait(1):
                for s in clients:
                    s.sendall(b"X")

        thread = threading.Thread(target=drip)
        try:
            quiet = p99()
            for _ in range(500):
                s = connect(port)
                s.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
                clients.append(s)
            thread.start()
            busy = p99()
        finally:
            stop.set()
            if thread.is_alive():
                thread.join()
            for s in clients:
                s.close()
            server.stop()
        print(f"500 slow-header clients: normal requests (new connection each) p50 "
              f"{busy[0]:.1f} ms, p99 {busy[1]:.1f} ms; without them p50 {quiet[0]:.1f} ms, p99 "
              f"{quiet[1]:.1f} ms", flush=True)
        self.results["slow"] = {"p50_ms": busy[0], "p99_ms": busy[1], "quiet_p50_ms": quiet[0],
                                "quiet_p99_ms": quiet[1]}

    # --- memory ----------------------------------------------------------------------------

    def memory(self):
        self.memory_of("memory")
        self.memory_of("memory, plain", plain=True)

    def memory_of(self, name, plain=False):
        count, port = 3000, free_port()
        server = self.bulkhead(
            f'access log off\nport {port} {{ listen on 127.0.0.1 limits {{ idle 1h }} '
            f'respond 200 "{GREETING}" }}\n', port, "memory", plain=plain)
        try:
            before = server.pss_kb()
            client = subprocess.Popen([self.client_path(), *["plain"] * plain, "idle", str(port), str(count)],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            if not client.stdout.readline():
                raise RuntimeError("the client could not open its connections")
            each = (server.pss_kb() - before) / count
            client.stdin.close()
            client.wait()
        finally:
            server.stop()
        print(f"memory per idle {'plain ' * plain}connection: {each:.2f} KB (PSS, {count} connections)",
              flush=True)
        self.results[name] = {"kb": each, "connections": count}

    # --- how a pool shares -----------------------------------------------------------------

    def spread(self):
        port, count = free_port(), 10000
        server = self.bulkhead(
            f'access log off\nport {port} {{ listen on 127.0.0.1 workers 4 '
            f'respond 200 "{GREETING}" }}\n', port, "spread")
        try:
            clients = [subprocess.Popen([self.client_path(), "full", str(port), str(count // 4)],
                                        stdout=subprocess.DEVNULL) for _ in range(4)]
            for c in clients:
                c.wait()
        finally:
            server.stop()
        with open(os.path.join(self.folder, "spread.log")) as f:
            shares = sorted(int(n) for n in re.findall(r"drained after \S+ and (\d+) req", f.read()))
        print(f"{count} connections over 4 workers: {shares}", flush=True)
        self.results["spread"] = {"connections": shares}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=[
        "cpu", "plain", "files", "cold", "instructions", "routes", "filters", "limits", "gateway", "compression", "sites", "separation", "pools", "ports", "kill", "slow", "memory",
        "spread"])
    parser.add_argument("--beside", metavar="PROGRAM", help="another bulkhead, for files, cold, instructions and filters")
    parser.add_argument("--json", help="write all figures there, too")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    with tempfile.TemporaryDirectory(prefix="bulkhead-bench-") as folder:
        bench = Bench(options, folder)
        for name in options.only:
            getattr(bench, name)()
    if options.json:
        with open(options.json, "w") as f:
            json.dump(bench.results, f, indent=1)


if __name__ == "__main__":
    sys.exit(main())
