"""One table names every counter (include/ipc/counters.h): the status, bulkheadctl, the log and the
manual show its rows, and no others."""
import json
import re
import signal

import pytest

from harness import TOP, get, wait_for
from test_control import controlled, ctl  # noqa: F401 (a fixture)

ROW = re.compile(r'\b(ONE|MANY)\((\w+), (?:\w+, \w+, )?([A-Z]+),\s*"([^"]*)",\s*"([^"]*)",\s*"([^"]*)",'
                 r'\s*"([^"]*)"\)')


@pytest.fixture(scope="module")
def rows():
    """Each row of the table: name, kind, logged, title, unit, help."""
    text = (TOP / "include/ipc/counters.h").read_text()
    table = text[text.index("#define IPC_COUNTER_LIST"):text.index("enum ipc_kind")]
    table = table.replace("\\\n", " ")
    found = [m.groups()[1:] for m in ROW.finditer(table)]
    assert len(found) == len(re.findall(r"\b(?:ONE|MANY)\(\w+, ", table)) > 10
    return found


def summed(rows):
    return [r for r in rows if r[1] not in ("GAUGE", "HISTOGRAM")]


def test_the_manual_lists_every_counter_with_its_sentence(rows):
    page = (TOP / "src/ctl/bulkheadctl.8").read_text()
    listed = re.search(r"\.It Li counters\n.*?\.Bl .*?\n(.*?)\.El\n", page, re.S)[1]
    assert re.findall(r"\.It Li (\w+)\n(.*(?:\n[^.].*)*)\n", listed) == [(r[0], r[5]) for r in summed(rows)]


def test_every_row_has_all_its_words(rows):
    for name, kind, logged, title, unit, sentence in rows:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name) and re.fullmatch(r"[a-z][a-z0-9_]*", logged)
        assert kind in ("GAUGE", "SUM", "REASONS", "CLASSES", "HISTOGRAM")
        assert title and unit and sentence.endswith(".")
    for column in (0, 2, 3):
        assert len({r[column] for r in rows}) == len(rows)


def test_the_status_has_the_rows_in_their_order(controlled, ports, rows):
    s = controlled(f'port {ports[0]} {{ respond 200 }}\n')
    get(ports[0])
    wait_for(lambda: json.loads(ctl(s, "status", "--json").stdout)["ports"][0]["counters"]["requests"] == 1,
             "the request")
    port = json.loads(ctl(s, "status", "--json").stdout)["ports"][0]
    assert list(port["counters"]) == [r[0] for r in summed(rows)]
    for name, kind, *_ in rows:
        value = port.get(name) if kind in ("GAUGE", "HISTOGRAM") else port["counters"][name]
        assert isinstance(value, dict) == (kind not in ("GAUGE", "SUM")), name


def test_bulkheadctl_shows_each_by_its_title(controlled, ports, rows):
    s = controlled(f'port {ports[0]} {{ respond 200 }}\n')
    shown = re.findall(r"(?m)^  ([a-z ]+): ", ctl(s, "status", ports[0]).stdout)
    titles = [r[3] for r in summed(rows)]
    assert [t for t in shown if t in titles] == titles


def test_the_log_has_each_by_its_name_there(controlled, ports, rows):
    s = controlled(f'port {ports[0]} {{ respond 200 }}\n')
    get(ports[0])
    s.kill(signal.SIGUSR1)
    line = s.wait_log(r"status: serving: .*\n")[0].group()
    names = re.findall(r" ([a-z0-9_]+)=", line)
    single = [r[2] for r in rows if r[1] in ("GAUGE", "SUM")]
    assert [n for n in names if n in single] == single
    assert [n for n in names if n.startswith("responses_")] == [
        "responses_2xx", "responses_3xx", "responses_4xx", "responses_5xx", "responses_none"]
    assert names[0] == "restarts" and names[-1] == "latency_us"


USE = re.compile(r'\b(?:ONE|MANY)\((\w+), (?:\w+, \w+, )?[A-Z]+,\s*"[^"]*",\s*"[^"]*",\s*"([^"]*)"\)')


@pytest.mark.parametrize("table", ("IPC_UPSTREAM_LIST", "IPC_ENDPOINT_LIST"))
def test_the_manual_lists_what_is_counted_about_upstreams(table):
    text = (TOP / "include/ipc/use.h").read_text()
    text = re.search(rf"#define {table}\(ONE, MANY\)(.*?)\n\n", text, re.S)[1].replace("\\\n", " ")
    rows = USE.findall(text)
    assert len(rows) == len(re.findall(r"\b(?:ONE|MANY)\(", text)) > 5
    page = (TOP / "src/ctl/bulkheadctl.8").read_text()
    page = page[page.index(".It Li upstreams\n"):]
    listed = [(name, " ".join(said.replace("\n.Ic fail\n", " `fail` ").split()))
              for name, said in re.findall(r"\.It Li (\w+)\n((?:(?!\.It|\.El).*\n)*)", page)]
    at = listed.index(rows[0])
    assert listed[at:at + len(rows)] == rows
