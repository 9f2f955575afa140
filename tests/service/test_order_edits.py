"""Hand edits of proposed orders: checked, kept on re-plan, undone, and never lost to another editor."""

import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from datong.app.release_orders import release
from datong.app.service.grids import Filter, Wanted
from datong.app.service.jobs import Job
from datong.app.service.last_order_edit_price import is_current, last_price
from datong.app.service.order_edit_price_jobs import change_of
from datong.app.service.order_edit_rules import Change
from datong.app.service.order_edits import Conflict, can_undo, check, edit, price, redo, undo, ways
from datong.app.service.orders_shown import order, orders
from datong.app.service.roles_and_permissions import NotAllowed, Who
from datong.app.service.served_chain import Served, serve
from datong.model.errors import BadInput, NotFound, Refused
from mill import write
from service.conftest import QUICK, Clock

ANN, BOB = (Who(n, login, login, ("planner",)) for n, login in ((1, "ann"), (2, "bob")))
ANALYST = Who(3, "eve", "Eve", ("analyst",))


@pytest.fixture
def planned(served: Served) -> Served:
    served.chain_thread.write("test", lambda chain: chain.run())
    return served


def made(served: Served, **of: Any) -> dict[str, Any]:
    """The first work order on A."""
    rows = orders(served, ANN, Wanted((Filter("line", "is", "A"),))).rows.to_pylist()
    return next(r for r in rows if all(r[k] == v for k, v in of.items()))


def version(served: Served, name: str) -> str:
    return order(served, ANN, name).version


def codes(served: Served, change: Change) -> list[str]:
    return [f.code for f in check(served, ANN, change).findings]


def test_an_edit_is_kept_told_in_the_history_and_counted_on_by_the_next_plan(planned: Served) -> None:
    """A makes 40 of P a week; 30 are locked in the first week: the next plan counts on them as they are."""
    row = made(planned)
    shown = edit(planned, ANN, Change(row["order"], units=30.0), version(planned, row["order"]), "the mould is worn")
    assert (shown.row["units"], shown.row["origin"], shown.row["locked"]) == (30.0, "edit", True)
    assert shown.planned is not None and shown.planned["units"] == row["units"]
    assert "30" in shown.history[-1].text["en"] and shown.history[-1].why == "the mould is worn"
    run = planned.chain_thread.write("ann", lambda chain: chain.run())
    kept = {k["order"]: k["to_come_units"] for k in run.tables["kept"].to_pylist()}
    assert kept == {row["order"]: 30.0}
    assert row["order"] not in run.tables["orders"]["order"].to_pylist()
    total = sum(o["units"] for o in run.tables["orders"].to_pylist() if o["product"] == "P")
    assert total + 30.0 == 85.0
    again = order(planned, ANN, row["order"])
    assert again.row["units"] == 30.0 and again.row["origin"] == "edit"


def test_the_day_on_which_units_are_there_moves_with_the_start(planned: Served) -> None:
    row = made(planned)
    later = row["start"] + timedelta(days=7)
    after = check(planned, ANN, Change(row["order"], start=later)).after[0]
    assert (after["start"], after["due"]) == (later, row["due"] + timedelta(days=7))


def test_another_way_takes_its_line_with_it(planned: Served) -> None:
    row = made(planned)
    assert {way["way"] for way in ways(planned, ANN, row["order"])} == {"P/1", "P/2"}
    checked = check(planned, ANN, Change(row["order"], way="P/2"))
    assert (checked.after[0]["recipe"], checked.after[0]["line"]) == ("P/2", None)
    assert checked.paid == pytest.approx(row["units"] * 20.0)  # 30 a unit, not 10


def test_all_that_is_wrong_is_told_and_nothing_is_written(planned: Served) -> None:
    name = made(planned)["order"]
    assert codes(planned, Change(name, units=0.0)) == ["units"]
    assert codes(planned, Change(name, units=float("nan"))) == ["units"]
    assert codes(planned, Change(name, way="none")) == ["way"]
    assert codes(planned, Change(name, start=date(2026, 2, 1))) == ["past"]
    assert codes(planned, Change(name, start=date(2027, 2, 1))) == ["horizon"]
    assert codes(planned, Change(name, units=41.0)) == ["hours"]
    with pytest.raises(BadInput) as error:
        edit(planned, ANN, Change(name, units=41.0, way="none"), version(planned, name))
    assert {f.code for f in error.value.findings} >= {"way"}
    assert order(planned, ANN, name).row["origin"] == "plan"


