"""Balance: demand against capacity, materials and stock -> who makes how much when, and what capacity is worth."""

from typing import Literal

import numpy as np

from datong.balance import highs, prices
from datong.balance.bound import lower_bound
from datong.balance.clearing import read_back
from datong.balance.evaluate import evaluate
from datong.balance.pack import Market, pack
from datong.ledger.position import Position, position
from datong.ledger.state import State
from datong.model.flow import Clearing, Forecast, Learnt

Door = Literal["auto", "highs", "prices"]

# Above this many pieces of cost curves (products x buckets x breakpoints) a chain whose products share only lines goes
# through the door of prices: they cross between half a million (`benchmarks/cycle.py`) and one and a half (`doors.py`).
EXACT_UP_TO = 1_000_000


def balance(
    state: State, demand: Forecast, learnt: Learnt, where: Position | None = None, door: Door = "auto"
) -> Clearing:
    """Clears the market: the cheapest plan fixed now, what is scarce and its price, and a bound on any better plan.

    door: 'highs' solves one linear programme; 'prices' searches the prices directly (single-level chains only);
    'auto' chooses by shape and size. Both give the same shape, costed and bounded by the same code. where: the state's
    position, where it is at hand.
    """
    return clear(pack(state, demand, learnt, where or position(state)), demand, door)


def clear(market: Market, demand: Forecast, door: Door = "auto") -> Clearing:
    """Clears a packed market; `demand` gives the markets to which its products' demand belongs."""
    if door == "auto":
        large = highs.piece_count(market) > EXACT_UP_TO
        door = "prices" if large and market.single_level and not market.has_circles else "highs"
    if door == "prices" and market.has_circles:
        raise ValueError("the door of prices hands prices up and quantities down; lanes in a circle have no up")
    solution = highs.solve(market) if door == "highs" else prices.solve(market)
    outcome = evaluate(market, solution.started, solution.issued, solution.turned_away)
    bound = lower_bound(market, solution.prices)
    total = sum(outcome.cost.values())
    assert bound <= total + 1e-9 * max(abs(total), 1.0), "the bound lies above the cost: one of them is wrong"
    return read_back(market, demand, solution, outcome, float(np.minimum(bound, total)))
