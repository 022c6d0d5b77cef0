"""What goes upstream of what clients send: RFC 9110, RFC 9112, RFC 7239, with every byte recorded."""
import pytest

from gateway import (CLOSE, END, FIN, HEAD, MUST, REQUEST, RESET, RESPONSE, SERVE, SHOULD, Case, answer, ask,
                     both, chunked, closed, connections, cut, either, field, has, interim, lacks, nothing, ok,
                     peer, reply, request, refused, stays, status, until)

TABLE = []


def case(*args, **options):
    TABLE.append(Case(*args, **options))


def option(run):
    """Options of Connection upstream."""
    return run.requests[0].options() if run.requests else None


def without_options(*names):

    def judge(run):
        left = set(option(run) or ()) & set(names)
        if left or not run.requests:
            return f"Connection names {left}" if left else "no request"

    return judge


def via(*elements):
    """The last elements of Via upstream match these patterns."""
    import re

    def judge(run):
        if not run.requests:
            return "no request"
        found = [e.strip() for v in run.requests[0].all("Via") for e in v.split(",")]
        if len(found) != len(elements) or not all(re.fullmatch(p, e) for p, e in zip(elements, found)):
            return f"Via went upstream as {found}"

    return judge


def get(*fields, target="/", **options):
    return ask(f"GET {target} HTTP/1.1", *fields, **options)


def post(*fields, body=b"hello", target="/", **options):
    return ask(f"POST {target} HTTP/1.1", *fields, f"Content-Length: {len(body)}", body=body, **options)


# --- what is passed on -------------------------------------------------------------------------

case("a-get", MUST, "9110 3.7", get("Accept: */*"), request(method="GET", target="/", body=b"", framing="none"),
     has("Accept", "*/*"), has("Host", "a.example"), answer(200, b"</>"))
case("an-unknown-field", MUST, "9110 5.1", get("X-Thing: 1; a=\"b\""), has("X-Thing", '1; a="b"'))
case("a-field-with-an-underscore", MUST, "9110 5.1", get("x_thing: 1"), has("x_thing", "1"))
for name in ("X.Y", "X!#$%&'*+.^_`|~Y", "X-1", "a" * 200):
    case(f"a-field-named-{name[:20]}", MUST, "9110 5.1", get(f"{name}: v"), has(name, "v"))
case(
    "equal-names-keep-their-order", MUST, "9110 5.3", get("X-A: 1", "X-B: 2", "x-a: 3", "X-A: 4"),
    lambda run: None if [v.strip() for w in run.requests[0].all("X-A")
                         for v in w.split(",")] == ["1", "3", "4"] else run.requests[0].all("X-A"))
case("cookies-stay-apart", SHOULD, "9110 5.3", get("Cookie: a=1; b=2"), has("Cookie", "a=1; b=2"))
case("an-empty-value", MUST, "9110 5.5", get("X-Empty:"), has("X-Empty", ""))
case("blanks-around-a-value", MUST, "9112 5.1", get("X-A: \t  b c\t d \t"), has("X-A", "b c\t d"))
case("no-blank-before-a-value", MUST, "9112 5.1", get("X-A:b"), has("X-A", "b"))
case("a-value-of-latin-1", SHOULD, "9110 5.5", get("X-A: caf\xe9 \xff"), has("X-A", "caf\xe9 \xff"))
case("a-value-of-utf-8", SHOULD, "9110 5.5", get("X-A: \u00c3\u00a9"), has("X-A", "\u00c3\u00a9"))
case("a-long-value", SHOULD, "9110 5.4", get("X-A: " + "v" * 3000), has("X-A", "v" * 3000))
case("sixty-fields", SHOULD, "9110 5.4", get(*[f"X-{n}: {n}" for n in range(60)]), has("X-59", "59"))
case("names-of-any-case", MUST, "9110 5.1", b"GET / HTTP/1.1\r\nhOsT: a.example\r\naCCept: x\r\n\r\n",
     has("Host", "a.example"), has("Accept", "x"))
for name, value in (("Authorization", "Basic YTpi"), ("Cookie", "s=1"), ("Range", "bytes=0-1"),
                    ("If-None-Match", '"x"'), ("Accept-Encoding", "gzip, br"), ("Cache-Control", "no-cache"),
                    ("Pragma", "no-cache"), ("User-Agent", "a (b; c) d/1"), ("Referer", "http://x/y?z"),
                    ("Origin", "null"), ("Date", "x"), ("If-Range", '"x"'), ("From", "a@b"), ("Accept-Language",
                                                                                              "de"), ("DNT", "1"),
                    ("Alt-Used", "x"), ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
                    ("Content-Type", "text/x; charset=\"y\""), ("Access-Control-Request-Method", "GET"),
                    ("Sec-WebSocket-Key", "x"), ("Early-Data", "0"), ("Priority", "u=1"), ("Sec-Fetch-Mode",
                                                                                           "cors")):
    case(f"passes-on-{name}", MUST, "9110 5.1", get(f"{name}: {value}"), has(name, value))

# --- hop by hop ---------------------------------------------------------------------------------

case("connection-names-a-field", MUST, "9110 7.6.1", get("Connection: X-Gone", "X-Gone: 1", "X-Stays: 2"),
     lacks("X-Gone"), has("X-Stays", "2"), without_options("x-gone"))
case("connection-names-fields-in-any-case", MUST, "9110 7.6.1",
     get("Connection: x-GONE , close", "X-Gone: 1", "x-gone: 2"), lacks("X-Gone"))
case("connection-twice", MUST, "9110 7.6.1", get("Connection: A-1", "A-1: 1", "Connection: A-2", "A-2: 2"),
     lacks("A-1", "A-2"), without_options("a-1", "a-2"))
case("connection-comes-after-the-field", MUST, "9110 7.6.1", get("X-Gone: 1", "Connection: X-Gone"),
     lacks("X-Gone"))
