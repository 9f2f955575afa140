"""When units that are lost could be served, asked for later: out of what the orders of the plan leave.

The orders and deliveries of the plan stay as they are. Asked for in a later bucket the units come of stock that nobody
takes from then on, or of one lot more (its components of such stock, or of lots of theirs), on regular hours that the
orders leave and within the limits of ways. That counts where it costs less than losing them: then there is a plan that
serves them, beside everybody else, and is cheaper than refusing them. Where it costs more, within the time for which
they wait, nothing is scarce: they are lost because they are dearer than they are worth.
"""

from dataclasses import dataclass

import numpy as np

from datong.balance.arrays import Market
from datong.balance.evaluate import Outcome, service
from datong.balance.room_left import Room
from datong.model.flow import BoolArray, FloatArray, IntArray

NOTHING = 1e-6
# So many products and buckets are looked into, those with most units first; of the others nothing is told.
MOST_LOOKED_INTO = 500


@dataclass(frozen=True, eq=False)
class Later:
    """Of what is lost in each bucket, all of it together."""

    # (product asked for, bucket) the first later bucket in which it could be served, asked for then; -1: none.
    bucket: IntArray
    # (product asked for, bucket) whether it could come later within the time for which it waits, and nothing but what
    # that costs is in the way.
    dearer: BoolArray


def served_later(
    market: Market, demanded: IntArray, lost: FloatArray, outcome: Outcome, started: FloatArray, lots: FloatArray | None
) -> Later:
    """When what is lost could be served, and whether it is lost because that is dear: of given demand, and of orders in
    lots.

    demanded: (product asked for) its index. lost: (product asked for, bucket) units. started, lots: (way, bucket) units
    and orders.
    """
    later, dearer = np.full(lost.shape, -1, dtype=np.int64), np.zeros(lost.shape, dtype=bool)
    last = _last_taken(market, outcome)
    is_known = lots is not None and market.given_demand is not None
    room = Room(market, outcome, started, lots)
    each = _least_lost_cost(market)
    cells = [(-float(lost[d, t]), int(d), int(t)) for d, t in zip(*np.nonzero(lost > NOTHING), strict=True)]
    for units, d, t in sorted(cells)[:MOST_LOOKED_INTO]:
        product = int(demanded[d])
        for bucket in range(t + 1, market.buckets):
            money = room.cost(product, bucket, -units)
            dearer[d, t] |= is_known and money is not None and bucket <= last[product, t]
            if money is not None and money < -units * float(each[product]) - NOTHING:
                later[d, t] = bucket
                break
    return Later(later, dearer)


def _last_taken(market: Market, outcome: Outcome) -> IntArray:
    """(product, bucket) the last bucket in which what is lost of it there would still be taken, of several classes the
    first of theirs; of what is owed from before, by the day on which it was due."""
    told, rule = service(market, outcome), market.rules.max_lateness
    lost = told.refused + told.never > NOTHING
    until = np.arange(market.buckets) + rule.wait[:, None]
    overdue = rule.overdue > NOTHING
    owed = overdue.any(axis=1)
    until[owed, 0] = np.minimum(until[owed, 0], overdue[owed].argmax(axis=1))
    last = np.full((len(market.products), market.buckets), np.iinfo(np.int64).max)
    np.minimum.at(last, market.demand.product, np.where(lost, until, np.iinfo(np.int64).max))
    return last


def _least_lost_cost(market: Market) -> FloatArray:
    """(product) money for a unit lost, of the class that counts least."""
    least = np.full(len(market.products), np.inf)
    np.minimum.at(least, market.demand.product, market.lost_cost)
    return least
