"""A kill between the chain's commit and what the server notes of it: the edit, its audit and its way back are all there
after the restart, or none of them is."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import psycopg
import pytest

from datong.app.service import whole_writes
from datong.app.service.demand import edit_forecast
from datong.app.service.grids import Filter, Wanted
from datong.app.service.order_edit_rules import Change
from datong.app.service.order_edits import Conflict, can_undo, edit, undo
from datong.app.service.orders_shown import order, orders
from datong.app.service.releases import release
from datong.app.service.roles_and_permissions import Who
from datong.app.service.served_chain import DATABASE_FILE, Served, serve
from datong.app.stores import keep_in
from datong.model.errors import DatongError, NotFound
from datong.model.words import message
from datong.store.duckdb_ledger import DuckDBLedger
from mill import write
from postgres_server import server
from served_mill import QUICK, Clock

ANN = Who(1, "ann", "Ann", ("planner",))
AUDITOR = Who(9, "audit@works", "", ("auditor",))


class Killed(BaseException):
    """Nothing after it runs, as after kill -9."""


@pytest.fixture
def opened(tmp_path: Path, clock: Clock) -> Callable[[], Served]:
    chain = write(tmp_path / "mill")
    return lambda: serve(chain, tmp_path / "database" / DATABASE_FILE, clock, hasher=QUICK)


def kill_after_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server dies when the chain has the write and the database not yet."""

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
    served.chain_thread.write("ann", lambda chain: chain.run())
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
    assert served.database.rows("SELECT * FROM intents") == []
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
    assert served.database.rows("SELECT * FROM intents") == []
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
    assert served.database.rows("SELECT * FROM intents") == []
    served.close()


# the answer to the commit is lost, and the server goes on ---------------------------------------------


def lose(monkeypatch: pytest.MonkeyPatch, *, took_effect: bool) -> None:
    """The next commit of the chain answers nothing; whether it took effect is not said."""
    run = DuckDBLedger._run

    def lost(self: DuckDBLedger, sql: str, params: object = ()) -> None:
        if sql != "COMMIT":
            return run(self, sql, params)  # ty: ignore[invalid-argument-type]
        monkeypatch.setattr(DuckDBLedger, "_run", run)
        if took_effect:
            run(self, sql)
        raise DatongError(message("store.postgres_lost", url="x", reason="cut"))

    monkeypatch.setattr(DuckDBLedger, "_run", lost)


def test_a_commit_whose_answer_was_lost_is_noted_where_the_chain_has_it(
    opened: Callable[[], Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    served = opened()
    name = planned(served)
    lose(monkeypatch, took_effect=True)
    edit(served, ANN, Change(name, units=30.0), order(served, ANN, name).version, "worn")
    assert order(served, ANN, name).row["units"] == 30.0
    assert done(served, name) == ["edit_order"] and can_undo(served, ANN, name) == (True, False)
    assert served.database.rows("SELECT * FROM intents") == []
    served.close()


def test_a_commit_whose_answer_was_lost_is_an_error_where_the_chain_has_it_not(
    opened: Callable[[], Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    served = opened()
    name = planned(served)
    lose(monkeypatch, took_effect=False)
    with pytest.raises(DatongError, match="was lost"):
        edit(served, ANN, Change(name, units=30.0), order(served, ANN, name).version)
    assert order(served, ANN, name).row["origin"] == "plan" and done(served, name) == []
    assert served.database.rows("SELECT * FROM intents") == []
    served.close()


@pytest.mark.parametrize("took_effect", [True, False])
def test_while_the_chain_cannot_be_asked_the_intent_is_kept_and_nobody_writes_before_it_is_settled(
    opened: Callable[[], Served], monkeypatch: pytest.MonkeyPatch, took_effect: bool
) -> None:
    """Also where the same person's next write would look like the one that did not come about."""
    served = opened()
    name = planned(served)
    version = order(served, ANN, name).version

    def away(_: DuckDBLedger) -> None:
        raise DatongError(message("store.postgres_lost", url="x", reason="away"))

    with monkeypatch.context() as patch:
        patch.setattr(DuckDBLedger, "writes", away)
        lose(monkeypatch, took_effect=took_effect)
        with pytest.raises(DatongError, match="cut"):
            edit(served, ANN, Change(name, units=30.0), version)
        with pytest.raises(DatongError, match="away"):
            served.chain_thread.write("ann", lambda chain: chain.run())
        assert len(served.database.rows("SELECT * FROM intents")) == 1 and done(served, name) == []
    served.chain_thread.write("ann", lambda chain: chain.run())
    assert done(served, name) == (["edit_order"] if took_effect else [])
    assert served.database.rows("SELECT * FROM intents") == []
    served.close()


def test_a_line_to_the_database_that_is_cut_after_the_commit_loses_no_audit(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = server().new_database()
    mill = write(tmp_path / "mill")
    keep_in(mill, server().url(database))
    served = serve(mill, None, clock, hasher=QUICK)
    name = planned(served)
    version = order(served, ANN, name).version
    execute = psycopg.Connection.execute

    def cut_after(self: psycopg.Connection, query: object, *rest: object) -> object:
        done = execute(self, query, *rest)  # ty: ignore
        if query == "COMMIT":
            monkeypatch.setattr(psycopg.Connection, "execute", execute)
            with server().superuser() as top:
                top.execute("SELECT pg_terminate_backend(%s, 5000)", [self.info.backend_pid])
            raise psycopg.OperationalError("the line was cut")
        return done

    try:
        monkeypatch.setattr(psycopg.Connection, "execute", cut_after)
        edit(served, ANN, Change(name, units=30.0), version)
        assert done(served, name) == ["edit_order"] and order(served, ANN, name).row["units"] == 30.0
        assert served.database.rows("SELECT * FROM intents") == []
    finally:
        served.close()
        server().drop([database])
