"""Units that come in the week of their due date, but on a later day, are told by request and day."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa

from cases.random_chains import random_chain
from datong.cycle import run_cycle
from datong.ledger.state import state_of_tables
from datong.model.errors import NoPlan
from datong.model.flow import Plan, nothing_learnt
from datong.model.settings import ChainSettings
from each import each_seed

MONDAY = date(2026, 1, 5)
Rows = dict[str, list[dict[str, Any]]]


def plan_of(rows: Rows, weekday: int = 0) -> Plan:
    settings = ChainSettings("t", horizon_buckets=3, max_late_days=21, time_zone="UTC")
    tables = {name: pa.Table.from_pylist(own) for name, own in rows.items()}
    state = state_of_tables(settings, datetime(2026, 1, 5 + weekday, tzinfo=UTC), tables)
    return run_cycle(state, nothing_learnt(), (), 0).plan


def asked(key: str, day: int, units: float, firm: bool = True) -> dict[str, Any]:
    due = MONDAY + timedelta(days=day)
    return {"demand": key, "product": "A", "market": "all", "due": due, "units": units, "firm": firm}


def one_line(*demand: dict[str, Any], stock: float = 0.0) -> Rows:
    """A takes an hour on a line of eight hours a working day."""
    return {
        "products": [{"product": "A", "price": 90.0}],
        "lines": [{"line": "L", "hours_per_week": 40.0}],
        "recipes": [{"recipe": "R", "product": "A", "line": "L", "hours_per_unit": 1.0}],
        "stock": [{"product": "A", "units": stock, "happened_at": datetime(2026, 1, 4, 12, tzinfo=UTC)}],
        "demand": list(demand),
    }


def told(plan: Plan) -> list[tuple[str, int, int, float]]:
    return [
        (r["demand"], (r["due"] - MONDAY).days, (r["there_on"] - MONDAY).days, r["units"])
        for r in plan.after_due.to_pylist()
    ]


def test_what_is_there_after_the_named_day() -> None:
    """32 hours are worked by Thursday, and four of the 36 lie there: of 36 due on Tuesday, 32 come two days later."""
    plan = plan_of(one_line(asked("d", 1, 36.0), stock=4.0))
    assert told(plan) == [("d", 1, 3, 32.0)]


def test_nothing_where_the_day_is_kept() -> None:
    assert told(plan_of(one_line(asked("d", 1, 12.0)))) == []


def test_expected_demand_names_no_day() -> None:
    assert told(plan_of(one_line(asked("d", 0, 30.0, firm=False)))) == []


def test_what_an_order_that_is_out_brings() -> None:
    """20 that are under way come on Friday: 12 of them serve who wanted them on Wednesday."""
    rows = one_line(asked("d", 2, 12.0))
    rows["orders"] = [
        {"order": "W", "kind": "make", "product": "A", "recipe": "R", "line": "L", "units": 20.0}
        | {"start": MONDAY, "due": MONDAY + timedelta(days=4), "state": "started"}
    ]
    assert told(plan_of(rows)) == [("d", 2, 4, 12.0)]


@each_seed(range(20))
def test_it_is_part_of_what_is_on_time(seed: int) -> None:
    """Of each request the units are at most those on time, and the day is in the week of the due date."""
    chain = random_chain(seed)
    try:
        result = run_cycle(chain.state, nothing_learnt(), (), 0)
    except NoPlan:
        return
    on_time: dict[str, float] = {}
    for r in result.clearing.deliveries.to_pylist():
        if r["what"] == "on_time":
            on_time[r["demand"]] = on_time.get(r["demand"], 0.0) + r["units"]
    late: dict[str, float] = {}
    calendar = chain.state.settings.calendar
    for r in result.plan.after_due.to_pylist():
        late[r["demand"]] = late.get(r["demand"], 0.0) + r["units"]
        assert r["there_on"] > r["due"]
        first = max(calendar.bucket_start(r["due"]), chain.state.first_open_bucket)
        assert calendar.bucket_start(r["there_on"]) == first
    assert all(units <= on_time[key] + 1e-6 for key, units in late.items())


def test_what_was_due_before_today_in_the_week_that_has_begun_is_there_after_its_day() -> None:
    """Of stock and of what is made, on each weekday on which a plan may begin: whatever is delivered of a request that
    was due before today is told with a day that is not before today."""
    of_stock = 0
    for weekday in range(1, 5):
        for stock in (0.0, 3.0, 30.0):
            requests = [asked(f"d{day}", day, 4.0) for day in range(5)]
            plan = plan_of(one_line(*requests, stock=stock), weekday)
            late: dict[str, float] = {}
            for demand, due, there, units in told(plan):
                assert there > due, (weekday, stock)
                assert there >= weekday, (weekday, stock)
                late[demand] = late.get(demand, 0.0) + units
            there_this_week = stock + 8.0 * (5 - weekday)
            past = sum(late.get(f"d{day}", 0.0) for day in range(weekday))
            assert past == min(4.0 * weekday, there_this_week), (weekday, stock, late)
            of_stock += stock == 30.0
            assert stock < 30.0 or late.keys() == {f"d{day}" for day in range(weekday)}
    assert of_stock == 4
