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

What is left when the window ends is not free of charge: the next order can be smaller by it only where there is one. So
each bucket after the window in which the unit still lies, if nothing more is ordered, is charged `leftover_share` of
holding.

Both gains fall in q, so the best quantity is the smallest with gain(q) <= 0: a weighted quantile of the C_t or -N_t of
all paths, and the newsvendor's where the window is one bucket (Arrow, Harris and Marschak 1951, Econometrica 19).
"""

from dataclasses import dataclass

import numpy as np

from datong.model.flow import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Window:
    """What the order placed now is judged by, for each path of each item.

    short: (item, path, bucket) units: C_t of lost sales, -N_t of backorders. inside, last, after: (item, path, bucket)
    whether the bucket is in the path's window, is the window's last, or comes after it. stock_then: (item, path) units
    there when the window opens, with what else arrives in that bucket and less what is owed; 0 where it never does.
    backorders: unmet demand waits.
    """

    short: FloatArray
    stock_then: FloatArray
    inside: BoolArray
    last: BoolArray
    after: BoolArray
    backorders: bool


def window(
    demand: FloatArray,
    on_hand: FloatArray,
    arriving: FloatArray,
    opens: IntArray,
    closes: IntArray,
    *,
    backorders: bool = False,
) -> Window:
    """The shortage that an order placed now could meet.

    demand: (item, path, bucket) units, bucket 0 being the one that opens now. on_hand: (item) units; below 0 what is
    owed. arriving: (item, path, bucket) units under way that arrive at the start of a bucket, or (item, 1, bucket).
    opens, closes: (item, path) buckets, or (item, 1); the number of buckets or more: never. A path on which the order
    never arrives, or not before the later one, has no window and counts for nothing.
    """
    shape = np.broadcast_shapes(demand.shape, arriving.shape, (*opens.shape, 1), (*closes.shape, 1))
    at = np.arange(shape[2])
    first, end = opens[:, :, None], np.minimum(closes, shape[2])[:, :, None]
    # A path without a window has nothing after it either.
    begun = np.broadcast_to((at >= first) & (first < end), shape)
    inside, last = begun & (at < end), begun & (at == end - 1)
    come, asked = np.broadcast_to(arriving, shape), np.broadcast_to(demand, shape)
    stock = np.broadcast_to(np.asarray(on_hand, dtype=float)[:, None], shape[:2])
    if backorders:
        net = stock[:, :, None] + np.cumsum(come - asked, axis=2)
        return Window(-net, _at(opens, net + asked), inside, last, begun & ~inside, backorders)
    there, lost = np.empty(shape), np.empty(shape)
    for t in range(shape[2]):
        there[:, :, t] = stock + come[:, :, t]
        left = there[:, :, t] - asked[:, :, t]
        stock = np.maximum(left, 0.0)
        lost[:, :, t] = stock - left
    lost *= begun
    return Window(np.cumsum(lost, axis=2), _at(opens, there), inside, last, begun & ~inside, backorders)


def whole_units(units: FloatArray, most_units: FloatArray | float) -> FloatArray:
    """(item) rounded up, but within `most_units`."""
    return np.minimum(np.ceil(units - 1e-9), np.floor(most_units))


def cheapest_units(
    view: Window,
    shortage_cost: FloatArray | float,
    holding_cost: FloatArray | float,
    *,
    leftover_share: float = 0.0,
) -> FloatArray:
    """(item) smallest quantity at which the module's gain is no longer above 0, exact for the paths given.

    shortage_cost: (item) money per unit lost, or with backorders per unit and bucket owed. holding_cost: (item) money
    per unit and bucket. leftover_share: of the holding cost after the window up to the last bucket. Where holding costs
    nothing, the quantity is that of the worst path.
    """
    shortage, holding = (np.asarray(c, dtype=float).reshape(-1, 1, 1) for c in (shortage_cost, holding_cost))
    begins = int(np.argmax(view.inside.any(axis=(0, 1))))  # no bucket before counts on any path
    short = view.short[:, :, begins:]
    inside, last, after = (part[:, :, begins:] for part in (view.inside, view.last, view.after))
    spared = inside if view.backorders else last
    weight = np.where(spared, shortage, 0.0)
    missing = weight.sum(axis=(1, 2))
    weight += holding * inside
    if leftover_share:
        weight += holding * leftover_share * after
    return _weighted_quantile(short, weight, missing)


def expected_gain(
    view: Window,
    units: FloatArray,
    shortage_cost: FloatArray | float,
    holding_cost: FloatArray | float,
    *,
    leftover_share: float = 0.0,
) -> FloatArray:
    """(item) money that an order of these units saves on average over the paths: the module's gains of them, summed.

    Arguments as in `cheapest_units`.
    """
    shortage, holding = (np.asarray(c, dtype=float).reshape(-1, 1, 1) for c in (shortage_cost, holding_cost))
    asked, there = np.maximum(view.short, 0.0), units[:, None, None]
    money = shortage * (view.inside if view.backorders else view.last) * np.minimum(there, asked)
    money -= holding * (view.inside + leftover_share * view.after) * np.maximum(there - asked, 0.0)
    return money.sum(axis=(1, 2)) / view.short.shape[1]


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