case("connection-names-the-trace", MUST, "9110 7.6.1",
     get("Connection: traceparent", "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
         "tracestate: a=1"), request(), lacks("traceparent", "tracestate"))
case("connection-has-empty-elements", MUST, "9110 5.6.1", get("Connection: , ,X-Gone,, ", "X-Gone: 1"),
     lacks("X-Gone"))
case("connection-names-what-is-not-there", MUST, "9110 7.6.1", get("Connection: X-None"),
     without_options("x-none"), request())
case("connection-names-twenty", MUST, "9110 7.6.1",
     get("Connection: " + ", ".join(f"X-{n}" for n in range(20)), *[f"X-{n}: 1" for n in range(20)]),
     lacks(*[f"X-{n}" for n in range(20)]))
for name, value in (("Keep-Alive", "timeout=5"), ("Proxy-Connection", "keep-alive"),
                    ("TE", "trailers, deflate;q=0.5"), ("HTTP2-Settings", "AAMAAABkAAQAAP__")):
    case(
        f"never-passes-on-{name}-that-connection-names", MUST, "9110 7.6.1",
        get(f"Connection: {name}", f"{name}: {value}"), lambda run, name=name, value=value: None
        if run.requests and value not in run.requests[0].all(name) else "it went upstream")
for name, value in (("Keep-Alive", "timeout=5, max=100"), ("Proxy-Connection", "keep-alive")):
    case(f"never-passes-on-{name}", MUST, "9110 7.6.1", get(f"{name}: {value}"), lacks(name))
case("close-is-not-passed-on", MUST, "9110 7.6.1", get("Connection: close"), request(), answer(200), closed)
case("the-connection-stays-by-default", MUST, "9112 9.3", get(), answer(200), stays)
case("keep-alive-of-1.1", MUST, "9112 9.3", get("Connection: keep-alive"), answer(200), stays)
case(
    "te-trailers-alone", MUST, "9110 10.1.4", get("TE: trailers", "Connection: TE"), request(), lambda run: None
    if not run.requests[0].all("TE") or run.requests[0].all("TE") == ["trailers"] and "te" in option(run) else run
    .requests[0].fields)
case("te-without-its-option", MUST, "9110 7.6.1", get("TE: gzip"), request(), lacks("TE"))
case("te-of-codings", MUST, "9110 10.1.4", get("TE: gzip;q=1, chunked", "Connection: TE"), request(),
     lambda run: None if run.requests[0]["TE"] in (None, "trailers") else run.requests[0]["TE"])
case("upgrade-without-its-option", MUST, "9110 7.8", get("Upgrade: websocket"), request(), lacks("Upgrade"),
     answer(200))
case("h2c-is-not-passed-on", MUST, "9113 3.1",
     get("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"), request(),
     lacks("Upgrade", "HTTP2-Settings"), answer(200))
case("h2c-among-others-is-not-passed-on", MUST, "9113 3.1", get("Connection: Upgrade", "Upgrade: h2c, websocket"),
     request(), lambda run: None
     if "h2c" not in (run.requests[0]["Upgrade"] or "").lower() else "h2c went upstream", answer(200))
case("proxy-authorization", SHOULD, "9110 11.7.2", get("Proxy-Authorization: Basic YTpi"), request(), answer(200))
case("trailer-of-no-trailers", MUST, "9110 6.6.2", get("Trailer: X-T"), request(), answer(200))

# --- Connection cannot take what the upstream must have --------------------------------------------

case("connection-names-host", MUST, "9110 7.6.1", get("Connection: Host"),
     either(request(host="a.example"), refused(400)))
case("connection-names-content-length", MUST, "9110 7.6.1", post("Connection: Content-Length"),
     either(request(body=b"hello", framing="length"), refused(400)))
case(
    "connection-names-transfer-encoding", MUST, "9110 7.6.1",
    ask("POST / HTTP/1.1", "Connection: Transfer-Encoding", "Transfer-Encoding: chunked", body=chunked(b"hello")),
    either(request(body=b"hello", framing="chunked"), refused(400)))
for name in ("X-Forwarded-For", "Forwarded", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port",
             "X-Request-Id", "Via"):
    case(
        f"connection-names-{name}", MUST, "9110 7.6.1",
        get(f"Connection: {name}, X-A", f"{name}: 6.6.6.6", "X-A: 1"), lambda run, name=name: None
        if not run.requests or run.requests[0].all(name) and "6.6.6.6" not in run.requests[0][name] else
        f"{name}: {run.requests[0].all(name)}", lacks("X-A"))
case("connection-names-authorization", SHOULD, "9110 7.6.1",
     get("Connection: Authorization", "Authorization: Basic YTpi"), either(request(), refused(400)))
case("connection-names-cookie", SHOULD, "9110 7.6.1", get("Connection: Cookie", "Cookie: a=1"),
     either(request(), refused(400)))

# --- Via, Forwarded and their kin --------------------------------------------------------------------

case("via", MUST, "9110 7.6.3", get(), via(r"1\.1 \S+( \(.*\))?"))
case("via-is-appended", MUST, "9110 7.6.3", get("Via: 1.0 fred", "Via: HTTP/1.1 p.example:80 (x)"),
     via(r"1\.0 fred", r"HTTP/1\.1 p\.example:80 \(x\)", r"1\.1 \S+( \(.*\))?"))
case("via-of-1.0", MUST, "9110 7.6.3", ask("GET / HTTP/1.0"), via(r"1\.0 \S+( \(.*\))?"))
case("x-forwarded-for", SHOULD, "7239 1", get(), has("X-Forwarded-For", "127.0.0.1"))
case("x-forwarded-for-of-a-stranger", SHOULD, "7239 8.1", get("X-Forwarded-For: 6.6.6.6"),
     has("X-Forwarded-For", "127.0.0.1"))
