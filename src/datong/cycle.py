"""The loop: six verbs in order. Read this first.

A state of the world goes in; a plan with its reasons comes out; what happens next is in the next state, and
`learn` turns it into what the next cycle knows better. Nothing here reads or writes: the caller passes in the
state, what was learnt, past runs and the seed, and keeps what comes back.

Every question to a chain begins with `head` and, where it needs a plan, goes on with `decide`: so a run, a balance, a
quote and a replay see the same chain and give the same orders.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from datong.balance.conflict import refuse_conflicts
from datong.balance.cost_and_flow_tables import futures
from datong.balance.deliveries import late_costs
from datong.balance.exact_lots import lot_rules
from datong.balance.lots_not_formed import unformed
from datong.balance.pack import pack
from datong.balance.solution import USUAL_LIMITS, Limits, OnProgress, never_stop
from datong.balance.solvers import (
    Cleared,
    better_lots,
    can_start,
    cleared,
    fits_integers,
    in_orders,
    in_whole_units,
    states_lots,
    with_set_up_prices,
)
from datong.balance.stock_limits import stock_told
from datong.dispatch.orders_due_for_release import dispatch
from datong.forecast.paths import forecast
from datong.learn.scores import learn
from datong.ledger.protocol import RunRecord
from datong.ledger.state import REFUSED, State
from datong.model.calendar import Calendar
from datong.model.findings import Finding
from datong.model.flow import Clearing, FloatArray, Forecast, Learnt, OrderMessage, Plan, Sensed
from datong.network.forecast_netting import with_orders
from datong.network.horizon import EPOCH
from datong.network.netting_told import parts_told
from datong.network.position import Position, position
from datong.network.rows_in_plan import not_planned
from datong.plan.choose_lots import choose
from datong.plan.days_of_lots import Days
from datong.plan.earliest_due_first import worked_hours
from datong.plan.lots_along_clearing import NOTHING, Lot
from datong.plan.lots_product_by_product import OnTurn, no_hurry
from datong.plan.orders import orders_of
from datong.plan.out_by_day import dated
from datong.plan.pegging import Pegged
from datong.plan.planning_inputs import Chosen, Work
from datong.sense.signals import sense

STAGES = ("sense", "forecast", "balance", "plan", "dispatch", "learn")
# Tables of the state that each stage reads, in the network as well. The forecast reads what was sensed.
_CALENDARS = ("calendars", "calendar_days", "line_calendar")
_MASTER = ("products", "sites", "lines", *_CALENDARS, "recipes", "components", "offers", "lanes", "economics")
_RULES = ("demand", "substitutes", "firm_shares", "stock_rules")
# What products are, as buyers see them.
_LOOKED_AT = ("products", "product_attributes")
# What people say will change demand, and what they decided about findings.
STATED = ("promotions", "prices", "demand_adjustments", "decisions")
_MOVED = ("sales", "returns", "stock", "receipts", "shipments", "production", "orders", "order_events", REFUSED)
READS: Mapping[str, tuple[str, ...]] = {
    "sense": (*_LOOKED_AT, "sites", "demand", "sales", "returns", "stock", "reviews", "interest", *STATED),
    "forecast": (),
    "balance": (*_MASTER, *_RULES, *_MOVED),
    "plan": (*_MASTER, *_RULES, *_MOVED),
    "dispatch": ("sites", "lines", "recipes", "offers", "orders", "order_events"),
    "learn": ("products", "recipes", "stock", "shipments", "production", "orders", "order_events"),
}
# Lots whose days are looked at, over all turns, to count what days put into a later bucket there (`_within_days`): a
# count and no time, so that the plan is the same each time. What is left then is told by its day (`after_due`).
DAYS_LOOKED_AT = 20_000


@dataclass(frozen=True, eq=False)
class Head:
    """What every question to a chain begins with. where: the chain's position. Its locked orders can run."""

    state: State
    learnt: Learnt
    sensed: Sensed
    demand: Forecast
    where: Position


