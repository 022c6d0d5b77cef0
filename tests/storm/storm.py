#!/usr/bin/env python3
"""Storms: load on four ports while one of them, or the server's surroundings, fail in every
way.

    storm.py [--short] [--list] [--only NAME …] [--seconds N] [--json FILE]

Each asserts which requests may not fail and reports figures; no figure fails a storm by its
time. NAME may be a
pattern, as kill-*. The binary is BULKHEAD_BINARY, by default build/bulkhead.
"""
import argparse
import fnmatch
import json
import os
import pathlib
import resource
import sys
import tempfile
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

# They enter their storms into the table.
import deaths, faults, proxied, soak, start, slow_clients, injected, scarcity, around, operations, figures  # noqa: E402,E401,F401
from arena import Arena, Skip  # noqa: E402
from table import STORMS  # noqa: E402

COLUMNS = (("deaths", "deaths"), ("requests_elsewhere", "requests elsewhere"),
           ("failed_elsewhere", "failed"), ("refused", "refused"),
           ("requests_hit", "requests hit"), ("failed_hit", "failed"),
           ("in_flight", "in flight inside"), ("p99_quiet_ms", "p99 quiet"),
           ("p99_ms", "p99"), ("p99_ratio", "ratio"))


def run(name, folder, short, soak_seconds=600):
    """Runs one storm; returns its figures. Raises Skip, or the error with the logs."""
    arena = Arena(folder, short, soak_seconds)
    try:
        STORMS[name](arena)
        arena.cleanup()  # a sanitizer finds leaks at the end of a process
        findings = [s.sanitizer_findings() for s in arena.servers if s.sanitizer_findings()]
        assert not findings, "\n".join(findings)
    except Skip:
        raise
    except BaseException as e:
        e.add_note(arena.logs()) if hasattr(e, "add_note") else print(arena.logs())
        raise
    finally:
        arena.cleanup()
    return arena.figures


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="the form of scripts/check")
    parser.add_argument("--list", action="store_true", help="the names, and what each is")
    parser.add_argument("--only", nargs="*", default=["*"], metavar="NAME")
    parser.add_argument("--seconds", type=int, default=600, help="how long gateway-soak is (600)")
    parser.add_argument("--json", help="write all figures there, too")
    options = parser.parse_args()
    chosen = [s for s in STORMS.values() if any(fnmatch.fnmatch(s.name, p) for p in options.only)
              and (s.in_short or not options.short)]
    if options.list:
        print("\n".join(f"{s.name:20} {s.what}" for s in chosen))
        return 0
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    results, bad = {}, 0
    print("| storm | " + " | ".join(title for _, title in COLUMNS) + " | further |\n|---" +
          "|---" * (len(COLUMNS) + 1) + "|", flush=True)
    for s in chosen:
        begun, figures, verdict = time.monotonic(), {}, "ok"
        with tempfile.TemporaryDirectory(prefix="bulkhead-storm-") as folder:
            try:
                figures = run(s.name, folder, options.short, options.seconds)
            except Skip as e:
                verdict = f"skipped: {e}"
            except Exception:  # the others are run all the same
                verdict, bad = "FAILED", bad + 1
                traceback.print_exc()
        results[s.name] = {"verdict": verdict, "seconds": round(time.monotonic() - begun, 1),
                           **figures}
        known = {key for key, _ in COLUMNS}
        further = [verdict] if verdict != "ok" else []
        further += [f"{k} {v}" for k, v in figures.items() if k not in known]
        print(f"| {s.name} | " + " | ".join(str(figures.get(key, "")) for key, _ in COLUMNS) +
              f" | {'; '.join(further)} |", flush=True)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results, indent=1))
    print(f"{len(chosen) - bad} of {len(chosen)} storms ok, in "
          f"{sum(r['seconds'] for r in results.values()):.0f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
