"""The command line of bulkhead-isolation(1)."""
import argparse
import json
import os
import pathlib
import shutil
import signal
import sys
import time
from collections.abc import Callable

from .faults import Injector
from .load import Generator
from .page import page_of
from .result import Report, Run, report_of
from .scenario import Scenario, ScenarioError, scenario_read
from .server import RunningServer, ServerError, StartedServer, server_for
from .text import text_of

EX_FAILED, EX_USAGE, EX_UNAVAILABLE, EX_SOFTWARE, EX_CANTCREAT = 1, 2, 69, 70, 73
LEAD = 0.3  # from the order to begin to the beginning: all clients are ready by then

HERE = pathlib.Path(__file__).resolve().parent
WRITERS: dict[str, Callable[[Report], str]] = {
    "text": text_of,
    "json": lambda report: json.dumps(report, indent=1, ensure_ascii=False) + "\n",
    "html": page_of,
}


class Failed(Exception):
    """Ends the program with a status and a sentence."""

    def __init__(self, status: int, what: str):
        super().__init__(what)
        self.status = status


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bulkhead-isolation",
        description="Runs a scenario against a Bulkhead server and reports what its clients saw.",
        epilog="Exit status: 0 every required expectation is met, 1 one is not, 2 the scenario "
               "or the command line is wrong. See bulkhead-isolation(1).")
    parser.add_argument("scenario", nargs="?", metavar="SCENARIO",
                        help="a file, or the name of an installed one (--list)")
    parser.add_argument("--text", metavar="FILE", help="write the summary there, not to standard "
                        "output; - is standard output, here and below")
    parser.add_argument("--json", metavar="FILE", help="write all figures as JSON")
    parser.add_argument("--html", metavar="FILE", help="write one self-contained page with plots")
    parser.add_argument("--binary", metavar="FILE", help="the bulkhead to start")
    parser.add_argument("--seed", metavar="N", type=int, help="use this seed")
    parser.add_argument("--keep", metavar="DIR", help="keep the server's log and configuration")
    parser.add_argument("--check", action="store_true", help="only check the scenario")
    parser.add_argument("--list", action="store_true", help="list the installed scenarios")
    return parser


def main(argv: list[str] | None = None) -> int:
    parser = arguments()
    options = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # its server must not survive it
    try:
        if options.list:
            scenarios_list()
            return 0
        if not options.scenario:
            parser.error("which scenario? --list lists those that ship")
        return run(options)
    except Failed as failed:
        for line in str(failed).splitlines():
            print(f"bulkhead-isolation: {line}", file=sys.stderr)
        return failed.status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nor is it flushed
        return EX_CANTCREAT
    except KeyboardInterrupt:
        print("bulkhead-isolation: interrupted", file=sys.stderr)
        return 130


def run(options: argparse.Namespace) -> int:
    scenario = scenario_load(scenario_find(options.scenario), options.seed)
    outputs = outputs_of(options)
    if options.check:
        return 0
    binary = binary_find(options.binary) if scenario.server.start else pathlib.Path()
    keep = pathlib.Path(options.keep) if options.keep else None
    say(f"{scenario.title}: {len(scenario.ports)} ports, {scenario.duration:g} s")
    try:
        with server_for(scenario, binary, keep) as server:
            report = measure(scenario, server)
    except ServerError as error:
        raise Failed(EX_UNAVAILABLE, str(error)) from None
    for kind, name in outputs.items():
        output_write(name, WRITERS[kind](report))
    return 0 if report["passed"] else EX_FAILED


def say(what: str) -> None:
    """Shows progress to the user."""
    if sys.stderr.isatty():
        print(f"bulkhead-isolation: {what}", file=sys.stderr)


# --- arguments -----------------------------------------------------------------------------


def scenarios_folder() -> pathlib.Path:
    return HERE.parent / "scenarios"


def scenarios_list() -> None:
    for path in sorted(scenarios_folder().glob("*.toml")):
        print(f"{path.stem:18} {scenario_load(path, None).title}")