@dataclass(frozen=True)
class Stages:
    """The six functions that a cycle calls. A replay exchanges one to find out what it is worth.

    balance: the market in any quantities. plan: lots that a factory can run, for these quantities.
    """

    sense: Callable[[State], Sensed] = sense
    forecast: Callable[[Sensed, Learnt, int, int], Forecast] = forecast
    balance: Callable[[Head], Cleared] = lambda head: cleared(pack(head.state, head.demand, head.learnt, head.where))
    plan: Callable[[State, Forecast, Clearing, Learnt, Position, OnTurn], Chosen] = choose
    dispatch: Callable[[State, Plan], tuple[OrderMessage, ...]] = dispatch
    learn: Callable[[State, Sensed, Sequence[RunRecord], Position], Learnt] = learn


USUAL = Stages()


def head(
    state: State,
    learnt: Learnt,
    seed: int,
    on_stage: Callable[[str], None] = lambda stage: None,
    stages: Stages = USUAL,
) -> Head:
    """Sensed, forecast and position of a state. Raises NoPlan where orders that a planner locked cannot run."""
    on_stage("sense")
    where = position(state)
    refuse_conflicts(state, learnt, where)
    sensed = stages.sense(state)
    on_stage("forecast")
    expected = stages.forecast(sensed, learnt, state.settings.path_count, seed)
    demand = with_orders(state, expected, sensed.series.known_ahead_units)
    return Head(state, learnt, sensed, demand, where)


@dataclass(frozen=True, eq=False)
class Decision:
    """Orders and deliveries. market: the market in any quantities, behind them. given_out: what the orders do.

    chosen: the lots and what they were chosen from; None where the plan is in fractions of units. findings: which
    part of forecasts is firm orders, which rows of demand are not planned, and what keeps lots from being formed.
    """

    market: Cleared
    given_out: Cleared
    clearing: Clearing
    chosen: Chosen | None
    findings: tuple[Finding, ...] = ()


def decide(
    head: Head,
    stages: Stages = USUAL,
    whole: bool | None = True,
    limits: Limits = USUAL_LIMITS,
    on_progress: OnProgress = never_stop,
    on_stage: Callable[[str], None] = lambda stage: None,
    on_turn: Callable[[Cleared], OnTurn] = lambda market: no_hurry,
) -> Decision:
    """Clears the market and makes orders of it: in lots and whole units, with the deliveries that suit them best.

    whole: None: in fractions of units where the chain states no lots and is large (in_whole_units). limits,
    on_progress: when HiGHS may stop to look for better lots. on_turn: of a cleared market, how long lots may take.
    """
    on_stage("balance")
    market = stages.balance(head)
    if whole is None:
        whole = in_whole_units(market.market)
    if not whole:
        found = (*of_demand(head), *stock_told(market.market, market.outcome.stock, head.state.settings))
        return Decision(market, market, market.tables(head.demand), None, found)
    on_stage("plan")
    state, demand = head.state, head.demand
    chosen = stages.plan(state, demand, market.tables(demand), head.learnt, head.where, on_turn(market))
    rules = lot_rules(market.market, market.market.products.whole)
    started = started_by(market, chosen.lots)
    given_out = in_orders(market, started, np.where(started > NOTHING, 1.0, 0.0))
    if states_lots(market.market) and fits_integers(market.market, rules):
        on_stage("lots")
        given_out = better_lots(given_out, rules, limits, on_progress)
        chosen = replace(chosen, lots=lots_of(given_out, chosen))
    within = _within_days(head, given_out, chosen)
    if within is not given_out:
        given_out, chosen = within, replace(chosen, lots=lots_of(within, chosen))
    given_out = with_set_up_prices(given_out)
    stock = stock_told(given_out.market, given_out.outcome.stock, state.settings)
    found = (*of_demand(head), *stock, *unformed(given_out, rules))
    return Decision(market, given_out, given_out.tables(demand), chosen, found)


def of_demand(head: Head) -> tuple[Finding, ...]:
    """Which part of forecasts is firm orders, and which rows of `demand` are not planned for, where any are."""
    return (*parts_told(head.demand.netting, head.state.settings.calendar), *not_planned(head.state))


