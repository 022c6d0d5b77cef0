"""A site of files in headless Chromium, over TLS: pages, scripts, images, a font, sound, a service worker,
and a video in which a reader goes to places that were not loaded before."""
import base64
import functools
import json
import pathlib
import struct
import wave

import pytest

from browser import browser
from harness import wait_for

pytestmark = pytest.mark.any_build

# The certificate of the tests is signed by nobody.
FLAGS = ("--ignore-certificate-errors", "--autoplay-policy=no-user-gesture-required")
COLOURS = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (200, 200, 30), (30, 200, 200)]
WIDTH, HEIGHT, SECONDS = 640, 360, 90

INDEX = """<!doctype html>
<meta charset=utf-8>
<title>Shop</title>
<link rel=icon href=icon.svg>
<link rel=manifest href=site.webmanifest>
<link rel=stylesheet href=style.css>
<script type=module src=main.mjs></script>
<h1>The shop is open</h1>
<p class=written>Written in a font of the site</p>
<img id=png src=image.png width=100 height=100 alt=png>
<img id=svg src=drawing.svg width=100 height=100 alt=svg>
<img id=webp src=photo.webp width=100 height=100 alt=webp>
<a href="docs">docs</a>
<video id=video src=film.webm preload=metadata width=480 height=270></video>
<audio id=audio src=sound.wav preload=auto></audio>
"""
FILES = {
    "style.css": '@font-face { font-family: Site; src: url("fonts/site.ttf") }\n'
                 "body { background: #fff; color: #123456; margin: 20px } .written { font: 30px Site }\n"
                 "h1 { background: rgb(1, 2, 250); color: white }\n",
    "main.mjs": 'import { greeting } from "./lib/greeting.js";\n'
                'const data = await (await fetch("data.json")).json();\n'
                'const wasm = await WebAssembly.instantiateStreaming(fetch("empty.wasm"));\n'
                'const registration = await navigator.serviceWorker.register("sw.js");\n'
                "await navigator.serviceWorker.ready;\n"
                "window.result = [greeting, data.items.length, wasm.instance instanceof WebAssembly.Instance];\n",
    "lib/greeting.js": 'export const greeting = "grüß Gott";\n',
    "data.json": '{"items": [1, 2, 3]}',
    "sw.js": 'self.addEventListener("install", event => event.waitUntil(\n'
             '\tcaches.open("v1").then(cache => cache.addAll(["/", "/style.css", "/image.png"]))));\n'
             'self.addEventListener("activate", event => event.waitUntil(self.clients.claim()));\n'
             'self.addEventListener("fetch", event => { if (event.request.url.endsWith("/greeting"))\n'
             '\tevent.respondWith(new Response("from the service worker")); });\n',
    "icon.svg": '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><rect width="8" height="8"/></svg>',
    "drawing.svg": '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10">'
                   '<rect width="10" height="10" fill="rgb(3,4,249)"/></svg>',
    "site.webmanifest": '{"name": "Shop", "start_url": "/"}',
    "docs/index.html": "<!doctype html><meta charset=utf-8><title>Docs</title><link rel=icon href=../icon.svg>"
                       "<link rel=stylesheet href=../style.css><p>Documents",
}
TYPES = {"/": "text/html", "/style.css": "text/css", "/main.mjs": "text/javascript", "/lib/greeting.js": "text/javascript",
         "/data.json": "application/json", "/image.png": "image/png", "/drawing.svg": "image/svg+xml",
         "/photo.webp": "image/webp", "/fonts/site.ttf": "font/ttf", "/film.webm": "video/webm",
         "/sound.wav": "audio/x-wav", "/empty.wasm": "application/wasm"}

