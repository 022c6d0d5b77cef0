"""Joins samples, log and faults: the report as it is written in JSON.

Times in it are seconds (…_s), times of events count from the start of the scenario; null stands
for unknown or missing values. bulkhead-isolation(1) describes all of it.
"""
import collections
import dataclasses
import datetime
import math
import os
import platform
from typing import Any

from .client import KINDS
from .faults import Strike
from .load import Clients, Sample
from .log import Event
from .notice import noticed_of, unknown_of
from .scenario import Fault, Port, Scenario
from .summary import missed_of, summary_of
from .units import time_text

SCHEMA = "bulkhead-isolation/1"
SETTLING = 1.0  # the first handshakes are not typical of a quiet server
BUSY = 0.9  # of the machine: above this it may itself cause the latencies
LATE = 0.02  # of 99 in 100 requests: above this the clients may cause the latencies

Report = dict[str, Any]


@dataclasses.dataclass
class Run:
    """The results of a run."""
    scenario: Scenario
    began: float  # seconds since the epoch
    version: str
    numbers: dict[str, int]
    clients: dict[str, Clients]
    floods: dict[tuple[int, float], Clients]  # by fault and time
    strikes: list[Strike]
    events: list[Event] | None
    machine_busy: float | None

    def events_of(self, port: Port) -> list[Event] | None:
        """Those of a port, in the scenario's time and within it."""
        if self.events is None:
            return None
        moved = [dataclasses.replace(event, at=event.at - self.began) for event in self.events
                 if event.port == self.numbers[port.name]]
        return [event for event in moved if 0 <= event.at <= self.scenario.duration]


def report_of(run: Run) -> Report:
    scenario = run.scenario
    began = datetime.datetime.fromtimestamp(run.began).astimezone()
    report: Report = {
        "schema": SCHEMA, "title": scenario.title, "about": scenario.about,
        "scenario": scenario.file, "began": began.isoformat(timespec="seconds"),
        "duration_s": scenario.duration, "bucket_s": scenario.bucket, "seed": scenario.seed,
        "passed": True, "summary": "", "warnings": [],
        "server": {"version": run.version, "started": scenario.server.start,
                   "log": run.events is not None},
        "machine": {"system": f"{platform.system()} {platform.release()} {platform.machine()}",
                    "cpus": os.cpu_count(), "busy": rounded(run.machine_busy)},
        "generator": generator_of(run),
        "ports": [port_of(run, port) for port in scenario.ports],
        "faults": [fault_of(run, number, fault) for number, fault in enumerate(scenario.faults)],
    }
    report["expectations"] = [e.judge(report["ports"]) for e in scenario.expectations]
    report["passed"] = all(e["passed"] for e in report["expectations"] if e["required"])
    report["warnings"] = warnings_of(report)
    report["summary"] = summary_of(report, is_loaded(report))
    return report


def rounded(value: float | None, digits: int = 6) -> float | None:
    return None if value is None else round(value, digits)


def percentile(sorted_values: list[float], share: float) -> float | None:
    """By nearest rank, so it is a measured value."""
    if not sorted_values:
        return None
    return sorted_values[max(0, math.ceil(share * len(sorted_values)) - 1)]


# --- a port ------------------------------------------------------------------------------------


def port_of(run: Run, port: Port) -> Report:
    scenario, clients = run.scenario, run.clients[port.name]
    events = run.events_of(port)
    ends = [event for event in events or [] if event.what == "end"]
    load = port.load
    report = {
        "name": port.name, "number": run.numbers[port.name], "host": port.host,
        "hit": port.name in scenario.hit,
        "load": {"clients": load.clients, "rate": load.rate or None, "path": load.path,
                 "connection": load.connection, "timeout_s": load.timeout},
        "totals": totals_of(scenario, clients, events),
        "latency": latency_of(scenario, clients),
        "buckets": buckets_of(scenario, clients.samples, ends),
        "ends": [end_of(event) for event in ends],
        "faults_logged": [{"at_s": rounded(event.at, 3), "id": event.details[0],
                           "text": event.text}
                          for event in events or [] if event.what == "fault"],
    }
    return report | {"noticed": noticed_of(report, first_of(scenario)),
                     "unknown": unknown_of(report)}


