"""The chain packed: facts, position and demand in, a Market (arrays.py) out; no solver here."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import numpy as np

from datong.balance.arrays import Demand, Lines, Market, Money, Places, Products, Stock, Uses, Ways
from datong.balance.rules import Rules, pools
from datong.balance.rules.rule import Chain
from datong.ledger.state import State
from datong.model.calendar import Calendar
from datong.model.flow import BoolArray, FloatArray, Forecast, Learnt
from datong.model.numbers_in_few_bytes import PackedArrays
from datong.network.committed import Committed, committed
from datong.network.demand_requests import asks_of
from datong.network.facts import ChainFacts, chain_facts, located
from datong.network.planned_demand import planned_demand
from datong.network.position import Position
from datong.network.rule_facts import NO_RULES, DemandClass, RuleFacts, rule_facts
from datong.network.ways import lead_buckets
from datong.network.weekly_limits import units_in_bucket
from datong.network.whole_units import whole_products


def pack(state: State, demand: Forecast, learnt: Learnt, where: Position) -> Market:
    """Arrays of the chain as known at the state's moment."""
    settings = state.settings
    facts = chain_facts(state, demand.bucket_starts, learnt, demand.items)
    asked = planned_demand(demand, where, facts, demand.bucket_starts, settings)
    rules = rule_facts(state, demand, where, asked, facts)
    market = pack_facts(facts, where, asked, demand.bucket_starts, settings.calendar, settings.frozen_buckets, rules)
    asks = asks_of(state, demand, where, facts, demand.bucket_starts)
    whole = whole_products(state, demand, facts)
    products = replace(market.products, whole=np.array([whole[p] for p in facts.products], dtype=bool))
    smallest = market.rules.smallest_delivery.rounded(products.whole[market.demand.product])
    rules_of = replace(market.rules, smallest_delivery=smallest)
    return replace(market, products=products, rules=rules_of, demand=replace(market.demand, asks=asks))


def pack_facts(
    facts: ChainFacts,
    where: Position,
    asked: dict[str, FloatArray],
    bucket_starts: tuple[date, ...],
    calendar: Calendar,
    frozen_buckets: int,
    rules: RuleFacts = NO_RULES,
) -> Market:
    """Arrays of facts, position and demand (product -> (path, bucket) units)."""
    arrays, at = facts.arrays, {p: i for i, p in enumerate(facts.products)}
    valid, use_open = arrays.open_in(bucket_starts)
    ways = _ways(facts, valid, calendar, bucket_starts, frozen_buckets)
    promised = committed(facts, where, bucket_starts, calendar, frozen_buckets)
    lines = _lines(facts, promised, len(bucket_starts))
    classes = [
        (at[p], c)
        for p in asked
        if p in at
        for c in rules.classes.get(p, (DemandClass(1.0, asked[p], rules.owed.get(p)),))
    ]
    demand = _demand(classes, len(bucket_starts))
    money = _money(facts)
    chain = Chain(
        products=facts.products,
        ways=ways.facts,
        span=ways.span,
        lines=lines.names,
        shared=facts.shared,
        classes=classes,
        sure=demand.sure,
        way_worth=_worth(facts, ways, money),
        frozen_buckets=frozen_buckets,
    )
    its_rules = Rules.of(rules, chain)
    is_component = np.zeros(len(facts.products), dtype=bool)
    is_component[arrays.use_component] = True
    is_component[its_rules.per_lot.component] = True
    is_component = pools(its_rules, demand.product, is_component, ways.product)
    its_rules = replace(its_rules, shelf_life=its_rules.shelf_life.only(is_component))
    its_rules = its_rules.in_no_pool(is_component, demand.product)
    plain_cost = arrays.least_costs(bucket_starts)
    if any(rule.earns for rule in its_rules.there):  # nobody makes what nobody asks for, only to have worked
        idle = ~is_component
        idle[demand.product] = False
        ways = _never_started(ways, idle)
    return Market(
        products=Products(
            names=facts.products,
            is_component=is_component,
            plain_cost=plain_cost,
            order=tuple(np.argsort(arrays.level, kind="stable").tolist()),
            whole=np.zeros(len(facts.products), dtype=bool),
        ),
        ways=ways,
        uses=Uses(
            way=arrays.use_way,
            component=arrays.use_component,
            units=arrays.use_units,
            is_open=use_open,
        ),
        lines=lines,
        bucket_starts=tuple(bucket_starts),
        stock=_stock(facts, where, promised, len(bucket_starts)),
        demand=demand,
        money=replace(money, salvage=its_rules.substitutes.honest_salvages(demand.product, money.salvage, plain_cost)),
        rules=its_rules,
        places=Places(stock_points=facts.stock_points, shared=facts.shared, label_of=facts.label_of),
    )


