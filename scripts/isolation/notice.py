"""Whether a port noticed the faults of another: which of its figures left their quiet values.

A figure has risen where it is more than FACTOR times its quiet value and also more than its floor
above it. The floor is for small figures, which a busy machine alone can double. The report's
sentence uses no other thresholds; bulkhead-isolation(1) names them, under "What is
called noticed".
"""
import dataclasses
from typing import Any

from .units import count_text, plural, time_text

FACTOR = 2.0
ENOUGH = 100  # answers, quiet and under faults: the p99 of fewer is that of a single one


@dataclasses.dataclass(frozen=True)
class Figure:
    """A time that can rise. A new connection has a handshake to make, a kept one has not."""
    name: str
    words: str
    floor: float
    floor_new: float  # if each request opens a connection

    def has_risen(self, quiet: float, after: float, connection: str) -> bool:
        floor = self.floor_new if connection == "new" else self.floor
        return after > FACTOR * quiet and after - quiet > floor


FIGURES = (
    Figure("p50_s", "p50", 0.001, 0.002),
    Figure("p99_s", "p99", 0.005, 0.010),
    Figure("slowest_s", "slowest answer", 0.250, 0.250),
    Figure("outage_s", "longest time without an answer", 0.250, 0.250),
)

Port = dict[str, Any]


def noticed_of(port: Port, first: float | None) -> list[dict[str, Any]]:
    """The events that its clients or the log saw, and the figures that rose; empty if it did
    not notice. `first` is the time of the first fault."""
    return [*events_of(port, first), *risen_of(port)]


def unknown_of(port: Port) -> list[str]:
    """Why some figures allow no statement: a missing figure is not a good one."""
    if not port["load"]["clients"]:
        return ["it had no clients"]
    reasons = []
    if not is_comparable(port):
        quiet, after = (port["latency"][when]["answered"] for when in ("quiet", "under_faults"))
        reasons.append(f"its latency cannot be judged by {plural(quiet, 'answer')} before the first "
                       f"fault and {count_text(after)} from then on")
    if port["totals"]["restarts"] is None:
        reasons.append("restarts are not known without the server's log")
    return reasons


def finding(what: str, quiet: Any, after: Any, text: str) -> dict[str, Any]:
    return {"what": what, "quiet": quiet, "under_faults": after, "text": text}


def events_of(port: Port, first: float | None) -> list[dict[str, Any]]:
    """Events that a port which notices nothing never has."""
    totals, quiet, after = port["totals"], port["latency"]["quiet"], port["latency"]["under_faults"]
    found = []

    def add(what: str, count: int, later: int, text: str) -> None:
        before = " before the first fault" if first is not None and not later else ""
        if count:
            found.append(finding(what, count - later, later, text + before))

    def ended(role: str) -> int:
        return sum(end["role"] == role and end["at_s"] >= (first or 0.0) for end in port["ends"])

    add("failures", totals["failures"], after["failures"], f"{count_text(totals['failures'])} of "
        f"{plural(totals['requests'], 'request')} failed")
    for role, name in (("worker", "restarts"), ("keyholder", "keyholder_restarts"),
                       ("connector", "connector_restarts")):
        add(name, totals[name] or 0, ended(role), plural(totals[name] or 0, f"{role} restart"))
    add("parked", totals["parked"] or 0, totals["parked"] or 0, "it was parked")
    if after["dropped"] and not quiet["dropped"]:
        found.append(finding("dropped", 0, after["dropped"], f"{count_text(after['dropped'])} of its "
                             "kept connections ended between requests"))
    return found


def is_comparable(port: Port) -> bool:
    return all(port["latency"][when]["answered"] >= ENOUGH for when in ("quiet", "under_faults"))


def risen_of(port: Port) -> list[dict[str, Any]]:
    """Times that have risen, and a rate that has fallen. An outage needs no answers to be one."""
    quiet, after = port["latency"]["quiet"], port["latency"]["under_faults"]
    found = []
    for figure in FIGURES:
        before, then = quiet[figure.name], after[figure.name]
        if before is None or then is None:
            continue
        if not is_comparable(port) and figure.name != "outage_s":
            continue
        if figure.has_risen(before, then, port["load"]["connection"]):
            found.append(finding(figure.name, before, then, f"{figure.words} rose from "
                                 f"{time_text(before)} to {time_text(then)}"))
    if quiet["rate"] and after["rate"] is not None and after["rate"] * FACTOR < quiet["rate"]:
        found.append(finding("rate", quiet["rate"], after["rate"], "answers fell from "
                             f"{quiet['rate']:.3g} to {after['rate']:.3g} a second"))
    return found


def is_slower(found: dict[str, Any]) -> bool:
    """Effects that a busy machine alone can cause."""
    return found["what"] in ("rate", *(figure.name for figure in FIGURES))


def is_early(found: dict[str, Any]) -> bool:
    """Events before the first fault, which no fault has caused."""
    return not is_slower(found) and not found["under_faults"]


def rule_text() -> str:
    """The thresholds as the page explains them."""
    floors = [f"{f.words} {time_text(f.floor)}"
              + (f" ({time_text(f.floor_new)} with a new connection for each request)"
                 if f.floor_new != f.floor else "") for f in FIGURES]
    return ("no request failed, no process of the port ended, no kept connection was ended between "
            f"two requests, and under faults no figure rose to more than {FACTOR:g} times its quiet "
            f"value and also by more than its floor: {', '.join(floors)}; nor did the answers per "
            f"second fall below 1/{FACTOR:g} of the quiet ones. With fewer than {ENOUGH} answers "
            "before the first fault, or from then on, latency is not judged.")
