"""Hostile requests: an upstream that records every byte sees exactly one clean request of each, or none.

What stands in front of the gateway must not be able to say something to the upstream that the gateway has
not understood. So each request here hides a second one (its target or method is "smuggled"), or a part
that the gateway and the upstream could read differently, from both ends. `one_or_none` and the strict
reader of gateway.py judge; an incomplete request counts as none if its connection was cut.
"""
import pathlib
import re

import pytest

from gateway import (CLOSE, END, FIN, HEAD, MUST, REQUEST, RESET, RESPONSE, SERVE, SHOULD, TUNNEL, Case, answer, ask,
                     both, chunked, closed, either, interim, lacks, nothing, one_or_none, peer, reply, request,
                     status, until)

TABLE = []
INNER = b"GET /smuggled HTTP/1.1\r\nHost: evil.example\r\nX: "
WHOLE = b"GET /smuggled HTTP/1.1\r\nHost: evil.example\r\n\r\n"


def never_raw(run):
    """Each request upstream is one that the gateway made: it has put its fields in."""
    for r in run.requests + run.begun:
        if not r["Via"] and not r["X-Forwarded-For"]:
            return f"raw: {r.method} {r.target} {r.fields}"


def hostile(name, send, *expect, section="9112 11.2", level=MUST, legal=False, **options):
    """legal: what hides in it is a request of its own by every reading, which may go upstream, too."""
    options.setdefault("quiet", 0.5)
    options.setdefault("responses", 0)
    options.setdefault("methods", ["GET"] * 4)
    TABLE.append(
        Case(name, level, section, send, never_raw if legal else one_or_none, *expect, hostile=True, **options))


def post(*fields, body=b"", line="POST / HTTP/1.1"):
    return ask(line, *fields, body=body)


def raw(*lines, body=b""):
    """A head whose lines are sent as they stand."""
    return b"".join(line if isinstance(line, bytes) else line.encode("latin-1") for line in lines) + body


def refuse(run):
    """400 or so, and the connection ends."""
    return nothing(run) or status(400, 408, 411, 413, 414, 417, 431, 501, 505)(run) or closed(run)


# --- two framings ----------------------------------------------------------------------------------

case = hostile
case("cl-and-te", post("Content-Length: 6", "Transfer-Encoding: chunked", body=b"0\r\n\r\nG"), section="9112 6.3")
case("te-and-cl",
     post("Transfer-Encoding: chunked", "Content-Length: 4", body=b"2f\r\n" + WHOLE + b"\r\n0\r\n\r\n"),
     section="9112 6.3")
case("cl-and-te-with-a-whole-request",
     post(f"Content-Length: {5 + len(WHOLE)}", "Transfer-Encoding: chunked", body=b"0\r\n\r\n" + WHOLE))
case("cl-0-and-te", post("Content-Length: 0", "Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\n\r\n"))
case("te-1.0-and-cl",
     post("Content-Length: 5", "Transfer-Encoding: chunked", line="POST / HTTP/1.0", body=b"0\r\n\r\n" + WHOLE))
case(
    "te-1.0",
    post("Transfer-Encoding: chunked", "Connection: keep-alive", line="POST / HTTP/1.0",
         body=b"0\r\n\r\n" + WHOLE))

for number, value in enumerate(
    ("xchunked", " chunked ", "\tchunked", "chunked\t", "chunked, identity", "identity", "identity, chunked",
     "chunked;x", "chunked;q=0", "chunked, chunked", "chunked,", ",chunked", "", "chunk", "Chunked\x0b",
     "\x0bchunked", "\x0cchunked", "\"chunked\"", "'chunked'", "chunked\x00", "chunked\xa0", "\xa0chunked",
     "chunked x", "gzip, chunked", "chunked, gzip", "cHuNkEd", "chun\tked", "chunked\x7f", "\x01chunked",
     "chunked, x", "ch\xfcnked", "[chunked]", "chunked:chunked", "chunked\x85", "deflate,, chunked")):
    for also in (False, True):
        case(f"te-{value.encode('unicode_escape').decode()!r}-{'with' if also else 'without'}-cl",
             post(f"Transfer-Encoding: {value}", *["Content-Length: 5"] * also, body=b"0\r\n\r\n" + WHOLE),
             section="9112 6.1", legal=not also and value.strip(" \t,").lower() == "chunked")

