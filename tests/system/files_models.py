"""What `files` should answer, worked out a second time from RFC 9110 and bulkhead.conf(5): models for
test_files_by_model.py, which asks for much more than a table can hold."""
import errno
import itertools
import os
import re
import stat
import urllib.parse

TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"

# --- conditions: a name, a field, and whether the condition holds (None: the field must be ignored) -----

IF_MATCH = [("If-Match: {tag}", True), ("If-Match: *", True), ('If-Match: "a", {tag} , "b"', True),
            ('If-Match: "other"', False), ("If-Match: W/{tag}", False)]
IF_UNMODIFIED_SINCE = [("If-Unmodified-Since: {last}", True), ("If-Unmodified-Since: {later}", True),
                       ("If-Unmodified-Since: {before}", False), ("If-Unmodified-Since: yesterday", None)]
IF_NONE_MATCH = [('If-None-Match: "other"', True), ("If-None-Match: {tag}", False), ("If-None-Match: *", False),
                 ("If-None-Match: W/{tag}", False), ('If-None-Match: "x", W/"y",{tag}', False)]
IF_MODIFIED_SINCE = [("If-Modified-Since: {before}", True), ("If-Modified-Since: {last}", False),
                     ("If-Modified-Since: {later}", False), ("If-Modified-Since: 0", None)]
RANGE = [("Range: bytes=2-4", True), ("Range: bytes=2-4\r\nIf-Range: {tag}", True),
         ("Range: bytes=2-4\r\nIf-Range: {last}", True), ("Range: bytes=2-4\r\nIf-Range: W/{tag}", False),
         ('Range: bytes=2-4\r\nIf-Range: "other"', False), ("Range: bytes=2-4\r\nIf-Range: {later}", False),
         ("Range: bytes=2-4\r\nIf-Range: {before}", False), ("If-Range: {tag}", None)]


def judge(method, match, unmodified, none_match, modified, part):
    """The status, by RFC 9110, 13.2.2; each argument is a (field, holds) or None."""
    holds = [None if c is None else c[1] for c in (match, unmodified, none_match, modified, part)]
    if (holds[0] if match else holds[1]) is False:
        return 412
    if (holds[2] if none_match else holds[3]) is False:
        return 304
    return 206 if holds[4] and method == "GET" else 200


def conditions():
    """(method, fields, status): each condition, and all pairs and triples of them."""
    groups = [IF_MATCH, IF_UNMODIFIED_SINCE, IF_NONE_MATCH, IF_MODIFIED_SINCE, RANGE]
    for count in 1, 2, 3:
        for which in itertools.combinations(range(5), count):
            for picked in itertools.product(*(groups[i] for i in which)):
                given = dict(zip(which, picked))
                method = "HEAD" if count == 1 or len(picked[0][0]) % 5 == 0 else "GET"
                for m in ("GET", "HEAD") if count == 1 else (method,):
                    yield m, "\r\n".join(field for field, _ in picked), judge(m, *map(given.get, range(5)))


# --- ranges --------------------------------------------------------------------------------------------


def ranges_wanted(value, size):
    """The (first, last) that a Range wants of so many bytes; None: it is to be ignored (RFC 9110, 14.1
    and 14.2)."""
    unit, equals, specs = value.partition("=")
    if not equals or unit.lower() != "bytes" or specs[:1] in (" ", "\t"):
        return None
    wanted, count = [], 0
    for spec in filter(None, (s.strip(" \t") for s in specs.split(","))):
        m = re.fullmatch(r"([0-9]*)-([0-9]*)", spec)
        if not m or spec == "-" or (m[1] and m[2] and int(m[2]) < int(m[1])):
            return None
        count += 1
        first = int(m[1]) if m[1] else max(0, size - int(m[2]))
        last = min(int(m[2]), size - 1) if m[1] and m[2] else size - 1
        if first < size and (m[1] or int(m[2]) > 0):
            wanted.append((first, last))
    return wanted if 0 < count <= 32 else None


def range_made(rnd, size):
    def number():
        return rnd.choice((rnd.randrange(size + 3), 0, size - 1, size, 2**63, 2**64 - 1, 10**30))

    def spec():
        first, last = sorted((number(), number()))
        return rnd.choice((f"{first}-{last}", f"{first}-{last}", f"{first}-", f"-{number()}", f"-{number()}",
                           rnd.choice(("", " ", "x", "-", "1-2-3", "0", "--1", "5-4", "1 -2"))))

    unit = rnd.choice(("bytes=", "bytes=", "bytes=", "BYTES=", "bytes= ", "lines=", "bytes "))
    return unit + rnd.choice((",", ", ", " ,\t")).join(spec() for _ in range(rnd.choice((1, 1, 2, 3, 6, 33))))