def test_an_order_is_not_moved_to_a_closed_day_of_its_line(tmp_path: Path, clock: Clock) -> None:
    """A is shut at weekends by its calendar: not Saturday 14 March, but Monday the 16th."""
    lines = "line,hours_per_week,calendar\nA,40,works\n"
    folder = write(tmp_path / "shut", calendars_csv="calendar\nworks\n", lines_csv=lines)
    served = serve(folder, None, clock, hasher=QUICK)
    try:
        served.chain_thread.write("test", lambda chain: chain.run())
        name = made(served)["order"]
        (found,) = check(served, ANN, Change(name, start=date(2026, 3, 14))).findings
        assert found.code == "closed"
        assert dict(found.found.params) | {"first": date(2026, 3, 14), "last": date(2026, 3, 15)} == dict(
            found.found.params
        )
        assert "closed" not in codes(served, Change(name, start=date(2026, 3, 16)))
    finally:
        served.close()


def test_an_order_is_not_made_larger_than_the_largest_lot_but_can_be_split(tmp_path: Path, clock: Clock) -> None:
    """A makes 40 of P a week, at most 15 in one order: 15, 15 and 10."""
    head = "recipe,product,line,hours_per_unit,cost_per_unit,max_lot_units\n"
    folder = write(tmp_path / "tank", recipes_csv=f"{head}P/1,P,A,1,10,15\nP/2,P,,0,30,\nQ/1,Q,,0,5,\n")
    served = serve(folder, None, clock, hasher=QUICK)
    try:
        served.chain_thread.write("test", lambda chain: chain.run())
        row = made(served, units=15.0)
        assert codes(served, Change(row["order"], units=14.0)) == []
        found = next(f for f in check(served, ANN, Change(row["order"], units=31.0)).findings if f.code == "largest")
        assert dict(found.remedy.params)["orders"] == 3
        assert "at most 15" in found.text("en") and "15" in found.text("zh")
        assert "largest" not in codes(served, Change(row["order"], units=7.0, split=(8.0,)))
        assert "largest" in codes(served, Change(row["order"], units=7.0, split=(18.0,)))
    finally:
        served.close()


def test_two_edits_together_must_fit_the_hours(planned: Served) -> None:
    """40 hours: 25 are locked there, so another order of 16 on the same line cannot be."""
    first = made(planned)
    other = next(
        r
        for r in orders(planned, ANN, Wanted((Filter("line", "is", "A"),))).rows.to_pylist()
        if r["start"] >= first["start"] + timedelta(days=7)
    )
    edit(planned, ANN, Change(first["order"], units=25.0), version(planned, first["order"]))
    assert codes(planned, Change(other["order"], units=16.0, start=first["start"])) == ["hours"]
    assert codes(planned, Change(other["order"], units=15.0, start=first["start"])) != ["hours"]


def test_a_split_gives_orders_of_their_own_and_undo_takes_them_back(planned: Served) -> None:
    row = made(planned)
    change = Change(row["order"], units=row["units"] - 10.0, split=(10.0,))
    edit(planned, ANN, change, version(planned, row["order"]))
    part = order(planned, ANN, f"{row['order']}.1")
    assert (part.row["units"], part.row["locked"], part.row["run"]) == (10.0, True, row["run"])
    undo(planned, BOB, row["order"])
    back = order(planned, ANN, row["order"])
    assert back.row == row | {"hurts": back.row["hurts"]}
    with pytest.raises(NotFound):
        order(planned, ANN, f"{row['order']}.1")


def test_undo_and_redo_go_step_by_step_and_say_when_there_is_nothing(planned: Served) -> None:
    row = made(planned)
    name = row["order"]
    for units in (30.0, 20.0):
        edit(planned, ANN, Change(name, units=units), version(planned, name))
    seen = [undo(planned, ANN, name), undo(planned, ANN, name)]
    assert [one and one.row["units"] for one in seen] == [30.0, row["units"]]
    with pytest.raises(Refused):
        undo(planned, ANN, name)
    assert [redo(planned, ANN, name).row["units"] for _ in range(2)] == [30.0, 20.0]
    with pytest.raises(Refused):
        redo(planned, ANN, name)
    undo(planned, ANN, name)
    edit(planned, ANN, Change(name, units=12.0), version(planned, name))
    assert can_undo(planned, ANN, name) == (True, False)
    assert [h.by for h in order(planned, ANN, name).history if h.by].count("ann") == 8


def test_an_order_that_no_plan_proposes_any_more_is_gone_when_its_edit_is_undone(planned: Served) -> None:
    """The plan after the edit counts on it as it is, and has no proposal of that number."""
    name = made(planned)["order"]
    edit(planned, ANN, Change(name, units=20.0), version(planned, name))
    planned.chain_thread.write("ann", lambda chain: chain.run())
    assert undo(planned, ANN, name) is None
    with pytest.raises(NotFound):
        order(planned, ANN, name)
    assert planned.chain_thread.write("ann", lambda chain: chain.run()).tables["kept"].num_rows == 0