for number, line in enumerate(
    ("Transfer-Encoding : chunked\r\n", "Transfer-Encoding\t: chunked\r\n", " Transfer-Encoding: chunked\r\n",
     "\tTransfer-Encoding: chunked\r\n", "Transfer-Encoding:\r\n chunked\r\n", "Transfer-Encoding:\n chunked\r\n",
     "Transfer-Encoding\r\n: chunked\r\n", "X: y\nTransfer-Encoding: chunked\r\n",
     "X: y\rTransfer-Encoding: chunked\r\n", "X: y\r\r\nTransfer-Encoding: chunked\r\n",
     "Transfer_Encoding: chunked\r\n", "Transfer-Encoding\x00: chunked\r\n", "Transfer-Encoding\xa0: chunked\r\n",
     "Transfer-Encoding;: chunked\r\n", "Transfer-Encoding chunked\r\n", "\x00Transfer-Encoding: chunked\r\n",
     ": chunked\r\n", "Transfer-Encoding: chunked\n", "Transfer-Encoding: chunked\r",
     "Transfer-\r\n Encoding: chunked\r\n", "Transfer Encoding: chunked\r\n", "TRANSFER-ENCODING: CHUNKED\r\n",
     "Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n",
     "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
     "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
     "Transfer-Encoding: chunked\r\ntransfer-encoding: identity\r\n", "X: y\x0bTransfer-Encoding: chunked\r\n",
     "X: y\x85Transfer-Encoding: chunked\r\n", "Transfer-Encoding:chunked\r\n",
     "Transfer%2DEncoding: chunked\r\n", "Transfer-Encodin\xc4\xa1: chunked\r\n",
     "Transfer\u00adEncoding: chunked\r\n", "\"Transfer-Encoding\": chunked\r\n",
     "Transfer-Encoding:: chunked\r\n", "X:\r\nTransfer-Encoding: chunked\r\n")):
    case(
        f"te-line-{line.encode('unicode_escape').decode()!r}",
        raw("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n", line, "\r\n", body=b"0\r\n\r\n" + WHOLE),
        section="9112 5", legal=line in ("Transfer_Encoding: chunked\r\n", "Transfer%2DEncoding: chunked\r\n",
                                         "X: y\x85Transfer-Encoding: chunked\r\n"))

# --- lengths -------------------------------------------------------------------------------------------

for value in ("+5", "-5", "0x5", "5,5", "5, 5", "5,6", "5 ", "5\t", "5 5", "5;", "5.0", "5e0",
              "٥".encode().decode("latin-1"), "\"5\"", "05", "005", "5\x00", "5\x0b", "\x0b5", "", "-0", "+0",
              "0,5", "5,0", "5,", ",5", "18446744073709551621", "18446744073709551616", "9223372036854775808",
              "99999999999999999999999", "4294967301", "1e1", "5_0", "五".encode().decode("latin-1"), "5\xa0",
              "\xa05", "0b101", "5-", "NaN", "5\r", "inf", "5L"):
    body = b"hello" + WHOLE
    options = {}
    if value in ("05", "005", "5 ", "5\t"):
        options["methods"] = ["POST", "GET", "GET"]
        # They are numbers: what follows the five bytes is a request of its own, and a clean one.
        body = b"hello"
    case(f"cl-{value.encode('unicode_escape').decode()!r}", post(f"Content-Length: {value}", body=body),
         section="9110 8.6", legal=value in ("5,5", "5, 5"), **options)
for first, second in (("5", "6"), ("0", "5"), ("5", "0"), ("5", "5"), ("5", "+5"), ("5", ""), ("", "5"), ("5",
                                                                                                          "x")):
    case(f"cl-{first!r}-and-cl-{second!r}",
         post(f"Content-Length: {first}", f"content-length: {second}", body=b"hello" + WHOLE), section="9110 8.6",
         legal=first == second)
for line in ("Content-Length : 5\r\n", "Content-Length\t: 5\r\n", " Content-Length: 5\r\n",
             "Content-Length:\r\n 5\r\n", "X: y\nContent-Length: 5\r\n", "X: y\rContent-Length: 5\r\n",
             "Content-Length\x00: 5\r\n", "Content_Length: 5\r\n", "Content-Length: 5\n",
             "Content-Length\x0b: 5\r\n", "Content Length: 5\r\n", "\x0cContent-Length: 5\r\n",
             "X: a\r\n Content-Length: 5\r\n", "Content-Length\xe2\x80\x8b: 5\r\n", "Content-Length 5\r\n"):
    case(f"cl-line-{line.encode('unicode_escape').decode()!r}",
         raw("POST / HTTP/1.1\r\nHost: a\r\n", line, "\r\n", body=b"hello" if "_" not in line else b""),
         section="9112 5")
case("get-with-a-body-that-is-a-request", ask("GET / HTTP/1.1", f"Content-Length: {len(WHOLE)}", body=WHOLE),
     either(request(body=WHOLE), nothing))
case("head-with-a-body-that-is-a-request", ask("HEAD / HTTP/1.1", f"Content-Length: {len(WHOLE)}", body=WHOLE),
     methods=["HEAD", "GET"])
