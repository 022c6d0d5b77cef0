"""The server that a scenario runs against: started for it, or already running."""
import contextlib
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from .client import Target
from .log import Event, events_read
from .scenario import Port, Scenario

START_TIMEOUT = 60.0  # a build with sanitizers, on a busy machine
STOP_TIMEOUT = 30.0
SERVED = re.compile(r"\[MASTER\] (?:(?:all )?\d+ (?:of \d+ )?ports? (?:is|are) served.*)")


class ServerError(Exception):
    pass


def ports_free(count: int) -> list[int]:
    """Ports on which nothing listens, below the kernel's range for clients."""
    found: set[int] = set()
    while len(found) < count:
        number = random.randrange(10000, 32000)
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("", number))
            found.add(number)
    return sorted(found)


class RunningServer:
    """A server that the scenario names; only new records of its log are read."""

    def __init__(self, scenario: Scenario):
        self.scenario = scenario
        self.log_path = pathlib.Path(scenario.server.log) if scenario.server.log else None
        self.offset = 0
        self.version = ""

    def __enter__(self) -> "RunningServer":
        if self.log_path:
            try:
                self.offset = self.log_path.stat().st_size
            except OSError as error:
                raise ServerError(f"its log: {error}") from None
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def target(self, port: Port) -> Target:
        server = self.scenario.server
        return Target(port.host, port.number, server.name, server.ca, port.plain)

    def events(self) -> list[Event] | None:
        """None: unknown."""
        if not self.log_path:
            return None
        with open(self.log_path, "rb") as log:
            log.seek(self.offset)
            return events_read(log.read().decode(errors="replace"), utc=False)

    def processes(self, port: Port, role: str) -> list[int]:
        del port, role
        return []


class StartedServer:
    """A server that is started in a separate folder, with a certificate made for it."""

    def __init__(self, scenario: Scenario, binary: pathlib.Path, keep: pathlib.Path | None = None):
        self.scenario, self.binary, self.keep = scenario, binary, keep
        free = iter(ports_free(len(scenario.ports)))
        self.numbers = {port.name: port.number or next(free) for port in scenario.ports}
        self.folder = pathlib.Path()
        self.process: subprocess.Popen[bytes] | None = None  # once it is entered
        self.version = ""

    # --- starting and stopping -----------------------------------------------------------------

    def __enter__(self) -> "StartedServer":
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="bulkhead-isolation-"))
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.keep:
            shutil.copytree(self.folder, self.keep, dirs_exist_ok=True)
        shutil.rmtree(self.folder)

    def _start(self) -> None:
        env = {**os.environ, "TZ": "UTC", "STATE_DIRECTORY": str(self.folder)}
        env.pop("JOURNAL_STREAM", None)
        self._version_read(env)
        config = self.folder / "bulkhead.conf"
        config.write_text(self._configuration())
        for name, content in self.scenario.server.files.items():
            (self.folder / name).write_text(content)
            (self.folder / name).chmod(0o600)
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen([self.binary, "-f", config], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=env, cwd=self.folder,
                                            start_new_session=True)
        self._wait_served()

    def _version_read(self, env: dict[str, str]) -> None:
        try:
            version = subprocess.run([self.binary, "-V"], env=env, check=True, text=True,
                                     stdin=subprocess.DEVNULL, capture_output=True)
        except OSError as error:
            raise ServerError(f"{self.binary}: {error.strerror}") from None
        except subprocess.CalledProcessError as error:
            raise ServerError(f"{self.binary} -V: {error.stderr.strip()}") from None
        self.version = version.stdout.strip()

    def _configuration(self) -> str:
        """By default a server is quiet and on loopback."""
        conf = self.scenario.server.conf
        text = "".join(f'define port-{name} "{number}"\n' for name, number in self.numbers.items())
        text += conf.rstrip() + "\n"
        if not re.search(r"^\s*log to\b", conf, re.M):
            text += "log to console\n"
        if not re.search(r"^\s*access log\b", conf, re.M):
            text += "access log off\n"
        if not re.search(r"^\s*tls\b", conf, re.M):
            text += "tls development\n"
        for port in self.scenario.ports:
            body = "".join(f"\t{line}\n" for line in port.conf.strip().splitlines())
            if port.plain and not re.search(r"^\s*tls\s+off\b", port.conf, re.M):
                body = "\ttls off\n" + body
            text += f"port {self.numbers[port.name]} {{\n\tlisten on {port.host}\n{body}}}\n"
        return text

    def _wait_served(self) -> None:
        end = time.monotonic() + START_TIMEOUT
        while not SERVED.search(self.log()):
            if not self.process or self.process.poll() is not None:
                raise ServerError(f"the server did not start:\n{self.log().rstrip()}")
            if time.monotonic() > end:
                raise ServerError(f"the server is not ready after {START_TIMEOUT:g} s:\n"
                                  f"{self.log().rstrip()}")
            time.sleep(0.02)

    # --- questions about it -----------------------------------------------------------

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def events(self) -> list[Event]:
        return events_read(self.log(), utc=True)

    def target(self, port: Port) -> Target:
        own = re.search(r"^\s*tls\b", f"{self.scenario.server.conf}\n{port.conf}", re.M)
        ca = "" if own else str(self.folder / "cert.pem")
        return Target(port.host, self.numbers[port.name], "localhost", ca, port.plain)

    def processes(self, port: Port, role: str) -> list[int]:
        """The port's present processes of that role, by number."""
        title = re.compile(rf"bulkhead: port {self.numbers[port.name]} {role} (\d+)")
        found = {}
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError, IndexError):
                parent = (entry / "stat").read_text(errors="replace").rsplit(")", 1)[1].split()[1]
                match = title.match((entry / "cmdline").read_bytes().decode(errors="replace"))
                if match and self.process and int(parent) == self.process.pid:
                    found[int(match[1])] = int(entry.name)
        return [pid for _, pid in sorted(found.items())]

    def send(self, pid: int, name: str) -> None:
        """Sends a signal to one of its processes; ignores one that has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.Signals[f"SIG{name}"])


def server_for(scenario: Scenario, binary: pathlib.Path,
               keep: pathlib.Path | None) -> StartedServer | RunningServer:
    if scenario.server.start:
        return StartedServer(scenario, binary, keep)
    return RunningServer(scenario)
