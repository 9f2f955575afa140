"""Replenishment of many items at once: what is likely to sell, what is likely to arrive, the order that costs least.

The verbs in a row: `forecast` follows the demand and draws sample paths of it, `learn` believes lead times from what
was promised and what came, `plan` orders by the expected cost of the window that only this order can serve. Each item
is decided by itself, from what is known of it and nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np

from datong.forecast.jumping_level import Followed, drawn, even_order, sample_paths
from datong.learn.replenish_lead_times import chances_at_age, lead_chances
from datong.model.flow import FloatArray, IntArray
from datong.plan.how_much_to_order import cheapest_units, expected_gain, whole_units, window, with_next_order

PATHS = 64
# Buckets looked at beyond the promised lead time and the windows of this order and the next: they may come late.
LATE_BUCKETS = 2
NEVER = 1 << 30
# Draws of the demand paths are numbered from 0 up. Those of arrivals stand about here: of orders by their age above, of
# the one placed now here, of those that can be placed later below.
ARRIVAL_DRAWS = 1000
CHUNK_ITEMS = 2000
ROUNDING = 1e-9
Facts = TypeVar("Facts", "Known", Followed)


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of items when their orders are to be placed, all before the bucket that opens now.

    ordered: (item, bucket) units that were ordered in each closed bucket, the last one just closed. came_after: (item,
    bucket) buckets from that order to its arrival; NaN where it has not come, inf where it is known that it never will.
    on_hand: (item) units. promised_lead: (item) buckets. shortage_cost: (item) money per unit of lost sale.
    holding_cost: (item) money per unit and bucket. losses_told: a lost order is known to be lost one bucket later, so
    that one without news is under way; else it just does not come. came_share: (item, bucket) share of an order that
    came, where it came and no more of it will; None: all of it.
    """

    ordered: FloatArray
    came_after: FloatArray
    on_hand: FloatArray
    promised_lead: IntArray
    shortage_cost: FloatArray
    holding_cost: FloatArray
    losses_told: bool = False
    came_share: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class Replenishment:
    """Orders with their reason, one value per item.

    units: whole units to order now. stock_then: units expected to be there when the order arrives, before it does.
    lost_chance: that it never arrives. short_before, short_after: chance that demand is lost in the window that only
    this order can serve, without and with it, given that there is such a window. value: money that the order is
    expected to save in its window, less what the next order could have saved with the same units.
    """

    units: FloatArray
    stock_then: FloatArray
    lost_chance: FloatArray
    short_before: FloatArray
    short_after: FloatArray
    value: FloatArray


@dataclass(frozen=True, eq=False)
class Lots:
    """Orders are multiples of step (0: any number), and not below least. (item) units."""

    step: FloatArray
    least: FloatArray


def looked_at(promised_lead: IntArray, review_buckets: int = 1) -> int:
    """Buckets that the decision looks at, of the item with the longest promised lead."""
    return int(promised_lead.max(initial=0)) + 2 * review_buckets + LATE_BUCKETS


def replenish(
    known: Known, followed: Followed, *, paths: int = PATHS, seed: int = 0, most_units: float = np.inf
) -> Replenishment:
    """What to order now, from paths that it draws. followed: belief after the demand of the closed buckets, for
    `looked_at` buckets ahead. paths, seed: how many are drawn, and which. most_units: of each order.

    Items of one promised lead are decided together, at most CHUNK_ITEMS at a time, so that memory is bounded.
    """
    lead = known.promised_lead

    def of(some: IntArray) -> Replenishment:
        own = _rows(known, some)
        demand = sample_paths(_rows(followed, some), looked_at(own.promised_lead), own.promised_lead, paths, seed)
        return _decide(own, demand, seed, most_units)

    return _in_chunks(lead, of)


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
    """What to order now, with demand paths in hand: (item, path, bucket) units, from the bucket that opens now.

    The paths must reach `looked_at` buckets. most_units: (item). review_buckets: until orders can be placed again.
    backorders: unmet demand waits, and shortage_cost is for a unit and bucket. lots: orders come in these. coming:
    (item, bucket) units that arrive for certain, besides those of `known.ordered`.
    """
    lead = known.promised_lead
    reach = looked_at(lead, review_buckets)
    if demand.shape[2] < reach:
        raise ValueError(f"demand must reach {reach} buckets, not {demand.shape[2]}")
    most = np.broadcast_to(np.asarray(most_units, dtype=float), lead.shape)
    certain = np.broadcast_to(np.asarray(coming, dtype=float), (len(lead), demand.shape[2]))

    def of(some: IntArray) -> Replenishment:
        own = _rows(known, some)
        buckets = looked_at(own.promised_lead, review_buckets)
        own_lots = None if lots is None else Lots(lots.step[some], lots.least[some])
        own_demand, own_certain = demand[some, :, :buckets], certain[some, :buckets]
        return _decide(own, own_demand, seed, most[some], review_buckets, backorders, own_lots, own_certain)

    return _in_chunks(lead, of)


