"""How much to order now, from sample paths of demand and of what is under way.

An order placed now arrives in bucket `opens`; the first order that can still be placed later arrives in bucket
`closes`. What is ordered now is judged by the window in between, which no later decision can serve (Morton 1971,
Operations Research 19: a unit that could as well be part of the next order waits for it).

Lost sales. Let C_t be what would be lost from the window's first bucket up to bucket t if nothing were ordered now. q
more units at its start sell min(q, C_t) of that and leave the rest of the stock as it was, whatever else arrives, since

    min(d, S + E) - min(d, S) = min(E, (d - S)+).

Unit q + 1 is therefore sold in the window where C_end > q, and lies unsold at the end of each bucket with C_t <= q:

    gain(q) = shortage * P(C_end > q) - holding * E[number of t in the window with C_t <= q].

Backorders. With N_t the stock less what is owed if nothing is ordered now, unit q + 1 spares a unit's waiting in each
bucket with -N_t > q and lies in each other one:

    gain(q) = shortage * E[number of t with -N_t > q] - holding * E[number of t with -N_t <= q].

What the next order takes over. The next order q' arrives when the window ends, and is smaller by what this one leaves.
Chosen together for the window and the next one, on the same paths, both are best where no unit is worth moving from q'
to q. A unit moved is there in the window, and if it is sold in it, one less is there after it. With v the worth of that
one on a path, S_t what would be lost from the next window's first bucket up to t with q and without q', and k the
number of t in the next window with S_t < q',

    v = shortage [S_end >= q'] - holding k,
    gain(q) = E[(shortage - v) [C_end > q]] - holding E[number of t in the window with C_t <= q].

Where no next order is worth placing there is none to move a unit from: the unit is one more in both windows, worth E[v]
after the first (q' = 0, S_end > 0 and S_t <= 0 in v), and that, which is not above 0, is added. With backorders every
unit asked for is delivered, so that a unit moved leaves the same behind on every path: v = 0 but for the latter case.
What the next order can still learn of the window before it is placed it answers by itself: v = 0 on paths whose window
is over by then (`settled`).

Both gains fall in q, so the best quantity is the smallest with gain(q) <= 0: a weighted quantile of the C_t or -N_t of
all paths, and the newsvendor's where the window is one bucket (Arrow, Harris and Marschak 1951, Econometrica 19).
"""

from dataclasses import dataclass

import numpy as np

from datong.model.flow import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Window:
    """What the order placed now is judged by, for each path of each item.

    short: (item, path, bucket) units: C_t of lost sales, -N_t of backorders. inside, last: (item, path, bucket) whether
    the bucket is in the path's window, and whether it is its last. next_inside, next_last: the like of the next order's
    window. stock_then: (item, path) units there when the window opens, with what else arrives in that bucket and less
    what is owed; 0 where it never does. backorders: unmet demand waits.
    """

    short: FloatArray
    stock_then: FloatArray
    inside: BoolArray
    last: BoolArray
    next_inside: BoolArray
    next_last: BoolArray
    backorders: bool


@dataclass(frozen=True, eq=False)
class Next:
    """The order after this one. units: (item) q' of the module. worth: (item, path) money, v of the module; 0 where
    the path is settled. more: (item) money per unit ordered now, E[v] where q' is 0 and else 0; not above 0."""

    units: FloatArray
    worth: FloatArray
    more: FloatArray


def window(
    demand: FloatArray,
    on_hand: FloatArray,
    arriving: FloatArray,
    opens: IntArray,
    closes: IntArray,
    next_closes: IntArray | None = None,
    *,
    backorders: bool = False,
) -> Window:
    """The shortage that an order placed now could meet.

    demand: (item, path, bucket) units, bucket 0 being the one that opens now. on_hand: (item) units; below 0 what is
    owed. arriving: (item, path, bucket) units under way that arrive at the start of a bucket, or (item, 1, bucket).
    opens, closes: (item, path) buckets, or (item, 1); the number of buckets or more: never. next_closes: the like, in
    which the next order's window, which begins at closes, ends; without it that order has none. A path on which the
    order never arrives, or not before the later one, has no window and counts for nothing.
    """
    ends = closes if next_closes is None else next_closes
    shape = np.broadcast_shapes(demand.shape, arriving.shape, *((*at.shape, 1) for at in (opens, closes, ends)))
    at = np.arange(shape[2])
    first, end, next_end = opens[:, :, None], *(np.minimum(b, shape[2])[:, :, None] for b in (closes, ends))
    # A path without a window has nothing after it either.
    begun = np.broadcast_to((at >= first) & (first < end), shape)
    parts = begun & (at < end), begun & (at == end - 1), begun & (at >= end) & (at < next_end)
    parts = *parts, parts[2] & (at == next_end - 1)
    come, asked = np.broadcast_to(arriving, shape), np.broadcast_to(demand, shape)
    stock = np.broadcast_to(np.asarray(on_hand, dtype=float)[:, None], shape[:2])
    if backorders:
        net = stock[:, :, None] + np.cumsum(come - asked, axis=2)
        return Window(-net, _at(opens, net + asked), *parts, backorders)
    there, lost = np.empty(shape), np.empty(shape)
    for t in range(shape[2]):
        there[:, :, t] = stock + come[:, :, t]
        left = there[:, :, t] - asked[:, :, t]
        stock = np.maximum(left, 0.0)
        lost[:, :, t] = stock - left
    lost *= begun
    return Window(np.cumsum(lost, axis=2), _at(opens, there), *parts, backorders)


