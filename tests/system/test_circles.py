"""scripts/circles: files of a folder that call each other, from the objects of a build."""
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "circles"
pytestmark = pytest.mark.any_build


class Objects:
    """A build of small files: calls("net", a="b", b="") makes net/a.o, which calls the function of net/b.o."""

    def __init__(self, build):
        self.build = build

    def calls(self, folder, **files):
        place = self.build / "obj" / folder
        place.mkdir(parents=True, exist_ok=True)
        for name, callees in files.items():
            callees = callees.split()
            text = "".join(f"void {c}(void);\n" for c in callees)
            text += f"void {name}(void);\nvoid {name}(void)\n{{\n" + "".join(f"\t{c}();\n" for c in callees) + "}\n"
            subprocess.run(["cc", "-x", "c", "-c", "-o", place / f"{name}.o", "-"], input=text, text=True,
                           check=True)

    def circles(self, *arguments, script=SCRIPT):
        return subprocess.run([sys.executable, script, *arguments], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)


@pytest.fixture
def objects(tmp_path):
    if shutil.which("cc") is None or shutil.which("nm") is None:
        pytest.skip("needs cc and nm")
    return Objects(tmp_path)


def test_a_circle_is_shown_with_its_files(objects):
    objects.calls("net", a="b", b="c", c="a d", d="")
    done = objects.circles(objects.build)
    assert (done.returncode, done.stdout) == (0, "net: 3 files call each other: a.c b.c c.c\n")


def test_files_that_only_call_downwards_are_none(objects):
    objects.calls("net", a="b c", b="c", c="")
    assert objects.circles(objects.build).stdout == ""


def test_a_pointer_to_data_or_to_a_function_counts_as_a_call(objects):
    place = objects.build / "obj" / "net"
    place.mkdir(parents=True)
    for name, text in {"a": "extern int *b; int *a(void) { return b; } ", "b": "int *a(void); int *(*b)(void) = a;"}.items():
        subprocess.run(["cc", "-x", "c", "-c", "-o", place / f"{name}.o", "-"], input=text, text=True, check=True)
    assert objects.circles(objects.build).stdout == "net: 2 files call each other: a.c b.c\n"


def test_each_circle_counts_by_itself_and_the_largest_comes_first(objects):
    objects.calls("net", a="b", b="a", c="d", d="e a", e="c")
    assert objects.circles(objects.build).stdout == ("net: 3 files call each other: c.c d.c e.c\n"
                                                      "net: 2 files call each other: a.c b.c\n")


def test_subfolders_belong_to_their_folder_and_other_folders_do_not(objects):
    objects.calls("master", a="b")
    objects.calls("master/child", b="a x")
    objects.calls("net", x="a")
    objects.calls(".", main="a")
    done = objects.circles(objects.build)
    assert done.stdout == "master: 2 files call each other: a.c child/b.c\n"
    assert objects.circles(objects.build, "net").stdout == ""
    assert objects.circles(objects.build, "nothing").returncode != 0


def test_a_circle_larger_than_allowed_fails(objects):
    objects.calls("net", a="b", b="a")
    assert objects.circles("--check", objects.build).returncode == 0
    objects.calls("net", a="b", b="c", c="a")
    done = objects.circles("--check", objects.build)
    assert done.returncode == 1
    assert done.stdout == "net: 3 files call each other, of at most 2: a.c b.c c.c\n"


def test_the_table_decides_how_many_are_allowed(objects, tmp_path):
    objects.calls("net", a="b", b="c", c="a")
    looser = tmp_path / "circles"
    looser.write_text(re.sub(r"(?m)^LIMITS = \{$", 'LIMITS = {\n    "net": 3,', SCRIPT.read_text()))
    assert objects.circles("--check", objects.build, script=looser).returncode == 0
    objects.calls("net", a="b", b="c", c="d", d="a")
    assert objects.circles("--check", objects.build, script=looser).returncode == 1


def test_a_build_without_objects_is_an_error(objects):
    done = objects.circles("--check", objects.build)
    assert done.returncode != 0 and "build first" in done.stdout


def test_an_object_whose_source_is_gone_is_left_out(objects):
    objects.calls("net", a="b", b="a")
    (objects.build / "obj/net/a.d").write_text("obj/net/a.o: src/net/gone.c include/net/a.h\n")
    assert objects.circles(objects.build).stdout == ""