case("options-with-a-body-that-is-a-request",
     ask("OPTIONS / HTTP/1.1", f"Content-Length: {len(WHOLE)}", body=WHOLE))
case("trace-with-a-body-that-is-a-request", ask("TRACE / HTTP/1.1", f"Content-Length: {len(WHOLE)}", body=WHOLE))
case("connect-with-a-body-that-is-a-request",
     ask("CONNECT a:1 HTTP/1.1", f"Content-Length: {len(WHOLE)}", body=WHOLE))

# --- chunks -----------------------------------------------------------------------------------------------


def chunky(text):
    return post("Transfer-Encoding: chunked", body=text)


for name, text in {
        "size-with-plus": b"+5\r\nhello\r\n0\r\n\r\n", "size-with-minus": b"-5\r\nhello\r\n0\r\n\r\n",
        "size-0x": b"0x5\r\nhello\r\n0\r\n\r\n", "size-5h": b"5h\r\nhello\r\n0\r\n\r\n",
        "blank-in-front": b" 5\r\nhello\r\n0\r\n\r\n", "blank-after": b"5 \r\nhello\r\n0\r\n\r\n",
        "tab-after": b"5\t\r\nhello\r\n0\r\n\r\n", "no-size": b"\r\nhello\r\n0\r\n\r\n",
        "size-overflows": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
        "size-of-2-64": b"10000000000000000\r\n\r\n" + WHOLE, "size-overflows-to-0": b"100000000\r\n\r\n" + WHOLE,
        "size-f": b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n", "size-7f": b"7fffffffffffffff\r\nhello",
        "size-long": b"0" * 100 + b"5\r\nhello\r\n0\r\n\r\n",
        "size-very-long": b"0" * 100000 + b"5\r\nhello\r\n0\r\n\r\n", "lf": b"5\nhello\n0\n\n",
        "lf-after-size": b"5\nhello\r\n0\r\n\r\n", "lf-after-data": b"5\r\nhello\n0\r\n\r\n",
        "lf-after-last": b"5\r\nhello\r\n0\n\r\n", "lf-at-the-end": b"5\r\nhello\r\n0\r\n\n" + WHOLE,
        "cr-after-size": b"5\rhello\r\n0\r\n\r\n", "cr-after-data": b"5\r\nhello\r0\r\n\r\n",
        "cr-cr-lf": b"5\r\r\nhello\r\n0\r\n\r\n", "no-crlf-after-data": b"5\r\nhello0\r\n\r\n",
        "too-much-data": b"5\r\nhelloX\r\n0\r\n\r\n", "too-little-data": b"5\r\nhel\r\n0\r\n\r\n" + WHOLE,
        "nul-in-size": b"5\0\r\nhello\r\n0\r\n\r\n", "extension-with-lf": b"5;a\nb\r\nhello\r\n0\r\n\r\n",
        "extension-with-a-request": b"5;a=\n" + WHOLE + b"\r\nhello\r\n0\r\n\r\n",
        "extension-with-cr": b"5;a\rb\r\nhello\r\n0\r\n\r\n", "extension-with-nul": b"5;\0\r\nhello\r\n0\r\n\r\n",
        "extension-in-quotes-with-crlf": b'5;a="\r\n"\r\nhello\r\n0\r\n\r\n' + WHOLE,
        "extension-without-semicolon": b"5 a=b\r\nhello\r\n0\r\n\r\n",
        "extension-empty": b"5;\r\nhello\r\n0\r\n\r\n", "extension-of-the-last": b"5\r\nhello\r\n0;a=\n\r\n\r\n",
        "size-and-comma": b"5,\r\nhello\r\n0\r\n\r\n",
        "size-in-wide-digits": b"\xef\xbc\x95\r\nhello\r\n0\r\n\r\n", "underscore": b"0_5\r\nhello\r\n0\r\n\r\n",
        "g": b"g\r\n", "quote": b'"5"\r\n', "last-chunk-00-lf": b"5\r\nhello\r\n00\n\r\n" + WHOLE,
        "trailer-with-lf": b"0\r\nX: y\nZ: a\r\n\r\n" + b"", "trailer-fold": b"0\r\nX: y\r\n z\r\n\r\n",
        "trailer-without-colon": b"0\r\nGET /smuggled HTTP/1.1\r\n\r\n",
        "trailer-blank-before-colon": b"0\r\nX : y\r\n\r\n", "trailer-nul": b"0\r\nX: y\0\r\n\r\n",
        "trailer-cr": b"0\r\nX: y\rZ: z\r\n\r\n",
        "trailer-that-is-a-request": b"0\r\nGET /smuggled HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "trailers-endless": b"0\r\n" + b"X: y\r\n" * 30000 + b"\r\n",
        "trailer-long": b"0\r\nX: " + b"y" * 100000 + b"\r\n\r\n", "no-end": b"5\r\nhello\r\n0\r\n",
        "vertical-tab": b"\x0b5\r\nhello\r\n0\r\n\r\n", "size-then-form-feed": b"5\x0c\r\nhello\r\n0\r\n\r\n",
        "bom": b"\xef\xbb\xbf5\r\nhello\r\n0\r\n\r\n"
}.items():
    sure = name in ("extension-empty", "no-end", "size-long", "size-very-long", "extension-without-semicolon",
                    "blank-after", "tab-after", "size-7f", "trailers-endless", "trailer-long", "trailer-with-lf")
    hostile(f"chunk-{name}", chunky(text),
            *([] if sure else [lambda run: "it was taken for whole" if run.requests else None]),
            section="9112 7.1", **({"quiet": 2} if "long" in name or "endless" in name else {}))
    # The same, together with a good chunk.
    if not sure and len(text) < 1000:
        hostile(f"chunk-with-a-good-one-{name}", [chunky(b"3\r\nabc\r\n" + text), END], refuse,
                section="9112 7.1", quiet=0.05)
    # The same, after a good chunk that has gone on already.
    if not sure and len(text) < 1000:
        hostile(f"later-chunk-{name}", [chunky(b"3\r\nabc\r\n"), peer(b"abc"), text],
                lambda run: "it was taken for whole" if run.requests else None, section="9112 7.1")
