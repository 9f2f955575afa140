"""What stands in the way of a request that is delivered with others of its group, and lacks nothing of its own: what
stands in theirs."""

from collections import defaultdict

import numpy as np
import pyarrow as pa

from datong.balance.arrays import Market
from datong.balance.evaluate import Outcome, service
from datong.balance.why_unserved import Binding
from datong.model.flow import BoolArray, IntArray

NOTHING = 1e-6


def with_groups(
    market: Market, demanded: IntArray, outcome: Outcome, binding: Binding, dearer: BoolArray
) -> tuple[Binding, BoolArray]:
    """demanded: (product asked for) its index; dearer: (product asked for, bucket) whether what is lost there costs
    more than it is worth."""
    cells = _cells(market, demanded, outcome)
    names, buckets = binding.name.to_pylist(), market.buckets
    hours, price, bucket = binding.hours.copy(), binding.price.copy(), binding.bucket.copy()
    needed, dearer, beside = binding.needed.copy(), dearer.copy(), binding.beside.to_pylist()
    changed = False
    for own in cells.values():
        lacking = sorted(cell for cell in set(own) if names[cell[0] * buckets + cell[1]])
        for cell in set(own) if lacking else ():
            at = cell[0] * buckets + cell[1]
            if names[at] or not (dearer[cell] or bucket[cell] >= 0):  # it lacks something itself, or time
                continue
            of = lacking[0]
            names[at], beside[at] = names[of[0] * buckets + of[1]], beside[of[0] * buckets + of[1]]
            hours[cell], price[cell], bucket[cell] = hours[of], price[of], bucket[of]
            needed[cell], dearer[cell], changed = 0.0, False, True
    if not changed:
        return binding, dearer
    told = pa.array(names, pa.string()), pa.array(beside, pa.list_(pa.string()))
    return Binding(told[0], hours, price, bucket, needed, told[1]), dearer


def _cells(market: Market, demanded: IntArray, outcome: Outcome) -> dict[str, list[tuple[int, int]]]:
    """By group the places (product asked for, bucket) of those of its requests that are late or lost."""
    rule, found = market.rules.smallest_delivery, defaultdict[str, list[tuple[int, int]]](list)
    if not any(rule.groups):
        return found
    told = service(market, outcome)
    short = (told.late + told.refused + told.never).sum(axis=1) > NOTHING
    place = {int(product): i for i, product in enumerate(demanded.tolist())}
    for d, group in enumerate(rule.groups):
        product = int(market.demand.product[d])
        if group and short[d] and product in place:
            found[group].append((place[product], int(np.argmax(market.demand.cumulative[d][0] > NOTHING))))
    return found
