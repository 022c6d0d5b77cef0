"""The picture of one port: a time line of answers, latencies, failures and restarts, as SVG.

Colours are classes, so that the page's style sheet decides about light and dark. All ports share
their scales: a flat line means a calm port, not a large scale.
"""
import dataclasses
import html
import math
from typing import Any

from .client import KINDS
from .units import count_text, list_text, plural, time_text, times_text

WIDTH, LEFT, RIGHT = 960.0, 62.0, 46.0
ROW = 20.0  # a line of labels
RATE_HEIGHT, LATENCY_HEIGHT, FAILURES_HEIGHT, ENDS_HEIGHT = 84.0, 96.0, 56.0, 22.0
GAP = 34.0
LABEL_CHARACTER = 7.0  # the approximate width of a character in labels
LABEL_MAX = 64
MANY = 12  # marks: more are drawn faintly
# of the end of a process, by its role
MARKS = {"worker": "M-5 0h10l-5 -10z", "keyholder": "M-5 -5l5 -5l5 5l-5 5z", "connector": "M-4 -9h8v8h-8z"}

Port = dict[str, Any]
Point = tuple[float, float]


def element(name: str, content: str | None = None, **attributes: Any) -> str:
    """An element; content is markup, None is none. x_y is the attribute x-y, cls class."""
    written = "".join(
        f' {"class" if key == "cls" else key.replace("_", "-")}="{attribute_text(value)}"'
        for key, value in attributes.items() if value is not None)
    return f"<{name}{written}/>" if content is None else f"<{name}{written}>{content}</{name}>"


def attribute_text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    return html.escape(str(value))


def label(text: str, x: float, y: float, cls: str = "label", anchor: str | None = None) -> str:
    return element("text", html.escape(text), x=x, y=y, cls=cls, text_anchor=anchor)


def hint(text: str) -> str:
    return element("title", html.escape(text))


