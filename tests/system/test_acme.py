"""Certificates by ACME (RFC 8555): certbot and uacme get one and renew it while the server runs. Pebble,
the test server of Let's Encrypt, looks for the challenges on a plain port, as a real one does on port 80."""
import contextlib
import hashlib
import http.client
import json
import os
import re
import shlex
import socket
import ssl
import subprocess
import threading

import pytest

from harness import BINARY, TIMEOUT, TOP, client_context, free_ports, have, need_root, wait_for

CTL = BINARY.parent / "bulkheadctl"
HOST = "shop.example"
BODY = b"the shop is open\n"

pytestmark = [pytest.mark.any_build, pytest.mark.skipif(not have("pebble"), reason="needs pebble")]

MANUAL = (TOP / "src/bulkhead.8").read_text().split(".Ss Certificates by ACME\n")[1].split("\n.Ss ")[0]
CONFIGURATION, *COMMANDS = re.findall(r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed$", MANUAL, re.M | re.S)


def of_the_manual(text, *places):
    """That part of the page, with each (place in the page, place here)."""
    found = [part for part in (CONFIGURATION, *(line for c in COMMANDS for line in c.splitlines())) if text in part]
    assert len(found) == 1, (text, found)
    here = {there: str(here) for there, here in places}
    assert all(there in found[0] for there in here), (here, found[0])
    # In one go: a port that is put in may have another place's number in it, as 10443 has.
    return re.sub("|".join(map(re.escape, here)), lambda m: here[m[0]], found[0]) if here else found[0]


class Authority:
    """Pebble, and a DNS server for which every name is on this machine."""

    def __init__(self, folder, certificates, challenge_port):
        self.folder, self.processes = folder, []
        self.port, self.management, dns, unused = free_ports(4)
        self.own, key = certificates()
        config = {"listenAddress": f"127.0.0.1:{self.port}",
                  "managementListenAddress": f"127.0.0.1:{self.management}",
                  "certificate": str(self.own), "privateKey": str(key),
                  "httpPort": challenge_port, "tlsPort": 1}
        (folder / "pebble.json").write_text(json.dumps({"pebble": config}))
        try:
            self._start("pebble-challtestsrv", "-defaultIPv6", "", "-dns01", f"127.0.0.1:{dns}", "-http01", "",
                        "-https01", "", "-tlsalpn01", "", "-management", f"127.0.0.1:{unused}")
            self._start("pebble", "-config", "pebble.json", "-dnsserver", f"127.0.0.1:{dns}")
            wait_for(lambda: self._listens(unused) and self._listens(self.port), "pebble's start")
        except BaseException:
            self.close()
            raise
        self.url = f"https://localhost:{self.port}/dir"

    def _start(self, program, *args):
        # It checks a challenge at once, never says that it knows the host from the time before, and
        # refuses no nonce that is good: clients try only once more.
        env = {**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_AUTHZREUSE": "0",
               "PEBBLE_WFE_NONCEREJECT": "0", "GOMAXPROCS": "1"}
        with open(self.folder / f"{program}.log", "wb") as log:
            self.processes.append(subprocess.Popen([program, *args], cwd=self.folder, env=env, stdout=log,
                                                   stderr=log, stdin=subprocess.DEVNULL))

    def _listens(self, port):
        assert all(p.poll() is None for p in self.processes), self.log()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT):
            return True
        return False

    def root(self):
        """The certificate of the authority that issues, for clients of the shop."""
        c = http.client.HTTPSConnection("127.0.0.1", self.management, context=client_context(), timeout=TIMEOUT)
        with contextlib.closing(c):
            c.request("GET", "/roots/0")
            return c.getresponse().read().decode()

    def log(self):
        return "".join(path.read_text() for path in self.folder.glob("*.log"))

    def close(self):
        for process in self.processes:
            process.terminate()
            process.wait()


