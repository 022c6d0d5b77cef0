"""Causes faults at their times: requests to a port that misbehaves on order, and signals."""
import concurrent.futures
import dataclasses
import random
import time

from .client import Connection, Failure, Target
from .scenario import Fault, Scenario
from .server import RunningServer, StartedServer

AT_ONCE = 32  # simultaneous requests: those to a port that hangs take their whole timeout


@dataclasses.dataclass(frozen=True)
class Strike:
    """One fault that was caused, and the answer to it."""
    fault: int  # its index in the scenario
    at: float
    outcome: str
    identifier: str = ""


class Injector:
    def __init__(self, scenario: Scenario, server: StartedServer | RunningServer):
        self.scenario, self.server = scenario, server
        self.draw = random.Random(f"{scenario.seed}/processes")
        self.ports = {port.name: port for port in scenario.ports}
        self.plan = sorted((at, number) for number, fault in enumerate(scenario.faults)
                           for at in fault.times)

    def run(self, start: float) -> list[Strike]:
        """Returns when the last one is over; the load runs in other processes."""
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as doers:
            futures = []
            for at, number in self.plan:
                time.sleep(max(0.0, start + at - time.monotonic()))
                futures.append(doers.submit(self._strike, start, number, at))
            return [future.result() for future in futures]

    def _strike(self, start: float, number: int, due: float) -> Strike:
        fault = self.scenario.faults[number]
        if fault.flood:
            return Strike(number, due, "begun")
        at = time.monotonic() - start
        if fault.signal:
            return Strike(number, at, self._signal(fault))
        return Strike(number, at, *self._request(fault))

    def _signal(self, fault: Fault) -> str:
        assert isinstance(self.server, StartedServer)
        pids = self.server.processes(self.ports[fault.port], fault.role)
        if not pids:
            return f"there was no {fault.role}"
        if not fault.every_process:
            pids = [self.draw.choice(pids)]
        for pid in pids:
            self.server.send(pid, fault.signal)
        return "sent to " + ", ".join(str(pid) for pid in pids)

    def _request(self, fault: Fault) -> tuple[str, str]:
        target = self.server.target(self.ports[fault.port])
        return fault_request(target, fault.request, fault.timeout)


def fault_request(target: Target, path: str, timeout: float) -> tuple[str, str]:
    """The answer, and the server's id of the fault, if the answer has it."""
    deadline = time.monotonic() + timeout
    connection = None
    try:
        connection = Connection(target, target.context(), deadline)
        answer = connection.get(path, target.server_name, deadline)
        return f"status {answer.status}", answer.fields.get("fault-id", "")
    except Failure as failure:
        return str(failure), ""
    finally:
        if connection:
            connection.close()
