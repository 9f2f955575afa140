"""What comes in whole units is delivered in whole units, also after a yield."""

from datetime import date, timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datong.cycle import Decision, decide, head
from datong.ledger.state import state_of_tables
from datong.model.flow import nothing_learnt
from datong.model.settings import ChainSettings
from datong.plan.pegging import pegged

MONDAY = date(2026, 1, 5)


def kettles(
    asked: list[int], hours: float, good: float, late_days: int = 28, unit: str = "piece", cost: float = 20.0
) -> Decision:
    """The plan for kettles, of which a share comes out good, at an hour each."""
    weeks = len(asked)
    rows = {
        "products": [{"product": "K", "price": 100.0, "base_unit": unit}],
        "recipes": [
            {"recipe": "R", "product": "K", "line": "L", "hours_per_unit": 1.0, "cost_per_unit": cost}
            | {"yield_share": good}
        ],
        "lines": [{"line": "L", "hours_per_week": hours}],
        "demand": [
            {"demand": f"d{t}", "product": "K", "market": "all", "due": MONDAY + timedelta(weeks=t), "units": float(n)}
            for t, n in enumerate(asked)
        ],
    }
    chain = ChainSettings("t", horizon_buckets=weeks, max_late_days=late_days)
    tables = {name: pa.Table.from_pylist(own) for name, own in rows.items()}
    state = state_of_tables(chain, chain.calendar.midnight(MONDAY), tables)
    return decide(head(state, nothing_learnt(), 0))


def test_five_kettles_of_which_one_in_twenty_is_scrap_are_four_that_can_be_delivered():
    """Five hours make 4.75: four go out, one is not served, and 0.75 is there at the end."""
    clearing = kettles([5], 5.0, 0.95).clearing
    (gap,) = clearing.gaps.to_pylist()
    assert (gap["served_units"], gap["late_units"], gap["lost_units"]) == (4.0, 0.0, 1.0)
    assert [(r["units"], r["what"]) for r in clearing.deliveries.to_pylist()] == [(1.0, "refused"), (4.0, "on_time")]
    assert sum(clearing.flow["closing_units"].to_pylist()) == pytest.approx(0.75)


def test_the_part_of_a_kettle_that_lies_is_delivered_with_the_rest_of_it():
    """Of 4.75 a week, four, five (9.5 in all), and five (14.25)."""
    served = kettles([5, 5, 5], 5.0, 0.95).clearing.gaps["served_units"].to_pylist()
    assert served == [4.0, 5.0, 5.0]


def test_one_more_is_begun_where_that_makes_the_last_one_whole():
    """Six make 5.7, and five are wanted."""
    clearing = kettles([5], 40.0, 0.95).clearing
    assert (clearing.gaps["served_units"].to_pylist(), clearing.quantities["started_units"].to_pylist()) == (
        [5.0],
        [6.0],
    )


def test_what_is_weighed_is_delivered_in_parts():
    (served,) = kettles([5], 5.0, 0.95, unit="kg").clearing.gaps["served_units"].to_pylist()
    assert served == pytest.approx(4.75)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=4).filter(any),
    st.integers(1, 15),
    st.sampled_from([0.5, 0.77, 0.9, 0.95, 1.0]),
    st.sampled_from([0, 7, 28]),
)
def test_every_figure_is_whole_and_adds_up(asked: list[int], hours: int, good: float, late_days: int) -> None:
    decision = kettles(asked, float(hours), good, late_days)
    for row in decision.clearing.gaps.to_pylist():
        told = [row[f"{name}_units"] for name in ("on_time", "late", "lost", "refused", "served", "waiting")]
        assert told == pytest.approx([round(units) for units in told], abs=1e-6)
        assert row["demand_units"] == pytest.approx(sum(told[:3]))
    delivered = [r["units"] for r in decision.clearing.deliveries.to_pylist()]
    assert delivered == pytest.approx([round(units) for units in delivered], abs=1e-6)
    assert sum(delivered) == pytest.approx(sum(asked))
    assert decision.given_out.bound <= decision.given_out.total_cost + 1e-6


def test_a_kettle_is_for_the_order_of_the_lot_that_completes_it():
    """4.75 good kettles a week: 4 of the first lot and 5 of the second, which the rest of one completes."""
    decision = kettles([5, 5, 5], 5.0, 0.95)
    assert decision.chosen is not None
    pegs = pegged(decision.chosen.work, decision.clearing, decision.chosen.lots).pegs
    units = [[peg.units for peg in own] for _, own in sorted(pegs.items(), key=lambda one: one[0].start)]
    assert [sum(own) for own in units] == [4.0, 5.0, 5.0]
    assert all(unit == round(unit) for own in units for unit in own)