for name in ("Content-Length: 0", "Transfer-Encoding: chunked", "Host: evil.example", "Connection: close",
             "Content-Length: 100", "X-Forwarded-For: 6.6.6.6", "Via: 1.1 evil", "Upgrade: websocket",
             "Expect: 100-continue", "TE: trailers", "Trailer: Host", "Authorization: Basic YTpi",
             "Cookie: evil=1", "Content-Encoding: gzip", "Max-Forwards: 0", "Set-Cookie: x=y"):
    case(
        f"trailer-{name}", chunky(b"5\r\nhello\r\n0\r\n" + name.encode() + b"\r\n\r\n"),
        lambda run, name=name: None if not run.requests or name.split(": ")[1] not in run.requests[0].all(
            name.split(":")[0]) or name.startswith("Transfer") else "merged into the head", section="9110 6.5.1")

# --- heads ---------------------------------------------------------------------------------------------------

for name, text in {
        "lf-everywhere": b"GET / HTTP/1.1\nHost: a\n\n", "lf-after-the-line": b"GET / HTTP/1.1\nHost: a\r\n\r\n",
        "lf-after-a-field": b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
        "lf-in-a-value": b"GET / HTTP/1.1\r\nHost: a\r\nX: y\nHost: evil\r\n\r\n",
        "cr-in-a-value": b"GET / HTTP/1.1\r\nHost: a\r\nX: y\rHost: evil\r\n\r\n",
        "cr-at-the-end-of-a-value": b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\r\n\r\n",
        "nul-in-a-value": b"GET / HTTP/1.1\r\nHost: a\r\nX: y\0z\r\n\r\n",
        "nul-in-a-name": b"GET / HTTP/1.1\r\nHost: a\r\nX\0: y\r\n\r\n",
        "fold": b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n",
        "fold-of-host": b"GET / HTTP/1.1\r\nHost: a\r\n .evil\r\n\r\n",
        "fold-after-the-line": b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
        "fold-by-tab": b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\tz\r\n\r\n",
        "fold-that-is-blank": b"GET / HTTP/1.1\r\nHost: a\r\n \r\n\r\n",
        "no-colon": b"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
        "empty-name": b"GET / HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n",
        "blank-in-a-name": b"GET / HTTP/1.1\r\nHost: a\r\nX Y: y\r\n\r\n",
        "blank-before-colon": b"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
        "tab-before-colon": b"GET / HTTP/1.1\r\nHost: a\r\nX\t: y\r\n\r\n",
        "host-blank-before-colon": b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "two-hosts-one-with-blank": b"GET / HTTP/1.1\r\nHost: a\r\nHost : evil\r\n\r\n",
        "latin-1-name": b"GET / HTTP/1.1\r\nHost: a\r\nX\xff: y\r\n\r\n",
        "paren-name": b"GET / HTTP/1.1\r\nHost: a\r\nX(: y\r\n\r\n",
        "slash-name": b"GET / HTTP/1.1\r\nHost: a\r\nX/: y\r\n\r\n",
        "quoted-name": b'GET / HTTP/1.1\r\nHost: a\r\n"X": y\r\n\r\n',
        "del-in-a-value": b"GET / HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n",
        "bell-in-a-value": b"GET / HTTP/1.1\r\nHost: a\r\nX: \x07\r\n\r\n",
        "vt-in-a-value": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x0bb\r\n\r\n",
        "a-request-in-a-value": b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n",
        "host-twice": b"GET / HTTP/1.1\r\nHost: a\r\nHost: evil\r\n\r\n",
        "host-list": b"GET / HTTP/1.1\r\nHost: a, evil\r\n\r\n",
        "host-with-crlf-escaped": b"GET / HTTP/1.1\r\nHost: a%0d%0aX: y\r\n\r\n",
        "host-with-tab": b"GET / HTTP/1.1\r\nHost: a\tb\r\n\r\n",
        "host-with-nul": b"GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n",
        "host-in-path": b"GET /x HTTP/1.1\r\nHost: a/../smuggled\r\n\r\n",
        "two-blanks": b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "two-blanks-later": b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
        "blank-in-a-target": b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        "tab-in-a-target": b"GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n",
        "nul-in-a-target": b"GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n",
        "cr-in-a-target": b"GET /a\rb HTTP/1.1\r\nHost: a\r\n\r\n",
        "lf-in-a-target": b"GET /a\nb HTTP/1.1\r\nHost: a\r\n\r\n",
        "del-in-a-target": b"GET /a\x7f HTTP/1.1\r\nHost: a\r\n\r\n",
        "version-twice": b"GET / HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n",
        "request-in-a-target": b"GET /\x20HTTP/1.1\r\nHost:\x20x HTTP/1.1\r\nHost: a\r\n\r\n",
        "blank-before-the-line": b" GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "blank-after-the-line": b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
        "tabs-in-the-line": b"GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n",
        "cr-cr-lf": b"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", "lf-cr-lf": b"GET / HTTP/1.1\r\nHost: a\r\n\n\r\n",
        "cr-lf-lf": b"GET / HTTP/1.1\r\nHost: a\r\n\n" + WHOLE,
        "cr-blank-line": b"GET / HTTP/1.1\r\nHost: a\r\n\r\r\n\r\n",
        "bom": b"\xef\xbb\xbfGET / HTTP/1.1\r\nHost: a\r\n\r\n", "nothing-but-cr": b"GET / HTTP/1.1\rHost: a\r\r",
        "sp-cr-lf": b"GET / HTTP/1.1\r\nHost: a\r\n \r\n" + WHOLE,
        "version-lower": b"GET / http/1.1\r\nHost: a\r\n\r\n", "nel": b"GET / HTTP/1.1\x85Host: a\r\n\r\n",
        "head-endless": b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 30000,
        "value-endless": b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 300000,
        "target-endless": b"GET /" + b"a" * 300000, "method-endless": b"G" * 300000,
        "fields-101": b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 120 + b"\r\n",
        "absolute-target-and-host": b"GET http://evil.example/smuggled HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "target-with-userinfo": b"GET http://a@evil.example/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "target-with-backslash": b"GET http://a\\@evil/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "target-with-fragment": b"GET /#/../smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
        "target-of-at": b"GET @evil.example/smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
        "target-colon": b"GET :80/ HTTP/1.1\r\nHost: a\r\n\r\n"
}.items():
    loose = name in ("a-request-in-a-value", "host-list", "host-with-crlf-escaped", "fields-101",
                     "target-with-userinfo")
    case(
        f"head-{name}",
        text,
        *([] if loose or "endless" in name or name in ("nothing-but-cr", ) else
          [lambda run: "it was passed on" if run.requests else None]),
        section="9112 2.2" if "lf" in name or "cr" in name else "9112 5",
        # A reader may take a bare LF, blanks and control characters for what they seem to be; this one does not.
        level=SHOULD if name in ("lf-everywhere", "lf-after-the-line", "lf-after-a-field", "two-blanks",
                                 "two-blanks-later", "del-in-a-value", "bell-in-a-value", "vt-in-a-value",
                                 "lf-cr-lf", "cr-lf-lf") else MUST,
        **({"quiet": 1.5} if "endless" in name else {}))

