"""A lot that takes longer than a day is worked on the open days, over the closed ones in between."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from datong.cycle import CycleResult, run_cycle
from datong.ledger.state import in_state_schema, state_of_tables
from datong.model.flow import nothing_learnt
from datong.model.settings import ChainSettings
from datong.network.long_lots import long_lots
from datong.network.ways import Way
from each import each_seed

MONDAY = date(2026, 3, 2)
# A recipe of a unit an order.
ONE = Way("R", "make", "A", "L", 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0, 1.0, math.inf, (), None, None)
Rows = Mapping[str, list[dict[str, Any]]]


def day(number: int) -> date:
    """0 is a Monday."""
    return MONDAY + timedelta(days=number)


def run(rows: Rows, buckets: int = 42, bucket: str = "day", today: date = MONDAY) -> CycleResult:
    chain = ChainSettings("t", bucket=bucket, horizon_buckets=buckets, path_count=1, max_late_days=60)  # ty: ignore[invalid-argument-type]
    tables = {}
    for name, own in rows.items():
        columns = sorted({column for row in own for column in row})
        table = pa.table({column: [row.get(column) for row in own] for column in columns})
        tables[name] = in_state_schema(name, table)
    state = state_of_tables(chain, chain.calendar.midnight(today), tables)
    return run_cycle(state, nothing_learnt(), (), 0)


def made(
    hours: float, due: Sequence[int], closed: Sequence[int] = (), **recipe: Any
) -> dict[str, list[dict[str, Any]]]:
    """A takes so many hours a unit on a line of 8 a day from Monday to Friday, and is wanted on these days."""
    row = {"recipe": "R", "product": "A", "line": "L", "hours_per_unit": hours, "cost_per_unit": 1.0}
    return {
        "products": [{"product": "A", "price": 1000.0}],
        "calendars": [{"calendar": "works"}],
        "calendar_days": [{"calendar": "works", "from": day(n), "open": False} for n in closed],
        "lines": [{"line": "L", "hours_per_week": 40.0, "calendar": "works"}],
        "recipes": [row | recipe],
        "demand": [{"demand": f"d{n}", "product": "A", "due": day(d), "units": 1.0} for n, d in enumerate(due)],
    }


def days_of(found: CycleResult) -> list[tuple[date, date]]:
    return sorted((order.start, order.due) for order in found.plan.orders)


def test_a_unit_of_two_weeks_is_worked_over_the_weekends() -> None:
    found = run(made(80.0, (25, 25, 25)), 60)
    assert days_of(found) == [(day(0), day(11)), (day(14), day(25)), (day(28), day(39))]


def test_a_unit_of_three_days_goes_over_a_holiday() -> None:
    assert days_of(run(made(24.0, (3,), closed=(2,)))) == [(day(0), day(3))]


def test_units_of_three_days_follow_one_another_over_the_weekend() -> None:
    assert days_of(run(made(24.0, (7, 7)))) == [(day(0), day(2)), (day(3), day(7))]


def test_a_lot_of_ten_days_is_there_on_the_tenth_open_day() -> None:
    rows = made(8.0, (11,), min_lot_units=10.0, lot_multiple_units=10.0)
    rows["demand"][0]["units"] = 10.0
    assert days_of(run(rows)) == [(day(0), day(11))]


def test_weekends_shut_by_the_line_calendar_are_closed_days_too() -> None:
    """A line of 24 hours on each of seven days, were its weekends not shut."""
    rows = made(240.0, (25, 25)) | {"lines": [{"line": "L", "hours_per_week": 168.0}], "calendars": []}
    rows["line_calendar"] = [{"line": "L", "from": day(n), "to": day(n + 2), "hours": 0.0} for n in range(5, 61, 7)]
    assert days_of(run(rows, 60)) == [(day(0), day(11)), (day(14), day(25))]


def _open_days(seed: int) -> tuple[np.random.Generator, list[int]]:
    """Closed days of a Monday-to-Friday line: some days, and now and then a week."""
    draw = np.random.default_rng(seed)
    shut = set(draw.choice(30, int(draw.integers(0, 5)), replace=False).tolist())
    if draw.random() < 0.3:
        first = int(draw.integers(0, 20))
        shut |= set(range(first, first + 5))
    return draw, sorted(d for d in shut if d % 7 < 5)


@each_seed(range(12))
def test_each_lot_ends_on_the_first_day_by_which_the_line_has_its_hours(seed: int) -> None:
    """Units wanted on the very days on which a line that does one after the other is done with them: all on time."""
    draw, closed = _open_days(seed)
    units, days = int(draw.integers(1, 4)), int(draw.integers(2, 8))
    is_open = [d for d in range(80) if d % 7 < 5 and d not in closed]
    ends = [is_open[days * (n + 1) - 1] for n in range(units)]
    found = run(made(8.0 * days, ends, closed), ends[-1] + 3)
    starts = [is_open[days * n] for n in range(units)]
    assert [due for _, due in days_of(found)] == [day(d) for d in ends]
    assert [start for start, _ in days_of(found)] == [day(d) for d in starts]
    clearing = found.clearing
    assert clearing.lower_bound <= clearing.total_cost + 1e-6 * max(1.0, abs(clearing.total_cost))


@each_seed(range(6))
def test_a_lot_over_days_of_unlike_hours_ends_when_they_are_enough(seed: int) -> None:
    """A line of 8 hours, on some days 2 or 5 or none: a unit wanted on the first day by which it can be there."""
    draw = np.random.default_rng(seed)
    hours = [float(draw.choice([0, 2, 5, 8, 8, 8])) if d % 7 < 5 else 0.0 for d in range(40)]
    hours[0] = 8.0
    lot = float(draw.integers(9, 60))
    end = int(np.flatnonzero(np.cumsum(hours) >= lot)[0])
    rows = made(lot, (end,))
    rows["line_calendar"] = [
        {"line": "L", "from": day(d), "to": day(d + 1), "hours": 5 * h} for d, h in enumerate(hours) if d % 7 < 5
    ]
    assert days_of(run(rows, 40)) == [(day(0), day(end))]


def test_a_week_with_a_holiday_takes_its_part_of_a_lot_over_three_weeks() -> None:
    found = run(made(100.0, (18,), closed=(7,)), 8, "week")
    assert days_of(found) == [(day(0), day(18))]


@each_seed(range(50))
def test_every_start_has_one_course_within_the_hours_of_its_buckets(seed: int) -> None:
    draw = np.random.default_rng(seed)
    hours = draw.choice([0.0, 3.0, 8.0], int(draw.integers(5, 25)))
    lot = float(draw.integers(9, 40))
    way = replace(ONE, hours_per_unit=lot)
    calendar = ChainSettings("t", bucket="day").calendar
    days = [day(d) for d in range(len(hours))]
    found = long_lots([way], {"L": hours}, days, calendar)
    for t, start in enumerate(days):
        open_now = [one for one in found if one.is_open(start) and one.lead_days < len(hours) - t]
        enough = np.flatnonzero(np.cumsum(hours[t:]) >= lot - 1e-9)
        if hours[t] <= 0 or not len(enough) or hours.max() >= lot:
            assert not open_now or hours.max() >= lot
            continue
        (one,) = open_now
        at, share = one.worked.at(t, len(hours))
        assert at[-1] == t + enough[0] == t + one.lead_days
        assert abs(share.sum() - 1.0) < 1e-9
        assert (lot * share <= hours[at] + 1e-9).all()
        assert (hours[at] > 0).all()


def test_a_lot_that_the_horizon_is_too_short_for_is_told_once() -> None:
    """Seven working days, and eight days of horizon with a weekend."""
    told = [one for one in run(made(56.0, (7,)), 8).decision.findings if one.source == "recipes"]
    assert [one.code for one in told] == ["horizon"]


def test_a_job_shop_of_steps_of_more_than_a_day() -> None:
    """Three jobs pass eight machines, each in an order of its own, at 30 hours a step on 24 a day: two days each. Every
    job is done by its day, and no machine does more than its hours."""
    days = 90
    rows: Rows = {
        "products": [{"product": f"J{j}", "price": 1000.0} for j in range(3)],
        "lines": [{"line": f"M{m}", "hours_per_week": 168.0} for m in range(8)],
        "recipes": [{"recipe": f"R{j}", "product": f"J{j}"} for j in range(3)],
        "recipe_steps": [
            {
                "step": f"J{j}S{s}",
                "recipe": f"R{j}",
                "sequence": s,
                "line": f"M{(3 * s + 2 * j) % 8}",
                "hours_per_unit": 30.0,
            }
            for j in range(3)
            for s in range(8)
        ],
        "demand": [{"demand": f"D{j}", "product": f"J{j}", "due": day(40), "units": 1.0} for j in range(3)],
    }
    assert 3 * 8 * days > 2_000  # as many places to start
    result = run(rows, days)
    assert sum(row["on_time_units"] for row in result.clearing.gaps.to_pylist()) == 3.0
    assert len(result.plan.orders) == 3 * 8
    assert all((order.due - order.start).days == 1 for order in result.plan.orders)
    assert all(row["free_hours"] >= -1e-6 for row in result.clearing.hours.to_pylist())