case("x-forwarded-for-twice", SHOULD, "7239 8.1", get("X-Forwarded-For: 6.6.6.6", "x-forwarded-FOR: 7.7.7.7"),
     has("X-Forwarded-For", "127.0.0.1"))
case(
    "x-forwarded-others", SHOULD, "7239 8.1",
    get("X-Forwarded-Proto: gopher", "X-Forwarded-Host: evil", "X-Forwarded-Port: 666",
        "X-Forwarded-Server: evil", "X-Real-IP: 6.6.6.6"), has("X-Forwarded-Proto", "http"),
    has("X-Forwarded-Host", "a.example"), lambda run: None
    if "666" not in run.requests[0].all("X-Forwarded-Port") else "a forged port")
case(
    "forwarded", SHOULD, "7239 4", get("Forwarded: for=6.6.6.6;proto=gopher"), lambda run: None
    if run.requests and len(run.requests[0].all("Forwarded")) == 1 and "for=127.0.0.1" in run.requests[0][
        "Forwarded"] and "6.6.6.6" not in run.requests[0]["Forwarded"] else run.requests[0].all("Forwarded"))
case(
    "forwarded-has-host-and-proto", SHOULD, "7239 5", get(host="a.example:8080"), lambda run: None
    if 'host="a.example:8080"' in (run.requests[0]["Forwarded"] or "").lower() and "proto=http" in run.requests[0]
    ["Forwarded"].lower() else run.requests[0].all("Forwarded"))
case(
    "x-request-id-of-a-stranger", SHOULD, "9110 7.7", get("X-Request-Id: forged"), lambda run: None
    if len(run.requests[0].all("X-Request-Id")) == 1 and run.requests[0]["X-Request-Id"] != "forged" else run.
    requests[0].all("X-Request-Id"))
for name in ("X_Forwarded_For", "X-Forwarded_For", "X_Forwarded_Proto", "X_Request_Id", "x_FORWARDED_host",
             "Content_Length", "Transfer_Encoding"):
    case(f"an-alias-{name}", SHOULD, "3875 4.1.18", get(f"{name}: 6"), either(lacks(name), refused(400)))
case(
    "trusted-x-forwarded-for", SHOULD, "7239 7.1", get("X-Forwarded-For: 1.2.3.4",
                                                       "X-Forwarded-For: 5.6.7.8"), lambda run: None
    if [v.strip() for w in run.requests[0].all("X-Forwarded-For")
        for v in w.split(",")] == ["1.2.3.4", "5.6.7.8", "127.0.0.1"] else run.requests[0].all("X-Forwarded-For"),
    lane="trusting", needs="trust")
case(
    "trusted-forwarded", SHOULD, "7239 7.1", get('Forwarded: for="[2001:db8::1]:80";by=_x, for=5.6.7.8'),
    lambda run: None
    if run.requests[0]["Forwarded"].startswith('for="[2001:db8::1]:80";by=_x, for=5.6.7.8, for=127.0.0.1') else
    run.requests[0]["Forwarded"], lane="trusting", needs="trust")
case("trusted-x-forwarded-proto", SHOULD, "7239 5.4", get("X-Forwarded-Proto: https"),
     has("X-Forwarded-Proto", "https"), lane="trusting", needs="trust")
case("trusted-x-request-id", SHOULD, "9110 7.7", get("X-Request-Id: abc-123"), has("X-Request-Id", "abc-123"),
     lane="trusting", needs="trust")
for text in ("a b", "x" * 5000, 'a"b', "a\tb"):
    case(
        f"trusted-x-request-id-that-is-none-{text[:3]!r}", SHOULD, "9110 7.7", get(f"X-Request-Id: {text}"),
        lambda run, text=text: None
        if run.requests and len(run.requests[0].all("X-Request-Id")) == 1 and run.requests[0][
            "X-Request-Id"] != text else "passed on", lane="trusting", needs="trust")

# --- Host and targets --------------------------------------------------------------------------------

case("host-with-a-port", MUST, "9110 7.2", get(host="a.example:8080"), has("Host", "a.example:8080"))
case("host-of-ipv6", MUST, "9110 7.2", get(host="[::1]:80"), has("Host", "[::1]:80"))
case("host-of-ipv4", MUST, "9110 7.2", get(host="127.0.0.1"), has("Host", "127.0.0.1"))
case("no-host", MUST, "9112 3.2", get(host=None), refused(400))
case("two-hosts", MUST, "9112 3.2", get("Host: b.example"), refused(400))
case("two-equal-hosts", MUST, "9112 3.2", get("Host: a.example"), refused(400))
case("an-empty-host", MUST, "9112 3.2", get(host=""), either(request(), refused(400)))
for host in ("a b", "a/b", "a@b", "user@a.example", "a.example:80:80", "a.example:x", "[::1", "::1]", "a?b",
             "a#b", "a\\b", "a.example:99999", "a%zz", "<a>", '"a"', "[::g]", "a\x7fb", "h\xe9", "a.example/",
             "http://a"):
    level = MUST if host not in ("a.example:99999", "h\xe9", "[::g]") else SHOULD
    case(f"a-bad-host-{host!r}", level, "9112 3.2", get(host=host), refused(400))
case("a-host-of-odd-characters", MUST, "3986 3.2.2", get(host="a,b_c!$&'()*+;=~"),
     either(request(host="a,b_c!$&'()*+;=~"), refused(400)))
case("the-target-has-the-host", MUST, "9112 3.2.2", ask("GET http://b.example:81/x?y HTTP/1.1"),
     request(target="/x?y", host="b.example:81"))
case("the-target-has-the-host-and-no-path", MUST, "9112 3.2.1", ask("GET http://b.example HTTP/1.1"),
     request(target="/", host="b.example"))
