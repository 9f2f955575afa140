"""After a change to the network the search goes on from the prices before."""

from pathlib import Path

import pytest

from datong.balance import price_search
from datong.balance.avoidable import unavoidable_cost
from datong.balance.pack import pack
from datong.balance.solution import Limits
from datong.model.flow import nothing_learnt
from datong.network.position import position

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
GAP = 0.02


def test_the_first_climb_after_a_change_ends_early_and_the_gap_is_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    from network.chain import changed, generated

    def market_of(chain):
        return pack(chain.state, chain.demand, nothing_learnt(), position(chain.state))

    chain = generated(100, 1)
    before = price_search.solve(market_of(chain), Limits(0.01)).solution.prices
    steps = {}
    for near in (price_search.WARM_NEAR, 1.0):
        monkeypatch.setattr(price_search, "WARM_NEAR", near)
        for change in ("surge", "line down"):
            market = market_of(changed(chain, change, 1))
            found = price_search.solve(market, Limits(GAP), start=before)
            cost = sum(found.outcome.cost.values())
            assert cost - found.bound <= GAP * (cost - unavoidable_cost(market))
            steps[near] = steps.get(near, 0) + found.solution.iterations
    early, late = steps.values()
    assert early < 0.8 * late
