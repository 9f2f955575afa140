"""Balance: demand against capacity, materials and stock -> who makes how much when, and what capacity is worth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Literal

import numpy as np

from datong.balance import highs, integer, prices
from datong.balance.avoidable import unavoidable_cost
from datong.balance.bound import lower_bound
from datong.balance.clearing import read_back
from datong.balance.evaluate import evaluate
from datong.balance.pack import Market, pack
from datong.balance.solution import USUAL_LIMITS, Limits, OnProgress, Prices, never_stop
from datong.ledger.position import Position, position
from datong.ledger.state import State
from datong.model.errors import Refused
from datong.model.flow import BoolArray, Clearing, FloatArray, Forecast, Learnt
from datong.model.words import Message, message

Door = Literal["auto", "highs", "prices"]

# Above this many pieces of cost curves (products x buckets x breakpoints) a chain goes through the door of prices: one
# whose products share only lines, and one whose products share components. HiGHS is the faster one below (doors.py,
# balance.py and cycle.py in benchmarks).
EXACT_UP_TO, EXACT_UP_TO_WITH_COMPONENTS = 1_000_000, 10_000
# Up to so many whole-number columns HiGHS looks for better lots than the plan stage's, for at most so many nodes: a
# count and no time, so that the plan is the same each time.
INTEGER_UP_TO, MOST_NODES = 1_500, 200
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
        plan = (solution.started, solution.issued, solution.turned_away, solution.substituted, solution.wasted)
        outcome, bound = evaluate(market, *plan), lower_bound(market, solution.prices)
    else:  # costed and bounded by the same two, while it searched
        found = prices.solve(market, limits, on_progress, start)
        solution, outcome, bound = found.solution, found.outcome, found.bound
    total = sum(outcome.cost.values())
    assert bound <= total + 1e-9 * max(abs(total), 1.0), "the bound lies above the cost: one of them is wrong"
    return read_back(market, demand, solution, outcome, float(np.minimum(bound, total)))


@dataclass(frozen=True, eq=False)
class InLots:
    """A market cleared in lots. clearing: its quantities are orders in lots, its prices those of the linear market.

    cost: money by term, set-ups among them. bound: of every plan in lots. setups: (way, bucket).
    """

    clearing: Clearing
    cost: Mapping[str, float]
    bound: float
    setups: FloatArray


def clear_in_lots(
    market: Market,
    demand: Forecast,
    whole: BoolArray,
    start: FloatArray | None = None,
    limits: Limits = USUAL_LIMITS,
    on_progress: OnProgress = never_stop,
) -> InLots | None:
    """The market with set-ups, smallest lots, multiples and whole units; None where it is too large or has a rule that
    is not known in lots, or nothing was found.

    whole: (product) it comes in whole units. start: (way, bucket) units started by a plan in lots, which the answer is
    never dearer than.
    """
    if not integer.knows(market):
        return None
    rules = integer.lot_rules(market, whole)
    if integer.column_count(market, rules) > INTEGER_UP_TO:
        return None
    linear = highs.solve(market)
    bound = lower_bound(market, linear.prices)
    options = {**highs.OPTIONS, "mip_max_nodes": MOST_NODES}
    if limits.time_limit_s is not None:
        options["time_limit"] = limits.time_limit_s
    avoidable = max(bound - unavoidable_cost(market), 0.0)
    found = integer.solve(market, rules, start, limits.gap_share * avoidable, options, on_progress)
    if found is None:
        return None
    total = found.total_cost
    bound = max(bound, found.bound)
    assert bound <= total + 1e-6 * max(abs(total), 1.0), "the bound lies above the cost in lots: one of them is wrong"
    solution = replace(found.solution, prices=linear.prices)
    outcome = evaluate(market, solution.started, solution.issued, solution.turned_away)
    clearing = read_back(market, demand, solution, outcome, float(min(bound, total)))
    return InLots(clearing, found.cost, float(min(bound, total)), found.setups)


def _named(rules: Sequence[str]) -> Message:
    """Rules in words, one after the other."""
    names = [message(f"balance.rule_{rule.replace(' ', '_')}") for rule in rules]
    return reduce(lambda before, name: message("balance.rule_and", before=before, name=name), names)
