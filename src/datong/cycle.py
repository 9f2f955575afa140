"""The loop: six verbs in order. Read this first.

A state of the world goes in; a plan with its reasons comes out; what happens next is in the next state, and
`learn` turns it into what the next cycle knows better. Nothing here reads or writes: the caller passes in the
state, what was learnt, past runs and the seed, and keeps what comes back.

Every question to a chain begins with `head` and, where it needs a plan, goes on with `decide`: so a run, a balance, a
quote and a replay see the same chain and give the same orders.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from datong.balance.conflict import refuse_conflicts
from datong.balance.cost_and_flow_tables import futures
from datong.balance.exact_lots import lot_rules
from datong.balance.expiry_told import expiry_told
from datong.balance.no_room_for_smallest_lot import unformed
from datong.balance.pack import pack
from datong.balance.picks import picked
from datong.balance.shares_told import shares_told
from datong.balance.solution import USUAL_LIMITS, Limits, OnProgress, never_stop
from datong.balance.solvers import (
    Cleared,
    better_lots,
    cleared,
    fits_integers,
    in_orders,
    in_whole_units,
    states_lots,
    with_set_up_bound,
    with_set_up_prices,
)
from datong.balance.stock_limits import stock_told
from datong.dispatch.orders_due_for_release import dispatch
from datong.forecast.paths import forecast
from datong.learn.scores import learn
from datong.ledger.protocol import RunRecord
from datong.ledger.state import REFUSED, State
from datong.lots_put_off import lots_of, started_by, with_costs, within_days
from datong.model.findings import Finding
from datong.model.flow import Clearing, Forecast, Learnt, OrderMessage, Plan, Sensed
from datong.model.settings import ChainSettings
from datong.network.forecast_netting import with_orders
from datong.network.netting_told import parts_told
from datong.network.position import Position, position
from datong.network.rows_in_plan import not_planned
from datong.plan.choose_lots import choose
from datong.plan.lots_product_by_product import OnTurn, no_hurry
from datong.plan.orders import orders_of
from datong.plan.planning_inputs import Chosen
from datong.sense.signals import sense

STAGES = ("sense", "forecast", "balance", "plan", "dispatch", "learn")
# Tables of the state that each stage reads, in the network as well. The forecast reads what was sensed.
_CALENDARS = ("calendars", "calendar_days", "line_calendar")
_RECIPES = ("recipes", "recipe_steps", "recipe_lines", "recipe_outputs", "components")
_MASTER = ("products", "sites", "lines", *_CALENDARS, *_RECIPES, "offers", "offer_price_breaks", "lanes", "economics")
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
    "dispatch": ("products", "sites", "lines", "recipes", "recipe_steps", "offers", "orders", "order_events"),
    "learn": ("products", "recipes", "stock", "shipments", "production", "orders", "order_events"),
}


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
        found = (*found, *_told(market, head.state.settings))
        return Decision(market, market, market.tables(head.demand), None, found)
    on_stage("plan")
    state, demand = head.state, head.demand
    chosen = stages.plan(state, demand, market.tables(demand), head.learnt, head.where, on_turn(market))
    rules = lot_rules(market.market, market.market.products.whole)
    started = started_by(market, chosen.lots)
    given_out = in_orders(market, started, market.market.orders_in(started))
    if len(picked(market.market)):  # in the buckets in which they are taken
        chosen = replace(chosen, lots=lots_of(given_out, chosen))
    if states_lots(market.market) and fits_integers(market.market, rules):
        on_stage("lots")
        given_out = better_lots(given_out, rules, limits, on_progress)
        chosen = replace(chosen, lots=lots_of(given_out, chosen))
    elif states_lots(market.market):
        given_out = with_set_up_bound(given_out)
    within = within_days(head.state, head.demand, given_out, chosen)
    if within is not given_out:
        given_out, chosen = within, replace(chosen, lots=lots_of(within, chosen))
    given_out = with_set_up_prices(given_out)
    stock = stock_told(given_out.market, given_out.outcome.stock, state.settings)
    found = (*of_demand(head), *stock, *_told(given_out, state.settings), *unformed(given_out, rules))
    return Decision(market, given_out, given_out.tables(demand), chosen, found)


def _told(plan: Cleared, settings: ChainSettings) -> tuple[Finding, ...]:
    """Which shares of a product are missed, and which stock goes bad."""
    shares = shares_told(plan.market, plan.solution.started)
    return (*shares, *expiry_told(plan.market, plan.solution, plan.outcome, settings))


def of_demand(head: Head) -> tuple[Finding, ...]:
    """Which part of forecasts is firm orders, and which rows of `demand` are not planned for, where any are."""
    return (*parts_told(head.demand.netting, head.state.settings.calendar), *not_planned(head.state))


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
    return replace(plan, after_due=with_costs(plan.after_due, decision.given_out, begun.state.settings.calendar))
