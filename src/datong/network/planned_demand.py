"""Units asked of each product as a plan sees them: owed ones and all markets together, with later plans in mind."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date

import numpy as np

from datong.model.demand_layers import with_recourse
from datong.model.flow import FloatArray, Forecast, IntArray, Item
from datong.model.settings import ChainSettings
from datong.network.facts import ChainFacts
from datong.network.position import Position
from datong.network.ways import lead_buckets


def pooled_demand(
    demand: Forecast, where: Position, bucket_days: int, label_of: Callable[[Item], str] = lambda item: item.product
) -> dict[str, FloatArray]:
    """Units asked of each product in each open bucket, all markets together: product -> (path, bucket).

    label_of: what an item is asked of; in a chain with lanes, `ChainFacts.label_of`.

    What is owed from before is due at once; orders already served ahead of their day ask no more.
    One path where all are equal.
    """
    asked: dict[str, FloatArray] = {}
    index = {item: i for i, item in enumerate(demand.items)}
    first = demand.bucket_starts[0]
    buckets = len(demand.bucket_starts)
    served: dict[int, FloatArray] = defaultdict(lambda: np.zeros(buckets))
    for (item, due), units in where.served_ahead_units.items():
        bucket = (due - first).days // bucket_days
        if item in index and 0 <= bucket < buckets:
            served[index[item]][bucket] += units
    for i, item in enumerate(demand.items):
        paths = demand.paths[i]
        if len(paths) > 1 and (paths[:1] == paths).all():
            paths = paths[:1]
        if i in served:
            paths = np.maximum(paths - served[i], 0.0)
        label = label_of(item)
        asked[label] = asked[label] + paths if label in asked else np.asarray(paths, np.float64)
    for (item, _), units in sorted(where.owed_units.items()):
        label = label_of(item)
        if label not in asked:
            asked[label] = np.zeros((1, buckets))
        asked[label] = asked[label] + np.eye(1, buckets) * units
    return dict(sorted(asked.items()))


def planned_demand(
    demand: Forecast, where: Position, facts: ChainFacts, bucket_starts: Sequence[date], settings: ChainSettings
) -> dict[str, FloatArray]:
    """`pooled_demand` as a plan sees it that is made anew in every bucket (model/demand_layers.py, with_recourse)."""
    asked = pooled_demand(demand, where, settings.calendar.bucket_days, facts.label_of)
    if all(len(paths) == 1 for paths in asked.values()):
        return asked
    response = response_buckets(facts, bucket_starts, settings)
    return {product: with_recourse(paths, response.get(product, 1)) for product, paths in asked.items()}


def usual_ways(facts: ChainFacts, bucket_starts: Sequence[date]) -> tuple[IntArray, IntArray]:
    """Indices of the products that can be had in the horizon, and of the cheapest way of each."""
    arrays = facts.arrays
    unit_cost = arrays.good_unit_costs(arrays.least_costs(bucket_starts))
    is_open, _ = arrays.open_in(bucket_starts)
    name = np.argsort(np.array([w.name for w in facts.ways], dtype=np.str_), kind="stable")
    order = name[np.lexsort((unit_cost[name], arrays.product[name]))]
    order = order[is_open[order].any(axis=1)]
    made, first = np.unique(arrays.product[order], return_index=True)
    return made, order[first]


def response_buckets(facts: ChainFacts, bucket_starts: Sequence[date], settings: ChainSettings) -> dict[str, int]:
    """By product: buckets from seeing demand to having more of it there, when nothing is in stock.

    One bucket of review, the frozen ones, and the lead time of the product's cheapest way with that of its slowest
    component before it.
    """
    arrays = facts.arrays
    made, usual = usual_ways(facts, bucket_starts)
    is_usual = np.zeros(len(facts.ways), dtype=bool)
    is_usual[usual] = True
    lead = np.zeros(len(facts.products), dtype=np.int64)
    own = np.array([lead_buckets(facts.ways[w], settings.calendar) for w in usual], dtype=np.int64)
    use = np.flatnonzero(is_usual[arrays.use_way])
    parent = arrays.product[arrays.use_way[use]]
    for level in arrays.turns_of_level:
        before = np.zeros(len(facts.products), dtype=np.int64)
        here = use[arrays.level[parent] == level]
        np.maximum.at(before, arrays.product[arrays.use_way[here]], lead[arrays.use_component[here]])
        now = arrays.level[made] == level
        lead[made[now]] = before[made[now]] + own[now]
    return {facts.products[p]: int(1 + settings.frozen_buckets + lead[p]) for p in made}
