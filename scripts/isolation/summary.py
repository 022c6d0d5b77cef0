"""The sentence at the top: the faults of each port, and the other ports that noticed (see
notice)."""
from typing import Any

from .client import KINDS
from .notice import is_early, is_slower
from .units import count_text, list_text, plural, times_text

# What happened to a port, by the cause of its workers' ends.
TOLD = {
    "crash": "crashed {}",
    "watchdog": "was ended {} by the watchdog",
    "memory": "ran out of memory {}",
    "descriptors": "ran out of descriptors {}",
    "sandbox": "was ended by its sandbox {}",
    "killed": "was killed {}",
    "exit": "ended by itself {}",
    "configuration": "could not be configured {}",
    "drained": "was replaced {}",
}


def summary_of(report: dict[str, Any], loaded: bool) -> str:
    """loaded: the machine was so busy that it may have caused the latencies."""
    hit = [port for port in report["ports"] if port["hit"]]
    others = [port for port in report["ports"] if not port["hit"]]
    sentences = [f"port {port['name']} {fate_of(port, report['faults'])}" for port in hit]
    if not hit:
        sentences = ["nothing was done to any port"]
    told = "; ".join([*sentences, *(others_of(others) if hit else undisturbed_of(others))])
    told = told[0].upper() + told[1:] + "."
    if loaded and any(is_slower(found) for port in report["ports"] for found in port["noticed"]):
        told += " The machine was so busy that this alone can slow answers down."
    return told


def fate_of(port: dict[str, Any], faults: list[dict[str, Any]]) -> str:
    totals = port["totals"]
    done = [TOLD[cause].format(times_text(count)) for cause, count in totals["ends"].items()]
    done += [f"lost its {role} {times_text(totals[f'{role}_restarts'])}"
             for role in ("keyholder", "connector") if totals[f"{role}_restarts"]]
    own = [fault for fault in faults if fault["port"] == port["name"]]
    floods = [fault["flood"] for fault in own if fault["flood"]]
    if floods:
        done.append(flood_of(floods))
    if not done:
        missed = sum(len(missed_of(fault)) for fault in own)
        strikes = sum(len(fault["strikes"]) for fault in own) - missed
        done += [f"was struck {times_text(strikes)}"] if strikes or not missed else []
        done += [f"was missed by {plural(missed, 'fault')}"] if missed else []
    if totals["parked"]:
        done.append("was parked")
    if totals["failures"]:
        done.append(f"failed {count_text(totals['failures'])} of "
                    f"{plural(totals['requests'], 'request')}")
    slower = [found["text"] for found in port["noticed"] if is_slower(found)]
    return list_text(done) + (f" ({', '.join(slower)})" if slower else "")


def missed_of(fault: dict[str, Any]) -> list[dict[str, Any]]:
    """The faults that had no effect: there was no such fault, or no process to hit."""
    return [s for s in fault["strikes"]
            if s["outcome"] in ("status 404", "status 400", KINDS["refused"])
            or s["outcome"].startswith("there was no")]


def flood_of(floods: list[dict[str, Any]]) -> str:
    told = []
    for what in dict.fromkeys(flood["of"] for flood in floods):
        mine = [flood for flood in floods if flood["of"] == what]
        failed = sum(flood["failed"] for flood in mine)
        tried = sum(flood["done"] for flood in mine) + failed
        told.append(plural(tried, what.removesuffix("s")) + (f" ({count_text(failed)} failed)" if failed else ""))
    return f"was flooded with {list_text(told)}"


def flood_done(flood: dict[str, Any]) -> str:
    """How many were done; of requests, with which answers."""
    statuses = ", ".join(f"{count_text(n)} with {status}" for status, n in flood["statuses"].items())
    return f"{count_text(flood['done'])} done{f' ({statuses})' if statuses else ''}, " \
           f"{count_text(flood['failed'])} failed"


def others_of(others: list[dict[str, Any]]) -> list[str]:
    """A port did not notice only if all its figures are known and stayed near their quiet
    values."""
    calm = [port["name"] for port in others if not port["noticed"] and not port["unknown"]]
    told = []
    if calm:
        told.append(f"{'ports' if len(calm) > 1 else 'port'} {list_text(calm)} did not notice")
    for port in others:
        if port["noticed"]:
            early = all(is_early(found) for found in port["noticed"])
            verb = "was not quiet" if early else "noticed"
            told.append(f"port {port['name']} {verb}: {listed(port['noticed'])}")
        elif port["unknown"]:
            told.append(f"it is not known whether port {port['name']} noticed: "
                        f"{', and '.join(port['unknown'])}")
    return told


def undisturbed_of(ports: list[dict[str, Any]]) -> list[str]:
    """Without faults there is nothing to notice, but something may have happened."""
    told = [f"port {port['name']}: {listed(port['noticed'])}" for port in ports if port["noticed"]]
    return told or ["no request failed"]


def listed(found: list[dict[str, Any]]) -> str:
    return ", ".join(f["text"] for f in found)
