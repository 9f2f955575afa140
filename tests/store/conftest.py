"""The conformance suite runs over every back end (see stores.py)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stores import BACK_ENDS, Store


@pytest.fixture(params=sorted(BACK_ENDS))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A place without a ledger yet, once for each back end."""
    place = BACK_ENDS[request.param](tmp_path)
    yield place
    place.close()
