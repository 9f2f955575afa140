"""A component is finished before what it goes into begins, where the days allow."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pyarrow as pa
import pytest

from datong.cycle import run_cycle
from datong.ledger.state import state_of_tables
from datong.model.flow import PlannedOrder, nothing_learnt
from datong.model.settings import ChainSettings

MONDAY = date(2026, 1, 5)


def orders(parts: int, at: datetime, wanted: int = 4, lead: float = 0.0) -> dict[str, PlannedOrder]:
    """Orders of one chain, product by product: P0 is sold and takes a P1, which takes a P2, and so on; all in one
    week, but that P0 takes `lead` days. wanted: day, from Monday of the week in which P0 can be there."""
    weeks = 1 if lead == 0 else 2
    due = MONDAY + timedelta(days=7 * (weeks - 1) + wanted)
    names = [f"P{i}" for i in range(parts + 1)]
    rows = {
        "products": [{"product": p, "price": 100.0 - 10 * i} for i, p in enumerate(names)],
        "recipes": [
            {
                "recipe": f"R{p}",
                "product": p,
                "line": "L",
                "hours_per_unit": 0.1,
                "cost_per_unit": 1.0,
                "lead_days": lead if p == "P0" else 0.0,
            }
            for p in names
        ],
        "components": [{"product": p, "component": c, "units_per_unit": 1.0} for p, c in pairwise(names)],
        "lines": [{"line": "L", "hours_per_week": 100.0}],
        "demand": [{"demand": "d", "product": "P0", "market": "all", "due": due, "units": 5.0}],
    }
    chain = ChainSettings("t", horizon_buckets=weeks, max_late_days=0, time_zone="UTC")
    tables = {name: pa.Table.from_pylist(own) for name, own in rows.items() if own}
    plan = run_cycle(state_of_tables(chain, at, tables), nothing_learnt(), (), 0).plan
    return {order.product: order for order in plan.orders}


def says_crowded(order: PlannedOrder) -> bool:
    return any(cause.text.key == "plan.cause.crowded" for cause in order.causes)


@pytest.mark.parametrize("parts", range(5))
def test_each_step_ends_before_the_next_begins(parts: int) -> None:
    """The bicycle's frame on Monday and Tuesday, the bicycle from Wednesday on."""
    found = orders(parts, datetime(2026, 1, 5, tzinfo=UTC))
    assert len(found) == parts + 1
    for i in range(parts):
        parent, part = found[f"P{i}"], found[f"P{i + 1}"]
        assert part.start <= part.due < parent.start <= parent.due
    assert (found[f"P{parts}"].start, found["P0"].due) == (MONDAY, MONDAY + timedelta(days=4))
    assert not any(says_crowded(order) for order in found.values())


def test_where_days_are_too_few_it_is_said() -> None:
    """On Thursday two days are left, for three steps."""
    found = orders(2, datetime(2026, 1, 8, 9, tzinfo=UTC))
    days = [(found[p].start.day, found[p].due.day) for p in ("P2", "P1", "P0")]
    assert days == [(8, 8), (8, 8), (9, 9)]
    assert [says_crowded(found[p]) for p in ("P2", "P1", "P0")] == [True, False, False]
    (told,) = [c.text for c in found["P2"].causes if c.text.key == "plan.cause.crowded"]
    words = "3 steps follow one another in the week of 2026-01-05, more than it has days left, so some share a day"
    assert told.text("en") == words
    assert "3道工序" in told.text("zh")


def test_the_day_that_a_customer_named_ends_the_days() -> None:
    """For Tuesday the frame is made on Monday, the bicycle on Tuesday; for Monday both on Monday, and it is said."""
    found = orders(1, datetime(2026, 1, 5, tzinfo=UTC), wanted=1)
    assert [(found[p].start.day, found[p].due.day) for p in ("P1", "P0")] == [(5, 5), (6, 6)]
    found = orders(1, datetime(2026, 1, 5, tzinfo=UTC), wanted=0)
    assert [(found[p].start.day, found[p].due.day) for p in ("P1", "P0")] == [(5, 5), (5, 5)]
    assert says_crowded(found["P1"])


def test_what_takes_a_week_begins_in_time_for_its_day() -> None:
    """Wanted on the Tuesday after, it begins on this Tuesday at the latest, and its part is made on Monday."""
    found = orders(1, datetime(2026, 1, 5, tzinfo=UTC), wanted=1, lead=7.0)
    assert [(found[p].start.day, found[p].due.day) for p in ("P1", "P0")] == [(5, 5), (6, 13)]
