"""scripts/check: what it says of its steps, what it hands to them, and what it fails for.

A source tree of stubs is checked: what they print is what tools print."""
import os
import pathlib
import re
import subprocess
import sys

import pytest

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "scripts"
pytestmark = pytest.mark.any_build


def count(tmp_path, step, log, status=0):
    """((passed, failed, skipped), {reason: number}) of a step with this output."""
    path = tmp_path / "log"
    path.write_bytes(log if isinstance(log, bytes) else log.encode())
    done = subprocess.run([SCRIPTS / "count", step, path, str(status)], capture_output=True, check=True)
    lines = done.stdout.decode(errors="replace").splitlines()
    reasons = dict(reversed(line.split(" ", 1)) for line in lines[1:])
    return tuple(map(int, lines[0].split())), {r: int(n) for r, n in reasons.items()}


# --- counting -------------------------------------------------------------------------------------

PYTEST = """\
....s..s.s
=========================== short test summary info ============================
SKIPPED [2] tests/system/test_tls.py:691: needs gnutls-cli
SKIPPED [1] tests/system/browser.py:25: needs Chromium
SKIPPED [3] tests/system/test_selftest.py: needs Chromium
SKIPPED [1] tests/system/test_container.py:39: no read-only container: a: b
12 passed, 7 skipped, 4 deselected in 100.10s (0:01:40)
"""


def test_pytest_s_skips_are_counted_by_reason(tmp_path):
    assert count(tmp_path, "gcc-system", PYTEST) == ((12, 0, 7), {
        "needs gnutls-cli": 2, "needs Chromium": 4, "no read-only container: a: b": 1})


@pytest.mark.parametrize("last, expected", [
    ("1 passed in 1.00s", (1, 0, 0)),
    ("2 failed, 10 passed, 3 skipped, 1 error in 9.99s", (10, 3, 3)),
    ("2 failed, 1 warning, 4 errors in 9.99s", (0, 6, 0)),
    ("=== 5 passed, 1 skipped in 1.00s ===", (5, 0, 1)),
    ("no tests ran in 0.01s", (0, 1, 0)),
    ("3 deselected in 0.01s", (0, 1, 0)),
    ("", (0, 1, 0)),
])
def test_pytest_s_last_line_is_read(tmp_path, last, expected):
    status = 0 if expected[1] == 0 else 1
    assert count(tmp_path, "san-system", last + "\n", status)[0] == expected


@pytest.mark.parametrize("name", ["", "tests: ", "tls key: "])
def test_unit_tests_are_counted_in_the_words_of_both_releases(tmp_path, name):
    log = f"""\
[==========] tests: Running 3 test(s).
[ RUN      ] a_thing
skip: needs root
[  SKIPPED ] a_thing
[  PASSED  ] 2 test(s).
[  SKIPPED ] {name}1 test(s), listed below:
[  SKIPPED ] a_thing

 1 SKIPPED TEST(S)
[  PASSED  ] 38 test(s).
[  FAILED  ] {name}2 test(s), listed below:
[  FAILED  ] another_thing
"""
    assert count(tmp_path, "clang-unit", log, 1) == ((40, 2, 1), {"needs root": 1})


def test_a_skip_without_a_reason_is_said_to_have_none(tmp_path):
    log = "[  PASSED  ] 2 test(s).\n[  SKIPPED ] 1 test(s), listed below:\n[  SKIPPED ] a_thing\n"
    assert count(tmp_path, "gcc-unit", log) == ((2, 0, 1), {"no reason was given": 1})


def test_a_step_that_counts_for_itself_is_believed(tmp_path):
    log = """\
ok    it installs and starts (3.1 s)
skip  it is upgraded: needs that it runs
      a note
skip  it is removed: needs that it runs
skip  the sandbox: no Landlock here: ABI 0
1 passed, 0 failed, 3 skipped
"""
    assert count(tmp_path, "check-deb", log) == (
        (1, 0, 3), {"needs that it runs": 2, "no Landlock here: ABI 0": 1})
    assert count(tmp_path, "systemd", "skipped: needs root\n0 passed, 0 failed, 1 skipped\n") == (
        (0, 0, 1), {"needs root": 1})
    assert count(tmp_path, "format", "skipped: another version\n0 passed, 0 failed, 1 skipped\n") == (
        (0, 0, 1), {"another version": 1})


