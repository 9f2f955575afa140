"""Lots beside orders that are out and will take components later: what lies there now serves who waits now, where later
lots bring in time what those orders take."""

from datetime import timedelta

import numpy as np
import pytest

from planning import decided
from small_chain import MONDAY, chain, demand

WEEK = timedelta(days=7)
COST = {"holding_cost_per_unit_week": 0.1, "late_cost_per_unit_week": 5.0, "lost_sale_cost_per_unit": 200.0}


def planned(asked, orders, stock=0.0):
    """A of C, both made in a week; asked: units of A by week. orders: (units, week) of locked orders for A."""
    out = {"kind": "make", "product": "A", "recipe": "A", "locked": True}
    state = chain(
        len(asked),
        products=[{"product": "A", "price": 100.0}, {"product": "C", "kind": "component", "price": 10.0}],
        recipes=[
            {"recipe": "A", "product": "A", "lead_days": 7},
            {"recipe": "C", "product": "C", "lead_days": 7, "cost_per_unit": 1.0},
        ],
        components=[{"product": "A", "component": "C", "units_per_unit": 1.0}],
        economics=[{"product": "A"} | COST],
        orders=[
            out | {"order": f"O{i}", "units": units, "start": MONDAY + week * WEEK, "due": MONDAY + (week + 1) * WEEK}
            for i, (units, week) in enumerate(orders)
        ],
        stock=[{"happened_at": MONDAY - WEEK, "product": "C", "units": stock, "known_at": MONDAY - WEEK}],
        demand=[{"demand": "D", "product": "A", "due": MONDAY, "units": 0.0, "firm": True}],
    )
    return decided(state, demand(state, A=[asked]))


def test_who_waits_is_served_before_an_order_that_is_out_takes_what_can_come_later():
    """12 are wanted in week 2; an order that is out begins 10 in week 5. 12 C and 12 A are made at once, and 10 C more
    in week 4; no A is kept waiting for the 10 C that the order takes three weeks later."""
    plan = planned([0.0, 0.0, 12.0, 0.0, 0.0, 0.0, 0.0], [(10.0, 5)])
    rows = plan.clearing.quantities.to_pylist()
    made = {(r["product"], (r["start"] - MONDAY).days // 7): r["units"] for r in rows}
    assert made == {("C", 0): 12.0, ("A", 1): 12.0, ("C", 4): 10.0}
    assert not plan.given_out.outcome.cost["late"]


@pytest.mark.parametrize("seed", range(8))
def test_lots_beside_orders_out_cost_what_the_market_does(seed):
    """Nothing is scarce but time, and all comes in whole units: orders cost what they do in any quantities."""
    draw = np.random.default_rng(seed)
    asked = [float(draw.integers(0, 12)) for _ in range(8)]
    orders = [(float(draw.integers(1, 12)), int(draw.integers(2, 7))) for _ in range(2)]
    plan = planned(asked, orders, float(draw.integers(0, 10)))
    assert plan.given_out.total_cost == pytest.approx(plan.market.total_cost, rel=1e-9)
