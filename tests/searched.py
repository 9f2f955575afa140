"""HiGHS looks once in all tests for the lots of a programme: the same programme of the same market, to the byte, with
the same plan to start from and the same limits, which count nodes, has the same answer. That of another byte is
another search. Answers lie in a folder that the processes of the tests share."""

import contextlib
import copy
import hashlib
import os
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from datong.balance import exact_lots
from datong.balance.solution import never_stop

_SEARCH = exact_lots._Lots.solve
_KNOWN: dict[str, Any] = {}
_SHARED: list[Path] = []


def share(folder: Path) -> None:
    """Keep answers in a folder, and take those of other processes from it."""
    folder.mkdir(exist_ok=True)
    _SHARED[:] = [folder]


@contextlib.contextmanager
def searched_once(most_nodes: int | None = None, watched: bool = True) -> Iterator[None]:
    """most_nodes: fewer than the usual ones, where a plan is good enough after as many. watched: also those searches
    that somebody looks at, who then sees no step of them."""

    def solve(self: Any, start: Any, options: Mapping[str, Any], on_progress: Any) -> Any:
        if most_nodes is not None:
            options = {**options, "mip_max_nodes": most_nodes}
        if "time_limit" in options or (on_progress is not never_stop and not watched):
            return _SEARCH(self, start, options, on_progress)
        form, matrix = self.form, self.form.matrix
        limits = (form.cost, form.upper, form.row_lower, form.row_upper)
        programme = (*limits, matrix.indptr, matrix.indices, matrix.data)
        decides = (self.whole, self.searched, self.turns, self.market.single_level)
        asked = hashlib.sha256()
        for part in (*programme, *decides, start, self.market, sorted(options.items())):
            asked.update(pickle.dumps(part))
        key = asked.hexdigest()
        if key not in _KNOWN:
            found = _read(key)
            _KNOWN[key] = found[0] if found else _search(key, self, start, options, on_progress)
        return copy.deepcopy(_KNOWN[key])  # a test may break what it was given

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact_lots._Lots, "solve", solve)
        yield


def searched_of_every(number: int, seed: int) -> contextlib.AbstractContextManager[None]:
    """For what must hold of whatever lots a plan has, over many chains: HiGHS looks for better ones of every so many
    seeds. The others stay as the plan stage makes them, in a tenth of the time."""
    return searched_once(most_nodes=None if seed % number == 0 else 0)


def _read(key: str) -> list[Any]:
    """What another process found, as the only one of a list; else none."""
    for folder in _SHARED:
        with contextlib.suppress(FileNotFoundError):
            return [pickle.loads((folder / key).read_bytes())]
    return []


def _search(key: str, programme: Any, *asked: Any) -> Any:
    found = _SEARCH(programme, *asked)
    for folder in _SHARED:
        fresh = folder / f"{key}.{os.getpid()}.new"
        fresh.write_bytes(pickle.dumps(found))
        fresh.replace(folder / key)
    return found


@pytest.fixture(autouse=True, scope="package")
def lots_are_searched_once() -> Iterator[None]:
    """Of all tests of a folder: many are about other sides of the same chains."""
    with searched_once():
        yield


@pytest.fixture
def searched_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what is about two searches with one answer."""
    monkeypatch.setattr(exact_lots._Lots, "solve", _SEARCH)