case("the-target-has-a-query-and-no-path", MUST, "9112 3.2.1", ask("GET http://b.example?q HTTP/1.1"),
     request(target="/?q", host="b.example"))
case("an-absolute-target-without-host", MUST, "9112 3.2", ask("GET http://b.example/ HTTP/1.1", host=None),
     refused(400))
case("an-absolute-target-in-capitals", MUST, "9110 4.2.3", ask("GET HTTP://B.Example/X HTTP/1.1"),
     request(target="/X"), lambda run: None
     if run.requests[0]["Host"].lower() == "b.example" else run.requests[0]["Host"])
case("an-absolute-target-of-1.0", MUST, "9112 3.2.2", ask("GET http://b.example/ HTTP/1.0", host=None),
     request(host="b.example"))
for target in ("http://user@b.example/", "http://user:pw@b.example/", "http:///x", "http://", "http:/x",
               "http://b.example:x/", "http://[::1/", "http://b b/"):
    case(f"a-bad-absolute-target-{target}", SHOULD, "9110 4.2.4", ask(f"GET {target} HTTP/1.1"), refused(400))
case("another-scheme", SHOULD, "9110 7.4", ask("GET ftp://b.example/ HTTP/1.1"), refused(400, 421, 501))
case("options-star", MUST, "9112 3.2.4", ask("OPTIONS * HTTP/1.1"),
     either(request(method="OPTIONS", target="*"), both(nothing, status(200, 204))))
case("options-of-a-host", MUST, "9112 3.2.4", ask("OPTIONS http://b.example HTTP/1.1"),
     either(request(method="OPTIONS", target="*", host="b.example"), both(nothing, status(200, 204))))
case("options-of-a-host-with-a-path", MUST, "9112 3.2.4", ask("OPTIONS http://b.example/ HTTP/1.1"),
     either(request(method="OPTIONS", target="/", host="b.example"), both(nothing, status(200, 204))))
case("get-star", MUST, "9112 3.2.4", ask("GET * HTTP/1.1"), refused(400, 404))
case("connect", MUST, "9110 9.3.6", ask("CONNECT b.example:443 HTTP/1.1", host="b.example:443"),
     refused(400, 403, 405, 501))
case("connect-with-bytes-after-it", MUST, "9110 9.3.6",
     ask("CONNECT b.example:443 HTTP/1.1", host="b.example:443") + get(target="/smuggled"),
     refused(400, 403, 405, 501), closed)
case("connect-with-a-path", MUST, "9112 3.2.3", ask("CONNECT /x HTTP/1.1"), refused(400, 403, 405, 501))
case("authority-form-of-get", MUST, "9112 3.2", ask("GET b.example:80 HTTP/1.1"), refused(400))
case("a-target-without-a-slash", MUST, "9112 3.2", ask("GET x HTTP/1.1"), refused(400, 404))

for target in ("/a%2Fb", "/a%2fb", "/%41", "/~a", "/%7Ea", "/a;b=c", "/a,b", "/a+b", "/@:!$&'()*+,;=", "/a//b",
               "/a///", "//a", "/a/./b", "/a/../b", "/a/.", "/a/..", "/a/%2e%2E/b", "/%2e/b", "/a%20b", "/a%00b",
               "/a%0d%0ab", "/%ff", "/a%25b", "/?", "/??", "/?a=b&c=d", "/?a=/../b", "/?a=%2F%00", "/?a//b",
               "/?http://x/", "/?a?b", "/x?a+b%20c", "/index.html", "/" + "a" * 2000, "/a%2e", "/...", "/a..b",
               "/.hidden", "/a%5cb", "/%3f", "/%23", "/a|b".replace("|", "%7c"), "/?" + "q" * 2000, "/%C3%A9",
               "/a=b/c&d", "/:80", "/a@b"):
    allowed = [request(target=target)]
    if "%00" in target.split("?")[0] or ".." in target and not target.startswith("/a"):
        allowed.append(refused(400))
    case(f"target-{target[:30]}", MUST, "9110 7.7", get(target=target), either(*allowed))
for target in ("/..", "/../x", "/%2e%2e/x", "/a/../../x"):
    case(f"target-above-the-root-{target}", SHOULD, "3986 5.2.4", get(target=target),
         either(refused(400), request()))
for target, spelled in (("/\xc3\xa9", "/%C3%A9"), ("/?\xc3\xa9", "/?%C3%A9"), ('/"', "/%22"),
                        ("/<x>", "/%3Cx%3E"), ("/a\\b", "/a%5Cb"), ("/^", "/%5E"), ("/`", "/%60"), ("/{x}",
                                                                                                    "/%7Bx%7D"),
                        ("/a|b", "/a%7Cb"), ('/?"', "/?%22"), ("/?<>", "/?%3C%3E"), ("/?a|b", "/?a%7Cb"),
                        ("/?{}", "/?%7B%7D"), ("/?\\", "/?%5C"), ("/?a[]=1", "/?a[]=1"), ("/?^`", "/?%5E%60")):
    case(
        f"a-target-that-no-uri-has-{spelled}", SHOULD, "9112 3.2", get(target=target),
        either(request(target=spelled), refused(400)) if spelled != "/?a[]=1" else either(
            request(target=spelled), request(target="/?a%5B%5D=1"), refused(400)))
for target in ("/#x", "/a#", "/?#", "/%", "/%2", "/%zz", "/a%2", "/?%", "/?a%zz"):
    level = MUST if "#" in target else SHOULD
    case(f"a-bad-target-{target}", level, "9112 3.2", get(target=target),
         either(refused(400), request(target=target.replace("#", "%23").replace("%", "%25"))))

# --- paths of a location -------------------------------------------------------------------------------

