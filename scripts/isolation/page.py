"""The report as one self-contained page: without scripts, external fonts or pictures."""
import collections
import html
from typing import Any

from .client import KINDS
from .plot import Plot, element, scales_of
from .style import STYLE
from .notice import rule_text
from .summary import flood_done
from .text import counted_of, generator_of, verdict_of
from .units import count_text, list_text, plural, time_text

ENDS_SHOWN = 20
POLICY = "default-src 'none'; style-src 'unsafe-inline'"

Report = dict[str, Any]


def page_of(report: Report) -> str:
    title = html.escape(f"{report['title']} – isolation report")
    head = ('<meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            '<meta name="color-scheme" content="light dark">'
            f"<title>{title}</title><style>{STYLE}</style>")
    main = [header_of(report), faults_of(report["faults"]),
            expectations_of(report["expectations"]),
            figures_of(report["ports"]), timelines_of(report), notes_of(report)]
    return (f'<!DOCTYPE html>\n<html lang="en">\n<head>{head}</head>\n<body>\n<main>\n'
            + "\n".join(part for part in main if part)
            + f"\n</main>\n{footer_of(report)}\n</body>\n</html>\n")


def paragraph(text: str, cls: str | None = None) -> str:
    return element("p", html.escape(text), cls=cls)


def table(caption: str, head: list[str], rows: list[list[str]], cls: str | None = None) -> str:
    """Cells are markup; the first of a row is its heading."""
    columns = "".join(element("th", cell, scope="col") for cell in head)
    body = "".join(
        element("tr", element("th", row[0], scope="row")
                + "".join(element("td", cell) for cell in row[1:])) for row in rows)
    content = (element("caption", html.escape(caption)) + element("thead", element("tr", columns))
               + element("tbody", body))
    return element("div", element("table", content, cls=cls), cls="scroll", tabindex="0",
                   role="region", aria_label=caption)


# --- top ---------------------------------------------------------------------------------------


def header_of(report: Report) -> str:
    passed = report["passed"]
    verdict = "Passed" if passed else "Failed"
    badge = element("strong", f"{'✓' if passed else '✗'} {verdict}",
                    cls="pass" if passed else "fail")
    counted = counted_of(report["expectations"])
    parts = [element("p", "Isolation report", cls="kicker"),
             element("h1", html.escape(report["title"])),
             paragraph(report["summary"], "summary"),
             element("p", f"{badge} {counted}", cls="verdict")]
    if report["about"]:
        parts.append(paragraph(report["about"], "about"))
    parts += [element("p", element("strong", "Caution. ") + html.escape(warning), cls="warning")
              for warning in report["warnings"]]
    return element("header", "".join(parts))


def expectations_of(expectations: list[Report]) -> str:
    if not expectations:
        return ""
    rows = []
    for e in expectations:
        state = ("pass" if e["passed"] else "fail") if e["required"] else "noted"
        sign = "✓" if e["passed"] else "✗" if e["required"] else "–"
        seen = ", ".join(
            element("span", html.escape(f"{row['name']} {row['shown']}"),
                    cls=None if row["passed"] else "off") for row in e["ports"])
        rows.append([html.escape(e["who"]), element("code", html.escape(e["text"])), seen,
                     "required" if e["required"] else "only reported",
                     element("span", f"{sign} {verdict_of(e)}", cls=state)])
    return section("Expectations", table(
        "What was expected, and what was seen; the run has passed where all that is required is met",
        ["ports", "expected", "seen", "weight", "verdict"], rows, "words"))


def faults_of(faults: list[Report]) -> str:
    rows = [[html.escape(fault["port"]), html.escape(fault["label"]) + order_of(fault),
             count_text(len(fault["strikes"])), when_of(fault["strikes"]),
             html.escape(seen_of(fault))] for fault in faults]
    if not rows:
        return ""
    return section("What was done", table("Faults, and what those who did them saw",
                                          ["port", "fault", "times", "when", "seen"], rows,
                                          "words"))