# --- scales ------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Scales:
    """The common properties of all pictures of a report."""
    duration: float
    bucket: float
    rate: float
    failures: float
    latency_low: float  # powers of ten, in seconds
    latency_high: float

    def x(self, at: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * min(max(at / self.duration, 0.0), 1.0)

    def latency_share(self, seconds: float) -> float:
        low, high = math.log10(self.latency_low), math.log10(self.latency_high)
        return (math.log10(max(seconds, self.latency_low)) - low) / (high - low)

    def latency_ticks(self) -> list[float]:
        low, high = round(math.log10(self.latency_low)), round(math.log10(self.latency_high))
        return [10.0**power for power in range(low, high + 1)]


def scales_of(report: dict[str, Any]) -> Scales:
    buckets = [bucket for port in report["ports"] for bucket in port["buckets"]]
    latencies = [b[name] for b in buckets for name in ("p50_s", "p99_s") if b[name]] or [0.001]
    low = 10.0**math.floor(math.log10(min(latencies)))
    high = 10.0**math.ceil(math.log10(max(latencies)) + 1e-9)
    return Scales(report["duration_s"], report["bucket_s"],
                  round_up(1.05 * max(b["rate"] for b in buckets)),
                  round_up(max(sum(b["failures"].values()) for b in buckets)),
                  low, max(high, low * 10))


def round_up(value: float) -> float:
    """The next number that reads well and can be halved."""
    if value <= 0:
        return 2.0
    magnitude = 10.0**math.floor(math.log10(value))
    return max(2.0, next(m * magnitude for m in (1, 2, 4, 6, 8, 10) if m * magnitude >= value))


def time_step(duration: float) -> float:
    steps = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
    return next((step for step in steps if duration / step <= 12), duration / 10)


# --- the picture -------------------------------------------------------------------------------


class Plot:
    """One picture, built from the top downwards."""

    def __init__(self, port: Port, faults: list[dict[str, Any]], scales: Scales):
        self.port, self.scales = port, scales
        self.own = [f for f in faults if f["port"] == port["name"] and f["strikes"]]
        self.foreign = [f for f in faults if f["port"] != port["name"] and f["strikes"]]
        self.y = 6.0
        self.behind: list[str] = []
        self.parts: list[str] = []

    def svg(self) -> str:
        marks_top = self._fault_labels()
        self._rate()
        self._latency()
        self._failures()
        self._ends()
        bottom = self.y
        self._fault_marks(marks_top, bottom)
        self._time_axis()
        name = f"plot-{html.escape(self.port['name'])}"
        head = (element("title", html.escape(f"Time line of port {self.port['name']}"),
                        id=f"{name}-title")
                + element("desc", html.escape(description_of(self.port, self.own)),
                          id=f"{name}-desc"))
        return element("svg", head + "".join(self.behind) + "".join(self.parts), role="img",
                       viewBox=f"0 0 {WIDTH:.0f} {self.y:.0f}",
                       aria_labelledby=f"{name}-title {name}-desc")

    def _add(self, *parts: str) -> None:
        self.parts += parts

    # --- faults ---

    def _fault_labels(self) -> float:
        """A row for each fault of this port, or one for those of others; returns their top."""
        top, side = self.y, self._label_side()
        for fault in self.own:
            self._add(label(fault_text(fault), self._first(fault) + 8 * side, self.y + 14,
                            "fault-label", "end" if side < 0 else None))
            if fault["kind"] != "flood":
                self._add(*(self._tick(strike, fault) for strike in fault["strikes"]))
            self.y += ROW
        if not self.own and self.foreign:
            begin, _ = self._foreign_span()
            self._add(label(f"faults on {list_text(self._foreign_names())}",
                            self.scales.x(begin) + 6, self.y + 14, "foreign-label"))
            self.y += ROW
        self.y += GAP - 12
        return top

    def _label_side(self) -> int:
        """Puts all labels to the left of the first marks if they fit, where the picture is
        quiet."""
        fits = all(self._first(fault) - 8 - LEFT > len(fault_text(fault)) * LABEL_CHARACTER
                   for fault in self.own)
        return -1 if fits else 1

    def _first(self, fault: dict[str, Any]) -> float:
        return self.scales.x(fault["strikes"][0]["at_s"])

    def _tick(self, strike: dict[str, Any], fault: dict[str, Any]) -> str:
        x = self.scales.x(strike["at_s"])
        told = f"{strike['at_s']:.2f} s: {fault['label']}: {strike['outcome']}"
        return element("path", hint(told), d=f"M{x - 3:.1f} {self.y + ROW - 3:.1f}h6l-3 5z",
                       cls="fault-tick")

    def _foreign_names(self) -> list[str]:
        return list(dict.fromkeys(fault["port"] for fault in self.foreign))

    def _foreign_span(self) -> tuple[float, float]:
        begins = [f["strikes"][0]["at_s"] for f in self.foreign]
        ends = [f["strikes"][-1]["at_s"] + (f["lasts_s"] or 0.0) for f in self.foreign]
        return min(begins), max(ends)

    def _fault_marks(self, top: float, bottom: float) -> None:
        """The marks and bands that run behind the panels."""
        if not self.own and self.foreign:
            begin, end = self._foreign_span()
            self._band(begin, max(end, begin + self.scales.bucket), top, bottom, "foreign-band")
        count = sum(len(fault["strikes"]) for fault in self.own)
        line = "fault-line many" if count > MANY else "fault-line"
        for number, fault in enumerate(self.own):
            row = top + ROW * (number + 1)
            for strike in fault["strikes"]:
                if fault["kind"] == "flood":
                    self._band(strike["at_s"], strike["at_s"] + fault["lasts_s"], row - ROW,
                               bottom, "flood-band")
                else:
                    x = self.scales.x(strike["at_s"])
                    self.behind.append(element("line", x1=x, x2=x, y1=row, y2=bottom, cls=line))

    def _band(self, begin: float, end: float, top: float, bottom: float, cls: str) -> None:
        x = self.scales.x(begin)
        self.behind.append(element("rect", x=x, y=top, width=self.scales.x(end) - x,
                                   height=bottom - top, cls=cls))

    # --- panels ---

    def _panel(self, height: float, title: str, ticks: list[tuple[float, str]]) -> float:
        """A frame with lines at shares of its height; returns its lower edge."""
        lower = self.y + height
        self._add(label(title, LEFT, self.y - 8, "panel-title"))
        for share, text in ticks:
            y = lower - height * share
            self._add(element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y,
                              cls="axis" if share == 0 else "grid"),
                      label(text, LEFT - 8, y + 3.5, "tick", "end"))
        self.y = lower + GAP
        return lower

    def _rate(self) -> None:
        top = self.scales.rate
        lower = self._panel(RATE_HEIGHT, "answers per second",
                            [(0, "0"), (0.5, number_text(top / 2)), (1, number_text(top))])
        steps = []
        for bucket in self.port["buckets"]:
            y = lower - RATE_HEIGHT * min(bucket["rate"] / top, 1.0)
            left = self.scales.x(bucket["at_s"])
            right = self.scales.x(bucket["at_s"] + self.scales.bucket)
            steps += [f"{left:.1f} {y:.1f}", f"{right:.1f} {y:.1f}"]
        line = "M" + "L".join(steps)
        area = f"{line}V{lower:.1f}H{LEFT:.1f}Z"
        self._add(element("path", d=area, cls="rate-area"), element("path", d=line, cls="rate"))

    def _latency(self) -> None:
        scales = self.scales
        ticks = [(scales.latency_share(t), tick_time(t)) for t in scales.latency_ticks()]
        lower = self._panel(LATENCY_HEIGHT, "latency of what was answered, logarithmic", ticks)
        ends: list[tuple[float, str]] = []
        for name in ("p50", "p99"):
            runs = self._latency_runs(f"{name}_s", lower)
            self._add(*(element("path", d=path_of(run), cls=name) for run in runs))
            if runs:
                ends.append((runs[-1][-1][1] + 3.5, name))
        if len(ends) == 2 and ends[0][0] - ends[1][0] < 12:
            middle = (ends[0][0] + ends[1][0]) / 2
            ends = [(middle + 6, "p50"), (middle - 6, "p99")]
        self._add(*(label(name, WIDTH - RIGHT + 6, y, f"{name}-name") for y, name in ends))

    def _latency_runs(self, name: str, lower: float) -> list[list[Point]]:
        """The points of a line, with gaps at times without answers."""
        runs: list[list[Point]] = [[]]
        for bucket in self.port["buckets"]:
            if bucket[name] is None:
                runs.append([])
                continue
            x = self.scales.x(bucket["at_s"] + self.scales.bucket / 2)
            runs[-1].append((x, lower - LATENCY_HEIGHT * self.scales.latency_share(bucket[name])))
        return [run for run in runs if run]

    def _failures(self) -> None:
        top = self.scales.failures
        lower = self._panel(FAILURES_HEIGHT, f"failures per {time_text(self.scales.bucket)}",
                            [(0, "0"), (1, number_text(top))])
        for bucket in self.port["buckets"]:
            left = self.scales.x(bucket["at_s"]) + 0.5
            width = self.scales.x(bucket["at_s"] + self.scales.bucket) - left - 0.5
            y = lower
            for kind in KINDS:
                count = bucket["failures"].get(kind, 0)
                if count:
                    height = FAILURES_HEIGHT * count / top
                    y -= height
                    told = f"{bucket['at_s']:g} s: {count} {KINDS[kind]}"
                    self._add(element("rect", hint(told), x=left, y=y, width=width,
                                      height=height, cls=f"bar {kind}"))
        if not self.port["totals"]["failures"]:
            self._add(label("none", LEFT + 8, lower - FAILURES_HEIGHT / 2 + 4, "calm"))

    def _ends(self) -> None:
        """A lane with a mark for each process that ended."""
        top = self.y
        lower = top + ENDS_HEIGHT
        self._add(label("restarts", LEFT, top - 8, "panel-title"),
                  element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=lower, y2=lower, cls="axis"))
        if self.port["totals"]["restarts"] is None:
            self._add(label("not known without the server's log", LEFT + 8, top + 14, "calm"))
        elif not self.port["ends"]:
            self._add(label("none", LEFT + 8, top + 14, "calm"))
        for end in self.port["ends"]:
            x, y = self.scales.x(end["at_s"]), lower - 4
            shape = MARKS[end["role"]]
            self._add(element("path", hint(f"{end['at_s']:.2f} s: {end['text']}"), d=shape,
                              transform=f"translate({x:.1f} {y:.1f})",
                              cls=f"end {end['role']}"))
        self.y = lower

    def _time_axis(self) -> None:
        step = time_step(self.scales.duration)
        count = int(self.scales.duration / step + 1e-9)
        for n in range(count + 1):
            x = self.scales.x(n * step)
            self._add(element("line", x1=x, x2=x, y1=self.y, y2=self.y + 4, cls="axis"),
                      label(f"{n * step:g} s", x, self.y + 17, "tick", "middle"))
        self.y += 24