# --- lines by escapes: nothing that is decoded may end a line upstream -----------------------------------------

for where, text in {
        "path": "/%0d%0aX:%20y", "path-with-request": "/%20HTTP/1.1%0d%0aHost:%20x%0d%0a%0d%0aGET%20/smuggled",
        "query": "/?%0d%0aX:%20y", "path-lf": "/%0aX", "path-cr": "/%0dX", "path-nul": "/%00",
        "path-twice": "/%250d%250aX", "path-wide": "/%c4%8d%c4%8aX:%20y", "path-overlong": "/%c0%8d%c0%8aX",
        "path-u": "/%u000d%u000aX", "path-blank": "/%20HTTP/1.1"
}.items():
    case(
        f"escaped-{where}", ask(f"GET {text} HTTP/1.1"), lambda run, text=text: None
        if not run.requests or run.requests[0].target == text else run.requests[0].target, section="9110 7.7",
        legal=True)
    case(
        f"escaped-in-a-location-{where}", ask(f"GET /strip{text} HTTP/1.1"), lambda run, text=text: None
        if not run.requests or run.requests[0].target in (text, "/strip" + text) else run.requests[0].target,
        section="9110 7.7", legal=True, lane="paths", needs="paths")
case("escaped-host-in-the-target", ask("GET http://a%0d%0aX:%20y/ HTTP/1.1"))
case("escaped-host", ask("GET / HTTP/1.1", host="a%0d%0aX:%20y"))
for value in ("a\r\nX: y", "a\n\nGET /smuggled HTTP/1.1", "a\rb"):
    case(f"host-in-forwarded-{value!r}", b"GET / HTTP/1.1\r\nHost: " + value.encode() + b"\r\n\r\n")
