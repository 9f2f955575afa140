"""What an order costs has what is picked of alternatives for it: the orders proposed cost what the plan's books say."""

import pytest

from cases.random_chains import random_chain
from datong.cycle import run_cycle
from datong.model.errors import NoPlan
from datong.model.flow import nothing_learnt

TERMS = ("production", "setup", "purchase", "ordering")


@pytest.mark.parametrize("seed", [s for s in range(60) if "alternatives" in random_chain(s).has][:12])
def test_orders_cost_what_the_books_say(seed: int) -> None:
    """Transport has the holding on the way, and orders that are out cost nothing anew: chains without."""
    made = random_chain(seed, without=("lanes", "released", "locked", "two sites", "overtime"))
    try:
        result = run_cycle(made.state, nothing_learnt(), (), 0)
    except NoPlan:
        return
    orders = sum(order.cost for order in result.plan.orders)
    assert orders == pytest.approx(sum(result.clearing.cost.get(term, 0.0) for term in TERMS), abs=1e-6)
