"""Demand as a planner sees and edits it: history, forecast, what moves it, and how an edit did beside the machine."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from datong.app.service.demand import accuracy, edit_forecast, edits, item, items, take_back
from datong.app.service.grids import Wanted
from datong.app.service.roles_and_permissions import NotAllowed, Who
from datong.app.service.served_chain import Served
from datong.model.errors import NotFound, Refused

PLANNER = Who(1, "plan@works", "", ("planner",))
ANALYST = Who(2, "look@works", "", ("analyst",))
FACTORY = Who(3, "press@works", "", ("factory",), firm="F1")
WEEK = date(2026, 3, 9)


def expected(served: Served, bucket: date = WEEK) -> dict:
    shown = item(served, PLANNER, "OIL", "north")
    return next(row for row in shown.forecast.to_pylist() if row["bucket"] == bucket)


def run(served: Served) -> None:
    served.chain_thread.write("plan@works", lambda chain: chain.run())


def test_every_product_and_market_has_a_line(shop: Served) -> None:
    rows = items(shop, PLANNER).rows.to_pylist()
    assert [(r["item"], r["name"]) for r in rows] == [
        ("OIL|north", "Olive oil 橄榄油"),
        ("OIL|south", "Olive oil 橄榄油"),
        ("SALT|all", "Sea salt"),
    ]
    north = rows[0]
    assert 42 < north["sold_units"] < 56  # 6 to 8 a day
    assert north["change_share"] == pytest.approx(north["expected_units"] / north["sold_units"] - 1)
    assert north["edits"] == 1  # the promotion
    assert items(shop, PLANNER, Wanted(search="salt")).total == 1


def test_one_product_shows_history_forecast_and_what_moves_it(shop: Served) -> None:
    shown = item(shop, PLANNER, "OIL")
    assert (shown.market, shown.markets) == ("north", ("north", "south"))
    assert shown.history.num_rows == 26
    assert shown.forecast.num_rows == 6
    assert all(r["q10_units"] <= r["q50_units"] <= r["q90_units"] for r in shown.forecast.to_pylist())
    assert [(t.kind, t.change, t.why) for t in shown.statements] == [("promotion", 0.5, "Spring sale")]
    assert {s.kind for s in shown.signals} == {"promotion", "complaint"}
    assert all(r["edited_units"] is None for r in shown.forecast.to_pylist())
    assert item(shop, PLANNER, "OIL", "south").statements == ()


def test_an_edit_moves_the_next_plan_to_the_units_that_were_said(shop: Served, audited: Callable) -> None:
    machine = expected(shop)["mean_units"]
    edited = edit_forecast(shop, PLANNER, "OIL", "north", WEEK, 80, why="A new shop")
    assert edited.machine_units == pytest.approx(machine)
    pending = expected(shop)
    assert pending["edited_units"] == pytest.approx(80)  # the plan does not have it yet, and it is shown
    assert pending["mean_units"] == pytest.approx(machine)
    run(shop)
    after = expected(shop)
    assert after["mean_units"] == pytest.approx(80, abs=0.5)  # units stay whole on each path
    assert after["machine_units"] == pytest.approx(machine, abs=0.5)
    told = next(t for t in edits(shop, ANALYST) if t.is_hand)
    assert (told.by, told.why, told.market, told.first, told.last) == (
        "plan@works",
        "A new shop",
        "north",
        WEEK,
        WEEK + timedelta(days=6),
    )
    written = shop.chain_thread.read(lambda chain: chain.ledger.writes().to_pylist())
    assert [(w["by"], w["subject"]) for w in written if w["source"] == "@hand forecast"] == [
        ("plan@works", "demand_adjustments")
    ]
    assert "edit_forecast" in audited()


def test_a_second_edit_takes_the_place_of_the_first_and_is_undone_to_it(shop: Served, audited: Callable) -> None:
    edit_forecast(shop, PLANNER, "OIL", "north", WEEK, 80)
    run(shop)
    second = edit_forecast(shop, PLANNER, "OIL", "north", WEEK, 60)
    assert second.machine_units == pytest.approx(expected(shop)["machine_units"])
    assert expected(shop)["edited_units"] == pytest.approx(60)
    take_back(shop, PLANNER, second.edit)
    assert expected(shop)["edited_units"] == pytest.approx(80, abs=0.5)


def test_each_take_back_goes_one_edit_further_back_to_the_machines_forecast(shop: Served) -> None:
    edit = ""
    for units in (80, 90, 70, 90):
        edit = edit_forecast(shop, PLANNER, "OIL", "north", WEEK, units).edit
    left = []
    for _ in range(4):
        take_back(shop, PLANNER, edit)
        left.append(expected(shop)["edited_units"])
    assert left == [pytest.approx(70), pytest.approx(90), pytest.approx(80), None]
    edit_forecast(shop, PLANNER, "OIL", "north", WEEK, 60)
    take_back(shop, PLANNER, edit)
    assert expected(shop)["edited_units"] is None


def test_an_edit_taken_back_leaves_the_machines_forecast(shop: Served, audited: Callable) -> None:
    edited = edit_forecast(shop, PLANNER, "OIL", "north", WEEK, 80)
    take_back(shop, PLANNER, edited.edit)
    assert expected(shop)["edited_units"] is None
    assert [t.kind for t in edits(shop, PLANNER)] == ["promotion"]
    with pytest.raises(NotFound):
        take_back(shop, PLANNER, edited.edit)
    assert audited()[-1] == "take_back_edit"


def test_nothing_is_expected_after_an_edit_to_nothing_and_it_can_be_edited_again(shop: Served) -> None:
    machine = expected(shop)["mean_units"]
    edit_forecast(shop, PLANNER, "OIL", "north", WEEK, 0)
    run(shop)
    assert expected(shop)["mean_units"] == 0
    again = edit_forecast(shop, PLANNER, "OIL", "north", WEEK, 50)
    assert again.machine_units == pytest.approx(machine)


def test_an_edit_keeps_a_promotion_as_the_machines_own(shop: Served) -> None:
    week = date(2026, 3, 16)
    promoted = expected(shop, week)["mean_units"]
    edit_forecast(shop, PLANNER, "OIL", "north", week, 100)
    run(shop)
    after = expected(shop, week)
    assert after["mean_units"] == pytest.approx(100, abs=0.5)
    assert after["machine_units"] == pytest.approx(promoted, abs=0.5)


def test_what_cannot_be_edited_says_why(shop: Served) -> None:
    for product, market, bucket, units in (
        ("OIL", "north", date(2026, 3, 10), 5),  # no first day of a week
        ("OIL", "east", WEEK, 5),
        ("OIL", "north", WEEK, -1),
        ("OIL", "north", WEEK, float("nan")),
        ("OIL", "north", date(2030, 1, 7), 5),
    ):
        with pytest.raises(Refused):
            edit_forecast(shop, PLANNER, product, market, bucket, units)
    with pytest.raises(NotFound, match="OIL"):
        edit_forecast(shop, PLANNER, "OIK", "north", WEEK, 5)
    promotion = edits(shop, PLANNER)[0]
    with pytest.raises(Refused, match="file"):
        take_back(shop, PLANNER, promotion.edit)


def test_given_demand_is_no_forecast(served: Served) -> None:
    run(served)
    with pytest.raises(Refused, match="given"):
        edit_forecast(served, PLANNER, "P", "all", date(2026, 3, 9), 5)


def test_the_second_of_two_who_edit_is_told_of_the_first(shop: Served) -> None:
    edit_forecast(shop, PLANNER, "OIL", "north", WEEK, 80, seen="")
    other = Who(4, "second@works", "", ("product_manager",))
    with pytest.raises(Refused, match="plan@works"):
        edit_forecast(shop, other, "OIL", "north", WEEK, 60, seen="")
    version = next(t.version for t in edits(shop, other) if t.is_hand)
    edit_forecast(shop, other, "OIL", "north", WEEK, 60, seen=version)
    assert next(t.by for t in edits(shop, other) if t.is_hand) == "second@works"


def test_who_may_not_edit_or_see_is_told(shop: Served) -> None:
    with pytest.raises(NotAllowed):
        edit_forecast(shop, ANALYST, "OIL", "north", WEEK, 80)
    for task in (items, edits, accuracy):
        with pytest.raises(NotAllowed):
            task(shop, FACTORY)


def test_a_chain_without_a_run_says_so(served: Served) -> None:
    with pytest.raises(NotFound):
        items(served, PLANNER)


def test_an_edit_is_held_against_what_was_sold(shop: Served, tmp_path: Path) -> None:
    """The machine expected some 49 a week of OIL in the north, the planner 80; 77 came."""
    bucket = date(2026, 3, 2)
    machine = expected(shop, bucket)["mean_units"]
    edit_forecast(shop, PLANNER, "OIL", "north", bucket, 80)
    run(shop)
    assert accuracy(shop, PLANNER).rows.num_rows == 0  # the week is still open
    rows = [f"n{i},{bucket + timedelta(days=i)},{p},{m},{u},1" for i in range(7)
            for p, m, u in (("OIL", "north", 11), ("OIL", "south", 4), ("SALT", "all", 12))]  # fmt: skip
    rows = [row.replace(",", f"{k},", 1) for k, row in enumerate(rows)]
    file = tmp_path / "sales.csv"
    file.write_text("sale,happened_at,product,market,units,price\n" + "\n".join(rows) + "\n", encoding="utf-8")
    shop.chain_thread.write("plan@works", lambda chain: chain.ingest(file))
    run(shop)
    found = accuracy(shop, PLANNER)
    (row,) = found.rows.to_pylist()
    assert (row["by"], row["bucket"], row["came_units"]) == ("plan@works", bucket, 77)
    assert row["machine_error_units"] == pytest.approx(abs(machine - 77), abs=0.5)
    assert row["edited_error_units"] == pytest.approx(3, abs=0.5)
    (person,) = found.people
    assert (person.by, person.buckets, person.better) == ("plan@works", 1, 1)