case(
    "quotes-of-host-in-forwarded", ask("GET / HTTP/1.1", host='a";for="6.6.6.6'), lambda run: None if not run.
    requests or "6.6.6.6" not in str(run.requests[0].all("Forwarded")) else run.requests[0].all("Forwarded"))
case(
    "parameters-in-forwarded-by-host", ask("GET / HTTP/1.1", host="a;for=6.6.6.6"), lambda run: None
    if not run.requests or 'host="a;for=6.6.6.6"' in run.requests[0].all("Forwarded")[0] else run.requests[0].all(
        "Forwarded"))
case(
    "elements-in-forwarded-by-host", ask("GET / HTTP/1.1", host="a,for=6.6.6.6"), lambda run: None
    if not run.requests or 'host="a,for=6.6.6.6"' in run.requests[0].all("Forwarded")[0] else run.requests[0].all(
        "Forwarded"))

# --- who speaks -------------------------------------------------------------------------------------------------

for name, value in (("X-Forwarded-For", "6.6.6.6"), ("x-forwarded-for", "6.6.6.6"),
                    ("X-FORWARDED-FOR", "6.6.6.6, 7.7.7.7"), ("X_Forwarded_For", "6.6.6.6"),
                    ("X-Forwarded_For", "6.6.6.6"), ("Forwarded", "for=6.6.6.6"), ("X-Forwarded-Host", "6.6.6.6"),
                    ("X-Forwarded-Proto", "6.6.6.6"), ("X-Forwarded-Port", "6666"), ("X-Request-Id", "6.6.6.6"),
                    ("X_Request_Id", "6.6.6.6"), ("X.Request.Id", "x")):
    case(
        f"forged-{name}", ask("GET / HTTP/1.1", f"{name}: {value}"), lambda run, value=value, name=name: None
        if "." in name or not run.requests or not any(value in v for _, v in run.requests[0].fields) else
        f"{value} went upstream: {run.requests[0].fields}", section="7239 8.1", level=SHOULD)
    case(
        f"forged-twice-{name}",
        ask("GET / HTTP/1.1", f"{name}: {value}", f"Connection: {name}",
            f"{name}: {value}"), lambda run, value=value, name=name: None
        if "." in name or not run.requests or not any(value in v for _, v in run.requests[0].fields) else
        f"{value} went upstream: {run.requests[0].fields}", section="7239 8.1", level=SHOULD)
case(
    "connection-of-all",
    ask(
        "POST / HTTP/1.1",
        "Connection: host, content-length, transfer-encoding, via, forwarded, x-forwarded-for, "
        "x-forwarded-proto, x-forwarded-host, x-forwarded-port, x-request-id, date, cookie, te, close",
        "Content-Length: 5", body=b"hello"), lambda run: None if not run.requests or run.requests[0].body ==
    b"hello" and run.requests[0]["Host"] == "a.example" else "lost", section="9110 7.6.1")
case("connection-of-content-length",
     ask("POST / HTTP/1.1", "Connection: Content-Length", f"Content-Length: {len(WHOLE)}", body=WHOLE),
     section="9110 7.6.1")
case("connection-of-transfer-encoding",
     ask("POST / HTTP/1.1", "Connection: Transfer-Encoding", "Transfer-Encoding: chunked", body=chunked(WHOLE)),
     section="9110 7.6.1")
for value in ("close, Host", "Host\r\nConnection: x", "\"Host\"", "x y", "Host;q=1", "(", "@", "keep-alive\0",
              "é".encode().decode("latin-1")):
    case(f"connection-{value!r}", raw("GET / HTTP/1.1\r\nHost: a\r\nConnection: ", value, "\r\n\r\n"),
         section="9110 7.6.1")

# --- upgrades ------------------------------------------------------------------------------------------------------

WS = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
SECOND = ask("GET /second HTTP/1.1")

