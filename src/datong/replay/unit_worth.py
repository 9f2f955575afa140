"""What a unit is worth in a replay: what it costs by the cheapest way, with all that goes into it."""

import math
from collections import defaultdict
from collections.abc import Sequence
from datetime import date

from datong.network.facts import ChainFacts
from datong.network.ways import Way

# Of two costs that differ by less, a share of them, neither is cheaper.
ROUNDING = 1e-9
# Of ways that cost the same, the first of these kinds.
PREFERRED = ("make", "move", "buy")


def cheapest_ways(facts: ChainFacts, buckets: Sequence[date]) -> dict[str, Way]:
    """By product its cheapest way per good unit, components included; of those that cost the same, making before
    moving before buying, then by name. No way leads back to itself, however lanes go round.

    A way that is valid in none of the buckets only says what a unit is worth where none other does. Products without
    any way are left out.
    """
    return _cheapest(facts, buckets)[0]


def unit_costs(facts: ChainFacts, buckets: Sequence[date]) -> dict[str, float]:
    """By product, money for a good unit by its cheapest way. What nothing leads to is worth what its product costs at
    the dearest of its other sites, or nothing."""
    cost = _cheapest(facts, buckets)[1]
    dearest: dict[str, float] = {}
    for label, money in cost.items():
        product = facts.product_of(label)
        dearest[product] = max(dearest.get(product, 0.0), money)
    return {label: cost.get(label, dearest.get(facts.product_of(label), 0.0)) for label in facts.products}


def _cheapest(facts: ChainFacts, buckets: Sequence[date]) -> tuple[dict[str, Way], dict[str, float]]:
    """The cheapest ways and their costs, from components up to what they go into (WayArrays.turns_of_level)."""
    usual = [way for way in facts.ways if not way.from_units]  # at the prices of offers, whatever their breaks
    usable = [way for way in usual if any(way.is_open(bucket) for bucket in buckets)]
    in_use = {way.product for way in usable}
    usable += [way for way in usual if way.product not in in_use]
    level = dict(zip(facts.products, facts.arrays.level.tolist(), strict=True))
    of_level: dict[int, list[Way]] = defaultdict(list)
    for way in sorted(usable, key=lambda w: (PREFERRED.index(w.kind), w.name)):
        of_level[level[way.product]].append(way)
    best: dict[str, Way] = {}
    cost: dict[str, float] = {}
    for turn in facts.arrays.turns_of_level.tolist():
        for way in of_level[turn]:
            parts = sum(use.units_per_unit * cost.get(use.component, math.inf) for use in way.uses)
            money = (way.cost_per_unit + parts) * way.own_share / way.yield_share
            for output in way.outputs:
                each = (way.cost_per_unit + parts) * output.share / output.units_per_unit
                cost[output.product] = min(each, cost.get(output.product, math.inf))
            if money < cost.get(way.product, math.inf) * (1 - ROUNDING):
                best[way.product], cost[way.product] = way, money
    return best, cost