# --- content codings -----------------------------------------------------------------------------------


def codings_accepted(value):
    """{coding: weight}, of a field that repeats none (RFC 9110, 12.5.3)."""
    weights = {}
    for element in value.split(","):
        m = re.fullmatch(rf"[ \t]*({TOKEN})(?:[ \t]*;[ \t]*[qQ]=([0-9.]+))?[ \t]*", element)
        weights[m[1].lower().replace("x-gzip", "gzip")] = float(m[2] or 1)
    return weights


def coding_weight(weights, coding):
    """Below any weight that can be written: acceptable, but everything that is named is better."""
    if coding in weights:
        return weights[coding]
    if coding == "identity" and "*" not in weights:
        return 0.0001
    return weights.get("*", 0)


def coding_made(rnd):
    names = ["gzip", "br", "zstd", "identity", "*", "deflate", "compress"]
    rnd.shuffle(names)
    spelled = [rnd.choice((n, n.upper(), n.replace("gzip", "x-gzip"))) for n in names[:rnd.randrange(1, 6)]]
    weight = ("", "", ";q=0", "; q=0.5", " ;\tQ=0.7", ";q=1", ";q=0.001", ";q=0.000", ";q=0.")
    return rnd.choice((",", ", ", " , ")).join(n + rnd.choice(weight) for n in spelled)


# --- paths ---------------------------------------------------------------------------------------------


def path_follow(root, name, user_is_other):
    """Where a name leads beneath the root, as a path and its stat, or the status of what is not served."""
    done, left, links = [], [s for s in name.split("/") if s], 0

    def here():
        return os.path.join(root, *done)

    while left:
        segment = left.pop(0)
        if segment == ".":
            continue
        if segment == "..":
            if not done:
                return 404
            done.pop()
            continue
        if user_is_other and not os.stat(here()).st_mode & stat.S_IXOTH:
            return 403
        try:
            target = os.readlink(os.path.join(here(), segment))
        except OSError as e:
            if e.errno != errno.EINVAL:
                return 404
            done.append(segment)
            if left and not stat.S_ISDIR(os.stat(here()).st_mode):
                return 404
            continue
        links += 1
        if links > 40 or target.startswith("/"):
            return 404
        left = [s for s in target.split("/") if s] + left
    return here(), os.stat(here())


def path_answer(root, target, user_is_other):
    """(status, content or None) for a request's target, as bulkhead.conf(5), FILES, says."""
    sent = target.partition("?")[0]
    if re.search(r"%(?![0-9A-Fa-f]{2})", sent) or "%00" in sent:
        return 400, None
    segments = urllib.parse.unquote(sent, errors="surrogateescape").split("/")[1:]
    name = []
    for segment in segments:
        if segment == ".." and not name:
            return 400, None
        if segment == "..":
            name.pop()
        elif segment != ".":
            name.append(segment)
    is_folder = segments[-1] in (".", "..") or not name or name[-1] == ""
    name = [s for s in name if s]
    if "%2f" in sent.lower():
        return 404, None
    if any(s.startswith(".") and not (i == 0 and s == ".well-known") for i, s in enumerate(name)):
        return 404, None
    found = path_follow(root, "/".join(name), user_is_other)
    if isinstance(found, int):
        return found, None
    if stat.S_ISDIR(found[1].st_mode):
        if user_is_other and not found[1].st_mode & stat.S_IROTH:
            return 403, None
        if not is_folder:
            return 301, None
        found = path_follow(root, "/".join([*name, "index.html"]), user_is_other)
        return (403, None) if isinstance(found, int) else (200, content(found[0]))
    if is_folder or not stat.S_ISREG(found[1].st_mode):
        return 404, None
    if user_is_other and not found[1].st_mode & stat.S_IROTH:
        return 403, None
    return 200, content(found[0])


def content(path):
    with open(path, "rb") as f:
        return f.read()


def path_made(rnd, names):
    def encode(name):
        return "".join(f"%{b:02{rnd.choice('xX')}}" if b <= 32 or b >= 127 or b in b"%?#" or rnd.random() < .06
                       else chr(b) for b in name)

    segments = [encode(rnd.choice(names)) for _ in range(rnd.choice((1, 1, 2, 2, 3, 4, 6)))]
    path = "/" + segments[0]
    for segment in segments[1:]:
        path += rnd.choice(("/", "/", "/", "/", "/", "//", "%2f", "%2F")) + segment
    return path + rnd.choice(("", "", "", "/", "?a=b", "?/../x", "?%00", "%", "%4", "%zz", "%00"))
