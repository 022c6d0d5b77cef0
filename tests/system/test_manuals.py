"""README and manual pages: their examples work, and what they quote is what the programs say."""
import os
import re
import subprocess

import pytest

from harness import TOP

pytestmark = pytest.mark.any_build

MANUALS = sorted((TOP / "src").glob("**/*.[1-8]"))
CONFIGURATION = re.compile(r"^(?:tls|port|privileges|user|location|faults|control) ", re.M)
USERS = re.compile(r'\b((?:key )?user|group) "[^"]*"')


def page(path):
    """Its text as the reader sees it, macro by macro."""
    return path.read_text().replace("\\e", "\\").replace("\\&", "").replace("\\(dq", '"')


def code_of(path):
    """The literal blocks of a manual page, or the fenced ones of a Markdown file."""
    if path.suffix == ".md":
        return re.findall(r"^```\n(.*?)^```$", path.read_text(), re.M | re.S)
    return re.findall(r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed$", page(path), re.M | re.S)


def configurations():
    for path in [TOP / "README.md", TOP / "src" / "conf" / "bulkhead.conf.5"]:
        for number, text in enumerate(code_of(path)):
            if CONFIGURATION.search(text):
                yield pytest.param(text, id=f"{path.name}-{number}")


def completed(text):
    """A whole configuration, for what the page shows in part."""
    if not re.search(r"^port ", text, re.M):
        text = f"port 8000 {{ {text} }}"
    return text if "tls {" in text else f'tls {{ certificate "cert.pem" key "key.pem" }}\n{text}'


def authority_make(folder, certificate, revoked):
    """An authority of client certificates, and its list of those that it has revoked: none."""
    (folder / "index").touch()
    (folder / "ca.cnf").write_text("[ca]\ndefault_ca = d\n[d]\ndatabase = index\ndefault_md = sha256\n"
                                   "default_crl_days = 30\n")
    for argv in (["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", certificate,
                  "-subj", "/CN=ca"],
                 ["ca", "-config", "ca.cnf", "-cert", certificate, "-keyfile", "ca.key", "-gencrl", "-out", revoked]):
        subprocess.run(["openssl", *argv], cwd=folder, check=True, capture_output=True)


@pytest.mark.parametrize("text", configurations())
def test_every_configuration_is_one(run, conf_file, certificates, tmp_path, text):
    """With its files there, and with users that exist."""
    text = USERS.sub(r'\1 "0"', completed(text))
    for name, value in re.findall(r'^define (\w+) "([^"]*)"$', text, re.M):
        text = text.replace(f"${{{name}}}", value)
    for names in re.findall(r'certificate "([^"]+)"\s+key "([^"]+)"', text):
        for name, pem in zip(names, certificates("rsa" if "rsa" in names[0] else "ecdsa")):
            conf_file(name, pem.read_text())
    for name, revoked in re.findall(r'authority "([^"]+)" revoked "([^"]+)"', text):
        authority_make(tmp_path, name, revoked)
    text = re.sub(r'verify authority "/([^"]+)"', r'verify authority "\1"', text)
    for name in re.findall(r'verify authority "([^"]+)"', text):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(certificates("ecdsa")[0].read_text())
    for name in re.findall(r'include "([^"*]+)"', text):
        conf_file(name, "connections 100")
    for name in re.findall(r'verify authority "([^"]+)"', text):
        text = text.replace(name, "upstreams.pem")
        conf_file("upstreams.pem", certificates("ecdsa")[0].read_text())
    # what is served, here and not in the places of the page
    text = re.sub(r'\b(files?) "/([^"]+)"', r'\1 "\2"', text)
    for kind, name in re.findall(r'\b(files?) "([^"]+)"', text):
        place = tmp_path / name
        (place if kind == "files" else place.parent).mkdir(parents=True, exist_ok=True)
        if kind == "file":
            place.write_text("" if place.suffix == ".htpasswd" else "text")
    result = run("-t", "-f", conf_file("example.conf", text))
    assert result.returncode == 0 and "error" not in result.stderr, result.stderr


def test_there_are_examples_to_try():
    names = [p.id for p in configurations()]
    assert sum(n.startswith("README") for n in names) >= 1
    assert sum(n.startswith("bulkhead.conf") for n in names) >= 4


def test_the_readme_is_short():
    assert len((TOP / "README.md").read_text().splitlines()) <= 200


def headings(path):
    return {re.sub(r'"', "", line).strip()
            for line in re.findall(r"^\.S[hs] (.*)$", page(path), re.M)}


@pytest.mark.parametrize("path", MANUALS, ids=lambda p: p.name)
def test_every_reference_leads_somewhere(path):
    """.Sx to a section of this page, or of the page that is named before or after it."""
    places = {p.name.rsplit(".", 1)[0]: headings(p) for p in MANUALS}
    lines = page(path).splitlines()
    for at, line in enumerate(lines):
        if not line.startswith(".Sx "):
            continue
        name = re.sub(r"( [.,:;)])+$", "", line[4:])
        near = " ".join(lines[max(0, at - 2):at + 3])
        others = [places[x] for x in re.findall(r"\.Xr (\S+)", near) if x in places]
        assert any(name in there for there in [headings(path), *others]), line


# --- numbers ---


UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "ms": 1, "s": 1000, "m": 60000,
         "h": 3600000, "d": 86400000}
