"""scripts/names, which each link of ours runs: it finds names that are defined twice."""
import shutil
import subprocess

import pytest

from harness import TIMEOUT, TOP

NAMES = TOP / "scripts" / "names"
# Of the C library: nobody has to link anything for it.
LIBRARYS = "int ffsll(long long i) { return (int)i; }\n"


@pytest.fixture
def linked(tmp_path):
    """A function: links main() with these sources; returns the output of scripts/names for the
    program."""
    if shutil.which("cc") is None or shutil.which("nm") is None:
        pytest.skip("there is no compiler")

    def link(archived=(), **sources):
        sources = {"main": "int main(void) { return 0; }\n", **sources}
        for name, text in sources.items():
            (tmp_path / f"{name}.c").write_text(text)
            subprocess.run(["cc", "-fno-builtin", "-c", f"{name}.c"], cwd=tmp_path, check=True)
        objects = [f"{name}.o" for name in sources if name not in archived]
        if archived:
            subprocess.run(["ar", "rcs", "our.a", *(f"{name}.o" for name in archived)],
                           cwd=tmp_path, check=True)
            objects.append("our.a")
        subprocess.run(["cc", "-o", "program", *objects], cwd=tmp_path, check=True)
        return subprocess.run([NAMES, "nm", "./program", *objects], cwd=tmp_path, text=True,
                              capture_output=True, timeout=TIMEOUT)
    return link


def test_names_of_ones_own(linked):
    r = linked(archived=["more"], other="int ours_alone;\nstatic int ffsll;\n"
                                        "int *it(void) { return &ffsll; }\n",
               more="int ours_too(void) { return 1; }\n")
    assert (r.returncode, r.stderr) == (0, "")


def test_a_librarys_name(linked):
    for archived in ([], ["other"]):
        r = linked(archived=archived, other=LIBRARYS)
        assert r.returncode == 1
        assert r.stderr.startswith("./program: defined by /"), r.stderr
        assert r.stderr.endswith(", too: ffsll\n"), r.stderr


def test_a_name_of_two_of_ones_own_files(linked):
    """A name of an object, and the same name in an archive's member that is linked for another
    reason."""
    r = linked(archived=["more"], other="int twice(void) { return 1; }\n",
               more="int twice(void) { return 2; }\n")
    assert r.returncode == 1
    assert r.stderr == "./program: defined twice in its own files: twice\n"
