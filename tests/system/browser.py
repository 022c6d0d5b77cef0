"""A headless Chromium, spoken to through a pipe (the DevTools protocol), and the pictures it takes."""
import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
import zlib

import pytest

from harness import TIMEOUT

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


@contextlib.contextmanager
def browser(*options, program=None, env=None):
    program = program or next((found for name in NAMES if (found := shutil.which(name))), None)
    if not program:
        pytest.skip("needs Chromium")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        b = Browser(program, folder, options, env)
        try:
            yield b
        finally:
            b.close()


class Browser:
    """It reads commands from its descriptor 3 and answers on 4, each message ended by a NUL."""

    def __init__(self, program, folder, options, env):
        theirs_in, self.output = high(os.pipe())
        self.input, theirs_out = high(os.pipe())
        argv = ["bash", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}', "bash", program,
                "--headless", "--no-sandbox", "--no-proxy-server", "--disable-gpu",
                f"--user-data-dir={folder}", "--remote-debugging-pipe", *options, "about:blank"]
        self.process = subprocess.Popen(argv, pass_fds=(theirs_in, theirs_out),
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, env=env)
        os.close(theirs_in)
        os.close(theirs_out)
        self.buffer, self.number, self.events, self.session = b"", 0, [], None
        target = self("Target.createTarget", url="about:blank")["targetId"]
        self.session = self("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def __call__(self, method, **parameters):
        """A command, and its result; events that come meanwhile are kept."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.output, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self.number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self.events.append(answer)

    def _read(self):
        end = time.monotonic() + TIMEOUT
        while b"\0" not in self.buffer:
            ready = select.select([self.input], [], [], max(0, end - time.monotonic()))[0]
            assert ready, "the browser does not answer"
            data = os.read(self.input, 1 << 20)
            assert data, "the browser has ended"
            self.buffer += data
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def wait_event(self, method):
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self._read())

    def open(self, page, width=1100, height=1400, scheme="light"):
        """Loads a file, or a page by its URL, as a reader with this window size and colour preference sees it."""
        self.events.clear()
        for domain in ("Page", "Network", "Log", "Runtime"):
            self(f"{domain}.enable")
        self("Emulation.setDeviceMetricsOverride", width=width, height=height,
             deviceScaleFactor=1, mobile=False)
        self("Emulation.setEmulatedMedia",
             features=[{"name": "prefers-color-scheme", "value": scheme}])
        self("Page.navigate", url=page if isinstance(page, str) else page.resolve().as_uri())
        self.wait_event("Page.loadEventFired")

    def evaluate(self, expression):
        """Its value or, of a promise, what that becomes."""
        result = self("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def requested(self):
        return [event["params"]["request"]["url"] for event in self.events
                if event.get("method") == "Network.requestWillBeSent"]

    def complaints(self):
        """What the console shows."""
        texts = {"Log.entryAdded": lambda p: f"{p['entry']['text']} {p['entry'].get('url', '')}",
                 "Runtime.exceptionThrown": lambda p: p["exceptionDetails"],
                 "Runtime.consoleAPICalled": lambda p: p["args"]}
        return [texts[event["method"]](event["params"]) for event in self.events if event.get("method") in texts]

    def picture(self):
        return Picture(base64.b64decode(self("Page.captureScreenshot", format="png")["data"]))

    def close(self):
        self.session = None
        self("Browser.close")
        try:
            self.process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.output)
        os.close(self.input)


def high(descriptors):
    """The same descriptors under numbers other than 3 and 4."""
    moved = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in descriptors]
    for fd in descriptors:
        os.close(fd)
    return moved


class Picture:
    """The pixels of a PNG of 8 bits a channel, RGB or RGBA: rows of (r, g, b)."""

    def __init__(self, png):
        assert png.startswith(b"\x89PNG\r\n\x1a\n")
        data, place = b"", 8
        while place < len(png):
            size, kind = int.from_bytes(png[place:place + 4], "big"), png[place + 4:place + 8]
            chunk = png[place + 8:place + 8 + size]
            if kind == b"IHDR":
                self.width = int.from_bytes(chunk[:4], "big")
                self.height = int.from_bytes(chunk[4:8], "big")
                depth, colour = chunk[8:10]
                assert depth == 8 and colour in (2, 6) and chunk[12] == 0
            if kind == b"IDAT":
                data += chunk
            place += size + 12
        self.rows = self._unfilter(zlib.decompress(data), 3 if colour == 2 else 4)

    def _unfilter(self, data, step):
        rows, before = [], bytes(self.width * step)
        for y in range(self.height):
            begin = y * (self.width * step + 1)
            kind, line = data[begin], bytearray(data[begin + 1:begin + 1 + self.width * step])
            for i in range(len(line) if kind else 0):
                a = line[i - step] if i >= step else 0
                b, c = before[i], before[i - step] if i >= step else 0
                line[i] = line[i] + (a, b, (a + b) // 2, paeth(a, b, c))[kind - 1] & 255
            rows.append([tuple(line[i:i + 3]) for i in range(0, len(line), step)])
            before = bytes(line)
        return rows

    def colours(self):
        """{(r, g, b): how many pixels}"""
        found = {}
        for row in self.rows:
            for pixel in row:
                found[pixel] = found.get(pixel, 0) + 1
        return found


def paeth(a, b, c):
    """The predictor of PNG's filter 4."""
    nearest = min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))
    return nearest[2]
