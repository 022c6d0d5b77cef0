"""Files for the clients that people have: curl, wget, Python, git, apt, and a tree that rsync made. What
each answer looks like is in test_files.py."""
import email.utils
import gzip
import hashlib
import http.client
import os
import pathlib
import random
import ssl
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request

import pytest

from harness import TIMEOUT, Connection, have, wait_for

THREADED = True

BIG = random.Random(14).randbytes(3_000_001)
NAMES = ("plain.txt", "with space.txt", "ünï-cödé.html", "per%cent.css", "100%25.js", "question?mark", "hash#mark",
         "plus+and&amp;", "semi;colon=1", "quote'\"quote", "~tilde", "[bracket]", "back\\slash", "comma,colon:at@",
         "deep/er/and/deeper/file", "folder.with.dots/file.tar.gz", "-dash", "café/menu.pdf")


@pytest.fixture
def site(open_folder):
    folder = open_folder / "site"
    folder.mkdir()
    return folder


@pytest.fixture
def url(server, ports, site, over):
    """Serves the site; the URL of its root."""
    server(f'port {ports[0]} {{ location "/" {{ files "{site}" }} }}')
    return f"http{'s' * (over == 'tls')}://localhost:{ports[0]}"


@pytest.fixture
def run(tmp_path, certificates):
    """Runs a client that trusts the server, without a configuration or a proxy of the user's."""
    (tmp_path / "home").mkdir()
    work = tmp_path / "work"
    work.mkdir()
    ca = str(certificates()[0])
    env = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    env.update(HOME=str(tmp_path / "home"), LC_ALL="C.UTF-8", CURL_CA_BUNDLE=ca, SSL_CERT_FILE=ca, GIT_SSL_CAINFO=ca,
               GIT_CONFIG_NOSYSTEM="1", GIT_TERMINAL_PROMPT="0", GIT_CONFIG_GLOBAL="/dev/null")

    def run_client(*argv, check=True, cwd=work):
        program = have(argv[0])
        if not program:
            pytest.skip(f"needs {argv[0]}")
        extra = {"wget": ["--no-config", "--no-verbose", "--ca-certificate", ca],
                 "curl": ["--disable", "--silent", "--show-error", "--fail", "--max-time", "60"]}.get(argv[0], [])
        result = subprocess.run([program, *extra, *map(str, argv[1:])], cwd=cwd, env=env, capture_output=True,
                                stdin=subprocess.DEVNULL, timeout=4 * TIMEOUT)
        result.words = (result.stdout + result.stderr).decode(errors="replace")
        assert not check or result.returncode == 0, f"{argv}: {result.returncode}\n{result.words}"
        return result

    run_client.work, run_client.ca = work, ca
    return run_client


def fill(folder, names=NAMES):
    """Files of many sizes and ages; some are links, and some two names of one file."""
    source = random.Random(7)
    for n, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(source.randbytes(source.choice((0, 1, 100, 16384, 16385, 200_000))))
        os.utime(path, (1_000_000_000 + n * 86_399, 1_000_000_000 + n * 86_399))
    (folder / "link").symlink_to(names[0])
    (folder / "two").hardlink_to(folder / names[1])


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_each_location_has_its_own_folder(server, ports, open_folder, over):
    """Whatever the order of the text: the processes of the port read one that is sorted."""
    places = ["/", "/a", "/longest/of/all", "/middle", "/a/b", "/zz", "/health"]
    for n, place in enumerate(places):
        (open_folder / str(n)).mkdir()
        (open_folder / str(n) / "file").write_text(place)
    locations = [f'location "{place}" {{ files "{open_folder / str(n)}" }}' for n, place in enumerate(places)]
    server("".join(f"port {port} {{ {' '.join(order)} }}\n" for port, order in
                   zip(ports, (locations, locations[::-1], sorted(locations)))))
    for port in ports:
        with Connection(port) as c:
            for place in places:
                assert c.get(f"{place.rstrip('/')}/file").body.decode() == place, (port, place)


# --- curl and wget ---------------------------------------------------------------------------------


RESUME = {"curl": ("curl", "-C", "-", "-O"), "wget": ("wget", "-c")}


@pytest.mark.plain_too
@pytest.mark.parametrize("client", RESUME)
@pytest.mark.parametrize("had", [0, 1, 1_234_567, len(BIG) - 1, len(BIG)])
def test_a_download_is_resumed(run, site, url, client, had):
    (site / "big").write_bytes(BIG)
    (run.work / "big").write_bytes(BIG[:had])
    # There is nothing left to ask for: 416, with which old versions of curl are not content.
    run(*RESUME[client], f"{url}/big", check=had < len(BIG))
    assert (run.work / "big").read_bytes() == BIG