for sent, got in (("/strip/x", "/x"), ("/strip", "/"), ("/strip/", "/"), ("/strip/a%2Fb?c", "/a%2Fb?c"),
                  ("/strip/a//b", "/a/b"), ("/strip?x", "/?x"), ("/v2/x", "/x"), ("/v2", "/"),
                  ("/v2/%7Ea", "/%7Ea"), ("/deep/x", "/inner/deeper/x"), ("/deep", "/inner/deeper"),
                  ("/deep/", "/inner/deeper/"), ("/deep?a=b", "/inner/deeper?a=b"), ("/keep/x", "/keep/x"),
                  ("/keep", "/keep"), ("/%73trip/x", "/x"), ("/strip/x%20y", "/x%20y")):
    case(f"path-{sent}", SHOULD, "9110 7.7", get(target=sent), request(target=got), lane="paths", needs="paths")
for sent in ("/strip//evil.example/x", "/strip/%2fevil.example", "/strip/..%2fkeep", "/keep/..%2f..%2fstrip/x",
             "/v2//x"):
    case(f"path-that-is-no-authority-{sent}", MUST, "9112 3.2.1", get(target=sent),
         either(refused(400, 404), request()), lane="paths", needs="paths")
case("path-strip-of-an-absolute-target", SHOULD, "9112 3.2.2", ask("GET http://b.example/strip/x HTTP/1.1"),
     request(target="/x", host="b.example"), lane="paths", needs="paths")

# --- methods ---------------------------------------------------------------------------------------------

for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
    case(f"method-{method}", MUST, "9110 9", ask(f"{method} /x HTTP/1.1"), request(method=method, target="/x"),
         answer(200, b"</x>"))
case("method-HEAD", MUST, "9110 9.3.2", ask("HEAD /x HTTP/1.1"), request(method="HEAD"), answer(200, b""),
     field("Content-Length", "4"), stays)
case("method-HEAD-and-another-request", MUST, "9110 9.3.2",
     ask("HEAD /x HTTP/1.1") + get(target="/y"), request(2), stays, lambda run: None
     if [r.body for r in run.finals] == [b"", b"</y>"] else run.finals, methods=["HEAD", "GET"])
case("method-TRACE", SHOULD, "9110 9.3.8", ask("TRACE /x HTTP/1.1"),
     either(request(method="TRACE"), refused(403, 405, 501)))
for method in ("PROPFIND", "PURGE", "QUERY", "M-SEARCH", "X!#$%&'*+-.^_`|~", "get", "Post"):
    case(f"method-{method}", SHOULD, "9110 9.1", ask(f"{method} /x HTTP/1.1"),
         either(request(method=method), refused(405, 501)))
for method in ("G ET", "G\tET", "GET\x00", "(GET)", "G@T", "G\xc9T", "", "GET:"):
    case(f"a-bad-method-{method!r}", MUST, "9112 3", ask(f"{method} /x HTTP/1.1"), refused(400, 501),
         methods=["GET"])
case("max-forwards-0-of-options", MUST, "9110 7.6.2", ask("OPTIONS /x HTTP/1.1", "Max-Forwards: 0"), nothing,
     status(200, 204))
case("max-forwards-0-of-trace", MUST, "9110 7.6.2", ask("TRACE /x HTTP/1.1", "Max-Forwards: 0"), nothing,
     status(200, 405, 403, 501))
case("max-forwards-5-of-options", MUST, "9110 7.6.2", ask("OPTIONS /x HTTP/1.1", "Max-Forwards: 5"), request(),
     has("Max-Forwards", "4"))
case("max-forwards-1-of-options", MUST, "9110 7.6.2", ask("OPTIONS /x HTTP/1.1", "Max-Forwards: 1"), request(),
     has("Max-Forwards", "0"))
case("max-forwards-0-of-options-star", MUST, "9110 7.6.2", ask("OPTIONS * HTTP/1.1", "Max-Forwards: 0"), nothing,
     status(200, 204))
case("max-forwards-of-get", MUST, "9110 7.6.2", get("Max-Forwards: 0"), request(),
     either(has("Max-Forwards", "0"), lacks("Max-Forwards")))
case("max-forwards-that-is-huge", SHOULD, "9110 7.6.2",
     ask("OPTIONS /x HTTP/1.1", "Max-Forwards: 99999999999999999999"), either(request(), refused(400)))
for text in ("-1", "x", "", "1, 1", "+1", "0x1"):
    case(f"a-bad-max-forwards-{text}", SHOULD, "9110 7.6.2", ask("OPTIONS /x HTTP/1.1", f"Max-Forwards: {text}"),
         either(request(), refused(400), both(nothing, status(200, 204))))

# --- bodies -------------------------------------------------------------------------------------------------

for size in (0, 1, 2, 100, 4095, 4096, 4097, 16384, 65536, 300000):
    data = bytes(n * 7 % 251 for n in range(size))
    case(f"a-body-of-{size}", MUST, "9112 6.2", post(body=data), request(body=data, framing="length"),
         answer(200))
    case(
        f"a-chunked-body-of-{size}", MUST, "9112 7.1",
        ask("POST / HTTP/1.1", "Transfer-Encoding: chunked",
            body=chunked(*[data[at:at + 7001] for at in range(0, size, 7001)])), request(body=data), answer(200))
case("a-chunked-body-stays-chunked", SHOULD, "9112 6.1",
     ask("POST / HTTP/1.1", "Transfer-Encoding: chunked", body=chunked(b"hello")),
     request(body=b"hello", framing="chunked"))
case("a-chunked-body-byte-by-byte", MUST, "9112 7.1",
     [bytes([b]) for b in ask("POST / HTTP/1.1", "Transfer-Encoding: chunked", body=chunked(b"hel", b"lo"))],
     request(body=b"hello"), answer(200))
case("a-body-byte-by-byte", MUST, "9112 6.2", [bytes([b]) for b in post(body=b"hello")], request(body=b"hello"),
     answer(200))