LIMIT = re.compile(r"^\.It Ic (\S+) Ar (number|size|duration) "
                   r"Ta (?:0, or )?(\S+) to (\S+) Ta (.+)$", re.M)


def value(text):
    number, unit = re.fullmatch(r"(\d+)(\D*)", text).groups()
    return int(number) * UNITS[unit]


@pytest.mark.parametrize("limit", LIMIT.findall(page(TOP / "src" / "conf" / "bulkhead.conf.5")),
                         ids=lambda limit: limit[0])
def test_every_limit_is_as_the_manual_says(run, conf_file, certificates, limit):
    """Values at its bounds are accepted, beyond them refused; the dump has its default."""
    name, kind, least, most, default = limit
    unit = "ms" if kind == "duration" else ""

    def takes(number):
        text = f"{certificates.tls()}port 8000 {{ limits {{ {name} {number}{unit} }} respond 200 }}"
        return run("-T", "-f", conf_file("limit.conf", text)).returncode == 0

    low, high = value(least), value(most)
    assert takes(low) and takes(high) and not takes(high + 1)
    assert low == 0 or not takes(low - 1)
    if default != "see below":
        text = f"{certificates.tls()}port 8000 {{ respond 200 }}"
        dump = run("-T", "-f", conf_file("default.conf", text)).stdout
        shown = re.search(rf"\b{name} (\w+)", dump[dump.index("limits"):]).group(1)
        assert value(shown) == value(default), (shown, default)


def test_the_manual_has_every_limit_in_order(run, conf_file, certificates):
    dump = run("-T", "-f", conf_file("limits.conf", f"{certificates.tls()}port 8000 {{ echo }}")).stdout
    block = re.search(r"\blimits \{(.*?)\}", dump, re.S).group(1)
    limits = LIMIT.findall(page(TOP / "src" / "conf" / "bulkhead.conf.5"))
    shown = re.findall(r"^\s+(\S+) ", block, re.M)
    assert shown == [limit[0] for limit in limits if limit[0] != "trailers"]  # shown if it is set


# --- quoted log lines ---


GNUTLS = {"CA is unknown", "A packet with illegal or unsupported version was received."}
COMMAND = re.compile(r"(bulkhead|make|ss|\w+ctl|runuser|openssl|curl|pgrep|ulimit|listen|control) ")
VALUE = re.compile(r'"[^"]*"|\S*\d\S*|\.\.\.|\b[A-Z_]+\b')


def words(text):
    return re.findall(r"[A-Za-z=-]+", text)


def texts():
    """All texts of the sources, those that are written side by side as one, and of errno(3)."""
    yield from map(os.strerror, range(1, 134))
    for path in (TOP / "src").glob("**/*.c"):
        for run in re.findall(r'"(?:[^"\\\n]|\\.)*"(?:\s*"(?:[^"\\\n]|\\.)*")*', path.read_text()):
            text = "".join(re.findall(r'"((?:[^"\\\n]|\\.)*)"', run))
            text = re.sub(r"(?<=[a-z])%s", "s", text)  # one worker%s
            yield re.sub(r"\\[nt]|%[-0-9.*zlu]*[a-z]", " % ", text).replace("\\", "")


def quoted():
    text = page(TOP / "src" / "bulkhead.8").replace("\\(ga", "`")
    for start, end in [(".Sh DIAGNOSTICS", ".Sh SEE ALSO"), (".Sh TROUBLESHOOTING", ".Sh ENV")]:
        section = text[text.index(start):text.index(end)]
        yield from re.findall(r"^\.It ([^.\n]\S* .*)$", section, re.M)
        quotes = re.findall(r"^\.(?:Pq )?Ql (\S+ .*?)(?: [.,:;])*$", section, re.M)
        yield from (quote for quote in quotes if not COMMAND.match(quote))


def test_every_quoted_log_line_is_in_the_sources():
    """Piece by piece, between its values; a piece may be joined from two texts."""
    sources = [f" {' '.join(words(text))} " for text in texts()]

    def is_said(piece):
        return not piece or any(f" {' '.join(piece)} " in source for source in sources)

    missing = []
    for line in set(quoted()) - GNUTLS:
        for text in re.split(r"[,:;()]|(?=\bafter\b)|\bat\b", VALUE.sub(":", line)):
            piece = words(text)
            if not any(is_said(piece[:i]) and is_said(piece[i:]) for i in range(len(piece) + 1)):
                missing.append(f"{line!r} has {text!r}")
    assert not missing, "\n".join(sorted(missing))
    assert len(list(quoted())) > 60
