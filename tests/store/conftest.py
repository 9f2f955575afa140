"""The back ends that the conformance suite runs over. A further one adds its `Store` to BACK_ENDS, and nothing else."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

import pytest

from datong.ledger.protocol import Branches, Ledger
from datong.model.settings import ChainSettings
from datong.store.branches import DuckDBBranches
from datong.store.duckdb_ledger import DuckDBLedger, open_ledger

SETTINGS = ChainSettings("test", time_zone="Asia/Dhaka")


class Store(Protocol):
    """A place of one back end where one chain can be kept."""

    def open(self, settings: ChainSettings = SETTINGS) -> Ledger:
        """The ledger of the chain there, made where there is none. Closed by the fixture, if not before."""
        ...

    def branches(self, ledger: Ledger) -> Branches: ...

    def close(self) -> None: ...


class DuckDBStore:
    def __init__(self, folder: Path) -> None:
        self._path = folder / "store" / "ledger.duckdb"
        self._opened: list[DuckDBLedger] = []

    def open(self, settings: ChainSettings = SETTINGS) -> DuckDBLedger:
        self._opened.append(open_ledger(self._path, settings))
        return self._opened[-1]

    def branches(self, ledger: Ledger) -> DuckDBBranches:
        assert isinstance(ledger, DuckDBLedger)
        return DuckDBBranches(ledger)

    def close(self) -> None:
        for ledger in self._opened:
            ledger.close()


BACK_ENDS: Mapping[str, Callable[[Path], Store]] = {"duckdb": DuckDBStore}


@pytest.fixture(params=sorted(BACK_ENDS))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A place without a ledger yet, once for each back end."""
    place = BACK_ENDS[request.param](tmp_path)
    yield place
    place.close()
