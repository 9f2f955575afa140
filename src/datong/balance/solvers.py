"""Balance: demand against capacity, materials and stock -> who makes how much when, and what capacity is worth.

A door is a solver: prices (price_search.py), HiGHS (highs.py), integers (exact_lots.py). Here it is chosen by the size
of the market and its rules, and given its limits.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Literal

import numpy as np

from datong.balance import exact_lots, highs, leftovers, price_search
from datong.balance.arrays import Market
from datong.balance.avoidable import unavoidable_cost
from datong.balance.bound import is_below, lower_bound
from datong.balance.clearing_tables import is_set_up, read_back
from datong.balance.deliveries import deliver
from datong.balance.evaluate import Outcome, arrived_units, evaluate, fewest_wasted, used_units, with_fewest_wasted
from datong.balance.long_lot_spans import hours_worked
from datong.balance.pack import pack
from datong.balance.picks import picked_when_taken
from datong.balance.solution import USUAL_LIMITS, Limits, OnProgress, Prices, Solution, never_stop
from datong.ledger.state import State
from datong.model.errors import Refused
from datong.model.flow import Clearing, FloatArray, Forecast, Learnt
from datong.model.words import Message, message
from datong.network.position import Position, position

Door = Literal["auto", "highs", "prices"]

# Above this many pieces of cost curves (products x buckets x breakpoints) a chain goes through the door of prices: one
# whose products share only lines, and one whose products share components. HiGHS is the faster one below (doors.py,
# balance.py and cycle.py in benchmarks).
EXACT_UP_TO, EXACT_UP_TO_WITH_COMPONENTS = 1_000_000, 10_000
# Up to so many whole-number columns HiGHS looks for better lots than the plan stage's, for at most as many nodes as
# its limits say: a count and no time, so that the plan is the same each time.
INTEGER_UP_TO = 1_500
# With more pieces of cost curves than this, of uncertain demand, a search for better lots takes long and finds little.
PIECES_IN_LOTS = 5_000
# With components it decides all whole numbers beside all pieces: above so many of the ones times the others it takes
# more than a minute. Ten weeks of twenty products at two sites, of uncertain demand, are 1.7 million.
WHOLE_TIMES_PIECES = 1_000_000
# It looks on until its gap is at most this share of what can be avoided, whatever gap the market was cleared to: so a
# run and a balance end with the same lots.
LOTS_GAP = 1e-4
# Up to so many pieces of cost curves the prices of a plan in lots are worked out anew with its set-ups fixed; those of
# a larger one are prices of the market without lots.
SET_UP_PRICES_UP_TO = 50_000
# Up to so many whole-number columns a chain that states no lots is planned in whole units whenever its balance is
# asked for; a larger one only where that is asked for, as every run does.
WHOLE_UP_TO = 10_000
# Of a cost, what is rounding.
NOTHING = 1e-9


@dataclass(frozen=True, eq=False)
class Cleared:
    """A market with a plan: its quantities, deliveries and prices, what it does and costs, and a bound.

    lots: (way, bucket) orders started there, each with its way's set-up; None: the plan is in any quantities, as the
    linear market gives it. bound: no plan of this kind, fixed now, costs less. market_bound: the bound of the linear
    market, which knows no lots; the same where nothing comes in lots.
    """

    market: Market
    solution: Solution
    outcome: Outcome
    bound: float
    market_bound: float
    lots: FloatArray | None = None

    @property
    def total_cost(self) -> float:
        return sum(self.outcome.cost.values())

    def tables(self, demand: Forecast) -> Clearing:
        """The plan as tables; `demand` gives the markets to which its products' demand belongs."""
        return read_back(self.market, demand, self.solution, self.outcome, self.bound, self.lots)


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
    """`cleared` as tables."""
    return cleared(market, door, limits, on_progress, start).tables(demand)