case("chunks-of-one-byte", MUST, "9112 7.1",
     ask("POST / HTTP/1.1", "Transfer-Encoding: chunked", body=chunked(*[b"x"] * 2000)),
     request(body=b"x" * 2000))
for name, text in (("capitals", b"A\r\n0123456789\r\n0\r\n\r\n"), ("zeros-in-front",
                                                                   b"00005\r\nhello\r\n000\r\n\r\n"),
                   ("extension", b"5;a\r\nhello\r\n0\r\n\r\n"), ("extension-with-value",
                                                                 b"5;a=b\r\nhello\r\n0\r\n\r\n"),
                   ("quoted-extension", b'5;a="b\\";c"\r\nhello\r\n0;x=y\r\n\r\n'),
                   ("extensions", b"5;a;b=c\r\nhello\r\n0;d\r\n\r\n"), ("blanks-in-an-extension",
                                                                        b"5 ; a = b\r\nhello\r\n0\r\n\r\n")):
    body = b"0123456789" if name == "capitals" else b"hello"
    level = SHOULD if name.startswith("blanks") else MUST
    case(f"chunked-{name}", level, "9112 7.1.1", ask("POST / HTTP/1.1", "Transfer-Encoding: chunked", body=text),
         either(request(body=body), refused(400)) if level == SHOULD else request(body=body), lambda run: None
         if b";a" not in run.bytes_upstream else "an extension went upstream")
case(
    "a-long-chunk-extension", SHOULD, "9112 7.1.1",
    ask("POST / HTTP/1.1", "Transfer-Encoding: chunked", body=b"5;a=" + b"b" * 70000 + b"\r\nhello\r\n0\r\n\r\n"),
    either(request(body=b"hello"), status(400, 413, 431)))
case(
    "trailers", SHOULD, "9112 7.1.2",
    ask("POST / HTTP/1.1", "Transfer-Encoding: chunked", "Trailer: X-T",
        body=chunked(b"hello", trailers=["X-T: 1", "X-U: 2"])), request(body=b"hello"), lambda run: None
    if run.requests[0].trailers in ([], [("X-T", "1"), ("X-U", "2")]) else run.requests[0].trailers)
for name in ("Content-Length", "Transfer-Encoding", "Host", "Connection", "X-Forwarded-For", "Authorization",
             "Via", "Trailer"):
    case(
        f"a-trailer-named-{name}", MUST, "9110 6.5.1",
        ask("POST / HTTP/1.1", "Transfer-Encoding: chunked", body=chunked(b"hello",
                                                                          trailers=[f"{name}: 6", "X-T: 1"])),
        either(request(body=b"hello"), status(400)), lambda run, name=name: None
        if not run.requests or name not in
        [n for n, _ in run.requests[0].fields if n != name or "6" in run.requests[0].all(name)] else "merged")
for named in ("X-T", "close, x-t", ", ,X-T,", "keep-alive,\tX-T"):
    case(
        f"a-trailer-that-connection-names-{named}", MUST, "9110 7.6.1",
        ask("POST / HTTP/1.1", "Transfer-Encoding: chunked", f"Connection: {named}", "Trailer: X-T, X-U",
            body=chunked(b"hello", trailers=["X-T: 1", "X-U: 2"])), request(body=b"hello"), lambda run: None
        if run.requests[0].trailers in ([], [("X-U", "2")]) else run.requests[0].trailers)
case("coding-in-capitals", MUST, "9112 7",
     ask("POST / HTTP/1.1", "Transfer-Encoding: CHUNKED", body=chunked(b"hello")), request(body=b"hello"))
case("an-unknown-coding", SHOULD, "9112 6.1",
     ask("POST / HTTP/1.1", "Transfer-Encoding: foo, chunked", body=chunked(b"x")), refused(400, 501))
case("a-known-coding", SHOULD, "9112 7.2",
     ask("POST / HTTP/1.1", "Transfer-Encoding: gzip, chunked", body=chunked(b"x")), refused(400, 501))
case("chunked-is-not-last", MUST, "9112 6.3",
     ask("POST / HTTP/1.1", "Transfer-Encoding: chunked, gzip", body=chunked(b"x")), refused(400, 501), closed)
case("a-get-with-a-body", SHOULD, "9110 9.3.1", ask("GET / HTTP/1.1", "Content-Length: 5", body=b"hello"),
     either(request(body=b"hello"), refused(400)))
case("a-delete-with-a-body", SHOULD, "9110 9.3.5", ask("DELETE / HTTP/1.1", "Content-Length: 5", body=b"hello"),
     request(body=b"hello"))
case("a-post-without-a-body", SHOULD, "9110 8.6", ask("POST / HTTP/1.1"), request(body=b""))
case("an-options-with-a-body", SHOULD, "9110 9.3.7",
     ask("OPTIONS /x HTTP/1.1", "Content-Type: text/x", "Content-Length: 2", body=b"ab"), request(body=b"ab"))
case("content-length-0", SHOULD, "9110 8.6", ask("POST / HTTP/1.1", "Content-Length: 0"), request(body=b""),
     has("Content-Length", "0"))
case("content-length-with-zeros", MUST, "9110 8.6", ask("POST / HTTP/1.1", "Content-Length: 0005", body=b"hello"),
     either(request(body=b"hello"), refused(400)))
case("the-body-comes-late", MUST,
     "9112 6.2", [ask("POST / HTTP/1.1", "Content-Length: 5"), 0.05, b"he", 0.05, b"llo"], request(body=b"hello"),
     answer(200))
case("the-body-is-passed-on-as-it-comes", SHOULD, "9112 6.2",
     [ask("POST / HTTP/1.1", "Content-Length: 10"), b"first",
      peer(b"first"), b"other"], request(body=b"firstother"), answer(200))
