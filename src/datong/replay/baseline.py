"""A simple textbook policy to compare with: order up to the recent mean and a safety stock, and explode level by level
what is ordered into what it takes."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from statistics import NormalDist, mean, stdev

import pandas as pd

from datong.ledger.state import State
from datong.model.flow import Item, PlannedOrder, nothing_learnt
from datong.network.facts import ChainFacts, chain_facts, located
from datong.network.position import Position, position
from datong.network.way_arrays import components_first
from datong.network.ways import Way, lead_buckets
from datong.replay.scene_from_records import due_units
from datong.replay.unit_worth import cheapest_ways

# The mean and the spread are those of so many closed buckets.
WINDOW_BUCKETS = 4


def baseline_orders(state: State) -> list[PlannedOrder]:
    """Periodic review, order up to S (Silver, Pyke and Thomas 2017, section 6.7), exploded level by level:

        S = m (L + 1) + z s sqrt(L + 1)  of what buyers want   +   m' L + z s' sqrt(L)  of what goes into other orders

    m, s: mean and sample deviation of the demand due in the last WINDOW_BUCKETS closed buckets; m', s': of that of
    what it goes into, exploded. L: frozen buckets and lead time in buckets, to which one bucket of review is added;
    what other orders take in the first bucket is known, and comes on top. z: normal quantile of
    late / (late + holding). What is ordered is S less stock and what is under way, plus what is owed and what this
    bucket's orders and those under way take, by the cheapest way, rounded up to its lots. A stock point that a lane
    leads to orders a transfer along it. Orders start in the first bucket that is not frozen.
    """
    calendar, frozen = state.settings.calendar, state.settings.frozen_buckets
    bucket = state.first_open_bucket
    start = calendar.shift(bucket, frozen)
    facts = chain_facts(state, (start,), nothing_learnt())
    ways = {label: way for label, way in cheapest_ways(facts, (start,)).items() if way.is_open(start)}
    where = located(facts, position(state))
    own = _own_demand(state, facts, ways, bucket)
    exploded = _exploded(own, facts, ways)
    have = _have(where, facts, ways)
    orders = []
    for label in reversed(components_first(facts.products, tuple(ways.values()))):
        way = ways.get(label)
        if way is None or way.serves:
            continue
        costs, lead = facts.economics[label], frozen + lead_buckets(way, calendar)
        ratio = costs.late_per_bucket / max(costs.late_per_bucket + costs.holding_per_bucket, 1e-12)
        z = NormalDist().inv_cdf(min(max(ratio, 0.001), 0.999))
        units = _lots(_level(own[label], exploded[label], lead, z) - have[label], way)
        if units > 0:
            for use in way.uses:
                have[use.component] -= units * use.units_per_unit
            due = calendar.shift(bucket, lead)
            name = f"baseline|{start}|{label}"
            for part, of_one in enumerate(way.sizes(False).parts(units)):
                orders.append(_order(name if part == 0 else f"{name}|{part}", way, facts, of_one, start, due))
    return sorted(orders, key=lambda order: order.order)


def _level(own: Sequence[float], exploded: Sequence[float], lead: int, z: float) -> float:
    return (
        mean(own) * (lead + 1)
        + z * stdev(own) * math.sqrt(lead + 1)
        + mean(exploded) * lead
        + z * stdev(exploded) * math.sqrt(lead)
    )


def _served_from(ways: Mapping[str, Way], label: str) -> str:
    """The stock point that a market counts on: the cheapest of those that serve it."""
    way = ways.get(label)
    return way.uses[0].component if way is not None and way.serves else label


def _have(where: Position, facts: ChainFacts, ways: Mapping[str, Way]) -> dict[str, float]:
    """By label: stock, and what is under way, less what it still takes and what is owed."""
    have: dict[str, float] = defaultdict(float)
    by_name = {way.name: way for way in facts.ways}
    for label, units in where.on_hand_units.items():
        have[label] += units
    for order in where.under_way:
        way = by_name.get(order.recipe or "") if order.kind != "buy" else None
        have[order.product] += order.units * (1.0 if way is None else way.yield_share)
        for use in () if way is None else way.uses:
            if order.takes(facts.product_of(use.component)):
                have[use.component] -= order.units * use.units_per_unit
    for (item, _), units in where.owed_units.items():
        have[_served_from(ways, facts.label_of(item))] -= units
    return have


def _own_demand(state: State, facts: ChainFacts, ways: Mapping[str, Way], bucket: date) -> dict[str, list[float]]:
    """By label, the units that buyers wanted in each of the last WINDOW_BUCKETS closed buckets."""
    calendar = state.settings.calendar
    first = calendar.shift(bucket, -WINDOW_BUCKETS)
    due = due_units(state)
    due = due[(due["due"] >= pd.Timestamp(first)) & (due["due"] < pd.Timestamp(bucket))]
    own = {label: [0.0] * WINDOW_BUCKETS for label in facts.products}
    for product, market, day, units in due.itertuples(index=False):
        label = _served_from(ways, facts.label_of(Item(str(product), str(market))))
        if label in own:
            own[label][calendar.index(day.date(), first)] += float(units)
    return own


def _exploded(own: Mapping[str, Sequence[float]], facts: ChainFacts, ways: Mapping[str, Way]) -> dict[str, list[float]]:
    """By label and bucket, what the demand for all that it goes into would have taken of it."""
    exploded = {label: [0.0] * WINDOW_BUCKETS for label in facts.products}
    for label in reversed(components_first(facts.products, tuple(ways.values()))):
        way = ways.get(label)
        if way is None or way.serves:
            continue
        for use in way.uses:
            each = use.units_per_unit / way.yield_share
            wanted = [(a + b) * each for a, b in zip(own[label], exploded[label], strict=True)]
            exploded[use.component] = [a + b for a, b in zip(exploded[use.component], wanted, strict=True)]
    return exploded


def _lots(wanted_good_units: float, way: Way) -> float:
    if wanted_good_units <= 0:
        return 0.0
    units = max(wanted_good_units / way.yield_share, way.min_units)
    if way.multiple_units > 0:
        units = math.ceil(units / way.multiple_units - 1e-9) * way.multiple_units
    return way.sizes(False).up(units) if math.isfinite(way.max_units) else units


def _order(name: str, way: Way, facts: ChainFacts, units: float, start: date, due: date) -> PlannedOrder:
    return PlannedOrder(
        order=name,
        kind=way.kind,
        product=facts.product_of(way.product),
        recipe=way.recipe,
        offer=way.offer,
        line=way.line if way.kind == "make" else None,
        units=units,
        start=start,
        due=due,
        needed_by=due,
        cost=units * way.cost_per_unit,
        value=0.0,
        causes=(),
        lane=way.lane,
        from_site=way.from_site if way.kind == "move" else None,
        site=(way.site or None) if facts.stock_points else None,
    )