def _ways(
    facts: ChainFacts, valid: BoolArray, calendar: Calendar, bucket_starts: Sequence[date], frozen_buckets: int
) -> Ways:
    """valid: (way, bucket) whether its row holds then."""
    arrays, ways, buckets = facts.arrays, facts.ways, valid.shape[1]
    line_at = {name: i for i, name in enumerate(facts.line_hours)}
    lead = np.array([lead_buckets(w, calendar) for w in ways], dtype=np.int64)
    t = np.arange(buckets)
    is_open = valid & (t >= frozen_buckets) & (t + lead[:, None] < buckets)
    limit = np.full(is_open.shape, np.inf)
    for w in np.flatnonzero(np.isfinite([way.units_per_week for way in ways])):
        limit[w] = [units_in_bucket(ways[w].units_per_week, start, calendar.bucket_days) for start in bucket_starts]
    return Ways(
        facts=ways,
        product=arrays.product,
        line=np.array([line_at.get(w.line or "", -1) for w in ways], dtype=np.int64),
        hours=np.array([w.hours_per_unit for w in ways], dtype=np.float64),
        cost=arrays.cost,
        yield_share=arrays.yield_share,
        lead=lead,
        span=np.array([w.span for w in ways], dtype=np.int64),
        is_open=is_open,
        limit=np.where(is_open, limit, 0.0),
    )


def _never_started(ways: Ways, product: BoolArray) -> Ways:
    """The ways, none of which brings these products (product)."""
    is_open = ways.is_open & ~product[ways.product, None]
    return replace(ways, is_open=is_open, limit=np.where(is_open, ways.limit, 0.0))


def _lines(facts: ChainFacts, promised: Committed, buckets: int) -> Lines:
    names = tuple(facts.line_hours)
    hours, taken = (
        np.array([of_line[name] for name in names]).reshape(len(names), buckets)
        for of_line in (facts.line_hours, promised.hours)
    )
    return Lines(names=names, hours=hours - taken, hours_taken=taken)


def _stock(facts: ChainFacts, where: Position, promised: Committed, buckets: int) -> Stock:
    on_hand = located(facts, where).on_hand_units
    covering = np.zeros((len(facts.ways), buckets))
    for w, way in enumerate(facts.ways) if promised.covering else ():
        covering[w] = promised.covering.get(way.name, 0.0)
    at = {product: i for i, product in enumerate(facts.products)}
    taken = np.zeros((len(facts.products), buckets))
    for pull in promised.pulls:
        taken[at[pull.component], pull.bucket] += pull.units
    return Stock(
        opening=np.array([on_hand.get(p, 0.0) for p in facts.products], dtype=np.float64),
        fixed=np.array([promised.units[p] for p in facts.products]).reshape(len(facts.products), buckets),
        taken=taken,
        covering=covering,
    )


def _money(facts: ChainFacts) -> Money:
    economics = [facts.economics[p] for p in facts.products]
    return Money(
        holding=np.array([e.holding_per_bucket for e in economics], dtype=np.float64),
        late=np.array([e.late_per_bucket for e in economics], dtype=np.float64),
        lost_sale=np.array([e.lost_sale for e in economics], dtype=np.float64),
        waiting_at_end=np.array([e.waiting_at_end for e in economics], dtype=np.float64),
        salvage=np.array([e.salvage for e in economics], dtype=np.float64),
    )


def _worth(facts: ChainFacts, ways: Ways, money: Money) -> FloatArray:
    """(way) money: the most that an hour of its line can earn by it; 0 where it needs none."""
    earned = money.lost_sale[ways.product] * ways.yield_share
    works = np.array([w.line not in facts.shared for w in ways.facts], dtype=bool) & (ways.hours > 0)
    return np.where(works, earned / np.where(works, ways.hours, 1.0), 0.0)


def _demand(classes: Sequence[tuple[int, DemandClass]], buckets: int) -> Demand:
    """classes: each class of demand with the index of its product."""
    asked, none = [c.paths for _, c in classes], np.zeros((0, buckets))
    if all(len(paths) == 1 for paths in asked):
        sure = np.concatenate([none, *asked])
        cumulative: Sequence[FloatArray] = tuple(np.cumsum(sure, axis=1)[:, None])
    else:
        sure = np.concatenate([none, *(paths.min(axis=0, keepdims=True) for paths in asked)])
        cumulative = PackedArrays(np.cumsum(paths, axis=1) for paths in asked)
    product = np.array([p for p, _ in classes], dtype=np.int64)
    owed = np.array([0.0 if c.owed is None else c.owed.sum() for _, c in classes], dtype=np.float64)
    return Demand(product=product, cumulative=cumulative, sure=np.maximum(sure, 0.0), owed=owed)