def cleared(
    market: Market,
    door: Door = "auto",
    limits: Limits = USUAL_LIMITS,
    on_progress: OnProgress = never_stop,
    start: Prices | None = None,
) -> Cleared:
    """Clears a packed market in any quantities.

    limits, on_progress: when to stop; the best plan so far is then given, with its gap. start: prices to begin with, of
    an earlier clearing (`warm_prices`); HiGHS makes no use of them. Raises NoPlan where there is no plan yet,
    Refused where the door asked for does not know a rule of the chain.
    """
    unknown = market.rules.unknown_to_search
    if door == "auto":
        door = "highs" if fits_highs(market) or unknown or market.has_circles else "prices"
    if door == "prices" and unknown:
        raise Refused(message("balance.unknown_to_prices", rules=_named(unknown)))
    if door == "prices" and market.has_circles:
        raise Refused(message("balance.circles_unknown_to_prices"))
    if door == "highs":
        found = highs.solve(market, limits=limits, on_progress=on_progress)
        outcome, bound = None, lower_bound(market, found.prices)
    else:  # costed and bounded by the same two, while it searched
        searched = price_search.solve(market, limits, on_progress, start)
        found, outcome, bound = searched.solution, searched.outcome, searched.bound
    # Both let what is picked of alternatives lie, where that costs no more.
    started = picked_when_taken(market, found.started, None)
    if outcome is None or started is not found.started:
        if started is not found.started and found.wasted.any():
            found = replace(found, wasted=fewest_wasted(market, started, found.issued, found.substituted))
        if door == "highs":
            found = with_fewest_wasted(market, replace(found, started=started))
        plan = (started, found.issued, found.turned_away, found.substituted, found.wasted)
        outcome = evaluate(market, *plan)
    solution = replace(found, started=started)
    total = sum(outcome.cost.values())
    assert is_below(bound, total, market, 1e-9), "the bound lies above the cost: one of them is wrong"
    bound = max(bound, total - found.gap)  # of whole numbers that HiGHS decided the prices know nothing
    bound = float(np.minimum(bound, total))
    return Cleared(market, solution, outcome, bound, bound)


def fits_highs(market: Market) -> bool:
    """Whether the linear programme is small enough for HiGHS to be the faster door."""
    most = EXACT_UP_TO if market.single_level else EXACT_UP_TO_WITH_COMPONENTS
    return highs.piece_count(market) <= most


# in lots ------------------------------------------------------------------------------------------


def states_lots(market: Market) -> bool:
    """Whether any way has a smallest lot, a lot multiple or a set-up, takes longer than a bucket, is a step of several,
    whose whole units want the hours of one line after the other, or brings co-products, many of which may come of a
    whole unit."""
    if market.rules.co_products.is_there:
        return True
    return any(w.min_units or w.multiple_units or w.sets_up or w.span > 1 or w.place for w in market.ways.facts)


def in_whole_units(market: Market) -> bool:
    """Whether a balance or a quote is planned in lots and whole units unasked: it states lots, or is not large."""
    return states_lots(market) or int(market.ways.is_open.sum()) <= WHOLE_UP_TO


def fits_integers(market: Market, rules: exact_lots.LotRules) -> bool:
    """Whether HiGHS looks for lots: the chain is small."""
    whole, pieces = exact_lots.column_count(market, rules), highs.piece_count(market)
    takes_long = not market.single_level and whole * pieces > WHOLE_TIMES_PIECES
    return whole <= INTEGER_UP_TO and pieces <= PIECES_IN_LOTS and not takes_long


def better_lots(
    given_out: Cleared,
    rules: exact_lots.LotRules,
    limits: Limits = USUAL_LIMITS,
    on_progress: OnProgress = never_stop,
) -> Cleared:
    """The plan in lots, or a cheaper one that HiGHS finds from there, with its bound for every plan in lots."""
    market = given_out.market
    options = {**highs.OPTIONS, "mip_max_nodes": limits.most_nodes}
    if limits.time_limit_s is not None:
        options["time_limit"] = limits.time_limit_s
    avoidable = max(given_out.market_bound - unavoidable_cost(market), 0.0)
    close = min(limits.gap_share, LOTS_GAP) * avoidable
    found = exact_lots.solve(market, rules, given_out.solution.started, close, options, on_progress)
    if found is None:
        return given_out
    bound = max(given_out.bound, found.bound)
    if found.total_cost < given_out.total_cost - NOTHING * max(abs(given_out.total_cost), 1.0):
        started = found.solution.started
        # A set-up without a unit is no order: HiGHS may leave one where it costs no more than its gap.
        better = in_orders(given_out, started, market.orders_in(started))
        given_out = min(given_out, better, key=lambda plan: plan.total_cost)  # HiGHS delivers parts of a unit
    total = given_out.total_cost
    assert is_below(bound, total, market, 1e-6), "the bound lies above the cost in lots: one of them is wrong"
    solution = replace(given_out.solution, door="integer", iterations=found.nodes)
    return replace(given_out, solution=solution, bound=float(min(bound, total)))


