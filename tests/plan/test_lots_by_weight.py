"""Lots of demand that counts more than other demand: they are worth as much more, in whatever chain."""

from datetime import timedelta

import numpy as np
import pytest

from datong.model.demand_layers import SortedDemand
from datong.network.economics import Economics
from datong.plan.worth import Curve, Dearer
from planning import decided
from small_chain import MONDAY, chain, demand, press

WEEK = timedelta(days=7)


def of_press(rows, horizon=4):
    """What is given out for rows of demand for A: (units, week, priority)."""
    asked = [
        {
            "demand": f"D{i}",
            "product": "A",
            "due": MONDAY + week * WEEK,
            "units": units,
            "priority": priority,
            "firm": True,
        }
        for i, (units, week, priority) in enumerate(rows)
    ]
    state = chain(horizon, **(press() | {"demand": asked}))
    total = np.bincount([week for _, week, _ in rows], [units for units, *_ in rows], horizon)
    return decided(state, demand(state, A=[total]))


@pytest.mark.parametrize("priority", [0, 1, 5, 9, 14])
def test_what_is_dear_to_lose_is_made_as_what_is_not(priority):
    """25 wanted in week 1, ten hours a week: 10, 10 and 5, the last of them a week late, whatever their priority."""
    plan = of_press([(25.0, 1, priority)])
    assert plan.clearing.quantities["started_units"].to_pylist() == [10.0, 10.0, 5.0]
    assert plan.given_out.outcome.cost["late"] == pytest.approx(5 * 5.0 * 2.0**priority)
    assert not plan.given_out.outcome.cost["lost"]


@pytest.mark.parametrize("seed", range(12))
def test_lots_of_demand_of_many_weights_cost_what_the_market_does(seed):
    """An hour a unit, ten hours a week: the market starts whole units, and no order of it is left out."""
    draw = np.random.default_rng(seed)
    rows = [
        (float(draw.integers(1, 12)), int(draw.integers(0, 6)), int(draw.choice([0, 1, 3, 8, 12]))) for _ in range(6)
    ]
    plan = of_press(rows, horizon=6)
    assert plan.given_out.total_cost == pytest.approx(plan.market.total_cost, rel=1e-9)


def test_units_of_many_weights_are_short_in_their_order():
    """4 of weight 3 and 6 of weight 1 at once, 3 come: 1 of the dear ones and 6 wait a week at 5, and 3 of weight 1,
    when 4 more have come, for good, at 100. Without the 4: the 1, and the 6, are never served."""
    asked = np.array([[10.0, 10.0]])
    curve = Curve(
        SortedDemand.of(asked),
        Economics(100.0, 1.0, 5.0, 100.0, 100.0, 0.0),
        np.array([3.0, 7.0]),
        weight=1.0,
        dearer=(Dearer(2.0, SortedDemand.of(np.array([[4.0, 4.0]]))),),
    )
    assert curve.base.tolist() == pytest.approx([(3 + 6) * 5.0, 3 * (5.0 + 100.0)])
    (saved,) = curve.saved_by(np.array([4.0]), np.array([1]))
    assert saved == pytest.approx((3 + 3) * (5.0 + 100.0))
    (worth,) = curve.worth_of(np.array([4.0]), np.array([1]))
    # Refused at once, for 100: 3 as before, and without the 4 the other 7 units, of which 1 counts three times. What
    # then waits for nobody was late by a week: 3 of the 6, and the 1.
    assert worth == pytest.approx((3 + 3) * 100.0 - (3 + 3) * 5.0)


@pytest.mark.parametrize("priority", range(8, 14))
def test_a_bound_is_held_to_a_cost_that_is_small_beside_what_losing_costs(priority):
    """5 wanted at a shop that two lanes reach: they cost half a unit of money, and losing them more than a million."""
    sites = [{"site": "SA"}, {"site": "SB"}, {"site": "W", "kind": "warehouse"}]
    state = chain(
        90,
        {"bucket": "day", "max_late_days": 999},
        products=[{"product": "e", "price": 100.0}],
        sites=sites,
        lines=[
            {"line": "LA", "site": "SA", "hours_per_week": 336.0},
            {"line": "LB", "site": "SB", "hours_per_week": 168.0},
        ],
        recipes=[{"recipe": f"r{s}", "product": "e", "line": f"L{s}", "hours_per_unit": 24.0} for s in "AB"],
        lanes=[
            {"lane": f"l{s}", "from_site": f"S{s}", "to_site": "W", "lead_days": days}
            for s, days in (("A", 1), ("B", 2))
        ],
        demand=[
            {
                "demand": "D",
                "product": "e",
                "market": "W",
                "due": MONDAY + timedelta(days=13),
                "units": 5.0,
                "priority": priority,
                "firm": True,
            }
        ],
    )
    plan = decided(state, demand(state, e__W=[[0.0] * 13 + [5.0] + [0.0] * 76]))
    assert plan.given_out.bound == pytest.approx(plan.given_out.total_cost, abs=1e-6)
