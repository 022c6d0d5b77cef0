"""bulkhead-isolation: what its sentence, text and page say of figures that are made up here.

Nothing is measured, so nothing depends on how busy this machine is.
"""
import re
import subprocess
import sys

import pytest

from harness import TOP

sys.path.insert(0, str(TOP / "scripts"))

from isolation.client import KINDS  # noqa: E402
from isolation.faults import Strike  # noqa: E402
from isolation.load import Clients, Sample  # noqa: E402
from isolation.log import CAUSES, Event  # noqa: E402
from isolation.notice import ENOUGH, FACTOR, FIGURES  # noqa: E402
from isolation.page import page_of  # noqa: E402
from isolation.result import Run, report_of  # noqa: E402
from isolation.scenario import scenario_read  # noqa: E402
from isolation.summary import TOLD  # noqa: E402
from isolation.text import text_of  # noqa: E402

pytestmark = pytest.mark.any_build

BEGAN = 1_700_000_000.0
FIRST, DURATION = 10.0, 30.0
SCENARIO = f"""
title = "Made up"
duration = "{DURATION:g}s"
[port.shop]
[port.blog]
load = {{ connection = "new", rate = 20 }}
[port.mail]
load = {{ rate = 20 }}
[[fault]]
port = "shop"
at = "{FIRST:g}s"
signal = "KILL"
[expect]
others = ["failures == 0"]
[report]
others = ["p99-ratio <= 2"]
"""
NUMBERS = {"shop": 8000, "blog": 8001, "mail": 8002}


def answers(quiet=0.020, after=0.020, rate=20.0, rate_after=None, kind=""):
    """An even load: each answer took that long, before the first fault and from then on."""
    samples, at = [], 0.0
    while at < DURATION:
        took = quiet if at < FIRST else after
        samples.append(Sample(at, at + took, kind))
        at += 1 / (rate if at < FIRST or rate_after is None else rate_after)
    return samples


def sorted_samples(*parts):
    return sorted((s for part in parts for s in part), key=lambda sample: sample.ended)


class Made:
    """A run to be changed before its report is made."""

    def __init__(self, tmp_path, text=SCENARIO):
        path = tmp_path / "made.toml"
        path.write_text(text)
        self.scenario = scenario_read(path)
        self.clients = {p.name: Clients(answers(), late=[0.001] * 100) for p in self.scenario.ports}
        self.strikes = [Strike(n, f.times[0], "sent to 1")
                        for n, f in enumerate(self.scenario.faults)]
        self.events, self.busy, self.floods = [], 0.3, {}

    def end(self, name, at, role="worker", cause="crash"):
        self.events.append(Event(BEGAN + at, NUMBERS[name], "end", "ended", role, 1, 42, cause, 1.0))

    def report(self):
        return report_of(Run(self.scenario, BEGAN, "bulkhead 0", NUMBERS, self.clients, self.floods,
                             self.strikes, self.events, self.busy))

    def summary(self):
        return self.report()["summary"]


@pytest.fixture
def made(tmp_path):
    return Made(tmp_path)


# --- who noticed -------------------------------------------------------------------------------


def test_even_figures_were_not_noticed(made):
    report = made.report()
    assert report["summary"] == "Port shop was struck once; ports blog and mail did not notice."
    assert [p["noticed"] for p in report["ports"]] == [[], [], []]


def test_a_flood_that_slows_another_port_down_was_noticed(made):
    made.clients["blog"].samples = sorted_samples(answers(0.019, 0.019), answers(0.019, 0.117, 1.0))
    assert made.summary().endswith("port mail did not notice; port blog noticed: p99 rose from 19 ms "
                                   "to 117 ms.")


FLOORS = {"keep-alive": "floor", "new": "floor_new"}




@pytest.mark.parametrize("figure", FIGURES, ids=lambda f: f.name)
@pytest.mark.parametrize("connection", FLOORS)
def test_a_figure_has_risen_only_by_factor_and_floor(figure, connection):
    floor = getattr(figure, FLOORS[connection])
    small, large = floor / 100, floor * 100
    assert not figure.has_risen(small, small + 0.99 * floor, connection), "many times, yet little"
    assert figure.has_risen(small, small + 1.01 * floor, connection)
    assert not figure.has_risen(large, large * FACTOR * 0.99, connection), "much, yet not twice"
    assert figure.has_risen(large, large * FACTOR * 1.01, connection)
    assert not figure.has_risen(large, small, connection)