def first_of(scenario: Scenario) -> float | None:
    """The time of the first fault."""
    return min((fault.times[0] for fault in scenario.faults if fault.times), default=None)


def totals_of(scenario: Scenario, clients: Clients, events: list[Event] | None) -> Report:
    samples = clients.samples
    kinds = collections.Counter(sample.kind for sample in samples)
    answered = kinds.pop("", 0)
    totals: Report = {
        "requests": len(samples), "answered": answered, "failures": kinds.total(),
        "failures_by_kind": {kind: kinds[kind] for kind in KINDS},
        "connections": clients.connections, "held_back": clients.held_back,
        "outage_s": rounded(outage_of(samples, scenario.duration)),
        "restarts": None, "keyholder_restarts": None, "connector_restarts": None, "parked": None, "recovery_s": None,
        "ends": {},
    }
    if events is not None:
        ends = [event for event in events if event.what == "end"]
        workers = [event for event in ends if event.role == "worker"]
        totals |= {
            "restarts": len(workers),
            **{f"{role}_restarts": sum(event.role == role for event in ends)
               for role in ("keyholder", "connector")},
            "parked": sum(event.what == "parked" for event in events),
            "recovery_s": rounded(recovery_of(samples, workers, scenario.duration)),
            "ends": dict(collections.Counter(event.cause for event in workers)),
        }
    return totals


def outage_of(samples: list[Sample], duration: float, begin: float = 0.0) -> float | None:
    """The longest time without an answer, counted from begin."""
    if not samples:
        return None
    moments = [begin, *(s.ended for s in samples if not s.kind), duration]
    return max(0.0, *(b - a for a, b in zip(moments, moments[1:])))


def recovery_of(samples: list[Sample], ends: list[Event], duration: float) -> float | None:
    """The longest time from the end of a worker to the answer of a request begun after it. None
    if no such answer came within the remaining second or more."""
    answered = [sample for sample in samples if not sample.kind]
    longest = 0.0
    for end in ends:
        after = [sample.ended for sample in answered if sample.began >= end.at]
        if after:
            longest = max(longest, min(after) - end.at)
        elif end.at < duration - 1:
            return None
    return longest


def latency_of(scenario: Scenario, clients: Clients) -> Report:
    """The phases before and after the first fault; without faults the whole run is quiet."""
    first = first_of(scenario)
    first = scenario.duration if first is None else first
    settled = SETTLING if first >= 2 * SETTLING else 0.0
    samples = clients.samples
    quiet = phase_of([s for s in samples if settled <= s.began and s.ended < first], settled, first,
                     clients)
    after = phase_of([s for s in samples if s.ended >= first], first, scenario.duration, clients)
    return {"quiet": quiet, "under_faults": after, "p50_ratio": ratio_of(quiet, after, "p50_s"),
            "p99_ratio": ratio_of(quiet, after, "p99_s")}


def phase_of(samples: list[Sample], begin: float, end: float, clients: Clients) -> Report:
    """The answers of a phase, their latencies, and the requests that failed."""
    times = sorted(s.ended - s.began for s in samples if not s.kind)
    outage = outage_of(samples, end, begin)
    return latencies_of(samples) | {
        "failures": len(samples) - len(times),
        "slowest_s": rounded(times[-1] if times else None), "outage_s": rounded(outage),
        "rate": rounded(len(times) / (end - begin), 2) if end > begin else None,
        "dropped": sum(begin <= at < end for at in clients.dropped),
    }


def ratio_of(quiet: Report, after: Report, name: str) -> float | None:
    if quiet[name] and after[name]:
        return rounded(after[name] / quiet[name], 3)
    return None


def latencies_of(samples: list[Sample]) -> Report:
    times = sorted(s.ended - s.began for s in samples if not s.kind)
    return {"answered": len(times), "p50_s": rounded(percentile(times, 0.5)),
            "p99_s": rounded(percentile(times, 0.99))}


