"""The short form of the storms (tests/storm), one test each."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "storm"))

import storm  # noqa: E402


@pytest.mark.parametrize("name", [s.name for s in storm.STORMS.values() if s.in_short])
def test_storm(tmp_path, name):
    try:
        print(storm.run(name, tmp_path, short=True))
    except storm.Skip as e:
        pytest.skip(str(e))
