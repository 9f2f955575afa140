"""What-ifs: changed, run and compared beside the plan, then taken over into it or dropped."""

import time
from collections.abc import Callable

import pytest

from datong.app.branch_changes import NewRow
from datong.app.service.roles_and_permissions import NotAllowed, Who
from datong.app.service.served_chain import Served
from datong.app.service.what_if import (
    branches,
    change,
    changeable,
    changes,
    compare,
    drop,
    make,
    rows,
    start_run,
    take_over,
)
from datong.model.errors import BadInput, NotFound, Refused

PLANNER = Who(1, "plan@works", "", ("planner",))
ANALYST = Who(2, "look@works", "", ("analyst",))
FACTORY = Who(3, "press@works", "", ("factory",), firm="F1")


def hours(served: Served, name: str = "main") -> float:
    return rows(served, PLANNER, name, "lines").rows.to_pylist()[0]["hours_per_week"]


def ended(served: Served, job) -> str:
    for _ in range(6000):
        now = served.jobs.job(PLANNER, job.job)
        if not now.is_open:
            assert now.error is None, now.error
            return now.state
        time.sleep(0.01)
    raise AssertionError("still open")


def test_a_what_if_is_changed_run_compared_and_taken_over(shop: Served, audited: Callable) -> None:
    made = make(shop, PLANNER, "overtime", "a Saturday shift")
    assert (made.name, made.parent, made.note, made.last_run) == ("overtime", "main", "a Saturday shift", None)
    change(shop, PLANNER, "overtime", ["lines.PRESS.hours_per_week=60"])
    assert (hours(shop, "overtime"), hours(shop)) == (60, 40)
    with pytest.raises(Refused, match="never run"):
        compare(shop, PLANNER, "overtime")
    assert ended(shop, start_run(shop, ANALYST, "overtime")) == "done"
    assert branches(shop, PLANNER)[0].is_current
    found = compare(shop, PLANNER, "overtime")
    demand = {r["product"]: r for r in found.tables["demand"].to_pylist()}
    assert demand["OIL"]["on_time_units_b"] > demand["OIL"]["on_time_units_a"]
    taken = take_over(shop, PLANNER, "overtime", "agreed with the works council")
    assert taken.written == {"lines": ("lines:PRESS",)}
    assert hours(shop) == 60
    row = rows(shop, PLANNER, "main", "lines").rows.to_pylist()[0]
    assert "hours_per_week" not in (row["assumed"] or "")  # somebody says so now
    writes = shop.chain_thread.read(lambda chain: chain.ledger.writes().to_pylist())
    assert (writes[-1]["by"], writes[-1]["subject"], writes[-1]["branch"]) == ("plan@works", "lines", None)
    assert audited()[-1] == "take_over_branch"
    with pytest.raises(Refused, match="already"):
        take_over(shop, PLANNER, "overtime")


def test_what_was_taken_over_stays_when_the_chain_is_opened_again(shop: Served) -> None:
    make(shop, PLANNER, "overtime")
    change(shop, PLANNER, "overtime", ["lines.PRESS.hours_per_week=60"])
    take_over(shop, PLANNER, "overtime")
    (shop.chain_thread.folder / "sites.csv").write_text(
        "site,name\nS,Works\n", encoding="utf-8"
    )  # lines.csv is read again
    shop.chain_thread.lend(lambda: None)
    assert hours(shop) == 60
    (shop.chain_thread.folder / "lines.csv").write_text("line,hours_per_week\nPRESS,45\n", encoding="utf-8")
    shop.chain_thread.lend(lambda: None)
    assert hours(shop) == 45  # the file says something else now, and later


def test_a_changed_what_if_is_compared_only_after_another_run(shop: Served) -> None:
    make(shop, PLANNER, "overtime")
    ended(shop, start_run(shop, PLANNER, "overtime"))
    change(shop, PLANNER, "overtime", ["lines.PRESS.hours_per_week=60"])
    with pytest.raises(Refused, match="changed since"):
        compare(shop, PLANNER, "overtime")


def test_its_changes_are_listed_cell_by_cell(shop: Served) -> None:
    make(shop, PLANNER, "overtime")
    assert changes(shop, ANALYST, "overtime") == ()
    change(shop, PLANNER, "overtime", ["lines.PRESS.hours_per_week=60"])
    (one,) = changes(shop, ANALYST, "overtime")
    assert (one.row, one.column, one.was, one.wanted) == ("lines:PRESS", "hours_per_week", "40.0", "60.0")
    assert not one.is_in_conflict
    row = {"line": "PRESS", "hours_per_week": "50"}
    shop.chain_thread.write("x", lambda chain: chain.write_rows("lines", [row], "x"))
    assert [(c.now, c.is_in_conflict) for c in changes(shop, ANALYST, "overtime")] == [("50.0", True)]


