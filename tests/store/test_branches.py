"""Branches of a ledger: what they see and what they keep to themselves. A suite over the back ends of stores.py."""

from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from datong.ledger.protocol import END_OF_TIME, Branches, Ledger, RunRecord
from datong.model.errors import NotFound, Refused
from datong.model.tables import tables
from stores import NOW, Store, day, hours, line, make, take, take_in


def sale(name: str, units: float = 1.0, **columns: Any) -> dict[str, Any]:
    return {"sale": name, "happened_at": day(5), "product": "P", "units": units, **columns}


def trunk_rows(ledger: Ledger) -> dict[str, Any]:
    """All that can be read of the trunk."""
    state = ledger.state(END_OF_TIME)
    runs = ledger.runs().to_pylist()
    return {
        "states": {name: rows.to_pylist() for name, rows in state.tables.items()},
        "snapshot": state.snapshot,
        "ingests": ledger.last_ingests(),
        "quarantine": ledger.quarantined().to_pylist(),
        "runs": runs,
        "run_tables": {run["run"]: tuple(ledger.run_tables(run["run"])) for run in runs},
    }


@pytest.fixture
def trunk(store: Store) -> Ledger:
    """Lines L (40 hours, 45 from the 8th on) and M (20); sales a (known on the 5th) and b (on the 12th)."""
    ledger = store.open()
    take(ledger, "lines", line(40), line(45, known_at=day(8)), line(20, "M"), now=day(1))
    take(ledger, "sales", sale("a"), sale("b", known_at=day(12)))
    return ledger


@pytest.fixture
def branches(store: Store, trunk: Ledger) -> Branches:
    return store.branches(trunk)


# what a branch sees --------------------------------------------------------------------------------


def test_a_branch_begins_as_its_parent_was_at_its_moment(trunk: Ledger, branches: Branches) -> None:
    branch = make(branches, "b", day(10))
    assert branch.latest_known_at() == day(10)
    for name in tables():
        assert branch.state(day(10)).table(name).equals(trunk.state(day(10)).table(name))
    assert hours(branch, day(7)) == {"L": 40, "M": 20}
    assert branch.state(day(20)).table("sales")["sale"].to_pylist() == ["a"]  # b is known later on the trunk


def test_what_the_trunk_learns_later_is_not_seen(trunk: Ledger, branches: Branches) -> None:
    """A row of a declared history that counts as known since ever would else enter a question asked before it."""
    branch = make(branches, "b", day(10))
    take(trunk, "lines", line(30, "N"), line(99, known_at=day(9)), now=day(15))
    take(trunk, "sales", sale("c", known_at=day(2)))
    assert hours(trunk, day(10)) == {"L": 99, "M": 20, "N": 30}
    assert hours(branch, day(30)) == {"L": 45, "M": 20}
    assert branch.state(day(30)).table("sales")["sale"].to_pylist() == ["a"]


def test_changed_added_and_withdrawn_rows_hold_from_the_moment_on_and_on_the_branch_alone(
    trunk: Ledger, branches: Branches
) -> None:
    before = trunk_rows(trunk)
    branch = make(branches, "b", day(10))
    assert take(branch, "lines", line(120), line(20, "M"), line(5, "N")) == (1, 1, 1, 0)
    assert hours(branch, day(10)) == {"L": 120, "M": 20, "N": 5}
    assert hours(branch, day(9)) == {"L": 45, "M": 20}
    assert branch.withdraw("lines", ["lines:M", "lines:nobody"], day(1), by="test") == 1
    assert branch.withdraw("lines", ["lines:M"], day(10), by="test") == 0
    assert branch.withdraw("sales", ["sales:a"], day(10), by="test") == 1
    assert hours(branch, day(10)) == {"L": 120, "N": 5}
    assert branch.state(day(10)).table("sales").num_rows == 0
    assert branches.all()[-1].changed == {"lines": 3, "sales": 1}
    branch.save_run(RunRecord("R1", day(10), 0, {"orders": pa.table({"order": ["W1"]})}), NOW, by="test")
    assert trunk_rows(trunk) == before
    assert hours(trunk, day(10)) == {"L": 45, "M": 20}
    branches.drop("b", NOW, by="test")
    assert trunk_rows(trunk) == before


def test_of_what_is_said_on_a_branch_the_last_counts(branches: Branches) -> None:
    branch = make(branches, "b", day(10))
    for value, verdict in ((120, (0, 1, 0, 0)), (120, (0, 0, 1, 0)), (110, (0, 1, 0, 0)), (120, (0, 1, 0, 0))):
        assert take(branch, "lines", line(value)) == verdict
        assert hours(branch, day(10))["L"] == value
    assert take(branch, "lines", line(45)) == (0, 1, 0, 0)  # back to what the parent says
    assert hours(branch, day(10))["L"] == 45
    assert branch.latest_known_at() == day(10)
    # A known event of the parent needs no later known_at to be asked about.
    assert take(branch, "sales", sale("a", units=7.0)) == (0, 1, 0, 0)
    assert branch.state(day(10)).table("sales")["units"].to_pylist() == [7.0]