# Key frames of VP8, each of one colour with noise over it, so that a second of the film is large; and a photo.
ENCODE = """(async () => {
const [width, height, colours] = %s, frames = [];
const canvas = new OffscreenCanvas(width, height), context = canvas.getContext("2d");
const text = bytes => { let s = ""; for (const b of bytes) s += String.fromCharCode(b); return btoa(s) };
const encoder = new VideoEncoder({error: e => { throw e }, output: chunk => {
	const bytes = new Uint8Array(chunk.byteLength);
	chunk.copyTo(bytes);
	frames.push(text(bytes)) }});
encoder.configure({codec: "vp8", width, height, bitrate: 100000000});
const picture = new ImageData(width, height);
for (const [n, colour] of colours.entries()) {
	for (let i = 0; i < picture.data.length; i++)
		picture.data[i] = i %% 4 == 3 ? 255 : colour[i %% 4] + Math.random() * 50 - 25;
	context.putImageData(picture, 0, 0);
	const frame = new VideoFrame(canvas, {timestamp: n * 1000000});
	encoder.encode(frame, {keyFrame: true});
	frame.close();
}
await encoder.flush();
const photo = await canvas.convertToBlob({type: "image/webp"});
return [frames, text(new Uint8Array(await photo.arrayBuffer()))] })()"""


def element(number, content):
    return bytes.fromhex(number) + (len(content) | 1 << 56).to_bytes(8, "big") + content


def unsigned(number, value):
    return element(number, value.to_bytes(8, "big"))


def webm(frames):
    """A film of one key frame a second; the index of its places is at its end, as ffmpeg writes it."""
    info = element("1549a966", unsigned("2ad7b1", 1_000_000) + element("4489", struct.pack(">d", len(frames) * 1000.0)) +
                   element("4d80", b"test") + element("5741", b"test"))
    tracks = element("1654ae6b", element("ae", unsigned("d7", 1) + unsigned("73c5", 1) + unsigned("83", 1) +
                                         element("86", b"V_VP8") +
                                         element("e0", unsigned("b0", WIDTH) + unsigned("ba", HEIGHT))))

    def seek_head(cues_at):
        places = ("1549a966", head), ("1654ae6b", head + len(info)), ("1c53bb6b", cues_at)
        return element("114d9b74", b"".join(element("4dbb", element("53ab", bytes.fromhex(name)) + unsigned("53ac", at))
                                            for name, at in places))

    head = 0
    head = len(seek_head(0))
    body, cues, at = [], b"", head + len(info) + len(tracks)
    for n, frame in enumerate(frames):
        cluster = element("1f43b675", unsigned("e7", n * 1000) + element("a3", b"\x81\0\0\x80" + frame))
        cues += element("bb", unsigned("b3", n * 1000) + element("b7", unsigned("f7", 1) + unsigned("f1", at)))
        body.append(cluster)
        at += len(cluster)
    ebml = element("1a45dfa3", element("4282", b"webm") + unsigned("4287", 2) + unsigned("4285", 2))
    return ebml + element("18538067", seek_head(at) + info + tracks + b"".join(body) + element("1c53bb6b", cues))


@functools.cache
def font():
    """Chromium's package brings one for itself."""
    return next(iter(sorted(pathlib.Path("/usr/share/fonts").rglob("*.ttf"))), None)


@pytest.fixture
def site(open_folder):
    if not font():
        pytest.skip("needs a TrueType font")
    folder = open_folder / "site"
    for name, text in {**FILES, "index.html": INDEX}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "fonts").mkdir()
    (folder / "fonts/site.ttf").write_bytes(font().read_bytes())
    (folder / "empty.wasm").write_bytes(b"\0asm\1\0\0\0")
    with wave.open(str(folder / "sound.wav"), "wb") as w:
        w.setparams((1, 2, 8000, 0, "NONE", ""))
        w.writeframes(bytes(2 * 8000 * 20))
    return folder


@pytest.fixture
def chromium(site):
    with browser(*FLAGS) as b:
        yield b


@pytest.fixture
def url(server, ports, site, chromium):
    """The site with what only a browser can make, and its URL."""
    server(f'port {ports[0]} {{ location "/" {{ files "{site}" }} }}')
    url = f"https://localhost:{ports[0]}"
    (site / "blank.html").write_text("<!doctype html><link rel=icon href=icon.svg>")
    chromium.open(f"{url}/blank.html")
    frames, photo = chromium.evaluate(ENCODE % json.dumps([WIDTH, HEIGHT, COLOURS]))
    frames = [base64.b64decode(frame) for frame in frames]
    assert len(frames) == len(COLOURS)
    (site / "film.webm").write_bytes(webm([frames[n % len(frames)] for n in range(SECONDS)]))
    (site / "photo.webp").write_bytes(base64.b64decode(photo))
    chromium.evaluate("""(async () => { const canvas = new OffscreenCanvas(10, 10), c = canvas.getContext("2d");
c.fillStyle = "rgb(5,6,248)"; c.fillRect(0, 0, 10, 10);
const bytes = new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer());
window.png = btoa(String.fromCharCode(...bytes)) })()""")
    (site / "image.png").write_bytes(base64.b64decode(chromium.evaluate("window.png")))
    return url