def whole_units(units: FloatArray, most_units: FloatArray | float) -> FloatArray:
    """(item) rounded up, but within `most_units`."""
    return np.minimum(np.ceil(units - 1e-9), np.floor(most_units))


def cheapest_units(
    view: Window, shortage_cost: FloatArray | float, holding_cost: FloatArray | float, later: Next | None = None
) -> FloatArray:
    """(item) smallest quantity at which the module's gain is no longer above 0, exact for the paths given.

    shortage_cost: (item) money per unit lost, or with backorders per unit and bucket owed. holding_cost: (item) money
    per unit and bucket. later: without it the order is best for its own window. Where holding costs nothing, the
    quantity is that of the worst path.
    """
    shortage, holding = _by_path(shortage_cost, holding_cost)
    begins = int(np.argmax(view.inside.any(axis=(0, 1))))  # no bucket before counts on any path
    short, inside, last = (part[:, :, begins:] for part in (view.short, view.inside, view.last))
    spared = inside if view.backorders else last
    weight = np.where(spared, shortage if later is None else shortage - later.worth[:, :, None], 0.0)
    missing = weight.sum(axis=(1, 2))
    if later is not None:
        missing += later.more * short.shape[1]
    return _weighted_quantile(short, weight + holding * inside, missing)


def next_order(
    view: Window,
    units: FloatArray,
    shortage_cost: FloatArray | float,
    holding_cost: FloatArray | float,
    settled: BoolArray,
) -> Next:
    """The order after one of these units (item), best for its own window. settled: (item, path) whether the window is
    over when it is placed. Costs as in `cheapest_units`."""
    shortage, holding = _by_path(shortage_cost, holding_cost)
    inside, last = view.next_inside, view.next_last
    short = view.short - units[:, None, None]
    if not view.backorders:
        short = np.maximum(short, 0.0)
        short -= np.einsum("ipb,ipb->ip", short, view.last)[:, :, None]  # one bucket is the last, or none
    weight = np.where(inside if view.backorders else last, shortage, 0.0)
    found = _weighted_quantile(short, weight + holding * inside, weight.sum(axis=(1, 2)))
    some, q = (found > 0)[:, None], found[:, None, None]
    most, least = (np.sum(np.where(sold, weight, -holding * inside), axis=2) for sold in (short >= q, short > q))
    mean, spread = least.mean(axis=1, keepdims=True), np.mean(most - least, axis=1, keepdims=True)
    share = np.where(some, np.divide(-mean, spread, out=np.zeros_like(mean), where=spread > 0), 0.0)
    worth = least + share * (most - least)
    more = np.where(some, 0.0, mean)[:, 0]
    if view.backorders:
        worth = np.zeros_like(worth)
    return Next(found, np.where(settled & some, 0.0, worth), more)


def expected_gain(
    view: Window,
    units: FloatArray,
    shortage_cost: FloatArray | float,
    holding_cost: FloatArray | float,
    later: Next | None = None,
) -> FloatArray:
    """(item) money that an order of these units saves on average over the paths: the module's gains of them, summed.

    Arguments as in `cheapest_units`.
    """
    shortage, holding = _by_path(shortage_cost, holding_cost)
    asked, there = np.maximum(view.short, 0.0), units[:, None, None]
    worth = shortage if later is None else shortage - later.worth[:, :, None]
    money = worth * (view.inside if view.backorders else view.last) * np.minimum(there, asked)
    money -= holding * view.inside * np.maximum(there - asked, 0.0)
    saved = money.sum(axis=(1, 2)) / view.short.shape[1]
    return saved if later is None else saved + later.more * units


def _by_path(shortage_cost: FloatArray | float, holding_cost: FloatArray | float) -> tuple[FloatArray, FloatArray]:
    """Both as (item, 1, 1)."""
    shortage, holding = (np.asarray(cost, dtype=float).reshape(-1, 1, 1) for cost in (shortage_cost, holding_cost))
    return shortage, holding


def _at(bucket: IntArray, values: FloatArray) -> FloatArray:
    """(item, path) values of a bucket, 0 where it is beyond the last."""
    buckets = values.shape[2]
    found = np.take_along_axis(values, np.minimum(bucket, buckets - 1)[:, :, None], axis=2)[:, :, 0]
    return np.where(bucket < buckets, found, 0.0)


def _weighted_quantile(values: FloatArray, weight: FloatArray, missing: FloatArray) -> FloatArray:
    """(item) smallest q >= 0 at which the weight of the values <= q reaches `missing`; 0 where nothing is missing."""
    count = len(values)
    flat = np.where(weight > 0, np.maximum(values, 0.0), 0.0).reshape(count, -1)
    order = np.argsort(flat, axis=1)
    flat = np.take_along_axis(flat, order, axis=1)
    reached = np.cumsum(np.take_along_axis(weight.reshape(count, -1), order, axis=1), axis=1)
    # Sums of many equal parts differ in the last digits from their product.
    first = np.argmax(reached >= missing[:, None] * (1 - 1e-12), axis=1)
    return np.where(missing > 0, flat[np.arange(count), first], 0.0)