def _in_chunks(lead: IntArray, of: Callable[[IntArray], Replenishment]) -> Replenishment:
    """The decisions of all items, made for some at a time that share a lead."""
    at = [chunk for one in np.unique(lead) for chunk in _chunks(np.flatnonzero(lead == one))]
    parts = [of(chunk) for chunk in at]
    back = np.argsort(np.concatenate([np.empty(0, dtype=np.int64), *at]))
    columns = ([getattr(part, field.name) for part in parts] for field in fields(Replenishment))
    return Replenishment(*(np.concatenate([np.empty(0), *column])[back] for column in columns))


def _chunks(at: IntArray) -> list[IntArray]:
    return np.array_split(at, -(-len(at) // CHUNK_ITEMS))


def _rows(facts: Facts, at: IntArray) -> Facts:
    """The facts of these items only."""
    values = {field.name: getattr(facts, field.name) for field in fields(facts)}
    return replace(facts, **{name: value[at] for name, value in values.items() if isinstance(value, np.ndarray)})


def _decide(
    known: Known,
    demand: FloatArray,
    seed: int,
    most_units: FloatArray | float,
    review_buckets: int = 1,
    backorders: bool = False,
    lots: Lots | None = None,
    certain: FloatArray | None = None,
) -> Replenishment:
    """`decide` of items with one promised lead."""
    lead, (paths, buckets) = known.promised_lead, demand.shape[1:]
    chances = lead_chances(lead, known.ordered, known.came_after, known.came_share, losses_told=known.losses_told)
    arriving = _arriving(known, chances, buckets, paths, seed)
    if certain is not None:
        arriving += certain[:, None]
    opens, closes, next_closes = _windows(chances, buckets, paths, seed, review_buckets)
    view = window(demand, known.on_hand, arriving, opens, closes, next_closes, backorders=backorders)
    money = known.shortage_cost, known.holding_cost
    settled = closes <= review_buckets
    judged, taken = with_next_order(view, cheapest_units(view, *money), *money, settled)

    def gain(of: FloatArray) -> FloatArray:
        return expected_gain(judged, of, *money, taken)

    wanted = cheapest_units(judged, *money, taken)
    units = whole_units(wanted, most_units) if lots is None else _best_lot(wanted, lots, most_units, gain)
    short = np.einsum("ipb,ipb->ip", view.short, view.last)  # one bucket is the last, or none
    there = np.maximum(view.last.sum(axis=(1, 2)), 1)
    return Replenishment(
        units,
        view.stock_then.sum(axis=1) / np.maximum(np.sum(opens < buckets, axis=1), 1),
        chances[:, -1],
        np.sum(short > 0, axis=1) / there,
        np.sum(short > units[:, None], axis=1) / there,
        gain(units),
    )


def _best_lot(
    wanted: FloatArray, lots: Lots, most_units: FloatArray | float, gain: Callable[[FloatArray], FloatArray]
) -> FloatArray:
    """(item) the best of the quantities in lots next to the one wanted, and of none: gains are concave."""
    step = np.where(lots.step > 0, lots.step, 1.0)
    down, up = np.minimum(wanted, most_units), np.maximum(wanted, lots.least)
    down = np.where(lots.step > 0, np.floor(down / step + ROUNDING) * step, down)
    up = np.where(lots.step > 0, np.ceil(up / step - ROUNDING) * step, up)
    best = np.zeros_like(wanted)
    most_gain = np.zeros_like(wanted)
    for some in (up, down):
        fits = (some >= lots.least - ROUNDING) & (some <= most_units + ROUNDING)
        tried = np.where(fits, some, 0.0)
        more = gain(tried)
        best, most_gain = np.where(more > most_gain, tried, best), np.maximum(more, most_gain)
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
            leads = _leads(chances_at_age(chances, age, losses_told=known.losses_told), paths)
            lead = leads[:, even_order(paths, seed, ARRIVAL_DRAWS + age)]
            result[row, path, np.minimum(lead - age, buckets)] += units[:, None]
    return result[:, :, :buckets]


def _windows(
    chances: FloatArray, buckets: int, paths: int, seed: int, review_buckets: int
) -> tuple[IntArray, IntArray, IntArray]:
    """(item, path) each: bucket in which an order placed now arrives, the first one in which a later one does, and the
    next one in which another does."""
    leads = _leads(chances, paths)
    closes = np.full_like(leads, NEVER)
    next_closes = closes.copy()
    for later in range(review_buckets, buckets, review_buckets):
        comes = later + leads[:, even_order(paths, seed, ARRIVAL_DRAWS - later)]
        other = np.where(comes == closes, NEVER, np.maximum(comes, closes))
        closes, next_closes = np.minimum(closes, comes), np.minimum(next_closes, other)
    return leads[:, even_order(paths, seed, ARRIVAL_DRAWS)], closes, next_closes


def _leads(chances: FloatArray, paths: int) -> IntArray:
    """(item, path) buckets until an order arrives, rising, in the shares of the chances; NEVER where it is lost."""
    lead = drawn(chances, (np.arange(paths) + 0.5) / paths)
    return np.where(lead < chances.shape[1] - 1, lead, NEVER)
