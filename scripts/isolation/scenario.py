"""A scenario: ports, the load on them, faults and expectations."""
import dataclasses
import math
import pathlib
import random
import re
import signal
import tomllib

from .expect import Expectation, expectations_read
from .table import Table, suggestion, written

CONNECTIONS = ("keep-alive", "new")
FLOODS = ("handshakes", "requests")
ROLES = ("worker", "keyholder", "connector")
RESERVED = ("hit", "others", "all")
FIELD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\t -~]*")


class ScenarioError(Exception):
    """Its argument is a list of sentences, each with its place."""


@dataclasses.dataclass(frozen=True)
class Load:
    clients: int
    rate: float  # requests a second, of all clients together; 0: as many as possible
    connection: str
    path: str
    timeout: float


@dataclasses.dataclass(frozen=True)
class Port:
    name: str
    host: str
    number: int  # 0: a free one
    plain: bool  # without TLS
    conf: str
    load: Load


@dataclasses.dataclass(frozen=True)
class Fault:
    """One [[fault]]: a request, a signal or a flood, at one or several times."""
    port: str
    label: str
    times: tuple[float, ...]
    request: str = ""
    timeout: float = 2.0
    signal: str = ""
    role: str = "worker"
    every_process: bool = False
    flood: str = ""
    clients: int = 0
    rate: float = 0.0
    lasts: float = 0.0
    connection: str = ""  # of a flood of requests, and so are these
    path: str = ""
    fields: tuple[str, ...] = ()
    addresses: int = 0  # 0: that of the other clients


@dataclasses.dataclass(frozen=True)
class Server:
    start: bool
    conf: str
    log: str  # of a running server; "": unknown
    ca: str
    name: str
    files: dict[str, str]  # of a server that is started: their names, and their content


@dataclasses.dataclass(frozen=True)
class Scenario:
    file: str
    title: str
    about: str
    duration: float
    bucket: float
    seed: int
    server: Server
    ports: tuple[Port, ...]
    faults: tuple[Fault, ...]
    expectations: tuple[Expectation, ...]

    @property
    def hit(self) -> list[str]:
        """The names of the ports that have faults."""
        return [p.name for p in self.ports if any(f.port == p.name for f in self.faults)]


def scenario_read(path: pathlib.Path, seed: int | None = None) -> Scenario:
    """Raises ScenarioError with everything that is wrong; OSError if it cannot be read."""
    try:
        data = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ScenarioError([str(error)]) from None
    problems: list[str] = []
    scenario = scenario_of(path.name, Table("", data, problems), seed)
    if problems:
        raise ScenarioError(problems)
    return scenario


def scenario_of(name: str, top: Table, seed: int | None) -> Scenario:
    duration = top.time("duration", at_least=1.0)
    if top.problems:
        duration = math.inf  # any time is early enough for it
    bucket = top.time("bucket", "500ms", at_least=0.1)
    given_seed = top.number("seed", 0, 2**32 - 1, 1)
    seed = given_seed if seed is None else seed
    server = server_of(top.table("server"))
    ports = ports_of(top.table("port"), server)
    faults = faults_of(top.tables("fault"), ports, server, duration, seed)
    logged = server.start or server.log != ""
    names = [port.name for port in ports]
    scenario = Scenario(
        file=name, title=top.text("title", name.removesuffix(".toml")),
        about=" ".join(top.text("about", "").split()), duration=duration, bucket=bucket, seed=seed,
        server=server, ports=ports, faults=faults,
        expectations=(*expectations_read(top.table("expect"), names, True, logged),
                      *expectations_read(top.table("report"), names, False, logged)))
    top.done()
    return scenario


def server_of(table: Table) -> Server:
    server = Server(start=table.flag("start", True), conf=table.text("conf", ""),
                    log=table.text("log", ""), ca=table.text("ca", ""),
                    name=table.text("name", "localhost"), files=files_of(table.table("files")))
    for key in ("log", "ca", "name") if server.start else ("conf", "files"):
        if key in table.data:
            state = "starts" if server.start else "does not start"
            table.problem(key, f"has no meaning for a server that the scenario {state}")
    table.done()
    return server


def files_of(table: Table) -> dict[str, str]:
    for name in table.data:
        if "/" in name or name.startswith("."):
            table.problem(name, "is the name of a file in the server's folder, without slashes")
    return {name: table.text(name) for name in table.data}


def ports_of(table: Table, server: Server) -> tuple[Port, ...]:
    ports = []
    for name in table.data:
        port = table.table(name)
        if name in RESERVED:
            table.problem(name, f"is not free for a port; {', '.join(RESERVED)} are groups of them")
        ports.append(port_of(name, port, server))
    if not table.data:
        table.problem("", "there is none; write one as [port.NAME]")
    return tuple(ports)


def is_plain(server: str, port: str) -> bool:
    """Does the configuration of the port, or else that of the server, say `tls off`?"""
    for conf in (port, server):
        if tls := re.search(r"^\s*tls\b\s*(\w*)", conf, re.M):
            return tls[1] == "off"
    return False


def port_of(name: str, table: Table, server: Server) -> Port:
    if server.start:
        default, number = 'respond 200 "Hello, world!\\n"', table.number("port", 1, 65535, 0)
    else:
        default, number = "", table.number("port", 1, 65535)
    port = Port(name=name, host=table.text("host", "127.0.0.1"), number=number,
                plain=table.flag("plain", is_plain(server.conf, str(table.data.get("conf", "")))),
                conf=table.text("conf", default), load=load_of(table.table("load")))
    if not server.start and "conf" in table.data:
        table.problem("conf", "has no meaning for a server that the scenario does not start")
    table.done()
    return port