def test_a_check_within_a_check_is_read(tmp_path):
    log = """\
ok    gcc-build          1 passed, 30s
ok    gcc-unit           400 passed, 3 skipped, 6s
      skipped 2 (needs root (all of it))
      skipped 1 (no Landlock)
skip  format             0 passed, 1 skipped, 0s
      skipped 1 (needs clang-format 14)
401 passed, 0 failed, 4 skipped
"""
    assert count(tmp_path, "trixie", log) == ((401, 0, 4), {
        "needs root (all of it)": 2, "no Landlock": 1, "needs clang-format 14": 1})


@pytest.mark.parametrize("step", ["gcc-build", "format", "fuzz-conf", "check-deb", "gcc-unit", "gcc-system"])
def test_a_step_that_crashed_has_failed_whatever_it_has_said(tmp_path, step):
    for log in ("", "[  PASSED  ] 5 test(s).\n5 passed, 0 failed, 1 skipped\n"):
        assert count(tmp_path, step, log, 139)[0][1] == 1


@pytest.mark.parametrize("step", ["gcc-unit", "gcc-system"])
def test_a_step_that_should_have_had_tests_has_failed_without(tmp_path, step):
    assert count(tmp_path, step, "nothing\n") == ((0, 1, 0), {})


def test_any_bytes_may_stand_in_a_log(tmp_path):
    log = b"\xff\xfe\x00 \xc3\n" + PYTEST.replace("Chromium", "caf\u00e9").encode() + b"\x80\n"
    log = log.rstrip(b"\x80\n") + b"\n"
    assert count(tmp_path, "gcc-system", log)[0] == (12, 0, 7)


# --- a whole run ----------------------------------------------------------------------------------


class Tree:
    """What scripts/check looks for, of stubs: put("scripts/layers", text) replaces one."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("check", "count"):
            self.put(f"scripts/{name}", (SCRIPTS / name).read_text())
        self.put("scripts/setup", "#!/bin/sh\n")
        self.put("scripts/layers", "#!/bin/sh\n")
        self.put("scripts/skips", "# step | reason | why\n")

    def put(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def says(self, name, text, status=0):
        self.put(name, f"#!/bin/sh\ncat <<'END'\n{text}\nEND\nexit {status}\n")

    def check(self, *options, **more):
        return subprocess.run([self.folder / "scripts" / "check", *options], text=True, timeout=60,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, **more)


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path / "a tree of \u00fc")  # where one may lie; the checkout itself has a plain name


STEPS = ("--only", "layers", "--only", "check-*")


def line_of(done, step):
    found = re.findall(rf"^(\w+) +{step} +(.*), \d+s, CPU \d+s$", done.stdout, re.M)
    assert len(found) == 1, done.stdout
    return found[0]


def test_a_skip_is_no_success_and_is_counted(tree):
    tree.says("scripts/check-deb", "skipped: needs root\n0 passed, 0 failed, 1 skipped")
    tree.says("scripts/check-container", "ok    one\nskip  two: needs crun\n1 passed, 0 failed, 1 skipped")
    done = tree.check(*STEPS)
    assert done.returncode == 0
    assert line_of(done, "check-deb") == ("skip", "0 passed, 1 skipped")
    assert line_of(done, "check-container") == ("ok", "1 passed, 1 skipped")
    assert line_of(done, "layers") == ("ok", "1 passed")
    assert "      skipped 1 (needs root)\n" in done.stdout
    assert "      skipped 1 (needs crun)\n" in done.stdout
    assert done.stdout.splitlines()[-1] == "2 passed, 0 failed, 2 skipped"


def test_strict_fails_for_what_is_not_accepted(tree):
    tree.says("scripts/check-deb", "skipped: needs root\n0 passed, 0 failed, 1 skipped")
    tree.says("scripts/check-container", "skipped: needs crun 1.8, 1.7 is here\n0 passed, 0 failed, 1 skipped")
    done = tree.check("--strict", *STEPS)
    assert done.returncode == 1
    assert "2 of the skips are not accepted" in done.stdout
    assert done.stdout.splitlines()[-1] == "1 passed, 0 failed, 2 skipped"

    tree.put("scripts/skips", "# c | c | c\ncheck-* | needs root | why\n"
             "check-c* | needs crun *, * is here | why\ngcc-* | never occurs | why\n")
    done = tree.check("--strict", *STEPS)
    assert done.returncode == 0, done.stdout
    assert "not accepted" not in done.stdout
    # Bars within a pattern do not separate fields.
    tree.put("scripts/skips", "@(san|check)-d* | needs root | why\n"
             "@(gcc|check-container) | @(needs crun|has no) *, * is here | why\n")
    done = tree.check("--strict", *STEPS)
    assert done.returncode == 0, done.stdout
    # It is of another step.
    tree.put("scripts/skips", "check-deb | needs root | why\ncheck-deb | needs crun* | why\n")
    done = tree.check("--strict", *STEPS)
    assert done.returncode == 1
    assert "1 of the skips are not accepted" in done.stdout


def test_every_file_of_system_tests_is_in_one_part_of_those_that_run_all():
    steps = subprocess.run([SCRIPTS / "check", "--list"], check=True, text=True,
                           stdout=subprocess.PIPE).stdout.split()
    parts = [m[1] for step in steps if (m := re.fullmatch(r"gcc-(.-.)-system", step))]
    files = pathlib.Path(__file__).parent
    found = sorted(f for part in parts for f in files.glob(f"test_[{part}]*.py"))
    assert len(parts) > 1 and found == sorted(files.glob("test_*.py"))


def test_every_accepted_skip_is_of_a_step_and_says_why():
    steps = subprocess.run([SCRIPTS / "check", "--list"], check=True, text=True,
                           stdout=subprocess.PIPE).stdout.split() + ["quick-system", "check-vm"]
    lines = [line.split(" | ") for line in (SCRIPTS / "skips").read_text().splitlines()
             if line and not line.startswith("#")]
    assert all(why for _, _, why in lines)
    any_of = " || ".join("[[ {} == $1 ]]".format(name) for name in steps)
    unknown = subprocess.run(["bash", "-O", "extglob", "-c", f'for p; do set -- "$p"; {any_of} || echo "$p"; done', "-",
                              *{step for step, _, _ in lines}], check=True, text=True, stdout=subprocess.PIPE).stdout
    assert not unknown


def test_a_step_that_fails_fails_all_and_shows_its_output(tree):
    tree.says("scripts/check-deb", "FAIL  it starts: it did not\n0 passed, 1 failed, 0 skipped", 1)
    tree.says("scripts/check-container", "no count at all")
    done = tree.check(*STEPS)
    assert done.returncode == 1
    assert line_of(done, "check-deb") == ("FAIL", "0 passed, 1 failed")
    assert "FAIL  it starts: it did not\n" in done.stdout
    assert done.stdout.splitlines()[-1] == "2 passed, 1 failed, 0 skipped"


def test_a_step_is_handed_three_descriptors(tree):
    """Its lock, or one of the caller's, in what a step leaves running would be held by that; and
    programs have died of a descriptor in their way."""
    tree.put("scripts/layers", f"""#!{sys.executable}