def test_an_undone_lock_is_the_plans_again(planned: Served) -> None:
    row = made(planned)
    edit(planned, ANN, Change(row["order"]), version(planned, row["order"]))
    assert order(planned, ANN, row["order"]).row["locked"]
    undo(planned, ANN, row["order"])
    run = planned.chain_thread.write("ann", lambda chain: chain.run())
    assert run.tables["kept"].num_rows == 0
    assert row["order"] in run.tables["orders"]["order"].to_pylist()


def test_the_second_of_two_who_edit_the_same_order_is_told_who_changed_what(planned: Served) -> None:
    name = made(planned)["order"]
    seen = version(planned, name)
    edit(planned, ANN, Change(name, units=30.0), seen)
    with pytest.raises(Conflict) as error:
        edit(planned, BOB, Change(name, units=20.0), seen)
    told = error.value.message.text("en")
    assert "ann" in told and "30" in told
    assert order(planned, BOB, name).row["units"] == 30.0
    assert edit(planned, BOB, Change(name, units=20.0), version(planned, name)).row["units"] == 20.0


def test_what_is_out_is_not_edited_and_who_may_not_edit_does_not(planned: Served) -> None:
    row = made(planned, is_due=True)
    planned.chain_thread.write("test", lambda chain: release(chain, [row["order"]], all_due=False))
    with pytest.raises(Refused):
        check(planned, ANN, Change(row["order"], units=1.0))
    for task in (check, price):
        with pytest.raises(NotAllowed):
            task(planned, ANALYST, Change(row["order"]))
    with pytest.raises(NotAllowed):
        undo(planned, ANALYST, row["order"])
    with pytest.raises(NotAllowed):
        edit(planned, ANALYST, Change(row["order"]), "")


def test_the_price_of_an_edit_is_the_difference_of_two_plans(planned: Served) -> None:
    """Another way of the first order costs 20 more a unit; the hours that it frees on A take the 5 units that cost 20
    more each elsewhere, and hold them a week at 1 each, unless they need not be held."""
    row = made(planned, is_due=True)
    job = price(planned, ANN, Change(row["order"], way="P/2"))
    for _ in range(600):
        time.sleep(0.1)
        job = planned.jobs.job(ANN, job.job)
        if not job.is_open:
            break
    assert job.state == "done" and job.result is not None, job.error
    paid = row["units"] * 20.0
    assert paid - 100.0 <= job.result["money"] <= paid - 100.0 + 5.0 + 1e-6
    assert job.result["low"] <= job.result["money"] <= job.result["high"]
    assert order(planned, ANN, row["order"]).row["origin"] == "plan"


def test_the_audit_says_that_an_order_was_not_locked_before(planned: Served) -> None:
    """Of an edit, of one that is undone, and of one that is made again."""
    name, auditor = made(planned)["order"], Who(9, "audit@works", "", ("auditor", "planner"))
    units = order(planned, ANN, name).row["units"]
    edit(planned, ANN, Change(name, units=30.0), version(planned, name))
    undo(planned, ANN, name)
    redo(planned, ANN, name)
    noted = [entry for entry in planned.audit.entries(auditor) if entry["subject"] == name]
    told = [tuple((side["units"], side["locked"]) for side in (one["before"], one["after"])) for one in noted]
    proposed, kept = (units, False), (30.0, True)
    assert told == [(proposed, kept), (kept, proposed), (proposed, kept)]


def ended(served: Served, job: Job) -> Job:
    for _ in range(600):
        time.sleep(0.1)
        job = served.jobs.job(ANN, job.job)
        if not job.is_open:
            break
    return job


def test_a_price_is_found_again_until_something_is_written(planned: Served) -> None:
    """By whoever asked for it, of the order it was asked for; and it is not of the chain any more after a write."""
    row = made(planned)
    asked = price(planned, ANN, Change(row["order"], units=30.0))
    found = last_price(planned, ANN, row["order"])
    assert found is not None and found.job == asked.job and change_of(found.asked) == Change(row["order"], units=30.0)
    assert ended(planned, asked).state == "done"
    found = last_price(planned, ANN, row["order"])
    assert found is not None and found.result is not None and is_current(planned, ANN, found)
    assert (
        last_price(planned, BOB, row["order"])
        is last_price(planned, ANN, "another")
        is last_price(planned, ANN)
        is None
    )
    other = next(r for r in orders(planned, ANN, Wanted()).rows.to_pylist() if r["order"] != row["order"])
    edit(planned, BOB, Change(other["order"]), version(planned, other["order"]))
    assert not is_current(planned, ANN, found)
    with pytest.raises(NotAllowed):
        last_price(planned, ANALYST, row["order"])