class Certbot:
    """As for the service, whose deploy hook copies the files."""

    def __init__(self, folder, authority, ctl):
        self.folder, self.authority = folder, authority
        self.certificate, self.key = folder / "fullchain.pem", folder / "privkey.pem"
        self.hook = shlex.split(of_the_manual("--deploy-hook 'install", ("/etc/bulkhead", folder), ("bulkheadctl", ctl),
                                              ("-g bulkhead-master", f"-g {os.getegid()}")))

    def _run(self, *args):
        places = [f"--{name}-dir={self.folder / 'letsencrypt'}" for name in ("config", "work", "logs")]
        run(["certbot", *args, *places, "--non-interactive"], REQUESTS_CA_BUNDLE=self.authority.own)

    def get(self):
        line = of_the_manual("certbot certonly", ("/var/lib/acme", self.folder / "acme"),
                             (" --deploy-hook 'bulkheadctl reload'", ""))
        self._run(*line.split()[2:], *self.hook, "--server", self.authority.url, "--agree-tos",
                  "--register-unsafely-without-email")

    def renew(self):
        self._run("renew", "--force-renewal", "--no-random-sleep-on-renew")


class Uacme:
    """With the hook that comes with it, which writes into the folder itself."""

    def __init__(self, folder, authority, ctl):
        self.folder, self.authority, self.ctl = folder, authority, ctl
        self.certificate = folder / f"uacme/{HOST}/cert.pem"
        self.key = folder / f"uacme/private/{HOST}/key.pem"

    def _run(self, line, *more):
        # It trusts those whom the system trusts, so in a mount namespace of its own that is pebble.
        argv = " ".join(map(str, ("uacme", "-a", self.authority.url, "-c", self.folder / "uacme", *more)))
        line = line.removeprefix("# ").replace("uacme -", argv + " -", 1)
        run(["unshare", "-m", "--propagation", "private", "sh", "-c",
             f'mount -t tmpfs none /etc/ssl/certs && cp "$0" /etc/ssl/certs/ca-certificates.crt && {line}',
             self.authority.own])

    def _issue(self, *more):
        self._run(of_the_manual("UACME_CHALLENGE", ("/var/lib/acme", self.folder / "acme"), ("bulkheadctl", self.ctl)),
                  *more)

    def get(self):
        self._run(of_the_manual("uacme -y new"))
        self._issue()

    def renew(self):
        self._issue("-f")


def run(argv, **env):
    result = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=4 * TIMEOUT,
                            stdin=subprocess.DEVNULL, env={**os.environ, **{k: str(v) for k, v in env.items()}})
    assert result.returncode == 0, result.stdout + result.stderr


class Customers:
    """Threads that go on asking: over connections that are kept, over new ones, and over the plain port.

    A request on a connection that was used before is repeated on a new one, as clients do, if
    the connection ends without a byte of an answer (RFC 9110, 9.2.2). Everything else that is not
    the answer is a loss."""

    def __init__(self, plain, tls, context):
        self.plain, self.tls, self.context = plain, tls, context
        self.stopped, self.losses = threading.Event(), []
        self.served = {self._kept: [], self._new: [], self._redirected: []}
        self.threads = [threading.Thread(target=self._ask, args=(how,)) for how in self.served]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.wait_served()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def wait_served(self):
        """Waits until every one has had two more answers, so at least one to a request sent from now on."""
        before = {how: len(answers) for how, answers in self.served.items()}
        wait_for(lambda: self.losses or all(len(self.served[how]) >= n + 2 for how, n in before.items()),
                 "more answers")
        assert self.losses == []

    def shown(self, how):
        """The certificates that these clients were shown, by their sum, in this order, each once."""
        return list(dict.fromkeys(self.served[getattr(self, how)]))

    def _ask(self, how):
        try:
            while not self.stopped.is_set():
                how(self.served[how])
        except (OSError, http.client.HTTPException, AssertionError) as e:
            self.losses.append(f"{how.__name__}: {e!r}")

    def _connect(self):
        raw = socket.create_connection(("127.0.0.1", self.tls), timeout=TIMEOUT)
        c = http.client.HTTPConnection(HOST, self.tls)
        c.sock = self.context.wrap_socket(raw, server_hostname=HOST)
        return c

    def _get(self, c):
        c.request("GET", "/")
        answer = c.getresponse()
        assert (answer.status, answer.read()) == (200, BODY)

    def _new(self, answers):
        with contextlib.closing(self._connect()) as c:
            shown = hashlib.sha256(c.sock.getpeercert(binary_form=True)).hexdigest()
            self._get(c)
            answers.append(shown)

    def _kept(self, answers):
        with contextlib.closing(self._connect()) as c:
            shown = hashlib.sha256(c.sock.getpeercert(binary_form=True)).hexdigest()
            self._get(c)
            answers.append(shown)
            with contextlib.suppress(http.client.RemoteDisconnected, ConnectionError):
                while c.sock is not None and not self.stopped.is_set():
                    self._get(c)
                    answers.append(shown)

    def _redirected(self, answers):
        c = http.client.HTTPConnection("127.0.0.1", self.plain, timeout=TIMEOUT)
        with contextlib.closing(c):
            c.request("GET", "/basket?item=1", headers={"Host": HOST})
            answer = c.getresponse()
            answer.read()
            assert answer.status == 308, answer.status
            assert answer.headers["Location"] == f"https://{HOST}:{self.tls}/basket?item=1"
            answers.append(answer.status)


