"""Replenishment of many items at once: what each is likely to sell, what is likely to arrive, and the order that costs least.

The verbs in a row: `forecast` follows the demand and draws sample paths of it, `learn` believes lead times from what was
promised and what came, `plan` orders by the expected cost of the window that only this order can serve. Each item is decided by
itself, from what is known of it and nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from datong.forecast.discount import Followed, drawn, even_draws, follow, sample_paths
from datong.learn.lead_times import chances_at_age, lead_chances
from datong.model.flow import FloatArray, IntArray
from datong.plan.ordering import expected_gain, units_for, window

PATHS = 64
# Buckets looked at beyond the promised lead time: the window, and how long what is left of it will lie.
LOOK_BUCKETS = 6
# Of what holding costs after the window, until what is left is sold.
LEFTOVER_SHARE = 0.5
# With lost sales and a lead time the order that is best for its own window is too large (Morton 1971; Zipkin 2008,
# Operations Research 56): what it sells now it would partly sell from the next order otherwise.
LATE_SHORTAGE_SHARE = 0.8
NEVER = 1 << 30
# Draws of the demand paths are numbered from 0, those of arrivals from here.
ARRIVAL_DRAWS = 1000


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of items when their orders are to be placed, all before the bucket that opens now.

    demand: (item, bucket) units of closed buckets; NaN where unknown or before the item's first. ordered: (item, bucket)
    units that were ordered in each of these. came_after: (item, bucket) buckets from that order to its arrival; NaN where
    it has not come, inf where it is known that it never will. on_hand: (item) units. promised_lead: (item) buckets.
    shortage_cost: (item) money per unit of lost sale. holding_cost: (item) money per unit and bucket.
    """

    demand: FloatArray
    ordered: FloatArray
    came_after: FloatArray
    on_hand: FloatArray
    promised_lead: IntArray
    shortage_cost: FloatArray
    holding_cost: FloatArray


@dataclass(frozen=True, eq=False)
class Lots:
    """Orders are multiples of step, not below least. (item) units."""

    step: FloatArray
    least: FloatArray


@dataclass(frozen=True, eq=False)
class Replenishment:
    """Orders with their reason, one value per item.

    units: whole units to order now. lost_chance: that an order placed now never comes. arriving_units: expected to arrive of what
    is under way, within the buckets looked at. short_before, short_after: chance that demand is lost in the window that only this
    order can serve, without and with it, given that there is such a window. value: what the order is expected to save, in money.
    """

    units: FloatArray
    lost_chance: FloatArray
    arriving_units: FloatArray
    short_before: FloatArray
    short_after: FloatArray
    value: FloatArray


def replenish(
    known: Known, followed: Followed | None = None, *, paths: int = PATHS, seed: int = 0, most_units: float = np.inf
) -> Replenishment:
    """What to order now. followed: belief after `known.demand`, where the caller keeps it from bucket to bucket."""
    lead, buckets = known.promised_lead, int(known.promised_lead.max(initial=0)) + LOOK_BUCKETS
    if followed is None:
        followed = follow(known.demand, buckets)
    demand = sample_paths(followed, buckets, lead, paths, seed)
    return decide(known, demand, seed=seed, most_units=most_units)


