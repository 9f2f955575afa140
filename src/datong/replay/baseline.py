"""A simple textbook policy to compare with: order up to the recent mean and a safety stock."""

import math
from datetime import date
from statistics import NormalDist, mean, stdev

import pandas as pd

from datong.ledger.facts import Way, chain_facts
from datong.ledger.position import position
from datong.ledger.state import State
from datong.model.flow import PlannedOrder, nothing_learnt
from datong.replay.scene import cheapest, due_units

# The mean and the spread are those of so many closed buckets.
WINDOW_BUCKETS = 4


def baseline_orders(state: State) -> list[PlannedOrder]:
    """Periodic review, order up to S = m (L + 1) + z s sqrt(L + 1) (Silver, Pyke and Thomas 2017, section 6.7).

    m, s: mean and sample deviation of the demand due in the last WINDOW_BUCKETS closed buckets; L: frozen buckets and
    lead time in buckets, to which one bucket of review is added; z = normal quantile of late / (late + holding). What
    is ordered is S less stock and what is under way, plus what is owed, by the cheapest way, rounded up to its lots.
    Orders start in the first bucket that is not frozen.
    """
    calendar, frozen = state.settings.calendar, state.settings.frozen_buckets
    bucket = state.first_open_bucket
    start = calendar.shift(bucket, frozen)
    facts = chain_facts(state, (start,), nothing_learnt())
    ways = cheapest([way for way in facts.ways if way.is_open(start)], (start,))
    yield_share = {way.name: way.yield_share for way in facts.ways}
    where = position(state)
    recent = _recent_demand(state, bucket)
    owed: dict[str, float] = {}
    for (item, _), units in where.owed_units.items():
        owed[item.product] = owed.get(item.product, 0.0) + units
    coming: dict[str, float] = {}
    for order in where.under_way:
        coming[order.product] = coming.get(order.product, 0.0) + order.units * yield_share.get(order.recipe or "", 1.0)
    orders = []
    for product, way in sorted(ways.items()):
        costs = facts.economics[product]
        past = recent.get(product, [0.0] * WINDOW_BUCKETS)
        lead = frozen + calendar.lead_buckets(way.lead_days)
        ratio = costs.late_per_bucket / max(costs.late_per_bucket + costs.holding_per_bucket, 1e-12)
        z = NormalDist().inv_cdf(min(max(ratio, 0.001), 0.999))
        level = mean(past) * (lead + 1) + z * stdev(past) * math.sqrt(lead + 1)
        have = where.on_hand_units.get(product, 0.0) + coming.get(product, 0.0) - owed.get(product, 0.0)
        units = _lots(level - have, way)
        if units > 0:
            due = calendar.shift(bucket, lead)
            orders.append(_order(f"baseline|{start}|{product}", way, units, start, due))
    return orders


def _recent_demand(state: State, bucket: date) -> dict[str, list[float]]:
    """By product the units due in each of the last WINDOW_BUCKETS closed buckets."""
    calendar = state.settings.calendar
    first = calendar.shift(bucket, -WINDOW_BUCKETS)
    due = due_units(state)
    due = due[(due["due"] >= pd.Timestamp(first)) & (due["due"] < pd.Timestamp(bucket))]
    result: dict[str, list[float]] = {}
    for product, _, day, units in due.itertuples(index=False):
        result.setdefault(str(product), [0.0] * WINDOW_BUCKETS)[calendar.index(day.date(), first)] += float(units)
    return result


def _lots(wanted_good_units: float, way: Way) -> float:
    if wanted_good_units <= 0:
        return 0.0
    units = max(wanted_good_units / way.yield_share, way.min_units)
    if way.multiple_units > 0:
        units = math.ceil(units / way.multiple_units - 1e-9) * way.multiple_units
    return units


def _order(name: str, way: Way, units: float, start: date, due: date) -> PlannedOrder:
    return PlannedOrder(
        order=name,
        kind=way.kind,
        product=way.product,
        recipe=way.recipe,
        offer=way.offer,
        line=way.line,
        units=units,
        start=start,
        due=due,
        needed_by=due,
        cost=units * way.cost_per_unit,
        value=0.0,
        causes=(),
    )