def test_a_row_that_was_withdrawn_can_come_back(branches: Branches) -> None:
    branch = make(branches, "b", day(10))
    branch.withdraw("lines", ["lines:M"], day(10), by="test")
    assert take(branch, "lines", line(20, "M")) == (0, 1, 0, 0)
    assert hours(branch, day(10)) == {"L": 45, "M": 20}


def test_rows_of_a_branch_can_become_known_after_its_moment(branches: Branches) -> None:
    branch = make(branches, "b", day(10))
    file = [line(50, known_at=day(14)), line(60, known_at=day(17)), line(60, known_at=day(18))]
    assert take(branch, "lines", *file) == (0, 2, 1, 0)
    assert take(branch, "lines", *file) == (0, 0, 3, 0)
    assert [hours(branch, day(d))["L"] for d in (10, 14, 16, 17, 20)] == [45, 50, 50, 60, 60]
    assert branch.latest_known_at() == day(17)
    assert take(branch, "lines", line(55, known_at=day(15))) == (0, 1, 0, 0)
    assert [hours(branch, day(d))["L"] for d in (14, 15, 17)] == [50, 55, 60]


def test_only_a_version_with_the_same_first_day_is_replaced(trunk: Ledger, branches: Branches) -> None:
    take(trunk, "lines", line(80, valid_from=date(2026, 1, 20)), now=day(9))
    branch = make(branches, "b", day(10))
    take(branch, "lines", line(120))
    assert [hours(branch, day(d))["L"] for d in (10, 25)] == [120, 80]
    take(branch, "lines", line(60, valid_from=date(2026, 1, 20)))
    assert [hours(branch, day(d))["L"] for d in (10, 25)] == [120, 60]


def test_branches_of_a_branch(branches: Branches) -> None:
    """The inner branch sees the outer one's changes of before, not those of after it was made."""
    outer = make(branches, "outer", day(10))
    take(outer, "lines", line(100), line(100, "M"))
    inner = make(branches, "inner", day(13), "outer")
    take(outer, "lines", line(200))
    take(inner, "lines", line(7, "M"))
    assert inner.withdraw("sales", ["sales:a"], day(13), by="test") == 1
    assert hours(inner, day(13)) == {"L": 100, "M": 7}
    assert hours(inner, day(12)) == {"L": 100, "M": 100}
    assert hours(inner, day(9)) == {"L": 45, "M": 20}
    assert hours(outer, day(13)) == {"L": 200, "M": 100}
    assert outer.state(day(20)).table("sales")["sale"].to_pylist() == ["a"]
    with pytest.raises(Refused, match="earlier"):
        branches.make("wrong", "outer", day(9), NOW, "", by="test")


def test_a_state_in_hand_does_not_change(branches: Branches) -> None:
    branch = make(branches, "b", day(10))
    take(branch, "lines", line(100))
    state = branch.state(day(10))
    take(branch, "lines", line(120))
    assert state.table("lines")["hours_per_week"].to_pylist() == [100, 20]


def test_evidence_names_the_branch_s_own_source(branches: Branches) -> None:
    branch = make(branches, "b", day(10))
    assert [r["source"] for r in branch.rows("lines", ["lines:L"]).to_pylist()] == ["a.csv"]
    take(branch, "lines", line(120), source="what-if.csv")
    rows = branch.rows("lines", ["lines:L", "lines:M"]).to_pylist()
    assert [(r["hours_per_week"], r["source"], r["source_row"]) for r in rows] == [
        (120, "what-if.csv", 2),
        (20, "a.csv", 4),
    ]
    assert [r["sale"] for r in branch.rows("sales", ["sales:a", "sales:b"]).to_pylist()] == ["a"]


# bad rows ------------------------------------------------------------------------------------------


def test_a_branch_has_a_quarantine_of_its_own(trunk: Ledger, branches: Branches) -> None:
    branch = make(branches, "b", day(10))
    for _ in range(2):
        report = take_in(branch, "lines", line(50), line(60), line(50))
        assert report.quarantined == 1
        assert [f.code for f in report.findings] == ["same_id_other_content"]
    (held,) = branch.quarantined().to_pylist()
    assert (held["table"], held["row"]) == ("lines", 3)
    assert trunk.quarantined().num_rows == 0
    fixed = pa.table({"line": ["O"], "hours_per_week": [60.0], "__row__": [3]})
    branch.ingest("lines", fixed, None, (), "a.csv", day(10), retried=[held["quarantine_id"]], by="test")
    assert branch.quarantined().num_rows == 0
    assert hours(branch, day(10)) == {"L": 50, "M": 20, "O": 60}


def test_a_failed_ingest_changes_nothing(branches: Branches) -> None:
    branch = make(branches, "b", day(10))
    broken = pa.table({"__row__": [2], "raw": ["{}"], "findings": pa.array([None], pa.string())})
    rows = pa.table({"line": ["L"], "hours_per_week": [1.0], "__row__": [2]})
    with pytest.raises(Exception, match=r"(?i)null"):
        branch.ingest("lines", rows, broken, (), "a.csv", day(10), by="test")
    assert hours(branch, day(10)) == {"L": 45, "M": 20}
    assert branches.all()[-1].changed == {}


