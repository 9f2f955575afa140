"""An order is done by a day by which its line, with what else is on it, can do its hours."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from cases.random_chains import RandomChain, random_chain
from datong.cycle import decide, head, run_cycle, written
from datong.ledger.state import state_of_tables
from datong.model.errors import NoPlan
from datong.model.flow import Plan, PlannedOrder, nothing_learnt
from datong.model.settings import ChainSettings
from each import each_seed

MONDAY = date(2026, 1, 5)
Rows = dict[str, list[dict[str, Any]]]


def chain(rows: Rows, weeks: int = 4, at: datetime = datetime(2026, 1, 5, tzinfo=UTC)) -> Plan:
    settings = ChainSettings("t", horizon_buckets=weeks, max_late_days=28, time_zone="UTC")
    tables = {name: pa.Table.from_pylist(own) for name, own in rows.items() if own}
    return run_cycle(state_of_tables(settings, at, tables), nothing_learnt(), (), 0).plan


def told(order: PlannedOrder, key: str) -> list[str]:
    return [cause.text.text("en") for cause in order.causes if cause.text.key == f"plan.cause.{key}"]


def by_kind(plan: Plan, kind: str) -> PlannedOrder:
    (found,) = [order for order in plan.orders if order.kind == kind]
    return found


def made_and_sent(lead: float, due: int, hours: float = 1.0) -> Rows:
    """12 A are made at F, on a line of 30 hours a week, and sent to W, where a customer wants them on a day."""
    return {
        "products": [{"product": "A", "price": 90.0}],
        "sites": [{"site": "F", "kind": "factory"}, {"site": "W", "kind": "warehouse"}],
        "lines": [{"line": "L", "site": "F", "hours_per_week": 30.0}],
        "recipes": [{"recipe": "R", "product": "A", "line": "L", "hours_per_unit": hours}],
        "lanes": [{"lane": "FW", "from_site": "F", "to_site": "W", "lead_days": lead}],
        "demand": [
            {
                "demand": "d",
                "product": "A",
                "market": "W",
                "due": MONDAY + timedelta(days=due),
                "units": 12.0,
            }
        ],
    }


@pytest.mark.parametrize("lead", [0.0, 1.0, 3.0, 7.0])
def test_a_transfer_of_the_week_leaves_when_its_lot_is_done(lead: float) -> None:
    """Six hours a working day: 12 are done on Tuesday at the soonest. The customer waits until the next Friday, so the
    lot has until the day on which the transfer must leave, and the transfer leaves then."""
    plan = chain(made_and_sent(lead, due=4 if lead == 0 else 11))
    lot, sent = by_kind(plan, "make"), by_kind(plan, "move")
    assert lot.start == MONDAY
    assert lot.due >= MONDAY + timedelta(days=1)
    assert sent.start == lot.due
    assert sent.due == sent.start + timedelta(days=lead)
    assert sent.due <= MONDAY + timedelta(days=4 if lead == 0 else 11)
    assert told(sent, "named_day") == []


def test_where_the_customer_would_wait_beyond_the_day_it_is_said() -> None:
    """30 hours are the whole week; they leave on Friday, and are there on the Friday after, not on its Monday."""
    plan = chain(made_and_sent(7.0, due=7, hours=2.5))
    lot, sent = by_kind(plan, "make"), by_kind(plan, "move")
    assert (lot.due, sent.start, sent.due) == tuple(MONDAY + timedelta(days=d) for d in (4, 4, 11))
    assert told(sent, "named_day") == ["d named 2026-01-12, and it is there on 2026-01-16: the plan counts whole weeks"]


def test_what_is_late_already_leaves_as_soon_as_it_is_made() -> None:
    """Wanted two weeks ago: the 12 hours are done on Tuesday, and leave then, not on Friday."""
    plan = chain(made_and_sent(7.0, due=-14))
    lot, sent = by_kind(plan, "make"), by_kind(plan, "move")
    assert (lot.due, sent.start) == (MONDAY + timedelta(days=1), MONDAY + timedelta(days=1))


def test_a_day_that_a_customer_named_holds_as_far_as_hours_go() -> None:
    """Of 40 hours a week 8 a day: 8 for Monday and 16 for Tuesday are done on Monday and on Wednesday; what is wanted
    on Friday comes last."""
    rows: Rows = {
        "products": [{"product": p, "price": 90.0} for p in "ABC"],
        "lines": [{"line": "L", "hours_per_week": 40.0}],
        "recipes": [{"recipe": p, "product": p, "line": "L", "hours_per_unit": 1.0} for p in "ABC"],
        "demand": [
            {"demand": f"d{p}", "product": p, "market": "all", "due": MONDAY + timedelta(days=day), "units": units}
            for p, day, units in (("A", 0, 8.0), ("B", 1, 16.0), ("C", 4, 16.0))
        ],
    }
    found = {order.product: order for order in chain(rows, 1).orders}
    assert {p: (o.due - MONDAY).days for p, o in found.items()} == {"A": 0, "B": 2, "C": 4}
    assert {p: len(told(o, "named_day")) for p, o in found.items()} == {"A": 0, "B": 1, "C": 0}


def test_steps_of_a_week_have_the_days_that_their_hours_take() -> None:
    """The part takes 6 hours of 30, the product 24: Monday, then Tuesday to Friday. Halves of the week would not do."""
    rows: Rows = {
        "products": [{"product": "A", "price": 90.0}, {"product": "P", "price": 20.0}],
        "lines": [{"line": "L", "hours_per_week": 30.0}],
        "recipes": [
            {"recipe": "A", "product": "A", "line": "L", "hours_per_unit": 4.0},
            {"recipe": "P", "product": "P", "line": "L", "hours_per_unit": 1.0},
        ],
        "components": [{"product": "A", "component": "P", "units_per_unit": 1.0}],
        "demand": [{"demand": "d", "product": "A", "market": "all", "due": MONDAY + timedelta(days=4), "units": 6.0}],
    }
    found = {order.product: order for order in chain(rows, 1).orders}
    days = {p: ((o.start - MONDAY).days, (o.due - MONDAY).days) for p, o in found.items()}
    assert days == {"P": (0, 0), "A": (1, 4)}


def test_a_line_that_is_shut_on_some_days_is_counted_on_for_the_others() -> None:
    """Shut until Wednesday, its hours of the week are those from Thursday on: nothing is done by Monday."""
    rows = made_and_sent(0.0, due=0, hours=0.1)
    rows["line_calendar"] = [{"line": "L", "from": MONDAY, "to": MONDAY + timedelta(days=3), "hours": 0.0}]
    plan = chain(rows)
    assert by_kind(plan, "make").due == MONDAY + timedelta(days=3)


# every chain --------------------------------------------------------------------------------------


def hours_by_day(made: RandomChain, line: str, first: date, hours: float) -> list[float]:
    """Those of a bucket on each of its days: the working days in the measure of what the calendar gives each."""
    (own,) = [row for row in made.tables["lines"] if row["line"] == line]

    def of(day: date) -> float:
        spans = [r for r in made.tables.get("line_calendar", ()) if r["line"] == line and r["from"] <= day < r["to"]]
        return sum(r["hours"] + r.get("overtime_hours", 0.0) for r in spans) if spans else own["hours_per_week"]

    days = [first + timedelta(days=d) for d in range(made.settings.calendar.bucket_days)]
    weights = [of(day) if len(days) == 1 or day.weekday() < 5 else 0.0 for day in days]
    total = sum(weights)
    return [hours * w / total if total > 0 else 0.0 for w in weights]


@each_seed(range(60))
def test_no_line_is_to_have_done_more_by_a_day_than_it_has_hours_until_then(seed: int) -> None:
    """Orders out first, then those of the plan by the days by which they are to be done. What says that its hours do
    not fit is left out."""
    made = random_chain(seed)
    try:
        begun = head(made.state, nothing_learnt(), 0)
        decision = decide(begun)
    except NoPlan:
        return
    plan = written(begun, decision)
    calendar = made.settings.calendar
    recipes = {row["recipe"]: row for row in made.tables["recipes"]}
    for hours in decision.clearing.hours.to_pylist():
        line, first = hours["line"], hours["bucket"]
        due: dict[int, float] = defaultdict(float)
        for order in plan.orders:
            in_it = calendar.bucket_start(order.start) == calendar.bucket_start(order.due) == first
            if order.line != line or not in_it or told(order, "waits_short"):
                continue
            recipe = recipes[order.recipe or ""]
            due[(order.due - first).days] += order.units * recipe["hours_per_unit"] + recipe.get("setup_hours", 0.0)
        there = hours_by_day(made, line, first, hours["available_hours"])
        for day in range(calendar.bucket_days):
            needed = sum(h for d, h in due.items() if d <= day)
            if needed:
                assert needed + hours["under_way_hours"] <= sum(there[: day + 1]) + 1e-6, (line, first, day)
