"""The gateway beside nginx and HAProxy, each in front of the same upstream, which is kept alive."""
import os
import shutil
import socket
import statistics
import subprocess
import threading
import time

GIGABYTE = 1 << 30


def quantile(values, part):
    values = sorted(values)
    return values[min(int(len(values) * part), len(values) - 1)]


class Gateway:
    """With a Bench: its servers, its folder and its report."""

    def __init__(self, bench, server, free_port, wait_for):
        self.bench, self.server, self.free_port, self.wait_for = bench, server, free_port, wait_for
        self.folder = bench.folder

    # --- the upstreams ---------------------------------------------------------------------

    def web(self, port, name="upstream"):
        """nginx with a small answer, and a file of 100 MB."""
        self.bench.site()
        return self.bench.nginx(port, plain=True, name=name,
                                location=f'default_type text/plain; return 200 "Hello, world!\\n"; }}\n'
                                         f'location /files/ {{ alias {self.folder}/site/;',
                                more="sendfile on; tcp_nopush on;")

    def service(self, port):
        """Takes uploads, and sends back what comes through a tunnel."""
        process = subprocess.Popen([os.path.join(self.bench.build, "bench", "service"), str(port)],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process.stdout.readline()
        return process

    # --- the proxies -----------------------------------------------------------------------

    def bulkhead(self, port, web, service, options="", plain=False, name="bulkhead"):
        return self.bench.bulkhead(f"""
access log off
limits {{ requests 100000000  body 4G }}
port {port} {{ listen on 127.0.0.1
  upstream "web" {{ to {" ".join(f'"http://127.0.0.1:{p}"' for p in web)} {options} }}
  upstream "service" {{ to "http://127.0.0.1:{service}" }}
  location "/" {{ proxy to "web" }}
  location "/service" {{ proxy to "service" }}
}}
""", port, name, plain=plain)

    def nginx(self, port, web, service, plain=False, name="nginx", kept=True):
        """As its manual says to keep connections to upstreams; no body is buffered in files."""
        keep = "keepalive 32; keepalive_requests 100000000;" if kept else ""
        fields = ('proxy_http_version 1.1; proxy_set_header Connection ""; '
                  'proxy_set_header Host $host; proxy_max_temp_file_size 0; proxy_request_buffering off; '
                  'proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; '
                  'proxy_set_header X-Forwarded-Proto $scheme;')
        servers = " ".join(f"server 127.0.0.1:{p};" for p in web)
        return self.bench.nginx(
            port, plain=plain, name=name,
            more=f"client_max_body_size 0; upstream web {{ {servers} {keep} }} "
                 f"upstream service {{ server 127.0.0.1:{service}; {keep} }}",
            location=f"proxy_pass http://web; {fields} }}\n"
                     f"location /service {{ proxy_pass http://service; {fields} "
                     f"proxy_set_header Connection $http_connection; proxy_set_header Upgrade $http_upgrade;")

    def haproxy(self, port, web, service, plain=False, name="haproxy"):
        pair = os.path.join(self.folder, "haproxy.pem")
        with open(pair, "wb") as f:
            for part in self.bench.pair("ecdsa"):
                f.write(open(part, "rb").read())
        servers = "\n".join(f"  server w{i} 127.0.0.1:{p}" for i, p in enumerate(web))
        path = os.path.join(self.folder, f"{name}.cfg")
        with open(path, "w") as f:
            f.write(f"""
global
  nbthread 1
  maxconn 4096
  ssl-default-bind-curves X25519:P-256
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout tunnel 600s
  option http-keep-alive
  http-reuse always
frontend in
  bind 127.0.0.1:{port} {"" if plain else f"ssl crt {pair} alpn http/1.1"}
  option forwardfor
  http-request set-header X-Forwarded-Proto {"http" if plain else "https"}
  use_backend service if {{ path_beg /service }}
  default_backend web
backend web
{servers}
backend service
  server s 127.0.0.1:{service}
""")
        return self.server(name, ["haproxy", "-db", "-f", path], port,
                           os.path.join(self.folder, f"{name}.log"), plain)

    def proxies(self, web, service, plain=False):
        found = [self.bulkhead(self.free_port(), web, service, plain=plain)]
        if shutil.which("nginx"):
            found.append(self.nginx(self.free_port(), web, service, plain))
        if shutil.which("haproxy"):
            found.append(self.haproxy(self.free_port(), web, service, plain))
        return found

    # --- figures ---------------------------------------------------------------------------

    def run(self):
        web, service = self.free_port(), self.free_port()
        upstream, echo = self.web(web), self.service(service)
        try:
            for plain in False, True:
                self.cpu(web, service, plain)
            self.connections(web, service)
            self.latency(web, service)
            self.memory(web, service)
            self.lost(service)
        finally:
            upstream.stop()
            echo.stdin.close()
            echo.wait()

    def cpu(self, web, service, plain):
        over = "" if plain else ", TLS"
        how = ["plain"] * plain
        client = self.bench.client

        def megabytes(answer):
            return {"count": answer["bytes"] / 1e9}

        kinds = {
            f"proxied request{over}": lambda p: client(*how, "keepalive", p, 8, 20000),
            f"proxied WebSocket message{over}": lambda p: client(*how, "tunnel", p, 8, 20000, "/service"),
            f"GB down through the proxy{over}":
                lambda p: megabytes(client(*how, "keepalive", p, 1, 5, "/files/100m.bin")),
            f"GB up through the proxy{over}":
                lambda p: megabytes(client(*how, "upload", p, 5, 100000000, "/service")),
        }
        servers = self.proxies([web], service, plain)
        names = [s.name for s in servers]
        figures = self.bench.compare(servers, kinds)
        for kind in kinds:
            for name in names[1:] or names:
                self.bench.tell(kind, figures, "bulkhead", name)

    def connections(self, web, service):
        """What a new connection to an upstream costs: by the connector, and by nginx itself."""
        kinds = {"proxied request, each on a new upstream connection":
                 lambda p: self.bench.client("plain", "keepalive", p, 8, 10000),
                 "proxied request": lambda p: self.bench.client("plain", "keepalive", p, 8, 10000)}
        servers = [self.bulkhead(self.free_port(), [web], service, "keep off", plain=True, name="bulkhead-new"),
                   self.bulkhead(self.free_port(), [web], service, plain=True, name="bulkhead-kept")]
        if shutil.which("nginx"):
            servers += [self.nginx(self.free_port(), [web], service, plain=True, name="nginx-new", kept=False),
                        self.nginx(self.free_port(), [web], service, plain=True, name="nginx-kept")]
        figures = self.bench.compare(servers, kinds)
        kind, kept = list(kinds)
        for ours in ["bulkhead", "nginx"][:len(servers) // 2]:
            more = [a - b for a, b in zip(figures[f"{ours}-new", kind], figures[f"{ours}-kept", kept])]
            print(f"CPU per new upstream connection: {ours} {statistics.median(more):.1f} us "
                  f"(least {min(more):.1f}), all its processes", flush=True)
            self.bench.results[f"new upstream connection, {ours}"] = {"us": statistics.median(more),
                                                                      "least_us": min(more)}

    def latency(self, web, service, count=4000):
        """What a proxy adds at half the rate that one connection can have, TLS; the upstream alone for
        comparison is plain."""
        servers = self.proxies([web], service)
        direct = self.bench.client("plain", "keepalive", web, 1, count)
        took = {s.name: [] for s in servers}
        took["upstream alone"] = []
        try:
            slowest = max(self.bench.client("keepalive", s.port, 1, count)["seconds"] for s in servers)
            rate = int(count / slowest / 2)
            for index in range(self.bench.options.rounds):
                for s in servers if index % 2 else servers[::-1]:
                    took[s.name].append(self.bench.client("paced", s.port, count, rate))
                took["upstream alone"].append(self.bench.client("plain", "paced", web, count, rate))
        finally:
            for s in servers:
                s.stop()
        print(f"latency at {rate} requests a second on one connection ({count / direct['seconds']:.0f} are "
              f"possible to the upstream alone):", flush=True)
        for name, runs in took.items():
            p50, p99 = (statistics.median(r[q] for r in runs) for q in ("p50_us", "p99_us"))
            least = min(r["p99_us"] for r in runs)
            print(f"  {name}: p50 {p50:.0f} us, p99 {p99:.0f} us (least {least:.0f})", flush=True)
            self.bench.results[f"proxy latency, {name}"] = {"rate": rate, "p50_us": p50, "p99_us": p99,
                                                            "p99_least_us": least}

    # --- bodies of a gigabyte --------------------------------------------------------------

    def memory(self, web, service):
        """The time to the first byte of 1 GB in both directions, and the memory of the proxy meanwhile."""
        path = os.path.join(self.folder, "site", "1g.bin")
        with open(path, "wb") as f:
            f.truncate(GIGABYTE)
        for s in self.proxies([web], service, plain=True):
            try:
                down = self.transfer(s, f"GET /files/1g.bin HTTP/1.1\r\nHost: localhost\r\n\r\n", 0)
                up = self.transfer(s, "POST /service HTTP/1.1\r\nHost: localhost\r\n"
                                      f"Content-Length: {GIGABYTE}\r\n\r\n", GIGABYTE)
            finally:
                s.stop()
            for word, (first, more) in (("download", down), ("upload", up)):
                print(f"1 GB {word} through {s.name}: first byte after {first * 1000:.1f} ms, "
                      f"{more:+d} KB (PSS, the most in it)", flush=True)
                self.bench.results[f"1 GB {word}, {s.name}"] = {"first_ms": first * 1000, "more_kb": more}

    @staticmethod
    def transfer(server, head, upload):
        """Until the first byte: of the answer, or, of an upload, that the proxy has taken."""
        before, most, stop = server.pss_kb(), [0], threading.Event()

        def watch():
            while not stop.wait(0.05):
                most[0] = max(most[0], server.pss_kb())

        thread = threading.Thread(target=watch)
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as s:
            thread.start()
            try:
                begun = time.monotonic()
                s.sendall(head.encode())
                block = bytes(1 << 20)
                if upload:
                    s.sendall(block)
                    first = time.monotonic() - begun
                    for _ in range(upload // len(block) - 1):
                        s.sendall(block)
                data = s.recv(65536)
                if not upload:
                    first = time.monotonic() - begun
                assert data.startswith(b"HTTP/1.1 200 "), data[:200]
                got = len(data) - data.index(b"\r\n\r\n") - 4
                while not upload and got < GIGABYTE:
                    data = s.recv(1 << 20)
                    assert data, "the download was cut"
                    got += len(data)
            finally:
                stop.set()
                thread.join()
        return first, most[0] - before

    # --- one of two upstreams dies ---------------------------------------------------------

    def lost(self, service, seconds=10):
        """Requests that fail while one of two upstreams is killed and started again."""
        for name in "bulkhead", "nginx", "haproxy":
            if name != "bulkhead" and not shutil.which(name):
                continue
            ports = self.free_port(), self.free_port()
            upstreams = [self.web(p, f"web-{p}") for p in ports]
            try:
                proxy = getattr(self, name)(self.free_port(), ports, service, plain=True)
                try:
                    self.lost_of(name, proxy, ports, upstreams, seconds)
                finally:
                    proxy.stop()
            finally:
                for u in upstreams:
                    u.stop()

    def lost_of(self, name, proxy, ports, upstreams, seconds):
        served, failed, stop = [0], [], threading.Event()

        def load():
            s = None
            while not stop.is_set():
                try:
                    if s is None:
                        s = socket.create_connection(("127.0.0.1", proxy.port), timeout=10)
                    s.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    data = b""
                    while not data.endswith(b"Hello, world!\n"):
                        more = s.recv(4096)
                        if not more or b" 50" in (data + more)[:20]:
                            raise ConnectionError((data + more)[:12])
                        data += more
                    served[0] += 1
                except OSError as e:
                    failed.append(str(e))
                    if s is not None:
                        s.close()
                    s = None

        threads = [threading.Thread(target=load) for _ in range(4)]
        for t in threads:
            t.start()
        end, kills = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            victim = kills % 2
            for pid in upstreams[victim].children() + [upstreams[victim].process.pid]:
                os.kill(pid, 9)
            upstreams[victim].process.wait()
            upstreams[victim].log.close()
            kills += 1
            time.sleep(0.5)
            upstreams[victim] = self.web(ports[victim], f"web-{ports[victim]}")
            time.sleep(0.5)
        stop.set()
        for t in threads:
            t.join()
        print(f"one of two upstreams killed {kills} times, {name}: {served[0]} GET served, "
              f"{len(failed)} failed", flush=True)
        self.bench.results[f"upstream killed, {name}"] = {"kills": kills, "served": served[0],
                                                          "failed": len(failed)}
