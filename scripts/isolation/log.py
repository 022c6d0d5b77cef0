"""Reads from a server's log what happened to its processes."""
import dataclasses
import datetime
import re

# Why a process ended, as the journal's BULKHEAD_CAUSE has it, and how the line of its end says so;
# the first that fits.
CAUSES = {
    "watchdog": r".*\bby the watchdog",
    "drained": r"drained\b|did not finish draining\b",
    "configuration": r"ended with status 78\b",
    "exit": r"ended with status",
    "crash": r"crashed by",
    "sandbox": r"was ended by its sandbox",
    "memory": r"ran out of memory|.*\black of memory",
    "descriptors": r"ran out of .*descriptors",
    "killed": r"was killed",
}

LINE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),(\d{3}) - \[(?:PORT (\d+)|MASTER)\] (.*)")
END = re.compile(r"(worker|keyholder|connector) (\d+) \(pid (\d+)\) (.+?) after ([\d.]+)s(?: and .*)?")
READY = re.compile(r"(worker|keyholder|connector) (\d+) \(pid (\d+)\) is ready\b")
FAULT = re.compile(r"fault (\S+): (.*)")
STOPPING = re.compile(r"SIG[A-Z]+: stopping")
DETAIL = re.compile(r"\s+(?:\d+\s+)?\S.*")


@dataclasses.dataclass
class Event:
    """An event in the log: the end of a process, its readiness, a fault, a parked port."""
    at: float  # seconds since the epoch
    port: int
    what: str  # end, ready, fault, parked
    text: str
    role: str = ""
    number: int = 0
    pid: int = 0
    cause: str = ""
    uptime: float = 0.0
    details: list[str] = dataclasses.field(default_factory=list)


def events_read(text: str, utc: bool) -> list[Event]:
    """The events of a log, up to the order to stop. Its times are local unless they are UTC."""
    events: list[Event] = []
    for line in text.splitlines():
        match = LINE.fullmatch(line)
        message = match[4] if match else line
        if match and STOPPING.match(message):
            break
        if DETAIL.fullmatch(message):
            detail_add(events, message.strip(), int(match[3] or 0) if match else 0)
        elif match and match[3]:
            event = event_of(at_of(match[1], match[2], utc), int(match[3]), message)
            if event:
                events.append(event)
    return events


def at_of(stamp: str, milliseconds: str, utc: bool) -> float:
    moment = datetime.datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S")
    if utc:
        moment = moment.replace(tzinfo=datetime.timezone.utc)
    return moment.timestamp() + int(milliseconds) / 1000


def event_of(at: float, port: int, message: str) -> Event | None:
    if match := READY.match(message):
        return Event(at, port, "ready", message, match[1], int(match[2]), int(match[3]))
    if match := END.match(message):
        return Event(at, port, "end", message, match[1], int(match[2]), int(match[3]),
                     cause_of(match[4]), float(match[5]))
    if match := FAULT.fullmatch(message):
        return Event(at, port, "fault", match[2], details=[match[1]])
    if message.startswith("PARKED"):
        return Event(at, port, "parked", message)
    return None


def cause_of(text: str) -> str:
    return next((cause for cause, words in CAUSES.items() if re.match(words, text)), "exit")


def detail_add(events: list[Event], detail: str, port: int) -> None:
    """The lines below that of an end belong to it: request, backtrace."""
    ends = [event for event in events[-20:] if event.what == "end" and port in (0, event.port)]
    if ends:
        ends[-1].details.append(detail)
