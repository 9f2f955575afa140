"""Options of the whole suite."""

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A slow machine is no fault of an example; the same examples come each time.
slow = [HealthCheck.too_slow]
settings.register_profile("suite", deadline=None, derandomize=True, suppress_health_check=slow)
settings.load_profile("suite")

# What several folders of tests build on lies beside this file: small_chain, mill.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def files_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests drop whole files: nobody waits for their writers."""
    monkeypatch.setattr("datong.connectors.filedrop.inbox.QUIET_SECONDS", 0.0)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--bless", action="store_true", help="write the expected tables of the scenarios anew")