def until(b, expression):
    return wait_for(lambda: b.evaluate(expression), expression)


def answers(b):
    """{path: [(status, type)]} of what the page has loaded, from the server or a cache."""
    found = {}
    for event in b.events:
        if event.get("method") == "Network.responseReceived":
            response = event["params"]["response"]
            path = "/" + response["url"].split("/", 3)[3]
            found.setdefault(path, []).append((response["status"], response["mimeType"]))
    return found


def test_a_page_with_all_that_belongs_to_it(chromium, url):
    b = chromium
    b.open(url + "/", width=500, height=300)
    assert until(b, "window.result") == ["grüß Gott", 3, True]
    until(b, "video.readyState >= 1 && audio.readyState >= 4")
    until(b, "document.fonts.check('30px Site') && [...document.fonts].every(f => f.status == 'loaded')")
    assert b.evaluate("[...document.images].map(i => i.complete && i.naturalWidth > 0)") == [True] * 3
    assert b.evaluate("[video.duration, video.videoWidth, audio.duration]") == [SECONDS, WIDTH, 20]
    # The worker controls this page, and answers in place of the server.
    until(b, "navigator.serviceWorker.controller !== null")
    assert b.evaluate("fetch('/greeting').then(r => r.text())") == "from the service worker"
    assert b.evaluate("caches.match('/').then(r => r.text())") == INDEX
    found = answers(b)
    for path, kind in TYPES.items():
        assert path in found, (path, sorted(found))
        assert {status for status, _ in found[path]} <= {200, 206, 304}, (path, found[path])
        assert {mime for _, mime in found[path]} <= {kind, kind.replace("x-wav", "wav"), ""}, (path, found[path])
    assert b.complaints() == []
    picture = b.picture().colours()
    for colour, least in {(1, 2, 250): 10_000, (3, 4, 249): 9_000, (5, 6, 248): 9_000}.items():
        assert picture.get(colour, 0) > least, (colour, picture.get(colour))
    # A second visit asks whether what it has is still good, and a folder is one with its slash.
    b.open(url + "/docs")
    assert b.evaluate("[location.pathname, document.body.innerText]") == ["/docs/", "Documents"]
    b.open(url + "/")
    until(b, "window.result")
    assert b.complaints() == []


def test_a_video_goes_to_places_that_were_not_loaded(chromium, site, url):
    b = chromium
    size = (site / "film.webm").stat().st_size
    assert size > 10_000_000, "a browser would load it whole"
    b.open(url + "/")
    until(b, "video.readyState >= 1")
    b.evaluate("""window.go = to => new Promise(done => { video.onseeked = () => {
const canvas = new OffscreenCanvas(1, 1), c = canvas.getContext("2d", {willReadFrequently: true});
c.drawImage(video, 0, 0, 1, 1);
done([video.currentTime, ...c.getImageData(0, 0, 1, 1).data.slice(0, 3)]) };
video.currentTime = to }); 0""")
    for second in (SECONDS - 2, 45, 3, 71):
        at, *colour = b.evaluate(f"window.go({second + 0.5})")
        expected = COLOURS[second % len(COLOURS)]
        assert at == second + 0.5
        nearest = min(COLOURS, key=lambda c: sum((a - b) ** 2 for a, b in zip(c, colour)))
        assert nearest == expected, (second, colour)
    b.evaluate("video.play().then(() => 0)")
    until(b, "video.currentTime > 72.5")
    parts = [int(event["params"]["headers"]["Range"].split("=")[1].split("-")[0]) for event in b.events
             if event.get("method") == "Network.requestWillBeSentExtraInfo" and "Range" in event["params"]["headers"]]
    assert any(start > size // 2 for start in parts), parts
    assert set(status for status, _ in answers(b)["/film.webm"]) == {206}
    assert b.complaints() == []
