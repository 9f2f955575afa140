"""The conformance suite runs over every back end (see stores.py)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from datong.store import duckdb_ledger
from stores import BACK_ENDS, Store

_create = duckdb_ledger._create


@pytest.fixture(scope="module")
def ledgers_are_made() -> Iterator[None]:
    """Each ledger of the tests that use this is made, and none a copy (see tests/conftest.py)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duckdb_ledger, "_create", _create)
        yield


@pytest.fixture(params=sorted(BACK_ENDS))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A place without a ledger yet, once for each back end."""
    place = BACK_ENDS[request.param](tmp_path)
    yield place
    place.close()