for code in (200, 400, 403, 404, 426, 500, 503):
    case(f"upgrade-answered-{code}-then-a-request",
         [ask("GET /ws HTTP/1.1", *WS), RESPONSE,
          WHOLE.replace(b"/smuggled", b"/plain")], legal=True,
         upstream=[REQUEST, reply(f"HTTP/1.1 {code} X", body=b"no"),
                   SERVE], section="6455 4.1", methods=["GET", "GET"])
case("upgrade-and-bytes-at-once-answered-400",
     ask("GET /ws HTTP/1.1", *WS) + b"\x81\x85abcdefghi" * 3, lambda run: None
     if len(run.requests) <= 1 else "two", upstream=[REQUEST, reply("HTTP/1.1 400 X", body=b"no"), SERVE],
     section="6455 4.1")
case("upgrade-and-a-request-at-once-answered-400",
     ask("GET /ws HTTP/1.1", *WS) + SECOND, legal=True,
     upstream=[REQUEST, reply("HTTP/1.1 400 X", body=b"no"), SERVE], section="6455 4.1", methods=["GET", "GET"])
case("upgrade-and-a-request-before-the-answer",
     [ask("GET /ws HTTP/1.1", *WS), peer(b"\r\n\r\n"), SECOND], legal=True,
     upstream=[REQUEST, 0.1, reply("HTTP/1.1 400 X", body=b"no"),
               SERVE], section="6455 4.1", methods=["GET", "GET"])
case("upgrade-of-a-wrong-version-then-a-request", [
    ask("GET /ws HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 1337",
        "Sec-WebSocket-Key: x"), RESPONSE, SECOND
], legal=True, upstream=[REQUEST,
                         reply("HTTP/1.1 426 X", "Sec-WebSocket-Version: 13", body=b"no"), SERVE],
     section="6455 4.4", methods=["GET", "GET"])
case("upgrade-answered-101-without-upgrade", [ask("GET /ws HTTP/1.1", *WS), 0.2, WHOLE], legal=True,
     upstream=[REQUEST, b"HTTP/1.1 101 X\r\n\r\n", SERVE], section="9110 7.8")
case(
    "upgrade-to-h2c-with-a-body",
    ask("POST / HTTP/1.1", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk",
        "Content-Length: 5", body=b"hello"), lacks("Upgrade", "HTTP2-Settings"), section="9113 3.1")
for value in ("h2c", "H2C", "h2c, websocket", "websocket, h2c", "websocket,h2c", "h2c\t", "HTTP/2.0", "TLS/1.0",
              "x\r\nUpgrade: h2c", "\"h2c\"", "h2"):
    case(
        f"upgrade-to-{value!r}", [
            raw("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: ", value,
                "\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n")
        ], lambda run: None if not run.requests or "h2c" not in str(run.requests[0].all("Upgrade")).lower() and
        not run.requests[0].all("HTTP2-Settings") else run.requests[0].fields, section="9113 3.1")