RISES = {
    "p50": ("blog", lambda: answers(0.010, 0.030), "p50 rose from 10 ms to 30 ms"),
    "p99": ("blog", lambda: sorted_samples(answers(), answers(0.02, 0.2, 1.0)),
            "p99 rose from 20 ms to 200 ms"),
    "one slow answer": ("blog", lambda: sorted_samples(answers(), [Sample(15.0, 16.5, "")]),
                        "slowest answer rose from 20 ms to 1.50 s"),
    "an outage": ("mail", lambda: [s for s in answers() if not 15 <= s.began < 16.5],
                  "longest time without an answer rose from 50 ms to 1.55 s"),
    "no answer any more": ("mail", lambda: [s for s in answers() if s.began < 12],
                           "longest time without an answer rose from 50 ms to 18 s"),
    "fewer answers": ("mail", lambda: answers(rate=50.0, rate_after=8.0),
                      "answers fell from 50 to 8.05 a second"),
    "a failure": ("mail", lambda: sorted_samples(answers(), [Sample(15.0, 15.1, "reset")]),
                  "1 of 601 requests failed"),
}


@pytest.mark.parametrize("rise", RISES)
def test_what_is_noticed_is_named_with_its_figures(rise, made):
    name, samples, words = RISES[rise]
    made.clients[name].samples = samples()
    summary = made.summary()
    assert re.search(rf"; port {name} noticed: [^;]*{re.escape(words)}", summary), summary
    assert f"port {'mail' if name == 'blog' else 'blog'} did not notice" in summary
    assert f"{name} did not" not in summary


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_failure_is_noticed(kind, made):
    made.clients["mail"].samples += [Sample(29.0, 29.5, kind)]
    assert "port mail noticed: 1 of 601 requests failed" in made.summary()


@pytest.mark.parametrize("role,words", [("worker", "1 worker restart"),
                                        ("keyholder", "1 keyholder restart"),
                                        ("connector", "1 connector restart")])
def test_each_end_of_a_process_is_noticed(role, words, made):
    made.end("blog", 20, role)
    assert f"port blog noticed: {words}." in made.summary()


def test_a_parked_port_has_noticed(made):
    made.events.append(Event(BEGAN + 20, NUMBERS["mail"], "parked", "PARKED"))
    assert "port mail noticed: it was parked." in made.summary()


def test_kept_connections_that_are_ended_are_noticed(made):
    made.clients["mail"].dropped = [15.0, 16.0]
    assert "port mail noticed: 2 of its kept connections ended between requests." in made.summary()
    made.clients["mail"].dropped = [5.0, 15.0, 16.0]  # as a time limit for idle ones does it
    assert "ports blog and mail did not notice." in made.summary()


def test_what_happened_before_the_first_fault_is_not_laid_to_it(made):
    made.clients["mail"].samples[5:6] = [Sample(0.3, 0.4, "reset")]
    made.end("blog", 4)
    assert made.summary().endswith(
        "port blog was not quiet: 1 worker restart before the first fault; "
        "port mail was not quiet: 1 of 600 requests failed before the first fault.")


def test_a_busy_machine_is_named_where_answers_were_slower(made):
    made.busy = 0.97
    assert "busy" not in made.summary()
    made.clients["blog"].samples = answers(0.010, 0.200)
    report = made.report()
    assert report["summary"].endswith("The machine was so busy that this alone can slow answers down.")
    assert any("97% busy" in w for w in report["warnings"])
    made.busy, made.clients["mail"].late = 0.5, [0.2] * 1000
    report = made.report()
    assert "so busy" in report["summary"] and any("ms late" in w for w in report["warnings"])


# --- what is not known -------------------------------------------------------------------------


def test_too_few_answers_are_no_proof(made):
    made.clients["mail"].samples = answers(rate=(ENOUGH - 20) / FIRST)
    summary = made.summary()
    assert "port blog did not notice" in summary and "mail did not" not in summary
    assert re.search(r"it is not known whether port mail noticed: its latency cannot be judged by \d+ "
                     r"answers before the first fault and \d+ from then on", summary), summary


def test_without_a_log_restarts_are_not_known(made):
    made.events = None
    summary = made.summary()
    assert "did not notice" not in summary and "restarted 0" not in summary
    assert summary.count("restarts are not known without the server's log") == 2
    made.clients["blog"].samples = answers(0.010, 0.200)
    assert "port blog noticed: p50 rose" in made.summary()


def test_a_port_without_clients_has_not_been_seen(tmp_path):
    made = Made(tmp_path, SCENARIO.replace("[port.mail]\nload = { rate = 20 }",
                                           "[port.mail]\nload = { clients = 0 }"))
    made.clients["mail"] = Clients()
    assert "it is not known whether port mail noticed: it had no clients." in made.summary()


def test_without_a_fault_nothing_is_said_of_noticing(tmp_path):
    text = re.sub(r"\[\[fault\]\]\n.*?(?=\[expect\])", "", SCENARIO, flags=re.S)
    made = Made(tmp_path, text)
    assert made.summary() == "Nothing was done to any port; no request failed."
    made.clients["mail"].samples[5:6] = [Sample(0.3, 0.4, "reset")]
    assert made.summary() == "Nothing was done to any port; port mail: 1 of 600 requests failed."


