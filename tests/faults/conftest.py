"""Whole-product faults: real processes of the real command line."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the helpers beside this file

from kills import Command, prepare
from processes import Processes


@pytest.fixture(scope="session")
def processes() -> Iterator[Processes]:
    with Processes() as started:
        yield started


@pytest.fixture(scope="session")
def commands(tmp_path_factory: pytest.TempPathFactory, processes: Processes) -> list[Command]:
    """An ingest into a new ledger, one into a ledger that has rows, a run, a release and an exchange, each with its
    folder, which stays."""
    return prepare(tmp_path_factory.mktemp("prepared"), processes)