def _within_days(head: Head, given_out: Cleared, chosen: Chosen) -> Cleared:
    """The plan, with what is out or closed days do not let come in the bucket in which it is counted in a later one, as
    far as nothing else then lacks it. A line has too few hours for it from the day on which the last of what it takes
    of orders that are out is there, or it begins so late in its bucket that closed days put off its arrival."""
    work, tried, looked_at = chosen.work, set[tuple[str, int]](), 0
    if not _days_bind(work, given_out):
        return given_out
    while True:
        lots = lots_of(given_out, chosen)
        looked_at += len(lots)
        if looked_at > DAYS_LOOKED_AT and tried:
            return given_out
        clearing = given_out.tables(head.demand)
        hours = worked_hours(head.state, clearing, work.starts)
        found = dated(work, clearing, lots, hours, head.state.today)
        late = [lot for lot, of in found.days.items() if of.short_of is not None or _in_a_later_bucket(lot, of, work)]
        late = [lot for lot in late if (lot.way.name, lot.start) not in tried]
        if not late:
            return given_out
        lot = min(late, key=lambda one: (one.start, one.way.name))
        tried.add((lot.way.name, lot.start))
        left = found.days[lot].short_of or 0.0
        given_out = _moved_on(given_out, lot, left, work, _made_of(lot, found.found)) or given_out


def _days_bind(work: Work, plan: Cleared) -> bool:
    """Whether what is out or closed days can put what a plan starts into a later bucket than the one in which it is
    counted: something waits for orders that are out, or has a lead time that goes over closed days."""
    with_hours = {own.order.order for own in work.promised.worked}
    waits = (one for one in work.promised.comes if one.product in work.components)
    if any(one.day > work.starts[one.bucket] or one.order in with_hours for one in waits):
        return True
    starts = plan.solution.started.max(axis=1, initial=0.0) > NOTHING
    ways = (way for way, is_started in zip(plan.market.ways.facts, starts, strict=True) if is_started)
    return any(way.course is not None and way.lead_days > 0 and way.kind != "buy" for way in ways)


def _in_a_later_bucket(lot: Lot, days: Days, work: Work) -> bool:
    """Whether a lot is there after the bucket in which it is counted."""
    return days.due >= work.calendar.shift(work.starts[0], lot.arrive + 1)


def _made_of(lot: Lot, found: Pegged) -> tuple[Lot, ...]:
    """What takes of a lot in the bucket in which it is there, and what takes of that in turn."""
    rest, after = [lot], dict[Lot, None]()
    while rest:
        one = rest.pop()
        parents = [peg.use.parent for peg in found.pegs[one] if peg.use.parent is not None]
        more = [p for p in parents if p.start == one.arrive and p not in after and p != lot]
        after |= dict.fromkeys(more)
        rest += more
    return tuple(after)


def _moved_on(plan: Cleared, lot: Lot, hours: float, work: Work, made_of: Sequence[Lot]) -> Cleared | None:
    """The plan with as much of a lot as so many hours make, and the rest, or all of it, or that and what is made of it,
    in the first later bucket in which that can be; None where it cannot."""
    way = lot.way
    step = way.multiple_units or (1.0 if work.whole[way.product] else 0.0)
    fits = max(hours - way.setup_hours, 0.0) / way.hours_per_unit if way.hours_per_unit > 0 else 0.0
    fits = math.floor(fits / step + NOTHING) * step if step else fits
    part = [(lot, lot.units - fits)] if fits >= max(way.min_units, NOTHING) else []
    every = [(lot, lot.units), *((one, one.units) for one in made_of)]
    for moved in (part, every[:1], every):
        for by in range(1, plan.market.buckets - lot.start) if moved else ():
            if (found := _later(plan, moved, by)) is not None:
                return found
    return None


def _later(plan: Cleared, moved: Sequence[tuple[Lot, float]], by: int) -> Cleared | None:
    """The plan with units of lots so many buckets later; None where a way is not open then, a lot is too small, or
    hours, components or rules do not let them."""
    ways = plan.market.ways
    at = {facts.name: w for w, facts in enumerate(ways.facts)}
    started = plan.solution.started.copy()
    for lot, units in moved:
        w, then = at[lot.way.name], lot.start + by
        if then >= plan.market.buckets or not ways.is_open[w, then]:
            return None
        started[w, lot.start] -= units
        started[w, then] += units
    started[[facts.serves for facts in ways.facts]] = 0.0
    small = np.array([facts.min_units for facts in ways.facts])[:, None]
    lots = np.where(started > NOTHING, 1.0, 0.0)
    too_small = ((started > NOTHING) & (started < small - NOTHING)).any()
    return None if too_small or not can_start(plan.market, started, lots) else in_orders(plan, started, lots)


