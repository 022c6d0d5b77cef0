"""Requests to the control socket during an upgrade."""
import re
import threading

import pytest

from harness import HELLO, get
from test_control import DONE, FAILED, ctl, port_of
from test_upgrade import FOLLOWED, NEXT, hello, put, put_script, upgradable  # noqa: F401
from test_upgrade import pytestmark  # noqa: F401


class Asking:
    """bulkheadctl in the background; `with` it, then look at .result."""

    def __init__(self, s, *args):
        self.s, self.args, self.result = s, args, None
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        self.result = ctl(self.s, *self.args)

    def __enter__(self):
        asked = len(re.findall(self.logged(), self.s.log()))
        self.thread.start()
        self.s.wait_log(self.logged(), asked + 1)
        return self

    def logged(self):
        return rf"control: {self.args[0]}, asked for by"

    def __exit__(self, *_):
        self.thread.join()


@pytest.fixture
def waiting(upgradable, tmp_path):  # noqa: F811
    """A server with a program that waits for let(status), and then goes on or fails."""

    def start(text):
        s = upgradable(f'control "{tmp_path / "control.sock"}"\n{text}')
        s.control = tmp_path / "control.sock"
        go = s.folder / "go"
        put_script(s, f'#!/bin/sh\nwhile ! read -r status <{go}; do sleep 0.01; done 2>/dev/null\n'
                   f'[ "$status" = 0 ] || exit "$status"\nexec {NEXT} "$@"\n')
        s.let = lambda status: (s.folder / "new").write_text(f"{status}\n") and \
            (s.folder / "new").rename(go)
        return s

    return start


def test_who_asks_during_the_check_is_told_of_the_next_one(waiting, ports):
    s = waiting(hello(ports[0]))
    with Asking(s, "upgrade") as first:
        s.wait_log("upgrade: asking")
        put(s, NEXT)
        with Asking(s, "upgrade") as second:
            s.let(9)
    assert first.result.returncode == FAILED and "with status 9" in first.result.stderr
    assert second.result.returncode == DONE, second.result
    assert second.result.stdout.startswith("upgraded from ")


def test_who_asks_while_ports_follow_is_told_of_the_next_one(waiting, ports):
    s = waiting("".join(hello(p, "workers 12") for p in ports))
    s.let(0)
    put(s, NEXT)
    with Asking(s, "upgrade") as first:
        s.wait_log("takes over from")
        with Asking(s, "upgrade") as second:
            assert not re.search(FOLLOWED, s.log()), "too fast for this test"
    for r in (first.result, second.result):
        assert r.returncode == DONE and r.stdout.startswith("upgraded from "), r
    assert len(re.findall(FOLLOWED, s.log())) == 2


def test_a_port_that_is_told_to_start_follows(waiting, ports):
    """It serves already, so there is nothing to do."""
    s = waiting(hello(ports[0]) + hello(ports[1]))
    with Asking(s, "upgrade"):
        s.wait_log("upgrade: asking")
        with Asking(s, "start", ports[1]):
            s.let(0)
    s.wait_log("upgraded from")
    assert "could not follow" not in s.log()
    assert not port_of(s, ports[1])["former_version"]
    assert get(ports[1]).body == HELLO


@pytest.mark.parametrize("order, done", [(("reload",), "reloaded: 2 kept"),
                                         (("stop", 0), "stopping, by order")])
def test_an_order_that_an_upgrade_cuts_off_is_told_so_and_carried_out_once(waiting, ports, order, done):
    s = waiting(hello(ports[0]) + hello(ports[1]))
    words = [ports[0] if word == 0 else word for word in order]
    with Asking(s, "upgrade") as upgrading:
        s.wait_log("upgrade: asking")
        with Asking(s, *words) as asked:
            s.let(0)
    assert upgrading.result.returncode == DONE, upgrading.result
    assert asked.result.returncode == FAILED
    assert "may have been carried out nevertheless" in asked.result.stderr
    s.wait_log(done)
    assert len(re.findall(rf"control: {words[0]}, asked for by", s.log())) == 1
