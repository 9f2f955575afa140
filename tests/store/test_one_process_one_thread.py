"""A ledger is held once in a process, by the thread that opened it, until it is closed; the rest is refused."""

import gc
import multiprocessing
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from datong.ledger.protocol import END_OF_TIME
from datong.model.errors import DatongError, LedgerBusy, Refused
from datong.model.settings import ChainSettings
from datong.store.branches import DuckDBBranches
from datong.store.duckdb_ledger import DuckDBLedger, ledger_in_memory, open_ledger

pytestmark = pytest.mark.usefixtures("ledgers_are_made")

SETTINGS = ChainSettings("held")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "ledger.duckdb"


def look(ledger: DuckDBLedger) -> None:
    ledger.state(END_OF_TIME, ("products",))


def test_a_closed_ledger_says_so_and_can_be_closed_again(place: Path) -> None:
    ledger = open_ledger(place, SETTINGS)
    ledger.close()
    ledger.close()
    with pytest.raises(Refused, match="is closed"):
        look(ledger)
    with pytest.raises(Refused, match="is closed"):
        DuckDBBranches(ledger).all()
    with open_ledger(place, SETTINGS) as again:
        look(again)


def test_a_ledger_is_open_once_in_a_process(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_ledger(place, SETTINGS):
        monkeypatch.chdir(place.parent)
        for same in (place, Path(place.name), place.parent / "x" / ".." / place.name):
            with pytest.raises(LedgerBusy, match="open already in this program"):
                open_ledger(same, SETTINGS)
    with open_ledger(place, SETTINGS) as again:
        look(again)


def test_a_ledger_that_nobody_holds_any_more_is_free(place: Path) -> None:
    ledger = open_ledger(place, SETTINGS)
    del ledger
    gc.collect()
    open_ledger(place, SETTINGS).close()


def test_ledgers_in_memory_are_apart() -> None:
    with ledger_in_memory(SETTINGS) as one, ledger_in_memory(SETTINGS) as other:
        look(one)
        one.close()
        look(other)


def in_thread(act: Callable[[], None]) -> list[str]:
    said: list[str] = []

    def run() -> None:
        try:
            act()
        except DatongError as error:
            said.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return said


def test_another_thread_is_refused_but_may_close(place: Path) -> None:
    with open_ledger(place, SETTINGS) as ledger:
        (said,) = in_thread(lambda: look(ledger))
        assert "another thread" in said
        look(ledger)
        assert in_thread(ledger.close) == []
        with pytest.raises(Refused, match="is closed"):
            look(ledger)


def answer_in_fork(ledger: DuckDBLedger, place: Path, said: "multiprocessing.Queue[str]") -> None:
    for act in (lambda: look(ledger), lambda: open_ledger(place, SETTINGS)):
        try:
            act()
            said.put("done")
        except DatongError as error:
            said.put(f"{type(error).__name__}: {error}")
    ledger.close()
    said.put("closed")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_is_refused_and_leaves_the_ledger_alone(place: Path) -> None:
    context = multiprocessing.get_context("fork")
    with open_ledger(place, SETTINGS) as ledger:
        before = place.stat().st_mtime_ns
        said = context.Queue()
        child = context.Process(target=answer_in_fork, args=(ledger, place, said))
        child.start()
        told = [said.get(timeout=30) for _ in range(3)]
        child.join(30)
        assert told[0].startswith("Refused:") and "forked" in told[0]
        assert told[1].startswith("LedgerBusy:")
        assert told[2] == "closed" and child.exitcode == 0
        assert place.stat().st_mtime_ns == before
        look(ledger)