def started_by(cleared: Cleared, lots: Sequence[Lot]) -> FloatArray:
    """(way, bucket) units that lots start."""
    at = {w.name: i for i, w in enumerate(cleared.market.ways.facts)}
    started = np.zeros(cleared.market.ways.is_open.shape)
    for lot in lots:
        started[at[lot.way.name], lot.start] += lot.units
    return started


def lots_of(given_out: Cleared, chosen: Chosen) -> tuple[Lot, ...]:
    """The lots of a plan, by start, product and way."""
    market, work = given_out.market, chosen.work
    started = given_out.solution.started
    lots = [
        Lot(way := work.ways[market.ways.facts[w].name], int(t), work.arrive(way, int(t)), float(started[w, t]))
        for w, t in zip(*np.nonzero(started > NOTHING), strict=True)
    ]
    return tuple(sorted(lots, key=lambda x: (x.start, x.way.product, x.way.name)))


@dataclass(frozen=True, eq=False)
class CycleResult:
    """What each verb gave, in order. futures: the sample paths over which what is expected was taken."""

    sensed: Sensed
    forecast: Forecast
    decision: Decision
    futures: pa.Table
    plan: Plan
    messages: tuple[OrderMessage, ...]
    learnt: Learnt

    @property
    def clearing(self) -> Clearing:
        """What the orders do."""
        return self.decision.clearing


def run_cycle(
    state: State,
    learnt: Learnt,
    past_runs: Sequence[RunRecord],
    seed: int,
    on_stage: Callable[[str], None] = lambda stage: None,
    stages: Stages = USUAL,
    proposed: Sequence[pa.Table] = (),
) -> CycleResult:
    """One turn of the loop on what was known at `state.as_of`.

    learnt: what the cycle before this one learnt. past_runs: earlier runs, oldest first, for `learn` to score.
    on_stage: called with each stage's name as it starts. stages: others than the usual ones, in a replay. proposed:
    orders of every run so far, whose numbers stand for nothing else.
    """
    begun = head(state, learnt, seed, on_stage, stages)
    decision = decide(begun, stages, on_stage=on_stage)
    planned = written(begun, decision, proposed)
    on_stage("dispatch")
    messages = stages.dispatch(state, planned)
    on_stage("learn")
    learnt_now = stages.learn(state, begun.sensed, past_runs, begun.where)
    paths = futures(decision.market.market)
    return CycleResult(begun.sensed, begun.demand, decision, paths, planned, messages, learnt_now)


def written(begun: Head, decision: Decision, proposed: Sequence[pa.Table] = ()) -> Plan:
    """A decision's orders, numbered and with their reasons. proposed: orders of earlier runs, oldest first."""
    assert decision.chosen is not None, "a plan in fractions of units has no orders"
    work = decision.chosen.work
    # Sites that serve markets are deliveries, and stand in the plan beside the orders.
    lots = lots_of(decision.given_out, decision.chosen)
    plan = orders_of(begun.state, begun.sensed, begun.demand, decision.clearing, work, lots, proposed)
    return replace(plan, after_due=_with_costs(plan.after_due, decision.given_out, begun.state.settings.calendar))


def _with_costs(after_due: pa.Table, plan: Cleared, calendar: Calendar) -> pa.Table:
    """Rows of AFTER_DUE_SCHEMA with what their lateness would cost by the bucket of the day on which they are there."""
    rows = after_due.to_pylist()
    origin = plan.market.bucket_starts[0]
    later = [calendar.index(r["there_on"], origin) - max(calendar.index(r["due"], origin), 0) for r in rows]
    if not any(later):
        return after_due
    each = late_costs(plan.market)
    for row, buckets in zip(rows, later, strict=True):
        key = row["demand"], row["product"], row["due"].toordinal() - EPOCH
        row["late_cost"] = row["units"] * buckets * each[key] if buckets else 0.0
    return pa.Table.from_pylist(rows, schema=after_due.schema)
