"""A customer's order is followed one by one also where the product has demand that is only expected."""

from collections import defaultdict
from dataclasses import replace
from datetime import date, timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datong.cycle import Decision, decide, head
from datong.ledger.state import State, state_of_tables
from datong.model.flow import nothing_learnt
from datong.model.settings import ChainSettings
from datong.plan.pegging import pegged

MONDAY = date(2026, 1, 5)
WEEKS = 4
UNITS = ("on_time_units", "late_units", "lost_units")


def lamps(orders: list[tuple[str, int, int]], hours: float, sold: list[int], defaults: dict[str, float]) -> State:
    """Lamps that a market buys week by week, and orders of shops: (shop, week, units). An hour makes two."""
    weeks = len(sold)
    rows = {
        "products": [{"product": "LAMP", "price": 30.0}],
        "recipes": [{"recipe": "R", "product": "LAMP", "line": "L", "hours_per_unit": 0.5, "cost_per_unit": 9.0}],
        "lines": [{"line": "L", "hours_per_week": hours}],
        "sales": [
            {"sale": f"s{t}", "product": "LAMP", "market": "all", "units": float(n), "price": 30.0}
            | {"happened_at": MONDAY - timedelta(weeks=weeks - t)}
            for t, n in enumerate(sold)
        ],
        "demand": [
            {"demand": f"d{i}", "product": "LAMP", "market": shop, "units": float(n), "firm": True}
            | {"due": MONDAY + timedelta(weeks=t, days=3)}
            for i, (shop, t, n) in enumerate(orders)
        ],
    }
    chain = ChainSettings("t", horizon_buckets=WEEKS, defaults=ChainSettings("t").defaults.__class__(**defaults))
    tables = {name: pa.Table.from_pylist(own) for name, own in rows.items() if own}
    return state_of_tables(chain, chain.calendar.midnight(MONDAY), tables)


def decided(state: State) -> Decision:
    return decide(head(state, nothing_learnt(), 0))


SOLD = [18, 22, 20, 19, 21, 20, 18, 22, 21, 19, 20, 20]


def test_an_order_is_served_before_what_is_only_expected():
    """40 lamps a week, about 20 expected: of an order of 30 in the second week all comes on time."""
    clearing = decided(lamps([("shop", 1, 30)], 20.0, SOLD, {})).clearing
    rows = [(r["demand"], r["market"], r["units"], r["what"]) for r in clearing.deliveries.to_pylist()]
    assert rows == [("d0", "shop", 30.0, "on_time")]
    own = [r for r in clearing.gaps.to_pylist() if r["market"] == "shop"]
    assert [(r["demand_units"], r["on_time_units"]) for r in own] == [(0, 0), (30, 30), (0, 0), (0, 0)]


def test_an_order_beyond_the_hours_is_late_by_its_own_units():
    """40 lamps a week: of 100 in the second week 80 are there in time at most."""
    clearing = decided(lamps([("shop", 1, 100)], 20.0, SOLD, {})).clearing
    units: dict[str, float] = defaultdict(float)
    for row in clearing.deliveries.to_pylist():
        units[row["what"]] += row["units"]
    assert sum(units.values()) == 100
    assert 0 < units["on_time"] <= 80 and units["late"] > 0


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["all", "shop", "web"]), st.integers(0, WEEKS - 1), st.integers(1, 60)), max_size=5
    ),
    st.sampled_from([8.0, 15.0, 40.0]),
    st.sampled_from([{}, {"firm_factor": 1.0}]),
)
def test_requests_and_the_rest_are_all_of_the_gaps(orders, hours, defaults):
    """What the gaps of a product and market tell is what its requests tell, and never less."""
    state = lamps(orders, hours, SOLD, defaults)
    decision = decided(state)
    clearing = decision.clearing
    calendar = state.settings.calendar
    told: dict[tuple[str, date], dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for row in clearing.deliveries.to_pylist():
        column = {"on_time": "on_time_units", "late": "late_units"}.get(row["what"], "lost_units")
        told[row["market"], calendar.bucket_start(row["due"])][column] += row["units"]
    by_key: dict[str, float] = defaultdict(float)
    for row in clearing.deliveries.to_pylist():
        by_key[row["demand"]] += row["units"]
    asked = {f"d{i}": float(n) for i, (_, _, n) in enumerate(orders)}
    assert all(by_key[key] == pytest.approx(asked[key]) for key in by_key)
    for row in clearing.gaps.to_pylist():
        assert row["demand_units"] == pytest.approx(sum(row[name] for name in UNITS), abs=1e-6)
        for name in UNITS:
            assert row[name] >= told[row["market"], row["bucket"]][name] - 1e-6
    flow = clearing.flow.to_pylist()
    served = sum(r["served_units"] for r in clearing.gaps.to_pylist())
    assert served == pytest.approx(sum(r["delivered_units"] for r in flow), abs=1e-4)
    if decision.chosen is not None:
        pegs = pegged(decision.chosen.work, clearing, decision.chosen.lots).pegs
        for lot, own in pegs.items():
            assert sum(p.units for p in own) <= lot.units * lot.way.yield_share + 1e-6


def test_firm_orders_alone_count_alike_also_where_one_is_overdue_and_may_wait_as_long_as_it_says():
    """10 were due in the week before and may wait two weeks, 10 are due in the second week, and 5 are made a week:
    nothing is expected, so that no order counts more for being firm, whatever the factor."""

    def cost(firm_factor: float) -> dict[str, float]:
        rows = {
            "products": [{"product": "A", "price": 10.0}],
            "recipes": [{"recipe": "R", "product": "A", "line": "L", "hours_per_unit": 1.0}],
            "lines": [{"line": "L", "hours_per_week": 5.0}],
            "demand": [
                {"demand": "d0", "product": "A", "due": MONDAY - timedelta(days=4), "units": 10.0, "max_late_days": 14},
                {"demand": "d1", "product": "A", "due": MONDAY + timedelta(days=9), "units": 10.0},
            ],
        }
        usual = ChainSettings("t").defaults
        chain = ChainSettings("t", horizon_buckets=WEEKS, defaults=replace(usual, firm_factor=firm_factor))
        tables = {name: pa.Table.from_pylist(own) for name, own in rows.items()}
        found = decided(state_of_tables(chain, chain.calendar.midnight(MONDAY), tables)).clearing.cost
        assert found["late"] + found["lost"] > 0
        return dict(found)

    assert cost(2.0) == cost(1.0)
