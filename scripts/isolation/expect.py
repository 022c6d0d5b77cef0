"""Expectations about ports: "failures == 0", "p99 <= 50ms", "restarts >= 3"."""
import dataclasses
import operator
import re
from collections.abc import Callable
from typing import Any

from .client import KINDS
from .log import CAUSES
from .table import Table, suggestion, written
from .units import count_text, time_parse, time_text

OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<=": operator.le, ">=": operator.ge,
    "<": operator.lt, ">": operator.gt,
}


@dataclasses.dataclass(frozen=True)
class Measure:
    """How to read a figure from a port of the report; None if there is none."""
    value: Callable[[dict[str, Any]], Any]
    unit: str = ""  # "s": a time
    logged: bool = False  # only the server's log shows it

    def text(self, value: float | None) -> str:
        if value is None:
            return "none"
        if self.unit == "s":
            return time_text(value)
        return count_text(value) if value == int(value) else f"{value:.2f}"


def total(name: str, unit: str = "", logged: bool = False) -> Measure:
    return Measure(lambda port: port["totals"][name], unit, logged)


def latency(when: str, name: str) -> Measure:
    return Measure(lambda port: port["latency"][when][name], "s")


def kind(name: str) -> Measure:
    return Measure(lambda port: port["totals"]["failures_by_kind"].get(name, 0))


def ends(cause: str) -> Measure:
    return Measure(lambda port: port["totals"]["ends"].get(cause, 0), logged=True)


MEASURES = {
    "requests": total("requests"),
    "answered": total("answered"),
    "failures": total("failures"),
    **{name: kind(name) for name in KINDS},
    "restarts": total("restarts", logged=True),
    "keyholder-restarts": total("keyholder_restarts", logged=True),
    "connector-restarts": total("connector_restarts", logged=True),
    "parked": total("parked", logged=True),
    **{f"ends-{cause}": ends(cause) for cause in CAUSES},
    "recovery": total("recovery_s", "s", logged=True),
    "outage": total("outage_s", "s"),
    "p50": latency("under_faults", "p50_s"),
    "p99": latency("under_faults", "p99_s"),
    "p50-quiet": latency("quiet", "p50_s"),
    "p99-quiet": latency("quiet", "p99_s"),
    "slowest": latency("under_faults", "slowest_s"),
    "slowest-quiet": latency("quiet", "slowest_s"),
    "outage-quiet": latency("quiet", "outage_s"),
    "p50-ratio": Measure(lambda port: port["latency"]["p50_ratio"]),
    "p99-ratio": Measure(lambda port: port["latency"]["p99_ratio"]),
}


@dataclasses.dataclass(frozen=True)
class Expectation:
    who: str  # a port's name, hit, others, all
    measure: str
    operator: str
    value: float
    text: str
    required: bool  # else it is only reported

    def judge(self, ports: list[dict[str, Any]]) -> dict[str, Any]:
        """The result of an expectation, with the figure of each of its ports."""
        rows = [self._judge_port(port) for port in ports if self._is_about(port)]
        return {"who": self.who, "text": self.text, "required": self.required,
                "passed": all(row["passed"] for row in rows), "ports": rows}

    def _is_about(self, port: dict[str, Any]) -> bool:
        groups = ("all", "hit" if port["hit"] else "others")
        return self.who == port["name"] or self.who in groups

    def _judge_port(self, port: dict[str, Any]) -> dict[str, Any]:
        measure = MEASURES[self.measure]
        value = measure.value(port)
        passed = value is not None and OPERATORS[self.operator](value, self.value)
        return {"name": port["name"], "value": value, "shown": measure.text(value),
                "passed": passed}


def expectations_read(table: Table, ports: list[str], required: bool,
                      logged: bool) -> list[Expectation]:
    """Reads a table with a list of sentences for each port or group of ports."""
    found = []
    known = ["all", "hit", "others", *ports]
    for who in table.data:
        what = 'a list of strings such as "failures == 0"'
        lines = table.value(who, list, what, [])
        if who not in known:
            table.problem(who, f"is no port, nor hit, others or all{suggestion(who, known)}")
        for n, line in enumerate(lines, 1):
            expectation = expectation_read(table, f"{who}[{n}]", who, line, required, logged)
            if expectation:
                found.append(expectation)
    return found


def expectation_read(table: Table, place: str, who: str, line: Any, required: bool,
                     logged: bool) -> Expectation | None:
    match = re.fullmatch(r"\s*([\w-]+)\s*(==|!=|<=|>=|<|>)\s*(\S+)\s*", str(line))
    if not match:
        table.problem(place, 'is MEASURE OPERATOR VALUE such as "failures == 0", '
                             f"not {written(line)}")
        return None
    name, sign, figure = match.groups()
    measure = MEASURES.get(name)
    if not measure:
        table.problem(place, f"there is no measure {written(name)}{suggestion(name, MEASURES)}")
        return None
    value = value_read(measure, figure)
    if value is None:
        what = "a time such as 500ms" if measure.unit == "s" else "a number"
        table.problem(place, f"{name} is compared with {what}, not with {written(figure)}")
        return None
    if measure.logged and not logged:
        table.problem(place, f"{name} is read from the server's log: name it, server.log")
    return Expectation(who, name, sign, value, f"{name} {sign} {figure}", required)


def value_read(measure: Measure, figure: str) -> float | None:
    if measure.unit == "s":
        return time_parse(figure)
    return float(figure) if re.fullmatch(r"\d+(\.\d+)?", figure) else None
