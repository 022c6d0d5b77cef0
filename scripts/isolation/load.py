"""The load: for each port a process with its clients, so that the clients of one port cannot
delay the measurements of another; each flood has one more."""
import collections
import dataclasses
import itertools
import multiprocessing
import resource
import signal
import ssl
import threading
import time
from multiprocessing.connection import Connection as Pipe

from .client import Answer, Connection, Failure, Target
from .scenario import Fault, Load, Port

FORK = multiprocessing.get_context("fork")
COLLECT_TIMEOUT = 60.0


@dataclasses.dataclass(frozen=True)
class Sample:
    """A request that has ended, seconds after the start of the scenario."""
    began: float
    ended: float
    kind: str  # "": answered; else a key of client.KINDS


@dataclasses.dataclass
class Clients:
    """The measurements of a port's clients, or of a flood's."""
    samples: list[Sample] = dataclasses.field(default_factory=list)
    late: list[float] = dataclasses.field(default_factory=list)
    held_back: int = 0  # requests that were due while every client was waiting
    connections: int = 0
    # when kept connections were found closed
    dropped: list[float] = dataclasses.field(default_factory=list)
    # of the answers to a flood
    statuses: collections.Counter[int] = dataclasses.field(default_factory=collections.Counter)
    cpu: float = 0.0

    def add(self, other: "Clients") -> None:
        self.samples += other.samples
        self.late += other.late
        self.held_back += other.held_back
        self.dropped += other.dropped
        self.statuses += other.statuses
        self.connections += other.connections


class Pace:
    """When a client's next request is due: its share of the rate, from its own starting time."""

    def __init__(self, start: float, rate: float, clients: int, number: int):
        self.gap = clients / rate if rate else 0.0
        self.next = start + (number / rate if rate else 0.0)

    def wait(self, record: Clients) -> None:
        """Waits until a request is due. Requests that became due meanwhile are dropped and
        counted."""
        now = time.monotonic()
        if self.next > now:
            time.sleep(self.next - now)
            record.late.append(time.monotonic() - self.next)
        elif self.gap:
            missed = int((now - self.next) / self.gap)
            record.held_back += missed
            self.next += missed * self.gap
        self.next = self.next + self.gap if self.gap else now


class Client:
    """Sends requests one after the other, on one connection or on one each."""

    def __init__(self, target: Target, context: ssl.SSLContext, load: Load, record: Clients):
        self.target, self.context, self.load, self.record = target, context, load, record
        self.connection: Connection | None = None

    def run(self, start: float, end: float, pace: Pace) -> None:
        while True:
            pace.wait(self.record)
            began = time.monotonic()
            if began >= end:
                break
            if self.connection and not self.connection.idle():
                self._close()
                self.record.dropped.append(began - start)
            kind = self._request(began + self.load.timeout)
            ended = time.monotonic()
            self.record.samples.append(Sample(began - start, ended - start, kind))
            if kind:
                time.sleep(0.01)  # immediate refusals would make this a busy loop
        self._close()

    def _request(self, deadline: float) -> str:
        try:
            answer = self._exchange(deadline)
        except Failure as failure:
            self._close()
            return failure.kind
        if answer.closes or self.load.connection == "new":
            self._close()
        return "status" if answer.status >= 400 else ""

    def _exchange(self, deadline: float) -> Answer:
        if not self.connection:
            self.connection = Connection(self.target, self.context, deadline)
            self.record.connections += 1
        return self.connection.get(self.load.path, self.target.server_name, deadline)

    def _close(self) -> None:
        if self.connection:
            self.connection.close()
            self.connection = None


class Addresses:
    """The addresses of a flood's connections, in turn: from 127.1.0.1 on."""

    def __init__(self, count: int):
        self.count, self.turn = count, itertools.count()

    def next(self) -> str:
        """"": the system chooses."""
        if not self.count:
            return ""
        number = 1 + next(self.turn) % self.count
        return f"127.{1 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


class Flooder:
    """Makes handshakes, or sends requests, one after the other."""

    def __init__(self, target: Target, context: ssl.SSLContext, flood: Fault, addresses: Addresses,
                 record: Clients):
        self.target, self.context, self.flood, self.record = target, context, flood, record
        self.addresses = addresses
        self.connection: Connection | None = None

    def run(self, start: float, end: float, pace: Pace) -> None:
        while True:
            pace.wait(self.record)
            began, kind = time.monotonic(), ""
            if began >= end:
                break
            try:
                self._act(began + self.flood.timeout)
            except Failure as failure:
                kind = failure.kind
                self._close()
            self.record.samples.append(Sample(began - start, time.monotonic() - start, kind))
        self._close()


    def _act(self, deadline: float) -> None:
        if not self.connection:
            self.connection = Connection(self.target, self.context, deadline, self.addresses.next())
            self.record.connections += 1
        answer = None
        if self.flood.flood == "requests":
            answer = self.connection.get(self.flood.path, self.target.server_name, deadline, self.flood.fields)
            self.record.statuses[answer.status] += 1
        if not answer or answer.closes or self.flood.connection == "new":
            self._close()

    def _close(self) -> None:
        if self.connection:
            self.connection.close()
            self.connection = None


# --- a process of clients ----------------------------------------------------------------------


class Generator:
    """A process with the clients of a port; with a flood, those of the flood.

    It exists before the start and waits for it; collect() returns the measurements.
    """

    def __init__(self, port: Port, target: Target, flood: Fault | None = None, at: float = 0.0):
        self.port, self.target, self.flood, self.at = port, target, flood, at
        self.pipe, theirs = FORK.Pipe()
        self.process = FORK.Process(target=self._process, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()

    def start(self, start: float, end: float) -> None:
        """Both are of time.monotonic(), which all processes share."""
        self.pipe.send((start, end))

    def collect(self) -> Clients:
        """Raises EOFError if the process has died, TimeoutError if it does not end."""
        if not self.pipe.poll(COLLECT_TIMEOUT):
            raise TimeoutError(f"the clients of port {self.port.name} do not end")
        clients: Clients = self.pipe.recv()
        self.process.join()
        return clients

    def stop(self) -> None:
        self.process.kill()
        self.process.join()

    def _process(self, pipe: Pipe) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            start, end = pipe.recv()
        except EOFError:
            return
        if self.flood:
            begin, until = start + self.at, min(end, start + self.at + self.flood.lasts)
            count, rate = self.flood.clients, self.flood.rate
        else:
            begin, until = start, end
            count, rate = self.port.load.clients, self.port.load.rate
        records = [Clients() for _ in range(count)]
        addresses = Addresses(self.flood.addresses if self.flood else 0)
        threads = [threading.Thread(target=self._client(record, addresses).run,
                                    args=(start, until, Pace(begin, rate, count, number)))
                   for number, record in enumerate(records)]
        for thread in threads:
            thread.start()
        total = Clients()
        for thread, record in zip(threads, records):
            thread.join()
            total.add(record)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        total.cpu = usage.ru_utime + usage.ru_stime
        total.samples.sort(key=lambda sample: sample.ended)
        pipe.send(total)

    def _client(self, record: Clients, addresses: Addresses) -> Client | Flooder:
        context = self.target.context()
        if self.flood:
            return Flooder(self.target, context, self.flood, addresses, record)
        return Client(self.target, context, self.port.load, record)
