"""Completion for bash and zsh: every option of the programs' --help and manuals is offered, and nothing
else; what takes a file, a folder, a layer or a scenario is offered those."""
import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import time

import pytest

from harness import BINARY, TIMEOUT, TOP

pytestmark = pytest.mark.any_build

FOLDER = TOP / "scripts" / "completion"
PROGRAMS = {
    "bulkhead": BINARY,
    "bulkheadctl": BINARY.parent / "bulkheadctl",
    "bulkhead-isolation": TOP / "scripts" / "bulkhead-isolation",
}
MANUALS = {"bulkhead": "bulkhead.8", "bulkheadctl": "ctl/bulkheadctl.8",
           "bulkhead-isolation": "bulkhead-isolation.1"}
LAYERS = ["chroot", "keyholder", "landlock", "mounts", "seccomp", "user", "verifier"]

# A zsh that shows what it would offer, a line each, and ends: its compadd says what it adds.
ZSHRC = r"""
PROMPT= PS2= RPROMPT=
unsetopt zle_bracketed_paste prompt_sp 2>/dev/null
zmodload zsh/zle
fpath=(FOLDER $fpath)
autoload compinit; compinit -u -C -d DUMP
bindkey "^I" complete-word
show() { print; print -r -- "<offers>"; }
finish() { print -r -- "</offers>"; exit; }
compprefuncs=(show) comppostfuncs=(finish)
zstyle ":completion:*" insert-tab false
compadd() {
	if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd "$@"; return; fi
	typeset -a hits; builtin compadd -A hits "$@"; (( $#hits )) && print -l -- $hits
	builtin compadd "$@"
}
print -r -- "<ready>"
"""


@pytest.fixture
def place(tmp_path):
    """A folder with a file of each sort and one folder, and the programs by their names."""
    for name in ("a.conf", "b.toml"):
        (tmp_path / name).write_text("")
    (tmp_path / "folder").mkdir()
    (tmp_path / "bin").mkdir()
    for name, program in PROGRAMS.items():
        (tmp_path / "bin" / name).symlink_to(program)
    return tmp_path


def environment(place):
    return os.environ | {"PATH": f"{place / 'bin'}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8",
                         "PYTHONDONTWRITEBYTECODE": "1"}


def in_bash(place, *words):
    """As bash splits them, the last one being typed: a "=" is a word of its own."""
    function = "_" + words[0].replace("-", "_")
    quoted = " ".join(f"'{word}'" for word in words)
    script = (f'source "{FOLDER / words[0]}.bash"; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; '
              f'{function}; printf "%s\\n" "${{COMPREPLY[@]}}"')
    result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=place,
                            env=environment(place), timeout=TIMEOUT)
    assert result.returncode == 0 and result.stderr == "", result
    return result.stdout.split()


def in_zsh(place, *words):
    line = " ".join(words).replace(" = ", "=").removesuffix(" =")
    dump = place.parent / "zcompdump"  # what zsh knows of all programs: the first test of a run makes it
    (place / ".zshrc").write_text(ZSHRC.replace("FOLDER", str(FOLDER)).replace("DUMP", str(dump)))
    master, slave = pty.openpty()
    with subprocess.Popen(["zsh", "-i"], stdin=slave, stdout=slave, stderr=slave, cwd=place,
                          start_new_session=True,
                          env=environment(place) | {"ZDOTDIR": str(place), "TERM": "dumb"}) as shell:
        os.close(slave)
        try:
            read_until(master, "<ready>")
            os.write(master, f"{line}\t".encode())
            shown = read_until(master, "</offers>")
        finally:
            shell.kill()
            os.close(master)
    return shown.split("<offers>")[1].split("</offers>")[0].split()


def read_until(fd, mark):
    text, end = "", time.monotonic() + TIMEOUT
    while mark not in text:
        ready, _, _ = select.select([fd], [], [], max(0.0, end - time.monotonic()))
        assert ready, f"no {mark} in {text!r}"
        text += os.read(fd, 65536).decode()
    return text


@pytest.fixture(params=["bash", "zsh"])
def offered(request, place):
    """offered(words...) -> what completes the last of them, sorted."""
    if request.param == "zsh" and not shutil.which("zsh"):
        pytest.skip("there is no zsh")
    shell = in_zsh if request.param == "zsh" else in_bash
    return lambda *words: sorted(set(shell(place, *words)))


def help_of(name, *arguments):
    return subprocess.run([PROGRAMS[name], *arguments, "--help"], capture_output=True, text=True,
                          timeout=TIMEOUT).stdout


