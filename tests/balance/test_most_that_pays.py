"""How far lots are looked for: no plan that costs no more than the one at hand starts more of anything."""

from dataclasses import dataclass
from typing import Any

import pytest

from cases.random_chains import random_chain
from datong.balance import exact_lots
from datong.balance.arrays import Market
from datong.balance.highs import OPTIONS
from datong.balance.solution import never_stop
from datong.cycle import decide, head
from datong.model.flow import FloatArray, nothing_learnt
from each import each_seed

SOLVE = exact_lots._Lots.solve
# Enough for the best plan of each of these chains, and its proof.
MOST_NODES = 5_000


@dataclass(frozen=True)
class Asked:
    """A search for lots. start: (way, bucket) units of the plan at hand."""

    market: Market
    rules: exact_lots.LotRules
    start: FloatArray


def asked_of(seed: int) -> Asked:
    """What HiGHS is asked about a random chain."""
    found: list[Asked] = []

    def solve(self: exact_lots._Lots, start: FloatArray, options: Any, on_progress: Any) -> None:
        found.append(Asked(self.market, self.rules, start))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact_lots._Lots, "solve", solve)
        decide(head(random_chain(seed).state, nothing_learnt(), 0))
    (asked,) = found
    return asked


def best_of(asked: Asked, far: bool) -> exact_lots.LotPlan:
    """far: whether or not it pays."""
    with pytest.MonkeyPatch.context() as patch:
        if far:
            patch.setattr(exact_lots._Lots, "_most_that_pays", lambda lots, plan: lots.most)
        options = {**OPTIONS, "mip_max_nodes": MOST_NODES, "mip_abs_gap": 0.0, "mip_rel_gap": 0.0}
        plan = SOLVE(exact_lots._Lots(asked.market, asked.rules), asked.start, options, never_stop)
    assert plan is not None and plan.nodes < MOST_NODES
    return plan


@each_seed((4, 9, 24, 26, 27, 28, 33, 36, 43))
def test_the_best_plan_starts_no_more_than_pays(seed: int) -> None:
    """The best of all plans, found without it, keeps it; with it the best one costs the same, and is bounded."""
    asked = asked_of(seed)
    lots = exact_lots._Lots(asked.market, asked.rules)
    at = lots.programme.way_index, lots.programme.way_bucket
    begun = lots._with_deliveries(lots._columns_of(asked.start))
    assert begun is not None
    pays = lots._most_that_pays(begun)
    assert (pays <= lots.most).all() and pays.sum() < 0.9 * lots.most.sum()
    assert (pays >= asked.start[at] - 1e-6).all()
    best = best_of(asked, far=True)
    assert (best.solution.started[at] <= pays + 1e-6).all()
    found = best_of(asked, far=False)
    assert found.total_cost == pytest.approx(best.total_cost, rel=1e-6)
    assert found.bound <= best.total_cost + 1e-6 * max(best.total_cost, 1.0)
