"""What a gateway does over TCP, it does over Unix sockets and with TLS, too: a part of the cases of the other
files. With GATEWAY_WIRES=all in the environment, all of them."""
import os
import ssl
import tempfile

import pytest

import test_gateway_hostile
import test_gateway_requests
import test_gateway_responses
from gateway import RESET
from gateways import plays

EVERY = 20  # the part: one of so many


def chosen():
    table = [
        case for module in (test_gateway_hostile, test_gateway_requests, test_gateway_responses)
        for case in module.TABLE
    ]
    step = 1 if os.environ.get("GATEWAY_WIRES") == "all" else EVERY
    return [(f"{n}-{case.name}", case) for n, case in enumerate(table)][::step]


CASES = dict(chosen())


def resets(case):
    """Its upstream resets a connection, which Unix sockets cannot do."""
    return any(step is RESET for script in case.scripts for step in script)


@pytest.fixture(scope="module", params=["https", "unix"])
def wire_runs(request, tmp_path_factory, certificates):
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "unix":
        with tempfile.TemporaryDirectory(prefix="bulkhead-open-") as sockets:
            os.chmod(sockets, 0o755)
            return plays([c for c in CASES.values() if not resets(c)], folder, certificates, sockets=sockets)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificates())
    return plays(list(CASES.values()), folder, certificates, context=context)


@pytest.mark.parametrize("name", CASES)
def test_over(wire_runs, name, request):
    if request.node.callspec.params["wire_runs"] == "unix" and resets(CASES[name]):
        pytest.skip("Unix sockets have no reset")
    wire_runs(CASES[name])