def test_curl_asks_for_parts(run, site, url):
    (site / "big").write_bytes(BIG)
    size = len(BIG)
    for part, expected in {"0-0": BIG[:1], "-7": BIG[-7:], f"{size - 3}-": BIG[-3:], "5-99999999": BIG[5:]}.items():
        assert run("curl", "-r", part, f"{url}/big").stdout == expected, part
    several = run("curl", "-i", "-r", "0-3,100-103,-4", f"{url}/big").stdout
    assert b"206 Partial Content" in several and b"multipart/byteranges; boundary=" in several
    for part in (BIG[:4], BIG[100:104], BIG[-4:]):
        assert part in several


def test_curl_knows_what_it_has_already(run, site, url):
    """By the date, and by the tag."""
    (site / "page").write_bytes(b"first")
    run("curl", "-R", "-o", "page", f"{url}/page")
    status = ("-w", "%{http_code}")
    assert run("curl", *status, "-z", "page", "-o", "other", f"{url}/page").stdout == b"304"
    tagged = ("curl", *status, "--etag-compare", "tag", "--etag-save", "tag", "-o", "page", f"{url}/page")
    assert [run(*tagged).stdout for _ in range(2)] == [b"200", b"304"]
    (site / "new").write_bytes(b"second")
    (site / "new").rename(site / "page")
    assert run(*tagged).stdout == b"200"
    assert (run.work / "page").read_bytes() == b"second"


def test_curl_asks_at_once_and_one_after_the_other(run, site, url):
    fill(site)
    quoted = [f"{url}/{urllib.parse.quote(name)}" for name in NAMES]
    for how in ((), ("--parallel", "--parallel-max", "8")):
        result = run("curl", *how, "-w", "%{stderr}%{num_connects} ",
                     *(a for n, u in enumerate(quoted) for a in ("-o", f"out{n}", u)))
        assert how or result.stderr.split() == [b"1"] + [b"0"] * (len(NAMES) - 1)
        for n, name in enumerate(NAMES):
            assert (run.work / f"out{n}").read_bytes() == (site / name).read_bytes(), name


def test_curl_and_wget_keep_the_time_of_a_file(run, site, url):
    (site / "old").write_bytes(b"old")
    os.utime(site / "old", (1_234_567_890, 1_234_567_890))
    run("curl", "-R", "-o", "by-curl", f"{url}/old")
    run("wget", "-O", "by-wget", f"{url}/old")
    run("wget", "-N", f"{url}/old")
    for name in ("by-curl", "old"):
        assert (run.work / name).stat().st_mtime == 1_234_567_890
    assert "304" in run("wget", "-N", "--server-response", f"{url}/old").words


@pytest.mark.plain_too
def test_wget_mirrors_a_site(run, site, url):
    """With the pages, and what they link to; a folder that is named without its slash is one with it."""
    fill(site)
    pages = {"index.html": "<a href=a>a</a><link rel=stylesheet href=style.css><img src=image.png>",
             "a/index.html": "<a href=../b/page.html>b</a><a href='with space.txt'>c</a>",
             "b/page.html": "<a href=/>home</a><a href=/nothing>nothing</a>", "a/with space.txt": "text",
             "style.css": "body { background: url(back.png) }", "image.png": "png", "back.png": "back"}
    for name, text in pages.items():
        (site / name).parent.mkdir(exist_ok=True)
        (site / name).write_text(text)
    result = run("wget", "-r", "-l", "inf", "-p", "-nH", "--trust-server-names", f"{url}/", check=False)
    assert result.returncode == 8 and "404" in result.words, result.words  # of the one dead link
    assert contents(run.work) == {**{name: text.encode() for name, text in pages.items()}, **(
        {"robots.txt": b""} if (run.work / "robots.txt").exists() else {})}


# --- Python ----------------------------------------------------------------------------------------


@pytest.mark.plain_too
def test_urllib(run, site, url):
    fill(site)
    (site / "index.html").write_text("<p>Hello, wörld")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(
        context=ssl.create_default_context(cafile=run.ca)))
    with opener.open(f"{url}/", timeout=TIMEOUT) as answer:
        assert answer.headers.get_content_type() == "text/html"
        assert answer.read().decode(answer.headers.get_content_charset()) == "<p>Hello, wörld"
    (site / "deep/index.html").write_text("deep")
    with opener.open(f"{url}/deep?x=1", timeout=TIMEOUT) as answer:
        assert (answer.url, answer.read()) == (f"{url}/deep/?x=1", b"deep")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        opener.open(f"{url}/nothing", timeout=TIMEOUT)