@pytest.mark.parametrize("client", [Certbot, Uacme])
def test_a_certificate_is_renewed_while_clients_go_on_asking(server, certificates, ports, tmp_path, open_folder,
                                                             client):
    """The port with TLS is parked until there is a certificate; the deploy hook starts it, and
    later brings in each new one. The port of the challenges is not touched."""
    if client is Uacme:
        need_root("uacme", "unshare")
    elif not have("certbot"):
        pytest.skip("needs certbot")
    plain, tls = ports[:2]
    authority = Authority(tmp_path, certificates, plain)
    try:
        control = tmp_path / "control"
        acme = client(open_folder, authority, f"{CTL} -s {control}")
        run(["sh", "-c", of_the_manual("mkdir", ("# ", ""), ("/var/lib/acme", open_folder / "acme"))])
        (open_folder / "shop").mkdir()
        (open_folder / "shop/index.html").write_bytes(BODY)
        s = server(f'control "{control}"\n' + of_the_manual(
            "port 443", ("80", plain), ("443", tls), ("/var/lib/acme", open_folder / "acme"), ("https://${host}",
            f"https://${{host}}:{tls}"), ("/srv/shop", open_folder / "shop"),
            (f"/etc/letsencrypt/live/{HOST}/fullchain.pem", acme.certificate),
            (f"/etc/letsencrypt/live/{HOST}/privkey.pem", acme.key)))
        s.wait_log(rf"\[PORT {tls}\] PARKED .*cannot be read: No such file")
        workers = s.workers(plain)
        acme.get()
        s.wait_ready(tls, "worker", 1)
        context = ssl.create_default_context(cadata=authority.root())
        with Customers(plain, tls, context) as customers:
            acme.renew()
            # The hook has ended, and with it the reload: from now on, new connections have the new one.
            count = len(customers.served[customers._new])
            customers.wait_served()
            assert len(set(customers.served[customers._new][count + 1:])) == 1
            wait_for(lambda: customers.losses or len(customers.shown("_kept")) == 2, "a new connection")
        assert customers.losses == []
        assert len(customers.shown("_new")) == 2, "the old certificate, then the new one"
        assert customers.shown("_new") == customers.shown("_kept")
        assert s.workers(plain) == workers
        assert len(challenges(s, plain)) >= 2
        assert list((open_folder / "acme/.well-known/acme-challenge").iterdir()) == []
    finally:
        authority.close()


def challenges(s, port):
    """The challenges that pebble has fetched, each once."""
    return {line.split('"GET ')[1].split()[0] for line in s.log().splitlines()
            if f"[PORT {port}]" in line and "/acme-challenge/" in line and '" 200 ' in line}
