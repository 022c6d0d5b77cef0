"""The report as plain text."""
from typing import Any

from .summary import flood_done
from .units import count_text, plural, time_text

LATENCIES = (("quiet", "p50_s"), ("under_faults", "p50_s"), ("quiet", "p99_s"),
             ("under_faults", "p99_s"))


def text_of(report: dict[str, Any]) -> str:
    verdict = "passed" if report["passed"] else "FAILED"
    counted = counted_of(report["expectations"])
    parts = [[f"{report['title']}: {verdict}, {counted}", report["summary"]], ports_of(report["ports"]),
             faults_of(report["faults"]), expectations_of(report["expectations"]),
             [generator_of(report), *(f"Warning: {w}" for w in report["warnings"])]]
    return "\n\n".join("\n".join(lines) for lines in parts if lines) + "\n"


def columns(rows: list[list[str]], left: int = 1) -> list[str]:
    """Rows in columns, the first ones flush left."""
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) if n < left else cell.rjust(width)
                      for n, (cell, width) in enumerate(zip(row, widths))).rstrip()
            for row in rows]


def ports_of(ports: list[dict[str, Any]]) -> list[str]:
    head = ["port", "", "requests", "failed", "restarts", "p50 quiet", "p50 faults", "p99 quiet",
            "p99 faults", "outage"]
    rows = [head]
    for port in ports:
        totals, latency = port["totals"], port["latency"]
        restarts = totals["restarts"]
        rows.append([f"{port['name']} ({port['number']})", "hit" if port["hit"] else "",
                     count_text(totals["requests"]), count_text(totals["failures"]),
                     "–" if restarts is None else count_text(restarts),
                     *(time_text(latency[when][name]) for when, name in LATENCIES),
                     time_text(totals["outage_s"])])
    lines = [*columns(rows, 2), "(quiet: before the first fault; faults: from then on; the rest: of the "
             "whole time)"]
    for port in ports:
        kinds = [f"{count_text(n)} {kind}"
                 for kind, n in port["totals"]["failures_by_kind"].items() if n]
        if kinds:
            lines.append(f"  failures of {port['name']}: {', '.join(kinds)}")
    return lines


def faults_of(faults: list[dict[str, Any]]) -> list[str]:
    lines = []
    for fault in faults:
        strikes = fault["strikes"]
        line = f"fault on {fault['port']}: {fault['label']}"
        if len(strikes) > 1:
            line += f", {plural(len(strikes), 'time')}"
        if strikes:
            line += f", from {strikes[0]['at_s']:.1f} s"
        if fault["flood"]:
            line += f" for {fault['lasts_s']:g} s: {flood_done(fault['flood'])}"
        lines.append(line)
    return lines


def expectations_of(expectations: list[dict[str, Any]]) -> list[str]:
    """Required expectations first, then those that are only shown."""
    rows = [[verdict_of(e), f"{e['who']}: {e['text']}",
             ", ".join(f"{row['name']} {row['shown']}" for row in e["ports"])]
            for e in expectations]
    lines = columns(rows, 3) if rows else []
    told = []
    for required, heading in ((True, "Required:"), (False, "Only reported, does not fail the run:")):
        mine = [line for e, line in zip(expectations, lines) if e["required"] == required]
        told += [heading, *(f"  {line}" for line in mine)] if mine else []
    return told


def verdict_of(expectation: dict[str, Any]) -> str:
    """An expectation is met or not met; a run has passed if all required ones are met."""
    return "met" if expectation["passed"] else "not met"


def counted_of(expectations: list[dict[str, Any]]) -> str:
    """How many required expectations were met; this decides whether the run has passed."""
    required = [e for e in expectations if e["required"]]
    if not required:
        return "nothing was required"
    met = sum(e["passed"] for e in required)
    return f"{count_text(met)} of {plural(len(required), 'required expectation')} met"


def generator_of(report: dict[str, Any]) -> str:
    """How busy the load generator was."""
    generator, machine = report["generator"], report["machine"]
    busy = machine["busy"]
    share = "" if busy is None else f", all of which were {busy:.0%} busy"
    return (f"The clients took {generator['cpu']:.0%} of one of {machine['cpus']} processors"
            f"{share}; a request began at most {time_text(generator['late_p99_s'])} late "
            "(99 of 100).")