# runs ----------------------------------------------------------------------------------------------


def test_runs_of_a_branch_are_its_own_and_the_trunk_s_up_to_its_moment(trunk: Ledger, branches: Branches) -> None:
    tables_of = {"orders": pa.table({"order": ["W1"]})}
    for run, moment in (("t3", 3), ("t10", 10), ("t12", 12)):
        trunk.save_run(RunRecord(run, day(moment), 7, tables_of), NOW, by="test")
    branch = make(branches, "b", day(10))
    for run, moment in (("b10", 10), ("t10", 10), ("b11", 11)):
        branch.save_run(RunRecord(run, day(moment), 7, tables_of), NOW, by="test")
    trunk.save_run(
        RunRecord("t10", day(10), 7, tables_of), NOW, by="test"
    )  # saved last, and still before the branch's own
    kept = branch.runs().to_pylist()
    assert [(r["run"], r["branch"]) for r in kept] == [
        ("t3", None), ("t10", None), ("b10", "b"), ("t10", "b"), ("b11", "b")
    ]  # fmt: skip
    assert [r["run"] for r in branch.runs(day(9)).to_pylist()] == ["t3"]
    assert trunk.runs()["run"].to_pylist() == ["t3", "t10", "t12"]
    assert branches.all()[0].last_run == "b11"
    assert list(trunk.run_tables("t10")) == ["orders"]
    branches.drop("b", NOW, by="test")
    assert trunk.runs()["run"].to_pylist() == ["t3", "t10", "t12"]
    assert trunk.run_table("t10", "orders").num_rows == 1
    with pytest.raises(NotFound):
        trunk.run_table("b10", "orders")


def test_what_went_into_a_run_can_be_seen_again(trunk: Ledger, branches: Branches) -> None:
    """Rows that a declared history learnt since count as known since ever, but the run did not see them."""
    branch = make(branches, "b", day(10))
    take(branch, "lines", line(100))
    for run, ledger in (("on 0", trunk), ("on 1", branch)):
        ledger.save_run(RunRecord(run, day(10), 7, {}), NOW, by="test")
        assert ledger.run_inputs(run).current
        take(ledger, "lines", line(1, "N"), line(60), now=day(10))
        inputs = ledger.run_inputs(run)
        assert not inputs.current
        assert inputs.settings is not None
        assert inputs.settings["time_zone"] == "Asia/Dhaka"
        held = inputs.state.table("lines")
        assert held["line"].to_pylist() == ["L", "M"]
    assert held["hours_per_week"].to_pylist() == [100, 20]
    with pytest.raises(NotFound):
        trunk.run_inputs("on 1")


# the list ------------------------------------------------------------------------------------------


def test_names(branches: Branches) -> None:
    branches.make(" 加班方案 2 ", None, day(10), NOW, "what for", by="test")
    branches.make("child", "加班方案 2", day(10), NOW, "", by="test")
    first, second = branches.all()
    assert (first.name, first.parent, first.moment, first.made_at, first.note) == (
        "加班方案 2", None, day(10), NOW, "what for"
    )  # fmt: skip
    assert (second.name, second.parent, second.changed, second.last_run) == ("child", "加班方案 2", {}, None)
    for bad in ("", "  ", "main", "Trunk", "主线", "a/b", "-x", "R20260101-0123abcd", "x" * 61):
        with pytest.raises(Refused, match="name"):
            branches.make(bad, None, day(10), NOW, "", by="test")
    with pytest.raises(Refused, match="already"):
        branches.make("child", None, day(10), NOW, "", by="test")
    with pytest.raises(NotFound, match="child"):
        branches.on("nobody")
    with pytest.raises(Refused, match="child"):
        branches.drop("加班方案 2", NOW, by="test")
    with pytest.raises(Refused, match="already"):
        branches.rename("child", "加班方案 2", NOW, by="test")
    branches.rename("加班方案 2", "overtime", NOW, by="test")
    assert branches.all()[1].parent == "overtime"
    branches.drop("child", NOW, by="test")
    branches.drop("overtime", NOW, by="test")
    assert branches.all() == ()


def test_a_deleted_branch_leaves_nothing_to_the_next_one(branches: Branches) -> None:
    for _ in range(2):
        branch = make(branches, "b", day(10))
        assert branches.all()[-1].changed == {}
        assert hours(branch, day(10)) == {"L": 45, "M": 20}
        take(branch, "lines", line(1))
        branches.drop("b", NOW, by="test")


def test_a_branch_made_after_another_was_deleted_mixes_with_none(branches: Branches) -> None:
    """Its number is one that no living branch has."""
    for name in ("first", "second"):
        branches.make(name, None, day(20), NOW, "", by="test")
    take(branches.on("second"), "lines", line(77.0))
    branches.drop("first", NOW, by="test")
    branches.make("third", None, day(20), NOW, "", by="test")
    take(branches.on("third"), "lines", line(33.0))
    assert hours(branches.on("second"), day(25))["L"] == 77.0
    assert hours(branches.on("third"), day(25))["L"] == 33.0
