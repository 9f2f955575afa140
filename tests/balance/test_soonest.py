"""How soon what nothing is ordered of yet could be there, by lead times and with what must come before it."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datong.balance.soonest import Soonest
from datong.cycle import decide, head
from datong.ledger.state import state_of_tables
from datong.model.flow import nothing_learnt
from datong.model.late_causes import no_time_words
from datong.model.settings import ChainSettings

FIRST = date(2026, 3, 2)


def row_of(units: float = 10.0, days: int = 40, **tables: list[dict[str, Any]]) -> dict[str, Any]:
    """What `gaps` says of A, of which 10 are wanted today, in days."""
    given = {"demand": [{"demand": "d", "product": "A", "due": FIRST, "units": units}]} | tables
    chain = ChainSettings("t", bucket="day", horizon_buckets=days, max_late_days=999, path_count=1)
    state = state_of_tables(
        chain, chain.calendar.midnight(FIRST), {name: pa.Table.from_pylist(rows) for name, rows in given.items()}
    )
    gaps = decide(head(state, nothing_learnt(), 0)).clearing.gaps.to_pylist()
    return next(r for r in gaps if r["product"] == "A" and r["bucket"] == FIRST)


def assembled(leads: dict[str, float], takes: list[tuple[str, str]], **tables: Any) -> dict[str, Any]:
    """A chain of products made in so many days, each of its components one for one."""
    return {
        "products": [{"product": p, "price": 100.0, "kind": "finished" if p == "A" else "component"} for p in leads],
        "recipes": [{"recipe": f"m{p}", "product": p, "lead_days": days} for p, days in leads.items()],
        "components": [{"product": p, "component": c, "units_per_unit": 1.0} for p, c in takes],
    } | tables


def lies(product: str, units: float = 10.0) -> list[dict[str, Any]]:
    return [{"happened_at": datetime(2026, 3, 1, tzinfo=UTC), "product": product, "units": units}]


TWO_WAYS_DOWN = {"A": 1.0, "B": 4.0, "C": 3.0, "D": 5.0, "E": 0.0}
TAKEN = [("A", "B"), ("B", "C"), ("A", "D"), ("A", "E")]


def test_what_takes_longest_of_all_that_goes_in_is_counted_and_named():
    """A takes a day, B four after three of C, D five: 3 + 4 + 1 days by C and B, which D does not wait for."""
    row = row_of(**assembled(TWO_WAYS_DOWN, TAKEN))
    assert (row["late_units"], row["soonest_days"], row["soonest_through"]) == (10.0, 8, "C → B")
    assert row["soonest_start"] is None
    text = no_time_words(row, "day").text("en")
    assert text.startswith("nothing ordered now would be there in time: with C → B before it, it takes 8 days (")
    assert "须先有 C → B，连同其在内需 8 天" in no_time_words(row, "day").text("zh")


def test_what_lies_there_is_not_waited_for():
    """With B in stock D is the longest, with both A alone."""
    row = row_of(**assembled(TWO_WAYS_DOWN, TAKEN, stock=lies("B")))
    assert (row["soonest_days"], row["soonest_through"]) == (6, "D")
    row = row_of(**assembled(TWO_WAYS_DOWN, TAKEN, stock=lies("B") + lies("D")))
    assert (row["soonest_days"], row["soonest_through"]) == (1, None)


def test_parts_of_days_add_up_before_they_are_rounded():
    row = row_of(**assembled({"A": 1.0, "B": 1.5, "C": 1.25, "D": 2.04}, [("A", "B"), ("B", "C"), ("C", "D")]))
    assert (row["soonest_days"], row["soonest_through"]) == (6, "D → C → B")


def test_a_line_without_hours_starts_nothing():
    """L runs from the eleventh day on: B of three days cannot start before, nor A after it."""
    tables = assembled({"A": 1.0, "B": 3.0}, [("A", "B")])
    tables["recipes"][0] |= {"line": None, "hours_per_unit": 0.0}
    tables["recipes"][1] |= {"line": "L", "hours_per_unit": 1.0}
    tables["lines"] = [{"line": "L", "hours_per_week": 168.0}]
    tables["line_calendar"] = [{"line": "L", "from": FIRST, "to": FIRST + timedelta(10), "hours": 0.0}]
    row = row_of(**tables)
    assert (row["soonest_start"], row["soonest_days"], row["soonest_through"]) == (FIRST + timedelta(10), 4, "B")
    assert "nothing can start before 2026-03-12, and with B before it, it takes 4 days" in (
        no_time_words(row, "day").text("en")
    )


def test_stock_points_on_the_way_are_named():
    """Bought for W in a week, ten days to R and three on to S."""
    row = row_of(
        products=[{"product": "A", "price": 100.0}],
        sites=[{"site": s} for s in "WRS"],
        offers=[{"offer": "o", "product": "A", "to_site": "W", "price": 1.0, "lead_days": 7.0}],
        lanes=[
            {"lane": "WR", "from_site": "W", "to_site": "R", "lead_days": 10.0},
            {"lane": "RS", "from_site": "R", "to_site": "S", "lead_days": 3.0},
        ],
        demand=[{"demand": "d", "product": "A", "market": "S", "due": FIRST, "units": 10.0}],
    )
    assert (row["soonest_days"], row["soonest_through"]) == (20, "A@W → A@R")


def test_of_many_the_first_and_the_last_are_named():
    assert Soonest(9, 0, 9.0, 0, tuple("ABCDEF")).named == "A → B → … → E → F"
    assert Soonest(9, 0, 9.0, 0, tuple("ABCD")).named == "A → B → C → D"


@settings(max_examples=12)
@given(
    leads=st.lists(st.integers(0, 4), min_size=5, max_size=5),
    takes=st.sets(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=7),
    in_stock=st.sets(st.integers(1, 4), max_size=2),
)
def test_it_is_there_then_in_a_plan_that_nothing_else_limits(
    leads: list[int], takes: set[tuple[int, int]], in_stock: set[int]
) -> None:
    """Of a unit that is wanted today, no stock being enough for two."""
    names = "ABCDE"
    bill = [(names[p], names[c]) for p, c in sorted(takes) if p < c]
    stock = [row for k in sorted(in_stock) for row in lies(names[k], 99.0)] or lies("A", 0.0)
    tables = assembled({"A": leads[0] + 1.0} | dict(zip(names[1:], map(float, leads[1:]), strict=True)), bill)
    row = row_of(units=1.0, stock=stock, **tables)
    served = row["needed_days"]
    assert row["soonest_days"] == pytest.approx(served)


def test_what_was_due_before_and_waits_no_longer_lacks_time_and_is_not_dear() -> None:
    """A comes in five days. 4 that may wait for ever come then; 6 of five days ago that may wait for six are lost
    tomorrow: nothing could be there by then."""
    row = row_of(
        products=[{"product": "A", "price": 100.0}],
        offers=[{"offer": "o", "product": "A", "price": 1.0, "lead_days": 5.0}],
        demand=[
            {"demand": "d", "product": "A", "due": FIRST - timedelta(20), "units": 4.0, "max_late_days": 99},
            {"demand": "e", "product": "A", "due": FIRST - timedelta(5), "units": 6.0, "max_late_days": 6},
        ],
    )
    assert (row["late_units"], row["lost_units"], row["lost_binding"]) == (4.0, 6.0, None)
    assert (row["binding_bucket"], row["soonest_days"]) == (None, 5)