# --- those that were hit -----------------------------------------------------------------------


@pytest.mark.parametrize("cause", CAUSES)
def test_each_cause_of_an_end_has_its_words(cause, made):
    for at in (11, 12, 13):
        made.end("shop", at, cause=cause)
    assert made.summary().startswith(f"Port shop {TOLD[cause].format('3 times')}; ")


def test_what_clients_of_a_hit_port_saw_is_told(made):
    made.end("shop", 11)
    made.clients["shop"].samples = sorted_samples(answers(0.002, 0.090),
                                                  [Sample(11.0, 11.1, "reset")])
    assert made.summary().startswith(
        "Port shop crashed once and failed 1 of 601 requests (p50 rose from 2.0 ms to 90 ms, p99 rose "
        "from 2.0 ms to 90 ms); ")


@pytest.mark.parametrize("outcome", ["status 404", "status 400", "there was no worker",
                                     KINDS["refused"]])
def test_a_fault_that_came_to_nothing_is_no_strike(outcome, made):
    made.strikes = [Strike(0, FIRST, outcome)]
    report = made.report()
    assert report["summary"].startswith("Port shop was missed by 1 fault; ")
    assert any("came to nothing" in w for w in report["warnings"])


def test_a_flood_says_what_failed_of_it(tmp_path):
    made = Made(tmp_path, SCENARIO.replace('signal = "KILL"', 'flood = "handshakes"\nfor = "5s"'))
    flood = [Sample(11.0, 11.1, "")] * 40 + [Sample(12.0, 12.1, "timeout")] * 2
    made.floods = {(0, FIRST): Clients(flood)}
    assert made.summary().startswith("Port shop was flooded with 42 handshakes (2 failed); ")


# --- one vocabulary ----------------------------------------------------------------------------


@pytest.mark.parametrize("failed", [False, True])
def test_an_expectation_is_met_or_not_and_a_run_passed_or_failed(failed, made):
    if failed:
        made.clients["mail"].samples += [Sample(29.0, 29.5, "reset")]
    made.clients["blog"].samples = answers(0.010, 0.200)
    report = made.report()
    text, page = text_of(report), page_of(report)
    verdict = "not met" if failed else "met"
    assert text.splitlines()[0] == (
        "Made up: FAILED, 0 of 1 required expectation met" if failed
        else "Made up: passed, 1 of 1 required expectation met")
    required, reported = re.search(r"^Required:\n(.*)\nOnly reported, does not fail the run:\n(.*)$",
                                   text, re.M).groups()
    assert re.match(rf"  {verdict} +others: failures == 0 ", required)
    assert re.match(r"  not met +others: p99-ratio <= 2 ", reported)
    verdicts = re.findall(r'<td><span class="(\w+)">. ([^<]*)</span></td></tr>', page)
    assert verdicts == [("fail" if failed else "pass", verdict), ("noted", "not met")]
    assert re.findall(r"<td>(required|only reported)</td>", page) == ["required", "only reported"]
    assert not re.search(r"\bFAIL\b|\bpass\b", text)
    assert ("✗ Failed" if failed else "✓ Passed") in page
    assert [e["passed"] for e in report["expectations"]] == [not failed, False]
    assert report["passed"] is not failed


def test_the_page_explains_its_words(made):
    page = page_of(made.report())
    terms = re.findall(r"<dt>([^<]*)</dt>", page)
    assert {"passed", "hit", "quiet", "did not notice", "restart"} <= set(terms)
    rule = re.search(r"<dt>did not notice</dt><dd>([^<]*)</dd>", page)[1]
    for figure in FIGURES:
        assert figure.words in rule


def test_requests_that_were_left_out_are_told(made):
    assert "left out" not in page_of(made.report())
    made.clients["mail"].held_back = 120
    assert "120 were left out, as every client still waited" in page_of(made.report())


def test_the_manual_has_the_thresholds_and_every_member(made):
    manual = (TOP / "src" / "bulkhead-isolation.1").read_text()
    plain = subprocess.run(["mandoc", "-Tascii"], input=manual, capture_output=True, text=True)
    plain = re.sub(r".\x08", "", plain.stdout) if plain.returncode == 0 else manual
    plain = " ".join(plain.split())
    for figure in FIGURES:
        for floor in (figure.floor, figure.floor_new):
            assert f"{floor * 1000:g} ms" in plain, figure
    assert f"{ENOUGH} answers" in plain and "not met" in plain

    def members(value):
        if isinstance(value, dict):
            return set(value) - set(NUMBERS) | {m for v in value.values() for m in members(v)}
        return {m for v in value for m in members(v)} if isinstance(value, list) else set()

    made.end("blog", 20)
    made.clients["blog"].samples = answers(0.010, 0.200)
    for member in members(made.report()) - set(KINDS) - set(CAUSES):
        assert re.search(rf"(?<![\w-]){member}(?![\w-])", manual), member


