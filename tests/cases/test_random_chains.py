"""Random small chains: the referee and the product agree on what a plan does, figure by figure."""

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from cases import referee
from cases.plans import Plan, feasible, says_what_it_does, whole
from cases.random_chains import (
    BILL_FEATURES,
    CO_PRODUCTS,
    FEATURES,
    LARGEST,
    MONDAY,
    PRODUCT_FEATURES,
    RHYTHM,
    RandomChain,
    random_chain,
)
from datong.cycle import Decision, Head, decide, head, written
from datong.model.errors import NoPlan
from datong.model.flow import Clearing, nothing_learnt
from datong.network.committed import committed
from datong.network.facts import chain_facts
from datong.network.position import position
from datong.questions.clear_market import orders_in_fractions

SEEDS = range(40)
# An order that is out begins two days later than agreed, and a component of its bill ends in between.
PUT_OFF = 102
# What a planner's lots leave out, so that the market without lots is the plan.
IN_LOTS = (
    *("lots", "multiples", "set-up hours", "set-up cost", "smallest purchase", "per lot", "scrap at set-up"),
    "price breaks",
    "largest lots",
)
NEAR = {"rel": 1e-6, "abs": 1e-6}


class RandomPlan(Plan):
    """The plan of a random chain, with the books that the product keeps of it."""

    def __init__(self, made: RandomChain, orders: pa.Table, clearing: Clearing, in_pieces: bool = True) -> None:
        result = SimpleNamespace(
            orders=SimpleNamespace(arrow=orders),
            gaps=SimpleNamespace(arrow=clearing.gaps),
            cost=SimpleNamespace(arrow=pa.table({"term": list(clearing.cost), "money": list(clearing.cost.values())})),
        )
        super().__init__("run", result, (), None, MONDAY)  # ty: ignore[invalid-argument-type]
        object.__setattr__(self, "made_of", made)
        object.__setattr__(self, "in_pieces", in_pieces)
        object.__setattr__(self, "clearing", clearing)

    @cached_property
    def chain(self) -> referee.Chain:
        """The chain, with orders that the product says begin later than they say moved there."""
        chain = referee.chain_of_state(self.made_of.settings, MONDAY, moved(self.made_of))
        return replace(chain, in_pieces=self.in_pieces, picks=picks_of(chain, self.clearing))