case("chunks-are-passed-on-as-they-come", SHOULD, "9112 7.1", [
    ask("POST / HTTP/1.1", "Transfer-Encoding: chunked"), b"5\r\nfirst\r\n",
    peer(b"first"), b"5\r\nother\r\n0\r\n\r\n"
], request(body=b"firstother"), answer(200))
case("a-pair-with-a-body-between", MUST, "9112 9.3.2",
     post(body=b"hello") + get(target="/2"), request(2, body=b"hello"), lambda run: None
     if run.finals[1].body == b"</2>" else run.finals, methods=["POST", "GET"])
case("fifty-requests-at-once", MUST, "9112 9.3.2", b"".join(get(target=f"/{n}") for n in range(50)), request(50),
     lambda run: None
     if [r.body for r in run.finals] == [b"</%d>" % n for n in range(50)] else run.finals, methods=["GET"] * 50)
case(
    "a-pipeline-of-bodies", MUST, "9112 9.3.2", b"".join(
        post(body=b"%d" % n * n, target=f"/{n}") if n %
        2 else ask(f"PUT /{n} HTTP/1.1", "Transfer-Encoding: chunked", body=chunked(*[b"x"] * n))
        for n in range(12)), request(12), lambda run: None
    if [r.body for r in run.finals] == [b"</%d>" % n for n in range(12)] else run.finals,
    methods=["POST" if n % 2 else "PUT" for n in range(12)])
case("requests-one-after-the-other", MUST, "9112 9.3",
     [get(target="/1"), RESPONSE,
      post(body=b"x", target="/2"), RESPONSE,
      get(target="/3")], request(3), methods=["GET", "POST", "GET"])
case("an-empty-line-before-a-request", SHOULD, "9112 2.2", b"\r\n" + get(), either(request(), refused(400)))
case("an-empty-line-between-requests", SHOULD, "9112 2.2",
     post(body=b"x") + b"\r\n" + get(target="/2"), either(request(2), request(1)), methods=["POST", "GET"],
     responses=0, quiet=0.4)

# --- Expect ---------------------------------------------------------------------------------------------------

EXPECTS = ask("POST / HTTP/1.1", "Expect: 100-continue", "Content-Length: 5")
case("expect-is-passed-on", MUST, "9110 10.1.1", [EXPECTS, until(b"100 "), b"hello"], request(body=b"hello"),
     interim(100), answer(200),
     upstream=[HEAD, b"HTTP/1.1 100 Continue\r\n\r\n", REQUEST,
               reply(body=b"x"), SERVE])
case("expect-is-refused-upstream", MUST, "9110 10.1.1", [EXPECTS], answer(417), interim(),
     upstream=[HEAD, reply("HTTP/1.1 417 No", body=b"no"), END], responses=1)
case("no-100-before-the-upstream-says-so",
     MUST, "9110 10.1.1", [EXPECTS, peer(b"\r\n\r\n"), 0.2, b"hello"], interim(), request(body=b"hello"),
     answer(200), upstream=[REQUEST, reply(body=b"x"), SERVE])
case("expect-and-the-body-at-once", MUST, "9110 10.1.1", EXPECTS + b"hello", request(body=b"hello"), answer(200))
case("expect-of-1.0-is-nothing", MUST, "9110 10.1.1",
     ask("POST / HTTP/1.0", "Expect: 100-continue", "Content-Length: 5", body=b"hello"), request(body=b"hello"),
     interim(), answer(200))
case("expect-without-a-body", SHOULD, "9110 10.1.1", get("Expect: 100-continue"), request(), answer(200))
case("expect-something-else", SHOULD, "9110 10.1.1", get("Expect: tea"), either(refused(417), request()))
case("expect-of-a-chunked-body", MUST, "9110 10.1.1", [
    ask("POST / HTTP/1.1", "Expect: 100-Continue", "Transfer-Encoding: chunked"),
    until(b"100 "),
    chunked(b"hello")
], request(body=b"hello"), interim(100), answer(200),
     upstream=[HEAD, b"HTTP/1.1 100 Continue\r\n\r\n", REQUEST,
               reply(body=b"x"), SERVE])
case("100-of-which-a-1.0-client-knows-nothing", MUST, "9110 15.2",
     ask("POST / HTTP/1.0", "Content-Length: 5", body=b"hello"), interim(), answer(200),
     upstream=[REQUEST, b"HTTP/1.1 100 Continue\r\n\r\n" + reply(body=b"x"), SERVE])

# --- HTTP/1.0 and other versions ----------------------------------------------------------------------------------

case("a-1.0-client", MUST, "9110 6.2", ask("GET / HTTP/1.0"), request(), answer(200), closed)
case("a-1.0-client-without-host", MUST, "9112 3.2", ask("GET / HTTP/1.0", host=None), request())
case("a-1.0-client-with-keep-alive", SHOULD, "9112 9.3", ask("GET / HTTP/1.0", "Connection: keep-alive"),
     request(), answer(200))
case("chunked-of-a-1.0-client", MUST, "9112 6.1",
     ask("POST / HTTP/1.0", "Transfer-Encoding: chunked", body=chunked(b"x")),
     either(refused(400, 501), both(request(), closed)))
case("upgrade-of-a-1.0-client", MUST, "9110 7.8",
     ask("GET / HTTP/1.0", "Connection: upgrade", "Upgrade: websocket"), request(), lacks("Upgrade"))
case("a-higher-minor-version", MUST, "9110 2.5", ask("GET / HTTP/1.2"), either(request(), refused(400, 505)))
for version in ("HTTP/2.0", "HTTP/0.9", "HTTP/3", "http/1.1", "HTTP/1.1.1", "HTTP/11", "HTTP/1.", "HTTP/1",
                "HTTP/01.1", "HTTP/1.10", "HTTP /1.1", "HTTPS/1.1", "HTTP/1,1", "HTTP/-1.1", "ICY/1.1"):
    case(f"version-{version}", MUST if version not in ("HTTP/1.10", "HTTP/3") else SHOULD, "9112 2.3",
         ask(f"GET / {version}"), refused(400, 505))
