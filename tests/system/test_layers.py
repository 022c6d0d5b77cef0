"""scripts/layers: which folder, and which floor of a folder, may include headers of which other one."""
import pathlib
import re
import subprocess

import pytest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "layers"
pytestmark = pytest.mark.any_build


@pytest.fixture
def layers(tmp_path):
    """layers(file=header, ...): what the script says of files that include these, and its status."""
    script = tmp_path / "scripts" / "layers"
    script.parent.mkdir()
    script.write_text(SCRIPT.read_text())
    script.chmod(0o755)
    for public in ("master/master.h", "conf/conf.h", "http/request.h"):
        path = tmp_path / "include" / public
        path.parent.mkdir(parents=True)
        path.write_text("")

    def judge(files):
        for name, header in files.items():
            path = tmp_path / "src" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f'#include "{header}"\n')
        done = subprocess.run([script], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              check=False)
        return done.returncode, done.stdout
    return judge


FLOORS = ["pure", "ground", "child", "port", "change", "upgrade", "control"]


@pytest.mark.parametrize("low, high", [(low, high) for i, low in enumerate(FLOORS) for high in FLOORS[i + 1:]])
def test_a_floor_includes_those_below_it_alone(layers, low, high):
    assert layers({f"master/{high}/a.c": f"master/{low}/{low}.h"}) == (0, "")
    status, said = layers({f"master/{low}/a.c": f"master/{high}/{high}.h"})
    assert status == 1
    assert f"src/master/{low}/a.c:1: master/{low} may not include master/{high}: " in said


def test_the_top_includes_every_floor_and_its_own(layers):
    files = {f"master/{f}.c": f"master/{f}/{f}.h" for f in FLOORS}
    assert layers({**files, "master/a.c": "master/top.h"}) == (0, "")


@pytest.mark.parametrize("floor", FLOORS)
def test_no_floor_includes_the_top(layers, floor):
    assert layers({f"master/{floor}/a.c": "master/master.h"}) == (0, "")  # of include/
    status, said = layers({f"master/{floor}/a.c": "master/top.h"})
    assert status == 1 and f"master/{floor} may not include what is on top of it" in said


def test_a_floor_is_of_its_folder_alone(layers):
    assert layers({"selftest/a.c": "master/master.h"}) == (0, "")
    status, said = layers({"selftest/a.c": "master/child/child.h"})
    assert status == 1 and "belongs to src/master alone" in said


def test_a_new_floor_needs_a_row(layers):
    status, said = layers({"master/attic/a.c": "base/err.h"})
    assert status == 1 and "floor master/attic has no row" in said


def test_folders_are_judged_as_before(layers):
    assert layers({"master/port/a.c": "conf/conf.h"}) == (0, "")
    status, said = layers({"master/port/a.c": "http/request.h"})
    assert status == 1 and "master may not include http" in said


def test_every_floor_of_the_table_is_there_and_has_its_page():
    floors = [line.split('"')[1] for line in SCRIPT.read_text().splitlines() if line.startswith('\tfloor["')]
    assert floors
    for floor in floors:
        assert (SCRIPT.parents[1] / "src" / floor / "README.md").is_file(), floor


def test_the_state_of_a_port_is_written_in_one_line():
    """A child and a client of the control socket have states of their own: c->state; so has what is known of an
    endpoint's health."""
    found = [f"{path.name}: {line.strip()}"
             for path in sorted((SCRIPT.parents[1] / "src" / "master").rglob("*.c"))
             for line in path.read_text().splitlines()
             if re.search(r"(?<!\bc)(?<!\bto)(?<!{)(->|\.)state\s*=[^=]", line) and "CLIENT_" not in line]
    assert found == ["port.c: p->state = state;"]