case("h2c-answered-101",
     [ask("GET / HTTP/1.1", "Connection: Upgrade", "Upgrade: h2c"), 0.2, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
     lambda run: None if b"PRI *" not in run.bytes_upstream else "the preface went through",
     upstream=[REQUEST, b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
               0.3], section="9113 3.1")
case("upgrade-by-post-with-a-body", [ask("POST /ws HTTP/1.1", *WS, f"Content-Length: {len(WHOLE)}", body=WHOLE)],
     section="9110 7.8")
case("upgrade-with-a-chunked-body",
     [ask("GET /ws HTTP/1.1", *WS, "Transfer-Encoding: chunked", body=chunked(WHOLE))], section="9110 7.8")
case("upgrade-with-a-body-answered-101",
     [ask("GET /ws HTTP/1.1", *WS, "Content-Length: 10", body=b"hello"), 0.3, WHOLE],
     upstream=[HEAD, b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
               0.3], section="9110 7.8")
case("upgrade-of-1.0-answered-101", [ask("GET /ws HTTP/1.0", *WS), 0.2, WHOLE],
     upstream=[REQUEST, b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
               0.3], section="9110 7.8")
case("no-upgrade-answered-101", [ask("GET /ws HTTP/1.1"), 0.2, WHOLE], legal=True,
     upstream=[REQUEST, b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
               SERVE], section="9110 15.2.2")
case("expect-then-no-body-but-a-request",
     [ask("POST / HTTP/1.1", "Expect: 100-continue", "Content-Length: 50"), RESPONSE, SECOND],
     upstream=[HEAD, reply("HTTP/1.1 403 No", body=b"no"), SERVE], section="9110 10.1.1", methods=["POST", "GET"])
case("expect-twice",
     ask("POST / HTTP/1.1", "Expect: 100-continue", "Expect: 100-continue", "Content-Length: 5", body=b"hello"),
     section="9110 10.1.1")
case("expect-list", ask("POST / HTTP/1.1", "Expect: 100-continue, x", "Content-Length: 5", body=b"hello"),
     section="9110 10.1.1")
case("expect-folded",
     raw("POST / HTTP/1.1\r\nHost: a\r\nExpect:\r\n 100-continue\r\nContent-Length: 5\r\n\r\nhello"),
     section="9110 10.1.1")
case("expect-y-of-a-get",
     ask("GET / HTTP/1.1", "Expect: 100-continue", f"Content-Length: {len(WHOLE)}", body=WHOLE),
     section="9110 10.1.1")
case("an-early-answer-and-a-body-that-is-a-request",
     [ask("POST / HTTP/1.1", f"Content-Length: {len(WHOLE) + 5}", body=b"hello"), RESPONSE, WHOLE],
     upstream=[HEAD, reply("HTTP/1.1 403 No", body=b"no"), SERVE], section="9112 9.3", methods=["POST", "GET"])
case("a-body-too-short-and-gone",
     [ask("POST / HTTP/1.1", "Content-Length: 100", body=WHOLE),
      peer(b"smuggled"), CLOSE], section="9112 8")
case("a-body-too-short-and-reset",
     [ask("POST / HTTP/1.1", "Content-Length: 100", body=WHOLE),
      peer(b"smuggled"), RESET], section="9112 8")
# A small body that breaks off as it comes is no request to the upstream.
for end in (CLOSE, FIN, RESET):
    for name, fields, body in (("length", ["Content-Length: 100"], b"hello"), ("length-0", ["Content-Length: 100"], b""),
                               ("chunks", ["Transfer-Encoding: chunked"], b"5\r\nhello\r\n"),
                               ("a-chunk", ["Transfer-Encoding: chunked"], b"5\r\nhe"),
                               ("a-trailer", ["Transfer-Encoding: chunked"], b"5\r\nhello\r\n0\r\nX: y\r\n")):
        case(f"a-body-of-{name}-cut-by-{end}", [ask("POST / HTTP/1.1", *fields, body=body), end], nothing,
             section="9112 8", quiet=0.2)
case("range-flood", ask("GET / HTTP/1.1", "Range: bytes=" + ",".join(f"{n}-" for n in range(500))),
     section="9110 14.2")
for name, target in (("https", "https://a.example/smuggled"), ("https-in-capitals", "HTTPS://a.example:443/smuggled"),
                     ("https-without-a-path", "https://a.example")):
    case(f"target-of-{name}-without-tls", ask(f"GET {target} HTTP/1.1"), nothing, status(421), section="9110 7.4")
for name, text in (("the-line", b"\r\r\nHost: a.example\r\n\r\n"), ("host", b"\r\nHost: a.example\r\r\n\r\n"),
                   ("blank-line", b"\r\nHost: a.example\r\n\r\r\n"),
                   ("every-line", b"\r\r\nHost: a.example\r\r\n\r\r\n")):
    case(f"cr-cr-lf-at-{name}", [b"GET /smuggled HTTP/1.1" + text, END], refuse, status(400), section="9112 2.2")
case("tls-on-a-plain-port", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100)
case("http-2-preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
case("proxy-protocol", b"PROXY TCP4 6.6.6.6 7.7.7.7 1 2\r\n" + ask("GET / HTTP/1.1"))
case("proxy-protocol-2", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + b"\6" * 12 + ask("GET / HTTP/1.1"))
case("eight-blank-lines", b"\r\n" * 8 + ask("GET / HTTP/1.1"))
case("hundred-blank-lines", b"\r\n" * 100 + ask("GET / HTTP/1.1"))
case("blank-lines-and-lf", b"\n\n" + ask("GET / HTTP/1.1"))
case("garbage-between",
     ask("POST / HTTP/1.1", "Content-Length: 5", body=b"helloXX") + ask("GET /second HTTP/1.1"),
     section="9112 2.2", legal=True)

# --- what the fuzzers have kept --------------------------------------------------------------------------------------

CORPUS = pathlib.Path(__file__).parents[1] / "fuzz" / "corpus"

for folder, skip in (("http_head", 0), ("http1", 4)):
    for path in sorted((CORPUS / folder).iterdir()):
        data = path.read_bytes()[skip:]
        methods = [m.decode() for m in re.findall(rb"(GET|HEAD|POST|PUT|OPTIONS)(?= /)", data)] + ["GET"] * 9
        case(f"corpus-{folder}-{path.name}", data, legal=True, methods=methods)

CASES = {c.name: c for c in TABLE}
assert len(CASES) == len(TABLE), [c.name for c in TABLE if CASES[c.name] is not c]


@pytest.mark.parametrize("name", CASES)
def test_hostile(gateway_runs, name):
    gateway_runs(CASES[name])