def order_of(fault: Report) -> str:
    """The request, unless the label names it."""
    request = fault["request"]
    if not request or fault["label"] in (request, request.removeprefix("/fault/")):
        return ""
    return element("br") + element("code", html.escape(request))


def when_of(strikes: list[Report]) -> str:
    moments = [f"{strike['at_s']:.1f}" for strike in strikes]
    if len(moments) > 1:
        return f"{moments[0]} to {moments[-1]} s"
    return f"{moments[0]} s" if moments else "–"


def seen_of(fault: Report) -> str:
    flood = fault["flood"]
    if flood:
        rate = f"at most {flood['rate']:g} a second" if flood["rate"] else "as fast as they can"
        return (f"{plural(flood['clients'], 'client')}, {rate}, for {fault['lasts_s']:g} s: "
                f"{flood_done(flood)}")
    outcomes = [strike["outcome"] for strike in fault["strikes"]]
    if fault["signal"]:  # each names another process
        outcomes = ["sent" if outcome.startswith("sent") else outcome for outcome in outcomes]
    return list_text([f"{outcome} ({count})"
                      for outcome, count in collections.Counter(outcomes).items()] or ["–"])


def section(title: str, *content: str) -> str:
    return element("section", element("h2", html.escape(title)) + "".join(content))


def figures_of(ports: list[Report]) -> str:
    head = ["port", "requests", "failed", "restarts", "p50 quiet", "p50 under faults", "p99 quiet",
            "p99 under faults", "longest outage"]
    rows = []
    for port in ports:
        totals, latency = port["totals"], port["latency"]
        restarts = totals["restarts"]
        rows.append([name_of(port), count_text(totals["requests"]),
                     count_text(totals["failures"]),
                     "–" if restarts is None else count_text(restarts),
                     *(time_text(latency[when][p]) for p in ("p50_s", "p99_s")
                       for when in ("quiet", "under_faults")),
                     time_text(totals["outage_s"])])
    return section("Figures", table(
        "Quiet is before the first fault, under faults from then on; the rest is of the whole time",
        head, rows))


def name_of(port: Report) -> str:
    hit = " " + element("span", "hit", cls="hit") if port["hit"] else ""
    return html.escape(port["name"]) + " " + element("small", str(port["number"])) + hit


# --- time lines --------------------------------------------------------------------------------


def timelines_of(report: Report) -> str:
    scales = scales_of(report)
    parts = [legend_of(report)]
    for port in report["ports"]:
        plot = Plot(port, report["faults"], scales).svg()
        parts.append(element("article", element("h3", name_of(port)) + caption_of(port)
                             + element("div", plot, cls="plot", tabindex="0", role="region",
                                       aria_label=f"Time line of port {port['name']}")
                             + ends_of(port) + buckets_of(port), cls="port"))
    return section("Time lines", *parts)


def legend_of(report: Report) -> str:
    """The legend of the marks that occur."""
    ports, faults = report["ports"], report["faults"]
    roles = {end["role"] for port in ports for end in port["ends"]}
    entries = [(True, '<line x1="0" x2="22" y1="7" y2="7" class="p50"/>', "p50"),
               (True, '<line x1="0" x2="22" y1="7" y2="7" class="p99"/>', "p99"),
               (any(f["kind"] != "flood" and f["strikes"] for f in faults),
                '<path d="M8 2h6l-3 5z" class="fault-tick"/>'
                '<line x1="11" x2="11" y1="6" y2="14" class="fault-line"/>', "fault"),
               ("worker" in roles, '<path d="M6 12h10l-5 -10z" class="end worker"/>',
                "a worker ended"),
               ("keyholder" in roles, '<path d="M6 7l5 -5l5 5l-5 5z" class="end keyholder"/>',
                "a keyholder ended"),
               ("connector" in roles, '<path d="M6 2h10v10h-10z" class="end connector"/>',
                "a connector ended")]
    entries += [(any(port["totals"]["failures_by_kind"].get(kind) for port in ports),
                 f'<rect x="5" y="1" width="12" height="12" class="bar {kind}"/>', KINDS[kind])
                for kind in KINDS]
    items = "".join(element("li", f'<svg viewBox="0 0 22 14" aria-hidden="true">{mark}</svg>'
                            + html.escape(text)) for there, mark, text in entries if there)
    return element("ul", items, cls="legend", aria_label="Legend")


