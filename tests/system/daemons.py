"""A real journald and a real rsyslogd, each alone in private mount and network namespaces.

Both keep their sockets in a folder of the test's that is bound into the namespace, so that a server
outside reaches them by that folder's path, and one inside by the usual paths (/dev/log,
/run/systemd/journal/socket).
"""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

from harness import have, wait_for

JOURNALD = "/lib/systemd/systemd-journald"
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")

# The namespace holds: an empty /run, a /dev with nothing but the usual devices and a place for the
# log socket, a machine id of its own, and no other journal. A queue is as long as systemd makes it;
# with the kernel's 10 a daemon that is not at work for a moment loses what a start logs.
SETUP = """
set -e
echo 512 2>/dev/null > /proc/sys/net/unix/max_dgram_qlen || :
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal /run/systemd/journald.conf.d /run/log/journal
mount --bind "$1/journal" /run/systemd/journal
mount --bind "$1/records" /run/log/journal
mount --bind "$1/machine-id" /etc/machine-id
printf '[Journal]\\nStorage=volatile\\nReadKMsg=no\\nAudit=no\\nForwardToSyslog=no\\n%s' \
	"ForwardToWall=no
RateLimitIntervalSec=0
" > /run/systemd/journald.conf.d/test.conf
mount -t tmpfs tmpfs "$1/dev"
for d in $2; do
	: > "$1/dev/$d"
	mount --bind "/dev/$d" "$1/dev/$d"
done
ln -s /proc/self/fd "$1/dev/fd"
ln -s "$1/socket/log" "$1/dev/log"
mount --move "$1/dev" /dev
echo ready
exec sleep infinity
"""


class Namespace:
    """A mount namespace for as long as the object is open; folder is visible on both sides."""

    def __init__(self):
        if os.geteuid() != 0:
            pytest.skip("needs root: a private mount namespace")
        if not have("unshare") or not have("nsenter"):
            pytest.skip("needs unshare and nsenter (util-linux)")
        if not os.path.exists("/etc/machine-id"):
            pytest.skip("needs a file /etc/machine-id to bind another one over it")
        # Not below pytest's folders: the path of a socket has at most 107 bytes.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="bulkhead-"))
        for name in ("journal", "records", "dev", "socket"):
            (self.folder / name).mkdir()
        (self.folder / "machine-id").write_text("0123456789abcdef0123456789abcdef\n")
        devices = " ".join(d for d in DEVICES if os.path.exists(f"/dev/{d}"))
        self.process = subprocess.Popen(
            ["unshare", "-m", "-n", "--propagation", "private", "sh", "-c", SETUP, "sh",
             str(self.folder), devices],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            _, error = self.process.communicate()
            shutil.rmtree(self.folder)
            pytest.skip(f"no private mount namespace can be had here: {error.strip()}")

    @property
    def enter(self):
        """The prefix that runs a command inside, as the same process. -r: in a chroot the root
        of the namespace is not that of the tests."""
        return ("nsenter", "-t", str(self.process.pid), "-m", "-r", "-w", "--")

    def close(self):
        self.process.kill()
        self.process.communicate()
        shutil.rmtree(self.folder)


class Daemon:
    """One daemon in a namespace of its own, which can be killed and started again."""

    def __init__(self):
        self.process = None
        self.namespace = Namespace()
        self.folder = self.namespace.folder

    def start(self):
        with contextlib.suppress(FileNotFoundError):
            self.socket.unlink()
        self.process = subprocess.Popen([*self.namespace.enter[:-1], "-n", "--", *self.command],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        wait_for(self.socket.exists, f"the socket of {self.command[0]}")

    def signal(self, number):
        self.process.send_signal(number)

    def queue_length(self):
        return int(subprocess.check_output([*self.namespace.enter[:-1], "-n", "--", "cat",
                                            "/proc/sys/net/unix/max_dgram_qlen"]))

    def restart_with_queue(self, length):
        """The kernel's default is 10."""
        self.kill()
        subprocess.run([*self.namespace.enter[:-1], "-n", "--", "sh", "-c",
                        f"echo {length} > /proc/sys/net/unix/max_dgram_qlen"], check=True)
        self.start()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.kill()
        self.namespace.close()


class Journal(Daemon):
    command = (JOURNALD,)

    def __init__(self):
        if not os.path.exists(JOURNALD) or not have("journalctl"):
            pytest.skip("needs systemd-journald and journalctl")
        super().__init__()
        self.socket = self.folder / "journal" / "socket"
        self.start()

    def sink(self):
        return f'log to journal path "{self.socket}"\n'

    def read(self, *matches):
        """Records as dictionaries, oldest first, found by journalctl with those matches."""
        result = subprocess.run(["journalctl", "-D", str(self.folder / "records"), "-o", "json",
                                 "--all", "--quiet", *matches], capture_output=True, text=True,
                                timeout=30)
        return [json.loads(line) for line in result.stdout.splitlines()]

    def messages(self, *matches):
        """That field alone, as a flood may write faster than journalctl can show all of them."""
        return [r["MESSAGE"] for r in self.read("--output-fields=MESSAGE", *matches)]


class Syslog(Daemon):
    """rsyslogd with one file for everything: PRI, then the line as it stands in /var/log/syslog.

    Its own treatment of control characters is switched off."""

    def __init__(self):
        if not have("rsyslogd"):
            pytest.skip("needs rsyslogd")
        super().__init__()
        self.socket = self.folder / "socket" / "log"
        self.file = self.folder / "out"
        config = self.folder / "rsyslog.conf"
        config.write_text(
            'global(workDirectory="%s" parser.escapeControlCharactersOnReceive="off")\n'
            'module(load="imuxsock" SysSock.Use="off")\n'
            'input(type="imuxsock" Socket="%s" RateLimit.Interval="0")\n'
            'template(name="line" type="string" string="%%pri%% %%timestamp%% %%syslogtag%%'
            '%%msg%%\\n")\n'
            'action(type="omfile" file="%s" template="line")\n' %
            (self.folder, self.socket, self.file))
        self.command = ("rsyslogd", "-n", "-f", str(config), "-i", str(self.folder / "pid"))
        self.start()

    def sink(self, extra=""):
        return f'log to syslog {extra} path "{self.socket}"\n'

    def text(self):
        return self.file.read_text("latin-1") if self.file.exists() else ""

    def lines(self):
        return self.text().split("\n")[:-1]