def test_only_what_the_what_if_changed_is_taken_over(shop: Served) -> None:
    """The chain learnt another name of the line meanwhile: it stays."""
    make(shop, PLANNER, "overtime")
    change(shop, PLANNER, "overtime", ["lines.PRESS.hours_per_week=60"])
    row = {"line": "PRESS", "name": "Big press", "hours_per_week": "40"}
    shop.chain_thread.write("x", lambda chain: chain.write_rows("lines", [row], "x"))
    take_over(shop, PLANNER, "overtime")
    (line,) = rows(shop, PLANNER, "main", "lines").rows.to_pylist()
    assert (line["hours_per_week"], line["name"]) == (60, "Big press")


def test_a_cell_that_the_chain_changed_meanwhile_is_told_and_taken_over_only_anyway(shop: Served) -> None:
    make(shop, PLANNER, "overtime")
    change(shop, PLANNER, "overtime", ["lines.PRESS.hours_per_week=60"])
    shop.chain_thread.write(
        "x", lambda chain: chain.write_rows("lines", [{"line": "PRESS", "hours_per_week": "50"}], "x")
    )
    with pytest.raises(Refused, match=r"50\.0 / 60\.0"):
        take_over(shop, PLANNER, "overtime")
    assert hours(shop) == 50
    take_over(shop, PLANNER, "overtime", anyway=True)
    assert hours(shop) == 60


def test_new_and_withdrawn_rows_are_taken_over(shop: Served) -> None:
    make(shop, PLANNER, "second")
    change(shop, PLANNER, "second", [NewRow("lines", {"line": "NEW", "hours_per_week": "10"})])
    shop.chain_thread.write(
        "x", lambda chain: chain.on("second").withdraw("promotions", ["promotions:spring|OIL|2026-03-16"])
    )
    taken = take_over(shop, PLANNER, "second")
    assert taken.written == {"lines": ("lines:NEW",)}
    assert list(taken.withdrawn) == ["promotions"]
    assert {r["line"] for r in rows(shop, PLANNER, "main", "lines").rows.to_pylist()} == {"NEW", "PRESS"}
    assert rows(shop, PLANNER, "main", "promotions").total == 0


def test_one_on_another_brings_the_others_changes_too(shop: Served) -> None:
    make(shop, PLANNER, "one")
    change(shop, PLANNER, "one", ["lines.PRESS.hours_per_week=60"])
    make(shop, PLANNER, "two", parent="one")
    change(shop, PLANNER, "two", ["products.OIL.price=95"])
    taken = take_over(shop, PLANNER, "two")
    assert set(taken.written) == {"lines", "products"}
    with pytest.raises(Refused, match="two"):
        drop(shop, PLANNER, "one")


def test_a_change_that_breaks_a_rule_changes_nothing(shop: Served) -> None:
    make(shop, PLANNER, "odd")
    with pytest.raises(BadInput):
        change(shop, PLANNER, "odd", ["lines.PRESS.hours_per_week=-1"])
    with pytest.raises(NotFound):
        change(shop, PLANNER, "odd", ["lines.PRES.hours_per_week=1"])
    with pytest.raises(Refused):
        change(shop, PLANNER, "main", ["lines.PRESS.hours_per_week=1"])
    assert hours(shop, "odd") == 40


def test_dropped_it_is_gone(shop: Served, audited: Callable) -> None:
    make(shop, PLANNER, "gone")
    drop(shop, PLANNER, "gone", "no use")
    assert branches(shop, PLANNER) == ()
    assert audited()[-1] == "drop_branch"
    for task in (drop, start_run, take_over, compare):
        with pytest.raises(NotFound):
            task(shop, PLANNER, "gone")


def test_who_may_not_is_told(shop: Served) -> None:
    make(shop, ANALYST, "mine")
    change(shop, ANALYST, "mine", ["lines.PRESS.hours_per_week=60"])
    with pytest.raises(NotAllowed):
        take_over(shop, ANALYST, "mine")
    for task in (branches, lambda s, w: rows(s, w, "main", "lines"), lambda s, w: make(s, w, "x")):
        with pytest.raises(NotAllowed):
            task(shop, FACTORY)
    assert "sales" not in changeable()


def test_a_trial_never_runs_on_the_plan_itself(shop: Served) -> None:
    job = shop.jobs.start(ANALYST, "try", {})
    for _ in range(3000):
        if not shop.jobs.job(ANALYST, job.job).is_open:
            break
        time.sleep(0.01)
    now = shop.jobs.job(ANALYST, job.job)
    assert now.state == "failed"
    assert now.error is not None
    assert "what-if" in now.error["en"]
