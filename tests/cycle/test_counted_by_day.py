"""What a plan counts in a bucket is there in it by the day of its order, or is told with its day and money."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa

from cases.random_chains import RandomChain, random_chain
from datong.cycle import CycleResult, run_cycle
from datong.ledger.state import State, state_of_tables
from datong.model.errors import NoPlan
from datong.model.flow import nothing_learnt
from datong.model.settings import ChainSettings
from each import each_seed
from searched import searched_of_every

MONDAY = date(2026, 1, 5)
Rows = dict[str, list[dict[str, Any]]]
Served = dict[tuple[str, str, int | None], float]


def planned(rows: Rows, weeks: int, **settings: Any) -> CycleResult:
    of_chain = ChainSettings("t", horizon_buckets=weeks, time_zone="UTC", **settings)
    tables = {name: pa.Table.from_pylist(own) for name, own in rows.items()}
    state = state_of_tables(of_chain, datetime(2026, 1, 5, tzinfo=UTC), tables)
    return run_cycle(state, nothing_learnt(), (), 0)


def served(result: CycleResult) -> Served:
    """(request, what becomes of it, week) -> units."""
    return {
        (r["demand"], r["what"], None if r["bucket"] is None else (r["bucket"] - MONDAY).days // 7): r["units"]
        for r in result.clearing.deliveries.to_pylist()
    }


def waits_for_wax(there: int, *demand: tuple[str, str, int, float], **recipe: Any) -> Rows:
    """A and B take an hour each on a line of eight hours a day; A takes wax, of which 80 come on a day."""
    return {
        "products": [{"product": "A", "price": 90.0}, {"product": "B", "price": 60.0}, {"product": "W", "price": 5.0}],
        "lines": [{"line": "L", "hours_per_week": 40.0}],
        "recipes": [
            {"recipe": "A", "product": "A", "line": "L", "hours_per_unit": 1.0} | recipe,
            {"recipe": "B", "product": "B", "line": "L", "hours_per_unit": 1.0},
        ],
        "components": [{"product": "A", "component": "W", "units_per_unit": 1.0}],
        "stock": [{"product": "W", "units": 0.0, "happened_at": datetime(2026, 1, 4, tzinfo=UTC)}],
        "offers": [{"offer": "W/S", "product": "W", "price": 5.0, "lead_days": 60}],
        "orders": [
            {"order": "P", "kind": "buy", "product": "W", "offer": "W/S", "units": 80.0, "start": MONDAY}
            | {"due": MONDAY + timedelta(days=there), "state": "released"}
        ],
        "demand": [
            {"demand": key, "product": product, "market": "all", "due": MONDAY + timedelta(days=day), "units": units}
            for key, product, day, units in demand
        ],
    }


def test_rules_that_bear_on_deliveries_do_not_keep_a_lot_in_its_week() -> None:
    """From Thursday on 16 hours are left: 24 of 40 come a week late, also where no order may wait for longer."""
    result = planned(waits_for_wax(3, ("a", "A", 4, 40.0)), 4, max_late_days=7)
    assert served(result) == {("a", "on_time", 0): 16.0, ("a", "late", 1): 24.0}


def by_their_days(result: CycleResult) -> list[tuple[str, int, float, float]]:
    """(request, days from Monday to the one on which they are there, units, money) of what counts as on time before."""
    return [
        (r["demand"], (r["there_on"] - MONDAY).days, r["units"], round(r["late_money"], 6))
        for r in result.plan.after_due.to_pylist()
    ]


def test_what_finds_no_room_afterwards_is_told_by_its_day() -> None:
    """The next week's 40 hours are all asked for: the 24 stay where they are counted, and the plan says on which day
    they are there, and what it does not count: 24 of a and 16 of b come a week later, at 2.7 and 1.8 a week."""
    rows = waits_for_wax(3, ("a", "A", 4, 40.0), ("b", "B", 11, 40.0))
    rows["economics"] = [
        {"product": product, "late_cost_per_unit_week": price, "lost_sale_cost_per_unit": 90.0, "valid_from": MONDAY}
        for product, price in (("A", 2.7), ("B", 1.8))
    ]
    result = planned(rows, 2, max_late_days=7)
    assert served(result) == {("a", "on_time", 0): 40.0, ("b", "on_time", 1): 40.0}
    assert by_their_days(result) == [("a", 9, 40.0, 108.0), ("b", 14, 40.0, 72.0)]


def test_what_its_days_do_not_let_come_within_the_horizon_is_there_after_it() -> None:
    result = planned(waits_for_wax(3, ("a", "A", 4, 40.0)), 1)
    assert served(result) == {("a", "on_time", 0): 40.0}
    ((name, day, units, _),) = by_their_days(result)
    assert (name, day, units) == ("a", 7, 40.0)


def test_late_units_that_come_later_still_are_told_with_their_money() -> None:
    """Due before the plan begins: served in its first week by the hours, but there a week later by the days."""
    rows = waits_for_wax(3, ("a", "A", -3, 40.0), ("b", "B", 11, 40.0))
    rows["economics"] = [
        {"product": "A", "late_cost_per_unit_week": 2.7, "lost_sale_cost_per_unit": 90.0, "valid_from": MONDAY}
    ]
    result = planned(rows, 2, max_late_days=14)
    assert served(result)["a", "late", 0] == 40.0
    (row,) = [r for r in result.plan.after_due.to_pylist() if r["demand"] == "a"]
    assert (row["what"], row["counted_in"], row["units"]) == ("late", MONDAY, 40.0)
    assert row["there_on"] >= MONDAY + timedelta(days=7)
    assert round(row["late_money"], 6) == 40.0 * 2.7


def test_an_order_on_a_line_whose_days_are_stated_names_the_day_on_which_it_is_done() -> None:
    """Without a calendar the plan counts whole weeks, and the order names the end of its own."""
    rows = waits_for_wax(3, ("a", "A", 4, 40.0), ("b", "B", 11, 40.0))
    named = {}
    for stated in (False, True):
        if stated:
            rows["calendars"] = [{"calendar": "C", "name": "five days"}]
            rows["calendar_days"] = [
                {"calendar": "C", "from": MONDAY + timedelta(days=30), "to": MONDAY + timedelta(days=31), "open": False}
            ]
            rows["lines"][0]["calendar"] = "C"
        (order,) = [order for order in planned(rows, 2, max_late_days=7).plan.orders if order.product == "A"]
        named[stated] = (order.due - MONDAY).days
    assert named == {False: 4, True: 9}


def test_a_lead_time_over_closed_days_is_told_by_the_day_on_which_it_ends() -> None:
    """The wax comes on Friday, what is made of it lies for a day, and the next week is closed: so it is there on the
    Monday after, a week later than it counts. A start after the closed week would be there later still."""
    rows = waits_for_wax(4, ("a", "A", 11, 4.0), lead_days=1)
    rows["calendars"] = [{"calendar": "C", "name": "five days"}]
    closed = {"calendar": "C", "from": MONDAY + timedelta(days=7), "to": MONDAY + timedelta(days=14), "open": False}
    rows["calendar_days"] = [closed]
    rows["lines"][0]["calendar"] = "C"
    result = planned(rows, 4, max_late_days=14)
    (order,) = result.plan.orders
    assert order.due == MONDAY + timedelta(days=14)
    assert served(result) == {("a", "on_time", 1): 4.0}
    ((name, day, units, money),) = by_their_days(result)
    assert (name, day, units, money > 0) == ("a", 14, 4.0, True)


def with_closed_days(chain: RandomChain) -> State:
    """The chain with lines that are shut at weekends and in the second week, and goods that lie for a day when they are
    made."""
    tables = dict(chain.tables)
    tables["calendars"] = [{"calendar": "C", "name": "five days"}]
    second = {"from": date(2024, 1, 8), "to": date(2024, 1, 15)}
    tables["calendar_days"] = [{"calendar": "C", "open": False} | second]
    tables["lines"] = [row | {"calendar": "C"} for row in tables["lines"]]
    tables["recipes"] = [row | {"lead_days": 1} for row in tables["recipes"]]
    names = {name: list(dict.fromkeys(key for row in rows for key in row)) for name, rows in tables.items()}
    as_tables = {
        name: pa.table({key: [row.get(key) for row in rows] for key in names[name]}) for name, rows in tables.items()
    }
    return state_of_tables(chain.settings, datetime(2024, 1, 1, tzinfo=UTC), as_tables)


@each_seed(range(14))
def test_what_is_there_in_a_later_bucket_than_it_counts_has_a_price(seed: int) -> None:
    state = with_closed_days(random_chain(seed, without=("days",)))
    try:
        with searched_of_every(4, seed):
            result = run_cycle(state, nothing_learnt(), (), 0)
    except NoPlan:
        return
    calendar = state.settings.calendar
    for row in result.plan.after_due.to_pylist():
        due = max(calendar.bucket_start(row["due"]), state.first_open_bucket)
        assert (row["late_money"] > 0.0) == (calendar.bucket_start(row["there_on"]) > due), row
