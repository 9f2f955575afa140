"""The day that an order names: on closed days, after them and before them, as an order could be worked by hand."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from datong.cycle import CycleResult, run_cycle
from datong.ledger.state import in_state_schema, state_of_tables
from datong.model.flow import PlannedOrder, nothing_learnt
from datong.model.settings import ChainSettings
from each import each_seed

MONDAY = date(2026, 6, 1)
Rows = Mapping[str, list[dict[str, Any]]]


def day(number: int) -> date:
    """0 is the Monday on which the plan begins."""
    return MONDAY + timedelta(days=number)


def run(rows: Rows, buckets: int = 6) -> CycleResult:
    chain = ChainSettings("t", horizon_buckets=buckets, path_count=1, time_zone="UTC")
    tables = {}
    for name, own in rows.items():
        columns = sorted({column for row in own for column in row})
        table = pa.table({column: [row.get(column) for row in own] for column in columns})
        tables[name] = in_state_schema(name, table)
    known = state_of_tables(chain, chain.calendar.midnight(MONDAY), tables)
    return run_cycle(known, nothing_learnt(), (), 0)


def box(
    demand: Mapping[int, float], closed: tuple[int, int] | None, lead: int = 1, lead_in: str = "calendar"
) -> dict[str, list[dict[str, Any]]]:
    """A takes half an hour on a line of 8 hours from Monday to Friday. demand: day -> units. closed: the first closed
    day, and the one after the last."""
    recipe = {"recipe": "R", "product": "A", "line": "L", "hours_per_unit": 0.5, "cost_per_unit": 5.0}
    rows: dict[str, list[dict[str, Any]]] = {
        "products": [{"product": "A", "price": 50.0}],
        "calendars": [{"calendar": "C"}],
        "sites": [{"site": "H", "kind": "factory", "calendar": "C"}],
        "lines": [{"line": "L", "site": "H", "hours_per_week": 40.0}],
        "recipes": [recipe | {"lead_days": float(lead), "lead_in": lead_in}],
        "stock": [{"happened_at": datetime.combine(day(-1), time()), "site": "H", "product": "A", "units": 0.0}],
        "demand": [{"demand": f"d{n}", "product": "A", "due": day(n), "units": u} for n, u in demand.items()],
    }
    if closed is not None:
        days = {"from": day(closed[0]), "to": day(closed[1])}
        rows["calendar_days"] = [{"calendar": "C"} | days | {"open": False, "name": "holiday"}]
    return rows


def told(found: CycleResult) -> list[tuple[str, str, date, float]]:
    return [(r["demand"], r["what"], r["there_on"], r["units"]) for r in found.plan.after_due.to_pylist()]


def test_what_is_wanted_within_a_shutdown_is_there_before_it() -> None:
    """20 boxes take 10 hours, done on Tuesday. They are wanted on the Wednesday of a week in which nobody works: they
    are there on the last open day before it, and nobody is late."""
    found = run(box({9: 20.0}, closed=(7, 14)))
    assert [(o.start, o.due) for o in found.plan.orders] == [(day(0), day(4))]
    assert told(found) == []


def test_who_waits_already_is_told_the_soonest_day() -> None:
    """20 boxes that were wanted before the plan begins take Monday and two hours of Tuesday: with a lead time of a day
    they are there on Tuesday, and not by the end of the week after."""
    found = run(box({-3: 20.0}, closed=None))
    assert [(o.start, o.due, o.hurts) for o in found.plan.orders] == [(day(0), day(1), ("d-3",))]


def test_on_a_line_without_a_calendar_they_are_there_in_the_week_that_the_plan_counts() -> None:
    """Of the lead time of a day it makes a week: there on its first day. Without one, on the day of its last hours."""
    for lead, there in ((1, 7), (0, 1)):
        rows = box({-3: 20.0}, closed=None, lead=lead)
        del rows["calendars"], rows["sites"][0]["calendar"]
        assert [(o.start, o.due) for o in run(rows).plan.orders] == [(day(0), day(there))]


def by_hand(rows: Rows, order: PlannedOrder) -> date:
    """The first day on which an order is there that is worked from the first open day of its week on and alone: done
    with its hours, its lead time after its start, and then open."""
    (recipe,) = rows["recipes"]

    def is_open(when: date) -> bool:
        closures = rows.get("calendar_days", ())
        return when.weekday() < 5 and not any(row["from"] <= when < row["to"] for row in closures)

    when = order.start - timedelta(days=order.start.weekday())
    while not is_open(when):
        when += timedelta(days=1)
    begin, left = when, order.units * recipe["hours_per_unit"]
    while left > 8.0 + 1e-9:
        left -= 8.0
        when += timedelta(days=1)
        while not is_open(when):
            when += timedelta(days=1)
    there, lead = begin, int(recipe["lead_days"])
    if recipe["lead_in"] == "calendar":
        there += timedelta(days=lead)
    else:
        for _ in range(lead):
            there += timedelta(days=1)
            while not is_open(there):
                there += timedelta(days=1)
    there = max(there, when)
    while not is_open(there):
        there += timedelta(days=1)
    return there


def calendar_of(seed: int) -> dict[str, list[dict[str, Any]]]:
    """A closure of one day to two weeks, a lead time of 0 to 9 days of either kind, and requests on any days."""
    random = np.random.default_rng(seed)
    first = int(random.integers(1, 20))
    closed = (first, first + int(random.integers(1, 15)))
    demand = {int(n): float(random.integers(1, 50)) for n in random.integers(2, 36, random.integers(1, 4))}
    return box(demand, closed, int(random.integers(0, 10)), ("calendar", "working")[int(random.integers(2))])


@each_seed(range(80))
def test_an_order_is_there_by_the_day_on_which_it_is_wanted_where_it_can_be(seed: int) -> None:
    """No order names a day on which it cannot be there. One that can be there when the first of its units are wanted
    names no later day, and nothing is said to come after its day for it. Where somebody waits already it names the
    soonest day."""
    rows = calendar_of(seed)
    found = run(rows)
    after = {name: there for name, what, there, _ in told(found)}
    for order in found.plan.orders:
        soonest = by_hand(rows, order)
        assert order.due == soonest if order.hurts else order.due >= soonest, (order, soonest)
        if soonest <= order.needed_by:
            assert order.due <= order.needed_by, (order, soonest)
            assert order.due not in after.values(), (order, after)