@pytest.mark.plain_too
def test_http_client_asks_for_all_on_one_connection(run, site, url):
    fill(site)
    parts = urllib.parse.urlsplit(url)
    c = http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT) if parts.scheme == "http" else \
        http.client.HTTPSConnection(parts.hostname, parts.port, timeout=TIMEOUT,
                                    context=ssl.create_default_context(cafile=run.ca))
    c.connect()
    first = c.sock
    for method in ("GET", "HEAD"):
        for name, data in contents(site).items():
            c.request(method, "/" + urllib.parse.quote(name))
            answer = c.getresponse()
            assert answer.status == 200, (name, answer.status)
            assert answer.read() == (data if method == "GET" else b"")
            assert int(answer.headers["Content-Length"]) == len(data)
    assert c.sock is first
    c.close()


# --- git -------------------------------------------------------------------------------------------


@pytest.mark.plain_too
@pytest.mark.any_build
@pytest.mark.parametrize("packed", [True, False])
def test_git_clones_and_fetches(run, site, url, packed):
    """The dumb protocol: a bare repository as it lies there, after git update-server-info."""
    bare, source = site / "project.git", run.work / "source"
    author = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "gc.auto=0")
    run("git", "init", "-q", "-b", "main", source)

    def commit(n):
        (source / f"file{n}").write_bytes(random.Random(n).randbytes(30_000))
        run("git", "-C", source, *author, "add", ".")
        run("git", "-C", source, *author, "commit", "-q", "-m", f"commit {n}")

    def publish():
        run("git", "-C", source, "push", "-q", "--all", bare)
        if packed:
            run("git", "-C", bare, "repack", "-a", "-d", "-q")
        run("git", "-C", bare, "update-server-info")

    for n in range(5):
        commit(n)
    run("git", "-C", source, "branch", "other", "main~2")
    run("git", "init", "-q", "--bare", "-b", "main", bare)
    # The many objects of a push are else kept as a pack.
    run("git", "-C", bare, "config", "receive.unpackLimit", "1" if packed else "1000")
    publish()
    assert any((bare / "objects/pack").glob("*.pack")) == packed
    run("git", "clone", "-q", f"{url}/project.git", "clone")
    clone = run.work / "clone"
    run("git", "-C", clone, "fsck", "--strict")
    assert run("git", "-C", clone, "branch", "-r").words.split() == ["origin/HEAD", "->", "origin/main", "origin/main",
                                                                   "origin/other"]
    commit(5)
    publish()
    run("git", "-C", clone, "pull", "-q", "--ff-only")
    assert {name: data for name, data in contents(clone).items() if name.startswith("file")} == \
        {name: data for name, data in contents(source).items() if name.startswith("file")}


# --- rsync -----------------------------------------------------------------------------------------


def fetch_all(run, url, names):
    """What curl gets by each name, with the times of the files."""
    config = run.work / "urls"
    config.write_text("".join(f'url = "{url}/{urllib.parse.quote(name)}"\noutput = "got/{n}"\nremote-time\n'
                              for n, name in enumerate(names)))
    run("curl", "--create-dirs", "-K", config)
    return {name: run.work / "got" / str(n) for n, name in enumerate(names)}


