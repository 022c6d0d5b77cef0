"""What check-deb and check-container have in common: checks in a row, clients in another network."""
import ctypes
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback

CLONE_NEWNET = 0x40000000  # Python 3.11 has no setns(2)
LIBC = ctypes.CDLL(None, use_errno=True)

counts = {"ok": 0, "FAIL": 0, "skip": 0}


class Failure(Exception):
    """A sentence about what is not as it should be."""


class Skip(Exception):
    """A sentence about why a check could not be made."""


def expect(condition, text):
    if not condition:
        raise Failure(text)


def command(*argv, check=True, timeout=1800, **options):
    """Runs it to its end, its output in one text; an exit status other than 0 is a failure. The limit is for
    what hangs: beside all other steps, on a slow machine, a root that takes 20 s alone has taken 300."""
    done = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=timeout, **options)
    if check and done.returncode != 0:
        raise Failure(f"{' '.join(map(str, argv))} ended with {done.returncode}:\n{done.stdout}")
    return done


# --- checks ---------------------------------------------------------------------------------------


def say(verdict, name, text=""):
    counts[verdict] += 1
    print(f"{verdict:5} {name}" + (f": {text}" if text else ""), flush=True)


def note(text):
    """Below the check that is being made."""
    for line in text.splitlines():
        print(f"      {line}", flush=True)


def finish():
    print(f"{counts['ok']} passed, {counts['FAIL']} failed, {counts['skip']} skipped")
    sys.exit(1 if counts["FAIL"] else 0)


def leave(reason):
    """Nothing of it can be done here."""
    say("skip", sys.argv[0].rsplit("/", 1)[-1], reason)
    finish()


def need(*programs):
    for program in programs:
        if not shutil.which(program, path="/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/bin"):
            leave(f"there is no {program}")


def run(checks, vital=()):
    """Each check is a function whose name is a sentence. Without a vital one, those behind it are
    skipped."""
    broken = None
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    for check in checks:
        name, began = check.__name__.replace("_", " "), time.monotonic()
        if broken:
            say("skip", name, f"it needs that {broken}")
            continue
        try:
            check()
            say("ok", f"{name} ({time.monotonic() - began:.1f} s)")
        except Skip as e:
            say("skip", name, str(e))
            broken = name if check in vital else None
        except (Failure, AssertionError, OSError, subprocess.TimeoutExpired) as e:
            say("FAIL", name, f"{e}")
            broken = name if check in vital else None
        except Exception as e:  # the check itself is wrong; the others are made
            traceback.print_exc(file=sys.stdout)
            say("FAIL", name, f"{type(e).__name__}: {e}")
            broken = name if check in vital else None


# --- another network ------------------------------------------------------------------------------


def enter_network(pid):
    """This thread is in the network of that process from now on: use one that does nothing else."""
    with open(f"/proc/{pid}/ns/net") as namespace:
        if LIBC.setns(namespace.fileno(), CLONE_NEWNET) != 0:
            raise Failure(f"the network of process {pid} cannot be entered")


def in_network(pid, function):
    """The result of function() in the network of that process."""
    result = []

    def work():
        try:
            enter_network(pid)
            result.append(function())
        except Exception as e:  # told to the caller, whatever it is
            result.append(e)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if isinstance(result[0], Exception):
        raise Failure(f"{type(result[0]).__name__}: {result[0]}")
    return result[0]