def buckets_of(scenario: Scenario, samples: list[Sample], ends: list[Event]) -> list[Report]:
    """Counts the requests that ended in each interval; later ones count in the last."""
    width = scenario.bucket
    count = math.ceil(scenario.duration / width)
    held: list[list[Sample]] = [[] for _ in range(count)]
    for sample in samples:
        held[min(int(sample.ended / width), count - 1)].append(sample)
    buckets = []
    for number, inside in enumerate(held):
        begin = number * width
        span = min(width, scenario.duration - begin)
        failures = collections.Counter(s.kind for s in inside if s.kind)
        latencies = latencies_of(inside)
        buckets.append({
            "at_s": rounded(begin), "answered": latencies["answered"],
            "rate": rounded(latencies["answered"] / span, 2), "p50_s": latencies["p50_s"],
            "p99_s": latencies["p99_s"],
            "failures": {kind: failures[kind] for kind in KINDS if failures[kind]},
            "restarts": sum(begin <= e.at < begin + span for e in ends if e.role == "worker"),
        })
    return buckets


def end_of(event: Event) -> Report:
    return {"at_s": rounded(event.at, 3), "role": event.role, "number": event.number,
            "pid": event.pid, "cause": event.cause, "uptime_s": event.uptime,
            "text": event.text, "details": event.details}


# --- faults, generator, warnings ---------------------------------------------------------------


def fault_of(run: Run, number: int, fault: Fault) -> Report:
    strikes = [strike for strike in run.strikes if strike.fault == number]
    report: Report = {
        "port": fault.port, "label": fault.label, "kind": "flood" if fault.flood else
        "signal" if fault.signal else "request", "request": fault.request or None,
        "signal": fault.signal or None, "lasts_s": fault.lasts or None, "flood": None,
        "strikes": [{"at_s": rounded(s.at, 3), "outcome": s.outcome,
                     "id": s.identifier or None} for s in strikes],
    }
    if fault.flood:
        samples = [sample for at in fault.times for sample in run.floods[number, at].samples]
        failed = collections.Counter(s.kind for s in samples if s.kind)
        statuses = sum((run.floods[number, at].statuses for at in fault.times), collections.Counter())
        report["flood"] = {"of": fault.flood, "clients": fault.clients, "rate": fault.rate or None,
                           "done": len(samples) - failed.total(), "failed": failed.total(),
                           "failures_by_kind": dict(failed),
                           "statuses": {str(status): n for status, n in sorted(statuses.items())}}
    return report


def generator_of(run: Run) -> Report:
    """How busy the clients were; cpu is a share of one processor."""
    everybody = [*run.clients.values(), *run.floods.values()]
    late = sorted(delay for clients in run.clients.values() for delay in clients.late)
    return {"processes": len(everybody),
            "cpu": rounded(sum(c.cpu for c in everybody) / run.scenario.duration, 3),
            "late_p99_s": rounded(percentile(late, 0.99))}


def is_loaded(report: Report) -> bool:
    """Whether the machine or the clients were so busy that they may have caused the latencies."""
    return (report["machine"]["busy"] or 0.0) > BUSY or \
        (report["generator"]["late_p99_s"] or 0.0) > LATE


def warnings_of(report: Report) -> list[str]:
    warnings = []
    busy = report["machine"]["busy"]
    if busy is not None and busy > BUSY:
        warnings.append(f"The machine was {busy:.0%} busy: latencies are its own as much as the "
                        "server's.")
    late = report["generator"]["late_p99_s"]
    if late is not None and late > LATE:
        warnings.append(f"The clients began 1 of 100 requests more than {time_text(late)} late: "
                        "latencies are theirs as much as the server's.")
    warnings += [f"Nothing was answered on port {port['name']} before the first fault."
                 for port in report["ports"] if port["load"]["clients"]
                 and port["latency"]["quiet"]["answered"] == 0]
    for fault in report["faults"]:
        missed = missed_of(fault)
        if missed:
            warnings.append(f"{len(missed)} of {len(fault['strikes'])} faults “{fault['label']}” "
                            f"came to nothing: {missed[0]['outcome']}.")
    return warnings