def decide(
    known: Known,
    demand: FloatArray,
    *,
    seed: int = 0,
    most_units: FloatArray | float = np.inf,
    review_buckets: int = 1,
    backorders: bool = False,
    lots: Lots | None = None,
    coming: FloatArray | float = 0.0,
) -> Replenishment:
    """What to order now for demand paths in hand (item, path, bucket), from the bucket that opens now.

    Orders can be placed again every `review_buckets`. backorders: unmet demand waits, and shortage_cost is per unit and
    bucket. lots: orders come in these. coming: (item, bucket) units that arrive besides those of `known.ordered`, for
    certain.
    """
    lead = known.promised_lead
    paths, buckets = demand.shape[1:]
    chances = lead_chances(lead, known.ordered, known.came_after)
    arriving = _arriving(known, chances, buckets, paths, seed)
    arriving += np.asarray(coming).reshape(-1, 1, buckets if np.ndim(coming) else 1)
    opens, closes = _window(chances, buckets, paths, seed, review_buckets)
    looks = np.minimum(lead + LOOK_BUCKETS + review_buckets - 1, buckets)
    lost_sales_share = 1.0 if backorders else np.where(lead > 0, LATE_SHORTAGE_SHARE, 1.0)
    shortage, holding = known.shortage_cost * lost_sales_share, known.holding_cost
    view = window(demand, known.on_hand, arriving, opens, closes, backorders=backorders, looks=looks)
    units = units_for(
        view, shortage, holding, backorders=backorders, most_units=most_units, leftover_share=LEFTOVER_SHARE
    )

    def gain(of: FloatArray) -> FloatArray:
        return expected_gain(view, of, shortage, holding, backorders=backorders, leftover_share=LEFTOVER_SHARE)

    if lots is not None:
        units = _best_lot(units, lots, most_units, gain)
    short = np.max(view.short, axis=2, where=view.last, initial=0.0)
    there = np.maximum(view.last.any(axis=2).sum(axis=1), 1)
    return Replenishment(
        units,
        chances[:, -1],
        arriving.sum(axis=2).mean(axis=1),
        np.sum(short > 0, axis=1) / there,
        np.sum(short > units[:, None], axis=1) / there,
        gain(units),
    )


def _best_lot(
    units: FloatArray, lots: Lots, most_units: FloatArray | float, gain: Callable[[FloatArray], FloatArray]
) -> FloatArray:
    """(item) the best of the quantities in lots on both sides of the best one, and of none: gains are concave."""
    step = np.maximum(lots.step, 1e-9)
    down = np.floor(units / step + 1e-9) * step
    up = np.ceil(np.maximum(units, lots.least) / step - 1e-9) * step
    none = np.zeros_like(units)
    best, best_gain = none, none
    for some in (up, np.where(down >= lots.least, down, 0.0)):
        allowed = np.where(some <= most_units, some, 0.0)
        more = gain(allowed)
        best, best_gain = np.where(more > best_gain, allowed, best), np.maximum(more, best_gain)
    return best


def _arriving(known: Known, chances: FloatArray, buckets: int, paths: int, seed: int) -> FloatArray:
    """(item, path, bucket) units under way that arrive at the start of each bucket; what never arrives is left out."""
    items, closed = known.ordered.shape
    result = np.zeros((items, paths, buckets + 1))  # the last one holds what comes later or never
    waiting = np.where(np.isnan(known.came_after), known.ordered, 0.0)
    row, path = np.arange(items)[:, None], np.arange(paths)
    for age in range(1, min(chances.shape[1] - 2, closed) + 1):
        units = waiting[:, closed - age]
        if units.any():
            lead = _drawn_lead(chances_at_age(chances, age), even_draws(paths, seed, ARRIVAL_DRAWS + age))
            result[row, path, np.minimum(lead - age, buckets)] += units[:, None]
    return result[:, :, :buckets]


def _window(chances: FloatArray, buckets: int, paths: int, seed: int, review_buckets: int) -> tuple[IntArray, IntArray]:
    """(item, path) each: bucket in which an order placed now arrives, and the first one in which a later one does."""
    opens = _drawn_lead(chances, even_draws(paths, seed, ARRIVAL_DRAWS))
    closes = np.full_like(opens, NEVER)
    for later in range(review_buckets, buckets, review_buckets):
        lead = _drawn_lead(chances, even_draws(paths, seed, ARRIVAL_DRAWS - later))
        closes = np.minimum(closes, later + lead)
    return opens, closes


def _drawn_lead(chances: FloatArray, draws: FloatArray) -> IntArray:
    """(item, path) buckets until an order arrives; NEVER or more where it is lost."""
    lead = drawn(chances, draws)
    return np.where(lead < chances.shape[1] - 1, lead, NEVER)
