"""What an order saves, by hand; and what hangs on orders that feed other ones, on generated chains."""

import numpy as np
import pytest

from cases.random_chains import random_chain
from datong.model.demand_layers import SortedDemand
from datong.model.errors import NoPlan
from datong.network.economics import Economics
from datong.plan.worth import Curve
from datong.questions.run import RunAsked
from datong.questions.tables_out import most_valuable, planned_orders


def saved(asked: list[float], comes: list[float], economics: Economics, units: float, arrive: int) -> float:
    demand = SortedDemand.of(np.cumsum(asked)[None, :])
    curve = Curve(demand, economics, np.cumsum(np.array(comes, dtype=float)))
    (money,) = curve.worth_of(np.array([units]), np.array([arrive]))
    return float(money)


def test_what_would_wait_to_the_end_is_refused_where_that_costs_less() -> None:
    """700 tiles are there and 1,000 come for 1,500 in the last week. Without the 1,000, 800 are refused at 1.5; waiting
    would cost 0.1 more each. 200 are no more held at 0.012: 1,200 - 2.4."""
    tiles = Economics(2.2, 0.012, 0.1, 1.5, 1.5, 0.0)
    assert saved([0, 1500], [700, 1000], tiles, 1000, 1) == pytest.approx(1200 - 2.4)


def test_what_is_late_with_an_order_is_not_late_and_refused_without_it() -> None:
    """160 jugs wait a week for 350 that come in the last one, for 190 more. Without them 350 are refused at 9, and the
    160 wait for nothing: 3,150 - 144."""
    jugs = Economics(14.0, 0.08, 0.9, 9.0, 9.0, 0.0)
    assert saved([160, 190], [0, 350], jugs, 350, 1) == pytest.approx(3150 - 144)


def test_what_waits_a_little_is_late_and_not_refused() -> None:
    """10 that come a week later than without the order wait a week at 0.9; at 2 a refusal they would still wait."""
    jugs = Economics(14.0, 0.0, 0.9, 2.0, 2.0, 0.0)
    assert saved([10, 0, 0], [10, 10, 0], jugs, 10, 0) == pytest.approx(9.0)


@pytest.mark.parametrize("seed", [s for s in range(60) if "lanes" in random_chain(s).has][:6])
def test_orders_rank_by_what_hangs_on_them_where_they_save_nothing_themselves(seed: int) -> None:
    try:
        record = RunAsked(random_chain(seed).state, (), None, 0).answer()
    except NoPlan:
        pytest.skip("locked orders that cannot run")
    orders = planned_orders(record.tables)
    assert [o.order for o in orders if (o.value is None) == (o.behind is None)] == []
    served = {o.order for o in orders if o.hurts and o.value is None}
    assert [o.order for o in orders if o.order in served and not o.behind] == []
    ranked = [o.behind if o.value is None else o.value for o in most_valuable(orders, len(orders))]
    assert ranked == sorted(ranked, reverse=True)