import os
def is_open(fd):
    try:
        return os.fstat(fd)
    except OSError:
        return None
found = [fd for fd in range(1024) if is_open(fd)]
open("fds", "w").write(repr(found))
""")
    done = subprocess.run(["bash", "-c", 'exec 8</ 9</ 20</ 200</; exec "$0" --only layers',
                           tree.folder / "scripts" / "check"], text=True, timeout=60,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    assert (tree.folder / "fds").read_text() == "[0, 1, 2]"


def test_no_step_at_all_is_a_failure(tree):
    done = tree.check("--only", "nothing-of-the-kind")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "0 passed, 1 failed, 0 skipped"


# --- tools of one version -------------------------------------------------------------------------

VERSIONS = {
    "clang-format": ("Debian clang-format version {}", "14.0.6", "19.1.7 (3+b1)", "14"),
    "clang-tidy": ("Debian LLVM version {}\n  Optimized build.", "14.0.6", "19.1.7", "14"),
    "cppcheck": ("Cppcheck {}", "2.10", "2.17.1", "2.10"),
}


@pytest.mark.parametrize("tool", VERSIONS)
def test_tools_of_another_version_do_not_judge(tree, tool):
    said, right, wrong, wanted = VERSIONS[tool]
    step = {"clang-format": "format", "clang-tidy": "tidy"}.get(tool, tool)
    tree.put("src/a.c", "int a;\n")
    tree.put("include/a.h", "int a;\n")
    tree.put("tests/a.c", "int a;\n")
    tree.says("bin/make", "")
    path = {**os.environ, "PATH": f"{tree.folder}/bin:{os.environ['PATH']}"}

    tree.says(f"bin/{tool}", said.format(right))
    done = tree.check("--only", step, env=path)
    assert line_of(done, step) == ("ok", "1 passed")

    tree.says(f"bin/{tool}", said.format(wrong), 1)
    done = tree.check("--only", step, env=path)
    assert done.returncode == 0
    assert line_of(done, step) == ("skip", "0 passed, 1 skipped")
    found = re.match(r"\d+\.\d+", wrong)[0]
    assert f"skipped 1 (needs {tool} {wanted}, not {found}: " in done.stdout

    tree.put(f"bin/{tool}", f"#!/bin/sh\ncase $1 in --version) echo '{said.format(right)}' ;; *) exit 1 ;; esac\n")
    done = tree.check("--only", step, env=path)
    assert line_of(done, step) == ("FAIL", "0 passed, 1 failed")


# --- the short form -------------------------------------------------------------------------------


def touched(*files, **more):
    found = subprocess.run([SCRIPTS / "touched", *files], text=True, check=True, capture_output=True,
                           **more).stdout
    return [re.fullmatch(r"tests/system/test_(\w+)\.py", line)[1] for line in found.splitlines()]


@pytest.mark.parametrize("file, tests", [
    ("src/tls/session.c", {"tls", "alerts", "clients"}),
    ("include/log/log.h", {"logging", "log_flood"}),
    ("src/master/upgrade/check.c", {"upgrade"}),
    ("src/master/change/reload.c", {"reload"}),
    ("src/master/child/spawn.c", {"supervision"}),
    ("tests/system/hello.py", {"alerts"}),
    ("tests/system/harness.py", {"supervision", "http"}),
    ("GNUmakefile", {"supervision", "http"}),
    ("src/something/new.c", {"supervision", "http"}),
])
def test_what_has_changed_decides_what_is_tested(file, tests):
    assert tests <= set(touched(file))


def test_changed_tests_come_first_and_nothing_twice():
    found = touched("src/http/parse.c", "src/http/conn.c", "README.md", "tests/system/test_zones.py")
    assert found[0] == "zones" and len(found) == len(set(found)) and "http" in found
    assert touched("README.md", "tests/unit/test_conf.c", "scripts/deb") == []


def test_new_tests_that_the_table_does_not_know_are_run_for_the_program(tree):
    tree.put("scripts/touched", (SCRIPTS / "touched").read_text())
    for name in ("brand_new", "tls", "supervision"):
        tree.put(f"tests/system/test_{name}.py", "")

    def found(*files):
        return subprocess.run([tree.folder / "scripts/touched", *files], text=True, check=True,
                              capture_output=True).stdout.split()
    assert found("src/tls/a.c") == [f"tests/system/test_{name}.py" for name in ("tls", "brand_new")]
    assert found("README.md") == []


def test_the_table_names_tests_that_are_there():
    here = pathlib.Path(__file__).parent
    table = re.search(r"^table='$(.*?)^'$", (SCRIPTS / "touched").read_text(), re.M | re.S)[1]
    named = set(re.sub(r"^.*\|", "", table, flags=re.M).split())
    assert len(named) > 20 and named <= {p.stem.removeprefix("test_") for p in here.glob("test_*.py")}


@pytest.mark.parametrize("upstream", [False, True])
def test_the_difference_to_the_main_branch_is_what_has_changed(tree, upstream):
    def git(*argv):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false",
                        *argv], cwd=tree.folder, check=True, capture_output=True)
    try:
        git("init", "-q", "-b", "main" if upstream else "trunk")
    except FileNotFoundError:
        pytest.skip("needs git")
    tree.put("scripts/touched", (SCRIPTS / "touched").read_text())
    for name in ("reload", "tls", "logging", "control", "zones"):
        tree.put(f"tests/system/test_{name}.py", "")
    tree.put(".gitignore", "ignored\n")

    def found():
        return sorted(subprocess.run([tree.folder / "scripts/touched"], text=True, check=True,
                                     capture_output=True).stdout.split())

    def commit(name):
        tree.put(name, "x")
        git("add", "-A")
        git("commit", "-qm", name)
    commit("README.md")
    commit("src/conf/a.c")
    if upstream:
        git("checkout", "-qb", "work")
    commit("src/log/a.c")
    commit("src/tls/a.c")
    tree.put("src/control/new \u00fc.c", "x")  # not known to git yet
    tree.put("ignored/tests/system/test_zones.py", "")
    names = ["control", "logging", "tls"] if upstream else ["control", "tls"]
    assert found() == [f"tests/system/test_{name}.py" for name in names]


def test_tests_that_would_begin_too_late_are_left_out():
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", __file__,
                           "-k", "names_tests_that_are"], env={**os.environ, "BULKHEAD_TESTS_END": "1"},
                          capture_output=True, text=True)
    assert "left out, as the time of scripts/check --quick was over" in done.stdout, done.stdout
    assert done.stdout.splitlines()[-1].startswith("1 skipped")


# --- a root of another release --------------------------------------------------------------------


def test_another_release_comes_from_this_system_s_mirrors(tree):
    system = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', pathlib.Path("/etc/os-release").read_text(), re.M))
    if system["ID"] != "debian":
        pytest.skip("this is not Debian")
    own = system["VERSION_CODENAME"]
    key = tree.folder / "key.gpg"
    key.write_text("")
    tree.says("bin/apt-get", "\n".join([
        f"http://mirror.example/debian/|{own}|main|$(SIGNED_BY)",
        f"http://mirror.example/debian/|{own}|non-free-firmware|$(SIGNED_BY)",
        f"http://mirror.example/debian/|{own}-updates|main|$(SIGNED_BY)",
        f"http://mirror.example/debian/|{own}-backports|main|$(SIGNED_BY)",
        f"http://other.example/security/|{own}-security|main|{key}",
        "http://mirror.example/debian/|stable|main|/no/such.gpg",
        f"https://vendor.example/linux|{own}|stable|$(SIGNED_BY)",
        f"https://vendor.example/apt|{own}-vendor|main|$(SIGNED_BY)"]))
    done = subprocess.run([SCRIPTS / "root", "sources", "sid"], text=True, check=True, capture_output=True,
                          env={**os.environ, "PATH": f"{tree.folder}/bin:{os.environ['PATH']}"})
    assert set(done.stdout.splitlines()) == {
        "deb http://mirror.example/debian/ sid main",
        "deb http://mirror.example/debian/ sid non-free-firmware",
        "deb http://mirror.example/debian/ sid-updates main",
        f"deb [signed-by={key}] http://other.example/security/ sid-security main",
    }


# --- packages -------------------------------------------------------------------------------------


def test_an_installation_says_before_what_it_takes(tree):
    """Nothing is there, and apt-get is a stub."""
    tree.put("scripts/setup", (SCRIPTS / "setup").read_text())
    tree.put("bin/apt-get", """#!/bin/sh
