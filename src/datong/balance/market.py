"""Balance: demand against capacity, materials and stock -> who makes how much when, and what capacity is worth."""

from collections.abc import Sequence
from functools import reduce
from typing import Literal

import numpy as np

from datong.balance import highs, prices
from datong.balance.bound import lower_bound
from datong.balance.clearing import read_back
from datong.balance.evaluate import evaluate
from datong.balance.pack import Market, pack
from datong.balance.solution import USUAL_LIMITS, Limits, OnProgress, Prices, never_stop
from datong.ledger.position import Position, position
from datong.ledger.state import State
from datong.model.errors import Refused
from datong.model.flow import Clearing, Forecast, Learnt
from datong.model.words import Message, message

Door = Literal["auto", "highs", "prices"]

# Above this many pieces of cost curves (products x buckets x breakpoints) a chain goes through the door of prices: one
# whose products share only lines, and one whose products share components. HiGHS is the faster one below (doors.py,
# balance.py and cycle.py in benchmarks).
EXACT_UP_TO, EXACT_UP_TO_WITH_COMPONENTS = 1_000_000, 10_000
# Rules beyond the linear core that the door of prices keeps: what it serves too late is turned away after it.
KNOWN_TO_PRICES = frozenset({"maximum lateness"})


def balance(
    state: State, demand: Forecast, learnt: Learnt, where: Position | None = None, door: Door = "auto"
) -> Clearing:
    """Clears the market: the cheapest plan fixed now, what is scarce and its price, and a bound on any better plan.

    door: 'highs' solves one linear programme; 'prices' searches the prices directly; 'auto' chooses by shape and size.
    Both give the same shape, costed and bounded by the same code. where: the state's position, where it is at hand.
    """
    return clear(pack(state, demand, learnt, where or position(state)), demand, door)


def clear(
    market: Market,
    demand: Forecast,
    door: Door = "auto",
    limits: Limits = USUAL_LIMITS,
    on_progress: OnProgress = never_stop,
    start: Prices | None = None,
) -> Clearing:
    """Clears a packed market; `demand` gives the markets to which its products' demand belongs.

    limits, on_progress: when to stop; the best plan so far is then given, with its gap. start: prices to begin with, of
    an earlier clearing (`warm_prices`); HiGHS makes no use of them. Raises NoPlan where there is no plan yet,
    Refused where the door asked for does not know a rule of the chain.
    """
    unknown = market.rules - KNOWN_TO_PRICES
    if door == "auto":
        most = EXACT_UP_TO if market.single_level else EXACT_UP_TO_WITH_COMPONENTS
        door = "prices" if highs.piece_count(market) > most and not unknown and not market.has_circles else "highs"
    if door == "prices" and unknown:
        raise Refused(message("balance.unknown_to_prices", rules=_named(sorted(unknown))))
    if door == "prices" and market.has_circles:
        raise Refused(message("balance.circles_unknown_to_prices"))
    if door == "highs":
        solution = highs.solve(market, limits=limits, on_progress=on_progress)
    else:
        solution = prices.solve(market, limits, on_progress, start)
    plan = (solution.started, solution.issued, solution.turned_away, solution.substituted, solution.wasted)
    outcome = evaluate(market, *plan)
    bound = lower_bound(market, solution.prices)
    total = sum(outcome.cost.values())
    assert bound <= total + 1e-9 * max(abs(total), 1.0), "the bound lies above the cost: one of them is wrong"
    return read_back(market, demand, solution, outcome, float(np.minimum(bound, total)))


def _named(rules: Sequence[str]) -> Message:
    """Rules in words, one after the other."""
    names = [message(f"balance.rule_{rule.replace(' ', '_')}") for rule in rules]
    return reduce(lambda before, name: message("balance.rule_and", before=before, name=name), names)