def options_in(text):
    """Those that a help's table declares, long ones."""
    return {option for line in text.splitlines() if re.match(r" +-", line)
            for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", line.strip().split("  ")[0])}


def options_of(name):
    """(those of the program, those of its selftest)"""
    own, _, below = help_of(name).partition("\nselftest ")
    return options_in(own), options_in(below)


def entries_of(name):
    """The names of each option of its help, such as {-f, --config}."""
    return [set(re.findall(r"(?<![\w-])--?[a-zA-Z][a-z-]*", line.strip().split("  ")[0]))
            for line in help_of(name).splitlines() if re.match(r" +-", line)]


def options_of_manual(name):
    text = (TOP / "src" / MANUALS[name]).read_text()
    listed = [word for line in re.findall(r"^\.It Fl (.*)", text, re.M)
              for word in line.partition(" Ar ")[0].split(" , ")]
    return {f"-{word}" for word in [*listed, *re.findall(r"\bOp Fl (-[a-z-]+)", text)]}


def longs(words):
    return {word.rstrip("=") for word in words if word.startswith("--")}


@pytest.mark.parametrize("name", ["bulkhead", "bulkhead-isolation"])
def test_every_option_is_completed_and_no_other(name, offered):
    own, _ = options_of(name)
    assert len(own) > 5 and longs(offered(name, "--")) == own


def test_every_option_of_the_selftest_is_completed_and_no_other(offered):
    _, below = options_of("bulkhead")
    assert {"--config", "--json", "--without"} <= below
    assert longs(offered("bulkhead", "selftest", "--")) == below


@pytest.mark.parametrize("name", PROGRAMS)
def test_manual_and_help_have_the_same_options(name):
    """So that what is completed by the help is what the manual describes."""
    described = options_of_manual(name)
    missing = [entry for entry in entries_of(name) if not entry & (described | {"-h"})]
    assert not missing, "in the help alone"
    told = help_of(name)
    joined = set("".join(re.findall(r"\[-(\w+)\]", told)))  # usage: bulkhead [-tTDvVh]
    other = [option for option in described if option.lstrip("-") not in joined
             and not re.search(rf"(?<![\w-]){option}(?![\w-])", told)]
    assert not other, "in the manual alone"


def test_bulkheadctl_completes_its_words_and_options(offered):
    words = set(re.findall(r"^  ([a-z]+)\b", help_of("bulkheadctl"), re.M))
    assert {"status", "reload"} <= words <= set(offered("bulkheadctl", ""))
    assert options_of("bulkheadctl")[0] <= longs(offered("bulkheadctl", "-"))


def test_the_first_word_can_be_selftest(offered):
    assert "selftest" in offered("bulkhead", "s")
    assert "selftest" not in offered("bulkhead", "-t", "s")


@pytest.mark.parametrize("words", [["-f"], ["--config"], ["--certificate"], ["-t", "--key"],
                                   ["selftest", "-f"], ["--config", "="]])
def test_files_are_completed_where_one_is_taken(words, offered):
    assert "a.conf" in offered("bulkhead", *words, "a")


def test_what_takes_a_number_is_offered_nothing(offered):
    assert offered("bulkhead", "-w", "") == offered("bulkhead-isolation", "--seed", "") == []


@pytest.mark.parametrize("words", [["--without", ""], ["--without", "=", ""], ["--json", "--without", ""]])
def test_the_layers_are_completed(words, offered):
    assert offered("bulkhead", "selftest", *words) == LAYERS
    told = re.search(r"--without LAYER .*", help_of("bulkhead"), re.S)[0].split("\n\n")[0]
    assert all(re.search(rf"\b{layer}\b", told) for layer in LAYERS)
    for layer in LAYERS:
        run = subprocess.run([BINARY, "selftest", "--without", layer, "--help"], capture_output=True)
        assert run.returncode == 0, layer


def test_the_scenarios_that_ship_are_completed(offered):
    listed = {path.stem for path in (TOP / "scripts" / "scenarios").glob("*.toml")}
    found = set(offered("bulkhead-isolation", ""))
    assert listed <= found and "b.toml" in found and "a.conf" not in found
    assert offered("bulkhead-isolation", "cra") == ["crash-storm"]
    assert "b.toml" in offered("bulkhead-isolation", "--check", "b")


def test_files_and_folders_of_reports_are_completed(offered):
    assert "a.conf" in offered("bulkhead-isolation", "--html", "a")
    kept = [word.rstrip("/") for word in offered("bulkhead-isolation", "--keep", "")]
    assert "folder" in kept and "a.conf" not in kept


def test_each_program_has_a_completion_for_each_shell():
    assert {path.name for path in FOLDER.iterdir()} == \
        {f"{name}.bash" for name in PROGRAMS} | {f"_{name}" for name in PROGRAMS}
    for name in PROGRAMS:
        assert (FOLDER / f"_{name}").read_text().startswith(f"#compdef {name}\n")
        subprocess.run(["bash", "-n", FOLDER / f"{name}.bash"], check=True)
        if shutil.which("zsh"):
            subprocess.run(["zsh", "-n", FOLDER / f"_{name}"], check=True)


def test_make_installs_them(tmp_path):
    subprocess.run(["make", "-s", "-C", TOP, "-o", "all", f"BUILD={BINARY.parent}",
                    f"DESTDIR={tmp_path}", "install"], check=True, capture_output=True)
    share = pathlib.Path(tmp_path, "usr/local/share")
    for name in PROGRAMS:
        assert (share / "bash-completion/completions" / name).exists()
        assert (share / "zsh/site-functions" / f"_{name}").exists()
