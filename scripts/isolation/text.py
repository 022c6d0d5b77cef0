"""The report as plain text."""
from typing import Any

from .units import count_text, plural, time_text

LATENCIES = (("quiet", "p50_s"), ("under_faults", "p50_s"), ("quiet", "p99_s"),
             ("under_faults", "p99_s"))


def text_of(report: dict[str, Any]) -> str:
    verdict = "passed" if report["passed"] else "FAILED"
    parts = [[f"{report['title']}: {verdict}", report["summary"]], ports_of(report["ports"]),
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
    head = ["port", "", "requests", "failed", "restarts", "p50 quiet", "p50 after", "p99 quiet",
            "p99 after", "outage"]
    rows = [head]
    for port in ports:
        totals, latency = port["totals"], port["latency"]
        restarts = totals["restarts"]
        rows.append([f"{port['name']} ({port['number']})", "hit" if port["hit"] else "",
                     count_text(totals["requests"]), count_text(totals["failures"]),
                     "–" if restarts is None else count_text(restarts),
                     *(time_text(latency[when][name]) for when, name in LATENCIES),
                     time_text(totals["outage_s"])])
    lines = columns(rows, 2)
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
            flood = fault["flood"]
            line += (f" for {fault['lasts_s']:g} s: {count_text(flood['done'])} done, "
                     f"{count_text(flood['failed'])} failed")
        lines.append(line)
    return lines


def expectations_of(expectations: list[dict[str, Any]]) -> list[str]:
    rows = [[verdict_of(e), f"{e['who']}: {e['text']}",
             ", ".join(f"{row['name']} {row['shown']}" for row in e["ports"])]
            for e in expectations]
    return columns(rows, 3) if rows else []


def verdict_of(expectation: dict[str, Any]) -> str:
    if expectation["required"]:
        return "pass" if expectation["passed"] else "FAIL"
    return "met" if expectation["passed"] else "not met"


def generator_of(report: dict[str, Any]) -> str:
    """How loaded the one that has measured was."""
    generator, machine = report["generator"], report["machine"]
    busy = machine["busy"]
    share = "" if busy is None else f", all of which were {busy:.0%} busy"
    return (f"The clients took {generator['cpu']:.0%} of one of {machine['cpus']} processors"
            f"{share}; a request began at most {time_text(generator['late_p99_s'])} late "
            "(99 of 100).")
