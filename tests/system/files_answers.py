"""What `files` answers: one table of inputs and answers, from which test_files.py asks a server, and
which the table of bulkhead.conf(5) follows (test_files.py compares them)."""
import os
import socket

MODIFIED = 700000000
LAST = "Sat, 07 Mar 1992 20:26:40 GMT"
LATER = "Sat, 07 Mar 1992 20:26:41 GMT"
BEFORE = "Sat, 07 Mar 1992 20:26:39 GMT"
DIGITS = b"0123456789"


def make_site(root):
    """The folder that the answers are about; root exists. outside is beside it."""
    def put(name, content, mode=0o644):
        path = os.path.join(os.fsencode(root), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(content)
        os.chmod(path, mode)
        os.utime(path, (MODIFIED, MODIFIED))

    put(b"digits.txt", DIGITS)
    put(b"empty.txt", b"")
    put(b"index.html", b"<p>index")
    put(b"noext", b"x")
    put(b"a b.txt", b"blank")
    put(b"back\\slash", b"backslash")
    put(b"\xff\xfe.txt", b"no UTF-8")
    put("ü.txt".encode(), b"UTF-8")
    put(b"n" * 255, b"long")
    put(b".hidden", b"hidden")
    put(b".git/config", b"hidden, too")
    put(b".well-known/security.txt", b"known")
    put(b"sub/b.css", b"body{}")
    put(b"secret.txt", b"not for others", 0o600)
    put(b"closed/x", b"x")
    os.chmod(os.path.join(root, "closed"), 0o700)
    put(b"coded.js", b"identity!")
    put(b"coded.js.gz", b"gzip!")
    put(b"coded.js.br", b"brotli!")
    for target, name in (("digits.txt", "link.txt"), ("sub", "linked"), ("../outside", "out"),
                         ("/etc/passwd", "absolute"), ("loop2", "loop1"), ("loop1", "loop2"),
                         ("nowhere", "dangling"), ("/proc/self/root", "magic")):
        os.symlink(target, os.path.join(root, name))
    os.mkfifo(os.path.join(root, "fifo"), 0o666)
    with socket.socket(socket.AF_UNIX) as s:
        here = os.open(root, os.O_PATH)
        s.bind(f"/proc/self/fd/{here}/socket")
        os.close(here)


# words of the manual's table (None: not in it), path, status, body
PATHS = [
    ("a regular file", "/digits.txt", 200, DIGITS),
    (None, "/digits.txt?query", 200, DIGITS),
    (None, "/empty.txt", 200, b""),
    (None, "/", 200, b"<p>index"),
    (None, "/index.html", 200, b"<p>index"),
    (None, "/noext", 200, b"x"),
    (None, "/a%20b.txt", 200, b"blank"),
    (None, "/back%5Cslash", 200, b"backslash"),
    (None, "/back\\slash", 200, b"backslash"),
    (None, "/%FF%fe.txt", 200, b"no UTF-8"),
    (None, "/%c3%bc.txt", 200, b"UTF-8"),
    (None, "/" + "n" * 255, 200, b"long"),
    (None, "/sub/b.css", 200, b"body{}"),
    (None, "/./sub/../digits.txt", 200, DIGITS),
    (None, "/%2e/sub/%2E%2e/digits.txt", 200, DIGITS),
    (None, "/%64igits.txt", 200, DIGITS),
    (None, "/link.txt", 200, DIGITS),
    (None, "/linked/b.css", 200, b"body{}"),
    (None, "/.well-known/security.txt", 200, b"known"),
    ("a folder, without a slash at its end", "/sub", 301, b""),
    (None, "/linked", 301, b""),
    ("a folder, with a slash and without an index", "/sub/", 403, None),
    ("nothing, or a file with a slash at its end", "/none", 404, None),
    (None, "/none/", 404, None),
    (None, "/sub/none", 404, None),
    (None, "/digits.txt/", 404, None),
    (None, "/digits.txt/x", 404, None),
    (None, "/DIGITS.TXT", 404, None),
    (None, "/digits.txt%20", 404, None),
    (None, "/%0d%0aX:y", 404, None),
    (None, "/dangling", 404, None),
    ("a name that begins with a dot, or is beneath one", "/.hidden", 404, None),
    (None, "/%2ehidden", 404, None),
    (None, "/.git/config", 404, None),
    (None, "/.git", 404, None),
    (None, "/.git/", 404, None),
    (None, "/sub/.well-known/x", 404, None),
    (None, "//sub", 301, b""),
    (None, "/sub//b.css", 200, b"body{}"),
    (None, "//sub/b.css", 200, b"body{}"),
    (None, "///sub///b.css", 200, b"body{}"),
    (None, "/sub//", 403, None),
    (None, "/x/..//sub/b.css", 200, b"body{}"),
    (None, "//.well-known/security.txt", 200, b"known"),
    (None, "//.hidden", 404, None),
    (None, "/sub//.git/config", 404, None),
    ("a path with a slash that was sent as Ql %2F", "/sub%2Fb.css", 404, None),
    (None, "/sub%2f", 404, None),
    (None, "/%2fetc/passwd", 404, None),
    (None, "/sub/..%2fdigits.txt", 404, None),
    (None, "/sub/.%2fb.css", 404, None),
    (None, "/x%2f../digits.txt", 404, None),
    (None, "/sub%2f/b.css", 404, None),
    (None, "/sub/%2Fb.css", 404, None),
    (None, "/%2f", 404, None),
    ("a name of more than 255 bytes, or a path of more than 4095", "/" + "n" * 256, 404, None),
    (None, "/n" * 2100, 404, None),
    ("a FIFO, socket or device", "/fifo", 404, None),
    (None, "/fifo/", 404, None),
    (None, "/socket", 404, None),
    ("a link that leads out of the folder, or in a circle", "/out", 404, None),
    (None, "/absolute", 404, None),
    (None, "/magic/etc/passwd", 404, None),
    (None, "/loop1", 404, None),
    (None, "/loop1/x", 404, None),
    # refused by the protocol
    (None, "/%00", 400, None),
    (None, "/digits.txt%00.png", 400, None),
    (None, "/../digits.txt", 400, None),
    (None, "/%2e%2e/outside", 400, None),
    (None, "/sub/..%2f..%2foutside", 400, None),
    (None, "/%zz", 400, None),
]

# only where the worker runs as another user than the owner
UNREADABLE = [
    ("a file that the worker's user may not read", "/secret.txt", 403, None),
    (None, "/closed/", 403, None),
    (None, "/closed/x", 403, None),
]

WHOLE, NOT_MODIFIED, FAILED = (200, DIGITS), (304, b""), (412, None)

# fields with {tag}, status, body
CONDITIONS = [
    ("If-None-Match: {tag}", *NOT_MODIFIED),
    ("If-None-Match: W/{tag}", *NOT_MODIFIED),
    ("If-None-Match: *", *NOT_MODIFIED),
    ('If-None-Match: "x", {tag}', *NOT_MODIFIED),
    ('If-None-Match: "x"\r\nIf-None-Match: {tag}', *NOT_MODIFIED),
    ('If-None-Match: "x"', *WHOLE),
    ("If-None-Match: x", *WHOLE),
    ("If-Match: {tag}", *WHOLE),
    ("If-Match: *", *WHOLE),
    ("If-Match: W/{tag}", *FAILED),
    ('If-Match: "x"', *FAILED),
    ("If-Match: x", *FAILED),
    ("If-Modified-Since: " + LAST, *NOT_MODIFIED),
    ("If-Modified-Since: " + LATER, *NOT_MODIFIED),
    ("If-Modified-Since: " + BEFORE, *WHOLE),
    ("If-Modified-Since: Saturday, 07-Mar-92 20:26:40 GMT", *NOT_MODIFIED),
    ("If-Modified-Since: Sat Mar  7 20:26:40 1992", *NOT_MODIFIED),
    ("If-Modified-Since: yesterday", *WHOLE),
    (f"If-Modified-Since: {LAST}\r\nIf-Modified-Since: {LAST}", *WHOLE),
    ("If-Unmodified-Since: " + LAST, *WHOLE),
    ("If-Unmodified-Since: " + BEFORE, *FAILED),
    ("If-Unmodified-Since: yesterday", *WHOLE),
    # in their order
    ('If-Match: "x"\r\nIf-None-Match: {tag}', *FAILED),
    ("If-Match: {tag}\r\nIf-None-Match: {tag}", *NOT_MODIFIED),
    ("If-Match: {tag}\r\nIf-Unmodified-Since: " + BEFORE, *WHOLE),
    ('If-None-Match: "x"\r\nIf-Modified-Since: ' + LAST, *WHOLE),
    ("If-None-Match: {tag}\r\nIf-Modified-Since: " + BEFORE, *NOT_MODIFIED),
    ("If-Unmodified-Since: " + BEFORE + "\r\nIf-None-Match: {tag}", *FAILED),
    ("If-None-Match: {tag}\r\nRange: bytes=0-1", *NOT_MODIFIED),
    ("If-None-Match: {tag}\r\nRange: bytes=50-", *NOT_MODIFIED),
    ('If-Match: "x"\r\nRange: bytes=0-1', *FAILED),
    # If-Range
    ("If-Range: {tag}\r\nRange: bytes=0-1", 206, b"01"),
    ("If-Range: W/{tag}\r\nRange: bytes=0-1", *WHOLE),
    ('If-Range: "x"\r\nRange: bytes=0-1', *WHOLE),
    ('If-Range: "x"\r\nRange: bytes=50-', *WHOLE),
    ("If-Range: " + LAST + "\r\nRange: bytes=0-1", 206, b"01"),
    ("If-Range: " + LATER + "\r\nRange: bytes=0-1", *WHOLE),
    ("If-Range: " + BEFORE + "\r\nRange: bytes=0-1", *WHOLE),
    ("If-Range: {tag}", *WHOLE),
]

# the value of Range; what is sent: ranges, None (the whole), or "416"
RANGES = [
    ("bytes=0-0", [(0, 0)]),
    ("bytes=0-", [(0, 9)]),
    ("bytes=0-9", [(0, 9)]),
    ("bytes=3-5", [(3, 5)]),
    ("bytes=9-", [(9, 9)]),
    ("bytes=5-100", [(5, 9)]),
    ("bytes=5-99999999999999999999999", [(5, 9)]),
    ("bytes=-1", [(9, 9)]),
    ("bytes=-10", [(0, 9)]),
    ("bytes=-99999999999999999999999", [(0, 9)]),
    ("Bytes=3-5", [(3, 5)]),
    ("bytes=,3-5,", [(3, 5)]),
    ("bytes=0-0,9-9", [(0, 0), (9, 9)]),
    ("bytes=9-9 ,\t0-0", [(9, 9), (0, 0)]),
    ("bytes=0-0,-1", [(0, 0), (9, 9)]),
    ("bytes=0-0,50-60", [(0, 0)]),
    ("bytes=0-4,3-6", [(0, 6)]),
    ("bytes=0-4,5-9", [(0, 9)]),
    ("bytes=8-9,0-1,4-5,1-4", [(8, 9), (0, 5)]),
    ("bytes=" + ",".join(["0-0"] * 32), [(0, 0)]),
    ("bytes=" + ",".join(["0-0"] * 33), None),
    ("bytes=" + ",".join(f"{i}-" for i in range(10)) + ",0-" * 1000, None),
    ("bytes=10-", "416"),
    ("bytes=10-20,30-", "416"),
    ("bytes=99999999999999999999999-", "416"),
    ("bytes=-0", "416"),
    ("bytes=", None),
    ("bytes=-", None),
    ("bytes=5-3", None),
    ("bytes=0-1,5-3", None),
    ("bytes=a-b", None),
    ("bytes=0-1;2", None),
    ("bytes=+1-2", None),
    ("bytes 0-1", None),
    ("lines=0-1", None),
    ("", None),
]

# Accept-Encoding, for a file with the siblings .gz and .br; the coding that is sent, or a status
ENCODINGS = [
    (None, None),
    ("", None),
    ("gzip", "gzip"),
    ("x-gzip", "gzip"),
    ("GZIP", "gzip"),
    ("gzip, br", "br"),
    ("gzip, deflate, br, zstd", "br"),
    ("br;q=0.9, gzip", "gzip"),
    ("br;q=0, gzip", "gzip"),
    ("br;q=0, gzip;q=0", None),
    ("zstd", None),
    ("zstd, gzip;q=0.001", "gzip"),
    ("*", "br"),
    ("*;q=0.1, br;q=0", "gzip"),
    ("identity", None),
    ("identity, gzip;q=0.5", None),
    ("identity;q=0.5, gzip", "gzip"),
    ("identity;q=0, gzip", "gzip"),
    ("identity;q=0", 406),
    ("*;q=0", 406),
    ("gzip;q=2", None),
    ("gzip;q=0.5;q=1", "gzip"),
]

METHODS = [("POST", 405), ("PUT", 405), ("DELETE", 405), ("PATCH", 405), ("TRACE", 405), ("OPTIONS", 204),
           ("BREW", 501)]