case("no-version", SHOULD, "9112 3", b"GET /\r\n\r\n",
     either(refused(400, 505), lambda run: nothing(run) or closed(run)), quiet=1, responses=0)
case("the-preface-of-http-2", MUST, "9113 3.4", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", refused(400, 405, 501, 505))

# --- ends -----------------------------------------------------------------------------------------------------------

case("the-client-leaves-in-a-body", MUST, "9112 8",
     [ask("POST / HTTP/1.1", "Content-Length: 10"), b"hello", 0.05, CLOSE], lambda run: None
     if not run.requests else "a whole request", responses=0, quiet=2)
case("the-client-is-reset-in-a-body", MUST, "9112 8",
     [ask("POST / HTTP/1.1", "Content-Length: 10"), b"hello", 0.05, RESET], lambda run: None
     if not run.requests else "a whole request", responses=0, quiet=2)
case("the-client-leaves-in-a-chunk", MUST, "9112 8",
     [ask("POST / HTTP/1.1", "Transfer-Encoding: chunked"), b"a\r\nhello", 0.05, CLOSE], lambda run: None
     if not run.requests else "a whole request", responses=0, quiet=2)
case("the-client-leaves-between-chunks", MUST, "9112 8",
     [ask("POST / HTTP/1.1", "Transfer-Encoding: chunked"), b"5\r\nhello\r\n", 0.05, CLOSE], lambda run: None
     if not run.requests else "a whole request", responses=0, quiet=2)
case("the-client-leaves-in-a-head", MUST, "9112 8", [b"GET / HTTP/1.1\r\nHost: a.exa", CLOSE], nothing,
     responses=0, quiet=2)
case("the-client-leaves-before-the-answer", SHOULD, "9112 9.5", [get(), peer(b"\r\n\r\n"), RESET], request(),
     upstream=[REQUEST, END], responses=0, quiet=2)
case("the-client-ends-its-side", SHOULD, "9112 9.6", [get(), FIN], either(request(), nothing), responses=0)

# --- statements beside `proxy` -----------------------------------------------------------------------------

case("a-body-within-the-limit", SHOULD, "9110 15.5.14", post(body=b"x" * 1000), request(body=b"x" * 1000),
     lane="small", needs="small")
case("a-body-beyond-the-limit", MUST, "9110 15.5.14", post(body=b"x" * 1001), refused(413), closed, lane="small",
     needs="small")
case("a-chunked-body-beyond-the-limit", MUST, "9110 15.5.14",
     ask("POST / HTTP/1.1", "Transfer-Encoding: chunked", body=chunked(b"x" * 900, b"x" * 900)), status(413),
     closed, lambda run: "whole" if run.requests else None, lane="small", needs="small")
case("a-chunked-body-that-grows-beyond-the-limit", MUST, "9110 15.5.14", [
    ask("POST / HTTP/1.1", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n",
    peer(b"hello"), b"7d0\r\n" + b"x" * 2000
], status(413), closed, lambda run: "whole" if run.requests else None, lane="small", needs="small")
case("rules-for-requests", SHOULD, "9110 7.7",
     get("X-Set: mine", "X-Removed: mine", "X-Added: mine", "x-removed: too"), has("X-Set", "set"),
     lacks("X-Removed"), has("X-Added", "mine", "added"), lane="rules", needs="rules")
case("rules-that-connection-names", MUST, "9110 7.6.1",
     get("Connection: X-Set, X-Added", "X-Set: mine", "X-Added: mine"), has("X-Set", "set"),
     has("X-Added", "added"), lane="rules", needs="rules")
for size in (0, 5, 4096, 100000, 300000):
    data = bytes(n * 7 % 251 for n in range(size))
    case(f"a-buffered-body-of-{size}", MUST, "9112 6.2", post(body=data), request(body=data), answer(200),
         lane="buffered", needs="buffered")
    case(
        f"a-buffered-chunked-body-of-{size}", MUST, "9112 7.1",
        ask("POST / HTTP/1.1",
            "Transfer-Encoding: chunked", body=chunked(*[data[at:at + 7001] for at in range(0, size, 7001)])),
        request(body=data), answer(200), lane="buffered", needs="buffered")
case("a-buffered-body-that-comes-late", MUST,
     "9112 6.2", [ask("POST / HTTP/1.1", "Content-Length: 5"), 0.05, b"he", 0.05, b"llo"], request(body=b"hello"),
     answer(200), lane="buffered", needs="buffered")
case("a-buffered-expectation", MUST, "9110 10.1.1", [EXPECTS, until(b"100 "), b"hello"], request(body=b"hello"),
     answer(200), upstream=[HEAD, b"HTTP/1.1 100 Continue\r\n\r\n", REQUEST,
                            reply(body=b"x"), SERVE], lane="buffered", needs="buffered")
case("a-buffered-client-leaves", MUST, "9112 8",
     [ask("POST / HTTP/1.1", "Content-Length: 10"), b"hello", 0.05, RESET], lambda run: "a whole request"
     if run.requests else None, responses=0, quiet=2, lane="buffered", needs="buffered")
case("close-is-answered-by-close", MUST, "9112 9.6", get("Connection: close"), closed, lambda run: None
     if "close" in run.final.options() else run.final.fields)
case("close-of-a-refusal", MUST, "9112 9.6", ask("GET / HTTP/1.1", "Connection: close", host=None), closed,
     refused(400), lambda run: None if "close" in run.final.options() else run.final.fields)

CASES = {c.name: c for c in TABLE}
assert len(CASES) == len(TABLE), [c.name for c in TABLE if CASES[c.name] is not c]


@pytest.mark.parametrize("name", CASES)
def test_request(gateway_runs, name):
    gateway_runs(CASES[name])