echo "$*" >>calls
case " $* " in
*" --assume-no "*)
	echo "Need to get 12.5 MB/1,309 MB of archives."
	echo "After this operation, 1,250 MB of additional disk space will be used."
	exit 1
	;;
esac
""")
    for name in ("id", "sudo"):
        tree.put(f"bin/{name}", '#!/bin/sh\n[ "$0" = "${0%id}" ] && exec "$@"\necho 0\n')
    for name in ("tee", "rm", "chmod"):
        tree.put(f"bin/{name}", "#!/bin/sh\n")
    tools = "sed awk cut grep sort tr env sh".split()
    for name in tools:
        (tree.folder / "bin" / name).symlink_to(f"/usr/bin/{name}")
    done = subprocess.run(["/bin/sh", tree.folder / "scripts/setup", "--deb"], text=True, timeout=60,
                          cwd=tree.folder, capture_output=True, env={"PATH": f"{tree.folder}/bin"})
    assert done.returncode == 0, done
    assert re.search(r"^These packages are missing: .*\bbuild-essential\b.*\bdebhelper\b", done.stderr, re.M)
    assert "they are 13 MB to download and 1250 MB on disk: about 5 min." in done.stderr
    calls = (tree.folder / "calls").read_text().splitlines()
    assert [call.split()[0] for call in calls] == ["update", "install", "install"]
    assert "--assume-no" in calls[1] and "--assume-no" not in calls[2]
    assert re.search(r" build-essential\b.* debhelper\b", calls[2])


def test_where_the_c_library_is_another_it_says_so(tree):
    tree.put("scripts/setup", (SCRIPTS / "setup").read_text())
    tree.says("bin/apk", "")
    for name in ("sed", "cut", "grep", "sort", "tr", "sh", "id"):
        (tree.folder / "bin" / name).symlink_to(f"/usr/bin/{name}")
    done = subprocess.run(["/bin/sh", tree.folder / "scripts/setup"], text=True, capture_output=True,
                          timeout=60, env={"PATH": f"{tree.folder}/bin"})
    assert done.returncode == 1
    assert "musl" in done.stdout and "apk add" not in done.stdout
