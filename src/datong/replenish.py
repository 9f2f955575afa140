"""Replenishment of many items at once: what is likely to sell, what is likely to arrive, the order that costs least.

The verbs in a row: `forecast` follows the demand and draws sample paths of it, `learn` believes lead times from what
was promised and what came, `plan` orders by the expected cost of the window that only this order can serve. Each item
is decided by itself, from what is known of it and nothing else.
"""

from dataclasses import dataclass

import numpy as np

from datong.forecast.discount import Followed, drawn, even_order, follow, sample_paths
from datong.learn.lead_times import chances_at_age, lead_chances
from datong.model.flow import FloatArray, IntArray
from datong.plan.ordering import cheapest_units, stock_left, whole_units, window

PATHS = 64
# Buckets looked at beyond the promised lead time: the window, and how long what is left of it will lie.
LOOK_BUCKETS = 6
# Of what holding costs after the window, until what is left is sold.
LEFTOVER_SHARE = 0.5
# With lost sales and a lead time the order that is best for its own window is too large (Morton 1971; Zipkin 2008,
# Operations Research 56): what it sells now it would partly sell from the next order otherwise.
LATE_SHORTAGE_SHARE = 0.7
NEVER = 1 << 30
# Draws of the demand paths are numbered from 0, those of arrivals from here.
ARRIVAL_DRAWS = 1000


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of items when their orders are to be placed, all before the bucket that opens now.

    demand: (item, bucket) units of closed buckets; NaN where unknown or before the item's first. ordered: (item,
    bucket) units that were ordered in each of these. came_after: (item, bucket) buckets from that order to its arrival;
    NaN where it has not come, inf where it is known that it never will. on_hand: (item) units. promised_lead: (item)
    buckets. shortage_cost: (item) money per unit of lost sale. holding_cost: (item) money per unit and bucket.
    """

    demand: FloatArray
    ordered: FloatArray
    came_after: FloatArray
    on_hand: FloatArray
    promised_lead: IntArray
    shortage_cost: FloatArray
    holding_cost: FloatArray


@dataclass(frozen=True, eq=False)
class Replenishment:
    """Orders with their reason, one value per item.

    units: whole units to order now. stock_then: units expected to be there when the order arrives, before it does.
    lost_chance: that it never arrives. short_before, short_after: chance that demand is lost in the window that only
    this order can serve, without and with it, given that there is such a window.
    """

    units: FloatArray
    stock_then: FloatArray
    lost_chance: FloatArray
    short_before: FloatArray
    short_after: FloatArray


def looked_at(promised_lead: IntArray) -> int:
    """Buckets that the decision looks at, of the item with the longest promised lead."""
    return int(promised_lead.max(initial=0)) + LOOK_BUCKETS


def replenish(
    known: Known, followed: Followed | None = None, *, paths: int = PATHS, seed: int = 0, most_units: float = np.inf
) -> Replenishment:
    """What to order now. followed: belief after `known.demand`, where the caller keeps it from bucket to bucket."""
    lead, buckets = known.promised_lead, looked_at(known.promised_lead)
    if followed is None:
        followed = follow(known.demand, buckets)
    demand = sample_paths(followed, buckets, lead, paths, seed)
    chances = lead_chances(lead, known.ordered, known.came_after)
    arriving = _arriving(known, chances, buckets, paths, seed)
    opens, closes = _window(chances, buckets, paths, seed)
    shortage = known.shortage_cost * np.where(lead > 0, LATE_SHORTAGE_SHARE, 1.0)
    # An item looks no further for having others with longer leads beside it.
    view = window(demand, known.on_hand, arriving, opens, closes, looks=lead + LOOK_BUCKETS)
    wanted = cheapest_units(view, shortage, known.holding_cost, leftover_share=LEFTOVER_SHARE)
    units = whole_units(wanted, most_units)
    short = np.max(view.short, axis=2, where=view.last, initial=0.0)
    there = np.maximum(view.last.any(axis=2).sum(axis=1), 1)
    return Replenishment(
        units,
        stock_left(demand, known.on_hand, arriving, opens).mean(axis=1),
        chances[:, -1],
        np.sum(short > 0, axis=1) / there,
        np.sum(short > units[:, None], axis=1) / there,
    )


def _arriving(known: Known, chances: FloatArray, buckets: int, paths: int, seed: int) -> FloatArray:
    """(item, path, bucket) units under way that arrive at the start of each bucket; what never arrives is left out."""
    items, closed = known.ordered.shape
    result = np.zeros((items, paths, buckets + 1))  # the last one holds what comes later or never
    waiting = np.where(np.isnan(known.came_after), known.ordered, 0.0)
    row, path = np.arange(items)[:, None], np.arange(paths)
    for age in range(1, min(chances.shape[1] - 2, closed) + 1):
        units = waiting[:, closed - age]
        if units.any():
            leads = _leads(chances_at_age(chances, age), paths)
            lead = leads[:, even_order(paths, seed, ARRIVAL_DRAWS + age)]
            result[row, path, np.minimum(lead - age, buckets)] += units[:, None]
    return result[:, :, :buckets]


def _window(chances: FloatArray, buckets: int, paths: int, seed: int) -> tuple[IntArray, IntArray]:
    """(item, path) each: bucket in which an order placed now arrives, and the first one in which a later one does."""
    leads = _leads(chances, paths)
    closes = np.full_like(leads, NEVER)
    for later in range(1, buckets):
        closes = np.minimum(closes, later + leads[:, even_order(paths, seed, ARRIVAL_DRAWS - later)])
    return leads[:, even_order(paths, seed, ARRIVAL_DRAWS)], closes


def _leads(chances: FloatArray, paths: int) -> IntArray:
    """(item, path) buckets until an order arrives, rising, in the shares of the chances; NEVER where it is lost."""
    lead = drawn(chances, (np.arange(paths) + 0.5) / paths)
    return np.where(lead < chances.shape[1] - 1, lead, NEVER)