def load_of(table: Table) -> Load:
    load = Load(clients=table.number("clients", 0, 256, 3), rate=rate_of(table, 60),
                connection=table.choice("connection", CONNECTIONS, "keep-alive"),
                path=path_of(table, "path", "/"), timeout=table.time("timeout", "2s", 0.01))
    table.done()
    return load


def rate_of(table: Table, default: int) -> float:
    """A number a second, or "max"."""
    if table.has("rate") and table.data["rate"] == "max":
        return 0.0
    if isinstance(table.data.get("rate"), str):
        table.problem("rate", 'is a whole number, 1 to 100000, or "max"')
        return 0.0
    return float(table.number("rate", 1, 100000, default))


def path_of(table: Table, key: str, default: str | None) -> str:
    path = table.text(key, default, "a path with its query")
    if path and (not path.startswith("/") or not path.isascii() or " " in path):
        table.problem(key, f"is a path that begins with a slash, in ASCII and without blanks, "
                           f"not {written(path)}")
    return path


# --- faults ------------------------------------------------------------------------------------


def faults_of(tables: list[Table], ports: tuple[Port, ...], server: Server, duration: float,
              seed: int) -> tuple[Fault, ...]:
    faults = []
    for n, table in enumerate(tables):
        name = table.text("port", None, "the name of a port")
        names = [port.name for port in ports]
        if name and name not in names:
            table.problem("port", f"there is no port {written(name)}{suggestion(name, names)}")
        # Each has its own generator, so that one more fault does not move the others.
        times = times_of(table, duration, random.Random(f"{seed}/{n}"))
        faults.append(fault_of(table, name, times, server, ports, duration))
        table.done()
    return tuple(faults)


def fault_of(table: Table, port: str, times: tuple[float, ...], server: Server,
             ports: tuple[Port, ...], duration: float) -> Fault:
    kinds = [kind for kind in ("request", "signal", "flood") if table.has(kind)]
    if len(kinds) != 1:
        table.problem("", "has exactly one of request, signal and flood")
        return Fault(port, "", times)
    makers = {"request": request_of, "signal": signal_of, "flood": flood_of}
    fault = makers[kinds[0]](table, port, times)
    if fault.flood == "handshakes" and any(p.plain for p in ports if p.name == port):
        table.problem("flood", "needs a port with TLS, and this one is plain")
    if fault.addresses and not all(p.host.startswith("127.") for p in ports if p.name == port):
        table.problem("addresses", "needs a port at a host such as 127.0.0.1")
    if fault.signal and fault.role == "keyholder" and any(p.plain for p in ports if p.name == port):
        table.problem("to", "needs a port with TLS: a plain one has no keyholder")
    if fault.signal and not server.start:
        table.problem("signal", "needs a server that the scenario starts")
    if times and times[-1] + fault.lasts >= duration:
        table.problem("at", f"its last one does not end within the scenario, which takes {duration:g}s")
    return dataclasses.replace(fault, label=table.text("label", fault.label))


def request_of(table: Table, port: str, times: tuple[float, ...]) -> Fault:
    path = path_of(table, "request", None)
    return Fault(port, path.removeprefix("/fault/"), times, request=path,
                 timeout=table.time("timeout", "2s", 0.01))


def signal_of(table: Table, port: str, times: tuple[float, ...]) -> Fault:
    name = table.text("signal")
    known = [s.name.removeprefix("SIG") for s in signal.valid_signals()
             if isinstance(s, signal.Signals)]
    if name not in known:
        table.problem("signal", f"is the name of a signal such as KILL, not {written(name)}"
                                f"{suggestion(name.removeprefix('SIG'), known)}")
    role = table.choice("to", ROLES, "worker")
    return Fault(port, f"SIG{name} to a {role}", times, signal=name, role=role,
                 every_process=table.flag("all", False))


def flood_of(table: Table, port: str, times: tuple[float, ...]) -> Fault:
    flood = table.choice("flood", FLOODS, "handshakes")
    fault = Fault(port, f"flood of {flood}", times, flood=flood,
                  clients=table.number("clients", 1, 256, 8), rate=rate_of(table, 200),
                  lasts=table.time("for", at_least=0.1), timeout=table.time("timeout", "5s", 0.01),
                  addresses=table.number("addresses", 0, 1000000, 0))
    if flood == "handshakes":
        return fault
    return dataclasses.replace(fault, path=path_of(table, "path", "/"), fields=fields_of(table),
                               connection=table.choice("connection", CONNECTIONS, "keep-alive"))


def fields_of(table: Table) -> tuple[str, ...]:
    """Lines of a request's head."""
    what = 'an array of strings such as "Accept: text/html"'
    fields = table.value("fields", list, what, [])
    for n, field in enumerate(fields, 1):
        if not isinstance(field, str) or not FIELD.fullmatch(field):
            table.problem(f"fields[{n}]", f'is a string such as "Accept: text/html", not {written(field)}')
    return tuple(map(str, fields))


def times_of(table: Table, duration: float, draw: random.Random) -> tuple[float, ...]:
    """When it happens; drawn times after the end are left out."""
    at = table.time("at")
    if not table.has("every"):
        for key in ("count", "random"):
            if table.has(key):
                table.problem(key, "needs every")
        return (at,)
    every = table.time("every", at_least=0.01)
    count = table.number("count", 1, 10000)
    if not table.flag("random", False):
        return tuple(at + n * every for n in range(count))
    times = [at]
    while len(times) < count:
        times.append(times[-1] + draw.expovariate(1 / every))
    return tuple(t for t in times if t <= duration)