def path_of(points: list[Point]) -> str:
    if len(points) == 1:
        (x, y), = points
        return f"M{x - 1.5:.1f} {y:.1f}h3"
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def number_text(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:g}"


def tick_time(seconds: float) -> str:
    """A power of ten."""
    for unit, factor in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= factor * 0.999:
            return f"{seconds / factor:,.0f} {unit}"
    return f"{seconds:g} s"


def fault_text(fault: dict[str, Any]) -> str:
    text: str = fault["label"]
    if len(text) > LABEL_MAX:
        text = text[:LABEL_MAX - 1] + "…"
    if fault["flood"]:
        return f"{text}: {count_text(fault['flood']['done'])} done"
    return text if len(fault["strikes"]) == 1 else f"{text} ×{len(fault['strikes'])}"


def description_of(port: Port, faults: list[dict[str, Any]]) -> str:
    """The picture in words."""
    totals, latency = port["totals"], port["latency"]
    told = [f"{plural(totals['answered'], 'answer')} and {plural(totals['failures'], 'failure')}"]
    if totals["restarts"] is not None:
        told.append(plural(totals["restarts"], "restart"))
    told += [f"p99 {time_text(latency[when]['p99_s'])} {words}" for when, words in
             (("quiet", "before the first fault"), ("under_faults", "from then on"))
             if latency[when]["p99_s"] is not None]
    told += [f"fault {fault['label']} {times_text(len(fault['strikes']))} from "
             f"{fault['strikes'][0]['at_s']:.1f} s on" for fault in faults]
    return "; ".join(told) + ". The table below has the figures."