def test_a_tree_that_rsync_made_is_fetched_whole(run, site, url, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    fill(source, NAMES + tuple(f"many/{n % 20}/{n}" for n in range(300)))
    for delay in ((), ("--delay-updates",)):
        run("rsync", "-aH", "--delete", *delay, f"{source}/", f"{site}/")
        expected = contents(source)
        got = fetch_all(run, url, expected)
        for name, path in got.items():
            assert path.read_bytes() == expected[name], name
            assert path.stat().st_mtime == int((source / name).stat().st_mtime), name
        for n in range(0, 300, 7):  # for the second turn
            (source / f"many/{n % 20}/{n}").write_bytes(b"changed" * n)


def test_a_file_is_whole_while_rsync_replaces_it(run, site, url, tmp_path):
    """rsync writes another file and renames it. Each response is one of them, of the length that it has."""
    source = tmp_path / "source"
    source.mkdir()
    versions = [bytes([n]) * (400_000 + 50_000 * n) for n in range(8)]
    sums = {hashlib.sha256(data).digest() for data in versions}
    answers, stopped, parts = [], threading.Event(), urllib.parse.urlsplit(url)

    def ask():
        c = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=TIMEOUT,
                                        context=ssl.create_default_context(cafile=run.ca))
        while not stopped.is_set():
            c.request("GET", "/file")
            answers.append(hashlib.sha256(c.getresponse().read()).digest())
        c.close()

    thread = None
    try:
        for data in versions:
            (source / "file").write_bytes(data)
            run("rsync", "-a", f"{source}/", f"{site}/")
            if thread is None:
                thread = threading.Thread(target=ask)
                thread.start()
            count = len(answers)
            wait_for(lambda: len(answers) >= count + 2 or not thread.is_alive(), "two answers")
    finally:
        stopped.set()
        if thread is not None:
            thread.join()
    assert set(answers) <= sums
    assert answers[-1] == hashlib.sha256(versions[-1]).digest()
    assert len(set(answers)) == len(versions), "every version was seen"


# --- apt -------------------------------------------------------------------------------------------


def make_repository(run, folder, versions, made):
    """A flat repository of packages that hold nothing, {name: version}, made at that time: apt asks by
    dates, which have no parts of a second."""
    for name, version in versions.items():
        tree = run.work / f"{name}-{version}"
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "DEBIAN/control").write_text(f"Package: {name}\nVersion: {version}\nArchitecture: all\n"
                                             f"Maintainer: A <a@example.org>\nDescription: {name}\n")
        (tree / "data").write_bytes(random.Random(name).randbytes(40_000))
        run("dpkg-deb", "-b", "--root-owner-group", tree, folder / f"{name}_{version}_all.deb")
    packages = run("dpkg-scanpackages", ".", "/dev/null", cwd=folder).stdout
    (folder / "Packages").write_bytes(packages)
    (folder / "Packages.gz").write_bytes(gzip.compress(packages))
    sums = "".join(f" {hashlib.sha256((folder / name).read_bytes()).hexdigest()} {(folder / name).stat().st_size} {name}\n"
                   for name in ("Packages", "Packages.gz"))
    (folder / "Release").write_text(f"Date: {email.utils.formatdate(made, usegmt=True)}\nSHA256:\n{sums}")
    for name in ("Packages", "Packages.gz", "Release"):
        os.utime(folder / name, (made, made))


@pytest.mark.plain_too
@pytest.mark.any_build
def test_apt_installs_from_a_repository(run, site, url, tmp_path):
    """It lists, finds that nothing has changed, then that something has, and downloads; over a
    plain port it does not wait for an answer before it asks for the next file."""
    repository, apt = site / "debian", tmp_path / "apt"
    repository.mkdir()
    names = [f"bulkhead-test-{n:02}" for n in range(12)]
    make_repository(run, repository, dict.fromkeys(names, "1.0"), made=1_700_000_000)
    for folder in ("state/lists/partial", "cache/archives/partial", "etc/apt.conf.d", "etc/preferences.d",
                   "etc/trusted.gpg.d", "log"):
        (apt / folder).mkdir(parents=True)
    (apt / "status").write_text("")
    (apt / "sources.list").write_text(f"deb [trusted=yes] {url}/debian ./\n")
    options = {"Dir::State": apt / "state", "Dir::State::status": apt / "status", "Dir::Cache": apt / "cache",
               "Dir::Log": apt / "log", "Dir::Etc": apt / "etc", "Dir::Etc::sourcelist": apt / "sources.list",
               "Dir::Etc::sourceparts": "/dev/null", "APT::Sandbox::User": "", "APT::Architecture": "amd64",
               "Acquire::https::CAInfo": run.ca, "Acquire::http::Proxy": "false", "Acquire::https::Proxy": "false",
               "Acquire::Languages": "none", "Acquire::Retries": "0"}

    def ask(*args):
        return run("apt-get", *(a for name, value in options.items() for a in ("-o", f"{name}={value}")), *args)

    assert "Get:" in ask("update").words
    again = ask("update").words
    assert "Hit:" in again and "Get:" not in again, again
    make_repository(run, repository, {names[0]: "2.0"}, made=1_700_086_400)
    assert "Get:" in ask("update").words
    ask("download", *names)
    for name in names:
        package = f"{name}_{'2.0' if name == names[0] else '1.0'}_all.deb"
        assert (run.work / package).read_bytes() == (repository / package).read_bytes()