def caption_of(port: Report) -> str:
    load = port["load"]
    rate = f"{load['rate']:g} requests a second due" if load["rate"] else "as fast as they can"
    used = "a new connection for each" if load["connection"] == "new" else "connections kept alive"
    told = f"{plural(load['clients'], 'client')}, {rate}, {used}"
    held_back = port["totals"]["held_back"]
    if held_back:
        told += f"; {count_text(held_back)} were left out, as every client still waited"
    kinds = [f"{KINDS[kind]} ({count_text(count)})"
             for kind, count in port["totals"]["failures_by_kind"].items() if count]
    if kinds:
        told += f". Failures: {list_text(kinds)}"
    return paragraph(told + ".", "caption")


def ends_of(port: Report) -> str:
    """Why processes ended, with the server's records."""
    ends = port["ends"]
    if not ends:
        return ""
    rows = []
    for end in ends[:ENDS_SHOWN]:
        details = "".join(element("br") + element("code", html.escape(line))
                          for line in end["details"])
        rows.append([f"{end['at_s']:.2f} s", f"{end['role']} {end['number']}",
                     html.escape(end["cause"]), html.escape(end["text"]) + details])
    shown = "" if len(ends) <= ENDS_SHOWN else f", the first {ENDS_SHOWN}"
    content = table(f"Processes of port {port['name']} that ended{shown}",
                    ["at", "process", "cause", "what the log says"], rows, "words")
    return details_of(f"why {plural(len(ends), 'time')} a process ended", content)


def buckets_of(port: Report) -> str:
    """The picture as a table."""
    kinds = [kind for kind, count in port["totals"]["failures_by_kind"].items() if count]
    head = ["from", "answers/s", "p50", "p99", *kinds, "restarts"]
    rows = [[f"{b['at_s']:g} s", f"{b['rate']:g}", time_text(b["p50_s"]), time_text(b["p99_s"]),
             *(str(b["failures"].get(kind, 0)) for kind in kinds), str(b["restarts"])]
            for b in port["buckets"]]
    return details_of("the same as a table",
                      table(f"Port {port['name']} over time", head, rows))


def details_of(summary: str, content: str) -> str:
    return element("details", element("summary", html.escape(summary)) + content)


# --- bottom ------------------------------------------------------------------------------------


def notes_of(report: Report) -> str:
    terms = [
        ("passed", "every expectation that is required (expect in the scenario) was met; else the run "
                   "has failed. What is only reported (report in the scenario) decides nothing."),
        ("hit", "a port that something was done to; the others only had their ordinary load."),
        ("quiet", "before the first fault, without the first second where there are two; “under "
                  "faults” is from the first fault to the end. Without faults all of it is quiet."),
        ("did not notice", rule_text()),
        ("failed", "a request that was refused, broken off, not answered in time, or answered with "
                   "a status of 400 or more, or with what is no HTTP."),
        ("restart", "the end of a worker before the server was told to stop; from the server's log."),
        ("longest outage", "the longest time in which no request of the port was answered, from the "
                           "start to the end."),
        ("recovery", "from the end of a worker to the answer of a request begun after it; the "
                     "longest."),
    ]
    listed = "".join(element("dt", term) + element("dd", html.escape(text))
                     for term, text in terms)
    return section("How to read this", element("dl", listed), paragraph(generator_of(report)),
                   paragraph("All time lines share their scales."))


def footer_of(report: Report) -> str:
    machine = report["machine"]
    facts = [report["server"]["version"], f"scenario {report['scenario']}, seed {report['seed']}",
             f"{report['duration_s']:g} s from {report['began']}",
             f"{machine['system']}, {plural(machine['cpus'], 'processor')}", report["schema"]]
    return element("footer", paragraph(" · ".join(fact for fact in facts if fact)))
