"""The sentence at the top: what was done to whom, and who noticed."""
from typing import Any

from .units import count_text, list_text, plural, times_text

# What became of a port, by the cause of its workers' ends.
TOLD = {
    "crash": "crashed {}",
    "watchdog": "was ended {} by the watchdog",
    "memory": "ran out of memory {}",
    "descriptors": "ran out of descriptors {}",
    "sandbox": "was ended by its sandbox {}",
    "killed": "was killed {}",
    "exit": "gave up {}",
    "configuration": "could not be configured {}",
    "drained": "was replaced {}",
}


def summary_of(report: dict[str, Any]) -> str:
    hit = [port for port in report["ports"] if port["hit"]]
    others = [port for port in report["ports"] if not port["hit"]]
    sentences = [f"Port {port['name']} {fate_of(port, report['faults'])}" for port in hit]
    if not hit:
        sentences = ["Nothing was done to any port"]
    return "; ".join([*sentences, *others_of(others)]) + "."


def fate_of(port: dict[str, Any], faults: list[dict[str, Any]]) -> str:
    totals = port["totals"]
    done = [TOLD[cause].format(times_text(count)) for cause, count in totals["ends"].items()]
    if totals["keyholder_restarts"]:
        done.append(f"lost its keyholder {times_text(totals['keyholder_restarts'])}")
    floods = [f["flood"] for f in faults if f["port"] == port["name"] and f["flood"]]
    if floods:
        handshakes = sum(flood["done"] for flood in floods)
        done.append(f"was flooded with {count_text(handshakes)} handshakes")
    if not done:
        strikes = sum(len(f["strikes"]) for f in faults if f["port"] == port["name"])
        done.append(f"was struck {times_text(strikes)}")
    if totals["parked"]:
        done.append("was given up")
    if totals["failures"]:
        done.append(f"failed {count_text(totals['failures'])} of "
                    f"{plural(totals['requests'], 'request')}")
    return list_text(done)


def others_of(others: list[dict[str, Any]]) -> list[str]:
    calm = [port["name"] for port in others if not noticed(port)]
    told = []
    if calm:
        told.append(f"{'ports' if len(calm) > 1 else 'port'} {list_text(calm)} did not notice")
    for port in others:
        if noticed(port):
            totals = port["totals"]
            told.append(f"port {port['name']} failed {plural(totals['failures'], 'request')} and "
                        f"was restarted {times_text(totals['restarts'] or 0)}")
    return told


def noticed(port: dict[str, Any]) -> bool:
    totals = port["totals"]
    return bool(totals["failures"] or totals["restarts"] or totals["keyholder_restarts"]
                or totals["parked"])