def in_orders(cleared: Cleared, started: FloatArray, lots: FloatArray) -> Cleared:
    """What orders do and cost, with the deliveries that suit them best. started: (way, bucket) units; lots: (way,
    bucket) how many orders they are. Raises AssertionError where they break a rule of the market."""
    market = cleared.market
    started = picked_when_taken(market, started, lots)
    solution = deliver(market, replace(cleared.solution, started=started), lots)
    outcome = evaluate(
        market,
        solution.started,
        solution.issued,
        solution.turned_away,
        solution.substituted,
        solution.wasted,
        lots,
        whole=True,
    )
    bound = cleared.bound
    if cleared.lots is None:  # that of any quantities, where no order eats stock and nothing is left over for a living
        bound -= market.rules.per_lot.most_saved(market) + leftovers.most_saved(market)
    return replace(cleared, solution=solution, outcome=outcome, bound=bound, lots=lots)


def with_set_up_bound(given_out: Cleared) -> Cleared:
    """The same plan with the better of its bound and that in which each lot pays for its set-up, at its prices, which
    are those of the market in any quantities."""
    market = given_out.market
    in_lots = lower_bound(market, given_out.solution.prices, in_lots=True) - leftovers.most_saved(market)
    return replace(given_out, bound=float(min(max(given_out.bound, in_lots), given_out.total_cost)))


def can_start(market: Market, started: FloatArray, lots: FloatArray) -> bool:
    """Whether orders are within what ways, lines with their overtime, stocks and rules allow, whatever is delivered of
    them. started: (way, bucket) units; lots: (way, bucket) how many orders they are."""
    arrived = arrived_units(market, started)
    comes = market.stock.fixed + arrived - used_units(market, started)
    market.rules.per_lot.take_off(comes, lots)
    stock = np.cumsum(comes, axis=1)
    return bool(
        (started <= market.ways.limit + exact_lots.ROUNDING).all()
        and (hours_worked(market, started, lots) <= market.most_hours + exact_lots.ROUNDING).all()
        and stock.min(initial=0.0) >= -exact_lots.ROUNDING
        and all(rule.lets_start(market, arrived, stock) for rule in market.rules.there)
    )


def with_set_up_prices(given_out: Cleared) -> Cleared:
    """The same plan with prices that hold while its set-ups stay as they are (`set_ups_fixed`). As it is where nothing
    is set up or HiGHS does not fit."""
    if not prices_fix_set_ups(given_out):
        return given_out
    prices = highs.solve(set_ups_fixed(given_out)).prices
    return replace(given_out, solution=replace(given_out.solution, prices=prices))


def prices_fix_set_ups(given_out: Cleared) -> bool:
    """Whether the plan's prices are to hold while its set-ups stay as they are: it has some, and is not large."""
    market = given_out.market
    is_small = fits_highs(market) and highs.piece_count(market) <= SET_UP_PRICES_UP_TO
    return given_out.lots is not None and states_lots(market) and is_small


def set_ups_fixed(given_out: Cleared) -> Market:
    """The market in which only the ways that the plan sets up can start, on the hours that the set-ups leave."""
    market, lots = given_out.market, given_out.lots
    assert lots is not None
    open_there = market.ways.is_open & (~is_set_up(market)[:, None] | (lots > 0))
    limit = market.ways.limit.copy()
    limited = np.flatnonzero(is_set_up(market) & np.isfinite(market.largest_lot))
    limit[limited] = np.minimum(limit[limited], lots[limited] * market.largest_lot[limited, None])
    hours, fixed = hours_worked(market, np.zeros(lots.shape), lots), market.stock.fixed.copy()
    market.rules.per_lot.take_off(fixed, lots)
    return replace(
        market,
        ways=replace(market.ways, is_open=open_there, limit=np.where(open_there, limit, 0.0)),
        lines=replace(market.lines, hours=np.maximum(market.lines.hours - hours, 0.0)),
        stock=replace(market.stock, fixed=fixed),
    )


def _named(rules: Sequence[str]) -> Message:
    """Rules in words, one after the other."""
    names = [message(f"balance.rule_{rule.replace(' ', '_')}") for rule in rules]
    return reduce(lambda before, name: message("balance.rule_and", before=before, name=name), names)