def scenario_find(name: str) -> pathlib.Path:
    """A file; else a supplied scenario of that name."""
    shipped = scenarios_folder() / f"{name}.toml"
    if "/" not in name and not os.path.exists(name) and shipped.exists():
        return shipped
    return pathlib.Path(name)


def scenario_load(path: pathlib.Path, seed: int | None) -> Scenario:
    try:
        return scenario_read(path, seed)
    except ScenarioError as error:
        raise Failed(EX_USAGE, "\n".join(f"{path}: {what}" for what in error.args[0])) from None
    except OSError as error:
        raise Failed(EX_USAGE, f"{path}: {error.strerror}") from None


def outputs_of(options: argparse.Namespace) -> dict[str, str]:
    """The output files. Whether they can be written is checked before the run, not after it."""
    outputs = {kind: getattr(options, kind) for kind in WRITERS if getattr(options, kind)}
    if "-" not in outputs.values() and "text" not in outputs:
        outputs = {"text": "-", **outputs}
    for name in outputs.values():
        folder = pathlib.Path(name).resolve().parent
        if name != "-" and (not os.access(folder, os.W_OK) or pathlib.Path(name).is_dir()):
            raise Failed(EX_CANTCREAT, f"{name}: cannot be written")
    return outputs


def output_write(name: str, text: str) -> None:
    if name == "-":
        sys.stdout.write(text)
        return
    try:
        pathlib.Path(name).write_text(text)
    except OSError as error:
        raise Failed(EX_CANTCREAT, f"{name}: {error.strerror}") from None


def binary_find(given: str | None) -> pathlib.Path:
    """The program that was named; else that of this source tree; else the installed one."""
    if given:
        return pathlib.Path(given).resolve()
    built = HERE.parent.parent / "build" / "bulkhead"
    if built.exists():
        return built
    beside = [str(folder / "sbin") for folder in HERE.parents]
    found = shutil.which("bulkhead", path=os.pathsep.join([*beside, os.environ.get("PATH", ""),
                                                           "/usr/local/sbin", "/usr/sbin"]))
    if not found:
        raise Failed(EX_UNAVAILABLE, "there is no bulkhead to start; name one, --binary")
    return pathlib.Path(found)


# --- the run -----------------------------------------------------------------------------------


def measure(scenario: Scenario, server: StartedServer | RunningServer) -> Report:
    targets = {port.name: server.target(port) for port in scenario.ports}
    ports = {port.name: port for port in scenario.ports}
    generators = {name: Generator(port, targets[name]) for name, port in ports.items()}
    floods = {(number, at): Generator(ports[fault.port], targets[fault.port], fault, at)
              for number, fault in enumerate(scenario.faults) if fault.flood
              for at in fault.times}
    everybody = [*generators.values(), *floods.values()]
    try:
        busy = Busy()
        start = time.monotonic() + LEAD
        began = time.time() + LEAD
        for generator in everybody:
            generator.start(start, start + scenario.duration)
        strikes = Injector(scenario, server).run(start)
        time.sleep(max(0.0, start + scenario.duration - time.monotonic()))
        machine_busy = busy.share()
        clients = {name: generator.collect() for name, generator in generators.items()}
        flooded = {key: generator.collect() for key, generator in floods.items()}
    except (EOFError, TimeoutError) as error:
        raise Failed(EX_SOFTWARE, f"the clients have failed: {error}") from None
    finally:
        for generator in everybody:
            generator.stop()
    numbers = {name: target.port for name, target in targets.items()}
    return report_of(Run(scenario, began, server.version, numbers, clients, flooded, strikes,
                         server.events(), machine_busy))


class Busy:
    """The share of time that all processors together have worked since this was made."""

    def __init__(self) -> None:
        self.before = self._read()

    def share(self) -> float | None:
        idle, total = (now - then for now, then in zip(self._read(), self.before))
        return 1 - idle / total if total else None

    @staticmethod
    def _read() -> tuple[int, int]:
        with open("/proc/stat", errors="replace") as stat:
            numbers = [int(word) for word in stat.readline().split()[1:9]]
        return numbers[3] + numbers[4], sum(numbers)
