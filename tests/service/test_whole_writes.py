"""A kill between the chain's commit and what the server notes of it: the edit, its audit and its way back are all there
after the restart, or none of them is."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from datong.app.service import whole_writes
from datong.app.service.demand import edit_forecast
from datong.app.service.edits import Conflict, can_undo, edit, undo
from datong.app.service.grids import Filter, Wanted
from datong.app.service.order_changes import Change
from datong.app.service.orders import order, orders
from datong.app.service.permissions import Who
from datong.app.service.releases import release
from datong.app.service.served import DESK_FILE, Served, serve
from datong.model.errors import NotFound
from datong.store.duckdb_ledger import DuckDBLedger
from mill import write
from served_mill import QUICK, Clock

ANN = Who(1, "ann", "Ann", ("planner",))
AUDITOR = Who(9, "audit@works", "", ("auditor",))


class Killed(BaseException):
    """Nothing after it runs, as after kill -9."""


@pytest.fixture
def opened(tmp_path: Path, clock: Clock) -> Callable[[], Served]:
    chain = write(tmp_path / "mill")
    return lambda: serve(chain, tmp_path / "desk" / DESK_FILE, clock, hasher=QUICK)


def kill_after_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server dies when the chain has the write and the desk not yet."""

    def killed(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(whole_writes, "_keep", killed)


def kill_before_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server dies when the intent is written and the chain's transaction not committed: nothing is cleared up."""
    run = DuckDBLedger._run

    def killed(self: DuckDBLedger, sql: str, params: object = ()) -> None:
        if sql == "COMMIT":
            raise Killed
        run(self, sql, params)  # ty: ignore[invalid-argument-type]

    monkeypatch.setattr(DuckDBLedger, "_run", killed)
    monkeypatch.setattr(whole_writes, "_drop", lambda *_: None)


def dies(served: Served, task: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Killed):
        task()
    monkeypatch.undo()
    served.close()


def planned(served: Served) -> str:
    """A proposed order on A that is due."""
    served.keeper.write("ann", lambda chain: chain.run())
    rows = orders(served, ANN, Wanted((Filter("line", "is", "A"),))).rows.to_pylist()
    return next(row["order"] for row in rows if row["is_due"])


def done(served: Served, name: str) -> list[str]:
    return [entry["what"] for entry in served.audit.entries(AUDITOR) if entry["subject"] == name]


def test_a_kill_after_the_commit_leaves_the_edit_with_its_audit_and_its_way_back(
    opened: Callable[[], Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    served = opened()
    name = planned(served)
    version = order(served, ANN, name).version
    kill_after_commit(monkeypatch)
    dies(served, lambda: edit(served, ANN, Change(name, units=30.0), version, "worn"), monkeypatch)
    served = opened()
    shown = order(served, ANN, name)
    assert (shown.row["units"], shown.row["origin"]) == (30.0, "edit")
    assert done(served, name) == ["edit_order"] and shown.history[-1].why == "worn"
    assert can_undo(served, ANN, name) == (True, False)
    assert served.desk.rows("SELECT * FROM intents") == []
    served.close()
    served = opened()  # settled once
    assert done(served, name) == ["edit_order"]
    before = undo(served, ANN, name)
    assert before is not None and before.row["origin"] == "plan"
    served.close()


def test_a_kill_before_the_commit_leaves_nothing(opened: Callable[[], Served], monkeypatch: pytest.MonkeyPatch) -> None:
    served = opened()
    name = planned(served)
    version = order(served, ANN, name).version
    kill_before_commit(monkeypatch)
    dies(served, lambda: edit(served, ANN, Change(name, units=30.0), version), monkeypatch)
    served = opened()
    assert order(served, ANN, name).row["origin"] == "plan"
    assert done(served, name) == [] and can_undo(served, ANN, name) == (False, False)
    assert served.desk.rows("SELECT * FROM intents") == []
    served.close()


def test_a_kill_in_an_undo_leaves_it_done_and_noted(
    opened: Callable[[], Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    served = opened()
    name = planned(served)
    edit(served, ANN, Change(name, units=30.0), order(served, ANN, name).version)
    kill_after_commit(monkeypatch)
    dies(served, lambda: undo(served, ANN, name), monkeypatch)
    served = opened()
    assert done(served, name) == ["edit_order", "undo_edit"]
    assert can_undo(served, ANN, name) == (False, True)
    served.close()


def test_a_kill_in_a_release_leaves_it_given_out_and_noted(
    opened: Callable[[], Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    served = opened()
    name = planned(served)
    kill_after_commit(monkeypatch)
    dies(served, lambda: release(served, ANN, [name], "now"), monkeypatch)
    served = opened()
    assert order(served, ANN, name).row["origin"] == "out"
    assert done(served, name) == ["release"]
    served.close()


def test_a_task_that_fails_leaves_no_intent(opened: Callable[[], Served]) -> None:
    served = opened()
    name = planned(served)
    with pytest.raises(NotFound):
        edit_forecast(served, ANN, "none", "all", date(2026, 3, 2), 1.0)
    with pytest.raises(Conflict):
        edit(served, ANN, Change(name, units=30.0), "another")
    assert served.desk.rows("SELECT * FROM intents") == []
    served.close()
