"""HiGHS looks once in a process for the lots of a programme: the same programme of the same market, to the byte, with
the same plan to start from and the same limits, which count nodes, has the same answer. That of another byte is
another search."""

import contextlib
import copy
import hashlib
import pickle
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from datong.balance import exact_lots

_KNOWN: dict[bytes, Any] = {}


@contextlib.contextmanager
def searched_once(most_nodes: int | None = None) -> Iterator[None]:
    """most_nodes: fewer than the usual ones, where a plan is good enough after as many."""
    search = exact_lots._Lots.solve

    def solve(self: Any, start: Any, options: Mapping[str, Any], on_progress: Any) -> Any:
        if most_nodes is not None:
            options = {**options, "mip_max_nodes": most_nodes}
        form, matrix = self.form, self.form.matrix
        limits = (form.cost, form.upper, form.row_lower, form.row_upper)
        programme = (*limits, matrix.indptr, matrix.indices, matrix.data)
        decides = (self.whole, self.searched, self.turns, self.market.single_level)
        asked = hashlib.sha256()
        for part in (*programme, *decides, start, self.market, sorted(options.items())):
            asked.update(pickle.dumps(part))
        key = asked.digest()
        if key not in _KNOWN:
            _KNOWN[key] = search(self, start, options, on_progress)
        return copy.deepcopy(_KNOWN[key])  # a test may break what it was given

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact_lots._Lots, "solve", solve)
        yield


@pytest.fixture(autouse=True, scope="package")
def lots_are_searched_once() -> Iterator[None]:
    """Of all tests of a folder: many are about other sides of the same chains."""
    with searched_once():
        yield