def picks_of(chain: referee.Chain, clearing: Clearing) -> dict[tuple[str, str, int], dict[str, float]]:
    """Units made with each of alternatives, by recipe or step, group and bucket, as the plan says them."""
    found: dict[tuple[str, str, int], dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for r in clearing.quantities.to_pylist():
        if r["kind"] == "serve" and r["recipe"] is not None:
            way, pick = r["recipe"].split(": ", 1)
            label, component = pick.rsplit(" = ", 1)
            group = label.removeprefix(f"{way}/").rstrip("'")
            found[way.split(" (")[0], group, chain.bucket(r["start"])][component] += r["started_units"]
    return {key: dict(units) for key, units in found.items()}


def moved(made: RandomChain) -> dict[str, Any]:
    """The tables of a chain with its orders where they can begin, as the product tells its planner."""
    state, settings = made.state, made.settings
    starts = settings.calendar.starts(state.first_open_bucket, settings.horizon_buckets)
    facts = chain_facts(state, starts, nothing_learnt())
    put_off = committed(facts, position(state), starts, settings.calendar, settings.frozen_buckets).put_off
    later = {one.order.order: one for one in put_off}
    tables = {name: [dict(row) for row in rows] for name, rows in made.tables.items()}
    for row in tables.get("orders", []):
        one = later.get(row["order"])
        if one is not None:
            # Beyond the horizon it takes nothing and brings nothing.
            far = starts[-1] + timedelta(days=90)
            row["was_to_start"] = row["start"]
            row["start"] = far if one.start is None else starts[one.start]
            row["due"] = far if one.start is None or one.arrives is None else starts[one.arrives]
            row["units"] = one.units if one.start is not None else row["units"]
    return tables


def begun(made: RandomChain) -> Head:
    return head(made.state, nothing_learnt(), 0)


def given_out(made: RandomChain) -> RandomPlan:
    """The orders that a cycle gives out."""
    start = begun(made)
    decision = decide(start)
    names = ("order", "kind", "product", "recipe", "offer", "lane", "units", "start", "due", "site", "from_site")
    rows = [{name: getattr(o, name) for name in names} for o in written(start, decision).orders]
    none = {name: pa.string() for name in names}
    orders = pa.Table.from_pylist(rows) if rows else pa.table({n: pa.array([], t) for n, t in none.items()})
    return RandomPlan(made, orders, decision.clearing)


def in_fractions(made: RandomChain) -> tuple[Decision, RandomPlan]:
    decision = decide(begun(made), whole=False)
    return decision, RandomPlan(
        made,
        orders_in_fractions(decision.given_out, decision.clearing, made.state.settings.calendar),
        decision.clearing,
        in_pieces=False,
    )


def books_differ(plan: RandomPlan) -> dict[str, tuple[float, float]]:
    """Hours of lines, and what is made, received, used and moved, as the product books them and as the referee adds
    them up, where they differ; and what does not add up within the books."""
    found: dict[str, tuple[float, float]] = {}

    def hold(what: str, said: float, added: float) -> None:
        if abs(said - added) > 1e-4 * max(1.0, abs(added)):
            found[what] = (said, added)

    clearing, chain, outcome = plan.clearing, plan.chain, plan.best
    worked: dict[tuple[str, int], float] = defaultdict(float)
    for r in clearing.hours.to_pylist():
        parts = r["run_hours"] + r["setup_hours"] + r["under_way_hours"]
        worked[r["line"], chain.bucket(r["bucket"])] += parts
        hold(f"available hours of {r['line']} {r['bucket']}", r["available_hours"], parts + r["free_hours"])
    for key in sorted(set(worked) | set(outcome.hours)):
        if 0 <= key[1] < chain.buckets:
            hold(f"hours of {key[0]} {chain.starts(key[1])}", worked[key], outcome.hours[key])
    stock: dict[tuple[str, str], float] = defaultdict(float)
    for r in clearing.flow.sort_by([("bucket", "ascending")]).to_pylist():
        place = r["product"], r["site"]
        into = r["made_units"] + r["received_units"] + r["moved_in_units"]
        out_of = r["used_units"] + r["moved_out_units"] + r["taken_units"] + r["delivered_units"] + r["wasted_units"]
        hold(f"closing stock of {place} {r['bucket']}", r["closing_units"], r["opening_units"] + into - out_of)
        if place in stock:
            hold(f"opening stock of {place} {r['bucket']}", r["opening_units"], stock[place])
        hold(f"stock below nothing of {place} {r['bucket']}", min(r["closing_units"], 0.0), 0.0)
        stock[place] = r["closing_units"]
    money: dict[str, float] = defaultdict(float)
    for r in clearing.money.to_pylist():
        money[r["term"]] += r["money"]
        if r["rate"] is not None and r["quantity"] is not None:
            hold(f"money of {r['term']} {r['product']} {r['name']}", r["money"], r["quantity"] * r["rate"])
    for term in sorted(set(money) | set(clearing.cost)):
        hold(f"money, {term}", money[term], clearing.cost.get(term, 0.0))
    for r in clearing.gaps.to_pylist():
        due = r["on_time_units"] + r["late_units"] + r["lost_units"]
        hold(f"demand for {r['product']} {r['bucket']}", r["demand_units"], due)
        hold(f"refused of {r['product']} {r['bucket']}", max(r["refused_units"] - r["lost_units"], 0.0), 0.0)
    return found


def test_a_seed_gives_one_chain_and_every_feature_comes():
    chains = [random_chain(seed) for seed in range(60)]
    assert all(made == random_chain(made.seed) for made in chains)
    assert frozenset().union(*(made.has for made in chains)) == {
        *FEATURES,
        *BILL_FEATURES,
        *PRODUCT_FEATURES,
        *CO_PRODUCTS,
        *RHYTHM,
        *LARGEST,
    }
    every = {*FEATURES, *BILL_FEATURES, *PRODUCT_FEATURES, *CO_PRODUCTS, *RHYTHM, *LARGEST}
    assert not random_chain(1, without=every).has


def test_both_sides_read_the_same_tables():
    for seed in range(20):
        made = random_chain(seed)
        for name in made.tables:
            assert made.state.versions(name).num_rows == len(made.chain.rows(name)), (seed, name)


@pytest.mark.parametrize("seed", [*SEEDS, PUT_OFF])
def test_what_is_shown_is_what_the_orders_do(seed: int):
    """Orders that are out, overdue demand and all: no rule broken, and every figure as the referee has it."""
    made = random_chain(seed)
    try:
        plan = given_out(made)
    except NoPlan:  # what is locked cannot run: nor does the referee find that it can
        assert referee.walk(made.chain, []).broken
        return
    feasible(plan)
    whole(plan)
    says_what_it_does(plan)
    assert books_differ(plan) == {}
    assert sum(plan.clearing.cost.values()) == pytest.approx(plan.best.total_cost, **NEAR)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_market_without_lots_costs_what_the_referee_adds_up(seed: int):
    """Two programs that share no line: the market's optimum, and its orders walked with the cheapest deliveries."""
    decision, plan = in_fractions(random_chain(seed, without=(*IN_LOTS, "locked")))
    feasible(plan)
    says_what_it_does(plan)
    assert books_differ(plan) == {}
    assert decision.given_out.total_cost == pytest.approx(plan.best.total_cost, **NEAR)


def test_the_chains_are_not_idle() -> None:
    plans = [given_out(random_chain(seed, without=["locked"])) for seed in range(14)]
    assert sum(len(plan.orders) for plan in plans) > 50
    assert sum(plan.best.total_cost > 0 for plan in plans) > 5
